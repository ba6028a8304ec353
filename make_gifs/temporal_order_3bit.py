#!/usr/bin/env python3
"""Animate the cell states of a run of temporal_order_3bit.py over training, into viz/temporal_order_3bit.gif.

It reads results.json and snapshots.npz of the run; it trains nothing.
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
from matplotlib.patheffects import Normal, Stroke

EXPERIMENT = "temporal_order_3bit"
ROOT = Path(__file__).resolve().parent.parent
X, Y = 4, 5
SYMBOLS, CLASSES, CHANCE = "abcdXYBE", ("XX", "XY", "YX", "YY"), 0.25
LIMIT = 3.0  # the colours of states end here: tanh(3) is 0.995, so a larger state changes an output very little


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
def mark(axis, symbols):
    """Draw a dashed line with the letter above it at each X and Y of symbols (T,). Returns the lines."""
    lines, style = [], {**role("input"), "marker": "None", "linewidth": 1.5, "zorder": 3}
    for t in np.flatnonzero((symbols == X) | (symbols == Y)):
        lines.append(axis.axvline(t, **style, path_effects=[Stroke(linewidth=4, foreground="white"), Normal()]))
        axis.annotate(SYMBOLS[symbols[t]], (t, 1), (0, 2), ("data", "axes fraction"), "offset points", ha="center",
                      fontweight="bold", annotation_clip=False)  # fmt: skip
    return lines


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


def line(name):
    """The style of a role as a line without markers."""
    return {**role(name), "marker": "None"}


def spacing(seen):
    """The numbers of training sequences between snapshots, in words. seen (n,): training sequences at each snapshot."""
    gaps = np.diff(seen)
    if len(set(gaps)) != 2 or (np.diff(gaps) != 0).sum() > 1:
        return f"{len(seen)} snapshots"
    return f"snapshots every {gaps[0]:,} sequences at first, every {gaps[-1]:,} later"


def animate(results, arrays, n_frames):
    """The first arguments of save_gif: the figure, its moving artists, the function draw(k), the number of frames.

    The first frame shows the states after training, like the last one: a page that does not animate shows it.
    """
    step, c, x, y = (arrays[f"lstm/{name}"] for name in ("step", "c", "x", "y"))  # c (snapshots, T, H, n)
    shown = np.unique(np.linspace(0, len(step) - 1, min(max(1, n_frames - 1), len(step))).round().astype(int))
    order = np.append(len(step) - 1, shown)[:n_frames]
    history, batch, seed = results["runs"]["lstm"]["history"], results["config"]["batch"], results["recorded"]
    steps, accuracy = np.array(history["step"]), np.array(history["val_accuracy"], float)[:, seed]
    figure = plt.figure(figsize=(8.4, 5.9), dpi=100)
    grid = figure.add_gridspec(3, 2, height_ratios=[1, 1, 0.8])
    panels = [figure.add_subplot(grid[k // 2, k % 2]) for k in range(4)]
    images, marks = [], []
    for k, axis in enumerate(panels):
        images.append(axis.imshow(c[0, :, :, k].T, cmap=plt.get_cmap("RdBu", 49), vmin=-LIMIT, vmax=LIMIT))
        marks += mark(axis, x[:, k])
        axis.set(yticks=range(c.shape[2]), ylabel="cell")
        axis.set_title(f"class {CLASSES[y[k]]}", pad=16)
        axis.grid(False)
    for axis in panels[2:]:
        axis.set_xlabel("time step")
    figure.colorbar(images[0], ax=panels, label="cell state $c_t$", extend="both")
    below = figure.add_subplot(grid[2, :])
    below.plot(steps * batch, accuracy, **line("one"), drawstyle="steps-post")
    below.axhline(CHANCE, **line("chance"))
    below.annotate("chance", (1, CHANCE), (0, 3), below.get_yaxis_transform(), "offset points", ha="right")
    below.plot(step[shown] * batch, np.zeros(len(shown)), "|", color="black", clip_on=False, zorder=3)
    (past,) = below.plot([], [], **line("ours"), drawstyle="steps-post")
    (now,) = below.plot([], [], **role("ours") | {"linestyle": "None", "markersize": 8})
    room = 0.01 * steps[-1] * batch
    below.set(xlabel="training sequences", ylabel="accuracy", ylim=(0, 1.1), xlim=(-room, steps[-1] * batch + room))
    below.set_title(f"ticks at the bottom: {spacing(step[shown] * batch)}")
    below.xaxis.set_major_formatter("{x:,.0f}")
    title = figure.suptitle(" ")

    def draw(frame):
        k = order[frame]
        before = steps <= step[k]
        here = accuracy[before][-1]  # the last measured value
        for n, image in enumerate(images):
            image.set_data(c[k, :, :, n].T)
        past.set_data(np.append(steps[before], step[k]) * batch, np.append(accuracy[before], here))
        now.set_data([step[k] * batch], [here])
        seen = f"{step[k] * batch:,} training sequences"
        title.set_text(f"Seed {results['seeds'][seed]}: states of the LSTM's cells after {seen}")

    return figure, [*images, *marks, past, now, title], draw, len(order)


def main(argv=None):
    """Animate. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"the GIF (default: viz/{EXPERIMENT}.gif; --run: in DIR/viz)"
    )
    parser.add_argument("--fps", type=int, default=6, help="frames per second (default: 6)")
    parser.add_argument("--n-frames", type=int, default=60, help="largest number of frames (default: 60)")
    options = parser.parse_args(argv)
    out = options.out or (options.run or Path()) / "viz" / f"{EXPERIMENT}.gif"
    if not 1 <= options.fps <= 50 or options.n_frames < 1:
        parser.error("--fps is from 1 to 50, --n-frames at least 1")
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    run = options.run or Path("results") / EXPERIMENT
    results, arrays = load_run(run, EXPERIMENT, f"python3 {EXPERIMENT}.py" + (f" --out {run}" if options.run else ""))
    announce(run, Path("results") / EXPERIMENT, f"make_gifs/{EXPERIMENT}.py")
    if "lstm" not in results["runs"]:
        sys.exit(f"{run} has no LSTM to animate")
    save_gif(*animate(results, arrays, options.n_frames), options.fps, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
