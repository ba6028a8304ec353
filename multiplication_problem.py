#!/usr/bin/env python3
"""The multiplication problem: two numbers marked in a long sequence of numbers, and at its end their product.

Experiment 5 of S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997.

The problem. At each step the network sees a pair: a number from U[0, 1] and a marker, -1 at the first and at the last
step, 1 at two steps between, else 0. One of these is in [1, 9], the other in [10, max(10, ceil(T / 2) - 1)], so that
about half of the sequence is still to come (9 to 19 steps). After the last step the network gives the product of the
two marked numbers, x1 and x2 (with --task add half their sum, the paper's experiment 4). T is drawn from [20, 30] for
each batch; held-out sequences have T = 30.

The network. v_t = [h_{t-1}; x_t; 1] is the source of all units at step t, x_t the pair.

    LSTM    o_t = sigma(W_o v_t)    i_t = sigma(W_i v_t)    f_t = sigma(W_f v_t)    g_t = tanh(W_g v_t)
            c_t = f_t c_{t-1} + i_t g_t    h_t = o_t tanh(c_t)        with --no-forget-gate, of 1997: f_t = 1
            y = sigma(V h_T + b), loss = (y - target)^2, averaged over the batch

W holds the rows of o, i, [f], g in this order. Backpropagation through all steps, clipping of the gradient's norm at 1,
Adam. --recipe chooses rates and the biases that gates start with; see RECIPES.

How good is an error? A constant answer has a mean squared error of 7/144 = 0.049; the best that knows one number, x1/2,
1/36 = 0.028, which is below the 0.03 that counts as solved here, as in the write-up that this started from; the best
linear one in x1 and x2, 1/144 = 0.0069; the best function of their sum, 1/540 = 0.0019. Only what is below needs more.
(Half the sum: 1/24 = 0.042 and 1/48 = 0.021; below 1/144 counts as solved.)

Axes of arrays: S seeds (independent networks, trained side by side), T steps, B sequences of a batch, D = 2 inputs, H
cells, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and candidates, P parameters of a
network. Names: a, net inputs that become activations; ig, what is written to c. A d before a name makes it the gradient
of the loss; dz is that with respect to net inputs.

The headline, python3 multiplication_problem.py, one seed, ends like this:

          parameters   solved   test MSE: median [range]    sequences to 0.03  seconds
    lstm         361      1/1  8.3e-05 [8.3e-05, 8.3e-05]                9,600      5.5

Files in --out (default: results/multiplication_problem). results.json: settings, the history of every seed (see
path_and_sensitivity), final values and measures (see measure). snapshots.npz, for the first seed, N snapshots over
training of five recorded sequences, under lstm/:

    step (N,)   x (T, 2, 5) numbers and markers   y (5,) targets   answer (N, 5)
    h, c, and the gates o, i, [f], each (N, T, H, 5)
    test_numbers (2, eval_n) x1 and x2, test_target and test_answer (eval_n,) of all held-out sequences
    weights/W (R, K)   weights/V (1, H)   weights/b (1, 1), after the last step

How this differs from the paper: T in [20, 30] instead of 100 to 110 (--T-min, --T-max); the first marker never at the
first step (there the paper takes 1 for x1), the second at step 10 or later (there at any unmarked step of the first
half); backpropagation through time, batches, Adam and clipping instead of truncated gradients, single sequences and
plain gradient descent; forget gates, and eight cells with gates of their own (361 weights) instead of two blocks of two
(93); tanh for both squashing functions; training that ends after so many steps instead of by the paper's rule (its test
of an answer, off by less than 0.04, is a measure here). How it differs from the write-up is in the README.
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

EXPERIMENT = "multiplication_problem"
D = 2
FIRST, SECOND_FROM = (1, 9), 10  # steps at which the markers may stand; the second's last step depends on T
SHORTEST = SECOND_FROM + 2
TARGETS = {"multiply": lambda x: x[0] * x[1], "add": lambda x: (x[0] + x[1]) / 2}
RECIPES = {
    "default": {"steps": 4000, "lr": 0.02, "schedule": "cosine", "input_gate_bias": -6.0, "forget_gate_bias": 6.0},
    "writeup": {"steps": 8000, "lr": 0.005, "schedule": "constant", "input_gate_bias": 0.0, "forget_gate_bias": 1.0},
}
QUICK = {"steps": 300, "eval_n": 128, "out": f"results/quick/{EXPERIMENT}"}
LEVELS = {"0.03": 0.03, "1/144": 1 / 144, "0.001": 0.001}  # mean squared errors on held-out sequences
SOLVED = {"multiply": "0.03", "add": "1/144"}  # the first is the write-up's
TOLERANCE = 0.04  # the paper's: an answer further off is wrong
CLIP, BETA2 = 1.0, 0.999
INIT, TRAIN, EVAL, RECORD, LENGTHS = range(5)  # each seed's streams of random numbers
CHUNK = 16  # batches drawn at a time
BLOCK = 2**16  # values of one variable that backward works on at a time: what caches hold
WATCHED = ("answer_std", "slope_1", "slope_2", "survival", "slack", "path", "sensitivity_1", "sensitivity_2")
EVAL_BLOCK = 128  # held-out sequences that pass through the network side by side
RECORDED = 5

# ------------------------------------------------------------------------------------------------------ data


# shared block
def stream(seed, *key):
    """A generator of its own for each (seed, *key): what is drawn from one never shifts another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def second_until(T):
    """The last step at which the second marker may stand in T steps: ceil(T / 2) - 1, and SECOND_FROM or later.

    Raises ValueError below T = 12, the shortest sequence with room for it before the end.
    """
    if np.min(T) < SHORTEST:
        raise ValueError(f"{np.min(T)} steps are too few for a marker at step {SECOND_FROM} and an end after it: "
                         f"the least is {SHORTEST}")  # fmt: skip
    return np.maximum(SECOND_FROM, (np.asarray(T) + 1) // 2 - 1)


def make_batch(rng, lengths):
    """Draw n sequences of the multiplication problem (experiment 5).

    lengths: (n,) steps of each sequence. Returns pairs (max(lengths), 2, n) of float32, a number of U[0, 1) and its
    marker (-1 at both ends, 1 at two steps, else 0; behind the end of a sequence: noise, unmarked), and the two marked
    numbers (2, n) in their order.
    """
    lengths = np.asarray(lengths)
    n, column = len(lengths), np.arange(len(lengths))
    pairs = np.zeros((lengths.max(), 2, n), np.float32)
    pairs[:, 0] = rng.random((lengths.max(), n), np.float32)
    t1 = rng.integers(*FIRST, size=n, endpoint=True)
    t2 = rng.integers(SECOND_FROM, second_until(lengths), endpoint=True)
    pairs[0, 1], pairs[lengths - 1, 1, column] = -1, -1
    pairs[t1, 1, column] = pairs[t2, 1, column] = 1
    return pairs, pairs[[t1, t2], 0, column]


def training_lengths(options, chunk):
    """Steps of the CHUNK batches of a chunk, (CHUNK,), the same for all seeds."""
    return stream(0, LENGTHS, chunk).integers(options.T_min, options.T_max, size=CHUNK, endpoint=True)


def draw_population(seeds, key, lengths):
    """Sequences of the same lengths (n,) for every seed, from its stream key.

    Returns pairs (max(lengths), S, 2, n) and the marked numbers (2, S, n).
    """
    drawn = [make_batch(stream(seed, *key), lengths) for seed in seeds]
    return np.stack([pairs for pairs, _ in drawn], axis=1), np.stack([numbers for _, numbers in drawn], axis=1)


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """An LSTM of so many cells, each with its own gates."""

    hidden: int = 8
    forget_gate: bool = True

    @property
    def gates(self):
        return "oif" if self.forget_gate else "oi"

    @property
    def shapes(self):
        return {"W": ((len(self.gates) + 1) * self.hidden, self.hidden + D + 1), "V": (1, self.hidden), "b": (1, 1)}

    @property
    def P(self):
        return sum(math.prod(shape) for shape in self.shapes.values())


assert Cell().P == 4 * 8 * (8 + 2 + 1) + 8 + 1 == 361


# shared block
def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(cell, seeds, dtype, biases):
    """Initial parameters (S, P): uniform within 1 / sqrt(H), input weights within 1 / sqrt(D); biases 0 or as given.

    biases: {gate: value, "output": value}.
    """
    H = cell.hidden
    theta = np.stack([stream(seed, INIT).uniform(-1, 1, cell.P) for seed in seeds]).astype(dtype)
    p = views(theta, cell.shapes)
    p.W[:, :, :H] /= math.sqrt(H)
    p.W[:, :, H:-1] /= math.sqrt(D)
    p.W[:, :, -1] = 0
    p.V /= math.sqrt(H)
    p.b[...] = biases.get("output", 0)
    for k, gate in enumerate(cell.gates):
        p.W[:, k * H : (k + 1) * H, -1] = biases.get(gate, 0)
    return theta


class Network:
    """S networks on parameters theta (S, P), with every array that their passes write, cut into steps beforehand.

    T: steps of the longest sequence; B: sequences side by side; only with backward=True can gradients be had.

    Arrays are (T, S, rows, B) to look at; in memory, the rows of a step come before its seeds. So what a step does to
    some rows of all seeds, it does to one piece of memory, flat (T, rows S B), and only the products see S matrices.
    """

    def __init__(self, cell, theta, T, B, backward=True):
        S, H, G = len(theta), cell.hidden, len(cell.gates)
        R, K = (G + 1) * H, cell.hidden + D + 1

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

        self.cell, self.p = cell, views(theta, cell.shapes)
        # Halving the gate rows lets one tanh make all activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        self.W_scaled, self.W_hT = zeros(S, R, K), zeros(S, H, R)
        self.v = zeros_by_step(K, T + 1)  # sources [h_{t-1}; x_t; 1]
        self.v[:, :, -1] = 1
        self.x, self.h = self.v[:-1, :, H:-1], self.v[1:, :, :H]
        self.a = zeros_by_step(R)  # net inputs, which activations replace, and these dz
        row = self.row = {name: self.a[:, :, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        self.c, self.ig = zeros_by_step(H, T + 1), zeros(H * S * B)
        arrays = row | {"gates": self.a[:, :, : G * H], "c_before": self.c[:-1], "c": self.c[1:], "h": self.h}
        self.flat = {name: flat(array) for name, array in arrays.items()}
        i, f, o, g = (self.flat.get(name, self.flat["i"]) for name in "ifog")  # no forget gate: f is not looked at
        rows = flat(self.a), self.flat["gates"], i, f, o, g, self.flat["c_before"], self.flat["c"], self.flat["h"]
        self.forward_steps = list(zip(matrices(self.v[:-1]), matrices(self.a), *rows))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        n = self.n = max(1, min(T, BLOCK // (H * S * B)))
        self.dW, self.v_transposed = zeros(T, S, R, K), self.v.transpose(0, 1, 3, 2)
        # What each row of a acts on: the loss's derivative by h for o; by c for the others, in copies.
        self.acts_on = zeros_by_step(R, 1)
        self.dh, self.acts_on_flat = self.acts_on[:, :, :H], flat(self.acts_on)[0]
        self.dh_matrices, (self.dh_flat, self.dc, *_) = matrices(self.dh)[0], self.acts_on_flat.reshape(G + 1, -1)
        self.dc_copies = self.acts_on_flat.reshape(G + 1, -1)[2:]
        self.dc_from_h = zeros(H * S * B)
        self.part, self.dh_dc, self.f = (zeros(n, H * S * B) for _ in range(3))
        self.backward_steps = list(zip(flat(self.a), matrices(self.a), in_turn(self.dh_dc), in_turn(self.f)))


# shared block
def product(W):
    """f(v, out), which puts the products of W (S, n, k) and v into out; one seed's are matrices, without an axis S."""
    return W[0].dot if len(W) == 1 else partial(np.matmul, W)


# --------------------------------------------------------------------------------------------------- forward


def forward(net, pairs):
    """Run the networks over pairs (T, S, 2, B) from a zero state; returns their answers after the last step, (S, B)."""
    T, p = len(pairs), net.p
    net.x[:T] = pairs
    np.multiply(p.W, net.scale, out=net.W_scaled)
    W_times, half, ig, forget_gate = product(net.W_scaled), net.half, net.ig, net.cell.forget_gate
    add, multiply, tanh = np.add, np.multiply, np.tanh  # their last argument takes the result
    for v, z, a, gates, i, f, o, g, c_before, c, h in net.forward_steps[:T]:
        W_times(v, z)
        tanh(a, a)
        multiply(gates, half, gates)
        add(gates, half, gates)
        multiply(i, g, ig)
        if forget_gate:
            multiply(f, c_before, c)
            add(c, ig, c)
        else:
            add(c_before, ig, c)
        tanh(c, h)
        multiply(o, h, h)
    return answer(net, net.h[T - 1].copy())  # contiguous: so the order of a sum does not depend on S


def answer(net, h):
    """What the networks would answer, (..., S, B), were h (..., S, H, B) the output of the last step."""
    return net.half + net.half * np.tanh(net.half * (net.p.V @ h + net.p.b))[..., 0, :]


def squared_error(y, target):
    """Loss (S, B) of answers y = sigma(z), (S, B), under targets (S, B), and its derivative by z, (S, B)."""
    error = y - target
    return error * error, 2 * error * y * (1 - y)


# -------------------------------------------------------------------------------------------------- backward


def backward(net, T, dz_out):
    """Gradient of the loss of the T steps just run, from dz_out (S, B) by the answers' net inputs, into net.grad.

    The activations of these steps are gone afterwards: net.a then holds dz.
    """
    p, d, n, h_last = net.p, net.d, net.n, net.h[T - 1].copy()
    np.matmul(dz_out[:, None], h_last.transpose(0, 2, 1), out=d.V)
    dz_out[:, None].sum(axis=2, keepdims=True, out=d.b)
    np.matmul(p.V.transpose(0, 2, 1), dz_out[:, None], out=net.dh[0])
    np.copyto(net.W_hT, p.W[:, :, : net.cell.hidden].transpose(0, 2, 1))
    W_hT_times, dh_matrices, dh, dc, dc_copies = product(net.W_hT), net.dh_matrices, net.dh_flat, net.dc, net.dc_copies
    acts_on, dc_from_h, forget_gate = net.acts_on_flat, net.dc_from_h, net.cell.forget_gate
    add, copyto, multiply = np.add, np.copyto, np.multiply
    dc.fill(0)
    for first in range((T - 1) // n * n, -1, -n):
        block = slice(first, min(first + n, T))
        derivatives(net, block)
        for dz, dz_matrices, dh_dc, f in net.backward_steps[block][::-1]:
            multiply(dh_dc, dh, dc_from_h)
            add(dc, dc_from_h, dc)
            copyto(dc_copies, dc)
            multiply(dz, acts_on, dz)
            if forget_gate:
                multiply(dc, f, dc)
            W_hT_times(dz_matrices, dh_matrices)
        np.matmul(net.a[block], net.v_transposed[block], out=net.dW[block])
    net.dW[:T].sum(axis=0, out=d.W)


def derivatives(net, block):
    """What backpropagation can know of a block of steps before the recurrence: derivatives that do not depend on it.

    Those by net inputs, of h for o and of c for the other rows, in place of the activations; of h by c; of c by c_{t-1}.
    """
    i, o, g, gates, c, h = (net.flat[name][block] for name in ("i", "o", "g", "gates", "c", "h"))
    part, dh_dc = net.part[: len(c)], net.dh_dc[: len(c)]
    np.tanh(c, out=part)
    np.multiply(h, part, out=part)
    np.subtract(o, part, out=dh_dc)
    np.multiply(i, g, out=part)
    np.multiply(part, g, out=g)
    np.subtract(i, g, out=g)
    if net.cell.forget_gate:
        f = net.flat["f"][block]
        np.copyto(net.f[: len(f)], f)
    np.subtract(1, gates, out=gates)
    np.multiply(i, part, out=i)
    np.multiply(o, h, out=o)
    if net.cell.forget_gate:
        np.multiply(f, net.f[: len(f)], out=f)
        np.multiply(f, net.flat["c_before"][block], out=f)


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
    """Check every parameter of every variant of network, in float64; returns the exit status, 0 or 1."""
    T, B, ok = 13, 16, True
    pairs, numbers = make_batch(stream(2, TRAIN), np.full(B, T))
    for variant, cell in {"lstm": Cell(4), "lstm, no forget gate": Cell(4, forget_gate=False)}.items():
        for task, target in TARGETS.items():
            right = target(numbers.astype(float))[None]

            def loss(population):
                net = Network(cell, population, T, B, backward=False)
                return squared_error(forward(net, pairs[:, None]), right)[0].sum(axis=1)

            theta = 0.5 * stream(2, INIT).standard_normal((1, cell.P))
            net = Network(cell, theta, T, B)
            for wanted in 1 - right, right:  # the first leaves traces that the second pass must not heed
                _, dz_out = squared_error(forward(net, pairs[:, None]), wanted)
                backward(net, T, dz_out)
            numerical = numerical_gradient(loss, theta[0])
            ok &= compare_gradients(f"{variant}, {task}", net.grad[0], numerical, cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The held-out sequences of every seed, all of T_max steps, drawn once.

    Returns [pairs (T, S, 2, n), ...] in whole blocks of n = EVAL_BLOCK, eval_n or more in all, and all marked numbers
    (2, S, n). Another number of blocks is another draw.
    """
    blocks = math.ceil(options.eval_n / EVAL_BLOCK)
    pairs, numbers = draw_population(options.seeds, (EVAL,), [options.T_max] * (blocks * EVAL_BLOCK))
    return np.split(pairs, blocks, axis=3), numbers


def evaluate(net, blocks):
    """Answers (S, n) to all held-out sequences."""
    return np.concatenate([forward(net, pairs) for pairs in blocks], axis=1)


def path_and_sensitivity(net, pairs):
    """How the first marked number gets to the answer, and how far: five means over pairs (T, S, 2, n), (S,) each.

    survival: the product of f over the steps behind the first marker, in the cell where it is largest; slack: the slope
    1 - tanh(c)^2 at the last step, over all cells; path: the product of the two, in the cell where that is largest: by
    how much tanh(c) at the end moves with c at the marker. sensitivity_1 and _2: |dy/dx| for the two marked numbers.
    """
    T, H = len(pairs), net.cell.hidden
    y = forward(net, pairs)
    slack = 1 - np.square(np.tanh(net.c[T].copy()))  # (S, H, n)
    kept = np.ones_like(slack)
    marker = pairs[:, :, 1] == 1
    if net.cell.forget_gate:
        behind_first = np.zeros_like(marker)
        behind_first[1:] = marker[:-1].cumsum(axis=0) > 0
        kept = np.where(behind_first[:, :, None], net.row["f"][:T], 1).prod(axis=0)
    backward(net, T, y * (1 - y))
    first, second = marker.argmax(axis=0), T - 1 - marker[::-1].argmax(axis=0)
    dz = np.take_along_axis(net.a, np.stack([first, second])[:, :, None], axis=0)  # (2, S, R, n)
    by_x = np.abs(net.p.W[None, :, None, :, H] @ dz)[:, :, 0]  # (2, S, n)
    return (kept.mean(axis=2).max(axis=1), slack.mean(axis=(1, 2)), (kept * slack).mean(axis=2).max(axis=1),
            *by_x.mean(axis=2))  # fmt: skip


def r_squared(features, values):
    """R^2 of least squares from features (n, k) to values (n, m): fitted to the first half, measured on the other."""
    features = np.column_stack([features, np.ones(len(features))])
    half = len(features) // 2
    fit = np.linalg.lstsq(features[:half], values[:half], rcond=None)[0]
    rest = values[half:]
    return 1 - np.square(rest - features[half:] @ fit).sum(axis=0) / np.square(rest - rest.mean(axis=0)).sum(axis=0)


def one_cell(cells, values):
    """r_squared of each column of values (n, m) from that one of cells (n, H) that is best within the first half."""
    half = len(cells) // 2
    tried = [r_squared(cells[:half, k : k + 1], values[:half]) for k in range(cells.shape[1])]
    return [r_squared(cells[:, k : k + 1], column[:, None])[0] for k, column in zip(np.argmax(tried, axis=0), values.T)]


def gate_sums(net, pairs):
    """Sums of gates, averaged over cells, over pairs (T, S, 2, n), and how many are summed: {name: (2, S)}.

    At the two markers, at distractors (all other numbers but the first and the last), and at those of them that are
    between the first marker and the end.
    """
    T, marker, distractor = len(pairs), pairs[:, :, 1] == 1, pairs[:, :, 1] == 0
    places = {"at_markers": marker, "at_distractors": distractor, "between": distractor & (marker.cumsum(axis=0) > 0)}
    sums = {}
    for gate, name in ("f", "forget_gate"), ("i", "input_gate"), ("o", "output_gate"):
        if gate in net.cell.gates:
            value = net.row[gate][:T].mean(axis=2)
            for place, here in places.items():
                sums[f"{name}_{place}"] = np.stack([(value * here).sum(axis=(0, 2)), here.sum(axis=(0, 2))])
    return sums


def observe(net, blocks):
    """What the networks do over the held-out blocks of n sequences in all.

    Returns their answers (S, n); {place: what all cells hold there, (S, H, n)}; the steps behind the second marker that
    all sequences have before their last, (steps,), with c (steps, S, H, n) and what the answers would be had the
    sequence ended there, (steps, S, n); and {name: mean of a gate, (S,)}.
    """
    T = len(blocks[0])
    steps = np.arange(-1, T - 1 - second_until(T))
    answers, held, early, gates = [], [], [], []
    for pairs in blocks:
        answers.append(forward(net, pairs))
        second = T - 1 - (pairs[::-1, :, 1] == 1).argmax(axis=0)  # (S, n)
        at = (second + steps[:, None, None])[:, :, None]  # (steps, S, 1, n)
        early.append(answer(net, np.take_along_axis(net.h, at, axis=0)))
        i, g = (np.take_along_axis(net.row[name], second[None, :, None], axis=0) for name in "ig")
        states = np.take_along_axis(net.c, at + 1, axis=0)  # c[t + 1] is c of step t
        ends = net.c[T - 1][None], net.c[T][None], net.h[T - 1][None]
        held.append(np.concatenate([states, i * g, *ends]))
        gates.append(gate_sums(net, pairs))
    answers, held, early = (np.concatenate(parts, axis=-1) for parts in (answers, held, early))
    states, written, end_of_lag, last, output = held[: len(steps)], *held[len(steps) :]
    places = {"before_second": states[0], "kept": states[1] - written, "written": written, "at_second": states[1],
              "end_of_lag": end_of_lag, "last": last, "output": output}  # fmt: skip
    totals = {name: sum(sums[name] for sums in gates) for name in gates[0]}
    return answers, places, (steps, states, early), {name: total / count for name, (total, count) in totals.items()}


def measure(net, blocks, numbers, task):
    """What a network does, over all whole blocks of held-out sequences with marked numbers (2, S, n): {name: (S,)}.

    wrong: the share of answers off by more than TOLERANCE; mean_absolute_error; *_gate_*: see gate_sums.
    r2_WHAT_WHERE: R^2, on sequences it was not fitted to, of the best linear read-out of WHAT from all cells: x1, x2;
    their product; interaction, (x1 - 1/2)(x2 - 1/2), the part of the product that no sum of functions of x1 and x2 has.
    WHERE: c before the second marker; what the cells keep (f c) and what is written to them (i g) at it, the two parts
    of c at it; c at the end of the lag (one step before the last); c and output h at the last step.
    one_cell_WHAT_WHERE: from the one cell that is best for it. The second dict returned has r2_WHAT from c by steps
    behind the second marker, (steps, S) each, and r2_answer: the network's own read-out, its answer had the sequence
    ended there, against the target.
    """
    answers, places, (steps, states, early), gates = observe(net, blocks)
    x1, x2 = numbers.astype(float)
    truth = TARGETS[task]((x1, x2))
    off = np.abs(answers - truth)
    measures = {"wrong": (off > TOLERANCE).mean(axis=1), "mean_absolute_error": off.mean(axis=1)} | gates
    wanted = {"x1": x1, "x2": x2, "product": x1 * x2, "interaction": (x1 - 0.5) * (x2 - 0.5)}
    values = np.stack(list(wanted.values()), axis=2)  # (S, n, 4)

    def read_out(read, cells):  # (S, H, n) -> (S, 4)
        return np.array([read(c.T.astype(float), value) if np.isfinite(c).all() else np.full(len(wanted), np.nan)
                         for c, value in zip(cells, values)])  # fmt: skip

    for where, cells in places.items():
        for kind, read in ("r2", r_squared), ("one_cell", one_cell):
            measures |= {f"{kind}_{what}_{where}": found for what, found in zip(wanted, read_out(read, cells).T)}
    curves = np.stack([read_out(r_squared, cells) for cells in states])  # (steps, S, 4)
    behind_second = {f"r2_{what}": curves[:, :, k] for k, what in enumerate(wanted)}
    own = 1 - np.square(early - truth).mean(axis=2) / truth.var(axis=1)
    return measures, {"step": steps, "r2_answer": own} | behind_second


def snapshot(net, pairs):
    """Copies of what the first seed's network does with recorded pairs (T, 2, n): h, c and the gates, and answers y."""
    answers = forward(net, pairs[:, None])
    arrays = {"h": net.h, "c": net.c[1:]} | {gate: net.row[gate] for gate in net.cell.gates}
    return {name: array[:, 0].copy() for name, array in arrays.items()} | {"answer": answers[0]}


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, or falling to zero along half a cosine over the run."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, state, pairs, targets, options, running):
    """One training step on pairs (T, S, 2, B), targets (S, B); a seed of non-finite loss or gradient stops running."""
    before = running.copy()
    loss, dz_out = squared_error(forward(net, pairs), targets)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, len(pairs), dz_out / options.batch)
    norm = clip_by_norm(net.grad, CLIP)
    running &= np.isfinite(loss) & np.isfinite(norm)
    if not running.all():
        net.grad[~running] = 0
    state.loss_sum += loss
    adam(state, net.grad, learning_rate(options, state.step), BETA2, running)
    for s in np.flatnonzero(before & ~running):
        state.diverged_at[s] = state.step


def initial_state(cell, options):
    """All that the rest of a run depends on, as it is before the first step."""
    biases = {"i": options.input_gate_bias, "f": options.forget_gate_bias, "output": options.output_bias}
    theta, S = init_theta(cell, options.seeds, np.dtype(options.dtype), biases), len(options.seeds)
    return SimpleNamespace(
        step=0,
        theta=theta,
        m=np.zeros_like(theta),
        v=np.zeros_like(theta),
        loss_sum=np.zeros(S),  # over the steps since the last evaluation
        diverged_at=[None] * S,
        stopped_at=[None] * S,
        history={name: [] for name in ("step", "train_loss", "test_mse", *WATCHED)},
        snapshots={"step": []},
        wall_clock_s=0.0,
    )


def slope(answers, x):
    """By how much answers (S, n) grow with x (S, n), on the average: the coefficient of linear regression, (S,)."""
    x = x - x.mean(axis=1, keepdims=True)
    return (x * answers).sum(axis=1) / (x * x).sum(axis=1)


def train(variant, cell, options, state, save, interrupt):
    """Train from state, which it keeps up to date, to the last step, with save(state) once in a while.

    Returns what results.json has of the variant and its arrays for snapshots.npz, or None where interrupted.
    """
    S, B, history, T = len(options.seeds), options.batch, state.history, options.T_max
    net, eval_net = (Network(cell, state.theta, T, n) for n in (B, EVAL_BLOCK))
    record_net = Network(cell, state.theta[:1], T, RECORDED, backward=False)
    blocks, numbers = held_out(options)
    truth = TARGETS[options.task](numbers)
    pairs_recorded, numbers_recorded = make_batch(stream(options.seeds[0], RECORD), [T] * RECORDED)
    running = np.array([a is None and b is None for a, b in zip(state.diverged_at, state.stopped_at)])
    chunk, saved, started = None, time.perf_counter(), time.perf_counter() - state.wall_clock_s

    def ended():
        return state.step == options.steps or not running.any()

    def due(every, last):
        return state.step not in last[-1:] and (state.step % every == 0 or ended())

    while True:
        if due(options.eval_every, history["step"]):
            answers = evaluate(eval_net, blocks)[:, : options.eval_n]
            alive = np.array([step is None for step in state.diverged_at])
            mse = np.where(alive, np.square(answers - truth[:, : options.eval_n]).mean(axis=1), np.nan)
            steps = state.step - (history["step"] or [0])[-1]
            history["step"].append(state.step)
            history["train_loss"].append(np.where(running, state.loss_sum / (steps or np.nan), np.nan))
            history["test_mse"].append(mse)
            slopes = (slope(answers, x[:, : options.eval_n]) for x in numbers)
            watched = answers.std(axis=1), *slopes, *path_and_sensitivity(eval_net, blocks[0])
            for name, values in zip(WATCHED, watched):
                history[name].append(np.where(alive, values, np.nan))
            state.loss_sum[:] = 0
            for s in np.flatnonzero(running & (mse < (options.stop_at or 0))):
                state.stopped_at[s], running[s] = state.step, False
            state.wall_clock_s = time.perf_counter() - started
            solved = mse < LEVELS[SOLVED[options.task]]
            print_progress(variant, history, "test_mse", solved, options.steps, S * B, state.wall_clock_s)
            if not ended() and time.perf_counter() - saved >= 1:
                save(state)
                saved = time.perf_counter()
        early = 5 * state.step < options.steps  # most is learned then
        if due(max(1, options.snapshot_every // (5 if early else 1)), state.snapshots["step"]):
            for name, value in ({"step": state.step} | snapshot(record_net, pairs_recorded)).items():
                state.snapshots.setdefault(name, []).append(value)
        if ended():
            break
        if interrupt.seen:
            state.wall_clock_s = time.perf_counter() - started
            save(state)
            return None
        if chunk != state.step // CHUNK:
            chunk = state.step // CHUNK
            T_of = training_lengths(options, chunk)
            pairs, marked = draw_population(options.seeds, (TRAIN, chunk), np.repeat(T_of, B))
            targets = TARGETS[options.task](marked)
        k = state.step % CHUNK
        batch = slice(k * B, (k + 1) * B)
        update(net, state, pairs[: T_of[k], :, :, batch], targets[:, batch], options, running)
    answers = evaluate(eval_net, blocks)
    measures, behind_second = measure(eval_net, blocks, numbers, options.task)
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": state.wall_clock_s,
        "sequences_per_s": S * B * state.step / state.wall_clock_s,
        "sequences_seen": [B * min(step for step in (a, b, state.step) if step is not None)
                           for a, b in zip(state.diverged_at, state.stopped_at)],
        "diverged_at_step": state.diverged_at,
        "stopped_at_step": state.stopped_at,
        "history": history,
        "final": {"test_mse": mse},
        "measures": {name: np.where(alive, values, np.nan) for name, values in measures.items()},
        "behind_second": {name: values if name == "step" else np.where(alive, values, np.nan)
                          for name, values in behind_second.items()},
        "sequences_to": {name: first_below(history, level, B) for name, level in LEVELS.items()},
    }
    test = {"test_numbers": numbers[:, 0], "test_target": truth[0], "test_answer": answers[0]}
    test = {name: array[..., : options.eval_n] for name, array in test.items()}
    weights = {f"weights/{name}": array[0] for name, array in vars(net.p).items()}
    recorded = {"x": pairs_recorded, "y": TARGETS[options.task](numbers_recorded)}
    return result, state.snapshots | recorded | test | weights


def first_below(history, level, batch):
    """Sequences that each seed had seen at the first evaluation with a test_mse below level; None: at none."""
    below = np.array(history["test_mse"]) < level
    first = batch * np.array(history["step"])[below.argmax(axis=0)]
    return [n if ever else None for n, ever in zip(first, below.any(axis=0))]


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


def words(options):
    """Options as one types them."""
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())


def build_parser():
    """The command line, as argparse has it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = parser.add_argument
    seeds, recipes = "0-29|0,3,7", "; ".join(f"{name}: {words(recipe)}" for name, recipe in RECIPES.items())
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0", metavar=seeds, help="networks, side by side")
    add("--recipe", choices=RECIPES, default="default", help=f"{recipes}; single options override")
    add("--task", choices=TARGETS, default="multiply", help="what to answer: the product, or half the sum")
    add("--T-min", type=positive, default=20, help="least steps of a training sequence")
    add("--T-max", type=positive, default=30, help="most steps of a training sequence, and those of a held-out one")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="updates")
    add("--stop-at", type=positive_real, metavar="MSE", help="freeze a seed at the first evaluation below it")
    add("--batch", type=positive, default=32, help="sequences in a step")
    add("--hidden", type=positive, default=8, help="cells")
    add("--forget-gate", action=argparse.BooleanOptionalAction, default=True, help="cells with a forget gate")
    add("--input-gate-bias", type=float, help="initial bias of the input gates")
    add("--forget-gate-bias", type=float, help="initial bias of the forget gates")
    add("--output-bias", type=float, default=0.0, help="initial bias of the output unit")
    add("--lr", type=positive_real, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "constant"], help="the rate over the run: falling to zero, or constant")
    add("--eval-every", "--eval_every", type=positive, default=100, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, default=100, help="steps between snapshots; "
        "a fifth of it in the first fifth of the run")  # fmt: skip
    add("--dtype", choices=["float32", "float64"], default="float32", help="arithmetic of the training")
    add("--out", metavar="DIR", default=f"results/{EXPERIMENT}", help="where to write")
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
    parser.set_defaults(**RECIPES[first.recipe] | (QUICK if first.quick else {}))
    options = parser.parse_args(argv)
    for name in "eval_every", "snapshot_every":
        interval = getattr(options, name)
        if interval > options.steps and interval != parser.get_default(name):
            steps = f"the {options.steps} steps of the run"
            parser.error(f"argument --{name.replace('_', '-')}: {interval} is more than {steps}")
    if not options.out:
        parser.error("argument --out: a folder is wanted")
    try:
        second_until(options.T_min)
    except ValueError as error:
        parser.error(f"argument --T-min: {error}")
    if options.T_min > options.T_max:
        parser.error(f"argument --T-min: {options.T_min} is more than --T-max {options.T_max}")
    for name in "input_gate_bias", "forget_gate_bias", "output_bias":
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


def print_summary(runs, seeds, task="multiply"):
    """The table that a run ends with."""
    print(f"\n      parameters   solved   test MSE: median [range]{'sequences to ' + SOLVED[task]:>21}  seconds")
    for variant, run in runs.items():
        mse = np.array([value for value in run["final"]["test_mse"] if value is not None])
        median = np.median([math.inf if n is None else n for n in run["sequences_to"][SOLVED[task]]])
        spread = f"{np.median(mse):.1e} [{mse.min():.1e}, {mse.max():.1e}]" if mse.size else "-"
        n = f"{median:,.0f}" if median < math.inf else "-"
        solved = f"{(mse < LEVELS[SOLVED[task]]).sum()}/{len(seeds)}"
        print(f"{variant:5}{run['trainable_parameters']:11}{solved:>9}{spread:>28}{n:>21}{run['wall_clock_s']:9.1f}")
        for seed, step in zip(seeds, run["diverged_at_step"]):
            if step is not None:
                print(f"{variant} of seed {seed} was frozen at step {step}, where its loss or gradient was not finite")


def main(argv=None):
    """Run the command line argv; returns the exit status: 0, 1 for a failed gradient check, 130 if interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    options, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    out, variant = Path(options.out), "lstm"
    no_settings = "resume", "gradcheck", "record_hidden"
    config = {name: value for name, value in vars(options).items() if name not in no_settings}
    command = shlex.join(["python3", Path(__file__).name, *(word for word in argv if word != "--resume")])
    done = open_output(out, options.resume, config, parser)
    cell = Cell(options.hidden, options.forget_gate)

    def save(state):
        save_checkpoint(out / "checkpoint.npz", {"config": config, "state": vars(state)})

    with interruptible() as interrupt, np.errstate(all="ignore"):
        state = SimpleNamespace(**done["state"]) if done else initial_state(cell, options)
        trained = train(variant, cell, options, state, save, interrupt)
    if trained is None:
        print(f"stopped after step {state.step}; to go on: {command} --resume")
        return 130
    run, arrays = trained
    results = {"schema": 1, "experiment": EXPERIMENT, "command": command, "config": config,
               "environment": environment(), "seeds": options.seeds, "runs": {variant: plain(run)}}  # fmt: skip
    flat = {f"{variant}/{name}": np.asarray(array) for name, array in arrays.items()}
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
