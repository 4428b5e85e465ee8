"""Which elements read an element: for every equation that reads a tensor, the positions at which it reads this one.

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

from chainrule.equations.evaluate import numpy_function
from chainrule.equations.node import Access, Apply, Equation, Index, Number, base_axis
from chainrule.equations.walk import free_axes, occurrences

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
    # Reads that mention different axes: the one that binds fewest reads the element most often, and holds the others.
    at, rows = min(found.items(), key=lambda item: len(item[0]))
    count = len(rows) * prod(shape[axis] for axis in range(len(shape)) if axis not in at)
    return Readers(equation.name, count, tuple(sorted(rows)), at, shape)


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
    match node:
        case Index(terms, constant):
            total = np.asarray(constant)
            for coefficient, atom in terms:
                value = columns[atom] if isinstance(atom, str) else _values(atom, columns, arrays, sizes)
                total = total + coefficient * value
            return total
        case Access(tensor, indices):
            array = arrays[tensor]
            at = [np.asarray(_values(index, columns, arrays, sizes)) for index in indices]
            if not at:
                return array
            inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(at, array.shape, strict=True)])
            clipped = tuple(np.clip(i, 0, n - 1) for i, n in zip(at, array.shape, strict=True))
            return np.where(inside, array[clipped], 0)
        case Number(str(axis)):
            return np.asarray(_size(axis, sizes))
        case Number(value):
            return np.asarray(value)
        case Apply(function, arguments):
            return numpy_function(function)(*(_values(argument, columns, arrays, sizes) for argument in arguments))
    raise TypeError(node)
