#!/usr/bin/env python3
"""Write the tables of README.md, between their markers, from results.json of the studies; --check only compares.

A table stands between <!-- table: NAME --> and <!-- end -->. What the paper and the write-up report is given below;
every other number comes from results/.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///

import argparse
import json
import math
import re
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
ORDER, PRODUCT, TIMING = "temporal_order_3bit", "multiplication_problem", "timing_counting_spikes"
PAPER = "lstm_1997"


# shared block
def load_run(directory, experiment, command, arrays=True):
    """results.json of a run, and its snapshots.npz as a dict if arrays; exits with status 1 and one line on failure."""
    path = directory / "results.json"
    try:
        results = json.loads(path.read_text())
        found, _ = (results["experiment"], results["schema"]), (results["config"], results["runs"], results["seeds"])
        if found != (experiment, 1):
            sys.exit(f"{path} is of {found[0]}, schema {found[1]}, not of {experiment}, schema 1")
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


# ------------------------------------------------------------------------------------------ temporal order


def order(study):
    """results.json of a study of temporal_order_3bit, and its LSTM."""
    target = {"thirty_seeds": "seeds"}.get(study.split("/")[0], study.split("/")[0])
    results, _ = load_run(ROOT / "results" / ORDER / study, ORDER, f"make {ORDER}-{target}", arrays=False)
    return results, results["runs"]["lstm"]


def accuracies(run):
    """The final accuracies, 0 where a seed diverged."""
    return [value or 0.0 for value in run["final"]["val_accuracy"]]


def solved(run):
    """How many seeds end at 1.000, with the interval."""
    k, n = accuracies(run).count(1), len(accuracies(run))
    return f"{k}/{n} ({wilson(k, n)})"


def dips(run):
    """Seeds that fall below 1.000 after step 500 and after their first 1.000: those that end at it, and the others."""
    history, step = np.array(run["history"]["val_accuracy"], float), np.array(run["history"]["step"])
    reached = np.maximum.accumulate(history == 1, axis=0)
    fell = ((history < 1) & reached & (step[:, None] > 500)).any(axis=0)
    return f"{(fell & (history[-1] == 1)).sum()}, {(fell & (history[-1] < 1)).sum()}"


def order_seeds():
    names = ("writeup", "writeup-fresh", "default", "default-fresh")
    columns = [order(f"thirty_seeds/{name}")[0]["runs"] for name in names]
    lstm, rnn = ([runs[kind] for runs in columns] for kind in ("lstm", "rnn"))
    weights = [f"{a['trainable_parameters']}, {b['trainable_parameters']}" for a, b in zip(lstm, rnn)]
    to_95, to_100 = ([spread(run[f"sequences_to_{percent}"], ",.0f") for run in lstm] for percent in (95, 100))
    chance = ["holds" if max(accuracies(run)) <= 0.30 else "does not hold" for run in rnn]
    head = ["", "1997 paper", "write-up", "its recipe, seeds 0–29", "its recipe, seeds 30–59"]
    return table(
        [*head, "**our recipe, seeds 0–29**", "**our recipe, seeds 30–59**"],
        ["steps of a sequence", "100–110", *["50"] * 5],
        ["weights of LSTM, RNN", "156, –", "184, 68", *weights],
        ["LSTMs that end at 1.000 (95 % interval)", "20 trials, 1 of 2,560 wrong", "5/5", *map(solved, lstm)],
        ["sequences to 95 %, median [range]", "–", "6,400", *to_95],
        ["sequences to the first 100 %", "31,390, to its own rule", "–", *to_100],
        ["fell below it after step 500: came back, did not", "–", "–", *map(dips, lstm)],
        ["RNN, final accuracy", "–", "0.230–0.293", *(spread(run["final"]["val_accuracy"], ".3f") for run in rnn)],
        ["verdict: the RNN stays at chance (at most 0.30)", "", "", *chance],
        ["verdict: the LSTM solves the task on every seed", "", "",
         *("holds" if min(accuracies(run)) == 1 else "does not hold" for run in lstm)],
    )  # fmt: skip


def order_claims():
    runs = [order(name)[1] for name in ("thirty_seeds/writeup", "thirty_seeds/default", "length/default-500-longer")]

    def share(name, holds):
        """In how many seeds a measure holds."""
        counts = [[holds(value) for value in run["measures"][name] if value is not None] for run in runs]
        return [f"in {sum(count)} of {len(count)} seeds" for count in counts]

    def row(words, name, form=".2f"):
        return [words, *(spread(run["measures"][name], form) for run in runs)]

    noise = []
    for run, T in zip(runs, (50, 50, 500)):
        at, off = (np.array(run["measures"][f"write_at_{where}"], float) for where in ("markers", "distractors"))
        noise.append(spread(list((T - 4) * off / (2 * at)), ".1f"))
    return table(
        [
            "thirty seeds, median [range]",
            "write-up's recipe, T = 50",
            "our recipe, T = 50",
            "our recipe, T = 500, 3,000 steps",
        ],
        row("widest input gate at the markers", "gate_at_markers"),
        row("at distractors", "gate_at_distractors", ".3f"),
        row("… before the first marker", "gate_before", ".3f"),
        row("… between the markers", "gate_between", ".3f"),
        row("… after the second", "gate_after", ".3f"),
        row("at the end symbol", "gate_at_end"),
        row("ratio, markers to distractors (selectivity)", "gate_selectivity", ".1f"),
        [
            '*"stays near zero on every distractor"*: below 0.05 on average',
            *share("gate_at_distractors", lambda x: x < 0.05),
        ],
        ["written at all distractors, over written at the two markers", *noise],
        row("widest output gate before the last step", "output_gate_before"),
        [
            '*"outputs carry information only in the last few steps"*: below 0.1',
            *share("output_gate_before", lambda x: x < 0.1),
        ],
        row("class by the signs of all final cell states, accuracy", "sign_accuracy", ".3f"),
        ["*told by the signs of all cells*: accuracy at least 0.99", *share("sign_accuracy", lambda x: x >= 0.99)],
        [
            '*"the order in the sign of two cells"*: at least 0.99',
            *share("sign_accuracy_two_cells", lambda x: x >= 0.99),
        ],
        ["… the first marker in the sign of one cell", *share("sign_accuracy_first_marker", lambda x: x >= 0.99)],
        ["… the second marker in the sign of one cell", *share("sign_accuracy_second_marker", lambda x: x >= 0.99)],
    )


def order_recipe():
    names = {
        "writeup": "the write-up's: constant rate 0.02, β₂ 0.999, input-gate bias −1",
        "writeup-float64": "the same in float64",
        "cosine": "the rate falling to zero by a cosine",
        "bias-alone": "bias −4, constant rate",
        "bias": "bias −4, falling rate",
        "beta2": "bias −4, falling rate, β₂ 0.95",
        "rate": "bias −4, falling rate from 0.025",
        "default": "**our recipe**: bias −4, falling rate from 0.025, β₂ 0.95",
        "default-fresh": "our recipe, on 300 seeds that nothing was chosen on",
    }
    rows = [["recipe", "end at 1.000", "end below 0.35", "0.35 to 0.65", "0.65 to 0.9", "0.9 to 1", "sequences to 95 %",
             "fell after step 500: came back, did not"]]  # fmt: skip
    for name, words in names.items():
        _, run = order(f"recipe/{name}")
        ends = np.histogram(accuracies(run), [0, 0.35, 0.65, 0.9, 1 - 1e-9, 2])[0][:4]
        rows.append([words, solved(run), *ends, spread(run["sequences_to_95"], ",.0f"), dips(run)])
    return table(*rows)


def order_length():
    head = ["T", "lag between the markers", "our recipe: end at 1.000", "sequences to 95 %"]
    rows = [[*head, "write-up's: end at 1.000", "sequences to 95 %"]]
    lengths = {"50": "13–37", "100": "26–74", "paper": "30–50", "200": "52–148", "500": "130–370"}
    for T, lag in lengths.items():
        row = ["100–110, the paper's" if T == "paper" else T, lag]
        for recipe in "default", "writeup":
            _, run = order(f"thirty_seeds/{recipe}" if T == "50" else f"length/{recipe}-{T}")
            row += [solved(run), spread(run["sequences_to_95"], ",.0f")]
        rows.append(row)
    _, run = order("length/default-500-longer")
    rows.append(
        ["500, in 3,000 steps", lengths["500"], solved(run), spread(run["sequences_to_95"], ",.0f"), "not run", ""]
    )
    return table(*rows)


VARIANTS = {
    "thirty_seeds/default": "headline: four cells, gates of their own",
    "ablations/blocks-2": "two blocks of two cells",
    "ablations/forget-gate": "with forget gates",
    "ablations/blocks-2-forget-gate": "two blocks, with forget gates",
}


def order_ablations():
    rows = [["LSTM", "weights", "end at 1.000", "lowest", "sequences to 95 %", "gate at markers", "at distractors",
             "ratio"]]  # fmt: skip
    for name, words in VARIANTS.items():
        _, run = order(name)
        measures, lowest = run["measures"], f"{min(accuracies(run)):.3f}"
        gate = [spread(measures[f"gate_{what}"], ".2f") for what in ("at_markers", "at_distractors", "selectivity")]
        to_95 = spread(run["sequences_to_95"], ",.0f")
        rows.append([words, run["trainable_parameters"], solved(run), lowest, to_95, *gate])
    return table(*rows)


# -------------------------------------------------------------------------------------------- multiplication


def product(study):
    """results.json of a study of multiplication_problem, and its LSTM."""
    target = {"thirty_seeds": "seeds"}.get(study.split("/")[0], study.split("/")[0])
    results, _ = load_run(ROOT / "results" / PRODUCT / study, PRODUCT, f"make {PRODUCT}-{target}", arrays=False)
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
    runs = [product(f"thirty_seeds/{name}")[1] for name in ("writeup", "writeup-fresh", "default", "default-fresh")]
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
        _, run = product(f"recipe/{name}")
        rows.append([words, below(run, 0.03), below(run, 0.001), sequences(run),
                     spread(run["final"]["test_mse"], ".1e")])  # fmt: skip
    return table(*rows)


def ranks(values):
    """Ranks of values, ties sharing their mean."""
    values = np.asarray(values)
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


def product_stuck():
    """Medians of what the script watches: in the write-up's seeds, stuck or not, and under the two remedies."""
    watched = {}
    for name in "writeup", "output", "default":
        history = product(f"recipe/{name}")[1]["history"]
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

    others = [product(f"thirty_seeds/{name}")[1]["history"] for name in ("writeup", "writeup-fresh")]
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
        _, run = product(name)
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
    return product_variants({name.format(recipe): f"{words}, {whose} recipe" for recipe, whose in
                             (("writeup", "write-up's"), ("default", "our")) for name, words in sizes.items()})  # fmt: skip


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
            results, run = product(where)
            row += [len(results["seeds"])] if recipe == "default" else []
            wrong = spread(per_cent(run["measures"]["wrong"]), ".1f") + " %"
            row += [below(run, 0.03), sequences(run), spread(run["final"]["test_mse"], ".1e"), wrong]
        rows.append(row)
    return table(*rows)


def product_registers():
    runs = [product(name)[1] for name in ("thirty_seeds/default", "thirty_seeds/writeup", "ablations/add")]
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
    places = {"before_second": "c before the second marker", "kept": "kept at it (f c)", "written": "written at it (i g)",
              "at_second": "c at it", "end_of_lag": "c at the end of the lag", "last": "c at the last step"}  # fmt: skip
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


# ------------------------------------------------------------------------------------------------ timing

KIND = {"peephole": "with peepholes", "vanilla": "without"}


def timing(*studies):
    """results.json of studies of timing_counting_spikes, of other seeds each, as one: {variant: {name: values}}.

    Per seed: solve_rate, test_mse, sequences_to_99, all measures, and as untrained/NAME those before the first step.
    """
    runs = {}
    for study in studies:
        target = {"thirty_seeds": "seeds"}.get(study.split("/")[0], study.split("/")[0])
        results, _ = load_run(ROOT / "results" / TIMING / study, TIMING, f"make {TIMING}-{target}", arrays=False)
        for variant, run in results["runs"].items():
            found = run["final"] | run["measures"] | {"sequences_to_99": run["sequences_to_99"]}
            found |= {f"untrained/{name}": values for name, values in run["untrained"].items()}
            found |= {"weights": [run["trainable_parameters"]] * len(results["seeds"])}
            solve = np.array(run["history"]["solve_rate"], float)
            best = np.maximum.accumulate(solve, axis=0)
            found |= {"fell": ((best >= 0.9) & (solve < 0.5)).any(axis=0).tolist()}
            for name, values in found.items():
                runs.setdefault(variant, {}).setdefault(name, []).extend(values)
    return runs


def rates(run):
    """Final solve rates, 0 where a seed diverged."""
    return np.array([value or 0.0 for value in run["solve_rate"]])


def counted(yes):
    """How many are true, with the interval."""
    k, n = int(np.sum(yes)), len(yes)
    return f"{k}/{n} ({wilson(k, n)})"


def to_99(run):
    """Sequences to a solve rate of 0.99: median and range over all seeds, those that never get there at the end."""
    return sequences({"sequences_to": {"99": run["sequences_to_99"]}}, "99")


def timing_row(words, run):
    """What a table says of a run on msd: weights, solved, solve rate, error, sequences."""
    solve = rates(run)
    reached = sum(n is not None for n in run["sequences_to_99"])
    return [words, run["weights"][0], counted(solve >= 0.99), f"{reached}; {sum(run['fell'])}", f"{solve.mean():.3f}",
            spread(solve.tolist(), ".3f"), spread(run["test_mse"], ".1e"), to_99(run)]  # fmt: skip


TIMING_HEAD = ["weights", "end at 0.99 or more", "were there once; fell from 0.9 to below 0.5", "mean solve rate", "median [range]", "mean squared error at the end",
               "sequences to 0.99"]  # fmt: skip


def timing_seeds():
    rows = [["", *TIMING_HEAD], ["write-up, seven seeds, with peepholes", "–", "2/7", "–", "0.881", "0.900 [0.668–1.000]",
                                 "2.0e-03 [4.6e-04–3.5e-03]", "–"],
            ["write-up, seven seeds, without", "–", "3/7", "–", "0.873", "0.959 [0.600–1.000]", "1.6e-03 [5.9e-04–4.0e-03]",
             "–"]]  # fmt: skip
    sets = {"writeup": "its recipe, seeds 0–29", "writeup-fresh": "its recipe, seeds 30–59",
            "default": "**our recipe, seeds 0–29**", "default-fresh": "**our recipe, seeds 30–59**"}  # fmt: skip
    for name, words in sets.items():
        rows += [timing_row(f"{words}, {KIND[kind]}", run) for kind, run in timing(f"thirty_seeds/{name}").items()]
    return table(*rows)


def sign_test(difference):
    """Two-sided p of as uneven a split of the differences that are not zero, were both signs as likely."""
    n, k = np.count_nonzero(difference), int(min((difference > 0).sum(), (difference < 0).sum()))
    return min(1.0, 2 * sum(math.comb(n, j) for j in range(k + 1)) / 2**n) if n else 1.0


def bootstrap(difference, form):
    """Mean of paired differences with its 95 % percentile bootstrap interval, as text."""
    drawn = np.random.default_rng(0).integers(len(difference), size=(10000, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), (2.5, 97.5))
    return f"{difference.mean():{form}} [{low:{form}}, {high:{form}}]".replace("-", "−")


def paired(words, runs):
    """A row: with peepholes against without, on the same seeds."""
    both, one = runs["peephole"], runs["vanilla"]
    solve = rates(both) - rates(one)
    mse = np.log10(np.array([both["test_mse"], one["test_mse"]], float))
    error = (mse[1] - mse[0])[np.isfinite(mse).all(axis=0)]  # decades that peepholes save; no seed that diverged
    waits = np.array([[np.inf if n is None else n for n in run["sequences_to_99"]] for run in (both, one)])
    sooner = (waits[0] < waits[1]) * 1 - (waits[0] > waits[1])
    split = [
        f"{(d > 0).sum()}, {(d < 0).sum()}, {(d == 0).sum()} (p = {sign_test(d):.2g})" for d in (solve, error, sooner)
    ]
    return [words, len(solve), split[0], bootstrap(solve, "+.3f"), split[1], bootstrap(error, "+.2f"), split[2]]


def timing_paired():
    sets = [("the write-up's recipe", ("thirty_seeds/writeup", "thirty_seeds/writeup-fresh")),
            ("our recipe", ("thirty_seeds/default", "thirty_seeds/default-fresh")),
            ("… without forget gates", ("ablations/no-forget-gate",)),
            *((f"our recipe, T = {T}", (f"length/{T}",)) for T in TIMING_LENGTHS)]  # fmt: skip
    head = ["with peepholes against without", "seeds", "higher solve rate: with, without, equal", "difference, mean",
            "smaller error: with, without, equal", "decades of error saved, mean", "0.99 sooner: with, without, equal"]  # fmt: skip
    return table(head, *(paired(words, timing(*studies)) for words, studies in sets))


def timing_recipe():
    names = {
        "recipe/constant": "the write-up's, at a constant rate of 0.005",
        "thirty_seeds/writeup": "the write-up's: the rate halved after 1,500 of 3,000 steps",
        "recipe/cosine": "… falling to zero by a cosine",
        "thirty_seeds/default": "**our recipe**",
    }
    head = ["with peepholes, seeds 0–29", *TIMING_HEAD[1:]]
    rows = [timing_row(words, timing(name)["peephole"]) for name, words in names.items()]
    return table(head, *([row[0], *row[2:]] for row in rows))


def timing_ablations():
    rows = [["", *TIMING_HEAD]]
    for recipe, whose in ("default", "our recipe"), ("writeup", "write-up's recipe"):
        end = "" if recipe == "default" else "-writeup"
        sets = {f"thirty_seeds/{recipe}": "", f"ablations/zero-peepholes{end}": ", peepholes zero at first"}
        sets |= {"ablations/no-forget-gate": ", no forget gate (1997)"} if recipe == "default" else {}
        for study, words in sets.items():
            for kind, run in timing(study).items():
                where = KIND[kind] if "zero" not in study else "with peepholes"
                rows.append(timing_row(f"{whose}, {where}{words}", run))
    return table(*rows)


TIMING_LENGTHS = (300, 600)


def timing_length():
    rows = [["T", "distances", "seeds", "steps of training", "", *TIMING_HEAD[1:]]]
    for T in (150, *TIMING_LENGTHS):
        study = "thirty_seeds/default" if T == 150 else f"length/{T}"
        results, _ = load_run(ROOT / "results" / TIMING / study, TIMING, f"make {TIMING}-length", arrays=False)
        config = results["config"]
        for kind, run in timing(study).items():
            rows.append([T, f"{config['D_min']}–{config['D_max']}", len(results["seeds"]), f"{config['steps']:,}",
                         *(cell for k, cell in enumerate(timing_row(KIND[kind], run)) if k != 1)])  # fmt: skip
    return table(*rows)


def timing_clock():
    columns = {}
    for kind, run in timing("thirty_seeds/default", "thirty_seeds/default-fresh").items():
        columns[f"our recipe, {KIND[kind]}: untrained"] = run, "untrained/", rates(run) >= 0
        columns[f"our recipe, {KIND[kind]}"] = run, "", rates(run) >= 0
    for kind, run in timing("thirty_seeds/writeup", "thirty_seeds/writeup-fresh").items():
        columns[f"write-up's, {KIND[kind]}: solved"] = run, "", rates(run) >= 0.99
        columns[f"write-up's, {KIND[kind]}: not solved"] = run, "", rates(run) < 0.99
    names = {
        "timing_error": ("mean distance of the spike from its step", ".2f"),
        "within_one": ("spikes at most one step off", ".3f"),
        "early_answers": ("spikes too early", ".3f"),
        "late_answers": ("spikes too late", ".3f"),
        "answer_slope": ("steps by which a spike comes later if D is one longer", ".2f"),
        "gap_error": ("error of D, read from all cells at the second spike, steps", ".2f"),
        "left_error": ("error of the steps left (1 to 10), read from all cells", ".2f"),
        "best_cell_error": ("… from the best single cell", ".2f"),
        "timers": ("share of cells that tell the steps left to within 1", ".2f"),
        "on_time": ("share of states whose largest move comes with the target", ".2f"),
        "monotone": ("share of states that are monotone, second spike to target", ".3f"),
        "monotone_settled": ("… without the first five steps and the last", ".3f"),
        "straight": ("straightness of the way between", ".2f"),
        "late_moves": ("share of the way in the last quarter of the time", ".2f"),
    }
    cut = {"o": "output gates", "i": "input gates", "f": "forget gates", "all": "all gates"}
    names |= {f"solve_rate_without_{gate}": (f"solve rate when the peepholes of {words} are cut", ".2f")
              for gate, words in cut.items()}  # fmt: skip
    rows = [["median [range]", *columns], ["seeds", *(int(np.sum(keep)) for *_, keep in columns.values())]]
    for name, (words, form) in names.items():
        cells = ([value for value, yes in zip(run.get(when + name, ()), keep) if yes and not (when and "cut" in words)]
                 for run, when, keep in columns.values())  # fmt: skip
        rows.append([words, *(spread(values, form).replace("-", "−") if values else "" for values in cells)])
    return table(*rows)


def timing_draws():
    runs = [timing(name)["peephole"] for name in ("thirty_seeds/writeup", "draws/1")]
    solve = np.array([rates(run) for run in runs])
    failed, (one, other) = solve < 0.99, [ranks(row) for row in solve]
    n, agreement, rng = failed.shape[1], np.corrcoef(one, other)[0, 1], np.random.default_rng(0)
    chance = np.array([np.corrcoef(one, rng.permutation(other))[0, 1] for _ in range(10000)])
    p = ((chance >= agreement).sum() + 1) / (len(chance) + 1)
    rows = [["the write-up's recipe, with peepholes", *TIMING_HEAD[1:]]]
    for words, run in zip(("training sequences of the seed", "drawn anew, the same initial weights"), runs):
        rows.append([words, *timing_row("", run)[2:]])
    blank = [""] * (len(rows[0]) - 2)
    return table(
        *rows,
        ["rank correlation of the seeds' solve rates", f"{agreement:.2f} (p = {p:.2g})".replace("-0", "−0"), *blank],
        ["seeds that fail both times; expected if failing were independent",
         f"{failed.all(axis=0).sum()} of {n}; {failed.mean(axis=1).prod() * n:.1f}", *blank],
    )  # fmt: skip


def timing_generate():
    names = {f"gts-{F}": f"spikes, period {F}" for F in (10, 20, 30, 50)}
    names |= {f"{wave}-{F}": f"{wave}, period {F}" for wave in ("cos", "triangle", "rectangle") for F in (10, 25)}
    rows = [["", *(f"{kind}: {what}" for kind in KIND.values() for what in
                   ("solved at 150 steps", "mean squared error", "right for 1,500 steps", "… until step"))]]  # fmt: skip
    for name, words in names.items():
        row = [words]
        for run in timing(f"generate/{name}").values():
            period = int(name.split("-")[1])
            whole = 1500 if name.startswith("gts") else 1500 // period * period
            row += [counted(rates(run) >= 0.99), spread(run["test_mse"], ".1e"),
                    counted([value == whole for value in run["exact_until"]]),
                    spread(run["exact_until"], ",.0f")]  # fmt: skip
        rows.append(row)
    return table(*rows)


# ------------------------------------------------------------------------------------------ the tables of 1997

READINGS = {"caption": "caption", "equations": "equations", "squared": "with slope", "mixed": "slope + 0.1",
            "entropy": "without slope"}  # fmt: skip


def paper_row(name):
    """results.json of a row of the paper's tables, or None if it was not run."""
    folder = ROOT / "results" / PAPER / name
    if not (folder / "results.json").exists():
        return None
    return load_run(folder, PAPER, "make paper", arrays=False)[0]


def reading(study):
    """results.json of a study of readings, and its one run; or None twice if it was not run."""
    if not (ROOT / "results" / PAPER / study / "results.json").exists():
        return None, None
    results, _ = load_run(ROOT / "results" / PAPER / study, PAPER, "make lstm_1997-readings", arrays=False)
    return results, next(iter(results["runs"].values()))


def met(run, rule=-1):
    """Sequences of the trials that met a rule."""
    return [n for n in run["rules"][rule]["sequences"] if n is not None]


def average(values, form):
    """The mean of the values that there are, as text."""
    there = [value for value in values if value is not None]
    return f"{np.mean(there):{form}}" if there else "–"


def verdict(run, stated, rule, n):
    """Whether a row's mean is the paper's, by the rule that README.md states."""
    here = met(run, rule)
    if len(here) < 0.9 * n:
        return "fails"
    ratio = np.mean(here) / stated
    if 1 / 1.5 <= ratio <= 1.5:
        return "same"
    return f"slower by {ratio:.1f}" if ratio > 1 else f"faster by {1 / ratio:.1f}"


def paper_tables():
    rows = [["row", "weights", "reading", "paper: sequences", "its wrong of 2,560", "**solved**", "**mean**",
             "median [range]", "**wrong of 2,560**", "mean abs. error", "mean squared error", "verdict"]]  # fmt: skip
    for name, stated in paper_row("6a")["runs"]["6a"]["paper"].items():
        results = paper_row(name)
        for rule, goal in enumerate(stated["sequences"]):
            words = name + (f", rule {rule + 1}" if len(stated["sequences"]) > 1 else "")
            wrong = stated["wrong"][rule]
            wrong = "–" if wrong is None else f"{wrong * 2560 if wrong < 1 else wrong:.3g}"
            if results is None:
                rows.append([words, "", "", f"{goal:,}", wrong, "", "", "", "", "", "", "not run"])
                continue
            run, config, n = results["runs"][name], results["config"], len(results["seeds"])
            here, told = met(run, rule), run["rules"][rule]
            how = [] if name[:2] in ("2a", "2b") else [READINGS[config["ranges"]]]
            how += [READINGS[config["cost"]]] + (["a change per step"] if config["update"] == "step" else [])
            how += ["cell from the start"] if name == "2a" and config["cell"] == "first" else []
            how += ["errors at the end"] if name == "2b" and config["errors"] == "end" else []
            cells = [
                f"{len(here)}/{n} ({wilson(len(here), n)})",
                f"{np.mean(here):,.0f}" if here else "–",
                spread(here, ",.0f"),
            ]
            cells += [average(told["wrong"], ".1f"), average(told["mean_error"], ".4f"), average(told["mse"], ".1e")]
            rows.append([words, f"{run['trainable_parameters']:,}", ", ".join(how), f"{goal:,}", wrong, *cells,
                         verdict(run, goal, rule, n)])  # fmt: skip
    return table(*rows)


def share_and_mean(study):
    """Trials that met the last rule, and the mean of their sequences, as text."""
    results, run = reading(study)
    if run is None:
        return "not run"
    here = met(run)
    return f"{len(here)}/{len(results['seeds'])}" + (f", {np.mean(here):,.0f}" if here else "")


def paper_readings():
    head = [f"{READINGS[ranges]}, {READINGS[cost]}" for ranges in ("equations", "caption")
            for cost in ("squared", "mixed", "entropy")]  # fmt: skip
    rows = [["row", "the paper", *head]]
    stated = paper_row("6a")["runs"]["6a"]["paper"]
    for name in "1-5", "2c-1", "3a-1", "4-1", "6a":
        for update in ("sequence", "step") if name == "1-5" else ("",):
            cells = (f"readings/{name}-{ranges}-{cost}" + (f"-{update}" if update else "")
                     for ranges in ("equations", "caption") for cost in ("squared", "mixed", "entropy"))  # fmt: skip
            words = {"sequence": ", a change per sequence", "step": ", a change per step"}.get(update, "")
            rows.append([name + words, f"{stated[name]['sequences'][-1]:,}", *map(share_and_mean, cells)])
    return table(*rows)


def paper_grammar():
    rows = [["", "solved", "strings wrong where it takes the grammar", "where it takes the memory",
             "mean size of states"]]  # fmt: skip
    found = {f"row {row}, trials 0 to 29": f"{row}" for row in ("1-1", "1-2", "1-3", "1-4", "1-5")}
    found["row 1-5, trials 0 to 29: equations, the full gradient"] = "readings/1-5-full"
    found |= {f"row 1-5, trials 100 to 109: {words}": f"readings/{name}" for name, words in GRAMMAR.items()}
    for words, name in found.items():
        results, run = reading(name)
        if run is None:
            rows.append([words, "not run", "", "", ""])
            continue
        shares = (per_cent(run["measures"][measure]) for measure in ("grammar_wrong", "memory_wrong"))
        cells = [spread(values, ".1f") + " %" for values in shares] + [spread(run["measures"]["state"], ".1f")]
        rows.append([words, f"{len(met(run))}/{len(results['seeds'])}", *cells])
    return table(*rows)


LEVELS = {0.9: "fewer than nine in ten", 0.01: "at most 1 %", 0.001: "at most 0.1 %", 0.0: "none"}


def paper_phases():
    rows = [["of 10,000 fresh sequences are wrong", "the paper: none", *LEVELS.values()]]
    stated = paper_row("6a")["runs"]["6a"]["paper"]
    points = {"2c-1": "row 2c-1", "2c-2": "row 2c-2", "2c-3": "row 2c-3", "readings/2c-1-rate": "2c-1 at twice the rate",
              "readings/2c-2-caption-mixed": "2c-2", "readings/2c-2-rate": "2c-2 at twice the rate"}  # fmt: skip
    for point, words in points.items():
        _, run = reading(point)
        name = point.removeprefix("readings/")[:4]
        goal = f"{stated[name]['sequences'][-1]:,}"
        if run is None:
            rows.append([words, goal, "not run", "", "", ""])
            continue
        step, wrong = np.array(run["history"]["step"]), np.array(run["history"]["wrong"], float)
        cells = []
        for level in LEVELS:
            there = wrong < level if level == 0.9 else wrong <= level
            first = np.where(there.any(axis=0), step[there.argmax(axis=0)], np.inf)
            some = first[np.isfinite(first)]
            cells.append(f"{len(some)}/{len(first)}" + (f", {np.median(some):,.0f}" if len(some) else ""))
        rows.append([f"{words}, by {step[-1]:,}", goal, *cells])
    return table(*rows)


def paper_first_pair():
    names = {"4-1-caption-entropy": "its value counts as 0 (table above)", "4-1-counted": "its value counts",
             "4-1-unmarked": "it is not marked, and there is one mark"}  # fmt: skip
    rows = [["row 4-1: the first pair is the one to be marked", "solved, mean"]]
    rows += [[words, share_and_mean(f"readings/{name}")] for name, words in names.items()]
    return table(*rows)


GRAMMAR = {
    "1-5-equations-squared-sequence": "equations, a change per sequence",
    "1-5-equations-squared-step": "equations, a change per step",
    "1-5-caption-squared-sequence": "caption, a change per sequence",
    "1-5-caption-squared-step": "caption, a change per step",
    "1-5-equations-full": "equations, the full gradient",
    "1-5-caption-full": "caption, the full gradient",
    "1-5-memory": "caption, a change per step, errors only where it takes the memory",
}


def paper_task_2():
    rows = [["", "solved, mean", "the paper"]]
    stated = paper_row("6a")["runs"]["6a"]["paper"]
    for name, words in TASK_2.items():
        rows.append([words, share_and_mean(f"readings/{name}"), f"{stated[name[:2]]['sequences'][-1]:,}"])
    return table(*rows)


def paper_gates():
    run = paper_row("6a")["runs"]["6a"]
    names = {"in_gate_marked": "its input gate at X and Y", "in_gate_elsewhere": "its input gate elsewhere",
             "state": "size of states at the end, mean over cells"}  # fmt: skip
    rows = [["row 6a, after training, the block that tells X and Y most", "median [range] over trials"]]
    rows += [[words, spread(run["measures"][name], ".3f")] for name, words in names.items()]
    return table(*rows)


TASK_2 = {
    "2a-late": "2a, the cell added when the error has stopped falling",
    "2a-sequence": "2a, the cell from the start, a change per sequence",
    "2a-sequence-squared": "2a, the same, errors with slope",
    "2b-end": "2b, the cell added late, an error at the end alone",
    "2b-first": "2b, the cell from the start, an error at the end alone",
    "2b-squared": "2b, the cell added late, an error at the end alone, with slope",
    "2b-every": "2b, the cell added late, errors at every step",
}


LATCH = "information_latching"
LATCHED = 0.99
LATCH_NAME = {"srnn": "simple RNN", "lstm": "LSTM", "gru": "GRU", "lstm-1997": "LSTM without forget gate"}
TIME = {"figure/shuffled": "rate 0.001, 5 epochs", "time/epochs": "rate 0.001, 15 epochs",
        "time/rate": "rate 0.01, 5 epochs", "time/both": "rate 0.01, 15 epochs"}  # fmt: skip
BIASES = {"hard-1": "1, hard (the question's)", "hard-log": "log T, hard", "hard-5": "5, hard",
          "sigmoid-1": "1, logistic", "sigmoid-log": "log T, logistic", "sigmoid-5": "5, logistic"}  # fmt: skip


def latch(point):
    """results.json of a point of a study of latching."""
    target = f"make {LATCH}-{point.split('/')[0]}"
    return load_run(ROOT / "results" / LATCH / point, LATCH, target, arrays=False)[0]


def latch_measure(run, name):
    """A measure of all networks of a run, NaN of one that diverged."""
    return np.array(run["measures"][name], float)


def latched(run):
    """How many networks of a run latch, of how many."""
    fresh = latch_measure(run, "fresh_accuracy")
    return f"{(fresh >= LATCHED).sum()}/{len(fresh)}"


def latch_figure():
    asker, shuffled = latch("figure/asker")["runs"], latch("figure/shuffled")["runs"]
    names = [f"{LATCH_NAME[kind]}{words}" for words in (": as asked", ", fresh sequences", ", latch")
             for kind in ("srnn", "lstm")]  # fmt: skip
    rows = [["T", *names, *(f"shuffled: {LATCH_NAME[kind]}" for kind in LATCH_NAME)]]
    for T in 2, 5, 10, 20, 30, 50, 100, 150, 200:
        runs = [asker[f"{kind}-{T}"] for kind in ("srnn", "lstm")]
        cells = [f"{np.nanmean(np.array(run['final']['val_accuracy'], float)):.2f}" for run in runs]
        cells += [f"{np.nanmean(latch_measure(run, 'fresh_accuracy')):.2f}" for run in runs]
        cells += [latched(run) for run in runs] + [latched(shuffled[f"{kind}-{T}"]) for kind in LATCH_NAME]
        rows.append([f"{T}", *cells])
    return table(*rows)


def latch_update():
    found = {task: latch(f"update/{task}")["runs"] for task in ("latch", "bit-relay")}
    kinds = ("srnn", "lstm", "gru")
    rows = [
        [words for task in ("latch", "bit relay") for words in (f"{task}, T", *(LATCH_NAME[kind] for kind in kinds))]
    ]
    lengths = {task: sorted({run["T"] for run in runs.values()}) for task, runs in found.items()}
    for pair in zip(*lengths.values()):
        cells = []
        for (_, runs), T in zip(found.items(), pair):
            cells.append(f"{T}")
            for kind in kinds:
                accuracy = np.array(runs[f"{kind}-{T}"]["final"]["val_accuracy"], float)
                cells.append(f"{np.nanmean(accuracy):.2f} ± {np.nanstd(accuracy):.2f}")
        rows.append(cells)
    return table(*rows)


def latch_time():
    lengths = (50, 100, 200)
    rows = [["", *(f"{LATCH_NAME[kind]}, T = {T}" for kind in LATCH_NAME for T in lengths)]]
    for point, words in TIME.items():
        runs = latch(point)["runs"]
        rows.append([words, *(latched(runs[f"{kind}-{T}"]) for kind in LATCH_NAME for T in lengths)])
    return table(*rows)


def latch_share(run):
    """How many networks of a run latch, with the interval of the share."""
    fresh = latch_measure(run, "fresh_accuracy")
    k, n = int((fresh >= LATCHED).sum()), len(fresh)
    return f"{k}/{n} ({wilson(k, n)})"


def latch_gates():
    lengths = (10, 50, 100, 200)
    rows = [["forget gate's bias, gates", "retention f before training, T = 50", "derivative, T = 50",
             "derivative, T = 200", *(f"latch, T = {T}" for T in lengths)]]  # fmt: skip
    points = [(point, "lstm", words) for point, words in BIASES.items()]
    points += [(point, "lstm-1997", f"no forget gate, {words}") for point, words in
               (("hard-1", "hard"), ("sigmoid-1", "logistic"))]  # fmt: skip
    for point, kind, words in points:
        runs = latch(f"gates/{point}")["runs"]
        kept = np.nanmean(latch_measure(runs["lstm-50"], "forget_gate_before")) if kind == "lstm" else 1
        left = (np.nanmedian(latch_measure(runs[f"{kind}-{T}"], "first_input_gradient_before")) for T in (50, 200))
        rows.append([words, f"{kept:.3f}", *(f"{value:.0e}" for value in left),
                     *(latch_share(runs[f"{kind}-{T}"]) for T in lengths)])  # fmt: skip
    return table(*rows)


def latch_feedback():
    points = [("gates/hard-1", "lstm", "the question's"), ("gates/hard-5", "lstm", "forget gate's bias 5, hard"),
              ("gates/sigmoid-5", "lstm", "forget gate's bias 5, logistic"),
              ("gates/hard-1", "lstm-1997", "no forget gate, hard"),
              ("answer/without-rate", "lstm", "forget gate 8, input gate −6, logistic")]  # fmt: skip
    rows = [["", *(f"T = {T}, h feeds {back}" for T in (100, 200) for back in ("the state", "against it"))]]
    for point, kind, words in points:
        cells = []
        for T in 100, 200:
            run = latch(point)["runs"][f"{kind}-{T}"]
            yes, weight = (latch_measure(run, name) for name in ("fresh_accuracy", "recurrent_weight_before"))
            cells += [f"{(yes[side] >= LATCHED).sum()}/{side.sum()}" for side in (weight > 0, weight < 0)]
        rows.append([words, *cells])
    return table(*rows)


ANSWER = {
    "gates/hard-1": "the question's: hard gates, input gate's bias 0, forget gate's 1",
    "gates/sigmoid-1": "logistic gates, the same biases",
    "answer/forget-alone": "logistic gates, forget gate 8",
    "answer/input-alone": "logistic gates, input gate −6",
    "answer/without-rate": "**logistic gates, input gate −6, forget gate 8**",
    "answer/fresh": "the same, seeds 200 to 229",
    "answer/confirmed": "the same, seeds 0 to 29, rate 0.03",
    "answer/chosen": "the same, rate 0.03, seeds 100 to 129, on which biases were chosen",
    "answer/rate-alone": "logistic gates, rate 0.03",
    "answer/without-input": "logistic gates, rate 0.03, forget gate 8",
    "answer/without-forget": "logistic gates, rate 0.03, input gate −6",
    "answer/hard": "hard gates, input gate −2.5, forget gate 5, rate 0.005",
}


def latch_answer():
    rows = [["one LSTM unit, 5 epochs", *(f"T = {T}: {words}" for T in (100, 200) for words in
             ("latch", "accuracy, median [range]", "at ten times the length"))]]  # fmt: skip
    for point, words in ANSWER.items():
        cells = []
        for T in 100, 200:
            run = latch(point)["runs"][f"lstm-{T}"]
            longer = np.nanmedian(latch_measure(run, "ten_times_accuracy"))
            cells += [latch_share(run), spread(run["measures"]["fresh_accuracy"], ".3f"), f"{longer:.3f}"]
        rows.append([words, *cells])
    return table(*rows)


def latch_gradient():
    runs = latch("figure/shuffled")["runs"]
    rows = [["T", *(f"{LATCH_NAME[kind]}, {when}" for kind in LATCH_NAME for when in
             ("before training", "after, latched", "after, not"))]]  # fmt: skip
    for T in 2, 10, 50, 100, 200:
        cells = []
        for kind in LATCH_NAME:
            before, after, fresh = (latch_measure(runs[f"{kind}-{T}"], name) for name in (
                "first_input_gradient_before", "first_input_gradient_after", "fresh_accuracy"))  # fmt: skip
            for values in before, after[fresh >= LATCHED], after[fresh < LATCHED]:
                cells.append(f"{np.median(values):.0e}" if len(values) else "–")
        rows.append([f"{T}", *cells])
    return table(*rows)


def latch_longer():
    runs, lengths = latch("figure/shuffled")["runs"], (10, 20, 50, 100, 200)
    rows = [["networks that latch at T, and of these at ten times T", *(f"T = {T}" for T in lengths)]]
    for kind, words in LATCH_NAME.items():
        cells = []
        for T in lengths:
            at_T, longer = (latch_measure(runs[f"{kind}-{T}"], f"{name}_accuracy") for name in ("fresh", "ten_times"))
            cells.append(f"{(longer[at_T >= LATCHED] >= LATCHED).sum()} of {(at_T >= LATCHED).sum()}")
        rows.append([words, *cells])
    return table(*rows)


# ------------------------------------------------------------------------------------------------ benchmarks


def benchmark(name):
    """results/benchmarks/NAME.json; exits with status 1 and one line if it is missing or damaged."""
    path = ROOT / "results" / "benchmarks" / f"{name}.json"
    try:
        results = json.loads(path.read_text())
        if (results["benchmark"], results["schema"]) != (name, 1):
            sys.exit(f"{path} is not of benchmarks/{name}.py, schema 1")
        return results
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: make bench")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")


def beside(found, name):
    """A contestant's milliseconds for a seed, and ours / theirs; a star where its network is only the nearest."""
    if name not in found:
        return "–"
    star = "" if found[name]["same_network"] else "*"
    return f"{three_digits(found[name]['median_ms_per_seed'])}{star} (**{found[name]['ours_by_theirs']:.2f}**)"


def three_digits(value):
    return f"{value:#.3g}".rstrip(".")


def bench_steps():
    rows = [["", "seeds", "ours: median [least–most]", "PyTorch's nn", "PyTorch by hand", "JAX, compiled"]]
    for name, case in benchmark("step_time")["cases"].items():
        for S, found in case["seeds"].items():
            ours = found["ours"]
            low, middle, high = (three_digits(ours[key] / int(S)) for key in ("min_ms", "median_ms", "max_ms"))
            peers = [beside(found, peer) for peer in ("PyTorch fused", "PyTorch by hand", "JAX")]
            rows.append([name if S == "1" else "", S, f"{middle} [{low}–{high}]", *peers])
    return table(*rows)


def bench_before():
    """Seconds before the second step: imports, and the first step, least and most over networks and numbers of seeds."""
    results = benchmark("step_time")
    rows = [["seconds", "ours", "PyTorch's nn", "PyTorch by hand", "JAX, compiled"]]
    imports = [results["import_s"].get(package) for package in ("numpy", "torch", "torch", "jax")]
    first = [[found[name]["first_step_s"] for case in results["cases"].values() for found in case["seeds"].values()
              if name in found] for name in ("ours", "PyTorch fused", "PyTorch by hand", "JAX")]  # fmt: skip
    rows.append(["Python and imports", *(f"{value:.2f}" if value else "–" for value in imports)])
    rows.append(["first step", *(f"{min(v):.2f}–{max(v):.2f}" if v else "–" for v in first)])
    return table(*rows)


LIMITS = "C, forward and backward", "C, 512-bit vectors"


def bench_limit():
    rows = [["forward and backward, ms a seed", "seeds", "ours", "C", "ours / C", "C, 512-bit vectors", "ours / C"]]
    for name, case in benchmark("step_time")["cases"].items():
        for S, found in case["seeds"].items():
            if LIMITS[0] not in found:
                continue
            ours, cells = found["ours, forward and backward"], []
            for limit in LIMITS:
                there = found.get(limit)
                cells += [f"{there['median_ms_per_seed']:.3f}", f"**{there['ours_by_theirs']:.1f}**"] if there else ["–"] * 2
            rows.append([name if S == "1" else "", S, f"{ours['median_ms_per_seed']:.3f}", *cells])
    return table(*rows)


def bench_where():
    """By count, where the time of the most seeds goes: calls at the price of empty ones, arithmetic at C's pace, the rest."""
    results = benchmark("step_time")
    rows = [["forward and backward", "seeds", "ours, ms", "NumPy calls", "what as many empty ones take", "million products",
             "million tanh", "what C takes for all of it", "the rest", "MB read and written by all calls"]]  # fmt: skip
    for name, case in results["cases"].items():
        S = max(case["counts"], key=int)
        found, counts = case["seeds"][S], case["counts"][S]
        limits = [found[limit]["median_ms"] for limit in LIMITS if limit in found]
        ours, calls = found["ours, forward and backward"]["median_ms"], counts["calls"] * results["cost_of_a_call_us"] / 1e3
        arithmetic = min(limits, default=None)
        rest = [f"{arithmetic:.1f} ms", f"{ours - calls - arithmetic:.1f} ms"] if limits else ["–", "–"]
        rows.append([name, S, f"{ours:.1f}", f"{counts['calls']:,}", f"{calls:.1f} ms",
                     f"{counts['multiplications'] / 1e6:.1f}", f"{counts['tanh'] / 1e6:.2f}", *rest,
                     f"{counts['bytes'] / 1e6:,.0f}"])  # fmt: skip
    return table(*rows)


def bench_headline():
    rows = [["from the shell to the end, seconds", "ours", "PyTorch's steps", "ours / PyTorch", "JAX's steps", "ours / JAX"]]
    for script, found in benchmark("headline")["experiments"].items():
        cells = [f"`{script}.py`", seconds_of(found["by"]["ours"])]
        for name in "PyTorch", "JAX":
            there = found["by"].get(name)
            less = "< " if there and there["stopped"] else ""
            cells += [seconds_of(there), f"**{less}{there['ours_by_theirs']:.2f}**"] if there else ["–", "–"]
        rows.append(cells)
    return table(*rows)


def seconds_of(runs):
    """The median time of runs, and how many there were if not three."""
    once = "" if len(runs["seconds"]) == 3 else " (one run)" if not runs["stopped"] else " (stopped)"
    return f"{'> ' if runs['stopped'] else ''}{runs['median_s']:.1f}{once}"


def bench_scaling():
    """Exponents of time in each size, and the memory of the largest."""
    rows = [["time grows with the power", "of S, from 30", "of T, from 200", "of B, from 32", "of H, from 16",
             "memory at T = 1000, thirty seeds"]]  # fmt: skip
    for name, network in benchmark("scaling")["networks"].items():
        curves = {curve["axis"]: curve for curve in network["curves"] if curve["S"] != 1}
        memory = curves["T"]["points"][-1]["megabytes"]
        rows.append([name, *(f"{curves[axis]['exponent']:.2f}" for axis in "STBH"), f"{memory:,.0f} MB"])
    return table(*rows)


TABLES = {"order-seeds": order_seeds, "order-recipe": order_recipe, "order-length": order_length,
          "order-ablations": order_ablations, "order-claims": order_claims, "product-seeds": product_seeds,
          "product-recipe": product_recipe, "product-stuck": product_stuck, "product-ablations": product_ablations,
          "product-cells": product_cells, "product-lag": product_lag, "product-registers": product_registers,
          "timing-seeds": timing_seeds, "timing-paired": timing_paired, "timing-recipe": timing_recipe,
          "timing-clock": timing_clock, "timing-draws": timing_draws, "timing-ablations": timing_ablations,
          "timing-length": timing_length, "timing-generate": timing_generate,
          "paper-tables": paper_tables, "paper-readings": paper_readings, "paper-grammar": paper_grammar,
          "paper-task-2": paper_task_2, "paper-gates": paper_gates,
          "paper-phases": paper_phases, "paper-first-pair": paper_first_pair,
          "latch-figure": latch_figure, "latch-update": latch_update, "latch-time": latch_time,
          "latch-gates": latch_gates, "latch-feedback": latch_feedback, "latch-answer": latch_answer,
          "latch-gradient": latch_gradient, "latch-longer": latch_longer,
          "bench-steps": bench_steps, "bench-before": bench_before, "bench-limit": bench_limit, "bench-where": bench_where,
          "bench-headline": bench_headline,
          "bench-scaling": bench_scaling}  # fmt: skip


def main(argv=None):
    """Rewrite or check README.md; returns the exit status, 1 if --check finds a stale table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if a table is stale")
    options = parser.parse_args(argv)
    path = ROOT / "README.md"
    text = path.read_text()
    found = re.findall(r"<!-- table: (\S+) -->", text)
    if sorted(found) != sorted(TABLES):
        sys.exit(f"README.md has markers for {sorted(found)}, where {sorted(TABLES)} are wanted")
    new = re.sub(
        r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}{TABLES[m[2]]()}\n{m[3]}",
        text,
        flags=re.DOTALL,
    )
    if options.check:
        if new != text:
            sys.exit("README.md has a stale table; to renew it: python3 visualize/readme_tables.py")
        return 0
    path.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
