"""The numbers of a tensor in a terminal: a line that sums them up; few in full, more as a map of darker signs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from chainrule.notation.document import Values
from chainrule.notation.sheets import LEVELS, Sheet, Sheets, alike, described, levels, sheets, shown
from chainrule.notation.text import box_text, plain_words

Array = NDArray[Any]

# Up to how many numbers are written, and rows, columns and sheets of them; sides and number of the maps.
WRITTEN, WRITTEN_ROWS, WRITTEN_COLUMNS, WRITTEN_SHEETS = 60, 12, 10, 4
MAP_SIDE, MAPS = 32, 8
GAP, MAP_GAP = 2, 3  # letters between two numbers, between two maps
DARKER = "·░▒▓█"
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SOFT, POSITIVE, NEGATIVE = "bright_black", "yellow", "blue"


@dataclass(frozen=True, eq=False)
class Shades:
    """The numbers of a tensor under a line that says what they come to, in as many columns as there is room for."""

    block: Values

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _values(self.block, options.max_width)


def _values(block: Values, width: int) -> RenderableType:
    title = plain_words(block.title)
    if not block.axes:
        return Text(f"{title}{' ' if title else ''}= {shown(block.numbers[()], 6)}")
    axes = ", ".join(f"{box_text(axis)} {n:,}" for axis, n in zip(block.axes, block.numbers.shape, strict=True))
    said = Text(f"{title}{' · ' if title else ''}{axes} · {described(block.numbers)}", SOFT)
    laid = sheets(block.axes, block.numbers)
    shades = levels(block.numbers).reshape(-1)
    if alike(block.numbers):
        return said
    if laid.rows == 1 and len(laid.sheets) == 1 and block.numbers.size <= WRITTEN:
        return Group(said, *_row(laid.sheets[0], shades, width))
    if len(laid.sheets) <= WRITTEN_SHEETS and laid.rows <= WRITTEN_ROWS and laid.columns <= WRITTEN_COLUMNS:
        return Group(said, *(table for sheet in laid.sheets for table in _written(sheet, laid, block, shades, width)))
    if max(laid.rows, laid.columns) <= MAP_SIDE:
        shown_maps = [_map(sheet, laid, block, shades) for sheet in laid.sheets[:MAPS]]
        left_out = len(laid.sheets) - len(shown_maps)
        note = [Text(f"and {left_out} more like these", SOFT)] if left_out else []
        grid = Table.grid(padding=(0, MAP_GAP, 0, 0))
        across = max(1, width // (2 * laid.columns + MAP_GAP))
        for first in range(0, len(shown_maps), across):
            grid.add_row(*shown_maps[first : first + across])
        return Group(said, grid, *note)
    return said


def _row(sheet: Sheet, shades: Array, width: int) -> Iterator[RenderableType]:
    """The numbers of a vector below their positions, in as many lines as they need."""
    numbers, at = sheet.numbers[0], sheet.at[0]
    across = _across(numbers, width)
    across -= across % 5 if 5 < across < numbers.size else 0  # so that positions are easily counted
    table = _numbers()
    for first in range(0, numbers.size, across):
        some = slice(first, first + across)
        table.add_row(*(Text(str(place).translate(LOWERED), SOFT) for place in range(numbers.size)[some]))
        table.add_row(*map(_cell, numbers[some], shades[at[some]]))
    yield _right(table)


def _written(sheet: Sheet, laid: Sheets, block: Values, shades: Array, width: int) -> Iterator[RenderableType]:
    """A matrix with its rows and columns numbered; where it is too wide, its columns in several tables."""
    corner = _where(sheet, laid, block)
    across = _across(sheet.numbers, width - max(len(corner), len(str(laid.rows))) - GAP)
    for first in range(0, laid.columns, across):
        some = slice(first, first + across)
        table = _numbers()
        table.add_row(Text(corner, SOFT), *(Text(str(place), SOFT) for place in range(laid.columns)[some]))
        for row, (numbers, at) in enumerate(zip(sheet.numbers, sheet.at, strict=True)):
            table.add_row(Text(str(row), SOFT), *map(_cell, numbers[some], shades[at[some]]))
        yield _right(table)


def _across(numbers: Array, width: int) -> int:
    """How many columns of these numbers fit beside each other without one being cut."""
    widest = max(len(shown(number)) for number in numbers.flat)
    return max(1, min(WRITTEN_COLUMNS, width // (widest + GAP)))


def _numbers() -> Table:
    return Table.grid(padding=(0, GAP, 0, 0))


def _right(table: Table) -> Table:
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
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
