#!/usr/bin/env python3
"""Animate the training of a run of lstm_1997.py, into viz/lstm_1997.gif.

It reads results.json and snapshots.npz of the run; it trains nothing.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "matplotlib>=3.8", "imageio>=2.33"]
# ///

import argparse
import json
import re
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

EXPERIMENT = "lstm_1997"
ROOT = Path(__file__).resolve().parent.parent
HEADLINE = "6a"
SYMBOLS = "EBabcdXY"  # of task 6
SHOWN = {"6a": 1, "6b": 1}  # the recorded sequence to draw, with X and Y; in other tasks 0
MARKED = "0.85"  # grey level behind marked steps


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


def draw_input(axis, x, task):
    """Draw a sequence's input, symbols (T,) or values (T, D). Returns the steps, from 1, that decide the answer."""
    t = np.arange(1, len(x) + 1)
    axis.set(yticks=[], ylim=(0, 1), xlim=(0, len(x) + 1))
    axis.grid(False)
    if x.ndim > 1:
        axis.set(ylim=(min(-1.2, x.min()), max(1.2, x.max())))
        axis.plot(t, x[:, 0], **role("input") | {"linestyle": "-", "marker": "None"}, linewidth=1)
        return t[x[:, 1] == 1] if x.shape[1] == 2 else t[:1]
    axis.plot(t, 0 * t + 0.5, **role("input") | {"linestyle": "None"}, markersize=7)
    if task[0] != "6":
        return t[1:2] if task in ("1", "2c") else t[:1]
    for step in t[x >= 6]:
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        letter = {"ha": "center", "va": "center", "fontsize": 12, "weight": "bold", "bbox": behind}
        axis.text(step, 0.5, SYMBOLS[x[step - 1]], **letter)
    return t[x >= 6]


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


def finding(gates, relevant, task):
    """A title about the input gates (T, blocks) at the marked steps, and a text with their values."""
    here = np.isin(np.arange(1, len(gates) + 1), relevant)
    apart = gates[here].min(axis=0) - gates[~here].max(axis=0)
    block = int(apart.argmax())
    if apart[block] < 0.3:
        return "After training, no input gate opens at the marked steps alone", ""
    what = "X and Y" if task[0] == "6" else "what must be kept"
    most = f"{np.ceil(100 * gates[~here, block].max()) / 100:.2f}"
    least = f"{np.floor(100 * gates[here, block].min()) / 100:.2f}"
    found = f"The gate is then at least {least} at {what}, and at most {most} at any other step."
    return f"After training, the input gate of block {block + 1} opens at {what}", found


def where_it_changes(moved, n):
    """At most n snapshots, with the first and the last, such that lines change by equal amounts between them.

    moved: the mean change of all lines from each snapshot to the next. Intervals with little change have few snapshots.
    """
    way = np.concatenate([[0], np.cumsum(moved)])
    return np.unique([np.abs(way - part * way[-1]).argmin() for part in np.linspace(0, 1, n)] + [len(moved)])


def animate(results, arrays, n_frames):
    """The first arguments of save_gif: the figure, its moving artists, the function draw(k), the number of frames."""
    ((name, run),) = results["runs"].items()
    k, task, step = SHOWN.get(name, 0), name.split("-")[0], arrays[f"{name}/step"]
    length = int(arrays[f"{name}/length"][k])
    panels = [("input gate of each block", "in_gate"), ("states of the cells, on the scale of the last frame", "s")]
    blocks = arrays[f"{name}/in_gate"].shape[2]
    figure = plt.figure(figsize=(8.6, 6.2), dpi=100)
    figure.get_layout_engine().set(rect=(0, 0, 1, 0.82))
    grid = figure.add_gridspec(len(panels) + 1, 1, height_ratios=(0.3, 1, 1.6))
    relevant = draw_input(figure.add_subplot(grid[0]), arrays[f"{name}/x"][:length, ..., k], task)
    figure.axes[0].set_xticklabels([])
    of_6 = "input: X, Y and symbols that tell nothing of the answer"
    figure.axes[0].set_title(of_6 if task[0] == "6" else "input; grey: what must be kept")
    lines, t = [], np.arange(1, length + 1)
    for place, (words, key) in enumerate(panels, start=1):
        axis = figure.add_subplot(grid[place])
        values = arrays[f"{name}/{key}"][:, :length, :, k].astype(float)
        most = 1.1 * max(np.abs(values[-1]).max(), 1e-6)
        axis.set(xlim=(0, length + 1), ylim=(-most, most) if key == "s" else (-0.05, 1.05))
        axis.set_title(words + (" (cell 2: dashed)" if key == "s" and values.shape[2] > blocks else ""))
        for row in range(values.shape[2]):
            style = {"color": role(f"cell {row % blocks}")["color"], "linestyle": ("-", "--")[row // blocks]}
            (line,) = axis.plot([], [], **style, label=f"block {row % blocks + 1}", linewidth=1.8)
            lines.append((line, values[..., row]))
        if key == "in_gate":
            handles = axis.get_legend_handles_labels()
        if place < len(panels):
            axis.set_xticklabels([])
    for axis in figure.axes:
        for where in relevant:
            axis.axvspan(where - 0.5, where + 0.5, color=MARKED, linewidth=0, zorder=0)
    axis.set_xlabel("time step")
    figure.legend(*handles, loc="outside lower center", ncols=4)
    moved = [np.abs(np.diff(np.clip(values, *line.axes.get_ylim()), axis=0)).mean(axis=1) for line, values in lines]
    sizes = [np.ptp(line.axes.get_ylim()) for line, _ in lines]
    shown = where_it_changes(np.mean([change / size for change, size in zip(moved, sizes)], axis=0), n_frames)

    at, wrong = np.array(run["history"]["step"]), np.array(run["history"]["wrong"], float)[:, results["recorded"]]
    gates = arrays[f"{name}/in_gate"][-1, :length, :, k].astype(float)
    title, found = finding(gates, relevant, task)
    figure.text(0.5, 0.985, title, ha="center", va="top", fontsize=13, weight="bold")
    about = f"Row {name}: {standing(results, run)}.\n{found}"
    figure.text(0.5, 0.94, about, ha="center", va="top", fontsize=11)
    counter = figure.text(0.5, 0.86, " ", ha="center", va="top", fontsize=12, weight="bold")

    def draw(frame):
        k = shown[frame]
        for line, values in lines:
            line.set_data(t, values[k])
        before = (at <= step[k]) & np.isfinite(wrong)
        wrong_now = f": {100 * wrong[before][-1]:.3g} % of the answers are wrong" if before.any() else ""
        counter.set_text(f"after {step[k]:,} training sequences{wrong_now}")  # the last measured value

    return figure, [*(line for line, _ in lines), counter], draw, len(shown)


def main(argv=None):
    """Animate. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT}/{HEADLINE})"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"default: viz/{EXPERIMENT}.gif; with --run: in DIR/viz"
    )
    parser.add_argument("--fps", type=int, default=3, help="frames per second (default: 3)")
    parser.add_argument("--n-frames", type=int, default=60, help="largest number of frames (default: 60)")
    options = parser.parse_args(argv)
    out = options.out or (options.run or Path()) / "viz" / f"{EXPERIMENT}.gif"
    if not 1 <= options.fps <= 50 or options.n_frames < 1:
        parser.error("--fps is from 1 to 50, --n-frames at least 1")
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    headline = Path("results") / EXPERIMENT / HEADLINE
    results, arrays = load_run(options.run or headline, EXPERIMENT, command_of(options.run))
    announce(options.run or headline, headline, f"make_gifs/{EXPERIMENT}.py")
    save_gif(*animate(results, arrays, options.n_frames), options.fps, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
