"""studies on a cluster: a real scheduler and two real workers, each in a folder of its own without the repository."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from test_studies import left

WORDS = "temporal_order_3bit.py --T 12 --batch 8 --eval-n 40 --steps 60 --eval-every 20 --seeds 0-5".split()
LONGER = "temporal_order_3bit.py --cells lstm --T 100 --eval-n 128 --steps 300 --seeds 0-5".split()
STARTED = 60  # seconds to wait for a scheduler or a worker


def wait_for(condition, seconds=STARTED):
    """Wait until condition() is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


class Cluster:
    """A scheduler and workers as processes. tls: the options of a secured one."""

    def __init__(self, folder, n=2, tls=()):
        self.folder, self.tls, self.processes = folder, tls, []
        self.scheduler = self.start("scheduler", "--scheduler-file", "address.json", "--port", "0")
        path = folder / "scheduler" / "address.json"
        wait_for(lambda: path.exists() and path.read_text().endswith("}"))
        self.address = json.loads(path.read_text())["address"]
        self.workers = [self.worker(k) for k in range(n)]
        wait_for(lambda: self.log("scheduler").count("Register worker") >= n)

    def start(self, name, *words, **variables):
        folder = self.folder / name
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", "distributed.cli.dask_" + name.split("-")[0], *words, *self.tls]
        command += ["--host", "127.0.0.1", "--no-dashboard"]
        with open(folder / "log", "w") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ | variables)
        self.processes.append(process)
        return process

    def worker(self, k, **variables):
        return self.start(f"worker-{k}", self.address, "--nthreads", "1", "--no-nanny", **variables)

    def log(self, name):
        return (self.folder / name / "log").read_text()

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


def command(address, *words):
    """The command line of a run on a cluster."""
    return [sys.executable, "-m", "studies", "run", "--cluster", address, *map(str, words)]


def run(address, *words):
    """Run a command line on a cluster."""
    return subprocess.run(command(address, *words), cwd=ROOT, capture_output=True, text=True, timeout=120)


def alone(words, folder):
    """The files that the script itself leaves."""
    done = subprocess.run([sys.executable, *words, "--out", folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return left(folder)


def test_a_cluster_gives_the_same_files_as_the_script(cluster, tmp_path):
    done = run(cluster.address, "--shard", 2, "--", *WORDS, "--out", tmp_path / "many")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 workers, 2 shards at the same time" in done.stdout
    assert left(tmp_path / "many") == alone(WORDS, tmp_path / "one")
    results = json.loads((tmp_path / "many" / "results.json").read_text())
    assert [shard["seeds"] for shard in results["shards"]] == [[0, 1], [2, 3], [4, 5]]
    assert len(results["environments"]) == 1 and results["environments"][0]["cpu"]


def test_a_failing_shard_is_reported_once_and_the_others_go_on(cluster, tmp_path):
    script, runs = tmp_path / "temporal_order_3bit.py", tmp_path / "runs"
    source, start = (ROOT / "temporal_order_3bit.py").read_text(), "    S, B, steps, kind ="
    count = f"    open({str(runs)!r}, 'a').write(f'{{options.seeds}}\\n')\n"
    script.write_text(source.replace(start, f"{count}    assert options.seeds != [2], 'seed 2 fails'\n{start}"))
    words = [script, *WORDS[1:-1], "0-3", "--cells", "lstm", "--out", tmp_path / "run"]
    done = run(cluster.address, "--shard", 1, "--", *words)
    assert done.returncode == 1 and "seeds 2 ended with status 1; " in done.stdout and "seed 2 fails" in done.stdout
    assert sorted(runs.read_text().split("\n")[:-1]) == ["[0]", "[1]", "[2]", "[3]"], "each shard runs once"
    script.write_text(script.read_text().replace("options.seeds != [2]", "True"))


def test_a_shard_that_takes_too_long_has_failed(cluster, tmp_path):
    script = tmp_path / "temporal_order_3bit.py"
    start = "    S, B, steps, kind ="
    sleeping = f"    if options.seeds == [1]:\n        time.sleep(1000)\n{start}"
    script.write_text((ROOT / "temporal_order_3bit.py").read_text().replace(start, sleeping))
    words = [script, *WORDS[1:-1], "0-1", "--cells", "lstm", "--out", tmp_path / "run"]
    done = run(cluster.address, "--shard", 1, "--shard-timeout", 8, "--", *words)
    assert done.returncode == 1 and "seeds 1 took more than 8 s" in done.stdout and "seeds 0 took" in done.stdout


def test_ctrl_c_cancels_what_waits_and_keeps_what_is_finished(cluster, tmp_path):
    words = ["--shard", 1, "--", *LONGER, "--out", tmp_path / "run"]
    with subprocess.Popen(command(cluster.address, *words), cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        wait_for(lambda: [*tmp_path.glob("run/.shards/*/run/results.json")])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "stopped; " in errors
    kept = len([*tmp_path.glob("run/.shards/*/run/results.json")])
    assert 1 <= kept < 6
    wait_for(lambda: not processes_in("shard-"), 30)
    done = run(cluster.address, *words)
    assert done.returncode == 0 and len(re.findall(r"^\d of \d ", done.stdout, flags=re.MULTILINE)) == 6 - kept
    assert left(tmp_path / "run") == alone(LONGER, tmp_path / "one")


def processes_in(prefix):
    """Processes whose working folder has a name with this prefix."""
    found = []
    for path in os.scandir("/proc"):
        try:
            found += [path.name] if prefix in os.readlink(f"/proc/{path.name}/cwd") else []
        except OSError:
            pass
    return found


def test_a_killed_worker_and_a_killed_scheduler(tmp_path):
    """A worker is killed in mid-shard, then the scheduler. What was finished is kept, and a second start goes on."""
    first = Cluster(tmp_path / "first")
    words = ["--shard", 1, "--", *LONGER, "--out", tmp_path / "run"]
    try:
        with subprocess.Popen(command(first.address, *words), cwd=ROOT, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE) as process:  # fmt: skip
            wait_for(lambda: len(processes_in("shard-")) == 2)
            first.workers[0].kill()
            wait_for(lambda: len([*tmp_path.glob("run/.shards/*/run/results.json")]) >= 2)
            first.scheduler.kill()
            out, errors = process.communicate(timeout=90)
        assert process.returncode == 1 and "is gone; finished shards are kept" in errors, out + errors
    finally:
        first.stop()
    kept = len([*tmp_path.glob("run/.shards/*/run/results.json")])
    assert 2 <= kept < 6
    second = Cluster(tmp_path / "second")
    try:
        done = run(second.address, *words)
    finally:
        second.stop()
    assert done.returncode == 0 and len(re.findall(r"^\d of \d ", done.stdout, flags=re.MULTILINE)) == 6 - kept
    assert left(tmp_path / "run") == alone(LONGER, tmp_path / "one")


def certificates(folder, name):
    """Paths of a CA's certificate, and of a certificate of this CA with its key. Made by openssl."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    folder.mkdir()
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", "ca.key", "-out", "ca.crt", "-days", "2")  # fmt: skip
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=studies",
            "-keyout", "own.key", "-out", "own.csr")  # fmt: skip
    openssl("x509", "-req", "-in", "own.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "own.crt",
            "-days", "2")  # fmt: skip
    return [str(folder / file) for file in ("ca.crt", "own.crt", "own.key")]


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
def test_tls_refuses_who_has_no_certificate_of_the_ca(tmp_path):
    ours, theirs = certificates(tmp_path / "ours", "ours"), certificates(tmp_path / "theirs", "theirs")

    def options(files, ca="--tls-ca"):
        return [word for pair in zip((ca, "--tls-cert", "--tls-key"), files) for word in pair]

    cluster = Cluster(tmp_path / "cluster", 1, options(ours, "--tls-ca-file"))
    try:
        assert cluster.address.startswith("tls://")
        words = ["--shard", 3, "--", *WORDS, "--out", tmp_path / "run"]
        plain = run(cluster.address.replace("tls", "tcp"), *words)
        assert plain.returncode == 1 and "cannot be reached" in plain.stderr
        foreign = run(cluster.address, *options(theirs), *words)
        assert foreign.returncode == 1 and "cannot be reached" in foreign.stderr
        assert run(cluster.address, *words).returncode == 2, "an address tls:// needs a certificate"
        cluster.tls = options(theirs, "--tls-ca-file")
        stranger = cluster.worker(7)
        done = run(cluster.address, *options(ours), *words)
        assert done.returncode == 0 and "1 workers" in done.stdout, done.stdout + done.stderr
        assert (
            "Register worker" not in cluster.log("worker-7") and cluster.log("scheduler").count("Register worker") == 1
        )
        assert stranger.poll() is not None or "SSL" in cluster.log("worker-7") + cluster.log("scheduler")
    finally:
        cluster.stop()


def test_without_the_package_one_line_says_how_to_install_it(tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError")
    words = command("tcp://127.0.0.1:1", "--", *WORDS, "--out", tmp_path / "run")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "-r requirements-cluster.txt" in done.stderr


def test_the_page_names_only_options_that_exist():
    text = (ROOT / "studies" / "README.md").read_text()
    helps = {
        "dask scheduler": [sys.executable, "-m", "distributed.cli.dask_scheduler", "--help"],
        "dask worker": [sys.executable, "-m", "distributed.cli.dask_worker", "--help"],
        "python3 -m studies run": [sys.executable, "-m", "studies", "run", "--help"],
    }
    for program, command in helps.items():
        there = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
        lines = [line for line in text.splitlines() if line.startswith(f"    {program}")]
        named = {word for line in lines for word in re.findall(r"(?<!\S)--[a-z-]+", line)}
        assert lines and named, program
        assert [word for word in named if not re.search(rf"{word}\b", there)] == [], program
