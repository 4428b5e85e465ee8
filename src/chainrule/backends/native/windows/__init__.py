"""*windows*: sums over positions of a window, written so that they are products or plain reads.

A convolution and its gradients, pooling and theirs read at positions that several axes make together (``2·p + u - 1``).
They are narrowed (``narrow.py``), split by remainders (``phase.py``), turned and padded (``product.py``), for the sizes
of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.backends.native.windows.names import Names
from chainrule.backends.native.windows.narrow import Narrowing
from chainrule.backends.native.windows.product import Products
from chainrule.equations.node import Equation, Reduce
from chainrule.equations.order import order
from chainrule.equations.system import System
from chainrule.equations.walk import rebuild

__all__ = ["windowed"]


def windowed(system: System, sizes: Mapping[str, int]) -> tuple[System, Mapping[str, int]]:
    """All rewritings, for the sizes of a run, to which those of new axes are added.  Recurrences stay as they are."""
    names = Names(system, sizes)
    narrowing, products = Narrowing(names), Products(names)

    def rewritten(node: Any, equation: Equation) -> Any:
        node = rebuild(node, lambda child: rewritten(child, equation))
        if isinstance(node, Reduce) and node.operation == "sum":
            node = narrowing.narrowed(node)
            if isinstance(node, Reduce):
                node = products.product(node, equation)
        return node

    circular = {e.name for block in order(system) if block.axis is not None for e in block.equations}
    for equation in system.equations:
        changed = equation
        if equation.name not in circular:
            changed = Equation(equation.name, equation.axes, rewritten(equation.expression, equation))
        names.equations.append(changed)
    if names.equations == list(system.equations):
        return system, names.sizes
    made = System(tuple(names.equations), system.inputs, (*system.sizes, *names.declared), system.sources)
    return made, names.sizes
