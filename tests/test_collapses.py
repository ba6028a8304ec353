"""studies/collapses.py: what counts as a collapse, its ways to train, and that it trains as the script does."""

import numpy as np
import pytest

from studies import collapses as study
from studies.collapses import lab

SHORT = "--T 24 --D-min 3 --D-max 10 --batch 8 --eval-n 40 --steps 30 --peep --seeds 3,7"


def options(words=SHORT):
    return lab.parse_options(words.split())[0]


def test_networks_are_those_of_the_script():
    here = options()
    _, thetas, theta, means = study.follow(here, keep=True)
    _, arrays = lab.run(here)
    p = lab.views(theta, lab.cell_of(here, "peephole").shapes)
    assert all(np.array_equal(array, arrays[f"peephole/weights/{name}"]) for name, array in vars(p).items())
    assert len(thetas) == 30 // study.KEEP_EVERY and np.array_equal(thetas[0], lab.init_theta(p_cell(here), here))
    assert set(means) == set(study.AVERAGED)


def p_cell(here):
    return lab.cell_of(here, "peephole")


def test_means_are_means_over_the_last_steps(monkeypatch):
    monkeypatch.setattr(study, "KEEP_EVERY", 1)
    monkeypatch.setattr(study, "AVERAGED", (4,))
    _, thetas, theta, means = study.follow(options(), keep=True)
    assert means[4] == pytest.approx(np.mean([*thetas[-3:], theta], axis=0), rel=1e-5, abs=1e-7)


def test_the_values_of_a_step_are_those_of_its_batch():
    here = options()
    values, *_ = study.follow(here)
    net = lab.Network(p_cell(here), lab.init_theta(p_cell(here), here), here.T, here.batch)
    x, y = (array[..., : here.batch] for array in lab.draw_population(here, lab.training_key(here, 0), 16 * here.batch))
    output = lab.forward(net, x)
    assert np.array_equal(values["solved"][0], lab.solved(here, x, y, output).mean(axis=1))
    assert np.array_equal(values["state"][0], np.abs(net.c).max(axis=(0, 1, 3)))


def test_smooth_is_the_mean_of_the_last_values():
    rng = np.random.default_rng(0)
    solved = rng.random((40, 2))
    expected = [solved[max(0, t - study.SMOOTH + 1) : t + 1].mean(axis=0) for t in range(40)]
    assert study.smooth(solved) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("rate, found", [
    ([0.2, 0.95, 0.8, 0.4, 0.3], [(1, 3)]),
    ([0.95, 0.8, 0.95, 0.6, 0.4, 0.95, 0.3], [(2, 4), (5, 6)]),
    ([0.4, 0.8, 0.4], []),
    ([0.95, *[0.7] * 150, 0.4], []),  # too slow
    ([0.95, 0.4, 0.6, 0.4], [(0, 1)]),  # one collapse, not two
])  # fmt: skip
def test_a_collapse_goes_from_high_to_low(rate, found):
    assert study.collapses(np.array(rate)) == found


def test_groups_have_every_weight_once():
    groups = study.groups_of(lab.Cell())
    small = [places for name, places in groups.items() if not name.startswith("all")]
    large = [groups[f"all of {row}"] for row in "oifg"] + [groups["output"]]
    assert (np.sum(small, axis=0) == 1).all() and (np.sum(large, axis=0) == 1).all()


def test_updates_have_the_limit_and_the_largest_moments():
    rng = np.random.default_rng(0)
    theta, alive, seen = rng.normal(size=(2, 50)), np.ones(2, bool), 0
    plain, limited = lab.Adam(theta.copy()), study.Adam(theta.copy(), limit=0.5)
    largest = study.Adam(theta.copy(), largest=True)
    for k in range(20):
        grad = rng.normal(size=(2, 50)) * (10 if k == 10 else 0.1)
        for adam in plain, limited, largest:
            adam.update(grad, 0.01, 0.9, alive)
        assert (np.sqrt(np.square(limited.moved).mean(axis=1)) <= 0.5 * (1 + 1e-9)).all()
        seen = np.maximum(seen, plain.v / (1 - 0.9 ** (k + 1)))
        assert largest.largest == pytest.approx(seen)
    loose = study.Adam(theta.copy(), limit=1e9)
    once = lab.Adam(theta.copy())
    for adam in loose, once:
        adam.update(grad, 0.01, 0.9, alive)
    assert loose.theta == pytest.approx(once.theta)
