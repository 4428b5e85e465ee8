"""Every scalar function's derivative against finite differences, through the calculus."""

from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients

from chainrule.equations.functions import ARGUMENTS, COMPARISONS, FUNCTIONS, Function
from chainrule.equations.node import Apply, Equation, Reduce, access
from chainrule.equations.system import Input, System

SMOOTH = [row for row in FUNCTIONS.values() if row.derivatives and row.name != "where"]
CONSTANT = [row for row in FUNCTIONS.values() if not row.derivatives and row.arity == 1]


def applied(name: str, arity: int) -> System:
    inputs = tuple(Input(letter, ("n",), "data") for letter in ARGUMENTS[:arity])
    value = Apply(name, tuple(access(tensor.name, ("n",)) for tensor in inputs))
    return System((Equation("C", (), Reduce("sum", ("n",), value)),), inputs)


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_derivative(row: Function) -> None:
    arity = row.arity or 2
    rng = np.random.default_rng(1)
    values = {letter: rng.uniform(0.3, 1.7, size=6) for letter in ARGUMENTS[:arity]}
    system = applied(row.name, arity)
    check_gradients(system, values, "C", list(values))
    if row.total:
        check_gradients(system, {letter: -value for letter, value in values.items()}, "C", list(values))


def test_choice() -> None:
    condition = np.array([1, 0, 1, 0])
    values = {"x": condition, "y": np.arange(4.0), "w": np.arange(4.0) ** 2}
    check_gradients(applied("where", 3), values, "C", ["y", "w"])


@pytest.mark.parametrize("row", CONSTANT, ids=lambda row: row.name)
def test_piecewise_constant(row: Function) -> None:
    assert row.name in ("sign", "floor")


def test_comparisons_have_no_derivative() -> None:
    assert not any(FUNCTIONS[name].derivatives for name in COMPARISONS)
