"""How many threads the matrix products of a run use: one where a step is small.

Two threads that meet after every small product wait longer than they compute, and where the cores are shared with
other work (a grid search, a test run) they wait for a whole time slice: 100 steps a second instead of 1,000 were
measured on a 784-100-10 network with minibatches of 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

# Multiply-adds of one forward pass over a minibatch below which a second thread is not worth its meetings.
WORTH_SHARING = 10_000_000


@contextmanager
def threads_for(multiply_adds: int) -> Iterator[None]:
    """Limit matrix products to one thread while steps of this size run."""
    if multiply_adds >= WORTH_SHARING:
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
