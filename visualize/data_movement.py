#!/usr/bin/env python3
"""Draw results/data_movement/results.json into viz/data_movement/*.png. It prices nothing."""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

EXPERIMENT = "data_movement"
ROOT = Path(__file__).resolve().parent.parent
KINDS = {  # what is read, and the role whose colour it has
    "weights": "ours",
    "inputs": "third",
    "outputs of the step before": "target",
    "states of the step before": "writeup",
    "values of the same step": "one",
    "values stored by the forward pass": "other",
    "errors of the step after": "paper",
    "gradients": "fourth",
}
SHOWN = {  # networks of the first picture
    "temporal order, LSTM": "temporal order,\ninputs are vectors",
    "temporal order, LSTM, symbols choose columns": "temporal order,\nsymbols choose columns",
    "multiplication": "multiplication",
    "timing, with peepholes": "timing,\nwith peepholes",
    "timing, without peepholes": "timing,\nwithout peepholes",
    "row 6a of 1997, truncated, from stored values": "row 6a of 1997,\ntruncated gradient",
    "row 6a of 1997, full, backpropagation through time": "row 6a of 1997,\nfull gradient",
}
PHASES = ("forward", "backward", "update")


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


def load_results(directory):
    """Read results.json of a folder. Exits with status 1 and one line if it is missing or damaged."""
    path = directory / "results.json"
    try:
        results = json.loads(path.read_text())
        if (results["experiment"], results["schema"]) != (EXPERIMENT, 1):
            sys.exit(f"{path} is of {results['experiment']}, schema {results['schema']}, not of {EXPERIMENT}, schema 1")
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 -m studies.{EXPERIMENT}")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")
    return results


def whole(step):
    """The cost of a training step."""
    return sum(step["cost"].values())


def what_is_read(results):
    """Bars of the cost of a time step, forward and backward, by what is read, for each network."""
    figure, axis = plt.subplots(figsize=(10, 6.4))
    for place, name in enumerate(SHOWN):
        step = results["networks"][name]
        for phase, shift in zip(PHASES, (-0.19, 0.19)):
            left = 0
            for kind, who in KINDS.items():
                price = step["kinds"][phase].get(kind, (0, 0))[1] / step["T"]
                axis.barh(place + shift, price, left=left, color=role(who)["color"], height=0.34)
                left += price
            axis.annotate(phase, (left, place + shift), (4, 0), textcoords="offset points", va="center", fontsize=10)
    axis.set(xlabel="cost of a time step, mean (1 byte for a value)")
    axis.margins(x=0.08)
    axis.set_xlim(left=0)
    axis.set(yticks=range(len(SHOWN)), yticklabels=SHOWN.values())
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    handles = [plt.Rectangle((0, 0), 1, 1, color=role(who)["color"]) for who in KINDS.values()]
    figure.legend(handles, KINDS, loc="outside lower center", ncols=3)
    shares = {"weights": [], "states of the step before": []}
    for of in (results["networks"][name] for name in SHOWN):
        kinds = {kind: price for kind, (_, price) in of["kinds"]["forward"].items()}
        assert max(kinds, key=kinds.get) == "weights"
        for kind, found in shares.items():
            found.append(100 * kinds[kind] / of["cost"]["forward"])
    weights, states = (f"{min(found):.0f} to {max(found):.0f} %" for found in shares.values())
    title = f"Reads of weights are {weights} of the cost of the forward pass,\nstates of the step before {states}"
    heading(figure, title, "Networks at the sizes of their headlines, one sequence. The measure is ByteDMD.")
    return figure


def growth(results):
    """The cost of a time step against the lag, of a training step against the cells, and in other orders."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 5))
    for who, name, words, place in (
        ("other", "timing, with peepholes", "timing, with and\nwithout peepholes", 7),
        ("third", "timing, without peepholes", "", 0),
        ("ours", "multiplication", "multiplication", -13),
        ("fourth", "temporal order, LSTM", "temporal order, vectors", 8),
        ("paper", "temporal order, LSTM, symbols choose columns", "temporal order, columns", -12),
        ("target", "row 6a of 1997, truncated, from stored values", "1997, truncated", -12),
    ):
        of = results["lengths"][name]
        T = [int(t) for t in of]
        axes[0].plot(T, [whole(step) / t for t, step in zip(T, of.values())], **role(who))
        style = {"textcoords": "offset points", "ha": "right", "fontsize": 10, "color": role(who)["color"]}
        axes[0].annotate(
            words, (1000, whole(of["1000"]) / 1000), (4, place), va="center" if place < 0 else "bottom", **style
        )
    axes[0].set(xscale="log", yscale="log", ylim=(2e3, 8e4), title="cost of a time step", xlabel="steps T")
    ticks = (2e3, 5e3, 1e4, 2e4, 5e4)
    axes[0].set(yticks=ticks, yticklabels=[f"{tick / 1e3:.0f} k" for tick in ticks], xticks=(10, 100, 1000))
    of = {int(H): whole(step) for H, step in results["sizes"].items()}
    axes[1].plot(of.keys(), of.values(), **role("ours"))
    axes[1].set(
        xscale="log", yscale="log", title="cost of a training step,\ntemporal order", xlabel="cells H", xticks=[*of]
    )
    axes[1].set(yticks=(1e5, 1e6, 1e7), yticklabels=("100 k", "1 M", "10 M"))
    exponents = np.diff(np.log([*of.values()])) / np.diff(np.log([*of]))
    for H, price, exponent in zip([*of][1:], [*of.values()][1:], exponents):
        axes[1].annotate(f"{exponent:.2f}", (H, price), (-8, 4), textcoords="offset points", ha="right", fontsize=10)
    axes[1].text(0.97, 0.05, "numbers: exponents", transform=axes[1].transAxes, ha="right", fontsize=10, color="0.45")
    base = results["orders"]["gate by gate"]
    for who, (order, batches) in zip(("ours", "third", "fourth", "other"), results["orders"].items()):
        ratios = [whole(step) / whole(base[B]) for B, step in batches.items()]
        axes[2].plot([int(B) for B in batches], ratios, **role(who), label=order)
    axes[2].set(
        xscale="log",
        ylim=(0, 1.3),
        title="cost divided by that gate by\ngate, temporal order",
        xticks=[int(B) for B in base],
    )
    axes[2].set_xlabel("sequences B in a batch")
    axes[2].legend(loc="lower left")
    for axis in axes:
        axis.xaxis.set_major_formatter("{x:,g}")
        axis.xaxis.set_minor_locator(plt.NullLocator())
        axis.yaxis.set_minor_locator(plt.NullLocator())
    least = min(whole(of[B]) / whole(base[B]) for of in results["orders"].values() for B in of)
    title = "From T = 100 the cost of a time step hardly depends on T;\n"
    title += f"with more cells each read costs more; another order saves at most {100 - 100 * least:.0f} %"
    heading(figure, title, "Training steps: forward, backward, update. 1 byte for a value.")
    return figure


def skipping(results):
    """What is saved, and what is lost, if steps with small input gates are left out."""
    found = results["skipping"]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.8))
    bounds = [bound for bound in found["bounds"] if float(bound)]
    of = {bound: found["bounds"][bound] for bound in bounds}
    right = np.array([50 * np.add(of[bound]["first_half"], of[bound]["second_half"]) for bound in bounds])
    price = np.array([100 * np.divide(of[bound]["training"], found["none"]) for bound in bounds])
    places = [float(bound) for bound in bounds]
    for axis, values, title in (axes[0], right, "right answers, %"), (axes[1], price, "cost of a training step, %"):
        axis.plot(places, values, **role("one") | {"marker": "None", "linewidth": 0.8})
        axis.plot(places, np.median(values, axis=1), **role("ours"))
        axis.set(title=title, xscale="log", xlabel="bound of the input gates", ylim=(0, 108))
        axis.set(xticks=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(plt.NullLocator())
    axes[0].axhline(25, **role("chance") | {"linewidth": 1.3})
    axes[0].text(0.0105, 27, "guessing", fontsize=10, color=role("chance")["color"])
    handles = [plt.Line2D([], [], **role("ours")), plt.Line2D([], [], **role("one") | {"marker": "None"})]
    axes[1].legend(handles, ["median", "each network"], loc="lower left")
    at = bounds.index("0.1")
    title = f"With a bound of 0.1 a training step costs {np.median(price[at]):.0f} % as much,\n"
    title += f"but only {np.median(right[at]):.0f} % of the answers are right (medians)"
    n = len(found["seeds"])
    words = f"Temporal order, {n} trained LSTMs. A step is left out if all its input gates are below the bound."
    heading(figure, title, words)
    return figure


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--run", metavar="DIR", type=Path, default=ROOT / "results" / EXPERIMENT, help="folder of results.json"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("viz") / EXPERIMENT, help="folder for pictures")
    options = parser.parse_args(argv)
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    results = load_results(options.run)
    for draw in what_is_read, growth, skipping:
        save_picture(draw(results), options.out / f"{draw.__name__}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
