#!/usr/bin/env python3
"""Temporal order, 3 bit: in which of four orders did X and Y come, with noise around and between them?

Experiment 6a of S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997.

The problem. A sequence of T = 50 symbols begins with B and ends with E. At one step in [3, 12] and one in [25, 40]
stands X or Y, at even odds; everywhere else a, b, c or d. After the last step the network names the class: XX, XY, YX
or YY. So it has to keep the first symbol through 13 to 37 steps of noise, and then both to the end.

The networks. v_t = [h_{t-1}; x_t; 1] is the source of all units at step t, x_t a one-hot symbol.

    LSTM of 1997    i_t = sigma(W_i v_t)    o_t = sigma(W_o v_t)    g_t = tanh(W_g v_t)
                    c_t = c_{t-1} + i_t g_t                         with --forget-gate:
                    h_t = o_t tanh(c_t)                             c_t = f_t c_{t-1} + i_t g_t, f_t = sigma(W_f v_t)
    RNN             h_t = tanh(W v_t)
    both            p = softmax(V h_T + b), loss = -log p[class], averaged over the batch

W holds the rows of i, [f], o, g in this order, one for each cell; with --blocks n the H / n cells of a block share one
row of each gate. Backpropagation through all steps, clipping of the gradient's norm at 1, Adam.

Axes of arrays: S seeds (independent networks, trained side by side), T steps, B sequences of a batch, D = 8 inputs,
H cells, O = 4 classes, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and candidates, P
parameters of a network. Names: a, net inputs that become activations; ig, what is written to c; tie, which row of W
each of the R rows has. A d before a name makes it the gradient of the loss; dz is that with respect to net inputs.

The headline, python3 temporal_order_3bit.py, one seed of each network, ends like this:

          parameters   solved  accuracy: median [range]  sequences to 95 %  seconds
    lstm         176      1/1      1.000 [1.000, 1.000]              4,800      2.8
    rnn           72      0/1      0.250 [0.250, 0.250]                  -      1.3

Files in --out (default: results/temporal_order_3bit). results.json: settings and, for each network, the history of
every seed, final values and measures (see measure). snapshots.npz, for the first seed, N snapshots over training of
four recorded sequences, one of each class, under lstm/ and rnn/:

    step (N,)   x (T, 4) indices into "abcdXYBE"   y (4,) classes     p (N, O, 4) softmax at the last step
    h (N, T, H, 4)   lstm only: c, and the gates i, [f], o, each (N, T, H, 4)
    weights/W (rows, K)   weights/V (O, H)   weights/b (O, 1), after the last step

How this differs from the paper: T = 50 instead of 100 to 110 (--paper-lengths has the paper's, one length for a batch
and for each 128 held-out sequences); backpropagation through time, batches, Adam and clipping instead of truncated
gradients, single sequences and plain gradient descent; softmax and cross-entropy instead of four logistic outputs and
squared error, and right is the most probable class instead of every output within 0.3; cells do not share gates, and
gates see no gates (176 weights; 156 in the paper); tanh for both squashing functions; weights from N(0, 0.1^2) instead
of [-0.1, 0.1], the input gates' biases alike instead of -2 and -4; B starts and E ends a sequence, not the other way
round. How it differs from the write-up that it started from is in the README.
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

EXPERIMENT = "temporal_order_3bit"
SYMBOLS = "abcdXYBE"
X, START, END = (SYMBOLS.index(symbol) for symbol in "XBE")
CLASSES = ("XX", "XY", "YX", "YY")
D, O = len(SYMBOLS), len(CLASSES)
ALPHABET = np.arange(D, dtype=np.uint8)
PAPER_LENGTHS, PAPER_RANGES = (100, 110), ((10, 20), (50, 60))
RECIPES = {
    "default": {"lr": 0.025, "schedule": "cosine", "input_gate_bias": -4.0, "beta2": 0.95},
    "writeup": {"lr": 0.02, "schedule": "constant", "input_gate_bias": -1.0, "beta2": 0.999},
}
QUICK = {"steps": 150, "eval_n": 128, "out": f"results/quick/{EXPERIMENT}"}
CLIP = 1.0
INIT, TRAIN, EVAL, RECORD, LENGTHS = range(5)  # each seed's streams of random numbers
CHUNK = 32  # batches drawn at a time
BLOCK = 2**16  # values of one variable that backward works on at a time: what caches hold
EVAL_BLOCK = 128  # held-out sequences that pass through the network side by side

# ------------------------------------------------------------------------------------------------------ data


# shared block
def stream(seed, *key):
    """A generator of its own for each (seed, *key): what is drawn from one never shifts another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def marker_ranges(T):
    """First and last step (both inclusive) at which each of the two markers may stand in T steps.

    The write-up's [3, 12] and [25, 40] of T = 50 scale with T, rounded down, clear of the two end symbols:
    [6 %, 24 %] and [50 %, 80 %]. Raises ValueError below T = 5, the shortest sequence with room for both.
    """
    if T < 5:
        raise ValueError(f"{T} steps are too few for two markers between two end symbols: the least is 5")
    return (max(1, 3 * T // 50), 12 * T // 50), (T // 2, min(4 * T // 5, T - 2))


def make_batch(rng, lengths, ranges, labels=None):
    """Draw n sequences of the temporal order problem (experiment 6a).

    lengths: (n,) steps of each sequence; ranges: ((first, last), (first, last)) steps of the markers;
    labels: (n,) classes to draw, random if None.
    Returns symbols (max(lengths), n), indices into SYMBOLS (behind the end of a sequence: noise), and labels (n,).
    """
    lengths = np.asarray(lengths)
    n, column = len(lengths), np.arange(len(lengths))
    labels = rng.integers(O, size=n) if labels is None else np.asarray(labels)
    t1, t2 = (rng.integers(first, last, size=n, endpoint=True) for first, last in ranges)
    symbols = rng.integers(X, size=(lengths.max(), n), dtype=np.uint8)
    symbols[0] = START
    symbols[t1, column] = X + labels // 2
    symbols[t2, column] = X + labels % 2
    symbols[lengths - 1, column] = END
    return symbols, labels


def draw_population(options, key, block, n):
    """n sequences for every seed, from its stream key, in blocks of one length each (the same for all seeds).

    Returns symbols (T, S, n), labels (S, n) and the lengths of the blocks.
    """
    if options.paper_lengths:
        ranges = PAPER_RANGES
        T = stream(0, LENGTHS, *key).integers(*PAPER_LENGTHS, size=math.ceil(n / block), endpoint=True)
    else:
        ranges, T = marker_ranges(options.T), np.full(math.ceil(n / block), options.T)
    lengths = np.repeat(T, block)[:n]
    drawn = [make_batch(stream(seed, *key), lengths, ranges) for seed in options.seeds]
    return np.stack([symbols for symbols, _ in drawn], axis=1), np.stack([labels for _, labels in drawn]), T


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """A kind of network: "rnn", or "lstm", whose cells share the gates of their memory block."""

    kind: str
    hidden: int = 4
    blocks: int = 4
    forget_gate: bool = False

    @property
    def gates(self):
        return "" if self.kind == "rnn" else "ifo" if self.forget_gate else "io"

    @property
    def shapes(self):
        rows = len(self.gates) * self.blocks + self.hidden
        return {"W": (rows, self.hidden + D + 1), "V": (O, self.hidden), "b": (O, 1)}

    @property
    def P(self):
        return sum(math.prod(shape) for shape in self.shapes.values())


assert Cell("lstm").P == 176 and Cell("rnn").P == 72  # the write-up has 184 and 68


# shared block
def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(cell, seeds, dtype, input_gate_bias):
    """Initial parameters (S, P): N(0, 0.1^2); biases 0, but input_gate_bias and 1 for the forget gates."""
    theta = np.stack([0.1 * stream(seed, INIT).standard_normal(cell.P) for seed in seeds]).astype(dtype)
    p = views(theta, cell.shapes)
    p.W[:, :, -1] = 0
    p.b[...] = 0
    for k, gate in enumerate(cell.gates):
        p.W[:, k * cell.blocks : (k + 1) * cell.blocks, -1] = {"i": input_gate_bias, "f": 1, "o": 0}[gate]
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
        # The cells of a block have equal gate rows: W_full = tie W. Halving the gate rows lets one tanh make all
        # activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        block = np.arange(H) * cell.blocks // H
        parameter_row = np.concatenate([k * cell.blocks + block for k in range(G)] + [G * cell.blocks + np.arange(H)])
        self.tie = (parameter_row[:, None] == np.arange(cell.shapes["W"][0])).astype(theta.dtype)
        self.scale = np.repeat([0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        self.W_full, self.W_scaled, self.W_hT = zeros(S, R, K), zeros(S, R, K), zeros(S, H, R)

        self.v = zeros_by_step(K, T + 1)  # sources [h_{t-1}; x_t; 1]
        self.v[:, :, -1] = 1
        self.x, self.h = self.v[:-1, :, H:-1], self.v[1:, :, :H]
        self.symbols, self.one_hot = np.zeros((T, S, B), np.uint8), np.zeros((D, T, S, B), bool)
        self.a = zeros_by_step(R)  # net inputs, which activations replace, and these dz
        self.gates = self.a[:, :, : G * H]
        row = self.row = {name: self.a[:, :, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        products = matrices(self.v[:-1]), matrices(self.a)
        if cell.kind == "rnn":
            self.forward_steps = list(zip(*products, flat(self.a), flat(self.h)))
        else:
            self.c, self.ig = zeros_by_step(H, T + 1), zeros(H * S * B)
            arrays = row | {"gates": self.gates, "c_before": self.c[:-1], "c": self.c[1:], "h": self.h}
            self.flat = {name: flat(array) for name, array in arrays.items()}
            i, f, o, g = (self.flat.get(name, self.flat["i"]) for name in "ifog")  # no forget gate: f is not looked at
            rows = flat(self.a), self.flat["gates"], i, f, o, g, self.flat["c_before"], self.flat["c"], self.flat["h"]
            self.forward_steps = list(zip(*products, *rows))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.dW_full, self.v_transposed = zeros(T, S, R, K), self.v.transpose(0, 1, 3, 2)
        n = self.n = max(1, min(T, BLOCK // (H * S * B)))
        # What each row of a acts on: the loss's derivative by h for o, and for an RNN; by c for the others, in copies.
        self.acts_on = zeros_by_step(R, 1)
        acts_on = {name: self.acts_on[:, :, k * H : (k + 1) * H] for k, name in enumerate(row)}
        self.dh = acts_on.pop("o" if cell.gates else "g")
        self.dh_matrices, self.dh_flat, self.acts_on_flat = matrices(self.dh)[0], flat(self.dh)[0], flat(self.acts_on)[0]
        steps = [flat(self.a), matrices(self.a)]
        if cell.gates:
            self.dc, *self.dc_copies = (flat(array)[0] for array in acts_on.values())
            self.part, self.dh_dc, self.f = (zeros(n, H * S * B) for _ in range(3))
            self.dc_from_h = zeros(H * S * B)
            steps += [in_turn(self.dh_dc), in_turn(self.f)]
        self.backward_steps = list(zip(*steps))


# shared block
def product(W):
    """f(v, out), which puts the products of W (S, n, k) and v into out; one seed's are matrices, without an axis S."""
    return W[0].dot if len(W) == 1 else partial(np.matmul, W)


# --------------------------------------------------------------------------------------------------- forward


def forward(net, symbols):
    """Run the networks over symbols (T, S, B) from a zero state; returns the logits after the last step, (S, O, B)."""
    T, p = len(symbols), net.p
    np.copyto(net.symbols[:T], symbols)
    np.equal(net.symbols, ALPHABET[:, None, None, None], out=net.one_hot)
    np.copyto(net.x[:T], net.one_hot.transpose(1, 2, 0, 3)[:T])
    np.matmul(net.tie, p.W, out=net.W_full)
    np.multiply(net.W_full, net.scale, out=net.W_scaled)
    W_times, half = product(net.W_scaled), net.half
    add, multiply, tanh = np.add, np.multiply, np.tanh  # their last argument takes the result
    if net.cell.kind == "rnn":
        for v, z, a, h in net.forward_steps[:T]:
            W_times(v, z)
            tanh(a, h)
    else:
        ig, forget_gate = net.ig, net.cell.forget_gate
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
    return p.V @ net.h[T - 1].copy() + p.b  # contiguous: so the order of a sum does not depend on S


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


def backward(net, T, d_logits):
    """Gradient of the loss of the T steps just run, from d_logits (S, O, B), into net.grad (S, P).

    The activations of these steps are gone afterwards: net.a then holds dz.
    """
    p, d, a, dh, h_last, n = net.p, net.d, net.a, net.dh_flat, net.h[T - 1].copy(), net.n
    np.matmul(d_logits, h_last.transpose(0, 2, 1), out=d.V)
    d_logits.sum(axis=2, keepdims=True, out=d.b)
    np.matmul(p.V.transpose(0, 2, 1), d_logits, out=net.dh[0])
    np.copyto(net.W_hT, net.W_full[:, :, : net.cell.hidden].transpose(0, 2, 1))
    W_hT_times, dh_matrices = product(net.W_hT), net.dh_matrices
    add, copyto, multiply, forget_gate = np.add, np.copyto, np.multiply, net.cell.forget_gate
    if net.cell.gates:
        acts_on, dc, dc_copies, dc_from_h = net.acts_on_flat, net.dc, net.dc_copies, net.dc_from_h
        dc.fill(0)
    for first in range((T - 1) // n * n, -1, -n):
        block = slice(first, min(first + n, T))
        derivatives(net, block)
        steps = net.backward_steps[block][::-1]
        if net.cell.kind == "rnn":
            for dz, dz_matrices in steps:
                multiply(dz, dh, dz)
                W_hT_times(dz_matrices, dh_matrices)
        else:
            for dz, dz_matrices, dh_dc, f in steps:
                multiply(dh_dc, dh, dc_from_h)
                add(dc, dc_from_h, dc)
                for copy in dc_copies:
                    copyto(copy, dc)
                multiply(dz, acts_on, dz)
                if forget_gate:
                    multiply(dc, f, dc)
                W_hT_times(dz_matrices, dh_matrices)
        np.matmul(a[block], net.v_transposed[block], out=net.dW_full[block])
    np.matmul(net.tie.T, net.dW_full[:T].sum(axis=0), out=d.W)


def derivatives(net, block):
    """What backpropagation can know of a block of steps before the recurrence: derivatives that do not depend on it.

    Those by net inputs, of h for o and the rows of an RNN and of c for the other rows, in place of the activations; of
    h by c.
    """
    if net.cell.kind == "rnn":
        h, a = net.h[block], net.a[block]
        np.multiply(h, h, out=a)
        np.subtract(1, a, out=a)
        return
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
    variants = {
        "rnn": Cell("rnn"),
        "lstm": Cell("lstm"),
        "lstm, forget gate": Cell("lstm", forget_gate=True),
        "lstm, 2 blocks": Cell("lstm", blocks=2),
        "lstm, 2 blocks, forget gate": Cell("lstm", blocks=2, forget_gate=True),
    }
    T, B, ok = 8, 6, True
    symbols, labels = make_batch(stream(2, TRAIN), np.full(B, T), marker_ranges(T))
    for variant, cell in variants.items():

        def loss(population):
            net = Network(cell, population, T, B, backward=False)
            per_sequence, _ = cross_entropy(forward(net, symbols[:, None]), labels[None].repeat(len(population), 0))
            return per_sequence.mean(axis=1)

        theta = 0.5 * stream(2, INIT).standard_normal((1, cell.P))
        net = Network(cell, theta, T, B)
        for answer in (labels + 1) % O, labels:  # the first leaves traces that the second pass must not heed
            _, d_logits = cross_entropy(forward(net, symbols[:, None]), answer[None])
            backward(net, T, d_logits / B)
        ok &= compare_gradients(variant, net.grad[0], numerical_gradient(loss, theta[0]), cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The held-out sequences of every seed, drawn once: [(symbols (T, S, n), labels (S, n)), ...], n = EVAL_BLOCK."""
    n = math.ceil(options.eval_n / EVAL_BLOCK) * EVAL_BLOCK
    symbols, labels, lengths = draw_population(options, (EVAL,), EVAL_BLOCK, n)
    cuts = [slice(k, k + EVAL_BLOCK) for k in range(0, n, EVAL_BLOCK)]
    return [(symbols[:T, :, cut], labels[:, cut]) for T, cut in zip(lengths, cuts)]


def evaluate(net, blocks, n):
    """Loss of the first n held-out sequences, the classes predicted, and the true ones, each (S, n)."""
    loss, predicted = [], []
    for symbols, labels in blocks:
        logits = forward(net, symbols)
        loss.append(cross_entropy(logits, labels)[0])
        predicted.append(logits.argmax(axis=1))
    labels = [labels for _, labels in blocks]
    return tuple(np.concatenate(arrays, axis=1)[:, :n] for arrays in (loss, predicted, labels))


def sign_accuracy(signs, labels):
    """Share of classes told by sign patterns (n, cells): the first half says what each means, the second is told."""
    pattern = np.unique(signs, axis=0, return_inverse=True)[1].ravel()
    half, table = len(labels) // 2, np.zeros((pattern.max() + 1, O))
    np.add.at(table, (pattern[:half], labels[:half]), 1)
    return (table.argmax(axis=1)[pattern[half:]] == labels[half:]).mean()


def sign_accuracy_of_best(signs, labels, cells):
    """sign_accuracy by so many cells, those that do best within the first half."""
    half, choices = len(labels) // 2, itertools.combinations(range(signs.shape[1]), min(cells, signs.shape[1]))
    best = max(choices, key=lambda choice: sign_accuracy(signs[:half, choice], labels[:half]))
    return sign_accuracy(signs[:, best], labels)


def measure(net, blocks):
    """What the pictures of an LSTM are said to show, over all whole blocks of held-out sequences: {name: (S,)}.

    gate_* and write_*: the mean of max_k i_t, and of sum_k |i_t g_t|, at the two markers, at the distractors (also at
    those before, between and after the markers) and at the end; *_selectivity: the ratio of markers to distractors.
    output_gate_*: the mean of max_k o_t at the last step and before it. sign_accuracy*: of the class, by the signs of
    the final c of all cells or two; of either marker, by the sign of one cell.
    """
    parts, signs = [], []
    for symbols, _ in blocks:
        T = len(symbols)
        forward(net, symbols)
        output, written = net.row["o"][:T].max(axis=2), net.row["i"][:T] * net.row["g"][:T]
        part = {"output_gate_at_end": output[-1].mean(axis=1), "output_gate_before": output[:-1].mean(axis=(0, 2))}
        marker, distractor = (symbols >= X) & (symbols < START), symbols < X
        seen = marker.cumsum(axis=0)
        places = {"at_markers": marker, "at_distractors": distractor}
        places |= {place: distractor & (seen == n) for n, place in enumerate(("before", "between", "after"))}
        for name, value in ("gate", net.row["i"][:T].max(axis=2)), ("write", np.abs(written).sum(axis=2)):
            part[f"{name}_at_end"] = value[-1].mean(axis=1)
            for place, here in places.items():
                part[f"{name}_{place}"] = (value * here).sum(axis=(0, 2)) / here.sum(axis=(0, 2))
        parts.append(part)
        signs.append(net.c[T] > 0)
    measures = {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    for name in "gate", "write":
        measures[f"{name}_selectivity"] = measures[f"{name}_at_markers"] / measures[f"{name}_at_distractors"]
    signs = np.concatenate(signs, axis=2).transpose(0, 2, 1)  # (S, n, H)
    labels = np.concatenate([labels for _, labels in blocks], axis=1)
    by_seed = list(zip(signs, labels))
    measures["sign_accuracy"] = np.array([sign_accuracy(s, y) for s, y in by_seed])
    measures["sign_accuracy_two_cells"] = np.array([sign_accuracy_of_best(s, y, 2) for s, y in by_seed])
    measures["sign_accuracy_first_marker"] = np.array([sign_accuracy_of_best(s, y // 2, 1) for s, y in by_seed])
    measures["sign_accuracy_second_marker"] = np.array([sign_accuracy_of_best(s, y % 2, 1) for s, y in by_seed])
    return measures


def snapshot(net, symbols):
    """Copies of what the first seed's network does with recorded symbols (T, n): h, c and the gates, and softmax p."""
    logits = forward(net, symbols[:, None])
    arrays = {"h": net.h} | {gate: net.row[gate] for gate in net.cell.gates}
    if net.cell.gates:
        arrays["c"] = net.c[1:]
    return {name: array[:, 0].copy() for name, array in arrays.items()} | {"p": softmax(logits)[0]}


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, or falling to zero along half a cosine over the run."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, state, symbols, labels, options, alive):
    """One training step on symbols (T, S, B), labels (S, B); a seed of non-finite loss or gradient leaves alive."""
    loss, d_logits = cross_entropy(forward(net, symbols), labels)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, len(symbols), d_logits / labels.shape[1])
    norm = clip_by_norm(net.grad, CLIP)
    alive &= np.isfinite(loss) & np.isfinite(norm)
    if not alive.all():
        net.grad[~alive] = 0
    state.loss_sum += loss
    adam(state, net.grad, learning_rate(options, state.step), options.beta2, alive)
    if not alive.all():
        for s in np.flatnonzero(~alive):
            state.diverged_at[s] = state.diverged_at[s] or state.step


def initial_state(cell, options):
    """All that the rest of a variant's run depends on, as it is before the first step."""
    theta, S = init_theta(cell, options.seeds, np.dtype(options.dtype), options.input_gate_bias), len(options.seeds)
    return SimpleNamespace(
        step=0,
        theta=theta,
        m=np.zeros_like(theta),
        v=np.zeros_like(theta),
        loss_sum=np.zeros(S),  # over the steps since the last evaluation
        diverged_at=[None] * S,
        history={"step": [], "train_loss": [], "val_loss": [], "val_accuracy": []},
        snapshots={"step": []},
        wall_clock_s=0.0,
    )


def train(variant, cell, options, state, save, interrupt):
    """Train a variant from state, which it keeps up to date, to the last step, with save(state) once in a while.

    Returns what results.json has of the variant and its arrays for snapshots.npz, or None where interrupted.
    """
    S, B, history = len(options.seeds), options.batch, state.history
    T = PAPER_LENGTHS[1] if options.paper_lengths else options.T
    net = Network(cell, state.theta, T, B)
    eval_net, eval_blocks = Network(cell, state.theta, T, EVAL_BLOCK, backward=False), held_out(options)
    record_net = Network(cell, state.theta[:1], T, O, backward=False)
    ranges = PAPER_RANGES if options.paper_lengths else marker_ranges(T)
    x, y = make_batch(stream(options.seeds[0], RECORD), [T] * O, ranges, labels=range(O))
    alive = np.array([step is None for step in state.diverged_at])
    chunk, saved, started = None, time.perf_counter(), time.perf_counter() - state.wall_clock_s

    def due(every, last):
        return state.step not in last[-1:] and (state.step % every == 0 or state.step == options.steps)

    while True:
        early = 5 * state.step < options.steps  # most is learned then
        if due(max(1, options.snapshot_every // (5 if early else 1)), state.snapshots["step"]):
            for name, value in ({"step": state.step} | snapshot(record_net, x)).items():
                state.snapshots.setdefault(name, []).append(value)
        if due(options.eval_every, history["step"]):
            loss, predicted, truth = evaluate(eval_net, eval_blocks, options.eval_n)
            accuracy = (predicted == truth).mean(axis=1)
            steps = state.step - (history["step"] or [0])[-1]
            history["step"].append(state.step)
            history["train_loss"].append(np.where(alive, state.loss_sum / (steps or np.nan), np.nan))
            history["val_loss"].append(np.where(alive, loss.mean(axis=1), np.nan))
            history["val_accuracy"].append(np.where(alive, accuracy, np.nan))
            state.loss_sum[:] = 0
            state.wall_clock_s = time.perf_counter() - started
            solved = alive & (accuracy == 1)
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
        if chunk != state.step // CHUNK:
            chunk = state.step // CHUNK
            symbols, labels, lengths = draw_population(options, (TRAIN, chunk), B, CHUNK * B)
        k = state.step % CHUNK
        batch = slice(k * B, (k + 1) * B)
        update(net, state, symbols[: lengths[k], :, batch], labels[:, batch], options, alive)
    confusion = np.zeros((S, O, O), int)
    np.add.at(confusion, (np.arange(S)[:, None], truth, predicted), 1)
    measures = measure(eval_net, eval_blocks) if cell.gates else {}
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": state.wall_clock_s,
        "sequences_per_s": S * B * options.steps / state.wall_clock_s,
        "sequences_seen": [B * (step or options.steps) for step in state.diverged_at],
        "diverged_at_step": state.diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("val_accuracy", "val_loss")},
        "measures": {name: np.where(alive, values, np.nan) for name, values in measures.items()},
        "sequences_to_95": first_reached(history, 0.95, B),
        "sequences_to_100": first_reached(history, 1.0, B),
        "confusion": [counts if lives else None for counts, lives in zip(confusion, alive)],  # [seed][true][predicted]
    }
    weights = {f"weights/{name}": array[0] for name, array in vars(net.p).items()}
    return result, state.snapshots | {"x": x, "y": y} | weights


def first_reached(history, level, batch):
    """Sequences that each seed had seen at the first evaluation with an accuracy of level or more; None: at none."""
    reached = np.array(history["val_accuracy"]) >= level
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


def cell_kinds(text):
    """Some of "lstm,rnn", each once."""
    kinds = text.split(",")
    if not set(kinds) <= {"lstm", "rnn"} or len(set(kinds)) < len(kinds):
        raise argparse.ArgumentTypeError(f"'{text}' is not one of lstm, rnn and lstm,rnn")
    return kinds


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
    add("--cells", type=cell_kinds, default="lstm,rnn", help="networks to train, one after the other")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--T", type=positive, default=50, help="steps of a sequence; the markers' ranges scale with it")
    length.add_argument("--paper-lengths", action="store_true", help="100-110 steps, markers in [10, 20], [50, 60]")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, default=1500, help="updates")
    add("--batch", type=positive, default=32, help="sequences in a step")
    add("--hidden", type=positive, default=4, help="cells, or hidden units")
    add("--blocks", type=positive, default=argparse.SUPPRESS, help="cells of a block share gates (default: one each)")
    add("--forget-gate", action=argparse.BooleanOptionalAction, default=False, help="forget gates, of initial bias 1")
    add("--input-gate-bias", type=float, help="initial bias of the input gates")
    add("--lr", type=positive_real, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "constant"], help="the rate over the run: falling to zero, or constant")
    add("--beta2", type=positive_real, help="Adam's decay of the second moment")
    add("--eval-every", "--eval_every", type=positive, default=50, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, default=50, help="steps between snapshots; "
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
    options.blocks = getattr(options, "blocks", options.hidden)
    if options.hidden % options.blocks:
        parser.error(f"argument --blocks: {options.hidden} cells do not go evenly into {options.blocks} blocks")
    for name in "eval_every", "snapshot_every":
        interval = getattr(options, name)
        if interval > options.steps and interval != parser.get_default(name):
            steps = f"the {options.steps} steps of the run"
            parser.error(f"argument --{name.replace('_', '-')}: {interval} is more than {steps}")
    if not options.out:
        parser.error("argument --out: a folder is wanted")
    try:
        marker_ranges(options.T)
    except ValueError as error:
        parser.error(f"argument --T: {error}")
    if options.beta2 >= 1:
        parser.error(f"argument --beta2: {options.beta2:g} is not below 1")
    if not math.isfinite(options.input_gate_bias):
        parser.error(f"argument --input-gate-bias: {options.input_gate_bias} is not a finite number")
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
    print("\n      parameters   solved  accuracy: median [range]  sequences to 95 %  seconds")
    for variant, run in runs.items():
        accuracy = np.array([a for a in run["final"]["val_accuracy"] if a is not None])
        reached = [n for n in run["sequences_to_95"] if n is not None]
        spread = f"{np.median(accuracy):.3f} [{accuracy.min():.3f}, {accuracy.max():.3f}]" if accuracy.size else "-"
        n = f"{np.median(reached):,.0f}" if 2 * len(reached) > len(seeds) else "-"
        solved = f"{(accuracy == 1).sum()}/{len(seeds)}"
        print(f"{variant:5}{run['trainable_parameters']:11}{solved:>9}{spread:>26}{n:>19}{run['wall_clock_s']:9.1f}")
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
    with interruptible() as interrupt, np.errstate(all="ignore"):
        for kind in options.cells:
            if kind in runs:
                continue
            cell = Cell(kind, options.hidden, options.blocks, options.forget_gate and kind == "lstm")
            state = SimpleNamespace(**done["state"]) if done["variant"] == kind else initial_state(cell, options)

            def save(state):
                tree = {"config": config, "runs": runs, "arrays": arrays, "variant": kind, "state": vars(state)}
                save_checkpoint(out / "checkpoint.npz", tree)

            trained = train(kind, cell, options, state, save, interrupt)
            if trained is None:
                print(f"stopped after step {state.step} of {kind}; to go on: {command} --resume")
                return 130
            runs[kind], arrays[kind] = trained
    results = {"schema": 1, "experiment": EXPERIMENT, "command": command, "config": config,
               "environment": environment(), "seeds": options.seeds, "runs": plain(runs)}  # fmt: skip
    flat = {f"{kind}/{name}": np.asarray(array) for kind in arrays for name, array in arrays[kind].items()}
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
