"""lstm_1997.py: its table, its generators, its truncated gradient, its stopping rules, its runs."""

import json
import math
import os
import re
import signal
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, load, options_of

lab = load("lstm_1997.py")
ROWS = list(lab.ROWS.values())
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
DEFAULT = options_of(lab)

# ------------------------------------------------------------------------------------------------- the table


@every_row
def test_the_network_has_the_weights_of_the_paper(row):
    gates, cells = (2 if row.c == "F" else 1) * row.b, row.b * row.S
    if row.c == "F":
        weights = (gates + cells) * (row.inputs + gates + cells) + cells * row.outputs
        weights += {"none": 0, "ga": gates, "b1": gates + cells, "all": gates + cells + row.outputs}[row.bias]
    else:
        weights = (gates + cells) * row.inputs + (row.inputs + cells) * row.outputs
    assert weights == row.W == int(row.present.sum())
    theta = lab.init_theta(row, [3], np.float64)[0]
    assert np.count_nonzero(theta) == row.W and (theta[row.present == 0] == 0).all()


@every_row
def test_initial_weights(row):
    theta = lab.init_theta(row, list(range(20)), np.float64)
    p = lab.views(theta, row.shapes)
    given = []
    if row.c == "F":
        for rows, biases in (p.b[:, : row.b, 0], row.igb), (p.b[:, -row.b :, 0], row.ogb):
            if isinstance(biases, tuple):
                assert (rows == biases).all() and len(biases) == row.b
                given.append(row.b)
                rows[...] = 0
    assert np.abs(theta).max() <= row.init < 1.05 * np.abs(theta).max()
    assert np.abs(theta.mean()) < 0.02 and len({tuple(network) for network in theta}) == 20


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
"""  # row, blocks x size, igb, ogb, rate, init, trials, sequences, wrong, then rules: tests or fewer wrong than, error, tolerance


@pytest.mark.parametrize("line", PAPER.split("\n")[1:-1], ids=lambda line: line.split()[0])
def test_a_row_has_the_figures_of_the_paper(line):
    name, blocks, igb, ogb, rate, init, trials, sequences, wrong, rule, error, tolerance = line.split()
    row, task = lab.ROWS[name], lab.ROWS[name].task

    def biases(value):
        return value.replace(" ", ",") if isinstance(value, str) else ",".join(map(str, value))

    def numbers(text):
        return tuple(None if value == "-" else float(value) for value in text.split(","))

    assert (f"{row.b}x{row.S}", biases(row.igb), biases(row.ogb)) == (blocks, igb, ogb)
    assert (row.rate, row.init, row.trials) == (float(rate), float(init), int(trials))
    assert (row.sequences, row.wrong) == (numbers(sequences), numbers(wrong))
    assert lab.TOLERANCE.get(task) == numbers(tolerance)[0]
    if task[0] in "12":
        assert lab.TESTS[task] == int(rule) and lab.RULES[task] == [lab.Rule(1)]
    else:
        errors = [math.inf if value is None else value for value in numbers(error)]
        assert lab.RULES[task] == [lab.Rule(int(n), e) for n, e in zip(numbers(rule), errors)]
        assert lab.TESTS.get(task) == (256 if task[0] == "3" else None)


def test_the_paper_is_transcribed_whole():
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
    """Symbols that may come next in the embedded Reber grammar (Figure 4), by walking."""
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


def test_choices_of_the_grammar_are_even():
    drawn = [letters(string) for string in lab.reber_strings(np.random.default_rng(1), 4000)]
    for position, shares in (1, {"T": 0.5, "P": 0.5}), (3, {"T": 0.5, "P": 0.5}):
        for symbol, share in shares.items():
            assert abs(np.mean([string[position] == symbol for string in drawn]) - share) < 0.03
    assert abs(np.mean([string[2:6] in ("BTXS", "BPVV") for string in drawn]) - 2 / 8) < 0.03


@pytest.mark.parametrize("distinct", [False, True])
def test_no_test_string_is_a_training_string(distinct):
    for pair in (0,) if distinct else (0, 2):
        training, testing = ([letters(string) for string in strings] for strings in lab.reber_sets(pair, distinct))
        assert len(training) == len(testing) == 256 and not set(training) & set(testing)
        assert all(REBER.fullmatch(string) for string in training + testing)
        assert (len(set(training)) == 256) is distinct


def test_ten_trials_in_a_row_share_their_sets():
    sets = lab.sets_of([0, 9, 10, 31], "drawn")
    assert sets[0] is sets[9] is sets[31] and sets[10] is not sets[0]
    assert all((drawn == again).all() for drawn, again in zip(sets[0], lab.reber_sets(0, False)))
    assert {letters(string) for string in sets[0][0]} != {letters(string) for string in sets[10][0]}


def drawn(name, n=2000, **settings):
    row = lab.ROWS[name]
    return row, lab.make_batch(np.random.default_rng(5), n, row, SimpleNamespace(**vars(DEFAULT) | settings))


def test_task_1_predicts_the_next_symbol():
    row, batch = drawn("1-1", 200)
    assert batch.x.shape == batch.target.shape == (batch.length.max(), 200)
    for n in range(200):
        string = letters(batch.x[: batch.length[n], n]) + letters([batch.target[batch.length[n] - 1, n]])
        assert REBER.fullmatch(string)
        assert letters(batch.target[:, n]) == string[1:] and (batch.target[batch.length[n] :, n] == -1).all()


@pytest.mark.parametrize("name", ["2a", "2b"])
def test_tasks_2a_and_2b(name):
    row, batch = drawn(name)
    p, first = row.p, batch.x[0]
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
    p, q = row.p, row.lag
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
    first, rest = batch.x[: row.N, 0], batch.x[row.N :, 0]
    assert abs(rest.mean()) < 0.01 and abs(rest.var() - 0.2) < 0.01
    class_1 = batch.wanted[0] == (0.2 if row.task == "3c" else 1)
    assert set(batch.wanted[0]) == ({0.2, 0.8} if row.task == "3c" else {0, 1}) and abs(class_1.mean() - 0.5) < 0.05
    noise = first - np.where(class_1, 1, -1)
    assert abs(noise.var() - 0.2) < 0.03 and abs(noise.mean()) < 0.03 if row.task == "3b" else (noise == 0).all()
    off = batch.target - batch.wanted
    assert abs(off.var() - 0.1) < 0.02 and abs(off.mean()) < 0.03 if row.task == "3c" else (off == 0).all()


@pytest.mark.parametrize("name", ["4-1", "4-2", "5"])
@pytest.mark.parametrize("first_pair", ["replaced", "counted", "unmarked"])
def test_tasks_4_and_5(name, first_pair):
    row, batch = drawn(name, first_pair=first_pair)
    T, neutral, seen = row.p, 1.0 if name == "5" else 0.0, set()
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
def test_trials_have_sequences_of_their_own(name):
    row, sets = lab.ROWS[name], None
    if row.task == "1":
        sets = lab.sets_of([0, 1, 2], "drawn")
    three = lab.draw(row, DEFAULT, [0, 1, 2], lab.TRAIN, 4, n=50, sets=sets)
    (x, length), alone = (three.x, three.length), lab.draw(row, DEFAULT, [1], lab.TRAIN, 4, n=50, sets=sets)
    assert (alone.length[0] == length[1]).all() and (alone.x[..., 0, :] == x[: len(alone.x), ..., 1, :]).all()
    assert (x[: len(alone.x), ..., 0, :] != alone.x[..., 0, :]).any()
    other = lab.draw(row, DEFAULT, [1], lab.TRAIN, 5, n=50, sets=sets)
    assert other.x.shape != alone.x.shape or (other.x != alone.x).any()


# ---------------------------------------------------------------------------------------- truncated gradient


def sigma(x):
    return 1 / (1 + math.exp(-x))


def as_in_the_appendix(row, p, x, target, end, rate=None, absent=(0, 0)):
    """The paper's appendix A.1 for one sequence, in loops over units, with ds/dw running along.

    p: {name: array} of a network; x: a list of input vectors; target: {step: vector}. Returns the gradient of
    the cost, {name: arrays}; with a rate, weights in p change at every step instead, but for absent biases: those of
    outputs, and of units in absent.
    """
    in_block = [cell % row.b for cell in range(row.b * row.S)]
    n, o, D, F = len(in_block), row.b if row.c == "F" else 0, row.inputs, row.c == "F"
    units = row.b + n + o
    H, G = {"equations": (1, 2), "caption": (2, 1)}[row.ranges]
    g = (lambda v: G * (2 * sigma(v) - 1)) if row.g == "g2" else sigma
    slope_g = 2 * G if row.g == "g2" else 1
    h = (lambda v: H * (2 * sigma(v) - 1)) if row.h == "h1" else (lambda v: v)
    added = {"squared": (1, 0), "mixed": (1, 0.1), "entropy": (0, 1)}[row.cost]  # of the slope of outputs, to it
    zero = {name: np.zeros_like(values) for name, values in p.items()}
    before = [0.0] * units  # what gates and cells put out a step before: in gates, cells, out gates
    s = [0.0] * n
    K = (units if F else 0) + D + (1 if F else 0)
    ds_in, ds_cell = [[0.0] * K for _ in range(n)], [[0.0] * K for _ in range(n)]
    for t in range(end):
        source = (list(before) if F else []) + list(x[t]) + ([1.0] if F else [])

        def net(u):
            weights = (list(p["R"][u]) if F else []) + [p["I"][d][u] for d in range(D)] + ([p["b"][u][0]] if F else [])
            return sum(w * v for w, v in zip(weights, source))

        y_in = [sigma(net(j)) for j in range(row.b)]
        net_cell = [net(row.b + v) for v in range(n)]
        y_out = [sigma(net(row.b + n + j)) for j in range(o)]
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
                slope_h = 2 * H * sigma(s[v]) * (1 - sigma(s[v])) if row.h == "h1" else 1.0
                e_s = (y_out[in_block[v]] if o else 1.0) * slope_h * back
                errors = [(in_block[v], e_s, ds_in[v]), (row.b + v, e_s, ds_cell[v])]
                if o:
                    j = in_block[v]
                    errors.append((row.b + n + j, y_out[j] * (1 - y_out[j]) * h(s[v]) * back, source))
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


SMALL = {"1-4": {}, "1-5": {}, "2a": {"p": 5, "inputs": 6, "outputs": 6}, "2b": {"p": 5, "inputs": 6, "outputs": 6},
         "2c-1": {"p": 4, "lag": 4, "inputs": 8}, "3a-1": {"p": 20}, "4-1": {"p": 30}, "6a": {}, "6b": {}}  # fmt: skip


def one_sequence(name, ranges, cost):
    """A small row, a network of it with weights of some size, and a batch of one sequence, also as lists."""
    row = replace(lab.ROWS[name], ranges=ranges, cost=cost, **SMALL[name])
    batch = lab.draw(row, DEFAULT, [6], lab.TRAIN, n=1)
    theta = (0.4 * np.random.default_rng(2).standard_normal((1, len(row.present)))) * row.present
    net = lab.Network(row, theta.copy(), len(batch.x))
    p = {name: np.array(values[0]) for name, values in vars(net.p).items()}
    end = int(batch.length[0, 0])
    if row.symbolic:
        x = [[float(batch.x[t, 0, 0] == d) for d in range(row.inputs)] for t in range(end)]
    else:
        x = [[float(value) for value in batch.x[t, :, 0, 0]] for t in range(end)]
    if row.every_step:
        target = {t: [float(batch.target[t, 0, 0] == k) for k in range(row.outputs)] for t in range(end)}
    else:
        target = {end - 1: [float(value) for value in batch.target[:, 0, 0]]}
    return row, net, batch, p, x, target, end


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("ranges, cost", [("equations", "squared"), ("caption", "squared"), ("caption", "entropy")])
def test_the_gradient_is_that_of_a_plain_implementation_of_the_appendix(name, ranges, cost):
    row, net, batch, p, x, target, end = one_sequence(name, ranges, cost)
    lab.forward(net, batch.x)
    lab.backward(net, batch)
    wanted = as_in_the_appendix(row, p, x, target, end)
    for part, values in vars(net.d).items():
        assert np.abs(values[0] - wanted[part]).max() <= 1e-10 * max(1, np.abs(wanted[part]).max()), part
        assert np.abs(wanted[part]).max() > 1e-6, part


@pytest.mark.parametrize("name", ["1-4", "1-5", "2a", "2b"])
@pytest.mark.parametrize("ranges, cost", [("equations", "squared"), ("caption", "mixed")])
def test_weights_that_change_at_every_step_do_as_in_the_appendix(name, ranges, cost):
    row, net, batch, p, x, target, end = one_sequence(name, ranges, cost)
    before = {part: values.copy() for part, values in p.items()}
    lab.update_at_every_step(net, batch, 0.5, row.present)
    absent = [row.b, row.b + row.b * row.S] if row.bias == "ga" else [0, 0]  # cells, which have no biases
    wanted = as_in_the_appendix(row, p, x, target, end, 0.5, absent)
    for part, values in vars(net.p).items():
        assert np.abs(values[0] - wanted[part]).max() < 1e-10, part
        assert np.abs(wanted[part] - before[part]).max() > 1e-3 or part == "c", part


# one mutation of each term of the truncated gradient: (text in the script, what it becomes)
TERMS = {
    "slope of the outputs": ("squared * y * (net.one - y) + entropy", "squared * y + entropy"),
    "what is added to the slope": ("squared * y * (net.one - y) + entropy", "squared * y * (net.one - y)"),
    "sign of the errors": ("return -e * (squared", "return e * (squared"),
    "range of h": ("from_outputs = from_outputs * net.h_range", "pass"),
    "weights to the outputs": ("dz.transpose(2, 0, 1)), net.p.V)", "dz.transpose(2, 0, 1)), abs(net.p.V))"),
    "slope of the output gate": ("(one - a_out * a_out) * h * from_outputs", "h * from_outputs"),
    "h in the output gate's error": ("(one - a_out * a_out) * h * from_outputs", "(one - a_out * a_out) * from_outputs"),
    "cells of a block in its output gate": ("len(dz), row.S, row.b, -1), axis=1)", "len(dz), row.S, row.b, -1)[:, :1], axis=1)"),
    "output gate in the state's error": ("(one + a_out) * (one - h * h)", "(one - h * h)"),
    "slope of h": ("(one + a_out) * (one - h * h)", "(one + a_out)"),
    "errors of later steps": ("np.cumsum(ds[::-1], axis=0, out=E[:T][::-1])", "E[:T] = ds"),
    "the sequence's end": ("E[first:] *= net.step_numbers[first:padded] <= end", "pass"),
    "steps behind the last": ("        E[T:] = 0\n", "        E[T:] = 1\n"),
    "slope of the input gate": ("half * (one - a_in * a_in) * half_g * E", "half * half_g * E"),
    "g in the input gate's error": ("half * (one - a_in * a_in) * half_g * E", "half * (one - a_in * a_in) * E"),
    "cells of a block in its input gate": ("(padded, row.S, row.b, S), axis=1", "(padded, row.S, row.b, S)[:, :1], axis=1"),
    "input gate in the cell's error": ("(one + a_in) * (one - a_cell * a_cell), E", "(one - a_cell * a_cell), E"),
    "slope of g": ("(one + a_in) * (one - a_cell * a_cell), E", "(one + a_in), E"),
    "g1 of task 2": ("(net.one + a_cell), net.half * net.half", "(net.one + a_cell), net.half"),
    "range of g": ("net.half * net.g_range * a_cell, net.half * net.g_range", "a_cell, net.one"),
    "output gates at every step": ("delta[:T, i + n :], delta[T:, i + n :] = d_out, 0", "delta[:, i + n :] = 0"),
    "output gates at the end": ("delta[end, i + n :, trials] = d_out[0].T", "pass"),
    "traces of output gates": ("    elif o:\n        delta[:, i + n :] = 0\n", "    elif o:\n"),
    "cell outputs": ("d.V *= half * net.h_range", "d.V *= half"),
    "biases of outputs": ("d.c[:, :, 0] = np.add.reduce(dz, axis=0).T", "pass"),
    "biases": ("d.b[:, :, 0] = np.add.reduce(delta, axis=0).T", "pass"),
    "recurrent weights": ("half * net.gain, out=d.R)", "half, out=d.R)"),
    "direct weights": ("d.A[trials, x] += dz_t.T", "d.A[trials, x] = dz_t.T"),
    "direct weights at the end": ("batch.x[end, trials, 0][None]", "batch.x[:1, trials, 0]"),
    "traces of direct weights": ("        d.A[...] = 0\n        last", "        last"),
    "weights of symbols": ("np.bincount(index, delta[:T, u]", "np.bincount(index, delta[:T, 0]"),
    "full: into cells": ("(back[t] + dy[i : i + n])", "back[t]"),
    "full: into input gates": (" + slope_in[:i] * dy[:i]", ""),
    "full: into output gates": (" + slope_out[:i] * dy[i + n :]", ""),
    "full: state to state": ("        E = E + half * half", "        E = half * half"),
    "full: where errors start": ("back = back * (net.step_numbers[:T] == end)", "back = back * np.ones((T, 1, 1))"),
    "full: recurrent weights": ("net.p.R.transpose(0, 2, 1)\n", "net.p.R\n"),
    "weights of values": ("delta[:T] * batch.x[:, None, k, :, 0]", "delta[:T] * batch.x[:, None, 0, :, 0]"),
}  # fmt: skip


def test_the_gradient_check_passes(call):
    done = call("lstm_1997.py", "--gradcheck")
    lines = done.stdout.splitlines()
    assert (
        done.returncode == 0 and len(lines) == 3 * len(lab.CHECKED) + 6 and all(line.endswith(": ok") for line in lines)
    )
    assert max(float(re.search(r"error (\S+)", line)[1]) for line in lines) <= 1e-7


@pytest.mark.parametrize("term", TERMS)
def test_the_gradient_check_fails_without_any_one_term(term):
    source, (text, becomes) = (ROOT / "lstm_1997.py").read_text(), TERMS[term]
    assert source.count(text) >= 1, text
    broken = load("lstm_1997.py", source.replace(text, becomes, 1))
    broken.CHECKED_READINGS = [("mixed", "caption", gradient) for gradient in ("truncated", "full")]
    broken.CHECKED = {kind: broken.CHECKED[kind] for kind in ("1, blocks of 2", "2b", "2b, at the end", "4")}
    with np.errstate(all="ignore"):
        assert broken.gradient_check() == 1


# ----------------------------------------------------------------------------------------------------- rules


def test_every_row_has_rules_and_the_paper_as_many_figures():
    for row in ROWS:
        assert len(lab.RULES[row.task]) == len(row.sequences) == len(row.wrong)
        assert (row.task in lab.TESTS) == (row.task[0] in "123") and (row.task == "1") == (
            row.task not in lab.TOLERANCE
        )
        assert lab.parse_options(["--task", row.name])[0].steps == 5 * row.sequences[-1]


@pytest.mark.parametrize("name", ["1-5", "2a", "2b", "2c-1", "3c-1", "4-1", "6a"])
def test_judging_is_that_of_a_plain_judge(name):
    row = lab.ROWS[name]
    row = replace(row, p=6, inputs=7, outputs=7) if row.c == "B" else row
    batch = lab.draw(row, DEFAULT, [0, 1], lab.TEST, n=6)
    rng, tolerance = np.random.default_rng(0), lab.TOLERANCE.get(row.task)
    y = rng.uniform(0, 1, (len(batch.x) if row.every_step else 1, row.outputs, 2, 6))
    for s, b in [(0, 0), (1, 3), (1, 4)]:  # some right answers, by a hair
        if row.every_step:
            for t in range(int(batch.length[s, b])):
                y[t, :, s, b] = 0.9 * tolerance if tolerance else 0.1
                y[t, batch.target[t, s, b], s, b] = 1 - 0.9 * tolerance if tolerance else 0.9
                if row.task == "1":
                    y[t, batch.legal[t, :, s, b], s, b] = 0.9
        else:
            y[0, :, s, b] = batch.wanted[:, s, b] + 0.9 * tolerance
    wrong, error, square = lab.judge(row, y, lab.errors(row, y, batch), batch)
    assert not wrong[0, 0] and not wrong[1, 3] and wrong.any()
    for s, b in np.ndindex(2, 6):
        T = int(batch.length[s, b])
        if row.every_step:
            off = [[float(k == batch.target[t, s, b]) - y[t, k, s, b] for k in range(row.outputs)] for t in range(T)]
        else:
            off = [[batch.wanted[k, s, b] - y[0, k, s, b] for k in range(row.outputs)]]
        if row.task == "1":
            expected = any(
                min(y[t, k, s, b] for k in range(7) if batch.legal[t, k, s, b])
                <= max(y[t, k, s, b] for k in range(7) if not batch.legal[t, k, s, b])
                for t in range(T)
            )
        else:
            heeded = off[-1:] if row.task == "2b" else off
            expected = max(abs(value) for step in heeded for value in step) >= tolerance
        assert wrong[s, b] == expected
        values = [value for step in off for value in step]
        assert error[s, b] == pytest.approx(np.mean(np.abs(values))) and square[s, b] == pytest.approx(
            np.mean(np.square(values))
        )


SETS = cache(lab.reber_sets)  # it takes a while


@pytest.fixture
def small(monkeypatch):
    """The script with short windows and chunks, in which one trial or other meets its rules within a hundred sequences."""
    for name, value in {"WINDOW": 8, "CHUNK": 10, "STEADY": 10}.items():
        monkeypatch.setattr(lab, name, value)
    rules = {"1": [lab.Rule(512)], "2c": [lab.Rule(501)], "3a": [lab.Rule(41), lab.Rule(41, 0.5)],
             "4": [lab.Rule(6, 0.15)], "6a": [lab.Rule(8, 0.38)]}  # fmt: skip
    monkeypatch.setattr(lab, "RULES", lab.RULES | rules)
    monkeypatch.setattr(lab, "TESTS", lab.TESTS | {"2c": 20, "2b": 20, "3a": 40})
    monkeypatch.setattr(lab, "BLOCK", 10)
    monkeypatch.setattr(lab, "reber_sets", SETS)
    for name in "2a", "2b":
        monkeypatch.setitem(lab.ROWS, name, replace(lab.ROWS[name], p=6, inputs=7, outputs=7))
    return lab


def run(folder, *arguments):
    """A run in this process: what results.json has of its row, and the parameters (S, P) after it."""
    thetas, real_train = [], lab.train

    def train(row, options, state, save, interrupt):
        trained = real_train(row, options, state, save, interrupt)
        thetas.append(state.theta)
        return trained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "train", train)
        words = " ".join(map(str, arguments)).split()
        assert (
            lab.main([*words, "--eval-every", "20", "--snapshot-every", "20", "--eval-n", "30", "--out", str(folder)])
            == 0
        )
    ((found),) = json.loads((folder / "results.json").read_text())["runs"].values()
    return found, thetas[0]


KINDS = ["1-5 --update sequence", "1-4", "2a", "2a --update sequence --cell late", "2b", "2b --errors every", "2c-1", "3a-1", "4-1", "6a",
         "6b --dtype float32"]  # fmt: skip


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
    """Against rules that are applied in plain loops to the errors of every single sequence."""
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


def test_a_test_goes_on_in_blocks_where_none_may_be_wrong(small, monkeypatch):
    """Trial 0 errs in the first block, trial 1 in the third, trial 2 never."""
    row, options = lab.ROWS["2c-1"], lab.parse_options(["--task", "2c-1"])[0]
    monkeypatch.setattr(lab, "TESTS", lab.TESTS | {"2c": 40})
    tested = []

    def examine(row, theta, batch):
        block = len(tested)
        tested.append((theta[:, 0].tolist(), batch.length.shape))
        wrong = np.zeros((len(theta), 10), bool)
        for k, trial in enumerate(theta[:, 0]):
            wrong[k, :3] = (trial, block) in ((0, 0), (1, 2))
        return wrong, np.full(wrong.shape, 0.25), None

    monkeypatch.setattr(lab, "examine", examine)
    wrong, n, error = lab.test(row, options, np.arange(3.0)[:, None], [4, 5, 6], None, 7)
    assert wrong.tolist() == [3, 3, 0] and n.tolist() == [10, 30, 40] and (error == 0.25).all()
    assert tested == [([0, 1, 2], (3, 10)), ([1, 2], (2, 10)), ([1, 2], (2, 10)), ([2], (1, 10))]


def test_both_rules_of_a_row_are_met_in_turn(small, tmp_path):
    found, _ = run(tmp_path, "--steps 400 --trials 0-3 --task 3a-1")
    first, second = (rule["sequences"] for rule in found["rules"])
    assert all(a is not None for a in first) and all(b is None or a <= b for a, b in zip(first, second))
    assert all(at % 10 == 0 for at in first)


def test_a_small_row_is_learned_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setitem(lab.ROWS, "3a-1", replace(lab.ROWS["3a-1"], p=10, ranges="caption"))
    found, theta = run(tmp_path, "--steps 6000 --trials 0-4 --task 3a-1")
    assert all(n is not None for rule in found["rules"] for n in rule["sequences"])
    assert max(found["final"]["wrong"]) <= 1 and max(found["final"]["mean_error"]) < 0.02
    assert found["final"]["wrong"] == found["rules"][-1]["wrong"] and max(found["history"]["wrong"][-1]) == 0
    row, options = replace(lab.ROWS["3a-1"]), lab.parse_options(["--task", "3a-1"])[0]
    batch = lab.draw(row, options, [0], lab.EVAL, n=50)
    shapes = lab.views(theta, row.shapes)
    p = {name: np.array(values[0]) for name, values in vars(shapes).items()}
    for b in range(50):  # what the trained network answers, by the plain implementation
        end = int(batch.length[0, b])
        x = [[float(value) for value in batch.x[t, :, 0, b]] for t in range(end)]
        wanted = float(batch.target[0, 0, b])
        gradient = as_in_the_appendix(replace(row, cost="entropy"), p, x, {end - 1: [wanted]}, end)
        assert abs(gradient["c"][0][0]) < 0.2  # minus the error


@pytest.mark.parametrize("name", ["6a", "1-5"])
def test_a_trial_that_diverges_is_frozen_and_the_others_go_on(name, small, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "RULES", lab.RULES | {"6a": [lab.Rule(0)], "1": [lab.Rule(0)]})
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
    assert [values[1] for values in found["history"]["wrong"][1:]] == [1, 1], "what is not a number is wrong"
    assert theta[[0, 2]].tobytes() == others.tobytes()


# ---------------------------------------------------------------------------------------------------- resume


class Killed(BaseException):
    """What stands for a kill: nothing in the script catches it."""


def outcome(folder):
    """What a run left, as far as it must not depend on interruptions."""
    text = (folder / "results.json").read_text().replace(str(folder), "")
    text = re.sub(r'"(wall_clock_s|sequences_per_s)": [^,]*,', "", text)
    arrays = {name: array.tobytes() for name, array in np.load(folder / "snapshots.npz").items()}
    return json.loads(text) | {"environment": None}, arrays


@pytest.mark.parametrize("kind", ["6a", "3a-1", "2a --cell late", "1-5"])
def test_a_killed_run_resumes_as_if_nothing_had_been(kind, small, tmp_path, monkeypatch):
    clock = iter(range(10**9))
    monkeypatch.setattr(lab, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    words = f"--steps 100 --trials 0-5 --eval-every 20 --snapshot-every 20 --eval-n 30 --task {kind}".split()
    assert lab.main([*words, "--out", str(tmp_path / "whole")]) == 0
    real_save, saves = lab.save_checkpoint, []

    def save_and_die(path, tree):
        real_save(path, tree)
        saves.append(path)
        if len(saves) in (2, 4):
            raise Killed

    monkeypatch.setattr(lab, "save_checkpoint", save_and_die)
    killed = [*words, "--out", str(tmp_path / "killed")]
    for again in [], ["--resume"]:
        with pytest.raises(Killed):
            lab.main([*killed, *again])
        assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint.npz"]
    assert lab.main([*killed, "--resume"]) == 0
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_an_interrupted_run_resumes_as_if_nothing_had_been(small, tmp_path, monkeypatch, capsys):
    words = "--steps 60 --trials 0,1 --eval-every 20 --snapshot-every 20 --eval-n 30 --task 6a".split()
    assert lab.main([*words, "--out", str(tmp_path / "whole")]) == 0
    real_learn, calls = lab.learn, []

    def learn(*arguments):
        calls.append(1)
        if len(calls) == 33:
            os.kill(os.getpid(), signal.SIGINT)
        return real_learn(*arguments)

    monkeypatch.setattr(lab, "learn", learn)
    assert lab.main([*words, "--out", str(tmp_path / "stopped")]) == 130
    assert "after sequence 33; to go on: python3 lstm_1997.py" in capsys.readouterr().out
    assert lab.main([*words, "--out", str(tmp_path / "stopped"), "--resume"]) == 0
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


# --------------------------------------------------------------------------------------------- command line

BAD = (
    ("--task 7", "7"), ("--task 6", "6"), ("--seeds 0,1,0", "twice"), ("--seeds 3-1", "parse"), ("--trials ,", "parse"),
    ("--steps 0", "at least 1"), ("--eval-n 0", "at least 1"), ("--steps 9 --eval-every 10", "the 9 steps"),
    ("--lr 0", "above 0"), ("--lr nan", "above 0"), ("--cost absolute", "absolute"), ("--ranges text", "text"),
    ("--update step", "no difference to task 6a"), ("--task 2c-1 --cell first", "no difference to task 2c"),
    ("--task 2a --errors end", "no difference to task 2a"), ("--first-pair counted", "no difference to task 6a"),
    ("--task 2a --strings distinct", "no difference to task 2a"), ("--dtype int8", "int8"), ("--stepz 5", "--stepz"),
    ("--task 2b --update step", "errors at every step"), ("--task 2b --ranges caption", "no difference to task 2b"),
    ("--gradient full --task 2a", "gates that recur"), ("--gradient full --task 1-1", "--update sequence"),
    ("--out=", "a folder is wanted"), ("--out FILE/run", "cannot write"),
)  # fmt: skip


@pytest.mark.parametrize("arguments, words", BAD, ids=[bad[0] for bad in BAD])
def test_bad_input_is_one_line_and_status_2(arguments, words, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stopped:
        lab.main(arguments.replace("FILE", str(tmp_path / "file")).split())
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_the_list_has_every_row_and_the_figures_of_the_paper(capsys):
    assert lab.main(["--list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(lab.ROWS)
    for line, row in zip(lines, ROWS):
        assert line.split()[1] == str(row.W) and all(f"{n:,}" in line for n in row.sequences)


def test_the_docstring_shows_what_the_headline_prints(capsys):
    results = json.loads((ROOT / "results" / "lstm_1997" / "6a" / "results.json").read_text())
    assert results["command"] == "python3 lstm_1997.py"
    lab.print_summary(results["runs"], results["seeds"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(lines) == 2 and all(line in lab.__doc__ for line in lines)


def test_another_setting_does_not_resume(small, tmp_path, capsys):
    with pytest.MonkeyPatch.context() as patch:
        clock = iter(range(10**9))
        patch.setattr(lab, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        patch.setattr(lab, "advance", lambda *a: (_ for _ in ()).throw(Killed))
        words = ["--steps", "20", "--trials", "0", "--out", str(tmp_path)]
        with pytest.raises(Killed):
            lab.main(words)
    with pytest.raises(SystemExit):
        lab.main([*words, "--lr", "0.1", "--resume"])
    assert "--lr 0.5, not 0.1" in capsys.readouterr().err


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
    assert set(made[0]) == {"learning_curve.png", "gates_and_states.png", "lstm_1997.gif"}
    assert made[0] == made[-1], "to the byte"


@pytest.mark.parametrize("script", SCRIPTS)
def test_renderers_say_what_is_wrong(script, tmp_path, call):
    done = call(script, "--run", tmp_path)
    assert done.returncode == 1 and "is missing; to make it" in done.stderr and len(done.stderr.splitlines()) == 1
    (tmp_path / "results.json").write_text("{")
    done = call(script, "--run", tmp_path)
    assert done.returncode == 1 and "damaged" in done.stderr and len(done.stderr.splitlines()) == 1
