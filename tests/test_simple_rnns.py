"""studies/simple_rnns.py: data, initial weights, gradients, runs."""

import json

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import runner

SCRIPT = "studies/simple_rnns.py"
SOURCE = (ROOT / SCRIPT).read_text()
lab, experiment = load(SCRIPT), load("temporal_order_3bit.py")
SMALL = "--T 13 --steps 24 --eval-every 8 --eval-n 40 --batch 8 --hidden 12 --lr 0.01".split()
every_activation = pytest.mark.parametrize("activation", ["tanh", "relu"])


def plain_network(activation, W, V, b, x):
    """Hidden states (T, H) and probabilities (4,) of one network on the symbols x (T,)."""
    h, hs = np.zeros(len(W)), []
    for symbol in x:
        z = W @ np.concatenate([h, np.arange(8) == symbol, [1]])
        h = np.tanh(z) if activation == "tanh" else np.where(z > 0, z, 0)
        hs.append(h)
    e = np.exp(V @ h + b[:, 0])
    return np.array(hs), e / e.sum()


# --------------------------------------------------------------------------------------- data, initial weights


@pytest.mark.parametrize("T", [5, 50, 200])
def test_sequences_are_those_of_the_experiment(T):
    ours, theirs = (options_of(script, "--T", T, "--seeds", "3,8", "--eval-n", 130) for script in (lab, experiment))
    n = lab.CHUNK * ours.batch
    found = lab.draw_population(ours, (lab.TRAIN, 2), n)
    wanted = experiment.draw_population(theirs, (experiment.TRAIN, 2), theirs.batch, n)
    assert all((mine == other).all() for mine, other in zip(found, wanted)) and n == experiment.CHUNK * theirs.batch
    symbols, labels = lab.draw_population(ours, (lab.EVAL,), 2 * lab.DRAWN)  # for 130 sequences
    for k, (some, of_some) in enumerate(experiment.held_out(theirs)):
        cut = slice(k * lab.DRAWN, (k + 1) * lab.DRAWN)
        assert (symbols[:, :, cut] == some).all() and (labels[:, cut] == of_some).all()
    assert k == 1 and lab.RECORD == experiment.RECORD


def initial(*arguments, seeds="0-29"):
    options = options_of(lab, "--dtype", "float64", "--seeds", seeds, "--hidden", 24, *arguments)
    return lab.views(lab.init_theta(options), lab.shapes_of(24))


def test_initial_weights():
    kinds = {kind: initial("--init", kind, "--gain", 0.5, "--input-std", 0.2) for kind in ("normal", "identity")}
    kinds["orthogonal"] = initial("--init", "orthogonal", "--gain", 0.5, "--input-std", 0.2)
    W_h = {kind: p.W[:, :, :24] for kind, p in kinds.items()}
    assert abs(W_h["normal"].std() * np.sqrt(24) - 0.5) < 0.01 and abs(W_h["normal"].mean()) < 0.002
    assert (W_h["identity"] == 0.5 * np.eye(24)).all()
    products = W_h["orthogonal"] @ W_h["orthogonal"].swapaxes(1, 2)
    assert np.allclose(products, 0.25 * np.eye(24), rtol=0, atol=1e-14)
    turns = np.linalg.det(2 * W_h["orthogonal"])
    assert 5 <= (turns > 0).sum() <= 25, "about half of random orthogonal matrices are rotations"
    trace = np.trace(2 * W_h["orthogonal"], axis1=1, axis2=2)
    assert abs(trace.mean()) < 0.6, "without the signs of R this mean is far from 0"
    for p in kinds.values():
        assert (p.W[:, :, 24:] == kinds["normal"].W[:, :, 24:]).all() and (p.V == kinds["normal"].V).all()
        assert (p.W[:, :, -1] == 0).all() and (p.b == 0).all()
        assert abs(p.W[:, :, 24:-1].std() - 0.2) < 0.01 and abs(p.V.std() * np.sqrt(24) - 1) < 0.05


def test_numbers_of_parameters():
    assert lab.size_of(4) == 72 == experiment.Cell("rnn").P
    assert lab.size_of(64) == 64 * (64 + 8 + 1) + 4 * 64 + 4


# ------------------------------------------------------------------------------------------------- gradients


@every_activation
def test_the_gradient_is_that_of_a_plain_network(activation):
    """Over several spans, the last of which is shorter; the two seeds have different networks."""
    T, B, H = 13, 3, 6
    options = options_of(lab, "--T", T, "--seeds", "5,6", "--hidden", H, "--dtype", "float64", "--input-std", 1)
    theta, (symbols, labels) = lab.init_theta(options), lab.draw_population(options, (lab.TRAIN, 0), B)
    net = lab.Network(activation, H, theta, T, B)
    lab.backward(net, lab.cross_entropy(lab.forward(net, symbols), labels)[1])
    for k in 0, 1:
        W, V, b = (getattr(net.p, name)[k] for name in "WVb")
        dW, dV = np.zeros_like(W), np.zeros_like(V)
        for n in range(B):
            hs, p = plain_network(activation, W, V, b, symbols[:, k, n])
            d_logits = p - np.eye(4)[labels[k, n]]
            dV += np.outer(d_logits, hs[-1])
            dh = V.T @ d_logits
            for t in range(T - 1, -1, -1):
                dz = dh * (1 - hs[t] ** 2 if activation == "tanh" else hs[t] > 0)
                before = hs[t - 1] if t else np.zeros(H)
                dW += np.outer(dz, np.concatenate([before, np.arange(8) == symbols[t, k, n], [1]]))
                dh = W[:, :H].T @ dz
        assert np.allclose(net.d.W[k], dW, rtol=1e-9, atol=1e-12) and np.abs(dW).max() > 0.1
        assert np.allclose(net.d.V[k], dV, rtol=1e-9, atol=1e-12)


def test_saturated_units_give_no_subnormal_numbers():
    """dz falls below the smallest normal number of float32 within T steps; it is rounded to 0 before."""
    options = options_of(lab, "--T", 50, "--seeds", "5,6", "--hidden", 16, "--input-std", 2, "--gain", 2)
    symbols, labels = lab.draw_population(options, (lab.TRAIN, 0), 32)
    grad = {}
    for dtype in np.float32, np.float64:
        net = lab.Network("tanh", 16, lab.init_theta(options).astype(dtype), 50, 32)
        d_logits = lab.cross_entropy(lab.forward(net, symbols), labels)[1]
        lab.backward(net, d_logits)
        grad[dtype], size = net.grad.copy(), np.abs(net.dz)
        assert (size[0] < 1e-20).mean() > 0.5 and size[size > 0].min() > np.finfo(np.float32).tiny
    assert np.allclose(grad[np.float32], grad[np.float64], rtol=1e-3, atol=1e-4 * np.abs(grad[np.float64]).max())


def test_the_gradient_check_passes(capsys):
    assert lab.main(["--gradcheck"]) == 0
    found = [line.split(" largest")[0].rstrip() for line in capsys.readouterr().out.splitlines()]
    assert found == [f"{activation}, spans of {span}" for activation in ("tanh", "relu") for span in (8, 3)]


BROKEN = {  # each call of the backward pass
    "net.h_T.transpose(0, 2, 1), out=d.V)": "2 * net.h_T.transpose(0, 2, 1), out=d.V)",
    "d_logits.sum(axis=2, keepdims=True, out=d.b)": "d.b.fill(0)",
    "np.matmul(p.V.transpose(0, 2, 1), d_logits, out": "np.matmul(2 * p.V.transpose(0, 2, 1), d_logits, out",
    "np.copyto(net.W_hT, p.W[:, :, :H].transpose(0, 2, 1))": "np.copyto(net.W_hT, p.W[:, :, :H])",
    "    d.W[...] = 0\n": "",
    "np.multiply(h, h, out=slope)": "np.copyto(slope, h)",
    "np.subtract(1, slope, out=slope)": "np.subtract(2, slope, out=slope)",
    "np.sign(h, out=slope)": "np.sign(1 + h, out=slope)",
    "            multiply(slope, dh, slope)": "            np.copyto(slope, dh)",
    "            W_hT_times(dz_t, dh_before)  #": "            pass  #",
    "net.dz.swapaxes(1, 2), net.v[:-1]": "net.dz.swapaxes(1, 2), net.v[1:]",
    "np.matmul(dz[steps], v_transposed[steps], out=parts)": "parts[...] = 1",
    "d.W += parts.sum(axis=0)": "d.W += parts[:1].sum(axis=0)",
    "p - target\n": "p\n",
}


@pytest.mark.parametrize("line", BROKEN)
def test_the_gradient_check_fails_if_a_line_is_wrong(line):
    assert SOURCE.count(line) == 1
    assert load(SCRIPT, SOURCE.replace(line, BROKEN[line])).main(["--gradcheck"]) == 1


# ------------------------------------------------------------------------------------------------------ runs


def ran(folder, *arguments):
    """A run in a folder: its results and its arrays."""
    assert lab.main([*map(str, arguments), "--out", str(folder)]) == 0
    with np.load(folder / "snapshots.npz") as arrays:
        return json.loads((folder / "results.json").read_text()), dict(arrays)


@pytest.mark.parametrize("arguments", [
    "--activation tanh --init normal", "--activation relu --init identity --hidden 64",
    "--activation tanh --init orthogonal --hidden 64 --schedule constant --dtype float64",
    "--activation relu --hidden 4",
])  # fmt: skip
def test_a_seed_is_the_same_alone_and_with_others(arguments, tmp_path):
    runs = {
        seeds: ran(tmp_path / seeds, *SMALL, *arguments.split(), "--seeds", seeds) for seeds in ("4,0,9", "4", "0,9")
    }
    whole, alone, others = runs.values()
    for name in "rnn/weights/W", "rnn/weights/V", "rnn/weights/b":
        assert (whole[1][name] == np.concatenate([alone[1][name], others[1][name]])).all()
    merged = runner.merge_values("runs", [alone[0]["runs"], others[0]["runs"]], [[0], [1, 2]], 0)
    merged["rnn"]["wall_clock_s"] = whole[0]["runs"]["rnn"]["wall_clock_s"]
    assert merged == whole[0]["runs"]
    assert all((whole[1][f"rnn/{name}"] == alone[1][f"rnn/{name}"]).all() for name in "xyhp")


@every_activation
def test_weights_rebuild_the_recorded_outputs_and_the_accuracy(activation, tmp_path):
    results, arrays = ran(tmp_path / "run", *SMALL, "--activation", activation, "--seeds", "5,8", "--record", 8)
    weights = [arrays[f"rnn/weights/{name}"][1].astype(float) for name in "WVb"]
    assert arrays["rnn/y"].tolist() == [0, 1, 2, 3]
    for n in range(4):
        h, p = plain_network(activation, *weights, arrays["rnn/x"][:, n])
        assert np.allclose(arrays["rnn/h"][:, :, n], h, atol=1e-5) and np.allclose(arrays["rnn/p"][:, n], p, atol=1e-5)
    symbols, labels = experiment.held_out(options_of(experiment, "--T", 13, "--seeds", 8, "--eval-n", 40))[0]
    answers = [plain_network(activation, *weights, symbols[:, 0, n])[1] for n in range(40)]
    run = results["runs"]["rnn"]
    assert np.isclose(
        run["final"]["val_loss"][1], -np.mean([np.log(p[k]) for p, k in zip(answers, labels[0])]), rtol=1e-4
    )
    assert np.isclose(run["final"]["val_accuracy"][1], np.mean([p.argmax() == k for p, k in zip(answers, labels[0])]))


def test_training_learns(tmp_path):
    results, _ = ran(tmp_path / "run", *"--T 10 --steps 200 --hidden 16 --lr 0.003 --eval-n 128 --seeds 0-2".split())
    run = results["runs"]["rnn"]
    assert min(run["final"]["val_accuracy"]) == 1 and run["sequences_seen"] == [200 * 32] * 3
    accuracy, steps = np.array(run["history"]["val_accuracy"]), run["history"]["step"]
    for k in range(3):
        assert run["sequences_to_100"][k] == 32 * steps[np.flatnonzero(accuracy[:, k] == 1)[0]]
        assert run["sequences_to_95"][k] <= run["sequences_to_100"][k]
    assert steps == [0, 50, 100, 150, 200] and len(run["history"]["batch_loss"]) == 200
    means = np.mean(np.reshape(run["history"]["batch_loss"], (4, 50)), axis=1)
    assert np.allclose(np.array(run["history"]["train_loss"][1:])[:, 0], means, rtol=1e-4)


def test_a_seed_that_diverges_is_frozen_and_the_others_go_on(tmp_path, monkeypatch):
    """The gradient of a network whose W_h grows by a factor of 10,000 at each step is not finite in float32."""
    init_theta, arguments = lab.init_theta, (*SMALL, "--seeds", "0-2")
    _, wanted = ran(tmp_path / "wanted", *arguments)

    def spoiled(options):
        theta = init_theta(options)
        lab.views(theta, lab.shapes_of(12)).W[1, :, :12] *= 10000
        return theta

    monkeypatch.setattr(lab, "init_theta", spoiled)
    results, arrays = ran(tmp_path / "run", *arguments)
    run, start = results["runs"]["rnn"], spoiled(options_of(lab, *arguments))
    assert run["diverged_at_step"] == [None, 1, None] and run["sequences_seen"] == [24 * 8, 8, 24 * 8]
    assert [value is None for value in run["final"]["val_accuracy"]] == [False, True, False]
    assert (arrays["rnn/weights/W"][1] == lab.views(start, lab.shapes_of(12)).W[1]).all()
    assert (arrays["rnn/weights/W"][::2] == wanted["rnn/weights/W"][::2]).all()


@pytest.mark.parametrize("arguments, words", [
    ("--T 4", "4 steps are too few"), ("--beta2 1", "--beta2: 1 is not below 1"), ("--init zero", "invalid choice"),
    ("--activation logistic", "invalid choice"), ("--gain 0", "not a number above 0"), ("--lr inf", "not a number"),
    ("--record 30", "30 is not one of the seeds"), ("--steps 10 --eval-every 20", "more than the 10 steps"),
    ("--resume", f"python3 -m studies run -- {SCRIPT} ..."), ("--seeds 3-1", "does not parse"),
    ("--hidden 0", "not a whole number"), ("--clip -1", "not a number above 0"), ("--schedule step", "invalid choice"),
])  # fmt: skip
def test_wrong_options_end_with_status_2(arguments, words, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        lab.main([*arguments.split(), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2 and words in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_folders_of_runs(tmp_path, capsys):
    assert options_of(lab).out == lab.HEADLINE == options_of(lab, "--T", 50, "--seeds", "0-29").out
    assert options_of(lab, "--T", 100, "--input-std", 0.5).out == "runs/simple_rnns/input-std-0.5-T-100"
    ran(tmp_path / "run", *SMALL, "--seeds", 1)
    with pytest.raises(SystemExit) as stop:
        lab.main([*SMALL, "--seeds", "2", "--out", str(tmp_path / "run")])
    assert stop.value.code == 2 and "--force replaces it" in capsys.readouterr().err
    ran(tmp_path / "run", *SMALL, "--seeds", 2, "--force")


def test_a_quick_run_leaves_the_files(call, tmp_path):
    done = call(SCRIPT, "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SCRIPT}: ") and "estimated time: " in done.stdout
    folder = tmp_path / "runs" / "simple_rnns" / "quick"
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((folder / "results.json").read_text())
    assert list(results) == ["schema", "experiment", "command", "config", "environment", "seeds", "runs"]
    assert results["seeds"] == [0, 1, 2] and results["config"]["steps"] == 100
    assert np.shape(results["runs"]["rnn"]["history"]["val_loss"]) == (3, 3)
