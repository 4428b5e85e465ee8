"""The scalar functions of the catalogue as LLVM code on lanes of float or double, without calls of a library.

``apply(f, "exp", x)`` writes the code into the function ``f`` and gives the result.
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.backends.native.functions import elementary, exponential, sigmoidal, trigonometric
from chainrule.backends.native.functions.lanes import Lanes
from chainrule.backends.native.ir import Function, Value

IMPLEMENTATIONS: dict[str, Callable[..., Lanes]] = {
    "neg": elementary.negative,
    "/": elementary.quotient,
    "^": exponential.power,
    "max": elementary.maximum,
    "min": elementary.minimum,
    "logaddexp": exponential.logaddexp,
    "exp": exponential.exp,
    "expm1": exponential.expm1,
    "log": exponential.log,
    "log1p": exponential.log1p,
    "sqrt": elementary.sqrt,
    "rsqrt": elementary.rsqrt,
    "abs": elementary.absolute,
    "sign": elementary.sign,
    "floor": elementary.floor,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tanh": sigmoidal.tanh,
    "sigmoid": sigmoidal.sigmoid,
    "softplus": exponential.softplus,
    "erf": sigmoidal.erf,
    "relu": elementary.relu,
}


def apply(f: Function, name: str, *arguments: Value) -> Value:
    """The function of the catalogue with this name, lane by lane."""
    return IMPLEMENTATIONS[name](*(Lanes(f, argument) for argument in arguments)).value


def _error(single: float, double: float) -> dict[str, float]:
    return {"float": single, "double": double}


# The largest error in units in the last place, with or without fused multiply-adds: ``python -m benchmarks.ulp``.  That
# of logaddexp is in units of the greater of |max(x, y)| and ln 2, since its two terms may cancel.
ERRORS: dict[str, dict[str, float]] = {
    "neg": _error(0, 0),
    "/": _error(0.5, 0.5),
    "^": _error(0.51, 1),
    "max": _error(0, 0),
    "min": _error(0, 0),
    "logaddexp": _error(2.1, 2.1),
    "exp": _error(1, 1.05),
    "expm1": _error(2, 2),
    "log": _error(1, 1),
    "log1p": _error(1.5, 1.5),
    "sqrt": _error(0.5, 0.5),
    "rsqrt": _error(1.5, 1.5),
    "abs": _error(0, 0),
    "sign": _error(0, 0),
    "floor": _error(0, 0),
    "sin": _error(2, 2),
    "cos": _error(2, 2),
    "tanh": _error(1.5, 1.5),
    "sigmoid": _error(2.5, 2.5),
    "softplus": _error(2, 2),
    "erf": _error(1.5, 1.5),
    "relu": _error(0, 0),
}
