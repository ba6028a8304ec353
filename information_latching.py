#!/usr/bin/env python3
"""Information latching: which recurrent cell keeps the sign of its first input, and why does an LSTM of one unit not?

Task 1 of Y. Bengio, P. Simard and P. Frasconi, Learning Long-Term Dependencies with Gradient Descent is Difficult, IEEE
Transactions on Neural Networks 5(2):157-166, 1994, as question 340898 on stats.stackexchange.com (2018) repeats it.

The problem. A sequence of T numbers is Gaussian noise of standard deviation 0.1, to the first of which +1 or -1 is
added. Which of the two it was is asked after the last. --task bit-relay (the question names it, and does not define
it; this is our reading): another +1 or -1 is added at step T // 2; asked is whether the two agree.

The networks. v_t = [h_{t-1}; x_t; 1] is the source of all units at step t, x_t one number.

    srnn         h_t = tanh(W v_t)
    lstm         i_t, f_t, o_t = s(W_i v_t), s(W_f v_t), s(W_o v_t)    g_t = tanh(W_g v_t)
                 c_t = f_t c_{t-1} + i_t g_t    h_t = o_t tanh(c_t)
    lstm-1997    the same without forget gate: c_t = c_{t-1} + i_t g_t
    gru          z_t, r_t = s(W_z v_t), s(W_r v_t)    g_t = tanh(W_g [r_t h_{t-1}; x_t; 1])
                 h_t = z_t h_{t-1} + (1 - z_t) g_t
    all          p = softmax(V h_T + b), loss = -log p[class], averaged over the batch

s is Keras's hard_sigmoid, min(max(0.2 z + 0.5, 0), 1), or with --gates sigmoid the logistic function. W holds the rows
of the gates in the order above, then g. Backpropagation through all steps and Adam, as Keras of early 2018 had them:
input weights and V Glorot uniform, recurrent weights orthogonal (of one LSTM unit: a random unit row of four; of one
simple unit: 1 or -1), biases 0 but for the forget gate's 1, epsilon 1e-7 beside the uncorrected second moment.

Of 10,000 sequences the last fifth is held out. The question's are sorted by class, so that it validates on the class
of -1 alone, after training on 5,000 of +1 and 3,000 of -1: --split asker, or --recipe writeup. Here they are shuffled
first.

Axes of arrays: S seeds (independent networks, each with its own data, trained side by side), T steps, B sequences of a
batch, D = 1 input, H units, O = 2 classes, K = H + D + 1 rows of v_t, R rows of gates and candidates, P parameters of a
network. Names: a, net inputs that become activations; ig, what is written to c. A d before a name makes it the gradient
of the loss; dz is that with respect to net inputs.

The headline, python3 information_latching.py, thirty networks of each kind for each of four lengths, ends like this:

                   parameters  latched  held-out: median [range]  fresh: median  ten times longer  seconds
    srnn-10                 7    27/30      1.000 [0.484, 1.000]          1.000             1.000      3.0
    srnn-50                 7    21/30      1.000 [0.480, 1.000]          1.000             1.000      5.6
    srnn-100                7    13/30      0.503 [0.480, 1.000]          0.518             0.552      9.6
    srnn-200                7     5/30      0.506 [0.473, 1.000]          0.502             0.508     17.1
    lstm-10                16    22/30      1.000 [0.468, 1.000]          1.000             1.000      5.2
    lstm-50                16     1/30      0.493 [0.470, 1.000]          0.500             0.500     14.4
    lstm-100               16     0/30      0.496 [0.467, 0.521]          0.500             0.500     27.0
    lstm-200               16     0/30      0.493 [0.477, 0.511]          0.500             0.500     55.6

Files in --out (default: results/information_latching). results.json: settings and, for each kind of network and length
(srnn-10, srnn-50, ...), the history of every seed, final values and measures (see measure). snapshots.npz: under
landscape/ the loss landscapes (see landscape); and for the first seed, N snapshots over training of four recorded
sequences, two of each class, under srnn-10/ and so on:

    step (N,)   x (T, 4)   y (4,) classes     p (N, O, 4) softmax at the last step
    h (N, T, H, 4)   where there are any: c, and the gates i, f, o or z, r, each (N, T, H, 4)
    weights/W (R, K)   weights/V (O, H)   weights/b (O, 1), after the last step

How this differs from the question: every network has data of its own, length 30 is there once, and probabilities are
not cut to [1e-7, 1 - 1e-7] before their logarithm. Networks of a seed and length that differ in kind see the same data.
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
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy loads; more threads only slow matrices this small
import numpy as np

EXPERIMENT = "information_latching"
NOISE = 0.1  # standard deviation
O = 2
GATES = {"srnn": "", "lstm": "ifo", "lstm-1997": "io", "gru": "zr"}
RECIPES = {"default": {"split": "shuffled"}, "writeup": {"split": "asker"}}
TASKS = {"latch": {"hidden": 1, "epochs": 5}, "bit-relay": {"hidden": 8, "epochs": 10}}
QUICK = {"lengths": [5, 20], "sequences": 1000, "epochs": 2, "eval_every": 50, "eval_n": 200, "snapshot_every": 50,
         "out": f"results/quick/{EXPERIMENT}"}  # fmt: skip
BETA2, EPSILON = 0.999, 1e-7
INIT, DATA, ORDER, FRESH, LONGER, RECORD = range(6)  # each seed's streams of random numbers
EVAL_BLOCK = 100  # sequences that pass through the network side by side where nothing is learned
N_FRESH, N_LONGER, N_GRADIENT = 1000, 200, 100  # sequences that measures are taken on
LANDSCAPE = {"w": (0.0, 10.0), "b": (-8.0, 2.0), "points": 101, "T": 50}

# ------------------------------------------------------------------------------------------------------ data


# shared block
def stream(seed, *key):
    """A generator of its own for each (seed, *key): what is drawn from one never shifts another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def make_batch(rng, n, T, task):
    """Draw n sequences of T steps, those of class 1 first: numbers (n, T), float32, and classes (n,), 1 for half.

    task "latch": +1 (class 1) or -1 is added to the first number. "bit-relay": +1 or -1, at even odds, is added to the
    first number, and the same (class 1) or the other to number T // 2.
    """
    x = rng.standard_normal((n, T), np.float32)
    x *= NOISE
    y = (np.arange(n) < n // 2).astype(int)
    if task == "latch":
        x[:, 0] += 2 * y - 1
    else:
        sign = 2 * rng.integers(2, size=n) - 1
        x[:, 0] += sign
        x[:, T // 2] += sign * (2 * y - 1)
    return x, y


def draw_population(options, T):
    """The data of every seed: numbers (S, n, T), float32, and classes (S, n); the last fifth is held out."""
    x = np.empty((len(options.seeds), options.sequences, T), np.float32)
    y = np.empty(x.shape[:2], int)
    for s, seed in enumerate(options.seeds):
        rng = stream(seed, DATA, T)
        x[s], y[s] = make_batch(rng, options.sequences, T, options.task)
        if options.split == "shuffled":
            order = rng.permutation(options.sequences)
            x[s], y[s] = x[s, order], y[s, order]
    return x, y


def draw_fresh(options, key, n, T):
    """Fresh sequences for every seed: numbers (T, S, n), float32, and classes (S, n)."""
    drawn = [make_batch(stream(seed, key, T), n, T, options.task) for seed in options.seeds]
    return np.stack([x.T for x, _ in drawn], axis=1), np.stack([y for _, y in drawn])


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """A kind of network, for sequences of T steps."""

    kind: str
    hidden: int = 1
    T: int = 10
    hard: bool = True  # gates: hard_sigmoid, or logistic

    @property
    def gates(self):
        return GATES[self.kind]

    @property
    def shapes(self):
        return {"W": ((len(self.gates) + 1) * self.hidden, self.hidden + 2), "V": (O, self.hidden), "b": (O, 1)}

    @property
    def P(self):
        return sum(math.prod(shape) for shape in self.shapes.values())


assert [Cell(kind).P for kind in GATES] == [7, 16, 13, 13]  # of which the read-out has 4


# shared block
def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def orthogonal(rng, rows, columns):
    """A matrix with orthonormal rows or columns, whichever are fewer, as Keras of early 2018 draws it.

    There, of one row of several numbers, the first (the input gate's weight) is never positive: LAPACK's decomposition,
    which Keras takes, has it so. Here that does not depend on LAPACK.
    """
    u, _, v = np.linalg.svd(rng.standard_normal((rows, columns)), full_matrices=False)
    if rows == 1 < columns:
        return -np.sign(v[0, 0]) * v
    return u if u.shape == (rows, columns) else v


def init_theta(cell, options):
    """Initial parameters (S, P) as Keras of early 2018 draws them, with the biases that the options give gates."""
    theta = np.zeros((len(options.seeds), cell.P))
    p, H = views(theta, cell.shapes), cell.hidden
    R = p.W.shape[1]
    for s, seed in enumerate(options.seeds):
        rng = stream(seed, INIT, cell.T)
        limit, read_out_limit = math.sqrt(6 / (1 + R)), math.sqrt(6 / (H + O))
        p.W[s, :, H] = rng.uniform(-limit, limit, R)
        p.W[s, :, :H] = orthogonal(rng, H, R).T
        p.V[s] = rng.uniform(-read_out_limit, read_out_limit, (O, H))
    forget = math.log(cell.T) if options.forget_gate_bias == "log-T" else options.forget_gate_bias
    for k, gate in enumerate(cell.gates):
        p.W[:, k * H : (k + 1) * H, -1] = {"f": forget, "i": options.input_gate_bias}.get(gate, 0)
    return theta.astype(options.dtype)


class Network:
    """S networks on parameters theta (S, P), with every array that their passes write, cut into steps beforehand.

    T: most steps of a pass; B: sequences side by side; only with backward=True can gradients be had. Rows come before
    seeds, (T, rows, S, B), so that with one unit each gate of all seeds is one piece of memory and nothing is
    broadcast in a step: weights are spread over the batch once for a pass, and products of matrices are products of
    numbers, which more than halves the time of a step. With more units they are those of matrices, seed by seed.
    """

    def __init__(self, cell, theta, T, B, backward=True):
        S, H, G = len(theta), cell.hidden, len(cell.gates)
        R, K = (G + 1) * H, H + 2

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        def by_seed(array):
            """An array (..., rows, S, B) as products take it: with more units than one, (..., S, rows, B)."""
            return array if H == 1 else array.swapaxes(-3, -2)

        def rows(array):
            return {name: array[:, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}

        self.cell, self.p, self.S, self.B, self.end, self.by_seed = cell, views(theta, cell.shapes), S, B, 0, by_seed
        # Gate rows are scaled so that hard_sigmoid is a cut to [0, 1], and one tanh makes all of the others:
        # sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.2 if cell.hard else 0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.shift = np.repeat([0.5 if cell.hard else 0.0] * G + [0.0], H).astype(theta.dtype)
        self.zero, self.half, self.one = (np.array(value, theta.dtype) for value in (0, 0.5, 1))
        self.U = zeros(R, S, B) if H == 1 else zeros(S, R, H)
        self.W_x, self.bias = zeros(R, S, B), zeros(R, S, B)
        self.x, self.all_h = zeros(T, 1, S, B), zeros(T + 1, H, S, B)
        self.a = zeros(T, R, S, B)  # net inputs, which activations replace
        self.h_before, self.h, self.gates = self.all_h[:-1], self.all_h[1:], self.a[:, : G * H]
        self.from_h, row = zeros(R, S, B), rows(self.a)
        self.row, before = row, by_seed(self.h_before)
        if cell.kind == "srnn":
            self.forward_steps = list(zip(self.a, before, self.h))
        elif cell.kind == "gru":
            self.rh, self.h_less_g = zeros(T, H, S, B), zeros(T, H, S, B)
            units = row["z"], row["r"], row["g"], self.rh, by_seed(self.rh), self.h_less_g, self.h_before, self.h
            self.forward_steps = list(zip(self.gates, before, *units))
        else:
            self.c, self.tanh_c, self.ig = zeros(T + 1, H, S, B), zeros(T, H, S, B), zeros(T, H, S, B)
            i, f, o, g = (row.get(name, self.ig) for name in "ifog")  # without forget gates, f is not looked at
            units = i, f, o, g, self.ig, self.c, self.c[1:], self.tanh_c, self.h
            self.forward_steps = list(zip(self.a, self.gates, before, *units))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.dz, self.from_dz = zeros(T, R, S, B), zeros(R, S, B)
        self.left, self.right = zeros(S, R, T, B), zeros(S, K, T, B)  # of the product that makes the gradient of W
        self.right[:, H + 1] = 1
        self.d_gates, self.d_row = self.dz[:, : G * H], rows(self.dz)
        d_row, seen = self.d_row, by_seed(self.dz)
        self.into_h = zeros(2 * H, S, B)  # twice: see to_h
        if cell.kind == "srnn":
            self.backward_steps = list(zip(self.dz, seen))
        elif cell.kind == "gru":
            self.into_rh, self.into_gates = zeros(2 * H, S, B), zeros(2 * H, S, B)
            units = d_row["z"], d_row["r"], d_row["g"], row["z"], row["r"]
            self.backward_steps = list(zip(*units, seen[..., : G * H, :, :] if H == 1 else seen[..., : G * H, :],
                                           seen[..., G * H :, :, :] if H == 1 else seen[..., G * H :, :]))  # fmt: skip
        else:
            self.dc_from_h, self.dh_dc = zeros(H, S, B), zeros(T, H, S, B)
            # What each row acts on: the loss's derivative by h for o; by c for the others, in copies.
            self.acts_on = zeros(R, S, B)
            acts_on = {name: self.acts_on[k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
            acts_on.pop("o")
            self.into_h = self.acts_on[-2 * H :]  # the last rows: o and, before it is a copy of dc, g
            self.dc, *self.dc_copies = acts_on.values()
            f = row["f"] if "f" in cell.gates else self.dh_dc
            self.backward_steps = list(zip(self.dh_dc, f, self.dz, seen))


# --------------------------------------------------------------------------------------------------- forward


def forward(net, x, go_on=False):
    """Run the networks over x (T, S, B) from a zero state, or from where the last pass ended.

    Returns the logits after the last step, (S, O, B).
    """
    T, p, H, cell, zero, half, one = len(x), net.p, net.cell.hidden, net.cell, net.zero, net.half, net.one
    for states in [net.all_h] + ([net.c] if hasattr(net, "c") else []):
        states[0] = states[net.end] if go_on else 0
    W, U = p.W * net.scale, net.U
    U[...] = W[:, :, 0].T[:, :, None] if H == 1 else W[:, :, :H]
    net.W_x[...], net.bias[...] = W[:, :, H].T[:, :, None], (W[:, :, H + 1] + net.shift).T[:, :, None]
    net.end, net.x[:T, 0] = T, x
    np.multiply(net.W_x, net.x[:T], out=net.a[:T])
    np.add(net.a[:T], net.bias, out=net.a[:T])
    add, multiply, tanh = np.add, np.multiply, np.tanh
    product, from_h = multiply if H == 1 else np.matmul, net.from_h
    into = net.by_seed(from_h)  # the last argument of a call takes its result

    def hard_sigmoid(gates):
        gates.clip(zero, one, gates)

    def logistic(gates):
        tanh(gates, gates)
        multiply(gates, half, gates)
        add(gates, half, gates)

    squash = hard_sigmoid if cell.hard else logistic

    if cell.kind == "srnn":
        for a, h_before, h in net.forward_steps[:T]:
            product(U, h_before, into)
            add(a, from_h, a)
            tanh(a, h)
    elif cell.kind == "gru":
        of_gates, of_g = (slice(0, 2 * H), slice(2 * H, None)) if H == 1 else (np.s_[:, : 2 * H], np.s_[:, 2 * H :])
        U_gates, U_g, into_gates, into_g = U[of_gates], U[of_g], into[of_gates], into[of_g]
        from_h, from_rh = from_h[: 2 * H], from_h[2 * H :]
        for gates, h_seen, z, r, g, rh, rh_seen, h_less_g, h_before, h in net.forward_steps[:T]:
            product(U_gates, h_seen, into_gates)
            add(gates, from_h, gates)
            squash(gates)
            multiply(r, h_before, rh)
            product(U_g, rh_seen, into_g)
            add(g, from_rh, g)
            tanh(g, g)
            np.subtract(h_before, g, h_less_g)
            multiply(z, h_less_g, h)
            add(h, g, h)
    else:
        forgets = "f" in cell.gates
        for a, gates, h_before, i, f, o, g, ig, c_before, c, tanh_c, h in net.forward_steps[:T]:
            product(U, h_before, into)
            add(a, from_h, a)
            squash(gates)
            tanh(g, g)
            multiply(i, g, ig)
            if forgets:
                multiply(f, c_before, c)
                add(c, ig, c)
            else:
                add(c_before, ig, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)
    return p.V @ net.h[T - 1].swapaxes(0, 1) + p.b


def softmax(logits):
    """Probabilities (S, O, B) of logits (S, O, B)."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(logits, labels):
    """Loss (S, B) of logits (S, O, B) under labels (S, B), and its derivative by the logits, (S, O, B)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    target = labels[:, None] == np.arange(O)[:, None]
    return np.log(total[:, 0]) - (shifted * target).sum(axis=1), e / total - target


# -------------------------------------------------------------------------------------------------- backward


def derivatives(net, T):
    """Of the gates of the T steps just run: derivatives by their net inputs, into net.d_gates."""
    y, d = net.gates[:T], net.d_gates[:T]
    if net.cell.hard:  # 0.2 where neither bound is met
        np.multiply((y > 0) & (y < 1), net.scale[0], out=d)
    else:
        np.subtract(net.one, y, out=d)
        np.multiply(d, y, out=d)


def backward(net, T, d_logits):
    """Gradient of the loss of the T steps just run, from d_logits (S, O, B), into net.grad (S, P)."""
    p, d, dz, h, H, kind = net.p, net.d, net.dz[:T], net.h[:T], net.cell.hidden, net.cell.kind
    into_h, dh = net.into_h, net.into_h[:H]
    row, d_row = ({name: a[:T] for name, a in rows.items()} for rows in (net.row, net.d_row))
    h_before, one, add, multiply = net.h_before[:T], net.one, np.add, np.multiply
    np.matmul(d_logits, h[-1].transpose(1, 2, 0), out=d.V)
    np.sum(d_logits, axis=2, keepdims=True, out=d.b)
    np.matmul(p.V.transpose(0, 2, 1), d_logits, out=dh.swapaxes(0, 1))
    U = np.zeros_like(net.U) + p.W[:, :, 0].T[:, :, None] if H == 1 else p.W[:, :, :H].transpose(0, 2, 1)

    def to_h(U, terms, into):
        """f(dz_t), which puts errors dz_t of rows, as they reach the h that these receive, into into[:H], (., S, B).

        With one unit, terms are added up by a product with ones, in half of add.reduce's time; with two rows of ones,
        since BLAS keeps their order in products of matrices, but not in those of a matrix and a vector.
        """
        dh, flat, flat_into = into[:H], terms.reshape(len(terms), -1), into.reshape(2, -1)

        def add_up_one(terms, out):  # a single column is a vector
            return np.add.reduce(terms, 0, None, out[0])

        add_up = np.ones((2, len(U)), U.dtype).dot if flat.shape[1] > 1 else add_up_one

        def of_one_row(dz_t):
            multiply(U, dz_t, dh)

        def of_one_unit(dz_t):
            multiply(U, dz_t, terms)
            add_up(flat, out=flat_into)

        def of_units(dz_t):
            np.matmul(U, dz_t, dh.swapaxes(0, 1))

        return of_units if H > 1 else of_one_row if len(U) == 1 else of_one_unit

    if kind == "srnn":
        np.multiply(h, h, out=dz)
        np.subtract(one, dz, out=dz)
        from_rows = to_h(U, net.from_dz, into_h)
        for dz_t, seen in net.backward_steps[T - 1 :: -1]:
            multiply(dz_t, dh, dz_t)
            from_rows(seen)
    elif kind == "gru":
        # For all steps at once: the derivatives of h by the net inputs of z and g, and of r h_{t-1} by that of r.
        derivatives(net, T)
        np.multiply(d_row["z"], net.h_less_g[:T], out=d_row["z"])
        np.multiply(d_row["r"], h_before, out=d_row["r"])
        np.multiply(row["g"], row["g"], out=d_row["g"])
        np.subtract(one, d_row["g"], out=d_row["g"])
        np.multiply(d_row["g"], one - row["z"], out=d_row["g"])
        n, d_rh, from_gates = 2 * H, net.into_rh[:H], net.into_gates[:H]
        U_gates, U_g = (U[:n], U[n:]) if H == 1 else (U[:, :, :n], U[:, :, n:])
        from_g, from_gate_rows = to_h(U_g, net.from_dz[n:], net.into_rh), to_h(U_gates, net.from_dz[:n], net.into_gates)
        for d_z, d_r, d_g, z, r, gates_seen, g_seen in net.backward_steps[T - 1 :: -1]:
            multiply(d_z, dh, d_z)
            multiply(d_g, dh, d_g)
            from_g(g_seen)
            multiply(d_r, d_rh, d_r)
            from_gate_rows(gates_seen)
            multiply(dh, z, dh)
            multiply(d_rh, r, d_rh)
            add(dh, d_rh, dh)
            add(dh, from_gates, dh)
    else:
        # For all steps at once: the derivatives of c (of h, for o) by each row's net input, where dz will be, and of h
        # by c.
        derivatives(net, T)
        ig, tanh_c, dh_dc, forgets = net.ig[:T], net.tanh_c[:T], net.dh_dc[:T], "f" in net.cell.gates
        np.multiply(d_row["i"], row["g"], out=d_row["i"])
        if forgets:
            np.multiply(d_row["f"], net.c[:T], out=d_row["f"])
        np.multiply(d_row["o"], tanh_c, out=d_row["o"])
        np.multiply(ig, row["g"], out=d_row["g"])
        np.subtract(row["i"], d_row["g"], out=d_row["g"])
        np.multiply(h, tanh_c, out=dh_dc)
        np.subtract(row["o"], dh_dc, out=dh_dc)
        acts_on, dc, dc_copies, dc_from_h, copyto = net.acts_on, net.dc, net.dc_copies, net.dc_from_h, np.copyto
        from_rows = to_h(U, net.from_dz, into_h)
        dc.fill(0)
        for dh_dc_t, f, dz_t, seen in net.backward_steps[T - 1 :: -1]:
            multiply(dh_dc_t, dh, dc_from_h)
            add(dc, dc_from_h, dc)
            for copy in dc_copies:
                copyto(copy, dc)
            multiply(dz_t, acts_on, dz_t)
            if forgets:
                multiply(dc, f, dc)
            from_rows(seen)
    S, left, right = net.S, net.left[:, :, :T], net.right[:, :, :T]
    left[...] = dz.transpose(2, 1, 0, 3)
    right[:, :H], right[:, H] = h_before.transpose(2, 1, 0, 3), net.x[:T, 0].swapaxes(0, 1)
    left, right = (array.reshape(S, -1, T * net.B) for array in (left, right))
    np.matmul(left, right.transpose(0, 2, 1), out=d.W)
    if kind == "gru":  # whose candidate sees r h_{t-1}
        rh = np.ascontiguousarray(net.rh[:T].transpose(2, 1, 0, 3)).reshape(S, H, -1)
        np.matmul(left[:, 2 * H :], rh.transpose(0, 2, 1), out=d.W[:, 2 * H :, :H])


# ------------------------------------------------------------------------------------------------------ Adam


# shared block
def adam(state, grad, lr, beta2, active, beta1=0.9, epsilon=1e-8):
    """Update number state.step + 1 of Adam (Kingma and Ba 2015) on state.theta with its moments m and v, (S, P) each.

    In place. Rows that are not active (S,) keep their parameters; a row that would not stay finite does, and leaves it.
    """
    state.step += 1
    state.m += (1 - beta1) * (grad - state.m)
    state.v += (1 - beta2) * (grad * grad - state.v)
    root = np.sqrt(state.v / (1 - beta2**state.step)) + epsilon
    theta = np.asarray(state.theta - lr / (1 - beta1**state.step) * state.m / root, state.theta.dtype)
    active &= np.isfinite(theta).all(axis=1)
    np.copyto(state.theta, theta, where=active[:, None])


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


def gradient_check():
    """Check every parameter of every variant of network, in float64; returns the exit status, 0 or 1.

    hard_sigmoid has two kinks. Networks and data are drawn until no gate comes within 0.01 of one, which is more than
    a perturbation moves it, while some are beyond them and more are not.
    """
    T, B, ok = 6, 6, True
    variants = [Cell("srnn", hidden, T) for hidden in (1, 2)]
    gated = [kind for kind in GATES if GATES[kind]]
    variants += [Cell(kind, hidden, T, hard) for kind in gated for hidden in (1, 2) for hard in (True, False)]
    for cell in variants:

        def loss(population):
            net = Network(cell, population, T, B, backward=False)
            per_sequence, _ = cross_entropy(forward(net, x), y.repeat(len(population), 0))
            return per_sequence.mean(axis=1)

        for attempt in range(10**4):
            rng = stream(attempt, RECORD)
            x, y = make_batch(rng, B, T, "bit-relay")
            x, y, theta = 3 * x.T[:, None].astype(float), y[None], rng.standard_normal((1, cell.P))
            net = Network(cell, theta, T, B)
            forward(net, x)
            if not (cell.hard and cell.gates):
                break
            n, v = net.gates.shape[1], np.concatenate([net.h_before, net.x, np.ones_like(net.x)], axis=1)[:, :, 0]
            cut = np.matmul(net.scale[:n] * net.p.W[0, :n], v) + net.shift[:n, None]
            beyond = ((cut < 0) | (cut > 1)).mean()
            if min(np.abs(cut).min(), np.abs(cut - 1).min()) > 0.01 and 0.02 < beyond < 0.4:
                break
        else:
            raise RuntimeError(f"no {cell} keeps off the kinks")
        for answer in 1 - y, y:  # the first leaves traces that the second pass must not heed
            _, d_logits = cross_entropy(forward(net, x), answer)
            backward(net, T, d_logits / B)
        words = [cell.kind] + ["sigmoid"] * (not cell.hard) + ["2 units"] * (cell.hidden > 1)
        ok &= compare_gradients(", ".join(words), net.grad[0], numerical_gradient(loss, theta[0]), cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def evaluate(net, x, y):
    """Loss of sequences x (T, S, n) under classes y (S, n), and whether answers are right: (S, n) each.

    net: of EVAL_BLOCK sequences side by side; of fewer steps than T, it goes on from where it was.
    """
    (T, S, n), steps, loss, right = x.shape, len(net.a), [], []
    for first in range(0, n, EVAL_BLOCK):
        some = min(EVAL_BLOCK, n - first)
        block, labels = np.zeros((T, S, EVAL_BLOCK), np.float32), y[:, first : first + some]
        block[:, :, :some] = x[:, :, first : first + some]
        for t in range(0, T, steps):
            logits = forward(net, block[t : t + steps], go_on=t > 0)[:, :, :some]
        loss.append(cross_entropy(logits, labels)[0])
        right.append(logits.argmax(axis=1) == labels)
    return np.concatenate(loss, axis=1), np.concatenate(right, axis=1)


def ten_times(T):
    """Ten times T, and one more if T is odd: a unit that changes its sign at every step must not be told from that."""
    return 10 * T + T % 2


def measure(cell, theta, options, when):
    """What tells why, of the networks theta, on fresh sequences, half of each class: {name: (S,)}.

    when: "before" training or "after" it. first_input_gradient_*: the mean of |d (logit 1 - logit 0) / d x_0| over
    N_GRADIENT sequences, in float64. forget_gate_*: the mean of f_t. recurrent_weight_*: that of a single unit, into h
    (srnn) or g. After training also fresh_accuracy, of N_FRESH sequences, and ten_times_accuracy, of N_LONGER that
    are ten times longer.
    """
    x, y = draw_fresh(options, FRESH, N_FRESH, cell.T)
    net, H, measures = Network(cell, theta.astype(float), cell.T, N_GRADIENT), cell.hidden, {}
    forward(net, x[:, :, :: N_FRESH // N_GRADIENT])
    if "f" in cell.gates:
        measures[f"forget_gate_{when}"] = net.row["f"].mean(axis=(0, 1, 3))
    backward(net, cell.T, np.ones((len(theta), O, N_GRADIENT)) * np.array([[-1.0], [1.0]]))
    dx = (net.p.W[:, :, H].T[:, :, None] * net.dz[0]).sum(axis=0)
    measures[f"first_input_gradient_{when}"] = np.abs(dx).mean(axis=1)
    if H == 1:
        measures[f"recurrent_weight_{when}"] = net.p.W[:, -1, 0].copy()
    if when == "after":
        net = Network(cell, theta, cell.T, EVAL_BLOCK, backward=False)
        longer = draw_fresh(options, LONGER, N_LONGER, ten_times(cell.T))
        measures["fresh_accuracy"] = evaluate(net, x, y)[1].mean(axis=1)
        measures["ten_times_accuracy"] = evaluate(net, *longer)[1].mean(axis=1)
    return measures


def landscape():
    """Loss of two networks of one unit that run without input, over recurrent weight w and bias b, after each step.

    unit, of Pascanu, Mikolov and Bengio 2013 (figure 6): x_t = w sigma(x_{t-1}) + b from x_0 = 0.5, and the loss is
    (sigma(x_T) - 0.7)^2. lstm: w and b are those of all rows, and 1 is added for the forget gate, z_t = w h_{t-1} + b,
    c_t = sigma(z_t + 1) c_{t-1} + sigma(z_t) tanh(z_t), h_t = sigma(z_t) tanh(c_t), from c_0 = h_0 = 0.5, and the loss
    is (h_T - 0.7)^2. Returns w, b (points,) and unit, lstm (T, points of b, points of w).
    """

    def sigma(z):
        return (1 + np.tanh(z / 2)) / 2

    w, b = (np.linspace(*LANDSCAPE[name], LANDSCAPE["points"]) for name in "wb")
    W, bias = np.meshgrid(w, b)
    x = h = c = np.full(W.shape, 0.5)
    losses = {"unit": [], "lstm": []}
    for _ in range(LANDSCAPE["T"]):
        x = W * sigma(x) + bias
        z = W * h + bias
        c = sigma(z + 1) * c + sigma(z) * np.tanh(z)
        h = sigma(z) * np.tanh(c)
        losses["unit"].append((sigma(x) - 0.7) ** 2)
        losses["lstm"].append((h - 0.7) ** 2)
    return {"w": w, "b": b} | {name: np.array(values, np.float16) for name, values in losses.items()}


def snapshot(net, x):
    """Copies of what the first seed's network does with recorded x (T, n): h, c and the gates, and softmax p."""
    logits = forward(net, x[:, None])
    arrays = {"h": net.h} | {gate: net.row[gate] for gate in net.cell.gates}
    if hasattr(net, "c"):
        arrays["c"] = net.c[1:]
    return {name: array[:, :, 0].copy() for name, array in arrays.items()} | {"p": softmax(logits)[0]}


def update(net, state, x, y, options, alive):
    """One training step on x (T, S, B), y (S, B); a seed of non-finite loss or gradient leaves alive (S,)."""
    loss, d_logits = cross_entropy(forward(net, x), y)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, len(x), d_logits / np.array(y.shape[1], d_logits.dtype))
    alive &= np.isfinite(loss) & np.isfinite(net.grad).all(axis=1)
    if not alive.all():
        net.grad[~alive] = 0
    state.loss_sum += loss
    epsilon = EPSILON / math.sqrt(1 - BETA2 ** (state.step + 1))  # Keras adds it beside the uncorrected moment
    adam(state, net.grad, options.lr, BETA2, alive, epsilon=epsilon)
    if not alive.all():
        for s in np.flatnonzero(~alive):
            state.diverged_at[s] = state.diverged_at[s] or state.step


def initial_state(cell, options):
    """All that the rest of a variant's run depends on, as it is before the first step."""
    theta, S = init_theta(cell, options), len(options.seeds)
    return SimpleNamespace(
        step=0,
        theta=theta,
        m=np.zeros_like(theta),
        v=np.zeros_like(theta),
        loss_sum=np.zeros(S),  # over the steps since the last evaluation
        diverged_at=[None] * S,
        history={"step": [], "train_loss": [], "val_loss": [], "val_accuracy": []},
        snapshots={"step": []},
        measures=measure(cell, theta, options, "before"),
        wall_clock_s=0.0,
    )


def train(variant, cell, options, state, save, interrupt):
    """Train a variant from state, which it keeps up to date, to the last step, with save(state) once in a while.

    Returns what results.json has of the variant and its arrays for snapshots.npz, or None where interrupted.
    """
    S, B, T, history = len(options.seeds), options.batch, cell.T, state.history
    net, eval_net = Network(cell, state.theta, T, B), Network(cell, state.theta, T, EVAL_BLOCK, backward=False)
    record_net = Network(cell, state.theta[:1], T, 4, backward=False)
    x, y = make_batch(stream(options.seeds[0], RECORD, T), 4, T, options.task)
    data, classes = draw_population(options, T)
    n, by_seed = options.sequences - options.sequences // 5, np.arange(S)[:, None]
    held_out = data[:, n : n + options.eval_n].transpose(2, 0, 1), classes[:, n : n + options.eval_n]
    alive = np.array([step is None for step in state.diverged_at])
    epoch, saved, started = None, time.perf_counter(), time.perf_counter() - state.wall_clock_s

    def due(every, last):
        return state.step not in last[-1:] and (state.step % every == 0 or state.step == options.steps)

    while True:
        if due(options.snapshot_every, state.snapshots["step"]):
            for name, value in ({"step": state.step} | snapshot(record_net, x.T)).items():
                state.snapshots.setdefault(name, []).append(value)
        if due(options.eval_every, history["step"]):
            loss, right = evaluate(eval_net, *held_out)
            accuracy = right.mean(axis=1)
            steps = state.step - (history["step"] or [0])[-1]
            history["step"].append(state.step)
            history["train_loss"].append(np.where(alive, state.loss_sum / (steps or np.nan), np.nan))
            history["val_loss"].append(np.where(alive, loss.mean(axis=1), np.nan))
            history["val_accuracy"].append(np.where(alive, accuracy, np.nan))
            state.loss_sum[:] = 0
            state.wall_clock_s = time.perf_counter() - started
            solved = alive & (accuracy >= 0.99)
            print_progress(variant, history, "val_accuracy", solved, options.steps, S * B, state.wall_clock_s)
            if state.step < options.steps and time.perf_counter() - saved >= 1:
                save(state)
                saved = time.perf_counter()
        if state.step == options.steps:
            break
        if interrupt.seen:
            state.wall_clock_s = time.perf_counter() - started
            save(state)
            return None
        now, k = divmod(state.step, n // B)
        if epoch != now:
            epoch = now
            order = np.stack([stream(seed, ORDER, T, epoch).permutation(n) for seed in options.seeds])
        batch = order[:, k * B : (k + 1) * B]
        sequences = np.ascontiguousarray(data[by_seed, batch].transpose(2, 0, 1))
        update(net, state, sequences, classes[by_seed, batch], options, alive)
    state.measures |= measure(cell, state.theta, options, "after")
    result = {
        "cell": cell.kind,
        "T": T,
        "trainable_parameters": cell.P,
        "wall_clock_s": state.wall_clock_s,
        "sequences_per_s": S * B * options.steps / state.wall_clock_s,
        "sequences_seen": [B * (step or options.steps) for step in state.diverged_at],
        "diverged_at_step": state.diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("val_accuracy", "val_loss")},
        "measures": {name: np.where(alive, values, np.nan) for name, values in state.measures.items()},
    }
    weights = {f"weights/{name}": array[0] for name, array in vars(net.p).items()}
    return result, state.snapshots | {"x": x.T, "y": y} | weights


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


def cell_kinds(text):
    """Some of the kinds of cells, each once."""
    kinds = text.split(",")
    if not set(kinds) <= set(GATES) or len(set(kinds)) < len(kinds):
        raise argparse.ArgumentTypeError(f"'{text}' is not some of {','.join(GATES)}, each once")
    return kinds


def several_lengths(text):
    """Lengths of sequences, each once and 2 or more."""
    try:
        lengths = [positive(part) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"'{text}' does not parse: give lengths as 10,50,100") from None
    if min(lengths) < 2 or len(set(lengths)) < len(lengths):
        raise argparse.ArgumentTypeError(f"'{text}': lengths are 2 or more, and each is named once")
    return lengths


def initial_bias(text):
    """A finite number, or "log-T"."""
    with contextlib.suppress(ValueError):
        return text if text == "log-T" else float(text)
    raise argparse.ArgumentTypeError(f"'{text}' is neither a number nor log-T")


def words(options):
    """Options as one types them."""
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())


def build_parser():
    """The command line, as argparse has it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = parser.add_argument
    seeds, recipes = "0-29|0,3,7", "; ".join(f"{name}: {words(recipe)}" for name, recipe in RECIPES.items())
    tasks = "; ".join(f"{name}: {words(settings)}" for name, settings in TASKS.items())
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar=seeds, help="networks, side by side")
    add("--recipe", choices=RECIPES, default="default", help=f"{recipes}; single options override")
    add("--task", choices=TASKS, default="latch", help=f"with settings of its own: {tasks}")
    add("--cells", type=cell_kinds, default="srnn,lstm", help="networks to train, one after the other")
    add("--lengths", type=several_lengths, default="10,50,100,200", help="steps of a sequence, one after the other")
    add("--split", choices=["shuffled", "asker"], help="the sequences held out: any, or the last, sorted by class")
    add("--sequences", type=positive, default=10000, help="of each network; the last fifth is held out")
    add("--epochs", type=positive, help="passes over the training sequences")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, default=argparse.SUPPRESS,
        help="updates (default: as many as the epochs have)")  # fmt: skip
    add("--batch", type=positive, default=16, help="sequences in a step")
    add("--hidden", type=positive, help="units")
    add("--gates", choices=["hard_sigmoid", "sigmoid"], default="hard_sigmoid", help="how gates squash")
    add("--forget-gate-bias", type=initial_bias, default=1.0, help="initial bias of the forget gates; log-T: log(T)")
    add("--input-gate-bias", type=float, default=0.0, help="initial bias of the input gates")
    add("--lr", type=positive_real, default=1e-3, help="learning rate of Adam")
    add("--eval-every", "--eval_every", type=positive, default=500, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=2000, help="held-out sequences to look at")
    add("--snapshot-every", "--snapshot_every", type=positive, default=500, help="steps between snapshots")
    add("--dtype", choices=["float32", "float64"], default="float32", help="arithmetic of the training")
    add("--out", metavar="DIR", default=f"results/{EXPERIMENT}", help="where to write")
    add("--resume", action="store_true", help="go on from DIR's checkpoint, if there is one")
    quick = {name: value for name, value in QUICK.items() if name != "lengths"}
    add("--quick", action="store_true", help=f"a run of seconds: --lengths 5,20 {words(quick)}")
    add("--gradcheck", action="store_true", help="check the gradients of all parameters of all variants, and stop")
    parser.set_defaults(**RECIPES["default"] | TASKS["latch"])
    return parser


def parse_options(argv):
    """The options of a command line, checked; exits with status 2 where they make no sense."""
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    parser.set_defaults(**RECIPES[first.recipe] | TASKS[first.task] | (QUICK if first.quick else {}))
    options = parser.parse_args(argv)
    held_out = options.sequences // 5
    per_epoch = (options.sequences - held_out) // options.batch
    if per_epoch < 1:
        parser.error(f"argument --batch: {options.batch} is more than four fifths of {options.sequences} sequences")
    if options.eval_n > held_out:
        parser.error(f"argument --eval-n: {options.eval_n} is more than a fifth of {options.sequences} sequences")
    options.steps = getattr(options, "steps", options.epochs * per_epoch)
    for name in "eval_every", "snapshot_every":
        interval = getattr(options, name)
        if interval > options.steps and interval != parser.get_default(name):
            steps = f"the {options.steps} steps of the run"
            parser.error(f"argument --{name.replace('_', '-')}: {interval} is more than {steps}")
    if not options.out:
        parser.error("argument --out: a folder is wanted")
    for name in "forget_gate_bias", "input_gate_bias":
        bias = getattr(options, name)
        if bias != "log-T" and not math.isfinite(bias):
            parser.error(f"argument --{name.replace('_', '-')}: {bias} is not a finite number")
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


def print_summary(runs, seeds):
    """The table that a run ends with."""
    print("\n               parameters  latched  held-out: median [range]  fresh: median  ten times longer  seconds")
    for variant, run in runs.items():
        found = run["measures"] | run["final"]
        accuracy, fresh, longer = (np.array([a for a in found[f"{name}_accuracy"] if a is not None])
                                   for name in ("val", "fresh", "ten_times"))  # fmt: skip
        spread = f"{np.median(accuracy):.3f} [{accuracy.min():.3f}, {accuracy.max():.3f}]" if accuracy.size else "-"
        median = [f"{np.median(values):.3f}" if values.size else "-" for values in (fresh, longer)]
        latched = f"{(fresh >= 0.99).sum()}/{len(seeds)}"
        print(f"{variant:14}{run['trainable_parameters']:11}{latched:>9}{spread:>26}{median[0]:>15}{median[1]:>18}"
              f"{run['wall_clock_s']:9.1f}")  # fmt: skip
        for seed, step in zip(seeds, run["diverged_at_step"]):
            if step is not None:
                print(f"{variant} of seed {seed} was frozen at step {step}, where its loss or gradient was not finite")


def main(argv=None):
    """Run the command line argv; returns the exit status: 0, 1 for a failed gradient check, 130 if interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    options, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    out = Path(options.out)
    config = {name: value for name, value in vars(options).items() if name not in ("resume", "gradcheck")}
    command = shlex.join(["python3", Path(__file__).name, *(word for word in argv if word != "--resume")])
    done = open_output(out, options.resume, config, parser) or {"runs": {}, "arrays": {}, "variant": None}
    runs, arrays = done["runs"], done["arrays"]
    cells = [Cell(kind, options.hidden, T, options.gates == "hard_sigmoid")
             for kind in options.cells for T in options.lengths]  # fmt: skip
    with interruptible() as interrupt, np.errstate(all="ignore"):
        for cell in cells:
            variant = f"{cell.kind}-{cell.T}"
            if variant in runs:
                continue
            state = SimpleNamespace(**done["state"]) if done["variant"] == variant else initial_state(cell, options)

            def save(state):
                tree = {"config": config, "runs": runs, "arrays": arrays, "variant": variant, "state": vars(state)}
                save_checkpoint(out / "checkpoint.npz", tree)

            trained = train(variant, cell, options, state, save, interrupt)
            if trained is None:
                print(f"stopped after step {state.step} of {variant}; to go on: {command} --resume")
                return 130
            runs[variant], arrays[variant] = trained
    results = {"schema": 1, "experiment": EXPERIMENT, "command": command, "config": config,
               "environment": environment(), "seeds": options.seeds, "runs": plain(runs)}  # fmt: skip
    arrays = arrays | {"landscape": landscape()}
    flat = {f"{variant}/{name}": np.asarray(array) for variant in arrays for name, array in arrays[variant].items()}
    write_whole(out / "snapshots.npz", lambda file: np.savez_compressed(file, **flat))
    write_json(out / "results.json", results)
    (out / "checkpoint.npz").unlink(missing_ok=True)
    print_summary(results["runs"], options.seeds)
    where = "" if options.out == build_parser().get_default("out") else f" --run {shlex.quote(options.out)}"
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
