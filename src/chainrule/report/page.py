"""Parts of a page as HTML: sections, tables, figures with their captions; numbers and names as they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

MINUS = "−"


@dataclass(frozen=True)
class Section:
    """A part of a report: ``name`` for links to it, ``title``, and its inside as HTML."""

    name: str
    title: str
    body: str

    @property
    def html(self) -> str:
        return (
            f'<section id="{self.name}" aria-labelledby="{self.name}-title">'
            f'<h2 id="{self.name}-title">{escape(self.title)}</h2>\n{self.body}\n</section>'
        )


@dataclass(frozen=True)
class Cell:
    """What stands in a table: HTML, and the class of its cell."""

    html: str
    kind: str = ""
    style: str = ""


def paragraph(text: str) -> str:
    """Words, escaped."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Words that explain what stands above."""
    return f'<p class="note">{escape(text)}</p>'


def heading(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


def figure(drawing: str, caption: str, *, wide: bool = True) -> str:
    """A drawing and what it shows."""
    kind = "" if wide else ' class="narrow"'
    return f"<figure{kind}>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def side_by_side(*parts: str, kind: str = "") -> str:
    """Parts beside each other where there is room; ``three`` of them, if that is their kind."""
    return f'<div class="{f"beside {kind}".strip()}">{"".join(parts)}</div>'


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell | str | float | int]],
    *,
    numbers: Iterable[int] = (),
    kind: str = "",
) -> str:
    """A table with a caption; the first cell of each row is its heading, the columns ``numbers`` stand to the right.

    Text is escaped, a ``Cell`` holds HTML.
    """
    right = frozenset(numbers)
    head = "".join(
        f'<th scope="col"{_right(k in right)}>{escape(name)}</th>' if name else "<td></td>"
        for k, name in enumerate(heads)
    )
    lines = []
    for row in rows:
        first, *others = row
        cells = [f'<th scope="row">{_inside(first)}</th>']
        cells += [_cell(value, k in right) for k, value in enumerate(others, 1)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    of = f' class="{kind}"' if kind else ""
    return scrolling(
        f"<table{of}><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>",
        caption,
    )


def scrolling(inside: str, label: str) -> str:
    """What may be wider than the page; a keyboard reaches it, to scroll it."""
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{escape(label)}">{inside}</div>'


def _right(right: bool) -> str:
    return ' class="number"' if right else ""


def _inside(value: Cell | str | float | int) -> str:
    return value.html if isinstance(value, Cell) else escape(written(value))


def _cell(value: Cell | str | float | int, right: bool) -> str:
    kinds = ["number"] if right else []
    style = ""
    if isinstance(value, Cell):
        kinds += [value.kind] if value.kind else []
        style = f' style="{value.style}"' if value.style else ""
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<td{kind}{style}>{_inside(value)}</td>"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, as a list of definitions."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="terms">{items}</dl>'


def fold(summary: str, inside: str, *, opened: bool = False) -> str:
    """What is shown when its line is clicked, and on paper."""
    state = " open" if opened else ""
    return f'<details class="part"{state}><summary>{escape(summary)}</summary><div>{inside}</div></details>'


def written(value: Any, digits: int = 4) -> str:
    """A number as it is read: four digits, a real minus, powers of ten only where they must be; text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    number = float(value)
    if math.isnan(number):
        return "–"
    if number.is_integer() and abs(number) < 1e15:
        return f"{int(number):,}".replace("-", MINUS)
    if 1000 <= abs(number) < 1e15:
        return f"{number:,.{max(0, digits - len(str(int(abs(number)))))}f}".replace("-", MINUS)
    text = f"{number:.{digits}g}"
    if "e" in text:
        mantissa, _, power = text.partition("e")
        text = f"{mantissa}·10{_raised(int(power))}"
    return text.replace("-", MINUS)


def percent(share: float, digits: int = 1) -> str:
    """A share as per cent."""
    return f"{100 * share:.{digits}f} %"


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def shortened(text: str, most: int) -> str:
    """The beginning of a long text."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
