"""Derivatives of derivatives: H·v and G·v against finite differences of the derived gradient."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cases import CASES, Case
from chainrule.calculus.reverse import derive
from chainrule.calculus.second import gauss_newton_product, hessian_vector_product, jacobian_vector_product
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import System

SMOOTH = [case for case in CASES.values() if not case.name.startswith("max_pool")]

Values = dict[str, NDArray[np.generic]]


def parameters_of(case: Case) -> list[str]:
    return [name for name in case.wrt if case.system.input_by_name[name].role == "parameter"]


def directions(system: System, values: Values, names: list[str]) -> Values:
    generator = np.random.default_rng(1)
    return {name: generator.normal(size=values[name].shape) for name in names}


def moved(values: Values, along: Values, step: float) -> Values:
    return {**values, **{name: values[name] + step * direction for name, direction in along.items()}}


def along_direction(of: System, outputs: list[str], values: Values, along: Values) -> list[NDArray[np.generic]]:
    """The derivatives of the outputs along the direction, by a stencil of fourth order."""
    step = 1e-3
    stencil = ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12))
    runs = [(evaluate(of, moved(values, along, times * step)), weight) for times, weight in stencil]
    return [sum(weight * run[output] for run, weight in runs) / step for output in outputs]


def close(found: NDArray[np.generic], expected: NDArray[np.generic], what: str) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max() + 1e-12, err_msg=what)


@pytest.mark.parametrize("case", SMOOTH, ids=[case.name for case in SMOOTH])
def test_hessian_vector_product(case: Case) -> None:
    names = parameters_of(case)
    first = derive(case.system, "C", names)
    system, products = hessian_vector_product(case.system, "C", names)
    assert parse(str(system)) == system
    along = directions(system, case.values, names)
    found = evaluate(system, {**case.values, **{f"v.{name}": value for name, value in along.items()}})
    expected = along_direction(first.system, [first.gradients[name] for name in names], case.values, along)
    for name, numeric in zip(names, expected, strict=True):
        close(found[products[name]], numeric, name)


@pytest.mark.parametrize("name, output", [("dense", "z2"), ("conv2d", "s"), ("lstm", "s"), ("attention", "r")])
def test_jacobian_vector_product(name: str, output: str) -> None:
    case = CASES[name]
    names = parameters_of(case)
    system, product = jacobian_vector_product(case.system, output, names)
    along = directions(system, case.values, names)
    given = {**case.values, **{f"v.{name}": value for name, value in along.items()}}
    given["u"] = np.random.default_rng(2).normal(size=evaluate(case.system, case.values)[output].shape)
    (expected,) = along_direction(case.system, [output], case.values, along)
    close(evaluate(system, given)[product], expected, output)


@pytest.mark.parametrize("name, output", [("dense", "z2"), ("softmax", "s"), ("elman", "h")])
def test_gauss_newton_product(name: str, output: str) -> None:
    """G·v = Jᵀ H J v, assembled here from a full Jacobian by columns."""
    case = CASES[name]
    # V stands between the output and the cost, where it belongs to neither J nor H.
    kept = [name for name in parameters_of(case) if name != "V"]
    system, products = gauss_newton_product(case.system, "C", output, kept)
    along = directions(system, case.values, kept)
    given = {**case.values, **{f"v.{name}": value for name, value in along.items()}}
    found = evaluate(system, given)
    (jv,) = along_direction(case.system, [output], case.values, along)
    # H of the cost in the output, times J·v: how ∂C/∂output changes when the output moves along J·v.
    freed = free_output(case.system, output)
    gradient = derive(freed, "C", [output])
    at = {**case.values, output: evaluate(case.system, case.values)[output]}
    (hjv,) = along_direction(gradient.system, [gradient.gradients[output]], at, {output: jv})
    for name in kept:
        expected = np.zeros(case.values[name].shape)
        for position in np.ndindex(expected.shape):
            unit = np.zeros(expected.shape)
            unit[position] = 1
            (column,) = along_direction(case.system, [output], case.values, {name: unit})
            expected[position] = (column * hjv).sum()
        close(found[products[name]], expected, name)


def free_output(system: System, output: str) -> System:
    """The system in which ``output`` is given instead of computed."""
    text = "\n".join(line for line in str(system).splitlines() if not line.startswith(f"{output}["))
    axes = ",".join(system.tensor_axes[output])
    return parse(f"data {output}[{axes}]\n{text}").subset(["C"])


def test_what_the_gradient_does_not_depend_on() -> None:
    """The second derivative is 0 where the gradient does not change, whether for some tensors or for all."""
    system = parse("data x[b]\nparameter v[b], w[b]\nC = sum[b](x[b]*v[b] + w[b]^2)")
    values = {"x": np.ones(3), "v": np.ones(3), "w": np.ones(3)}
    for names, expected in ((["v", "w"], [0, 2]), (["v"], [0]), (["w"], [2])):
        extended, products = hessian_vector_product(system, "C", names)
        found = evaluate(extended, {**values, "v.v": np.ones(3), "v.w": np.ones(3)})
        for name, each in zip(names, expected, strict=True):
            assert (found[products[name]] == each).all()
