#!/usr/bin/env python3
"""Draw how a training step's time and memory grow with its sizes, into viz/benchmarks/scaling.png.

Reads scaling.json of benchmarks/scaling.py; measures nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8"]
# ///

import argparse
import json
import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
COLOUR = {"temporal order, LSTM": "#0072B2", "multiplication": "#E69F00", "timing, peephole": "#009E73"}
AXES = {"S": "seeds S", "T": "time steps T", "B": "sequences in a batch B", "H": "cells H"}
GUIDE = dict(color="0.55", lw=1.2, ls=":")


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
def save_picture(figure, path):
    """Write a figure as PNG and close it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror}")
    plt.close(figure)
    print(path)


def load_scaling(folder):
    """scaling.json of a folder; exits with status 1 and one line on failure."""
    path = folder / "scaling.json"
    try:
        results = json.loads(path.read_text())
        if (results["benchmark"], results["schema"]) != ("scaling", 1):
            sys.exit(f"{path} is not of benchmarks/scaling.py, schema 1")
        return results["networks"]
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 benchmarks/scaling.py")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")


def guide(axis, points, size):
    """A dotted line of cost in proportion to size, through the last of the points."""
    x = np.array([point[size] for point in points[-3:]])
    axis.plot(x, points[-1]["ms"] * x / x[-1], **GUIDE, zorder=1)


def draw(networks):
    """One column for each size that varies; above milliseconds of a step, below the most memory held."""
    figure, grid = plt.subplots(2, len(AXES), figsize=(15, 8), sharex="col", sharey="row")
    figure.suptitle("A step's time is in proportion to T; more seeds, sequences or cells cost little at first")
    for (size, label), (time, memory) in zip(AXES.items(), grid.T):
        for name, network in networks.items():
            for curve in network["curves"]:
                if curve["axis"] != size:
                    continue
                points = curve["points"]
                x = [point[size] for point in points]
                style = dict(color=COLOUR[name], marker="o", ms=4, ls="--" if curve["S"] == 1 else "-")
                time.plot(x, [point["ms"] for point in points], **style)
                memory.plot(x, [point["megabytes"] for point in points], **style)
                if curve["S"] != 1 and len(points) > 2:
                    guide(time, points, size)
        for axis in time, memory:
            axis.set(xscale="log", yscale="log")
            axis.xaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_major_formatter("{x:g}")
        memory.set_xlabel(label)
        memory.axhline(1000, color="#D55E00", lw=1.2)
    grid[0, 0].set_ylabel("milliseconds of a training step")
    grid[1, 0].set_ylabel("most memory held, megabytes")
    grid[1, 0].text(1, 1060, "1 gigabyte", color="#D55E00", va="bottom")
    lines = [plt.Line2D([], [], color=colour, label=name) for name, colour in COLOUR.items() if name in networks]
    lines += [plt.Line2D([], [], color="0.3", label="thirty seeds (first column: as many as it says)"),
              plt.Line2D([], [], color="0.3", ls="--", label="one seed"),
              plt.Line2D([], [], **GUIDE, label="in proportion to the size")]  # fmt: skip
    figure.legend(handles=lines, loc="outside lower center", ncols=3)
    return figure


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", type=Path, default=ROOT / "results" / "benchmarks", help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "viz" / "benchmarks", help="(default: %(default)s)")
    options = parser.parse_args(argv)
    networks = load_scaling(options.run)
    plt.style.use(Path(__file__).with_name("lab.mplstyle"))
    save_picture(draw(networks), options.out / "scaling.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
