"""Contractions as matrix products: which axes are rows, columns and k, what is packed, and the calls.

``z[b,t,j] = sum[i](x[b,t,i]*W[i,j])`` is one product with rows (b,t), columns j and k = i: neighbouring axes whose
steps in memory fit are one.  Axes that do not fit are loops around it.  The factor that has the last axis of the result
is the matrix B of the product (``right``), the other one A.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import gcd, prod

from chainrule.backends.native import gemm, ir
from chainrule.backends.native.ir import Value, integer
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Contraction, Operand
from chainrule.backends.native.strides import Place, Steps
from chainrule.backends.native.window_products import call_window, listed_rows, window_terms
from chainrule.equations.node import Index

FEW_ROWS = 24  # B is read where it lies if so few rows use it
SMALL_B = 8_192  # … or if it has no more elements than this
LARGE_B = 524_288  # a B of more is not passed over by every few rows
SMALL_BATCHED = 65_536  # a B that differs from product to product is packed where it is used, up to this size
SMALL_RESULT = 16_384  # a result that shards of a long k may add up
SMALL_WINDOW = 65_536  # … or those of a convolution's weights


@dataclass(frozen=True)
class Product:
    """``columns`` and ``k``: axes that are one; ``other_columns``: loops over other axes of the result, ``sums``: over
    other summed axes.  ``packing``: ``direct`` (B is read where it lies), ``ahead`` (an operation of its own packs it
    into ``packed``) or ``inline`` (packed by each thread when it is needed).

    A window's ``k`` are one axis in B only: the last ``run`` of them are one in A too, the others are found in a table,
    and so are the rows ``listed``.
    """

    contraction: Contraction
    columns: tuple[str, ...]
    k: tuple[str, ...]
    other_columns: tuple[str, ...]
    sums: tuple[str, ...]
    packing: str
    packed: str
    along: str | None
    run: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()

    @property
    def window(self) -> bool:
        return bool(self.listed)

    def images(self, steps: Steps) -> str | None:
        """The last axis of ``sums``, if it and ``k`` are one in B."""
        last = self.sums[-1] if self.window and self.sums else None
        right = self.contraction.right
        fits = last is not None and self.packing == "direct" and steps.fit(last, self.k[0], (right,))
        return last if fits else None

    def tile_rows(self, space: Space) -> int:
        return gemm.MR(space.target, space.element)

    def panel(self, space: Space) -> int:
        return gemm.NR(space.target, space.element)

    def grain(self, space: Space, part: str) -> int:
        """Positions of the part axis at whose multiples a product is best divided; columns must be, if B is packed."""
        if part in self.columns:
            inner = prod(space.size(axis) for axis in self.columns[1:])
            return self.panel(space) // gcd(self.panel(space), inner)
        rows = self.merged_rows(space, part)
        if part not in rows:
            return 1
        return -(-self.tile_rows(space) // prod(space.size(axis) for axis in rows[1:]))

    def merged_rows(self, space: Space, part: str | None = None) -> list[str]:
        """The rows that are one axis, the outermost first, where ``part`` is divided."""
        steps, statement = Steps(space), self.contraction
        return _rows(steps, statement, self, steps.result(statement), {part} if part is not None else set())[0]

    def streams(self, space: Space, part: str, positions: int) -> bool:
        """Whether B is beyond the caches and a call for so many positions of a row axis uses it for few rows."""
        k, n = (prod(space.size(axis) for axis in axes) for axes in (self.k, self.columns))
        if self.window or part not in self.contraction.rows or k * n < LARGE_B:
            return False
        others = (space.size(axis) for axis in self.merged_rows(space, part) if axis != part)
        return positions * prod(others) < FEW_ROWS

    def panels(self, space: Space) -> str:
        """The axis along which packing is divided."""
        name = f"panels of {self.packed}"
        space.own[name] = -(-prod(space.size(a) for a in self.columns) // self.panel(space))
        return name

    def packed_axes(self) -> tuple[str, ...]:
        """The axes of B that are neither columns nor k: each of their positions is packed on its own."""
        right = dict(self.contraction.right.steps)
        loops = (*self.contraction.batch, *self.other_columns, *self.sums)
        return tuple(axis for axis in loops if axis in right)

    def packed_size(self, space: Space) -> int:
        """Elements of all that is packed."""
        one = self.one_packed(space)
        return one * prod(space.size(axis) for axis in self.packed_axes())

    def one_packed(self, space: Space) -> int:
        k, n = (prod(space.size(axis) for axis in axes) for axes in (self.k, self.columns))
        return gemm.packed_elements(k, n, space.target, space.element)


def product_for(space: Space, statement: Contraction, along: str | None, varies: bool) -> Product:
    """``along``: the axis of the recurrence around it; ``varies``: the recurrence computes B."""
    left, right = statement.left, statement.right
    steps = Steps(space)

    columns = [statement.columns[-1]] if statement.columns else []
    result = steps.result(statement)
    for axis in reversed(statement.columns[:-1]):
        if along in (axis, columns[0]) or not steps.fit(axis, columns[0], (right, result)):
            break
        columns.insert(0, axis)
    order = sorted(statement.summed, key=lambda axis: -steps.of(right, axis))
    guarded = {_axis_of(index) for index, _ in (*left.guards, *right.guards)}
    groups: list[list[str]] = []
    for axis in order:
        if groups and axis not in guarded and steps.fit(groups[-1][-1], axis, (left, right)):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    k = max(groups, key=lambda group: prod(space.size(axis) for axis in group))
    run: tuple[str, ...] = ()
    listed = listed_rows(steps, statement, result, along)
    if listed and not varies and not guarded:
        window = window_terms(steps, order, left, right)
        if window is not None and (len(groups) > 1 or not steps.are_one(listed, left)):
            k, run = window
        else:
            listed = ()
    sums = tuple(axis for axis in order if axis not in k)
    others = tuple(axis for axis in statement.columns if axis not in columns)
    n_size, k_size = (prod(space.size(axis) for axis in axes) for axes in (columns, k))
    # what a recurrence does not change is packed once for all of its steps
    m_size = prod(space.size(axis) for axis in statement.rows if axis != along or not varies)
    total = prod(space.size(axis) for axis in statement.axes)
    contiguous = not columns or steps.of(right, columns[-1]) == 1
    adds = total <= SMALL_RESULT and k_size >= 32 * n_size and k_size >= 512
    if contiguous and (m_size < FEW_ROWS or n_size * k_size <= SMALL_B or adds):
        packing = "direct"
    elif varies or adds or right.guards or (statement.batch and n_size * k_size <= SMALL_BATCHED):
        packing = "inline"
    else:
        packing = "ahead"
    packed = _packed_name(steps, right, (k, columns, (*statement.batch, *others, *sums)))
    made = Product(
        statement,
        tuple(columns),
        tuple(k),
        others,
        sums,
        packing,
        packed if packing == "ahead" else "",
        along,
        run,
        listed if run else (),
    )
    if packing == "ahead" and packed not in space.tensors:
        space.own[f"elements of {packed}"] = made.packed_size(space)
        space.define(packed, (f"elements of {packed}",))
    return made


def _packed_name(steps: Steps, right: Operand, groups: Sequence[Sequence[str]]) -> str:
    """The name of a packed tensor: it says how B is read, so that reads that pack alike share what is packed."""
    sizes = steps.space.size
    strides = [
        "·".join(f"{sizes(axis)}@{steps.of(right, axis)}" for axis in axes if axis in dict(right.steps))
        for axes in groups
    ]
    start = sum(c * prod(sizes(a) for a in axes) for c, axes in right.start)
    return f"{right.tensor}#packed[{' '.join(strides)} from {start}]"


# the calls


def call(space: Space, product: Product, place: Place, adds: bool) -> None:
    """The product for the ranges of ``place``."""
    f, statement = place.function, product.contraction
    left, right = statement.left, statement.right
    steps = Steps(space)
    result = steps.result(statement)
    element = space.element
    rows, other_rows = _rows(steps, statement, product, result, set(place.ranges))
    loops = [*statement.batch, *other_rows, *product.other_columns]
    name = "f32" if element == "float" else "f64"
    panel = product.panel(space)

    with ExitStack() as stack:
        index: dict[str, Value] = {}
        for axis in loops:
            low, high = place.ranges.get(axis, (integer(0), place.size(axis)))
            index[axis] = low if axis == product.along else stack.enter_context(f.loop(low, high)).index
        accumulate: Value = integer(1 if adds else 0)
        images = product.images(steps)
        for axis in product.sums:
            if axis == images:
                continue
            low, high = place.ranges.get(axis, (integer(0), place.size(axis)))
            loop = stack.enter_context(f.loop(low, high))
            index[axis] = loop.index
            if not adds:
                later = f.cast("zext", f.compare("sgt", loop.index, low), "i64")
                accumulate = later if accumulate.text == "0" else f.binary("or", accumulate, later)
        guard: Value | None = None
        within: dict[str, tuple[Value, Value]] = {}  # of axes that are no loops: the positions at which all is inside

        def bounds(axis: str) -> tuple[Value, Value]:
            return place.ranges.get(axis) or (integer(0), place.size(axis))

        def extent(axes: Sequence[str]) -> Value:
            total = integer(1)
            for axis in axes:
                low, high = within.get(axis) or bounds(axis)
                total = f.mul(f.sub(high, low), total)
            return total

        for position, fits in (*left.guards, *right.guards):
            axis, constant = _axis_of(position), integer(position.constant)
            if axis in index:
                inside = f.compare("ult", f.add(index[axis], constant), place.size(fits))
                guard = inside if guard is None else f.binary("and", guard, inside)
                continue
            first, last = within.get(axis) or bounds(axis)
            low = f.intrinsic("llvm.smax", "i64", first, integer(-position.constant))
            high = f.intrinsic("llvm.smin", "i64", last, f.sub(place.size(fits), constant))
            low = f.intrinsic("llvm.smin", "i64", low, last)
            within[axis] = low, f.intrinsic("llvm.smax", "i64", low, high)

        def address(operand: Operand, base: Value) -> Value:
            offset = place.amount(operand.start)
            for axis, step in operand.steps:
                at = index.get(axis)
                if at is None and (axis in within or axis in place.ranges):
                    at = (within.get(axis) or place.ranges[axis])[0]
                if at is not None:
                    offset = f.add(offset, f.mul(at, place.amount(step)))
            return f.pointer(base, element, offset)

        def step(operand: Operand, axes: Sequence[str]) -> Value:
            return place.amount(operand.step(axes[-1])) if axes else integer(0)

        m, n, k = extent(rows), extent(product.columns), extent(product.k)
        if guard is not None:
            k = f.select(guard, k, integer(0))
        a = address(left, place.pointer(left.tensor))
        c = address(result, place.pointer(result.tensor))
        if product.packing == "direct":
            b, sbk, sbp = address(right, place.pointer(right.tensor)), step(right, product.k), integer(panel)
        else:
            whole_k = place.size(product.k[0])
            for axis in product.k[1:]:
                whole_k = f.mul(place.size(axis), whole_k)
            sbk = integer(panel)
            if product.packing == "ahead":
                sbp = f.mul(whole_k, integer(panel))
                offset = integer(0)
                for axis in product.packed_axes():
                    offset = f.add(f.mul(offset, place.size(axis)), index[axis])
                offset = f.mul(offset, _one_packed(place, product, panel))
                if product.k[0] in within or product.k[0] in place.ranges:
                    begin = (within.get(product.k[0]) or bounds(product.k[0]))[0]
                    for axis in product.k[1:]:
                        begin = f.mul(begin, place.size(axis))
                    offset = f.add(offset, f.mul(begin, sbk))
                if product.columns and product.columns[0] in place.ranges:
                    begin = place.ranges[product.columns[0]][0]
                    for axis in product.columns[1:]:
                        begin = f.mul(begin, place.size(axis))
                    offset = f.add(offset, f.mul(f.div(begin, integer(panel)), sbp))
                b = f.pointer(place.pointer(product.packed), element, offset)
            else:
                sbp = f.mul(k, integer(panel))
                b = place.scratch
                source = address(right, place.pointer(right.tensor))
                panels = f.div(f.add(n, integer(panel - 1)), integer(panel))
                arguments = (source, step(right, product.k), step(right, product.columns), b, k, n, integer(0), panels)
                _declare_pack(f.module, name)
                f.call(f"pack_{name}", "void", *arguments)
        ldc = step(result, rows)
        scratch = f.pointer(place.scratch, element, integer(inline_elements(space, product)))
        if product.window:
            k0 = (integer(0), integer(1))
            if images is not None:
                low, high = place.ranges.get(images, (integer(0), place.size(images)))
                k0 = (place.amount(left.step(images)), f.sub(high, low))
            axes = product.listed, product.k[: len(product.k) - len(product.run)], product.run
            call_window(steps, place, statement, axes, (a, b, sbk, sbp, c, ldc, n, accumulate, scratch), k0)
            return
        _declare_gemm(f.module, name)

        def multiply(a: Value, c: Value, m: Value, k: Value) -> None:
            arguments = (a, step(left, rows), step(left, product.k), b, sbk, sbp, c, ldc, m, n, k, accumulate, scratch)
            f.call(f"gemm_{name}", "void", *arguments)

        multiply(a, c, m, k)
        if rows and rows[0] in within:
            # the sums of rows outside are empty
            (first, last), (low, high) = bounds(rows[0]), within[rows[0]]
            for begin, end in ((first, low), (high, last)):
                within[rows[0]] = begin, end
                multiply(a, address(result, place.pointer(result.tensor)), extent(rows), integer(0))


def pack(space: Space, product: Product, place: Place, first: Value, last: Value) -> None:
    """Pack the panels first … last-1 of B, for each position of the other axes."""
    f, right = place.function, product.contraction.right
    name = "f32" if space.element == "float" else "f64"
    panel = product.panel(space)
    with ExitStack() as stack:
        offset = integer(0)
        source = place.amount(right.start)
        for axis in product.packed_axes():
            loop = stack.enter_context(f.loop(integer(0), place.size(axis)))
            offset = f.add(f.mul(offset, place.size(axis)), loop.index)
            source = f.add(source, f.mul(loop.index, place.amount(right.step(axis))))
        offset = f.mul(offset, _one_packed(place, product, panel))
        b = f.pointer(place.pointer(right.tensor), space.element, source)
        to = f.pointer(place.pointer(product.packed), space.element, offset)
        sbn = place.amount(right.step(product.columns[-1])) if product.columns else integer(0)
        sbk = place.amount(right.step(product.k[-1]))
        _declare_pack(f.module, name)
        f.call(
            f"pack_{name}",
            "void",
            *(b, sbk, sbn, to, place.extent(product.k), place.extent(product.columns), first, last),
        )


def _one_packed(place: Place, product: Product, panel: int) -> Value:
    f = place.function
    n = integer(1)
    for axis in product.columns:
        n = f.mul(place.size(axis), n)
    whole = f.mul(f.div(f.add(n, integer(panel - 1)), integer(panel)), integer(panel))
    for axis in product.k:
        whole = f.mul(place.size(axis), whole)
    return whole


def inline_elements(space: Space, product: Product) -> int:
    """Scratch that packing needs where it happens within a thread, in whole cache lines."""
    return -(-product.one_packed(space) // 16) * 16 if product.packing == "inline" else 0


def scratch_elements(space: Space, products: Sequence[Product]) -> int:
    """Scratch of a thread that computes these products."""
    if not products:
        return 0
    return max(inline_elements(space, p) for p in products) + gemm.scratch_elements(space.target, space.element)


def _axis_of(index: Index) -> str:
    """The axis of a guarded index, which is a shift of it (``Operand.guarded``)."""
    ((_, axis),) = index.terms
    assert isinstance(axis, str)
    return axis


def _rows(
    steps: Steps, statement: Contraction, product: Product, result: Operand, divided: set[str]
) -> tuple[list[str], list[str]]:
    """The rows that are one axis, and the other ones: the longest run of neighbours that fit."""
    if product.window:
        return list(product.listed), [axis for axis in statement.rows if axis not in product.listed]
    groups: list[list[str]] = []
    divided = divided | {_axis_of(index) for index, _ in statement.left.guards}
    for axis in statement.rows:
        if axis == product.along:
            continue
        fits = groups and steps.fit(groups[-1][-1], axis, (statement.left, result))
        if fits and axis not in divided:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if not groups:
        return [], [axis for axis in statement.rows if axis == product.along]
    best = max(groups, key=lambda group: prod(steps.space.size(axis) for axis in group))
    return best, [axis for axis in statement.rows if axis not in best]


def _declare_gemm(module: ir.Module, name: str) -> None:
    pointers = ["ptr", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "i64", "i64", "i64", "i64", "ptr"]
    module.declare(f"gemm_{name}", "void", pointers)


def _declare_pack(module: ir.Module, name: str) -> None:
    module.declare(f"pack_{name}", "void", ["ptr", "i64", "i64", "ptr", "i64", "i64", "i64", "i64"])
