"""What a formula looks like, before it is LaTeX, MathML or text: a small language of boxes.

    box ::= Symbol      one sign or name, with its part of speech
          | Row         boxes side by side
          | Script      a box with a subscript, a superscript or both
          | Fraction    one box over another
          | Root        a box under a root
          | Fence       a box between delimiters
          | Big         Σ, max … with what it ranges over
          | Cases       values, each with its condition
          | Brace       a box with a note below it

``compose`` makes boxes from equations, ``latex``, ``mathml`` and ``text`` write them.  Where parentheses are needed is
decided here, from the boxes alone, so that it is decided once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "variable",  # one letter, italic
    "name",  # an upright name: log, ReLU, accuracy
    "number",
    "text",  # words
    "bold",  # the vector of ones
    "sum",  # + and − between terms
    "minus",  # − before a term
    "times",  # a product without a sign
    "product",  # a product with one: · ⊙ / mod
    "relation",  # = < ≤ ∈
    "comma",
    "mark",  # ′ ⊤ … and the like: neither operand nor operator
    "space",
]


@dataclass(frozen=True)
class Symbol:
    text: str
    kind: Kind = "variable"


@dataclass(frozen=True)
class Row:
    parts: tuple[Box, ...]


@dataclass(frozen=True)
class Script:
    base: Box
    below: Box | None = None
    above: Box | None = None


@dataclass(frozen=True)
class Fraction:
    above: Box
    below: Box


@dataclass(frozen=True)
class Root:
    body: Box


@dataclass(frozen=True)
class Fence:
    left: str
    body: Box
    right: str


@dataclass(frozen=True)
class Big:
    operator: Symbol
    below: Box | None


@dataclass(frozen=True)
class Cases:
    rows: tuple[tuple[Box, Box], ...]  # value, condition


@dataclass(frozen=True)
class Brace:
    body: Box
    note: Box


Box = Symbol | Row | Script | Fraction | Root | Fence | Big | Cases | Brace

TIMES = Symbol("", "times")
DOT = Symbol("·", "product")
COMMA = Symbol(",", "comma")
PRIME = Symbol("′", "mark")
TRANSPOSED = Symbol("⊤", "mark")
ELLIPSIS = Symbol("…", "mark")
EQUALS = Symbol("=", "relation")

# How tightly a box holds together; it gets parentheses where its place asks for more.
CLAUSE, SUM, NEGATIVE, BIG, PRODUCT, POWER, ATOM = range(7)


def number(value: int | float) -> Symbol:
    """A number in full; a negative one has the minus sign of mathematics."""
    text = repr(value) if isinstance(value, int) or value != int(value) or abs(value) > 1e15 else str(int(value))
    return Symbol(text.replace("-", "−"), "number")


def word(text: str) -> Symbol:
    return Symbol(text, "text")


def row(*parts: Box | str) -> Box:
    """Boxes side by side, rows within rows made flat; a string is a variable."""
    flat: list[Box] = []
    for part in parts:
        box = Symbol(part) if isinstance(part, str) else part
        flat.extend(box.parts if isinstance(box, Row) else (box,))
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def listed(boxes: tuple[Box, ...] | list[Box], separator: Box = COMMA) -> Box:
    """Boxes with a separator between them."""
    parts: list[Box] = []
    for position, box in enumerate(boxes):
        if position:
            parts.append(separator)
        parts.append(box)
    return row(*parts)


def tightness(box: Box) -> int:
    """How tightly a box holds together."""
    match box:
        case Symbol(text, "number"):
            return NEGATIVE if text.startswith("−") else ATOM
        case Script(_, _, above):
            return ATOM if above is None else POWER
        case Fraction():
            return POWER
        case Big():
            return BIG
        case Cases():
            return CLAUSE
        case Row(parts):
            return _row_tightness(parts)
    return ATOM


def _row_tightness(parts: tuple[Box, ...]) -> int:
    kinds = [part.kind for part in parts if isinstance(part, Symbol)]
    if "relation" in kinds or "comma" in kinds or any(isinstance(part, Cases) for part in parts):
        return CLAUSE
    if "sum" in kinds:
        return SUM
    if "minus" in kinds or tightness(parts[0]) == NEGATIVE:
        return NEGATIVE
    if any(isinstance(part, Big) for part in parts):
        return BIG
    if "times" in kinds or "product" in kinds:
        return PRODUCT
    return ATOM  # a function and its argument in parentheses


def parenthesised(box: Box) -> Box:
    return Fence("(", box, ")")


def fenced(box: Box, place: int) -> Box:
    """The box as it may stand where this much tightness is asked for."""
    return parenthesised(box) if tightness(box) < place else box


def plus(terms: list[Box]) -> Box:
    """The sum of boxes; a term with a minus sign is subtracted."""
    parts: list[Box] = []
    for position, term in enumerate(terms):
        if position == 0:
            parts.append(fenced(term, SUM))
            continue
        positive = _without_minus(term)
        parts.append(Symbol("+" if positive is None else "−", "sum"))
        if isinstance(term, Row) and term.parts[0] == ELLIPSIS:  # the terms left out, already a sum
            parts.append(term)
        elif positive is None and isinstance(term, Row) and _negative_number(term.parts[0]):
            parts.append(row(parenthesised(term.parts[0]), *term.parts[1:]))
        else:
            parts.append(fenced(term if positive is None else positive, NEGATIVE + 1))
    return row(*parts)


def _negative_number(box: Box) -> bool:
    return isinstance(box, Symbol) and box.kind == "number" and box.text.startswith("−")


def _without_minus(box: Box) -> Box | None:
    if isinstance(box, Row) and box.parts[0] == Symbol("−", "minus") and tightness(box) == NEGATIVE:
        return row(*box.parts[1:])
    if isinstance(box, Symbol) and _negative_number(box):
        return Symbol(box.text[1:], "number")
    return None


def minus(term: Box) -> Box:
    return row(Symbol("−", "minus"), fenced(term, BIG))


def times(factors: list[Box], sign: Symbol = TIMES) -> Box:
    """The product of boxes, side by side, with a dot where a number would run into what stands before it."""
    parts: list[Box] = []
    for position, factor in enumerate(factors):
        last = position == len(factors) - 1
        first_negative = position == 0 and tightness(factor) == NEGATIVE and isinstance(factor, Symbol)
        box = factor if first_negative else fenced(factor, BIG if last else PRODUCT)
        if position:
            parts.append(DOT if sign is TIMES and _starts_with_number(box) else sign)
        parts.append(box)
    return row(*parts)


def _starts_with_number(box: Box) -> bool:
    match box:
        case Symbol(_, kind):
            return kind == "number"
        case Row(parts):
            return _starts_with_number(parts[0])
        case Script(base, _, _):
            return _starts_with_number(base)
        case Fence("(", Symbol(_, "number"), _) | Brace():
            return True
    return False


def power(base: Box, exponent: Box) -> Box:
    """tanh²(x) for a power of a function that has a name, as is the custom."""
    if isinstance(base, Row) and len(base.parts) == 2:
        function, argument = base.parts
        named = isinstance(function, Symbol) and function.kind == "name"
        if named and isinstance(argument, Fence) and not _negative_number(exponent):
            return row(Script(function, None, exponent), argument)
    if isinstance(base, Script) and base.above is None:
        return Script(base.base, base.below, exponent)
    return Script(fenced(base, ATOM), None, exponent)


def applied(function: Box, argument: Box) -> Box:
    return row(function, parenthesised(argument))


def inside(box: Box) -> Iterator[Box]:
    """The box and every box within it."""
    yield box
    match box:
        case Row(parts):
            children: tuple[Box | None, ...] = parts
        case Script(base, below, above):
            children = (base, below, above)
        case Fraction(above, below) | Brace(above, below):
            children = (above, below)
        case Root(body) | Fence(_, body, _):
            children = (body,)
        case Big(operator, below):
            children = (operator, below)
        case Cases(rows):
            children = tuple(part for pair in rows for part in pair)
        case _:
            children = ()
    for child in children:
        if child is not None:
            yield from inside(child)


def tall(box: Box) -> bool:
    """Whether delimiters around the box should grow with it."""
    match box:
        case Fraction() | Cases() | Brace():
            return True
        case Big(_, below):
            return below is not None
        case Row(parts):
            return any(tall(part) for part in parts)
        case Root(body) | Fence(_, body, _):
            return tall(body)
        case Script(base, _, _):
            return tall(base)
    return False
