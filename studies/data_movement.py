"""What the networks of the scripts cost in data movement, by the measure ByteDMD (bytedmd.py): questions and answers.

A training step of one network is written as a program of scalar instructions (movement_programs.py), and every read of
the program is priced. The cost of a program does not depend on the values that it computes, so nothing is trained here,
but for the accuracy of networks that skip steps: it is that of the thirty trained networks of
results/temporal_order_3bit/thirty_seeds/default-fresh.

python3 -m studies.data_movement            prices all programs, about three minutes; writes results/data_movement/
python3 -m studies.data_movement sizes      only this question (see QUESTIONS); the other answers stay
python3 -m studies.data_movement --check    depths worked out by hand, and 1,000 random programs against a slow stack;
                                            the exit status is 1 if one differs
"""

import argparse
import itertools
import json
import math
import sys
import time

import numpy as np

import lstm_1997
import temporal_order_3bit as order_lab
from studies import lstm_1997 as tables_of_1997
from studies import timing_counting_spikes as timing
from studies.benchmarks import benchmark
from studies.bytedmd import Machine, Program, contract, cost, depths, slow_depths
from studies.movement_programs import ORDERS, Net, Net97, training_step, training_step_97
from studies.report import ROOT, bootstrap, load_run, share, spread, table

# --------------------------------------------------------------------------------------------------- programs

NETS = {  # {name: (network, steps of a sequence)}, at the sizes of the headlines
    "temporal order, LSTM": (Net(4, 8, 4, "io", readout="softmax"), 50),
    "temporal order, with forget gates": (Net(4, 8, 4, "ifo", readout="softmax"), 50),
    "temporal order, tanh RNN": (Net(4, 8, 4, "", readout="softmax"), 50),
    "multiplication": (Net(8, 2, 1, "oif"), 30),
    "timing, with peepholes": (Net(8, 1, 1, "oif", True, "linear"), 150),
    "timing, without peepholes": (Net(8, 1, 1, "oif", False, "linear"), 150),
    "latching, simple unit": (Net(1, 1, 2, "", readout="softmax", hard=True), 50),
    "latching, LSTM unit": (Net(1, 1, 2, "ifo", readout="softmax", hard=True), 50),
}
NET_6A, T_6A = Net97(2, 2, 8, 4), 105  # row 6a of the tables of 1997; sequences have 100 to 110 steps
ROWS_1997 = ("1-5", "2c-1", "2c-5", "3a-3", "4-3", "5", "6b")  # on one sequence each
RULES = {  # gradients of the network of 1997, in words
    "truncated": "truncated, from stored values",
    "forward": "truncated, forward in time",
    "full": "full, backpropagation through time",
}
ROW_6A = {rule: f"row 6a of 1997, {words}" for rule, words in RULES.items()}
BY_SYMBOL = "temporal order, LSTM, symbols choose columns"
PHASES = ("forward", "backward", "update")
LENGTHS = (10, 20, 50, 100, 200, 500, 1000)
SIZES = (1, 2, 4, 8, 16, 32)
BATCHES = (1, 2, 4, 8, 16)
BOUNDS = (
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.06,
    0.07,
    0.08,
    0.09,
    0.1,
    0.2,
    0.3,
    0.5,
)  # of input gates: steps with all gates below a bound are skipped
TRAINED = "results/temporal_order_3bit/thirty_seeds/default-fresh"
KINDS = (  # of what is read
    "weights", "inputs", "states of the step before", "outputs of the step before", "errors of the step after",
    "values of the same step", "values stored by the forward pass", "gradients", "moments", "values of the update",
)  # fmt: skip


def clip_of(net):
    """The scripts clip gradients, but for that of latching."""
    return None if net.hard else 1.0


def priced(machine, results):
    """What a program costs: its instructions and reads, and the cost by phase, by kind of what is read, and by step.

    cost and cost4: {phase: cost} with 1 and 4 bytes for an element. step and step4: {phase: the median cost of a time
    step}. kinds: {phase: {kind: [reads, cost, 1 byte]}}; see kinds_of. first: the mean cost of the first read, in the
    backward pass, of a value that the forward pass stored.
    """
    depth, kinds = depths(machine.program(*results.values())), kinds_of(machine)
    prices = {"": cost(depth), "4": cost(depth, 4)}
    found = {"instructions": machine.n, "reads": int((depth > 0).sum())}
    for size, price in prices.items():
        steps = {}
        for (phase, *_), part in machine.named():
            steps.setdefault(phase, []).append(int(price[part].sum()))
        found[f"cost{size}"] = {phase: sum(of) for phase, of in steps.items()}
        found[f"step{size}"] = {phase: float(np.median(of)) for phase, of in steps.items() if len(of) > 1}
    tables = {phase: {} for phase in PHASES}
    for (phase, *_), part in machine.named():
        for k in np.unique(kinds[part][depth[part] > 0]):
            mine = (depth[part] > 0) & (kinds[part] == k)
            row = tables[phase].setdefault(KINDS[k], [0, 0])
            row[0], row[1] = row[0] + int(mine.sum()), row[1] + int(prices[""][part][mine].sum())
    stored = kinds == KINDS.index("values stored by the forward pass")
    reads = np.concatenate([np.stack(block[:2], axis=1) for block in machine.blocks])
    _, first = np.unique(reads[stored], return_index=True)
    return found | {"kinds": tables, "first": float(prices[""][stored][first].mean()) if len(first) else None}


def kinds_of(machine):
    """The kind of each read, (N, 2): an index of KINDS. A value that was computed counts by where it was computed."""
    names, tags = machine.tagged()
    parts = machine.named()
    phases = {"forward": 0, "backward": 1, "update": 2}
    phase, mark = np.empty(machine.n, np.int8), np.empty(machine.n, int)
    for k, ((name, *_), part) in enumerate(parts):
        phase[part], mark[part] = phases[name], k
    reads = np.concatenate([np.stack(block[:2], axis=1) for block in machine.blocks])
    made = reads - machine.n_arguments  # the instruction that made what is read; negative: an argument, or a constant
    of_phase, of_mark = np.where(made >= 0, phase[made], -1), np.where(made >= 0, mark[made], -1)
    of_tag = {tag: tags[reads] == names.index(tag) for tag in names}
    found = np.full(reads.shape, KINDS.index("values of the same step"))
    other = of_mark != mark[:, None]
    for name, chosen in {  # a later line replaces an earlier one
        "errors of the step after": other & (phase[:, None] == 1),
        "values stored by the forward pass": (of_phase == 0) & (phase[:, None] > 0),
        "states of the step before": other & (phase[:, None] == 0) & of_tag["states"],
        "outputs of the step before": other & (phase[:, None] == 0) & of_tag["outputs of cells"],
        "gradients": (other & (phase[:, None] == 2)) | of_tag.get("gradients", False),
        "values of the update": ~other & (phase[:, None] == 2),
        "weights": of_tag["weights"],
        "inputs": of_tag["inputs"],
        "moments": of_tag.get("moments", False),
    }.items():
        found[np.broadcast_to(chosen, found.shape)] = KINDS.index(name)
    return found


def step_of(net, T, *arguments, **options):
    """priced of a training step of a network; see training_step and training_step_97."""
    if isinstance(net, Net97):
        return priced(*training_step_97(net, T, *arguments, **options))
    return priced(*training_step(net, T, *arguments, clip=clip_of(net), **options))


# -------------------------------------------------------------------------------------------------- questions


def networks():
    """Every network at its headline's size. The inputs are vectors, or symbols that choose columns of weights."""
    found = {name: step_of(net, T) | {"T": T} for name, (net, T) in NETS.items()}
    found[BY_SYMBOL] = step_of(*NETS["temporal order, LSTM"], symbols=sequences_of_symbols(1)[0]) | {"T": 50}
    for rule in RULES:
        found[ROW_6A[rule]] = row_of_1997("6a", rule)
    return found | {f"row {name} of 1997, truncated": row_of_1997(name) for name in ROWS_1997}


def row_of_1997(name, gradient="truncated"):
    """A row of the tables of 1997 on a sequence of trial 0; symbols choose columns of I."""
    row = lstm_1997.ROWS[name]
    kind, batch = row.kind, lstm_1997.draw(row, [0], lstm_1997.RECORD, n=1)
    T, symbols = int(batch.length[0, 0]), batch.x[:, 0, 0] if batch.x.ndim == 3 else None
    net = Net97(kind.blocks, kind.per_block, kind.inputs, kind.outputs)
    return step_of(net, T, gradient, symbols=symbols, every_step=row.every_step) | {"T": T}


def sequences_of_symbols(n):
    """Held-out sequences (n, 50) of temporal order: the first ones of its first seed."""
    batches = order_lab.held_out(order_lab.parse_options(["--seeds", "30"])[0])
    return np.concatenate([symbols[:, 0] for symbols, _ in batches], axis=1).T[:n].astype(int)


def markers():
    """Costs of time steps of temporal order with a marker and with a distractor, if symbols choose columns of weights.

    {phase: {"marker" or "distractor": costs of all such steps of 30 sequences, 1 byte}}.
    """
    net, T = NETS["temporal order, LSTM"]
    found = {phase: {"marker": [], "distractor": []} for phase in PHASES[:2]}
    for symbols in sequences_of_symbols(30):
        machine, results = training_step(net, T, symbols=symbols)
        prices = cost(depths(machine.program(*results.values()))).sum(axis=1)
        for (phase, *step), part in machine.named():
            if step and 0 < step[0] < T - 1:
                kind = "marker" if order_lab.SYMBOLS[symbols[step[0]]] in "XY" else "distractor"
                found[phase][kind].append(int(prices[part].sum()))
    return {phase: {kind: float(np.mean(of)) for kind, of in kinds.items()} for phase, kinds in found.items()}


def lengths():
    """{network: {T: priced}} over the lag. Symbols are drawn at random."""
    chosen = ("temporal order, LSTM", "multiplication", "timing, with peepholes", "timing, without peepholes")
    found, rng = {name: {T: step_of(NETS[name][0], T) for T in LENGTHS} for name in chosen}, np.random.default_rng(0)
    symbols = {T: rng.integers(0, 8, T) for T in LENGTHS}
    found[BY_SYMBOL] = {T: step_of(NETS["temporal order, LSTM"][0], T, symbols=symbols[T]) for T in LENGTHS}
    return found | {ROW_6A[rule]: {T: step_of(NET_6A, T, rule, symbols=symbols[T]) for T in LENGTHS} for rule in RULES}


def sizes():
    """{H: priced} of temporal order's LSTM over the number of cells."""
    net, T = NETS["temporal order, LSTM"]
    return {H: step_of(Net(H, net.D, net.O, net.gates, readout=net.readout), T) for H in SIZES}


def orders():
    """{order: {B: priced}} of a batch of B sequences of temporal order's LSTM."""
    net, T = NETS["temporal order, LSTM"]
    return {order: {B: step_of(net, T, B, order) for B in BATCHES} for order in ORDERS}


def skipping():
    """Temporal order with the steps left out whose input gates are all below a bound, over thirty trained networks.

    For each bound and network: the shares of markers and of distractors left out, and of right answers in the first and
    in the second half of the held-out sequences of the script; and the cost of a training step, in which symbols choose
    columns, on the first of these sequences. none: the cost without a bound, in which no gates are compared.
    """
    seeds = json.loads((ROOT / TRAINED / "results.json").read_text())["seeds"]
    with np.load(ROOT / TRAINED / "weights.npz") as file:
        weights = [file[f"lstm/weights/{name}"].astype(float) for name in "WVb"]
    batches = order_lab.held_out(order_lab.parse_options(["--seeds", ",".join(map(str, seeds))])[0])
    symbols, labels = (np.concatenate(of, axis=-1).astype(int) for of in zip(*batches))  # (T, S, n), (S, n)
    (net, T), found, half = NETS["temporal order, LSTM"], {}, labels.shape[1] // 2
    is_marker = np.isin(symbols, [order_lab.SYMBOLS.index(marker) for marker in "XY"])
    for bound in (0.0, *BOUNDS):
        of_seed = []
        for k in range(len(seeds)):
            left_out, right = run_with_skips(*(of[k] for of in weights), symbols[:, k], labels[k], bound)
            first = set(np.flatnonzero(left_out[:, 0]).tolist())
            price = whole(step_of(net, T, symbols=symbols[:, k, 0], skipped=first))
            shares = [left_out[is_marker[:, k]].mean(), left_out[~is_marker[:, k]].mean()]
            of_seed.append([*shares, right[:half].mean(), right[half:].mean(), price])
        names = "markers", "distractors", "first_half", "second_half", "training"
        found[bound] = dict(zip(names, map(list, zip(*of_seed))))
    none = [whole(step_of(net, T, symbols=symbols[:, k, 0])) for k in range(len(seeds))]
    return {"seeds": seeds, "sequences": labels.shape[1], "none": none, "bounds": found}


def run_with_skips(W, V, b, symbols, labels, bound):
    """Run a network with weights W (3 H, K), V (4, H), b (4, 1) over symbols (T, n) of classes labels (n,).

    A step is left out if all its input gates are below the bound: h and c stay as they are. Returns which steps were
    left out (T, n), and which answers are right (n,).
    """
    (T, n), H = symbols.shape, V.shape[1]
    h, c, left_out = np.zeros((H, n)), np.zeros((H, n)), np.zeros((T, n), bool)
    for t in range(T):
        z = W[:, :H] @ h + W[:, H:-1] @ (symbols[t] == np.arange(W.shape[1] - H - 1)[:, None]) + W[:, -1:]
        i, o, g = 1 / (1 + np.exp(-z[:H])), 1 / (1 + np.exp(-z[H : 2 * H])), np.tanh(z[2 * H :])
        left_out[t] = (i < bound).all(axis=0)
        c = np.where(left_out[t], c, c + i * g)
        h = np.where(left_out[t], h, o * np.tanh(c))
    return left_out, (V @ h + b).argmax(axis=0) == labels


def vectors():
    """{gradient: the cost of a training step of row 6a} if its inputs are vectors."""
    return {rule: whole(step_of(NET_6A, T_6A, rule)) for rule in RULES}


QUESTIONS = {"networks": networks, "vectors": vectors, "markers": markers, "lengths": lengths, "sizes": sizes,
             "orders": orders, "skipping": skipping}  # fmt: skip

# ----------------------------------------------------------------------------------------------------- tables

BENCHMARKED = {  # networks whose NumPy calls are counted in results/benchmarks/step_time.json
    "temporal order, LSTM": "temporal order, LSTM", "temporal order, tanh RNN": "temporal order, RNN",
    "multiplication": "multiplication", "timing, with peepholes": "timing, peephole",
    "timing, without peepholes": "timing, vanilla",
}  # fmt: skip


def found(question):
    """The answer to a question, from results/data_movement/results.json."""
    return load_run(ROOT / "results" / "data_movement", "data_movement", "python3 -m studies.data_movement")[question]


def whole(step, name="cost"):
    """The cost of all phases of a training step."""
    return sum(step[name].values())


def per_cent(part, of):
    return f"{100 * part / of:.0f} %"


def movement_networks():
    heads = ["network", "steps", "instructions", "reads", "cost, 1 byte", "forward", "backward", "update"]
    rows = [[*heads, "cost, 4 bytes", "forward", "backward", "update"]]
    for name, step in found("networks").items():
        cells = [step["T"], f"{step['instructions']:,}", f"{step['reads']:,}"]
        for size in "", "4":
            of = step[f"cost{size}"]
            cells += [f"{sum(of.values()):,}", *(per_cent(of[phase], sum(of.values())) for phase in PHASES)]
        rows.append([name, *cells])
    return table(*rows)


def movement_steps():
    heads = ["network", "a forward step, 1 byte", "a backward step", "a forward step, 4 bytes", "a backward step"]
    rows = [[*heads, "a read, 1 byte: mean"]]
    for name, step in found("networks").items():
        cells = [f"{of[phase]:,.0f}" if phase in (of := step[f"step{size}"]) else "–"
                 for size in ("", "4") for phase in PHASES[:2]]  # fmt: skip
        rows.append([name, *cells, f"{whole(step) / step['reads']:.1f}"])
    return table(*rows)


def movement_kinds():
    rows = [["what is read", *(f"{name}: {what}" for name in ("vectors", "columns") for what in
                               ("share of the training step", "forward", "backward", "update"))]]  # fmt: skip
    for kind in KINDS:
        cells = []
        for name in "temporal order, LSTM", BY_SYMBOL:
            step = found("networks")[name]
            prices = [step["kinds"][phase].get(kind, (0, 0))[1] for phase in PHASES]
            cells += [per_cent(sum(prices), whole(step))]
            cells += [per_cent(price, step["cost"][phase]) if price else "–" for phase, price in zip(PHASES, prices)]
        rows.append([kind, *cells])
    return table(*rows)


def movement_markers():
    rows = [["symbols choose columns: mean cost of a time step", "forward", "backward"]]
    of = found("markers")
    return table(*rows, *([kind, *(f"{of[phase][kind]:,.0f}" for phase in of)] for kind in ("marker", "distractor")))


def movement_lengths():
    of = found("lengths")
    rows = [["steps T", *of]]
    for T in LENGTHS:
        rows.append([f"{T:,}", *(f"{whole(steps[str(T)]) / T:,.0f}" for steps in of.values())])
    return table(*rows, ["exponent, T from 100", *(f"{exponent_of(steps, 100):.3f}" for steps in of.values())])


def exponent_of(steps, least, most=math.inf):
    """The exponent of the power law of the cost in the sizes of {size: step} from least to most."""
    sizes = [int(size) for size in steps if least <= int(size) <= most]
    return np.polyfit(np.log(sizes), np.log([whole(steps[str(size)]) for size in sizes]), 1)[0]


def movement_sizes():
    rows = [["cells H", "instructions", "cost, 1 byte", "mean cost of a read", "exponent from the row before"]]
    of = found("sizes")
    for k, (H, step) in enumerate(of.items()):
        exponent = f"{exponent_of(of, SIZES[k - 1], SIZES[k]):.2f}" if k else "–"
        cells = [f"{step['instructions']:,}", f"{whole(step):,}", f"{whole(step) / step['reads']:.1f}", exponent]
        rows.append([H, *cells])
    return table(*rows)


def beside_gate_by_gate():
    """{order: {B: the cost with this order divided by that gate by gate}}."""
    of = found("orders")
    return {order: {B: whole(step) / whole(of["gate by gate"][B]) for B, step in batches.items()}
            for order, batches in of.items()}  # fmt: skip


def movement_orders():
    rows, ratios = [["cost of a batch of", *map(str, BATCHES)]], beside_gate_by_gate()
    for order, batches in found("orders").items():
        cells = [f"{whole(step):,}" for step in batches.values()]
        if order != "gate by gate":
            cells = [f"{words} ({ratios[order][B]:.2f})" for words, B in zip(cells, batches)]
        rows.append([order, *cells])
    return table(*rows)


def movement_skips():
    of = found("skipping")
    rows = [["bound", "markers left out, %", "distractors left out, %", "right answers, %", "networks without loss",
             "cost of a training step, %"]]  # fmt: skip
    for bound, values in of["bounds"].items():
        right = np.add(values["first_half"], values["second_half"]) / 2
        before = np.add(of["bounds"]["0.0"]["first_half"], of["bounds"]["0.0"]["second_half"]) / 2
        columns = values["markers"], values["distractors"], right
        cells = [spread([100 * value for value in column], ".0f") for column in columns]
        cells.append(share(int((right >= before).sum()), len(right)))
        prices = [100 * price / none for price, none in zip(values["training"], of["none"])]
        rows.append([bound, *cells, spread(prices, ".0f")])
    return table(*rows)


def chosen_bounds():
    """Each network's bound, the loss of right answers and the saving: chosen on the first half of the sequences.

    The bound is the largest up to which no answer of the first half becomes wrong; loss and answers are those of the
    second half. Returns arrays over networks: bounds, right answers before and now, shares of the cost that are saved.
    """
    of, bounds = found("skipping"), list(found("skipping")["bounds"])
    chosen, before, now, saved = [], [], [], []
    for k in range(len(of["seeds"])):
        halves = {bound: [of["bounds"][bound][half][k] for half in ("first_half", "second_half")] for bound in bounds}
        good = list(itertools.takewhile(lambda bound: halves[bound][0] >= halves["0.0"][0], bounds))
        chosen.append(float(good[-1]))
        before.append(halves["0.0"][1]), now.append(halves[good[-1]][1])
        price = of["none"][k] if good[-1] == "0.0" else of["bounds"][good[-1]]["training"][k]
        saved.append(1 - price / of["none"][k])
    return tuple(map(np.array, (chosen, before, now, saved)))


def sequences_of(rule):
    """Sequences to the rule of row 6a, trials 200 to 229, with the truncated or the full gradient."""
    return np.array(tables_of_1997.met(tables_of_1997.point(SOLVED_BY[rule])[1]), float)


SOLVED_BY = {"truncated": "text/6a", "forward": "text/6a", "full": "parts/6a-full-gradient"}


def movement_rules():
    heads = ["gradient", "cost of an update: symbols", "vectors", "met the rule", "mean sequences"]
    rows = [[*heads, "cost of a solved task (symbols), 10^9", "ratio"]]
    first = found("networks")[ROW_6A["truncated"]]
    for rule, name in ROW_6A.items():
        price, n, dense = whole(found("networks")[name]), sequences_of(rule), found("vectors")[rule]
        low, high = bootstrap(n)
        words = {"truncated": "1", "forward": f"{price / whole(first):.2f}", "full": interval_of_ratio()}[rule]
        of_task = "{:.1f} [{:.1f}–{:.1f}]".format(*(price * value / 1e9 for value in (n.mean(), low, high)))
        counts = share(*tables_of_1997.success(SOLVED_BY[rule]))
        cells = [f"{price:,}", f"{dense:,}", counts, f"{n.mean():,.0f} [{low:,.0f}–{high:,.0f}]"]
        rows.append([RULES[rule], *cells, of_task, words])
    return table(*rows)


def interval_of_ratio():
    """The cost of a solved task with the full gradient, divided by that with the truncated one, with its interval.

    The same trials have both gradients, so they are drawn in pairs.
    """
    prices = [whole(found("networks")[ROW_6A[rule]]) for rule in ("full", "truncated")]
    pairs = np.stack([sequences_of(rule) for rule in ("full", "truncated")])
    drawn = pairs[:, np.random.default_rng(0).integers(pairs.shape[1], size=(10000, pairs.shape[1]))].mean(axis=2)
    values = pairs[0].mean() / pairs[1].mean(), *np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    return "{:.2f} [{:.2f}–{:.2f}]".format(*(prices[0] / prices[1] * value for value in values))


def movement_measured():
    heads = ["network", "NumPy: bytes read and written", "program: bytes read and written", "NumPy / program"]
    rows = [[*heads, "of the program's reads: values of the same step"]]
    cases = benchmark("step_time")["cases"]
    for name, case in BENCHMARKED.items():
        S = max(cases[case]["counts"], key=int)
        count = cases[case]["counts"][S]["bytes"] / (int(S) * cases[case]["sizes"]["B"])
        step = found("networks")[name]
        reads = {phase: sum(row[0] for row in step["kinds"][phase].values()) for phase in PHASES}
        same = sum(step["kinds"][phase]["values of the same step"][0] for phase in PHASES[:2])
        both = reads["forward"] + reads["backward"]
        moved = 4 * (both + step["instructions"] * both / step["reads"])  # each instruction writes one value
        rows.append([name, f"{count:,.0f}", f"{moved:,.0f}", f"{count / moved:.2f}", per_cent(same, both)])
    return table(*rows)


TABLES = {
    "movement-networks": movement_networks,
    "movement-steps": movement_steps,
    "movement-kinds": movement_kinds,
    "movement-markers": movement_markers,
    "movement-lengths": movement_lengths,
    "movement-sizes": movement_sizes,
    "movement-orders": movement_orders,
    "movement-skips": movement_skips,
    "movement-rules": movement_rules,
    "movement-measured": movement_measured,
}


def share_of(step, phase, kind):
    """The share of a kind of reads in the cost of a phase, in per cent."""
    return 100 * step["kinds"][phase][kind][1] / step["cost"][phase]


def share_of_step(step, kind):
    """The share of a kind of reads in the cost of a training step, in per cent."""
    return 100 * sum(step["kinds"][phase].get(kind, (0, 0))[1] for phase in PHASES) / whole(step)


def claims():
    nets, lags, marks, sizes = (found(name) for name in ("networks", "lengths", "markers", "sizes"))
    lstm, by_symbol, peep, plain = (nets[name] for name in ("temporal order, LSTM", BY_SYMBOL, "timing, with peepholes",
                                                            "timing, without peepholes"))  # fmt: skip
    stored, full = (nets[ROW_6A[rule]] for rule in ("truncated", "full"))
    parts = [per_cent(lstm["cost"][phase], whole(lstm)) for phase in PHASES]
    exponents = [exponent_of(steps, 100) for steps in lags.values()]
    product = {T: whole(lags["multiplication"][str(T)]) / T for T in LENGTHS}
    ratios = timing.error_ratios(timing.together(timing.OURS_FRESH))
    firsts = [lags["temporal order, LSTM"][T]["first"] for T in ("50", "1000")]
    best = {B: min(of[str(B)] for of in beside_gate_by_gate().values()) for B in BATCHES}
    steps = [exponent_of(sizes, *pair) for pair in itertools.pairwise(SIZES)]
    four = [whole(step, "cost4") / whole(step) for step in nets.values()]
    return [
        f"**A training step on one sequence of temporal order (50 time steps) costs {whole(lstm):,} with one byte for "
        f"a value: {parts[0]} forward, {parts[1]} backward, {parts[2]} the update. If each symbol chooses a column of "
        f"weights, it costs {whole(by_symbol):,}.**",
        f"With four bytes for a value, costs are {min(four):.1f} to {max(four):.1f} times as large.",
        f"A time step with a marker costs {marks['forward']['marker']:,.0f} forward and "
        f"{marks['backward']['marker']:,.0f} backward, one with a distractor {marks['forward']['distractor']:,.0f} and "
        f"{marks['backward']['distractor']:,.0f}.",
        f"Reads of states of the step before make {share_of(by_symbol, 'forward', KINDS[2]):.0f} % of the cost of the "
        f"forward pass, and reads of weights {share_of(by_symbol, 'forward', 'weights'):.0f} %.",
        f"Of the whole training step with vectors, weights make {share_of_step(lstm, 'weights'):.0f} %, values of the "
        f"same step {share_of_step(lstm, 'values of the same step'):.0f} %, gradients "
        f"{share_of_step(lstm, 'gradients'):.0f} %.",
        f"From T = 100 to 1,000 the cost grows as a power between {min(exponents):.2f} and {max(exponents):.2f} of T.",
        f"The first read of a stored value costs {firsts[0]:.1f} on average with T = 50 and {firsts[1]:.1f} with T = "
        "1,000 (temporal order).",
        f"For multiplication, a time step of training costs {product[100]:,.0f} with T = 100 and {product[1000]:,.0f} "
        "with T = 1,000.",
        f"The exponent rises from {steps[0]:.2f} between one and two cells to {steps[-1]:.2f} between 16 and 32.",
        f"With peepholes a training step costs {whole(peep) / whole(plain):.2f} times as much as without: it has "
        f"{peep['reads'] / plain['reads']:.2f} times as many reads, and a read costs "
        f"{whole(peep) / peep['reads']:.1f} instead of {whole(plain) / plain['reads']:.1f}.",
        f"After equal training, the error without peepholes is {np.exp(np.log(ratios).mean()):.1f} times that with "
        "them (geometric mean over thirty seeds, [timing](../timing_counting_spikes/README.md)).",
        f"For one update the full gradient costs {whole(full) / whole(stored):.2f} times as much as the truncated one, "
        f"and for a solved task {interval_of_ratio()} times.",
        f"Beside gate by gate, the best order costs {best[1]:.2f} for one sequence, and {min(best.values()):.2f} to "
        f"{max(best[B] for B in BATCHES[1:]):.2f} for batches.",
        *skip_claims(),
    ]


def skip_claims():
    of = found("skipping")["bounds"]["0.1"]
    right = 50 * np.add(of["first_half"], of["second_half"])
    chosen, before, now, saved = chosen_bounds()
    saved = list(np.round(100 * saved) + 0)  # without -0
    marks, rest = ([100 * value for value in of[key]] for key in ("markers", "distractors"))
    kept = f"{int((now >= before).sum())} of {len(now)} networks have as many right answers as with all steps"
    return [
        f"With a bound of 0.1, networks leave out {spread(marks, '.0f')} % of the markers and {spread(rest, '.0f')} % "
        f"of the distractors (median and range of {len(chosen)} networks), and {spread(list(right), '.0f')} % of the "
        "answers are right.",
        f"If each network has its own bound, chosen on half of the sequences, then on the other half {kept}, at worst "
        f"{100 * now.min():.1f} % are right, and {spread(saved, '.0f')} % of the cost of a training step are saved.",
    ]


CLAIMS = {"results/data_movement/README.md": claims}

# ------------------------------------------------------------------------------------------------------ check


def by_hand():
    """[(name, program, depths read, cost with 1 byte, cost with 4 bytes or None)] of programs worked out by hand."""
    a, b, c = (0, 1, 2)
    programs = [("(a + b) + c", Program([1, 1, 1], [(a, b), (3, c)], [4]), [1, 2, 1, 2], 6, 38)]
    pairs = Program([2, 2], [(0, 2), (1, 3), (4, 5)], [6])
    programs.append(("a0 b0 + a1 b1", pairs, [2, 4, 2, 3, 2, 1], 11, None))
    summed = Program([2, 2], [(0, 2), (4, -1), (1, 3), (5, 6)], [7])
    programs.append(("the same, from 0", summed, [2, 4, 1, 2, 3, 2, 1], 12, None))
    for name, J, reads, price in (
        ("matrix by vector", 1, [4, 6, 5, 6, 3, 1, 5, 3, 4, 3, 2, 1], 26),
        ("matrix by matrix", 2, [4, 8, 6, 8, 4, 1, 5, 9, 5, 9, 3, 1, 8, 6, 8, 7, 3, 1, 3, 6, 3, 5, 2, 1], 57),
    ):
        machine = Machine()
        A, x = machine.argument("A", 2, 2), machine.argument("x", 2, J)
        programs.append((f"2 x 2 {name}", machine.program(contract(A, x.T)), reads, price, None))
    return programs


def random_program(rng):
    """A random program of up to 40 instructions."""
    arguments = [int(n) for n in rng.integers(0, 6, rng.integers(1, 4))] + [1]
    n, n_arguments = int(rng.integers(0, 41)), sum(arguments)
    reads = [rng.integers(-1, n_arguments + i, 2) for i in range(n)]
    results = rng.choice(n_arguments + n, rng.integers(0, 4))
    return Program(arguments, np.array(reads, int).reshape(-1, 2), results)


def check(n_random=1000):
    """Compare depths and costs with values worked out by hand, and with slow_depths. Returns the exit status."""
    ok = True
    for name, program, reads, price, price4 in by_hand():
        found = depths(program)
        here = [int(depth) for depth in found.ravel() if depth]
        right = here == reads and cost(found).sum() == price and price4 in (None, cost(found, 4).sum())
        words = "ok" if right else f"FAILED: {price}, {price4} and {', '.join(map(str, reads))} are right"
        prices = f"cost {cost(found).sum():3}, with 4 bytes {cost(found, 4).sum():3}"
        print(f"{name:24} {prices}, depths {', '.join(map(str, here))}: {words}")
        ok &= right
    rng = np.random.default_rng(0)
    programs = [random_program(rng) for _ in range(n_random)]
    equal = sum(np.array_equal(depths(program), slow_depths(program)) for program in programs)
    ok &= equal == n_random
    print(f"{equal} of {n_random} random programs have the depths of a slow stack: {'ok' if ok else 'FAILED'}")
    return 0 if ok else 1


# -------------------------------------------------------------------------------------------------------- CLI


def main(argv=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if a check failed."""
    parser = argparse.ArgumentParser("studies.data_movement", description=__doc__.splitlines()[0], allow_abbrev=False)
    choices = [[], *QUESTIONS]  # [] is what argparse checks if no question is named
    parser.add_argument("questions", nargs="*", choices=choices, help="ask only these; others stay as they are")
    parser.add_argument("--check", action="store_true", help="only check the measure")
    parser.add_argument("--out", default="results/data_movement", metavar="DIR", help="folder for results.json")
    options = parser.parse_args(argv)
    if options.check:
        return check()
    out = ROOT / options.out
    out.mkdir(parents=True, exist_ok=True)
    found = json.loads((out / "results.json").read_text()) if (out / "results.json").exists() else {}
    for name in options.questions or QUESTIONS:
        started = time.perf_counter()
        found[name] = QUESTIONS[name]()
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    heads = {"schema": 1, "experiment": "data_movement", "command": "python3 -m studies.data_movement",
             "environment": order_lab.environment()}  # fmt: skip
    results = heads | {name: found[name] for name in QUESTIONS if name in found}
    order_lab.write_whole(out / "results.json", lambda file: file.write(f"{order_lab.to_json(results)}\n".encode()))
    print(out / "results.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
