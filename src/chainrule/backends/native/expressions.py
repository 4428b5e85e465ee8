"""Expressions as instructions: every node of the language, on scalars and on vectors along one axis.

A value is computed in the outermost loop on whose axis it depends (*hoist*), once.
"""

from __future__ import annotations

from typing import Any

from chainrule.backends.native import functions
from chainrule.backends.native.ir import Segment, Value, integer, is_float, number, vector
from chainrule.backends.native.kernel import Kernel
from chainrule.equations.functions import COMPARISONS
from chainrule.equations.node import Access, Apply, Index, Number, plain_axis
from chainrule.equations.walk import free_axes

_PREDICATES = {
    "=": ("oeq", "eq"),
    "!=": ("une", "ne"),
    "<": ("olt", "slt"),
    "<=": ("ole", "sle"),
    ">": ("ogt", "sgt"),
    ">=": ("oge", "sge"),
}
LARGEST_POWER = 32  # integral powers up to this are products


class Expressions:
    """Writes expressions inside the loops that have been opened.

    ``index``: axis → its position, a scalar; along ``vector_axis`` that of the first lane.  ``levels``: the segments
    of the loops, the function's entry first; ``depth``: axis → which of them.  ``mask``: lanes that are inside, in
    what is left over of a vector loop, else None.  ``known``: values of tensors computed here, by how they are read.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.space = kernel.space
        self.function = kernel.function
        self.element = kernel.space.element
        self.levels: list[Segment] = [kernel.entry]
        self.depth: dict[str, int] = {}
        self.index: dict[str, Value] = {}
        self.vector_axis: str | None = None
        self.lanes = 1
        self.mask: Value | None = None
        self.memo: list[dict[Any, Value]] = [{}]
        self.known: dict[Access, Value] = {}

    # loops

    def open(self, axis: str, index: Value) -> None:
        """The loop of an axis has been entered: its body is the current segment."""
        self.levels.append(self.function.segment)
        self.memo.append({})
        self.depth[axis] = len(self.levels) - 1
        self.index[axis] = index

    def close(self, axis: str) -> None:
        self.levels.pop()
        self.memo.pop()
        del self.depth[axis], self.index[axis]

    def level(self, node: Any) -> int:
        return max((self.depth.get(axis, 0) for axis in free_axes(node)), default=0)

    # values

    def real(self, node: Any) -> Value:
        """The value as a real number."""
        return self.as_real(self.value(node))

    def as_real(self, value: Value) -> Value:
        if is_float(value.type):
            return value
        kind = vector(self.element, value.lanes)
        if value.element == "i64" and value.text.lstrip("-").isdigit():
            return number(kind, int(value.text))
        return self.function.cast("uitofp" if value.element == "i1" else "sitofp", value, kind)

    def holds(self, node: Any) -> Value:
        """Whether the value is not 0, as a mask (i1)."""
        value = self.value(node)
        if value.element == "i1":
            return value
        return self.function.compare("une" if is_float(value.type) else "ne", value, number(value.type, 0))

    def value(self, node: Any) -> Value:
        if isinstance(node, Access) and node in self.known:
            return self.known[node]
        level = self.level(node)
        memo = self.memo[level]
        if node not in memo:
            with self.function.at(self.levels[level] if level < len(self.levels) - 1 else self.function.segment):
                memo[node] = self._value(node)
        return memo[node]

    def _value(self, node: Any) -> Value:
        match node:
            case Number(str(name)):
                return self.kernel.size(name)
            case Number(int(whole)):
                return integer(whole)
            case Number(value):
                return number(self.element, float(value))
            case Index():
                return self._index(node)
            case Access():
                return self._read(node)
            case Apply(function, arguments):
                return self._apply(node, function, arguments)
        raise TypeError(node)

    def _index(self, node: Index) -> Value:
        f = self.function
        total = integer(node.constant)
        for coefficient, atom in node.terms:
            if isinstance(atom, str):
                part = self.index[atom]
                if atom == self.vector_axis and self.lanes > 1:
                    part = f.add(f.splat(part, self.lanes), f.iota("i64", self.lanes))
            else:
                part = self.plain(atom)
            total, part = self.together(total, f.mul(*self.together(part, integer(coefficient))))
            total = f.add(total, part)
        return total

    def _apply(self, node: Apply, function: str, arguments: tuple[Any, ...]) -> Value:
        f = self.function
        if function in COMPARISONS:
            return self._compare(function, arguments)
        match function:
            case "+":
                total = self.plain(arguments[0])
                for argument in arguments[1:]:
                    total = self._plus(total, argument)
                return total
            case "*":
                return self._product(arguments)
            case "where":
                condition = self.holds(arguments[0])
                yes, no = self.together(*(self.plain(argument) for argument in arguments[1:]))
                condition, yes = self._spread(condition, yes)
                return f.select(condition, yes, f.splat(no, yes.lanes))
            case "neg":
                return f.neg(self.plain(arguments[0]))
            case "//" | "%":
                return self._floor_division(function, *(self.plain(argument) for argument in arguments))
            case "/":
                return self._quotient(node, *arguments)
            case "^":
                power = arguments[1].value if isinstance(arguments[1], Number) else None
                if isinstance(power, (int, float)) and float(power).is_integer() and abs(power) <= LARGEST_POWER:
                    return self._power(self.real(arguments[0]), int(power))
            case "max" | "min":
                one, other = self.together(*(self.plain(argument) for argument in arguments))
                if not is_float(one.type):
                    return f.intrinsic(f"llvm.s{function}", one.type, one, other)
                return functions.apply(f, function, one, other)
            case "π":
                return number(self.element, 3.141592653589793)
            case "∞":
                return number(self.element, float("inf"))
        values = [self.real(argument) for argument in arguments]
        if len(values) > 1:
            values = list(self.together(*values))
        return functions.apply(f, function, *values)

    def plain(self, node: Any) -> Value:
        """The value as a number: a bracket as 0 or 1."""
        value = self.value(node)
        if value.element == "i1":
            return self.function.cast("zext", value, vector("i64", value.lanes))
        return value

    def together(self, one: Value, other: Value) -> tuple[Value, Value]:
        """Two numbers as the same type: reals if one is real, vectors if one is a vector."""
        if is_float(one.type) or is_float(other.type):
            one, other = self.as_real(one), self.as_real(other)
        lanes = max(one.lanes, other.lanes)
        return self._splat(one, lanes), self._splat(other, lanes)

    def _splat(self, value: Value, lanes: int) -> Value:
        if value.lanes == lanes:
            return value
        if not value.text.startswith(("%", "@")):
            text = f"{value.element} {value.text}"
            return Value(vector(value.element, lanes), "<" + ", ".join([text] * lanes) + ">")
        return self.function.splat(value, lanes)

    def _spread(self, condition: Value, value: Value) -> tuple[Value, Value]:
        """A mask and a value with as many lanes; a scalar condition may choose between vectors."""
        if condition.lanes > value.lanes:
            return condition, self._splat(value, condition.lanes)
        return condition, value

    def _plus(self, total: Value, argument: Any) -> Value:
        """total + argument; what is subtracted is not negated first."""
        f = self.function
        negative = isinstance(argument, Apply) and argument.function == "neg"
        inner = argument.arguments[0] if negative else argument
        value = self.plain(inner)
        total, value = self.together(total, value)
        return f.sub(total, value) if negative else f.add(total, value)

    def _product(self, arguments: tuple[Any, ...]) -> Value:
        """A bracket that is 0 is strongly 0."""
        f = self.function
        total: Value | None = None
        condition: Value | None = None
        # what changes least first: its product is computed outside the loops of the rest
        for argument in sorted(arguments, key=self.level):
            if isinstance(argument, Apply) and argument.function in COMPARISONS:
                condition = self._both(condition, self.holds(argument))
                continue
            value = self.plain(argument)
            total = value if total is None else f.mul(*self.together(total, value))
        if condition is None:
            assert total is not None
            return total
        if total is None:
            return condition
        condition, total = self._spread(condition, total)
        return f.select(condition, total, number(total.type, 0))

    def _both(self, one: Value | None, other: Value | None) -> Value | None:
        """Two masks, either of which may be missing, which is true."""
        if one is None or other is None:
            return one or other
        lanes = max(one.lanes, other.lanes)
        return self.function.binary("and", self._splat(one, lanes), self._splat(other, lanes))

    def _compare(self, function: str, arguments: tuple[Any, ...]) -> Value:
        if function == "<=<":
            low, middle, high = arguments
            both = self._both(self._compare("<=", (low, middle)), self._compare("<", (middle, high)))
            assert both is not None
            return both
        one, other = self.together(*(self.plain(argument) for argument in arguments))
        real, whole = _PREDICATES[function]
        return self.function.compare(real if is_float(one.type) else whole, one, other)

    def _floor_division(self, function: str, one: Value, other: Value) -> Value:
        """Rounded down; by 0 it is 0."""
        f = self.function
        one, other = self.together(one, other)
        zero, one_more = number(one.type, 0), number(one.type, 1)
        if other.text.isdigit() and other.text != "0":
            remainder = f.rem(one, other)
            below = f.compare("slt", remainder, zero)
            if function == "%":
                return f.select(below, f.add(remainder, other), remainder)
            quotient = f.div(one, other)
            return f.select(below, f.sub(quotient, one_more), quotient)
        # processors refuse to divide by 0, and the least integer by -1
        nothing = f.compare("eq", other, zero)
        opposite = f.compare("eq", other, number(one.type, -1))
        divisor = f.select(f.binary("or", nothing, opposite), one_more, other)
        remainder = f.rem(one, divisor)
        differs = f.compare("slt", f.binary("xor", remainder, divisor), zero)
        below = f.binary("and", differs, f.compare("ne", remainder, zero))
        if function == "%":
            result = f.select(below, f.add(remainder, divisor), remainder)
        else:
            quotient = f.div(one, divisor)
            result = f.select(opposite, f.neg(one), f.select(below, f.sub(quotient, one_more), quotient))
        return f.select(nothing, zero, result)

    def _quotient(self, node: Apply, one: Any, other: Any) -> Value:
        """Division by what does not change in the innermost loop is multiplication by its reciprocal."""
        f = self.function
        level = self.level(other)
        if self.lanes > 1 and level < self.level(node) == len(self.levels) - 1 and not isinstance(one, Number):
            key = ("reciprocal", other)
            if key not in self.memo[level]:
                with f.at(self.levels[level]):
                    self.memo[level][key], self.memo[level]["scale", other] = self._reciprocal(self.real(other))
            scaled = f.mul(*self.together(self.real(one), self.memo[level]["scale", other]))
            return f.mul(*self.together(scaled, self.memo[level][key]))
        return f.div(*self.together(self.real(one), self.real(other)))

    def _reciprocal(self, divisor: Value) -> tuple[Value, Value]:
        """1/(divisor·scale) and scale, a power of two that keeps the reciprocal a normal number."""
        f, kind = self.function, divisor.type
        small, large = (2.0**-100, 2.0**100) if self.element == "float" else (2.0**-1000, 2.0**1000)
        size = f.intrinsic("llvm.fabs", kind, divisor)
        scale = f.select(f.compare("olt", size, number(kind, small)), number(kind, 2.0**64), number(kind, 1.0))
        scale = f.select(f.compare("ogt", size, number(kind, large)), number(kind, 2.0**-64), scale)
        return f.div(number(kind, 1.0), f.mul(divisor, scale)), scale

    def _power(self, base: Value, power: int) -> Value:
        f = self.function
        if power == 0:
            return number(base.type, 1.0)
        total: Value | None = None
        square, rest = base, abs(power)
        while rest:
            if rest & 1:
                total = square if total is None else f.mul(total, square)
            rest >>= 1
            if rest:
                square = f.mul(square, square)
        assert total is not None
        return f.div(number(total.type, 1.0), total) if power < 0 else total

    # memory

    def _read(self, node: Access) -> Value:
        """Zero outside."""
        f, tensor = self.function, self.space.tensors[node.tensor]
        if tensor.element != "i64" and self.space.elements(node.tensor) == 0:
            return number(self.element, 0)
        base = self.kernel.argument("tensor", node.tensor)
        along = self.lanes > 1 and self.vector_axis in free_axes(node)
        guard = self._guard(node)
        if not along:
            address = f.pointer(base, tensor.element, self._offset(node, guard is not None))
            value = f.load(tensor.element, address)
            return value if guard is None else f.select(guard, value, number(value.type, 0))
        kind = vector(tensor.element, self.lanes)
        nothing = number(kind, 0)
        mask = self._both(self.mask, guard)
        if mask is not None:
            mask = self._splat(mask, self.lanes)
        step = self.step(node)
        if step is None:
            offsets = self._splat(self._offset(node, False), self.lanes)
            return self._gather(kind, base, offsets, mask)
        start = f.pointer(base, tensor.element, self._start(node))
        index = self.index[self.vector_axis or ""]
        if step.text == "1":
            address = f.pointer(start, tensor.element, index)
            return f.load(kind, address) if mask is None else f.masked_load(kind, address, mask, nothing)
        lanes = f.add(f.splat(index, self.lanes), f.iota("i64", self.lanes))
        return self._gather(kind, start, f.mul(lanes, self._splat(step, self.lanes)), mask)

    def _gather(self, kind: str, base: Value, offsets: Value, mask: Value | None) -> Value:
        f = self.function
        element = kind[kind.index("x ") + 2 : -1]
        addresses = f.value(f"<{self.lanes} x ptr>", f"getelementptr {element}, {base}, {offsets}")
        mask = mask or number(vector("i1", self.lanes), 1)
        return f.masked_gather(kind, addresses, mask, number(kind, 0))

    def write(self, place: Access, value: Value) -> None:
        """Store the value at the place, whose indices are axes and constants, in the present loop."""
        f, kind = self.function, self.space.tensors[place.tensor].element
        value = self.whole_or_real(value, kind)
        axes = [plain_axis(index) for index in place.indices]
        offset = integer(0)
        for at, (axis, index) in enumerate(zip(axes, place.indices, strict=True)):
            position = self.index[axis] if axis is not None else self.plain(index)
            offset = f.add(offset, f.mul(position, self.kernel.stride(place.tensor, at)))
        address = f.pointer(self.kernel.argument("tensor", place.tensor), kind, offset)
        if self.vector_axis not in axes or self.lanes == 1:
            f.store(value, address)
            return
        value = self._splat(value, self.lanes)
        step = self.kernel.stride(place.tensor, axes.index(self.vector_axis))
        if step.text == "1":
            if self.mask is None:
                f.store(value, address)
            else:
                f.masked_store(value, address, self.mask)
            return
        offsets = f.mul(f.iota("i64", self.lanes), self._splat(step, self.lanes))
        addresses = f.value(f"<{self.lanes} x ptr>", f"getelementptr {kind}, {address}, {offsets}")
        f.masked_scatter(value, addresses, self.mask or number(vector("i1", self.lanes), 1))

    def whole_or_real(self, value: Value, element: str) -> Value:
        """The number as the type of a tensor's elements."""
        if value.element == "i1":
            value = self.function.cast("zext", value, vector("i64", value.lanes))
        return value if element == "i64" else self.as_real(value)

    def step(self, node: Access) -> Value | None:
        """Elements between lanes of a read, if they are equally far apart."""
        f = self.function
        total = integer(0)
        with f.at(self.kernel.entry):
            for place, index in enumerate(node.indices):
                if self.vector_axis not in free_axes(index):
                    continue
                coefficient = _coefficient(index, self.vector_axis or "")
                if coefficient is None:
                    return None
                total = f.add(total, f.mul(integer(coefficient), self.kernel.stride(node.tensor, place)))
        return total

    def _start(self, node: Access) -> Value:
        """The offset of the read where the vector axis is at 0, as far out as it can be computed."""
        indices = tuple(_without(index, self.vector_axis or "") for index in node.indices)
        return self.offset(node.tensor, indices)

    def offset(self, tensor: str, indices: tuple[Any, ...]) -> Value:
        f = self.function
        level = max((self.level(index) for index in indices), default=0)
        with f.at(self.levels[level] if level < len(self.levels) - 1 else f.segment):
            total = integer(0)
            for place, index in enumerate(indices):
                value, stride = self.together(self.plain(index), self.kernel.stride(tensor, place))
                total, part = self.together(total, f.mul(value, stride))
                total = f.add(total, part)
        return total

    def _offset(self, node: Access, guarded: bool) -> Value:
        """The offset of a read; positions that may be outside are replaced by 0 where the read happens anyway."""
        f = self.function
        total = integer(0)
        for place, index in enumerate(node.indices):
            value = self.plain(index)
            if guarded and not self.space.inside(node, place):
                value = f.select(self._fits(node, place), value, number(value.type, 0))
            value, stride = self.together(value, self.kernel.stride(node.tensor, place))
            total, part = self.together(total, f.mul(value, stride))
            total = f.add(total, part)
        return total

    def _guard(self, node: Access) -> Value | None:
        guard: Value | None = None
        for place in range(len(node.indices)):
            if not self.space.inside(node, place):
                guard = self._both(guard, self._fits(node, place))
        return guard

    def _fits(self, node: Access, place: int) -> Value:
        """Whether a position is within the tensor: one comparison without signs."""
        size = self.kernel.size(self.space.tensors[node.tensor].axes[place])
        return self.function.compare("ult", *self.together(self.plain(node.indices[place]), size))


def _coefficient(index: Any, axis: str) -> int | None:
    """How often the axis stands in the index, if it stands there plainly."""
    if not isinstance(index, Index):
        return None
    if any(not isinstance(atom, str) and axis in free_axes(atom) for _, atom in index.terms):
        return None
    return sum(coefficient for coefficient, atom in index.terms if atom == axis)


def _without(index: Any, axis: str) -> Any:
    if not isinstance(index, Index):
        return index
    return Index(tuple((c, atom) for c, atom in index.terms if atom != axis), index.constant)
