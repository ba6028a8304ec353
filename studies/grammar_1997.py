#!/usr/bin/env python3
"""Task 1 of 1997, the embedded Reber grammar: which networks learn it, and what the trials that fail lack.

S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997: Task 1, Tables 1 and
10, appendix A.1. A network reads a string of the grammar, symbol by symbol, and predicts the next symbol at every step.
It learns from 256 training strings, by plain gradient descent on one string at a time. A trial is solved if, with
frozen weights, the legal next symbols are the most active outputs at every step of these strings and of 256 test
strings. It fails if it is not solved after five times the paper's mean. Tests are made every --test-every strings.

The network. A block has one input gate, one output gate and one or two cells. Gates and cells are the units.

    net_t = R y_{t-1} + I^T x_t + b    y_in = sigma(net_in)    s_t = s_{t-1} + y_in g(net_c)    y_out = sigma(net_out)
    z_t = V y_c + A x_t + c    y_k = sigma(z)    y_c = y_out h(s_t)
    h(x) = h_range tanh(x/2)    g(x) = g_range tanh(x/2)

The text of the paper: R is full, gates have biases, A and c are absent, one change of weights after each string, states
start at zero in each string. These are the defaults. Each option changes one of these choices; see --help. Some options
are only for diagnosis; no reading of the paper allows them: --h identity, --targets legal and legal-0.1, --shortcut.

The gradient is truncated: an error that reaches the net input of a unit changes the weights of this unit and goes no
further. With e for targets minus outputs, and E for the derivatives of s (or of net_out) with respect to weights:

    E_in += g sigma'(net_in) v_t    E_c += y_in g'(net_c) v_t    E_out = v_t    v_t = [y_{t-1}; x_t; 1]
    e_z = e y_k (1 - y_k)    e_c = V^T e_z    e_s = y_out h'(s) e_c    e_out = sigma'(net_out) sum of h(s) e_c
    change of weights: the sum over steps of rate e_s E_in, rate e_s E_c, rate e_out E_out, rate e_z [y_c; x_t; 1]^T

The sum is over one string (--update sequence), or over one step (--update step). Each trial reads its own stream of
strings without a pause, so one pass of the time loop is one step of every trial.

Axes of arrays: S trials, T steps, G blocks, C cells of a block, H = G C cells, U units, D inputs, O outputs, K = U + D
+ 1 sources v of a unit, Q = H + D + 1 sources q = [y_c; x; 1] of an output, P parameters, n strings. The order of
units: input gates, cells (the first cells of all blocks, then the second cells), output gates. W (S, U, K) = [R I^T b]
and Z (S, O, Q) = [V A c]. Data, random streams and initial weights of a trial are those of lstm_1997.py.

    python3 studies/grammar_1997.py              # row 1-5, the text's network; writes runs/grammar_1997/text
    python3 studies/grammar_1997.py --task 1-4 --recurrence in-from-gates --output-bias
    python3 studies/grammar_1997.py --counts     # which connections give the paper's 264 and 276 weights

results.json has, under the name of the row, rules (sequences until solved); weights (numbers of weights of 4 blocks of
one cell and of 3 blocks of two cells with these connections); final (shares of strings with a wrong step: of all 512,
of the training strings, of the test strings; at the step that needs the memory, at other steps); and trace:

    edges: for each trial a list of [edge, share, rival]. edge: such as T5V, state 5 of the grammar in the half after
        the first T, symbol V. share: the share of the strings in which the legal symbol V is not above all illegal
        symbols at this state. rival: the illegal symbol that is most often the most active one then.
    h_saturated, in_closed, in_open, out_closed, out_open: shares of |h| > 0.95 and of gates below 0.05 and above 0.95,
        [at wrong steps, at all steps]. slope_lost: of the outputs on the wrong side at wrong steps, the share whose
        slope y (1 - y) is below 0.01. state: mean |s| at all steps. length: mean steps of [wrong, right strings].
    best_outputs: shares of strings with a wrong step if the output layer is replaced by the best one for frozen units
        (by Newton's method on a ranking cost), which reads [y_c and a bias; y_c, x and a bias; s and a bias]. 0 proves
        that such an output layer exists.

snapshots.npz has the recorded trial on four strings at the end, x and length, in_gate, s, y_cell, output (T, ..., 4),
and weights/R (S, U, U), I (S, D, U), b (S, U, 1), V (S, O, H), c (S, O, 1), A (S, O, D); absent ones are 0.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///

import argparse
import contextlib
import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter, namedtuple
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # NumPy reads it when it loads; with such small matrices, more threads are slower
import numpy as np

EXPERIMENT = "grammar_1997"
SCRIPT, HEADLINE = f"studies/{EXPERIMENT}.py", f"runs/{EXPERIMENT}/text"
NO_SETTINGS = ("out", "force", "resume", "gradcheck", "counts")  # options that do not change results
QUICK = {"steps": 400, "eval_every": 200, "seeds": "0-2"}
CAP = 5  # a trial fails if it is not solved after this many times the paper's mean
CHUNK = 500  # sequences drawn at a time
INIT, TRAIN, SETS = 0, 1, 5  # the streams of random numbers of each trial, numbered as in lstm_1997.py
FEW = 32  # strings that every trial is tested on; the others are tested only if these are right
D = O = 7  # inputs and outputs: one for each symbol
INIT_RANGE = 0.2

# A row of Table 1. rate: learning rate. solved, sequences: the paper's share of solved trials, and mean until solved.
Row = namedtuple("Row", "name blocks per_block rate solved sequences")
ROWS = {row[0]: Row(*row) for row in [
    ("1-1", 4, 1, 0.1, 1.00, 39740), ("1-2", 3, 2, 0.1, 1.00, 21730), ("1-3", 3, 2, 0.2, 0.97, 14060),
    ("1-4", 4, 1, 0.5, 0.97, 9500), ("1-5", 3, 2, 0.5, 1.00, 8440),
]}  # fmt: skip
PAPER_WEIGHTS = {(4, 1): 264, (3, 2): 276}
RECURRENCE = {  # for input gates (i), cells (c) and output gates (o): the units that they receive
    "full": {"i": "ico", "c": "ico", "o": "ico"}, "gates": {"i": "ico", "o": "ico"}, "none": {},
    "in-from-gates": {"i": "io"}, "in-from-all": {"i": "ico"}, "gates-from-gates": {"i": "io", "o": "io"},
}  # fmt: skip
RANGES = {"equations": (1, 2), "caption": (2, 1)}  # of h and of g
COSTS = {"squared": (1, 0), "entropy": (0, 1), "mixed": (1, 0.1)}  # shares of half the squared error, cross-entropy

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


REBER = "BTPSXVE"
# The embedded Reber grammar (the paper's Figures 3 and 4): symbol and next state of the edges of states 0 to 19.
REBER_EDGES = ("B1", "T2 P10", "B3", "T4 P5", "S4 X6", "T5 V7", "X5 S8", "P6 V8", "E9", "T18", "B11", "T12 P13",
               "S12 X14", "T13 V15", "X13 S16", "P14 V16", "E17", "P18", "E19", "E19")  # fmt: skip
_edges = [(2 * edges.split())[-2:] for edges in REBER_EDGES]  # two for each state; twice the same if it has only one
REBER_SYMBOL = np.array([[REBER.index(edge[0]) for edge in pair] for pair in _edges])
REBER_NEXT = np.array([[int(edge[1:]) for edge in pair] for pair in _edges])
NEEDS_MEMORY = 9, 17  # states whose next symbol is the second symbol of the string
LEGAL = np.zeros((20, O), bool)  # legal next symbols in each state
LEGAL[np.arange(20)[:, None], REBER_SYMBOL] = True
STATE_NAMES = ["0", "1", *(f"T{k}" for k in range(2, 10)), *(f"P{k}" for k in range(2, 10)), "18", "19"]


def reber_strings(rng, n):
    """Draw n strings of the embedded Reber grammar: indices of symbols (n, T), -1 after a string's end."""
    state, strings = np.zeros(n, int), []
    while (state < 19).any():
        edge = rng.integers(2, size=n)
        strings.append(np.where(state < 19, REBER_SYMBOL[state, edge], -1))
        state = REBER_NEXT[state, edge]
    return np.stack(strings, axis=1)


@cache
def reber_sets(pair, kind="drawn"):
    """A pair of sets, for training and for tests: 256 strings each. No test string is a training string.

    kind: a string can be drawn several times into a set (drawn), or all strings of a pair are different (distinct).
    """
    rng, sets = stream(pair, SETS), ([], [])
    for k, strings in enumerate(sets):
        known = {tuple(string) for string in sets[0]} if k else set()
        while len(strings) < 256:
            (drawn,) = reber_strings(rng, 1)
            if tuple(drawn) not in known:
                strings.append(drawn)
                known |= {tuple(drawn)} if kind == "distinct" else set()
    return sets


def states_of(string):
    """The state of the grammar after each symbol but the last of a string, (T - 1,)."""
    states = [0]
    for symbol in string[:-1]:
        states.append(REBER_NEXT[states[-1], int(REBER_SYMBOL[states[-1], 0] != symbol)])
    return np.array(states[1:])


def targets_of(string, kind):
    """Targets (T - 1, O) of a string. kind: the next symbol, or all legal ones; illegal ones have 0 or 0.1."""
    if kind == "next":
        return np.eye(O)[string[1:]]
    return np.maximum(LEGAL[states_of(string)], 0.1 if kind == "legal-0.1" else 0.0)


@cache
def training_set(pair, kind, targets):
    """For each training string of a pair of sets: inputs (T - 1, D) and targets (T - 1, O)."""
    return [(np.eye(D)[string[:-1]], targets_of(string, targets)) for string in reber_sets(pair, kind)[0]]


@cache
def examined_set(pair, kind="drawn"):
    """All strings of both sets of a pair: x (T, 512), states (T, 512) of the grammar, -1 after the end."""
    strings = [string for strings in reber_sets(pair, kind) for string in strings]
    T = max(map(len, strings)) - 1
    x, states = (np.full((T, len(strings)), -1) for _ in range(2))
    for k, string in enumerate(strings):
        x[: len(string) - 1, k], states[: len(string) - 1, k] = string[:-1], states_of(string)
    return np.maximum(x, 0), states


def pair_of(trial):
    """The number of the pair of sets of a trial. Ten trials in a row share one of the three pairs."""
    return trial // 10 % 3


@cache
def chosen(trial, chunk):
    """The numbers of the training strings of a trial's sequences of one chunk (CHUNK,)."""
    return stream(trial, TRAIN, chunk).integers(256, size=CHUNK)


def block_of(trials, first, last, options):
    """Sequences first to last - 1 of each trial, one after the other, as arrays (T, S, ...) of steps.

    x, target, has_target (T, S, 1); and for each step the trials (an array, or None if there are none) whose string
    ends there, whose last string ends there, and whose weights change there.
    """
    parts = []
    for trial in trials:
        strings, numbers = training_set(pair_of(trial), options.strings, options.targets), range(first, last)
        parts.append([strings[chosen(trial, k // CHUNK)[k % CHUNK]] for k in numbers])
    ends = [np.cumsum([len(x) for x, _ in part]) for part in parts]
    T, S = max(end[-1] for end in ends), len(trials)
    x, target, has_target, ended = np.zeros((T, S, D)), np.zeros((T, S, O)), np.zeros((T, S, 1)), np.zeros((T, S), bool)
    for k, (part, end) in enumerate(zip(parts, ends)):
        x[: end[-1], k] = np.concatenate([x for x, _ in part])
        target[: end[-1], k] = np.concatenate([target for _, target in part])
        has_target[: end[-1], k], ended[end - 1, k] = 1, True
    where = [np.nonzero(at)[0] if at.any() else None for at in ended]
    last_of = [[] for _ in range(T)]
    for k, end in enumerate(ends):
        last_of[end[-1] - 1].append(k)
    changes = where if options.update == "sequence" else [slice(None)] * T
    return SimpleNamespace(x=x, target=target, has_target=has_target, resets=where if options.reset else [None] * T,
                           last=last_of, changes=changes)  # fmt: skip


# ------------------------------------------------------------------------------------------------ parameters


def shapes_of(row, options):
    """The shapes of the parameters: R, I and b are of units, V, c and A of outputs."""
    H = row.blocks * row.per_block
    U = H + row.blocks * (2 if options.output_gates == "learned" else 1)
    return {"R": (U, U), "I": (D, U), "b": (U, 1), "V": (O, H), "c": (O, 1), "A": (O, D)}


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def present(row, options):
    """For each of the parameters (P,): 1, or 0 for a connection or a bias that the network does not have."""
    shapes, G, H = shapes_of(row, options), row.blocks, row.blocks * row.per_block
    mask = np.ones((1, sum(map(math.prod, shapes.values()))))
    units, has = {"i": slice(0, G), "c": slice(G, G + H), "o": slice(G + H, None)}, views(mask, shapes)
    has.R[...] = 0
    for receiver, senders in RECURRENCE[options.recurrence].items():
        for sender in senders:
            has.R[:, units[receiver], units[sender]] = 1
    has.b[:, units["c"]] = options.cell_bias
    has.c[...], has.A[...] = options.output_bias, options.shortcut
    return mask[0]


def init_theta(row, options):
    """Initial parameters (S, P): uniform in [-0.2, 0.2], or biases that options give; absent parameters are 0."""
    mask, shapes, G = present(row, options), shapes_of(row, options), row.blocks
    theta = np.stack([stream(trial, INIT).uniform(-INIT_RANGE, INIT_RANGE, len(mask)) for trial in options.seeds])
    biases = [(slice(0, G), options.input_biases)]
    if options.output_gates == "learned":
        biases.append((slice(-G, None), options.output_biases))
    for rows, values in biases:
        if values != "random":
            views(theta, shapes).b[:, rows, 0] = values
    return theta * mask


class Network:
    """S networks with parameters theta (S, P), and the states in which their last strings left them."""

    def __init__(self, row, options, theta):
        S, shapes = len(theta), shapes_of(row, options)
        self.row, self.options, self.shapes = row, options, shapes
        self.G, self.C, self.H, self.U = row.blocks, row.per_block, shapes["V"][1], shapes["R"][0]
        self.gated = options.output_gates == "learned"
        self.h_range, self.g_range = RANGES[options.ranges]
        (self.W, self.Z), (self.W_has, self.Z_has) = self.joined(theta), self.joined(present(row, options)[None])
        rows = 2 * self.H + (self.G if self.gated else 0)
        self.s, self.y = np.zeros((S, self.C, self.G)), np.zeros((S, self.U))
        self.E = np.zeros((S, rows, self.U + D + 1))  # input gates of all cells, cells, output gates
        self.sum_W, self.sum_Z = np.zeros_like(self.E), np.zeros_like(self.Z)

    def joined(self, theta):
        """W (S, U, K) = [R I^T b] and Z (S, O, Q) = [V A c] of parameters theta (S, P)."""
        p = views(theta, self.shapes)
        return np.concatenate([p.R, p.I.swapaxes(1, 2), p.b], axis=2), np.concatenate([p.V, p.A, p.c], axis=2)

    def flat(self, W, Z):
        """The parameters theta (S, P) of W and Z; the inverse of joined."""
        p = {"R": W[..., : self.U], "I": W[..., self.U : -1].swapaxes(1, 2), "b": W[..., -1:],
             "V": Z[..., : self.H], "c": Z[..., -1:], "A": Z[..., self.H : -1]}  # fmt: skip
        return np.concatenate([p[name].reshape(len(W), -1) for name in self.shapes], axis=1)

    def by_unit(self, rows):
        """Changes (S, U, K) of W, of rows (S, rows of E, K): input gates add those of their cells."""
        S, H = len(rows), self.H
        of_input_gates = rows[:, :H].reshape(S, self.C, self.G, -1).sum(axis=1)
        return np.concatenate([of_input_gates, rows[:, H:]], axis=1)

    def h(self, s):
        """h(s) / h_range, and its slope h'(s)."""
        if self.options.h == "identity":
            return s / self.h_range, 1.0
        h = np.tanh(0.5 * s)
        return h, 0.5 * self.h_range * (1 - h * h)


# --------------------------------------------------------------------------------------------------- forward


def forward(net, x, received=None):
    """Run the networks over strings x (T, n) with frozen weights, from the states of net. Arrays are (T, S, rows, n).

    received (T, U): if given, units receive these values, not the outputs of units at the step before.
    """
    S, n, G, C, H = len(net.W), x.shape[1], net.G, net.C, net.H
    s, y, seen = net.s[..., None], np.broadcast_to(net.y[:, :, None], (S, net.U, n)), []
    for t, symbols in enumerate(x):
        x_t = np.broadcast_to(np.concatenate([symbols == np.arange(D)[:, None], np.ones((1, n))]), (S, D + 1, n))
        if received is not None:
            y = np.broadcast_to(received[t][:, None], (S, net.U, n))
        a = np.tanh(0.5 * np.matmul(net.W, np.concatenate([y, x_t], axis=1)))  # tanh(net_t / 2)
        y_in, a_cell = 0.5 + 0.5 * a[:, None, :G], a[:, G : G + H].reshape(S, C, G, n)  # sigma(net_in), g / g_range
        y_out = 0.5 + 0.5 * a[:, None, G + H :] if net.gated else np.ones((S, 1, G, n))  # sigma(net_out)
        s = s + y_in * (net.g_range * a_cell)  # s_t = s_{t-1} + y_in g(net_c)
        h = net.h(s)[0]  # h(s_t) / h_range
        y_cell = (y_out * net.h_range * h).reshape(S, H, n)  # y_c = y_out h(s_t)
        z = np.matmul(net.Z, np.concatenate([y_cell, x_t], axis=1))  # V y_c + A x_t + c
        y = np.concatenate([y_in[:, 0], y_cell, y_out[:, 0]][: 3 if net.gated else 2], axis=1)  # y_t
        output = 0.5 + 0.5 * np.tanh(0.5 * z)  # sigma(z)
        seen.append((y_in[:, 0], s.reshape(S, H, n), h.reshape(S, H, n), y_out[:, 0], y_cell, y, output))
    names = "in_gate", "s", "h", "out_gate", "y_cell", "y", "output"
    return SimpleNamespace(**{name: np.stack(arrays) for name, arrays in zip(names, zip(*seen))})


def slope_of_outputs(options, y):
    """The factor of the errors of outputs y: y (1 - y), 1, or y (1 - y) + 0.1."""
    squared, entropy = COSTS[options.cost]
    return squared * y * (1 - y) + entropy


# ---------------------------------------------------------------------------------- forward and backward, in time


def learn(net, block, rate):
    """Train the networks on a block of strings. Returns mean absolute errors (S,), and the sources v (T, S, K).

    Errors need no pass back in time: E carries the derivatives of states forward, and errors meet them at each step.
    """
    W, Z, V, E, s, h_range, g_range = net.W, net.Z, net.Z[:, :, : net.H], net.E, net.s, net.h_range, net.g_range
    T, S, G, C, H, U = *block.x.shape[:2], net.G, net.C, net.H, net.U
    ones, cells = np.ones((T + 1, S, 1)), (S, C, G)
    x = np.concatenate([block.x, np.zeros((1, S, D))])
    vs = np.concatenate([np.zeros((T + 1, S, U)), x, ones], axis=2)  # v_t = [y_{t-1}; x_t; 1]
    qs = np.concatenate([np.zeros((T + 1, S, H)), x, ones], axis=2)  # q_t = [y_c; x_t; 1]
    vs[0, :, :U] = net.y
    ds_dnet, delta, product, e = np.empty((S, 2, C, G)), np.empty(E.shape[:2]), np.empty_like(E), np.empty((T, S, O))
    kept, y_out, rate_W, rate_Z = [], 1, rate * net.W_has, rate * net.Z_has
    for t in range(T):
        v, q = vs[t], qs[t]
        a = np.matmul(W, v[:, :, None])[:, :, 0]  # net_t
        a *= 0.5
        np.tanh(a, a)  # tanh(net_t / 2)
        y = 0.5 * a + 0.5  # sigma(net_t)
        slope = y * (1 - y)  # sigma'(net_t)
        y_in, slope_in, slope_cell = y[:, None, :G], slope[:, None, :G], slope[:, G : G + H].reshape(cells)
        g = g_range * a[:, G : G + H].reshape(cells)  # g(net_c)
        s += y_in * g  # s_t = s_{t-1} + y_in g(net_c)
        np.multiply(g, slope_in, ds_dnet[:, 0])  # ds/dnet_in = g sigma'(net_in)
        np.multiply(y_in, 2 * g_range * slope_cell, ds_dnet[:, 1])  # ds/dnet_c = y_in g'(net_c)
        np.multiply(ds_dnet.reshape(S, -1, 1), v[:, None], product[:, : 2 * H])
        E[:, : 2 * H] += product[:, : 2 * H]  # ds/dW_t = ds/dW_{t-1} + ds/dnet v_t^T
        h, slope_h = net.h(s)  # h(s_t) / h_range, h'(s_t)
        if net.gated:
            y_out = y[:, None, G + H :]
            E[:, 2 * H :] = v[:, None]  # dnet_out/dW = v_t^T
        y_cell = h_range * y_out * h  # y_c = y_out h(s_t)
        y[:, G : G + H] = q[:, :H] = y_cell.reshape(S, H)
        vs[t + 1, :, :U] = y  # y_t
        z = np.matmul(Z, q[:, :, None])[:, :, 0]  # V y_c + A x_t + c
        y_k = 0.5 + 0.5 * np.tanh(0.5 * z)  # sigma(z)
        np.multiply(block.target[t] - y_k, block.has_target[t], e[t])  # target - y, 0 after the last string
        e_z = e[t] * slope_of_outputs(net.options, y_k)  # e times the slope
        e_c = np.matmul(e_z[:, None], V).reshape(cells)  # V^T e_z
        delta[:, :H] = delta[:, H : 2 * H] = (y_out * slope_h * e_c).reshape(S, H)  # e_s = y_out h'(s) e_c
        if net.gated:
            e_out = (h_range * h * e_c).sum(axis=1)  # sum of h(s) e_c
            np.multiply(e_out, slope[:, G + H :], delta[:, 2 * H :])  # e_out = sigma'(net_out) sum of h(s) e_c
        np.multiply(delta[:, :, None], E, product)
        net.sum_W += product  # plus e_s ds/dW, e_out v_t^T
        net.sum_Z += e_z[:, :, None] * q[:, None]  # plus e_z q_t^T
        at = block.changes[t]
        if at is not None:
            W[at] += rate_W * net.by_unit(net.sum_W[at])  # W + rate times the sum
            Z[at] += rate_Z * net.sum_Z[at]  # Z + rate times the sum
            net.sum_W[at], net.sum_Z[at] = 0, 0
        at = block.resets[t]
        if at is not None:
            s[at], E[at], vs[t + 1, at, :U] = 0, 0, 0
        for k in block.last[t]:
            kept.append((k, s[k].copy(), E[k].copy(), vs[t + 1, k, :U].copy()))
    for k, *state in kept:  # trials with fewer steps than T went on after their last string, without errors
        s[k], E[k], net.y[k] = state
    return np.abs(e).sum(axis=(0, 2)) / (O * block.has_target.sum(axis=(0, 2))), vs


# -------------------------------------------------------------------------------------------- gradient check


# shared block
def numerical_gradient(loss, theta, step=1e-3):
    """Fourth-order central differences (P,) of loss: (N, P) -> (N,) at theta (P,). All perturbations run together."""
    P = len(theta)
    population = np.tile(theta, (4, P, 1))
    population[:, np.arange(P), np.arange(P)] += step * np.array([[2.0], [1.0], [-1.0], [-2.0]])
    return np.array([-1.0, 8.0, -8.0, 1.0]) @ loss(population.reshape(4 * P, P)).reshape(4, P) / (12 * step)


# shared block
def compare_gradients(variant, analytic, numerical, shapes, tolerance=1e-7, floor=1e-4):
    """Print the largest relative error of two gradients (P,) and its parameter. Returns whether it is within tolerance.

    The error is |a - n| / max(|a|, |n|, floor). The check also fails with fewer than 90 % of gradients above the floor.
    """
    size = np.maximum(np.abs(analytic), np.abs(numerical))
    error = np.nan_to_num(np.abs(analytic - numerical) / np.maximum(size, floor), nan=np.inf)
    worst, share = int(error.argmax()), float((size > floor).mean())
    place = [f"{name}{list(index)}" for name, shape in shapes.items() for index in np.ndindex(shape)][worst]
    ok = error[worst] <= tolerance and share >= 0.9
    print(f"{variant:40} largest relative error {error[worst]:.1e} at {place:10} of {len(error):4} parameters, "
          f"{100 * share:3.0f} % above {floor:g}: {'ok' if ok else 'FAILED'}")  # fmt: skip
    return ok


CHECKED = [  # options whose gradients are checked
    "--task 1-4", "--task 1-5", "--task 1-5 --ranges caption --no-reset --cost mixed",
    "--task 1-5 --recurrence gates-from-gates --output-bias --shortcut --cell-bias --targets legal-0.1",
    "--task 1-5 --output-gates none --output-bias --cost entropy", "--task 1-4 --h identity --targets legal",
]  # fmt: skip


def gradient_check():
    """Check every present parameter of every kind of network, in float64; returns the exit status, 0 or 1.

    The truncated gradient is the exact gradient of a network whose units receive recorded outputs of units, not their
    own outputs. That network is perturbed.
    """
    ok = True
    for line in CHECKED:
        options, _, _ = parse_options([*line.split(), "--seeds", "4"])
        row, n = ROWS[options.task], 6
        mask = present(row, options) == 1
        theta = 0.3 * stream(3, INIT).standard_normal((1, len(mask))) * mask
        net, block = Network(row, options, theta), block_of([4], 0, n, options)
        ends = [t + 1 for t, at in enumerate(block.resets) if at is not None] or [len(block.x)]
        block.changes = [None] * len(block.x)
        _, vs = learn(net, block, 1.0)
        analytic = -net.flat(net.by_unit(net.sum_W), net.sum_Z)[0, mask]

        def loss(population):
            full = np.zeros((len(population), len(mask)))
            full[:, mask] = population
            total, perturbed, (squared, entropy) = 0, Network(row, options, full), COSTS[options.cost]
            for first, last in zip([0, *ends], ends):
                x, target = block.x[first:last, 0].argmax(axis=1)[:, None], block.target[first:last]
                y = forward(perturbed, x, vs[first:last, 0, : net.U]).output[..., 0]
                cross_entropy = target * np.log(y) + (1 - target) * np.log(1 - y)
                total += (0.5 * squared * (target - y) ** 2 - entropy * cross_entropy).sum(axis=(0, 2))
            return total

        numerical = numerical_gradient(loss, theta[0, mask])
        ok &= compare_gradients(line.replace("--", "")[:40], analytic, numerical, {"present": (int(mask.sum()),)})
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and trace


def on_wrong_side(y, states):
    """Which legal outputs are not above all illegal ones, and which illegal ones not below all legal ones.

    y (T, S, O, n): outputs. states (T, n): of the grammar, -1 after the end. Returns two arrays (T, S, O, n).
    """
    inside, legal = (states >= 0)[:, None, None], LEGAL[states].transpose(0, 2, 1)[:, None]
    too_low = legal & inside & ~(y > np.where(legal, -np.inf, y).max(axis=2, keepdims=True))
    return too_low, ~legal & inside & ~(y < np.where(legal, y, np.inf).min(axis=2, keepdims=True))


def solved(net, trials):
    """Whether each network is right on all 512 strings, (S,), and its share of wrong strings among the first FEW."""
    right, wrong_of_few = np.zeros(len(trials), bool), np.zeros(len(trials))
    for pair in range(3):
        members = np.array([k for k, trial in enumerate(trials) if pair_of(trial) == pair], int)
        (x, states), wrong = examined_set(pair, net.options.strings), np.zeros(len(members))
        for part in slice(0, FEW), slice(FEW, None):
            left = np.nonzero(wrong == 0)[0]
            if len(left):
                steps = (states[:, part] >= 0).any(axis=1).sum()
                y = forward(some(net, members[left]), x[:steps, part]).output
                wrong[left] = on_wrong_side(y, states[:steps, part])[0].any(axis=(0, 2)).mean(axis=1)
            if part.start == 0:
                wrong_of_few[members] = wrong
        right[members] = wrong == 0
    return right, wrong_of_few


def some(net, where):
    """The networks with these places (an array), as a Network."""
    part = Network(net.row, net.options, net.flat(net.W[where], net.Z[where]))
    part.s[...], part.y[...], part.E[...] = net.s[where], net.y[where], net.E[where]
    return part


def trace(net, trial):
    """What one network gets wrong, and the saturation of its units; see the docstring. Returns final and trace."""
    x, states = examined_set(pair_of(trial), net.options.strings)
    seen, inside = forward(net, x), states >= 0
    low, high = (side[:, 0] for side in on_wrong_side(seen.output, states))  # (T, O, n)
    at_wrong, y = low.any(axis=1), seen.output[:, 0]
    rivals = np.where(LEGAL[states].transpose(0, 2, 1), -np.inf, y).argmax(axis=1)
    edges = []
    for state, symbol in np.argwhere(LEGAL[:19]):
        here = low[:, symbol] & (states == state)
        if here.any():
            rival = Counter(rivals[here].tolist()).most_common(1)[0][0]
            edges.append([STATE_NAMES[state] + REBER[symbol], round(here.any(axis=0).mean(), 4), REBER[rival]])
    memory, wrong, length = np.isin(states, NEEDS_MEMORY), at_wrong.any(axis=0), inside.sum(axis=0)
    final = {"wrong": wrong.mean(), "training_wrong": wrong[:256].mean(), "test_wrong": wrong[256:].mean(),
             "memory_wrong": (at_wrong & memory).any(axis=0).mean(),
             "grammar_wrong": (at_wrong & ~memory).any(axis=0).mean()}  # fmt: skip

    def shares(values):  # of (T, rows, n), at wrong steps and at all steps
        by_step = values.mean(axis=1)
        return [round(float(by_step[steps].mean()), 4) if steps.any() else None for steps in (at_wrong, inside)]

    gates = {"in": seen.in_gate[:, 0]} | ({"out": seen.out_gate[:, 0]} if net.gated else {})
    state = np.abs(seen.s[:, 0]).mean(axis=1)[inside].mean()
    found = {"edges": sorted(edges, key=lambda edge: -edge[1]), "state": state}
    found["length"] = [round(float(length[of].mean()), 2) if of.any() else None for of in (wrong, ~wrong)]
    if net.options.h == "squashed":
        found["h_saturated"] = shares(np.abs(seen.h[:, 0]) > 0.95)
    for name, gate in gates.items():
        found |= {f"{name}_closed": shares(gate < 0.05), f"{name}_open": shares(gate > 0.95)}
    side = low | high
    found["slope_lost"] = round(float((y * (1 - y) < 0.01)[side].mean()), 4) if side.any() else None
    one, symbols = np.ones((len(x), 1, x.shape[1])), x[:, None] == np.arange(D)[:, None]
    read = [seen.y_cell[:, 0], one], [seen.y_cell[:, 0], symbols, one], [seen.s[:, 0], one]
    failed = at_wrong.any() and np.isfinite(y).all()
    found["best_outputs"] = [best_outputs(np.concatenate(f, axis=1), states) for f in read] if failed else None
    return final, found


def best_outputs(features, states, iterations=25):
    """The share of strings with a wrong step under the best output layer that reads features (T, F, n).

    Newton's method on the sum of log(1 + exp(z_illegal - z_legal)) over all steps and pairs, z = M f, with a ridge.
    """
    inside, F = states >= 0, features.shape[1]
    f, of = features.swapaxes(1, 2)[inside], states[inside]  # (steps, F), (steps,)
    f = f / (np.abs(f).max(axis=0) + 1e-9)
    _, first, place = np.unique(np.column_stack([np.round(f, 9), of]), axis=0, return_index=True, return_inverse=True)
    f, of, M, best, rank = f[first], of[first], np.zeros((O, F)), np.ones(len(first), bool), range(O)
    pairs = [(k, j, f[LEGAL[of, k] & ~LEGAL[of, j]]) for k in rank for j in rank]
    pairs = [(k, j, here) for k, j, here in pairs if len(here)]
    for _ in range(iterations):  # each moves every z by at most 5
        gradient, hessian = 1e-6 * M, (1e-6 * np.eye(O * F)).reshape(O, F, O, F)
        for k, j, here in pairs:
            p = 0.5 - 0.5 * np.tanh(0.5 * (here @ (M[k] - M[j])))  # sigma(z_j - z_k)
            slope, pull = here.T @ ((p * (1 - p))[:, None] * here), p @ here
            gradient[k] -= pull
            gradient[j] += pull
            hessian[k, :, k] += slope
            hessian[j, :, j] += slope
            hessian[k, :, j] -= slope
            hessian[j, :, k] -= slope
        change = np.linalg.solve(hessian.reshape(O * F, O * F), gradient.ravel()).reshape(O, F)
        largest = np.abs(f @ change.T).max()
        M -= change * min(1, 5 / largest)
        wrong = on_wrong_side((f @ M.T).T[None, None], of[None])[0].any(axis=(0, 1, 2))  # (steps,)
        best = wrong if wrong.sum() < best.sum() else best
        if not best.any() or largest < 1e-3:
            break
    at_wrong = np.zeros(states.shape, bool)
    at_wrong[inside] = best[place.ravel()]
    return round(float(at_wrong.any(axis=0).mean()), 4)


# ----------------------------------------------------------------------------------------------------- train


@np.errstate(all="ignore")
def train(row, options, watch=None):
    """Train the trials of a row until each is solved or reaches the cap; see the docstring.

    watch(row, theta) is called at each evaluation; the history also records its values, a dict of (S,). Returns the
    row's part of results.json and arrays for snapshots.npz.
    """
    net, S, started, every = Network(row, options, init_theta(row, options)), len(options.seeds), time.time(), None
    active, solved_at, diverged_at = np.arange(S), [None] * S, [None] * S
    error, wrong, step, history = np.full(S, np.nan), np.full(S, np.nan), 0, {}
    while True:
        over = step == options.steps or not len(active)
        if step % options.eval_every == 0 or over:
            values = {"step": step, "train_error": error.copy(), "wrong": wrong.copy()}
            for name, value in (values | (watch(row, net.flat(net.W, net.Z)) if watch else {})).items():
                history.setdefault(name, []).append(value)
            shown = f"error {np.nanmedian(error):.4f}  solved {S - solved_at.count(None)} of {S}" if step else ""
            print(f"{row.name:8} step {step:6} of {options.steps}  {shown}  {time.time() - started:.0f} s", flush=True)
        if over:
            break
        last = min(step + options.test_every, options.steps)
        trials, now = [options.seeds[k] for k in active], some(net, active)
        error[active], _ = learn(now, block_of(trials, step, last, options), options.lr)
        if every is None:
            every = (time.time() - started) / last
            print(f"estimated time: {every * options.steps:.0f} s, less if trials stop before the cap", flush=True)
        step = last
        for name in "W", "Z", "s", "y", "E":
            getattr(net, name)[active] = getattr(now, name)
        finite = np.isfinite(now.W).all(axis=(1, 2)) & np.isfinite(now.Z).all(axis=(1, 2))
        right, wrong[active] = solved(now, trials)
        for place, is_right, is_finite in zip(active, right & finite, finite):
            if is_right:
                solved_at[place] = step
            if not is_finite:
                diverged_at[place] = step
        active = active[~right & finite]
    return result_of(row, options, net, solved_at, diverged_at, step, history, time.time() - started), arrays_of(net)


def result_of(row, options, net, solved_at, diverged_at, step, history, seconds):
    """The part of results.json for a row."""
    traced = [trace(some(net, np.array([k])), trial) if diverged_at[k] is None else None
              for k, trial in enumerate(options.seeds)]  # fmt: skip
    model = next(filter(None, traced), ({}, {}))
    final, found = ({name: [each and each[part][name] for each in traced] for name in model[part]} for part in (0, 1))
    ends = [solved or diverged or step for solved, diverged in zip(solved_at, diverged_at)]
    return {"trainable_parameters": int(present(row, options).sum()), "weights": weights(options),
            "wall_clock_s": seconds, "sequences_seen": ends, "diverged_at_step": diverged_at, "history": history,
            "final": final, "rules": [{"sequences": solved_at}], "cap": options.steps, "trace": found,
            "paper": {row.name: {"trials": 30, "solved": row.solved, "sequences": [row.sequences]}}}  # fmt: skip


def arrays_of(net):
    """The arrays for snapshots.npz: the weights, and the recorded trial on four strings."""
    options = net.options
    x, states = (array[:, :4] for array in examined_set(pair_of(options.record), options.strings))
    seen = forward(some(net, np.array([options.seeds.index(options.record)])), x)
    arrays = {"x": x, "length": (states >= 0).sum(axis=0)}
    arrays |= {name: getattr(seen, name)[:, 0].astype(np.float16) for name in ("in_gate", "s", "y_cell", "output")}
    p = views(net.flat(net.W, net.Z), net.shapes)
    return arrays | {f"weights/{name}": array for name, array in vars(p).items()}


def weights(options):
    """{blocks x cells: numbers of weights} with the connections of these options."""
    return {f"{row.blocks}x{row.per_block}": int(present(row, options).sum()) for row in (ROWS["1-4"], ROWS["1-5"])}


def print_counts():
    """Print all choices of whole groups of connections and biases that give the paper's 264 and 276 weights.

    Units and outputs may receive inputs, input gates, cells and output gates; each of these may have biases. Outputs
    always receive cells. In each choice a group is present for all or for none.
    """
    sizes = {}
    for shape in PAPER_WEIGHTS:
        G, H = shape[0], math.prod(shape)
        n = {"i": G, "c": H, "o": G, "x": D, "1": 1, "y": O}
        sizes[shape] = {f"{u}<-{w}": n[u] * n[w] for u in "icoy" for w in "icox1" if u + w != "yc"}
    names = list(sizes[4, 1])
    bits = np.arange(2 ** len(names))[:, None] >> np.arange(len(names)) & 1
    totals = {shape: bits @ list(of.values()) + O * math.prod(shape) for shape, of in sizes.items()}
    fits = bits[np.logical_and.reduce([totals[shape] == count for shape, count in PAPER_WEIGHTS.items()])]
    print("i, c, o, y: input gates, cells, output gates, outputs; x: inputs; 1: biases; u<-w: u receives w")
    for choice in fits:
        absent = [name for name, there in zip(names, choice) if not there]
        print(f"absent: {' '.join(absent)}")
    for name in "y<-1", "y<-x", "c<-1", "y<-i", "y<-o":
        print(f"with {name}: {int(fits[:, names.index(name)].sum())} of {len(fits)} choices")


# ----------------------------------------------------------------------------------------------------- files


# shared block
def to_json(value, indent=""):
    """JSON of nested dicts, one entry per line. Floats have six digits; values that are not finite become null."""
    if isinstance(value, dict):
        inner = indent + " "
        entries = [f"{inner}{json.dumps(str(name))}: {to_json(item, inner)}" for name, item in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}" if entries else "{}"
    if isinstance(value, (list, tuple, np.ndarray)):
        return f"[{', '.join(to_json(item, indent) for item in value)}]"
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        value = float(f"{value:.6g}") if math.isfinite(value) else None
    return json.dumps(value)


# shared block
def write_whole(path, write):
    """Write a file completely or not at all. write(file) fills a temporary file, which is then renamed to path."""
    temporary = path.with_name(f".{path.name}")
    with open(temporary, "wb") as file:
        write(file)
    os.replace(temporary, path)


# shared block
def environment():
    """The machine, the versions and the commit of a run. dirty: the script differs from the commit."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True).stdout.strip()

    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    cpu = [line.partition(": ")[2] for line in cpuinfo.splitlines() if line.startswith("model name")]
    commit = git("rev-parse", "--verify", "--quiet", "HEAD") if shutil.which("git") else ""
    return {"python": platform.python_version(), "numpy": np.__version__, "platform": platform.platform(),
            "cpu": (cpu or [platform.processor()])[0], "threads": int(os.environ["OPENBLAS_NUM_THREADS"]),
            "commit": commit or None,
            "dirty": bool(git("status", "--porcelain", "--", Path(__file__).name)) if commit else None}  # fmt: skip


# shared block
def open_output(options, config, parser):
    """Make the folder options.out. Exits with status 2 if it is not writable or, without --force, holds another run."""
    out = Path(options.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "writable", lambda file: None)
        (out / "writable").unlink()
    except OSError as error:
        parser.error(f"argument --out: cannot write to {out}: {error.strerror}")
    held = out / "results.json"
    if held.exists() and not options.force and f'"config": {to_json(config, " ")}' not in held.read_text():
        parser.error(f"argument --out: {out} holds a run with other options; --force replaces it")


# shared block
def write_run(out, results, arrays):
    """Write results.json and snapshots.npz. Removes from out the files of an earlier run, its measures and pictures."""
    old = ["results.json", "snapshots.npz", "measures.json", "weights.npz"]
    write_whole(out / "new.npz", lambda file: np.savez_compressed(file, **arrays))
    for path in [*(out / name for name in old), *out.glob("viz/*.png"), *out.glob("viz/*.gif")]:
        path.unlink(missing_ok=True)
    os.replace(out / "new.npz", out / "snapshots.npz")
    write_whole(out / "results.json", lambda file: file.write(f"{to_json(results)}\n".encode()))


# ------------------------------------------------------------------------------------------------------- CLI


# shared block
def parse_seeds(text):
    """The seeds of a text such as "0-29", "0,3,7" or "0-4,10"."""
    parts = [part.split("-", 1) for part in text.split(",")]
    if all(end.isdecimal() for part in parts for end in part) and all(int(p[0]) <= int(p[-1]) for p in parts):
        seeds = [seed for part in parts for seed in range(int(part[0]), int(part[-1]) + 1)]
        if len(set(seeds)) == len(seeds):
            return seeds
    raise argparse.ArgumentTypeError(f"'{text}' does not parse or names a seed twice: give 0-29 or 0,3,7")


def positive(text, kind=int):
    """The number in text: a whole number of at least 1 or, with kind=float, a finite number above 0."""
    with contextlib.suppress(ValueError):
        if 0 < kind(text) < math.inf:
            return kind(text)
    wanted = "whole number of at least 1" if kind is int else "number above 0"
    raise argparse.ArgumentTypeError(f"'{text}' is not a {wanted}")


def words(options):
    """The text of a dict of options, as it is typed on a command line."""
    typed = []
    for name, value in options.items():
        if isinstance(value, list):
            run = name == "seeds" and len(value) > 2 and value == [*range(value[0], value[-1] + 1)]
            value = f"{value[0]}-{value[-1]}" if run else ",".join(map(str, value))
        option = f"--{'no-' if value is False else ''}{name.replace('_', '-')}"
        typed.append(option if isinstance(value, bool) else f"{option} {value}")
    return " ".join(typed)


def biases(text):
    """The initial biases in text: "random", or a list of numbers, one for each block or one for all."""
    with contextlib.suppress(ValueError):
        return text if text == "random" else [float(word) for word in text.split(",")]
    raise argparse.ArgumentTypeError(f"'{text}' is not random or a list of numbers such as 0,0,0")


def build_parser():
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(SCRIPT, description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add, flag = parser.add_argument, argparse.BooleanOptionalAction
    add("--task", choices=ROWS, default="1-5", metavar="ROW", help="row of the paper's Table 1: 1-1 to 1-5")
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which trials")
    add("--steps", type=positive, help=f"strings; a trial that needs more has failed (if not given: {CAP} times the "
        "paper's mean)")  # fmt: skip
    add("--lr", type=partial(positive, kind=float), help="learning rate (if not given: the row's)")
    add("--ranges", choices=RANGES, default="equations", help="ranges of h and g: of the equations, or of a caption")
    add("--cost", choices=COSTS, default="squared", help="factor of errors: the slope, 1, or the slope plus 0.1")
    add("--update", choices=["sequence", "step"], default="sequence", help="when weights change")
    add("--recurrence", choices=RECURRENCE, default="full", help="which units receive which units: all; gates receive "
        "all; none; input gates receive gates, or all; both kinds of gates receive gates")  # fmt: skip
    add("--output-bias", action=flag, default=False, help="whether outputs have biases")
    add("--cell-bias", action=flag, default=False, help="whether cells have biases")
    add("--shortcut", action=flag, default=False, help="whether outputs receive inputs (diagnosis)")
    add("--input-biases", type=biases, default="random", help="initial biases of input gates: random, or 0,0,0")
    add("--output-biases", type=biases, help="the same of output gates, such as =-1,-2,-3 (if not given: these)")
    add("--output-gates", choices=["learned", "none"], default="learned", help="without output gates, y_out is 1")
    add("--h", choices=["squashed", "identity"], default="squashed", help="h as in the paper, or h(s) = s (diagnosis)")
    add("--targets", choices=["next", "legal", "legal-0.1"], default="next", help="1 for the next symbol, or for all "
        "legal ones, and 0 for the others, or 0.1 (diagnosis)")  # fmt: skip
    add("--strings", choices=["drawn", "distinct"], default="drawn", help="whether sets may repeat a string, or not")
    add("--reset", action=flag, default=True, help="whether states start at zero in each string; if not, tests start "
        "from the states that the last string left")  # fmt: skip
    add("--test-every", type=positive, default=100, help="strings between tests")
    add("--eval-every", type=positive, help="strings between entries of the history (if not given: a quarter of the "
        "paper's mean)")  # fmt: skip
    add("--record", type=int, metavar="SEED", help="trial whose states are recorded (if not given: the first)")
    add("--out", metavar="DIR", help="folder for the results (if not given: named after the options that differ)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not possible here")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check the gradients of all kinds of networks")
    add("--counts", action="store_true", help="only print which connections give the paper's numbers of weights")
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's or the row's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    row = ROWS[first.task]
    every = max(1, row.sequences // 4 // first.test_every) * first.test_every
    defaults = {"steps": CAP * row.sequences, "lr": row.rate, "eval_every": every, "record": first.seeds[0],
                "output_biases": [-1.0, -2.0, -3.0, -4.0][: row.blocks]}  # fmt: skip
    parser.set_defaults(**defaults | (QUICK if first.quick else {}))
    options, base = parser.parse_args(argv), parser.parse_args([])
    for name in "input_biases", "output_biases":  # one number is for all blocks
        value = getattr(options, name)
        setattr(options, name, value * row.blocks if value != "random" and len(value) == 1 else value)
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    gates = options.output_gates == "learned"
    problems = [
        *((name, getattr(options, name) != "random" and len(getattr(options, name)) != row.blocks,
           f"give one number, or {row.blocks}") for name in ("input_biases", "output_biases")),
        ("output_biases", not gates and options.output_biases != defaults["output_biases"], "there are no gates"),
        ("eval_every", options.eval_every % options.test_every > 0, f"not a multiple of {options.test_every}, the "
         "number of strings between tests"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("resume", options.resume, f"not possible here; python3 -m studies run -- {SCRIPT} keeps finished shards"),
        ("out", options.out == "", "a folder is wanted"),
    ]  # fmt: skip
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


for _shape, _row in ((4, 1), "1-4"), ((3, 2), "1-5"):
    assert weights(parse_options([])[0])["x".join(map(str, _shape))] == PAPER_WEIGHTS[_shape], "the paper's sizes"


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print(
        "\nrow    weights    paper     solved   sequences: mean          median [range]    paper  memory  grammar wrong"
    )
    for name, run in results["runs"].items():
        met = np.array([n for n in run["rules"][0]["sequences"] if n is not None], dtype=float)
        spread = f"{np.median(met):,.0f} [{met.min():,.0f}, {met.max():,.0f}]" if met.size else "-"
        row, mean = ROWS[name], f"{met.mean():,.0f}" if met.size else "-"
        parts = [sum((value or 0) > 0 for value in run["final"][part]) for part in ("memory_wrong", "grammar_wrong")]
        weights_here = f"{run['trainable_parameters']:9}{PAPER_WEIGHTS[row.blocks, row.per_block]:9}"
        of = f"{met.size}/{len(results['seeds'])}"
        print(f"{name:5}{weights_here}{of:>11}{mean:>18}{spread:>24}{row.sequences:>9,}{parts[0]:8}{parts[1]:9}")
        edges = Counter(edge[0] for edges in run["trace"]["edges"] for edge in edges or [])
        print(f"trials with a wrong edge: {', '.join(f'{edge} {n}' for edge, n in edges.most_common(12)) or 'none'}")
        print(f"weights with these connections: {run['weights']}; the paper's: {PAPER_WEIGHTS}")
        for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
            print(f"trial {seed} was frozen at step {step}, where its weights were not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: see train."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    if options.counts:
        return print_counts() or 0
    config = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}
    open_output(options, config, parser)
    print(f"{SCRIPT}: row {options.task}{', ' * bool(changed)}{words(changed)}; writes {options.out}", flush=True)
    row = ROWS[options.task]
    result, arrays = train(row, options, watch)
    command = shlex.join(["python3", SCRIPT, *argv])
    results = {"schema": 1, "experiment": EXPERIMENT, "command": command, "config": config,
               "environment": environment(), "seeds": options.seeds, "runs": {row.name: result}}  # fmt: skip
    write_run(Path(options.out), results, {f"{row.name}/{name}": array for name, array in arrays.items()})
    print_summary(json.loads(to_json(results)))
    print(f"\nwrote {Path(options.out) / 'results.json'} and snapshots.npz")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}")
