"""information_latching.py: its data, its four cells against a plain implementation, the rules of Keras, measures."""

import json
import math

import numpy as np
import pytest
from conftest import load, options_of

from studies import information_latching as study
from studies.report import measure_run

lab = load("information_latching.py")
CELLS = [(kind, hard, hidden) for kind in lab.GATES for hard in (True, False) for hidden in (1, 3)]
every_cell = pytest.mark.parametrize("kind, hard, hidden", CELLS)


def sigmoid(z, hard):
    return min(max(0.2 * z + 0.5, 0.0), 1.0) if hard else 1 / (1 + math.exp(-z))


def plain(kind, hard, W, V, b, x):
    """The equations of the docstring, unit by unit, for one network and one x (T,): logits; h, c, gates over time."""
    H = W.shape[1] - 2
    h, c, trace = [0.0] * H, [0.0] * H, []
    rows = dict(zip(lab.GATES[kind] + "g", np.split(W, len(lab.GATES[kind]) + 1)))

    def net(name, unit, h):
        w = rows[name][unit]
        return sum(w[k] * h[k] for k in range(H)) + w[H] * x_t + w[H + 1]

    for x_t in x:
        gates = {name: [sigmoid(net(name, u, h), hard) for u in range(H)] for name in lab.GATES[kind]}
        seen = [r * value for r, value in zip(gates["r"], h)] if kind == "gru" else h
        g = [math.tanh(net("g", u, seen)) for u in range(H)]
        if kind == "srnn":
            h = g
        elif kind == "gru":
            h = [z * before + (1 - z) * new for z, before, new in zip(gates["z"], h, g)]
        else:
            forget = gates.get("f", [1.0] * H)
            c = [f * before + i * new for f, before, i, new in zip(forget, c, gates["i"], g)]
            h = [o * math.tanh(state) for o, state in zip(gates["o"], c)]
        trace.append({"h": h, "c": c, **gates})
    logits = [sum(V[o, k] * h[k] for k in range(H)) + b[o, 0] for o in range(2)]
    return np.array(logits), {name: np.array([step[name] for step in trace]) for name in trace[0]}


def network(kind, hard, hidden, S=2, T=7, B=3, seed=0):
    """Networks with random weights, float64, and sequences for them: net, x (T, S, B)."""
    cell, rng = lab.Cell(kind, hidden, T, hard), np.random.default_rng(seed)
    return lab.Network(cell, rng.standard_normal((S, cell.P)), T, B), rng.standard_normal((T, S, B))


# ------------------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize("n, T", [(4000, 2), (4000, 9), (301, 30)])
def test_the_first_number_tells_the_class(n, T):
    x, y = lab.make_batch(np.random.default_rng(0), n, T, "latch")
    assert x.shape == (n, T) and x.dtype == np.float32
    assert (y[: n // 2] == 1).all() and (y[n // 2 :] == 0).all(), "sorted by class"
    noise = x.astype(float)
    noise[:, 0] -= np.where(y == 1, 1, -1)
    assert abs(noise.std() - 0.1) < 0.005 and abs(noise.mean()) < 0.005 and np.abs(noise).max() < 0.6


@pytest.mark.parametrize("T", [2, 9, 10])
def test_bit_relay_asks_whether_two_signs_agree(T):
    x, y = lab.make_batch(np.random.default_rng(0), 4000, T, "bit-relay")
    first, second = np.sign(x[:, 0]), np.sign(x[:, T // 2])
    assert ((first == second) == (y == 1)).all() and y.sum() == 2000
    assert abs((first > 0).mean() - 0.5) < 0.03
    for t in range(T):
        assert (np.abs(np.abs(x[:, t]) - (t in (0, T // 2))) < 0.6).all()


def test_the_split_of_the_question_holds_out_one_class():
    options = options_of(lab, "--recipe", "writeup", "--seeds", "0,5")
    data, classes = lab.draw_population(options, 3)
    assert data.shape == (2, 10000, 3) and (classes[:, 8000:] == 0).all()
    assert classes[:, :8000].sum(axis=1).tolist() == [5000, 5000], "5,000 sequences of one class, 3,000 of the other"
    shuffled, mixed = lab.draw_population(options_of(lab, "--seeds", "0,5"), 3)
    assert (np.abs(mixed[:, 8000:].mean(axis=1) - 0.5) < 0.05).all()
    for s in range(2):
        assert sorted(map(tuple, shuffled[s])) == sorted(map(tuple, data[s])), "the same sequences in another order"
        assert ((shuffled[s, :, 0] > 0) == mixed[s]).all()


# ------------------------------------------------------------------------------------------------- parameters


def test_initial_weights_are_those_of_keras():
    options = options_of(lab, "--seeds", "0-199")
    for kind, R in ("srnn", 1), ("lstm", 4), ("gru", 3), ("lstm-1997", 3):
        cell = lab.Cell(kind, 1, 10)
        p = lab.views(lab.init_theta(cell, options), cell.shapes)
        assert np.allclose(np.linalg.norm(p.W[:, :, 0], axis=1), 1), "a row of norm 1; a single number is 1 or -1"
        positive = (p.W[:, :, 0] > 0).mean(axis=0)
        assert (positive[0] == 0) == (R > 1), "the decomposition of Keras never makes the first number positive"
        assert (np.abs(positive[1 if R > 1 else 0 :] - 0.5) < 0.15).all()
        limit = math.sqrt(6 / (1 + R))
        assert 0.9 * limit < np.abs(p.W[:, :, 1]).max() <= limit
        assert 0.9 * math.sqrt(2) < np.abs(p.V).max() <= math.sqrt(2) and (p.b == 0).all()
        expected = [1.0 if gate == "f" else 0.0 for gate in cell.gates + "g"]
        assert (p.W[:, :, 2] == expected).all()
    for kind, rows in ("srnn", 8), ("lstm", 32), ("gru", 24):
        cell = lab.Cell(kind, 8, 10)
        p = lab.views(lab.init_theta(cell, options_of(lab, "--task", "bit-relay", "--seeds", "0-4")), cell.shapes)
        U = p.W[:, :, :8]
        assert U.shape[1] == rows and np.allclose(U.transpose(0, 2, 1) @ U, np.eye(8), atol=1e-6)


def test_biases_of_gates():
    for words, forget in (("--forget-gate-bias", "log-T"), math.log(50)), (("--forget-gate-bias", "5"), 5.0):
        cell = lab.Cell("lstm", 2, 50)
        p = lab.views(lab.init_theta(cell, options_of(lab, *words, "--input-gate-bias", "-2")), cell.shapes)
        assert np.allclose(p.W[:, :, -1], [-2, -2, forget, forget, 0, 0, 0, 0])


# --------------------------------------------------------------------------------------- forward and backward


@every_cell
def test_forward_follows_the_equations(kind, hard, hidden):
    net, x = network(kind, hard, hidden)
    logits = lab.forward(net, x)
    for s in range(2):
        for b in range(3):
            expected, trace = plain(kind, hard, net.p.W[s], net.p.V[s], net.p.b[s], x[:, s, b])
            assert np.allclose(logits[s, :, b], expected, rtol=1e-12, atol=1e-12)
            for name, values in trace.items():
                ours = {"h": net.h, "c": net.c[1:]}.get(name, net.row.get(name))
                if ours.size:
                    assert np.allclose(ours[:, :, s, b], values, rtol=1e-12, atol=1e-12)
    assert (net.c.size > 0) == (kind in ("lstm", "lstm-1997"))


@every_cell
def test_a_pass_of_fewer_steps_has_the_right_gradient(kind, hard, hidden):
    net, x = network(kind, hard, hidden, T=7)
    short, _ = network(kind, hard, hidden, T=4)
    d_logits = np.random.default_rng(1).standard_normal((2, 2, 3))
    lab.forward(net, x)
    for each in net, short:
        lab.forward(each, x[:4])
        lab.backward(each, 4, d_logits)
    assert np.allclose(net.grad, short.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("columns", [1, 2, 48])
@pytest.mark.parametrize("rows, H", [(1, 1), (2, 1), (4, 1), (4, 2), (8, 2)])
def test_products_with_recurrent_weights(rows, H, columns):
    rng = np.random.default_rng(0)
    W, S, B = rng.standard_normal((min(3, columns), rows, H)), min(3, columns), max(1, columns // 3)
    h, dz = rng.standard_normal((H, S, B)), rng.standard_normal((rows, S, B))
    view = lab.in_columns if H == 1 else lab.in_matrices
    made, twice = np.empty((rows, S, B)), np.empty((2 * H, S, B))
    times, weights = lab.recurrent(W, B)
    times(weights, view(h), view(made))
    assert np.allclose(made, np.einsum("srh,hsb->rsb", W, h))
    to_h, out = lab.back_to_h(W, twice)
    to_h(view(dz), out)
    assert np.allclose(twice[:H], np.einsum("srh,rsb->hsb", W, dz))


@every_cell
def test_a_pass_in_parts_equals_one_pass(kind, hard, hidden):
    net, x = network(kind, hard, hidden, T=12)
    whole = lab.forward(net, x)
    for steps in 5, 6, 11, 12:
        short, _ = network(kind, hard, hidden, T=steps)
        short.p.W[...], short.p.V[...], short.p.b[...] = net.p.W, net.p.V, net.p.b
        assert np.allclose(study.run_on(short, x), whole, rtol=1e-12, atol=1e-14)
        assert np.allclose(study.run_on(short, x), whole, rtol=1e-12, atol=1e-14), "the next pass starts from zero"


@pytest.mark.parametrize("n", [1, 100, 250])
def test_evaluation_in_batches_equals_evaluation_of_single_sequences(n):
    cell, rng = lab.Cell("lstm", 1, 15), np.random.default_rng(1)
    theta = rng.standard_normal((2, cell.P)).astype(np.float32)
    net = lab.Network(cell, theta, 15, lab.EVAL_BATCH, backward=False)
    x, y = rng.standard_normal((15, 2, n)).astype(np.float32), rng.integers(2, size=(2, n))
    loss, right = lab.evaluate(net, x, y)
    logits = lab.forward(lab.Network(cell, theta, 15, n, backward=False), x)
    assert np.allclose(loss, lab.cross_entropy(logits, y)[0], atol=1e-6)
    assert (right == (logits.argmax(axis=1) == y)).all()


@pytest.mark.parametrize("split", ["shuffled", "asker"])
def test_held_out_sequences_are_never_used_for_training(split, tmp_path, monkeypatch):
    words = f"--seeds 0,4 --lengths 6 --cells srnn --sequences 200 --eval-n 30 --epochs 3 --batch 8 --split {split}"
    options, seen, looked_at = options_of(lab, *words.split()), [], []
    real_update, real_evaluate = lab.update, lab.evaluate

    def update(net, adam, x, y, *rest):
        seen.append((x.copy(), y.copy()))
        return real_update(net, adam, x, y, *rest)

    def evaluate(net, x, y):
        looked_at.append((x.copy(), y.copy()))
        return real_evaluate(net, x, y)

    monkeypatch.setattr(lab, "update", update)
    monkeypatch.setattr(lab, "evaluate", evaluate)
    assert lab.main([*words.split(), "--out", str(tmp_path)]) == 0
    data, classes = lab.draw_population(options, 6)
    assert len(seen) == 3 * 160 // 8 and len(looked_at) == 2, "before the first step and after the last step"
    for s in range(2):
        of_class = {tuple(x): y for x, y in zip(data[s, :160], classes[s, :160])}
        for epoch in range(3):
            batches = seen[20 * epoch : 20 * (epoch + 1)]
            trained = [(tuple(x[:, s, k]), y[s, k]) for x, y in batches for k in range(8)]
            assert len(set(trained)) == 160 and dict(trained) == of_class, "each once in an epoch"
        assert [tuple(x[:, s, 0]) for x, _ in seen[:20]] != [tuple(x[:, s, 0]) for x, _ in seen[20:40]]
        for x, y in looked_at:
            assert (x[:, s].T == data[s, 160:190]).all() and (y[s] == classes[s, 160:190]).all()
    if split == "asker":
        assert sum(y[0].sum() for _, y in seen[:20]) == 100 and all((y == 0).all() for _, y in looked_at)


def test_updates_are_those_of_keras():
    """Adam of early 2018: epsilon 1e-7 is added to the root of the second moment; the rate has both corrections."""
    options = options_of(lab, "--seeds", "0", "--dtype", "float64", "--gates", "sigmoid", "--lr", "0.01")
    cell = lab.Cell("lstm", 1, 5, False)
    adam, alive = lab.Adam(lab.init_theta(cell, options)), np.array([True])
    net, theta = lab.Network(cell, adam.theta, 5, 4), adam.theta.copy()
    m, v, rng = np.zeros_like(theta), np.zeros_like(theta), np.random.default_rng(0)
    for t in range(1, 12):
        x, y = 1e-3 * rng.standard_normal((5, 1, 4)), rng.integers(2, size=(1, 4))
        lab.update(net, adam, x, y, options, alive)
        m, v = 0.9 * m + 0.1 * net.grad, 0.999 * v + 0.001 * net.grad**2
        theta -= 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        assert adam.step == t and np.allclose(adam.theta, theta, rtol=1e-10, atol=1e-12)


# -------------------------------------------------------------------------------------------------- measures


@pytest.mark.parametrize("kind", lab.GATES)
@pytest.mark.parametrize("words", ["--gates sigmoid", "", "--gates sigmoid --hidden 2"])
def test_measures_before_and_after_training(kind, words):
    options = options_of(lab, *words.split(), "--seeds", "0,1")
    cell = lab.Cell(kind, options.hidden, 9, options.gates == "hard_sigmoid")
    start = lab.init_theta(cell, options)
    end = np.float32(1.2) * start
    measured = study.measure(options, f"{kind}-9", end)["measures"]
    x, _ = study.draw_fresh(options, study.FRESH, study.N_FRESH, 9)
    x = x[:, :, :: study.N_FRESH // study.N_GRADIENT].astype(float)
    for when, theta in ("before", start), ("after", end):
        net, difference = lab.Network(cell, theta.astype(float), 9, study.N_GRADIENT), []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[0] += step
            logits = lab.forward(net, moved)
            difference.append(logits[:, 1] - logits[:, 0])
        expected = np.abs((difference[0] - difference[1]) / 2e-5).mean(axis=1)
        assert np.allclose(measured[f"first_input_gradient_{when}"], expected, rtol=1e-5)
        assert (f"forget_gate_{when}" in measured) == (kind == "lstm")
        if kind == "lstm":
            lab.forward(net, x)
            assert np.allclose(measured[f"forget_gate_{when}"], net.row["f"].mean(axis=(0, 1, 3)))
        assert (f"recurrent_weight_{when}" in measured) == (options.hidden == 1)
        if options.hidden == 1:
            assert np.allclose(measured[f"recurrent_weight_{when}"], net.p.W[:, -1, 0])
    if kind == "lstm":
        kept = measured["forget_gate_before"]
        assert 0.6 < kept.min() < kept.max() < 0.8, "0.70 or 0.73"


@pytest.mark.parametrize("T", [9, 10])
def test_a_latch_made_by_hand_holds_ten_times_as_long(T):
    """Units that keep the sign, or change it at every step, with a read-out for one length."""
    options, cell = options_of(lab, "--seeds", "0-2"), lab.Cell("srnn", 1, T)
    theta = np.zeros((3, cell.P), np.float32)
    p = lab.views(theta, cell.shapes)
    p.W[:, 0, 0], p.W[:, 0, 1] = (3, -3, 0), 1  # the third unit forgets
    p.V[:, 1, 0] = 1, (-1) ** (T - 1), 1
    measured = study.measure(options, f"srnn-{T}", theta)["measures"]
    for name in "fresh_accuracy", "ten_times_accuracy":
        assert measured[name][:2].tolist() == [1, 1] and 0.4 < measured[name][2] < 0.6
    assert study.ten_times(9) == 91 and study.ten_times(10) == 100


# ---------------------------------------------------------------------------------------- tables and sentences


def test_shares_and_p_values_count_networks_that_latch():
    run = {"measures": {"fresh_accuracy": [1.0, 0.989, 0.99, None], "ten_times_accuracy": [0.5, 1.0, 1.0, None],
                        "recurrent_weight_before": [0.5, -0.5, -0.5, None]}}  # fmt: skip
    assert study.latches(run).tolist() == [True, False, True, False]
    assert study.holds(run).tolist() == [False, False, True, False]
    assert [side.tolist() for side in study.by_sign(run)] == [[True], [False, True]]
    assert study.share_of(study.latches(run)).startswith("2/4 (") and study.share_of(np.zeros(0, bool)) == "–"
    some, others = np.array([True] * 8 + [False] * 2), np.array([False] * 9 + [True])
    assert study.paired(some, others) == pytest.approx(2 * (1 + 9) / 2**9)
    assert study.fisher(some, ~some) == pytest.approx(4252 / 184756)
    assert study.power(0.00021) == "2 × 10⁻⁴" and study.power(1.3) == "1 × 10⁰"
    assert study.median_of([0.0, 0.0, 0.0]) == "0 [0–0]" and study.median_of([]) == "–"


# -------------------------------------------------------------------------------------------------- landscape


def test_the_landscape_equals_two_networks_run_by_hand():
    found = lab.landscape()
    n, T = 101, 50
    assert found["unit"].shape == found["lstm"].shape == (T, n, n)
    assert [(found[name][0], found[name][-1]) for name in "wb"] == [(0, 10), (-8, 2)]
    for row, column in (0, 0), (n // 2, n // 3), (n - 1, n - 1), (30, 40):
        w, b = found["w"][column], found["b"][row]
        x = h = c = 0.5
        for t in range(T):
            x = w * sigmoid(x, False) + b
            z = w * h + b
            c = sigmoid(z + 1, False) * c + sigmoid(z, False) * math.tanh(z)
            h = sigmoid(z, False) * math.tanh(c)
            assert found["unit"][t, row, column] == pytest.approx((sigmoid(x, False) - 0.7) ** 2, abs=1e-3)
            assert found["lstm"][t, row, column] == pytest.approx((h - 0.7) ** 2, abs=1e-3)


# ------------------------------------------------------------------------------------------------- what is left


@pytest.mark.parametrize("arguments", ["", "--gates sigmoid --hidden 2 --task bit-relay"])
def test_another_program_can_rebuild_the_networks(arguments, tmp_path):
    words = f"--seeds 3 --lengths 6 --sequences 200 --eval-n 40 --steps 30 --cells srnn,lstm,gru,lstm-1997 {arguments}"
    assert lab.main([*words.split(), "--out", str(tmp_path)]) == 0
    arrays = np.load(tmp_path / "snapshots.npz")
    for kind in lab.GATES:
        found = {name.split("/", 1)[1]: arrays[name] for name in arrays.files if name.startswith(f"{kind}-6/")}
        assert found["step"].tolist() == [0, 30] and found["y"].tolist() == [1, 1, 0, 0]
        weights = [found[f"weights/{name}"][0].astype(float) for name in ("W", "V", "b")]
        for k in range(4):
            logits, trace = plain(kind, "sigmoid" not in arguments, *weights, found["x"][:, k].astype(float))
            e = np.exp(logits - logits.max())
            assert np.allclose(found["p"][-1, :, k], e / e.sum(), atol=1e-5)
            assert set(trace) - {"c"} <= set(found)
            assert all(np.allclose(found[name][-1, :, :, k], values, atol=1e-5) for name, values in trace.items()
                       if name in found)  # fmt: skip


def test_pictures_of_a_measured_run_show_fresh_sequences(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "--seeds 0,4 --record 4 --lengths 5,9 --sequences 200 --eval-n 40 --steps 30 --cells srnn,lstm --out run"
    assert lab.main(words.split()) == 0
    renderer = load("visualize/information_latching.py")
    assert renderer.main(["--run", "run", "--out", "plain"]) == 0
    assert "python3 -m studies measure run" in capsys.readouterr().out
    measure_run(study, tmp_path / "run")
    runs = json.loads((tmp_path / "run" / "measures.json").read_text())["runs"]
    assert list(runs) == ["srnn-5", "srnn-9", "lstm-5", "lstm-9"]
    assert renderer.main(["--run", "run", "--out", "more"]) == 0
    assert "studies measure" not in capsys.readouterr().out
    assert (tmp_path / "plain" / "task.png").read_bytes() != (tmp_path / "more" / "task.png").read_bytes()


def test_a_longer_run_starts_like_a_shorter_run(tmp_path):
    words = "--seeds 0,4 --lengths 5 --cells srnn --sequences 200 --eval-n 40 --batch 8 --eval-every 10 --force".split()
    losses = {}
    for steps in 30, 70:
        assert lab.main([*words, "--snapshot-every", "10", "--out", str(tmp_path), "--steps", str(steps)]) == 0
        losses[steps] = json.loads((tmp_path / "results.json").read_text())["runs"]["srnn-5"]["history"]["batch_loss"]
    assert losses[70][:30] == losses[30] and len(set(losses[70])) == 70, "each epoch has its own order"
