#!/usr/bin/env python3
"""Draw a run of temporal_order_3bit.py into viz/temporal_order_3bit/*.png; without --run also its studies.

It reads results.json and snapshots.npz of the run and results.json and measures.json of the studies; it trains nothing.
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
from matplotlib.patheffects import Normal, Stroke

EXPERIMENT = "temporal_order_3bit"
ROOT = Path(__file__).resolve().parent.parent
NETWORKS = {"lstm": ("LSTM", "ours"), "rnn": ("tanh RNN", "other")}  # name and role
X, Y, START = 4, 5, 6
SYMBOLS, CLASSES, CHANCE = "abcdXYBE", ("XX", "XY", "YX", "YY"), 0.25
LIMIT = 3.0  # the colours of states end here: tanh(3) is 0.995, so a larger state changes an output very little
NEAR_ZERO = 0.05  # a mean input gate below this is near zero
CLOSED, OPEN = 0.1, 0.5  # an output is held back if its mean gate is below CLOSED, and above OPEN at the last step
DARK = "0.15"  # the colour of words beside a line


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


def history(run, name):
    """The history of a metric as an array (evaluations, seeds), with NaN for missing values."""
    return np.array(run["history"][name], float)


def line(name):
    """The style of a role as a line without markers."""
    return {**role(name), "marker": "None"}


def title(figure, finding, about):
    """Write the finding above a figure in bold, and the details (seeds, numbers, sizes) in smaller letters."""
    above = figure.suptitle("\n".join([*textwrap.wrap(finding, 92), *[" "] * (1 + about.count("\n"))]))
    figure.add_artist(plt.Annotation(about, (0.5, 0), xycoords=above, ha="center", va="bottom", fontsize=11))


def wilson(k, n, z=1.959964):
    """The 95 % Wilson interval (low, high) of a share k / n."""
    middle, half = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def study(name):
    """Read results.json of a point of the studies."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    return load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]


def measured(results, *names):
    """Measures of the recorded seed's LSTM over all held-out sequences, or None."""
    measures = results["runs"]["lstm"].get("measures", {})
    return [measures[name][results["recorded"]] if name in measures else None for name in names]


def recorded_seed(results, of_gate=False):
    """The seed that a picture shows and, for the headline, its place among thirty. of_gate: its rank by selectivity."""
    seed, thirty = results["seeds"][results["recorded"]], results.get("thirty")
    if thirty is None:
        return f"Seed {seed}"
    lstm, place = thirty["runs"]["lstm"], thirty["seeds"].index(seed)
    reached, ratios = np.array(lstm["sequences_to_95"]), np.array(lstm["measures"]["gate_selectivity"])
    if of_gate:
        rank = 1 + (ratios < ratios[place]).sum()
        return f"Seed {seed}; selectivity of the input gate: rank {rank} of {len(ratios)} from the lowest"
    median = f"median of {len(ratios)} seeds: {np.median(reached):,.0f}"
    return f"Seed {seed}: {reached[place]:,.0f} sequences to 95 % ({median})"


# shared block
def mark(axis, symbols):
    """Draw a dashed line with the letter above it at each X and Y of symbols (T,). Returns the lines."""
    lines, style = [], {**role("input"), "marker": "None", "linewidth": 1.5, "zorder": 3}
    for t in np.flatnonzero((symbols == X) | (symbols == Y)):
        lines.append(axis.axvline(t, **style, path_effects=[Stroke(linewidth=4, foreground="white"), Normal()]))
        axis.annotate(SYMBOLS[symbols[t]], (t, 1), (0, 2), ("data", "axes fraction"), "offset points", ha="center",
                      fontweight="bold", annotation_clip=False)  # fmt: skip
    return lines


def loss_and_accuracy():
    """A figure with two panels, for loss and accuracy on held-out sequences. Lines mark the level of chance."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4))
    for axis, level, words in zip(axes, (np.log(4), CHANCE), ("chance, log 4", "chance, 1/4")):
        axis.axhline(level, **line("chance"))
        axis.annotate(words, (0.98, level), (0, -4), axis.get_yaxis_transform(), "offset points", ha="right", va="top")
        axis.xaxis.set_major_formatter("{x:,.0f}")
    axes[0].set(title="Cross-entropy on held-out sequences (nats)", xlabel="training sequences", ylim=(0, 1.6))
    axes[1].set(title="Accuracy on held-out sequences", xlabel="training sequences", ylim=(0, 1.03))
    return figure, axes


def name_line(axis, x, y, network):
    """Write the name of a network beside the end (x, y) of its line."""
    below = y > 0.9 * axis.get_ylim()[1]
    offset, va = ((0, -5), "top") if below else ((0, 5), "bottom")
    style = {"ha": "right", "va": va, "color": DARK, "fontweight": "bold"}
    axis.annotate(NETWORKS[network][0], (x, y), offset, "data", "offset points", **style)


def training_curves(results, _):
    """Loss of the recorded seed on training batches and held-out sequences; for the headline, its rank among thirty."""
    seed, batch, thirty = results["recorded"], results["config"]["batch"], results.get("thirty")
    figure, axes = plt.subplots(1, 2 if thirty else 1, figsize=(10, 4.6), width_ratios=[3, 2] if thirty else None)
    axis, *places = np.atleast_1d(axes)
    reached = results["runs"].get("lstm", {}).get("sequences_to_95", [None] * (seed + 1))[seed]
    finding, about, ends = (
        "The lines show the loss during training",
        "Thin: training batches; markers: held-out sequences",
        [],
    )
    for network, run in results["runs"].items():
        name, seen = NETWORKS[network][1], np.array(run["history"]["step"]) * batch
        until = min(seen[-1], 2.5 * reached) if reached else seen[-1]
        of_batch, loss = np.array(run["history"].get("batch_loss", []), float), history(run, "val_loss")[:, seed]
        axis.plot(batch * np.arange(len(of_batch)), of_batch, **line(name) | {"linestyle": "-"}, lw=0.8, alpha=0.7)
        axis.plot(seen, loss, **role(name))
        ends.append((until, loss[seen <= until][-1], network))
        near = np.sum(np.abs(of_batch - np.log(2)) < 0.1)
        if network == "lstm" and near >= 20 and loss[-1] < 0.01:
            finding = "This LSTM learns in two stages: its loss first falls to log 2, and later to zero"
            about += f"; {near} training batches have a loss within 0.1 of log 2"
    axis.set(xlim=(-0.02 * until, 1.02 * until), ylim=(0, max(1.6, 1.1 * axis.dataLim.y1)))
    for level, words in (np.log(4), "chance, log 4"), (np.log(2), "one marker known, log 2"):
        axis.axhline(level, **line("chance"))
        axis.annotate(words, (0.98, level), (0, -4), axis.get_yaxis_transform(), "offset points", ha="right", va="top")
    for x, y, network in ends:
        name_line(axis, x, y, network)
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set(title="Cross-entropy (nats)", xlabel="training sequences")
    for panel in places:
        values = np.array(thirty["runs"]["lstm"]["sequences_to_95"], float)
        shown = thirty["seeds"].index(results["seeds"][seed])
        for value in np.unique(values):
            here = np.flatnonzero(values == value)
            here = [*here[here == shown], *here[here != shown]]  # the shown seed is the lowest of its column
            for height, k in enumerate(here, 1):
                face = {} if k == shown else {"markerfacecolor": "white"}
                panel.plot(value, height, **role("ours") | {"markersize": 8} | face)
        beside = {"arrowprops": {"arrowstyle": "->", "color": DARK}, "fontweight": "bold", "va": "center"}
        panel.annotate(
            f"seed {results['seeds'][seed]}", (values[shown] - 150, 1), (values.min(), 6), ha="center", **beside
        )
        panel.set(
            title=f"{len(values)} seeds: sequences to 95 %", xlabel="training sequences", ylabel="number of seeds"
        )
        panel.set(ylim=(0, None), xlim=(0, 1.12 * values.max()))
        panel.xaxis.set_major_formatter("{x:,.0f}")
    title(figure, finding, f"{recorded_seed(results)}\n{about}")
    return figure


def example_sequences(results, arrays):
    """One recorded sequence of each class, letter by letter."""
    x, y = arrays["lstm/x"], arrays["lstm/y"]
    figure, axis = plt.subplots(figsize=(10, 2.7))
    few = len(x) <= 60  # with at most this number of steps there is room for all letters
    box = {"boxstyle": "square,pad=0.25", "facecolor": role("input")["color"], "edgecolor": "none"}
    for (t, k), symbol in np.ndenumerate(x):
        marker = symbol in (X, Y)
        style = {"color": "white", "fontweight": "bold", "bbox": box, "zorder": 3} if marker else {"color": "0.35"}
        axis.text(t, k, SYMBOLS[symbol] if few or symbol >= X else "·", ha="center", va="center", **style)
    axis.set(xlim=(-1, len(x)), ylim=(3.6, -0.6), xlabel="time step")
    axis.set_yticks(range(4), [f"class {CLASSES[label]}" for label in y])
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.grid(False)
    about = f"One sequence of each class; the network reads {len(x)} symbols and names the class after the last one"
    title(figure, "The class is the order of two symbols; all other symbols are noise", about)
    return figure


def input_gate_activity(results, arrays):
    """The largest input gate at each step of the recorded sequences."""
    x, y, widest = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/i"][-1].max(axis=1)  # (T, n)
    figure, axes = plt.subplots(4, 1, figsize=(10, 7.6), sharex=True, sharey=True)
    for k, axis in enumerate(axes):
        marker = (x[:, k] == X) | (x[:, k] == Y)
        colours = np.where(marker, role("ours")["color"], np.where(x[:, k] >= START, "0.2", "0.7"))
        axis.bar(np.arange(len(x)), widest[:, k], color=colours, width=0.85)
        for t in np.flatnonzero(x[:, k] >= X):
            axis.annotate(
                SYMBOLS[x[t, k]],
                (t, widest[t, k]),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontweight="bold" if marker[t] else "normal",
            )
        axis.set(ylim=(0, 1.18), yticks=(0, 0.5, 1), ylabel=f"class {CLASSES[y[k]]}", xlim=(-0.7, len(x) - 0.3))
        axis.grid(False, axis="x")
    axes[-1].set_xlabel("time step")
    at_markers, at_end, elsewhere = measured(results, "gate_at_markers", "gate_at_end", "gate_at_distractors")
    finding = "The bars show the widest input gate at each step"
    if at_markers is not None:
        finding = (
            f"The input gate opens at the markers ({at_markers:.2f}) and at the end symbol ({at_end:.2f}); "
            f"at distractors it stays partly open ({elsewhere:.2f})"
        )
    about = "Bars: widest gate, max$_k$ $i_t$, one sequence of each class"
    about += "; title: means over held-out sequences" if at_markers is not None else ""
    title(figure, finding, f"{recorded_seed(results, of_gate=True)}\n{about}")
    return figure


def held_back(x, o):
    """The pairs (cell, sequence) whose output gate is closed until the last step.

    x (T, n): symbols. o (T, H, n): output gates. The mean gate is that between the second marker and the last step.
    """
    marker = (x == X) | (x == Y)
    after = (marker.cumsum(axis=0) == 2) & ~marker & (x < START)
    mean = (o * after[:, None]).sum(axis=0) / np.maximum(1, after.sum(axis=0))
    return np.argwhere(after.any(axis=0) & (mean < CLOSED) & (o[-1] > OPEN))


def hidden_trajectories(results, arrays):
    """Cell states on the left, outputs on the right, over time, one row per class."""
    x, y, H = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/h"].shape[2]
    figure, axes = plt.subplots(4, 2, figsize=(10, 8.8), sharex=True, sharey="col")
    for row, axis in np.ndindex(4, 2):
        panel = axes[row, axis]
        for k in range(H):
            style = role(f"cell {k}") | {"linestyle": ("-", "--", "-.", ":")[(k + k // 4) % 4]}
            (drawn,) = panel.plot(arrays[f"lstm/{'ch'[axis]}"][-1, :, k, row], **style)
            drawn.set_label(f"cell {k}" if row + axis == 0 else "")
        for below in mark(panel, x[:, row]):
            below.set_zorder(1)
    for row in range(4):
        axes[row, 0].set_ylabel(f"class {CLASSES[y[row]]}")
    for panel, words, ticks in zip(axes[0], ("cell state $c_t$", "output $h_t$"), (5, 3)):
        panel.set_title(words, pad=17)
        panel.locator_params(axis="y", nbins=ticks)
    for panel in axes[-1]:
        panel.set_xlabel("time step")
    figure.legend(loc="outside lower center", ncols=min(H, 8), fontsize=11, handlelength=3)
    found = held_back(x, arrays["lstm/o"][-1])
    for k, n in found:
        at = (np.flatnonzero((x[:, n] == X) | (x[:, n] == Y))[-1] + len(x)) / 2
        height = arrays["lstm/h"][-1, int(at), k, n]
        axes[n, 1].annotate(f"cell {k}", (at, height), (0, 6), "data", "offset points", ha="center", fontweight="bold")
    finding = f"{len(found)} of {4 * H} outputs are held back until the last step"
    if len(found) == 1:
        ((k, n),) = found
        finding = f"1 of {4 * H} outputs is held back until the last step: that of cell {k} in class {CLASSES[y[n]]}"
    about = (
        f"Held back: output gate below {CLOSED:g} on average after the second marker, above {OPEN:g} at the last step"
    )
    title(figure, finding, f"{recorded_seed(results)}; one sequence of each class\n{about}")
    return figure


def cell_state_heatmap(results, arrays):
    """Cell states after training, cell by time, one panel per class, with the signs at the end."""
    x, y, c = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/c"][-1]  # (T, H, n)
    figure, axes = plt.subplots(4, 1, figsize=(10, 7.4), sharex=True)
    for k, axis in enumerate(axes):
        image = axis.imshow(c[:, :, k].T, cmap=plt.get_cmap("RdBu", 49), vmin=-LIMIT, vmax=LIMIT)
        mark(axis, x[:, k])
        axis.set(yticks=range(c.shape[1]), ylabel=f"class {CLASSES[y[k]]}\ncell")
        for cell, value in enumerate(c[-1, :, k]):
            axis.annotate(
                "+" if value > 0 else "−",
                (1.01, cell),
                xycoords=axis.get_yaxis_transform(),
                va="center",
                fontweight="bold",
                annotation_clip=False,
            )
        axis.grid(False)
    axes[-1].set_xlabel("time step")
    figure.colorbar(image, ax=axes, label="cell state $c_t$", shrink=0.6, extend="both")
    (told,) = measured(results, "sign_accuracy")
    finding = "The signs at the right are those of the final cell states"
    if told is not None:
        finding = f"The signs of the final cell states tell the class in {100 * told:.1f} % of held-out sequences"
    title(figure, finding, f"{recorded_seed(results)}\nOne sequence of each class, after training")
    return figure


def thirty_seeds(thirty):
    """Loss and accuracy of thirty seeds, for LSTM and RNN: medians and bands of deciles."""
    figure, axes = loss_and_accuracy()
    said, n = [], len(thirty["seeds"])
    for network, run in thirty["runs"].items():
        words, name = NETWORKS[network]
        seen = np.array(run["history"]["step"]) * thirty["config"]["batch"]
        for axis, metric in zip(axes, ("val_loss", "val_accuracy")):
            low, median, high = np.percentile(history(run, metric), [10, 50, 90], axis=1)
            axis.fill_between(seen, low, high, color=role(name)["color"], alpha=0.25, linewidth=0)
            axis.plot(seen, median, **line(name))
            name_line(axis, seen[-1], median[-1], network)
        solved = sum(value == 1 for value in run["final"]["val_accuracy"])
        said.append(f"the {words} {'on' if said else 'solves the task on'} {solved} of {n} seeds")
    about = f"Seeds {thirty['seeds'][0]} to {thirty['seeds'][-1]}; lines: medians; bands: first to ninth decile"
    title(figure, "T" + ", ".join(said)[1:], f"{about}; to solve: to end at an accuracy of 1.000")
    return figure


def length():
    """The share of thirty seeds that solve the task, and the sequences that they need, against length, by recipe."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.8))
    lengths, solved = np.array([50, 100, 200, 500]), {}
    first = [f"thirty_seeds/{recipe}" for recipe in ("default", "writeup")]
    kinds = {
        "ours": [first[0], *(f"length/default-{T}" for T in lengths[1:])],
        "writeup": [first[1], *(f"length/writeup-{T}" for T in lengths[1:])],
        "longer": ["length/default-500-longer"],
    }
    for kind, points in kinds.items():
        runs = [study(point)["runs"]["lstm"] for point in points]
        n = [len(run["sequences_to_95"]) for run in runs]
        k = solved[kind] = [sum(value == 1 for value in run["final"]["val_accuracy"]) for run in runs]
        share = np.divide(k, n)
        style = role("ours" if kind == "longer" else kind) | ({"markerfacecolor": "white"} if kind == "longer" else {})
        at = lengths[-len(runs) :] * {"ours": 0.96, "writeup": 1.0, "longer": 1.04}[kind]
        bars = {"markersize": 7, "capsize": 3, "elinewidth": 1.5}
        interval = np.abs(np.array([wilson(*pair) for pair in zip(k, n)]).T - share)
        axes[0].errorbar(at, share, interval, **style, **bars)
        some = [(x, [s for s in run["sequences_to_95"] if s is not None]) for x, run in zip(at, runs)]
        some = [(x, *np.percentile(values, [10, 50, 90])) for x, values in some if values]
        x, low, median, high = np.array(some).T
        axes[1].errorbar(x, median, [median - low, high - median], **style, **bars)
    axes[0].set(title="Share of seeds that solve the task, 95 % interval", xscale="log", ylim=(-0.03, 1.14))
    axes[0].set_yticks(np.linspace(0, 1, 6))
    axes[1].set(title="Sequences to 95 %: median, deciles", xscale="log", yscale="log")
    for axis in axes:
        axis.set_xticks(lengths, lengths)
        axis.set(xlabel="steps of a sequence, T", xlim=(44, 590))
        axis.minorticks_off()
    ticks = [1600, 3200, 6400, 12800, 25600]
    axes[1].set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    for words, place, side in (
        ("our recipe", (48, 1.04), "left"),
        ("with 3,000 steps (hollow)", (570, 1.04), "right"),
        ("write-up's recipe", (112, 0.64), "left"),
    ):
        axes[0].text(*place, words, color=DARK, fontweight="bold", ha=side)
    n = len(study(first[0])["seeds"])
    ours, theirs = (f"on {solved[kind][-1]} of {n} seeds" for kind in ("ours", "writeup"))
    finding = f"At T = {lengths[-1]} our recipe solves the task {ours}, the write-up's {theirs}"
    about = f"Seeds 0 to {n - 1}, four cells, 1,500 training steps; right: only the seeds that reach 95 %"
    title(figure, finding, about)
    return figure


def gate_selectivity():
    """Mean of the widest input gate, at markers and at distractors, one dot per seed, by variant."""
    variants = {
        "write-up's\nrecipe\nT = 50": "thirty_seeds/writeup",
        "our recipe\n\nT = 50": "thirty_seeds/default",
        "our recipe\n2 blocks\nT = 50": "ablations/blocks-2",
        "our recipe\nforget gates\nT = 50": "ablations/forget-gate",
        "our recipe\n\nT = 100": "length/default-100",
        "our recipe\n\nT = 200": "length/default-200",
        "our recipe\n\nT = 500": "length/default-500",
        "our recipe\n3,000 steps\nT = 500": "length/default-500-longer",
    }
    figure, axis = plt.subplots(figsize=(10, 5.6))
    clean, n = {}, {}
    for place, point in enumerate(variants.values()):
        run = study(point)["runs"]["lstm"]
        solves = np.array(run["final"]["val_accuracy"], float) == 1
        style = role("writeup" if "writeup" in point else "ours") | {"linestyle": "None", "markersize": 4.5}
        for kind, side in (("markers", -0.17), ("distractors", 0.17)):
            value = np.array(run["measures"][f"gate_at_{kind}"], float)
            beside = place + side + np.linspace(-0.12, 0.12, solves.sum())
            face = style["color"] if kind == "markers" else "white"
            axis.plot(beside, value[solves], **style | {"marker": "o", "markerfacecolor": face})
            median = [np.median(value[solves])] * 2
            axis.plot([place + side - 0.16, place + side + 0.16], median, color="black", linewidth=2.5)
        clean[point] = f"{(value[solves] < NEAR_ZERO).sum()} of {solves.sum()} seeds"
        n[point] = f"{solves.sum()} seeds"
    axis.axhline(NEAR_ZERO, color="0.3", linestyle="--", linewidth=1.2)
    axis.annotate(f"{NEAR_ZERO:g}", (1, NEAR_ZERO), (4, 0), axis.get_yaxis_transform(), "offset points", va="center")
    axis.annotate("at markers", (0.26, 0.93), fontweight="bold", va="center")
    axis.annotate("at distractors", (0.42, 0.40), fontweight="bold", va="center")
    axis.set_xticks(range(len(variants)), [f"{words}\n{n[point]}" for words, point in variants.items()])
    axis.set(ylim=(0, 1.02), ylabel="mean of the widest input gate, max$_k$ $i_t$")
    axis.grid(False, axis="x")
    short, long = clean["thirty_seeds/default"], clean["length/default-500-longer"]
    about = "Two dots for each seed that ends at 1.000: at markers (filled) and at distractors (hollow); bars: medians"
    finding = (
        f"With our recipe the widest input gate at distractors has a mean below {NEAR_ZERO:g} on {short} at T = 50"
    )
    title(figure, f"{finding}, and on {long} at T = 500 after 3,000 steps", about)
    return figure


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    run, folder = Path("results") / EXPERIMENT, Path("viz") / EXPERIMENT
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help=f"folder of the pictures (default: viz/{EXPERIMENT}; --run: DIR/viz)"
    )
    options = parser.parse_args(argv)
    out = options.out or (options.run / "viz" if options.run else folder)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    command = f"python3 {EXPERIMENT}.py" + (f" --out {options.run}" if options.run else "")
    results, arrays = load_run(options.run or run, EXPERIMENT, command)
    announce(options.run or run, run, f"visualize/{EXPERIMENT}.py")
    if not all("measures" in found for found in results["runs"].values()):
        print(f"for titles with means over all held-out sequences: python3 -m studies measure {options.run or run}")
    if not options.run:
        results["thirty"] = study("thirty_seeds/default")
    save_picture(training_curves(results, arrays), out / "training_curves.png")
    if "lstm" in results["runs"]:
        for draw in example_sequences, input_gate_activity, hidden_trajectories, cell_state_heatmap:
            save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    else:
        print("the other pictures show an LSTM; this run has no LSTM")
    if not options.run:
        save_picture(thirty_seeds(results["thirty"]), out / "thirty_seeds.png")
        for draw in length, gate_selectivity:
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
