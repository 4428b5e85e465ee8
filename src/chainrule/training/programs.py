"""Compiled programs, kept: the same system is compiled once, however many models use it."""

from __future__ import annotations

from functools import lru_cache

from chainrule.backends import check_backend, compile, default_backend
from chainrule.backends.program import Program
from chainrule.equations.system import System


def program(system: System, outputs: tuple[str, ...], dtype: str = "float32", backend: str | None = None) -> Program:
    """The compiled program of a system for these outputs."""
    return _compiled(system, outputs, dtype, backend_name(backend))


def backend_name(backend: str | None) -> str:
    """The backend that is meant: None is the default.  Raises ChainruleError for one that there is not."""
    return default_backend() if backend is None else check_backend(backend)


@lru_cache(maxsize=256)
def _compiled(system: System, outputs: tuple[str, ...], dtype: str, backend: str) -> Program:
    return compile(system, outputs, dtype, backend)
