"""Cut command lines into shards of seeds, run the shards side by side, merge what they leave. Knows no experiment.

A shard is the text of a script (and of a study that watches its training), a command line and some of the seeds. It
runs in a folder that holds these texts alone, as a process of its own with one BLAS thread. A seed alone has the same
weights as among others, so that merged shards are what one process would have left.

While a run is at work its folder has .shards/KEY-N, one for each shard, with shard.json (its seeds), the texts, log.txt
and run/ (what the script writes). KEY is a hash of the texts and of the command line without its seeds: shards of
another version of a script are not used. A shard is finished when run/results.json is there, which scripts write last.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 20 * 60  # seconds that a shard may take
PATIENCE = 10  # seconds in which the shards of a runner that was killed end
WITHOUT_SEEDS = ("step", "batch_loss", "paper")  # lists of results.json without an axis of seeds

# Runs in a shard's process. It ends when the process that started it is gone.
DRIVER = """
import importlib, os, sys, threading, time
parent = os.getppid()
def end_with_parent():
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
threading.Thread(target=end_with_parent, daemon=True).start()
sys.path.insert(0, os.getcwd())
script, study, *argv = sys.argv[1:]
watch = {"watch": importlib.import_module(study).watch} if study else {}
sys.exit(importlib.import_module(script).main(argv, **watch))
"""


class Failed(Exception):
    """A shard that did not end well: how it ended, and its last lines."""


@dataclass
class Job:
    """A command line of a script, to be run by seeds.

    texts: {path: text} of what a shard's folder holds; study: the module that watches training, or ""; argv: without
    options for seeds, output and recorded seed; lab: the script as a module, which parsed the command line; origin: the
    commit of the texts, and whether they differ from it, known when the job is to run.
    """

    lab: object
    texts: dict
    study: str
    argv: list
    command: str
    seeds: list
    record: int
    out: Path
    origin: dict = None

    @property
    def key(self):
        return hashlib.sha256(json.dumps([self.texts, self.study, self.argv]).encode()).hexdigest()[:16]


@dataclass
class Shard:
    """Some seeds of a job, and the folder in which they run."""

    job: Job
    seeds: list
    folder: Path

    @property
    def name(self):
        return f"{self.job.out}: seeds {spell(self.seeds)}"

    @property
    def finished(self):
        return (self.folder / "run" / "results.json").exists()


def spell(seeds):
    """Seeds as --seeds takes them, shortened if there are many."""
    runs = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def load_script(path):
    """The script at path as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def without(argv, names):
    """Words of a command line without these options and their values."""
    kept, skip = [], False
    for word in argv:
        if not skip and word.partition("=")[0] not in names:
            kept.append(word)
        skip = not skip and word in names and word not in ("--force", "--resume")
    return kept


def make_job(script, argv, study=None):
    """The job of a command line; exits with status 2 where the script's own command line would."""
    path = script if script.is_absolute() else ROOT / script
    if not path.is_file():
        sys.exit(f"{script} is not a script of this repository")
    lab = load_script(path)
    options = lab.parse_options(without(argv, ("--resume",)))[0]
    texts = {path.name: path.read_text()}
    if study:
        for name in "__init__", "report", study:
            texts[f"studies/{name}.py"] = (ROOT / "studies" / f"{name}.py").read_text()
    own = "--seeds", "--seed", "--trials", "--out", "--record", "--force", "--resume"
    out, command = Path(options.out), shlex.join(["python3", path.name, *without(argv, ("--resume", "--force"))])
    held = finished_command(out)
    if held and held != command and not options.force:
        sys.exit(f"{out} holds the run of another command, {held}; --force replaces it")
    return Job(lab, texts, f"studies.{study}" if study else "", without(argv, own), command, options.seeds,
               options.record, out)  # fmt: skip


def finished_command(out):
    """The command of the run that a folder holds, or None."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return json.loads((out / "results.json").read_text())["command"]


# --------------------------------------------------------------------------------------------------- cutting


def estimate(job):
    """Seconds that all seeds of a job take in one process: as before, or what the script says after its first steps."""
    if finished_command(job.out) == job.command:
        runs = json.loads((job.out / "results.json").read_text())["runs"]
        return sum(run["wall_clock_s"] for run in runs.values())
    print(f"{job.out}: how long will it take?", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        process, started = start(job, job.seeds, Path(folder), subprocess.PIPE), time.monotonic()
        for line in process.stdout:
            if line.startswith("estimated time: "):
                process.kill()
                process.wait()
                return float(line.split()[2])
        process.wait()
        return time.monotonic() - started


def cut(job, wanted, most):
    """The shards of a job: those that an earlier start left, and the other seeds in as many as wanted or more.

    wanted: shards that keep all workers busy; most: seeds in a shard; if None, so many that it ends within LONGEST.
    """
    shards = []
    for folder in sorted((job.out / ".shards").glob(f"{job.key}-*")):
        with contextlib.suppress(OSError, ValueError):
            shards.append(Shard(job, json.loads((folder / "shard.json").read_text()), folder))
    known = {seed for shard in shards for seed in shard.seeds}
    left = [seed for seed in job.seeds if seed not in known]
    if left and most is None:
        wanted = max(wanted, math.ceil(estimate(job) * len(left) / len(job.seeds) / LONGEST))
    pieces = math.ceil(len(left) / most) if most else min(wanted, len(left))
    for piece in np.array_split(left, pieces) if left else []:
        folder = job.out / ".shards" / f"{job.key}-{len(shards)}"
        shards.append(Shard(job, piece.tolist(), folder))
        folder.mkdir(parents=True, exist_ok=True)
        job.lab.write_whole(folder / "shard.json", lambda file: file.write(json.dumps(shards[-1].seeds).encode()))
    return shards


# --------------------------------------------------------------------------------------------------- running


def start(job, seeds, folder, stdout, lock=None):
    """Start the process of some seeds of a job in a folder; what the script writes goes to folder/run."""
    for name, text in job.texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    resume = ["--resume"] if (folder / "run" / "checkpoint.npz").exists() else ["--force"]
    record = ["--record", str(job.record)] if job.record in seeds else []
    script = Path(next(iter(job.texts))).stem
    argv = [*job.argv, "--seeds", ",".join(map(str, seeds)), *record, "--out", "run", *resume]
    threads = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **threads, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([sys.executable, "-c", DRIVER, script, job.study, *argv], cwd=folder, stdout=stdout,
                            stderr=subprocess.STDOUT, text=True, env=environment, stdin=subprocess.DEVNULL,
                            pass_fds=[lock] if lock else [])  # fmt: skip


def run_shard(shard, running, lock):
    """Run a shard to its end; returns its seconds. Raises Failed. running: where its process is while it runs."""
    started = time.monotonic()
    with open(shard.folder / "log.txt", "w+") as log:
        process = start(shard.job, shard.seeds, shard.folder, log, lock)
        running.add(process)
        status = process.wait()
        running.discard(process)
        if status or not shard.finished:
            log.seek(0)
            lines = "\n".join(f"    {line}" for line in log.read().splitlines()[-8:])
            ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise Failed(ended, lines)
    return time.monotonic() - started


@contextlib.contextmanager
def locked(out):
    """Hold the lock of a run's folder: one runner at a time, none beside the last shards of one that was killed."""
    (out / ".shards").mkdir(parents=True, exist_ok=True)
    with open(out / ".shards" / "lock", "w") as file:
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - started > PATIENCE:
                    sys.exit(f"another run is at work in {out}")
                time.sleep(0.1)
        yield file.fileno()


def run_jobs(jobs, workers, most=None, again=False, finish=lambda job: None):
    """Run jobs by shards on so many processes of this machine; returns how many shards failed.

    most: seeds in a shard, or None; again: run finished jobs, too; finish(job) is called when a job's files are there.
    """
    pending = [job for job in jobs if again or finished_command(job.out) != job.command]
    for job in pending:
        job.origin = {name: job.lab.environment()[name] for name in ("commit", "dirty")}
    failed, running = 0, set()
    with contextlib.ExitStack() as stack:
        locks = {id(job): stack.enter_context(locked(job.out)) for job in pending}
        wanted = 1 if len(pending) >= 2 * workers else workers
        shards = {id(job): cut(job, wanted, most) for job in pending}
        todo = [shard for job in pending for shard in shards[id(job)] if not shard.finished]
        left = {
            id(job): sum(shard.job is job for shard in todo) for job in pending
        }  # shards whose process must end well
        for job in pending:
            if not left[id(job)]:  # killed before they were merged
                merge(job, shards[id(job)], finish)
        executor = stack.enter_context(ThreadPoolExecutor(workers))
        futures = {executor.submit(run_shard, shard, running, locks[id(shard.job)]): shard for shard in todo}
        try:
            for number, (shard, words, error) in enumerate(completed(futures), start=1):
                lines = [error] if error else []
                print(f"{number} of {len(todo)}  {shard.name} {words}", *lines, sep="\n", flush=True)
                failed += bool(error)
                left[id(shard.job)] -= not error
                if not left[id(shard.job)]:
                    merge(shard.job, shards[id(shard.job)], finish)
        except KeyboardInterrupt:
            executor.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.terminate()
            raise
    return failed


def completed(futures):
    """Shards as they end: the shard, words about its end and the time left, and its last lines if it failed."""
    started, done, left = time.monotonic(), 0, set(futures)
    while left:
        ended, left = wait(left, return_when=FIRST_COMPLETED)
        for future in ended:
            done += 1
            error = future.exception()
            if error and not isinstance(error, Failed):
                raise error
            words, lines = error.args if error else (f"took {future.result():.1f} s", "")
            rest = (time.monotonic() - started) / done * (len(futures) - done)
            yield futures[future], f"{words}; {rest:.0f} s left", lines


# --------------------------------------------------------------------------------------------------- merging


def merge(job, shards, finish):
    """Write to job.out what one process would have written, and remove the shards."""
    found = [json.loads((shard.folder / "run" / "results.json").read_text()) for shard in shards]
    places = [[job.seeds.index(seed) for seed in shard.seeds] for shard in shards]
    recorded = next(k for k, shard in enumerate(shards) if job.record in shard.seeds)
    machines = [{name: value for name, value in results["environment"].items() if name not in ("commit", "dirty")}
                for results in found]  # fmt: skip
    environments = [machine for k, machine in enumerate(machines) if machine not in machines[:k]]
    results = {**found[recorded], "command": job.command, "seeds": job.seeds}
    results["environment"] = machines[recorded] | job.origin
    results["config"] |= {"seeds": job.seeds, "record": job.record}
    results["runs"] = merge_values("runs", [each["runs"] for each in found], places, recorded)
    results["environments"] = environments
    results["shards"] = [{"seeds": shard.seeds, "environment": environments.index(machine)}
                         for shard, machine in zip(shards, machines)]  # fmt: skip
    job.lab.write_run(job.out, results, merge_arrays(shards, places, recorded))
    shutil.rmtree(job.out / ".shards")
    finish(job)


def merge_values(name, values, places, recorded, history=None):
    """A value of results.json of all seeds from those of shards, whose seeds have these places among all.

    history: within a history, the steps of each shard's; its lists are (evaluations, seeds). A shard whose seeds all
    ended before those of others keeps its last values.
    """
    value = values[recorded]
    if isinstance(value, dict):
        if name == "paper":
            return value
        steps = [v["step"] for v in values] if name == "history" else history
        return {key: merge_values(key, [v[key] for v in values], places, recorded, steps) for key in value}
    if name == "step" and history:
        return max(history, key=lambda steps: steps[-1])
    if name == "wall_clock_s":
        return sum(values)
    if name in WITHOUT_SEEDS or not isinstance(value, list):
        return value
    if value and isinstance(value[0], dict):
        return [merge_values("", list(items), places, recorded) for items in zip(*values)]
    if history:
        rows = []
        for step in max(history, key=lambda steps: steps[-1]):
            at = [v[steps.index(step)] if step <= steps[-1] else v[-1] for v, steps in zip(values, history)]
            rows.append(in_place(at, places))
        return rows
    return in_place(values, places)


def in_place(parts, places):
    """One list of the items of parts, each at its place."""
    merged = [None] * sum(map(len, places))
    for part, place in zip(parts, places):
        for item, k in zip(part, place, strict=True):
            merged[k] = item
    return merged


def merge_arrays(shards, places, recorded):
    """snapshots.npz of all seeds: weights of every shard, the rest from the one with the recorded seed."""
    loaded = [dict(np.load(shard.folder / "run" / "snapshots.npz")) for shard in shards]
    order = np.argsort(np.concatenate(places))
    return {name: np.concatenate([arrays[name] for arrays in loaded])[order] if "/weights/" in name else array
            for name, array in loaded[recorded].items()}  # fmt: skip
