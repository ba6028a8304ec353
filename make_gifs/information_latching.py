#!/usr/bin/env python3
"""Animate the loss landscapes of information_latching.py over the number of steps, into viz/information_latching.gif.

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

EXPERIMENT = "information_latching"
ROOT = Path(__file__).resolve().parent.parent
CUT = 4.0  # the bias of the lower curves


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


def animate(arrays, n_frames):
    """What save_gif takes first: the figure, its moving artists, the function that draws a frame, how many frames."""
    w, b = arrays["landscape/w"], arrays["landscape/b"]
    losses = {key: arrays[f"landscape/{key}"].astype(float) for key in ("unit", "lstm")}
    T = len(losses["unit"])
    shown = np.unique(np.geomspace(1, T, min(n_frames, T)).round().astype(int))
    figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.4), dpi=90, height_ratios=(1, 0.6), sharex=True)
    at = int(np.abs(b + CUT).argmin())
    images, lines = [], []
    titles = {"unit": "$x_t = w\\,\\sigma(x_{t-1}) + b$", "lstm": "one LSTM cell"}
    for column, (key, values) in enumerate(losses.items()):
        above, below = axes[:, column]
        image = above.imshow(values[0], origin="lower", extent=(w[0], w[-1], b[0], b[-1]), cmap="cividis", vmin=0,
                             vmax=0.5, aspect="auto")  # fmt: skip
        above.axhline(b[at], color="white", linestyle="--", linewidth=1)
        above.grid(False)
        above.set_title(titles[key])
        below.set(ylim=(0, 0.55), xlabel="recurrent weight w")
        (line,) = below.plot([], [], color="#D55E00")
        images.append(image)
        lines.append(line)
    axes[0, 0].set_ylabel("bias b")
    axes[1, 0].set_ylabel(f"loss at b = {b[at]:g}")
    title = figure.suptitle(" ")

    def draw(frame):
        k = shown[frame] - 1
        for image, line, values in zip(images, lines, losses.values()):
            image.set_data(values[k])
            line.set_data(w, values[k, at])
        title.set_text(f"The loss over weight and bias after T = {k + 1} {'step' if k == 0 else 'steps'}")

    marks = [above.lines[0] for above in axes[0]]
    return figure, [*images, *marks, *lines, title], draw, len(shown)


def main(argv=None):
    """Animate; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"default: viz/{EXPERIMENT}.gif; with --run: in DIR/viz"
    )
    parser.add_argument("--fps", type=int, default=5, help="frames a second (default: 5)")
    parser.add_argument("--n-frames", type=int, default=40, help="at most so many frames (default: 40)")
    options = parser.parse_args(argv)
    out = options.out or (options.run or Path()) / "viz" / f"{EXPERIMENT}.gif"
    if not 1 <= options.fps <= 50 or options.n_frames < 1:
        parser.error("--fps is from 1 to 50, --n-frames at least 1")
    plt.style.use(ROOT / "visualize" / "lab.mplstyle")
    run = options.run or Path("results") / EXPERIMENT
    _, arrays = load_run(run, EXPERIMENT, f"python3 {EXPERIMENT}.py" + (f" --out {run}" if options.run else ""))
    announce(run, Path("results") / EXPERIMENT, f"make_gifs/{EXPERIMENT}.py")
    save_gif(*animate(arrays, options.n_frames), options.fps, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
