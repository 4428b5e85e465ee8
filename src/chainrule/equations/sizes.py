"""Sizes of axes, solved from declarations, shapes of data and relations.

A plain read of an axis under another name, ``x[b,i]`` of ``x[b,h]``, says that ``i`` is as long as ``h``, with two
exceptions.  Axes that are related (``axis k = size(i) + size(j)``) have the sizes that the relation gives.  And where
tensors are read at shifted or scaled positions along both axes, zero outside is what is meant: with ``x[j-1]*v[j-1]``
``x`` and ``v`` may differ in length, and so they may in the derivative ``v[i]`` of that; there a plain read only gives
its size to an axis that has none otherwise.  A shifted or scaled read says nothing.  ``k'`` is as long as ``k``.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class _Equalities:
    """What plain reads say: ``classes`` maps an axis to the representative of the axes that must have its size."""

    classes: Mapping[str, str]
    binding: tuple[PlainRead, ...]
    loose: tuple[PlainRead, ...]


def axis_classes(system: System) -> Mapping[str, str]:
    """Axis → the representative of the axes that must have its size."""
    return _equalities(system).classes


def axis_class(name: str, classes: Mapping[str, str]) -> str:
    """The representative of the axes that have the size of this one; a copy of an axis has that of the axis."""
    return classes.get(name, classes.get(base_axis(name), base_axis(name)))


def size_along(name: str, sizes: Mapping[str, int], classes: Mapping[str, str]) -> int | None:
    """The size of an axis, where one of the axes of its class has one."""
    for other in (name, base_axis(name), axis_class(name, classes)):
        if other in sizes:
            return sizes[other]
    return None


def known_size(name: str, sizes: Mapping[str, int], classes: Mapping[str, str]) -> int:
    """The size of an axis that code depends on.  Raises ChainruleError where it is not known."""
    size = size_along(name, sizes, classes)
    if size is None:
        raise ChainruleError(f"the code depends on the size of axis {base_axis(name)}, which is not known")
    return size


def fixed_axes(system: System) -> set[str]:
    """The axes whose sizes do not depend on the data: declared, or those of parameters and states."""
    lasting = [tensor for tensor in system.inputs if tensor.role in ("parameter", "state")]
    return {name for tensor in lasting for name in tensor.axes} | set(solve_sizes(system, {}, partial=True))


@lru_cache(maxsize=512)
def _equalities(system: System) -> _Equalities:
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
    reads, elsewhere = _plain_reads(system)
    binding: list[PlainRead] = []
    loose: list[PlainRead] = []
    for read in reads:
        one, other = root(read.read), root(read.declared)
        if one == other:
            continue
        if {one, other} <= elsewhere:
            loose.append(read)
            continue
        parent[one] = other
        elsewhere |= {other} if one in elsewhere else set()
        binding.append(read)
    sized = {root(name) for name in _sized(system)}
    while True:
        free = [r for r in loose if root(r.read) != root(r.declared) and not {root(r.read), root(r.declared)} <= sized]
        if not free:
            break
        one, other = root(free[0].read), root(free[0].declared)
        parent[one] = other
        sized |= {other} if one in sized else set()
        binding.append(free[0])
    return _Equalities(
        {name: root(name) for name in list(parent)},
        tuple(binding),
        tuple(read for read in loose if root(read.read) != root(read.declared)),
    )


def _plain_reads(system: System) -> tuple[list[PlainRead], set[str]]:
    """The plain reads of axes under other names that no relation explains; the axes along which tensors are read at
    other positions."""
    ancestors = _ancestors(system)
    reads: list[PlainRead] = []
    elsewhere: set[str] = set()
    for equation in system.equations:
        for path, node, _ in occurrences(equation.expression):
            if not isinstance(node, Access):
                continue
            for index, declared in zip(node.indices, system.tensor_axes[node.tensor], strict=True):
                read = plain_axis(index)
                one, other = base_axis(read or ""), base_axis(declared)
                if read is None or other in ancestors.get(one, ()) or one in ancestors.get(other, ()):
                    elsewhere.add(other)
                elif one != other:
                    reads.append(PlainRead(equation, path, node, read, declared))
    return reads, elsewhere


def _ancestors(system: System) -> Mapping[str, set[str]]:
    """Axis → the axes from whose sizes its own is made, directly or not."""
    direct = {name: {base_axis(other) for other in size_names(relation)} for name, relation in system.sizes}
    found: dict[str, set[str]] = {}
    for name in direct:
        waiting, found[name] = [name], set()
        while waiting:
            for other in direct.get(waiting.pop(), set()) - found[name]:
                found[name].add(other)
                waiting.append(other)
    return found


def _sized(system: System) -> set[str]:
    """Axes whose sizes something other than a plain read gives: a declaration, a relation or an input."""
    declared = {name for name, relation in system.sizes if relation is not None}
    related = {base_axis(other) for _, relation in system.sizes for other in size_names(relation)}
    return declared | related | {base_axis(name) for tensor in system.inputs for name in tensor.axes}


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
    relations = [(name, relation) for name, relation in system.sizes if relation is not None]
    while any([_apply_relation(facts, name, relation) for name, relation in relations]) or facts.share():
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
        self.equalities = _equalities(system)
        self.classes = self.equalities.classes
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

    def share(self) -> bool:
        """Whether a plain read gave its size to an axis that had none."""
        for read in self.equalities.loose:
            for one, other in ((read.read, read.declared), (read.declared, read.read)):
                size = self.size(one)
                if size is not None and self.size(other) is None:
                    place = f"{read.access} makes axis {other} as long as {one}, which is {size}"
                    return self.learn(_Fact(other, size, place, read.equation.name))
        return False


def _conflict(system: System, earlier: _Fact, fact: _Fact) -> ChainruleError:
    """The error for two sizes of one axis, or of two axes that a plain read makes one."""
    if base_axis(earlier.axis) == base_axis(fact.axis):
        message = f"axis {fact.axis} has two sizes: {earlier.place}, but {fact.place}"
        return quote(system, fact.name, message)
    both = {base_axis(earlier.axis), base_axis(fact.axis)}
    reads = [(r, {base_axis(r.read), base_axis(r.declared)}) for r in _equalities(system).binding]
    reads = [(r, axes) for r, axes in reads if axes & both]
    between = next((r for r, axes in reads if axes == both), reads[0][0])
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
