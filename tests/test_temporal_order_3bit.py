"""temporal_order_3bit.py: its data, gradients, runs, files, pictures, and what it says to bad input."""

import ast
import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, load

SCRIPT = "temporal_order_3bit.py"
SOURCE = (ROOT / SCRIPT).read_text()
WRITEUP_COMMAND = "--seed 0 --n_steps 1500 --batch 32 --hidden 4 --val_n 512 --eval_every 50 --record_hidden"
SHORT = "--steps 30 --eval-every 10 --eval-n 40 --T 12 --batch 8 --snapshot-every 10".split()


@pytest.fixture(scope="module")
def lab():
    return load(SCRIPT)


def options_of(lab, *arguments):
    return lab.parse_options([str(argument) for argument in arguments])[0]


def train(lab, kind, *arguments):
    """Parameters (S, P) after a short run in this process."""
    options = options_of(lab, *SHORT, *arguments)
    cell = lab.Cell(kind, options.hidden, options.blocks, options.forget_gate and kind == "lstm")
    state = lab.initial_state(cell, options)
    lab.train(kind, cell, options, state, lambda state: None, SimpleNamespace(seen=False))
    return state.theta


def without_times(results):
    """results.json less what differs between two runs of one thing."""
    text = re.sub(r'"(wall_clock_s|sequences_per_s)": [^,]*,', "", json.dumps(results))
    return json.loads(text) | {"environment": None}


# ------------------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize("T", [5, 6, 9, 50, 100, 200, 500])
def test_sequences_follow_the_specification(lab, T):
    n, ranges = 4000, lab.marker_ranges(T)
    symbols, labels = lab.make_batch(np.random.default_rng(0), np.full(n, T), ranges)
    assert symbols.shape == (T, n) and labels.shape == (n,)
    assert (symbols[0] == 6).all() and (symbols[-1] == 7).all(), "B first, E last"
    markers = (symbols == 4) | (symbols == 5)
    assert (markers.sum(axis=0) == 2).all()
    t1 = markers.argmax(axis=0)
    t2 = T - 1 - markers[::-1].argmax(axis=0)
    for t, (first, last) in zip((t1, t2), ranges):
        assert set(t) == set(range(first, last + 1)), "every step of the range occurs, and no other"
    first, second = symbols[t1, np.arange(n)], symbols[t2, np.arange(n)]
    assert (
        [lab.CLASSES[label] for label in labels] == np.char.add(*np.array(list(lab.SYMBOLS))[[first, second]])
    ).all()
    assert np.abs(np.bincount(labels, minlength=4) / n - 0.25).max() < 0.03
    noise = symbols[1:-1][~markers[1:-1]]
    assert noise.max() <= 3
    assert np.abs(np.bincount(noise, minlength=4) / noise.size - 0.25).max() < 0.02
    assert abs(np.mean((t1 - t1.mean()) * (t2 - t2.mean()))) <= 0.05 * t1.std() * t2.std(), "t1, t2 are independent"


def test_the_writeup_and_the_paper_have_their_ranges(lab):
    assert lab.marker_ranges(50) == ((3, 12), (25, 40))
    options = options_of(lab, "--paper-lengths", "--seeds", "0,1")
    symbols, labels, lengths = lab.draw_population(options, (lab.TRAIN, 0), 8, 8 * 400)
    assert set(lengths) == set(range(100, 111))
    for k, T in enumerate(lengths):
        block = symbols[:T, :, 8 * k : 8 * k + 8]
        markers = (block == 4) | (block == 5)
        assert (block[-1] == 7).all() and (block[:-1] != 7).all()
        assert (markers.sum(axis=0) == 2).all()
        assert markers[10:21].any(axis=0).all() and markers[50:61].any(axis=0).all()


def test_calls_share_no_state(lab):
    arguments = np.full(20, 50), lab.marker_ranges(50)
    alone = lab.make_batch(lab.stream(3, 1, 0), *arguments)
    lab.make_batch(lab.stream(4, 1, 0), *arguments)
    again = lab.make_batch(lab.stream(3, 1, 0), *arguments)
    other = lab.make_batch(lab.stream(3, 1, 1), *arguments)
    assert all((a == b).all() for a, b in zip(alone, again))
    assert (alone[0] != other[0]).any()
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    lab.make_batch(lab.stream(3, 1, 0), *arguments)
    assert (np.random.get_state()[1] == before).all()


def test_held_out_sequences_do_not_depend_on_training(lab):
    symbols = [lab.held_out(options_of(lab, "--seeds", seeds, "--steps", steps, "--eval-every", every))[0][0]
               for seeds, steps, every in (("5", 100, 10), ("3,5", 7, 3))]  # fmt: skip
    assert (symbols[0][:, 0] == symbols[1][:, 1]).all()


# ------------------------------------------------------------------------------------------------- gradients


def test_parameter_counts(lab):
    kinds = ("lstm",), ("rnn",), ("lstm", 4, 4, True), ("lstm", 4, 2)
    assert [lab.Cell(*kind).P for kind in kinds] == [176, 72, 228, 124]


def test_gradient_check_passes(call):
    done = call(SCRIPT, "--gradcheck")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and all(line.endswith(": ok") for line in lines)
    assert max(float(re.search(r"error (\S+)", line)[1]) for line in lines) <= 1e-7


def broken_sources():
    """Sources of the script, each without one of the calls that make up backward: (which, source)."""
    lines = SOURCE.splitlines()
    function = next(node for node in ast.parse(SOURCE).body if getattr(node, "name", "") == "backward")
    for node in ast.walk(function):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed = [*lines[: node.lineno - 1], " " * node.col_offset + "pass", *lines[node.end_lineno :]]
            yield f"without line {node.lineno - function.lineno}: {lines[node.lineno - 1].strip()}", "\n".join(changed)


BROKEN = list(broken_sources())


@pytest.mark.parametrize("source", [source for _, source in BROKEN], ids=[name for name, _ in BROKEN])
def test_gradient_check_fails_without_any_one_term(source):
    with np.errstate(all="ignore"):
        assert load(SCRIPT, source).gradient_check() == 1


# ------------------------------------------------------------------------------------------------------ runs


ALIKE = ["lstm", "rnn", "lstm --forget-gate --blocks 2", "lstm --dtype float64 --batch 5", "lstm --hidden 3"]
ALIKE += ["lstm --steps 70", "lstm --T 50 --batch 32 --steps 10"]


@pytest.mark.parametrize("arguments", ALIKE)
def test_a_seed_alone_and_among_thirty_is_the_same_to_the_bit(lab, arguments):
    arguments = arguments.split()
    thirty = train(lab, *arguments, "--seeds", "0-29")
    assert np.isfinite(thirty).all() and len(np.unique(thirty[:, 0])) == 30
    for seed in (0, 7, 29):
        assert (train(lab, *arguments, "--seeds", seed)[0] == thirty[seed]).all()


def test_evaluating_changes_nothing(lab):
    assert (
        train(lab, "lstm") == train(lab, "lstm", "--eval-every", "3", "--eval-n", "7", "--snapshot-every", "1")
    ).all()


def test_adam_and_clipping_follow_their_papers(lab):
    rng = np.random.default_rng(0)
    theta = rng.standard_normal((3, 7))
    state = SimpleNamespace(step=0, theta=theta.copy(), m=np.zeros((3, 7)), v=np.zeros((3, 7)))
    m, v, expected = np.zeros((3, 7)), np.zeros((3, 7)), theta.copy()
    for t in range(1, 20):
        grad = rng.standard_normal((3, 7)) * np.array([[0.01], [1.0], [30.0]])
        clipped = np.array([row * min(1, 1 / np.linalg.norm(row)) for row in grad])
        norms = lab.clip_by_norm(grad, 1.0)
        assert np.allclose(grad, clipped) and np.allclose(norms[0], np.linalg.norm(clipped[0]))
        lab.adam(state, grad, 0.01, 0.99, np.array([True, True, False]))
        m, v = 0.9 * m + 0.1 * clipped, 0.99 * v + 0.01 * clipped**2
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    assert np.allclose(state.theta[:2], expected[:2], rtol=1e-12) and (state.theta[2] == theta[2]).all()


def accuracy_after_training(lab):
    options = options_of(lab, "--T", 10, "--steps", 250, "--batch", 16, "--eval-n", 128, "--seeds", "0-3")
    state = lab.initial_state(lab.Cell("lstm"), options)
    result, _ = lab.train("lstm", lab.Cell("lstm"), options, state, lambda state: None, SimpleNamespace(seen=False))
    return min(result["final"]["val_accuracy"])


def test_training_learns_from_the_labels(lab):
    assert accuracy_after_training(lab) >= 0.95


@pytest.mark.parametrize(
    "right, wrong", [("labels[:, batch], options", "labels[:, :B], options"), ("state.theta - lr", "state.theta + lr")]
)
def test_training_does_not_learn_where_it_is_broken(right, wrong):
    assert SOURCE.count(right) == 1
    assert accuracy_after_training(load(SCRIPT, SOURCE.replace(right, wrong))) < 0.9


def test_an_update_that_is_not_finite_is_not_made(lab):
    options = options_of(lab, *SHORT, "--steps", 1, "--eval-every", 1, "--snapshot-every", 1, "--lr", "1e39")
    state = lab.initial_state(lab.Cell("lstm"), options)
    start = state.theta.copy()
    with np.errstate(all="ignore"):
        result, _ = lab.train("lstm", lab.Cell("lstm"), options, state, lambda state: None, SimpleNamespace(seen=False))
    assert (state.theta == start).all() and result["diverged_at_step"] == [1]
    assert np.isnan(result["final"]["val_accuracy"]).all() and result["confusion"] == [None]
    assert all(np.isnan(values).all() for values in result["measures"].values())


def test_a_diverging_seed_is_frozen_and_the_others_go_on(lab):
    options = options_of(lab, *SHORT, "--seeds", "0-2")
    cell, interrupt = lab.Cell("lstm"), SimpleNamespace(seen=False)
    state = lab.initial_state(cell, options)
    state.theta[1] = 1e38
    start = state.theta[1].copy()
    with np.errstate(all="ignore"):
        result, _ = lab.train("lstm", cell, options, state, lambda state: None, interrupt)
    assert result["diverged_at_step"] == [None, 1, None]
    assert result["sequences_seen"] == [240, 8, 240]
    assert (state.theta[1] == start).all()
    assert (state.theta[[0, 2]] == train(lab, "lstm", "--seeds", "0,2")).all()
    assert np.isnan(result["final"]["val_accuracy"]).tolist() == [False, True, False]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick run of three seeds through the command line: its folder."""
    folder = tmp_path_factory.mktemp("quick")
    command = [sys.executable, ROOT / SCRIPT, "--quick", "--seeds", "4,0,9", "--out", "run"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "python3 visualize/temporal_order_3bit.py --run run" in done.stdout.splitlines()[-1]
    return folder


def test_quick_run_leaves_what_the_design_says(quick):
    assert sorted(path.name for path in (quick / "run").iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((quick / "run" / "results.json").read_text())
    assert list(results) == ["schema", "experiment", "command", "config", "environment", "seeds", "runs"]
    assert (results["schema"], results["experiment"], results["seeds"]) == (1, "temporal_order_3bit", [4, 0, 9])
    assert results["command"] == "python3 temporal_order_3bit.py --quick --seeds 4,0,9 --out run"
    assert set(results["environment"]) == {"python", "numpy", "platform", "cpu", "threads", "commit", "dirty"}
    assert results["config"]["quick"] and results["config"]["steps"] == 150 and results["config"]["lr"] > 0
    assert {name: run["trainable_parameters"] for name, run in results["runs"].items()} == {"lstm": 176, "rnn": 72}
    for run in results["runs"].values():
        assert run["wall_clock_s"] > 0 and run["sequences_per_s"] > 0
        assert run["sequences_seen"] == [4800] * 3 and run["diverged_at_step"] == [None] * 3
        assert run["history"]["step"] == [0, 50, 100, 150]
        for name in "train_loss", "val_loss", "val_accuracy":
            assert np.array(run["history"][name]).shape == (4, 3)
        assert run["final"]["val_accuracy"] == run["history"]["val_accuracy"][-1]
        confusion = np.array(run["confusion"])
        assert confusion.shape == (3, 4, 4) and (confusion.sum(axis=(1, 2)) == 128).all()
        assert np.allclose(confusion.trace(axis1=1, axis2=2) / 128, run["final"]["val_accuracy"])
    assert all(len(values) == 3 for values in results["runs"]["lstm"]["measures"].values())


@pytest.mark.parametrize("arguments", ["--T 12", "--T 12 --forget-gate", "--T 50 --blocks 2", "--paper-lengths"])
def test_weights_rebuild_the_recorded_outputs(call, tmp_path, arguments):
    done = call(SCRIPT, "--steps", 20, "--eval-n", 40, "--batch", 8, "--out", tmp_path, *arguments.split())
    assert done.returncode == 0, done.stderr
    arrays = np.load(tmp_path / "snapshots.npz")

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for kind in "lstm", "rnn":
        x, weights = arrays[f"{kind}/x"], {name: arrays[f"{kind}/weights/{name}"].astype(float) for name in "WVb"}
        W, H = weights["W"], weights["V"].shape[1]
        blocks = 2 if "--blocks" in arguments else H
        gates = {"rnn": "", "lstm": "ifo" if "--forget-gate" in arguments else "io"}[kind]
        for n in range(4):
            h, c = np.zeros(H), np.zeros(H)
            for t, symbol in enumerate(x[:, n]):
                z = W @ np.concatenate([h, np.arange(8) == symbol, [1]])
                gate = {
                    g: np.repeat(sigmoid(z[k * blocks : (k + 1) * blocks]), H // blocks) for k, g in enumerate(gates)
                }
                candidate = np.tanh(z[len(gates) * blocks :])
                c = gate.get("f", 1) * c + gate.get("i", 0) * candidate
                h = gate["o"] * np.tanh(c) if gates else candidate
                assert np.allclose(arrays[f"{kind}/h"][-1, t, :, n], h, atol=1e-5)
                for name, value in gate.items():
                    assert np.allclose(arrays[f"{kind}/{name}"][-1, t, :, n], value, atol=1e-5)
                if gates:
                    assert np.allclose(arrays[f"{kind}/c"][-1, t, :, n], c, atol=1e-5)
            logits = weights["V"] @ h + weights["b"][:, 0]
            assert np.allclose(arrays[f"{kind}/p"][-1, :, n], np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


def test_measures_agree_with_a_slow_count(lab):
    options = options_of(lab, *SHORT, "--seeds", "0,1", "--eval-n", 128)
    theta = 0.5 * np.random.default_rng(0).standard_normal((2, 176))
    net, blocks = lab.Network(lab.Cell("lstm"), theta, 12, lab.EVAL_BLOCK, backward=False), lab.held_out(options)
    measures = lab.measure(net, blocks)
    symbols, labels = blocks[0]
    lab.forward(net, symbols)
    at, off = [], []
    for t, n in np.ndindex(12, 128):
        if symbols[t, 1, n] in (4, 5):
            at.append(max(net.row["i"][t, 1, :, n]))
        elif symbols[t, 1, n] < 4:
            off.append(max(net.row["i"][t, 1, :, n]))
    assert len(at) == 2 * 128 and len(off) == 8 * 128
    assert np.isclose(measures["gate_selectivity"][1], np.mean(at) / np.mean(off))
    signs = [tuple(net.c[12, 1, :, n] > 0) for n in range(128)]
    seen = {
        s: np.bincount([labels[1, m] for m in range(64) if signs[m] == s] or [0], minlength=4).argmax() for s in signs
    }
    assert np.isclose(measures["sign_accuracy"][1], np.mean([seen[signs[n]] == labels[1, n] for n in range(64, 128)]))


# ---------------------------------------------------------------------------------------------------- resume


class Killed(BaseException):
    """What stands for a kill: nothing in the script catches it."""


RESUMABLE = [*SHORT, "--seeds", "0,1", "--cells", "lstm,rnn"]


def outcome(folder):
    """What a run left, as far as it must not depend on interruptions."""
    results = json.loads((folder / "results.json").read_text().replace(str(folder), ""))
    return without_times(results), {name: array.tobytes() for name, array in np.load(folder / "snapshots.npz").items()}


@pytest.mark.parametrize("kill_at", [1, 2, 3, 4])
def test_a_killed_run_resumes_as_if_nothing_had_been(lab, tmp_path, monkeypatch, kill_at):
    clock = iter(range(10**9))
    monkeypatch.setattr(
        lab, "time", SimpleNamespace(perf_counter=lambda: next(clock))
    )  # a checkpoint at every evaluation
    assert lab.main([*RESUMABLE, "--out", str(tmp_path / "whole")]) == 0
    real_save, saves = lab.save_checkpoint, []

    def save_and_die(path, tree):
        real_save(path, tree)
        saves.append(tree["variant"])
        if len(saves) == kill_at:
            raise Killed

    monkeypatch.setattr(lab, "save_checkpoint", save_and_die)
    with pytest.raises(Killed):
        lab.main([*RESUMABLE, "--out", str(tmp_path / "killed")])
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint.npz"]
    monkeypatch.setattr(lab, "save_checkpoint", real_save)
    assert lab.main([*RESUMABLE, "--out", str(tmp_path / "killed"), "--resume"]) == 0
    assert not (tmp_path / "killed" / "checkpoint.npz").exists()
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")
    assert saves[-1] == ("lstm" if kill_at <= 3 else "rnn"), "kills before and after the first variant was through"


@pytest.mark.parametrize("stop_after", [1, 17, 30, 33, 59])
def test_an_interrupted_run_resumes_as_if_nothing_had_been(lab, tmp_path, monkeypatch, capsys, stop_after):
    assert lab.main([*RESUMABLE, "--out", str(tmp_path / "whole")]) == 0
    real_update, count = lab.update, iter(range(10**9))

    def update_and_interrupt(*arguments):
        real_update(*arguments)
        if next(count) + 1 == stop_after:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(lab, "update", update_and_interrupt)
    assert lab.main([*RESUMABLE, "--out", str(tmp_path / "stopped")]) == 130
    assert "--resume" in capsys.readouterr().out.splitlines()[-1]
    assert lab.main([*RESUMABLE, "--out", str(tmp_path / "stopped"), "--resume"]) == 0
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_an_interrupt_at_the_very_last_step_ends_the_run(lab, tmp_path, monkeypatch):
    real_update, count = lab.update, iter(range(10**9))

    def update_and_interrupt(*arguments):
        real_update(*arguments)
        if next(count) + 1 == 60:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(lab, "update", update_and_interrupt)
    assert lab.main([*RESUMABLE, "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "snapshots.npz"]


def test_a_real_kill_leaves_a_checkpoint_and_nothing_half_written(tmp_path, lab):
    command = [
        sys.executable,
        str(ROOT / SCRIPT),
        "--steps",
        "1000000",
        "--eval-n",
        "8",
        "--eval-every",
        "10",
        "--out",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {"checkpoint.npz"}
    with pytest.raises(ValueError, match=r"was made with --seeds \[0\], not None"):
        lab.load_checkpoint(tmp_path / "checkpoint.npz", {})


def test_a_checkpoint_gives_back_what_it_was_given(lab, tmp_path):
    tree = {"config": {"lr": 0.1}, "runs": {"a": [np.int64(3), None, np.float64(0.1), "x", {"b": np.nan}]},
            "theta": np.float32([[0.1, np.nan]]), "list": [np.arange(3), np.zeros((2, 0))]}  # fmt: skip
    lab.save_checkpoint(tmp_path / "checkpoint.npz", tree)
    back = lab.load_checkpoint(tmp_path / "checkpoint.npz", {"lr": 0.1})
    assert back["runs"]["a"][:4] == [3, None, 0.1, "x"] and np.isnan(back["runs"]["a"][4]["b"])
    assert back["theta"].dtype == np.float32 and back["theta"].tobytes() == tree["theta"].tobytes()
    assert [(array.dtype, array.tolist()) for array in back["list"]] == [(a.dtype, a.tolist()) for a in tree["list"]]
    json.dumps(lab.plain({name: back[name] for name in ("runs", "theta", "list")}), allow_nan=False)


def test_resume_without_a_checkpoint_starts_afresh(lab, tmp_path):
    assert lab.main([*RESUMABLE, "--out", str(tmp_path), "--resume"]) == 0
    assert "--resume" not in json.loads((tmp_path / "results.json").read_text())["command"]


# -------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "arguments, said",
    [
        ("--seeds 0,1,0", "twice"), ("--seeds 3-1", "parse"), ("--seeds x", "parse"), ("--seeds -1", "parse"),
        ("--seed 0-4,2", "twice"), ("--trials ,", "parse"),
        ("--batch 0", "at least 1"), ("--hidden 0", "at least 1"), ("--steps=-5", "at least 1"),
        ("--steps 1.5", "at least 1"), ("--eval-n 0", "at least 1"), ("--eval-every 0", "at least 1"),
        ("--snapshot-every 0", "at least 1"), ("--steps 9 --eval-every 10", "the 9 steps"),
        ("--steps 9 --snapshot-every 10", "the 9 steps"), ("--out=", "a folder is wanted"),
        ("--lr 0", "above 0"), ("--lr=-1", "above 0"), ("--lr nan", "above 0"), ("--lr inf", "above 0"),
        ("--lr x", "above 0"),
        ("--beta2 1", "below 1"), ("--input-gate-bias inf", "finite"),
        ("--T 4", "the least is 5"), ("--T 0", "at least 1"), ("--T 60 --paper-lengths", "not allowed"),
        ("--blocks 3", "evenly"), ("--cells gru", "gru"), ("--cells lstm,lstm", "lstm,lstm"),
        ("--recipe best", "best"), ("--dtype int8", "int8"), ("--schedule step", "step"), ("--stepz 5", "--stepz"),
        ("--step 5", "--step"), ("--out FILE/run", "cannot write"), ("--out FILE", "cannot write"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_status_2(lab, tmp_path, capsys, arguments, said):
    (tmp_path / "file").write_text("")
    words = arguments.replace("FILE", str(tmp_path / "file")).split()
    if "--out" not in arguments:
        words += ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        lab.main(words)
    assert stop.value.code == 2
    *usage, last = capsys.readouterr().err.splitlines()
    assert said in last and "error:" in last and "Traceback" not in "".join(usage)
    assert not (tmp_path / "out").exists(), "nothing is written"


def test_resume_refuses_other_options_and_foreign_files(lab, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lab, "interruptible", lambda: contextlib.nullcontext(SimpleNamespace(seen=True)))
    base = [*RESUMABLE, "--out", str(tmp_path)]
    assert lab.main(base) == 130
    with pytest.raises(SystemExit) as stop:
        lab.main([*base, "--resume", "--lr", "0.5"])
    assert stop.value.code == 2
    assert "--lr" in (said := capsys.readouterr().err.splitlines()[-1]) and "0.5" in said
    checkpoint = tmp_path / "checkpoint.npz"
    for content in (b"", b"nonsense", checkpoint.read_bytes()[:1000]):
        checkpoint.write_bytes(content)
        with pytest.raises(SystemExit) as stop:
            lab.main([*base, "--resume"])
        assert stop.value.code == 2 and "damaged" in capsys.readouterr().err.splitlines()[-1]
    np.savez(checkpoint, theta=np.zeros(3))
    with pytest.raises(SystemExit) as stop:
        lab.main([*base, "--resume"])
    assert stop.value.code == 2 and "not a checkpoint" in capsys.readouterr().err.splitlines()[-1]


def test_the_commands_of_the_writeup_parse(lab):
    options = options_of(lab, *WRITEUP_COMMAND.split())
    assert (options.seeds, options.steps, options.batch, options.hidden) == ([0], 1500, 32, 4)
    assert (options.eval_n, options.eval_every, options.record_hidden) == (512, 50, True)
    bare = options_of(lab)
    assert vars(bare) | {"record_hidden": True} == vars(options), "the bare command is the headline run"
    for alias in "--n-steps", "--max-iters", "--iters":
        assert options_of(lab, alias, 7).steps == 7
    assert options_of(lab, "--trials", "0-3").seeds == [0, 1, 2, 3]
    assert options_of(lab, "--gradcheck").gradcheck


def test_the_docstring_shows_what_the_headline_prints(lab, capsys):
    study = ROOT / "results" / "temporal_order_3bit" / "thirty_seeds" / "default" / "results.json"
    runs = json.loads(study.read_text())["runs"]
    for run in runs.values():  # seed 0 of thirty is the headline's, to the bit
        run["final"]["val_accuracy"] = run["final"]["val_accuracy"][:1]
        run["sequences_to_95"], run["diverged_at_step"] = run["sequences_to_95"][:1], run["diverged_at_step"][:1]
    lab.print_summary(runs, [0])
    head, *rows = (line for line in capsys.readouterr().out.splitlines() if line)
    assert head in lab.__doc__
    for row in rows:
        assert row.rsplit(maxsplit=1)[0] in lab.__doc__, "all but the seconds"


def test_recipes_and_overrides(lab):
    writeup = options_of(lab, "--recipe", "writeup", "--lr", "0.5")
    assert (writeup.schedule, writeup.input_gate_bias, writeup.beta2, writeup.lr) == ("constant", -1.0, 0.999, 0.5)
    assert [lab.learning_rate(writeup, step) for step in (0, 1499)] == [0.5, 0.5]
    ours = options_of(lab, "--lr", "0.5", "--steps", "100")
    assert [round(lab.learning_rate(ours, step), 12) for step in (0, 50, 100)] == [0.5, 0.25, 0]
    quick = options_of(lab, "--quick", "--steps", 7)
    assert (quick.steps, quick.out) == (7, "results/quick/temporal_order_3bit")


def test_initial_parameters(lab):
    for arguments in ("lstm", 4, 4, False), ("lstm", 4, 2, True), ("rnn",):
        cell = lab.Cell(*arguments)
        theta = lab.init_theta(cell, range(300), np.float64, -1.0)
        p = lab.views(theta, cell.shapes)
        bias, n = p.W[:, :, -1], cell.blocks
        assert (p.b == 0).all() and (bias[:, len(cell.gates) * n :] == 0).all()
        for k, gate in enumerate(cell.gates):
            assert (bias[:, k * n : (k + 1) * n] == {"i": -1, "f": 1, "o": 0}[gate]).all()
        weights = np.concatenate([p.W[:, :, :-1].ravel(), p.V.ravel()])
        assert abs(weights.std() - 0.1) < 0.002 and abs(weights.mean()) < 0.002


# -------------------------------------------------------------------------------------------------- renderers


def test_renderers_draw_the_quick_run(quick, call):
    done = call("visualize/temporal_order_3bit.py", "--run", "run", cwd=quick)
    assert done.returncode == 0, done.stderr
    pictures = sorted(path.name for path in (quick / "run" / "viz").glob("*.png"))
    assert pictures == ["cell_state_heatmap.png", "confusion_matrix.png", "example_sequences.png",
                        "hidden_trajectories.png", "input_gate_activity.png", "training_curves.png"]  # fmt: skip
    assert all((quick / "run" / "viz" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    done = call("make_gifs/temporal_order_3bit.py", "--run", "run", "--n-frames", 4, "--fps", 5, cwd=quick)
    assert done.returncode == 0, done.stderr
    gif = (quick / "run" / "viz" / "temporal_order_3bit.gif").read_bytes()
    assert gif.startswith(b"GIF89a") and b"NETSCAPE2.0" in gif, "an animation that loops"


def test_renderers_take_what_a_user_may_have_run(call, tmp_path):
    def render(*arguments):
        assert call(SCRIPT, "--quick", "--steps", 3, "--out", "run", *arguments, cwd=tmp_path).returncode == 0
        return [call(f"{folder}/{SCRIPT}", "--run", "run", cwd=tmp_path) for folder in ("visualize", "make_gifs")]

    tiny = ["--hidden", 1, "--batch", 1, "--eval-n", 1, "--T", 5]
    assert [done.returncode for done in render("--cells", "lstm", "--lr", "1e39", *tiny)] == [0, 0], "and diverged"
    pictures, gif = render("--cells", "rnn")
    assert pictures.returncode == 0 and "no LSTM" in pictures.stdout
    assert gif.returncode == 1 and gif.stderr == "run has no LSTM to animate\n"


@pytest.mark.parametrize("renderer", ["visualize/temporal_order_3bit.py", "make_gifs/temporal_order_3bit.py"])
def test_renderers_name_what_is_missing_or_damaged(renderer, quick, call, tmp_path):
    def fails(saying):
        done = call(renderer, "--run", "run", cwd=tmp_path)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
        assert all(word in done.stderr for word in saying), done.stderr

    run = tmp_path / "run"
    fails(["run/results.json is missing", "python3 temporal_order_3bit.py --out run"])
    run.mkdir()
    results = (quick / "run" / "results.json").read_text()
    (run / "results.json").write_text(results)
    fails(["run/snapshots.npz is missing"])
    arrays = (quick / "run" / "snapshots.npz").read_bytes()
    for damaged in arrays[:2000], arrays[:3000] + bytes(200) + arrays[3200:]:
        (run / "snapshots.npz").write_bytes(damaged)
        fails(["run/snapshots.npz is damaged"])
    for damaged in results[:500], '{"experiment": "temporal_order_3bit", "schema": 1}', "[]":
        (run / "results.json").write_text(damaged)
        fails(["run/results.json is damaged"])
    (run / "results.json").write_text(results.replace('"experiment": "temporal', '"experiment": "spatial'))
    fails(["spatial_order_3bit"])
