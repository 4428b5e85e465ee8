"""Derivatives put into each other: the compact forms of normalization, from the derivatives of its mean and variance.

A derivation names every derivative and inserts none.  A *statistic* s of a tensor z, such as its mean, is read beside z
by what z is normalized with; there the textbook's form of ∂z is the one without ∂s:

    ∂z = (∂n − mean(∂n) − n·mean(∂n·n))/√(v + ε)        (Ioffe, Szegedy 2015, §3, after simplification)
"""

from __future__ import annotations

from typing import Any

from chainrule.calculus.derivation import Log, Step
from chainrule.calculus.passes import plain_names, simplify
from chainrule.calculus.recognise import Context, definitions
from chainrule.equations.node import Access, Equation, Reduce
from chainrule.equations.sizes import axis_classes
from chainrule.equations.walk import rebuild, subexpressions, substitute, tensors


def statistics(log: Log, tensor: str) -> tuple[str, ...]:
    """The statistics of a tensor: sums over some of its axes that are read beside it, in the order of the system."""
    axes = set(log.system.tensor_axes[tensor])
    found: list[str] = []
    for equation in log.forward.equations:
        reduced = any(isinstance(node, Reduce) for node in subexpressions(equation.expression))
        if equation.name not in log.adjoints or not reduced or not set(equation.axes) < axes:
            continue
        beside = any({tensor, equation.name} <= set(tensors(reader)) for reader in log.forward.equations)
        if beside and tensor in tensors(equation):
            found.append(equation.name)
    return tuple(found)


def without_statistics(log: Log, tensor: str) -> tuple[tuple[str, ...], tuple[Step, ...]]:
    """The statistics whose derivatives ∂tensor reads, and the steps that put these into it and simplify it."""
    derived = {equation.name: equation for equation in log.equations}
    given = derived[log.adjoints[tensor]]
    equation = given
    used: list[str] = []
    for name in statistics(log, tensor):
        if log.adjoints[name] in tensors(equation):
            used.append(name)
            equation = inserted(equation, derived[log.adjoints[name]])
    if not used:
        return (), ()
    reason = f"the derivatives with respect to {' and '.join(used)} are known by now"
    equation = Equation(equation.name, equation.axes, plain_names(equation.expression, equation.axes))
    step = Step(tensor, "insertion", given, equation, reason)
    axes = log.system.tensor_axes
    context = Context(axis_classes(log.forward), axes, definitions(log.forward))
    _, steps = simplify(tensor, equation, context)
    return tuple(used), (step, *steps)


def inserted(equation: Equation, definition: Equation) -> Equation:
    """The equation with every read of a quantity replaced by the quantity's definition."""

    def visit(node: Any) -> Any:
        if isinstance(node, Access) and node.tensor == definition.name:
            return substitute(definition.expression, dict(zip(definition.axes, node.indices, strict=True)))
        return rebuild(node, visit)

    return Equation(equation.name, equation.axes, visit(equation.expression))
