"""Studies of information_latching.py: which runs, what is measured on their networks, which tables."""

import numpy as np

import information_latching as lab
from studies.report import load_point, spread, table, wilson

# ---------------------------------------------------------------------------------------------------- points

ALL_CELLS = "--cells srnn,lstm,gru,lstm-1997"
ALL_LENGTHS = f"--lengths 2,5,8,10,15,20,25,{','.join(map(str, range(30, 201, 10)))}"
TIME = f"{ALL_CELLS} --lengths 50,100,200"
ANSWER = "--cells lstm --lengths 100,200"
POINTS = {
    # The question's first figure, as it was made, and with what is held out drawn at random.
    "figure/asker": f"--recipe writeup {ALL_LENGTHS}",
    "figure/shuffled": f"{ALL_CELLS} {ALL_LENGTHS}",
    # That of its update.
    "update/latch": "--cells srnn,lstm,gru --epochs 10 --lengths 10,20,30,50,100,200",
    "update/bit-relay": "--cells srnn,lstm,gru --task bit-relay --lengths 4,10,20,30,50,70",
    # Who latches, given time?
    "time/rate": f"{TIME} --lr 0.01",
    "time/epochs": f"{TIME} --epochs 15",
    "time/both": f"{TIME} --epochs 15 --lr 0.01",
    # Is it the forget gate?
    "gates/hard-1": "--cells lstm,lstm-1997",
    "gates/hard-5": "--cells lstm --forget-gate-bias 5",
    "gates/hard-log": "--cells lstm --forget-gate-bias log-T",
    "gates/sigmoid-1": "--cells lstm,lstm-1997 --gates sigmoid",
    "gates/sigmoid-5": "--cells lstm --gates sigmoid --forget-gate-bias 5",
    "gates/sigmoid-log": "--cells lstm --gates sigmoid --forget-gate-bias log-T",
    # Settings with which it latches, the first chosen on its seeds; and without each of their parts.
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
}
WEIGHTS = ("figure/asker", "figure/shuffled")  # points whose weights are kept

# -------------------------------------------------------------------------------------------------- measures

FRESH, LONGER = 3, 4  # streams of each seed that the script leaves to this study
N_FRESH, N_LONGER, N_GRADIENT = 1000, 200, 100  # sequences that measures are taken on


def measure(options, name, theta):
    """What a run says of its networks name with trained parameters theta (S, P), and with those that they started from.

    See state_and_gradient and accuracies; *_before: before training, *_after: after it.
    """
    kind, _, T = name.rpartition("-")
    cell = lab.Cell(kind, options.hidden, int(T), options.gates == "hard_sigmoid")
    start = state_and_gradient(cell, lab.init_theta(cell, options), options)
    end = state_and_gradient(cell, theta, options)
    measures = {f"{what}_{when}": value for when, found in (("before", start), ("after", end))
                for what, value in found.items()}  # fmt: skip
    return {"measures": measures | accuracies(cell, theta, options)}


def draw_fresh(options, key, n, T):
    """Fresh sequences for every seed, half of each class: numbers (T, S, n), float32, and classes (S, n)."""
    drawn = [lab.make_batch(lab.stream(seed, key, T), n, T, options.task) for seed in options.seeds]
    return np.stack([x.T for x, _ in drawn], axis=1), np.stack([y for _, y in drawn])


def state_and_gradient(cell, theta, options):
    """What tells why, of networks theta (S, P), on N_GRADIENT fresh sequences, in float64: {name: (S,)}.

    forget_gate: the mean of f_t. first_input_gradient: the mean of |d (logit 1 - logit 0) / d x_0|. recurrent_weight:
    that of a single unit, into h (srnn) or g.
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
    """Ten times T, and one more if T is odd: a unit that changes its sign at every step must not be told from that."""
    return 10 * T + T % 2


def accuracies(cell, theta, options):
    """Accuracy of networks theta (S, P) on fresh sequences: {name: (S,)}.

    fresh_accuracy: on N_FRESH; ten_times_accuracy: on N_LONGER that are ten times longer.
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
    """Logits after the last step of x (T, S, B), which may have more steps than the network; it goes on in parts."""
    states, steps = (net.all_h, net.c), len(net.a)
    for t in range(0, len(x), steps):
        logits = lab.forward(net, x[t : t + steps])
        for state in states:
            state[0] = state[len(x[t : t + steps])]
    for state in states:
        state[0] = 0  # as the next pass wants it
    return logits


# ---------------------------------------------------------------------------------------------------- tables

LATCHED = 0.99
NAME = {"srnn": "simple RNN", "lstm": "LSTM", "gru": "GRU", "lstm-1997": "LSTM without forget gate"}


def networks(name):
    """The networks of a point."""
    return load_point(lab, name)["runs"]


def measured(run, name):
    """A measure of all networks of a run, NaN of one that diverged."""
    return np.array(run["measures"][name], float)


def latched(run):
    """How many networks of a run latch, of how many."""
    fresh = measured(run, "fresh_accuracy")
    return f"{(fresh >= LATCHED).sum()}/{len(fresh)}"


def latched_share(run):
    """How many networks of a run latch, with the interval of the share."""
    fresh = measured(run, "fresh_accuracy")
    return f"{latched(run)} ({wilson(int((fresh >= LATCHED).sum()), len(fresh))})"


def latch_figure():
    asker, shuffled = networks("figure/asker"), networks("figure/shuffled")
    names = [f"{NAME[kind]}{words}" for words in (": as asked", ", fresh sequences", ", latch")
             for kind in ("srnn", "lstm")]  # fmt: skip
    rows = [["T", *names, *(f"shuffled: {NAME[kind]}" for kind in NAME)]]
    for T in 2, 5, 10, 20, 30, 50, 100, 150, 200:
        runs = [asker[f"{kind}-{T}"] for kind in ("srnn", "lstm")]
        cells = [f"{np.nanmean(np.array(run['final']['val_accuracy'], float)):.2f}" for run in runs]
        cells += [f"{np.nanmean(measured(run, 'fresh_accuracy')):.2f}" for run in runs]
        cells += [latched(run) for run in runs] + [latched(shuffled[f"{kind}-{T}"]) for kind in NAME]
        rows.append([f"{T}", *cells])
    return table(*rows)


def latch_update():
    found = {task: networks(f"update/{task}") for task in ("latch", "bit-relay")}
    kinds = ("srnn", "lstm", "gru")
    rows = [[words for task in ("latch", "bit relay") for words in (f"{task}, T", *(NAME[kind] for kind in kinds))]]
    lengths = {task: sorted({run["T"] for run in runs.values()}) for task, runs in found.items()}
    for pair in zip(*lengths.values()):
        cells = []
        for runs, T in zip(found.values(), pair):
            cells.append(f"{T}")
            for kind in kinds:
                accuracy = np.array(runs[f"{kind}-{T}"]["final"]["val_accuracy"], float)
                cells.append(f"{np.nanmean(accuracy):.2f} ± {np.nanstd(accuracy):.2f}")
        rows.append(cells)
    return table(*rows)


def latch_time():
    points = {"figure/shuffled": "rate 0.001, 5 epochs", "time/epochs": "rate 0.001, 15 epochs",
              "time/rate": "rate 0.01, 5 epochs", "time/both": "rate 0.01, 15 epochs"}  # fmt: skip
    lengths = (50, 100, 200)
    rows = [["", *(f"{NAME[kind]}, T = {T}" for kind in NAME for T in lengths)]]
    for point, words in points.items():
        runs = networks(point)
        rows.append([words, *(latched(runs[f"{kind}-{T}"]) for kind in NAME for T in lengths)])
    return table(*rows)


def latch_gates():
    biases = {"hard-1": "1, hard (the question's)", "hard-log": "log T, hard", "hard-5": "5, hard",
              "sigmoid-1": "1, logistic", "sigmoid-log": "log T, logistic", "sigmoid-5": "5, logistic"}  # fmt: skip
    lengths = (10, 50, 100, 200)
    rows = [["forget gate's bias, gates", "retention f before training, T = 50", "derivative, T = 50",
             "derivative, T = 200", *(f"latch, T = {T}" for T in lengths)]]  # fmt: skip
    points = [(point, "lstm", words) for point, words in biases.items()]
    points += [(point, "lstm-1997", f"no forget gate, {words}") for point, words in
               (("hard-1", "hard"), ("sigmoid-1", "logistic"))]  # fmt: skip
    for point, kind, words in points:
        runs = networks(f"gates/{point}")
        kept = np.nanmean(measured(runs["lstm-50"], "forget_gate_before")) if kind == "lstm" else 1
        left = (np.nanmedian(measured(runs[f"{kind}-{T}"], "first_input_gradient_before")) for T in (50, 200))
        rows.append([words, f"{kept:.3f}", *(f"{value:.0e}" for value in left),
                     *(latched_share(runs[f"{kind}-{T}"]) for T in lengths)])  # fmt: skip
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
            run = networks(point)[f"{kind}-{T}"]
            yes, weight = (measured(run, name) for name in ("fresh_accuracy", "recurrent_weight_before"))
            cells += [f"{(yes[side] >= LATCHED).sum()}/{side.sum()}" for side in (weight > 0, weight < 0)]
        rows.append([words, *cells])
    return table(*rows)


def latch_answer():
    points = {
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
    rows = [["one LSTM unit, 5 epochs", *(f"T = {T}: {words}" for T in (100, 200) for words in
             ("latch", "accuracy, median [range]", "at ten times the length"))]]  # fmt: skip
    for point, words in points.items():
        cells = []
        for T in 100, 200:
            run = networks(point)[f"lstm-{T}"]
            longer = np.nanmedian(measured(run, "ten_times_accuracy"))
            cells += [latched_share(run), spread(run["measures"]["fresh_accuracy"], ".3f"), f"{longer:.3f}"]
        rows.append([words, *cells])
    return table(*rows)


def latch_gradient():
    runs = networks("figure/shuffled")
    rows = [["T", *(f"{NAME[kind]}, {when}" for kind in NAME for when in
             ("before training", "after, latched", "after, not"))]]  # fmt: skip
    for T in 2, 10, 50, 100, 200:
        cells = []
        for kind in NAME:
            before, after, fresh = (measured(runs[f"{kind}-{T}"], name) for name in (
                "first_input_gradient_before", "first_input_gradient_after", "fresh_accuracy"))  # fmt: skip
            for values in before, after[fresh >= LATCHED], after[fresh < LATCHED]:
                cells.append(f"{np.median(values):.0e}" if len(values) else "–")
        rows.append([f"{T}", *cells])
    return table(*rows)


def latch_longer():
    runs, lengths = networks("figure/shuffled"), (10, 20, 50, 100, 200)
    rows = [["networks that latch at T, and of these at ten times T", *(f"T = {T}" for T in lengths)]]
    for kind, words in NAME.items():
        cells = []
        for T in lengths:
            at_T, longer = (measured(runs[f"{kind}-{T}"], f"{name}_accuracy") for name in ("fresh", "ten_times"))
            cells.append(f"{(longer[at_T >= LATCHED] >= LATCHED).sum()} of {(at_T >= LATCHED).sum()}")
        rows.append([words, *cells])
    return table(*rows)


TABLES = {"latch-figure": latch_figure, "latch-update": latch_update, "latch-time": latch_time,
          "latch-gates": latch_gates, "latch-feedback": latch_feedback, "latch-answer": latch_answer,
          "latch-gradient": latch_gradient, "latch-longer": latch_longer}  # fmt: skip
