#!/usr/bin/env python3
"""Precise timing: repeat the distance of two spikes, generate spikes, generate waves; LSTM with and without peepholes.

The three tasks are those of F. A. Gers, N. N. Schraudolph and J. Schmidhuber, Learning Precise Timing with LSTM
Recurrent Networks, Journal of Machine Learning Research 3:115-143, 2002. The authors introduced peepholes for them.

msd, measure spike distance. Two input spikes come, at steps t1 and t2 = t1 + D. The network must put out a spike at
exactly t2 + D. D is uniform in [30, 60]. A sequence has T = 150 steps. t1 is uniform over all steps for which t2 + D
lies within the sequence. A sequence is solved if the largest output after t2 is at the target's step.
gts, generate timed spikes. A start pulse comes at step 0, and no input follows. The network must put out a spike every
F steps, first at step F. A sequence is solved if the output is above 1/2 at these steps and at no other step.
pfg, periodic function generation. A start pulse comes at step 0, and no input follows. The network must put out a
cosine, a triangle or a rectangle of period F, with values in [0, 1]. A period is solved if its root mean squared error
is at most 0.15.
Networks of gts and pfg also run over sequences of 10 T steps.

The network. At step t all units read v_t = [h_{t-1}; x_t; 1]. p_o, p_i and p_f are the peepholes, one of each per cell.
The variant vanilla has no peepholes:

    i_t = sigma(W_i v_t + p_i c_{t-1})    f_t = sigma(W_f v_t + p_f c_{t-1})    g_t = tanh(W_g v_t)
    c_t = f_t c_{t-1} + i_t g_t           with --no-forget-gate, as in 1997: f_t = 1
    o_t = sigma(W_o v_t + p_o c_t)        h_t = o_t tanh(c_t)        y_t = V h_t + b
    loss = sum over t of (y_t - target_t)^2 / 2, averaged over the batch; the files have the mean over t of the square

W has the rows of o, i, [f], g in this order, one row of each per cell. Training: backpropagation through all steps,
clipping of the gradient's norm, Adam. --recipe sets the number of steps, the learning rate and its schedule, the
clipping and the initial biases of the gates; see RECIPES and TASK_RECIPES.

Axes of arrays: S seeds (independent networks, trained together), T steps, B sequences of a batch, D inputs (1, or one
for each of several periods), H cells, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and
candidates, P parameters of a network. Arrays are (T, rows, S, B). seeds_first gives the view that a matrix product
takes.

Names. M: W, V, b and the peepholes of i and f as one matrix; see Network. a: net inputs z, then activations, then local
derivatives, then dz; its last row is first y, then dy of the step before. ig: i_t g_t. part: a factor that several
local derivatives share. d<name>: the gradient of the loss with respect to <name>.
error (R, S, B): dh in the rows of o, dc in the others.

The headline, python3 timing_counting_spikes.py, trains both variants of seed 29. Of seeds 0 to 29 it is the median (the
15th) by the ratio of the two errors. It ends with:

              parameters   solved   solve rate: median [range]      test MSE  sequences to 0.99  seconds
    peephole         353      1/1         1.000 [1.000, 1.000]       2.3e-05             48,000      4.4
    vanilla          329      1/1         1.000 [1.000, 1.000]       3.9e-05             28,800      3.4

It writes results/timing_counting_spikes. Every other command writes runs/timing_counting_spikes/<the options that
differ>, unless --out names a folder. results.json has the settings and, for each variant, the history of every seed,
the loss of each training batch of the recorded seed (history/batch_loss) and the final values. snapshots.npz has, under
peephole/ and vanilla/, N snapshots of the recorded seed on n sequences (msd: 4, with distances from D_min to D_max; gts
and pfg: one for each period) and the weights of all seeds after the last step. For gts and pfg it also has the outputs
of the recorded seed over 10 T steps after training. The last snapshot is after the last step.

    step (N,)   x (T, D, n) and y (T, n), inputs and targets   output (N, T, n)   c (N, T, H, n)
    h and the gates o, i, [f], each (N, T, H, n), in half precision
    run_on_output and run_on_target (10 T, n)
    weights/W (S, R, K)   weights/V (S, 1, H)   weights/b (S, 1, 1)
    weights/peep (S, G, H), peephole only, rows in the order o, i, [f]

How this differs from the paper, according to the write-up from which this script started. We train with Adam, batches
and backpropagation through time; the paper trains on single sequences with an update like real-time recurrent learning.
Our training sequences are always new; the paper has a finite training set. Our output unit is linear; the paper's is
logistic. Our sequences are shorter. results/timing_counting_spikes/README.md has the differences from the write-up.
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

EXPERIMENT = "timing_counting_spikes"
SCRIPT, HEADLINE = f"{EXPERIMENT}.py", f"results/{EXPERIMENT}"
NO_SETTINGS = ("out", "force", "resume", "gradcheck", "record_hidden")  # options that do not change results
VARIANTS = {"peephole": True, "vanilla": False}  # whether cells have peepholes
RECIPES = {
    "default": {"steps": 2500, "lr": 0.02, "schedule": "cosine", "clip": 0.3, "input_gate_bias": -4.0,
                "forget_gate_bias": 5.0},
    "writeup": {"steps": 3000, "lr": 0.005, "schedule": "halving", "clip": 1.0, "input_gate_bias": 0.0,
                "forget_gate_bias": 1.0},
}  # fmt: skip
TASK_RECIPES = {  # where the default recipe of a task differs from that of msd
    "gts": {"steps": 6000, "lr": 0.003, "clip": 1.0, "input_gate_bias": 0.0, "forget_gate_bias": 1.0},
    "pfg": {"steps": 4000, "lr": 0.005, "clip": 0.3, "input_gate_bias": 0.0, "forget_gate_bias": 1.0},
}
QUICK = {"steps": 200, "eval_n": 128}
SOLVED = 0.99  # the least solve rate of a seed that has solved its task
HELD = 0.15  # a period of a wave counts as solved up to this root mean squared error
RUN_ON = 10  # after training, generators run over this many times the training length
BETA2 = 0.999
INIT, TRAIN, EVAL, RECORD = range(4)  # the streams of random numbers of each seed
CHUNK = 16  # batches that are drawn at a time
SPAN = 2**16  # values of one variable that backward works on at a time; they fit into the caches
ESTIMATED_AFTER = 20  # the time of the run is estimated after this number of steps
EVAL_BATCH = 64  # held-out sequences that pass through the network together
RECORDED = 4  # sequences in a snapshot of msd

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def wave_form(name, phase):
    """Values in [0, 1] of a periodic function at phases in [0, 1) of its period: cos, triangle or rectangle."""
    if name == "cos":
        return (1 - np.cos(2 * np.pi * phase)) / 2
    return 1 - np.abs(1 - 2 * phase) if name == "triangle" else (phase >= 0.5).astype(float)


def make_batch(rng, n, options, T=None, gap=None):
    """Draw n sequences of the task: inputs x (T, D, n), targets y (T, n), float32 (spikes of msd: int8).

    msd: x is 1 at two steps, t1 and t2 = t1 + gap; y is 1 at t2 + gap. The gap is uniform in [D_min, D_max], unless it
    is given (n,). t1 is uniform over all steps for which t2 + gap lies within the sequence.
    gts, pfg: nothing is random. There is one sequence for each period, and n has no effect. Each sequence has its own
    input, which is 1 at step 0. y has spikes at the multiples of the period, but not at step 0; or it is a wave.
    T: the number of steps; options.T if None.
    """
    T = T or options.T
    if options.task == "msd":
        x, y, column = np.zeros((T, 1, n), np.int8), np.zeros((T, n), np.int8), np.arange(n)
        gap = rng.integers(options.D_min, options.D_max, size=n, endpoint=True) if gap is None else gap
        t1 = rng.integers(0, T - 2 * gap)
        x[t1, 0, column] = x[t1 + gap, 0, column] = y[t1 + 2 * gap, column] = 1
        return x, y
    periods, t = np.array(options.periods), np.arange(T)[:, None]
    x = np.zeros((T, len(periods), len(periods)), np.float32)
    x[0] = np.eye(len(periods))
    if options.task == "gts":
        return x, ((t % periods == 0) & (t > 0)).astype(np.float32)
    return x, wave_form(options.wave, t % periods / periods).astype(np.float32)


def draw_population(options, key, n):
    """Sequences for every seed, from its stream key: x (T, D, S, n), y (T, S, n)."""
    x, y = zip(*[make_batch(stream(seed, *key), n, options) for seed in options.seeds])
    return np.stack(x, axis=2), np.stack(y, axis=1)


def training_key(options, chunk):
    """The key of the stream of a chunk of training batches of a seed. Each --draw K has its own streams."""
    return (TRAIN, chunk) + (options.draw,) * (options.draw > 0)


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


def cell_of(options, variant):
    """The cell of a variant, with the options of a run."""
    inputs = 1 if options.task == "msd" else len(options.periods)
    return Cell(options.hidden, inputs, VARIANTS[variant], options.forget_gate)


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

    T: steps of a sequence. B: sequences of a batch. backward: whether gradients will be computed.
    span: steps whose local derivatives backward computes at a time; if None, as many as the caches hold.

    One product with a matrix M computes the net inputs of step t and the output of step t - 1. The peephole of o is not
    in M, because o_t needs c_t. Without peepholes, M has no columns for c_{t-1}:

        [ W_o            0      ]   [ h_{t-1} ]   [ z_o     ]
        [ W_i         diag(p_i) ]   [ x_t     ]   [ z_i     ]
        [ W_f         diag(p_f) ]   [ 1       ] = [ z_f     ]
        [ W_g            0      ]   [ c_{t-1} ]   [ z_g     ]
        [ V   0   b      0      ]                 [ y_{t-1} ]

    Backward uses M_T, the transpose of M's columns of c and of h. Its product with dz_{t+1} and dy_t gives dh_t and
    the part of dc_t that comes through the peepholes of i and f.
    """

    def __init__(self, cell, theta, T, B, backward=True, span=None):
        S, H, K, G = len(theta), cell.hidden, cell.K, len(cell.gates)
        R, C = (G + 1) * H, H if cell.peephole else 0  # C: columns of M for c

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.cell, self.p = cell, views(theta, cell.shapes)
        # With gate rows divided by 2, one tanh computes all activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.5, 1.0], [G * H, H + 1]).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        self.M, self.M_scaled = zeros(S, R + 1, K + C), zeros(S, R + 1, K + C)
        self.half_p_o = zeros(H, S, B)

        self.v = zeros(T + 1, K + H, S, B)  # sources [h_{t-1}; x_t; 1; c_{t-1}]
        self.v[:, K - 1] = 1
        self.x, self.h, self.c = self.v[:-1, H : K - 1], self.v[1:, :H], self.v[:, K:]
        self.source = self.v[:, : K + C]  # the rows that are multiplied by M
        self.a = zeros(T + 1, R + 1, S, B)
        self.y = self.a[1:, R]
        self.row = {name: self.a[:-1, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        early, early_gates = self.a[:-1, C:R], self.a[:-1, C : G * H]  # all but o if its peephole needs c_t
        self.ig, self.pc = zeros(H, S, B), zeros(H, S, B)
        o, i, f, g = (self.row.get(name, self.row["i"]) for name in "oifg")  # without forget gate f is not used
        arrays = early, early_gates, o, i, f, g, self.c[:-1], self.c[1:], self.h
        self.forward_steps = list(zip(seeds_first(self.source), seeds_first(self.a), *map(by_step, arrays)))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.M_T = zeros(S, C + H, R + 1)  # the transpose of M's columns of c and of h
        self.dM, self.dp_o = zeros(T + 1, S, R + 1, K + C), zeros(T, S, H, H)
        self.span = span or max(1, min(T, SPAN // (H * S * B)))
        errors = zeros(H + R, S, B)
        self.dc_from_peep, self.error = errors[:H], errors[H:]
        self.from_M_T = errors[H - C : 2 * H]  # dc_from_peep (if there are peepholes) and dh
        self.dh, self.dc = self.error[:H], self.error[H : 2 * H]  # the rows of o; the rows of i
        self.dc_copies = self.error[2 * H :].reshape(G - 1, -1)  # the rows of [f] and g
        self.part, self.dh_dc, self.f = (zeros(self.span, H, S, B) for _ in range(3))
        by_span = [itertools.cycle(by_step(array)) for array in (self.dh_dc, self.f)]  # step t uses entry t % span
        self.backward_steps = list(zip(seeds_first(self.a[1:]), by_step(self.a[:-1, :R]), *by_span))


def peepholes_in(M, cell):
    """The view (S, G - 1, H) of the peepholes of i and f in a matrix like M: the diagonals of its columns of c."""
    H, G = cell.hidden, len(cell.gates)
    return np.einsum("sgjj->sgj", M[:, H : G * H, cell.K :].reshape(len(M), G - 1, H, H))


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
    cell, p, M = net.cell, net.p, net.M
    H, K, R = cell.hidden, cell.K, p.W.shape[1]
    M[:, :R, :K], M[:, R:, :H], M[:, R, K - 1] = p.W, p.V, p.b[:, 0, 0]
    if cell.peephole:
        peepholes_in(M, cell)[...] = p.peep[:, 1:]  # diag(p_i), diag(p_f)
        np.multiply(p.peep[:, 0].T[:, :, None], net.half, out=net.half_p_o)  # p_o / 2
    np.multiply(M, net.scale, out=net.M_scaled)  # M / 2 in the rows of gates
    np.copyto(net.x, x)
    M_times, half, peephole, forget_gate = product(net.M_scaled), net.half, cell.peephole, cell.forget_gate
    half_p_o, ig, pc = net.half_p_o.ravel(), net.ig.ravel(), net.pc.ravel()
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument
    for v, z, early, early_gates, o, i, f, g, c_before, c, h in net.forward_steps:
        M_times(v, z)  # z_t and y_{t-1} = M [v_t; c_{t-1}]; z_t / 2 in the rows of gates
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
            multiply(half_p_o, c, pc)  # p_o c_t / 2
            add(o, pc, o)  # (z_o + p_o c_t) / 2
            tanh(o, o)  # tanh((z_o + p_o c_t) / 2)
            multiply(o, half, o)  # tanh((z_o + p_o c_t) / 2) / 2
            add(o, half, o)  # o_t = sigma(z_o + p_o c_t)
        tanh(c, h)  # tanh(c_t)
        multiply(o, h, h)  # h_t = o_t tanh(c_t)
    last_source = net.source[-1].swapaxes(0, 1).copy()  # rows first in memory for any S, so that sums have one order
    np.matmul(net.M_scaled[:, R:], last_source, out=net.a[-1, R:].swapaxes(0, 1))  # y_{T-1} = V h_{T-1} + b
    return net.y


def squared_error(y, target):
    """Loss (S, B) of outputs y (T, S, B) under targets, and its gradient with respect to the outputs, (T, S, B)."""
    dy = y - target  # y_t - target_t
    return 0.5 * np.square(dy).sum(axis=0), dy  # sum over t of (y_t - target_t)^2 / 2


# -------------------------------------------------------------------------------------------------- backward


def backward(net, dy):
    """Write the gradient of the loss of the last forward pass into net.grad (S, P).

    dy (T, S, B): the gradient with respect to the outputs. This overwrites the activations and the outputs: net.a holds
    dz_t and dy_{t-1} afterwards.
    """
    cell, d, a, M, M_T = net.cell, net.d, net.a, net.M, net.M_T
    T, H, K, R = len(dy), cell.hidden, cell.K, net.p.W.shape[1]
    a[0, R] = 0  # dy_{-1}: no output comes before step 0
    np.copyto(a[1:, R], dy)  # dy_{t-1}
    np.copyto(M_T[:, :-H], M[:, :, K:].transpose(0, 2, 1))  # [0, diag(p_i), diag(p_f), 0, 0]
    np.copyto(M_T[:, -H:], M[:, :, :H].transpose(0, 2, 1))  # [W_h^T, V^T]
    dh, dc, dc_from_peep, error = net.dh.ravel(), net.dc.ravel(), net.dc_from_peep.ravel(), net.error.ravel()
    dz_dy, v_transposed = a.swapaxes(1, 2), net.source.transpose(0, 2, 3, 1)
    M_T_times, from_M_T = product(M_T), seeds_first(net.from_M_T)
    add, copyto, multiply, peephole, forget_gate = np.add, np.copyto, np.multiply, cell.peephole, cell.forget_gate
    np.matmul(dz_dy[T], v_transposed[T], out=net.dM[T])  # [0; dy_{T-1}] [v_T; c_{T-1}]^T: there is no dz_T
    dc.fill(0)  # no step comes after the last
    dc_from_h, dc_copies = np.empty_like(dc), net.dc_copies
    for first in range((T - 1) // net.span * net.span, -1, -net.span):
        steps = slice(first, min(first + net.span, T))
        local_derivatives(net, steps)
        for dz_dy_after, a_t, dh_dc, f in net.backward_steps[steps][::-1]:
            M_T_times(dz_dy_after, from_M_T)  # p_i dz_i + p_f dz_f of step t + 1; dh_t = W_h^T dz_{t+1} + V^T dy_t
            if peephole:
                add(dc, dc_from_peep, dc)  # dc_t = f_{t+1} dc_{t+1} + p_i dz_i + p_f dz_f of step t + 1
            multiply(dh_dc, dh, dc_from_h)  # dh_t dh_t/dc_t
            add(dc, dc_from_h, dc)  # dc_t = dc_t so far + dh_t dh_t/dc_t
            copyto(dc_copies, dc)
            multiply(a_t, error, a_t)  # dz_o = dh_t dh_t/dz_o; dz_i, dz_f, dz_g = dc_t dc_t/dz
            if forget_gate:
                multiply(dc, f, dc)  # f_t dc_t, a part of dc_{t-1}
        np.matmul(dz_dy[steps], v_transposed[steps], out=net.dM[steps])  # [dz_t; dy_{t-1}] [v_t; c_{t-1}]^T
        if peephole:
            dz_o, c_transposed = net.row["o"][steps].swapaxes(1, 2), net.c[1:][steps].transpose(0, 2, 3, 1)
            np.matmul(dz_o, c_transposed, out=net.dp_o[steps])  # dz_o c_t^T; only its diagonal is used
    dM = net.dM.sum(axis=0)  # dM = sum_t [dz_t; dy_{t-1}] [v_t; c_{t-1}]^T
    d.W[...], d.V[...], d.b[:, 0, 0] = dM[:, :R, :K], dM[:, R:, :H], dM[:, R, K - 1]
    if peephole:
        d.peep[:, 0] = np.einsum("sjj->sj", net.dp_o.sum(axis=0))  # dp_o = sum_t dz_o c_t
        d.peep[:, 1:] = peepholes_in(dM, cell)  # dp_i = sum_t dz_i c_{t-1}, dp_f = sum_t dz_f c_{t-1}


def local_derivatives(net, steps):
    """Compute the derivatives within each step of a slice of steps. They do not depend on the errors of later steps.

    net.a: dh/dz for the net inputs z of o, dc/dz for the others; they replace the activations. net.dh_dc: dh/dc, with
    the path through the peephole of o. net.f: dc_t/dc_{t-1}, without the paths through the peepholes of i and f.
    """
    o, i, g = (net.row[name][steps] for name in "oig")
    c, c_before, h = net.c[1:][steps], net.c[:-1][steps], net.h[steps]
    part, dh_dc = net.part[: len(c)], net.dh_dc[: len(c)]
    np.tanh(c, out=part)  # tanh(c)
    np.multiply(h, part, out=part)  # h tanh(c) = o tanh(c)^2
    np.subtract(o, part, out=dh_dc)  # dh/dc = o (1 - tanh(c)^2)
    np.subtract(1, o, out=o)  # 1 - o
    np.multiply(o, h, out=o)  # dh/dz_o = o tanh(c) (1 - o) = h (1 - o)
    if net.cell.peephole:
        np.multiply(net.half_p_o, o, out=part)  # p_o / 2 dh/dz_o
        np.add(part, part, out=part)  # p_o dh/dz_o
        np.add(dh_dc, part, out=dh_dc)  # dh/dc = o (1 - tanh(c)^2) + p_o dh/dz_o
    np.multiply(i, g, out=part)  # i g
    np.multiply(part, g, out=g)  # i g^2
    np.subtract(i, g, out=g)  # dc/dz_g = i (1 - g^2)
    np.subtract(1, i, out=i)  # 1 - i
    np.multiply(i, part, out=i)  # dc/dz_i = i g (1 - i)
    if net.cell.forget_gate:
        f = net.row["f"][steps]
        np.copyto(net.f[: len(c)], f)  # dc_t/dc_{t-1} = f
        np.multiply(f, c_before, out=part)  # f c_{t-1}
        np.subtract(1, f, out=f)  # 1 - f
        np.multiply(f, part, out=f)  # dc/dz_f = c_{t-1} f (1 - f)


# ------------------------------------------------------------------------------------------------------ Adam


# shared block
def clip_by_norm(grad, limit):
    """Scale each row of grad (S, P) in place to a Euclidean norm of at most limit; returns the norms before, (S,)."""
    norm = np.sqrt(np.square(grad, dtype=np.float64).sum(axis=1))
    grad *= (limit / np.maximum(norm, limit))[:, None].astype(grad.dtype)
    return norm


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
    """Check every parameter of every task and variant of network, in float64; returns the exit status, 0 or 1."""
    wave = {"periods": [4, 5, 6], "wave": "cos"}
    tasks = {"msd": {"D_min": 2, "D_max": 4}, "gts": {"periods": [3, 4, 5]}, "pfg": wave}
    T, B, ok = 9, 12, True
    for task, forget_gate, variant in itertools.product(tasks, (True, False), VARIANTS):
        x, y = draw_population(SimpleNamespace(task=task, seeds=[2], T=T, **tasks[task]), (TRAIN,), B)
        cell, sizes = Cell(4, x.shape[1], VARIANTS[variant], forget_gate), (T, x.shape[3])

        def loss(population):
            net = Network(cell, population, *sizes, backward=False)
            return squared_error(forward(net, x), y)[0].sum(axis=1)

        theta = 0.5 * stream(5, INIT).standard_normal((1, cell.P))
        numerical = numerical_gradient(loss, theta[0])
        name = f"{task} {variant}{'' if forget_gate else ', no forget gate'}"
        for span in T, 4:
            net = Network(cell, theta, *sizes, span=span)
            for wanted in 1 - y, y:  # the second pass must not depend on what the first left in net
                backward(net, squared_error(forward(net, x), wanted)[1])
            ok &= compare_gradients(f"{name}, spans of {span}", net.grad[0], numerical, cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The held-out sequences of every seed, drawn once: [(x (T, D, S, n), y (T, S, n)), ...].

    msd: whole batches of n = EVAL_BATCH sequences, at least eval_n in all. gts, pfg: the only batch.
    """
    count = math.ceil(options.eval_n / EVAL_BATCH) if options.task == "msd" else 1
    return [draw_population(options, (EVAL, k), EVAL_BATCH) for k in range(count)]


def recorded_sequences(options):
    """The sequences that snapshots show, x (T, D, n), y (T, n); msd: distances spread evenly from D_min to D_max."""
    gap = np.linspace(options.D_min, options.D_max, RECORDED).round().astype(int)
    return make_batch(stream(options.record, RECORD), RECORDED, options, gap=gap)


def solved(options, x, y, output):
    """Whether outputs (T, S, n) for sequences x (T, D, S, n) have the right timing: (S, n), bool; for pfg, shares.

    msd: whether the largest output after the second spike is at the target, the step where y is 1. gts: whether outputs
    are above 1/2 at the targets and at no other step. pfg: the share of whole periods with a root mean squared error of
    at most HELD.
    """
    if options.task == "msd":
        behind_second = x[:, 0].cumsum(axis=0) == 2
        behind_second &= x[:, 0] == 0
        return np.where(behind_second, output, -np.inf).argmax(axis=0) == y.argmax(axis=0)
    if options.task == "gts":
        return ((output > 0.5) == (y > 0.5)).all(axis=0)
    error = [period_errors(output[..., k], y[..., k], period) for k, period in enumerate(options.periods)]
    return np.stack([(rmse <= HELD).mean(axis=0) for rmse in error], axis=-1)


def period_errors(output, y, period):
    """Root mean squared error of outputs (T, S) in each whole period: (T // period, S). y: the targets (T,)."""
    n = len(y) // period
    return np.sqrt(np.square(output - y)[: n * period].reshape(n, period, -1).mean(axis=1))


def evaluate(net, batches, options):
    """Mean squared error and solve rate, (S,) each, over the held-out sequences (msd: the first eval_n)."""
    errors, rates = [], []
    for x, y in batches:
        output = forward(net, x)
        errors.append(np.square(output - y).mean(axis=0))
        rates.append(solved(options, x, y, output))
    n = options.eval_n if options.task == "msd" else None
    return tuple(np.concatenate(parts, axis=1)[:, :n].mean(axis=1) for parts in (errors, rates))


def snapshot(net, x):
    """Copies of the output, c, h and the gates (both float16) of the network of one seed on sequences x (T, D, n)."""
    output = forward(net, x[:, :, None])
    arrays = {"h": net.h} | {gate: net.row[gate] for gate in net.cell.gates}
    half = {name: array[:, :, 0].astype(np.float16) for name, array in arrays.items()}
    return {"output": output[:, 0].copy(), "c": net.c[1:, :, 0].copy()} | half


def run_on(cell, theta, options):
    """Outputs (T, S, n) and targets (T, n) of networks of gts or pfg over RUN_ON times the training length."""
    x, y = make_batch(None, 0, options, RUN_ON * options.T)
    return forward(Network(cell, theta, *y.shape, backward=False), x[:, :, None]), y


def learning_rate(options, step):
    """The learning rate of update step = 0, 1, ...: constant, halved every halve_every steps, or half a cosine to 0."""
    if options.schedule == "halving":
        return options.lr * 0.5 ** (step // options.halve_every)
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, adam, x, y, options, alive):
    """One training step on x (T, D, S, B) with targets y (T, S, B). Returns the mean squared error (S,).

    If the loss, the gradient or the update of a seed is not finite, alive (S,) becomes False for this seed.
    """
    loss, dy = squared_error(forward(net, x), y)
    mse = loss.sum(axis=1) / loss.shape[1] * 2 / len(x)
    backward(net, dy / dy.shape[2])
    alive &= np.isfinite(mse) & np.isfinite(clip_by_norm(net.grad, options.clip))
    if not alive.all():
        net.grad[~alive] = 0
    adam.update(net.grad, learning_rate(options, adam.step), BETA2, alive)
    return mse


def train(cell, options, watch=None, networks=1):
    """Train the networks of all seeds. Returns their part of results.json and their arrays for snapshots.npz.

    watch(net, batches) is called at each evaluation with the held-out sequences; the history also records its values, a
    dict of (S,). networks: variants that this run still has to train, for the estimate of its time; 0: no estimate.
    """
    S, T, steps = len(options.seeds), options.T, options.steps
    B = options.batch if options.task == "msd" else len(options.periods)
    theta = init_theta(cell, options)
    adam, recorded = Adam(theta), options.seeds.index(options.record)
    net, batches = Network(cell, theta, T, B), held_out(options)
    eval_net = Network(cell, theta, T, batches[0][1].shape[2], backward=bool(watch))
    x_recorded, y_recorded = recorded_sequences(options)
    record_net = Network(cell, theta[recorded : recorded + 1], T, y_recorded.shape[1], backward=False)
    history = {"step": [], "train_loss": [], "test_mse": [], "solve_rate": [], "batch_loss": np.full(steps, np.nan)}
    snapshots, loss_sum, alive, diverged_at = {"step": []}, np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        if step % options.snapshot_every == 0 or step == steps:
            for name, value in ({"step": step} | snapshot(record_net, x_recorded)).items():
                snapshots.setdefault(name, []).append(value)
        if step % options.eval_every == 0 or step == steps:
            mse, rate = evaluate(eval_net, batches, options)
            since = step - (history["step"] or [0])[-1]
            values = {"train_loss": loss_sum / (since or np.nan), "test_mse": mse, "solve_rate": rate}
            values |= watch(eval_net, batches) if watch else {}
            history["step"].append(step)
            for name, value in values.items():
                history.setdefault(name, []).append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            print_progress(cell.variant, history, "solve_rate", alive & (rate >= SOLVED), steps, wall_clock_s)
        if step == steps:
            break
        k = step % CHUNK if options.task == "msd" else 0  # all batches of gts and pfg are the same
        if step == 0 or options.task == "msd" and k == 0:
            x, y = draw_population(options, training_key(options, step // CHUNK), CHUNK * B)
        batch = slice(k * B, (k + 1) * B)
        loss = update(net, adam, x[..., batch], y[..., batch], options, alive)
        loss_sum += loss
        history["batch_loss"][step] = loss[recorded] if alive[recorded] else np.nan
        if not alive.all():
            diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if networks and step + 1 == ESTIMATED_AFTER:
            seconds = (time.perf_counter() - started) / ESTIMATED_AFTER * steps * networks
            print(f"estimated time: {seconds:.0f} s", flush=True)
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": wall_clock_s,
        "sequences_seen": [B * (at or steps) for at in diverged_at],
        "diverged_at_step": diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("test_mse", "solve_rate")},
        "sequences_to_99": first_reached(history, SOLVED, B),
    }
    arrays = snapshots | {"x": x_recorded, "y": y_recorded}
    if options.task != "msd":
        output, target = run_on(cell, theta[recorded : recorded + 1], options)
        arrays |= {"run_on_output": output[:, 0], "run_on_target": target}
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


def run(options, watch=None):
    """Train all variants of the options. Returns {variant: its part of results.json} and arrays for snapshots.npz."""
    runs, arrays = {}, {}
    variants = [variant for variant, peephole in VARIANTS.items() if options.peep in (None, peephole)]
    for variant in variants:
        cell = cell_of(options, variant)
        runs[variant], found = train(cell, options, watch, networks=0 if runs else len(variants))
        arrays |= {f"{variant}/{name}": np.asarray(array) for name, array in found.items()}
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


def parse_periods(text):
    """The periods of a text such as "10,15,20". Each has at least 2 steps and is named once."""
    periods = [positive(part) for part in text.split(",")]
    if min(periods) < 2 or len(set(periods)) < len(periods):
        raise argparse.ArgumentTypeError(f"'{text}': periods have 2 steps or more, and each is named once")
    return periods


def count(text):
    """The number in text, a whole number of at least 0."""
    if text.strip().isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 0")


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
    recipes = "; ".join(f"{name}: {words(recipe)}" for name, recipe in RECIPES.items())
    recipes += "".join(f"; default of {task}: {words(recipe)}" for task, recipe in TASK_RECIPES.items())
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="29", metavar="0-29|0,3,7", help="which seeds")
    add("--recipe", choices=RECIPES, default="default", help=f"{recipes}; other options override it")
    add("--task", choices=["msd", "gts", "pfg"], default="msd", help="measure spike distance, generate timed spikes, "
        "periodic function generation")  # fmt: skip
    add("--peep", action=switch, help="only cells with peepholes, or only cells without (if not given: both)")
    add("--forget-gate", action=switch, default=True, help="cells with a forget gate")
    add("--T", type=positive, default=150, help="steps of a sequence")
    add("--D-min", type=positive, default=30, help="least distance of two spikes, in steps (msd)")
    add("--D-max", type=positive, default=60, help="largest distance of two spikes, in steps (msd)")
    add("--periods", "--period", type=parse_periods, default="10", metavar="F|F,F", help="period to generate, in "
        "steps; one network learns all periods, and each period has its own start signal (gts, pfg)")  # fmt: skip
    add("--wave", choices=["cos", "triangle", "rectangle"], default="cos", help="function to generate (pfg)")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="training steps")
    add("--draw", type=count, default=0, help="number of the set of training sequences (msd); same initial weights")
    add("--batch", type=positive, default=32, help="sequences in a step (gts, pfg: always one for each period)")
    add("--hidden", type=positive, default=8, help="number of cells")
    add("--input-gate-bias", type=float, help="initial bias of the input gates")
    add("--forget-gate-bias", type=float, help="initial bias of the forget gates")
    add("--peephole-std", type=float, default=0.1, help="standard deviation of initial peepholes; 0 is allowed")
    add("--lr", type=real, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "halving", "constant"], help="how the learning rate changes")
    add("--halve-every", type=positive, default=1500, help="steps between two halvings (--schedule halving)")
    add("--clip", type=real, help="limit on the norm of a gradient")
    add("--eval-every", "--eval_every", type=positive, default=100, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences (msd)")
    add("--snapshot-every", "--snapshot_every", type=positive, default=100, help="steps between snapshots")
    add("--record", type=int, metavar="SEED", help="seed whose states are recorded (if not given: the first)")
    add("--dtype", choices=["float32", "float64"], default="float32", help="type of numbers in training")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not in this script; it prints how to run in resumable parts")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check all gradients of all variants")
    add("--record-hidden", "--record_hidden", action="store_true", help="has no effect; states are always recorded")
    parser.set_defaults(**RECIPES["default"])
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    of_task = TASK_RECIPES.get(first.task, {}) if first.recipe == "default" else {}
    parser.set_defaults(record=first.seeds[0], **RECIPES[first.recipe] | of_task | (QUICK if first.quick else {}))
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    every = [name for name in ("eval_every", "snapshot_every") if options.steps < getattr(options, name)]
    msd, biases = options.task == "msd", ("input_gate_bias", "forget_gate_bias")
    longest, least = max(options.periods), 2 * options.D_max + 1
    problems = [
        *(
            (name, getattr(options, name) != getattr(base, name), f"more than the {options.steps} steps")
            for name in every
        ),
        ("resume", options.resume, f"not in this script; python3 -m studies run -- {SCRIPT} ... can be resumed"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
        ("D_min", msd and options.D_min > options.D_max, f"{options.D_min} is more than --D-max {options.D_max}"),
        ("T", msd and options.T < least, f"{options.T} steps are too few, the least is 2 * D_max + 1 = {least}"),
        ("periods", not msd and longest >= options.T, f"{longest} is not less than the {options.T} steps of --T"),
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
