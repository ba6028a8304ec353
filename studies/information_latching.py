"""Studies of information_latching.py: its runs, measures of their networks, tables, and sentences of the report."""

import numpy as np

import information_latching as lab
from studies import minimal_latching as smallest
from studies.report import (
    ROOT,
    bootstrap,
    compare_pairs,
    fisher_test,
    load_point,
    load_run,
    p_value,
    share,
    sign_test,
    spread,
    table,
)

# ---------------------------------------------------------------------------------------------------- points

ALL_CELLS = "--cells srnn,lstm,gru,lstm-1997"
ALL_LENGTHS = f"--lengths 2,5,8,10,15,20,25,{','.join(map(str, range(30, 201, 10)))}"
TIME = f"{ALL_CELLS} --lengths 50,100,200"
ANSWER = "--cells lstm --lengths 100,200"
POINTS = {
    # The question's first figure, with its split of the data and with random held-out sequences.
    "figure/asker": f"--recipe writeup {ALL_LENGTHS}",
    "figure/shuffled": f"{ALL_CELLS} {ALL_LENGTHS}",
    # The figure of the question's update.
    "update/latch": "--cells srnn,lstm,gru --epochs 10 --lengths 10,20,30,50,100,200",
    "update/bit-relay": "--cells srnn,lstm,gru --task bit-relay --lengths 4,10,20,30,50,70",
    # More epochs and a higher learning rate.
    "time/rate": f"{TIME} --lr 0.01",
    "time/epochs": f"{TIME} --epochs 15",
    "time/both": f"{TIME} --epochs 15 --lr 0.01",
    # Other initial biases of the forget gate, other functions of the gates.
    "gates/hard-1": "--cells lstm,lstm-1997",
    "gates/hard-5": "--cells lstm --forget-gate-bias 5",
    "gates/hard-log": "--cells lstm --forget-gate-bias log-T",
    "gates/sigmoid-1": "--cells lstm,lstm-1997 --gates sigmoid",
    "gates/sigmoid-5": "--cells lstm --gates sigmoid --forget-gate-bias 5",
    "gates/sigmoid-log": "--cells lstm --gates sigmoid --forget-gate-bias log-T",
    # Settings with which an LSTM latches, and the same without each part. The settings of chosen and hard were chosen
    # on the seeds of these points.
    "answer/chosen": f"{ANSWER} --gates sigmoid --lr 0.03 --forget-gate-bias 8 --input-gate-bias -6 --seeds 100-129",
    "answer/confirmed": f"{ANSWER} --gates sigmoid --lr 0.03 --forget-gate-bias 8 --input-gate-bias -6",
    "answer/without-input": f"{ANSWER} --gates sigmoid --lr 0.03 --forget-gate-bias 8",
    "answer/without-forget": f"{ANSWER} --gates sigmoid --lr 0.03 --input-gate-bias -6",
    "answer/without-rate": f"{ANSWER} --gates sigmoid --forget-gate-bias 8 --input-gate-bias -6",
    "answer/rate-alone": f"{ANSWER} --gates sigmoid --lr 0.03",
    "answer/input-alone": f"{ANSWER} --gates sigmoid --input-gate-bias -6",
    "answer/forget-alone": f"{ANSWER} --gates sigmoid --forget-gate-bias 8",
    "answer/fresh": f"{ANSWER} --gates sigmoid --forget-gate-bias 8 --input-gate-bias -6 --seeds 200-229",
    "answer/hard": f"{ANSWER} --lr 0.005 --forget-gate-bias 5 --input-gate-bias -2.5",
    "answer/hard-fresh": f"{ANSWER} --lr 0.005 --forget-gate-bias 5 --input-gate-bias -2.5 --seeds 200-229",
}
WEIGHTS = ("figure/asker", "figure/shuffled")  # points that keep the weights of their networks


def evaluations(point):
    """The most evaluations that the history of a point keeps: no table or picture shows more than the last one."""
    return 3


# -------------------------------------------------------------------------------------------------- measures

FRESH, LONGER = 3, 4  # random streams of each seed that the script does not use
N_FRESH, N_LONGER, N_GRADIENT = 1000, 200, 100  # numbers of sequences for measures


def measure(options, name, theta):
    """Measures of the networks name of a run, before and after training. theta (S, P): trained parameters.

    See state_and_gradient and accuracies; *_before: before training, *_after: after training.
    """
    kind, _, T = name.rpartition("-")
    cell = lab.Cell(kind, options.hidden, int(T), options.gates == "hard_sigmoid")
    start = state_and_gradient(cell, lab.init_theta(cell, options), options)
    end = state_and_gradient(cell, theta, options)
    both = {"before": start, "after": end}
    measures = {f"{what}_{when}": value for when, found in both.items() for what, value in found.items()}
    return {"measures": measures | accuracies(cell, theta, options)}


def draw_fresh(options, key, n, T):
    """Fresh sequences for every seed, half of each class: numbers (T, S, n), float32, and classes (S, n)."""
    drawn = [lab.make_batch(lab.stream(seed, key, T), n, T, options.task) for seed in options.seeds]
    return np.stack([x.T for x, _ in drawn], axis=1), np.stack([y for _, y in drawn])


def state_and_gradient(cell, theta, options):
    """Forget gate, gradient and recurrent weight of networks theta (S, P), in float64: {name: (S,)}.

    forget_gate: the mean of f_t over N_GRADIENT fresh sequences and all steps. first_input_gradient: the mean of
    |d (logit 1 - logit 0) / d x_0| over these sequences. recurrent_weight: the weight of a single unit into h (srnn) or
    g.
    """
    x, _ = draw_fresh(options, FRESH, N_FRESH, cell.T)
    net, H, found = lab.Network(cell, theta.astype(float), cell.T, N_GRADIENT), cell.hidden, {}
    lab.forward(net, x[:, :, :: N_FRESH // N_GRADIENT])
    if "f" in cell.gates:
        found["forget_gate"] = net.row["f"].mean(axis=(0, 1, 3))
    lab.backward(net, cell.T, np.ones((len(theta), lab.O, N_GRADIENT)) * np.array([[-1.0], [1.0]]))
    dx = (net.p.W[:, :, H].T[:, :, None] * net.dz[0]).sum(axis=0)  # W_x^T dz
    found["first_input_gradient"] = np.abs(dx).mean(axis=1)
    if H == 1:
        found["recurrent_weight"] = net.p.W[:, -1, 0].copy()
    return found


def ten_times(T):
    """Ten times T, and one step more if T is odd.

    A unit that changes its sign at every step then ends with the sign that it has after T steps.
    """
    return 10 * T + T % 2


def accuracies(cell, theta, options):
    """Accuracy of networks theta (S, P) on fresh sequences: {name: (S,)}.

    fresh_accuracy: on N_FRESH sequences; ten_times_accuracy: on N_LONGER sequences that are ten times longer.
    """
    net = lab.Network(cell, theta, cell.T, lab.EVAL_BATCH, backward=False)
    sequences = {"fresh": (N_FRESH, cell.T, FRESH), "ten_times": (N_LONGER, ten_times(cell.T), LONGER)}
    found = {}
    for name, (n, T, key) in sequences.items():
        x, y = draw_fresh(options, key, n, T)
        cuts = [slice(k, k + lab.EVAL_BATCH) for k in range(0, n, lab.EVAL_BATCH)]
        right = [run_on(net, x[:, :, cut]).argmax(axis=1) == y[:, cut] for cut in cuts]
        found[f"{name}_accuracy"] = np.concatenate(right, axis=1).mean(axis=1)
    return found


def run_on(net, x):
    """Logits after the last step of x (T, S, B). If x has more steps than net, it passes through net in parts."""
    states, steps = (net.all_h, net.c), len(net.a)
    for t in range(0, len(x), steps):
        logits = lab.forward(net, x[t : t + steps])
        for state in states:
            state[0] = state[len(x[t : t + steps])]
    for state in states:
        state[0] = 0  # the next pass starts from zero
    return logits


# ---------------------------------------------------------------------------------------------------- tables

LATCHED = 0.99
NAME = {"srnn": "simple RNN", "lstm": "LSTM", "gru": "GRU", "lstm-1997": "LSTM without forget gate"}
LENGTHS = (2, 5, 8, 10, 15, 20, 25, *range(30, 201, 10))  # lengths in the question's figure
SHOWN = (2, 5, 10, 20, 30, 50, 100, 150, 200)  # lengths in tables
STARTS = {  # (point, kind of network): initial biases and function of its gates
    ("gates/hard-1", "lstm"): "forget bias 1, hard (the question's)",
    ("gates/hard-log", "lstm"): "forget bias log T, hard",
    ("gates/hard-5", "lstm"): "forget bias 5, hard",
    ("gates/sigmoid-1", "lstm"): "forget bias 1, logistic",
    ("gates/sigmoid-log", "lstm"): "forget bias log T, logistic",
    ("gates/sigmoid-5", "lstm"): "forget bias 5, logistic",
    ("gates/hard-1", "lstm-1997"): "no forget gate, hard",
    ("gates/sigmoid-1", "lstm-1997"): "no forget gate, logistic",
    ("answer/forget-alone", "lstm"): "forget bias 8, logistic",
    ("answer/input-alone", "lstm"): "input bias −6, logistic",
    ("answer/without-rate", "lstm"): "forget bias 8, input bias −6, logistic",
    ("answer/fresh", "lstm"): "the same, seeds 200 to 229",
    ("answer/hard", "lstm"): "forget bias 5, input bias −2.5, hard, rate 0.005",
}
GATES = [start for start in STARTS if start[0].startswith("gates")]
SIGNED = [GATES[k] for k in (0, 2, 5, 6)] + [("answer/forget-alone", "lstm"), ("answer/without-rate", "lstm")]
TIMES = {
    "figure/shuffled": "rate 0.001, 5 epochs",
    "time/epochs": "rate 0.001, 15 epochs",
    "time/rate": "rate 0.01, 5 epochs",
    "time/both": "rate 0.01, 15 epochs",
}


def networks(point):
    """The networks of a point."""
    return load_point(lab, point)["runs"]


def measured(run, name):
    """A measure of all networks of a run, (S,); NaN for a diverged network."""
    return np.array(run["measures"][name], float)


def latches(run, measure="fresh_accuracy"):
    """Which networks of a run latch, (S,)."""
    return measured(run, measure) >= LATCHED


def holds(run):
    """Which networks of a run latch both on the training length and on sequences ten times longer, (S,)."""
    return latches(run) & latches(run, "ten_times_accuracy")


def share_of(yes):
    """The share of true values with its interval, as text."""
    return share(int(np.sum(yes)), np.size(yes)) if np.size(yes) else "–"


def mean_of(values):
    """A mean with its interval, as text."""
    low, high = bootstrap(values)
    return f"{np.mean(values):.2f} [{low:.2f}–{high:.2f}]"


def power(value):
    """A number of any size as text, such as 2 × 10⁻⁴."""
    digit, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digit} × 10{raised}" if value else "0"


def median_of(values):
    """A median with its interval, as text. The values may have very different sizes."""
    if not len(values):
        return "–"
    middle, low, high = map(power, (np.median(values), *bootstrap(values, np.median)))
    return f"{middle} [{low}–{high}]"


def paired(some, others):
    """The p-value of the sign test of two kinds of networks with the same seeds; some, others: which latch."""
    return compare_pairs(some, others)[2]


def over_lengths(runs, kind, lengths):
    """Which networks of a kind latch, for all lengths one after another, (lengths S,)."""
    return np.concatenate([latches(runs[f"{kind}-{T}"]) for T in lengths])


def by_sign(run):
    """Which networks of a run latch, separately for positive and negative initial recurrent weights."""
    weight = measured(run, "recurrent_weight_before")
    return latches(run)[weight > 0], latches(run)[weight < 0]


def fisher(some, others):
    """The p-value of Fisher's exact test of two groups; some, others: which latch."""
    return fisher_test(int(some.sum()), len(some), int(others.sum()), len(others))


def latch_figure():
    runs = {"the question's split": networks("figure/asker"), "shuffled": networks("figure/shuffled")}
    rows = [["T", *(f"{NAME[kind]}, {split}" for split in runs for kind in ("srnn", "lstm")), "p, shuffled"]]
    for T in SHOWN:
        pair = [latches(found[f"{kind}-{T}"]) for found in runs.values() for kind in ("srnn", "lstm")]
        rows.append([T, *map(share_of, pair), p_value(paired(*pair[2:]))])
    return table(*rows)


def latch_accuracy():
    runs = networks("figure/asker")
    kinds, measures = ("srnn", "lstm"), ("held-out sequences (one class)", "fresh sequences")
    rows = [["T", *(f"{NAME[kind]}, {words}" for words in measures for kind in kinds)]]
    for T in SHOWN:
        cells = [runs[f"{kind}-{T}"]["final"]["val_accuracy"] for kind in kinds]
        cells += [measured(runs[f"{kind}-{T}"], "fresh_accuracy") for kind in kinds]
        rows.append([T, *map(mean_of, cells)])
    return table(*rows)


def latch_kinds():
    runs = networks("figure/shuffled")
    rows = [["T", "LSTM without forget gate", "p against simple RNN", "GRU", "p against LSTM"]]
    for T in SHOWN:
        simple, lstm, gru, old = (latches(runs[f"{kind}-{T}"]) for kind in NAME)
        rows.append([T, share_of(old), p_value(paired(old, simple)), share_of(gru), p_value(paired(gru, lstm))])
    return table(*rows)


def latch_gradient():
    runs = networks("figure/shuffled")
    rows = [["T", "network", "before training", "after, networks that latch", "after, the others"]]
    for T in 10, 50, 200:
        for kind in NAME:
            run = runs[f"{kind}-{T}"]
            after, yes = measured(run, "first_input_gradient_after"), latches(run)
            parts = measured(run, "first_input_gradient_before"), after[yes], after[~yes]
            rows.append([T, NAME[kind], *map(median_of, parts)])
    return table(*rows)


def latch_start():
    rows = [["start of the gates", "f", "derivative, positive weight", "derivative, negative weight"]]
    for (point, kind), words in STARTS.items():
        run = networks(point)[f"{kind}-200"]
        kept = np.mean(measured(run, "forget_gate_before")) if kind == "lstm" else 1
        weight, left = (measured(run, f"{name}_before") for name in ("recurrent_weight", "first_input_gradient"))
        rows.append([words, f"{kept:.4f}", median_of(left[weight > 0]), median_of(left[weight < 0])])
    return table(*rows)


def latch_gates():
    lengths = (10, 50, 100, 200)
    rows = [["start of the gates", *(f"T = {T}" for T in lengths)]]
    for point, kind in GATES:
        runs = networks(point)
        rows.append([STARTS[point, kind], *(share_of(latches(runs[f"{kind}-{T}"])) for T in lengths)])
    return table(*rows)


def latch_feedback():
    rows = [["start of the gates", "T", "positive weight", "negative weight", "p (Fisher)"]]
    for point, kind in SIGNED:
        for T in 100, 200:
            sides = by_sign(networks(point)[f"{kind}-{T}"])
            rows.append([STARTS[point, kind], T, *map(share_of, sides), p_value(fisher(*sides))])
    return table(*rows)


def latch_weight():
    rows = [["T", "weight below −0.3", "weight between −0.3 and 0.3", "weight above 0.3"]]
    for T in 100, 200:
        run = networks("answer/forget-alone")[f"lstm-{T}"]
        weight, yes = measured(run, "recurrent_weight_before"), latches(run)
        rows.append([T, *(share_of(yes[part]) for part in (weight < -0.3, np.abs(weight) < 0.3, weight > 0.3))])
    return table(*rows)


def latch_answer():
    points = {  # gates, forget bias, input bias, rate, seeds
        "gates/hard-1": ("hard", "1", "0", "0.001", "0–29"),
        "gates/sigmoid-1": ("logistic", "1", "0", "0.001", "0–29"),
        "answer/forget-alone": ("logistic", "8", "0", "0.001", "0–29"),
        "answer/input-alone": ("logistic", "1", "−6", "0.001", "0–29"),
        "answer/without-rate": ("logistic", "8", "−6", "0.001", "0–29"),
        "answer/fresh": ("**logistic**", "**8**", "**−6**", "**0.001**", "**200–229**"),
        "answer/confirmed": ("logistic", "8", "−6", "0.03", "0–29"),
        "answer/chosen": ("logistic", "8", "−6", "0.03", "100–129 (chosen on these)"),
        "answer/rate-alone": ("logistic", "1", "0", "0.03", "0–29"),
        "answer/without-input": ("logistic", "8", "0", "0.03", "0–29"),
        "answer/without-forget": ("logistic", "1", "−6", "0.03", "0–29"),
        "answer/hard": ("hard", "5", "−2.5", "0.005", "0–29 (chosen on these)"),
        "answer/hard-fresh": ("hard", "5", "−2.5", "0.005", "200–229"),
    }
    rows = [["gates", "forget bias", "input bias", "learning rate", "seeds", "latch, T = 100", "latch, T = 200"]]
    for point, words in points.items():
        rows.append([*words, *(share_of(latches(networks(point)[f"lstm-{T}"])) for T in (100, 200))])
    return table(*rows)


def minimal():
    """The trials of the smallest latch: {setting: {T: {name: (trials,)}}}."""
    found, settings = load_run(ROOT / smallest.FOLDER, "minimal_latching", "python3 -m studies.minimal_latching"), {}
    for name, setting in found["settings"].items():
        lengths = {
            int(T): {key: np.array(values) for key, values in of.items()} for T, of in setting["lengths"].items()
        }
        settings[name] = lengths
    return settings


def learned(trials):
    """Which trials of the smallest latch have learned."""
    return trials["right"] >= smallest.LEARNED


def latch_minimal():
    found, shown = minimal(), (5, 10, 20, 40, 60, 100)
    rows = [["w before training", "noise", "rate", *(f"T = {T}" for T in shown)]]
    for name, (w, noise, rate) in smallest.SETTINGS.items():
        rows.append([w, noise, rate, *(share_of(learned(found[name][T])) for T in shown)])
    return table(*rows)


def latch_answer_longer():
    rows = [["start of the gates", "T", "accuracy at T: median [range]", "of those that latch, at ten times T"]]
    for point in "answer/forget-alone", "answer/without-rate", "answer/fresh", "answer/hard":
        for T in 100, 200:
            run = networks(point)[f"lstm-{T}"]
            kept = share_of(holds(run)[latches(run)])
            rows.append([STARTS[point, "lstm"], T, spread(run["measures"]["fresh_accuracy"], ".3f"), kept])
    return table(*rows)


def latch_time():
    runs = {point: networks(point) for point in TIMES}
    rows = [["network", *TIMES.values()]]
    for kind in NAME:
        rows.append([NAME[kind], *(share_of(over_lengths(found, kind, (50, 100, 200))) for found in runs.values())])
    return table(*rows)


def update_table(task):
    """The shares of networks of the update's three kinds that latch in a task, at each length."""
    runs, kinds = networks(f"update/{task}"), ("srnn", "lstm", "gru")
    rows = [["T", *(NAME[kind] for kind in kinds)]]
    for T in sorted({run["T"] for run in runs.values()}):
        rows.append([T, *(share_of(latches(runs[f"{kind}-{T}"])) for kind in kinds)])
    return table(*rows)


def latch_front():
    figure, relay, fresh = (networks(point) for point in ("figure/shuffled", "update/bit-relay", "answer/fresh"))
    simple, lstm = (latches(figure[f"{kind}-50"]) for kind in ("srnn", "lstm"))
    falls = [latches(figure[f"srnn-{T}"]).sum() for T in (50, 100, 200)]
    first, *others = (over_lengths(relay, kind, (20, 30, 50, 70)) for kind in ("srnn", "lstm", "gru"))
    best = latches(fresh["lstm-200"])
    assert falls == sorted(falls, reverse=True) and paired(simple, lstm) < 0.05 and lstm.sum() < simple.sum()
    assert all(paired(first, other) < 0.05 and first.sum() > other.sum() for other in others)
    return table(
        ["who latches", "paper", "question", "ours", "verdict"],
        ["simple RNN, T = 50, 100, 200", "falls with T", "–", f"{', '.join(map(str, falls))} of 30", "same"],
        ["LSTM, simple RNN, T = 50", "–", "LSTM worse", f"{lstm.sum()}, {simple.sum()} of 30", "same"],
        ["LSTM, other biases, logistic gates, T = 200", "–", "should work", f"{best.sum()} of {best.size}", "it works"],
        ["two signs: do they agree? best cell", "–", "GRU", "simple RNN", "differs"],
    )


TABLES = {
    "latch-front": latch_front,
    "latch-figure": latch_figure,
    "latch-accuracy": latch_accuracy,
    "latch-answer": latch_answer,
    "latch-answer-longer": latch_answer_longer,
    "latch-minimal": latch_minimal,
    "latch-gradient": latch_gradient,
    "latch-start": latch_start,
    "latch-gates": latch_gates,
    "latch-feedback": latch_feedback,
    "latch-weight": latch_weight,
    "latch-kinds": latch_kinds,
    "latch-time": latch_time,
    "latch-update": lambda: update_table("latch"),
    "latch-relay": lambda: update_table("bit-relay"),
}


# ---------------------------------------------------------------------------------------------------- claims
def figure_claims():
    """Sentences on the question's figure."""
    asker, shuffled = networks("figure/asker"), networks("figure/shuffled")
    simple, lstm = (over_lengths(shuffled, kind, LENGTHS) for kind in ("srnn", "lstm"))
    asked = [over_lengths(asker, kind, LENGTHS) for kind in ("srnn", "lstm")]
    at_length = {T: [latches(shuffled[f"{kind}-{T}"]) for kind in ("srnn", "lstm")] for T in LENGTHS}
    apart = [T for T, pair in at_length.items() if paired(*pair) < 0.05]
    assert all(at_length[T][0].sum() > at_length[T][1].sum() for T in apart)
    assert paired(simple, lstm) < 0.05 and simple.sum() > lstm.sum()
    assert paired(*asked) < 0.05 and asked[0].sum() > asked[1].sum()
    failed, others = (
        np.concatenate([np.array(run["final"]["val_accuracy"], float)[~latches(run)] for run in found.values()])
        for found in (asker, shuffled)
    )
    falls = (f"{at_length[T][0].sum()}/30 at T = {T}" for T in (2, 100, 200))
    return [
        f"Over all {len(LENGTHS)} lengths, {share_of(simple)} simple RNNs latch and {share_of(lstm)} LSTMs "
        f"({p_value(paired(simple, lstm))}).",
        f"At {len(apart)} of the {len(LENGTHS)} lengths the difference is significant by itself (p < 0.05).",
        f"In our runs the share falls, too: {', '.join(falls)}.",
        f"The median accuracy of networks that do not latch, on held-out sequences, is {np.median(failed):.1f} on the "
        f"left and {np.median(others):.1f} on the right.",
        f"Of the networks that do not latch, {share_of(failed <= 0.01)} score at most 0.01 there.",
        f"With this split, too, more simple RNNs latch than LSTMs: {share_of(asked[0])} against "
        f"{share_of(asked[1])} over all lengths ({p_value(paired(*asked))}).",
    ]


def headline_claim():
    """The first sentences of the report and of the front page: shares at T = 50; at T = 100, 200 with other biases."""
    simple, lstm = (latches(networks("figure/shuffled")[f"{kind}-50"]) for kind in ("srnn", "lstm"))
    assert paired(simple, lstm) < 0.05 and lstm.sum() < simple.sum()
    return simple, lstm, *(latches(networks("answer/fresh")[f"lstm-{T}"]) for T in (100, 200))


def answer_claims():
    """Sentences on the biases with which an LSTM unit latches."""
    simple, lstm, at_100, at_200 = headline_claim()
    forget, both, only_input, hard, fresh = (
        networks(f"answer/{point}") for point in ("forget-alone", "without-rate", "input-alone", "hard", "fresh")
    )
    yes = {T: [latches(runs[f"lstm-{T}"]) for runs in (forget, both)] for T in (100, 200)}
    assert all(paired(*pair) < 0.05 and pair[0].sum() < pair[1].sum() for pair in yes.values())
    assert not any(latches(run).any() for run in only_input.values())
    counts = [int(found.sum()) for found in (yes[100][1], yes[200][1], at_100, at_200)]
    missed = np.sort(measured(both["lstm-200"], "fresh_accuracy")[~yes[200][1]])
    failed = measured(fresh["lstm-200"], "fresh_accuracy")[~at_200]
    assert len(missed) == 2 and len(failed) == 1
    kept = [
        share_of(holds(runs[f"lstm-{T}"])[latches(runs[f"lstm-{T}"])]) for runs in (fresh, hard) for T in (100, 200)
    ]
    return [
        f"**With the settings of the question and a random split, {share_of(lstm)} LSTMs latch at T = 50, and "
        f"{share_of(simple)} simple RNNs ({p_value(paired(simple, lstm))}). With other initial biases and smooth "
        f"(logistic) gates, {share_of(at_100)} LSTMs latch at T = 100 and {share_of(at_200)} at T = 200.**",
        *(
            f"at T = {T}, {share_of(alone)} networks latch with the forget bias alone and {share_of(two)} with "
            f"both ({p_value(paired(alone, two))})"
            for T, (alone, two) in yes.items()
        ),
        f"with both biases the LSTM latches in {min(counts)} to {max(counts)} of 30 cases",
        f"With the input bias alone, {share_of(latches(only_input['lstm-100']))} latch at T = 100 and "
        f"{share_of(latches(only_input['lstm-200']))} at T = 200.",
        f"The two networks of seeds 0 to 29 that miss 99 % at T = 200 are right on {100 * missed[0]:.1f} % and "
        f"{100 * missed[1]:.1f} % of the sequences; the one of seeds 200 to 229 is right on {100 * failed[0]:.1f} "
        "%.",
        f"Of the networks of seeds 200 to 229 that latch at T = 100, {kept[0]} also latch on sequences ten times "
        f"longer, and {kept[1]} of those that latch at T = 200.",
        f"Of the networks with hard gates that latch, {kept[2]} still latch at ten times T = 100 and {kept[3]} at "
        "ten times T = 200.",
    ]


def hard_claims():
    """Sentences on the setting with hard gates, on fresh seeds."""
    chosen, fresh = networks("answer/hard"), networks("answer/hard-fresh")
    pairs = [(latches(chosen[f"lstm-{T}"]), latches(fresh[f"lstm-{T}"])) for T in (100, 200)]
    tests = [p_value(fisher(*pair)) for pair in pairs]
    assert all(fisher(*pair) > 0.05 for pair in pairs), "the shares cannot be told apart"
    return [
        f"On fresh seeds, {share_of(pairs[0][1])} networks with hard gates latch at T = 100 and "
        f"{share_of(pairs[1][1])} at T = 200; we cannot distinguish this from the seeds on which it was chosen "
        f"({tests[0]} and {tests[1]}, Fisher's exact test).",
    ]


def minimal_claims():
    """Sentences on the smallest latch."""
    found = minimal()
    base, others = found["w = 1.25"], [found[f"w = {w}"] for w in ("1.75", "0.75", "0")]
    quiet, fast = found["w = 1.25, little noise"], found["w = 1.25, rate 1"]
    every = [trials for lengths in found.values() for trials in lengths.values()]
    yes = np.concatenate([learned(trials) for trials in every])
    w, held = (np.concatenate([trials[name] for trials in every]) for name in ("w", "held"))
    assert (np.abs(w[yes]) > 1).all()
    tests = [fisher(learned(base[T]), learned(other[T])) for other in (*others, quiet) for T in (40, 60, 80, 100)]
    slow, sure = [learned(fast[T]).sum() - learned(base[T]).sum() for T in (60, 80, 100)], learned(base[10])
    assert min(tests) > 0.05 / len(tests) and min(slow) > 0 and sure.all()
    assert all(fisher(learned(fast[T]), learned(base[T])) < 0.01 for T in (60, 80, 100))
    stuck = np.abs(w[~yes])
    return [
        f"**With T = 10, {share_of(sure)} trials learn to latch, with T = 40 {share_of(learned(base[40]))}, and with "
        f"T = 100 {share_of(learned(base[100]))}.**",
        f"All {yes.sum():,} trials that learn end with |w| above 1. Of the others, {share_of(stuck < 1)} end with |w| "
        "below 1.",
        f"Of the trials that learn, {share_of(held[yes] >= smallest.LEARNED)} also end within {smallest.REGION} of "
        "their target on 99 % of the sequences.",
        f"At T = 40 and more we cannot distinguish other weights before training (0, 0.75, 1.75) or a quarter of the "
        f"noise from this setting (every p at least {min(tests):.2g}, Fisher's exact test, {len(tests)} tests).",
        f"With a rate of 1 more trials learn at T = 60 to 100: {share_of(learned(fast[100]))} at T = 100.",
    ]


def gradient_claims():
    """Sentences on the derivative of the answer with respect to the first input."""
    runs = networks("figure/shuffled")
    simple, lstm = (measured(runs[f"{kind}-50"], "first_input_gradient_before") for kind in ("srnn", "lstm"))
    more = simple > lstm
    forgets = np.mean(measured(runs["lstm-50"], "forget_gate_before"))
    left = [measured(runs[f"lstm-{T}"], "forget_gate_after")[~latches(runs[f"lstm-{T}"])] for T in (50, 100, 200)]
    left = float(np.median(np.concatenate(left)))
    failed = [(kind, T) for kind in NAME for T in (50, 100, 200)]
    rest = np.concatenate(
        [
            measured(runs[f"{kind}-{T}"], "first_input_gradient_after")[~latches(runs[f"{kind}-{T}"])]
            for kind, T in failed
        ]
    )
    return [
        f"the forget gate of the question's LSTM is {forgets:.2f}",
        f"At T = 50 it is {median_of(simple)} in simple RNNs and {median_of(lstm)} in LSTMs. In {share_of(more)} "
        f"pairs it is larger in the simple RNN ({p_value(sign_test(int(more.sum()), int((~more).sum())))}).",
        f"the median of their forget gates is {left:.2f} after training, so that ten steps leave "
        f"{100 * left**10:.0f} % of a state",
        f"After training it is at most {power(rest.max())} in all {len(rest)} networks that do not latch at T = 50, "
        "100 or 200.",
    ]


def gates_claims():
    """Sentences on the forget gate, and on cells without forget gate."""
    figure, hard, question = (networks(point) for point in ("figure/shuffled", "gates/hard-5", "gates/hard-1"))
    simple = {T: latches(figure[f"srnn-{T}"]) for T in (50, 200)}
    open_gate, old = (
        {T: latches(runs[f"{kind}-{T}"]) for T in (50, 200)} for runs, kind in ((hard, "lstm"), (question, "lstm-1997"))
    )
    asked = {T: latches(question[f"lstm-{T}"]) for T in (50, 200)}
    assert all(paired(open_gate[T], asked[T]) < 0.05 for T in asked)
    assert paired(open_gate[50], simple[50]) < 0.05 and open_gate[50].sum() < simple[50].sum()
    assert paired(open_gate[200], simple[200]) < 0.05 and open_gate[200].sum() > simple[200].sum()
    assert all(paired(old[T], simple[T]) >= 0.05 for T in simple)
    ranges = [
        [over_lengths(figure, kind, range(first, last + 1, 10)) for kind in ("lstm-1997", "srnn")]
        for first, last in ((30, 100), (110, 200))
    ]
    assert all(paired(*pair) < 0.05 for pair in ranges)
    assert ranges[0][0].sum() < ranges[0][1].sum() and ranges[1][0].sum() > ranges[1][1].sum()
    return [
        *(
            f"{share_of(open_gate[T])} against {share_of(asked[T])} at T = {T} "
            f"({p_value(paired(open_gate[T], asked[T]))})"
            for T in asked
        ),
        f"At T = 50 it latches less often than the simple RNN, {open_gate[50].sum()}/30 against "
        f"{simple[50].sum()}/30 ({p_value(paired(open_gate[50], simple[50]))}), and at T = 200 more often, "
        f"{open_gate[200].sum()}/30 against {simple[200].sum()}/30 "
        f"({p_value(paired(open_gate[200], simple[200]))}).",
        f"The LSTM without forget gate latches in {share_of(old[50])} networks at T = 50 and in "
        f"{share_of(old[200])} at T = 200. We cannot distinguish either share from that of the simple RNN "
        f"({p_value(paired(old[50], simple[50]))} and {p_value(paired(old[200], simple[200]))}).",
        f"From T = 30 to 100 it latches less often than the simple RNN, {share_of(ranges[0][0])} against "
        f"{share_of(ranges[0][1])} ({p_value(paired(*ranges[0]))}).",
        f"From T = 110 to 200 it latches more often, {share_of(ranges[1][0])} against {share_of(ranges[1][1])} "
        f"({p_value(paired(*ranges[1]))}).",
    ]


def feedback_claims():
    """Sentences on the sign and the size of the initial recurrent weight."""
    sides = {(point, kind, T): by_sign(networks(point)[f"{kind}-{T}"]) for point, kind in SIGNED for T in (100, 200)}
    hard, old, both = (
        {T: sides[point, kind, T] for T in (100, 200)}
        for point, kind in (("gates/hard-5", "lstm"), ("gates/hard-1", "lstm-1997"), ("answer/without-rate", "lstm"))
    )
    assert fisher(*hard[200]) < 0.05 <= fisher(*hard[100]) and max(fisher(*old[T]) for T in old) < 0.05
    assert fisher(*both[200]) >= 0.05
    forget, two = networks("answer/forget-alone"), networks("answer/without-rate")
    lost, left = (measured(runs["lstm-200"], "first_input_gradient_before") for runs in (forget, two))
    assert np.mean(lost < left.min()) > 0.5
    weight = {T: measured(forget[f"lstm-{T}"], "recurrent_weight_before") for T in (100, 200)}
    yes = {T: latches(forget[f"lstm-{T}"]) for T in (100, 200)}
    small = np.abs(weight[100]) < 0.3
    assert fisher(yes[100][small], yes[100][weight[100] < -0.3]) < 0.05
    assert left.min() > 1e-20
    saturated = latches(forget["lstm-200"])[(weight[200] > 0) & (lost < 1e-20)]
    return [
        f"At T = 200 and with a forget bias of 5 and hard gates, {share_of(hard[200][0])} cells with a positive "
        f"weight latch and {share_of(hard[200][1])} with a negative weight ({p_value(fisher(*hard[200]))}, "
        "Fisher's exact test).",
        f"Without forget gate, {share_of(old[200][0])} cells with a positive weight latch and "
        f"{share_of(old[200][1])} with a negative weight ({p_value(fisher(*old[200]))}).",
        f"At T = 100 the cells without forget gate differ in the same way ({p_value(fisher(*old[100]))}), but with "
        f"a forget bias of 5 we cannot distinguish the two signs ({p_value(fisher(*hard[100]))}).",
        f"With both biases the derivative is at least {power(left.min())} in all {left.size} cells of seeds 0 to "
        f"29. With the forget bias of 8 alone it is smaller than that in {share_of(lost < left.min())} cells. "
        f"Of these, {saturated.size} have a positive weight and a derivative below 10⁻²⁰, and "
        f"{share_of(saturated)} of them latch.",
        f"except with an input bias of −6, where {both[200][1].sum()} of {both[200][1].size} latch",
        f"{both[200][0].sum()}/{both[200][0].size} with a positive weight and "
        f"{both[200][1].sum()}/{both[200][1].size} with a negative weight at T = 200 "
        f"({p_value(fisher(*both[200]))})",
    ]


def kinds_claims():
    """Sentences on the other two cells, over all lengths."""
    runs = networks("figure/shuffled")
    simple, lstm, gru, old = (over_lengths(runs, kind, LENGTHS) for kind in NAME)
    assert paired(gru, lstm) < 0.05 and gru.sum() < lstm.sum() and paired(old, lstm) < 0.05 and old.sum() > lstm.sum()
    assert not over_lengths(runs, "gru", range(30, 201, 10)).any()
    return [
        f"Over all {len(LENGTHS)} lengths, {share_of(gru)} GRUs latch, fewer than LSTMs with their "
        f"{share_of(lstm)} ({p_value(paired(gru, lstm))}). From T = 30 on no GRU latches.",
        f"Without forget gate, {share_of(old)} LSTMs latch, more than with it ({p_value(paired(old, lstm))}).",
    ]


def time_claims():
    """Sentences on more epochs and a higher rate."""
    runs = {point: networks(point) for point in TIMES}
    cells = [(kind, T) for kind in NAME for T in (50, 100, 200)]
    yes = {point: {cell: latches(found[f"{cell[0]}-{cell[1]}"]) for cell in cells} for point, found in runs.items()}
    base, epochs, rate, both = yes.values()
    gains = [int(epochs[cell].sum() - base[cell].sum()) for cell in cells]
    p_epochs = min(paired(epochs[cell], base[cell]) for cell in cells)
    p_rate = {cell: paired(rate[cell], base[cell]) for cell in cells}
    worst = min(p_rate, key=p_rate.get)
    others = min(p for cell, p in p_rate.items() if cell != worst)
    assert min(gains) >= 0 and p_epochs >= 0.05 and worst == ("srnn", 100) and p_rate[worst] < 0.05 <= others
    assert rate[worst].sum() < base[worst].sum()
    lstm = np.concatenate([found["lstm", T] for found in (epochs, rate, both) for T in (50, 100, 200)])
    most = max(int(found["lstm", T].sum()) for found in yes.values() for T in (50, 100, 200))
    assert most <= 1
    gru_both, gru = (np.concatenate([found["gru", T] for T in (50, 100, 200)]) for found in (both, base))
    assert not any(found["gru", T].any() for found in (base, epochs, rate) for T in (50, 100, 200))
    return [
        f"With three times the epochs, no row gains more than {max(gains)} networks of thirty. We cannot "
        f"distinguish any of the {len(cells)} pairs of shares ({p_value(p_epochs).replace('=', '≥')}).",
        f"With ten times the rate, the clearest change is that of simple RNNs at T = 100: {share_of(rate[worst])} "
        f"against {share_of(base[worst])} ({p_value(p_rate[worst])}, or {min(1, len(cells) * p_rate[worst]):.2f} "
        f"after a Bonferroni correction for {len(cells)} comparisons). We cannot distinguish the other "
        f"{len(cells) - 1} pairs ({p_value(others).replace('=', '≥')}).",
        f"With both, {share_of(gru_both)} GRUs latch over the three lengths, and none of {gru.size} in each of the "
        f"other settings ({p_value(paired(gru_both, gru))}).",
        f"Over the three changed settings and three lengths, {share_of(lstm)} LSTMs latch.",
        f"no row of the LSTM with forget gate is above {most} of 30",
    ]


def update_claims():
    """Sentences on the two tasks of the question's update."""
    kinds, found = ("srnn", "lstm", "gru"), []
    for task in "latch", "bit-relay":
        runs = networks(f"update/{task}")
        yes = [over_lengths(runs, kind, sorted({run["T"] for run in runs.values()})) for kind in kinds]
        p = [paired(yes[a], yes[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
        assert yes[0].sum() > yes[1].sum() > yes[2].sum() and max(p) < 0.05
        found.append(
            f"{share_of(yes[0])} for the simple RNN, {share_of(yes[1])} for the LSTM and {share_of(yes[2])} for "
            f"the GRU ({p_value(max(p))} for each of the three pairs)"
        )
    return [
        f"In latching, the shares over all six lengths are {found[0]}.",
        f"In our bit relay they are {found[1]}.",
    ]


def longer_claims():
    """Sentences on sequences that are ten times longer, and on the behaviour of the units."""
    runs = networks("figure/shuffled")
    kept = {
        kind: np.concatenate([holds(run)[latches(run)] for run in runs.values() if run["cell"] == kind])
        for kind in NAME
    }
    simple, lstm, gru, old = kept.values()
    assert fisher(gru, lstm) < 0.05 and 0.5 < gru.mean() < min(simple.mean(), lstm.mean(), old.mean())
    units = [run for run in runs.values() if run["cell"] == "srnn"]
    weight = np.concatenate([measured(run, "recurrent_weight_after") for run in units])
    yes = np.concatenate([latches(run) for run in units])
    return [
        f"Over all {len(LENGTHS)} lengths of training, {share_of(simple)} simple RNNs that latch also latch at "
        f"ten times the length, {share_of(lstm)} LSTMs, {share_of(old)} LSTMs without forget gate, and "
        f"{share_of(gru)} GRUs, fewer than LSTMs ({p_value(fisher(gru, lstm))}, Fisher's exact test).",
        f"After training, {share_of(np.abs(weight[yes]) > 1)} simple RNNs that latch have a recurrent weight "
        f"above 1 in size, and {share_of(np.abs(weight[~yes]) > 1)} of those that do not.",
        f"In {share_of(weight[yes] < 0)} of those that latch the weight is negative",
    ]


def landscape_claims():
    """Sentences on the cliff: the largest step of the loss between neighbouring points of the grid after T steps."""
    found = lab.landscape()
    steps = {
        name: [
            max(np.abs(np.diff(found[name][T - 1].astype(float), axis=axis)).max() for axis in (0, 1))
            for T in (1, 4, 50)
        ]
        for name in ("unit", "lstm")
    }
    assert all(first < 0.1 and fourth > 0.25 for first, fourth, _ in steps.values()), "a cliff forms within four steps"
    one, four, fifty = zip(*steps.values())
    return [
        f"For the unit the largest jump is {one[0]:.2f} after one step, {four[0]:.2f} after four and {fifty[0]:.2f} "
        f"after fifty; for the LSTM cell it is {one[1]:.2f}, {four[1]:.2f} and {fifty[1]:.2f}.",
    ]


def report_claims():
    """Sentences of the report."""
    parts = (
        figure_claims,
        answer_claims,
        hard_claims,
        minimal_claims,
        gradient_claims,
        gates_claims,
        feedback_claims,
        kinds_claims,
        time_claims,
        update_claims,
        longer_claims,
        landscape_claims,
    )
    return [sentence for part in parts for sentence in part()]


def front_claims():
    """Sentences of the front page."""
    simple, lstm, _, at_200 = headline_claim()
    return [
        f"**With other biases and logistic gates, {share_of(at_200)} LSTM units keep the first sign over 200 steps.** "
        f"With the question's settings and a random split {lstm.sum()}/{lstm.size} do so over 50 steps, and "
        f"{simple.sum()}/{simple.size} simple RNNs.",
    ]


CLAIMS = {"results/information_latching/README.md": report_claims, "README.md": front_claims}
