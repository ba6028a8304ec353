#!/usr/bin/env python3
"""The network of 1997 on the tasks of 1997: the tables of the paper that introduced LSTM, row by row.

S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997. Numbers of tasks,
equations and tables are those of the paper. Its tasks are 1, the embedded Reber grammar; 2a, 2b, 2c, long time lags
without noise, without local regularities, and very long lags; 3a, 3b, 3c, two sequences with noise and signal on one
line; 4, adding; 5, multiplication; 6a, 6b, temporal order of two or three symbols. TABLE has every row of the paper's
tables of results, with its network from Table 10; the number of weights of each network is asserted. RULES says when
training stops. All trials of a row run together. Each trial learns online, by plain gradient descent: weights change
after each sequence. A trial stops when it meets its last stopping rule. It fails if it has not met this rule at the
cap, which is five times the paper's mean.

The network. A block has one input gate, one output gate and one or two cells. Gates and cells are the units. Each unit
receives the outputs of all units at the step before, and all inputs. The network's outputs receive only cells:

    net_t = R y_{t-1} + I^T x_t + b    y_in = sigma(net_in)    s_t = s_{t-1} + y_in g(net_c)    y_out = sigma(net_out)
    z_t = V y_c + c    y_k = sigma(z)    y_c = y_out h(s_t)    h(x) = h_range tanh(x/2)    g(x) = g_range tanh(x/2)

Tasks 2a and 2b have one cell and one input gate, which receive only inputs. Their outputs also receive inputs:

    y_in = sigma(I_in^T x_t)    s_t = s_{t-1} + y_in sigma(I_c^T x_t)    z_t = V s_t + A^T x_t    y_k = sigma(z)

The order of units: the input gates of all blocks, the cells, the output gates of all blocks. The order of cells: the
first cells of all blocks, then their second cells; cell j belongs to block j mod blocks. R[u, w] is the weight from
unit w to unit u, I[d, u] that from input d to unit u, V[k, j] that from cell j to output k, A[d, k] that from input d
to output k; b[u] and c[k] are biases. An input symbol is one-hot. States and outputs of units start at zero.

The truncated gradient (appendix A.1). An error that reaches the net input of a gate or a cell changes the weights of
this unit but goes no further; only states carry errors back in time. There is no forget gate, so a state passes its
error back unchanged: the error of s_t is the sum of all errors that enter the state at t or later, and backward needs
no loop over time. This is the exact gradient of a network whose units receive recorded outputs of units. The gradient
check perturbs that network.

If the paper leaves a choice or contradicts itself, an option sets how we read it. All defaults together are the
paper's text to the letter; results/lstm_1997/README.md compares readings. --ranges: h_range is 1 and g_range 2, as in
the equations, or 2 and 1, as in the caption of Table 10. --cost: the errors of outputs are multiplied by the slope
y (1 - y), as in the appendix (squared), or by 1 (entropy: the gradient of cross-entropy), or by the slope plus 0.1
(mixed). --recurrence: which units receive which units. All receive all (full), as the text and the paper's numbers of
weights say; gates receive all units and cells receive only inputs (gates); gates receive gates (gates-from-gates);
input gates receive all units (in-from-all) or gates (in-from-gates); no unit receives a unit (none). --output-bias:
outputs have a bias in all tasks, not only in tasks 4 to 6. --input-biases, --output-biases: other initial biases of
gates. --update: weights change after every sequence, or at every step with an error. --errors: tasks 1 and 2b have an
error at every step, or only at the step that needs a memory of the start: the last step (2b), or the last step but one
(1). --cell: networks of tasks 2a and 2b get their cell when the error has stopped falling, or have it from the start.
--first-pair: the rule if the first pair of tasks 4 and 5 must be marked. With replaced, its value becomes 0 (task 5:
1). With counted, its value stays but counts as 0 (task 5: 1). With unmarked, it also counts as 0 (task 5: 1), and its
marker stays -1. --test-every: training sequences between two tests (tasks 1 to 3).

Axes of arrays: S trials, T steps, B sequences, D inputs, O outputs, H cells, U units, P parameters. Arrays are
(T, rows, S, B); seeds_first gives the view that a matrix product takes. a and y have 3H rows: input gates, cells,
output gates. Each cell has its own rows for the gates of its block. tie (3H,): the unit of each row.

Names. a: tanh(net/2), so that sigma(net) = (1 + a)/2 and g = g_range a. y: twice the outputs of gates; for cells 2 y_c
/ h_range. s: states in units of state_unit = g_range / 2. h: h(s) / h_range. e: targets minus outputs. d<name>: the
gradient of the cost with respect to <name>, such as dz, ds, dnet (net: net inputs of units).

The headline, python3 lstm_1997.py, runs row 6a with thirty trials. It ends with:

    row    weights   rule    solved   sequences: mean     median [range]             paper    wrong   error
    6a         156      1     30/30            23,835       23,446 [15,963, 32,938]    31,390      0.0  0.0217

It takes about half a minute and writes results/lstm_1997/6a. Every other command writes a folder runs/lstm_1997/<the
options that differ>, unless --out names one. During a run this folder has a checkpoint, from which --resume continues.
results.json has the settings and the history of every trial: mean absolute error and share of wrong answers, of the
last 2,000 training sequences or, if the rules need tests, of the sequences that the last test looked at (the first 50,
and the others only if the network may still pass). Its entry rules has the number of sequences until each rule was met,
and a test on fresh sequences at that time. The entry final has tests at the end; the entry paper has the paper's
figures. snapshots.npz has, under the name of the row, N snapshots of the recorded trial on n sequences, and the weights
of all trials at the end of their training:

    step (N,)   x (T, n) symbols or (T, D, n) values   length (n,) steps of each sequence; later steps are noise
    with an error at the end only: target (O, n), and wanted (O, n), the target without the noise that task 3c adds
    with errors at every step: target (T, n), the next symbol, -1 where there is no error; task 1 also has
        legal (T, 7, n), whether the grammar allows a symbol as the next one
    in_gate (N, T, blocks, n)   out_gate (N, T, blocks, n)   s (N, T, H, n)   y_cell (N, T, H, n): y_c / h_range
    output (N, T or 1, O, n): y_k at every step or at the sequence's end   (tasks 2a, 2b: no out_gate, no y_cell)
    weights/R (S, U, U)   I (S, D, U)   b (S, U, 1)   V (S, O, H)   c (S, O, 1); of tasks 2a and 2b I, V, A (S, D, O)

Gates, states and outputs are in half precision; absent biases are 0. Snapshots are taken every --snapshot-every
sequences while the recorded trial learns, and at the cap. If a trial meets its last rule between two snapshots, its
final weights are later than its last snapshot.

How this differs from the paper: rows have thirty trials, or ten if they take long. The paper does not say how often it
tests; here it is every 100 sequences.
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
import zipfile
from collections import namedtuple
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # NumPy reads it when it loads; with such small matrices, more threads are slower
import numpy as np

EXPERIMENT = "lstm_1997"
SCRIPT, HEADLINE = f"{EXPERIMENT}.py", f"results/{EXPERIMENT}/6a"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
CHECKPOINT = "checkpoint.npz"
QUICK = {"steps": 1000, "eval_n": 256, "eval_every": 100, "snapshot_every": 100, "seeds": "0-2"}
CAP = 5  # a trial fails if it has not met its last rule after this many times the paper's mean
CHUNK = 500  # sequences drawn at a time
TEST_EVERY = 100  # sequences between two tests in rows whose rules need tests
SIFTED = 50  # a network with too many wrong answers to these first sequences of a test gets no others
WINDOW = 2000  # rules use this number of the last training sequences
SUMMED = 64  # one product sums the parts of a gradient over this number of steps
VALUES = 2**20  # values of one variable that a test computes at a time, at most
STEADY = 200  # tasks 2a, 2b: the cell is added if the error falls by less than a tenth over these sequences
ESTIMATED_AFTER = 100  # the time of the run is estimated after this number of sequences
INIT, TRAIN, TEST, EVAL, RECORD, SETS = range(6)  # the streams of random numbers of each trial


# The task of a row. name: 1 to 6b. size: p of task 2, a number of symbols, or T of tasks 3 to 6, the number of steps of
# the shortest sequence. lag: the least time lag (task 2c: plus 1). signal: the number of first elements that show the
# class (task 3).
Task = namedtuple("Task", "name size lag signal", defaults=[0])
# The paper's result. solved: the share of trials that solved the task, or None. sequences: for each stopping rule, the
# mean number of training sequences until it was met. wrong: for each rule, wrong answers of 2560, or their share, or
# None.
Paper = namedtuple("Paper", "trials solved sequences wrong")
# A reading of the paper; see the options of the same names. The defaults are the text to the letter.
Reading = namedtuple(
    "Reading",
    "ranges cost gradient update errors cell first_pair recurrence output_bias",
    defaults=["equations", "squared", "truncated", "sequence", "every", "late", "replaced", "full", False],
)
# A stopping rule is met if the number of wrong answers is below wrong and the mean absolute error is below error.
Rule = namedtuple("Rule", "wrong error", defaults=[math.inf])


@dataclass(frozen=True)
class Kind:
    """The network of a row, from the paper's Table 10.

    per_block: cells of a block. rate: learning rate. init: initial weights are in [-init, init]. biased: units with a
    bias. input_biases, output_biases: initial biases of gates, one per block; () if they are random or absent.
    """

    blocks: int
    per_block: int
    inputs: int
    outputs: int
    weights: int
    rate: float
    init: float = 0.1
    biased: str = "all"  # or "cells and gates", "gates", "none"
    input_biases: tuple = ()
    output_biases: tuple = ()
    output_gates: bool = True

    @property
    def H(self):
        return self.blocks * self.per_block

    @property
    def shapes(self):
        """The shapes of the parameters: R, I and b are of units, V, c and A of outputs."""
        H, D, O, U = self.H, self.inputs, self.outputs, self.H + (2 if self.output_gates else 1) * self.blocks
        if self.output_gates:
            return {"R": (U, U), "I": (D, U), "b": (U, 1), "V": (O, H), "c": (O, 1)}
        return {"I": (D, U), "V": (O, H), "A": (D, O)}


@dataclass(frozen=True)
class Row:
    """A row of the paper's tables of results."""

    name: str
    task: Task
    kind: Kind
    paper: Paper
    reading: Reading

    @property
    def every_step(self):
        """Whether there is an error at every step; if not, there is one at the sequence's end."""
        return self.task.name in ("1", "2a") or self.task.name == "2b" and self.reading.errors == "every"

    @property
    def grows(self):
        """Whether the cell and its gate are added later."""
        return not self.kind.output_gates and self.reading.cell == "late"

    @property
    def present(self):
        """For each of the parameters (P,): 1, or 0 for a weight or a bias that the network does not have."""
        kind = self.kind
        mask = np.ones((1, sum(math.prod(shape) for shape in kind.shapes.values())))
        if kind.output_gates:
            has, units = views(mask, kind.shapes), np.array([*"i" * kind.blocks + "c" * kind.H + "o" * kind.blocks])
            receive, send = (np.isin(units, [*kinds]) for kinds in RECURRENCE[self.reading.recurrence])
            has.R[...] = receive[:, None] & send
            has.b[...] = kind.biased != "none"
            has.b[:, kind.blocks : kind.blocks + kind.H] = kind.biased in ("cells and gates", "all")
            has.c[...] = kind.biased == "all" or self.reading.output_bias
        return mask[0]


TASK_3 = {"biased": "cells and gates", "input_biases": (-1, -3, -5), "output_biases": (-2, -4, -6)}
KINDS = {  # settings of the networks of all rows of a task
    "1": {"init": 0.2, "biased": "gates", "output_biases": (-1, -2, -3, -4)},
    "2a": {"init": 0.2, "output_gates": False}, "2b": {"init": 0.2, "output_gates": False},
    "2c": {"init": 0.2, "biased": "none"}, "3a": TASK_3, "3b": TASK_3, "3c": TASK_3,
    "4": {"input_biases": (-3, -6)}, "5": {}, "6a": {"input_biases": (-2, -4)}, "6b": {"input_biases": (-2, -4, -6)},
}  # fmt: skip
TABLE = [
    # row: task (size, lag, signal), network (blocks, per block, inputs, outputs, weights, rate), paper
    ("1-1", (9, 9), (4, 1, 7, 7, 264, 0.1), Paper(30, 1.00, (39740,), (None,))),
    ("1-2", (9, 9), (3, 2, 7, 7, 276, 0.1), Paper(30, 1.00, (21730,), (None,))),
    ("1-3", (9, 9), (3, 2, 7, 7, 276, 0.2), Paper(30, 0.97, (14060,), (None,))),
    ("1-4", (9, 9), (4, 1, 7, 7, 264, 0.5), Paper(30, 0.97, (9500,), (None,))),
    ("1-5", (9, 9), (3, 2, 7, 7, 276, 0.5), Paper(30, 1.00, (8440,), (None,))),
    ("2a", (100, 100), (1, 1, 101, 101, 10504, 1.0), Paper(18, 1.00, (5040,), (None,))),
    ("2b", (100, 100), (1, 1, 101, 101, 10504, 1.0), Paper(18, 1.00, (5680,), (None,))),
    ("2c-1", (50, 50), (2, 1, 54, 2, 364, 0.01), Paper(20, None, (30000,), (None,))),
    ("2c-2", (100, 100), (2, 1, 104, 2, 664, 0.01), Paper(20, None, (31000,), (None,))),
    ("2c-3", (200, 200), (2, 1, 204, 2, 1264, 0.01), Paper(20, None, (33000,), (None,))),
    ("2c-4", (500, 500), (2, 1, 504, 2, 3064, 0.01), Paper(20, None, (38000,), (None,))),
    ("2c-5", (1000, 1000), (2, 1, 1004, 2, 6064, 0.01), Paper(20, None, (49000,), (None,))),
    ("2c-6", (500, 1000), (2, 1, 504, 2, 3064, 0.01), Paper(20, None, (49000,), (None,))),
    ("2c-7", (200, 1000), (2, 1, 204, 2, 1264, 0.01), Paper(20, None, (75000,), (None,))),
    ("2c-8", (100, 1000), (2, 1, 104, 2, 664, 0.01), Paper(20, None, (135000,), (None,))),
    ("2c-9", (50, 1000), (2, 1, 54, 2, 364, 0.01), Paper(20, None, (203000,), (None,))),
    ("3a-1", (100, 100, 3), (3, 1, 1, 1, 102, 1.0), Paper(10, None, (27380, 39850), (None, 0.000195))),
    ("3a-2", (100, 100, 1), (3, 1, 1, 1, 102, 1.0), Paper(10, None, (58370, 64330), (None, 0.000117))),
    ("3a-3", (1000, 1000, 3), (3, 1, 1, 1, 102, 1.0), Paper(10, None, (446850, 452460), (None, 0.000078))),
    ("3b-1", (100, 100, 3), (3, 1, 1, 1, 102, 1.0), Paper(10, None, (41740, 43250), (None, 0.00828))),
    ("3b-2", (100, 100, 1), (3, 1, 1, 1, 102, 1.0), Paper(10, None, (74950, 78430), (None, 0.01500))),
    ("3b-3", (1000, 1000, 1), (3, 1, 1, 1, 102, 1.0), Paper(10, None, (481060, 485080), (None, 0.01207))),
    ("3c-1", (100, 100, 3), (3, 1, 1, 1, 102, 0.1), Paper(10, None, (269650,), (0.00558,))),
    ("3c-2", (100, 100, 1), (3, 1, 1, 1, 102, 0.1), Paper(10, None, (565640,), (0.00441,))),
    ("4-1", (100, 50), (2, 2, 2, 1, 93, 0.5), Paper(10, None, (74000,), (1,))),
    ("4-2", (500, 250), (2, 2, 2, 1, 93, 0.5), Paper(10, None, (209000,), (0,))),
    ("4-3", (1000, 500), (2, 2, 2, 1, 93, 0.5), Paper(10, None, (853000,), (1,))),
    ("5", (100, 50), (2, 2, 2, 1, 93, 0.1), Paper(10, None, (482000, 1273000), (139, 14))),
    ("6a", (100, 40), (2, 2, 8, 4, 156, 0.5), Paper(20, None, (31390,), (1,))),
    ("6b", (100, 24), (3, 2, 8, 8, 308, 0.1), Paper(10, None, (571100,), (2,))),
]
ROWS = {}
for _name, _task, _kind, _paper in TABLE:
    _of = _name.partition("-")[0]
    ROWS[_name] = Row(_name, Task(_of, *_task), Kind(*_kind, **KINDS[_of]), _paper, Reading())

RULES = {  # of each task; a trial must meet one after the other
    "1": [Rule(1)], "2a": [Rule(1)], "2b": [Rule(1)], "2c": [Rule(1)],
    "3a": [Rule(1), Rule(1, 0.01)], "3b": [Rule(6), Rule(6, 0.04)], "3c": [Rule(1, 0.015)],
    "4": [Rule(1, 0.01)], "5": [Rule(140), Rule(13)], "6a": [Rule(1, 0.1)], "6b": [Rule(1, 0.1)],
}  # fmt: skip
TOLERANCE = {"2a": 0.25, "2b": 0.25, "2c": 0.2, "3a": 0.2, "3b": 0.2, "3c": 0.1, "4": 0.04, "5": 0.04, "6a": 0.3,
             "6b": 0.3}  # fmt: skip
TESTS = {"1": 512, "2a": 2, "2b": 10000, "2c": 10000, "3a": 256, "3b": 256, "3c": 256}  # others: training sequences
RANGES = {"equations": (1, 2), "caption": (2, 1)}  # of h and of g
# Which units receive which units, by kinds; i: input gates, c: cells, o: output gates. All units receive inputs.
RECURRENCE = {"full": ("ico", "ico"), "gates": ("io", "ico"), "gates-from-gates": ("io", "io"),
              "in-from-all": ("i", "ico"), "in-from-gates": ("i", "io"), "none": ("", "")}  # fmt: skip
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


def reber_strings(rng, n):
    """Draw n strings of the embedded Reber grammar: indices of symbols (n, T), -1 after a string's end."""
    state, strings = np.zeros(n, int), []
    while (state < 19).any():
        edge = rng.integers(2, size=n)
        strings.append(np.where(state < 19, REBER_SYMBOL[state, edge], -1))
        state = REBER_NEXT[state, edge]
    return np.stack(strings, axis=1)


def reber_legal(strings):
    """Legal next symbols after each symbol but the last of strings (n, T), -1 after their ends: bool (T - 1, 7, n)."""
    state, each = np.zeros(len(strings), int), np.arange(len(strings))
    legal = np.zeros((strings.shape[1] - 1, 7, len(strings)), bool)
    for t, symbol in enumerate(strings.T[:-1]):
        state = REBER_NEXT[state, np.where(REBER_SYMBOL[state, 0] == symbol, 0, 1)]
        for edge in range(2):
            legal[t, REBER_SYMBOL[state, edge], each] = True
    return legal


@cache
def reber_sets(pair):
    """A pair of sets, for training and for tests: strings (256, T) each. No test string is a training string."""
    rng, sets = stream(pair, SETS), ([], [])
    for k, strings in enumerate(sets):
        known = {tuple(string) for string in sets[0]} if k else ()
        while len(strings) < 256:
            (drawn,) = reber_strings(rng, 1)
            if tuple(drawn) not in known:
                strings.append(drawn)
    T = max(len(string) for string in sets[0] + sets[1])
    return [np.array([np.pad(string, (0, T - len(string)), constant_values=-1) for string in drawn]) for drawn in sets]


def sets_of(trial):
    """The pair of sets of a trial. Ten trials in a row share one of the three pairs."""
    return reber_sets(trial // 10 % 3)


def make_batch(rng, n, row, strings=None):
    """Draw n sequences of a row's task: a namespace of arrays whose last axis is the sequence.

    x: inputs (T, n), indices of symbols, or (T, D, n), values. length: (n,), up to T. With errors at every step: target
    (T, n), the next symbols, -1 after the end, and for task 1 legal (T, 7, n), all legal next symbols. With an error at
    the end: target (O, n), and wanted (O, n), the target without the noise of task 3c.
    strings: the strings of task 1 to choose from; if None, fresh strings.
    """
    task = row.task.name
    if task == "1":
        strings = reber_strings(rng, n) if strings is None else strings[rng.integers(len(strings), size=n)]
        return symbols_to_predict(strings, row)
    if task in ("2a", "2b"):
        return symbols_to_predict(long_lag_strings(rng, n, row), row)
    draw_task = {"2": very_long_lags, "3": two_sequences, "4": marked_pairs, "5": marked_pairs, "6": temporal_order}
    x, length, target, *wanted = draw_task[task[0]](rng, n, row)
    return SimpleNamespace(x=x, length=length, target=target, wanted=wanted[0] if wanted else target)


def symbols_to_predict(strings, row):
    """The sequences (see make_batch) of strings of symbols (n, T + 1), which have -1 after their ends."""
    x, target = np.maximum(strings.T[:-1], 0), strings.T[1:]
    length = (target >= 0).sum(axis=0)
    if not row.every_step:
        target = np.eye(row.kind.outputs)[:, strings[:, -1]]
        return SimpleNamespace(x=x, length=length, target=target, wanted=target)
    legal = {"legal": reber_legal(strings)} if row.task.name == "1" else {}
    if row.reading.errors == "end":  # task 1: an error only at the last step but one
        target = np.where(np.arange(len(target))[:, None] == length - 2, target, -1)
    return SimpleNamespace(x=x, length=length, target=target, **legal)


def long_lag_strings(rng, n, row):
    """Strings (n, p + 1) of tasks 2a and 2b: x or y, then p - 1 symbols, then the first symbol again.

    The p - 1 symbols are a_1 to a_(p-1) in order (2a), or drawn at random (2b). The order of indices: a_1 to a_(p-1),
    x, y.
    """
    p = row.task.size
    strings = np.tile(np.arange(-1, p), (n, 1)) if row.task.name == "2a" else rng.integers(p - 1, size=(n, p + 1))
    strings[:, 0] = strings[:, -1] = rng.integers(p - 1, p + 1, size=n)
    return strings


def very_long_lags(rng, n, row):
    """Task 2c: b, then x or y, distractors, e; target: x or y. The order of indices: a_1 to a_p, e, b, x, y."""
    p = row.task.size
    length = row.task.lag + 2 + rng.geometric(0.1, size=n)
    x = rng.integers(p, size=(length.max(), n))
    which = rng.integers(2, size=n)
    x[0], x[1], x[length - 1, np.arange(n)] = p + 1, p + 2 + which, p
    return x, length, np.eye(2)[:, which]


def varied_lengths(rng, n, row):
    """The largest number of steps of tasks 3 to 6, T + T / 10, and the numbers of steps (n,) of n sequences."""
    T = row.task.size + row.task.size // 10
    return T, rng.integers(row.task.size, T, size=n, endpoint=True)


def two_sequences(rng, n, row):
    """Task 3: the signal, +1 or -1, then noise (3b: also noise on the signal); target: the class (3c: with noise)."""
    T, length = varied_lengths(rng, n, row)
    signal, task = row.task.signal, row.task.name
    x = math.sqrt(0.2) * rng.standard_normal((T, 1, n))
    of_class_1 = rng.integers(2, size=n)
    x[:signal] = (x[:signal] if task == "3b" else 0) + 2 * of_class_1 - 1
    if task != "3c":
        return x, length, of_class_1[None].astype(float)
    wanted = np.where(of_class_1[None], 0.2, 0.8)
    return x, length, wanted + math.sqrt(0.1) * rng.standard_normal((1, n)), wanted


def marked_pairs(rng, n, row):
    """Tasks 4 and 5: pairs of a value and a marker; target: the scaled sum or the product of the two marked values."""
    T, length = varied_lengths(rng, n, row)
    adding, first_pair, each = row.task.name == "4", row.reading.first_pair, np.arange(n)
    x = np.zeros((T, 2, n))
    x[:, 0] = rng.uniform(-1 if adding else 0, 1, size=(T, n))
    first, second = rng.integers(10, size=n), rng.integers(row.task.size // 2 - 1, size=n)
    second += second >= first
    x[0, 1] = x[length - 1, 1, each] = -1
    values = []
    for t in first, second:
        value = np.where(t == 0, 0.0 if adding else 1.0, x[t, 0, each])
        x[t, 1, each] = 1 if first_pair != "unmarked" else np.where(t == 0, -1, 1)
        x[t, 0, each] = value if first_pair == "replaced" else x[t, 0, each]
        values.append(value)
    return x, length, 0.5 + sum(values)[None] / 4 if adding else math.prod(values)[None]


def temporal_order(rng, n, row):
    """Task 6: X or Y at two or three steps among distractors; target: their order. Indices: E, B, a, b, c, d, X, Y."""
    T, length = varied_lengths(rng, n, row)
    each, which = np.arange(n), np.zeros(n, int)
    x = rng.integers(2, 6, size=(T, n))
    x[0], x[length - 1, each] = 0, 1
    for low, high in {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}[row.task.name]:
        symbol, t = rng.integers(2, size=n), rng.integers(low, high, size=n, endpoint=True)
        x[t - 1, each] = 6 + symbol  # the paper counts steps from 1
        which = 2 * which + symbol
    return x, length, np.eye(row.kind.outputs)[:, which]


def side_by_side(batches):
    """Sequences of several trials, each (..., n), as one namespace of arrays (..., S, n). Shorter ones are padded."""
    arrays = {}
    for name in vars(batches[0]):
        each = [getattr(batch, name) for batch in batches]
        T, fill = max(map(len, each)), -1 if name == "target" else 0
        padded = [np.pad(a, [(0, T - len(a))] + [(0, 0)] * (a.ndim - 1), constant_values=fill) for a in each]
        arrays[name] = np.stack(padded, axis=-2)
    return SimpleNamespace(**arrays)


def draw(row, trials, *key, n):
    """Sequences for these trials, each from its own stream key: arrays (..., S, n); see make_batch."""
    sets = [sets_of(trial) if row.task.name == "1" and key[0] == TRAIN else [None] for trial in trials]
    return side_by_side([make_batch(stream(trial, *key), n, row, pair[0]) for trial, pair in zip(trials, sets)])


# ------------------------------------------------------------------------------------------------ parameters


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


assert all(row.present.sum() == row.kind.weights for row in ROWS.values()), "all networks have the paper's sizes"


def init_theta(row, trials, dtype):
    """Initial parameters (S, P): uniform in [-init, init], or biases that the row gives; absent parameters are 0."""
    kind, present, blocks = row.kind, row.present, row.kind.blocks
    theta = np.stack([stream(trial, INIT).uniform(-kind.init, kind.init, len(present)) for trial in trials]) * present
    for rows, biases in (slice(0, blocks), kind.input_biases), (slice(-blocks, None), kind.output_biases):
        if biases:
            views(theta, kind.shapes).b[:, rows, 0] = biases[:blocks]
    return theta.astype(dtype)


class Network:
    """S networks of a row with parameters theta (S, P), and every array for T steps of B sequences each.

    Each cell has its own rows for its gates, so the loop over steps needs no broadcasting. Units receive U consecutive
    rows of y: the last rows of input gates, all cells, the first rows of output gates. y is doubled and net inputs are
    halved; each saves a call: sigma(x) = (1 + tanh(x/2))/2.
    """

    def __init__(self, row, theta, T, B=1):
        S, kind, T = len(theta), row.kind, -(-T // SUMMED) * SUMMED
        H, blocks, U = kind.H, kind.blocks, kind.shapes["I"][1]

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.row, self.theta, self.T, self.B, self.trials = row, theta, T, B, np.arange(S)
        self.p, self.grad = views(theta, kind.shapes), zeros(S, theta.shape[1])
        self.d = views(self.grad, kind.shapes)
        self.first_symbol = kind.inputs * self.trials[:, None]  # index of each trial's first symbol among all symbols
        self.s, self.state_unit = zeros(T + 1, H, S, B), 1
        if not kind.output_gates:  # tasks 2a and 2b
            self.a = zeros(T, U, S, B)
            return
        self.h_range, self.g_range = RANGES[row.reading.ranges]
        self.state_unit = self.g_range / 2
        gate = np.tile(np.arange(blocks), kind.per_block)  # the gate of each cell
        self.tie = np.concatenate([gate, blocks + np.arange(H), blocks + H + gate])
        self.a, self.y, self.h = zeros(T, 3 * H, S, B), zeros(T + 1, 3 * H, S, B), zeros(T, H, S, B)
        self.y_cell = self.y[:, H : 2 * H]  # step t is at t + 1
        self.y_units = self.y[:, H - blocks : 2 * H + blocks]  # (T + 1, U, S, B), read by units at step t
        self.unit_range = np.ones(U, theta.dtype)  # units put out y_units unit_range / 2
        self.unit_range[blocks : blocks + H] = self.h_range
        self.one, self.quarter_g_range = np.array(1, theta.dtype), np.array(self.g_range / 4, theta.dtype)
        self.ds, self.dnet, self.step_numbers = zeros(T, H, S), zeros(T, U, S), np.arange(T)[:, None, None]
        a_cell, y_in, y_out = self.a[:, H : 2 * H], self.y[1:, :H], self.y[1:, 2 * H :]
        arrays = self.a, self.y[1:], y_in, a_cell, self.s[:-1], self.s[1:], self.h, y_out, self.y_cell[1:]
        self.steps = list(zip(seeds_first(self.a), *map(by_step, arrays)))


def by_step(array):
    """The view (T, rows S B) of an array (T, rows, S, B): NumPy's calls are faster on one axis than on three."""
    return array.reshape(len(array), -1)


def seeds_first(array):
    """The view of an array (..., rows, S, B) for matrix products: (..., S, rows, B), or (..., rows, B) if S = 1."""
    return array[..., 0, :] if array.shape[-2] == 1 else array.swapaxes(-2, -3)


def product(W):
    """The function f(v, out) that writes the products of W (S, n, k) and v, a view of seeds_first, into out."""
    return W[0].dot if len(W) == 1 else partial(np.matmul, W)


# --------------------------------------------------------------------------------------------------- forward


def from_inputs(net, x):
    """(I^T x_t + b) / 2 in all rows, (T, 3H, S, B), for inputs x (T, S, B) or (T, D, S, B)."""
    I = net.p.I[:, :, net.tie] if net.row.kind.per_block > 1 else net.p.I  # with one cell per block, rows are units
    I, b = 0.5 * I, 0.5 * net.p.b[:, net.tie]  # (S, D, 3H), (S, 3H, 1)
    if x.ndim == 3:  # symbols: one-hot inputs
        return rows_of_symbols(net, I + b.swapaxes(1, 2), x)
    given = b.transpose(1, 0, 2)
    for d, I_d in enumerate(np.ascontiguousarray(I.transpose(1, 2, 0))[..., None]):  # (3H, S, 1)
        given = given + I_d * x[:, None, d]
    return given


def rows_of_symbols(net, I, x):
    """The rows of I (S, D, rows) for symbols x (T, S, B): (T, rows, S, B)."""
    return np.take(I.reshape(-1, I.shape[2]), x + net.first_symbol, axis=0).transpose(0, 3, 1, 2)


def forward(net, x, received=None):
    """Run the networks over x, (T, S, B) symbols or (T, D, S, B) values; see outputs.

    received (T, U, S, B): if given, units receive these inputs (such as y_units of another run), not their own outputs.
    """
    if not net.row.kind.output_gates:
        return forward_task_2(net, x)
    given = by_step(from_inputs(net, x))
    y_units = seeds_first(net.y_units[:-1] if received is None else received)
    R_times = product(net.p.R[:, net.tie] * (0.25 * net.unit_range))  # (S, 3H, U)
    one, quarter_g_range = net.one, net.quarter_g_range
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument
    for v, given_t, (net_t, a, y, y_in, a_cell, s_before, s, h, y_out, y_cell) in zip(y_units, given, net.steps):
        R_times(v, net_t)  # R y_{t-1} / 2
        add(a, given_t, a)  # net_t / 2
        tanh(a, a)  # a_t
        add(a, one, y)  # 2 sigma(net_t): 2 y in the rows of gates
        multiply(y_in, a_cell, s)  # 2 y_in g / g_range
        add(s, s_before, s)  # s_t = s_{t-1} + y_in g, in units of g_range / 2
        multiply(s, quarter_g_range, h)  # s_t / 2
        tanh(h, h)  # h(s_t) / h_range
        multiply(y_out, h, y_cell)  # 2 y_out h(s_t) / h_range = 2 y_c / h_range


def outputs(net, x, length):
    """The outputs after forward: (T, O, S, B) if there are errors at every step; at the ends only, (1, O, S, B)."""
    if not net.row.kind.output_gates:
        return outputs_task_2(net, x, length)
    y_cell = where_errors_are(net, net.y_cell[1:], x, length)
    z = np.matmul(net.p.V * (0.25 * net.h_range), y_cell.swapaxes(1, 2))  # V y_c / 2
    return ((np.tanh(z + 0.5 * net.p.c) + 1) * 0.5).swapaxes(1, 2)  # sigma(V y_c + c)


def where_errors_are(net, array, x, length):
    """An array (T, rows, S, B) at the steps with errors: at all steps, or at the sequences' ends, (1, rows, S, B)."""
    if net.row.every_step:
        return array[: len(x)]
    at_ends = array[length - 1, :, net.trials[:, None], np.arange(length.shape[1])]  # (S, B, rows)
    return at_ends.transpose(2, 0, 1)[None]


def errors(row, y, batch):
    """Targets minus outputs y (T or 1, O, S, B), 0 at steps without a target. batch: see draw."""
    if not row.every_step:
        return batch.target - y  # e = target - y
    target = batch.target[:, None]  # a symbol; -1 if there is no target
    return np.where(target >= 0, (target == np.arange(row.kind.outputs)[:, None, None]) - y, 0)  # one-hot - y


def costs(net, batch):
    """The cost of one sequence per network, (S,): half the squared error and cross-entropy, weighted by COSTS."""
    y = outputs(net, batch.x, batch.length)
    e, (squared, entropy) = errors(net.row, y, batch), COSTS[net.row.reading.cost]
    has_target = batch.target[:, None] >= 0 if net.row.every_step else 1
    cross_entropy = has_target * ((e + y) * np.log(y) + (1 - e - y) * np.log(1 - y))  # e + y is the target
    return (0.5 * squared * e * e - entropy * cross_entropy).sum(axis=(0, 1, 3))


# -------------------------------------------------------------------------------------------------- backward


def backward(net, batch):
    """Write the truncated gradient (the paper's appendix A.1) into net.grad, after forward on B = 1 sequence each.

    batch: x, length and target; see draw. Returns outputs and errors, both (T or 1, O, S).
    """
    if not net.row.kind.output_gates:
        return backward_task_2(net, batch)
    row, kind, d = net.row, net.row.kind, net.d
    T, H, blocks, h_range, half_g_range = len(batch.x), kind.H, kind.blocks, net.h_range, net.g_range / 2
    padded = -(-T // SUMMED) * SUMMED  # products have one size for every T, and so one rounding
    y, e, dz = output_gradient(net, batch)  # sigma(V y_c + c), target - y, -e times the slope
    arrays = net.y_cell[1:], net.h, net.a[:, 2 * H :]
    y_cell, h, a_out = (where_errors_are(net, array, batch.x, batch.length)[..., 0] for array in arrays)
    d.V[...] = sum_of_products(dz, y_cell) * (0.5 * h_range)  # dV = sum_t dz y_c^T
    d.c[:, :, 0] = np.add.reduce(dz, axis=0).T  # dc = sum_t dz
    from_outputs = weighted_by(dz, net.p.V)  # dy_c = V^T dz
    dy = from_outputs * h_range  # h_range dy_c
    dnet_out = over_cells(kind, 0.25 * (1 - a_out * a_out) * h * dy)  # y_out (1 - y_out) sum of h(s) dy_c
    ds_now = 0.25 * (1 + a_out) * (1 - h * h) * dy  # y_out h'(s) dy_c
    ds, dnet = net.ds[:padded], net.dnet[:padded]
    dnet[:, blocks + H :], ds[T:], end = 0, 0, batch.length[:, 0] - 1  # 0 unless set below
    if row.every_step:
        dnet[:T, blocks + H :] = dnet_out  # at every step
        np.cumsum(ds_now[::-1], axis=0, out=ds[:T][::-1])  # ds_t = sum of y_out h'(s) dy_c at t and later
    else:
        dnet[end, blocks + H :, net.trials] = dnet_out[0].T  # at the end, 0 elsewhere
        ds[...], first = ds_now, end.min() + 1  # ds_t = y_out h'(s) dy_c of the end
        ds[first:] *= net.step_numbers[first:padded] <= end  # 0 after the end
    a_in, a_cell = net.a[:padded, :H, :, 0], net.a[:padded, H : 2 * H, :, 0]
    dnet[:, :blocks] = over_cells(kind, 0.25 * (1 - a_in * a_in) * net.g_range * a_cell * ds)  # y_in (1 - y_in) g ds
    dnet[:, blocks : blocks + H] = half_g_range * 0.5 * (1 + a_in) * (1 - a_cell * a_cell) * ds  # y_in g'(net_c) ds
    if row.reading.gradient == "full":
        at_steps = 1 if row.every_step else net.step_numbers[:T] == end
        dnet_of_all_steps(net, from_outputs * at_steps, dnet)  # dnet with errors through gates and cells
    d.b[:, :, 0] = np.add.reduce(dnet, axis=0).T  # db = sum_t dnet
    cut = padded // SUMMED, SUMMED, *dnet.shape[1:]
    left = np.ascontiguousarray(dnet.reshape(cut).transpose(0, 3, 2, 1))  # dnet, (parts, S, U, SUMMED)
    right = np.ascontiguousarray(
        net.y_units[:padded, ..., 0].reshape(cut).transpose(0, 3, 1, 2)
    )  # y_{t-1}, (parts, S, SUMMED, U)
    d.R[...] = np.matmul(left, right).sum(axis=0) * (0.5 * net.unit_range)  # dR = sum_t dnet y_{t-1}^T
    gradient_of_inputs(net, dnet[:T], batch.x)  # dI = sum_t x_t dnet_t^T
    return y, e


def output_gradient(net, batch):
    """Outputs, errors and dz, all (T or 1, O, S), of a batch of one sequence per network."""
    y = outputs(net, batch.x, batch.length)  # sigma(z)
    e, y = errors(net.row, y, batch)[..., 0], y[..., 0]  # e = target - y
    return y, e, -e * slope_of_outputs(net.row, y)  # dz = -e times the slope


def slope_of_outputs(row, y):
    """The factor of the errors of outputs y. It depends on the cost: y (1 - y), 1, or y (1 - y) + 0.1."""
    squared, entropy = COSTS[row.reading.cost]
    return squared * y * (1 - y) + entropy


def sum_of_products(dz, y):
    """The sum over t of dz_t y_t^T, (S, O, H), for dz (T, O, S) and y (T, H, S)."""
    return np.add.reduce(dz[:, :, None] * y[:, None], axis=0).transpose(2, 0, 1)


def weighted_by(dz, V):
    """V^T dz, (T, H, S), for V (S, O, H) and dz (T, O, S)."""
    return np.matmul(np.ascontiguousarray(dz.transpose(2, 0, 1)), V).transpose(1, 2, 0)


def over_cells(kind, values):
    """Sums over the cells of each block, (n, blocks, ...), of values (n, H, ...)."""
    return values[:, : kind.blocks] + values[:, kind.blocks :] if kind.per_block == 2 else values


def gradient_of_inputs(net, dnet, x):
    """Write dI = sum_t x_t dnet_t^T, for dnet (T, U, S) and inputs x (T, S, 1) or (T, D, S, 1), into net.d.I."""
    T, U, S = dnet.shape
    if x.ndim == 3:  # symbols
        index = (x[..., 0] + net.first_symbol[:, 0]).ravel()
        for u in range(U):
            net.d.I[:, :, u] = np.bincount(index, dnet[:, u].ravel(), S * net.row.kind.inputs).reshape(S, -1)
    else:
        for k in range(net.row.kind.inputs):
            net.d.I[:, k] = np.add.reduce(dnet * x[:, None, k, :, 0], axis=0).T


def dnet_of_all_steps(net, from_outputs, dnet):
    """The full gradient, for comparison: errors also flow through the net inputs of units to the step before.

    from_outputs (T, H, S): V^T dz, 0 at steps without an error. The result is written into dnet (T, U, S).
    """
    kind, H, blocks, half_g_range, ds = net.row.kind, net.row.kind.H, net.row.kind.blocks, net.g_range / 2, 0
    dy, R_transposed = np.zeros(dnet.shape[1:], dnet.dtype), net.p.R.transpose(0, 2, 1)
    for t in range(len(from_outputs) - 1, -1, -1):
        (a_in, a_cell, a_out), h = net.a[t, ..., 0].reshape(3, H, -1), net.h[t, ..., 0]
        dy_cell = (from_outputs[t] + dy[blocks : blocks + H]) * net.h_range  # h_range dy_c
        slope_in = 0.25 * (1 - a_in * a_in)  # y_in (1 - y_in)
        slope_out = 0.25 * (1 - a_out * a_out)  # y_out (1 - y_out)
        ds = ds + 0.25 * (1 + a_out) * (1 - h * h) * dy_cell  # ds_t = ds_{t+1} + y_out h'(s) dy_c
        dnet_in = over_cells(kind, (slope_in * net.g_range * a_cell * ds)[None])[0]  # y_in (1 - y_in) sum of g ds
        dnet[t, :blocks] = dnet_in + slope_in[:blocks] * dy[:blocks]  # plus y_in (1 - y_in) dy_in
        dnet[t, blocks : blocks + H] = half_g_range * 0.5 * (1 + a_in) * (1 - a_cell * a_cell) * ds  # y_in g'(net_c) ds
        dnet_out = over_cells(kind, (slope_out * h * dy_cell)[None])[0]  # y_out (1 - y_out) sum of h(s) dy_c
        dnet[t, blocks + H :] = dnet_out + slope_out[:blocks] * dy[blocks + H :]  # plus y_out (1 - y_out) dy_out
        dy = np.matmul(R_transposed, dnet[t].T[..., None])[..., 0].T  # dy_{t-1} = R^T dnet_t


# Tasks 2a and 2b: one input gate and one cell, which receive only inputs; no output gate. Inputs are symbols.


def forward_task_2(net, x):
    """Run the networks over symbols x (T, S, B)."""
    a, s = net.a[: len(x)], net.s[1 : len(x) + 1]
    np.tanh(rows_of_symbols(net, 0.5 * net.p.I, x), out=a)  # a_t
    np.multiply(0.5 * (1 + a[:, :1]), 0.5 * (1 + a[:, 1:]), out=s)  # y_in g
    np.cumsum(s, axis=0, out=s)  # s_t = s_{t-1} + y_in g


def outputs_task_2(net, x, length):
    """The outputs after forward_task_2; see outputs."""
    s, symbols = (where_errors_are(net, array, x, length) for array in (net.s[1:], x[:, None]))
    z = np.matmul(0.5 * net.p.V, s.swapaxes(1, 2))  # V s / 2
    z += 0.5 * np.moveaxis(net.p.A[net.trials[:, None], symbols[:, 0]], -1, 2)  # (V s + A^T x) / 2
    return ((np.tanh(z) + 1) * 0.5).swapaxes(1, 2)  # sigma(V s + A^T x)


def backward_task_2(net, batch):
    """Write the gradient into net.grad; see backward. It is exact, because only the state is recurrent."""
    d, T = net.d, len(batch.x)
    y, e, dz = output_gradient(net, batch)  # sigma(z), target - y, -e times the slope
    s, x = (where_errors_are(net, array, batch.x, batch.length)[..., 0] for array in (net.s[1:], batch.x[:, None]))
    # If the only error is at the end, ds is (1, 1, S) for all steps: all sequences of task 2b have the same length.
    ds = np.cumsum(weighted_by(dz, net.p.V)[::-1], axis=0)[::-1]  # ds_t = sum of V^T dz at t and later
    d.V[...] = sum_of_products(dz, s)  # dV = sum_t dz s^T
    d.A[...] = 0
    for x_t, dz_t in zip(x[:, 0], dz):
        d.A[net.trials, x_t] += dz_t.T  # dA = sum_t x dz^T
    a_in, a_cell = net.a[:T, :1, :, 0], net.a[:T, 1:, :, 0]
    dnet_in = 0.5 * (1 - a_in * a_in) * (0.25 * (1 + a_cell)) * ds  # y_in (1 - y_in) g ds
    dnet_cell = 0.125 * (1 + a_in) * (1 - a_cell * a_cell) * ds  # y_in g (1 - g) ds
    gradient_of_inputs(net, np.concatenate([dnet_in, dnet_cell], axis=1), batch.x)  # dI
    return y, e


def update_at_every_step_task_2(net, batch, rate, present):
    """One sequence, with weights that change at every step; see update_at_every_step. Axes of trials come first."""
    p, trials, x, S, has_target = net.p, net.trials, batch.x[..., 0], len(net.theta), batch.target[:, :, 0, None] >= 0
    target = one_hot(batch.target, net.row.kind.outputs, p.V.dtype)
    pace = rate * views(np.broadcast_to(present, net.theta.shape), net.row.kind.shapes).V[:, 0, :1]  # 0 without a cell
    s, ds_dI, seen = np.zeros((S, 1), p.V.dtype), np.zeros_like(p.I), []
    for t in range(len(x)):
        a = np.tanh(0.5 * p.I[trials, x[t]])  # a_t
        y_in, g = 0.5 + 0.5 * a[:, :1], 0.5 + 0.5 * a[:, 1:]  # sigma(net_t)
        s = s + y_in * g  # s_t = s_{t-1} + y_in g
        slope_in, slope_g = y_in * (1 - y_in), 0.25 * (1 - a[:, 1:] ** 2)  # slope_g = g (1 - g)
        ds_dnet = np.concatenate([g * slope_in, y_in * slope_g], axis=1)  # g y_in (1 - y_in), y_in g (1 - g)
        ds_dI[trials, x[t]] += ds_dnet  # ds/dI_t = ds/dI_{t-1} + x ds/dnet^T
        z = np.matmul(p.V, s[:, :, None])[..., 0] + p.A[trials, x[t]]  # V s + A^T x
        y = 0.5 + 0.5 * np.tanh(0.5 * z)  # sigma(z)
        e = (target[t] - y) * has_target[t]  # target - y, 0 without a target
        dz = -e * slope_of_outputs(net.row, y)  # -e times the slope
        rate_ds = pace * np.matmul(dz[:, None], p.V)[:, 0]  # rate V^T dz
        p.V[...] -= np.matmul((pace * dz)[:, :, None], s[:, None])  # V - rate dz s^T
        p.I[...] -= rate_ds[:, None] * ds_dI  # I - rate ds ds/dI
        p.A[trials, x[t]] -= rate * dz  # A - rate x dz^T
        seen.append((y.T, e.T))
    return tuple(np.stack(arrays) for arrays in zip(*seen))


# ------------------------------------------------------------------------------------------ gradient descent


def update(net, batch, rate, present):
    """One step of gradient descent on one sequence for each network. Returns outputs and errors; see backward.

    present: which parameters may change, (P,) or (S, P).
    """
    forward(net, batch.x)
    y, e = backward(net, batch)
    net.grad *= present
    net.grad *= net.theta.dtype.type(rate)
    net.theta -= net.grad  # theta - rate dtheta
    return y, e


def one_hot(symbols, n, dtype):
    """Symbols (T, S, 1), which are below n or -1, as vectors (T, S, n)."""
    return (symbols == np.arange(n)).astype(dtype)


def update_at_every_step(net, batch, rate, present):
    """Like update, but weights change at every step. ds/dW is computed forward in time, as in the appendix.

    W (S, U, K) has all weights of units, for the K parts of v_t = [y_{t-1}; x_t; 1]. Axes of trials come first.
    """
    if not net.row.kind.output_gates:
        return update_at_every_step_task_2(net, batch, rate, present)
    p, kind, h_range, g_range = net.p, net.row.kind, net.h_range, net.g_range
    V, blocks, H, S, U = p.V, kind.blocks, kind.H, *p.b.shape[:2]
    may_change, has_target, seen = views(present[None], kind.shapes), batch.target[:, :, 0, None] >= 0, []
    x_of_steps, target = one_hot(batch.x, kind.inputs, V.dtype), one_hot(batch.target, kind.outputs, V.dtype)
    W = np.concatenate([p.R, p.I.transpose(0, 2, 1), p.b], axis=2)
    W_in, W_cell, W_out = W[:, :blocks], W[:, blocks : blocks + H], W[:, blocks + H :]
    W_has = np.concatenate([may_change.R, may_change.I.transpose(0, 2, 1), may_change.b], axis=2)
    v, s = np.ones((S, W.shape[2]), V.dtype), np.zeros((S, H), V.dtype)
    y_units, x = v[:, :U], v[:, U:-1]
    y_units[...] = 0
    ds_dW = np.zeros((S, 2 * H, W.shape[2]), V.dtype)  # for the weights of each state's input gate, then of its cell

    def of_cells(gates):  # (S, blocks) to (S, H)
        return np.concatenate([gates] * kind.per_block, axis=1)

    for t in range(len(batch.x)):
        x[...] = x_of_steps[t]  # v_t = [y_{t-1}; x_t; 1]
        a = np.tanh(0.5 * np.matmul(W, v[:, :, None])[..., 0])  # tanh(net_t / 2)
        y_in, a_cell, y_out = 0.5 + 0.5 * a[:, :blocks], a[:, blocks : blocks + H], 0.5 + 0.5 * a[:, blocks + H :]
        y_in_cell, y_out_cell, slope_in = of_cells(y_in), of_cells(y_out), of_cells(y_in * (1 - y_in))
        g, slope_g = g_range * a_cell, 0.5 * g_range * (1 - a_cell**2)  # g(net_c), g'(net_c)
        s = s + y_in_cell * g  # s_t = s_{t-1} + y_in g
        ds_dnet = np.concatenate([g * slope_in, y_in_cell * slope_g], axis=1)  # g y_in (1 - y_in), y_in g'(net_c)
        ds_dW += np.matmul(ds_dnet[:, :, None], v[:, None])  # ds/dW_t = ds/dW_{t-1} + ds/dnet v^T
        h = np.tanh(0.5 * s)  # h(s_t) / h_range
        y_cell = y_out_cell * h_range * h  # y_c = y_out h(s_t)
        z = np.matmul(V, y_cell[:, :, None])[..., 0] + p.c[:, :, 0]  # V y_c + c
        y = 0.5 + 0.5 * np.tanh(0.5 * z)  # sigma(z)
        e = (target[t] - y) * has_target[t]  # target - y, 0 without a target
        dz = -e * slope_of_outputs(net.row, y)  # -e times the slope
        dy = np.matmul(dz[:, None], V)[:, 0]  # V^T dz
        rate_ds = rate * (y_out_cell * (0.5 * h_range) * (1 - h * h) * dy)  # rate y_out h'(s) dy_c
        V -= np.matmul((rate * dz)[:, :, None], y_cell[:, None])  # V - rate dz y_c^T
        change = np.concatenate([rate_ds, rate_ds], axis=1)[:, :, None] * ds_dW  # rate ds ds/dW
        W_in -= over_cells(kind, change[:, :H])  # W - rate ds ds/dW
        W_cell -= change[:, H:]  # W - rate ds ds/dW
        rate_dy_out = over_cells(kind, rate * h_range * h * dy)  # rate times the sum of h(s) dy_c
        rate_dnet_out = rate_dy_out * y_out * (1 - y_out)  # rate dy_out y_out (1 - y_out)
        W_out -= np.matmul(rate_dnet_out[:, :, None], v[:, None])  # W - rate dnet_out v^T
        W *= W_has  # absent weights and biases stay 0
        p.c[...] -= rate * may_change.c * dz[:, :, None]  # c - rate dz
        y_units[:, :blocks], y_units[:, blocks : blocks + H], y_units[:, blocks + H :] = y_in, y_cell, y_out  # y_t
        seen.append((y.T, e.T))
    W += 0  # -0 becomes 0
    p.R[...], p.I[...], p.b[...] = W[:, :, :U], W[:, :, U:-1].transpose(0, 2, 1), W[:, :, -1:]
    return tuple(np.stack(arrays) for arrays in zip(*seen))


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


def changed(name, size=None, lag=None, errors="every", **kind):
    """A row with another size and lag of its task, errors at other steps, and other settings of its network."""
    row = ROWS[name]
    task = row.task._replace(size=size or row.task.size, lag=lag or row.task.lag)
    return replace(row, task=task, kind=replace(row.kind, **kind), reading=row.reading._replace(errors=errors))


CHECKED = {  # (small row, a number to subtract from biases of input gates so that states do not saturate, sequences)
    "1, blocks of 1": (changed("1-4"), 1, 4), "1, blocks of 2": (changed("1-5"), 1, 4),
    "3b": (changed("3b-1", 10), 1, 4), "2a": (changed("2a", 5, inputs=6, outputs=6), 0, 12),
    "4": (changed("4-1", 20), 2, 8), "6a": (changed("6a"), 3, 24), "6b": (changed("6b"), 4, 24),
    "2b": (changed("2b", 5, inputs=6, outputs=6), 0, 12), "2c": (changed("2c-1", 2, 4, inputs=6), 1, 24),
    "2b, at the end": (changed("2b", 5, errors="end", inputs=6, outputs=6), 0, 24),
}  # fmt: skip
CHECKED_READINGS = [("squared", "equations", "truncated"), ("entropy", "equations", "truncated"),
                    ("mixed", "caption", "truncated"), ("mixed", "caption", "full")]  # fmt: skip


def gradient_check():
    """Check every parameter of every kind of network, in float64; returns the exit status, 0 or 1.

    The truncated gradient is the exact gradient of a network whose units receive recorded outputs of units, not their
    own outputs. That network is perturbed.
    """
    ok = True
    for variant, (row, shut, n) in CHECKED.items():
        kind = row.kind
        batch = draw(row, list(range(n)), RECORD, n=1)
        if batch.x.ndim == 3 and not row.every_step:  # any symbol may be last: output gates and A depend on it
            batch.x = stream(3, TRAIN).integers(kind.inputs, size=batch.x.shape)
        theta = 0.5 * stream(3, INIT).standard_normal((1, len(row.present)))
        if kind.output_gates:
            views(theta, kind.shapes).b[:, : kind.blocks] -= shut
        for cost, ranges, gradient in CHECKED_READINGS:
            if gradient == "full" and (not kind.output_gates or row.name == "6b"):
                continue
            row = replace(row, reading=row.reading._replace(cost=cost, ranges=ranges, gradient=gradient))
            net = Network(row, theta.repeat(n, axis=0), len(batch.x))
            shorter = {"target": batch.target[..., ::-1, :], "length": batch.length - 1}
            for other in shorter, {}:  # the second pass must not depend on values that the first left in net
                forward(net, batch.x)
                backward(net, SimpleNamespace(**vars(batch) | other))

            def loss(population):
                total, perturbed = 0, Network(row, population, len(batch.x))
                for k in range(n):
                    as_often = [k] * len(population)
                    same = SimpleNamespace(**{name: array[..., as_often, :] for name, array in vars(batch).items()})
                    truncated = kind.output_gates and gradient == "truncated"
                    forward(perturbed, same.x, net.y_units[:, :, as_often] if truncated else None)
                    total += costs(perturbed, same)
                return total

            name = f"{variant}, {cost}, {ranges}" + ", full" * (gradient == "full")
            ok &= compare_gradients(name, net.grad.sum(axis=0), numerical_gradient(loss, theta[0]), kind.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def judge(row, y, e, batch):
    """Whether answers to sequences are wrong, and the mean absolute and mean squared errors: (S, B) each.

    y: outputs, e: their errors, (T or 1, O, S, B). An answer is wrong in task 1 if at some step an illegal symbol is at
    least as active as a legal one; in task 2a if an output is off by the tolerance or more at some step; in the other
    tasks if an output is off by the tolerance or more at the end. If errors are only at the end, they are computed
    without the targets' noise (task 3c).
    """
    task, values = row.task.name, row.kind.outputs
    if row.every_step:
        values = values * (batch.target >= 0).sum(axis=0)
    else:
        e = batch.wanted - y
    off = np.abs(e)
    if task == "1":
        least = np.where(batch.legal, y, np.inf).min(axis=1)
        wrong = (~(np.where(batch.legal, -np.inf, y).max(axis=1) < least) & (batch.target >= 0)).any(axis=0)
    else:
        wrong = ~((off if task == "2a" else off[-1:]).max(axis=(0, 1)) < TOLERANCE[task])
    return wrong, off.sum(axis=(0, 1)) / values, (e * e).sum(axis=(0, 1)) / values


def examine(row, theta, batch):
    """The results of judge for networks theta (S, P) on the sequences of a batch, (S, n) each."""
    S, n, T = len(theta), batch.length.shape[1], len(batch.x)
    values = T * S * max(3 * row.kind.H, row.kind.outputs if row.every_step else 1)  # of one sequence
    at_once, judged, net = min(n, max(1, VALUES // values)), [], None
    for first in range(0, n, at_once):
        part = SimpleNamespace(**{name: array[..., first : first + at_once] for name, array in vars(batch).items()})
        if net is None or net.B != part.length.shape[1]:
            net = Network(row, theta, T, part.length.shape[1])
        forward(net, part.x)
        y = outputs(net, part.x, part.length)
        judged.append(judge(row, y, errors(row, y, part), part))
    return tuple(np.concatenate(parts, axis=1) for parts in zip(*judged))


@cache
def test_set(row, trial):
    """The test sequences of a trial in a task that tests with the same ones each time.

    Task 1: both sets of strings. Task 2a: its two sequences. Task 3: drawn once.
    """
    task, p = row.task.name, row.task.size
    if task == "1":
        return symbols_to_predict(np.concatenate(sets_of(trial)), row)
    if task == "2a":
        return symbols_to_predict(np.array([[x_or_y, *range(p - 1), x_or_y] for x_or_y in (p - 1, p)]), row)
    return make_batch(stream(trial, TEST), TESTS[task], row)


def asked(row, trials, number, first, last):
    """Sequences first to last of the test with this number. Tasks 2b, 2c: drawn for each test, CHUNK at a time."""
    if row.task.name in ("2b", "2c"):
        part, n = first // CHUNK, min(TESTS[row.task.name], CHUNK)
        batches = [make_batch(stream(trial, TEST, number, part), n, row) for trial in trials]
        first, last = first - part * CHUNK, last - part * CHUNK
    else:
        batches = [test_set(row, trial) for trial in trials]
    return side_by_side([cut(row, batch, first, last) for batch in batches])


def cut(row, batch, first, last):
    """Sequences first to last of a batch of one trial, without the steps after the end of the longest one."""
    arrays = {name: array[..., first:last] for name, array in vars(batch).items()}
    for name in ("x", "target", "legal") if row.every_step else ("x",):
        arrays |= {name: arrays[name][: arrays["length"].max()]} if name in arrays else {}
    return SimpleNamespace(**arrays)


def test(row, theta, trials, number, limits):
    """Test networks theta (S, P). Returns numbers of wrong answers and of answers, and mean absolute errors, (S,) each.

    limits (S,): a network with so many wrong answers has failed. It gets no further part of the test.
    """
    n, wrong, total, size = (
        np.zeros(len(theta), int),
        np.zeros(len(theta), int),
        np.zeros(len(theta)),
        TESTS[row.task.name],
    )
    edges = [0, *range(SIFTED, min(size, CHUNK), CHUNK), *range(CHUNK, size, CHUNK), size]
    for first, last in zip(edges, edges[1:]):
        right = np.nonzero(wrong < limits)[0]
        if len(right):
            judged = examine(row, theta[right], asked(row, [trials[k] for k in right], number, first, last))
            wrong[right] += judged[0].sum(axis=1)
            total[right] += judged[1].sum(axis=1)
            n[right] += judged[0].shape[1]
    return wrong, n, total / n


def fresh(row, options, trial, theta):
    """Wrong answers, mean absolute and squared error of the network theta (P,) of a trial on eval_n fresh sequences."""
    wrong, error, square = examine(row, theta[None], draw(row, [trial], EVAL, n=options.eval_n))
    return {"wrong": int(wrong.sum()), "mean_error": error.mean(), "mse": square.mean()}


def recorded_sequences(row, trial):
    """The sequences of a trial that snapshots show: one of each class, or four; arrays (..., 1, n)."""
    batch, classes = draw(row, [trial], RECORD, n=256), not row.every_step and row.kind.outputs > 1
    which = np.unique(batch.target[:, 0].argmax(axis=0), return_index=True)[1] if classes else np.arange(4)
    return SimpleNamespace(**{name: array[..., which] for name, array in vars(batch).items()})


def snapshot(row, theta, record):
    """Gates, states and outputs of the network theta (P,) on the recorded sequences, in half precision."""
    T, kind = len(record.x), row.kind
    net = Network(row, theta[None], T, record.length.shape[1])
    forward(net, record.x)
    arrays = {"in_gate": (1 + net.a[:T, : kind.blocks]) / 2, "s": net.s[1 : T + 1] * net.state_unit}
    if kind.output_gates:
        arrays["out_gate"] = (1 + net.a[:T, 2 * kind.H : 2 * kind.H + kind.blocks]) / 2
        arrays["y_cell"] = net.y_cell[1 : T + 1] / 2
    arrays["output"] = outputs(net, record.x, record.length)
    return {name: array[:, :, 0].astype(np.float16) for name, array in arrays.items()}


def initial_state(row, options):
    """The state of a run before the first sequence. The rest of the run depends only on this state."""
    S = len(options.seeds)
    cells = before_the_cell(row).astype(options.dtype) if row.grows else 1
    return SimpleNamespace(
        config=settings(options), step=0, wall_clock_s=0.0, active=np.ones(S, bool), rules_met=np.zeros(S, int),
        theta=init_theta(row, options.seeds, np.dtype(options.dtype)) * cells,
        grown_at=[None if row.grows else 0] * S, frozen_at=[None] * S, diverged_at=[None] * S,
        errors=np.zeros((WINDOW, S)),  # mean absolute errors of the last sequences; the last is at (step - 1) % WINDOW
        wrong=np.zeros((WINDOW, S), bool), n_wrong=np.zeros(S, int),
        tested=np.full(S, np.nan),  # share of wrong answers in the last test
        rules=[{key: [None] * S for key in ("sequences", "wrong", "mean_error", "mse")} for _ in RULES[row.task.name]],
        history={"step": [], "train_error": [], "wrong": []}, snapshots={"step": []},
    )  # fmt: skip


def before_the_cell(row):
    """For each parameter (P,) of a network of tasks 2a and 2b: 1 for A, 0 for weights of the cell and its gate."""
    mask = np.zeros((1, len(row.present)))
    views(mask, row.kind.shapes).A[...] = 1
    return mask[0]


class Population:
    """The trials of a run that still learn, their networks, and their sequences."""

    def __init__(self, row, options, state):
        self.where = np.nonzero(state.active)[0]
        self.trials = [options.seeds[k] for k in self.where]
        self.row, self.chunk = row, None
        self.net = Network(row, state.theta[self.where], 1)
        self.may_change = row.present  # which parameters, (P,) or (S, P)
        if row.grows:
            grown = np.array([state.grown_at[k] is not None for k in self.where])
            self.may_change = np.where(grown[:, None], 1, before_the_cell(row))
        self.may_change = self.may_change.astype(state.theta.dtype)

    def sequence(self, step):
        """Sequence number step (from 0) of each trial: arrays (..., S, 1)."""
        chunk, k = divmod(step, CHUNK)
        if chunk != self.chunk:
            drawn, self.chunk = vars(draw(self.row, self.trials, TRAIN, chunk, n=CHUNK)), chunk
            self.drawn = {name: np.ascontiguousarray(np.moveaxis(array, -1, 0))[..., None]
                          for name, array in drawn.items() if name != "legal"}  # fmt: skip
        batch = {name: array[k] for name, array in self.drawn.items()}
        T = batch["length"].max()
        for name in ("x", "target") if self.row.every_step else ("x",):
            batch[name] = batch[name][:T]
        if T > self.net.T:
            self.net = Network(self.row, self.net.theta, T)
        return SimpleNamespace(**batch)


def learn(population, options, state):
    """Train every active trial on its next sequence, and record its error."""
    row, now, place = population.row, population.where, state.step % WINDOW
    batch = population.sequence(state.step)
    step = update if row.reading.update == "sequence" else update_at_every_step
    _, e = step(population.net, batch, options.lr, population.may_change)
    state.theta[now] = population.net.theta
    state.step += 1
    off = np.abs(e)
    steps = (batch.target[..., 0] >= 0).sum(axis=0) if row.every_step else 1
    state.errors[place, now] = np.add.reduce(off.reshape(-1, len(now)), axis=0) / (row.kind.outputs * steps)
    if row.task.name not in TESTS:
        wrong = ~(np.maximum.reduce(off[0], axis=0) < TOLERANCE[row.task.name])  # NaN counts as wrong
        state.n_wrong[now] += wrong.astype(int) - state.wrong[place, now]
        state.wrong[place, now] = wrong


def add_cells(row, options, state):
    """Add the cell and its gate if the error has stopped falling (tasks 2a, 2b). Returns the number of these trials."""
    steady = [k for k in np.nonzero(state.active)[0]
              if state.grown_at[k] is None and not still_falls(state.errors[:, k], state.step)]  # fmt: skip
    for k in steady:
        state.grown_at[k] = state.step
        state.theta[k] += init_theta(row, [options.seeds[k]], state.theta.dtype)[0] * (1 - before_the_cell(row))
    return len(steady)


def still_falls(errors, step):
    """Whether the mean error of the last STEADY sequences is below 0.9 times that of the STEADY sequences before."""
    before, last = errors[np.arange(step - 2 * STEADY, step) % WINDOW].reshape(2, STEADY).mean(axis=1)
    return step < 2 * STEADY or last < 0.9 * before


def apply_rules(population, options, state):
    """Find the trials that meet their rule, by a test every test_every sequences or by the last training sequences."""
    row, now, rules = population.row, population.where, RULES[population.row.task.name]
    tested, limits = row.task.name in TESTS, [rules[k].wrong for k in state.rules_met[now]]
    if tested and state.step % options.test_every == 0:
        number = state.step // options.test_every
        wrong, n, error = test(row, state.theta[now], population.trials, number, limits)
        state.tested[now] = wrong / n
    elif not tested and state.step >= WINDOW and (state.n_wrong[now] < limits).any():
        wrong, error = state.n_wrong[now], state.errors[:, now].mean(axis=0)
    else:
        return
    for k, wrong_k, error_k in zip(now, wrong, error):
        for rule in rules[state.rules_met[k] :][: None if tested else 1]:  # one test can meet several rules
            if state.active[k] and wrong_k < rule.wrong and error_k < rule.error:
                meet(row, options, state, k)


def meet(row, options, state, k):
    """Record that trial number k has met its rule, and freeze the trial if this was its last rule."""
    for name, value in ({"sequences": state.step} | fresh(row, options, options.seeds[k], state.theta[k])).items():
        state.rules[state.rules_met[k]][name][k] = value
    state.rules_met[k] += 1
    if state.rules_met[k] == len(state.rules):
        state.active[k], state.frozen_at[k] = False, state.step


def note_progress(row, options, state, watch):
    """Add the last values to the history, and print a line about them."""
    seen = np.array([min(at or state.step, WINDOW) or np.nan for at in state.frozen_at])
    wrong = state.tested.copy() if row.task.name in TESTS else state.n_wrong / seen
    values = {"step": state.step, "train_error": state.errors.sum(axis=0) / seen, "wrong": wrong}
    for name, value in (values | (watch(row, state.theta) if watch else {})).items():
        state.history.setdefault(name, []).append(value)
    shown = state.history | {"train_loss": state.history["train_error"]}
    print_progress(row.name, shown, "wrong", state.rules_met == len(state.rules), options.steps, state.wall_clock_s)


@np.errstate(all="ignore")
def train(row, options, state, save, watch=None):
    """Train the trials of a row until each has met its last rule or reached the cap. state is updated in place.

    save() is called at evaluations and saves state. watch(row, theta) is called at each evaluation; the history also
    records its values, a dict of (S,). Returns the row's part of results.json and arrays for snapshots.npz.
    """
    record, r = recorded_sequences(row, options.record), options.seeds.index(options.record)
    population, first = None, state.step
    saved, started = time.perf_counter(), time.perf_counter() - state.wall_clock_s
    while True:
        over = state.step == options.steps or not state.active.any()
        learns = state.active[r] or state.frozen_at[r] == state.step
        due = learns and (state.step % options.snapshot_every == 0 or state.step == options.steps)
        if due and state.step not in state.snapshots["step"][-1:]:
            for name, value in ({"step": state.step} | snapshot(row, state.theta[r], record)).items():
                state.snapshots.setdefault(name, []).append(value)
        if state.step not in state.history["step"][-1:] and (state.step % options.eval_every == 0 or over):
            state.wall_clock_s = time.perf_counter() - started
            note_progress(row, options, state, watch)
            if not over and time.perf_counter() - saved >= 1:
                save()
                saved = time.perf_counter()
        if over:
            break
        if state.step == first + ESTIMATED_AFTER:
            seconds = (time.perf_counter() - started) / state.step * options.steps
            print(f"estimated time: {seconds:.0f} s, less if trials stop before the cap", flush=True)
        population = population or Population(row, options, state)
        learn(population, options, state)
        grown = row.grows and state.step % STEADY == 0 and add_cells(row, options, state)
        if state.step % CHUNK == 0 or state.step == options.steps:
            for k in np.nonzero(state.active & ~np.isfinite(state.theta).all(axis=1))[0]:
                state.active[k], state.diverged_at[k], state.frozen_at[k] = False, state.step, state.step
        apply_rules(population, options, state)
        if grown or len(population.where) > state.active.sum():
            population = None
    return result_of(row, options, state), arrays_of(row, state, record)


def result_of(row, options, state):
    """The part of results.json for a row."""
    final = [fresh(row, options, trial, theta) for trial, theta in zip(options.seeds, state.theta)]
    final = {name: [None if at else values[name] for at, values in zip(state.diverged_at, final)] for name in final[0]}
    result = {"trainable_parameters": int(row.present.sum()), "wall_clock_s": state.wall_clock_s,
              "sequences_seen": [at or state.step for at in state.frozen_at], "diverged_at_step": state.diverged_at,
              "history": state.history, "final": final, "rules": state.rules, "cap": options.steps,
              "paper": {name: row.paper._asdict() for name, row in ROWS.items()}}  # fmt: skip
    return result | ({"grown_at": state.grown_at} if row.grows else {})


def arrays_of(row, state, record):
    """The arrays for snapshots.npz."""
    sequences = {name: array[..., 0, :] if array.ndim > 1 else array for name, array in vars(record).items()}
    weights = {f"weights/{name}": array for name, array in vars(views(state.theta, row.kind.shapes)).items()}
    return state.snapshots | sequences | weights


def print_progress(variant, history, metric, solved, steps, wall_clock_s):
    """Print one line about the last evaluation: medians over seeds, number of seeds solved (S,), time left."""
    step = history["step"][-1]
    finite = {name: [x for x in history[name][-1] if np.isfinite(x)] or [np.nan] for name in ("train_loss", metric)}
    medians = "  ".join(f"{name.replace('_', ' ')} {np.median(values):.4g}" for name, values in finite.items())
    left = f"  {(steps - step) * wall_clock_s / step:.0f} s left" if step else ""
    print(f"{variant:8} step {step:6} of {steps}  {medians}  solved {solved.sum()} of {len(solved)}{left}", flush=True)


def row_of(options):
    """The row of the options, with the reading and the biases that they set."""
    row = ROWS[options.task]
    kind = replace(row.kind, **{name: numbers(getattr(options, name)) for name in ("input_biases", "output_biases")})
    return replace(row, kind=kind, reading=Reading(*[getattr(options, name) for name in Reading._fields]))


def run(options, watch=None, state=None):
    """Train the row of the options. Returns {row: its part of results.json} and arrays for snapshots.npz.

    state: the state from which a stopped run continues, or None.
    """
    row = row_of(options)
    state = state or initial_state(row, options)
    result, arrays = train(row, options, state, partial(save_checkpoint, Path(options.out), vars(state)), watch)
    return {row.name: result}, {f"{row.name}/{name}": np.asarray(array) for name, array in arrays.items()}


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


def save_checkpoint(out, tree):
    """Save nested dicts and lists of JSON values and arrays as one npz: the arrays, and JSON that refers to them."""
    arrays = {}

    def keep(value):
        if isinstance(value, np.generic):
            return value.item()
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}

    text = json.dumps(tree, default=keep)
    write_whole(out / CHECKPOINT, lambda file: np.savez(file, tree=text, **arrays))


def load_checkpoint(out, config, parser):
    """The state that save_checkpoint saved. Exits with status 2 if it is damaged or has other settings."""
    path = out / CHECKPOINT
    try:
        with np.load(path) as file:
            tree = json.loads(file["tree"].item(), object_hook=lambda d: file[d["array"]] if [*d] == ["array"] else d)
        other = {name: value for name, value in tree["config"].items() if value != config.get(name)}
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        parser.error(f"argument --resume: {path} is damaged, or not a checkpoint of this program")
    if other:
        parser.error(f"argument --resume: {path} was made with {words(other)}")
    return SimpleNamespace(**tree)


def tidy(out):
    """Remove the checkpoint of a run, and incomplete checkpoints of runs that were killed."""
    for path in out.glob(f"*{CHECKPOINT}*"):
        path.unlink()


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


def bias_text(text):
    """The text of initial biases of gates, after a check: numbers with commas between them, or random."""
    with contextlib.suppress(ValueError):
        if np.isfinite(numbers(text)).all():
            return text
    raise argparse.ArgumentTypeError(f"'{text}' is neither a list of numbers, such as -1,-3, nor random")


def numbers(text):
    """The numbers of a text such as -1,-3; () for random."""
    return () if text == "random" else tuple(float(word) for word in text.split(","))


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


def build_parser():
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(SCRIPT, description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = parser.add_argument
    add("--task", choices=ROWS, default="6a", metavar="ROW", help="row of the paper's tables")
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which trials")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="sequences; a trial that "
        f"needs more has failed (if not given: {CAP} times the paper's mean)")  # fmt: skip
    add("--lr", type=partial(positive, kind=float), help="learning rate (if not given, here and below: the row's)")
    add("--ranges", choices=RANGES, help="ranges of h and g: the paper's equations, or the caption of its Table 10")
    add("--cost", choices=COSTS, help="factor of output errors: the slope, 1, or the slope plus 0.1")
    add("--gradient", choices=["truncated", "full"], help="the paper's truncated gradient, or the full one")
    add("--update", choices=["sequence", "step"], help="tasks 1, 2a, 2b: when weights change")
    add("--errors", choices=["every", "end"], help="tasks 1, 2b: at every step, or only at a step that needs memory")
    add("--cell", choices=["late", "first"], help="tasks 2a, 2b: added when errors stop falling, or at the start")
    add("--first-pair", choices=["replaced", "counted", "unmarked"], help="tasks 4, 5: rule if it must be marked")
    add("--recurrence", choices=RECURRENCE, help="units that receive units: all; gates only, from all or from gates; "
        "input gates only, from all or from gates; none")  # fmt: skip
    add("--output-bias", action="store_true", help="outputs have a bias (tasks 4, 5, 6 always do)")
    for gates in "input", "output":
        add(
            f"--{gates}-biases",
            type=bias_text,
            metavar="=-1,-3|random",
            help=f"initial biases of {gates} gates, one or one per block",
        )
    add("--test-every", type=positive, default=TEST_EVERY, help="sequences between tests of success (tasks 1, 2, 3)")
    add("--eval-every", "--eval_every", type=positive, help="sequences between evaluations (if "
        "not given, here and for snapshots: a 40th of the paper's mean)")  # fmt: skip
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=2560, help="fresh test sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, help="sequences between snapshots of the recorded trial")
    add("--record", type=int, metavar="SEED", help="trial whose states are recorded (if not given: the first)")
    add("--dtype", choices=["float32", "float64"], default="float64", help="type of numbers in training")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="continue from DIR's checkpoint, if there is one")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check the gradients of all kinds of networks")
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's or the row's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    row, mean = ROWS[first.task], ROWS[first.task].paper.sequences[-1]
    every = max(CHUNK, mean // 40 // CHUNK * CHUNK)
    defaults = {"steps": CAP * mean, "lr": row.kind.rate, "eval_every": every, "snapshot_every": every}
    biases = {"input_biases": row.kind.input_biases, "output_biases": row.kind.output_biases}
    defaults |= {name: ",".join(map(str, b[: row.kind.blocks])) or "random" for name, b in biases.items()}
    parser.set_defaults(record=first.seeds[0], **defaults | row.reading._asdict() | (QUICK if first.quick else {}))
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    task, gated = row.task.name, row.kind.output_gates
    tasks = {"update": ("1", "2a", "2b"), "errors": ("1", "2b"), "cell": ("2a", "2b"), "first_pair": ("4", "5")}
    problems = [
        *((name, options.steps < getattr(options, name) != getattr(base, name), f"more than the {options.steps} steps")
          for name in ("eval_every", "snapshot_every")),
        *((name, task not in of and getattr(options, name) != getattr(Reading(), name),
           f"has no effect on task {task}") for name, of in tasks.items()),
        ("ranges", not gated and options.ranges != row.reading.ranges, f"has no effect on task {task}"),
        ("update", task == "2b" and (options.update, options.errors) == ("step", "end"),
         "step needs errors at every step, --errors every"),
        ("gradient", options.gradient == "full" and (not gated or options.update == "step"),
         "full needs gates that recur (not 2a, 2b) and --update sequence"),
        *((name, not gated and getattr(options, name) != getattr(Reading(), name), f"has no effect on task {task}")
          for name in ("recurrence", "output_bias")),
        *((name, getattr(options, name) != defaults[name] and (row.kind.biased == "none" or not gated),
           f"has no effect on task {task}") for name in biases),
        *((name, len(numbers(getattr(options, name))) not in (0, 1, row.kind.blocks),
           f"row {row.name} has {row.kind.blocks} blocks") for name in biases),
        ("test_every", task not in TESTS and options.test_every != base.test_every, f"has no effect on task {task}"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
    ]  # fmt: skip
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def settings(options):
    """The options that change results."""
    return {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print("\nrow    weights   rule    solved   sequences: mean     median [range]             paper    wrong   error")
    for name, run in results["runs"].items():
        for k, rule in enumerate(run["rules"]):
            met = np.array([n for n in rule["sequences"] if n is not None], dtype=float)
            wrong, error = ([v for v in rule[key] if v is not None] for key in ("wrong", "mean_error"))
            spread = f"{np.median(met):,.0f} [{met.min():,.0f}, {met.max():,.0f}]" if met.size else "-"
            mean = f"{met.mean():,.0f}" if met.size else "-"
            tested = f"{np.mean(wrong):9.1f}{np.mean(error):8.4f}" if met.size else f"{'-':>9}{'-':>8}"
            of, paper = f"{met.size}/{len(results['seeds'])}", run["paper"][name]["sequences"][k]
            print(f"{name:5}{run['trainable_parameters']:9}{k + 1:7}{of:>10}{mean:>18}{spread:>30}{paper:>10,}{tested}")
        for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
            print(f"trial {seed} was frozen at step {step}, where its weights were not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: see train."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config, out = settings(options), Path(options.out)
    command = shlex.join(["python3", SCRIPT, *(word for word in argv if word != "--resume")])
    open_output(options, config, parser)
    held = out / "results.json"
    if options.resume and held.exists() and f'"config": {to_json(config, " ")}' in held.read_text():
        tidy(out)
        print(f"{out} has the finished run of these options; there is nothing to do")
        return 0
    state = load_checkpoint(out, config, parser) if options.resume and (out / CHECKPOINT).exists() else None
    print(f"{SCRIPT}: row {options.task}{', ' * bool(changed)}{words(changed)}; writes {out}", flush=True)
    runs, arrays = run(options, watch, state)
    results = {"schema": 1, "experiment": EXPERIMENT, "command": command, "config": config,
               "environment": environment(), "seeds": options.seeds, "runs": runs}  # fmt: skip
    write_run(out, results, arrays)
    tidy(out)
    print_summary(json.loads(to_json(results)))
    where = "" if options.out == HEADLINE else f" --run {shlex.quote(options.out)}"
    print(f"\nwrote {out / 'results.json'} and snapshots.npz; to draw them:")
    print(f"python3 visualize/{SCRIPT}{where} && python3 make_gifs/{SCRIPT}{where}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}; with --resume the same command goes on from its last checkpoint")
