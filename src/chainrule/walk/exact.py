"""The arithmetic of an element as text of the language with every digit, and back: what is printed can be computed.

    z⁽¹⁾₀₄ = 0.12·0.5 + … + 0.05    is written    0.12*0.5 + (-0.3)*1.2 + 0.41000000000000003 + 0.05

where the third term is the terms left out, as one number.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

from chainrule.equations.evaluate import values_at
from chainrule.equations.node import Access, Apply, Number
from chainrule.equations.parse import parse_expression
from chainrule.equations.walk import rebuild
from chainrule.equations.write import write
from chainrule.notation.numbers import Worked


def exact(done: Worked) -> str:
    """The arithmetic in the text form, every number in full."""
    return write(_numbers(done.expression, done))


def exact_value(text: str) -> float:
    """What the text of an arithmetic comes to, by the reference evaluator.  Raises EquationError where it is none."""
    return _value(parse_expression(text))


def magnitude(text: str) -> float:
    """What the text would come to if nothing in it cancelled: rounding is relative to this, not to the value."""
    return _magnitude(parse_expression(text))


def _numbers(node: Any, done: Worked) -> Any:
    match node:
        case Access(name, ()):
            return Number(done.rests[name].value)
        case Apply("max" | "min" as function, arguments):
            # The arithmetic compares several at once, the language two.
            parts = [_numbers(argument, done) for argument in arguments]
            return reduce(lambda left, right: Apply(function, (left, right)), parts)
    return rebuild(node, lambda child: _numbers(child, done))


def _magnitude(node: Any) -> float:
    match node:
        case Apply("+", arguments):
            return sum(map(_magnitude, arguments))
        case Apply("neg", (argument,)):
            return _magnitude(argument)
        case Apply("*", arguments):
            return reduce(lambda left, right: left * right, map(_magnitude, arguments), 1.0)
        case Apply("/", (above, below)):
            return _magnitude(above) / abs(_value(below))
        case Apply("log", (argument,)):
            # log(1 + ε) is as exact as 1 + ε is.
            return max(1.0, abs(math.log(_magnitude(argument))))
    return abs(_value(node))


def _value(node: Any) -> float:
    return float(values_at(node, (), {}, {}, {}))
