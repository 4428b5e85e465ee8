"""Loop nests: pointwise statements, reductions, scatters.  *fuse* and *vectorise* happen here.

A nest computes statements that have the same axes in one pass: a value that a later one reads stays in a register, and
is stored only if something else reads it.  Neighbouring axes that every tensor holds side by side are one axis
(``merge``).  One axis is computed in vectors: the one along which the least is gathered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import Any

from chainrule.backends.native import functions, ir
from chainrule.backends.native.expressions import Expressions
from chainrule.backends.native.ir import Value, integer, is_float, number, vector
from chainrule.backends.native.kernel import Kernel
from chainrule.backends.native.space import MERGED, Space
from chainrule.backends.native.statements import Reduction, Scatter, Statement
from chainrule.equations.kinds import kind_of
from chainrule.equations.node import Access, Expression, Index, Reduce, axis, plain_axis
from chainrule.equations.walk import children, free_axes, rebuild, subexpressions

Parts = frozenset[str]
UNROLL = 4  # vectors under way at once in a sum along the vector axis


def pointwise(
    module: ir.Module, space: Space, statements: Sequence[Statement], stored: Collection[str], parts: Parts
) -> Kernel:
    """The statements, which have the same axes, in one nest.  ``stored``: those that something else reads.
    ``part``: the axis of which a call computes only some positions."""
    statements, axes, space = _merge(space, list(statements), list(statements[0].axes), parts)
    kernel = Kernel(module, space)
    nest = _Nest(kernel, parts)
    along = _vector_axis(space, axes, [s.expression for s in statements], [s.axes for s in statements])

    def body() -> None:
        write = nest.expressions
        results = []
        for statement in statements:
            value = write.value(statement.expression)
            value = write.whole_or_real(value, space.tensors[statement.name].element)
            write.known[statement.name] = (statement.axes, value)
            results.append((statement, value))
        # stores come last: what was read at this place has been read
        for statement, value in results:
            if statement.name in stored:
                write.write(statement.name, statement.axes, value)
        for statement in statements:
            del write.known[statement.name]

    nest.run([name for name in axes if name != along], along, body)
    kernel.function.ret()
    return kernel


def reduction(module: ir.Module, space: Space, statement: Statement, parts: Parts, adds: bool) -> Kernel:
    """A reduction.  ``adds``: to what the result holds already (sums only)."""
    assert isinstance(statement.expression, Reduce)
    (statement,), _, space = _merge(space, [statement], list(statement.loops), parts)
    node = statement.expression
    assert isinstance(node, Reduce)
    kernel = Kernel(module, space)
    nest = _Nest(kernel, parts)
    summed = () if node.operation.startswith("arg") else node.axes
    along = _vector_axis(space, [*statement.axes, *summed], [node.body], [statement.axes], summed)
    outer = [name for name in statement.axes if name != along]
    inner = [name for name in node.axes if name != along]
    integral = space.tensors[statement.name].element == "i64"

    def body() -> None:
        result = _reduce(nest, node, inner, along if along in node.axes else None, statement, integral, adds)
        nest.expressions.write(statement.name, statement.axes, result)

    nest.run(outer, None if along in node.axes else along, body)
    kernel.function.ret()
    return kernel


def scatter(module: ir.Module, space: Space, statement: Scatter, parts: Parts, adds: bool) -> Kernel:
    """Zero everywhere, then add each term where it belongs, in order."""
    kernel = Kernel(module, space)
    places = dict(statement.places)
    rest = [name for name in statement.axes if name not in places]
    if not adds:
        nest = _Nest(kernel, parts)
        along = statement.axes[-1]
        nest.run(
            [name for name in statement.axes if name != along],
            along,
            lambda: nest.expressions.write(statement.name, statement.axes, number(space.element, 0)),
        )
    nest = _Nest(kernel, parts)
    write = nest.expressions
    f = kernel.function

    def add() -> None:
        inside: Value | None = None
        for name, position in statement.places:
            fits = f.compare("ult", write.whole(position), kernel.size(name))
            inside = fits if inside is None else f.binary("and", inside, fits)
            if name in parts:
                low = f.compare("sge", write.whole(position), kernel.argument("from", name))
                high = f.compare("slt", write.whole(position), kernel.argument("to", name))
                inside = f.binary("and", f.binary("and", low, high), inside)
        assert inside is not None
        term = write.real(statement.term)
        offset = integer(0)
        for place, name in enumerate(statement.axes):
            at = write.index[name] if name in write.index else f.select(inside, write.whole(places[name]), integer(0))
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
    nest: _Nest,
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
    nest: _Nest,
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
    neutral = number(kind, 0) if operation == "sum" else _extreme(kind, operation)

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


def _combine(f: ir.Function, operation: str, one: Value, other: Value) -> Value:
    if operation == "sum":
        return f.add(one, other)
    if is_float(one.type):
        return functions.apply(f, operation, one, other)
    return f.intrinsic(f"llvm.s{operation}", one.type, one, other)


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


def _logsumexp(nest: _Nest, node: Reduce, inner: list[str], along: str | None, statement: Statement) -> Value:
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


def _arg(nest: _Nest, node: Reduce, inner: list[str], along: str | None) -> Value:
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
        value = write._splat(write.whole(node.body) if integral else write.real(node.body), lanes)
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


# loops


class _Nest:
    """Opens and closes the loops of a kernel."""

    def __init__(self, kernel: Kernel, parts: Parts) -> None:
        self.kernel = kernel
        self.parts = parts
        self.expressions = Expressions(kernel)

    def bounds(self, name: str) -> tuple[Value, Value]:
        """The positions of an axis that a call computes; a merged axis has the ends of its first, scaled."""
        kernel, f = self.kernel, self.kernel.function
        first, *inner = name.split(MERGED)
        if first not in self.parts:
            return integer(0), kernel.product((first, *inner))
        scale = kernel.product(inner)
        with f.at(kernel.entry):
            return f.mul(kernel.argument("from", first), scale), f.mul(kernel.argument("to", first), scale)

    def is_long(self, name: str) -> bool:
        return self.kernel.space.size(name) >= 2 * UNROLL * self.kernel.space.lanes

    def is_integral(self, node: Any) -> bool:
        tensors = self.kernel.space.tensors
        known = {name: "integer" if tensor.element == "i64" else "real" for name, tensor in tensors.items()}
        return kind_of(node, known) == "integer"

    def run(self, outer: Sequence[str], along: str | None, body: Callable[[], None]) -> None:
        """The body in loops over ``outer`` and, in vectors, over ``along``."""
        with ExitStack() as stack:
            for name in outer:
                self._enter(stack, name)
            if along is None:
                body()
                return
            self._vectors(along, body)

    def _enter(self, stack: ExitStack, name: str) -> None:
        low, high = self.bounds(name)
        loop = stack.enter_context(self.kernel.function.loop(low, high))
        self.expressions.open(name, loop.index)
        stack.callback(self.expressions.close, name)

    def lanes_along(self, name: str) -> int:
        """Lanes for loops along the axis: no more than it has positions, where that is known."""
        low, high = self.bounds(name)
        lanes = self.kernel.space.lanes
        if low.text.isdigit() and high.text.isdigit():
            while lanes >= 2 * (int(high.text) - int(low.text)) and lanes > 2:
                lanes //= 2
        return lanes

    def _vectors(self, name: str, body: Callable[[], None]) -> None:
        """Whole vectors; then what is left over, in narrower vectors where one or two will do, else under a mask."""
        f, write = self.kernel.function, self.expressions
        lanes = self.lanes_along(name)
        low, high = self.bounds(name)
        full = self.full(low, high, lanes)
        write.vector_axis, write.lanes = name, lanes
        if full.text != low.text:
            with f.loop(low, full, lanes) as loop:
                write.open(name, loop.index)
                body()
                write.close(name)
        pieces = _pieces(full, high)
        for at, width in pieces:
            write.lanes = width
            write.open(name, integer(at))
            body()
            write.close(name)
        if full.text != high.text and not pieces:
            with f.loop(full, high, lanes) as loop:
                write.open(name, loop.index)
                write.mask = self.left(loop.index, high, lanes)
                body()
                write.mask = None
                write.close(name)
        write.vector_axis, write.lanes = None, 1

    def full(self, low: Value, high: Value, step: int) -> Value:
        """Where the last whole step ends."""
        f = self.kernel.function
        if low.text.isdigit() and high.text.isdigit():
            return integer(int(low.text) + (int(high.text) - int(low.text)) // step * step)
        count = f.sub(high, low)
        whole = f.binary("and", count, integer(-step))
        # an empty part has a negative or zero count; its whole steps are none
        return f.add(low, whole)

    def left(self, index: Value, high: Value, lanes: int) -> Value:
        """The lanes from ``index`` on that lie before ``high``."""
        f = self.kernel.function
        return f.compare("slt", f.iota("i64", lanes), f.splat(f.sub(high, index), lanes))

    def fold(
        self, inner: Sequence[str], along: str | None, start: list[Value], turn: Callable[[Value], Value]
    ) -> list[Value]:
        """Accumulate over loops: ``turn`` gives the next accumulator.  Along a vector axis each accumulator takes
        every n-th vector."""
        if along is None:
            return self.fold_many(inner, start, lambda values: [turn(values[0])])
        f, write = self.kernel.function, self.expressions
        lanes = self.lanes_along(along)

        def vectors(values: list[Value]) -> list[Value]:
            low, high = self.bounds(along)
            step = lanes * len(values)
            full = self.full(low, high, step)
            write.vector_axis, write.lanes = along, lanes
            if full.text != low.text:
                with f.loop(low, full, step, values) as loop:
                    following = []
                    for count, value in enumerate(loop.carried):
                        write.open(along, f.add(loop.index, integer(count * lanes)))
                        following.append(turn(value))
                        write.close(along)
                    loop.next = following
                values = loop.results
            if full.text != high.text:
                with f.loop(full, high, lanes, values[:1]) as loop:
                    write.open(along, loop.index)
                    write.mask = self.left(loop.index, high, lanes)
                    loop.next = [turn(loop.carried[0])]
                    write.mask = None
                    write.close(along)
                values = [*loop.results, *values[1:]]
            write.vector_axis, write.lanes = None, 1
            return values

        return self.fold_many(inner, start, vectors)

    def fold_many(
        self, inner: Sequence[str], values: list[Value], turn: Callable[[list[Value]], list[Value]]
    ) -> list[Value]:
        """Accumulate several values over scalar loops."""
        if not inner:
            return turn(values)
        name, *rest = inner
        low, high = self.bounds(name)
        with self.kernel.function.loop(low, high, 1, values) as loop:
            self.expressions.open(name, loop.index)
            loop.next = self.fold_many(rest, loop.carried, turn)
            self.expressions.close(name)
        return loop.results


def _pieces(start: Value, end: Value) -> list[tuple[int, int]]:
    """The first position and width of at most two vectors, powers of two wide, from ``start`` to ``end``."""
    if not (start.text.isdigit() and end.text.isdigit()):
        return []
    at, rest = int(start.text), int(end.text) - int(start.text)
    if rest.bit_count() > 2:
        return []
    pieces = []
    while rest:
        width = 1 << (rest.bit_length() - 1)
        pieces.append((at, width))
        at, rest = at + width, rest - width
    return pieces


# which axis is computed in vectors


def _vector_axis(
    space: Space,
    axes: Sequence[str],
    expressions: Iterable[Expression],
    results: Iterable[tuple[str, ...]],
    summed: Sequence[str] = (),
) -> str | None:
    """The axis along which an element costs least: gathered reads are dear, and so are lanes left over."""
    if space.lanes == 1:
        return None
    expressions, results = list(expressions), list(results)
    reads = {node for e in expressions for node in subexpressions(e) if isinstance(node, Access)}
    best: tuple[float, str | None] = (0.7 * space.lanes * (1.0 + 0.25 * len(reads)), None)
    for name in reversed(dict.fromkeys(axes)):
        size = space.size(name)
        if size < 2:
            continue
        cost = 1.0
        for read in reads:
            kind = _spacing(space, read, name)
            cost += {"same": 0.1, "next": 0.25, "apart": 1.0}[kind]
        for result in results:
            if name in result and result[-1] != name:
                cost += 1.0
        if name in summed:
            cost += 0.3 * space.lanes / size
        cost *= math.ceil(size / space.lanes) * space.lanes / size
        if cost < best[0]:
            best = (cost, name)
    return best[1]


def _spacing(space: Space, read: Access, name: str) -> str:
    """How lanes along the axis lie in a read tensor: the same element, the next one, or apart."""
    mentions = [place for place, index in enumerate(read.indices) if name in free_axes(index)]
    if not mentions:
        return "same"
    last = len(read.indices) - 1
    if mentions == [last] and isinstance(read.indices[last], Index):
        index = read.indices[last]
        assert isinstance(index, Index)
        if (1, name) in index.terms and all(isinstance(atom, str) for _, atom in index.terms):
            return "next"
    return "apart"


# merging axes


def _merge(
    space: Space, statements: list[Statement], axes: list[str], parts: Parts
) -> tuple[list[Statement], list[str], Space]:
    """Join neighbouring axes that every read and every result has side by side, plainly, or not at all."""
    tensors = dict(space.tensors)
    own = dict(space.own)
    joined = True
    while joined:
        joined = False
        for first, second in pairwise(axes):
            if second.split(MERGED)[0] in parts or not _may_join(
                replace_space(space, tensors, own), statements, first, second
            ):
                continue
            name = first + MERGED + second
            own[name] = _size(space, own, first) * _size(space, own, second)
            statements = [_joined(s, first, second, name, tensors) for s in statements]
            axes = [name if other == first else other for other in axes if other != second]
            joined = True
            break
    return statements, axes, replace_space(space, tensors, own)


def replace_space(space: Space, tensors: dict[str, Any], own: dict[str, int]) -> Space:
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
