"""What every experiment script must do, whatever its experiment: gradients, runs, resuming, bad input, pictures."""

import ast
import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, SCRIPTS, load


@dataclass(frozen=True)
class Experiment:
    """What the tests must know of one: runs of a blink (30 steps, evaluated every 10), bad input, what it draws."""

    short: str
    variants: tuple  # that a bare run trains, in this order
    alike: tuple  # settings under which a seed must not notice the others
    resumable: str  # more settings for runs that are killed, interrupted and resumed
    metric: str
    quick_steps: int
    writeup: str  # its command
    bad: tuple  # (arguments, words of the error)
    pictures: str
    writeup_sets: tuple = ("steps",)  # options that it sets to something else than a bare run
    writeup_rates: tuple = (1, 1)  # of its recipe, at the first and at the last step, over --lr
    headline: tuple = ("thirty_seeds/default", [0])  # the study that has the headline's networks, and their seeds


EXPERIMENTS = {
    "temporal_order_3bit": Experiment(
        short="--steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8 --T 12",
        variants=("lstm", "rnn"),
        alike=("", "--cells lstm --forget-gate --blocks 2", "--cells lstm --dtype float64 --batch 5",
               "--cells lstm --hidden 3", "--cells lstm --steps 70", "--cells lstm --T 50 --batch 32 --steps 10"),
        resumable="",
        metric="val_accuracy",
        quick_steps=150,
        writeup="--seed 0 --n_steps 1500 --batch 32 --hidden 4 --val_n 512 --eval_every 50 --record_hidden",
        bad=(("--beta2 1", "below 1"), ("--T 4", "the least is 5"), ("--T 0", "at least 1"),
             ("--T 60 --paper-lengths", "not allowed"), ("--blocks 3", "evenly"), ("--cells gru", "gru"),
             ("--cells lstm,lstm", "lstm,lstm"), ("--schedule step", "step"), ("--input-gate-bias inf", "finite")),
        pictures="cell_state_heatmap confusion_matrix example_sequences hidden_trajectories input_gate_activity "
                 "training_curves",
    ),
    "multiplication_problem": Experiment(
        short="--steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8 --T-min 12 --T-max 14",
        variants=("lstm",),
        alike=("", "--no-forget-gate", "--dtype float64 --batch 5", "--hidden 3 --task add", "--steps 70",
               "--T-max 30 --batch 32 --steps 20", "--stop-at 0.1", "--hidden 1 --batch 1"),
        resumable="--stop-at 0.075",  # at which one seed is frozen, the other not
        metric="test_mse",
        quick_steps=300,
        writeup="--seed 0 --max-iters 6000",
        bad=(("--T-min 11", "the least is 12"), ("--T-max 15", "--T-min: 20 is more than --T-max 15"),
             ("--T-min 31", "--T-min: 31 is more than --T-max 30"), ("--T-max 0", "at least 1"),
             ("--stop-at 0", "above 0"), ("--task divide", "divide"), ("--schedule step", "step"),
             ("--input-gate-bias inf", "finite"), ("--forget-gate-bias nan", "finite"), ("--output-bias inf", "finite")),
        pictures="cell_state pred_vs_target sample_sequences training_curve",
    ),
    "timing_counting_spikes": Experiment(
        short="--steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8 --T 24 --D-min 3 --D-max 10",
        variants=("peephole", "vanilla"),
        alike=("", "--peep --no-forget-gate", "--no-peep --dtype float64 --batch 5", "--peep --hidden 3 --draw 2",
               "--task gts --periods 5,7", "--task pfg --period 6 --no-peep", "--peep --steps 70",
               "--peep --T 150 --D-min 30 --D-max 60 --batch 32 --steps 10"),
        resumable="",
        metric="solve_rate",
        quick_steps=200,
        writeup="--seed 4 --peep --T 150 --D-min 30 --D-max 60 --hidden 8 --iters 3000 --batch 32 --lr 5e-3",
        bad=(("--T 120", "the least is 2 * D_max + 1 = 121"), ("--D-max 75", "the least is 2 * D_max + 1 = 151"),
             ("--D-min 61", "--D-min: 61 is more than --D-max 60"), ("--D-min 0", "at least 1"), ("--T 0", "at least 1"),
             ("--task gts --period 1", "2 steps or more"), ("--task gts --periods 5,7,5", "named once"),
             ("--task pfg --period 150", "--periods: 150 is not less than the 150 steps"), ("--periods 5,x", "at least 1"),
             ("--task count", "count"), ("--wave sine", "sine"), ("--schedule step", "step"), ("--clip 0", "above 0"),
             ("--halve-every 0", "at least 1"), ("--peephole-std=-0.1", "at least 0"), ("--peephole-std nan", "at least 0"),
             ("--draw=-1", "at least 0"), ("--input-gate-bias inf", "finite"), ("--forget-gate-bias nan", "finite")),
        pictures="cell_state clock peephole_weights sample_predictions training_curves weights",
        writeup_sets=("seeds", "peep", "steps", "lr"),
        writeup_rates=(1, 0.5),
    ),
    "information_latching": Experiment(
        short="--seed 0 --lengths 5,20 --sequences 200 --steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8",
        variants=("srnn-5", "srnn-20", "lstm-5", "lstm-20"),
        alike=("", "--cells gru,lstm-1997 --gates sigmoid --lengths 7", "--dtype float64 --batch 5 --lengths 7",
               "--task bit-relay --cells srnn,lstm,gru,lstm-1997 --lengths 6", "--cells lstm --hidden 3 --lengths 6",
               "--split asker --cells gru --steps 70 --lengths 6", "--batch 16 --steps 10 --lengths 50"),
        resumable="--cells srnn,gru",
        metric="val_accuracy",
        quick_steps=100,
        writeup="--recipe writeup --seeds 0 --steps 2500",
        bad=(("--lengths 1,5", "2 or more"), ("--lengths 5,5", "named once"), ("--lengths 5,x", "parse"),
             ("--lengths 0", "parse"), ("--cells lstm,lstm", "each once"), ("--cells rnn", "rnn"), ("--task add", "add"),
             ("--split random", "random"), ("--gates relu", "relu"), ("--epochs 0", "at least 1"),
             ("--sequences 100 --eval-n 21", "--eval-n: 21 is more than a fifth of 100"),
             ("--sequences 100 --eval-n 20 --batch 81", "--batch: 81 is more than four fifths of 100"),
             ("--forget-gate-bias T", "neither a number nor log-T"), ("--forget-gate-bias inf", "finite"),
             ("--input-gate-bias nan", "finite")),
        pictures="accuracy first_input_gradient loss_landscape states",
        writeup_sets=("recipe", "seeds", "split"),
        headline=("figure/shuffled", [*range(30)]),
    ),
}  # fmt: skip
BAD = (
    ("--seeds 0,1,0", "twice"), ("--seeds 3-1", "parse"), ("--seeds x", "parse"), ("--seeds -1", "parse"),
    ("--seed 0-4,2", "twice"), ("--trials ,", "parse"),
    ("--batch 0", "at least 1"), ("--hidden 0", "at least 1"), ("--steps=-5", "at least 1"),
    ("--steps 1.5", "at least 1"), ("--eval-n 0", "at least 1"), ("--eval-every 0", "at least 1"),
    ("--snapshot-every 0", "at least 1"), ("--steps 9 --eval-every 10", "the 9 steps"),
    ("--steps 9 --snapshot-every 10", "the 9 steps"), ("--out=", "a folder is wanted"),
    ("--lr 0", "above 0"), ("--lr=-1", "above 0"), ("--lr nan", "above 0"), ("--lr inf", "above 0"),
    ("--lr x", "above 0"), ("--recipe best", "best"), ("--dtype int8", "int8"), ("--stepz 5", "--stepz"),
    ("--step 5", "--step"), ("--out FILE/run", "cannot write"), ("--out FILE", "cannot write"),
)  # fmt: skip
every_experiment = pytest.mark.parametrize("name", EXPERIMENTS)


def test_no_script_is_left_out():
    assert {f"{name}.py" for name in EXPERIMENTS} | {"lstm_1997.py"} == set(SCRIPTS), "which has tests of its own"


@cache
def lab_of(name):
    """The script as a module."""
    return load(f"{name}.py")


def short(name, *arguments):
    """The command line of a short run."""
    return [*EXPERIMENTS[name].short.split(), *map(str, arguments)]


def run(name, folder, *arguments):
    """A short run in this process: what results.json has, and {variant: parameters (S, P)}."""
    lab, thetas = lab_of(name), {}
    real_train = lab.train

    def train(variant, cell, options, state, save, interrupt):
        trained = real_train(variant, cell, options, state, save, interrupt)
        thetas[variant] = state.theta
        return trained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "train", train)
        assert lab.main(short(name, "--out", folder, *arguments)) == 0
    return json.loads((folder / "results.json").read_text()), thetas


def same(a, b):
    """Whether two {variant: parameters} agree to the bit."""
    return a.keys() == b.keys() and all(a[variant].tobytes() == b[variant].tobytes() for variant in a)


def outcome(folder):
    """What a run left, as far as it must not depend on interruptions."""
    text = (folder / "results.json").read_text().replace(str(folder), "")
    text = re.sub(r'"(wall_clock_s|sequences_per_s)": [^,]*,', "", text)
    arrays = {name: array.tobytes() for name, array in np.load(folder / "snapshots.npz").items()}
    return json.loads(text) | {"environment": None}, arrays


# ------------------------------------------------------------------------------------------------- gradients


@every_experiment
def test_gradient_check_passes(name, call):
    done = call(f"{name}.py", "--gradcheck")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines and all(line.endswith(": ok") for line in lines)
    assert max(float(re.search(r"error (\S+)", line)[1]) for line in lines) <= 1e-7


def broken_sources(name):
    """Sources of a script, each without one of the calls that make up backward: (which, source)."""
    source = (ROOT / f"{name}.py").read_text()
    lines = source.splitlines()
    functions = [node for node in ast.parse(source).body if getattr(node, "name", "") in ("backward", "derivatives")]
    for function, node in ((function, node) for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed = [*lines[: node.lineno - 1], " " * node.col_offset + "pass", *lines[node.end_lineno :]]
            line = lines[node.lineno - 1].strip()
            place = f"{function.name}, line {node.lineno - function.lineno}"
            yield f"{name} without {place}: {line}", "\n".join(changed)


BROKEN = [(name, *broken) for name in EXPERIMENTS for broken in broken_sources(name)]


@pytest.mark.parametrize("name, source", [(name, source) for name, _, source in BROKEN], ids=[b[1] for b in BROKEN])
def test_gradient_check_fails_without_any_one_term(name, source):
    with np.errstate(all="ignore"):
        assert load(f"{name}.py", source).gradient_check() == 1


# ------------------------------------------------------------------------------------------------------ runs


@pytest.mark.parametrize("name, arguments", [(name, a) for name in EXPERIMENTS for a in EXPERIMENTS[name].alike])
def test_a_seed_alone_and_among_thirty_is_the_same_to_the_bit(name, arguments, tmp_path):
    results, thirty = run(name, tmp_path, *arguments.split(), "--seeds", "0-29")
    for theta in thirty.values():
        assert np.isfinite(theta).all() and len(np.unique(theta[:, 0])) == 30
    for seed in (0, 7, 29):
        found, alone = run(name, tmp_path, *arguments.split(), "--seeds", seed)
        assert same(alone, {variant: theta[[seed]] for variant, theta in thirty.items()})
        for variant, mine in found["runs"].items():  # what is measured on the networks, too, but for rounding
            for measure, (value,) in mine["measures"].items():
                assert results["runs"][variant]["measures"][measure][seed] == pytest.approx(value, rel=1e-3, abs=1e-5)


@every_experiment
def test_evaluating_changes_nothing(name, tmp_path):
    _, often = run(name, tmp_path, "--eval-every", "3", "--eval-n", "7", "--snapshot-every", "1")
    assert same(often, run(name, tmp_path)[1])


@every_experiment
def test_drawing_shares_no_state(name, tmp_path):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    _, first = run(name, tmp_path, "--seeds", "3")
    run(name, tmp_path, "--seeds", "4")
    assert same(first, run(name, tmp_path, "--seeds", "3")[1])
    assert (np.random.get_state()[1] == before).all()


def test_adam_and_clipping_follow_their_papers():
    lab, rng = lab_of(next(iter(EXPERIMENTS))), np.random.default_rng(0)  # shared blocks: in all scripts the same
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


@every_experiment
def test_an_update_that_is_not_finite_is_not_made(name, tmp_path):
    one_step = "--steps", 1, "--eval-every", 1, "--snapshot-every", 1
    results, thetas = run(name, tmp_path, *one_step, "--lr", "1e39")
    recorded = np.load(tmp_path / "snapshots.npz")
    for variant in EXPERIMENTS[name].variants:
        found = results["runs"][variant]
        assert found["diverged_at_step"] == [1] and found["final"][EXPERIMENTS[name].metric] == [None]
        assert all(values == [None] for values in found["measures"].values())
        assert np.isfinite(thetas[variant]).all()
        h = recorded[f"{variant}/h"]
        assert len(h) == 2 and (h[0] == h[1]).all() and (h != 0).any(), "the network is what it was"


@every_experiment
def test_a_diverging_seed_is_frozen_and_the_others_go_on(name, tmp_path, monkeypatch):
    lab = lab_of(name)
    _, others = run(name, tmp_path, "--seeds", "0,2")
    real = lab.initial_state

    def spoiled(*arguments):
        state = real(*arguments)
        state.theta[1] = np.nan
        return state

    monkeypatch.setattr(lab, "initial_state", spoiled)
    results, thetas = run(name, tmp_path, "--seeds", "0-2")
    for variant, found in results["runs"].items():
        assert found["diverged_at_step"] == [None, 1, None] and found["sequences_seen"] == [240, 8, 240]
        assert [value is None for value in found["final"][EXPERIMENTS[name].metric]] == [False, True, False]
        assert np.isnan(thetas[variant][1]).all()
    assert same(others, {variant: theta[[0, 2]] for variant, theta in thetas.items()})


@every_experiment
def test_a_quick_run_leaves_what_the_design_says(name, quick):
    folder, experiment = quick(f"{name}.py"), EXPERIMENTS[name]
    assert sorted(path.name for path in (folder / "run").iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((folder / "run" / "results.json").read_text())
    assert list(results) == ["schema", "experiment", "command", "config", "environment", "seeds", "runs"]
    assert (results["schema"], results["experiment"], results["seeds"]) == (1, name, [4, 0, 9])
    assert results["command"] == f"python3 {name}.py --quick --seeds 4,0,9 --out run"
    assert set(results["environment"]) == {"python", "numpy", "platform", "cpu", "threads", "commit", "dirty"}
    config, steps = results["config"], experiment.quick_steps
    assert config["quick"] and config["steps"] == steps and config["lr"] > 0
    assert list(results["runs"]) == list(experiment.variants)
    for found in results["runs"].values():
        assert found["wall_clock_s"] > 0 and found["sequences_per_s"] > 0 and found["trainable_parameters"] > 0
        assert found["sequences_seen"] == [steps * config["batch"]] * 3 and found["diverged_at_step"] == [None] * 3
        assert found["history"]["step"] == list(range(0, steps + 1, config["eval_every"]))
        assert all(np.array(values).shape == (len(found["history"]["step"]), 3)
                   for metric, values in found["history"].items() if metric != "step")  # fmt: skip
        assert found["final"][experiment.metric] == found["history"][experiment.metric][-1]
        assert all(len(values) == 3 for values in found["measures"].values())


@every_experiment
def test_the_docstring_shows_what_the_headline_prints(name, capsys):
    lab = lab_of(name)
    study, seeds = EXPERIMENTS[name].headline
    runs = json.loads((ROOT / "results" / name / study / "results.json").read_text())["runs"]

    def of_seed_0(value):  # of thirty: it is the headline's, to the bit
        if isinstance(value, dict):
            return {key: of_seed_0(item) for key, item in value.items()}
        return value[:1] if isinstance(value, list) and len(value) == 30 else value

    if len(seeds) == 1:
        runs = of_seed_0(runs)
    lab.print_summary({variant: run for variant, run in runs.items() if f"\n    {variant} " in lab.__doc__}, seeds)
    head, *rows = (line for line in capsys.readouterr().out.splitlines() if line)
    assert head in lab.__doc__
    for row in rows:
        assert row.rsplit(maxsplit=1)[0] in lab.__doc__, "all but the seconds"
    assert len(rows) == lab.__doc__.count(f"/{len(seeds)}  ") > 0, "and no other"


# ---------------------------------------------------------------------------------------------------- resume


class Killed(BaseException):
    """What stands for a kill: nothing in the scripts catches it."""


@pytest.mark.parametrize("name, kill_at", [(name, k + 1) for name in EXPERIMENTS
                                           for k in range(2 * len(EXPERIMENTS[name].variants))])  # fmt: skip
def test_a_killed_run_resumes_as_if_nothing_had_been(name, tmp_path, monkeypatch, kill_at):
    lab, resumable = lab_of(name), short(name, *EXPERIMENTS[name].resumable.split(), "--seeds", "0,1")
    clock = iter(range(10**9))
    steady = SimpleNamespace(perf_counter=lambda: next(clock))  # a checkpoint at every evaluation
    monkeypatch.setattr(lab, "time", steady)
    assert lab.main([*resumable, "--out", str(tmp_path / "whole")]) == 0
    real_save, saves = lab.save_checkpoint, []

    def save_and_die(path, tree):
        real_save(path, tree)
        saves.append(path)
        if len(saves) == kill_at:
            raise Killed

    monkeypatch.setattr(lab, "save_checkpoint", save_and_die)
    with pytest.raises(Killed):
        lab.main([*resumable, "--out", str(tmp_path / "killed")])
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint.npz"]
    monkeypatch.setattr(lab, "save_checkpoint", real_save)
    assert lab.main([*resumable, "--out", str(tmp_path / "killed"), "--resume"]) == 0
    assert not (tmp_path / "killed" / "checkpoint.npz").exists()
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def interrupting(lab, monkeypatch, step):
    """From now on a Ctrl-C comes in update number step, counted over all variants."""
    real_update, count = lab.update, iter(range(10**9))

    def update_and_interrupt(*arguments):
        real_update(*arguments)
        if next(count) + 1 == step:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(lab, "update", update_and_interrupt)


@pytest.mark.parametrize("name, stop_after", [(name, 30 * k + step) for name in EXPERIMENTS
                         for k, _ in enumerate(EXPERIMENTS[name].variants) for step in (1, 17, 29)])  # fmt: skip
def test_an_interrupted_run_resumes_as_if_nothing_had_been(name, tmp_path, monkeypatch, capsys, stop_after):
    lab, resumable = lab_of(name), short(name, *EXPERIMENTS[name].resumable.split(), "--seeds", "0,1")
    assert lab.main([*resumable, "--out", str(tmp_path / "whole")]) == 0
    interrupting(lab, monkeypatch, stop_after)
    assert lab.main([*resumable, "--out", str(tmp_path / "stopped")]) == 130
    assert "--resume" in capsys.readouterr().out.splitlines()[-1]
    assert lab.main([*resumable, "--out", str(tmp_path / "stopped"), "--resume"]) == 0
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


@every_experiment
def test_an_interrupt_at_the_very_last_step_ends_the_run(name, tmp_path, monkeypatch):
    lab = lab_of(name)
    interrupting(lab, monkeypatch, 30 * len(EXPERIMENTS[name].variants))
    assert lab.main(short(name, "--out", tmp_path)) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "snapshots.npz"]


@every_experiment
def test_a_real_kill_leaves_a_checkpoint_and_nothing_half_written(name, tmp_path):
    endless = "--steps", "1000000", "--eval-n", "8", "--eval-every", "10", "--out", str(tmp_path)
    process = subprocess.Popen([sys.executable, str(ROOT / f"{name}.py"), *endless], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {"checkpoint.npz"}
    with pytest.raises(ValueError, match=r"was made with --seeds \[0[^]]*\], not None"):
        lab_of(name).load_checkpoint(tmp_path / "checkpoint.npz", {})


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path):
    lab = lab_of(next(iter(EXPERIMENTS)))
    tree = {"config": {"lr": 0.1}, "runs": {"a": [np.int64(3), None, np.float64(0.1), "x", {"b": np.nan}]},
            "theta": np.float32([[0.1, np.nan]]), "list": [np.arange(3), np.zeros((2, 0))]}  # fmt: skip
    lab.save_checkpoint(tmp_path / "checkpoint.npz", tree)
    back = lab.load_checkpoint(tmp_path / "checkpoint.npz", {"lr": 0.1})
    assert back["runs"]["a"][:4] == [3, None, 0.1, "x"] and np.isnan(back["runs"]["a"][4]["b"])
    assert back["theta"].dtype == np.float32 and back["theta"].tobytes() == tree["theta"].tobytes()
    assert [(array.dtype, array.tolist()) for array in back["list"]] == [(a.dtype, a.tolist()) for a in tree["list"]]
    json.dumps(lab.plain({name: back[name] for name in ("runs", "theta", "list")}), allow_nan=False)


@every_experiment
def test_resume_without_a_checkpoint_starts_afresh(name, tmp_path):
    results, _ = run(name, tmp_path, "--resume")
    assert "--resume" not in results["command"]


@every_experiment
def test_resume_refuses_other_options_and_foreign_files(name, tmp_path, capsys, monkeypatch):
    lab, base = lab_of(name), short(name, "--out", tmp_path)
    monkeypatch.setattr(lab, "interruptible", lambda: contextlib.nullcontext(SimpleNamespace(seen=True)))
    assert lab.main(base) == 130

    def refuses(saying, *arguments):
        with pytest.raises(SystemExit) as stop:
            lab.main([*base, "--resume", *arguments])
        last = capsys.readouterr().err.splitlines()[-1]
        assert stop.value.code == 2 and all(word in last for word in saying), last

    refuses(["--lr", "0.5"], "--lr", "0.5")
    checkpoint = tmp_path / "checkpoint.npz"
    for content in (b"", b"nonsense", checkpoint.read_bytes()[:1000]):
        checkpoint.write_bytes(content)
        refuses(["damaged"])
    np.savez(checkpoint, theta=np.zeros(3))
    refuses(["not a checkpoint"])


# ---------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("name, arguments, said",
                         [(name, *bad) for name in EXPERIMENTS for bad in BAD + EXPERIMENTS[name].bad])  # fmt: skip
def test_bad_input_is_one_clear_line_and_status_2(name, tmp_path, capsys, arguments, said):
    (tmp_path / "file").write_text("")
    words = arguments.replace("FILE", str(tmp_path / "file")).split()
    if "--out" not in arguments:
        words += ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        lab_of(name).main(words)
    assert stop.value.code == 2
    *usage, last = capsys.readouterr().err.splitlines()
    assert said in last and "error:" in last and "Traceback" not in "".join(usage)
    assert not (tmp_path / "out").exists(), "nothing is written"


@every_experiment
def test_the_commands_of_the_writeup_and_all_spellings_parse(name):
    def options_of(*arguments):
        return vars(lab_of(name).parse_options([str(argument) for argument in arguments])[0])

    words = EXPERIMENTS[name].writeup.split()
    options, bare = options_of(*words), options_of()
    changed = {option for option in bare if options[option] != bare[option]} - {"record_hidden"}
    assert changed <= set(EXPERIMENTS[name].writeup_sets)
    assert str(options["seeds"][0]) in words and str(options["steps"]) in words
    for alias in "--n-steps", "--n_steps", "--max-iters", "--iters":
        assert options_of(alias, 70, "--eval-every", 7, "--snapshot-every", 7)["steps"] == 70
    for alias in "--eval-n", "--eval_n", "--val-n", "--val_n":
        assert options_of(alias, 7)["eval_n"] == 7
    assert options_of("--trials", "0-3")["seeds"] == [0, 1, 2, 3]
    assert options_of("--gradcheck")["gradcheck"]


@every_experiment
def test_recipes_and_overrides(name):
    lab = lab_of(name)

    def options_of(*arguments):
        return lab.parse_options([str(argument) for argument in arguments])[0]

    for recipe, settings in lab.RECIPES.items():
        assert settings.items() <= vars(options_of("--recipe", recipe)).items()
        assert vars(options_of("--recipe", recipe, "--lr", 0.5)) == vars(options_of("--recipe", recipe)) | {"lr": 0.5}
    if hasattr(lab, "learning_rate"):  # else it is constant
        writeup = options_of("--recipe", "writeup", "--lr", "0.5")
        rates = [lab.learning_rate(writeup, step) / 0.5 for step in (0, writeup.steps - 1)]
        assert rates == list(EXPERIMENTS[name].writeup_rates)
        ours = options_of("--lr", "0.5", "--steps", "100")
        assert [round(lab.learning_rate(ours, step), 12) for step in (0, 50, 100)] == [0.5, 0.25, 0]
    quick = options_of("--quick", "--steps", 7)
    assert (quick.steps, quick.out) == (7, f"results/quick/{name}")


# ------------------------------------------------------------------------------------------------- renderers


@every_experiment
def test_renderers_draw_the_quick_run(name, quick, call):
    folder = quick(f"{name}.py")
    done = call(f"visualize/{name}.py", "--run", "run", "--out", "drawn", cwd=folder)
    assert done.returncode == 0, done.stderr
    pictures = EXPERIMENTS[name].pictures.split()
    assert sorted(path.name for path in (folder / "drawn").iterdir()) == [f"{picture}.png" for picture in pictures]
    assert all((folder / "drawn" / f"{picture}.png").read_bytes().startswith(b"\x89PNG") for picture in pictures)
    done = call(f"make_gifs/{name}.py", "--run", "run", "--out", "x.gif", "--n-frames", 4, "--fps", 5, cwd=folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    gif = (folder / "x.gif").read_bytes()
    assert gif.startswith(b"GIF89a") and b"NETSCAPE2.0" in gif, "an animation that loops"


@pytest.mark.parametrize("folder", ["visualize", "make_gifs"])
@every_experiment
def test_renderers_name_what_is_missing_or_damaged(name, folder, quick, tmp_path, monkeypatch):
    renderer = load(f"{folder}/{name}.py")
    monkeypatch.chdir(tmp_path)

    def fails(*saying):
        with pytest.raises(SystemExit) as stop:
            renderer.main(["--run", "run"])
        message = stop.value.code  # a text, which goes to stderr, with status 1
        assert len(message.splitlines()) == 1 and all(word in message for word in saying), message

    made, found = quick(f"{name}.py") / "run", tmp_path / "run"
    fails("run/results.json is missing", f"python3 {name}.py --out run")
    found.mkdir()
    results = (made / "results.json").read_text()
    (found / "results.json").write_text(results)
    fails("run/snapshots.npz is missing")
    arrays = (made / "snapshots.npz").read_bytes()
    for damaged in arrays[:2000], arrays[:3000] + bytes(200) + arrays[3200:]:
        (found / "snapshots.npz").write_bytes(damaged)
        fails("run/snapshots.npz is damaged")
    for damaged in results[:500], f'{{"experiment": "{name}", "schema": 1}}', "[]":
        (found / "results.json").write_text(damaged)
        fails("run/results.json is damaged")
    (found / "results.json").write_text(results.replace(f'"experiment": "{name}', '"experiment": "other'))
    fails("other")


@every_experiment
def test_a_renderer_without_its_input_ends_with_status_1(name, call, tmp_path):
    done = call(f"make_gifs/{name}.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("folder, within", [("visualize", "file"), ("make_gifs", "file/x.gif"), ("make_gifs", "")])
@every_experiment
def test_renderers_say_where_they_cannot_write(name, folder, within, quick, tmp_path):
    (tmp_path / "file").write_text("")
    run, out = str(quick(f"{name}.py") / "run"), str(tmp_path / within)
    few = ["--n-frames", "1"] if folder == "make_gifs" else []
    with pytest.raises(SystemExit, match="^cannot write "):
        load(f"{folder}/{name}.py").main(["--run", run, "--out", out, *few])
