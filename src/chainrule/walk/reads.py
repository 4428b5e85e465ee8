"""Which elements read an element, and how many it reads.

For every equation that reads a tensor, the positions at which it reads this one.

``z[b,j] = sum[i](x[b,i]*W[i,j])`` reads ``x[0,3]`` at ``z[0,j]`` for every j.  The index expressions of a read are
solved one after another: each binds the axes that it mentions to the values for which it comes to the position asked
for.  An axis of the left-hand side that the read does not mention is free: the element is read at all its values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.evaluate import values_at
from chainrule.equations.node import Access, Apply, Equation, Reduce, base_axis
from chainrule.equations.walk import children, free_axes, occurrences

Array = NDArray[Any]


@dataclass(frozen=True)
class Readers:
    """The elements of one tensor that read an element: how many, and their positions one after another."""

    tensor: str
    count: int
    bound: tuple[tuple[int, ...], ...]  # values of the axes that the read mentions, in the order of the left-hand side
    at: tuple[int, ...]  # where those axes stand on the left-hand side
    shape: tuple[int, ...]

    def positions(self) -> Iterator[tuple[int, ...]]:
        """Every position, in the order of memory for each value of what the read mentions."""
        free = [axis for axis in range(len(self.shape)) if axis not in self.at]
        for values in self.bound:
            for others in itertools.product(*(range(self.shape[axis]) for axis in free)):
                position = dict(zip(self.at, values, strict=True)) | dict(zip(free, others, strict=True))
                yield tuple(position[axis] for axis in range(len(self.shape)))


def readers(
    equation: Equation, tensor: str, position: Sequence[int], arrays: Mapping[str, Array], sizes: Mapping[str, int]
) -> Readers | None:
    """The elements of the equation that read the element of ``tensor``; None where there are none."""
    found: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for _, node, bound in occurrences(equation.expression):
        if isinstance(node, Access) and node.tensor == tensor:
            table = _solve(node, position, arrays, sizes)
            left = [axis for axis in equation.axes if axis in table.columns and axis not in bound]
            at = tuple(equation.axes.index(axis) for axis in left)
            columns = [table.columns[axis].astype(int).tolist() for axis in left]
            found.setdefault(at, set()).update(zip(*columns, strict=True) if left else [()] * min(table.rows, 1))
    found = {at: rows for at, rows in found.items() if rows}
    if not found:
        return None
    shape = tuple(sizes[axis] for axis in equation.axes)
    at, rows = _together(found, shape)
    count = len(rows) * prod(shape[axis] for axis in range(len(shape)) if axis not in at)
    return Readers(equation.name, count, tuple(sorted(rows)), at, shape)


def _together(
    found: dict[tuple[int, ...], set[tuple[int, ...]]], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], set[tuple[int, ...]]]:
    """Reads that bind different axes, as values of one list of axes."""
    kept: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for at, rows in sorted(found.items(), key=lambda item: len(item[0])):
        # One that binds fewer axes reads an element more often, and mostly where the others do, too.
        if not any(set(less) <= set(at) and _onto(rows, at, less) <= kept[less] for less in kept):
            kept[at] = rows
    if len(kept) == 1:
        return next(iter(kept.items()))
    every = tuple(sorted({axis for at in kept for axis in at}))
    whole: set[tuple[int, ...]] = set()
    for at, rows in kept.items():
        free = [axis for axis in every if axis not in at]
        for row, others in itertools.product(rows, itertools.product(*(range(shape[axis]) for axis in free))):
            position = dict(zip((*at, *free), (*row, *others), strict=True))
            whole.add(tuple(position[axis] for axis in every))
    return every, whole


def _onto(rows: set[tuple[int, ...]], at: tuple[int, ...], less: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The values of some of the axes alone."""
    places = [at.index(axis) for axis in less]
    return {tuple(row[place] for place in places) for row in rows}


@dataclass
class _Table:
    """Values of axes, a column for each, a row for each way in which the indices solved so far come out right."""

    columns: dict[str, Array]
    rows: int


def _solve(access: Access, position: Sequence[int], arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> _Table:
    table = _Table({}, 1)
    waiting = list(zip(access.indices, position, strict=True))
    while waiting:
        # The index that mentions fewest values not bound yet, so that the table stays small.
        waiting.sort(key=lambda pair: prod(_size(a, sizes) for a in free_axes(pair[0]) if a not in table.columns))
        index, wanted = waiting.pop(0)
        for axis in free_axes(index):
            if axis not in table.columns:
                size = _size(axis, sizes)
                table.columns = {name: np.repeat(column, size) for name, column in table.columns.items()}
                table.columns[axis] = np.tile(np.arange(size), table.rows)
                table.rows *= size
        holds = np.broadcast_to(_values(index, table.columns, arrays, sizes) == wanted, (table.rows,))
        table.columns = {name: column[holds] for name, column in table.columns.items()}
        table.rows = int(holds.sum())
    return table


def _size(axis: str, sizes: Mapping[str, int]) -> int:
    return sizes[axis] if axis in sizes else sizes[base_axis(axis)]


def _values(node: Any, columns: Mapping[str, Array], arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> Array:
    """An index expression for every row of the table."""
    axes = tuple(sorted(free_axes(node)))
    found = values_at(node, axes, {}, arrays, {**sizes, **{axis: _size(axis, sizes) for axis in axes}})
    return np.asarray(found[tuple(columns[axis].astype(int) for axis in axes)])


def read_count(
    equation: Equation, position: Sequence[int], arrays: Mapping[str, Array], sizes: Mapping[str, int]
) -> int:
    """How many different elements the arithmetic of one element reads, in all terms of its sums.

    Where a condition chooses, those of what is chosen; what is read outside a tensor is none.
    """
    at = dict(zip(equation.axes, position, strict=True))
    found: dict[str, set[int]] = {}
    waiting: list[tuple[Any, tuple[str, ...], Any]] = [(equation.expression, (), True)]
    while waiting:
        node, axes, where = waiting.pop()
        if isinstance(node, Access):
            found.setdefault(node.tensor, set()).update(_places(node, axes, where, at, arrays, sizes))
        if isinstance(node, Apply) and node.function == "where":
            condition, left, right = node.arguments
            holds = values_at(condition, axes, at, arrays, _sizes(axes, sizes)).astype(bool)
            waiting += [(condition, axes, where), (left, axes, where & holds), (right, axes, where & ~holds)]
        elif isinstance(node, Reduce):
            # What chooses outside the sum chooses all of its terms; an axis of the same name is out of sight in it.
            hidden = tuple(k for k, axis in enumerate(axes) if axis in node.axes)
            inside = np.any(where, axis=hidden)[(..., *[None] * len(node.axes))]
            waiting.append((node.body, (*(axis for axis in axes if axis not in node.axes), *node.axes), inside))
        else:
            waiting += [(child, axes, where) for child in children(node)]
    return sum(map(len, found.values()))


def _places(
    access: Access,
    axes: tuple[str, ...],
    where: Any,
    at: Mapping[str, int],
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
) -> set[int]:
    """The elements that a read reads for all values of the axes, counted in the order of memory."""
    shape, every = arrays[access.tensor].shape, _sizes(axes, sizes)
    room = tuple(every[axis] for axis in axes)
    indices = [values_at(index, axes, at, arrays, every).astype(int) for index in access.indices]
    inside = np.broadcast_to(np.asarray(where, bool), room).copy()
    for index, size in zip(indices, shape, strict=True):
        inside &= (index >= 0) & (index < size)
    if not shape:
        return {0} if inside.any() else set()
    return set(np.ravel_multi_index([index[inside] for index in indices], shape).tolist())


def _sizes(axes: tuple[str, ...], sizes: Mapping[str, int]) -> dict[str, int]:
    return {**sizes, **{axis: _size(axis, sizes) for axis in axes}}
