"""studies/gate_penalty.py: its gradients, its likeness to temporal_order_3bit.py, its measures, its runs."""

import ast
import json

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import runner
from studies import temporal_order_3bit as study

SCRIPT, EXPERIMENT = "studies/gate_penalty.py", "temporal_order_3bit.py"
SOURCE = (ROOT / SCRIPT).read_text()
lab, experiment = load(SCRIPT), load(EXPERIMENT)
SHORT = "--steps 30 --eval-every 10 --eval-n 40 --T 12 --batch 8".split()


def ran(script, folder, *arguments):
    """A run of a script in a folder: the results of its LSTMs and its arrays."""
    assert script.main([*map(str, arguments), "--out", str(folder)]) == 0
    with np.load(folder / "snapshots.npz") as arrays:
        return json.loads((folder / "results.json").read_text())["runs"]["lstm"], dict(arrays)


def weights_of(arrays):
    """The weights of all seeds in one array (S, P)."""
    return np.concatenate([arrays[f"lstm/weights/{name}"].reshape(len(arrays["lstm/weights/W"]), -1) for name in "WVb"],
                          axis=1)  # fmt: skip


def sigma(z):
    return 1 / (1 + np.exp(-z))


# ------------------------------------------------------------------------------------------------- gradients


def test_the_gradient_check_passes(capsys):
    assert lab.main(["--gradcheck"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "30"]


def broken_sources():
    """Sources of the script, each without one call of the backward pass: {line: source}."""
    lines, sources = SOURCE.splitlines(), {}
    function = next(node for node in ast.parse(SOURCE).body if getattr(node, "name", "") == "backward")
    for node in ast.walk(function):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed = [*lines[: node.lineno - 1], " " * node.col_offset + "pass", *lines[node.end_lineno :]]
            sources[lines[node.lineno - 1].strip()] = "\n".join(changed)
    return sources


BROKEN = broken_sources()


def test_all_calls_of_the_backward_pass_are_broken():
    assert len(BROKEN) == 24


@pytest.mark.parametrize("line", BROKEN)
def test_the_gradient_check_fails_without_a_call(line):
    with np.errstate(all="ignore"):
        assert load(SCRIPT, BROKEN[line]).gradient_check() == 1


@pytest.mark.parametrize(
    "right, wrong", [("penalty / (T * H * B)", "penalty / (T * H)"), ("add(dz_i, dz_penalty,", "add(dz_i, dz_i,")]
)
def test_the_gradient_check_fails_with_a_wrong_penalty(right, wrong, capsys):
    assert SOURCE.count(right) == 1
    assert load(SCRIPT, SOURCE.replace(right, wrong)).gradient_check() == 1
    assert all(line.endswith("FAILED") for line in capsys.readouterr().out.splitlines()[1:])


# ------------------------------------------------------------------------------------- the experiment's LSTM


@pytest.mark.parametrize("arguments", [
    "--steps 40 --eval-every 20", "--seeds 7 --T 12 --hidden 3 --batch 5", "--T 5 --schedule constant --lr 0.02",
    "--dtype float64 --beta2 0.999 --input-gate-bias -1 --T 20",
])  # fmt: skip
def test_without_penalty_the_weights_are_those_of_the_experiment(arguments, tmp_path):
    same = [*SHORT[:2], *SHORT[2:6], "--seeds", "3,8,5", *arguments.split()]
    ours, arrays = ran(lab, tmp_path / "ours", *same, "--penalty", 0)
    theirs, expected = ran(experiment, tmp_path / "theirs", *same, "--cells", "lstm")
    assert (weights_of(arrays) == weights_of(expected)).all()
    assert (arrays["lstm/p"] == expected["lstm/p"][-1]).all() and (arrays["lstm/x"] == expected["lstm/x"]).all()
    assert all(ours["history"][name] == theirs["history"][name] for name in ours["history"])
    for name in "trainable_parameters", "sequences_seen", "sequences_to_95", "sequences_to_100":
        assert ours[name] == theirs[name]


def test_default_options_are_those_of_the_experiment():
    ours, theirs = vars(options_of(lab)), vars(options_of(experiment))
    assert ours.keys() - theirs.keys() == {"penalty"}
    differ = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    assert differ == {"seeds", "out"} and ours["seeds"] == list(range(30))


# -------------------------------------------------------------------------------------------------- measures


def test_measures_are_those_of_the_study_of_the_experiment():
    options = options_of(lab, *SHORT, "--seeds", "0-2", "--eval-n", 256)
    theta = 0.5 * np.random.default_rng(0).standard_normal((3, 176))
    found = lab.measure(lab.Network(theta, 4, 12, lab.EVAL_BATCH), lab.held_out(options))
    net = experiment.Network(experiment.Cell("lstm"), theta, 12, lab.EVAL_BATCH, backward=False)
    expected = study.measure_lstm(net, experiment.held_out(options_of(experiment, *SHORT, "--seeds", "0-2",
                                                                      "--eval-n", 256)))  # fmt: skip
    theirs = {name for name in expected if not name.startswith("sign_")}
    assert theirs == {name for name in found if not name.startswith("mean_gate_")}
    assert all(np.allclose(found[name], expected[name], rtol=1e-12) for name in theirs)


def test_the_mean_gate_agrees_with_a_slow_count():
    options = options_of(lab, *SHORT, "--seeds", "0,1", "--eval-n", 128)
    theta = 0.5 * np.random.default_rng(0).standard_normal((2, 176))
    net, batches = lab.Network(theta, 4, 12, lab.EVAL_BATCH), lab.held_out(options)
    found, symbols = lab.measure(net, batches), batches[0][0]
    lab.forward(net, symbols)
    gates = [net.row["i"][t, :, 1, n] for t, n in np.ndindex(12, 128) if symbols[t, 1, n] in (4, 5)]
    assert len(gates) == 2 * 128 and np.isclose(found["mean_gate_at_markers"][1], np.mean(gates))


def test_a_penalty_closes_gates(tmp_path):
    free, penalized = (ran(lab, tmp_path / penalty, "--steps", 200, "--eval-n", 128, "--T", 12, "--seeds", "0-2",
                           "--penalty", penalty)[0]["final"] for penalty in ("0", "100"))  # fmt: skip
    for where in "at_markers", "at_distractors":
        assert (np.array(penalized[f"mean_gate_{where}"]) < np.array(free[f"mean_gate_{where}"])).all()


# ------------------------------------------------------------------------------------------------------ runs


@pytest.mark.parametrize(
    "arguments", ["", "--T 50 --batch 32 --steps 10", "--hidden 1", "--hidden 3 --batch 1", "--dtype float64"]
)
def test_a_seed_is_the_same_alone_and_with_others(arguments, tmp_path):
    same = [*SHORT, "--penalty", "0.5", *arguments.split(), "--seeds"]
    runs = {seeds: ran(lab, tmp_path / seeds, *same, seeds) for seeds in ("4,0,9", "4", "0,9")}
    whole = weights_of(runs["4,0,9"][1])
    assert (whole[:1] == weights_of(runs["4"][1])).all() and (whole[1:] == weights_of(runs["0,9"][1])).all()
    assert all(
        (runs["4,0,9"][1][name] == array).all() for name, array in runs["4"][1].items() if "/weights/" not in name
    )
    merged = runner.merge_values("runs", [runs["4"][0], runs["0,9"][0]], [[0], [1, 2]], 0)
    merged["wall_clock_s"] = runs["4,0,9"][0]["wall_clock_s"]
    assert merged == runs["4,0,9"][0]


@pytest.mark.parametrize("arguments", ["", "--hidden 3 --penalty 3"])
def test_weights_rebuild_the_recorded_outputs(arguments, tmp_path):
    _, arrays = ran(lab, tmp_path / "run", *SHORT, "--seeds", "4,0,9", "--record", "9", *arguments.split())
    W, V, b = (arrays[f"lstm/weights/{name}"][2].astype(float) for name in "WVb")
    x, H = arrays["lstm/x"], V.shape[1]
    assert W.shape == (3 * H, H + 9) and V.shape == (4, H) and b.shape == (4, 1)
    assert arrays["lstm/y"].tolist() == [0, 1, 2, 3] and x.shape == (12, 4)
    for n in range(4):
        h, c = np.zeros(H), np.zeros(H)
        for t, symbol in enumerate(x[:, n]):
            z = W @ np.concatenate([h, np.arange(8) == symbol, [1]])
            i, o, g = sigma(z[:H]), sigma(z[H : 2 * H]), np.tanh(z[2 * H :])
            c = c + i * g
            h = o * np.tanh(c)
            for name, value in {"i": i, "o": o, "g": g, "c": c, "h": h}.items():
                assert np.allclose(arrays[f"lstm/{name}"][t, :, n], value, atol=1e-5)
        logits = V @ h + b[:, 0]
        assert np.allclose(arrays["lstm/p"][:, n], np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


def test_a_seed_that_diverges_is_frozen():
    options = options_of(lab, *SHORT, "--seeds", "0,1", "--lr", "1e39")
    with np.errstate(all="ignore"):
        result, arrays = lab.train(options)
    assert result["diverged_at_step"] == [1, 1] and result["sequences_seen"] == [8, 8]
    assert np.isnan(result["final"]["val_accuracy"]).all() and np.isnan(result["final"]["gate_at_markers"]).all()
    assert (weights_of({f"lstm/{name}": array for name, array in arrays.items()}) == lab.init_theta(options)).all()


@pytest.mark.parametrize("arguments, words", [
    ("--penalty=-1", "--penalty: -1 is not a number of at least 0"), ("--penalty nan", "at least 0"),
    ("--penalty inf", "at least 0"), ("--penalty x", "invalid float"), ("--T 4", "the least is 5"),
    ("--beta2 1", "below 1"), ("--schedule step", "step"), ("--input-gate-bias inf", "finite"), ("--lr 0", "above 0"),
    ("--seeds 3-1", "parse"), ("--hidden 0", "at least 1"), ("--record 30", "30 is not one of the seeds"),
    ("--steps 9 --eval-every 10", "the 9 steps"), ("--step 5", "--step"), ("--dtype int8", "int8"),
    ("--resume", "python3 -m studies run -- studies/gate_penalty.py ..."),
])  # fmt: skip
def test_wrong_options_end_with_status_2(arguments, words, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        lab.main([*arguments.split(), "--out", str(tmp_path / "out")])
    told = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and words in told and not (tmp_path / "out").exists()


def test_a_run_with_other_options_is_not_replaced(tmp_path, capsys):
    ran(lab, tmp_path, *SHORT, "--seeds", "0")
    with pytest.raises(SystemExit) as stop:
        lab.main([*SHORT, "--seeds", "1", "--out", str(tmp_path)])
    assert stop.value.code == 2 and "--force replaces it" in capsys.readouterr().err
    ran(lab, tmp_path, *SHORT, "--seeds", "1", "--force")


def test_folders_of_runs():
    assert options_of(lab).out == options_of(lab, "--seeds", "0-29").out == lab.HEADLINE
    assert lab.HEADLINE == "results/temporal_order_3bit/gate_penalty/headline"
    assert options_of(lab, "--seeds", "4,0,9", "--penalty", "3").out == "runs/gate_penalty/seeds-4,0,9-penalty-3.0"


def test_a_quick_run_from_the_command_line(call, tmp_path):
    done = call(SCRIPT, "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SCRIPT}: --quick") and "estimated time: " in done.stdout
    assert "seeds that end at accuracy 1.000: 0 of 3" in done.stdout
    folder = tmp_path / "runs/gate_penalty/quick"
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((folder / "results.json").read_text())
    assert {*results} == {"schema", "experiment", "command", "config", "environment", "seeds", "runs"}
    run = results["runs"]["lstm"]
    assert run["trainable_parameters"] == 176 and run["history"]["step"] == [0, 50, 100, 150]
    assert all(len(values) == 3 and None not in values for values in run["final"].values())
