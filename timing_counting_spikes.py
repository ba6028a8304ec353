#!/usr/bin/env python3
"""Precise timing: measure the distance of two spikes, generate spikes, generate waves; LSTM with and without peepholes.

Three tasks of F. A. Gers, N. N. Schraudolph and J. Schmidhuber, Learning Precise Timing with LSTM Recurrent Networks,
Journal of Machine Learning Research 3:115-143, 2002, who introduced peepholes for them.

msd, measure spike distance: two input spikes, at t1 and at t2 = t1 + D; the network must put out a spike at exactly
t2 + D. D is uniform in [30, 60], a sequence has T = 150 steps, t1 is uniform where all fits. Solved: behind t2 the
largest output is at the very step. gts, generate timed spikes: a start pulse at step 0 and then no input; a spike every
F steps, first at step F. Solved: the output is above 1/2 at these steps and at no other. pfg, periodic function
generation: a start pulse, then a cosine, a triangle or a rectangle of period F, within [0, 1]. Solved: each period's
root mean squared error is at most 0.15. Networks that generate are also run on to ten times the T that they learned.

The network. v_t = [h_{t-1}; x_t; 1] is the source of all units at step t, p_o, p_i, p_f are peepholes, one per cell,
which the variant vanilla does not have:

    i_t = sigma(W_i v_t + p_i c_{t-1})    f_t = sigma(W_f v_t + p_f c_{t-1})    g_t = tanh(W_g v_t)
    c_t = f_t c_{t-1} + i_t g_t           with --no-forget-gate, of 1997: f_t = 1
    o_t = sigma(W_o v_t + p_o c_t)        h_t = o_t tanh(c_t)        y_t = V h_t + b
    loss = sum over t of (y_t - target_t)^2 / 2, averaged over the batch; as reported: the mean over t of the square

W holds the rows of o, i, [f], g in this order. Backpropagation through all steps, clipping of the gradient's norm,
Adam. --recipe chooses rates and the biases that gates start with; see RECIPES and TASK_RECIPES.

Axes of arrays: S seeds (independent networks, trained side by side), T steps, B sequences of a batch, D inputs (1, or
one for each of several periods), H cells, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and
candidates, P parameters of a network. Names: a, net inputs that become activations and then dz; ig, what is written to
c. A d before a name makes it the gradient of the loss; dz is that with respect to net inputs.

The headline, python3 timing_counting_spikes.py, both variants of one seed, ends like this:

              parameters   solved   solve rate: median [range]      test MSE  off by (steps)  seconds
    peephole         353      1/1         1.000 [1.000, 1.000]       3.4e-06           0.000     20.3
    vanilla          329      1/1         1.000 [1.000, 1.000]       1.5e-04           0.000     15.3

Files in --out (default: results/timing_counting_spikes; for gts and pfg a folder of their name in it). results.json:
settings, the history of every seed, final values, measures (see measure) after training and before it. snapshots.npz,
for the first seed, N snapshots over training of n recorded sequences (msd: 4, of gaps from D_min to D_max; else one for
each period), under peephole/ and vanilla/:

    step (N,)   x (T, D, n) and y (T, n), inputs and targets   output (N, T, n)   c (N, T, H, n)
    h and the gates o, i, [f], each (N, T, H, n), in half precision
    run_on_output and run_on_target (10 T, n), after the last step (gts, pfg)
    weights/W (R, K)   weights/V (1, H)   weights/b (1, 1)   weights/peep (G, H), rows in the order o, i, [f]

How this differs from the paper (as the write-up that this started from tells it): Adam, batches and backpropagation
through time instead of truncated gradients and single sequences; fresh sequences instead of a finite training set; a
linear output unit instead of a logistic one; shorter sequences. How it differs from the write-up is in the README.
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
from functools import partial
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy loads; more threads only slow matrices this small
import numpy as np

EXPERIMENT = "timing_counting_spikes"
RECIPES = {
    "default": {"steps": 2500, "lr": 0.02, "schedule": "cosine", "clip": 0.3, "input_gate_bias": -4.0,
                "forget_gate_bias": 5.0},
    "writeup": {"steps": 3000, "lr": 0.005, "schedule": "halving", "clip": 1.0, "input_gate_bias": 0.0,
                "forget_gate_bias": 1.0},
}  # fmt: skip
TASK_RECIPES = {  # where the default of a task differs
    "gts": {"steps": 6000, "lr": 0.003, "clip": 1.0, "input_gate_bias": 0.0, "forget_gate_bias": 1.0},
    "pfg": {"steps": 4000, "lr": 0.005, "clip": 0.3, "input_gate_bias": 0.0, "forget_gate_bias": 1.0},
}
QUICK = {"steps": 200, "eval_n": 128, "out": f"results/quick/{EXPERIMENT}"}
SOLVED = 0.99  # the least solve rate of a seed that has solved its task
HELD = 0.15  # root mean squared error up to which a period of a wave counts as held
RUN_ON = 10  # times the training length over which a generator is watched
SETTLE = 5  # steps in which cells come to rest after a spike
BETA2 = 0.999
LAST = 10  # steps before a target's in which cells are asked how many are left
NOISE = 0.01  # of a cell's spread, added to what is read out of it
INIT, TRAIN, EVAL, RECORD, BLUR = range(5)  # each seed's streams of random numbers
CHUNK = 16  # batches drawn at a time
BLOCK = 2**16  # values of one variable that backward works on at a time: what caches hold
EVAL_BLOCK = 64  # held-out sequences that pass through the network side by side
RECORDED = 4

# ------------------------------------------------------------------------------------------------------ data


# shared block
def stream(seed, *key):
    """A generator of its own for each (seed, *key): what is drawn from one never shifts another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def wave_form(name, phase):
    """Values in [0, 1] of a periodic function at phases in [0, 1) of its period: cos, triangle or rectangle."""
    if name == "cos":
        return (1 - np.cos(2 * np.pi * phase)) / 2
    return 1 - np.abs(1 - 2 * phase) if name == "triangle" else (phase >= 0.5).astype(float)


def make_batch(rng, n, options, T=None, gap=None):
    """Draw n sequences of the task: inputs x (T, D, n), targets y (T, n), float32 (spikes of msd: int8).

    msd: x is 1 at two steps, t1 and t2 = t1 + gap, y is 1 at t2 + gap. The gap is uniform in [D_min, D_max] (or given,
    (n,)), t1 is uniform where t2 + gap still lies within the sequence.
    gts, pfg: nothing is random, and there is one sequence for each period (n is not looked at), of which each has an
    input of its own, 1 at step 0. y: spikes at the period's multiples, without step 0; or a wave.
    T: steps, options.T if not given.
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
    """Sequences for every seed, from its stream key: x (T, S, D, n), y (T, S, n)."""
    drawn = [make_batch(stream(seed, *key), n, options) for seed in options.seeds]
    return tuple(np.stack(arrays, axis=1) for arrays in zip(*drawn))


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """An LSTM of so many cells, each with its own gates, and so many inputs."""

    hidden: int = 8
    inputs: int = 1
    peephole: bool = True
    forget_gate: bool = True

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


# shared block
def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(cell, seeds, dtype, biases, peephole_std):
    """Initial parameters (S, P): normal, of mean 0; biases 0 or as given, {gate: value, "output": value}.

    Variances: 1 / (4 H) of recurrent weights, 1 / (4 D) of input weights, 1 / H of the readout, peephole_std^2. The two
    variants of a seed differ in nothing but the peepholes.
    """
    H = cell.hidden
    theta = np.stack([stream(seed, INIT).standard_normal(cell.P) for seed in seeds]).astype(dtype)
    p = views(theta, cell.shapes)
    p.W[:, :, :H] /= math.sqrt(4 * H)
    p.W[:, :, H:-1] /= math.sqrt(4 * cell.inputs)
    p.W[:, :, -1] = 0
    p.V /= math.sqrt(H)
    p.b[...] = biases.get("output", 0)
    if cell.peephole:
        p.peep *= peephole_std
    for k, gate in enumerate(cell.gates):
        p.W[:, k * H : (k + 1) * H, -1] = biases.get(gate, 0)
    return theta


class Network:
    """S networks on parameters theta (S, P), with every array that their passes write, cut into steps beforehand.

    T: steps of a sequence; B: sequences side by side; only with backward=True can gradients be had.

    Two things are written into matrices so that they cost no calls of their own. The readout is one more row: y of step
    t comes out of the product that makes the net inputs of step t + 1, and dy of step t goes in where dh of step t is
    made of dz of step t + 1. The peepholes of i and f are H more columns, diagonal ones: c_{t-1} is part of the source
    of step t. What a network this small costs is memory traffic, so activations are replaced by their dz in place, and
    tanh(c) and i g are made again in backward, not kept.

    Arrays are (T, S, rows, B) to look at; in memory, the rows of a step come before its seeds. So what a step does to
    some rows of all seeds, it does to one piece of memory, flat (T, rows S B), and only the products see S matrices.
    """

    def __init__(self, cell, theta, T, B, backward=True):
        S, H, K, G = len(theta), cell.hidden, cell.K, len(cell.gates)
        R = (G + 1) * H

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        def zeros_by_step(rows, T=T):  # (T, S, rows, B), in memory (T, rows, S, B)
            return zeros(T, rows, S, B).transpose(0, 2, 1, 3)

        def flat(array):  # such an array as (T, rows S B)
            return array.transpose(0, 2, 1, 3).reshape(len(array), -1)

        def matrices(array):  # such an array as product takes it
            return array[:, 0] if S == 1 else array

        def in_turn(array):  # T items, from the first again after the last
            return itertools.islice(itertools.cycle(array), T)

        self.cell, self.theta, self.p = cell, theta, views(theta, cell.shapes)
        # Halving the gate rows lets one tanh make all activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        N = K + H if cell.peephole else K  # columns of the product, rows of its source
        self.W_scaled, self.peep_o = zeros(S, R + 1, N), zeros(H, S, B)
        self.v = zeros_by_step(K + H, T + 1)  # [h_{t-1}; x_t; 1; c_{t-1}]
        self.v[:, :, K - 1] = 1
        self.x, self.h, self.c = self.v[:-1, :, H : K - 1], self.v[1:, :, :H], self.v[:, :, K:]
        self.a = zeros_by_step(R + 1, T + 1)  # net inputs, then activations, then dz; the last row: y of the step before
        self.y = self.a[1:, :, R]
        row = self.row = {name: self.a[:-1, :, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        self.work = [zeros(H * S * B) for _ in range(2)]
        with_c = H if cell.peephole else 0  # o comes later where it waits for c
        now = {"rows": self.a[:-1, :, with_c:R], "gates": self.a[:-1, :, with_c : R - H]}
        arrays = row | now | {"c_before": self.c[:-1], "c": self.c[1:], "h": self.h}
        self.flat = {name: flat(array) for name, array in arrays.items()}
        rows = (self.flat.get(name, self.flat["o"]) for name in ("rows", "gates", *"oifg", "c_before", "c", "h"))
        sources = self.v[:, :, :N]
        self.forward_steps = list(zip(matrices(sources[:-1]), matrices(self.a[:-1]), *rows))
        self.last = sources[-1], self.a[-1, :, R:]  # of the product that makes the last y
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.U = zeros(S, H + N - K, R + 1)  # by peepholes of i and f to dc, and to dh, from dz and dy
        # Rows that backward fills: dc_from_peep; then what each row of a acts on: the loss's derivative by h for o; by
        # c for the others, in copies.
        rows = zeros_by_step((2 + G) * H, 1)
        self.dc_from_peep, self.dh, self.dc, *_ = flat(rows)[0].reshape(2 + G, -1)
        self.dc_copies, self.acts_on = flat(rows)[0].reshape(2 + G, -1)[3:], flat(rows[:, :, H:])[0]
        self.from_U = matrices(rows[:, :, K - N + H : 2 * H])[0]
        self.dc_from_h = zeros(H * S * B)
        n = max(1, min(T, BLOCK // (S * H * B)))
        self.part, self.dh_dc, self.f = (zeros(n, H * S * B) for _ in range(3))
        self.d_rows, self.d_peep_o = zeros(T + 1, S, R + 1, N), zeros(T, S, H, H)
        self.v_transposed = sources.transpose(0, 1, 3, 2)
        steps = flat(self.a[:-1, :, :R]), matrices(self.a[1:]), in_turn(self.dh_dc), in_turn(self.f)
        self.backward_steps = list(zip(*steps))


# shared block
def product(W):
    """f(v, out), which puts the products of W (S, n, k) and v into out; one seed's are matrices, without an axis S."""
    return W[0].dot if len(W) == 1 else partial(np.matmul, W)


# --------------------------------------------------------------------------------------------------- forward


def forward(net, x):
    """Run the networks over x (T, S, D, B) from a zero state; returns their outputs y (T, S, B), a view."""
    H, p, cell = net.cell.hidden, net.p, net.cell
    W, K, R = net.W_scaled, cell.K, p.W.shape[1]
    np.multiply(p.W, net.scale, out=W[:, :R, :K])
    W[:, R:, :H], W[:, R:, K - 1] = p.V, p.b[:, 0]
    if cell.peephole:
        diagonal = np.arange(H)
        for k, _ in enumerate(cell.gates[1:], start=1):
            W[:, k * H + diagonal, K + diagonal] = net.half * p.peep[:, k]
        np.multiply(p.peep[:, 0].T[:, :, None], net.half, out=net.peep_o)
    net.x[...] = x
    W_times, half, peep_o, (ig, po) = product(W), net.half, net.peep_o.reshape(-1), net.work
    add, multiply, tanh, peephole, forget_gate = np.add, np.multiply, np.tanh, cell.peephole, cell.forget_gate
    for v, z, rows, gates, o, i, f, g, c_before, c, h in net.forward_steps:  # the last argument takes the result
        W_times(v, z)
        tanh(rows, rows)
        multiply(gates, half, gates)
        add(gates, half, gates)
        multiply(i, g, ig)
        if forget_gate:
            multiply(f, c_before, c)
            add(c, ig, c)
        else:
            add(c_before, ig, c)
        if peephole:
            multiply(peep_o, c, po)
            add(o, po, o)
            tanh(o, o)
            multiply(o, half, o)
            add(o, half, o)
        tanh(c, h)
        multiply(o, h, h)
    v, z = net.last
    np.matmul(W[:, R:], v.copy(), z)  # contiguous: so the order of a sum does not depend on S
    return net.y


def squared_error(y, target):
    """Loss (S, B) of outputs y (T, S, B), half the squared error summed over t, and its derivative by y (T, S, B)."""
    dy = y - target
    return 0.5 * np.square(dy).sum(axis=0), dy


# -------------------------------------------------------------------------------------------------- backward


def backward(net, dy):
    """Gradient of the loss of the sequences just run, from dy (T, S, B) by the outputs, into net.grad.

    Activations and outputs of these sequences are gone afterwards: net.a then holds dz and dy.
    """
    cell, p, d, a = net.cell, net.p, net.d, net.a
    H, K, R, T, n = cell.hidden, cell.K, p.W.shape[1], len(dy), len(net.part)
    a[0, :, R], a[1:, :, R] = 0, dy
    net.U[:, -H:, :R], net.U[:, -H:, R:] = p.W[:, :, :H].transpose(0, 2, 1), p.V.transpose(0, 2, 1)
    diagonal = np.arange(H)
    if cell.peephole:
        for k in range(1, len(cell.gates)):
            net.U[:, diagonal, k * H + diagonal] = p.peep[:, k]
    U_times, from_U, dh, dc, dc_copies = product(net.U), net.from_U, net.dh, net.dc, net.dc_copies
    acts_on, dc_from_peep, dc_from_h = net.acts_on, net.dc_from_peep, net.dc_from_h
    add, copyto, multiply, peephole, forget_gate = np.add, np.copyto, np.multiply, cell.peephole, cell.forget_gate
    np.matmul(a[T], net.v_transposed[T], out=net.d_rows[T])
    dc.fill(0)
    for first in range((T - 1) // n * n, -1, -n):
        block = slice(first, min(first + n, T))
        derivatives(net, block)
        for dz, dz_after, dh_dc, f in net.backward_steps[block][::-1]:
            U_times(dz_after, from_U)
            if peephole:
                add(dc, dc_from_peep, dc)
            multiply(dh_dc, dh, dc_from_h)
            add(dc, dc_from_h, dc)
            copyto(dc_copies, dc)
            multiply(dz, acts_on, dz)
            if forget_gate:
                multiply(dc, f, dc)
        np.matmul(a[block], net.v_transposed[block], out=net.d_rows[block])
        if cell.peephole:
            np.matmul(net.row["o"][block], net.c[1:][block].transpose(0, 1, 3, 2), out=net.d_peep_o[block])
    d_rows = net.d_rows.sum(axis=0)  # (S, R + 1, K or K + H)
    d.W[...], d.V[...], d.b[:, 0] = d_rows[:, :R, :K], d_rows[:, R:, :H], d_rows[:, R:, K - 1]
    if cell.peephole:
        d.peep[:, 0] = net.d_peep_o.sum(axis=0)[:, diagonal, diagonal]
        for k in range(1, len(cell.gates)):
            d.peep[:, k] = d_rows[:, k * H + diagonal, K + diagonal]


def derivatives(net, block):
    """What backpropagation can know of a block of steps before the recurrence: derivatives that do not depend on it.

    Those by net inputs, of h for o and of c for the other rows, in place of the activations; of h by c; of c by
    c_{t-1}, peepholes aside.
    """
    cell = net.cell
    i, o, g, c_before, c, h = (net.flat[name][block] for name in ("i", "o", "g", "c_before", "c", "h"))
    part, dh_dc = net.part[: len(c)], net.dh_dc[: len(c)]
    np.tanh(c, out=part)
    np.multiply(h, part, out=part)
    np.subtract(o, part, out=dh_dc)
    np.subtract(1, o, out=o)
    np.multiply(o, h, out=o)
    if cell.peephole:
        np.multiply(net.peep_o.reshape(-1), o, out=part)
        np.add(part, part, out=part)
        np.add(dh_dc, part, out=dh_dc)
    np.multiply(i, g, out=part)
    np.multiply(part, g, out=g)
    np.subtract(i, g, out=g)
    np.subtract(1, i, out=i)
    np.multiply(i, part, out=i)
    if cell.forget_gate:
        f = net.flat["f"][block]
        np.copyto(net.f[: len(c)], f)
        np.multiply(f, c_before, out=part)
        np.subtract(1, f, out=f)
        np.multiply(f, part, out=f)


# ------------------------------------------------------------------------------------------------------ Adam


# shared block
def clip_by_norm(grad, limit):
    """Scale each row of grad (S, P) in place to a Euclidean norm of at most limit; returns the norms before, (S,)."""
    norm = np.sqrt(np.square(grad, dtype=np.float64).sum(axis=1))
    grad *= (limit / np.maximum(norm, limit))[:, None].astype(grad.dtype)
    return norm


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
    """Check every parameter of every task and variant of network, in float64; returns the exit status, 0 or 1."""
    kinds = {"peephole": {}, "vanilla": {"peephole": False}, "peephole, no forget gate": {"forget_gate": False},
             "vanilla, no forget gate": {"peephole": False, "forget_gate": False}}  # fmt: skip
    ok = True
    tasks = {"msd": {"T": 12, "D_min": 2, "D_max": 5}, "gts": {"T": 12, "periods": [3, 4, 5]},
             "pfg": {"T": 12, "periods": [4, 5, 6], "wave": "cos"}}  # fmt: skip
    for task, sizes in tasks.items():
        options = SimpleNamespace(task=task, seeds=[2], **sizes)
        x, y = draw_population(options, (TRAIN,), 12)
        for variant, differs in kinds.items():
            cell = Cell(4, x.shape[2], **differs)

            def loss(population):
                net = Network(cell, population, *x.shape[::3], backward=False)
                return squared_error(forward(net, x), y)[0].sum(axis=1)

            theta = 0.5 * stream(2, INIT).standard_normal((1, cell.P))
            net = Network(cell, theta, *x.shape[::3])
            for wanted in 1 - y, y:  # the first leaves traces that the second pass must not heed
                backward(net, squared_error(forward(net, x), wanted)[1])
            numerical = numerical_gradient(loss, theta[0])
            ok &= compare_gradients(f"{variant}, {task}", net.grad[0], numerical, cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The sequences that every seed is tested on, drawn once: [(x (T, S, D, n), y (T, S, n)), ...].

    msd: whole blocks of n = EVAL_BLOCK, eval_n or more in all. gts, pfg: the one block that there is.
    """
    blocks = math.ceil(options.eval_n / EVAL_BLOCK) if options.task == "msd" else 1
    return [draw_population(options, (EVAL, block), EVAL_BLOCK) for block in range(blocks)]


def recorded(options):
    """The sequences that snapshots show, x (T, D, n), y (T, n); msd: gaps spread evenly from D_min to D_max."""
    gap = np.linspace(options.D_min, options.D_max, RECORDED).round().astype(int)
    return make_batch(stream(options.seeds[0], RECORD), RECORDED, options, gap=gap)


def solved(options, x, y, output):
    """Whether sequences x (T, S, D, n) were answered with the right timing, (S, n) of bool or, for pfg, of shares.

    msd: the largest output behind the second spike is at the target, y's one step. gts: outputs are above 1/2 at the
    targets and nowhere else. pfg: the share of whole periods that keep to a root mean squared error of HELD.
    """
    if options.task == "msd":
        behind_second = x[:, :, 0].cumsum(axis=0) == 2
        behind_second &= x[:, :, 0] == 0
        return np.where(behind_second, output, -np.inf).argmax(axis=0) == y.argmax(axis=0)
    if options.task == "gts":
        return ((output > 0.5) == (y > 0.5)).all(axis=0)
    error = [period_errors(output[..., k], y[..., k], period) for k, period in enumerate(options.periods)]
    return np.stack([(rmse <= HELD).mean(axis=0) for rmse in error], axis=-1)


def period_errors(output, y, period):
    """Root mean squared error of outputs (T, S) under targets, of each whole period: (T // period, S)."""
    n = len(y) // period
    return np.sqrt(np.square(output - y)[: n * period].reshape(n, period, -1).mean(axis=1))


def training_key(options, chunk):
    """Which of a seed's streams a chunk of its training batches comes from; --draw K gives K more sets of them."""
    return (TRAIN, chunk) + (options.draw,) * (options.draw > 0)


def evaluate(net, blocks, options):
    """Mean squared error and solve rate, (S,) each, over the held-out sequences; of msd the first eval_n."""
    errors, rates = [], []
    for x, y in blocks:
        output = forward(net, x)
        errors.append(np.square(output - y).mean(axis=0))
        rates.append(solved(options, x, y, output))
    n = options.eval_n if options.task == "msd" else None
    return tuple(np.concatenate(parts, axis=1)[:, :n].mean(axis=1) for parts in (errors, rates))


def spike_steps(x, y):
    """Steps of the second input spike and of the target, (S, n) each, of msd sequences x (T, S, 1, n), y (T, S, n)."""
    return len(x) - 1 - x[::-1, :, 0].argmax(axis=0), y.argmax(axis=0)


def paths(c, second, target):
    """How cell states c (T, S, H, n) move behind the second spike: {name: share (S,)}.

    monotone: of all cells and sequences, those in which c moves in one direction at every step behind the second spike,
    to the target's included; monotone_settled: the same without the first SETTLE of these steps and the target's own.
    Within these settled steps, straight: |the sum of c's moves| over the sum of their sizes, averaged over cells and
    sequences; late_moves: the share of that sum which falls into the last quarter of the steps (of an even ramp: 1/4).
    on_time: of all cells and sequences, those in which c's largest move, from the settled steps to the sequence's end,
    comes within one step of the target's.
    """
    move = np.diff(c, axis=0)
    t = np.arange(1, len(c))[:, None, None]  # the step of each move
    begin, end = second + np.clip(target - second - 2, 0, SETTLE), target - 1

    def one_way(first, last):  # at all steps from behind first to last
        outside = ((t <= first) | (t > last))[:, :, None]
        return ((move > 0) | outside).all(axis=0) | ((move < 0) | outside).all(axis=0)

    settled = (t > begin) & (t <= end)
    last_quarter = np.clip(t - end + (end - begin) / 4, 0, 1) * settled  # 1, a step on the edge in part
    size = np.abs(move)
    length = np.maximum(np.where(settled[:, :, None], size, 0).sum(axis=0), 1e-30)  # no way at all is not straight
    largest = np.where((t > begin)[:, :, None], size, 0).argmax(axis=0) + 1  # the step of it
    shares = {
        "monotone": one_way(second, target),
        "monotone_settled": one_way(begin, end),
        "straight": np.abs(np.where(settled[:, :, None], move, 0).sum(axis=0)) / length,
        "late_moves": (size * last_quarter[:, :, None]).sum(axis=0) / length,
        "on_time": np.abs(largest - target[:, None]) <= 1,
    }
    return {name: share.mean(axis=(1, 2)) for name, share in shares.items()}


def read_out_error(cells, values, rng):
    """Root mean squared error of the best linear read-out of values (n, k) from cells (n, k, H), NaN if not finite.

    Fitted to every other of the n sequences, measured on the rest. Cells are blurred by NOISE of their own spread:
    without that, differences of no use to a network would count.
    """
    if not np.isfinite(cells).all():
        return np.nan
    cells = cells + NOISE * cells.std(axis=(0, 1)) * rng.standard_normal(cells.shape)
    (fitted, wanted), (tested, truth) = (
        (np.column_stack([cells[half].reshape(-1, cells.shape[2]), np.ones(values[half].size)]), values[half].ravel())
        for half in (slice(0, None, 2), slice(1, None, 2)))  # fmt: skip
    return np.sqrt(np.square(tested @ np.linalg.lstsq(fitted, wanted, rcond=None)[0] - truth).mean())


def correlation(a, b):
    """Pearson's correlation of a and b (..., n) along the last axis, (...); 0 where one of them is constant."""
    a, b = (values - values.mean(axis=-1, keepdims=True, dtype=float) for values in (a, b))
    return (a * b).sum(axis=-1) / np.maximum(np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1)), 1e-30)


def measure_distances(net, blocks, options):
    """What networks of the msd task do with all held-out blocks: {name: (S,)}.

    timing_error: mean distance of the largest output from the target, in steps; early_answers, late_answers: shares of
    answers before and behind it; within_one: of answers at most one step off; answer_slope: by how many steps an answer
    comes later where the gap is one step longer (regression). gap_error: error of a linear read-out of the gap from c
    at the second spike, in steps (a constant has 8.9 of gaps from 30 to 60); left_error: of the steps left to the
    target, 1 to LAST, from c then (a constant: 2.9); best_cell_error: the same from the one cell that is best; timers:
    the share of cells with such an error of at most 1. None of these three where gaps are shorter than LAST. mirrors:
    the share of cells whose c at the second spike has a correlation of at most -0.9, over sequences, with c one step
    before it: what was high is put low. For the others see paths.
    """
    last = np.arange(1, LAST + 1)[:, None, None]
    seen = {name: [] for name in ("off", "gap", "before", "at_second", "left")}
    moves = []
    for x, y in blocks:
        output, c, (second, target) = forward(net, x), net.c[1:].copy(), spike_steps(x, y)
        behind = np.arange(len(x))[:, None, None] > second
        seen["off"].append(np.where(behind, output, -np.inf).argmax(axis=0) - target)
        seen["gap"].append(target - second)
        seen["before"].append(np.take_along_axis(c, second[None, :, None] - 1, axis=0)[0])
        seen["at_second"].append(np.take_along_axis(c, second[None, :, None], axis=0)[0])
        seen["left"].append(np.take_along_axis(c, np.maximum(target - last, 0)[:, :, None], axis=0))
        moves.append(paths(c, second, target))
    off, gap, before, at_second, left = (np.concatenate(parts, axis=-1) for parts in seen.values())
    H, n = at_second.shape[1:]
    left = left.transpose(1, 3, 0, 2)  # (S, n, LAST, H)
    steps_left = np.tile(last[:, 0, 0], (n, 1))

    def error(cells, values):
        return [read_out_error(of_seed, wanted, stream(seed, BLUR))
                for seed, of_seed, wanted in zip(options.seeds, cells, values)]  # fmt: skip

    measures = {
        "timing_error": np.abs(off).mean(axis=1),
        "early_answers": (off < 0).mean(axis=1),
        "late_answers": (off > 0).mean(axis=1),
        "within_one": (np.abs(off) <= 1).mean(axis=1),
        "answer_slope": 1 + correlation(off, gap) * off.std(axis=1) / np.maximum(gap.std(axis=1), 1e-30),
        "gap_error": np.array(error(at_second.transpose(0, 2, 1)[:, :, None], gap[:, :, None])),
        "mirrors": (correlation(before, at_second) <= -0.9).mean(axis=1),
    }
    if options.D_min >= LAST:
        same = [steps_left] * len(left)
        one_cell = np.array([error(left[..., k : k + 1], same) for k in range(H)])  # (H, S)
        measures |= {"left_error": np.array(error(left, same)), "best_cell_error": one_cell.min(axis=0),
                     "timers": (one_cell <= 1).mean(axis=0)}  # fmt: skip
    return measures | {name: np.mean([shares[name] for shares in moves], axis=0) for name in moves[0]}


def run_on(net, options):
    """What networks of the gts and pfg tasks do when they run on to RUN_ON times the length.

    Returns {name: (S,)}, and outputs and targets (10 T, n) of the first seed. gts, exact_until: the first step that is
    wrong (F, the first spike's, of a silent network), or the number of steps. pfg, rmse: over the training length;
    periods_held: whole periods before the first whose root mean squared error exceeds HELD, and exact_until: the steps
    of these. Of several periods that a network was trained for, the one that is given up first.
    """
    T, S = RUN_ON * options.T, len(options.seeds)
    x, y = make_batch(None, 0, options, T)
    output = forward(Network(net.cell, net.theta, T, y.shape[1], backward=False), x[:, None])
    y = y[:, None]
    arrays = {"run_on_output": output[:, 0], "run_on_target": y[:, 0]}
    if options.task == "gts":
        wrong = (output > 0.5) != (y > 0.5)
        return {"exact_until": np.where(wrong.any(axis=0), wrong.argmax(axis=0), T).min(axis=1)}, arrays
    held = []
    for k, period in enumerate(options.periods):
        given_up = period_errors(output[:, :, k], np.broadcast_to(y[..., k], (T, S)), period) > HELD
        held.append(np.where(given_up.any(axis=0), given_up.argmax(axis=0), len(given_up)))
    held, periods = np.array(held), np.array(options.periods)[:, None]
    until = held * periods
    held = held[until.argmin(axis=0), np.arange(S)]
    rmse = np.sqrt(np.square(output - y)[: options.T].mean(axis=0)).max(axis=1)
    return {"rmse": rmse, "periods_held": held, "exact_until": until.min(axis=0)}, arrays


def measure(net, blocks, options):
    """What the trained networks do: {name: (S,)}, see measure_distances and run_on, and arrays of the first seed.

    solve_rate_without_*: what is left of the solve rate when the peepholes of one kind of gate, or all, are cut.
    """
    measures, arrays = (measure_distances(net, blocks, options), {}) if options.task == "msd" else run_on(net, options)
    if net.cell.peephole:
        peep = net.p.peep.copy()
        for gate in *net.cell.gates, "all":
            net.p.peep[:, slice(None) if gate == "all" else net.cell.gates.index(gate)] = 0
            measures[f"solve_rate_without_{gate}"] = evaluate(net, blocks, options)[1]
            net.p.peep[...] = peep
    return measures, arrays


def snapshot(net, x):
    """What the first seed's network does with recorded sequences x (T, D, n): output, c, and in float16 h and gates."""
    output = forward(net, x[:, None])
    arrays = {"h": net.h} | {gate: net.row[gate] for gate in net.cell.gates}
    half = {name: array[:, 0].astype(np.float16) for name, array in arrays.items()}
    return {"output": output[:, 0].copy(), "c": net.c[1:, 0].copy()} | half


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, halved once in a while, or falling to zero along half a cosine."""
    if options.schedule == "halving":
        return options.lr * 0.5 ** (step // options.halve_every)
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, state, x, y, options, alive):
    """One training step on x (T, S, D, B), y (T, S, B); a seed of non-finite loss or gradient is no longer alive."""
    before = alive.copy()
    loss, dy = squared_error(forward(net, x), y)
    mse = loss.sum(axis=1) / loss.shape[1] * 2 / len(x)
    backward(net, dy / dy.shape[2])
    norm = clip_by_norm(net.grad, options.clip)
    alive &= np.isfinite(mse) & np.isfinite(norm)
    if not alive.all():
        net.grad[~alive] = 0
    state.loss_sum += mse
    adam(state, net.grad, learning_rate(options, state.step), BETA2, alive)
    for s in np.flatnonzero(before & ~alive):
        state.diverged_at[s] = state.step


def initial_state(cell, options):
    """All that the rest of a variant's run depends on, as it is before the first step."""
    biases = {"i": options.input_gate_bias, "f": options.forget_gate_bias}
    theta = init_theta(cell, options.seeds, np.dtype(options.dtype), biases, options.peephole_std)
    return SimpleNamespace(
        step=0,
        theta=theta,
        m=np.zeros_like(theta),
        v=np.zeros_like(theta),
        loss_sum=np.zeros(len(theta)),  # mean squared errors of the steps since the last evaluation
        diverged_at=[None] * len(theta),
        history={"step": [], "train_loss": [], "test_mse": [], "solve_rate": []},
        snapshots={"step": []},
        wall_clock_s=0.0,
    )


def train(variant, cell, options, state, save, interrupt):
    """Train a variant from state, which it keeps up to date, to the last step, with save(state) once in a while.

    Returns what results.json has of the variant and its arrays for snapshots.npz, or None where interrupted.
    """
    S, history, task = len(options.seeds), state.history, options.task
    B = options.batch if task == "msd" else len(options.periods)
    net = Network(cell, state.theta, options.T, B)
    eval_blocks = held_out(options)
    eval_net = Network(cell, state.theta, options.T, eval_blocks[0][1].shape[2], backward=False)
    x_recorded, y_recorded = recorded(options)
    record_net = Network(cell, state.theta[:1], options.T, y_recorded.shape[1], backward=False)
    alive = np.array([step is None for step in state.diverged_at])
    chunk, saved, started = None, time.perf_counter(), time.perf_counter() - state.wall_clock_s

    def due(every, last):
        return state.step not in last[-1:] and (state.step % every == 0 or state.step == options.steps)

    while True:
        if due(options.snapshot_every, state.snapshots["step"]):
            for name, value in ({"step": state.step} | snapshot(record_net, x_recorded)).items():
                state.snapshots.setdefault(name, []).append(value)
        if due(options.eval_every, history["step"]):
            mse, rate = (np.where(alive, values, np.nan) for values in evaluate(eval_net, eval_blocks, options))
            steps = state.step - (history["step"] or [0])[-1]
            history["step"].append(state.step)
            history["train_loss"].append(np.where(alive, state.loss_sum / (steps or np.nan), np.nan))
            history["test_mse"].append(mse)
            history["solve_rate"].append(rate)
            state.loss_sum[:] = 0
            state.wall_clock_s = time.perf_counter() - started
            print_progress(variant, history, "solve_rate", rate >= SOLVED, options.steps, S * B, state.wall_clock_s)
            if state.step < options.steps and time.perf_counter() - saved >= 1:
                save(state)
                saved = time.perf_counter()
        if state.step == options.steps:
            break
        if interrupt.seen:
            state.wall_clock_s = time.perf_counter() - started
            save(state)
            return None
        if chunk is None or task == "msd" and chunk != state.step // CHUNK:
            chunk = state.step // CHUNK
            x, y = draw_population(options, training_key(options, chunk), CHUNK * B)
        k = state.step % CHUNK if task == "msd" else 0
        batch = slice(k * B, (k + 1) * B)
        update(net, state, x[..., batch], y[..., batch], options, alive)
    measures, arrays = measure(eval_net, eval_blocks, options)
    trained, state_before = state.theta.copy(), initial_state(cell, options)
    state.theta[...] = state_before.theta
    untrained, _ = measure(eval_net, eval_blocks, options)
    state.theta[...] = trained
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": state.wall_clock_s,
        "sequences_per_s": S * B * options.steps / state.wall_clock_s,
        "sequences_seen": [B * (step or options.steps) for step in state.diverged_at],
        "diverged_at_step": state.diverged_at,
        "history": history,
        "final": {"test_mse": mse, "solve_rate": rate},
        "measures": {name: np.where(alive, values, np.nan) for name, values in measures.items()},
        "untrained": untrained,  # the same measures before the first step
        "sequences_to_99": first_reached(history, SOLVED, B),
    }
    weights = {f"weights/{name}": array[0] for name, array in vars(net.p).items()}
    return result, state.snapshots | {"x": x_recorded, "y": y_recorded} | arrays | weights


def first_reached(history, level, batch):
    """Sequences that each seed had seen at the first evaluation with a solve rate of level or more; None: at none."""
    reached = np.array(history["solve_rate"]) >= level
    first = batch * np.array(history["step"])[reached.argmax(axis=0)]
    return [n if ever else None for n, ever in zip(first, reached.any(axis=0))]


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


def parse_periods(text):
    """Periods as the command line has them: "10,15,20"; of at least 2 steps, and none twice."""
    periods = [positive(part) for part in text.split(",")]
    if min(periods) < 2 or len(set(periods)) < len(periods):
        raise argparse.ArgumentTypeError(f"'{text}': periods have 2 steps or more, and each is named once")
    return periods


def count(text):
    """A whole number of at least 0."""
    if text.strip().isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 0")


def words(options):
    """Options as one types them."""
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())


def build_parser():
    """The command line, as argparse has it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    seeds, recipes = "0-29|0,3,7", "; ".join(f"{name}: {words(recipe)}" for name, recipe in RECIPES.items())
    recipes += "".join(f"; default of {task}: {words(recipe)}" for task, recipe in TASK_RECIPES.items())
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0", metavar=seeds, help="networks, side by side")
    add("--recipe", choices=RECIPES, default="default", help=f"{recipes}; single options override")
    add("--task", choices=["msd", "gts", "pfg"], default="msd", help="measure spike distance, generate timed spikes, "
        "periodic function generation")  # fmt: skip
    add("--peep", action=switch, help="only cells with peepholes, or only without (default: both)")
    add("--forget-gate", action=switch, default=True, help="cells with a forget gate")
    add("--T", type=positive, default=150, help="steps of a sequence")
    add("--D-min", type=positive, default=30, help="least distance of two spikes, in steps (msd)")
    add("--D-max", type=positive, default=60, help="largest distance of two spikes, in steps (msd)")
    add("--periods", "--period", type=parse_periods, default="10", metavar="F|F,F", help="period to generate, in "
        "steps; several: one network for all, each with a start signal of its own (gts, pfg)")  # fmt: skip
    add("--wave", choices=["cos", "triangle", "rectangle"], default="cos", help="function to generate (pfg)")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="updates")
    add("--draw", type=count, default=0, help="which draw of training sequences; weights start the same (msd)")
    add("--batch", type=positive, default=32, help="sequences in a step (msd; else one for each period)")
    add("--hidden", type=positive, default=8, help="cells")
    add("--input-gate-bias", type=float, help="initial bias of the input gates")
    add("--forget-gate-bias", type=float, help="initial bias of the forget gates")
    add("--peephole-std", type=float, default=0.1, help="standard deviation of initial peepholes; 0 is allowed")
    add("--lr", type=positive_real, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "halving", "constant"], help="the rate over the run")
    add("--halve-every", type=positive, default=1500, help="steps between halvings of the rate (--schedule halving)")
    add("--clip", type=positive_real, help="largest norm of a gradient")
    add("--eval-every", "--eval_every", type=positive, default=100, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences (msd)")
    add("--snapshot-every", "--snapshot_every", type=positive, default=100, help="steps between snapshots")
    add("--dtype", choices=["float32", "float64"], default="float32", help="arithmetic of the training")
    add("--out", metavar="DIR", default=f"results/{EXPERIMENT}", help="where to write; gts, pfg: a folder in it")
    add("--resume", action="store_true", help="go on from DIR's checkpoint, if there is one")
    add("--quick", action="store_true", help="a run of seconds: " + words(QUICK))
    add("--gradcheck", action="store_true", help="check the gradients of all parameters of all variants, and stop")
    add("--record-hidden", "--record_hidden", action="store_true", help="no effect: snapshots are always taken")
    parser.set_defaults(**RECIPES["default"])
    return parser


def parse_options(argv):
    """The options of a command line, checked; exits with status 2 where they make no sense."""
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    recipe = RECIPES[first.recipe] | (TASK_RECIPES.get(first.task, {}) if first.recipe == "default" else {})
    out = {} if first.task == "msd" else {"out": f"results/{EXPERIMENT}/{first.task}"}
    parser.set_defaults(**recipe | out | (QUICK if first.quick else {}))
    options = parser.parse_args(argv)
    for name in "eval_every", "snapshot_every":
        interval = getattr(options, name)
        if interval > options.steps and interval != parser.get_default(name):
            steps = f"the {options.steps} steps of the run"
            parser.error(f"argument --{name.replace('_', '-')}: {interval} is more than {steps}")
    if not options.out:
        parser.error("argument --out: a folder is wanted")
    if options.task == "msd" and options.D_min > options.D_max:
        parser.error(f"argument --D-min: {options.D_min} is more than --D-max {options.D_max}")
    if options.task == "msd" and 2 * options.D_max >= options.T:
        least = f"the least is 2 * D_max + 1 = {2 * options.D_max + 1}"
        parser.error(f"argument --T: {options.T} steps are too few for two distances of {options.D_max}: {least}")
    if options.task != "msd" and max(options.periods) >= options.T:
        parser.error(f"argument --periods: {max(options.periods)} is not less than the {options.T} steps of --T")
    if not options.peephole_std >= 0 or options.peephole_std == math.inf:
        parser.error(f"argument --peephole-std: {options.peephole_std} is not a finite number of at least 0")
    for name in "input_gate_bias", "forget_gate_bias":
        if not math.isfinite(value := getattr(options, name)):
            parser.error(f"argument --{name.replace('_', '-')}: {value} is not a finite number")
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


def print_summary(runs, seeds, task="msd"):
    """The table that a run ends with."""
    reaches = {"msd": "off by (steps)", "gts": "exact to step", "pfg": "periods held"}[task]
    print(f"\n          parameters   solved   solve rate: median [range]      test MSE{reaches:>16}  seconds")
    for variant, run in runs.items():
        rate, mse = (np.array([value for value in run["final"][name] if value is not None], dtype=float)
                     for name in ("solve_rate", "test_mse"))  # fmt: skip
        name = {"msd": "timing_error", "gts": "exact_until", "pfg": "periods_held"}[task]
        reach = np.median([value for value in run["measures"][name] if value is not None] or [np.nan])
        spread = f"{np.median(rate):.3f} [{rate.min():.3f}, {rate.max():.3f}]" if rate.size else "-"
        error = f"{np.median(mse):.1e}" if mse.size else "-"
        reach = "-" if np.isnan(reach) else f"{reach:.3f}" if task == "msd" else f"{reach:,.0f}"
        solved = f"{(rate >= SOLVED).sum()}/{len(seeds)}"
        print(f"{variant:9}{run['trainable_parameters']:11}{solved:>9}{spread:>29}{error:>14}{reach:>16}"
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
    no_settings = "resume", "gradcheck", "record_hidden"
    config = {name: value for name, value in vars(options).items() if name not in no_settings}
    command = shlex.join(["python3", Path(__file__).name, *(word for word in argv if word != "--resume")])
    done = open_output(out, options.resume, config, parser) or {"runs": {}, "arrays": {}, "variant": None}
    runs, arrays = done["runs"], done["arrays"]
    inputs = 1 if options.task == "msd" else len(options.periods)
    with interruptible() as interrupt, np.errstate(all="ignore"):
        for variant, peephole in {"peephole": True, "vanilla": False}.items():
            if options.peep not in (None, peephole) or variant in runs:
                continue
            cell = Cell(options.hidden, inputs, peephole, options.forget_gate)
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
    flat = {f"{variant}/{name}": np.asarray(array) for variant in arrays for name, array in arrays[variant].items()}
    write_whole(out / "snapshots.npz", lambda file: np.savez_compressed(file, **flat))
    write_json(out / "results.json", results)
    (out / "checkpoint.npz").unlink(missing_ok=True)
    print_summary(results["runs"], options.seeds, options.task)
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
