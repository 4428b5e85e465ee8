"""What each pass did, as text: ``chainrule compile MODEL --explain``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from chainrule.backends.native.ir import bytes_of
from chainrule.backends.native.memory import OUTPUT
from chainrule.backends.native.schedule import Operation, Region
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Contraction, Recurrence, Statement

if TYPE_CHECKING:
    from chainrule.backends.native.program import Variant


def explain(variant: Variant) -> str:
    """One section for each pass: classify, parallelise and fuse, products, memory, emit."""
    sections = [
        _classify(variant),
        _regions(variant),
        _memory(variant),
        _emit(variant),
    ]
    return "\n\n".join("\n".join(section) for section in sections)


def _statements(variant: Variant) -> Iterator[Statement]:
    for _, operation in variant.schedule.operations():
        if operation.packs is None:
            yield from operation.all_statements()


def _classify(variant: Variant) -> list[str]:
    kinds = Counter(type(statement).__name__.lower() for statement in _statements(variant))
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    sizes = {axis: size for axis, size in variant.space.sizes.items() if "'" not in axis}
    lines = [f"classify     {counted}"]
    lines.append("             axes " + ", ".join(f"{axis} {size}" for axis, size in sizes.items()))
    open_axes = [axis for axis in sizes if variant.space.is_open(axis)]
    if open_axes:
        lines.append(f"             the code asks for the size of {', '.join(open_axes)}; other sizes are part of it")
    return lines


def _regions(variant: Variant) -> list[str]:
    space, target = variant.space, variant.space.target
    flops = sum(_flops(space, statement) for statement in _statements(variant))
    lines = [
        f"parallelise  {len(variant.schedule.levels)} levels, up to {min(variant.widest, target.cores)} threads; "
        f"{_count(flops)}flop in products a step",
        f"             {target.name}, {target.cpu}: vectors of {space.lanes} {space.element}s, {target.cores} cores",
    ]
    for number, level in enumerate(variant.schedule.levels):
        for region in level:
            lines += ["", f"level {number}      {_head(region)}"]
            for operation in region.operations:
                lines += _operation(variant, operation, 13)
    return lines


def _head(region: Region) -> str:
    if region.serial:
        return "one thread"
    shards = f"{region.shards} shards of {region.rows}" if region.shards > 1 else "1 shard"
    return f"along {region.axis} ({region.positions} positions): {shards}, in blocks of {region.block}"


def _operation(variant: Variant, operation: Operation, indent: int) -> list[str]:
    space, before = variant.space, " " * indent
    if operation.packs is not None:
        product = operation.packs
        size = _bytes(product.packed_size(space) * bytes_of(space.element))
        return [f"{before}pack {product.contraction.right.tensor} for {product.contraction.origin}, {size}"]
    if operation.inner:
        statement = operation.statements[0]
        assert isinstance(statement, Recurrence)
        way = "forwards" if statement.direction > 0 else "backwards"
        lines = [f"{before}repeat along {statement.axis}, {way}, {space.size(statement.axis)} times"]
        for inner in operation.inner:
            lines += _operation(variant, inner, indent + 2)
        return lines
    lines = []
    for at, statement in enumerate(operation.statements):
        mark = "" if at == 0 else "and "
        register = "  (stays in registers)" if statement.name in variant.memory.registers else ""
        lines.append(f"{before}{mark}{statement}{register}")
    notes = []
    if operation.product is not None:
        statement = operation.statements[0]
        rows = prod(space.size(axis) for axis in operation.product.contraction.rows)
        columns, k = (prod(space.size(a) for a in axes) for axes in (operation.product.columns, operation.product.k))
        how = {"direct": "B where it lies", "ahead": "B packed before", "inline": "B packed in each block"}
        notes.append(f"product {rows}×{columns}×{k}, {how[operation.product.packing]}")
        notes.append(f"{_count(_flops(space, statement))}flop")
    if operation.adds:
        notes.append("each shard adds up its share" if operation.share else "added up")
    moved = sum(_tensor_bytes(space, name) for name in {*operation.reads, *operation.writes})
    notes.append(f"touches {_bytes(moved)}")
    lines.append(f"{before}    {'; '.join(notes)}")
    return lines


def _memory(variant: Variant) -> list[str]:
    memory = variant.memory
    in_place = [
        f"{name} in the place of {place}" for name, place in memory.same.items() if not place.startswith(OUTPUT)
    ]
    lines = [
        f"memory       arena {_bytes(memory.arena_bytes)} for {len(memory.arena)} tensors "
        f"(at most {_bytes(memory.live_bytes)} of them alive at once); "
        f"{_bytes(variant.scratch_bytes)} of scratch a thread, with {len(memory.local)} tensors a block at a time; "
        f"{len(memory.registers)} in registers",
    ]
    lines += [f"             {line}" for line in in_place]
    lines += [f"             {target} is copied from {source}" for source, target in memory.copies]
    return lines


def _emit(variant: Variant) -> list[str]:
    kernels = Counter(name for name, _ in variant.text.kernels if name.startswith("kernel"))
    shared = sum(count - 1 for count in kernels.values())
    lines = [
        f"emit         {len(kernels)} kernels"
        + (f" ({shared} more are equal to one of these)" if shared else "")
        + f", {len(variant.text.text.splitlines())} lines of LLVM text, "
        f"{len(variant.text.slots)} arguments; compiled or loaded in {variant.seconds * 1000:.0f} ms",
    ]
    return lines


def _flops(space: Space, statement: Statement) -> int:
    return 2 * prod(space.size(axis) for axis in statement.loops) if isinstance(statement, Contraction) else 0


def _tensor_bytes(space: Space, name: str) -> int:
    return space.elements(name) * bytes_of(space.tensors[name].element)


def _count(value: float) -> str:
    for unit in ("", "k", "M", "G"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} T"


def _bytes(value: float) -> str:
    if value < 1024:
        return f"{value:.0f} bytes"
    for unit in ("KiB", "MiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.3g} {unit}"
    return f"{value / 1024:.3g} GiB"
