"""Sums of products of arrays over shared axes: ``@`` where it will do, ``np.tensordot``, ``np.einsum`` otherwise."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import combinations

from chainrule.backends.numpy.arithmetic import multiply
from chainrule.backends.numpy.value import ATOM, PRODUCT, UNARY, Value, arranged, dropped, integer, real
from chainrule.backends.numpy.writer import Axes, Writer


def contract(w: Writer, operands: Sequence[Value], summed: Collection[str], wanted: Axes) -> Value:
    """Σ over ``summed`` of the product of the operands, each of the summed axes being an axis of one at least."""
    scalars = [value for value in operands if not value.axes]
    arrays = [value for value in operands if value.axes]
    if len(arrays) > 2:
        alike: dict[frozenset[str], list[Value]] = {}
        for value in arrays:
            alike.setdefault(frozenset(value.axes), []).append(value)
        arrays = [multiply(w, group, wanted) for group in alike.values()]
    while len(arrays) > 1:
        arrays = [_alone_summed(value, arrays, summed) for value in arrays]
        scalars += [value for value in arrays if not value.axes]
        arrays = [value for value in arrays if value.axes]
        if len(arrays) > 2:
            arrays = _joined(w, arrays, wanted)
        elif len(arrays) == 2:
            arrays = [_pair(w, arrays[0], arrays[1], summed, wanted)]
    total = [_reduced(value, [name for name in value.axes if name in summed]) for value in arrays]
    return multiply(w, [*scalars, *total], wanted) if scalars or not total else total[0]


def _reduced(value: Value, axes: Sequence[str]) -> Value:
    if not axes:
        return value
    total = dropped(value, axes, "sum")
    return replace(total, kind="integer") if value.kind == "truth" else total


def _alone_summed(value: Value, arrays: Sequence[Value], summed: Collection[str]) -> Value:
    """Sum first over the axes that no other array has."""
    others = {name for other in arrays if other is not value for name in other.axes}
    return _reduced(value, [name for name in value.axes if name in summed and name not in others])


def _joined(w: Writer, arrays: list[Value], wanted: Axes) -> list[Value]:
    """One array fewer: the smallest that fits into another is multiplied into it; if none fits, the two that make
    the smallest product are."""

    def extent(axes: Collection[str]) -> int:
        return math.prod(w.extents.peek(name) for name in axes)

    pairs = [(one, other) for one, other in combinations(arrays, 2)]
    pairs += [(other, one) for one, other in pairs]
    fitting = [(one, other) for one, other in pairs if set(one.axes) <= set(other.axes)]
    if fitting:
        one, other = min(fitting, key=lambda pair: (extent(pair[1].axes), extent(pair[0].axes)))
    else:
        one, other = min(pairs, key=lambda pair: extent({*pair[0].axes, *pair[1].axes}))
    rest = [value for value in arrays if value is not one and value is not other]
    return [*rest, multiply(w, [other, one], wanted)]


def _pair(w: Writer, left: Value, right: Value, summed: Collection[str], wanted: Axes) -> Value:
    shared = [name for name in left.axes if name in right.axes]
    over = [name for name in shared if name in summed]
    batch = tuple(name for name in shared if name not in summed)
    if not over:
        return multiply(w, [left, right], wanted)
    if any(value.kind == "real" for value in (left, right)):
        left, right = real(left, w.dtype), real(right, w.dtype)
    left, right = integer(left), integer(right)
    rows = tuple(name for name in left.axes if name not in shared)
    columns = tuple(name for name in right.axes if name not in shared)
    if not rows and not columns:
        return _reduced(multiply(w, [left, right], wanted), over)
    order = {name: place for place, name in enumerate(wanted)}
    if columns and (not rows or order.get(columns[0], 99) < order.get(rows[0], 99)) and rows:
        left, right, rows, columns = right, left, columns, rows
    left, right = (
        w.constant(v, "constant") if v.constant and v is not u else v for v, u in ((left, None), (right, None))
    )
    kind = "real" if "real" in (left.kind, right.kind) else "integer"
    made = _product(w, left, right, tuple(over), batch, rows, columns)
    constant = left.constant and right.constant
    return replace(made, kind=kind, constant=constant, weak=False, number=None)


def _product(w: Writer, left: Value, right: Value, over: Axes, batch: Axes, rows: Axes, columns: Axes) -> Value:
    """The contraction over ``over`` of left [batch, rows, over] and right [batch, over, columns]."""
    if len(over) == 1 and len(rows) <= 1 and len(columns) <= 1 and (not batch or (rows and columns)):
        one = arranged(left, (*batch, *rows, *over))
        other = arranged(right, (*batch, *over, *columns))
        return Value(f"{one.bound(PRODUCT)} @ {other.bound(UNARY)}", (*batch, *rows, *columns), binding=PRODUCT)
    if not batch and len(over) == 1 and not columns:
        return Value(f"{arranged(left, (*rows, *over)).bound(PRODUCT)} @ {right.bound(UNARY)}", rows, binding=PRODUCT)
    if not batch:
        return _tensordot(left, right, over, rows, columns)
    if len(over) * len(rows) * len(columns) and w.extents.peek(over[0]) > 1:
        return _grouped(w, left, right, over, batch, rows, columns)
    return _einsum(left, right, (*batch, *rows, *columns))


def _tensordot(left: Value, right: Value, over: Axes, rows: Axes, columns: Axes) -> Value:
    if not rows:
        left, right, rows, columns = right, left, columns, rows
    count = len(over)
    if left.axes[-count:] == right.axes[:count]:
        axes = str(count)
    else:
        places = [[value.axes.index(name) for name in over] for value in (left, right)]
        axes = f"({', '.join(str(place[0] if count == 1 else place) for place in places)})"
    return Value(f"np.tensordot({left.text}, {right.text}, axes={axes})", (*rows, *columns), binding=ATOM)


def _grouped(w: Writer, left: Value, right: Value, over: Axes, batch: Axes, rows: Axes, columns: Axes) -> Value:
    """A batch of matrix products, with several axes taken together as rows, columns or both."""

    def size(axes: Axes) -> str:
        numbers = [w.extents.value(name) for name in axes]
        if all(value.number is not None for value in numbers):
            return str(math.prod(int(value.number or 1) for value in numbers))
        return " * ".join(value.text for value in numbers)

    def matrix(value: Value, first: Axes, second: Axes) -> str:
        value = arranged(value, (*batch, *first, *second))
        if len(first) == len(second) == 1:
            return value.bound(PRODUCT)
        shape = [*(w.extents.text(name) for name in batch), size(first), size(second)]
        return f"{value.atom}.reshape({', '.join(shape)})"

    text = f"{matrix(left, rows, over)} @ {matrix(right, over, columns)}"
    if len(rows) == len(columns) == 1:
        return Value(text, (*batch, *rows, *columns), binding=PRODUCT)
    shape = ", ".join(w.extents.text(name) for name in (*batch, *rows, *columns))
    return Value(f"({text}).reshape({shape})", (*batch, *rows, *columns), binding=ATOM)


def _einsum(left: Value, right: Value, result: Axes) -> Value:
    letters: dict[str, str] = {}
    for name in (*left.axes, *right.axes):
        free = (letter for letter in (name[0], *"abcdefghijklmnopqrstuvwxyz") if letter not in letters.values())
        letters.setdefault(name, next(letter for letter in free if letter.isascii() and letter.isalpha()))
    one, other, made = ("".join(letters[name] for name in axes) for axes in (left.axes, right.axes, result))
    return Value(f'np.einsum("{one},{other}->{made}", {left.text}, {right.text})', result, binding=ATOM)
