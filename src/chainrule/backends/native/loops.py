"""The loops of a nest: over scalars, over vectors along one axis, and over sums; and which axis is in vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from chainrule.backends.native.expressions import Expressions
from chainrule.backends.native.ir import Value, integer
from chainrule.backends.native.kernel import Kernel
from chainrule.backends.native.space import MERGED, Space
from chainrule.equations.kinds import kind_of
from chainrule.equations.node import Access, Expression, Index
from chainrule.equations.walk import free_axes, subexpressions

Parts = frozenset[str]
UNROLL = 4  # vectors under way at once in a sum along the vector axis
BESIDE = 8  # … and in sums over other axes, so that each visit to a row of memory reads several lines of it


class Nest:
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
            self._vectors(along, body, *self.bounds(along))

    def run_beside(
        self, outer: Sequence[str], along: str, several: Callable[[list[Value]], None], body: Callable[[], None]
    ) -> None:
        """As ``run``, but several vectors beside each other are computed at once: ``several`` is given their positions;
        what is too little for that is left to the body."""
        f, write = self.kernel.function, self.expressions
        with ExitStack() as stack:
            for name in outer:
                self._enter(stack, name)
            lanes = self.lanes_along(along)
            low, high = self.bounds(along)
            full = self.full(low, high, BESIDE * lanes)
            if full.text != low.text:
                write.vector_axis, write.lanes = along, lanes
                with f.loop(low, full, BESIDE * lanes) as loop:
                    several([f.add(loop.index, integer(n * lanes)) for n in range(BESIDE)])
                write.vector_axis, write.lanes = None, 1
            self._vectors(along, body, full, high)

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

    def _vectors(self, name: str, body: Callable[[], None], low: Value, high: Value) -> None:
        """Whole vectors; then what is left over, in narrower vectors where one or two will do, else under a mask."""
        f, write = self.kernel.function, self.expressions
        lanes = self.lanes_along(name)
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


def vector_axis(
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
