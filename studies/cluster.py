"""The runner's shards on the workers of a Dask cluster; see README.md in this folder. Needs the package distributed.

Workers run what the client sends. They need Python, NumPy and distributed, but not this repository. A worker that dies
loses its shards, and the scheduler gives them to others.
"""

import contextlib
import sys
import time
from concurrent.futures import CancelledError

import numpy as np

from studies import shard as shard_module
from studies.runner import argv_of
from studies.shard import Failed

try:
    import cloudpickle
    import distributed
except ImportError:
    sys.exit("--cluster needs the package distributed; to install it: pip install -r requirements-cluster.txt")

CONNECT = 10  # seconds to wait for the scheduler
ANSWER = 60  # seconds beyond its time after which a worker is given up
LOOK = 2.0  # seconds between two looks at the cluster


class Cluster:
    """The workers behind a scheduler, as a pool for runner.run_jobs.

    address: of the scheduler, such as tcp://HOST:8786. tls: paths of a CA's certificate, a certificate and its key, or
    None. timeout: seconds that a shard may take, or None.
    """

    def __init__(self, address, tls=None, timeout=None):
        self.address, self.timeout, self.seen, self.looked = address, timeout, {}, 0
        names = "tls_ca_file", "tls_client_cert", "tls_client_key"
        self.security = distributed.Security(**dict(zip(names, tls)), require_encryption=True) if tls else None

    def __enter__(self):
        try:
            self.client = distributed.Client(
                self.address, timeout=CONNECT, security=self.security, set_as_default=False
            )
        except (OSError, ValueError, TimeoutError, RuntimeError, TypeError) as error:
            reason = f"{error.__cause__ or error}".splitlines()[0]
            sys.exit(f"the scheduler at {self.address} cannot be reached: {reason}")
        cloudpickle.register_pickle_by_value(shard_module)
        self.check_workers()
        self.executor = self.client.get_executor(pure=False, retries=0)
        return self

    def __exit__(self, *_):
        cloudpickle.unregister_pickle_by_value(shard_module)
        with contextlib.suppress(Exception):
            self.client.close(timeout=LOOK)

    @property
    def workers(self):
        """The number of shards that run at the same time."""
        return max(1, sum(self.client.nthreads().values()))

    def check_workers(self):
        """Wait for a worker. Exit if a worker cannot run shards, and say if workers differ from this machine."""
        if not self.client.nthreads():
            print(f"{self.address} has no workers; waiting for one", flush=True)
            self.client.wait_for_workers(1)
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        found = self.client.get_versions(packages=["numpy"])["workers"]
        for worker, versions in found.items():
            python = dict(versions["host"])["python"] if versions else "?"
            numpy = dict(versions["packages"]).get("numpy") if versions else None
            if not numpy:
                sys.exit(f"worker {worker} has no NumPy; to install it there: pip install numpy")
            if not python.startswith(f"{here}."):
                sys.exit(f"worker {worker} has Python {python}, and this is Python {here}; they must be the same")
            if numpy != np.__version__:
                print(f"worker {worker} has NumPy {numpy}, this machine {np.__version__}: results can differ in the "
                      "last bits", flush=True)  # fmt: skip
        print(f"{self.address}: {len(found)} workers, {self.workers} shards at the same time", flush=True)

    def submit(self, shard, lock):
        """Give a shard to the cluster. Returns a future."""
        paths = [shard.folder / "machines.json", *shard.folder.glob("run/[!.]*")]
        files = {str(path.relative_to(shard.folder)): path.read_bytes() for path in paths if path.is_file()}
        job, argv = shard.job, argv_of(shard.job, shard.seeds, shard.folder)
        return self.executor.submit(shard_module.run_elsewhere, job.texts, job.study, argv, files, self.timeout)

    def collect(self, shard, future):
        """Write the files of a shard that has ended. Returns its seconds, or raises Failed."""
        try:
            failure, seconds, files = future.result()
        except CancelledError as error:
            raise Failed("was cancelled", "") from error
        except distributed.scheduler.KilledWorker as error:
            raise Failed("killed its workers, or its workers were killed, too often", f"    {error}") from error
        except Exception as error:  # whatever a worker raised
            raise Failed("could not be run", f"    {error!r}") from error
        for name in sorted(files, key="run/results.json".__eq__):  # results.json last: it marks a finished shard
            path = shard.folder / name
            path.parent.mkdir(exist_ok=True)
            shard.job.lab.write_whole(path, lambda file: file.write(files[name]))
        if failure:
            raise Failed(*failure)
        return seconds

    def look(self):
        """Exit if the scheduler is gone. Remove workers that hang: their shards run elsewhere."""
        if self.client.status != "running":
            sys.exit(f"the scheduler at {self.address} is gone; finished shards are kept, and the same command goes on")
        now = time.monotonic()
        if not self.timeout or now - self.looked < LOOK:
            return
        self.looked = now
        for worker, keys in self.client.processing().items():
            busy = self.seen.setdefault(worker, {})
            self.seen[worker] = {key: busy.get(key, now) for key in keys}
            if any(now - since > 2 * self.timeout + ANSWER for since in self.seen[worker].values()):
                print(f"worker {worker} does not answer; its shards run elsewhere", flush=True)
                self.client.run_on_scheduler(remove_worker, worker=worker)

    def stop(self):
        """Cancel all shards that have not ended."""
        with contextlib.suppress(Exception):
            self.executor.shutdown(wait=False, cancel_futures=True)


async def remove_worker(dask_scheduler, worker):
    """Make a scheduler forget a worker."""
    await dask_scheduler.remove_worker(worker, stimulus_id="hangs", safe=True)
