"""From equations to boxes: the one traversal of the language that LaTeX, MathML and text share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Access, Apply, Equation, Index, Number, Reduce
from chainrule.equations.system import Input
from chainrule.equations.walk import substitute
from chainrule.notation.layout import (
    BIG,
    EQUALS,
    PRODUCT,
    SUM,
    Big,
    Box,
    Cases,
    Fence,
    Fraction,
    Row,
    Script,
    Symbol,
    applied,
    fenced,
    inside,
    minus,
    number,
    parenthesised,
    plus,
    power,
    row,
    tightness,
    times,
    word,
)
from chainrule.notation.names import Names
from chainrule.notation.template import fill

_BIG = {"sum": Symbol("∑", "mark"), "logsumexp": Symbol("∑", "mark")}


def compose(node: Any, names: Names) -> Box:
    """The boxes of an expression or an equation."""
    match node:
        case Equation():
            return row(with_axes(node, names), EQUALS, compose(node.expression, names))
        case Number(str(axis)):
            return names.size(axis)
        case Number(value):
            return literal(value)
        case Index():
            return _index(node, names)
        case Access(tensor, indices):
            return names.tensor(tensor, [compose(index, names) for index in indices])
        case Reduce():
            return _reduce(node, names)
        case Apply():
            return _apply(node, names)
    raise TypeError(node)


def with_axes(tensor: Equation | Input, names: Names) -> Box:
    """A tensor as on the left of its equation, or as it is declared."""
    return names.tensor(tensor.name, [names.axis(axis) for axis in tensor.axes])


def literal(value: Any) -> Box:
    """A number; one with an exponent is written with a power of ten."""
    text = repr(value)
    if "e" not in text:
        return number(value)
    mantissa, exponent = text.split("e")
    ten = Script(Symbol("10", "number"), None, number(int(exponent)))
    if mantissa in ("1", "-1"):
        return ten if mantissa == "1" else minus(ten)
    return times([number(float(mantissa)), ten])


def _index(node: Index, names: Names) -> Box:
    terms: list[Box] = []
    for coefficient, atom in node.terms:
        box = names.axis(atom) if isinstance(atom, str) else compose(atom, names)
        if abs(coefficient) != 1:
            box = row(number(abs(coefficient)), fenced(box, PRODUCT))
        terms.append(minus(box) if coefficient < 0 else box)
    if node.constant or not terms:
        constant = number(abs(node.constant))
        terms.append(minus(constant) if node.constant < 0 else constant)
    return plus(terms)


def _reduce(node: Reduce, names: Names) -> Box:
    below = row(*[names.axis(axis) for axis in node.axes])
    if len(node.axes) > 1:
        below = _with_commas([names.axis(axis) for axis in node.axes])
    body = compose(node.body, names)
    if node.operation == "logsumexp":
        return row(Symbol("log", "name"), Big(_BIG["sum"], below), exponential(body))
    operator = _BIG.get(node.operation) or Symbol(node.operation, "name")
    return row(Big(operator, below), fenced(body, BIG))


def _with_commas(boxes: list[Box]) -> Box:
    parts: list[Box] = []
    for position, box in enumerate(boxes):
        parts += [Symbol(",", "comma"), box] if position else [box]
    return row(*parts)


def _apply(node: Apply, names: Names) -> Box:
    if node.function == "*":
        return times([_factor(factor, names) for factor in _with_joint_maxima(node.arguments)])
    arguments = [compose(argument, names) for argument in node.arguments]
    match node.function:
        case "+":
            return plus(arguments)
        case "neg":
            return minus(arguments[0])
        case "^":
            return power(*arguments)
        case "/":
            return quotient(*arguments)
        case "exp":
            return exponential(arguments[0])
        case "where":
            arguments[0] = condition(arguments[0])
    return fill(FUNCTIONS[node.function].latex, arguments)


def _factor(factor: Any, names: Names) -> Box:
    """A factor; of several positions of a maximum, ``[(p, q) = argmax …]``."""
    if not isinstance(factor, _JointMaximum):
        return compose(factor, names)
    positions = parenthesised(_with_commas([compose(position, names) for position in factor.positions]))
    return Fence("[", row(positions, EQUALS, compose(factor.where, names)), "]")


@dataclass(frozen=True)
class _JointMaximum:
    """Brackets that say, one axis after another, where a maximum over several axes is: the first in reading order."""

    positions: tuple[Any, ...]
    where: Reduce


def _with_joint_maxima(factors: tuple[Any, ...]) -> list[Any]:
    """The factors, ``[p = argmax_u max_v x(u, v)] [q = argmax_v x(p, v)]`` as one."""
    left = list(factors)
    for factor in factors:
        match factor:
            case Apply("=", (first, Reduce("argmax" | "argmin" as operation, (axis,), Reduce(_, others, body)))):
                positions, chain = [first], [factor]
                found = {axis: first}
                for place, name in enumerate(others):
                    rest = others[place + 1 :]
                    here = substitute(body, found)
                    along = Reduce(operation.removeprefix("arg"), rest, here) if rest else here
                    wanted = Reduce(operation, (name,), along)
                    bracket = next((f for f in left if _is_equality(f) and f.arguments[1] is wanted), None)
                    if bracket is None:
                        break
                    positions.append(bracket.arguments[0])
                    chain.append(bracket)
                    found[name] = bracket.arguments[0]
                else:
                    joint = _JointMaximum(tuple(positions), Reduce(operation, (axis, *others), body))
                    left = [joint if f is factor else f for f in left if f is factor or f not in chain]
    return left


def _is_equality(node: Any) -> bool:
    return isinstance(node, Apply) and node.function == "="


def exponential(argument: Box) -> Box:
    """A power of e, or, where the exponent would be long or high, exp(…)."""
    if tightness(argument) <= SUM or any(isinstance(part, Big | Fraction | Cases) for part in inside(argument)):
        return applied(Symbol("exp", "name"), argument)
    return fill(FUNCTIONS["exp"].latex, [argument])


def quotient(above: Box, below: Box) -> Box:
    """A fraction; the factor 1/below before a sum or a derivative, which would be small on top of a fraction."""
    if _is_high(above) and not _is_high(below):
        match above:
            case Row((Symbol(_, "number") as first, Symbol(_, "times" | "product"), *rest)) if tightness(above) >= BIG:
                return times([Fraction(first, below), row(*rest)])
        return times([Fraction(number(1), below), above])
    return Fraction(above, below)


def _is_high(box: Box) -> bool:
    return any(isinstance(part, Big | Fraction) for part in inside(box))


def condition(box: Box) -> Box:
    """What a condition says: a comparison without its bracket, anything else as "is not 0"."""
    said = box.body if isinstance(box, Fence) and box.left == "[" else row(box, Symbol("≠", "relation"), number(0))
    return row(word("if"), Symbol(" ", "space"), said)
