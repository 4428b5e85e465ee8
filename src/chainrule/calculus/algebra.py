"""Arithmetic: one normal form for sums and products, so that what cancels is seen to cancel.

A product is kept as  sign · number · factors / factors · brackets,  a sum as its terms in order.  Nothing is expanded:
``(a - y)*(1 - a)`` stays as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from chainrule.equations.affine import as_index, as_position, as_value, position_or_value
from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Expression, Index, Number, Reduce, base_axis, plain_axis
from chainrule.equations.walk import children, free_axes, is_apply, is_bracket, product, rebuild, tensors

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
            return _add(arguments)
        case Apply("*" | "/" | "neg", _):
            return _multiply(node)
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


class Factors:
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
                self.number = -self.number if power % 2 else self.number
                self.take(inner, power)
            case Apply("*", factors):
                for factor in factors:
                    self.take(factor, power)
            case Apply("/", (top, bottom)):
                self.take(top, power)
                self.take(bottom, -power)
            case Apply("^", (base, Number(int(exponent)))) if not _is_literal(base):
                self.take(base, power * exponent)
            case Apply(function, _) if function in COMPARISONS and power > 0:
                self.brackets[node] = None
            case _:
                self.powers[node] = self.powers.get(node, 0) + power

    def key(self) -> tuple[frozenset[Any], frozenset[Any]]:
        """What two products have in common that differ in their numbers and the order of their factors only."""
        return frozenset(self.powers.items()), frozenset(self.brackets)

    def build(self) -> Any:
        if self.number == 0:
            return Number(0)
        self._square_roots()
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
        # Brackets stay outside a quotient that may be undefined: a bracket that is 0 must annihilate it too.
        if bottom and not any(tensors(factor) for factor in bottom):
            quotient = Apply("/", (product([*top, *self.brackets]), product(bottom)))
        elif bottom:
            quotient = product([Apply("/", (product(top), product(bottom))), *self.brackets])
        else:
            quotient = product([*top, *self.brackets])
        if self.number > 0:
            return quotient
        return _negated(quotient)

    def _square_roots(self) -> None:
        """sqrt(x)² is x, rsqrt(x)² is 1/x."""
        for factor, power in list(self.powers.items()):
            if isinstance(factor, Apply) and factor.function in ("sqrt", "rsqrt") and power % 2 == 0:
                del self.powers[factor]
                self.take(factor.arguments[0], power // 2 if factor.function == "sqrt" else -power // 2)


def common_factor(node: Any) -> Any:
    """``a·x + a·y`` as ``a·(x + y)``, ``a²·x + a·y`` as ``a·(a·x + y)``; other expressions as they are."""
    if not is_apply(node, "+"):
        return node
    terms = [Factors() for _ in node.arguments]
    for term, argument in zip(terms, node.arguments, strict=True):
        term.take(argument)
    common = Factors()
    common.powers = {f: power for f in terms[0].powers if (power := _shared([t.powers.get(f, 0) for t in terms]))}
    common.brackets = {f: None for f in terms[0].brackets if all(f in t.brackets for t in terms)}
    if not common.powers and not common.brackets:
        return node
    for term in terms:
        for factor, power in common.powers.items():
            term.powers[factor] -= power
        for bracket in common.brackets:
            del term.brackets[bracket]
    rest = _add(tuple(term.build() for term in terms))
    return times((common.build(), rest))


def _shared(powers: list[int]) -> int:
    """The power of a factor that can be taken out of all terms."""
    return min(powers) if min(powers) > 0 else max(powers) if max(powers) < 0 else 0


def _negated(node: Any) -> Any:
    return Number(-node.value) if _is_literal(node) else Apply("neg", (node,))


def _is_literal(node: Any) -> bool:
    return isinstance(node, Number) and not node.is_size


def split(node: Any, axes: tuple[str, ...]) -> tuple[Any, Any]:
    """The product of the factors that do not depend on any of the axes, and the product of the others.

    A factor that may be undefined stays inside with a bracket there, which decides whether it counts.
    """
    whole, outside, inside = Factors(), Factors(), Factors()
    whole.take(node)
    outside.number, outside.decimal = whole.number, whole.decimal
    for bracket in whole.brackets:
        (inside if set(free_axes(bracket)) & set(axes) else outside).brackets[bracket] = None
    for factor, power in whole.powers.items():
        partial = inside.brackets and not (is_total(factor) and (power > 0 or not tensors(factor)))
        (inside if partial or set(free_axes(factor)) & set(axes) else outside).powers[factor] = power
    return outside.build(), inside.build()


def is_total(node: Any, axis: str | None = None) -> bool:
    """Whether an expression is finite wherever the tensors it reads are, 0 included; as far as ``axis`` matters."""
    if not tensors(node) or (axis is not None and axis not in free_axes(node)):
        return True
    if isinstance(node, Apply) and not FUNCTIONS[node.function].total:
        last = node.arguments[-1]
        quotient = node.function in ("/", "//", "%") and (
            not tensors(last) if axis is None else axis not in free_axes(last)
        )
        power = (
            node.function == "^" and isinstance(last, Number) and not isinstance(last.value, str) and last.value >= 0
        )
        if not (quotient or power):
            return False
    return all(is_total(child, axis) for child in children(node))


def summed(axes: Sequence[str], body: Any) -> Any:
    """The sum of the body over the axes; the body itself where there are none."""
    return Reduce("sum", tuple(axes), body) if axes else body


def times(factors: Any) -> Any:
    """The product of the factors, tidied."""
    return _multiply(product(list(factors)))


def _multiply(node: Any) -> Any:
    index = as_index(node, False)
    if index is not None:
        return index
    parts = Factors()
    parts.take(node)
    return parts.build()


def _add(arguments: Any) -> Any:
    """Like terms collected, in the order in which they first appear; literals where the first of them stands."""
    terms: dict[Any, Factors] = {}
    for term, sign in _terms(arguments, 1):
        parts = Factors()
        parts.take(term)
        parts.number *= sign
        same = terms.setdefault(parts.key(), parts)
        if same is not parts:
            same.number += parts.number
            same.decimal |= parts.decimal
    made = [parts.build() for parts in terms.values() if parts.number]
    literals = [term for term in made if _is_literal(term)]
    if literals and made[0] is not literals[0] and literals[0].value < 0:
        made[made.index(literals[0])] = Apply("neg", (Number(-literals[0].value),))
    if len(made) < 2:
        return made[0] if made else Number(0)
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
        case (Apply("sqrt" | "rsqrt", _), Number(int(power))) if power % 2 == 0:
            return _multiply(Apply("*", (Apply("^", (base, exponent)),)))
        case (Apply("^", (inner, Number(int(first)))), Number(int(second))):
            return Apply("^", (inner, Number(first * second)))
    return Apply("^", (base, exponent))


def _bracket(node: Apply) -> Any:
    match node:
        case Apply("!=", (Apply(function, _) as inner, Number(0))) if function in COMPARISONS:
            return inner
        case Apply("!=", (Apply("*", factors) as inner, Number(0))) if all(is_bracket(factor) for factor in factors):
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
