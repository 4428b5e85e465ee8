"""Functions that are a few instructions."""

from __future__ import annotations

from chainrule.backends.native.functions.lanes import Lanes
from chainrule.backends.native.ir import is_float


def negative(x: Lanes) -> Lanes:
    """Exact."""
    return -x


def quotient(x: Lanes, y: Lanes) -> Lanes:
    """Correctly rounded."""
    return x / y


def maximum(x: Lanes, y: Lanes) -> Lanes:
    """Exact; not a number if one of the two is not, as ``np.maximum``."""
    if not is_float(x.value.type):
        return x.of(x.f.intrinsic("llvm.smax", x.value.type, x.value, y.value))
    return x.unordered(x).choose(x, (x > y).choose(x, y))


def minimum(x: Lanes, y: Lanes) -> Lanes:
    """Exact; not a number if one of the two is not, as ``np.minimum``."""
    if not is_float(x.value.type):
        return x.of(x.f.intrinsic("llvm.smin", x.value.type, x.value, y.value))
    return x.unordered(x).choose(x, (x < y).choose(x, y))


def sqrt(x: Lanes) -> Lanes:
    """Correctly rounded."""
    return x.of(x.f.intrinsic("llvm.sqrt", x.value.type, x.value))


def rsqrt(x: Lanes) -> Lanes:
    """1/sqrt(x), both rounded; 1.5 ULP."""
    return 1.0 / sqrt(x)


def absolute(x: Lanes) -> Lanes:
    """Exact."""
    return abs(x)


def sign(x: Lanes) -> Lanes:
    """-1, 0 or 1; not a number if x is not."""
    zero = x.constant(0.0)
    return (x > 0.0).choose(x.constant(1.0), (x < 0.0).choose(x.constant(-1.0), x.equals(0.0).choose(zero, x)))


def floor(x: Lanes) -> Lanes:
    """Exact."""
    return x.of(x.f.intrinsic("llvm.floor", x.value.type, x.value))


def relu(x: Lanes) -> Lanes:
    """max(x, 0), exact; not a number if x is not."""
    return x.at_least(0.0)
