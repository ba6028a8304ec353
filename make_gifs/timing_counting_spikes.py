#!/usr/bin/env python3
"""Animate what a run of timing_counting_spikes.py learns over training, into viz/timing_counting_spikes.gif.

Reads results.json and snapshots.npz of the run; trains nothing.
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

EXPERIMENT = "timing_counting_spikes"
ROOT = Path(__file__).resolve().parent.parent
COLOUR = {"peephole": "#0072B2", "vanilla": "#D55E00"}
INPUT_COLOUR, TARGET_COLOUR = "#555555", "#009E73"


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


def draw_task(axis, x, y, task):
    """What does not move: input spikes and the target of a sequence x (T,), y (T,)."""
    if task == "msd":
        axis.vlines(np.flatnonzero(x), 0, 1, color=INPUT_COLOUR, linewidth=2, label="input spikes")
    if task == "pfg":
        axis.plot(y, color=TARGET_COLOUR, linewidth=5, alpha=0.4, label="target")
    else:
        axis.vlines(np.flatnonzero(y), 0, 1, color=TARGET_COLOUR, linewidth=5, alpha=0.4, label="target")
    axis.set(ylim=(-0.2, 1.2), yticks=(0, 1), xlim=(-1, len(y)))
    axis.grid(False, axis="y")


def animate(results, arrays, n_frames):
    """What save_gif takes first: the figure, its moving artists, the function that draws a frame, how many frames."""
    variants, config = list(results["runs"]), results["config"]
    task, first = config["task"], variants[0]
    x, y, step = (arrays[f"{first}/{name}"] for name in ("x", "y", "step"))
    shown = np.unique(np.linspace(0, len(step) - 1, min(n_frames, len(step))).round().astype(int))
    batch = config["batch"] if task == "msd" else len(config["periods"])
    sequences = sorted({0, (y.shape[1] - 1) // 2, y.shape[1] - 1})
    figure = plt.figure(figsize=(8.6, 5.4), dpi=100)
    grid = figure.add_gridspec(len(sequences), 2, width_ratios=(1.7, 1))
    outputs, points = [], []
    for row, k in enumerate(sequences):
        axis = figure.add_subplot(grid[row, 0])
        draw_task(axis, x[:, 0, k], y[:, k], task)
        for variant in variants:
            width = {"peephole": 2.6, "vanilla": 1.2}[variant]  # so that both are seen where they agree
            (line,) = axis.plot([], [], color=COLOUR[variant], linewidth=width, label=f"output, {variant}")
            outputs.append((line, variant, k))
        if row < len(sequences) - 1:
            axis.set_xticklabels([])
        if row == 0:
            handles = axis.get_legend_handles_labels()
    axis.set_xlabel("time step")
    figure.legend(*handles, loc="outside lower center", ncols=4)

    curves = (("test_mse", "mean squared error"), ("solve_rate", "solve rate"))
    right = grid[:, 1].subgridspec(2, 1)
    for place, (name, words) in enumerate(curves):
        axis = figure.add_subplot(right[place])
        for variant in variants:
            run = results["runs"][variant]["history"]
            steps, values = np.array(run["step"]), np.array(run[name], float)[:, results["recorded"]]
            axis.plot(steps * batch, values, color="#BBBBBB", linewidth=1.2)
            size = {"peephole": 9, "vanilla": 5}[variant]
            (past,) = axis.plot([], [], color=COLOUR[variant])
            (now,) = axis.plot([], [], "o", color=COLOUR[variant], markersize=size)
            points.append((past, now, steps, values))
        room = 0.02 * max(steps[-1] * batch, 1)
        axis.set_xlim(-room, steps[-1] * batch + room)
        axis.set(**({"yscale": "log"} if name == "test_mse" else {"ylim": (-0.05, 1.05)}))
        axis.set_title(words)
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_major_locator(plt.MaxNLocator(3))
    axis.set_xlabel("training sequences")
    title = figure.suptitle(" ")

    def draw(frame):
        k = shown[frame]
        for line, variant, sequence in outputs:
            values = arrays[f"{variant}/output"][k, :, sequence]
            line.set_data(np.arange(len(values)), values)
        for past, now, steps, values in points:
            before = steps <= step[k]
            here = values[before][-1]  # as last measured
            past.set_data(np.append(steps[before], step[k]) * batch, np.append(values[before], here))
            now.set_data([step[k] * batch], [here])
        which = "LSTM with and without peepholes" if len(variants) > 1 else f"LSTM, {first},"
        title.set_text(f"{which} after {step[k] * batch:,} training sequences")

    moving = [line for line, *_ in outputs] + [artist for past, now, *_ in points for artist in (past, now)]
    return figure, [*moving, title], draw, len(shown)


def main(argv=None):
    """Animate; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
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
    run = options.run or Path("results") / EXPERIMENT
    results, arrays = load_run(run, EXPERIMENT, f"python3 {EXPERIMENT}.py" + (f" --out {run}" if options.run else ""))
    announce(run, Path("results") / EXPERIMENT, f"make_gifs/{EXPERIMENT}.py")
    save_gif(*animate(results, arrays, options.n_frames), options.fps, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
