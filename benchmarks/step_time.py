#!/usr/bin/env python3
"""The time of one training step, for ours and for the peers: batch, forward, backward, clipping, Adam.

Each network has the sizes of its experiment's headline. For each number of seeds, all contestants (contestants.py) run
in turn in one process, on one core. In every round each contestant makes as many steps as the experiment draws batches
at a time, so the time of drawing is counted in full. The results are the least, the median and the largest time of a
step over the rounds, and the ratio ours / theirs of the medians. Imports and compilation are measured separately.

Then forward and backward only are compared with a fused loop in C (limit.c). For ours, the benchmark also counts NumPy
calls (universal functions, matmul and copyto), the bytes that they read and write, the multiplications of the matrix
products, and tanh.

    python3 benchmarks/step_time.py                 all installed contestants; about ten minutes
    python3 benchmarks/step_time.py --quick         the first network, one and two seeds; writes runs/benchmarks/

Results go to step_time.json in --out (default: results/benchmarks). The exit status is 1 if a contestant computes
something else.
"""

import argparse
import gc
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from contestants import CASES, Ours, OursWithoutUpdate, available, compiler_works, disagreement, environment, np, pin

TOLERANCE = 1e-4  # largest disagreement, in float32


def rounds(field, n, steps):
    """Times of a step in each of n rounds, in ms: {name: [...]}. field: {name: contestant}. They run in turn."""
    times, names = {name: [] for name in field}, list(field)
    for k in range(n):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            gc.collect()
            gc.disable()
            started = time.perf_counter()
            for _ in range(steps):
                field[name].step()
            field[name].finish()
            times[name].append((time.perf_counter() - started) / steps * 1e3)
            gc.enable()
    return times


def enter(kind, case, S):
    """A contestant after its first step, the seconds of this step, and its disagreement with ours."""
    error = disagreement(kind(case, S))
    contestant = kind(case, S)
    started = time.perf_counter()
    contestant.step()
    contestant.finish()
    first_s = time.perf_counter() - started
    for _ in range(2):
        contestant.step()
    contestant.finish()
    return contestant, first_s, error


def summary(times, S):
    return {"min_ms": min(times), "median_ms": statistics.median(times), "max_ms": max(times),
            "median_ms_per_seed": statistics.median(times) / S}  # fmt: skip


def compare(case, S, kinds, n):
    """The results of each contestant on a case: {name: {...}}. Ratios are ours / theirs, of medians."""
    entered = {kind.name: enter(kind, case, S) for kind in kinds if kind.fits(case.cell)}
    times = rounds({name: contestant for name, (contestant, _, _) in entered.items()}, n, case.module.CHUNK)
    found = {}
    for name, (contestant, first_s, error) in entered.items():
        mine = Ours.name if contestant.whole_step else OursWithoutUpdate.name
        ratio = statistics.median(times[mine]) / statistics.median(times[name])
        same = contestant.cell == case.cell
        found[name] = summary(times[name], S) | {"ours_by_theirs": ratio, "first_step_s": first_s}
        found[name] |= {"disagreement": error, "same_network": same}
        print(f"  {name:28} {found[name]['median_ms_per_seed']:9.3f} ms a seed   ours/theirs {ratio:6.2f}   "
              f"first step {first_s:5.2f} s   disagreement {error:.0e}", flush=True)  # fmt: skip
    return found


# --------------------------------------------------------------------------------------------------- by count


class Counting:
    """Replaces numpy in a script and counts calls, bytes, multiplications and tanh."""

    def __init__(self):
        self.counts = {"calls": 0, "bytes": 0, "multiplications": 0, "tanh": 0}

    def __getattr__(self, name):
        value = getattr(np, name)
        return partial(self.call, name, value) if isinstance(value, np.ufunc) or name == "copyto" else value

    def call(self, name, function, *arguments, **named):
        result = function(*arguments, **named)
        arrays = [a for a in (*arguments, named.get("out")) if isinstance(a, np.ndarray)]
        if result is not None and not any(result is a for a in arrays):
            arrays.append(result)
        self.counts["calls"] += 1
        self.counts["bytes"] += sum(a.nbytes for a in arrays)
        if name == "matmul":
            self.counts["multiplications"] += result.size * arguments[0].shape[-1]
        if name == "tanh":
            self.counts["tanh"] += result.size
        return result


def count(case, S):
    """The counts of forward and backward of one step: {what: number}."""
    ours = OursWithoutUpdate(case, S)
    ours.step()
    counting, module = Counting(), ours.module
    module.np = counting
    try:
        ours.step()
    finally:
        module.np = np
    return counting.counts


def cost_of_a_call(n=10000, repeats=9):
    """Microseconds of a NumPy call on two numbers. (A call on one number takes longer.)"""
    a, times = np.ones(2, np.float32), []
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(n):
            np.multiply(a, a, a)
        times.append((time.perf_counter() - started) / n * 1e6)
    return statistics.median(times)


# -------------------------------------------------------------------------------------------------------- CLI


def import_s(package, n=3):
    """Seconds from the start of Python to the end of the import of a package; the median of n."""
    times = []
    for _ in range(n):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {package}"], check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds-at-once", default="1,10,30", metavar="S,...", help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="(default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="the first network, one and two seeds, two rounds")
    parser.add_argument("--out", help="(default: results/benchmarks)")
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds_at_once, options.rounds = "1,2", 2
    out = Path(options.out or ("runs/benchmarks" if options.quick else "results/benchmarks"))
    try:
        all_S = [int(S) for S in options.seeds_at_once.split(",")]
        assert min(all_S) > 0 and options.rounds > 0
    except (ValueError, AssertionError):
        parser.error("numbers of seeds and of rounds must be positive integers")
    out.mkdir(parents=True, exist_ok=True)

    pin()
    kinds, missing = available()
    for package in missing:
        print(f"{package} is not installed: left out (pip install -r benchmarks/requirements.txt)")
    if not compiler_works():
        print("no gcc with libmvec here: the limit in C is left out")
    packages = ["numpy", *sorted({kind.needs for kind in kinds if kind.needs})]
    scripts = CASES["temporal order, LSTM"].module
    results = {
        "schema": 1,
        "benchmark": "step_time",
        "environment": environment(),
        "config": {"seeds_at_once": all_S, "rounds": options.rounds, "contestants": [kind.name for kind in kinds]},
        "import_s": {package: import_s(package) for package in packages},
        "cases": {},
    }  # fmt: skip
    worst = 0.0
    with np.errstate(all="ignore"):
        results["cost_of_a_call_us"] = cost_of_a_call()
        for name, case in list(CASES.items())[: 1 if options.quick else None]:
            sizes = {"T": case.T, "B": case.B, "D": case.D, "H": case.H, "P": case.cell.P}
            results["cases"][name] = {"sizes": sizes, "seeds": {}, "counts": {}}
            for S in all_S:
                print(f"{name}, {S} {'seed' if S == 1 else 'seeds'}:", flush=True)
                found = results["cases"][name]["seeds"][str(S)] = compare(case, S, kinds, options.rounds)
                worst = max(worst, *(one["disagreement"] for one in found.values()))
                if S > 1:
                    results["cases"][name]["counts"][str(S)] = count(case, S)
    results["largest_disagreement"] = worst
    scripts.write_whole(out / "step_time.json", lambda file: file.write(f"{scripts.to_json(results)}\n".encode()))
    print(f"\nwrote {out / 'step_time.json'}")
    if not worst <= TOLERANCE:
        print(
            f"a contestant computes something else: disagreement {worst:.1e}, at most {TOLERANCE:.0e}", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
