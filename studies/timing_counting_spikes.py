"""Studies of timing_counting_spikes.py: runs, measures of networks, tables and sentences of the report."""

import math

import numpy as np

import timing_counting_spikes as lab
from studies.report import (
    bootstrap,
    compare_pairs,
    load_point,
    load_run,
    p_value,
    ranks,
    results_folder,
    share,
    spread,
    table,
)

# ---------------------------------------------------------------------------------------------------- points

TASKS = {
    "--task gts": (10, 20, 30, 50),
    "--task pfg --wave cos": (10, 25),
    "--task pfg --wave triangle": (10, 25),
    "--task pfg --wave rectangle": (10, 25),
}
GENERATORS = {f"{words.split()[-1]}-{period}": f"{words} --period {period}"
              for words, periods in TASKS.items() for period in periods}  # fmt: skip
PERIODS = {"gts": "--task gts --periods 10,15,20", "cos": "--task pfg --wave cos --periods 10,15,20"}
PERIODS_SETTINGS = {  # settings for several periods, compared on seeds 100 to 109
    "recipe": "",
    "rate": " --lr 0.01",
    "cells": " --hidden 16",
    "steps": " --steps 18000",
    "cells-steps": " --hidden 16 --steps 18000",
    "cells-rate": " --hidden 16 --lr 0.01",
    "cells-rate-steps": " --hidden 16 --lr 0.01 --steps 18000",
    "clip": " --clip 0.1",
    "biases": " --input-gate-bias -4 --forget-gate-bias 5",
}
LONGER = {300: ("30-59", 4000), 600: ("30-44", 8000), 1000: ("30-39", 13000)}  # seeds and steps of a length
FORGET = {"": "", "-no-forget": " --no-forget-gate"}  # suffixes of points, and their options
POINTS = {
    "thirty_seeds/default": "--seeds 0-29",
    "thirty_seeds/writeup": "--seeds 0-29 --recipe writeup",
    "thirty_seeds/default-fresh": "--seeds 30-59",
    "thirty_seeds/writeup-fresh": "--seeds 30-59 --recipe writeup",
    # Does the write-up's learning rate cause its failures?
    **{f"recipe/{name}": f"--seeds 0-29 --peep --recipe writeup --schedule {name}" for name in ("cosine", "constant")},
    # Do the initial weights cause them? The same weights with other training sequences.
    "draws/1": "--seeds 0-29 --peep --recipe writeup --draw 1",
    # Other cells.
    "ablations/no-forget-gate": "--seeds 0-29 --no-forget-gate",
    "ablations/zero-peepholes": "--seeds 0-29 --peep --peephole-std 0",
    "ablations/zero-peepholes-writeup": "--seeds 0-29 --peep --peephole-std 0 --recipe writeup",
    # Longer sequences.
    "length/300": "--seeds 0-14 --T 300 --D-min 60 --D-max 120 --steps 4000",
    "length/600": "--seeds 0-4 --T 600 --D-min 120 --D-max 240 --steps 8000",
    # The same on fresh seeds, longer, and with cells that cannot forget.
    **{f"longer/{T}{suffix}": f"--seeds {seeds} --T {T} --D-min {T // 5} --D-max {2 * T // 5} --steps {steps}{option}"
       for T, (seeds, steps) in LONGER.items() for suffix, option in FORGET.items()},
    # Spikes and waves: the seeds on which the recipes were chosen, fresh seeds, and cells that cannot forget.
    **{f"generate/{name}": f"--seeds 0-9 {words}" for name, words in GENERATORS.items()},
    **{f"generate-fresh/{name}{suffix}": f"--seeds 30-59 {words}{option}"
       for suffix, option in FORGET.items() for name, words in GENERATORS.items()},
    # Several periods in one network, named by the start signal.
    **{f"periods/{task}-{name}": f"--seeds 100-109 {words}{settings}"
       for task, words in PERIODS.items() for name, settings in PERIODS_SETTINGS.items()},
}  # fmt: skip
THERE = (
    "periods/gts-cells",
    "periods/gts-cells-rate",
    "periods/gts-cells-rate-steps",
    "periods/gts-cells-steps",
    "periods/gts-clip",
    "periods/gts-rate",
    "periods/gts-recipe",
    "periods/gts-steps",
)  # of several periods
PENDING = tuple(  # points whose runs have not finished
    name
    for name in POINTS
    if name.startswith(("longer/600", "longer/1000", "generate-fresh/", "periods/")) and name not in THERE
)
WEIGHTS = tuple(name for name in POINTS if name.startswith("thirty_seeds/"))  # points whose weights are kept

# -------------------------------------------------------------------------------------------------- measures

SETTLE = 5  # settled steps leave out this number of steps after a spike
LAST = 10  # in this number of steps before the target, the number of steps left is read from the cells
AVERAGED = 100, 500, 1000  # steps over which collapses.py takes means of weights
NOISE = 0.01  # standard deviation of a read-out's noise, relative to the standard deviation of a cell
BLUR = 4  # the random stream of a seed's noise; the script uses 0 to 3


def measure(options, name, theta):
    """Measures of the networks name of a run, before and after training. theta (S, P): trained parameters.

    Returns {"measures": {name: (S,)}, "untrained": {name: (S,)}}; see measure_distances, measure_run_on, cut_peepholes.
    """
    cell, batches = lab.cell_of(options, name), lab.held_out(options)
    found = {}
    for when, weights in ("measures", theta), ("untrained", lab.init_theta(cell, options)):
        net = lab.Network(cell, weights, options.T, batches[0][1].shape[2], backward=False)
        if options.task == "msd":
            found[when] = measure_distances(net, batches, options)
        else:
            found[when] = measure_run_on(options, *lab.run_on(cell, weights, options))
        found[when] |= cut_peepholes(net, batches, options)
    return found


def cut_peepholes(net, batches, options):
    """Solve rates (S,) if the peepholes of one kind of gate, or of all gates, are 0: {"solve_rate_without_o": ...}."""
    if not net.cell.peephole:
        return {}
    rates, peep = {}, net.p.peep.copy()
    for gate in *net.cell.gates, "all":
        net.p.peep[:, slice(None) if gate == "all" else net.cell.gates.index(gate)] = 0
        rates[f"solve_rate_without_{gate}"] = lab.evaluate(net, batches, options)[1]
        net.p.peep[...] = peep
    return rates


def spike_steps(x, y):
    """Steps of the second input spike and of the target, (S, n) each, of msd sequences x (T, 1, S, n), y (T, S, n)."""
    return len(x) - 1 - x[::-1, 0].argmax(axis=0), y.argmax(axis=0)


def steps_off(x, y, output):
    """Steps from the target to the answer, the largest of the outputs (T, S, n) after the second spike: (S, n)."""
    second, target = spike_steps(x, y)
    behind = np.arange(len(x))[:, None, None] > second
    return np.where(behind, output, -np.inf).argmax(axis=0) - target


def paths(c, second, target):
    """Measures of the changes (moves) of cell states c (T, S, H, n) after the second spike: {name: share (S,)}.

    monotone: the share of all cells and sequences in which c moves in one direction at every step after the second
    spike, up to and including the target's step. monotone_settled: the same in the settled steps: all these steps
    except the first SETTLE and the target's.
    straight: |sum of c's moves| divided by the sum of |moves| in the settled steps, mean over cells and sequences.
    late_moves: the share of the sum of |moves| in the last quarter of the settled steps (1/4 for a linear ramp).
    on_time: the share of all cells and sequences in which c's largest move, from the settled steps to the end of the
    sequence, comes within one step of the target's.
    """
    move = np.diff(c, axis=0)
    t = np.arange(1, len(c))[:, None, None]  # the step of each move
    begin, end = second + np.clip(target - second - 2, 0, SETTLE), target - 1

    def one_way(first, last):  # at all steps from first + 1 to last
        outside = ((t <= first) | (t > last))[:, :, None]
        return ((move > 0) | outside).all(axis=0) | ((move < 0) | outside).all(axis=0)

    settled = (t > begin) & (t <= end)
    last_quarter = np.clip(t - end + (end - begin) / 4, 0, 1) * settled  # 1; a fraction for a step at the border
    size = np.abs(move)
    length = np.maximum(
        np.where(settled[:, :, None], size, 0).sum(axis=0), 1e-30
    )  # a state that does not move is not straight
    largest = np.where((t > begin)[:, :, None], size, 0).argmax(axis=0) + 1  # the step of the largest move
    shares = {
        "monotone": one_way(second, target),
        "monotone_settled": one_way(begin, end),
        "straight": np.abs(np.where(settled[:, :, None], move, 0).sum(axis=0)) / length,
        "late_moves": (size * last_quarter[:, :, None]).sum(axis=0) / length,
        "on_time": np.abs(largest - target[:, None]) <= 1,
    }
    return {name: share.mean(axis=(1, 2)) for name, share in shares.items()}


def read_out_error(cells, values, rng):
    """Root mean squared error of the best linear read-out of values (n, k) from cells (n, k, H), NaN if not finite.

    It is fitted to every second of the n sequences and measured on the others. Cells get noise of NOISE times their
    standard deviation. Without noise, a read-out could use differences that are too small for a network to use.
    """
    if not np.isfinite(cells).all():
        return np.nan
    cells = cells + NOISE * cells.std(axis=(0, 1)) * rng.standard_normal(cells.shape)
    (fitted, wanted), (tested, truth) = (
        (np.column_stack([cells[half].reshape(-1, cells.shape[2]), np.ones(values[half].size)]), values[half].ravel())
        for half in (slice(0, None, 2), slice(1, None, 2)))  # fmt: skip
    return np.sqrt(np.square(tested @ np.linalg.lstsq(fitted, wanted, rcond=None)[0] - truth).mean())


def correlation(a, b):
    """Pearson's correlation of a and b (..., n) along the last axis, (...); 0 where one of them is constant."""
    a, b = (values - values.mean(axis=-1, keepdims=True, dtype=float) for values in (a, b))
    return (a * b).sum(axis=-1) / np.maximum(np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1)), 1e-30)


def measure_distances(net, batches, options):
    """Measures of networks of the msd task over all held-out sequences: {name: (S,)}.

    timing_error: mean distance of the largest output (the answer) from the target, in steps. early_answers,
    late_answers: shares of answers before and after the target. within_one: share of answers that are at most one step
    off. answer_slope: the number of steps by which an answer comes later if the gap is one step longer (regression).
    gap_error: error of a linear read-out of the gap from c at the second spike, in steps (for gaps from 30 to 60, the
    error of a constant is 8.9). left_error: error of a read-out of the steps left to the target, 1 to LAST, from c at
    this step (the error of a constant is 2.9). best_cell_error: the same from the best single cell. timers: the share
    of cells with such an error of at most 1. The last three are missing if gaps can be shorter than LAST.
    mirrors: the share of cells whose c at the second spike and c one step before it have a correlation of at most -0.9
    over sequences. The other measures are those of paths.
    """
    last = np.arange(1, LAST + 1)[:, None, None]
    seen = {name: [] for name in ("off", "gap", "before", "at_second", "left")}
    moves = []
    for x, y in batches:
        output, (second, target) = lab.forward(net, x), spike_steps(x, y)
        c = net.c[1:].swapaxes(1, 2).copy()  # (T, S, H, n)
        seen["off"].append(steps_off(x, y, output))
        seen["gap"].append(target - second)
        seen["before"].append(np.take_along_axis(c, second[None, :, None] - 1, axis=0)[0])
        seen["at_second"].append(np.take_along_axis(c, second[None, :, None], axis=0)[0])
        seen["left"].append(np.take_along_axis(c, np.maximum(target - last, 0)[:, :, None], axis=0))
        moves.append(paths(c, second, target))
    off, gap, before, at_second, left = (np.concatenate(parts, axis=-1) for parts in seen.values())
    H, n = at_second.shape[1:]
    left = left.transpose(1, 3, 0, 2)  # (S, n, LAST, H)
    steps_left = np.tile(last[:, 0, 0], (n, 1))

    def error(cells, values):
        return [
            read_out_error(of_seed, wanted, lab.stream(seed, BLUR))
            for seed, of_seed, wanted in zip(options.seeds, cells, values)
        ]

    measures = {
        "timing_error": np.abs(off).mean(axis=1),
        "early_answers": (off < 0).mean(axis=1),
        "late_answers": (off > 0).mean(axis=1),
        "within_one": (np.abs(off) <= 1).mean(axis=1),
        "answer_slope": 1 + correlation(off, gap) * off.std(axis=1) / np.maximum(gap.std(axis=1), 1e-30),
        "gap_error": np.array(error(at_second.transpose(0, 2, 1)[:, :, None], gap[:, :, None])),
        "mirrors": (correlation(before, at_second) <= -0.9).mean(axis=1),
    }
    if options.D_min >= LAST:
        same = [steps_left] * len(left)
        one_cell = np.array([error(left[..., k : k + 1], same) for k in range(H)])  # (H, S)
        measures |= {
            "left_error": np.array(error(left, same)),
            "best_cell_error": one_cell.min(axis=0),
            "timers": (one_cell <= 1).mean(axis=0),
        }
    return measures | {name: np.mean([shares[name] for shares in moves], axis=0) for name in moves[0]}


def measure_run_on(options, output, y):
    """Measures {name: (S,)} of networks of gts and pfg from outputs (T, S, n) and targets (T, n) of run_on.

    gts, exact_until: the first wrong step, or the number of steps if no step is wrong. If the network puts out no
    spike, this is step F of the first spike.
    pfg, rmse: root mean squared error over the training length. periods_held: the number of whole periods before the
    first one with a root mean squared error above lab.HELD. exact_until: the number of steps in these periods.
    If a network was trained for several periods, the values are those of the period that fails first, and played_F is
    the period that the network plays after the start signal of period F; see played.
    """
    T, S, _ = output.shape
    found = {f"played_{period}": played(options, output[: options.T, :, k], y[: options.T])
             for k, period in enumerate(options.periods) if len(options.periods) > 1}  # fmt: skip
    y = y[:, None]
    if options.task == "gts":
        wrong = (output > 0.5) != (y > 0.5)
        return found | {"exact_until": np.where(wrong.any(axis=0), wrong.argmax(axis=0), T).min(axis=1)}
    held = []
    for k, period in enumerate(options.periods):
        given_up = lab.period_errors(output[:, :, k], np.broadcast_to(y[..., k], (T, S)), period) > lab.HELD
        held.append(np.where(given_up.any(axis=0), given_up.argmax(axis=0), len(given_up)))
    held, periods = np.array(held), np.array(options.periods)[:, None]
    until = held * periods
    held = held[until.argmin(axis=0), np.arange(S)]
    rmse = np.sqrt(np.square(output - y)[: options.T].mean(axis=0)).max(axis=1)
    return found | {"rmse": rmse, "periods_held": held, "exact_until": until.min(axis=0)}


def played(options, output, y):
    """The period whose target y (T, n) is nearest to an output (T, S), by squared error, or 0 for a constant: (S,)."""
    errors = [np.square(output - y[:, k, None]).mean(axis=0) for k in range(len(options.periods))]
    errors.append(output.var(axis=0))  # the squared error of the best constant
    return np.array([*options.periods, 0])[np.argmin(errors, axis=0)]


# ---------------------------------------------------------------------------------------------------- tables

KIND = {"peephole": "with peepholes", "vanilla": "without"}
OURS, WRITEUP = "thirty_seeds/default", "thirty_seeds/writeup"  # the two recipes on seeds 0 to 29
OURS_FRESH, WRITEUP_FRESH = "thirty_seeds/default-fresh", "thirty_seeds/writeup-fresh"  # on seeds 30 to 59
LENGTHS = (300, 600)


def together(*points):
    """The results of points with different seeds as one run: {variant: {name: values}}.

    Per seed: solve_rate, test_mse, sequences_to_99, fell, all measures, and untrained/NAME, the measures before the
    first step. fell: whether the solve rate was at least 0.9 at one evaluation and below 0.5 at a later one.
    """
    runs = {}
    for point in points:
        results = load_point(lab, point)
        for variant, run in results["runs"].items():
            found = run["final"] | run["measures"] | {"sequences_to_99": run["sequences_to_99"]}
            found |= {f"untrained/{name}": values for name, values in run["untrained"].items()}
            solve = np.array(run["history"]["solve_rate"], float)
            best = np.maximum.accumulate(solve, axis=0)
            found |= {"fell": ((best >= 0.9) & (solve < 0.5)).any(axis=0).tolist()}
            for name, values in found.items():
                runs.setdefault(variant, {}).setdefault(name, []).extend(values)
    return runs


def rates(run):
    """Final solve rates (S,); 0 for a seed that diverged."""
    return np.array([value or 0.0 for value in run["solve_rate"]])


def solved(run):
    """Which seeds end at a solve rate of 0.99 or more, (S,) of bool."""
    return rates(run) >= lab.SOLVED


def waits(run):
    """Sequences to a solve rate of 0.99 (S,); infinity for a seed that never reaches it."""
    return np.array([np.inf if n is None else n for n in run["sequences_to_99"]])


def counted(yes):
    """The share of true values with its interval, as text."""
    return share(int(np.sum(yes)), len(yes))


def with_interval(values, form, statistic=np.mean):
    """A statistic of values with its 95 % bootstrap interval, as text."""
    found = statistic(np.asarray(values, float), axis=0), *bootstrap(values, statistic)
    return brackets(*(f"{value:{form}}" for value in found))


def brackets(value, low, high):
    """A number and the two ends of its interval or range, all as text, with true minus signs."""
    between = " to " if "-" in low + high else "–"
    return f"{value} [{low}{between}{high}]".replace("-", "−")


def two_digits(value):
    """A positive number as text, rounded to two significant digits, without an exponent."""
    decimals = 1 - math.floor(math.log10(float(f"{value:.1e}")))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def errors_of(run, unit):
    """Mean squared errors in a unit: median and range of the seeds that did not diverge, as text."""
    there = [error / unit for error in run["test_mse"] if error is not None]
    some = "" if len(there) == len(run["test_mse"]) else f", {len(there)} of {len(run['test_mse'])} seeds"
    return brackets(*map(two_digits, (np.median(there), min(there), max(there)))) + some


def signs(difference):
    """The numbers of differences above zero, below zero and equal to zero, and the p-value of the sign test."""
    more, less, p = compare_pairs(difference, 0)
    return more, less, len(difference) - more - less, p


def to_99(run):
    """Sequences to a solve rate of 0.99: median and range over all seeds. "never": not within the run."""
    needed = waits(run)
    words = ["never" if n == np.inf else f"{n:,.0f}" for n in (np.median(needed), needed.min(), needed.max())]
    return f"{words[0]} [{words[1]}–{words[2]}]"


HEAD = ["end at 0.99 or more", "solve rate: mean [95 % interval]", "solve rate: median [range]",
        "error in 10⁻⁵: median [range]", "sequences to 0.99: median [range]"]  # fmt: skip


def row_of(words, run):
    """The row of a run of msd in a table with the columns HEAD."""
    return [
        words,
        counted(solved(run)),
        with_interval(rates(run), ".3f"),
        spread(rates(run).tolist(), ".3f"),
        errors_of(run, 1e-5),
        to_99(run),
    ]


def timing_seeds():
    """Both recipes on seeds 0 to 59, and the write-up's results."""
    rows = [
        ["", *HEAD],
        ["the write-up, with peepholes", "2/7", "0.881", "0.900 [0.668–1.000]", "200 [46–350]", "–"],
        ["the write-up, without", "3/7", "0.873", "0.959 [0.600–1.000]", "160 [59–400]", "–"],
    ]
    sets = {
        "its recipe, seeds 0–59": (WRITEUP, WRITEUP_FRESH),
        "our recipe, seeds 0–29": (OURS,),
        "**our recipe, fresh seeds 30–59**": (OURS_FRESH,),
    }
    for words, points in sets.items():
        rows += [row_of(f"{words}, {KIND[kind]}", run) for kind, run in together(*points).items()]
    return table(*rows)


PAIRS = {
    "the write-up's recipe, seeds 0–59": (WRITEUP, WRITEUP_FRESH),
    "our recipe, seeds 0–29": (OURS,),
    "**our recipe, fresh seeds 30–59**": (OURS_FRESH,),
    "our recipe, seeds 0–59": (OURS, OURS_FRESH),
    "our recipe, no forget gates, seeds 0–29": ("ablations/no-forget-gate",),
    "our recipe, T = 300, seeds 0–14": ("length/300",),
    "our recipe, T = 600, seeds 0–4": ("length/600",),
}


def error_ratios(runs):
    """The error without peepholes divided by the error with them, for each seed of which no network diverged."""
    both, one = (np.array(runs[kind]["test_mse"], float) for kind in KIND)
    return (one / both)[np.isfinite(one / both)]


def geometric_mean(values):
    """The geometric mean of values with its 95 % bootstrap interval, as text."""
    logs = np.log(values)
    return brackets(*map(two_digits, np.exp([logs.mean(), *bootstrap(logs)])))


def paired(runs, values):
    """Differences of values(run), with peepholes minus without, for each seed."""
    return values(runs["peephole"]) - values(runs["vanilla"])


def sooner(runs):
    """For each seed: 1 if it reaches a solve rate of 0.99 sooner with peepholes, -1 if sooner without, 0 otherwise."""
    both, one = (waits(runs[kind]) for kind in KIND)
    return (both < one) * 1 - (both > one)


WRITEUPS_ERRORS = ((3.47, 4.00), (0.46, 1.00), (1.37, 1.07), (2.09, 2.93), (0.73, 2.39), (2.04, 0.59), (2.57, 1.56))
WRITEUPS_RATES = ((0.668, 0.600), (1, 1), (0.900, 1), (0.865, 0.645), (1, 0.904), (0.965, 1), (0.766, 0.959))
# the write-up's table of seeds 0 to 6, with peepholes and without: errors in 10^-3, solve rates


def writeups_ratios():
    """The ratio of errors of each seed of the write-up, (7,)."""
    both, one = np.array(WRITEUPS_ERRORS).T
    return one / both


def timing_pairs():
    """The error, the solve rate and the speed with peepholes and without, on the same seeds."""
    split = "with, without, equal"
    ratio = "error without, divided by error with: geometric mean [95 % interval]"
    rows = [["", "smaller error: with, without", ratio, f"higher solve rate: {split}", f"0.99 sooner: {split}"]]
    more, less, _, p = signs(np.log(writeups_ratios()))
    better = "{}, {}, {} ({})".format(
        *(found := signs(np.subtract(*np.array(WRITEUPS_RATES).T)))[:3], p_value(found[3])
    )
    rows.append(
        [
            "the write-up, its seeds 0–6",
            f"{more}, {less} ({p_value(p)})",
            geometric_mean(writeups_ratios()),
            better,
            "–",
        ]
    )
    for words, points in PAIRS.items():
        runs = together(*points)
        ratios = error_ratios(runs)
        more, less, _, p = signs(np.log(ratios))
        found = map(signs, (paired(runs, rates), sooner(runs)))
        splits = [f"{more}, {less}, {equal} ({p_value(p)})" for more, less, equal, p in found]
        rows.append([words, f"{more}, {less} ({p_value(p)})", geometric_mean(ratios), *splits])
    return table(*rows)


def timing_recipe():
    """Schedules of the learning rate."""
    names = {
        "recipe/constant": "the write-up's at a constant rate of 0.005",
        WRITEUP: "the write-up's: rate halved after 1,500 of 3,000 steps",
        "recipe/cosine": "the write-up's with a rate that falls to zero by a cosine",
        OURS: "**our recipe**",
    }
    ever, fell = "at 0.99 at some evaluation", "fell from 0.9 to below 0.5"
    rows = [["with peepholes, seeds 0–29", ever, fell, *HEAD[:2]]]
    for name, words in names.items():
        run = together(name)["peephole"]
        some, mean = row_of(words, run)[1:3]
        rows.append([words, counted(waits(run) < np.inf), counted(run["fell"]), some, mean])
    return table(*rows)


def timing_ablations():
    """Cells with other peepholes or without forget gates."""
    sets = {
        "zero-peepholes": ("our recipe", ", zero at first"),
        "no-forget-gate": ("our recipe", ", no forget gates (1997)"),
        "zero-peepholes-writeup": ("the write-up's recipe", ", zero at first"),
    }
    rows = [["seeds 0–29", *HEAD]]
    for name, (whose, words) in sets.items():
        runs = together(f"ablations/{name}")
        rows += [row_of(f"{whose}, {KIND[kind]}{words}", run) for kind, run in runs.items()]
    return table(*rows)


def timing_length():
    """Sequences of three lengths."""
    rows = [["our recipe", *HEAD]]
    for T in LENGTHS:
        name = f"length/{T}"
        config = load_point(lab, name)["config"]
        words = f"T = {T}, D {config['D_min']}–{config['D_max']}, {config['steps']:,} steps"
        rows += [row_of(f"{words}, {KIND[kind]}", run) for kind, run in together(name).items()]
    return table(*rows)


def timing_longer():
    """Longer sequences on fresh seeds, with forget gates and without."""
    rows = [["our recipe", "forget gates, peepholes", *HEAD]]
    for T, (_, steps) in LONGER.items():
        for suffix in FORGET:
            if (name := f"longer/{T}{suffix}") not in PENDING:
                words = f"T = {T}, D {T // 5}–{2 * T // 5}, {steps:,} steps"
                gates = "without" if suffix else "with"
                rows += [[words, f"{gates}, {KIND[kind].removesuffix(' peepholes')}", *row_of("", run)[1:]]
                         for kind, run in together(name).items()]  # fmt: skip
    return table(*rows)


ANSWERS = {  # measures of networks of msd: their text and number format in a table
    "timing_error": ("mean distance of the largest output from the target, steps", ".2f"),
    "within_one": ("share of sequences answered at most one step off", ".3f"),
    "answer_slope": ("steps by which the answer comes later if D is one step longer", ".2f"),
}
READ_OUTS = {
    "gap_error": ("read-out of D from all cells at the second spike: error in steps", ".2f"),
    "left_error": ("read-out of the steps left (1 to 10) from all cells: error in steps", ".2f"),
    "best_cell_error": ("read-out of the steps left from the best single cell: error in steps", ".2f"),
    "timers": ("share of cells with a read-out of the steps left whose error is at most 1", ".2f"),
}
PATHS = {
    "on_time": ("share of courses with their largest change within one step of the target", ".2f"),
    "late_moves": ("share of the total change in the last quarter of the wait", ".2f"),
    "monotone": ("share of courses that are monotone from the second spike to the target", ".3f"),
    "monotone_settled": ("share of courses that are monotone in the wait", ".3f"),
    "mirrors": ("share of cells that the second spike inverts", ".2f"),
}


def signed(text):
    """A number with its range, as text, with true minus signs."""
    return text.replace("–", " to ").replace("-", "−") if "-" in text else text


def measures_table(columns, measures):
    """A row for each measure: medians and ranges. columns: {words: (run, "" or "untrained/", seeds (S,) of bool)}."""
    rows = [["median [range] over seeds", *columns], ["seeds", *(int(np.sum(keep)) for *_, keep in columns.values())]]
    for name, (words, form) in measures.items():
        cells = [np.array(run[when + name], float)[keep].tolist() for run, when, keep in columns.values()]
        rows.append([words, *(signed(spread(values, form)) for values in cells)])
    return table(*rows)


def timing_clock():
    """Read-outs of the time from cells of our recipe, before and after training."""
    columns = {}
    for kind, run in together(OURS, OURS_FRESH).items():
        everyone = np.ones(len(run["solve_rate"]), bool)
        columns |= {
            f"{KIND[kind]}, untrained": (run, "untrained/", everyone),
            f"{KIND[kind]}, trained": (run, "", everyone),
        }
    return measures_table(columns, READ_OUTS | PATHS)


def timing_failed():
    """The behaviour of the write-up's networks that solve the task, and of those that do not."""
    columns = {}
    for kind, run in together(WRITEUP, WRITEUP_FRESH).items():
        yes = solved(run)
        columns |= {f"{KIND[kind]}, solved": (run, "", yes), f"{KIND[kind]}, not solved": (run, "", ~yes)}
    return measures_table(columns, ANSWERS | {name: READ_OUTS[name] for name in ("gap_error", "left_error")})


CUT = {"o": "output gates", "i": "input gates", "f": "forget gates", "all": "all gates"}


def timing_cuts():
    """Solve rates when the peepholes of trained networks are set to zero."""
    ours, theirs = (together(*points)["peephole"] for points in ((OURS, OURS_FRESH), (WRITEUP, WRITEUP_FRESH)))
    yes = solved(theirs)
    columns = {
        "our recipe": (ours, solved(ours)),
        "the write-up's, solved": (theirs, yes),
        "the write-up's, not solved": (theirs, ~yes),
    }
    rows = [["solve rate: median [range]", *(f"{words} ({keep.sum()} seeds)" for words, (_, keep) in columns.items())]]
    rows.append(["no peepholes cut", *(spread(rates(run)[keep].tolist(), ".2f") for run, keep in columns.values())])
    for gate, words in CUT.items():
        cells = [np.array(run[f"solve_rate_without_{gate}"])[keep].tolist() for run, keep in columns.values()]
        rows.append([f"those of {words} cut", *(spread(values, ".2f") for values in cells)])
    return table(*rows)


def draws():
    """Two runs of the write-up's recipe with the same initial weights and two sets of training sequences."""
    return [together(name)["peephole"] for name in (WRITEUP, "draws/1")]


def same_start():
    """How alike the final solve rates of the two runs of draws are: their rank correlation, and its p-value."""
    one, other = (ranks(rates(run)) for run in draws())
    agreement, rng = np.corrcoef(one, other)[0, 1], np.random.default_rng(0)
    chance = np.array([np.corrcoef(one, rng.permutation(other))[0, 1] for _ in range(10000)])
    return agreement, ((chance >= agreement).sum() + 1) / (len(chance) + 1)


GENERATED = {f"gts-{F}": f"spikes, period {F}" for F in (10, 20, 30, 50)}
GENERATED |= {f"{wave}-{F}": f"{wave}, period {F}" for wave in ("cos", "triangle", "rectangle") for F in (10, 25)}


def holds(name, run):
    """Which seeds of a generator make no mistake in all whole periods within 1,500 steps, (S,) of bool."""
    period = int(name.split("-")[1])
    whole = 1500 if name.startswith("gts") else 1500 // period * period
    return np.array(run["exact_until"]) == whole


def timing_generate():
    """Generators over the training length, and over ten times this length."""
    columns = "solved at 150 steps", "right for 1,500 steps", "error in 10⁻⁶: median [range]"
    kinds = "with", "without"
    rows = [["seeds 0–9, peepholes:", *(f"{column}, {kind}" for column in columns for kind in kinds)]]
    for name, words in GENERATED.items():
        runs = together(f"generate/{name}").values()
        learned = [counted(solved(run)) for run in runs] + [counted(holds(name, run)) for run in runs]
        rows.append([words, *learned, *(errors_of(run, 1e-6) for run in runs)])
    return table(*rows)


def timing_answers():
    """What the sections of the report answer."""
    fresh, ours, cell = together(OURS_FRESH), together(OURS, OURS_FRESH), together("ablations/no-forget-gate")
    p = signs(np.log(error_ratios(fresh)))[-1]
    assert p < 0.05 and all((rates(run) == 1).all() for run in ours.values())
    halved, cosine = (counted(solved(together(name)["peephole"])) for name in (WRITEUP, "recipe/cosine"))
    late = [f"{np.median(run['late_moves']):.2f}" for run in ours.values()]
    lengths = [[solved(run) for run in together(name).values()] for name in ("longer/300", "length/600")]
    solves = [" and ".join(map(counted, pair)) for pair in lengths]
    agreement, chance = same_start()
    assert chance > 0.05
    of_1997 = [counted(solved(run)) for run in cell.values()]
    of_longer = [counted(solved(run)) for run in together("longer/300-no-forget").values()]
    learned = np.concatenate([solved(run) for name in GENERATED for run in together(f"generate/{name}").values()])
    theirs = together(WRITEUP, WRITEUP_FRESH).values()
    failed = np.concatenate([numbers(run, "within_one")[~solved(run)] for run in theirs])
    answers = {
        "Do peepholes matter?": "The solve rates are equal. The error is smaller with peepholes "
        f"(fresh seeds, {p_value(p)}).",
        "Why does our recipe solve the task on every seed?": "The learning rate falls to zero. With this change "
        f"alone, {cosine} networks with peepholes (seeds 0 to 29) solve the task, instead of {halved}.",
        "Why do networks fall back?": "Their clock changes its speed; the weights of the candidates do it. Means of "
        f"the weights over 500 steps solve the task on {counted(followed()['means'][500] >= 0.99)} seeds instead of "
        f"{counted(followed()['solve_rate'] >= 0.99)}.",
        "How do the cells keep the time?": "Their states change slowly at first and fast at the end: the last quarter "
        f"of the wait has {late[0]} (with) and {late[1]} (without) of the total change.",
        "Can they learn longer distances?": "Seeds that solve the task, with and without: "
        f"{solves[0]} at T = 300, {solves[1]} at T = 600.",
        "Do the initial weights cause failures?": "We cannot distinguish an effect from none "
        f"(rank correlation {agreement:.2f}, {p_value(chance)}).",
        "Does the cell of 1997 learn the task?": f"Yes, on {of_1997[0]} seeds with and {of_1997[1]} without peepholes; "
        f"at T = 300 on {of_longer[0]} and {of_longer[1]}.",
        "Can networks generate spikes and waves?": f"Yes, {counted(learned)} networks can.",
        "How do networks fail?": f"{counted(failed == 1)} networks that fail with the write-up's recipe are never more "
        "than one step off.",
    }
    sections = [
        "do-peepholes-matter",
        "why-our-recipe-works-on-every-seed",
        "why-networks-fall-back",
        "how-the-cells-keep-the-time",
        "longer-distances",
        "learning-rate-initial-weights-or-training-sequences",
        "peepholes-that-start-at-zero-and-the-cell-of-1997",
        "spikes-and-waves-from-one-pulse",
        "how-failed-networks-differ",
    ]
    rows = [[f"[{question}](#{link})", answer] for (question, answer), link in zip(answers.items(), sections)]
    return table(["question (linked to its section)", "answer"], *rows)


def followed(way="none"):
    """The networks of collapses.py that were trained in a way, seeds 0 to 59: {name: values}."""
    found = load_run(results_folder(lab, "collapses"), "collapses", "python3 -m studies.collapses")["ways"][
        way
    ].values()
    names = "seeds", "collapses", "solve_rate"
    together = {name: np.concatenate([part[name] for part in found]) for name in names}
    together["means"] = {n: np.concatenate([part["solve_rate_of_means"][str(n)] for part in found]) for n in AVERAGED}
    for name in "events", "others":
        together[name] = [event for part in found for event in part.get(name, ())]
    return together


WAYS = {
    "none": "the write-up's, constant rate",
    "clip-0.1": "gradients clipped at 0.1 instead of 1",
    "beta2-0.99": "β₂ 0.99 instead of 0.999",
    "limit-1": "updates limited to a root mean square of 1",
    "largest": "AMSGrad",
}


def timing_collapses():
    rows = [["seeds 0–59, rate 0.005 at all steps", "collapses", "networks with one", "end at 0.99 or more",
             *(f"means of {n:,} steps" for n in AVERAGED), "solve rate: mean, and of means of 500 steps"]]  # fmt: skip
    for way, words in WAYS.items():
        run = followed(way)
        ends = [counted(run["solve_rate"] >= 0.99), *(counted(means >= 0.99) for means in run["means"].values())]
        rates = f"{run['solve_rate'].mean():.3f}, {run['means'][500].mean():.3f}"
        rows.append([words, run["collapses"].sum(), counted(run["collapses"] > 0), *ends, rates])
    return table(*rows)


def timing_front():
    """The rows of the front page."""
    fresh, cell = together(OURS_FRESH), together("ablations/no-forget-gate")["vanilla"]
    both, one = (counted(solved(fresh[kind])) for kind in KIND)
    ratios = error_ratios(fresh)
    p = signs(np.log(ratios))[-1]
    assert p < 0.05
    theirs = f"{np.exp(np.log(writeups_ratios()).mean()):.1f}"
    words = "error without peepholes, divided by error with", "–", theirs
    return table(
        ["", "paper", "write-up", "ours", "verdict"],
        ["solved with peepholes", "yes", "2/7", both, "reproduced"],
        ["solved without", "–", "3/7", one, "peepholes not needed"],
        ["the same, no forget gates (1997), seeds 0–29", "no", "–", counted(solved(cell)), "not reproduced"],
        [*words, geometric_mean(ratios), f"smaller with peepholes ({p_value(p)})"],
    )


TABLES = {
    "timing-front": timing_front,
    "timing-answers": timing_answers,
    "timing-collapses": timing_collapses,
    "timing-seeds": timing_seeds,
    "timing-pairs": timing_pairs,
    "timing-cuts": timing_cuts,
    "timing-recipe": timing_recipe,
    "timing-clock": timing_clock,
    "timing-failed": timing_failed,
    "timing-length": timing_length,
    "timing-longer": timing_longer,
    "timing-ablations": timing_ablations,
    "timing-generate": timing_generate,
}

# ---------------------------------------------------------------------------------------------------- claims


def numbers(run, name):
    """Values of a measure, (S,)."""
    return np.array(run[name], float)


def median_of(run, name, form=".2f"):
    """The median of a measure over seeds with its interval, as text."""
    return with_interval(numbers(run, name), form, np.median)


def on_fresh_seeds():
    """As text: shares that solve the task with and without peepholes, the split of the errors, and their ratio."""
    runs = together(OURS_FRESH)
    ratios = error_ratios(runs)
    more, less, _, p = signs(np.log(ratios))
    assert p < 0.05 and more > less and len(ratios) == 30
    return (
        *(counted(solved(runs[kind])) for kind in KIND),
        f"On {more} of these 30 seeds the error is smaller with peepholes ({p_value(p)}).",
        geometric_mean(ratios),
    )


def headline_claims():
    """The claim for the fresh seeds."""
    both, one, split, ratio = on_fresh_seeds()
    return [
        f"LSTMs solve the task on {both} fresh seeds with peepholes and on {one} without.",
        f"{split} Over all 30, the geometric mean of the ratio is {ratio}.",
    ]


def claims_on_seeds():
    """Sentences on both recipes."""
    ours, theirs = together(OURS, OURS_FRESH), together(WRITEUP, WRITEUP_FRESH)
    assert all((rates(run) == 1).all() and len(rates(run)) == 60 for run in ours.values())
    both, one = (solved(theirs[kind]) for kind in KIND)
    more, less, _, p = signs(both * 1 - one)
    assert p > 0.05
    return [
        "all 60 networks with peepholes and all 60 without answer every held-out sequence at the exact step",
        f"on {more} seeds only the network with peepholes solves the task, on {less} only the one without "
        f"({p_value(p)})",
    ]


def claims_on_peepholes():
    """Sentences on networks with and without peepholes, and on networks with peepholes set to zero."""
    theirs, fresh, first = together(WRITEUP, WRITEUP_FRESH), together(OURS_FRESH), together(OURS)
    ours = together(OURS, OURS_FRESH)
    more, less, _, p = signs(paired(theirs, rates))
    assert p > 0.05
    found = [f"on {more} of 60 seeds and lower on {less} ({p_value(p)})"]
    assert max(signs(np.log(error_ratios(runs)))[-1] for runs in (fresh, ours)) < 0.05
    others = [signs(np.log(error_ratios(runs)))[1] for runs in (fresh, first)]
    assert signs(sooner(fresh))[-1] > 0.05
    found.append(f"smaller without peepholes on {others[0]} of the 30 fresh seeds and on {others[1]} of the other 30")
    cut = {gate: numbers(ours["peephole"], f"solve_rate_without_{gate}") for gate in CUT}
    found.append(f"the median solve rate falls from 1.00 to {with_interval(cut['all'], '.2f', np.median)}")
    forget = with_interval(cut["f"], ".2f", np.median)
    (over_i, _, _, p_i), (over_o, _, _, p_o) = (signs(cut["f"] - cut[gate]) for gate in "io")
    assert max(p_i, p_o) < 0.001
    found.append(
        f"Without the forget gates' peepholes, the median solve rate is {forget}. Cutting them leaves a higher solve "
        f"rate than cutting the input gates' on {over_i} of 60 seeds, and than cutting the output gates' on {over_o} "
        "(p < 0.001 each)."
    )
    return found


def claims_on_the_recipe():
    """Sentences on schedules of the learning rate, and on seeds that fall."""
    theirs, ours = (
        [run for name in names for run in together(name).values()]
        for names in ((WRITEUP, WRITEUP_FRESH), (OURS, OURS_FRESH))
    )
    fell = np.concatenate([run["fell"] for run in theirs])
    fell_of_ours = np.concatenate([run["fell"] for run in ours])
    reached = np.concatenate([waits(run) < np.inf for run in theirs])
    ends = np.concatenate([solved(run) for run in theirs])
    assert len(fell) == len(fell_of_ours) == 120 and all(solved(run).all() for run in ours)
    halved, cosine = (together(name)["peephole"] for name in (WRITEUP, "recipe/cosine"))
    gained, lost, _, p = signs(solved(cosine) * 1 - solved(halved))
    assert p < 0.05 and lab.RECIPES["writeup"]["lr"] == 0.005
    recipe = lab.RECIPES["default"]
    kept = (1 + math.exp(-recipe["forget_gate_bias"])) ** -150
    assert recipe["lr"] == 4 * lab.RECIPES["writeup"]["lr"]
    return [
        f"{counted(reached)} networks on seeds 0 to 59 (60 with and 60 without peepholes) have a solve rate of 0.99 at "
        "some evaluation, and only "
        f"{counted(ends)} at the end",
        f"The solve rate of {counted(fell)} networks falls from 0.9 to below 0.5",
        f"{gained} more seeds solve the task and {lost} no longer does ({p_value(p)})",
        f"a cell without input keeps {100 * kept:.0f} % of its state over 150 steps",
        f"Under our recipe, {counted(fell_of_ours)} networks fall in the same way. All of them recover before the last "
        "step.",
    ]


def of_networks(events, value):
    """The mean of value(event) over the events of each network: {seed: mean}."""
    found = {}
    for event in events:
        found.setdefault(event["seed"], []).append(value(event))
    return {seed: np.mean(values) for seed, values in found.items()}


def claims_on_collapses():
    """Sentences on networks that fall back."""
    run = followed()
    events, others = run["events"], run["others"]
    median = {name: np.median([event[name] for event in events]) for name in ("steps", "near", "one_sign")}
    tests = {}
    for name in "gradient", "state", "update":
        here, there = (of_networks(some, lambda event: event[name]) for some in (events, others))
        both = sorted(here.keys() & there.keys())
        tests[name] = compare_pairs([here[seed] for seed in both], [there[seed] for seed in both])
    groups = {row: of_networks(events, lambda event, row=row: event["alone"][f"all of {row}"]) for row in "goif"}
    back = {row: of_networks(events, lambda event, row=row: event["back"][f"all of {row}"]) for row in "goif"}
    order = sorted(groups["g"])
    for found in groups, back:
        for row in "oif":
            more, less, p = compare_pairs([found["g"][s] for s in order], [found[row][s] for s in order])
            assert more > less and p < 0.001, "the candidates' weights do most"
    share, lost, regained = (
        np.median([event[key]["all of g"] for event in events]) for key in ("share", "alone", "back")
    )
    worst = max(abs(np.median([event["alone"][f"all of {row}"] for event in events])) for row in "oif")
    gained, fewer, p_means = compare_pairs(run["means"][500] >= 0.99, run["solve_rate"] >= 0.99)
    assert p_means < 0.001 and min(tests["gradient"][2], tests["update"][2]) > 0.05
    assert worst < 0.01
    cosine = solved(together("recipe/cosine")["peephole"])  # seeds 0 to 29
    means = run["means"][500][: len(cosine)] >= 0.99
    assert run["seeds"][: len(cosine)].tolist() == load_point(lab, "recipe/cosine")["seeds"]
    p_cosine = compare_pairs(cosine, means)[2]
    fewer_collapse = [compare_pairs(run["collapses"] > 0, followed(way)["collapses"] > 0) for way in [*WAYS][1:]]
    assert all(less >= more or p > 0.05 for more, less, p in fewer_collapse) and p_cosine < 0.05
    words = {name: f"{more} of {more + less} networks ({p_value(p)})" for name, (more, less, p) in tests.items()}
    return [
        f"At a rate of 0.005 that never falls, {counted(run['collapses'] > 0)} networks collapse at least once, "
        f"{run['collapses'].sum()} times in all. {len(events)} of these collapses are far enough from both ends of "
        f"training to be measured. From a batch rate of 0.9 to 0.5 they take {median['steps']:.0f} steps (median).",
        f"After a collapse, {100 * median['near']:.0f} % of the answers are at most two steps off, and "
        f"{100 * median['one_sign']:.0f} % of the wrong ones are on the same side (medians).",
        "Compared with other windows of the same networks, the largest gradient of a window is larger in "
        f"{words['gradient']}, the largest update in {words['update']}, the largest state in {words['state']}.",
        f"If only the weights of the candidates g change as in the collapse, the solve rate falls by {lost:.2f}; if "
        f"only they change back, it rises by {regained:.2f} (medians). They make {100 * share:.0f} % of the squared "
        "update.",
        "The weights of one kind of gate alone change it by less than 0.01 (medians).",
        f"With the means of the weights over the last 500 steps {counted(run['means'][500] >= 0.99)} networks solve "
        f"the task, with the last weights {counted(run['solve_rate'] >= 0.99)} ({gained} more, {fewer} fewer, "
        f"{p_value(p_means)}).",
        f"On seeds 0 to 29 these are {counted(means)}; with a rate that falls to zero by a cosine it is "
        f"{counted(cosine)} ({p_value(p_cosine)}).",
        "With none of them we can say that fewer networks collapse.",
    ]


def claims_on_read_outs():
    """Sentences on read-outs of the time from cells of our recipe."""
    runs, theirs = together(OURS, OURS_FRESH), together(WRITEUP, WRITEUP_FRESH)
    before, after = ([np.median(run[when + "gap_error"]) for run in runs.values()] for when in ("untrained/", ""))
    worse = [signs(numbers(run, "gap_error") - numbers(run, "untrained/gap_error"))[0] for run in runs.values()]
    assert min(worse) >= 59 and f"{before[0]:.2f}" == f"{before[1]:.2f}"
    found = [
        f"error of {before[0]:.2f} steps (median, both kinds)",
        f"Training makes it less exact: the error rises to {after[0]:.2f} steps with peepholes and {after[1]:.2f} "
        f"without, and it rises on {worse[0]} and {worse[1]} of 60 seeds.",
    ]
    before, after = ([np.median(run[when + "left_error"]) for run in runs.values()] for when in ("untrained/", ""))
    assert all((numbers(run, "left_error") < numbers(run, "untrained/left_error")).all() for run in runs.values())
    found.append(
        f"falls from {before[0]:.2f} to {after[0]:.2f} steps with peepholes and from {before[1]:.2f} to {after[1]:.2f} "
        "without, on all 60 seeds each"
    )
    assert all((numbers(run, "left_error") < numbers(run, "best_cell_error")).all() for run in runs.values())
    for kind, run in runs.items():
        more, less, _, p = signs((numbers(theirs[kind], "timers") > 0) * 1 - (numbers(run, "timers") > 0))
        assert more > less and p < 0.001
    ours, other = ([counted(numbers(run, "timers") > 0) for run in pair.values()] for pair in (runs, theirs))
    return found + [
        f"{ours[0]} networks with peepholes have such a cell, and {ours[1]} without",
        f"{other[0]} and {other[1]}",
    ]


def claims_on_paths():
    """Sentences on the changes of cell states of our recipe."""
    runs, fresh = together(OURS, OURS_FRESH), together(OURS_FRESH)
    both, one = runs["peephole"], runs["vanilla"]
    monotone = [median_of(run, "monotone", ".3f") for run in runs.values()]
    untrained = [np.median(run["untrained/monotone"]) for run in runs.values()]
    assert all((numbers(run, "monotone") < numbers(run, "untrained/monotone")).all() for run in runs.values())
    found = [
        f"the median share is {monotone[0]} with peepholes and {monotone[1]} without",
        f"Before training it is {untrained[0]:.3f} and {untrained[1]:.3f}",
    ]
    splits = [signs(numbers(both, name) - numbers(one, name)) for name in ("monotone", "monotone_settled")]
    splits.append(signs(numbers(fresh["peephole"], "monotone") - numbers(fresh["vanilla"], "monotone")))
    assert splits[0][3] < 0.05 < min(splits[1][3], splits[2][3])
    texts = [f"{more} of {sum(rest) + more} seeds and smaller on {rest[0]}" for more, *rest, _ in splits]
    found += [f"larger with peepholes on {texts[0]} ({p_value(splits[0][3])})",
              f"one of {len(READ_OUTS | PATHS)} measures",
              f"On the fresh seeds alone it is larger on {texts[2]} ({p_value(splits[2][3])})",
              f"in the wait it is larger on {texts[1]} ({p_value(splits[1][3])})"]  # fmt: skip
    for name in "late_moves", "on_time":
        assert all(bootstrap(run[name], np.median)[0] > 0.5 for run in runs.values())
        found.append(f"{median_of(both, name)} with peepholes and {median_of(one, name)} without")
    inverted = [counted(numbers(run, "mirrors") > 0) for run in runs.values()]
    return [*found, f"{inverted[0]} networks with peepholes have such a cell, and {inverted[1]} without"]


def claims_on_failed_seeds():
    """Sentences on networks of the write-up's recipe that do not solve the task."""
    found = {name: [] for name in ("gap", "slope", "flat", "near", "left")}
    for run in together(WRITEUP, WRITEUP_FRESH).values():
        yes = solved(run)
        no = ~yes
        slope, left = numbers(run, "answer_slope"), numbers(run, "left_error")
        found["gap"].append(counted(numbers(run, "gap_error")[no] < 1))
        found["slope"].append(with_interval(slope[no], ".2f", np.median))
        found["flat"].append(counted(slope[no] < 0.5))
        found["near"].append(counted(numbers(run, "within_one")[no] == 1))
        low, high = bootstrap(left[no], np.median)[0], bootstrap(left[yes], np.median)[1]
        assert low > high, "intervals do not overlap"
        found["left"].append([with_interval(left[seeds], ".2f", np.median) for seeds in (no, yes)])
    both, one = found["left"]
    return [
        f"{found['gap'][0]} failed networks with peepholes and from {found['gap'][1]} without",
        f"{found['slope'][0]} steps later with peepholes and {found['slope'][1]} without",
        f"The answers of {found['flat'][0]} networks with peepholes and {found['flat'][1]} without do not follow D",
        f"{found['near'][0]} failed networks with peepholes and in {found['near'][1]} without",
        f"{both[0]} steps with peepholes, against {both[1]} of networks that solve the task. Without peepholes it is "
        f"{one[0]} against {one[1]}.",
    ]


def claims_on_lengths():
    """Sentences on longer sequences."""
    for T in LENGTHS:
        runs = together(f"length/{T}")
        assert signs(solved(runs["peephole"]) * 1 - solved(runs["vanilla"]))[3] > 0.05
        assert signs(sooner(runs))[3] > 0.05 and signs(np.log(error_ratios(runs)))[3] > 0.05
    results = load_point(lab, "length/600")
    stopped = {kind: run["diverged_at_step"] for kind, run in results["runs"].items()}
    (seed,) = [k for k, step in enumerate(stopped["vanilla"]) if step is not None]
    assert stopped["peephole"] == [None] * 5
    step = stopped["vanilla"][seed]
    return [f"without peepholes, seed {results['seeds'][seed]} diverged at step {step:,}"]


def claims_on_longer():
    """Sentences on longer sequences on fresh seeds."""
    with_gates, without = together("longer/300"), together("longer/300-no-forget")
    assert all(
        signs(solved(runs["peephole"]) * 1 - solved(runs["vanilla"]))[3] > 0.05 for runs in (with_gates, without)
    )
    assert all(signs(solved(with_gates[kind]) * 1 - solved(without[kind]))[3] > 0.05 for kind in KIND)
    counts = [counted(solved(runs[kind])) for runs in (with_gates, without) for kind in KIND]
    more, less, _, p = signs(np.log(error_ratios(without)))
    plain = signs(np.log(error_ratios(with_gates)))
    speed = [signs(waits(with_gates[kind]) - waits(without[kind]))[3] for kind in KIND]
    assert min(speed) > 0.05
    return [
        f"**At T = 300, {counts[0]} fresh seeds solve the task with peepholes and {counts[1]} without. Without forget "
        f"gates, the cell of 1997, it is {counts[2]} and {counts[3]}.**",
        f"The error is smaller with peepholes on {plain[0]} of 30 seeds with forget gates ({p_value(plain[3])}), and "
        f"on {more} of 30 without forget gates ({p_value(p)}).",
        "We cannot distinguish cells with and without forget gates in speed "
        f"({p_value(speed[0])} with peepholes, {p_value(speed[1])} without).",
    ]


def claims_on_draws():
    """Sentences on the same initial weights with other training sequences."""
    failed, (agreement, p) = np.array([~solved(run) for run in draws()]), same_start()
    n, (own, other) = failed.shape[1], [counted(row) for row in ~failed]
    assert p > 0.05
    return [
        f"{other} solve the task. With their own training sequences, {own} do",
        f"rank correlation of the two solve rates of a seed is {agreement:.2f} "
        f"({p_value(p)}, one-sided permutation test)",
        f"{failed.all(axis=0).sum()} of {n} seeds fail both times; "
        f"{failed.mean(axis=1).prod() * n:.1f} would be expected",
    ]


def claims_on_cells():
    """Sentences on peepholes that start at zero, and on cells without forget gates."""
    zero, normal = (together(name)["peephole"] for name in ("ablations/zero-peepholes-writeup", WRITEUP))
    difference = rates(zero) - rates(normal)
    more, less, _, p = signs(difference)
    low, high = bootstrap(difference)
    assert p > 0.05 and low < 0 < high
    found = [
        f"differs by {with_interval(difference, '+.3f')}; it is higher with zero peepholes on {more} seeds and lower "
        f"on {less} ({p_value(p)})"
    ]
    without, ours = together("ablations/no-forget-gate"), together(OURS)
    factors, larger = [], []
    for kind in KIND:
        ratios = numbers(without[kind], "test_mse") / numbers(ours[kind], "test_mse")
        more, *_, p = signs(np.log(ratios))
        assert p < 0.001 and bootstrap(np.log(ratios))[0] > 0
        factors.append(geometric_mean(ratios))
        larger.append(more)
    both, one = (counted(solved(without[kind])) for kind in KIND)
    return found + [
        f"{both} seeds learn the task with peepholes and {one} without",
        f"{factors[0]} times as large with peepholes and {factors[1]} times without (geometric means); it is larger on "
        f"{larger[0]} and {larger[1]} of 30 seeds (p < 0.001 each)",
    ]


def claims_on_generators():
    """Sentences on the generating tasks."""
    runs = {name: list(together(f"generate/{name}").values()) for name in GENERATED}
    learned = counted(np.concatenate([solved(run) for pair in runs.values() for run in pair]))
    hold = {name: sum(int(holds(name, run).sum()) for run in pair) for name, pair in runs.items()}
    rest = {name: n for name, n in hold.items() if n < 19}
    assert list(rest) == ["gts-50", "rectangle-25"] and len(hold) == 10
    p_until = {name: signs(numbers(a, "exact_until") - numbers(b, "exact_until"))[3] for name, (a, b) in runs.items()}
    assert min(p_until.values()) > 0.05
    split = {name: signs(np.log(numbers(b, "test_mse") / numbers(a, "test_mse"))) for name, (a, b) in runs.items()}
    some = [name for name, (*_, p) in split.items() if p < 0.05]
    assert some == ["triangle-10", "rectangle-10"] and {split[name][:2] for name in some} == {(9, 1)}
    others = min(p for name, (*_, p) in split.items() if name not in some)
    return [
        f"{learned} networks learn the 150 steps",
        "In eight of the ten tasks at least 19 of 20 networks then make no mistake in 1,500 steps",
        f"the spikes of period 50, with {share(hold['gts-50'], 20)} networks, and the rectangle of period 25, with "
        f"{share(hold['rectangle-25'], 20)}",
        f"(every p at least {min(p_until.values()):.2g})",
        f"smaller with peepholes on 9 of 10 seeds for the triangle and for the rectangle of period 10 "
        f"({p_value(split[some[0]][3])} each, not corrected for ten tasks). In the other eight tasks p is at least "
        f"{others:.2g}.",
    ]


def claims_on_the_headline():
    """Sentences on the runs that the command make draws."""
    runs = load_point(lab, OURS)["runs"]
    ratios = np.divide(*(np.array(runs[kind]["final"]["test_mse"]) for kind in ("vanilla", "peephole")))
    rank = int((ratios < ratios[29]).sum()) + 1
    assert rank == (len(ratios) + 1) // 2 and ratios.argmax() == 0
    errors = [np.array(load_point(lab, f"generate/{name}")["runs"]["peephole"]["final"]["test_mse"])
              for name in ("gts-20", "triangle-25")]  # fmt: skip
    assert all((error < error[9]).sum() == 4 for error in errors), "the fifth of ten"
    return [
        f"is the {rank}th of seeds 0 to 29 by the ratio of the two errors ({ratios[29]:.1f}; range "
        f"[{ratios.min():.2f}–{ratios.max():.0f}], the largest is that of seed 0)",
    ]


def front_claims():
    """Sentences of the front page."""
    both, one, _, _ = on_fresh_seeds()
    return [f"**On fresh seeds, {both} networks with peepholes and {one} without solve the task.**"]


def report_claims():
    """Sentences of the report."""
    parts = (headline_claims, claims_on_seeds, claims_on_peepholes, claims_on_the_recipe, claims_on_collapses,
             claims_on_read_outs, claims_on_paths, claims_on_failed_seeds, claims_on_lengths, claims_on_longer,
             claims_on_draws, claims_on_cells, claims_on_generators, claims_on_the_headline)  # fmt: skip
    return [sentence for part in parts for sentence in part()]


CLAIMS = {"README.md": front_claims, "results/timing_counting_spikes/README.md": report_claims}
