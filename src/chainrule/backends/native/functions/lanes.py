"""Values with the operators of Python, so that a numerical method reads as the formula it is.

``Lanes`` are a value of the builder and the function it is computed in; ``Format`` is how their elements are stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.backends.native.ir import Function, Value, number, vector


@dataclass(frozen=True)
class Format:
    """A binary format of IEEE 754: ``mantissa`` bits stored, the exponent stored with ``bias`` added."""

    element: str
    integer: str
    mantissa: int
    bias: int

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)

    @property
    def rounder(self) -> float:
        """A number in whose last place the units stand: x + rounder - rounder is x rounded to an integer, and the
        low bits of x + rounder are that integer."""
        return 1.5 * 2.0**self.mantissa

    def pattern(self, mantissa: int, exponent: int) -> int:
        """The bits of (1 + mantissa/2^bits)·2^exponent."""
        return (exponent + self.bias) << self.mantissa | mantissa

    @property
    def root_half(self) -> int:
        """The bits of sqrt(1/2)."""
        return self.pattern(int((math.sqrt(2) - 1) * 2**self.mantissa), -1)


FORMATS = {"float": Format("float", "i32", 23, 127), "double": Format("double", "i64", 52, 1023)}


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """A value, real, integer or truth, of any number of lanes, computed in the function ``f``."""

    f: Function
    value: Value

    @property
    def format(self) -> Format:
        return FORMATS[self.value.element]

    def of(self, value: Value) -> Lanes:
        return Lanes(self.f, value)

    def constant(self, value: float) -> Lanes:
        """A number in every lane, of the type of this one."""
        return self.of(number(self.value.type, value))

    def lift(self, other: Lanes | float) -> Value:
        return other.value if isinstance(other, Lanes) else number(self.value.type, other)

    # arithmetic

    def __add__(self, other: Lanes | float) -> Lanes:
        return self.of(self.f.add(self.value, self.lift(other)))

    def __radd__(self, other: float) -> Lanes:
        return self + other

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self.of(self.f.sub(self.value, self.lift(other)))

    def __rsub__(self, other: float) -> Lanes:
        return self.constant(other) - self

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self.of(self.f.mul(self.value, self.lift(other)))

    def __rmul__(self, other: float) -> Lanes:
        return self * other

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self.of(self.f.div(self.value, self.lift(other)))

    def __rtruediv__(self, other: float) -> Lanes:
        return self.constant(other) / self

    def __neg__(self) -> Lanes:
        return self.of(self.f.neg(self.value))

    def __abs__(self) -> Lanes:
        return self.of(self.f.intrinsic("llvm.fabs", self.value.type, self.value))

    def times_plus(self, factor: Lanes | float, addend: Lanes | float) -> Lanes:
        """self·factor + addend, rounded once where the target has an instruction for it."""
        return self.of(self.f.muladd(self.value, self.lift(factor), self.lift(addend)))

    def polynomial(self, coefficients: Sequence[float]) -> Lanes:
        """c0 + c1·x + c2·x² + …: Horner's rule, or for many coefficients two of them in x², which run side by side."""
        if len(coefficients) > 9:
            square = self * self
            even, odd = (square.polynomial_in_turn(coefficients[part::2]) for part in (0, 1))
            return self.times_plus(odd, even)
        return self.polynomial_in_turn(coefficients)

    def polynomial_in_turn(self, coefficients: Sequence[float]) -> Lanes:
        """Horner's rule."""
        result = self.constant(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            result = result.times_plus(self, coefficient)
        return result

    # comparison and choice

    def compare(self, predicate: str, other: Lanes | float) -> Lanes:
        return self.of(self.f.compare(predicate, self.value, self.lift(other)))

    def __lt__(self, other: Lanes | float) -> Lanes:
        return self.compare("olt", other)

    def __gt__(self, other: Lanes | float) -> Lanes:
        return self.compare("ogt", other)

    def __ge__(self, other: Lanes | float) -> Lanes:
        return self.compare("oge", other)

    def equals(self, other: Lanes | float) -> Lanes:
        return self.compare("oeq", other)

    def unordered(self, other: Lanes) -> Lanes:
        """Whether one of the two is not a number."""
        return self.compare("uno", other)

    def __and__(self, other: Lanes | int) -> Lanes:
        return self.of(self.f.binary("and", self.value, self.lift(other)))

    def __or__(self, other: Lanes | int) -> Lanes:
        return self.of(self.f.binary("or", self.value, self.lift(other)))

    def __xor__(self, other: Lanes | int) -> Lanes:
        return self.of(self.f.binary("xor", self.value, self.lift(other)))

    def __lshift__(self, places: int) -> Lanes:
        return self.of(self.f.binary("shl", self.value, self.lift(places)))

    def __rshift__(self, places: int) -> Lanes:
        """The bits moved down, with zeros above them."""
        return self.of(self.f.binary("lshr", self.value, self.lift(places)))

    def choose(self, yes: Lanes, no: Lanes | float) -> Lanes:
        """In lanes where this holds ``yes``, in the others ``no``."""
        return self.of(self.f.select(self.value, yes.value, yes.lift(no)))

    def at_least(self, bound: float) -> Lanes:
        """max(x, bound); not a number stays so."""
        limit = self.constant(bound)
        return (limit > self).choose(limit, self)

    def at_most(self, bound: float) -> Lanes:
        """min(x, bound); not a number stays so."""
        limit = self.constant(bound)
        return (limit < self).choose(limit, self)

    # representation

    def cast(self, operation: str, element: str) -> Lanes:
        return self.of(self.f.cast(operation, self.value, vector(element, self.value.lanes)))

    @property
    def bits(self) -> Lanes:
        """The bits of real lanes, as integers of the same width."""
        return self.cast("bitcast", self.format.integer)

    @property
    def real(self) -> Lanes:
        """The real lanes that have these bits."""
        return self.cast("bitcast", "float" if self.value.element == "i32" else "double")

    @property
    def sign_bit(self) -> Lanes:
        return self.bits & -(1 << (31 if self.value.element == "float" else 63))

    def with_sign(self, sign: Lanes) -> Lanes:
        """The sign turned where the bit ``sign`` is set."""
        return (self.bits ^ sign).real

    def rounded(self, factor: float = 1.0) -> Lanes:
        """self·factor to the nearest integer; the product must be less than 2^22 or 2^51."""
        return self.times_plus(factor, self.format.rounder) - self.format.rounder

    def power_of_two(self) -> Lanes:
        """2^k for integers k with -bias < k <= bias."""
        return ((self + (self.format.rounder + self.format.bias)).bits << self.format.mantissa).real


def two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a + b exactly, as the rounded sum and its error, if a is 0 or |a| >= |b| (Dekker 1971)."""
    total = a + b
    return total, b - (total - a)


def two_product(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a·b exactly, as the rounded product and its error (Veltkamp and Dekker 1971, or one fused instruction)."""
    product = a * b
    if a.f.module.fma:
        return product, a.times_plus(b, -product)
    (high, low), (upper, lower) = _halves(a), _halves(b)
    return product, ((high * upper - product) + high * lower + low * upper) + low * lower


def _halves(a: Lanes) -> tuple[Lanes, Lanes]:
    """a as the sum of two numbers of half its bits."""
    scaled = a * float(2 ** ((a.format.mantissa + 2) // 2) + 1)
    high = scaled - (scaled - a)
    return high, a - high
