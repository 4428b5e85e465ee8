"""Micro-kernels: a column of micro-tiles of C, each of a fixed number of rows and vectors, from one panel of B.

A kernel holds a tile in registers while k runs over one block; each element of C is then one chain of multiply-adds
in the order of k, whatever the size of the tile that it lies in.  A is read by strides, so the same kernel takes
rows, columns and packed tiles.
"""

from __future__ import annotations

from chainrule.backends.native.gemm.blocking import Blocking
from chainrule.backends.native.gemm.code import Part, broadcast, condition, opaque, repeat, unchanged
from chainrule.backends.native.ir import Function, Module, Value, bytes_of, integer, number, vector

# Row r of A starts at r // mr · ``step`` + r % mr · ``sam``; ``last`` is the number of columns (of a part of a panel),
# or the distance from one panel of B to the next.
ARGUMENTS = [
    ("ptr", "A"),
    ("i64", "sam"),
    ("i64", "sak"),
    ("i64", "step"),
    ("ptr", "B"),
    ("i64", "sbk"),
    ("ptr", "C"),
    ("i64", "ldc"),
    ("i64", "K"),
    ("i64", "tiles"),
    ("i64", "accumulate"),
    ("i64", "last"),
]


# A single row of A takes each row of B once and waits for it; asked for so early, the third cache gives a tenth to a
# fifth more of them (measured on Zen 3, B of 128 and of 512 columns: 60 GB/s without, 65 and 74 with 4 rows ahead).
ROWS_AHEAD = 4
LINE = 64  # bytes that come together


def suffix(element: str) -> str:
    return {"float": "f32", "double": "f64"}[element]


def micro(module: Module, b: Blocking, rows: int, vectors: int, partial: bool = False, panels: int = 1) -> str:
    """The kernel for tiles of ``rows`` by ``vectors`` in each of ``panels``; ``partial``: the last vector is not whole,
    and nothing beyond column ``last`` is read or written."""
    part = "part_" if partial else ""
    name = f"micro_{part}{rows}x{vectors * panels}_{suffix(b.element)}"
    f = Function(module, name, ARGUMENTS)
    A, sam, sak, step, B, sbk, C, ldc, K, tiles, accumulate, last = f.arguments
    kind = vector(b.element, b.lanes)
    width = vectors * b.lanes
    tile = f.stack(b.element, rows * width) if partial else C
    mask = Part(f, kind, f.sub(last, integer((vectors - 1) * b.lanes)), b.masks) if partial else None
    add = condition(f, accumulate)
    # Three rows share a pointer: the others are at one and two strides from it.  Left alone, the code generator finds
    # that one running pointer will do for all rows, moved on from row to row: with one vector a row that is slower.
    hidden = opaque if vectors * panels == 1 else unchanged
    strides = [integer(0), sam, hidden(f, f.mul(sam, integer(2)))]
    groups = [row for row in range(rows) if row % b.mr % 3 == 0]
    offsets = [
        f.add(f.mul(step, integer(row // b.mr)), f.mul(sam, integer(row % b.mr))) if row else integer(0)
        for row in groups
    ]
    starts = [B] + [f.pointer(B, b.element, f.mul(last, integer(panel))) for panel in range(1, panels)]
    below = f.mul(ldc, integer(rows))
    further = f.mul(sbk, integer(ROWS_AHEAD))
    ahead = f.mul(step, integer(max(1, rows // b.mr)))
    # Only tiles of full height come in columns.
    with repeat(f, tiles if rows >= b.mr else integer(1), [A, C]) as down:
        a_tile, c_tile = down.carried
        pointers = [hidden(f, f.pointer(a_tile, b.element, offset)) for offset in offsets]
        zeros = [number(kind, 0)] * (rows * vectors * panels)
        with repeat(f, K, [*pointers, *starts, *zeros]) as along:
            a = along.carried[: len(groups)]
            bs = along.carried[len(groups) : len(groups) + panels]
            sums = along.carried[len(groups) + panels :]
            if panels > 1:
                _fetch(f, b, bs, further)
            right = []
            for pointer in bs:
                for v in range(vectors):
                    address = f.pointer(pointer, b.element, integer(v * b.lanes))
                    whole = mask is None or v < vectors - 1
                    right.append(f.load(kind, address) if whole or mask is None else mask.load(f, address))
            following = []
            for row in range(rows):
                group = max(g for g in range(len(groups)) if groups[g] <= row)
                left = broadcast(f, kind, f.pointer(a[group], b.element, strides[row - groups[group]]))
                for v, value in enumerate(right):
                    following.append(f.muladd(left, value, sums[row * len(right) + v]))
            along.next = [
                *[f.pointer(p, b.element, sak) for p in a],
                *[f.pointer(p, b.element, sbk) for p in bs],
                *following,
            ]
        sums = along.results[len(groups) + panels :]
        if partial:
            for place, value in enumerate(sums):
                f.store(value, f.pointer(tile, b.element, integer(place * b.lanes)))
            f.call(
                copy_tile(module, b),
                "void",
                tile,
                integer(width),
                c_tile,
                ldc,
                integer(rows),
                last,
                accumulate,
            )
        else:
            store(f, b, sums, c_tile, ldc, rows, add)
        down.next = [f.pointer(a_tile, b.element, ahead), f.pointer(c_tile, b.element, below)]
    f.ret()
    return module.add(f)


def _fetch(f: Function, b: Blocking, panels: list[Value], ahead: Value) -> None:
    """Ask for what lies ``ahead`` in each panel of B; nothing happens where there is no memory."""
    f.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32 immarg", "i32 immarg", "i32 immarg"])
    for panel in panels:
        row = f.pointer(panel, b.element, ahead)
        for line in range(0, b.nr, LINE // bytes_of(b.element)):
            f.line(f"call void @llvm.prefetch.p0({f.pointer(row, b.element, integer(line))}, i32 0, i32 3, i32 1)")


def store(f: Function, b: Blocking, sums: list[Value], C: Value, ldc: Value, rows: int, add: Value) -> None:
    """Store the rows of a tile, or add them to what is there."""
    across = len(sums) // rows
    kind = sums[0].type
    addresses = []
    for row in range(rows):
        start = f.pointer(C, b.element, f.mul(ldc, integer(row)))
        addresses += [f.pointer(start, b.element, integer(v * b.lanes)) for v in range(across)]
    before, adding, storing = f.segment.label, f.fresh("add"), f.fresh("store")
    f.line(f"br i1 {add.text}, label %{adding}, label %{storing}")
    f.label(adding)
    totals = [f.add(f.load(kind, address), value) for address, value in zip(addresses, sums, strict=True)]
    f.line(f"br label %{storing}")
    f.label(storing)
    final = [
        f.value(kind, f"phi {kind} [ {value.text}, %{before} ], [ {total.text}, %{adding} ]")
        for value, total in zip(sums, totals, strict=True)
    ]
    for value, address in zip(final, addresses, strict=True):
        f.store(value, address)


def copy_tile(module: Module, b: Blocking) -> str:
    """``copy_tile(tile, width, C, ldc, rows, columns, accumulate)``: a tile of whole vectors into the columns that C
    has of it, in pieces of a power of two (masked stores are slow on some processors, and some have none)."""
    name = f"copy_tile_{suffix(b.element)}"
    if name in module.functions:
        return name
    arguments = [("ptr", "tile"), ("i64", "width"), ("ptr", "C"), ("i64", "ldc")]
    f = Function(module, name, [*arguments, ("i64", "rows"), ("i64", "columns"), ("i64", "accumulate")])
    tile, width, C, ldc, rows, columns, accumulate = f.arguments
    add = condition(f, accumulate)
    pieces = [1 << n for n in reversed(range(b.nr.bit_length())) if 1 << n < b.nr]
    for adding in (False, True):
        wanted = add if adding else f.compare("eq", accumulate, integer(0))
        with f.when(wanted), repeat(f, rows, [tile, C]) as loop:
            here, there = loop.carried
            for piece in pieces:
                kind = vector(b.element, piece)
                start = f.binary("and", columns, integer(-2 * piece))
                with f.when(condition(f, f.binary("and", columns, integer(piece)))):
                    value = f.load(kind, f.pointer(here, b.element, start))
                    to = f.pointer(there, b.element, start)
                    f.store(f.add(f.load(kind, to), value) if adding else value, to)
            loop.next = [f.pointer(here, b.element, width), f.pointer(there, b.element, ldc)]
    f.ret()
    return module.add(f)
