"""Studies of multiplication_problem.py: which runs, what is watched and measured of their networks, which tables."""

import numpy as np

import multiplication_problem as lab
from studies.report import load_point, spread, table, wilson

# ---------------------------------------------------------------------------------------------------- points

CHOSEN_ON = "--seeds 100-199"  # the seeds on which our recipe was chosen
LENGTHS = {T: f"--T-min {-(-2 * T // 3)} --T-max {T}" for T in (60, 100, 200, 500, 1000)}  # two thirds, rounded up
POINTS = {
    "thirty_seeds/default": "--seeds 0-29",
    "thirty_seeds/writeup": "--seeds 0-29 --recipe writeup",
    "thirty_seeds/default-fresh": "--seeds 30-59",
    "thirty_seeds/writeup-fresh": "--seeds 30-59 --recipe writeup",
    # From the write-up's recipe to ours; then ours on other seeds.
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
}
WEIGHTS = tuple(name for name in POINTS if name.startswith("thirty_seeds/"))  # points whose weights are kept

# ------------------------------------------------------------------------------------ watched along training


def watch(net, batches):
    """What a run says along training, over all held-out sequences: {name: (S,)}; see also path_and_sensitivity.

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
    """How much of the first marked number reaches the answer: means over pairs (T, 2, S, n), {name: (S,)}.

    survival: the product of f over the steps after the first marker, in the cell where its mean is largest; slack: the
    slope 1 - tanh(c)^2 at the last step, over all cells; path: the product of the two, in the cell where its mean is
    largest, which is the derivative of tanh(c) at the end with respect to c at the marker. sensitivity_1 and _2:
    |dy/dx| for the two marked numbers.
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

TOLERANCE = 0.04  # the paper's: an answer that is off by more is wrong


def measure(options, name, theta):
    """What a run says of its networks name with trained parameters theta (S, P); see measure_lstm."""
    cell = lab.Cell(options.hidden, options.forget_gate)
    net = lab.Network(cell, theta, options.T_max, lab.EVAL_BATCH, backward=False)
    return measure_lstm(net, lab.held_out(options), options.task)


def r_squared(features, values):
    """R^2 of least squares from features (n, k) to values (n, m): fitted to the first half, measured on the other."""
    features = np.column_stack([features, np.ones(len(features))])
    half = len(features) // 2
    fit = np.linalg.lstsq(features[:half], values[:half], rcond=None)[0]
    rest = values[half:]
    return 1 - np.square(rest - features[half:] @ fit).sum(axis=0) / np.square(rest - rest.mean(axis=0)).sum(axis=0)


def one_cell(cells, values):
    """r_squared of each column of values (n, m) from that one of cells (n, H) that is best within the first half."""
    half = len(cells) // 2
    tried = [r_squared(cells[:half, k : k + 1], values[:half]) for k in range(cells.shape[1])]
    return [r_squared(cells[:, k : k + 1], column[:, None])[0] for k, column in zip(np.argmax(tried, axis=0), values.T)]


def gate_sums(net, pairs):
    """Sums of gates, averaged over cells, over pairs (T, 2, S, n), and how many are summed: {name: (2, S)}.

    At the two markers, at distractors (all other numbers but the first and the last), and at those of them that are
    between the first marker and the end.
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
    """What the networks do over the held-out sequences, n of them in all.

    Returns their answers (S, n); {place: what all cells hold there, (H, S, n)}; the steps after the second marker that
    all sequences have before their last, (steps,), with c (steps, H, S, n) and what the answers would be if the
    sequence ended there, (steps, S, n); and {name: mean of a gate, (S,)}.
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
    """What networks do, over all whole batches of held-out sequences: {"measures": ..., "behind_second": ...}.

    measures, (S,) each. wrong: the share of answers off by more than TOLERANCE; mean_absolute_error; *_gate_*: see
    gate_sums. r2_WHAT_WHERE: R^2, on sequences that it was not fitted to, of the best linear read-out from all cells.
    WHAT: x1; x2; their product; interaction, (x1 - 1/2)(x2 - 1/2), the part of the product that no sum of functions of
    x1 and x2 has. WHERE: c before the second marker; at it, what the cells keep (f c) and what is written to them
    (i g), the two parts of c, and c itself; c at the end of the lag (one step before the last); c and output h at the
    last step. one_cell_WHAT_WHERE: the same from the one cell that is best for it.
    behind_second, (steps, S) each: by steps after the second marker, r2_WHAT from c, and r2_answer, of the target by
    the network's own read-out, its answer if the sequence ended there.
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


def point(name):
    """results.json of a point, and its LSTM."""
    results = load_point(lab, name)
    return results, results["runs"]["lstm"]


def below(run, level):
    """How many seeds end with a mean squared error below level, with the interval."""
    mse = run["final"]["test_mse"]
    k = sum(value is not None and value < level for value in mse)
    return f"{k}/{len(mse)} ({wilson(k, len(mse))})"


def sequences(run, level="0.03"):
    """Sequences to an error below level: median and range over all seeds, those that never get there at the end."""
    needed = [np.inf if n is None else n for n in run["sequences_to"][level]]
    words = ["never" if n == np.inf else f"{n:,.0f}" for n in (np.median(needed), min(needed), max(needed))]
    return f"{words[0]} [{words[1]}–{words[2]}]"


def per_cent(values):
    """Shares as per cent, None where there is none."""
    return [None if value is None else 100 * value for value in values]


def product_seeds():
    runs = [point(f"thirty_seeds/{name}")[1] for name in ("writeup", "writeup-fresh", "default", "default-fresh")]
    head = ["", "1997 paper", "write-up", "its recipe, seeds 0–29", "its recipe, seeds 30–59"]
    solved = [min(value is not None and value < 0.03 for value in run["final"]["test_mse"]) for run in runs]
    return table(
        [*head, "**our recipe, seeds 0–29**", "**our recipe, seeds 30–59**"],
        ["steps of a sequence", "100–110", *["20–30"] * 5],
        ["weights", "93", "–", *(run["trainable_parameters"] for run in runs)],
        ["seeds that end below 0.03 (95 % interval)", "–", "3/5", *(below(run, 0.03) for run in runs)],
        ["below 1/144, the best linear answer", "–", "2/5", *(below(run, 1 / 144) for run in runs)],
        ["below 0.001, out of reach for functions of x₁ + x₂", "–", "–", *(below(run, 0.001) for run in runs)],
        ["sequences to 0.03, median [range]", "–", "96,000 [16,000–never]", *map(sequences, runs)],
        ["sequences trained on", "482,000; 1,273,000", "256,000",
         *(f"{max(run['sequences_seen']):,}" for run in runs)],
        ["mean squared error at the end", "0.0223; 0.0139 (see below)", "0.0028 (best)",
         *(spread(run["final"]["test_mse"], ".1e") for run in runs)],
        ["mean absolute error", "", "–", *(spread(run["measures"]["mean_absolute_error"], ".3f") for run in runs)],
        ["answers off by more than 0.04", "5.4 %; 0.5 %", "–",
         *(spread(per_cent(run["measures"]["wrong"]), ".1f") + " %" for run in runs)],
        ["verdict: every seed ends below 0.03", "", "", *("holds" if yes else "does not hold" for yes in solved)],
    )  # fmt: skip


def product_recipe():
    names = {
        "writeup": "the write-up's: constant rate 0.005, forget bias 1, 8,000 steps",
        "cosine": "the rate falling to zero by a cosine",
        "forget-3-rate": "falling rate from 0.01, forget bias 3",
        "output": "output bias −1.1",
        "forget": "forget bias 6",
        "input": "input bias −6",
        "both": "forget bias 6, input bias −6",
        "default": "**our recipe**: both, falling rate from 0.02, 4,000 steps",
        "rate": "ours with a falling rate from 0.08",
        "default-fresh": "our recipe, on 100 seeds that nothing was chosen on",
    }
    rows = [["recipe", "end below 0.03", "end below 0.001", "sequences to 0.03", "mean squared error at the end"]]
    for name, words in names.items():
        _, run = point(f"recipe/{name}")
        rows.append([words, below(run, 0.03), below(run, 0.001), sequences(run),
                     spread(run["final"]["test_mse"], ".1e")])  # fmt: skip
    return table(*rows)


def ranks(values):
    """Ranks of values, ties sharing their mean."""
    values = np.asarray(values)
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


def product_stuck():
    """Medians of what is watched: in the write-up's seeds, stuck or not, and under the two remedies."""
    watched = {}
    for name in "writeup", "output", "default":
        history = point(f"recipe/{name}")[1]["history"]
        watched[name] = {metric: np.array(values, float) for metric, values in history.items()}
    ours, mse = watched["writeup"], watched["writeup"]["test_mse"]
    early, at = (int(np.searchsorted(ours["step"], step)) for step in (200, 1000))
    first = np.where((mse < 0.03).any(axis=0), (mse < 0.03).argmax(axis=0), len(mse))
    everyone = np.arange(mse.shape[1])
    never, later = np.flatnonzero(first == len(mse)), np.flatnonzero((first > at) & (first < len(mse)))
    columns = {
        "the write-up's at the start": ("writeup", 0, everyone),
        "after 6,400 sequences": ("writeup", early, everyone),
        "after 32,000: those never below 0.03": ("writeup", at, never),
        "after 32,000: those below it later": ("writeup", at, later),
        "… at their first error below it": ("writeup", first[later], later),
        "with output bias −1.1, after 6,400": ("output", early, everyone),
        "our recipe, after 6,400": ("default", early, everyone),
    }
    names = {"test_mse": "mean squared error", "answer_std": "spread of answers (standard deviation)",
             "sensitivity_1": "mean size of dy/dx₁", "sensitivity_2": "mean size of dy/dx₂",
             "slack": "slack: tanh′(c) at the end, all cells", "survival": "survival: product of f, best cell",
             "path": "path: both, in the best cell"}  # fmt: skip
    rows = [["", *columns], ["seeds", *(len(seeds) for _, _, seeds in columns.values())]]
    for metric, words in names.items():
        cells = (watched[name][metric][step, seeds] for name, step, seeds in columns.values())
        rows.append([words, *(spread(values.tolist(), ".2g") for values in cells)])

    others = [point(f"thirty_seeds/{name}")[1]["history"] for name in ("writeup", "writeup-fresh")]
    others = {metric: np.concatenate([np.array(history[metric], float) for history in others], axis=1)
              for metric in (*names, "test_mse")}  # fmt: skip

    def correlation(watched, metric, step):
        """Spearman's, with its 95 % interval by Fisher's transform, over the seeds that are still above 0.03."""
        below = watched["test_mse"] < 0.03
        first = np.where(below.any(axis=0), below.argmax(axis=0), len(below))
        value, wait = (ranks(values[first > step]) for values in (watched[metric][step], first))
        z, half = np.arctanh(np.corrcoef(value, wait)[0, 1]), 1.96 * 1.03 / np.sqrt(len(wait) - 3)
        return "{:.2f} [{:.2f}–{:.2f}]".format(*np.tanh([z, z - half, z + half])).replace("-", "−")

    for metric in "slack", "survival", "path":
        for words, seeds in ("", ours), (", seeds 0–59", others):
            cells = (correlation(seeds, metric, step) for step in (0, early, at))
            rows.append([f"rank correlation of {metric} with the sequences to 0.03{words}", *cells, *[""] * 4])
    return table(*rows)


def product_variants(names):
    rows = [["", "weights", "end below 1/144", "below 0.001", "sequences to 1/144", "mean squared error at the end"]]
    for name, words in names.items():
        _, run = point(name)
        rows.append([words, run["trainable_parameters"], below(run, 1 / 144), below(run, 0.001),
                     sequences(run, "1/144"), spread(run["final"]["test_mse"], ".1e")])  # fmt: skip
    return table(*rows)


def product_ablations():
    return product_variants({
        "thirty_seeds/default": "product, our recipe",
        "ablations/no-forget-gate": "… without forget gate",
        "thirty_seeds/writeup": "product, write-up's recipe",
        "ablations/no-forget-gate-writeup": "… without forget gate",
        "ablations/add": "half the sum, our recipe",
        "ablations/add-writeup": "half the sum, write-up's recipe",
    })  # fmt: skip


def product_cells():
    sizes = {"cells/{}-4": "4 cells", "thirty_seeds/{}": "8 cells", "cells/{}-16": "16 cells"}
    recipes = {"writeup": "write-up's recipe", "default": "our recipe"}
    return product_variants(
        {where.format(name): f"{size}, {recipe}" for name, recipe in recipes.items() for where, size in sizes.items()}
    )


def product_lag():
    head = ["end below 0.03", "sequences to 0.03", "mean squared error at the end", "answers off by more than 0.04"]
    rows = [["T", "seeds", f"our recipe: {head[0]}", *head[1:], f"write-up's: {head[0]}", *head[1:]]]
    lengths = {30: "20–30", 60: "40–60", 100: "67–100", 110: "100–110, the paper's", 200: "134–200", 500: "334–500",
               1000: "667–1000", "biases": "667–1000, biases −8 and 8"}  # fmt: skip
    for T, words in lengths.items():
        row = [words]
        for recipe in "default", "writeup":
            if recipe == "writeup" and T in (500, 1000, "biases"):
                row += ["not run", "", "", ""]
                continue
            where = {30: f"thirty_seeds/{recipe}", 110: f"length/{recipe}", "biases": "lag/biases-1000"}
            where = where.get(T, f"lag/{recipe}-{T}")
            results, run = point(where)
            row += [len(results["seeds"])] if recipe == "default" else []
            wrong = spread(per_cent(run["measures"]["wrong"]), ".1f") + " %"
            row += [below(run, 0.03), sequences(run), spread(run["final"]["test_mse"], ".1e"), wrong]
        rows.append(row)
    return table(*rows)


def product_registers():
    runs = [point(name)[1] for name in ("thirty_seeds/default", "thirty_seeds/writeup", "ablations/add")]
    keep = [[value is not None and value < 0.001 for value in run["final"]["test_mse"]] for run in runs]

    def row(words, name, form=".2f"):
        cells = ([value for value, yes in zip(run["measures"][name], those) if yes] for run, those in zip(runs, keep))
        return [words, *(spread(values, form) for values in cells)]

    def share(words, name, holds):
        counts = [
            [holds(value) for value, yes in zip(run["measures"][name], those) if yes] for run, those in zip(runs, keep)
        ]
        return [words, *(f"in {sum(count)} of {len(count)} seeds" for count in counts)]

    rows = [
        [
            "seeds that end below 0.001, median [range] of R²",
            "our recipe",
            "write-up's recipe",
            "half the sum, our recipe",
        ]
    ]
    places = {"before_second": "c before the second marker", "kept": "kept at it (f c)",
              "written": "written at it (i g)", "at_second": "c at it", "end_of_lag": "c at the end of the lag",
              "last": "c at the last step"}  # fmt: skip
    for what, words in {"x1": "x₁", "x2": "x₂", "product": "x₁x₂", "interaction": "(x₁ − ½)(x₂ − ½)"}.items():
        rows += [row(f"{words} from {place}", f"r2_{what}_{where}") for where, place in places.items()]
    for step in 0, 1, 5, 10:
        cells = []
        for run, those in zip(runs, keep):
            values = run["behind_second"]["r2_answer"][run["behind_second"]["step"].index(step)]
            cells.append(spread([value for value, yes in zip(values, those) if yes], ".2f"))
        rows.append([f"the target, by the network's own read-out, {step} steps after the second marker", *cells])
    variances = 7 / 144, 7 / 144, 1 / 24  # of the targets
    final = ([1 - mse / variance for mse, yes in zip(run["final"]["test_mse"], those) if yes]
             for run, those, variance in zip(runs, keep, variances))  # fmt: skip
    rows.append(["… its answer at the end", *(spread(values, ".3f") for values in final)])
    high = 0.9
    rows += [
        share(
            f'*"one cell stores x₁"*: one cell has it at the end of the lag, R² at least {high}',
            "one_cell_x1_end_of_lag",
            lambda x: x >= high,
        ),
        share(
            f'*"and another x₁x₂"*: one cell has it, R² at least {high}',
            "one_cell_product_end_of_lag",
            lambda x: x >= high,
        ),
        row("forget gate between the first marker and the end, mean over cells", "forget_gate_between"),
        row("… at the markers", "forget_gate_at_markers"),
        row("input gate at the markers, mean over cells", "input_gate_at_markers", ".3f"),
        row("… at distractors, numbers without a marker", "input_gate_at_distractors", ".3f"),
    ]
    return table(*rows)


TABLES = {"product-seeds": product_seeds, "product-recipe": product_recipe, "product-stuck": product_stuck,
          "product-ablations": product_ablations, "product-cells": product_cells, "product-lag": product_lag,
          "product-registers": product_registers}  # fmt: skip
