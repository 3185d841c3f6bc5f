"""Speed and memory of training against PyTorch: the programs in turn on one machine, medians and ratios, as tables in Markdown.

    python3 -m venv peers && peers/bin/pip install torch transformers sentencepiece
    peers/bin/python bench/compare.py --source train.en --target train.de --precision bf16

Runs `attend bench train` and the scripts of bench/peers alternately. Machines are shared and drift: the ratio of each turn is taken
within minutes, and the median of the ratios is what counts. Both warm up for three steps before they time any.

Translators (128, 256, 512: the width): the same batches of the same text on both sides, in each turn other ones; Adam; tokens are target
tokens over all timed steps. Language models (gpt2-BATCHxLENGTH, 124M): random tokens on both sides, the median step; attend runs
Adam, the peer AdamW with its default decay of weights, which is one multiplication a weight more. 512-recompute is attend alone,
and so are threads and length, which run threads.py for the shapes of the three translators, and length.sh.
--onednn takes an attend that was built with -DATTEND_BENCH_ONEDNN=ON, and sets a step beside its matrix products by dnnl_sgemm.
"""
import argparse, json, os, subprocess, sys, tempfile
from statistics import median

here = os.path.dirname(os.path.abspath(__file__))
data = os.path.join(os.environ.get("ATTEND_DATA", os.path.join(here, "../../shared/data")), "multi30k")
translators = {"128": (128, 256, 4, 4), "256": (256, 1024, 4, 3), "512": (512, 2048, 8, 6)}  # width, ffn, heads, layers
language_models = {"gpt2-4x64": (4, 64), "gpt2-1x1024": (1, 1024)}  # batch, length
turns = {"128": (7, 12), "256": (5, 8), "512": (5, 3), "512-recompute": (5, 3), "gpt2-4x64": (5, 9), "gpt2-1x1024": (3, 4)}  # pairs, steps

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--attend", default=os.path.join(here, "../build/release/attend"))
p.add_argument("--source", default=os.path.join(data, "train.en"), help="source text of the translators; default: Multi30k's")
p.add_argument("--target", default=os.path.join(data, "train.de"))
p.add_argument("--spm", help="joint SentencePiece model of 8000 pieces; made from the text when not given")
p.add_argument("--cases", default=",".join([*turns, "threads", "length"]), help="default: %(default)s")
p.add_argument("--pairs", type=int, help="turns of a case; default: 3 to 7, by its length")
p.add_argument("--steps", type=int, help="timed steps of a run; default: 3 to 12, by the case")
p.add_argument("--precision", choices=["bf16", "bf16-emulated"], help="add attend in bfloat16 to each turn")
p.add_argument("--onednn", metavar="BIN", help="add `bench products` of this attend, see above")
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()
cases = a.cases.split(",")
if not set(cases) <= set(p.get_default("cases").split(",")):
    p.error(f"--cases {a.cases}: they are {p.get_default('cases')}")


def make_spm():
    import sentencepiece
    prefix = os.path.join(tempfile.mkdtemp(), "joint")
    sentencepiece.SentencePieceTrainer.train(input=[a.source, a.target], model_prefix=prefix, vocab_size=8000, character_coverage=1.0,
                                             pad_id=0, unk_id=1, bos_id=2, eos_id=3, minloglevel=2)
    return prefix + ".model"


def sizes(case):
    return [f"--{n}={v}" for n, v in zip(("width", "ffn", "heads", "layers"), translators[case])]


def commands(case):
    """attend's command and the peer's."""
    common = ["--steps", str(a.steps or turns[case][1]), "--threads", str(a.threads)]
    attend = [a.attend, "bench", "train", "--json"]
    if case in language_models:
        batch, length = language_models[case]
        ours = ["--task", "language-model", "--preset", "gpt2", "--length", str(length), "--batch-tokens", str(batch * length),
                "--dropout", "0", "--smoothing", "0"]
        theirs = ["--batch", str(batch), "--length", str(length), "--generate", "1"]
        return attend + ours + common, [sys.executable, here + "/peers/gpt2_torch.py"] + theirs + common
    common += ["--source", a.source, "--target", a.target, "--batch-tokens", "4096"] + sizes(case.split("-")[0])
    return attend + ["--sentencepiece", a.spm] + common, [sys.executable, here + "/peers/train_torch.py", "--spm", a.spm] + common


def run(command, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise SystemExit(" ".join(command) + "\n" + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure(case, variants):
    """Runs the commands in turn: for each of them a list of (tokens a second, MB)."""
    lists = [[] for _ in variants]
    batch, length = language_models.get(case, (0, 0))
    for turn in range(a.pairs or turns[case][0]):
        other = [] if batch else ["--skip", str(turn * (a.steps or turns[case][1]))]
        for command, results in zip(variants, lists):
            answer = run(command + other)
            rate = batch * length / answer["ms_per_step"] * 1e3 if batch else answer["target_tokens_per_s"]
            results.append((rate, answer["peak_mb"]))
    return lists


def column(results, i):
    return f"{median(r[i] for r in results):,.0f}"


def ratio(over, under):
    """Of each turn: median (lowest-highest)."""
    of = [x[0] / y[0] for x, y in zip(over, under)]
    return f"{median(of):.2f} ({min(of):.2f}-{max(of):.2f})"


def row(*cells):
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def table(title, *names):
    print(f"\n{title}\n")
    row(*names), row(*["---"] * len(names))


def against_peer():
    """Both programs; returns the rows of bfloat16 and the peer's memory at width 512, where they were measured."""
    halves, memory = [], "not run"
    compared = [c for c in cases if c in translators or c in language_models]
    if compared:
        table(f"attend and PyTorch, {a.threads} threads", "case", "turns x steps", "attend, tokens/s", "PyTorch, tokens/s",
              "ratio, median (lowest-highest)", "attend, MB", "PyTorch, MB")
    for case in compared:
        ours, theirs = commands(case)
        full, peer, *half = measure(case, [ours, theirs] + ([ours + ["--precision", a.precision]] if a.precision else []))
        row(case, f"{len(full)} x {a.steps or turns[case][1]}", column(full, 0), column(peer, 0), ratio(full, peer), column(full, 1),
            column(peer, 1))
        halves += [(case, column(full, 0), column(h, 0), ratio(h, full), ratio(h, peer), column(h, 1)) for h in half]
        memory = column(peer, 1) if case == "512" else memory
    return halves, memory


def recompute(peer_memory):
    table("attend alone, width 512, with and without --recompute", "", "tokens/s", "time, median (lowest-highest)", "MB", "memory")
    command = commands("512-recompute")[0]
    kept, again = measure("512-recompute", [command, command + ["--recompute"]])
    row("activations kept", column(kept, 0), "1", column(kept, 1), "1")
    share = median(r[1] for r in again) / median(r[1] for r in kept)
    row("--recompute", column(again, 0), ratio(kept, again), column(again, 1), f"{share:.2f}")
    row("PyTorch (above)", "", "", peer_memory, "")


def against_products():
    table("A step beside its matrix products alone, by oneDNN's dnnl_sgemm", "width", "threads", "step, ms", "attend's products, ms",
          "dnnl_sgemm, ms", "step / dnnl_sgemm")
    for width, steps in (("128", 7), ("512", 3)):
        command = [a.onednn, "bench", "products", "--json", "--threads", str(a.threads), "--steps", str(a.steps or steps)]
        for r in run(command + sizes(width), OMP_WAIT_POLICY="passive")["results"]:  # else its idle threads spin into the next step
            if "peer_ratio" not in r:
                raise SystemExit(a.onednn + ": has no oneDNN to compare with; configure it with -DATTEND_BENCH_ONEDNN=ON")
            row(width, r["threads"], f"{r['step_ms']:.0f}", f"{r['products_ms']:.0f}", f"{r['peer_products_ms']:.0f}",
                f"{r['peer_ratio']:.2f}")


def threads():
    print(f"\n{a.threads} threads over one, attend alone\n", flush=True)
    for preset, few in (("tiny", []), ("small", []), ("base", ["--rounds", "3", "--steps", "2"])):
        subprocess.run([sys.executable, here + "/threads.py", "--attend", a.attend, "--preset", preset, "--threads",
                        str(a.threads)] + few, check=True)


def length():
    print("\nTime and memory over the length of sequences, attend alone\n", flush=True)
    subprocess.run(["sh", here + "/length.sh", a.attend], check=True)


if not a.spm and any(c.split("-")[0] in translators for c in cases):
    a.spm = make_spm()
halves, memory = against_peer()
if halves:
    table(f"attend in {a.precision}, in the same turns", "case", "float32, tokens/s", f"{a.precision}, tokens/s", "over float32",
          "over PyTorch's float32", f"{a.precision}, MB")
    for cells in halves:
        row(*cells)
if "512-recompute" in cases:
    recompute(memory)
if a.onednn:
    against_products()
if "threads" in cases:
    threads()
if "length" in cases:
    length()
