"""A system and an equation on their own: what is read, what is known of axes, the equations in both forms."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.equations.node import Equation
from chainrule.equations.system import System
from chainrule.notation.compose import compose, with_axes
from chainrule.notation.document import Block, Document, Formulas, Heading, Legend, Line, Words
from chainrule.notation.layout import EQUALS, row
from chainrule.notation.names import Names, axis_box
from chainrule.notation.remarks import listing
from chainrule.notation.sections import sections
from chainrule.notation.story import ROLES, equation_line


def system_document(system: System) -> Document:
    """A system as a document, layer by layer where it has many."""
    return Document(("A system of equations",), tuple(_blocks(system)))


def equation_document(equation: Equation) -> Document:
    """One equation as a document, in index form: what it reads may be of any kind."""
    names = Names(System((equation,)))
    line = Line(with_axes(equation, names), compose(equation.expression, names))
    return Document((equation.name,), (Formulas((line,)),))


def _blocks(system: System) -> Iterator[Block]:
    names = Names(system)
    rows = [*_inputs(system, names), *_sizes(system, names)]
    if rows:
        yield Legend(tuple(rows))
    parts = sections([equation.name for equation in system.equations])
    for scope, members in parts:
        if len(parts) > 1:
            yield Heading((scope or "of no layer",), 3)
        yield Formulas(tuple(equation_line(system.by_name[name], names) for name in members))


def _inputs(system: System, names: Names) -> Iterator[tuple[Words, Words]]:
    for role, meaning in ROLES.items():
        found = [with_axes(tensor, names) for tensor in system.inputs if tensor.role == role]
        if found:
            yield (role,), (*listing(found), f": {meaning}")


def _sizes(system: System, names: Names) -> Iterator[tuple[Words, Words]]:
    known = [
        row(names.size(axis), EQUALS, compose(size, names)) if size is not None else axis_box(axis)
        for axis, size in system.sizes
    ]
    if known:
        yield ("axes",), listing(known)
