"""Matrix products of the native backend beside PyTorch's and NumPy's, one thread each.

    python -m benchmarks.gemm                   single precision
    python -m benchmarks.gemm --element double
    python -m benchmarks.gemm --repeats 200     more turns

Each turn measures all of them, one after the other, for a millisecond or so each; the table has the median and the best
turn of each in GFLOP/s, in processor time of the thread, so that other work on the machine disturbs little.  Packing B
is part of ours where B is packed.  Calls of ours are repeated by compiled code, as a compiled network makes them;
PyTorch and NumPy are called from Python, each with an array to write to.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from chainrule.backends.native import gemm, jit
from chainrule.backends.native.ir import Function, Module
from chainrule.backends.native.target import host

TYPES = {"float": np.float32, "double": np.float64}
SUFFIX = {"float": "f32", "double": "f64"}


@dataclass(frozen=True)
class Shape:
    """``transposed``: A lies in memory as K rows of M, as in the gradient of weights."""

    M: int
    N: int
    K: int
    transposed: bool = False
    packed: bool = False
    accumulate: bool = False

    @property
    def operations(self) -> int:
        return 2 * self.M * self.N * self.K

    def __str__(self) -> str:
        marks = [("A transposed", self.transposed), ("B packed", self.packed), ("adds to C", self.accumulate)]
        return f"{self.M} × {self.N} × {self.K}  " + ", ".join(word for word, holds in marks if holds)


SHAPES = (
    Shape(512, 1024, 1024, packed=True),
    Shape(784, 512, 128, transposed=True, packed=True),
    Shape(64, 512, 784, packed=True),
    Shape(4096, 64, 288, packed=True),
    Shape(10000, 32, 16),
    Shape(10, 30, 784),
    Shape(784, 30, 10, transposed=True),
    Shape(64, 32, 4),
    Shape(64, 16, 32),
    Shape(64, 4, 16),
    Shape(4, 32, 64, transposed=True, accumulate=True),
    Shape(1, 64, 64),
    Shape(10, 10, 30),
    Shape(64, 1, 64),
)


def aligned(count: int, dtype: Any) -> NDArray[Any]:
    """Zeros at an address that is a multiple of 64."""
    memory = np.zeros(count + 16, dtype)
    start = -memory.ctypes.data % 64 // memory.itemsize
    return memory[start : start + count]


def repeated(element: str) -> Module:
    """``repeat(pack, panels, gemm's arguments, count, gemm, pack's address)``: the calls, without Python in between."""
    module = Module()
    kinds = {"A": "ptr", "B": "ptr", "C": "ptr", "scratch": "ptr"}
    names = ["A", "sam", "sak", "B", "sbk", "sbp", "C", "ldc", "M", "N", "K", "accumulate", "scratch"]
    arguments = [(kinds.get(name, "i64"), name) for name in names]
    arguments += [("ptr", "gemm"), ("ptr", "pack"), ("ptr", "unpacked"), ("i64", "panels"), ("i64", "count")]
    f = Function(module, "repeat", arguments, linkage="dso_local")
    *passed, multiply, pack, unpacked, panels, count = f.arguments
    by_name = dict(zip(names, passed, strict=True))
    B, N, K = by_name["B"], by_name["N"], by_name["K"]
    with f.loop(f.sub(count, count), count):
        with f.when(f.compare("ne", panels, f.sub(count, count))):
            f.line(f"call void {pack.text}({unpacked}, {N}, i64 1, {B}, {K}, {N}, i64 0, {panels})")
        f.line(f"call void {multiply.text}({', '.join(map(str, passed))})")
    f.ret()
    module.add(f)
    return module


def ours(shape: Shape, element: str, A: NDArray[Any], B: NDArray[Any], C: NDArray[Any]) -> Callable[[int], object]:
    target, suffix = host(), SUFFIX[element]
    library = jit.library(gemm.module(target, element).text, target)
    loop = jit.library(repeated(element).text, target)
    i, p = ctypes.c_int64, ctypes.c_void_p
    kinds = [p, i, i, p, i, i, p, i, i, i, i, i, p, p, p, p, i]
    function = ctypes.CFUNCTYPE(None, *kinds, i)(loop.address("repeat"))
    width = gemm.NR(target, element)
    P = aligned(gemm.packed_elements(shape.K, shape.N, target, element), A.dtype)
    scratch = aligned(gemm.scratch_elements(target, element), A.dtype)
    right = (P.ctypes.data, width, shape.K * width) if shape.packed else (B.ctypes.data, shape.N, width)
    strides = [stride // A.itemsize for stride in A.strides]
    sizes = (shape.N, shape.M, shape.N, shape.K, int(shape.accumulate))
    code = (library.address(f"gemm_{suffix}"), library.address(f"pack_{suffix}"))
    panels = -(-shape.N // width) if shape.packed else 0
    arguments = (A.ctypes.data, *strides, *right, C.ctypes.data, *sizes, scratch.ctypes.data, *code, B.ctypes.data)
    keep = (library, loop, A, B, C, P, scratch)
    return lambda count: (function(*arguments, panels, count), keep)


def with_numpy(shape: Shape, A: NDArray[Any], B: NDArray[Any], C: NDArray[Any]) -> Callable[[int], object]:
    def run(count: int) -> None:
        for _ in range(count):
            np.matmul(A, B, out=C)

    return run


def with_torch(shape: Shape, A: NDArray[Any], B: NDArray[Any], C: NDArray[Any]) -> Callable[[int], object]:
    import torch

    torch.set_num_threads(1)
    a, b, c = (torch.from_numpy(array) for array in (A, B, C))

    def run(count: int) -> None:
        for _ in range(count):
            if shape.accumulate:
                c.addmm_(a, b)
            else:
                torch.mm(a, b, out=c)

    return run


def measure(shape: Shape, element: str, repeats: int) -> dict[str, list[float]]:
    """Seconds a product, of every turn, by the name of who computed it."""
    random = np.random.default_rng(0)
    A = random.standard_normal((shape.K, shape.M) if shape.transposed else (shape.M, shape.K)).astype(TYPES[element])
    A = A.T if shape.transposed else A
    B = random.standard_normal((shape.K, shape.N)).astype(TYPES[element])
    C = np.zeros((shape.M, shape.N), TYPES[element])
    runs = {"chainrule": ours(shape, element, A, B, C)}
    with suppress(ImportError):
        runs["PyTorch"] = with_torch(shape, A, B, C)
    runs["NumPy"] = with_numpy(shape, A, B, C)
    count = max(1, round(1e-3 / (shape.operations / 60e9 + 50e-9)))
    found: dict[str, list[float]] = {name: [] for name in runs}
    with threadpool_limits(1):
        for _ in range(repeats):
            for name, run in runs.items():
                start = time.thread_time()
                run(count)
                found[name].append((time.thread_time() - start) / count)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--element", choices=list(TYPES), default="float")
    parser.add_argument("--repeats", type=int, default=40)
    options = parser.parse_args()
    target = host()
    tile = f"{gemm.MR(target, options.element)} × {gemm.NR(target, options.element)}"
    print(f"{target.name}, tiles of {tile}; GFLOP/s on one thread: median (best)\n")
    for shape in SHAPES:
        seconds = measure(shape, options.element, options.repeats)
        cells = []
        for name, times in seconds.items():
            median, best = (shape.operations / value / 1e9 for value in (statistics.median(times), min(times)))
            cells.append(f"{name} {median:6.1f} ({best:6.1f})")
        print(f"{shape!s:42}" + "   ".join(cells) + f"{min(seconds['chainrule']) * 1e9:10.0f} ns", flush=True)


if __name__ == "__main__":
    main()
