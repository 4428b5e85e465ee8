"""A document for the terminal: coloured, folded lines unfolded, as wide as the window."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chainrule.notation.breaking import lines_of
from chainrule.notation.document import (
    Block,
    Document,
    Fold,
    Folded,
    Formulas,
    Heading,
    Legend,
    Line,
    Link,
    Listing,
    Panel,
    Paragraph,
    Steps,
    Values,
    Words,
)
from chainrule.notation.layout import Box
from chainrule.notation.shades import Shades
from chainrule.notation.text import box_text

# Widths, in letters, of formulas with a line of their own, beside their matrix form, and beside words.
FULL, HALF, STEP = 72, 44, 46
WIDE = 112
ACCENT, SOFT, MATRIX, LINK = "yellow", "bright_black", "cyan", "default"


@dataclass(frozen=True)
class Shown:
    """A document as ``rich`` prints it: matrix forms and reasons beside formulas where the window is wide enough."""

    document: Document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        writer = _Wide() if options.max_width >= WIDE else _Narrow()
        title = Text("\n") + _words(self.document.title, "bold")
        blocks = Group(title, *(_block(block, writer) for block in self.document.blocks), Text())
        # A console that does not wrap would cut off what is long.
        yield from console.render(blocks, options.update(no_wrap=False, overflow="fold"))


def plain(document: Document, width: int = 120) -> str:
    """The document as text without colours."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False, _environ={})
    with console.capture() as capture:
        console.print(Shown(document))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"


def _block(block: Block, writer: _Wide | _Narrow) -> RenderableType:
    match block:
        case Heading(words, level):
            title = _words(words, "bold" if level == 3 else f"bold {ACCENT}")
            return Padding(title, (1, 0, 0 if level == 3 else 1, 0))
        case Paragraph(words):
            return Padding(_words(words, SOFT), (0, 0, 0, 2))
        case Formulas(lines):
            return Padding(writer.formulas(lines), (0, 0, 0, 4))
        case Steps(lines):
            return Padding(writer.steps(lines), (0, 0, 0, 4))
        case Fold(summary, blocks, _):
            return Padding(
                Group(_summary(summary, writer.beside), *(_block(inner, writer) for inner in blocks)), (0, 0, 1, 2)
            )
        case Folded(title, blocks):
            return Padding(
                Group(Text("• ", ACCENT) + _words(title, "bold"), *(_block(inner, writer) for inner in blocks)),
                (0, 0, 1, 2),
            )
        case Values():
            return Padding(Shades(block), (0, 0, 1, 4))
        case Panel(_, title, _, blocks):
            heading = Padding(_words(title, "bold"), (1, 0, 0, 0))
            return Group(heading, *(_block(inner, writer) for inner in blocks))
        case Legend(rows):
            table = _grid(2, gap=3)
            for sign, meaning in rows:
                table.add_row(_words(sign), _words(meaning, SOFT))
            return Padding(table, (0, 0, 1, 4))
        case Listing(title, text):
            return Padding(Group(Text(title, "bold"), Padding(Text(text), (0, 0, 0, 2))), (1, 0, 0, 2))


class _Wide:
    """Formulas in columns: left, right, matrix form or reason."""

    beside = 60  # how long a summary may be for its matrix form to stand beside it

    def formulas(self, lines: tuple[Line, ...]) -> RenderableType:
        table = _equations(4)
        for line in lines:
            # as Text, so that brackets are not taken for markup
            right, matrix = Text(f" = {_broken(line.right, HALF)}"), Text(_matrix(line, HALF), MATRIX)
            table.add_row(Text(_left(line)), _apart(right, 4), _apart(matrix, 3), _tag(line))
        return table

    def steps(self, lines: tuple[Line, ...]) -> RenderableType:
        table = _equations(3)
        table.columns[1].ratio, table.columns[2].ratio, table.expand = 3, 2, True
        for line in lines:
            style = SOFT if line.rule == "given" else ""
            right = Text(f" = {_broken(line.right, STEP)}")
            table.add_row(Text(_left(line)), _apart(right, 2), _why(line), style=style)
        return table


class _Narrow:
    """Formulas with their matrix form, and steps with their reason, below them."""

    beside = 36

    def formulas(self, lines: tuple[Line, ...]) -> RenderableType:
        table = _equations(3)
        for line in lines:
            table.add_row(Text(_left(line)), Text(f" = {_broken(line.right, HALF)}   "), _tag(line))
            if line.matrix is not None:
                left, right = line.matrix
                written = "" if left is None else box_text(left)
                table.add_row(Text(written, MATRIX), Text(f" = {_broken(right, HALF)}   ", MATRIX))
        return table

    def steps(self, lines: tuple[Line, ...]) -> RenderableType:
        table = _equations(2)
        for line in lines:
            style = SOFT if line.rule == "given" else ""
            table.add_row(Text(_left(line)), Text(f" = {_broken(line.right, STEP)}"), style=style)
            if line.rule != "given":
                table.add_row("", Padding(_why(line), (0, 0, 0, 5)))
        return table


def _grid(columns: int, gap: int = 0) -> Table:
    table = Table.grid(padding=(0, gap, 0, 0))
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table


def _equations(columns: int) -> Table:
    """A table whose first column, the left-hand sides, ends where the equals signs stand."""
    table = _grid(columns)
    table.columns[0].justify, table.columns[0].no_wrap = "right", True
    return table


def _apart(text: Text, gap: int) -> Padding:
    """Text with space between it and what stands to its right."""
    return Padding(text, (0, gap, 0, 0))


def _left(line: Line) -> str:
    return "" if line.left is None else box_text(line.left)


def _matrix(line: Line, width: float) -> str:
    if line.matrix is None:
        return ""
    left, right = line.matrix
    return f"{'' if left is None else box_text(left)} = {_broken(right, width)}"


def _tag(line: Line) -> Text:
    return Text(line.tag, f"bold {ACCENT}", no_wrap=True)


def _why(line: Line) -> Text:
    if line.rule == "given":
        return Text("given", SOFT)
    return Text(line.rule, ACCENT).append(": ", SOFT) + _words(line.note, SOFT)


def _broken(box: Box, width: float) -> str:
    return "\n     ".join(box_text(part).lstrip() for part in lines_of(box, width))


def _summary(line: Line, beside: int) -> Text:
    left = f"{_left(line)} = " if line.left is not None else ""
    text = Text("• ", ACCENT).append(f"{left}{_broken(line.right, FULL)}", "bold")
    if line.matrix is not None:
        text.append("    " if len(text) < beside else "\n    ")
        text.append(_matrix(line, FULL), MATRIX)
    return text


def _words(words: Words, style: str = "") -> Text:
    text = Text(style=style)
    for part in words:
        if isinstance(part, Link):
            text.append_text(_words(part.words, LINK))
        else:
            text.append(part if isinstance(part, str) else box_text(part))
    return text
