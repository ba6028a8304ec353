#!/usr/bin/env python3
"""Draw a run of lstm_1997.py, and the rows of the paper's tables that were run, into viz/lstm_1997/*.png.

It reads results.json and snapshots.npz of the run, columns.json, which names the runs of the rows with each reading of
the paper, results.json of these, and measures.json of states in task 2c. It trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import itertools
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
SOLVED = 0.9  # a rule counts as met at this share of trials
FEW = 5  # no interval for means of fewer trials
COLUMNS = {  # readings of the paper
    "text": "(a) the text to the letter",
    "one": "(b) one reading for all tasks",
    "nearest": "(c) the nearest for each task",
}
GROWTH = {  # rows, and the quantity with which they differ; the column of the runs
    "lag": ({"2c-1": 50, "2c-2": 100, "2c-3": 200, "2c-4": 500, "2c-5": 1000}, "one"),
    "repeats": ({"2c-5": 1, "2c-6": 2, "2c-7": 5, "2c-8": 10, "2c-9": 20}, "one"),
    "adding": ({"4-1": 100, "4-2": 500, "4-3": 1000}, "nearest"),
}
LAGS = {"2c-1": 50, "2c-2": 100, "2c-3": 200, "2c-4": 500}  # rows of task 2c, and their least number of distractors
LONG = "2c-3"  # the row whose states are drawn
RECEIVERS = {  # readings of who receives the outputs of units, their words and roles
    "full": ("cells receive units and inputs", "other"),
    "gates": ("cells receive inputs only", "ours"),
    "none": ("gates too receive inputs only", "third"),
}
TASKS = {
    "1": "Reber grammar", "2a": "without noise", "2b": "no regularities", "2c": "very long lags", "3a": "two sequences",
    "3b": "noise on the signal", "3c": "noisy targets", "4": "adding", "5": "multiplication", "6a": "order of two",
    "6b": "order of three",
}  # fmt: skip
SYMBOLS = "EBabcdXY"  # of task 6
WINDOWS = {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}  # possible steps of X and Y in task 6
CLASSES = {"6a": "QRSU", "6b": "QRSUVABC"}
SHOWN = {"6a": 1, "6b": 1}  # the recorded sequence to draw, with X and Y; in other tasks 0
MARKED, EMPTY, QUIET = "0.85", "0.95", "0.45"  # grey levels: marked steps, nothing to show, less important parts
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # the background of letters


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


def point(name):
    """results.json of a run of the studies, with its measures. None if it has not finished."""
    folder = ROOT / "results" / EXPERIMENT / name
    if not (folder / "results.json").exists():
        return None
    return load_run(folder, EXPERIMENT, f"python3 -m studies run {EXPERIMENT}/{name}", arrays=False)[0]


def columns_run():
    """{column: {row: its run}} of the rows that are run with a reading (None: not finished). Columns share runs."""
    path = ROOT / "results" / EXPERIMENT / "columns.json"
    try:
        places = json.loads(path.read_text())
        found = {name: point(name) for name in {name for rows in places.values() for name in rows.values()}}
        return {column: {row: found[name] for row, name in places[column].items()} for column in COLUMNS}
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 -m studies tables")
    except (ValueError, KeyError, AttributeError):
        sys.exit(f"{path} is damaged, or not of this program")


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


def beside_the_paper(values, trials, combine, draws=10000):
    """The 95 % interval of combine(our mean, the paper's mean), if the paper's trials vary as ours; as in the tables.

    Both means are drawn from our values, ours of as many as there are, the paper's of its number of trials.
    """
    rng = np.random.default_rng(0)
    ours, theirs = (values[rng.integers(len(values), size=(draws, n))].mean(axis=1) for n in (len(values), trials))
    return np.percentile(combine(ours, theirs), [2.5, 97.5])


def ratio_interval(run, stated, rule):
    """Our mean number of sequences divided by the paper's, and its interval; None if no trial, or few, met the rule.

    stated: the paper's figures of the row.
    """
    values, goal = met_by(run, rule), stated["sequences"][rule]
    if not len(values):
        return None, None
    mean, n = values.mean(), stated["trials"]
    if len(values) < FEW:
        return mean / goal, None
    return mean / goal, beside_the_paper(values, n, lambda ours, theirs: ours / goal * mean / theirs)


def verdict(run, stated, rule):
    """The verdict on a rule: fails, agrees, faster or slower; and whether the networks are less accurate."""
    tests, wrong = run["rules"][rule], stated["wrong"][rule]
    if len(met_by(run, rule)) < SOLVED * len(tests["sequences"]):
        return "fails", False
    low, high = ratio_interval(run, stated, rule)[1]
    less_accurate = False
    if wrong is not None:
        wrong = wrong * 2560 if wrong < 1 else wrong
        ours = np.array([value for value in tests["wrong"] if value is not None], dtype=float)
        more = beside_the_paper(ours, stated["trials"], lambda mean, theirs: mean - theirs + ours.mean() - wrong)
        less_accurate = bool(more[0] > 0)
    return "faster" if high < 1 else "slower" if low > 1 else "agrees", less_accurate


MANY = 30  # rows with fewer trials have a mark
WIDEST = 8  # the axis of ratios goes from 1 / WIDEST to WIDEST


def summary(columns, paper):
    """For every rule that was run and each reading: our mean number of sequences divided by the paper's mean."""
    rules = [(name, rule) for name in paper for rule in range(len(paper[name]["sequences"]))]
    figure, axes = plt.subplots(1, len(columns), figsize=(10, 0.215 * len(rules) + 4), sharex=True, sharey=True)
    made = {name: [runs[name] for runs in columns.values() if runs.get(name)] for name in paper}
    met, before = {}, {}  # numbers of rules that were met, and that have finished; the columns to the left
    for axis, (column, runs) in zip(axes, columns.items()):
        axis.axvline(1, **role("paper") | {"marker": "None", "linewidth": 1.3}, zorder=1)
        speeds, lines = [], []  # lines: what is written in place of a ratio
        for place, (name, rule) in enumerate(rules):
            results, words = runs.get(name), "not finished" if name in runs else "not run"
            if results:
                found = verdict(results["runs"][name], paper[name], rule)
                speeds.append(found[0])
                words = next((f"as in {COLUMNS[of][:3]}" for of in before if before[of].get(name) is results), "")
            if not words:
                draw_ratio(axis, place, results["runs"][name], paper[name], rule, found)
            lines.append(words)
        note(axis, lines)
        before[column] = runs
        agree, faster, slower = (speeds.count(word) for word in ("agrees", "faster", "slower"))
        met[column] = agree + faster + slower, len(speeds)
        words = f"$\\mathbf{{{met[column][0]}}}$ of {len(speeds)} rules met:\n"
        axis.set_title(f"{COLUMNS[column]}\n{words}{agree} agree, {faster} faster, {slower} slower", fontsize=10.5)
    seeds = {name: of[0]["seeds"] for name, of in made.items() if of}
    few = [name for name in seeds if len(seeds[name]) < MANY]
    lay_out_ratios(axes, paper, rules, few)
    words = "A mean agrees if its interval contains 1. Less accurate: more wrong answers than in the paper."
    figure.legend(*zip(*marks_of_ratios()), loc="outside lower center", ncols=5, title=words, title_fontsize=10)
    others = [name for name in seeds if name not in few]
    trials = [f"{len(seeds[names[0]])} trials ({span(seeds[names[0]])})" for names in (others, few) if names]
    counts = [f"{k} of {n}" for k, n in met.values()]
    title = f"Nine trials in ten meet {counts[0]} stopping rules with the text to the letter,\n"
    title += f"{counts[1]} with one reading for all tasks, {counts[2]} with the nearest for each task"
    heading(
        figure,
        title,
        f"Means of the trials that met the rule, of {'; rows with *: '.join(trials)}.\n"
        "Readings (b) and (c) were chosen on trials 100–129.\n"
        "The interval is that of the ratio, if the paper's trials vary as ours do, relative to their mean.",
    )
    return figure


def lay_out_ratios(axes, paper, rules, few):
    """Labels and scales of axes with a line for each rule (row, rule), and lines between tasks. Rows few get a mark."""
    labels, tasks = [], [name.split("-")[0] for name, _ in rules]
    for name, rule in rules:
        labels.append(f"{name} {TASKS[name.split('-')[0]]}")
        labels[-1] += f", rule {rule + 1}" if len(paper[name]["sequences"]) > 1 else ""
        labels[-1] += " *" if name in few else ""
    axes[0].set(ylim=(len(rules) - 0.5, -0.5), yticks=range(len(rules)), yticklabels=labels)
    axes[0].set(xscale="log", xlim=(1 / WIDEST, WIDEST), xticks=(0.2, 0.5, 1, 2, 5))
    axes[1].set_xlabel("our mean number of sequences / the paper's mean    (left of 1: we are faster)")
    edges = [place - 0.5 for place in range(1, len(tasks)) if tasks[place] != tasks[place - 1]]
    for axis in axes:
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(plt.NullLocator())
        axis.hlines(edges, 0, 1, transform=axis.get_yaxis_transform(), color="0.8", linewidth=0.8)
        axis.tick_params(axis="y", labelsize=10, length=0)
        axis.grid(False, axis="y")


def marks_of_ratios():
    """[(a mark in pictures of ratios, what it means)]."""
    ours, paper = role("ours") | {"linestyle": "None", "markersize": 7}, role("paper") | {"marker": "None"}
    return [
        (plt.Line2D([], [], **ours), "nine trials in ten or more met the rule"),
        (plt.Line2D([], [], **ours | {"markerfacecolor": "white"}), "fewer met it (k/n did)"),
        (plt.Line2D([], [], **ours | {"marker": "x"}), "none met it"),
        (plt.Line2D([], [], color=role("ours")["color"], linewidth=4, alpha=0.45), "95 % interval"),
        (plt.Line2D([], [], **paper, linewidth=1.3), "the paper"),
    ]


def note(axis, lines):
    """Write the words of lines without a ratio on grey, once for neighbouring lines with the same words."""
    first = 0
    for words, group in itertools.groupby(lines):
        last = first + len(list(group)) - 1
        if words:
            axis.axhspan(first - 0.5, last + 0.5, color=EMPTY, linewidth=0, zorder=1.5)
            axis.text(1, (first + last) / 2, words, ha="center", va="center", fontsize=10, color=QUIET,
                      bbox=BEHIND | {"facecolor": EMPTY}, zorder=4)  # fmt: skip
        first = last + 1


def draw_ratio(axis, place, run, stated, rule, found):
    """Draw the ratio of our mean to the paper's and its interval in a line of an axis. found: the verdict."""
    ratio, ends = ratio_interval(run, stated, rule)
    k, n = len(met_by(run, rule)), len(run["rules"][rule]["sequences"])
    fails, less_accurate = found[0] == "fails", found[1]
    low, high = (ratio, ratio) if ends is None else np.clip(ends, 1 / WIDEST, WIDEST)
    if ratio is None:
        low = high = WIDEST
        axis.plot(WIDEST, place, **role("ours") | {"marker": "x"}, markersize=7, clip_on=False, markeredgewidth=2)
    else:
        axis.plot([low, high], [place, place], color=role("ours")["color"], linewidth=4, alpha=0.45, zorder=2)
        filled = {"markerfacecolor": "white"} if fails else {}
        axis.plot(ratio, place, **role("ours") | filled, markersize=7, zorder=3)
    words = f"{k}/{n}" if fails else "less accurate" if less_accurate else ""
    left = high * (2.6 if fails else 4.5) > WIDEST
    style = {"textcoords": "offset points", "va": "center", "fontsize": 10, "color": QUIET}
    to, where = ((-7, -1), low) if left else ((7, -1), high)
    axis.annotate(words, (where, place), to, ha="right" if left else "left", bbox=BEHIND if words else None, **style)


def span(seeds):
    """Trials as text: 200–229."""
    whole = len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if whole else ", ".join(map(str, seeds))


def steps_of(lag):
    """The steps, from 1, at which states of task 2c are measured: from 2, x or y, to the last certain distractor."""
    return np.unique(np.geomspace(2, lag + 2, 20).round().astype(int))


def drift(paper):
    """Task 2c and who receives the outputs of units: states and slopes of h by step; trials that meet the rule."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.9), sharex="col")
    lag, last, met = LAGS[LONG], {}, {}  # last: measures at the last step; met: trials that met the rule, and all
    for way, (words, who) in RECEIVERS.items():
        name = f"drift/{LONG}-{way}"
        states = point(name) or sys.exit(f"{name} is missing; to make it: python3 -m studies run {EXPERIMENT}/{name}")
        measures = states["runs"][LONG]["measures"]
        for axis, key in (axes[0, 0], "state_at"), (axes[1, 0], "slope_at"):
            low, middle, high = np.percentile(measures[key], [10, 50, 90], axis=1)
            axis.fill_between(steps_of(lag), low, high, color=role(who)["color"], alpha=0.2, linewidth=0)
            axis.plot(steps_of(lag), middle, **role(who) | {"marker": "None"})
            last[way, key] = middle[-1]
        runs = {name: point(f"text/{name}" if way == "full" else f"lags/{name}-{way}") for name in LAGS}
        met[way] = draw_lags(axes[:, 1], {name: results for name, results in runs.items() if results}, who)
    axes[0, 0].set(title="mean size of a state, |s|", ylim=(0, None), xlim=(0, lag + 2))
    axes[1, 0].set(title="mean slope of h there, h'(s) / h'(0)", ylim=(0, 1.03), xlabel="time step")
    axes[0, 1].set(title="share of trials that meet the rule", ylim=(-0.04, 1.04))
    axes[1, 1].plot(LAGS.values(), [paper[name]["sequences"][-1] for name in LAGS], **role("paper"))
    axes[1, 1].set(title="mean number of sequences of these trials", xscale="log", yscale="log")
    axes[1, 1].set(xticks=list(LAGS.values()), xlim=(42, 660), xlabel="least number of distractors")
    axes[1, 1].minorticks_off()
    for axis, way, place, side in (axes[0, 0], "full", 0.03, "left"), (axes[1, 0], "gates", 0.99, "right"):
        words, who = RECEIVERS[way]
        style = {"transform": axis.transAxes, "ha": side, "color": role(who)["color"], "weight": "bold"}
        axis.text(place, 0.91, words, **style)
    axes[1, 1].xaxis.set_major_formatter("{x:g}")
    axes[1, 1].margins(y=0.15)
    low, high = axes[1, 1].get_ylim()
    ticks = [tick for tick in (2e4, 3e4, 4e4, 6e4, 1e5, 2e5) if low <= tick <= high]
    axes[1, 1].set(yticks=ticks, yticklabels=map(sequences, ticks))
    handles = [plt.Line2D([], [], **role(who)) for _, who in RECEIVERS.values()] + [plt.Line2D([], [], **role("paper"))]
    names = [words for words, _ in RECEIVERS.values()] + ["the paper"]
    figure.legend(handles, names, loc="outside lower center", ncols=4, columnspacing=1.2)
    full, gates = (f"{100 * last[way, 'slope_at']:.0f} %" for way in ("full", "gates"))
    title = f"Recurrent connections into cells make states drift: h keeps {full} of its slope,\n{gates} without them."
    if all(LONG in met[way] for way in ("full", "gates")):
        full, gates = ("{} of {}".format(*met[way][LONG]) for way in ("full", "gates"))
        title += f" {full} trials meet the rule, {gates} without them."
    n, after = len(states["seeds"]), states["config"]["steps"]
    heading(
        figure,
        title,
        f"Task 2c. Title and left: row {LONG}, {lag} distractors. Left: medians and deciles of {n} trials after\n"
        f"{after:,} sequences, before any of them learns. "
        "Right: 95 % intervals (shares: Wilson; means: bootstrap).\n"
        "A cross: no trial met the rule by five times the paper's mean.",
    )
    return figure


def draw_lags(axes, runs, who):
    """Draw the share of trials that met the rule, and their mean, by number of distractors. Returns {row: (k, n)}."""
    found = {name: (len(met_by(of["runs"][name])), len(of["seeds"])) for name, of in runs.items()}
    shift = {"ours": 0.97, "third": 1.03}.get(who, 1)  # so that equal values do not hide each other
    lags, colour = np.array([shift * LAGS[name] for name in runs]), role(who)["color"]
    if not runs:
        return found
    k, n = np.array(list(found.values())).T
    axes[0].vlines(lags, *wilson(k, n), color=colour, linewidth=4, alpha=0.35)
    axes[0].plot(lags, k / n, **role(who))
    values = [met_by(of["runs"][name]) for name, of in runs.items()]
    some = np.array([len(of_row) > 0 for of_row in values])
    axes[1].plot(lags[some], [of_row.mean() for of_row in values if len(of_row)], **role(who))
    for place, of_row, of, (name, results) in zip(lags, values, found.values(), runs.items()):
        if len(of_row) >= FEW:
            axes[1].vlines(place, *interval(of_row), color=colour, linewidth=4, alpha=0.35)
        words = "{}/{}".format(*of)
        if len(of_row):
            top = interval(of_row)[1] if len(of_row) >= FEW else of_row.mean()
        else:
            top = results["runs"][name]["cap"]
            axes[1].plot(place, top, color=colour, marker="x", markersize=8, markeredgewidth=2)
        if of[0] < of[1]:
            style = {"textcoords": "offset points", "ha": "center", "fontsize": 10}
            axes[1].annotate(words, (place, top), (0, 6), color=colour, weight="bold", **style)
    return found


def scaling(columns, paper):
    """How the number of sequences grows: with the lag, with distractors per symbol, and in adding with the steps."""
    words = {
        "lag": ("task 2c, as many symbols\nas distractors", "least number of distractors"),
        "repeats": ("task 2c, 1,000 distractors,\nfewer symbols", "distractors per symbol"),
        "adding": ("task 4, adding", "least number of steps"),
    }
    figure, axes = plt.subplots(1, 3, figsize=(10, 5))
    times, seeds = {}, []  # times: how many times as many sequences the last row that was run takes as the first
    for axis, (kind, (sizes, column)) in zip(axes, GROWTH.items()):
        runs = {name: columns[column][name] for name in sizes if columns[column][name]}
        theirs = {name: paper[name]["sequences"][0] for name in sizes}
        ours = {name: met_by(results["runs"][name]).mean() for name, results in runs.items()}
        axis.plot(list(sizes.values()), list(theirs.values()), **role("paper"))
        for name, results in runs.items():
            low, high = interval(met_by(results["runs"][name]))
            axis.vlines(sizes[name], low, high, color=role("ours")["color"], linewidth=5, alpha=0.35)
            seeds.append(results["seeds"])
        axis.plot([sizes[name] for name in runs], list(ours.values()), **role("ours"))
        low, high = (20e3, 400e3) if column == "one" else (60e3, 1.5e6)  # task 2c: equal, so that slopes compare
        for name in [name for name in sizes if name not in runs]:
            style = {"textcoords": "offset points", "ha": "right", "va": "bottom", "fontsize": 10, "color": QUIET}
            style["bbox"] = BEHIND
            axis.annotate("ours:\nnot finished", (sizes[name], low), (0, 6), **style)
        ticks = [tick for tick in (2e4, 3e4, 5e4, 1e5, 2e5, 3e5, 5e5, 1e6) if low <= tick <= high]
        axis.set(xscale="log", yscale="log", ylim=(low, high), yticks=ticks, yticklabels=map(sequences, ticks))
        axis.set(title=words[kind][0], xticks=list(sizes.values()), xlabel=words[kind][1])
        axis.xaxis.set_major_formatter("{x:,g}")
        axis.minorticks_off()
        first, last = [*runs][0], [*runs][-1]
        times[kind] = [of[last] / of[first] for of in (sizes, ours, theirs)]
    axes[0].set_ylabel("mean number of sequences")
    handles = [plt.Line2D([], [], **role(name)) for name in ("ours", "paper")]
    figure.legend(handles, ["ours (bar: 95 % interval)", "the paper"], loc="outside lower center", ncols=2)
    title = "Task 2c: {:.0f} times the lag takes {:.1f} times the sequences (paper: {:.1f}),\n".format(*times["lag"])
    title += "{:.0f} times as many distractors per symbol {:.1f} times (paper: {:.1f})".format(*times["repeats"])
    trials = sorted({f"{len(of)} trials ({span(of)})" for of in seeds}, reverse=True)
    means = f"Means of the trials that met the rule, of {' or '.join(trials)}."
    heading(figure, title, f"Task 2c with reading (b), task 4 with reading (c). {means}")
    return figure


def learning_curves(made, which=""):
    """Shares of trials that have half of the answers right, and that have met the last rule, over training.

    made: {row: its run}; of each task, the first row is drawn. which: words about these runs.
    """
    first = {}
    for name in made:
        first.setdefault(name.split("-")[0], name)
    columns = min(3, len(first))
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
    for axis in axes.flat[len(first) - columns : len(first)]:
        axis.set_xlabel("training sequences")
    handles = [plt.Line2D([], [], **first_half)]
    handles += [plt.Line2D([], [], **role(name) | {"marker": "None"}) for name in ("ours", "paper")]
    names = ["half of the answers are right", "the last rule is met (95 % interval)", "the paper's mean to this rule"]
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    n = "/".join(map(str, sorted({len(made[name]["seeds"]) for name in first.values()})))
    title = f"The median trial meets the last rule in {solved} of {len(first)} rows"
    of = f"{which}Each row has {n} trials.\n"
    if 2 * len(late) > solved:
        title = f"In {len(late)} of the {solved} rows whose median trial meets the rule,\n"
        title += "more than half of training is spent after half of the answers are right"
        late = f"These are rows {listed(late)}" if len(late) > 1 else f"This is row {late[0]}"
        of = f"{which}{late}.\nThe title compares medians over {n} trials.\n"
    about = "Answers: of the first 50 test sequences, and of the others if these may pass (tasks 1 to 3);\n"
    about += "of the last 2,000 training sequences (tasks 4 to 6)."
    heading(figure, title, f"{of}{about}")
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
    axis.text(t, y, symbol, ha="center", va="center", fontsize=12, weight="bold", bbox=BEHIND)


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
    if options.run:
        save_picture(learning_curves({name: made[0]}), out / "learning_curves.png")
        return 0
    columns, paper = columns_run(), made[0]["runs"][name]["paper"]
    rows = {row: columns["nearest"][row] or columns["text"][row] for row in columns["text"]}
    rows = {row: results for row, results in rows.items() if results} or {name: made[0]}
    finished = all(columns["nearest"][row] for row in rows)
    which = "reading (c)" + ("" if finished else ", or (a) if that has not finished")
    figures = {
        "learning_curves": learning_curves(rows, f"The first row of each task, with {which}. "),
        "summary": summary(columns, paper),
        "drift": drift(paper),
        "scaling": scaling(columns, paper),
    }
    for name, figure in figures.items():
        save_picture(figure, out / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
