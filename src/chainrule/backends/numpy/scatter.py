"""Sums that put values at positions, done without going through every pair of position and value.

``sum[p](y[p]*w[h - 2*p + 1])`` asks, for each h, which p reach it.  With u = h - 2*p + 1 it is done the other way
round: for each p and u, ``y[p]*w[u]`` is added at h = 2*p + u - 1 (``add_windows``).  ``sum[b](y[b,d]*[v = t[b]])``
adds ``y[b,d]`` at v = t[b] (``np.add.at``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chainrule.backends.numpy.value import ATOM, Value, arranged, expanded
from chainrule.backends.numpy.writer import Axes, Writer
from chainrule.equations.node import Access, Apply, Expression, Index, Number, axis, plain_axis
from chainrule.equations.walk import combine, free_axes, fresh_axis, substitute

Sum = Callable[[Writer, Axes, Sequence[Expression], Axes], Value]

# A position with more places than this is filled with np.add.at; with fewer, comparing with each place and multiplying
# matrices is quicker (2,048 rows of 128 numbers: 65 places 3.3 ms against 6.9, 256 places 5.2 against 9.6, 512 places
# 8.1 against 6.1, 2,000 places 32 against 6.5).
FEW_PLACES = 256


@dataclass(frozen=True)
class _Window:
    """h = start + step·p + way·u, found in a product that is 0 unless 0 <= u < size."""

    h: str
    p: str
    u: str
    step: int
    way: int
    start: int


def add_from_windows(w: Writer, axes: Axes, factors: Sequence[Expression], wanted: Axes, total: Sum) -> Value | None:
    """The sum by positions of windows, or None if it is not of this kind."""
    found: list[_Window] = []
    rest = list(factors)
    while True:
        window = _find(w, [name for name in axes if name not in {f.p for f in found}], rest, wanted)
        if window is None:
            break
        position = combine([(window.step, axis(window.p)), (window.way, axis(window.u))], window.start)
        rest = [substitute(factor, {window.h: position}) for factor in rest]
        found.append(window)
    if not found:
        return None
    pairs = [name for window in found for name in (window.p, window.u)]
    kept = tuple(name for name in wanted if name not in axes and name not in {f.h for f in found})
    value = total(w, tuple(name for name in axes if name not in pairs), rest, (*kept, *pairs))
    value = _with_axes(w, value, pairs)
    for window in reversed(found):
        others = tuple(name for name in value.axes if name not in (window.p, window.u))
        value = w.named(arranged(value, (*others, window.p, window.u)), "spread")
        size = w.extents.text(window.h)
        text = f"add_windows({value.text}, {size}, {window.start}, {window.step}, {window.way})"
        value = replace(value, text=text, axes=(*others, window.h), binding=ATOM)
    return value


def _find(w: Writer, axes: Sequence[str], factors: Sequence[Expression], wanted: Axes) -> _Window | None:
    for factor in factors:
        for index, size in _limited(w, factor):
            if not isinstance(index, Index) or any(not isinstance(atom, str) for _, atom in index.terms):
                continue
            terms = {atom: coefficient for coefficient, atom in index.terms if isinstance(atom, str)}
            inner = [name for name in terms if name in axes]
            outer = [name for name in terms if name not in axes]
            if len(inner) != 1 or len(outer) != 1 or abs(terms[outer[0]]) != 1 or outer[0] in w.loop:
                continue
            h, p = outer[0], inner[0]
            if h not in wanted or h in axes or 2 * size > w.extents.peek(h):
                continue
            if any(h in free_axes(part) for f in factors for part in _equated(f, index)):
                continue
            u = fresh_axis(p + "'", w.extents.classes)
            w.extents.define(u, size)
            way = terms[h]
            return _Window(h, p, u, -way * terms[p], way, -way * index.constant)
    return None


def _limited(w: Writer, factor: Expression) -> list[tuple[Expression, int]]:
    """Positions outside whose range from 0 the factor is 0, with the size of the range."""
    match factor:
        case Access(tensor, indices):
            names = w.system.tensor_axes[tensor]
            pairs = zip(indices, names, strict=True)
            return [(index, w.extents.number(name)) for index, name in pairs if plain_axis(index) is None]
        case Apply("<=<", (Number(0), position, Number(limit))):
            return [(position, w.extents.number(limit) if isinstance(limit, str) else int(limit))]
        case Apply("=", (left, right)):
            found: list[tuple[Expression, int]] = []
            for one, other in ((left, right), (right, left)):
                if isinstance(one, Index) and not isinstance(other, Index | Number):
                    limits = w.facts.range(other)
                    if limits is not None and limits[0] >= 0:
                        found.append((one, limits[1] + 1))
            return found
    return []


def _equated(factor: Expression, index: Index) -> list[Expression]:
    """What the index is said to be equal to."""
    match factor:
        case Apply("=", (left, right)) if left is index or right is index:
            return [right if left is index else left]
    return []


def _with_axes(w: Writer, value: Value, axes: Sequence[str]) -> Value:
    """The value repeated along axes on which it does not depend."""
    if all(name in value.axes for name in axes):
        return value
    every = (*value.axes, *(name for name in axes if name not in value.axes))
    text = f"np.broadcast_to({expanded(value, every)}, {w.shape(every)})"
    return replace(value, text=text, axes=every, binding=ATOM)


def add_at_positions(w: Writer, axes: Axes, factors: Sequence[Expression], wanted: Axes, total: Sum) -> Value | None:
    """The sum by computed positions, or None if it is not of this kind."""
    found = _position(w, axes, factors, wanted)
    if found is None:
        return None
    bracket, place, position = found
    others = [factor for factor in factors if factor is not bracket]
    reach = {name for factor in others for name in free_axes(factor)}
    at = w.value(position, axes)
    along = [name for name in at.axes if name in axes]
    kept = [name for name in at.axes if name not in axes]
    value = total(w, tuple(name for name in axes if name not in along), others, wanted) if others else None
    if value is None or not reach or value.kind != "real":
        return None
    value = _with_axes(w, value, [name for name in at.axes if name not in value.axes])
    rest = tuple(name for name in value.axes if name not in at.axes)
    value = arranged(value, (*at.axes, *rest))
    result = (*kept, place, *rest)
    name = w.names.fresh(w.target)
    w.put(f"{name} = np.zeros({w.shape(result)}, {w.dtype})")
    index = [expanded(w.value(axis(k), ()), at.axes) for k in kept]
    w.put(f"np.add.at({name}, {_tuple([*index, at.text])}, {value.text})")
    return Value(name, result)


def _position(
    w: Writer, axes: Axes, factors: Sequence[Expression], wanted: Axes
) -> tuple[Expression, str, Expression] | None:
    for factor in factors:
        match factor:
            case Apply("=", (left, right)):
                pass
            case _:
                continue
        for one, other in ((left, right), (right, left)):
            name = plain_axis(one)
            if name is None or name in axes or name in w.loop or isinstance(other, Index):
                continue
            if any(name in free_axes(rest) for rest in (*(f for f in factors if f is not factor), other)):
                continue
            if w.extents.peek(name) <= FEW_PLACES or not set(free_axes(other)) & set(axes) or name not in wanted:
                continue
            limits = w.facts.range(other)
            if limits is not None and limits[0] >= 0 and limits[1] < w.extents.number(name):
                return factor, name, other
    return None


def _tuple(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
