"""Integers and reals: what kind of number each tensor holds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Index, Number, Reduce
from chainrule.equations.order import order
from chainrule.equations.places import fail
from chainrule.equations.system import System
from chainrule.equations.walk import occurrences


@lru_cache(maxsize=512)
def kinds(system: System) -> Mapping[str, str]:
    """``"integer"`` or ``"real"`` for every tensor.  A position that is not an integer is refused."""
    found: dict[str, str] = {t.name: "integer" if t.role == "integer" else "real" for t in system.inputs}
    for block in order(system):
        if block.axis is None:
            found[block.equations[0].name] = kind_of(block.equations[0].expression, found)
        else:
            found.update((equation.name, "integer") for equation in block.equations)
            while True:
                real = [
                    e.name
                    for e in block.equations
                    if found[e.name] == "integer" and kind_of(e.expression, found) == "real"
                ]
                if not real:
                    break
                found.update(dict.fromkeys(real, "real"))
    for equation in system.equations:
        for path, node, _ in occurrences(equation.expression):
            if isinstance(node, Access):
                for position, index in enumerate(node.indices):
                    if kind_of(index, found) != "integer":
                        message = f"{index} is real; a position in {node.tensor} must be an integer"
                        raise fail(system, equation, (*path, position), message)
            elif isinstance(node, Apply) and node.function in ("//", "%"):
                for position, argument in enumerate(node.arguments):
                    if kind_of(argument, found) != "integer":
                        message = f"{argument} is real; {node.function} is for integers"
                        raise fail(system, equation, (*path, position), message)
    return found


def kind_of(node: Any, kinds_of_tensors: Mapping[str, str]) -> str:
    """The kind of an expression, given those of the tensors it reads."""
    match node:
        case Number(value):
            return "real" if isinstance(value, float) else "integer"
        case Index():
            return "integer"
        case Access(tensor, _):
            return kinds_of_tensors[tensor]
        case Reduce("argmax" | "argmin", _, _):
            return "integer"
        case Reduce("sum" | "max" | "min", _, body):
            return kind_of(body, kinds_of_tensors)
        case Apply("where", (_, left, right)):
            both = (kind_of(left, kinds_of_tensors), kind_of(right, kinds_of_tensors))
            return "integer" if both == ("integer", "integer") else "real"
        case Apply(function, arguments):
            if function in COMPARISONS:
                return "integer"
            if FUNCTIONS[function].integer and all(kind_of(a, kinds_of_tensors) == "integer" for a in arguments):
                return "integer"
    return "real"
