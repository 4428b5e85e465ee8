"""LLVM text, written by a builder that knows types, loops and where hoisted code goes.

A ``Value`` is an operand: its LLVM type and its text.  A ``Function`` writes instructions into its current
``segment``.  A loop writes its body into a segment of its own and puts it behind the code around it only when it is
left; until then code added to the outer segment stands before the loop.  So an expression is hoisted by writing it into
the segment of the loop on whose axis it depends (``with function.at(segment)``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

FLOATS = {4: "float", 8: "double"}


@dataclass(frozen=True, slots=True)
class Value:
    """An operand: ``Value("<8 x float>", "%12")``, ``Value("i64", "3")``."""

    type: str
    text: str

    @property
    def lanes(self) -> int:
        """The number of lanes of a vector; 1 for a scalar."""
        return lanes_of(self.type)

    @property
    def element(self) -> str:
        """The type of one lane."""
        return element_of(self.type)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def lanes_of(kind: str) -> int:
    return int(kind[1 : kind.index(" ")]) if kind.startswith("<") else 1


def element_of(kind: str) -> str:
    return kind[kind.index("x ") + 2 : -1] if kind.startswith("<") else kind


def vector(element: str, lanes: int) -> str:
    """The type of so many lanes: ``vector("float", 8)`` is ``<8 x float>``; one lane is the scalar."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def is_float(kind: str) -> bool:
    return element_of(kind) in ("float", "double")


def number(kind: str, value: float) -> Value:
    """A constant, the same in every lane."""
    element, lanes = element_of(kind), lanes_of(kind)
    if element == "float":
        value = struct.unpack("f", struct.pack("f", value))[0]
    if element in ("float", "double"):
        text = "0x" + struct.pack(">d", value).hex().upper()
    elif element == "i1":
        text = "true" if value else "false"
    else:
        text = str(int(value))
    if lanes > 1:
        text = "<" + ", ".join([f"{element} {text}"] * lanes) + ">"
    return Value(kind, text)


def integer(value: int) -> Value:
    return Value("i64", str(value))


class Segment:
    """Instructions in order; ``label`` is the basic block that the last of them stands in."""

    __slots__ = ("label", "lines")

    def __init__(self, label: str) -> None:
        self.label = label
        self.lines: list[str] = []


class Loop:
    """Inside ``Function.loop``: ``index``, the values carried in (``carried``), and those carried on (``next``)."""

    def __init__(self, index: Value, carried: list[Value]) -> None:
        self.index = index
        self.carried = carried
        self.next = carried
        self.results: list[Value] = []


class Module:
    """Functions and what they need declared.  ``text`` is the LLVM module.  ``fma``: whether the target has a·b + c
    in one instruction."""

    def __init__(self, fma: bool = True) -> None:
        self.fma = fma
        self.functions: dict[str, str] = {}
        self.declarations: dict[str, str] = {}
        self.globals: dict[str, str] = {}
        self._by_text: dict[str, str] = {}

    def declare(self, name: str, result: str, arguments: Sequence[str]) -> None:
        self.declarations.setdefault(name, f"declare {result} @{name}({', '.join(arguments)})")

    def constant(self, name: str, kind: str, text: str, align: int = 64) -> Value:
        """A constant array: ``module.constant("table", "[4 x float]", "[float 0.0, …]")`` is the pointer to it."""
        self.globals.setdefault(name, f"@{name} = internal constant {kind} {text}, align {align}")
        return Value("ptr", f"@{name}")

    def add(self, function: Function, prefix: str | None = None) -> str:
        """Add a finished function and return its name.  With a ``prefix``, a function equal to an earlier one is
        the earlier one."""
        if prefix is None:
            self.functions[function.name] = function.text(function.name)
            return function.name
        body = function.text("?")
        if body not in self._by_text:
            name = f"{prefix}{len(self._by_text)}"
            self._by_text[body] = name
            self.functions[name] = body.replace("@?(", f"@{name}(", 1)
        return self._by_text[body]

    @property
    def text(self) -> str:
        parts = [*self.globals.values(), *self.declarations.values(), *self.functions.values()]
        return "\n\n".join(parts) + "\n"


class Function:
    """A function under construction; use as ``f.add(x, y)``, ``with f.loop(zero, n) as loop:``."""

    def __init__(
        self,
        module: Module,
        name: str,
        arguments: Sequence[tuple[str, str]],
        result: str = "void",
        linkage: str = "internal",
    ) -> None:
        self.module = module
        self.name = name
        self.result = result
        self.linkage = linkage
        self.arguments = [Value(kind, f"%{argument}") for kind, argument in arguments]
        self._declared = [f"{kind} {'noundef ' if kind != 'ptr' else ''}%{argument}" for kind, argument in arguments]
        self._count = 0
        self.segment = Segment("entry")
        self.segment.lines.append("entry:")

    def parameter(self, kind: str, name: str) -> Value:
        """One more argument."""
        self.arguments.append(Value(kind, f"%{name}"))
        self._declared.append(f"{kind} {'noundef ' if kind != 'ptr' else ''}%{name}")
        return self.arguments[-1]

    def text(self, name: str) -> str:
        head = f"define {self.linkage} {self.result} @{name}({', '.join(self._declared)}) nounwind {{"
        return "\n".join([head, *self.segment.lines, "}"])

    # the current place

    def fresh(self, stem: str = "v") -> str:
        self._count += 1
        return f"{stem}{self._count}"

    @contextmanager
    def at(self, segment: Segment) -> Iterator[None]:
        """Write into another segment: one of a loop around this place."""
        before, self.segment = self.segment, segment
        try:
            yield
        finally:
            self.segment = before

    def line(self, text: str) -> None:
        self.segment.lines.append("  " + text)

    def value(self, kind: str, text: str) -> Value:
        """A new value of this type, the result of an instruction."""
        name = f"%{self.fresh()}"
        self.line(f"{name} = {text}")
        return Value(kind, name)

    def label(self, name: str) -> None:
        """Begin a basic block in this segment; what comes before must have ended with a branch."""
        self.segment.lines.append(f"{name}:")
        self.segment.label = name

    # control

    @contextmanager
    def loop(
        self, start: Value, stop: Value, step: int | Value = 1, carried: Sequence[Value] = (), down: bool = False
    ) -> Iterator[Loop]:
        """``for index in range(start, stop, step)``; with ``down``, from ``start`` while ``index >= stop``.

        ``carried``: values that change from turn to turn; set ``loop.next`` to their next ones.  After the loop
        ``loop.results`` are the last ones.
        """
        outer = self.segment
        head, body, end = self.fresh("head"), self.fresh("body"), self.fresh("end")
        index = Value("i64", f"%{self.fresh('i')}")
        inside = [Value(value.type, f"%{self.fresh('c')}") for value in carried]
        loop = Loop(index, inside)
        inner = Segment(body)
        inner.lines.append(f"{body}:")
        self.segment = inner
        yield loop
        following = f"%{self.fresh('n')}"
        by = step.text if isinstance(step, Value) else str(step)
        inner.lines.append(f"  {following} = {'sub' if down else 'add'} i64 {index.text}, {by}")
        inner.lines.append(f"  br label %{head}")
        self.segment = outer
        outer.lines.append(f"  br label %{head}")
        outer.lines.append(f"{head}:")
        outer.lines.append(
            f"  {index.text} = phi i64 [ {start.text}, %{outer.label} ], [ {following}, %{inner.label} ]"
        )
        for now, first, then in zip(inside, carried, loop.next, strict=True):
            outer.lines.append(
                f"  {now.text} = phi {now.type} [ {first.text}, %{outer.label} ], [ {then.text}, %{inner.label} ]"
            )
        more = f"%{self.fresh('m')}"
        outer.lines.append(f"  {more} = icmp {'sge' if down else 'slt'} i64 {index.text}, {stop.text}")
        outer.lines.append(f"  br i1 {more}, label %{body}, label %{end}")
        outer.lines += inner.lines
        outer.lines.append(f"{end}:")
        outer.label = end
        loop.results = inside

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Code that runs only if the condition (i1) holds; its values are not known after it."""
        outer = self.segment
        then, end = self.fresh("then"), self.fresh("end")
        inner = Segment(then)
        inner.lines.append(f"{then}:")
        self.segment = inner
        yield
        self.segment = outer
        outer.lines.append(f"  br i1 {condition.text}, label %{then}, label %{end}")
        outer.lines += inner.lines
        outer.lines.append(f"  br label %{end}")
        outer.lines.append(f"{end}:")
        outer.label = end

    def ret(self, value: Value | None = None) -> None:
        self.line(f"ret {value}" if value is not None else "ret void")

    # arithmetic: floating point or integer, by the type

    def _binary(self, real: str, whole: str, a: Value, b: Value) -> Value:
        return self.value(a.type, f"{real if is_float(a.type) else whole} {a.type} {a.text}, {b.text}")

    def add(self, a: Value, b: Value) -> Value:
        if a.type == "i64":
            if a.text == "0":
                return b
            if b.text == "0":
                return a
            if _literal(a) and _literal(b):
                return integer(int(a.text) + int(b.text))
        return self._binary("fadd", "add", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        if a.type == "i64":
            if b.text == "0":
                return a
            if _literal(a) and _literal(b):
                return integer(int(a.text) - int(b.text))
        return self._binary("fsub", "sub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        if a.type == "i64":
            if "0" in (a.text, b.text):
                return integer(0)
            if a.text == "1":
                return b
            if b.text == "1":
                return a
            if _literal(a) and _literal(b):
                return integer(int(a.text) * int(b.text))
        return self._binary("fmul", "mul", a, b)

    def div(self, a: Value, b: Value) -> Value:
        """Real division, or the quotient of integers rounded towards zero."""
        return self._binary("fdiv", "sdiv", a, b)

    def rem(self, a: Value, b: Value) -> Value:
        return self._binary("frem", "srem", a, b)

    def neg(self, a: Value) -> Value:
        if is_float(a.type):
            return self.value(a.type, f"fneg {a}")
        return self.sub(number(a.type, 0), a)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a·b + c, rounded once."""
        return self.intrinsic("llvm.fma", a.type, a, b, c)

    def muladd(self, a: Value, b: Value, c: Value) -> Value:
        """a·b + c: rounded once where the target has an instruction for it, else twice."""
        return self.fma(a, b, c) if self.module.fma else self.add(self.mul(a, b), c)

    def binary(self, operation: str, a: Value, b: Value) -> Value:
        """Any two-operand instruction: ``f.binary("and", a, b)``, ``"shl"``, ``"lshr"``, ``"xor"`` …"""
        return self.value(a.type, f"{operation} {a.type} {a.text}, {b.text}")

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """``fcmp`` or ``icmp`` by the type: ``f.compare("olt", x, y)``, ``f.compare("slt", i, n)``."""
        word = "fcmp" if is_float(a.type) else "icmp"
        return self.value(vector("i1", a.lanes), f"{word} {predicate} {a.type} {a.text}, {b.text}")

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        return self.value(yes.type, f"select {condition}, {yes}, {no}")

    def cast(self, operation: str, a: Value, kind: str) -> Value:
        """``bitcast``, ``sitofp``, ``fptosi``, ``zext``, ``trunc`` …"""
        return self.value(kind, f"{operation} {a} to {kind}")

    def intrinsic(self, name: str, result: str, *arguments: Value, overload: str | None = None) -> Value:
        """A call of ``llvm.…``, overloaded on the type of its result (or on ``overload``)."""
        full = f"{name}.{mangled(overload or result)}"
        self.module.declare(full, result, [argument.type for argument in arguments])
        return self.value(result, f"call {result} @{full}({', '.join(map(str, arguments))})")

    def call(self, name: str, result: str, *arguments: Value) -> Value | None:
        """A call of a function of this module."""
        text = f"call {result} @{name}({', '.join(map(str, arguments))})"
        if result == "void":
            self.line(text)
            return None
        return self.value(result, text)

    # vectors

    def splat(self, a: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        if lanes == 1 or a.lanes == lanes:
            return a
        kind = vector(a.element, lanes)
        one = self.value(kind, f"insertelement {kind} poison, {a}, i64 0")
        return self.value(kind, f"shufflevector {one}, {kind} poison, <{lanes} x i32> zeroinitializer")

    def extract(self, a: Value, lane: int | Value) -> Value:
        place = lane.text if isinstance(lane, Value) else str(lane)
        return self.value(a.element, f"extractelement {a}, i64 {place}")

    def insert(self, a: Value, scalar: Value, lane: int) -> Value:
        return self.value(a.type, f"insertelement {a}, {scalar}, i64 {lane}")

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.value(vector(a.element, len(lanes)), f"shufflevector {a}, {b}, <{len(lanes)} x i32> <{mask}>")

    def iota(self, element: str, lanes: int) -> Value:
        """0, 1, 2 …, one a lane."""
        if lanes == 1:
            return number(element, 0)
        return Value(vector(element, lanes), "<" + ", ".join(number(element, n).__str__() for n in range(lanes)) + ">")

    # memory

    def pointer(self, base: Value, kind: str, index: Value) -> Value:
        """The address of element ``index``, in elements of ``kind``."""
        if index.text == "0":
            return base
        return self.value("ptr", f"getelementptr {kind}, {base}, {index}")

    def load(self, kind: str, address: Value, align: int | None = None) -> Value:
        """Aligned to one element unless told otherwise."""
        return self.value(kind, f"load {kind}, {address}, align {align or bytes_of(element_of(kind))}")

    def store(self, a: Value, address: Value, align: int | None = None) -> None:
        self.line(f"store {a}, {address}, align {align or bytes_of(a.element)}")

    def masked_load(self, kind: str, address: Value, mask: Value, otherwise: Value) -> Value:
        align = Value("i32", str(bytes_of(element_of(kind))))
        name = f"llvm.masked.load.{mangled(kind)}.p0"
        self.module.declare(name, kind, ["ptr", "i32 immarg", mask.type, kind])
        return self.value(kind, f"call {kind} @{name}({address}, {align}, {mask}, {otherwise})")

    def masked_store(self, a: Value, address: Value, mask: Value) -> None:
        align = Value("i32", str(bytes_of(a.element)))
        name = f"llvm.masked.store.{mangled(a.type)}.p0"
        self.module.declare(name, "void", [a.type, "ptr", "i32 immarg", mask.type])
        self.line(f"call void @{name}({a}, {address}, {align}, {mask})")

    def masked_gather(self, kind: str, addresses: Value, mask: Value, otherwise: Value) -> Value:
        align = Value("i32", str(bytes_of(element_of(kind))))
        name = f"llvm.masked.gather.{mangled(kind)}.{mangled(addresses.type)}"
        self.module.declare(name, kind, [addresses.type, "i32 immarg", mask.type, kind])
        return self.value(kind, f"call {kind} @{name}({addresses}, {align}, {mask}, {otherwise})")

    def masked_scatter(self, a: Value, addresses: Value, mask: Value) -> None:
        align = Value("i32", str(bytes_of(a.element)))
        name = f"llvm.masked.scatter.{mangled(a.type)}.{mangled(addresses.type)}"
        self.module.declare(name, "void", [a.type, addresses.type, "i32 immarg", mask.type])
        self.line(f"call void @{name}({a}, {addresses}, {align}, {mask})")

    def stack(self, kind: str, count: int, align: int = 64) -> Value:
        """Memory of this call; ask for it at the beginning of the function, outside every loop."""
        return self.value("ptr", f"alloca {kind}, i64 {count}, align {align}")


def bytes_of(element: str) -> int:
    return {"float": 4, "double": 8, "i64": 8, "i32": 4, "i8": 1, "i1": 1, "ptr": 8}[element]


def mangled(kind: str) -> str:
    """The type as it stands in the name of an overloaded intrinsic: ``v8f32``."""
    short = {"float": "f32", "double": "f64", "ptr": "p0"}
    element = short.get(element_of(kind), element_of(kind))
    return element if lanes_of(kind) == 1 else f"v{lanes_of(kind)}{element}"


def _literal(value: Value) -> bool:
    return value.text.lstrip("-").isdigit()
