#!/usr/bin/env python3
"""Baselines of 1997: task 2a by RTRL and by BPTT, and task 3a by random guessing of weights.

S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997, compares the LSTM
with other methods. lstm_1997.py has the LSTM on the same tasks; here each trial has the sequences that it has there.

--method rtrl and bptt: task 2a (Table 2). There are two strings, x a_1 ... a_(p-1) x and y a_1 ... a_(p-1) y, equally
likely. At each of p steps the network reads a symbol and predicts the next one. A trial is solved if all outputs are
within 0.25 of their targets at every step of both strings. It is tested with frozen weights every --test-every
sequences. It fails if it is not solved after --steps sequences. The network has one self-recurrent hidden unit, and
each layer receives all layers below. Units are logistic and have no biases:

    net_t = W^T x_t + r h_{t-1}    h_t = sigma(net_t)    z_t = A^T x_t + V h_t    y_t = sigma(z_t)

x_t is one-hot, one of D = p + 1 symbols; there are O = p + 1 outputs. The hidden unit has D + 1 weights w = [W; r], the
outputs have O weights V and D O weights A. This gives 36 weights for p = 4, 144 for p = 10, 10,404 for p = 100, as in
the paper. The cost is half the squared error, summed over steps, or the cross-entropy (--cost entropy):

    dz = (y - target) y (1 - y), or y - target    dV = sum_t dz_t h_t    dA = sum_t x_t dz_t^T

RTRL carries the derivative q of h with respect to w forward in time. BPTT carries errors backward in time. Both give
the gradient of a sequence:

    RTRL:  q_t = h_t (1 - h_t) ([x_t; h_{t-1}] + r q_{t-1})     dw = sum_t q_t V^T dz_t
    BPTT:  dnet_t = h_t (1 - h_t) (V^T dz_t + r dnet_{t+1})     dw = sum_t [x_t; h_{t-1}] dnet_t

Weights change after each sequence, or at every step (--update step, the default of RTRL, which BPTT does not have). h
and q are 0 at the start of each sequence.

--method guess: tasks 3a-1 and 3a-2. The input is one number, for 100 to 110 steps. The first three numbers (3a-2: the
first number) are all 1 or all -1; the others are Gaussian noise of variance 0.2. The target at the end is 1 or 0. An
answer is wrong if it is off by 0.2 or more. All weights of a network are drawn uniformly from [-range, range], until a
network has no wrong answer to 256 test sequences. This network then answers 2,560 fresh sequences. A network is fully
recurrent. It has U logistic units; the first is the output, the others are hidden. Each unit receives all units at the
step before, the input and a bias, so there are U (U + 2) weights. Units start at 0:

    y_t = sigma(R y_{t-1} + I x_t + b)

A guess is rejected at its first wrong answer, in the order of the test sequences. We count guesses and test sequences.
A trial has the same guesses in both tasks, and the same tests as in lstm_1997.py.

Axes of arrays: S trials, T steps, D inputs, O outputs, P parameters; G guesses, B sequences, U units. Arrays are (T,
rows, S), parameters are (P, S). The order of symbols: a_1 to a_(p-1), x, y. d<name>: the gradient of the cost with
respect to <name>.

    python3 studies/baselines_1997.py                    # RTRL, p = 4, rate 1
    python3 studies/baselines_1997.py --method bptt
    python3 studies/baselines_1997.py --method guess --task 3a-2

The first command writes results/lstm_1997/baselines/rtrl-4-1. Every other command writes a folder runs/baselines_1997/
<the options that differ>, unless --out names one.

results.json has, under the name of the method, the usual entries. rules has the number of sequences until each trial
was solved, None if it failed; of guess also guesses, and wrong answers and mean absolute error on fresh sequences.
history and final of rtrl and bptt have absolute errors on both strings: mean_error, largest_error, and
largest_error_at_end, the largest of the last step, which needs a memory of the first symbol.

snapshots.npz: weights/w (S, D + 1), V (S, O), A (S, D, O), where A[d, k] is the weight from input d to output k; and of
the recorded trial, after training, h (T, 2) and output (T, O, 2) on the strings that start with x and y. guess:
weights/R (S, U, U), R[u, v] from unit v to unit u, I (S, U), b (S, U), which are NaN if no guess was accepted; and of
the recorded trial x (T, 4), length (4,), target (4,) and units (T, U, 4) on the first four test sequences.

What the paper leaves open: whether RTRL changes weights at every step (here: yes); when success is tested (here: every
100 sequences); initial weights (here: in [-0.2, 0.2], as in the LSTM of task 2a); the number of sequences for BPTT
(here: 200,000, which is 40 times the LSTM's mean); the network and the range of random guessing.
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

EXPERIMENT = "baselines_1997"
SCRIPT, HEADLINE = f"studies/{EXPERIMENT}.py", "results/lstm_1997/baselines/rtrl-4-1"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
QUICK = {"steps": 1000, "seeds": "0-2"}
INIT, TRAIN, TEST, EVAL = range(4)  # the streams of random numbers of each trial, numbered as in lstm_1997.py
CHUNK = 500  # sequences drawn at a time
ESTIMATED_AFTER = 1000  # the time of the run is estimated after this number of sequences
DEFAULTS = {  # of each method; an option that is not here has no effect
    "rtrl": {"task": "2a", "p": 4, "lr": 1.0, "update": "step", "cost": "squared", "init": 0.2, "test_every": 100,
             "steps": 5_000_000, "eval_every": 100_000},
    "bptt": {"task": "2a", "p": 100, "lr": 1.0, "update": "sequence", "cost": "squared", "init": 0.2,
             "test_every": 100, "steps": 200_000, "eval_every": 5_000},
    "guess": {"task": "3a-1", "hidden": 1, "range": 100.0, "steps": 1_000_000, "eval_n": 2560},
}  # fmt: skip
ERRORS = "mean_error", "largest_error", "largest_error_at_end"
TOLERANCE = {"2a": 0.25, "3a-1": 0.2, "3a-2": 0.2}
SIGNAL = {"3a-1": 3, "3a-2": 1}  # the number of first elements that show the class
SHORTEST, LONGEST = 100, 110  # steps of task 3a
GUESSES = 500  # guesses drawn at a time
NUMBERS = "guesses", "sequences", "wrong", "mean_error"  # of a trial whose guess was accepted
STAGES = (0, 8, 64, 256)  # the test of task 3a: guesses that are right so far get the next part


def shapes_of(p):
    """The shapes of the parameters of the network of task 2a. w: the hidden unit's weights, from inputs and itself."""
    return {"w": (p + 2,), "V": (p + 1,), "A": (p + 1, p + 1)}


def size_of(p):
    """The number of parameters of the network of task 2a."""
    return sum(math.prod(shape) for shape in shapes_of(p).values())


assert [size_of(p) for p in (4, 10, 100)] == [36, 144, 10404], "the paper's Table 2"

# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def first_symbols(trials, chunk):
    """The first symbols of the sequences of a chunk of task 2a, one-hot: (CHUNK, 2, S), for x and for y."""
    symbols = [stream(trial, TRAIN, chunk).integers(2, size=CHUNK) for trial in trials]
    return (np.stack(symbols, axis=1)[:, None] == np.arange(2)[:, None]).astype(float)


def two_sequences(rng, n, signal):
    """Draw n sequences of task 3a: inputs x (T, n), numbers of steps (n,), targets (n,). Later steps are noise."""
    length = rng.integers(SHORTEST, LONGEST, size=n, endpoint=True)
    x = math.sqrt(0.2) * rng.standard_normal((LONGEST, n))
    target = rng.integers(2, size=n)
    x[:signal] = 2 * target - 1
    return SimpleNamespace(x=x, length=length, target=target.astype(float))


# ------------------------------------------------------------------------------------------------ parameters


def parts(theta, p):
    """Cut parameters theta (P, S) into named views (*shape, S), in the order of shapes_of."""
    named, start, S = SimpleNamespace(), 0, theta.shape[1]
    for name, shape in shapes_of(p).items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[start:stop].reshape(*shape, S))
        start = stop
    return named


def init_theta(p, trials, init):
    """Initial parameters (P, S), uniform in [-init, init]."""
    return np.stack([stream(trial, INIT).uniform(-init, init, size_of(p)) for trial in trials], axis=1)


class Network:
    """S networks of task 2a with parameters theta (P, S), and every array for a sequence of T = p steps.

    new: the arrays from which rate times the gradient is subtracted. They are views of theta if in_place; if not, they
    are views of change, which learn adds to theta after the sequence. S is at least 2; then sums over rows add the rows
    in the same order for every S.
    """

    def __init__(self, p, theta, in_place):
        D, S = p + 1, theta.shape[1]
        assert S > 1 and theta.flags.c_contiguous  # or else parts would be copies
        self.p, self.theta, self.change = p, theta, theta if in_place else np.zeros_like(theta)
        self.weights, self.new = parts(theta, p), parts(self.change, p)
        self.h, self.y = np.zeros((p + 1, S)), np.zeros((p, D, S))  # h_t is at t + 1; h[0] stays 0
        self.minus_h, self.dz, self.part = np.zeros((p + 1, S)), np.zeros((p, D, S)), np.zeros((p, D, S))
        self.target = np.zeros((p, D, S))
        self.target[np.arange(p - 1), np.arange(p - 1)] = 1  # a_1 to a_(p-1); the last target is x or y
        self.first = self.target[-1, p - 1 :]  # (2, S): the first symbol is the last target
        self.w_first, self.A_first, self.new_A_first = np.zeros(S), np.zeros((D, S)), np.zeros((D, S))
        # Arrays of RTRL. u: outputs and hidden unit of a step. q: derivatives of h with respect to w.
        self.u, self.slope, self.q = np.zeros((D + 1, S)), np.zeros((D + 1, S)), np.zeros((D + 1, S))
        self.net, self.z, self.dh, self.one = np.zeros(S), np.zeros((D, S)), np.zeros(S), np.array(1.0)
        w, A, new_A, q, one = self.weights.w, self.weights.A, self.new.A, self.q, self.one
        self.steps = [(self.w_first, self.A_first, self.new_A_first, q[p - 1 : D], self.first, self.target[0])]
        self.steps += [(w[k], A[k], new_A[k], q[k], one, self.target[k + 1]) for k in range(p - 1)]  # a_1 to a_(p-1)

    def start(self, first):
        """Begin a sequence with these symbols, one-hot (2, S). Their weights are gathered in w_first and A_first."""
        self.first[...] = first
        w, A = self.weights.w[self.p - 1 : self.p + 1], self.weights.A[self.p - 1 :]  # of x and of y
        np.add.reduce(first * w, axis=0, out=self.w_first)  # w^T x_1
        np.add.reduce(first[:, None] * A, axis=0, out=self.A_first)  # A^T x_1
        self.new_A_first[...] = 0


def learn(net, first, method, rate, squared):
    """One step of gradient descent by a method, rtrl or bptt, on sequences that start with first (2, S), one-hot."""
    net.start(first)
    method(net, rate, squared)
    net.new.A[net.p - 1 :] += first[:, None] * net.new_A_first  # A - rate x_1 dz_1^T
    if net.change is not net.theta:
        net.theta += net.change  # theta - rate dtheta
        net.change[...] = 0


# ---------------------------------------------------------------------------------------------------- RTRL

add, subtract, multiply, negative = np.add, np.subtract, np.multiply, np.negative  # the last argument is the result
exp, reciprocal, add_rows = np.exp, np.reciprocal, np.add.reduce


def rtrl(net, rate, squared):
    """One sequence by real-time recurrent learning. Weights change at every step if net.new are the weights."""
    w, V, new_w, new_V, q, u, slope = net.weights.w, net.weights.V, net.new.w, net.new.V, net.q, net.u, net.slope
    r, q_r, y, h, slope_y, slope_h = w[-1], q[-1], u[:-1], u[-1], slope[:-1], slope[-1]
    a, z, dh, minus_h, dz, part, one = net.net, net.z, net.dh, net.minus_h[1], net.dz[0], net.part[0], net.one
    part_w, rate = slope, np.array(rate)  # at the end of a step, slope is free
    minus_h[...] = q[...] = 0
    for w_x, A_x, new_A_x, q_x, x, target in net.steps:
        multiply(q, r, q)  # r q_{t-1}
        add(q_x, x, q_x)  # x_t + r q_{t-1}, for weights from inputs
        subtract(q_r, minus_h, q_r)  # h_{t-1} + r q_{t-1}, for r
        multiply(r, minus_h, a)  # -r h_{t-1}
        subtract(a, w_x, a)  # -net_t
        exp(a, a)  # exp(-net_t)
        add(a, one, a)  # 1 + exp(-net_t)
        reciprocal(a, h)  # h_t = sigma(net_t)
        negative(h, minus_h)  # -h_t
        multiply(V, minus_h, z)  # -V h_t
        subtract(z, A_x, z)  # -z_t
        exp(z, z)  # exp(-z_t)
        add(z, one, z)  # 1 + exp(-z_t)
        reciprocal(z, y)  # y_t = sigma(z_t)
        subtract(one, u, slope)  # 1 - y, 1 - h
        multiply(slope, u, slope)  # y (1 - y), h (1 - h)
        multiply(q, slope_h, q)  # q_t = h (1 - h) ([x_t; h_{t-1}] + r q_{t-1})
        subtract(y, target, dz)  # y - target
        if squared:
            multiply(dz, slope_y, dz)  # dz = (y - target) y (1 - y)
        multiply(dz, rate, dz)  # rate dz
        multiply(V, dz, part)  # rate V dz
        add_rows(part, 0, None, dh)  # rate V^T dz
        multiply(dz, minus_h, part)  # -rate dz h
        add(new_V, part, new_V)  # V - rate dz h
        subtract(new_A_x, dz, new_A_x)  # A - rate x dz^T
        multiply(q, dh, part_w)  # rate q V^T dz
        subtract(new_w, part_w, new_w)  # w - rate q V^T dz


# ---------------------------------------------------------------------------------------------------- BPTT


def forward(net):
    """Hidden unit h (T + 1, S) and outputs y (T, O, S) of the sequences that net.start began."""
    V, A, r, h, minus_h, y = net.weights.V, net.weights.A, net.weights.w[-1], net.h, net.minus_h, net.y
    a, one, middle = net.net, net.one, net.p - 1
    minus_h[0] = 0
    for t, w_x in enumerate([net.w_first, *net.weights.w[:middle]]):
        multiply(r, minus_h[t], a)  # -r h_{t-1}
        subtract(a, w_x, a)  # -net_t
        exp(a, a)  # exp(-net_t)
        add(a, one, a)  # 1 + exp(-net_t)
        reciprocal(a, h[t + 1])  # h_t = sigma(net_t)
        negative(h[t + 1], minus_h[t + 1])  # -h_t
    multiply(V, minus_h[1:, None], y)  # -V h_t
    subtract(y[0], net.A_first, y[0])  # -z_1
    subtract(y[1:], A[:middle], y[1:])  # -z_t
    exp(y, y)  # exp(-z_t)
    add(y, one, y)  # 1 + exp(-z_t)
    reciprocal(y, y)  # y_t = sigma(z_t)


def bptt(net, rate, squared):
    """One sequence by backpropagation through time."""
    w, V, new, h, y, dz, part, one, middle = (
        net.weights.w, net.weights.V, net.new, net.h, net.y, net.dz, net.part, net.one, net.p - 1)  # fmt: skip
    forward(net)
    subtract(y, net.target, dz)  # y - target
    if squared:
        multiply(dz, y, dz)  # (y - target) y
        subtract(one, y, part)  # 1 - y
        multiply(dz, part, dz)  # dz = (y - target) y (1 - y)
    multiply(dz, np.array(rate), dz)  # rate dz
    multiply(V, dz, part)  # rate V dz
    dnet = add_rows(part, 1)  # rate V^T dz, (T, S)
    slope_h = h[1:] * (1 - h[1:])  # h (1 - h)
    dnet[-1] *= slope_h[-1]  # dnet_T = h (1 - h) V^T dz_T, times rate, as below
    for t in range(len(dnet) - 2, -1, -1):
        dnet[t] += w[-1] * dnet[t + 1]  # V^T dz_t + r dnet_{t+1}
        dnet[t] *= slope_h[t]  # dnet_t = h (1 - h) (V^T dz_t + r dnet_{t+1})
    new.w[:middle] -= dnet[1:]  # w - rate x_t dnet_t, for a_1 to a_(p-1)
    new.w[middle : middle + 2] -= net.first * dnet[0]  # w - rate x_1 dnet_1, for x and y
    new.w[-1] -= add_rows(h[:-1] * dnet, 0)  # r - rate h_{t-1} dnet_t
    multiply(dz, h[1:, None], part)  # rate dz h
    new.V[...] -= add_rows(part, 0)  # V - rate dz h
    new.A[:middle] -= dz[1:]  # A - rate x_t dz_t^T, for a_1 to a_(p-1)
    net.new_A_first -= dz[0]  # A - rate x_1 dz_1^T, for x and y


METHODS = {"rtrl": rtrl, "bptt": bptt}

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


def for_all(first, theta):
    """The same first symbol, one-hot (2,), for all networks theta (P, S): (2, S)."""
    return np.repeat(first[:, None], theta.shape[1], axis=1)


def costs(p, theta, squared):
    """The cost of both strings, (S,), for networks theta (P, S)."""
    total, net = 0, Network(p, theta, in_place=False)
    for first in np.eye(2):
        net.start(for_all(first, theta))
        forward(net)
        cross_entropy = -np.log(np.where(net.target == 1, net.y, 1 - net.y))
        total = total + (0.5 * (net.y - net.target) ** 2 if squared else cross_entropy).sum(axis=(0, 1))
    return total


def gradient(p, theta, method, squared):
    """The gradient (P, S) of the cost of both strings by a method, for networks theta (P, S)."""
    total = 0
    for first in np.eye(2):
        after = theta.copy()
        learn(Network(p, after, in_place=False), for_all(first, theta), method, 1.0, squared)
        total = total + theta - after
    return total


def gradient_check():
    """Check every parameter, for both methods, both costs and three sizes, in float64. Returns 0 or 1."""
    ok = True
    for p in 2, 4, 10:
        theta = stream(3, INIT).standard_normal((size_of(p), 1)).repeat(2, axis=1)
        for cost in "squared", "entropy":
            squared = cost == "squared"
            numerical = numerical_gradient(lambda population: costs(p, population.T.copy(), squared), theta[:, 0])
            for name, method in METHODS.items():
                analytic = gradient(p, theta, method, squared)[:, 0]
                ok &= compare_gradients(f"{name}, p = {p}, {cost}", analytic, numerical, shapes_of(p))
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def examine(net):
    """Mean, largest, and largest error at the end, (S,) each, of networks on both strings, with these weights."""
    off = []
    for first in np.eye(2):
        net.start(for_all(first, net.theta))
        forward(net)
        off.append(np.abs(net.y - net.target))
    off = np.stack(off)  # (2, T, O, S)
    mean = add_rows(off.reshape(-1, off.shape[-1]), 0) / off[..., 0].size
    return mean, off.max(axis=(0, 1, 2)), off[:, -1].max(axis=(0, 1))


def population_of(p, theta, active, in_place):
    """The places (n,) of the trials that learn, and their networks. A trial that is alone runs twice; see Network."""
    places = np.nonzero(active)[0]
    places = np.resize(places, max(2, len(places)))
    return places, Network(p, np.take(theta, places, axis=1), in_place)


def train(options, watch=None):
    """Train all trials on task 2a until each is solved or has reached the cap.

    watch(theta), for theta (S, P), is called at each evaluation; the history also records its values, a dict of (S,).
    Returns the method's part of results.json and arrays for snapshots.npz.
    """
    p, trials, method, S = options.p, options.seeds, METHODS[options.method], len(options.seeds)
    in_place, squared = options.method == "bptt" or options.update == "step", options.cost == "squared"
    theta, step, chunk, started = init_theta(p, trials, options.init), 0, None, time.perf_counter()
    active, solved_at, diverged_at = np.ones(S, bool), [None] * S, [None] * S
    errors, history = {name: np.zeros(S) for name in ERRORS}, {"step": []}
    now, net = population_of(p, theta, active, in_place)
    while True:
        if step % options.test_every == 0 or step == options.steps:
            theta[:, now] = net.theta
            for name, values in zip(ERRORS, examine(net)):
                errors[name][now] = values
            for k in np.nonzero(active)[0]:
                if not np.isfinite(theta[:, k]).all():
                    active[k], diverged_at[k] = False, step
                elif errors["largest_error"][k] < TOLERANCE["2a"]:
                    active[k], solved_at[k] = False, step
        over = step == options.steps or not active.any()
        if step % options.eval_every == 0 or over:
            values = {"step": step} | errors | (watch(theta.T) if watch else {})
            for name, value in values.items():
                history.setdefault(name, []).append(np.copy(value).tolist())
            print_progress(options, step, errors, solved_at, time.perf_counter() - started)
        if over:
            break
        if not active[now].all():
            (now, net), chunk = population_of(p, theta, active, in_place), None
        if chunk != step // CHUNK:
            chunk = step // CHUNK
            drawn = first_symbols([trials[k] for k in now], chunk)
        stop = min((chunk + 1) * CHUNK, (step // options.test_every + 1) * options.test_every, options.steps)
        for first in drawn[step % CHUNK :][: stop - step]:
            learn(net, first, method, options.lr, squared)
        if step < ESTIMATED_AFTER <= stop:
            seconds = (time.perf_counter() - started) / stop * options.steps
            print(f"estimated time: {seconds:.0f} s, less if trials stop before the cap", flush=True)
        step = stop
    stopped_at = [diverged if solved is None else solved for solved, diverged in zip(solved_at, diverged_at)]
    seen = [step if stopped is None else stopped for stopped in stopped_at]
    result = {"trainable_parameters": size_of(p), "wall_clock_s": time.perf_counter() - started, "sequences_seen": seen,
              "diverged_at_step": diverged_at, "history": history, "final": errors, "cap": options.steps,
              "rules": [{"sequences": solved_at}]}  # fmt: skip
    return result, arrays_of(p, theta, trials.index(options.record))


def arrays_of(p, theta, record):
    """The arrays for snapshots.npz: weights theta (P, S) of all trials, and states of trial number record."""
    arrays = {f"weights/{name}": np.moveaxis(array, -1, 0) for name, array in vars(parts(theta, p)).items()}
    net = Network(p, np.take(theta, [record, record], axis=1), True)  # one network for each string
    net.start(np.eye(2))
    forward(net)
    return arrays | {"h": net.h[1:], "output": net.y}


def print_progress(options, step, errors, solved_at, seconds):
    """Print one line about the last evaluation: medians over trials, number of trials solved, time left."""
    medians = "  ".join(f"{name.replace('_', ' ')} {np.median(errors[name]):.3f}" for name in ERRORS)
    solved = f"{len(solved_at) - solved_at.count(None)} of {len(solved_at)}"
    left = f"  {(options.steps - step) * seconds / step:.0f} s left" if step else ""
    print(f"{options.method} step {step:7} of {options.steps}  {medians}  solved {solved}{left}", flush=True)


# --------------------------------------------------------------------------------------- guessing of weights


def run_units(weights, x):
    """Units y (T + 1, U, B, G) of G networks with weights (U, U + 2, G) on inputs x (T, B). y_t is at t + 1."""
    (T, B), (U, _, G) = x.shape, weights.shape
    y, minus_net, part, one = np.zeros((T + 1, U, B, G)), np.zeros((U, B, G)), np.zeros((U, B, G)), np.array(1.0)
    minus = np.ascontiguousarray(-weights.swapaxes(0, 1))[:, :, None]  # (U + 2, U, 1, G): of each source to all units
    minus_R, minus_I, minus_b = minus[:U], minus[U], minus[U + 1]
    for t in range(T):
        multiply(minus_I, x[t, :, None], minus_net)  # -I x_t
        add(minus_net, minus_b, minus_net)  # -(I x_t + b)
        for u in range(U):
            multiply(minus_R[u], y[t, u], part)  # -R_u y_{u,t-1}
            add(minus_net, part, minus_net)  # -(R y_{t-1} + I x_t + b), at the end
        exp(minus_net, minus_net)  # exp(-net_t)
        add(minus_net, one, minus_net)  # 1 + exp(-net_t)
        reciprocal(minus_net, y[t + 1])  # y_t = sigma(net_t)
    return y


def errors_at_end(weights, batch):
    """Absolute errors (B, G) of the answers of G networks to a batch of B sequences."""
    y = run_units(weights, batch.x[: batch.length.max()])
    return np.abs(y[batch.length, 0, np.arange(len(batch.length))] - batch.target[:, None])


def first_wrong(weights, batch, tolerance):
    """For each of G guesses: the place of its first wrong answer, or the number of sequences if all are right."""
    found, right = np.full(weights.shape[2], len(batch.length)), np.arange(weights.shape[2])
    for first, last in zip(STAGES, STAGES[1:]):
        part = SimpleNamespace(**{name: array[..., first:last] for name, array in vars(batch).items()})
        wrong = ~(errors_at_end(weights[:, :, right], part) < tolerance)
        fails = wrong.any(axis=0)
        found[right[fails]] = first + wrong[:, fails].argmax(axis=0)
        right = right[~fails]
        if not len(right):
            break
    return found


def guess(options, trial):
    """Guess weights for a trial. Returns weights (U, U + 2) and numbers: see NUMBERS, and sequences that were seen.

    If the cap comes first, weights are NaN and numbers are None.
    """
    U, signal, tolerance, guesses, seen = options.hidden + 1, SIGNAL[options.task], TOLERANCE[options.task], 0, 0
    batch = two_sequences(stream(trial, TEST), STAGES[-1], signal)
    while guesses < options.steps:
        rng, n = stream(trial, TRAIN, guesses // GUESSES), min(GUESSES, options.steps - guesses)
        weights = rng.uniform(-options.range, options.range, (GUESSES, U, U + 2))[:n].transpose(1, 2, 0)
        place = first_wrong(weights, batch, tolerance)
        accepted = np.nonzero(place == STAGES[-1])[0][:1]
        if len(accepted):
            place, weights = place[: accepted[0] + 1], weights[:, :, accepted]
        guesses, seen = guesses + len(place), seen + int(np.minimum(place + 1, STAGES[-1]).sum())
        if len(accepted):
            error = errors_at_end(weights, two_sequences(stream(trial, EVAL), options.eval_n, signal))
            wrong = int((~(error < tolerance)).sum())
            return weights[:, :, 0], (guesses, seen, wrong, float(error.mean())), seen
    return np.full((U, U + 2), np.nan), (None,) * len(NUMBERS), seen


def guess_all(options, watch=None):
    """Guess weights for all trials. Returns the method's part of results.json and arrays for snapshots.npz."""
    found, started, U = [], time.perf_counter(), options.hidden + 1
    for trial in options.seeds:
        found.append(guess(options, trial))
        told = zip(NUMBERS, found[-1][1])
        print(f"trial {trial}: {', '.join(f'{name} {value}' for name, value in told)}", flush=True)
    weights, told, seen = zip(*found)
    weights, rule = np.stack(weights), dict(zip(NUMBERS, map(list, zip(*told))))
    result = {"trainable_parameters": U * (U + 2), "wall_clock_s": time.perf_counter() - started,
              "sequences_seen": list(seen), "diverged_at_step": [None] * len(seen),
              "history": {"step": [options.steps], "solved": [[n is not None for n in rule["guesses"]]]},
              "final": {name: rule[name] for name in ("wrong", "mean_error")}, "cap": options.steps,
              "rules": [rule]}  # fmt: skip
    arrays = {"weights/R": weights[:, :, :U], "weights/I": weights[:, :, U], "weights/b": weights[:, :, U + 1]}
    batch = two_sequences(stream(options.record, TEST), STAGES[-1], SIGNAL[options.task])
    arrays |= {name: array[..., :4] for name, array in vars(batch).items()}
    recorded = weights[options.seeds.index(options.record), :, :, None]
    return result, arrays | {"units": run_units(recorded, arrays["x"])[1:, :, :, 0]}


@np.errstate(over="ignore")  # exp(-net) may become infinite; then sigma(net) is 0
def run(options, watch=None):
    """Run the method of the options. Returns {method: its part of results.json} and arrays for snapshots.npz."""
    result, arrays = (guess_all if options.method == "guess" else train)(options, watch)
    return {options.method: result}, {f"{options.method}/{name}": array for name, array in arrays.items()}


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
    add, number = parser.add_argument, partial(positive, kind=float)
    add("--method", choices=DEFAULTS, default="rtrl", help="RTRL or BPTT on task 2a, or guessing of weights on task 3a")
    add("--task", choices=TOLERANCE, help="row of the paper's tables (if not given, here and below: the method's)")
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which trials")
    add("--steps", "--n-steps", "--n_steps", "--iters", type=positive, help="sequences, or guesses, of a trial; a "
        "trial that needs more has failed")  # fmt: skip
    add("--p", type=positive, help="task 2a: steps of a sequence; there are p + 1 symbols")
    add("--lr", type=number, help="learning rate")
    add("--update", choices=["step", "sequence"], help="when weights change")
    add("--cost", choices=["squared", "entropy"], help="half the squared error, or cross-entropy")
    add("--init", type=number, help="initial weights are in [-init, init]")
    add("--test-every", type=positive, help="sequences between tests of success")
    add("--eval-every", "--eval_every", type=positive, help="sequences between entries of the history")
    add("--hidden", type=positive, help="guess: hidden units, besides the output unit")
    add("--range", type=number, help="guess: weights are in [-range, range]")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, help="guess: fresh test sequences")
    add("--record", type=int, metavar="SEED", help="trial whose states are recorded (if not given: the first)")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not possible here")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check the gradients of RTRL and BPTT")
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's or the method's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    defaults = DEFAULTS[first.method]
    quick = QUICK | ({"eval_every": 500} if "eval_every" in defaults else {}) if first.quick else {}
    parser.set_defaults(record=first.seeds[0], **defaults | quick)
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    of_methods = {name for of in DEFAULTS.values() for name in of}
    tests = options.test_every or 1
    problems = [
        *((name, name not in defaults and getattr(options, name) is not None,
           f"has no effect on --method {options.method}") for name in sorted(of_methods)),
        ("task", (options.task == "2a") != (defaults["task"] == "2a"), f"--method {options.method} has another task"),
        ("update", (options.method, options.update) == ("bptt", "step"), "bptt changes weights after each sequence"),
        ("p", options.p == 1, "1 is too small: the smallest p is 2"),
        ("eval_every", options.eval_every is not None and options.eval_every % tests > 0, f"not a multiple of {tests}, "
         "the number of sequences between tests"),
        ("eval_every", options.steps < (options.eval_every or 0) != base.eval_every,
         f"more than the {options.steps} steps"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("resume", options.resume, f"not possible here; python3 -m studies run -- {SCRIPT} keeps finished shards"),
        ("out", options.out == "", "a folder is wanted"),
    ]  # fmt: skip
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def settings(options):
    """The options that change results."""
    return {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print("\nmethod  weights    solved   number of       mean     median [range]")
    for name, run in results["runs"].items():
        for key, values in run["rules"][0].items():
            met = np.array([value for value in values if value is not None], dtype=float)
            form = ",.4f" if key == "mean_error" else ",.1f" if key == "wrong" else ",.0f"
            spread = f"{np.median(met):{form}} [{met.min():{form}}, {met.max():{form}}]" if met.size else "-"
            print(f"{name:8}{run['trainable_parameters']:7}{met.size:7}/{len(values):<5}{key.replace('_', ' '):11}"
                  f"{f'{met.mean():{form}}' if met.size else '-':>12}     {spread}")  # fmt: skip
        for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
            print(f"trial {seed} was frozen at step {step}, where its weights were not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: see train."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config, out = settings(options), Path(options.out)
    open_output(options, config, parser)
    what = f"{options.method}, task {options.task}{', ' * bool(changed)}{words(changed)}"
    print(f"{SCRIPT}: {what}; writes {out}", flush=True)
    runs, arrays = run(options, watch)
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
