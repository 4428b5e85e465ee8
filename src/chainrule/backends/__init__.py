"""Backends: a system compiled to a program that runs many steps.

``numpy`` writes plain NumPy code; ``native`` compiles machine code for this processor.  Every backend gives what
``equations/evaluate.py`` gives, within rounding.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import cast

from numpy.typing import DTypeLike

from chainrule.backends.program import Program
from chainrule.equations.system import System
from chainrule.errors import ChainruleError

BACKENDS = ("numpy", "native")
VARIABLE = "CHAINRULE_BACKEND"


def compile(
    system: System, outputs: Iterable[str] = (), dtype: DTypeLike = "float32", backend: str | None = None
) -> Program:
    """Compile a system: ``outputs`` are the tensors that a run returns, ``dtype`` is float32 or float64.

    ``backend``: by default what ``default_backend`` says.  Raises ChainruleError for an output that the system does
    not have, another dtype or an unknown backend.
    """
    backend = default_backend() if backend is None else check_backend(backend)
    module = import_module(f"chainrule.backends.{backend}")
    return cast(Program, module.compile(system, tuple(outputs), dtype))


def default_backend() -> str:
    """``CHAINRULE_BACKEND`` if it is set, else native where machine code can be made, else numpy."""
    wanted = os.environ.get(VARIABLE)
    if wanted:
        if wanted not in BACKENDS:
            raise ChainruleError(f"{VARIABLE} is {wanted}; it may be {' or '.join(BACKENDS)}")
        return check_backend(wanted)
    return _fastest()


def check_backend(backend: str) -> str:
    """The name, if there is such a backend and it can be used here; else ChainruleError."""
    if backend not in BACKENDS:
        raise ChainruleError(f"unknown backend {backend}; one of {', '.join(BACKENDS)}")
    if backend == "native":
        from chainrule.backends.native.jit import native_available

        reason = native_available()
        if reason is not None:
            raise ChainruleError(f"backend native cannot be used here: {reason}")
    return backend


@cache
def _fastest() -> str:
    from chainrule.backends.native.jit import native_available

    reason = native_available()
    if reason is None:
        return "native"
    warnings.warn(
        f"networks are trained with NumPy, which is slower: {reason}; set {VARIABLE}=numpy to say that it may be so",
        UserWarning,
        stacklevel=2,
    )
    return "numpy"
