#!/usr/bin/env python3
"""Draw a run of lstm_1997.py, and all rows of the paper's tables that were run, into viz/lstm_1997/*.png.

It reads results.json and snapshots.npz of the run and results.json of the rows; it trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import json
import re
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

EXPERIMENT = "lstm_1997"
HEADLINE = "6a"
ROOT = Path(__file__).resolve().parent.parent
SOLVED, NEAR = 0.9, 1.5  # least share of trials that meet a rule; largest ratio to the paper's sequences
TASKS = {
    "1": "Reber grammar", "2a": "without noise", "2b": "no regularities", "2c": "very long lags", "3a": "two sequences",
    "3b": "noise on the signal", "3c": "noisy targets", "4": "adding", "5": "multiplication", "6a": "order of two",
    "6b": "order of three",
}  # fmt: skip
SYMBOLS = "EBabcdXY"  # of task 6
WINDOWS = {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}  # possible steps of X and Y in task 6
CLASSES = {"6a": "QRSU", "6b": "QRSUVABC"}
SHOWN = {"6a": 1, "6b": 1}  # the recorded sequence to draw, with X and Y; in other tasks 0
MARKED, NEARBY, QUIET = "0.85", "0.92", "0.45"  # grey levels: marked steps, near the paper, less important parts


def command_of(run):
    """The command that makes the run in a folder (None: the headline). The folder of a row has the row's name."""
    if run is None:
        return f"python3 {EXPERIMENT}.py"
    task = f" --task {run.name}" if re.fullmatch(r"[1-6][abc]?(-\d)?", run.name) else ""
    return f"python3 {EXPERIMENT}.py{task} --out {run}"


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


def rows_run():
    """{row: its results} of all rows in results/, in the order of the paper's tables."""
    folder = ROOT / "results" / EXPERIMENT
    headline, _ = load_run(folder / HEADLINE, EXPERIMENT, f"python3 {EXPERIMENT}.py", arrays=False)
    names = headline["runs"][HEADLINE]["paper"]
    return {name: load_run(folder / name, EXPERIMENT, f"python3 -m studies run {EXPERIMENT}/{name}", arrays=False)[0]
            for name in names if (folder / name / "results.json").exists()}  # fmt: skip


def sequences(values):
    """Numbers of sequences as text."""
    return f"{values / 1e6:.3g} M" if values >= 1e6 else f"{values / 1e3:.3g} k"


def ordinal(n):
    """1st, 2nd, 3rd, 4th, ..."""
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def standing(results, run):
    """The recorded trial and its rank among all trials by sequences to the last rule, as text."""
    met, trial = run["rules"][-1]["sequences"], f"trial {results['seeds'][results['recorded']]}"
    mine = met[results["recorded"]]
    if mine is None:
        return f"{trial}, which did not meet its last rule"
    place = 1 + sum(n is not None and n < mine for n in met)
    return f"{trial}, the {ordinal(place)} of {len(met)} trials by sequences to the rule ({mine:,})"


def heading(figure, title, subtitle):
    """Write a title (the finding) and a subtitle above all panels of a figure."""
    height, lines = figure.get_figheight(), title.count("\n") + 1
    below = 0.12 + 0.23 * lines  # inches from the top
    figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=13, weight="bold")
    figure.text(0.5, 1 - below / height, subtitle, ha="center", va="top", fontsize=11, linespacing=1.3)
    below += 0.22 * (subtitle.count("\n") + 1) + 0.05
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - below / height))


def wilson(k, n, z=1.959964):
    """The 95 % Wilson intervals (low, high) of shares k / n."""
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - spread) / (n + z * z), (middle + spread) / (n + z * z)


def interval(values):
    """The 95 % percentile bootstrap interval of the mean of values, as in the tables."""
    chosen = np.random.default_rng(0).integers(len(values), size=(10000, len(values)))
    return np.percentile(values[chosen].mean(axis=1), [2.5, 97.5])


def met_by(run, rule=-1):
    """Sequences of the trials that met a rule."""
    return np.array([n for n in run["rules"][rule]["sequences"] if n is not None], dtype=float)


def beside(axis, place, words, colour="black"):
    """Write words to the right of a line of an axis."""
    axis.text(1.01, place, words, transform=axis.get_yaxis_transform(), va="center", fontsize=10, color=colour)


def summary(made):
    """For every row and rule: sequences that our trials needed, their mean, and the paper's mean."""
    paper = next(iter(made.values()))["runs"]
    paper = next(iter(paper.values()))["paper"]
    rules = [(name, rule) for name, row in paper.items() for rule in range(len(row["sequences"]))]
    places = [(name, rule) for name, rule in rules if name in made]
    others = list(dict.fromkeys(name.split("-")[0] for name, _ in rules if name not in made))
    lines = len(places) + len(others)
    size, heights = (10, 0.26 * lines + 2.6), (len(places), max(len(others), 1))
    figure, (axis, strip) = plt.subplots(2, 1, figsize=size, sharex=True, height_ratios=heights)
    n_solved, n_near = 0, 0
    for place, (name, rule) in enumerate(places):
        run, n, stated = made[name]["runs"][name], len(made[name]["seeds"]), paper[name]["sequences"][rule]
        met = met_by(run, rule)
        axis.fill_betweenx([place - 0.4, place + 0.4], stated / NEAR, stated * NEAR, color=NEARBY, linewidth=0)
        solved = len(met) >= SOLVED * n
        n_solved += solved
        n_near += solved and met.mean() <= NEAR * stated
        spread = place + 0.3 * np.linspace(-1, 1, len(met))[np.random.default_rng(0).permutation(len(met))]
        axis.plot(met, spread, **role("one") | {"linestyle": "None"}, markersize=6)
        axis.plot(stated, place, **role("paper") | {"linestyle": "None"}, markersize=7, zorder=3)
        if len(met):
            if len(met) >= 5:
                axis.plot(interval(met), [place, place], color=role("ours")["color"], linewidth=4, alpha=0.45, zorder=3)
            filled = {} if solved else {"markerfacecolor": "white"}
            axis.plot(met.mean(), place, **role("ours") | filled, markersize=8, zorder=4)
        if len(met) < n:
            axis.plot(run["cap"], place, "x", color=QUIET, markersize=7, zorder=2)
        beside(axis, place, f"{len(met)} of {n}", "black" if solved else QUIET)
    beside(axis, -0.9, "met it")
    labels = [f"{name} {TASKS[name.split('-')[0]]}" for name, _ in places]
    for k, (name, rule) in enumerate(places):
        labels[k] += f", rule {rule + 1}" if len(paper[name]["sequences"]) > 1 else ""
    axis.set(ylim=(len(places) - 0.4, -0.6), yticks=range(len(places)), yticklabels=labels)
    for place, task in enumerate(others):
        names = [name for name in paper if name.split("-")[0] == task and name not in made]
        stated = sorted(n for name in names for n in paper[name]["sequences"])
        strip.plot(stated, place + apart(stated), **role("paper") | {"linestyle": "None"}, markersize=6)
        beside(strip, place, f"{len(stated)}")
    strip.set(yticks=range(len(others)), yticklabels=[f"{task} {TASKS[task]}" for task in others])
    strip.set(xscale="log", ylim=(max(len(others), 1) - 0.4, -0.6))
    strip.set_xlabel("training sequences until the stopping rule is met")
    words = f"{len(rules) - len(places)} rules of {len(paper) - len(made)} rows were not run: the paper's means"
    strip.set_title(f"{words} (right: how many)", fontsize=11)
    for part, tasks in (axis, [name.split("-")[0] for name, _ in places]), (strip, others):
        edges = [place - 0.5 for place in range(1, len(tasks)) if tasks[place] != tasks[place - 1]]
        part.hlines(edges, 0, 1, transform=part.get_yaxis_transform(), color="0.8", linewidth=0.8)
        part.tick_params(axis="y", labelsize=10, length=0)
        part.grid(False, axis="y")
    marks = {"linestyle": "None", "markersize": 8}
    hollow = role("ours") | marks | {"markerfacecolor": "white"}
    handles = {
        "our mean, nine trials in ten or more met it": plt.Line2D([], [], **role("ours") | marks),
        "our mean, fewer met it": plt.Line2D([], [], **hollow),
        "95 % interval of our mean": plt.Line2D([], [], color=role("ours")["color"], linewidth=4, alpha=0.45),
        "the paper's mean": plt.Line2D([], [], **role("paper") | marks),
        f"within a factor of {NEAR} of it": plt.Rectangle((0, 0), 1, 1, color=NEARBY),
        "one of our trials": plt.Line2D([], [], **role("one") | marks),
        "the other trials stopped here": plt.Line2D([], [], color=QUIET, marker="x", **marks),
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)
    n = {len(made[name]["seeds"]) for name in made}
    heading(
        figure,
        f"At least nine trials in ten met {n_solved} of the {len(places)} stopping rules that we ran;\n"
        f"{n_near} of the {n_solved} need at most {NEAR} times the paper's sequences",
        f"{len(made)} of {len(paper)} rows, {'/'.join(map(str, sorted(n)))} trials each; a line is a rule of a row.\n"
        "The reading of the paper was chosen for each task, mostly so as to come near its means.",
    )
    return figure


def apart(values, least=1.06):
    """Offsets of marks for sorted values on a log axis: equal and nearly equal values are drawn above each other."""
    near = np.array([k > 0 and value < least * values[k - 1] for k, value in enumerate(values)])
    return np.where(near, -0.22, np.where(np.append(near[1:], False), 0.22, 0))


def learning_curves(made):
    """Shares of trials that have half of the answers right, and that have met the last rule, over training."""
    first = {}
    for name in made:
        first.setdefault(name.split("-")[0], name)
    columns = min(2, len(first))
    lines = -(-len(first) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(10, 1.75 * lines + 1.4), squeeze=False, sharey=True)
    for axis in axes.flat[len(first) :]:
        axis.axis("off")
    late, solved, first_half = [], 0, role("third") | {"marker": "None", "linewidth": 2}
    for axis, (task, name) in zip(axes.flat, first.items()):
        run, n = made[name]["runs"][name], len(made[name]["seeds"])
        step, wrong = np.array(run["history"]["step"]), np.array(run["history"]["wrong"], float)
        half = np.where((wrong <= 0.5).any(axis=0), step[(wrong <= 0.5).argmax(axis=0)], np.inf)
        met = np.array([np.inf if k is None else k for k in run["rules"][-1]["sequences"]], dtype=float)
        end = 1.03 * max(step[-1], *run["paper"][name]["sequences"])
        t, k = shares(half, end)
        axis.step(t, k / n, where="post", **first_half)
        t, k = shares(met, end)
        axis.fill_between(t, *wilson(k, n), step="post", color=role("ours")["color"], alpha=0.2, linewidth=0)
        axis.step(t, k / n, where="post", **role("ours") | {"marker": "None", "linewidth": 2.5})
        axis.axvline(run["paper"][name]["sequences"][-1], **role("paper") | {"marker": "None", "linewidth": 1.5})
        if np.isfinite(np.median(met)):
            solved += 1
            late += [name] * bool(np.median(half) < np.median(met) / 2)
        axis.set(ylim=(-0.04, 1.04), xlim=(0, end), yticks=(0, 0.5, 1))
        axis.set_title(f"row {name}, {TASKS[task]}", fontsize=11)
        axis.xaxis.set_major_locator(plt.MaxNLocator(4))
        axis.xaxis.set_major_formatter(lambda value, _: sequences(value) if value else "0")
    for axis in axes[:, 0]:
        axis.set_ylabel("share of trials")
    for axis in axes[-1]:
        axis.set_xlabel("training sequences")
    handles = [plt.Line2D([], [], **first_half)]
    handles += [plt.Line2D([], [], **role(name) | {"marker": "None"}) for name in ("ours", "paper")]
    names = ["half of the answers are right", "the last rule is met (95 % interval)", "the paper's mean to this rule"]
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    n = "/".join(map(str, sorted({len(made[name]["seeds"]) for name in first.values()})))
    title, of = "Shares of trials that have half of the answers right, and that have met the last rule", f"{n} trials."
    if late:
        title = f"In {len(late)} of the {solved} rows whose median trial meets the rule,\n"
        title += "more than half of training is spent after half of the answers are right"
        which = f"These are rows {listed(late)}" if len(late) > 1 else f"This is row {late[0]}"
        of = f"{which}. The title compares medians over {n} trials."
    about = "Answers are of the last test (tasks 1 to 3) or of the last 2,000 training sequences (tasks 4 to 6)."
    heading(figure, title, f"{of}\n{about}")
    return figure


def shares(when, end):
    """Steps up to end, and the number of trials that have reached a goal at each. when: step of each trial, or inf."""
    t = np.concatenate([[0], np.sort(when[np.isfinite(when)]), [end]])
    return t, np.append(np.arange(len(t) - 1), len(t) - 2)


def listed(words):
    """Words as text: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def task(results, arrays):
    """The recorded sequences of task 6: one in full, and for each the symbols that decide, with the answer."""
    ((name, _),) = results["runs"].items()
    x, length, target = (arrays[f"{name}/{key}"] for key in ("x", "length", "target"))
    n, k, order = x.shape[1], SHOWN[name], "EBdcbaYX"  # symbols from bottom to top
    heights = 2.2, 0.25 * n + 0.6
    figure, axes = plt.subplots(2, 1, figsize=(10, 0.25 * n + 4.2), sharex=True, height_ratios=heights)
    t, symbols = np.arange(1, length[k] + 1), x[: length[k], k]
    rows, noise = np.array([order.index(SYMBOLS[symbol]) for symbol in symbols]), symbols < 6
    axes[0].plot(t[noise], rows[noise], **role("input") | {"linestyle": "None"}, markersize=7)
    for step in t[~noise]:
        letter(axes[0], step, rows[step - 1], SYMBOLS[symbols[step - 1]])
    axes[0].set(yticks=range(len(order)), yticklabels=order, ylim=(-0.7, len(order) - 0.3), ylabel="input symbol")
    axes[0].set_title(f"sequence {k + 1} in full")
    answer = role("target")["color"]
    for line in range(n):
        marks = np.arange(1, length[line] + 1)[x[: length[line], line] >= 6]
        axes[1].plot([1, length[line]], [-line, -line], color=role("input")["color"], linewidth=1, zorder=1)
        axes[1].plot(length[line], -line, **role("target") | {"linestyle": "None"}, markersize=8)
        for step in marks:
            letter(axes[1], step, -line, SYMBOLS[x[step - 1, line]])
        words = "".join(SYMBOLS[x[step - 1, line]] for step in marks)
        words = f"{words}: {CLASSES[name][target[:, line].argmax()]}"
        axes[1].text(length[line] + 1.5, -line, words, va="center", fontsize=12, color=answer, weight="bold")
    axes[1].set(yticks=[], ylim=(0.4 - n, 0.6), xlim=(0, x.shape[0] + 9), xlabel="time step")
    axes[1].set_title(f"sequences 1 to {n}: the symbols that decide, and the answer at the end")
    for axis in axes:
        axis.grid(False)
        for low, high in WINDOWS[name]:
            axis.axvspan(low - 0.5, high + 0.5, color=MARKED, alpha=0.6, linewidth=0, zorder=0)
    steps = " and at one ".join(f"from {low} to {high}" for low, high in WINDOWS[name])
    count, before = {2: "Two", 3: "Three"}[(~noise).sum()], length[k] - t[~noise][0]
    trial = results["seeds"][results["recorded"]]
    heading(
        figure,
        f"{count} of {length[k]} symbols decide the answer; the first comes {before} steps before the end",
        f"Row {name}: X or Y stands at a step {steps} (grey); the other symbols tell nothing of the answer.\n"
        f"The {n} recorded sequences of trial {trial}, one of each class.",
    )
    return figure


def letter(axis, t, y, symbol):
    """Write a symbol that decides, on a white background."""
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axis.text(t, y, symbol, ha="center", va="center", fontsize=12, weight="bold", bbox=behind)


def gates_and_states(results, arrays):
    """One sequence through the recorded trial's network at its last snapshot: input, gates and states."""
    ((name, run),) = results["runs"].items()
    k, of_task = SHOWN.get(name, 0), name.split("-")[0]
    length = int(arrays[f"{name}/length"][k])
    x = arrays[f"{name}/x"][:length, ..., k]
    panels = [("input gates of the blocks", "in_gate"), ("states of the cells", "s")]
    panels += [("output gates of the blocks", "out_gate")] if f"{name}/out_gate" in arrays else []
    blocks = arrays[f"{name}/in_gate"].shape[2]
    size, heights = (10, 1.7 * len(panels) + 2), (0.35, *[1] * len(panels))
    figure, axes = plt.subplots(len(panels) + 1, 1, figsize=size, sharex=True, height_ratios=heights)
    t = np.arange(1, length + 1)
    relevant = draw_input(axes[0], x, of_task, t)
    for axis, (words, key) in zip(axes[1:], panels):
        values, ends = arrays[f"{name}/{key}"][-1, :length, :, k].astype(float), []
        for row, line in enumerate(values.T):
            block, cell = row % blocks, row // blocks
            colour = role(f"cell {block}")["color"]
            axis.plot(t, line, color=colour, linestyle=("-", "--")[cell], linewidth=1.8)
            both = key == "s" and values.shape[1] > blocks
            ends.append((line[-1], f"block {block + 1}" + (f", cell {cell + 1}" if both else ""), colour))
        axis.set_title(words + (" (cell 2 of a block: dashed)" if key == "s" and values.shape[1] > blocks else ""))
        axis.set(**({"ylim": (-0.05, 1.05)} if key != "s" else {}))
        label_ends(axis, ends)
    for axis in axes:
        for place in relevant:
            axis.axvspan(place - 0.5, place + 0.5, color=MARKED, linewidth=0, zorder=0)
    axes[-1].set(xlabel="time step", xlim=(0, length + 1))
    output, target = arrays[f"{name}/output"][-1], arrays[f"{name}/target"]
    said = "."
    if target.ndim == 2 and len(output) == 1:
        off = np.abs(output[0, :, k].astype(float) - target[:, k]).max()
        said = f"; its outputs are off by at most {off:.2f}."
    at = int(arrays[f"{name}/step"][-1])
    gates = arrays[f"{name}/in_gate"][-1, :length, :, k].astype(float)
    of = f"Row {name}: {standing(results, run)},\nafter {at:,} sequences. One recorded sequence{said}"
    heading(figure, finding(gates, relevant, of_task), of)
    return figure


def finding(gates, relevant, of_task):
    """A title about the input gates (T, blocks) at the marked steps."""
    here = np.isin(np.arange(1, len(gates) + 1), relevant)
    apart = gates[here].min(axis=0) - gates[~here].max(axis=0)
    block = int(apart.argmax())
    if apart[block] < 0.3:
        return "No input gate opens at the marked steps alone"
    what = "X and Y" if of_task[0] == "6" else "what must be kept"
    most = f"{np.ceil(100 * gates[~here, block].max()) / 100:.2f} at any other step"
    least = f"{np.floor(100 * gates[here, block].min()) / 100:.2f} there"
    return f"The input gate of block {block + 1} opens at {what}: it is at least {least},\nand at most {most}"


def label_ends(axis, ends):
    """Write names (value, name, colour) to the right of an axis, near the last values of lines, without overlap."""
    low, high = axis.get_ylim()
    apart, ends = 0.15 * (high - low), sorted(ends)
    places = [value for value, *_ in ends]
    for _ in range(50):
        for k in range(len(places) - 1):
            short = apart - (places[k + 1] - places[k])
            if short > 1e-9:
                places[k], places[k + 1] = places[k] - short / 2, places[k + 1] + short / 2
    for place, (_, name, colour) in zip(places, ends):
        bold = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": 10, "weight": "bold"}
        axis.text(1.005, place, name, color=colour, **bold)


def draw_input(axis, x, of_task, t):
    """Draw a sequence's input, symbols (T,) or values (T, D). Returns the steps, from 1, that decide the answer."""
    axis.set(yticks=[], ylim=(0, 1))
    axis.grid(False)
    if x.ndim > 1:
        axis.set(ylim=(min(-1.2, x.min()), max(1.2, x.max())))
        axis.plot(t, x[:, 0], **role("input") | {"linestyle": "-", "marker": "None"}, linewidth=1)
        axis.set_title("input: the values" + ("; grey: where the marker is 1" if x.shape[1] == 2 else ""))
        return t[x[:, 1] == 1] if x.shape[1] == 2 else t[:1]
    relevant = t[x >= 6] if of_task[0] == "6" else t[1:2] if of_task in ("1", "2c") else t[:1]
    letters = SYMBOLS if of_task[0] == "6" else "BTPSXVE" if of_task == "1" else None
    if letters:
        axis.plot(t, 0 * t + 0.5, **role("input") | {"linestyle": "None"}, markersize=7)
        for step in relevant:
            letter(axis, step, 0.5, letters[x[step - 1]])
    else:
        axis.plot(t, x / max(x.max(), 1), ".", color=role("input")["color"], markersize=4)
    of_6 = "input: X, Y and symbols that tell nothing of the answer"
    axis.set_title(of_6 if of_task[0] == "6" else "input; grey: what must be kept")
    return relevant


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    run, folder = Path("results") / EXPERIMENT / HEADLINE, Path("viz") / EXPERIMENT
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: {run})")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help=f"folder for pictures (default: viz/{EXPERIMENT}; with --run: DIR/viz)"
    )
    options = parser.parse_args(argv)
    out = options.out or (options.run / "viz" if options.run else folder)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    made = load_run(options.run or run, EXPERIMENT, command_of(options.run))
    announce(options.run or run, run, f"visualize/{EXPERIMENT}.py")
    (name,) = made[0]["runs"]
    for draw in (task, gates_and_states) if name in WINDOWS else (gates_and_states,):
        save_picture(draw(*made), out / f"{draw.__name__}.png")
    rows = {name: made[0]} if options.run else rows_run()
    for draw in (learning_curves,) if options.run else (learning_curves, summary):
        save_picture(draw(rows), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
