#!/usr/bin/env python3
"""Draw a run of timing_counting_spikes.py, and the studies made with it, into viz/timing_counting_spikes/*.png.

Reads results.json and snapshots.npz of the run and results.json of the studies; trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8"]
# ///

import argparse
import json
import shlex
import sys
import zipfile
import zlib
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

EXPERIMENT = "timing_counting_spikes"
ROOT = Path(__file__).resolve().parent.parent
COLOUR = {"peephole": "#0072B2", "vanilla": "#D55E00"}
STYLE = {"peephole": "-", "vanilla": "--"}
INPUT_COLOUR, TARGET_COLOUR = "#555555", "#009E73"
GAP_COLOUR = ("#56B4E9", "#009E73", "#E69F00", "#000000")  # of recorded sequences, from the shortest gap to the longest
GATE = {"o": "output gate", "i": "input gate", "f": "forget gate"}


# shared block
def role(name):
    """How a role is drawn in every picture, as keywords of Axes.plot: no two roles share a colour, a dash or a marker.

    ours: our recipe, and of two networks the LSTM. other: the other network of two. third, fourth: further networks.
    writeup, paper: what is not ours. target, chance, input: what a network shall do, can do without learning, and sees.
    one: a single seed among many. cell 0, cell 1, ...: the cells, or blocks, of one network.
    """
    if name.startswith("cell "):
        k = int(name.removeprefix("cell "))
        colour = ("#332288", "#999933", "#882255", "#44AA99")[k % 4]
        return {"color": colour, "linestyle": ("-", "--", ":", "-.")[k // 4 % 4]}
    colour, dash, marker, filled = {
        "ours": ("#0072B2", "-", "o", True),
        "other": ("#E69F00", "--", "s", False),
        "third": ("#56B4E9", (0, (3, 1, 1, 1, 1, 1)), "P", True),
        "fourth": ("#CC79A7", (0, (1, 1)), "X", True),
        "writeup": ("#D55E00", "-.", "^", False),
        "paper": ("#000000", (0, (4, 2)), "D", False),
        "target": ("#009E73", (0, (6, 1)), "v", True),
        "chance": ("#777777", ":", "None", True),
        "input": ("#333333", (0, (2, 1)), "|", True),
        "one": ("#BBBBBB", (0, (8, 0)), ".", True),
    }[name]
    return {"color": colour, "linestyle": dash, "marker": marker, "markerfacecolor": colour if filled else "white"}


# shared block
def load_run(directory, experiment, command, arrays=True):
    """results.json of a run, and its snapshots.npz as a dict if arrays; exits with status 1 and one line on failure.

    Each network also has what measures.json, if there is one, says of it; recorded: the index of the recorded seed.
    """
    path = directory / "results.json"
    try:
        results = json.loads(path.read_text())
        found, _ = (results["experiment"], results["schema"]), (results["config"], results["runs"], results["seeds"])
        if found != (experiment, 1):
            sys.exit(f"{path} is of {found[0]}, schema {found[1]}, not of {experiment}, schema 1")
        results["recorded"] = results["seeds"].index(results["config"].get("record", results["seeds"][0]))
        if (directory / "measures.json").exists():
            path = directory / "measures.json"
            for name, measured in json.loads(path.read_text())["runs"].items():
                results["runs"][name] |= measured
        snapshots = {}
        if arrays:
            path = directory / "snapshots.npz"
            with np.load(path) as file:
                snapshots = dict(file)
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: {command}")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        sys.exit(f"{path} is damaged, or not of this program")
    return results, snapshots


# shared block
def announce(run, headline, renderer):
    """Say which run is drawn; for the headline also, if runs/ has a newer one, the command that draws that."""
    print(f"drawing {run}")
    found = Path("runs", headline.parts[1]).glob("*/results.json")
    runs = sorted((path.stat().st_mtime, path.parent) for path in found)
    if run == headline and runs and runs[-1][0] > (headline / "results.json").stat().st_mtime:
        print(f"a newer run: python3 {renderer} --run {shlex.quote(str(runs[-1][1]))}")


# shared block
def save_picture(figure, path):
    """Write a figure as PNG and close it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror}")
    plt.close(figure)
    print(path)


def history(run, name):
    """A metric's history as an array (evaluations, seeds), NaN where it has none."""
    return np.array(run["history"][name], float)


def batch_of(results):
    """Sequences in a training step."""
    config = results["config"]
    return config["batch"] if config["task"] == "msd" else len(config["periods"])


def final(results, variant, name):
    """A final value of the recorded seed as text."""
    value = results["runs"][variant]["final"][name][results["recorded"]]
    return "diverged" if value is None else f"{value:.3f}" if name == "solve_rate" else f"{value:.1e}"


def measured(results, variant, *names):
    """What measures.json says of the recorded seed, None where it diverged; {} if the run has not been measured."""
    measures = results["runs"][variant].get("measures", {})
    return {name: measures[name][results["recorded"]] for name in names if name in measures}


def seed(results):
    """The recorded seed as text."""
    return f"seed {results['seeds'][results['recorded']]}"


def training_curves(results, _):
    """Held-out error and solve rate of the recorded seed, every variant."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), sharex=True)
    task = results["config"]["task"]
    solve = {"msd": "share of spikes at exactly the right step", "gts": "share of spike trains without a mistake",
             "pfg": "share of periods within an error of 0.15"}[task]  # fmt: skip
    for variant, run in results["runs"].items():
        seen = np.array(run["history"]["step"]) * batch_of(results)
        for axis, name in zip(axes, ("test_mse", "solve_rate")):
            values = history(run, name)[:, results["recorded"]]
            axis.plot(seen, values, STYLE[variant], color=COLOUR[variant], label=variant)
    axes[0].set(yscale="log", xlabel="training sequences")
    axes[1].set(ylim=(-0.02, 1.02), xlabel="training sequences")
    axes[0].set_title("mean squared error" + (", held-out" if task == "msd" else ""))
    axes[1].set_title(solve)
    for axis in axes:
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_major_locator(plt.MaxNLocator(5))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    ends = "; ".join(f"{variant} {final(results, variant, 'solve_rate')}, error {final(results, variant, 'test_mse')}"
                     for variant in results["runs"])  # fmt: skip
    figure.suptitle(f"Solve rate of {seed(results)} at the end: {ends}")
    return figure


def spikes_of(x, y):
    """Steps of the two spikes of an input x (T,) and of the target's y (T,)."""
    return *np.flatnonzero(x == 1), int(y.argmax())


def sample_predictions(results, arrays):
    """The recorded sequences, and what each variant puts out at the end of training."""
    first = next(iter(results["runs"]))
    x, y = arrays[f"{first}/x"][:, 0], arrays[f"{first}/y"]
    n = y.shape[1]
    figure, axes = plt.subplots(n, 1, figsize=(10, 1.9 * n + 0.6), sharex=True, sharey=True)
    exact = 0
    for k, axis in enumerate(axes):
        t1, t2, target = spikes_of(x[:, k], y[:, k])
        axis.vlines([t1, t2], 0, 1, color=INPUT_COLOUR, linewidth=2, label="input spikes")
        axis.axvspan(target - 0.5, target + 0.5, color=TARGET_COLOUR, alpha=0.35, linewidth=0, label="target step")
        for variant in results["runs"]:
            output = arrays[f"{variant}/output"][-1, :, k]
            axis.plot(output, STYLE[variant], color=COLOUR[variant], label=f"output, {variant}", linewidth=1.8)
            exact += output[t2 + 1 :].argmax() + t2 + 1 == target
        for a, b in (t1, t2), (t2, target):
            axis.annotate("", (b, 0.62), (a, 0.62), arrowprops={"arrowstyle": "<->", "color": "#999999"})
            axis.text((a + b) / 2, 0.66, f"{b - a} steps", ha="center", color="#555555", fontsize=9)
        axis.set(ylim=(-0.15, 1.15), yticks=(0, 1), xlim=(-1, len(y)))
        axis.grid(False, axis="y")
    axes[-1].set_xlabel("time step")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(f"The third spike is due as long after the second as that after the first: "
                    f"{exact} of {n * len(results['runs'])} are on time", fontsize=12)  # fmt: skip
    return figure


def cell_state(results, arrays):
    """The sequence of the longest gap through every variant: input, cell states, output."""
    variants = list(results["runs"])
    figure, axes = plt.subplots(2, len(variants), figsize=(6.5 * len(variants), 6.2), sharex=True, squeeze=False,
                                height_ratios=(2, 1))  # fmt: skip
    for (cells, outputs), variant in zip(axes.T, variants):
        x, y, c = (
            arrays[f"{variant}/x"][:, 0, -1],
            arrays[f"{variant}/y"][:, -1],
            arrays[f"{variant}/c"][-1, :, :, -1].T,
        )
        scale = np.maximum(np.abs(c).max(axis=1, keepdims=True), 1e-6)
        image = cells.imshow(c / scale, cmap="RdBu", vmin=-1, vmax=1)
        labels = [f"{k}  (±{value:.2g})" for k, value in enumerate(scale[:, 0])]
        cells.set_yticks(range(len(c)), labels)
        cells.grid(False)
        outputs.plot(arrays[f"{variant}/output"][-1, :, -1], color=COLOUR[variant])
        outputs.set(ylim=(-0.15, 1.15), xlabel="time step", ylabel="output")
        *inputs, target = spikes_of(x, y)
        for axis in cells, outputs:
            for t in inputs:
                axis.axvline(t, color=INPUT_COLOUR, linestyle=":", linewidth=1.5)
            axis.axvline(target, color=TARGET_COLOUR, linestyle=":", linewidth=2)
        cells.set_title(f"{variant}: cell states $c_t$")
        cells.set_ylabel("cell (its largest $|c_t|$)")
    figure.colorbar(image, ax=axes[0], label="share of the cell's largest $|c_t|$", pad=0.01)
    figure.suptitle("Dotted: the two input spikes and, in green, when the third is due", fontsize=12)
    return figure


def clock(results, arrays):
    """Cell states of the first variant for all recorded gaps, time counted from the second spike."""
    variant = next(iter(results["runs"]))
    x, y, c = arrays[f"{variant}/x"][:, 0], arrays[f"{variant}/y"], arrays[f"{variant}/c"][-1]
    H, cells = min(c.shape[1], 8), c.shape[1]
    figure, axes = plt.subplots(2, max(2, -(-H // 2)), figsize=(13, 5.8), sharex=True, squeeze=False)
    for axis in axes.ravel()[H:]:
        axis.set_axis_off()
    for cell, axis in enumerate(axes.ravel()[:H]):
        for k, colour in enumerate(GAP_COLOUR):
            t1, t2, target = spikes_of(x[:, k], y[:, k])
            inside = slice(t1, min(target + 4, len(c)))
            axis.plot(np.arange(len(c))[inside] - t2, c[inside, cell, k], color=colour, linewidth=1.6,
                      label=f"gap of {t2 - t1} steps")  # fmt: skip
            axis.plot(target - t2, c[target, cell, k], "o", color=colour, markersize=5)
        axis.axvline(0, color=INPUT_COLOUR, linestyle=":", linewidth=1.5)
        axis.set_title(f"cell {cell}")
    for axis in axes[-1]:
        axis.set_xlabel("steps after the second spike")
    for axis in axes[:, 0]:
        axis.set_ylabel("cell state $c_t$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    due = plt.Line2D([], [], color="#777777", marker="o", linestyle="", markersize=5)
    figure.legend([*handles, due], [*labels, "when the third spike is due"], loc="outside lower center", ncols=5)
    said, late = "cell states from the first spike to the third", measured(results, variant, "late_moves")
    if late:
        share, way = late["late_moves"], "of the way to the third spike falls into the last quarter"
        said = "diverged" if share is None else f"{100 * share:.0f} % {way}"
    which = f", cells 0 to {H - 1} of {cells}" if cells > H else ""
    figure.suptitle(f"{variant}, {seed(results)}{which}: {said}")
    return figure


def peephole_weights(results, arrays):
    """The peepholes of every gate, one bar a cell."""
    peep = arrays["peephole/weights/peep"][results["recorded"]]
    figure, axes = plt.subplots(1, len(peep), figsize=(4.2 * len(peep), 3.8), sharey=True)
    for axis, weights, gate in zip(axes, peep, GATE):
        axis.bar(range(len(weights)), weights, color=COLOUR["peephole"])
        axis.axhline(0, color="#000000", linewidth=1)
        axis.set(xlabel="cell", xticks=range(len(weights)) if len(weights) <= 16 else ())
        axis.set_title(f"{GATE[gate]}, from $c_{'t' if gate == 'o' else '{t-1}'}$")
        axis.grid(False, axis="x")
    axes[0].set_ylabel("peephole weight")
    rate, names = final(results, "peephole", "solve_rate"), (*list(GATE)[: len(peep)], "all")
    left = measured(results, "peephole", *(f"solve_rate_without_{name}" for name in names))
    words = ", ".join(f"without {name}'s {value:.2f}" for name, value in zip(names, left.values()) if value is not None)
    said = (f"solve rate {rate}" if rate != "diverged" else rate) + f"; {words}".replace("all's", "any") * bool(words)
    figure.suptitle(f"{seed(results).capitalize()}: {said}")
    return figure


def weights(results, arrays):
    """The weights of every variant, by gate and source."""
    variants = list(results["runs"])
    recorded = {variant: arrays[f"{variant}/weights/W"][results["recorded"]] for variant in variants}
    figure, axes = plt.subplots(1, len(variants), figsize=(1.5 + 4.5 * len(variants), 7.5), squeeze=False)
    limit = max(np.abs(W).max() for W in recorded.values())
    for axis, (variant, W) in zip(axes[0], recorded.items()):
        width, H = W.shape[1], arrays[f"{variant}/weights/V"].shape[2]
        image = axis.imshow(W, cmap="RdBu", norm=matplotlib.colors.SymLogNorm(1, vmin=-limit, vmax=limit))
        names = [*(f"{GATE[gate]}s" for gate in "oif"[: len(W) // H - 1]), "candidates"]
        axis.set_yticks(np.arange(len(names)) * H + (H - 1) / 2, names, rotation=90, va="center")
        axis.set_xticks([(H - 1) / 2, H + (width - H - 2) / 2, width - 1], ["$h_{t-1}$", "$x_t$", " 1"])
        for k in range(1, len(names)):
            axis.axhline(k * H - 0.5, color="#000000", linewidth=1)
        axis.axvline(H - 0.5, color="#000000", linewidth=1)
        axis.grid(False)
        axis.set_title(variant)
    ticks = [value for value in (-10, -3, -1, 0, 1, 3, 10) if abs(value) <= limit]
    figure.colorbar(image, ax=axes[0], label="weight (logarithmic beyond ±1)", ticks=ticks, format="{x:.0f}")
    figure.suptitle(f"Weights after training, {seed(results)}")
    return figure


def target_and_output(results, arrays):
    """A generator's target and output: within the training length, and at the end of a run ten times as long."""
    config, variants = results["config"], list(results["runs"])
    T, task, periods = config["T"], config["task"], config["periods"]
    figure, axes = plt.subplots(len(periods) * len(variants), 2, figsize=(13, 1.2 + 1.7 * len(periods) * len(variants)),
                                sharey=True, squeeze=False)  # fmt: skip
    order = [(k, variant) for k in range(len(periods)) for variant in variants]
    for row, (k, variant) in zip(axes, order):
        output, target = arrays[f"{variant}/run_on_output"][:, k], arrays[f"{variant}/run_on_target"][:, k]
        for axis, steps in zip(row, (slice(0, T), slice(len(output) - T, len(output)))):
            t = np.arange(len(output))[steps]
            if task == "gts":
                axis.vlines(t[target[steps] == 1], 0, 1, color=TARGET_COLOUR, linewidth=4, alpha=0.4, label="target")
            else:
                axis.plot(t, target[steps], color=TARGET_COLOUR, linewidth=5, alpha=0.4, label="target")
            axis.plot(t, output[steps], color=COLOUR[variant], linewidth=1.5, label=f"output, {variant}")
            axis.set(ylim=(-0.2, 1.25), yticks=(0, 1))
            axis.margins(x=0.01)
        row[0].set_ylabel(variant + (f"\nperiod {periods[k]}" if len(periods) > 1 else ""))
    axes[0, 0].set_title(f"the {T} steps of training")
    axes[0, 1].set_title(f"the last {T} of {len(output):,} steps")
    for axis in axes[-1]:
        axis.set_xlabel("time step")
    handles = {}
    for axis in axes[: len(variants), 0]:
        found, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, found))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)

    def reach(variant):
        whole = len(output) if task == "gts" else min(len(output) // period * period for period in periods)
        rate, found = final(results, variant, "solve_rate"), measured(results, variant, "exact_until")
        if rate == "diverged" or not found:
            return f"{variant} diverged" if rate == "diverged" else f"{variant} solve rate {rate}"
        value = found["exact_until"]
        return f"{variant} right for " + (f"all {len(output):,} steps" if value >= whole else f"{value:,.0f} steps")

    what = "Spikes" if task == "gts" else f"A {config['wave']} wave"
    kept = "; ".join(map(reach, variants))
    figure.suptitle(f"{what} of period {', '.join(map(str, periods))} from one start pulse: {kept}")
    return figure


def study(name):
    """results.json of a point of the studies."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    return load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]


def rates(run):
    """Final solve rates (S,), 0 where a seed diverged."""
    return np.array([value or 0 for value in run["final"]["solve_rate"]])


RECIPE = {"writeup": "the write-up's recipe", "default": "our recipe"}


def thirty_seeds():
    """Solve rates of thirty seeds under both recipes, one line a seed."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 7.2), sharex="col", sharey=True)
    said = []
    for column, recipe in zip(axes.T, RECIPE):
        results = study(f"thirty_seeds/{recipe}")
        for axis, (variant, run) in zip(column, results["runs"].items()):
            seen = np.array(run["history"]["step"]) * batch_of(results)
            axis.plot(seen, history(run, "solve_rate"), color=COLOUR[variant], linewidth=0.8, alpha=0.6)
            axis.plot(seen, np.nanmedian(history(run, "solve_rate"), axis=1), color=COLOUR[variant], linewidth=3)
            solved = (rates(run) >= 0.99).sum()
            axis.set_title(f"{RECIPE[recipe]}, {variant}: {solved} of {len(results['seeds'])} end at 0.99 or more")
            axis.set_ylim(-0.02, 1.02)
            axis.xaxis.set_major_formatter("{x:,.0f}")
            if recipe == "default":
                said.append(f"{solved} of {len(results['seeds'])} with {variant} cells")
    said = [words.replace(" with peephole cells", " with peepholes").replace(" with vanilla cells", " without")
            for words in said]  # fmt: skip
    for axis in axes[-1]:
        axis.set_xlabel("training sequences")
    for axis in axes[:, 0]:
        axis.set_ylabel("solve rate, held-out")
    figure.suptitle(f"Our recipe: {' and '.join(said)} solve the task (thick: median of all)")
    return figure


LENGTHS = (150, 300, 600)


def length():
    """Solve rates against the length of sequences, one dot a seed."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.8), sharex=True)
    ends = {}
    for T in LENGTHS:
        results = study("thirty_seeds/default" if T == 150 else f"length/{T}")
        for variant, run in results["runs"].items():
            side = {"peephole": 0.95, "vanilla": 1.05}[variant]
            values = rates(run)
            at = T * side * np.linspace(0.97, 1.03, len(values))
            mse = np.array(run["final"]["test_mse"], float) * T
            for axis, shown in zip(axes, (values, mse)):
                axis.plot(at, shown, "o", markersize=4, color=COLOUR[variant], alpha=0.6, markeredgewidth=0)
                axis.plot(
                    [T * side * 0.95, T * side * 1.05], [np.nanmedian(shown)] * 2, color=COLOUR[variant], linewidth=3
                )
            ends[variant, T] = f"{(values >= 0.99).sum()}/{len(values)}"
    axes[0].set_title("solve rate (bars: median)")
    axes[1].set(yscale="log")
    axes[1].set_title("squared error of a sequence, summed over its steps")
    for axis in axes:
        axis.set(xscale="log", xlabel="steps T of a sequence (distances T/5 to 2T/5)")
        axis.set_xticks(LENGTHS, LENGTHS)
        axis.minorticks_off()
    handles = [plt.Line2D([], [], color=COLOUR[variant], marker="o", linestyle="") for variant in COLOUR]
    figure.legend(handles, COLOUR, loc="outside lower center", ncols=2)
    said = ", ".join(f"{ends['peephole', T]} and {ends['vanilla', T]} at T = {T}" for T in LENGTHS)
    figure.suptitle(f"Seeds that solve it, with peepholes and without:\n{said}")
    return figure


STUDIES = thirty_seeds, length


def main(argv=None):
    """Draw; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    run, folder = Path("results") / EXPERIMENT, Path("viz") / EXPERIMENT
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help=f"where to (default: viz/{EXPERIMENT}; with --run: DIR/viz)"
    )
    options = parser.parse_args(argv)
    out = options.out or (options.run / "viz" if options.run else folder)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    command = f"python3 {EXPERIMENT}.py" + (f" --out {options.run}" if options.run else "")
    results, arrays = load_run(options.run or run, EXPERIMENT, command)
    announce(options.run or run, run, f"visualize/{EXPERIMENT}.py")
    if not all("measures" in found for found in results["runs"].values()):
        print(f"python3 -m studies measure {options.run or run} adds what titles say of the networks")
    spikes = sample_predictions, cell_state, clock
    task_pictures = spikes if results["config"]["task"] == "msd" else (target_and_output,)
    with_peepholes = (peephole_weights,) if "peephole" in results["runs"] else ()
    for draw in (training_curves, *task_pictures, *with_peepholes, weights):
        save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    if not options.run:
        for task, words in (("gts", "--task gts --period 20"), ("pfg", "--task pfg --period 25 --wave triangle")):
            made = load_run(run / task, EXPERIMENT, f"python3 {EXPERIMENT}.py {words} --out {run / task} --force")
            save_picture(target_and_output(*made), out / f"{task}.png")
        for draw in STUDIES:
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
