"""What studies share: reading runs, measures of trained networks, and the parts of Markdown tables."""

import hashlib
import json
import shlex
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def results_folder(lab, point):
    """The folder of a point of the studies of an experiment (its module)."""
    return ROOT / "results" / lab.EXPERIMENT / point


def load_point(lab, point):
    """results.json of a point, with its measures; exits with status 1 and one line if a file is missing or damaged."""
    return load_run(results_folder(lab, point), lab.EXPERIMENT, f"python3 -m studies run {lab.EXPERIMENT}/{point}")


def load_run(directory, experiment, command):
    """results.json of a run; each of its networks also has what measures.json says of it.

    Exits with status 1 and one line, which names the command that makes a missing file.
    """
    path = directory / "results.json"
    try:
        results = json.loads(path.read_text())
        if (found := (results["experiment"], results["schema"])) != (experiment, 1):
            sys.exit(f"{path} is of {found[0]}, schema {found[1]}, not of {experiment}, schema 1")
        path = directory / "measures.json"
        if path.exists():
            for name, measured in json.loads(path.read_text())["runs"].items():
                results["runs"][name] |= measured
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: {command}")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")
    return results


def measure_run(study, directory):
    """Write measures.json of a run from its trained weights; study: the module that has lab and measure.

    study.measure(options, name, theta) takes the options of the run, the name of a network and its parameters (S, P),
    and returns nested dicts with arrays whose last axis is the seed, such as {"measures": {name: (S,)}}; only arrays
    named step have no seeds. A diverged seed has no measures.
    """
    lab = study.lab
    try:
        results = json.loads((directory / "results.json").read_text())
        path = next(path for path in (directory / "weights.npz", directory / "snapshots.npz") if path.exists())
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, ValueError, StopIteration, zipfile.BadZipFile, zlib.error):
        sys.exit(f"{directory} lacks results.json, or a snapshots.npz or weights.npz that can be read")
    options = lab.parse_options(shlex.split(results["command"])[2:])[0]
    runs = {}
    for name, run in results["runs"].items():
        weights = [array for key, array in arrays.items() if key.startswith(f"{name}/weights/")]
        theta = np.concatenate([array.reshape(len(array), -1) for array in weights], axis=1)
        alive = np.array([step is None for step in run["diverged_at_step"]])
        with np.errstate(all="ignore"):
            runs[name] = only_alive(study.measure(options, name, theta), alive)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    measured = {"schema": 1, "experiment": lab.EXPERIMENT, "from": {"file": path.name, "sha256": digest}, "runs": runs}
    lab.write_whole(directory / "measures.json", lambda file: file.write(f"{lab.to_json(measured)}\n".encode()))


def only_alive(measured, alive):
    """Nested dicts of arrays (..., S) with NaN for seeds that are not alive (S,)."""
    if not isinstance(measured, dict):
        return np.where(alive, measured, np.nan)
    return {name: value if name == "step" else only_alive(value, alive) for name, value in measured.items()}


def wilson(k, n, z=1.959964):
    """The 95 % Wilson interval of a share k / n, in per cent, as text."""
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    low, high = (100 * (middle + sign * spread) / (n + z * z) for sign in (-1, 1))
    return f"{low:.1f}–{high:.1f} %"


def spread(values, form):
    """Median and range of the values that there are, and of how many if some are missing, as text."""
    there = [value for value in values if value is not None]
    if not there:
        return "–"
    some = "" if len(there) == len(values) else f", {len(there)} of {len(values)} seeds"
    return f"{np.median(there):{form}} [{min(there):{form}}–{max(there):{form}}]{some}"


def table(*rows):
    """A Markdown table, its first row the head."""
    head, *body = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])
