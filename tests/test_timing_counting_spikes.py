"""timing_counting_spikes.py: tasks, training, measures, records. tests/test_runs.py has the tests of all scripts."""

import json
import math
import re

import numpy as np
import pytest
from conftest import ROOT, load, options_of
from matplotlib.figure import Figure

from studies import timing_counting_spikes as study
from studies.report import measure_run

SCRIPT = "timing_counting_spikes.py"
CELLS = ((True, True), (False, True), (True, False), (False, False))  # peepholes, forget gates


@pytest.fixture(scope="module")
def lab():
    return load(SCRIPT)


# ------------------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize("T, D_min, D_max", [(150, 30, 60), (121, 30, 60), (13, 6, 6), (3, 1, 1), (9, 1, 4)])
def test_spike_distances_follow_the_specification(lab, T, D_min, D_max):
    options = options_of(lab, "--T", T, "--D-min", D_min, "--D-max", D_max)
    n = 20000
    x, y = lab.make_batch(np.random.default_rng(0), n, options)
    assert x.shape == (T, 1, n) and y.shape == (T, n) and x.dtype == y.dtype == np.int8
    gaps, starts = np.zeros(n, int), np.zeros(n, int)
    for k in range(n):
        t1, t2 = (t for t in range(T) if x[t, 0, k] == 1)
        (target,) = (t for t in range(T) if y[t, k] == 1)
        assert target == t2 + (t2 - t1)
        gaps[k], starts[k] = t2 - t1, t1
    assert set(np.unique(x)) == set(np.unique(y)) == {0, 1}
    assert set(gaps) == set(range(D_min, D_max + 1)), "every gap occurs"
    assert np.abs(np.bincount(gaps)[D_min:] / n * (D_max - D_min + 1) - 1).max() < 0.2, "all gaps are equally likely"
    for gap in {D_min, D_max}:
        seen, places = starts[gaps == gap], T - 2 * gap
        assert seen.max() <= places - 1
        assert abs(seen.mean() - (places - 1) / 2) < 0.2 * places / math.sqrt(len(seen) / 10), (
            "the first spike can be at any step"
        )
        if places <= 15:
            assert set(seen) == set(range(places))


@pytest.mark.parametrize("periods", [[10], [10, 15, 20], [2, 49], [7]])
def test_generated_spikes_and_waves_follow_their_definitions(lab, periods):
    words = "--periods", ",".join(map(str, periods)), "--T", 50
    for task, wave in ("gts", "cos"), ("pfg", "cos"), ("pfg", "triangle"), ("pfg", "rectangle"):
        options = options_of(lab, "--task", task, "--wave", wave, *words)
        for T in (50, 500):
            x, y = lab.make_batch(None, 32, options, T)
            assert x.shape == (T, len(periods), len(periods)) and y.shape == (T, len(periods))
            assert (x[0] == np.eye(len(periods))).all() and not x[1:].any(), "each period has its own start signal"
            for k, F in enumerate(periods):
                for t in range(T):
                    into = (t % F) / F
                    if task == "gts":
                        wanted = t > 0 and t % F == 0
                    elif wave == "cos":
                        wanted = (1 - math.cos(2 * math.pi * t / F)) / 2
                    elif wave == "triangle":
                        wanted = 2 * into if into < 0.5 else 2 - 2 * into
                    else:
                        wanted = into >= 0.5
                    assert abs(y[t, k] - wanted) < 1e-6


def test_held_out_sequences_do_not_depend_on_training(lab):
    drawn = [lab.held_out(options_of(lab, "--seeds", seeds, "--steps", steps, "--batch", batch, "--eval-n", n))
             for seeds, steps, batch, n in (("5", 1000, 8, 512), ("3,5", 700, 32, 65))]  # fmt: skip
    assert len(drawn[0]) == 8 and len(drawn[1]) == 2
    for (x, y), (other_x, other_y) in zip(*drawn):
        assert (x[:, :, 0] == other_x[:, :, 1]).all() and (y[:, 0] == other_y[:, 1]).all()


def test_no_sequence_is_seen_twice(lab, monkeypatch):
    options = options_of(lab, "--T", 400, "--D-max", 199, "--steps", 2 * lab.CHUNK, "--batch", 8, "--eval-n", 64)
    seen = [lab.held_out(options)[0][0]]

    def update(net, adam, x, *_):
        seen.append(x.copy())
        return np.zeros(1)

    monkeypatch.setattr(lab, "update", update)
    lab.train(lab.Cell(), options)
    assert len(seen) == 2 * lab.CHUNK + 1
    different = {column.tobytes() for x in seen for column in x[:, 0, 0].T}
    assert len(different) > 64 + 2 * lab.CHUNK * 8 - 10, "of 29,000 possible sequences, a few are drawn twice by chance"


def test_recorded_sequences_span_all_gaps(lab):
    x, y = lab.recorded_sequences(options_of(lab))
    second, target = study.spike_steps(x[:, :, None], y[:, None])
    assert (target - second)[0].tolist() == [30, 40, 50, 60]


# --------------------------------------------------------------------------------------- parameters, gradients


def test_parameter_counts_and_start(lab):
    assert [lab.Cell(8, 1, *kind).P for kind in CELLS] == [353, 329, 265, 249]
    assert lab.Cell(8, 3).P == 353 + 2 * 32
    thetas, start = {}, "--seeds 0-299 --dtype float64 --input-gate-bias -4"
    for peephole, forget_gate in CELLS:
        cell = lab.Cell(8, 3, peephole, forget_gate)
        theta = lab.init_theta(cell, options_of(lab, *start.split(), "--forget-gate-bias", 3))
        p = lab.views(theta, cell.shapes)
        gates = "oif" if forget_gate else "oi"
        assert cell.gates == gates and p.W.shape == (300, 8 * len(gates) + 8, 12) and (p.b == 0).all()
        for k, gate in enumerate(gates + "g"):
            assert (p.W[:, 8 * k : 8 * k + 8, -1] == {"i": -4, "f": 3}.get(gate, 0)).all()
        spreads = (p.W[:, :, :8], 1 / math.sqrt(32)), (p.W[:, :, 8:-1], 1 / math.sqrt(12)), (p.V, 1 / math.sqrt(8))
        for weights, std in spreads + (((p.peep, 0.1),) if peephole else ()):
            assert abs(weights.std() / std - 1) < 0.05 and abs(weights.mean()) < 0.05 * std
            assert np.abs(weights).max() > 3 * std, "normal, not uniform"
        thetas[peephole, forget_gate] = theta
    for forget_gate in (True, False):
        with_peepholes, without = thetas[True, forget_gate], thetas[False, forget_gate]
        assert (with_peepholes[:, : without.shape[1]] == without).all(), "variants start with equal weights"
    cell = lab.Cell()
    assert not lab.views(lab.init_theta(cell, options_of(lab, "--peephole-std", 0)), cell.shapes).peep.any()


def plain_forward(W, V, b, peep, x, forget_gate):
    """The equations of the paper, one unit at a time. W (R, K), peep (G, H) or None, x (T, D).

    Returns {name: (T, ...)}: output, c, h and the gates.
    """
    H = V.shape[1]
    gates = "oif" if forget_gate else "oi"
    c, h = np.zeros(H), np.zeros(H)
    out = {name: [] for name in ("output", "c", "h", *gates)}

    def sigma(z):
        return 1 / (1 + math.exp(-z))

    for x_t in x:
        source = [*h, *x_t, 1]
        net = {name: [sum(w * s for w, s in zip(W[k * H + j], source)) for j in range(H)]
               for k, name in enumerate(gates + "g")}  # fmt: skip
        held = {name: (peep[gates.index(name)] if peep is not None else np.zeros(H)) for name in gates}
        i = [sigma(net["i"][j] + held["i"][j] * c[j]) for j in range(H)]
        f = [sigma(net["f"][j] + held["f"][j] * c[j]) if forget_gate else 1.0 for j in range(H)]
        c = np.array([f[j] * c[j] + i[j] * math.tanh(net["g"][j]) for j in range(H)])
        o = [sigma(net["o"][j] + held["o"][j] * c[j]) for j in range(H)]
        h = np.array([o[j] * math.tanh(c[j]) for j in range(H)])
        found = {"output": float(V[0] @ h + b[0, 0]), "c": c, "h": h, "o": o, "i": i, "f": f}
        for name, values in out.items():
            values.append(found[name])
    return {name: np.array(values) for name, values in out.items()}


@pytest.mark.parametrize("peephole, forget_gate", CELLS)
def test_forward_agrees_with_the_equations(lab, peephole, forget_gate):
    rng = np.random.default_rng(0)
    cell = lab.Cell(3, 2, peephole, forget_gate)
    theta = rng.standard_normal((2, cell.P))
    net = lab.Network(cell, theta, 9, 4, backward=False)
    x = rng.standard_normal((9, 2, 2, 4))
    y = lab.forward(net, x)
    for s, k in ((0, 0), (1, 3)):
        p = net.p
        wanted = plain_forward(p.W[s], p.V[s], p.b[s], p.peep[s] if peephole else None, x[:, :, s, k], forget_gate)
        assert np.allclose(y[:, s, k], wanted["output"], rtol=1e-12, atol=1e-14)
        for name, array in {"c": net.c[1:], "h": net.h, **{gate: net.row[gate] for gate in cell.gates}}.items():
            assert np.allclose(array[:, :, s, k], wanted[name], rtol=1e-12, atol=1e-14)


def test_the_loss_is_half_the_squared_error_summed_over_steps(lab):
    y, target = np.random.default_rng(0).standard_normal((2, 5, 1, 3))
    loss, dy = lab.squared_error(y, target)
    assert np.allclose(loss[0], [sum((y[t, 0, k] - target[t, 0, k]) ** 2 / 2 for t in range(5)) for k in range(3)])
    assert np.allclose(dy, y - target)


@pytest.mark.parametrize("span", [1, 7, 20])
def test_the_gradient_does_not_depend_on_how_steps_are_grouped(lab, span):
    cell, rng = lab.Cell(3), np.random.default_rng(0)
    theta, x, dy = (rng.standard_normal(shape) for shape in ((2, cell.P), (20, 1, 2, 4), (20, 2, 4)))
    grads = []
    for steps in None, span:
        net = lab.Network(cell, theta, 20, 4, span=steps)
        lab.forward(net, x)
        lab.backward(net, dy)
        grads.append(net.grad.tobytes())
    assert grads[0] == grads[1]


def test_the_gradient_check_has_every_task_and_variant(lab, capsys):
    assert lab.gradient_check() == 0
    lines = capsys.readouterr().out.splitlines()
    kinds = [f"{kind}{gate}" for gate in ("", ", no forget gate") for kind in ("peephole", "vanilla")]
    variants = [f"{task} {kind}" for task in ("msd", "gts", "pfg") for kind in kinds]
    found = [line.split(" largest")[0].rstrip() for line in lines]
    assert found == [f"{variant}, spans of {span}" for variant in variants for span in (9, 4)]
    assert len({line.index(" largest") for line in lines}) == 1, "columns are aligned"


# -------------------------------------------------------------------------------------------------- measures


def test_solved_against_definitions(lab):
    rng = np.random.default_rng(0)
    options = options_of(lab, "--T", 20, "--D-min", 2, "--D-max", 6)
    x, y = (array[..., None, :] for array in lab.make_batch(rng, 200, options))
    near = np.where(rng.random(y.shape) < 0.95, y, 0) + 0.6 * rng.random(y.shape)
    found = lab.solved(options, x, y, near)[0]
    for k in range(200):
        t2 = max(t for t in range(20) if x[t, 0, 0, k])
        assert found[k] == (t2 + 1 + near[t2 + 1 :, 0, k].argmax() == y[:, 0, k].argmax())
    assert 0 < found.mean() < 1
    options = options_of(lab, "--task", "gts", "--periods", "4,5", "--T", 20)
    x, y = (array[..., None, :] for array in lab.make_batch(None, 0, options))
    for wrong_at, value in ((None, 0), (8, 0.4), (9, 0.6), (0, 0.6)):
        output = 0.9 * y
        if wrong_at is not None:
            output[wrong_at, 0, 0] = value
        assert lab.solved(options, x, y, output).tolist() == [[wrong_at is None, True]]


def test_periods_of_a_wave_are_judged_one_by_one(lab):
    options = options_of(lab, "--task", "pfg", "--periods", "4,6", "--T", 20)
    x, y = (array[..., None, :] for array in lab.make_batch(None, 0, options))
    output = y.copy()
    output[4:8, 0, 0] += 0.16
    output[0, 0, 1] += 0.3  # 0.3 / sqrt(6) = 0.12
    assert lab.solved(options, x, y, output).tolist() == [[0.8, 1]]
    assert np.allclose(lab.period_errors(output[:, :, 0], y[:, :, 0], 4)[:, 0], [0, 0.16, 0, 0, 0])


def test_paths_between_spike_and_target():
    rng = np.random.default_rng(0)
    T, S, H, n = 40, 2, 3, 6
    second, target = rng.integers(5, 10, (S, n)), rng.integers(20, 39, (S, n))
    second[0, 0], target[0, 0] = 30, 35  # fewer steps than SETTLE
    c = rng.standard_normal((T, S, H, n))
    c[:, 0, 0] = np.arange(T)[:, None]  # a linear ramp
    c[:, 0, 1] = np.minimum(np.arange(T)[:, None], target[0] - 1)  # a ramp that stops one step early
    c[target[1], 1, 1, np.arange(n)] = 1000
    c[:, 1, 2] = -np.maximum(np.arange(T)[:, None], second[1] + study.SETTLE)  # a ramp that begins SETTLE steps late
    wanted = np.zeros((5, S))
    for s in range(S):
        for k in range(n):
            for j in range(H):
                a, b = second[s, k], target[s, k]
                begin = a + min(study.SETTLE, b - a - 2)
                whole, settled = np.diff(c[a : b + 1, s, j, k]), np.diff(c[begin:b, s, j, k])
                edge = b - 1 - len(settled) / 4  # the beginning of the last quarter
                late = [abs(move) * min(1, max(0, begin + 1 + n - edge)) for n, move in enumerate(settled)]
                sizes = [(abs(c[t, s, j, k] - c[t - 1, s, j, k]), -t) for t in range(begin + 1, T)]
                wanted[:, s] += [
                    (whole > 0).all() or (whole < 0).all(),
                    (settled > 0).all() or (settled < 0).all(),
                    abs(settled.sum()) / np.abs(settled).sum(),
                    sum(late) / np.abs(settled).sum(),
                    abs(-max(sizes)[1] - b) <= 1,
                ]
    found = study.paths(c, second, target)
    names = "monotone", "monotone_settled", "straight", "late_moves", "on_time"
    assert np.allclose([found[name] for name in names], wanted / (H * n))
    assert found["monotone"][0] == pytest.approx(1 / 3) and found["monotone_settled"][0] >= 2 / 3
    assert found["on_time"][1] >= 1 / 3
    ramp = study.paths(np.broadcast_to(np.arange(40.0)[:, None, None, None], c.shape), second, target)
    assert np.allclose(ramp["late_moves"], 0.25) and np.allclose(ramp["straight"], 1)
    shortest = study.paths(rng.standard_normal(c.shape), np.full((S, n), 7), np.full((S, n), 8))
    assert (shortest["monotone"] == 1).all() and not shortest["straight"].any(), "there is no step between"


class Puppet:
    """A replacement for a network, with given cell states and outputs. forward(puppet, x) returns the outputs."""

    def __init__(self, c, output):
        self.c, self.output = c.swapaxes(1, 2), output


def test_read_outs_of_time_from_cells(lab, monkeypatch):
    options = options_of(lab, "--T", 60, "--D-min", 12, "--D-max", 20, "--seeds", 9)
    x, y = lab.draw_population(options, (9,), 64)
    (second, target), t = study.spike_steps(x, y), np.arange(60)[:, None, None]
    c = np.zeros((61, 1, 4, 64))
    c[1:, :, 0] = t - target  # this cell counts the steps left
    c[1:, :, 1] = (target - second) * (t >= second)  # this cell stores the gap
    c[1:, :, 2] = np.where(t == second, -1, 1) * (target - second)  # the second spike inverts this cell
    c[1:, :, 3] = np.random.default_rng(0).standard_normal((60, 1, 64))
    monkeypatch.setattr(study.lab, "forward", lambda net, x: net.output)

    def measured(output):
        found = study.measure_distances(Puppet(c, output), [(x, y)], options)
        return {name: value[0] for name, value in found.items()}

    def spike(at):
        return np.where(t == np.clip(at, 0, 59), 1.0, 0.0)

    values = measured(spike(target - 1))
    assert values["timing_error"] == values["early_answers"] == values["within_one"] == 1
    assert values["late_answers"] == 0 and values["answer_slope"] == 1
    assert values["mirrors"] == 0.25 and values["timers"] == 0.25
    assert max(values[name] for name in ("gap_error", "left_error", "best_cell_error")) < 0.1
    late = (np.arange(64) % 4 == 0) & (target < 58)
    values = measured(spike(np.where(late, target + 2, target)))
    assert values["late_answers"] == late.mean() == 1 - values["within_one"] == values["timing_error"] / 2 > 0.1
    assert measured(spike(second + 12))["answer_slope"] == pytest.approx(0)
    assert measured(spike(second + 1.5 * (target - second) - 6))["answer_slope"] > 1.3
    c[:, :, :3] = 0
    values = measured(spike(target))
    assert 0.9 < values["gap_error"] / (target - second).std() < 1.3, "no better than a constant, on fresh sequences"
    assert 0.95 < values["left_error"] / 2.87 < 1.1 and values["timers"] == 0
    short = options_of(lab, "--T", 60, "--D-min", 9, "--D-max", 20, "--seeds", 9)
    found = study.measure_distances(Puppet(c, spike(target)), [(x, y)], short)
    assert "gap_error" in found and not {"left_error", "best_cell_error", "timers"} & found.keys()


def test_read_outs_use_other_sequences_and_noise():
    rng = np.random.default_rng(0)
    cells, values = rng.standard_normal((40, 1, 15)), rng.standard_normal((40, 1))
    assert study.read_out_error(cells, values, np.random.default_rng(1)) > 1.2, (
        "a fit to noise fails on other sequences"
    )
    hidden = np.ones((400, 1, 2)) + rng.standard_normal((400, 1, 1))
    values = rng.standard_normal((400, 1))
    hidden[:, :, 1] += 1e-4 * values  # the cells differ by the value, in the fourth digit
    assert study.read_out_error(hidden, values, np.random.default_rng(1)) > 0.9
    hidden[:, :, 1] += values
    assert study.read_out_error(hidden, values, np.random.default_rng(1)) < 0.1
    assert np.isnan(study.read_out_error(hidden * np.inf, values, rng))


def test_measures_of_generators_that_run_on(lab):
    for words in ("--task gts --periods 4,5 --T 20", "--task pfg --periods 4,5 --T 20 --wave rectangle"):
        options = options_of(lab, *words.split(), "--seeds", "0-3")
        x, y = lab.make_batch(None, 0, options, 200)
        output = np.repeat(y[:, None], 4, axis=1)
        output[103, 1, 1] = 1 - output[103, 1, 1]
        output[[7, 150], 2, 0] = 1 - output[[7, 150], 2, 0]
        output[199, 3, 0] = 1 - output[199, 3, 0]
        measures = study.measure_run_on(options, output, y)
        if options.task == "gts":
            assert measures["exact_until"].tolist() == [200, 103, 7, 199]
        else:
            assert measures["periods_held"].tolist() == [50, 20, 1, 49]  # periods have 4, 5, 4 and 4 steps
            assert measures["exact_until"].tolist() == [200, 100, 4, 196]
            assert np.allclose(measures["rmse"], [0, 0, math.sqrt(1 / 20), 0])


@pytest.mark.parametrize("words", ["--task gts --periods 5,7", "--task pfg --periods 5,7"])
def test_run_on_begins_with_the_training_length(lab, tmp_path, words):
    _, recorded = run(lab, tmp_path, *words.split())
    _, wanted = lab.make_batch(None, 0, options_of(lab, *words.split()), 240)
    for variant in "peephole", "vanilla":
        assert np.allclose(recorded[f"{variant}/run_on_output"][:24], recorded[f"{variant}/output"][-1], atol=1e-6)
        assert (recorded[f"{variant}/run_on_target"] == wanted).all()


def test_cut_peepholes_are_restored(lab):
    options = options_of(lab, "--T", 7, "--D-min", 1, "--D-max", 3, "--eval-n", 64)
    cell = lab.Cell(3)
    theta = np.random.default_rng(3).standard_normal((1, cell.P))
    before = theta.copy()
    net, blocks = lab.Network(cell, theta, 7, 64, backward=False), lab.held_out(options)
    measures = study.cut_peepholes(net, blocks, options)
    assert (theta == before).all()
    for gate, rows in {"o": 0, "i": 1, "f": 2, "all": slice(None)}.items():
        net.p.peep[:, rows] = 0
        assert lab.evaluate(net, blocks, options)[1] == measures[f"solve_rate_without_{gate}"]
        theta[...] = before
    assert len({float(measures[f"solve_rate_without_{gate}"][0]) for gate in "oif"}) == 3, "a test that can fail"


def test_statistics_of_pairs():
    runs = {"peephole": {"test_mse": [1.0, 2.0, None], "sequences_to_99": [100, 300, None, None]},
            "vanilla": {"test_mse": [2.0, 8.0, 1.0], "sequences_to_99": [200, 200, 900, None]}}  # fmt: skip
    assert study.error_ratios(runs).tolist() == [2, 4], "the seed that diverged is missing"
    assert study.sooner(runs).tolist() == [1, -1, -1, 0]
    assert study.signs(np.array([0.5, -1, 0, 2, 0])) == (2, 1, 2, 1.0)
    assert study.geometric_mean([2.0, 8.0]) == "4.0 [2.0–8.0]"
    assert study.with_interval([-1, -1, -1], "+.1f") == "−1.0 [−1.0 to −1.0]"
    assert study.signed("0.5 [-0.2–1.0]") == "0.5 [−0.2 to 1.0]" and study.signed("0.5 [0.2–1.0]") == "0.5 [0.2–1.0]"
    assert [study.two_digits(x) for x in (0.0996, 2, 9.96, 51.4, 70123)] == ["0.10", "2.0", "10", "51", "70,000"]
    errors = {"test_mse": [1e-5, 5.1e-4, None]}
    assert study.errors_of(errors, 1e-5) == "26 [1.0–51], 2 of 3 seeds"
    fast, slow = (study.to_99(run) for run in runs.values())
    assert fast.endswith("[100–never]") and slow == "550 [200–never]"


# ------------------------------------------------------------------------------------------------------ runs


@pytest.mark.parametrize("arguments, least", [
    ("--T 16 --D-min 2 --D-max 5 --steps 800 --eval-n 128", 0.9),
    ("--T 16 --D-min 2 --D-max 5 --steps 800 --eval-n 128 --no-forget-gate", 0.9),
    ("--T 16 --D-min 2 --D-max 5 --steps 1200 --recipe writeup --eval-n 128", 0.7),
    ("--task gts --period 4 --T 16 --steps 600 --lr 0.02", 1.0),
    ("--task pfg --period 6 --T 18 --steps 600", 1.0),
])  # fmt: skip
@pytest.mark.parametrize("peephole", [True, False])
def test_training_learns(lab, arguments, least, peephole):
    options = options_of(lab, *arguments.split(), "--seeds", "0-3")
    result, _ = lab.train(lab.cell_of(options, "peephole" if peephole else "vanilla"), options)
    assert np.median(result["final"]["solve_rate"]) >= least, result["final"]["solve_rate"]


def run(lab, folder, *arguments):
    """A short run. Returns results.json and the arrays of snapshots.npz."""
    short = "--steps 20 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 4 --T 24 --D-min 3 --D-max 10"
    assert lab.main([*short.split(), *map(str, arguments), "--out", str(folder), "--force"]) == 0
    return json.loads((folder / "results.json").read_text()), np.load(folder / "snapshots.npz")


@pytest.mark.parametrize(
    "arguments", ["", "--no-forget-gate", "--task gts --periods 5,7", "--task pfg --dtype float64"]
)
def test_recorded_weights_rebuild_the_network(lab, tmp_path, arguments):
    results, recorded = run(lab, tmp_path, *arguments.split(), "--seeds", 3)
    for variant in results["runs"]:
        W, V, b = (recorded[f"{variant}/weights/{name}"][0].astype(float) for name in "WVb")
        peep = recorded[f"{variant}/weights/peep"][0].astype(float) if variant == "peephole" else None
        x, y = recorded[f"{variant}/x"], recorded[f"{variant}/y"]
        for k in range(y.shape[1]):
            wanted = plain_forward(W, V, b, peep, x[:, :, k], "--no-forget-gate" not in arguments)
            for name, values in wanted.items():
                tolerance = 2e-5 if name in ("output", "c") else 2e-3  # gates and h are kept in half precision
                assert np.allclose(recorded[f"{variant}/{name}"][-1, ..., k], values, atol=tolerance)


def test_snapshots_agree_with_the_docstring(lab, tmp_path):
    results, recorded = run(lab, tmp_path, "--seeds", "2,5")
    T, H, n, S = 24, 8, 4, 2
    shapes = {"step": (3,), "x": (T, 1, n), "y": (T, n), "output": (3, T, n), "weights/W": (S, 32, 10),
              "weights/V": (S, 1, 8), "weights/b": (S, 1, 1)} | {name: (3, T, H, n) for name in "choif"}  # fmt: skip
    wanted = {f"{variant}/{name}": shape for variant in results["runs"] for name, shape in shapes.items()}
    wanted["peephole/weights/peep"] = (S, 3, 8)
    assert {name: recorded[name].shape for name in recorded} == wanted
    names = {name.split("/", 1)[1] for name in wanted}
    table = re.search(r"\n    step \(N,\).*?\n\n", lab.__doc__, flags=re.DOTALL)[0]
    assert names == set(re.findall(r"\b(?:step|x|y|output|c|h|[oif]|weights/\w+)\b", table)) - {"n"}
    results, recorded = run(lab, tmp_path, "--task", "gts", "--periods", "5,7")
    assert recorded["peephole/x"].shape == (T, 2, 2) and recorded["vanilla/run_on_output"].shape == (240, 2)


def test_variants_and_their_options(lab, tmp_path):
    for words, variants in {"": ["peephole", "vanilla"], "--peep": ["peephole"], "--no-peep": ["vanilla"]}.items():
        results, _ = run(lab, tmp_path, *words.split())
        assert list(results["runs"]) == variants
    results, _ = run(lab, tmp_path, "--no-forget-gate", "--no-peep")
    assert results["runs"]["vanilla"]["trainable_parameters"] == 249 and not results["config"]["forget_gate"]


@pytest.mark.parametrize("task", ["--task msd", "--task gts", "--task pfg --periods 5,7 --no-forget-gate"])
def test_measures_of_the_untrained_network_are_those_before_the_first_step(lab, tmp_path, task):
    measured = []
    for arguments in ("--steps", 20), ("--steps", 20, "--lr", 1e-30):
        run(lab, tmp_path, *task.split(), "--seeds", "0,1", *arguments)
        measure_run(study, tmp_path)
        measured.append(json.loads((tmp_path / "measures.json").read_text())["runs"])
    trained, barely = measured
    for variant, found in trained.items():
        assert found["untrained"] == barely[variant]["untrained"] == barely[variant]["measures"]
        assert list(found["untrained"]) == list(found["measures"])
        assert found["untrained"] != found["measures"] or "gts" in task, (
            "a network of gts puts out no spike after so few steps"
        )


def test_history_and_first_reached(lab, tmp_path):
    assert lab.first_reached({"step": [0, 10, 20], "solve_rate": [[0, 0, 1], [0.98, 0.99, 0], [0.98, 0.5, 0.99]]},
                             0.99, 8) == [None, 80, 0]  # fmt: skip
    options = options_of(lab, "--T", 24, "--D-min", 3, "--D-max", 10, "--eval-n", 40, "--batch", 4, "--steps", 1,
                         "--eval-every", 1, "--lr", 1e-30)  # fmt: skip
    x, y = lab.draw_population(options, (lab.TRAIN, 0), 64)
    theta = lab.init_theta(lab.Cell(), options)
    net = lab.Network(lab.Cell(), theta, 24, 4)
    wanted = np.square(lab.forward(net, x[..., :4]) - y[..., :4]).mean()
    result, _ = lab.train(lab.Cell(), options)
    assert result["history"]["train_loss"][-1][0] == pytest.approx(wanted, rel=1e-5)
    assert result["history"]["batch_loss"] == pytest.approx([wanted], rel=1e-5)
    (held_out,) = lab.held_out(options)
    output = lab.forward(lab.Network(lab.Cell(), theta, 24, 64), held_out[0])[..., :40]
    error = np.square(output - held_out[1][..., :40]).mean()
    assert result["final"]["test_mse"][0] == pytest.approx(error, rel=1e-5), "over the first eval_n sequences"


def test_the_gradient_is_averaged_over_the_batch(lab):
    options = options_of(lab, "--T", 24, "--D-min", 3, "--D-max", 10, "--clip", 1e9)
    x, y = lab.draw_population(options, (lab.TRAIN, 0), 4)
    grads = []
    for copies in (1, 3):
        adam = lab.Adam(lab.init_theta(lab.Cell(), options))
        net = lab.Network(lab.Cell(), adam.theta, 24, 4 * copies)
        lab.update(net, adam, np.tile(x, copies), np.tile(y, copies), options, np.ones(1, bool))
        grads.append(net.grad.copy())
    assert np.allclose(*grads, rtol=1e-3, atol=1e-6)


def test_generators_do_not_depend_on_the_number_of_held_out_sequences(lab, tmp_path):
    rates = [run(lab, tmp_path, "--task", "pfg", "--periods", "5,19", "--eval-n", n)[0]["runs"]["vanilla"]["final"]
             for n in (1, 512)]  # fmt: skip
    assert rates[0] == rates[1]


def test_each_task_has_its_own_folder(lab):
    outs = [options_of(lab, *words.split()).out for words in ("", "--task gts", "--task pfg", "--task gts --quick")]
    base = "runs/timing_counting_spikes"
    assert outs == ["results/timing_counting_spikes", f"{base}/task-gts", f"{base}/task-pfg", f"{base}/task-gts-quick"]


def test_rates(lab):
    writeup = options_of(lab, "--recipe", "writeup")
    rates = [lab.learning_rate(writeup, step) for step in (0, 1499, 1500, 2999)]
    assert rates == [0.005, 0.005, 0.0025, 0.0025]
    sooner = options_of(lab, "--recipe", "writeup", "--halve-every", 10)
    assert [lab.learning_rate(sooner, step) for step in (9, 10, 25)] == [0.005, 0.0025, 0.00125]
    constant = options_of(lab, "--schedule", "constant", "--lr", 0.1)
    assert [lab.learning_rate(constant, step) for step in (0, 2499)] == [0.1, 0.1]


def test_each_task_has_its_own_recipe(lab):
    for task, recipe in lab.TASK_RECIPES.items():
        assert recipe.items() <= vars(options_of(lab, "--task", task)).items()
        writeup = options_of(lab, "--task", task, "--recipe", "writeup")
        assert lab.RECIPES["writeup"].items() <= vars(writeup).items()


def test_a_draw_of_training_data_changes_nothing_else(lab, tmp_path):
    thetas = []
    for draw in (0, 0, 1):
        options = options_of(lab, "--draw", draw, "--T", 24, "--D-min", 3, "--D-max", 10, "--eval-n", 40)
        thetas.append((lab.init_theta(lab.Cell(), options).tobytes(), lab.held_out(options)[0][0].tobytes(),
                       lab.draw_population(options, lab.training_key(options, 0), 8)[0].tobytes()))  # fmt: skip
    assert thetas[0] == thetas[1] and thetas[0][:2] == thetas[2][:2] and thetas[0][2] != thetas[2][2]


@pytest.mark.parametrize("arguments", ["--task gts --periods 5,7", "--task pfg --period 6 --wave triangle --no-peep",
                                       "--peep --no-forget-gate --hidden 1", "--no-peep --hidden 9",
                                       "--task pfg --periods 5,6 --lr 1e39"])  # fmt: skip
def test_renderers_draw_every_kind_of_run(lab, tmp_path, arguments, capsys):
    results, _ = run(lab, tmp_path / "run", *arguments.split())
    config, variants = results["config"], results["runs"]
    spikes = ["task", "cell_state", "clock", "sample_predictions"]
    pictures = {"training_curves", "weights"} | set(spikes if config["task"] == "msd" else ["target_and_output"])
    pictures |= {"peephole_weights"} if "peephole" in variants else set()
    assert load("visualize/timing_counting_spikes.py").main(["--run", str(tmp_path / "run")]) == 0
    assert {path.stem for path in (tmp_path / "run" / "viz").glob("*.png")} == pictures
    assert load("make_gifs/timing_counting_spikes.py").main(["--run", str(tmp_path / "run"), "--n-frames", "2"]) == 0
    assert (tmp_path / "run" / "viz" / "timing_counting_spikes.gif").read_bytes().startswith(b"GIF89a")


def test_pictures_of_other_variants_are_removed(lab, tmp_path):
    renderer = load("visualize/timing_counting_spikes.py")
    run(lab, tmp_path / "run")
    assert renderer.main(["--run", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "viz" / "peephole_weights.png").exists()
    run(lab, tmp_path / "run", "--no-peep")
    assert sorted(path.name for path in (tmp_path / "run").rglob("*.*")) == ["results.json", "snapshots.npz"]


@pytest.mark.parametrize("arguments", ["--seeds 4,3 --record 3", "--seeds 4,3 --record 3 --task gts --periods 5,7"])
def test_titles_have_measures_of_the_recorded_seed(lab, tmp_path, arguments):
    renderer, folder = load("visualize/timing_counting_spikes.py"), tmp_path / "run"
    run(lab, folder, *arguments.split())
    before = renderer.load_run(folder, renderer.EXPERIMENT, "")
    measure_run(study, folder)
    after = results, arrays = renderer.load_run(folder, renderer.EXPERIMENT, "")
    measures = {variant: run["measures"] for variant, run in results["runs"].items()}

    def title(draw, run):
        return " ".join(draw(*run).get_suptitle().split())

    if "--task" in arguments:
        value = measures["vanilla"]["exact_until"][1]
        assert f"without peepholes is right for {value:,.0f} steps" in title(renderer.target_and_output, after)
        assert "without peepholes has a solve rate of" in title(renderer.target_and_output, before)
    else:
        for variant, words in ("peephole", "with peepholes"), ("vanilla", "without"):
            value = renderer.percent(measures[variant]["late_moves"][1])
            assert f"{value} {words}" in title(renderer.clock, after)
        assert "%" not in title(renderer.clock, before)
        cut = renderer.percent(measures["peephole"]["solve_rate_without_all"][1])
        assert f"of {cut} when all of them are set to zero" in title(renderer.peephole_weights, after)
        assert "zero" not in title(renderer.peephole_weights, before)
        heights = [bar.get_height() for bar in renderer.peephole_weights(results, arrays).axes[2].patches]
        assert np.allclose(heights, arrays["peephole/weights/peep"][1, 2])


def test_the_strip_of_ratios_names_its_seeds_and_the_split_of_the_fresh_ones(lab, monkeypatch):
    monkeypatch.chdir(ROOT)
    renderer, axis = load("visualize/timing_counting_spikes.py"), Figure().subplots()
    renderer.strip(axis, np.array([0.5, 2.0, 4.0]), 1, "seed 1")
    more, less, *_ = study.signs(np.log(study.error_ratios(study.together(study.OURS_FRESH))))
    assert axis.get_title("left") + axis.get_title() == (
        f"ratio of the final errors of seeds 0 to 29 (fresh seeds 30 to 59: {less} and {more})"
    )
    assert [text.get_text().split(":")[0] for text in axis.texts] == ["1 seeds", "2 seeds", "seed 1"]


def test_the_headline_is_the_median_of_thirty_seeds(lab):
    results = json.loads((ROOT / "results" / lab.EXPERIMENT / "thirty_seeds" / "default" / "results.json").read_text())
    with_peepholes, without = (np.array(run["final"]["test_mse"]) for run in results["runs"].values())
    median = np.argsort(without / with_peepholes)[(len(without) - 1) // 2]
    assert options_of(lab).seeds == [results["seeds"][median]]
