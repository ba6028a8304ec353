#!/usr/bin/env python3
"""Draw a run of information_latching.py, and the studies made with it, into viz/information_latching/*.png.

Reads results.json, snapshots.npz and measures.json of the run, and results.json and measures.json of the studies;
trains nothing.
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

EXPERIMENT = "information_latching"
ROOT = Path(__file__).resolve().parent.parent
COLOUR = {"srnn": "#E69F00", "lstm": "#0072B2", "gru": "#009E73", "lstm-1997": "#CC79A7"}
NAME = {"srnn": "simple RNN", "lstm": "LSTM", "gru": "GRU", "lstm-1997": "LSTM without forget gate"}
LATCHED = 0.99
LANDSCAPE_STEPS = (1, 5, 10, 25, 50)


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


def study(point):
    """results.json of a point of the studies, "figure/asker" say."""
    command = f"python3 -m studies run {EXPERIMENT}/{point}"
    return load_run(Path("results") / EXPERIMENT / point, EXPERIMENT, command, arrays=False)[0]


def by_length(results, kind, value):
    """Lengths (n,) of a kind of network, and value(run) of each: (n, seeds)."""
    runs = sorted((run for run in results["runs"].values() if run["cell"] == kind), key=lambda run: run["T"])
    return np.array([run["T"] for run in runs]), np.array([value(run) for run in runs], float)


def kinds_of(results):
    """Kinds of networks of a run, in its order."""
    return list(dict.fromkeys(run["cell"] for run in results["runs"].values()))


def measured(results):
    """Whether measures.json says something of the networks of a run."""
    return all("measures" in run for run in results["runs"].values())


def held_out(run):
    return run["final"]["val_accuracy"]


def fresh(run):
    return run["measures"]["fresh_accuracy"]


def draw_accuracy(axis, results, value, spread=False):
    """Mean of value over seeds at each length, a line for a kind; with standard deviations, or a dot for a seed."""
    for place, kind in enumerate(kinds_of(results)):
        T, values = by_length(results, kind, value)
        if spread:
            error = np.nanstd(values, axis=1)
            axis.errorbar(
                T, np.nanmean(values, axis=1), error, fmt="o-", capsize=3, color=COLOUR[kind], label=NAME[kind]
            )
            continue
        shift = (place - 0.5) * 0.004 * T.max()
        axis.plot(T + shift, values, "o", color=COLOUR[kind], markersize=3, alpha=0.3, markeredgewidth=0)
        axis.plot(T, np.nanmean(values, axis=1), color=COLOUR[kind], label=NAME[kind])
    axis.axhline(0.5, color="#777777", linestyle="--", linewidth=1)
    axis.set(ylim=(-0.03, 1.05), xlabel="steps of a sequence, T")


def says(results):
    """The settings that a picture's title names."""
    config, n = results["config"], len(results["seeds"])
    units = "one unit" if config["hidden"] == 1 else f"{config['hidden']} units"
    return f"{n} network{'s' * (n > 1)} of {units} for each kind and length, {config['steps']:,} updates"


def accuracy(results, _):
    """Accuracy of a run at each of its lengths, on what is held out and, if measured, on sequences ten times longer."""
    panels = 1 + measured(results)
    figure, axes = plt.subplots(1, panels, figsize=(10 if panels == 2 else 7, 4.4), sharey=True, squeeze=False)
    axes = axes[0]
    draw_accuracy(axes[0], results, held_out)
    axes[0].set(title="On sequences held out; a dot is a network, lines are means", ylabel="accuracy")
    if panels == 2:
        draw_accuracy(axes[1], results, lambda run: run["measures"]["ten_times_accuracy"])
        axes[1].set(title="The same networks on sequences ten times longer")
    axes[0].set_ylim(min(0.45, axes[0].dataLim.y0) - 0.03, 1.03)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("Who latches? " + says(results))
    return figure


def draw_gradient(axis, results, when, some=None):
    """Derivatives before or after training: median and quartiles over the networks of which some(run) is true."""
    for kind in kinds_of(results):
        T, values = by_length(results, kind, lambda run: run["measures"][f"first_input_gradient_{when}"])
        if some:
            values = np.where(by_length(results, kind, some)[1] == 1, values, np.nan)
        there = np.isfinite(values).any(axis=1)
        low, middle, high = np.nanquantile(values[there], (0.25, 0.5, 0.75), axis=1)
        axis.fill_between(T[there], low, high, color=COLOUR[kind], alpha=0.15, linewidth=0)
        axis.plot(T[there], middle, "o-", markersize=4, color=COLOUR[kind], label=NAME[kind])
    axis.set(yscale="log", xlabel="steps of a sequence, T")


def gradient_picture(results):
    """Derivatives of the answer by the first input before training, and after it where no latch was learned."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
    draw_gradient(axes[0], results, "before")
    draw_gradient(axes[1], results, "after", lambda run: [value < LATCHED for value in fresh(run)])
    axes[0].set(title="before training", ylabel="|d(logit 1 − logit 0) / d(first input)|")
    axes[1].set_title("after training, networks that do not latch")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("What the first input does to the answer: medians, quartiles shaded")
    return figure


def first_input_gradient(results, _):
    """How much of the first input is left in the answer, by its derivative, over the lengths of a run."""
    return gradient_picture(results)


def states(results, arrays):
    """h over time for the four recorded sequences, the recorded seed's networks after training."""
    variants = list(results["runs"])
    lengths = sorted({run["T"] for run in results["runs"].values()})
    kinds = kinds_of(results)
    figure, axes = plt.subplots(
        len(kinds), len(lengths), figsize=(10, 2.1 * len(kinds) + 0.9), sharey=True, squeeze=False
    )
    for variant in variants:
        run = results["runs"][variant]
        axis = axes[kinds.index(run["cell"]), lengths.index(run["T"])]
        h, y = arrays[f"{variant}/h"][-1][:, 0].astype(float), arrays[f"{variant}/y"]
        for k in range(h.shape[1]):
            axis.plot(np.arange(1, len(h) + 1), h[:, k], color="#D55E00" if y[k] else "#56B4E9", linewidth=1.4,
                      label=f"first input {'+1' if y[k] else '−1'}" if k in (0, 2) else None)  # fmt: skip
        axis.set(ylim=(-1.05, 1.05), xlim=(0, len(h) + 1))
        accuracy = (fresh if measured(results) else held_out)(run)[results["recorded"]]
        axis.set_title(f"{NAME[run['cell']]}, T = {run['T']}" + (f": {accuracy:.2f}" if accuracy is not None else ""),
                       fontsize=10)  # fmt: skip
    for axis in axes[:, 0]:
        axis.set_ylabel("$h_t$ of a unit")
    for axis in axes[-1]:
        axis.set_xlabel("step t")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    seed = results["seeds"][results["recorded"]]
    figure.suptitle(f"Who keeps the sign? Seed {seed} after training, and its accuracy")
    return figure


def loss_landscape(_, arrays):
    """The loss of two networks of one unit over recurrent weight and bias, after some numbers of steps."""
    w, b = arrays["landscape/w"], arrays["landscape/b"]
    figure, axes = plt.subplots(2, len(LANDSCAPE_STEPS), figsize=(11, 5.4), sharex=True, sharey=True)
    rows = {"unit": "$x_t = w\\,\\sigma(x_{t-1}) + b$", "lstm": "LSTM cell"}
    for row, (key, words) in zip(axes, rows.items()):
        for axis, T in zip(row, LANDSCAPE_STEPS):
            image = axis.pcolormesh(w, b, arrays[f"landscape/{key}"][T - 1].astype(float), cmap="cividis",
                                    vmin=0, vmax=0.5, shading="nearest", rasterized=True)  # fmt: skip
            axis.grid(False)
            axis.set_title(f"T = {T}" if key == "unit" else "")
        row[0].set_ylabel(f"{words}\nbias b")
    for axis in axes[-1]:
        axis.set_xlabel("recurrent weight w")
    figure.colorbar(image, ax=axes, extend="max", label="loss: (output − 0.7)² after T steps", shrink=0.8)
    figure.suptitle("With more steps a cliff forms: left and right of it the network ends in another state")
    return figure


# ------------------------------------------------------------------------------------------------- studies


def figure():
    """The question's first figure, with its held-out sequences and with others."""
    asker, shuffled = study("figure/asker"), study("figure/shuffled")
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.6), sharey=True)
    panels = {
        "As asked: held out is one class": (asker, held_out),
        "The same networks, fresh sequences": (asker, fresh),
        "Shuffled first: held out is both": (shuffled, held_out),
    }
    for axis, (title, (results, value)) in zip(axes, panels.items()):
        draw_accuracy(axis, results, value)
        axis.set_title(title)
    axes[0].set_ylabel("accuracy (dots: networks, lines: means)")
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(f"The question's figure: {says(asker)}")
    return figure


def update():
    """The figure of the question's update: latching and bit relay, mean and standard deviation."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
    for axis, point, title in zip(axes, ("latch", "bit-relay"), ("Latching", "Bit relay (our reading)")):
        results = study(f"update/{point}")
        draw_accuracy(axis, results, held_out, spread=True)
        config = results["config"]
        axis.set_ylim(0.35, 1.12)
        axis.set_title(f"{title}: {config['hidden']} unit{'s' * (config['hidden'] > 1)}, {config['epochs']} epochs")
    axes[0].set_ylabel("accuracy: mean, standard deviation")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(f"The figure of its update: {len(results['seeds'])} networks at each length")
    return figure


def latched(results, kind):
    """Lengths, and how many of a kind's networks latch at each."""
    T, values = by_length(results, kind, fresh)
    return T, (values >= LATCHED).sum(axis=1)


def time():
    """How many networks latch, given more epochs and a higher rate."""
    points = {
        "rate 0.001, 5 epochs": "figure/shuffled", "rate 0.001, 15 epochs": "time/epochs",
        "rate 0.01, 5 epochs": "time/rate", "rate 0.01, 15 epochs": "time/both",
    }  # fmt: skip
    lengths, shades = (50, 100, 200), ("#C6DBEF", "#6BAED6", "#FDAE6B", "#E6550D")
    figure, axes = plt.subplots(1, len(lengths), figsize=(12.5, 4.6), sharey=True)
    for k, (words, point) in enumerate(points.items()):
        results = study(point)
        for axis, length in zip(axes, lengths):
            counts = [dict(zip(*latched(results, kind)))[length] for kind in COLOUR]
            bars = axis.bar(np.arange(len(COLOUR)) + 0.21 * (k - 1.5), counts, 0.2, color=shades[k], label=words)
            axis.bar_label(bars, padding=1, fontsize=8)
    names = [NAME[kind].replace(" without ", "\nwithout ").replace("simple ", "simple\n") for kind in COLOUR]
    for axis, length in zip(axes, lengths):
        axis.set(title=f"T = {length}", ylim=(0, len(results["seeds"]) + 2))
        axis.set_xticks(range(len(COLOUR)), names, fontsize=9)
        axis.grid(False, axis="x")
    axes[0].set_ylabel(f"of {len(results['seeds'])} networks, how many latch")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"With three times the epochs or ten times the rate an LSTM hardly ever latches ({LATCHED} right or more)"
    )
    return figure


GATES = {
    "hard-1": "bias 1, hard: the question's", "sigmoid-1": "bias 1, logistic", "sigmoid-log": "bias log T, logistic",
    "sigmoid-5": "bias 5, logistic", "hard-5": "bias 5, hard",
}  # fmt: skip


def gates():
    """The forget gate: how many LSTMs latch with each start of it, and by the sign of their feedback."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.8))
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.88, len(GATES)))
    for (point, words), colour in zip(GATES.items(), shades):
        results = study(f"gates/{point}")
        axes[0].plot(*latched(results, "lstm"), "o-", color=colour, label=words)
    hard = study("gates/hard-1")
    axes[0].plot(*latched(hard, "lstm-1997"), "s-", color=COLOUR["lstm-1997"], label="no forget gate, hard")
    n = len(hard["seeds"])
    axes[0].set(xlabel="steps of a sequence, T", ylim=(-0.5, n + 1), ylabel=f"of {n} LSTMs, how many latch")
    axes[0].set_title("A cell that forgets nothing latches more often ...")
    starts = {"bias 1,\nhard": (hard, "lstm"), "bias 5,\nhard": (study("gates/hard-5"), "lstm"),
              "bias 5,\nlogistic": (study("gates/sigmoid-5"), "lstm"), "no forget\ngate, hard": (hard, "lstm-1997"),
              "forget 8,\ninput −6": (study("answer/without-rate"), "lstm")}  # fmt: skip
    for place, (results, kind) in enumerate(starts.values()):
        run = results["runs"][f"{kind}-200"]
        weight, yes = np.array(run["measures"]["recurrent_weight_before"], float), np.array(fresh(run), float)
        for k, (side, colour) in enumerate(((weight > 0, "#009E73"), (weight < 0, "#D55E00"))):
            bars = axes[1].bar(place + 0.4 * (k - 0.5), (yes[side] >= LATCHED).mean(), 0.38, color=colour,
                               label=None if place else ("h feeds the state", "h feeds against it")[k])  # fmt: skip
            axes[1].bar_label(bars, [f"{(yes[side] >= LATCHED).sum()}/{side.sum()}"], padding=1, fontsize=9)
    axes[1].set_xticks(range(len(starts)), starts, fontsize=9)
    axes[1].set(ylim=(0, 1.1), ylabel="share that latches at T = 200")
    axes[1].grid(False, axis="x")
    axes[1].set_title("... at T = 200, if its recurrent weight or its input gate starts right")
    axes[0].legend(loc="upper right", fontsize=9)
    axes[1].legend(loc="upper left", fontsize=9)
    figure.suptitle("Not forgetting is not enough: the cell's own feedback must not work against it")
    return figure


def answer():
    """How many LSTMs latch with the two biases that let them, and without each."""
    points = {
        "gates/hard-1": "the question's", "gates/sigmoid-1": "logistic gates",
        "answer/forget-alone": "logistic,\nforget gate 8", "answer/input-alone": "logistic,\ninput gate −6",
        "answer/without-rate": "logistic,\nforget gate 8,\ninput gate −6", "answer/fresh": "the same,\nother seeds",
    }  # fmt: skip
    figure, axis = plt.subplots(figsize=(10, 4.4))
    for place, point in enumerate(points):
        results = study(point)
        T, counts = latched(results, "lstm")
        for k, (length, colour) in enumerate(((100, "#56B4E9"), (200, "#0072B2"))):
            count = dict(zip(T, counts))[length]
            bars = axis.bar(
                place + (k - 0.5) * 0.36, count, 0.34, color=colour, label=None if place else f"T = {length}"
            )
            axis.bar_label(bars, padding=2)
    axis.set_xticks(range(len(points)), points.values(), fontsize=10)
    axis.set(ylim=(0, len(results["seeds"]) + 3), ylabel=f"of {len(results['seeds'])} units, how many latch")
    axis.grid(False, axis="x")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Forget nothing and take in little at the start, and one LSTM unit latches")
    return figure


def gradient():
    """How much of the first input is left in the answer, by its derivative, over all lengths and kinds of networks."""
    return gradient_picture(study("figure/shuffled"))


def longer():
    """Trained latches on sequences ten times longer than they were trained on."""
    results = study("figure/shuffled")
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 4), sharey=True)
    for axis, kind in zip(axes, COLOUR):
        T, at_T = by_length(results, kind, fresh)
        _, at_ten = by_length(results, kind, lambda run: run["measures"]["ten_times_accuracy"])
        where, which = np.nonzero(at_T >= LATCHED)
        axis.plot(T[where], at_ten[where, which], "o", color=COLOUR[kind], alpha=0.4, markersize=5, markeredgewidth=0)
        kept = (at_ten[where, which] >= LATCHED).sum()
        axis.axhline(0.5, color="#777777", linestyle="--", linewidth=1)
        axis.set(title=f"{NAME[kind]}:\n{kept} of {len(where)} hold", xlabel="T in training", xlim=(0, T.max() + 5),
                 ylim=(-0.03, 1.03))  # fmt: skip
    axes[0].set_ylabel("accuracy at ten times T")
    figure.suptitle(f"Networks that latch, at least {LATCHED} right at T, on sequences ten times longer")
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
    drawn = options.run or run
    results, arrays = load_run(drawn, EXPERIMENT, command)
    announce(drawn, run, f"visualize/{EXPERIMENT}.py")
    for draw in accuracy, states, loss_landscape, *([first_input_gradient] if measured(results) else []):
        save_picture(draw(results, arrays), out / f"{draw.__name__}.png")
    if not measured(results):
        print(f"for first_input_gradient.png: python3 -m studies measure {shlex.quote(str(drawn))}")
    if not options.run:
        for draw in figure, update, time, gates, answer, gradient, longer:
            save_picture(draw(), out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
