"""The numbers of a tensor in a page: few as shaded cells with their numbers, more as shaded cells, many as an image.

Shades are of two colours, one for each sign, over whatever colour the page has.  A cell whose element has a panel is a
link to it; of an image, those elements are listed below.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.notation.document import Values, Words
from chainrule.notation.markup import scrolling
from chainrule.notation.mathml import math_element
from chainrule.notation.sheets import LEVELS, Sheet, Sheets, alike, coarse, described, levels, positions, sheets, shown
from chainrule.notation.text import box_text, plain_words

Array = NDArray[Any]

# Up to how many numbers are written, and how many cells are drawn; sides of what is written, of sheets and of images.
WRITTEN, WRITTEN_ROW, DRAWN = 200, 40, 800
WRITTEN_COLUMNS, SHEET_SIDE, IMAGE_SIDE = 12, 28, 64
IMAGE_WIDTH, IMAGE_HEIGHT, LOWEST = 600, 320, 18  # of an image on the page, in its own pixels scaled up
MOST_SHEETS = 64
POSITIVE, NEGATIVE = (214, 108, 32), (46, 120, 190)
STRONGEST = 62  # of a shade, in per cent, so that numbers can be read on it

STYLE = (
    """
.chainrule { --plus: #d66c20; --minus: #2e78be; }
.chainrule figure.values { margin: .5rem 0 1.1rem; max-width: 100%; }
.chainrule figure.scalar { display: flex; gap: .6rem; align-items: baseline; }
.chainrule figure.values > figcaption { color: var(--soft); font-size: .87rem; margin: 0 0 .35rem; }
.chainrule .values :is(.row, table, img) { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.chainrule .values .row { display: grid; grid-template-columns: repeat(auto-fill, 4.1rem); gap: 2px;
  font-variant-numeric: tabular-nums; }
.chainrule .values .row > * { padding: .1rem .35rem .15rem; text-align: right; font-size: .84rem;
  line-height: 1.3; border-radius: .2rem; box-sizing: border-box; }
.chainrule .values .row i { display: block; font-style: normal; font-size: .68rem;
  text-align: left; }
.chainrule .values a { color: inherit; text-decoration: none; }
.chainrule .values .row a, .chainrule .values table.written a { box-shadow: inset 0 -1.5px 0 var(--accent); }
.chainrule .values a:is(:hover, :focus-visible) { outline: 2px solid var(--accent); outline-offset: -1px; }
.chainrule .values .sheets { display: flex; flex-wrap: wrap; gap: .7rem 1rem; align-items: flex-end; }
.chainrule .values table { border-collapse: separate; border-spacing: 1px; }
.chainrule .values caption, .chainrule .values th { color: var(--soft); font-weight: 400; font-size: .74rem;
  text-align: left; padding: 0 .2rem; }
.chainrule .values table.written td { font-size: .82rem; text-align: right; border-radius: .2rem;
  font-variant-numeric: tabular-nums; }
.chainrule .values table.written td > * { display: block; padding: .1rem .35rem; min-width: 2.6rem;
  box-sizing: border-box; }
.chainrule .values table.drawn { border-spacing: 0; border: 1px solid var(--line); }
.chainrule .values table.drawn td { padding: 0; width: .8rem; height: .8rem; }
.chainrule .values table.linked td { width: 1.5rem; height: 1.5rem; }
.chainrule .values table.drawn a { display: block; height: 100%; min-height: 1.5rem;
  box-shadow: inset 0 0 0 1px var(--accent); }
.chainrule .values img { image-rendering: pixelated; border: 1px solid var(--line); max-width: 100%; display: block; }
.chainrule .values .open { font-size: .84rem; color: var(--soft); margin: .3rem 0 0; max-width: none; }
.chainrule .values .open a { color: var(--accent); text-decoration: underline; white-space: nowrap; }
"""
    + "\n".join(
        f".chainrule .{sign}{level} {{ background: color-mix(in srgb, var(--{colour}) "
        f"{round(STRONGEST * level / LEVELS)}%, transparent); }}"
        for sign, colour in (("p", "plus"), ("m", "minus"))
        for level in range(1, LEVELS + 1)
    )
    + "\n"
)


def values_html(block: Values, words: Callable[[Words], str]) -> str:
    """The numbers of a tensor; ``words`` writes words."""
    identity = f' id="{escape(block.name)}"' if block.name else ""
    axes = ", ".join(
        f"{math_element(axis, display=False)} {size:,}"
        for axis, size in zip(block.axes, block.numbers.shape, strict=True)
    )
    if not block.axes:
        cell = _written_cell((), block, 0, "")
        return (
            f'<figure class="values scalar"{identity}><figcaption>{words(block.title)} =</figcaption>'
            f'<div class="row">{cell}</div></figure>'
        )
    caption = f"{words(block.title)}{' · ' if block.title else ''}{axes} · {described(block.numbers)}"
    return f'<figure class="values"{identity}><figcaption>{caption}</figcaption>{_drawn(block)}</figure>'


def _drawn(block: Values) -> str:
    if alike(block.numbers) and not block.panels:
        return ""
    laid, shades = sheets(block.axes, block.numbers), levels(block.numbers).reshape(-1)
    count = block.numbers.size
    if laid.rows <= 1 and len(laid.sheets) <= 1 and count <= (WRITTEN if block.panels else WRITTEN_ROW):
        return f'<div class="row">{"".join(_row(laid, block, shades))}</div>'
    if count <= WRITTEN and laid.columns <= WRITTEN_COLUMNS:
        return _tables("written", laid, block, shades)
    if count <= DRAWN and max(laid.rows, laid.columns) <= SHEET_SIDE:
        return _tables("drawn linked" if block.panels else "drawn", laid, block, shades)
    return _image(laid, block) + _opened(block)


def _row(laid: Sheets, block: Values, shades: Array) -> Iterator[str]:
    for sheet in laid.sheets:
        for place, flat in zip(positions(sheet.at[0], block.numbers.shape), sheet.at[0], strict=True):
            label = "" if laid.column is None else f"<i>{place[laid.column]}</i>"
            yield _written_cell(place, block, int(shades[flat]), label)


def _written_cell(place: tuple[int, ...], block: Values, level: int, label: str) -> str:
    kind = f' class="{_class(level)}"' if level else ""
    text = f"{label}{shown(block.numbers[place])}"
    panel = block.panels.get(place)
    return f"<span{kind}>{text}</span>" if panel is None else f'<a{kind} href="#{escape(panel)}">{text}</a>'


def _class(level: int) -> str:
    return f"{'p' if level > 0 else 'm'}{abs(level)}"


def _tables(kind: str, laid: Sheets, block: Values, shades: Array) -> str:
    write = _written_table if kind == "written" else _drawn_table
    tables = "".join(
        f'<table class="{kind}">{_caption(sheet, laid, block)}{write(sheet, laid, block, shades)}</table>'
        for sheet in laid.sheets
    )
    return scrolling(f'<div class="sheets">{tables}</div>', plain_words(block.title) or "numbers")


def _caption(sheet: Sheet, laid: Sheets, block: Values) -> str:
    where = ", ".join(
        f"{math_element(block.axes[axis], display=False)} = {at}"
        for axis, at in zip(laid.others, sheet.others, strict=True)
    )
    return f"<caption>{where}</caption>" if where else ""


def _written_table(sheet: Sheet, laid: Sheets, block: Values, shades: Array) -> str:
    corner = "<td></td>" if laid.row is not None else ""
    head = "".join(f'<th scope="col">{column}</th>' for column in range(laid.columns))
    rows = []
    for row, at in enumerate(sheet.at):
        cells = "".join(
            f"<td{_kind(int(shades[flat]))}>{_written_cell(place, block, 0, '')}</td>"
            for place, flat in zip(positions(at, block.numbers.shape), at, strict=True)
        )
        side = f'<th scope="row">{row}</th>' if laid.row is not None else ""
        rows.append(f"<tr>{side}{cells}</tr>")
    return f"<tr>{corner}{head}</tr>{''.join(rows)}"


def _drawn_table(sheet: Sheet, laid: Sheets, block: Values, shades: Array) -> str:
    rows = []
    for at in sheet.at:
        cells = []
        for place, flat in zip(positions(at, block.numbers.shape), at, strict=True):
            panel = block.panels.get(place)
            inside = ""
            if panel is not None:
                label = f"{list(place)} = {shown(block.numbers[place])}"
                inside = f'<a href="#{escape(panel)}" title="{label}" aria-label="{label}"></a>'
            cells.append(f"<td{_kind(int(shades[flat]))}>{inside}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return "".join(rows)


def _kind(level: int) -> str:
    return f' class="{_class(level)}"' if level else ""


def _opened(block: Values) -> str:
    """The elements that can be opened, where there are no cells to do so."""
    if not block.panels:
        return ""
    links = ", ".join(
        f'<a href="#{escape(panel)}">[{",".join(map(str, place))}] {shown(block.numbers[place])}</a>'
        for place, panel in block.panels.items()
    )
    return f'<p class="open">open {links}</p>'


def _image(laid: Sheets, block: Values) -> str:
    found = laid.sheets[:MOST_SHEETS]
    side = min(IMAGE_SIDE, int(2 * IMAGE_SIDE / len(found) ** 0.5))
    parts = [coarse(sheet.numbers, side) for sheet in found]
    largest = float(np.abs(np.nan_to_num(block.numbers.astype(float), posinf=0, neginf=0)).max(initial=0.0)) or 1.0
    shades = [np.rint(np.nan_to_num(part, posinf=0, neginf=0) / largest * LEVELS).astype(int) for part, _, _ in parts]
    picture = _beside(shades)
    height, width = picture.shape
    scale = max(1, min(8, IMAGE_WIDTH // width, IMAGE_HEIGHT // height))
    high = max(height * scale, LOWEST)
    notes = []
    if parts[0][1] * parts[0][2] > 1:
        notes.append(f"of every {parts[0][1]} × {parts[0][2]} the largest")
    if len(laid.sheets) > MOST_SHEETS:
        notes.append(f"the first {MOST_SHEETS} of {len(laid.sheets):,}")
    note = f'<p class="open">{"; ".join(notes)}</p>' if notes else ""
    axes = " × ".join(f"{box_text(axis)} {size}" for axis, size in zip(block.axes, block.numbers.shape, strict=True))
    alt = escape(f"{plain_words(block.title)} {axes}: {described(block.numbers)}")
    data = base64.b64encode(png(picture)).decode()
    return f'<img src="data:image/png;base64,{data}" width="{width * scale}" height="{high}" alt="{alt}">{note}'


def _beside(pictures: list[Array]) -> Array:
    """Pictures of one size in rows, with a line between them."""
    height, width = pictures[0].shape
    across = max(1, min(len(pictures), IMAGE_WIDTH // (4 * (width + 1))))
    down = -(-len(pictures) // across)
    whole = np.zeros((down * (height + 1) - 1, across * (width + 1) - 1), int)
    for number, picture in enumerate(pictures):
        top, left = number // across * (height + 1), number % across * (width + 1)
        whole[top : top + height, left : left + width] = picture
    return whole


def png(shades: Array) -> bytes:
    """An image of shades from −9 to 9, the background transparent: PNG with a palette (ISO/IEC 15948)."""
    strength = [round(255 * min(1, 1.3 * STRONGEST / 100 * level / LEVELS)) for level in range(LEVELS + 1)]
    palette = bytes(NEGATIVE) * LEVELS + bytes(POSITIVE) * (LEVELS + 1)
    opacity = bytes([*strength[:0:-1], *strength])
    height, width = shades.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with the number of its filter, none
    rows[:, 1:] = shades + LEVELS
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts: Mapping[bytes, bytes] = {
        b"IHDR": header,
        b"PLTE": palette,
        b"tRNS": opacity,
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts.items())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
