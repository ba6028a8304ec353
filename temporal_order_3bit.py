#!/usr/bin/env python3
"""Temporal order, 3 bit: name the order in which two markers, X or Y, came in a sequence of random symbols.

Experiment 6a of S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997.

The problem. A sequence of T = 50 symbols begins with B and ends with E. One step in [3, 12] and one in [25, 40] hold
a marker: X or Y, with equal probability. Every other step holds a distractor: a, b, c or d, with equal probability.
After the last step the network names the class: XX, XY, YX or YY. The second marker comes 13 to 37 steps after the
first; the network must keep the first marker over these steps, and both markers to the end.

The networks. At step t all units read v_t = [h_{t-1}; x_t; 1]; x_t is a one-hot symbol.

    LSTM of 1997    i_t = sigma(W_i v_t)    o_t = sigma(W_o v_t)    g_t = tanh(W_g v_t)
                    c_t = c_{t-1} + i_t g_t                         with --forget-gate:
                    h_t = o_t tanh(c_t)                             c_t = f_t c_{t-1} + i_t g_t, f_t = sigma(W_f v_t)
    RNN             h_t = tanh(W v_t)
    both            p = softmax(V h_T + b), loss = -log p[class], averaged over the batch

W has the rows of i, [f], o, g in this order, one row per cell. With --blocks n, the H / n cells of a block share one
row of each gate. Training: backpropagation through all steps, clipping of the gradient's norm at 1, Adam.

Axes of arrays: S seeds (independent networks, trained together), T steps, B sequences of a batch, D = 8 inputs,
H cells, O = 4 classes, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and candidates, P
parameters of a network. Arrays are (T, rows, S, B); seeds_first gives the view that a matrix product takes.

Names. a: net inputs z, then activations (those of an RNN are in h), then local derivatives, then dz. tie (R, rows of
W): the row of W that each of the R rows uses. part: a factor that several local derivatives share. d<name>: the
gradient of the loss with respect to <name>. error (R, S, B): dh in the rows of o (of an RNN: in all), dc in the others.

The headline, python3 temporal_order_3bit.py, trains one seed of each network. It ends with:

          parameters   solved  accuracy: median [range]  sequences to 95 %  seconds
    lstm         176      1/1      1.000 [1.000, 1.000]              4,800      0.6
    rnn           72      0/1      0.250 [0.250, 0.250]                  -      0.3

It writes results/temporal_order_3bit. Every other command writes runs/temporal_order_3bit/<the options that differ>,
unless --out names a folder. results.json has the settings and, for each network, the history of every seed, the loss of
each training batch of the recorded seed (history/batch_loss) and the final values. snapshots.npz has, under lstm/ and
rnn/, N snapshots of the recorded seed on four sequences, one of each class, and the weights of all seeds after the last
step. In the first fifth of training the snapshots are five times as dense. The last snapshot is after the last step.

    step (N,)   x (T, 4) indices into "abcdXYBE"   y (4,) classes     p (N, O, 4) softmax at the last step
    h (N, T, H, 4)   lstm only: c, and the gates i, [f], o, each (N, T, H, 4)
    weights/W (S, rows, K)   weights/V (S, O, H)   weights/b (S, O, 1)

How this differs from the paper:

    here                                                        in the paper
    T = 50 (with --paper-lengths as in the paper, one length    T = 100 to 110
      for each batch and for each 128 held-out sequences)
    full backpropagation through time                           truncated gradients
    batches, Adam, clipping of gradients                        single sequences, plain gradient descent
    softmax and cross-entropy; an answer is right if its        four logistic outputs and squared error; an answer is
      class is the most probable                                  right if every output is within 0.3 of its target
    every cell has its own gates, gates do not read gates       blocks of two cells share gates, gates read gates
    176 weights                                                 156 weights
    both squashing functions are tanh                           two scaled logistic functions
    weights from N(0, 0.1^2), equal biases of input gates       weights from [-0.1, 0.1], biases -2 and -4
    B starts and E ends a sequence                              E starts and B ends a sequence

The report, results/temporal_order_3bit/README.md, says how this differs from the write-up from which it started.
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

EXPERIMENT = "temporal_order_3bit"
SCRIPT, HEADLINE = f"{EXPERIMENT}.py", f"results/{EXPERIMENT}"
NO_SETTINGS = ("out", "force", "resume", "gradcheck", "record_hidden")  # options that do not change results
SYMBOLS = "abcdXYBE"
X, START, END = (SYMBOLS.index(symbol) for symbol in "XBE")
D, O = len(SYMBOLS), 4  # symbols, and classes: XX, XY, YX, YY
SHORTEST = 5  # steps; a shorter sequence has no room for two markers between B and E
PAPER_LENGTHS, PAPER_RANGES = (100, 110), ((10, 20), (50, 60))
RECIPES = {
    "default": {"lr": 0.025, "schedule": "cosine", "input_gate_bias": -4.0, "beta2": 0.95},
    "writeup": {"lr": 0.02, "schedule": "constant", "input_gate_bias": -1.0, "beta2": 0.999},
}
QUICK = {"steps": 150, "eval_n": 128}
CLIP = 1.0
INIT, TRAIN, EVAL, RECORD, LENGTHS = range(5)  # the streams of random numbers of each seed
CHUNK = 32  # batches that are drawn at a time
SPAN = 2**16  # values of one variable that backward works on at a time; they fit into the caches
ESTIMATED_AFTER = 20  # the time of the run is estimated after this number of steps
EVAL_BATCH = 128  # held-out sequences that pass through the network together

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def marker_ranges(T):
    """First and last possible step (both inclusive) of each of the two markers in T steps.

    The ranges [3, 12] and [25, 40] of T = 50, which are the write-up's, scale with T: [6 %, 24 %] and [50 %, 80 %] of
    T, rounded down. They never include the first or the last step. T is at least SHORTEST.
    """
    return (max(1, 3 * T // 50), 12 * T // 50), (T // 2, min(4 * T // 5, T - 2))


def sizes_of(options):
    """The least and the largest number of steps of a sequence, and the ranges of the markers."""
    return (PAPER_LENGTHS, PAPER_RANGES) if options.paper_lengths else ([options.T] * 2, marker_ranges(options.T))


def make_batch(rng, lengths, ranges, labels=None):
    """Draw n sequences of the temporal order problem (experiment 6a).

    lengths: (n,) steps of each sequence; ranges: ((first, last), (first, last)) steps of the markers;
    labels: (n,) classes to draw, random if None.
    Returns symbols (max(lengths), n), which are indices into SYMBOLS, and labels (n,). Steps after the end of a
    sequence hold distractors.
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


def draw_population(options, key, group, n):
    """n sequences for every seed, from its stream key. All sequences of a group, in all seeds, have one length.

    Returns symbols (T, S, n), labels (S, n) and the lengths of the groups.
    """
    (least, most), ranges = sizes_of(options)
    T = stream(0, LENGTHS, *key).integers(least, most, size=math.ceil(n / group), endpoint=True)
    lengths = np.repeat(T, group)[:n]
    drawn = [make_batch(stream(seed, *key), lengths, ranges) for seed in options.seeds]
    return np.stack([symbols for symbols, _ in drawn], axis=1), np.stack([labels for _, labels in drawn]), T


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """A kind of network: "rnn" or "lstm". The cells of a memory block of an LSTM share their gates."""

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


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(cell, options):
    """Initial parameters (S, P): N(0, 0.1^2). Biases: an option for input gates, 1 for forget gates, else 0."""
    theta = np.stack([0.1 * stream(seed, INIT).standard_normal(cell.P) for seed in options.seeds]).astype(options.dtype)
    p = views(theta, cell.shapes)
    p.W[:, :, -1] = 0
    p.b[...] = 0
    for k, gate in enumerate(cell.gates):
        bias = {"i": options.input_gate_bias, "f": 1, "o": 0}[gate]
        p.W[:, k * cell.blocks : (k + 1) * cell.blocks, -1] = bias
    return theta


class Network:
    """S networks with parameters theta (S, P), and every array that their passes write.

    T: steps of the longest sequence. B: sequences of a batch. backward: whether gradients will be computed.
    span: steps whose local derivatives backward computes at a time; if None, as many as the caches hold.
    """

    def __init__(self, cell, theta, T, B, backward=True, span=None):
        S, H, G = len(theta), cell.hidden, len(cell.gates)
        R, K = (G + 1) * H, cell.hidden + D + 1

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.cell, self.p = cell, views(theta, cell.shapes)
        # Cells of a block have equal gate rows: W_full = tie W. With gate rows divided by 2, one tanh computes all
        # activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        block = np.arange(H) * cell.blocks // H
        parameter_row = np.concatenate([k * cell.blocks + block for k in range(G)] + [G * cell.blocks + np.arange(H)])
        self.tie = (parameter_row[:, None] == np.arange(cell.shapes["W"][0])).astype(theta.dtype)
        self.scale = np.repeat([0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        self.W_full, self.W_scaled, self.W_hT = zeros(S, R, K), zeros(S, R, K), zeros(S, H, R)

        self.v = zeros(T + 1, K, S, B)  # sources [h_{t-1}; x_t; 1]
        self.v[:, -1] = 1
        self.x, self.h = self.v[:-1, H:-1], self.v[1:, :H]
        self.a = zeros(T, R, S, B)
        self.gates = self.a[:, : G * H]
        self.row = {name: self.a[:, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        self.c = zeros(T + 1, H if cell.gates else 0, S, B)  # an RNN has none
        arrays = [self.a, self.h]
        if cell.gates:
            self.ig = zeros(H, S, B)
            i, f, o, g = (self.row.get(name, self.row["i"]) for name in "ifog")  # without forget gate f is not used
            arrays += [self.gates, i, f, o, g, self.c[:-1], self.c[1:]]
        self.forward_steps = list(zip(seeds_first(self.v), seeds_first(self.a), *map(by_step, arrays)))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.dW_full = zeros(T, S, R, K)
        self.span = span or max(1, min(T, SPAN // (H * S * B)))
        self.error = zeros(R, S, B)
        self.error_row = {name: self.error[k * H : (k + 1) * H] for k, name in enumerate(self.row)}
        self.dh = self.error_row["o" if cell.gates else "g"]
        self.part, self.dh_dc, self.f = (zeros(self.span, H, S, B) for _ in range(3))
        of_span = itertools.cycle(by_step(self.dh_dc)), itertools.cycle(by_step(self.f))  # step t uses entry t % span
        self.backward_steps = list(zip(seeds_first(self.a), by_step(self.a), *of_span))


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


def forward(net, symbols):
    """Run the networks over symbols (T, S, B) from a zero state. Returns the logits after the last step, (S, O, B)."""
    T, p = len(symbols), net.p
    np.copyto(net.x[:T], (symbols == np.arange(D, dtype=np.uint8).reshape(D, 1, 1, 1)).swapaxes(0, 1))  # one-hot x_t
    np.matmul(net.tie, p.W, out=net.W_full)  # W, a row for each gate of each cell
    np.multiply(net.W_full, net.scale, out=net.W_scaled)  # W / 2 in the rows of gates
    W_times, half = product(net.W_scaled), net.half
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument
    if net.cell.kind == "rnn":
        for v, z, a, h in net.forward_steps[:T]:
            W_times(v, z)  # z_t = W v_t
            tanh(a, h)  # h_t = tanh(z_t)
    else:
        ig, forget_gate = net.ig.ravel(), net.cell.forget_gate
        for v, z, a, h, gates, i, f, o, g, c_before, c in net.forward_steps[:T]:
            W_times(v, z)  # z_t = W v_t; z_t / 2 in the rows of gates
            tanh(a, a)  # g_t = tanh(z_t); tanh(z_t / 2) in the rows of gates
            multiply(gates, half, gates)  # tanh(z_t / 2) / 2
            add(gates, half, gates)  # i_t, f_t, o_t = sigma(z_t) = 1/2 + tanh(z_t / 2) / 2
            multiply(i, g, ig)  # i_t g_t
            if forget_gate:
                multiply(f, c_before, c)  # f_t c_{t-1}
                add(c, ig, c)  # c_t = f_t c_{t-1} + i_t g_t
            else:
                add(c_before, ig, c)  # c_t = c_{t-1} + i_t g_t
            tanh(c, h)  # tanh(c_t)
            multiply(o, h, h)  # h_t = o_t tanh(c_t)
    return p.V @ last_h(net, T) + p.b  # V h_T + b


def last_h(net, T):
    """h_T of the last forward pass, (S, H, B). Rows come first in memory for any S, so that sums have one order."""
    return net.h[T - 1].swapaxes(0, 1).copy()


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
    """Write the gradient of the loss of the last forward pass into net.grad (S, P). d_logits: (S, O, B).

    This overwrites the activations of the T steps: net.a holds dz afterwards.
    """
    p, d, dh = net.p, net.d, net.dh.ravel()
    np.matmul(d_logits, last_h(net, T).transpose(0, 2, 1), out=d.V)  # dV = d_logits h_T^T
    d_logits.sum(axis=2, keepdims=True, out=d.b)  # db = sum of d_logits over the batch
    np.matmul(p.V.transpose(0, 2, 1), d_logits, out=net.dh.swapaxes(0, 1))  # dh_T = V^T d_logits
    np.copyto(net.W_hT, net.W_full[:, :, : net.cell.hidden].transpose(0, 2, 1))  # W_h^T
    W_hT_times, dh_out = product(net.W_hT), seeds_first(net.dh)
    add, copyto, multiply, error = np.add, np.copyto, np.multiply, net.error.ravel()
    lstm, forget_gate = net.cell.kind == "lstm", net.cell.forget_gate
    if lstm:
        dc, *dc_copies = (row.ravel() for name, row in net.error_row.items() if name != "o")
        dc.fill(0)  # no step comes after the last
        dc_from_h = np.empty_like(dc)
    for first in range((T - 1) // net.span * net.span, -1, -net.span):
        steps = slice(first, min(first + net.span, T))
        local_derivatives(net, steps)
        for dz, a, dh_dc, f in net.backward_steps[steps][::-1]:
            if lstm:
                multiply(dh_dc, dh, dc_from_h)  # dh_t dh_t/dc_t
                add(dc, dc_from_h, dc)  # dc_t = dc_t through c_{t+1} + dh_t dh_t/dc_t
                for dc_copy in dc_copies:
                    copyto(dc_copy, dc)  # dc_t in all rows of error except those of o
            multiply(a, error, a)  # dz_o = dh_t dh_t/dz_o; dz_i, dz_f, dz_g = dc_t dc_t/dz; of an RNN dz = dh_t dh_t/dz
            if forget_gate:
                multiply(dc, f, dc)  # dc_{t-1} through c_t = dc_t f_t
            W_hT_times(dz, dh_out)  # dh_{t-1} = W_h^T dz_t
        dz, v_transposed = net.a[steps].swapaxes(1, 2), net.v[steps].transpose(0, 2, 3, 1)
        np.matmul(dz, v_transposed, out=net.dW_full[steps])  # dz_t v_t^T
    np.matmul(net.tie.T, net.dW_full[:T].sum(axis=0), out=d.W)  # dW = tie^T sum_t dz_t v_t^T


def local_derivatives(net, steps):
    """Compute the derivatives within each step of a slice of steps. They do not depend on the errors of later steps.

    net.a: dh/dz for the net inputs z of o (of an RNN: for all z), dc/dz for the others; they replace the activations.
    net.dh_dc: dh/dc. net.f: dc_t/dc_{t-1}.
    """
    if net.cell.kind == "rnn":
        h, a = net.h[steps], net.a[steps]
        np.multiply(h, h, out=a)  # h^2
        np.subtract(1, a, out=a)  # dh/dz = 1 - h^2
        return
    i, o, g = (net.row[name][steps] for name in "iog")
    gates, c, c_before, h = net.gates[steps], net.c[1:][steps], net.c[:-1][steps], net.h[steps]
    part, dh_dc = net.part[: len(c)], net.dh_dc[: len(c)]
    np.tanh(c, out=part)  # tanh(c)
    np.multiply(h, part, out=part)  # h tanh(c) = o tanh(c)^2
    np.subtract(o, part, out=dh_dc)  # dh/dc = o (1 - tanh(c)^2)
    np.multiply(i, g, out=part)  # i g
    np.multiply(part, g, out=g)  # i g^2
    np.subtract(i, g, out=g)  # dc/dz_g = i (1 - g^2)
    if net.cell.forget_gate:
        np.copyto(net.f[: len(c)], net.row["f"][steps])  # dc_t/dc_{t-1} = f
    np.subtract(1, gates, out=gates)  # 1 - i, 1 - f, 1 - o
    np.multiply(i, part, out=i)  # dc/dz_i = i g (1 - i)
    np.multiply(o, h, out=o)  # dh/dz_o = o tanh(c) (1 - o) = h (1 - o)
    if net.cell.forget_gate:
        f = net.row["f"][steps]
        np.multiply(f, net.f[: len(c)], out=f)  # f (1 - f)
        np.multiply(f, c_before, out=f)  # dc/dz_f = c_{t-1} f (1 - f)


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
    """Check every parameter of every variant of network, in float64; returns the exit status, 0 or 1."""
    lstms = [Cell("lstm", blocks=blocks, forget_gate=forget_gate) for blocks in (4, 2) for forget_gate in (False, True)]
    T, B, ok = 8, 6, True
    symbols, labels = make_batch(stream(2, TRAIN), np.full(B, T), marker_ranges(T))
    for cell in [Cell("rnn"), *lstms]:

        def loss(population):
            net = Network(cell, population, T, B, backward=False)
            per_sequence, _ = cross_entropy(forward(net, symbols[:, None]), labels[None].repeat(len(population), 0))
            return per_sequence.mean(axis=1)

        theta = 0.5 * stream(2, INIT).standard_normal((1, cell.P))
        numerical = numerical_gradient(loss, theta[0])
        variant = cell.kind + ", 2 blocks" * (cell.blocks == 2) + ", forget gate" * cell.forget_gate
        for span in T, 3:
            net = Network(cell, theta, T, B, span=span)
            for answer in (labels + 1) % O, labels:  # the second pass must not depend on what the first left in net
                _, d_logits = cross_entropy(forward(net, symbols[:, None]), answer[None])
                backward(net, T, d_logits / B)
            ok &= compare_gradients(f"{variant}, spans of {span}", net.grad[0], numerical, cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The held-out sequences of every seed, drawn once: [(symbols (T, S, n), labels (S, n)), ...], n = EVAL_BATCH."""
    n = math.ceil(options.eval_n / EVAL_BATCH) * EVAL_BATCH
    symbols, labels, lengths = draw_population(options, (EVAL,), EVAL_BATCH, n)
    cuts = [slice(k, k + EVAL_BATCH) for k in range(0, n, EVAL_BATCH)]
    return [(symbols[:T, :, cut], labels[:, cut]) for T, cut in zip(lengths, cuts)]


def evaluate(net, batches, n):
    """Loss of the first n held-out sequences, the classes predicted, and the true ones, each (S, n)."""
    logits = np.concatenate([forward(net, symbols) for symbols, _ in batches], axis=2)[..., :n]
    labels = np.concatenate([labels for _, labels in batches], axis=1)[:, :n]
    return cross_entropy(logits, labels)[0], logits.argmax(axis=1), labels


def snapshot(net, symbols):
    """Copies of h, c, the gates and softmax p of the network of one seed on the recorded symbols (T, n)."""
    logits = forward(net, symbols[:, None])
    arrays = {gate: net.row[gate] for gate in net.cell.gates} | {"h": net.h, "c": net.c[1:]}
    return {name: array[:, :, 0].copy() for name, array in arrays.items() if array.size} | {"p": softmax(logits)[0][0]}


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, or half a cosine that falls to zero at the end of the run."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, adam, symbols, labels, options, alive):
    """One training step on symbols (T, S, B) with labels (S, B). Returns the loss (S,).

    If the loss, the gradient or the update of a seed is not finite, alive (S,) becomes False for this seed.
    """
    loss, d_logits = cross_entropy(forward(net, symbols), labels)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, len(symbols), d_logits / labels.shape[1])
    alive &= np.isfinite(loss) & np.isfinite(clip_by_norm(net.grad, CLIP))
    net.grad[~alive] = 0
    adam.update(net.grad, learning_rate(options, adam.step), options.beta2, alive)
    return loss


def train(cell, options, watch=None, networks=1):
    """Train the networks of all seeds. Returns their part of results.json and their arrays for snapshots.npz.

    watch(net, batches) is called at each evaluation with the held-out sequences; the history also records its values, a
    dict of (S,). networks: kinds of network that this run still has to train, for the estimate of its time; 0: no
    estimate.
    """
    S, B, steps, kind = len(options.seeds), options.batch, options.steps, cell.kind
    (_, T), ranges = sizes_of(options)
    theta = init_theta(cell, options)
    adam, recorded = Adam(theta), options.seeds.index(options.record)
    net = Network(cell, theta, T, B)
    eval_net, batches = Network(cell, theta, T, EVAL_BATCH, backward=False), held_out(options)
    record_net = Network(cell, theta[recorded : recorded + 1], T, O, backward=False)
    x, y = make_batch(stream(options.record, RECORD), [T] * O, ranges, labels=range(O))
    history = {"step": [], "train_loss": [], "val_loss": [], "val_accuracy": [], "batch_loss": np.full(steps, np.nan)}
    snapshots, loss_sum, alive, diverged_at = {"step": []}, np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        early = 5 * step < steps  # most of the learning is early
        if step % max(1, options.snapshot_every // (5 if early else 1)) == 0 or step == steps:
            for name, value in ({"step": step} | snapshot(record_net, x)).items():
                snapshots.setdefault(name, []).append(value)
        if step % options.eval_every == 0 or step == steps:
            loss, predicted, truth = evaluate(eval_net, batches, options.eval_n)
            accuracy = (predicted == truth).mean(axis=1)
            since = step - (history["step"] or [0])[-1]
            values = {"train_loss": loss_sum / (since or np.nan), "val_loss": loss.mean(axis=1)}
            values |= {"val_accuracy": accuracy} | (watch(eval_net, batches) if watch else {})
            history["step"].append(step)
            for name, value in values.items():
                history.setdefault(name, []).append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            print_progress(kind, history, "val_accuracy", alive & (accuracy == 1), steps, wall_clock_s)
        if step == steps:
            break
        if step % CHUNK == 0:
            symbols, labels, lengths = draw_population(options, (TRAIN, step // CHUNK), B, CHUNK * B)
        k = step % CHUNK
        batch = slice(k * B, (k + 1) * B)
        loss = update(net, adam, symbols[: lengths[k], :, batch], labels[:, batch], options, alive)
        loss_sum += loss
        history["batch_loss"][step] = loss[recorded] if alive[recorded] else np.nan
        diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if networks and step + 1 == ESTIMATED_AFTER:
            seconds = (time.perf_counter() - started) / ESTIMATED_AFTER * steps * networks
            print(f"estimated time: {seconds:.0f} s", flush=True)
    counts = [np.bincount(O * t + p, minlength=O * O).reshape(O, O) for t, p in zip(truth, predicted)]
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": wall_clock_s,
        "sequences_seen": [B * (at or steps) for at in diverged_at],
        "diverged_at_step": diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("val_accuracy", "val_loss")},
        **{f"sequences_to_{percent}": first_reached(history, percent / 100, B) for percent in (95, 100)},
        "confusion": [count if lives else None for count, lives in zip(counts, alive)],  # [seed][true][predicted]
    }
    weights = {f"weights/{name}": array for name, array in vars(net.p).items()}
    return result, snapshots | {"x": x, "y": y} | weights


def first_reached(history, level, batch):
    """Sequences of each seed up to the first evaluation with an accuracy of at least level; None if there is none."""
    reached = np.array(history["val_accuracy"]) >= level
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
    """Train all networks of the options. Returns {network: its part of results.json} and arrays for snapshots.npz."""
    runs, arrays, kinds = {}, {}, options.cells.split(",")
    for kind in kinds:
        cell = Cell(kind, options.hidden, options.blocks, options.forget_gate and kind == "lstm")
        runs[kind], found = train(cell, options, watch, networks=0 if runs else len(kinds))
        arrays |= {f"{kind}/{name}": np.asarray(array) for name, array in found.items()}
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
    add, real = parser.add_argument, partial(positive, kind=float)
    recipes = "; ".join(f"{name}: {words(recipe)}" for name, recipe in RECIPES.items())
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0", metavar="0-29|0,3,7", help="which seeds")
    add("--recipe", choices=RECIPES, default="default", help=f"{recipes}; single options override")
    add("--cells", choices=["lstm,rnn", "lstm", "rnn"], default="lstm,rnn", metavar="KINDS", help="which networks")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--T", type=positive, default=50, help="steps of a sequence; marker ranges scale with T")
    length.add_argument("--paper-lengths", action="store_true", help="100-110 steps, markers in [10, 20], [50, 60]")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, default=1500, help="updates")
    add("--batch", type=positive, default=32, help="sequences of a step")
    add("--hidden", type=positive, default=4, help="cells of the LSTM, units of the RNN")
    add("--blocks", type=positive, help="memory blocks; cells of a block share gates (if not given: one per cell)")
    add("--forget-gate", action=argparse.BooleanOptionalAction, default=False, help="forget gates with initial bias 1")
    add("--input-gate-bias", type=float, help="initial bias of the input gates")
    add("--lr", type=real, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "constant"], help="learning rate: falls to zero, or is constant")
    add("--beta2", type=real, help="Adam's decay rate of the second moment")
    add("--eval-every", "--eval_every", type=positive, default=50, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, default=50, help="steps between snapshots; at first 1/5")
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
    quick = QUICK if first.quick else {}
    parser.set_defaults(record=first.seeds[0], blocks=first.hidden, **RECIPES[first.recipe] | quick)
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    too_rare = [name for name in ("eval_every", "snapshot_every") if changed.get(name, 0) > options.steps]
    problems = [
        *((name, True, f"more than the {options.steps} steps") for name in too_rare),
        ("resume", options.resume, f"not in this script; python3 -m studies run -- {SCRIPT} ... can be resumed"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
        ("T", options.T < SHORTEST, f"{options.T} steps are too few for two markers, the least is {SHORTEST}"),
        ("blocks", options.hidden % options.blocks, f"{options.hidden} cells do not go evenly into {options.blocks}"),
        ("beta2", options.beta2 >= 1, f"{options.beta2:g} is not below 1"),
        ("input_gate_bias", not math.isfinite(options.input_gate_bias), "a finite number is wanted"),
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print("\n      parameters   solved  accuracy: median [range]  sequences to 95 %  seconds")
    for variant, run in results["runs"].items():
        accuracy = np.array([a for a in run["final"]["val_accuracy"] if a is not None])
        reached = [n for n in run["sequences_to_95"] if n is not None]
        spread = f"{np.median(accuracy):.3f} [{accuracy.min():.3f}, {accuracy.max():.3f}]" if accuracy.size else "-"
        n = f"{np.median(reached):,.0f}" if 2 * len(reached) > len(results["seeds"]) else "-"
        solved = f"{(accuracy == 1).sum()}/{len(results['seeds'])}"
        print(f"{variant:5}{run['trainable_parameters']:11}{solved:>9}{spread:>26}{n:>19}{run['wall_clock_s']:9.1f}")
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
