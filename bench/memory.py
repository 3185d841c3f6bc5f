#!/usr/bin/env python3
"""Memory as attend predicts it (train --dry-run) beside what a run takes (ru_maxrss), as a Markdown table.

    python3 bench/memory.py --attend build/attend --source train.en --target train.de --valid-source val.en --valid-target val.de

Each run makes a few updates and a validation. Both are processes of their own.
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile

SHAPES = {
    "128": "--width 128 --ffn 256 --heads 4 --encoder-layers 4 --decoder-layers 4",
    "256": "--width 256 --ffn 1024 --heads 4 --encoder-layers 3 --decoder-layers 3 --norm pre",
    "512": "--width 512 --ffn 2048 --heads 8 --encoder-layers 6 --decoder-layers 6",
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


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--attend", default="attend")
    for name in ("source", "target", "valid-source", "valid-target"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--steps", default="4")
    p.add_argument("--cases", help="numbers of cases, from 0, joined by commas")
    a = p.parse_args()
    text = [w for name in ("source", "target", "valid_source", "valid_target")
            for w in ("--" + name.replace("_", "-"), getattr(a, name))]
    print("| width | options | predicted MB | measured MB | error |\n|---|---|---|---|---|")
    folder = tempfile.mkdtemp()
    for i, (width, options) in enumerate(CASES):
        if a.cases and str(i) not in a.cases.split(","):
            continue
        command = [a.attend, "train", "-o", os.path.join(folder, str(i)), "--steps", a.steps] + text
        command += (SHAPES[width] + " " + options).split()
        plan, _ = peak(command + ["--dry-run", "--json"])
        _, measured = peak(command)
        predicted = json.loads(plan)["peak_bytes"]
        print(f"| {width} | {options} | {predicted / 1e6:.0f} | {measured / 1e6:.0f} | "
              f"{(predicted - measured) / 1e6:+.0f} MB, {100 * (predicted / measured - 1):+.1f} % |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
