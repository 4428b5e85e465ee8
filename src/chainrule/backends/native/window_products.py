"""Contractions seen through a window: which rows and terms are found in tables, and the call of ``window_T``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeGuard

from chainrule.backends.native import ir
from chainrule.backends.native.ir import Value, integer
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Contraction, Operand
from chainrule.backends.native.strides import Place, Steps
from chainrule.equations.node import Access, Expression, Index
from chainrule.equations.walk import free_axes, subexpressions

MOST_LISTED = 16_384  # rows of a window product
FEWEST_ROWS = 12  # of a part that leaves out what lies in the border: for fewer, B is passed over too often


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


@dataclass(frozen=True)
class Part:
    """Positions of the first row axis, and those of the first axis of k1 at which they read anything but a border."""

    rows: range
    terms: range


def parts_of(space: Space, statement: Contraction, row: str, term: str) -> list[Part]:
    """The row axis in parts that read the same terms: what a padded copy has around its tensor is 0, and left out."""
    rows, terms = range(space.size(row)), range(space.size(term))
    read = next(n for n in subexpressions(statement.expression) if _reads(n, statement.left.tensor))
    place = next((n for n, index in enumerate(read.indices) if {row, term} <= set(free_axes(index))), None)
    inside = None if place is None else _inside(space, read.tensor, place)
    if place is None or inside is None or statement.right.tensor == read.tensor:
        return [Part(rows, terms)]
    index = read.indices[place]
    assert isinstance(index, Index)
    by = {atom: coefficient for coefficient, atom in index.terms}
    found: list[Part] = []
    for position in rows:
        start, stop = (
            -((index.constant + by[row] * position - end) // by[term]) for end in (inside.start, inside.stop)
        )
        here = terms[max(0, start) : max(0, stop)]
        first = found.pop().rows.start if found and found[-1].terms == here else position
        found.append(Part(range(first, position + 1), here))
    return found


def _reads(node: Expression, tensor: str) -> TypeGuard[Access]:
    return isinstance(node, Access) and node.tensor == tensor


def _inside(space: Space, tensor: str, place: int) -> range | None:
    """The positions along one of its axes at which a padded copy holds what it copies; None for any other tensor."""
    equation = space.system.by_name.get(tensor)
    if equation is None or not isinstance(equation.expression, Access):
        return None
    source = equation.expression
    shifts = [index.terms if isinstance(index, Index) else () for index in source.indices]
    if shifts != [((1, axis),) for axis in equation.axes]:
        return None
    moved = source.indices[place]
    assert isinstance(moved, Index)
    return range(-moved.constant, space.size(space.tensors[source.tensor].axes[place]) - moved.constant)


def call_window(
    steps: Steps,
    place: Place,
    statement: Contraction,
    axes: tuple[Sequence[str], Sequence[str], Sequence[str]],
    arguments: tuple[Value, ...],
    k0: tuple[Value, Value],
) -> None:
    """Calls of ``window_T``, with tables of where rows and runs of k begin; the first of the rows may be a part.

    ``axes``: those of the rows, of k1 and of k2.  ``k0``: the step of A along it and its size.
    """
    f, space, left = place.function, steps.space, statement.left
    rows, runs, run = axes
    a, b, sbk, sbp, c, ldc, n, accumulate, scratch = arguments
    name = "f32" if space.element == "float" else "f64"
    inner, inner_runs = (prod(space.size(axis) for axis in names[1:]) for names in (rows, runs))
    length = prod(space.size(axis) for axis in run)
    kinds = ["ptr", "ptr", "ptr", "i64", "i64", "ptr", "i64", "i64", "ptr", *["i64"] * 7, "ptr"]
    f.module.declare(f"window_{name}", "void", kinds)
    row_table, run_table = (_table(f.module, steps.places(left, names)) for names in (rows, runs))

    def multiply(first: int, m: Value, terms: range) -> None:
        """The product for m rows from position ``first`` of the first row axis."""
        skipped = terms.start * inner_runs
        f.call(
            f"window_{name}",
            "void",
            *(a, f.pointer(row_table, "i64", integer(first * inner)), f.pointer(run_table, "i64", integer(skipped))),
            *(k0[0], integer(steps.of(left, run[-1]))),
            *(f.pointer(b, space.element, f.mul(integer(skipped * length), sbk)), sbk, sbp),
            *(f.pointer(c, space.element, f.mul(integer(first * inner), ldc)), ldc, m, n),
            *(k0[1], integer(len(terms) * inner_runs), integer(length)),
            accumulate,
            scratch,
        )

    every = range(space.size(runs[0])) if runs else range(1)
    if rows[0] in place.ranges:
        low, high = place.ranges[rows[0]]
        multiply(0, f.mul(f.sub(high, low), integer(inner)), every)
        return
    whole = [Part(range(space.size(rows[0])), every)]
    # B holds the terms of several images one behind the other, all of each
    bordered = runs and inner >= FEWEST_ROWS and k0[1] == integer(1)
    for part in parts_of(space, statement, rows[0], runs[0]) if bordered else whole:
        multiply(part.rows.start, integer(len(part.rows) * inner), part.terms)


def _table(module: ir.Module, values: Sequence[int]) -> Value:
    """A constant array of offsets."""
    digest = hashlib.sha256(repr(values).encode()).hexdigest()[:16]
    text = "[" + ", ".join(f"i64 {value}" for value in values) + "]"
    return module.constant(f"places_{digest}", f"[{len(values)} x i64]", text)
