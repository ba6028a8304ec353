#!/usr/bin/env python3
"""Precise timing by online learning: measure the distance of two spikes with the truncated gradient of early LSTM.

F. A. Gers, N. N. Schraudolph and J. Schmidhuber, Learning Precise Timing with LSTM Recurrent Networks, Journal of
Machine Learning Research 3:115-143, 2002, report that cells without peepholes fail in timing tasks. They do not fail in
timing_counting_spikes.py, which trains with batches, Adam and the full gradient. This script trains the same networks
with the paper's kind of learning rule: a truncated gradient, one sequence at a time, a change of the weights after each
sequence, and gradient descent with momentum. It shows which part of the setting matters.

The task, msd, measure spike distance. Two input spikes come, at steps t1 and t2 = t1 + D. The network must put out a
spike at exactly t2 + D. D is uniform in [30, 60]. A sequence has T = 150 steps. t1 is uniform over all steps for which
t2 + D lies within the sequence. A sequence is solved if the largest output after t2 is at the target's step.

The network. At step t all units read v_t = [h_{t-1}; x_t; 1]. p_o, p_i and p_f are the peepholes, one of each per cell.
The variant vanilla has no peepholes:

    i_t = sigma(W_i v_t + p_i c_{t-1})    f_t = sigma(W_f v_t + p_f c_{t-1})    g_t = tanh(W_g v_t)
    c_t = f_t c_{t-1} + i_t g_t           with --no-forget-gate: f_t = 1
    o_t = sigma(W_o v_t + p_o c_t)        h_t = o_t tanh(c_t)        y_t = V h_t + b
    loss = sum over t of (y_t - target_t)^2 / 2; the files have the mean over t of the square

With --output logistic, y_t = sigma(V h_t + b). W has the rows of o, i, [f], g in this order, one row of each per cell.

The truncated gradient. The error of h_t comes only from the output of step t. It does not come from the gates and the
candidates of step t + 1. No error goes back through a peephole. The error of c_t goes back to c_{t-1} only through f_t:

    dh_t = V^T dy_t    dc_t = dh_t o_t (1 - tanh(c_t)^2) + f_{t+1} dc_{t+1}
    dz_o = dh_t tanh(c_t) o (1 - o)    dz_i = dc_t g i (1 - i)    dz_f = dc_t c_{t-1} f (1 - f)
    dz_g = dc_t i (1 - g^2)
    dW = sum_t dz_t v_t^T    dp_o = sum_t dz_o c_t    dp_i = sum_t dz_i c_{t-1}    dp_f = sum_t dz_f c_{t-1}

dy_t = y_t - target_t, with a logistic output times y_t (1 - y_t). This is the exact gradient of a network that reads
recorded values: h_{t-1} in v_t, and c in the peepholes. The gradient check perturbs that network. --gradient full is
backpropagation through time: dh_t also has W_h^T dz_{t+1}; dc_t also has p_o dz_o of step t, and p_i dz_i + p_f dz_f of
step t + 1.

Training. change = momentum change - rate gradient, theta = theta + change. --clip limits the norm of the gradient of a
sequence. Sequence n of a seed is sequence n of the same seed in timing_counting_spikes.py with its batches of 32: chunk
k of 512 sequences comes from the stream (seed, TRAIN, k), and its sequences are used one after the other. Held-out
sequences and initial weights are the same, too. The initial biases of gates are those of its recipe writeup.

Axes of arrays: S seeds (independent networks, trained together), T steps, B sequences (in training 1), D inputs (1), H
cells, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and candidates, P parameters of a
network. Arrays are (T, rows, S, B). seeds_first gives the view that a matrix product takes.

Names. a: net inputs z, then activations, then local derivatives, then dz; its last row is first y, then dy of the step
before. ig: i_t g_t. part: a term of a sum. p_times: peepholes times c or dz. d<name>: the gradient of the loss with
respect to <name>.

python3 studies/timing_online.py trains both variants of seeds 0 to 29 and writes results/timing_counting_spikes/online/
headline. Every other command writes a folder runs/timing_online/<the options that differ>, unless --out names one.
results.json has the settings and, for each variant and seed, history (train_loss, the mean squared error on training
sequences since the last evaluation; test_mse and solve_rate on held-out sequences), final, and sequences_to_99, the
first evaluation with a solve rate of 0.99. snapshots.npz has, under peephole/ and vanilla/, after training: the
recorded seed on 4 sequences with distances from D_min to D_max, and the weights of all seeds.

    x (T, 1, 4) and y (T, 4), inputs and targets   output (T, 4)   c (T, H, 4)
    weights/W (S, R, K)   weights/V (S, 1, H)   weights/b (S, 1, 1)
    weights/peep (S, G, H), peephole only, rows in the order o, i, [f]

How this differs from the paper: T, D, the number of cells, initial weights and the linear output (--output logistic has
the paper's) are those of timing_counting_spikes.py. Training sequences are always new. Weights are constant during a
sequence.
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

EXPERIMENT = "timing_online"
SCRIPT, HEADLINE = f"studies/{EXPERIMENT}.py", "results/timing_counting_spikes/online/headline"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
VARIANTS = {"peephole": True, "vanilla": False}  # whether cells have peepholes
QUICK = {"steps": 600, "eval_every": 200, "eval_n": 64, "seeds": "0-2"}
SOLVED = 0.99  # the least solve rate of a seed that has solved its task
INIT, TRAIN, EVAL = range(3)  # the streams of random numbers of each seed
CHUNK = 16 * 32  # sequences that are drawn at a time; timing_counting_spikes.py draws as many, 16 batches of 32
ESTIMATED_AFTER = 500  # the time of the run is estimated after this number of sequences
EVAL_BATCH = 64  # held-out sequences that pass through the network together
RECORDED = 4  # sequences in snapshots.npz
GRADIENTS, OUTPUTS = ("truncated", "full"), ("linear", "logistic")

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def make_batch(rng, n, options):
    """Draw n sequences of msd: inputs x (T, 1, n), targets y (T, n), int8.

    x is 1 at two steps, t1 and t2 = t1 + gap; y is 1 at t2 + gap. The gap is uniform in [D_min, D_max], t1 over all
    steps for which t2 + gap lies within the sequence.
    """
    T = options.T
    x, y, column = np.zeros((T, 1, n), np.int8), np.zeros((T, n), np.int8), np.arange(n)
    gap = rng.integers(options.D_min, options.D_max, size=n, endpoint=True)
    t1 = rng.integers(0, T - 2 * gap)
    x[t1, 0, column] = x[t1 + gap, 0, column] = y[t1 + 2 * gap, column] = 1
    return x, y


def draw_population(options, key, n):
    """Sequences for every seed, from its stream key: x (T, D, S, n), y (T, S, n)."""
    x, y = zip(*[make_batch(stream(seed, *key), n, options) for seed in options.seeds])
    return np.stack(x, axis=2), np.stack(y, axis=1)


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """The sizes and parts of an LSTM in which every cell has its own gates."""

    hidden: int = 8
    inputs: int = 1
    peephole: bool = True
    forget_gate: bool = True

    @property
    def variant(self):
        return "peephole" if self.peephole else "vanilla"

    @property
    def gates(self):
        return "oif" if self.forget_gate else "oi"

    @property
    def K(self):
        return self.hidden + self.inputs + 1

    @property
    def shapes(self):
        H, G = self.hidden, len(self.gates)
        peep = {"peep": (G, H)} if self.peephole else {}
        return {"W": ((G + 1) * H, self.K), "V": (1, H), "b": (1, 1)} | peep

    @property
    def P(self):
        return sum(math.prod(shape) for shape in self.shapes.values())


assert Cell().P == 4 * 8 * (8 + 1 + 1) + 8 + 1 + 3 * 8 == 353
assert Cell(peephole=False).P == 329


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(cell, options):
    """Initial parameters (S, P): weights are normal with mean 0; biases are 0, except for input and forget gates.

    The variances are 1 / (4 H) for recurrent weights, 1 / (4 D) for input weights, 1 / H for the readout and
    peephole_std^2 for peepholes. The two variants of a seed have the same weights apart from the peepholes.
    """
    H = cell.hidden
    theta = np.stack([stream(seed, INIT).standard_normal(cell.P) for seed in options.seeds]).astype(options.dtype)
    p = views(theta, cell.shapes)
    p.W[:, :, :H] /= math.sqrt(4 * H)
    p.W[:, :, H:-1] /= math.sqrt(4 * cell.inputs)
    p.W[:, :, -1] = 0
    p.V /= math.sqrt(H)
    p.b[...] = 0
    if cell.peephole:
        p.peep *= options.peephole_std
    for k, gate in enumerate(cell.gates):
        bias = {"o": 0, "i": options.input_gate_bias, "f": options.forget_gate_bias}[gate]
        p.W[:, k * H : (k + 1) * H, -1] = bias
    return theta


class Network:
    """S networks with parameters theta (S, P), and every array that their passes write.

    T: steps of a sequence. B: sequences of a batch. logistic: whether the output unit is logistic. One product with a
    matrix M computes the net inputs of step t, without peepholes, and the output of step t - 1:

        [ W        ]   [ h_{t-1} ]   [ z_t     ]
        [ V  0  b  ]   [ x_t     ] = [ y_{t-1} ]
                       [ 1       ]
    """

    def __init__(self, cell, theta, T, B, logistic=False):
        S, H, K, G = len(theta), cell.hidden, cell.K, len(cell.gates)
        R, C = (G + 1) * H, H if cell.peephole else 0  # C: rows of a that need c_t

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.cell, self.p, self.logistic, self.grad = cell, views(theta, cell.shapes), logistic, zeros(S, cell.P)
        # With gate rows divided by 2, one tanh computes all activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.5, 1.0], [G * H, H + 1]).astype(theta.dtype)[:, None]
        self.half, self.M = np.array(0.5, theta.dtype), zeros(S, R + 1, K)
        self.half_p, self.p_times = zeros(G, H, S, B), zeros(G, H, S, B)  # peepholes / 2, and products with them
        self.v = zeros(T + 1, K, S, B)  # sources [h_{t-1}; x_t; 1]
        self.v[:, K - 1] = 1
        self.x, self.h, self.c = self.v[:-1, H : K - 1], self.v[1:, :H], zeros(T + 1, H, S, B)  # c_t is at t + 1
        self.a = zeros(T + 1, R + 1, S, B)
        self.y = self.a[1:, R]
        self.row = {name: self.a[:-1, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        early, early_gates = self.a[:-1, C:R], self.a[:-1, C : G * H]  # all but o if its peephole needs c_t
        o, i, f, g = (self.row.get(name, self.row["i"]) for name in "oifg")  # without forget gate f is not used
        arrays = early, early_gates, self.a[:-1, H : G * H], o, i, f, g, self.c[:-1], self.c[1:], self.h
        self.forward_steps = list(zip(seeds_first(self.v), seeds_first(self.a), *map(by_step, arrays)))

        self.dh, self.dh_dc, self.part = zeros(T, H, S, B), zeros(T, H, S, B), zeros(H, S, B)
        self.f, self.dc = zeros(T + 1, H, S, B) + 1, zeros(T + 1, H, S, B)  # f_t: 1 without forget gate; dc_T: 0
        self.dz_ifg = self.a[:-1, H:R].reshape(T, G, H, S, B)
        self.truncated_steps = list(zip(*map(by_step, (self.f[1:], self.dc[1:], self.dc[:-1]))))
        gates_after, now = self.a[1:, H : G * H].reshape(T, G - 1, -1), self.dz_ifg.reshape(T, G, -1)
        arrays = self.dh_dc, self.dh, self.row["o"]
        steps = zip(seeds_first(self.a[1:, :R]), gates_after, *map(by_step, arrays), now)
        self.full_steps = [first + second for first, second in zip(self.truncated_steps, steps)]


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


def forward(net, x):
    """Run the networks over x (T, D, S, B) from a zero state. Returns a view of the outputs y (T, S, B)."""
    cell, p, M, y, half = net.cell, net.p, net.M, net.y, net.half
    H, R = cell.hidden, p.W.shape[1]
    M[:, :R], M[:, R:, :H], M[:, R:, -1:] = p.W, p.V, p.b
    M *= net.scale  # M / 2 in the rows of gates
    if cell.peephole:
        np.multiply(p.peep.transpose(1, 2, 0)[..., None], half, out=net.half_p)  # p_o / 2, p_i / 2, p_f / 2
    np.copyto(net.x, x)
    M_times, ig, peephole, forget_gate = product(M), net.part.ravel(), cell.peephole, cell.forget_gate
    half_p, pc = by_step(net.half_p), by_step(net.p_times)
    half_p_o, half_p_if, pc_o, pc_if, pc_if_rows = half_p[0], half_p[1:], pc[0], pc[1:], pc[1:].ravel()
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument
    for v, z, early, early_gates, z_if, o, i, f, g, c_before, c, h in net.forward_steps:
        M_times(v, z)  # z_t, without peepholes, and y_{t-1} = M v_t; z_t / 2 in the rows of gates
        if peephole:
            multiply(half_p_if, c_before, pc_if)  # p_i c_{t-1} / 2, p_f c_{t-1} / 2
            add(z_if, pc_if_rows, z_if)  # z_i / 2, z_f / 2
        tanh(early, early)  # g_t = tanh(z_t); tanh(z_t / 2) in the rows of gates
        multiply(early_gates, half, early_gates)  # tanh(z_t / 2) / 2
        add(early_gates, half, early_gates)  # i_t, f_t, without peepholes o_t: sigma(z_t) = 1/2 + tanh(z_t / 2) / 2
        multiply(i, g, ig)  # i_t g_t
        if forget_gate:
            multiply(f, c_before, c)  # f_t c_{t-1}
            add(c, ig, c)  # c_t = f_t c_{t-1} + i_t g_t
        else:
            add(c_before, ig, c)  # c_t = c_{t-1} + i_t g_t
        if peephole:
            multiply(half_p_o, c, pc_o)  # p_o c_t / 2
            add(o, pc_o, o)  # (z_o + p_o c_t) / 2
            tanh(o, o)  # tanh((z_o + p_o c_t) / 2)
            multiply(o, half, o)  # tanh((z_o + p_o c_t) / 2) / 2
            add(o, half, o)  # o_t = sigma(z_o + p_o c_t)
        tanh(c, h)  # tanh(c_t)
        multiply(o, h, h)  # h_t = o_t tanh(c_t)
    M_times(seeds_first(net.v)[-1], seeds_first(net.a)[-1])  # y_{T-1}; its other rows are not used
    if net.logistic:
        y[...] = 0.5 + 0.5 * np.tanh(0.5 * y)  # y = sigma(V h + b)
    return y


def squared_error(y, target, logistic=False):
    """Loss (S, B) of outputs y (T, S, B) under targets, and dy (T, S, B): its gradient for the output's net input."""
    dy = y - target  # y_t - target_t
    of_seed = np.ascontiguousarray(dy.transpose(1, 2, 0))  # time last: one order of the sum for every S
    loss = 0.5 * np.square(of_seed).sum(axis=2)  # sum over t of (y_t - target_t)^2 / 2
    return loss, dy * y * (1 - y) if logistic else dy  # dy = (y_t - target_t) y_t (1 - y_t) if logistic


# -------------------------------------------------------------------------------------------------- backward


def backward(net, dy, full=False):
    """Write the truncated or full gradient of the loss of the last forward pass, summed over B, into net.grad (S, P).

    dy (T, S, B): see squared_error. This overwrites activations and outputs: net.a then holds dz_t and dy_{t-1}.
    """
    cell, p, d, a = net.cell, net.p, views(net.grad, net.cell.shapes), net.a
    (S, R, K), H, G = p.W.shape, cell.hidden, len(cell.gates)
    local_derivatives(net)
    a[0, R], a[1:, R] = 0, dy  # dy_{t-1}; no output comes before step 0
    a[-1, :R] = 0  # dz_T: no step comes after the last
    np.multiply(p.V[:, 0].T[..., None], dy[:, None], out=net.dh)  # V^T dy_t
    (full_errors if full else truncated_errors)(net)
    # Copies with time last (v: time before rows). With them, sums over time have one order for every S.
    dz, c = (np.ascontiguousarray(array.transpose(2, 1, 0, 3)) for array in (a, net.c))
    v = np.ascontiguousarray(net.v.transpose(2, 0, 3, 1))
    dM = np.matmul(dz.reshape(S, R + 1, -1), v.reshape(S, -1, K))  # dM = sum_t [dz_t; dy_{t-1}] v_t^T
    d.W[...], d.V[...], d.b[...] = dM[:, :R], dM[:, R:, :H], dM[:, R:, -1:]
    if cell.peephole:
        dz_o_c = dz[:, :H, :-1] * c[:, :, 1:]  # dz_o c_t
        dz_if_c = dz[:, H : G * H].reshape(S, G - 1, *c.shape[1:]) * c[:, None]  # dz_i c_{t-1}, dz_f c_{t-1}
        d.peep[:, 0] = dz_o_c.reshape(S, H, -1).sum(axis=2)  # dp_o = sum_t dz_o c_t
        d.peep[:, 1:] = dz_if_c.reshape(S, G - 1, H, -1).sum(axis=3)  # dp_i = sum_t dz_i c_{t-1}, dp_f = ...


def local_derivatives(net):
    """Compute the derivatives within each step. They do not depend on errors.

    net.a: dh/dz for the net inputs z of o, dc/dz for the others; they replace the activations. net.dh_dc: dh/dc. net.f:
    dc_t/dc_{t-1}. Both are without the paths through peepholes.
    """
    o, i, g = (net.row[name] for name in "oig")
    tanh_c, ig = np.tanh(net.c[1:]), i * g
    np.multiply(o, 1 - tanh_c * tanh_c, out=net.dh_dc)  # dh/dc = o (1 - tanh(c)^2)
    np.multiply(net.h, 1 - o, out=o)  # dh/dz_o = o tanh(c) (1 - o) = h (1 - o)
    np.subtract(i, ig * g, out=g)  # dc/dz_g = i (1 - g^2)
    np.multiply(ig, 1 - i, out=i)  # dc/dz_i = i g (1 - i)
    if net.cell.forget_gate:
        f = net.row["f"]
        np.copyto(net.f[:-1], f)  # dc_t/dc_{t-1} = f
        np.multiply(net.c[:-1] * f, 1 - f, out=f)  # dc/dz_f = c_{t-1} f (1 - f)


def truncated_errors(net):
    """Compute the errors dc_t and dz_t of all steps from dh_t = V^T dy_t. dz_t replaces the local derivatives."""
    add, multiply, part, dz_o = np.add, np.multiply, net.part.ravel(), net.row["o"]
    multiply(net.dh_dc, net.dh, net.dc[:-1])  # dh_t dh_t/dc_t
    for f_after, dc_after, dc in net.truncated_steps[::-1]:
        multiply(f_after, dc_after, part)  # f_{t+1} dc_{t+1}
        add(dc, part, dc)  # dc_t = dh_t dh_t/dc_t + f_{t+1} dc_{t+1}
    multiply(dz_o, net.dh, dz_o)  # dz_o = dh_t dh_t/dz_o
    multiply(net.dz_ifg, net.dc[:-1, None], net.dz_ifg)  # dz_i, dz_f, dz_g = dc_t dc_t/dz


def full_errors(net):
    """Compute the errors dh_t, dc_t and dz_t of all steps by backpropagation through time; see truncated_errors."""
    add, multiply, peephole, part = np.add, np.multiply, net.cell.peephole, net.part.ravel()
    W_h_T = np.ascontiguousarray(net.p.W[:, :, : net.cell.hidden].transpose(0, 2, 1))
    W_h_T_times, received, p, pdz = product(W_h_T), seeds_first(net.part), 2 * net.half_p, by_step(net.p_times)[1:]
    p_if = by_step(p)[1:]
    if peephole:
        net.dh_dc += p[0] * net.row["o"]  # dh/dc = o (1 - tanh(c)^2) + p_o dh/dz_o
    for f_after, dc_after, dc, dz_after, dz_if_after, dh_dc, dh, dz_o, dz_ifg in net.full_steps[::-1]:
        W_h_T_times(dz_after, received)  # W_h^T dz_{t+1}
        add(dh, part, dh)  # dh_t = V^T dy_t + W_h^T dz_{t+1}
        multiply(dh_dc, dh, dc)  # dh_t dh_t/dc_t
        if peephole:
            multiply(p_if, dz_if_after, pdz)  # p_i dz_i, p_f dz_f of step t + 1
            for pdz_of_gate in pdz:
                add(dc, pdz_of_gate, dc)  # dc_t so far + p_i dz_i, then + p_f dz_f
        multiply(f_after, dc_after, part)  # f_{t+1} dc_{t+1}
        add(dc, part, dc)  # dc_t = dc_t so far + f_{t+1} dc_{t+1}
        multiply(dz_o, dh, dz_o)  # dz_o = dh_t dh_t/dz_o
        multiply(dz_ifg, dc, dz_ifg)  # dz_i, dz_f, dz_g = dc_t dc_t/dz


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


def sigma(x):
    """The logistic function."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def outputs_from(cell, population, recorded, logistic):
    """Outputs (T, N, B) of networks (N, P) that read recorded values: h_{t-1} in v_t, and c in the peepholes.

    recorded: a network of one seed after forward. Only c_t = f_t c_{t-1} + i_t g_t and y_t use a network's own values.
    """
    p = views(population, cell.shapes)
    v, c_recorded = recorded.v[:-1, :, 0], recorded.c[:, :, 0]
    z = np.einsum("nrk,tkb->tnrb", p.W, v).reshape(len(v), len(population), -1, cell.hidden, v.shape[2])
    z = dict(zip(cell.gates + "g", np.moveaxis(z, 2, 0)))  # each (T, N, H, B)
    for k, gate in enumerate(cell.gates if cell.peephole else ""):
        read = c_recorded[1:] if gate == "o" else c_recorded[:-1]
        z[gate] = z[gate] + p.peep[:, k, :, None] * read[:, None]
    o, ig, f = sigma(z["o"]), sigma(z["i"]) * np.tanh(z["g"]), sigma(z["f"]) if cell.forget_gate else np.ones(len(v))
    c, y = 0, []
    for o_t, f_t, ig_t in zip(o, f, ig):
        c = f_t * c + ig_t
        y.append((p.V @ (o_t * np.tanh(c)) + p.b)[:, 0])
    return sigma(np.array(y)) if logistic else np.array(y)


def gradient_check():
    """Check every parameter of every kind of network and gradient, in float64; returns the exit status, 0 or 1.

    The truncated gradient is the exact gradient of networks that read recorded values. Those networks are perturbed.
    """
    T, B, ok = 9, 12, True
    x, y = draw_population(SimpleNamespace(seeds=[2], T=T, D_min=2, D_max=4), (TRAIN,), B)
    for gradient, output, forget_gate, variant in itertools.product(GRADIENTS, OUTPUTS, (True, False), VARIANTS):
        cell, full, logistic = Cell(4, 1, VARIANTS[variant], forget_gate), gradient == "full", output == "logistic"
        theta = 0.5 * stream(5, INIT).standard_normal((1, cell.P))
        net = Network(cell, theta, T, B, logistic)
        for wanted in 1 - y, y:  # the second pass must not depend on what the first left in net
            backward(net, squared_error(forward(net, x), wanted, logistic)[1], full)

        def loss(population):
            if full:
                outputs = forward(Network(cell, population, T, B, logistic), x)
            else:
                outputs = outputs_from(cell, population, net, logistic)
            return squared_error(outputs, y)[0].sum(axis=1)

        name = f"{gradient}, {output}, {variant}{'' if forget_gate else ', no forget gate'}"
        ok &= compare_gradients(name, net.grad[0], numerical_gradient(loss, theta[0]), cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def evaluate(net, batches, options):
    """Mean squared error and solve rate, (S,) each, over the first eval_n held-out sequences."""
    errors, rates = [], []
    for x, y in batches:
        output = forward(net, x)
        errors.append(np.square(output - y).mean(axis=0))
        behind_second = (x[:, 0].cumsum(axis=0) == 2) & (x[:, 0] == 0)
        rates.append(np.where(behind_second, output, -np.inf).argmax(axis=0) == y.argmax(axis=0))
    return tuple(np.concatenate(parts, axis=1)[:, : options.eval_n].mean(axis=1) for parts in (errors, rates))


def learning_rate(options, step):
    """The learning rate of update step = 0, 1, ...: constant, or half a cosine to 0."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


# shared block
def clip_by_norm(grad, limit):
    """Scale each row of grad (S, P) in place to a Euclidean norm of at most limit; returns the norms before, (S,)."""
    norm = np.sqrt(np.square(grad, dtype=np.float64).sum(axis=1))
    grad *= (limit / np.maximum(norm, limit))[:, None].astype(grad.dtype)
    return norm


def update(net, theta, change, x, y, options, step, alive):
    """Train on one sequence per seed, x (T, D, S, 1) with targets y (T, S, 1). Returns the mean squared error (S,).

    Changes theta and change (S, P). If the loss or the new parameters of a seed are not finite, it keeps its parameters
    and its entry of alive (S,) becomes False.
    """
    loss, dy = squared_error(forward(net, x), y, net.logistic)
    backward(net, dy, options.gradient == "full")
    if options.clip is not None:
        clip_by_norm(net.grad, options.clip)
    change *= options.momentum
    change -= learning_rate(options, step) * net.grad  # change = momentum change - rate gradient
    new = theta + change  # theta = theta + change
    alive &= np.isfinite(loss[:, 0]) & np.isfinite(new).all(axis=1)
    np.copyto(theta, new, where=alive[:, None])
    return loss[:, 0] * 2 / len(x)


def train(cell, options, networks=1):
    """Train the networks of all seeds. Returns their part of results.json and their arrays for snapshots.npz.

    networks: variants that this run still has to train, for the estimate of its time; 0: no estimate.
    """
    S, T, steps, logistic = len(options.seeds), options.T, options.steps, options.output == "logistic"
    theta = init_theta(cell, options)
    change, net = np.zeros_like(theta), Network(cell, theta, T, 1, logistic)
    eval_net = Network(cell, theta, T, EVAL_BATCH, logistic)
    batches = [draw_population(options, (EVAL, k), EVAL_BATCH) for k in range(math.ceil(options.eval_n / EVAL_BATCH))]
    history = {"step": [], "train_loss": [], "test_mse": [], "solve_rate": []}
    loss_sum, alive, diverged_at = np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        if step % options.eval_every == 0 or step == steps:
            mse, rate = evaluate(eval_net, batches, options)
            since = step - (history["step"] or [0])[-1]
            history["step"].append(step)
            values = {"train_loss": loss_sum / (since or np.nan), "test_mse": mse, "solve_rate": rate}
            for name, value in values.items():
                history[name].append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            print_progress(cell.variant, history, "solve_rate", alive & (rate >= SOLVED), steps, wall_clock_s)
        if step == steps:
            break
        if step % CHUNK == 0:
            x, y = draw_population(options, (TRAIN, step // CHUNK), CHUNK)
        one = slice(step % CHUNK, step % CHUNK + 1)
        loss_sum += update(net, theta, change, x[..., one], y[..., one], options, step, alive)
        if not alive.all():
            diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if networks and step + 1 == ESTIMATED_AFTER:
            seconds = (time.perf_counter() - started) / ESTIMATED_AFTER * steps * networks
            print(f"estimated time: {seconds:.0f} s", flush=True)
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": wall_clock_s,
        "sequences_seen": [at or steps for at in diverged_at],
        "diverged_at_step": diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("test_mse", "solve_rate")},
        "sequences_to_99": first_reached(history, SOLVED, 1),
    }
    r, (x, y) = options.seeds.index(options.record), batches[0]
    output = forward(eval_net, x)
    arrays = {"x": x[:, :, r], "y": y[:, r], "output": output[:, r], "c": eval_net.c[1:, :, r]}
    arrays = {name: array[..., :RECORDED] for name, array in arrays.items()}
    return result, arrays | {f"weights/{name}": array for name, array in vars(net.p).items()}


def first_reached(history, level, batch):
    """Sequences of each seed up to the first evaluation with a solve rate of at least level; None if there is none."""
    reached = np.array(history["solve_rate"]) >= level
    first = batch * np.array(history["step"])[reached.argmax(axis=0)]
    return [n if ever else None for n, ever in zip(first, reached.any(axis=0))]


def print_progress(variant, history, metric, solved, steps, wall_clock_s):
    """Print one line about the last evaluation: medians over seeds, number of seeds solved (S,), time left."""
    step = history["step"][-1]
    finite = {name: [x for x in history[name][-1] if np.isfinite(x)] or [np.nan] for name in ("train_loss", metric)}
    medians = "  ".join(f"{name.replace('_', ' ')} {np.median(values):.4g}" for name, values in finite.items())
    left = f"  {(steps - step) * wall_clock_s / step:.0f} s left" if step else ""
    print(f"{variant:8} step {step:6} of {steps}  {medians}  solved {solved.sum()} of {len(solved)}{left}", flush=True)


def run(options):
    """Train all variants of the options. Returns {variant: its part of results.json} and arrays for snapshots.npz."""
    runs, arrays = {}, {}
    variants = [variant for variant, peephole in VARIANTS.items() if options.peep in (None, peephole)]
    for variant in variants:
        cell = Cell(options.hidden, 1, VARIANTS[variant], options.forget_gate)
        runs[variant], found = train(cell, options, networks=0 if runs else len(variants))
        arrays |= {f"{variant}/{name}": array for name, array in found.items()}
    return runs, arrays


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


def build_parser():
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(SCRIPT, description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add, switch, real = parser.add_argument, argparse.BooleanOptionalAction, partial(positive, kind=float)
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which seeds")
    add("--peep", action=switch, help="only cells with peepholes, or only cells without (if not given: both)")
    add("--forget-gate", action=switch, default=True, help="cells with a forget gate")
    add("--gradient", choices=GRADIENTS, default="truncated", help="the truncated gradient, or the full one")
    add("--output", choices=OUTPUTS, default="linear", help="the output unit")
    add("--T", type=positive, default=150, help="steps of a sequence")
    add("--D-min", type=positive, default=30, help="least distance of two spikes, in steps")
    add("--D-max", type=positive, default=60, help="largest distance of two spikes, in steps")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, default=50_000,
        help="training sequences, each with one change of the weights")  # fmt: skip
    add("--hidden", type=positive, default=8, help="number of cells")
    add("--input-gate-bias", type=float, default=0.0, help="initial bias of the input gates")
    add("--forget-gate-bias", type=float, default=1.0, help="initial bias of the forget gates")
    add("--peephole-std", type=float, default=0.1, help="standard deviation of initial peepholes; 0 is allowed")
    add("--lr", type=real, default=0.01, help="learning rate")
    add("--momentum", type=float, default=0.9, help="share of the last change in the next one")
    add("--schedule", choices=["constant", "cosine"], default="constant", help="how the learning rate changes")
    add("--clip", type=real, help="limit on the norm of the gradient of a sequence (if not given: none)")
    add("--eval-every", "--eval_every", type=positive, default=1000, help="sequences between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--record", type=int, metavar="SEED", help="seed whose outputs are kept (if not given: the first)")
    add("--dtype", choices=["float32", "float64"], default="float32", help="type of numbers in training")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not in this script; it prints how to run in resumable parts")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check all gradients of all variants")
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    parser.set_defaults(record=first.seeds[0], **QUICK if first.quick else {})
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    biases, least = ("input_gate_bias", "forget_gate_bias"), 2 * options.D_max + 1
    every = options.eval_every != base.eval_every and options.steps < options.eval_every
    problems = [
        ("eval_every", every, f"more than the {options.steps} steps"),
        ("resume", options.resume, f"not in this script; python3 -m studies run -- {SCRIPT} ... can be resumed"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
        ("D_min", options.D_min > options.D_max, f"{options.D_min} is more than --D-max {options.D_max}"),
        ("T", options.T < least, f"{options.T} steps are too few, the least is 2 * D_max + 1 = {least}"),
        ("momentum", not 0 <= options.momentum < 1, "a number of at least 0 and below 1 is wanted"),
        ("peephole_std", not 0 <= options.peephole_std < math.inf, "a finite number of at least 0 is wanted"),
        *((name, not math.isfinite(getattr(options, name)), "a finite number is wanted") for name in biases),
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print("\n          parameters   solved   solve rate: median [range]      test MSE  sequences to 0.99  seconds")
    for variant, run in results["runs"].items():
        rate, mse = (np.array([value for value in run["final"][name] if value is not None])
                     for name in ("solve_rate", "test_mse"))  # fmt: skip
        median = np.median([math.inf if n is None else n for n in run["sequences_to_99"]])
        spread = f"{np.median(rate):.3f} [{rate.min():.3f}, {rate.max():.3f}]" if rate.size else "-"
        error, n = f"{np.median(mse):.1e}" if mse.size else "-", f"{median:,.0f}" if median < math.inf else "-"
        solved = f"{(rate >= SOLVED).sum()}/{len(results['seeds'])}"
        print(f"{variant:9}{run['trainable_parameters']:11}{solved:>9}{spread:>29}{error:>14}{n:>19}"
              f"{run['wall_clock_s']:9.1f}")  # fmt: skip
        for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
            print(f"{variant} of seed {seed} was frozen at step {step}, where its loss or gradient was not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: not used."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config, out = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}, Path(options.out)
    open_output(options, config, parser)
    print(f"{SCRIPT}: {options.gradient}{', ' * bool(changed)}{words(changed)}; writes {out}", flush=True)
    with np.errstate(all="ignore"):
        runs, arrays = run(options)
    results = {"schema": 1, "experiment": EXPERIMENT, "command": shlex.join(["python3", SCRIPT, *argv]),
               "config": config, "environment": environment(), "seeds": options.seeds, "runs": runs}  # fmt: skip
    write_run(out, results, arrays)
    print_summary(json.loads(to_json(results)))
    print(f"\nwrote {out / 'results.json'} and snapshots.npz")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}")
