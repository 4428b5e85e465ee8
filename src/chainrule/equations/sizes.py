"""Sizes of axes, solved from declarations, shapes of data and relations.

A plain read ``x[b,i]`` says that axis ``i`` is as long as the axis of ``x`` it stands for, unless one of the two is
declared by a relation to the other (``axis k = size(i) + size(j)``); a shifted or scaled read says nothing (outside,
a tensor is 0).  ``k'`` is as long as ``k``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, base_axis, plain_axis
from chainrule.equations.places import fail, quote
from chainrule.equations.system import System, size_names
from chainrule.equations.walk import occurrences
from chainrule.errors import ChainruleError


@dataclass(frozen=True)
class PlainRead:
    """A plain axis where another axis of a tensor is meant: ``read`` is as long as ``declared``."""

    equation: Equation
    path: tuple[object, ...]
    access: Access
    read: str
    declared: str


def plain_reads(system: System) -> Iterator[PlainRead]:
    """Every plain axis that reads an axis of another name, which therefore has its size.

    Equations of derivatives say nothing: there ``x[t]`` may be what became of ``x[t-1]`` in the step after.
    """
    relations = {name: size_names(relation) for name, relation in system.sizes}
    for equation in system.equations:
        if equation.name.startswith("∂"):
            continue
        for path, node, _ in occurrences(equation.expression):
            if isinstance(node, Access):
                for index, declared in zip(node.indices, system.tensor_axes[node.tensor], strict=True):
                    read = plain_axis(index)
                    if read is None or read == declared:
                        continue
                    if read not in relations.get(declared, ()) and declared not in relations.get(read, ()):
                        yield PlainRead(equation, path, node, read, declared)


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

    mentioned = (name for equation in system.equations for name in size_names(equation.expression))
    for name in (*system.axes, *mentioned):
        parent[root(name)] = root(base_axis(name))
    for read in plain_reads(system):
        parent[root(read.read)] = root(read.declared)
    return {name: root(name) for name in list(parent)}


def solve_sizes(system: System, shapes: Mapping[str, tuple[int, ...]], *, partial: bool = False) -> dict[str, int]:
    """The size of every axis, from the shapes of (some) tensors.

    Raises ChainruleError naming both places where two sizes conflict, or, unless ``partial``, the axes that are
    still unknown.
    """
    facts = _Facts(system)
    for name, relation in system.sizes:
        if isinstance(relation, Number) and isinstance(relation.value, int):
            facts.learn(_Fact(name, relation.value, f"axis {name} is declared as {relation.value}", f"axis {name}"))
    for tensor, shape in shapes.items():
        axes = system.tensor_axes.get(tensor)
        if axes is None:
            continue
        if len(axes) != len(shape):
            has = f"{tensor}[{','.join(axes)}] has {len(axes)} axes" if axes else f"{tensor} has no axes"
            raise ChainruleError(f"{has}, but its values have shape {tuple(shape)}")
        for name, size in zip(axes, shape, strict=True):
            facts.learn(_Fact(name, int(size), f"axis {name} of {tensor} is {size}", tensor))
    while any([_apply_relation(facts, name, relation) for name, relation in system.sizes if relation is not None]):
        pass
    sizes = {name: known for name in facts.classes if (known := facts.size(name)) is not None}
    if not partial:
        unknown = [name for name in system.axes if name not in sizes]
        if unknown:
            raise ChainruleError(
                f"the size of axis {unknown[0]} is not known; declare it (axis {unknown[0]} = …) "
                "or give the values of a tensor that has it"
            )
    return sizes


@dataclass(frozen=True)
class _Fact:
    """An axis has a size; ``place`` says who says so, ``name`` is where in the sources that is written."""

    axis: str
    size: int
    place: str
    name: str


class _Facts:
    """What is known of sizes so far: one fact for each class of axes."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.classes = axis_classes(system)
        self.known: dict[str, _Fact] = {}

    def size(self, axis: str) -> int | None:
        fact = self.known.get(self.classes.get(axis, axis))
        return None if fact is None else fact.size

    def learn(self, fact: _Fact) -> bool:
        """Whether the fact is new; raises ChainruleError if it contradicts an earlier one."""
        earlier = self.known.setdefault(self.classes.get(fact.axis, fact.axis), fact)
        if earlier.size != fact.size:
            raise _conflict(self.system, earlier, fact)
        return earlier is fact


def _conflict(system: System, earlier: _Fact, fact: _Fact) -> ChainruleError:
    """The error for two sizes of one axis, or of two axes that a plain read makes one."""
    if base_axis(earlier.axis) == base_axis(fact.axis):
        message = f"axis {fact.axis} has two sizes: {earlier.place}, but {fact.place}"
        return quote(system, fact.name, message)
    reads = [r for r in plain_reads(system) if {r.read, r.declared} & {earlier.axis, fact.axis}]
    between = next((r for r in reads if {r.read, r.declared} == {earlier.axis, fact.axis}), reads[0])
    message = (
        f"axes {earlier.axis} and {fact.axis} must have one size: {earlier.place}, but {fact.place}; "
        f"{between.access} reads {between.declared} at {between.read}"
    )
    return fail(system, between.equation, between.path, message)


def _apply_relation(facts: _Facts, name: str, relation: Expression) -> bool:
    """Use ``axis name = relation`` in the direction in which it can be solved; whether something new was learnt."""
    values = {other: size for other in size_names(relation) if (size := facts.size(other)) is not None}
    missing = set(size_names(relation)) - values.keys()
    given = ", ".join(f"size({other}) = {value}" for other, value in values.items())
    if not missing:
        size = size_value(relation, values)
        if size < 1:
            message = f"axis {name} = {relation} would be {size}" + (f" with {given}" if given else "")
            raise quote(facts.system, f"axis {name}", message)
        place = f"axis {name} = {relation} is {size}" + (f" with {given}" if given else "")
        return facts.learn(_Fact(name, size, place, f"axis {name}"))
    own = facts.size(name)
    if len(missing) > 1 or own is None:
        return False
    (other,) = missing
    coefficient = _coefficient(relation, other)
    if coefficient is None:
        return False
    size, remainder = divmod(own - size_value(relation, {**values, other: 0}), coefficient)
    given = ", ".join([f"size({name}) = {own}", *([given] if given else [])])
    if remainder or size < 1:
        message = f"axis {name} = {relation} has no solution for size({other}) with {given}"
        raise quote(facts.system, f"axis {name}", message)
    place = f"axis {name} = {relation} makes size({other}) {size} with {given}"
    return facts.learn(_Fact(other, size, place, f"axis {name}"))


def _coefficient(relation: Expression, axis: str) -> int | None:
    """c where the relation is c·size(axis) + (what does not mention it), else None."""
    if not isinstance(relation, Index):
        return 1 if relation is Number(axis) else None
    if any(axis in size_names(atom) for _, atom in relation.terms if isinstance(atom, Apply)):
        return None
    return next(coefficient for coefficient, atom in relation.terms if atom is Number(axis))


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
                    return prod(values)
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
