#!/usr/bin/env python3
"""Studies on a cluster: time with one and two workers, overhead of a shard, kills of workers, several hosts, a model.

    python3 benchmarks/cluster.py                all measurements, on a machine with two free cores: about half an hour
    python3 benchmarks/cluster.py empty kills    only these; cluster.json keeps the others

Needs the package distributed (requirements-cluster.txt). Scheduler and workers are processes of this machine.

    scaling  STUDY by the script itself, all seeds in one process (alone); in shards of SHARD seeds with one worker (1)
             and with two (2); and the same shards as two processes without a cluster (processes), which shows what
             two cores of this machine can give; seconds are medians of REPEATS runs of each, in turn
    empty    EMPTY shards that do almost nothing: with two workers, seconds for a shard beside the time that the same
             command line takes as a process of its own; bytes to and from a worker; the runner's memory on the way;
             and how many tasks of this size, which do nothing, the scheduler gives and takes in a second
    kills    a study whose workers are killed by SIGKILL KILLS times, at random moments; compared with a local run
    hosts    two workers in network namespaces with addresses of their own (as root); null if this is not possible
    model    the time of all studies and of the long rows of 1997 on 1 to 1,000 cores; see model

Results go to results/benchmarks/cluster.json (--out: the folder).
"""

import argparse
import contextlib
import heapq
import json
import os
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from studies import __main__ as studies  # noqa: E402
from studies import runner  # noqa: E402
from studies.cluster import Cluster  # noqa: E402

STUDY = "timing_counting_spikes.py --seeds 0-15 --peep --steps 3500"
SHARD, REPEATS = 2, 3
EMPTY = 1000
NOTHING = "temporal_order_3bit.py --cells rnn --hidden 1 --T 5 --steps 1 --batch 1 --eval-n 1"
NOTHING += " --eval-every 1 --snapshot-every 1"
KILLS, KILLED = 10, "temporal_order_3bit.py --cells lstm --T 100 --steps 600 --seeds 0-15"
CORES = (1, 10, 100, 1000)
WAIT = 60  # seconds to wait for a scheduler or a worker


def wait_for(condition):
    """Wait until condition() is true."""
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            sys.exit("a scheduler or a worker does not start")
        time.sleep(0.05)


class Machines:
    """A scheduler and workers, as processes of this machine in folders of their own. inside: words before a command."""

    def __init__(self, n, host="127.0.0.1", inside=None):
        self.folder, self.processes = Path(tempfile.mkdtemp(prefix="cluster-")), []
        self.start("scheduler", ["--scheduler-file", "address.json", "--port", "0", "--host", host])
        path = self.folder / "scheduler" / "address.json"
        wait_for(lambda: path.exists() and path.read_text().endswith("}"))
        self.address = json.loads(path.read_text())["address"]
        for k in range(n):
            self.start(f"worker-{k}", [self.address, "--nthreads", "1"], *(inside[k] if inside else []))
        log = self.folder / "scheduler" / "log"
        wait_for(lambda: log.read_text().count("Register worker") >= n)

    def start(self, name, words, *before):
        folder = self.folder / name
        folder.mkdir()
        command = [
            *before,
            sys.executable,
            "-m",
            f"distributed.cli.dask_{name.split('-')[0]}",
            *words,
            "--no-dashboard",
        ]
        with open(folder / "log", "w") as log:
            self.processes.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Watched(Cluster):
    """A cluster that counts bytes, and the runner's memory when a shard comes back."""

    def __init__(self, address):
        super().__init__(address)
        self.sent, self.received, self.memory = 0, 0, []

    def submit(self, shard, lock):
        argv = runner.argv_of(shard.job, shard.seeds, shard.folder)
        self.sent += sum(len(text.encode()) for text in shard.job.texts.values()) + len(shlex.join(argv).encode())
        return super().submit(shard, lock)

    def collect(self, shard, future):
        with contextlib.suppress(Exception):
            self.received += sum(map(len, future.result()[2].values()))
        statm = Path("/proc/self/statm")
        if statm.exists():
            self.memory.append(int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
        return super().collect(shard, future)


def run_on(pool, command, most, out):
    """Run a command line in shards. Returns seconds."""
    script, *argv = command.split()
    job = runner.make_job(Path(script), [*argv, "--out", str(out), "--force"])
    started = time.perf_counter()
    failed = runner.run_jobs([job], pool, most, again=True)
    if failed:
        sys.exit(f"{failed} shards failed")
    return time.perf_counter() - started


def seconds_of(command, out):
    """Seconds of a command line as a process of its own."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *command.split(), "--out", str(out), "--force"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - started


def same(folder, other):
    """Whether two folders hold the same results: all weights and all values, without times and machines."""

    def values(path):
        results = json.loads((path / "results.json").read_text())
        for run in results["runs"].values():
            del run["wall_clock_s"]
        with np.load(path / "snapshots.npz") as file:
            return results["runs"], {name: file[name].tobytes() for name in file}

    return values(folder) == values(other)


def scaling(folder):
    """Seconds of STUDY: the script alone, and its shards with one worker and with two, in turn."""
    found = {"alone": [], "1": [], "2": [], "processes": []}
    for _ in range(REPEATS):
        found["alone"].append(seconds_of(STUDY, folder / "alone"))
        found["processes"].append(run_on(2, STUDY, SHARD, folder / "processes"))
        for n in (1, 2):
            with Machines(n) as machines:
                found[str(n)].append(run_on(Cluster(machines.address), STUDY, SHARD, folder / f"with-{n}"))
    found = {name: {"median": statistics.median(seconds), "all": seconds} for name, seconds in found.items()}
    ratio = found["1"]["median"] / found["2"]["median"]
    equal = [same(folder / "alone", folder / f"with-{n}") for n in (1, 2)]
    return {"command": STUDY, "shard": SHARD, "seconds": found, "ratio": ratio, "same": all(equal)}


def empty(folder):
    """Overhead of a shard that does almost nothing."""
    alone = [seconds_of(f"{NOTHING} --seeds {seed}", folder / "one") for seed in range(20)]
    with Machines(2) as machines:
        pool = Watched(machines.address)
        seconds = run_on(pool, f"{NOTHING} --seeds 0-{EMPTY - 1}", 1, folder / "empty")
        size = (pool.sent + pool.received) // EMPTY
        with Cluster(machines.address) as plain:
            started = time.perf_counter()
            wait([plain.executor.submit(len, bytes(size) + bytes([k % 256])) for k in range(EMPTY)])
            rate = EMPTY / (time.perf_counter() - started)
    tenth = EMPTY // 10
    process = statistics.median(alone)
    return {"command": NOTHING, "shards": EMPTY, "seconds": seconds, "process": process, "tasks_per_s": rate,
            "overhead": 2 * seconds / EMPTY - process, "bytes_sent": pool.sent / EMPTY,
            "bytes_received": pool.received / EMPTY,
            "memory_mb": [statistics.median(pool.memory[k : k + tenth]) for k in range(0, EMPTY, tenth)]}  # fmt: skip


def kills(folder):
    """Kill workers at random moments. Their nannies start new ones."""
    draw, killed = random.Random(0), []
    seconds_of(KILLED, folder / "alone")
    with Machines(2) as machines:
        script, *argv = KILLED.split()
        command = [sys.executable, "-m", "studies", "run", "--shard", "1", "--cluster", machines.address, "--", script,
                   *argv, "--out", folder / "killed", "--force"]  # fmt: skip
        with subprocess.Popen(command, cwd=ROOT) as process:
            while process.poll() is None and len(killed) < KILLS:
                time.sleep(draw.uniform(1, 6))
                workers = [pid for nanny in machines.processes[1:] for pid in children(nanny.pid)]
                if workers and process.poll() is None:
                    pid = draw.choice(workers)
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            process.wait()
    return {"command": KILLED, "kills": len(killed), "status": process.returncode,
            "same": same(folder / "alone", folder / "killed")}  # fmt: skip


def children(pid):
    """The worker processes that a nanny has started."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            with contextlib.suppress(OSError):
                found += [int(child)] if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes() else []
    return found


@contextlib.contextmanager
def namespaces(n):
    """Make n network namespaces, joined by a bridge with the address 10.77.0.1. Yields words before a command."""

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    names = [f"lag{k}" for k in range(n)]
    try:
        ip("link", "add", "lagbr", "type", "bridge")
        ip("addr", "add", "10.77.0.1/24", "dev", "lagbr")
        ip("link", "set", "lagbr", "up")
        for k, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", f"lag{k}a", "type", "veth", "peer", "name", f"lag{k}b")
            ip("link", "set", f"lag{k}a", "master", "lagbr", "up")
            ip("link", "set", f"lag{k}b", "netns", name)
            for words in (("addr", "add", f"10.77.0.{k + 2}/24", "dev", f"lag{k}b"), ("link", "set", f"lag{k}b", "up"),
                          ("link", "set", "lo", "up")):  # fmt: skip
                ip("-n", name, *words)
        yield [["ip", "netns", "exec", name] for name in names]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", "lagbr"], capture_output=True)


def hosts(folder):
    """Two workers in network namespaces; None if this machine does not allow it."""
    try:
        with namespaces(2) as inside, Machines(2, "10.77.0.1", inside) as machines:
            pool = Cluster(machines.address)
            seconds = run_on(pool, KILLED, 1, folder / "hosts")
            log = (machines.folder / "scheduler" / "log").read_text()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no network namespaces: {error}")
        return None
    seconds_of(KILLED, folder / "alone")
    addresses = sorted({word.split(":")[0] for word in log.replace("tcp://", " ").split() if word.startswith("10.77")})
    return {"command": KILLED, "seconds": seconds, "addresses": addresses,
            "same": same(folder / "alone", folder / "hosts")}  # fmt: skip


def pieces_of(names, longest, cores, fixed):
    """Seconds of the shards of points, if each point is cut as the runner cuts it. fixed: see fixed_part."""
    found = []
    points = studies.points_of(names)
    wanted = runner.wanted_shards(len(points), cores)
    for experiment, point in points:
        path = ROOT / "results" / experiment / point / "results.json"
        if not path.exists():
            continue
        results = json.loads(path.read_text())
        seconds, n = sum(run["wall_clock_s"] for run in results["runs"].values()), len(results["seeds"])
        pieces = min(n, max(wanted, int(np.ceil(seconds / longest))))
        # A shard of n / pieces seeds takes more than seconds / pieces: steps have a part that does not depend on seeds.
        share = fixed + (1 - fixed) / pieces
        found += [seconds * share] * pieces
    return found


def fixed_part(of_scaling):
    """The part of the time of all seeds that each shard has again, from the times of one process and of shards."""
    n, alone, shards = 16 // SHARD, of_scaling["seconds"]["alone"]["median"], of_scaling["seconds"]["1"]["median"]
    return max(0.0, (shards / alone - 1) / (n - 1))


def model(found):
    """Seconds of studies on some cores: longest shard first, each with the overhead that was measured."""
    fixed, overhead = fixed_part(found["scaling"]), found["empty"]["overhead"]
    rate = found["empty"]["tasks_per_s"]
    result = {"fixed_part": fixed, "overhead": overhead, "rate": rate}
    for name, names in {
        "studies": list(studies.STUDIES[:4]) + ["lstm_1997/questions"],
        "paper-long": ["lstm_1997/long"],
    }.items():
        result[name] = {}
        for cores in CORES:
            shards = sorted(pieces_of(names, runner.LONGEST, cores, fixed), reverse=True)
            ends = [0.0] * cores
            for k, seconds in enumerate(shards):
                first = max(heapq.heappop(ends), k / rate)
                heapq.heappush(ends, first + seconds + overhead)
            result[name][str(cores)] = {"seconds": max(ends), "shards": len(shards), "longest": shards[0],
                                        "work": sum(shards)}  # fmt: skip
    shards = found["scaling"]["seconds"]["1"]["median"]
    result["check"] = {"two_measured": found["scaling"]["seconds"]["2"]["median"], "two_by_model": shards / 2}
    return result


PARTS = {"scaling": scaling, "empty": empty, "kills": kills, "hosts": hosts}


def main(argv=None):
    """Run the command line argv. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these measurements")
    parser.add_argument("--out", default=str(ROOT / "results" / "benchmarks"), metavar="DIR", help="folder")
    options = parser.parse_args(argv)
    path = Path(options.out) / "cluster.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    lab = runner.load_script(ROOT / "temporal_order_3bit.py")
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = PARTS[name](Path(folder))
        if {"scaling", "empty"} <= set(found):
            found["model"] = model(found)
        found |= {"benchmark": "cluster", "schema": 1, "environment": lab.environment()}
        lab.write_whole(path, lambda file: file.write(f"{lab.to_json(found)}\n".encode()))
        print(f"{name}: {json.dumps(json.loads(lab.to_json(found[name])))}", flush=True)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
