"""Packing: panels of B of nr columns, blocks of A, so that a micro-kernel reads both in order of memory."""

from __future__ import annotations

from chainrule.backends.native.gemm.blocking import Blocking
from chainrule.backends.native.gemm.code import Part, minimum, repeat
from chainrule.backends.native.gemm.micro import suffix
from chainrule.backends.native.ir import Function, Module, Value, integer, number, vector

# Panels that are packed together: long pieces of each row of B are read in one go.
TOGETHER = 4


def pack(module: Module, b: Blocking) -> str:
    """``pack_T(B, sbk, sbn, P, K, N, first, last)``: panels ``first`` … ``last - 1`` of B[k·sbk + n·sbn], padded with
    zeros, each in the order of k."""
    arguments = [("ptr", "B"), ("i64", "sbk"), ("i64", "sbn"), ("ptr", "P"), ("i64", "K"), ("i64", "N")]
    f = Function(
        module, f"pack_{suffix(b.element)}", [*arguments, ("i64", "first"), ("i64", "last")], linkage="dso_local"
    )
    B, sbk, sbn, P, K, N, first, last = f.arguments
    one = integer(1)
    rowwise = f.compare("eq", sbn, one)
    columnwise = f.binary("and", f.compare("ne", sbn, one), f.compare("eq", sbk, one))
    strided = f.binary("and", f.compare("ne", sbn, one), f.compare("ne", sbk, one))
    size = f.mul(K, integer(b.nr))
    whole = minimum(f, last, f.div(N, integer(b.nr)))
    together = f.add(first, f.binary("and", f.sub(whole, first), integer(-TOGETHER)))
    together = f.select(f.binary("and", rowwise, f.compare("sgt", whole, first)), together, first)

    def place(panel: Value) -> tuple[Value, Value]:
        column = f.mul(panel, integer(b.nr))
        return f.pointer(B, b.element, f.mul(column, sbn)), f.pointer(P, b.element, f.mul(panel, size))

    with f.loop(first, together, TOGETHER) as groups:
        source, to = place(groups.index)
        _rows(f, b, source, sbk, [f.pointer(to, b.element, f.mul(size, integer(n))) for n in range(TOGETHER)], K)
    with f.loop(together, last) as panels:
        source, to = place(panels.index)
        width = minimum(f, integer(b.nr), f.sub(N, f.mul(panels.index, integer(b.nr))))
        with f.when(rowwise):
            _rows(f, b, source, sbk, [to], K, width)
        with f.when(columnwise):
            _columns(f, b, source, sbn, to, K, width)
        with f.when(strided):
            _strided(f, b, source, sbk, sbn, to, integer(0), K, width)
    f.ret()
    return module.add(f)


def _rows(
    f: Function, b: Blocking, source: Value, sbk: Value, panels: list[Value], K: Value, width: Value | None = None
) -> None:
    """Panels from rows of memory; with a ``width``, what is beyond it is zero."""
    kind = vector(b.element, b.lanes)
    parts = []
    if width is not None:
        parts = [Part(f, kind, f.sub(width, integer(v * b.lanes)), b.masks) for v in range(b.vectors)]
    with f.loop(integer(0), K) as ks:
        row = f.pointer(source, b.element, f.mul(ks.index, sbk))
        place = f.mul(ks.index, integer(b.nr))
        for n, panel in enumerate(panels):
            out = f.pointer(panel, b.element, place)
            for v in range(b.vectors):
                address = f.pointer(row, b.element, integer(n * b.nr + v * b.lanes))
                value = parts[v].load(f, address, zero=True) if parts else f.load(kind, address)
                f.store(value, f.pointer(out, b.element, integer(v * b.lanes)))


def _columns(f: Function, b: Blocking, source: Value, sbn: Value, to: Value, K: Value, width: Value) -> None:
    """A panel from columns of memory: squares of 16 bytes by 16 bytes are transposed in registers."""
    kind = vector(b.element, b.lanes)
    square = b.lanes // (b.lanes * (4 if b.element == "float" else 8) // 16)
    squares = b.lanes // square
    whole = f.div(K, integer(square))
    whole = f.mul(whole, integer(square))
    final = f.sub(width, integer(1))
    with f.loop(integer(0), integer(b.nr), b.lanes) as vs:
        columns = []
        for lane in range(b.lanes):
            place = minimum(f, f.add(vs.index, integer(lane)), final)
            columns.append(f.pointer(source, b.element, f.mul(place, sbn)))
        inside = Part(f, kind, f.sub(width, vs.index), masks=True)
        out = f.pointer(to, b.element, vs.index)
        with f.loop(integer(0), whole, square) as ks:
            values = []
            for row in range(square):
                quarters = []
                for part in range(squares):
                    address = f.pointer(columns[part * square + row], b.element, ks.index)
                    quarters.append(f.load(vector(b.element, square), address))
                while len(quarters) > 1:
                    together = range(2 * quarters[0].lanes)
                    quarters = [f.shuffle(x, y, together) for x, y in zip(quarters[::2], quarters[1::2], strict=True)]
                values.append(quarters[0])
            mask = inside.mask(f)
            for k, value in enumerate(_transposed(f, values, square)):
                place = f.mul(f.add(ks.index, integer(k)), integer(b.nr))
                f.store(f.select(mask, value, number(kind, 0)), f.pointer(out, b.element, place))
    _strided(f, b, source, integer(1), sbn, to, whole, K, width)


def _transposed(f: Function, rows: list[Value], square: int) -> list[Value]:
    """Every 16 bytes of these vectors as a square: lane j of row i becomes lane i of row j."""

    def zipped(x: Value, y: Value, unit: int, high: bool) -> Value:
        """Units of lanes of ``x`` and ``y`` in turn, from one half of every square."""
        half = square // 2
        lanes = []
        for start in range(0, x.lanes, square):
            for place in range(start + half * high, start + half * (high + 1), unit):
                lanes += [place + n for n in range(unit)] + [place + x.lanes + n for n in range(unit)]
        return f.shuffle(x, y, lanes)

    if square == 2:
        return [zipped(rows[0], rows[1], 1, high) for high in (False, True)]
    pairs = [[zipped(rows[n], rows[n + 1], 1, high) for high in (False, True)] for n in (0, 2)]
    return [zipped(pairs[0][n], pairs[1][n], 2, high) for n in range(2) for high in (False, True)]


def _strided(
    f: Function, b: Blocking, source: Value, sbk: Value, sbn: Value, to: Value, start: Value, stop: Value, width: Value
) -> None:
    """Rows ``start`` … of a panel, element by element."""
    with f.loop(start, stop) as ks:
        row = f.pointer(source, b.element, f.mul(ks.index, sbk))
        out = f.pointer(to, b.element, f.mul(ks.index, integer(b.nr)))
        with f.loop(integer(0), width) as columns:
            value = f.load(b.element, f.pointer(row, b.element, f.mul(columns.index, sbn)))
            f.store(value, f.pointer(out, b.element, columns.index))
        with f.loop(width, integer(b.nr)) as columns:
            f.store(number(b.element, 0), f.pointer(out, b.element, columns.index))


def pack_rows(module: Module, b: Blocking) -> str:
    """``(A, sam, P, stride, M, K)``: M rows of K adjacent elements, at a better stride."""
    arguments = [("ptr", "A"), ("i64", "sam"), ("ptr", "P"), ("i64", "stride"), ("i64", "M"), ("i64", "K")]
    f = Function(module, f"pack_rows_{suffix(b.element)}", arguments)
    A, sam, P, stride, M, K = f.arguments
    kind = vector(b.element, b.lanes)
    whole = f.binary("and", K, integer(-b.lanes))
    with repeat(f, M, [A, P]) as rows:
        source, to = rows.carried
        with f.loop(integer(0), whole, b.lanes) as ks:
            f.store(f.load(kind, f.pointer(source, b.element, ks.index)), f.pointer(to, b.element, ks.index))
        with f.loop(whole, K) as ks:
            f.store(f.load(b.element, f.pointer(source, b.element, ks.index)), f.pointer(to, b.element, ks.index))
        rows.next = [f.pointer(source, b.element, sam), f.pointer(to, b.element, stride)]
    f.ret()
    return module.add(f)


def pack_tiles(module: Module, b: Blocking) -> str:
    """``(A, sak, P, step, M, K)``: A with adjacent rows as tiles of mr rows, ``step`` elements from one to the next.

    Whole vectors are copied: what they hold beyond the mr rows is overwritten by the next k.
    """
    arguments = [("ptr", "A"), ("i64", "sak"), ("ptr", "P"), ("i64", "step"), ("i64", "M"), ("i64", "K")]
    f = Function(module, f"pack_tiles_{suffix(b.element)}", arguments)
    A, sak, P, step, M, K = f.arguments
    kind = vector(b.element, b.lanes)
    across = -(-b.mr // b.lanes)
    # Tiles whose vectors end within the M rows.
    reach = f.sub(M, integer(across * b.lanes - b.mr))
    reach = f.select(f.compare("sgt", reach, integer(0)), reach, integer(0))
    whole = f.mul(f.div(reach, integer(b.mr)), integer(b.mr))
    with repeat(f, K, [A, P]) as ks:
        source, to = ks.carried
        with f.loop(integer(0), whole, b.mr, carried=[to]) as tiles:
            here = f.pointer(source, b.element, tiles.index)
            for v in range(across):
                value = f.load(kind, f.pointer(here, b.element, integer(v * b.lanes)))
                f.store(value, f.pointer(tiles.carried[0], b.element, integer(v * b.lanes)))
            tiles.next = [f.pointer(tiles.carried[0], b.element, step)]
        with f.loop(whole, M, b.mr, carried=tiles.results) as tiles:
            here = f.pointer(source, b.element, tiles.index)
            with f.loop(integer(0), minimum(f, integer(b.mr), f.sub(M, tiles.index))) as rows:
                value = f.load(b.element, f.pointer(here, b.element, rows.index))
                f.store(value, f.pointer(tiles.carried[0], b.element, rows.index))
            tiles.next = [f.pointer(tiles.carried[0], b.element, step)]
        ks.next = [f.pointer(source, b.element, sak), f.pointer(to, b.element, integer(b.mr))]
    f.ret()
    return module.add(f)
