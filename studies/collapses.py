#!/usr/bin/env python3
"""Why do networks that have nearly solved the timing task fall back? They are followed at every step of their training.

python3 -m studies.collapses                      all runs; it trains (some forty minutes)
python3 -m studies.collapses none limit-1         only these ways to train; the others stay as they are

Networks with peepholes are trained on msd with the write-up's recipe at its rate of 0.005, which never falls. At this
rate collapses are frequent. The batch rate is the share of solved training sequences in the last SMOOTH batches,
computed before the update. A collapse begins at step t if the batch rate is at least HIGH at t and below HIGH at t + 1,
and it falls below LOW within WITHIN steps without reaching HIGH again. The next one begins after a step with a batch
rate of at least HIGH.

A way to train (WAYS) changes one setting and keeps the rate:

    clip        the limit on the norm of a gradient (the recipe: 1)
    beta2       Adam's decay rate of the second moment (the recipe: 0.999)
    limit       the update m / sqrt(v), before it is multiplied by the rate, is scaled to a root mean square of at most
                limit (as N. Shazeer and M. Stern do in Adafactor, 2018)
    largest     v is replaced by its largest value so far (AMSGrad: S. Reddi, S. Kale and S. Kumar, 2018)

In all runs the means of the weights over the last 100, 500 and 1,000 steps answer the held-out sequences, too.

results.json has, for each way and each set of seeds, arrays over seeds: the number of collapses, steps of the first
one, the final solve rate of the weights and of their means (solve_rate_of_means/NUMBER) on held-out sequences. For
none it has the events, too:

    steps       from the beginning of the collapse to a batch rate below LOW
    gradient    the largest norm of a gradient in the steps of BEFORE and AFTER the beginning, divided by the median of
                the QUIET steps before these
    update      the same of the norm of the update
    state       the same of the largest |c| of a batch
    rate_before, rate_after   solve rates on held-out sequences at the beginning and when the batch rate is below LOW
    share       of the squared update at its largest norm, the part of each group of weights
    near        after the collapse, the share of held-out answers that are at most NEAR steps off
    one_sign    of the wrong ones, the share on the more frequent side (early or late)
    mean_off    their mean distance from the target, in steps
    alone       the loss of solve rate if the weights of one group alone change as they do in the collapse
    back        the gain of solve rate if the weights of one group alone change back

others has seed, gradient, update and state of windows of the same length that do not meet the window of a collapse,
from the first step with a batch rate of at least HIGH.
around has percentiles over events of the values at steps around the beginning, divided as above.
"""

import argparse
import json
import sys
import time

import numpy as np

import timing_counting_spikes as lab
from studies.report import ROOT
from studies.timing_counting_spikes import steps_off

FOLDER = f"results/{lab.EXPERIMENT}/collapses"
COMMAND = "--peep --recipe writeup --schedule constant"
SEEDS = {"seeds 0-29": "0-29", "seeds 30-59": "30-59"}
WAYS = {
    "none": {},
    "clip-0.1": {"clip": 0.1},
    "beta2-0.99": {"beta2": 0.99},
    "limit-1": {"limit": 1.0},
    "largest": {"largest": True},
}
SMOOTH, HIGH, LOW, WITHIN = 10, 0.9, 0.5, 100
BEFORE, AFTER, QUIET = 20, 50, 200  # steps
AROUND = 100  # steps on each side of the beginning that are kept
KEEP_EVERY = 5  # steps between two copies of the weights
AVERAGED = (100, 500, 1000)
NEAR = 2
PERCENTILES = (10, 50, 90)


class Adam(lab.Adam):
    """Adam with a limit on the root mean square of the update, or with the largest second moments so far."""

    def __init__(self, theta, limit=np.inf, largest=False):
        super().__init__(theta)
        self.limit, self.largest = limit, np.zeros_like(theta) if largest else None
        self.moved = np.zeros_like(theta)  # the last update, divided by the rate

    def update(self, grad, lr, beta2, active, beta1=0.9, epsilon=1e-8):
        """Change theta in place. A seed whose update is not finite keeps its old parameters and becomes inactive."""
        if self.limit == np.inf and self.largest is None:
            before = self.theta.copy()
            super().update(grad, lr, beta2, active)
            self.moved = (before - self.theta) / lr
            return
        self.step += 1
        self.m += (1 - beta1) * (grad - self.m)
        self.v += (1 - beta2) * (grad * grad - self.v)
        v = self.v / (1 - beta2**self.step)
        if self.largest is not None:
            v = np.maximum(v, self.largest, out=self.largest)
        self.moved = self.m / (1 - beta1**self.step) / (np.sqrt(v) + epsilon)
        size = np.sqrt(np.square(self.moved).mean(axis=1, keepdims=True))
        self.moved *= np.minimum(1, self.limit / np.maximum(size, epsilon))
        theta = np.asarray(self.theta - lr * self.moved, self.theta.dtype)
        active &= np.isfinite(theta).all(axis=1)
        np.copyto(self.theta, theta, where=active[:, None])


def groups_of(cell):
    """The places in theta of groups of weights, large and small: {name: (P,) of bool}."""
    H, found = cell.hidden, {}
    p = lab.views(np.arange(cell.P)[None], cell.shapes)
    for k, row in enumerate((*cell.gates, "g")):
        rows = p.W[0, k * H : (k + 1) * H]
        peepholes = {f"peepholes of {row}": p.peep[0, k]} if row in cell.gates else {}
        parts = {
            f"h to {row}": rows[:, :H],
            f"input to {row}": rows[:, H:-1],
            f"bias of {row}": rows[:, -1],
        } | peepholes
        found |= {f"all of {row}": np.concatenate([part.ravel() for part in parts.values()])} | parts
    found |= {"output": np.concatenate([p.V.ravel(), p.b.ravel()])}
    return {name: np.isin(np.arange(cell.P), places) for name, places in found.items()}


def follow(options, clip=None, beta2=lab.BETA2, limit=np.inf, largest=False, keep=False):
    """Train networks and follow them. Returns values of each step (steps, S), weights, and a network to evaluate with.

    The values are solved (share of the batch), gradient, update (norms), state (largest |c|). thetas (N, S, P): copies
    of the weights before steps 0, KEEP_EVERY, ..., if keep; means: {number of the last steps: mean weights (S, P)}.
    """
    cell = lab.cell_of(options, "peephole")
    theta, S, B, steps = lab.init_theta(cell, options), len(options.seeds), options.batch, options.steps
    net, adam, alive = lab.Network(cell, theta, options.T, B), Adam(theta, limit, largest), np.ones(S, bool)
    values = {name: np.zeros((steps, S)) for name in ("solved", "gradient", "update", "state")}
    thetas, means = [], {n: np.zeros(theta.shape) for n in AVERAGED}
    for step in range(steps):
        if keep and step % KEEP_EVERY == 0:
            thetas.append(theta.copy())
        k = step % lab.CHUNK
        if k == 0:
            x, y = lab.draw_population(options, lab.training_key(options, step // lab.CHUNK), lab.CHUNK * B)
        batch = slice(k * B, (k + 1) * B)
        output = lab.forward(net, x[..., batch])
        values["solved"][step] = lab.solved(options, x[..., batch], y[..., batch], output).mean(axis=1)
        values["state"][step] = np.abs(net.c).max(axis=(0, 1, 3))
        dy = lab.squared_error(output, y[..., batch])[1]
        lab.backward(net, dy / B)
        values["gradient"][step] = lab.clip_by_norm(net.grad, clip or options.clip)
        adam.update(net.grad, lab.learning_rate(options, step), beta2, alive)
        values["update"][step] = np.sqrt(np.square(adam.moved, dtype=float).sum(axis=1))
        for n, mean in means.items():
            if step >= steps - n:
                mean += theta / n
    assert alive.all()
    return values, np.array(thetas), theta, {n: mean.astype(theta.dtype) for n, mean in means.items()}


def smooth(solved):
    """Means (steps, S) of the last SMOOTH values, fewer at the beginning."""
    total = np.concatenate([np.zeros((1, solved.shape[1])), np.cumsum(solved, axis=0)])
    first = np.maximum(np.arange(1, len(total)) - SMOOTH, 0)
    return (total[1:] - total[first]) / (np.arange(1, len(total)) - first)[:, None]


def collapses(rate):
    """The collapses of one network with batch rates (steps,): [(step of the beginning, step below LOW), ...]."""
    found, begin = [], None
    for t, value in enumerate(rate):
        if value >= HIGH:
            begin = t
        elif begin is not None and value < LOW:
            if t - begin <= WITHIN:
                found.append((begin, t))
            begin = None
    return found


def ratios(values, t):
    """gradient, update and state of one network with values {name: (steps,)} around step t, as in the docstring."""
    quiet, window = slice(t - BEFORE - QUIET, t - BEFORE), slice(t - BEFORE, t + AFTER)
    return {name: values[name][window].max() / np.median(values[name][quiet])
            for name in ("gradient", "update", "state")}  # fmt: skip


def solve_rates(options, theta):
    """Solve rates (S,) of weights on the held-out sequences of their seeds."""
    cell = lab.cell_of(options, "peephole")
    net = lab.Network(cell, theta, options.T, lab.EVAL_BATCH, backward=False)
    return lab.evaluate(net, lab.held_out(options), options)[1]


def held_out_steps_off(options, seed, thetas):
    """Steps from the targets to the answers to the held-out sequences of a seed, (N, n). thetas (N, P): weights."""
    one = argparse.Namespace(**vars(options) | {"seeds": [seed] * len(thetas)})
    net = lab.Network(lab.cell_of(options, "peephole"), thetas, options.T, lab.EVAL_BATCH, backward=False)
    return np.concatenate([steps_off(x, y, lab.forward(net, x)) for x, y in lab.held_out(one)], axis=1)


def exchanged(options, seed, before, after, groups):
    """What a collapse from weights before to after changes: {name: value}; see the docstring."""
    swapped = [np.where(places, after, before) for places in groups.values()]
    swapped += [np.where(places, before, after) for places in groups.values()]
    off = held_out_steps_off(options, seed, np.array([before, after, *swapped]))
    rate, n, wrong = (off == 0).mean(axis=1), len(groups), off[1][off[1] != 0]
    late = (wrong > 0).mean()
    return {"rate_before": rate[0], "rate_after": rate[1], "near": (np.abs(off[1]) <= NEAR).mean(),
            "one_sign": max(late, 1 - late), "mean_off": off[1].mean(),
            "alone": {name: rate[0] - rate[2 + k] for k, name in enumerate(groups)},
            "back": {name: rate[2 + n + k] - rate[1] for k, name in enumerate(groups)}}  # fmt: skip


def events_of(options, values, rate, thetas):
    """Measures of all collapses and of other windows; see the docstring."""
    groups, found, others = groups_of(lab.cell_of(options, "peephole")), [], []
    for s, seed in enumerate(options.seeds):
        of_seed, events = {name: array[:, s] for name, array in values.items()}, collapses(rate[:, s])
        for begin, below in events:
            if begin < BEFORE + QUIET or begin + AROUND >= options.steps:
                continue
            before, after = (thetas[k // KEEP_EVERY, s] for k in (begin, below))
            window = slice(begin - BEFORE, begin + AFTER)
            largest = begin - BEFORE + int(of_seed["update"][window].argmax())
            pair = thetas[largest // KEEP_EVERY, s], thetas[largest // KEEP_EVERY + 1, s]
            moved = np.square(pair[1] - pair[0], dtype=float)
            event = {"seed": seed, "begin": begin, "steps": below - begin} | ratios(of_seed, begin)
            event |= exchanged(options, seed, before, after, groups)
            event["share"] = {name: moved[places].sum() / moved.sum() for name, places in groups.items()}
            around = slice(begin - AROUND, begin + AROUND + 1)
            quiet = slice(begin - BEFORE - QUIET, begin - BEFORE)
            event["around"] = {name: of_seed[name][around] / np.median(of_seed[name][quiet])
                               for name in ("gradient", "update", "state")} | {"rate": rate[around, s]}  # fmt: skip
            found.append(event)
        first = max(int((rate[:, s] >= HIGH).argmax()) + 1, BEFORE + QUIET)
        for t in range(first, options.steps - AFTER, BEFORE + AFTER) if rate[:, s].max() >= HIGH else ():
            if all(abs(t - begin) >= BEFORE + AFTER for begin, _ in events):
                others.append({"seed": seed} | ratios(of_seed, t))
    curves = {name: np.percentile([event["around"][name] for event in found], PERCENTILES, axis=0)
              for name in (found[0]["around"] if found else ())}  # fmt: skip
    for event in found:
        del event["around"]
    return {"events": found, "others": others, "around": curves}


def train(way, seeds):
    """Train networks of seeds in a way. Returns what results.json has of them."""
    options = lab.parse_options(f"{COMMAND} --seeds {seeds}".split())[0]
    keep, started = way == "none", time.perf_counter()
    values, thetas, theta, means = follow(options, **WAYS[way], keep=keep)
    rate = smooth(values["solved"])
    found = [collapses(rate[:, s]) for s in range(len(options.seeds))]
    result = {
        "wall_clock_s": time.perf_counter() - started,
        "seeds": options.seeds,
        "collapses": [len(of) for of in found],
        "first": [of[0][0] if of else None for of in found],
        "best": rate.max(axis=0),
        "solve_rate": solve_rates(options, theta),
        "solve_rate_of_means": {n: solve_rates(options, mean) for n, mean in means.items()},
    }
    return result | (events_of(options, values, rate, thetas) if keep else {})


def main(argv=None):
    """Run the command line argv. Returns the exit status."""
    parser = argparse.ArgumentParser("studies.collapses", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("ways", nargs="*", choices=[[], *WAYS], help="only these ways to train")
    parser.add_argument("--out", default=FOLDER, metavar="DIR", help="folder for results.json")
    options = parser.parse_args(argv)
    out = ROOT / options.out
    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.json"
    for way in options.ways or WAYS:
        for name, seeds in SEEDS.items():
            found = json.loads(path.read_text()).get("ways", {}) if path.exists() else {}
            found.setdefault(way, {})[name] = train(way, seeds)
            print(f"{way}, {name}: {found[way][name]['wall_clock_s']:.0f} s", flush=True)
            results = {"schema": 1, "experiment": "collapses", "command": "python3 -m studies.collapses",
                       "environment": lab.environment(),
                       "ways": {name: found[name] for name in WAYS if name in found}}  # fmt: skip
            lab.write_whole(path, lambda file: file.write(f"{lab.to_json(results)}\n".encode()))
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
