"""Where the parts of an equation stand, and the error that points at one."""

from __future__ import annotations

from typing import Any

from chainrule.equations.node import Equation
from chainrule.equations.system import System
from chainrule.equations.walk import children
from chainrule.equations.write import write_with_spans
from chainrule.errors import ChainruleError, EquationError, Source


def fail(system: System, equation: Equation, path: tuple[object, ...], message: str) -> EquationError:
    """The error for a part of an equation, quoted as the user wrote it or, failing that, as it is written."""
    source = system.sources.get(equation.name)
    if source is None:
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


def quote(system: System, name: str, message: str) -> ChainruleError:
    """The error for a declaration (``x``, ``axis i``), quoted where it was written."""
    source = system.sources.get(name)
    return ChainruleError(message) if source is None else EquationError(message, source, source.spans["left",])
