#!/usr/bin/env python3
"""Draw a run of multiplication_problem.py, and the studies made with it, into viz/multiplication_problem/*.png.

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
import zipfile
import zlib
from decimal import Decimal
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation

EXPERIMENT = "multiplication_problem"
ROOT = Path(__file__).resolve().parent.parent
WORDS = "0.15"  # words beside curves
CASING = [withStroke(linewidth=4, foreground="white")]  # a white border for lines and words over data
DARK = {"color": "0.2", "linestyle": "--", "marker": "s", "markerfacecolor": "white"}  # a measure that has no role
GATE = {"f": ("forget", "-"), "o": ("output", "--"), "i": ("input", ":")}
SOLVED = {"multiply": "0.03", "add": "1/144"}  # mean squared error that counts as solved
# Mean squared errors of the best answers with limited knowledge, for x1, x2 from U[0, 1]: variances, and for the
# product 1/36 = E[x^2] / 12, 1/144 = Var[(x1 - 1/2)(x2 - 1/2)], 1/540 = E[Var(x1 x2 | x1 + x2)].
LEVELS = {
    "multiply": {
        "constant answer": 7 / 144,
        "knows one number": 1 / 36,
        "linear in both": 1 / 144,
        "knows their sum": 1 / 540,
    },
    "add": {"constant answer": 1 / 24, "knows one number": 1 / 48},
}


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


def entitle(figure, title, subtitle):
    """Write the finding as the title of a figure, and its runs below it in smaller letters."""
    over = figure.suptitle(title + "\n" * (1 + subtitle.count("\n")))
    below = Annotation(subtitle, (0.5, 0), xycoords=over, ha="center", va="bottom", fontsize=11, color="0.25")
    below.set_in_layout(False)
    figure.add_artist(below)


def history(run, name):
    """The history of a metric as an array (evaluations, seeds), with NaN for missing values."""
    return np.array(run["history"][name], float)


def line_of(name):
    """role(name) without markers, for curves of many points."""
    return role(name) | {"marker": "None"}


def label(axis, x, y, words, **how):
    """Write words beside a curve, at (x, y) of the data."""
    axis.text(x, y, words, color=WORDS, fontweight="bold", path_effects=CASING, **how)


def name_level(axis, level, words, color):
    """Write words to the right of the axes, at a level of the y-axis."""
    beside = {"xytext": (5, 0), "textcoords": "offset points", "xycoords": axis.get_yaxis_transform()}
    axis.annotate(words, (1, level), color=color, va="center", fontsize=10, **beside)


def draw_levels(axis, task, words=True):
    """Draw dotted lines at the errors of answers with limited knowledge. words: also write their names to the right."""
    for name, level in LEVELS[task].items():
        axis.axhline(level, **line_of("chance"), linewidth=1.2, zorder=1)
        if words:
            name_level(axis, level, name, "0.3")


def count_axis(axis):
    """Format the x-axis for numbers of training sequences, with few ticks."""
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.xaxis.set_major_locator(plt.MaxNLocator(5))


def decimal(value):
    """A value as text, with two significant digits and no exponent."""
    return f"{Decimal(f'{value:.1e}'):f}"


def ordinal(n):
    """1st, 2nd, 3rd, 4th, ..."""
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def standing(results):
    """The recorded seed with its rank in thirty_seeds/default, as text, and the final errors of all its seeds."""
    seed = results["seeds"][results["recorded"]]
    thirty, run = study("thirty_seeds/default")
    mse = final_errors(run)
    rank = (mse < mse[thirty["seeds"].index(seed)]).sum() + 1
    return f"seed {seed}, the {ordinal(rank)} of {len(mse)} seeds by final error", mse


def markers_of(x):
    """Steps of the two markers in pairs x (T, 2)."""
    return np.flatnonzero(x[:, 1] == 1)


def draw_numbers(axis, x):
    """Draw pairs x (T, 2) as bars: dark if the marker is 1, hollow if it is -1, grey if it is 0."""
    T = len(x)
    face, edge = np.full(T, "0.8", dtype=object), np.full(T, "0.8", dtype=object)
    face[[0, -1]], edge[[0, -1]] = "white", "0.2"
    face[markers_of(x)] = edge[markers_of(x)] = "0.2"
    axis.bar(np.arange(T), x[:, 0], color=face, edgecolor=edge, width=0.75)
    for t, words in zip((0, *markers_of(x), T - 1), ("−1", "+1", "+1", "−1")):
        above = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center", "fontweight": "bold"}
        axis.annotate(words, (t, x[t, 0]), color="0.2", **above)
    axis.set(ylim=(0, 1.22), yticks=(0, 0.5, 1), ylabel="number")
    axis.grid(False, axis="x")


def formula(results, x):
    """The target of pairs x (T, 2) as a formula."""
    a, b = x[markers_of(x), 0]
    return f"{a:.3f} × {b:.3f}" if results["config"]["task"] == "multiply" else f"({a:.3f} + {b:.3f}) / 2"


def sample_sequences(results, arrays):
    """The task: recorded sequences (inputs of the network), with the target and the answer after the last step."""
    x, y, answer = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/answer"][-1]
    n, T = min(3, x.shape[2]), len(x)
    figure, axes = plt.subplots(n, 1, figsize=(10, 1.2 + 1.7 * n), sharex=True, sharey=True, squeeze=False)
    after = {"target": (1.05 * T, y, "target"), "answer": (1.15 * T, answer, "ours")}
    for k, axis in enumerate(axes[:, 0]):
        draw_numbers(axis, x[:, :, k])
        axis.axvline(T - 0.2, color="0.5", linewidth=1)
        for at, values, name in after.values():
            axis.plot(at, values[k], **role(name), markersize=9)
        said = f"{formula(results, x[:, :, k])} ≈ {y[k]:.3f}\nanswer {answer[k]:.3f}"
        axis.text(1.01, 0.5, said, transform=axis.transAxes, va="center")
        axis.set(xlim=(-0.7, 1.2 * T), xticks=range(0, T, 5))
    for words, (at, _, name) in after.items():
        axes[0, 0].text(at, 1.2, words, ha="center", va="top", color=WORDS, fontweight="bold")
    axes[-1, 0].set_xlabel("time step (above a bar: its marker, where it is not 0)")
    what = {"multiply": "their product", "add": "half their sum"}[results["config"]["task"]]
    title = f"Two numbers are marked with +1; the target after the last step is {what}"
    entitle(figure, title, f"{n} held-out sequences of {T} steps; answers of the trained network, {results['who']}")
    return figure


def training_curve(results, _):
    """Batch losses and held-out error of the recorded seed. For the headline, also the final errors of thirty seeds."""
    run, config, recorded = results["runs"]["lstm"], results["config"], results["recorded"]
    seen, mse = np.array(run["history"]["step"]) * config["batch"], history(run, "test_mse")[:, recorded]
    losses = np.array(run["history"]["batch_loss"], float)
    others = "thirty" in results
    figure, axes = plt.subplots(
        1, 1 + others, figsize=(10, 5.4), sharey=True, squeeze=False, width_ratios=(6, 1)[: 1 + others]
    )
    axis = axes[0, 0]
    batches, held_out = line_of("one"), role("ours") | {"markersize": 5}
    axis.plot(np.arange(1, len(losses) + 1) * config["batch"], losses, **batches, linewidth=0.5)
    axis.plot(seen, mse, **held_out, markevery=max(1, len(seen) // 20))
    axis.set(yscale="log", xlabel="training sequences", ylabel="mean squared error")
    count_axis(axis)
    if others:
        draw_errors(axes[0, 1], 0, results["thirty"], "one", 0.7)
        axes[0, 1].axhline(mse[-1], color=held_out["color"], linewidth=1)
        name_level(axes[0, 1], mse[-1], f"seed {results['seeds'][recorded]}", held_out["color"])
        axes[0, 1].set(xticks=(), xlim=(-0.5, 0.5), xlabel=f"final errors of\n{len(results['thirty'])} seeds")
        draw_levels(axis, config["task"], words=False)
    draw_levels(axes[0, -1], config["task"])
    seed, level = results["seeds"][recorded], SOLVED[config["task"]]
    final, reached = run["final"]["test_mse"][recorded], run["sequences_to"][level][recorded]
    if final is None:
        title = f"The run of seed {seed} diverges"
    elif reached is None:
        title = f"The held-out error of seed {seed} does not get below {level}; it ends at {decimal(final)}"
    else:
        title = f"The held-out error is below {level} after {reached:,} sequences, and ends at {decimal(final)}"
    entitle(figure, title, f"{results['who']}; {config['eval_n']} held-out sequences of {config['T_max']} steps")
    words = f"loss of each training batch ({config['batch']} sequences)"
    handles = [plt.Line2D([], [], **batches, label=words), plt.Line2D([], [], **held_out, label="held-out error")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def pred_vs_target(results, arrays):
    """Answers against targets over the held-out sequences."""
    target, answer, config = arrays["lstm/test_target"], arrays["lstm/test_answer"], results["config"]
    figure, axis = plt.subplots(figsize=(7, 6.6))
    axis.fill_between([0, 1], [-0.04, 0.96], [0.04, 1.04], color="0.87", linewidth=0)
    axis.plot([0, 1], [0, 1], color="0.5", linewidth=1)
    wrong = np.abs(target - answer) > 0.04
    right = role("ours") | {"linestyle": "None", "markeredgewidth": 0}
    axis.plot(target[~wrong], answer[~wrong], **right, markersize=4, alpha=0.6)
    axis.plot(target[wrong], answer[wrong], "x", color="black", markersize=8, markeredgewidth=2)
    axis.set(xlabel="target", ylabel="answer", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    words = "grey band: off by at most 0.04" + f"\n× off by more: {wrong.sum()}" * bool(wrong.any())
    axis.text(0.97, 0.05, words, transform=axis.transAxes, ha="right")
    title = f"{(~wrong).sum()} of {len(target)} answers are off by at most 0.04"
    entitle(figure, title, f"{results['who']}\nheld-out sequences of {config['T_max']} steps")
    return figure


def cell_state(results, arrays):
    """One sequence through the trained network: input, cells, outputs, gates."""
    k = 0
    x, c = arrays["lstm/x"][:, :, k], arrays["lstm/c"][-1, :, :, k]
    T = len(x)
    figure, axes = plt.subplots(4, 1, figsize=(10, 9.5), sharex=True)
    draw_numbers(axes[0], x)
    axes[0].set(xlim=(-0.5, T - 0.5))
    h = arrays["lstm/h"][-1, :, :, k]
    limit = max(np.abs(c).max(), np.abs(h).max(), 1e-6)
    for axis, values, words in (axes[1], c, "cell state $c_t$"), (axes[2], h, "output $h_t$"):
        image = axis.imshow(values.T, cmap="RdBu", vmin=-limit, vmax=limit)
        figure.colorbar(image, ax=axis, label=words, pad=0.01)
        axis.set(ylabel="cell", yticks=range(values.shape[1]) if values.shape[1] <= 16 else ())
        axis.grid(False)
    for gate, (name, dash) in GATE.items():
        if f"lstm/{gate}" in arrays:
            mean = arrays[f"lstm/{gate}"][-1, :, :, k].mean(axis=1)
            axes[3].plot(mean, color="0.2", linestyle=dash)
            axes[3].text(T - 0.3, mean[-1], name, va="center", in_layout=False)
    axes[3].set(ylim=(0, 1.02), ylabel="gates, mean", xlabel="time step")
    for axis in axes[1:]:
        for t in markers_of(x):
            axis.axvline(t, color="black", linewidth=1.5, linestyle=(0, (2, 2)), path_effects=CASING)
    change = np.abs(np.diff(c, axis=0, prepend=0)).sum(axis=1)
    share = change[[0, *markers_of(x), -1]].sum() / max(change.sum(), 1e-30)
    figure.align_ylabels()
    asked = f"{formula(results, x)} ≈ {arrays['lstm/y'][k]:.3f}, answer {arrays['lstm/answer'][-1, k]:.3f}"
    title = f"In this sequence, {100 * share:.0f} % of the change of the cell states\n"
    title += f"happens at the 4 of {T} steps marked +1 or −1"
    entitle(
        figure,
        title,
        f"one held-out sequence, {asked}; {results['who']};\nchange: $|c_t - c_{{t-1}}|$, summed over cells",
    )
    return figure


def study(name):
    """Read results.json of a point of the studies. Returns it and the results of its LSTM."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    results = load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]
    return results, results["runs"]["lstm"]


RECIPE = {"writeup": "write-up's recipe", "default": "our recipe"}
ROLE = {"writeup": "writeup", "default": "ours"}
NETWORKS = {"ours": "multiply", "other": "add"}


def final_errors(run):
    """The mean squared error of each seed after the last step, (S,); NaN for a seed that diverged."""
    return np.array(run["final"]["test_mse"], float)


def solved(run, level=0.03):
    """Which seeds end with a mean squared error below level, (S,)."""
    return final_errors(run) < level


def reached(run):
    """Sequences that each seed needed to get below 0.03, (S,); NaN for a seed that did not."""
    return np.array(run["sequences_to"]["0.03"], float)


def wilson(k, n, z=1.959964):
    """The ends of the 95 % Wilson interval of shares k / n."""
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - spread) / (n + z * z), (middle + spread) / (n + z * z)


def seeds_of(results):
    """The seeds of a run as text."""
    return f"seeds {min(results['seeds'])} to {max(results['seeds'])}"


def draw_errors(axis, at, mse, name, width):
    """Draw final errors of seeds as dots around x = at, sorted by size, over a range of this width."""
    mse = np.sort(mse)
    dots = role(name) | {"linestyle": "None"}
    axis.plot(at + width * np.linspace(-0.5, 0.5, len(mse)), mse, **dots, markersize=4.5, alpha=0.8)


def thirty_seeds():
    """The share of thirty seeds below 0.03 during training, under both recipes, and the final error of each."""
    figure, (shares, ends) = plt.subplots(1, 2, figsize=(10, 5), width_ratios=(3, 2))
    counts = {}
    for k, recipe in enumerate(RECIPE):
        results, run = study(f"thirty_seeds/{recipe}")
        seen, n = np.array(run["history"]["step"]) * results["config"]["batch"], len(results["seeds"])
        below = (history(run, "test_mse") < 0.03).sum(axis=1)
        shares.fill_between(seen, *wilson(below, n), color=role(ROLE[recipe])["color"], alpha=0.2, linewidth=0)
        shares.plot(seen, below / n, **role(ROLE[recipe]), markevery=len(seen) // 10)
        draw_errors(ends, k, final_errors(run), ROLE[recipe], 0.6)
        counts[recipe] = f"{solved(run).sum()} of {n}"
    shares.set(
        xlabel="training sequences", ylabel="share of seeds with a held-out error below 0.03", ylim=(-0.02, 1.04)
    )
    count_axis(shares)
    label(shares, 128000 * 0.45, 0.93, "our recipe")
    label(shares, 256000 * 0.6, 0.58, "write-up's recipe")
    ends.set(yscale="log", xlim=(-0.5, 1.5), ylabel="final held-out error of each seed")
    ends.set_xticks([0, 1], list(RECIPE.values()))
    ends.grid(False, axis="x")
    draw_levels(ends, "multiply")
    title = f"Our recipe ends below 0.03 on {counts['default']} seeds, the write-up's on {counts['writeup']}"
    entitle(
        figure, title, f"{seeds_of(results)} of each recipe; sequences of 20 to 30 steps; band: 95 % Wilson interval"
    )
    return figure


def stuck_slack():
    """The slack of the cells with three recipes."""
    lines = {
        "default": ("ours", "our recipe", 0.985),
        "output": ("third", "write-up's recipe with output bias −1.1", 0.66),
        "writeup": ("writeup", "write-up's recipe", 0.27),
    }
    figure, axis = plt.subplots(figsize=(9, 5.2))
    early = {}
    for recipe, (name, words, at) in lines.items():
        results, run = study(f"recipe/{recipe}")
        seen = np.array(run["history"]["step"]) * results["config"]["batch"]
        low, middle, high = np.percentile(history(run, "slack"), (10, 50, 90), axis=1)
        shown, how = seen <= 64000, role(name)
        axis.fill_between(seen[shown], low[shown], high[shown], color=how["color"], alpha=0.2, linewidth=0)
        axis.plot(seen[shown], middle[shown], **how, markevery=2)
        label(axis, 63000, at, words, ha="right", va="center")
        early[recipe] = middle[seen == 6400][0]
    axis.set(xlabel="training sequences", ylabel="slack: slope of tanh at $c_T$, mean over cells", ylim=(0, 1.02))
    count_axis(axis)
    title = (
        f"Under the write-up's recipe the slack is {early['writeup']:.2f} after 6,400 sequences;\n"
        f"with output bias −1.1 it is {early['output']:.2f}, under our recipe {early['default']:.2f}"
    )
    entitle(
        figure,
        title,
        f"{seeds_of(results)}, on which our recipe was chosen; line: median; band: 10 to 90 % of the seeds",
    )
    return figure


def stuck_waiting():
    """The waiting time of seeds against the path from the first marked number to the answer."""
    results, run = study("recipe/writeup")
    batch, step, mse, path = results["config"]["batch"], *(history(run, name) for name in ("step", "test_mse", "path"))
    after = int(np.searchsorted(step, 1000))
    waiting = mse[: after + 1].min(axis=0) >= 0.03
    at, needed = path[after, waiting], reached(run)[waiting]
    never = np.isnan(needed)
    figure, axis = plt.subplots(figsize=(9, 5.4))
    top = 1.12 * step[-1] * batch
    axis.plot(at[~never], needed[~never], **role("writeup") | {"linestyle": "None"}, markersize=7)
    axis.plot(at[never], np.full(never.sum(), top), "x", color="black", markersize=8, markeredgewidth=2)
    seen = f"{step[after] * batch:,.0f} sequences"
    path_is = "derivative of tanh($c_T$) with respect to $c$ at the first marker, best cell"
    axis.set(xscale="log", xlabel=f"path after {seen}: {path_is}")
    axis.set(ylabel="training sequences to an error below 0.03", ylim=(0, 1.2 * step[-1] * batch))
    ticks = np.arange(0, step[-1] * batch, 50000)
    axis.set_yticks([*ticks, top], [*(f"{tick:,.0f}" for tick in ticks), "never"])
    wide = at > np.median(at)
    waits = [np.median(np.where(never, np.inf, needed)[half]) for half in (wide, ~wide)]
    wait = ["never" if value == np.inf else f"{value:,.0f}" for value in waits]
    axis.axvline(np.median(at), color="0.5", linewidth=1, linestyle="--", zorder=1)
    axis.text(np.median(at), 0.02, " median path ", color="0.3", transform=axis.get_xaxis_transform())
    title = (
        f"The {wide.sum()} seeds with the wider path get below 0.03 after {wait[0]} sequences (median),\n"
        f"the {(~wide).sum()} with the narrower path after {wait[1]}"
    )
    who = f"write-up's recipe; {waiting.sum()} of the {seeds_of(results)}, with errors above 0.03 until {seen}"
    entitle(figure, title, f"{who}; × {never.sum()} never get below")
    return figure


def stuck_leaving():
    """Changes when a seed's error falls: of the path, and of the effect of the first number on the answer."""
    results, run = study("recipe/writeup")
    every, batch = results["config"]["eval_every"], results["config"]["batch"]
    step, mse = history(run, "step"), history(run, "test_mse")
    first, around = np.where((mse < 0.03).any(axis=0), (mse < 0.03).argmax(axis=0), len(step)), np.arange(-15, 11)
    leaves = (first > np.searchsorted(step, 1000)) & (first < len(step))
    late = np.flatnonzero(leaves & (first + around[0] >= 0) & (first + around[-1] < len(step)))
    figure, axis = plt.subplots(figsize=(9, 5.4))
    times = []
    for name, how in ("path", role("writeup")), ("sensitivity_1", DARK):
        values = history(run, name)[first[late] + around[:, None], late]
        low, middle, high = np.percentile(values, (25, 50, 75), axis=1)
        axis.fill_between(around * every * batch, low, high, color=how["color"], alpha=0.15, linewidth=0)
        axis.plot(around * every * batch, middle, **how, markevery=2)
        times.append(np.median(values[-around[0]] / values[0]))
    label(axis, -46000, 1.8e-3, "path")
    label(axis, -46000, 8e-6, "|dy/dx$_1$|")
    axis.axvline(0, color="0.5", linewidth=1, zorder=1)
    axis.set(
        yscale="log",
        xlabel="training sequences from the first error below 0.03",
        ylabel="path; effect of the first number, |dy/dx$_1$|",
    )
    count_axis(axis)
    before, behind = -around[0] * every * batch, around[-1] * every * batch
    grows = [f"{float(f'{value:.1g}'):,.0f}" for value in times]
    title = (
        f"In the {before:,} sequences before the error is below 0.03,\n"
        f"the path grows about {grows[0]}-fold and |dy/dx$_1$| about {grows[1]}-fold"
    )
    who = f"write-up's recipe; {leaves.sum()} seeds get below 0.03 after {1000 * batch:,} sequences;"
    how = f"drawn: the {len(late)} with {before:,} sequences before and {behind:,} after; line: median; band: quartiles"
    entitle(figure, title, f"{who}\n{how}")
    return figure


def registers():
    """R^2 for the product at each step after the second marker: of linear read-outs, and of the networks' answers."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 5.2), sharex=True, sharey=True)
    curves = (
        (axes[0], "thirty_seeds/default", "r2_product", "ours"),
        (axes[0], "ablations/add", "r2_product", "other"),
        (axes[1], "thirty_seeds/default", "r2_answer", "ours"),
    )
    medians = []
    for axis, name, read, who in curves:
        _, run = study(name)
        ok, behind, how = solved(run, 0.001), run["behind_second"], role(who)
        after = np.array(behind["step"]) >= 0
        step, values = np.array(behind["step"])[after], np.array(behind[read], float)[after][:, ok]
        low, middle, high = np.percentile(values, (10, 50, 90), axis=1)
        axis.fill_between(step, low, high, color=how["color"], alpha=0.2, linewidth=0)
        axis.plot(step, middle, **how, markersize=5, label=f"{ok.sum()} networks that {NETWORKS[who]}")
        medians.append(middle)
    for axis, title in zip(axes, ("linear read-out of $x_1 x_2$ from all cells", "the networks' own answers")):
        axis.axhline(6 / 7, **line_of("chance"), linewidth=1.2, zorder=1)
        corner = {"ha": "right", "va": "top", "fontsize": 10, "color": "0.3", "path_effects": CASING}
        axis.text(step[-1], 6 / 7 - 0.006, "6/7: linear in $x_1$ and $x_2$", **corner)
        axis.set(xlabel="steps after the second marker", ylim=(0.4, 1.01))
        axis.set_xticks(range(0, step[-1] + 1, 2))
        axis.set_title(title)
        axis.legend(loc="lower right", bbox_to_anchor=(1, 0.35), fontsize=11)
    axes[0].set_ylabel("$R^2$ for the product $x_1 x_2$")
    multiply, add, own = medians
    title = (
        f"At the second number a linear read-out finds the product with $R^2$ = {multiply[0]:.2f},\n"
        f"but also, with {add[0]:.2f}, in networks that only add"
    )
    subtitle = "our recipe, seeds 0 to 29, held-out sequences; line: median; band: 10 to 90 % of the networks"
    entitle(figure, title, f"{subtitle}\nown answers: {own[0]:.2f} at the second number, {own[5]:.2f} five steps later")
    return figure


def lag():
    """The share of seeds that end below 0.03, and the final error of each, against the longest sequence."""
    figure, (shares, ends) = plt.subplots(1, 2, figsize=(10, 5.2))
    runs = {
        "writeup": {T: f"lag/writeup-{T}" for T in (60, 100, 200)} | {30: "thirty_seeds/writeup"},
        "default": {T: f"lag/default-{T}" for T in (60, 100, 200, 500, 1000)} | {30: "thirty_seeds/default"},
        "biases": {1000: "lag/biases-1000"},
    }
    drawn = {"writeup": ("writeup", 1.08), "default": ("ours", 0.92), "biases": ("third", 1.2)}
    ended = {}
    for recipe, (name, side) in drawn.items():
        for T in sorted(runs[recipe]):
            run = study(runs[recipe][T])[1]
            ended[recipe, T] = solved(run)
            draw_errors(ends, T * side, final_errors(run), name, 0.12 * T)
        lengths = np.array(sorted(runs[recipe]))
        k, n = np.transpose([(ended[recipe, T].sum(), len(ended[recipe, T])) for T in lengths])
        low, high = wilson(k, n)
        bars = np.maximum([k / n - low, high - k / n], 0)
        shares.errorbar(lengths * side, k / n, bars, **role(name), capsize=3, markersize=7)
    for axis, right in (shares, 4500), (ends, 1700):
        axis.set(xscale="log", xlabel="steps of the longest sequence", xlim=(23, right))
        axis.set_xticks([30, 60, 100, 200, 500, 1000], ["30", "60", "100", "200", "500", "1,000"])
        axis.minorticks_off()
    shares.set(ylabel="share of seeds that end below 0.03", ylim=(-0.02, 1.04))
    ends.set(yscale="log", ylabel="final held-out error of each seed")
    draw_levels(ends, "multiply")
    label(shares, 110, 0.8, "our recipe")
    label(shares, 80, 0.14, "write-up's recipe\n(not run beyond 200)")
    label(shares, 1400, 0.9, "biases\n−8 and 8", va="top")
    some, ours, wide, theirs = (
        f"{ended[key].sum()} of {len(ended[key])}"
        for key in (("default", 500), ("default", 1000), ("biases", 1000), ("writeup", 60))
    )
    title = (
        f"Our recipe ends below 0.03 on {some} seeds at 500 steps, and on {ours} at 1,000;\n"
        f"the write-up's on {theirs} at 60 steps"
    )
    few, many = (seeds_of(study(runs["default"][T])[0]) for T in (1000, 30))
    few = f"{few} at 500 and 1,000 steps, {many} elsewhere; bars: 95 % Wilson intervals"
    entitle(
        figure,
        title,
        f"{few}\nat 1,000 steps with biases of −8 and 8, chosen on these seeds: {wide}",
    )
    return figure


def main(argv=None):
    """Draw. Returns the exit status."""
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
    results["who"] = f"seed {results['seeds'][results['recorded']]}"
    if not options.run:
        results["who"], results["thirty"] = standing(results)
    for draw in sample_sequences, training_curve, pred_vs_target, cell_state:
        save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    if not options.run:
        for draw in (thirty_seeds, stuck_slack, stuck_waiting, stuck_leaving, lag, registers):
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
