"""The native backend: a compiler from systems of equations to machine code, in Python, with LLVM as its assembler."""

from __future__ import annotations

from numpy.typing import DTypeLike

from chainrule.backends.inputs import check_request
from chainrule.backends.native import copies
from chainrule.backends.native.program import NativeProgram
from chainrule.equations.system import System

__all__ = ["NativeProgram", "compile"]


def compile(system: System, outputs: tuple[str, ...], dtype: DTypeLike) -> NativeProgram:
    """See ``chainrule.backends.compile``."""
    return copies.program(system, outputs, check_request(system, outputs, dtype))
