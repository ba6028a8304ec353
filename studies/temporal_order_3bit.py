"""Studies of temporal_order_3bit.py: which runs, what is measured on their networks, which tables."""

import itertools

import numpy as np

import temporal_order_3bit as lab
from studies.report import load_point, spread, table, wilson

# ---------------------------------------------------------------------------------------------------- points

CHOSEN_ON = "--seeds 100-399 --cells lstm"  # the seeds on which our recipe was chosen
LENGTHS = {"100": "--T 100", "200": "--T 200", "500": "--T 500", "paper": "--paper-lengths"}
POINTS = {
    "thirty_seeds/default": "--seeds 0-29",
    "thirty_seeds/writeup": "--seeds 0-29 --recipe writeup",
    "thirty_seeds/default-fresh": "--seeds 30-59",
    "thirty_seeds/writeup-fresh": "--seeds 30-59 --recipe writeup",
    # From the write-up's recipe to ours, one setting at a time; then ours on other seeds.
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
}
WEIGHTS = tuple(name for name in POINTS if name.startswith("thirty_seeds/"))  # points whose weights are kept

# -------------------------------------------------------------------------------------------------- measures


def measure(options, name, theta):
    """What a run says of its networks name with trained parameters theta (S, P); see measure_lstm."""
    if name == "rnn":
        return {"measures": {}}
    T = lab.PAPER_LENGTHS[1] if options.paper_lengths else options.T
    cell = lab.Cell(name, options.hidden, options.blocks, options.forget_gate)
    net = lab.Network(cell, theta, T, lab.EVAL_BATCH, backward=False)
    return {"measures": measure_lstm(net, lab.held_out(options))}


def sign_accuracy(signs, labels):
    """Share of classes told by sign patterns (n, cells): the first half says what each means, the second is told."""
    pattern = np.unique(signs, axis=0, return_inverse=True)[1].ravel()
    half, table = len(labels) // 2, np.zeros((pattern.max() + 1, lab.O))
    np.add.at(table, (pattern[:half], labels[:half]), 1)
    return (table.argmax(axis=1)[pattern[half:]] == labels[half:]).mean()


def sign_accuracy_of_best(signs, labels, cells):
    """sign_accuracy by so many cells, those that do best within the first half."""
    half, choices = len(labels) // 2, itertools.combinations(range(signs.shape[1]), min(cells, signs.shape[1]))
    best = max(choices, key=lambda choice: sign_accuracy(signs[:half, choice], labels[:half]))
    return sign_accuracy(signs[:, best], labels)


def measure_lstm(net, batches):
    """Gates, writes and signs of the states of LSTMs, over all whole batches of held-out sequences: {name: (S,)}.

    gate_* and write_*: the mean of max_k i_t, and of sum_k |i_t g_t|, at the two markers, at the distractors (also at
    those before, between and after the markers) and at the end; *_selectivity: the ratio of markers to distractors.
    output_gate_*: the mean of max_k o_t at the last step and before it. sign_accuracy*: of the class, by the signs of
    the final c of all cells or two; of either marker, by the sign of one cell.
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


# ---------------------------------------------------------------------------------------------------- tables


def point(name):
    """results.json of a point, and its LSTM."""
    results = load_point(lab, name)
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
    columns = [point(f"thirty_seeds/{name}")[0]["runs"] for name in names]
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
    runs = [point(name)[1] for name in ("thirty_seeds/writeup", "thirty_seeds/default", "length/default-500-longer")]

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
        _, run = point(f"recipe/{name}")
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
            _, run = point(f"thirty_seeds/{recipe}" if T == "50" else f"length/{recipe}-{T}")
            row += [solved(run), spread(run["sequences_to_95"], ",.0f")]
        rows.append(row)
    _, run = point("length/default-500-longer")
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
        _, run = point(name)
        measures, lowest = run["measures"], f"{min(accuracies(run)):.3f}"
        gate = [spread(measures[f"gate_{what}"], ".2f") for what in ("at_markers", "at_distractors", "selectivity")]
        to_95 = spread(run["sequences_to_95"], ",.0f")
        rows.append([words, run["trainable_parameters"], solved(run), lowest, to_95, *gate])
    return table(*rows)


TABLES = {"order-seeds": order_seeds, "order-recipe": order_recipe, "order-length": order_length,
          "order-ablations": order_ablations, "order-claims": order_claims}  # fmt: skip
