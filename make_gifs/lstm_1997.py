#!/usr/bin/env python3
"""Animate what a run of lstm_1997.py learns over training, into viz/lstm_1997.gif.

Reads results.json and snapshots.npz of the run; trains nothing.
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
BLOCK_COLOUR = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
OURS, MARK = "#0072B2", "#F0E442"
SYMBOLS = "EBabcdXY"  # of task 6


def command_of(run):
    """What makes the run that is to be in a folder (None: the headline); a row's folder has its name."""
    if run is None:
        return f"python3 {EXPERIMENT}.py"
    task = f" --task {run.name}" if re.fullmatch(r"[1-6][abc]?(-\d)?", run.name) else ""
    return f"python3 {EXPERIMENT}.py{task} --out {run}"


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
def few_colours(frames, most=240):
    """Frames (n, height, width, 3) with every colour but the most frequent ones replaced by the nearest of those.

    A GIF has 256 colours; with no more than these in all frames together it shows them as they are, undithered.
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

    moving: the artists that change, or lie over those that do, in drawing order; all else is drawn once.
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
    """Draw a sequence's input, symbols (T,) or values (T, D); returns the steps, from 1, that the answer depends on."""
    t = np.arange(1, len(x) + 1)
    axis.set(yticks=[], ylim=(0, 1), xlim=(0, len(x) + 1))
    axis.grid(False)
    if x.ndim == 1:
        relevant = t[x >= 6] if task[0] == "6" else t[1:2] if task in ("1", "2c") else t[:1]
        for step in t if task[0] == "6" else ():
            if step in relevant or step in (1, len(x)):
                axis.text(step, 0.5, SYMBOLS[x[step - 1]], ha="center", va="center", fontsize=13, weight="bold")
        return relevant
    axis.set(ylim=(min(-1.2, x.min()), max(1.2, x.max())))
    axis.plot(t, x[:, 0], color="#888888", linewidth=1)
    return t[x[:, 1] == 1] if x.shape[1] == 2 else t[:1]


def animate(results, arrays, n_frames):
    """What save_gif takes first: the figure, its moving artists, the function that draws a frame, how many frames."""
    ((name, run),) = results["runs"].items()
    task, step, length = name.split("-")[0], arrays[f"{name}/step"], int(arrays[f"{name}/length"][0])
    shown = np.unique(np.linspace(0, len(step) - 1, min(n_frames, len(step))).round().astype(int))
    panels = [("input gates", "in_gate"), ("cell states, each over its largest size in training", "s")]
    panels += [("output gates", "out_gate")] if f"{name}/out_gate" in arrays else []
    blocks = arrays[f"{name}/in_gate"].shape[2]
    figure = plt.figure(figsize=(8.6, 6.2), dpi=100)
    grid = figure.add_gridspec(len(panels) + 2, 1, height_ratios=(0.4, *[1] * len(panels), 0.9))
    relevant = draw_input(figure.add_subplot(grid[0]), arrays[f"{name}/x"][:length, ..., 0], task)
    figure.axes[0].set_xticklabels([])
    figure.axes[0].set_title("input" + (": the class is told by the marked symbols alone" if task[0] == "6" else ""))
    lines, t = [], np.arange(1, length + 1)
    for place, (words, key) in enumerate(panels, start=1):
        axis = figure.add_subplot(grid[place])
        values = arrays[f"{name}/{key}"][:, :length, :, 0].astype(float)
        if key == "s":
            values /= np.maximum(np.abs(values).max(axis=(0, 1), keepdims=True), 1e-6)
        axis.set(xlim=(0, length + 1), ylim=(-1.1, 1.1) if key == "s" else (-0.05, 1.05))
        axis.set_title(words)
        for where in relevant:
            axis.axvspan(where - 0.5, where + 0.5, color=MARK, alpha=0.5, linewidth=0)
        for row in range(values.shape[2]):
            style = ("-", "--", ":", "-.")[row // blocks]
            cell = f", cell {row // blocks + 1}" if values.shape[2] > blocks else ""
            label = f"block {row % blocks + 1}{cell}"
            (line,) = axis.plot([], [], style, color=BLOCK_COLOUR[row % blocks], label=label, linewidth=1.8)
            lines.append((line, values[..., row]))
        if key == "s":
            handles = axis.get_legend_handles_labels()
        if place < len(panels):
            axis.set_xticklabels([])
    axis.set_xlabel("time step")
    figure.legend(*handles, loc="outside lower center", ncols=4)

    axis = figure.add_subplot(grid[-1])
    at, wrong = np.array(run["history"]["step"]), np.array(run["history"]["wrong"], float)[:, results["recorded"]]
    axis.plot(at, wrong, color="#BBBBBB", linewidth=1.2)
    (past,) = axis.plot([], [], color=OURS)
    (now,) = axis.plot([], [], "o", color=OURS, markersize=8)
    axis.set(
        ylim=(-0.08, 1.08), xlim=(-0.02 * step[-1], 1.02 * step[-1] if step[-1] else 1), xlabel="training sequences"
    )
    axis.set_title("share of wrong answers")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.xaxis.set_major_locator(plt.MaxNLocator(5))
    title = figure.suptitle(" ")

    def draw(frame):
        k = shown[frame]
        for line, values in lines:
            line.set_data(t, values[k])
        before = (at <= step[k]) & np.isfinite(wrong)
        here = wrong[before][-1] if before.any() else np.nan  # as last measured
        past.set_data(np.append(at[before], step[k]), np.append(wrong[before], here))
        now.set_data([step[k]], [here])
        title.set_text(
            f"Row {name}, trial {results['seeds'][results['recorded']]}, after {step[k]:,} training sequences"
        )

    return figure, [line for line, _ in lines] + [past, now, title], draw, len(shown)


def main(argv=None):
    """Animate; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT}/{HEADLINE})"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"default: viz/{EXPERIMENT}.gif; with --run: in DIR/viz"
    )
    parser.add_argument("--fps", type=int, default=6, help="frames a second (default: 6)")
    parser.add_argument("--n-frames", type=int, default=60, help="at most so many frames (default: 60)")
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
