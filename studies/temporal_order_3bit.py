"""Studies of temporal_order_3bit.py: runs, measures of networks, and the tables and sentences of its report."""

import itertools
import shlex

import numpy as np

import lstm_1997
import temporal_order_3bit as lab
from studies.report import (
    at_least,
    bootstrap,
    compare_pairs,
    load_point,
    load_run,
    p_value,
    results_folder,
    share,
    spread,
    table,
    wilson,
)

# ---------------------------------------------------------------------------------------------------- points

CHOSEN_ON = "--seeds 100-399 --cells lstm"  # the seeds on which our recipe was chosen
LENGTHS = {"100": "--T 100", "200": "--T 200", "500": "--T 500", "paper": "--paper-lengths"}
RNNS = {  # simple RNNs: nonlinearity and initial recurrent weights
    f"{activation}-{init}": f"--activation {activation} --init {init}"
    for activation, init in (("tanh", "normal"), ("tanh", "orthogonal"), ("tanh", "identity"), ("relu", "orthogonal"),
                             ("relu", "identity"))
}  # fmt: skip
RNN_CHOSEN = {  # the best of each nonlinearity; see chosen_rnn
    "tanh": "--activation tanh --init identity --hidden 64 --lr 0.001",
    "relu": "--activation relu --init identity --hidden 64 --lr 0.003",
}
RNN_UNITS, RNN_RATES = (16, 64), ("0.0003", "0.001", "0.003", "0.01")
RNN_LENGTHS = (50, 100, 200)
PENALTIES = ("0", "1e-5", "1e-4", "0.001", "0.01", "0.1", "1", "10", "30")  # sizes of the penalty on open input gates
POINTS = {
    "thirty_seeds/default": "--seeds 0-29",
    "thirty_seeds/writeup": "--seeds 0-29 --recipe writeup",
    "thirty_seeds/default-fresh": "--seeds 30-59",
    "thirty_seeds/writeup-fresh": "--seeds 30-59 --recipe writeup",
    # From the write-up's recipe to ours, one setting at a time; then our recipe on other seeds.
    "recipe/writeup": f"{CHOSEN_ON} --recipe writeup",
    "recipe/writeup-float64": f"{CHOSEN_ON} --recipe writeup --dtype float64",
    "recipe/cosine": f"{CHOSEN_ON} --recipe writeup --schedule cosine",
    "recipe/bias": f"{CHOSEN_ON} --recipe writeup --schedule cosine --input-gate-bias -4",
    "recipe/bias-alone": f"{CHOSEN_ON} --recipe writeup --input-gate-bias -4",
    "recipe/beta2": f"{CHOSEN_ON} --lr 0.02",
    "recipe/rate": f"{CHOSEN_ON} --beta2 0.999",
    "recipe/default": CHOSEN_ON,
    "recipe/default-fresh": "--seeds 1000-1299 --cells lstm",
    # Longer sequences.
    **{f"length/default-{name}": f"--seeds 0-29 --cells lstm {length}" for name, length in LENGTHS.items()},
    "length/default-500-longer": "--seeds 0-29 --cells lstm --T 500 --steps 3000",
    **{
        f"length/writeup-{name}": f"--seeds 0-29 --cells lstm --recipe writeup {length}"
        for name, length in LENGTHS.items()
    },
    # Other cells.
    "ablations/forget-gate": "--seeds 0-29 --cells lstm --forget-gate",
    "ablations/blocks-2": "--seeds 0-29 --cells lstm --blocks 2",
    "ablations/blocks-2-forget-gate": "--seeds 0-29 --cells lstm --blocks 2 --forget-gate",
    # Simple RNNs with settings of their own: settings are chosen on seeds 100 to 109.
    **{f"simple_rnns/{name}-{H}-{lr}": f"studies/simple_rnns.py --seeds 100-109 {words} --hidden {H} --lr {lr}"
       for name, words in RNNS.items() for H in RNN_UNITS for lr in RNN_RATES},
    **{f"simple_rnns_fresh/{name}-{T}": f"studies/simple_rnns.py --seeds 1000-1029 {words} --T {T}"
       for name, words in RNN_CHOSEN.items() for T in RNN_LENGTHS},
    # A penalty on open input gates; its size was chosen on seeds 100 to 109.
    "gate_penalty/headline": "studies/gate_penalty.py",
    **{f"gate_penalty/{penalty}": f"studies/gate_penalty.py --seeds 1000-1029 --penalty {penalty}"
       for penalty in PENALTIES},
}  # fmt: skip
WEIGHTS = tuple(name for name in POINTS if name.startswith("thirty_seeds/"))  # points whose weights are kept


def evaluations(point):
    """The most evaluations that the history of a point keeps; None: all."""
    return 3 if point.startswith(("simple_rnns", "gate_penalty")) else None


# -------------------------------------------------------------------------------------------------- measures


def measure(options, name, theta):
    """Measures of the networks name of a run, with trained parameters theta (S, P); see measure_lstm."""
    if name == "rnn":
        return {"measures": {}}
    T = lab.PAPER_LENGTHS[1] if options.paper_lengths else options.T
    cell = lab.Cell(name, options.hidden, options.blocks, options.forget_gate)
    net = lab.Network(cell, theta, T, lab.EVAL_BATCH, backward=False)
    return {"measures": measure_lstm(net, lab.held_out(options))}


def sign_accuracy(signs, labels):
    """Accuracy of the class from sign patterns (n, cells), learned on the first half and tested on the second half."""
    pattern = np.unique(signs, axis=0, return_inverse=True)[1].ravel()
    half, table = len(labels) // 2, np.zeros((pattern.max() + 1, lab.O))
    np.add.at(table, (pattern[:half], labels[:half]), 1)
    return (table.argmax(axis=1)[pattern[half:]] == labels[half:]).mean()


def sign_accuracy_of_best(signs, labels, cells):
    """sign_accuracy of the signs of this number of cells. They are the best cells on the first half."""
    half, choices = len(labels) // 2, itertools.combinations(range(signs.shape[1]), min(cells, signs.shape[1]))
    best = max(choices, key=lambda choice: sign_accuracy(signs[:half, choice], labels[:half]))
    return sign_accuracy(signs[:, best], labels)


def measure_lstm(net, batches):
    """Gates, writes and signs of states of LSTMs over all whole batches of held-out sequences: {name: (S,)}.

    gate_* and write_*: the mean of max_k i_t, and of sum_k |i_t g_t|, at the two markers, at the distractors (all, and
    those before, between and after the markers) and at the end symbol. *_selectivity: the value at markers, divided
    by the value at distractors. output_gate_*: the mean of max_k o_t at the last step and before it. sign_accuracy*:
    the accuracy of the class from the signs of the final c of all cells, or of two cells, and of one marker from the
    sign of one cell.
    """
    parts, signs = [], []
    for symbols, _ in batches:
        T = len(symbols)
        lab.forward(net, symbols)
        output, written = net.row["o"][:T].max(axis=1), net.row["i"][:T] * net.row["g"][:T]
        part = {"output_gate_at_end": output[-1].mean(axis=1), "output_gate_before": output[:-1].mean(axis=(0, 2))}
        marker, distractor = (symbols >= lab.X) & (symbols < lab.START), symbols < lab.X
        seen = marker.cumsum(axis=0)
        places = {"at_markers": marker, "at_distractors": distractor}
        places |= {place: distractor & (seen == n) for n, place in enumerate(("before", "between", "after"))}
        for name, value in ("gate", net.row["i"][:T].max(axis=1)), ("write", np.abs(written).sum(axis=1)):
            part[f"{name}_at_end"] = value[-1].mean(axis=1)
            for place, here in places.items():
                part[f"{name}_{place}"] = (value * here).sum(axis=(0, 2)) / here.sum(axis=(0, 2))
        parts.append(part)
        signs.append(net.c[T] > 0)
    measures = {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    for name in "gate", "write":
        measures[f"{name}_selectivity"] = measures[f"{name}_at_markers"] / measures[f"{name}_at_distractors"]
    signs = np.concatenate(signs, axis=2).transpose(1, 2, 0)  # (H, S, n) to (S, n, H)
    labels = np.concatenate([labels for _, labels in batches], axis=1)
    by_seed = list(zip(signs, labels))
    measures["sign_accuracy"] = np.array([sign_accuracy(s, y) for s, y in by_seed])
    measures["sign_accuracy_two_cells"] = np.array([sign_accuracy_of_best(s, y, 2) for s, y in by_seed])
    measures["sign_accuracy_first_marker"] = np.array([sign_accuracy_of_best(s, y // 2, 1) for s, y in by_seed])
    measures["sign_accuracy_second_marker"] = np.array([sign_accuracy_of_best(s, y % 2, 1) for s, y in by_seed])
    return measures


def output_gates(net, batches):
    """Output gates of LSTMs, each a mean over the held-out sequences of a class: two arrays (cells, S, classes).

    The first is the mean between the second marker and the last step, the second is the gate at the last step.
    """
    after, last, steps, sequences = 0, 0, 0, 0
    for symbols, labels in batches:
        T = len(symbols)
        lab.forward(net, symbols)
        gate, of_class = net.row["o"][:T], labels[:, :, None] == np.arange(lab.O)  # (T, H, S, B), (S, B, O)
        marker = (symbols >= lab.X) & (symbols < lab.START)
        here = (marker.cumsum(axis=0) == 2) & (symbols < lab.X)
        after = after + np.einsum("thsb,tsb,sbo->hso", gate, here, of_class)
        steps = steps + np.einsum("tsb,sbo->so", here, of_class, dtype=int)
        last, sequences = last + np.einsum("hsb,sbo->hso", gate[-1], of_class), sequences + of_class.sum(axis=1)
    return after / steps, last / sequences


# ---------------------------------------------------------------------------------------------------- tables

CLOSED, OPEN = 0.1, 0.5  # an output gate is held back if it is below CLOSED on average, and above OPEN at the last step
NEAR_ZERO, TOLD = 0.05, 0.99  # a mean gate below NEAR_ZERO is near zero; an accuracy of TOLD or more counts as success
ABLATIONS = {
    "thirty_seeds/default": "headline: gates of their own",
    "ablations/blocks-2": "two blocks of two cells",
    "ablations/forget-gate": "with forget gates",
    "ablations/blocks-2-forget-gate": "two blocks, with forget gates",
}
RECIPES = {
    "writeup": "the write-up's: constant rate 0.02, β₂ 0.999, input-gate bias −1",
    "writeup-float64": "the same in float64",
    "cosine": "the rate falls to zero by a cosine",
    "bias-alone": "bias −4, constant rate",
    "bias": "bias −4, falling rate",
    "beta2": "bias −4, falling rate, β₂ 0.95",
    "rate": "bias −4, falling rate from 0.025",
    "default": "**our recipe**: bias −4, falling rate from 0.025, β₂ 0.95",
    "default-fresh": "our recipe, on 300 fresh seeds",
}


def point(name, network="lstm"):
    """The results and measures of the LSTM of a point, or of another network."""
    return load_point(lab, name)["runs"][network]


def accuracies(run):
    """The final accuracies, 0 for a seed that diverged."""
    return np.array([value or 0.0 for value in run["final"]["val_accuracy"]])


def solves(run):
    """Whether each seed ends at 1.000."""
    return accuracies(run) == 1


def measures_of(run, name):
    """A measure of all seeds as an array, NaN for a seed that diverged."""
    return np.array(run["measures"][name], float)


def share_of(holds):
    """The share of seeds for which holds is true, with its interval."""
    return share(int(np.sum(holds)), len(holds))


def of_seeds(holds, what="seeds"):
    """The share of seeds for which holds is true, with its interval, in the form for a sentence."""
    return f"{np.sum(holds)}/{len(holds)} {what} ({wilson(np.sum(holds), len(holds))})"


def fell(run):
    """Whether each seed falls below 1.000 after step 500 and after its first 1.000."""
    history, step = np.array(run["history"]["val_accuracy"], float), np.array(run["history"]["step"])
    reached = np.maximum.accumulate(history == 1, axis=0)
    return ((history < 1) & reached & (step[:, None] > 500)).any(axis=0)


def dips(run):
    """Of the seeds that fall below 1.000 late: the number that end at 1.000 again, and the number that do not."""
    return f"{(fell(run) & solves(run)).sum()}, {(fell(run) & ~solves(run)).sum()}"


def to_95(run):
    """Median and range of the number of sequences to an accuracy of 95 %."""
    return spread(run["sequences_to_95"], ",.0f")


def row_6a():
    """Row 6a of the tables of 1997: sequences of each trial to the paper's rule (NaN: not met); the paper's number."""
    run = load_point(lstm_1997, "6a")["runs"]["6a"]
    return np.array(run["rules"][0]["sequences"], float), run["paper"]["6a"]["sequences"][0]


def order_front():
    def verdict(holds):
        return "reproduced" if holds.all() else "not reproduced"

    ours, theirs = (solves(point(f"thirty_seeds/{name}")) for name in ("default", "writeup"))
    rnn, (sequences, paper) = solves(point("thirty_seeds/default", "rnn")), row_6a()
    low, high, mean = (value / paper for value in (*bootstrap(sequences), sequences.mean()))
    return table(
        ["", "paper", "write-up", "ours, seeds 0–29", "verdict"],
        ["LSTM solves it", "20 trials, no failure reported, longer sequences", "5/5", share_of(ours), verdict(ours)],
        [
            "with the write-up's recipe",
            "–",
            "5/5",
            share_of(theirs),
            "on every seed" if theirs.all() else "not on every seed",
        ],
        ["tanh RNN solves it", "–", "0/5", share_of(rnn), verdict(~rnn)],
        [
            "sequences, the paper's network (row 6a)",
            f"{paper:,}",
            "–",
            f"{sequences.mean():,.0f}",
            f"{mean:.2f} of it, 95 % interval [{low:.2f}–{high:.2f}]",
        ],
    )


def order_seeds():
    names = ("thirty_seeds/writeup", "thirty_seeds/default")
    lstm, rnn = ([point(name, network) for name in names] for network in ("lstm", "rnn"))
    weights = [f"{a['trainable_parameters']}, {b['trainable_parameters']}" for a, b in zip(lstm, rnn)]
    final = [spread(run["final"]["val_accuracy"], ".3f") for run in rnn]
    return table(
        ["", "1997 paper", "write-up", "its recipe, seeds 0–29", "**our recipe, seeds 0–29**"],
        ["steps of a sequence", "100–110", "50", "50", "50"],
        ["weights of LSTM, RNN", "156, –", "184, 68", *weights],
        [
            "LSTMs that end at 1.000",
            "20 trials, no failure reported; wrong: 1 of 2,560",
            "5/5",
            *(share_of(solves(run)) for run in lstm),
        ],
        ["sequences to 95 %, median [range]", "–", "6,400", *map(to_95, lstm)],
        [
            "sequences to the first 100 %, median [range]",
            "mean 31,390, to its own rule",
            "–",
            *(spread(run["sequences_to_100"], ",.0f") for run in lstm),
        ],
        ["below 100 % again after step 500: recovered, did not", "–", "–", *map(dips, lstm)],
        ["RNN, final accuracy, median [range]", "–", "[0.230–0.293]", *final],
        [
            "verdict: the RNN stays at chance (at most 0.30)",
            "",
            "",
            *("holds" if accuracies(run).max() <= 0.30 else "does not hold" for run in rnn),
        ],
        [
            "verdict: the LSTM solves the task on every seed",
            "",
            "",
            *("holds" if solves(run).all() else "does not hold" for run in lstm),
        ],
    )


def order_fresh():
    names = ("thirty_seeds/writeup-fresh", "thirty_seeds/default-fresh")
    lstm, rnn = ([point(name, network) for name in names] for network in ("lstm", "rnn"))
    return table(
        ["seeds 30–59", "the write-up's recipe", "**our recipe**"],
        ["LSTMs that end at 1.000", *(share_of(solves(run)) for run in lstm)],
        ["sequences to 95 %, median [range]", *map(to_95, lstm)],
        ["below 100 % again after step 500: recovered, did not", *map(dips, lstm)],
        ["RNN, final accuracy, median [range]", *(spread(run["final"]["val_accuracy"], ".3f") for run in rnn)],
    )


def of_claims():
    """The three LSTMs of which tables show gates and signs, and the numbers of steps of their sequences."""
    names = ("thirty_seeds/writeup", "thirty_seeds/default", "length/default-500-longer")
    return [point(name) for name in names], (50, 50, 500)


OF_CLAIMS = ["write-up's recipe, T = 50", "our recipe, T = 50", "our recipe, T = 500, 3,000 steps"]


def order_claims():
    runs, _ = of_claims()

    def row(words, name, holds):
        return [*words, *(share_of(holds(measures_of(run, name))) for run in runs)]

    told = f"accuracy at least {TOLD:g}"
    return table(
        ["statement", "criterion", *OF_CLAIMS],
        row(
            ["*the gate stays near zero on every distractor*", f"widest gate: mean below {NEAR_ZERO:g}"],
            "gate_at_distractors",
            lambda x: x < NEAR_ZERO,
        ),
        row(
            [
                "*outputs carry information only in the last few steps*",
                "widest output gate before the last step: mean below 0.1",
            ],
            "output_gate_before",
            lambda x: x < 0.1,
        ),
        row(["*the order is in the sign of two cells*", told], "sign_accuracy_two_cells", lambda x: x >= TOLD),
        row(["the order is in the signs of all cells", told], "sign_accuracy", lambda x: x >= TOLD),
        row(["the first marker is in the sign of one cell", told], "sign_accuracy_first_marker", lambda x: x >= TOLD),
        row(["the second marker is in the sign of one cell", told], "sign_accuracy_second_marker", lambda x: x >= TOLD),
    )


def written(run, T):
    """The sum of all writes at distractors of T steps, divided by the sum of the writes at both markers, (S,)."""
    return (T - 4) * measures_of(run, "write_at_distractors") / (2 * measures_of(run, "write_at_markers"))


def order_gates():
    runs, lengths = of_claims()

    def row(words, name, form=".2f"):
        return [words, *(spread(run["measures"][name], form) for run in runs)]

    return table(
        ["median [range] of thirty seeds", *OF_CLAIMS],
        row("widest input gate at the markers", "gate_at_markers"),
        row("… at distractors", "gate_at_distractors", ".3f"),
        row("… at distractors before the first marker", "gate_before", ".3f"),
        row("… at distractors between the markers", "gate_between", ".3f"),
        row("… at distractors after the second marker", "gate_after", ".3f"),
        row("… at the end symbol", "gate_at_end"),
        row("selectivity: at markers, divided by at distractors", "gate_selectivity", ".1f"),
        [
            "written at all distractors, divided by written at both markers",
            *(spread(list(written(run, T)), ".1f") for run, T in zip(runs, lengths)),
        ],
        row("widest output gate before the last step", "output_gate_before"),
        row("accuracy of the class from the signs of all final states", "sign_accuracy", ".3f"),
    )


def order_recipe():
    rows = [
        [
            "recipe",
            "end at 1.000",
            "others end below 0.35, 0.65, 0.9, 1",
            "sequences to 95 %, median [range]",
            "below 100 % again after step 500: recovered, did not",
        ]
    ]
    for name, words in RECIPES.items():
        run = point(f"recipe/{name}")
        ends = np.histogram(accuracies(run), [0, 0.35, 0.65, 0.9, 1 - 1e-9, 2])[0][:4]
        rows.append([words, share_of(solves(run)), ", ".join(map(str, ends)), to_95(run), dips(run)])
    return table(*rows)


def order_length():
    head = ["T", "lag between the markers", "our recipe: end at 1.000", "sequences to 95 %, median [range]"]
    rows = [[*head, "write-up's: end at 1.000", "sequences to 95 %, median [range]"]]
    lengths = {"50": "13–37", "100": "26–74", "paper": "30–50", "200": "52–148", "500": "130–370"}
    for T, lag in lengths.items():
        row = ["100–110, the paper's" if T == "paper" else T, lag]
        for recipe in "default", "writeup":
            run = point(f"thirty_seeds/{recipe}" if T == "50" else f"length/{recipe}-{T}")
            row += [share_of(solves(run)), to_95(run)]
        rows.append(row)
    run = point("length/default-500-longer")
    rows.append(["500, in 3,000 steps", lengths["500"], share_of(solves(run)), to_95(run), "not run", ""])
    return table(*rows)


def order_ablations():
    runs = [point(name) for name in ABLATIONS]
    gates = {
        "widest input gate at markers, median [range]": "gate_at_markers",
        "… at distractors": "gate_at_distractors",
        "selectivity, median [range]": "gate_selectivity",
    }
    return table(
        ["", *ABLATIONS.values()],
        ["weights", *(run["trainable_parameters"] for run in runs)],
        ["end at 1.000", *(share_of(solves(run)) for run in runs)],
        ["lowest accuracy", *(f"{accuracies(run).min():.3f}" for run in runs)],
        ["sequences to 95 %, median [range]", *map(to_95, runs)],
        *([words, *(spread(run["measures"][name], ".2f") for run in runs)] for words, name in gates.items()),
    )


def penalised(penalty):
    """The LSTM that was trained with a penalty on open input gates."""
    folder = results_folder(lab, f"gate_penalty/{penalty}")
    return load_run(folder, "gate_penalty", "python3 -m studies run temporal_order_3bit/gate_penalty")["runs"]["lstm"]


def order_penalty():
    rows = [["penalty", "end at 1.000", "widest input gate at distractors, median [range]", "… at markers",
             "selectivity", "sequences to 100 %", "cross-entropy at the end, median"]]  # fmt: skip
    for penalty in PENALTIES:
        run = penalised(penalty)
        final = run["final"]
        right = np.array(final["val_accuracy"]) == 1
        rows.append([penalty, share_of(right), spread(final["gate_at_distractors"], ".3f"),
                     spread(final["gate_at_markers"], ".2f"), f"{np.median(final['gate_selectivity']):.1f}",
                     spread(run["sequences_to_100"], ",.0f"), f"{np.median(final['val_loss']):.5f}"])  # fmt: skip
    return table(*rows)


def simple_rnn(name):
    """The simple RNN of a point of simple_rnns.py."""
    folder = results_folder(lab, name)
    return load_run(folder, "simple_rnns", "python3 -m studies run temporal_order_3bit/simple_rnns")["runs"]["rnn"]


def right_of(run):
    """Final accuracies of a run (S,); 0 for a seed that diverged."""
    return np.array([value or 0.0 for value in run["final"]["val_accuracy"]])


def chosen_rnn(activation):
    """The settings of a nonlinearity with the most solved seeds; if equal, the highest mean, then the fastest."""

    def goodness(name):
        run = simple_rnn(name)
        waits = [np.inf if n is None else n for n in run["sequences_to_100"]]
        return (right_of(run) == 1).sum(), right_of(run).mean(), -np.median(waits)

    return max((name for name in POINTS if name.startswith(f"simple_rnns/{activation}")), key=goodness)


def order_rnn_choice():
    rows = [["seeds 100–109: end at 1.000, of ten", *(f"{H} units, rate {lr}" for H in RNN_UNITS for lr in RNN_RATES)]]
    for name in RNNS:
        runs = [simple_rnn(f"simple_rnns/{name}-{H}-{lr}") for H in RNN_UNITS for lr in RNN_RATES]
        rows.append([name.replace("-", ", "), *((right_of(run) == 1).sum() for run in runs)])
    return table(*rows)


def order_rnn():
    rows = [["seeds 1000–1029", "weights", "end at 1.000", "accuracy, median [range]", "sequences to 100 %"]]
    for name in POINTS:
        if name.startswith("simple_rnns_fresh/"):
            run, (activation, T) = simple_rnn(name), name.split("/")[1].split("-")
            rows.append([f"{activation}, T = {T}", run["trainable_parameters"], share_of(right_of(run) == 1),
                         spread(right_of(run), ".3f"), spread(run["sequences_to_100"], ",.0f")])  # fmt: skip
    return table(*rows)


TABLES = {"order-front": order_front, "order-seeds": order_seeds, "order-fresh": order_fresh,
          "order-recipe": order_recipe, "order-claims": order_claims, "order-gates": order_gates,
          "order-length": order_length, "order-ablations": order_ablations, "order-penalty": order_penalty,
          "order-rnn-choice": order_rnn_choice, "order-rnn": order_rnn}  # fmt: skip

# ------------------------------------------------------------------------------------------------- sentences


def front_claims():
    lstm, rnn = (point("thirty_seeds/default", network) for network in ("lstm", "rnn"))
    own = (right_of(simple_rnn("simple_rnns_fresh/tanh-50")) == 1).sum()
    return [
        f"**An LSTM with four cells solves this task on {of_seeds(solves(lstm))}, a tanh RNN on "
        f"{of_seeds(solves(rnn))}, and with 64 units and its own settings on {own}/30.**"
    ]


def result_claims():
    """Sentences about the headline and the paper's number."""
    lstm, rnn = (point("thirty_seeds/default", network) for network in ("lstm", "rnn"))
    theirs, fresh = point("thirty_seeds/writeup"), point("recipe/default-fresh")
    reached, ratios = np.array(lstm["sequences_to_95"]), measures_of(lstm, "gate_selectivity")
    assert reached[0] == np.median(reached) and solves(fresh).all()
    final, (sequences, paper) = accuracies(rnn), row_6a()
    low, high = bootstrap(sequences)
    assert np.isfinite(sequences).all() and high < paper
    return [
        f"**An LSTM of 1997 with four cells and no forget gate solves this task on {of_seeds(solves(lstm))}. A tanh "
        f"RNN with four units and the same training solves it on {of_seeds(solves(rnn))}.**",
        f"the LSTM solves the task on {of_seeds(solves(fresh))}",
        f"The final accuracies of the RNN are between {final.min():.3f} and {final.max():.3f}; chance is 0.25.",
        f"With the write-up's recipe the LSTM solves the task on {of_seeds(solves(theirs))}.",
        f"Seed 0 reaches 95 % after {reached[0]:,} sequences, which is the median of the thirty seeds.",
        f"The selectivity of seed 0 has rank {1 + (ratios < ratios[0]).sum()} of {len(ratios)} from the lowest.",
        f"In that run {of_seeds(np.isfinite(sequences), 'trials')} meet the paper's rule. They need "
        f"{sequences.mean():,.0f} sequences on average (95 % interval [{low:,.0f}–{high:,.0f}]). The paper reports "
        f"{paper:,}. Our mean is {sequences.mean() / paper:.2f} of it (95 % interval [{low / paper:.2f}–"
        f"{high / paper:.2f}]).",
    ]


def recipe_claims():
    """Sentences about how the recipe was chosen."""
    runs = {name: point(f"recipe/{name}") for name in RECIPES}
    ends = {name: solves(run) for name, run in runs.items()}

    def won(name, other):
        more, less, p = compare_pairs(ends[name], ends[other])
        return f"{more} seeds solve it only with the change, {less} only without (sign test, {p_value(p)})", p

    falling, p_falling = won("cosine", "writeup")
    bias, p_bias = won("bias-alone", "writeup")
    nearly_shut = ("bias-alone", "bias", "beta2", "rate", "default")
    least = min(compare_pairs(ends[a], ends[b])[2] for a, b in itertools.combinations(nearly_shut, 2))
    medians = {name: np.median([n for n in run["sequences_to_95"] if n is not None]) for name, run in runs.items()}
    others = [name for name in RECIPES if not name.startswith("default")]
    assert p_falling > 0.05 > p_bias and least > 0.05
    assert ends["default"].all() and not any(ends[name].all() for name in others)
    assert medians["default"] <= min(medians[name] for name in others)
    dropped = {name: fell(run) for name, run in runs.items()}
    more = [compare_pairs(dropped[name], dropped[other]) for name, other in (("default", "rate"), ("beta2", "bias"))]
    assert (
        max(p for _, _, p in more) < 0.001 and (ends["default"] & dropped["default"]).sum() == dropped["default"].sum()
    )
    n, theirs = len(ends["writeup"]), accuracies(runs["writeup"])
    single, double = ~ends["writeup"], ~ends["writeup-float64"]
    return [
        f"On seeds 100 to 399 this recipe solves the task on {of_seeds(ends['writeup'])}. Of the other seeds, "
        f"{(theirs < 0.35).sum()} end below an accuracy of 0.35, and {((theirs >= 0.35) & (theirs < 0.65)).sum()} end "
        "between 0.35 and 0.65.",
        f"With it, {of_seeds(ends['cosine'])} solve the task. We cannot distinguish this from the "
        f"constant rate: {falling}.",
        f"With this change alone, {of_seeds(ends['bias-alone'])} solve the task: {bias}.",
        f"We cannot distinguish the five recipes with a bias of −4 by their counts (smallest {p_value(least)} of ten "
        "sign tests).",
        f"Ours is the only one of them that fails on none of these seeds, {share_of(ends['default'])}",
        f"Fresh seeds, 1000 to 1299, confirm the choice: {share_of(ends['default-fresh'])} solve the task.",
        f"after they have reached it. It happens on {dropped['default'].sum()} of {n} seeds instead of "
        f"{dropped['rate'].sum()} at a rate of 0.025, and on {dropped['beta2'].sum()} instead of "
        f"{dropped['bias'].sum()} at a rate of 0.02 (sign tests, p < 0.001 each). With our recipe all of "
        "them end at 1.000 again.",
        f"Of {n} seeds, {single.sum()} fail in float32 and {double.sum()} in float64. {(single & double).sum()} seeds "
        "fail in both.",
    ]


def output_claims():
    """Sentences about output gates, most of them from the weights of the point thirty_seeds/default."""
    (_, ours, _), _ = of_claims()
    options = lab.parse_options(shlex.split(POINTS["thirty_seeds/default"]))[0]
    with np.load(results_folder(lab, "thirty_seeds/default") / "weights.npz") as file:
        theta = np.concatenate([file[f"lstm/weights/{name}"].reshape(len(options.seeds), -1) for name in "WVb"], axis=1)
    net = lab.Network(lab.Cell("lstm"), theta, options.T, lab.EVAL_BATCH, backward=False)
    after, last = output_gates(net, lab.held_out(options))
    held = (after < CLOSED) & (last > OPEN)  # (cells, S, classes)
    least = measures_of(ours, "output_gate_before").min()
    assert np.argwhere(held[:, 0]).tolist() == [[3, 0]] and least > OPEN
    return [
        "On every seed of our recipe at least one output gate is open before the last step: the widest gate has a mean "
        f"of at least {at_least(least)}.",
        "In Figure 8 it is the output of cell 3 in class XX: over the held-out sequences of this class, its gate is "
        f"{after[3, 0, 0]:.2f} on average between the second marker and the last step, and {last[3, 0, 0]:.2f} at the "
        "last step.",
        f"On {of_seeds(held.any(axis=(0, 2)))} there is a cell and a class for which the first number is below "
        f"{CLOSED:g} and the second above {OPEN:g}.",
    ]


def drawn_claims():
    """Captions of pictures."""
    with np.load(results_folder(lab, "") / "snapshots.npz") as file:
        signs = file["lstm/c"][-1, -1].T > 0  # (4 classes, cells)
    assert len(np.unique(signs, axis=0)) == len(signs)
    theirs, forget, long = (
        solves(point(name)).sum() for name in ("thirty_seeds/writeup", "ablations/forget-gate", "length/default-500")
    )
    others = [*(name for name in ABLATIONS if name != "ablations/forget-gate"), "length/default-500-longer"]
    assert all(solves(point(name)).all() for name in (*others, "length/default-100", "length/default-200"))
    return [
        "Red is negative, blue is positive. After training each class ends with another pattern of signs.",
        f"Each seed that ends at 1.000 has two dots. {theirs} seeds do so with the write-up's recipe, {forget} with "
        f"forget gates, {long} at T = 500 after 1,500 steps, and 30 with each of the others.",
    ]


def gate_claims():
    """Sentences about the behaviour of gates and cells."""
    (theirs, ours, _), _ = of_claims()
    lengths = {name: point(f"length/default-{name}") for name in ("200", "500", "500-longer")}

    def wider(run, place, other):
        return measures_of(run, f"gate_{place}") > measures_of(run, f"gate_{other}")

    end, end_theirs = (wider(run, "at_end", "at_markers") for run in (ours, theirs))
    grows = wider(ours, "between", "before") & wider(ours, "after", "between")
    clean = {name: measures_of(run, "gate_at_distractors") < NEAR_ZERO for name, run in lengths.items()}
    assert wider(ours, "at_markers", "at_distractors").all()
    points = [*ABLATIONS, "thirty_seeds/writeup", "length/default-100", "length/default-paper"]
    points += [f"length/writeup-{T}" for T in (100, "paper", 200, 500)]
    assert not any((measures_of(point(name), "gate_at_distractors") < NEAR_ZERO).any() for name in points)
    selective = {
        name: compare_pairs(measures_of(run, "gate_selectivity"), measures_of(ours, "gate_selectivity"))
        for name, run in lengths.items()
    }
    assert max(p for _, _, p in selective.values()) < 0.001
    more, n, ratio = selective["500-longer"][0], len(grows), written(ours, 50)
    assert grows.all() and ratio.min() > 1
    first, second = (measures_of(ours, f"sign_accuracy_{which}_marker") >= TOLD for which in ("first", "second"))
    assert compare_pairs(first, second)[2] < 0.05
    return [
        f"It opens at the markers. At the end symbol it opens wider than at the markers on {of_seeds(end)} with our "
        f"recipe, and on {of_seeds(end_theirs)} with the write-up's.",
        "At distractors it stays partly open, more so later in the sequence: with our recipe the gate is wider between "
        f"the markers than before them, and wider still after them, on {of_seeds(grows)}.",
        "All distractors of a sequence together change the cells more than the two markers do: on "
        f"{of_seeds(ratio > 1)}, by a factor of {np.median(ratio):.1f} (median).",
        f"With our recipe the sign of one cell tells the first marker on {of_seeds(first)}, and the second marker on "
        f"{of_seeds(second)}.",
        "and only with our recipe: with the write-up's it is near zero on no seed at any length. With ours its mean at "
        f"distractors is below {NEAR_ZERO:g} on no seed at T = 50 and T = 100. At T = 200 it is below "
        f"{NEAR_ZERO:g} on {of_seeds(clean['200'])}, at T = 500 on {of_seeds(clean['500'])} after 1,500 steps and on "
        f"{of_seeds(clean['500-longer'])} after 3,000. After 3,000 steps the gate is more selective than at T = 50 on "
        f"{more} of {n} seeds (sign test, {p_value(selective['500-longer'][2])}).",
    ]


def length_claims():
    """Sentences about longer sequences."""
    names = ("thirty_seeds/writeup", *(f"length/writeup-{T}" for T in (100, 200, 500)))
    theirs = [solves(point(name)) for name in names]
    falls = [compare_pairs(a, b)[2] for a, b in itertools.pairwise(theirs)]
    assert max(falls) < 0.05
    k = [f"{holds.sum()}/{len(holds)}" for holds in theirs]
    short, long, longer = point("length/default-200"), point("length/default-500"), point("length/default-500-longer")
    (late, stuck), step = np.flatnonzero(~solves(long)), np.array(long["history"]["step"])
    history = np.array(long["history"]["val_accuracy"], float)
    first = step[(history[:, late] == 1).argmax()]
    low = np.where(step > first, history[:, late], 1)
    assert solves(short).all() and (history[step <= 750, stuck] < 0.35).all() and 0.35 < history[-1, stuck] < 0.65
    assert solves(longer).all()
    more, less, p = compare_pairs(solves(longer), solves(long))
    assert p > 0.05
    return [
        f"The write-up's recipe solves fewer seeds, the longer the sequence: {k[0]} at T = 50, {k[1]} at T = 100, "
        f"{k[2]} at T = 200 and {k[3]} at T = 500 (sign tests between neighbouring lengths, p = {max(falls):.2g} or "
        "less).",
        f"Our recipe solves every seed up to T = 200, and {of_seeds(solves(long))} at T = 500.",
        f"The other two fail in different ways. Seed {late} reaches 1.000 at step {first:,}, falls to {low.min():.2f} "
        f"at step {step[low.argmin()]:,}, and ends at {history[-1, late]:.2f}. "
        f"Seed {stuck} is near chance until step 750 and ends at "
        f"{history[-1, stuck]:.2f}.",
        f"With 3,000 steps our recipe solves {of_seeds(solves(longer))} at T = 500. The difference is {more - less} "
        f"seeds. This is too small to distinguish 3,000 steps from 1,500 (sign test, {p_value(p)}).",
    ]


def ablation_claims():
    """Sentences about memory blocks and forget gates."""
    runs = {name: point(name) for name in ABLATIONS}
    headline, blocks, forget, both = runs.values()

    def compared(run, name):
        return compare_pairs(measures_of(run, name), measures_of(headline, name))

    more, less, p = compared(blocks, "gate_selectivity")
    assert p > 0.05 and more > less
    _, lower, p_lower = compared(forget, "gate_selectivity")
    wider, _, p_wider = compared(forget, "gate_at_distractors")
    assert max(p_lower, p_wider) < 0.001 and solves(headline).all() and solves(blocks).all()
    slower, faster, p_slower = compare_pairs(both["sequences_to_95"], headline["sequences_to_95"])
    assert p_slower < 0.05 and slower > faster
    n, saved = len(solves(headline)), headline["trainable_parameters"] - blocks["trainable_parameters"]
    return [
        f"They save {saved} of {headline['trainable_parameters']} weights, and {of_seeds(solves(blocks))} solve "
        "the task.",
        f"The gate is more selective than that of the headline on {more} of {n} seeds. We cannot distinguish this from "
        f"chance (sign test, {p_value(p)}).",
        f"The task is solved without them on every seed, and with them on {of_seeds(solves(forget))}. They make the "
        f"input gate less selective on {lower} of {n} seeds, and wider at distractors on {wider} of {n} (sign tests, "
        "p < 0.001 each).",
        f"Two blocks with forget gates need more sequences to 95 % than the headline on {slower} of {n} seeds, and "
        f"fewer on {faster} (sign test, {p_value(p_slower)}).",
    ]


def penalty_claims():
    """Sentences about a penalty on open input gates."""
    runs = {penalty: penalised(penalty) for penalty in PENALTIES}
    plain, chosen, least = runs["0"], runs["0.1"], runs["1e-5"]
    n = len(plain["final"]["val_accuracy"])

    def quiet(run):
        return np.array(run["final"]["gate_at_distractors"]) < 0.05

    harmless = [run for penalty, run in runs.items() if 1e-4 <= float(penalty) <= 1]
    assert all((np.array(run["final"]["val_accuracy"]) == 1).all() and quiet(run).all() for run in harmless)
    tests = {penalty: compare_pairs(run["sequences_to_100"], plain["sequences_to_100"])
             for penalty, run in runs.items() if penalty != "0" and None not in run["sequences_to_100"]}  # fmt: skip
    more, less, p = tests["0.1"]
    late, soon, p_ten = tests["10"]
    assert p_ten < 0.001 and late > soon
    loss = compare_pairs(chosen["final"]["val_loss"], plain["final"]["val_loss"])
    assert loss[2] < 0.001 and loss[0] > loss[1]
    widest = np.array(chosen["final"]["output_gate_before"])
    ends = [np.median(run["final"]["gate_at_markers"]) for run in (plain, chosen)]
    return [
        f"**With a penalty of 0.1 the widest input gate is below 0.05 at distractors on {share_of(quiet(chosen))} "
        f"seeds, and without a penalty on {share_of(quiet(plain))}; all seeds of both solve the task.**",
        f"A penalty of 1e-4 is enough for all seeds; with 1e-5 the gate is below 0.05 on {share_of(quiet(least))}.",
        f"With 0.1 the task is learned later on {more} of {n} seeds and sooner on {less} ({p_value(p)}, sign test, "
        "sequences to 100 %).",
        f"The cross-entropy at the end is larger on {loss[0]} of {n} seeds ({p_value(loss[2])}), and still "
        f"{np.median(chosen['final']['val_loss']):.1g} in the median.",
        f"The gates at markers become narrower, too: from {ends[0]:.2f} to {ends[1]:.2f} (medians).",
        f"With a penalty of 10 the task is learned later on {late} of {n} seeds ({p_value(p_ten)}).",
        f"The widest output gate before the last step stays open with 0.1 ({np.median(widest):.2f} in the median).",
    ]


def rnn_claims():
    """Sentences about simple RNNs with settings of their own."""
    for activation, words in RNN_CHOSEN.items():
        assert POINTS[chosen_rnn(activation)].endswith(words), f"{words} is the best"
    found = {name: [simple_rnn(f"simple_rnns_fresh/{name}-{T}") for T in RNN_LENGTHS] for name in RNN_CHOSEN}
    tanh, relu = ([of_seeds(right_of(run) == 1) for run in runs] for runs in found.values())
    count = {name: (right_of(simple_rnn(name)) == 1).sum() for name in POINTS if name.startswith("simple_rnns/")}
    same, others = ([count[f"simple_rnns/{name}-{H}-{lr}"] for name in RNNS for H in RNN_UNITS for lr in RNN_RATES
                     if name.endswith("identity") is start] for start in (True, False))  # fmt: skip
    lstm = [point(f"length/default-{T}") for T in RNN_LENGTHS[1:]]
    weights = point("thirty_seeds/default")["trainable_parameters"], found["tanh"][0]["trainable_parameters"]
    return [
        f"**With settings of its own a tanh RNN solves the task at T = 50 on {tanh[0]}, an RNN of rectified linear "
        f"units on {relu[0]}.**",
        f"Of the settings that start with the identity matrix, {sum(k >= 9 for k in same)} of {len(same)} solve the "
        f"task on nine or ten of ten seeds, of the others {sum(k >= 9 for k in others)} of {len(others)}.",
        f"With the settings that were chosen at T = 50, the tanh RNN solves the task on {tanh[1]} at T = 100 and on "
        f"{tanh[2]} at T = 200, the other one on {relu[1]} and {relu[2]}.",
        f"The LSTM of our recipe, with {weights[0]} weights instead of {weights[1]:,}, does so on "
        f"{of_seeds(solves(lstm[0]))} and {of_seeds(solves(lstm[1]))}.",
    ]


def report_claims():
    sections = (result_claims, recipe_claims, gate_claims, output_claims, drawn_claims, length_claims, ablation_claims,
                penalty_claims, rnn_claims)  # fmt: skip
    return [sentence for section in sections for sentence in section()]


CLAIMS = {"results/temporal_order_3bit/README.md": report_claims, "README.md": front_claims}
