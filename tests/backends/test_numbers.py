"""Numbers that are not finite, brackets and whole numbers: every backend does with them what the evaluator does."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from chainrule.backends import BACKENDS, compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse

EACH = pytest.mark.parametrize("backend", BACKENDS)
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, np.inf, -np.inf, np.nan, 1e-320, 1e300, -1e300, 700.0, -750.0)


def run(system: str, values: dict[str, Any], outputs: tuple[str, ...], backend: str) -> tuple[dict[str, Any], Any]:
    found = compile(parse(system), outputs, "float64", backend).run(values, {})
    with np.errstate(all="ignore"):
        return found, evaluate(parse(system), values)


@pytest.mark.parametrize(
    "expression",
    [
        "x[i] + y[i]", "x[i]*y[i]", "x[i]/y[i]", "x[i] - y[i]", "-x[i]", "x[i]^2", "x[i]^3", "x[i]^0", "x[i]^(-1)",
        "max(x[i], y[i])", "min(x[i], y[i])", "where([x[i] > y[i]], x[i], y[i])", "logaddexp(x[i], y[i])",
        "[x[i] = y[i]] + 2*[x[i] != y[i]] + 4*[x[i] < y[i]] + 8*[x[i] >= y[i]]", "[0 <= x[i] < 1]*1.5",
        "[x[i] > 0]*log(x[i])", "[x[i] > 0]*(y[i]/x[i])", "x[i]*[y[i] > 0]*sqrt(y[i])",
        "where([x[i] > 0], log(x[i]), 0)",
        "relu(x[i])", "abs(x[i])", "sign(x[i])", "floor(x[i])", "exp(x[i])", "expm1(x[i])", "log(x[i])", "log1p(x[i])",
        "sqrt(x[i])", "rsqrt(x[i])", "tanh(x[i])", "sigmoid(x[i])", "softplus(x[i])", "erf(x[i])",
    ],
)  # fmt: skip
@EACH
def test_of_one_element(backend: str, expression: str) -> None:
    pairs = np.array(list(product(SPECIAL, SPECIAL)))
    values = {"x": pairs[:, 0], "y": pairs[:, 1]}
    found, expected = run(f"data x[i], y[i]\nz[i] = {expression}", values, ("z",), backend)
    for position, (one, other) in enumerate(pairs):
        np.testing.assert_allclose(
            found["z"][position], expected["z"][position], rtol=1e-12, atol=1e-300, err_msg=f"x = {one}, y = {other}"
        )


@pytest.mark.parametrize("operation", ["sum", "max", "min", "logsumexp", "argmax", "argmin"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 40])
@pytest.mark.parametrize("along", ["j", "i"])
@EACH
def test_of_many(backend: str, along: str, count: int, operation: str) -> None:
    """One element that is not finite, or two, anywhere; along contiguous elements and across them."""
    rows: list[Any] = [np.full(count, value) for value in (np.inf, -np.inf, np.nan, 0.0)]
    random = np.random.default_rng(count)
    for value in (np.inf, -np.inf, np.nan):
        for place in range(count):
            row = random.normal(size=count)
            row[place] = value
            rows += [row.copy()]
            row[place - 1] = np.nan
            rows += [row]
    x = np.array(rows) if along == "j" else np.array(rows).T.copy()
    kept = "i" if along == "j" else "j"
    found, expected = run(f"data x[i,j]\nz[{kept}] = {operation}[{along}](x[i,j])", {"x": x}, ("z",), backend)
    np.testing.assert_allclose(found["z"], expected["z"], rtol=1e-12)


@EACH
def test_the_first_of_equals(backend: str) -> None:
    x = np.random.default_rng(0).integers(-2, 3, (50, 37))
    text = "data x[i,j]\na[i] = argmax[j](x[i,j])\nb[j] = argmin[i](x[i,j])\nc[i] = argmax[j]([x[i,j] > 0])"
    found, _ = run(text, {"x": x}, ("a", "b", "c"), backend)
    np.testing.assert_array_equal(found["a"], x.argmax(axis=1))
    np.testing.assert_array_equal(found["b"], x.argmin(axis=0))
    np.testing.assert_array_equal(found["c"], (x > 0).argmax(axis=1))


@EACH
def test_a_matrix_product_hides_nothing(backend: str) -> None:
    """0·∞ and NaN reach every element that reads them, and no other."""
    x, W = np.ones((9, 7)), np.ones((7, 20))
    x[2, 3], x[5, 1], W[3, 4] = np.inf, np.nan, 0.0
    found, expected = run("data x[b,i], W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])", {"x": x, "W": W}, ("z",), backend)
    np.testing.assert_array_equal(found["z"], expected["z"])
    assert np.isnan(found["z"][2, 4])
    assert np.isfinite(found["z"][[0, 1, 3, 4, 6, 7, 8]]).all()


@EACH
def test_whole_numbers(backend: str) -> None:
    """Rounded down, by 0 it is 0; the same for constants and for numbers that come as data."""
    pairs = np.array(list(product((-7, -6, -1, 0, 1, 5, 6, 2**40), (-3, -2, -1, 0, 1, 2, 3, 2**33))))
    lines = ["integer n[i], m[i]", "q[i] = n[i]//m[i]", "r[i] = n[i]%m[i]", "s = n[0]//m[0]"]
    lines += [f"c{k}[i] = n[i]//{k}\nd{k}[i] = n[i]%{k}" for k in (1, 2, 3, 8)]
    names = ("q", "r", "s", *(f"{c}{k}" for c in "cd" for k in (1, 2, 3, 8)))
    found, expected = run("\n".join(lines), {"n": pairs[:, 0], "m": pairs[:, 1]}, names, backend)
    for name in names:
        assert found[name].dtype == np.int64
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert (found["q"][pairs[:, 1] == 0] == 0).all()
    assert (found["r"][pairs[:, 1] == 0] == 0).all()


@EACH
def test_small_numbers_are_kept(backend: str) -> None:
    """Denormal numbers are not flushed to 0."""
    values = {"x": np.full(11, 1e-310), "W": np.full((11, 3), 0.5)}
    text = "data x[i], W[i,j]\ny[i] = 0.5*x[i]\nz[j] = sum[i](x[i]*W[i,j])"
    found, expected = run(text, values, ("y", "z"), backend)
    assert (found["y"] > 0).all()
    np.testing.assert_allclose(found["z"], expected["z"], rtol=1e-6, atol=0)


@EACH
def test_a_sum_is_not_reordered_by_the_compiler(backend: str) -> None:
    """(x + y) - x is not y: what is written is what is computed."""
    found, _ = run(
        "data x[i], y[i]\nz[i] = (x[i] + y[i]) - x[i]", {"x": np.full(9, 1e16), "y": np.ones(9)}, ("z",), backend
    )
    np.testing.assert_array_equal(found["z"], np.zeros(9))
