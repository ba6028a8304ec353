#!/usr/bin/env python3
"""Simple recurrent networks on temporal order, 3 bit, with their own initial weights, nonlinearity, rate and size.

The task is that of temporal_order_3bit.py, experiment 6a of S. Hochreiter and J. Schmidhuber, Long Short-Term Memory,
Neural Computation 9(8):1735-1780, 1997: name the order in which two markers, X or Y, came in a sequence of T random
symbols. Each seed has the same training and held-out sequences as there. There the simple recurrent network has the
settings of the LSTM; here it has its own. x_t is a one-hot symbol, v_t = [h_{t-1}; x_t; 1], W = [W_h W_x b_h], h_0 = 0:

    h_t = phi(W_h h_{t-1} + W_x x_t + b_h) = phi(W v_t)    phi(z) = tanh(z), or max(z, 0) with --activation relu
    p = softmax(V h_T + b)                                 loss = -log p[class], averaged over the batch
    dz_t = phi'(z_t) dh_t    dh_{t-1} = W_h^T dz_t         dW = sum_t dz_t v_t^T

Training: backpropagation through all steps, clipping of the gradient's norm at --clip, Adam. Initial biases are 0, W_x
is from N(0, input_std^2), V from N(0, 1 / H). With the gain r, the initial W_h is from N(0, r^2 / H) with --init
normal, r times a random orthogonal matrix with --init orthogonal, and r times the identity matrix with --init identity.
A seed has the same W_x and V with all three. With relu and the identity matrix this is the IRNN of Q. V. Le, N. Jaitly
and G. E. Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, arXiv:1504.00941, 2015.

Axes of arrays: S seeds (independent networks, trained together), T steps, B sequences of a batch, D = 8 inputs,
H units, O = 4 classes, K = H + D + 1 rows of v_t, P parameters of a network. Arrays are (T, rows, S, B); seeds_first
gives the view that a matrix product takes. d<name>: the gradient of the loss with respect to <name>.

The headline, python3 studies/simple_rnns.py, ends with:

    parameters  solved  frozen  accuracy: median [range]  seconds
          4932   30/30       0      1.000 [1.000, 1.000]    128.0

It writes results/temporal_order_3bit/simple_rnns/headline. Every other command writes runs/simple_rnns/<the options
that differ>, unless --out names a folder. results.json has, under rnn, the history of every seed, the loss of each
training batch of the recorded seed (history/batch_loss), the final values, and the number of sequences until the
accuracy first reached 0.95 and 1. snapshots.npz has, under rnn/, states of the recorded seed after training on four
sequences, one of each class, and the weights of all seeds after training:

    x (T, 4) indices into "abcdXYBE"   y (4,) classes   h (T, H, 4)   p (O, 4) softmax at the last step
    weights/W (S, H, K)   weights/V (S, O, H)   weights/b (S, O, 1)
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

EXPERIMENT = "simple_rnns"
SCRIPT, HEADLINE = f"studies/{EXPERIMENT}.py", f"results/temporal_order_3bit/{EXPERIMENT}/headline"
NO_SETTINGS = ("out", "force", "resume", "gradcheck")  # options that do not change results
SYMBOLS = "abcdXYBE"
X, START, END = (SYMBOLS.index(symbol) for symbol in "XBE")
D, O = len(SYMBOLS), 4  # symbols, and classes: XX, XY, YX, YY
SHORTEST = 5  # steps; a shorter sequence has no room for two markers between B and E
QUICK = {"steps": 100, "eval_n": 128, "seeds": "0-2"}
INIT, TRAIN, EVAL, RECORD = range(4)  # the streams of random numbers of each seed, those of temporal_order_3bit.py
PHI = {"tanh": np.tanh, "relu": partial(np.maximum, 0)}  # the nonlinearities
SPAN = 10  # see Network
GRAIN = 1e-15  # dh + GRAIN - GRAIN has no numbers below 1e-22; subnormal numbers make products up to six times slower
CHUNK = 32  # batches that are drawn at a time
ESTIMATED_AFTER = 20  # the time of the run is estimated after this number of steps
DRAWN = 128  # held-out sequences are drawn in a multiple of this number, as in temporal_order_3bit.py
EVAL_BATCH = 32  # held-out sequences that pass through the network together

# ------------------------------------------------------------------------------------------ data, parameters


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
    """n sequences for every seed, from its stream key: symbols (T, S, n), labels (S, n)."""
    lengths, ranges = np.full(n, options.T), marker_ranges(options.T)
    drawn = [make_batch(stream(seed, *key), lengths, ranges) for seed in options.seeds]
    return np.stack([symbols for symbols, _ in drawn], axis=1), np.stack([labels for _, labels in drawn])


def shapes_of(H):
    """The shapes of the parameters of a network with H units. W = [W_h W_x b_h]."""
    return {"W": (H, H + D + 1), "V": (O, H), "b": (O, 1)}


def size_of(H):
    """The number of parameters of a network with H units."""
    return sum(map(math.prod, shapes_of(H).values()))


def views(theta, shapes):
    """Cut flat parameters theta (S, P) into named views of shape (S, *shape), in the order of shapes."""
    named, start = SimpleNamespace(), 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        setattr(named, name, theta[:, start:stop].reshape(len(theta), *shape))
        start = stop
    return named


def init_theta(options):
    """Initial parameters (S, P); see the docstring above."""
    H, r = options.hidden, options.gain
    theta = np.stack([stream(seed, INIT).standard_normal(size_of(H)) for seed in options.seeds])
    p = views(theta, shapes_of(H))
    for W_h in p.W[:, :, :H]:
        Q, R = np.linalg.qr(W_h)
        Q *= np.sign(np.diag(R))  # with these signs all orthogonal matrices are equally likely
        W_h[...] = {"normal": r / math.sqrt(H) * W_h, "orthogonal": r * Q, "identity": r * np.eye(H)}[options.init]
    p.W[:, :, H:-1] *= options.input_std
    p.V /= math.sqrt(H)
    p.W[:, :, -1] = 0
    p.b[...] = 0
    return theta.astype(options.dtype)


class Network:
    """S networks with parameters theta (S, P), and every array that their passes write.

    T: steps of a sequence. B: sequences of a batch. backward: whether gradients will be computed. span: steps whose
    local derivatives and parts of dW backward computes at a time. It does not depend on S, or else sums would.
    """

    def __init__(self, activation, H, theta, T, B, backward=True, span=SPAN):
        S, K = len(theta), H + D + 1

        def zeros(*shape):
            return np.zeros(shape, theta.dtype)

        self.activation, self.p, self.span = activation, views(theta, shapes_of(H)), span
        self.v = zeros(T + 1, K, S, B)  # sources [h_{t-1}; x_t; 1]
        self.v[:, -1] = 1
        self.x, self.h = self.v[:-1, H:-1], self.v[1:, :H]
        self.h_T = zeros(S, H, B)  # seeds first, so that sums have one order for any S
        self.forward_steps = list(zip(seeds_first(self.v), seeds_first(self.h), by_step(self.h)))
        if not backward:
            return
        self.grain, self.grad = np.array(GRAIN, theta.dtype), zeros(S, size_of(H))
        self.d = views(self.grad, shapes_of(H))
        self.W_hT, self.dh = zeros(S, H, H), zeros(H, S, B)
        self.dz, self.dW_parts = zeros(T, H, S, B), zeros(span, S, H, K)
        self.backward_steps = list(zip(seeds_first(self.dz), by_step(self.dz)))


def by_step(array):
    """The view (T, rows S B) of an array (T, rows, S, B): NumPy's calls are faster on one axis than on three."""
    return array.reshape(len(array), -1)


def seeds_first(array):
    """The view of an array (..., rows, S, B) for matrix products: (..., S, rows, B), or (..., rows, B) if S = 1."""
    return array[..., 0, :] if array.shape[-2] == 1 else array.swapaxes(-2, -3)


def product(W):
    """The function f(v, out) that writes the products of W (S, n, k) and v, a view of seeds_first, into out."""
    return W[0].dot if len(W) == 1 else partial(np.matmul, W)


# ----------------------------------------------------------------------------------------- forward, backward


def forward(net, symbols):
    """Run the networks over symbols (T, S, B) from a zero state. Returns the logits after the last step, (S, O, B)."""
    p, W_times, phi = net.p, product(net.p.W), PHI[net.activation]
    np.copyto(net.x, (symbols == np.arange(D, dtype=np.uint8).reshape(D, 1, 1, 1)).swapaxes(0, 1))  # one-hot x_t
    for v, z, h in net.forward_steps:  # z and h are the same memory
        W_times(v, z)  # z_t = W v_t
        phi(h, out=h)  # h_t = phi(z_t)
    np.copyto(net.h_T, net.h[-1].swapaxes(0, 1))
    return p.V @ net.h_T + p.b  # V h_T + b


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


def backward(net, d_logits):
    """Write the gradient of the loss of the last forward pass into net.grad (S, P). d_logits: (S, O, B)."""
    p, d, H = net.p, net.d, len(net.dh)
    np.matmul(d_logits, net.h_T.transpose(0, 2, 1), out=d.V)  # dV = d_logits h_T^T
    d_logits.sum(axis=2, keepdims=True, out=d.b)  # db = sum of d_logits over the batch
    np.matmul(p.V.transpose(0, 2, 1), d_logits, out=net.dh.swapaxes(0, 1))  # dh_T = V^T d_logits
    np.copyto(net.W_hT, p.W[:, :, :H].transpose(0, 2, 1))  # W_h^T
    W_hT_times, dh_before, dh, grain = product(net.W_hT), seeds_first(net.dh), net.dh.ravel(), net.grain
    add, multiply, subtract = np.add, np.multiply, np.subtract  # the result goes into their last argument
    dz, v_transposed = net.dz.swapaxes(1, 2), net.v[:-1].transpose(0, 2, 3, 1)
    d.W[...] = 0
    for first in range((len(dz) - 1) // net.span * net.span, -1, -net.span):
        steps = slice(first, min(first + net.span, len(dz)))
        h, slope = net.h[steps], net.dz[steps]
        if net.activation == "tanh":
            np.multiply(h, h, out=slope)  # h_t^2
            np.subtract(1, slope, out=slope)  # phi'(z_t) = 1 - h_t^2
        else:
            np.sign(h, out=slope)  # phi'(z_t) = 1 where h_t > 0, else 0
        for dz_t, slope in net.backward_steps[steps][::-1]:  # dz_t and slope are the same memory
            multiply(slope, dh, slope)  # dz_t = phi'(z_t) dh_t
            W_hT_times(dz_t, dh_before)  # dh_{t-1} = W_h^T dz_t
            add(dh, grain, dh)  # see GRAIN
            subtract(dh, grain, dh)  # dh_{t-1}, rounded
        parts = net.dW_parts[: steps.stop - first]
        np.matmul(dz[steps], v_transposed[steps], out=parts)  # dz_t v_t^T
        d.W += parts.sum(axis=0)  # dW = sum_t dz_t v_t^T


# -------------------------------------------------------------------------------------- Adam, gradient check


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
    """Check every parameter with both activations, in float64; returns the exit status, 0 or 1."""
    T, B, H, ok = 8, 6, 5, True
    symbols, labels = make_batch(stream(2, TRAIN), np.full(B, T), marker_ranges(T))
    theta = 0.5 * stream(9, INIT).standard_normal((1, size_of(H)))
    for activation in "tanh", "relu":

        def loss(population):
            net = Network(activation, H, population, T, B, backward=False)
            per_sequence, _ = cross_entropy(forward(net, symbols[:, None]), labels[None].repeat(len(population), 0))
            return per_sequence.mean(axis=1)

        numerical = numerical_gradient(loss, theta[0], step=1e-4)  # so small that no z changes its sign
        for span in T, 3:
            net = Network(activation, H, theta, T, B, span=span)
            for answer in (labels + 1) % O, labels:  # the second pass must not depend on what the first left in net
                _, d_logits = cross_entropy(forward(net, symbols[:, None]), answer[None])
                backward(net, d_logits / B)
            ok &= compare_gradients(f"{activation}, spans of {span}", net.grad[0], numerical, shapes_of(H))
    return 0 if ok else 1


# ---------------------------------------------------------------------------------------- evaluate and train


def evaluate(net, symbols, labels, n):
    """Mean loss and accuracy (S,) on the first n of the held-out sequences: symbols (T, S, N), labels (S, N)."""
    cuts = [slice(k, k + EVAL_BATCH) for k in range(0, symbols.shape[2], EVAL_BATCH)]
    logits, labels = np.concatenate([forward(net, symbols[:, :, cut]) for cut in cuts], axis=2)[..., :n], labels[:, :n]
    return cross_entropy(logits, labels)[0].mean(axis=1), (logits.argmax(axis=1) == labels).mean(axis=1)


def learning_rate(options, step):
    """The rate of update step = 0, 1, ...: constant, or half a cosine that falls to zero at the end of the run."""
    return options.lr * (0.5 + 0.5 * math.cos(math.pi * step / options.steps) if options.schedule == "cosine" else 1)


def train(options):
    """Train the networks of all seeds. Returns their part of results.json and their arrays for snapshots.npz."""
    S, T, B, H, steps = len(options.seeds), options.T, options.batch, options.hidden, options.steps
    theta = init_theta(options)
    adam, recorded = Adam(theta), options.seeds.index(options.record)
    net = Network(options.activation, H, theta, T, B)
    eval_net = Network(options.activation, H, theta, T, EVAL_BATCH, backward=False)
    held_out = draw_population(options, (EVAL,), math.ceil(options.eval_n / DRAWN) * DRAWN)
    history = {"step": [], "train_loss": [], "val_loss": [], "val_accuracy": [], "batch_loss": np.full(steps, np.nan)}
    loss_sum, alive, diverged_at = np.zeros(S), np.ones(S, bool), [None] * S
    started = time.perf_counter()
    for step in range(steps + 1):
        if step % options.eval_every == 0 or step == steps:
            loss, accuracy = evaluate(eval_net, *held_out, options.eval_n)
            since = step - (history["step"] or [0])[-1]
            history["step"].append(step)
            values = loss_sum / (since or np.nan), loss, accuracy
            for name, value in zip(("train_loss", "val_loss", "val_accuracy"), values):
                history[name].append(np.where(alive, value, np.nan))
            loss_sum[:] = 0
            wall_clock_s = time.perf_counter() - started
            print_progress("rnn", history, "val_accuracy", alive & (accuracy == 1), steps, wall_clock_s)
        if step == steps:
            break
        if step % CHUNK == 0:
            symbols, labels = draw_population(options, (TRAIN, step // CHUNK), CHUNK * B)
        batch = slice(step % CHUNK * B, (step % CHUNK + 1) * B)
        loss, d_logits = cross_entropy(forward(net, symbols[:, :, batch]), labels[:, batch])
        loss = loss.sum(axis=1) / B
        backward(net, d_logits / B)
        alive &= np.isfinite(loss) & np.isfinite(clip_by_norm(net.grad, options.clip))
        net.grad[~alive] = 0
        adam.update(net.grad, learning_rate(options, step), options.beta2, alive)
        loss_sum += loss
        history["batch_loss"][step] = loss[recorded] if alive[recorded] else np.nan
        diverged_at = [step + 1 if at is None and not lives else at for at, lives in zip(diverged_at, alive)]
        if step + 1 == ESTIMATED_AFTER:
            print(f"estimated time: {(time.perf_counter() - started) / ESTIMATED_AFTER * steps:.0f} s", flush=True)
    result = {"trainable_parameters": size_of(H), "wall_clock_s": wall_clock_s,
              "sequences_seen": [B * (at or steps) for at in diverged_at], "diverged_at_step": diverged_at,
              "history": history, "final": {name: history[name][-1] for name in ("val_accuracy", "val_loss")},
              "sequences_to_95": first_reached(history, 0.95, B),
              "sequences_to_100": first_reached(history, 1, B)}  # fmt: skip
    weights = {f"weights/{name}": array for name, array in vars(net.p).items()}
    return result, recorded_states(options, theta[recorded : recorded + 1]) | weights


def recorded_states(options, theta):
    """x, y, h and p of the recorded seed, with parameters theta (1, P); see the docstring above."""
    x, y = make_batch(stream(options.record, RECORD), [options.T] * O, marker_ranges(options.T), labels=range(O))
    net = Network(options.activation, options.hidden, theta, options.T, O, backward=False)
    p, _ = softmax(forward(net, x[:, None]))
    return {"x": x, "y": y, "h": net.h[:, :, 0], "p": p[0]}


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


# ------------------------------------------------------------------------------------------------ files, CLI


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
    add("--activation", choices=["tanh", "relu"], default="relu", help="the nonlinearity of the units")
    add("--init", choices=["normal", "orthogonal", "identity"], default="identity", help="initial W_h")
    add("--gain", type=real, default=1.0, help="factor of the initial W_h")
    add("--input-std", type=real, default=0.1, help="standard deviation of the initial W_x")
    add("--hidden", type=positive, default=64, help="units")
    add("--T", type=positive, default=50, help="steps of a sequence; marker ranges scale with T")
    add("--steps", "--n-steps", "--n_steps", "--max-iters", "--iters", type=positive, default=1500, help="updates")
    add("--batch", type=positive, default=32, help="sequences of a step")
    add("--lr", type=real, default=0.001, help="learning rate of Adam")
    add("--schedule", choices=["cosine", "constant"], default="cosine", help="learning rate: falls to zero, or not")
    add("--clip", type=real, default=1.0, help="largest norm of a gradient; a larger gradient is scaled to it")
    add("--beta2", type=real, default=0.999, help="Adam's decay rate of the second moment")
    add("--eval-every", "--eval_every", type=positive, default=50, help="steps between evaluations")
    add("--eval-n", "--eval_n", "--val-n", "--val_n", type=positive, default=512, help="held-out sequences")
    add("--record", type=int, metavar="SEED", help="seed whose states are recorded (if not given: the first)")
    add("--dtype", choices=["float32", "float64"], default="float32", help="type of numbers in training")
    add("--out", metavar="DIR", help="folder for the results (if not given: see the docstring)")
    add("--force", action="store_true", help="replace a run with other options in DIR")
    add("--resume", action="store_true", help="not in this script; it prints how to run in resumable parts")
    add("--quick", action="store_true", help=f"a run of a few seconds: {words(QUICK)}")
    add("--gradcheck", action="store_true", help="only check all gradients with both activations")
    return parser


def parse_options(argv):
    """The checked options of a command line, those that differ from the headline's, and the parser.

    Exits with status 2 if options are wrong.
    """
    parser = build_parser()
    first, _ = parser.parse_known_args(argv)
    parser.set_defaults(record=first.seeds[0], **(QUICK if first.quick else {}))
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
    ]
    for name, wrong, reason in problems:
        if wrong:
            parser.error(f"argument --{name.replace('_', '-')}: {reason}")
    return options, changed, parser


def print_summary(results):
    """Print the table at the end of a run. results: the contents of results.json."""
    run = results["runs"]["rnn"]
    accuracy = np.array(run["final"]["val_accuracy"], float)  # nan for a seed that was frozen
    met = accuracy[np.isfinite(accuracy)]
    spread = f"{np.median(met):.3f} [{met.min():.3f}, {met.max():.3f}]" if met.size else "-"
    print("\nparameters  solved  frozen  accuracy: median [range]  seconds")
    print(f"{run['trainable_parameters']:10}{f'{(accuracy == 1).sum()}/{len(accuracy)}':>8}{np.isnan(accuracy).sum():8}"
          f"{spread:>26}{run['wall_clock_s']:9.1f}")  # fmt: skip


def main(argv=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed."""
    argv = sys.argv[1:] if argv is None else argv
    options, changed, parser = parse_options(argv)
    if options.gradcheck:
        return gradient_check()
    config, out = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}, Path(options.out)
    open_output(options, config, parser)
    what = f"{options.activation}, {options.init}{', ' * bool(changed)}{words(changed)}"
    print(f"{SCRIPT}: {what}; writes {out}", flush=True)
    with np.errstate(all="ignore"):  # a seed whose values overflow is frozen
        result, arrays = train(options)
    results = {"schema": 1, "experiment": EXPERIMENT, "command": shlex.join(["python3", SCRIPT, *argv]),
               "config": config, "environment": environment(), "seeds": options.seeds,
               "runs": {"rnn": result}}  # fmt: skip
    write_run(out, results, {f"rnn/{name}": array for name, array in arrays.items()})
    print_summary(json.loads(to_json(results)))
    print(f"\nwrote {out / 'results.json'} and snapshots.npz")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, MemoryError) as stop:
        sys.exit(f"stopped: {type(stop).__name__}")
