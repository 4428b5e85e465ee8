"""Arithmetic: one normal form for sums and products, so that what cancels is seen to cancel.

A product is kept as  sign · number · factors / factors · brackets,  a sum as its terms in order.  Nothing is expanded:
``(a - y)*(1 - a)`` stays as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from chainrule.equations.affine import as_index, as_position, as_value, position_or_value
from chainrule.equations.functions import COMPARISONS
from chainrule.equations.node import Access, Apply, Expression, Index, Number, Reduce, base_axis, plain_axis
from chainrule.equations.walk import free_axes, rebuild

NEGATION = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

_HOLDS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@lru_cache(maxsize=100_000)
def tidy(node: Any) -> Any:
    """The expression with ones, zeros, numbers, signs and equal factors collected, from the inside out."""
    if isinstance(node, Index):
        return node
    node = rebuild(rebuild(node, tidy), _as_value)
    match node:
        case Apply("+", arguments):
            return _sum(arguments)
        case Apply("*" | "/" | "neg", _):
            return _product(node)
        case Apply("^", (base, exponent)):
            return _power(base, exponent)
        case Apply(function, arguments) if function in COMPARISONS:
            return _bracket(Apply(function, tuple(position_or_value(argument) for argument in arguments)))
        case Apply("where", (condition, left, right)):
            if left is right:
                return left
            if isinstance(condition, Number) and not condition.is_size:
                return left if condition.value else right
        case Reduce("sum", _, body) if body is Number(0):
            return Number(0)
        case Access(tensor, indices):
            return Access(tensor, tuple(as_position(index) for index in indices))
    return node


def _as_value(node: Any) -> Any:
    return as_value(node) if isinstance(node, Index) else node


class _Factors:
    """A product taken apart: an exact number, the powers of its factors, and its brackets."""

    def __init__(self) -> None:
        self.number = Fraction(1)
        self.decimal = False
        self.powers: dict[Expression, int] = {}
        self.brackets: dict[Expression, None] = {}

    def take(self, node: Any, power: int = 1) -> None:
        match node:
            case Number(int() | float() as value) if value or power > 0:
                self.decimal |= isinstance(value, float)
                self.number *= Fraction(str(value)) ** power
            case Apply("neg", (inner,)):
                self.number = -self.number
                self.take(inner, power)
            case Apply("*", factors):
                for factor in factors:
                    self.take(factor, power)
            case Apply("/", (top, bottom)):
                self.take(top, power)
                self.take(bottom, -power)
            case Apply("^", (base, Number(int(exponent)))) if not isinstance(base, Number):
                self.take(base, power * exponent)
            case Apply(function, _) if function in COMPARISONS and power > 0:
                self.brackets[node] = None
            case _:
                self.powers[node] = self.powers.get(node, 0) + power

    def build(self) -> Any:
        if self.number == 0:
            return Number(0)
        magnitude = abs(self.number)
        top = [
            factor if power == 1 else Apply("^", (factor, Number(power)))
            for factor, power in self.powers.items()
            if power > 0
        ]
        bottom = [
            factor if power == -1 else Apply("^", (factor, Number(-power)))
            for factor, power in self.powers.items()
            if power < 0
        ]
        if self.decimal and magnitude.denominator != 1:
            top.insert(0, Number(float(magnitude)))
        else:
            if magnitude.numerator != 1:
                top.insert(0, Number(magnitude.numerator))
            if magnitude.denominator != 1:
                bottom.insert(0, Number(magnitude.denominator))
        # Brackets stay outside the quotient: a bracket that is 0 must annihilate the denominator too.
        quotient = _times(top)
        if bottom:
            quotient = Apply("/", (quotient, _times(bottom)))
        if self.brackets:
            factors = () if quotient is Number(1) else quotient.arguments if _is_product(quotient) else (quotient,)
            quotient = _times([*factors, *self.brackets])
        if self.number > 0:
            return quotient
        literal = isinstance(quotient, Number) and not quotient.is_size
        return Number(-quotient.value) if literal else Apply("neg", (quotient,))


def factors_of(node: Any) -> tuple[Any, ...]:
    """The factors of a product; a single other expression is its own only factor."""
    return node.arguments if _is_product(node) else (node,)


def split(node: Any, axes: tuple[str, ...]) -> tuple[Any, Any]:
    """The product of the factors that do not depend on any of the axes, and the product of the others."""
    whole, outside, inside = _Factors(), _Factors(), _Factors()
    whole.take(node)
    outside.number, outside.decimal = whole.number, whole.decimal
    for factor, power in whole.powers.items():
        (inside if set(free_axes(factor)) & set(axes) else outside).powers[factor] = power
    for bracket in whole.brackets:
        (inside if set(free_axes(bracket)) & set(axes) else outside).brackets[bracket] = None
    return outside.build(), inside.build()


def times(factors: Any) -> Any:
    """The product of the factors, tidied."""
    return _product(_times(list(factors)))


def _is_product(node: Any) -> bool:
    return isinstance(node, Apply) and node.function == "*"


def _times(factors: list[Any]) -> Any:
    return Number(1) if not factors else factors[0] if len(factors) == 1 else Apply("*", tuple(factors))


def _product(node: Any) -> Any:
    index = as_index(node, False)
    if index is not None:
        return index
    parts = _Factors()
    parts.take(node)
    return parts.build()


def _sum(arguments: Any) -> Any:
    terms: dict[Any, Fraction] = {}
    number = Fraction(0)
    decimal = False
    for term, sign in _terms(arguments, 1):
        if isinstance(term, Number) and not term.is_size:
            decimal |= isinstance(term.value, float)
            number += sign * Fraction(str(term.value))
        else:
            terms[term] = terms.get(term, Fraction(0)) + sign
    made = [
        term
        if count == 1
        else Apply("neg", (term,))
        if count == -1
        else _product(Apply("*", (Number(int(count)), term)))
        for term, count in terms.items()
        if count
    ]
    if number:
        value = float(number) if decimal and number.denominator != 1 else int(number)
        first = next(iter(_terms(arguments, 1)))[0]
        if isinstance(first, Number) and not first.is_size:
            made.insert(0, Number(value))
        else:
            made.append(Number(value) if value > 0 else Apply("neg", (Number(-value),)))
    if not made:
        return Number(0)
    if len(made) == 1:
        return tidy(made[0]) if isinstance(made[0], Apply) and made[0].function == "neg" else made[0]
    whole = Apply("+", tuple(made))
    return as_index(whole, False) or whole


def _terms(arguments: Any, sign: int) -> Any:
    for argument in arguments:
        match argument:
            case Apply("+", inner):
                yield from _terms(inner, sign)
            case Apply("neg", (inner,)):
                yield from _terms((inner,), -sign)
            case _:
                yield argument, sign


def _power(base: Any, exponent: Any) -> Any:
    match base, exponent:
        case (_, Number(1)):
            return base
        case (_, Number(0)):
            return Number(1)
        case (Number(int(value)), Number(int(power))) if power >= 0:
            return Number(value**power)
        case (Apply("^", (inner, Number(int(first)))), Number(int(second))):
            return Apply("^", (inner, Number(first * second)))
    return Apply("^", (base, exponent))


def _bracket(node: Apply) -> Any:
    match node:
        case Apply("!=", (Apply(function, _) as inner, Number(0))) if function in COMPARISONS:
            return inner
        case Apply("=", (Apply(function, arguments), Number(0))) if function in NEGATION:
            return Apply(NEGATION[function], arguments)
        case Apply(sign, (Number(int(left)), Number(int(right)))):
            return Number(int(_HOLDS[sign](left, right)))
        case Apply("=" | "<=" | ">=", (left, right)) if left is right:
            return Number(1)
        case Apply("!=" | "<" | ">", (left, right)) if left is right:
            return Number(0)
        case Apply("<=<", (Number(0), position, Number(str(name)))):
            plain = plain_axis(position)
            if plain is not None and base_axis(plain) == base_axis(name):
                return Number(1)
        case Apply("!=" | ">" | ">=" as sign, (Index() as position, Number(int(value)))):
            least = _least(position)
            if least is not None and (least > value or (sign == ">=" and least == value)):
                return Number(1)
    return node


def _least(position: Index) -> int | None:
    """The least value of a position, axes and sizes being at least 0 and 1; None if it has none."""
    least: int = position.constant
    for coefficient, atom in position.terms:
        if coefficient < 0 or isinstance(atom, Apply):
            return None
        least += coefficient * isinstance(atom, Number)
    return least
