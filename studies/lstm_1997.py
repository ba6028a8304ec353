"""Studies of lstm_1997.py: the rows of the paper's tables, other readings, measures of networks, tables, sentences."""

import itertools
import json
import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np

import lstm_1997 as lab
from studies.report import (
    at_least,
    at_most,
    bootstrap,
    fisher_test,
    load_point,
    p_value,
    results_folder,
    share,
    spread,
    table,
)

# ---------------------------------------------------------------------------------------------------- points

GRAMMAR_ROWS = ("1-1", "1-2", "1-3", "1-4", "1-5")
SHORT_ROWS = ("1-1", "1-2", "1-3", "1-4", "1-5", "2a", "2b", "2c-1", "2c-2", "2c-3", "2c-4", "3a-1", "3a-2", "3b-1",
              "3b-2", "3c-1", "3c-2", "4-1", "6a")  # fmt: skip
LONG_ROWS = {  # rows of hours, and their columns: (b), or (c) where (b) fails on the task's short row; task 5 has none
    **dict.fromkeys(("2c-5", "2c-6", "2c-7", "2c-8", "2c-9", "3a-3", "3b-3"), ("one",)),
    **dict.fromkeys(("4-2", "4-3"), ("nearest",)),
    **dict.fromkeys(("5", "6b"), ("one", "nearest")),
}
RANGES, COSTS, RECURRENCE = ("equations", "caption"), ("squared", "mixed", "entropy"), ("full", "gates")
READ = ("1-5", "2c-1", "3a-1", "4-1", "6a")  # rows with recurrent units for which readings are compared
FINALISTS = (  # readings (recurrence, ranges, cost) that serve most of these rows, compared on all short rows
    ("gates", "equations", "squared"),
    ("gates", "equations", "entropy"),
    ("full", "caption", "mixed"),
)
EARLIER = {  # rows with trials 0 to 29, and the reading that they were run with
    **dict.fromkeys(("1-1", "1-2", "1-3", "1-4", "1-5"), "--ranges caption --update step --test-every 500"),
    "2a": "--cost entropy --update step --cell first --test-every 500",
    "2b": "--cost entropy --errors end --test-every 500",
    **dict.fromkeys(("2c-1", "2c-2", "2c-3"), "--ranges caption --cost mixed --test-every 500"),
    **dict.fromkeys(("3a-1", "3a-2", "3b-1", "3b-2"), "--test-every 500"),
    "4-1": "--ranges caption --cost entropy",
}


def twice(name):
    """The options of a run that compares readings: trials 100 to 129, and a cap of twice the paper's mean."""
    return f"--task {name} --trials 100-129 --steps {2 * lab.ROWS[name].paper.sequences[-1]}"


def choices():
    """{point: command line} of all readings that are compared."""
    found = {}
    for row, recurrence, ranges, cost in itertools.product(READ, RECURRENCE, RANGES, COSTS):
        reading = f"--recurrence {recurrence} --ranges {ranges} --cost {cost}"
        found[f"choice/{row}-{recurrence}-{ranges}-{cost}"] = f"{twice(row)} {reading}"
    for cost, cell in itertools.product(COSTS, ("late", "first")):
        for update in "sequence", "step":
            found[f"choice/2a-{cost}-{cell}-{update}"] = f"{twice('2a')} --cost {cost} --cell {cell} --update {update}"
        for errors in "every", "end":
            found[f"choice/2b-{cost}-{cell}-{errors}"] = f"{twice('2b')} --cost {cost} --cell {cell} --errors {errors}"
    for row, reading in itertools.product(SHORT_ROWS, FINALISTS):
        name = in_choice(row, reading)
        if name not in found:
            found[name] = f"{twice(row)} --recurrence {reading[0]} --ranges {reading[1]} --cost {reading[2]}"
    return found


def in_choice(row, reading):
    """The point of a row and a reading (recurrence, ranges, cost) that compares readings."""
    if not lab.ROWS[row].kind.output_gates:  # tasks 2a and 2b have neither units that receive units nor ranges
        return f"choice/{row}-{reading[2]}-late-{'sequence' if row == '2a' else 'every'}"
    return f"choice/{row}-{'-'.join(reading)}"


# The three columns of the table: (a) the text to the letter; (b) one reading for all tasks; (c) the nearest reading for
# each task. Readings were chosen on trials 100 to 129.
ONE = "--recurrence gates"
NEAREST = {"1": "--recurrence gates-from-gates --output-bias --input-biases 0 --cost mixed",
           "2a": "--cost entropy --update step --cell first", "2b": "--cost entropy --cell first --errors end",
           "2c": ONE, "3": ONE, "4": f"{ONE} --ranges caption --cost entropy", "6": "--cost mixed"}  # fmt: skip
NEAREST["5"] = NEAREST["4"]  # multiplication has no short row; it takes the reading of adding


def column_options(column, name):
    """The options of a row in a column: how its reading differs from the text."""
    task = name.partition("-")[0]
    if column == "nearest":
        return NEAREST.get(task, NEAREST.get(task[0]))
    if column == "text":
        return ""
    return ONE if lab.ROWS[name].kind.output_gates else ""  # tasks 2a and 2b have no units that receive units


def point_of(column, name):
    """The point of a row in a column. Columns with the same reading of a row share a point."""
    columns = ("text", "one", "nearest")
    same = [other for other in columns if column_options(other, name) == column_options(column, name)]
    return f"{same[0]}/{name}"


def place_of(column, name):
    """The point of a row in a column; None for a long row that is not run with this column."""
    found = point_of(column, name)
    return found if found in POINTS else None


def columns_text():
    """The text of columns.json: the point of each row in each column in which it is run, for renderers."""
    places = {column: {name: place_of(column, name) for name in lab.ROWS} for column in COLUMN_WORDS}
    found = {column: {name: place for name, place in of.items() if place} for column, of in places.items()}
    return json.dumps(found, indent=1) + "\n"


PARTS = {  # other runs for the questions of tasks 1 and 4, and of the cost of data movement
    "parts/1-5-full-gradient-equations": f"{twice('1-5')} --gradient full",
    "parts/1-5-full-gradient-caption": f"{twice('1-5')} --gradient full --ranges caption",
    "parts/1-5-memory": f"{twice('1-5')} --ranges caption --update step --errors end",
    "parts/6a-full-gradient": "--task 6a --trials 200-229 --gradient full",
    "parts/4-1-counted": f"{twice('4-1')} --ranges caption --cost entropy --first-pair counted",
    "parts/4-1-unmarked": f"{twice('4-1')} --ranges caption --cost entropy --first-pair unmarked",
}
BASELINES = {  # learning rules and networks that the paper compares with LSTM
    **{f"baselines/rtrl-4-{lr}": f"--method rtrl --p 4 --lr {lr}" for lr in (1, 4, 10)},
    "baselines/rtrl-10": "--method rtrl --p 10 --lr 1",
    "baselines/try-entropy": "--method rtrl --p 4 --lr 1 --cost entropy --trials 100-129",
    "baselines/try-init-1": "--method rtrl --p 4 --lr 1 --init 1 --trials 100-129",
    "baselines/bptt-100": "--method bptt --p 100 --lr 1",
    **{f"baselines/guess-{task}": f"--method guess --task {task}" for task in ("3a-1", "3a-2")},
}
ZERO = "--recurrence in-from-gates --output-bias --input-biases 0"
ALL = ZERO.replace("from-gates", "from-all")
SEARCH = {  # readings of row 1-5 (grammar_1997.py), compared on trials 100 to 129: what differs from the text
    "text": "",
    "text-step": "--update step",
    "full-bias": "--output-bias",
    "ig": "--recurrence in-from-gates --output-bias",
    "ig-step": "--recurrence in-from-gates --output-bias --update step",
    "ig-zero": ZERO,
    "ig-zero-step": f"{ZERO} --update step",
    "ig-nobias-zero-step": "--recurrence in-from-gates --input-biases 0 --update step",
    "gg-zero": ZERO.replace("in-from", "gates-from"),
    "gg-zero-step": ZERO.replace("in-from", "gates-from") + " --update step",
    "ia-zero": ALL,
    "ia-zero-step": f"{ALL} --update step",
    "none-zero": ZERO.replace("in-from-gates", "none"),
    "none-zero-step": ZERO.replace("in-from-gates", "none") + " --update step",
    "gates-zero-step": ZERO.replace("in-from-gates", "gates") + " --update step",
    "ig-zero-step-caption": f"{ZERO} --update step --ranges caption",
    "ig-zero-step-noreset": f"{ZERO} --update step --no-reset",
    "text-noreset": "--no-reset",
    "ig-zero-step-test10": f"{ZERO} --update step --test-every 10",
    "ig-neg-step": "--recurrence in-from-gates --output-bias --input-biases=-1 --update step",
    "ig-zero-orandom-step": f"{ZERO} --update step --output-biases random",
    "ig-zero-cellbias-step": f"{ZERO} --update step --cell-bias",
    "ig-zero-step-entropy": f"{ZERO} --update step --cost entropy",
    "ig-zero-step-distinct": f"{ZERO} --update step --strings distinct",
    "ig-zero-mixed": f"{ZERO} --cost mixed",
    "ia-zero-step-caption": f"{ALL} --update step --ranges caption",
    "ia-zero-mixed": f"{ALL} --cost mixed",
    "ia-zero-step-mixed": f"{ALL} --cost mixed --update step",
    "ia-zero-mixed-caption": f"{ALL} --cost mixed --ranges caption",
    "ia-neg-mixed": "--recurrence in-from-all --output-bias --input-biases=-1 --cost mixed",
    "gg-zero-mixed": ZERO.replace("in-from", "gates-from") + " --cost mixed",
    "gates-zero-mixed": ZERO.replace("in-from-gates", "gates") + " --cost mixed",
}
DIAGNOSIS = "--h identity --targets legal-0.1 --update step"  # no reading of the paper: what stands in the way
TASK_1 = {
    **{f"grammar/search-{name}": f"--trials 100-129 {words}".strip() for name, words in SEARCH.items()},
    **{f"grammar/{row}-diagnosis": f"--task {row} --trials 200-229 {DIAGNOSIS}" for row in GRAMMAR_ROWS},
    **{f"grammar/{row}-text-without-output-gates": f"--task {row} --trials 200-229 --output-gates none"
       for row in ("1-1", "1-5")},
    **{f"grammar/{row}-nearest-without-output-gates":
       f"--task {row} --trials 200-229 {NEAREST['1']} --output-gates none" for row in ("1-4", "1-5")},
}  # fmt: skip
FLOW_RATES = (0.1, 0.5, 2.5)
FLOW = {  # how errors go back in time (error_flow_1997.py)
    "error-flow/logistic": "studies/error_flow_1997.py",
    "error-flow/tanh": "studies/error_flow_1997.py --cell tanh",
    "error-flow/lstm": "studies/error_flow_1997.py --cell lstm",
    **{f"error-flow/{cell}-init-1": f"studies/error_flow_1997.py --cell {cell} --init 1"
       for cell in ("logistic", "tanh")},
    **{f"error-flow/rates/{cell}-{rate}": f"studies/error_flow_1997.py --cell {cell} --lr {rate} --trials 100-129"
       for cell in ("logistic", "tanh") for rate in FLOW_RATES},
}  # fmt: skip
ROBUST = {  # other initial biases of gates and other learning rates, which the paper says hardly matter
    f"robust/{row}-{name}": f"--task {row} --trials 200-229 {words}"
    for row, zero, more, rate in (("3a-1", "0,0,0", "-3,-4,-6", 1.0), ("6a", "0,0", "-4,-6", 0.5))
    for name, words in (
        ("zero", f"--input-biases={zero}" + (f" --output-biases={zero}" if row == "3a-1" else "")),
        ("lower", f"--input-biases={more}" + (" --output-biases=-3,-5,-7" if row == "3a-1" else "")),
        (
            "random",
            "--input-biases random" + (" --output-biases random" if row == "3a-1" else " --output-biases=-2,-4"),
        ),
        ("half-rate", f"--lr {rate / 2}"),
        ("twice-rate", f"--lr {rate * 2}"),
    )
}
PLATEAU = 3000  # sequences at which the states of task 2c are measured; no trial has learned yet
LAGS = ("2c-1", "2c-2", "2c-3", "2c-4")
POINTS = {
    "6a": "",  # the headline
    **{name: f"--task {name} {words}" for name, words in EARLIER.items()},
    **choices(),
    **PARTS,
    **ROBUST,
    **FLOW,
    **{name: f"studies/baselines_1997.py {words}" for name, words in BASELINES.items()},
    **{name: f"studies/grammar_1997.py {words}" for name, words in TASK_1.items()},
    **{f"lags/{name}-{way}": f"--task {name} --recurrence {way}" for name in LAGS for way in ("gates", "none")},
    **{
        f"drift/{name}-{way}": f"--task {name} --recurrence {way} --steps {PLATEAU} "
        "--eval-every 1000 --snapshot-every 1000"
        for name in LAGS
        for way in ("full", "gates", "none")
    },
    **{
        point_of(column, name): f"--task {name} --trials 200-229 {column_options(column, name)}".strip()
        for column in ("text", "one", "nearest")
        for name in SHORT_ROWS
    },
    **{
        f"{column}/{name}": f"--task {name} --trials 200-209 {column_options(column, name)}"
        for name, columns in LONG_ROWS.items()
        for column in columns
    },
}
PENDING = (  # points whose runs have not finished
    "one/3a-3",
    "one/3b-3",
    "nearest/4-3",
    "nearest/5",
    "nearest/6b",
)
LONG = tuple(f"{column}/{name}" for name, columns in LONG_ROWS.items() for column in columns)
OF_COLUMNS = tuple(name for name in POINTS if name.startswith(("text/", "one/", "nearest/")) and name not in LONG)
GROUPS = {
    "columns": OF_COLUMNS,
    "long": LONG,
    "earlier": tuple(EARLIER),
    "questions": tuple(name for name in POINTS if "/" in name and name not in (*OF_COLUMNS, *LONG)),
}
DRAWN = {name.split("-")[0]: name for name in reversed(SHORT_ROWS)}  # the first row of each task, shown in a picture


def evaluations(point):
    """The most evaluations that the history of a point keeps."""
    return 60 if point in {point_of("nearest", name) for name in DRAWN.values()} else 3


WEIGHTS = ()  # points keep no weights; the headline has those of its trials


def without_snapshots(path):
    """Remove from a checkpoint the snapshots of the recorded trial: points do not keep them, and they are large."""
    with np.load(path) as file:
        config = json.loads(file["tree"].item())["config"]
    state = lab.load_checkpoint(path.parent, config, None)
    state.snapshots = {"step": []}
    lab.save_checkpoint(path.parent, vars(state))


# -------------------------------------------------------------------------------------------------- measures


def measure(options, name, theta):
    """Measures of networks with trained parameters theta (S, P) on fresh sequences; see measure_trial."""
    found = [measure_trial(lab.row_of(options), options, *trial) for trial in zip(options.seeds, theta)]
    return {"measures": {name: np.stack([trial[name] for trial in found], axis=-1) for name in found[0]}}


def steps_of(row):
    """The steps, from 1, at which states of task 2c are measured: from 2, x or y, to the last certain distractor."""
    return np.unique(np.geomspace(2, row.task.lag + 2, 20).round().astype(int))


def measure_trial(row, options, trial, theta):
    """Measures of the network theta (P,) of a trial. state: mean |s| of its cells at the ends of sequences.

    Task 1: memory_wrong is the share of strings with a wrong prediction of the last symbol but one, which needs a
    memory of the second symbol; grammar_wrong is the share of strings with a wrong prediction at another step, which
    needs only the grammar. Task 2c, at the steps steps_of(row): state_at is the mean |s|, slope_at the mean of h'(s) /
    h'(0). Task 6: the mean input gate at X and Y and at the other steps, in the block where the two differ most.
    """
    if row.task.name == "1":
        row = replace(row, reading=row.reading._replace(errors="every"))
    batch = lab.draw(row, [trial], lab.EVAL, n=min(options.eval_n, lab.CHUNK))
    T, n, found = len(batch.x), batch.length.shape[1], {}
    net = lab.Network(row, theta[None], T, n)
    lab.forward(net, batch.x)
    found["state"] = np.abs(net.s[batch.length[0], :, 0, np.arange(n)]).mean() * net.state_unit
    if row.task.name == "2c":
        s = net.s[steps_of(row), :, 0] * net.state_unit  # (steps, H, n)
        found |= {"state_at": np.abs(s).mean(axis=(1, 2)), "slope_at": (1 - np.tanh(s / 2) ** 2).mean(axis=(1, 2))}
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
         "entropy": "without slope", "full": "all units", "gates": "gates only"}  # fmt: skip
TASK_WORDS = {
    "1": "Reber grammar", "2a": "without noise", "2b": "no regularities", "2c": "very long lags", "3a": "two sequences",
    "3b": "noise on the signal", "3c": "noisy targets", "4": "adding", "5": "multiplication", "6a": "order of two",
    "6b": "order of three",
}  # fmt: skip
COLUMN_WORDS = {"text": "(a) the text", "one": "(b) one reading", "nearest": "(c) the nearest"}
ENOUGH = 0.9  # a rule counts as met at this share of trials
FEW = 5  # no interval for means of fewer trials


def point(name):
    """Read results.json of a point. Returns it and its only run, or None, None if the point was not run."""
    if not (results_folder(lab, name) / "results.json").exists():
        return None, None
    results = load_point(lab, name)
    return results, next(iter(results["runs"].values()))


def is_there(*names):
    """Whether all these points have results. A point may be None: it has none."""
    return all(name is not None and (results_folder(lab, name) / "results.json").exists() for name in names)


def paper():
    """{row: the paper's figures}, from results.json of the headline."""
    return point("6a")[1]["paper"]


def met(run, rule=-1):
    """Sequences of the trials that met a rule."""
    return [n for n in run["rules"][rule]["sequences"] if n is not None]


def success(name, rule=-1):
    """The number of trials of a point that met a rule, and the number of all trials."""
    results, run = point(name)
    return len(met(run, rule)), len(results["seeds"])


def told(run, rule, key):
    """Values of the tests of all trials that met a rule."""
    return [value for value in run["rules"][rule][key] if value is not None]


def mean_interval(values, form):
    """The mean of values and its 95 % interval, as text; no interval if there are few values."""
    if len(values) < FEW:
        return f"{np.mean(values):{form}}" if len(values) else "–"
    return f"{np.mean(values):{form}} [{'–'.join(f'{end:{form}}' for end in bootstrap(values))}]"


def per_cent(shares):
    """Shares in per cent; None stays None."""
    return [None if share is None else 100 * share for share in shares]


def rules_of(rows=tuple(lab.ROWS)):
    """[(row, rule, the paper's mean number of sequences, its wrong answers of 2,560 or None)] of rows."""
    stated = [(name, rule, paper()[name]) for name in rows for rule in range(len(paper()[name]["sequences"]))]
    return [(name, rule, of["sequences"][rule], wrong_of(of["wrong"][rule])) for name, rule, of in stated]


def wrong_of(stated):
    """The paper's number of wrong answers out of 2,560. stated: this number, or a share, or None."""
    return stated * 2560 if stated is not None and stated < 1 else stated


def beside_the_paper(values, trials, combine, draws=10000):
    """The 95 % interval of combine(our mean, the paper's mean), if the paper's trials vary as ours do.

    The paper gives no spread. Both means are drawn from our values, ours of as many as there are, the paper's of its
    number of trials. combine gets our means (draws,), and the factors (draws,) by which the paper's mean would differ.
    """
    values, rng = np.asarray(values, float), np.random.default_rng(0)
    ours = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    theirs = values[rng.integers(len(values), size=(draws, trials))].mean(axis=1)
    return tuple(map(float, np.percentile(combine(ours, theirs), [2.5, 97.5])))


def ratio_interval(run, name, rule, filled=False):
    """Our mean number of sequences divided by the paper's: the ratio and its interval (see beside_the_paper).

    filled: failed trials count as the cap. The ratio is None if no trial met the rule; the interval, if few did.
    """
    values = [run["cap"] if n is None else n for n in run["rules"][rule]["sequences"]] if filled else met(run, rule)
    goal = paper()[name]["sequences"][rule]
    if not values:
        return None, None
    ratio = float(np.mean(values) / goal)
    if len(values) < FEW:
        return ratio, None
    trials = paper()[name]["trials"]
    return ratio, beside_the_paper(values, trials, lambda ours, theirs: ours / goal * np.mean(values) / theirs)


def verdict(run, name, rule):
    """The verdict on a rule: fails, agrees, faster or slower, and whether the networks are less accurate."""
    n = len(run["rules"][rule]["sequences"])
    if len(met(run, rule)) < ENOUGH * n:
        return "fails", False
    _, (low, high) = ratio_interval(run, name, rule)
    stated, wrong = wrong_of(paper()[name]["wrong"][rule]), told(run, rule, "wrong")
    more = stated is not None and beside_the_paper(
        wrong, paper()[name]["trials"], lambda ours, theirs: ours - theirs + np.mean(wrong) - stated
    )
    return "faster" if high < 1 else "slower" if low > 1 else "agrees", bool(more and more[0] > 0)


def verdict_words(run, name, rule):
    """The verdict on a rule as text."""
    speed, less_accurate = verdict(run, name, rule)
    return speed + (", less accurate" if less_accurate else "")


def verdicts(column, rows=tuple(lab.ROWS)):
    """{(row, rule): its verdict} of the rows of a column that were run to the end."""
    runs = {name: point(place_of(column, name))[1] for name in rows if is_there(place_of(column, name))}
    return {(name, rule): verdict(runs[name], name, rule) for name, rule, _, _ in rules_of(runs)}


def best_column(name):
    """The column with which every row is run: (b), or (c) if (b) fails on a short row of the task.

    The short row of task 6b is 6a. Task 5 has none; its column is (b).
    """
    task = {"6b": "6a"}.get(name, name).partition("-")[0]
    short = [row for row in SHORT_ROWS if row.partition("-")[0] == task]
    return "nearest" if any(speed == "fails" for speed, _ in verdicts("one", short).values()) else "one"


def best_verdicts():
    """{(row, rule): its verdict} of the rows that were run to the end with their best_column."""
    found = {column: verdicts(column) for column in ("one", "nearest")}
    return {(name, rule): found[best_column(name)][name, rule] for name, rule, _, _ in rules_of()
            if (name, rule) in found[best_column(name)]}  # fmt: skip


def rows_run():
    """The rows of the paper that were run to the end with at least one reading."""
    return [name for name in lab.ROWS if any(is_there(place_of(column, name)) for column in COLUMN_WORDS)]


def progress(name, rule):
    """How far an unfinished run with committed checkpoints is: trials that have met a rule, trials, and sequences.

    None if there are no such checkpoints. Each trial that goes on has seen at least this number of sequences.
    """
    trials, done, least = 0, 0, math.inf
    for path in sorted((results_folder(lab, "unfinished") / name).glob("*/shard.json")):
        trials += len(json.loads(path.read_text()))
        if (path.parent / "run" / "results.json").exists():
            (run,) = json.loads((path.parent / "run" / "results.json").read_text())["runs"].values()
            done += len(met(run, rule))
        elif (path.parent / "run" / "checkpoint.npz").exists():
            with np.load(path.parent / "run" / "checkpoint.npz") as file:
                state = json.loads(file["tree"].item())
            done, least = done + len(met(state, rule)), min(least, state["step"])
        else:
            least = 0
    return (done, trials, least) if trials else None


def is_double(name):
    """Whether a row has two stopping rules."""
    return len(paper()[name]["sequences"]) > 1


def row_words(name, rule):
    """A row and the number of the rule, if it has two, in words."""
    return f"{name}, {TASK_WORDS[name.split('-')[0]]}" + (f", rule {rule + 1}" if is_double(name) else "")


def listed(words):
    """Words as text: a, b and c."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def interval_words(interval, form=".2f"):
    """An interval as text."""
    return "" if interval is None else f" [{'–'.join(f'{end:{form}}' for end in interval)}]"


def paper_tables():
    rows = [["row", "paper: mean", *(f"{words}" for words in COLUMN_WORDS.values())]]
    for name, rule, goal, _ in rules_of():
        cells = []
        for column in COLUMN_WORDS:
            place = place_of(column, name)
            if not is_there(place):
                far = place and progress(place, rule)
                so_far = "; {} of {} so far, at {:,}".format(*far) if far else ""
                cells.append(f"not finished{so_far}" if place else "not run")
                continue
            run, (k, n) = point(place)[1], success(place, rule)
            ratio, interval = ratio_interval(run, name, rule)
            there = "" if ratio is None else f", {ratio:.2f}{interval_words(interval)}"
            cells.append(f"{k}/{n}{there}: {verdict_words(run, name, rule)}")
        rows.append([row_words(name, rule), f"{goal:,}", *cells])
    return table(*rows)


def column_table(column):
    """The table with all figures of a column."""
    heads = ["row", "weights", "met the rule", "mean sequences", "median [range]", "failures at the cap: ratio"]
    rows = [[*heads, "wrong: paper", "wrong: ours", "mean abs. error"]]
    for name, rule, _, wrong in rules_of():
        place = place_of(column, name)
        if not is_there(place) or not place.startswith(f"{column}/"):
            continue
        run = point(place)[1]
        here, words = met(run, rule), f"{name}, rule {rule + 1}" if is_double(name) else name
        ratio, interval = ratio_interval(run, name, rule, filled=True)
        error = told(run, rule, "mean_error")
        cells = [words, f"{run['trainable_parameters']:,}", share(len(here), len(run["rules"][rule]["sequences"]))]
        cells += [mean_interval(here, ",.0f"), spread(here, ",.0f"), f"{ratio:.2f}{interval_words(interval)}"]
        cells += ["–" if wrong is None else f"{wrong:.3g}", mean_interval(told(run, rule, "wrong"), ".1f")]
        rows.append([*cells, f"{np.mean(error):.4f}" if error else "–"])
    return table(*rows)


def paper_earlier():
    rows = [["row, trials 0 to 29", "reading", "met the rule", "mean sequences", "wrong: paper", "wrong: ours"]]
    for name, rule, _, wrong in rules_of([name for name in SHORT_ROWS if name in EARLIER or name == "6a"]):
        results, run = point(name)
        cells = [share(*success(name, rule)), mean_interval(met(run, rule), ",.0f")]
        cells += ["–" if wrong is None else f"{wrong:.3g}", mean_interval(told(run, rule, "wrong"), ".1f")]
        rows.append([row_words(name, rule), reading_of(results["config"]), *cells])
    return table(*rows)


def reading_of(config):
    """How a reading differs from the text, in words."""
    how = {"ranges": {"caption": "ranges of the caption"}, "update": {"step": "a change per step"},
           "cost": {"mixed": "slope + 0.1", "entropy": "without slope"}, "errors": {"end": "an error at the end only"},
           "recurrence": {"gates": "cells receive inputs only", "none": "no unit receives units",
                          "in-from-gates": "input gates receive gates, other units inputs only",
                          "in-from-all": "input gates receive all, other units inputs only",
                          "gates-from-gates": "gates receive gates, cells inputs only"},
           "output_bias": {True: "outputs with a bias"}, "cell": {"first": "cell from the start"},
           "first_pair": {"counted": "first pair counted", "unmarked": "first pair unmarked"}}  # fmt: skip
    words = [how[key][config[key]] for key in how if config.get(key) in how[key]]
    return ", ".join(words) or "the text"


def rule_words(task):
    """The first and the second stopping rule of a task in words; "–" if there is no second rule."""
    of = f"{lab.TESTS[task]:,}" if task in lab.TESTS else f"the last {lab.WINDOW:,}"
    found = []
    for k, rule in enumerate(lab.RULES[task]):
        wrong = f"{'none' if rule.wrong == 1 else f'fewer than {rule.wrong}'} of {of} wrong"
        wrong = "rule 1" if k and rule.wrong == lab.RULES[task][0].wrong else wrong
        found.append(wrong + (f", and mean error below {rule.error}" if np.isfinite(rule.error) else ""))
    return [*found, "–"][:2]


def how_rows_differ(task, rows):
    """The differences between the rows of a task, and the numbers of steps of their sequences, as text."""
    if task == "1":
        kinds = (f"{row.kind.blocks} × {row.kind.per_block}, {row.kind.rate}" for row in rows)
        return f"blocks × cells, learning rate: {'; '.join(kinds)}", f"{rows[0].task.size} or more"
    if task == "2c":
        lags, symbols = ([f"{getattr(row.task, key):,}" for row in rows] for key in ("lag", "size"))
        words = f"distractors, at least: {listed(lags)}; symbols: {listed(symbols)}"
        return words, "3 more than distractors, or more"
    of_steps = {}
    for row in rows:
        of_steps.setdefault(f"{row.task.size:,}–{row.task.size * 11 // 10:,}", []).append(row.name)
    (most, _), *others = of_steps.items()
    steps = "; ".join([most, *(f"{', '.join(names)}: {words}" for words, names in others)])
    if task[0] == "3":
        return f"numbers that show the class: {listed([str(row.task.signal) for row in rows])}", steps
    return "–", f"{rows[0].task.size}" if task[0] == "2" else steps


def paper_rows():
    heads = [["rows", "how they differ", "steps", "an answer is right if", "rule 1", "rule 2"]]
    of_task = {}
    for name in lab.ROWS:
        of_task.setdefault(lab.ROWS[name].task.name, []).append(lab.ROWS[name])
    rows = []
    for task, some in of_task.items():
        right = f"outputs are within {lab.TOLERANCE[task]}" if task in lab.TOLERANCE else "legal symbols are highest"
        rows.append([", ".join(row.name for row in some), *how_rows_differ(task, some), right, *rule_words(task)])
    return table(*heads, *rows)


def paper_front():
    rows = [["row: trials, ratio of sequences", "(a) the text", "(c) the nearest reading"]]
    for name in "6a", "4-1", "2c-2", "1-5":
        cells = []
        for column in "text", "nearest":
            run = point(point_of(column, name))[1]
            if run is None:
                cells.append("not finished")
                continue
            ratio, _ = ratio_interval(run, name, 0)
            k, n = success(point_of(column, name), 0)
            words = verdict_words(run, name, 0)
            cells.append(f"{k}/{n}" + (f", {ratio:.2f}" if ratio else "") + f": {words}")
        rows.append([f"{name}, {TASK_WORDS[name.split('-')[0]]}", *cells])
    return table(*rows)


# The choice of readings, on trials 100 to 129, which stop at twice the paper's mean.


def solved_and_mean(name):
    """Trials of a point that met the last rule, and the mean of their sequences, as short text."""
    if point(name)[1] is None:
        return "not finished"
    (k, n), here = success(name), met(point(name)[1])
    return f"{k}/{n}" + (f", {np.mean(here):,.0f}" if here else "")


def serves(name):
    """Whether nine trials in ten or more of a point met the last rule."""
    k, n = success(name)
    return k >= ENOUGH * n


def distance(name, row):
    """How far the mean of a point is from the paper's: the absolute logarithm of their ratio."""
    here = met(point(name)[1])
    return abs(math.log(np.mean(here) / paper()[row]["sequences"][-1])) if here else math.inf


def nearest(row, candidates):
    """The point of a row that rule (c) chooses among candidates: of those that serve the row the nearest to the paper.

    If none serves it: the one with most trials that met the last rule, and of these the nearest.
    """
    there = [name for name in candidates if point(name)[1] is not None]
    serving = [name for name in there if serves(name)]
    return min(serving or there, key=lambda name: (0 if serving else -success(name)[0], distance(name, row)))


def served(reading, rows):
    """Those of rows that a reading (recurrence, ranges, cost) serves."""
    names = {row: in_choice(row, reading) for row in rows}
    return [row for row, name in names.items() if is_there(name) and serves(name)]


def of_tasks(reading):
    """The number of tasks that a reading serves, where a task counts with the share of its short rows."""
    tasks = {name[0] for name in SHORT_ROWS}
    rows = {task: [name for name in SHORT_ROWS if name[0] == task] for task in tasks}
    return sum(len(served(reading, rows[task])) / len(rows[task]) for task in tasks)


def finalists():
    """The readings (recurrence, ranges, cost) that serve most of the rows READ."""
    counts = {reading: len(served(reading, READ)) for reading in itertools.product(RECURRENCE, RANGES, COSTS)}
    return {reading for reading, count in counts.items() if count == max(counts.values())}


def one_reading():
    """The (recurrence, ranges, cost) that rule (b) chooses: the finalist that serves most short rows.

    If several serve as many, it is the one whose means on the rows READ that it serves are the nearest to the paper's.
    """

    def rank(reading):
        near = [distance(in_choice(row, reading), row) for row in served(reading, READ)]
        return -len(served(reading, SHORT_ROWS)), np.mean(near)

    return min(finalists(), key=rank)


def paper_finalists():
    heads = [f"{'all connections' if way == 'full' else 'cells: inputs only'}, {ranges}, {WORDS[cost]}"
             for way, ranges, cost in FINALISTS]  # fmt: skip
    rows = [["row", "the paper", *heads]]
    for row in SHORT_ROWS:
        cells = [(solved_and_mean(in_choice(row, reading)), served(reading, [row])) for reading in FINALISTS]
        goal = f"{paper()[row]['sequences'][-1]:,}"
        rows.append([row, goal, *(f"**{words}**" if is_served else words for words, is_served in cells)])
    counts = [len(served(reading, SHORT_ROWS)) for reading in FINALISTS]
    return table(*rows, ["rows served", "", *(f"{count} of {len(SHORT_ROWS)}" for count in counts)])


def paper_readings():
    rows = [["cells receive", "ranges", "errors", *READ]]
    rows.append(["the paper", "", "", *(f"{paper()[row]['sequences'][-1]:,}" for row in READ)])
    for recurrence, ranges, cost in itertools.product(RECURRENCE, RANGES, COSTS):
        cells = []
        for row in READ:
            name = f"choice/{row}-{recurrence}-{ranges}-{cost}"
            words = solved_and_mean(name)
            cells.append(f"**{words}**" if is_column(name, "nearest") else words)
        what = {"full": "units and inputs", "gates": "inputs only"}[recurrence]
        rows.append([what, ranges, WORDS[cost], *cells])
    return table(*rows)


def is_column(name, column):
    """Whether a point of the choice has the reading of a column for its row."""
    config = point(name)[0]["config"] if point(name)[0] else {}
    words = f"--task {config.get('task')} {column_options(column, config['task'])}" if config else ""
    if not config:
        return False
    other = lab.settings(lab.parse_options(words.split())[0])
    return all(config[key] == other[key] for key in (*lab.Reading._fields, "input_biases", "output_biases"))


def paper_task_2():
    rows = [
        [
            "errors",
            "the cell",
            "2a, a change per sequence",
            "2a, per step",
            "2b, errors at every step",
            "2b, at the end",
        ]
    ]
    rows.append(["the paper", "", *(f"{paper()[row]['sequences'][0]:,}" for row in ("2a", "2a", "2b", "2b"))])
    for cost, cell in itertools.product(COSTS, ("late", "first")):
        names = [f"choice/2a-{cost}-{cell}-{update}" for update in ("sequence", "step")]
        names += [f"choice/2b-{cost}-{cell}-{errors}" for errors in ("every", "end")]
        cells = [
            f"**{solved_and_mean(name)}**" if is_column(name, "nearest") else solved_and_mean(name) for name in names
        ]
        rows.append([WORDS[cost], {"late": "added later", "first": "from the start"}[cell], *cells])
    return table(*rows)


FIRST_PAIR = {
    "choice/4-1-full-caption-entropy": "its value is replaced by 0, and its marker is 1",
    "parts/4-1-counted": "its value stays but counts as 0, and its marker is 1",
    "parts/4-1-unmarked": "its value stays but counts as 0, and its marker stays −1",
}


def paper_first_pair():
    rows = [["row 4-1: if the first pair is the one to be marked", "met the rule", "mean"]]
    for name, words in FIRST_PAIR.items():
        rows.append([words, share(*success(name)), mean_interval(met(point(name)[1]), ",.0f")])
    return table(*rows)


# Task 2c


def paper_lags():
    rows = [["distractors", "paper: mean", "reading", "met the rule", "mean sequences", "ours / paper"]]
    for name in LAGS:
        for way in RECURRENT:
            where = f"text/{name}" if way == "full" else f"lags/{name}-{way}"
            run, trials = point(where)[1], "200–229" if way == "full" else "0–29"
            if run is None:
                rows.append(
                    [
                        lab.ROWS[name].task.lag,
                        f"{paper()[name]['sequences'][0]:,}",
                        RECURRENT[way],
                        "not finished",
                        "",
                        "",
                    ]
                )
                continue
            ratio, interval = ratio_interval(run, name, 0)
            words = "–" if ratio is None else f"{ratio:.2f}{interval_words(interval)}"
            cells = [share(*success(where)), mean_interval(met(run), ",.0f"), words]
            goal = f"{paper()[name]['sequences'][0]:,}"
            rows.append([lab.ROWS[name].task.lag, goal, f"{RECURRENT[way]} ({trials})", *cells])
    return table(*rows)


RECURRENT = {"full": "all units receive all", "gates": "cells receive inputs only", "none": "no unit receives units"}


# How the number of sequences grows: rows, and the quantity with which they differ. Renderers have the same.
GROWTH = {
    "lag": ({"2c-1": 50, "2c-2": 100, "2c-3": 200, "2c-4": 500, "2c-5": 1000}, "one"),  # distractors and symbols
    "repeats": ({"2c-5": 1, "2c-6": 2, "2c-7": 5, "2c-8": 10, "2c-9": 20}, "one"),  # 1,000 distractors per symbol
    "adding": ({"4-1": 100, "4-2": 500, "4-3": 1000}, "nearest"),  # steps
}


def exponent(sizes, means):
    """The exponent of the power law of means against sizes, by least squares of the logarithms."""
    return np.polyfit(np.log(sizes), np.log(means), 1)[0]


def growth(kind, draws=2000):
    """The exponents of GROWTH: ours, its 95 % bootstrap interval over trials, the paper's; and the rows that were run.

    All are of the rows that were run to the end. None if these are fewer than two.
    """
    sizes, column = GROWTH[kind]
    values = {name: met(point(place_of(column, name))[1]) for name in sizes if is_there(place_of(column, name))}
    if len(values) < 2:
        return None
    sizes, rng = [sizes[name] for name in values], np.random.default_rng(0)
    means = [rng.choice(of_row, (draws, len(of_row))).mean(axis=1) for of_row in values.values()]
    ends = np.percentile([exponent(sizes, drawn) for drawn in np.transpose(means)], [2.5, 97.5])
    theirs = exponent(sizes, [paper()[name]["sequences"][0] for name in values])
    return exponent(sizes, [np.mean(of_row) for of_row in values.values()]), tuple(ends), theirs, list(values)


def paper_growth():
    heads = ["row", "steps, at least", "symbols", "distractors per symbol", "paper: mean", "met the rule"]
    rows = [[*heads, "mean sequences", "ours / paper", "wrong: paper", "wrong: ours"]]
    for name in dict.fromkeys(itertools.chain(*(sizes for sizes, _ in GROWTH.values()))):
        task, place = lab.ROWS[name].task, place_of(best_column(name), name)
        lag = task.lag if task.name == "2c" else None
        cells = [row_words(name, 0), f"{task.size if lag is None else lag + 3:,}", f"{task.size:,}" if lag else "–"]
        cells += [f"{lag / task.size:g}" if lag else "–", f"{paper()[name]['sequences'][0]:,}"]
        if not is_there(place):
            rows.append([*cells, "not finished", "", "", "", ""])
            continue
        run, stated = point(place)[1], wrong_of(paper()[name]["wrong"][0])
        ratio, interval = ratio_interval(run, name, 0)
        cells += [share(*success(place)), mean_interval(met(run), ",.0f"), f"{ratio:.2f}{interval_words(interval)}"]
        rows.append([*cells, "–" if stated is None else f"{stated:.3g}", mean_interval(told(run, 0, "wrong"), ".1f")])
    return table(*rows)


def drift(name, way, measure):
    """A measure of states on the plateau at the last certain distractor, for each trial (S,)."""
    return np.array(point(f"drift/{name}-{way}")[1]["measures"][measure][-1])


def drift_power(way):
    """The exponent of the median |s| against the step, from step 10, in row 2c-3 on the plateau."""
    steps = steps_of(lab.ROWS["2c-3"])
    sizes = np.median(point(f"drift/2c-3-{way}")[1]["measures"]["state_at"], axis=1)
    return np.polyfit(np.log(steps[steps >= 10]), np.log(sizes[steps >= 10]), 1)[0]


def paper_drift():
    rows = [["distractors", "reading", "mean size of a state", "slope of h, per cent of its largest"]]
    for name in LAGS:
        for way, words in RECURRENT.items():
            cells = [
                spread(list(drift(name, way, "state_at")), ".2f"),
                spread(list(100 * drift(name, way, "slope_at")), ".0f"),
            ]
            rows.append([lab.ROWS[name].task.lag, words, *cells])
    return table(*rows)


# Task 1


def paper_grammar():
    rows = [["row", "reading", "met the rule", "grammar wrong, %", "memory wrong, %", "states"]]
    found = [(row, column) for row in ("1-1", "1-2", "1-3", "1-4", "1-5") for column in ("text", "nearest")]
    found = [(row, COLUMN_WORDS[column], point_of(column, row)) for row, column in found]
    found += [("1-5", words, name) for name, words in GRAMMAR.items()]
    for row, words, name in found:
        run = point(name)[1]
        if run is None:
            continue
        shares = (per_cent(run["measures"][measure]) for measure in ("grammar_wrong", "memory_wrong"))
        cells = [*(spread(values, ".1f") for values in shares), spread(run["measures"]["state"], ".1f")]
        rows.append([row, words, share(*success(name)), *cells])
    return table(*rows)


GRAMMAR = {
    "choice/1-5-full-equations-squared": "the text, trials 100–129",
    "parts/1-5-full-gradient-equations": "the text with the full gradient, trials 100–129",
    "choice/1-5-full-caption-squared": "ranges of the caption, trials 100–129",
    "parts/1-5-full-gradient-caption": "the same with the full gradient, trials 100–129",
    "parts/1-5-memory": "caption, a change per step, errors for the memory only, trials 100–129",
}


def paper_gates():
    names = {"in_gate_marked": "its input gate at X and Y", "in_gate_elsewhere": "its input gate at the other steps",
             "state": "size of the states at the end, mean over all cells"}  # fmt: skip
    measures = point("6a")[1]["measures"]
    rows = [["row 6a, after training: the block whose input gate tells X and Y best", "median [range] over trials"]]
    return table(*rows, *([words, spread(measures[name], ".3f")] for name, words in names.items()))


# Other biases and learning rates


ROBUST_WORDS = {
    "3a-1": {
        "zero": "gates start with biases 0", "lower": "input gates −3, −4, −6; output gates −3, −5, −7",
        "random": "gates start with random biases", "half-rate": "half the rate", "twice-rate": "twice the rate",
    },
    "6a": {
        "zero": "input gates start with biases 0", "lower": "input gates −4, −6",
        "random": "input gates random, output gates −2, −4", "half-rate": "half the rate",
        "twice-rate": "twice the rate",
    },
}  # fmt: skip


def ratio_of_means(values, others, draws=2000):
    """The ratio of two means, and the ends of its 95 % bootstrap interval."""
    rng, (values, others) = np.random.default_rng(0), (np.array(each, float) for each in (values, others))
    means = [rng.choice(each, (draws, len(each))).mean(axis=1) for each in (values, others)]
    return values.mean() / others.mean(), *np.percentile(means[0] / means[1], [2.5, 97.5])


def robust(row):
    """{setting: trials that met the last rule, all trials, their sequences} of the runs with other biases or rates."""
    names = {name: f"robust/{row}-{name}" for name in ROBUST_WORDS[row]}
    return {name: (*success(place), met(point(place)[1])) for name, place in names.items()}


def paper_robust():
    rows = [["row", "the text, but", "met the last rule", "mean sequences", "ratio to the text's"]]
    for row, settings in ROBUST_WORDS.items():
        own, found = met(point(f"text/{row}")[1]), robust(row)
        rows.append([row, "–", share(*success(f"text/{row}")), mean_interval(own, ",.0f"), "1"])
        for name, words in settings.items():
            k, n, here = found[name]
            ratio, low, high = ratio_of_means(here, own)
            cells = [share(k, n), mean_interval(here, ",.0f"), f"{ratio:.2f} [{low:.2f}–{high:.2f}]"]
            rows.append([row, words, *cells])
    return table(*rows)


def paper_options():
    rows = [
        ["column", "tasks", "options of lstm_1997.py"],
        ["(a)", "all", "–"],
        ["(b)", "1, 2c, 3, 4, 5, 6", f"`{ONE}`"],
    ]
    tasks = {}
    for task, options in NEAREST.items():
        tasks.setdefault(options, []).append(task)
    return table(*rows, *(["(c)", ", ".join(of), f"`{options}`"] for options, of in tasks.items()))


TABLES = {
    "paper-options": paper_options,
    "paper-rows": paper_rows,
    "paper-tables": paper_tables,
    "paper-text": partial(column_table, "text"),
    "paper-one": partial(column_table, "one"),
    "paper-nearest": partial(column_table, "nearest"),
    "paper-earlier": paper_earlier,
    "paper-readings": paper_readings,
    "paper-finalists": paper_finalists,
    "paper-task-2": paper_task_2,
    "paper-first-pair": paper_first_pair,
    "paper-lags": paper_lags,
    "paper-growth": paper_growth,
    "paper-drift": paper_drift,
    "paper-grammar": paper_grammar,
    "paper-gates": paper_gates,
    "paper-robust": paper_robust,
    "paper-front": paper_front,
}

# ---------------------------------------------------------------------------------------------------- claims


def tally(found):
    """How rules end, as text, and the numbers that agree, are faster, slower, fail. found: {(row, rule): verdict}."""
    speeds = [speed for speed, _ in found.values()]
    agree, faster, slower, fail = (speeds.count(word) for word in ("agrees", "faster", "slower", "fails"))
    stated = {(name, rule) for name, rule, _, wrong in rules_of() if wrong is not None}
    judged = [less for rule, (speed, less) in found.items() if rule in stated and speed != "fails"]
    words = f"{agree} agree, {faster} are faster, {slower} slower, {fail} fail; {sum(judged)} of the {len(judged)} "
    words += "rules that are met and have wrong answers in the paper end less accurate"
    return words, (agree, faster, slower, fail)


def front_of_report():
    made = {place_of(column, name) for column in COLUMN_WORDS for name in lab.ROWS} - {None}
    assert {name for name in made if not is_there(name)} == {name for name in PENDING if name in made}
    for name in filter(is_there, made):
        assert point(name)[0]["seeds"] == [*range(200, 210 if name in LONG else 230)]
    for name, columns in LONG_ROWS.items():
        assert best_column(name) == columns[0], f"the column of the long row {name}"
    best, n_rules = best_verdicts(), len(rules_of())
    words = f"All {n_rules} stopping rules" if len(best) == n_rules else f"{len(best)} of the {n_rules} stopping rules"
    found = {column: verdicts(column) for column in COLUMN_WORDS}
    return [
        f"**{words} of the paper's {len(paper())} rows were run to the end with one reading of its text for all tasks "
        f"(b), or with the nearest reading (c) in tasks in which (b) fails on a short row: {tally(best)[0]}.**",
        *(f"- *{words}*, {len(found[column])} rules: {tally(found[column])[0]}."
          for column, words in COLUMN_WORDS.items()),
        rows_not_run(),
        *([f"{len(PENDING)} of the {len(POINTS)} runs have not finished; their cells say so."] if PENDING else []),
    ]  # fmt: skip


def rows_not_run():
    """The rows that were not run to the end with any reading, and the paper's means of them, in words."""
    others = [name for name in paper() if name not in rows_run()]
    if not others:
        return f"All {len(paper())} rows of the paper were run to the end."
    words = [f"{name} ({'; '.join(f'{goal:,}' for goal in paper()[name]['sequences'])})" for name in others]
    return (
        f"{len(others)} rows with {len(rules_of(others))} rules were not run to the end. These are, with the paper's "
        f"means: {listed(words)}."
    )


def rows_with(column, word):
    """The rules with a verdict in a column, in words."""
    return [f"{name}{f' (rule {rule + 1})' if is_double(name) else ''}"
            for (name, rule), (speed, _) in verdicts(column).items() if speed == word]  # fmt: skip


def headline_claims():
    headline, fresh = point("6a")[1], point("text/6a")[1]
    (own, interval), (other, other_interval) = (ratio_interval(run, "6a", 0) for run in (headline, fresh))
    return [
        f"Row 6a, the task of Figure 1, is the headline: {share(len(met(headline)), 30)} trials meet the rule, after "
        f"{mean_interval(met(headline), ',.0f')} sequences on average (the paper: {paper()['6a']['sequences'][0]:,}).",
        f"These are trials 0 to 29 with the text. Their ratio to the paper is {own:.2f}{interval_words(interval)}: "
        f"{verdict_words(headline, '6a', 0)}. Trials 200 to 229 have {other:.2f}{interval_words(other_interval)}: "
        f"{verdict_words(fresh, '6a', 0)}. So a verdict near a limit can change with the trials.",
    ]


def choice_claims():
    """The readings of the columns are those that their rules choose on trials 100 to 129; task 1: see pages_1997.py."""
    for row in ("2a", "2b", *READ[1:]):
        chosen = nearest(row, [name for name in POINTS if name.startswith(f"choice/{row}-")])
        assert is_column(chosen, "nearest"), f"{chosen} is the nearest reading of row {row}"
    assert all(is_there(in_choice(row, reading)) for row, reading in itertools.product(SHORT_ROWS, FINALISTS))
    assert finalists() == set(FINALISTS), "these readings were compared on all short rows"
    assert one_reading() == FINALISTS[0] == ("gates", "equations", "squared") and ONE == "--recurrence gates"
    return []


def lag_claims():
    full, gates = (drift("2c-3", way, "state_at") for way in ("full", "gates"))
    assert full.min() > gates.max(), "in every trial states drift further"
    slopes = [100 * np.median(drift("2c-3", way, "slope_at")) for way in ("full", "gates")]
    counts = [success(f"lags/{name}-gates") for name in LAGS]
    ratios = [ratio_interval(point(f"lags/{name}-gates")[1], name, 0)[0] for name in LAGS]
    assert all(k >= ENOUGH * n for k, n in counts) and all(1 / 1.3 <= ratio <= 1.3 for ratio in ratios)
    for name, way in itertools.product(LAGS, RECURRENT):
        assert not met(point(f"drift/{name}-{way}")[1]), "no trial has learned"
    powers = {way: drift_power(way) for way in ("full", "gates")}
    assert all(success(f"text/{name}")[0] == 0 < success("text/2c-1")[0] for name in LAGS[1:])
    text = {name: success(f"text/{name}") for name in LAGS if is_there(f"text/{name}")}
    of_text = [f"{k}/{n} with {lab.ROWS[name].task.lag}" for name, (k, n) in text.items()]
    return [
        f"With cells that receive inputs only, {listed([f'{k}/{n}' for k, n in counts])} trials meet the rule with "
        f"{listed([str(lab.ROWS[name].task.lag) for name in LAGS])} distractors, and the means are "
        f"{listed([f'{ratio:.2f}' for ratio in ratios])} times the paper's.",
        f"With the text's connections it is {listed(of_text)}.",
        f"With 200 distractors the mean size of a state at the last certain distractor is {np.median(full):.1f} "
        f"[{full.min():.1f}–{full.max():.1f}] with the text's connections (median and range of thirty trials), and "
        f"{np.median(gates):.2f} [{gates.min():.2f}–{gates.max():.2f}] if cells receive inputs only.",
        f"The mean size grows as the power {powers['full']:.2f} of the step with the text's connections, and as the "
        f"power {powers['gates']:.2f} without those into cells (medians over trials, from step 10).",
        f"There the slope of h is {slopes[0]:.0f} % of its largest value with the text's connections, and "
        f"{slopes[1]:.0f} % without those into cells.",
    ]


def growth_claims():
    """How the number of sequences grows with the lag, with the number of times a symbol comes, and with the steps."""
    words = {
        "lag": "With as many symbols as distractors, from {} to {}, the number of sequences grows as the power {} of "
        "their number; the paper's means of these rows grow as the power {}.",
        "repeats": "With 1,000 distractors and {} to {} distractors per symbol, it grows as the power {} of the "
        "distractors per symbol; the paper's as the power {}.",
        "adding": "In adding with {} to {} steps it grows as the power {} of the steps; the paper's as the power {}.",
    }
    sentences = []
    for kind, (sizes, _) in GROWTH.items():
        if not (found := growth(kind)):
            continue
        power, (low, high), theirs, rows = found
        ends = [f"{sizes[name]:,}" for name in (rows[0], rows[-1])]
        sentences.append(words[kind].format(*ends, f"{power:.2f} [{low:.2f}–{high:.2f}]", f"{theirs:.2f}"))
    return sentences


SHOWN = 1  # the recorded sequence of the picture of gates and states


def changes_at_marks():
    """The share of the changes of the recorded trial's states at X and Y, after training: (sequences, cells).

    A share is the sum of |s_t - s_{t-1}| over the two steps with X or Y, divided by the sum over all steps.
    """
    with np.load(results_folder(lab, "6a") / "snapshots.npz") as arrays:
        x, length, states = (arrays[f"6a/{name}"] for name in ("x", "length", "s"))
    shares = []
    for k, T in enumerate(length):
        change = np.abs(np.diff(states[-1, :T, :, k].astype(float), axis=0, prepend=0))
        shares.append(change[x[:T, k] >= 6].sum(axis=0) / change.sum(axis=0))
    return np.array(shares)


def gate_claims():
    measures, run = point("6a")[1]["measures"], point("6a")[1]
    here, elsewhere = np.array(measures["in_gate_marked"]), np.array(measures["in_gate_elsewhere"])
    assert here.min() > 0.7 and elsewhere.max() < 0.2, "in every trial one gate opens at X and Y"
    sequences, record = run["rules"][0]["sequences"], point("6a")[0]["seeds"].index(point("6a")[0]["config"]["record"])
    place = 1 + sum(n < sequences[record] for n in sequences)
    assert 20 < place < 31
    shares = changes_at_marks()
    first, second = shares[:, ::2], shares[:, 1::2]  # of the two cells of block 1, of block 2
    assert first.min() > 0.1 and first[SHOWN].max() < 0.75 and second.max() < 0.1
    return [
        f"In all {len(here)} trials of row 6a there is a block whose input gate is on average at least "
        f"{at_least(here.min())} at X and Y, and at most {at_most(elsewhere.max())} on average at the other steps.",
        f"They show trial {record}, which is number {place} of {len(sequences)} by sequences to the rule.",
        f"The states of block 1 jump at X and Y, but they also drift: in Figure 6, X and Y make "
        f"{100 * first[SHOWN, 0]:.0f} % and {100 * first[SHOWN, 1]:.0f} % of all changes of its two states, and over "
        f"the {len(shares)} recorded sequences {100 * first.min():.0f} to {100 * first.max():.0f} %.",
        f"For the states of block 2 it is at most {100 * second.max():.0f} %: they drift during the whole sequence.",
    ]


def meaning_claims():
    there = {column: [name for name in lab.ROWS if is_there(place_of(column, name))] for column in COLUMN_WORDS}
    met_all = {column: [name for name in there[column] if all(
        speed != "fails" for (row, _), (speed, _) in verdicts(column).items() if row == name)]
        for column in COLUMN_WORDS}  # fmt: skip
    others = {column: [name for name in there[column] if name not in met_all[column]] for column in met_all}
    lost = [name for name in met_all["text"] if name in others["one"]]
    gained = [name for name in met_all["one"] if name in others["text"]]
    slow = rows_with("one", "slower")
    counts = {name: [success(point_of(column, name)) for column in ("one", "text")] for name in gained}
    unsure = [name for name in gained if fisher_test(*counts[name][0], *counts[name][1]) > 0.05]
    but = [
        f"{'{}/{}'.format(*counts[name][0])} from {'{}/{}'.format(*counts[name][1])} in row {name}" for name in unsure
    ]
    return [
        f"With (b), all rules of rows {listed(met_all['one'])} are met. Compared with the text, rows {listed(gained)} "
        f"are gained, and {listed(lost) if lost else 'no row'} is lost."
        + (f" (We cannot distinguish {listed(but)}.)" if but else ""),
        "With (b), more sequences than in the paper are needed in "
        + (f"these rows: {listed(slow)}." if slow else "no row."),
        f"Rows {listed(others['one'])} fail with (b).",
        f"With (c), rows {listed(others['nearest'])} still fail." if others["nearest"] else "With (c), no row fails.",
        very_long_lags(),
        *two_sequences(),
        *nearest_claims(),
    ]


def very_long_lags():
    """How (b) does in task 2c, beside the paper."""
    rows = [name for name in lab.ROWS if name[:2] == "2c" and is_there(place_of("one", name))]
    counts = [success(place_of("one", name)) for name in rows]
    ratios = [ratio_interval(point(place_of("one", name))[1], name, 0)[0] for name in rows]
    return (
        f"In task 2c, {sum(k for k, _ in counts)} of {sum(n for _, n in counts)} trials meet the rule with (b), in "
        f"{min(ratios):.2f} to {max(ratios):.2f} times the paper's sequences ({len(rows)} rows)."
    )


def two_sequences():
    """How (b) does in task 3, beside the paper."""
    rules = [
        (name, rule, wrong) for name, rule, _, wrong in rules_of() if name[0] == "3" and is_there(place_of("one", name))
    ]
    ratios = [ratio_interval(point(point_of("one", name))[1], name, rule)[0] for name, rule, _ in rules]
    noisy = [(np.mean(told(point(point_of("one", name))[1], rule, "wrong")), wrong)
             for name, rule, wrong in rules if name[:2] == "3c"]  # fmt: skip
    assert all(ours < theirs / 10 for ours, theirs in noisy)
    return [
        f"In task 3, (b) needs {min(ratios):.2f} to {max(ratios):.2f} of the paper's sequences, and rows 3c-1 and 3c-2 "
        f"end with {listed([f'{ours:.1f}' for ours, _ in noisy])} wrong answers of 2,560 (the paper: "
        f"{listed([f'{theirs:.1f}' for _, theirs in noisy])})."
    ]


def nearest_claims():
    """Rows in which the text is nearer to the paper than (c), and verdicts that failures at the cap would change."""
    nearer, found = [], {column: verdicts(column) for column in ("text", "nearest")}
    for name, rule, goal, _ in rules_of():
        places = [place_of(column, name) for column in ("text", "nearest")]
        if places[0] == places[1] or not is_there(*places) or rule + 1 < len(paper()[name]["sequences"]):
            continue
        if "fails" not in (found["text"][name, rule][0], found["nearest"][name, rule][0]):
            far = [abs(math.log(np.mean(met(point(place)[1], rule)) / goal)) for place in places]
            nearer += [name] if far[0] < far[1] else []
    unsure = []
    for (name, rule), (speed, _) in verdicts("one").items():
        if speed == "faster" and ratio_interval(point(place_of("one", name))[1], name, rule, filled=True)[1][1] >= 1:
            unsure.append(row_words(name, rule))
    return [
        f"Where the last rule is met with both, the text is nearer to the paper than (c) in rows {listed(nearer)}.",
        f"With failures at the cap, {len(unsure)} rules of (b) would no longer be *faster*: {'; '.join(unsure)}.",
    ]


def all_of(counts):
    """Numbers of 30 trials as text."""
    return "all 30" if min(counts) == 30 else f"{min(counts)} to {max(counts)} of 30"


def reading_claims():
    cut = [success(f"choice/2c-1-gates-{ranges}-{cost}")[0] for ranges, cost in itertools.product(RANGES, COSTS)]
    whole = [success(f"choice/2c-1-full-{ranges}-{cost}")[0] for ranges, cost in itertools.product(RANGES, COSTS)]
    of_3a = {way: success(f"choice/3a-1-{way}-equations-squared") for way in RECURRENCE}
    p = fisher_test(*of_3a["gates"], *of_3a["full"])
    adding = {cost: [success(f"choice/4-1-{way}-{ranges}-{cost}")[0] for way in RECURRENCE for ranges in RANGES]
              for cost in COSTS}  # fmt: skip
    with_slope = max(adding["squared"] + adding["mixed"])
    costs = [success(f"choice/3a-1-gates-equations-{cost}") for cost in ("squared", "entropy")]
    p_costs = fisher_test(*costs[0], *costs[1])
    assert p_costs > 0.05
    assert min(cut) >= 27 and with_slope < 10 and min(adding["entropy"]) >= 27
    served_of = [len(served(reading, READ)) for reading in FINALISTS]
    assert len(set(served_of)) == 1, "the three serve as many of these rows"
    on_all = [len(served(reading, SHORT_ROWS)) for reading in FINALISTS]
    assert on_all[0] >= max(on_all[1:])
    tie = ", because its means are the nearest to the paper's" if on_all[0] == max(on_all[1:]) else ""
    shares = [of_tasks(reading) for reading in FINALISTS]
    other = ["", "second", "third"][int(np.argmax(shares))]
    distinguish = "" if p < 0.05 else "; we cannot distinguish these two"
    return [
        f"If cells receive inputs only, {all_of(cut)} trials solve row 2c-1 with each choice of "
        f"ranges and errors. If cells receive units, it is {min(whole)} to {max(whole)} of 30.",
        f"Row 3a-1 is solved by {share(*of_3a['gates'])} trials with the text's ranges and errors if cells receive "
        f"inputs only, and by {share(*of_3a['full'])} if they receive units ({p_value(p)}{distinguish}).",
        f"Adding (4-1) is solved by {min(adding['entropy'])} to {max(adding['entropy'])} of 30 trials without the "
        f"slope, and by at most {with_slope} of 30 with each other choice of errors.",
        f"In row 3a-1 with the ranges of the equations and inputs only into cells, we cannot distinguish errors with "
        f"and without slope ({'{}/{}'.format(*costs[0])} and {'{}/{}'.format(*costs[1])}, {p_value(p_costs)}).",
        f"Three readings serve {served_of[0]} of these {len(READ)} rows each, and no reading serves more: the text's "
        f"ranges and errors with cells that receive inputs only (rows {listed(served(FINALISTS[0], READ))}), the same "
        f"without slope (rows {listed(served(FINALISTS[1], READ))}), and the ranges of the caption with the slope plus "
        f"a tenth and all connections (rows {listed(served(FINALISTS[2], READ))}).",
        f"The first serves {on_all[0]} of the {len(SHORT_ROWS)} short rows, the second {on_all[1]} and the third "
        f"{on_all[2]}. So (b) is the first{tie}. If each task counts once, with the share of its rows that are served, "
        f"these are {listed([f'{value:.1f}' for value in shares])} tasks"
        + (f"; by this count it would be the {other}." if other else "."),
    ]


def task_2_claims():
    chosen = {row: nearest(row, [name for name in POINTS if name.startswith(f"choice/{row}-")]) for row in ("2a", "2b")}
    text = {row: success(point_of("text", row)) for row in chosen}
    assert all(k < ENOUGH * n for k, n in text.values())
    config = {row: point(name)[0]["config"] for row, name in chosen.items()}
    return [
        f"With the text, {share(*text['2a'])} trials of row 2a and {share(*text['2b'])} of row 2b meet the rule "
        "(trials 200 to 229, to five times the paper's mean).",
        f"The nearest reading of row 2a is: {reading_of(config['2a'])}. That of row 2b is: {reading_of(config['2b'])}.",
    ]


def first_pair_claims():
    counts = [success(name)[0] for name in FIRST_PAIR]
    assert counts[0] >= 27 and not any(counts[1:])
    return [f"Trials meet the rule only with the first: {counts[0]}, {counts[1]} and {counts[2]} of 30."]


def robust_claims():
    """Which other biases and rates change the share of trials that meet the last rule, or their mean."""
    text = []
    for row, words in ROBUST_WORDS.items():
        own, found = success(f"text/{row}"), robust(row)
        fewer = {name: fisher_test(k, n, *own) for name, (k, n, _) in found.items() if k < own[0]}
        fewer = [
            f"{words[name]}: {'{}/{}'.format(*found[name][:2])} ({p_value(p)})" for name, p in fewer.items() if p < 0.05
        ]
        assert not any(k > own[0] and fisher_test(k, n, *own) < 0.05 for k, n, _ in found.values())
        ratios = {name: ratio_of_means(here, met(point(f"text/{row}")[1])) for name, (_, _, here) in found.items()}
        slow = [
            f"{words[name]}: {ratio:.2f} times" for name, (ratio, low, high) in ratios.items() if low > 1 or high < 1
        ]
        text.append(
            f"In row {row}, {'{}/{}'.format(*own)} trials meet the last rule with the text. "
            + (
                f"Fewer do so with these changes: {'; '.join(fewer)}. "
                if fewer
                else "We can distinguish no other share. "
            )
            + (f"Means differ with these: {'; '.join(slow)}." if slow else "We can distinguish no other mean.")
        )
    return text


def report_claims():
    functions = (front_of_report, headline_claims, choice_claims, meaning_claims, lag_claims, growth_claims,
                 reading_claims, task_2_claims, first_pair_claims, robust_claims, gate_claims)  # fmt: skip
    return [sentence for function in functions for sentence in function()]


def front_claims():
    found = {column: verdicts(column) for column in COLUMN_WORDS} | {"best": best_verdicts()}
    met_of = {key: f"{sum(tally(of)[1][:3])} of {len(of)}" for key, of in found.items()}
    others = [name for name in paper() if name not in rows_run()]
    return [
        f"**Nine trials in ten meet {met_of['text']} stopping rules with the paper's text to the letter, and "
        f"{met_of['best']} if cells receive inputs only, or with the nearest reading where this fails.**",
        f"{len(others)} of the {len(paper())} rows of 1997 were not run to the end" if others
        else f"All {len(paper())} rows of 1997 were run",
    ]  # fmt: skip


FILES = {"results/lstm_1997/columns.json": columns_text}
CLAIMS = {"results/lstm_1997/README.md": report_claims, "README.md": front_claims}
