"""Nodes and systems as text: the form in which the user writes them."""

from __future__ import annotations

from typing import Any

from chainrule.equations.functions import COMPARISONS, CONSTANTS
from chainrule.equations.node import Access, Apply, Equation, Index, Node, Number, Reduce

# How tightly each form binds; an argument is put in parentheses when it binds less tightly than its place asks.
SUM, NEGATIVE, PRODUCT, POWER, ATOM = range(5)

Spans = dict[tuple[object, ...], tuple[int, int]]


def write(node: Any) -> str:
    """The node as text; ``parse`` reads it back as the same node."""
    return write_with_spans(node)[0]


def write_with_spans(node: Any) -> tuple[str, Spans]:
    """The text, and for the path of each part of it where it stands."""
    writer = _Writer()
    if isinstance(node, Equation):
        writer.equation(node)
    else:
        writer.expression(node, (), SUM)
    return "".join(writer.pieces), writer.spans


class _Writer:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.spans: Spans = {}

    def put(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def equation(self, node: Equation) -> None:
        self.put(node.name)
        if node.axes:
            self.put(f"[{','.join(node.axes)}]")
        self.spans["left",] = (0, self.length)
        self.put(" = ")
        self.expression(node.expression, (), SUM)

    def expression(self, node: Any, path: tuple[object, ...], place: int) -> None:
        start = self.length
        parenthesised = binding(node) < place
        if parenthesised:
            self.put("(")
        match node:
            case Number(value):
                self.put(f"size({value})" if isinstance(value, str) else repr(value))
            case Index():
                self.index(node, path)
            case Access(tensor, indices):
                self.put(tensor)
                if indices:
                    self.listed("[", indices, ",", "]", path)
            case Reduce(operation, axes, body):
                self.put(f"{operation}[{','.join(axes)}](")
                self.expression(body, (*path, 0), SUM)
                self.put(")")
            case Apply(function, arguments):
                self.apply(function, arguments, path)
        if parenthesised:
            self.put(")")
        self.spans[path] = (start, self.length)

    def listed(self, opening: str, nodes: Any, separator: str, closing: str, path: tuple[object, ...]) -> None:
        self.put(opening)
        for position, node in enumerate(nodes):
            if position:
                self.put(separator)
            self.expression(node, (*path, position), SUM)
        self.put(closing)

    def index(self, node: Index, path: tuple[object, ...]) -> None:
        child = 0
        for position, (coefficient, atom) in enumerate(node.terms):
            if position:
                self.put(" - " if coefficient < 0 else " + ")
            elif coefficient < 0:
                self.put("-")
            if abs(coefficient) != 1:
                self.put(f"{abs(coefficient)}*")
            if isinstance(atom, str):
                self.put(atom)
            else:
                # -(j//2), for who would know that -j//2 is no (-j)//2?
                bare = abs(coefficient) == 1 and (position > 0 or coefficient > 0)
                self.expression(atom, (*path, child), PRODUCT if bare else POWER)
                child += 1
        if not node.terms:
            self.put(str(node.constant))
        elif node.constant:
            self.put(f" {'-' if node.constant < 0 else '+'} {abs(node.constant)}")

    def apply(self, function: str, arguments: Any, path: tuple[object, ...]) -> None:
        if function in CONSTANTS:
            self.put(function)
        elif function == "+":
            for position, argument in enumerate(arguments):
                negative = isinstance(argument, Apply) and argument.function == "neg" and position > 0
                if position:
                    self.put(" - " if negative else " + ")
                if negative:
                    start = self.length
                    self.expression(argument.arguments[0], (*path, position, 0), PRODUCT)
                    self.spans[(*path, position)] = (start, self.length)
                else:
                    self.expression(argument, (*path, position), PRODUCT if position else NEGATIVE)
        elif function == "*":
            for position, argument in enumerate(arguments):
                if position:
                    self.put("*")
                place = PRODUCT if position == 0 and _is_quotient(argument) else POWER
                self.expression(argument, (*path, position), place)
        elif function in ("/", "//", "%"):
            # (2*b)/η, for 2*b/η is read as one product divided by η, whose first factor is 2.
            position = isinstance(arguments[0], Index) and (function == "/" or not isinstance(arguments[1], Number))
            self.expression(arguments[0], (*path, 0), POWER if position else PRODUCT)
            self.put(function)
            self.expression(arguments[1], (*path, 1), POWER)
        elif function == "^":
            self.expression(arguments[0], (*path, 0), ATOM)
            self.put("^")
            self.expression(arguments[1], (*path, 1), ATOM)
        elif function == "neg":
            self.put("-")
            argument = arguments[0]
            place = ATOM + 1 if isinstance(argument, Number) else POWER if _begins_with_floor(argument) else PRODUCT
            self.expression(argument, (*path, 0), place)
        elif function in COMPARISONS:
            signs = ("<=", "<") if function == "<=<" else (function,)
            self.put("[")
            for position, argument in enumerate(arguments):
                if position:
                    self.put(f" {signs[position - 1]} ")
                self.expression(argument, (*path, position), SUM)
            self.put("]")
        else:
            self.put(function)
            self.listed("(", arguments, ", ", ")", path)


def binding(node: Any) -> int:
    """How tightly the written form of a node binds."""
    match node:
        case Number(value):
            return NEGATIVE if not isinstance(value, str) and value < 0 else ATOM
        case Index(terms, constant):
            if len(terms) + (constant != 0) > 1:
                return SUM
            if not terms:
                return NEGATIVE if constant < 0 else ATOM
            coefficient, atom = terms[0]
            if coefficient < 0:
                return NEGATIVE
            if coefficient != 1:
                return PRODUCT
            return ATOM if isinstance(atom, str) else binding(atom)
        case Apply("+", _):
            return SUM
        case Apply("*" | "/" | "//" | "%", _):
            return PRODUCT
        case Apply("neg", _):
            return NEGATIVE
        case Apply("^", _):
            return POWER
    return ATOM


def _is_quotient(node: Any) -> bool:
    return isinstance(node, Apply) and node.function in ("/", "//", "%")


def _begins_with_floor(node: Any) -> bool:
    """Whether the text begins ``j//2``, so that after a minus sign it is not clear of what the whole part is taken."""
    if isinstance(node, Index) and not node.constant and len(node.terms) == 1 and node.terms[0][0] == 1:
        node = node.terms[0][1]
    while isinstance(node, Apply) and node.function in ("*", "/"):
        node = node.arguments[0]
    return isinstance(node, Apply) and node.function in ("//", "%")


Node.__str__ = write  # type: ignore[method-assign]
