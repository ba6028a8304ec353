"""Cut command lines into shards of seeds, run the shards in parallel, and merge their results.

A shard is the text of a script (and of a study that watches its training), a command line and some of the seeds. It
runs as a separate process with one BLAS thread, in a folder that holds these texts and the files of the run. A seed
gets the same weights alone and with other seeds, so the merged shards equal the results of one process. The runner does
not depend on the experiments.

While a job runs, its folder has one folder .shards/KEY-SEED-N for each shard: N seeds, of which SEED is the first. It
holds shard.json (the seeds), machines.json (the machines on which it ran), the texts, log.txt and run/ (the files of
the script). KEY is a hash of the texts and of the command line without its seeds, so shards of another version of a
script are not used. A shard is finished when run/results.json exists, because scripts write this file last. The file
.shards/again marks a finished run that will be replaced.

keep copies the shards of an unfinished job to another folder, from which a runner on any machine goes on.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studies.shard import Failed, how_it_ended, last_lines
from studies.shard import start as start_process

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 20 * 60  # the largest number of seconds of a shard
LOOK = 5  # seconds between two looks at the pool
PATIENCE = 10  # seconds to wait for the shards of a killed runner
WITHOUT_SEEDS = ("step", "batch_loss", "paper")  # lists of results.json that have no axis of seeds


@dataclass
class Job:
    """A command line of a script that runs in shards of seeds.

    lab: the script as a module. texts: {path: text} of the files in a shard's folder. study: the module that watches
    training, or "". argv: the options other than seeds, output and recorded seed. kept: the folder in which keep saves
    its shards, or None. origin: the commit of the texts, and whether the texts differ from it; set before the job runs.
    """

    lab: object
    texts: dict
    study: str
    argv: list
    command: str
    seeds: list
    record: int
    out: Path
    kept: Path = None
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


def refuse(message):
    """Exit with status 2 and one line."""
    print(message, file=sys.stderr)
    sys.exit(2)


def spell(seeds):
    """The text of seeds for --seeds, with ranges."""
    runs = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def load_script(path):
    """The script at path as a module. It is loaded again only if the file has changed."""
    return script_as_of(path, path.stat().st_mtime_ns)


@functools.cache
def script_as_of(path, changed):
    """The script at path as a module. changed: the time of the file's last change."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def without(argv, names):
    """The words of a command line without these options and their values."""
    kept, skip = [], False
    for word in argv:
        if not skip and word.partition("=")[0] not in names:
            kept.append(word)
        skip = not skip and word in names and word not in ("--force", "--resume")
    return kept


def make_job(script, argv, study=None, kept=None):
    """The job of a command line. Exits with status 2 if the script itself would exit with status 2. kept: see Job."""
    path = script if script.is_absolute() else ROOT / script
    if path.suffix != ".py" or not path.is_file() or "\ndef parse_options(" not in path.read_text():
        refuse(f"{script} is not a script of an experiment")
    lab = load_script(path)
    options = lab.parse_options(without(argv, ("--resume",)))[0]
    if options.gradcheck:
        refuse(f"--gradcheck cannot run in shards; python3 {path.name} --gradcheck")
    texts = {path.name: path.read_text()}
    if study:
        for name in "__init__", "report", study:
            texts[f"studies/{name}.py"] = (ROOT / "studies" / f"{name}.py").read_text()
    own = "--seeds", "--seed", "--trials", "--out", "--record", "--force", "--resume"
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    out, command = Path(options.out), shlex.join(["python3", str(name), *without(argv, ("--resume", "--force"))])
    held = finished_command(out)
    if held and held != in_one_form(command) and not options.force:
        refuse(f"{out} holds the run of another command, {held}; --force replaces it")
    return Job(lab, texts, f"studies.{study}" if study else "", without(argv, own), command, options.seeds,
               options.record, out, kept)  # fmt: skip


def in_one_form(command):
    """A command without --force and without slashes at the ends of words, for comparisons."""
    return shlex.join(word.rstrip("/") for word in without(shlex.split(command), ("--force",)))


def finished_command(out):
    """The command (see in_one_form) of the finished run in a folder, or None."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return in_one_form(json.loads((out / "results.json").read_text())["command"])


def finished(job):
    """Whether the folder of a job holds its results, and no start with --again will replace them."""
    return finished_command(job.out) == in_one_form(job.command) and not (job.out / ".shards" / "again").exists()


def origin_of(job):
    """The commit of a job's texts, and whether they differ from it."""
    origin = {name: job.lab.environment()[name] for name in ("commit", "dirty")}
    if origin["commit"] and job.study:
        command = ["git", "status", "--porcelain", "--", *job.texts]
        origin["dirty"] |= bool(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip())
    return origin


# --------------------------------------------------------------------------------------------------- cutting


def estimate(job, lock):
    """Seconds that all seeds of a job take in one process, from its finished run or from the script's own estimate."""
    if finished_command(job.out) == in_one_form(job.command):
        runs = json.loads((job.out / "results.json").read_text())["runs"]
        return sum(run["wall_clock_s"] for run in runs.values())
    print(f"{job.out}: how long will it take?", flush=True)
    folder = job.out / ".shards" / "estimate"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    process, started = start(job, job.seeds, folder, subprocess.PIPE, lock), time.monotonic()
    seconds = None
    try:
        for line in process.stdout:
            if line.startswith("estimated time: "):
                seconds = float(line.split()[2])
                break
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)
    return time.monotonic() - started if seconds is None else seconds


def wanted_shards(jobs, workers):
    """The least number of shards of each of some jobs that keeps all workers busy: one job has as many as workers.

    Of several jobs, all have together twice as many as workers, because their shards take different times.
    """
    return workers if jobs <= 1 else min(workers, math.ceil(2 * workers / jobs))


def cut(job, wanted, most, lock):
    """The shards of a job: those of an earlier start, and new ones for the remaining seeds.

    wanted: the number of new shards that keeps all workers busy. most: seeds in a shard; if None, as many as end within
    LONGEST seconds.
    """
    shards, known = [], set()
    for folder in sorted((job.out / ".shards").glob(f"{job.key}-*")):
        with contextlib.suppress(OSError, ValueError):
            seeds = json.loads((folder / "shard.json").read_text())
            if set(seeds) <= set(job.seeds) - known:
                shards.append(Shard(job, seeds, folder))
                known |= set(seeds)
    left = [seed for seed in job.seeds if seed not in known]
    if left and most is None:
        wanted = max(wanted, math.ceil(estimate(job, lock) * len(left) / len(job.seeds) / LONGEST))
    pieces = math.ceil(len(left) / most) if most else min(wanted, len(left))
    for piece in np.array_split(left, pieces) if left else []:
        folder = job.out / ".shards" / f"{job.key}-{piece[0]}-{len(piece)}"
        shutil.rmtree(folder, ignore_errors=True)  # it has other seeds, or is incomplete
        shards.append(Shard(job, piece.tolist(), folder))
        folder.mkdir()
        job.lab.write_whole(folder / "shard.json", lambda file: file.write(json.dumps(shards[-1].seeds).encode()))
    return shards


# --------------------------------------------------------------------------------------------------- running


def argv_of(job, seeds, folder):
    """The command line of a process that trains some seeds of a job in a folder. The script writes to folder/run."""
    resume = ["--resume"] if (folder / "run" / "checkpoint.npz").exists() else ["--force"]
    record = ["--record", str(job.record)] if job.record in seeds else []
    return [*job.argv, "--seeds", ",".join(map(str, seeds)), *record, "--out", "run", *resume]


def start(job, seeds, folder, stdout, lock):
    """Start a process of this machine that trains some seeds of a job."""
    return start_process(folder, job.texts, job.study, argv_of(job, seeds, folder), stdout, pass_fds=[lock])


def run_shard(shard, running, lock):
    """Run a shard. Returns its time in seconds, or raises Failed. running: the set of processes that run now."""
    started = time.monotonic()
    try:
        with open(shard.folder / "log.txt", "w") as log:
            process = start(shard.job, shard.seeds, shard.folder, log, lock)
            running.add(process)
            status = process.wait()
            running.discard(process)
    except OSError as error:
        raise Failed("could not be run", f"    {error}") from error
    if status or not shard.finished:
        raise Failed(how_it_ended(status), last_lines(shard.folder / "log.txt"))
    return time.monotonic() - started


class Processes:
    """Processes of this machine, as a pool for run_jobs. Another one is cluster.Cluster."""

    def __init__(self, workers):
        self.workers, self.running = workers, set()

    def __enter__(self):
        self.executor = ThreadPoolExecutor(self.workers)
        return self

    def __exit__(self, *_):
        self.executor.shutdown()

    def submit(self, shard, lock):
        """Give a shard to the pool. Returns a future."""
        return self.executor.submit(run_shard, shard, self.running, lock)

    def collect(self, shard, future):
        """The seconds of a shard that has ended; raises Failed if it failed."""
        return future.result()

    def look(self):
        """Look whether the pool is well."""

    def stop(self):
        """End all processes; shards that have not started never do."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        for process in list(self.running):
            process.terminate()


@contextlib.contextmanager
def locked(out):
    """Hold the lock of a run's folder, so that only one runner works in it. Yields the lock's file descriptor.

    Waits until the processes of a killed runner have ended. At the end, .shards is removed if it holds only the lock.
    """
    path, started = out / ".shards" / "lock", time.monotonic()
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "w")
        except OSError as error:
            refuse(f"cannot write to {out}: {error.strerror}")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
        except FileNotFoundError:
            pass
        except BlockingIOError:
            if time.monotonic() - started > PATIENCE:
                sys.exit(f"another run is at work in {out}")
            time.sleep(0.1)
        file.close()  # another runner holds the lock, or removed it during the wait
    with file:
        yield file.fileno()
        if path.exists() and len([*path.parent.iterdir()]) == 1:
            shutil.rmtree(path.parent)


def prepare(job, again, wanted, most, lock):
    """The shards of a job; an empty list if the job is finished. The caller holds the job's lock."""
    mark = job.out / ".shards" / "again"
    anew = again and not mark.exists()  # if the mark exists, an earlier start with --again continues
    if anew or finished(job):  # another runner finished it, or was killed before it removed the shards
        for path in mark.parent.glob("*/"):
            shutil.rmtree(path)
    if anew:
        mark.touch()
    if anew or finished(job):
        forget_kept(job)
    if finished(job):
        return []
    if job.kept and not anew:
        restore(job)
    job.origin = origin_of(job)
    return cut(job, wanted, most, lock)


def run_jobs(jobs, pool, most=None, again=False, finish=lambda job: None):
    """Run jobs in shards. Returns the number of failed shards and merges.

    pool: a number of processes, or a pool such as Processes. most: seeds in a shard, or None. again: also run finished
    jobs. finish(job) is called when the files of a job are complete.
    """
    pending = [job for job in jobs if again or not finished(job) or (job.out / ".shards").exists()]
    pool, failed = Processes(pool) if isinstance(pool, int) else pool, 0

    def merge_well(job):
        try:
            merge(job, shards[id(job)], finish)
        except (Exception, SystemExit) as error:
            print(f"{job.out}: its shards were not merged: {error}", flush=True)
            return False
        return True

    with contextlib.ExitStack() as stack:
        locks = {id(job): stack.enter_context(locked(job.out)) for job in pending}
        stack.enter_context(pool)
        wanted = wanted_shards(len(pending), pool.workers)
        shards = {id(job): prepare(job, again, wanted, most, locks[id(job)]) for job in pending}
        todo = [shard for job in pending for shard in shards[id(job)] if not shard.finished]
        left = {id(job): sum(shard.job is job for shard in todo) for job in pending}  # shards that are not finished yet
        for job in pending:
            if shards[id(job)] and not left[id(job)]:  # a runner was killed before it merged them
                failed += not merge_well(job)
        futures = {pool.submit(shard, locks[id(shard.job)]): shard for shard in todo}
        try:
            for number, (shard, words, error) in enumerate(completed(pool, futures), start=1):
                lines = [error] if error else []
                print(f"{number} of {len(todo)}  {shard.name} {words}", *lines, sep="\n", flush=True)
                failed += bool(error)
                left[id(shard.job)] -= not error
                if not left[id(shard.job)]:
                    failed += not merge_well(shard.job)
        except BaseException:
            pool.stop()
            raise
    return failed


def completed(pool, futures):
    """For each shard that ends, yield it, a text with its time and the time left, and its last lines if it failed.

    futures: {future: shard}. A future is forgotten when it has ended, with the files that it holds.
    """
    started, n, left = time.monotonic(), len(futures), set(futures)
    while left:
        ended, left = wait(left, timeout=LOOK, return_when=FIRST_COMPLETED)
        pool.look()
        for future in ended:
            shard = futures.pop(future)
            try:
                words, lines = f"took {pool.collect(shard, future):.1f} s", ""
            except Failed as error:
                words, lines = error.args
            rest = (time.monotonic() - started) / (n - len(futures)) * len(futures)
            yield shard, f"{words}; {rest:.0f} s left", lines


def keep(job):
    """Copy the shards of an unfinished job to job.kept, without their texts. Returns the number of bytes copied.

    The runner may be at work: scripts write each file completely or not at all. A shard replaces its earlier copy.
    """
    size = 0
    for folder in sorted((job.out / ".shards").glob(f"{job.key}-*")):
        new = job.kept / f".{folder.name}"
        shutil.rmtree(new, ignore_errors=True)
        for path in [folder / "shard.json", folder / "machines.json", *folder.glob("run/[!.]*")]:
            target = new / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a shard that has not started, or that ends now
                shutil.copyfile(path, target)
                size += target.stat().st_size
        shutil.rmtree(job.kept / folder.name, ignore_errors=True)
        new.rename(job.kept / folder.name)
    if finished(job):  # it has ended meanwhile
        forget_kept(job)
    return size


def restore(job):
    """Copy to the job's folder those of its kept shards that are not there. The caller holds the job's lock."""
    kept = [path for path in sorted(job.kept.glob("[!.]*")) if path.is_dir()]
    for folder in kept:
        target = job.out / ".shards" / folder.name
        if not folder.name.startswith(f"{job.key}-"):
            print(f"{folder} is not used: it is of another version of the script or of its options", flush=True)
        elif not target.exists():
            print(f"{job.out} goes on from {folder}", flush=True)
            new = target.with_name("restored")
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(folder, new)
            new.rename(target)


def forget_kept(job):
    """Remove the kept shards of a job."""
    if job.kept:
        shutil.rmtree(job.kept, ignore_errors=True)


# --------------------------------------------------------------------------------------------------- merging


def merge(job, shards, finish):
    """Write the same files to job.out as one process, then remove the shards."""
    found = [json.loads((shard.folder / "run" / "results.json").read_text()) for shard in shards]
    places = [[job.seeds.index(seed) for seed in shard.seeds] for shard in shards]
    recorded = next(k for k, shard in enumerate(shards) if job.record in shard.seeds)
    machines = [machines_of(shard, results) for shard, results in zip(shards, found)]
    every = [machine for some in machines for machine in some]
    environments = [machine for k, machine in enumerate(every) if machine not in every[:k]]
    results = {**found[recorded], "command": job.command, "seeds": job.seeds}
    results["environment"] = machines[recorded][-1] | job.origin
    results["config"] |= {"seeds": job.seeds, "record": job.record}
    results["runs"] = merge_values("runs", [each["runs"] for each in found], places, recorded)
    results["environments"] = environments
    results["shards"] = [{"seeds": shard.seeds, "environment": environments.index(some[-1])}
                         | ({"earlier": [environments.index(machine) for machine in some[:-1]]} if some[1:] else {})
                         for shard, some in zip(shards, machines)]  # fmt: skip
    if len(environments) > 1:
        print(f"{job.out}: shards ran on {len(environments)} kinds of machines (see environments in results.json); "
              "float32 sums can differ in their last bits", flush=True)  # fmt: skip
    job.lab.write_run(job.out, results, merge_arrays(shards, places, recorded))
    (job.out / ".shards" / "again").unlink(missing_ok=True)
    shutil.rmtree(job.out / ".shards")
    forget_kept(job)
    finish(job)


def machines_of(shard, results):
    """The machines that had a part in a finished shard, the last one last. results: its results.json."""
    path = shard.folder / "machines.json"
    if path.exists():
        return json.loads(path.read_text())
    return [{name: value for name, value in results["environment"].items() if name not in ("commit", "dirty")}]


def merge_values(name, values, places, recorded, history=None):
    """Merge one value of results.json. values: the value of each shard. places: places of its seeds among all seeds.

    history: inside a history, the steps of each shard; lists then have shape (evaluations, seeds). If all seeds of a
    shard end before the seeds of others, the shard's last values are repeated.
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
    """One list with the items of all parts, each at its place."""
    merged = [None] * sum(map(len, places))
    for part, place in zip(parts, places):
        for item, k in zip(part, place, strict=True):
            merged[k] = item
    return merged


def merge_arrays(shards, places, recorded):
    """The arrays of all seeds: weights of every shard, and the other arrays of the shard with the recorded seed."""
    loaded = [dict(np.load(shard.folder / "run" / "snapshots.npz")) for shard in shards]
    order = np.argsort(np.concatenate(places))
    return {name: np.concatenate([arrays[name] for arrays in loaded])[order] if "/weights/" in name else array
            for name, array in loaded[recorded].items()}  # fmt: skip
