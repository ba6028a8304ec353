"""The benchmarks: contestants compute the same as the scripts, and wrong contestants are noticed."""

import json
import sys

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import contestants
import contestants_1997
import headline
import scaling
from contestants import CASES, Case, Limit, Ours, OursWithoutUpdate, disagreement
from step_time import TOLERANCE

SMALL = {name: Case(case.script, T=20, B=16, H=case.H, variant=case.variant) for name, case in CASES.items()}


@pytest.fixture(params=SMALL)
def case(request):
    return SMALL[request.param]


@pytest.mark.parametrize("S", [1, 3])
def test_the_c_loop_computes_the_same_as_ours(case, S):
    if not Limit.fits(case.cell):
        pytest.skip("no gcc with libmvec, or no such network in C")
    assert disagreement(Limit(case, S)) < 1e-5


def test_a_wrong_c_loop_is_noticed(tmp_path, monkeypatch):
    if not contestants.compiler_works():
        pytest.skip("no gcc with libmvec")
    source, term = (ROOT / "benchmarks" / "limit.c").read_text(), "dh[j][b] * s * o * (1 - o)"
    assert source.count(term) == 1
    (tmp_path / "limit.c").write_text(source.replace(term, "dh[j][b] * s * o"))
    monkeypatch.setattr(contestants, "HERE", tmp_path)
    assert disagreement(Limit(SMALL["multiplication"], 2)) > 5 * TOLERANCE


def test_a_contestant_with_other_steps_is_noticed(case):
    class Slower(Ours):
        def step_on(self, x, y):
            before = self.state.theta.copy()
            super().step_on(x, y)
            self.state.theta[...] = before + 0.9 * (self.state.theta - before)

    assert disagreement(Ours(case, 2)) == 0 and disagreement(OursWithoutUpdate(case, 2)) == 0
    assert disagreement(Slower(case, 2)) > 0.05


def test_a_missing_peer_is_named(monkeypatch):
    monkeypatch.setattr(contestants.importlib.util, "find_spec", lambda name: None)
    kinds, missing = contestants.available()
    assert missing == ["jax", "torch"] and {kind.needs for kind in kinds} == {None}


def test_step_time_writes_its_measurements(call, tmp_path):
    done = call("benchmarks/step_time.py", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "step_time.json").read_text())
    (network,) = results["cases"].values()
    for S in "1", "2":
        ours = network["seeds"][S]["ours"]
        assert 0 < ours["min_ms"] <= ours["median_ms"] <= ours["max_ms"] and ours["ours_by_theirs"] == 1
    counts = network["counts"]["2"]
    products = 12 * 13 + 4 * 12 + 12 * 13  # net inputs, dh and the gradient of W; the others are small
    assert 1 < counts["multiplications"] / (products * 32 * 50 * 2) < 1.02
    assert counts["tanh"] == (12 + 4 + 4) * 32 * 50 * 2
    assert 50 * 13 < counts["calls"] < 50 * 20
    assert results["largest_disagreement"] <= TOLERANCE


def test_scaling_measures_a_size_in_a_separate_process(call):
    point = {"name": "timing, peephole", "S": 2, "sizes": {"T": 30, "B": 4, "H": 2}, "seconds": 0.01}
    done = call("benchmarks/scaling.py", "--point", json.dumps(point))
    found = json.loads(done.stdout)
    assert found["ms"] > 0 and 10 < found["megabytes"] < 1000


def test_exponents():
    points = [{"T": T, "ms": 3 + 0.01 * T**1.5} for T in (30, 100, 200, 500, 1000)]
    for point in points[2:]:
        point["ms"] -= 3
    assert scaling.exponent(points, "T") == pytest.approx(1.5)
    assert scaling.exponent(points[:2], "T") is None


@pytest.mark.parametrize("script", headline.EXPERIMENTS[:-1])
def test_a_headline_by_a_contestant_equals_the_scripts_own_run(script, tmp_path):
    weights = []
    for by in "script", "contestant":
        module = contestants.importlib.import_module(script)
        real, out = module.update, tmp_path / by
        arguments = ["--quick", "--steps", "20"] if script != "information_latching" else ["--quick"]
        try:
            if by == "contestant":
                headline.replace_update(module, lambda cell: WithoutUpdate)
                WithoutUpdate.real = staticmethod(real)
            assert module.main([*arguments, "--out", str(out)]) == 0
        finally:
            module.update = real
        weights.append(dict(np.load(out / "snapshots.npz")))
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][name], weights[1][name], equal_nan=True) for name in weights[0])


class WithoutUpdate(Ours):
    """Ours as a contestant, in a script whose update is replaced by the contestant's update."""

    def step_on(self, x, y):
        self.real(self.net, self.state, x, y, self.options, self.alive)
        self.state.step -= 1  # the caller counts the step


def test_committed_results_come_from_committed_scripts():
    for name in "step_time", "scaling", "headline":
        results = json.loads((ROOT / "results" / "benchmarks" / f"{name}.json").read_text())
        assert results["benchmark"] == name and results["schema"] == 1
        for made in results["experiments"].values() if name == "headline" else [results]:
            assert made["environment"]["dirty"] is False
        assert results.get("largest_disagreement", 0) <= TOLERANCE


def test_a_run_of_1997_with_a_different_step_stops(tmp_path):
    class Idle:
        name = "Idle"

        def __init__(self, row, S, T):
            self.outputs = np.zeros((row.kind.outputs, S))

        def update(self, theta, x, end, target, rate, present):
            assert x.shape[1:] == end.shape == (len(theta),) and target.shape == self.outputs.shape
            return theta, self.outputs, self.outputs

    module = contestants.importlib.import_module("lstm_1997")
    real = module.update
    try:
        contestants_1997.replace_update(module, Idle)
        with pytest.raises(SystemExit, match="Idle computes something else"):
            module.main(["--quick", "--out", str(tmp_path)])
    finally:
        module.update = real


def test_a_headline_with_a_different_step_stops(tmp_path):
    class Other(WithoutUpdate):
        def step_on(self, x, y):
            super().step_on(x, y)
            self.state.theta[:, 0] += 0.1

    module = contestants.importlib.import_module("temporal_order_3bit")
    real = module.update
    try:
        headline.replace_update(module, lambda cell: Other)
        WithoutUpdate.real = staticmethod(real)
        with pytest.raises(SystemExit, match="something else"):
            module.main(["--quick", "--out", str(tmp_path)])
    finally:
        module.update = real
