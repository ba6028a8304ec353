#!/usr/bin/env python3
"""Animate the training of a run of timing_counting_spikes.py, into viz/timing_counting_spikes.gif.

It reads results.json and snapshots.npz of the run, and results.json of a study for the rank of its seed. It trains
nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "imageio>=2.33"]
# ///

import argparse
import json
import shlex
import sys
import zipfile
import zlib
from pathlib import Path

import imageio.v3
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.text import Annotation

EXPERIMENT = "timing_counting_spikes"
ROOT = Path(__file__).resolve().parent.parent
ROLE = {"peephole": "ours", "vanilla": "other"}
WORDS = {"peephole": "with peepholes", "vanilla": "without peepholes"}
AROUND = 15  # steps before and after the target that are shown
RING = {"color": "0", "markersize": 14, "markerfacecolor": "None", "markeredgewidth": 2}


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
def few_colours(frames, most=240):
    """Replace rare colours of frames (n, height, width, 3) by the nearest of the most frequent ones.

    A GIF has 256 colours. With fewer colours in all frames together, it needs no dithering.
    """
    packed = frames.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    counted = [np.unique(frame, return_counts=True) for frame in packed]
    colours, place = np.unique(np.concatenate([values for values, _ in counted]), return_inverse=True)
    count = np.bincount(place.ravel(), weights=np.concatenate([counts for _, counts in counted]))
    rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.int32)
    kept = rgb[np.argsort(-count, kind="stable")[:most]]
    nearest = np.stack([kept[np.abs(kept - colour).sum(axis=1).argmin()] for colour in rgb]).astype(np.uint8)
    return np.stack([nearest[np.searchsorted(colours, frame)] for frame in packed])


# shared block
def save_gif(figure, moving, draw, n, fps, path):
    """Write draw(k), k = 0 to n - 1, as frames of a GIF that loops and holds its last frame for two seconds.

    moving: the artists that change, and the artists above them, in drawing order. All others are drawn once.
    """
    canvas, frames = figure.canvas, []
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for k in range(n):
        canvas.restore_region(still)
        draw(k)
        for artist in moving:
            figure.draw_artist(artist)
        frames.append(np.array(canvas.buffer_rgba())[:, :, :3])
    plt.close(figure)
    duration = [1000 // fps] * (n - 1) + [2000] if n > 1 else 2000
    gif = imageio.v3.imwrite("<bytes>", few_colours(np.stack(frames)), extension=".gif", duration=duration, loop=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gif)
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror}")
    print(f"{path} ({n} frames, {path.stat().st_size / 1e6:.2f} MB)")


# shared block
def look(variant, **changes):
    """The style of a variant: its role, with changes. It has a marker only if changes has marked=True."""
    drawn = role(ROLE[variant])
    marker = {} if changes.pop("marked", False) else {"marker": "None"}
    return drawn | marker | changes


# shared block
def seed(results):
    """The recorded seed as text, with its rank if main has noted it."""
    return f"seed {results['seeds'][results['recorded']]}" + results.get("rank", "")


# shared block
def study(name):
    """Read results.json of a point of the studies."""
    command = f"python3 -m studies run {EXPERIMENT}/{name}"
    return load_run(Path("results") / EXPERIMENT / name, EXPERIMENT, command, arrays=False)[0]


# shared block
def ratios(results):
    """The error without peepholes divided by the error with peepholes, for every seed (S,)."""
    errors = {variant: np.array(run["final"]["test_mse"], float) for variant, run in results["runs"].items()}
    return errors["vanilla"] / errors["peephole"]


# shared block
def rank(results, point, value, words):
    """Add to results the rank of the recorded seed among the seeds of a point of the studies, and the values of all."""
    among = study(point)
    values, own = value(among), among["seeds"].index(results["seeds"][results["recorded"]])
    n = 1 + int((values < values[own]).sum())
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    place = "the median seed" if n == (len(values) + 1) // 2 else f"the {n}{ending} of {len(values)} seeds by {words}"
    results["rank"] = f", {place}"
    results["values"], results["own"] = values, own


# shared block
def strip(axis, values, own, name):
    """Draw the ratios of thirty seeds as stacked marks on a logarithmic axis, with a ring and a name at index own."""
    runs = [study(f"thirty_seeds/{point}") for point in ("default", "default-fresh")]
    parts = [[int((ratio <= 1).sum()), int((ratio > 1).sum())] for ratio in (values, ratios(runs[1]))]
    also = "{} and {}".format(*parts[1]) + ", too" * (parts[0] == parts[1])
    first, fresh = (f"seeds {run['seeds'][0]} to {run['seeds'][-1]}" for run in runs)
    axis.set_title(f"ratio of the final errors of {first} (fresh {fresh}: {also})")
    place = np.log10(values)
    column = np.floor(place / 0.05)
    height = np.array([((column == column[k]) & (place < place[k])).sum() for k in range(len(values))])
    smaller = {"vanilla": values <= 1, "peephole": values > 1}
    for (variant, seeds), x, side in zip(smaller.items(), (0.01, 0.99), ("left", "right")):
        axis.plot(values[seeds], height[seeds], **look(variant, marked=True, linestyle="", markersize=6))
        words = f"{seeds.sum()} seeds: error smaller\n{WORDS[variant]}"
        axis.text(x, 1, words, transform=axis.transAxes, ha=side, va="top")
    axis.plot(values[own], height[own], "o", **RING)
    top = height.max() + 2.8
    axis.annotate(name, (values[own], height[own]), (values[own], top - 0.8), ha="center", va="center",
                  arrowprops={"arrowstyle": "-", "shrinkB": 8})  # fmt: skip
    axis.axvline(1, **role("chance"))
    axis.set(xscale="log", ylim=(-0.8, top), yticks=(), xlabel="error without peepholes, divided by error with")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.spines["left"].set_visible(False)


# shared block
def percent(share):
    """A share as text. 100 % is all and 0 % none."""
    if np.isnan(share):
        return "no number"
    return "over 99 %" if 0.995 <= share < 1 else "below 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def draw_task(axis, x, y, task):
    """Draw the parts that do not change: the target of a sequence x (T,), y (T,). msd: only the steps around it."""
    target = role("target") | {"label": "target"}
    if task == "pfg":
        axis.plot(y, **target | {"marker": "None", "linestyle": "-", "linewidth": 6, "alpha": 0.35})
    else:
        due = np.flatnonzero(y)
        axis.plot(due, np.full(len(due), 1.25), **target | {"linestyle": "", "markersize": 8})
    axis.set(ylim=(-0.25, 1.4), yticks=(0, 1), xlim=(-1, len(y)))
    axis.grid(False, axis="y")
    if task == "msd":
        first, second = np.flatnonzero(x)
        axis.set_xlim(y.argmax() - AROUND - 0.5, y.argmax() + AROUND + 0.5)
        ticks = np.arange(-AROUND, AROUND + 1, 5)
        axis.set_xticks(y.argmax() + ticks, [f"{tick:+d}".replace("-", "−") if tick else "0" for tick in ticks])
        axis.text(0.01, 0.98, f"D = {second - first}", transform=axis.transAxes, va="top")


def finding(results):
    """A title about the networks of the recorded seed after training."""
    ends = {variant: run["final"]["solve_rate"][results["recorded"]] for variant, run in results["runs"].items()}
    number, config = results["seeds"][results["recorded"]], results["config"]
    what = {"msd": "the spike at exactly the target's step", "gts": "spikes at the right steps", "pfg": "the wave"}
    if all((rate or 0) >= 0.99 for rate in ends.values()):
        which = "both networks learn" if len(ends) == 2 else f"the network {WORDS[next(iter(ends))]} learns"
        return f"In seed {number}, {which} to put out {what[config['task']]}"
    said = " and ".join(f"{percent(np.nan if rate is None else rate)} {WORDS[name]}" for name, rate in ends.items())
    return f"In seed {number}, the solve rate ends at {said}"


def animate(results, arrays, n_frames):
    """The first arguments of save_gif: the figure, its moving artists, the function draw(k), the number of frames."""
    variants, config, known = list(results["runs"]), results["config"], "own" in results
    task, first = config["task"], variants[0]
    x, y, step = (arrays[f"{first}/{name}"] for name in ("x", "y", "step"))
    shown = np.unique(np.linspace(0, len(step) - 1, min(n_frames, len(step))).round().astype(int))
    batch = config["batch"] if task == "msd" else len(config["periods"])
    sequences = sorted({0, (y.shape[1] - 1) // 2, y.shape[1] - 1})
    figure = plt.figure(figsize=(8.6, 7 if known else 5.4), dpi=100)
    parts = figure.add_gridspec(1 + known, 1, height_ratios=(3, 1)[: 1 + known])
    grid = parts[0].subgridspec(len(sequences), 2, width_ratios=(1.6, 1))
    outputs, points = [], []
    for row, k in enumerate(sequences):
        axis = figure.add_subplot(grid[row, 0])
        draw_task(axis, x[:, 0, k], y[:, k], task)
        for variant in variants:
            width = {"peephole": 2.6, "vanilla": 1.6}[variant]  # both are visible if they agree
            size = {"peephole": 4, "vanilla": 9}[variant]
            shape = look(variant, marked=task == "msd", linewidth=width, markersize=size)
            (line,) = axis.plot([], [], **shape | {"markerfacecolor": shape["color"] if size == 4 else "None"})
            line.set_label(f"output {WORDS[variant]}")
            outputs.append((line, variant, k))
        if row < len(sequences) - 1:
            axis.set_xticklabels([])
        if row == 0:
            handles = axis.get_legend_handles_labels()
    axis.set_xlabel("steps from the target's step" if task == "msd" else "time step")
    figure.legend(*handles, loc="outside lower center", ncols=4)

    curves = (("test_mse", "mean squared error"), ("solve_rate", "solve rate"))
    right = grid[:, 1].subgridspec(2, 1)
    for place, (name, words) in enumerate(curves):
        axis = figure.add_subplot(right[place])
        for variant in variants:
            run = results["runs"][variant]["history"]
            steps, values = np.array(run["step"]), np.array(run[name], float)[:, results["recorded"]]
            axis.plot(steps * batch, values, **role("one") | {"marker": "None", "linewidth": 1.2})
            (past,) = axis.plot([], [], **look(variant))
            size = {"peephole": 6, "vanilla": 11}[variant]  # both are visible if they agree
            (now,) = axis.plot([], [], **look(variant, marked=True, markersize=size, clip_on=False))
            now.set_markerfacecolor("None" if variant == "vanilla" else now.get_color())
            now.set_in_layout(False)  # an empty line that is not clipped has no extent
            points.append((past, now, steps, values))
        room = 0.02 * max(steps[-1] * batch, 1)
        axis.set_xlim(-room, steps[-1] * batch + room)
        axis.set(**({"yscale": "log"} if name == "test_mse" else {"ylim": (-0.05, 1.08)}))
        axis.set_title(words)
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_major_locator(plt.MaxNLocator(3))
    axis.set_xlabel("training sequences")
    if known:
        axis = figure.add_subplot(parts[1])
        strip(axis, results["values"], results["own"], seed(results).split(",")[0])
    title = figure.suptitle(f"{finding(results)}\n\n ")
    below = figure.add_artist(Annotation("", (0.5, 0), xycoords=title, ha="center", va="bottom"))

    def draw(frame):
        k = shown[frame]
        for line, variant, sequence in outputs:
            values = arrays[f"{variant}/output"][k, :, sequence]
            line.set_data(np.arange(len(values)), values)
        rates = []
        for past, now, steps, values in points:
            before = steps <= step[k]
            here = values[before][-1]  # the last measured value
            past.set_data(np.append(steps[before], step[k]) * batch, np.append(values[before], here))
            now.set_data([step[k] * batch], [here])
            rates.append(percent(here))
        said = " and ".join(f"{rate} {WORDS[variant]}" for rate, variant in zip(rates[len(variants) :], variants))
        now = f"after {step[k] * batch:,} training sequences, the solve rate is {said}"
        below.set_text(f"{seed(results)}\n{now}")

    moving = [line for line, *_ in outputs] + [artist for past, now, *_ in points for artist in (past, now)]
    return figure, [*moving, below], draw, len(shown)


def main(argv=None):
    """Animate. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"the GIF (default: viz/{EXPERIMENT}.gif; with --run: in DIR/viz)"
    )
    parser.add_argument("--fps", type=int, default=4, help="frames per second (default: 4)")
    parser.add_argument("--n-frames", type=int, default=60, help="largest number of frames (default: 60)")
    options = parser.parse_args(argv)
    out = options.out or (options.run or Path()) / "viz" / f"{EXPERIMENT}.gif"
    if not 1 <= options.fps <= 50 or options.n_frames < 1:
        parser.error("--fps is from 1 to 50, --n-frames at least 1")
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    run = options.run or Path("results") / EXPERIMENT
    results, arrays = load_run(run, EXPERIMENT, f"python3 {EXPERIMENT}.py" + (f" --out {run}" if options.run else ""))
    announce(run, Path("results") / EXPERIMENT, f"make_gifs/{EXPERIMENT}.py")
    if not options.run:
        rank(results, "thirty_seeds/default", ratios, "ratio of errors")
    save_gif(*animate(results, arrays, options.n_frames), options.fps, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
