"""*merge*: neighbouring axes that every tensor of a nest holds side by side are one axis."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from typing import Any

from chainrule.backends.native.space import MERGED, Space
from chainrule.backends.native.statements import Reduction, Statement
from chainrule.equations.node import Access, Index, Reduce, axis, plain_axis
from chainrule.equations.walk import children, free_axes, rebuild, subexpressions


def merged(
    space: Space, statements: list[Statement], axes: list[str], parts: Collection[str]
) -> tuple[list[Statement], list[str], Space]:
    """Join neighbouring axes that every read and every result has side by side, plainly, or not at all."""
    tensors = dict(space.tensors)
    own = dict(space.own)
    joined = True
    while joined:
        joined = False
        for first, second in pairwise(axes):
            if second.split(MERGED)[0] in parts or not _may_join(
                _with_views(space, tensors, own), statements, first, second
            ):
                continue
            name = first + MERGED + second
            own[name] = _size(space, own, first) * _size(space, own, second)
            statements = [_joined(s, first, second, name, tensors) for s in statements]
            axes = [name if other == first else other for other in axes if other != second]
            joined = True
            break
    return statements, axes, _with_views(space, tensors, own)


def _with_views(space: Space, tensors: dict[str, Any], own: dict[str, int]) -> Space:
    """The same system with other views of its tensors."""
    made = object.__new__(type(space))
    made.__dict__.update(space.__dict__)
    made.tensors, made.own = tensors, own
    return made


def _size(space: Space, own: dict[str, int], name: str) -> int:
    return own[name] if name in own else space.size(name)


def _may_join(space: Space, statements: list[Statement], first: str, second: str) -> bool:
    if not all(_side_by_side(space, statement, first, second) for statement in statements):
        return False
    # a tensor has one view: all its reads join these axes, at the same place, or none does
    views: dict[str, set[int]] = {}
    for statement in statements:
        views.setdefault(statement.name, set()).add(statement.axes.index(first) if first in statement.axes else -1)
        for node in subexpressions(statement.expression):
            if isinstance(node, Access):
                names = [plain_axis(index) for index in node.indices]
                views.setdefault(node.tensor, set()).add(names.index(first) if first in names else -1)
    return all(len(places) == 1 for places in views.values())


def _side_by_side(space: Space, statement: Statement, first: str, second: str) -> bool:
    def together(names: tuple[Any, ...], tensor: str) -> bool:
        mentions = [place for place, name in enumerate(names) if name in (first, second)]
        if not mentions:
            return True
        if len(mentions) != 2 or names[mentions[0]] != first or mentions[1] != mentions[0] + 1:
            return False
        if names[mentions[1]] != second:
            return False
        declared = space.tensors[tensor].axes
        return all(space.size(declared[p]) == space.size(names[p]) for p in mentions)

    if not together(statement.axes, statement.name):
        return False
    node = statement.expression
    if isinstance(node, Reduce):
        summed = (first in node.axes, second in node.axes)
        if summed[0] != summed[1] or (summed[0] and node.operation.startswith("arg")):
            return False
        node = node.body

    def plain(part: Any) -> bool:
        match part:
            case Access(tensor, indices):
                if not together(tuple(plain_axis(index) for index in indices), tensor):
                    return False
                return all(
                    not {first, second} & set(free_axes(index)) or plain_axis(index) is not None for index in indices
                ) and all(plain(index) for index in indices if plain_axis(index) is None)
            case Index():
                return not {first, second} & set(free_axes(part))
        return all(plain(child) for child in children(part))

    return plain(node)


def _joined(statement: Statement, first: str, second: str, name: str, tensors: dict[str, Any]) -> Statement:
    def in_tensor(tensor: str, names: tuple[Any, ...]) -> None:
        if first in names:
            place = names.index(first)
            declared = tensors[tensor].axes
            if place + 1 < len(declared) and len(declared) == len(names):
                tensors[tensor] = replace(tensors[tensor], axes=(*declared[:place], name, *declared[place + 2 :]))

    def change(node: Any) -> Any:
        match node:
            case Access(tensor, indices):
                names = tuple(plain_axis(index) for index in indices)
                if first in names:
                    in_tensor(tensor, names)
                    place = names.index(first)
                    indices = (*indices[:place], axis(name), *indices[place + 2 :])
                    return Access(tensor, tuple(indices))
                return rebuild(node, change)
            case Reduce(operation, axes, body):
                kept = tuple(name if other == first else other for other in axes if other != second)
                return Reduce(operation, kept, change(body))
        return rebuild(node, change)

    expression = change(statement.expression)
    axes = statement.axes
    if first in axes:
        in_tensor(statement.name, axes)
        place = axes.index(first)
        axes = (*axes[:place], name, *axes[place + 2 :])
    if isinstance(statement, Reduction):
        return Reduction(statement.name, axes, expression, statement.origin)
    return replace(statement, axes=axes, expression=expression)
