#!/usr/bin/env python3
"""Draw a run of timing_counting_spikes.py, and the studies made with it, into viz/timing_counting_spikes/*.png.

It reads results.json and snapshots.npz of the run and results.json of the studies; it trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import json
import shlex
import sys
import textwrap
import zipfile
import zlib
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation

EXPERIMENT = "timing_counting_spikes"
ROOT = Path(__file__).resolve().parent.parent
ROLE = {"peephole": "ours", "vanilla": "other"}
WORDS = {"peephole": "with peepholes", "vanilla": "without peepholes"}
GATE = {"o": "output gate", "i": "input gate", "f": "forget gate"}
RING = {"color": "0", "markersize": 14, "markerfacecolor": "None", "markeredgewidth": 2}
CASING = [withStroke(linewidth=3.5, foreground="white")]  # for lines on maps
GENERATED = (  # picture and folder, the point of the studies with its seeds, options
    ("gts", "generate/gts-20", "--task gts --period 20"),
    ("pfg", "generate/triangle-25", "--task pfg --period 25 --wave triangle"),
)


# shared block
def role(name):
    """The style of a role in every picture, as keywords of Axes.plot. Each role has its own colour, dash and marker.

    ours: our recipe; if there are two networks, the LSTM. other: the other network. third, fourth: further networks.
    writeup, paper: their results. target: the right answer. chance: the result of guessing. input: the input sequence.
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
    """Read results.json of a run and, if arrays, snapshots.npz as a dict. Exits with status 1 and one line on failure.

    If there is a measures.json, its values are added to those of each network. recorded: index of the recorded seed.
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
    """Print which run is drawn. If it is the headline and runs/ has a newer run, print the command that draws that."""
    print(f"drawing {run}")
    found = Path("runs", headline.parts[1]).glob("*/results.json")
    runs = sorted((path.stat().st_mtime, path.parent) for path in found)
    if run == headline and runs and runs[-1][0] > (headline / "results.json").stat().st_mtime:
        print(f"a newer run: python3 {renderer} --run {shlex.quote(str(runs[-1][1]))}")


# shared block
def save_picture(figure, path):
    """Write a figure as PNG with the 256 colours that cover it best, a third of the size, and close it."""
    whole = io.BytesIO()
    figure.savefig(whole)
    few = Image.open(whole).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        few.save(path, optimize=True)
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror}")
    plt.close(figure)
    print(path)


# shared block
def look(variant, **changes):
    """The style of a variant: its role, with changes. It has a marker only if changes has marked=True."""
    drawn = role(ROLE[variant])
    marker = {} if changes.pop("marked", False) else {"marker": "None"}
    return drawn | marker | changes


# shared block
def seed(results):
    """The recorded seed as text, with its rank if main has noted it."""
    return f"seed {results['seeds'][results['recorded']]}" + results.get("rank", "")


# shared block
def study(name):
    """Read results.json of a point of the studies."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    return load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]


# shared block
def ratios(results):
    """The error without peepholes divided by the error with peepholes, for every seed (S,)."""
    errors = {variant: np.array(run["final"]["test_mse"], float) for variant, run in results["runs"].items()}
    return errors["vanilla"] / errors["peephole"]


# shared block
def rank(results, point, value, words):
    """Add to results the rank of the recorded seed among the seeds of a point of the studies, and the values of all."""
    among = study(point)
    values, own = value(among), among["seeds"].index(results["seeds"][results["recorded"]])
    n = 1 + int((values < values[own]).sum())
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    place = "the median seed" if n == (len(values) + 1) // 2 else f"the {n}{ending} of {len(values)} seeds by {words}"
    results["rank"] = f", {place}"
    results["values"], results["own"] = values, own


# shared block
def strip(axis, values, own, name):
    """Draw the ratios of thirty seeds as stacked marks on a logarithmic axis, with a ring and a name at index own."""
    runs = [study(f"thirty_seeds/{point}") for point in ("default", "default-fresh")]
    parts = [[int((ratio <= 1).sum()), int((ratio > 1).sum())] for ratio in (values, ratios(runs[1]))]
    also = "{} and {}".format(*parts[1]) + ", too" * (parts[0] == parts[1])
    first, fresh = (f"seeds {run['seeds'][0]} to {run['seeds'][-1]}" for run in runs)
    axis.set_title(f"ratio of the final errors of {first} (fresh {fresh}: {also})")
    place = np.log10(values)
    column = np.floor(place / 0.05)
    height = np.array([((column == column[k]) & (place < place[k])).sum() for k in range(len(values))])
    smaller = {"vanilla": values <= 1, "peephole": values > 1}
    for (variant, seeds), x, side in zip(smaller.items(), (0.01, 0.99), ("left", "right")):
        axis.plot(values[seeds], height[seeds], **look(variant, marked=True, linestyle="", markersize=6))
        words = f"{seeds.sum()} seeds: error smaller\n{WORDS[variant]}"
        axis.text(x, 1, words, transform=axis.transAxes, ha=side, va="top")
    axis.plot(values[own], height[own], "o", **RING)
    top = height.max() + 2.8
    axis.annotate(name, (values[own], height[own]), (values[own], top - 0.8), ha="center", va="center",
                  arrowprops={"arrowstyle": "-", "shrinkB": 8})  # fmt: skip
    axis.axvline(1, **role("chance"))
    axis.set(xscale="log", ylim=(-0.8, top), yticks=(), xlabel="error without peepholes, divided by error with")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.spines["left"].set_visible(False)


# shared block
def percent(share):
    """A share as text. 100 % is all and 0 % none."""
    if np.isnan(share):
        return "no number"
    return "over 99 %" if 0.995 <= share < 1 else "below 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def in_seed(results):
    """The first words of a title that is about one seed."""
    return f"In seed {results['seeds'][results['recorded']]}"


def even(text, most):
    """A text on as few lines as possible, with at most this number of letters each and about equal lengths."""
    for tied in " = ", "seed ", " %", " times":
        text = text.replace(tied, tied.replace(" ", "\u00a0"))
    lines = len(textwrap.wrap(text, most))
    return "\n".join(textwrap.wrap(text, min(w for w in range(1, most + 1) if len(textwrap.wrap(text, w)) == lines)))


def head(figure, title, subtitle):
    """Write the finding as the title of a figure, and its runs below it in smaller letters."""
    words = even(subtitle, 104)
    title = figure.suptitle(even(title, 80) + "\n" * (words.count("\n") + 1))
    figure.add_artist(Annotation(words, (0.5, 0), xycoords=title, ha="center", va="bottom"))


def history(run, name):
    """The history of a metric as an array (evaluations, seeds), with NaN for missing values."""
    return np.array(run["history"][name], float)


def batch_of(results):
    """Sequences in a training step."""
    config = results["config"]
    return config["batch"] if config["task"] == "msd" else len(config["periods"])


def final(results, variant, name):
    """A final value of the recorded seed; NaN if it diverged."""
    value = results["runs"][variant]["final"][name][results["recorded"]]
    return np.nan if value is None else value


def measured(results, variant, *names):
    """Measures of the recorded seed; NaN if it diverged, empty if the run has no measures."""
    measures = results["runs"][variant].get("measures", {})
    found = {name: measures[name][results["recorded"]] for name in names if name in measures}
    return {name: np.nan if value is None else value for name, value in found.items()}


def training_curves(results, _):
    """Error and solve rate of the recorded seed for every variant, and the ratios of errors of all seeds if known."""
    known, task = "own" in results, results["config"]["task"]
    figure = plt.figure(figsize=(10, 6.6 if known else 4.6))
    grid = figure.add_gridspec(1 + known, 2, height_ratios=(2, 1)[: 1 + known])
    axes = [figure.add_subplot(grid[0, k]) for k in range(2)]
    solve = {"msd": "solve rate, held-out", "gts": "share of spike trains without a mistake",
             "pfg": "share of periods within an error of 0.15"}[task]  # fmt: skip
    for variant, run in results["runs"].items():
        seen = np.array(run["history"]["step"]) * batch_of(results)
        every = max(1, len(seen) // 13)
        for axis, name in zip(axes, ("test_mse", "solve_rate")):
            values = history(run, name)[:, results["recorded"]]
            axis.plot(seen, values, **look(variant, marked=True, markevery=every, label=WORDS[variant]))
    axes[0].set(yscale="log", xlabel="training sequences")
    axes[1].set(ylim=(-0.02, 1.04), xlabel="training sequences")
    axes[0].set_title("mean squared error" + (", held-out" if task == "msd" else ""))
    axes[1].set_title(solve)
    axes[0].legend(loc="lower left")
    for axis in axes:
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_major_locator(plt.MaxNLocator(4))
    if known:
        below = figure.add_subplot(grid[1, :])
        strip(below, results["values"], results["own"], f"seed {results['seeds'][results['recorded']]}")
        times = f"{ratios(results)[results['recorded']]:.1f} times as large without peepholes as with them"
        middle = np.sort(results["values"])[(len(results["values"]) - 1) // 2] == results["values"][results["own"]]
        title = f"On {'the median' if middle else 'this'} seed, the final error is {times}"
    else:
        ends = [f"{percent(final(results, variant, 'solve_rate'))} {WORDS[variant]}" for variant in results["runs"]]
        title = f"The solve rate ends at {' and '.join(ends)}"
    by = f" of {len(results['values'])} by the ratio of the final errors" if known else ""
    head(figure, title, seed(results) + by)
    return figure


def spikes_of(x, y):
    """Steps of the two spikes of an input x (T,) and of the spike of a target y (T,)."""
    return *np.flatnonzero(x == 1), int(y.argmax())


def answer(output, second):
    """The step of the largest output after the second spike."""
    return second + 1 + int(output[second + 1 :].argmax())


def late(steps):
    """The distance of an answer from its target's step, as text."""
    unit = "step" if abs(steps) == 1 else "steps"
    return "on time" if steps == 0 else f"{abs(steps)} {unit} {'late' if steps > 0 else 'early'}"


def mark_target(axis, t, **changes):
    """Mark the step of the third spike above the panel."""
    changes = {"markersize": 9, "linestyle": "", "clip_on": False} | changes
    axis.plot(t, 1.03, **role("target") | changes, transform=axis.get_xaxis_transform(), zorder=5)


def around(axis, target, steps=8):
    """Set the x-axis to the steps around a target, relative to the target."""
    axis.set(xlim=(target - steps - 0.5, target + steps + 0.5), ylim=(-0.2, 1.15))
    ticks = np.arange(-steps, steps + 1, 4)
    axis.set_xticks(target + ticks, [f"{tick:+d}".replace("-", "−") if tick else "target" for tick in ticks])
    axis.grid(False, axis="x")


def task(results, arrays):
    """The task: the recorded sequences, an output that counts as solved, and an output that does not."""
    variant = next(iter(results["runs"]))
    x, y, outputs = arrays[f"{variant}/x"][:, 0], arrays[f"{variant}/y"], arrays[f"{variant}/output"]
    figure = plt.figure(figsize=(10, 7.2))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.5, 1))
    axis = figure.add_subplot(grid[0, :])
    n = y.shape[1]
    for k in range(n):
        t1, t2, target = spikes_of(x[:, k], y[:, k])
        axis.axhline(-k, color="0.8", linewidth=1, zorder=1)
        axis.vlines([t1, t2], -k, 0.55 - k, color=role("input")["color"], linewidth=4)
        axis.vlines(target, -k, 0.55 - k, color=role("target")["color"], linewidth=4)
        axis.plot(target, 0.62 - k, **role("target") | {"markersize": 9})
        for a, b in (t1, t2), (t2, target):
            axis.annotate("", (b, 0.2 - k), (a, 0.2 - k), arrowprops={"arrowstyle": "<->", "color": "0.4"})
            axis.text((a + b) / 2, 0.26 - k, f"D = {b - a}", ha="center", color="0.2")
        if k == 0:
            for t, words in (t1, "first input spike"), (t2, "second input spike"), (target, "target: the third spike"):
                axis.text(t, 0.82, words, ha="center")
    axis.set(xlim=(-1, len(y)), ylim=(-n + 0.75, 1.15), xlabel="time step", yticks=())
    axis.set_yticks(-np.arange(n) + 0.2, [f"sequence {k + 1}" for k in range(n)])
    axis.tick_params(axis="y", length=0)
    axis.grid(False)
    spikes = [spikes_of(x[:, k], y[:, k]) for k in range(n)]
    off = np.array([[answer(output[:, k], t2) - due for k, (_, t2, due) in enumerate(spikes)] for output in outputs])
    wrong = np.where(off == 0, len(y), np.abs(off))
    snapshot, k = max(zip(*np.nonzero(wrong == wrong.min())))  # the last of the smallest mistakes during training
    for column, when in enumerate((len(off) - 1, snapshot)):
        axis, target = figure.add_subplot(grid[1, column]), spikes[k][2]
        axis.plot(outputs[when, :, k], **look(variant, marked=True, markersize=5))
        at = answer(outputs[when, :, k], spikes[k][1])
        axis.plot(at, outputs[when, at, k], "o", **RING)
        around(axis, target)
        mark_target(axis, target)
        axis.set(ylabel="output", yticks=(0, 0.5, 1), xlabel=f"steps from the target, sequence {k + 1}")
        seen = arrays[f"{variant}/step"][when] * batch_of(results)
        words = f"{'not ' * bool(off[when, k])}solved: the largest output is {late(off[when, k])}"
        axis.set_title(f"{words}\n(after {seen:,} training sequences)", pad=14)
    config = results["config"]
    drawn = f"D is drawn from {config['D_min']} to {config['D_max']}; a sequence has {config['T']} steps"
    below = f"below, the largest output is ringed (network {WORDS[variant]}, {seed(results)})"
    head(figure, "The third spike is due exactly D steps after the second", f"{drawn}; {below}")
    return figure


def sample_predictions(results, arrays):
    """The outputs of every variant around the target of each recorded sequence, at the end of training."""
    first = next(iter(results["runs"]))
    x, y = arrays[f"{first}/x"][:, 0], arrays[f"{first}/y"]
    n, exact = y.shape[1], 0
    figure, axes = plt.subplots(2, -(-n // 2), figsize=(10, 6), sharey=True)
    for k, axis in enumerate(axes.flat):
        t1, t2, target = spikes_of(x[:, k], y[:, k])
        for variant in reversed(results["runs"]):  # smaller marks lie above larger marks
            output = arrays[f"{variant}/output"][-1, :, k]
            size = {"peephole": 4, "vanilla": 9}[variant]
            axis.plot(output, **look(variant, marked=True, markersize=size, label=f"output {WORDS[variant]}"))
            exact += answer(output, t2) == target
        around(axis, target)
        mark_target(axis, target, label="target")
        axis.set_title(f"D = {t2 - t1} steps", pad=14)
    for axis in axes[-1]:
        axis.set_xlabel("steps from the target")
    for axis in axes[:, 0]:
        axis.set_ylabel("output")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    count = n * len(results["runs"])
    which = f"all {count} outputs" if exact == count else f"{exact} of {count} outputs"
    title = f"{in_seed(results)}, {which} are largest at exactly the target's step"
    sizes = f"number of networks: {len(results['runs'])}, sequences for each: {n}"
    head(figure, title, f"{sizes}; {seed(results)}; after training")
    return figure


def cell_state(results, arrays):
    """The recorded sequence with the longest distance in every variant: input, cell states, output."""
    variants = list(results["runs"])
    figure, axes = plt.subplots(3, len(variants), figsize=(10, 7.2), sharex=True, squeeze=False, sharey="row",
                                height_ratios=(0.5, 2.6, 0.9))  # fmt: skip
    said = []
    for (inputs, cells, outputs), variant in zip(axes.T, variants):
        x, y = arrays[f"{variant}/x"][:, 0, -1], arrays[f"{variant}/y"][:, -1]
        c = arrays[f"{variant}/c"][-1, :, :, -1].T
        *spikes, target = spikes_of(x, y)
        inputs.vlines(spikes, 0, 1, color=role("input")["color"], linewidth=3)
        inputs.set(ylim=(0, 1.1), yticks=(0, 1))
        inputs.grid(False)
        inputs.set_title(WORDS[variant], pad=16)
        inputs.text(target - 4, 0.98, "third spike due", ha="right", va="top")
        scale = np.maximum(np.abs(c).max(axis=1, keepdims=True), 1e-6)
        image = cells.imshow(c / scale, cmap="RdBu", vmin=-1, vmax=1)
        cells.set_yticks(range(len(c)) if len(c) <= 16 else ())
        cells.grid(False)
        for axis in inputs, cells, outputs:
            mark_target(axis, target)
        for t in spikes:
            cells.axvline(t, color="0", linewidth=1.2, linestyle="--", path_effects=CASING)
        outputs.plot(arrays[f"{variant}/output"][-1, :, -1], **look(variant))
        outputs.set(ylim=(-0.2, 1.15), yticks=(0, 1), xlabel="time step")
        said += [(value, WORDS[variant]) for value in measured(results, variant, "on_time").values()]
    for axis, words in zip(axes[:, 0], ("input", "state of cell", "output")):
        axis.set_ylabel(words)
    figure.colorbar(image, ax=axes[1], label="share of the cell's\nlargest state", pad=0.01, ticks=(-1, 0, 1))
    shares = " and ".join(f"{percent(value)} {words}" for value, words in said)
    title = f"{in_seed(results)}, these cell states make their largest change when the third spike is due: {shares}"
    if not said:
        title = f"{in_seed(results)}, cell states change over the sequence"
    elif min(said)[0] > 0.5:
        title = f"{in_seed(results)}, most cell states make their largest change when the third spike is due: {shares}"
    shares = "; shares: of all cells in all held-out sequences, to within one step" if said else ""
    head(figure, title, f"{seed(results)}; shown: one sequence, D = {target - spikes[1]}{shares}")
    return figure


def ways(c, x, y):
    """Share of its total change that a cell has made after each share of the wait: mean (101,) of cells and sequences.

    c (T, H, n), x (T, n), y (T, n). The wait starts five steps after the second spike, when cells have settled, and
    ends one step before the target, as in the measure late_moves.
    """
    means = []
    for k in range(c.shape[2]):
        _, second, target = spikes_of(x[:, k], y[:, k])
        begin, end = second + np.clip(target - second - 2, 0, 5), target - 1
        way = np.abs(np.diff(c[begin : end + 1, :, k], axis=0)).cumsum(axis=0)
        if len(way):
            way = np.vstack([np.zeros(way.shape[1]), way]) / np.maximum(way[-1], 1e-30)
            means += [np.interp(np.linspace(0, 1, 101), np.linspace(0, 1, len(way)), cell) for cell in way.T]
    return np.mean(means, axis=0) if means else np.full(101, np.nan)


def clock(results, arrays):
    """The cells that change most after the second spike, for all recorded distances; the change of all cells."""
    variant = next(iter(results["runs"]))
    x, y, c = arrays[f"{variant}/x"][:, 0], arrays[f"{variant}/y"], arrays[f"{variant}/c"][-1]
    spikes = [spikes_of(x[:, k], y[:, k]) for k in range(y.shape[1])]
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.2))
    reach = np.max([np.ptp(c[t2 : due + 1, :, k], axis=0) for k, (_, t2, due) in enumerate(spikes)], axis=0)
    shown = np.sort(np.argsort(-reach)[:3])
    for axis in axes.flat[len(shown) : 3]:
        axis.set_axis_off()
    for cell, axis in zip(shown, axes.flat):
        for k, (_, t2, target) in enumerate(spikes):
            colour = plt.get_cmap("Blues")(0.4 + 0.6 * k / max(1, len(spikes) - 1))  # longer distances are darker
            axis.plot(c[t2 : target + 4, cell, k], color=colour, linewidth=1.4 + 0.4 * k)
            mark_target(axis, target - t2, color=colour, markerfacecolor=colour)
            words = "D = " * (k == 0) + str(target - t2)
            side = "right" if k == 0 else "center"
            axis.text(target - t2, 1.1, words, transform=axis.get_xaxis_transform(), ha=side)
        axis.set_title(f"cell {cell}", pad=14)
        axis.set(xlabel="steps after the second spike", ylabel="cell state")
        axis.grid(False)
    axis = axes[1, 1]
    for name in results["runs"]:
        way = ways(arrays[f"{name}/c"][-1], arrays[f"{name}/x"][:, 0], arrays[f"{name}/y"])
        axis.plot(np.linspace(0, 100, 101), 100 * way, **look(name, marked=True, markevery=25, label=WORDS[name]))
    axis.plot([0, 100], [0, 100], **role("chance") | {"label": "constant rate"})
    axis.axvspan(75, 100, color="0.92", zorder=0)
    axis.text(87.5, 3, "last\nquarter", ha="center")
    axis.set(xlim=(0, 100), ylim=(0, 100))
    axis.set(xlabel="share of the wait for the third spike (%)", ylabel="share of the total change (%)")
    axis.set_title(f"mean of all {c.shape[1]} cells")
    axis.legend(loc="upper left")
    late = {name: measured(results, name, "late_moves").values() for name in results["runs"]}
    said = [(value, WORDS[name]) for name, found in late.items() for value in found]
    shares = " and ".join(f"{percent(value)} {words}" for value, words in said)
    when = "in the last quarter of the wait"
    title = f"{in_seed(results)}, cell states make this share of their total change {when}: {shares}"
    if not said:
        title = f"{in_seed(results)}, cell states change from the second spike to the third"
    elif min(said)[0] > 0.5:
        title = f"{in_seed(results)}, cell states make most of their total change {when}: {shares}"
    which = f"the three cells of the network {WORDS[variant]} that change most, and the mean of all cells"
    head(figure, title, f"{which}; triangles: the third spike is due; {seed(results)}")
    return figure


def peephole_weights(results, arrays):
    """The peepholes of every gate, one bar for each cell; the solve rates without them, if measured."""
    peep = arrays["peephole/weights/peep"][results["recorded"]]
    left = measured(results, "peephole", *(f"solve_rate_without_{name}" for name in (*GATE, "all")))
    figure = plt.figure(figsize=(10, 6.6 if left else 4.4))
    grid = figure.add_gridspec(1 + bool(left), len(peep), height_ratios=(1.5, 1)[: 1 + bool(left)])
    axes = grid[0, :].subgridspec(1, len(peep)).subplots(sharey=True)
    for axis, weights, gate in zip(axes, peep, GATE):
        axis.bar(range(len(weights)), weights, color=role("ours")["color"])
        axis.axhline(0, color="0", linewidth=1)
        axis.set(xlabel="cell", xticks=range(len(weights)) if len(weights) <= 16 else ())
        axis.set_title(f"{GATE[gate]}s, from the cell state\nof the {'same' if gate == 'o' else 'previous'} step")
        axis.grid(False, axis="x")
    axes[0].set_ylabel("peephole weight")
    rate = final(results, "peephole", "solve_rate")
    title = f"{in_seed(results)}, the trained network has a solve rate of {percent(rate)} with its peepholes"
    if left:
        title += f", and of {percent(left['solve_rate_without_all'])} when all of them are set to zero"
        names = {f"solve_rate_without_{gate}": f"those of {GATE[gate]}s" for gate in GATE}
        names["solve_rate_without_all"] = "all peepholes"
        rates = {"none": rate} | {names[name]: value for name, value in left.items()}
        below = figure.add_subplot(grid[1, :])
        below.barh(list(rates), list(rates.values()), color=role("ours")["color"])
        for k, value in enumerate(rates.values()):
            below.text(0.01 + np.nan_to_num(value), k, percent(value), va="center")
        below.set(xlim=(0, 1.1), xticks=np.arange(0, 1.1, 0.25), xlabel="solve rate, held-out")
        below.set_title("peepholes that are set to zero after training")
        below.invert_yaxis()
        below.grid(False, axis="y")
    head(figure, title, seed(results))
    return figure


def weights(results, arrays):
    """The weights of every variant for each gate: from the cells, from the input, and the bias."""
    variants, config = list(results["runs"]), results["config"]
    recorded = {variant: arrays[f"{variant}/weights/W"][results["recorded"]] for variant in variants}
    H, limit = config["hidden"], max(np.abs(W).max() for W in recorded.values())
    names = [*(f"{GATE[gate]}s" for gate in GATE if gate != "f" or config["forget_gate"]), "candidates"]
    inputs = next(iter(recorded.values())).shape[1] - H
    figure, axes = plt.subplots(
        len(names), 2 * len(variants), figsize=(10, 9.4), squeeze=False, sharey=True, sharex="col",
        width_ratios=(H, max(inputs, H / 4)) * len(variants))  # fmt: skip
    for (variant, W), (left, right) in zip(recorded.items(), axes.T.reshape(len(variants), 2, -1)):
        for row, (recurrent, external) in enumerate(zip(left, right)):
            block = W[row * H : (row + 1) * H]
            for axis, part in (recurrent, block[:, :H]), (external, block[:, H:]):
                norm = matplotlib.colors.SymLogNorm(1, vmin=-limit, vmax=limit)
                image = axis.imshow(part, cmap="RdBu", norm=norm)
                axis.grid(False)
        number = range(H) if H <= 16 else ()
        left[0].set_title(WORDS[variant])
        left[-1].set_xticks(number)
        left[-1].set_xlabel("from cell ($h_{t-1}$)")
        right[-1].set_xticks(range(inputs), [*["x"] * (inputs - 1), "1"])
        right[-1].set_xlabel("input, bias")
        left[0].set_yticks(number)
    for axis, name in zip(axes[:, 0], names):
        axis.set_ylabel(f"{name}\nof cell")
    ticks = [value for value in (-10, -3, -1, 0, 1, 3, 10) if abs(value) <= limit]
    figure.colorbar(image, ax=axes, label="weight (logarithmic beyond ±1)", ticks=ticks, format="{x:.0f}", aspect=50)
    biases = np.stack([W[:, -1].reshape(len(names), H) for W in recorded.values()], axis=1)  # (gates, variants, H)
    which, began = "input gates", f"initial biases: {config['input_gate_bias']:g} of input gates"
    change = np.abs(biases[1] - config["input_gate_bias"]).max()
    if config["forget_gate"]:
        which, change = "input and forget gates", max(change, np.abs(biases[2] - config["forget_gate_bias"]).max())
        began += f", {config['forget_gate_bias']:g} of forget gates"
    largest = max(np.abs(W[:, :H]).max() for W in recorded.values())
    title = f"{in_seed(results)}, training changes the biases of {which} by at most {np.ceil(10 * change) / 10:.1f}"
    title += f"; the largest recurrent weight is {largest:.1f} in size"
    head(figure, title, f"{began.replace('-', '−')}; {seed(results)}")
    return figure


def target_and_output(results, arrays):
    """A generator's target and output, over the training length and at the end of a run ten times as long."""
    config, variants = results["config"], list(results["runs"])
    T, task, periods = config["T"], config["task"], config["periods"]
    order = [(k, variant) for k in range(len(periods)) for variant in variants]
    figure, axes = plt.subplots(len(order), 2, figsize=(10, 1.6 + 1.7 * len(order)), sharey=True, squeeze=False)
    for row, (k, variant) in zip(axes, order):
        output, target = arrays[f"{variant}/run_on_output"][:, k], arrays[f"{variant}/run_on_target"][:, k]
        for axis, steps in zip(row, (slice(0, T), slice(len(output) - T, len(output)))):
            t = np.arange(len(output))[steps]
            if task == "gts":
                due = t[target[steps] == 1]
                axis.plot(due, np.full(len(due), 1.2), **role("target") | {"linestyle": "", "label": "target"})
            else:
                axis.plot(t, target[steps], color=role("target")["color"], linewidth=6, alpha=0.35, label="target")
            axis.plot(t, output[steps], **look(variant, linewidth=1.5, label=f"output {WORDS[variant]}"))
            axis.set(ylim=(-0.2, 1.35), yticks=(0, 1))
            axis.xaxis.set_major_formatter("{x:,.0f}")
            axis.margins(x=0.01)
        row[0].set_ylabel(WORDS[variant].replace(" ", "\n") + (f"\nperiod {periods[k]}" if len(periods) > 1 else ""))
    axes[0, 0].set_title(f"the {T} steps of training")
    axes[0, 1].set_title(f"the last {T} of {len(output):,} steps")
    for axis in axes[-1]:
        axis.set_xlabel("time step")
    handles = {}
    for axis in axes[: len(variants), 0]:
        found, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, found))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)

    whole = len(output) if task == "gts" else min(len(output) // period * period for period in periods)
    reach = {variant: measured(results, variant, "exact_until").get("exact_until") for variant in variants}
    if all(value is not None and value >= whole for value in reach.values()):
        which, s = ("Both networks", "") if len(variants) > 1 else (f"The network {WORDS[variants[0]]}", "s")
        done = f"put{s} out every spike at its step" if task == "gts" else f"continue{s} the {config['wave']} wave"
        which = which[0].lower() + which[1:]
        title = f"{in_seed(results)}, {which} {done} for {len(output):,} steps, after training on {T} steps"
    else:
        said = [f"has a solve rate of {percent(final(results, variant, 'solve_rate'))}" if value is None
                else "diverges" if np.isnan(value) else f"is right for {value:,.0f} steps"
                for variant, value in reach.items()]  # fmt: skip
        parts = [f"the network {WORDS[variant]} {words}" for variant, words in zip(variants, said)]
        title = f"{in_seed(results)}, {'; '.join(parts)}"
    what = "spikes" if task == "gts" else f"{config['wave']} wave"
    head(figure, title, f"{what} of period {', '.join(map(str, periods))} from one start pulse; {seed(results)}")
    return figure


def error_with_peepholes(results):
    """The final error with peepholes of every seed (S,)."""
    return np.array(results["runs"]["peephole"]["final"]["test_mse"], float)


def rates(run):
    """Final solve rates (S,); 0 for a seed that diverged."""
    return np.array([value or 0 for value in run["final"]["solve_rate"]])


def solved(run):
    """The number of seeds that solve the task, and the number of all seeds."""
    return int((rates(run) >= 0.99).sum()), len(rates(run))


def wilson(k, n, z=1.96):
    """The 95 % Wilson interval of a share k / n."""
    centre, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return max(0, (centre - spread) / (n + z * z)), min(1, (centre + spread) / (n + z * z))


RECIPE = {"writeup": "the write-up's recipe", "default": "our recipe"}


def thirty_seeds():
    """Solve rates of thirty seeds with both recipes: median, deciles, and the seed with the deepest fall."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.8), sharex=True, sharey=True)
    said, medians = {}, {}
    for column, recipe in zip(axes.T, RECIPE):
        results = study(f"thirty_seeds/{recipe}")
        said[recipe] = [solved(run) for run in results["runs"].values()]
        medians[recipe] = [f"{np.median(rates(run)):.2f}" for run in results["runs"].values()]
        for axis, (variant, run) in zip(column, results["runs"].items()):
            seen, values = np.array(run["history"]["step"]) * batch_of(results), history(run, "solve_rate")
            low, median, high = np.nanpercentile(values, (10, 50, 90), axis=1)
            axis.fill_between(seen, low, high, color=look(variant)["color"], alpha=0.25, linewidth=0)
            falls = (np.maximum.accumulate(values) - values).max(axis=0)
            thin = {"color": "0.25", "marker": "None", "linewidth": 1.2, "path_effects": CASING}
            axis.plot(seen, values[:, np.nanargmax(falls)], **role("one") | thin)
            axis.plot(seen, median, **look(variant, marked=True, markevery=5, linewidth=2.5))
            (k, n), (least, most) = solved(run), wilson(*solved(run))
            words = f"{k} of {n} seeds solve the task ({100 * least:.0f} to {100 * most:.0f} %)"
            axis.set_title(f"{RECIPE[recipe]}, {WORDS[variant]}:\n{words}")
            axis.set_ylim(-0.02, 1.04)
            axis.xaxis.set_major_formatter("{x:,.0f}")
    for axis in axes[-1]:
        axis.set_xlabel("training sequences")
    for axis in axes[:, 0]:
        axis.set_ylabel("solve rate, held-out")
    (ours, n), (without, _), (theirs, _), (theirs_without, _) = said["default"] + said["writeup"]
    ours = f"all {n} seeds" if ours == without == n else f"{ours} and {without} of {n} seeds"
    (fresh, m), (fresh_without, _) = [solved(run) for run in study("thirty_seeds/default-fresh")["runs"].values()]
    fails = f"the write-up's recipe fails on {n - theirs} and {n - theirs_without} seeds"
    means = "solve: end at a solve rate of at least 0.99"
    below = f"the write-up's medians end at {' and '.join(medians['writeup'])}"
    below += ", below this" * (max(map(float, medians["writeup"])) < 0.99)
    drawn = "seeds 0 to 29: median, deciles, 95 % intervals of shares; thin line: the seed with the deepest fall"
    others = f"fresh seeds 30 to 59, our recipe: {fresh} and {fresh_without} of {m} solve the task"
    title = f"Our recipe solves the task on {ours}, with and without peepholes; {fails}"
    head(figure, title, f"{means}; {below}; {drawn}; {others}")
    return figure


LENGTHS = (150, 300, 600)


def length():
    """The share of seeds that solve the task, and the error of every seed, against the length of sequences."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharex=True)
    ends, seeds = {}, []
    for T in LENGTHS:
        results = study("thirty_seeds/default" if T == 150 else f"length/{T}")
        seeds.append(f"{len(results['seeds'])}")
        for variant, run in results["runs"].items():
            at = T * {"peephole": 0.91, "vanilla": 1.1}[variant]
            (k, n), (low, high) = solved(run), wilson(*solved(run))
            ends[variant, T] = k, n
            shown = look(variant, marked=True, linestyle="", markersize=9, markeredgewidth=2)
            axes[0].errorbar(at, k / n, [[k / n - low], [high - k / n]], **shown, capsize=4, elinewidth=2)
            axes[0].annotate(f"{k}/{n}", (at, low), (0, -6), textcoords="offset points", ha="center", va="top")
            mse, spread = np.array(run["final"]["test_mse"], float), np.linspace(0.95, 1.05, len(rates(run)))
            axes[1].plot(at * spread, mse, **look(variant, marked=True, linestyle="", markersize=5))
            for lost in np.flatnonzero(np.isnan(mse)):
                where, step = at * spread[lost], run["diverged_at_step"][lost]
                axes[1].plot(where, 0.016, "x", color=look(variant)["color"], markersize=10, markeredgewidth=3)
                words = f"seed {results['seeds'][lost]} diverged at step {step:,}"
                axes[1].text(0.96 * where, 0.016, words, ha="right", va="center")
        axes[1].plot([T * 0.83, T * 1.2], [1 / T] * 2, **role("chance"))
    axes[0].set_title("share of seeds that solve the task")
    axes[0].set(ylim=(0, 1.04), xscale="log")
    axes[1].set(yscale="log")
    axes[1].set_title("mean squared error of each seed")
    axes[1].text(LENGTHS[0] * 1.24, 1 / LENGTHS[0], "no output (1/T)", va="center", color="0.3")
    for axis in axes:
        axis.set_xticks(LENGTHS, [f"T = {T}\nD = {T // 5} to {2 * T // 5}" for T in LENGTHS])
        axis.minorticks_off()
        axis.set_xlim(LENGTHS[0] * 0.78, LENGTHS[-1] * 1.28)
    handles = [plt.Line2D([], [], **look(variant, marked=True, linestyle="", label=WORDS[variant])) for variant in ROLE]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    T = LENGTHS[-1]
    (k, n), (without, _) = ends["peephole", T], ends["vanilla", T]
    words = f"{k} of {n} seeds solve the task with peepholes, and {without} of {n} without"
    sizes = f"{', '.join(seeds[:-1])} and {seeds[-1]} seeds at T = {LENGTHS[0]}, {LENGTHS[1]} and {T}"
    bars = "bars: 95 % Wilson intervals; errors are means over steps; the seed that diverged counts as not solved"
    head(figure, f"With distances {T // LENGTHS[0]} times as long, {words}", f"{sizes}; {bars}")
    return figure


GROUPS = {"all of g": "candidates g", "all of o": "output gates", "all of i": "input gates", "all of f": "forget gates",
          "output": "read-out"}  # fmt: skip


def collapses():
    """Networks that fall back: the course around a collapse, whose weights do it, and what means of weights do."""
    path = Path("results") / EXPERIMENT / "collapses" / "results.json"
    try:
        parts = [*json.loads(path.read_text())["ways"]["none"].values()]
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 -m studies.collapses")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")
    events = [event for part in parts for event in part["events"]]
    figure, axes = plt.subplots(2, 2, figsize=(10, 7.2), width_ratios=(1.1, 1))
    n = (len(parts[0]["around"]["rate"][0]) - 1) // 2
    steps = np.arange(-n, n + 1)
    for name, who in (("rate", "ours"), ("gradient", "other")):
        axis = axes[0, 0] if name == "rate" else axes[1, 0]
        low, median, high = np.array(parts[0]["around"][name])
        axis.fill_between(steps, low, high, color=role(who)["color"], alpha=0.2, linewidth=0)
        axis.plot(steps, median, color=role(who)["color"], linewidth=2)
        axis.axvline(0, **role("chance"))
    axes[0, 0].set(title="share of solved sequences", ylim=(0, 1.02))
    axes[1, 0].set(
        title="norm of the gradient, in times of its median before", xlabel="steps from the collapse", ylim=(0, None)
    )
    for place, (group, words) in enumerate(GROUPS.items()):
        for key, who, shift in (("alone", "ours", -0.18), ("back", "target", 0.18)):
            values = [event[key][group] for event in events]
            low, median, high = np.percentile(values, (25, 50, 75))
            colour = role(who)["color"]
            axes[0, 1].plot([low, high], [place + shift] * 2, color=colour, linewidth=3, alpha=0.5)
            axes[0, 1].plot(median, place + shift, role(who)["marker"], color=colour, markersize=8)
    axes[0, 1].plot([], [], role("ours")["marker"], color=role("ours")["color"], label="lost if only these change")
    axes[0, 1].plot(
        [], [], role("target")["marker"], color=role("target")["color"], label="regained if only these go back"
    )
    axes[0, 1].legend(loc="lower right")
    axes[0, 1].set_yticks(range(len(GROUPS)), GROUPS.values())
    axes[0, 1].invert_yaxis()
    axes[0, 1].set(title="solve rate (bars: middle half of the collapses)")
    last = np.concatenate([part["solve_rate"] for part in parts])
    counts = {"last weights": last} | {
        f"means of {int(k):,} steps": np.concatenate([part["solve_rate_of_means"][k] for part in parts])
        for k in parts[0]["solve_rate_of_means"]
    }
    for place, (words, rate) in enumerate(counts.items()):
        k, m = int((rate >= 0.99).sum()), len(rate)
        low, high = wilson(k, m)
        axes[1, 1].plot([low, high], [place] * 2, color=role("ours")["color"], linewidth=2)
        axes[1, 1].plot(k / m, place, "o", color=role("ours")["color"], markersize=8)
        axes[1, 1].annotate(f"{k}/{m}", (high, place), (6, 0), textcoords="offset points", va="center")
    axes[1, 1].set_yticks(range(len(counts)), counts)
    axes[1, 1].invert_yaxis()
    axes[1, 1].margins(y=0.2)
    axes[1, 1].set(xlim=(0, 1), title="networks that solve the task")
    gained = (counts["means of 500 steps"] >= 0.99).sum()
    title = "When a network falls back, its clock changes speed: the weights of the candidates do it"
    about = (
        f"{len(events)} collapses, write-up's recipe at its first rate; left: medians and deciles of seeds 0 to 29; "
    )
    head(figure, title, f"{about}means of weights solve the task on {gained} of {len(last)} seeds instead of "
         f"{(last >= 0.99).sum()}")  # fmt: skip
    return figure


STUDIES = thirty_seeds, length, collapses


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    run, folder = Path("results") / EXPERIMENT, Path("viz") / EXPERIMENT
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help=f"folder for pictures (default: viz/{EXPERIMENT}; with --run: DIR/viz)"
    )
    options = parser.parse_args(argv)
    out = options.out or (options.run / "viz" if options.run else folder)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    command = f"python3 {EXPERIMENT}.py" + (f" --out {options.run}" if options.run else "")
    results, arrays = load_run(options.run or run, EXPERIMENT, command)
    announce(options.run or run, run, f"visualize/{EXPERIMENT}.py")
    if not all("measures" in found for found in results["runs"].values()):
        print(f"python3 -m studies measure {options.run or run} adds measures of the networks to the titles")
    if not options.run:
        rank(results, "thirty_seeds/default", ratios, "ratio of errors")
    spikes = task, sample_predictions, cell_state, clock
    task_pictures = spikes if results["config"]["task"] == "msd" else (target_and_output,)
    with_peepholes = (peephole_weights,) if "peephole" in results["runs"] else ()
    for draw in (training_curves, *task_pictures, *with_peepholes, weights):
        save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    if not options.run:
        for name, point, words in GENERATED:
            made = load_run(run / name, EXPERIMENT, f"python3 {EXPERIMENT}.py {words} --out {run / name} --force")
            rank(made[0], point, error_with_peepholes, "final error with peepholes")
            save_picture(target_and_output(*made), out / f"{name}.png")
        for draw in STUDIES:
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
