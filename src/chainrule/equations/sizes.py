"""Sizes of axes, solved from declarations, shapes of data and relations.

A plain read ``x[b,i]`` says that axis ``i`` is as long as the axis of ``x`` it stands for; a shifted or scaled read
says nothing (outside, a tensor is 0).  ``k'`` is as long as ``k``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, base_axis, plain_axis
from chainrule.equations.system import System, size_names
from chainrule.equations.walk import subexpressions
from chainrule.errors import ChainruleError, EquationError


@lru_cache(maxsize=512)
def axis_classes(system: System) -> Mapping[str, str]:
    """Axis → the representative of the axes that must have its size."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for name in system.axes:
        parent[root(name)] = root(base_axis(name))
    for _, _, read, declared in plain_reads(system):
        parent[root(read)] = root(declared)
    return {name: root(name) for name in list(parent)}


def plain_reads(system: System) -> Iterator[tuple[Equation, Access, str, str]]:
    """Every plain axis that reads another axis: (equation, access, axis read, axis of the tensor)."""
    for equation in system.equations:
        for node in subexpressions(equation.expression):
            if isinstance(node, Access):
                for index, declared in zip(node.indices, system.tensor_axes[node.tensor], strict=True):
                    read = plain_axis(index)
                    if read is not None and read != declared:
                        yield equation, node, read, declared


def solve_sizes(
    system: System, shapes: Mapping[str, tuple[int, ...]], *, partial: bool = False
) -> dict[str, int]:
    """The size of every axis, from the shapes of (some) tensors.

    Raises ChainruleError naming both places where two sizes conflict, or, unless ``partial``, the axes that are
    still unknown.
    """
    classes = axis_classes(system)
    known: dict[str, tuple[int, str]] = {}

    def learn(axis: str, size: int, place: str) -> bool:
        representative = classes.get(axis, axis)
        if representative not in known:
            known[representative] = (size, place)
            return True
        other, earlier = known[representative]
        if other != size:
            raise _conflict(system, axis, size, place, other, earlier)
        return False

    for name, size in system.sizes:
        if isinstance(size, Number) and isinstance(size.value, int):
            learn(name, size.value, f"axis {name} is declared as {size.value}")
    for tensor, shape in shapes.items():
        axes = system.tensor_axes.get(tensor)
        if axes is None:
            continue
        if len(axes) != len(shape):
            raise ChainruleError(f"{tensor}[{','.join(axes)}] has {len(axes)} axes, but its values have shape {tuple(shape)}")
        for axis, size in zip(axes, shape, strict=True):
            learn(axis, int(size), f"axis {axis} of {tensor} is {size}")
    changed = True
    while changed:
        changed = False
        for name, relation in system.sizes:
            if relation is None or isinstance(relation, Number) and isinstance(relation.value, int):
                continue
            needed = size_names(relation)
            values = {other: known[classes.get(other, other)][0] for other in needed
                      if classes.get(other, other) in known}
            if len(values) == len(set(needed)):
                size = size_value(relation, values)
                facts = ", ".join(f"size({other}) = {value}" for other, value in values.items())
                if size < 1:
                    raise ChainruleError(f"axis {name} = {relation} would be {size} with {facts}")
                changed |= learn(name, size, f"axis {name} = {relation} is {size} with {facts}")
            else:
                changed |= _solve_backwards(name, relation, values, known, classes, learn)
    sizes = {axis: known[representative][0] for axis, representative in classes.items() if representative in known}
    if not partial:
        unknown = [axis for axis in system.axes if axis not in sizes]
        if unknown:
            raise ChainruleError(f"the size of axis {unknown[0]} is not known; declare it (axis {unknown[0]} = …) "
                                 "or give the values of a tensor that has it")
    return sizes


def _solve_backwards(name: str, relation: Any, values: Mapping[str, int], known: Mapping[str, tuple[int, str]],
                     classes: Mapping[str, str], learn: Any) -> bool:
    """From ``p = size(h) - size(u) + 1`` with p and u known, h: only where the relation has no division."""
    missing = [other for other in dict.fromkeys(size_names(relation)) if other not in values]
    own = classes.get(name, name)
    if len(missing) != 1 or own not in known or not isinstance(relation, Index):
        return False
    if any(not isinstance(atom, Number) for _, atom in relation.terms):
        return False
    coefficient = next(c for c, atom in relation.terms if isinstance(atom, Number) and atom.value == missing[0])
    rest = size_value(relation, {**values, missing[0]: 0})
    size, remainder = divmod(known[own][0] - rest, coefficient)
    if remainder or size < 1:
        raise ChainruleError(f"axis {name} = {relation} has no solution for size({missing[0]}) with size({name}) = {known[own][0]}")
    return bool(learn(missing[0], size, f"axis {name} = {relation} makes size({missing[0]}) {size}"))


def size_value(relation: Expression | str, sizes: Mapping[str, int]) -> int:
    """The value of an integer expression over sizes."""
    match relation:
        case Number(str(name)):
            return sizes[name]
        case Number(int(value)):
            return value
        case Index(terms, constant):
            return constant + sum(c * size_value(atom, sizes) for c, atom in terms)
        case Apply(function, arguments):
            values = [size_value(argument, sizes) for argument in arguments]
            match function:
                case "+":
                    return sum(values)
                case "*":
                    product = 1
                    for value in values:
                        product *= value
                    return product
                case "neg":
                    return -values[0]
                case "//":
                    return values[0] // values[1]
                case "%":
                    return values[0] % values[1]
                case "max":
                    return max(values)
                case "min":
                    return min(values)
    raise ChainruleError(f"{relation} is no relation between sizes")


def _conflict(system: System, axis: str, size: int, place: str, other: int, earlier: str) -> ChainruleError:
    message = f"axis {axis} has two sizes: {earlier}, but {place}"
    for equation, node, read, declared in plain_reads(system):
        if axis in (read, declared) and f"axis {axis} of" not in earlier:
            from chainrule.equations.check import fail, path_of

            error: EquationError = fail(system, equation, path_of(equation.expression, node) or (),
                                        f"{message}; {node} makes {read} and {declared} one size")
            return error
    return ChainruleError(message)
