#!/usr/bin/env python3
"""Animate the loss landscapes of information_latching.py over the number of steps, into viz/information_latching.gif.

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

EXPERIMENT = "information_latching"
ROOT = Path(__file__).resolve().parent.parent
CUT = -4.0  # bias of the lower curves
CLIFF = 0.25  # difference of loss between neighbouring points of a map
STILL, SHARE = 0.02, 0.005  # a map still changes if a SHARE of its points is more than STILL from the last map


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


def steepest(losses):
    """The largest difference of loss between neighbouring points of maps (T, n, m): (T,)."""
    return np.maximum(*(np.abs(np.diff(losses, axis=axis)).max(axis=(1, 2)) for axis in (1, 2)))


def animate(arrays, n_frames):
    """The first arguments of save_gif: the figure, its moving artists, the function draw(k), the number of frames."""
    w, b = arrays["landscape/w"], arrays["landscape/b"]
    losses = {key: arrays[f"landscape/{key}"].astype(float) for key in ("unit", "lstm")}
    jumps = {key: steepest(values) for key, values in losses.items()}
    T = len(losses["unit"])
    far = [(np.abs(values - values[-1]) > STILL).mean(axis=(1, 2)) >= SHARE for values in losses.values()]
    shown = [*range(int(np.logical_or(*far).sum())), T - 1]  # the maps that still change, and the last map
    shown = [shown[k] for k in np.unique(np.linspace(len(shown) - 1, 0, min(n_frames, len(shown))).round().astype(int))]
    figure, axes = plt.subplots(2, 2, figsize=(9, 7), dpi=90, height_ratios=(1, 0.6), sharex=True)
    at = int(np.abs(b - CUT).argmin())
    images, lines = [], []
    named = ("unit", "unit without input", "other"), ("lstm", "LSTM cell", "ours")
    colours = plt.get_cmap("cividis", 75)  # few enough for a GIF
    for (above, below), (key, name, kind) in zip(axes.T, named):
        extent = (w[0], w[-1], b[0], b[-1])
        image = above.imshow(losses[key][0], origin="lower", extent=extent, cmap=colours, vmin=0, vmax=0.75)
        (mark,) = above.plot(w[[0, -1]], b[[at, at]], color="white", linewidth=1.6)
        mark.set_path_effects([Stroke(linewidth=3.6, foreground="black"), Normal()])
        above.grid(False)
        above.set(xlim=(w[0], w[-1]), ylim=(b[0], b[-1]))
        below.set(ylim=(0, 0.55), xlabel="recurrent weight w")
        images.append(image)
        lines += below.plot([], [], **role(kind) | {"marker": "None"})
        above.set_title(name)
    axes[0, 0].set_ylabel("bias b")
    axes[1, 0].set_ylabel(f"loss on the line, b = {b[at]:g}".replace("-", "−"))
    figure.colorbar(image, ax=axes[0], label="loss: (output − 0.7)²")
    cliff = np.min([*jumps.values()], axis=0) > CLIFF  # (T,), in both maps
    said = f"A cliff forms within {cliff.argmax() + 1} steps in the loss of both networks"
    figure.suptitle(f"{said if cliff.any() else 'No cliff forms in the loss of both networks'}\n")  # with room below
    title = figure.text(0.5, 1 - 25 / 72 / figure.get_figheight(), "", ha="center", va="top", fontsize=12)

    def draw(frame):
        k = shown[frame]
        for image, line, values in zip(images, lines, losses.values()):
            image.set_data(values[k])
            line.set_data(w, values[k, at])
        said = " and ".join(f"{jump[k]:.2f}" for jump in jumps.values())
        steps = f"After {k + 1} {'step' if k == 0 else 'steps'}"
        title.set_text(f"{steps}: neighbouring points differ by at most {said} (left and right)")

    marks = [above.lines[0] for above in axes[0]]
    return figure, [*images, *marks, *lines, title], draw, len(shown)


def main(argv=None):
    """Animate. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"the GIF (default: viz/{EXPERIMENT}.gif; with --run: in DIR/viz)"
    )
    parser.add_argument("--fps", type=int, default=2, help="frames per second (default: 2)")
    parser.add_argument("--n-frames", type=int, default=40, help="largest number of frames (default: 40)")
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
