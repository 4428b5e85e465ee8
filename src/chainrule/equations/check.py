"""What makes a system meaningful, and the error that says why one is not.

``check`` verifies names, axes, kinds (integer or real), recurrences and, where shapes are given, sizes.  The two
things it finds on the way are of use by themselves: ``kinds`` and ``order`` (in ``order.py``), ``solve_sizes`` (in
``sizes.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Equation, Index, Number, Reduce
from chainrule.equations.order import order
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.equations.walk import children, free_axes, subexpressions
from chainrule.equations.write import write_with_spans
from chainrule.errors import EquationError, Source


def check(system: System, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Raise EquationError, quoting the equation with a caret, unless the system has a meaning.

    ``shapes`` (tensor name → sizes) solves and checks the sizes of axes too.
    """
    _check_names(system)
    for equation in system.equations:
        _check_scope(system, equation, equation.expression, set(equation.axes), ())
    kinds(system)
    order(system)
    solve_sizes(system, shapes or {}, partial=True)


def fail(system: System, equation: Equation, path: tuple[object, ...], message: str) -> EquationError:
    """The error for a part of an equation, quoted as the user wrote it or, failing that, as it is written."""
    source = system.sources.get(equation.name)
    if source is None or source.spans.get(path) is None:
        text, spans = write_with_spans(equation)
        source = Source(text, "<system>", 1 + list(system.by_name).index(equation.name), spans)
    while path not in source.spans and path:
        path = path[:-1]
    return EquationError(message, source, source.spans.get(path, (0, len(source.text))))


def path_of(expression: Any, wanted: Any) -> tuple[object, ...] | None:
    """The path to the first occurrence of a node."""
    if expression is wanted:
        return ()
    for position, child in enumerate(children(expression)):
        path = path_of(child, wanted)
        if path is not None:
            return (position, *path)
    return None


def _check_names(system: System) -> None:
    seen: set[str] = {tensor.name for tensor in system.inputs}
    if len(seen) < len(system.inputs):
        names = [tensor.name for tensor in system.inputs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EquationError(f"{twice} is declared twice")
    for equation in system.equations:
        if equation.name in seen:
            raise fail(system, equation, ("left",), f"{equation.name} is already given")
        seen.add(equation.name)
        for name in equation.axes:
            if equation.axes.count(name) > 1:
                raise fail(system, equation, ("left",), f"axis {name} stands twice on the left")
        target = equation.name.removesuffix("'")
        if target != equation.name:
            updated = system.input_by_name.get(target)
            if updated is not None and updated.role in ("parameter", "state") and updated.axes != equation.axes:
                raise fail(system, equation, ("left",),
                           f"{equation.name} is the next value of {target}[{','.join(updated.axes)}]; "
                           "give it the same axes")


def _check_scope(system: System, equation: Equation, node: Any, scope: set[str], path: tuple[object, ...]) -> None:
    match node:
        case Index():
            for name in free_axes(node):
                if name not in scope:
                    bound = ", ".join(sorted(scope)) or "none"
                    raise fail(system, equation, path,
                               f"unknown axis {name}: it is neither on the left nor summed over (axes here: {bound})")
        case Access(tensor, indices):
            axes = system.tensor_axes.get(tensor)
            if axes is None:
                near = difflib.get_close_matches(tensor, system.tensor_axes, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise fail(system, equation, path, f"{tensor} is neither declared nor defined{hint}")
            if len(indices) != len(axes):
                shape = f"[{','.join(axes)}]" if axes else " (no axes)"
                raise fail(system, equation, path,
                           f"{tensor}{shape} has {len(axes)} ax{'is' if len(axes) == 1 else 'es'}, "
                           f"read here with {len(indices)}")
        case Apply(function, arguments):
            row = FUNCTIONS.get(function)
            if row is None or row.arity is not None and row.arity != len(arguments):
                raise fail(system, equation, path, f"{function} of {len(arguments)} arguments is no function")
        case Reduce(_, axes, _):
            scope = scope | set(axes)
    for position, child in enumerate(children(node)):
        _check_scope(system, equation, child, scope, (*path, position))


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
                real = [e.name for e in block.equations
                        if found[e.name] == "integer" and kind_of(e.expression, found) == "real"]
                if not real:
                    break
                found.update(dict.fromkeys(real, "real"))
    for equation in system.equations:
        for node in subexpressions(equation.expression):
            if isinstance(node, Access):
                for index in node.indices:
                    if kind_of(index, found) != "integer":
                        path = path_of(equation.expression, index) or ()
                        raise fail(system, equation, path,
                                   f"{index} is real; a position in {node.tensor} must be an integer")
            elif isinstance(node, Apply) and node.function in ("//", "%"):
                for argument in node.arguments:
                    if kind_of(argument, found) != "integer":
                        path = path_of(equation.expression, node) or ()
                        raise fail(system, equation, path, f"{node.function} is for integers; {argument} is real")
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


