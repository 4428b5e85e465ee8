r"""The catalogue's LaTeX templates as boxes: a function that is added to the catalogue needs no other notation.

The part of LaTeX in which templates are written:

    \frac{}{}  \sqrt{}  \operatorname{}  \text{}  ^{}  ( )  [ ]  \left| \right|  \lfloor \rfloor
    \begin{cases} value & condition \\ … \end{cases}   letters, digits, + - = < > / , \le \ge \ne \cdot \bmod
    \pi \sigma … (Greek letters)   \log \sin … (any other command is the name of a function)

A place ``{0}`` takes the argument, in parentheses where its neighbours ask for them; after the name of a function it
always has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from chainrule.equations.grammar import GREEK
from chainrule.notation.layout import (
    CLAUSE,
    COMMA,
    POWER,
    PRODUCT,
    Box,
    Cases,
    Fence,
    Fraction,
    Root,
    Script,
    Symbol,
    fenced,
    parenthesised,
    row,
    word,
)

_TOKEN = re.compile(r"\{\{|\}\}|\{\d\}|\\\\|\\[a-zA-Z]+|\d+|[^\s]")
_FENCES = {"(": ")", "[": "]", r"\lfloor": r"\rfloor", r"\left": r"\right"}
_DELIMITERS = {r"\lfloor": ("⌊", "⌋"), r"\left": ("|", "|"), "(": ("(", ")"), "[": ("[", "]")}
_SIGNS = {
    "+": Symbol("+", "sum"), "-": Symbol("−", "sum"), "/": Symbol("/", "product"), ",": COMMA,
    "=": Symbol("=", "relation"), "<": Symbol("<", "relation"), ">": Symbol(">", "relation"),
    r"\le": Symbol("≤", "relation"), r"\ge": Symbol("≥", "relation"), r"\ne": Symbol("≠", "relation"),
    r"\cdot": Symbol("·", "product"), r"\bmod": Symbol("mod", "product"), r"\infty": Symbol("∞", "mark"),
}  # fmt: skip


def fill(template: str, arguments: Sequence[Box]) -> Box:
    """The template with the arguments in their places."""
    reader = _Reader(list(_tokens(template)), arguments)
    return reader.sequence(())


@cache
def _tokens(template: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(template))


class _Reader:
    def __init__(self, tokens: list[str], arguments: Sequence[Box]) -> None:
        self.tokens = tokens
        self.arguments = arguments
        self.at = 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def sequence(self, stops: tuple[str, ...]) -> Box:
        parts: list[Box] = []
        while self.peek() and self.peek() not in stops:
            if self.peek() == "^":
                self.next()
                parts[-1] = Script(parts[-1], None, self.group())
            else:
                parts.append(self.item(parts[-1] if parts else None))
        return row(*parts)

    def group(self) -> Box:
        assert self.next() == "{{"
        body = self.sequence(("}}",))
        self.next()
        return body

    def words(self) -> str:
        assert self.next() == "{{"
        letters = ""
        while (token := self.next()) != "}}":
            letters += token
        return letters

    def item(self, before: Box | None) -> Box:
        token = self.next()
        if token[0] == "{" and token[1].isdigit():
            return self.argument(int(token[1:-1]), before)
        if token in _FENCES:
            return self.fence(token)
        if token == r"\begin":
            return self.cases()
        if token == r"\frac":
            return Fraction(self.group(), self.group())
        if token == r"\sqrt":
            return Root(self.group())
        if token == r"\operatorname":
            return Symbol(self.words(), "name")
        if token == r"\text":
            return word(self.words())
        if token in _SIGNS:
            return Symbol("−", "minus") if token == "-" and before is None else _SIGNS[token]
        if token[0] == "\\":
            return Symbol(GREEK[token[1:]]) if token[1:] in GREEK else Symbol(token[1:], "name")
        return Symbol(token, "number" if token.isdigit() else "variable")

    def argument(self, position: int, before: Box | None) -> Box:
        box = self.arguments[position]
        if isinstance(before, Symbol) and before.kind in ("name", "variable"):
            return parenthesised(box)
        neighbours = {before.text if isinstance(before, Symbol) else "", _SIGNS.get(self.peek(), COMMA).text}
        if neighbours & {"/", "mod", "·"}:
            return fenced(box, POWER)
        return fenced(box, PRODUCT if neighbours & {"+", "−"} else CLAUSE)

    def fence(self, opening: str) -> Box:
        if opening == r"\left":
            self.next()
        body = self.sequence((_FENCES[opening],))
        self.next()
        if opening == r"\left":
            self.next()
        left, right = _DELIMITERS[opening]
        return Fence(left, body, right)

    def cases(self) -> Box:
        self.words()
        rows: list[tuple[Box, Box]] = []
        while self.peek() != r"\end":
            value = self.sequence(("&",))
            self.next()
            condition = self.sequence((r"\\", r"\end"))
            rows.append((value, condition))
            if self.peek() == r"\\":
                self.next()
        self.next()
        self.words()
        return Cases(tuple(rows))
