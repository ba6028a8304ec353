"""studies/minimal_latching.py: its gradient, its noise, and trials that do not depend on each other."""

import numpy as np
import pytest
from conftest import ROOT, load

from studies import minimal_latching as study

PATH = "studies/minimal_latching.py"


def test_the_gradient_check_passes():
    assert study.main(["--gradcheck"]) == 0


@pytest.mark.parametrize("text, broken", [
    ("dx * (1 - x[t + 1] * x[t + 1])", "dx * (1 - x[t + 1])"), ("dx = w * da", "dx = da"),
    ("(da * x[t]).sum", "(da * x[t + 1]).sum"), ("if t < L:", "if t < L - 1:"),
    ("(x[-1] - TARGETS) / x.shape[-1]", "(x[-1] + TARGETS) / x.shape[-1]"),
])  # fmt: skip
def test_the_gradient_check_notices_each_mistake(text, broken):
    source = (ROOT / PATH).read_text()
    before, after = source.split("def backward")
    assert after.count(text) == 1
    assert load(PATH, f"{before}def backward{after.replace(text, broken)}").main(["--gradcheck"]) == 1


def test_a_trial_alone_and_among_others_learns_the_same():
    every, one = (study.train(1.25, 0.2, 0.3, 8, trials, 150) for trials in ([3, 4, 5], [4]))
    assert all(np.array_equal(every[name][1:2], one[name]) for name in every)


def test_states_are_those_of_the_equation():
    rng = np.random.default_rng(0)
    w, h, noise = np.array([[0.7]]), rng.normal(size=(study.L, 2, 1, 1)), rng.normal(size=(6, 2, 1, 1))
    x = study.forward(w, h, noise)
    for c in range(2):
        state = 0.0
        for t in range(6):
            state = np.tanh(0.7 * state + (h[t, c, 0, 0] if t < 3 else noise[t, c, 0, 0]))
            assert x[t + 1, c, 0, 0] == pytest.approx(state)
