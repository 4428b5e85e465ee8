"""*emit*: the step as one function that all threads run: ``run(arguments, thread, threads)``.

For each step: the levels in order, the threads meeting after each; in a level, the serial region on one thread, and of
every other region the thread's shards, block by block through the operations.  Between steps the first thread looks
whether it is to stop, and writes how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainrule.backends.native import ir, nests, products
from chainrule.backends.native.ir import Value, bytes_of, integer
from chainrule.backends.native.kernel import Kernel
from chainrule.backends.native.memory import OUTPUT, Memory
from chainrule.backends.native.products import Product
from chainrule.backends.native.schedule import Operation, Region, Schedule
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Random, Recurrence, Reduction, Scatter, Statement
from chainrule.backends.native.strides import Place

# The control block, in int64: the stop flag, the step at which to stop, the steps done; then the barrier's own.
STOP, HALT, DONE, BARRIER, CONTROL = 0, 8, 16, 24, 64

Ranges = dict[str, tuple[Value, Value]]


@dataclass
class Text:
    """LLVM text and ``slots``, what each word of the arguments holds: ``("control", "")``, ``("tensor", name)`` …"""

    text: str
    slots: list[tuple[str, str]]
    kernels: list[tuple[str, str]] = field(default_factory=list)  # of each operation: its kernel, what it computes


def write(space: Space, schedule: Schedule, memory: Memory, stepped: frozenset[str]) -> Text:
    """``stepped``: inputs that change from step to step; outputs do, too."""
    return _Writer(space, schedule, memory, stepped).write()


class _Writer:
    def __init__(self, space: Space, schedule: Schedule, memory: Memory, stepped: frozenset[str]) -> None:
        self.space = space
        self.schedule = schedule
        self.memory = memory
        self.moving = stepped | {name for name in memory.given if name.startswith(OUTPUT)}
        self.module = ir.Module(space.target.fma)
        self.function = ir.Function(
            self.module, "run", [("ptr", "arguments"), ("i64", "thread"), ("i64", "threads")], linkage="dso_local"
        )
        self.entry = self.function.segment
        self.slots: list[tuple[str, str]] = []
        self.values: dict[tuple[str, str], Value] = {}
        self.pointers: dict[str, Value] = {}  # of this step
        self.kernels: dict[int, tuple[str, Kernel]] = {}
        self.named: list[tuple[str, str]] = []
        self.shard = integer(0)

    def slot(self, kind: str, name: str = "") -> Value:
        """A word of the arguments, loaded once at the entry."""
        key = (kind, name)
        if key not in self.values:
            f = self.function
            with f.at(self.entry):
                address = f.pointer(f.arguments[0], "i64", integer(len(self.slots)))
                pointer = kind in ("control", "tensor", "scratch")
                self.values[key] = f.load("ptr" if pointer else "i64", address, 8)
            self.slots.append(key)
        return self.values[key]

    def size(self, axis: str) -> Value:
        if self.space.is_open(axis):
            return self.slot("size", self.space.axis_class(axis))
        return integer(self.space.size(axis))

    def write(self) -> Text:
        f = self.function
        _, thread, _ = f.arguments
        control, steps = self.slot("control"), self.slot("steps")
        self.first = f.compare("eq", thread, integer(0))
        with f.loop(integer(0), steps) as loop:
            self.step = loop.index
            halt = f.load("i64", f.pointer(control, "i64", integer(HALT)), 8)
            with f.when(f.compare("slt", loop.index, halt)):
                self.pointers = {}
                for source, target in self.memory.early:
                    self.copy(source, target)
                if self.memory.early:
                    self.barrier()
                for level in self.schedule.levels:
                    for region in level:
                        self.write_region(region)
                    if level is not self.schedule.levels[-1] or self.memory.copies:
                        self.barrier()
                for source, target in self.memory.copies:
                    self.copy(source, target)
                with f.when(self.first):
                    done = f.add(loop.index, integer(1))
                    f.store(done, f.pointer(control, "i64", integer(DONE)), 8)
                    flag = f.load("i64", f.pointer(control, "i64", integer(STOP)), 8)
                    with f.when(f.compare("ne", flag, integer(0))):
                        f.store(done, f.pointer(control, "i64", integer(HALT)), 8)
                self.barrier()
        f.ret()
        self.module.add(f)
        return Text(self.module.text, self.slots, self.named)

    def barrier(self) -> None:
        if all(region.serial for level in self.schedule.levels for region in level):
            return
        f = self.function
        self.module.declare("barrier", "void", ["ptr", "i64"])
        state = f.pointer(self.slot("control"), "i64", integer(BARRIER))
        f.call("barrier", "void", state, f.arguments[2])

    def copy(self, source: str, target: str) -> None:
        f = self.function
        with f.when(self.first):
            element = self.space.tensors[target].element
            count = integer(bytes_of(element))
            for axis in self.space.tensors[target].axes:
                count = f.mul(self.size(axis), count)
            self.module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1 immarg"])
            to, origin = self.pointer(target), self.pointer(source)
            f.line(f"call void @llvm.memcpy.p0.p0.i64({to}, {origin}, {count}, i1 false)")

    # addresses

    def pointer(self, name: str) -> Value:
        """The address of a tensor's first element in this step."""
        place = self.memory.place(name)
        base = self.slot("tensor", place)
        if place not in self.moving:
            return base
        f = self.function
        return f.pointer(base, "i8", f.mul(self.step, self.slot("stride", place)))

    def row(self, name: str) -> Value:
        """Elements of a tensor for one position of its first axis."""
        f = self.function
        total = integer(1)
        for axis in self.space.tensors[name].axes[1:]:
            total = f.mul(self.size(axis), total)
        return total

    # regions

    def write_region(self, region: Region) -> None:
        f = self.function
        if region.serial:
            with f.when(self.first):
                for operation in region.operations:
                    self.write_operation(operation, {}, self.pointer)
            return
        key = self.key(region)
        shards, rows, block = (self.slot(kind, key) for kind in ("shards", "rows", "block"))
        positions = self.size(region.open_axis) if region.open_axis else integer(region.positions)
        _, thread, threads = f.arguments
        begin = f.div(f.mul(thread, shards), threads)
        end = f.div(f.mul(f.add(thread, integer(1)), shards), threads)
        with f.loop(begin, end) as shard:
            self.shard = shard.index
            low = f.mul(shard.index, rows)
            high = self.smaller(f.add(low, rows), positions)
            for operation in region.operations:
                if operation.adds:
                    self.clear(operation)
            with f.loop(low, high, block) as piece:
                top = self.smaller(f.add(piece.index, block), high)
                bounds = (piece.index, top)

                def pointer(name: str) -> Value:
                    return self.part_pointer(name, piece.index)

                for operation in region.operations:
                    part = operation.part
                    assert part is not None
                    self.write_operation(operation, {part: bounds}, pointer)

    def key(self, region: Region) -> str:
        level = next(n for n, found in enumerate(self.schedule.levels) if any(r is region for r in found))
        at = next(n for n, r in enumerate(self.schedule.levels[level]) if r is region)
        return f"{level}.{at}"

    def smaller(self, one: Value, other: Value) -> Value:
        return self.function.intrinsic("llvm.smin", "i64", one, other)

    def larger(self, one: Value, other: Value) -> Value:
        return self.function.intrinsic("llvm.smax", "i64", one, other)

    def part_pointer(self, name: str, low: Value) -> Value:
        """The address as if the whole tensor were there: what is local lies at the block's first position."""
        f, place = self.function, self.memory.place(name)
        if place not in self.memory.local:
            return self.pointer(name)
        base = f.pointer(self.scratch(), "i8", self.slot("local", place))
        back = f.mul(f.mul(low, self.row(place)), integer(-1))
        return f.pointer(base, self.space.tensors[place].element, back)

    def scratch(self) -> Value:
        f = self.function
        return f.pointer(self.slot("scratch"), "i8", f.mul(f.arguments[1], self.slot("scratch bytes")))

    def share_pointer(self, operation: Operation) -> Value:
        """Where the shard adds up its share."""
        f = self.function
        if operation.share is None:
            return self.pointer(operation.statements[0].name)
        size = self.row(operation.share)
        base = self.pointer(operation.share)
        return f.pointer(base, self.space.tensors[operation.share].element, f.mul(self.shard, size))

    def clear(self, operation: Operation) -> None:
        f, name = self.function, operation.statements[0].name
        size = integer(bytes_of(self.space.tensors[name].element))
        for axis in self.space.tensors[name].axes:
            size = f.mul(self.size(axis), size)
        self.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1 immarg"])
        f.line(f"call void @llvm.memset.p0.i64({self.share_pointer(operation)}, i8 0, {size}, i1 false)")

    # operations

    def write_operation(self, operation: Operation, ranges: Ranges, pointer: Callable[[str], Value]) -> None:
        f = self.function
        statement = operation.statements[0]
        if operation.adds:
            outside = pointer

            def pointer(name: str) -> Value:
                return self.share_pointer(operation) if name == statement.name else outside(name)

        if operation.inner:
            assert isinstance(statement, Recurrence)
            count = self.size(statement.axis)
            down = statement.direction < 0
            start = f.sub(count, integer(1)) if down else integer(0)
            with f.loop(start, integer(0) if down else count, down=down) as turn:
                now = (turn.index, f.add(turn.index, integer(1)))
                for inner in operation.inner:
                    here = {axis: found for axis, found in ranges.items() if axis == inner.part}
                    self.write_operation(inner, {**here, statement.axis: now}, pointer)
            return
        if operation.packs is not None:
            self.write_packing(operation.packs, ranges, pointer)
        elif operation.product is not None:
            place = self.place(ranges, pointer)
            products.call(self.space, operation.product, place, operation.adds)
            self.named.append((f"gemm ({operation.product.packing})", str(statement)))
        elif isinstance(statement, Random):
            self.write_random(statement, ranges, pointer)
        else:
            self.call_kernel(operation, ranges, pointer)

    def place(self, ranges: Ranges, pointer: Callable[[str], Value]) -> Place:
        f = self.function
        scratch = f.pointer(self.scratch(), "i8", self.slot("local bytes"))
        return Place(f, pointer, self.size, ranges, scratch)

    def write_packing(self, product: Product, ranges: Ranges, pointer: Callable[[str], Value]) -> None:
        panels = product.panels(self.space)
        low, high = ranges.get(panels, (integer(0), integer(self.space.size(panels))))
        if panels not in ranges:
            f, size = self.function, integer(1)
            for axis in product.columns:
                size = f.mul(self.size(axis), size)
            width = product.panel(self.space)
            high = f.div(f.add(size, integer(width - 1)), integer(width))
        products.pack(self.space, product, self.place({}, pointer), low, high)
        self.named.append(("pack", f"{product.contraction.right.tensor} → {product.packed}"))

    def write_random(self, statement: Random, ranges: Ranges, pointer: Callable[[str], Value]) -> None:
        f, element = self.function, self.space.element
        name = f"random_{statement.distribution}_{'f32' if element == 'float' else 'f64'}"
        self.module.declare(name, "void", ["ptr", "i64", "i64", "i64", "i64", "i64"])
        inner = self.row(statement.name)
        count, first = integer(1), integer(0)
        if statement.axes:
            low, high = ranges.get(statement.axes[0], (integer(0), self.size(statement.axes[0])))
            first, count = f.mul(low, inner), f.mul(f.sub(high, low), inner)
        to = f.pointer(pointer(statement.name), element, first)
        step = f.add(self.slot("first step"), self.step)
        f.call(name, "void", to, first, count, self.slot("seed"), self.slot("key", statement.name), step)
        self.named.append((name, f"{statement.name} ~ {statement.distribution}"))

    def call_kernel(self, operation: Operation, ranges: Ranges, pointer: Callable[[str], Value]) -> None:
        f = self.function
        ranges = {**ranges, **self.confined(operation, ranges, pointer)}
        if id(operation) not in self.kernels:
            kernel = self.kernel(operation, frozenset(ranges))
            name = self.module.add(kernel.function, "kernel")
            self.kernels[id(operation)] = (name, kernel)
            self.named.append((name, "; ".join(str(s) for s in operation.statements)))
        name, kernel = self.kernels[id(operation)]
        arguments = []
        for kind, key in kernel.keys:
            match kind:
                case "tensor":
                    arguments.append(pointer(key))
                case "size":
                    arguments.append(self.slot("size", key))
                case "from":
                    arguments.append(ranges[key][0])
                case "to":
                    arguments.append(ranges[key][1])
        f.call(name, "void", *arguments)

    def confined(self, operation: Operation, ranges: Ranges, pointer: Callable[[str], Value]) -> Ranges:
        """The one position at which the operation's tensors differ from those in whose places they lie, as the part of
        its axis that is computed: a step that keeps one position more does not write those before it anew."""
        found = {statement.entry and statement.entry[1:] for statement in operation.statements}
        (entry, *others) = found
        if entry is None or others or not all(self.stays(statement) for statement in operation.statements):
            return {}
        f, (axis, read) = self.function, entry
        if self.space.tensors[read.tensor].element != "i64" or read.tensor in self.memory.registers:
            return {}
        low, high = ranges.get(axis, (integer(0), self.size(axis)))
        at = f.load("i64", pointer(read.tensor))
        first = self.smaller(self.larger(at, low), high)
        return {axis: (first, self.larger(first, self.smaller(f.add(at, integer(1)), high)))}

    def stays(self, statement: Statement) -> bool:
        """Whether what it is, but at one position, lies where it is written."""
        entry = statement.entry
        return entry is not None and self.memory.place(statement.name) == self.memory.place(entry[0].tensor)

    def kernel(self, operation: Operation, parts: frozenset[str]) -> Kernel:
        statement = operation.statements[0]
        if isinstance(statement, Reduction):
            return nests.reduction(self.module, self.space, statement, parts, operation.adds)
        if isinstance(statement, Scatter):
            return nests.scatter(self.module, self.space, statement, parts, operation.adds)
        stored = {s.name for s in operation.statements if s.name not in self.memory.registers}
        return nests.pointwise(self.module, self.space, operation.statements, stored, parts)


def scratch_bytes(space: Space, schedule: Schedule, memory: Memory) -> int:
    """Memory of one thread."""
    used = [o.product for _, o in schedule.operations() if o.product is not None]
    used += [i.product for _, o in schedule.operations() for i in o.inner if i.product is not None]
    width = bytes_of(space.element)
    return memory.local_bytes + -(-products.scratch_elements(space, used) * width // 64) * 64
