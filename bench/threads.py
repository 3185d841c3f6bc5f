"""Gain of several threads over one: of a training step, against the gain of a test of multiply-adds in the same minutes.

    python3 bench/threads.py --attend build/release/attend --preset base --threads 2

Runs `attend bench peak`, the step with one thread and the step with several in turn, and prints the median gain of each and their
ratio. A gain under the number of threads that the multiply-adds show too is the machine's, not the program's."""
import argparse, json, os, statistics, subprocess

here = os.path.dirname(os.path.abspath(__file__))
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--attend", default=os.path.join(here, "../build/release/attend"))
p.add_argument("--preset", default="small"), p.add_argument("--threads", type=int, default=2)
p.add_argument("--rounds", type=int, default=5), p.add_argument("--steps", type=int, default=6)
p.add_argument("work", nargs="*", help="further options of attend bench step, after --")
a = p.parse_args()


def run(*words):
    return json.loads(subprocess.run([a.attend, "bench", *words, "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout)


def step_ms(threads):
    return run("step", "--preset", a.preset, "--steps", str(a.steps), "--threads", str(threads), *a.work)["ms_per_step"]


fma, memory, step = [], [], []
for _ in range(a.rounds):
    peak = run("peak", "--threads", str(a.threads))
    fma.append(peak["fma_gain"]), memory.append(peak["memory_gain"])
    step.append(step_ms(1) / step_ms(a.threads))
median = statistics.median
print(f"{a.preset}, {a.threads} threads over one, medians of {a.rounds} rounds: step {median(step):.3f} "
      f"({min(step):.3f}-{max(step):.3f}), multiply-adds {median(fma):.3f} ({min(fma):.3f}-{max(fma):.3f}), "
      f"memory {median(memory):.3f}; step / multiply-adds {median(step) / median(fma):.1%}")
