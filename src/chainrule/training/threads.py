"""How many threads the steps of a run use.

Compiled code decides for itself, within what ``backends.threads.at_most`` allows.  NumPy's matrix products are told
here: one thread where a step is small.  Two threads that meet after every small product wait longer than they compute,
and where the cores are shared with other work (a grid search, a test run) they wait for a whole time slice: 100 steps
a second instead of 1,000 were measured on a 784-100-10 network with minibatches of 10.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from chainrule.backends.program import Program
from chainrule.backends.threads import requested

# Multiply-adds of one forward pass over a minibatch below which a second thread is not worth its meetings.
WORTH_SHARING = 10_000_000


@contextmanager
def threads_for(multiply_adds: int, backend: str = "numpy") -> Iterator[None]:
    """Limit NumPy's matrix products to what suits steps of this size, and to the threads that are allowed."""
    if backend == "numpy" and multiply_adds < WORTH_SHARING:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    else:
        with allowed_threads(backend):
            yield


@contextmanager
def allowed_threads(backend: str) -> Iterator[None]:
    """Limit NumPy's matrix products to the threads that are allowed, where anything was said about it."""
    if backend != "numpy" or _is_left_to_numpy():
        yield
    else:
        with _controller().limit(limits=_allowed(), user_api="blas"):
            yield


def computed_by(backend: str, program: Program, multiply_adds: int) -> str:
    """What did the last run of a program: ``compiled for avx2, 1 thread``."""
    if backend == "numpy":
        return f"NumPy, {_counted(1 if multiply_adds < WORTH_SHARING else _allowed())}"
    from chainrule.backends.native.program import NativeProgram
    from chainrule.backends.native.target import host

    assert isinstance(program, NativeProgram)
    return f"compiled for {host().name}, {_counted(program.threads_used)}"


def _is_left_to_numpy() -> bool:
    """Whether nothing was said: the library of the products reads OMP_NUM_THREADS and variables of its own."""
    from chainrule.backends.native.threads import VARIABLE

    return requested() is None and not os.environ.get(VARIABLE)


def _allowed() -> int:
    from chainrule.backends.native.threads import limit

    return limit(requested())


def _counted(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


@cache
def _controller() -> Any:
    # Not needed, and so not imported, where compiled code runs.
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
