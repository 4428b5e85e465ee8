"""The largest errors of the native backend's scalar functions, in units in the last place, and what they cost.

python -m benchmarks.ulp [--quick] [FUNCTION …]

Functions of one argument: all 2^32 floats against float64; doubles over the whole range against np.longdouble.  Of two
arguments: random pairs.  ``--quick`` takes every 4099th float and fewer doubles.  Each number is the worse one of code
with and without fused multiply-adds.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends.native.functions import ERRORS, apply
from chainrule.backends.native.ir import Function, Module, integer, vector
from chainrule.backends.native.jit import library
from chainrule.backends.native.target import host
from chainrule.equations.functions import FUNCTIONS

Array = NDArray[Any]

TYPES: dict[str, Any] = {"float": np.float32, "double": np.float64}
WIDER: dict[str, Any] = {"float": np.float64, "double": np.longdouble}
CHUNK = 2**13
STRIDE = 4099
SHARES = 2


def erf(x: Array) -> Array:
    """2/sqrt(π)·exp(-x²)·(x + 2x³/3 + 4x⁵/15 + …), all of one sign (Abramowitz and Stegun 7.1.6)."""
    if x.dtype == np.float64:
        from scipy import special

        return np.asarray(special.erf(x))
    near = np.clip(x, -7, 7)
    term = total = near
    for n in range(1, 200):
        term = term * (near * near * 2 / (2 * n + 1))
        total = total + term
    return np.where(np.isnan(x), x, total * np.exp(-near * near) * 2 / np.sqrt(np.arccos(x.dtype.type(-1))))


REFERENCES: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "/": np.divide,
    "^": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "logaddexp": np.logaddexp,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "erf": erf,
    "relu": lambda x: np.maximum(x, 0),
}


def compiled(name: str, element: str, lanes: int, fma: bool = True) -> Callable[..., Array]:
    """The function on arrays, whose length must be a multiple of ``lanes``."""
    arity = FUNCTIONS[name].arity or 0
    arguments = [("ptr", "out"), *(("ptr", f"x{n}") for n in range(arity)), ("i64", "count")]
    f = Function(Module(fma), "run", arguments, linkage="dso_local")
    out, *given, count = f.arguments
    kind = vector(element, lanes)
    with f.loop(integer(0), count, lanes) as loop:
        values = [f.load(kind, f.pointer(each, element, loop.index)) for each in given]
        f.store(apply(f, name, *values), f.pointer(out, element, loop.index))
    f.ret()
    f.module.add(f)
    loaded = library(f.module.text, host())
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(loaded.address("run"))

    def run(*arrays: Array, library: object = loaded) -> Array:
        assert all(array.dtype == TYPES[element] and array.flags.c_contiguous for array in arrays)
        result = np.empty_like(arrays[0])
        assert result.size % lanes == 0
        call(result.ctypes.data, *(array.ctypes.data for array in arrays), result.size)
        return result

    return run


def ulps(got: Array, exact: Array, measure: Array | None = None) -> Array:
    """Errors in units in the last place of the exact values (or of ``measure``); infinite where one is not finite and
    the other is not the same."""
    digits, least = (23, 2.0**-149) if got.dtype == np.float32 else (52, 5e-324)
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        scale = np.abs(exact if measure is None else measure).astype(np.float64)
        power = (scale.view(np.int64) & (0x7FF << 52)).view(np.float64)  # the exponent alone
        error = np.abs(got - exact) / np.maximum(power * 2.0**-digits, least)
    special = ~(np.isfinite(got) & np.isfinite(rounded))
    if special.any():
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        error[special] = np.where(same, 0, np.inf)[special]
    return np.asarray(error)


def floats(index: int, stride: int) -> Array:
    """A part of all floats, or of every so many of them."""
    patterns = np.arange(index * CHUNK * stride, (index + 1) * CHUNK * stride, stride, dtype=np.int64)
    return patterns.astype(np.uint32).view(np.float32)


def doubles(random: np.random.Generator, count: int) -> Array:
    """Any bits; moderate numbers of all magnitudes; numbers near 1; arguments of exp."""
    quarter = count // 4
    return np.concatenate(
        [
            random.integers(0, 2**64, quarter, dtype=np.uint64).view(np.float64),
            random.uniform(-1, 1, quarter) * 2.0 ** random.integers(-40, 8, quarter),
            1 + random.uniform(-1, 1, quarter) * 2.0 ** random.integers(-52, 1, quarter),
            random.uniform(-750, 715, quarter),
        ]
    )


def pairs(random: np.random.Generator, element: str) -> tuple[Array, Array]:
    """Half of them such that x^y is neither too great nor too small; some are equal."""
    x, y = doubles(random, CHUNK), random.permutation(doubles(random, CHUNK))
    limit = 104 if element == "float" else 745
    x[::2] = np.exp(random.uniform(-0.85, 0.85, CHUNK // 2) * limit)
    y[::2] = random.uniform(-limit, limit, CHUNK // 2) / np.log(x[::2])
    y[::16] = x[::16]
    with np.errstate(all="ignore"):
        return x.astype(TYPES[element]), y.astype(TYPES[element])


def parts(name: str, element: str, quick: bool) -> int:
    """Into how many parts the arguments are divided."""
    if FUNCTIONS[name].arity == 1 and element == "float":
        return 2**32 // CHUNK // (STRIDE if quick else 1) + 1
    return 16 if quick else (10**8 if element == "float" else 10**7) // CHUNK


def part(name: str, element: str, quick: bool, index: int) -> tuple[Array, ...]:
    """The arguments of one part."""
    if FUNCTIONS[name].arity == 1 and element == "float":
        return (floats(index, STRIDE if quick else 1),)
    random = np.random.default_rng(index)
    return pairs(random, element) if FUNCTIONS[name].arity == 2 else (doubles(random, CHUNK),)


def reference(name: str, element: str, given: tuple[Array, ...]) -> tuple[Array, Array | None]:
    """The value in the wider type, and in whose units in the last place its error is counted: for logaddexp in those of
    the greater of |max(x, y)| and ln 2."""
    with np.errstate(all="ignore"):
        wide = [each.astype(WIDER[element]) for each in given]
        measure = np.maximum(np.abs(np.maximum(*wide)), np.log(2)) if name == "logaddexp" else None
        return np.asarray(REFERENCES[name](*wide)), measure


def largest(name: str, element: str, quick: bool, share: int) -> tuple[float, tuple[float, ...]]:
    """The largest error in one share of the parts, and where it is."""
    forms = [compiled(name, element, host().lanes(element), fma) for fma in (True, False)]
    worst: tuple[float, tuple[float, ...]] = (-1.0, ())
    for index in range(share, parts(name, element, quick), SHARES):
        given = part(name, element, quick, index)
        exact, measure = reference(name, element, given)
        for run in forms:
            errors = ulps(run(*given), exact, measure)
            place = int(errors.argmax())
            worst = max(worst, (float(errors[place]), tuple(float(each[place]) for each in given)))
    return worst


def nanoseconds(name: str, element: str) -> float:
    """The time for one element of an array in the first-level cache."""
    run = compiled(name, element, host().lanes(element))
    random = np.random.default_rng(0)
    few, many = 64, 4096
    times = []
    for count in (few, many):
        given = [random.uniform(0.1, 4, count).astype(TYPES[element]) for _ in range(FUNCTIONS[name].arity or 0)]
        best = float("inf")
        for _ in range(300):
            start = time.perf_counter()
            run(*given)
            best = min(best, time.perf_counter() - start)
        times.append(best)
    return (times[1] - times[0]) / (many - few) * 1e9


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("functions", nargs="*", default=list(ERRORS))
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    print(f"target {host().name}; errors in ULP, stated and largest found; cost in ns an element")
    print(f"{'':10}{'float':>7}{'found':>8}{'ns':>7}{'double':>9}{'found':>8}{'ns':>7}  worst at")
    with ProcessPoolExecutor(SHARES) as pool:
        for name in given.functions:
            row, places = f"{name:10}", []
            for element, width in (("float", 7), ("double", 9)):
                error, place = max(pool.map(partial(largest, name, element, given.quick), range(SHARES)))
                places.append(", ".join(f"{x:.9g}" for x in place))
                row += f"{ERRORS[name][element]:{width}g}{error:8.3f}{nanoseconds(name, element):7.2f}"
            print(f"{row}  {'; '.join(places)}", flush=True)


if __name__ == "__main__":
    main()
