"""What a derivation or a walk says, before it is a page, a paper or terminal output: words, formulas, numbers.

    block ::= Heading | Paragraph | Formulas | Steps | Fold | Folded | Legend | Listing | Values | Panel

Words are strings, boxes and links mixed.  A formula is a chain ``left = right = …``, in index form and, where there is
one, in matrix form.  Values are the numbers of a tensor, a panel is what a link opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from chainrule.notation.layout import Box


@dataclass(frozen=True)
class Link:
    """Words that open the panel with the name ``panel``."""

    words: tuple[str | Box, ...]
    panel: str


Words = tuple[str | Box | Link, ...]


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
class Folded:
    """Blocks under a line in words, which are first shown where that is opened."""

    title: Words
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Legend:
    """Signs and what they mean."""

    rows: tuple[tuple[Words, Words], ...]


@dataclass(frozen=True)
class Listing:
    """Text as it is, under a title."""

    title: str
    text: str


@dataclass(frozen=True, eq=False)
class Values:
    """The numbers of a tensor: few as numbers, more as shades.

    ``name``: the name of this block, to which a panel leads back; "" for none.  ``title``: what the numbers are.
    ``axes``: one for each dimension of ``numbers``.  ``panels``: position → the panel that its element opens.
    """

    name: str
    title: Words
    axes: tuple[Box, ...]
    numbers: NDArray[Any]
    panels: Mapping[tuple[int, ...], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """Blocks that a link to ``name`` opens, beside what else is shown; ``back`` names the values that it belongs to."""

    name: str
    title: Words
    back: str
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Formulas | Steps | Fold | Folded | Legend | Listing | Values | Panel


@dataclass(frozen=True)
class Document:
    title: Words
    blocks: tuple[Block, ...]
