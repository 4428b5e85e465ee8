"""Activation functions as the calculus sees them: the slope of an equation in the one tensor that it bends.

Nothing is known here of ReLU or tanh by name.  An equation that applies functions to one element of one tensor is a
curve; its slope is derived, and where that goes to 0 the curve is flat.  A rectifier is flat at one end, a sigmoid at
both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate, values_at
from chainrule.equations.node import Access, Equation, Reduce, access
from chainrule.equations.system import Input, System
from chainrule.equations.walk import rebuild, subexpressions, tensors
from chainrule.walk import Walk

Array = NDArray[Any]

READ = "s"  # what the curve reads
FAR = 1e3  # far out on a curve
STEEPEST = np.linspace(-10, 10, 41)  # where the largest slope of a curve is looked for
FLAT = 1e-3  # of the largest slope


@dataclass(frozen=True, eq=False)
class Curve:
    """An activation: its equation, its slopes [b, …] as shares of its largest, and at how many ends it is flat."""

    equation: Equation
    slopes: Array
    flat_ends: int


def curves(system: System, output: str, walk: Walk) -> Iterator[Curve]:
    """The activations on the way to the ``output`` that are flat somewhere, but not the output itself."""
    forward = system.subset({output})
    for equation in forward.equations:
        if equation.name == output or "b" not in equation.axes or len(equation.axes) < 2:
            continue
        read = _read_at(equation, forward)
        if read is not None:
            curve = _curve(forward, walk, equation, read)
            if curve is not None:
                yield curve


def _read_at(equation: Equation, system: System) -> Access | None:
    """The one read that changes from row to row; None where there are several, a sum, or whole numbers."""
    found = None
    whole = {tensor.name for tensor in system.named("integer")}
    for node in subexpressions(equation.expression):
        if isinstance(node, Reduce) or (isinstance(node, Access) and node.tensor in whole):
            return None
        if isinstance(node, Access) and "b" in system.tensor_axes.get(node.tensor, ()):
            if found is not None and node != found:
                return None
            found = node
    return found if found is not None and found != equation.expression else None


def _curve(system: System, walk: Walk, equation: Equation, read: Access) -> Curve | None:
    """The curve with its slopes on the rows of the walk; None where it is flat nowhere."""
    axes = equation.axes
    scalar = access(READ, axes)

    def swap(node: Any) -> Any:
        return scalar if node == read else rebuild(node, swap)

    bent = Equation("f", axes, swap(equation.expression))
    known = system.tensor_axes
    beside = [name for name in tensors(bent) if name != READ]
    inputs = [Input(READ, axes, "data"), *(Input(name, known[name], "data") for name in beside)]
    total = Equation("total", (), _sum_of("f", axes))
    log = derive(System((bent, total), tuple(inputs), system.sizes).subset({"total"}), "total", [READ])
    given = {name: walk.values[name] for name in beside}

    def slopes(at: Array) -> Array:
        return np.asarray(evaluate(log.system, {**given, READ: at})[log.gradients[READ]])

    values = values_at(read, axes, {}, walk.values, walk.sizes)
    row = np.ones((1, *values.shape[1:]))
    steepest = np.max([np.abs(slopes(point * row)) for point in STEEPEST], axis=0)
    steepest = np.where(steepest > 0, steepest, 1.0)
    ends = [np.mean(np.abs(slopes(end * row)) <= FLAT * steepest) > 0.5 for end in (-FAR, FAR)]
    if not any(ends):
        return None
    return Curve(equation, np.abs(slopes(values)) / steepest, int(sum(ends)))


def _sum_of(name: str, axes: tuple[str, ...]) -> Reduce:
    return Reduce("sum", axes, access(name, axes))
