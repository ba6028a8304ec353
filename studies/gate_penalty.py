#!/usr/bin/env python3
"""A penalty on open input gates: does it close them at distractors of the temporal order task, and what does it cost?

The task is that of temporal_order_3bit.py. A sequence of T symbols begins with B and ends with E. Two of the other
symbols are markers, X or Y; the rest are distractors, a, b, c or d. After the last step the network names the order of
the markers: XX, XY, YX or YY. The network is that script's LSTM of 1997 without forget gates. There, input gates open
at markers, but at distractors they stay partly open. Here, the loss includes a penalty on open input gates:

    v_t = [h_{t-1}; x_t; 1]    i_t = sigma(W_i v_t)    o_t = sigma(W_o v_t)    g_t = tanh(W_g v_t)
    c_t = c_{t-1} + i_t g_t    h_t = o_t tanh(c_t)     p = softmax(V h_T + b)
    loss = -log p[class] + penalty / (T H) sum_t sum_k i_t^k, averaged over the batch

The sum is over all steps t and all cells k, so the penalty multiplies the mean input gate. All else is as in that
script: the sequences and the initial weights of each seed, backpropagation through all steps, clipping of the
gradient's norm at 1, Adam, and the default options. With --penalty 0 the weights are, bit for bit, those of
temporal_order_3bit.py --cells lstm. The default penalty was chosen on seeds 100 to 109.

Axes of arrays: S seeds (independent networks, trained together), T steps, B sequences of a batch, D = 8 inputs,
H cells, O = 4 classes, K = H + D + 1 rows of v_t, R = 3 H rows of W (those of i, o, g), P parameters of a network.
Arrays are (T, rows, S, B); seeds_first gives the view that a matrix product takes.

Names. a: net inputs z, then activations, then local derivatives, then dz. part: a factor that several local derivatives
share. dz_penalty: the derivative of the penalty with respect to z_i within a step. d<name>: the gradient of the loss
with respect to <name>. error (R, S, B): dh in the rows of o, dc in the others.

The headline, python3 studies/gate_penalty.py, trains thirty seeds. It ends with:

    seeds that end at accuracy 1.000: 30 of 30
    sequences to 100 %: median 6,400 [3,200, 6,400]
    widest input gate at markers: median 0.1543 [0.1162, 0.2753]
    widest input gate at distractors: median 0.0027 [0.0002, 0.0038]

It writes results/temporal_order_3bit/gate_penalty/headline. Every other command writes runs/gate_penalty/<the options
that differ>, unless --out names a folder. results.json has, under lstm, the history of every seed, the sequences seen
before the first evaluation with an accuracy of 95 % and of 100 %, and final values. train_loss and val_loss are
cross-entropies without the penalty. The other final values are means over the held-out sequences after training:

    gate_*       max_k i_t^k, the widest input gate, as in studies/temporal_order_3bit.py
    mean_gate_*  the mean of i_t^k over the cells k
    write_*      sum_k |i_t^k g_t^k|, as in that study
    *_at_markers, *_at_distractors, *_at_end (the last step), and *_before, *_between, *_after (distractors before,
        between and after the markers): the steps of the mean
    *_selectivity: the value at markers, divided by the value at distractors
    output_gate_at_end, output_gate_before    max_k o_t^k at the last step, and before it, as in that study

snapshots.npz has, under lstm/, the weights of all seeds after training, and the states and predictions of the recorded
seed on four sequences, one of each class:

    x (T, 4) indices into "abcdXYBE"   y (4,) classes   p (O, 4) softmax at the last step   h, c, i, o, g (T, H, 4)
    weights/W (S, R, K)   weights/V (S, O, H)   weights/b (S, O, 1)
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
from functools import partial
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # NumPy reads it when it loads; with such small matrices, more threads are slower
import numpy as np

EXPERIMENT = "gate_penalty"
SCRIPT, HEADLINE = f"studies/{EXPERIMENT}.py", f"results/temporal_order_3bit/{EXPERIMENT}/headline"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
SYMBOLS = "abcdXYBE"
X, START, END = (SYMBOLS.index(symbol) for symbol in "XBE")
D, O = len(SYMBOLS), 4  # symbols, and classes: XX, XY, YX, YY
SHORTEST = 5  # steps; a shorter sequence has no room for two markers between B and E
QUICK = {"seeds": "0-2", "steps": 150, "eval_n": 128}
CLIP = 1.0
INIT, TRAIN, EVAL, RECORD = range(4)  # the streams of random numbers of each seed, those of temporal_order_3bit.py
CHUNK = 32  # batches that are drawn at a time
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


def draw_population(options, key, n):
    """n sequences for every seed, from its stream key. Returns symbols (T, S, n) and labels (S, n)."""
    lengths, ranges = np.full(n, options.T), marker_ranges(options.T)
    drawn = [make_batch(stream(seed, *key), lengths, ranges) for seed in options.seeds]
    return np.stack([symbols for symbols, _ in drawn], axis=1), np.stack([labels for _, labels in drawn])


# ------------------------------------------------------------------------------------------------ parameters


def shapes_of(H):
    """The shapes of the parameters of an LSTM with H cells."""
    return {"W": (3 * H, H + D + 1), "V": (O, H), "b": (O, 1)}


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(options):
    """Initial parameters (S, P): N(0, 0.1^2). Biases: an option for input gates, else 0."""
    shapes = shapes_of(options.hidden)
    P = sum(map(math.prod, shapes.values()))
    theta = np.stack([0.1 * stream(seed, INIT).standard_normal(P) for seed in options.seeds]).astype(options.dtype)
    p = views(theta, shapes)
    p.W[:, :, -1] = 0
    p.b[...] = 0
    p.W[:, : options.hidden, -1] = options.input_gate_bias
    return theta


class Network:
    """S LSTMs of H cells with parameters theta (S, P), and every array that their passes over B sequences write.

    penalty: the factor of the mean input gate in the loss; None if gradients will not be computed.
    """

    def __init__(self, theta, H, T, B, penalty=None):
        S, R, K = len(theta), 3 * H, H + D + 1

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.H, self.p = H, views(theta, shapes_of(H))
        # With gate rows divided by 2, one tanh computes all activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.5, 0.5, 1.0], H).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        self.W_scaled, self.W_hT = zeros(S, R, K), zeros(S, H, R)
        self.v = zeros(T + 1, K, S, B)  # sources [h_{t-1}; x_t; 1]
        self.v[:, -1] = 1
        self.x, self.h = self.v[:-1, H:-1], self.v[1:, :H]
        self.a = zeros(T, R, S, B)
        self.gates = self.a[:, : 2 * H]
        self.row = {name: self.a[:, k * H : (k + 1) * H] for k, name in enumerate("iog")}
        self.c, self.ig = zeros(T + 1, H, S, B), zeros(H, S, B)
        arrays = [self.a, self.h, self.gates, *self.row.values(), self.c[:-1], self.c[1:]]
        self.forward_steps = list(zip(seeds_first(self.v), seeds_first(self.a), *map(by_step, arrays)))
        if penalty is None:
            return
        self.penalty_rate = penalty / (T * H * B)
        self.grad = zeros(S, theta.shape[1])
        self.d = views(self.grad, shapes_of(H))
        self.dW = zeros(T, S, R, K)
        self.error = zeros(R, S, B)
        self.part, self.dh_dc, self.dz_penalty = (zeros(T, H, S, B) for _ in range(3))
        arrays = [self.a, self.dh_dc, self.row["i"], self.dz_penalty]
        self.backward_steps = list(zip(seeds_first(self.a), *map(by_step, arrays)))


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
    p, half, ig = net.p, net.half, net.ig.ravel()
    np.copyto(net.x, (symbols == np.arange(D, dtype=np.uint8).reshape(D, 1, 1, 1)).swapaxes(0, 1))  # one-hot x_t
    np.multiply(p.W, net.scale, out=net.W_scaled)  # W / 2 in the rows of gates
    W_times = product(net.W_scaled)
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument
    for v, z, a, h, gates, i, o, g, c_before, c in net.forward_steps:
        W_times(v, z)  # z_t = W v_t; z_t / 2 in the rows of gates
        tanh(a, a)  # g_t = tanh(z_t); tanh(z_t / 2) in the rows of gates
        multiply(gates, half, gates)  # tanh(z_t / 2) / 2
        add(gates, half, gates)  # i_t, o_t = sigma(z_t) = 1/2 + tanh(z_t / 2) / 2
        multiply(i, g, ig)  # i_t g_t
        add(c_before, ig, c)  # c_t = c_{t-1} + i_t g_t
        tanh(c, h)  # tanh(c_t)
        multiply(o, h, h)  # h_t = o_t tanh(c_t)
    return p.V @ last_h(net) + p.b  # V h_T + b


def last_h(net):
    """h_T of the last forward pass, (S, H, B). Rows come first in memory for any S, so that sums have one order."""
    return net.h[-1].swapaxes(0, 1).copy()


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


def backward(net, d_logits):
    """Write the gradient of the loss of the last forward pass into net.grad (S, P). d_logits: (S, O, B).

    The derivatives within each step do not depend on the errors of later steps, so they are computed first, for all
    steps. This overwrites the activations: net.a holds dz afterwards.
    """
    p, d, H, part, dh_dc, dz_penalty = net.p, net.d, net.H, net.part, net.dh_dc, net.dz_penalty
    dh_rows = net.error[H : 2 * H]
    np.matmul(d_logits, last_h(net).transpose(0, 2, 1), out=d.V)  # dV = d_logits h_T^T
    d_logits.sum(axis=2, keepdims=True, out=d.b)  # db = sum of d_logits over the batch
    np.matmul(p.V.transpose(0, 2, 1), d_logits, out=dh_rows.swapaxes(0, 1))  # dh_T = V^T d_logits
    np.copyto(net.W_hT, p.W[:, :, :H].transpose(0, 2, 1))  # W_h^T

    i, o, g = net.row.values()
    np.tanh(net.c[1:], out=part)  # tanh(c)
    np.multiply(net.h, part, out=part)  # h tanh(c) = o tanh(c)^2
    np.subtract(o, part, out=dh_dc)  # dh/dc = o (1 - tanh(c)^2)
    np.multiply(i, g, out=part)  # i g
    np.multiply(part, g, out=g)  # i g^2
    np.subtract(i, g, out=g)  # dc/dz_g = i (1 - g^2)
    np.multiply(i, net.penalty_rate, out=dz_penalty)  # penalty / (T H B) i
    np.subtract(1, net.gates, out=net.gates)  # 1 - i, 1 - o
    np.multiply(dz_penalty, i, out=dz_penalty)  # penalty / (T H B) i (1 - i)
    np.multiply(i, part, out=i)  # dc/dz_i = i g (1 - i)
    np.multiply(o, net.h, out=o)  # dh/dz_o = o tanh(c) (1 - o) = h (1 - o)

    W_hT_times, dh_out = product(net.W_hT), seeds_first(dh_rows)
    add, copyto, multiply, error = np.add, np.copyto, np.multiply, net.error.ravel()
    dc, dh, dc_copy = np.split(error, 3)  # views of the rows of i, o, g
    dc.fill(0)  # no step comes after the last
    dc_from_h = np.empty_like(dc)
    for dz, a, dh_dc, dz_i, dz_penalty in net.backward_steps[::-1]:
        multiply(dh_dc, dh, dc_from_h)  # dh_t dh_t/dc_t
        add(dc, dc_from_h, dc)  # dc_t = dc_{t+1} + dh_t dh_t/dc_t
        copyto(dc_copy, dc)  # dc_t in the rows of g
        multiply(a, error, a)  # dz_o = dh_t dh_t/dz_o; dz_i, dz_g = dc_t dc_t/dz
        add(dz_i, dz_penalty, dz_i)  # dz_i = dc_t dc_t/dz_i + penalty / (T H B) i_t (1 - i_t)
        W_hT_times(dz, dh_out)  # dh_{t-1} = W_h^T dz_t
    np.matmul(net.a.swapaxes(1, 2), net.v[:-1].transpose(0, 2, 3, 1), out=net.dW)  # dz_t v_t^T
    net.dW.sum(axis=0, out=d.W)  # dW = sum_t dz_t v_t^T


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
    """Check every parameter without and with a penalty, in float64; returns the exit status, 0 or 1."""
    H, T, B, ok = 4, 8, 6, True
    shapes = shapes_of(H)
    symbols, labels = make_batch(stream(2, TRAIN), np.full(B, T), marker_ranges(T))
    theta = 0.5 * stream(2, INIT).standard_normal((1, sum(map(math.prod, shapes.values()))))
    for penalty in 0, 1, 30:

        def loss(population):
            net = Network(population, H, T, B)
            per_sequence, _ = cross_entropy(forward(net, symbols[:, None]), labels[None].repeat(len(population), 0))
            return per_sequence.mean(axis=1) + penalty * net.row["i"].mean(axis=(0, 1, 3))

        numerical = numerical_gradient(loss, theta[0])
        net = Network(theta, H, T, B, penalty)
        for answer in (labels + 1) % O, labels:  # the second pass must not depend on what the first left in net
            _, d_logits = cross_entropy(forward(net, symbols[:, None]), answer[None])
            backward(net, d_logits / B)
        ok &= compare_gradients(f"lstm, penalty {penalty}", net.grad[0], numerical, shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The held-out sequences of every seed, drawn once: [(symbols (T, S, n), labels (S, n)), ...], n = EVAL_BATCH."""
    n = math.ceil(options.eval_n / EVAL_BATCH) * EVAL_BATCH
    symbols, labels = draw_population(options, (EVAL,), n)
    cuts = [slice(k, k + EVAL_BATCH) for k in range(0, n, EVAL_BATCH)]
    return [(symbols[..., cut], labels[:, cut]) for cut in cuts]


def evaluate(net, batches, n):
    """Loss of the first n held-out sequences, the classes predicted, and the true ones, each (S, n)."""
    logits = np.concatenate([forward(net, symbols) for symbols, _ in batches], axis=2)[..., :n]
    labels = np.concatenate([labels for _, labels in batches], axis=1)[:, :n]
    return cross_entropy(logits, labels)[0], logits.argmax(axis=1), labels


def rows_of_seeds(array):
    """All values (T, S, B) of each seed in one row (S, T B) of float64, so that its sum does not depend on S."""
    return np.ascontiguousarray(array.swapaxes(0, 1), dtype=float).reshape(array.shape[1], -1)


def measure(net, batches):
    """Gates and writes over all whole batches of held-out sequences: {name: (S,)}; see the docstring of the script.

    The definitions are those of measure_lstm in studies/temporal_order_3bit.py, which does not have mean_gate.
    """
    parts = []
    for symbols, _ in batches:
        forward(net, symbols)
        i, o, g = net.row.values()
        output, part = o.max(axis=1), {}
        part["output_gate_at_end"] = rows_of_seeds(output[-1:]).mean(axis=1)
        part["output_gate_before"] = rows_of_seeds(output[:-1]).mean(axis=1)
        marker, distractor = (symbols >= X) & (symbols < START), symbols < X
        seen = marker.cumsum(axis=0)
        places = {"at_markers": marker, "at_distractors": distractor, "at_end": symbols == END}
        places |= {place: distractor & (seen == n) for n, place in enumerate(("before", "between", "after"))}
        values = {"gate": i.max(axis=1), "mean_gate": i.mean(axis=1), "write": np.abs(i * g).sum(axis=1)}
        for (name, value), (place, here) in itertools.product(values.items(), places.items()):
            part[f"{name}_{place}"] = rows_of_seeds(value * here).sum(axis=1) / rows_of_seeds(here).sum(axis=1)
        parts.append(part)
    measures = {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    for name in values:
        measures[f"{name}_selectivity"] = measures[f"{name}_at_markers"] / measures[f"{name}_at_distractors"]
    return measures


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, or half a cosine that falls to zero at the end of the run."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, adam, symbols, labels, options, alive):
    """One training step on symbols (T, S, B) with labels (S, B). Returns the cross-entropy (S,).

    If the loss, the gradient or the update of a seed is not finite, alive (S,) becomes False for this seed.
    """
    loss, d_logits = cross_entropy(forward(net, symbols), labels)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, d_logits / labels.shape[1])
    alive &= np.isfinite(loss) & np.isfinite(clip_by_norm(net.grad, CLIP))
    net.grad[~alive] = 0
    adam.update(net.grad, learning_rate(options, adam.step), options.beta2, alive)
    return loss


def train(options):
    """Train the networks of all seeds. Returns the values for results.json and the arrays for snapshots.npz."""
    S, H, T, B, steps = len(options.seeds), options.hidden, options.T, options.batch, options.steps
    theta = init_theta(options)
    adam, net = Adam(theta), Network(theta, H, T, B, options.penalty)
    eval_net, batches = Network(theta, H, T, EVAL_BATCH), held_out(options)
    history = {"step": [], "train_loss": [], "val_loss": [], "val_accuracy": []}
    loss_sum, alive, diverged_at = np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        if step % options.eval_every == 0 or step == steps:
            loss, predicted, truth = evaluate(eval_net, batches, options.eval_n)
            accuracy = (predicted == truth).mean(axis=1)
            since = step - (history["step"] or [0])[-1]
            train_loss = loss_sum / (since or np.nan)
            values = {"train_loss": train_loss, "val_loss": loss.mean(axis=1), "val_accuracy": accuracy}
            history["step"].append(step)
            for name, value in values.items():
                history[name].append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            told = f"median accuracy {np.median(accuracy):.4g}  solved {(alive & (accuracy == 1)).sum()} of {S}"
            print(f"step {step:6} of {steps}  {told}", flush=True)
        if step == steps:
            break
        k = step % CHUNK
        if k == 0:
            symbols, labels = draw_population(options, (TRAIN, step // CHUNK), CHUNK * B)
        batch = slice(k * B, (k + 1) * B)
        loss_sum += update(net, adam, symbols[..., batch], labels[:, batch], options, alive)
        diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if step + 1 == ESTIMATED_AFTER:
            seconds = (time.perf_counter() - started) / ESTIMATED_AFTER * steps
            print(f"estimated time: {seconds:.0f} s", flush=True)
    measures = {name: np.where(alive, value, np.nan) for name, value in measure(eval_net, batches).items()}
    result = {
        "trainable_parameters": theta.shape[1],
        "wall_clock_s": wall_clock_s,
        "sequences_seen": [B * (at or steps) for at in diverged_at],
        "diverged_at_step": diverged_at,
        "history": history,
        "final": {name: history[name][-1] for name in ("val_accuracy", "val_loss")} | measures,
        **{f"sequences_to_{percent}": first_reached(history, percent / 100, B) for percent in (95, 100)},
    }
    place, lengths, ranges = options.seeds.index(options.record), np.full(O, T), marker_ranges(T)
    x, y = make_batch(stream(options.record, RECORD), lengths, ranges, labels=range(O))
    record_net = Network(theta[place : place + 1], H, T, O)
    p, states = softmax(forward(record_net, x[:, None]))[0][0], {"h": record_net.h, "c": record_net.c[1:]}
    arrays = {name: array[:, :, 0] for name, array in (states | record_net.row).items()} | {"x": x, "y": y, "p": p}
    return result, arrays | {f"weights/{name}": array for name, array in vars(net.p).items()}


def first_reached(history, level, batch):
    """Sequences of each seed up to the first evaluation with an accuracy of at least level; None if there is none."""
    reached = np.array(history["val_accuracy"]) >= level
    first = batch * np.array(history["step"])[reached.argmax(axis=0)]
    return [n if ever else None for n, ever in zip(first, reached.any(axis=0))]


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
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which seeds")
    add("--penalty", type=float, default=0.1, help="factor of the mean input gate in the loss; 0: no penalty")
    add("--T", type=positive, default=50, help="steps of a sequence; marker ranges scale with T")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, default=1500, help="updates")
    add("--batch", type=positive, default=32, help="sequences of a step")
    add("--hidden", type=positive, default=4, help="cells of the LSTM")
    add("--input-gate-bias", type=float, default=-4.0, help="initial bias of the input gates")
    add("--lr", type=real, default=0.025, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "constant"], default="cosine", help="falls to zero, or not")
    add("--beta2", type=real, default=0.95, help="Adam's decay rate of the second moment")
    add("--eval-every", "--eval_every", type=positive, default=50, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--record", type=int, metavar="SEED", help="seed whose states are recorded (if not given: the first)")
    add("--dtype", choices=["float32", "float64"], default="float32", help="type of numbers in training")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not in this script; it prints how to run in resumable parts")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check all gradients")
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
    problems = [
        ("eval_every", changed.get("eval_every", 0) > options.steps, f"more than the {options.steps} steps"),
        ("resume", options.resume, f"not in this script; python3 -m studies run -- {SCRIPT} ... can be resumed"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
        ("T", options.T < SHORTEST, f"{options.T} steps are too few for two markers, the least is {SHORTEST}"),
        ("beta2", options.beta2 >= 1, f"{options.beta2:g} is not below 1"),
        ("penalty", not 0 <= options.penalty < math.inf, f"{options.penalty:g} is not a number of at least 0"),
        ("input_gate_bias", not math.isfinite(options.input_gate_bias), "a finite number is wanted"),
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    run = results["runs"]["lstm"]
    print(f"\nseeds that end at accuracy 1.000: {run['final']['val_accuracy'].count(1)} of {len(results['seeds'])}")
    rows = {"sequences to 100 %": run["sequences_to_100"]}
    rows |= {f"widest input gate at {where}": run["final"][f"gate_at_{where}"] for where in ("markers", "distractors")}
    for name, values in rows.items():
        x, form = np.array([value for value in values if value is not None]), ",.0f" if "to" in name.split() else ".4f"
        spread = f"median {np.median(x):{form}} [{x.min():{form}}, {x.max():{form}}]" if x.size else "-"
        print(f"{name}: {spread}")
    for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
        print(f"seed {seed} was frozen at step {step}, where its loss or gradient was not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: not used."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}
    seeds = options.seeds
    open_output(options, config, parser)
    print(f"{SCRIPT}: {words(changed) or 'the headline'}; writes {options.out}", flush=True)
    with np.errstate(all="ignore"):
        result, arrays = train(options)
    arrays = {f"lstm/{name}": array for name, array in arrays.items()}
    results = {"schema": 1, "experiment": EXPERIMENT, "command": shlex.join(["python3", SCRIPT, *argv]),
               "config": config, "environment": environment(), "seeds": seeds, "runs": {"lstm": result}}  # fmt: skip
    write_run(Path(options.out), results, arrays)
    print_summary(json.loads(to_json(results)))
    print(f"\nwrote {Path(options.out, 'results.json')} and snapshots.npz")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}")
