"""Products whose rows and terms lie anywhere: convolutions straight from memory, without a matrix of windows.

An external function an element type T::

    window_T(A, rows, ks, sak, B, sbk, sbp, C, ldc, M, N, K1, K2, accumulate)
        C[m·ldc + n] (+)= Σ_k1 Σ_k2 A[rows[m] + ks[k1] + k2·sak] · B(k1·K2 + k2, n)

``rows`` and ``ks`` are tables of i64 in memory; B as in ``gemm``.  The row of an image's window, its position in the
window's rows and the run of memory within one (columns of the window times channels) are m, k1 and k2.
"""

from __future__ import annotations

from chainrule.backends.native.gemm.blocking import Blocking
from chainrule.backends.native.gemm.code import Part, broadcast, condition, minimum, repeat
from chainrule.backends.native.gemm.macro import clear
from chainrule.backends.native.gemm.micro import copy_tile, store, suffix
from chainrule.backends.native.ir import Function, Module, Value, integer, number, vector

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
    """All M rows against one panel of B: tiles of mr rows, and two of equal height for what is left and one of them."""
    part = "part_" if partial else ""
    kernels = [tile(module, b, rows, vectors, partial) for rows in range(1, b.mr + 1)]
    table = module.constant(
        f"window_tiles_{part}{vectors}_{suffix(b.element)}",
        f"[{b.mr} x ptr]",
        "[" + ", ".join(f"ptr @{name}" for name in kernels) + "]",
    )
    f = Function(module, f"window_sweep_{part}{vectors}_{suffix(b.element)}", [*ARGUMENTS, ("i64", "M")])
    A, rows, ks, sak, B, sbk, C, ldc, K1, K2, accumulate, last, M = f.arguments
    count = f.div(M, integer(b.mr))
    rest = f.sub(M, f.mul(count, integer(b.mr)))
    uneven = f.compare("sgt", rest, integer(0))
    shared = f.binary("and", uneven, f.compare("sgt", count, integer(0)))
    count = f.select(shared, f.sub(count, integer(1)), count)
    rest = f.select(shared, f.add(rest, integer(b.mr)), rest)
    first = f.select(shared, f.binary("lshr", f.add(rest, integer(1)), integer(1)), rest)
    done = f.mul(count, integer(b.mr))

    def passed(m: Value) -> list[Value]:
        row, c = f.pointer(rows, "i64", m), f.pointer(C, b.element, f.mul(m, ldc))
        return [A, row, ks, sak, B, sbk, c, ldc, K1, K2, accumulate, last]

    with f.loop(integer(0), done, b.mr) as tiles:
        f.call(kernels[-1], "void", *passed(tiles.index))
    for start, height in ((done, first), (f.add(done, first), f.sub(rest, first))):
        with f.when(f.compare("sgt", height, integer(0))):
            kernel = f.load("ptr", f.pointer(table, "ptr", f.sub(height, integer(1))))
            f.line(f"call void {kernel.text}({', '.join(map(str, passed(start)))})")
    f.ret()
    return module.add(f)


def window(module: Module, b: Blocking) -> str:
    """``window_T``; see above."""
    names = ["M", "N", "K1", "K2", "accumulate"]
    arguments = [*ARGUMENTS[:6], ("i64", "sbp"), *ARGUMENTS[6:8], *[("i64", name) for name in names]]
    f = Function(module, f"window_{suffix(b.element)}", arguments, linkage="dso_local")
    A, rows, ks, sak, B, sbk, sbp, C, ldc, M, N, K1, K2, accumulate = f.arguments
    zero, one = integer(0), integer(1)

    def leave(when: Value) -> None:
        with f.when(when):
            f.ret()
            f.label(f.fresh("unreached"))

    leave(f.compare("slt", minimum(f, M, N), one))
    empty = f.compare("slt", minimum(f, K1, K2), one)
    with f.when(f.binary("and", empty, f.compare("eq", accumulate, zero))):
        f.call(clear(module, b), "void", C, ldc, M, N)
    leave(empty)
    # A block of k: whole runs, as many as fit, or a part of one.
    pieces = f.div(f.add(K2, integer(b.kc - 1)), integer(b.kc))
    run = f.div(f.add(K2, f.sub(pieces, one)), pieces)
    fitting = f.div(integer(b.kc), run)
    runs = f.select(f.compare("sgt", pieces, one), one, f.select(f.compare("slt", fitting, one), one, fitting))
    full = f.mul(f.div(N, integer(b.nr)), integer(b.nr))
    rest = f.sub(N, full)
    whole = sweep(module, b, b.vectors, partial=False)
    parts = [sweep(module, b, vectors, partial=True) for vectors in range(1, b.vectors + 1)]
    with f.loop(zero, K1, runs) as ones, f.loop(zero, K2, run) as twos:
        k1, k2 = minimum(f, runs, f.sub(K1, ones.index)), minimum(f, run, f.sub(K2, twos.index))
        add = f.binary("or", accumulate, f.binary("or", ones.index, twos.index))
        a = f.pointer(A, b.element, f.mul(twos.index, sak))
        place = f.pointer(ks, "i64", ones.index)
        b_block = f.pointer(B, b.element, f.mul(f.add(f.mul(ones.index, K2), twos.index), sbk))
        with f.loop(zero, M, b.mc) as ms:
            height = minimum(f, integer(b.mc), f.sub(M, ms.index))
            row = f.pointer(rows, "i64", ms.index)
            c_block = f.pointer(C, b.element, f.mul(ms.index, ldc))

            def panel(name: str, n: Value, last: Value) -> None:
                start = f.pointer(b_block, b.element, f.mul(f.div(n, integer(b.nr)), sbp))
                c = f.pointer(c_block, b.element, n)
                f.call(name, "void", a, row, place, sak, start, sbk, c, ldc, k1, k2, add, last, height)

            with f.loop(zero, full, b.nr) as ns:
                panel(whole, ns.index, zero)
            for vectors, part in enumerate(parts, 1):
                above = f.compare("sgt", rest, integer((vectors - 1) * b.lanes))
                with f.when(f.binary("and", above, f.compare("sle", rest, integer(vectors * b.lanes)))):
                    panel(part, full, rest)
    f.ret()
    return module.add(f)
