"""Recurrences as they are compiled: shifted reads in matrix products, axes of recurrences first in memory, sums of many
factors and sums that occur twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.backends.forced import Way, forced
from tests.backends.native.test_ways import EACH_WAY, check

from chainrule.backends.native import NativeProgram, compile
from chainrule.backends.native.statements import Contraction, Reduction
from chainrule.calculus.reverse import derive
from chainrule.equations.parse import parse

GRU = """
data x[b,t,d], y[b,t,k]
parameter Wr[d,k], Ur[l,k], Wu[d,k], Uu[l,k], Wn[d,k], Un[l,k], α[k]
r[b,t,k] = sigmoid(sum[d](x[b,t,d]*Wr[d,k]) + sum[l](h[b,t-1,l]*Ur[l,k]))
u[b,t,k] = sigmoid(sum[d](x[b,t,d]*Wu[d,k]) + sum[l](h[b,t-1,l]*Uu[l,k]))
n[b,t,k] = tanh(sum[d](x[b,t,d]*Wn[d,k]) + r[b,t,k]*(sum[l](h[b,t-1,l]*Un[l,k]) + α[k]))
h[b,t,k] = (1 - u[b,t,k])*n[b,t,k] + u[b,t,k]*h[b,t-1,k]
C = sum[b,t,k]((h[b,t,k] - y[b,t,k])^2)/size(b)
"""

# Products in which a factor is read outside at the ends of an axis, which is (in turn) a row, summed over, summed over
# beside others, in both factors and the result.
SHIFTED = {
    "row": "data x[t,i]\nparameter W[i,j]\nz[t,j] = sum[i](x[t-1,i]*W[i,j])",
    "row ahead": "data x[b,t,i]\nparameter W[i,j]\nz[b,t,j] = sum[i](x[b,t+2,i]*W[i,j])",
    "first row": "data x[t,b,i]\nparameter W[i,j]\nz[t,b,j] = sum[i](x[t-2,b,i]*W[i,j])",
    "further than it is long": "data x[t,i]\nparameter W[i,j]\nz[t,j] = sum[i](x[t-9,i]*W[i,j])",
    "summed": "data x[t,i], y[t,j]\nz[i,j] = sum[t](x[t-1,i]*y[t,j])",
    "both summed": "data x[t,i], y[t,j]\nz[i,j] = sum[t](x[t-1,i]*y[t+1,j])",
    "summed first": "data x[t,b,i], y[t,b,j]\nz[i,j] = sum[b,t](x[t-1,b,i]*y[t,b,j])",
    "summed second": "data x[b,t,i], y[b,t,j]\nz[i,j] = sum[b,t](x[b,t+1,i]*y[b,t,j])",
    "summed in the right factor": "data x[t,b,i], y[t,b,j]\nz[i,j] = sum[b,t](x[t,b,i]*y[t-1,b,j])",
    "of each product": "data x[t,b,i], y[t,b,j]\nz[t,i,j] = sum[b](x[t-1,b,i]*y[t,b,j])",
}


def shapes(system: Any, **sizes: int) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {t.name: random.normal(size=tuple(sizes[axis[0]] for axis in t.axes)) for t in system.inputs}


@EACH_WAY
@pytest.mark.parametrize("name", SHIFTED)
def test_products_of_shifted_reads(name: str, way: Way) -> None:
    system = parse(SHIFTED[name])
    with forced(way):
        program = check(system, shapes(system, t=7, b=4, i=5, j=19))
    if way.products:
        assert not any(isinstance(s, Reduction) for s in _statements(program)), "it is no matrix product"


def _statements(program: NativeProgram) -> list[Any]:
    assert program._last is not None
    return [s for _, o in program._last.schedule.operations() if not o.packs for s in o.all_statements()]


@EACH_WAY
def test_gated_recurrent_units(way: Way) -> None:
    system = derive(parse(GRU), "C").system
    with forced(way):
        check(system, shapes(system, b=9, t=5, d=3, k=4, l=4))


def test_every_large_sum_of_a_recurrence_is_a_product() -> None:
    """Weight gradients are single products over rows and steps, and what is projected twice is projected once."""
    system = derive(parse(GRU), "C").system
    wanted = tuple(equation.name for equation in system.equations if equation.name.startswith(("∂W", "∂U")))
    values = shapes(system, b=64, t=6, d=16, k=32, l=32)
    state = {t.name: values.pop(t.name) for t in system.parameters}
    program = compile(system, wanted, "float32")
    program.run(values, state)
    products = [s for s in _statements(program) if isinstance(s, Contraction)]
    of_weights = {s.name: s for s in products if s.name in wanted}
    assert set(of_weights) == set(wanted)
    assert all(set(s.summed) == {"b", "t"} for s in of_weights.values())
    assert sum("h[t - 1,b,l]*Un[l,k]" in str(s) for s in products) == 1


def test_steps_are_contiguous() -> None:
    """What a recurrence computes has its axis first, but for what is given back."""
    system = parse(GRU)
    program = compile(system, ("h",), "float32")
    values = shapes(system, b=4, t=3, d=2, k=3, l=3)
    state = {t.name: values.pop(t.name) for t in system.parameters}
    program.run(values, state)
    assert program._last is not None
    tensors = program._last.space.tensors
    assert tensors["n"].axes == ("t", "b", "k")
    assert tensors["h"].axes == ("b", "t", "k")


def test_copies_are_no_statements() -> None:
    """Another name or order of axes costs nothing, also where it is read a step before."""
    text = """
    data x[b,t]
    y[t,b] = x[b,t]
    z[b,t] = y[t,b]
    a[b,t] = 2*z[b,t-1] + y[t,b]
    """
    system = parse(text)
    program = compile(system, ("a",), "float64")
    x = np.random.default_rng(0).normal(size=(3, 4))
    found = program.run({"x": x}, {})["a"]
    np.testing.assert_allclose(found, x + 2 * np.pad(x, ((0, 0), (1, 0)))[:, :-1])
    assert [s.name for s in _statements(program)] == ["a"]
    check(system, {"x": x})


def test_weights_of_a_recurrence_are_packed_once() -> None:
    """Also for few rows: they are read at every step."""
    text = "data x[b,t,k]\nparameter U[l,k]\nh[b,t,k] = tanh(x[b,t,k] + sum[l](h[b,t-1,l]*U[l,k]))"
    program = compile(parse(text), ("h",), "float32")
    random = np.random.default_rng(0)
    program.run({"x": random.normal(size=(2, 40, 128))}, {"U": random.normal(size=(128, 128))})
    assert program._last is not None
    operations = [operation for _, operation in program._last.schedule.operations()]
    (inner,) = (i.product for o in operations for i in o.inner if i.product is not None)
    assert inner.packing == "ahead"


def test_what_a_recurrence_computes_is_not_computed_again_behind_it() -> None:
    """tanh(c) stands in the state and in its derivatives; what reads the step before is no part of the same step."""
    text = """
    data x[b,t,k]
    parameter U[l,k]
    z[b,t,k] = x[b,t,k] + sum[l](h[b,t-1,l]*U[l,k])
    c[b,t,k] = z[b,t,k]*x[b,t,k] + c[b,t-1,k]*tanh(c[b,t-1,k])
    h[b,t,k] = x[b,t,k]*tanh(c[b,t,k])
    C = sum[b,t,k](h[b,t,k]^2)
    """
    derived = derive(parse(text), "C", ["U"]).system
    random = np.random.default_rng(0)
    program = check(derived, {"x": random.normal(size=(3, 4, 5)), "U": random.normal(size=(5, 5))})
    computed = [str(s).partition(" = ")[2] for s in _statements(program)]
    assert computed.count("tanh(c[t,b,k])") + computed.count("tanh(c[b,t,k])") == 1
    assert not any("*tanh(c[t,b,k])" in each or "*tanh(c[b,t,k])" in each for each in computed)
