"""The numbers of a tensor in a terminal: a line that sums them up; few in full, more as a map of darker signs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chainrule.notation.document import Values
from chainrule.notation.sheets import LEVELS, Sheet, Sheets, alike, described, levels, sheets, shown
from chainrule.notation.text import box_text, plain_words

Array = NDArray[Any]

# Up to how many numbers are written, and rows, columns and sheets of them; sides and number of the maps.
WRITTEN, WRITTEN_ROWS, WRITTEN_COLUMNS, WRITTEN_SHEETS = 60, 12, 10, 4
MAP_SIDE, MAPS = 32, 8
DARKER = "·░▒▓█"
SOFT, POSITIVE, NEGATIVE = "bright_black", "yellow", "blue"


def values(block: Values) -> RenderableType:
    """The numbers of a tensor under a line that says what they come to."""
    title = plain_words(block.title)
    if not block.axes:
        return Text(f"{title}{' ' if title else ''}= {shown(block.numbers[()], 6)}")
    axes = ", ".join(f"{box_text(axis)} {n:,}" for axis, n in zip(block.axes, block.numbers.shape, strict=True))
    said = Text(f"{title}{' · ' if title else ''}{axes} · {described(block.numbers)}", SOFT)
    laid = sheets(block.axes, block.numbers)
    shades = levels(block.numbers).reshape(-1)
    if alike(block.numbers):
        return said
    if laid.rows == 1 and block.numbers.size <= WRITTEN:
        return Group(said, _row(laid.sheets[0], shades))
    if len(laid.sheets) <= WRITTEN_SHEETS and laid.rows <= WRITTEN_ROWS and laid.columns <= WRITTEN_COLUMNS:
        return Group(said, *(_written(sheet, laid, block, shades) for sheet in laid.sheets))
    if max(laid.rows, laid.columns) <= MAP_SIDE:
        shown_maps = [_map(sheet, laid, block, shades) for sheet in laid.sheets[:MAPS]]
        left_out = len(laid.sheets) - len(shown_maps)
        note = [Text(f"and {left_out} more like these", SOFT)] if left_out else []
        grid = Table.grid(padding=(0, 3, 0, 0))
        across = max(1, 88 // (2 * laid.columns + 3))
        for first in range(0, len(shown_maps), across):
            grid.add_row(*shown_maps[first : first + across])
        return Group(said, grid, *note)
    return said


def _row(sheet: Sheet, shades: Array) -> RenderableType:
    """Numbers in lines of ten, each line beginning with the position of its first."""
    table = Table.grid(padding=(0, 2, 0, 0))
    many = sheet.numbers.size > WRITTEN_COLUMNS
    for first in range(0, sheet.numbers.size, WRITTEN_COLUMNS):
        some = slice(first, first + WRITTEN_COLUMNS)
        label = [Text(str(first), SOFT)] if many else []
        table.add_row(*label, *map(_cell, sheet.numbers[0, some], shades[sheet.at[0, some]]))
    for column in table.columns:
        column.justify = "right"
    return table


def _written(sheet: Sheet, laid: Sheets, block: Values, shades: Array) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row(Text(_where(sheet, laid, block), SOFT), *(Text(str(n), SOFT) for n in range(laid.columns)))
    for row, (numbers, at) in enumerate(zip(sheet.numbers, sheet.at, strict=True)):
        table.add_row(Text(str(row), SOFT), *map(_cell, numbers, shades[at]))
    for column in table.columns:
        column.justify = "right"
    return table


def _map(sheet: Sheet, laid: Sheets, block: Values, shades: Array) -> Text:
    """A sign for each number, twice, as letters are twice as high as wide; what is 0 is empty."""
    text = Text(no_wrap=True)
    where = _where(sheet, laid, block)
    if where:
        text.append(f"{where}\n", SOFT)
    for at in sheet.at:
        for level in shades[at]:
            text.append(2 * _sign(int(level)), _colour(int(level)))
        text.append("\n")
    return text


def _sign(level: int) -> str:
    return " " if level == 0 else DARKER[(abs(level) * len(DARKER) - 1) // LEVELS]


def _cell(number: Any, level: np.integer[Any]) -> Text:
    return Text(shown(number), _colour(int(level)) if abs(int(level)) > LEVELS // 3 else "")


def _colour(level: int) -> str:
    return POSITIVE if level > 0 else NEGATIVE if level < 0 else ""


def _where(sheet: Sheet, laid: Sheets, block: Values) -> str:
    return ", ".join(f"{box_text(block.axes[axis])} = {at}" for axis, at in zip(laid.others, sheet.others, strict=True))
