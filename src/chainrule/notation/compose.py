"""From equations to boxes: the one traversal of the language that LaTeX, MathML and text share."""

from __future__ import annotations

from typing import Any

from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Access, Apply, Equation, Index, Number, Reduce
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
    Script,
    Symbol,
    applied,
    fenced,
    inside,
    minus,
    number,
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
            return row(left_side(node, names), EQUALS, compose(node.expression, names))
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


def left_side(equation: Equation, names: Names) -> Box:
    return names.tensor(equation.name, [names.axis(axis) for axis in equation.axes])


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
    arguments = [compose(argument, names) for argument in node.arguments]
    match node.function:
        case "+":
            return plus(arguments)
        case "*":
            return times(arguments)
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


def exponential(argument: Box) -> Box:
    """A power of e, or, where the exponent would be long or high, exp(…)."""
    if tightness(argument) <= SUM or any(isinstance(part, Big | Fraction | Cases) for part in inside(argument)):
        return applied(Symbol("exp", "name"), argument)
    return fill(FUNCTIONS["exp"].latex, [argument])


def quotient(above: Box, below: Box) -> Box:
    """A fraction; the factor 1/below before a big operator, which would be small on top of a fraction."""
    if _has_big(above) and not _has_big(below):
        return times([Fraction(number(1), below), above])
    return Fraction(above, below)


def _has_big(box: Box) -> bool:
    return any(isinstance(part, Big) for part in inside(box))


def condition(box: Box) -> Box:
    """What a condition says: a comparison without its bracket, anything else as "is not 0"."""
    said = box.body if isinstance(box, Fence) and box.left == "[" else row(box, Symbol("≠", "relation"), number(0))
    return row(word("if"), Symbol(" ", "space"), said)
