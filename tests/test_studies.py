"""studies: shards of seeds give the same files as one process, also after kills."""

import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SCRIPTS

from studies import runner
from studies.__main__ import STUDIES, finish_point, job_of, points_of, study_of

ORDER = "temporal_order_3bit.py --T 12 --batch 8 --eval-n 40"
SHORT = {  # command lines of very short runs
    ORDER: "--steps 60 --eval-every 20 --seeds 9,0-6 --record 5",
    "multiplication_problem.py --T-min 12 --T-max 14 --batch 8 --eval-n 40": "--steps 30 --seeds 0-5",
    "timing_counting_spikes.py --T 24 --D-min 3 --D-max 10 --batch 8 --eval-n 40": "--steps 30 --seeds 0-5",
    "information_latching.py --lengths 5,9 --sequences 200 --batch 8 --eval-n 40": "--steps 30 --seeds 0-5",
    "lstm_1997.py --eval-n 40": "--steps 300 --seeds 1,3,0,2 --eval-every 50",  # trials 1, 3 (one shard) stop early
    "lstm_1997.py --task 1-5 --update sequence": "--seeds 0-3 --steps 300 --eval-n 40",
}
HASTY = {  # changes of lstm_1997.py: some trials stop early, and every evaluation saves a checkpoint
    "CHUNK = 500 ": "CHUNK = 50 ", "WINDOW = 2000 ": "WINDOW = 20 ", '"6a": [Rule(1, 0.1)]': '"6a": [Rule(16)]',
    '"6a": 0.3': '"6a": 0.52', "- saved >= 1:": "- saved >= 0:",
}  # fmt: skip


def words_of(command, folder):
    """The words of a command line. For lstm_1997.py, they name a copy in folder with the changes of HASTY."""
    script, *words = command.split()
    if script == "lstm_1997.py":
        source = (ROOT / script).read_text()
        for text, other in HASTY.items():
            assert source.count(text) == 1
            source = source.replace(text, other)
        (folder / script).write_text(source)
        script = folder / script
    return [script, *words]


def studies(*arguments, **options):
    """Run python3 -m studies in a separate process."""
    command = [sys.executable, "-m", "studies", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)


def left(folder, besides=("environments", "shards")):
    """The files of a run without times and machines: results.json and the bytes of every array."""
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    text = re.sub(r'"wall_clock_s": [^,]*,', "", (folder / "results.json").read_text().replace(str(folder), ""))
    results = {key: value for key, value in json.loads(text).items() if key not in besides}
    with np.load(folder / "snapshots.npz") as file:
        return results, {name: (file[name].dtype, file[name].shape, file[name].tobytes()) for name in file}


# ------------------------------------------------------------------------------------------------------ runs


@pytest.mark.parametrize(
    "script, arguments", SHORT.items(), ids=[f"{key.split('.')[0]}-{k}" for k, key in enumerate(SHORT)]
)
def test_shards_give_the_same_files_as_the_script(script, arguments, tmp_path):
    command = [*words_of(f"{script} {arguments}", tmp_path), "--out"]
    one = subprocess.run([sys.executable, *command, tmp_path / "one"], cwd=ROOT, capture_output=True, text=True)
    assert one.returncode == 0, one.stderr
    done = studies("run", "--jobs", 2, "--shard", 2, "--", *command, tmp_path / "many")
    assert done.returncode == 0, done.stderr + done.stdout
    assert left(tmp_path / "many") == left(tmp_path / "one")
    results = json.loads((tmp_path / "many" / "results.json").read_text())
    assert sorted(seed for shard in results["shards"] for seed in shard["seeds"]) == sorted(results["seeds"])
    assert all(len(shard["seeds"]) <= 2 and shard["environment"] == 0 for shard in results["shards"])
    (machine,) = results["environments"]
    assert machine["numpy"] == np.__version__ and machine["threads"] == 1


def test_a_finished_run_is_skipped_without_again(tmp_path):
    words = "--steps 20 --eval-every 10 --snapshot-every 10 --seeds 0-3 --out"
    command = "run", "--", *ORDER.split(), *words.split(), tmp_path
    assert studies(*command).returncode == 0
    first = (tmp_path / "results.json").stat().st_mtime_ns
    assert "--again" in studies(*command).stdout and (tmp_path / "results.json").stat().st_mtime_ns == first
    assert studies("run", "--again", *command[1:]).returncode == 0
    assert (tmp_path / "results.json").stat().st_mtime_ns > first
    other = studies(*command[:-2], "--lr", "0.5", *command[-2:])
    assert other.returncode == 2 and "--force" in other.stderr
    assert studies(*command[:-2], "--lr", "0.5", "--force", *command[-2:]).returncode == 0


def test_a_failed_shard_is_reported_and_the_others_continue(tmp_path):
    script = tmp_path / "temporal_order_3bit.py"
    source = (ROOT / "temporal_order_3bit.py").read_text()
    broken = source.replace(
        "    S, B, steps, kind =", "    assert options.seeds != [2], 'seed 2 fails'\n    S, B, steps, kind ="
    )
    assert broken != source
    script.write_text(broken)
    words = [*ORDER.split()[1:], "--steps", "20", "--eval-every", "10", "--snapshot-every", "10", "--seeds", "0-3"]
    command = "run", "--jobs", 2, "--shard", 1, "--", script, *words, "--out", tmp_path / "run"
    done = studies(*command)
    assert done.returncode == 1 and "seeds 2 ended with status 1; " in done.stdout and "seed 2 fails" in done.stdout
    assert "failed: 1; " in done.stderr and not (tmp_path / "run" / "results.json").exists()
    again = studies(*command)
    assert re.findall(r"^\d of \d .*seeds (\d)", again.stdout, flags=re.MULTILINE) == ["2"], (
        "only the failed shard is run again"
    )
    script.write_text(source)
    assert studies(*command).returncode == 0, "the text of the script has changed: all shards are run"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["results.json", "snapshots.npz"]


@pytest.mark.parametrize("arguments, status, words", [
    ("run", 2, "give names"), ("run nothing", 2, "nothing is no experiment"),
    ("run temporal_order_3bit/x", 2, "no experiment"),
    ("run --jobs 0 temporal_order_3bit", 2, "at least 1"), ("run temporal_order_3bit -- lstm_1997.py", 2, "give names"),
    ("run -- nothing.py", 2, "nothing.py"), ("run -- README.md", 2, "no"), ("run -- studies/report.py", 2, "report.py"),
    ("run -- temporal_order_3bit.py --gradcheck", 2, "--gradcheck"),
    ("run -- temporal_order_3bit.py --out /proc/x", 2, "/proc/x"),
    ("run -- temporal_order_3bit.py --T 4 --out /tmp/x", 2, "the least is 5"),
    ("measure /nowhere", 1, "/nowhere"), ("fly", 2, "fly"),
    ("run temporal_order_3bit --cluster http://x", 2, "is no address"),
    ("run temporal_order_3bit --cluster tls://x:1", 2, "--tls-key"),
    ("run temporal_order_3bit --cluster tcp://x:1 --tls-ca README.md", 2, "none of them"),
    ("run temporal_order_3bit --shard-timeout 5", 2, "need --cluster"),
    ("run temporal_order_3bit --cluster tls://x:1 --tls-ca a --tls-cert b --tls-key c", 2, "there is no file a"),
])  # fmt: skip
def test_bad_input_is_one_clear_line(arguments, status, words):
    done = studies(*arguments.split())
    assert done.returncode == status and words in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


# ----------------------------------------------------------------------------------------------------- kills


def processes_of(folder):
    """Processes whose working folder is in folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in os.readlink(path / "cwd"):
                found.append(int(path.name))
        except OSError:
            pass
    return found


LONGER = {"temporal_order_3bit": f"{ORDER} --steps 400 --eval-every 100 --seeds 0-7",
          "lstm_1997": "lstm_1997.py --steps 400 --eval-n 40 --eval-every 50 --seeds 0,2,4,5"}  # fmt: skip


@pytest.mark.parametrize("script", LONGER.values(), ids=LONGER)
def test_kills_at_any_moment_change_nothing(script, tmp_path):
    out, rng = tmp_path / "run", np.random.default_rng(0)
    words = [*words_of(script, tmp_path), "--out"]
    command = [sys.executable, "-m", "studies", "run", "--jobs", "2", "--shard", "1", "--", *words, str(out)]
    started = time.monotonic()
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    whole, seconds = left(out), time.monotonic() - started
    for path in out.iterdir():
        path.unlink()
    finished = {}
    for attempt in itertools.count():
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if attempt < 3:
            time.sleep(rng.uniform(0.3, 0.6) * seconds)
            workers = processes_of(out)
            for pid in [process.pid] if attempt % 2 == 0 else workers:
                os.kill(pid, signal.SIGKILL)
        stdout, _ = process.communicate(timeout=120)
        for line in stdout.splitlines():
            if found := re.search(r"seeds (\d+) took ", line):
                finished[found[1]] = finished.get(found[1], 0) + 1
        if process.returncode == 0:
            break
        assert attempt < 10
    assert left(out) == whole
    assert max(finished.values()) == 1, "no finished shard is run twice"
    assert processes_of(out) == []


def test_a_kept_run_goes_on_on_another_machine(tmp_path, monkeypatch):
    """The checkpoints of a killed run are copied; a runner elsewhere goes on from them and names both machines."""
    folder, other, kept = tmp_path / "a", tmp_path / "b", tmp_path / "unfinished"
    script, *words = words_of(LONGER["lstm_1997"], tmp_path)
    assert runner.run_jobs([runner.make_job(script, [*words, "--out", str(tmp_path / "one")])], 1, most=2) == 0
    command = [sys.executable, "-m", "studies", "run", "--shard", "2", "--", script, *words, "--out", folder]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not [*folder.rglob("run/checkpoint.npz")]:
            time.sleep(0.005)
        process.kill()
    assert runner.keep(runner.make_job(script, [*words, "--out", str(folder)], kept=kept)) > 0
    files = {path.name for path in kept.rglob("*") if path.is_file()}
    assert {"shard.json", "machines.json", "checkpoint.npz"} <= files
    assert files <= {"shard.json", "machines.json", "checkpoint.npz", "results.json", "snapshots.npz"}
    job = runner.make_job(script, [*words, "--out", str(other)], kept=kept)
    here, resumed, start = job.lab.environment(), [], subprocess.Popen
    for path in kept.rglob("machines.json"):  # as if it had run on another machine
        path.write_text(json.dumps([machine | {"cpu": "another kind"} for machine in json.loads(path.read_text())]))
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **rest: (resumed.append(argv), start(argv, **rest))[1])
    assert runner.run_jobs([job], 1, most=2) == 0
    assert "--resume" in next(argv for argv in resumed if argv[0] == sys.executable)
    besides = "environment", "environments", "shards"
    assert left(other, besides) == left(tmp_path / "one", besides) and not kept.exists()
    results = json.loads((other / "results.json").read_text())
    assert [machine["cpu"] for machine in results["environments"]] == ["another kind", here["cpu"]]
    assert results["shards"][0] == {"seeds": [0, 2], "environment": 1, "earlier": [0]}
    assert results["environment"]["cpu"] == here["cpu"]


def test_a_checkpoint_without_snapshots_leads_to_the_same_results(tmp_path):
    study = study_of("lstm_1997")
    lab, words = study.lab, ["--seeds", "0-1", "--steps", "300", "--eval-every", "100", "--snapshot-every", "100"]
    options = lab.parse_options([*words, "--out", str(tmp_path)])[0]
    state = lab.initial_state(lab.row_of(options), options)
    state.config = json.loads(json.dumps(state.config))
    with pytest.raises(InterruptedError):

        def interrupt(*_):
            if state.step == 200:
                lab.save_checkpoint(tmp_path, vars(state))
                raise InterruptedError
            return {}

        lab.run(options, interrupt, state)
    whole, path = (tmp_path / lab.CHECKPOINT).stat().st_size, tmp_path / lab.CHECKPOINT
    study.without_snapshots(path)
    assert path.stat().st_size < 0.8 * whole
    later, arrays = lab.run(options, None, lab.load_checkpoint(tmp_path, lab.settings(options), None))
    unbroken, _ = lab.run(options)
    for runs in later, unbroken:
        runs["6a"].pop("wall_clock_s")
    assert lab.to_json(later) == lab.to_json(unbroken) and arrays["6a/step"][0] == 200


def test_kept_shards_are_restored_one_by_one(tmp_path, capsys):
    job = job_of_seeds("0-3", tmp_path / "run")
    job.kept = tmp_path / "unfinished"
    with runner.locked(job.out) as lock:
        first, second = runner.cut(job, 1, 2, lock)
        for shard in first, second:
            (shard.folder / "run").mkdir()
            (shard.folder / "run" / "checkpoint.npz").write_text(spelled := runner.spell(shard.seeds))
        assert runner.keep(job) == sum(len(f"[{a}, {b}]") + len(spelled) for a, b in ((0, 1), (2, 3)))
        (first.folder / "run" / "checkpoint.npz").write_text("further")
        shutil.rmtree(second.folder)
        shutil.copytree(job.kept / second.folder.name, job.out / ".shards" / "restored")  # a start was killed here
        (job.kept / "0123-0-2").mkdir()
        runner.restore(job)
        assert (first.folder / "run" / "checkpoint.npz").read_text() == "further"
        assert (second.folder / "run" / "checkpoint.npz").read_text() == "2-3"
        assert [shard.seeds for shard in runner.cut(job, 1, 2, lock)] == [[0, 1], [2, 3]]
    assert "0123-0-2 is not used" in capsys.readouterr().out


def test_progress_counts_trials_of_all_kept_shards(tmp_path, monkeypatch):
    study = study_of("lstm_1997")
    monkeypatch.setattr(study, "results_folder", lambda lab, name: tmp_path / name)
    assert study.progress("one/5", 0) is None
    for name, seeds in ("going", [0, 1]), ("ended", [2, 3, 4]), ("waiting", [5]):
        folder = tmp_path / "unfinished" / "one" / "5" / name
        (folder / "run").mkdir(parents=True)
        (folder / "shard.json").write_text(json.dumps(seeds))
    rules = {"rules": [{"sequences": [300, None]}, {"sequences": [None, None]}]}
    study.lab.save_checkpoint(tmp_path / "unfinished/one/5/going/run", rules | {"step": 700})
    rules = {"rules": [{"sequences": [100, 200, None]}, {"sequences": [150, None, None]}]}
    (tmp_path / "unfinished/one/5/ended/run/results.json").write_text(json.dumps({"runs": {"5": rules}}))
    assert study.progress("one/5", 0) == (3, 6, 0), "one shard has not started"
    shutil.rmtree(tmp_path / "unfinished/one/5/waiting")
    assert [study.progress("one/5", rule) for rule in (0, 1)] == [(3, 5, 700), (1, 5, 700)]


def test_keep_of_a_finished_or_absent_run_copies_nothing(tmp_path):
    job = job_of_seeds("0-1", tmp_path / "run")
    job.kept = tmp_path / "unfinished"
    assert runner.keep(job) == 0 and not job.kept.exists()
    job.kept.mkdir()
    assert runner.run_jobs([job], 1) == 0 and not job.kept.exists()
    job.kept.mkdir()  # as if the run had ended while keep was at work
    assert runner.keep(job) == 0 and not job.kept.exists()


def test_two_runners_do_not_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "PATIENCE", 0.3)
    with runner.locked(tmp_path):
        with pytest.raises(SystemExit, match="another run is at work"), runner.locked(tmp_path):
            pass
    with runner.locked(tmp_path):
        pass


BLINK = "--steps 10 --eval-every 10 --snapshot-every 10"


def job_of_seeds(seeds, out):
    """The runner's job of a very short run."""
    words = [*ORDER.split()[1:], *BLINK.split(), "--seeds", seeds, "--out", str(out)]
    return runner.make_job(ROOT / "temporal_order_3bit.py", words)


def killed_after(monkeypatch, name, calls):
    """Make the runner stop, as if killed, at a call of its function name, after this number of earlier calls."""
    real, made = getattr(runner, name), itertools.count()

    def dying(*arguments):
        if next(made) >= calls:
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(runner, name, dying)


class Killed(BaseException):
    """An exception in place of a kill."""


def test_kept_shards_are_used_for_other_seeds_of_the_same_run(tmp_path):
    for seeds, most in ("0-5", 2), ("2-4", 2), ("0-5", 3):
        with runner.locked(tmp_path) as lock:
            for shard in runner.cut(job_of_seeds(seeds, tmp_path), 1, most, lock):
                runner.run_shard(shard, set(), lock)
    assert runner.run_jobs([job_of_seeds("4,0,2", tmp_path)], 1, most=2) == 0
    assert json.loads((tmp_path / "results.json").read_text())["seeds"] == [4, 0, 2]
    assert left(tmp_path)


@pytest.mark.parametrize("again", [False, True])
def test_shards_of_a_merged_run_are_removed_after_a_kill(again, tmp_path, monkeypatch):
    """A runner that is killed after it has written the merged files leaves finished shards."""
    job, kept, real = job_of_seeds("0-1", tmp_path / "run"), tmp_path / "kept", runner.merge
    with monkeypatch.context() as patch:
        patch.setattr(runner, "merge", lambda *merged: (shutil.copytree(job.out / ".shards", kept), real(*merged)))
        assert runner.run_jobs([job], 1, most=1) == 0
    shutil.copytree(kept, job.out / ".shards")
    ran, run_shard = [], runner.run_shard
    monkeypatch.setattr(runner, "run_shard", lambda shard, *rest: (ran.append(shard), run_shard(shard, *rest))[1])
    assert runner.run_jobs([job], 1, most=1, again=again) == 0
    assert len(ran) == (2 if again else 0) and left(job.out)


def test_a_killed_start_with_again_continues(tmp_path, monkeypatch):
    jobs = [job_of_seeds("0-1", tmp_path / name) for name in ("a", "b")]
    assert runner.run_jobs(jobs, 1, most=1) == 0
    first = [(job.out / "results.json").stat().st_mtime_ns for job in jobs]
    with monkeypatch.context() as patch:
        killed_after(patch, "merge", 1)
        with pytest.raises(Killed):
            runner.run_jobs(jobs, 1, most=1, again=True)
    assert [runner.finished(job) for job in jobs] == [True, False], "the second job must run again"
    ran = []
    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_shard", lambda shard, *_: ran.append(shard))
        assert runner.run_jobs(jobs, 1, most=1) == 0
    assert not ran, "all its shards have ended"
    assert all(runner.finished(job) and left(job.out) for job in jobs)
    assert all((job.out / "results.json").stat().st_mtime_ns > time for job, time in zip(jobs, first))


def test_a_machine_error_fails_only_one_shard_or_merge(tmp_path, monkeypatch, capsys):
    jobs, real = [job_of_seeds("0-1", tmp_path / name) for name in ("a", "b")], runner.start

    def no_room(job, seeds, *arguments):
        if job is jobs[0] and seeds == [1]:
            raise OSError(28, "No space left on device")
        return real(job, seeds, *arguments)

    monkeypatch.setattr(runner, "start", no_room)
    assert runner.run_jobs(jobs, 1, most=1) == 1
    assert "seeds 1 could not be run" in capsys.readouterr().out and left(jobs[1].out)
    monkeypatch.setattr(runner, "start", real)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "merge_arrays", lambda *_: 1 / 0)
        assert runner.run_jobs(jobs, 1, most=1) == 1 and "were not merged: division" in capsys.readouterr().out
    assert runner.run_jobs(jobs, 1, most=1) == 0 and left(jobs[0].out)


def test_a_finished_run_is_recognised_for_every_form_of_its_command(tmp_path):
    words = [*ORDER.split(), *BLINK.split(), "--force", "--out", f"{tmp_path}/"]
    assert subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    words.remove("--force")
    assert runner.finished(runner.make_job(ROOT / words[0], words[1:]))


def test_shards_are_merged_after_their_processes_have_ended(tmp_path, monkeypatch):
    """A script writes results.json before its process ends. Files of a running process must not be merged."""
    job = job_of_seeds("0-3", tmp_path / "run")
    real, ended = runner.run_shard, []

    def slow_to_end(shard, *arguments):
        seconds = real(shard, *arguments)
        time.sleep(0.5 * (shard.seeds[0] > 0))  # the second shard has its files before the first shard ends
        assert shard.finished
        ended.append(shard)
        return seconds

    monkeypatch.setattr(runner, "run_shard", slow_to_end)
    assert runner.run_jobs([job], 2, most=2) == 0 and len(ended) == 2
    assert left(tmp_path / "run")


# ---------------------------------------------------------------------------------------------------- pieces


def test_spelled_seeds_parse():
    lab = runner.load_script(ROOT / "temporal_order_3bit.py")
    for seeds in [0], [0, 1, 2], [5, 3, 4, 9], [0, 2, 4]:
        assert lab.parse_seeds(runner.spell(seeds)) == seeds


def test_histories_that_end_early_keep_their_last_values():
    histories = [
        {"step": [0, 10, 15], "error": [[3.0], [2.0], [1.0]]},
        {"step": [0, 10, 20], "error": [[6.0], [5.0], [4.0]]},
    ]
    merged = runner.merge_values("history", histories, [[1], [0]], 0)
    assert merged == {"step": [0, 10, 20], "error": [[6.0, 3.0], [5.0, 2.0], [4.0, 1.0]]}


def test_the_runner_names_no_experiment():
    text = (ROOT / "studies" / "runner.py").read_text()
    assert not [script for script in SCRIPTS if script.removesuffix(".py") in text]


# --------------------------------------------------------------------------------------------------- studies


@pytest.mark.parametrize("experiment", STUDIES)
def test_results_come_from_the_commands_of_points(experiment):
    study = study_of(experiment)
    for point in study.POINTS:
        job = job_of(experiment, point)
        if point in getattr(study, "PENDING", ()):
            continue
        results = json.loads((job.out / "results.json").read_text())
        assert results["command"] == job.command, point
        assert results["environment"]["dirty"] is False, f"{point} was not made by a committed script"
        assert "measures" not in str([*results["runs"].values()][0].keys()), "measures are in measures.json"
        if job.lab.EXPERIMENT != experiment:
            assert not (job.out / "measures.json").exists(), "a script in studies/ measures by itself"
            continue
        measures = json.loads((job.out / "measures.json").read_text())
        assert measures["experiment"] == experiment and measures["runs"].keys() == results["runs"].keys()
        assert (job.out / "weights.npz").exists() == (point in study.WEIGHTS)
    results = ROOT / "results" / experiment
    found = [*results.glob("*/results.json"), *results.glob("*/*/results.json")]
    folders = {str(path.parent.relative_to(results)) for path in found}
    others = {"gts", "pfg", "collapses", "minimal"}  # headlines of other tasks, and modules that train by themselves
    assert folders - set(study.POINTS) <= others


@pytest.mark.parametrize("experiment", STUDIES)
def test_kept_weights_have_all_networks_and_seeds(experiment):
    study = study_of(experiment)
    for point in study.WEIGHTS:
        folder = ROOT / "results" / experiment / point
        results = json.loads((folder / "results.json").read_text())
        with np.load(folder / "weights.npz") as file:
            assert {name.split("/weights/")[0] for name in file} == set(results["runs"])
            assert all(len(file[name]) == len(results["seeds"]) for name in file)


@pytest.mark.parametrize("point", ["thirty_seeds/default", "recipe/default"])
def test_a_point_keeps_what_studies_need(point, tmp_path):
    study = study_of("temporal_order_3bit")
    words = [*ORDER.split()[1:], *"--steps 20 --eval-every 10 --snapshot-every 10 --seeds 0-3 --out".split()]
    assert study.lab.main([*words, str(tmp_path)]) == 0
    whole = json.loads((tmp_path / "results.json").read_text())
    for _ in range(2):  # the second call does nothing
        finish_point(study, point, tmp_path)
    weights = ["weights.npz"] if point in study.WEIGHTS else []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["measures.json", "results.json", *weights]
    kept = json.loads((tmp_path / "results.json").read_text())
    for run in whole["runs"].values():
        assert len(run["history"].pop("batch_loss")) == 20
    assert kept == whole
    origin = json.loads((tmp_path / "measures.json").read_text())["from"]
    assert origin["file"] == ("weights.npz" if weights else "snapshots.npz")
    if weights:
        assert origin["sha256"] == hashlib.sha256((tmp_path / "weights.npz").read_bytes()).hexdigest()


def test_names_select_points():
    assert len(points_of(["temporal_order_3bit"])) == len(study_of("temporal_order_3bit").POINTS)
    assert points_of(["temporal_order_3bit/recipe/cosine"]) == [("temporal_order_3bit", "recipe/cosine")]
    assert len(points_of(["temporal_order_3bit/recipe", "temporal_order_3bit/recipe/bias"])) == 9


def test_all_points_have_results():
    text = (ROOT / "Makefile").read_text()
    names, *long = (re.search(rf"^{target} := (.+)$", text, re.MULTILINE)[1].split()
                    for target in ("studies", "paper", "paper-long"))  # fmt: skip
    points = points_of([*names, *itertools.chain(*long), "lstm_1997/earlier"])
    missing = {point for point in points if not runner.finished(job_of(*point))}
    pending = {(name, point) for name in STUDIES for point in getattr(study_of(name), "PENDING", ())}
    assert missing == pending
    done = studies("run", *("/".join(point) for point in points if point not in pending))
    assert done.returncode == 0 and re.search(r"^\d+ points have results; .* --again", done.stdout)
