"""Functions that studies share: to read runs, measure trained networks, compute statistics, write Markdown tables."""

import hashlib
import json
import math
import shlex
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def results_folder(lab, point):
    """The folder of a point. lab: the module of its experiment."""
    return ROOT / "results" / lab.EXPERIMENT / point


def load_point(lab, point):
    """Read results.json of a point, with its measures. Exits with status 1 and one line; see load_run."""
    return load_run(results_folder(lab, point), lab.EXPERIMENT, f"python3 -m studies run {lab.EXPERIMENT}/{point}")


def load_run(directory, experiment, command):
    """Read results.json of a run. The values of measures.json are added to those of each network.

    Exits with status 1 and one line if a file is missing or damaged; the line names the command that makes the file.
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
    """Write measures.json of a run from its trained weights. study: a module with lab and measure.

    study.measure(options, name, theta) takes the options of the run, the name of a network and its parameters (S, P).
    It returns nested dicts of arrays whose last axis is the seed, such as {"measures": {name: (S,)}}. Only arrays with
    the name step have no axis of seeds. A diverged seed has no measures.
    """
    lab = study.lab
    try:
        results = json.loads((directory / "results.json").read_text())
        path = next(path for path in (directory / "weights.npz", directory / "snapshots.npz") if path.exists())
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, ValueError, StopIteration, zipfile.BadZipFile, zlib.error):
        sys.exit(f"{directory} has no readable results.json, or no readable snapshots.npz or weights.npz")
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
    """Nested dicts of arrays (..., S) with NaN for each seed for which alive (S,) is False."""
    if not isinstance(measured, dict):
        return np.where(alive, measured, np.nan)
    return {name: value if name == "step" else only_alive(value, alive) for name, value in measured.items()}


def wilson(k, n, z=1.959964):
    """The 95 % Wilson interval of a share k / n, in per cent, as text."""
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    low, high = (100 * (middle + sign * spread) / (n + z * z) for sign in (-1, 1))
    return f"{low:.1f}–{high:.1f} %"


def share(k, n):
    """A share with its 95 % Wilson interval, as text."""
    return f"{k}/{n} ({wilson(k, n)})"


def sign_test(more, less):
    """The p-value of the two-sided sign test. more, less: numbers of pairs with a difference above and below zero."""
    n, k = int(more + less), int(min(more, less))
    return min(1.0, 2 * sum(math.comb(n, j) for j in range(k + 1)) / 2**n) if n else 1.0


def compare_pairs(values, others):
    """How many values are above and below those of others, seed by seed, and the p-value of the sign test."""
    values, others = np.asarray(values, float), np.asarray(others, float)
    more, less = int(np.sum(values > others)), int(np.sum(values < others))
    return more, less, sign_test(more, less)


def fisher_test(k, n, other_k, other_n):
    """The p-value of Fisher's exact two-sided test of the shares k / n and other_k / other_n."""
    total = k + other_k

    def ways(j):
        """The number of ways in which j of the total are among the n."""
        return math.comb(n, j) * math.comb(other_n, total - j) if 0 <= total - j <= other_n else 0

    found = [ways(j) for j in range(min(n, total) + 1)]
    return sum(number for number in found if number <= ways(k)) / sum(found)


def p_value(p):
    """A p-value as text."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def bootstrap(values, statistic=np.mean, draws=10000):
    """The 95 % percentile bootstrap interval (low, high) of a statistic of values. Each call gives the same interval.

    statistic: a function of an array (draws, n) and axis, such as np.mean or np.median.
    """
    values = np.asarray(values, float)
    chosen = np.random.default_rng(0).integers(len(values), size=(draws, len(values)))
    low, high = np.percentile(statistic(values[chosen], axis=1), [2.5, 97.5])
    return float(low), float(high)


def ranks(values):
    """Ranks of values; ties get their mean rank."""
    values = np.asarray(values)
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


def duration(seconds):
    """Seconds as text, in the most readable unit."""
    for unit, size in ("h", 3600), ("min", 60):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def at_least(value, digits=2):
    """A lower bound as text, rounded down."""
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}"


def at_most(value, digits=2):
    """An upper bound as text, rounded up."""
    return f"{math.ceil(value * 10**digits) / 10**digits:.{digits}f}"


def spread(values, form):
    """Median and range of values as text. If some are None, the text also has the number of the others."""
    there = [value for value in values if value is not None]
    if not there:
        return "–"
    some = "" if len(there) == len(values) else f", {len(there)} of {len(values)} seeds"
    return f"{np.median(there):{form}} [{min(there):{form}}–{max(there):{form}}]{some}"


def table(*rows):
    """A Markdown table. The first row is the header."""
    head, *body = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])
