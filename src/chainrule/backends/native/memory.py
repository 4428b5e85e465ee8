"""*memory*: where every tensor lies.

What only one region reads, a block at a time, lies in the thread's scratch; the next value of a parameter or state
lies where the present one does, if nobody reads that any more; an output is written to its place in the result; all
else shares one arena, in which tensors that are never alive together overlap.  Every place is 64-byte aligned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.backends.native.ir import bytes_of
from chainrule.backends.native.schedule import Operation, Region, Schedule
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Pointwise
from chainrule.equations.node import Access, Index, plain_axis
from chainrule.equations.walk import subexpressions

LINE = 64


@dataclass
class Memory:
    """Tensor → where it is.  ``given``: inputs and outputs, at an address that comes with the run; ``arena`` and
    ``local``: offsets in bytes, in the arena and in a thread's scratch; ``same``: tensors that lie where another does;
    ``registers``: never stored.  ``copies``: (from, to) at the end of each step, ``early``: at its beginning."""

    given: list[str] = field(default_factory=list)
    arena: dict[str, int] = field(default_factory=dict)
    local: dict[str, int] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    registers: set[str] = field(default_factory=set)
    copies: list[tuple[str, str]] = field(default_factory=list)
    early: list[tuple[str, str]] = field(default_factory=list)
    arena_bytes: int = 0
    live_bytes: int = 0
    local_bytes: int = 0

    def place(self, name: str) -> str:
        """The tensor whose place this one has."""
        while name in self.same:
            name = self.same[name]
        return name


OUTPUT = "output "  # before the name of a tensor: its place in the result


def plan(space: Space, schedule: Schedule, outputs: Sequence[str], updates: Mapping[str, str]) -> Memory:
    """``updates``: parameter or state → the tensor that is its next value."""
    memory = Memory()
    readers: dict[str, list[tuple[Region, Operation]]] = {}
    writers: dict[str, tuple[Region, Operation]] = {}
    times = _times(schedule)
    for region, operation in schedule.operations():
        for name in operation.reads:
            readers.setdefault(name, []).append((region, operation))
        for name in operation.writes:
            writers[name] = (region, operation)
    inputs = [t.name for t in space.system.inputs if t.name not in writers]
    memory.given += inputs

    for state, following in updates.items():
        if following not in writers or following in memory.same:
            memory.copies.append((following, state))
        elif _may_replace(state, following, readers, writers, times):
            memory.same[following] = state
        else:
            memory.copies.append((following, state))
    for name in outputs:
        space.tensors[OUTPUT + name] = space.tensors[name]
        memory.given.append(OUTPUT + name)
        if name in inputs:
            memory.early.append((name, OUTPUT + name))
        elif name in memory.same:
            memory.copies.insert(0, (name, OUTPUT + name))
        else:
            memory.same[name] = OUTPUT + name

    lasting = set(outputs) | set(updates.values())
    for name, (_, operation) in writers.items():
        elsewhere = any(other is not operation for _, other in readers.get(name, []))
        if name not in lasting and not elsewhere and _is_used_up(name, operation):
            memory.registers.add(name)
    _reuse(space, memory, readers, writers)

    spans: dict[str, tuple[int, int, int]] = {}  # place → first and last moment, bytes
    for name, (_, operation) in writers.items():
        place = memory.place(name)
        if name in memory.registers or place in memory.given:
            continue
        moments = [times[id(operation)], *(times[id(other)] for _, other in readers.get(name, []))]
        if any(source == name for source, _ in memory.copies):
            moments.append(max(times.values()) + 1)
        size = space.elements(name) * bytes_of(space.tensors[name].element)
        first, last, before = spans.get(place, (moments[0], moments[0], 0))
        spans[place] = (min(first, *moments), max(last, *moments), max(size, before))

    for place, region in _locals(memory, schedule, readers, writers, lasting).items():
        size = spans.pop(place)[2] // max(region.positions, 1) * region.block
        memory.local[place] = memory.local_bytes
        memory.local_bytes += -(-size // LINE) * LINE
    _pack(memory, spans)
    return memory


def _is_used_up(name: str, operation: Operation) -> bool:
    """Whether what the operation, which alone reads the tensor, computes at a place is read in the same nest only, at
    that place: not by other operations of a recurrence, nor a step later."""
    nest = next((inner for inner in operation.inner if name in inner.writes), operation)
    if not isinstance(nest.statements[0], Pointwise) or nest.share is not None:
        return False
    if any(name in inner.reads for inner in operation.inner if inner is not nest):
        return False
    reads = (node for s in nest.statements for node in subexpressions(s.expression) if isinstance(node, Access))
    indices = (index for read in reads if read.tensor == name for index in read.indices)
    return all(plain_axis(index) or (isinstance(index, Index) and not index.terms) for index in indices)


def _times(schedule: Schedule) -> dict[int, int]:
    """A moment for each operation: one after the other where one thread computes them, else one for the level."""
    times: dict[int, int] = {}
    now = 0
    for level in schedule.levels:
        alone = len(level) == 1 and level[0].serial
        for region in level:
            for operation in region.operations:
                times[id(operation)] = now
                now += 1 if alone else 0
        now += 1
    return times


def _may_replace(
    state: str,
    following: str,
    readers: Mapping[str, list[tuple[Region, Operation]]],
    writers: Mapping[str, tuple[Region, Operation]],
    times: Mapping[int, int],
) -> bool:
    """Whether the next value may be written where the present one lies."""
    region, operation = writers[following]
    for place, other in readers.get(state, []):
        if other is operation:
            if not isinstance(operation.statements[0], Pointwise) or operation.inner:
                return False
            axes = operation.statements[0].axes
            for statement in operation.statements:
                for node in subexpressions(statement.expression):
                    same = isinstance(node, Access) and node.tensor == state
                    if same and tuple(plain_axis(index) for index in node.indices) != axes:
                        return False
        elif place is region and region.serial:
            if region.operations.index(other) > region.operations.index(operation):
                return False
        elif place.level >= region.level:
            return False
    return True


def _reuse(
    space: Space,
    memory: Memory,
    readers: Mapping[str, list[tuple[Region, Operation]]],
    writers: Mapping[str, tuple[Region, Operation]],
) -> None:
    """A sum that only one pointwise statement reads, at its own place, lies where that one's result does."""
    taken: set[str] = set()
    for name, (source, maker) in writers.items():
        found = readers.get(name, [])
        if "#" not in name or len(found) != 1 or name in memory.registers or maker.share or name in source.sums:
            continue
        region, operation = found[0]
        reading = [statement for statement in operation.statements if name in statement.reads]
        if operation.packs or operation.inner or len(reading) != 1 or not isinstance(reading[0], Pointwise):
            continue
        (statement,) = reading
        if statement.name in taken or statement.name in memory.registers or memory.place(statement.name).endswith("'"):
            continue
        if operation.part is not None and source is not region:
            continue
        reads = [n for n in subexpressions(statement.expression) if isinstance(n, Access) and n.tensor == name]
        in_place = all(tuple(plain_axis(index) for index in read.indices) == statement.axes for read in reads)
        place = memory.place(statement.name)
        given = place in memory.given and not place.startswith(OUTPUT)
        alike = space.tensors[name].axes == statement.axes
        alike = alike and space.tensors[name].element == space.tensors[statement.name].element
        if in_place and alike and not given:
            memory.same[name] = statement.name
            taken.add(statement.name)


def _locals(
    memory: Memory,
    schedule: Schedule,
    readers: Mapping[str, list[tuple[Region, Operation]]],
    writers: Mapping[str, tuple[Region, Operation]],
    lasting: set[str],
) -> dict[str, Region]:
    """Places that one region alone uses, a block at a time."""
    uses: dict[str, set[int]] = {}
    regions = {id(region): region for level in schedule.levels for region in level}
    bad: set[str] = set()
    for name, (region, operation) in writers.items():
        if name in memory.registers:
            continue
        place = memory.place(name)
        uses.setdefault(place, set()).add(id(region))
        uses[place] |= {id(other) for other, _ in readers.get(name, [])}
        if region.serial or operation.share or region.parts.get(name) != 0 or name in lasting:
            bad.add(place)
    return {
        place: regions[next(iter(found))]
        for place, found in uses.items()
        if len(found) == 1 and place not in bad and place not in memory.given and place not in memory.registers
    }


def _pack(memory: Memory, spans: Mapping[str, tuple[int, int, int]]) -> None:
    """Each at the lowest place that is free all the while; of three orders, the one that takes the least."""
    lines = {name: (first, last, -(-max(size, 1) // LINE) * LINE) for name, (first, last, size) in spans.items()}
    memory.live_bytes = max(
        (sum(size for first, last, size in lines.values() if first <= now <= last) for now, _, _ in lines.values()),
        default=0,
    )
    largest = sorted(lines, key=lambda name: (-lines[name][2], lines[name][0], name))
    longest = sorted(largest, key=lambda name: lines[name][0] - lines[name][1])
    latest = sorted(largest, key=lambda name: -lines[name][1])
    packed = [_placed(lines, order) for order in (largest, longest, latest)]
    memory.arena_bytes, memory.arena = min(packed, key=lambda found: found[0])


def _placed(spans: Mapping[str, tuple[int, int, int]], order: Sequence[str]) -> tuple[int, dict[str, int]]:
    """The size of the arena and the offsets, placing the tensors in this order."""
    offsets: dict[str, int] = {}
    for name in order:
        first, last, size = spans[name]
        offset = 0
        meanwhile = [other for other in offsets if spans[other][0] <= last and first <= spans[other][1]]
        for other in sorted(meanwhile, key=offsets.__getitem__):
            if offset + size <= offsets[other]:
                break
            offset = max(offset, offsets[other] + spans[other][2])
        offsets[name] = offset
    return max((offsets[name] + spans[name][2] for name in offsets), default=0), offsets
