"""The routines that programs call: matrix products, random numbers, the barrier.  Each is compiled once a machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from chainrule.backends.native import barrier, gemm, jit, random
from chainrule.backends.native.ir import Module
from chainrule.backends.native.target import Target


def _random(target: Target, element: str, write: Callable[[Module, str, int], object]) -> Module:
    module = Module(target.fma)
    write(module, element, target.lanes(element))
    return module


_ELEMENTS = {"f32": "float", "f64": "double"}
_MAKERS: dict[str, Callable[[Target, str], Module]] = {
    "gemm": gemm.module,
    "pack": gemm.module,
    "window": gemm.module,
    "random_uniform": lambda target, element: _random(target, element, random.random_uniform),
    "random_normal": lambda target, element: _random(target, element, random.random_normal),
}


@cache
def provide(name: str, target: Target) -> None:
    """Make a routine callable by the libraries loaded from now on: ``gemm_f32``, ``barrier`` …"""
    if name == "barrier":
        module = barrier.module(target)
    else:
        routine, _, suffix = name.rpartition("_")
        module = _MAKERS[routine](target, _ELEMENTS[suffix])
    library = jit.library(module.text, target)
    for defined in module.functions:
        try:
            jit.define_symbol(defined, library.address(defined), library)
        except KeyError:
            continue
