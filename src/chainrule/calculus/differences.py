"""Derived gradients against finite differences, in float64 by the reference evaluator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.node import Access, Number
from chainrule.equations.sizes import axis_classes, solve_sizes
from chainrule.equations.system import System
from chainrule.equations.walk import subexpressions

# A fourth-order stencil: error h⁴, so that a step of 10⁻³ of the value leaves about eleven digits in float64.
_STENCIL = ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12))
_STEP = 1e-3


@dataclass(frozen=True)
class GradientCheck:
    """The element of ∂cost/∂tensor at which the derived value and finite differences differ most.

    ``error`` is |derived - numeric| / (|derived| + |numeric| + floor), the floor being 1e-6 of the largest
    derivative.  ``kinks`` counts elements left out because the cost has a kink there (two step sizes disagree),
    ``checked`` those compared.
    """

    tensor: str
    position: tuple[int, ...]
    derived: float
    numeric: float
    error: float
    checked: int
    kinks: int

    def __str__(self) -> str:
        place = f"[{','.join(map(str, self.position))}]" if self.position else ""
        text = f"∂{self.tensor}{place}: derived {self.derived:.10g}, finite differences {self.numeric:.10g}, "
        text += f"relative error {self.error:.1e} (worst of {self.checked})"
        return text + (f", {self.kinks} at kinks left out" if self.kinks else "")


def check_gradients(
    system: System,
    cost: str,
    values: Mapping[str, ArrayLike],
    wrt: Iterable[str] | None = None,
    *,
    elements: int = 40,
    seed: int = 0,
) -> tuple[GradientCheck, ...]:
    """Compare the derived gradient of every tensor in ``wrt`` (all parameters by default) with finite differences.

    At most ``elements`` of each tensor are compared: half those with the largest derivatives, half at random.
    """
    log = derive(system, cost, wrt)
    given = {name: np.asarray(value) for name, value in values.items()}
    derived = evaluate(log.system, given, seed=seed)
    only = system.subset([cost])
    generator = np.random.default_rng(seed)
    return tuple(
        _check(only, cost, given, name, derived[gradient], elements, seed, generator)
        for name, gradient in log.gradients.items()
        if name in given
    )


def _check(
    system: System,
    cost: str,
    values: Mapping[str, NDArray[Any]],
    name: str,
    derived: NDArray[Any],
    elements: int,
    seed: int,
    generator: np.random.Generator,
) -> GradientCheck:
    finite = np.abs(derived[np.isfinite(derived)])
    floor = 1e-6 * float(np.max(finite, initial=0.0)) + 1e-12
    worst: tuple[float, tuple[int, ...], float, float] = (-1.0, (), 0.0, 0.0)
    kinks = 0
    positions = _positions(derived, elements, generator)
    for position in positions:
        numeric = _difference(system, cost, values, name, position, _STEP, seed)
        exact = float(derived[position])
        error = abs(exact - numeric) / (abs(exact) + abs(numeric) + floor)
        if error > 1e-6:
            finer = _difference(system, cost, values, name, position, _STEP / 20, seed)
            at_kink = abs(finer - numeric) > 1e-4 * (abs(finer) + abs(numeric) + floor)
            numeric = finer
            error = abs(exact - numeric) / (abs(exact) + abs(numeric) + floor)
            if at_kink and error > 1e-6:
                kinks += 1
                continue
        if math.isnan(error):
            error = math.inf
        if error > worst[0]:
            worst = (error, position, exact, numeric)
    error, position, exact, numeric = worst
    return GradientCheck(name, position, exact, numeric, max(error, 0.0), len(positions) - kinks, kinks)


def _positions(derived: NDArray[Any], elements: int, generator: np.random.Generator) -> list[tuple[int, ...]]:
    flat = np.abs(derived).ravel()
    if flat.size <= elements:
        chosen = np.arange(flat.size)
    else:
        largest = np.argsort(flat)[::-1][: elements // 2]
        others = np.setdiff1d(np.arange(flat.size), largest)
        chosen = np.concatenate([largest, generator.choice(others, elements - elements // 2, replace=False)])
    return [tuple(int(i) for i in np.unravel_index(place, derived.shape)) for place in chosen]


def _difference(
    system: System,
    cost: str,
    values: Mapping[str, NDArray[Any]],
    name: str,
    position: tuple[int, ...],
    step: float,
    seed: int,
) -> float:
    varied = values[name].astype(np.float64)
    step *= max(1.0, abs(float(varied[position])))
    total = 0.0
    for times, weight in _STENCIL:
        moved = varied.copy()
        moved[position] += times * step
        total += weight * float(evaluate(system, {**values, name: moved}, seed=seed)[cost])
    return total / step


def sample_values(system: System, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Values to try a system with: small sizes for the axes that have none, normal numbers, integers in range."""
    generator = np.random.default_rng(seed)
    sizes = sample_sizes(system)
    classes = axis_classes(system)
    limits: dict[str, int] = {}
    for equation in system.equations:
        for node in subexpressions(equation.expression):
            if isinstance(node, Access):
                for index, axis in zip(node.indices, system.tensor_axes[node.tensor], strict=True):
                    for part in subexpressions(index):
                        if isinstance(part, Access):
                            size = sizes[classes.get(axis, axis)]
                            limits[part.tensor] = min(size, limits.get(part.tensor, size))
    values: dict[str, NDArray[Any]] = {}
    for tensor in system.inputs:
        shape = tuple(sizes[axis] for axis in tensor.axes)
        if tensor.role == "integer":
            values[tensor.name] = generator.integers(0, limits.get(tensor.name, 2), shape)
        elif tensor.role in ("data", "parameter"):
            values[tensor.name] = generator.normal(size=shape)
    return values


def sample_sizes(system: System) -> dict[str, int]:
    """Sizes of all axes: those declared or related as they are, the others small and different from each other."""
    related = {name for name, relation in system.sizes if relation is not None}
    chosen = system
    smallest = 2
    while True:
        sizes = solve_sizes(chosen, {}, partial=True)
        free = [axis for axis in system.axes if axis not in sizes and axis not in related]
        if not free:
            return sizes
        chosen = System(chosen.equations, chosen.inputs, (*chosen.sizes, (free[0], Number(smallest))))
        smallest = smallest + 1 if smallest < 6 else 2
