#!/usr/bin/env python3
"""Time from the shell to the end of a headline, with our training step and with the steps of the peers.

    python3 benchmarks/headline.py                  every experiment, with all installed peers: about an hour
    python3 benchmarks/headline.py SCRIPT           one experiment; headline.json keeps the results of the others
    python3 benchmarks/headline.py --by JAX temporal_order_3bit --out DIR     one run with the steps of a contestant

The first form starts and times runs of the third form, one after another, on one core. The script runs with its own
data, evaluation, snapshots and files. Only its training step (forward, backward, clipping, Adam) is replaced by the
step of the contestant (contestants.py). The first step is compared with the script's own step. The peers do not report
the training loss: their update returns zeros. "PyTorch" is nn.LSTM or nn.RNN if PyTorch has the network, and the cell
by hand if not. The steps for lstm_1997.py are in contestants_1997.py. Times are medians of three runs. A run of more
than LONG seconds is made once, and is stopped after LIMIT seconds. Results go to headline.json in --out (default:
results/benchmarks).
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import contestants_1997
from contestants import Case, Jax, TorchByHand, TorchFused, available, environment, importlib, np, pin

EXPERIMENTS = ("temporal_order_3bit", "multiplication_problem", "timing_counting_spikes", "information_latching",
               "lstm_1997")  # fmt: skip
TOLERANCE = 0.01  # largest error of a peer's first step; Adam enlarges rounding errors of small gradients
LONG = 150  # seconds; a longer run is made only once
LIMIT = 600  # seconds; a longer run is stopped


def torch_kind(cell):
    """PyTorch's own network if it has one for the cell, otherwise the cell by hand."""
    latching = hasattr(cell, "T")  # hard gates, and thirty seeds together
    return TorchByHand if latching or TorchFused.nearest(cell) != cell else TorchFused


def replace_update(module, kind_of):
    """Make a module train with the steps of a contestant. kind_of: the kind of contestant for a cell."""
    own, training = module.update, {}

    def own_step(net, state, x, y, options, alive):
        """The parameters after the script's own step. The state does not change."""
        kept = {name: value.copy() for name, value in vars(state).items() if isinstance(value, np.ndarray)}
        step = state.step
        own(net, state, x, y, options, alive.copy())
        led_to, state.step = state.theta.copy(), step
        for name, value in kept.items():
            getattr(state, name)[...] = value
        return led_to

    def update(net, state, x, y, options, alive):
        wanted = None
        if id(state) not in training:
            training.clear()
            before, wanted = state.theta.copy(), own_step(net, state, x, y, options, alive)
            T = getattr(options, "T_max", None) or len(x)
            case = Case(module.EXPERIMENT, T=T, B=x.shape[-1], H=net.cell.hidden)
            training[id(state)] = kind_of(net.cell)(case, len(options.seeds), net.cell, options=options, state=state)
        contestant = training[id(state)]
        contestant.step_on(x, y)
        if wanted is not None:
            error = np.linalg.norm(contestant.theta() - wanted) / np.linalg.norm(wanted - before)
            if not error <= TOLERANCE:
                raise SystemExit(f"{contestant.name} computes something else: a step is off by {error:.1e}")
        state.step += 1
        contestant.steps = state.step
        every = math.gcd(options.eval_every, max(1, options.snapshot_every // 5))
        if state.step % every == 0 or state.step == options.steps:  # the script may read theta
            state.theta[...] = contestant.theta()
        return np.zeros(len(state.theta))

    module.update = update


def run_by(name, script, arguments):
    """Run a script's main with the training steps of the contestant called name."""
    module = importlib.import_module(script)
    if script == "lstm_1997":
        contestants_1997.replace_update(module, contestants_1997.PEERS[name])
        return module.main(arguments)
    replace_update(module, {"JAX": lambda cell: Jax, "PyTorch": torch_kind}[name])
    return module.main(arguments)


def seconds(command):
    """The duration of a command in seconds, or LIMIT if it was stopped."""
    started = time.perf_counter()
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return float(LIMIT)
    return time.perf_counter() - started


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--by", choices=["JAX", "PyTorch"], help="run SCRIPT with the training steps of this contestant"
    )
    parser.add_argument("script", nargs="?", choices=EXPERIMENTS, help="(default: all in turn)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="the --quick runs of the scripts, one round")
    parser.add_argument("--out", help="(default: results/benchmarks)")
    options, rest = parser.parse_known_args(argv)
    if options.rounds < 1:
        parser.error("--rounds must be a positive integer")
    if options.by and not (options.script and options.out):
        parser.error("--by needs a script and --out")
    pin()
    if options.by:
        return run_by(options.by, options.script, [*rest, "--out", options.out])
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    out = Path(options.out or ("runs/benchmarks" if options.quick else "results/benchmarks"))
    out.mkdir(parents=True, exist_ok=True)
    names = {"torch": "PyTorch", "jax": "JAX"}
    missing = available()[1]
    for package in missing:
        print(f"{package} is not installed: left out (pip install -r benchmarks/requirements.txt)")
    peers = [name for package, name in names.items() if package not in missing]
    root, extra = Path(__file__).resolve().parent.parent, ["--quick"] if options.quick else []
    scripts = importlib.import_module(EXPERIMENTS[0])
    results = {"schema": 1, "benchmark": "headline", "experiments": {}}
    if options.script and (out / "headline.json").exists():  # keep the results of the others
        results["experiments"] = json.loads((out / "headline.json").read_text())["experiments"]
    for script in [options.script] if options.script else EXPERIMENTS:
        times = {name: [] for name in ("ours", *peers)}
        for _ in range(1 if options.quick else options.rounds):
            for name in times:
                if times[name] and times[name][0] > LONG:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    by = [root / f"{script}.py"] if name == "ours" else [__file__, "--by", name, script]
                    times[name].append(seconds([sys.executable, *by, *extra, "--out", folder]))
        medians = {name: statistics.median(values) for name, values in times.items()}
        results["experiments"][script] = {"environment": environment(), "by": {
            name: {"seconds": times[name], "median_s": medians[name], "stopped": medians[name] >= LIMIT,
                   "ours_by_theirs": medians["ours"] / medians[name]}
            for name in times
        }}  # fmt: skip
        print(f"{script:24} " + "   ".join(f"{name} {median:6.1f} s" for name, median in medians.items()), flush=True)
        scripts.write_whole(out / "headline.json", lambda file: file.write(f"{scripts.to_json(results)}\n".encode()))
    print(f"\nwrote {out / 'headline.json'}")
    return 0


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        sys.exit(main())
