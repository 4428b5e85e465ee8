"""How many threads a run has, and running compiled code on them: each calls the same function, at the same time."""

from __future__ import annotations

import _thread
import ctypes
import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from operator import call
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError

VARIABLE = "CHAINRULE_NUM_THREADS"

# How often (in seconds) a thread that waits for a run looks up: on Windows nothing else lets it notice Ctrl-C.
_LOOK_UP = 0.2

Run = Callable[[int, int, int], None]


# how many


def available() -> int:
    """The processors that this process may use: the machine's, less what its affinity and container withhold."""
    if hasattr(os, "process_cpu_count"):
        processors: int = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return min(processors, _quota() or processors)


def limit(n_jobs: int | None = None) -> int:
    """The greatest number of threads that a run may use.

    ``n_jobs`` as in joblib: -1 is all, -2 all but one.  Without it, ``CHAINRULE_NUM_THREADS``; or ``OMP_NUM_THREADS``,
    by which joblib tells its workers their share; or 1 in what is already one of many parallel tasks; or all.
    """
    if n_jobs is not None:
        if n_jobs == 0:
            raise ChainruleError("n_jobs is 0; it is a number of threads, or -1 for all of them")
        return n_jobs if n_jobs > 0 else max(1, available() + 1 + n_jobs)
    wanted = _variable(VARIABLE)
    if wanted is not None:
        return wanted
    share = _variable("OMP_NUM_THREADS")
    if share is not None:
        return min(share, available())
    return 1 if _is_parallel_task() else available()


def _variable(name: str) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    # OpenMP has a number for each level of nesting: "4,2"
    first = text.split(",")[0].strip()
    if not (first.isascii() and first.isdigit() and int(first) > 0):
        raise ChainruleError(f"{name} is {text}; it is a number of threads, 1 or more")
    return int(first)


def _is_parallel_task() -> bool:
    """Whether this is a worker of a pool of processes, or runs in one of joblib's threads."""
    if multiprocessing.current_process().daemon:
        return True
    joblib = sys.modules.get("joblib.parallel")
    return joblib is not None and (joblib.get_active_backend()[0].nesting_level or 0) > 0


@cache
def _quota() -> int | None:
    """The processors' time that the process's control group grants, in processors, rounded up."""
    shares = [share for path in _control_groups() if (share := _share(path)) is not None]
    return max(1, math.ceil(min(shares))) if shares else None


def _control_groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[Path]:
    """The folders of the group and of those that it is in."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount = root
        elif "cpu" in controllers.split(","):
            mount = root / "cpu"
        else:
            continue
        folder = mount / path.lstrip("/")
        yield folder
        yield from (parent for parent in folder.parents if parent.is_relative_to(mount))


def _share(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text()
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError):
        return None


# running


@lru_cache(maxsize=1024)
def _function(address: int) -> Run:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)


def launch(address: int, arguments: int, threads: int, stop: NDArray[np.int64] | None) -> None:
    """Run ``void run(ptr arguments, i64 thread, i64 threads)`` on so many threads at once, until all have come out.

    The code reads ``stop[0]`` between steps and comes out when it is not 0.  With ``stop``, the caller waits so that
    signals reach it: an exception, KeyboardInterrupt above all, stops the run and is raised when all threads are out.
    The caller keeps the library and the arguments alive.  Fewer threads run where the system gives no more.
    """
    if stop is None:
        if threads == 1:
            _function(address)(arguments, 0, 1)
        else:
            _launch_with_caller(_function(address), arguments, threads)
    else:
        _launch_beside_caller(_function(address), arguments, threads, stop)


def _launch_with_caller(run: Run, arguments: int, threads: int) -> None:
    """The caller is one of the threads."""
    workers = _workers(threads - 1)
    threads = len(workers) + 1
    begin = [partial(run, arguments, 0, threads)]
    if workers:
        begin.insert(0, partial(workers[0].jobs.put, _Job(run, arguments, workers, 1, threads)))
    try:
        # Threads that wait for the caller must not wait in vain: a signal handler, which may raise, does not run
        # between the calls that `map` makes.
        list(map(call, begin))
    finally:
        _leave(workers)


def _launch_beside_caller(run: Run, arguments: int, threads: int, stop: NDArray[np.int64]) -> None:
    """The caller waits for the threads."""
    workers = _workers(threads)
    if not workers:
        raise ChainruleError("the system gives no thread to run compiled code in")
    try:
        workers[0].jobs.put(_Job(run, arguments, workers, 0, len(workers)))
        for worker in workers:
            worker.finish()
    except BaseException:
        stop[0] = 1
        raise
    finally:
        _leave(workers)


class _Job:
    """What the first worker is told: to tell the others, then to run the code as ``thread``."""

    def __init__(self, run: Run, arguments: int, workers: list[_Worker], thread: int, threads: int) -> None:
        self.run = run
        self.arguments = arguments
        self.workers = workers
        self.thread = thread
        self.threads = threads

    def __call__(self) -> None:
        for thread, worker in enumerate(self.workers[1:], self.thread + 1):
            worker.jobs.put(partial(self.run, self.arguments, thread, self.threads))
        self.run(self.arguments, self.thread, self.threads)


class _Worker:
    """A thread that does its ``jobs`` in turn.  It serves one launch at a time and does not keep the process alive."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.error: Exception | None = None
        # `threading.Thread.start` waits for the thread, and a signal handler that raises meanwhile breaks its locks.
        _thread.start_new_thread(self._work, ())

    def _work(self) -> None:
        while True:
            try:
                self.jobs.get()()
            except Exception as error:
                self.error = error

    def finish(self) -> None:
        """Wait until the jobs given so far are done."""
        done = _thread.allocate_lock()
        done.acquire()
        self.jobs.put(done.release)
        while not done.acquire(timeout=_LOOK_UP):
            pass


# Workers that wait for the next launch.  A forked child has none of its parent's threads.
_idle: list[_Worker] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


def _workers(count: int) -> list[_Worker]:
    """As many workers as the system gives, at most ``count``."""
    workers: list[_Worker] = []
    while len(workers) < count:
        try:
            workers.append(_idle.pop())
        except IndexError:
            try:
                workers.append(_Worker())
            except RuntimeError:  # can't start new thread
                break
    return workers


def _leave(workers: list[_Worker]) -> None:
    """Wait for the workers whatever happens, as they use the caller's memory; then raise what has happened."""
    interruption: BaseException | None = None
    waiting = list(workers)
    while waiting:
        try:
            waiting[0].finish()
            del waiting[0]
        except BaseException as error:
            interruption = error
    errors = [worker.error for worker in workers]
    for worker in workers:
        worker.error = None
    _idle.extend(workers)
    for failure in (interruption, *errors):
        if failure is not None:
            raise failure
