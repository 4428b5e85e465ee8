"""Contractions seen through a window: which rows and terms are found in tables, and the call of ``window_T``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod

from chainrule.backends.native import ir
from chainrule.backends.native.ir import Value, integer
from chainrule.backends.native.statements import Contraction, Operand
from chainrule.backends.native.strides import Place, Steps

MOST_LISTED = 16_384  # rows of a window product


def listed_rows(steps: Steps, statement: Contraction, result: Operand, along: str | None) -> tuple[str, ...]:
    """The last rows that are one in the result, whose places in A do not depend on the data's sizes."""
    found: list[str] = []
    for axis in reversed(statement.rows):
        fits = not found or steps.fit(axis, found[0], (result,))
        if axis == along or not steps.is_fixed(statement.left, axis) or not fits:
            break
        found.insert(0, axis)
    return tuple(found) if 0 < prod(map(steps.space.size, found)) <= MOST_LISTED else ()


def window_terms(
    steps: Steps, order: Sequence[str], left: Operand, right: Operand
) -> tuple[list[str], tuple[str, ...]] | None:
    """The last of the summed axes, outermost first, that are one in B; and those of them that are one in A as well."""
    k: list[str] = []
    for axis in reversed(order):
        fits = not k or steps.fit(axis, k[0], (right,))
        if not steps.is_fixed(left, axis) or not fits:
            break
        k.insert(0, axis)
    if not k:
        return None
    run = [k[-1]]
    for axis in reversed(k[:-1]):
        if not steps.fit(axis, run[0], (left,)):
            break
        run.insert(0, axis)
    return k, tuple(run)


def call_window(
    steps: Steps,
    place: Place,
    left: Operand,
    axes: tuple[Sequence[str], Sequence[str], Sequence[str]],
    arguments: tuple[Value, ...],
    k0: tuple[Value, Value],
) -> None:
    """A call of ``window_T``, with tables of where rows and runs of k begin; the first of the rows may be a part.

    ``axes``: those of the rows, of k1 and of k2.  ``k0``: the step of A along it and its size.
    """
    f, space = place.function, steps.space
    rows, runs, run = axes
    a, b, sbk, sbp, c, ldc, n, accumulate, scratch = arguments
    name = "f32" if space.element == "float" else "f64"
    first, *others = rows
    m = integer(prod(space.size(axis) for axis in rows))
    if first in place.ranges:
        low, high = place.ranges[first]
        inner = prod(space.size(axis) for axis in others)
        m = f.mul(f.sub(high, low), integer(inner))
    kinds = ["ptr", "ptr", "ptr", "i64", "i64", "ptr", "i64", "i64", "ptr", *["i64"] * 7, "ptr"]
    f.module.declare(f"window_{name}", "void", kinds)
    f.call(
        f"window_{name}",
        "void",
        *(a, _table(f.module, steps.places(left, rows)), _table(f.module, steps.places(left, runs))),
        *(k0[0], integer(steps.of(left, run[-1])), b, sbk, sbp, c, ldc, m, n, k0[1]),
        *(integer(prod(space.size(axis) for axis in names)) for names in (runs, run)),
        accumulate,
        scratch,
    )


def _table(module: ir.Module, values: Sequence[int]) -> Value:
    """A constant array of offsets."""
    digest = hashlib.sha256(repr(values).encode()).hexdigest()[:16]
    text = "[" + ", ".join(f"i64 {value}" for value in values) + "]"
    return module.constant(f"places_{digest}", f"[{len(values)} x i64]", text)
