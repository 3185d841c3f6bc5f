"""Speed of training against PyTorch: both programs in turn on one machine, medians and ratios.

    python3 -m venv peers && peers/bin/pip install torch transformers sentencepiece
    peers/bin/python bench/compare.py --source train.en --target train.de

Runs `attend bench train` and the scripts of bench/peers alternately, and prints a table in Markdown. Machines are shared and drift:
the ratio of each pair is taken within minutes, and the median of the ratios is what counts."""
import argparse, json, os, statistics, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
translators = {"128": (128, 256, 4, 4), "256": (256, 1024, 4, 3), "512": (512, 2048, 8, 6)}  # width, ffn, heads, layers
language_models = {"gpt2-4x64": (4, 64), "gpt2-1x1024": (1, 1024)}  # batch, length

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--attend", default=os.path.join(here, "../build/release/attend"))
p.add_argument("--source", help="source text of the translators"), p.add_argument("--target")
p.add_argument("--spm", help="joint SentencePiece model of 8000 pieces; made from the text when not given")
p.add_argument("--cases", default="128,256,512,gpt2-4x64,gpt2-1x1024")
p.add_argument("--pairs", type=int, default=5), p.add_argument("--steps", type=int, default=12)
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()


def make_spm():
    import sentencepiece
    prefix = os.path.join(tempfile.mkdtemp(), "joint")
    sentencepiece.SentencePieceTrainer.train(input=[a.source, a.target], model_prefix=prefix, vocab_size=8000, character_coverage=1.0,
                                             pad_id=0, unk_id=1, bos_id=2, eos_id=3, minloglevel=2)
    return prefix + ".model"


def commands(case):
    """The two commands of a case, and what each line of JSON says of tokens a second."""
    threads, steps = str(a.threads), str(a.steps)
    if case in translators:
        shape = [f"--{n}={v}" for n, v in zip(("width", "ffn", "heads", "layers"), translators[case])]
        text = ["--source", a.source, "--target", a.target] + shape + ["--batch-tokens", "4096", "--steps", steps, "--threads", threads]
        return ([a.attend, "bench", "train", "--json", "--sentencepiece", a.spm] + text,
                [sys.executable, here + "/peers/train_torch.py", "--spm", a.spm] + text)
    batch, length = language_models[case]
    return ([a.attend, "bench", "train", "--json", "--task", "language-model", "--width", "768", "--ffn", "3072", "--heads", "12", "--layers", "12",
             "--length", str(length), "--batch-tokens", str(batch * length), "--dropout", "0", "--smoothing", "0", "--steps", steps,
             "--threads", threads],
            [sys.executable, here + "/peers/gpt2_torch.py", "--batch", str(batch), "--length", str(length), "--steps", steps, "--generate",
             "1", "--threads", threads])


def run(command):
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
    return json.loads(lines[-1])


def rate(case, answer):
    """Tokens a second; of a language model from the median step, since its peer prints that."""
    if case in translators:
        return answer["target_tokens_per_s"]
    batch, length = language_models[case]
    return batch * length / answer["ms_per_step"] * 1e3


if not a.spm and any(c in translators for c in a.cases.split(",")):
    a.spm = make_spm()
print("| case | attend, tokens/s | PyTorch, tokens/s | ratio, median (lowest-highest) | attend, MB | PyTorch, MB |")
print("|---|---|---|---|---|---|", flush=True)
for case in a.cases.split(","):
    ours, theirs, ratios = [], [], []
    for _ in range(a.pairs):
        pair = [run(c) for c in commands(case)]
        ours.append(rate(case, pair[0])), theirs.append(rate(case, pair[1])), ratios.append(ours[-1] / theirs[-1])
    print(f"| {case} | {statistics.median(ours):.0f} | {statistics.median(theirs):.0f} | {statistics.median(ratios):.2f} "
          f"({min(ratios):.2f}-{max(ratios):.2f}) | {pair[0]['peak_mb']} | {pair[1]['peak_mb']} |", flush=True)
