#!/usr/bin/env python3
"""Information latching: recurrent networks must keep the sign of their first input over T steps of noise.

The task is from Y. Bengio, P. Simard and P. Frasconi, Learning Long-Term Dependencies with Gradient Descent is
Difficult, IEEE Transactions on Neural Networks 5(2):157-166, 1994. A question of 2018 repeats it and asks why an LSTM
of one unit does worse than a simple RNN: https://stats.stackexchange.com/questions/340898. This text calls it the
question.

The problem. A sequence of T numbers is Gaussian noise of standard deviation 0.1; +1 or -1 is added to the first number.
After the last step the network names this sign. With --task bit-relay, another +1 or -1 is added at step T // 2, and
the network names whether the two signs agree. (The question names this task but does not define it; this is our
definition.)

The networks. At step t all units read v_t = [h_{t-1}; x_t; 1]; x_t is one number.

    srnn         h_t = tanh(W v_t)
    lstm         i_t, f_t, o_t = s(W_i v_t), s(W_f v_t), s(W_o v_t)    g_t = tanh(W_g v_t)
                 c_t = f_t c_{t-1} + i_t g_t    h_t = o_t tanh(c_t)
    lstm-1997    the same without forget gate: c_t = c_{t-1} + i_t g_t
    gru          z_t, r_t = s(W_z v_t), s(W_r v_t)    g_t = tanh(W_g [r_t h_{t-1}; x_t; 1])
                 h_t = z_t h_{t-1} + (1 - z_t) g_t
    all          p = softmax(V h_T + b), loss = -log p[class], averaged over the batch

s is Keras's hard_sigmoid, min(max(0.2 z + 0.5, 0), 1), or with --gates sigmoid the logistic function. W has the rows of
the gates in the order above, then the rows of g; with H units, each gate and g have H rows. Training: backpropagation
through all steps, Adam. Initial weights and Adam are those of Keras in early 2018. Input weights and V are Glorot
uniform. Recurrent weights are orthogonal (for one LSTM unit: a random row of four numbers with norm 1; for one simple
unit: 1 or -1). The bias of the forget gate is 1, the others are 0. Adam adds epsilon, 1e-7, to the root of the
uncorrected second moment.

Of 10,000 sequences the last fifth is held out. Here the sequences are shuffled before the split. In the question they
are sorted by class, so its networks train on 5,000 sequences of +1 and 3,000 of -1, and all held-out sequences have -1.
--split asker or --recipe writeup repeats this.

Axes of arrays: S seeds (independent networks, each with its own data, trained together), T steps, B sequences of a
batch, D = 1 input, H units, O = 2 classes, K = H + D + 1 rows of v_t, R rows of gates and candidates, P parameters of a
network. Arrays are (T, rows, S, B); in_columns or in_matrices gives the view that a product with recurrent weights
takes.

Names. a: net inputs, then activations. ig: i_t g_t. rh: r_t h_{t-1}. d<name>: the gradient of the loss with respect to
<name>; dz: with respect to net inputs. error (R, S, B): dh in the rows of o, dc in the others; for a simple unit dh.

The headline, python3 information_latching.py, trains thirty networks of each kind at each of four lengths. It ends with
these lines (solved: the network is right on at least 99 % of the held-out sequences):

                   parameters   solved  accuracy: median [range]  seconds
    srnn-10                 7    27/30      1.000 [0.484, 1.000]      0.5
    srnn-50                 7    21/30      1.000 [0.480, 1.000]      0.9
    srnn-100                7    13/30      0.503 [0.480, 1.000]      1.3
    srnn-200                7     5/30      0.506 [0.473, 1.000]      2.5
    lstm-10                16    22/30      1.000 [0.468, 1.000]      0.9
    lstm-50                16     1/30      0.493 [0.470, 1.000]      2.3
    lstm-100               16     0/30      0.496 [0.467, 0.521]      4.5
    lstm-200               16     0/30      0.493 [0.477, 0.511]      8.7

It writes results/information_latching. Every other command writes runs/information_latching/<the options that differ>,
unless --out names a folder. results.json has the settings and, for each kind of network and length (srnn-10, srnn-50,
...), the history of every seed, the loss of each training batch of the recorded seed (history/batch_loss) and the final
values. snapshots.npz has the loss landscapes under landscape/ (see landscape). Under srnn-10/ and so on it has N
snapshots of the recorded seed over training, on four sequences, two of each class. It also has the weights of all seeds
after the last step. The last snapshot is after the last step.

    step (N,)   x (T, 4)   y (4,) classes     p (N, O, 4) softmax at the last step
    h (N, T, H, 4)   if the network has them: c, and the gates i, f, o or z, r, each (N, T, H, 4)
    weights/W (S, R, K)   weights/V (S, O, H)   weights/b (S, O, 1)

How this differs from the question: every network has its own data, length 30 is run once, and probabilities are not
limited to [1e-7, 1 - 1e-7] before their logarithm. Networks of different kinds with the same seed and length have the
same data.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///

import argparse
import contextlib
import itertools
import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # NumPy reads it when it loads; with such small matrices, more threads are slower
import numpy as np

EXPERIMENT = "information_latching"
SCRIPT, HEADLINE = f"{EXPERIMENT}.py", f"results/{EXPERIMENT}"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
NOISE = 0.1  # standard deviation of the noise
O = 2
GATES = {"srnn": "", "lstm": "ifo", "lstm-1997": "io", "gru": "zr"}
RECIPES = {"default": {"split": "shuffled"}, "writeup": {"split": "asker"}}
TASKS = {"latch": {"hidden": 1, "epochs": 5}, "bit-relay": {"hidden": 8, "epochs": 10}}
QUICK = {"lengths": [5, 20], "sequences": 1000, "epochs": 2, "eval_every": 50, "eval_n": 200, "snapshot_every": 50}
SOLVED = 0.99  # accuracy on held-out sequences
BETA2, EPSILON = 0.999, 1e-7
INIT, DATA, ORDER, RECORD = 0, 1, 2, 5  # the streams of random numbers of each seed; studies use 3 and 4
ESTIMATED_AFTER = 100  # the time of the run is estimated after this number of steps
EVAL_BATCH = 100  # held-out sequences that pass through the network together
RECORDED = 4  # sequences in a snapshot

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def make_batch(rng, n, T, task):
    """Draw n sequences of T steps, those of class 1 first: numbers (n, T), float32, and classes (n,), half of them 1.

    task "latch": +1 (class 1) or -1 is added to the first number. "bit-relay": +1 or -1 is added to the first number,
    with equal probability; the same (class 1) or the opposite is added to number T // 2.
    """
    x = NOISE * rng.standard_normal((n, T), np.float32)
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
    S, n = len(options.seeds), options.sequences
    x, y = np.empty((S, n, T), np.float32), np.empty((S, n), int)
    for s, seed in enumerate(options.seeds):
        rng = stream(seed, DATA, T)
        x[s], y[s] = make_batch(rng, n, T, options.task)
        if options.split == "shuffled":
            order = rng.permutation(n)
            x[s], y[s] = x[s, order], y[s, order]
    return x, y


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """A kind of network, for sequences of T steps."""

    kind: str
    hidden: int = 1
    T: int = 10
    hard: bool = True  # gates are hard_sigmoid, not logistic

    @property
    def gates(self):
        return GATES[self.kind]

    @property
    def shapes(self):
        return {"W": ((len(self.gates) + 1) * self.hidden, self.hidden + 2), "V": (O, self.hidden), "b": (O, 1)}

    @property
    def P(self):
        return sum(math.prod(shape) for shape in self.shapes.values())


assert [Cell(kind).P for kind in GATES] == [7, 16, 13, 13]  # 4 of them in V and b


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def orthogonal(rng, rows, columns):
    """A matrix with orthonormal rows or columns (the fewer of the two), as Keras of early 2018 draws it.

    Keras uses LAPACK's singular value decomposition. If the matrix is one row of several numbers, LAPACK never makes
    the first number (the input gate's weight) positive. Here this sign is set, so it does not depend on LAPACK.
    """
    u, _, v = np.linalg.svd(rng.standard_normal((rows, columns)), full_matrices=False)
    if rows == 1 < columns:
        return -np.sign(v[0, 0]) * v
    return u if u.shape == (rows, columns) else v


def init_theta(cell, options):
    """Initial parameters (S, P) as Keras of early 2018 draws them, with the biases of the gates from the options."""
    theta = np.zeros((len(options.seeds), cell.P))
    p, H, (R, _) = views(theta, cell.shapes), cell.hidden, cell.shapes["W"]
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
    """S networks with parameters theta (S, P), and every array that their passes write.

    T: the largest number of steps of a pass. B: sequences of a batch. backward: whether gradients will be computed. A
    pass starts from all_h[0] and c[0], which are zero. operand(array) is the view that products with recurrent weights
    take.
    """

    def __init__(self, cell, theta, T, B, backward=True):
        S, H, G = len(theta), cell.hidden, len(cell.gates)
        R = (G + 1) * H

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.cell, self.p = cell, views(theta, cell.shapes)
        self.operand = operand = in_columns if H == 1 else in_matrices
        # Gate rows of W are scaled. Then hard_sigmoid only limits values to [0, 1], and one tanh computes all logistic
        # gates: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.2 if cell.hard else 0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.shift = np.repeat([0.5 if cell.hard else 0.0] * G + [0.0], H).astype(theta.dtype)
        self.zero, self.half, self.one = (np.array(value, theta.dtype) for value in (0, 0.5, 1))

        self.x, self.all_h = zeros(T, 1, S, B), zeros(T + 1, H, S, B)  # h_0 to h_T
        self.h_before, self.h = self.all_h[:-1], self.all_h[1:]
        self.a, self.from_h = zeros(T, R, S, B), zeros(R, S, B)
        self.gates = self.a[:, : G * H]
        self.row = {name: self.a[:, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        self.c = zeros(T + 1, H if "o" in cell.gates else 0, S, B)  # c_0 to c_T; srnn and gru have none
        products, arrays = [operand(self.h_before)], [self.a, self.h]
        if cell.kind == "gru":
            self.rh, self.h_less_g = zeros(T, H, S, B), zeros(T, H, S, B)
            products += [operand(self.rh)]
            arrays = [self.gates, *(self.row[name] for name in "zrg"), self.rh, self.h_less_g, self.h_before, self.h]
        elif cell.gates:
            self.tanh_c, self.ig = zeros(T, H, S, B), zeros(T, H, S, B)
            i, f, o, g = (self.row.get(name, self.ig) for name in "ifog")  # without forget gate f is not used
            arrays = [self.a, self.gates, i, f, o, g, self.ig, self.c[:-1], self.c[1:], self.tanh_c, self.h]
        self.forward_steps = list(zip(*products, *map(by_step, arrays)))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.dz = zeros(T, R, S, B)
        self.dz_all, self.v_all = zeros(S, R, T, B), np.ones((S, H + 2, T, B), theta.dtype)  # dz and v_t of all steps
        self.d_gates = self.dz[:, : G * H]
        self.d_row = {name: self.dz[:, k * H : (k + 1) * H] for k, name in enumerate(self.row)}
        self.error, self.dh_dc = zeros(R, S, B), zeros(T, H, S, B)
        self.dh_twice = self.error[-2 * H :]  # see back_to_h; for an LSTM: the rows of o, which hold dh, and of g
        self.dh = self.dh_twice[:H]
        if cell.kind == "gru":
            products = [operand(self.d_gates), operand(self.d_row["g"])]
            arrays = [*(self.d_row[name] for name in "zrg"), self.row["z"], self.row["r"]]
        else:
            products = [operand(self.dz)]
            arrays = [self.dz, self.dh_dc, self.row.get("f", self.dh_dc)]  # without forget gate f is not used
        self.backward_steps = list(zip(*products, *map(by_step, arrays)))


def by_step(array):
    """The view (T, rows S B) of an array (T, rows, S, B): NumPy's calls are faster on one axis than on three."""
    return array.reshape(len(array), -1)


def in_columns(array):
    """The view (..., rows, S B) of an array (..., rows, S, B) for products with the weights of one unit."""
    return array.reshape(*array.shape[:-2], -1)


def in_matrices(array):
    """The view (..., S, rows, B) of an array (..., rows, S, B) for products with the weights of several units."""
    return array.swapaxes(-2, -3)


def spread(W, B):
    """Columns of weights W (S, rows, n), each weight repeated for B sequences: (n, rows, S B)."""
    return np.repeat(W.transpose(2, 1, 0), B, axis=2)


def recurrent(W_h, B):
    """A function that multiplies recurrent weights by an operand, and the weights W_h (S, rows, H) in its form.

    With one unit, it multiplies element by element, and the weights are repeated once for each pass. Then a step needs
    neither broadcasting nor one product per seed, and takes less than half of the time.
    """
    return (np.multiply, spread(W_h, B)[0]) if W_h.shape[2] == 1 else (np.matmul, W_h.copy())


def back_to_h(W_h, out):
    """A function f(dz, out) that writes W_h^T dz into out, for W_h (S, rows, H) and an operand dz; and out in f's form.

    out: (2 H, S, B); the result is in out[:H]. With one unit, a product with ones adds up the rows, in half the time of
    a sum. The ones have two rows: BLAS keeps the order of terms in products of two matrices, but not in products of a
    matrix and a vector. So out[H:] may also hold the result.
    """
    _, rows, H = W_h.shape
    if H > 1:
        return partial(np.matmul, W_h.transpose(0, 2, 1)), in_matrices(out[:H])
    (w,), twice = spread(W_h, out.shape[2]), in_columns(out)
    if rows == 1:
        return partial(np.multiply, w), twice[:1]
    terms, ones, multiply = np.empty_like(w), np.ones((2, rows), w.dtype), np.multiply
    add_up, total = (ones.dot, twice) if twice.shape[1] > 1 else (np.add.reduce, twice[0])

    def sum_of_rows(dz, out):
        multiply(w, dz, terms)
        add_up(terms, out=out)

    return sum_of_rows, total


# --------------------------------------------------------------------------------------------------- forward


def forward(net, x):
    """Run the networks over x (T, S, B) from a zero state. Returns the logits after the last step, (S, O, B)."""
    T, H, B, p, cell = len(x), net.cell.hidden, x.shape[2], net.p, net.cell
    zero, half, one = net.zero, net.half, net.one
    np.copyto(net.x[:T, 0], x)  # x_t
    W = p.W * net.scale  # rows of gates: W / 5, or W / 2
    W[:, :, -1] += net.shift  # b / 5 + 1/2, or b / 2
    W_x, b = spread(W[:, :, H:], B)
    a = in_columns(net.a[:T])
    np.multiply(W_x, in_columns(net.x[:T]), out=a)  # W_x x_t
    np.add(a, b, out=a)  # W_x x_t + b
    W_h, from_h, into = W[:, :, :H], net.from_h.ravel(), net.operand(net.from_h)
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument

    def hard_sigmoid(gates):
        gates.clip(zero, one, gates)  # s(z) = min(max(z / 5 + 1/2, 0), 1)

    def logistic(gates):
        tanh(gates, gates)  # tanh(z / 2)
        multiply(gates, half, gates)  # tanh(z / 2) / 2
        add(gates, half, gates)  # s(z) = 1/2 + tanh(z / 2) / 2

    squash = hard_sigmoid if cell.hard else logistic
    if cell.kind == "srnn":
        times, W_h = recurrent(W_h, B)
        for h_before, a, h in net.forward_steps[:T]:
            times(W_h, h_before, into)  # W_h h_{t-1}
            add(a, from_h, a)  # z_t = W v_t
            tanh(a, h)  # h_t = tanh(z_t)
    elif cell.kind == "gru":
        n = 2 * H  # rows of gates
        (times, W_gates), (_, W_g) = recurrent(W_h[:, :n], B), recurrent(W_h[:, n:], B)
        into_gates, into_g = net.operand(net.from_h[:n]), net.operand(net.from_h[n:])
        from_h, from_rh = net.from_h[:n].ravel(), net.from_h[n:].ravel()
        for h_operand, rh_operand, gates, z, r, g, rh, h_less_g, h_before, h in net.forward_steps[:T]:
            times(W_gates, h_operand, into_gates)  # W_zh h_{t-1}, W_rh h_{t-1}
            add(gates, from_h, gates)  # W_z v_t, W_r v_t, scaled: z / 5 + 1/2 or z / 2
            squash(gates)  # z_t, r_t = s(W_z v_t), s(W_r v_t)
            multiply(r, h_before, rh)  # r_t h_{t-1}
            times(W_g, rh_operand, into_g)  # W_gh r_t h_{t-1}
            add(g, from_rh, g)  # W_g [r_t h_{t-1}; x_t; 1]
            tanh(g, g)  # g_t = tanh(W_g [r_t h_{t-1}; x_t; 1])
            np.subtract(h_before, g, h_less_g)  # h_{t-1} - g_t
            multiply(z, h_less_g, h)  # z_t (h_{t-1} - g_t)
            add(h, g, h)  # h_t = z_t h_{t-1} + (1 - z_t) g_t
    else:
        (times, W_h), forget_gate = recurrent(W_h, B), "f" in cell.gates
        for h_before, a, gates, i, f, o, g, ig, c_before, c, tanh_c, h in net.forward_steps[:T]:
            times(W_h, h_before, into)  # W_h h_{t-1}
            add(a, from_h, a)  # z_t = W v_t; in the rows of gates scaled: z_t / 5 + 1/2 or z_t / 2
            squash(gates)  # i_t, f_t, o_t = s(z_t)
            tanh(g, g)  # g_t = tanh(z_t)
            multiply(i, g, ig)  # i_t g_t
            if forget_gate:
                multiply(f, c_before, c)  # f_t c_{t-1}
                add(c, ig, c)  # c_t = f_t c_{t-1} + i_t g_t
            else:
                add(c_before, ig, c)  # c_t = c_{t-1} + i_t g_t
            tanh(c, tanh_c)  # tanh(c_t)
            multiply(o, tanh_c, h)  # h_t = o_t tanh(c_t)
    return p.V @ net.h[T - 1].swapaxes(0, 1) + p.b  # V h_T + b


def softmax(logits):
    """Probabilities p (S, O, B) of logits (S, O, B), and log p."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    return e / total, shifted - np.log(total)


def cross_entropy(logits, labels):
    """Loss (S, B) of logits (S, O, B) under labels (S, B), and its gradient with respect to the logits, (S, O, B)."""
    (p, log_p), target = softmax(logits), labels[:, None] == np.arange(O)[:, None]
    return -(log_p * target).sum(axis=1), p - target


# -------------------------------------------------------------------------------------------------- backward


def backward(net, T, d_logits):
    """Write the gradient of the loss of the last forward pass into net.grad (S, P). d_logits: (S, O, B)."""
    p, d, H, cell = net.p, net.d, net.cell.hidden, net.cell
    W_h, dh = p.W[:, :, :H], net.dh.ravel()
    add, copyto, multiply = np.add, np.copyto, np.multiply
    np.matmul(d_logits, net.h[T - 1].transpose(1, 2, 0), out=d.V)  # dV = d_logits h_T^T
    d_logits.sum(axis=2, keepdims=True, out=d.b)  # db = sum of d_logits over the batch
    np.matmul(p.V.transpose(0, 2, 1), d_logits, out=net.dh.swapaxes(0, 1))  # dh_T = V^T d_logits
    local_derivatives(net)
    if cell.kind == "gru":
        n = 2 * H  # rows of gates
        drh_twice, dh_gates_twice = np.empty_like(net.dh_twice), np.empty_like(net.dh_twice)
        g_to_rh, drh_out = back_to_h(W_h[:, n:], drh_twice)
        gates_to_h, dh_out = back_to_h(W_h[:, :n], dh_gates_twice)
        drh, dh_gates = drh_twice[:H].ravel(), dh_gates_twice[:H].ravel()
        for gates_operand, g_operand, dz_z, dz_r, dz_g, z, r in net.backward_steps[T - 1 :: -1]:
            multiply(dz_z, dh, dz_z)  # dz_z = dh_t dh_t/dz_z
            multiply(dz_g, dh, dz_g)  # dz_g = dh_t dh_t/dz_g
            g_to_rh(g_operand, drh_out)  # drh_t = W_gh^T dz_g
            multiply(dz_r, drh, dz_r)  # dz_r = drh_t drh_t/dz_r
            gates_to_h(gates_operand, dh_out)  # dh_{t-1} through z_t and r_t: W_zh^T dz_z + W_rh^T dz_r
            multiply(dh, z, dh)  # dh_{t-1} through z_t h_{t-1}: dh_t z_t
            multiply(drh, r, drh)  # dh_{t-1} through r_t h_{t-1}: drh_t r_t
            add(dh, drh, dh)  # dh_{t-1} through both products
            add(dh, dh_gates, dh)  # dh_{t-1}
    else:
        (to_h, dh_out), error = back_to_h(W_h, net.dh_twice), net.error.ravel()
        lstm, forget_gate = "o" in cell.gates, "f" in cell.gates
        if lstm:
            dc, *dc_copies = (net.error[k * H : (k + 1) * H].ravel() for k, name in enumerate(net.row) if name != "o")
            dc.fill(0)  # no step comes after the last
            dc_from_h = np.empty_like(dc)
        for dz_operand, dz, dh_dc, f in net.backward_steps[T - 1 :: -1]:
            if lstm:
                multiply(dh_dc, dh, dc_from_h)  # dh_t dh_t/dc_t
                add(dc, dc_from_h, dc)  # dc_t = dc_t through c_{t+1} + dh_t dh_t/dc_t
                for dc_copy in dc_copies:
                    copyto(dc_copy, dc)  # dc_t in all rows of error except those of o
            multiply(dz, error, dz)  # dz_o = dh_t dh_t/dz_o; dz_i, dz_f, dz_g = dc_t dc_t/dz; srnn: dh_t dh_t/dz
            if forget_gate:
                multiply(dc, f, dc)  # dc_{t-1} through c_t = dc_t f_t
            to_h(dz_operand, dh_out)  # dh_{t-1} = W_h^T dz_t; in rows of g dc replaces it
    copyto(net.dz_all[:, :, :T], net.dz[:T].transpose(2, 1, 0, 3))  # dz_t of all steps, seeds first
    copyto(net.v_all[:, :H, :T], net.h_before[:T].transpose(2, 1, 0, 3))  # h_{t-1}
    copyto(net.v_all[:, H : H + 1, :T], net.x[:T].transpose(2, 1, 0, 3))  # x_t
    dz_all, v_all = (array[:, :, :T].reshape(*array.shape[:2], -1) for array in (net.dz_all, net.v_all))
    np.matmul(dz_all, v_all.transpose(0, 2, 1), out=d.W)  # dW = sum_t dz_t v_t^T
    if cell.kind == "gru":  # in a GRU, g reads r_t h_{t-1}
        rh_all = np.ascontiguousarray(net.rh[:T].transpose(2, 1, 0, 3)).reshape(len(dz_all), H, -1)
        np.matmul(dz_all[:, n:], rh_all.transpose(0, 2, 1), out=d.W[:, n:, :H])  # dW_gh = sum_t dz_g rh_t^T


def local_derivatives(net):
    """Write the derivatives within each step into net.dz. They do not depend on the errors of later steps.

    LSTM: dh/dz for the net inputs z of o, dc/dz for the others, and dh/dc into net.dh_dc. GRU: dh/dz for the net inputs
    of gate z and of g, drh/dz for those of r.
    """
    cell, h, dz, gates, d_gates, row, d_row = net.cell, net.h, net.dz, net.gates, net.d_gates, net.row, net.d_row
    if cell.kind == "srnn":
        np.multiply(h, h, out=dz)  # h^2
        np.subtract(1, dz, out=dz)  # dh/dz = 1 - h^2
        return
    g, dz_g = row["g"], d_row["g"]
    if cell.hard:
        np.multiply((gates > 0) & (gates < 1), net.scale[0], out=d_gates)  # ds/dz = 1/5 where 0 < s < 1
    else:
        np.subtract(1, gates, out=d_gates)  # 1 - s
        np.multiply(d_gates, gates, out=d_gates)  # ds/dz = s (1 - s)
    if cell.kind == "gru":
        np.multiply(d_row["z"], net.h_less_g, out=d_row["z"])  # dh/dz_z = (h_{t-1} - g) ds/dz
        np.multiply(d_row["r"], net.h_before, out=d_row["r"])  # drh/dz_r = h_{t-1} ds/dz
        np.multiply(g, g, out=dz_g)  # g^2
        np.subtract(1, dz_g, out=dz_g)  # dg/dz_g = 1 - g^2
        np.multiply(dz_g, 1 - row["z"], out=dz_g)  # dh/dz_g = (1 - z) (1 - g^2)
        return
    i, o, tanh_c, dh_dc = row["i"], row["o"], net.tanh_c, net.dh_dc
    np.multiply(d_row["i"], g, out=d_row["i"])  # dc/dz_i = g ds/dz
    if "f" in cell.gates:
        np.multiply(d_row["f"], net.c[:-1], out=d_row["f"])  # dc/dz_f = c_{t-1} ds/dz
    np.multiply(d_row["o"], tanh_c, out=d_row["o"])  # dh/dz_o = tanh(c) ds/dz
    np.multiply(net.ig, g, out=dz_g)  # i g^2
    np.subtract(i, dz_g, out=dz_g)  # dc/dz_g = i (1 - g^2)
    np.multiply(h, tanh_c, out=dh_dc)  # h tanh(c) = o tanh(c)^2
    np.subtract(o, dh_dc, out=dh_dc)  # dh/dc = o (1 - tanh(c)^2)


# ------------------------------------------------------------------------------------------------------ Adam


# shared block
class Adam:
    """Adam (Kingma and Ba 2015): its step count and moments m and v (S, P) for parameters theta (S, P)."""

    def __init__(self, theta):
        self.step, self.theta, self.m, self.v = 0, theta, np.zeros_like(theta), np.zeros_like(theta)

    def update(self, grad, lr, beta2, active, beta1=0.9, epsilon=1e-8):
        """Change theta in place. A seed whose update is not finite keeps its old parameters and becomes inactive."""
        self.step += 1
        self.m += (1 - beta1) * (grad - self.m)
        self.v += (1 - beta2) * (grad * grad - self.v)
        root = np.sqrt(self.v / (1 - beta2**self.step)) + epsilon
        theta = np.asarray(self.theta - lr / (1 - beta1**self.step) * self.m / root, self.theta.dtype)
        active &= np.isfinite(theta).all(axis=1)
        np.copyto(self.theta, theta, where=active[:, None])


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


def gradient_check():
    """Check every parameter of every variant of network, in float64; returns the exit status, 0 or 1.

    hard_sigmoid has two kinks. Networks are drawn until all gates are more than 0.01 from a kink and 2 to 40 % of their
    values are beyond a kink. A perturbation moves a gate by less than 0.01.
    """
    T, B, ok = 6, 6, True
    x, y = make_batch(stream(2, DATA), B, T, "bit-relay")
    x, y = 3 * x.T[:, None].astype(float), y[None]
    for kind, hidden, hard in itertools.product(GATES, (1, 2), (True, False)):
        cell = Cell(kind, hidden, T, hard)
        if not (hard or cell.gates):
            continue

        def loss(population):
            net = Network(cell, population, T, B, backward=False)
            per_sequence, _ = cross_entropy(forward(net, x), y.repeat(len(population), 0))
            return per_sequence.mean(axis=1)

        for attempt in range(10**4):
            theta = stream(attempt, INIT).standard_normal((1, cell.P))
            net = Network(cell, theta, T, B)
            forward(net, x)
            if not (cell.hard and cell.gates):
                break
            n, v = net.gates.shape[1], np.concatenate([net.h_before, net.x, np.ones_like(net.x)], axis=1)[:, :, 0]
            cut = net.scale[:n] * net.p.W[0, :n] @ v + net.shift[:n, None]
            beyond = ((cut < 0) | (cut > 1)).mean()
            if min(np.abs(cut).min(), np.abs(cut - 1).min()) > 0.01 and 0.02 < beyond < 0.4:
                break
        else:
            raise RuntimeError(f"every network of {cell} has a gate at a kink")
        for answer in 1 - y, y:  # the second pass must not depend on what the first left in net
            _, d_logits = cross_entropy(forward(net, x), answer)
            backward(net, T, d_logits / B)
        variant = cell.kind + ", sigmoid" * (not cell.hard) + ", 2 units" * (cell.hidden > 1)
        ok &= compare_gradients(variant, net.grad[0], numerical_gradient(loss, theta[0]), cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def evaluate(net, x, y):
    """The loss on sequences x (T, S, n) with classes y (S, n), and whether answers are right, each (S, n).

    net: networks for batches of EVAL_BATCH sequences.
    """
    (T, S, n), logits = x.shape, []
    batch = np.zeros((T, S, EVAL_BATCH), np.float32)
    for first in range(0, n, EVAL_BATCH):
        some = min(EVAL_BATCH, n - first)
        batch[:, :, :some] = x[:, :, first : first + some]
        logits.append(forward(net, batch)[:, :, :some])
    logits = np.concatenate(logits, axis=2)
    return cross_entropy(logits, y)[0], logits.argmax(axis=1) == y


def landscape():
    """The loss of two networks of one unit without input after each step, for recurrent weights w and biases b.

    unit (Pascanu, Mikolov and Bengio 2013, figure 6): x_t = w sigma(x_{t-1}) + b from x_0 = 0.5, with the loss
    (sigma(x_T) - 0.7)^2. lstm: all gates and g share w and b; the forget gate adds 1 to z: z_t = w h_{t-1} + b, c_t =
    sigma(z_t + 1) c_{t-1} + sigma(z_t) tanh(z_t), h_t = sigma(z_t) tanh(c_t) from c_0 = h_0 = 0.5, with the loss (h_T -
    0.7)^2. Returns w, b (points,) and unit, lstm (T, points of b, points of w).
    """

    def sigma(z):
        return (1 + np.tanh(z / 2)) / 2

    w, b = np.linspace(0, 10, 101), np.linspace(-8, 2, 101)
    x = h = c = np.full((len(b), len(w)), 0.5)
    unit, lstm = [], []
    for _ in range(50):
        x = w * sigma(x) + b[:, None]
        z = w * h + b[:, None]
        c = sigma(z + 1) * c + sigma(z) * np.tanh(z)
        h = sigma(z) * np.tanh(c)
        unit.append((sigma(x) - 0.7) ** 2)
        lstm.append((h - 0.7) ** 2)
    return {"w": w, "b": b, "unit": np.array(unit, np.float16), "lstm": np.array(lstm, np.float16)}


def snapshot(net, x):
    """Copies of h, c, the gates and softmax p of the network of one seed on recorded sequences x (T, n)."""
    logits = forward(net, x[:, None])
    arrays = {"h": net.h} | {gate: net.row[gate] for gate in net.cell.gates} | {"c": net.c[1:]}
    return {name: array[:, :, 0].copy() for name, array in arrays.items() if array.size} | {"p": softmax(logits)[0][0]}


def update(net, adam, x, y, options, alive):
    """One training step on x (T, S, B) with classes y (S, B). Returns the loss (S,).

    If the loss, the gradient or the update of a seed is not finite, alive (S,) becomes False for this seed.
    """
    loss, d_logits = cross_entropy(forward(net, x), y)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, len(x), d_logits / y.shape[1])
    alive &= np.isfinite(loss) & np.isfinite(net.grad).all(axis=1)
    net.grad[~alive] = 0
    epsilon = EPSILON / math.sqrt(1 - BETA2 ** (adam.step + 1))  # Keras adds it to the root of the uncorrected moment
    adam.update(net.grad, options.lr, BETA2, alive, epsilon=epsilon)
    return loss


def train(cell, options, watch=None, cells=()):
    """Train the networks of all seeds. Returns their part of results.json and their arrays for snapshots.npz.

    watch(net, held_out) is called at each evaluation with the held-out sequences; the history also records its values,
    a dict of (S,). cells: all cells of the run, for the estimate of its time; empty: no estimate.
    """
    S, B, steps, T = len(options.seeds), options.batch, options.steps, cell.T
    theta = init_theta(cell, options)
    adam, recorded = Adam(theta), options.seeds.index(options.record)
    net = Network(cell, theta, T, B)
    eval_net = Network(cell, theta, T, EVAL_BATCH, backward=False)
    record_net = Network(cell, theta[recorded : recorded + 1], T, RECORDED, backward=False)
    x, y = make_batch(stream(options.record, RECORD, T), RECORDED, T, options.task)
    data, classes = draw_population(options, T)
    n, by_seed = options.sequences - options.sequences // 5, np.arange(S)[:, None]
    held_out = data[:, n : n + options.eval_n].transpose(2, 0, 1), classes[:, n : n + options.eval_n]
    history = {"step": [], "train_loss": [], "val_loss": [], "val_accuracy": [], "batch_loss": np.full(steps, np.nan)}
    snapshots, loss_sum, alive, diverged_at = {"step": []}, np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        if step % options.snapshot_every == 0 or step == steps:
            for name, value in ({"step": step} | snapshot(record_net, x.T)).items():
                snapshots.setdefault(name, []).append(value)
        if step % options.eval_every == 0 or step == steps:
            loss, right = evaluate(eval_net, *held_out)
            accuracy = right.mean(axis=1)
            since = step - (history["step"] or [0])[-1]
            values = {"train_loss": loss_sum / (since or np.nan), "val_loss": loss.mean(axis=1)}
            values |= {"val_accuracy": accuracy} | (watch(eval_net, held_out) if watch else {})
            history["step"].append(step)
            for name, value in values.items():
                history.setdefault(name, []).append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            print_progress(name_of(cell), history, "val_accuracy", alive & (accuracy >= SOLVED), steps, wall_clock_s)
        if step == steps:
            break
        epoch, k = divmod(step, n // B)
        if k == 0:
            order = np.stack([stream(seed, ORDER, T, epoch).permutation(n) for seed in options.seeds])
        batch = order[:, k * B : (k + 1) * B]
        loss = update(net, adam, data[by_seed, batch].transpose(2, 0, 1), classes[by_seed, batch], options, alive)
        loss_sum += loss
        history["batch_loss"][step] = loss[recorded] if alive[recorded] else np.nan
        diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if cells and step + 1 == min(ESTIMATED_AFTER, steps):
            seconds = (time.perf_counter() - started - wall_clock_s) / (step + 1 - history["step"][-1]) * steps
            costs = [30 + (len(other.gates) + 1) * other.T for other in cells]  # cost of a step: calls, and rows * T
            print(f"estimated time: {seconds * sum(costs) / costs[0]:.0f} s", flush=True)
    result = {
        "cell": cell.kind,
        "T": T,
        "trainable_parameters": cell.P,
        "wall_clock_s": wall_clock_s,
        "sequences_seen": [B * (at or steps) for at in diverged_at],
        "diverged_at_step": diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("val_accuracy", "val_loss")},
    }
    weights = {f"weights/{name}": array for name, array in vars(net.p).items()}
    return result, snapshots | {"x": x.T, "y": y} | weights


def name_of(cell):
    """The name of a network in the files of a run: its kind and its length."""
    return f"{cell.kind}-{cell.T}"


def print_progress(variant, history, metric, solved, steps, wall_clock_s):
    """Print one line about the last evaluation: medians over seeds, number of seeds solved (S,), time left."""
    step = history["step"][-1]
    finite = {name: [x for x in history[name][-1] if np.isfinite(x)] or [np.nan] for name in ("train_loss", metric)}
    medians = "  ".join(f"{name.replace('_', ' ')} {np.median(values):.4g}" for name, values in finite.items())
    left = f"  {(steps - step) * wall_clock_s / step:.0f} s left" if step else ""
    print(f"{variant:13} step {step:6} of {steps}  {medians}  solved {solved.sum()} of {len(solved)}{left}", flush=True)


def run(options, watch=None):
    """Train all networks of the options. Returns {network: its part of results.json} and arrays for snapshots.npz."""
    runs, arrays, hard = {}, {}, options.gates == "hard_sigmoid"
    cells = [Cell(kind, options.hidden, T, hard) for kind in options.cells for T in options.lengths]
    for cell in cells:
        runs[name_of(cell)], found = train(cell, options, watch, cells=() if runs else cells)
        arrays |= {f"{name_of(cell)}/{name}": np.asarray(array) for name, array in found.items()}
    return runs, arrays | {f"landscape/{name}": array for name, array in landscape().items()}


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


def parse_lengths(text):
    """The lengths of a text such as "10,50,100"."""
    return [positive(part) for part in text.split(",")]


def initial_bias(text):
    """The number in text, or "log-T"."""
    with contextlib.suppress(ValueError):
        return text if text == "log-T" else float(text)
    raise argparse.ArgumentTypeError(f"'{text}' is neither a number nor log-T")


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
    add, real = parser.add_argument, partial(positive, kind=float)
    recipes, tasks = ("; ".join(f"{name}: {words(of)}" for name, of in each.items()) for each in (RECIPES, TASKS))
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which seeds")
    add("--recipe", choices=RECIPES, default="default", help=f"{recipes}; single options override")
    add("--task", choices=TASKS, default="latch", help=f"each sets: {tasks}")
    add("--cells", type=partial(str.split, sep=","), default="srnn,lstm", help=f"some of {', '.join(GATES)}")
    add("--lengths", type=parse_lengths, default="10,50,100,200", help="steps of a sequence, separated by commas")
    add("--split", choices=["shuffled", "asker"], help="held-out sequences: random, or all of one class")
    add("--sequences", type=positive, default=10000, help="sequences of each network; a fifth is held out")
    add("--epochs", type=positive, help="passes over the training sequences")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="updates, instead of epochs")
    add("--batch", type=positive, default=16, help="sequences in a step")
    add("--hidden", type=positive, help="units")
    add("--gates", choices=["hard_sigmoid", "sigmoid"], default="hard_sigmoid", help="function of the gates")
    add("--forget-gate-bias", type=initial_bias, default=1.0, help="initial bias of the forget gates; log-T: log(T)")
    add("--input-gate-bias", type=float, default=0.0, help="initial bias of the input gates")
    add("--lr", type=real, default=1e-3, help="learning rate of Adam")
    add("--eval-every", "--eval_every", type=positive, default=500, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=2000, help="held-out sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, default=500, help="steps between snapshots")
    add("--record", type=int, metavar="SEED", help="seed whose states are recorded (if not given: the first)")
    add("--dtype", choices=["float32", "float64"], default="float32", help="type of numbers in training")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not in this script; it prints how to run in resumable parts")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check all gradients of all variants")
    parser.set_defaults(**RECIPES["default"] | TASKS["latch"])
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    quick = QUICK if first.quick else {}
    parser.set_defaults(record=first.seeds[0], **RECIPES[first.recipe] | TASKS[first.task] | quick)
    options, base = parser.parse_args(argv), parser.parse_args([])
    cells, lengths, n = options.cells, options.lengths, options.sequences
    base.steps = (n - n // 5) // options.batch * options.epochs
    options.steps = options.steps or base.steps
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    fewer = f"more than the {options.steps} steps"
    every = [name for name in ("eval_every", "snapshot_every") if options.steps < getattr(options, name)]
    biases = [name for name in ("forget_gate_bias", "input_gate_bias") if getattr(options, name) != "log-T"]
    problems = [
        ("cells", sorted(cells) != sorted({*cells} & {*GATES}), f"{cells} is not some of {[*GATES]}, each once"),
        ("lengths", min(lengths) < 2 or len({*lengths}) < len(lengths), f"{lengths}: each is 2 or more and named once"),
        ("batch", options.batch > n - n // 5, f"{options.batch} is more than four fifths of {n} sequences"),
        ("eval_n", options.eval_n > n // 5, f"{options.eval_n} is more than a fifth of {n} sequences"),
        *((name, getattr(options, name) != getattr(base, name), fewer) for name in every),
        ("resume", options.resume, f"not in this script; python3 -m studies run -- {SCRIPT} ... can be resumed"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
        *((name, not math.isfinite(getattr(options, name)), "a finite number is wanted") for name in biases),
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print("\n               parameters   solved  accuracy: median [range]  seconds")
    for variant, run in results["runs"].items():
        accuracy = np.array([a for a in run["final"]["val_accuracy"] if a is not None])
        spread = f"{np.median(accuracy):.3f} [{accuracy.min():.3f}, {accuracy.max():.3f}]" if accuracy.size else "-"
        solved = f"{(accuracy >= SOLVED).sum()}/{len(results['seeds'])}"
        print(f"{variant:14}{run['trainable_parameters']:11}{solved:>9}{spread:>26}{run['wall_clock_s']:9.1f}")
        for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
            print(f"{variant} of seed {seed} was frozen at step {step}, where its loss or gradient was not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: see train."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}
    open_output(options, config, parser)
    print(f"{SCRIPT}: recipe {options.recipe}{', ' * bool(changed)}{words(changed)}; writes {options.out}", flush=True)
    with np.errstate(all="ignore"):
        runs, arrays = run(options, watch)
    results = {"schema": 1, "experiment": EXPERIMENT, "command": shlex.join(["python3", SCRIPT, *argv]),
               "config": config, "environment": environment(), "seeds": options.seeds, "runs": runs}  # fmt: skip
    write_run(Path(options.out), results, arrays)
    print_summary(json.loads(to_json(results)))
    where = "" if options.out == HEADLINE else f" --run {shlex.quote(options.out)}"
    print(f"\nwrote {Path(options.out, 'results.json')} and snapshots.npz; to draw them:")
    print(f"python3 visualize/{SCRIPT}{where} && python3 make_gifs/{SCRIPT}{where}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}")
