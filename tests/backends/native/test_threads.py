"""How many threads, and runs on them: barriers, signals, forks, the end of the process."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from chainrule.backends.native import barrier, threads
from chainrule.backends.native.jit import Library, define_symbol, library
from chainrule.backends.native.target import foreign, host
from chainrule.backends.native.threads import launch
from chainrule.errors import ChainruleError

# The arguments: the state of the barrier (64 words of 32 bits), then in 64-bit words the stop flag, the number of
# steps, whether to halt, and for each thread its steps and the sum that it saw.
_STOP, _STEPS, _HALT, _COUNTS, _SEEN = 32, 33, 34, 40, 60
_TEXT = f"""
declare void @barrier(ptr, i64)

define external void @run(ptr %arguments, i64 %thread, i64 %threads) nounwind {{
entry:
  %stop = getelementptr i64, ptr %arguments, i64 {_STOP}
  %halt = getelementptr i64, ptr %arguments, i64 {_HALT}
  %p = getelementptr i64, ptr %arguments, i64 {_STEPS}
  %steps = load i64, ptr %p
  %counts = getelementptr i64, ptr %arguments, i64 {_COUNTS}
  %mine = getelementptr i64, ptr %counts, i64 %thread
  %s = getelementptr i64, ptr %arguments, i64 {_SEEN}
  %seen = getelementptr i64, ptr %s, i64 %thread
  br label %head
head:
  %n = phi i64 [ 0, %entry ], [ %next, %after ]
  ; one thread reads the flag for all: it may change at any moment
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %decide, label %meet
decide:
  %asked = load atomic i64, ptr %stop monotonic, align 8
  store i64 %asked, ptr %halt
  br label %meet
meet:
  call void @barrier(ptr %arguments, i64 %threads)
  %flag = load i64, ptr %halt
  %go = icmp eq i64 %flag, 0
  %more = icmp slt i64 %n, %steps
  %both = and i1 %go, %more
  call void @barrier(ptr %arguments, i64 %threads)
  br i1 %both, label %body, label %end
body:
  %next = add i64 %n, 1
  store i64 %next, ptr %mine
  call void @barrier(ptr %arguments, i64 %threads)
  br label %sum
sum:
  %t = phi i64 [ 0, %body ], [ %t1, %sum ]
  %total = phi i64 [ 0, %body ], [ %total1, %sum ]
  %q = getelementptr i64, ptr %counts, i64 %t
  %c = load i64, ptr %q
  %total1 = add i64 %total, %c
  %t1 = add i64 %t, 1
  %again = icmp slt i64 %t1, %threads
  br i1 %again, label %sum, label %after
after:
  %before = load i64, ptr %seen
  %sofar = add i64 %before, %total1
  store i64 %sofar, ptr %seen
  br label %head
end:
  ret void
}}
"""


def code() -> Library:
    meeting = library(barrier.module(host()).text, host())
    define_symbol("barrier", meeting.address("barrier"), meeting)
    return library(_TEXT, host())


def arguments(steps: int) -> np.ndarray:
    made = np.zeros(128, dtype=np.int64)
    made[_STEPS] = steps
    return made


def check(made: np.ndarray, steps: int, count: int) -> None:
    """Every thread saw, in every step, what all the others had written."""
    assert made[_COUNTS : _COUNTS + count].tolist() == [steps] * count
    assert made[_SEEN : _SEEN + count].tolist() == [count * steps * (steps + 1) // 2] * count


@pytest.mark.parametrize("with_stop", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_threads_meet_at_barriers(count: int, with_stop: bool) -> None:
    run, made = code(), arguments(300)
    for turn in range(1, 4):  # the same state of the barrier serves again
        made[_COUNTS:] = 0
        stop = made[_STOP : _STOP + 1] if with_stop else None
        launch(run.address("run"), made.ctypes.data, count, stop)
        check(made, 300, count)
        assert made[: barrier.WORDS // 2].any() == (count > 1), turn


def test_barriers_of_other_machines_compile() -> None:
    from chainrule.backends.native.jit import emit_object

    for name in ("aarch64", "x86-64-v2"):
        assert emit_object(barrier.module(foreign(name)).text, foreign(name))


def test_launches_at_the_same_time() -> None:
    run, results = code(), [arguments(200) for _ in range(6)]

    def work(n: int) -> None:
        launch(run.address("run"), results[n].ctypes.data, 2, results[n][_STOP : _STOP + 1] if n % 2 else None)

    callers = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for made in results:
        check(made, 200, 2)


def test_a_stop_flag_that_is_set_ends_a_run() -> None:
    run, made = code(), arguments(10**9)
    threading.Timer(0.05, made.__setitem__, (_STOP, 1)).start()
    launch(run.address("run"), made.ctypes.data, 2, made[_STOP : _STOP + 1])
    assert 0 < made[_COUNTS] == made[_COUNTS + 1] < 10**9


def test_fewer_threads_run_where_no_more_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_idle", [])
    monkeypatch.setattr(threads, "_Worker", refuse)
    run, made = code(), arguments(10)
    launch(run.address("run"), made.ctypes.data, 4, None)
    check(made, 10, 1)
    with pytest.raises(ChainruleError, match="no thread"):
        launch(run.address("run"), made.ctypes.data, 4, made[_STOP : _STOP + 1])


def test_errors_in_threads_are_raised_and_the_threads_serve_again() -> None:
    run, made = code(), arguments(10)
    for stop in (None, made[_STOP : _STOP + 1]):
        with pytest.raises(ctypes.ArgumentError):
            launch(run.address("run"), object(), 3, stop)  # type: ignore[arg-type]
        made[:] = arguments(10)
        launch(run.address("run"), made.ctypes.data, 3, stop)
        check(made, 10, 3)


# signals


@pytest.mark.skipif(os.name != "posix", reason="sends signals to itself")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_exception_of_a_signal_handler_stops_the_run(count: int) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    run, made = code(), arguments(10**9)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            launch(run.address("run"), made.ctypes.data, count, made[_STOP : _STOP + 1])
        assert time.perf_counter() - start < 2
        steps = int(made[_COUNTS])
        check(made, steps, count)  # all have come out, after the same step
        time.sleep(0.01)
        assert made[_COUNTS] == steps
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(os.name != "posix", reason="sends signals to itself")
@pytest.mark.parametrize("with_stop", [False, True])
def test_signals_at_any_moment_of_a_launch(with_stop: bool) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    run, made = code(), arguments(1)
    stop = made[_STOP : _STOP + 1]
    interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(400):
            made[:] = arguments(1)
            try:
                signal.setitimer(signal.ITIMER_REAL, 2e-6 + turn * 5e-7)
                launch(run.address("run"), made.ctypes.data, 3, stop if with_stop else None)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted
    made[:] = arguments(10)
    launch(run.address("run"), made.ctypes.data, 3, stop if with_stop else None)
    check(made, 10, 3)


def start(source: str) -> subprocess.Popen[str]:
    tests = Path(__file__).parents[2]
    head = f"import sys; sys.path.insert(0, {str(tests)!r})\nfrom backends.native.test_threads import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


_LONG = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests may have it ignored
run, made = code(), arguments(10**12)
def long(count): launch(run.address("run"), made.ctypes.data, count, made[_STOP:_STOP + 1])
"""
_LONG = _LONG.replace("_STOP", str(_STOP))


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("count", [1, 2])
def test_ctrl_c_ends_a_long_run(count: int) -> None:
    source = f"print('begins', flush=True)\ntry:\n long({count})\nexcept KeyboardInterrupt:\n print('came out')\n raise"
    process = start(_LONG + source)
    assert process.stdout is not None and process.stdout.readline() == "begins\n"
    time.sleep(0.2)
    begin = time.perf_counter()
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=10)
    assert time.perf_counter() - begin < 2
    assert output == "came out\n"
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in error


@pytest.mark.parametrize("end", ["pass", "sys.exit(0)", "run = None"])
def test_the_process_ends_while_a_daemon_thread_runs_compiled_code(end: str) -> None:
    source = f"""
import time
threading.Thread(target=long, args=(2,), daemon=True).start()
while not made[{_COUNTS}]: time.sleep(0.001)
{end}
"""
    process = start(_LONG + source)
    output, error = process.communicate(timeout=10)
    assert (process.returncode, output, error) == (0, "", "")


# forks


def _run_in_child(count: int) -> bool:
    run, made = code(), arguments(50)
    launch(run.address("run"), made.ctypes.data, count, made[_STOP : _STOP + 1])
    check(made, 50, count)
    launch(run.address("run"), made.ctypes.data, count, None)
    return True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_run_after_a_run_of_the_parent() -> None:
    assert _run_in_child(3)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(_run_in_child, [1, 2, 3, 4]).get(timeout=30) == [True] * 4
    assert _run_in_child(3)


# how many


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (threads.VARIABLE, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available", lambda: 6)
    assert threads.limit() == 6
    assert [threads.limit(n) for n in (1, 2, 9, -1, -2, -6, -9)] == [1, 2, 9, 6, 5, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert threads.limit() == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "40")
    assert threads.limit() == 6
    monkeypatch.setenv(threads.VARIABLE, "3")
    assert threads.limit() == 3
    assert threads.limit(2) == 2


@pytest.mark.parametrize("name", [threads.VARIABLE, "OMP_NUM_THREADS"])
@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "²"])
def test_wrong_limits_are_said(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ChainruleError, match=name):
        threads.limit()


def test_no_jobs_are_refused() -> None:
    with pytest.raises(ChainruleError, match="n_jobs is 0"):
        threads.limit(0)


def _limit(_: int) -> int:
    return threads.limit()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_one_thread_in_workers_of_pools() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_limit, [0]) == [1]


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_joblib_does_not_oversubscribe(backend: str) -> None:
    joblib = pytest.importorskip("joblib")
    count = threads.available()
    found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(_limit)(n) for n in range(2))
    assert found == [max(1, count // 2) if backend == "loky" else 1] * 2
    assert threads.limit() == count


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b", {"cpu.max": "400000 100000", "a/cpu.max": "90000 100000", "a/b/cpu.max": "max 100000"}, 1),
        ("4:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "250000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("0::/", {"cpu.max": "nonsense"}, None),
        ("0::/gone", {}, None),
    ],
)
def test_the_quota_of_control_groups(
    own: str, files: dict[str, str], quota: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").write_text(own + "\n")
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    groups = threads._control_groups
    monkeypatch.setattr(threads, "_control_groups", lambda: groups(tmp_path / "root", tmp_path / "own"))
    assert threads._quota.__wrapped__() == quota
