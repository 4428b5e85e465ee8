"""*parallelise*: statements as operations, in regions, in levels.

A **region** divides one axis among the threads: each computes its own positions, block by block, through all the
operations of the region, so that what one operation leaves in the cache the next one reads.  An operation may join a
region if it reads what the region computes only at its own positions (``a[b,j] = relu(z[b,j])``), or if it sums over
the axis (``∂β[j] = sum[b](…)``): then each part, a *shard*, adds up its own share, and the shares are added in order
afterwards.  The shards depend on sizes and on the machine, never on the number of threads, and so do the results.

A **level** is the regions that can run at the same time; between levels all threads meet.  Operations too small to
divide stand in the level's *serial* region, which one thread computes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from math import prod

from chainrule.backends.native.ir import bytes_of
from chainrule.backends.native.products import SMALL_RESULT, SMALL_WINDOW, Product, product_for
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import (
    Contraction,
    Pointwise,
    Random,
    Recurrence,
    Reduction,
    Scatter,
    Statement,
)
from chainrule.equations.node import Access, Apply, Index, Reduce, access, plain_axis
from chainrule.equations.walk import subexpressions

# Work is counted in multiply-adds; about this many take as long as threads need to meet a few times.
WORTH_THREADS = 2_000_000  # a step with less runs in one thread
WAITING = 5.0  # what it takes to read an element of a factor that is not in the first two caches
WORTH_DIVIDING = 80_000  # an operation with less stands in the serial region
WORTH_A_POSITION = 5_000  # a short axis is divided if there is as much to do at each of its positions
FEWEST_POSITIONS = 32  # terms a shard must have to add up a share of a sum
BLOCK_BYTES = 192 * 1024  # what a block of a region should touch: a share of the second cache
MOST_POSITIONS = 8  # of an axis that is written out, so that a statement may stand in the nest of others
SHARD = "shard"


@dataclass
class Operation:
    """``statements``: one, or several pointwise ones in one nest.  ``part``: the axis of the region.  ``adds``: sums
    over the part, onto the shard's share.  ``inner``: the operations that a recurrence repeats."""

    statements: list[Statement]
    part: str | None = None
    adds: bool = False
    inner: list[Operation] = field(default_factory=list)
    product: Product | None = None
    packs: Product | None = None
    share: str | None = None  # what holds the shards' shares of a sum over the part

    @property
    def writes(self) -> tuple[str, ...]:
        if self.share is not None:
            return (self.share,)
        if self.packs is not None:
            return (self.packs.packed,)
        if self.inner:
            return tuple(name for operation in self.inner for name in operation.writes)
        return tuple(statement.name for statement in self.statements)

    @property
    def reads(self) -> tuple[str, ...]:
        if self.packs is not None:
            return (self.packs.contraction.right.tensor,)
        found = dict.fromkeys(name for statement in self.statements for name in statement.reads)
        for operation in self.inner:
            found.update(dict.fromkeys(operation.reads))
        if self.product is not None and self.product.packing == "ahead":
            found[self.product.packed] = None
        return tuple(found)

    def all_statements(self) -> Iterator[Statement]:
        if self.inner:
            for operation in self.inner:
                yield from operation.all_statements()
        else:
            yield from self.statements


@dataclass
class Region:
    """``axis``: the class of the axis that is divided, None in a serial region; ``positions`` along it."""

    level: int
    axis: str | None
    positions: int
    open_axis: str | None = None  # an axis whose size code must ask for, else None
    operations: list[Operation] = field(default_factory=list)
    shards: int = 1
    rows: int = 0  # positions of a shard; the last one may have fewer
    block: int = 0  # positions computed at a time
    parts: dict[str, int] = field(default_factory=dict)  # tensor → which of its axes is divided
    sums: set[str] = field(default_factory=set)  # tensors that the one shard of a region adds up

    @property
    def serial(self) -> bool:
        return self.axis is None


@dataclass
class Schedule:
    levels: list[list[Region]]
    work: float

    def operations(self) -> Iterator[tuple[Region, Operation]]:
        for level in self.levels:
            for region in level:
                for operation in region.operations:
                    yield region, operation


def work_of(space: Space, statement: Statement) -> float:
    """Multiply-adds, about: a scalar function counts as several."""
    if isinstance(statement, Recurrence):
        return sum(work_of(space, inner) for inner in statement.statements)
    points = prod(space.size(axis) for axis in statement.loops)
    if isinstance(statement, Scatter):
        places = dict(statement.places)
        points = prod(space.size(axis) for axis in statement.loops if axis not in places)
    if isinstance(statement, Random):
        return points * 8.0
    if isinstance(statement, Contraction):
        return points + WAITING * sum(space.elements(factor.tensor) for factor in (statement.left, statement.right))
    if statement.entry is not None:
        points //= max(1, space.size(statement.entry[1]))
    cost = 1.0
    for node in subexpressions(statement.expression):
        if isinstance(node, Apply):
            cost += 0.5 if node.function in ("+", "*", "neg", "max", "min", "relu") else 4.0
    return points * cost


def schedule(space: Space, statements: list[Statement], lasting: Collection[str]) -> Schedule:
    """``lasting``: tensors that are read after the step: outputs and next values."""
    return _Scheduler(space, statements, set(lasting)).run()


class _Scheduler:
    def __init__(self, space: Space, statements: list[Statement], lasting: set[str]) -> None:
        self.space = space
        self.statements = statements
        self.lasting = lasting
        self.regions: list[Region] = []
        self.ready: dict[str, int] = {}  # tensor → the first level at which everybody may read it
        self.work = sum(work_of(space, statement) for statement in statements)
        self.divides = self.work >= WORTH_THREADS
        self.packed: set[str] = set()
        self.coarse: set[str] = set()  # classes of axes along which recurrences are divided

    def run(self) -> Schedule:
        operations = [operation for statement in self.statements for operation in self.operations(statement)]
        for operation in operations:
            part = self.best_axis(operation) if operation.inner and not self.is_small(operation) else None
            if part is not None:
                self.coarse.add(self.space.axis_class(part))
        for operation in operations:
            self.place(operation)
        for region in self.regions:
            region.operations = _fused(self.space, region.operations)
            self.choose_block(region)
        depth = max((region.level for region in self.regions), default=-1) + 1
        levels: list[list[Region]] = [[] for _ in range(depth)]
        for region in self.regions:
            levels[region.level].append(region)
        for level in levels:
            level.sort(key=lambda region: not region.serial)
        return Schedule([level for level in levels if level], self.work)

    def operations(self, statement: Statement) -> Iterator[Operation]:
        if isinstance(statement, Recurrence):
            written = {inner.name for inner in statement.statements}
            inner = []
            for each in statement.statements:
                for operation in self.simple(each, statement.axis, written):
                    if operation.packs is not None:
                        yield operation
                    else:
                        inner.append(operation)
            yield Operation([statement], inner=_fused(self.space, inner, statement.axis))
        else:
            yield from self.simple(statement, None, set())

    def simple(self, statement: Statement, along: str | None, varying: set[str]) -> Iterator[Operation]:
        """The operation of a statement, behind the packing of a factor where that pays."""
        product = None
        if isinstance(statement, Contraction):
            product = product_for(self.space, statement, along, statement.right.tensor in varying)
            if product.packing == "ahead" and product.packed not in self.packed:
                self.packed.add(product.packed)
                yield Operation([statement], packs=product)
        yield Operation([statement], product=product)

    # placing

    def place(self, operation: Operation) -> None:
        earliest = max((self.ready.get(name, 0) for name in operation.reads), default=0)
        best: tuple[int, int, Region, str | None, bool] | None = None
        for number, region in enumerate(self.regions):
            if best is not None and region.level >= best[0]:
                continue
            fit = self.fits(operation, region)
            if fit is not None:
                best = (region.level, number, region, *fit)
        if best is not None:
            self.join(operation, best[2], best[3], best[4])
            return
        along = self.adding_axis(operation)
        region, part = self.new_region(operation, earliest, along or self.best_axis(operation))
        self.join(operation, region, part, along is not None and not region.serial)

    def fits(self, operation: Operation, region: Region) -> tuple[str | None, bool] | None:
        """The part axis with which the operation can join the region, and whether it adds over it."""
        made = {name for other in region.operations for name in other.writes}
        for name in operation.reads:
            if name not in made and self.ready.get(name, 0) > region.level:
                return None
        if region.serial:
            return (None, False) if self.is_small(operation) else None
        if any(name in region.sums for name in operation.reads):
            return None
        if operation.packs is not None:
            return None
        local = [name for name in operation.reads if name in made]
        for part in self.candidates(operation, region):
            if all(self.is_local(operation, name, region, part) for name in local):
                statement = operation.statements[0]
                if isinstance(statement, Recurrence):
                    if self.may_divide_recurrence(operation, part):
                        return part, False
                    continue
                if part in statement.axes:
                    if self.streams(operation, part, region.rows):
                        continue
                    if self.may_divide(operation, part) and self.meets_panels(operation, part, region):
                        return part, False
                elif self.may_add(operation, part, region):
                    return part, True
        return None

    def is_small(self, operation: Operation) -> bool:
        if not self.divides:
            return True
        return sum(work_of(self.space, s) for s in operation.all_statements()) < WORTH_DIVIDING

    def candidates(self, operation: Operation, region: Region) -> list[str]:
        statement = operation.statements[0]
        axes = statement.axes if operation.inner else statement.loops
        return [axis for axis in axes if self.space.axis_class(axis) == region.axis]

    def is_local(self, operation: Operation, name: str, region: Region, part: str) -> bool:
        """Whether the tensor is read only at the position of the part that is being computed."""
        place = region.parts.get(name)
        if place is None:
            return False
        for statement in operation.all_statements():
            for node in subexpressions(statement.expression):
                if isinstance(node, Access) and node.tensor == name and plain_axis(node.indices[place]) != part:
                    return False
                if isinstance(node, Reduce) and part in node.axes and node is not statement.expression:
                    return False
        return True

    def may_divide(self, operation: Operation, part: str) -> bool:
        product, statement = operation.product, operation.statements[0]
        if product is None:
            return not isinstance(statement, Random) or part == statement.axes[0]
        if product.window and part in (*product.k, *product.listed[1:]):
            return False
        if part in product.merged_rows(self.space)[1:]:  # the rows would be cut into many short pieces
            return False
        return part not in product.columns or (part == product.columns[0] and product.packing != "inline")

    def streams(self, operation: Operation, part: str, positions: int) -> bool:
        """Whether a product would read a large matrix anew for every few rows; its columns are divided instead."""
        return operation.product is not None and operation.product.streams(self.space, part, positions)

    def may_divide_recurrence(self, operation: Operation, part: str) -> bool:
        """Whether each position of the part depends on no other one, in any of the statements repeated."""
        statement = operation.statements[0]
        assert isinstance(statement, Recurrence)
        inside = list(operation.all_statements())
        if part == statement.axis or not all(part in inner.axes for inner in inside):
            return False
        places = {inner.name: inner.axes.index(part) for inner in inside}
        for inner in inside:
            for node in subexpressions(inner.expression):
                elsewhere = isinstance(node, Access) and node.tensor in places
                if elsewhere and plain_axis(node.indices[places[node.tensor]]) != part:
                    return False
        products = [inner.product for inner in operation.inner if inner.product is not None]
        return not any(part in product.columns for product in products)

    def meets_panels(self, operation: Operation, part: str, region: Region) -> bool:
        """Whether every shard of the region begins at a panel of the packed B, if its columns are divided."""
        product = operation.product
        if product is None or part not in product.columns or product.packing == "direct" or region.shards == 1:
            return True
        return region.rows % product.grain(self.space, part) == 0

    def may_add(self, operation: Operation, part: str, region: Region) -> bool:
        statement = operation.statements[0]
        if not isinstance(statement, (Reduction, Contraction, Scatter)):
            return False
        assert isinstance(statement.expression, Reduce)
        if statement.expression.operation != "sum" or part not in statement.expression.axes:
            return False
        product = operation.product
        first = () if product is None or product.window else product.k[:1]
        if product is not None and (product.packing == "ahead" or part not in (*first, *product.sums)):
            return False
        if product is not None and product.window:  # each position adds up a whole image of terms
            return self.space.elements(statement.name) <= SMALL_WINDOW
        if self.space.elements(statement.name) > SMALL_RESULT:
            return False
        small = self.space.elements(statement.name) <= 64
        others = prod(self.space.size(axis) for axis in statement.expression.axes if axis != part)
        return small or region.positions * others // region.shards >= FEWEST_POSITIONS

    def adding_axis(self, operation: Operation) -> str | None:
        """The axis along which a sum is best added up in shares: outermost in memory of what is summed, so that each
        thread goes through its part of memory once, where a channel at a time would be a pass over all of it."""
        statement = operation.statements[0]
        if operation.inner or not isinstance(statement, Reduction) or not isinstance(statement.expression, Reduce):
            return None
        if statement.expression.operation != "sum" or self.space.elements(statement.name) > SMALL_RESULT:
            return None
        for node in subexpressions(statement.expression.body):
            if isinstance(node, Access) and node.indices:
                first = plain_axis(node.indices[0])
                if (
                    first not in self.space.own
                    and first in statement.expression.axes
                    and self.space.size(first) >= 2 * self.space.target.cores
                ):
                    return first
        return None

    def new_region(self, operation: Operation, level: int, part: str | None) -> tuple[Region, str | None]:
        """A region of its own, divided along ``part``; the level's serial one for what is small."""
        if part is None or self.is_small(operation):
            for region in self.regions:
                if region.serial and region.level == level:
                    return region, None
            part, region = None, Region(level, None, 1)
        else:
            positions = self.space.size(part)
            opened = part if self.space.is_open(part) else None
            region = Region(level, self.space.axis_class(part), positions, opened)
            region.shards, region.rows = self.divide(positions, operation, part)
        self.regions.append(region)
        return region, part

    def best_axis(self, operation: Operation) -> str | None:
        """The axis to divide: the first one of the result that is long or has much to do at every position, else the
        longest."""
        space = self.space
        if operation.packs is not None:
            return operation.packs.panels(space)
        statement = operation.statements[0]
        axes = [axis for axis in statement.axes if all(axis in s.axes for s in operation.all_statements())]
        if isinstance(statement, Recurrence):
            axes = [axis for axis in axes if self.may_divide_recurrence(operation, axis)]
        else:
            axes = [axis for axis in axes if self.may_divide(operation, axis)]
            shards = 2 * space.target.cores
            axes = [a for a in axes if not self.streams(operation, a, math.ceil(space.size(a) / shards))] or axes
        work = sum(work_of(space, s) for s in operation.all_statements())
        for axis in axes:
            if space.size(axis) >= 16 * space.target.cores or self.is_even(operation, axis, work):
                return axis
        return max((axis for axis in axes if space.size(axis) > 1), key=space.size, default=None)

    def is_even(self, operation: Operation, axis: str, work: float) -> bool:
        """Whether the cores get about as much of the axis each, in pieces that are large enough by themselves."""
        cores, size = self.space.target.cores, self.space.size(axis)
        product = operation.product
        if product is not None and (axis in product.columns or product.grain(self.space, axis) > 1):
            return False
        even = math.ceil(size / cores) * cores <= 1.125 * size
        return size >= 2 * cores and even and work >= WORTH_A_POSITION * size

    def divide(self, positions: int, operation: Operation, part: str) -> tuple[int, int]:
        """Shards, and positions of each, for the least that any core must do; a few to a core where that is free."""
        product = operation.product
        grain = product.grain(self.space, part) if product is not None else 1
        panels = product is not None and part in product.columns
        cores = self.space.target.cores
        best: tuple[float, int, int] | None = None
        # each step of a recurrence passes over its weights: the more rows share a pass, the better
        coarse = self.space.axis_class(part) in self.coarse
        # … and a product of few rows is as fast as memory is read: in long pieces
        few = product is not None and product.packing == "direct" and part in product.columns
        for count in (cores,) if coarse or few else (4 * cores, 2 * cores, cores):
            rows = math.ceil(positions / count)
            rows = min(positions, max(grain, math.ceil(rows / grain) * grain if panels or rows > 2 * grain else rows))
            shards = math.ceil(positions / rows)
            busiest = max(
                sum(
                    math.ceil(min(rows, positions - shard * rows) / grain)
                    for shard in range(core * shards // cores, (core + 1) * shards // cores)
                )
                for core in range(cores)
            )
            if best is None or busiest < 0.985 * best[0]:
                best = (busiest, shards, rows)
        assert best is not None
        return best[1], best[2]

    def choose_block(self, region: Region) -> None:
        if region.serial:
            return
        if any(operation.inner for operation in region.operations):
            region.block = region.rows
            return
        tensors = {name for operation in region.operations for name in (*operation.reads, *operation.writes)}
        row = 0
        for name in tensors:
            if name in region.parts:
                row += self.space.elements(name) // max(region.positions, 1) * bytes_of(self.space.element)
        grain = math.lcm(
            *(o.product.grain(self.space, o.part) for o in region.operations if o.product is not None and o.part)
        )
        least = 10 * grain if grain > 1 else 1
        most = max(least, BLOCK_BYTES // max(row, 1) // grain * grain)
        pieces = math.ceil(region.rows / most)
        region.block = min(region.rows, math.ceil(math.ceil(region.rows / pieces) / grain) * grain)

    def join(self, operation: Operation, region: Region, part: str | None, adds: bool) -> None:
        operation.part, operation.adds = part, adds
        for inner in operation.inner:
            inner.part = part
        region.operations.append(operation)
        space = self.space
        if adds and region.shards > 1:
            name = operation.statements[0].name
            share = name + "#share"
            shard = f"{SHARD}{region.shards}"
            space.own[shard] = region.shards
            axes = space.tensors[name].axes
            space.define(share, (shard, *axes), space.tensors[name].element)
            operation.share = share
            body = Reduce("sum", (shard,), access(share, (shard, *axes)))
            self.ready[share] = region.level + 1
            self.place(Operation([Reduction(name, axes, body, operation.statements[0].origin)]))
            return
        if adds:
            region.sums.add(operation.statements[0].name)
        for name in operation.writes:
            self.ready[name] = region.level + 1
            if part is not None and operation.packs is None and not adds:
                region.parts[name] = space.tensors[name].axes.index(part)


def _fused(space: Space, operations: list[Operation], along: str | None = None) -> list[Operation]:
    """*fuse*: pointwise statements with the same axes, or with an axis of few positions more (``z[b,gate,k]`` beside
    ``i[b,k] = sigmoid(z[b,0,k])``), into one nest, where nothing between them is in the way."""
    result: list[Operation] = []
    for operation in operations:
        nest = _nest_for(space, operation, result)
        if nest is None:
            result.append(operation)
        else:
            nest.statements = [*nest.statements, *operation.statements]
    return result


def _nest_for(space: Space, operation: Operation, before: list[Operation]) -> Operation | None:
    if not isinstance(operation.statements[0], Pointwise):
        return None
    (statement,) = operation.statements
    reads = set(operation.reads)
    for other in reversed(before):
        if (
            isinstance(other.statements[0], Pointwise)
            and other.part == operation.part
            and _fits(space, statement, other, operation.part)
        ):
            return other
        if reads & set(other.writes) or statement.name.removesuffix("'") in other.reads:
            return None
    return None


def _fits(space: Space, statement: Statement, nest: Operation, part: str | None) -> bool:
    """Whether the statement may stand in the nest: it has the same axes, or one of few positions more, or one less, and
    reads what the nest computes only where that is computed."""
    axes = min((other.axes for other in nest.statements), key=len)
    common = min(axes, statement.axes, key=len)
    together = [*nest.statements, statement]
    if not all(other.axes == common or _is_written_out(space, other, common, part) for other in together):
        return False
    made = set(nest.writes)
    reads = [node for node in subexpressions(statement.expression) if isinstance(node, Access) and node.tensor in made]
    if not reads and statement.axes != axes:
        return False
    wide = {other.name for other in nest.statements if other.axes != common}
    if statement.axes != common and any(read.tensor in wide for read in reads):
        return False
    return all(_is_in_place(read, common, read.tensor in wide) for read in reads)


def _is_written_out(space: Space, statement: Statement, axes: tuple[str, ...], part: str | None) -> bool:
    """Whether a nest along these axes may compute the statement at each position of the one axis more that it has."""
    more = [name for name in statement.axes if name not in axes]
    if len(more) != 1 or tuple(name for name in statement.axes if name not in more) != axes:
        return False
    (name,) = more
    return name not in (part, statement.axes[-1]) and not space.is_open(name) and space.size(name) <= MOST_POSITIONS


def _is_in_place(read: Access, axes: tuple[str, ...], wide: bool) -> bool:
    """Whether a read is of what the nest computes at the same place; of a ``wide`` tensor, at a constant position."""
    places = [plain_axis(index) for index in read.indices]
    constants = [index for index in read.indices if isinstance(index, Index) and not index.terms]
    return tuple(place for place in places if place) == axes and len(places) - len(axes) == len(constants) == wide
