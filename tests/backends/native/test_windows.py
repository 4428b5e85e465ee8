"""Sums over windows: what they are rewritten to, and the products that read rows and terms from anywhere."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backends.native.test_gemm import SUFFIX, TARGETS, TYPES

from chainrule.backends import compile
from chainrule.backends.inputs import sizes_of
from chainrule.backends.native import gemm, jit, window_products
from chainrule.backends.native.unrolled import unrolled
from chainrule.backends.native.windows import windowed
from chainrule.backends.passes import prepared
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.estimators import Classifier
from chainrule.layers import Conv2D, Dense, Network, PReLU


def convolution(stride: int, dilation: int, padding: int) -> str:
    place = f"{stride}*p + {dilation}*u - {padding}, {stride}*q + {dilation}*v - {padding}"
    return f"""
    axis p = (size(h) + {2 * padding} - {dilation}*(size(u) - 1) - 1)//{stride} + 1
    axis q = (size(w) + {2 * padding} - {dilation}*(size(v) - 1) - 1)//{stride} + 1
    data X[b,h,w,c], y[b,p,q,o]
    parameter W[u,v,c,o], g
    x[b,h,w,c] = g*X[b,h,w,c]
    z[b,p,q,o] = sum[u,v,c](x[b,{place},c]*W[u,v,c,o])
    C = sum[b,p,q,o](y[b,p,q,o]*tanh(z[b,p,q,o]))
    """


def pooling(operation: str, window: int, stride: int) -> str:
    return f"""
    axis u = {window}, v = {window}
    axis p = (size(h) - {window})//{stride} + 1, q = (size(w) - {window})//{stride} + 1
    data X[b,h,w,c], y[b,p,q,c]
    parameter g
    x[b,h,w,c] = g*X[b,h,w,c]
    z[b,p,q,c] = {operation}[u,v](x[b,{stride}*p + u,{stride}*q + v,c])
    C = sum[b,p,q,c](y[b,p,q,c]*tanh(z[b,p,q,c]))
    """


def system_of(text: str, kernel: int, shape: tuple[int, int, int, int], filters: int) -> tuple[System, dict[str, Any]]:
    """The system with its gradients, and values for its inputs."""
    system = parse(text)
    shapes = {"X": shape, "g": (), "W": (kernel, kernel, shape[3], filters)}
    shapes = {name: found for name, found in shapes.items() if name in system.tensor_axes}
    wanted = [name for name in ("W", "g", "x") if name in system.tensor_axes]
    sizes = sizes_of(system, shapes)
    shapes["y"] = tuple(sizes[axis] for axis in system.tensor_axes["y"])
    generator = np.random.default_rng(0)
    return derive(system, "C", wanted).system, {name: generator.normal(size=found) for name, found in shapes.items()}


def check(system: System, values: dict[str, Any], dtype: str = "float64") -> None:
    """The rewritten system and the compiled one give what the system gives."""
    outputs = tuple(equation.name for equation in system.equations)
    sizes = sizes_of(system, {name: np.shape(value) for name, value in values.items()})
    rewritten, more = windowed(prepared(system, outputs), sizes)
    rewritten = unrolled(rewritten, more, prepared(system, outputs))
    state = {name: values[name] for name in ("W", "g") if name in values}
    data = {name: value for name, value in values.items() if name not in state}
    compiled = compile(system, outputs, dtype, "native").run(data, dict(state))
    expected, found = evaluate(system, values), evaluate(rewritten, values)
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    for name in outputs:
        scale = 1 + np.abs(expected[name]).max(initial=0)
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-10 * scale, err_msg=name)
        np.testing.assert_allclose(compiled[name], expected[name], rtol=0, atol=tolerance * scale, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 4), st.integers(6, 11), st.integers(6, 9),
    st.integers(1, 7), st.integers(1, 18), st.sampled_from(["float64", "float32"]),
)  # fmt: skip
def test_convolution(
    stride: int, dilation: int, padding: int, kernel: int, h: int, w: int, c: int, o: int, dtype: str
) -> None:
    if dilation * (kernel - 1) + 1 > min(h, w) + 2 * padding:
        return
    system, values = system_of(convolution(stride, dilation, padding), kernel, (2, h, w, c), o)
    check(system, values, dtype)


@pytest.mark.parametrize(
    ("stride", "dilation", "padding", "kernel"), [(1, 1, 1, 3), (1, 1, 4, 3), (2, 1, 3, 5), (1, 2, 2, 3), (3, 1, 2, 4)]
)
def test_the_border_is_left_out(
    stride: int, dilation: int, padding: int, kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    p, q = ((size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in (9, 8))
    sizes = f"axis h = 9, w = 8, p = {p}, q = {q}\n"
    text = "\n".join(line for line in convolution(stride, dilation, padding).splitlines() if "axis" not in line)
    system, values = system_of(sizes + text, kernel, (2, 9, 8, 3), 4)
    calls = []
    for fewest in (100, 1):
        monkeypatch.setattr(window_products, "FEWEST_ROWS", fewest)
        program = compile(system, ("z",), "float64", "native")
        program.run({name: values[name] for name in ("X", "y")}, {name: values[name] for name in ("W", "g")})
        calls.append(program.source.count("call void @window_f64"))
    assert calls[0] == 1 < calls[1]
    check(system, values)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["max", "sum", "min"]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(4, 9),
    st.integers(1, 9),
)
def test_pooling(operation: str, window: int, stride: int, size: int, c: int) -> None:
    check(*system_of(pooling(operation, window, stride), 1, (2, size, size + 1, c), 1))


def test_what_is_written() -> None:
    system, values = system_of(convolution(2, 1, 1), 3, (2, 9, 8, 5), 4)
    outputs = tuple(equation.name for equation in system.equations)
    rewritten, _ = windowed(system, sizes_of(system, {name: np.shape(value) for name, value in values.items()}))
    texts = {equation.name: str(equation) for equation in prepared(rewritten, outputs).equations}
    assert texts["z"] == "z[b,p,q,o] = sum[u,v,c](x#padded[b,2*p + u,2*q + v,c]*W[u,v,c,o])"
    assert texts["∂W"] == "∂W[u,v,c,o] = sum[b,p,q](∂z[b,p,q,o]*x#padded[b,2*p + u,2*q + v,c])"
    assert texts["∂x#phases2"] == (
        "∂x#phases2[b,h°2,w°2,c] = sum[o,p°1,q°3](∂z#padded[b,h°2 + p°1,w°2 + q°3 + 1,o]*W#turned2[p°1,q°3,o,c])"
    )
    assert texts["∂x"].startswith("∂x[b,h,w,c] = where([(h + 1)%2 = 0], where([(w + 1)%2 = 0], ∂x#phases[b,")
    assert "∂z#padded2" not in texts


def test_a_window_over_each_channel() -> None:
    system = parse("""
    axis h = 9, w = 8, c = 6, u = 3, v = 3, p = size(h), q = size(w)
    data x[b,h,w,c]
    parameter W[u,v,c]
    z[b,p,q,c] = sum[u,v](x[b,p + u - 1,q + v - 1,c]*W[u,v,c])
    C = sum[b,p,q,c](z[b,p,q,c]^2)
    """)
    generator = np.random.default_rng(0)
    values = {"x": generator.normal(size=(2, 9, 8, 6)), "W": generator.normal(size=(3, 3, 6))}
    check(derive(system, "C", ["x", "W"]).system, values)


@pytest.mark.parametrize("operation", ["max", "sum", "min"])
@pytest.mark.parametrize("index", ["h + p", "h - 3*p"])
def test_unrolling_does_not_make_sizes_equal(operation: str, index: str) -> None:
    system = parse(
        f"axis p = 2\ndata d[b,p], W[u]\naxis h\ndata e[h]\ng[b,h] = {operation}[p](d[b,p]*W[{index}] + e[h])"
    )
    generator = np.random.default_rng(0)
    values = {"d": generator.normal(size=(3, 2)), "W": generator.normal(size=4), "e": generator.normal(size=9)}
    found = compile(system, ("g",), "float64", "native").run(values, {})
    np.testing.assert_allclose(found["g"], evaluate(system, values)["g"], atol=1e-12)


def test_a_window_as_wide_as_its_stride() -> None:
    images = np.random.default_rng(0).normal(size=(12, 6, 14))
    labels = np.arange(12) % 2
    network = Network(PReLU(), Conv2D(8, 4, stride=3), Dense(2))
    settings = {"epochs": 2, "random_state": 0, "validation_fraction": 0.0}
    probabilities = [
        Classifier(network, backend=backend, **settings).fit(images, labels).predict_proba(images)
        for backend in ("native", "numpy")
    ]
    np.testing.assert_allclose(*probabilities, atol=1e-4)


def test_quotients_of_positions() -> None:
    system = parse("""
    axis p = 3*size(h)
    data x[b,h,c]
    a[b,p,c] = x[b,p//3,c]
    C = sum[b,p,c](sin(a[b,p,c]))
    """)
    derived = derive(system, "C", ["x"]).system
    values = {"x": np.random.default_rng(0).normal(size=(2, 5, 9))}
    check(derived, values)
    rewritten, _ = windowed(derived, sizes_of(derived, {"x": (2, 5, 9)}))
    assert "p°" in str(rewritten.by_name["∂x"])


def test_a_shifted_read_beyond_the_end_is_padded() -> None:
    system = parse("axis p = size(h)\ndata x[b,h]\nparameter W[u]\nz[b,p] = sum[u](x[b,p + 2*u]*W[u])")
    values = {"x": np.arange(18.0).reshape(2, 9), "W": np.array([1.0, 2.0, 3.0])}
    found = compile(system, ("z",), "float64", "native").run({"x": values["x"]}, {"W": values["W"]})
    np.testing.assert_allclose(found["z"], evaluate(system, values)["z"])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize(
    "shape", [(7, 5, 3, 4), (13, 33, 2, 300), (1, 16, 1, 1), (40, 3, 9, 3), (6, 70, 5, 31), (200, 75, 40, 8)]
)
def test_engine(target: str, element: str, shape: tuple[int, int, int, int]) -> None:
    """Rows and runs of A anywhere, times B in rows, onto C; nothing beyond the columns is touched."""
    rows, columns, runs, run = shape
    images, step = 3, 2 if columns > 5 else 1
    library = jit.library(gemm.module(TARGETS[target], element).text, TARGETS[target])
    i, p = ctypes.c_int64, ctypes.c_void_p
    address = library.address(f"window_{SUFFIX[element]}")
    window = ctypes.CFUNCTYPE(None, p, p, p, i, i, p, i, i, p, *[i] * 7, p)(address)
    generator = np.random.default_rng(1)
    A = generator.normal(size=4000).astype(TYPES[element])
    starts, offsets = generator.integers(0, 1000, size=rows), generator.integers(0, 1000, size=runs)
    starts[: rows // 2] = np.arange(rows // 2)  # some of them side by side
    B = generator.normal(size=(images * runs * run, columns)).astype(TYPES[element])
    C = np.full((rows, columns + 3), 7, TYPES[element])
    width = gemm.NR(TARGETS[target], element)
    scratch = np.empty(gemm.scratch_elements(TARGETS[target], element), TYPES[element])
    for accumulate in (0, 1):
        window(
            *(A.ctypes.data, starts.ctypes.data, offsets.ctypes.data, 7, step),
            *(B.ctypes.data, columns, width, C.ctypes.data, columns + 3),
            *(rows, columns, images, runs, run, accumulate, scratch.ctypes.data),
        )
    places = 7 * np.arange(images)[:, None, None] + offsets[:, None] + step * np.arange(run)
    gathered = A[starts[:, None, None, None] + places].reshape(rows, -1)
    tolerance = 1e-4 if element == "float" else 1e-11
    np.testing.assert_allclose(C[:, :columns], 2 * gathered.astype(np.float64) @ B, rtol=tolerance, atol=tolerance * 50)
    assert (C[:, columns:] == 7).all()
    del library
