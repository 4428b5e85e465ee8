"""The Gauss–Newton matrix of a network's loss on rows, in blocks of rows.

The equations are those of ``calculus/curvature.py``; here they are compiled and their results added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.curvature import (
    ALONG,
    KroneckerFactors,
    RowGradients,
    kronecker,
    output_curvature,
    row_gradients,
    squares,
)
from chainrule.equations.node import Equation
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.errors import ChainruleError
from chainrule.probability.posterior import Block, Diagonal, Kronecker, Whole
from chainrule.training.programs import program
from chainrule.training.step import TrainingStep

Array = NDArray[Any]

WHOLE = 1024  # numbers: a parameter of so many has a whole block where it has no Kronecker factors


@dataclass(frozen=True)
class Linearized:
    """A network around the values of its parameters: its outputs and their derivatives, row by row, in float64.

    ``names``: the parameters to differentiate with respect to; ``values``: all parameters and states.
    """

    step: TrainingStep
    values: Mapping[str, Array]
    names: tuple[str, ...]
    backend: str | None = None

    @cached_property
    def gradients(self) -> RowGradients:
        return row_gradients(self.step.prediction_system, self.step.output.name, self.names)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The sizes of the parameters differentiated."""
        sizes = solve_sizes(self.step.prediction_system, {}, partial=True)
        axes = self.step.prediction_system.tensor_axes
        return {name: tuple(sizes[axis] for axis in axes[name]) for name in self.names}

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        sizes = solve_sizes(self.step.prediction_system, {}, partial=True)
        return tuple(sizes[axis] for axis in self.step.output.axes[1:])

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return prod(self.output_shape)

    @property
    def numbers(self) -> int:
        """How many numbers the parameters have that are differentiated."""
        return sum(map(prod, self.shapes.values()))

    def output(self, rows: Mapping[str, Array]) -> Array:
        """The network's output, [b, …]."""
        name = self.step.output.name
        return self._run(self.step.prediction_system, (name,), rows)[name]

    def jacobian(self, rows: Mapping[str, Array]) -> dict[str, Array]:
        """The derivatives of each row's outputs: parameter → [b, k, axes of the parameter], k counting the outputs."""
        count = len(rows["x"])
        unit = np.eye(self.outputs).reshape(self.outputs, 1, *self.output_shape)
        along = np.broadcast_to(unit, (self.outputs, count, *self.output_shape))
        return {name: np.swapaxes(found, 0, 1) for name, found in self.pulled(rows, along).items()}

    def pulled(self, rows: Mapping[str, Array], along: Array) -> dict[str, Array]:
        """vᵀJ for directions v [direction, b, …]: parameter → [direction, b, axes of the parameter]."""
        made = self.gradients
        found = self._run(made.system, tuple(made.gradients.values()), {**rows, ALONG: along})
        return {name: found[gradient] for name, gradient in made.gradients.items()}

    def run(self, system: System, outputs: Iterable[str], rows: Mapping[str, Array], along: Array) -> dict[str, Array]:
        """Tensors of a system made from that of the gradients."""
        return self._run(system, tuple(outputs), {**rows, ALONG: along})

    def _run(self, system: System, outputs: tuple[str, ...], values: Mapping[str, Array]) -> dict[str, Array]:
        wanted = system.subset(outputs)
        given = {name: value for name, value in values.items() if name in wanted.input_by_name}
        state = {name: value for name, value in self.values.items() if name in wanted.input_by_name}
        return program(wanted, outputs, "float64", self.backend).run(given, dict(state))


def loss_curvature(
    step: TrainingStep, output: Array, targets: Mapping[str, Array], backend: str | None = None
) -> tuple[Array, Array]:
    """The loss L [b] of rows and Λ [b, k, k], its second derivative in their outputs [b, …].

    ``targets``: what the loss reads beside the output.
    """
    system, along, product = output_curvature(step.evaluation, "L", step.output.name)
    count, shape = len(output), output.shape[1:]
    outputs = prod(shape)
    unit = np.broadcast_to(np.eye(outputs).reshape(outputs, 1, *shape), (outputs, count, *shape))
    wanted = system.subset(("L", product))
    values = {**targets, step.output.name: output, along: unit}
    given = {name: value for name, value in values.items() if name in wanted.input_by_name}
    found = program(wanted, ("L", product), "float64", backend).run(given, {})
    return found["L"], np.swapaxes(found[product].reshape(outputs, count, outputs), 0, 1)


def root(curvature: Array, shape: tuple[int, ...]) -> Array:
    """The columns of a root R of each row's Λ = R Rᵀ [b, k, k] as directions [direction, b, …].

    Raises ChainruleError where Λ has a negative eigenvalue: the loss is then not convex in the output.
    """
    values, vectors = np.linalg.eigh(curvature)
    if values.min() < -1e-9 * max(np.abs(values).max(), 1e-300):
        raise ChainruleError("the loss is not convex in the network's output, so its curvature is no precision")
    columns = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return np.ascontiguousarray(np.moveaxis(columns, 2, 0)).reshape(len(columns[0]), len(columns), *shape)


Rows = Iterable[tuple[Mapping[str, Array], Array]]  # what the network reads, and the columns of a root of Λ


Totals = dict[str, Any]  # what is added up over blocks of rows


def _whole_totals(network: Linearized, blocks: Rows) -> Totals:
    total = np.zeros((network.numbers, network.numbers))
    for rows, along in blocks:
        found = network.pulled(rows, along)
        count = along.shape[0] * along.shape[1]
        flat = np.concatenate([found[name].reshape(count, -1) for name in network.names], axis=1)
        total += flat.T @ flat
    return {"whole": total}


def _whole_blocks(network: Linearized, totals: Totals) -> tuple[Block, ...]:
    return (Whole.of(network.names, totals["whole"]),)


def _diagonal_totals(network: Linearized, blocks: Rows) -> Totals:
    return _added(network, squares(network.gradients).values(), blocks)


def _diagonal_blocks(network: Linearized, totals: Totals) -> tuple[Block, ...]:
    equations = squares(network.gradients)
    return tuple(Diagonal((name,), totals[equation.name].ravel()) for name, equation in equations.items())


def _kronecker_totals(network: Linearized, blocks: Rows) -> Totals:
    moments, forms = kronecker(network.gradients, WHOLE)
    others = [equation for name, equation in squares(network.gradients).items() if forms[name] is None]
    return _added(network, (*moments, *others), blocks)


def _kronecker_blocks(network: Linearized, totals: Totals) -> tuple[Block, ...]:
    forms, diagonals = kronecker(network.gradients, WHOLE)[1], squares(network.gradients)
    return tuple(
        Diagonal((name,), totals[diagonals[name].name].ravel())
        if form is None
        else _block(name, network.shapes[name], form, totals)
        for name, form in forms.items()
    )


def _added(network: Linearized, equations: Iterable[Equation], blocks: Rows) -> Totals:
    """What the equations, put behind those of the gradients, give for each block of rows, added up."""
    system = network.gradients.system.extended(equations)
    names = tuple(equation.name for equation in system.equations[len(network.gradients.system.equations) :])
    totals: Totals = dict.fromkeys(names, 0.0)
    for rows, along in blocks:
        found = network.run(system, names, rows, along)
        for name in names:
            totals[name] = totals[name] + found[name]
    return totals


@dataclass(frozen=True)
class Structure:
    """What is kept of G: ``totals`` adds it up over blocks of rows, ``blocks`` decomposes the totals."""

    totals: Callable[[Linearized, Rows], Totals]
    blocks: Callable[[Linearized, Totals], tuple[Block, ...]]


WHOLE_MATRIX = Structure(_whole_totals, _whole_blocks)
STRUCTURES = {
    "last_layer": WHOLE_MATRIX,  # of the parameters of the last layer
    "diagonal": Structure(_diagonal_totals, _diagonal_blocks),
    "kronecker": Structure(_kronecker_totals, _kronecker_blocks),  # where a gradient allows it, or whole, or diagonal
    "full": WHOLE_MATRIX,
}


def _block(name: str, shape: tuple[int, ...], form: KroneckerFactors | str, total: Mapping[str, Array]) -> Block:
    if isinstance(form, str):
        return Whole.of((name,), total[form].reshape(prod(shape), prod(shape)))
    left, right = (total[moment] for moment in form.moments)
    p, q = prod(shape[axis] for axis in form.left), prod(shape[axis] for axis in form.right)
    order = (*form.left, *form.right)
    return Kronecker.of(name, left.reshape(p, p) / total[form.count], right.reshape(q, q), order, shape)
