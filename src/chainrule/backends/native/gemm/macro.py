"""The loops around the micro-kernels, and the shapes that have ways of their own."""

from __future__ import annotations

from chainrule.backends.native.gemm.blocking import Blocking
from chainrule.backends.native.gemm.code import condition, leave, minimum, repeat
from chainrule.backends.native.gemm.micro import ARGUMENTS, micro, suffix
from chainrule.backends.native.gemm.pack import pack_rows, pack_tiles
from chainrule.backends.native.ir import Function, Module, Value, bytes_of, integer, number, vector

# Panels of B that a single row of A takes at a time: enough sums to hide the latency of a multiply-add.
ROW_PANELS = 4


def sweep(module: Module, b: Blocking, vectors: int, partial: bool) -> str:
    """``sweep``: all M rows against one panel of B, by the tallest tiles, those of mr rows, and what is left."""
    part = "part_" if partial else ""
    tallest = b.rows(vectors)
    kernels = [micro(module, b, rows, vectors, partial) for rows in range(1, b.mr + 1)]
    tall = micro(module, b, tallest, vectors, partial) if tallest > b.mr else ""
    table = module.constant(
        f"kernels_{part}{vectors}_{suffix(b.element)}",
        f"[{b.mr} x ptr]",
        "[" + ", ".join(f"ptr @{name}" for name in kernels) + "]",
    )
    arguments = [(kind, "M" if name == "tiles" else name) for kind, name in ARGUMENTS]
    f = Function(module, f"sweep_{part}{vectors}_{suffix(b.element)}", arguments)
    A, sam, sak, step, B, sbk, C, ldc, K, M, accumulate, last = f.arguments

    def run(name: str, a: Value, c: Value, count: Value) -> None:
        f.call(name, "void", a, sam, sak, step, B, sbk, c, ldc, K, count, accumulate, last)

    left = M
    if tall:
        count = f.div(M, integer(tallest))
        with f.when(f.compare("sgt", count, integer(0))):
            run(tall, A, C, count)
        done = f.mul(count, integer(tallest))
        left = f.sub(M, done)
        A = f.pointer(A, b.element, f.mul(f.mul(count, integer(tallest // b.mr)), step))
        C = f.pointer(C, b.element, f.mul(done, ldc))
    count = f.div(left, integer(b.mr))
    rest = f.sub(left, f.mul(count, integer(b.mr)))
    # A last tile of few rows would wait for its multiply-adds: where rows are at even strides, it and the one before
    # are made equal.
    even = f.compare("eq", step, f.mul(sam, integer(b.mr)))
    few = f.binary("and", f.compare("sgt", rest, integer(0)), f.compare("sgt", count, integer(0)))
    few = f.binary("and", few, even)
    count = f.select(few, f.sub(count, integer(1)), count)
    rest = f.select(few, f.add(rest, integer(b.mr)), rest)
    first = f.select(few, f.binary("lshr", f.add(rest, integer(1)), integer(1)), rest)
    second = f.sub(rest, first)
    with f.when(f.compare("sgt", count, integer(0))):
        run(kernels[-1], A, C, count)
    A = f.pointer(A, b.element, f.mul(count, step))
    C = f.pointer(C, b.element, f.mul(f.mul(count, integer(b.mr)), ldc))
    for rows in (first, second):
        with f.when(f.compare("sgt", rows, integer(0))):
            kernel = f.load("ptr", f.pointer(table, "ptr", f.sub(rows, integer(1))))
            passed = [A, sam, sak, step, B, sbk, C, ldc, K, integer(1), accumulate, last]
            f.line(f"call void {kernel.text}({', '.join(map(str, passed))})")
        A = f.pointer(A, b.element, f.mul(rows, sam))
        C = f.pointer(C, b.element, f.mul(rows, ldc))
    f.ret()
    return module.add(f)


def dot(module: Module, b: Blocking) -> str:
    """``dot(A, sam, B, C, ldc, M, K, accumulate)``: rows of A, adjacent in k, times one vector.

    Every row has the same sums, of one lane of two vectors each, whichever rows are beside it.
    """
    arguments = [("ptr", "A"), ("i64", "sam"), ("ptr", "B"), ("ptr", "C"), ("i64", "ldc"), ("i64", "M"), ("i64", "K")]
    f = Function(module, f"dot_{suffix(b.element)}", [*arguments, ("i64", "accumulate")])
    A, sam, B, C, ldc, M, K, accumulate = f.arguments
    kind = vector(b.element, b.lanes)
    add = condition(f, accumulate)
    double = f.binary("and", K, integer(-2 * b.lanes))
    whole = f.binary("and", K, integer(-b.lanes))

    def rows(height: int, a: Value, c: Value) -> None:
        starts = [f.pointer(a, b.element, f.mul(sam, integer(row))) for row in range(height)]
        sums = [number(kind, 0)] * (2 * height)
        with f.loop(integer(0), double, 2 * b.lanes, carried=sums) as pairs:
            following = []
            places = [f.add(pairs.index, integer(half * b.lanes)) for half in range(2)]
            right = [f.load(kind, f.pointer(B, b.element, place)) for place in places]
            for row, start in enumerate(starts):
                for half in range(2):
                    left = f.load(kind, f.pointer(start, b.element, places[half]))
                    following.append(f.muladd(left, right[half], pairs.carried[2 * row + half]))
            pairs.next = following
        with f.loop(double, whole, b.lanes, carried=pairs.results[::2]) as singles:
            value = f.load(kind, f.pointer(B, b.element, singles.index))
            singles.next = [
                f.muladd(f.load(kind, f.pointer(start, b.element, singles.index)), value, total)
                for start, total in zip(starts, singles.carried, strict=True)
            ]
        totals = []
        for one, other in zip(singles.results, pairs.results[1::2], strict=True):
            total = f.add(one, other)
            while total.lanes > 1:
                half = total.lanes // 2
                total = f.add(
                    f.shuffle(total, total, range(half)) if half > 1 else f.extract(total, 0),
                    f.shuffle(total, total, range(half, 2 * half)) if half > 1 else f.extract(total, 1),
                )
            totals.append(total)
        with f.loop(whole, K, carried=totals) as tail:
            value = f.load(b.element, f.pointer(B, b.element, tail.index))
            tail.next = [
                f.muladd(f.load(b.element, f.pointer(start, b.element, tail.index)), value, total)
                for start, total in zip(starts, tail.carried, strict=True)
            ]
        for row, total in enumerate(tail.results):
            address = f.pointer(c, b.element, f.mul(ldc, integer(row)))
            with f.when(add):
                f.store(f.add(f.load(b.element, address), total), address)
            with f.when(f.compare("eq", accumulate, integer(0))):
                f.store(total, address)

    fours = f.binary("and", M, integer(-4))
    for start, stop, height in ((integer(0), fours, 4), (fours, M, 1)):
        with f.loop(start, stop, height) as loop:
            a = f.pointer(A, b.element, f.mul(loop.index, sam))
            rows(height, a, f.pointer(C, b.element, f.mul(loop.index, ldc)))
    f.ret()
    return module.add(f)


def clear(module: Module, b: Blocking) -> str:
    """``clear(C, ldc, M, N)``: zeros, the sum over nothing."""
    arguments = [("ptr", "C"), ("i64", "ldc"), ("i64", "M"), ("i64", "N")]
    f = Function(module, f"clear_{suffix(b.element)}", arguments)
    C, ldc, M, N = f.arguments
    with repeat(f, M, [C]) as rows:
        with f.loop(integer(0), N) as columns:
            f.store(number(b.element, 0), f.pointer(rows.carried[0], b.element, columns.index))
        rows.next = [f.pointer(rows.carried[0], b.element, ldc)]
    f.ret()
    return module.add(f)


def gemm(module: Module, b: Blocking) -> str:
    """``gemm_T``; see the package."""
    name = f"gemm_{suffix(b.element)}"
    arguments = [("ptr", "A"), ("i64", "sam"), ("i64", "sak"), ("ptr", "B"), ("i64", "sbk"), ("i64", "sbp")]
    arguments += [("ptr", "C"), ("i64", "ldc"), ("i64", "M"), ("i64", "N"), ("i64", "K"), ("i64", "accumulate")]
    f = Function(module, name, [*arguments, ("ptr", "scratch")], linkage="dso_local")
    A, sam, sak, B, sbk, sbp, C, ldc, M, N, K, accumulate, scratch = f.arguments
    zero, one = integer(0), integer(1)

    def equal(x: Value, y: Value) -> Value:
        return f.compare("eq", x, y)

    def both(*conditions: Value) -> Value:
        result = conditions[0]
        for other in conditions[1:]:
            result = f.binary("and", result, other)
        return result

    leave(f, f.compare("slt", minimum(f, M, N), one))
    empty = f.compare("slt", K, one)
    with f.when(both(empty, equal(accumulate, zero))):
        f.call(clear(module, b), "void", C, ldc, M, N)
    leave(f, empty)
    narrow = equal(N, one)
    dots = both(narrow, equal(sak, one), equal(sbk, one))
    with f.when(dots):
        f.call(dot(module, b), "void", A, sam, B, C, ldc, M, K, accumulate)
    leave(f, dots)
    # One column of results, one after the other, of adjacent rows: a row of results of adjacent columns.
    turned = both(narrow, f.compare("ne", M, one), equal(sam, one), equal(ldc, one))
    with f.when(turned):
        f.call(name, "void", B, zero, sbk, A, sak, integer(b.nr), C, one, one, M, K, accumulate, scratch)
    leave(f, turned)

    blocks = f.div(f.add(K, integer(b.kc - 1)), integer(b.kc))
    kc = f.div(f.add(K, f.sub(blocks, one)), blocks)
    full = f.mul(f.div(N, integer(b.nr)), integer(b.nr))
    rest = f.sub(N, full)
    wide = integer(ROW_PANELS * b.nr)
    single = f.select(equal(M, one), f.mul(f.div(N, wide), wide), zero)
    # A packed block of A pays where many panels read it, and where its own strides are bad for the cache.
    many = both(f.compare("sge", N, integer(4 * b.nr)), f.compare("sge", M, integer(4 * b.mr)))
    far = f.compare("sge", K, integer(32))
    tiled = both(many, far, equal(sam, one), f.compare("ne", sak, one))
    conflict = equal(f.binary("and", sam, integer(1024 // bytes_of(b.element) - 1)), zero)
    rowwise = both(many, far, conflict, equal(sak, one))
    packed_row = f.add(f.binary("and", f.add(kc, integer(15)), integer(-16)), integer(16))
    packed_tile = f.add(f.mul(kc, integer(b.mr)), integer(b.lanes))
    sam_packed = f.select(tiled, one, f.select(rowwise, packed_row, sam))
    sak_packed = f.select(tiled, integer(b.mr), sak)
    step = f.select(tiled, packed_tile, f.mul(sam_packed, integer(b.mr)))
    packed = f.binary("or", tiled, rowwise)
    kernel = micro(module, b, 1, b.vectors, panels=ROW_PANELS)
    whole = sweep(module, b, b.vectors, partial=False)
    parts = [sweep(module, b, vectors, partial=True) for vectors in range(1, b.vectors + 1)]
    with f.loop(zero, K, kc) as ks:
        depth = minimum(f, kc, f.sub(K, ks.index))
        add = f.binary("or", accumulate, ks.index)
        with f.loop(zero, M, b.mc) as ms:
            height = minimum(f, integer(b.mc), f.sub(M, ms.index))
            a = f.add(f.mul(ms.index, sam), f.mul(ks.index, sak))
            block = f.pointer(A, b.element, a)
            with f.when(tiled):
                f.call(pack_tiles(module, b), "void", block, sak, scratch, step, height, depth)
            with f.when(rowwise):
                f.call(pack_rows(module, b), "void", block, sam, scratch, packed_row, height, depth)
            block = f.select(packed, scratch, block)
            c_block = f.pointer(C, b.element, f.mul(ms.index, ldc))
            b_block = f.pointer(B, b.element, f.mul(ks.index, sbk))

            def panel(name: str, n: Value, rows: Value, last: Value) -> None:
                start = f.mul(f.div(n, integer(b.nr)), sbp)
                passed = [block, sam_packed, sak_packed, step, f.pointer(b_block, b.element, start), sbk]
                passed += [f.pointer(c_block, b.element, n), ldc, depth, rows, add, last]
                f.call(name, "void", *passed)

            with f.loop(zero, single, ROW_PANELS * b.nr) as ns:
                panel(kernel, ns.index, one, sbp)
            with f.loop(single, full, b.nr) as ns:
                panel(whole, ns.index, height, zero)
            for vectors, part in enumerate(parts, 1):
                inside = f.compare("sgt", rest, integer((vectors - 1) * b.lanes))
                with f.when(both(inside, f.compare("sle", rest, integer(vectors * b.lanes)))):
                    panel(part, full, height, rest)
    f.ret()
    return module.add(f)
