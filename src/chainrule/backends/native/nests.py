"""Loop nests: pointwise statements, reductions, scatters.

A nest computes statements that have the same axes in one pass: a value that a later one reads stays in a register, and
is stored only if something else reads it.  Neighbouring axes that every tensor holds side by side are one axis
(``merging.py``).  One axis is computed in vectors: the one along which the least is gathered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from chainrule.backends.native import functions, ir
from chainrule.backends.native.ir import Value, integer, is_float, number, vector
from chainrule.backends.native.kernel import Kernel
from chainrule.backends.native.loops import UNROLL, Nest, Parts, vector_axis
from chainrule.backends.native.merging import merged
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Scatter, Statement
from chainrule.backends.native.unrolled import at_position
from chainrule.equations.node import Access, Expression, Reduce, axis, plain_axis
from chainrule.equations.walk import subexpressions


def pointwise(
    module: ir.Module, space: Space, statements: Sequence[Statement], stored: Collection[str], parts: Parts
) -> Kernel:
    """The statements in one nest along the axes that all have.  ``stored``: those that something else reads.
    ``parts``: the axis of which a call computes only some positions."""
    axes = min((statement.axes for statement in statements), key=len)
    statements, common, space = merged(space, list(statements), list(axes), parts)
    kernel = Kernel(module, space)
    nest = Nest(kernel, parts)
    along = vector_axis(space, common, [s.expression for s in statements], [s.axes for s in statements])

    def body() -> None:
        write = nest.expressions
        results = []
        for statement in statements:
            for place, expression in _places(space, statement, common):
                value = write.value(expression)
                value = write.whole_or_real(value, space.tensors[statement.name].element)
                write.known[place] = value
                results.append((place, value))
        # stores come last: what was read at this place has been read
        for place, value in results:
            if place.tensor in stored:
                write.write(place, value)
            del write.known[place]

    nest.run([name for name in common if name != along], along, body)
    kernel.function.ret()
    return kernel


def _places(space: Space, statement: Statement, axes: Sequence[str]) -> Iterator[tuple[Access, Expression]]:
    """Where a statement is written in a nest along ``axes``, and what: once for each position of an axis more."""
    more = [name for name in statement.axes if name not in axes]
    whole = _at_axes(statement)
    if not more:
        yield whole, statement.expression
        return
    (name,) = more
    for position in range(space.size(name)):
        yield tuple(at_position(node, name, position) for node in (whole, statement.expression))


def reduction(module: ir.Module, space: Space, statement: Statement, parts: Parts, adds: bool) -> Kernel:
    """A reduction.  ``adds``: to what the result holds already (sums only)."""
    assert isinstance(statement.expression, Reduce)
    statement = replace(statement, expression=_in_order_of_memory(statement.expression))
    (statement,), _, space = merged(space, [statement], list(statement.loops), parts)
    node = statement.expression
    assert isinstance(node, Reduce)
    kernel = Kernel(module, space)
    nest = Nest(kernel, parts)
    summed = () if node.operation.startswith("arg") else node.axes
    along = vector_axis(space, [*statement.axes, *summed], [node.body], [statement.axes], summed)
    outer = [name for name in statement.axes if name != along]
    inner = [name for name in node.axes if name != along]
    integral = space.tensors[statement.name].element == "i64"

    def body() -> None:
        result = _reduce(nest, node, inner, along if along in node.axes else None, statement, integral, adds)
        nest.expressions.write(_at_axes(statement), result)

    def several(positions: list[Value]) -> None:
        assert along is not None
        _beside(nest, statement, node, inner, along, positions, adds)

    if along is None or along in node.axes or node.operation not in ("sum", "max", "min"):
        nest.run(outer, None if along in node.axes else along, body)
    else:
        nest.run_beside(outer, along, several, body)
    kernel.function.ret()
    return kernel


def scatter(module: ir.Module, space: Space, statement: Scatter, parts: Parts, adds: bool) -> Kernel:
    """Zero everywhere, then add each term where it belongs, in order."""
    kernel = Kernel(module, space)
    places = dict(statement.places)
    rest = [name for name in statement.axes if name not in places]
    if not adds:
        nest = Nest(kernel, parts)
        along = statement.axes[-1]
        nest.run(
            [name for name in statement.axes if name != along],
            along,
            lambda: nest.expressions.write(_at_axes(statement), number(space.element, 0)),
        )
    nest = Nest(kernel, parts)
    write = nest.expressions
    f = kernel.function

    def add() -> None:
        inside: Value | None = None
        for name, position in statement.places:
            fits = f.compare("ult", write.plain(position), kernel.size(name))
            inside = fits if inside is None else f.binary("and", inside, fits)
            if name in parts:
                low = f.compare("sge", write.plain(position), kernel.argument("from", name))
                high = f.compare("slt", write.plain(position), kernel.argument("to", name))
                inside = f.binary("and", f.binary("and", low, high), inside)
        assert inside is not None
        term = write.real(statement.term)
        offset = integer(0)
        for place, name in enumerate(statement.axes):
            at = write.index[name] if name in write.index else f.select(inside, write.plain(places[name]), integer(0))
            offset = f.add(offset, f.mul(at, kernel.stride(statement.name, place)))
        base = kernel.argument("tensor", statement.name)
        with f.when(inside):
            address = f.pointer(base, space.element, offset)
            f.store(f.add(f.load(space.element, address), term), address)

    nest.run([*statement.summed, *rest], None, add)
    kernel.function.ret()
    return kernel


# reductions


def _reduce(
    nest: Nest,
    node: Reduce,
    inner: list[str],
    along: str | None,
    statement: Statement,
    integral: bool,
    adds: bool,
) -> Value:
    """The reduction at the present place: along ``inner`` in loops, along ``along`` in vectors."""
    if node.operation == "logsumexp":
        return _logsumexp(nest, node, inner, along, statement)
    if node.operation in ("argmax", "argmin"):
        return _arg(nest, node, inner, along)
    return _fold(nest, node.operation, node.body, inner, along, integral, statement if adds else None)


def _fold(
    nest: Nest,
    operation: str,
    body: Any,
    inner: list[str],
    along: str | None,
    integral: bool,
    onto: Statement | None = None,
    term: Callable[[], Value] | None = None,
) -> Value:
    """Sum, maximum or minimum; ``term`` computes what is folded where it is not the body itself."""
    write, f = nest.expressions, nest.kernel.function
    element = "i64" if integral else nest.kernel.space.element
    lanes = write.lanes if along is None else nest.lanes_along(along)
    kind = vector(element, lanes)
    neutral = _neutral(kind, operation)

    def turn() -> Value:
        value = term() if term is not None else write.value(body)
        value = write.whole_or_real(value, element)
        value = write._splat(value, lanes)
        if along is not None and write.mask is not None:
            value = f.select(write.mask, value, neutral)
        return value

    count = UNROLL if along is not None and nest.is_long(along) else 1
    totals = nest.fold(inner, along, [neutral] * count, lambda accumulator: _combine(f, operation, accumulator, turn()))
    total = totals[0]
    for other in totals[1:]:
        total = _combine(f, operation, total, other)
    if along is not None:
        total = _across(f, operation, total)
    if onto is not None:
        before = write.value(_at_axes(onto))
        total = f.add(*write.together(before, total))
    return total


def _beside(
    nest: Nest, statement: Statement, node: Reduce, inner: list[str], along: str, positions: list[Value], adds: bool
) -> None:
    """Sums, maxima or minima at several vectors along an axis that is not reduced."""
    write, f = nest.expressions, nest.kernel.function
    element = nest.kernel.space.tensors[statement.name].element
    kind = vector(element, write.lanes)

    def turn(values: list[Value]) -> list[Value]:
        following = []
        for position, before in zip(positions, values, strict=True):
            write.open(along, position)
            value = write._splat(write.whole_or_real(write.value(node.body), element), write.lanes)
            following.append(_combine(f, node.operation, before, value))
            write.close(along)
        return following

    totals = nest.fold_many(inner, [_neutral(kind, node.operation)] * len(positions), turn)
    for position, total in zip(positions, totals, strict=True):
        write.open(along, position)
        if adds:
            total = f.add(*write.together(write.value(_at_axes(statement)), total))
        write.write(_at_axes(statement), total)
        write.close(along)


def _in_order_of_memory(node: Expression) -> Reduce:
    """The reduction with its axes in the order in which the first tensor that has them all holds them."""
    assert isinstance(node, Reduce)
    for read in subexpressions(node.body):
        if isinstance(read, Access):
            places = [plain_axis(index) for index in read.indices]
            if set(node.axes) <= set(places):
                return Reduce(node.operation, tuple(sorted(node.axes, key=places.index)), node.body)
    return node


def _combine(f: ir.Function, operation: str, one: Value, other: Value) -> Value:
    if operation == "sum":
        return f.add(one, other)
    if is_float(one.type):
        return functions.apply(f, operation, one, other)
    return f.intrinsic(f"llvm.s{operation}", one.type, one, other)


def _neutral(kind: str, operation: str) -> Value:
    """What a sum, maximum or minimum starts with."""
    return number(kind, 0) if operation == "sum" else _extreme(kind, operation)


def _extreme(kind: str, operation: str) -> Value:
    """What every value is at least as great (small) as."""
    if is_float(kind):
        return number(kind, -math.inf if operation == "max" else math.inf)
    return number(kind, -(2**63) if operation == "max" else 2**63 - 1)


def _across(f: ir.Function, operation: str, value: Value) -> Value:
    """The reduction of the lanes of a vector: halves, then halves of these."""
    lanes = value.lanes
    while lanes > 2:
        lanes //= 2
        low, high = f.shuffle(value, value, range(lanes)), f.shuffle(value, value, range(lanes, 2 * lanes))
        value = _combine(f, operation, low, high)
    return _combine(f, operation, f.extract(value, 0), f.extract(value, 1))


def _logsumexp(nest: Nest, node: Reduce, inner: list[str], along: str | None, statement: Statement) -> Value:
    """The greatest term is taken out, so that nothing overflows."""
    write, f = nest.expressions, nest.kernel.function
    highest = _fold(nest, "max", node.body, inner, along, False)
    size = f.intrinsic("llvm.fabs", highest.type, highest)
    finite = f.compare("one", size, number(size.type, math.inf))
    highest = f.select(finite, highest, number(highest.type, 0))

    def term() -> Value:
        return functions.apply(f, "exp", f.sub(*write.together(write.real(node.body), highest)))

    total = _fold(nest, "sum", node.body, inner, along, False, term=term)
    return f.add(functions.apply(f, "log", total), highest)


def _arg(nest: Nest, node: Reduce, inner: list[str], along: str | None) -> Value:
    """The first position of the greatest (least) value; the first NaN counts as such."""
    write, f = nest.expressions, nest.kernel.function
    (name,) = node.axes
    assert along is None
    lanes = write.lanes
    sample = "ogt" if node.operation == "argmax" else "olt"
    whole = "sgt" if node.operation == "argmax" else "slt"
    operation = node.operation[3:]
    integral = nest.is_integral(node.body)
    kind = vector("i64" if integral else nest.kernel.space.element, lanes)

    def turn(best: list[Value]) -> list[Value]:
        value = write._splat(write.plain(node.body) if integral else write.real(node.body), lanes)
        position = write._splat(write.index[name], lanes)
        if integral:
            better = f.compare(whole, value, best[0])
        else:
            greater = f.compare(sample, value, best[0])
            missing = f.compare("uno", value, value)
            known = f.compare("ord", best[0], best[0])
            better = f.binary("and", f.binary("or", greater, missing), known)
        return [f.select(better, value, best[0]), f.select(better, position, best[1])]

    _, position = nest.fold_many(inner, [_extreme(kind, operation), number(vector("i64", lanes), 0)], turn)
    return position


def _at_axes(statement: Statement) -> Access:
    return Access(statement.name, tuple(axis(name) for name in statement.axes))
