"""Compiled programs, kept: the same system is compiled once, however many models use it."""

from __future__ import annotations

from functools import lru_cache

from chainrule.backends import compile
from chainrule.backends.program import Program
from chainrule.equations.system import System


@lru_cache(maxsize=256)
def program(system: System, outputs: tuple[str, ...], dtype: str = "float32") -> Program:
    """The compiled program of a system for these outputs."""
    return compile(system, outputs, dtype)
