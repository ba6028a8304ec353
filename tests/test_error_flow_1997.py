"""studies/error_flow_1997.py: its networks, its gradients, the flow of errors that it measures, its runs."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import runner

SCRIPT = "studies/error_flow_1997.py"
lab, lstm_1997 = load(SCRIPT), load("lstm_1997.py")
CELLS = ("logistic", "tanh")
every_cell = pytest.mark.parametrize("cell", CELLS)
F = {"logistic": lambda net: 1 / (1 + np.exp(-net)), "tanh": np.tanh}


def sigma(x):
    return 1 / (1 + np.exp(-x))


def one(batch, k=0):
    """Sequence k of the first trial of a batch, without the symbols after its end: x (T,) and target (O,)."""
    return batch.x[: batch.length[0, k], 0, k], batch.target[0, :, k]


def plain_network(cell, theta, x, at=None, push=0):
    """Net inputs, outputs of units and outputs of the network theta (P,). push is added to net inputs of step at."""
    p = lab.views(theta[None], lab.shapes_of(lab.UNITS))
    W, V, N = p.W[0], p.V[0], lab.UNITS
    y, nets, ys = np.zeros(N), [], []
    for t, symbol in enumerate(x):
        net = W[:, :N] @ y + W[:, N + symbol] + W[:, -1] + (push if t == at else 0)
        y = F[cell](net)
        nets.append(net)
        ys.append(y)
    return nets, ys, sigma(V[:, :N] @ y + V[:, N])


def plain_lstm(theta, x, at=None, push=0):
    """The last states (H,) and the outputs of the LSTM theta (P,); push is added to the states of step at (from 0)."""
    p = lab.views(theta[None], lab.LSTM_SHAPES)
    R, I, b, V, c = p.R[0], p.I[0], p.b[0, :, 0], p.V[0], p.c[0, :, 0]
    y, s, block = np.zeros(8), np.zeros(4), [0, 1, 0, 1]
    for t, symbol in enumerate(x):
        net = R @ y + I[symbol] + b
        y_in, y_out = sigma(net[:2]), sigma(net[6:])
        s = s + y_in[block] * (4 * sigma(net[2:6]) - 2) + (push if t == at else 0)
        y_cell = y_out[block] * (2 * sigma(s) - 1)
        y = np.concatenate([y_in, y_cell, y_out])
    return s, sigma(V @ y_cell + c)


def cost(o, target):
    return 0.5 * ((target - o) ** 2).sum()


def difference(function, n, step=1e-5):
    """The Jacobian (outputs, n) of a function of a push (n,), by central differences."""
    return np.stack([(function(step * e) - function(-step * e)) / (2 * step) for e in np.eye(n)], axis=-1)


def trained_lstm():
    """The weights of the thirty trials of row 6a (S, P)."""
    with np.load(ROOT / "results/lstm_1997/6a/snapshots.npz") as file:
        arrays = [file[f"6a/weights/{name}"] for name in lab.LSTM_SHAPES]
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


# --------------------------------------------------------------------------------------- networks, sequences


def test_sizes_of_the_networks():
    n = lab.UNITS
    assert lab.size_of(lab.shapes_of(n)) == n * n + 8 * n + n + 4 * n + 4 == 172
    assert lab.size_of(lab.LSTM_SHAPES) == 8 * 8 + 8 * 8 + 8 + 4 * 4 + 4 == 156 == lstm_1997.ROWS["6a"].kind.weights


def test_sequences_are_those_of_the_trials_of_the_lstm():
    row = lstm_1997.ROWS["6a"]
    for key, n in ((lab.TRAIN, 3), 20), ((lab.EVAL,), 30):
        ours, theirs = lab.draw([5, 7], *key, n=n), lstm_1997.draw(row, [5, 7], *key, n=n)
        assert (ours.x == theirs.x).all() and (ours.length == theirs.length).all()
        assert (ours.target == theirs.target.swapaxes(0, 1)).all()
    assert (lstm_1997.TRAIN, lstm_1997.EVAL, lstm_1997.CHUNK) == (lab.TRAIN, lab.EVAL, lab.CHUNK)
    assert lab.draw([5], lab.RECORD, n=500, shortest=101).length.min() == 101


def test_initial_weights():
    row = lstm_1997.ROWS["6a"]
    assert (lab.init_lstm([5, 7]) == lstm_1997.init_theta(row, [5, 7], np.dtype("float64"))).all()
    theta = lab.init_theta(lab.shapes_of(lab.UNITS), list(range(30)), 0.1)
    assert 0.099 < np.abs(theta).max() <= 0.1 and np.abs(theta.mean()) < 0.005


@every_cell
def test_outputs_are_those_of_a_plain_network(cell):
    theta, batch = lab.init_theta(lab.shapes_of(lab.UNITS), [3, 4], 1.0), lab.draw([3, 4], lab.RECORD, n=3)
    found = lab.outputs_at_ends(cell, theta, batch)
    for k in range(3):
        assert np.allclose(found[0, :, k], plain_network(cell, theta[0], one(batch, k)[0])[2], rtol=0, atol=1e-13)


def test_the_trained_lstm_is_that_of_the_headline():
    final = json.loads((ROOT / "results/lstm_1997/6a/results.json").read_text())["runs"]["6a"]["final"]
    theta = trained_lstm()
    found = lab.fresh("lstm", [0, 1, 2], theta[:3], 2560)
    assert np.allclose(1 - found["right"], np.array(final["wrong"][:3]) / 2560, rtol=0, atol=1e-12)
    assert np.allclose(found["loss"], 2 * np.array(final["mse"][:3]), rtol=1e-5)  # half the squared error of 4 outputs
    batch = lab.draw([0], lab.RECORD, n=2)
    x, _ = one(batch)
    assert np.allclose(lab.outputs_at_ends("lstm", theta[:1], batch)[0, :, 0], plain_lstm(theta[0], x)[1], atol=1e-13)


# ------------------------------------------------------------------------------------------------- gradients


@every_cell
def test_the_gradient_is_that_of_a_plain_network(cell):
    shapes, N = lab.shapes_of(lab.UNITS), lab.UNITS
    theta, batch = lab.init_theta(shapes, [3, 4], 1.0), lab.draw([3, 4], lab.RECORD, n=1)
    grad = np.zeros_like(theta)
    p = lab.views(theta, shapes)
    lab.backward(cell, p, lab.forward(cell, p, batch.x)[0], batch, lab.views(grad, shapes))
    x, target = one(batch)
    nets, ys, o = plain_network(cell, theta[0], x)
    dz = (o - target) * o * (1 - o)
    dW, dy = np.zeros(shapes["W"]), p.V[0, :, :N].T @ dz
    for t in range(len(x) - 1, -1, -1):
        e = dy * (ys[t] * (1 - ys[t]) if cell == "logistic" else 1 / np.cosh(nets[t]) ** 2)
        dW += np.outer(e, np.concatenate([ys[t - 1] if t else np.zeros(N), np.eye(8)[x[t]], [1]]))
        dy = p.W[0, :, :N].T @ e
    d = lab.views(grad, shapes)
    assert np.allclose(d.W[0], dW, rtol=1e-9, atol=1e-14) and np.abs(dW).max() > 1e-3
    assert np.allclose(d.V[0], np.outer(dz, np.append(ys[-1], 1)), rtol=1e-9, atol=1e-14)


def test_the_gradient_check_passes():
    assert lab.main(["--gradcheck"]) == 0


BROKEN = {
    "np.matmul(R_transposed, dnet_after, out=received)": "np.multiply(0, dnet_after, out=received)",
    "np.multiply(slope_t, dy_t, out=dnet_t)": "np.multiply(1, dy_t, out=dnet_t)",
    "np.add(dy_t, received, out=dy_t)": "np.subtract(dy_t, received, out=dy_t)",
    "dz = -(target - o) * o * (1 - o)": "dz = -(target - o)",
    "y[:-1, :, :, 0].swapaxes(0, 1)": "y[1:, :, :, 0].swapaxes(0, 1)",
    "np.eye(D)[batch.x[:, :, 0].T]\n": "0\n",
    "np.matmul(dz, y_end.swapaxes(1, 2)), dz  #": "np.matmul(dz, y_end.swapaxes(1, 2)), 0 * dz  #",
    'return y * (1 - y) if cell == "logistic"': 'return y if cell == "logistic"',
    "else 1 - y * y": "else 1 - y",
    "dy[batch.length[:, 0] - 1,": "dy[batch.length[:, 0] - 2,",
}


@pytest.mark.parametrize("line", BROKEN)
def test_the_gradient_check_fails_if_a_line_is_wrong(line):
    source = (ROOT / SCRIPT).read_text()
    assert source.count(line) == 1
    assert load(SCRIPT, source.replace(line, BROKEN[line])).main(["--gradcheck"]) == 1


# ------------------------------------------------------------------------------------------------ error flow


@every_cell
def test_the_flow_through_units_is_that_of_small_differences(cell):
    theta = lab.init_theta(lab.shapes_of(lab.UNITS), [3], 1.0)
    batch = lab.draw([3], lab.RECORD, n=1, shortest=101)
    found, (x, target), of_end = lab.flow(cell, theta, batch), one(batch), None
    for q in 0, 1, 2, 5, 10:
        at, place = len(x) - 1 - q, lab.SHOWN.index(q)
        J = difference(lambda push: plain_network(cell, theta[0], x, at, push)[0][-1], lab.UNITS)
        assert np.isclose(10 ** found["units"][0, place], np.linalg.norm(J, 2), rtol=1e-4)
        e = difference(lambda push: cost(plain_network(cell, theta[0], x, at, push)[2], target), lab.UNITS)
        of_end = of_end or np.linalg.norm(e)
        assert np.isclose(10 ** found["loss"][0, place], np.linalg.norm(e) / of_end, rtol=1e-3)
    R = lab.views(theta, lab.shapes_of(lab.UNITS)).W[0, :, : lab.UNITS]
    assert found["w_max"] == np.abs(R).max() and np.isclose(found["row_sum"], np.abs(R).sum(axis=1).max())
    ys = np.array(plain_network(cell, theta[0], x)[1])
    assert np.isclose(found["slope"], (ys * (1 - ys) if cell == "logistic" else 1 - ys**2).mean())


@every_cell
@pytest.mark.parametrize("init", [0.1, 1.0])
def test_errors_keep_the_bounds_of_the_paper(cell, init):
    theta = lab.init_theta(lab.shapes_of(lab.UNITS), [3, 4], init)
    batch = lab.draw([3, 4], lab.RECORD, n=4, shortest=101)
    found, q = lab.flow(cell, theta, batch), np.array(lab.SHOWN)
    slope, n = lab.SLOPES[cell], lab.UNITS
    two = q * np.log10(slope * found["two_norm"])[:, None]  # |J_q| <= (f'_max |R|)^q in the 2-norm
    assert (found["units"] <= two + 1e-9).all()
    element = np.log10(n) + q * np.log10(slope * found["row_sum"])[:, None]  # an element is at most the 2-norm,
    assert (found["units"] - np.log10(n) <= element + 1e-9).all()  # and the 2-norm at most n times the largest element
    assert (found["row_sum"] <= n * found["w_max"]).all()


def test_the_flow_through_the_lstm_is_that_of_small_differences():
    theta, trial = trained_lstm()[7:8], 7
    batch = lab.draw([trial], lab.RECORD, n=1, shortest=101)
    for theta in theta, lab.init_lstm([trial]):
        found, (x, target), of_end = lab.flow("lstm", theta, batch), one(batch), None
        for q in 0, 1, 5, 45, 60, 100:
            at, place = len(x) - 1 - q, lab.SHOWN.index(q)
            J = difference(lambda push: plain_lstm(theta[0], x, at, push)[0], 4)
            assert np.isclose(10 ** found["units"][0, place], np.linalg.norm(J, 2), rtol=1e-5)
            assert np.isclose(10 ** found["least"][0, place], np.linalg.norm(J, -2), rtol=1e-4)
            e = difference(lambda push: cost(plain_lstm(theta[0], x, at, push)[1], target), 4)
            of_end = of_end or np.linalg.norm(e)
            assert np.isclose(10 ** found["loss"][0, place], np.linalg.norm(e) / of_end, rtol=1e-4)


LSTM_BROKEN = {
    "y_in * (1 - y_in) * (of_gates(g * ds) + dy[:, IN])": "y_in * (1 - y_in) * of_gates(g * ds)",
    "of_cells(y_in) * 0.5 * (2 - g * g / 2) * ds": "0 * ds",
    "* (of_gates(np.tanh(0.5 * s) * dy_cell) + dy[:, OUT])": "* dy[:, OUT]",
    "ds = ds + of_cells(y[:, OUT]) * slope_h(s) * dy[:, CELL]": "ds = ds + 0 * dy[:, CELL]",
}


@pytest.mark.parametrize("line", LSTM_BROKEN)
def test_a_wrong_line_changes_the_flow_through_the_lstm(line):
    source = (ROOT / SCRIPT).read_text()
    assert source.count(line) == 1
    broken, theta, batch = load(SCRIPT, source.replace(line, LSTM_BROKEN[line])), trained_lstm()[7:8], None
    batch = lab.draw([7], lab.RECORD, n=1, shortest=101)
    right, wrong = lab.flow("lstm", theta, batch), broken.flow("lstm", theta, batch)
    assert np.abs(right["units"] - wrong["units"]).max() > 1e-4


def test_very_small_errors_keep_their_logarithm():
    error = np.tile(np.diag([1.0, 0.1]), (2, 4, 1, 1))
    largest, smallest = lab.sizes(error, lambda q, error: 1e-9 * error, 2)
    assert np.allclose(largest, -9 * np.arange(lab.FAR + 1)[:, None, None])
    assert np.allclose(smallest[1:], largest[1:] - 1)


def test_slopes_of_saturated_units_are_exact():
    a = np.array([0.3, 20.0])  # tanh(20) is rounded to 1
    assert np.allclose(lab.exact_slope("tanh", a), 4 / (np.exp(a) + np.exp(-a)) ** 2, rtol=1e-12, atol=0)
    assert np.allclose(lab.exact_slope("logistic", a), sigma(2 * a) * sigma(-2 * a), rtol=1e-12, atol=0)
    assert np.isclose(lab.exact_slope("tanh", a)[0], lab.slope("tanh", np.tanh(a))[0])


@every_cell
def test_flow_of_other_initial_weights(cell):
    batch = lab.draw([3, 4], lab.RECORD, n=4, shortest=101)
    with np.errstate(all="ignore"):  # units with the largest weights are saturated
        found = lab.flow_of_ranges(cell, [3, 4], batch)
    theta = lab.init_theta(lab.shapes_of(lab.UNITS), [3, 4], 2.0)
    assert (found["units"][:, lab.RANGES.index(2.0)] == lab.flow(cell, theta, batch)["units"][:, -1]).all()
    assert found["step"] == lab.RANGES and found["units"].shape == (2, len(lab.RANGES))
    assert not np.isnan(found["units"]).any()


def test_an_error_of_zero_is_minus_infinity():
    with np.errstate(divide="ignore"):
        found = lab.sizes(np.tile(np.eye(2), (1, 1, 1, 1)), lambda q, error: error * (q < 3), 2)
    assert (found[:, :3] == 0).all() and (found[:, 3:] == -np.inf).all()


# ------------------------------------------------------------------------------------------------------ runs


def ran(folder, *arguments):
    """A run in a folder: its results and its arrays."""
    assert lab.main([*map(str, arguments), "--out", str(folder)]) == 0
    with np.load(folder / "snapshots.npz") as arrays:
        return json.loads((folder / "results.json").read_text()), dict(arrays)


@pytest.mark.parametrize("cell", [*CELLS, "lstm"])
def test_a_trial_is_the_same_alone_and_with_others(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    quick = "--quick", "--cell", cell, "--seeds"
    runs = {seeds: ran(tmp_path / seeds, *quick, seeds) for seeds in ("4,0,9", "4", "0,9")}
    whole = runs["4,0,9"]
    for name in [name for name in whole[1] if "/weights/" in name]:
        assert (whole[1][name][:1] == runs["4"][1][name]).all() and (whole[1][name][1:] == runs["0,9"][1][name]).all()
    found = [runs[seeds][0]["runs"] for seeds in ("4", "0,9")]
    merged = runner.merge_values("runs", found, [[0], [1, 2]], 0)
    merged[cell]["wall_clock_s"] = whole[0]["runs"][cell]["wall_clock_s"]
    assert merged == whole[0]["runs"]
    theta = np.concatenate([whole[1][f"{cell}/weights/{name}"].reshape(3, -1) for name in (
        lab.LSTM_SHAPES if cell == "lstm" else lab.shapes_of(lab.UNITS))], axis=1)  # fmt: skip
    kept = SimpleNamespace(**{name: whole[1][f"{cell}/{name}"] for name in ("x", "length", "target")})
    kept = SimpleNamespace(x=kept.x[:, None], length=kept.length[None], target=kept.target[None])
    assert (lab.outputs_at_ends(cell, theta[:1], kept)[0] == whole[1][f"{cell}/output"]).all()


def test_training_reduces_the_loss_and_changes_weights(tmp_path):
    results, arrays = ran(tmp_path / "run", "--quick", "--cell", "tanh")
    loss = np.array(results["runs"]["tanh"]["history"]["loss"])
    assert results["runs"]["tanh"]["history"]["step"] == [0, 100, 200] and (loss[-1] < loss[0]).all()
    start = lab.init_theta(lab.shapes_of(lab.UNITS), [0, 1, 2], 0.1)
    moved = lab.views(start, lab.shapes_of(lab.UNITS)).W != arrays["tanh/weights/W"]
    inputs = moved[:, :, lab.UNITS : -1].mean(axis=(0, 1))  # E, B, a, b, c, d, X, Y
    assert moved[:, :, : lab.UNITS].all() and inputs[1:6].min() > 0.9 and inputs[0] == 0  # the error of E is too small
    unchanged = results["runs"]["tanh"]["unchanged"]
    assert np.allclose(unchanged, 1 - moved[:, :, -3:-1].mean(axis=(1, 2))) and max(unchanged) > 0


def test_a_trial_that_diverges_is_frozen():
    options = options_of(lab, "--quick", "--seeds", "0,1", "--steps", "3", "--eval-every", "3")
    shapes = lab.shapes_of(lab.UNITS)
    theta = lab.init_theta(shapes, [0, 1], 0.1)
    theta[1, 0] = np.nan
    with np.errstate(invalid="ignore"):
        _, diverged_at = lab.train(options, theta, shapes)
    assert diverged_at == [None, 0] and np.isfinite(theta[0]).all() and np.isnan(theta[1]).sum() == 1


@pytest.mark.parametrize("arguments, words", [
    (["--cell", "lstm", "--lr", "1"], "--lr: the LSTM is not trained"),
    (["--cell", "lstm", "--init", "1"], "--init: the LSTM is not trained"),
    (["--cell", "lstm", "--seeds", "0-30"], "lacks a seed"),
    (["--cell", "lstm", "--weights", "no/such.npz"], "--weights: "),
    (["--weights", "results/lstm_1997/6a/snapshots.npz"], "--weights: only --cell lstm"),
    (["--resume"], "--resume: not possible"), (["--record", "30"], "30 is not one of the seeds"),
    (["--steps", "10", "--eval-every", "20"], "--eval-every: more than"), (["--cell", "relu"], "invalid choice"),
    (["--lr", "0"], "'0' is not a number above 0"), (["--seeds", "3-1"], "does not parse"),
])  # fmt: skip
def test_wrong_options_end_with_status_2(arguments, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:
        lab.main([*arguments, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_of_weights_is_named(tmp_path, capsys):
    (tmp_path / "snapshots.npz").write_bytes(b"x")
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        lab.main(["--cell", "lstm", "--weights", str(tmp_path / "snapshots.npz"), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2 and "is damaged" in capsys.readouterr().err


def test_folders_of_runs():
    assert options_of(lab).out == lab.HEADLINE
    assert options_of(lab, "--cell", "tanh", "--init", "1").out == "runs/error_flow_1997/cell-tanh-init-1.0"


def test_a_run_from_the_command_line(call, tmp_path):
    done = call(SCRIPT, "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SCRIPT}: logistic") and "estimated time: " in done.stdout
    folder = next((tmp_path / "runs" / "error_flow_1997").iterdir())
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    flow = json.loads((folder / "results.json").read_text())["runs"]["logistic"]["flow"]
    assert flow["step"] == lab.SHOWN and np.shape(flow["end"]["units"]) == (3, len(lab.SHOWN))


def test_committed_flow_is_that_of_the_committed_weights():
    found = json.loads((ROOT / "results/lstm_1997/error-flow/lstm/results.json").read_text())["runs"]["lstm"]["from"]
    assert found == {"file": lab.WEIGHTS, "sha256": hashlib.sha256((ROOT / lab.WEIGHTS).read_bytes()).hexdigest()}
