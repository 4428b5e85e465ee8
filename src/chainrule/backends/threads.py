"""How many threads whoever starts a run allows it: ``with at_most(2): …``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_requested: ContextVar[int | None] = ContextVar("n_jobs", default=None)


@contextmanager
def at_most(n_jobs: int | None) -> Iterator[None]:
    """Allow runs inside ``n_jobs`` threads, counted as joblib counts (-1: all); None leaves it to the environment."""
    token = _requested.set(n_jobs)
    try:
        yield
    finally:
        _requested.reset(token)


def requested() -> int | None:
    """The ``n_jobs`` of the innermost ``at_most``."""
    return _requested.get()
