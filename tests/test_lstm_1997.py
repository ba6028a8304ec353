"""lstm_1997.py: its table, its generators, its truncated gradient, its stopping rules, its runs."""

import ast
import itertools
import json
import math
import re
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ROOT, load, options_of

import studies.lstm_1997 as study
from studies import report

lab = load("lstm_1997.py")
ROWS = list(lab.ROWS.values())
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

# ------------------------------------------------------------------------------------------------- the table


@every_row
def test_the_network_has_the_weights_of_the_paper(row):
    kind = row.kind
    gates, cells = (2 if kind.output_gates else 1) * kind.blocks, kind.blocks * kind.per_block
    if kind.output_gates:
        weights = (gates + cells) * (kind.inputs + gates + cells) + cells * kind.outputs
        biases = {"none": 0, "gates": gates, "cells and gates": gates + cells, "all": gates + cells + kind.outputs}
        weights += biases[kind.biased]
    else:
        weights = (gates + cells) * kind.inputs + (kind.inputs + cells) * kind.outputs
    assert weights == kind.weights == int(row.present.sum())
    theta = lab.init_theta(row, [3], np.float64)[0]
    assert np.count_nonzero(theta) == kind.weights and (theta[row.present == 0] == 0).all()


@every_row
def test_initial_weights(row):
    kind = row.kind
    theta = lab.init_theta(row, list(range(20)), np.float64)
    p = lab.views(theta, kind.shapes)
    for gates, biases in (slice(0, kind.blocks), kind.input_biases), (slice(-kind.blocks, None), kind.output_biases):
        if biases:
            rows = p.b[:, gates, 0]
            assert (rows == biases[: kind.blocks]).all() and len(biases) >= kind.blocks
            rows[...] = 0
    assert np.abs(theta).max() <= kind.init < 1.05 * np.abs(theta).max()
    assert np.abs(theta.mean()) < 0.02 and len({tuple(network) for network in theta}) == 20


WEIGHTS = """
row   full  gates  gates-from-gates  in-from-all  in-from-gates  none  bias
1-1    264    216               184          168            152   120     7
1-5    276    204               168          168            150   132     7
2c-1   364    352               344          340            336   328     2
2c-2   664    652               644          640            636   628     2
3a-1   102     75                57           48             39    21     1
4-1     93     61                45           45             37    29     0
6a     156    124               108          108            100    92     0
"""


@pytest.mark.parametrize("line", WEIGHTS.split("\n")[2:-1], ids=lambda line: line.split()[0])
def test_weights_of_networks_that_do_not_receive_all_units(line):
    """Each kind of connections takes from the paper's number of weights those that it lacks."""
    name, *counts, bias = line.split()
    for way, count in zip(WEIGHTS.split("\n")[1].split()[1:], counts):
        row = lab.row_of(options_of(lab, "--task", name, "--recurrence", way))
        R = lab.views(lab.init_theta(row, [3], np.float64), row.kind.shapes).R[0]
        blocks, H = row.kind.blocks, row.kind.H
        gates = [*range(blocks), *range(blocks + H, len(R))]
        receive = {"full": range(len(R)), "none": [], "gates": gates, "gates-from-gates": gates}.get(way, range(blocks))
        send = gates if way.endswith("from-gates") else range(len(R))
        wanted = np.zeros(R.shape, bool)
        wanted[np.ix_([*receive], [*send])] = True
        assert ((R != 0) == wanted).all() and row.present.sum() == int(count), way
    row = lab.row_of(options_of(lab, "--task", name, "--output-bias"))
    assert row.present.sum() == row.kind.weights + int(bias)


@pytest.mark.parametrize("kind", ["1-5 --update step", "1-4", "6a", "2c-1"])
@pytest.mark.parametrize("way", ["gates", "in-from-gates", "none"])
def test_absent_weights_stay_absent(kind, way, small, tmp_path):
    _, theta = run(tmp_path, "--steps 30 --trials 0-2 --recurrence", way, "--task", kind)
    row = replace(lab.ROWS[kind.split()[0]], reading=lab.Reading(recurrence=way))
    assert ((theta != 0) == row.present.astype(bool)).all()


def test_other_biases_replace_those_of_the_row():
    row = lab.row_of(options_of(lab, "--task", "3a-1", "--input-biases=-2,0.5,1", "--output-biases", "random"))
    b = lab.views(lab.init_theta(row, [0, 1], np.float64), row.kind.shapes).b[:, :, 0]
    assert (b[:, :3] == [-2, 0.5, 1]).all() and (np.abs(b[:, -3:]) < 0.1).all() and (b[0, -3:] != b[1, -3:]).all()


PAPER = """
1-1  4x1 r           -1,-2,-3,-4 0.1  0.2 30 39740          -               512 - -
1-2  3x2 r           -1,-2,-3    0.1  0.2 30 21730          -               512 - -
1-3  3x2 r           -1,-2,-3    0.2  0.2 30 14060          -               512 - -
1-4  4x1 r           -1,-2,-3,-4 0.5  0.2 30 9500           -               512 - -
1-5  3x2 r           -1,-2,-3    0.5  0.2 30 8440           -               512 - -
2a   1x1 none        no,og       1.0  0.2 18 5040           -               2 - 0.25
2b   1x1 none        no,og       1.0  0.2 18 5680           -               10000 - 0.25
2c-1 2x1 none        none        0.01 0.2 20 30000          -               10000 - 0.2
2c-2 2x1 none        none        0.01 0.2 20 31000          -               10000 - 0.2
2c-3 2x1 none        none        0.01 0.2 20 33000          -               10000 - 0.2
2c-4 2x1 none        none        0.01 0.2 20 38000          -               10000 - 0.2
2c-5 2x1 none        none        0.01 0.2 20 49000          -               10000 - 0.2
2c-6 2x1 none        none        0.01 0.2 20 49000          -               10000 - 0.2
2c-7 2x1 none        none        0.01 0.2 20 75000          -               10000 - 0.2
2c-8 2x1 none        none        0.01 0.2 20 135000         -               10000 - 0.2
2c-9 2x1 none        none        0.01 0.2 20 203000         -               10000 - 0.2
3a-1 3x1 -1,-3,-5    -2,-4,-6    1.0  0.1 10 27380,39850    -,0.000195      1,1 -,0.01 0.2
3a-2 3x1 -1,-3,-5    -2,-4,-6    1.0  0.1 10 58370,64330    -,0.000117      1,1 -,0.01 0.2
3a-3 3x1 -1,-3,-5    -2,-4,-6    1.0  0.1 10 446850,452460  -,0.000078      1,1 -,0.01 0.2
3b-1 3x1 -1,-3,-5    -2,-4,-6    1.0  0.1 10 41740,43250    -,0.00828       6,6 -,0.04 0.2
3b-2 3x1 -1,-3,-5    -2,-4,-6    1.0  0.1 10 74950,78430    -,0.015         6,6 -,0.04 0.2
3b-3 3x1 -1,-3,-5    -2,-4,-6    1.0  0.1 10 481060,485080  -,0.01207       6,6 -,0.04 0.2
3c-1 3x1 -1,-3,-5    -2,-4,-6    0.1  0.1 10 269650         0.00558         1 0.015 0.1
3c-2 3x1 -1,-3,-5    -2,-4,-6    0.1  0.1 10 565640         0.00441         1 0.015 0.1
4-1  2x2 -3,-6       r           0.5  0.1 10 74000          1               1 0.01 0.04
4-2  2x2 -3,-6       r           0.5  0.1 10 209000         0               1 0.01 0.04
4-3  2x2 -3,-6       r           0.5  0.1 10 853000         1               1 0.01 0.04
5    2x2 r           r           0.1  0.1 10 482000,1273000 139,14          140,13 -,- 0.04
6a   2x2 -2,-4       r           0.5  0.1 20 31390          1               1 0.1 0.3
6b   3x2 -2,-4,-6    r           0.1  0.1 10 571100         2               1 0.1 0.3
"""  # row, blocks x size, igb, ogb, rate, init, trials, sequences, wrong; rules: tests or wrong, error, tolerance


@pytest.mark.parametrize("line", PAPER.split("\n")[1:-1], ids=lambda line: line.split()[0])
def test_a_row_has_the_figures_of_the_paper(line):
    name, blocks, igb, ogb, rate, init, trials, sequences, wrong, rule, error, tolerance = line.split()
    row, task, kind = lab.ROWS[name], lab.ROWS[name].task.name, lab.ROWS[name].kind

    def biases(values, without):
        return ",".join(map(str, values[: kind.blocks])) or without

    def numbers(text):
        return tuple(None if value == "-" else float(value) for value in text.split(","))

    random = "none" if kind.biased == "none" or not kind.output_gates else "r"
    found = f"{kind.blocks}x{kind.per_block}", biases(kind.input_biases, random)
    assert (*found, biases(kind.output_biases, random if kind.output_gates else "no,og")) == (blocks, igb, ogb)
    assert (kind.rate, kind.init, row.paper.trials) == (float(rate), float(init), int(trials))
    assert (row.paper.sequences, row.paper.wrong) == (numbers(sequences), numbers(wrong))
    assert lab.TOLERANCE.get(task) == numbers(tolerance)[0]
    if task[0] in "12":
        assert lab.TESTS[task] == int(rule) and lab.RULES[task] == [lab.Rule(1)]
    else:
        errors = [math.inf if value is None else value for value in numbers(error)]
        assert lab.RULES[task] == [lab.Rule(int(n), e) for n, e in zip(numbers(rule), errors)]
        assert lab.TESTS.get(task) == (256 if task[0] == "3" else None)


def test_the_table_has_every_row_of_the_paper():
    assert [line.split()[0] for line in PAPER.split("\n")[1:-1]] == [row.name for row in ROWS]
    assert lab.WINDOW == 2000 and lab.CAP == 5


# ------------------------------------------------------------------------------------------------ generators

GRAPH = {  # the paper's Figure 3, by hand: node -> {symbol: node}
    "start": {"B": 1}, 1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5}, 4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6}, 6: {"E": "end"},
}  # fmt: skip
TAIL = "T*V(PXT*V)*(V|PS)"
REBER = re.compile(rf"B([TP])B(TS*X(S|X{TAIL})|P{TAIL})E\1E")


def may_follow(prefix):
    """Legal next symbols after prefix in the embedded Reber grammar (Figure 4), by a walk through the graph."""
    if len(prefix) < 2:
        return {"": "B", "B": "TP"}[prefix]
    node, rest = "start", prefix[2:]
    for k, symbol in enumerate(rest):
        node = GRAPH[node][symbol]
        if node == "end":
            after = rest[k + 1 :]
            return prefix[1] if after == "" else "E"
    return "".join(GRAPH[node])


def letters(symbols):
    return "".join(lab.REBER[symbol] for symbol in symbols if symbol >= 0)


def test_reber_strings_are_recognised_and_legal_symbols_are_legal():
    drawn = lab.reber_strings(np.random.default_rng(0), 300)
    legal = lab.reber_legal(drawn)
    lengths = []
    for n, symbols in enumerate(drawn):
        string = letters(symbols)
        assert REBER.fullmatch(string), string
        lengths.append(len(string))
        for t in range(len(string) - 1):
            assert {lab.REBER[k] for k in np.nonzero(legal[t, :, n])[0]} == set(may_follow(string[: t + 1]))
    assert min(lengths) == 9 and abs(np.mean(lengths) - 12) < 1
    assert not REBER.fullmatch("BTBTXSEPE") and REBER.fullmatch("BTBTXSETE")


def test_choices_of_the_grammar_have_equal_probabilities():
    drawn = [letters(string) for string in lab.reber_strings(np.random.default_rng(1), 4000)]
    for position, shares in (1, {"T": 0.5, "P": 0.5}), (3, {"T": 0.5, "P": 0.5}):
        for symbol, share in shares.items():
            assert abs(np.mean([string[position] == symbol for string in drawn]) - share) < 0.03
    assert abs(np.mean([string[2:6] in ("BTXS", "BPVV") for string in drawn]) - 2 / 8) < 0.03


def test_no_test_string_is_a_training_string():
    for pair in 0, 2:
        training, testing = ([letters(string) for string in strings] for strings in lab.reber_sets(pair))
        assert len(training) == len(testing) == 256 and not set(training) & set(testing)
        assert all(REBER.fullmatch(string) for string in training + testing)
        assert len(set(training)) < 256, "drawn as they come"


def test_ten_trials_in_a_row_share_their_sets():
    sets = {trial: lab.sets_of(trial) for trial in (0, 9, 10, 31)}
    assert sets[0] is sets[9] is sets[31] and sets[10] is not sets[0]
    assert all((drawn == again).all() for drawn, again in zip(sets[0], lab.reber_sets(0)))
    assert {letters(string) for string in sets[0][0]} != {letters(string) for string in sets[10][0]}


def drawn(name, n=2000, **reading):
    row = replace(lab.ROWS[name], reading=lab.ROWS[name].reading._replace(**reading))
    return row, lab.make_batch(np.random.default_rng(5), n, row)


def test_task_1_predicts_the_next_symbol():
    row, batch = drawn("1-1", 200)
    assert batch.x.shape == batch.target.shape == (batch.length.max(), 200)
    for n in range(200):
        string = letters(batch.x[: batch.length[n], n]) + letters([batch.target[batch.length[n] - 1, n]])
        assert REBER.fullmatch(string)
        assert letters(batch.target[:, n]) == string[1:] and (batch.target[batch.length[n] :, n] == -1).all()


@pytest.mark.parametrize("name", ["2a", "2b"])
def test_tasks_2a_and_2b(name):
    row, batch = drawn(name, errors="every")
    p, first = row.task.size, batch.x[0]
    assert (batch.length == p).all() and batch.x.shape == (p, 2000)
    assert set(first) == {p - 1, p} and abs((first == p).mean() - 0.5) < 0.05
    assert (batch.target[-1] == first).all() and (batch.target[:-1] == batch.x[1:]).all()
    middle = batch.x[1:]
    if name == "2a":
        assert (middle == np.arange(p - 1)[:, None]).all()
    else:
        assert middle.min() == 0 and middle.max() == p - 2 and abs(middle.mean() - (p - 2) / 2) < 0.5


@pytest.mark.parametrize("name", ["2c-1", "2c-7"])
def test_task_2c(name):
    row, batch = drawn(name)
    p, q = row.task.size, row.task.lag
    e, b, x, y = p, p + 1, p + 2, p + 3
    for n in range(len(batch.length)):
        sequence = batch.x[: batch.length[n], n]
        assert sequence[0] == b and sequence[1] in (x, y) and sequence[-1] == e
        assert len(sequence) >= q + 3 and (sequence[2:-1] < p).all() and (sequence >= 0).all()
        assert batch.target[:, n].tolist() == ([1, 0] if sequence[1] == x else [0, 1])
    more = batch.length - (q + 3)
    assert more.min() == 0 and abs(more.mean() - 9) < 0.8 and abs((more == 0).mean() - 0.1) < 0.03


@pytest.mark.parametrize("name", ["3a-1", "3a-2", "3b-1", "3c-1", "3c-2"])
def test_task_3(name):
    row, batch = drawn(name)
    assert set(batch.length) == set(range(100, 111)) and batch.x.shape == (110, 1, 2000)
    assert np.abs(np.corrcoef(batch.length, batch.wanted[0])[0, 1]) < 0.1
    first, rest = batch.x[: row.task.signal, 0], batch.x[row.task.signal :, 0]
    assert abs(rest.mean()) < 0.01 and abs(rest.var() - 0.2) < 0.01
    class_1 = batch.wanted[0] == (0.2 if row.task.name == "3c" else 1)
    assert (
        set(batch.wanted[0]) == ({0.2, 0.8} if row.task.name == "3c" else {0, 1}) and abs(class_1.mean() - 0.5) < 0.05
    )
    noise = first - np.where(class_1, 1, -1)
    assert abs(noise.var() - 0.2) < 0.03 and abs(noise.mean()) < 0.03 if row.task.name == "3b" else (noise == 0).all()
    off = batch.target - batch.wanted
    assert abs(off.var() - 0.1) < 0.02 and abs(off.mean()) < 0.03 if row.task.name == "3c" else (off == 0).all()


@pytest.mark.parametrize("name", ["4-1", "4-2", "5"])
@pytest.mark.parametrize("first_pair", ["replaced", "counted", "unmarked"])
def test_tasks_4_and_5(name, first_pair):
    row, batch = drawn(name, first_pair=first_pair)
    T, neutral, seen = row.task.size, 1.0 if name == "5" else 0.0, set()
    gaps = []
    for n in range(len(batch.length)):
        values, markers = batch.x[: batch.length[n], 0, n], batch.x[: batch.length[n], 1, n]
        marked = [t for t in range(len(values)) if markers[t] == 1]
        if first_pair == "unmarked" and len(marked) == 1:
            marked.insert(0, 0)
        assert len(marked) == 2
        assert markers[0] == (-1 if 0 not in marked or first_pair == "unmarked" else 1)
        assert markers[-1] == -1 and all(markers[t] == 0 for t in range(1, len(values) - 1) if t not in marked)
        assert min(marked) < 10 and max(marked) <= T // 2 - 1
        terms = [neutral if t == 0 else values[t] for t in marked]
        if first_pair == "replaced" and 0 in marked:
            assert values[0] == neutral
        target = terms[0] * terms[1] if name == "5" else 0.5 + (terms[0] + terms[1]) / 4
        assert batch.target[0, n] == pytest.approx(target, abs=1e-12)
        seen |= set(marked)
        gaps.append(len(values) - 1 - max(marked))
    assert seen == set(range(T // 2)) and min(gaps) >= T // 2
    least = 0 if name == "5" else -1
    assert batch.x[1:, 0].min() >= least and batch.x[1:, 0].max() < 1
    assert abs(batch.x[1 : T // 2, 0].mean() - (least + 1) / 2) < 0.02
    assert set(batch.length) == set(range(T, T + T // 10 + 1))
    assert abs(np.mean([batch.x[0, 1] == 1]) - (0 if first_pair == "unmarked" else 0.1 + 0.9 / (T // 2 - 1))) < 0.03


@pytest.mark.parametrize("name, windows, classes", [("6a", [(10, 20), (50, 60)], "QRSU"),
                                                    ("6b", [(10, 20), (33, 43), (66, 76)], "QRSUVABC")])  # fmt: skip
def test_task_6(name, windows, classes):
    row, batch = drawn(name, 4000)
    order = {"6a": "XX XY YX YY", "6b": "XXX XXY XYX XYY YXX YXY YYX YYY"}[name].split()
    meaning, places = dict(zip(order, classes)), [set() for _ in windows]
    for n in range(len(batch.length)):
        sequence = "".join("EBabcdXY"[symbol] for symbol in batch.x[: batch.length[n], n])
        assert sequence[0] == "E" and sequence[-1] == "B" and set(sequence[1:-1]) <= set("abcdXY")
        marked = [t for t, symbol in enumerate(sequence, start=1) if symbol in "XY"]
        assert len(marked) == len(windows)
        for place, t in zip(places, marked):
            place.add(t)
        wanted = meaning["".join(sequence[t - 1] for t in marked)]
        assert batch.target[:, n].tolist() == [float(letter == wanted) for letter in classes]
    assert places == [set(range(low, high + 1)) for low, high in windows]
    assert set(batch.length) == set(range(100, 111))
    assert np.abs(batch.target.mean(axis=1) - 1 / len(classes)).max() < 0.03


@pytest.mark.parametrize("name", ["1-1", "2b", "2c-1", "3c-1", "5", "6a"])
def test_trials_have_different_sequences(name):
    row = lab.ROWS[name]
    three = lab.draw(row, [0, 1, 2], lab.TRAIN, 4, n=50)
    (x, length), alone = (three.x, three.length), lab.draw(row, [1], lab.TRAIN, 4, n=50)
    assert (alone.length[0] == length[1]).all() and (alone.x[..., 0, :] == x[: len(alone.x), ..., 1, :]).all()
    assert (x[: len(alone.x), ..., 0, :] != alone.x[..., 0, :]).any()
    other = lab.draw(row, [1], lab.TRAIN, 5, n=50)
    assert other.x.shape != alone.x.shape or (other.x != alone.x).any()


# ---------------------------------------------------------------------------------------- truncated gradient


def sigma(x):
    return 1 / (1 + math.exp(-x))


def as_in_the_appendix(row, p, x, target, end, rate=None, absent=(0, 0)):
    """The paper's appendix A.1 for one sequence, in loops over units, with ds/dw computed forward in time.

    p: {name: array} of a network; x: a list of input vectors; target: {step: vector}. Returns the gradient of the cost,
    {name: arrays}. With a rate, weights in p change at every step instead, except for absent biases: biases of outputs,
    and of units in the range absent.
    """
    kind, reading = row.kind, row.reading
    blocks, in_block = kind.blocks, [cell % kind.blocks for cell in range(kind.blocks * kind.per_block)]
    n, o, D, F = len(in_block), blocks if kind.output_gates else 0, kind.inputs, kind.output_gates
    units = blocks + n + o
    H, G = {"equations": (1, 2), "caption": (2, 1)}[reading.ranges]
    g = (lambda v: G * (2 * sigma(v) - 1)) if F else sigma
    slope_g = 2 * G if F else 1
    h = (lambda v: H * (2 * sigma(v) - 1)) if F else (lambda v: v)
    added = {"squared": (1, 0), "mixed": (1, 0.1), "entropy": (0, 1)}[reading.cost]  # factor of the slope, added term
    zero = {name: np.zeros_like(values) for name, values in p.items()}
    before = [0.0] * units  # outputs of the step before: input gates, cells, output gates
    s = [0.0] * n
    K = (units if F else 0) + D + (1 if F else 0)
    ds_in, ds_cell = [[0.0] * K for _ in range(n)], [[0.0] * K for _ in range(n)]
    for t in range(end):
        source = (list(before) if F else []) + list(x[t]) + ([1.0] if F else [])

        def net(u):
            weights = (list(p["R"][u]) if F else []) + [p["I"][d][u] for d in range(D)] + ([p["b"][u][0]] if F else [])
            return sum(w * v for w, v in zip(weights, source))

        y_in = [sigma(net(j)) for j in range(blocks)]
        net_cell = [net(blocks + v) for v in range(n)]
        y_out = [sigma(net(blocks + n + j)) for j in range(o)]
        for v in range(n):
            j = in_block[v]
            s[v] += y_in[j] * g(net_cell[v])
            slope_in, slope = y_in[j] * (1 - y_in[j]), slope_g * sigma(net_cell[v]) * (1 - sigma(net_cell[v]))
            for k in range(K):
                ds_in[v][k] += g(net_cell[v]) * slope_in * source[k]
                ds_cell[v][k] += y_in[j] * slope * source[k]
        y_cell = [(y_out[in_block[v]] if o else 1.0) * h(s[v]) for v in range(n)]
        if t in target:
            O = len(target[t])
            direct = [0.0 if F else sum(p["A"][d][k] * x[t][d] for d in range(D)) for k in range(O)]
            y = [sigma(sum(p["V"][k][v] * y_cell[v] for v in range(n)) + direct[k] + (p["c"][k][0] if F else 0))
                 for k in range(O)]  # fmt: skip
            e = [(target[t][k] - y[k]) * (added[0] * y[k] * (1 - y[k]) + added[1]) for k in range(O)]
            grad = {name: np.zeros_like(values) for name, values in zero.items()}
            for v in range(n):
                back = sum(p["V"][k][v] * e[k] for k in range(O))
                slope_h = 2 * H * sigma(s[v]) * (1 - sigma(s[v])) if F else 1.0
                e_s = (y_out[in_block[v]] if o else 1.0) * slope_h * back
                errors = [(in_block[v], e_s, ds_in[v]), (blocks + v, e_s, ds_cell[v])]
                if o:
                    j = in_block[v]
                    errors.append((blocks + n + j, y_out[j] * (1 - y_out[j]) * h(s[v]) * back, source))
                for u, error, by in errors:
                    for k in range(K):
                        change = -error * by[k]
                        if F and k < units:
                            grad["R"][u][k] += change
                        elif F and k == K - 1:
                            grad["b"][u][0] += change
                        else:
                            grad["I"][k - (units if F else 0)][u] += change
                for k in range(O):
                    grad["V"][k][v] -= e[k] * y_cell[v]
            for k in range(O):
                if F:
                    grad["c"][k][0] -= e[k]
                else:
                    for d in range(D):
                        grad["A"][d][k] -= e[k] * x[t][d]
            if rate and F:
                grad["b"][absent[0] : absent[1]] = grad["c"][...] = 0
            for name, values in (p if rate else zero).items():
                values += -rate * grad[name] if rate else grad[name]
        before = y_in + y_cell + y_out
    return p if rate else zero


SMALL = {"1-4": {}, "1-5": {}, "2a": {"size": 5, "inputs": 6, "outputs": 6}, "2c-1": {"size": 4, "lag": 4, "inputs": 8},
         "2b": {"size": 5, "inputs": 6, "outputs": 6},
         "2b at the end": {"size": 5, "inputs": 6, "outputs": 6, "errors": "end"}, "3a-1": {"size": 20},
         "4-1": {"size": 30}, "6a": {}, "6b": {}}  # fmt: skip


def one_sequence(name, ranges, cost):
    """A small row, a network of it with large weights, and a batch of one sequence, also as lists."""
    row = lab.changed(name.split()[0], **SMALL[name])
    row = replace(row, reading=row.reading._replace(ranges=ranges, cost=cost))
    batch = lab.draw(row, [6], lab.TRAIN, n=1)
    present = row.present
    theta = (0.4 * np.random.default_rng(2).standard_normal((1, len(present)))) * present
    net = lab.Network(row, theta.copy(), len(batch.x))
    p = {name: np.array(values[0]) for name, values in vars(net.p).items()}
    end = int(batch.length[0, 0])
    if batch.x.ndim == 3:
        x = [[float(batch.x[t, 0, 0] == d) for d in range(row.kind.inputs)] for t in range(end)]
    else:
        x = [[float(value) for value in batch.x[t, :, 0, 0]] for t in range(end)]
    if row.every_step:
        target = {t: [float(batch.target[t, 0, 0] == k) for k in range(row.kind.outputs)] for t in range(end)}
    else:
        target = {end - 1: [float(value) for value in batch.target[:, 0, 0]]}
    return row, net, batch, p, x, target, end


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("ranges, cost", [("equations", "squared"), ("caption", "squared"), ("caption", "entropy")])
def test_the_gradient_equals_a_plain_implementation_of_the_appendix(name, ranges, cost):
    row, net, batch, p, x, target, end = one_sequence(name, ranges, cost)
    lab.forward(net, batch.x)
    lab.backward(net, batch)
    wanted = as_in_the_appendix(row, p, x, target, end)
    for part, values in vars(net.d).items():
        assert np.abs(values[0] - wanted[part]).max() <= 1e-10 * max(1, np.abs(wanted[part]).max()), part
        assert np.abs(wanted[part]).max() > 1e-6, part


@pytest.mark.parametrize("name", ["1-4", "1-5", "2a", "2b"])
@pytest.mark.parametrize("ranges, cost", [("equations", "squared"), ("caption", "mixed")])
def test_updates_at_every_step_follow_the_appendix(name, ranges, cost):
    row, net, batch, p, x, target, end = one_sequence(name, ranges, cost)
    before = {part: values.copy() for part, values in p.items()}
    lab.update_at_every_step(net, batch, 0.5, row.present)
    cells = [row.kind.blocks, row.kind.blocks + row.kind.H]
    absent = cells if row.kind.biased == "gates" else [0, 0]  # cells have no biases
    wanted = as_in_the_appendix(row, p, x, target, end, 0.5, absent)
    for part, values in vars(net.p).items():
        assert np.abs(values[0] - wanted[part]).max() < 1e-10, part
        assert np.abs(wanted[part] - before[part]).max() > 1e-3 or part == "c", part


# one mutation of each term of the truncated gradient: (text in the script, what it becomes)
TERMS = {
    "slope of the outputs": ("squared * y * (1 - y) + entropy", "squared * y + entropy"),
    "what is added to the slope": ("squared * y * (1 - y) + entropy", "squared * y * (1 - y)"),
    "sign of the errors": ("return y, e, -e * slope", "return y, e, e * slope"),
    "range of h": ("from_outputs * h_range  # h_range dy_c", "from_outputs  # h_range dy_c"),
    "weights to the outputs": ("dz.transpose(2, 0, 1)), V)", "dz.transpose(2, 0, 1)), abs(V))"),
    "slope of the output gate": ("0.25 * (1 - a_out * a_out) * h * dy", "0.25 * h * dy"),
    "h in the output gate's error": ("0.25 * (1 - a_out * a_out) * h * dy", "0.25 * (1 - a_out * a_out) * dy"),
    "cells of a block": ("values[:, : kind.blocks] + values[:, kind.blocks :]", "values[:, : kind.blocks]"),
    "output gate in the state's error": ("0.25 * (1 + a_out) * (1 - h * h) * dy", "0.25 * (1 - h * h) * dy"),
    "slope of h": ("0.25 * (1 + a_out) * (1 - h * h) * dy", "0.25 * (1 + a_out) * dy"),
    "errors of later steps": ("np.cumsum(ds_now[::-1], axis=0, out=ds[:T][::-1])", "ds[:T] = ds_now"),
    "output gates and steps behind the last": ("dnet[:, blocks + H :], ds[T:], end = 0, 0, ", "end = "),
    "slope of the input gate": ("0.25 * (1 - a_in * a_in) * net.g_range", "0.25 * net.g_range"),
    "g in the input gate's error": ("(1 - a_in * a_in) * net.g_range * a_cell * ds", "(1 - a_in * a_in) * ds"),
    "input gate in the cell's error": ("0.5 * (1 + a_in) * (1 - a_cell", "0.5 * (1 - a_cell"),
    "slope of g": ("0.5 * (1 + a_in) * (1 - a_cell * a_cell) * ds", "0.5 * (1 + a_in) * ds"),
    "range of g": ("net.h_range, net.g_range / 2", "net.h_range, 1"),
    "range of g in the input gate's error": ("net.g_range * a_cell * ds)  #", "2 * a_cell * ds)  #"),

    "cell outputs": ("sum_of_products(dz, y_cell) * (0.5 * h_range)", "sum_of_products(dz, y_cell) * 0.5"),

    "recurrent weights": ("* (0.5 * net.unit_range)  # dR", "* 0.5  # dR"),
    "weights of symbols": ("np.bincount(index, dnet[:, u]", "np.bincount(index, dnet[:, 0]"),
    "weights of values": ("dnet * x[:, None, k, :, 0]", "dnet * x[:, None, 0, :, 0]"),
    "task 2: slope of the input gate": ("0.5 * (1 - a_in * a_in) * (0.25", "0.5 * (0.25"),
    "task 2: g in the input gate's error": ("* (0.25 * (1 + a_cell)) * ds", "* 0.25 * ds"),
    "task 2: input gate in the cell's error": ("0.125 * (1 + a_in) * (1 - a_cell", "0.125 * (1 - a_cell"),
    "task 2: slope of g": ("0.125 * (1 + a_in) * (1 - a_cell * a_cell) * ds", "0.125 * (1 + a_in) * ds"),
    "task 2: errors of later steps": ("ds = np.cumsum(weighted_by(dz, net.p.V)[::-1], axis=0)[::-1]",
                                      "ds = weighted_by(dz, net.p.V)"),
    "task 2: weights to the outputs": ("d.V[...] = sum_of_products(dz, s)", "d.V[...] = sum_of_products(dz, 0 * s)"),
    "task 2: direct weights": ("d.A[net.trials, x_t] += dz_t.T", "d.A[net.trials, x_t] = dz_t.T"),
    "task 2: traces of direct weights": ("    d.A[...] = 0\n", ""),
    "full: into cells": ("(from_outputs[t] + dy[blocks : blocks + H])", "from_outputs[t]"),
    "full: into input gates": (" + slope_in[:blocks] * dy[:blocks]", ""),
    "full: into output gates": (" + slope_out[:blocks] * dy[blocks + H :]", ""),
    "full: state to state": ("ds = ds + 0.25 * (1 + a_out)", "ds = 0.25 * (1 + a_out)"),
    "full: where errors start": ("1 if row.every_step else net.step_numbers[:T] == end", "np.ones((T, 1, 1))"),
    "full: recurrent weights": ("net.p.R.transpose(0, 2, 1)\n", "net.p.R\n"),
}  # fmt: skip


def test_the_gradient_check_passes(call):
    done = call("lstm_1997.py", "--gradcheck")
    lines = done.stdout.splitlines()
    assert (
        done.returncode == 0 and len(lines) == 3 * len(lab.CHECKED) + 6 and all(line.endswith(": ok") for line in lines)
    )
    assert max(float(re.search(r"error (\S+)", line)[1]) for line in lines) <= 1e-7


CHANGING = ast.Expr, ast.AugAssign  # statements that change existing values


def broken_sources():
    """Sources of the script, each without one statement of the backward pass: (which, source)."""
    source = (ROOT / "lstm_1997.py").read_text()
    lines = source.splitlines()
    names = "backward", "gradient_of_inputs", "dnet_of_all_steps", "backward_task_2"
    for function in (node for node in ast.parse(source).body if getattr(node, "name", "") in names):
        for node in ast.walk(function):
            places = node.targets if isinstance(node, ast.Assign) else []
            if (
                isinstance(node, CHANGING)
                and not isinstance(node.value, ast.Constant)
                or any(isinstance(place, ast.Subscript) for place in places)
            ):
                changed = [*lines[: node.lineno - 1], " " * node.col_offset + "pass", *lines[node.end_lineno :]]
                yield f"{function.name}: {lines[node.lineno - 1].strip()[:40]}", "\n".join(changed)


def fails(source):
    """Whether the gradient check of a broken script fails."""
    broken = load("lstm_1997.py", source)
    broken.CHECKED_READINGS = [("mixed", "caption", gradient) for gradient in ("truncated", "full")]
    broken.CHECKED = {kind: broken.CHECKED[kind] for kind in ("1, blocks of 2", "2b", "2b, at the end", "4")}
    with np.errstate(all="ignore"):
        return broken.gradient_check() == 1


BROKEN = dict(broken_sources())


@pytest.mark.parametrize("which", BROKEN)
def test_the_gradient_check_fails_without_any_one_statement(which):
    assert fails(BROKEN[which])


@pytest.mark.parametrize("term", TERMS)
def test_the_gradient_check_fails_without_any_one_term(term):
    source, (text, becomes) = (ROOT / "lstm_1997.py").read_text(), TERMS[term]
    assert source.count(text) >= 1, text
    assert fails(source.replace(text, becomes, 1))


# ----------------------------------------------------------------------------------------------------- rules


def test_every_row_has_one_figure_of_the_paper_for_each_rule():
    for row in ROWS:
        task, paper = row.task.name, row.paper
        assert len(lab.RULES[task]) == len(paper.sequences) == len(paper.wrong)
        assert (task in lab.TESTS) == (task[0] in "123") and (task == "1") == (task not in lab.TOLERANCE)
        assert lab.parse_options(["--task", row.name])[0].steps == 5 * paper.sequences[-1]


@pytest.mark.parametrize("name", ["1-5", "2a", "2b", "2c-1", "3c-1", "4-1", "6a"])
def test_judging_equals_a_plain_judge(name):
    row = lab.ROWS[name]
    row = row if row.kind.output_gates else lab.changed(name, 6, inputs=7, outputs=7)
    task, outputs, batch = row.task.name, row.kind.outputs, lab.draw(row, [0, 1], lab.TEST, n=6)
    rng, tolerance = np.random.default_rng(0), lab.TOLERANCE.get(task)
    y = rng.uniform(0, 1, (len(batch.x) if row.every_step else 1, outputs, 2, 6))
    for s, b in [(0, 0), (1, 3), (1, 4)]:  # some answers that are only just right
        if row.every_step:
            for t in range(int(batch.length[s, b])):
                y[t, :, s, b] = 0.9 * tolerance if tolerance else 0.1
                y[t, batch.target[t, s, b], s, b] = 1 - 0.9 * tolerance if tolerance else 0.9
                if task == "1":
                    y[t, batch.legal[t, :, s, b], s, b] = 0.9
        else:
            y[0, :, s, b] = batch.wanted[:, s, b] + 0.9 * tolerance
    wrong, error, square = lab.judge(row, y, lab.errors(row, y, batch), batch)
    assert not wrong[0, 0] and not wrong[1, 3] and wrong.any()
    for s, b in np.ndindex(2, 6):
        T = int(batch.length[s, b])
        if row.every_step:
            off = [[float(k == batch.target[t, s, b]) - y[t, k, s, b] for k in range(outputs)] for t in range(T)]
        else:
            off = [[batch.wanted[k, s, b] - y[0, k, s, b] for k in range(outputs)]]
        if task == "1":
            expected = any(
                min(y[t, k, s, b] for k in range(7) if batch.legal[t, k, s, b])
                <= max(y[t, k, s, b] for k in range(7) if not batch.legal[t, k, s, b])
                for t in range(T)
            )
        else:
            heeded = off[-1:] if task == "2b" else off
            expected = max(abs(value) for step in heeded for value in step) >= tolerance
        assert wrong[s, b] == expected
        values = [value for step in off for value in step]
        assert error[s, b] == pytest.approx(np.mean(np.abs(values))) and square[s, b] == pytest.approx(
            np.mean(np.square(values))
        )


@pytest.fixture
def small(monkeypatch):
    """The script with short windows and chunks, in which some trials meet their rules within a hundred sequences."""
    for name, value in {"WINDOW": 8, "CHUNK": 10, "STEADY": 10, "TEST_EVERY": 10, "SIFTED": 4}.items():
        monkeypatch.setattr(lab, name, value)
    rules = {"1": [lab.Rule(512)], "2c": [lab.Rule(501)], "3a": [lab.Rule(41), lab.Rule(41, 0.5)],
             "4": [lab.Rule(6, 0.15)], "6a": [lab.Rule(8, 0.38)]}  # fmt: skip
    monkeypatch.setattr(lab, "RULES", lab.RULES | rules)
    monkeypatch.setattr(lab, "TESTS", lab.TESTS | {"2c": 20, "2b": 20, "3a": 40})
    for name in "2a", "2b":
        row = lab.ROWS[name]
        kind = replace(row.kind, inputs=7, outputs=7)
        monkeypatch.setitem(lab.ROWS, name, replace(row, task=row.task._replace(size=6), kind=kind))
    return lab


def run(folder, *arguments, **options):
    """A run in this process. Returns the part of results.json for its row, and the final parameters (S, P)."""
    words = " ".join(map(str, arguments)).split()
    words += ["--eval-every", "20", "--snapshot-every", "20", "--eval-n", "30", "--out", str(folder), "--force"]
    assert lab.main(words, **options) == 0
    ((found),) = json.loads((folder / "results.json").read_text())["runs"].values()
    with np.load(folder / "snapshots.npz") as file:
        weights = [file[name].reshape(len(file[name]), -1) for name in file if "/weights/" in name]
    return found, np.concatenate(weights, axis=1)


KINDS = ["1-5", "1-4 --update step --recurrence in-from-gates --output-bias", "2a --update step --cell first", "2a",
         "2b", "2b --errors end", "2c-1 --recurrence gates", "3a-1", "4-1", "6a", "6b --dtype float32"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_alone_and_among_thirty_is_the_same_to_the_bit(kind, small, tmp_path):
    found, thirty = run(tmp_path, "--steps 60 --trials 0-29 --task", kind)
    assert np.isfinite(thirty).all() and len({theta.tobytes() for theta in thirty}) == 30
    for trial in (0, 7, 29):
        mine, alone = run(tmp_path, "--steps 60 --task", kind, "--trials", trial)
        assert alone.tobytes() == thirty[[trial]].tobytes()
        for rule, of_all in zip(mine["rules"], found["rules"]):
            assert rule["sequences"] == of_all["sequences"][trial : trial + 1]


def test_trials_are_frozen_when_they_meet_their_last_rule(small, tmp_path, monkeypatch):
    """Compare with rules that plain loops apply to the errors of every sequence."""
    seen, real_update = [], lab.update

    def update(net, *arguments):
        y, e = real_update(net, *arguments)
        seen.append(np.abs(e[0]))
        return y, e

    monkeypatch.setattr(lab, "update", update)
    found, _ = run(tmp_path, "--steps 55 --trials 0-5 --task 4-1")
    active, off, expected = list(range(6)), [[] for _ in range(6)], [None] * 6
    for step, errors in enumerate(seen, start=1):
        assert errors.shape == (1, len(active))
        for k, error in zip(list(active), errors[0]):
            off[k].append(error)
            last = off[k][-8:]
            if len(last) == 8 and sum(value >= 0.04 for value in last) < 6 and np.mean(last) < 0.15:
                expected[k] = step
                active.remove(k)
    assert found["rules"][0]["sequences"] == expected and 1 < len(set(expected)) and None in expected
    assert found["sequences_seen"] == [at or 55 for at in expected]


def test_a_network_that_has_failed_gets_no_further_part_of_a_test(small, monkeypatch):
    """Trial 0 errs among the first sequences, trial 1 later, trial 2 never; trial 3 may have four wrong answers."""
    monkeypatch.setattr(lab, "TESTS", lab.TESTS | {"2c": 40})
    tested = []

    def examine(row, theta, batch):
        part, n = len(tested), batch.length.shape[1]
        tested.append((theta[:, 0].tolist(), batch.length.shape))
        wrong = np.zeros((len(theta), n), bool)
        for k, trial in enumerate(theta[:, 0]):
            wrong[k, :3] = (trial, part) in ((0, 0), (1, 2), (3, 0))
        return wrong, np.full(wrong.shape, 0.25), None

    monkeypatch.setattr(lab, "examine", examine)
    wrong, n, error = lab.test(lab.ROWS["2c-1"], np.arange(4.0)[:, None], [4, 5, 6, 7], 7, np.array([1, 1, 1, 5]))
    assert wrong.tolist() == [3, 3, 0, 3] and n.tolist() == [4, 20, 40, 40] and (error == 0.25).all()
    assert tested == [([0, 1, 2, 3], (4, 4)), ([1, 2, 3], (3, 6)), ([1, 2, 3], (3, 10)), ([2, 3], (2, 10)),
                      ([2, 3], (2, 10))]  # fmt: skip


@pytest.mark.parametrize("name", ["1-5", "2a", "2b", "2c-1", "3a-1"])
def test_parts_of_a_test_make_the_whole_test(name, small):
    """A network that may err in every answer gets all sequences of the test, each once."""
    row = lab.ROWS[name]
    theta = 3 * lab.init_theta(row, [0, 11], np.float64)
    if name[0] == "1":
        whole = [lab.symbols_to_predict(np.concatenate(lab.sets_of(trial)), row) for trial in (0, 11)]
    elif name == "2a":
        whole = [lab.symbols_to_predict(np.array([[5, *range(5), 5], [6, *range(5), 6]]), row)] * 2
    elif name == "3a-1":
        whole = [lab.make_batch(lab.stream(trial, lab.TEST), 40, row) for trial in (0, 11)]
    else:
        parts = [[lab.make_batch(lab.stream(trial, lab.TEST, 3, k), 10, row) for k in range(2)] for trial in (0, 11)]
        whole = [joined(*of) for of in parts]
    judged = lab.examine(row, theta, lab.side_by_side(whole))
    wrong, n, error = lab.test(row, theta, [0, 11], 3, np.array([999, 999]))
    assert n.tolist() == [judged[0].shape[1]] * 2 and wrong.tolist() == judged[0].sum(axis=1).tolist()
    assert np.allclose(error, judged[1].mean(axis=1), rtol=1e-12)


def joined(*batches):
    """Sequences of two batches as one batch. Inputs of shorter sequences are padded."""
    T, arrays = max(len(batch.x) for batch in batches), {}
    for name in vars(batches[0]):
        each = [vars(batch)[name] for batch in batches]
        if name == "x":
            each = [np.pad(x, [(0, T - len(x)), (0, 0)]) for x in each]
        arrays[name] = np.concatenate(each, axis=-1)
    return SimpleNamespace(**arrays)


def test_both_rules_of_a_row_are_met_in_turn(small, tmp_path):
    found, _ = run(tmp_path, "--steps 400 --trials 0-3 --task 3a-1")
    first, second = (rule["sequences"] for rule in found["rules"])
    assert all(a is not None for a in first) and all(b is None or a <= b for a, b in zip(first, second))
    assert all(at % 10 == 0 for at in first)


def test_a_small_row_is_learned_from_end_to_end(tmp_path, monkeypatch):
    row = lab.ROWS["3a-1"]
    row = replace(row, task=row.task._replace(size=10))
    monkeypatch.setitem(lab.ROWS, "3a-1", row)
    found, theta = run(tmp_path, "--steps 6000 --trials 0-4 --ranges caption --task 3a-1")
    assert all(n is not None for rule in found["rules"] for n in rule["sequences"])
    assert max(found["final"]["wrong"]) <= 1 and max(found["final"]["mean_error"]) < 0.02
    assert found["final"]["wrong"] == found["rules"][-1]["wrong"] and max(found["history"]["wrong"][-1]) == 0
    batch = lab.draw(row, [0], lab.EVAL, n=50)
    p = {name: np.array(values[0]) for name, values in vars(lab.views(theta, row.kind.shapes)).items()}
    row = replace(row, reading=row.reading._replace(cost="entropy", ranges="caption"))
    for b in range(50):  # answers of the trained network, from the plain implementation
        end = int(batch.length[0, b])
        x = [[float(value) for value in batch.x[t, :, 0, b]] for t in range(end)]
        wanted = float(batch.target[0, 0, b])
        gradient = as_in_the_appendix(row, p, x, {end - 1: [wanted]}, end)
        assert abs(gradient["c"][0][0]) < 0.2  # minus the error


@pytest.mark.parametrize("name", ["6a", "1-5"])
def test_a_diverging_trial_is_frozen_and_the_others_continue(name, small, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "RULES", lab.RULES | {"6a": [lab.Rule(0)], "1": [lab.Rule(1)]})
    _, others = run(tmp_path, "--steps 40 --trials 0,2 --task", name)
    real = lab.initial_state

    def spoiled(*arguments):
        state = real(*arguments)
        state.theta[1] = np.nan
        return state

    monkeypatch.setattr(lab, "initial_state", spoiled)
    found, theta = run(tmp_path, "--steps 40 --trials 0-2 --task", name)
    assert found["diverged_at_step"] == [None, 10, None] and found["sequences_seen"] == [40, 10, 40]
    assert [value is None for value in found["final"]["wrong"]] == [False, True, False]
    assert [values[1] for values in found["history"]["wrong"][1:]] == [1, 1], "NaN counts as wrong"
    assert theta[[0, 2]].tobytes() == others.tobytes()


# ------------------------------------------------------------------------------------ folders and what they hold


def outcome(folder):
    """The part of a run's files that must not depend on interruptions."""
    text = (folder / "results.json").read_text().replace(str(folder), "")
    text = re.sub(r'"wall_clock_s": [^,]*,', "", text)
    arrays = {name: array.tobytes() for name, array in np.load(folder / "snapshots.npz").items()}
    return json.loads(text) | {"environment": None}, arrays


def rebuilt(x, w, blocks, h_range, g_range):
    """The values of a network with recorded weights w at each step of a sequence x (T, D), in loops over units."""
    H, gated = w["V"].shape[1], "R" in w
    units = len(w["R"]) if gated else 2
    y_before, s, steps = np.zeros(units), np.zeros(H), []
    for x_t in x:
        net = [sum(w["I"][d, u] * x_t[d] for d in np.nonzero(x_t)[0]) for u in range(units)]
        if gated:
            net = [net[u] + w["b"][u, 0] + sum(w["R"][u, v] * y_before[v] for v in range(units)) for u in range(units)]
        y_in, y_out = [sigma(z) for z in net[:blocks]], [sigma(z) for z in net[blocks + H :]]
        y_cell = []
        for n in range(H):
            g = g_range * math.tanh(net[blocks + n] / 2) if gated else sigma(net[blocks + n])
            s[n] += y_in[n % blocks] * g
            y_cell.append(y_out[n % blocks] * h_range * math.tanh(s[n] / 2) if gated else s[n])
        y_before = [*y_in, *y_cell, *y_out]
        z = w["V"] @ y_cell + (w["c"][:, 0] if gated else x_t @ w["A"])
        steps.append({"in_gate": y_in, "out_gate": y_out, "s": s.copy(), "y_cell": np.array(y_cell) / h_range,
                      "output": [sigma(value) for value in z]})  # fmt: skip
    return steps


@pytest.mark.parametrize("task", ["1-4", "1-5", "2a", "2b", "2c-1", "3a-1", "4-1", "4-1 --ranges equations",
                                  "6a --record 5", "6b"])  # fmt: skip
def test_weights_rebuild_the_recorded_outputs(task, tmp_path):
    run(tmp_path, "--steps 20 --lr 0.3 --trials 4,5 --task", task)
    results, arrays = json.loads((tmp_path / "results.json").read_text()), dict(np.load(tmp_path / "snapshots.npz"))
    config, name = results["config"], task.split()[0]
    h_range, g_range = {"equations": (1, 2), "caption": (2, 1)}[config["ranges"]]
    arrays = {key.removeprefix(f"{name}/"): array for key, array in arrays.items()}
    trial = results["seeds"].index(config["record"])
    weights = {key.removeprefix("weights/"): a[trial] for key, a in arrays.items() if key.startswith("weights/")}
    assert arrays["step"][-1] == results["runs"][name]["sequences_seen"][trial], (
        "the last snapshot has the final weights"
    )
    for k, length in enumerate(arrays["length"][:2]):
        x = arrays["x"][:length, ..., k]
        x = np.eye(len(weights["I"]))[x] if x.ndim == 1 else x
        blocks, T = arrays["in_gate"].shape[2], len(x)
        steps = rebuilt(x, weights, blocks, h_range if "R" in weights else 1, g_range)
        for key in {"in_gate", "out_gate", "s", "y_cell"} & arrays.keys():
            assert np.allclose(arrays[key][-1, :T, :, k], [step[key] for step in steps], atol=2e-3, rtol=1e-3), key
        wanted = [step["output"] for step in steps]
        output = arrays["output"][-1, ..., k]
        assert np.allclose(output[:T], wanted if len(output) > 1 else wanted[-1:], atol=1e-3)


class Killed(BaseException):
    """An exception in place of a kill. The script does not catch it."""


@pytest.mark.parametrize("kind", ["6a --recurrence gates", "3a-1", "2a --update step", "1-5"])
def test_a_killed_run_resumes_with_the_same_results(kind, small, tmp_path, monkeypatch):
    clock = iter(range(10**9))
    monkeypatch.setattr(lab, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    words = f"--steps 100 --trials 0-5 --eval-every 20 --snapshot-every 20 --eval-n 30 --task {kind}".split()
    assert lab.main([*words, "--out", str(tmp_path / "whole")]) == 0
    real_save, saves = lab.save_checkpoint, []

    def save_and_die(out, tree):
        real_save(out, tree)
        saves.append(out)
        if len(saves) in (2, 3):
            raise Killed

    monkeypatch.setattr(lab, "save_checkpoint", save_and_die)
    killed = [*words, "--out", str(tmp_path / "killed")]
    for again in [], ["--resume"]:
        with pytest.raises(Killed):
            lab.main([*killed, *again])
        assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint.npz"]
    (tmp_path / "killed" / ".checkpoint.npz").write_text("half a file, which a kill left")
    assert lab.main([*killed, "--resume"]) == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["results.json", "snapshots.npz"]


def test_an_interrupted_run_resumes_with_the_same_results(tmp_path):
    words = "--steps 3000 --trials 0,1 --eval-every 100 --snapshot-every 500 --eval-n 30 --task 6a --out".split()
    command = [sys.executable, str(ROOT / "lstm_1997.py"), *words]
    process = subprocess.Popen([*command, str(tmp_path / "stopped")], stderr=subprocess.PIPE, text=True,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    while not (tmp_path / "stopped" / "checkpoint.npz").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "--resume the same command goes on" in process.communicate()[1] and process.returncode == 1
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["checkpoint.npz"]
    assert lab.main([*words, str(tmp_path / "stopped"), "--resume"]) == 0
    assert lab.main([*words, str(tmp_path / "whole")]) == 0
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_another_setting_does_not_resume(small, tmp_path, capsys):
    words = "--steps 20 --trials 0 --eval-every 5 --snapshot-every 20 --out".split() + [str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        clock = iter(range(10**9))
        patch.setattr(lab, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        patch.setattr(lab, "apply_rules", lambda *_: (tmp_path / "checkpoint.npz").exists() and 1 / 0)
        with pytest.raises(ZeroDivisionError):
            lab.main(words)
    for spoil, said in (
        (lambda: None, "was made with --lr 0.5"),
        (
            lambda: (tmp_path / "checkpoint.npz").write_text("x"),
            "is damaged, or not a checkpoint",
        ),
    ):
        spoil()
        with pytest.raises(SystemExit) as stop:
            lab.main([*words, "--lr", "0.1", "--resume"])
        assert stop.value.code == 2 and said in capsys.readouterr().err.splitlines()[-1]


def test_resuming_a_finished_run_does_nothing(small, tmp_path, capsys):
    words = "--steps 20 --trials 0,1 --eval-every 10 --snapshot-every 10 --eval-n 30 --out".split() + [str(tmp_path)]
    assert lab.main([*words, "--resume"]) == 0, "without a checkpoint the run starts"
    before = outcome(tmp_path)
    (tmp_path / "checkpoint.npz").write_text("which a kill left after results.json")
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "run", None)
        assert lab.main([*words, "--resume"]) == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 1 and "finished" in said and outcome(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "snapshots.npz"]
    with pytest.raises(SystemExit) as stop:
        lab.main([*words, "--resume", "--lr", "0.1"])
    assert stop.value.code == 2 and "--force" in capsys.readouterr().err.splitlines()[-1]


def test_a_run_writes_the_specified_files(quick):
    folder = quick("lstm_1997.py") / "run"
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((folder / "results.json").read_text())
    assert list(results) == ["schema", "experiment", "command", "config", "environment", "seeds", "runs"]
    assert results["command"] == "python3 lstm_1997.py --quick --seeds 4,0,9 --out run"
    assert results["seeds"] == [4, 0, 9] and results["config"]["record"] == 4 and results["config"]["steps"] == 1000
    found = results["runs"]["6a"]
    assert found["sequences_seen"] == [1000] * 3 and found["history"]["step"] == list(range(0, 1001, 100))
    with np.load(folder / "snapshots.npz") as file:
        assert file["6a/step"].tolist() == list(range(0, 1001, 100))
        assert {file[name].shape[0] for name in file if "/weights/" in name} == {3}


def test_a_run_records_the_requested_trial(small, tmp_path):
    run(tmp_path / "first", "--steps 60 --trials 3 --task 6a")
    run(tmp_path / "mine", "--steps 60 --trials 0,3 --record 3 --task 6a")
    with np.load(tmp_path / "first" / "snapshots.npz") as a, np.load(tmp_path / "mine" / "snapshots.npz") as b:
        assert set(a) == set(b)
        assert all(a[key].tobytes() == b[key].tobytes() for key in a if "/weights/" not in key)


def test_watch_adds_to_the_history_and_changes_nothing(small, tmp_path):
    plain, theta = run(tmp_path, "--steps 60 --trials 0,1 --task 6a")
    watched, same = run(tmp_path, "--steps 60 --trials 0,1 --task 6a", watch=lambda row, theta: {"seen": theta[:, 0]})
    seen = watched["history"].pop("seen")
    assert theta.tobytes() == same.tobytes() and watched["history"] == plain["history"]
    assert np.allclose(seen[-1], theta[:, 0], rtol=1e-5) and len(seen) == len(plain["history"]["step"])


def test_the_study_measures_trained_networks(small, tmp_path):
    lab_of_study, study.lab = study.lab, lab
    try:
        for task in "6a", "1-5", "1-5 --errors end", "2b --errors end":
            _, theta = run(tmp_path, "--steps 60 --trials 0-2 --task", task)
            options = options_of(lab, "--task", *task.split(), "--trials", "0-2", "--eval-n", 30)
            measures = study.measure(options, task.split()[0], theta)["measures"]
            assert measures["state"].shape == (3,) and (measures["state"] > 0).all()
            alone = study.measure(
                options_of(lab, "--task", *task.split(), "--trials", 2, "--eval-n", 30), "", theta[2:]
            )
            for name, values in measures.items():
                assert values[2] == alone["measures"][name][0] and (values[0] != values[1] or name.endswith("wrong"))
            if task[0] == "1":
                assert set(measures) == {"state", "memory_wrong", "grammar_wrong"}
            assert ({"in_gate_marked", "in_gate_elsewhere"} <= set(measures)) is (task == "6a")
    finally:
        study.lab = lab_of_study


def test_means_of_input_gates_equal_plain_loops(tmp_path):
    options = options_of(lab, "--trials", "5", "--eval-n", 20)
    theta = 2 * np.random.default_rng(0).standard_normal((1, lab.ROWS["6a"].kind.weights))
    row = lab.ROWS["6a"]
    batch = lab.draw(row, [5], lab.EVAL, n=20)
    net = lab.Network(row, theta, len(batch.x), 20)
    lab.forward(net, batch.x)
    best = []
    for block in range(2):
        at, off = [], []
        for n in range(20):
            for t in range(batch.length[0, n]):
                (at if batch.x[t, 0, n] >= 6 else off).append(0.5 + 0.5 * net.a[t, block, 0, n])
        assert len(at) == 2 * 20
        best.append((np.mean(at) - np.mean(off), np.mean(at), np.mean(off)))
    measures = study.measure(options, "6a", theta)["measures"]
    assert np.allclose([measures["in_gate_marked"][0], measures["in_gate_elsewhere"][0]], max(best)[1:])


# --------------------------------------------------------------------------------------------- command line

BAD = (
    ("--task 7", "7"), ("--task 6", "6"), ("--seeds 0,1,0", "twice"), ("--seeds 3-1", "parse"), ("--trials ,", "parse"),
    ("--steps 0", "at least 1"), ("--eval-n 0", "at least 1"), ("--steps 9 --eval-every 10", "the 9 steps"),
    ("--lr 0", "above 0"), ("--lr nan", "above 0"), ("--cost absolute", "absolute"), ("--ranges text", "text"),
    ("--update step", "no effect on task 6a"), ("--test-every 50", "no effect on task 6a"),
    ("--task 2a --recurrence none", "no effect on task 2a"), ("--task 2b --output-bias", "no effect on task 2b"),
    ("--task 2c-1 --input-biases=-1,-2", "no effect on task 2c"), ("--input-biases=-1,x", "nor random"),
    ("--output-biases=-1,-2,-3", "row 6a has 2 blocks"), ("--recurrence some", "some"),
    ("--strings drawn", "--strings"),
    ("--task 2c-1 --cell first", "no effect on task 2c"), ("--task 2a --errors end", "no effect on task 2a"),
    ("--first-pair counted", "no effect on task 6a"), ("--record 40", "not one of the seeds"),
    ("--dtype int8", "int8"), ("--stepz 5", "--stepz"), ("--task 2b --ranges caption", "no effect on task 2b"),
    ("--task 2b --update step --errors end", "errors at every step"), ("--gradient full --task 2a", "gates that recur"),
    ("--gradient full --task 1-1 --update step", "--update sequence"),
    ("--out=", "a folder is wanted"), ("--out FILE/run", "cannot write"),
)  # fmt: skip


@pytest.mark.parametrize("arguments, words", BAD, ids=[bad[0] for bad in BAD])
def test_bad_input_is_one_line_and_status_2(arguments, words, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stopped:
        lab.main(arguments.replace("FILE", str(tmp_path / "file")).split())
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_the_docstring_shows_what_the_headline_prints(capsys):
    results = json.loads((ROOT / "results" / "lstm_1997" / "6a" / "results.json").read_text())
    assert results["command"] == "python3 lstm_1997.py"
    lab.print_summary(results)
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(lines) == 2 and all(line in lab.__doc__ for line in lines)


def test_only_the_bare_command_writes_the_headline():
    def out(*words):
        return options_of(lab, *words).out

    assert (
        out() == out("--task", "6a") == out("--trials", "0-29", "--lr", 0.5) == lab.HEADLINE == "results/lstm_1997/6a"
    )
    assert out("--task", "4-1") == "runs/lstm_1997/task-4-1" and out("--quick") == "runs/lstm_1997/quick"
    assert out("--task", "1-5", "--update", "step", "--seeds", 3) == "runs/lstm_1997/task-1-5-seeds-3-update-step"
    assert out("--lr", 0.1) == "runs/lstm_1997/lr-0.1" and out("--task", "2a", "--out", "x") == "x"


def test_the_first_line_says_what_runs(tmp_path, capsys):
    run(tmp_path, "--steps 120 --trials 0,3 --task 3a-1 --lr 0.5")
    out = capsys.readouterr().out
    first = out.splitlines()[0]
    assert first.startswith("lstm_1997.py: row 3a-1, ") and first.endswith(f"writes {tmp_path}")
    assert "--seeds 0,3" in first and "--lr 0.5" in first
    assert re.search(r"^estimated time: \d+ s", out, flags=re.MULTILINE)


def test_another_run_is_replaced_only_by_force(small, tmp_path, capsys):
    words = "--steps 20 --trials 0 --eval-every 10 --snapshot-every 10 --eval-n 30 --out".split() + [str(tmp_path)]
    assert lab.main(words) == 0 == lab.main(words), "the same command needs no --force"
    with pytest.raises(SystemExit) as stop:
        lab.main([*words, "--lr", "0.1"])
    assert stop.value.code == 2 and "--force" in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "measures.json").write_text("of the first run")
    assert lab.main([*words, "--lr", "0.1", "--force"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "snapshots.npz"]


# ------------------------------------------------------------------------------------------------- pictures


SCRIPTS = "visualize/lstm_1997.py", "make_gifs/lstm_1997.py"


@pytest.mark.parametrize("name", ["6a", "1-5", "2a", "4-1"])
def test_a_run_is_drawn(name, small, tmp_path, call):
    run(tmp_path / "run", "--steps 40 --trials 3,1 --task", name)
    made = []
    for _ in range(2 if name == "6a" else 1):
        for script in SCRIPTS:
            done = call(script, "--run", tmp_path / "run")
            assert done.returncode == 0, done.stderr
        made.append({path.name: path.read_bytes() for path in (tmp_path / "run" / "viz").iterdir()})
    pictures = {"learning_curves.png", "gates_and_states.png", "lstm_1997.gif"}
    assert set(made[0]) == pictures | ({"task.png"} if name == "6a" else set())
    assert made[0] == made[-1], "every byte is equal"


def test_frames_follow_the_changes():
    gif = load("make_gifs/lstm_1997.py")
    moved = np.array([0, 0, 0, 1, 1, 0, 0])  # from each of eight snapshots to the next
    assert list(gif.where_it_changes(moved, 3)) == [0, 4, 5, 7]
    assert list(gif.where_it_changes(moved, 60)) == [0, 4, 5, 7]
    assert list(gif.where_it_changes(np.array([]), 60)) == [0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_renderers_name_the_rank_of_the_recorded_trial(script):
    module = load(script)
    assert [module.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 30)] == (
        "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 30th".split()
    )
    results, run = {"seeds": [5, 8, 9], "recorded": 1}, {"rules": [{}, {"sequences": [30, 2000, None]}]}
    assert module.standing(results, run) == "trial 8, the 2nd of 3 trials by sequences to the rule (2,000)"
    assert "trial 9, which did not meet" in module.standing(results | {"recorded": 2}, run)


def made_up(name, k, ratio, wrong, rng):
    """A run of a row: k of 30 trials meet all rules, near a ratio to the paper's mean. wrong: their wrong answers."""
    rules = []
    for goal in study.paper()[name]["sequences"]:
        tests = {"sequences": rng.normal(ratio * goal, goal / 10, 30), "wrong": rng.poisson(wrong, 30)}
        rules.append({key: [*values[:k], *[None] * (30 - k)] for key, values in tests.items()})
    return {"rules": rules, "cap": 5 * study.paper()[name]["sequences"][-1]}


def test_the_picture_of_all_rows_has_the_intervals_and_verdicts_of_the_table():
    module, rng, seen = load("visualize/lstm_1997.py"), np.random.default_rng(0), set()
    assert (study.ENOUGH, study.FEW) == (module.SOLVED, module.FEW) and study.TASK_WORDS == module.TASKS
    assert list(study.COLUMN_WORDS) == list(module.COLUMNS)
    values = rng.normal(size=30)
    assert tuple(module.interval(values)) == report.bootstrap(values)
    for name, k, ratio in itertools.product(("1-1", "3b-1", "6a"), (0, 4, 26, 27, 30), (0.5, 1, 2)):
        run, stated = made_up(name, k, ratio, 20, rng), study.paper()[name]
        for rule in range(len(stated["sequences"])):
            theirs, interval = study.ratio_interval(run, name, rule)
            ours, found = module.ratio_interval(run, stated, rule)
            assert ours == theirs and (tuple(found) if k >= study.FEW else found) == interval
            seen.add(module.verdict(run, stated, rule))
            assert module.verdict(run, stated, rule) == study.verdict(run, name, rule)
    assert {speed for speed, _ in seen} == {"agrees", "faster", "slower", "fails"} and ("agrees", True) in seen


def test_the_picture_of_all_rows_names_what_is_shared_and_what_has_not_finished():
    module, columns = load("visualize/lstm_1997.py"), {}
    done = {"seeds": list(range(200, 230)), "runs": {"6a": made_up("6a", 30, 1, 0, np.random.default_rng(0))}}
    for column in module.COLUMNS:
        planned = [name for name in lab.ROWS if study.place_of(column, name)]
        columns[column] = dict.fromkeys(planned) | {"6a": done}
    with plt.rc_context():
        plt.style.use(ROOT / "visualize" / "lab.mplstyle")
        figure = module.summary(columns, study.paper())
    words = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert ["as in (a)" in some for some in words] == [False, True, True]
    assert all("not finished" in some for some in words)
    assert ["not run" in some for some in words] == [True, True, False]
    assert figure.texts[0].get_text().count("1 of 1") == 3
    plt.close(figure)


def test_the_picture_of_states_has_the_steps_and_rows_of_the_study():
    module = load("visualize/lstm_1997.py")
    assert module.LAGS == {name: lab.ROWS[name].task.lag for name in study.LAGS}
    assert list(module.RECEIVERS) == list(study.RECURRENT) and module.GROWTH == study.GROWTH
    assert all(list(study.steps_of(lab.ROWS[name])) == list(module.steps_of(lag)) for name, lag in module.LAGS.items())


def test_growth_is_over_the_lag_distractors_per_symbol_and_steps():
    quantities = {
        "lag": lambda task: task.lag if task.lag == task.size else None,
        "repeats": lambda task: task.lag / task.size if task.lag == 1000 else None,
        "adding": lambda task: task.size,
    }
    for kind, (sizes, column) in study.GROWTH.items():
        assert sizes == {name: quantities[kind](lab.ROWS[name].task) for name in sizes}
        assert all(column == study.best_column(name) for name in sizes)
    sizes = [50, 100, 200, 500]
    assert study.exponent(sizes, [3 * size**0.25 for size in sizes]) == pytest.approx(0.25)


@pytest.mark.parametrize("script", SCRIPTS)
def test_renderers_say_what_is_wrong(script, tmp_path, call):
    done = call(script, "--run", tmp_path)
    assert done.returncode == 1 and "is missing; to make it" in done.stderr and len(done.stderr.splitlines()) == 1
    (tmp_path / "results.json").write_text("{")
    done = call(script, "--run", tmp_path)
    assert done.returncode == 1 and "damaged" in done.stderr and len(done.stderr.splitlines()) == 1
