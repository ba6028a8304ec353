#!/usr/bin/env python3
"""Draw what studies/error_flow_1997.py measured into viz/lstm_1997/error_flow.png.

It reads results.json of the points logistic, tanh and lstm in results/lstm_1997/error-flow; it trains nothing.

The paper's bound n (n w_max / 4)^q is that of each element of the matrix J_q, and the curves are its 2-norm. The 2-norm
is at least as large as each element, and at most n times as large as the largest.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import json
import math
import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patheffects import withStroke

EXPERIMENT = "error_flow_1997"
POINTS = Path("results/lstm_1997/error-flow")
ROOT = Path(__file__).resolve().parent.parent
UNITS = 8  # n of the paper's bound
ROLES = {"lstm": "ours", "logistic": "other", "tanh": "third"}
QUIET = "0.45"
LOWEST = -150  # of the axis of logarithms
CASING = [withStroke(linewidth=3, foreground="white")]
ROUNDING = math.log10(np.finfo(float).eps / 2)  # relative rounding error of a number of 64 bits


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


def heading(figure, title, subtitle):
    """Write a title (the finding) and a subtitle above all panels of a figure."""
    height, lines = figure.get_figheight(), title.count("\n") + 1
    below = 0.12 + 0.23 * lines  # inches from the top
    figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=13, weight="bold")
    figure.text(0.5, 1 - below / height, subtitle, ha="center", va="top", fontsize=11, linespacing=1.3)
    below += 0.22 * (subtitle.count("\n") + 1) + 0.05
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - below / height))


def read(folder):
    """{cell: its run} of the points in a folder, and the number of trials."""
    found = {}
    for cell in ROLES:
        command = f"python3 studies/{EXPERIMENT}.py --cell {cell} --out {folder / cell}"
        results, _ = load_run(folder / cell, EXPERIMENT, command, arrays=False)
        found[cell] = results["runs"][cell]
    return found, len(results["seeds"])


def logs(values):
    """Logarithms as an array; null, the logarithm of 0, becomes minus infinity."""
    return np.array([[-np.inf if value is None else value for value in trial] for trial in values], dtype=float)


def power(value):
    """10 to the power of a logarithm as text: a number if it is near 1, or a power of ten."""
    return f"{10**value:.2g}" if -2 < value < 3 else f"$\\mathbf{{10^{{{value:.0f}}}}}$"


def bound(run, when, q):
    """log10 of the paper's bound n (n w_max / 4)^q for logistic units, (S, Q)."""
    w_max = np.array(run["flow"][when]["w_max"])[:, None]
    return np.log10(UNITS) + q * np.log10(UNITS * w_max / 4)


def band(axis, x, values, style, **line):
    """Draw the median of values (S, X) over trials, and a band between the first and the last decile."""
    low, median, high = np.percentile(np.maximum(values, 2 * LOWEST), [10, 50, 90], axis=0)  # not infinite
    axis.fill_between(x, low, high, color=style["color"], alpha=0.3, linewidth=0)
    axis.plot(x, median, **style | {"marker": "None"} | line)


def label(axis, words, place, style=None, right=True):
    """Write words beside a line, in its colour. place: the right or left end of the words."""
    colour = style["color"] if style else QUIET
    side = "right" if right else "left"
    axis.text(*place, words, ha=side, va="center", fontsize=10, weight="bold", color=colour, path_effects=CASING)


def draw_flow(axis, found, when):
    """The factors against the number of steps back, before (start) or after training (end). Returns medians at the end.

    They are logarithms: {cell: the largest factor} and {"least": the smallest factor of the LSTM}.
    """
    q = np.array(found["lstm"]["flow"]["step"])
    limit = bound(found["logistic"], when, q)
    band(axis, q, limit, role("paper"), linewidth=1.5)
    last = {}
    for cell in "tanh", "logistic", "lstm":
        values = logs(found[cell]["flow"][when]["units"])
        band(axis, q, values, role(ROLES[cell]))
        last[cell] = np.median(values[:, -1])
    values = logs(found["lstm"]["flow"][when]["least"])
    band(axis, q, values, role("ours"))
    last["least"] = np.median(values[:, -1])
    axis.set(xlabel="steps back in time, q", xlim=(0, 100))
    label(axis, f"LSTM: {power(last['least'])} to {power(last['lstm'])}", (98, 7), role("ours"))
    label(axis, "paper's bound,\nlogistic", (98, np.median(limit[:, -1]) / 2 + 12), role("paper"))
    return last


def error_flow(found, n):
    """Flow before and after training against the number of steps back, and at the last step against initial weights."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 5.8), sharey=True)
    runs = [found[cell] for cell in ("logistic", "tanh")]
    q, ranges = found["lstm"]["flow"]["step"][-1], runs[0]["ranges"]["step"]
    start, end = draw_flow(axes[0], found, "start"), draw_flow(axes[1], found, "end")
    label(axes[0], f"tanh:\n{power(start['tanh'])}", (98, start["tanh"] - 20), role("third"))
    label(axes[0], f"logistic:\n{power(start['logistic'])}", (62, start["logistic"] + 22), role("other"))
    label(axes[1], f"logistic: {power(end['logistic'])}", (98, end["logistic"] - 22), role("other"))
    label(axes[1], f"tanh: {power(end['tanh'])}", (98, end["tanh"] - 29), role("third"))
    for cell, run in zip(("logistic", "tanh"), runs):
        style = role(ROLES[cell])
        band(axes[2], ranges, logs(run["ranges"]["units"]), style, marker=style["marker"])
    label(axes[2], "tanh", (0.17, -38), role("third"))
    label(axes[2], "logistic", (0.26, -123), role("other"), right=False)
    axes[2].set(xscale="log", xlabel="initial weights: from −r to r", xticks=[0.1, 1, 10])
    axes[2].xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    titles = "before training", "after training", f"q = {q}, before training"
    for axis, words in zip(axes, titles):
        axis.set_title(words, fontsize=11)
        axis.axhline(ROUNDING, color=QUIET, linewidth=1, zorder=1)
    label(axes[2], "64-bit\nrounding", (0.085, ROUNDING + 8), right=False)
    axes[0].set(ylim=(LOWEST, 12), yticks=range(LOWEST, 1, 25), ylabel="factor of an error that goes back q steps")
    axes[0].yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:.0f}}}$" if value else "1")
    most = max(logs(run["flow"]["end"]["units"])[:, -1].max() for run in runs)
    least = logs(found["lstm"]["flow"]["end"]["least"])[:, -1].min()
    assert most < -10 < least, "an error vanishes in logistic and tanh units, and does not in the LSTM"
    of, times = f"{np.mean(found['lstm']['sequences_seen']):,.0f}", f"{power(end['least'])} to {power(end['lstm'])}"
    title = f"After training, an error that goes back {q} steps is {times} times as large in the LSTM;\n"
    title += f"in logistic and tanh units, at most {power(end['logistic'])} and {power(end['tanh'])} times"
    words = f"Task 6a, {n} trials each. The largest factor of any error (LSTM: the smallest, too); lines and numbers: "
    words += f"medians, bands: deciles.\nLogistic, tanh: {UNITS} units, {runs[0]['trainable_parameters']} weights. "
    words += f"LSTM: {found['lstm']['trainable_parameters']} weights. Training: {of} sequences (LSTM: on average)."
    heading(figure, title, words)
    return figure


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = partial(parser.add_argument, metavar="DIR", type=Path)
    add("--run", default=POINTS, help="folder of the points logistic, tanh and lstm")
    add("--out", default=Path("viz/lstm_1997"), help="folder for the picture")
    options = parser.parse_args(argv)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    found, n = read(options.run)
    print(f"drawing {options.run}")
    save_picture(error_flow(found, n), options.out / "error_flow.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
