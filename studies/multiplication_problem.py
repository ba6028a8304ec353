"""Studies of multiplication_problem.py: runs, measures of networks, tables and sentences of the report."""

from decimal import Decimal

import numpy as np

import multiplication_problem as lab
from studies.report import (
    at_least,
    at_most,
    bootstrap,
    compare_pairs,
    load_point,
    p_value,
    ranks,
    share,
    sign_test,
    spread,
    table,
)

# ---------------------------------------------------------------------------------------------------- points

CHOSEN_ON = "--seeds 100-199"  # the seeds on which our recipe was chosen
LENGTHS = {T: f"--T-min {-(-2 * T // 3)} --T-max {T}" for T in (60, 100, 200, 500, 1000)}  # two thirds, rounded up
POINTS = {
    "thirty_seeds/default": "--seeds 0-29",
    "thirty_seeds/writeup": "--seeds 0-29 --recipe writeup",
    "thirty_seeds/default-fresh": "--seeds 30-59",
    "thirty_seeds/writeup-fresh": "--seeds 30-59 --recipe writeup",
    # From the write-up's recipe to ours; then our recipe on other seeds.
    "recipe/writeup": f"{CHOSEN_ON} --recipe writeup",
    "recipe/cosine": f"{CHOSEN_ON} --recipe writeup --schedule cosine",
    "recipe/forget-3-rate": f"{CHOSEN_ON} --recipe writeup --schedule cosine --lr 0.01 --forget-gate-bias 3",
    "recipe/forget": f"{CHOSEN_ON} --recipe writeup --forget-gate-bias 6",
    "recipe/input": f"{CHOSEN_ON} --recipe writeup --input-gate-bias -6",
    "recipe/both": f"{CHOSEN_ON} --recipe writeup --forget-gate-bias 6 --input-gate-bias -6",
    "recipe/output": f"{CHOSEN_ON} --recipe writeup --output-bias -1.0986",
    "recipe/default": CHOSEN_ON,
    "recipe/rate": f"{CHOSEN_ON} --lr 0.08",
    "recipe/default-fresh": "--seeds 1000-1099",
    # Another cell, another task.
    "ablations/no-forget-gate": "--seeds 0-29 --no-forget-gate",
    "ablations/no-forget-gate-writeup": "--seeds 0-29 --no-forget-gate --recipe writeup",
    "ablations/add": "--seeds 0-29 --task add",
    "ablations/add-writeup": "--seeds 0-29 --task add --recipe writeup",
    # Other numbers of cells.
    "cells/writeup-16": "--seeds 0-29 --hidden 16 --recipe writeup",
    "cells/writeup-4": "--seeds 0-29 --hidden 4 --recipe writeup",
    "cells/default-16": "--seeds 0-29 --hidden 16",
    "cells/default-4": "--seeds 0-29 --hidden 4",
    # Longer sequences: the paper's, and others.
    "length/default": "--seeds 0-29 --T-min 100 --T-max 110",
    "length/writeup": "--seeds 0-29 --T-min 100 --T-max 110 --recipe writeup",
    **{f"lag/default-{T}": f"--seeds {'0-29' if T <= 200 else '0-9'} {length}" for T, length in LENGTHS.items()},
    "lag/biases-1000": f"--seeds 0-9 {LENGTHS[1000]} --input-gate-bias -8 --forget-gate-bias 8",
    **{f"lag/writeup-{T}": f"--seeds 0-29 {LENGTHS[T]} --recipe writeup" for T in (60, 100, 200)},
    # Four times the steps. On fresh seeds: cells without forget gates, large biases, twice our learning rate.
    "longer/writeup": f"{CHOSEN_ON} --recipe writeup --steps 32000",
    "fresh/writeup": "--seeds 2000-2099 --recipe writeup",
    "fresh/writeup-no-forget-gate": "--seeds 2000-2099 --recipe writeup --no-forget-gate",
    "fresh/biases-1000": f"--seeds 30-59 {LENGTHS[1000]} --input-gate-bias -8 --forget-gate-bias 8",
    "fresh/rate": "--seeds 1000-1099 --lr 0.08",
    **{f"fresh/rate-{T}": f"--seeds {'30-59' if T <= 200 else '30-39'} {length} --lr 0.08"
       for T, length in LENGTHS.items()},
}  # fmt: skip
PENDING = ("fresh/biases-1000", *(f"fresh/rate-{T}" for T in LENGTHS))  # not finished
WEIGHTS = tuple(name for name in POINTS if name.startswith("thirty_seeds/"))  # points whose weights are kept
ONLY = {"behind_second": ("thirty_seeds/default", "thirty_seeds/writeup", "ablations/add")}  # measures of few points
FOLLOWED = ("recipe/writeup", "recipe/output", "recipe/default", "thirty_seeds/default", "thirty_seeds/writeup",
            "thirty_seeds/writeup-fresh")  # fmt: skip


def evaluations(point):
    """The most evaluations that the history of a point keeps; None: all, for points whose training is studied."""
    return None if point in FOLLOWED else 15


# ------------------------------------------------------------------------------------ watched along training


def watch(net, batches):
    """Measures at each evaluation, over all held-out sequences: {name: (S,)}. See also path_and_sensitivity.

    answer_std: the standard deviation of the answers; slope_1 and _2: their slopes in the two marked numbers.
    """
    answers = np.concatenate([lab.forward(net, pairs) for pairs, _ in batches], axis=1)
    x1, x2 = np.concatenate([numbers for _, numbers in batches], axis=2)
    watched = {"answer_std": answers.std(axis=1), "slope_1": slope(answers, x1), "slope_2": slope(answers, x2)}
    return watched | path_and_sensitivity(net, batches[0][0])


def slope(answers, x):
    """The slope of answers (S, n) in x (S, n): the coefficient of linear regression, (S,)."""
    x = x - x.mean(axis=1, keepdims=True)
    return (x * answers).sum(axis=1) / (x * x).sum(axis=1)


def path_and_sensitivity(net, pairs):
    """Measures of the path from the first marked number to the answer: means over pairs (T, 2, S, n), {name: (S,)}.

    survival: the product of f over the steps after the first marker, in the cell with the largest mean. slack: the
    slope 1 - tanh(c)^2 at the last step, mean over all cells. path: survival times slack, in the cell with the largest
    mean; it is the derivative of tanh(c) at the end with respect to c at the marker. sensitivity_1 and _2: |dy/dx| for
    the two marked numbers.
    """
    T, H = len(pairs), net.cell.hidden
    y = lab.forward(net, pairs)
    slack = 1 - np.square(np.tanh(net.c[T].swapaxes(0, 1).copy()))  # (S, H, n)
    kept = np.ones_like(slack)
    marker = pairs[:, 1] == 1  # (T, S, n)
    if net.cell.forget_gate:
        after_first = np.zeros_like(marker)
        after_first[1:] = marker[:-1].cumsum(axis=0) > 0
        kept = np.where(after_first[:, None], net.row["f"][:T], 1).prod(axis=0).swapaxes(0, 1)
    lab.backward(net, T, y * (1 - y))  # dy/dz of the answers
    first, second = marker.argmax(axis=0), T - 1 - marker[::-1].argmax(axis=0)
    dz = np.take_along_axis(net.a, np.stack([first, second])[:, None], axis=0).swapaxes(1, 2)  # (2, S, R, n)
    sensitivity_1, sensitivity_2 = np.abs(net.p.W[None, :, None, :, H] @ dz)[:, :, 0].mean(axis=2)  # |W_x^T dz|
    path = (kept * slack).mean(axis=2).max(axis=1)
    watched = {"survival": kept.mean(axis=2).max(axis=1), "slack": slack.mean(axis=(1, 2)), "path": path}
    return watched | {"sensitivity_1": sensitivity_1, "sensitivity_2": sensitivity_2}


# -------------------------------------------------------------------------------------------------- measures

TOLERANCE = 0.04  # the paper's limit: an answer with a larger error is wrong


def measure(options, name, theta):
    """Measures of networks with trained parameters theta (S, P); see measure_lstm."""
    cell = lab.Cell(options.hidden, options.forget_gate)
    net = lab.Network(cell, theta, options.T_max, lab.EVAL_BATCH, backward=False)
    return measure_lstm(net, lab.held_out(options), options.task)


def r_squared(features, values):
    """R^2 of least squares from features (n, k) to values (n, m): fitted on the first half, measured on the second."""
    features = np.column_stack([features, np.ones(len(features))])
    half = len(features) // 2
    fit = np.linalg.lstsq(features[:half], values[:half], rcond=None)[0]
    rest = values[half:]
    return 1 - np.square(rest - features[half:] @ fit).sum(axis=0) / np.square(rest - rest.mean(axis=0)).sum(axis=0)


def one_cell(cells, values):
    """r_squared of each column of values (n, m) from the one of cells (n, H) that is best on the first half."""
    half = len(cells) // 2
    tried = [r_squared(cells[:half, k : k + 1], values[:half]) for k in range(cells.shape[1])]
    return [r_squared(cells[:, k : k + 1], column[:, None])[0] for k, column in zip(np.argmax(tried, axis=0), values.T)]


def gate_sums(net, pairs):
    """Sums of gates (means over cells) over pairs (T, 2, S, n), and the numbers of terms: {name: (2, S)}.

    The sums are over the two markers, over distractors (all other numbers except the first and the last), and over
    distractors between the first marker and the end.
    """
    T, marker, distractor = len(pairs), pairs[:, 1] == 1, pairs[:, 1] == 0
    places = {"at_markers": marker, "at_distractors": distractor, "between": distractor & (marker.cumsum(axis=0) > 0)}
    sums = {}
    for gate, name in ("f", "forget_gate"), ("i", "input_gate"), ("o", "output_gate"):
        if gate in net.cell.gates:
            value = net.row[gate][:T].mean(axis=1)
            for place, here in places.items():
                sums[f"{name}_{place}"] = np.stack([(value * here).sum(axis=(0, 2)), here.sum(axis=(0, 2))])
    return sums


def observe(net, batches):
    """Run the networks over all n held-out sequences.

    Returns their answers (S, n); {place: values of all cells there, (H, S, n)}; (steps, c, answers) for steps (steps,)
    relative to the second marker, which all sequences have before their last step: c (steps, H, S, n), and the answers
    if the sequence ended there, (steps, S, n); and {name: mean of a gate, (S,)}.
    """
    T = len(batches[0][0])
    steps = np.arange(-1, T - 1 - lab.second_until(T))
    answers, held, early, gates = [], [], [], []
    for pairs, _ in batches:
        answers.append(lab.forward(net, pairs))
        second = T - 1 - (pairs[::-1, 1] == 1).argmax(axis=0)  # (S, n)
        at = (second + steps[:, None, None])[:, None]  # (steps, 1, S, n)
        early.append(lab.answer(net, np.take_along_axis(net.h, at, axis=0).swapaxes(1, 2)))
        i, g = (np.take_along_axis(net.row[name], second[None, None], axis=0) for name in "ig")
        states = np.take_along_axis(net.c, at + 1, axis=0)  # c[t + 1] is c of step t
        ends = net.c[T - 1][None], net.c[T][None], net.h[T - 1][None]
        held.append(np.concatenate([states, i * g, *ends]))
        gates.append(gate_sums(net, pairs))
    answers, held, early = (np.concatenate(parts, axis=-1) for parts in (answers, held, early))
    states, written, end_of_lag, last, output = held[: len(steps)], *held[len(steps) :]
    places = {"before_second": states[0], "kept": states[1] - written, "written": written, "at_second": states[1],
              "end_of_lag": end_of_lag, "last": last, "output": output}  # fmt: skip
    totals = {name: sum(sums[name] for sums in gates) for name in gates[0]}
    return answers, places, (steps, states, early), {name: total / count for name, (total, count) in totals.items()}


def measure_lstm(net, batches, task):
    """Measures of networks over all whole batches of held-out sequences: {"measures": ..., "behind_second": ...}.

    measures, (S,) each. wrong: the share of answers with an error above TOLERANCE; mean_absolute_error; *_gate_*: see
    gate_sums. r2_WHAT_WHERE: R^2 of the best linear read-out from all cells, on sequences to which it was not fitted.
    WHAT: x1; x2; their product; interaction, (x1 - 1/2)(x2 - 1/2), which is the part of the product that is not a sum
    of a function of x1 and a function of x2. WHERE: c before the second marker; at the second marker, the two parts of
    c (kept: f c; written: i g) and c itself; c at the end of the lag (one step before the last); c and output h at the
    last step. one_cell_WHAT_WHERE: the same from the single cell that is best for it.
    behind_second, (steps, S) each, for each step after the second marker: r2_WHAT from c, and r2_answer, the R^2 of the
    network's own answer if the sequence ended there.
    """
    answers, places, (steps, states, early), gates = observe(net, batches)
    x1, x2 = np.concatenate([numbers for _, numbers in batches], axis=2).astype(float)
    truth = lab.TARGETS[task]((x1, x2))
    off = np.abs(answers - truth)
    measures = {"wrong": (off > TOLERANCE).mean(axis=1), "mean_absolute_error": off.mean(axis=1)} | gates
    wanted = {"x1": x1, "x2": x2, "product": x1 * x2, "interaction": (x1 - 0.5) * (x2 - 0.5)}
    values = np.stack(list(wanted.values()), axis=2)  # (S, n, 4)

    def read_out(read, cells):  # (H, S, n) -> (S, 4)
        return np.array([read(c.T.astype(float), value) if np.isfinite(c).all() else np.full(len(wanted), np.nan)
                         for c, value in zip(cells.swapaxes(0, 1), values)])  # fmt: skip

    for where, cells in places.items():
        for kind, read in ("r2", r_squared), ("one_cell", one_cell):
            measures |= {f"{kind}_{what}_{where}": found for what, found in zip(wanted, read_out(read, cells).T)}
    curves = np.stack([read_out(r_squared, cells) for cells in states])  # (steps, S, 4)
    own = 1 - np.square(early - truth).mean(axis=2) / truth.var(axis=1)
    behind_second = {"step": steps, "r2_answer": own}
    behind_second |= {f"r2_{what}": curves[:, :, k] for k, what in enumerate(wanted)}
    return {"measures": measures, "behind_second": behind_second}


# ---------------------------------------------------------------------------------------------------- tables

SPLIT = {"0–29": ("",), "0–59": ("", "-fresh")}  # points of thirty_seeds that hold these seeds


def point(name):
    """The results and measures of the LSTM of a point."""
    return load_point(lab, name)["runs"]["lstm"]


def pooled(recipe, seeds="0–59"):
    """The LSTMs of all points thirty_seeds of a recipe as one run, with the values of all seeds."""
    first, *others = (point(f"thirty_seeds/{recipe}{part}") for part in SPLIT[seeds])
    for run in others:
        for part in "final", "sequences_to", "measures":
            first[part] = {name: [*values, *run[part][name]] for name, values in first[part].items()}
    return first


def errors(run):
    """The mean squared error at the end of each seed, (S,)."""
    return np.array(run["final"]["test_mse"], float)


def ends(run, level=0.03):
    """The number of seeds that end with a mean squared error below level, and the number of all seeds."""
    return int((errors(run) < level).sum()), len(errors(run))


def below(run, level=0.03):
    """The share of seeds that end with a mean squared error below level, with its interval."""
    return share(*ends(run, level))


def waits(run, level="0.03"):
    """Sequences that each seed needed to an error below level, (S,); infinity for a seed that never reached it."""
    return np.array([np.inf if n is None else n for n in run["sequences_to"][level]])


def number(n):
    """A number of sequences as text."""
    return "never" if n == np.inf else f"{n:,.0f}"


def sequences(run, level="0.03"):
    """Sequences to an error below level: median and range. A seed that never reaches it counts as infinity."""
    needed = waits(run, level)
    return f"{number(np.median(needed))} [{number(min(needed))}–{number(max(needed))}]"


def decimal(value):
    """A value as text, with two significant digits and no exponent."""
    return f"{Decimal(f'{value:.1e}'):f}"


def ends_at(run):
    """The mean squared error at the end: median and range over seeds, as text."""
    middle, low, high = map(decimal, (np.median(errors(run)), min(errors(run)), max(errors(run))))
    return f"{middle} [{low}–{high}]"


def wrong(run):
    """The share of answers with an error above the paper's tolerance, in per cent, as text."""
    per_cent = 100 * np.array(run["measures"]["wrong"])
    return f"{np.median(per_cent):.1f} % [{min(per_cent):.1f}–{max(per_cent):.1f} %]"


def product_front():
    ours, longer = pooled("default"), point("length/default")
    verdicts = ["holds" if k == n else f"fails on {n - k}" for k, n in (ends(ours), ends(ours, 0.001))]
    wrong_answers = f"{100 * np.mean(longer['measures']['wrong']):.1f} %"
    return table(
        ["", "paper", "write-up", "ours, seeds 0–59", "verdict on every seed"],
        ["error below 0.03 (one known number is enough)", "–", "3/5", below(ours), verdicts[0]],
        ["error below 0.001 (no function of the sum is enough)", "–", "–", below(ours, 0.001), verdicts[1]],
        ["sequences to 0.03, median", "–", "96,000", number(np.median(waits(ours))), "faster"],
        [
            "answers off by more than 0.04, 100–110 steps, seeds 0–29",
            "5.4 %; 0.5 %",
            "–",
            wrong_answers,
            "not like for like",
        ],
    )


def product_seeds():
    runs = pooled("writeup"), pooled("default")

    def verdict(level):
        counts = [ends(run, level) for run in runs]
        words = ["holds" if k == n else "does not hold" for k, n in counts]
        return [f"verdict: every seed ends below {level}", "", "", *words]

    return table(
        ["", "1997 paper", "write-up, 5 seeds", "its recipe, seeds 0–59", "**our recipe**, seeds 0–59"],
        ["steps of a sequence", "100–110", "20–30", "20–30", "20–30"],
        ["weights", "93", "–", *(run["trainable_parameters"] for run in runs)],
        ["seeds that end below 0.03", "–", "3/5", *(below(run) for run in runs)],
        ["below 1/144", "–", "1/5", *(below(run, 1 / 144) for run in runs)],
        ["below 0.001", "–", "0/5", *(below(run, 0.001) for run in runs)],
        ["sequences to 0.03, median [range]", "–", "96,000 [16,000–never]", *map(sequences, runs)],
        ["sequences in a run", "482,000; 1,273,000", "256,000", *(f"{max(run['sequences_seen']):,}" for run in runs)],
        ["mean squared error at the end", "“MSE” 0.0223; 0.0139", "0.0028 (the best)",
         *map(ends_at, runs)],
        ["mean absolute error", "“average error”: the same", "–",
         *(spread(run["measures"]["mean_absolute_error"], ".3f") for run in runs)],
        ["wrong answers: off by more than 0.04", "5.4 %; 0.5 %", "–", *map(wrong, runs)],
        *map(verdict, (0.03, 0.001)),
    )  # fmt: skip


SPREAD_HEADS = "sequences to 0.03, median [range]", "mean squared error at the end"


def product_recipe():
    names = {
        "writeup": "the write-up's: constant rate 0.005, forget bias 1, 8,000 steps",
        "cosine": "the rate falls to zero by a cosine",
        "forget-3-rate": "falling rate from 0.01, forget bias 3",
        "output": "output bias −1.1",
        "forget": "forget bias 6",
        "input": "input bias −6",
        "both": "forget bias 6, input bias −6",
        "default": "**our recipe**: forget bias 6, input bias −6, falling rate from 0.02, 4,000 steps",
        "rate": "our recipe with a falling rate from 0.08",
        "default-fresh": "our recipe, seeds 1000 to 1099",
    }
    rows = [["recipe", "end below 0.03", "below 0.001", *SPREAD_HEADS]]
    for name, words in names.items():
        run = point(f"recipe/{name}")
        rows.append([words, below(run), below(run, 0.001), sequences(run), ends_at(run)])
    return table(*rows)


def watched(*names):
    """The histories of points, with the seeds of all points: {metric: (evaluations, S)}, and step."""
    histories = [point(name)["history"] for name in names]
    metrics = [metric for metric in histories[0] if metric not in ("step", "batch_loss")]
    found = {metric: np.concatenate([history[metric] for history in histories], axis=1) for metric in metrics}
    return {metric: values.astype(float) for metric, values in found.items()} | {"step": np.array(histories[0]["step"])}


def first_below(mse, level=0.03):
    """The first evaluation at which mse (evaluations, S) is below level, (S,); if never, the number of evaluations."""
    below = mse < level
    return np.where(below.any(axis=0), below.argmax(axis=0), len(below))


STEP_OF = {0: "at the start", 200: "after 6,400 sequences", 1000: "after 32,000 sequences"}


def leavers(history):
    """Seeds that never get below 0.03, seeds that get there after 32,000 sequences, and the evaluation at 32,000."""
    at, first = int(np.searchsorted(history["step"], 1000)), first_below(history["test_mse"])
    never = first == len(history["test_mse"])
    return np.flatnonzero(never), np.flatnonzero(~never & (first > at)), at


def product_stuck():
    """Medians of watched measures: of the write-up's seeds, stuck or not, and with the two remedies."""
    found = {name: watched(f"recipe/{name}") for name in ("writeup", "output", "default")}
    never, later, at = leavers(found["writeup"])
    first, everyone = first_below(found["writeup"]["test_mse"]), np.arange(found["writeup"]["test_mse"].shape[1])
    early = int(np.searchsorted(found["writeup"]["step"], 200))
    moments = {
        "the write-up's recipe at the start": ("writeup", 0, everyone),
        "… after 6,400 sequences": ("writeup", early, everyone),
        "… after 32,000: seeds that never get below 0.03": ("writeup", at, never),
        "… after 32,000: seeds that get below it later": ("writeup", at, later),
        "… these at their first error below it": ("writeup", first[later], later),
        "with output bias −1.1, after 6,400": ("output", early, everyone),
        "our recipe, after 6,400": ("default", early, everyone),
    }
    metrics = {"test_mse": "error", "sensitivity_1": "size of dy/dx₁", "slack": "slack", "survival": "survival",
               "path": "path"}  # fmt: skip
    rows = [["medians", "seeds", *metrics.values()]]
    for words, (name, step, seeds) in moments.items():
        cells = (np.median(found[name][metric][step, seeds]) for metric in metrics)
        rows.append([words, len(seeds), *map(decimal, cells)])
    return table(*rows)


def correlation(history, metric, step):
    """Spearman's correlation of a metric after some steps with the wait for 0.03, its 95 % interval, number of seeds.

    It is over the seeds that are still above 0.03 at this step. The interval uses Fisher's transform,
    with a standard error of 1.03 / sqrt(n - 3).
    """
    at, first = int(np.searchsorted(history["step"], step)), first_below(history["test_mse"])
    value, wait = (ranks(values[first > at]) for values in (history[metric][at], first))
    z, half = np.arctanh(np.corrcoef(value, wait)[0, 1]), 1.96 * 1.03 / np.sqrt(len(wait) - 3)
    return np.tanh([z, z - half, z + half]), len(wait)


def interval(values):
    """A correlation and its interval (3,) as text."""
    return "{:.2f} [{:.2f} to {:.2f}]".format(*values).replace("-", "−")


WAITING = {"100–199": ("recipe/writeup",), "0–59": ("thirty_seeds/writeup", "thirty_seeds/writeup-fresh")}


def product_stuck_ranks():
    rows = [["measured", "seeds", "of them above 0.03", "slack", "survival", "path"]]
    for step, words in STEP_OF.items():
        for seeds, names in WAITING.items():
            found = [correlation(watched(*names), metric, step) for metric in ("slack", "survival", "path")]
            rows.append([words, seeds, found[0][1], *(interval(values) for values, _ in found)])
    return table(*rows)


def product_variants(names):
    needed, error = SPREAD_HEADS
    rows = [["", "weights", "end below 1/144", "below 0.001", needed.replace("0.03", "1/144"), error]]
    for name, words in names.items():
        run = point(name)
        rows.append([words, run["trainable_parameters"], below(run, 1 / 144), below(run, 0.001),
                     sequences(run, "1/144"), ends_at(run)])  # fmt: skip
    return table(*rows)


def product_ablations():
    return product_variants({
        "thirty_seeds/default": "product, our recipe",
        "ablations/no-forget-gate": "… without forget gate",
        "thirty_seeds/writeup": "product, write-up's recipe",
        "ablations/no-forget-gate-writeup": "… without forget gate",
        "fresh/writeup": "product, write-up's recipe, seeds 2000–2099",
        "fresh/writeup-no-forget-gate": "… without forget gate",
        "ablations/add": "half the sum, our recipe",
        "ablations/add-writeup": "half the sum, write-up's recipe",
    })  # fmt: skip


def product_cells():
    sizes = {"cells/{}-4": "4 cells", "thirty_seeds/{}": "8 cells", "cells/{}-16": "16 cells"}
    recipes = {"writeup": "write-up's recipe", "default": "our recipe"}
    return product_variants(
        {where.format(name): f"{size}, {recipe}" for name, recipe in recipes.items() for where, size in sizes.items()}
    )


LONGER = {60: "40–60", 100: "67–100", 110: "100–110, the paper's", 200: "134–200", 500: "334–500", 1000: "667–1000"}


def at_length(T, recipe="default"):
    """The LSTM of the point with sequences of at most T steps."""
    return point({30: f"thirty_seeds/{recipe}", 110: f"length/{recipe}"}.get(T, f"lag/{recipe}-{T}"))


def lag_table(runs):
    rows = [["steps", "end below 0.03", "below 0.001", *SPREAD_HEADS, "wrong answers"]]
    for words, run in runs.items():
        rows.append([words, below(run), below(run, 0.001), sequences(run), ends_at(run), wrong(run)])
    return table(*rows)


def product_lag():
    runs = {words: at_length(T) for T, words in {30: "20–30", **LONGER}.items()}
    return lag_table(runs | {"667–1000, biases −8 and 8 (chosen on these seeds)": point("lag/biases-1000")})


def product_lag_writeup():
    lengths = {30: "20–30", **LONGER}
    return lag_table({words: at_length(T, "writeup") for T, words in lengths.items() if T <= 200})


# ------------------------------------------------------------------------------------- tables of read-outs

MULTIPLY, WRITEUP, ADD = "thirty_seeds/default", "thirty_seeds/writeup", "ablations/add"
READ = {MULTIPLY: "our recipe", WRITEUP: "write-up's recipe", ADD: "half the sum, our recipe"}
VARIANCE = {MULTIPLY: 7 / 144, WRITEUP: 7 / 144, ADD: 1 / 24}  # variance of the targets


def trained(name, measure):
    """A measure of the seeds of a point that end below 0.001, (S,)."""
    run = point(name)
    return np.array(run["measures"][measure], float)[errors(run) < 0.001]


def own(name, step):
    """R² of the answers if sequences ended step steps after the second marker, for seeds that end below 0.001."""
    run = point(name)
    behind = run["behind_second"]
    return np.array(behind["r2_answer"][behind["step"].index(step)], float)[errors(run) < 0.001]


def own_end(name):
    """R² of the answers at the end, for seeds that end below 0.001."""
    mse = errors(point(name))
    return 1 - mse[mse < 0.001] / VARIANCE[name]


def of_each(words, values, form=".2f"):
    """A row of a table: median and range of values(name) for each of READ."""
    cells = [spread(values(name).tolist(), form) for name in READ]
    return [words, *(cell.replace("–", " to ").replace("-", "−") if "-" in cell else cell for cell in cells)]


def product_registers():
    rows = {
        "x₁ from c before the second marker": "x1_before_second",
        "x₁ from c at the end of the lag": "x1_end_of_lag",
        "x₂ from c at the end of the lag": "x2_end_of_lag",
        "x₁x₂ from what is written at the second marker (i g)": "product_written",
        "x₁x₂ from c at the second marker": "product_at_second",
        "x₁x₂ from c at the end of the lag": "product_end_of_lag",
        "(x₁ − ½)(x₂ − ½) from c at the end of the lag": "interaction_end_of_lag",
    }
    head = ["R² of a linear read-out, median [range]", *READ.values()]
    return table(head, *(of_each(words, lambda n, m=m: trained(n, f"r2_{m}")) for words, m in rows.items()))


def product_answers():
    rows = [["R² of the network's own answer, median [range]", *READ.values()]]
    for step in 0, 1, 5, 14:
        words = {0: "at the second marker", 1: "1 step after it"}.get(step, f"{step} steps after it")
        rows.append(of_each(words, lambda name, step=step: own(name, step)))
    return table(*rows, of_each("at the end", own_end, ".3f"))


def product_gates():
    rows = {
        "forget gate between the first marker and the end": ("forget_gate_between", ".2f"),
        "forget gate at the markers": ("forget_gate_at_markers", ".2f"),
        "input gate at the markers": ("input_gate_at_markers", ".3f"),
        "input gate at other numbers": ("input_gate_at_distractors", ".3f"),
    }
    head = ["mean over cells, median [range]", *READ.values()]
    return table(head, *(of_each(words, lambda n, m=m: trained(n, m), form) for words, (m, form) in rows.items()))


TABLES = {"product-front": product_front, "product-seeds": product_seeds, "product-recipe": product_recipe,
          "product-stuck": product_stuck, "product-stuck-ranks": product_stuck_ranks,
          "product-ablations": product_ablations, "product-cells": product_cells, "product-lag": product_lag,
          "product-lag-writeup": product_lag_writeup, "product-registers": product_registers,
          "product-answers": product_answers, "product-gates": product_gates}  # fmt: skip


# ------------------------------------------------------------------------------------------------- sentences


def seeds(k, n, what="seeds"):
    """A share of seeds with its interval, in the form for a sentence."""
    return share(k, n).replace(" ", f" {what} ", 1)


def less_and_more(values, others):
    """The numbers of seeds on which values is less and more than others, and the p-value of the sign test."""
    return compare_pairs(others, values)


def paired(run, other, level=0.03):
    """The p-value of the sign test over the seeds that end below level in only one of two runs of the same seeds."""
    return less_and_more(~(errors(run) < level), ~(errors(other) < level))[2]


def claims_of_result():
    ours, writeup = pooled("default"), pooled("writeup")
    faster, slower, p = less_and_more(waits(ours), waits(writeup))
    ratio = waits(writeup) / waits(ours)
    low, high = bootstrap(ratio, np.median)
    smaller, _, p_error = less_and_more(errors(ours), errors(writeup))
    p_share, p_small = paired(ours, writeup), paired(ours, writeup, 0.001)
    assert slower == 0 and max(p, p_error) < 0.001 and max(p_share, p_small) < 0.05
    counts = [ends(pooled(recipe, "0–29"))[0] for recipe in ("default", "writeup")]
    fails = errors(ours)[errors(ours) >= 0.001]
    assert len(fails) == 1
    return [
        f"**An LSTM with eight cells learns the product on {seeds(*ends(ours))} to an error below 0.03, and on "
        f"{seeds(*ends(ours, 0.001))} to an error below 0.001.**",
        f"It needs {number(np.median(waits(ours)))} sequences to 0.03 (median).",
        f"the same network needs {number(np.median(waits(writeup)))}, and it learns the product on "
        f"{seeds(*ends(writeup))}.",
        f"Our recipe is faster to 0.03 on {faster} of {len(ratio)} seeds and slower on none ({p_value(p)}). The median "
        f"ratio is {np.median(ratio):.0f} (95 % interval [{low:.0f}–{high:.0f}]).",
        f"The final error is smaller on {smaller} of {len(ratio)} seeds ({p_value(p_error)}).",
        f"More seeds end below 0.03 ({p_value(p_share)}), and more below 0.001 ({p_value(p_small)}).",
        f"The seed that fails at 0.001 ends at {fails[0]:.4f}.",
        f"Of seeds 0 to 29, {counts[0]} end below 0.03 under our recipe and {counts[1]} under the write-up's.",
    ]


def claims_of_pictures():
    final = errors(point(MULTIPLY))
    rank = int((final < final[0]).sum()) + 1
    ending = "th" if 10 < rank < 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    history = watched("recipe/writeup")
    never, later, _ = leavers(history)
    first = first_below(history["test_mse"])[later]
    whole = int(((first >= 15) & (first + 10 < len(history["step"]))).sum())  # enough evaluations for the picture
    waiting = len(never) + len(later)
    return [
        f"The headline trains seed 0, the {rank}{ending} of {len(final)} by final error.",
        f"A scatter of {waiting} seeds: seeds with a smaller path mostly need more sequences, and the {len(never)} "
        "seeds that never get below 0.03",
        f"to an error below 0.03, of the {waiting} seeds that are still above it",
        f"error below 0.03, of {whole} of the {len(later)} seeds that get below it after 32,000 sequences",
        f"The runs of the other {len(later) - whole} seeds are too short, before or after that moment, to be drawn.",
        f"in {len(own_end(MULTIPLY))} networks that multiply and {len(own_end(ADD))} that add",
    ]


def claims_of_stuck():
    found = {name: watched(f"recipe/{name}") for name in ("writeup", "output", "default")}
    writeup, output, ours = found.values()
    never, later, at = leavers(writeup)
    evaluations, n = writeup["test_mse"].shape
    early, each = int(np.searchsorted(writeup["step"], 200)), 32 * int(writeup["step"][1])
    first, second = first_below(writeup["test_mse"]), first_below(writeup["test_mse"], 1 / 144)
    dead = {metric: np.median(writeup[metric][at, never]) for metric in ("test_mse", "answer_std")}
    constant = writeup["test_mse"][1]
    filled, unfilled, _ = less_and_more(writeup["slack"][1], writeup["slack"][0])
    narrower, _, p_narrower = less_and_more(writeup["path"][1], writeup["path"][0])
    wider, _, _ = less_and_more(writeup["path"][at, later], writeup["path"][first[later], later])
    keeps, _, _ = less_and_more(writeup["slack"][early], output["slack"][early])
    opens, _, _ = less_and_more(writeup["path"][early], output["path"][early])
    assert unfilled == 0 and p_narrower < 0.001 and wider > 0.9 * len(later) and min(keeps, opens) > 0.9 * n
    assert 0.04 < constant.min() and constant.max() < 0.062
    both = second < evaluations
    rest, wait = (second - first)[both] * each, first[both] * each
    assert rest.max() < np.median(wait)
    start = {name: np.median(history["sensitivity_1"][0]) for name, history in found.items()}
    return [
        f"After 32,000 sequences the {len(never)} seeds that never get below 0.03 have an error of "
        f"{dead['test_mse']:.3f}, and their answers have a standard deviation of {dead['answer_std']:.4f} (medians).",
        f"At the first evaluation, after 3,200 sequences, the errors of all {n} seeds are between "
        f"{at_least(constant.min(), 3)} and {at_most(constant.max(), 3)}.",
        f"The slack is smaller than at the start on {seeds(filled, n)}. Its median falls from "
        f"{np.median(writeup['slack'][0]):.2f} to {np.median(writeup['slack'][1]):.2f}.",
        f"The path is narrower than at the start on {seeds(narrower, n)}.",
        f"At the first error below 0.03 the path is wider than after 32,000 sequences on {seeds(wider, len(later))} "
        "that get there after 32,000 sequences.",
        f"Of seeds 100 to 199, {both.sum()} get below 1/144. These {both.sum()} need {number(np.median(wait))} "
        f"sequences to 0.03 (median), and from there to 1/144 only {number(np.median(rest))} more (median; at most "
        f"{number(rest.max())}).",
        f"After 6,400 sequences the slack is larger on {keeps} of {n} seeds, and the path is wider on {opens}.",
        f"After 3,200 sequences the median slack is {np.median(ours['slack'][1]):.2f} and the median path "
        f"{np.median(ours['path'][1]):.2f}.",
        f"At the start dy/dx₁ is very small under both recipes ({start['default']:.5f}, and {start['writeup']:.5f} "
        "under the write-up's; medians). After 6,400 sequences it is "
        f"{np.median(ours['sensitivity_1'][early]):.2f} under ours.",
        *claims_of_waiting(),
        *claims_of_remedy(),
    ]


def claims_of_waiting():
    metrics = "path", "slack", "survival"
    path, slack, survival = (correlation(watched(*WAITING["100–199"]), metric, 1000)[0] for metric in metrics)
    others = [correlation(watched(*WAITING["0–59"]), metric, 1000)[0] for metric in metrics]
    assert path[2] < min(slack[1], survival[1]), "on seeds 100 to 199 the interval of the path lies below the others"
    assert max(others[1][1], others[2][1]) < others[0][2] < 0, "on seeds 0 to 59 the intervals overlap"
    assert all(values[1] < 0 < values[2] for values in (slack, survival, *others[1:]))
    return [
        f"On seeds 100 to 199, after 32,000 sequences, the rank correlation of the path with the number of sequences "
        f"to 0.03 is {interval(path)} (brackets: 95 % intervals). That of slack alone is {interval(slack)}, that of "
        f"survival alone {interval(survival)}.",
        f"On seeds 0 to 59 that of the path is {interval(others[0])}",
    ]


def claims_of_remedy():
    output, writeup, add = (point(name) for name in ("recipe/output", "recipe/writeup", "ablations/add-writeup"))
    assert ends(output)[0] == len(errors(output)) and paired(output, writeup) < 0.001
    return [
        f"{seeds(*ends(output))} then end below 0.03, against {seeds(*ends(writeup))} without it "
        f"({p_value(paired(output, writeup))}).",
        f"The write-up's recipe learns it on {seeds(*ends(add, 1 / 144))}.",
    ]


def claims_of_recipe():
    writeup, forget, closed, ours, rate, fresh = (
        point(f"recipe/{name}") for name in ("writeup", "forget", "input", "default", "rate", "default-fresh")
    )
    assert max(paired(forget, writeup), paired(closed, writeup)) < 0.01 and paired(closed, writeup, 0.001) > 0.05
    less, _, p = less_and_more(errors(rate), errors(ours))
    again, longer = point("fresh/rate"), point("longer/writeup")
    less_fresh, _, p_fresh = less_and_more(errors(again), errors(fresh))
    stuck = ~(errors(writeup) < 0.03)
    assert max(p, p_fresh, paired(longer, writeup)) < 0.01 and (errors(longer)[~stuck] < 0.03).all()
    return [
        f"With 32,000 steps instead of 8,000, {int((errors(longer)[stuck] < 0.03).sum())} of the {stuck.sum()} seeds "
        f"that are stuck with the write-up's recipe get below 0.03 ({p_value(paired(longer, writeup))}), so that "
        f"{below(longer)} end below it.",
        f"On fresh seeds, 1000 to 1099, the error is smaller with 0.08 on {less_fresh} of {len(errors(fresh))} "
        f"({p_value(p_fresh)}), and {below(again, 0.001)} end below 0.001.",
        f"Each of the two gate biases alone raises the share of seeds below 0.03 (forget gates: "
        f"{p_value(paired(forget, writeup))}; input gates: {p_value(paired(closed, writeup))}).",
        f"At 0.001 we cannot distinguish the input bias alone from the write-up's recipe "
        f"({p_value(paired(closed, writeup, 0.001))}).",
        f"At this length a rate of 0.08 gives a smaller final error than our 0.02 on {less} of {len(errors(ours))} "
        f"seeds ({p_value(p)}).",
        f"On seeds 1000 to 1099, on which nothing was chosen, {below(fresh)} end below 0.03 and "
        f"{below(fresh, 0.001)} below 0.001.",
    ]


def claims_of_forget_gates():
    gate, none = point(WRITEUP), point("ablations/no-forget-gate-writeup")
    ours, bare = point(MULTIPLY), point("ablations/no-forget-gate")
    faster, slower, p = less_and_more(waits(none, "1/144"), waits(gate, "1/144"))
    p_share = paired(none, gate, 1 / 144)
    less, more, p_ours = less_and_more(waits(bare, "1/144"), waits(ours, "1/144"))
    small, large, p_error = less_and_more(errors(bare), errors(ours))
    assert slower == 0 and p < 0.001 and min(p_share, p_ours, p_error) > 0.05
    many, freed = point("fresh/writeup"), point("fresh/writeup-no-forget-gate")
    p_fresh, (fast, slow, p_waits) = (
        paired(freed, many, 1 / 144),
        less_and_more(waits(freed, "1/144"), waits(many, "1/144")),
    )
    assert max(p_fresh, p_waits) < 0.001 and ends(freed, 1 / 144)[0] > ends(many, 1 / 144)[0]
    sums = ("ablations/add", ours), ("ablations/add-writeup", gate)
    add = [less_and_more(waits(point(name), "1/144"), waits(product, "1/144")) for name, product in sums]
    assert all(p < 0.001 and not slow for _, slow, p in add)
    medians = [number(np.median(waits(run, "1/144"))) for run in (none, gate)]
    return [
        f"The cell of 1997, without them, is faster to 1/144 on {faster} of {len(errors(gate))} seeds ({p_value(p)}; "
        f"medians {medians[0]} and {medians[1]} sequences).",
        f"It ends below 1/144 on {seeds(*ends(none, 1 / 144))}, the cell with forget gates on "
        f"{seeds(*ends(gate, 1 / 144))}; with thirty seeds we could not distinguish these shares ({p_value(p_share)}).",
        f"On 100 fresh seeds the cell without forget gates ends below 1/144 on {seeds(*ends(freed, 1 / 144))}, the "
        f"cell with them on {seeds(*ends(many, 1 / 144))} ({p_value(p_fresh)}); it is faster on {fast} seeds and "
        f"slower on {slow}.",
        f"Under our recipe we cannot distinguish the two cells. Without forget gates {less} seeds are faster to 1/144 "
        f"and {more} are slower ({p_value(p_ours)}); the final error is smaller on {small} seeds and larger on {large} "
        f"({p_value(p_error)}).",
        f"It is faster to 1/144 than the product on {add[0][0]} of 30 seeds under our recipe and on {add[1][0]} of 30 "
        "under the write-up's.",
    ]


def claims_of_cells():
    four, eight, sixteen = (point(name) for name in ("cells/writeup-4", WRITEUP, "cells/writeup-16"))
    counts = [ends(run)[0] for run in (four, eight, sixteen)]
    faster, slower, p = less_and_more(waits(sixteen), waits(eight))
    less, _, p_error = less_and_more(errors(sixteen), errors(eight))
    assert min(paired(sixteen, four), p) > 0.05 > p_error and counts[2] < 30
    small, ours = point("cells/default-4"), point(MULTIPLY)
    _, slow, p_slow = less_and_more(waits(small, "1/144"), waits(ours, "1/144"))
    assert ends(small, 1 / 144)[0] == 30 and p_slow < 0.01
    below_last = seeds(*ends(small, 1 / 144))
    return [
        f"Under its recipe {counts[0]}, {counts[1]} and {counts[2]} of 30 seeds end below 0.03 with 4, 8 and 16 cells. "
        f"We cannot distinguish these shares (4 against 16 cells: {p_value(paired(sixteen, four))}). With 16 cells "
        f"{30 - counts[2]} seeds are still stuck.",
        f"Sixteen cells are faster to 0.03 than eight on {faster} seeds and slower on {slower}; we cannot distinguish "
        f"the two ({p_value(p)}). Their final error is smaller on {less} of 30 seeds ({p_value(p_error)}).",
        f"Under our recipe four cells get below 1/144 on {below_last}, but they are slower than eight on {slow} of 30 "
        f"seeds ({p_value(p_slow)}).",
    ]


def claims_of_lengths():
    short, long, longest, biases = at_length(30), at_length(200), at_length(1000), point("lag/biases-1000")
    more, fewer, p = less_and_more(waits(short), waits(long))
    assert fewer == 0 and p < 0.001 and paired(biases, longest) > 0.05
    quicker, no_quicker, p_quicker = less_and_more(waits(biases), waits(longest))
    assert no_quicker == 0 and p_quicker < 0.05
    shorter = {T: at_length(T) for T in (30, 60, 100, 110, 200, 500)}
    assert all(ends(run)[0] == len(errors(run)) for run in shorter.values())
    assert all(ends(run, 0.001)[0] == len(errors(run)) for T, run in shorter.items() if T != 200)
    stuck = errors(longest)[errors(longest) >= 0.03]
    assert 0.04 < stuck.min() and stuck.max() < 0.06, "about the error of a constant"
    writeup = {T: at_length(T, "writeup") for T in (60, 100, 110, 200)}
    assert all(ends(writeup[T])[0] == 0 for T in (100, 110, 200))
    assert paired(writeup[60], at_length(30, "writeup")) < 0.001, "longer sequences leave more seeds stuck"
    paper = at_length(110)
    per_cent = 100 * np.array(paper["measures"]["wrong"], float)
    low, high = bootstrap(per_cent)
    assert per_cent.max() < 100 * 139 / 2560 and low < 100 * 14 / 2560 < high
    medians = [number(np.median(waits(run))) for run in (short, long)]
    return [
        f"Under our recipe every seed ends below 0.03 at up to 500 steps ({len(errors(long))} seeds up to 200 steps, "
        f"{len(errors(shorter[500]))} at 500). At 0.001 {['none', 'one'][len(errors(long)) - ends(long, 0.001)[0]]} "
        "of 30 seeds fails at 200 steps.",
        f"From 30 to 200 steps the sequences to 0.03 grow from {medians[0]} to {medians[1]} (medians; more on {more} "
        f"of 30 seeds, fewer on none, {p_value(p)}).",
        f"At 1,000 steps {seeds(*ends(longest))} end below 0.03. The others end between "
        f"{at_least(stuck.min(), 3)} and {at_most(stuck.max(), 3)}, near the error of a constant answer.",
        f"With biases of −8 and 8 instead of −6 and 6, {seeds(*ends(biases))} end below 0.03 at 1,000 steps. With ten "
        f"seeds we cannot distinguish this share from the other ({p_value(paired(biases, longest))}). But {quicker} of "
        f"the {len(errors(biases))} seeds are faster to 0.03, and none is slower ({p_value(p_quicker)}).",
        f"The write-up's recipe gets below 0.03 on {seeds(*ends(writeup[60]))} at 60 steps. At 100 steps, at the "
        f"paper's lengths and at 200 steps it does so on {seeds(*ends(writeup[110]))} each.",
        f"At the paper's lengths our recipe gives {per_cent.mean():.1f} % wrong answers (mean of 30 seeds, 95 % "
        f"interval [{low:.1f}–{high:.1f} %]; the worst seed: {per_cent.max():.1f} %) after "
        f"{paper['sequences_seen'][0]:,} sequences.",
    ]


def claims_of_registers():
    cut = 6 / 7
    n, m, adding = (len(own_end(name)) for name in (MULTIPLY, WRITEUP, ADD))

    def above(values, level=cut):
        return int((values > level).sum()), len(values)

    at = {name: trained(name, "r2_product_at_second") for name in READ}
    late, end = own(MULTIPLY, 14), own_end(MULTIPLY)
    halved = int((1 - late > 2 * (1 - end)).sum())
    theirs = own(WRITEUP, 14)
    interaction = {name: trained(name, "r2_interaction_end_of_lag") for name in (MULTIPLY, ADD)}
    better, _, p_better = less_and_more(interaction[MULTIPLY], interaction[ADD])
    before, after = trained(MULTIPLY, "r2_x1_before_second"), trained(MULTIPLY, "r2_x1_end_of_lag")
    falls, _, p_falls = less_and_more(after, before)
    assert adding == n == len(errors(point(MULTIPLY))) and max(p_better, p_falls) < 0.05, "pairs of the same seeds"
    assert own_end(WRITEUP).min() > 0.98 and np.median(at[ADD]) > cut
    assert less_and_more(own(MULTIPLY, 0), own(MULTIPLY, 5))[2] < 0.001, "the network's own answer needs more steps"
    return [
        f"**A linear read-out finds the product at the second number (R² {np.median(at[MULTIPLY]):.2f}), but also in "
        f"networks that only add ({np.median(at[ADD]):.2f}; medians).**",
        f"At the step of the second marker the R² of a linear read-out of the product from c is above 6/7 on "
        f"{seeds(*above(at[MULTIPLY]))}, and in {seeds(*above(at[ADD]), 'networks')} that only add. That of a read-out "
        f"from what is written at this step (i g) is above it on "
        f"{seeds(*above(trained(MULTIPLY, 'r2_product_written')))}.",
        f"A linear read-out even finds "
        f"(x₁ − ½)(x₂ − ½) better in them: at the end of the lag its R² is {np.median(interaction[ADD]):.2f}, and "
        f"{np.median(interaction[MULTIPLY]):.2f} in networks that multiply (medians; larger in those that add on "
        f"{better} of {n} seeds, {p_value(p_better)}).",
        f"R² of x₁ falls from {np.median(before):.2f} before the second marker to {np.median(after):.2f} at the end of "
        f"the lag (medians; lower on {falls} of {n} seeds).",
        f"Under our recipe it is above 6/7 at the second marker on {seeds(*above(own(MULTIPLY, 0)))}, and five steps "
        f"later on {seeds(*above(own(MULTIPLY, 5)))}.",
        f"The median R² is {np.median(late):.3f} fourteen steps after the second marker and {np.median(end):.3f} at "
        f"the end. On {seeds(halved, n)} the error more than halves between these two moments.",
        "Under the write-up's recipe, of the seeds that learn the product, R² is above 6/7 at fourteen steps on only "
        f"{seeds(*above(theirs))}; on {m - above(theirs, 0.5)[0]} it is below 0.5. At the end it is above 0.98 on all.",
        *claims_of_single_cells(n, m, adding),
        *claims_of_gates(),
    ]


def claims_of_single_cells(n, m, adding):
    x1 = {name: int((trained(name, "one_cell_x1_end_of_lag") >= 0.9).sum()) for name in READ}
    found = {name: trained(name, "one_cell_product_end_of_lag") >= 0.9 for name in READ}
    both = {name: int(ok.sum()) for name, ok in found.items()}
    p = sign_test(*((found[ours] & ~found[other]).sum() for ours, other in ((MULTIPLY, ADD), (ADD, MULTIPLY))))
    assert x1[MULTIPLY] == x1[WRITEUP] == 0 and p > 0.05
    return [
        f"At the end of the lag a single cell gives x₁ on {seeds(x1[MULTIPLY], n)} of our recipe and on "
        f"{seeds(x1[WRITEUP], m)} of the write-up's.",
        f"A single cell gives the product on {seeds(both[MULTIPLY], n)} of our recipe and on "
        f"{seeds(both[WRITEUP], m)} of the write-up's. But a single cell also gives it in "
        f"{seeds(both[ADD], adding, 'networks')} that only add. We cannot distinguish this share from that "
        f"of our recipe ({p_value(p)}).",
    ]


def claims_of_gates():
    both = (errors(point(WRITEUP)) < 0.001) & (errors(point(MULTIPLY)) < 0.001)
    theirs, ours = (np.array(point(name)["measures"]["forget_gate_between"])[both] for name in (WRITEUP, MULTIPLY))
    closer, other, p = less_and_more(theirs, ours)
    places = (trained(MULTIPLY, f"forget_gate_{where}") for where in ("at_markers", "between"))
    drops, _, p_drop = less_and_more(*places)
    assert other == 0 and max(p, p_drop) < 0.001 and np.median(ours) > 0.95 and np.median(theirs) < 0.9
    return [
        f"Under our recipe yes: its mean is {np.median(ours):.2f}. Under the write-up's recipe no: its mean is "
        f"{np.median(theirs):.2f} (medians of the {len(ours)} seeds that learn the product under "
        f"both; larger under ours on {closer}).",
        f"Under our recipe it is smaller at the markers on {seeds(drops, len(own_end(MULTIPLY)))}.",
    ]


def report_claims():
    """Sentences of the report that contain numbers from results."""
    sections = (claims_of_result, claims_of_pictures, claims_of_stuck, claims_of_recipe, claims_of_forget_gates,
                claims_of_cells, claims_of_lengths, claims_of_registers)  # fmt: skip
    return [sentence for section in sections for sentence in section()]


def front_claims():
    """Sentences of the front page that contain numbers from results."""
    ours, writeup = pooled("default"), pooled("writeup")
    _, slower, p = less_and_more(waits(ours), waits(writeup))
    assert slower == 0 and p < 0.05, "faster, as the table says"
    return [
        f"**An LSTM gets an error below 0.001 on {seeds(*ends(ours, 0.001))}, with the write-up's recipe on "
        f"{below(writeup, 0.001)}.**",
    ]


CLAIMS = {f"results/{lab.EXPERIMENT}/README.md": report_claims, "README.md": front_claims}
