"""Reads of tensors: as they are, by slices and windows (views), or by arrays of positions.  Zero outside, always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chainrule.backends.numpy.arithmetic import add, settled
from chainrule.backends.numpy.value import ATOM, Value, expanded, integer, joint_axes, literal
from chainrule.backends.numpy.writer import Axes, Stored, Writer
from chainrule.equations.node import Access, Expression, Index, Number, plain_axis
from chainrule.equations.walk import free_axes


@dataclass(frozen=True)
class _Place:
    """One index of a read, at a dimension of the array.

    ``runs``: the position as start + Σ step·axis with the axes free; ``start`` is Python text.  None if the position
    is not of this form.
    """

    node: Expression
    size_of: str
    dimension: int
    start: str
    runs: tuple[tuple[int, str], ...] | None
    inside: bool
    offset: int = 0


def lower_read(w: Writer, node: Access, wanted: Axes) -> Value:
    """A read of a tensor."""
    stored = w.tensors[node.tensor]
    places = _places(w, node, stored)
    shared = _axes_in_several(places)
    basic = [place for place in places if _is_basic(place, shared)]
    advanced = [place for place in places if not _is_basic(place, shared)]
    value, standing = _viewed(w, stored.value, basic, advanced, node)
    if not advanced:
        return value
    return _gathered(w, value, standing, advanced, wanted)


def _is_basic(place: _Place, shared: set[str]) -> bool:
    """Whether slices and windows will do.  A single position that may be outside is none of them."""
    if place.runs is None or (not place.runs and not place.inside):
        return False
    return not {name for _, name in place.runs} & shared


def _places(w: Writer, node: Access, stored: Stored) -> list[_Place]:
    declared = w.system.tensor_axes[node.tensor]
    places = []
    for position, (index, name) in enumerate(zip(node.indices, declared, strict=True)):
        if name not in stored.value.axes:
            continue  # the tensor does not depend on this axis
        dimension = stored.value.axes.index(name)
        offset = stored.offsets.get(name)
        plain = plain_axis(index)
        if plain is not None and plain not in w.loop:
            inside = not offset and (w.extents.same(plain, name) or w.facts.inside(node, position))
            places.append(_Place(index, name, dimension, str(offset or 0), ((1, plain),), inside))
            continue
        runs, start = _affine(w, index, offset or 0)
        inside = offset is not None or w.facts.inside(node, position)
        places.append(_Place(index, name, dimension, start, runs, inside, offset or 0))
    return places


def _affine(w: Writer, index: Expression, offset: int) -> tuple[tuple[tuple[int, str], ...] | None, str]:
    """The runs over free axes, and where they start: a number, or an expression in loop variables."""
    if isinstance(index, Number):
        index = Index(((1, index),) if index.is_size else (), 0 if index.is_size else int(index.value))
    if not isinstance(index, Index):
        return None, ""
    runs: list[tuple[int, str]] = []
    constant = index.constant + offset
    moving: list[tuple[int, str]] = []
    for coefficient, atom in index.terms:
        if isinstance(atom, Number):
            constant += coefficient * w.extents.number(str(atom.value))
        elif not isinstance(atom, str):
            return None, ""
        elif atom in w.loop:
            moving.append((coefficient, w.loop[atom]))
        else:
            runs.append((coefficient, atom))
    start = ""
    for coefficient, text in moving:
        term = text if abs(coefficient) == 1 else f"{abs(coefficient)} * {text}"
        start += f" {'-' if coefficient < 0 else '+'} {term}" if start else f"{'-' if coefficient < 0 else ''}{term}"
    if constant or not start:
        start += f" {'-' if constant < 0 else '+'} {abs(constant)}" if start else str(constant)
    return tuple(runs), start


def _axes_in_several(places: Sequence[_Place]) -> set[str]:
    """Axes that stand in more than one index (a diagonal), and those in computed indices."""
    seen: set[str] = set()
    several: set[str] = set()
    for place in places:
        names = [name for _, name in place.runs] if place.runs is not None else list(free_axes(place.node))
        several |= seen & set(names)
        if place.runs is not None and len(set(names)) < len(names):
            several |= set(names)
        seen |= set(names)
    return several


def _viewed(
    w: Writer, value: Value, basic: Sequence[_Place], advanced: Sequence[_Place], node: Access
) -> tuple[Value, dict[int, Axes]]:
    """The array with slices and windows taken; and which axes each of its dimensions now has."""
    standing: dict[int, Axes] = {d: (f"({d})",) for d in range(len(value.axes))}
    slices = [":"] * len(value.axes)
    spread: list[_Place] = []
    for place in basic:
        assert place.runs is not None
        d = place.dimension
        if not place.runs:
            slices[d], standing[d] = place.start, ()
        elif len(place.runs) == 1 and place.runs[0][0] == 1 and place.inside:
            name = place.runs[0][1]
            standing[d] = (name,)
            if place.start == "0" and w.extents.same(name, place.size_of):
                continue
            if place.start.isdigit():
                first = int(place.start)
                last = first + w.extents.number(name)
                ends = w.tensors[node.tensor].offsets.get(place.size_of) is None
                whole = ends and last == w.extents.number(place.size_of)
                slices[d] = f"{first or ''}:{'' if whole else last}"
                slices[d] = "" if slices[d] == ":" else slices[d]
                slices[d] = slices[d] or ":"
            else:
                slices[d] = f"{place.start}:{place.start} + {w.extents.text(name)}"
        else:
            spread.append(place)
            standing[d] = tuple(name for _, name in place.runs)
    while slices and slices[-1] == ":":
        slices.pop()
    text = f"{value.text}[{', '.join(slices)}]" if slices else value.text
    before = 0
    shift = {d: sum(1 for e in range(d) if standing[e] == ()) for d in standing}
    for place in sorted(spread, key=lambda place: place.dimension):
        assert place.runs is not None
        runs = ", ".join(f"({step}, {w.extents.number(name)})" for step, name in place.runs)
        text = f"windows({text}, {place.dimension - shift[place.dimension] + before}, {place.start}, {runs})"
        before += len(place.runs) - 1
    axes = tuple(name for d in sorted(standing) for name in standing[d])
    found = replace(value, text=text, axes=axes, binding=ATOM, constant=value.constant and not w.loop)
    if spread and not advanced:
        kind = "windows" if any(len(place.runs or ()) > 1 for place in spread) else "shifted"
        found = w.named(found, f"{node.tensor}_{kind}")
    return found, standing


def _gathered(w: Writer, value: Value, standing: dict[int, Axes], advanced: Sequence[_Place], wanted: Axes) -> Value:
    """The array at arrays of positions; the dimensions that these index come together where the first of them is."""
    shown = {f"({place.dimension})": place for place in advanced}
    positions = {name: _position(w, place, wanted) for name, place in shown.items()}
    arrays = settled(w, list(positions.values())) if not value.constant else list(positions.values())
    axes = joint_axes(arrays, wanted)
    texts = dict(zip(positions, (expanded(array, axes) for array in arrays), strict=True))
    where = [n for n, name in enumerate(value.axes) if name in shown]
    index = [texts.get(name, ":") for name in value.axes]
    together = where == list(range(where[0], where[-1] + 1)) or not axes
    kept = [name for name in value.axes if name not in shown]
    first = where[0] if together else 0
    result = (*kept[:first], *axes, *kept[first:])
    inside = all(place.inside for place in advanced)
    constant = value.constant and all(array.constant for array in arrays)
    if inside:
        while index[-1] == ":":
            index.pop()
        text = f"{value.text}[{', '.join(index)}]"
    else:
        index = ["slice(None)" if part == ":" else part for part in index]
        text = f"gather({value.text}, {', '.join(index)})"
    return replace(value, text=text, axes=result, binding=ATOM, constant=constant, weak=False, number=None)


def _position(w: Writer, place: _Place, wanted: Axes) -> Value:
    position = integer(w.value(place.node, wanted))
    if place.offset:
        position = add(w, [(1, position), (1, literal(place.offset))], wanted, True)
    return position
