"""Tests that every experiment script must pass: gradients, runs, folders, bad input, pictures."""

import ast
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import RENDERERS, ROOT, SCRIPTS, load

from studies.report import measure_run
from studies.runner import spell


@dataclass(frozen=True)
class Experiment:
    """Facts about one experiment: very short runs (30 steps, evaluated every 10), bad input, names of pictures."""

    short: str
    variants: tuple  # the variants that a bare run trains, in this order
    alike: tuple  # settings with which a seed must not depend on other seeds
    metric: str
    quick_steps: int
    writeup: str  # the write-up's command
    bad: tuple  # (arguments, words in the error message)
    pictures: str
    writeup_sets: tuple = ("steps",)  # options with which it differs from a bare run
    writeup_rates: tuple = (1, 1)  # learning rates of its recipe at the first and the last step, divided by --lr
    headline: tuple = ("thirty_seeds/default", [0])  # the study with the headline's networks, and their seeds


EXPERIMENTS = {
    "temporal_order_3bit": Experiment(
        short="--steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8 --T 12",
        variants=("lstm", "rnn"),
        alike=("", "--cells lstm --forget-gate --blocks 2", "--cells lstm --dtype float64 --batch 5",
               "--cells lstm --hidden 3", "--cells lstm --steps 70", "--cells lstm --T 50 --batch 32 --steps 10"),
        metric="val_accuracy",
        quick_steps=150,
        writeup="--seed 0 --n_steps 1500 --batch 32 --hidden 4 --val_n 512 --eval_every 50 --record_hidden",
        bad=(("--beta2 1", "below 1"), ("--T 4", "the least is 5"), ("--T 0", "at least 1"),
             ("--T 60 --paper-lengths", "not allowed"), ("--blocks 3", "evenly"), ("--cells gru", "gru"),
             ("--cells lstm,lstm", "lstm,lstm"), ("--schedule step", "step"), ("--input-gate-bias inf", "finite")),
        pictures="cell_state_heatmap example_sequences hidden_trajectories input_gate_activity training_curves",
    ),
    "multiplication_problem": Experiment(
        short="--steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8 --T-min 12 --T-max 14",
        variants=("lstm",),
        alike=("", "--no-forget-gate", "--dtype float64 --batch 5", "--hidden 3 --task add", "--steps 70",
               "--T-max 30 --batch 32 --steps 20", "--hidden 1 --batch 1"),
        metric="test_mse",
        quick_steps=300,
        writeup="--seed 0 --max-iters 6000",
        bad=(("--T-min 11", "the least is 12"), ("--T-max 15", "--T-min: 20 is more than --T-max 15"),
             ("--T-min 31", "--T-min: 31 is more than --T-max 30"), ("--T-max 0", "at least 1"),
             ("--task divide", "divide"), ("--schedule step", "step"),
             ("--input-gate-bias inf", "finite"), ("--forget-gate-bias nan", "finite"),
             ("--output-bias inf", "finite")),
        pictures="cell_state pred_vs_target sample_sequences training_curve",
    ),
    "timing_counting_spikes": Experiment(
        short="--steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 --batch 8 --T 24 --D-min 3 --D-max 10",
        variants=("peephole", "vanilla"),
        alike=("", "--peep --no-forget-gate", "--no-peep --dtype float64 --batch 5", "--peep --hidden 3 --draw 2",
               "--task gts --periods 5,7", "--task pfg --period 6 --no-peep", "--peep --steps 70",
               "--peep --T 150 --D-min 30 --D-max 60 --batch 32 --steps 10"),
        metric="solve_rate",
        quick_steps=200,
        writeup="--seed 4 --peep --T 150 --D-min 30 --D-max 60 --hidden 8 --iters 3000 --batch 32 --lr 5e-3",
        bad=(("--T 120", "the least is 2 * D_max + 1 = 121"), ("--D-max 75", "the least is 2 * D_max + 1 = 151"),
             ("--D-min 61", "--D-min: 61 is more than --D-max 60"), ("--D-min 0", "at least 1"),
             ("--T 0", "at least 1"),
             ("--task gts --period 1", "2 steps or more"), ("--task gts --periods 5,7,5", "named once"),
             ("--task pfg --period 150", "--periods: 150 is not less than the 150 steps"),
             ("--periods 5,x", "at least 1"),
             ("--task count", "count"), ("--wave sine", "sine"), ("--schedule step", "step"), ("--clip 0", "above 0"),
             ("--halve-every 0", "at least 1"), ("--peephole-std=-0.1", "at least 0"),
             ("--peephole-std nan", "at least 0"),
             ("--draw=-1", "at least 0"), ("--input-gate-bias inf", "finite"), ("--forget-gate-bias nan", "finite")),
        pictures="cell_state clock peephole_weights sample_predictions task training_curves weights",
        writeup_sets=("seeds", "peep", "steps", "lr"),
        writeup_rates=(1, 0.5),
        headline=("thirty_seeds/default", [29]),
    ),
    "information_latching": Experiment(
        short="--seed 0 --lengths 5,20 --sequences 200 --steps 30 --eval-every 10 --snapshot-every 10 --eval-n 40 "
              "--batch 8",
        variants=("srnn-5", "srnn-20", "lstm-5", "lstm-20"),
        alike=("", "--cells gru,lstm-1997 --gates sigmoid --lengths 7", "--dtype float64 --batch 5 --lengths 7",
               "--task bit-relay --cells srnn,lstm,gru,lstm-1997 --lengths 6", "--cells lstm --hidden 3 --lengths 6",
               "--split asker --cells gru --steps 70 --lengths 6", "--batch 16 --steps 10 --lengths 50"),
        metric="val_accuracy",
        quick_steps=100,
        writeup="--recipe writeup --seeds 0 --steps 2500",
        bad=(("--lengths 1,5", "2 or more"), ("--lengths 5,5", "named once"), ("--lengths 5,x", "at least 1"),
             ("--lengths 0", "at least 1"), ("--cells lstm,lstm", "each once"), ("--cells rnn", "'rnn'"),
             ("--task add", "add"), ("--split random", "random"), ("--gates relu", "relu"),
             ("--epochs 0", "at least 1"),
             ("--sequences 100 --eval-n 21", "--eval-n: 21 is more than a fifth of 100"),
             ("--sequences 100 --eval-n 20 --batch 81", "--batch: 81 is more than four fifths of 100"),
             ("--forget-gate-bias T", "neither a number nor log-T"), ("--forget-gate-bias inf", "finite"),
             ("--input-gate-bias nan", "finite")),
        pictures="loss_landscape states task",
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
    ("--record 777", "not one of the seeds"), ("--record x", "invalid int"),
)  # fmt: skip
every_experiment = pytest.mark.parametrize("name", EXPERIMENTS)


def test_no_script_is_left_out():
    assert {f"{name}.py" for name in EXPERIMENTS} | {"lstm_1997.py"} == set(SCRIPTS), "lstm_1997.py has separate tests"


@cache
def lab_of(name):
    """The script as a module."""
    return load(f"{name}.py")


def short(name, *arguments):
    """The command line of a short run."""
    return [*EXPERIMENTS[name].short.split(), *map(str, arguments)]


def weights(folder):
    """{variant: parameters (S, P)} of a run."""
    parts = defaultdict(list)
    with np.load(folder / "snapshots.npz") as file:
        for name in file:
            if "/weights/" in name:
                parts[name.split("/")[0]].append(file[name].reshape(len(file[name]), -1))
    return {variant: np.concatenate(arrays, axis=1) for variant, arrays in parts.items()}


def run(name, folder, *arguments, **options):
    """A short run in this process. Returns results.json and {variant: parameters (S, P)}."""
    assert lab_of(name).main(short(name, "--out", folder, "--force", *arguments), **options) == 0
    return json.loads((folder / "results.json").read_text()), weights(folder)


def measured(name, folder):
    """{variant: measures} of a run, from its study."""
    measure_run(importlib.import_module(f"studies.{name}"), folder)
    return {variant: found.get("measures", {}) for variant, found in
            json.loads((folder / "measures.json").read_text())["runs"].items()}  # fmt: skip


def same(a, b):
    """Whether every bit of two {variant: parameters} is equal."""
    return a.keys() == b.keys() and all(a[variant].tobytes() == b[variant].tobytes() for variant in a)


def outcome(folder):
    """The part of a run's files that must not depend on interruptions."""
    text = (folder / "results.json").read_text().replace(str(folder), "")
    text = re.sub(r'"wall_clock_s": [^,]*,', "", text)
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
    """Sources of a script, each without one call of the backward pass: (which, source)."""
    source = (ROOT / f"{name}.py").read_text()
    lines = source.splitlines()
    functions = [
        node for node in ast.parse(source).body if getattr(node, "name", "") in ("backward", "local_derivatives")
    ]
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


SPANS_MEET = "range((T - 1) // net.span * net.span, -1, -net.span)"


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if SPANS_MEET in (ROOT / f"{name}.py").read_text()])
def test_gradient_check_notices_how_spans_meet(name, capsys):
    source = (ROOT / f"{name}.py").read_text()
    with np.errstate(all="ignore"):
        assert load(f"{name}.py", source.replace(SPANS_MEET, "range(0, T, net.span)")).gradient_check() == 1
    lines = capsys.readouterr().out.splitlines()
    one = re.search(r"spans of \d+", lines[0])[0]
    assert all((one in line) == line.endswith("ok") for line in lines), "one span for all steps is not affected"


def test_scripts_with_spans():
    assert [name for name in EXPERIMENTS if "net.span" in (ROOT / f"{name}.py").read_text()] == [
        name for name in EXPERIMENTS if SPANS_MEET in (ROOT / f"{name}.py").read_text()
    ]


# ------------------------------------------------------------------------------------------------------ runs


@pytest.mark.parametrize("name, arguments", [(name, a) for name in EXPERIMENTS for a in EXPERIMENTS[name].alike])
def test_a_seed_alone_and_among_thirty_is_the_same_to_the_bit(name, arguments, tmp_path):
    _, thirty = run(name, tmp_path, *arguments.split(), "--seeds", "0-29")
    measures = measured(name, tmp_path)
    for theta in thirty.values():
        assert np.isfinite(theta).all() and len(np.unique(theta[:, 0])) == 30
    for seed in (0, 7, 29):
        _, alone = run(name, tmp_path, *arguments.split(), "--seeds", seed)
        assert same(alone, {variant: theta[[seed]] for variant, theta in thirty.items()})
        for variant, mine in measured(
            name, tmp_path
        ).items():  # measures of the networks are also equal, except for rounding
            for measure, (value,) in mine.items():
                assert measures[variant][measure][seed] == pytest.approx(value, rel=1e-3, abs=1e-5)


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
    lab, rng = lab_of(next(iter(EXPERIMENTS))), np.random.default_rng(0)  # shared blocks are the same in all scripts
    theta = rng.standard_normal((3, 7))
    adam = lab.Adam(theta.copy())
    m, v, expected = np.zeros((3, 7)), np.zeros((3, 7)), theta.copy()
    for t in range(1, 20):
        grad = rng.standard_normal((3, 7)) * np.array([[0.01], [1.0], [30.0]])
        clipped = np.array([row * min(1, 1 / np.linalg.norm(row)) for row in grad])
        norms = lab.clip_by_norm(grad, 1.0)
        assert np.allclose(grad, clipped) and np.allclose(norms[0], np.linalg.norm(clipped[0]))
        adam.update(grad, 0.01, 0.99, np.array([True, True, False]))
        m, v = 0.9 * m + 0.1 * clipped, 0.99 * v + 0.01 * clipped**2
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    assert np.allclose(adam.theta[:2], expected[:2], rtol=1e-12) and (adam.theta[2] == theta[2]).all()


@every_experiment
def test_an_update_that_is_not_finite_is_not_made(name, tmp_path):
    one_step = "--steps", 1, "--eval-every", 1, "--snapshot-every", 1
    results, thetas = run(name, tmp_path, *one_step, "--lr", "1e39")
    measures = measured(name, tmp_path)
    recorded = np.load(tmp_path / "snapshots.npz")
    for variant in EXPERIMENTS[name].variants:
        found = results["runs"][variant]
        assert found["diverged_at_step"] == [1] and found["final"][EXPERIMENTS[name].metric] == [None]
        assert all(values == [None] for values in measures[variant].values())
        assert np.isfinite(thetas[variant]).all()
        h = recorded[f"{variant}/h"]
        assert len(h) == 2 and (h[0] == h[1]).all() and (h != 0).any(), "the network is unchanged"


@every_experiment
def test_a_diverging_seed_is_frozen_and_the_others_continue(name, tmp_path, monkeypatch):
    lab = lab_of(name)
    _, others = run(name, tmp_path, "--seeds", "0,2")
    real = lab.init_theta

    def spoiled(*arguments):
        theta = real(*arguments)
        theta[1] = np.nan
        return theta

    monkeypatch.setattr(lab, "init_theta", spoiled)
    results, thetas = run(name, tmp_path, "--seeds", "0-2")
    for variant, found in results["runs"].items():
        assert found["diverged_at_step"] == [None, 1, None] and found["sequences_seen"] == [240, 8, 240]
        assert [value is None for value in found["final"][EXPERIMENTS[name].metric]] == [False, True, False]
        assert np.isnan(thetas[variant][1]).all()
    assert same(others, {variant: theta[[0, 2]] for variant, theta in thetas.items()})


@every_experiment
def test_a_quick_run_writes_the_specified_files(name, quick):
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
        assert found["wall_clock_s"] > 0 and found["trainable_parameters"] > 0
        assert found["sequences_seen"] == [steps * config["batch"]] * 3 and found["diverged_at_step"] == [None] * 3
        assert found["history"]["step"] == list(range(0, steps + 1, config["eval_every"]))
        assert all(np.array(values).shape == (len(found["history"]["step"]), 3)
                   for metric, values in found["history"].items() if metric not in ("step", "batch_loss"))  # fmt: skip
        assert len(found["history"]["batch_loss"]) == steps and None not in found["history"]["batch_loss"]
        assert found["final"][experiment.metric] == found["history"][experiment.metric][-1]


@every_experiment
def test_the_docstring_shows_what_the_headline_prints(name, capsys):
    lab = lab_of(name)
    study, seeds = EXPERIMENTS[name].headline
    results = json.loads((ROOT / "results" / name / study / "results.json").read_text())
    runs = results["runs"]

    def of_one_seed(value):  # one of thirty; its values are those of the headline
        if isinstance(value, dict):
            return {key: of_one_seed(item) for key, item in value.items()}
        return [value[results["seeds"].index(seeds[0])]] if isinstance(value, list) and len(value) == 30 else value

    if len(seeds) == 1:
        runs = of_one_seed(runs)
    shown = {variant: run for variant, run in runs.items() if f"\n    {variant} " in lab.__doc__}
    lab.print_summary(results | {"runs": shown, "seeds": seeds})
    head, *rows = (line for line in capsys.readouterr().out.splitlines() if line)
    assert head in lab.__doc__
    for row in rows:
        assert row.rsplit(maxsplit=1)[0] in lab.__doc__, "everything except the seconds"
    assert len(rows) == lab.__doc__.count(f"/{len(seeds)}  ") > 0, "there are no other rows"


# ------------------------------------------------------------------------------------- folders and what they hold


@every_experiment
def test_only_the_bare_command_writes_the_headline(name):
    lab = lab_of(name)

    def out(*arguments):
        return lab.parse_options([*map(str, arguments)])[0].out

    bare = lab.parse_options([])[0]
    assert bare.out == out("--lr", bare.lr) == out("--seeds", spell(bare.seeds)) == f"results/{name}"
    assert out("--quick") == f"runs/{name}/quick" and out("--out", "x") == "x"
    assert out("--lr", "5e-3", "--seeds", "40-49") == f"runs/{name}/seeds-40-49-lr-0.005"
    assert out("--recipe", "writeup", "--lr", 0.7) == f"runs/{name}/recipe-writeup-lr-0.7"
    assert out("--record", bare.seeds[0]) == bare.out != out("--dtype", "float64")


@every_experiment
def test_the_first_line_says_what_runs(name, tmp_path, capsys):
    run(name, tmp_path, "--recipe", "writeup", "--seeds", "0,3", "--lr", "0.5")
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{name}.py: recipe writeup, ") and first.endswith(f"writes {tmp_path}")
    assert "--seeds 0,3" in first and "--lr 0.5" in first
    run(name, tmp_path)
    assert re.search(r"^estimated time: \d+ s$", capsys.readouterr().out, flags=re.MULTILINE)


@every_experiment
def test_another_run_is_replaced_only_by_force(name, tmp_path, capsys):
    lab, base = lab_of(name), short(name, "--out", tmp_path)
    assert lab.main(base) == 0 == lab.main(base), "the same command needs no --force"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SystemExit) as stop:
        lab.main([*base, "--lr", "0.5"])
    assert stop.value.code == 2 and "--force" in capsys.readouterr().err.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "viz").mkdir()
    for stale in "measures.json", "weights.npz", "viz/a.png", "viz/a.gif":
        (tmp_path / stale).write_text("of the first run")
    assert lab.main([*base, "--lr", "0.5", "--force"]) == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["results.json", "snapshots.npz", "viz"]


@every_experiment
def test_resume_names_the_runner(name, capsys):
    with pytest.raises(SystemExit) as stop:
        lab_of(name).main(["--resume"])
    last = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and f"python3 -m studies run -- {name}.py" in last


@every_experiment
def test_a_run_records_the_requested_seed(name, tmp_path):
    first, mine = tmp_path / "first", tmp_path / "mine"
    alone, _ = run(name, first, "--seeds", "3")
    among, _ = run(name, mine, "--seeds", "0,3", "--record", "3")
    assert among["config"]["record"] == 3
    with np.load(first / "snapshots.npz") as a, np.load(mine / "snapshots.npz") as b:
        assert set(a) == set(b)
        assert all(a[key].tobytes() == b[key].tobytes() for key in a if "/weights/" not in key)
    for variant, found in among["runs"].items():
        assert found["history"]["batch_loss"] == alone["runs"][variant]["history"]["batch_loss"]


@every_experiment
def test_the_history_has_the_means_of_batch_losses(name, tmp_path):
    results, _ = run(name, tmp_path)
    for found in results["runs"].values():
        losses, means = np.array(found["history"]["batch_loss"]), np.array(found["history"]["train_loss"], float)
        assert np.allclose(losses.reshape(3, 10).mean(axis=1), means[1:, 0], rtol=1e-4)


@every_experiment
def test_watch_adds_to_the_history_and_changes_nothing(name, tmp_path):
    plain, thetas = run(name, tmp_path, "--seeds", "0,1")
    watched, same_thetas = run(name, tmp_path, "--seeds", "0,1", watch=lambda *_: {"seen": np.array([1.0, 2.0])})
    assert same(thetas, same_thetas)
    for variant, found in watched["runs"].items():
        seen = found["history"].pop("seen")
        assert seen == [[1.0, 2.0]] * len(found["history"]["step"])
        assert found["history"] == plain["runs"][variant]["history"]


@every_experiment
def test_a_real_kill_leaves_nothing_half_written(name, tmp_path):
    endless = "--steps", "1000000", "--eval-n", "8", "--eval-every", "10", "--out", str(tmp_path / "run")
    process = subprocess.Popen([sys.executable, str(ROOT / f"{name}.py"), *endless], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() and process.stdout.readline(), "the first line, and the line of an evaluation"
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL and list((tmp_path / "run").iterdir()) == []


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
    changed = {option for option in bare if options[option] != bare[option]} - {
        "record_hidden",
        "record",
        "out",
        "force",
    }
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
        other = vars(options_of("--recipe", recipe, "--lr", 0.5))
        assert other == vars(options_of("--recipe", recipe)) | {"lr": 0.5, "out": other["out"], "force": True}
    if hasattr(lab, "learning_rate"):  # otherwise the rate is constant
        writeup = options_of("--recipe", "writeup", "--lr", "0.5")
        rates = [lab.learning_rate(writeup, step) / 0.5 for step in (0, writeup.steps - 1)]
        assert rates == list(EXPERIMENTS[name].writeup_rates)
        ours = options_of("--lr", "0.5", "--steps", "100")
        assert [round(lab.learning_rate(ours, step), 12) for step in (0, 50, 100)] == [0.5, 0.25, 0]
    quick = options_of("--quick", "--steps", 7)
    assert (quick.steps, quick.out) == (7, f"runs/{name}/steps-7-quick")


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
        message = stop.value.code  # Python prints a text to stderr and exits with status 1
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


OF_STUDIES = [  # renderers of many runs
    f"visualize/{name}.py" for name in ("benchmarks", "data_movement", "error_flow_1997", "grammar_1997")
]


@pytest.mark.parametrize("path", [path for path in RENDERERS if path not in OF_STUDIES])
def test_renderers_say_which_run_they_draw_and_which_is_newer(path, tmp_path, monkeypatch, capsys):
    renderer = load(path)
    monkeypatch.chdir(tmp_path)
    experiment = path.split("/")[1].removesuffix(".py")
    headline = Path(load(f"{experiment}.py").HEADLINE)
    newer = Path("runs", experiment, "seeds-0-29")
    for folder, time in (headline, 100), (newer, 200), (newer.with_name("older"), 50):
        folder.mkdir(parents=True)
        (folder / "results.json").write_text("{}")
        os.utime(folder / "results.json", (time, time))
    renderer.announce(headline, headline, path)
    assert capsys.readouterr().out == f"drawing {headline}\na newer run: python3 {path} --run {newer}\n"
    renderer.announce(newer, headline, path)
    assert capsys.readouterr().out == f"drawing {newer}\n"
    os.utime(headline / "results.json", (300, 300))
    renderer.announce(headline, headline, path)
    assert capsys.readouterr().out == f"drawing {headline}\n"


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
