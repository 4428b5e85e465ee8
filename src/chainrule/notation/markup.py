"""Elements of HTML and SVG as text, and numbers as they are printed."""

from __future__ import annotations

import math
from html import escape

from chainrule.notation.breaking import lines_of
from chainrule.notation.layout import EQUALS, Box, row
from chainrule.notation.mathml import box_mathml

MINUS = "−"


def text(value: object) -> str:
    """Text that a user or a file gave, harmless in an element and in an attribute."""
    return escape(str(value), quote=True)


def number(value: float, digits: int = 4) -> str:
    """A number as it is read: four digits, the minus sign of mathematics, powers of ten written out."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    written = f"{value:.{digits}g}"
    mantissa, _, exponent = written.partition("e")
    written = f"{mantissa}·10{_raised(int(exponent))}" if exponent else written
    return written.replace("-", MINUS)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _raised(exponent: int) -> str:
    return str(exponent).translate(_RAISED)


def count(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(value: int, word: str) -> str:
    return f"{count(value)} {word}{'' if value == 1 else 's'}"


def sized(axes: tuple[str, ...], shape: tuple[int, ...]) -> str:
    """Axes with their sizes: ``b 32 · j 30``."""
    return " · ".join(f"<i>{text(axis)}</i>\N{NO-BREAK SPACE}{size}" for axis, size in zip(axes, shape, strict=True))


def formula(left: Box | None, right: Box, width: float = 60) -> str:
    """``left = right`` in displayed style, broken into lines of ``width`` letters; without ``left``, ``= right``."""
    first, *others = lines_of(right, width)
    start = row(EQUALS, first) if left is None else row(left, EQUALS, first)
    more = "".join(f'<span class="more">{_math(other)}</span>' for other in others)
    return f'<span class="formula">{_math(start)}{more}</span>'


def symbol(box: Box) -> str:
    """A box within words."""
    return f"<math>{box_mathml(box)}</math>"


def _math(box: Box) -> str:
    return f'<math displaystyle="true">{box_mathml(box)}</math>'


def scrolling(inside: str, name: str, kind: str = "scroll") -> str:
    """Markup that may be wider than the page: it scrolls, also by keyboard, and ``name`` says what it is."""
    return f'<div class="{kind}" role="group" tabindex="0" aria-label="{text(name)}">{inside}</div>'


def note(words: str) -> str:
    """A quiet line where there is nothing to show."""
    return f'<p class="note">{text(words)}</p>'
