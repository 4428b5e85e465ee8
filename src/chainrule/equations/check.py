"""What makes a system meaningful, and the error that says why one is not.

``check`` verifies names, axes, kinds (integer or real), recurrences and, where shapes are given, sizes.  The two
things it finds on the way are of use by themselves: ``kinds`` (in ``kinds.py``), ``order`` (``order.py``) and
``solve_sizes`` (``sizes.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.grammar import is_function
from chainrule.equations.kinds import kinds
from chainrule.equations.node import Access, Apply, Equation, Index, Number, Reduce, base_axis
from chainrule.equations.order import order
from chainrule.equations.places import fail, quote
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System, size_names
from chainrule.equations.walk import children, free_axes
from chainrule.errors import EquationError


def check(system: System, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Raise EquationError, quoting the equation with a caret, unless the system has a meaning.

    ``shapes`` (tensor name → sizes) solves and checks the sizes of axes too.
    """
    _check_names(system)
    _check_size_declarations(system)
    for equation in system.equations:
        _check_scope(system, equation, equation.expression, set(equation.axes), ())
    kinds(system)
    order(system)
    solve_sizes(system, shapes or {}, partial=True)


def _check_names(system: System) -> None:
    seen: set[str] = set()
    for tensor in system.inputs:
        if tensor.name in seen:
            raise EquationError(f"{tensor.name} is declared twice")
        seen.add(tensor.name)
        if is_function(tensor.name):
            raise quote(system, tensor.name, f"{tensor.name} is the name of a function")
        for name in tensor.axes:
            if tensor.axes.count(name) > 1:
                message = f"axis {name} stands twice on {tensor.name}; write {name}' for a second copy of it"
                raise quote(system, tensor.name, message)
    for equation in system.equations:
        if equation.name in seen:
            raise fail(system, equation, ("left",), f"{equation.name} is already given")
        seen.add(equation.name)
        if is_function(equation.name):
            raise fail(system, equation, ("left",), f"{equation.name} is the name of a function")
        for name in equation.axes:
            if equation.axes.count(name) > 1:
                message = f"axis {name} stands twice on {equation.name}; write {name}' for a second copy of it"
                raise fail(system, equation, ("left",), message)
        target = equation.name.removesuffix("'")
        if target != equation.name:
            updated = system.input_by_name.get(target)
            if updated is not None and updated.role in ("parameter", "state") and updated.axes != equation.axes:
                raise fail(
                    system,
                    equation,
                    ("left",),
                    f"{equation.name} is the next value of {target}[{','.join(updated.axes)}]; give it the same axes",
                )


def _check_size_declarations(system: System) -> None:
    for name, relation in system.sizes:
        for other in size_names(relation):
            if base_axis(other) not in map(base_axis, system.axes):
                raise quote(system, f"axis {name}", f"size({other}) is the size of an axis that occurs nowhere else")


def _check_scope(system: System, equation: Equation, node: Any, scope: set[str], path: tuple[object, ...]) -> None:
    match node:
        case Number(str(name)):
            if base_axis(name) not in map(base_axis, system.axes):
                raise fail(system, equation, path, f"size({name}) is the size of an axis that occurs nowhere else")
        case Index():
            for name in free_axes(node):
                if name not in scope:
                    bound = ", ".join(sorted(scope)) or "none"
                    raise fail(
                        system,
                        equation,
                        path,
                        f"unknown axis {name}: it is neither on the left nor summed over (axes here: {bound})",
                    )
        case Access(tensor, indices):
            axes = system.tensor_axes.get(tensor)
            if axes is None:
                near = difflib.get_close_matches(tensor, system.tensor_axes, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise fail(system, equation, path, f"{tensor} is neither declared nor defined{hint}")
            if len(indices) != len(axes):
                has = f"{tensor}[{','.join(axes)}] has {len(axes)} ax{'is' if len(axes) == 1 else 'es'}"
                has = has if axes else f"{tensor} has no axes"
                raise fail(system, equation, path, f"{has}, read here with {len(indices)}")
        case Apply(function, arguments):
            row = FUNCTIONS.get(function)
            if row is None or (row.arity is not None and row.arity != len(arguments)):
                raise fail(system, equation, path, f"{function} of {len(arguments)} arguments is no function")
            if function in ("//", "%") and arguments[1] in (Number(0), Index((), 0)):
                raise fail(system, equation, path, "division by zero")
        case Reduce(operation, axes, _):
            if len(set(axes)) < len(axes):
                raise fail(system, equation, path, f"{operation} names an axis twice")
            scope = scope | set(axes)
    for position, child in enumerate(children(node)):
        _check_scope(system, equation, child, scope, (*path, position))
