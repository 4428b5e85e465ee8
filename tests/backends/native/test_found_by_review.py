"""Systems that were computed wrongly once, at the sizes at which they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.backends import compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError

RANDOM = np.random.default_rng(0)

SYSTEMS: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "axes side by side at two places": ("data x[i,j,k]\ny[i,j,k] = x[i,j,k] + x[k,i,j]", {"x": (4, 4, 4)}),
    "a recurrence whose axis is last": (
        "data x[i,b,t]\nparameter W[i,k]\nh[i,b,t] = tanh(sum[k](W[i,k]*h[k,b,t-1])/8 + x[i,b,t])",
        {"x": (64, 256, 6), "W": (64, 64)},
    ),
    "a recurrence with columns of two axes": (
        "data x[t,l,j], A[i,k]\nh[t,i,j,l] = tanh(sum[k](A[i,k]*h[t-1,k,j,l])/8 + x[t,l,j])",
        {"x": (4, 300, 4), "A": (16, 16)},
    ),
    "a recurrence that reads across": ("data x[t,b,c]\nh[t,b,c] = tanh(h[t-1,c,b] + x[t,b,c])", {"x": (4, 300, 300)}),
    "a matrix outside its tensor": (
        "data x[b,i]\nparameter W[p,i,j]\naxis p = 2\nz[b,j] = sum[i](x[b,i]*W[700,i,j])",
        {"x": (64, 96), "W": (2, 96, 96)},
    ),
    "a division by tiny and by huge numbers": ("data x[b,i], n[b]\ny[b,i] = x[b,i]/n[b]", {"x": (4, 20), "n": (4,)}),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_right_now(name: str) -> None:
    text, shapes = SYSTEMS[name]
    system = parse(text)
    values: dict[str, Any] = {tensor: RANDOM.normal(size=shape) for tensor, shape in shapes.items()}
    if "n" in values:
        values["x"], values["n"] = np.full((4, 20), 1e-310), np.array([2e-310, 1e-310, 5e-309, 1e308])
    state = {t.name: values.pop(t.name) for t in system.parameters}
    outputs = tuple(equation.name for equation in system.equations)
    found = compile(system, outputs, "float64", "native").run(values, dict(state))
    expected = evaluate(system, {**values, **state})
    for output in outputs:
        np.testing.assert_allclose(found[output], expected[output], rtol=1e-9, atol=1e-12)


def test_bound_programs_check_positions_every_time() -> None:
    system = parse("data x[b,j]\nparameter W[j,k]\nn[b] = argmax[j](x[b,j])\ny[b,k] = W[n[b] + 1,k]")
    bound = compile(system, ("y",), "float64", "native").bind({"W": np.ones((3, 4))})
    x = np.zeros((5, 3))
    x[:, 2] = 1
    for _ in range(3):
        np.testing.assert_array_equal(bound({"x": x})["y"], 0)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_bound_programs_leave_what_they_do_not_read(sign: float) -> None:
    text = "data x[b,i], t[b,k]\nparameter W[i,k]\ny[b,k] = sum[i](x[b,i]*W[i,k])\nC = sum[b,k]((y[b,k] - t[b,k])^2)"
    weights, target = RANDOM.normal(size=(3, 40)), np.full((500, 40), sign)
    bound = compile(parse(text), ("y",), "float64", "native").bind({"W": weights})
    for _ in range(3):
        x = RANDOM.normal(size=(500, 3))
        np.testing.assert_allclose(bound({"x": x, "t": target})["y"], x @ weights, atol=1e-12)
    assert (target == sign).all()


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_integers_at_the_edge(backend: str) -> None:
    """Processors refuse these divisions; nothing may bring the process down."""
    system = parse("integer n[b], m[b]\nq[b] = n[b]//m[b]\nr[b] = n[b]%m[b]")
    values = {"n": np.array([-(2**63), 7, -7, 7]), "m": np.array([-1, -2, 2, 0])}
    found = compile(system, ("q", "r"), "float64", backend).run(values, {})
    np.testing.assert_array_equal(found["q"], [-(2**63), -4, -4, 0])
    np.testing.assert_array_equal(found["r"], [0, -1, 1, 0])


def test_a_real_number_may_be_compared_with_an_axis() -> None:
    system = parse("data x[b], w[b]\naxis v = 5\ny[v] = sum[b](w[b]*[v = x[b]])")
    values = {"x": np.array([1.0, 2.0, 1.0, 1.5]), "w": np.ones(4)}
    found = compile(system, ("y",), "float64", "native").run(values, {})["y"]
    np.testing.assert_array_equal(found, evaluate(system, values)["y"])


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_what_has_a_next_value_is_no_step(backend: str) -> None:
    system = parse("data x\nstate s = 0\ns' = s + x")
    with pytest.raises(ChainruleError, match="s has a next value"):
        compile(system, (), "float64", backend).run({"x": 1.0}, {}, {"s": np.ones(2)})
