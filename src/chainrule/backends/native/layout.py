"""*layout*: the axis of a recurrence comes first in memory.

A step of a recurrence then reads and writes one contiguous block of each of its tensors, with all rows of the batch
side by side, and what is computed for all steps at once, before and after it, is one product over (step, row).  Also
where that reads the step before, as ``∂U[l,k] = sum[b,t](∂z[b,t,k]*h[b,t-1,l])`` does, the steps are a contiguous part.
Inputs and results keep the order that they were given.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chainrule.equations.node import Access, Equation
from chainrule.equations.order import order
from chainrule.equations.sizes import axis_classes
from chainrule.equations.system import System
from chainrule.equations.walk import rebuild


def recurrent_axes_first(system: System, kept: Collection[str]) -> System:
    """The system with the axes of its recurrences in front, in every tensor that is not to be ``kept``."""
    classes = axis_classes(system)
    recurrent = {classes.get(block.axis, block.axis) for block in order(system) if block.axis is not None}
    if not recurrent:
        return system
    places: dict[str, tuple[int, ...]] = {}  # tensor → where each of its axes was
    for equation in system.equations:
        if equation.name in kept:
            continue
        axes = equation.axes
        order_now = tuple(range(len(axes)))
        moved = tuple(sorted(order_now, key=lambda place: classes.get(axes[place], axes[place]) not in recurrent))
        if moved != order_now:
            places[equation.name] = moved

    def ordered(node: Any) -> Any:
        node = rebuild(node, ordered)
        if isinstance(node, Access) and node.tensor in places:
            return Access(node.tensor, tuple(node.indices[place] for place in places[node.tensor]))
        return node

    equations = []
    for equation in system.equations:
        moved = places.get(equation.name, tuple(range(len(equation.axes))))
        axes = tuple(equation.axes[place] for place in moved)
        equations.append(Equation(equation.name, axes, ordered(equation.expression)))
    return System(tuple(equations), system.inputs, system.sizes, system.sources)
