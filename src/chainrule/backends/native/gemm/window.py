"""Products whose rows and terms lie anywhere: convolutions straight from memory, without a matrix of windows.

An external function an element type T::

    window_T(A, rows, ks, sa0, sak, B, sbk, sbp, C, ldc, M, N, K0, K1, K2, accumulate, scratch)
        C[m·ldc + n] (+)= Σ_k0 Σ_k1 Σ_k2 A[rows[m] + k0·sa0 + ks[k1] + k2·sak] · B((k0·K1 + k1)·K2 + k2, n)

``rows`` and ``ks`` are tables of i64 in memory; B and ``scratch`` as in ``gemm``.  In a convolution m is a position of
the window, k1 a row of it and k2 what lies side by side in one: its columns times the channels (K0 is 1).  In the
gradient of the weights m is a weight's place in the window and k0, k1, k2 are the image, its rows and its columns.
"""

from __future__ import annotations

from chainrule.backends.native.gemm.blocking import Blocking
from chainrule.backends.native.gemm.code import Part, broadcast, condition, leave, minimum, repeat
from chainrule.backends.native.gemm.macro import clear
from chainrule.backends.native.gemm.macro import sweep as tile_sweep
from chainrule.backends.native.gemm.micro import copy_tile, store, suffix
from chainrule.backends.native.ir import Function, Module, Value, integer, number, vector

# Sums under way that hide the latency of a multiply-add: a tile of one vector has at least as many rows.
UNDER_WAY = 8

# One tile; ``last`` is the number of columns of a part of a panel.
ARGUMENTS = [
    ("ptr", "A"),
    ("ptr", "rows"),
    ("ptr", "ks"),
    ("i64", "sak"),
    ("ptr", "B"),
    ("i64", "sbk"),
    ("ptr", "C"),
    ("i64", "ldc"),
    ("i64", "K1"),
    ("i64", "K2"),
    ("i64", "accumulate"),
    ("i64", "last"),
]


def tile(module: Module, b: Blocking, rows: int, vectors: int, partial: bool) -> str:
    """The kernel for a tile of ``rows`` by ``vectors``."""
    part = "part_" if partial else ""
    f = Function(module, f"window_tile_{part}{rows}x{vectors}_{suffix(b.element)}", ARGUMENTS)
    A, table, ks, sak, B, sbk, C, ldc, K1, K2, accumulate, last = f.arguments
    kind = vector(b.element, b.lanes)
    width = vectors * b.lanes
    local = f.stack(b.element, rows * width) if partial else C
    mask = Part(f, kind, f.sub(last, integer((vectors - 1) * b.lanes)), b.masks) if partial else None
    bases = [f.pointer(A, b.element, f.load("i64", f.pointer(table, "i64", integer(row)))) for row in range(rows)]
    zeros = [number(kind, 0)] * (rows * vectors)
    with repeat(f, K1, [ks, B, *zeros]) as outer:
        place, panel, *sums = outer.carried
        offset = f.load("i64", place)
        starts = [f.pointer(base, b.element, offset) for base in bases]
        with repeat(f, K2, [f.mul(offset, integer(0)), panel, *sums]) as inner:
            at, pointer, *totals = inner.carried
            right = []
            for v in range(vectors):
                address = f.pointer(pointer, b.element, integer(v * b.lanes))
                whole = mask is None or v < vectors - 1
                right.append(f.load(kind, address) if whole or mask is None else mask.load(f, address))
            following = []
            for row, start in enumerate(starts):
                left = broadcast(f, kind, f.pointer(start, b.element, at))
                following += [f.muladd(left, value, totals[row * vectors + v]) for v, value in enumerate(right)]
            inner.next = [f.add(at, sak), f.pointer(pointer, b.element, sbk), *following]
        outer.next = [f.pointer(place, "i64", integer(1)), *inner.results[1:]]
    sums = outer.results[2:]
    if partial:
        for position, value in enumerate(sums):
            f.store(value, f.pointer(local, b.element, integer(position * b.lanes)))
        f.call(copy_tile(module, b), "void", local, integer(width), C, ldc, integer(rows), last, accumulate)
    else:
        store(f, b, sums, C, ldc, rows, condition(f, accumulate))
    f.ret()
    return module.add(f)


def sweep(module: Module, b: Blocking, vectors: int, partial: bool) -> str:
    """All M rows against one panel of B: tiles of one height; what is left and one of them are two of equal height."""
    part = "part_" if partial else ""
    tallest = max(b.mr, UNDER_WAY // vectors)
    kernels = [tile(module, b, rows, vectors, partial) for rows in range(1, tallest + 1)]
    table = module.constant(
        f"window_tiles_{part}{vectors}_{suffix(b.element)}",
        f"[{tallest} x ptr]",
        "[" + ", ".join(f"ptr @{name}" for name in kernels) + "]",
    )
    f = Function(module, f"window_sweep_{part}{vectors}_{suffix(b.element)}", [*ARGUMENTS, ("i64", "M")])
    A, rows, ks, sak, B, sbk, C, ldc, K1, K2, accumulate, last, M = f.arguments
    count = f.div(M, integer(tallest))
    rest = f.sub(M, f.mul(count, integer(tallest)))
    uneven = f.compare("sgt", rest, integer(0))
    shared = f.binary("and", uneven, f.compare("sgt", count, integer(0)))
    count = f.select(shared, f.sub(count, integer(1)), count)
    rest = f.select(shared, f.add(rest, integer(tallest)), rest)
    first = f.select(shared, f.binary("lshr", f.add(rest, integer(1)), integer(1)), rest)
    done = f.mul(count, integer(tallest))

    def passed(m: Value) -> list[Value]:
        row, c = f.pointer(rows, "i64", m), f.pointer(C, b.element, f.mul(m, ldc))
        return [A, row, ks, sak, B, sbk, c, ldc, K1, K2, accumulate, last]

    with f.loop(integer(0), done, tallest) as tiles:
        f.call(kernels[-1], "void", *passed(tiles.index))
    for start, height in ((done, first), (f.add(done, first), f.sub(rest, first))):
        with f.when(f.compare("sgt", height, integer(0))):
            kernel = f.load("ptr", f.pointer(table, "ptr", f.sub(height, integer(1))))
            f.line(f"call void {kernel.text}({', '.join(map(str, passed(start)))})")
    f.ret()
    return module.add(f)


def pack_runs(module: Module, b: Blocking) -> str:
    """``(A, rows, ks, sak, P, step, M, K1, K2)``: M rows as tiles of mr rows, ``step`` elements from one to the next.

    Rows side by side are copied as whole vectors: what they hold beyond the mr rows is overwritten by the next k.
    """
    arguments = [*ARGUMENTS[:4], ("ptr", "P"), *[("i64", name) for name in ("step", "M", "K1", "K2")]]
    f = Function(module, f"window_pack_{suffix(b.element)}", arguments)
    A, rows, ks, sak, P, step, M, K1, K2 = f.arguments
    kind = vector(b.element, b.lanes)
    across = -(-b.mr // b.lanes)
    reach = across * b.lanes
    with f.loop(integer(0), M, b.mr) as tiles:
        first = f.load("i64", f.pointer(rows, "i64", tiles.index))
        to = f.pointer(P, b.element, f.mul(f.div(tiles.index, integer(b.mr)), step))
        inside = f.compare("sle", f.add(tiles.index, integer(reach)), M)
        last = f.select(inside, f.add(tiles.index, integer(reach - 1)), tiles.index)
        span = f.sub(f.load("i64", f.pointer(rows, "i64", last)), first)
        adjacent = f.binary("and", inside, f.compare("eq", span, integer(reach - 1)))
        with f.when(adjacent), repeat(f, K1, [ks, to]) as outer:
            place, there = outer.carried
            source = f.pointer(A, b.element, f.add(first, f.load("i64", place)))
            with repeat(f, K2, [source, there]) as inner:
                here, out = inner.carried
                for v in range(across):
                    offset = integer(v * b.lanes)
                    value = f.load(kind, f.pointer(here, b.element, offset))
                    f.store(value, f.pointer(out, b.element, offset))
                inner.next = [f.pointer(here, b.element, sak), f.pointer(out, b.element, integer(b.mr))]
            outer.next = [f.pointer(place, "i64", integer(1)), inner.results[1]]
        with f.when(f.compare("eq", f.cast("zext", adjacent, "i64"), integer(0))):
            height = minimum(f, integer(b.mr), f.sub(M, tiles.index))
            with f.loop(integer(0), height) as singles:
                start = f.load("i64", f.pointer(rows, "i64", f.add(tiles.index, singles.index)))
                with repeat(f, K1, [ks, f.pointer(to, b.element, singles.index)]) as outer:
                    place, there = outer.carried
                    source = f.pointer(A, b.element, f.add(start, f.load("i64", place)))
                    with repeat(f, K2, [source, there]) as inner:
                        here, out = inner.carried
                        f.store(f.load(b.element, here), out)
                        inner.next = [f.pointer(here, b.element, sak), f.pointer(out, b.element, integer(b.mr))]
                    outer.next = [f.pointer(place, "i64", integer(1)), inner.results[1]]
    f.ret()
    return module.add(f)


def window(module: Module, b: Blocking) -> str:
    """``window_T``; see above."""
    names = ["M", "N", "K0", "K1", "K2", "accumulate"]
    strides = [("i64", "sa0"), *ARGUMENTS[3:6], ("i64", "sbp")]
    arguments = [*ARGUMENTS[:3], *strides, *ARGUMENTS[6:8], *[("i64", name) for name in names]]
    f = Function(module, f"window_{suffix(b.element)}", [*arguments, ("ptr", "scratch")], linkage="dso_local")
    A, rows, ks, sa0, sak, B, sbk, sbp, C, ldc, M, N, K0, K1, K2, accumulate, scratch = f.arguments
    zero, one = integer(0), integer(1)

    leave(f, f.compare("slt", minimum(f, M, N), one))
    empty = f.compare("slt", minimum(f, K0, minimum(f, K1, K2)), one)
    with f.when(f.binary("and", empty, f.compare("eq", accumulate, zero))):
        f.call(clear(module, b), "void", C, ldc, M, N)
    leave(f, empty)
    # A block of k: several images, whole runs of one, as many as fit, or a part of a run.
    pieces = f.div(f.add(K2, integer(b.kc - 1)), integer(b.kc))
    run = f.div(f.add(K2, f.sub(pieces, one)), pieces)
    fitting = f.div(integer(b.kc), run)
    runs = f.select(f.compare("sgt", pieces, one), one, f.select(f.compare("slt", fitting, one), one, fitting))
    full = f.mul(f.div(N, integer(b.nr)), integer(b.nr))
    rest = f.sub(N, full)
    # Terms far from each other are brought together where many panels read them; so are the rows of B.
    tall = f.compare("sge", M, integer(4 * b.mr))
    wide = f.compare("sge", N, integer(3 * b.nr))
    packed = f.binary("and", f.binary("and", tall, wide), f.compare("ne", sak, one))
    gathered = f.binary("and", tall, f.compare("ne", sbk, integer(b.nr)))
    panel_memory = f.stack(b.element, b.kc * b.nr)
    runs = minimum(f, runs, K1)
    images = f.div(integer(b.kc), f.mul(K1, K2))
    images = f.select(f.binary("and", packed, f.compare("sgt", images, one)), images, one)
    tile_step = f.add(f.mul(f.mul(f.mul(images, runs), run), integer(b.mr)), integer(b.lanes))
    with f.loop(zero, K0, images) as zeros, f.loop(zero, K1, runs) as ones, f.loop(zero, K2, run) as twos:
        k0 = minimum(f, images, f.sub(K0, zeros.index))
        k1, k2 = minimum(f, runs, f.sub(K1, ones.index)), minimum(f, run, f.sub(K2, twos.index))
        one_image = f.mul(k1, k2)
        depth = f.mul(k0, one_image)
        later = f.binary("or", zeros.index, f.binary("or", ones.index, twos.index))
        add = f.binary("or", accumulate, later)
        a = f.pointer(A, b.element, f.add(f.mul(zeros.index, sa0), f.mul(twos.index, sak)))
        place = f.pointer(ks, "i64", ones.index)
        k = f.add(f.mul(f.add(f.mul(zeros.index, K1), ones.index), K2), twos.index)
        b_block = f.pointer(B, b.element, f.mul(k, sbk))
        with f.loop(zero, M, b.mc) as ms:
            height = minimum(f, integer(b.mc), f.sub(M, ms.index))
            row = f.pointer(rows, "i64", ms.index)
            c_block = f.pointer(C, b.element, f.mul(ms.index, ldc))
            with f.when(packed), f.loop(zero, k0) as each:
                image = f.pointer(a, b.element, f.mul(each.index, sa0))
                to = f.pointer(scratch, b.element, f.mul(f.mul(each.index, one_image), integer(b.mr)))
                f.call(pack_runs(module, b), "void", image, row, place, sak, to, tile_step, height, k1, k2)

            def panel(vectors: int, partial: bool, n: Value, last: Value) -> None:
                start = f.pointer(b_block, b.element, f.mul(f.div(n, integer(b.nr)), sbp))
                width = integer(b.nr) if not partial else last
                with f.when(gathered):
                    f.call(copy_panel(module, b), "void", start, sbk, panel_memory, depth, width)
                start = f.select(gathered, panel_memory, start)
                step = f.select(gathered, integer(b.nr), sbk)
                c = f.pointer(c_block, b.element, n)
                with f.when(packed):
                    tiles = [scratch, one, integer(b.mr), tile_step, start, step, c, ldc, depth, height, add, last]
                    f.call(tile_sweep(module, b, vectors, partial), "void", *tiles)
                with f.when(f.compare("eq", f.cast("zext", packed, "i64"), zero)):
                    there = [a, row, place, sak, start, step, c, ldc, k1, k2, add, last, height]
                    f.call(sweep(module, b, vectors, partial), "void", *there)

            with f.loop(zero, full, b.nr) as ns:
                panel(b.vectors, False, ns.index, zero)
            for vectors in range(1, b.vectors + 1):
                above = f.compare("sgt", rest, integer((vectors - 1) * b.lanes))
                with f.when(f.binary("and", above, f.compare("sle", rest, integer(vectors * b.lanes)))):
                    panel(vectors, True, full, rest)
    f.ret()
    return module.add(f)


def copy_panel(module: Module, b: Blocking) -> str:
    """``(B, sbk, P, K, columns)``: K rows of some columns of B, nr elements from one to the next."""
    arguments = [("ptr", "B"), ("i64", "sbk"), ("ptr", "P"), ("i64", "K"), ("i64", "columns")]
    f = Function(module, f"window_panel_{suffix(b.element)}", arguments)
    B, sbk, P, K, columns = f.arguments
    kind = vector(b.element, b.lanes)
    parts = [Part(f, kind, f.sub(columns, integer(v * b.lanes)), b.masks) for v in range(b.vectors)]
    whole = f.compare("eq", columns, integer(b.nr))
    with f.when(whole), repeat(f, K, [B, P]) as loop:
        here, there = loop.carried
        for v in range(b.vectors):
            offset = integer(v * b.lanes)
            f.store(f.load(kind, f.pointer(here, b.element, offset)), f.pointer(there, b.element, offset))
        loop.next = [f.pointer(here, b.element, sbk), f.pointer(there, b.element, integer(b.nr))]
    with f.when(f.compare("ne", columns, integer(b.nr))), repeat(f, K, [B, P]) as loop:
        here, there = loop.carried
        for v, part in enumerate(parts):
            offset = integer(v * b.lanes)
            f.store(part.load(f, f.pointer(here, b.element, offset), zero=True), f.pointer(there, b.element, offset))
        loop.next = [f.pointer(here, b.element, sbk), f.pointer(there, b.element, integer(b.nr))]
    f.ret()
    return module.add(f)
