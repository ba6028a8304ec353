#!/usr/bin/env python3
"""How the cost of our training step, and its memory, grow with seeds S, steps T, sequences B and cells H.

One of the four sizes is varied, the others are the experiment's headline's; T, B and H for one seed and for thirty.
Each size is measured in a process of its own, on one core: the median time of a step (batch included) of a second of
steps, at least three, and the most memory that the process ever held.

    python3 benchmarks/scaling.py            some ten minutes
    python3 benchmarks/scaling.py --quick    few sizes, small ones; writes runs/benchmarks/

Writes scaling.json into --out (default: results/benchmarks); python3 visualize/benchmarks.py draws it.
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
LARGE = {"T": 200, "B": 32, "S": 30, "H": 16}  # from here on, the exponent is fitted


def measure(name, S, sizes, seconds):
    """Of one network in this process: milliseconds of a step, and the megabytes that the process held at most."""
    ours = Ours(replace(CASES[name], **sizes), S)
    steps, times = ours.module.CHUNK, []
    ours.batch(0)
    drawing = time.perf_counter()
    ours.case.draw(ours.options, 1)
    drawing = (time.perf_counter() - drawing) / steps  # of one batch
    ours.step_on(*ours.batch(0))
    ended = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < ended:
        x, y = ours.batch(len(times) % steps)  # of the chunk that is there: what drawing takes is added
        started = time.perf_counter()
        ours.step_on(x, y)
        times.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"ms": (statistics.median(times) + drawing) * 1e3, "megabytes": peak}


def exponent(points, axis):
    """The slope of log time over log size, fitted to the sizes from LARGE on."""
    large = [(point[axis], point["ms"]) for point in points if point[axis] >= LARGE[axis]]
    return float(np.polyfit(*np.log(np.array(large)).T, 1)[0]) if len(large) > 1 else None


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few sizes, small ones")
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring each size (default: %(default)s)")
    parser.add_argument("--out", help="(default: results/benchmarks)")
    parser.add_argument("--point", help=argparse.SUPPRESS)  # one size, as this script asks itself for it
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
