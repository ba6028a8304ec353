#!/usr/bin/env python3
"""Draw a run of multiplication_problem.py, and the studies made with it, into viz/multiplication_problem/*.png.

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

EXPERIMENT = "multiplication_problem"
ROOT = Path(__file__).resolve().parent.parent
COLOUR = {"default": "#0072B2", "writeup": "#CC79A7", "add": "#E69F00"}
MARKER_COLOUR = ("#009E73", "#D55E00")  # of the first and of the second marked number
GATE_COLOUR = {"i": "#E69F00", "f": "#0072B2", "o": "#CC79A7"}
GATE = {"i": "input gate", "f": "forget gate", "o": "output gate"}
SOLVED = {"multiply": "0.03", "add": "1/144"}  # mean squared error that counts as solved
# Mean squared errors of the best answer that knows so much, for x1, x2 from U[0, 1]: variances, and for the product
# 1/36 = E[x^2] / 12, 1/144 = Var[(x1 - 1/2)(x2 - 1/2)], 1/540 = E[Var(x1 x2 | x1 + x2)].
LEVELS = {
    "multiply": {
        "constant answer": 7 / 144,
        "knows one number": 1 / 36,
        "adds both": 1 / 144,
        "knows their sum": 1 / 540,
    },
    "add": {"constant answer": 1 / 24, "knows one number": 1 / 48},
}


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


def draw_levels(axis, task, words=True, end=1.0):
    """Dashed lines at the errors of answers that know only so much; the words end at so much of the width."""
    for name, level in LEVELS[task].items():
        axis.axhline(level, color="#777777", linestyle="--", linewidth=1, zorder=1)
        if words:
            axis.text(end, level, name, color="#555555", va="bottom",
                      ha="right", fontsize=9, transform=axis.get_yaxis_transform())  # fmt: skip


def markers_of(x):
    """Steps of the two markers in pairs x (T, 2)."""
    return np.flatnonzero(x[:, 1] == 1)


def mark_steps(axis, x, words=True):
    """Dotted lines at the two markers of pairs x (T, 2), their numbers above if words."""
    for t, colour, name in zip(markers_of(x), MARKER_COLOUR, ("x1", "x2")):
        axis.axvline(t, color=colour, linewidth=1.5, linestyle=":", zorder=3)
        if words:
            axis.annotate(f"{name} = {x[t, 0]:.2f}", (t, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                          textcoords="offset points", ha="center", color=colour, fontweight="bold")  # fmt: skip


def equation(results, x, y, answer):
    """A sequence's task and the network's answer, as text."""
    a, b = x[markers_of(x), 0]
    task = results["config"]["task"]
    asked = f"{a:.2f} × {b:.2f}" if task == "multiply" else f"({a:.2f} + {b:.2f}) / 2"
    return f"{asked} = {y:.3f};  answer {answer:.3f}"


def training_curve(results, _):
    """Training loss and held-out error of the recorded seed."""
    run, config, recorded = results["runs"]["lstm"], results["config"], results["recorded"]
    seen = np.array(run["history"]["step"]) * config["batch"]
    figure, axis = plt.subplots(figsize=(9, 5))
    axis.plot(seen, history(run, "train_loss")[:, recorded], color="#9CC9E3", linewidth=1.5,
              label=f"training, mean of {config['eval_every']} batches")  # fmt: skip
    axis.plot(seen, history(run, "test_mse")[:, recorded], color=COLOUR["default"],
              label=f"{config['eval_n']} held-out sequences of {config['T_max']} steps")  # fmt: skip
    draw_levels(axis, config["task"])
    axis.set(yscale="log", xlabel="training sequences", ylabel="mean squared error")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    figure.legend(loc="outside lower center", ncols=2)
    level = SOLVED[config["task"]]
    final, reached = run["final"]["test_mse"][recorded], run["sequences_to"][level][recorded]
    said = "the run diverged" if final is None else f"it ends at {final:.1e}"
    after = "" if reached is None else f"; below {level} after {reached:,} sequences"
    figure.suptitle(f"LSTM, seed {results['seeds'][recorded]}: {said}{after}")
    return figure


def sample_sequences(results, arrays):
    """The recorded sequences as the network sees them."""
    x, y, answer = arrays["lstm/x"], arrays["lstm/y"], arrays["lstm/answer"][-1]
    n = x.shape[2]
    figure, axes = plt.subplots(n, 1, figsize=(10, 1.75 * n), sharex=True, sharey=True)
    for k, axis in enumerate(axes):
        colours = np.full(len(x), "#C4C4C4", dtype=object)
        colours[[0, -1]] = "#000000"
        colours[markers_of(x[:, :, k])] = MARKER_COLOUR
        axis.bar(np.arange(len(x)), x[:, 0, k], color=colours, width=0.8)
        for t, colour in zip((0, *markers_of(x[:, :, k]), len(x) - 1), ("#000000", *MARKER_COLOUR, "#000000")):
            axis.annotate("−1" if colour == "#000000" else "+1", (t, x[t, 0, k]), xytext=(0, 1), color=colour,
                          textcoords="offset points", ha="center", fontsize=9, fontweight="bold")  # fmt: skip
        axis.set(ylim=(0, 1.2), yticks=(0, 0.5, 1), xlim=(-0.7, len(x) - 0.3))
        axis.set_title(equation(results, x[:, :, k], y[k], answer[k]))
        axis.grid(False, axis="x")
    axes[n // 2].set_ylabel("number")
    axes[-1].set_xlabel("time step (above a bar: its marker, where it is not 0)")
    figure.suptitle("Two numbers are marked early; the answer is due at the end")
    return figure


def cell_state(results, arrays):
    """One sequence through the trained network: input, cells, outputs, gates."""
    k = 0
    x = arrays["lstm/x"][:, :, k]
    figure, axes = plt.subplots(4, 1, figsize=(10, 10.5), sharex=True)
    colours = np.full(len(x), "#C4C4C4", dtype=object)
    colours[[0, -1]] = "#000000"
    colours[markers_of(x)] = MARKER_COLOUR
    axes[0].bar(np.arange(len(x)), x[:, 0], color=colours, width=0.8)
    axes[0].set(ylabel="input, number", ylim=(0, 1.02))
    for axis, name, words in (axes[1], "c", "cell state $c_t$"), (axes[2], "h", "output $h_t$"):
        values = arrays[f"lstm/{name}"][-1, :, :, k].T
        limit = max(np.abs(values).max(), 1e-6)
        image = axis.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit)
        figure.colorbar(image, ax=axis, label=words, pad=0.01)
        axis.set(ylabel="cell", yticks=range(len(values)) if len(values) <= 16 else ())
        axis.grid(False)
    for gate, name in GATE.items():
        if f"lstm/{gate}" in arrays:
            axes[3].plot(arrays[f"lstm/{gate}"][-1, :, :, k].mean(axis=1), color=GATE_COLOUR[gate], label=name)
    axes[3].set(ylim=(0, 1), ylabel="mean over cells", xlabel="time step")
    for n, axis in enumerate(axes):
        mark_steps(axis, x, words=n == 0)
    figure.legend(*axes[3].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(equation(results, x, arrays["lstm/y"][k], arrays["lstm/answer"][-1, k]))
    return figure


def pred_vs_target(results, arrays):
    """Answers against targets over the held-out sequences."""
    target, answer, config = arrays["lstm/test_target"], arrays["lstm/test_answer"], results["config"]
    figure, axis = plt.subplots(figsize=(6, 6))
    axis.fill_between([0, 1], [-0.04, 0.96], [0.04, 1.04], color="#DDDDDD", linewidth=0, label="within 0.04: right")
    axis.plot([0, 1], [0, 1], color="#777777", linewidth=1)
    axis.plot(target, answer, "o", color=COLOUR["default"], markersize=4, alpha=0.6, markeredgewidth=0,
              label="a held-out sequence")  # fmt: skip
    axis.set(xlabel="target", ylabel="answer", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    figure.legend(loc="outside lower center", ncols=2)
    wrong = (np.abs(target - answer) > 0.04).sum()
    figure.suptitle(f"{len(target) - wrong} of {len(target)} answers are right at {config['T_max']} steps")
    return figure


def study(name):
    """results.json of a point of the studies, and its LSTM."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    results = load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]
    return results, results["runs"]["lstm"]


RECIPE = {"writeup": "the write-up's recipe", "default": "our recipe"}


def solved(run, level=0.03):
    """Which seeds end with a mean squared error below level, (S,)."""
    return np.array(run["final"]["test_mse"], float) < level


def reached(run):
    """Sequences that each seed needed to get below 0.03, (S,), NaN where it did not."""
    return np.array(run["sequences_to"]["0.03"], float)


def thirty_seeds():
    """Held-out error of thirty seeds under both recipes, one line a seed."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), sharex=True, sharey=True)
    said = []
    for axis, recipe in zip(axes, RECIPE):
        results, run = study(f"thirty_seeds/{recipe}")
        seen = np.array(run["history"]["step"]) * results["config"]["batch"]
        axis.plot(seen, history(run, "test_mse"), color=COLOUR[recipe], linewidth=0.8, alpha=0.6)
        axis.plot(seen, np.median(history(run, "test_mse"), axis=1), color=COLOUR[recipe], linewidth=3)
        count, n = solved(run).sum(), len(results["seeds"])
        axis.set_title(f"{RECIPE[recipe]}: {count} end below 0.03 (thick: median)")
        axis.set(yscale="log", xlabel="training sequences")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        draw_levels(axis, "multiply", words=recipe == "default")
        said.append(f"{count} of {n} seeds after {seen[-1]:,.0f} sequences")
    axes[0].set_ylabel("mean squared error, held-out")
    figure.suptitle("; ".join(said))
    return figure


def stuck():
    """Why seeds get stuck, and for how long: the path from the first marked number to the answer."""
    results, run = study("recipe/writeup")
    every, batch = results["config"]["eval_every"], results["config"]["batch"]
    step, mse, path = (history(run, name) for name in ("step", "test_mse", "path"))
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.2))
    after = int(np.searchsorted(step, 1000))
    waiting, never = mse[: after + 1].min(axis=0) >= 0.03, np.isnan(reached(run))
    top = 1.12 * step[-1] * batch
    axes[0].plot(path[after, waiting & ~never], reached(run)[waiting & ~never], "o", color=COLOUR["writeup"], alpha=0.7)
    axes[0].plot(path[after, never], np.full(never.sum(), top), "x", color="#000000")
    axes[0].set(xscale="log", xlabel=f"path after {step[after] * batch:,.0f} sequences")
    axes[0].set_ylim(0, 1.18 * step[-1] * batch)
    ticks = np.arange(0, step[-1] * batch, 50000)
    axes[0].set_yticks([*ticks, top], [*(f"{tick:,.0f}" for tick in ticks), "never"])
    axes[0].set_title(f"sequences to 0.03, the {waiting.sum()} seeds still above it")

    first, around = (mse < 0.03).argmax(axis=0), np.arange(-15, 11)
    late = np.flatnonzero((first + around[0] >= 0) & (first + around[-1] < len(step)) & ~never)
    moments = first[late] + around[:, None]
    for name, colour, words in (("path", COLOUR["writeup"], "path"), ("sensitivity_1", "#000000", "|dy/dx$_1$|")):
        low, middle, high = np.percentile(history(run, name)[moments, late], (25, 50, 75), axis=1)
        axes[1].fill_between(around * every * batch, low, high, color=colour, alpha=0.15, linewidth=0)
        axes[1].plot(around * every * batch, middle, color=colour, label=words)
    axes[1].set(yscale="log", xlabel="training sequences, from the first error below 0.03")
    axes[1].set_title(f"{len(late)} seeds that leave late: median, quartiles")
    axes[1].legend(loc="upper left")

    lines = {"writeup": (COLOUR["writeup"], "the write-up's recipe"), "output": ("#009E73", "… with output bias −1.1"),
             "default": (COLOUR["default"], "our recipe")}  # fmt: skip
    for recipe, (colour, words) in lines.items():
        results, run = study(f"recipe/{recipe}")
        seen = np.array(run["history"]["step"]) * results["config"]["batch"]
        low, middle, high = np.percentile(history(run, "slack"), (10, 50, 90), axis=1)
        shown = seen <= 64000
        axes[2].fill_between(seen[shown], low[shown], high[shown], color=colour, alpha=0.2, linewidth=0)
        axes[2].plot(seen[shown], middle[shown], color=colour, label=words)
    axes[2].set(xlabel="training sequences", ylim=(0, 1.4), yticks=np.linspace(0, 1, 6))
    axes[2].set_title(f"slack, {len(results['seeds'])} seeds of each: median, 10 to 90 %")
    axes[2].legend(loc="upper right")
    for axis in axes[1:]:
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_major_locator(plt.MaxNLocator(5))
    figure.suptitle(
        "The write-up's recipe: cells fill up at once, the path closes, and seeds wait until it opens again"
    )
    figure.supxlabel("slack: the slope tanh'($c_T$), mean over cells;  path: that times the product of f from the "
                     "first marker to the end, in the best cell", fontsize=11)  # fmt: skip
    return figure


def registers():
    """Read-outs from the cells by steps after the second marker, of networks that multiply and of some that add."""
    colours = {"x1": MARKER_COLOUR[0], "x2": MARKER_COLOUR[1], "product": "#0072B2", "interaction": "#CC79A7",
               "answer": "#000000"}  # fmt: skip
    words = {"x1": "$x_1$", "x2": "$x_2$", "product": "$x_1 x_2$",
             "interaction": "$(x_1 - 1/2)(x_2 - 1/2)$",
             "answer": "the target, by the network's own read-out"}  # fmt: skip
    figure, axes = plt.subplots(1, 2, figsize=(13, 5.4), sharex=True, sharey=True)
    said = []
    for axis, name, what in (axes[0], "thirty_seeds/default", "multiply"), (axes[1], "ablations/add", "add"):
        _, run = study(name)
        ok, behind = solved(run, 0.001), run["behind_second"]
        for k, (target, colour) in enumerate(colours.items()):
            values = np.array(behind[f"r2_{target}"], float)[:, ok]
            low, middle, high = np.percentile(values, (10, 50, 90), axis=1)
            at = np.array(behind["step"]) + 0.12 * (k - 2)
            axis.vlines(at, low, high, color=colour, linewidth=2, alpha=0.35)
            axis.plot(at, middle, color=colour, marker="o", markersize=4, linestyle="--" if target == "answer" else "-",
                      label=words[target])  # fmt: skip
        axis.axhline(6 / 7, color="#777777", linestyle=":", linewidth=1.5, zorder=1,
                     label="6/7: of $x_1 x_2$, by $x_1$ and $x_2$ alone")  # fmt: skip
        axis.set(xlabel="steps after the second marker", ylim=(-0.3, 1.03))
        axis.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
        axis.set_title(f"{ok.sum()} networks that {what}: median, 10 to 90 %")
        said.append(np.median(np.array(behind["r2_product"], float)[behind["step"].index(5), ok]))
    axes[0].set_ylabel("$R^2$, held-out")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"The product, read from the cells five steps after $x_2$: $R^2$ {said[0]:.2f} in networks that "
                    f"multiply, {said[1]:.2f} in networks that add")  # fmt: skip
    return figure


def lag():
    """Final error, and sequences to 0.03, against the longest sequence, one dot a seed."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.8), sharex=True)
    lengths = {"writeup": (30, 60, 100, 200), "default": (30, 60, 100, 200, 500, 1000)}
    for recipe, side in (("writeup", 1.05), ("default", 0.95)):
        middle = []
        for T in lengths[recipe]:
            _, run = study(f"thirty_seeds/{recipe}" if T == 30 else f"lag/{recipe}-{T}")
            mse = np.array(run["final"]["test_mse"], float)
            middle.append((np.median(mse), np.median(reached(run)) if solved(run).all() else np.nan))
            for axis, values in zip(axes, (mse, reached(run))):
                at = T * side * np.linspace(0.97, 1.03, len(values))
                axis.plot(at, values, "o", markersize=3, color=COLOUR[recipe], alpha=0.6, markeredgewidth=0)
        for axis, values in zip(axes, np.transpose(middle)):
            axis.plot(np.array(lengths[recipe]) * side, values, color=COLOUR[recipe], label=RECIPE[recipe])
    _, wider = study("lag/biases-1000")
    for axis, values in zip(axes, (np.array(wider["final"]["test_mse"], float), reached(wider))):
        at = 1000 * 1.12 * np.linspace(0.97, 1.03, len(values))
        axis.plot(at, values, "o", markersize=4, color="#009E73", markeredgewidth=0, alpha=0.8,
                  label="… with biases of −8 and 8")  # fmt: skip
    for axis in axes:
        axis.set(xscale="log", yscale="log", xlabel="steps of the longest sequence")
        axis.set_xticks(lengths["default"], lengths["default"])
        axis.minorticks_off()
    draw_levels(axes[0], "multiply", end=0.76)
    axes[0].set_title("mean squared error at the end, held-out")
    axes[1].set_title("sequences to an error below 0.03 (those that get there)")
    axes[1].yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    ours = {T: solved(study("thirty_seeds/default" if T == 30 else f"lag/default-{T}")[1]) for T in lengths["default"]}
    holds, longest = max(T for T, ends in ours.items() if ends.all()), max(ours)
    here, wide = ours[longest], solved(wider)
    figure.suptitle(f"Our recipe: every seed ends below 0.03 up to {holds} steps; {here.sum()} of {len(here)} at "
                    f"{longest:,} (with biases of ±8: {wide.sum()} of {len(wide)})")  # fmt: skip
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
    for draw in training_curve, sample_sequences, cell_state, pred_vs_target:
        save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    if not options.run:
        for draw in (thirty_seeds, stuck, registers, lag):
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
