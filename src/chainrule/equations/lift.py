"""Many systems as one: the same equations for each position of a new axis.

``lift`` writes an axis ``e`` in front of chosen inputs and of everything that depends on them; what does not depend on
them is there once and shared.  An ensemble of networks is the training step of one of them, lifted; gradients for each
example are those of a network whose parameters are lifted along the rows.  ``lowered`` goes back: it finds an axis that
nothing sums over and nothing shifts, so that the equations of each position could stand alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from chainrule.equations.node import Access, Equation, Expression, Index, Number, Reduce, axis, plain_axis
from chainrule.equations.system import System
from chainrule.equations.walk import rebuild, tensors
from chainrule.errors import ChainruleError


def lift(system: System, along: str, size: int | None, inputs: Iterable[str]) -> System:
    """The system for each position of the new axis ``along`` of so many positions (None: solved from data).

    ``inputs``: those that differ from position to position; the others are the same for all.
    Raises ChainruleError where the system has such an axis already, or no such input.
    """
    lifted = set(inputs)
    if along in system.axes:
        raise ChainruleError(f"the system has an axis {along} already; lift it along another")
    unknown = lifted - system.input_by_name.keys()
    if unknown:
        raise ChainruleError(f"the system reads no {min(unknown)}; it cannot be lifted")
    spread(system, lifted)

    def change(node: Any) -> Any:
        if isinstance(node, Access) and node.tensor in lifted:
            return Access(node.tensor, (axis(along), *map(change, node.indices)))
        return rebuild(node, change)

    equations = tuple(
        Equation(equation.name, (along, *equation.axes), change(equation.expression))
        if equation.name in lifted
        else equation
        for equation in system.equations
    )
    wider = tuple(replace(t, axes=(along, *t.axes)) if t.name in lifted else t for t in system.inputs)
    declared: Expression | None = None if size is None else Number(size)
    return System(equations, wider, ((along, declared), *system.sizes), system.sources)


def spread(system: System, names: set[str]) -> None:
    """Add to ``names`` everything that depends on what is in it."""
    before = -1
    while len(names) > before:
        before = len(names)
        names.update(e.name for e in system.equations if not names.isdisjoint(tensors(e)))


def lowered(system: System) -> tuple[str, System] | None:
    """An axis along which the system is many separate ones, and one of them; None where there is no such axis.

    Everything with the axis has it first and is read at the same position of it; nothing is drawn at random along it,
    as random numbers depend on the position.
    """
    first = dict.fromkeys(axes[0] for axes in system.tensor_axes.values() if axes)
    along = next((name for name in first if _is_separate(system, name)), None)
    return None if along is None else (along, _without(system, along))


def lowered_along(system: System, along: str) -> System | None:
    """One of the separate systems that this one is along an axis; None where they are not separate."""
    return _without(system, along) if _is_separate(system, along) else None


def _without(system: System, along: str) -> System:
    """One of the systems along an axis along which they are separate."""

    def change(node: Any) -> Any:
        if isinstance(node, Access) and system.tensor_axes[node.tensor][:1] == (along,):
            return Access(node.tensor, tuple(map(change, node.indices[1:])))
        return rebuild(node, change)

    equations = tuple(
        Equation(e.name, e.axes[1:] if e.axes[:1] == (along,) else e.axes, change(e.expression))
        for e in system.equations
    )
    inputs = tuple(replace(t, axes=t.axes[1:]) if t.axes[:1] == (along,) else t for t in system.inputs)
    return System(equations, inputs, tuple(s for s in system.sizes if s[0] != along), system.sources)


def _is_separate(system: System, along: str) -> bool:
    carried = {*system.updates, *(name + "'" for name in system.updates)}
    for name, axes in system.tensor_axes.items():
        if along in axes[1:] or (name in carried and axes[:1] != (along,)):
            return False
    if any(along in tensor.axes for tensor in system.named("random")):
        return False
    return all(keeps_apart(system, along, equation.expression) for equation in system.equations)


def keeps_apart(system: System, along: str, node: Any) -> bool:
    """Whether an expression uses the axis only to read each tensor at its own position."""
    match node:
        case Access(tensor, indices):
            if system.tensor_axes[tensor][:1] == (along,):
                return plain_axis(indices[0]) == along and all(keeps_apart(system, along, i) for i in indices[1:])
            return all(keeps_apart(system, along, index) for index in indices)
        case Reduce(_, axes, body):
            return along not in axes and keeps_apart(system, along, body)
        case Index(terms, _):
            return all(
                atom != along if isinstance(atom, str) else keeps_apart(system, along, atom) for _, atom in terms
            )
        case Number(value):
            return value != along
    return all(keeps_apart(system, along, child) for child in getattr(node, "arguments", ()))
