#!/usr/bin/env python3
"""Draw a run of information_latching.py, and the studies made with it, into viz/information_latching/*.png.

It reads results.json, snapshots.npz and measures.json of the run, and results.json and measures.json of the studies. It
trains nothing.
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
import zipfile
import zlib
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.legend_handler import HandlerTuple

EXPERIMENT = "information_latching"
ROOT = Path(__file__).resolve().parent.parent
ROLE = {"srnn": "other", "lstm": "ours", "gru": "third", "lstm-1997": "fourth"}
NAME = {"srnn": "simple RNN", "lstm": "LSTM", "gru": "GRU", "lstm-1997": "LSTM without forget gate"}
LATCHED = 0.99  # accuracy
LANDSCAPE_STEPS = (1, 4, 50)
CLIFF = 0.25  # difference of loss between neighbouring points of a landscape


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


def study(point):
    """Read results.json of a point of the studies, such as "figure/asker"."""
    command = f"python3 -m studies run {EXPERIMENT}/{point}"
    return load_run(Path("results") / EXPERIMENT / point, EXPERIMENT, command, arrays=False)[0]


# ------------------------------------------------------------------------------------------------ what is drawn


def by_length(results, kind, value):
    """Lengths (n,) of a kind of network, and value(run) of each: (n, seeds)."""
    runs = sorted((run for run in results["runs"].values() if run["cell"] == kind), key=lambda run: run["T"])
    return np.array([run["T"] for run in runs]), np.array([value(run) for run in runs], float)


def kinds_of(results):
    """Kinds of networks of a run, in its order."""
    return list(dict.fromkeys(run["cell"] for run in results["runs"].values()))


def measured(results):
    """Whether the networks of a run have values from measures.json."""
    return all("measures" in run for run in results["runs"].values())


def held_out(run):
    """Accuracy of each network on held-out sequences; NaN if it diverged."""
    return np.array(run["final"]["val_accuracy"], float)


def fresh(run):
    """Accuracy of each network on fresh sequences; if the run has no measures, on held-out sequences."""
    return np.array(run["measures"]["fresh_accuracy"], float) if "measures" in run else held_out(run)


def at_ten_times(run):
    """Accuracy of each network on sequences ten times longer."""
    return np.array(run["measures"]["ten_times_accuracy"], float)


def latched(results, kind, accuracy=fresh):
    """Lengths (n,) of a kind of network, and which networks latch: (n, seeds)."""
    T, values = by_length(results, kind, accuracy)
    return T, values >= LATCHED


def count(results, kind, length):
    """The number of networks of a kind that latch at a length."""
    return int((fresh(results["runs"][f"{kind}-{length}"]) >= LATCHED).sum())


def wilson(k, n):
    """The two ends of the 95 % Wilson interval of a share k / n."""
    k, n, z = np.asarray(k, float), np.asarray(n, float), 1.959964
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return np.clip((middle - spread) / (n + z * z), 0, 1), np.clip((middle + spread) / (n + z * z), 0, 1)


def ordinal(n):
    """1st, 2nd, 3rd, 4th and so on."""
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def power_of_ten(value):
    """A number such as 2 · 10⁻⁹, for the inside of a formula of Matplotlib."""
    digit, exponent = f"{value:.0e}".split("e")
    return f"{digit} \\cdot 10^{{{int(exponent)}}}"


def units(results):
    """The number of units of a run's networks, in words."""
    hidden = results["config"]["hidden"]
    return "one unit" if hidden == 1 else f"{hidden} units"


# ---------------------------------------------------------------------------------------------- how it is drawn


def entitle(figure, title, subtitle):
    """Write the finding in bold, and the sizes below it. Both may have several lines."""
    figure.suptitle(f"{title}\n" + "\n" * subtitle.count("\n"))  # with room for the subtitle
    below = 9 + 16 * (title.count("\n") + 1)  # points
    figure.text(0.5, 1 - below / 72 / figure.get_figheight(), subtitle, ha="center", va="top", fontsize=11)


def look(kind, **changes):
    """The style of a kind of network: its role, with changes."""
    return role(ROLE[kind]) | {"markersize": 5} | changes


def draw_shares(axis, T, k, n, kind):
    """Draw shares k / n over lengths T, with the band of their intervals."""
    axis.fill_between(T, *wilson(k, n), color=look(kind)["color"], alpha=0.13, linewidth=0)
    axis.plot(T, np.asarray(k) / n, **look(kind))


def draw_share(axis, y, k, n, kind, marker="o", filled=True, words=""):
    """Draw one share k / n with its interval in row y, and its numbers beside it."""
    (low, high), colour = wilson(k, n), look(kind)["color"]
    axis.plot([low, high], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    face = colour if filled else "white"
    axis.plot(k / n, y, marker, color=colour, markerfacecolor=face, markersize=7.5, markeredgewidth=1.8)
    axis.text(high + 0.035, y, f"{words}{k}/{n}", va="center", fontsize=10, color="0.2")


def share_axis(axis, label):
    """Set the x-axis of a picture whose rows are shares."""
    axis.set(xlim=(-0.04, 1.2), xticks=(0, 0.5, 1), xlabel=label)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def label_ends(axis, ends, gap=0.075):
    """Write the name of each kind beside the end of its line, ends {kind: (x, y)}. Labels do not overlap."""
    to_axes = axis.transData + axis.transAxes.inverted()
    lowest, x = -np.inf, max(to_axes.transform(end)[0] for end in ends.values())
    for kind, end in sorted(ends.items(), key=lambda item: (item[1][1], item[0] != "gru")):
        words = NAME[kind].replace(" without ", "\nwithout ")
        y = max(to_axes.transform(end)[1], lowest + gap * (1 + words.count("\n") / 2))
        lowest = y + gap * words.count("\n") / 2
        axis.annotate(
            words,
            (x, y),
            xycoords="axes fraction",
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=look(kind)["color"],
            fontweight="bold",
            annotation_clip=False,
        )


# ------------------------------------------------------------------------------------------- pictures of a run


def draw_sequence(axis, x, answer, sign):
    """Draw a sequence x (T,), its first input, and the answer at its last step, above (sign 1) or below (sign -1)."""
    T, colour, green = len(x), role("input")["color"], role("target")["color"]
    axis.axhline(0, color="0.8", linewidth=1)
    axis.plot(np.arange(1, T + 1), x, color=colour, linewidth=1.4)
    face = colour if x[0] > 0 else "white"
    axis.plot(1, x[0], "^" if x[0] > 0 else "v", color=colour, markerfacecolor=face, markersize=12, markeredgewidth=1.8)
    axis.axvline(T, color=green, linestyle="--", linewidth=1.8)
    words = {"ha": "right", "va": "center", "color": green, "fontweight": "bold"}
    axis.text(T * 0.98, 0.75 * sign, f"right answer\nat step {T}: {answer}", **words)
    axis.set(ylim=(-1.5, 1.5), yticks=(-1, 0, 1), xlim=(0, T + 1), ylabel="input $x_t$")
    axis.grid(False)


def draw_accuracies(axis, runs):
    """Draw the accuracy of every network of runs {kind: run}, and the levels of chance and of a latch."""
    lowest = 0.45
    for place, (kind, run) in enumerate(runs.items()):
        values = fresh(run)
        shift = np.linspace(-0.36, 0.36, len(values)) if len(values) > 1 else 0
        axis.plot(place + shift, values, **look(kind, linestyle=""))
        axis.text(place, 1.05, f"{(values >= LATCHED).sum()} of {len(values)}\nlatch", ha="center", va="bottom")
        lowest = np.nanmin(values, initial=lowest)
    axis.axhline(0.5, **role("chance"))
    axis.axhline(LATCHED, color="black", linewidth=1)
    axis.text(len(runs) - 0.42, 0.5, "chance:\n0.5", va="center", color="0.35")
    axis.text(len(runs) - 0.42, LATCHED, f"latches:\n{LATCHED:g} or\nmore", va="center")
    axis.set(xlim=(-0.5, len(runs) - 0.5), ylim=(lowest - 0.05, 1.22), yticks=(0.5, 0.75, 1))
    axis.set_xticks(range(len(runs)), [NAME[kind].replace(" without ", "\nwithout ") for kind in runs])
    axis.grid(False, axis="x")


def task(results, arrays):
    """Two recorded sequences, one of each class, and the accuracy of all networks on such sequences."""
    lengths, kinds = sorted({run["T"] for run in results["runs"].values()}), kinds_of(results)
    T, n = lengths[min(1, len(lengths) - 1)], len(results["seeds"])
    bit_relay = results["config"]["task"] == "bit-relay"
    x, y = (arrays[f"{kinds[0]}-{T}/{name}"] for name in "xy")
    figure, axes = plt.subplot_mosaic(
        [["above", "right"], ["below", "right"]], figsize=(10, 5.2), width_ratios=(1.7, 1)
    )
    for axis, k, sign in (axes["above"], 0, 1), (axes["below"], 2, -1):  # k: the first sequence of class 1, of class 0
        draw_sequence(axis, x[:, k], f"class {y[k]}" if bit_relay else "−+"[y[k]] + "1", sign)
        if not bit_relay:
            axis.text(1 + 0.03 * T, 0.95 * sign, f"first input: noise {'−+'[y[k]]} 1", va="center")
    axes["above"].tick_params(labelbottom=False)
    axes["below"].set_xlabel("step t")
    draw_accuracies(axes["right"], {kind: results["runs"][f"{kind}-{T}"] for kind in kinds})
    axes["right"].set_ylabel(f"accuracy at T = {T}")
    wanted = "whether its two signs agree" if bit_relay else "the sign of its first input"
    sizes = f"{n} network{'s' * (n > 1)} of each kind, {units(results)}"
    left = f"Left: two sequences of {T} steps, noise of standard deviation 0.1."
    entitle(figure, f"At the last step the network must name {wanted}", f"{left} Right: {sizes}, after training.")
    return figure


def states(results, arrays):
    """h over time for the four recorded sequences, in the trained networks of the recorded seed."""
    lengths, kinds = sorted({run["T"] for run in results["runs"].values()}), kinds_of(results)
    here, n, where = results["recorded"], len(results["seeds"]), {kind: [] for kind in kinds}
    apart, does = [], []  # for each panel: whether the states of the classes never meet, whether the network latches
    seed = results["seeds"][here]
    figure, axes = plt.subplots(
        len(kinds), len(lengths), figsize=(10, 2.5 * len(kinds) + 0.9), sharey=True, squeeze=False
    )
    for variant, run in results["runs"].items():
        kind, T = run["cell"], run["T"]
        axis = axes[kinds.index(kind), lengths.index(T)]
        h, y = arrays[f"{variant}/h"][-1].astype(float), arrays[f"{variant}/y"]  # (T, H, 4), (4,)
        flips = kind == "srnn" and h.shape[1] == 1 and arrays[f"{variant}/weights/W"][here, 0, 0] < 0
        t = np.arange((T - 1) % 2 if flips else 0, T, 2 if flips else 1)  # the last step is included
        for k in np.argsort(-y, kind="stable"):
            for unit in range(h.shape[1]):
                axis.plot(
                    t + 1,
                    h[t, unit, k],
                    linewidth=1.6,
                    color=look(kind)["color"] if y[k] else "0.25",
                    linestyle="-" if y[k] else (0, (3, 1.5)),
                )
        if flips:
            axis.text(T / 2, -0.68, "every second step", ha="center", va="center", fontsize=10)
        one, zero = (h[t][:, :, y == k] for k in (1, 0))  # (steps drawn, H, sequences)
        gaps = [a.min(axis=(1, 2)) - b.max(axis=(1, 2)) for a, b in ((one, zero), (zero, one))]
        apart.append((np.max(gaps, axis=0) > 0).all())
        latches, loss = fresh(run) >= LATCHED, np.array(run["final"]["val_loss"], float)
        place = f", {ordinal(1 + (loss < loss[here]).sum())} by loss" if np.isfinite(loss[here]) else " (diverged)"
        axis.set(ylim=(-1.08, 1.08), xlim=(0, T + 1), yticks=(-1, 0, 1))
        axis.set_title(
            f"T = {T}: {latches.sum()} of {n} latch\nseed {seed} {'does' if latches[here] else 'does not'}{place}",
            fontsize=10,
        )
        does.append(latches[here])
        if latches[here]:
            where[kind].append(f"{T}")
    for kind, axis in zip(kinds, axes[:, 0]):
        axis.set_ylabel(f"{NAME[kind].replace(' without ', chr(10) + 'without ')}\nstate $h_t$")
    for axis in axes[-1]:
        axis.set_xlabel("step t")
    lines = [tuple(plt.Line2D([], [], color=look(kind)["color"]) for kind in kinds)]
    lines.append(plt.Line2D([], [], color="0.25", linestyle=(0, (3, 1.5))))
    words = ["class 1", "class 0"] if results["config"]["task"] == "bit-relay" else ["first input +1", "first input −1"]
    wide = {"handler_map": {tuple: HandlerTuple(None)}, "handlelength": 4}
    figure.legend(lines, words, loc="outside lower center", ncols=2, **wide)
    said = [
        f"the {NAME[kind]} " + (f"latches at T = {' and '.join(found)}" if found else "never latches")
        for kind, found in where.items()
    ]
    title = f"Seed {seed}: " + ",\n".join(", ".join(said[k : k + 2]) for k in range(0, len(said), 2))
    if apart == does and any(does) and not all(does):
        title = f"In seed {seed}, units that latch keep the states of the classes apart;\nin the others the states mix"
    sizes = f"Two sequences of each class, after training; places are among {n}, by loss on held-out sequences."
    flips = "A simple RNN with a negative weight changes its sign at each step; such panels show every second step."
    entitle(figure, title, f"{sizes}\n{flips}")
    return figure


def steepest(losses):
    """The largest difference of loss between neighbouring points of a map (n, m)."""
    return max(np.abs(np.diff(losses, axis=axis)).max() for axis in (0, 1))


def loss_landscape(_, arrays):
    """The loss of two networks of one unit over recurrent weight and bias, after several numbers of steps."""
    w, b = arrays["landscape/w"], arrays["landscape/b"]
    figure, axes = plt.subplots(2, len(LANDSCAPE_STEPS), figsize=(10, 6.6), sharex=True, sharey=True)
    rows = {"unit": "unit without input", "lstm": "LSTM cell"}
    for row, (key, words) in zip(axes, rows.items()):
        for axis, T in zip(row, LANDSCAPE_STEPS):
            losses = arrays[f"landscape/{key}"][T - 1].astype(float)
            image = axis.pcolormesh(w, b, losses, cmap="cividis", vmin=0, vmax=0.75, shading="nearest", rasterized=True)
            axis.grid(False)
            axis.set_title(f"T = {T}: largest jump {steepest(losses):.2f}")
        row[0].set_ylabel(f"{words}\nbias b")
    for axis in axes[-1]:
        axis.set(xticks=(0, 5, 10), xlabel="recurrent weight w")
    figure.colorbar(image, ax=axes, label="loss: (output − 0.7)² after T steps", shrink=0.8)
    cliff = np.min([[steepest(losses.astype(float)) for losses in arrays[f"landscape/{key}"]] for key in rows], axis=0)
    formed = 1 + (cliff > CLIFF).argmax() if (cliff > CLIFF).any() else None
    title = f"A cliff {f'forms within {formed} steps' if formed else 'does not form'} in the loss of both networks"
    jump = f"{len(w)} × {len(b)} points. A jump is the difference of loss between neighbouring points;"
    entitle(figure, title, f"{jump} a cliff is a jump above {CLIFF}.")
    return figure


# ----------------------------------------------------------------------------------------- pictures of studies


def figure():
    """The question's first figure: shares of networks that latch, with the question's split and a shuffled split."""
    asker, shuffled = study("figure/asker"), study("figure/shuffled")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
    n = len(asker["seeds"])
    for axis, results in zip(axes, (asker, shuffled)):
        ends = {}
        for kind in kinds_of(results):
            T, yes = latched(results, kind)
            draw_shares(axis, T, yes.sum(axis=1), n, kind)
            ends[kind] = (T[-1], yes[-1].mean())
        axis.set(ylim=(-0.03, 1.03), xlim=(0, T[-1] + 4), xlabel="steps of a sequence, T")
        label_ends(axis, ends)
    axes[0].set_ylabel(f"share of {n} networks that latch")
    axes[0].set_title("The question's split and networks:\nthe held-out set has one class only")
    axes[1].set_title("A shuffled split, and two more networks:\nthe held-out set has both classes")
    rnns, lstms = ([count(results, kind, 50) for results in (shuffled, asker)] for kind in ("srnn", "lstm"))
    title = f"At T = 50, {rnns[0]} of {n} simple RNNs latch and {lstms[0]} of {n} LSTMs"
    sizes = f"{n} networks of {units(asker)} for each kind and length, {asker['config']['epochs']} epochs"
    said = f"{sizes}; bands: 95 % intervals.\nLatches: at least {LATCHED} right on fresh sequences of both classes."
    entitle(figure, f"{title} (question's split: {rnns[1]} and {lstms[1]})", said)
    return figure


def gradient():
    """The derivative of the answer with respect to the first input, before and after training, over lengths."""
    results = study("figure/shuffled")
    figure, axes = plt.subplots(1, 2, figsize=(10, 5.4), sharey=True)
    ends, medians = [{}, {}], {}
    for kind in kinds_of(results):
        stays = ~latched(results, kind)[1]
        for k, (axis, when) in enumerate(zip(axes, ("before", "after"))):
            T, values = by_length(results, kind, lambda run: run["measures"][f"first_input_gradient_{when}"])
            if when == "after":
                values = np.where(stays, values, np.nan)
            some = np.isfinite(values).sum(axis=1) >= 5
            low, middle, high = np.nanquantile(values[some], (0.1, 0.5, 0.9), axis=1)
            if kind in ("srnn", "lstm"):
                axis.fill_between(T[some], low, high, color=look(kind)["color"], alpha=0.13, linewidth=0)
            axis.plot(T[some], middle, **look(kind))
            ends[k][kind] = (T[some][-1], middle[-1])
            medians[kind, when] = dict(zip(T[some], middle))
    for axis, title in zip(axes, ("before training", "after training: networks that do not latch")):
        axis.set(yscale="log", ylim=(1e-75, 1e2), yticks=10.0 ** np.arange(-75, 1, 15), title=title)
        axis.set_xlabel("steps of a sequence, T")
    axes[0].set_ylabel("size of d(logit 1 − logit 0) / d(first input)")
    label_ends(axes[1], ends[1])
    simple, lstm = (medians[kind, "before"][50] for kind in ("srnn", "lstm"))
    axes[0].plot([50, 50], [1e-47, 1e2], color="0.3", linewidth=1)
    axes[0].plot([50, 50], [simple, lstm], "o", color="0.3", markerfacecolor="none", markersize=12)
    said = f"at T = 50\nsimple RNN: ${power_of_ten(simple)}$\nLSTM: ${power_of_ten(lstm)}$"
    axes[0].text(4, 1e-49, said, va="top")
    factor = f"$\\mathbf{{{power_of_ten(simple / lstm)}}}$"
    title = "Before training, at T = 50, the first input changes the answer of the LSTM\n"
    sizes = f"medians of {len(results['seeds'])} networks of {units(results)} (right: of at least five)"
    bands = "Bands, of the simple RNN and the LSTM: from the first to the ninth decile."
    entitle(figure, f"{title}{factor} times less than that of the simple RNN", f"Lines: {sizes}.\n{bands}")
    return figure


LENGTHS = {100: True, 200: False}  # {length in pictures with rows: whether its marker is filled}


def draw_lengths(axis, y, results, kind):
    """Draw two shares in row y: of networks of a kind that latch at each of LENGTHS."""
    n = len(results["seeds"])
    for k, (length, filled) in enumerate(LENGTHS.items()):
        draw_share(axis, y + 0.17 * (2 * k - 1), count(results, kind, length), n, kind, filled=filled)


def gates():
    """Shares of LSTMs that latch, for each initial bias of the forget gate, and by the sign of their feedback."""
    starts = {
        "bias 1, hard\n(the question's)": ("gates/hard-1", "lstm"),
        "bias 1, logistic": ("gates/sigmoid-1", "lstm"),
        "bias log T, logistic": ("gates/sigmoid-log", "lstm"),
        "bias 5, logistic": ("gates/sigmoid-5", "lstm"),
        "bias 5, hard": ("gates/hard-5", "lstm"),
        "no forget gate, hard": ("gates/hard-1", "lstm-1997"),
        "bias 8, logistic,\ninput bias −6": ("answer/without-rate", "lstm"),
    }
    figure, axes = plt.subplots(1, 2, figsize=(10, 6.6), sharey=True)
    counts = {}
    for y, (point, kind) in enumerate(starts.values()):
        results = study(point)
        draw_lengths(axes[0], y, results, kind)
        run = results["runs"][f"{kind}-200"]
        weight, yes = np.array(run["measures"]["recurrent_weight_before"], float), fresh(run) >= LATCHED
        for k, (side, marker) in enumerate(((weight > 0, "^"), (weight < 0, "v"))):
            counts[point, kind, k] = (int(yes[side].sum()), int(side.sum()))
            words = f"w {'<' if k else '>'} 0: "
            draw_share(axes[1], y + 0.17 * (2 * k - 1), *counts[point, kind, k], kind, marker, False, words)
    axes[0].set_yticks(range(len(starts)), starts)
    axes[0].invert_yaxis()
    for axis in axes:
        share_axis(axis, "share of networks that latch")
    axes[0].set_title("Filled: T = 100; hollow: T = 200")
    axes[1].set_title("T = 200, by the sign of the initial\nrecurrent weight w")
    axes[1].set_xlim(right=1.55)
    positive, negative = ("{} of {}".format(*counts["gates/hard-5", "lstm", k]) for k in (0, 1))
    title = "With a forget bias of 5 and hard gates, at T = 200,\n"
    title += f"{positive} LSTMs with a positive recurrent weight latch and {negative} with a negative one"
    sizes = f"{len(results['seeds'])} LSTMs of {units(results)} for each row and length; lines: 95 % intervals."
    entitle(figure, title, f"Rows: initial bias of the forget gate, kind of gates. {sizes}")
    return figure


def answer():
    """Shares of LSTMs that latch with two other initial biases, with only one of them, and with neither."""
    points = ("fresh", "without-rate", "chosen")
    seeds = {point: "seeds {} to {}".format(*np.sort(study(f"answer/{point}")["seeds"])[[0, -1]]) for point in points}
    rows = {
        f"LSTM, logistic, forget bias 8, input\nbias −6: fresh {seeds['fresh']}": ("answer/fresh", "lstm"),
        f"the same, {seeds['without-rate']}": ("answer/without-rate", "lstm"),
        "LSTM, logistic, forget bias 8": ("answer/forget-alone", "lstm"),
        "LSTM, logistic, input bias −6": ("answer/input-alone", "lstm"),
        "LSTM, logistic gates": ("gates/sigmoid-1", "lstm"),
        "LSTM, as in the question: hard gates,\nforget bias 1, input bias 0": ("gates/hard-1", "lstm"),
        "simple RNN, as in the question": ("figure/shuffled", "srnn"),
    }
    figure, axis = plt.subplots(figsize=(10, 5.4))
    for y, (point, kind) in enumerate(rows.values()):
        results = study(point)
        draw_lengths(axis, y, results, kind)
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    share_axis(axis, "share of networks that latch (filled: T = 100; hollow: T = 200)")
    n, both = len(results["seeds"]), study("answer/fresh")
    found = [count(both, "lstm", length) for length in LENGTHS]
    title = "With logistic gates, a forget bias of 8 and an input bias of −6,\n"
    title += f"{found[0]} of {n} LSTM units latch at T = 100 and {found[1]} of {n} at T = 200"
    sizes = f"{n} networks of one unit for each row and length, {both['config']['epochs']} epochs, a shuffled split;"
    said = f"First row: fresh seeds; others: {seeds['without-rate']}. The biases were chosen on {seeds['chosen']}."
    entitle(figure, title, f"{sizes} lines: 95 % intervals.\n{said}")
    return figure


def time():
    """Shares of networks that latch with more epochs, with a higher rate, and with both."""
    points = {
        "5 epochs, rate 0.001": "figure/shuffled",
        "15 epochs, rate 0.001": "time/epochs",
        "5 epochs, rate 0.01": "time/rate",
        "15 epochs, rate 0.01": "time/both",
    }
    lengths, results = (50, 100, 200), {point: study(point) for point in points.values()}
    figure, axes = plt.subplots(1, len(lengths), figsize=(10, 6.8), sharey=True)
    n, ticks = len(results["figure/shuffled"]["seeds"]), {}
    for group, kind in enumerate(NAME):
        for k, (words, point) in enumerate(points.items()):
            y = 5.4 * group + k
            ticks[y] = words
            for axis, length in zip(axes, lengths):
                draw_share(axis, y, count(results[point], kind, length), n, kind, filled=k == 0)
        axes[0].text(
            -0.05,
            5.4 * group - 0.85,
            NAME[kind],
            transform=axes[0].get_yaxis_transform(),
            ha="right",
            va="center",
            fontweight="bold",
            color=look(kind)["color"],
        )
    axes[0].set_yticks([*ticks], ticks.values())
    axes[0].set_ylim(5.4 * group + 3.6, -1.3)
    for axis, length in zip(axes, lengths):
        share_axis(axis, "share that latches")
        axis.set_title(f"T = {length}")
    most = max(count(results[point], "lstm", length) for point in points.values() for length in lengths)
    title = "With three times the epochs or ten times the rate,\n"
    title += f"at most {most} of {n} LSTMs with forget gate latch{'es' * (most == 1)}"
    sizes = f"{n} networks of one unit for each row and length; lines: 95 % intervals."
    entitle(figure, title, f"{sizes} Filled: the question's training; hollow: others.")
    return figure


def update():
    """The figure of the question's update, as shares: latching and bit relay."""
    tasks = {"latch": "Latching", "bit-relay": "Bit relay (our reading)"}
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True)
    counts = []
    for axis, (point, title) in zip(axes, tasks.items()):
        results = study(f"update/{point}")
        n, ends = len(results["seeds"]), {}
        for kind in kinds_of(results):
            T, yes = latched(results, kind)
            draw_shares(axis, T, yes.sum(axis=1), n, kind)
            ends[kind] = (T[-1], yes[-1].mean())
        counts.append([count(results, kind, 50) for kind in ("srnn", "lstm", "gru")])
        axis.set(ylim=(-0.03, 1.03), xlabel="steps of a sequence, T", title=f"{title}: {units(results)}")
        axis.set_xlim(0, T[-1] * 1.02)
        label_ends(axis, ends)
    axes[0].set_ylabel("share of networks that solve the task")
    said = [f"{rnn} simple RNNs, {lstm} LSTM{'s' * (lstm != 1)} and {gru} GRUs" for rnn, lstm, gru in counts]
    title = f"At T = 50, {said[0]} of {n} solve latching;\n{said[1]} of {n} solve the bit relay"
    sizes = f"{n} networks for each kind and length, {results['config']['epochs']} epochs, a shuffled split"
    entitle(figure, title, f"{sizes}; bands: 95 % intervals.")
    return figure


def longer():
    """Shares of trained networks that latch, and that also latch on sequences ten times longer."""
    results = study("figure/shuffled")
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.1), sharex=True, sharey=True)
    n, total = len(results["seeds"]), np.zeros(2, int)
    for axis, kind in zip(axes.flat, NAME):
        T, yes = latched(results, kind)
        both = yes & latched(results, kind, at_ten_times)[1]
        found = np.array([both.sum(), yes.sum()])
        total += found
        colour = look(kind)["color"]
        axis.fill_between(T, *wilson(yes.sum(axis=1), n), color=colour, alpha=0.13, linewidth=0)
        axis.plot(T, yes.mean(axis=1), "o", color=colour, markerfacecolor="white", markersize=9, markeredgewidth=1.5)
        axis.plot(T, both.mean(axis=1), "o", color="0.15", markersize=3.5)
        low, high = (100 * end for end in wilson(*found))
        axis.set_title(f"{NAME[kind]}: {found[0]} of {found[1]} ({low:.0f}–{high:.0f} %)", color="0.15")
    axes[0, 0].set(ylim=(-0.03, 1.05), xlim=(0, T[-1] + 5))
    for axis in axes[1]:
        axis.set_xlabel("steps of a training sequence, T")
    for axis in axes[:, 0]:
        axis.set_ylabel(f"share of {n} networks")
    axes[0, 1].legend(axes[0, 1].lines, ["latch at T", "latch at T and at 10 T"], loc="upper right")
    title = f"{total[0]:,} of {total[1]:,} networks that latch also latch on sequences ten times longer"
    sizes = f"{n} networks of {units(results)} for each kind and length, {len(T)} lengths"
    entitle(figure, title, f"{sizes}; bands: 95 % intervals of the share that latches at T.")
    return figure


def minimal():
    """Shares of trials that learn the smallest latch, against the number of steps."""
    path = Path("results") / EXPERIMENT / "minimal" / "results.json"
    try:
        results = json.loads(path.read_text())
        settings, n = results["settings"], len(results["seeds"])
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 -m studies.minimal_latching")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.9), sharey=True)
    shown = {
        "w = 1.25, rate 1": ("other", "rate 1"),
        "w = 1.25": ("ours", "rate 0.3"),
        "w = 1.25, rate 0.1": ("third", "rate 0.1"),
    }
    counts = {}
    for name, setting in settings.items():
        T = np.array([int(T) for T in setting["lengths"]])
        k = np.array([(np.array(of["right"]) >= LATCHED).sum() for of in setting["lengths"].values()])
        counts[name] = dict(zip(T.tolist(), k.tolist()))
        if name in shown:
            who, words = shown[name]
            axes[0].fill_between(T, *wilson(k, n), color=role(who)["color"], alpha=0.13, linewidth=0)
            axes[0].plot(T, k / n, **role(who) | {"markersize": 5}, label=words)
    axes[0].set(xlabel="steps T", ylabel=f"share of {n} trials", title="w is 1.25 before training", ylim=(-0.03, 1.05))
    axes[0].legend(loc="upper right")
    others = {
        "w = 1.75": ("fourth", "w = 1.75"),
        "w = 1.25": ("ours", "w = 1.25"),
        "w = 0.75": ("other", "w = 0.75"),
        "w = 0": ("third", "w = 0"),
        "w = 1.25, little noise": ("paper", "w = 1.25, noise 0.05"),
    }
    for name, (who, words) in others.items():
        axes[1].plot(
            [*counts[name]], np.array([*counts[name].values()]) / n, **role(who) | {"markersize": 5}, label=words
        )
    axes[1].set(xlabel="steps T", title="other weights before training, less noise (rate 0.3)")
    axes[1].legend(loc="upper right")
    few, many = counts["w = 1.25"][10], counts["w = 1.25"][100]
    title = f"With a rate of 0.3, {few} of {n} units learn to latch over 10 steps, {many} over 100"
    entitle(figure, title, "One unit, one weight; noise of standard deviation 0.2. Bands: 95 % intervals.")
    return figure


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    run, folder = Path("results") / EXPERIMENT, Path("viz") / EXPERIMENT
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help=f"folder of pictures (default: viz/{EXPERIMENT}; with --run: DIR/viz)"
    )
    options = parser.parse_args(argv)
    out = options.out or (options.run / "viz" if options.run else folder)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    command = f"python3 {EXPERIMENT}.py" + (f" --out {options.run}" if options.run else "")
    drawn = options.run or run
    results, arrays = load_run(drawn, EXPERIMENT, command)
    announce(drawn, run, f"visualize/{EXPERIMENT}.py")
    for draw in task, states, loss_landscape:
        save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    if not measured(results):
        print(f"accuracy is on held-out sequences; for fresh: python3 -m studies measure {shlex.quote(str(drawn))}")
    if not options.run:
        for draw in figure, gradient, gates, answer, time, update, longer, minimal:
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
