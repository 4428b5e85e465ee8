"""The contraction engine: values, the same bits however the work is divided, nothing touched outside."""

from __future__ import annotations

import ctypes
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule.backends.native import gemm, jit
from chainrule.backends.native.target import NAMES, VARIABLE, Target, foreign, host
from chainrule.errors import ChainruleError

Array = NDArray[Any]
TYPES = {"float": np.float32, "double": np.float64}
SUFFIX = {"float": "f32", "double": "f64"}
GUARD = 64
SHAPES = [(2, 3, 1000), (150, 40, 600), (40, 150, 300), (200, 200, 260), (1, 300, 520), (300, 1, 700), (97, 129, 33)]


def targets() -> dict[str, Target]:
    """This machine, and what it can be restricted to."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in NAMES:
            patch.setenv(VARIABLE, name)
            try:
                target = host.__wrapped__()
            except ChainruleError:
                continue
            found[target.name] = target
    return found


TARGETS = targets()
EVERY = [(name, element) for name in TARGETS for element in TYPES]


@cache
def engine(name: str, element: str) -> tuple[Any, Any]:
    library = jit.library(gemm.module(TARGETS[name], element).text, TARGETS[name])
    i, p = ctypes.c_int64, ctypes.c_void_p
    multiply = ctypes.CFUNCTYPE(None, p, i, i, p, i, i, p, i, i, i, i, i, p)(library.address(f"gemm_{SUFFIX[element]}"))
    pack = ctypes.CFUNCTYPE(None, p, i, i, p, i, i, i, i)(library.address(f"pack_{SUFFIX[element]}"))
    multiply.library = pack.library = library
    return multiply, pack


class Matrix:
    """A matrix in memory of its own, NaN around it and between its rows or columns."""

    def __init__(self, values: Array, unit: str = "columns", gap: int = 0, step: int = 1) -> None:
        stored = values.T if unit == "rows" else values
        rows, columns = stored.shape
        stride = columns * step + gap
        self.memory = np.full(2 * GUARD + rows * stride + 16, np.nan, values.dtype)
        start = GUARD + (-(self.memory.ctypes.data // values.itemsize) % (64 // values.itemsize))
        inside = self.memory[start : start + rows * stride].reshape(rows, stride)[:, : columns * step : step]
        inside[:] = stored
        self.values = inside.T if unit == "rows" else inside
        self.address = self.memory.ctypes.data + start * values.itemsize
        self.strides = (step, stride) if unit == "rows" else (stride, step)

    def outside_is_untouched(self) -> bool:
        kept = self.values.copy()
        self.values[:] = np.nan
        result = bool(np.isnan(self.memory).all())
        self.values[:] = kept
        return result


def multiply(
    name: str,
    element: str,
    A: Matrix,
    B: Matrix,
    C: Matrix,
    accumulate: bool = False,
    packed: bool = False,
    cuts: tuple[int, ...] = (),
) -> None:
    """C (+)= A·B in calls of the rows between these cuts."""
    function, pack = engine(name, element)
    target, size = TARGETS[name], C.memory.itemsize
    (M, K), N = A.values.shape, B.values.shape[1]
    width = gemm.NR(target, element)
    scratch = Matrix(np.full((1, gemm.scratch_elements(target, element)), np.nan, TYPES[element]))
    right = (B.address, B.strides[0], width)
    if packed:
        panels = -(-N // width)
        P = Matrix(np.full((1, gemm.packed_elements(K, N, target, element)), np.nan, TYPES[element]))
        pack(B.address, *B.strides, P.address, K, N, 0, panels // 2)
        pack(B.address, *B.strides, P.address, K, N, panels // 2, panels)
        padded = np.zeros((K, panels * width), TYPES[element])
        padded[:, :N] = B.values
        expected = padded.reshape(K, panels, width).swapaxes(0, 1)
        assert np.array_equal(P.values.reshape(panels, K, width), expected, equal_nan=True)
        assert P.outside_is_untouched()
        right = (P.address, width, K * width)
    edges = [0, *sorted(cuts), M]
    for first, last in pairwise(edges):
        a, c = A.address + first * A.strides[0] * size, C.address + first * C.strides[0] * size
        rows = last - first
        function(a, *A.strides, *right, c, C.strides[0], rows, N, K, int(accumulate), scratch.address)
    assert scratch.outside_is_untouched()


def numbers(seed: int, *shape: int, element: str) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(TYPES[element])


def check(
    name: str,
    element: str,
    shape: tuple[int, int, int],
    accumulate: bool,
    packed: bool,
    unit: str = "columns",
    unit_of_B: str = "columns",
    gaps: tuple[int, int, int] = (0, 0, 0),
    steps: tuple[int, int] = (1, 1),
) -> None:
    M, N, K = shape
    A = Matrix(numbers(1, M, K, element=element), unit, gaps[0], steps[0])
    unit_of_B, step = (unit_of_B, steps[1]) if packed else ("columns", 1)
    B = Matrix(numbers(2, K, N, element=element), unit_of_B, gaps[1], step)
    before = numbers(3, M, N, element=element)
    C = Matrix(before if accumulate else np.full_like(before, np.nan), "columns", gaps[2])
    multiply(name, element, A, B, C, accumulate, packed)
    a, b, base = (array.astype(float) for array in (A.values, B.values, before if accumulate else 0 * before))
    bound = (np.abs(a) @ np.abs(b) + np.abs(base)) * np.finfo(TYPES[element]).eps * (K / 2 + 2)
    assert (np.abs(C.values - (a @ b + base)) <= bound).all()
    assert C.outside_is_untouched()


@pytest.mark.parametrize(("name", "element"), EVERY)
@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_values(name: str, element: str, data: st.DataObject) -> None:
    def draw(strategy: st.SearchStrategy[Any]) -> Any:
        return data.draw(strategy)

    size, gap = st.integers(1, 70), st.integers(0, 5)
    unit, step = st.sampled_from(["columns", "rows"]), st.sampled_from([1, 1, 2])
    shape = draw(st.one_of(st.tuples(size, size, size), st.sampled_from(SHAPES)))
    check(
        name,
        element,
        shape,
        accumulate=draw(st.booleans()),
        packed=draw(st.booleans()),
        unit=draw(unit),
        unit_of_B=draw(unit),
        gaps=draw(st.tuples(gap, gap, gap)),
        steps=draw(st.tuples(step, step)),
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("unit", ["columns", "rows"])
@pytest.mark.parametrize(("name", "element"), EVERY)
def test_every_height_and_width_of_a_last_tile(name: str, element: str, unit: str, packed: bool) -> None:
    rows, width = gemm.MR(TARGETS[name], element), gemm.NR(TARGETS[name], element)
    for M in range(1, 3 * rows):
        check(name, element, (M, width + M % width, 5), accumulate=bool(M % 2), packed=packed, unit=unit)
    for N in range(1, 2 * width + 2):
        check(name, element, (rows + 1, N, 5), accumulate=bool(N % 2), packed=packed, unit=unit)


@pytest.mark.parametrize("unit", ["columns", "rows"])
@pytest.mark.parametrize("N", [1, 2, 8, 20, 130])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("name", "element"), EVERY)
def test_bits_do_not_depend_on_the_division_of_the_rows(
    name: str, element: str, accumulate: bool, N: int, unit: str
) -> None:
    """Nor on whether B is packed, where there is more than one column."""
    M, K = 131, 530
    A = Matrix(numbers(1, M, K, element=element), unit)
    B = Matrix(numbers(2, K, N, element=element))
    results = []
    for packed in (False, True) if N > 1 else (False,):
        for cuts in ((), (1, 2, 3, 50, 130), tuple(range(1, M)), tuple(range(6, M, 6)), tuple(range(5, M, 31))):
            C = Matrix(numbers(3, M, N, element=element))
            multiply(name, element, A, B, C, accumulate, packed, cuts)
            results.append(C.values.copy())
    for result in results[1:]:
        assert np.array_equal(result, results[0])


@pytest.mark.parametrize(("name", "element"), EVERY)
def test_empty_sizes(name: str, element: str) -> None:
    for M, N, K in ((0, 3, 4), (3, 0, 4), (3, 20, 0), (1, 1, 0), (0, 0, 0)):
        for accumulate in (False, True):
            before = numbers(3, M, N, element=element)
            C = Matrix(before, gap=3)
            A, B = Matrix(np.empty((M, K), TYPES[element])), Matrix(np.empty((K, N), TYPES[element]))
            multiply(name, element, A, B, C, accumulate)
            assert np.array_equal(C.values, before if accumulate else np.zeros_like(before))
            assert C.outside_is_untouched()


@pytest.mark.parametrize("element", TYPES)
def test_what_is_not_finite_stays_in_its_row_and_column(element: str) -> None:
    A, B = numbers(1, 20, 30, element=element), numbers(2, 30, 21, element=element)
    A[3, 7], B[5, 20] = np.inf, np.nan
    for packed in (False, True):
        C = Matrix(np.zeros((20, 21), TYPES[element]))
        multiply(next(iter(TARGETS)), element, Matrix(A), Matrix(B), C, packed=packed)
        assert np.isnan(C.values[:, 20]).all()
        assert np.isinf(C.values[3, :20]).all()
        assert np.isfinite(np.delete(C.values, 3, axis=0)[:, :20]).all()


@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize("name", ["aarch64", "x86-64-v2"])
def test_code_for_other_machines(name: str, element: str) -> None:
    target = foreign(name)
    assert jit.emit_object(gemm.module(target, element).text, target)
