"""Draw the results of benchmarks/headline.py and benchmarks/scaling.py into viz/benchmarks/*.png.

It reads headline.json and scaling.json of results/benchmarks; it measures nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib>=3.8", "pillow"]
# ///

import argparse
import io
import json
import math
import sys
from pathlib import Path

import matplotlib
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = {"temporal order, LSTM": "o", "multiplication": "s", "timing, peephole": "^"}  # and their markers
CONTESTANTS = {"ours": ("ours", "our NumPy"), "PyTorch": ("other", "PyTorch"), "JAX": ("third", "JAX")}
SIZES = {"S": "seeds S", "T": "time steps T", "B": "sequences of a batch B", "H": "cells H"}


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


def load(folder, name):
    """Read the results of a benchmark. Exits with status 1 and one line on failure."""
    path = folder / f"{name}.json"
    try:
        results = json.loads(path.read_text())
        if (results["benchmark"], results["schema"]) != (name, 1):
            sys.exit(f"{path} is not of benchmarks/{name}.py, schema 1")
        return results
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 benchmarks/{name}.py")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")


def headline(results):
    """Seconds from the shell to the end of each headline, for each contestant, on one logarithmic axis."""
    scripts = results["experiments"]
    figure, axis = plt.subplots(figsize=(10, 6))
    for place, by in enumerate(found["by"] for found in scripts.values()):
        for k, (name, (kind, words)) in enumerate(CONTESTANTS.items()):
            if name not in by:
                continue
            run, colour, at = by[name], role(kind)["color"], place + 0.28 * (k - 1)
            axis.barh(at, run["median_s"], 0.24, color=colour if kind == "ours" else "white", edgecolor=colour,
                      linewidth=2, hatch={"other": "///", "third": None}.get(kind))  # fmt: skip
            stopped = "> " if run["stopped"] else ""
            seconds = f"{run['median_s']:.{1 if run['median_s'] < 10 else 0}f}"
            axis.text(run["median_s"] * 1.05, at, f"{stopped}{seconds} s   {words}", va="center")
    axis.set_yticks(range(len(scripts)), [f"{script}.py" for script in scripts])
    axis.set(xscale="log", xlim=(1, 4000), xlabel="seconds from the shell to the end (logarithmic)")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    ratios = {name: [1 / found["by"][name]["ours_by_theirs"] for found in scripts.values() if name in found["by"]]
              for name in ("PyTorch", "JAX")}  # fmt: skip
    first = all(ratio > 1 for some in ratios.values() for ratio in some)
    figure.suptitle(f"Our NumPy finishes {'every headline first' if first else 'some headlines first'}")
    if all(ratios.values()):
        cpu = " and ".join(
            sorted(
                {found["environment"]["cpu"].replace("(R)", "").split(" Processor")[0] for found in scripts.values()}
            )
        )
        least, low = math.floor(10 * min(ratios["PyTorch"])) / 10, math.floor(100 * min(ratios["JAX"])) / 100
        words = f"PyTorch takes at least {least} times as long, JAX {low} to {max(ratios['JAX']):.1f} times"
        figure.suptitle(f"{figure.get_suptitle()}\n")
        figure.text(0.5, 0.948, f"{words}; one core, {cpu}; > means stopped", ha="center", va="top")
    return figure


def look(name, one):
    """The style of a network, as keywords of Axes.plot. one: for a single seed, otherwise for thirty seeds."""
    colour = role(f"cell {list(NETWORKS).index(name)}")["color"]
    return {"color": colour, "marker": NETWORKS[name], "markersize": 7, "linestyle": ":" if one else "-",
            "markerfacecolor": "white" if one else colour}  # fmt: skip


def scaling(networks, value, label, title, subtitle):
    """A value of a training step against each size, for thirty seeds and for one seed. The first panel varies seeds."""
    figure, grid = plt.subplots(2, 2, figsize=(10, 8), sharey=True)
    for (size, words), axis in zip(SIZES.items(), grid.flat):
        for name, network in networks.items():
            for curve in (curve for curve in network["curves"] if curve["axis"] == size):
                one = curve["S"] == 1
                x, y = ([point[key] for point in curve["points"]] for key in (size, value))
                axis.plot(x, y, **look(name, one))
        axis.set(xscale="log", yscale="log", xlabel=words)
        for each in axis.xaxis, axis.yaxis:
            each.set_major_formatter("{x:,g}")
        axis.minorticks_off()
    for axis in grid[:, 0]:
        axis.set_ylabel(label)
    lines = [plt.Line2D([], [], **look(name, False), label=name) for name in NETWORKS if name in networks]
    lines += [plt.Line2D([], [], color="0.3", label="thirty seeds (first panel: as the axis says)"),
              plt.Line2D([], [], color="0.3", linestyle=":", label="one seed, hollow marks")]  # fmt: skip
    figure.legend(handles=lines, loc="outside lower center", ncols=3)
    figure.suptitle(f"{title}\n")
    figure.text(0.5, 0.962, subtitle, ha="center", va="top")
    return figure


def growth(networks, size, value, first, last):
    """The factors (least, most) by which a value of thirty seeds grows from one size to another, over the networks."""
    factors = []
    for network in networks.values():
        for curve in network["curves"]:
            if curve["axis"] == size and curve["S"] != 1:
                at = {point[size]: point[value] for point in curve["points"]}
                factors += [at[last] / at[first]] if first in at and last in at else []
    return (min(factors), max(factors)) if factors else None


def main(argv=None):
    """Draw. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, default=ROOT / "results" / "benchmarks",
                        help="folder of headline.json and scaling.json (default: results/benchmarks)")  # fmt: skip
    parser.add_argument("--out", metavar="DIR", type=Path, default=ROOT / "viz" / "benchmarks",
                        help="where to (default: viz/benchmarks)")  # fmt: skip
    options = parser.parse_args(argv)
    plt.style.use(Path(__file__).with_name("lab.mplstyle"))
    save_picture(headline(load(options.run, "headline")), options.out / "headline.png")
    networks = load(options.run, "scaling")["networks"]
    seeds, steps = growth(networks, "S", "ms", 1, 30), growth(networks, "T", "ms", 100, 1000)
    title = "Thirty seeds take {:.1f} to {:.1f} times as long as one".format(*seeds) if seeds else "Time of a step"
    more = (
        "With thirty seeds, 1,000 time steps take {:.1f} to {:.1f} times as long as 100".format(*steps) if steps else ""
    )
    save_picture(scaling(networks, "ms", "milliseconds of a training step", title, more), options.out / "time.png")
    most = max(point["megabytes"] for network in networks.values() for curve in network["curves"]
               for point in curve["points"])  # fmt: skip
    base = min(point["megabytes"] for network in networks.values() for curve in network["curves"]
               for point in curve["points"])  # fmt: skip
    title = f"Memory is {base:,.0f} MB for the smallest sizes and {most:,.0f} MB for the largest"
    more = "The most memory that the process held, with Python and NumPy; dotted: one seed"
    save_picture(scaling(networks, "megabytes", "memory, MB", title, more), options.out / "memory.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
