"""*classify*: a system as a list of statements, each of one kind.

A sum, maximum … inside an expression becomes a statement of its own, so that every statement is one of

    Pointwise     y[b,j] = relu(z[b,j])               nothing is summed
    Reduction     C = sum[b](L[b])                     sum, max, min, logsumexp, argmax, argmin
    Contraction   z[b,j] = sum[i](x[b,i]*W[i,j])       a sum of products of two tensors: matrix products
    Scatter       ∂E[v,d] = sum[b](∂e[b,d]*[v = t[b]]) adds to positions in the data
    Random        r[b,j] ~ uniform                     Philox
    Recurrence    h[b,t] = … h[b,t-1] …                statements repeated along an axis

in an order in which each reads only what is computed before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from chainrule.backends.native.space import Space
from chainrule.equations.kinds import kind_of
from chainrule.equations.node import (
    Access,
    Apply,
    Equation,
    Expression,
    Index,
    Number,
    Reduce,
    access,
    factors_of,
    plain_axis,
)
from chainrule.equations.order import order
from chainrule.equations.walk import free_axes, product, rebuild, subexpressions, tensors


@dataclass(frozen=True)
class Statement:
    """``name[axes] = expression``, from the equation of the user's that is called ``origin``."""

    name: str
    axes: tuple[str, ...]
    expression: Expression
    origin: str

    @property
    def reads(self) -> tuple[str, ...]:
        return tensors(self.expression)

    @property
    def loops(self) -> tuple[str, ...]:
        """All axes along which it is computed: those of the result, then those summed over."""
        summed = self.expression.axes if isinstance(self.expression, Reduce) else ()
        return (*self.axes, *summed)

    @property
    def entry(self) -> tuple[Access, str, Access] | None:
        """What it is but at one position, the axis of that position, and where the data say which it is:
        ``x'[b,t,d] = where([t = now], y[b,d], x[b,t,d])`` differs from x at the position ``now`` of t alone."""
        match self.expression:
            case Apply("where", (Apply("=", sides), _, Access(_, indices) as present)):
                if tuple(plain_axis(index) for index in indices) != self.axes:
                    return None
                for one, position in (sides, sides[::-1]):
                    along = plain_axis(one)
                    if along in self.axes and isinstance(position, Access) and not position.indices:
                        assert along is not None
                        return present, along, position
        return None

    def __str__(self) -> str:
        return str(Equation(self.name, self.axes, self.expression))


class Pointwise(Statement):
    """Nothing is summed."""


class Reduction(Statement):
    """The expression is a ``Reduce`` whose body has no other."""


@dataclass(frozen=True)
class Operand:
    """A factor of a contraction: the tensor, where position 0 of all axes lies, and the step along each axis, both as
    sums of (coefficient, axes whose sizes multiply it)."""

    tensor: str
    steps: tuple[tuple[str, tuple[tuple[int, tuple[str, ...]], ...]], ...]
    start: tuple[tuple[int, tuple[str, ...]], ...]
    guards: tuple[tuple[Index, str], ...]  # positions that may lie outside: the index, the axis that it must fit

    def step(self, axis: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
        return dict(self.steps).get(axis, ())

    @property
    def guarded(self) -> tuple[str | None, ...]:
        """The axes at whose ends the factor is outside, as in ``h[b,t-1]``; None for what is outside elsewhere."""
        return tuple(_shifted(index) for index, _ in self.guards)


@dataclass(frozen=True)
class Contraction(Statement):
    """``expression`` is the sum of ``left * right``; ``batch``, ``rows``, ``columns`` and ``summed`` are its axes:
    those of both factors and the result, of left and the result, of right and the result, of both factors only."""

    left: Operand
    right: Operand
    batch: tuple[str, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    summed: tuple[str, ...]


@dataclass(frozen=True)
class Scatter(Statement):
    """``term`` is added at ``places`` (axis of the result, position) for all positions of the axes ``summed``."""

    term: Expression
    places: tuple[tuple[str, Expression], ...]
    summed: tuple[str, ...]


@dataclass(frozen=True)
class Random(Statement):
    """The values of a random input."""

    distribution: str


@dataclass(frozen=True)
class Recurrence(Statement):
    """``statements`` once for each position of ``axis``, in ``direction`` (1 or -1)."""

    statements: tuple[Statement, ...]
    axis: str
    direction: int

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for statement in self.statements for name in statement.reads))


def statements(space: Space, wanted: Collection[str]) -> list[Statement]:
    """The system's equations as statements, with the random inputs that they read or that are wanted."""
    system = space.system
    read = set(wanted) | {name for equation in system.equations for name in tensors(equation)}
    found: list[Statement] = [
        Random(t.name, t.axes, Number(0), t.name, distribution=t.distribution or "uniform")
        for t in system.named("random")
        if t.name in read
    ]
    for block in order(system):
        names = {equation.name for equation in block.equations}
        if block.axis is None:
            found += _split(space, block.equations[0], None)
            continue
        inside: list[Statement] = []
        for equation in block.equations:
            for statement in _split(space, equation, block.axis):
                # what does not read the recurrence is computed before it, for all positions at once
                hoisted = statement.name not in names and not names & set(statement.reads)
                (found if hoisted else inside).append(statement)
                if not hoisted:
                    names.add(statement.name)
        last = inside[-1]
        origin = block.equations[-1].name
        found.append(
            Recurrence(
                last.name,
                block.equations[-1].axes,
                Number(0),
                origin,
                statements=tuple(inside),
                axis=block.axis,
                direction=block.direction,
            )
        )
    return found


def _split(space: Space, equation: Equation, along: str | None) -> list[Statement]:
    """One equation as statements: reductions inside it first.  ``along``: the axis of its recurrence."""
    made: list[Statement] = []

    def named(node: Any) -> Any:
        """The expression with every reduction in it replaced by a read of a statement's result."""
        if not isinstance(node, Reduce):
            return rebuild(node, named) if _has_reduction(node) else node
        axes = tuple(name for name in free_axes(node))
        name = f"{equation.name}#{len(made)}"
        while name in space.tensors:
            name += "#"
        element = "i64" if _is_integer(space, node) else space.element
        space.define(name, axes, element)
        made.extend(
            _reduction(space, name, axes, Reduce(node.operation, node.axes, inner(node.body)), equation.name, along)
        )
        return access(name, axes)

    def inner(body: Any) -> Any:
        return named(body) if _has_reduction(body) else body

    expression = equation.expression
    if isinstance(expression, Reduce) and set(free_axes(expression)) == set(equation.axes):
        body = inner(expression.body)
        whole = Reduce(expression.operation, expression.axes, body)
        made.extend(_reduction(space, equation.name, equation.axes, whole, equation.name, along))
    else:
        made.append(Pointwise(equation.name, equation.axes, named(expression), equation.name))
    return made


@lru_cache(maxsize=100_000)
def _has_reduction(node: Any) -> bool:
    return any(isinstance(part, Reduce) for part in subexpressions(node))


def _is_integer(space: Space, node: Expression) -> bool:
    known = {name: "integer" if tensor.element == "i64" else "real" for name, tensor in space.tensors.items()}
    return kind_of(node, known) == "integer"


def _reduction(
    space: Space, name: str, axes: tuple[str, ...], node: Reduce, origin: str, along: str | None
) -> Iterator[Statement]:
    """The statements for ``name[axes] = reduction``."""
    if node.operation == "sum":
        contraction = _contraction(space, name, axes, node, origin, along)
        if contraction is not None:
            yield contraction
            return
        scatter = _scatter(space, name, axes, node, origin)
        if scatter is not None:
            yield scatter
            return
    yield Reduction(name, axes, node, origin)


# contractions

SMALL = 16  # products of fewer terms than this are plain loops


def _contraction(
    space: Space, name: str, axes: tuple[str, ...], node: Reduce, origin: str, along: str | None
) -> Contraction | None:
    if not axes or space.tensors[name].element == "i64" or not isinstance(node.body, Apply):
        return None
    if node.body.function != "*" or len(node.body.arguments) != 2:
        return None
    factors = node.body.arguments
    one, other = (operand(space, f) if isinstance(f, Access) and f.indices else None for f in factors)
    if one is None or other is None or prod(space.size(a) for a in (*axes, *node.axes)) < SMALL:
        return None
    guarded = set(one.guarded) | set(other.guarded)
    if along in node.axes or None in guarded:
        return None
    first, second = ({axis for axis, _ in factor.steps} for factor in (one, other))
    if (first | second) != set(axes) | set(node.axes) or not set(node.axes) <= first & second:
        return None
    if len(set(node.axes)) < len(node.axes):
        return None
    left, right = one, other
    if axes[-1] in first and axes[-1] in second:
        return None
    if axes[-1] in first:
        left, right, first, second = right, left, second, first
    if not set(axes) & first - second and right.step(axes[-1]) != ((1, ()),):
        # matrices in rows times vectors: the rows stay rows, and the vector is the one column
        left, right, first, second = right, left, second, first
    batch = tuple(axis for axis in axes if axis in first and axis in second)
    rows = tuple(axis for axis in axes if axis in first and axis not in second)
    columns = tuple(axis for axis in axes if axis in second and axis not in first)
    if guarded & set(columns):
        return None
    return Contraction(
        name, axes, node, origin, left=left, right=right, batch=batch, rows=rows, columns=columns, summed=node.axes
    )


def operand(space: Space, read: Access) -> Operand | None:
    """The read as steps along axes, if its indices are affine; positions that may be outside are guarded."""
    tensor = space.tensors[read.tensor]
    if tensor.element == "i64":
        return None
    steps: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    start: list[tuple[int, tuple[str, ...]]] = []
    guards: list[tuple[Index, str]] = []
    for place, index in enumerate(read.indices):
        if not isinstance(index, Index) or any(not isinstance(atom, str) for _, atom in index.terms):
            return None
        stride = tensor.axes[place + 1 :]
        for coefficient, atom in index.terms:
            assert isinstance(atom, str)
            steps.setdefault(atom, []).append((coefficient, stride))
        if index.constant:
            start.append((index.constant, stride))
        if not space.inside(read, place):
            guards.append((index, tensor.axes[place]))
    if any(len(parts) > 1 or parts[0][0] < 0 for parts in steps.values()):
        return None
    known = tuple((axis, tuple(parts)) for axis, parts in steps.items())
    return Operand(read.tensor, known, tuple(start), tuple(guards))


def _shifted(index: Index) -> str | None:
    """The axis of which the index is a shift."""
    match index.terms:
        case ((1, str(axis)),):
            return axis
    return None


# scatter


def _scatter(space: Space, name: str, axes: tuple[str, ...], node: Reduce, origin: str) -> Scatter | None:
    """Σ term·[v = position in the data]: worth it where v is an axis of the result that nothing else mentions."""
    factors = factors_of(node.body)
    places: dict[str, Expression] = {}
    rest = list(factors)
    for factor in factors:
        if not isinstance(factor, Apply) or factor.function != "=":
            continue
        for axis_side, other in (factor.arguments, factor.arguments[::-1]):
            axis = plain_axis(axis_side)
            if axis is None or axis not in axes or axis in places or not tensors(other):
                continue
            if _is_integer(space, other) and not set(axes) & set(free_axes(other)):
                if any(axis in free_axes(part) for part in rest if part is not factor):
                    continue
                places[axis] = other
                rest.remove(factor)
                break
    if not places or space.tensors[name].element == "i64":
        return None
    if not any(set(node.axes) & set(free_axes(place)) for place in places.values()):
        return None
    term = product(rest)
    return Scatter(name, axes, node, origin, term=term, places=tuple(places.items()), summed=node.axes)
