"""Studies of timing_counting_spikes.py: which runs, what is measured on their networks, which tables."""

import math

import numpy as np

import timing_counting_spikes as lab
from studies.report import load_point, spread, table, wilson

# ---------------------------------------------------------------------------------------------------- points

GENERATORS = {
    "--task gts": (10, 20, 30, 50),
    "--task pfg --wave cos": (10, 25),
    "--task pfg --wave triangle": (10, 25),
    "--task pfg --wave rectangle": (10, 25),
}
POINTS = {
    "thirty_seeds/default": "--seeds 0-29",
    "thirty_seeds/writeup": "--seeds 0-29 --recipe writeup",
    "thirty_seeds/default-fresh": "--seeds 30-59",
    "thirty_seeds/writeup-fresh": "--seeds 30-59 --recipe writeup",
    # Is the write-up's rate the reason for its failures?
    **{f"recipe/{name}": f"--seeds 0-29 --peep --recipe writeup --schedule {name}" for name in ("cosine", "constant")},
    # Do the initial weights decide? The same with other training sequences.
    "draws/1": "--seeds 0-29 --peep --recipe writeup --draw 1",
    # Other cells.
    "ablations/no-forget-gate": "--seeds 0-29 --no-forget-gate",
    "ablations/zero-peepholes": "--seeds 0-29 --peep --peephole-std 0",
    "ablations/zero-peepholes-writeup": "--seeds 0-29 --peep --peephole-std 0 --recipe writeup",
    # Longer sequences.
    "length/300": "--seeds 0-14 --T 300 --D-min 60 --D-max 120 --steps 4000",
    "length/600": "--seeds 0-4 --T 600 --D-min 120 --D-max 240 --steps 8000",
    # Spikes and waves.
    **{
        f"generate/{words.split()[-1]}-{period}": f"--seeds 0-9 {words} --period {period}"
        for words, periods in GENERATORS.items()
        for period in periods
    },
}
WEIGHTS = tuple(name for name in POINTS if name.startswith("thirty_seeds/"))  # points whose weights are kept

# -------------------------------------------------------------------------------------------------- measures

SETTLE = 5  # steps in which cells come to rest after a spike
LAST = 10  # steps before a target's in which cells are asked how many are left
NOISE = 0.01  # of a cell's spread, added to what is read out of it
BLUR = 4  # the stream of a seed's noise; the script has the others


def measure(options, name, theta):
    """What a run says of its networks name with trained parameters theta (S, P), and of the same ones before training.

    {"measures": {name: (S,)}, "untrained": {name: (S,)}}; see measure_distances, measure_run_on and cut_peepholes.
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
    """solve_rate_without_*: the solve rate (S,) when the peepholes of one kind of gate, or all, are zero."""
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


def paths(c, second, target):
    """How cell states c (T, S, H, n) move behind the second spike: {name: share (S,)}.

    monotone: of all cells and sequences, those in which c moves in one direction at every step behind the second spike,
    to the target's included; monotone_settled: the same without the first SETTLE of these steps and the target's own.
    Within these settled steps, straight: |the sum of c's moves| over the sum of their sizes, averaged over cells and
    sequences; late_moves: the share of that sum which falls into the last quarter of the steps (of an even ramp: 1/4).
    on_time: of all cells and sequences, those in which c's largest move, from the settled steps to the sequence's end,
    comes within one step of the target's.
    """
    move = np.diff(c, axis=0)
    t = np.arange(1, len(c))[:, None, None]  # the step of each move
    begin, end = second + np.clip(target - second - 2, 0, SETTLE), target - 1

    def one_way(first, last):  # at all steps from behind first to last
        outside = ((t <= first) | (t > last))[:, :, None]
        return ((move > 0) | outside).all(axis=0) | ((move < 0) | outside).all(axis=0)

    settled = (t > begin) & (t <= end)
    last_quarter = np.clip(t - end + (end - begin) / 4, 0, 1) * settled  # 1, a step on the edge in part
    size = np.abs(move)
    length = np.maximum(np.where(settled[:, :, None], size, 0).sum(axis=0), 1e-30)  # no way at all is not straight
    largest = np.where((t > begin)[:, :, None], size, 0).argmax(axis=0) + 1  # the step of it
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

    Fitted to every other of the n sequences, measured on the rest. Cells are blurred by NOISE of their own spread:
    without that, differences of no use to a network would count.
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
    """What networks of the msd task do with all held-out sequences: {name: (S,)}.

    timing_error: mean distance of the largest output from the target, in steps; early_answers, late_answers: shares of
    answers before and behind it; within_one: of answers at most one step off; answer_slope: by how many steps an answer
    comes later where the gap is one step longer (regression). gap_error: error of a linear read-out of the gap from c
    at the second spike, in steps (a constant has 8.9 of gaps from 30 to 60); left_error: of the steps left to the
    target, 1 to LAST, from c then (a constant: 2.9); best_cell_error: the same from the one cell that is best; timers:
    the share of cells with such an error of at most 1. None of these three where gaps are shorter than LAST. mirrors:
    the share of cells whose c at the second spike has a correlation of at most -0.9, over sequences, with c one step
    before it: what was high is put low. For the others see paths.
    """
    last = np.arange(1, LAST + 1)[:, None, None]
    seen = {name: [] for name in ("off", "gap", "before", "at_second", "left")}
    moves = []
    for x, y in batches:
        output, (second, target) = lab.forward(net, x), spike_steps(x, y)
        c = net.c[1:].swapaxes(1, 2).copy()  # (T, S, H, n)
        behind = np.arange(len(x))[:, None, None] > second
        seen["off"].append(np.where(behind, output, -np.inf).argmax(axis=0) - target)
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
    """What networks of gts and pfg do when they run on: outputs (T, S, n) under targets (T, n) give {name: (S,)}.

    gts, exact_until: the first step that is wrong (F, the first spike's, of a silent network), or the number of steps.
    pfg, rmse: over the training length; periods_held: whole periods before the first whose root mean squared error
    exceeds lab.HELD, and exact_until: the steps of these. Of several periods that a network was trained for, the one
    that is given up first.
    """
    T, S, _ = output.shape
    y = y[:, None]
    if options.task == "gts":
        wrong = (output > 0.5) != (y > 0.5)
        return {"exact_until": np.where(wrong.any(axis=0), wrong.argmax(axis=0), T).min(axis=1)}
    held = []
    for k, period in enumerate(options.periods):
        given_up = lab.period_errors(output[:, :, k], np.broadcast_to(y[..., k], (T, S)), period) > lab.HELD
        held.append(np.where(given_up.any(axis=0), given_up.argmax(axis=0), len(given_up)))
    held, periods = np.array(held), np.array(options.periods)[:, None]
    until = held * periods
    held = held[until.argmin(axis=0), np.arange(S)]
    rmse = np.sqrt(np.square(output - y)[: options.T].mean(axis=0)).max(axis=1)
    return {"rmse": rmse, "periods_held": held, "exact_until": until.min(axis=0)}


# ---------------------------------------------------------------------------------------------------- tables

KIND = {"peephole": "with peepholes", "vanilla": "without"}


def together(*points):
    """results.json of points, of other seeds each, as one: {variant: {name: values}}.

    Per seed: solve_rate, test_mse, sequences_to_99, all measures, and as untrained/NAME those before the first step.
    """
    runs = {}
    for point in points:
        results = load_point(lab, point)
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
    needed = [np.inf if n is None else n for n in run["sequences_to_99"]]
    words = ["never" if n == np.inf else f"{n:,.0f}" for n in (np.median(needed), min(needed), max(needed))]
    return f"{words[0]} [{words[1]}–{words[2]}]"


def row_of(words, run):
    """What a table says of a run on msd: weights, solved, solve rate, error, sequences."""
    solve = rates(run)
    reached = sum(n is not None for n in run["sequences_to_99"])
    return [
        words,
        run["weights"][0],
        counted(solve >= 0.99),
        f"{reached}; {sum(run['fell'])}",
        f"{solve.mean():.3f}",
        spread(solve.tolist(), ".3f"),
        spread(run["test_mse"], ".1e"),
        to_99(run),
    ]


LENGTHS = (300, 600)
HEAD = ["weights", "end at 0.99 or more", "were there once; fell from 0.9 to below 0.5", "mean solve rate",
        "median [range]", "mean squared error at the end", "sequences to 0.99"]  # fmt: skip


def timing_seeds():
    rows = [
        ["", *HEAD],
        ["write-up, seven seeds, with peepholes", "–", "2/7", "–", "0.881", "0.900 [0.668–1.000]",
         "2.0e-03 [4.6e-04–3.5e-03]", "–"],
        ["write-up, seven seeds, without", "–", "3/7", "–", "0.873", "0.959 [0.600–1.000]",
         "1.6e-03 [5.9e-04–4.0e-03]", "–"],
    ]  # fmt: skip
    sets = {"writeup": "its recipe, seeds 0–29", "writeup-fresh": "its recipe, seeds 30–59",
            "default": "**our recipe, seeds 0–29**", "default-fresh": "**our recipe, seeds 30–59**"}  # fmt: skip
    for name, words in sets.items():
        rows += [row_of(f"{words}, {KIND[kind]}", run) for kind, run in together(f"thirty_seeds/{name}").items()]
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
            *((f"our recipe, T = {T}", (f"length/{T}",)) for T in LENGTHS)]  # fmt: skip
    head = [
        "with peepholes against without",
        "seeds",
        "higher solve rate: with, without, equal",
        "difference, mean",
        "smaller error: with, without, equal",
        "decades of error saved, mean",
        "0.99 sooner: with, without, equal",
    ]
    return table(head, *(paired(words, together(*points)) for words, points in sets))


def timing_recipe():
    names = {
        "recipe/constant": "the write-up's, at a constant rate of 0.005",
        "thirty_seeds/writeup": "the write-up's: the rate halved after 1,500 of 3,000 steps",
        "recipe/cosine": "… falling to zero by a cosine",
        "thirty_seeds/default": "**our recipe**",
    }
    head = ["with peepholes, seeds 0–29", *HEAD[1:]]
    rows = [row_of(words, together(name)["peephole"]) for name, words in names.items()]
    return table(head, *([row[0], *row[2:]] for row in rows))


def timing_ablations():
    rows = [["", *HEAD]]
    for recipe, whose in ("default", "our recipe"), ("writeup", "write-up's recipe"):
        end = "" if recipe == "default" else "-writeup"
        sets = {f"thirty_seeds/{recipe}": "", f"ablations/zero-peepholes{end}": ", peepholes zero at first"}
        sets |= {"ablations/no-forget-gate": ", no forget gate (1997)"} if recipe == "default" else {}
        for name, words in sets.items():
            for kind, run in together(name).items():
                where = KIND[kind] if "zero" not in name else "with peepholes"
                rows.append(row_of(f"{whose}, {where}{words}", run))
    return table(*rows)


def timing_length():
    rows = [["T", "distances", "seeds", "steps of training", "", *HEAD[1:]]]
    for T in (150, *LENGTHS):
        name = "thirty_seeds/default" if T == 150 else f"length/{T}"
        results = load_point(lab, name)
        config = results["config"]
        for kind, run in together(name).items():
            rows.append([T, f"{config['D_min']}–{config['D_max']}", len(results["seeds"]), f"{config['steps']:,}",
                         *(cell for k, cell in enumerate(row_of(KIND[kind], run)) if k != 1)])  # fmt: skip
    return table(*rows)


def timing_clock():
    columns = {}
    for kind, run in together("thirty_seeds/default", "thirty_seeds/default-fresh").items():
        columns[f"our recipe, {KIND[kind]}: untrained"] = run, "untrained/", rates(run) >= 0
        columns[f"our recipe, {KIND[kind]}"] = run, "", rates(run) >= 0
    for kind, run in together("thirty_seeds/writeup", "thirty_seeds/writeup-fresh").items():
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


def ranks(values):
    """Ranks of values, ties sharing their mean."""
    values = np.asarray(values)
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


def timing_draws():
    runs = [together(name)["peephole"] for name in ("thirty_seeds/writeup", "draws/1")]
    solve = np.array([rates(run) for run in runs])
    failed, (one, other) = solve < 0.99, [ranks(row) for row in solve]
    n, agreement, rng = failed.shape[1], np.corrcoef(one, other)[0, 1], np.random.default_rng(0)
    chance = np.array([np.corrcoef(one, rng.permutation(other))[0, 1] for _ in range(10000)])
    p = ((chance >= agreement).sum() + 1) / (len(chance) + 1)
    rows = [["the write-up's recipe, with peepholes", *HEAD[1:]]]
    for words, run in zip(("training sequences of the seed", "drawn anew, the same initial weights"), runs):
        rows.append([words, *row_of("", run)[2:]])
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
    columns = "solved at 150 steps", "mean squared error", "right for 1,500 steps", "… until step"
    rows = [["", *(f"{kind}: {column}" for kind in KIND.values() for column in columns)]]
    for name, words in names.items():
        row = [words]
        for run in together(f"generate/{name}").values():
            period = int(name.split("-")[1])
            whole = 1500 if name.startswith("gts") else 1500 // period * period
            row += [
                counted(rates(run) >= 0.99),
                spread(run["test_mse"], ".1e"),
                counted([value == whole for value in run["exact_until"]]),
                spread(run["exact_until"], ",.0f"),
            ]
        rows.append(row)
    return table(*rows)


TABLES = {"timing-seeds": timing_seeds, "timing-paired": timing_paired, "timing-recipe": timing_recipe,
          "timing-clock": timing_clock, "timing-draws": timing_draws, "timing-ablations": timing_ablations,
          "timing-length": timing_length, "timing-generate": timing_generate}  # fmt: skip
