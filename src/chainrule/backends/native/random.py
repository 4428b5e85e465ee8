"""Random numbers in compiled code: the Philox4x32-10 of ``equations/philox.py``, many blocks at a time.

A 32-bit word is the low half of a 64-bit lane, so that a product of two words is one multiplication.  The high half
may hold anything between the rounds; only the multiplications look at low halves alone.
"""

from __future__ import annotations

import math

from chainrule.backends.native.functions.elementary import sqrt
from chainrule.backends.native.functions.exponential import log_sum, split_normal
from chainrule.backends.native.functions.lanes import Lanes
from chainrule.backends.native.functions.trigonometric import cosine, sine, turned
from chainrule.backends.native.ir import Function, Module, Value, integer, number, vector

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = 0xFFFFFFFF

ARGUMENTS = [("ptr", "out"), *(("i64", name) for name in ("first", "count", "seed", "key", "step"))]


def random_uniform(module: Module, element: str, lanes: int) -> str:
    """``void @random_uniform_f32(ptr out, i64 first, i64 count, i64 seed, i64 key, i64 step)``, or ``_f64``: elements
    first … first + count - 1 of a random tensor, uniform on [0, 1) with 24 bits; ``key`` is the CRC-32 of its name.
    The numbers are those of ``philox.random_values``, bit for bit."""
    return _generator(module, "random_uniform", element, lanes)


def random_normal(module: Module, element: str, lanes: int) -> str:
    """The same for the standard normal distribution (Box and Muller 1958)."""
    return _generator(module, "random_normal", element, lanes)


def philox(f: Function, counter: list[Value], keys: list[tuple[Value, Value]]) -> list[Value]:
    """The rounds on four words a lane; ``keys`` are those of ``round_keys``."""
    a, b, c, d = (Lanes(f, word) for word in counter)
    for left, right in keys:
        product, other = (a & LOW) * MULTIPLIERS[0], (c & LOW) * MULTIPLIERS[1]
        a, b, c, d = (other >> 32) ^ b ^ a.of(left), other, (product >> 32) ^ d ^ a.of(right), product
    return [(word & LOW).value for word in (a, b, c, d)]


def round_keys(f: Function, key: tuple[Value, Value], lanes: int) -> list[tuple[Value, Value]]:
    """The two words of the key for every round, in so many lanes."""
    left, right = (
        [f.splat(((Lanes(f, word) + turn * step) & LOW).value, lanes) for turn in range(ROUNDS)]
        for word, step in zip(key, WEYL, strict=True)
    )
    return list(zip(left, right, strict=True))


def _generator(module: Module, name: str, element: str, lanes: int) -> str:
    """Whole groups of blocks, four elements each, are written to their place; one of which only a part is asked for is
    written elsewhere, and the part copied."""
    if element == "double":
        lanes *= 2  # as many blocks as for float: two registers of words, whose products do not wait for each other
    f = Function(module, f"{name}_{'f32' if element == 'float' else 'f64'}", ARGUMENTS, linkage="dso_local")
    out, first, count, seed, key, step = f.arguments
    stop = f.add(first, count)
    size = 4 * lanes
    beside = f.stack(element, size)
    keys = round_keys(f, (seed, key), lanes)
    low, high = (f.splat(word, lanes) for word in (step, f.binary("lshr", step, integer(32))))
    zero = number(vector("i64", lanes), 0)
    start = f.binary("and", first, integer(-4))
    with f.loop(start, stop, size) as group:
        block = f.splat(f.binary("lshr", group.index, integer(2)), lanes)
        counter = [f.add(block, f.iota("i64", lanes)), low, high, zero]
        numbers = [_uniform(f, word, element) for word in philox(f, counter, keys)]
        if name == "random_normal":
            numbers = [*_box_muller(*numbers[:2]), *_box_muller(*numbers[2:])]
        end = f.add(group.index, integer(size))
        before, after = f.compare("slt", group.index, first), f.compare("sgt", end, stop)
        part = f.binary("or", before, after)
        place = f.pointer(out, element, f.sub(group.index, first))
        f.store(_in_turn(f, [each.value for each in numbers]), f.select(part, beside, place))
        with f.when(part):
            lower, upper = f.select(before, first, group.index), f.select(after, stop, end)
            with f.loop(lower, upper) as copy:
                one = f.load(element, f.pointer(beside, element, f.sub(copy.index, group.index)))
                f.store(one, f.pointer(out, element, f.sub(copy.index, first)))
    f.ret()
    return module.add(f)


def _uniform(f: Function, word: Value, element: str) -> Lanes:
    """The upper 24 bits of a word as a number in [0, 1)."""
    integers = f.cast("trunc", f.binary("lshr", word, number(word.type, 8)), vector("i32", word.lanes))
    return Lanes(f, integers).cast("sitofp", element) * 2.0**-24


def _box_muller(u: Lanes, v: Lanes) -> tuple[Lanes, Lanes]:
    """sqrt(-2·log(1 - u)) times cos(2πv) and sin(2πv).  1 - u is exact, and so is v less its quarter turns."""
    e, m = split_normal(1.0 - u)
    radius = sqrt(log_sum(e, m - 1.0) * -2.0)
    turns = v.times_plus(4.0, v.format.rounder)
    angle = (v - (turns - v.format.rounder) * 0.25) * (2 * math.pi)
    s, c = sine(angle), cosine(angle)
    return radius * turned(turns.bits + 1, s, c), radius * turned(turns.bits, s, c)


def _in_turn(f: Function, words: list[Value]) -> Value:
    """Four vectors as one: word 0 of the first block, word 1 of it, …, word 0 of the second block, …"""
    lanes = words[0].lanes
    if lanes == 1:
        result = Value(vector(words[0].element, 4), "poison")
        for n, word in enumerate(words):
            result = f.insert(result, word, n)
        return result
    a, b, c, d = words
    left, right = (f.shuffle(x, y, [n // 2 + n % 2 * lanes for n in range(2 * lanes)]) for x, y in ((a, b), (c, d)))
    return f.shuffle(left, right, [n // 4 * 2 + n % 2 + n // 2 % 2 * 2 * lanes for n in range(4 * lanes)])
