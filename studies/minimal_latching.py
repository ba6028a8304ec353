#!/usr/bin/env python3
"""The smallest latch: one unit learns, by gradient descent, to keep the class of its first inputs through noise.

python3 -m studies.minimal_latching                trains and writes results/information_latching/minimal/results.json
python3 -m studies.minimal_latching --gradcheck    checks the gradient

The problem is a minimal one in the manner of Y. Bengio, P. Simard and P. Frasconi, Learning Long-Term Dependencies with
Gradient Descent is Difficult, IEEE Transactions on Neural Networks 5(2):157-166, 1994. There are two classes, c = 0 and
1. The unit starts at 0 and reads no inputs that come from data. Its first L = 3 net inputs have a free number for each
class, and the others have Gaussian noise with standard deviation s:

    x_t = tanh(w x_{t-1} + u_t)    u_t = h_{c,t} for t <= L, else noise    cost = sum over c of (x_T - d_c)^2 / 2

The targets d_c are -0.8 and 0.8: a region of fixed size around each of the two states that the unit must keep. The
unit learns w and the six numbers h by gradient descent, with fresh noise for both classes at every update:

    dx_T = x_T - d_c    da_t = dx_t (1 - x_t^2)    dx_{t-1} = w da_t    dw = sum_c,t da_t x_{t-1}    dh_{c,t} = da_t

A trial has learned if at least 99 % of N_TEST fresh noise sequences of each class end with the sign of their target.
It is held if they also end within REGION of the target.

Axes: S trials, T steps, 2 classes, B noise sequences. A trial has the same noise in all settings of one length.
results.json has, for each setting and length, per trial: right (share with the right sign), held (share within REGION),
w before and after training.
"""

import argparse
import sys
import time

import numpy as np

import information_latching as lab
from studies.report import ROOT

L, TARGETS = 3, np.array([-0.8, 0.8])[:, None, None]
REGION, N_TEST, LEARNED = 0.4, 1000, 0.99
LENGTHS = (5, 10, 15, 20, 30, 40, 60, 80, 100)
FOLDER = "results/information_latching/minimal"
STEPS = 5000
TRIALS = range(100)
SETTINGS = {  # w before training, standard deviation of the noise, rate; rates were tried on trials 100 to 129
    "w = 1.25, rate 0.1": (1.25, 0.2, 0.1),
    "w = 1.25": (1.25, 0.2, 0.3),
    "w = 1.25, rate 1": (1.25, 0.2, 1.0),
    "w = 1.25, little noise": (1.25, 0.05, 0.3),
    "w = 1.75": (1.75, 0.2, 0.3),
    "w = 0.75": (0.75, 0.2, 0.3),
    "w = 0": (0.0, 0.2, 0.3),
}
INIT, NOISE, TEST = range(3)  # the streams of random numbers of a trial
CHUNK = 100  # updates whose noise is drawn at a time


def forward(w, h, noise):
    """States x (T + 1, 2, S, B) from 0. w (S, 1), h (L, 2, S, 1), noise (T, 2, S, B); the first L steps use h."""
    x = np.zeros((len(noise) + 1, *noise.shape[1:]))
    for t, u in enumerate(noise):
        x[t + 1] = np.tanh(w * x[t] + (h[t] if t < L else u))  # x_t = tanh(w x_{t-1} + u_t)
    return x


def backward(w, x):
    """The gradient of the mean cost of a batch: dw (S, 1), dh (L, 2, S, 1)."""
    dx, dw, dh = (x[-1] - TARGETS) / x.shape[-1], np.zeros_like(w), np.zeros((L, *x.shape[1:3], 1))
    for t in range(len(x) - 2, -1, -1):
        da = dx * (1 - x[t + 1] * x[t + 1])  # da_t = dx_t (1 - x_t^2)
        dw += (da * x[t]).sum(axis=(0, 2))[:, None]  # dw = sum over t of da_t x_{t-1}
        if t < L:
            dh[t] = da.sum(axis=-1, keepdims=True)  # dh_t = da_t
        dx = w * da  # dx_{t-1} = w da_t
    return dw, dh


def cost(x):
    """The mean cost (S,) of a batch with states x (T + 1, 2, S, B)."""
    return (0.5 * np.square(x[-1] - TARGETS)).sum(axis=0).mean(axis=-1)


def train(w0, noise_std, rate, T, trials=TRIALS, steps=STEPS):
    """Train one unit for each trial, with a batch of one sequence of each class. Returns {name: (S,)}."""
    S = len(trials)
    w = np.full((S, 1), w0)
    h = np.stack([lab.stream(trial, INIT).normal(0, 0.1, (L, 2)) for trial in trials], axis=-1)[..., None]
    for step in range(steps):
        if step % CHUNK == 0:
            drawn = [lab.stream(trial, NOISE, T, step // CHUNK).standard_normal((CHUNK, T, 2)) for trial in trials]
            noise = noise_std * np.stack(drawn, axis=-1)[..., None]
        dw, dh = backward(w, forward(w, h, noise[step % CHUNK]))
        w, h = w - rate * dw, h - rate * dh
    test = np.stack([lab.stream(trial, TEST, T).standard_normal((T, 2, N_TEST)) for trial in trials], axis=2)
    last = forward(w, h, noise_std * test)[-1]
    right, near = last * TARGETS > 0, np.abs(last - TARGETS) < REGION
    return {"right": right.mean(axis=-1).min(axis=0), "held": near.mean(axis=-1).min(axis=0), "w": w[:, 0]}


def gradient_check():
    """Compare the gradient with differences, in float64. Returns the exit status, 0 or 1."""
    rng, T, B = np.random.default_rng(0), 5, 3
    shapes = {"w": (1,), "h": (L, 2)}
    theta, noise = np.concatenate([[1.1], rng.normal(0, 0.3, 2 * L)]), rng.normal(0, 0.3, (T, 2, 1, B))

    def parts(population):
        """w (N, 1) and h (L, 2, N, 1) of N networks (N, P)."""
        return population[:, :1], np.moveaxis(population[:, 1:].reshape(-1, L, 2), 0, -1)[..., None]

    def loss(population):
        return cost(forward(*parts(population), np.repeat(noise, len(population), axis=2)))

    w, h = parts(theta[None])
    dw, dh = backward(w, forward(w, h, noise))
    analytic = np.concatenate([dw.ravel(), dh.ravel()])
    numerical = lab.numerical_gradient(loss, theta)
    return 0 if lab.compare_gradients("minimal latch", analytic, numerical, shapes) else 1


def main(argv=None):
    """Run the command line argv. Returns the exit status: 0, or 1 if the gradient check failed."""
    parser = argparse.ArgumentParser("studies.minimal_latching", description=__doc__.splitlines()[0])
    parser.add_argument("--gradcheck", action="store_true", help="only check the gradient")
    parser.add_argument("--out", default=FOLDER, metavar="DIR", help="folder")
    options = parser.parse_args(argv)
    if options.gradcheck:
        return gradient_check()
    out, found, started = ROOT / options.out, {}, time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    for name, (w0, noise_std, rate) in SETTINGS.items():
        found[name] = {"w0": w0, "noise": noise_std, "lr": rate, "lengths": {}}
        for T in LENGTHS:
            found[name]["lengths"][T] = of = train(w0, noise_std, rate, T)
            print(f"{name}, T = {T}: {(of['right'] >= LEARNED).sum()} of {len(TRIALS)} learned", flush=True)
    results = {"schema": 1, "experiment": "minimal_latching", "command": "python3 -m studies.minimal_latching",
               "environment": lab.environment(), "seeds": [*TRIALS], "steps": STEPS,
               "wall_clock_s": time.perf_counter() - started, "settings": found}  # fmt: skip
    lab.write_whole(out / "results.json", lambda file: file.write(f"{lab.to_json(results)}\n".encode()))
    print(out / "results.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
