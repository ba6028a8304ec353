#!/usr/bin/env python3
"""The multiplication problem: two numbers of a long sequence are marked; the answer at its end is their product.

Experiment 5 of S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997.

The problem. At each step the network sees a pair: a number from U[0, 1] and a marker. The marker is -1 at the first and
at the last step, 1 at two steps between them, and 0 elsewhere. The first 1 is at a step in [1, 9], the second at a step
in [10, max(10, ceil(T / 2) - 1)]; 9 to 19 steps follow it. After the last step the network gives the product of the two
marked numbers, x1 and x2 (with --task add: half their sum, as in experiment 4 of the paper). T is drawn from [20, 30]
for each training batch; held-out sequences have T = 30.

The network. At step t all units read v_t = [h_{t-1}; x_t; 1]; x_t is the pair of step t.

    LSTM    o_t = sigma(W_o v_t)    i_t = sigma(W_i v_t)    f_t = sigma(W_f v_t)    g_t = tanh(W_g v_t)
            c_t = f_t c_{t-1} + i_t g_t    h_t = o_t tanh(c_t)        with --no-forget-gate, as in 1997: f_t = 1
            y = sigma(V h_T + b), loss = (y - target)^2, averaged over the batch

W has the rows of o, i, [f], g in this order, one row of each per cell. Training: backpropagation through all steps,
clipping of the gradient's norm at 1, Adam. --recipe sets the learning rate and the initial biases of the gates; see
RECIPES.

Mean squared errors for comparison. The best constant answer has an error of 7/144 = 0.049. The best answer from only
one number is x1 / 2; its error is 1/36 = 0.028. The best linear function of x1 and x2 has an error of 1/144 = 0.0069.
The best function of their sum has an error of 1/540 = 0.0019. An error below 0.03 counts as solved here, as in the
write-up, although one number is enough for it. The report also uses the limit 0.001. (With --task add, a constant has
an error of 1/24 = 0.042, and one number is enough for 1/48 = 0.021. An error below 1/144 counts as solved.)

Axes of arrays: S seeds (independent networks, trained together), T steps, B sequences of a batch, D = 2 inputs,
H cells, K = H + D + 1 rows of v_t, G gates of a cell, R = (G + 1) H rows of gates and candidates, P parameters of a
network. Arrays are (T, rows, S, B); seeds_first gives the view that a matrix product takes.

Names. a: net inputs z, then activations, then local derivatives, then dz. ig: i_t g_t. part: a factor that several
local derivatives share. d<name>: the gradient of the loss with respect to <name>. error (R, S, B): dh in the rows of o,
dc in the others.

The headline, python3 multiplication_problem.py, trains one seed. It ends with:

          parameters   solved   test MSE: median [range]    sequences to 0.03  seconds
    lstm         361      1/1  8.3e-05 [8.3e-05, 8.3e-05]                9,600      1.2

It writes results/multiplication_problem. Every other command writes runs/multiplication_problem/<the options that
differ>, unless --out names a folder. results.json has the settings, the history of every seed, the loss of each
training batch of the recorded seed (history/batch_loss) and the final values. snapshots.npz has, under lstm/, N
snapshots of the recorded seed on five sequences, its final answers to the n held-out sequences, and the weights of all
seeds after the last step. The last snapshot is after the last step.

    step (N,)   x (T, 2, 5) numbers and markers   y (5,) targets   answer (N, 5)
    h, c, and the gates o, i, [f], each (N, T, H, 5)
    test_numbers (2, n) x1 and x2   test_target (n,)   test_answer (n,)
    weights/W (S, R, K)   weights/V (S, 1, H)   weights/b (S, 1, 1)

How this differs from the paper: T in [20, 30] instead of 100 to 110 (--T-min, --T-max); the first marker is never at
the first step (in the paper it can be there, and x1 is then 1); the second marker is at step 10 or later (in the paper
it is at any unmarked step of the first half); backpropagation through time, batches, Adam and clipping instead of
truncated gradients, single sequences and plain gradient descent; forget gates, and eight cells that do not share gates
(361 weights), instead of two blocks of two cells (93 weights); tanh for both squashing functions; training ends after a
fixed number of steps, while the paper's rule counts answers with an error above 0.04. The report,
results/multiplication_problem/README.md, says how this differs from the write-up from which it started.
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

EXPERIMENT = "multiplication_problem"
SCRIPT, HEADLINE = f"{EXPERIMENT}.py", f"results/{EXPERIMENT}"
NO_SETTINGS = ("out", "force", "resume", "gradcheck", "record_hidden")  # options that do not change results
D = 2
FIRST, SECOND_FROM = (1, 9), 10  # steps of the markers; the last step for the second one depends on T
SHORTEST = SECOND_FROM + 2  # steps; a shorter sequence has no room for a second marker before its end
TARGETS = {"multiply": lambda x: x[0] * x[1], "add": lambda x: (x[0] + x[1]) / 2}
RECIPES = {
    "default": {"steps": 4000, "lr": 0.02, "schedule": "cosine", "input_gate_bias": -6.0, "forget_gate_bias": 6.0},
    "writeup": {"steps": 8000, "lr": 0.005, "schedule": "constant", "input_gate_bias": 0.0, "forget_gate_bias": 1.0},
}
QUICK = {"steps": 300, "eval_n": 128}
LEVELS = {"0.03": 0.03, "1/144": 1 / 144, "0.001": 0.001}  # mean squared errors on held-out sequences
SOLVED = {"multiply": "0.03", "add": "1/144"}  # the first is the write-up's
CLIP, BETA2 = 1.0, 0.999
INIT, TRAIN, EVAL, RECORD, LENGTHS = range(5)  # the streams of random numbers of each seed
CHUNK = 16  # batches that are drawn at a time
SPAN = 2**16  # values of one variable that backward works on at a time; they fit into the caches
ESTIMATED_AFTER = 20  # the time of the run is estimated after this number of steps
EVAL_BATCH = 128  # held-out sequences that pass through the network together
RECORDED = 5  # sequences in a snapshot

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def second_until(T):
    """The last possible step of the second marker in T >= SHORTEST steps: ceil(T / 2) - 1, and at least 10."""
    return np.maximum(SECOND_FROM, (np.asarray(T) + 1) // 2 - 1)


def make_batch(rng, lengths):
    """Draw n sequences of the multiplication problem (experiment 5).

    lengths: (n,) steps of each sequence. Returns pairs (max(lengths), 2, n), float32, and the two marked numbers (2, n)
    in their order. A pair is a number from U[0, 1) and its marker: -1 at both ends, 1 at two steps, else 0. Steps after
    the end of a sequence hold numbers without a marker.
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
    """The number of steps of each batch of a chunk, (CHUNK,). It is the same for all seeds."""
    return stream(0, LENGTHS, chunk).integers(options.T_min, options.T_max, size=CHUNK, endpoint=True)


def draw_population(seeds, key, lengths):
    """Sequences of the same lengths (n,) for every seed, from its stream key.

    Returns pairs (max(lengths), 2, S, n) and the marked numbers (2, S, n).
    """
    drawn = [make_batch(stream(seed, *key), lengths) for seed in seeds]
    return np.stack([pairs for pairs, _ in drawn], axis=2), np.stack([numbers for _, numbers in drawn], axis=1)


# ------------------------------------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Cell:
    """The sizes and parts of an LSTM in which every cell has its own gates."""

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


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(cell, options):
    """Initial parameters (S, P): uniform in +-1 / sqrt(H), input weights in +-1 / sqrt(D); biases: options, or 0."""
    H = cell.hidden
    theta = np.stack([stream(seed, INIT).uniform(-1, 1, cell.P) for seed in options.seeds]).astype(options.dtype)
    p = views(theta, cell.shapes)
    p.W[:, :, :H] /= math.sqrt(H)
    p.W[:, :, H:-1] /= math.sqrt(D)
    p.W[:, :, -1] = 0
    p.V /= math.sqrt(H)
    p.b[...] = options.output_bias
    for k, gate in enumerate(cell.gates):
        bias = {"o": 0, "i": options.input_gate_bias, "f": options.forget_gate_bias}[gate]
        p.W[:, k * H : (k + 1) * H, -1] = bias
    return theta


class Network:
    """S networks with parameters theta (S, P), and every array that their passes write.

    T: steps of the longest sequence. B: sequences of a batch. backward: whether gradients will be computed.
    span: steps whose local derivatives backward computes at a time; if None, as many as the caches hold.
    """

    def __init__(self, cell, theta, T, B, backward=True, span=None):
        S, H, G = len(theta), cell.hidden, len(cell.gates)
        R, K = (G + 1) * H, H + D + 1

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.cell, self.p = cell, views(theta, cell.shapes)
        # With gate rows divided by 2, one tanh computes all activations: sigma(z) = (1 + tanh(z / 2)) / 2.
        self.scale = np.repeat([0.5] * G + [1.0], H).astype(theta.dtype)[:, None]
        self.half = np.array(0.5, theta.dtype)
        self.W_scaled, self.W_hT = zeros(S, R, K), zeros(S, H, R)

        self.v = zeros(T + 1, K, S, B)  # sources [h_{t-1}; x_t; 1]
        self.v[:, -1] = 1
        self.x, self.h = self.v[:-1, H:-1], self.v[1:, :H]
        self.a = zeros(T, R, S, B)
        self.gates = self.a[:, : G * H]
        self.row = {name: self.a[:, k * H : (k + 1) * H] for k, name in enumerate(cell.gates + "g")}
        self.c, self.ig = zeros(T + 1, H, S, B), zeros(H, S, B)
        i, f, o, g = (self.row.get(name, self.row["i"]) for name in "ifog")  # without forget gate f is not used
        arrays = self.a, self.h, self.gates, i, f, o, g, self.c[:-1], self.c[1:]
        self.forward_steps = list(zip(seeds_first(self.v), seeds_first(self.a), *map(by_step, arrays)))
        if not backward:
            return
        self.grad = zeros(S, cell.P)
        self.d = views(self.grad, cell.shapes)
        self.dW = zeros(T, S, R, K)
        self.span = span or max(1, min(T, SPAN // (H * S * B)))
        self.error = zeros(R, S, B)
        self.dh, self.dc = self.error[:H], self.error[H : 2 * H]  # the rows of o; the rows of i
        self.dc_copies = self.error[2 * H :].reshape(G - 1, -1)  # the rows of [f] and g
        self.part, self.dh_dc, self.f = (zeros(self.span, H, S, B) for _ in range(3))
        by_span = [itertools.cycle(by_step(array)) for array in (self.dh_dc, self.f)]  # step t uses entry t % span
        self.backward_steps = list(zip(seeds_first(self.a), by_step(self.a), *by_span))


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


def forward(net, pairs):
    """Run the networks over pairs (T, 2, S, B) from a zero state. Returns the answers after the last step, (S, B)."""
    T = len(pairs)
    np.copyto(net.x[:T], pairs)  # x_t
    np.multiply(net.p.W, net.scale, out=net.W_scaled)  # W / 2 in the rows of gates
    W_times, half, ig, forget_gate = product(net.W_scaled), net.half, net.ig.ravel(), net.cell.forget_gate
    add, multiply, tanh = np.add, np.multiply, np.tanh  # the result goes into their last argument
    for v, z, a, h, gates, i, f, o, g, c_before, c in net.forward_steps[:T]:
        W_times(v, z)  # z_t = W v_t; z_t / 2 in the rows of gates
        tanh(a, a)  # g_t = tanh(z_t); tanh(z_t / 2) in the rows of gates
        multiply(gates, half, gates)  # tanh(z_t / 2) / 2
        add(gates, half, gates)  # o_t, i_t, f_t = sigma(z_t) = 1/2 + tanh(z_t / 2) / 2
        multiply(i, g, ig)  # i_t g_t
        if forget_gate:
            multiply(f, c_before, c)  # f_t c_{t-1}
            add(c, ig, c)  # c_t = f_t c_{t-1} + i_t g_t
        else:
            add(c_before, ig, c)  # c_t = c_{t-1} + i_t g_t
        tanh(c, h)  # tanh(c_t)
        multiply(o, h, h)  # h_t = o_t tanh(c_t)
    return answer(net, last_h(net, T))


def last_h(net, T):
    """h_T of the last forward pass, (S, H, B). Rows come first in memory for any S, so that sums have one order."""
    return net.h[T - 1].swapaxes(0, 1).copy()


def answer(net, h):
    """The answers (..., S, B) of the networks to outputs h (..., S, H, B) of the last step."""
    z = net.p.V @ h + net.p.b  # V h_T + b
    return net.half + net.half * np.tanh(net.half * z)[..., 0, :]  # y = sigma(z) = 1/2 + tanh(z / 2) / 2


def squared_error(y, target):
    """Loss (S, B) of answers y = sigma(z), (S, B), under targets (S, B), and its gradient with respect to z, (S, B)."""
    error = y - target
    return error * error, 2 * error * y * (1 - y)  # (y - target)^2, 2 (y - target) y (1 - y)


# -------------------------------------------------------------------------------------------------- backward


def backward(net, T, dz_out):
    """Write the gradient of the loss of the last forward pass into net.grad (S, P). dz_out: (S, B).

    dz_out: the gradient with respect to the net inputs of the answers. This overwrites the activations of the T steps:
    net.a holds dz afterwards.
    """
    p, d, dh, dc, error = net.p, net.d, net.dh.ravel(), net.dc.ravel(), net.error.ravel()
    np.matmul(dz_out[:, None], last_h(net, T).transpose(0, 2, 1), out=d.V)  # dV = dz_out h_T^T
    dz_out[:, None].sum(axis=2, keepdims=True, out=d.b)  # db = sum of dz_out over the batch
    np.matmul(p.V.transpose(0, 2, 1), dz_out[:, None], out=net.dh.swapaxes(0, 1))  # dh_T = V^T dz_out
    np.copyto(net.W_hT, p.W[:, :, : net.cell.hidden].transpose(0, 2, 1))  # W_h^T
    W_hT_times, dh_out, forget_gate = product(net.W_hT), seeds_first(net.dh), net.cell.forget_gate
    add, copyto, multiply = np.add, np.copyto, np.multiply
    dc.fill(0)  # no step comes after the last
    dc_from_h, dc_copies = np.empty_like(dc), net.dc_copies
    for first in range((T - 1) // net.span * net.span, -1, -net.span):
        steps = slice(first, min(first + net.span, T))
        local_derivatives(net, steps)
        for dz, a, dh_dc, f in net.backward_steps[steps][::-1]:
            multiply(dh_dc, dh, dc_from_h)  # dh_t dh_t/dc_t
            add(dc, dc_from_h, dc)  # dc_t = dc_t through c_{t+1} + dh_t dh_t/dc_t
            copyto(dc_copies, dc)  # dc_t in all rows of error except those of o
            multiply(a, error, a)  # dz_o = dh_t dh_t/dz_o; dz_i, dz_f, dz_g = dc_t dc_t/dz
            if forget_gate:
                multiply(dc, f, dc)  # dc_{t-1} through c_t = dc_t f_t
            W_hT_times(dz, dh_out)  # dh_{t-1} = W_h^T dz_t
        dz, v_transposed = net.a[steps].swapaxes(1, 2), net.v[steps].transpose(0, 2, 3, 1)
        np.matmul(dz, v_transposed, out=net.dW[steps])  # dz_t v_t^T
    net.dW[:T].sum(axis=0, out=d.W)  # dW = sum_t dz_t v_t^T


def local_derivatives(net, steps):
    """Compute the derivatives within each step of a slice of steps. They do not depend on the errors of later steps.

    net.a: dh/dz for the net inputs z of o, dc/dz for the others; they replace the activations. net.dh_dc: dh/dc. net.f:
    dc_t/dc_{t-1}.
    """
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
    np.subtract(1, gates, out=gates)  # 1 - o, 1 - i, 1 - f
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
    T, B, ok = 13, 16, True
    pairs, numbers = make_batch(stream(2, TRAIN), np.full(B, T))
    pairs, numbers = pairs[:, :, None], numbers[:, None].astype(float)
    for forget_gate, (task, target_of) in itertools.product((True, False), TARGETS.items()):
        cell, target = Cell(4, forget_gate), target_of(numbers)

        def loss(population):
            net = Network(cell, population, T, B, backward=False)
            return squared_error(forward(net, pairs), target)[0].sum(axis=1)

        theta = 0.5 * stream(2, INIT).standard_normal((1, cell.P))
        numerical = numerical_gradient(loss, theta[0])
        variant = f"{'' if forget_gate else 'no '}forget gate, {task}"
        for span in T, 5:
            net = Network(cell, theta, T, B, span=span)
            for wanted in 1 - target, target:  # the second pass must not depend on what the first left in net
                _, dz_out = squared_error(forward(net, pairs), wanted)
                backward(net, T, dz_out)
            ok &= compare_gradients(f"{variant}, spans of {span}", net.grad[0], numerical, cell.shapes)
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def held_out(options):
    """The held-out sequences of every seed, all of T_max steps, drawn once: [(pairs (T, 2, S, n), numbers), ...].

    n = EVAL_BATCH; numbers (2, S, n) are the marked numbers. All sequences depend on the number of batches.
    """
    count = math.ceil(options.eval_n / EVAL_BATCH)
    pairs, numbers = draw_population(options.seeds, (EVAL,), [options.T_max] * (count * EVAL_BATCH))
    return list(zip(np.split(pairs, count, axis=3), np.split(numbers, count, axis=2)))


def evaluate(net, batches, n):
    """Answers (S, n) to the first n held-out sequences, and their marked numbers (2, S, n)."""
    answers = np.concatenate([forward(net, pairs) for pairs, _ in batches], axis=1)
    return answers[:, :n], np.concatenate([numbers for _, numbers in batches], axis=2)[:, :, :n]


def snapshot(net, pairs):
    """Copies of h, c, the gates and the answers of the network of one seed on recorded pairs (T, 2, n)."""
    answers = forward(net, pairs[:, :, None])
    arrays = {"h": net.h, "c": net.c[1:]} | {gate: net.row[gate] for gate in net.cell.gates}
    return {name: array[:, :, 0].copy() for name, array in arrays.items()} | {"answer": answers[0]}


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, or half a cosine that falls to zero at the end of the run."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def update(net, adam, pairs, targets, options, alive):
    """One training step on pairs (T, 2, S, B) with targets (S, B). Returns the loss (S,).

    If the loss, the gradient or the update of a seed is not finite, alive (S,) becomes False for this seed.
    """
    loss, dz_out = squared_error(forward(net, pairs), targets)
    loss = loss.sum(axis=1) / loss.shape[1]
    backward(net, len(pairs), dz_out / targets.shape[1])
    alive &= np.isfinite(loss) & np.isfinite(clip_by_norm(net.grad, CLIP))
    net.grad[~alive] = 0
    adam.update(net.grad, learning_rate(options, adam.step), BETA2, alive)
    return loss


def train(cell, options, watch=None):
    """Train the networks of all seeds. Returns their part of results.json and their arrays for snapshots.npz.

    watch(net, batches) is called at each evaluation with the held-out sequences; the history also records its values, a
    dict of (S,).
    """
    S, B, steps, T = len(options.seeds), options.batch, options.steps, options.T_max
    theta = init_theta(cell, options)
    adam, recorded = Adam(theta), options.seeds.index(options.record)
    net = Network(cell, theta, T, B)
    eval_net, batches = Network(cell, theta, T, EVAL_BATCH, backward=bool(watch)), held_out(options)
    record_net = Network(cell, theta[recorded : recorded + 1], T, RECORDED, backward=False)
    x, recorded_numbers = make_batch(stream(options.record, RECORD), [T] * RECORDED)
    target_of = TARGETS[options.task]
    history = {"step": [], "train_loss": [], "test_mse": [], "batch_loss": np.full(steps, np.nan)}
    snapshots, loss_sum, alive, diverged_at = {"step": []}, np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        early = 5 * step < steps  # most of the learning is early
        if step % max(1, options.snapshot_every // (5 if early else 1)) == 0 or step == steps:
            for name, value in ({"step": step} | snapshot(record_net, x)).items():
                snapshots.setdefault(name, []).append(value)
        if step % options.eval_every == 0 or step == steps:
            answers, test_numbers = evaluate(eval_net, batches, options.eval_n)
            mse = np.square(answers - target_of(test_numbers)).mean(axis=1)
            since = step - (history["step"] or [0])[-1]
            values = {"train_loss": loss_sum / (since or np.nan), "test_mse": mse}
            values |= watch(eval_net, batches) if watch else {}
            history["step"].append(step)
            for name, value in values.items():
                history.setdefault(name, []).append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            solved = alive & (mse < LEVELS[SOLVED[options.task]])
            print_progress("lstm", history, "test_mse", solved, steps, wall_clock_s)
        if step == steps:
            break
        if step % CHUNK == 0:
            lengths = training_lengths(options, step // CHUNK)
            pairs, numbers = draw_population(options.seeds, (TRAIN, step // CHUNK), np.repeat(lengths, B))
            targets = target_of(numbers)
        k = step % CHUNK
        batch = slice(k * B, (k + 1) * B)
        loss = update(net, adam, pairs[: lengths[k], ..., batch], targets[:, batch], options, alive)
        loss_sum += loss
        history["batch_loss"][step] = loss[recorded] if alive[recorded] else np.nan
        diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if step + 1 == ESTIMATED_AFTER:
            print(f"estimated time: {(time.perf_counter() - started) / ESTIMATED_AFTER * steps:.0f} s", flush=True)
    result = {
        "trainable_parameters": cell.P,
        "wall_clock_s": wall_clock_s,
        "sequences_seen": [B * (at or steps) for at in diverged_at],
        "diverged_at_step": diverged_at,
        "history": history,
        "final": {"test_mse": history["test_mse"][-1]},
        "sequences_to": {name: first_below(history, level, B) for name, level in LEVELS.items()},
    }
    test_numbers = test_numbers[:, recorded]
    test = {"test_numbers": test_numbers, "test_target": target_of(test_numbers), "test_answer": answers[recorded]}
    weights = {f"weights/{name}": array for name, array in vars(net.p).items()}
    return result, snapshots | {"x": x, "y": target_of(recorded_numbers)} | test | weights


def first_below(history, level, batch):
    """Sequences of each seed up to the first evaluation with a test_mse below level; None if there is none."""
    below = np.array(history["test_mse"]) < level
    first = batch * np.array(history["step"])[below.argmax(axis=0)]
    return [n if ever else None for n, ever in zip(first, below.any(axis=0))]


def print_progress(variant, history, metric, solved, steps, wall_clock_s):
    """Print one line about the last evaluation: medians over seeds, number of seeds solved (S,), time left."""
    step = history["step"][-1]
    finite = {name: [x for x in history[name][-1] if np.isfinite(x)] or [np.nan] for name in ("train_loss", metric)}
    medians = "  ".join(f"{name.replace('_', ' ')} {np.median(values):.4g}" for name, values in finite.items())
    left = f"  {(steps - step) * wall_clock_s / step:.0f} s left" if step else ""
    print(f"{variant:8} step {step:6} of {steps}  {medians}  solved {solved.sum()} of {len(solved)}{left}", flush=True)


def run(options, watch=None):
    """Train the network of the options. Returns {"lstm": its part of results.json} and arrays for snapshots.npz."""
    result, arrays = train(Cell(options.hidden, options.forget_gate), options, watch)
    return {"lstm": result}, {f"lstm/{name}": np.asarray(array) for name, array in arrays.items()}


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
    add("--task", choices=TARGETS, default="multiply", help="the target: the product, or half the sum")
    add("--T-min", type=positive, default=20, help="smallest number of steps of a training sequence")
    add("--T-max", type=positive, default=30, help="largest number of steps, and number of steps of held-out sequences")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, help="updates")
    add("--batch", type=positive, default=32, help="sequences in a step")
    add("--hidden", type=positive, default=8, help="cells")
    add("--forget-gate", action=argparse.BooleanOptionalAction, default=True, help="cells with a forget gate")
    add("--input-gate-bias", type=float, help="initial bias of the input gates")
    add("--forget-gate-bias", type=float, help="initial bias of the forget gates")
    add("--output-bias", type=float, default=0.0, help="initial bias of the output unit")
    add("--lr", type=real, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "constant"], help="the learning rate falls to zero, or is constant")
    add("--eval-every", "--eval_every", type=positive, default=100, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--snapshot-every", "--snapshot_every", type=positive, default=100, help="steps between snapshots; "
        "five times as often in the first fifth of the run")  # fmt: skip
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
    parser.set_defaults(record=first.seeds[0], **RECIPES[first.recipe] | (QUICK if first.quick else {}))
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    every = [name for name in ("eval_every", "snapshot_every") if options.steps < getattr(options, name)]
    biases = "input_gate_bias", "forget_gate_bias", "output_bias"
    problems = [
        *(
            (name, getattr(options, name) != getattr(base, name), f"more than the {options.steps} steps")
            for name in every
        ),
        ("resume", options.resume, f"not in this script; python3 -m studies run -- {SCRIPT} ... can be resumed"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("out", options.out == "", "a folder is wanted"),
        ("T_min", options.T_min < SHORTEST, f"{options.T_min} steps are too few, the least is {SHORTEST}"),
        ("T_min", options.T_min > options.T_max, f"{options.T_min} is more than --T-max {options.T_max}"),
        *((name, not math.isfinite(getattr(options, name)), "a finite number is wanted") for name in biases),
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    level = SOLVED[results["config"]["task"]]
    print(f"\n      parameters   solved   test MSE: median [range]{'sequences to ' + level:>21}  seconds")
    for variant, run in results["runs"].items():
        mse = np.array([value for value in run["final"]["test_mse"] if value is not None])
        median = np.median([math.inf if n is None else n for n in run["sequences_to"][level]])
        spread = f"{np.median(mse):.1e} [{mse.min():.1e}, {mse.max():.1e}]" if mse.size else "-"
        n = f"{median:,.0f}" if median < math.inf else "-"
        solved = f"{(mse < LEVELS[level]).sum()}/{len(results['seeds'])}"
        print(f"{variant:5}{run['trainable_parameters']:11}{solved:>9}{spread:>28}{n:>21}{run['wall_clock_s']:9.1f}")
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
