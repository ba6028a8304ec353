"""multiplication_problem.py: data, training, measures, records. tests/test_runs.py has the tests of all scripts."""

import json

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import multiplication_problem as study

SCRIPT = "multiplication_problem.py"
SOURCE = (ROOT / SCRIPT).read_text()


@pytest.fixture(scope="module")
def lab():
    return load(SCRIPT)


# ------------------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize("T", [12, 13, 20, 21, 29, 30, 110])
def test_sequences_follow_the_specification(lab, T):
    n, last = 6000, {12: 10, 13: 10, 20: 10, 21: 10, 29: 14, 30: 14, 110: 54}[T]  # max(10, ceil(T / 2) - 1)
    pairs, numbers = lab.make_batch(np.random.default_rng(0), np.full(n, T))
    assert pairs.shape == (T, 2, n) and numbers.shape == (2, n) and lab.second_until(T) == last
    marker = pairs[:, 1]
    assert (marker[[0, -1]] == -1).all() and ((marker == -1).sum(axis=0) == 2).all()
    assert ((marker == 1).sum(axis=0) == 2).all() and (np.abs(marker).sum(axis=0) == 4).all()
    t1 = (marker == 1).argmax(axis=0)
    t2 = T - 1 - (marker[::-1] == 1).argmax(axis=0)
    assert set(t1) == set(range(1, 10)) and set(t2) == set(range(10, last + 1)), "all steps of the ranges"
    for t, first in (t1, 1), (t2, 10):
        assert np.abs(np.bincount(t)[first:] / n * (t.max() - first + 1) - 1).max() < 0.2, "equally likely"
    assert abs(np.mean((t1 - t1.mean()) * (t2 - t2.mean()))) <= 0.05 * t1.std() * max(t2.std(), 1)
    column = np.arange(n)
    assert (numbers == [pairs[t1, 0, column], pairs[t2, 0, column]]).all()
    assert 0 <= pairs[:, 0].min() and pairs[:, 0].max() < 1
    assert np.abs(np.histogram(pairs[:, 0], bins=10, range=(0, 1))[0] / (T * n / 10) - 1).max() < 0.05
    assert abs(np.corrcoef(numbers)[0, 1]) < 0.05


def test_sequences_of_several_lengths_share_arrays(lab):
    pairs, _ = lab.make_batch(np.random.default_rng(0), np.repeat([20, 30, 25], 100))
    for k, T in enumerate((20, 30, 25)):
        marker = pairs[:, 1, 100 * k : 100 * k + 100]
        assert (marker[T - 1] == -1).all() and (marker[T:] == 0).all() and ((marker == 1).sum(axis=0) == 2).all()


def test_targets(lab):
    x = np.array([[0.5, 0.2], [0.4, 1.0]])
    assert np.allclose(lab.TARGETS["multiply"](x), [0.2, 0.2]) and np.allclose(lab.TARGETS["add"](x), [0.45, 0.6])


def test_errors_of_limited_knowledge_match_docstring_and_pictures(lab):
    x1, x2 = np.random.default_rng(0).random((2, 2_000_000))
    y, s = x1 * x2, x1 + x2
    linear = 0.25 + (x1 - 0.5) / 2 + (x2 - 0.5) / 2
    of_sum = np.where(s < 1, s * s / 6, s * s / 4 - (2 - s) ** 2 / 12)  # E[x1 x2 | s]
    levels = load("visualize/multiplication_problem.py").LEVELS
    errors = [np.square(y - answer).mean() for answer in (0.25, x1 / 2, linear, of_sum)]
    assert np.allclose(errors, list(levels["multiply"].values()), rtol=0.01)
    errors = [np.square(s / 2 - answer).mean() for answer in (0.5, x1 / 2 + 0.25)]
    assert np.allclose(errors, list(levels["add"].values()), rtol=0.01)
    assert all(f"1/{n}" in lab.__doc__ for n in (36, 144, 540)) and "7/144" in lab.__doc__


def test_held_out_sequences_do_not_depend_on_training(lab):
    drawn = [lab.held_out(options_of(lab, "--seeds", seeds, "--steps", steps, "--T-min", T_min))
             for seeds, steps, T_min in (("5", 1000, 20), ("3,5", 700, 30))]  # fmt: skip
    assert len(drawn[0]) == len(drawn[1]) == 4
    for (pairs, numbers), (other_pairs, other_numbers) in zip(*drawn):
        assert pairs.shape == (30, 2, 1, 128) and numbers.shape == (2, 1, 128)
        assert (pairs[:, :, 0] == other_pairs[:, :, 1]).all() and (numbers[:, 0] == other_numbers[:, 1]).all()


def test_a_batch_has_one_length_for_all_seeds_and_lengths_are_uniform(lab):
    lengths = np.concatenate([lab.training_lengths(options_of(lab), chunk) for chunk in range(200)])
    assert set(lengths) == set(range(20, 31))
    assert np.abs(np.bincount(lengths)[20:] * 11 / len(lengths) - 1).max() < 0.25
    again = lab.training_lengths(options_of(lab, "--seeds", "3,4"), 0)
    assert (again == lengths[: len(again)]).all()


# --------------------------------------------------------------------------------------- parameters, gradients


def test_parameter_counts_and_start(lab):
    assert [cell.P for cell in (lab.Cell(), lab.Cell(forget_gate=False), lab.Cell(16))] == [361, 273, 1233]
    for forget_gate, gates in (True, "oif"), (False, "oi"):
        cell = lab.Cell(8, forget_gate)
        biases = "--input-gate-bias", -6, "--forget-gate-bias", 3, "--output-bias", -1
        theta = lab.init_theta(cell, options_of(lab, "--seeds", "0-299", "--dtype", "float64", *biases))
        p = lab.views(theta, cell.shapes)
        assert cell.gates == gates and (p.b == -1).all() and p.W.shape == (300, 8 * len(gates) + 8, 11)
        for k, gate in enumerate(gates + "g"):
            assert (p.W[:, 8 * k : 8 * k + 8, -1] == {"i": -6, "f": 3}.get(gate, 0)).all()
        for weights, limit in (p.W[:, :, :8], 8**-0.5), (p.W[:, :, 8:-1], 2**-0.5), (p.V, 8**-0.5):
            assert abs(np.abs(weights).max() - limit) < 0.01 and abs(weights.std() - limit / 3**0.5) < 0.01


def test_the_gradient_check_has_every_variant(lab, capsys):
    assert lab.gradient_check() == 0
    lines = capsys.readouterr().out.splitlines()
    variants = [f"{no}forget gate, {task}" for no in ("", "no ") for task in ("multiply", "add")]
    found = [line.split(" largest")[0].rstrip() for line in lines]
    assert found == [f"{variant}, spans of {span}" for variant in variants for span in (13, 5)]
    assert len({line.index(" largest") for line in lines}) == 1, "columns are aligned"


# ------------------------------------------------------------------------------------------------------ runs


def errors_after_training(lab, *arguments):
    options = options_of(
        lab, "--T-min", 12, "--T-max", 13, "--steps", 600, "--eval-n", 128, "--seeds", "0-3", *arguments
    )
    result, _ = lab.train(lab.Cell(options.hidden, options.forget_gate), options)
    return result["final"]["test_mse"]


@pytest.mark.parametrize("arguments", ["", "--task add", "--no-forget-gate"])
def test_training_learns(lab, arguments):
    assert max(errors_after_training(lab, *arguments.split())) < 1 / 144


@pytest.mark.parametrize(
    "right, wrong",
    [("targets[:, batch], options", "targets[:, :B], options"), ("self.theta - lr", "self.theta + lr")],
)
def test_broken_training_does_not_learn(right, wrong):
    assert SOURCE.count(right) == 1
    assert min(errors_after_training(load(SCRIPT, SOURCE.replace(right, wrong)))) > 1 / 48


@pytest.mark.parametrize("scale", [0.5, 10.0], ids=["below the clip", "clipped"])
def test_an_update_follows_the_gradient_of_the_mean_loss(lab, scale):
    options = options_of(lab, "--seeds", "0,1", "--batch", 6, "--hidden", 3, "--dtype", "float64", "--lr", 0.1)
    cell = lab.Cell(3)
    adam = lab.Adam(scale / 10 * np.random.default_rng(0).standard_normal((2, cell.P)))
    pairs, numbers = lab.draw_population([0, 1], (9,), [12] * 6)
    target = lab.TARGETS["multiply"](numbers.astype(float)) + scale  # large errors, so large gradients
    start = adam.theta.copy()

    def loss(population):
        net = lab.Network(cell, population, 12, 6, backward=False)
        return np.square(lab.forward(net, pairs[:, :, [s]]) - target[s]).mean(axis=1)

    net = lab.Network(cell, adam.theta, 12, 6)
    losses = lab.update(net, adam, pairs, target, options, np.array([True, True]))
    for s in range(2):
        gradient = lab.numerical_gradient(loss, start[s])
        clipped = gradient * min(1, lab.CLIP / np.linalg.norm(gradient))
        assert (np.linalg.norm(gradient) > lab.CLIP) == (scale > 1)
        assert np.allclose(net.grad[s], clipped, atol=1e-9)
        assert np.allclose(adam.m[s], 0.1 * clipped, atol=1e-9)
        assert np.allclose(adam.v[s], 0.001 * clipped**2, atol=1e-9)
        assert np.allclose(losses[s], loss(start[[s]]))


def test_the_training_loss_is_the_mean_over_the_steps_since_the_last_evaluation(lab, monkeypatch):
    options, losses = options_of(lab, *"--T-min 12 --T-max 12 --steps 9 --eval-every 4 --snapshot-every 9".split()), []
    real = lab.squared_error

    def squared_error(y, target):
        losses.append(np.square(y - target).mean())
        return real(y, target)

    monkeypatch.setattr(lab, "squared_error", squared_error)
    result, _ = lab.train(lab.Cell(), options)
    expected = [np.mean(losses[:4]), np.mean(losses[4:8]), losses[8]]
    assert len(losses) == 9 and np.allclose(np.array(result["history"]["train_loss"])[1:, 0], expected)
    assert np.allclose(result["history"]["batch_loss"], losses)


def test_watched_measures_agree_with_the_weights(lab, tmp_path):
    words = "--T-min 12 --T-max 16 --steps 300 --eval-every 150 --snapshot-every 150 --eval-n 256 --out".split()
    assert lab.main([*words, str(tmp_path)], watch=study.watch) == 0
    history = json.loads((tmp_path / "results.json").read_text())["runs"]["lstm"]["history"]
    last = {name: values[-1][0] for name, values in history.items() if name not in ("step", "batch_loss")}
    arrays = np.load(tmp_path / "snapshots.npz")
    theta = np.concatenate([arrays[f"lstm/weights/{name}"].ravel() for name in "WVb"])[None].astype(float)
    net = lab.Network(lab.Cell(), theta, 16, lab.EVAL_BATCH)
    batches = lab.held_out(options_of(lab, *words[:-1]))
    answers, numbers = lab.evaluate(net, batches, 256)
    answers, numbers = answers[0], numbers[:, 0]
    assert np.isclose(last["test_mse"], np.square(answers - numbers[0] * numbers[1]).mean(), rtol=1e-3)
    assert np.isclose(last["answer_std"], answers.std(), rtol=1e-3)
    for name, x in zip(("slope_1", "slope_2"), numbers):
        assert np.isclose(last[name], np.polyfit(x, answers, 1)[0], rtol=1e-3)
    (pairs, _), n = batches[0], np.arange(lab.EVAL_BATCH)
    marker = pairs[:, 1, 0] == 1
    steps = marker.argmax(axis=0), 15 - marker[::-1].argmax(axis=0)
    for name, t in zip(("sensitivity_1", "sensitivity_2"), steps):
        moved = []
        for change in (1e-3, -1e-3):
            other = pairs.astype(float)
            other[t, 0, 0, n] += change
            moved.append(lab.forward(net, other)[0])
        assert np.isclose(last[name], np.abs(moved[0] - moved[1]).mean() / 2e-3, rtol=1e-3)
    lab.forward(net, pairs)
    f = net.row["f"][:16, :, 0].transpose(2, 0, 1)
    kept = np.array([f[k, t + 1 :].prod(axis=0) for k, t in enumerate(steps[0])]).T  # (H, n)
    slope = 1 - np.tanh(net.c[16, :, 0]) ** 2
    expected = {"survival": kept.mean(axis=1).max(), "slack": slope.mean(), "path": (kept * slope).mean(axis=1).max()}
    assert all(np.isclose(last[name], value, rtol=1e-3) for name, value in expected.items())


def test_levels_are_found_in_the_history(quick):
    run = json.loads((quick(SCRIPT) / "run" / "results.json").read_text())["runs"]["lstm"]
    mse, seen = np.array(run["history"]["test_mse"]), np.array(run["history"]["step"]) * 32
    assert list(run["sequences_to"]) == ["0.03", "1/144", "0.001"]
    for level, reached in zip((0.03, 1 / 144, 0.001), run["sequences_to"].values()):
        assert reached == [next((int(n) for n, value in zip(seen, values) if value < level), None) for values in mse.T]


@pytest.mark.parametrize("arguments", ["", "--no-forget-gate", "--task add --T-max 40 --hidden 3"])
def test_weights_rebuild_the_recorded_outputs(call, tmp_path, arguments):
    done = call(SCRIPT, "--steps", 40, "--eval-every", 20, "--snapshot-every", 20, "--eval-n", 40, "--out", tmp_path,
                *arguments.split())  # fmt: skip
    assert done.returncode == 0, done.stderr
    arrays = {name.removeprefix("lstm/"): array for name, array in np.load(tmp_path / "snapshots.npz").items()}
    W, V, b = (arrays[f"weights/{name}"][0].astype(float) for name in "WVb")
    H, gates = V.shape[1], "oi" if "--no-forget-gate" in arguments else "oif"

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for n in range(5):
        h, c, x = np.zeros(H), np.zeros(H), arrays["x"][:, :, n]
        for t, pair in enumerate(x):
            z = (W @ np.concatenate([h, pair, [1]])).reshape(-1, H)
            gate = dict(zip(gates, sigmoid(z)))
            c = gate.get("f", 1) * c + gate["i"] * np.tanh(z[-1])
            h = gate["o"] * np.tanh(c)
            for name, value in (gate | {"c": c, "h": h}).items():
                assert np.allclose(arrays[name][-1, t, :, n], value, atol=1e-5)
        assert np.allclose(arrays["answer"][-1, n], sigmoid(V @ h + b[:, 0]), atol=1e-5)
        a, b_ = x[x[:, 1] == 1, 0]
        assert np.isclose(arrays["y"][n], (a + b_) / 2 if "add" in arguments else a * b_)
    target, mse = arrays["test_target"], json.loads((tmp_path / "results.json").read_text())["runs"]["lstm"]["final"]
    assert np.allclose(np.square(arrays["test_answer"] - target).mean(), mse["test_mse"], rtol=1e-4)
    assert target.shape == (40,) and arrays["test_numbers"].shape == (2, 40)


# -------------------------------------------------------------------------------------------------- measures


@pytest.fixture(scope="module", params=[True, False], ids=["forget gate", "no forget gate"])
def measured(request, lab):
    """Random networks of two seeds, their held-out sequences, and the measures of the study."""
    options = options_of(lab, "--seeds", "0,1", "--eval-n", 256, "--T-max", 22)
    cell = lab.Cell(8, request.param)
    theta = 0.5 * np.random.default_rng(0).standard_normal((2, cell.P))
    net, batches = lab.Network(cell, theta, 22, lab.EVAL_BATCH, backward=False), lab.held_out(options)
    found = study.measure_lstm(net, batches, "multiply")
    return net, batches, np.concatenate([numbers for _, numbers in batches], axis=2), *found.values()


def test_gates_and_errors_agree_with_a_slow_count(lab, measured):
    net, batches, numbers, measures, _ = measured
    values, answers = {}, []
    for pairs, _ in batches:
        answers.append(lab.forward(net, pairs)[1])
        for n in range(128):
            marker = pairs[:, 1, 1, n]
            first = int(np.flatnonzero(marker == 1)[0])
            for t in range(22):
                places = {1: ["at_markers"], 0: ["at_distractors", *["between"] * (t > first)], -1: []}[int(marker[t])]
                for gate in net.cell.gates:
                    for place in places:
                        values.setdefault((gate, place), []).append(net.row[gate][t, :, 1, n].mean())
    names = {"f": "forget_gate", "i": "input_gate", "o": "output_gate"}
    assert {name for name in measures if "_gate_" in name} == {f"{names[gate]}_{place}" for gate, place in values}
    for (gate, place), found in values.items():
        assert np.isclose(measures[f"{names[gate]}_{place}"][1], np.mean(found), rtol=1e-6)
    off = np.abs(np.concatenate(answers) - numbers[0, 1] * numbers[1, 1])
    assert np.isclose(measures["wrong"][1], (off > 0.04).mean())
    assert np.isclose(measures["mean_absolute_error"][1], off.mean())


def test_read_outs_agree_with_slow_ones(lab, measured):
    net, batches, numbers, measures, behind = measured
    x1, x2 = numbers[:, 1].astype(float)
    places = "before_second", "kept", "written", "at_second", "end_of_lag", "last", "output"
    states, own = {where: [] for where in (*places, "three steps behind")}, []
    for pairs, _ in batches:
        lab.forward(net, pairs)
        for n in range(128):
            second = int(np.flatnonzero(pairs[:, 1, 1, n] == 1)[1])
            c, h = net.c[1:, :, 1, n], net.h[:, :, 1, n]
            written = net.row["i"][second, :, 1, n] * net.row["g"][second, :, 1, n]
            kept = net.row["f"][second, :, 1, n] * c[second - 1] if net.cell.forget_gate else c[second - 1]
            found = c[second - 1], kept, written, c[second], c[20], c[21], h[21], c[second + 3]
            for where, value in zip(states, found):
                states[where].append(value.astype(float))
            own.append(1 / (1 + np.exp(-(net.p.V[1] @ h[second + 3] + net.p.b[1, :, 0])[0])))

    def r2(cells, value):
        features, half = np.column_stack([cells, np.ones(len(cells))]), len(cells) // 2
        weights = np.linalg.solve(features[:half].T @ features[:half], features[:half].T @ value[:half])
        return 1 - np.square(value[half:] - features[half:] @ weights).mean() / value[half:].var()

    three = behind["step"].tolist().index(3)
    states = {where: np.array(cells) for where, cells in states.items()}
    for name, value in {"x1": x1, "x2": x2, "product": x1 * x2, "interaction": (x1 - 0.5) * (x2 - 0.5)}.items():
        assert np.isclose(behind[f"r2_{name}"][three, 1], r2(states["three steps behind"], value), atol=1e-6)
        for where in places:
            cells = states[where]
            assert np.isclose(measures[f"r2_{name}_{where}"][1], r2(cells, value), atol=1e-6), (name, where)
            best = max(range(8), key=lambda k: r2(cells[:128, [k]], value[:128]))
            assert np.isclose(measures[f"one_cell_{name}_{where}"][1], r2(cells[:, [best]], value), atol=1e-6)
    error = np.square(np.array(own) - x1 * x2).mean()
    assert np.isclose(behind["r2_answer"][three, 1], 1 - error / (x1 * x2).var())
    assert behind["step"].tolist() == list(range(-1, 11)), "second markers are at step 10, and the lag ends at step 20"


def test_slopes_equal_regression():
    x, noise = np.random.default_rng(0).random((2, 3, 500))
    assert np.allclose(study.slope(0.3 * x + 0.1, x), 0.3)
    assert np.allclose(study.slope(noise, x), [np.polyfit(a, b, 1)[0] for a, b in zip(x, noise)])


# ------------------------------------------------------------------------------------------------- sentences


def test_points_of_one_recipe_are_pooled_seed_by_seed():
    first, second = (study.point(f"thirty_seeds/default{part}") for part in ("", "-fresh"))
    both = study.pooled("default")
    assert study.errors(both).tolist() == [*first["final"]["test_mse"], *second["final"]["test_mse"]]
    assert both["measures"]["wrong"] == first["measures"]["wrong"] + second["measures"]["wrong"]
    assert [len(needed) for needed in both["sequences_to"].values()] == [60, 60, 60]
    assert study.errors(study.pooled("default", "0–29")).tolist() == first["final"]["test_mse"]


def test_rank_correlations_are_over_the_seeds_that_still_wait():
    mse = np.full((6, 8), 1.0)
    for seed, evaluation in enumerate((0, 0, 1, 2, 3, 4, 5)):  # the last seed never gets below 0.03
        mse[evaluation:, seed] = 0.01
    assert study.first_below(mse).tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    metric = np.array([[9.0, 9, 9, 5, 4, 3, 2, 2.5]] * 6)
    history = {"test_mse": mse, "metric": metric, "step": np.arange(0, 600, 100)}
    (value, low, high), n = study.correlation(history, "metric", 100)
    assert n == 5 and np.isclose(value, 1 - 6 * (16 + 4 + 0 + 9 + 9) / (5 * 24))  # sum of squared differences of ranks
    half = 1.96 * 1.03 / 2**0.5
    assert np.allclose(np.arctanh([low, high]), np.arctanh(value) + np.array([-half, half]))
    assert study.ranks([3, 1, 1]).tolist() == [2.5, 1, 1]


def test_shares_of_the_same_seeds_are_compared_seed_by_seed():
    nan = float("nan")
    run = {"final": {"test_mse": [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, nan, 0.05]}}
    other = {"final": {"test_mse": [0.01, 0.05, 0.05, nan, 0.05, 0.05, nan, 0.01]}}
    assert study.paired(run, other) == study.paired(other, run) == study.sign_test(5, 1)


def test_numbers_have_two_digits_and_no_exponent():
    assert [study.decimal(value) for value in (0.0000304, 0.0001, 0.9961)] == ["0.000030", "0.00010", "1.0"]


def test_sentences_follow_the_results(monkeypatch):
    real = study.point

    def one_seed_fails(name):
        run = real(name)
        if name == "thirty_seeds/default-fresh":
            run["final"]["test_mse"][3] = 0.05
        return run

    monkeypatch.setattr(study, "point", one_seed_fails)
    assert "58/60 seeds" in study.front_claims()[0] and "fails on 1 |" in study.TABLES["product-front"]()
    monkeypatch.setattr(study, "point", lambda name: real("thirty_seeds/default"))
    names = "result remedy recipe forget_gates cells lengths gates".split()
    for section in [
        *(getattr(study, f"claims_of_{name}") for name in names),
        study.front_claims,
    ]:  # all runs are equal, so every sentence that compares two of them is false
        with pytest.raises(AssertionError):
            section()


# -------------------------------------------------------------------------------------------------- renderers


@pytest.mark.parametrize("arguments", ["--hidden 1 --batch 1 --eval-n 1 --T-min 12 --T-max 12 --lr 1e39",
                                       "--hidden 20 --no-forget-gate --task add"])  # fmt: skip
def test_renderers_accept_runs_with_other_options(lab, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert lab.main(["--quick", "--steps", "3", "--out", "run", *arguments.split()]) == 0
    assert [load(f"{folder}/{SCRIPT}").main(["--run", "run"]) for folder in ("visualize", "make_gifs")] == [0, 0]
