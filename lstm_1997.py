#!/usr/bin/env python3
"""The network of 1997 on the tasks of 1997: the tables of the paper that introduced LSTM, row by row.

S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997; numbers of tasks,
equations and tables are the paper's. Its tasks are 1, the embedded Reber grammar; 2a, 2b, 2c, long time lags without
noise, without local regularities, and very long ones; 3a, 3b, 3c, two sequences with noise and signal on one line; 4,
adding; 5, multiplication; 6a, 6b, temporal order of two or three symbols. ROWS has a row for every row of its tables of
results, with the network that its Table 10 gives, asserts the number of weights, and RULES when training stops; see
--list, and make_batch for the tasks. All trials of a row run side by side, each online: one sequence, then plain
gradient descent. A trial is frozen when it meets its last stopping rule, and has failed if it has not met it at the cap,
five times the paper's mean.

The network. Blocks of one input gate, one output gate and one or two cells. v_t = [y_{t-1}; x_t; 1] is the source of all gates
and cells at step t, where y has what gates and cells put out; outputs z receive cells only:

    y_in = sigma(W_in v_t)    y_out = sigma(W_out v_t)    s_t = s_{t-1} + y_in g(W_c v_t)    y_c = y_out h(s_t)
    z_t = sigma(V y_c + c)    h(x) = H tanh(x / 2)    g(x) = G tanh(x / 2)

In tasks 2a and 2b inputs reach the outputs, too; their one cell and its input gate receive inputs alone, there is no
output gate, g is sigma and h the identity.

The truncated gradient (appendix A.1). Errors that reach the net input of a gate or a cell change that unit's weights but
go no further; only states carry errors back. There is no forget gate, so they do not change on their way: the error of
s_t is the sum of what enters the state from t on, and backward needs no loop over time. This is the exact gradient of
the network whose gates and cells receive recorded outputs of gates and cells, which is what the gradient check perturbs.

Where the paper leaves room or contradicts itself, there is an option, whose default is the row's reading; how readings
were chosen, and what others give, is in the README. --ranges: H = 1 and G = 2, as the equations have
it, or H = 2 and G = 1, as the caption of Table 10 has. --cost: errors of outputs with the slope z (1 - z) in them, as
the appendix has it, without (which is the gradient of cross-entropy), or with the slope plus 0.1. --update: weights
change after every sequence, or at every step with an error. --cell, --errors: how tasks 2a and 2b add their cell, where
there are errors. --first-pair: what becomes of the first pair if it is to be marked (4, 5).

Axes of arrays: S trials, T steps, B sequences, D inputs, O outputs, b blocks, n cells, U gates and cells, F rows of
[input gates; cells; output gates] with gates once for each cell, P parameters. (In ROWS, as in the paper, S is the size
of a block.) Names: a, tanh of halved net inputs; y,
twice what units put out; E, errors of states; delta, those of net inputs; dz, those of the outputs' net inputs.

The headline, python3 lstm_1997.py, row 6a with thirty trials, ends like this:

    row    weights   rule    solved   sequences: mean     median [range]             paper    wrong   error
    6a         156      1     30/30            23,835       23,446 [15,963, 32,938]    31,390      0.0  0.0217

Files in --out (default: results/lstm_1997/ROW). results.json: settings, the history of every trial (mean absolute error
and share of wrong answers: of the last 2,000 training sequences, or of the last test where the rules ask for tests),
under rules the sequences until each was met and what a test on fresh sequences said then, final tests, measures (see
measure), the paper's figures. snapshots.npz, for the first trial, N snapshots over training of k recorded sequences,
under the row's name:

    step (N,)   x (T, k) or (T, D, k), length (k,), target (O, k) or (T, k): the recorded sequences
    in_gate (N, T, b, k)   out_gate (N, T, b, k)   s (N, T, n, k)   y_cell (N, T, n, k), in half precision
    output (N, T or 1, O, k)   weights/R (U, U), I (D, U), b (U, 1), V (O, n), c (O, 1), A (D, O), after training

How this differs from the paper: in trials (thirty, or ten for rows that take long), in the readings above, in the cell of
task 2a, which is there from the start, in errors of task 2b, at the end only, in tests every 500 sequences.
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
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy loads; more threads only slow matrices this small
import numpy as np

EXPERIMENT = "lstm_1997"
HEADLINE = "6a"
QUICK = {"steps": 1000, "eval_n": 256, "eval_every": 100, "snapshot_every": 100, "seeds": "0-2",
         "out": f"results/quick/{EXPERIMENT}"}  # fmt: skip
CAP = 5  # times the paper's mean: a trial that has not met its last rule by then has failed
CHUNK = 500  # sequences drawn at a time, and from one test to the next in rows whose rules ask for tests
BLOCK = 500  # sequences of a test that is drawn anew, at a time
WINDOW = 2000  # training sequences that rules look back on
SUMMED = 64  # steps whose parts of a gradient are summed by one product
VALUES = 2**20  # of one variable that pass through a network side by side in a test
STEADY = 200  # task 2a: sequences over which the error falls by less than a tenth before the cell is added
INIT, TRAIN, TEST, EVAL, RECORD, SETS = range(6)  # streams of random numbers


@dataclass(frozen=True)
class Row:
    """A row of the paper's tables of results, with what its Table 10 says of the network.

    p: symbols of task 2, shortest sequence of tasks 3 to 6; lag: the least time lag (task 2c: plus 1); b, S: blocks,
    cells of a block; W: weights. c: connections; with F, gates and cells receive inputs, gates and cells, and outputs
    receive cells; with B, the input gate and the cell receive inputs, and outputs receive inputs and the cell. ogb,
    igb: initial biases of output and input gates, block by block (r: random; none: no biases; no og: no output gates).
    bias: units that have one: gates (ga), gates and cells (b1), these and outputs (all). h, g: h1 is 2 sigma - 1, g2
    is 4 sigma - 2, g1 is sigma, id is the identity. rate: of learning. init: initial weights are in [-init, init].
    N: leading elements that tell the class (task 3). trials, solved: the paper's, and the share that it says solved
    the task, or None. sequences, wrong: the paper's mean number of training sequences, and wrong answers of 2560 or
    their share, until each stopping rule; None where it says nothing. ranges, cost: how the row is read, see --ranges
    and --cost.
    """

    name: str
    p: int
    lag: int
    b: int
    S: int
    inputs: int
    outputs: int
    W: int
    c: str
    ogb: object
    igb: object
    bias: str
    h: str
    g: str
    rate: float
    init: float
    N: int
    trials: int
    solved: float
    sequences: tuple
    wrong: tuple
    ranges: str
    cost: str
    gradient: str = "truncated"
    errors: str = "every"  # of tasks 1, 2a, 2b: at every step; or task 1, at the last but one, task 2b, at the last

    @property
    def task(self):
        return self.name.partition("-")[0]

    @property
    def every_step(self):
        """Whether there is an error at every step; else there is one at the sequence's end."""
        return self.task in ("1", "2a") or self.task == "2b" and self.errors == "every"

    @property
    def symbolic(self):
        """Whether inputs are symbols, one unit for each; else they are values."""
        return self.task[0] in "126"

    @property
    def h_range(self):
        """H of h1 = H tanh(x / 2): its values are between -H and H."""
        return {"equations": 1, "caption": 2}[self.ranges]

    @property
    def g_range(self):
        """G of g2 = G tanh(x / 2); 2 also for g1, of which g2 would be 4 g1 - 2."""
        return {"equations": 2, "caption": 1}[self.ranges] if self.g == "g2" else 2

    @property
    def units(self):
        """Numbers of input gates, cells and output gates."""
        return self.b, self.b * self.S, self.b if self.c == "F" else 0

    @property
    def shapes(self):
        """Of the parameters: weights from units, from inputs, biases; of outputs: from cells, biases, from inputs."""
        U, n, D, O = sum(self.units), self.b * self.S, self.inputs, self.outputs
        if self.c == "F":
            return {"R": (U, U), "I": (D, U), "b": (U, 1), "V": (O, n), "c": (O, 1)}
        return {"I": (D, U), "V": (O, n), "A": (D, O)}

    @property
    def present(self):
        """Which of the parameters (P,) the network has: all but some biases; as 0 and 1."""
        mask = np.ones((1, sum(math.prod(shape) for shape in self.shapes.values())))
        if self.c == "F":
            has, (i, n, _) = views(mask, self.shapes), self.units
            has.b[...] = self.bias != "none"
            has.b[:, i : i + n] = self.bias in ("b1", "all")
            has.c[...] = self.bias == "all"
        return mask[0]


_I3, _O3, _O4 = (-1, -3, -5), (-2, -4, -6), (-1, -2, -3, -4)
ROWS = {row[0]: Row(*row) for row in [
    # name   p     lag   b  S  in    out  W      c    ogb      igb           bias    h     g     rate  init N trials solved sequences   wrong                ranges       cost
    ("1-1",  9,    9,    4, 1, 7,    7,   264,   "F", _O4,     "r",          "ga",   "h1", "g2", 0.1,  0.2, 0, 30, 1.00, (39740,),         (None,),          "caption",   "squared"),
    ("1-2",  9,    9,    3, 2, 7,    7,   276,   "F", _O4[:3], "r",          "ga",   "h1", "g2", 0.1,  0.2, 0, 30, 1.00, (21730,),         (None,),          "caption",   "squared"),
    ("1-3",  9,    9,    3, 2, 7,    7,   276,   "F", _O4[:3], "r",          "ga",   "h1", "g2", 0.2,  0.2, 0, 30, 0.97, (14060,),         (None,),          "caption",   "squared"),
    ("1-4",  9,    9,    4, 1, 7,    7,   264,   "F", _O4,     "r",          "ga",   "h1", "g2", 0.5,  0.2, 0, 30, 0.97, (9500,),          (None,),          "caption",   "squared"),
    ("1-5",  9,    9,    3, 2, 7,    7,   276,   "F", _O4[:3], "r",          "ga",   "h1", "g2", 0.5,  0.2, 0, 30, 1.00, (8440,),          (None,),          "caption",   "squared"),
    ("2a",   100,  100,  1, 1, 101,  101, 10504, "B", "no og", "none",       "none", "id", "g1", 1.0,  0.2, 0, 18, 1.00, (5040,),          (None,),          "equations", "entropy"),
    ("2b",   100,  100,  1, 1, 101,  101, 10504, "B", "no og", "none",       "none", "id", "g1", 1.0,  0.2, 0, 18, 1.00, (5680,),          (None,),          "equations", "entropy"),
    ("2c-1", 50,   50,   2, 1, 54,   2,   364,   "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (30000,),         (None,),          "caption",   "mixed"),
    ("2c-2", 100,  100,  2, 1, 104,  2,   664,   "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (31000,),         (None,),          "caption",   "mixed"),
    ("2c-3", 200,  200,  2, 1, 204,  2,   1264,  "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (33000,),         (None,),          "caption",   "mixed"),
    ("2c-4", 500,  500,  2, 1, 504,  2,   3064,  "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (38000,),         (None,),          "caption",   "mixed"),
    ("2c-5", 1000, 1000, 2, 1, 1004, 2,   6064,  "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (49000,),         (None,),          "caption",   "mixed"),
    ("2c-6", 500,  1000, 2, 1, 504,  2,   3064,  "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (49000,),         (None,),          "caption",   "mixed"),
    ("2c-7", 200,  1000, 2, 1, 204,  2,   1264,  "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (75000,),         (None,),          "caption",   "mixed"),
    ("2c-8", 100,  1000, 2, 1, 104,  2,   664,   "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (135000,),        (None,),          "caption",   "mixed"),
    ("2c-9", 50,   1000, 2, 1, 54,   2,   364,   "F", "none",  "none",       "none", "h1", "g2", 0.01, 0.2, 0, 20, None, (203000,),        (None,),          "caption",   "mixed"),
    ("3a-1", 100,  100,  3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 1.0,  0.1, 3, 10, None, (27380, 39850),   (None, 0.000195), "equations", "squared"),
    ("3a-2", 100,  100,  3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 1.0,  0.1, 1, 10, None, (58370, 64330),   (None, 0.000117), "equations", "squared"),
    ("3a-3", 1000, 1000, 3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 1.0,  0.1, 3, 10, None, (446850, 452460), (None, 0.000078), "equations", "squared"),
    ("3b-1", 100,  100,  3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 1.0,  0.1, 3, 10, None, (41740, 43250),   (None, 0.00828),  "equations", "squared"),
    ("3b-2", 100,  100,  3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 1.0,  0.1, 1, 10, None, (74950, 78430),   (None, 0.01500),  "equations", "squared"),
    ("3b-3", 1000, 1000, 3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 1.0,  0.1, 1, 10, None, (481060, 485080), (None, 0.01207),  "equations", "squared"),
    ("3c-1", 100,  100,  3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 0.1,  0.1, 3, 10, None, (269650,),        (0.00558,),       "equations", "squared"),
    ("3c-2", 100,  100,  3, 1, 1,    1,   102,   "F", _O3,     _I3,          "b1",   "h1", "g2", 0.1,  0.1, 1, 10, None, (565640,),        (0.00441,),       "equations", "squared"),
    ("4-1",  100,  50,   2, 2, 2,    1,   93,    "F", "r",     (-3, -6),     "all",  "h1", "g2", 0.5,  0.1, 0, 10, None, (74000,),         (1,),             "caption",   "entropy"),
    ("4-2",  500,  250,  2, 2, 2,    1,   93,    "F", "r",     (-3, -6),     "all",  "h1", "g2", 0.5,  0.1, 0, 10, None, (209000,),        (0,),             "caption",   "entropy"),
    ("4-3",  1000, 500,  2, 2, 2,    1,   93,    "F", "r",     (-3, -6),     "all",  "h1", "g2", 0.5,  0.1, 0, 10, None, (853000,),        (1,),             "caption",   "entropy"),
    ("5",    100,  50,   2, 2, 2,    1,   93,    "F", "r",     "r",          "all",  "h1", "g2", 0.1,  0.1, 0, 10, None, (482000, 1273000), (139, 14),       "caption",   "entropy"),
    ("6a",   100,  40,   2, 2, 8,    4,   156,   "F", "r",     (-2, -4),     "all",  "h1", "g2", 0.5,  0.1, 0, 20, None, (31390,),         (1,),             "equations", "squared"),
    ("6b",   100,  24,   3, 2, 8,    8,   308,   "F", "r",     (-2, -4, -6), "all",  "h1", "g2", 0.1,  0.1, 0, 10, None, (571100,),        (2,),             "equations", "squared"),
]}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """When training stops: fewer than wrong of so many sequences wrong, their mean absolute error below error."""

    wrong: int
    error: float = math.inf


TOLERANCE = {"2a": 0.25, "2b": 0.25, "2c": 0.2, "3a": 0.2, "3b": 0.2, "3c": 0.1, "4": 0.04, "5": 0.04, "6a": 0.3,
             "6b": 0.3}  # fmt: skip
RULES = {  # of each task, one after the other
    "1": [Rule(1)], "2a": [Rule(1)], "2b": [Rule(1)], "2c": [Rule(1)],
    "3a": [Rule(1), Rule(1, 0.01)], "3b": [Rule(6), Rule(6, 0.04)], "3c": [Rule(1, 0.015)],
    "4": [Rule(1, 0.01)], "5": [Rule(140), Rule(13)], "6a": [Rule(1, 0.1)], "6b": [Rule(1, 0.1)],
}  # fmt: skip
READINGS = {"1": {"update": "step"}, "2a": {"update": "step", "cell": "first"}, "2b": {"errors": "end"}}  # besides
COSTS = {"squared": (1, 0), "entropy": (0, 1), "mixed": (1, 0.1)}  # shares of half the squared error, cross-entropy
TESTS = {"1": 512, "2a": 2, "2b": 10000, "2c": 10000, "3a": 256, "3b": 256, "3c": 256}  # else: on training sequences

# ------------------------------------------------------------------------------------------------------ data


# shared block
def stream(seed, *key):
    """A generator of its own for each (seed, *key): what is drawn from one never shifts another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


REBER = "BTPSXVE"


def reber_edges():
    """The embedded Reber grammar (the paper's Figures 3 and 4): symbol and next state of each state's two edges.

    Both are (20, 2); where a state has one edge it is there twice. State 0 is the first, 19 the last.
    """
    inner = ["B1", "T2 P3", "S2 X4", "T3 V5", "X3 S6", "P4 V6", "E7"]
    edges = {0: "B1", 1: "T2 P10", 9: "T18", 17: "P18", 18: "E19", 19: "E19"}
    for first in 2, 10:
        for state, words in enumerate(inner, start=first):
            edges[state] = " ".join(f"{word[0]}{first + int(word[1:])}" for word in words.split())
    pairs = [(2 * edges[state].split())[-2:] for state in range(20)]
    symbol = np.array([[REBER.index(word[0]) for word in pair] for pair in pairs])
    return symbol, np.array([[int(word[1:]) for word in pair] for pair in pairs])


REBER_SYMBOL, REBER_NEXT = reber_edges()


def reber_strings(rng, n):
    """Draw n strings of the embedded Reber grammar: numbers of symbols (n, T), -1 behind a string's end."""
    state, strings = np.zeros(n, int), []
    while (state < 19).any():
        edge = rng.integers(2, size=n)
        strings.append(np.where(state < 19, REBER_SYMBOL[state, edge], -1))
        state = REBER_NEXT[state, edge]
    return np.stack(strings, axis=1)


def reber_legal(strings):
    """Symbols that may follow each but the last of strings (n, T), -1 behind their ends: bool (T - 1, 7, n)."""
    state, each = np.zeros(len(strings), int), np.arange(len(strings))
    legal = np.zeros((strings.shape[1] - 1, 7, len(strings)), bool)
    for t, symbol in enumerate(strings.T[:-1]):
        state = REBER_NEXT[state, np.where(REBER_SYMBOL[state, 0] == symbol, 0, 1)]
        for edge in range(2):
            legal[t, REBER_SYMBOL[state, edge], each] = True
    return legal


def reber_sets(pair, distinct):
    """A pair of sets, for training and for testing: strings (256, T) each; no test string is a training string.

    distinct: no string is twice in a set.
    """
    rng, sets = stream(pair, SETS), ([], [])
    for k, strings in enumerate(sets):
        known = {tuple(string) for string in sets[0]} if k else set()
        while len(strings) < 256:
            (drawn,) = reber_strings(rng, 1)
            if tuple(drawn) not in known:
                strings.append(drawn)
                known |= {tuple(drawn)} if distinct else set()
    T = max(len(string) for string in sets[0] + sets[1])
    return [np.array([np.pad(string, (0, T - len(string)), constant_values=-1) for string in drawn]) for drawn in sets]


def sets_of(trials, strings):
    """{trial: its pair of sets}, the same for ten trials in a row, of three in all, as in the paper."""
    pairs = {pair: reber_sets(pair, strings == "distinct") for pair in {trial // 10 % 3 for trial in trials}}
    return {trial: pairs[trial // 10 % 3] for trial in trials}


def make_batch(rng, n, row, options, strings=None):
    """Draw n sequences of a row's task: a namespace of arrays whose last axis is the sequence.

    x: inputs (T, n), numbers of symbols, or (T, D, n), values. length: (n,), up to T. Errors at every step: target
    (T, n), the next symbols, -1 behind the end, and for task 1 legal (T, 7, n), those that may be next. Errors at the
    end: target (O, n), and wanted (O, n), the same without the noise that task 3c puts on it.
    strings: of task 1, to choose from; fresh ones if not given.
    """
    task, p, each = row.task, row.p, np.arange(n)
    if task in ("1", "2a", "2b"):
        if task == "1":
            strings = reber_strings(rng, n) if strings is None else strings[rng.integers(len(strings), size=n)]
        else:  # a_1 to a_(p-1), x, y
            strings = np.tile(np.arange(-1, p), (n, 1)) if task == "2a" else rng.integers(p - 1, size=(n, p + 1))
            strings[:, 0] = strings[:, -1] = rng.integers(p - 1, p + 1, size=n)
        if row.every_step:
            return symbols_to_predict(strings, row)
        target = np.eye(row.outputs)[:, strings[:, -1]]
        return SimpleNamespace(x=strings[:, :-1].T, length=np.full(n, p), target=target, wanted=target)
    if task == "2c":  # a_1 to a_p, e, b, x, y
        length = row.lag + 2 + rng.geometric(0.1, size=n)
        x = rng.integers(p, size=(length.max(), n))
        which = rng.integers(2, size=n)
        x[0], x[1], x[length - 1, each] = p + 1, p + 2 + which, p
        target = np.eye(2)[:, which]
        return SimpleNamespace(x=x, length=length, target=target, wanted=target)
    T = p + p // 10
    length = rng.integers(p, T, size=n, endpoint=True)
    if task[0] == "3":
        x = math.sqrt(0.2) * rng.standard_normal((T, 1, n))
        of_class_1 = rng.integers(2, size=n)
        x[: row.N] = (x[: row.N] if task == "3b" else 0) + 2 * of_class_1 - 1
        wanted = target = of_class_1[None].astype(float)
        if task == "3c":
            wanted = np.where(of_class_1[None], 0.2, 0.8)
            target = wanted + math.sqrt(0.1) * rng.standard_normal((1, n))
        return SimpleNamespace(x=x, length=length, target=target, wanted=wanted)
    if task in "45":
        neutral = {"4": 0.0, "5": 1.0}[task]
        x = np.zeros((T, 2, n))
        x[:, 0] = rng.uniform(-1 if task == "4" else 0, 1, size=(T, n))
        first, second = rng.integers(10, size=n), rng.integers(p // 2 - 1, size=n)
        second += second >= first
        x[0, 1] = x[length - 1, 1, each] = -1
        values = []
        for t in first, second:
            value = np.where(t == 0, neutral, x[t, 0, each])
            x[t, 1, each] = 1 if options.first_pair != "unmarked" else np.where(t == 0, -1, 1)
            if options.first_pair == "replaced":
                x[t, 0, each] = value
            values.append(value)
        target = 0.5 + sum(values)[None] / 4 if task == "4" else math.prod(values)[None]
        return SimpleNamespace(x=x, length=length, target=target, wanted=target)
    x = rng.integers(2, 6, size=(T, n))  # E, B, a, b, c, d, X, Y
    x[0], x[length - 1, each], which = 0, 1, np.zeros(n, int)
    for low, high in {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}[task]:
        symbol, t = rng.integers(2, size=n), rng.integers(low, high, size=n, endpoint=True)
        x[t - 1, each] = 6 + symbol  # the first element is that of t = 1
        which = 2 * which + symbol
    target = np.eye(row.outputs)[:, which]
    return SimpleNamespace(x=x, length=length, target=target, wanted=target)


def symbols_to_predict(strings, row):
    """Sequences as make_batch gives them, of strings of symbols (n, T + 1), -1 behind their ends."""
    x, target = np.maximum(strings.T[:-1], 0), strings.T[1:]
    legal, length = {"legal": reber_legal(strings)} if row.task == "1" else {}, (target >= 0).sum(axis=0)
    if row.errors == "end":
        target = np.where(np.arange(len(target))[:, None] == length - 2, target, -1)
    return SimpleNamespace(x=x, length=length, target=target, **legal)


def side_by_side(batches):
    """Sequences of several trials, each (..., n), as one namespace of arrays (..., S, n), the shorter padded."""
    arrays, T = {}, max(len(batch.x) for batch in batches)
    for name in vars(batches[0]):
        each = [getattr(batch, name) for batch in batches]
        if name in ("x", "legal") or name == "target" and not hasattr(batches[0], "wanted"):  # (T, ...)
            fill = -1 if name == "target" else 0
            each = [np.pad(a, [(0, T - len(a))] + [(0, 0)] * (a.ndim - 1), constant_values=fill) for a in each]
        arrays[name] = np.stack(each, axis=-2)
    return SimpleNamespace(**arrays)


def draw(row, options, trials, *key, n, sets=None):
    """Sequences for these trials, each from its own stream key: arrays (..., S, n); see make_batch."""
    return side_by_side([make_batch(stream(trial, *key), n, row, options, sets and sets[trial][0]) for trial in trials])


# ------------------------------------------------------------------------------------------------ parameters


# shared block
def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


for _row in ROWS.values():
    assert _row.present.sum() == _row.W, f"{_row.name}: {_row.present.sum()} weights, the paper has {_row.W}"


def init_theta(row, trials, dtype):
    """Initial parameters (S, P): uniform in [-init, init], but for the biases that the row gives; 0 where absent."""
    present = row.present
    theta = np.stack([stream(trial, INIT).uniform(-row.init, row.init, len(present)) for trial in trials]) * present
    (i, n, _) = row.units
    for gates, biases in (slice(0, i), row.igb), (slice(i + n, None), row.ogb):
        if isinstance(biases, tuple):
            views(theta, row.shapes).b[:, gates, 0] = biases
    return theta.astype(dtype)


class Network:
    """S networks of a row on parameters theta (S, P), with every array for T steps of B sequences each.

    Each cell has a row of its own for its gates' activations, so that nothing in a step's loop is broadcast: rows are
    [in; cells; out], n each, of which the b in the middle of [in; cells] on, to the first b of out, are the source of
    the next step. With tanh for all units, sigma(x) = (1 + tanh(x / 2)) / 2, net inputs are kept halved in a, and what
    gates and cells put out doubled in y: each factor of two is a call saved.
    """

    def __init__(self, row, theta, T, B=1):
        S, dtype, (i, n, o) = len(theta), theta.dtype, row.units
        T = -(-T // SUMMED) * SUMMED
        self.row, self.theta, self.T, self.B = row, theta, T, B
        self.p, self.grad = views(theta, row.shapes), np.zeros_like(theta)
        self.d = views(self.grad, row.shapes)
        self.offset = row.inputs * np.arange(S)[:, None]  # of a trial's symbols among those of all
        of_gate = list(range(i)) * row.S
        self.tied = np.array(of_gate + list(range(i, i + n)) + ([i + n + k for k in of_gate] if o else []))
        F = len(self.tied)
        self.a, self.y = np.zeros((T, F, S, B), dtype), np.zeros((T + 1, F, S, B), dtype)
        self.s, self.h = np.zeros((T + 1, n, S, B), dtype), np.zeros((T, n, S, B), dtype)
        self.source = self.y[:, n - i : 2 * n + o]  # (T + 1, U, S, B), of step t at t
        self.E, self.delta = np.zeros((T, n, S), dtype), np.zeros((T, i + n + o, S), dtype)
        self.cells = self.y[:, n : 2 * n] if o else self.s  # what outputs receive, of step t at t + 1
        self.step_numbers = np.arange(T)[:, None, None]
        self.half, self.one = np.array(0.5, dtype), np.array(1.0, dtype)
        self.h_range, self.g_range = np.array(row.h_range, dtype), np.array(row.g_range, dtype)
        self.gain = np.ones(i + n + o, dtype)
        if o:
            self.gain[i : i + n] = row.h_range
        if o:
            flat = [array.reshape(len(array), -1) for array in (self.a, self.y[1:], self.s, self.h)]
            a, y, s, h = flat
            k = n * S * B
            self.steps = list(zip(self.source.transpose(0, 2, 1, 3), self.a.transpose(0, 2, 1, 3), a, y, y[:, :k],
                                  a[:, k : 2 * k], s, s[1:], h, y[:, 2 * k :], y[:, k : 2 * k]))  # fmt: skip


# --------------------------------------------------------------------------------------------------- forward


def from_inputs(net, x):
    """Halves of what inputs x (T, S, B) or (T, D, S, B) and biases give to rows [in; cells; out]: (T, F, S, B)."""
    p, tied, half = net.p, net.tied, net.half
    I = half * (p.I[:, :, tied] if net.row.S > 1 else p.I)  # (S, D, F)
    b = half * p.b[:, tied] if net.row.c == "F" else 0  # (S, F, 1)
    if net.row.symbolic:  # of all inputs one is 1
        S, D, F = I.shape
        I += np.swapaxes(b, 1, 2) if net.row.c == "F" else 0
        return np.take(I.reshape(S * D, F), x + net.offset, axis=0).transpose(0, 3, 1, 2)
    given, I = b.transpose(1, 0, 2), np.ascontiguousarray(I.transpose(1, 2, 0))[..., None]  # (D, F, S, 1)
    for d in range(len(I)):
        given = given + I[d] * x[:, None, d]
    return given


def forward(net, x, sources=None):
    """Run the networks over x, (T, S, B) symbols or (T, D, S, B) values, from the state in y[0] and s[0]; see outputs.

    sources (T, U, S, B): what gates and cells receive from gates and cells, instead of their own outputs.
    """
    T, (_, n, o), half, one = len(x), net.row.units, net.half, net.one
    given = from_inputs(net, x)
    if o == 0:  # connections B: nothing recurs but the state; g and the gate are sigma, h is the identity
        a, s = np.tanh(given, out=net.a[:T]), net.s[1 : T + 1]
        np.multiply(half * (one + a[:, :n]), half * (one + a[:, n:]), out=s)
        s[0] += net.s[0]
        np.cumsum(s, axis=0, out=s)
        return
    quarter_g = half * half * net.g_range
    R = net.p.R[:, net.tied] * (half * half * net.gain)  # (S, F, U)
    if sources is not None:
        a, y, s, h = net.a[:T], net.y[1 : T + 1], net.s[1 : T + 1], net.h[:T]
        np.tanh(given + np.matmul(R, sources.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3), out=a)
        np.add(a, one, out=y)
        np.cumsum(y[:, :n] * a[:, n : 2 * n], axis=0, out=s)
        np.tanh(quarter_g * s, out=h)
        np.multiply(y[:, 2 * n :], h, out=y[:, n : 2 * n])
        return
    given = given.reshape(T, -1)
    add, matmul, multiply, tanh = np.add, np.matmul, np.multiply, np.tanh  # their last argument takes the result
    for now, (source, net_t, a, y, y_in, g, s_before, s, h, y_out, y_cell) in zip(given, net.steps):
        matmul(R, source, net_t)
        add(a, now, a)
        tanh(a, a)
        add(a, one, y)
        multiply(y_in, g, s)
        add(s, s_before, s)
        multiply(s, quarter_g, h)
        tanh(h, h)
        multiply(y_out, h, y_cell)


def outputs(net, x, length):
    """The outputs that forward led to: (T, O, S, B) with errors at every step, else (1, O, S, B), at the ends."""
    row, p, half, S = net.row, net.p, net.half, len(net.theta)
    V = p.V * (half * half * net.h_range if row.c == "F" else half)
    if row.every_step:
        z = np.matmul(V, net.cells[1 : len(x) + 1].transpose(0, 2, 1, 3))  # (T, S, O, B)
        if row.c == "B":
            z += half * np.moveaxis(p.A[np.arange(S)[:, None], x], -1, 2)
    else:
        y = net.cells[length, :, np.arange(S)[:, None], np.arange(net.B)]  # (S, B, n)
        z = np.matmul(V, y.transpose(0, 2, 1))[None]
        if row.c == "B":
            last = np.take_along_axis(x, length[None] - 1, axis=0)[0]
            z += half * np.moveaxis(p.A[np.arange(S)[:, None], last], -1, 1)
    if row.c == "F":
        z += half * p.c
    y = np.tanh(z, out=z)
    y += net.one
    y *= half
    return y.transpose(0, 2, 1, 3)


def errors(row, y, batch):
    """Targets minus outputs y (T or 1, O, S, B), 0 at steps without a target, of a batch as draw gives it."""
    if not row.every_step:
        return batch.target - y
    e = np.where(batch.target[:, None] >= 0, -y, 0)
    t, s, b = np.nonzero(batch.target >= 0)
    e[t, batch.target[t, s, b], s, b] += 1
    return e


def costs(net, batch):
    """The cost of each network's one sequence (S,): its shares of half the squared error and of cross-entropy."""
    y = outputs(net, batch.x, batch.length)
    e, (squared, entropy) = errors(net.row, y, batch), COSTS[net.row.cost]
    heeded = batch.target[:, None] >= 0 if net.row.every_step else 1
    cross = heeded * ((e + y) * np.log(y) + (1 - e - y) * np.log(1 - y))
    return (0.5 * squared * e * e - entropy * cross).sum(axis=(0, 1, 3))


# -------------------------------------------------------------------------------------------------- backward


def output_slopes(net, e, y):
    """Gradient of the cost with respect to the outputs' net inputs, of errors e and outputs y of the same shape."""
    squared, entropy = COSTS[net.row.cost]
    return -e * (squared * y * (net.one - y) + entropy)


def to_cells(net, dz):
    """Errors dz (T, O, S) of outputs as they reach what cells put out: (T, n, S)."""
    return np.matmul(np.ascontiguousarray(dz.transpose(2, 0, 1)), net.p.V).transpose(1, 2, 0)


def into_cells(net, dz, h, a_out):
    """Errors dz (T, O, S) of outputs as they reach states, (T, n, S), and output gates' net inputs, (T, b, S) or None.

    h and a_out, (T, n, S) both, are from the same steps as dz.
    """
    row, from_outputs = net.row, to_cells(net, dz)
    if row.c == "B":
        return from_outputs, None
    half, one = net.half, net.one
    from_outputs = from_outputs * net.h_range
    d_out = (half * half) * (one - a_out * a_out) * h * from_outputs
    d_out = np.add.reduce(d_out.reshape(len(dz), row.S, row.b, -1), axis=1)
    return (half * half) * (one + a_out) * (one - h * h) * from_outputs, d_out


def half_g_and_slope(net, a_cell):
    """Half of g, and what times 1 - a_cell^2 is its derivative: g2 is G a_cell, g1 is (1 + a_cell) / 2."""
    if net.row.g == "g2":
        return net.half * net.g_range * a_cell, net.half * net.g_range
    return net.half * net.half * (net.one + a_cell), net.half * net.half


def through_gates(net, back, delta):
    """The full gradient, for comparison: errors of net inputs, into delta (T, U, S), that do go on to the step before.

    back (T, n, S): errors that what cells put out receives from the outputs.
    """
    row, (i, n, _), half, one = net.row, net.row.units, net.half, net.one
    E, dy, R = 0, np.zeros(delta.shape[1:], delta.dtype), net.p.R.transpose(0, 2, 1)

    def over_cells(values):
        return values.reshape(row.S, row.b, -1).sum(axis=0)

    for t in range(len(back) - 1, -1, -1):
        (a_in, a_cell, a_out), h = net.a[t, ..., 0].reshape(3, n, -1), net.h[t, ..., 0]
        half_g, slope = half_g_and_slope(net, a_cell)
        dy_cell = (back[t] + dy[i : i + n]) * net.h_range
        slope_in, slope_out = half * half * (one - a_in * a_in), half * half * (one - a_out * a_out)
        E = E + half * half * (one + a_out) * (one - h * h) * dy_cell
        delta[t, :i] = over_cells(slope_in * 2 * half_g * E) + slope_in[:i] * dy[:i]
        delta[t, i : i + n] = slope * half * (one + a_in) * (one - a_cell * a_cell) * E
        delta[t, i + n :] = over_cells(slope_out * h * dy_cell) + slope_out[:i] * dy[i + n :]
        dy = np.matmul(R, delta[t].T[..., None])[..., 0].T


def backward(net, batch):
    """Truncated gradient (the paper's appendix A.1) after forward on one sequence per network (B = 1), into net.grad.

    Errors that reach the net input of a gate or a cell go no further, and a state passes its error on as it is: the
    error E of s at step t is the sum of all errors that enter the state from step t on. batch: x, length and target,
    as draw gives them. Returns the outputs and the errors that it started from, both (T or 1, O, S).
    """
    row, d, half, one = net.row, net.d, net.half, net.one
    (i, n, o), S, T, D = row.units, len(net.theta), len(batch.x), row.inputs
    U, padded, trials, end = i + n + o, -(-T // SUMMED) * SUMMED, np.arange(S), batch.length[:, 0] - 1
    y = outputs(net, batch.x, batch.length)
    e, y = errors(row, y, batch)[..., 0], y[..., 0]
    dz = output_slopes(net, e, y)
    if row.every_step:
        y_cell, h, a_out = net.cells[1 : T + 1, ..., 0], net.h[:T, ..., 0], net.a[:T, 2 * n :, :, 0]
    else:
        y_cell = net.cells[end + 1, :, trials, 0].T[None]
        h, a_out = net.h[end, :, trials, 0].T[None], net.a[end, 2 * n :, trials, 0].T[None]
    d.V[...] = np.add.reduce(dz[:, :, None] * y_cell[:, None], axis=0).transpose(2, 0, 1)
    ds, d_out = into_cells(net, dz, h, a_out)
    E, delta = net.E[:padded], net.delta[:padded]
    if row.every_step:
        E[T:] = 0
        np.cumsum(ds[::-1], axis=0, out=E[:T][::-1])
    else:
        E[...] = ds
        first = end.min() + 1
        E[first:] *= net.step_numbers[first:padded] <= end
    a_in, a_cell = net.a[:padded, :n, :, 0], net.a[:padded, n : 2 * n, :, 0]
    half_g, slope = half_g_and_slope(net, a_cell)
    d_in = half * (one - a_in * a_in) * half_g * E
    np.add.reduce(d_in.reshape(padded, row.S, row.b, S), axis=1, out=delta[:, :i])
    np.multiply((slope * half) * (one + a_in) * (one - a_cell * a_cell), E, out=delta[:, i : i + n])
    if o and row.every_step:
        delta[:T, i + n :], delta[T:, i + n :] = d_out, 0
    elif o:
        delta[:, i + n :] = 0
        delta[end, i + n :, trials] = d_out[0].T
    if row.gradient == "full":
        back = to_cells(net, dz)
        if not row.every_step:
            back = back * (net.step_numbers[:T] == end)
        through_gates(net, back, delta)
    if row.c == "F":
        d.V *= half * net.h_range
        d.c[:, :, 0] = np.add.reduce(dz, axis=0).T
        d.b[:, :, 0] = np.add.reduce(delta, axis=0).T
        cut = (padded // SUMMED, SUMMED, U, S)  # products of the same size whatever T is round the same
        left = np.ascontiguousarray(delta.reshape(cut).transpose(0, 3, 2, 1))
        right = np.ascontiguousarray(net.source[:padded, ..., 0].reshape(cut).transpose(0, 3, 1, 2))
        np.multiply(np.add.reduce(np.matmul(left, right), axis=0), half * net.gain, out=d.R)
    else:
        d.A[...] = 0
        last = batch.x[end, trials, 0][None]
        for x, dz_t in zip(batch.x[..., 0] if row.every_step else last, dz):
            d.A[trials, x] += dz_t.T
    if row.symbolic:
        index = (batch.x[..., 0] + net.offset[:, 0]).ravel()
        for u in range(U):
            d.I[:, :, u] = np.bincount(index, delta[:T, u].ravel(), S * D).reshape(S, D)
    else:
        for k in range(D):
            d.I[:, k] = np.add.reduce(delta[:T] * batch.x[:, None, k, :, 0], axis=0).T
    return y, e


# ------------------------------------------------------------------------------------------ gradient descent


def update(net, batch, rate, present):
    """One step down the gradient of one sequence for each network; returns outputs and errors, see backward."""
    forward(net, batch.x)
    y, e = backward(net, batch)
    net.grad *= present
    net.grad *= net.theta.dtype.type(rate)
    net.theta -= net.grad
    return y, e


def update_at_every_step(net, batch, rate, present):
    """The same, but with weights that change at every step, and ds/dw running along, as the appendix has it.

    W (S, U, K) holds what gates and cells receive from the K parts of v_t; here all axes of trials are the first.
    """
    row, p, V, (i, n, o) = net.row, net.p, net.p.V, net.row.units
    S, T, D, trials = len(net.theta), len(batch.x), row.inputs, np.arange(len(net.theta))
    F, may = row.c == "F", views(np.broadcast_to(present, net.theta.shape), row.shapes)
    H, G, (squared, entropy) = row.h_range, row.g_range, COSTS[row.cost]
    x, symbols = batch.x[..., 0], np.arange(row.outputs)
    target = (batch.target[:, :, 0, None] == symbols).astype(V.dtype)  # (T, S, O)
    given = (batch.target[:, :, 0, None] >= 0).astype(V.dtype)  # whether there is one
    W = np.concatenate([p.R, p.I.transpose(0, 2, 1), p.b], axis=2) if F else p.I.transpose(0, 2, 1).copy()
    K, first = W.shape[2], i + n + o if F else 0  # first of the K that is an input
    ds = np.zeros((S, 2 * n, K), V.dtype)  # ds/dw of each state by the weights of its input gate, and of its cell
    v, s = np.ones((S, K), V.dtype), np.zeros((S, n), V.dtype)
    v[:, :first] = 0
    inputs = (x[:, :, None] == np.arange(D)).astype(V.dtype)  # (T, S, D)
    seen, W_in, W_cell, W_out = [], W[:, :i], W[:, i : i + n], W[:, i + n :]
    biases = W[:, :, -1]
    pace = rate * may.V[:, 0, :1]  # (S, 1), 0 for trials without a cell

    def of_cells(values):  # of gates (S, b) to their cells
        return np.concatenate([values, values], axis=1) if row.S == 2 else values

    def over_cells(values):  # of cells (S, n, ...), summed over those of a gate
        return values[:, :i] + values[:, i:] if row.S == 2 else values

    for t in range(T):
        v[:, first : first + D] = inputs[t]
        if F:
            a = np.tanh(0.5 * np.matmul(W, v[:, :, None])[..., 0])
        else:
            a = np.tanh(0.5 * W[trials, :, x[t]])
        y_in, a_cell, y_out = 0.5 + 0.5 * a[:, :i], a[:, i : i + n], 0.5 + 0.5 * a[:, i + n :]
        in_of_cells, slope_in = of_cells(y_in), of_cells(y_in * (1 - y_in))
        g, slope_g = (G * a_cell, 0.5 * G * (1 - a_cell**2)) if F else (0.5 + 0.5 * a_cell, 0.25 * (1 - a_cell**2))
        s = s + in_of_cells * g
        ds += np.matmul(np.concatenate([g * slope_in, in_of_cells * slope_g], axis=1)[:, :, None], v[:, None])
        h = np.tanh(0.5 * s) if F else s
        out_of_cells = of_cells(y_out) if F else 1
        y_cell = out_of_cells * H * h if F else s
        z = np.matmul(V, y_cell[:, :, None])[..., 0] + (p.c[:, :, 0] if F else p.A[trials, x[t]])
        y = 0.5 + 0.5 * np.tanh(0.5 * z)
        e = (target[t] - y) * given[t]
        dz = -e * (squared * y * (1 - y) + entropy)
        back = np.matmul(dz[:, None], V)[:, 0]
        E = out_of_cells * (0.5 * H) * (1 - h * h) * back if F else back
        E = pace * E
        V -= np.matmul((pace * dz)[:, :, None], y_cell[:, None])
        change = np.concatenate([E, E], axis=1)[:, :, None] * ds
        W_in -= over_cells(change[:, :n])
        W_cell -= change[:, n:]
        if F:
            d_out = over_cells(rate * H * h * back) * y_out * (1 - y_out)
            W_out -= np.matmul(d_out[:, :, None], v[:, None])
            biases *= may.b[:, :, 0]
            p.c[...] -= rate * may.c * dz[:, :, None]
            v[:, :i], v[:, i : i + n], v[:, i + n : first] = y_in, y_cell, y_out
        else:
            p.A[trials, x[t]] -= rate * dz
        seen.append((y.T, e.T))
    p.I[...] = W[:, :, first : first + D].transpose(0, 2, 1)
    if F:
        p.R[...], p.b[...] = W[:, :, :first], W[:, :, -1:]
    return tuple(np.stack(arrays) for arrays in zip(*seen))


# -------------------------------------------------------------------------------------------- gradient check


# shared block
def numerical_gradient(loss, theta, step=1e-3):
    """Fourth-order central differences (P,) of loss: (N, P) -> (N,) at theta (P,), all perturbations side by side."""
    P = len(theta)
    population = np.tile(theta, (4, P, 1))
    population[:, np.arange(P), np.arange(P)] += step * np.array([[2.0], [1.0], [-1.0], [-2.0]])
    return np.array([-1.0, 8.0, -8.0, 1.0]) @ loss(population.reshape(4 * P, P)).reshape(4, P) / (12 * step)


# shared block
def compare_gradients(variant, analytic, numerical, shapes, tolerance=1e-7, floor=1e-4):
    """Print the largest relative error of two gradients (P,) and whose it is; True if it is within tolerance.

    The error is |a - n| / max(|a|, |n|, floor); fewer than 90 % of gradients above the floor prove too little.
    """
    size = np.maximum(np.abs(analytic), np.abs(numerical))
    error = np.abs(analytic - numerical) / np.maximum(size, floor)
    error = np.where(np.isfinite(error), error, np.inf)
    worst, share = int(error.argmax()), float((size > floor).mean())
    place = [f"{name}[{', '.join(map(str, i))}]" for name, shape in shapes.items() for i in np.ndindex(shape)][worst]
    ok = error[worst] <= tolerance and share >= 0.9
    print(f"{variant:28} largest relative error {error[worst]:.1e} at {place:9} of {len(error):4} parameters, "
          f"{100 * share:.0f} % above {floor:g}: {'ok' if ok else 'FAILED'}")
    return ok


CHECKED = {  # kinds: row, what is smaller, how far input gates are shut lest states saturate, sequences
    "1, blocks of 1": ("1-4", {}, 1, 4), "1, blocks of 2": ("1-5", {}, 1, 4), "3b": ("3b-1", {"p": 10}, 1, 4),
    "2a": ("2a", {"p": 5, "inputs": 6, "outputs": 6}, 0, 12), "4": ("4-1", {"p": 20}, 2, 8), "6a": ("6a", {}, 3, 24),
    "2b": ("2b", {"p": 5, "inputs": 6, "outputs": 6}, 0, 12), "6b": ("6b", {}, 4, 24),
    "2c": ("2c-1", {"p": 2, "lag": 4, "inputs": 6}, 1, 24),
    "2b, at the end": ("2b", {"p": 5, "inputs": 6, "outputs": 6, "errors": "end"}, 0, 24),
}  # fmt: skip


CHECKED_READINGS = [("squared", "equations", "truncated"), ("entropy", "equations", "truncated"),
                    ("mixed", "caption", "truncated"), ("mixed", "caption", "full")]  # fmt: skip


def gradient_check():
    """Check every parameter of every kind of network, in float64; returns the exit status, 0 or 1.

    The truncated gradient is the exact one of the network whose gates and cells receive recorded outputs of gates and
    cells instead of their own: that network is perturbed.
    """
    ok = True
    for kind, (name, small, shut, n) in CHECKED.items():
        row = replace(ROWS[name], **small)
        batch = draw(row, SimpleNamespace(first_pair="replaced"), list(range(n)), TRAIN, n=1)
        if row.symbolic and not row.every_step:  # any symbol may be the last, on which output gates and A depend
            batch.x = stream(3, TRAIN).integers(row.inputs, size=batch.x.shape)
        P = len(row.present)
        theta = 0.5 * stream(3, INIT).standard_normal((1, P))
        if row.c == "F":
            views(theta, row.shapes).b[:, : row.b] -= shut
        for cost, ranges, gradient in CHECKED_READINGS:
            if gradient == "full" and (row.c == "B" or kind == "6b"):
                continue
            row = replace(row, ranges=ranges, cost=cost, gradient=gradient)
            net = Network(row, theta.repeat(n, axis=0), len(batch.x))
            shorter = {"target": batch.target[..., ::-1, :], "length": batch.length - 1}
            for other in shorter, {}:  # the first leaves traces that the second must not heed
                forward(net, batch.x)
                backward(net, SimpleNamespace(**vars(batch) | other))

            def loss(population):
                total, perturbed = 0, Network(row, population, len(batch.x))
                for k in range(n):
                    as_often = [k] * len(population)
                    same = SimpleNamespace(**{name: a[..., as_often, :] for name, a in vars(batch).items()
                                              if name != "length"}, length=batch.length[as_often])
                    sources = net.source[: len(batch.x), :, as_often] if gradient == "truncated" else None
                    forward(perturbed, same.x, sources)
                    total += costs(perturbed, same)
                return total

            numerical = numerical_gradient(loss, theta[0])
            name = f"{kind}, {cost}, {ranges}, {gradient}"
            ok &= compare_gradients(name, net.grad.sum(axis=0), numerical, row.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def judge(row, y, e, batch):
    """Whether sequences were answered wrongly, and their mean absolute and squared errors: (S, B) each.

    y: outputs, e: their errors, (T or 1, O, S, B). Task 1: at some step another symbol is at least as active as one
    that may be next. Tasks 2a and 2b: an output is off by the tolerance or more, at some step or at the end. Else:
    an output is, at the end; errors are then those of the outputs wanted (task 3c: without the targets' noise).
    """
    if not row.every_step:
        e = batch.wanted - y
        return ~(np.abs(e[0]).max(axis=0) < TOLERANCE[row.task]), np.abs(e[0]).mean(axis=0), (e[0] ** 2).mean(axis=0)
    off, values = np.abs(e), row.outputs * (batch.target >= 0).sum(axis=0)
    if row.task == "1":
        least = np.where(batch.legal, y, np.inf).min(axis=1)
        wrong = (~(np.where(batch.legal, -np.inf, y).max(axis=1) < least) & (batch.target >= 0)).any(axis=0)
    else:
        wrong = ~((off if row.task == "2a" else off[-1:]).max(axis=(0, 1)) < TOLERANCE[row.task])
    return wrong, off.sum(axis=(0, 1)) / values, (e * e).sum(axis=(0, 1)) / values


def examine(row, theta, batch):
    """What judge says of networks theta (S, P) on sequences of a batch, (S, n) each."""
    S, n, T = len(theta), batch.length.shape[1], len(batch.x)
    block = min(n, max(1, VALUES // (T * S * max(3 * row.units[1], row.outputs if row.every_step else 1))))
    judged, net = [], None
    for first in range(0, n, block):
        cut = slice(first, first + block)
        part = SimpleNamespace(**{name: array[..., cut] for name, array in vars(batch).items()})
        if net is None or net.B != part.length.shape[1]:
            net = Network(row, theta, T, part.length.shape[1])
        forward(net, part.x)
        y = outputs(net, part.x, part.length)
        judged.append(judge(row, y, errors(row, y, part), part))
    return tuple(np.concatenate(parts, axis=1) for parts in zip(*judged))


def asked(row, options, trials, sets, number, block):
    """The sequences of test number of a row's rule; in tasks 2b and 2c a block of them.

    Task 1: both sets of strings. Task 2a: its two sequences. Task 3: drawn once. 2b and 2c: drawn anew for each test.
    """
    if row.task == "1":
        return side_by_side([symbols_to_predict(np.concatenate(sets[trial]), row) for trial in trials])
    if row.task == "2a":
        strings = np.tile(np.arange(-1, row.p), (2, 1))
        strings[:, 0] = strings[:, -1] = row.p - 1, row.p
        return side_by_side([symbols_to_predict(strings, row)] * len(trials))
    if row.task[0] == "3":
        return draw(row, options, trials, TEST, n=TESTS[row.task])
    return draw(row, options, trials, TEST, number, block, n=min(TESTS[row.task], BLOCK))


def test(row, options, theta, trials, sets, number):
    """Test networks theta (S, P): numbers of wrong answers, of answers, and mean absolute errors (of the first block).

    Networks that err in a block of sequences get no other: more than one block is drawn only where none may be wrong.
    """
    wrong, error, _ = examine(row, theta, asked(row, options, trials, sets, number, 0))
    n, wrong, error = np.full(len(theta), wrong.shape[1]), wrong.sum(axis=1), error.mean(axis=1)
    for block in range(1, math.ceil(TESTS[row.task] / BLOCK) if row.task in ("2b", "2c") else 1):
        right = np.nonzero(wrong == 0)[0]
        if not len(right):
            break
        more = asked(row, options, [trials[k] for k in right], sets, number, block)
        wrong[right] += examine(row, theta[right], more)[0].sum(axis=1)
        n[right] += more.length.shape[1]
    return wrong, n, error


def fresh(row, options, trial, theta):
    """The network theta (P,) of a trial on eval_n fresh sequences: wrong answers, mean absolute and squared error."""
    batch = draw(row, options, [trial], EVAL, n=options.eval_n)
    wrong, error, square = (values[0] for values in examine(row, theta[None], batch))
    return int(wrong.sum()), error.mean(), square.mean()


def measure(row, options, trial, theta):
    """What can be said of a network theta (P,) on fresh sequences besides: mean |s| of its cells at the ends.

    Task 1: shares of strings with a wrong prediction of the last symbol but one, which takes a memory of the second,
    and of strings with one anywhere else, for which it takes the grammar. Task 6: the input gate of the block that it
    tells most, at the X and Y and elsewhere, on average.
    """
    row = replace(row, errors="every") if row.task == "1" else row
    batch = draw(row, options, [trial], EVAL, n=min(options.eval_n, CHUNK))
    n, found = batch.length.shape[1], {}
    net = Network(row, theta[None], len(batch.x), n)
    forward(net, batch.x)
    found["state"] = np.abs(net.s[batch.length[0], :, 0, np.arange(n)]).mean() * (row.g_range / 2)
    if row.task[0] == "6":
        gates = np.moveaxis((1 + net.a[: len(batch.x), : row.b, 0]) / 2, 1, 0)  # (b, T, n)
        marked, inside = batch.x[:, 0] >= 6, np.arange(len(batch.x))[:, None] < batch.length[0]
        here, elsewhere = gates[:, marked].mean(axis=1), gates[:, inside & ~marked].mean(axis=1)
        block = (here - elsewhere).argmax()
        found |= {"in_gate_marked": here[block], "in_gate_elsewhere": elsewhere[block]}
    if row.task == "1":
        y, t = outputs(net, batch.x, batch.length), np.arange(len(batch.x))[:, None, None]
        for name, steps in ("memory_wrong", t == batch.length - 2), ("grammar_wrong", t != batch.length - 2):
            of_steps = SimpleNamespace(**vars(batch) | {"target": np.where(steps, batch.target, -1)})
            found[name] = judge(row, y, errors(row, y, of_steps), of_steps)[0].mean()
    return found


def initial_state(row, options):
    """All that the rest of a run depends on, as it is before the first sequence."""
    S, rules = len(options.seeds), RULES[row.task]
    theta = init_theta(row, options.seeds, np.dtype(options.dtype))
    if grows(row, options):
        theta *= before_the_cell(row)
    return SimpleNamespace(
        step=0,
        theta=theta,
        active=np.ones(S, bool),
        grown_at=[None if grows(row, options) else 0] * S,
        stage=np.zeros(S, int),  # rules met
        errors=np.zeros((WINDOW, S)),  # mean absolute errors of the last sequences, the newest at (step - 1) % WINDOW
        wrong=np.zeros((WINDOW, S), bool),
        n_wrong=np.zeros(S, int),
        tested=np.full(S, np.nan),  # share of wrong answers in the last test
        frozen_at=[None] * S,
        diverged_at=[None] * S,
        stages=[{"sequences": [None] * S, "wrong": [None] * S, "mean_error": [None] * S, "mse": [None] * S}
                for _ in rules],  # fmt: skip
        history={"step": [], "train_error": [], "wrong": []},
        snapshots={"step": []},
        wall_clock_s=0.0,
    )


def grows(row, options):
    """Whether the cell and its gate are added later."""
    return row.c == "B" and options.cell == "late"


def before_the_cell(row):
    """1 for the parameters (P,) of a network without its cell, 0 for those of the cell and its gate."""
    mask = np.zeros((1, len(row.present)))
    views(mask, row.shapes).A[...] = 1
    return mask[0]


class Population:
    """The trials of a run that are still learning, the network of all of them, and the sequences they are given."""

    def __init__(self, row, options, state, sets, chunk=None):
        self.where = np.nonzero(state.active)[0]
        self.trials = [options.seeds[k] for k in self.where]
        self.row, self.options, self.sets, self.number = row, options, sets, None
        self.net = Network(row, state.theta[self.where], 1)
        self.allow(state)
        if chunk:
            self.number, keep = chunk.number, np.isin(chunk.where, self.where)
            self.drawn = {name: array[..., keep, :] for name, array in chunk.drawn.items()}

    def allow(self, state):
        """Parameters that may change, (S, P) or (P,)."""
        self.present = self.row.present.astype(state.theta.dtype)
        if grows(self.row, self.options):
            grown = np.array([state.grown_at[k] is not None for k in self.where])
            self.present = np.where(grown[:, None], 1, before_the_cell(self.row)).astype(state.theta.dtype)

    def sequence(self, step):
        """The sequence after step others, of each trial: arrays (..., S, 1)."""
        number, k = divmod(step, CHUNK)
        if number != self.number:
            batch = draw(self.row, self.options, self.trials, TRAIN, number, n=CHUNK, sets=self.sets)
            self.drawn = {name: np.ascontiguousarray(np.moveaxis(array, -1, 0))[..., None]
                          for name, array in vars(batch).items() if name != "legal"}  # fmt: skip
            self.number = number
        batch = SimpleNamespace(**{name: array[k] for name, array in self.drawn.items()})
        T = batch.length.max()
        batch.x = batch.x[:T]
        if self.row.every_step:
            batch.target = batch.target[:T]
        if T > self.net.T:
            self.net = Network(self.row, self.net.theta, T)
        return batch


def learn(population, state):
    """Give every active trial its next sequence; returns which of them meet their rule by the training error (S,)."""
    row, options, net, now = population.row, population.options, population.net, population.where
    batch = population.sequence(state.step)
    net = population.net
    step = update if options.update == "sequence" else update_at_every_step
    _, e = step(net, batch, options.lr, population.present)
    place = state.step % WINDOW
    off = np.abs(e)
    state.step += 1
    if row.every_step:
        values = row.outputs * (batch.target[..., 0] >= 0).sum(axis=0)
        state.errors[place, now] = np.add.reduce(off.reshape(-1, len(now)), axis=0) / values
        return None
    off = off[0]
    state.errors[place, now] = np.add.reduce(off, axis=0) / row.outputs
    if row.task in TESTS:
        return None
    wrong = ~(np.maximum.reduce(off, axis=0) < TOLERANCE[row.task])  # also what is not a number
    state.n_wrong[now] += wrong.astype(int) - state.wrong[place, now]
    state.wrong[place, now] = wrong
    if state.step < WINDOW:
        return None
    rules = RULES[row.task]
    met = state.n_wrong[now] < [rules[k].wrong for k in state.stage[now]]
    if not met.any():
        return None
    return met & (state.errors[:, now].mean(axis=0) < [rules[k].error for k in state.stage[now]])


def meet(row, options, state, k):
    """Note that trial number k has met its rule, and freeze it if that was the last."""
    stage = state.stages[state.stage[k]]
    stage["sequences"][k] = state.step
    tested = fresh(row, options, options.seeds[k], state.theta[k])
    stage["wrong"][k], stage["mean_error"][k], stage["mse"][k] = tested
    state.stage[k] += 1
    if state.stage[k] == len(RULES[row.task]):
        state.active[k], state.frozen_at[k] = False, state.step


def train(row, options, state, save, interrupt):
    """Train the trials of a row from state, which it keeps up to date, until each has met its last rule or the cap.

    Calls save(state) once in a while. Returns what results.json has of the row and its arrays for snapshots.npz, or
    None where interrupted.
    """
    history, S = state.history, len(options.seeds)
    sets = sets_of(options.seeds, options.strings) if row.task == "1" else None
    record = recorded(row, options)
    population = None
    saved, started = time.perf_counter(), time.perf_counter() - state.wall_clock_s

    def due(every, last):
        over = state.step == options.steps or not state.active.any()
        return state.step not in last[-1:] and (state.step % every == 0 or over)

    while True:
        changes = state.active[0] or state.frozen_at[0] == state.step
        if changes and due(options.snapshot_every, state.snapshots["step"]):
            for name, value in ({"step": state.step} | snapshot(row, options, state.theta[0], record)).items():
                state.snapshots.setdefault(name, []).append(value)
        if due(options.eval_every, history["step"]):
            seen = np.array([min(state.step if at is None else at, WINDOW) for at in state.frozen_at])
            history["step"].append(state.step)
            history["train_error"].append(state.errors.sum(axis=0) / np.where(seen, seen, np.nan))
            share = state.tested if row.task in TESTS else state.n_wrong / np.where(seen, seen, np.nan)
            history["wrong"].append(share.copy())
            state.wall_clock_s = time.perf_counter() - started
            solved = state.stage == len(RULES[row.task])
            print_progress(row.name, history | {"train_loss": history["train_error"]}, "wrong", solved, options.steps,
                           S, state.wall_clock_s)  # fmt: skip
            if state.step < options.steps and time.perf_counter() - saved >= 1:
                save(state)
                saved = time.perf_counter()
        if state.step == options.steps or not state.active.any():
            break
        if interrupt.seen:
            state.wall_clock_s = time.perf_counter() - started
            save(state)
            return None
        population = population or Population(row, options, state, sets)
        if advance(row, options, state, population, sets):
            population = Population(row, options, state, sets, population) if state.active.any() else None
    tested = [fresh(row, options, trial, theta) for trial, theta in zip(options.seeds, state.theta)]
    wrong, error, mse = (list(values) for values in zip(*tested))
    measured = [measure(row, options, trial, theta) for trial, theta in zip(options.seeds, state.theta)]
    for values in wrong, error, mse:
        values[:] = [None if at else value for at, value in zip(state.diverged_at, values)]
    result = {
        "trainable_parameters": int(row.present.sum()),
        "wall_clock_s": state.wall_clock_s,
        "sequences_per_s": sum(at or state.step for at in state.frozen_at) / state.wall_clock_s,
        "sequences_seen": [at or state.step for at in state.frozen_at],
        "diverged_at_step": state.diverged_at,
        "history": history,
        "final": {"wrong": wrong, "mean_error": error, "mse": mse},
        "measures": {name: [None if at is not None else each[name] for at, each in zip(state.diverged_at, measured)]
                     for name in measured[0]} | ({"grown_at": state.grown_at} if grows(row, options) else {}),
        "rules": state.stages,
        "cap": options.steps,
        "paper": {row.name: {"trials": row.trials, "solved": row.solved, "sequences": row.sequences, "wrong": row.wrong}
                  for row in ROWS.values()},
    }
    weights = {f"weights/{name}": array[0] for name, array in vars(views(state.theta, row.shapes)).items()}
    return result, state.snapshots | {name: array[..., 0, :] if array.ndim > 1 else array
                                      for name, array in vars(record).items()} | weights  # fmt: skip


def advance(row, options, state, population, sets):
    """One sequence for each active trial, and what follows of it; True if fewer are active now than before."""
    now, rules = population.where, RULES[row.task]
    met = learn(population, state)
    state.theta[now] = population.net.theta
    if grows(row, options) and state.step % STEADY == 0:
        for k in now:
            if state.grown_at[k] is None and not still_falls(state.errors[:, k], state.step):
                state.grown_at[k] = state.step
                cell = init_theta(row, [options.seeds[k]], state.theta.dtype)[0] * (1 - before_the_cell(row))
                state.theta[k] += cell
        population.net.theta[...] = state.theta[now]
        population.allow(state)
    if state.step % CHUNK == 0 or state.step == options.steps:
        for k in now[~np.isfinite(state.theta[now]).all(axis=1)]:
            state.active[k], state.diverged_at[k], state.frozen_at[k] = False, state.step, state.step
    if row.task in TESTS and state.step % CHUNK == 0:
        wrong, n, error = test(row, options, state.theta[now], population.trials, sets, state.step // CHUNK)
        state.tested[now] = wrong / n
        for k, wrong_k, error_k in zip(now, wrong, error):
            while state.active[k] and wrong_k < rules[state.stage[k]].wrong and error_k < rules[state.stage[k]].error:
                meet(row, options, state, k)
    elif met is not None:
        for k in now[met & state.active[now]]:
            meet(row, options, state, k)
    return not state.active[now].all()


def still_falls(errors, step):
    """Whether the error of the last STEADY sequences is below that of as many before, by more than a tenth."""
    if step < 2 * STEADY:
        return True
    before, last = errors[np.arange(step - 2 * STEADY, step) % WINDOW].reshape(2, STEADY).mean(axis=1)
    return last < 0.9 * before


def recorded(row, options):
    """Sequences that snapshots show, of the first trial: of each class one, or four; arrays (..., 1, n)."""
    batch = draw(row, options, options.seeds[:1], RECORD, n=256)
    if row.every_step or row.outputs == 1:
        which = np.arange(4)
    else:
        which = np.unique(batch.target[:, 0].argmax(axis=0), return_index=True)[1]
    return SimpleNamespace(**{name: array[..., which] for name, array in vars(batch).items()})


def snapshot(row, options, theta, record):
    """Gates, states and outputs of the network theta (P,) on the recorded sequences, in half precision."""
    (i, n, o), T = row.units, len(record.x)
    net = Network(row, theta[None], T, record.length.shape[1])
    forward(net, record.x)
    of_trial = {"in_gate": (1 + net.a[:T, :i]) / 2, "s": net.s[1 : T + 1] * (row.g_range / 2)}
    if o:
        of_trial |= {"out_gate": (1 + net.a[:T, 2 * n : 2 * n + o]) / 2, "y_cell": net.cells[1 : T + 1] / 2}
    of_trial["output"] = outputs(net, record.x, record.length)
    return {name: array[:, :, 0].astype(np.float16) for name, array in of_trial.items()}


# shared block
def print_progress(variant, history, metric, solved, steps, sequences_per_step, wall_clock_s):
    """One line about the newest evaluation: medians over seeds, how many solved (S,), speed, time left."""
    step = history["step"][-1]
    words = [f"{variant:8} step {step:{len(str(steps))}} of {steps}"]
    for name in "train_loss", metric:
        values = history[name][-1][np.isfinite(history[name][-1])]
        words.append(f"{name.replace('_', ' ')} " + (f"{np.median(values):.4g}" if values.size else "-"))
    words.append(f"solved {np.sum(solved)} of {len(solved)}")
    if step:
        words.append(f"{sequences_per_step * step / wall_clock_s:,.0f} sequences/s")
        words.append(f"{(steps - step) * wall_clock_s / step:.0f} s left")
    print("  ".join(words), flush=True)


# ------------------------------------------------------------------------------------------- save and resume


# shared block
@contextlib.contextmanager
def interruptible():
    """While entered, the first Ctrl-C (or SIGTERM) only sets .seen of its value: a run can stop between two steps."""
    interrupt = SimpleNamespace(seen=False)

    def handle(*_):
        if interrupt.seen:
            raise KeyboardInterrupt
        interrupt.seen = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# shared block
def plain(value):
    """The value as JSON has it: arrays as lists, floats with six digits, None for what is not finite."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


# shared block
def write_whole(path, write):
    """Write a file whole or not at all: write(file) fills a temporary one, which then takes the name path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# shared block
def write_json(path, value):
    """Write JSON, indented, with each innermost list on one line."""
    text = json.dumps(value, indent=1, allow_nan=False)
    text = re.sub(r"\[\n[^][{}]*\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    write_whole(path, lambda file: file.write(text.encode() + b"\n"))


# shared block
def environment():
    """Where and with what a run was made; dirty: the script is not as the commit has it."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True)

    cpuinfo = Path("/proc/cpuinfo")
    cpu = re.findall(r"model name\s*: (.*)", cpuinfo.read_text() if cpuinfo.exists() else "")
    head = git("rev-parse", "--verify", "--quiet", "HEAD").stdout.strip() if shutil.which("git") else ""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": (cpu or [platform.processor()])[0],
        "threads": int(os.environ["OPENBLAS_NUM_THREADS"]),
        "commit": head or None,
        "dirty": git("diff", "--quiet", "HEAD", "--", Path(__file__).name).returncode != 0 if head else None,
    }


# shared block
def save_checkpoint(path, tree):
    """Save nested dicts and lists of JSON values and arrays: an npz of the arrays, and of JSON that names them."""
    arrays = {}

    def keep(value):
        if isinstance(value, np.generic):
            return value.item()
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}

    text = json.dumps(tree, default=keep)
    write_whole(path, lambda file: np.savez(file, tree=text, **arrays))


# shared block
def load_checkpoint(path, config):
    """What save_checkpoint saved. Raises ValueError if it is something else, or was made with another config."""
    try:
        with np.load(path) as file:
            tree = json.loads(file["tree"].item(), object_hook=lambda d: file[d["array"]] if [*d] == ["array"] else d)
        made_with = tree["config"]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        raise ValueError(f"{path} is damaged, or not a checkpoint of this program") from None
    for name in {**made_with, **config}:
        if name != "out" and made_with.get(name) != config.get(name):
            option, was, wanted = name.replace("_", "-"), made_with.get(name), config.get(name)
            raise ValueError(f"{path} was made with --{option} {was}, not {wanted}")
    return tree


# ------------------------------------------------------------------------------------------------------- CLI


# shared block
def parse_seeds(text):
    """Seeds as the command line has them: "0-29", "0,3,7", "0-4,10"."""
    seeds = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not found or int(found[2] or found[1]) < int(found[1]):
            raise argparse.ArgumentTypeError(f"'{text}' does not parse: give seeds as 0-29 or 0,3,7")
        seeds += range(int(found[1]), int(found[2] or found[1]) + 1)
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"'{text}' names a seed twice")
    return seeds


# shared block
def positive(text, kind=int):
    """A whole number of at least 1, or with kind=float a finite number above 0."""
    with contextlib.suppress(ValueError):
        if 0 < kind(text) < math.inf:
            return kind(text)
    wanted = "whole number of at least 1" if kind is int else "number above 0"
    raise argparse.ArgumentTypeError(f"'{text}' is not a {wanted}")


# shared block
def positive_real(text):
    """A finite number above 0."""
    return positive(text, float)


def build_parser():
    """The command line, as argparse has it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = parser.add_argument
    add("--task", choices=ROWS, metavar="ROW", help=f"row of the paper's tables, see --list (default: {HEADLINE})")
    add("--list", action="store_true", help="print the rows and the paper's figures, and stop")
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7",
        help="trials, side by side")  # fmt: skip
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="sequences after which a "
        f"trial has failed (default: {CAP} times the paper's mean)")  # fmt: skip
    add("--lr", type=positive_real, help="learning rate (default: the row's)")
    add("--cost", choices=COSTS, help="cost whose gradient is taken: half the squared error, with the slope of the "
        "output units in its errors; cross-entropy, without it; mixed: with the slope plus 0.1 (default: the row's)")
    add("--ranges", choices=["equations", "caption"], help="of h and g: [-1, 1] and [-2, 2], as the paper's equations "
        "have them, or [-2, 2] and [-1, 1], as the caption of its Table 10 has (default: the row's)")  # fmt: skip
    add("--gradient", choices=["truncated", "full"], default="truncated", help="truncated as the paper's, or all of it, "
        "also what goes back through gates and cells")  # fmt: skip
    add("--update", choices=["sequence", "step"], default="sequence", help="when weights change in tasks with errors at "
        "every step: 1 and 2a, whose rows have step, and 2b")  # fmt: skip
    add("--errors", choices=["every", "end"], default="every", help="tasks 1, 2b: errors at every step, or at the one "
        "alone that takes a memory of the start: the last (2b, whose row has end), the last but one (1)")  # fmt: skip
    add("--cell", choices=["late", "first"], default="late", help="tasks 2a, 2b: add the cell when the error has "
        "stopped falling, or have it from the start (2a's row)")  # fmt: skip
    add("--strings", choices=["drawn", "distinct"], default="drawn", help="task 1: sets of strings as drawn, or without "
        "repetition")  # fmt: skip
    add("--first-pair", choices=["replaced", "counted", "unmarked"], default="replaced", help="tasks 4, 5, where the "
        "first pair is to be marked: its value becomes 0 (5: 1); or counts as that; or its marker stays -1 besides")  # fmt: skip
    add("--eval-every", "--eval_every", type=positive, help="sequences between two lines of progress and points of the "
        "history (default: a 40th of the paper's mean)")  # fmt: skip
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=2560, help="fresh test sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, help="sequences between snapshots of the first trial "
        "(default: a 40th of the paper's mean)")  # fmt: skip
    add("--dtype", choices=["float32", "float64"], default="float64", help="arithmetic of the training")
    add("--out", metavar="DIR", help=f"where to write (default: results/{EXPERIMENT}/ROW)")
    add("--resume", action="store_true", help="go on from DIR's checkpoint, if there is one")
    add("--quick", action="store_true", help="a run of seconds")
    add("--gradcheck", action="store_true", help="check the truncated gradients of all kinds of networks, and stop")
    return parser


def parse_options(argv):
    """The options of a command line, checked; exits with status 2 where they make no sense."""
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    row = ROWS[first.task or HEADLINE]
    every = max(CHUNK, row.sequences[-1] // 40 // CHUNK * CHUNK)
    out = f"results/{EXPERIMENT}/{row.name}"
    others = {name: parser.get_default(name) for name in ("update", "errors", "cell", "strings", "first_pair")}
    parser.set_defaults(task=row.name, steps=CAP * row.sequences[-1], lr=row.rate, ranges=row.ranges, cost=row.cost,
                        eval_every=every, snapshot_every=every, out=out, **READINGS.get(row.task, {}))  # fmt: skip
    if first.quick:
        parser.set_defaults(**QUICK)
    options = parser.parse_args(argv)
    for name in "eval_every", "snapshot_every":
        interval = getattr(options, name)
        if interval > options.steps and interval != parser.get_default(name):
            steps = f"the {options.steps} steps of the run"
            parser.error(f"argument --{name.replace('_', '-')}: {interval} is more than {steps}")
    for name, tasks in {"update": ("1", "2a", "2b"), "errors": ("1", "2b"), "cell": ("2a", "2b"), "strings": ("1",),
                        "first_pair": ("4", "5")}.items():  # fmt: skip
        if getattr(options, name) != others[name] and row.task not in tasks:
            parser.error(f"argument --{name.replace('_', '-')}: makes no difference to task {row.task}")
    if options.update == "step" and row.task == "2b" and options.errors == "end":
        parser.error("argument --update: step needs errors at every step, --errors every")
    if options.ranges != row.ranges and row.c == "B":
        parser.error(f"argument --ranges: makes no difference to task {row.task}")
    if options.gradient == "full" and (row.c == "B" or options.update == "step"):
        parser.error("argument --gradient: full needs gates that recur (not 2a, 2b) and --update sequence")
    if not options.out:
        parser.error("argument --out: a folder is wanted")
    return options, parser


# shared block
def open_output(out, resume, config, parser):
    """Make directory out; returns its checkpoint (resume, and there is one) or {}. Exits with status 2 on failure."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        parser.error(f"argument --out: cannot write to {out}: {error.strerror}")
    try:
        return load_checkpoint(out / "checkpoint.npz", config) if resume and (out / "checkpoint.npz").exists() else {}
    except ValueError as error:
        parser.error(f"argument --resume: {error}")


def print_rows():
    """What --list prints: the rows of the paper's tables."""
    print("row    weights   rate  blocks x size  trials  the paper: sequences to the rule (or rules)   wrong of 2560")
    for row in ROWS.values():
        share = "" if row.solved is None else f" ({row.solved:.0%} of trials)"
        sequences = " and ".join(f"{n:,}" for n in row.sequences) + share
        wrong = " and ".join("-" if n is None else f"{n:g}" for n in row.wrong)
        print(f"{row.name:5}{row.W:9}{row.rate:7}{row.b:9} x {row.S}{row.trials:10}  {sequences:45}{wrong:>13}")


def print_summary(runs, seeds):
    """The table that a run ends with."""
    print("\nrow    weights   rule    solved   sequences: mean     median [range]             paper    wrong   error")
    for name, run in runs.items():
        for k, stage in enumerate(run["rules"]):
            met = np.array([n for n in stage["sequences"] if n is not None], dtype=float)
            wrong, error = ([v for v in stage[key] if v is not None] for key in ("wrong", "mean_error"))
            spread = f"{np.median(met):,.0f} [{met.min():,.0f}, {met.max():,.0f}]" if met.size else "-"
            mean = f"{met.mean():,.0f}" if met.size else "-"
            tested = f"{np.mean(wrong):9.1f}{np.mean(error):8.4f}" if met.size else f"{'-':>9}{'-':>8}"
            print(f"{name:5}{run['trainable_parameters']:9}{k + 1:7}{f'{met.size}/{len(seeds)}':>10}{mean:>18}{spread:>30}"
                  f"{run['paper'][name]['sequences'][k]:>10,}{tested}")  # fmt: skip
        for seed, step in zip(seeds, run["diverged_at_step"]):
            if step is not None:
                print(f"trial {seed} was frozen at step {step}, where its weights were not finite")


def main(argv=None):
    """Run the command line argv; returns the exit status: 0, 1 for a failed gradient check, 130 if interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    options, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    if options.list:
        print_rows()
        return 0
    out, row = Path(options.out), replace(ROWS[options.task], ranges=options.ranges, cost=options.cost,
                                               gradient=options.gradient, errors=options.errors)
    config = {name: value for name, value in vars(options).items() if name not in ("resume", "gradcheck", "list")}
    command = shlex.join(["python3", Path(__file__).name, *(word for word in argv if word != "--resume")])
    done = open_output(out, options.resume, config, parser)
    state = SimpleNamespace(**done["state"]) if done else initial_state(row, options)
    with interruptible() as interrupt, np.errstate(all="ignore"):

        def save(state):
            save_checkpoint(out / "checkpoint.npz", {"config": config, "state": vars(state)})

        trained = train(row, options, state, save, interrupt)
    if trained is None:
        print(f"stopped after sequence {state.step}; to go on: {command} --resume")
        return 130
    runs, arrays = {row.name: trained[0]}, trained[1]
    results = {"schema": 1, "experiment": EXPERIMENT, "command": command, "config": config,
               "environment": environment(), "seeds": options.seeds, "runs": plain(runs)}  # fmt: skip
    flat = {f"{row.name}/{name}": np.asarray(array) for name, array in arrays.items()}
    write_whole(out / "snapshots.npz", lambda file: np.savez_compressed(file, **flat))
    write_json(out / "results.json", results)
    (out / "checkpoint.npz").unlink(missing_ok=True)
    print_summary(results["runs"], options.seeds)
    where = "" if options.out == f"results/{EXPERIMENT}/{HEADLINE}" else f" --run {shlex.quote(options.out)}"
    print(f"\nwrote {out / 'results.json'} and {out / 'snapshots.npz'}; to draw them:")
    print(f"python3 visualize/{EXPERIMENT}.py{where} && python3 make_gifs/{EXPERIMENT}.py{where}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except MemoryError:
        sys.exit("not enough memory for sizes like these")
