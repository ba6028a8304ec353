#!/usr/bin/env python3
"""Draw a run of lstm_1997.py, and all rows of the paper's tables that were run, into viz/lstm_1997/*.png.

Reads results.json and snapshots.npz of the run and results.json of the rows; trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8"]
# ///

import argparse
import json
import re
import shlex
import sys
import zipfile
import zlib
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

EXPERIMENT = "lstm_1997"
HEADLINE = "6a"
ROOT = Path(__file__).resolve().parent.parent
OURS, PAPER, FAILED = "#0072B2", "#D55E00", "#999999"
BLOCK_COLOUR = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
TASKS = {
    "1": "1: embedded Reber grammar", "2a": "2a: noise-free sequences", "2b": "2b: no local regularities",
    "2c": "2c: very long lags", "3a": "3a: two sequences", "3b": "3b: noise on the signal", "3c": "3c: noisy targets",
    "4": "4: adding", "5": "5: multiplication", "6a": "6a: temporal order, 2 symbols",
    "6b": "6b: temporal order, 3 symbols",
}  # fmt: skip
SYMBOLS = "EBabcdXY"  # of task 6


def command_of(run):
    """What makes the run that is to be in a folder (None: the headline); a row's folder has its name."""
    if run is None:
        return f"python3 {EXPERIMENT}.py"
    task = f" --task {run.name}" if re.fullmatch(r"[1-6][abc]?(-\d)?", run.name) else ""
    return f"python3 {EXPERIMENT}.py{task} --out {run}"


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


def rows_run():
    """{row: its results} of the rows that results/ has, in the order of the paper's tables."""
    folder = ROOT / "results" / EXPERIMENT
    headline, _ = load_run(folder / HEADLINE, EXPERIMENT, f"python3 {EXPERIMENT}.py", arrays=False)
    names = headline["runs"][HEADLINE]["paper"]
    return {name: load_run(folder / name, EXPERIMENT, f"python3 -m studies run {EXPERIMENT}/{name}", arrays=False)[0]
            for name in names if (folder / name / "results.json").exists()}  # fmt: skip


def sequences(values):
    """Numbers of sequences as text."""
    return f"{values / 1e6:.3g} M" if values >= 1e6 else f"{values / 1e3:.3g} k"


def summary(made):
    """Every row and rule: sequences that our trials took, their mean, and the paper's mean."""
    paper = next(iter(made.values()))["runs"]
    paper = next(iter(paper.values()))["paper"]
    places = [(name, rule) for name, row in paper.items() for rule in range(len(row["sequences"]))]
    figure, axis = plt.subplots(figsize=(11, 0.27 * len(places) + 1.6))
    labels = []
    for place, (name, rule) in enumerate(places):
        stated = paper[name]["sequences"][rule]
        labels.append(f"{name}, rule {rule + 1}" if len(paper[name]["sequences"]) > 1 else name)
        axis.plot(
            stated, place, "D", color=PAPER, markersize=7, zorder=3, label="the paper's mean" if place == 0 else None
        )
        if name not in made:
            axis.text(
                1.01, place, "not run", transform=axis.get_yaxis_transform(), va="center", color=FAILED, fontsize=9
            )
            continue
        run = made[name]["runs"][name]
        met = np.array([n for n in run["rules"][rule]["sequences"] if n is not None], dtype=float)
        n = len(made[name]["seeds"])
        spread = place + 0.3 * np.linspace(-1, 1, len(met))[np.random.default_rng(0).permutation(len(met))]
        axis.plot(met, spread, ".", color=OURS, alpha=0.45, markersize=5, markeredgewidth=0)
        words = f"{len(met)} of {n}"
        if len(met):
            axis.plot(met.mean(), place, "o", color=OURS, markersize=7, markeredgecolor="white", zorder=4)
        if len(met) < n:
            axis.plot(run["cap"], place, "x", color=FAILED, markersize=7, zorder=2)
        solved = len(met) >= 0.9 * n
        axis.text(1.01, place, words, transform=axis.get_yaxis_transform(), va="center", fontsize=9,
                  color="#000000" if solved else FAILED)  # fmt: skip
    axis.plot([], [], "o", color=OURS, markersize=8, label="our mean over the trials that solved the task")
    axis.plot([], [], ".", color=OURS, alpha=0.45, markersize=7, label="one trial")
    axis.plot([], [], "x", color=FAILED, markersize=7, label="where the other trials were given up")
    edges = [
        place - 0.5
        for place in range(1, len(places))
        if places[place][0].split("-")[0] != places[place - 1][0].split("-")[0]
    ]
    axis.hlines(edges, 0, 1, transform=axis.get_yaxis_transform(), color="#CCCCCC", linewidth=0.8)
    axis.set(xscale="log", ylim=(len(places) - 0.4, -0.6), yticks=range(len(places)), yticklabels=labels,
             xlabel="training sequences until the stopping rule is met")  # fmt: skip
    axis.tick_params(axis="y", labelsize=9, length=0)
    axis.grid(False, axis="y")
    axis.text(1.01, -1.1, "solved", transform=axis.get_yaxis_transform(), va="center", fontsize=9)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    rules = [(name, rule) for name in made for rule in range(len(paper[name]["sequences"]))]
    solved, within = 0, 0
    for name, rule in rules:
        met = [n for n in made[name]["runs"][name]["rules"][rule]["sequences"] if n is not None]
        if len(met) >= 0.9 * len(made[name]["seeds"]):
            solved += 1
            within += 1 / 2 <= np.mean(met) / paper[name]["sequences"][rule] <= 2
    figure.suptitle(f"Our trials met {solved} of {len(rules)} stopping rules (nine trials in ten or more),\n"
                    f"{within} of them within a factor of two of the paper's mean", fontsize=12)  # fmt: skip
    return figure


def learning_curves(made):
    """Share of wrong answers over training, first row of each task: median and all trials."""
    first = {}
    for name in made:
        first.setdefault(name.split("-")[0], name)
    columns = 3
    lines = -(-len(first) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(12, 2.7 * lines + 0.5), squeeze=False)
    for axis in axes.flat[len(first) :]:
        axis.axis("off")
    for axis, (task, name) in zip(axes.flat, first.items()):
        run = made[name]["runs"][name]
        step, wrong = np.array(run["history"]["step"]), np.array(run["history"]["wrong"], float)
        axis.plot(step, wrong, color=OURS, alpha=0.25, linewidth=0.8)
        there = np.isfinite(wrong).all(axis=1)
        axis.plot(step[there], np.median(wrong[there], axis=1), color=OURS, linewidth=2.5)
        for stated in run["paper"][name]["sequences"]:
            axis.axvline(stated, color=PAPER, linestyle="--", linewidth=1.5)
        axis.set(ylim=(-0.03, 1.03), xlim=(0, max(step[-1], max(run["paper"][name]["sequences"]) * 1.05)))
        axis.set_title(f"{TASKS[task]} (row {name})", fontsize=10)
        axis.xaxis.set_major_locator(plt.MaxNLocator(4))
        axis.xaxis.set_major_formatter(lambda value, _: sequences(value) if value else "0")
    for place, axis in enumerate(axes.flat[: len(first)]):
        if place + columns >= len(first):
            axis.set_xlabel("training sequences")
    lines = [plt.Line2D([], [], color=OURS, alpha=0.4, linewidth=1), plt.Line2D([], [], color=OURS, linewidth=2.5),
             plt.Line2D([], [], color=PAPER, linestyle="--")]  # fmt: skip
    figure.legend(lines, ["one trial", "median of the trials", "the paper's mean to the stopping rule"],
                  loc="outside lower center", ncols=3)  # fmt: skip
    figure.suptitle(
        "Share of wrong answers: tasks 1 to 3, of the last test; 4 to 6, of the last 2,000 training sequences"
    )
    return figure


def learning_curve(results, _):
    """Share of wrong answers and mean error over training, all trials of the run."""
    ((name, run),) = results["runs"].items()
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.4))
    step = np.array(run["history"]["step"])
    for axis, metric, words in (
        (axes[0], "wrong", "share of wrong answers"),
        (axes[1], "train_error", "mean absolute error"),
    ):
        values = np.array(run["history"][metric], float)
        axis.plot(step, values, color=OURS, alpha=0.3, linewidth=0.9)
        there = np.isfinite(values).all(axis=1)
        axis.plot(step[there], np.median(values[there], axis=1), color=OURS, linewidth=2.5)
        for stated in run["paper"][name]["sequences"]:
            if stated <= 1.1 * step[-1]:
                axis.axvline(stated, color=PAPER, linestyle="--")
        axis.set(xlabel="training sequences", ylim=(-0.02 * np.nanmax(values, initial=1), None))
        axis.set_title(words)
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_major_locator(plt.MaxNLocator(5))
    solved = sum(n is not None for n in run["rules"][-1]["sequences"])
    figure.suptitle(f"Row {name}: {solved} of {len(results['seeds'])} trials met the last stopping rule "
                    "(thick: median; dashed: the paper's mean)", fontsize=12)  # fmt: skip
    return figure


def gates_and_states(results, arrays):
    """One sequence through the recorded trial's network at its last snapshot: input, gates and states."""
    ((name, run),) = results["runs"].items()
    k, task = 0, name.split("-")[0]
    length = int(arrays[f"{name}/length"][k])
    x = arrays[f"{name}/x"][:length, ..., k]
    panels = [("input gates", "in_gate"), ("cell states", "s")]
    panels += [("output gates", "out_gate")] if f"{name}/out_gate" in arrays else []
    blocks = arrays[f"{name}/in_gate"].shape[2]
    figure, axes = plt.subplots(len(panels) + 1, 1, figsize=(12, 2.1 * len(panels) + 1.8), sharex=True,
                                height_ratios=(0.5, *[1] * len(panels)))  # fmt: skip
    t = np.arange(1, length + 1)
    relevant = draw_input(axes[0], x, task, t)
    for axis, (words, key) in zip(axes[1:], panels):
        values = arrays[f"{name}/{key}"][-1, :length, :, k].astype(float)
        for row, line in enumerate(values.T):
            block = row % blocks
            style = ("-", "--", ":", "-.")[row // blocks]
            cell = f", cell {row // blocks + 1}" if key == "s" and values.shape[1] > blocks else ""
            axis.plot(t, line, style, color=BLOCK_COLOUR[block], label=f"block {block + 1}{cell}", linewidth=1.8)
        axis.set_title(words)
        axis.set(**({"ylim": (-0.05, 1.05)} if key != "s" else {}))
        for place in relevant:
            axis.axvspan(place - 0.5, place + 0.5, color="#F0E442", alpha=0.5, linewidth=0)
    axes[-1].set_xlabel("time step")
    axes[-1].set_xlim(0, length + 1)
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    output, target = arrays[f"{name}/output"][-1], arrays[f"{name}/target"]
    said = ""
    if target.ndim == 2 and len(output) == 1:
        off = np.abs(output[0, :, k].astype(float) - target[:, k]).max()
        said = f"; its outputs on this sequence are off by at most {off:.2f}"
    figure.suptitle(
        f"Row {name}, trial {results['seeds'][results['recorded']]}, at the end of training{said}", fontsize=12
    )
    return figure


def draw_input(axis, x, task, t):
    """Draw a sequence's input, symbols (T,) or values (T, D); returns the steps that the answer depends on."""
    axis.set(yticks=[], ylim=(0, 1))
    axis.grid(False)
    if x.ndim == 1:
        relevant = t[x >= 6] if task[0] == "6" else t[1:2] if task in ("1", "2c") else t[:1]
        letters = SYMBOLS if task[0] == "6" else "BTPSXVE" if task == "1" else None
        if letters:
            for step, symbol in zip(t, x):
                mark = step in relevant
                size, weight, colour = (13, "bold", "#000000") if mark else (7, "normal", "#888888")
                axis.text(step, 0.75 if mark else 0.3, letters[symbol], ha="center", va="center", fontsize=size,
                          weight=weight, color=colour)  # fmt: skip
        else:
            axis.plot(t, x / max(x.max(), 1), ".", color="#888888", markersize=4)
        what = "input" if letters else "input, numbers of symbols"
        axis.set_title(
            f"{what}: the answer depends on what is marked" if task[0] == "6" else f"{what}; marked: what to remember"
        )
    else:
        axis.set(ylim=(min(-1.2, x.min()), max(1.2, x.max())))
        axis.plot(t, x[:, 0], color="#888888", linewidth=1)
        relevant = t[x[:, 1] == 1] if x.shape[1] == 2 else t[:1]
        axis.set_title("input: the values" + (", and where the marker is 1" if x.shape[1] == 2 else ""))
    for place in relevant:
        axis.axvspan(place - 0.5, place + 0.5, color="#F0E442", alpha=0.5, linewidth=0)
    return relevant


def main(argv=None):
    """Draw; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    run, folder = Path("results") / EXPERIMENT / HEADLINE, Path("viz") / EXPERIMENT
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: {run})")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help=f"where to (default: viz/{EXPERIMENT}; with --run: DIR/viz)"
    )
    options = parser.parse_args(argv)
    out = options.out or (options.run / "viz" if options.run else folder)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    made = load_run(options.run or run, EXPERIMENT, command_of(options.run))
    announce(options.run or run, run, f"visualize/{EXPERIMENT}.py")
    for draw in learning_curve, gates_and_states:
        save_picture(draw(*made), out / f"{draw.__name__}.png")
    if not options.run:
        rows = rows_run()
        for draw in summary, learning_curves:
            save_picture(draw(rows), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
