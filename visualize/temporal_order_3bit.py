#!/usr/bin/env python3
"""Draw a run of temporal_order_3bit.py, and the studies made with it, into viz/temporal_order_3bit/*.png.

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

EXPERIMENT = "temporal_order_3bit"
ROOT = Path(__file__).resolve().parent.parent
COLOUR = {"lstm": "#0072B2", "rnn": "#E69F00"}
NAME = {"lstm": "LSTM", "rnn": "tanh RNN"}
X, Y, START = 4, 5, 6
MARKER_COLOUR = {X: "#009E73", Y: "#D55E00"}
CELL_COLOURS = ["#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#F0E442"]  # none of a marker
SYMBOLS, CLASSES, CHANCE = "abcdXYBE", ("XX", "XY", "YX", "YY"), 0.25


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


def with_measures(results, finding, plain, *names):
    """The finding, with these measures of the recorded seed's LSTM in it; plain if the run has not been measured."""
    measures = results["runs"]["lstm"].get("measures")
    values = [measures[name][results["recorded"]] for name in names] if measures else [None]
    return plain if None in values else finding.format(*values)


# shared block
def mark(axis, symbols):
    """Draw a dotted line, and the letter above, at each X and Y of symbols (T,); returns the lines."""
    lines = []
    for t in np.flatnonzero((symbols == X) | (symbols == Y)):
        colour = MARKER_COLOUR[symbols[t]]
        lines.append(axis.axvline(t, color=colour, linewidth=1.5, linestyle=":", zorder=3))
        axis.annotate(SYMBOLS[symbols[t]], (t, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), ha="center",
                      textcoords="offset points", color=colour, fontweight="bold", annotation_clip=False)  # fmt: skip
    return lines


def training_curves(results, _):
    """Loss and accuracy of the first seed, LSTM against RNN."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
    said = []
    for variant, run in results["runs"].items():
        seen = np.array(run["history"]["step"]) * results["config"]["batch"]
        for axis, name in zip(axes, ("val_loss", "val_accuracy")):
            axis.plot(seen, history(run, name)[:, results["recorded"]], color=COLOUR[variant], label=NAME[variant])
        reached, final = (
            values[results["recorded"]] for values in (run["sequences_to_95"], run["final"]["val_accuracy"])
        )
        end = "diverges" if final is None else f"ends at {final:.3f}"
        said.append(
            f"{NAME[variant]} {end}" + (f", past 95 % after {reached:,} sequences" if reached is not None else "")
        )
    axes[0].axhline(np.log(4), color="#777777", linestyle="--", linewidth=1)
    axes[1].axhline(CHANCE, color="#777777", linestyle="--", linewidth=1)
    axes[0].text(
        1,
        np.log(4) - 0.03,
        "chance, log 4",
        color="#555555",
        va="top",
        ha="right",
        transform=axes[0].get_yaxis_transform(),
    )
    axes[1].text(
        1, CHANCE - 0.02, "chance", color="#555555", va="top", ha="right", transform=axes[1].get_yaxis_transform()
    )
    axes[0].set(title="Cross-entropy on held-out sequences (nats)", xlabel="training sequences", ylim=(0, None))
    axes[1].set(title="Accuracy on held-out sequences", xlabel="training sequences", ylim=(0, 1.03))
    for axis in axes:
        axis.xaxis.set_major_formatter("{x:,.0f}")
    axes[0].legend(loc="center right")
    figure.suptitle("; ".join(said))
    return figure


def confusion_matrix(results, _):
    """True against predicted class of the first seed's LSTM."""
    counts = np.array(
        results["runs"]["lstm"]["confusion"][results["recorded"]] or np.zeros((4, 4), int)
    )  # none if diverged
    figure, axis = plt.subplots(figsize=(5.6, 5))
    axis.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (row, column), count in np.ndenumerate(counts):
        axis.text(column, row, f"{count}", ha="center", va="center", color="white" if row == column else "#555555",
                  fontsize=14)  # fmt: skip
    axis.set(
        xticks=range(4), xticklabels=CLASSES, yticks=range(4), yticklabels=CLASSES, xlabel="predicted", ylabel="true"
    )
    axis.grid(False)
    figure.suptitle(f"LSTM: {np.trace(counts)} of {counts.sum()} held-out sequences right")
    return figure


def example_sequences(results, arrays):
    """One recorded sequence per class, as the network sees it: one-hot symbols over time."""
    x, y = arrays["lstm/x"], arrays["lstm/y"]
    figure, axes = plt.subplots(4, 1, figsize=(10, 9), sharex=True)
    for k, axis in enumerate(axes):
        axis.imshow(x[:, k] == np.arange(8)[:, None], cmap="Greys", vmin=0, vmax=1.4)
        for t in np.flatnonzero((x[:, k] == X) | (x[:, k] == Y)):
            axis.add_patch(plt.Rectangle((t - 0.5, x[t, k] - 0.5), 1, 1, color=MARKER_COLOUR[x[t, k]]))
        mark(axis, x[:, k])
        axis.set(yticks=range(8), yticklabels=SYMBOLS, ylabel=f"class {CLASSES[y[k]]}")
        axis.grid(False)
    axes[-1].set_xlabel("time step")
    figure.suptitle("The class is the order of two symbols; all others are noise")
    return figure


def input_gate_activity(results, arrays):
    """The widest open input gate at each step of the recorded sequences."""
    x, y, widest = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/i"][-1].max(axis=1)  # (T, n)
    figure, axes = plt.subplots(4, 1, figsize=(10, 8), sharex=True, sharey=True)
    for k, axis in enumerate(axes):
        colours = [MARKER_COLOUR.get(symbol, "#333333" if symbol >= START else "#9A9A9A") for symbol in x[:, k]]
        axis.bar(np.arange(len(x)), widest[:, k], color=colours, width=0.85)
        mark(axis, x[:, k])
        for t in np.flatnonzero(x[:, k] >= START):
            axis.annotate(SYMBOLS[x[t, k]], (t, widest[t, k]), xytext=(0, 2), textcoords="offset points", ha="center")
        axis.set(ylim=(0, 1), ylabel=f"class {CLASSES[y[k]]}", xlim=(-0.7, len(x) - 0.3))
        axis.grid(False, axis="x")
    axes[-1].set_xlabel("time step")
    finding = "Widest input gate, max$_k$ $i_t$: {:.2f} at markers, {:.2f} at distractors (held-out mean)"
    plain = "Widest input gate, max$_k$ $i_t$"
    figure.suptitle(with_measures(results, finding, plain, "gate_at_markers", "gate_at_distractors"))
    return figure


def hidden_trajectories(results, arrays):
    """Cell states above, outputs below, over time, one column per class."""
    x, y = arrays["lstm/x"], arrays["lstm/y"]
    figure, axes = plt.subplots(2, 4, figsize=(13, 6), sharex=True, sharey="row")
    for k in range(4):
        for axis, name in zip(axes[:, k], "ch"):
            axis.set_prop_cycle(color=CELL_COLOURS)
            lines = axis.plot(arrays[f"lstm/{name}"][-1, :, :, k])
            mark(axis, x[:, k])
        axes[0, k].set_title(f"class {CLASSES[y[k]]}", pad=16)
        axes[1, k].set_xlabel("time step")
    axes[0, 0].set_ylabel("cell state $c_t$")
    axes[1, 0].set_ylabel("output $h_t$")
    figure.legend(lines, [f"cell {k}" for k in range(len(lines))], loc="outside lower center", ncols=min(len(lines), 8))
    plain = "Cells jump at a marker or drift on from it"
    finding = plain + "; widest output gate {:.2f} before the last step, {:.2f} at it"
    figure.suptitle(with_measures(results, finding, plain, "output_gate_before", "output_gate_at_end"))
    return figure


def cell_state_heatmap(results, arrays):
    """Cell states after training, cell by time, one panel per class."""
    x, y, c = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/c"][-1]  # (T, H, n)
    limit = np.abs(c).max()
    figure, axes = plt.subplots(4, 1, figsize=(10, 7.5), sharex=True)
    for k, axis in enumerate(axes):
        image = axis.imshow(c[:, :, k].T, cmap="RdBu", vmin=-limit, vmax=limit)
        mark(axis, x[:, k])
        axis.set(yticks=range(c.shape[1]), ylabel=f"{CLASSES[y[k]]}: cell")
        axis.grid(False)
    axes[-1].set_xlabel("time step")
    figure.colorbar(image, ax=axes, label="cell state $c_t$", shrink=0.6)
    signs = ["".join("+" if value > 0 else "−" for value in c[-1, :, k]) for k in range(4)]
    figure.suptitle("Signs of the cells at the end: " + ", ".join(f"{CLASSES[y[k]]} {signs[k]}" for k in range(4)))
    return figure


def study(name):
    """results.json of a point of the studies."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    return load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]


def thirty_seeds():
    """Loss and accuracy of thirty seeds, LSTM against RNN: median and range."""
    results = study("thirty_seeds/default")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4))
    said = []
    for variant, run in results["runs"].items():
        seen = np.array(run["history"]["step"]) * results["config"]["batch"]
        for axis, name in zip(axes, ("val_loss", "val_accuracy")):
            values = history(run, name)
            axis.fill_between(
                seen, values.min(axis=1), values.max(axis=1), color=COLOUR[variant], alpha=0.2, linewidth=0
            )
            axis.plot(seen, np.median(values, axis=1), color=COLOUR[variant], label=f"{NAME[variant]}: median, range")
        solved = sum(value == 1 for value in run["final"]["val_accuracy"])
        said.append(f"{NAME[variant]} solves {solved} of {len(results['seeds'])} seeds")
    axes[0].set(title="Cross-entropy on held-out sequences (nats)", xlabel="training sequences", ylim=(0, None))
    axes[1].set(title="Accuracy on held-out sequences", xlabel="training sequences", ylim=(0, 1.03))
    for axis in axes:
        axis.xaxis.set_major_formatter("{x:,.0f}")
    for axis, level in zip(axes, (np.log(4), CHANCE)):
        axis.axhline(level, color="#777777", linestyle="--", linewidth=1)
        axis.text(1, level, "chance", color="#555555", va="bottom", ha="right", transform=axis.get_yaxis_transform())
    axes[1].legend(loc="center right")
    figure.suptitle("; ".join(said))
    return figure


def length():
    """How many of thirty seeds solve the task, and after how many sequences, against its length, by recipe."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6))
    lengths, shift = np.array([50, 100, 200, 500]), {"default": 0.98, "writeup": 1.02}
    for recipe, colour in (("default", COLOUR["lstm"]), ("writeup", "#CC79A7")):
        share, reached = [], []
        for T in lengths:
            point = f"thirty_seeds/{recipe}" if T == 50 else f"length/{recipe}-{T}"
            run = study(point)["runs"]["lstm"]
            share.append(np.mean(np.array(run["final"]["val_accuracy"], float) == 1))
            reached.append([n for n in run["sequences_to_95"] if n is not None])
        name = {"default": "our recipe", "writeup": "write-up's recipe"}[recipe]
        axes[0].plot(lengths, share, "o-", color=colour, label=name)
        some = [k for k, values in enumerate(reached) if values]
        at = lengths[some] * shift[recipe]
        axes[1].vlines(
            at, [min(reached[k]) for k in some], [max(reached[k]) for k in some], colour, linewidth=3, alpha=0.35
        )
        axes[1].plot(at, [np.median(reached[k]) for k in some], "o-", color=colour)
    axes[0].set(title="Share of thirty seeds that end at 1.000", xscale="log", ylim=(-0.03, 1.05))
    axes[1].set(title="Sequences to 95 %: median, range (those that get there)", xscale="log", yscale="log")
    for axis in axes:
        axis.set_xticks(lengths, lengths)
        axis.set_xlabel("steps of a sequence, T")
        axis.minorticks_off()
    ticks = [1600, 3200, 6400, 12800, 25600, 48000]
    axes[1].set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes[0].legend(loc="lower left")
    figure.suptitle("Our recipe carries the same four cells over ten times longer sequences")
    return figure


def gate_selectivity():
    """Mean of the widest input gate, at markers and at distractors, one dot per seed, by variant."""
    variants = {
        "write-up's\nrecipe": "thirty_seeds/writeup",
        "headline": "thirty_seeds/default",
        "2 blocks": "ablations/blocks-2",
        "forget\ngate": "ablations/forget-gate",
        "T = 100": "length/default-100",
        "T = 200": "length/default-200",
        "T = 500": "length/default-500",
        "T = 500,\n3,000 steps": "length/default-500-longer",
    }
    figure, axis = plt.subplots(figsize=(10, 5))
    for place, point in enumerate(variants.values()):
        run = study(point)["runs"]["lstm"]
        solved = np.array(run["final"]["val_accuracy"], float) == 1
        for kind, colour, side in (("markers", "#009E73", -0.16), ("distractors", "#777777", 0.16)):
            value = np.array(run["measures"][f"gate_at_{kind}"], float)[solved]
            spread = np.linspace(-0.1, 0.1, len(value))
            axis.plot(place + side + spread, value, "o", markersize=4, color=colour, alpha=0.6, markeredgewidth=0,
                      label=f"at {kind}; a dot is a seed that ends at 1.000" if place == 0 else None)  # fmt: skip
            axis.hlines(np.median(value), place + side - 0.13, place + side + 0.13, color=colour, linewidth=3)
    axis.set_xticks(range(len(variants)), variants)
    axis.set(ylim=(0, 1.02), ylabel="widest input gate, max$_k$ $i_t$, mean")
    axis.grid(False, axis="x")
    figure.legend(loc="outside lower center", ncols=2, markerscale=2)
    figure.suptitle("At distractors the input gate is nearly shut only where sequences are long")
    return figure


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
        print(f"python3 -m studies measure {options.run or run} adds what titles say of all held-out sequences")
    save_picture(training_curves(results, arrays), out / "training_curves.png")
    if "lstm" in results["runs"]:
        for draw in confusion_matrix, example_sequences, input_gate_activity, hidden_trajectories, cell_state_heatmap:
            save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    else:
        print("the run has no LSTM, of which the other pictures are")
    if not options.run:
        for draw in (thirty_seeds, length, gate_selectivity):
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
