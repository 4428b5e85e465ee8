"""Backends: a system compiled to a program that runs many steps.

``numpy`` writes plain NumPy code.  Every backend gives what ``equations/evaluate.py`` gives, within rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import cast

from numpy.typing import DTypeLike

from chainrule.backends.program import Program
from chainrule.equations.system import System
from chainrule.errors import ChainruleError

BACKENDS = ("numpy", "native")


def compile(
    system: System, outputs: Iterable[str] = (), dtype: DTypeLike = "float32", backend: str = "numpy"
) -> Program:
    """Compile a system: ``outputs`` are the tensors that a run returns, ``dtype`` is float32 or float64.

    Raises ChainruleError for an output that the system does not have, another dtype or an unknown backend.
    """
    if backend not in BACKENDS:
        raise ChainruleError(f"unknown backend {backend}; one of {', '.join(BACKENDS)}")
    module = import_module(f"chainrule.backends.{backend}")
    return cast(Program, module.compile(system, tuple(outputs), dtype))
