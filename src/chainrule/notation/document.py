"""What a derivation says, before it is a page, a paper or terminal output: headings, words and formulas.

    block ::= Heading | Paragraph | Formulas | Fold | Legend | Listing

Words are strings and boxes mixed.  A formula is a chain ``left = right = …``, in index form and, where there is one, in
matrix form.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.notation.layout import Box

Words = tuple[str | Box, ...]


@dataclass(frozen=True)
class Heading:
    words: Words
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    words: Words


@dataclass(frozen=True)
class Line:
    """``left = right``; without ``left`` it goes on from the line before.

    ``matrix`` is the same in matrix form, ``tag`` a name for it, ``note`` says how it came about.
    """

    left: Box | None
    right: Box
    matrix: tuple[Box | None, Box] | None = None
    tag: str = ""
    rule: str = ""
    note: Words = ()


@dataclass(frozen=True)
class Formulas:
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Steps:
    """Lines with the rule that leads to each and why it holds."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Fold:
    """Blocks under a line that says what they come to; ``unfolded`` is how it is first shown."""

    summary: Line
    blocks: tuple[Block, ...]
    unfolded: bool


@dataclass(frozen=True)
class Legend:
    """Signs and what they mean."""

    rows: tuple[tuple[Words, Words], ...]


@dataclass(frozen=True)
class Listing:
    """Text as it is, under a title."""

    title: str
    text: str


Block = Heading | Paragraph | Formulas | Steps | Fold | Legend | Listing


@dataclass(frozen=True)
class Document:
    title: Words
    blocks: tuple[Block, ...]
