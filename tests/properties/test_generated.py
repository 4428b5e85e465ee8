"""What must hold of every system, tried on some hundreds of random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from chainrule.backends import BACKENDS, compile
from chainrule.calculus.differences import check_gradients
from chainrule.calculus.reverse import derive
from chainrule.calculus.second import hessian_vector_product
from chainrule.equations.check import check
from chainrule.equations.evaluate import evaluate
from chainrule.equations.kinds import kinds
from chainrule.equations.node import Equation
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.equations.walk import tensors
from strategies import Example, examples


def differentiable(system: System) -> list[str]:
    """The real inputs that the cost reads, directly or not, through real quantities."""
    real = {name for name, kind in kinds(system).items() if kind == "real"}
    reached, waiting = set(), ["C"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            if name in system.by_name:
                waiting += set(tensors(system.by_name[name])) & real
    return [t.name for t in system.inputs if t.name in reached]


@settings(max_examples=120)
@given(examples())
def test_text_round_trip(example: Example) -> None:
    check(example.system)
    assert parse(str(example.system)) == example.system


@settings(max_examples=60)
@given(examples())
def test_values_have_the_kind_that_is_promised(example: Example) -> None:
    values = evaluate(example.system, example.values)
    for name, kind in kinds(example.system).items():
        assert values[name].dtype == (np.int64 if kind == "integer" else np.float64), name
        assert np.isfinite(values[name]).all(), name


@settings(max_examples=80)
@given(examples())
def test_derived_gradients_are_differences(example: Example) -> None:
    names = differentiable(example.system)
    if names:
        for result in check_gradients(example.system, "C", example.values, names, elements=4):
            # A difference of two costs of about 10 over a step of 5e-5 is rounded at 1e-10.
            assert result.error < 1e-6 or abs(result.derived - result.numeric) < 1e-9, str(result)


@settings(max_examples=20)
@given(examples(smooth=True))
def test_second_derivatives_are_differences(example: Example) -> None:
    """H·v against a difference of derived gradients."""
    names = differentiable(example.system)
    if not names:
        return
    system, products = hessian_vector_product(example.system, "C", names)
    generator = np.random.default_rng(0)
    along = {name: generator.normal(size=example.values[name].shape) for name in names}
    found = evaluate(system, {**example.values, **{f"v.{name}": value for name, value in along.items()}})
    log = derive(example.system, "C", names)

    def difference(step: float) -> dict[str, Any]:
        total = dict.fromkeys(names, 0.0)
        for times, weight in ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12)):
            moved = {name: example.values[name] + times * step * along[name] for name in names}
            gradients = evaluate(log.system, {**example.values, **moved})
            total = {name: total[name] + weight * gradients[log.gradients[name]] / step for name in names}
        return total

    # Where the curvature is great only the smaller steps will do, where it is small only the greater ones.
    tried = [difference(step) for step in (1e-3, 1e-4, 1e-5)]
    for name in names:
        product = found[products[name]]
        scale = np.abs(product).max(initial=0.0)
        errors = [np.abs(product - numeric[name]).max(initial=0.0) for numeric in tried]
        assert min(errors) <= 1e-6 * scale + 1e-9, f"{name}: {product} is not {tried}"


@settings(max_examples=50)
@given(examples())
def test_derived_systems_are_systems(example: Example) -> None:
    names = differentiable(example.system)
    if names:
        system = derive(example.system, "C", names).system
        check(system)
        assert parse(str(system)) == system


@settings(max_examples=40)
@given(examples())
def test_every_rewrite_keeps_the_value(example: Example) -> None:
    """Each step of each derivation: the quantity has the same value before and after."""
    names = differentiable(example.system)
    if not names:
        return
    log = derive(example.system, "C", names)
    steps = [step for step in log.steps if step.before is not None]
    sides = []
    for number, step in enumerate(steps):
        for side, equation in (("before", step.before), ("after", step.after)):
            sides.append(Equation(f"∂{side}{number}", equation.axes, equation.expression))
    values = evaluate(log.system.extended(sides), example.values)
    for number, step in enumerate(steps):
        before, after = values[f"∂before{number}"], values[f"∂after{number}"]
        scale = np.abs(after).max(initial=0.0)
        np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-9 * scale + 1e-12, err_msg=step.rule)


def agree(system: System, example: Example, backend: str) -> None:
    """Every tensor of the system, computed by a backend and by the evaluator."""
    names = tuple(equation.name for equation in system.equations)
    expected = evaluate(system, example.values)
    parameters = {tensor.name: example.values[tensor.name] for tensor in system.parameters}
    data = {name: value for name, value in example.values.items() if name not in parameters}
    found = compile(system, names, "float64", backend).run(data, parameters)
    for name in names:
        scale = np.abs(expected[name]).max(initial=0.0)
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-10 * scale + 1e-12, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=80)
@given(example=examples())
def test_backends(backend: str, example: Example) -> None:
    agree(example.system, example, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40)
@given(example=examples(long=True))
def test_backends_on_derived_systems(backend: str, example: Example) -> None:
    names = differentiable(example.system)
    if names:
        agree(derive(example.system, "C", names).system, example, backend)
