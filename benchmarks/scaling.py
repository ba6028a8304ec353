#!/usr/bin/env python3
"""The time and the memory of our training step for different numbers of seeds S, steps T, sequences B, cells H.

One of the four sizes varies; the others are those of the headline. T, B and H vary for one seed and for thirty. Each
size is measured in a separate process, on one core: the median time of a step with its batch, over at least one second
and three steps, and the peak memory of the process.

    python3 benchmarks/scaling.py            about ten minutes
    python3 benchmarks/scaling.py --quick    a few small sizes; writes runs/benchmarks/

Results go to scaling.json in --out (default: results/benchmarks); python3 visualize/benchmarks.py draws them.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from contestants import CASES, Ours, environment, np, pin

NETWORKS = ("temporal order, LSTM", "multiplication", "timing, peephole")
SIZES = {
    "S": (1, 2, 3, 5, 10, 20, 30, 50, 100),
    "T": (30, 50, 100, 200, 500, 1000),
    "B": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "H": (1, 2, 4, 8, 16, 32, 64),
}
QUICK = {"S": (1, 3), "T": (30, 60), "B": (8, 16), "H": (2, 4)}
LARGE = {"T": 200, "B": 32, "S": 30, "H": 16}  # the exponent is fitted to sizes from this one up


def measure(name, S, sizes, seconds):
    """For one network: milliseconds of a step, and the peak memory of this process in megabytes."""
    ours = Ours(replace(CASES[name], **sizes), S)
    steps, times = ours.module.CHUNK, []
    ours.batch(0)
    drawing = time.perf_counter()
    ours.case.draw(ours.options, 1)
    drawing = (time.perf_counter() - drawing) / steps  # time per batch
    ours.step_on(*ours.batch(0))
    ended = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < ended:
        x, y = ours.batch(len(times) % steps)  # batches of one chunk; the time of drawing is added below
        started = time.perf_counter()
        ours.step_on(x, y)
        times.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"ms": (statistics.median(times) + drawing) * 1e3, "megabytes": peak}


def exponent(points, axis):
    """The slope of log time against log size, fitted to sizes of at least LARGE."""
    large = [(point[axis], point["ms"]) for point in points if point[axis] >= LARGE[axis]]
    return float(np.polyfit(*np.log(np.array(large)).T, 1)[0]) if len(large) > 1 else None


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few small sizes")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each size (default: %(default)s)")
    parser.add_argument("--out", help="(default: results/benchmarks)")
    parser.add_argument("--point", help=argparse.SUPPRESS)  # one size; this script calls itself with it
    options = parser.parse_args(argv)
    pin()
    if options.point:
        with np.errstate(all="ignore"):
            print(json.dumps(measure(**json.loads(options.point))))
        return 0
    out = Path(options.out or ("runs/benchmarks" if options.quick else "results/benchmarks"))
    out.mkdir(parents=True, exist_ok=True)
    scripts = CASES[NETWORKS[0]].module
    results = {"schema": 1, "benchmark": "scaling", "environment": environment(), "networks": {}}
    for name in NETWORKS[: 1 if options.quick else None]:
        case, curves = CASES[name], []
        for axis, values in (QUICK if options.quick else SIZES).items():
            for S in [None] if axis == "S" else [1, 3 if options.quick else 30]:
                points = []
                for value in values:
                    sizes = {"T": case.T, "B": case.B, "H": case.H} | ({} if axis == "S" else {axis: value})
                    wanted = {"name": name, "S": S or value, "sizes": sizes, "seconds": 0.05 if options.quick else
                              options.seconds}  # fmt: skip
                    done = subprocess.run([sys.executable, __file__, "--point", json.dumps(wanted)], check=True,
                                          capture_output=True, text=True)  # fmt: skip
                    points.append(sizes | {"S": S or value} | json.loads(done.stdout))
                curves.append({"axis": axis, "S": S, "exponent": exponent(points, axis), "points": points})
                print(f"{name}, {axis} from {values[0]} to {values[-1]}{f', {S} seeds' if S else ''}: " + "  ".join(
                    f"{point['ms']:.3g} ms {point['megabytes']:.0f} MB" for point in points), flush=True)  # fmt: skip
        results["networks"][name] = {"headline": {"T": case.T, "B": case.B, "H": case.H}, "curves": curves}
    scripts.write_whole(out / "scaling.json", lambda file: file.write(f"{scripts.to_json(results)}\n".encode()))
    print(f"\nwrote {out / 'scaling.json'}; to draw it:\npython3 visualize/benchmarks.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
