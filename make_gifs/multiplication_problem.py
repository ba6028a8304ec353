#!/usr/bin/env python3
"""Animate the training of a run of multiplication_problem.py, into viz/multiplication_problem.gif.

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
from decimal import Decimal
from pathlib import Path

import imageio.v3
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patheffects import withStroke

EXPERIMENT = "multiplication_problem"
ROOT = Path(__file__).resolve().parent.parent
CASING = [withStroke(linewidth=4, foreground="white")]  # a white border for lines over an image
CONSTANT = {"multiply": 7 / 144, "add": 1 / 24}  # mean squared error of the best constant answer


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


def standing(results):
    """The recorded seed with its rank by final error among the seeds of thirty_seeds/default, as text."""
    point, seed = f"{EXPERIMENT}/thirty_seeds/default", results["seeds"][results["recorded"]]
    thirty, _ = load_run(Path("results") / point, EXPERIMENT, f"python3 -m studies run {point}", arrays=False)
    final = np.array(thirty["runs"]["lstm"]["final"]["test_mse"], float)
    rank = (final < final[thirty["seeds"].index(seed)]).sum() + 1
    last = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"seed {seed}, the {rank}{last} of {len(final)} seeds by final error"


def decimal(value):
    """A value as text, with two significant digits and no exponent."""
    return f"{Decimal(f'{value:.1e}'):f}"


def animate(results, arrays, n_frames):
    """The first arguments of save_gif: the figure, its moving artists, the function draw(k), the number of frames."""
    step, c, x, y, answer = (arrays[f"lstm/{name}"] for name in ("step", "c", "x", "y", "answer"))
    shown = np.unique(np.linspace(0, len(step) - 1, min(n_frames, len(step))).round().astype(int))
    history, config = results["runs"]["lstm"]["history"], results["config"]
    batch, steps = config["batch"], np.array(history["step"])
    mse = np.array(history["test_mse"], float)[:, results["recorded"]]
    pairs, T, n = x[:, :, 0], len(x), len(y)
    figure, ((inputs, answers), (cells, curve)) = plt.subplots(2, 2, figsize=(8.4, 6.4), dpi=100)

    markers = np.flatnonzero(pairs[:, 1] == 1)
    face, edge = np.full(T, "0.8", dtype=object), np.full(T, "0.8", dtype=object)
    face[[0, -1]], edge[[0, -1]] = "white", "0.2"
    face[markers] = edge[markers] = "0.2"
    inputs.bar(np.arange(T), pairs[:, 0], color=face, edgecolor=edge, width=0.75)
    for t, words in zip((0, *markers, T - 1), ("−1", "+1", "+1", "−1")):
        over = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center", "fontweight": "bold", "fontsize": 9}
        inputs.annotate(words, (t, pairs[t, 0]), color="0.2", **over)
    inputs.set(ylim=(0, 1.15), xlim=(-1, T), ylabel="number", xlabel="time step", yticks=(0, 0.5, 1))
    what = {"multiply": "product", "add": "half the sum"}[config["task"]]
    inputs.set_title("+1 marks the two numbers that count,\n−1 the first and the last step")
    inputs.set_xticks(range(0, T, 5))
    inputs.grid(False, axis="x")

    answers.plot(np.arange(n) - 0.15, y, **role("target") | {"linestyle": "None"}, markersize=10, label="target")
    (dots,) = answers.plot(
        np.arange(n) + 0.15, answer[0], **role("ours") | {"linestyle": "None"}, markersize=9, label="answer"
    )
    sign = {"multiply": "×", "add": "+"}[config["task"]]
    labels = [f"\n{sign} ".join(f"{number:.3f}" for number in x[x[:, 1, k] == 1, 0, k]) for k in range(n)]
    answers.set_xticks(range(n), labels, fontsize=9)
    answers.set(ylim=(0, 1.02), xlim=(-0.5, n - 0.5), ylabel=what)
    answers.set_title(f"{n} sequences; the first is that on the left;\ntarget: {what} of its dark numbers")
    answers.legend(loc="upper right")
    answers.grid(False, axis="x")

    limit = max(np.abs(c[-1, :, :, 0]).max(), 1e-6)
    image = cells.imshow(c[0, :, :, 0].T, cmap=plt.get_cmap("RdBu", 25), vmin=-limit, vmax=limit)
    dashes = {"color": "black", "linestyle": (0, (2, 2)), "linewidth": 1.5, "path_effects": CASING}
    lines = [cells.axvline(t, **dashes) for t in markers]
    cells.set(xlabel="time step", ylabel="cell", yticks=range(c.shape[2]) if c.shape[2] <= 16 else ())
    cells.set_title("cell states $c_t$ over that sequence")
    cells.grid(False)
    figure.colorbar(image, ax=cells, extend="both", aspect=10)

    curve.plot(steps * batch, mse, color="0.75")
    constant = CONSTANT[config["task"]]
    curve.axhline(constant, **role("chance") | {"marker": "None"}, linewidth=1.2)
    over = {"ha": "right", "va": "bottom", "transform": curve.get_yaxis_transform()}
    curve.text(1, 1.1 * constant, "constant answer", color="0.3", fontsize=10, **over)
    (past,) = curve.plot([], [], color=role("ours")["color"])
    (now,) = curve.plot([], [], **role("ours"), markersize=8)
    room = 0.02 * max(steps[-1] * batch, 1)
    curve.margins(y=0.12)
    curve.set(yscale="log", xlabel="training sequences", xlim=(-room, steps[-1] * batch + room))
    curve.set_title("held-out mean squared error")
    curve.xaxis.set_major_formatter("{x:,.0f}")
    curve.xaxis.set_major_locator(plt.MaxNLocator(4))
    title = figure.suptitle(" ")
    figure.supxlabel(f"{results['who']}; the frames are denser at the start of training", fontsize=10, color="0.25")

    def draw(frame):
        k = shown[frame]
        before = steps <= step[k]
        here = mse[before][-1]  # the last measured value
        dots.set_ydata(answer[k])
        image.set_data(c[k, :, :, 0].T)
        past.set_data(np.append(steps[before], step[k]) * batch, np.append(mse[before], here))
        now.set_data([step[k] * batch], [here])
        title.set_text(f"After {step[k] * batch:,} training sequences (last measured error: {decimal(here)})")

    return figure, [dots, image, *lines, past, now, title], draw, len(shown)


def main(argv=None):
    """Animate. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--run", metavar="DIR", type=Path, help=f"folder of the run (default: results/{EXPERIMENT})")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"default: viz/{EXPERIMENT}.gif; with --run: in DIR/viz"
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
    results["who"] = f"seed {results['seeds'][results['recorded']]}" if options.run else standing(results)
    save_gif(*animate(results, arrays, options.n_frames), options.fps, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
