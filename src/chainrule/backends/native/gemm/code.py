"""What the kernels are written with beyond ``Function``: loops that run at least once, parts of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chainrule.backends.native.ir import Function, Loop, Value, bytes_of, element_of, integer, lanes_of, number, vector


@contextmanager
def repeat(f: Function, count: Value, carried: Sequence[Value]) -> Iterator[Loop]:
    """``count`` turns, at least one; the test stands at the end, so that a turn is one basic block.

    As with ``Function.loop``, ``loop.next`` are the values that the next turn starts with, ``loop.results`` the last.
    The index of the loop counts down to 1.
    """
    if count.text == "1":
        loop = Loop(count, list(carried))
        yield loop
        loop.results = list(loop.next)
        return
    before, head, end = f.segment.label, f.fresh("turn"), f.fresh("end")
    f.line(f"br label %{head}")
    f.label(head)
    place = len(f.segment.lines)
    index = Value("i64", f"%{f.fresh('i')}")
    inside = [Value(value.type, f"%{f.fresh('c')}") for value in carried]
    loop = Loop(index, inside)
    yield loop
    following = f.sub(index, integer(1))
    more = f.compare("ne", following, integer(0))
    f.line(f"br i1 {more.text}, label %{head}, label %{end}")
    phis = [
        f"  {now.text} = phi {now.type} [ {first.text}, %{before} ], [ {then.text}, %{f.segment.label} ]"
        for now, first, then in zip([index, *inside], [count, *carried], [following, *loop.next], strict=True)
    ]
    f.segment.lines[place:place] = phis
    f.label(end)
    loop.results = list(loop.next)


def leave(f: Function, when: Value) -> None:
    """Return from the function, which has no result, where the truth value holds."""
    with f.when(when):
        f.ret()
        f.label(f.fresh("unreached"))


def condition(f: Function, flag: Value) -> Value:
    """An i64 as a truth value."""
    return f.compare("ne", flag, integer(0))


def minimum(f: Function, a: Value, b: Value) -> Value:
    return f.intrinsic("llvm.smin", "i64", a, b)


def maximum(f: Function, a: Value, b: Value) -> Value:
    return f.intrinsic("llvm.smax", "i64", a, b)


def broadcast(f: Function, kind: str, address: Value) -> Value:
    """One element of memory in every lane."""
    return f.splat(f.load(element_of(kind), address), lanes_of(kind))


def opaque(f: Function, value: Value) -> Value:
    """The same value, of which the code generator does not know how it came about."""
    return f.value(value.type, f'call {value.type} asm "", "=r,0"({value})')


def unchanged(f: Function, value: Value) -> Value:
    return value


class Part:
    """The first ``count`` of the lanes of a vector in memory; lanes beyond are never read.

    ``masks``: whether the target loads by mask; where it does not, vectors are short, and a lane beyond the count is
    read from the place of the last one within.  Such a lane holds anything, unless ``zero`` is asked for.
    """

    def __init__(self, f: Function, kind: str, count: Value, masks: bool) -> None:
        self.kind, self.masks = kind, masks
        self.lanes = lanes_of(kind)
        self.word = vector("i32" if bytes_of(element_of(kind)) == 4 else "i64", self.lanes)
        narrow = f.cast("trunc", count, "i32") if "i32" in self.word else count
        # Negative in the lanes to read.  A comparison beside the load leaves the sign bits themselves as the mask.
        self.difference = f.sub(f.iota(element_of(self.word), self.lanes), f.splat(narrow, self.lanes))
        last = f.sub(count, integer(1))
        self.places = [] if masks else [minimum(f, integer(lane), last) for lane in range(self.lanes)]

    def mask(self, f: Function) -> Value:
        return f.compare("slt", self.difference, number(self.word, 0))

    def load(self, f: Function, address: Value, zero: bool = False) -> Value:
        nothing = number(self.kind, 0)
        if self.masks:
            return f.masked_load(self.kind, address, self.mask(f), nothing)
        result, element = nothing, element_of(self.kind)
        for lane, place in enumerate(self.places):
            result = f.insert(result, f.load(element, f.pointer(address, element, place)), lane)
        return f.select(self.mask(f), result, nothing) if zero else result
