"""Studies of lstm_1997.py: the rows of the paper's tables, other readings of them, what networks do, which tables."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

import lstm_1997 as lab
from studies.report import load_point, results_folder, spread, table, wilson

# ---------------------------------------------------------------------------------------------------- points

SHORT_ROWS = ("1-1", "1-2", "1-3", "1-4", "1-5", "2a", "2b", "2c-1", "2c-2", "2c-3", "3a-1", "3a-2", "3b-1", "3b-2",
              "4-1")  # fmt: skip
LONG_ROWS = ("5", "6b", "3c-1", "3c-2", "2c-4", "2c-5", "2c-6", "2c-7", "2c-8", "2c-9", "4-2", "4-3", "3a-3", "3b-3")
RANGES, COSTS, UPDATES = ("equations", "caption"), ("squared", "mixed", "entropy"), ("sequence", "step")
READ = ("1-5", "2c-1", "3a-1", "4-1", "6a")  # rows whose readings are compared


def twice(name):
    """The options of a reading: a row, on trials that the tables of rows do not have, up to twice the paper's mean."""
    return f"--task {name} --trials 100-109 --steps {2 * lab.ROWS[name].paper.sequences[-1]}"


def readings():
    """{name: command line} of the readings that are compared."""
    found = {}
    for name, (ranges, cost) in itertools.product(READ, itertools.product(RANGES, COSTS)):
        words = f"{twice(name)} --ranges {ranges} --cost {cost}"
        if name == "1-5":
            found |= {f"{name}-{ranges}-{cost}-{update}": f"{words} --update {update}" for update in UPDATES}
        else:
            found[f"{name}-{ranges}-{cost}"] = words
    return found | {
        "1-5-equations-full": f"{twice('1-5')} --ranges equations --gradient full --update sequence",
        "1-5-caption-full": f"{twice('1-5')} --gradient full --update sequence",
        "1-5-full": "--task 1-5 --ranges equations --gradient full --update sequence",
        "1-5-memory": f"{twice('1-5')} --errors end",
        "2a-late": f"{twice('2a')} --cell late",
        "2a-sequence": f"{twice('2a')} --update sequence",
        "2a-sequence-squared": f"{twice('2a')} --update sequence --cost squared",
        "2b-end": twice("2b"),
        "2b-first": f"{twice('2b')} --cell first",
        "2b-squared": f"{twice('2b')} --cost squared",
        "2b-every": f"{twice('2b')} --errors every",
        "2c-1-rate": f"{twice('2c-1')} --lr 0.02",
        "2c-2-rate": f"{twice('2c-2')} --lr 0.02",
        "2c-2-caption-mixed": twice("2c-2"),
        "4-1-counted": f"{twice('4-1')} --first-pair counted",
        "4-1-unmarked": f"{twice('4-1')} --first-pair unmarked",
    }


NOT_RUN = {  # readings that README.md says were not run
    *(f"2c-1-equations-{cost}" for cost in COSTS), "3a-1-caption-entropy",
    "4-1-equations-squared", "4-1-equations-mixed", "4-1-caption-mixed", "4-1-unmarked",
}  # fmt: skip


def reading_point(name):
    """The point of a reading."""
    return f"{'other-readings' if name in NOT_RUN else 'readings'}/{name}"


POINTS = {
    **{name: f"--task {name}" for name in SHORT_ROWS},
    "6a": "",  # the headline
    **{name: f"--task {name} --trials 0-9" for name in LONG_ROWS},
    **{reading_point(name): words for name, words in readings().items()},
}
GROUPS = {
    "rows": (*SHORT_ROWS, "6a"),  # minutes to half an hour each
    "long-rows": LONG_ROWS,  # hours
    "other-readings": tuple(point for point in POINTS if point.startswith("other-readings/")),
}
WEIGHTS = ()  # rows take hours; the headline has the weights of its trials

# -------------------------------------------------------------------------------------------------- measures


def measure(options, name, theta):
    """What a run says of its networks with trained parameters theta (S, P), on fresh sequences: see measure_trial."""
    found = [measure_trial(lab.row_of(options), options, *trial) for trial in zip(options.seeds, theta)]
    return {"measures": {measure: np.array([trial[measure] for trial in found]) for measure in found[0]}}


def measure_trial(row, options, trial, theta):
    """Measures of the network theta (P,) of a trial. state: mean |s| of its cells at the ends of sequences.

    Task 1: shares of strings with a wrong prediction of the last symbol but one, which takes a memory of the second
    (memory_wrong), and of strings with one anywhere else, for which it takes the grammar (grammar_wrong). Task 6: the
    input gate of the block that it tells most, at the X and Y and elsewhere, on average.
    """
    if row.task.name == "1":
        row = replace(row, reading=row.reading._replace(errors="every"))
    batch = lab.draw(row, [trial], lab.EVAL, n=min(options.eval_n, lab.CHUNK))
    T, n, found = len(batch.x), batch.length.shape[1], {}
    net = lab.Network(row, theta[None], T, n)
    lab.forward(net, batch.x)
    found["state"] = np.abs(net.s[batch.length[0], :, 0, np.arange(n)]).mean() * net.state_unit
    if row.task.name[0] == "6":
        gates = np.moveaxis((1 + net.a[:T, : row.kind.blocks, 0]) / 2, 1, 0)  # (blocks, T, n)
        marked, inside = batch.x[:, 0] >= 6, np.arange(T)[:, None] < batch.length[0]
        here, elsewhere = gates[:, marked].mean(axis=1), gates[:, inside & ~marked].mean(axis=1)
        most = (here - elsewhere).argmax()
        found |= {"in_gate_marked": here[most], "in_gate_elsewhere": elsewhere[most]}
    if row.task.name == "1":
        y, t = lab.outputs(net, batch.x, batch.length), np.arange(T)[:, None, None]
        for name, steps in ("memory_wrong", t == batch.length - 2), ("grammar_wrong", t != batch.length - 2):
            of_steps = SimpleNamespace(**vars(batch) | {"target": np.where(steps, batch.target, -1)})
            found[name] = lab.judge(row, y, lab.errors(row, y, of_steps), of_steps)[0].mean()
    return found


# ---------------------------------------------------------------------------------------------------- tables

WORDS = {"caption": "caption", "equations": "equations", "squared": "with slope", "mixed": "slope + 0.1",
         "entropy": "without slope"}  # fmt: skip


def point(name):
    """results.json of a point and its one run, or None twice if it was not run."""
    if not (results_folder(lab, name) / "results.json").exists():
        return None, None
    results = load_point(lab, name)
    return results, next(iter(results["runs"].values()))


def reading(name):
    """The same of a reading."""
    return point(reading_point(name))


def paper():
    """{row: the paper's figures}, as the headline's results.json has them."""
    return point("6a")[1]["paper"]


def met(run, rule=-1):
    """Sequences of the trials that met a rule."""
    return [n for n in run["rules"][rule]["sequences"] if n is not None]


def average(values, form):
    """The mean of the values that there are, as text."""
    there = [value for value in values if value is not None]
    return f"{np.mean(there):{form}}" if there else "–"


def per_cent(shares):
    """Shares as percentages; None stays."""
    return [None if share is None else 100 * share for share in shares]


def verdict(run, stated, rule, n):
    """Whether a row's mean is the paper's, by the rule that README.md states."""
    here = met(run, rule)
    if len(here) < 0.9 * n:
        return "fails"
    ratio = np.mean(here) / stated
    if 1 / 1.5 <= ratio <= 1.5:
        return "same"
    return f"slower by {ratio:.1f}" if ratio > 1 else f"faster by {1 / ratio:.1f}"


def reading_of(name, config):
    """How a row was read, in words."""
    how = [] if name[:2] in ("2a", "2b") else [WORDS[config["ranges"]]]
    how += [WORDS[config["cost"]]] + (["a change per step"] if config["update"] == "step" else [])
    how += ["cell from the start"] if name == "2a" and config["cell"] == "first" else []
    return ", ".join(how + (["errors at the end"] if name == "2b" and config["errors"] == "end" else []))


def paper_tables():
    rows = [["row", "weights", "reading", "paper: sequences", "its wrong of 2,560", "**solved**", "**mean**",
             "median [range]", "**wrong of 2,560**", "mean abs. error", "mean squared error", "verdict"]]  # fmt: skip
    for name, stated in paper().items():
        results, run = point(name)
        for rule, goal in enumerate(stated["sequences"]):
            words = name + (f", rule {rule + 1}" if len(stated["sequences"]) > 1 else "")
            wrong = stated["wrong"][rule]
            wrong = "–" if wrong is None else f"{wrong * 2560 if wrong < 1 else wrong:.3g}"
            if results is None:
                rows.append([words, "", "", f"{goal:,}", wrong, "", "", "", "", "", "", "not run"])
                continue
            n, here, told = len(results["seeds"]), met(run, rule), run["rules"][rule]
            solved = f"{len(here)}/{n} ({wilson(len(here), n)})"
            cells = [solved, f"{np.mean(here):,.0f}" if here else "–", spread(here, ",.0f")]
            cells += [average(told["wrong"], ".1f"), average(told["mean_error"], ".4f"), average(told["mse"], ".1e")]
            rows.append([words, f"{run['trainable_parameters']:,}", reading_of(name, results["config"]), f"{goal:,}",
                         wrong, *cells, verdict(run, goal, rule, n)])  # fmt: skip
    return table(*rows)


def share_and_mean(name):
    """Trials of a reading that met the last rule, and the mean of their sequences, as text."""
    results, run = reading(name)
    if run is None:
        return "not run"
    here = met(run)
    return f"{len(here)}/{len(results['seeds'])}" + (f", {np.mean(here):,.0f}" if here else "")


def paper_readings():
    pairs = [*itertools.product(RANGES, COSTS)]
    rows = [["row", "the paper", *(f"{WORDS[ranges]}, {WORDS[cost]}" for ranges, cost in pairs)]]
    for name in READ:
        for update in UPDATES if name == "1-5" else ("",):
            cells = (f"{name}-{ranges}-{cost}" + (f"-{update}" if update else "") for ranges, cost in pairs)
            words = f"{name}, a change per {update}" if update else name
            rows.append([words, f"{paper()[name]['sequences'][-1]:,}", *map(share_and_mean, cells)])
    return table(*rows)


def paper_first_pair():
    names = {"4-1-caption-entropy": "its value counts as 0 (table above)", "4-1-counted": "its value counts",
             "4-1-unmarked": "it is not marked, and there is one mark"}  # fmt: skip
    rows = [["row 4-1: the first pair is the one to be marked", "solved, mean"]]
    return table(*rows, *([words, share_and_mean(name)] for name, words in names.items()))


def paper_grammar():
    names = {
        "1-5-equations-squared-sequence": "equations, a change per sequence",
        "1-5-equations-squared-step": "equations, a change per step",
        "1-5-caption-squared-sequence": "caption, a change per sequence",
        "1-5-caption-squared-step": "caption, a change per step",
        "1-5-equations-full": "equations, the full gradient",
        "1-5-caption-full": "caption, the full gradient",
        "1-5-memory": "caption, a change per step, errors only where it takes the memory",
    }
    rows = [["", "solved", "strings wrong where it takes the grammar", "where it takes the memory",
             "mean size of states"]]  # fmt: skip
    found = {f"row {row}, trials 0 to 29": row for row in ("1-1", "1-2", "1-3", "1-4", "1-5")}
    found["row 1-5, trials 0 to 29: equations, the full gradient"] = reading_point("1-5-full")
    found |= {f"row 1-5, trials 100 to 109: {words}": reading_point(name) for name, words in names.items()}
    for words, name in found.items():
        results, run = point(name)
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
    points = {"2c-1": "row 2c-1", "2c-2": "row 2c-2", "2c-3": "row 2c-3",
              "readings/2c-1-rate": "2c-1 at twice the rate",
              "readings/2c-2-caption-mixed": "2c-2", "readings/2c-2-rate": "2c-2 at twice the rate"}  # fmt: skip
    for name, words in points.items():
        _, run = point(name)
        goal = f"{paper()[name.removeprefix('readings/')[:4]]['sequences'][-1]:,}"
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


def paper_task_2():
    names = {
        "2a-late": "2a, the cell added when the error has stopped falling",
        "2a-sequence": "2a, the cell from the start, a change per sequence",
        "2a-sequence-squared": "2a, the same, errors with slope",
        "2b-end": "2b, the cell added late, an error at the end alone",
        "2b-first": "2b, the cell from the start, an error at the end alone",
        "2b-squared": "2b, the cell added late, an error at the end alone, with slope",
        "2b-every": "2b, the cell added late, errors at every step",
    }
    rows = [["", "solved, mean", "the paper"]]
    for name, words in names.items():
        rows.append([words, share_and_mean(name), f"{paper()[name[:2]]['sequences'][-1]:,}"])
    return table(*rows)


def paper_gates():
    names = {"in_gate_marked": "its input gate at X and Y", "in_gate_elsewhere": "its input gate elsewhere",
             "state": "size of states at the end, mean over cells"}  # fmt: skip
    measures = point("6a")[1]["measures"]
    rows = [["row 6a, after training, the block that tells X and Y most", "median [range] over trials"]]
    return table(*rows, *([words, spread(measures[name], ".3f")] for name, words in names.items()))


TABLES = {"paper-tables": paper_tables, "paper-readings": paper_readings, "paper-grammar": paper_grammar,
          "paper-task-2": paper_task_2, "paper-gates": paper_gates, "paper-phases": paper_phases,
          "paper-first-pair": paper_first_pair}  # fmt: skip
