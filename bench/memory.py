#!/usr/bin/env python3
"""Memory as attend predicts it (train --dry-run) beside what a run takes (ru_maxrss), as a Markdown table.

    python3 bench/memory.py
    python3 bench/memory.py --attend build/attend --source train.en --target train.de --valid-source val.en --valid-target val.de

Without options: build/release/attend, and Multi30k and Tiny Shakespeare in the folder ATTEND_DATA (../shared/data beside this project's).
Each run makes a few updates and a validation. Both are processes of their own. The case in bfloat16 needs a processor that multiplies it.
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("ATTEND_DATA", os.path.normpath(os.path.join(HERE, "../../shared/data")))
PAIRS = {"source": "multi30k/train.en", "target": "multi30k/train.de", "valid-source": "multi30k/val.en", "valid-target": "multi30k/val.de"}
STREAM = {"text": "tinyshakespeare/train.txt", "valid-text": "tinyshakespeare/val.txt"}
LANGUAGE_MODEL = "256, language model"
SHAPES = {
    "128": "--width 128 --ffn 256 --heads 4 --encoder-layers 4 --decoder-layers 4",
    "256": "--width 256 --ffn 1024 --heads 4 --encoder-layers 3 --decoder-layers 3 --norm pre",
    "512": "--width 512 --ffn 2048 --heads 8 --encoder-layers 6 --decoder-layers 6",
    LANGUAGE_MODEL: "--task language-model --width 256 --heads 4 --layers 4 --context 256",
}
CASES = [
    ("128", ""),
    ("128", "--threads 1 --valid-sentences 100"),
    ("128", "--ema 0.999 --recompute --batch-tokens 16384"),
    ("128", "--activation gelu --threads 1 --accumulate 2 --best-metric bleu --valid-beam 4"),
    ("256", ""),
    ("256", "--recompute --threads 1"),
    ("256", "--activation swiglu --dropout-ffn 0.1 --optimizer sgd --batch-measure packed"),
    ("256", "--memory 450M --average 2 --keep 2 --validate-every 2"),
    ("512", "--batch-tokens 2048"),
    ("512", "--recompute --ema 0.999"),
    ("512", "--precision bf16 --batch-tokens 2048"),
    (LANGUAGE_MODEL, "--subword char --batch-tokens 8192"),
    (LANGUAGE_MODEL, "--subword bpe --vocab-size 16000 --recompute"),
]


def peak(command):
    """Standard output and the largest resident size in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = process.stdout.read()
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(" ".join(command) + "\n" + err)
    return out, usage.ru_maxrss * 1024


def multiplies_bf16(attend):
    """Whether precision bf16 is refused can be asked of the smallest step."""
    step = [attend, "bench", "step", "--precision", "bf16", "--width", "16", "--ffn", "16", "--heads", "2", "--layers", "1",
            "--batch-tokens", "64", "--vocab", "50", "--steps", "1"]
    return subprocess.run(step, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--attend", default=os.path.join(HERE, "../build/release/attend"))
    for name, path in {**PAIRS, **STREAM}.items():
        p.add_argument("--" + name, default=os.path.join(DATA, path))
    p.add_argument("--steps", default="4")
    p.add_argument("--cases", help="numbers of cases, from 0, joined by commas")
    a = p.parse_args()
    texts = lambda names: [word for name in names for word in ("--" + name, getattr(a, name.replace("-", "_")))]
    print("| width | options | predicted MB | measured MB | error |\n|---|---|---|---|---|")
    folder = tempfile.mkdtemp()
    for i, (width, options) in enumerate(CASES):
        if a.cases and str(i) not in a.cases.split(","):
            continue
        if "--precision bf16" in options and not multiplies_bf16(a.attend):
            print(f"| {width} | `{options}` | this processor doesn't multiply bfloat16 | | |")
            continue
        command = [a.attend, "train", "-o", os.path.join(folder, str(i)), "--steps", a.steps]
        command += texts(STREAM if width == LANGUAGE_MODEL else PAIRS)
        command += (SHAPES[width] + " " + options).split()
        plan, _ = peak(command + ["--dry-run", "--json"])
        _, measured = peak(command)
        predicted = json.loads(plan)["peak_bytes"]
        shown = f"`{options}` " if options else ""
        print(f"| {width} | {shown}| {predicted / 1e6:.0f} | {measured / 1e6:.0f} | "
              f"{(predicted - measured) / 1e6:+.0f} MB, {100 * (predicted / measured - 1):+.1f} % |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
