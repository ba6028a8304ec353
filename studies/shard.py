"""Run a shard in a folder of its own: the process of a script, and the same on a worker of a cluster.

A shard is the texts of a script (and of a study that watches its training), a command line and some seeds; see
runner.py. This module needs only the standard library. run_elsewhere is sent to workers by value, so they need neither
this repository nor any of its files.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The program of a shard's process. It adds its machine to machines.json, which starts anew without a checkpoint. It
# ends when the process that started it has ended.
DRIVER = """
import importlib, json, os, sys, threading, time
parent = int(sys.argv.pop(1))
def end_with_parent():
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
threading.Thread(target=end_with_parent, daemon=True).start()
sys.path.insert(0, os.getcwd())
script, study, *argv = sys.argv[1:]
lab = importlib.import_module(script)
machine = {name: value for name, value in lab.environment().items() if name not in ("commit", "dirty")}
goes_on = os.path.exists("machines.json") and os.path.exists("run/checkpoint.npz")
machines = json.load(open("machines.json")) if goes_on else []
if machines[-1:] != [machine]:
    text = json.dumps([*machines, machine]).encode()
    lab.write_whole(lab.Path("machines.json"), lambda file: file.write(text))
watch = {"watch": importlib.import_module(study).watch} if study else {}
sys.exit(lab.main(argv, **watch))
"""
LINES = 8  # last lines of its output that a failed shard reports
PATIENCE = 0.2  # seconds between two looks at a process on a worker


class Failed(Exception):
    """A shard failed. Arguments: how it ended, and its last lines."""


def start(folder, texts, study, argv, stdout, **options):
    """Start the process of a shard in a folder. texts: {path: text}, the script first. Returns the process."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    threads = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **threads, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", DRIVER, str(os.getpid()), Path(next(iter(texts))).stem, study, *argv]
    return subprocess.Popen(command, cwd=folder, stdout=stdout, stderr=subprocess.STDOUT, text=True, env=environment,
                            stdin=subprocess.DEVNULL, **options)  # fmt: skip


def last_lines(path):
    """The last lines of a log, indented."""
    return "\n".join(f"    {line}" for line in path.read_text(errors="replace").splitlines()[-LINES:])


def how_it_ended(status):
    """The exit status of a process, in words."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def is_wanted():
    """Whether the task of a cluster in which this is called is still wanted: not cancelled, not given to another."""
    with contextlib.suppress(ImportError, AttributeError, ValueError):
        from distributed import get_worker
        from distributed.worker import thread_state

        task = get_worker().state.tasks.get(thread_state.key)
        return task is not None and task.state in ("executing", "long-running")
    return True


def run_elsewhere(texts, study, argv, files, timeout):
    """Run a shard on a worker. Returns (failure, seconds, files); failure is None, or the arguments of Failed.

    files: {path: bytes} of an earlier part of the run, from which the script goes on; those that are returned are the
    files of the run, its log and its list of machines. timeout: seconds, or None.
    """
    started, failure = time.monotonic(), None
    with tempfile.TemporaryDirectory(prefix="shard-") as folder:
        folder = Path(folder)
        for name, data in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        with open(folder / "log.txt", "w") as log:
            process = start(folder, texts, study, argv, log)
            try:
                while process.poll() is None:
                    if timeout and time.monotonic() - started > timeout:
                        failure = f"took more than {timeout:g} s"
                        break
                    if not is_wanted():
                        failure = "was cancelled"
                        break
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(PATIENCE)
            finally:
                process.kill()
                status = process.wait()
        done = (folder / "run" / "results.json").exists()
        if not failure and (status or not done):
            failure = how_it_ended(status)
        kept = [folder / "log.txt", folder / "machines.json", *folder.glob("run/[!.]*")]
        found = {str(path.relative_to(folder)): path.read_bytes() for path in kept if path.is_file()}
        lines = last_lines(folder / "log.txt")
    return (failure, lines) if failure else None, time.monotonic() - started, found
