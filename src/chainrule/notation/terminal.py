"""A document for the terminal: coloured, folded lines unfolded, as wide as the window."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chainrule.notation.breaking import lines_of
from chainrule.notation.document import (
    Block,
    Document,
    Fold,
    Formulas,
    Heading,
    Legend,
    Line,
    Listing,
    Paragraph,
    Steps,
    Words,
)
from chainrule.notation.layout import Box
from chainrule.notation.text import box_text

# Widths, in letters, of formulas with a line of their own, beside their matrix form, and beside words.
FULL, HALF, STEP = 72, 44, 46
ACCENT, SOFT, MATRIX = "yellow", "bright_black", "cyan"


def renderable(document: Document) -> RenderableType:
    """The document for ``rich``'s console."""
    title = Text("\n") + _words(document.title, "bold")
    return Group(title, *(_block(block) for block in document.blocks), Text())


def plain(document: Document, width: int = 120) -> str:
    """The document as text without colours."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False, _environ={})
    with console.capture() as capture:
        console.print(renderable(document))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"


def _block(block: Block) -> RenderableType:
    match block:
        case Heading(words, level):
            title = _words(words, "bold" if level == 3 else f"bold {ACCENT}")
            return Padding(title, (1, 0, 0 if level == 3 else 1, 0))
        case Paragraph(words):
            return Padding(_words(words, SOFT), (0, 0, 0, 2))
        case Formulas(lines):
            return Padding(_formulas(lines), (0, 0, 0, 4))
        case Steps(lines):
            return Padding(_steps(lines), (0, 0, 0, 4))
        case Fold(summary, blocks, _):
            return Padding(Group(_summary(summary), *map(_block, blocks)), (0, 0, 1, 2))
        case Legend(rows):
            table = _grid((rows and 2) or 0)
            for sign, meaning in rows:
                table.add_row(_words(sign), _words(meaning, SOFT))
            return Padding(table, (0, 0, 1, 4))
        case Listing(title, text):
            return Padding(Group(Text(title, "bold"), Padding(Text(text), (0, 0, 0, 2))), (1, 0, 0, 2))


def _grid(columns: int) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    for _ in range(columns):
        table.add_column()
    return table


def _formulas(lines: tuple[Line, ...]) -> Table:
    table = Table.grid(padding=(0, 0, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style=MATRIX, overflow="fold")
    table.add_column(style=f"bold {ACCENT}", no_wrap=True)
    for line in lines:
        matrix = ""
        if line.matrix is not None:
            left, right = line.matrix
            matrix = f"{'' if left is None else box_text(left)} = {_broken(right, HALF)}"
        left_text = "" if line.left is None else box_text(line.left)
        cells = (left_text, f" = {_broken(line.right, HALF)}    ", f"{matrix}   ", line.tag)
        table.add_row(*map(Text, cells))  # as Text, so that brackets are not taken for markup
    return table


def _steps(lines: tuple[Line, ...]) -> Table:
    table = Table.grid(padding=(0, 0, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", ratio=3)
    table.add_column(style=SOFT, ratio=2)
    for line in lines:
        given = line.rule == "given"
        why = Text("given") if given else Text(line.rule, ACCENT).append(": ", SOFT) + _words(line.note, SOFT)
        left = "" if line.left is None else box_text(line.left)
        right = _broken(line.right, STEP)
        table.add_row(Text(left), Text(f" = {right}  "), why, style=SOFT if given else None)
    table.expand = True
    return table


def _broken(box: Box, width: float) -> str:
    return "\n     ".join(box_text(part).lstrip() for part in lines_of(box, width))


def _summary(line: Line) -> Text:
    left = "" if line.left is None else f"{box_text(line.left)} = "
    right = _broken(line.right, FULL)
    text = Text("• ", ACCENT).append(f"{left}{right}", "bold")
    if line.matrix is not None and line.matrix[0] is not None:
        text.append("    " if len(text) < 60 else "\n    ")
        text.append(f"{box_text(line.matrix[0])} = {_broken(line.matrix[1], FULL)}", MATRIX)
    return text


def _words(words: Words, style: str = "") -> Text:
    text = Text(style=style)
    for part in words:
        text.append(part if isinstance(part, str) else box_text(part))
    return text
