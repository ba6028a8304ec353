#!/usr/bin/env python3
"""Draw which networks learn task 1 of 1997, the embedded Reber grammar, into viz/lstm_1997/task_1.png.

It reads results.json of points in results/lstm_1997: those of studies/grammar_1997.py in grammar, and those that
columns.json names for the rows of task 1. A point that has not finished is marked. It trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import json
import sys
import zipfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as Path2D

STUDY = "lstm_1997"
RESULTS = Path("results") / STUDY
ROOT = Path(__file__).resolve().parent.parent
QUIET = "0.45"
ROWS = "1-1", "1-2", "1-3", "1-4", "1-5"
SEARCHED = "1-5"  # the row of the search
# Readings of row 1-5: words, role, point with a change of weights once per string, point with a change at every step.
SEARCH = [
    ("the text: all units receive units", "other", "search-text", "search-text-step"),
    ("the text, outputs with a bias", "other", "search-full-bias", None),
    ("all gates receive all units", "ours", None, "search-gates-zero-step"),
    ("errors: slope + 0.1", "ours", "search-gates-zero-mixed", None),
    ("all gates receive gates", "ours", "search-gg-zero", "search-gg-zero-step"),
    ("errors: slope + 0.1", "ours", "search-gg-zero-mixed", None),
    ("input gates receive all units", "ours", "search-ia-zero", "search-ia-zero-step"),
    ("errors: slope + 0.1", "ours", "search-ia-zero-mixed", "search-ia-zero-step-mixed"),
    ("input gates receive gates", "ours", "search-ig-zero", "search-ig-zero-step"),
    ("errors: slope + 0.1", "ours", "search-ig-zero-mixed", None),
    ("no unit receives units", "ours", "search-none-zero", "search-none-zero-step"),
    ("input gates receive gates", "ours", None, "search-ig-nobias-zero-step"),
]
HEADERS = {  # above a reading
    2: "cells receive inputs only,\noutputs have a bias:",
    11: "cells receive inputs only,\noutputs have no bias:",
}
GROUPS = {  # of the five rows: words and role
    "text": ("(a) the text to the letter", "other"),
    "nearest": ("(c) the nearest reading", "ours"),
    "diagnosis": ("diagnosis (no reading)", "fourth"),
}
SAME = "recurrence", "output_bias", "update", "cost"  # settings by which a point of the search has the reading of (c)
RARE = 0.01  # a transition counts as wrong in a trial if it is wrong in a larger share of strings
STATES = "1", "2", "3", "4", "5", "6", "7", "8", "9", "18", "19"  # 2 to 9 stand for the states of both halves
X, Y = (0, 1.1, 1.9, 2.9, 2.9, 5.1, 5.1, 6.7, 7.7, 9.2, 10.1), (0, 0, 0, 1, -1, 1, -1, 0, 0, 0, 0)
PLACES = dict(zip(STATES, zip(X, Y)))  # in the drawing of the grammar
EDGES = {  # transitions: the states that they join, and where their label is, beside the middle
    "1TP": ("1", "2", (0, 0.42)),
    "2B": ("2", "3", (0, 0.42)),
    "3T": ("3", "4", (-0.35, 0.3)),
    "3P": ("3", "5", (-0.35, -0.3)),
    "4S": ("4", "4", (-0.95, 0.6)),
    "4X": ("4", "6", (0.1, 0.42)),
    "5T": ("5", "5", (-1.05, -0.6)),
    "5V": ("5", "7", (0.2, -0.45)),
    "6X": ("6", "5", (-0.7, 0.22)),
    "6S": ("6", "8", (0.55, 0.35)),
    "7P": ("7", "6", (0.6, 0)),
    "7V": ("7", "8", (0.5, -0.42)),
    "8E": ("8", "9", (0, 0.42)),
    "9TP": ("9", "18", (0, 0.42)),
    "18E": ("18", "19", (0, 0.42)),
}
MEMORY = "9TP"  # the transition that repeats the second symbol of the string


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


def wilson(k, n, z=1.959964):
    """The 95 % Wilson intervals (low, high) of shares k / n."""
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - spread) / (n + z * z), (middle + spread) / (n + z * z)


def read(folder, name, experiment, needed=False):
    """results.json of a point in a folder. None if it has not finished; if it is needed, this ends the program."""
    if not needed and not (folder / name / "results.json").exists():
        return None
    return load_run(folder / name, experiment, f"python3 -m studies run {STUDY}/{name}", arrays=False)[0]


def read_search(folder):
    """{point: its run, or None} of the search on one row, and its trials as text."""
    names = [name for *_, string, step in SEARCH for name in (string, step) if name]
    found = {name: read(folder, f"grammar/{name}", "grammar_1997", name in SEARCH[0]) for name in names}
    return found, span(found["search-text"]["seeds"])


def read_rows(folder):
    """{group: {row: its run, or None}} of the five rows, and the trials as text."""
    path = folder / "columns.json"
    try:
        columns = json.loads(path.read_text())
        names = {group: {row: columns[group][row] for row in ROWS} for group in ("text", "nearest")}
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 -m studies tables")
    except (ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")
    found = {
        group: {row: read(folder, name, STUDY, group == "text") for row, name in rows.items()}
        for group, rows in names.items()
    }
    found["diagnosis"] = {row: read(folder, f"grammar/{row}-diagnosis", "grammar_1997") for row in ROWS}
    return found, span(found["text"][SEARCHED]["seeds"])


def span(trials):
    """The numbers of trials as text."""
    return f"{min(trials)}–{max(trials)}"


def solved(results):
    """The number of trials of a run that met the rule, and of all trials."""
    (run,) = results["runs"].values()
    there = run["rules"][0]["sequences"]
    return sum(n is not None for n in there), len(there)


def stated(results):
    """The number of trials that the paper solved in the row of a run, and of its trials."""
    ((row, run),) = results["runs"].items()
    paper = run["paper"][row]
    return round(paper["solved"] * paper["trials"]), paper["trials"]


def total(pairs):
    """Solved and all trials, summed over rows."""
    return tuple(map(sum, zip(*pairs)))


def mark(axis, y, results, style):
    """Draw the share of solved trials with its interval. Filled: weights change once per string; hollow: per step."""
    if results is None:
        axis.text(0.5, y, "not finished", ha="center", va="center", fontsize=10, color=QUIET)
        return
    k, n = solved(results)
    filled = "white" if results["config"]["update"] == "step" else style["color"]
    share(axis, y, k, n, style | {"markerfacecolor": filled})


def share(axis, y, k, n, style):
    """Draw a share k / n with its interval."""
    axis.hlines(y, *wilson(k, n), color=style["color"], linewidth=4, alpha=0.35)
    axis.plot(k / n, y, **style | {"linestyle": "None"}, markersize=7, markeredgewidth=1.6, clip_on=False, zorder=3)


def beside(axis, y, results, words, who):
    """Write words to the right of the interval of a run."""
    _, high = wilson(*solved(results))
    axis.text(high + 0.03, y, words, va="center", fontsize=10, weight="bold", color=role(who)["color"])


def lay_out(axis, title, ticks, last):
    """Scales and labels of an axis of shares. ticks: {place: label}. last: the lowest place."""
    axis.set(xlim=(-0.02, 1.02), ylim=(last, -0.6), yticks=list(ticks), yticklabels=list(ticks.values()))
    axis.set(xticks=np.linspace(0, 1, 5), xlabel="share of trials that learn the grammar")
    axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axis.tick_params(axis="y", labelsize=10, length=0)
    axis.grid(False, axis="y")
    axis.set_title(title)


def draw_search(axis, found, trials, marked, words_marked):
    """Row 1-5: the shares of trials that learn the grammar with each reading. marked: the point that has words."""
    ticks, y = {0: "the paper"}, 0
    share(axis, y, *stated(found["search-text"]), role("paper"))
    for place, (words, who, *names) in enumerate(SEARCH):
        y += 1
        if place in HEADERS:
            ticks[y] = HEADERS[place]
            y += 1
        shifts = (-0.2, 0.2) if all(names) else (0, 0)
        for name, shift in zip(names, shifts):
            if name:
                mark(axis, y + shift, found[name], role(who))
            if name and name == marked:
                beside(axis, y + shift, found[name], words_marked, who)
        ticks[y] = words
    for name, shift, words in zip(SEARCH[0][2:], (-0.2, 0.2), ("weights change once per string", "at every step")):
        beside(axis, 1 + shift, found[name], words, "other")
    lay_out(axis, f"Row {SEARCHED}, trials {trials}", ticks, y + 0.6)
    for label in axis.get_yticklabels():
        label.set_weight("bold" if label.get_text() in HEADERS.values() else "normal")


def draw_rows(axis, found, trials):
    """All five rows: the shares of trials that learn the grammar with the text, reading (c) and the diagnosis."""
    ticks, y = {}, 0
    for group, (words, who) in GROUPS.items():
        colour = role(who)["color"]
        there = [solved(results) for results in found[group].values() if results]
        words += ": {} of {}".format(*total(there)) if there else ""
        axis.text(0, y, words, va="center", fontsize=10, weight="bold", color=colour)
        for row, results in found[group].items():
            y += 1
            ticks[y] = row
            share(axis, y, *stated(found["text"][row]), role("paper"))
            mark(axis, y, results, role(who))
        y += 1.2
    lay_out(axis, f"All five rows, trials {trials}", ticks, y - 0.6)


def nearest(search, rows):
    """The point of the search with reading (c), and words for it.

    If (c) has not finished, it is the point with most solved trials, and with fewest strings, so far. It may be None.
    """
    finished = {name: results for name, results in search.items() if results}
    if rows["nearest"][SEARCHED]:
        config = rows["nearest"][SEARCHED]["config"]
        found = [name for name, of in finished.items() if all(of["config"][key] == config[key] for key in SAME)]
        assert len(found) == 1, f"one point of the search has reading (c), not {found}"
        return found[0], "reading (c)"
    cuts = [name for name in finished if name not in (*SEARCH[0], *SEARCH[1])]
    return max(cuts, key=lambda name: (solved(finished[name])[0], -mean(finished[name])), default=None), "best so far"


def mean(results):
    """The mean number of strings of the trials that met the rule; infinite if there are none."""
    (run,) = results["runs"].values()
    there = [n for n in run["rules"][0]["sequences"] if n is not None]
    return np.mean(there) if there else np.inf


def wrong_transitions(results):
    """Failed trials, all trials, and {transition: number of failed trials that are wrong there, in either half}."""
    (run,) = results["runs"].values()
    k, n = solved(results)
    found = Counter()
    for there, edges in zip(run["rules"][0]["sequences"], run["trace"]["edges"]):
        wrong = [edge for edge, strings, _ in edges if there is None and strings > RARE]
        found.update({name for name in EDGES if any(counts_as(edge, name) for edge in wrong)})
    return n - k, n, found


def counts_as(edge, name):
    """Whether a transition of the full grammar, such as T9T, counts as one of the drawing, such as 9TP."""
    state, symbols = name.rstrip("BTPSXVE"), name.lstrip("0123456789")
    return edge[:-1].lstrip("TP") == state and edge[-1] in symbols


def draw_grammar(axis, results, words, who):
    """The grammar, with transitions as thick as the share of failed trials that are wrong there."""
    axis.set(xlim=(-0.2, 10.3), ylim=(-2.2, 2.2))
    axis.axis("off")
    if results is None:
        axis.text(0.5, 0.5, f"{words}: not finished", ha="center", color=QUIET, transform=axis.transAxes)
        return
    failed, n, wrong = wrong_transitions(results)
    for name, (start, end, beside) in EDGES.items():
        k, width = wrong[name], 1 + 5 * wrong[name] / max(failed, 1)
        line = {"color": role(who)["color"] if k else "0.75", "linewidth": width, "mutation_scale": 8 + 1.6 * width}
        place = draw_arrow(axis, np.array(PLACES[start]), np.array(PLACES[end]), line) + beside
        text = "/".join(name.lstrip("0123456789")) + (f" {k}" if k else "")
        style = {"weight": "bold", "color": "black"} if k else {"color": QUIET}
        axis.text(*place, text, ha="center", va="center", fontsize=10, **style)
    axis.plot(*zip(*PLACES.values()), "o", color="0.3", markersize=6, zorder=3)
    (x, y), (x_end, _) = (PLACES[state] for state in EDGES[MEMORY][:2])
    axis.text((x + x_end) / 2, y - 0.6, "memory", ha="center", fontsize=10)
    words += f": {failed} of {n} trials fail,\n{wrong[MEMORY]} are wrong at the memory of the second symbol"
    axis.set_title(words, loc="center")


def draw_arrow(axis, start, end, line):
    """Draw an arrow between two places of the drawing, or a loop. Returns its middle."""
    if (start != end).any():
        axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", shrinkA=3, shrinkB=3, **line))
        return (start + end) / 2
    up = np.sign(start[1])
    angles = np.radians(np.linspace(-70, 262, 40))
    around = start + [0, 0.48 * up] + np.stack([0.42 * np.cos(angles), 0.42 * up * np.sin(angles)], axis=-1)
    axis.add_patch(FancyArrowPatch(path=Path2D(around), arrowstyle="-|>", **line))
    return start


def task_1(search, rows, trials):
    """Shares with the readings of one row and in all five rows, and what failed trials lack."""
    figure = plt.figure(figsize=(10, 10.4))
    above, below = figure.subfigures(2, 1, height_ratios=(2.5, 1))
    axes = above.subplots(1, 2)
    cut, words = nearest(search, rows)
    draw_search(axes[0], search, trials[0], cut, words)
    draw_rows(axes[1], rows, trials[1])
    left, right = below.subplots(1, 2)
    draw_grammar(left, search["search-text"], "the text", "other")
    draw_grammar(right, search.get(cut), words, "ours")
    words = f"Row {SEARCHED}, trials {trials[0]}: at each transition of the grammar, the number of failed trials\n"
    words += f"that are wrong there in more than {100 * RARE:.0f} % of the strings"
    below.suptitle(words, fontsize=11, weight="normal")
    heading(figure, finding(rows, search.get(cut)), about(search, rows))
    return figure


def finding(rows, one):
    """The title: how many trials learn the grammar in all five rows, or if these have not finished, in one.

    one: the run of reading (c) in one row, or the best one so far, or None.
    """
    text, cut, diagnosis = ([results for results in rows[group].values() if results] for group in GROUPS)
    k, n = total(map(solved, text))
    title = f"With the text to the letter, {k} of {n} trials learn the grammar (the paper: "
    title += "{} of {})".format(*total(map(stated, text)))
    if len(cut) < len(ROWS):
        return title + (
            ";\nwith other readings, at most {} of {} of row {}".format(*solved(one), SEARCHED) if one else ""
        )
    config = cut[0]["config"]
    assert config["recurrence"] != "full", "cells receive inputs only"
    bias = "a" if config["output_bias"] else "no"
    title += f";\nwith reading (c) (cells: inputs only; outputs: {bias} bias), {total(map(solved, cut))[0]}"
    return title + (f"; with the diagnosis, {total(map(solved, diagnosis))[0]}" if len(diagnosis) == len(ROWS) else "")


def about(search, rows):
    """The subtitle: trials, the cap, and what the words mean."""
    (run,), trials = search["search-text"]["runs"].values(), search["search-text"]["seeds"]
    times = run["cap"] / run["paper"][SEARCHED]["sequences"][0]
    finished = [results for found in (search, *rows.values()) for results in found.values() if results]
    assert {len(results["seeds"]) for results in finished} == {len(trials)}, "each point has as many trials"
    return (
        f"{len(trials)} trials each, 95 % intervals; black: the paper. "
        f"A trial fails after {times:g} times the paper's mean number of strings.\n"
        "Blue: cells receive inputs only, and biases of input gates start at 0. "
        f"Readings were chosen on trials {span(trials)}.\n"
        "The diagnosis (h is the identity, targets are 1 and 0.1) is no reading of the paper."
    )


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = partial(parser.add_argument, metavar="DIR", type=Path)
    add("--run", default=RESULTS, help="folder of columns.json and of the points")
    add("--out", default=Path("viz") / STUDY, help="folder for the picture")
    options = parser.parse_args(argv)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    (search, first), (rows, second) = read_search(options.run), read_rows(options.run)
    unfinished = sum(results is None for found in (search, *rows.values()) for results in found.values())
    print(f"drawing {options.run}" + (f"; {unfinished} points have not finished" if unfinished else ""))
    save_picture(task_1(search, rows, (first, second)), options.out / "task_1.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
