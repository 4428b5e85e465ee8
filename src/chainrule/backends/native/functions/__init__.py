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
