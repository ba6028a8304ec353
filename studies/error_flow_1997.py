#!/usr/bin/env python3
"""How an error fades on its way back in time: recurrent networks of logistic or tanh units, and the LSTM of 1997.

Section 3 of S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997, explains
why conventional recurrent networks do not learn long time lags: an error that goes back in time through units shrinks
at each step. This script measures by how much. The task is the paper's task 6a, temporal order: sequences have 100 to
110 symbols, E first, B last, and a, b, c, d between, but X or Y at a step from 10 to 20 and at a step from 50 to 60.
The network must name their order at the end: XX, XY, YX or YY.

The recurrent network has n = 8 units. They receive the outputs of all units at the step before, all inputs, and a bias.
f is sigma for logistic units, or tanh. The outputs of the network are logistic; the cost E is half the squared error at
the end. Each trial learns online, by plain gradient descent with full backpropagation through time:

    net_t = R y_{t-1} + I x_t + b    y_t = f(net_t)    z = V y_T + c    o = sigma(z)    E = |d - o|^2 / 2
    e_T = f'(net_T) V^T dE/dz    e_{t-1} = f'(net_{t-1}) R^T e_t    dR = sum_t e_t y_{t-1}^T

The error e_t is dE/dnet_t. On its way back from T over q steps it is multiplied by a matrix that does not depend on E:

    e_{T-q} = J_q e_T    J_0 = 1    J_q = F'_{T-q} R^T J_{q-1}    F'_t = diag f'(net_t)

The paper's bound for each element of J_q is n (f'_max |R|)^q <= n (n w_max f'_max)^q. There |R| = max_i sum_j |R_ij|,
w_max is the largest |R_ij|, and f'_max is 1/4 for logistic units (1 for tanh). If w_max < 4/n, it goes to zero.

The LSTM (row 6a of lstm_1997.py, which trains it) has two blocks of an input gate, an output gate and two cells. The
order of units: input gates, the first cells of both blocks, their second cells, output gates.

    net_t = R y_{t-1} + I^T x_t + b    y_in = sigma(net_in)    s_t = s_{t-1} + y_in g(net_c)    y_out = sigma(net_out)
    z = V y_c + c    y_c = y_out h(s_t)    g(x) = 2 tanh(x/2)    h(x) = tanh(x/2)

The paper trains it with a truncated gradient. In it, errors go back only from s_t to s_{t-1}, so J_q = 1 for every q.
Here the error of the states, e_t = dE/ds_t, goes back on all paths, also through gates and the inputs of cells.

What is measured, for q from 0 to 100, before and after training, on 20 sequences of more than 100 steps that are not
used for training. units: the 2-norm of J_q, its largest singular value. This is the largest factor by which q steps
change the length of an error. least (only LSTM): its smallest singular value. loss: |e_{T-q}| / |e_T| for the error of
the cost. These are log10 and medians over the 20 sequences; null is an error of 0 in floating point.

Axes: S trials, T steps, B sequences, n or N units, D inputs, O outputs, K = N + D + 1 parts of v_t = [y_{t-1}; x_t; 1],
P parameters, Q values of q; of the LSTM H cells, U units. Arrays are (T, S, rows, B): trials come before rows, as
matrix products take them. W = [R I b], and V includes c. d<name>: the gradient of the cost with respect to <name>.

python3 studies/error_flow_1997.py trains thirty trials of logistic units and writes results/lstm_1997/error-flow/
logistic. --cell tanh trains the other network. --cell lstm trains nothing: it reads the weights of a run of
lstm_1997.py (--weights, and results.json beside them). Every other command writes a folder runs/error_flow_1997/<the
options that differ>, unless --out names one. results.json has for each trial:

    history: loss, the mean cost on 256 test sequences; largest, the share of them whose largest output is the answer's
    final: the same on fresh sequences; right, the share with all outputs within 0.3 of the target (the paper's rule)
    flow: step, the values of q; start and end, before and after training: units, loss, least (S, Q) and, of recurrent
        networks, w_max, row_sum (|R|), two_norm (of R), and slope, the mean f' on the measured sequences (S,)
    unchanged: the share of the weights from inputs X and Y that have exactly their initial values after training
    ranges: step, ranges r of initial weights; units (S, values of r) at the start, for q = 100

snapshots.npz has weights/W (S, N, K) and V (S, O, N + 1), or the LSTM's weights as in lstm_1997.py; of the recorded
trial the measured sequences x (T, B), length (B,), target (O, B), and output (O, B) after training.

The paper measures no flow, so these are our choices: the task; 8 units, as many as the LSTM has gates and cells (172
weights, the LSTM 156); the training sequences, which are those of the LSTM's trials, as many as its mean trial needs;
the learning rate, of three the one with the least cost in trials 100 to 129.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///

import argparse
import contextlib
import hashlib
import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # NumPy reads it when it loads; with such small matrices, more threads are slower
import numpy as np

EXPERIMENT = "error_flow_1997"
SCRIPT, HEADLINE = f"studies/{EXPERIMENT}.py", "results/lstm_1997/error-flow/logistic"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
QUICK = {"steps": 200, "eval_n": 256, "eval_every": 100, "seeds": "0-2"}
INIT, TRAIN, TEST, EVAL, RECORD = range(5)  # the streams of random numbers of each trial, those of lstm_1997.py
CHUNK = 500  # sequences drawn at a time
D, O, LONGEST = 8, 4, 110  # inputs, outputs, steps of the longest sequence
FAR = 100  # the largest q
SHOWN = [0, 1, 2, 3, 4, 5, *range(10, FAR + 1, 5)]  # the values of q in results.json
MEASURED = 20  # sequences on which flow is measured
TESTED = 256  # sequences of the test at evaluations
TOLERANCE = 0.3  # an answer is right if no output is off by this or more
UNITS = 8
RANGES = [0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]  # of initial weights for which the flow at the start is measured
SLOPES = {"logistic": 0.25, "tanh": 1.0}  # f'_max
RATES = {"logistic": 0.1, "tanh": 0.1}
WEIGHTS = "results/lstm_1997/6a/snapshots.npz"
BLOCKS, CELLS = 2, 4  # of the LSTM
LSTM_SHAPES = {"R": (8, 8), "I": (D, 8), "b": (8, 1), "V": (O, CELLS), "c": (O, 1)}
LSTM_BIASES = (-2, -4)  # of the input gates, at the start
IN, CELL, OUT = slice(0, BLOCKS), slice(BLOCKS, BLOCKS + CELLS), slice(BLOCKS + CELLS, None)  # rows of the LSTM's units


def shapes_of(N):
    """The shapes of the parameters of a recurrent network with N units."""
    return {"W": (N, N + D + 1), "V": (O, N + 1)}


def size_of(shapes):
    """The number of parameters."""
    return sum(math.prod(shape) for shape in shapes.values())


assert size_of(shapes_of(UNITS)) == 172 and size_of(LSTM_SHAPES) == 156, "the LSTM has the paper's weights of task 6a"


# ------------------------------------------------------------------------------------------------------ data


def stream(seed, *key):
    """The generator of (seed, *key). Drawing from one generator does not change another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def temporal_order(rng, n, shortest=100):
    """Draw n sequences of task 6a: symbols x (110, n), their steps (n,), targets (4, n). Later steps are noise.

    The order of symbols: E, B, a, b, c, d, X, Y. shortest: the least number of steps.
    """
    length = rng.integers(shortest, LONGEST, size=n, endpoint=True)
    each, which = np.arange(n), np.zeros(n, int)
    x = rng.integers(2, 6, size=(LONGEST, n))
    x[0], x[length - 1, each] = 0, 1
    for low, high in (10, 20), (50, 60):
        symbol, t = rng.integers(2, size=n), rng.integers(low, high, size=n, endpoint=True)
        x[t - 1, each] = 6 + symbol  # the paper counts steps from 1
        which = 2 * which + symbol
    return x, length, np.eye(O)[:, which]


def draw(trials, *key, n, shortest=100):
    """Sequences for these trials, each from its own stream key: x (T, S, n), length (S, n), target (S, O, n)."""
    x, length, target = zip(*[temporal_order(stream(trial, *key), n, shortest) for trial in trials])
    return SimpleNamespace(x=np.stack(x, axis=1), length=np.stack(length), target=np.stack(target))


# ------------------------------------------------------------------------------------------------ parameters


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(shapes, trials, init):
    """Initial parameters (S, P): uniform in [-init, init]."""
    return np.stack([stream(trial, INIT).uniform(-init, init, size_of(shapes)) for trial in trials])


def init_lstm(trials):
    """The initial parameters (S, P) of the LSTM, as lstm_1997.py draws them."""
    theta = init_theta(LSTM_SHAPES, trials, 0.1)
    views(theta, LSTM_SHAPES).b[:, IN, 0] = LSTM_BIASES
    return theta


# --------------------------------------------------------------------------------------------------- forward


def given_by(I, b, x):
    """I x_t + b, (T, S, N, B), for I (S, N, D), b (S, N, 1) and symbols x (T, S, B)."""
    rows = (I + b).swapaxes(1, 2).reshape(-1, I.shape[1])
    return np.ascontiguousarray(rows[x + D * np.arange(len(I))[:, None]].swapaxes(2, 3))


def forward(cell, p, x):
    """The outputs of the units y (T + 1, S, N, B) for symbols x (T, S, B), and arguments of tanh a (T, S, N, B).

    y[0] is 0; y[t] and a[t - 1] are those of step t.
    """
    S, N = p.W.shape[:2]
    half = 0.5 if cell == "logistic" else 1.0  # sigma(x) = (1 + tanh(x/2))/2
    R, a = half * p.W[:, :, :N], half * given_by(p.W[:, :, N:-1], p.W[:, :, -1:], x)
    y, received = np.zeros((len(x) + 1, S, N, x.shape[2])), np.empty(a.shape[1:])
    for y_before, a_t, y_t in zip(y, a, y[1:]):
        np.matmul(R, y_before, out=received)  # R y_{t-1}; logistic: half of it
        np.add(a_t, received, out=a_t)  # net_t; logistic: half of it
        np.tanh(a_t, out=y_t)  # tanh(net_t); logistic: 2 sigma(net_t) - 1
        if cell == "logistic":
            np.multiply(y_t, 0.5, out=y_t)
            np.add(y_t, 0.5, out=y_t)  # sigma(net_t)
    return y, a


def at_ends(array, length, back=0):
    """The steps T - back of an array (T + 1, S, rows, B) of which [0] is before the first step: (S, rows, B)."""
    S, B = length.shape
    return array[length - back, np.arange(S)[:, None], :, np.arange(B)].swapaxes(1, 2)


def outputs(V, y):
    """The outputs of the network, sigma(V y + c), (S, O, B), for [V c] (S, O, N + 1) and y (S, N, B) at the end."""
    return 0.5 + 0.5 * np.tanh(0.5 * (np.matmul(V[:, :, :-1], y) + V[:, :, -1:]))


def slope(cell, y):
    """f'(net) for y = f(net)."""
    return y * (1 - y) if cell == "logistic" else 1 - y * y


def forward_lstm(p, x):
    """Outputs y (T + 1, S, U, B), states s and g(net_c) (T + 1, S, H, B) of the LSTM for symbols x (T, S, B)."""
    given = given_by(p.I.swapaxes(1, 2), p.b, x)
    shape = len(x) + 1, *given.shape[1:]
    run = SimpleNamespace(y=np.zeros(shape), s=np.zeros(shape)[:, :, CELL], g=np.zeros(shape)[:, :, CELL])
    for t, given_t in enumerate(given, start=1):
        a = np.tanh(0.5 * (np.matmul(p.R, run.y[t - 1]) + given_t))  # tanh(net_t / 2)
        run.y[t] = 0.5 + 0.5 * a  # y_in, y_out = sigma(net_t)
        run.g[t] = 2 * a[:, CELL]  # g(net_c)
        run.s[t] = run.s[t - 1] + of_cells(run.y[t, :, IN]) * run.g[t]  # s_t = s_{t-1} + y_in g
        run.y[t, :, CELL] = of_cells(run.y[t, :, OUT]) * np.tanh(0.5 * run.s[t])  # y_c = y_out h(s_t)
    return run


def of_cells(gates):
    """Values of the gates of both blocks (S, 2, ...) for all cells (S, 4, ...): cell j belongs to block j mod 2."""
    return np.concatenate([gates, gates], axis=1)


def of_gates(cells):
    """The sums over the cells of both blocks: (S, 4, ...) to (S, 2, ...)."""
    return cells[:, :BLOCKS] + cells[:, BLOCKS:]


def outputs_at_ends(cell, theta, batch):
    """The outputs (S, O, B) of networks theta (S, P) at the ends of sequences."""
    if cell == "lstm":
        p = views(theta, LSTM_SHAPES)
        y = at_ends(forward_lstm(p, batch.x).y, batch.length)[:, CELL]
        return outputs(np.concatenate([p.V, p.c], axis=2), y)
    p = views(theta, shapes_of(UNITS))
    return outputs(p.V, at_ends(forward(cell, p, batch.x)[0], batch.length))


# -------------------------------------------------------------------------------------------------- backward


def output_gradient(V, y, target):
    """dz = dE/dz (S, O, B) and V^T dz (S, N, B), for [V c], y at the end and targets."""
    o = outputs(V, y)  # sigma(V y + c)
    dz = -(target - o) * o * (1 - o)  # -(d - o) sigma'(z)
    return dz, np.matmul(V[:, :, :-1].swapaxes(1, 2), dz)  # V^T dz


def backward(cell, p, y, batch, d):
    """Write the gradient of the cost of B = 1 sequence for each network into d, after forward gave y."""
    (T, S, _), N = batch.x.shape, y.shape[2]
    y_end = at_ends(y, batch.length)
    dz, dy_end = output_gradient(p.V, y_end, batch.target)
    d.V[:, :, :-1], d.V[:, :, -1:] = np.matmul(dz, y_end.swapaxes(1, 2)), dz  # dV = dz y_T^T, dc = dz
    slopes, dy, dnet = slope(cell, y[1:]), np.zeros((T, S, N, 1)), np.zeros((T + 1, S, N, 1))
    dy[batch.length[:, 0] - 1, np.arange(S)] = dy_end  # V^T dz at the end, 0 elsewhere
    R_transposed, received = np.ascontiguousarray(p.W[:, :, :N].swapaxes(1, 2)), np.empty((S, N, 1))
    for dnet_after, dy_t, slope_t, dnet_t in zip(dnet[:0:-1], dy[::-1], slopes[::-1], dnet[-2::-1]):
        np.matmul(R_transposed, dnet_after, out=received)  # R^T dnet_{t+1}
        np.add(dy_t, received, out=dy_t)  # dy_t
        np.multiply(slope_t, dy_t, out=dnet_t)  # dnet_t = f'(net_t) dy_t
    v = np.ones((S, T, N + D + 1))  # v_t = [y_{t-1}; x_t; 1]
    v[:, :, :N], v[:, :, N:-1] = y[:-1, :, :, 0].swapaxes(0, 1), np.eye(D)[batch.x[:, :, 0].T]
    np.matmul(np.ascontiguousarray(dnet[:-1, :, :, 0].transpose(1, 2, 0)), v, out=d.W)  # dW = sum_t dnet_t v_t^T


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
    """Check every parameter of both recurrent networks on short sequences; returns the exit status, 0 or 1."""
    ok, n, T, shapes = True, 12, 9, shapes_of(4)
    rng = stream(3, RECORD)
    batch = SimpleNamespace(x=rng.integers(D, size=(T, n, 1)), length=rng.integers(T - 2, T + 1, size=(n, 1)),
                            target=np.eye(O)[rng.integers(O, size=n)][:, :, None])  # fmt: skip
    theta = stream(3, INIT).standard_normal((1, size_of(shapes)))
    for cell in SLOPES:
        grad = np.zeros((n, size_of(shapes)))
        p = views(theta.repeat(n, axis=0), shapes)
        backward(cell, p, forward(cell, p, batch.x)[0], batch, views(grad, shapes))

        def loss(population):
            total, p = 0, views(population, shapes)
            for k in range(n):
                as_often = [k] * len(population)
                x, length, target = batch.x[:, as_often], batch.length[as_often], batch.target[as_often]
                o = outputs(p.V, at_ends(forward(cell, p, x)[0], length))
                total += 0.5 * ((target - o) ** 2).sum(axis=(1, 2))
            return total

        ok &= compare_gradients(cell, grad.sum(axis=0), numerical_gradient(loss, theta[0]), shapes)
    return 0 if ok else 1


# ------------------------------------------------------------------------------------------------ error flow


def sizes(error, back, rows):
    """log10 of the largest and of the smallest singular values of errors that went back q steps: (2, FAR + 1, S, B).

    Those of q = 0 are log10(1) = 0. error (S, B, rows or more, E): E errors at step T. back(q, error): the errors at
    step T - q from those at T - q + 1. rows: the first rows, which alone count.
    """
    log, scale = np.zeros((2, FAR + 1, *error.shape[:2])), 0
    error = error / np.linalg.norm(error[:, :, :rows], 2, axis=(2, 3))[:, :, None, None]
    for q in range(1, FAR + 1):
        error = back(q, error)
        largest = np.abs(error[:, :, :rows]).max(axis=(2, 3))
        largest = np.where(largest > 0, largest, 1)
        error /= largest[:, :, None, None]  # else the smallest errors have no floating-point number
        scale = scale + np.log10(largest)
        values = np.linalg.svd(error[:, :, :rows], compute_uv=False)  # in descending order
        log[:, q] = scale + np.log10(values[:, :, 0]), scale + np.log10(values[:, :, -1])
    return log


def exact_slope(cell, a):
    """f'(net) for arguments a of tanh. Unlike slope, it is exact if y is rounded to 1."""
    return (0.25 if cell == "logistic" else 1) / np.cosh(a) ** 2


def flow(cell, theta, batch):
    """How errors change on their way back through networks theta (S, P), on a batch of sequences.

    Returns {"units": (S, Q), "loss": (S, Q)}, see the docstring above; of the LSTM also least (S, Q), of recurrent
    networks also measures (S,).
    """
    B, S, errors = batch.length.shape[1], len(theta), {}
    if cell == "lstm":
        p = views(theta, LSTM_SHAPES)
        run = forward_lstm(p, batch.x)
        rows, back = CELLS, partial(back_lstm, p, run, batch.length)
        y_end, s_end = (at_ends(array, batch.length) for array in (run.y, run.s))
        _, dy_cell = output_gradient(np.concatenate([p.V, p.c], axis=2), y_end[:, CELL], batch.target)  # V^T dz
        ds = of_cells(y_end[:, OUT]) * slope_h(s_end) * dy_cell  # y_out h'(s) dy_c
        of_loss = np.concatenate([ds, 0 * y_end[:, IN], dy_cell, 0 * y_end[:, OUT]], axis=1)
        errors["units"] = np.tile(np.eye(CELLS + p.R.shape[1], CELLS), (S, B, 1, 1))  # one for each state
        errors["loss"] = of_loss.swapaxes(1, 2)[..., None]
        measures = {}
    else:
        p = views(theta, shapes_of(UNITS))
        (y, a), R, rows = forward(cell, p, batch.x), p.W[:, :, :UNITS], UNITS
        slopes = np.concatenate([a[:1], exact_slope(cell, a)])  # f'(net_t) at t; that of t = 0 is not used
        _, dy = output_gradient(p.V, at_ends(y, batch.length), batch.target)
        errors["units"] = np.tile(np.eye(UNITS), (S, B, 1, 1))  # one for each unit
        errors["loss"] = (at_ends(slopes, batch.length) * dy).swapaxes(1, 2)[..., None]  # e_T = f'(net_T) V^T dz
        R_transposed = R.swapaxes(1, 2)[:, None]

        def back(q, error):  # e_{T-q} = f'(net_{T-q}) R^T e_{T-q+1}
            return at_ends(slopes, batch.length, q).swapaxes(1, 2)[..., None] * np.matmul(R_transposed, error)

        inside = np.arange(1, LONGEST + 1)[:, None, None] <= batch.length  # (T, S, B)
        mean = (slopes[1:].mean(axis=2) * inside).transpose(1, 2, 0).sum(axis=2).sum(axis=1) / batch.length.sum(axis=1)
        measures = {"w_max": np.abs(R).max(axis=(1, 2)), "row_sum": np.linalg.norm(R, np.inf, axis=(1, 2)),
                    "two_norm": np.linalg.norm(R, 2, axis=(1, 2)), "slope": mean}  # fmt: skip
    found = {name: np.median(sizes(error, back, rows), axis=3) for name, error in errors.items()}
    found = {name: log[:, SHOWN].swapaxes(1, 2) for name, log in found.items()}  # (2, S, Q)
    least = {"least": found["units"][1]} if cell == "lstm" else {}
    return {name: log[0] for name, log in found.items()} | least | measures


def flow_of_ranges(cell, trials, batch):
    """The flow through networks with other initial weights, in [-r, r]: step, the values of r; units (S, values of r).

    units: log10 of the 2-norm of J_q for the largest q, medians over the sequences of a batch.
    """
    shapes = shapes_of(UNITS)
    found = [flow(cell, init_theta(shapes, trials, init), batch)["units"][:, -1] for init in RANGES]
    return {"step": RANGES, "units": np.stack(found, axis=1)}


def slope_h(s):
    """h'(s) of h(s) = tanh(s/2)."""
    return 0.5 * (1 - np.tanh(0.5 * s) ** 2)


def back_lstm(p, run, length, q, error):
    """Errors [ds; dy] (S, B, H + U, E) of states and of units' outputs at step T - q, from those at T - q + 1."""
    ds, dy = np.moveaxis(error[:, :, :CELLS], 1, 2), np.moveaxis(error[:, :, CELLS:], 1, 2)  # (S, rows, B, E)
    y, s, g = (at_ends(array, length, q - 1)[..., None] for array in (run.y, run.s, run.g))
    y_in, y_out, dy_cell = y[:, IN], y[:, OUT], dy[:, CELL]
    dnet_in = y_in * (1 - y_in) * (of_gates(g * ds) + dy[:, IN])  # y_in (1 - y_in) (dy_in + sum of g ds)
    dnet_cell = of_cells(y_in) * 0.5 * (2 - g * g / 2) * ds  # y_in g'(net_c) ds; g' = 1 - g^2/4
    dnet_out = y_out * (1 - y_out) * (of_gates(np.tanh(0.5 * s) * dy_cell) + dy[:, OUT])  # dy_out + sum of h(s) dy_c
    dnet = np.concatenate([dnet_in, dnet_cell, dnet_out], axis=1)
    dy = np.matmul(p.R.swapaxes(1, 2), dnet.reshape(*dnet.shape[:2], -1)).reshape(dnet.shape)  # dy_{t-1} = R^T dnet_t
    y, s = (at_ends(array, length, q)[..., None] for array in (run.y, run.s))
    ds = ds + of_cells(y[:, OUT]) * slope_h(s) * dy[:, CELL]  # ds_{t-1} = ds_t + y_out h'(s_{t-1}) dy_c
    return np.moveaxis(np.concatenate([ds, dy], axis=1), 2, 1)


# ---------------------------------------------------------------------------------------- evaluate and train


def evaluate(cell, theta, batch):
    """{loss, largest, right}: (S,) each, on a batch of sequences; see the docstring above."""
    off = batch.target - outputs_at_ends(cell, theta, batch)
    o = batch.target - off
    largest = np.take_along_axis(o, batch.target.argmax(axis=1)[:, None], axis=1)[:, 0] == o.max(axis=1)
    cost = np.ascontiguousarray(0.5 * (off * off).sum(axis=1))
    return {"loss": cost.mean(axis=1), "largest": largest.mean(axis=1),
            "right": (np.abs(off).max(axis=1) < TOLERANCE).mean(axis=1)}  # fmt: skip


def fresh(cell, trials, theta, n):
    """The results of evaluate on n fresh sequences of each trial, CHUNK at a time: {name: (S,)}."""
    whole, found = draw(trials, EVAL, n=n), []
    for k in range(0, n, CHUNK):
        part = SimpleNamespace(**{name: array[..., k : k + CHUNK] for name, array in vars(whole).items()})
        found.append({name: value * part.length.shape[1] / n for name, value in evaluate(cell, theta, part).items()})
    return {name: sum(part[name] for part in found) for name in found[0]}


def train(options, theta, shapes):
    """Train the networks theta (S, P) in place. Returns the history, and the step at which each diverged, or None."""
    S, cell = len(theta), options.cell
    p, grad, active, diverged_at = views(theta, shapes), np.zeros_like(theta), np.ones((S, 1), bool), [None] * S
    test, history, d = draw(options.seeds, TEST, n=TESTED), {"step": [], "loss": [], "largest": []}, views(grad, shapes)
    started = time.perf_counter()
    for step in range(options.steps + 1):
        if step % options.eval_every == 0 or step == options.steps:
            found = evaluate(cell, theta, test)
            for name, value in ({"step": step} | {name: found[name] for name in ("loss", "largest")}).items():
                history[name].append(value)
            words = "  ".join(f"{name} {np.median(found[name]):.4f}" for name in ("loss", "largest"))
            print(f"{cell:8} step {step:6} of {options.steps}  {words}", flush=True)
        if step == 100:
            print(f"estimated time: {(time.perf_counter() - started) / step * options.steps:.0f} s", flush=True)
        if step == options.steps:
            return history, diverged_at
        if step % CHUNK == 0:
            drawn = draw(options.seeds, TRAIN, step // CHUNK, n=CHUNK)
        k = slice(step % CHUNK, step % CHUNK + 1)
        batch = SimpleNamespace(x=drawn.x[:, :, k], length=drawn.length[:, k], target=drawn.target[:, :, k])
        backward(cell, p, forward(cell, p, batch.x)[0], batch, d)
        finite = np.isfinite(grad).all(axis=1, keepdims=True)
        if not finite.all():
            for k in np.nonzero(active & ~finite)[0]:
                diverged_at[k], active[k] = step, False
        np.subtract(theta, options.lr * grad, out=theta, where=active)  # theta - rate dtheta


def read_lstm(options, parser):
    """The trained parameters (S, P) of the LSTM's trials, the numbers of sequences they saw, and the file's hash."""
    places = [folder / options.weights for folder in (Path.cwd(), *Path.cwd().parents)]  # a shard runs in a subfolder
    path = next((path for path in places if path.exists()), Path(options.weights))
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        results = json.loads((path.parent / "results.json").read_text())
        places = [results["seeds"].index(seed) for seed in options.seeds]
        with np.load(path) as file:
            arrays = [file[f"6a/weights/{name}"][places] for name in LSTM_SHAPES]
        if [array.shape[1:] for array in arrays] != [*LSTM_SHAPES.values()]:
            raise KeyError
        seen = [results["runs"]["6a"]["sequences_seen"][k] for k in places]
    except FileNotFoundError as error:
        parser.error(f"argument --weights: {error.filename} is missing; python3 lstm_1997.py makes the default")
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
        parser.error(f"argument --weights: {path} is damaged, not of row 6a of lstm_1997.py, or lacks a seed")
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1), seen, digest


@np.errstate(all="ignore")
def run(options, parser):
    """Train (or read) the networks of the options and measure them. Returns {cell: results} and arrays."""
    cell, trials, started = options.cell, options.seeds, time.perf_counter()
    measured = draw(trials, RECORD, n=MEASURED, shortest=FAR + 1)
    if cell == "lstm":
        shapes, start = LSTM_SHAPES, init_lstm(trials)
        theta, seen, digest = read_lstm(options, parser)
        source, diverged_at = {"from": {"file": options.weights, "sha256": digest}}, [None] * len(trials)
        history = {"step": [0]} | {name: [value] for name, value in fresh(cell, trials, start, TESTED).items()}
    else:
        shapes = shapes_of(UNITS)
        start = init_theta(shapes, trials, options.init)
        theta = start.copy()
        history, diverged_at = train(options, theta, shapes)
        seen = [options.steps if step is None else step for step in diverged_at]
        marks = slice(UNITS + 6, UNITS + 8)  # columns of W: the weights from X and Y
        same = [views(array, shapes).W[:, :, marks].reshape(len(trials), -1) for array in (start, theta)]
        source = {"unchanged": (same[0] == same[1]).mean(axis=1), "ranges": flow_of_ranges(cell, trials, measured)}
    result = {"trainable_parameters": theta.shape[1], "wall_clock_s": 0.0, "sequences_seen": seen,
              "diverged_at_step": diverged_at, "history": history,
              "final": fresh(cell, trials, theta, options.eval_n),
              "flow": {"step": SHOWN, "start": flow(cell, start, measured), "end": flow(cell, theta, measured)},
              **source}  # fmt: skip
    result["wall_clock_s"] = time.perf_counter() - started
    r = trials.index(options.record)
    arrays = {"x": measured.x[:, r], "length": measured.length[r], "target": measured.target[r],
              "output": outputs_at_ends(cell, theta, measured)[r]}  # fmt: skip
    arrays |= {f"weights/{name}": array for name, array in vars(views(theta, shapes)).items()}
    return {cell: result}, {f"{cell}/{name}": array for name, array in arrays.items()}


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
    add = parser.add_argument
    add("--cell", choices=[*SLOPES, "lstm"], default="logistic", help="the units of the network")
    add("--seeds", "--seed", "--trials", type=parse_seeds, default="0-29", metavar="0-29|0,3,7", help="which trials")
    add("--steps", "--n-steps", "--n_steps", "--iters", type=positive, default=23835, help="training sequences; "
        "the default is the mean number that trials of row 6a of lstm_1997.py need")  # fmt: skip
    add("--lr", type=partial(positive, kind=float), help=f"learning rate (if not given: {RATES})")
    add("--init", type=partial(positive, kind=float), default=0.1, help="initial weights are in [-init, init]")
    add("--weights", metavar="FILE", help="snapshots.npz of the LSTM, in this folder or in one above it (if not given: "
        f"{WEIGHTS})")  # fmt: skip
    add("--eval-every", "--eval_every", type=positive, default=2000, help="sequences between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=2560, help="fresh test sequences")
    add("--record", type=int, metavar="SEED", help="trial whose sequences are kept (if not given: the first)")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not possible here: a run takes about a minute")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check the gradients of both recurrent networks")
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    lstm = first.cell == "lstm"
    defaults = {"weights": WEIGHTS} if lstm else {"lr": RATES[first.cell]}
    parser.set_defaults(record=first.seeds[0], **defaults | (QUICK if first.quick else {}))
    options, base = parser.parse_args(argv), parser.parse_args([])
    changed = {name: value for name, value in vars(options).items()
               if value != getattr(base, name) and name not in NO_SETTINGS}  # fmt: skip
    if options.out is None:  # the headline's folder, or a folder that is named after the changed options
        name = "-".join(word.removeprefix("--").replace("/", "-") for word in words(changed).split())
        options.out, options.force = f"runs/{EXPERIMENT}/{name}" if changed else HEADLINE, True
    problems = [
        ("resume", options.resume, "not possible here; python3 -m studies run -- goes on from finished shards"),
        ("eval-every", options.steps < options.eval_every != base.eval_every, f"more than the {options.steps} steps"),
        ("record", options.record not in options.seeds, f"{options.record} is not one of the seeds"),
        ("lr", lstm and options.lr is not None, "the LSTM is not trained here"),
        ("init", lstm and options.init != base.init, "the LSTM is not trained here"),
        ("weights", not lstm and options.weights is not None, "only --cell lstm reads weights"),
        ("out", options.out == "", "a folder is wanted"),
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name}: {reason}")
    if lstm and not options.gradcheck:
        read_lstm(options, parser)
    return options, changed, parser


def settings(options):
    """The options that change results."""
    return {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    print("\ncell      weights   log10 of the factor after q steps back, median of trials: q = 10, 50, 100   largest")
    for cell, run in results["runs"].items():
        places = [run["flow"]["step"].index(q) for q in (10, 50, 100)]
        for when in "start", "end":
            median = np.median(np.array(run["flow"][when]["units"], dtype=float)[:, places], axis=0)
            largest = f"{100 * np.mean(run['final']['largest']):.1f} %" if when == "end" else ""
            factors = "".join(f"{value:12.3f}" for value in median)
            print(f"{cell:10}{run['trainable_parameters']:7}   {when:8}{factors}{largest:>12}")
        for seed, step in [pair for pair in zip(results["seeds"], run["diverged_at_step"]) if pair[1] is not None]:
            print(f"trial {seed} was frozen at step {step}, where its gradient was not finite")


def main(argv=None, watch=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed. watch: not used."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config, out = settings(options), Path(options.out)
    open_output(options, config, parser)
    print(f"{SCRIPT}: {options.cell}{', ' * bool(changed)}{words(changed)}; writes {out}", flush=True)
    runs, arrays = run(options, parser)
    results = {"schema": 1, "experiment": EXPERIMENT, "command": shlex.join(["python3", SCRIPT, *argv]),
               "config": config, "environment": environment(), "seeds": options.seeds, "runs": runs}  # fmt: skip
    write_run(out, results, arrays)
    print_summary(json.loads(to_json(results)))
    print(f"\nwrote {out / 'results.json'} and snapshots.npz; to draw all results:")
    print(f"python3 visualize/{EXPERIMENT}.py")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}")
