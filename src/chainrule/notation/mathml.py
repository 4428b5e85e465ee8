"""Boxes as MathML Core, which browsers draw themselves: no scripts, no fonts to fetch."""

from __future__ import annotations

from html import escape
from typing import Any

from chainrule.equations.system import System
from chainrule.notation.compose import compose
from chainrule.notation.layout import (
    PRIME,
    Big,
    Box,
    Brace,
    Cases,
    Fence,
    Fraction,
    Root,
    Row,
    Script,
    Symbol,
    row,
    tall,
)
from chainrule.notation.names import Names

_SPACES = {"times": "0.17em", "space": "0.28em"}


def mathml(node: Any, names: Names | System | None = None) -> str:
    """An expression or equation as a ``math`` element.  ``names``: how names are written, or their system."""
    if not isinstance(names, Names):
        names = Names(names or System(()))
    return math_element(compose(node, names))


def math_element(box: Box, display: bool = True) -> str:
    """A box as a ``math`` element, for a line of its own or within words."""
    attribute = ' display="block"' if display else ""
    return f"<math{attribute}>{box_mathml(box)}</math>"


def box_mathml(box: Box) -> str:
    """A box as the inside of a ``math`` element."""
    match box:
        case Symbol():
            return _symbol(box)
        case Row(parts):
            return f"<mrow>{''.join(box_mathml(part) for part in parts)}</mrow>"
        case Script(base, below, above):
            base, above = _primes_to_base(base, above)
            if below is None and above is None:
                return box_mathml(base)
            tag = "msub" if above is None else "msup" if below is None else "msubsup"
            inner = "".join(box_mathml(part) for part in (base, below, above) if part is not None)
            return f"<{tag}>{inner}</{tag}>"
        case Fraction(above, below):
            return f"<mfrac>{box_mathml(above)}{box_mathml(below)}</mfrac>"
        case Root(body):
            return f"<msqrt>{box_mathml(body)}</msqrt>"
        case Fence(left, body, right):
            stretchy = "true" if tall(body) else "false"
            opening = f'<mo fence="true" form="prefix" stretchy="{stretchy}">{left}</mo>'
            closing = f'<mo fence="true" form="postfix" stretchy="{stretchy}">{right}</mo>'
            return f"<mrow>{opening}{box_mathml(body)}{closing}</mrow>"
        case Big(operator, below):
            sign = (
                '<mo largeop="true" movablelimits="true">∑</mo>'
                if operator.text == "∑"
                else f'<mo movablelimits="true" lspace="0.17em" rspace="0.17em">{operator.text}</mo>'
            )
            return sign if below is None else f"<munder>{sign}{box_mathml(below)}</munder>"
        case Cases(rows):
            cells = "".join(
                f'<mtr><mtd class="case">{box_mathml(value)}</mtd><mtd class="case">{box_mathml(condition)}</mtd></mtr>'
                for value, condition in rows
            )
            return f'<mrow><mo fence="true" form="prefix" stretchy="true">{{</mo><mtable>{cells}</mtable></mrow>'
        case Brace(body, note):
            braced = f'<munder>{box_mathml(body)}<mo stretchy="true">⏟</mo></munder>'
            return f"<munder>{braced}{box_mathml(note)}</munder>"


def _primes_to_base(base: Box, above: Box | None) -> tuple[Box, Box | None]:
    """Primes beside the base instead of above it: their glyph is raised already."""
    marks = above.parts if isinstance(above, Row) else () if above is None else (above,)
    primes = tuple(mark for mark in marks if mark == PRIME)
    others = tuple(mark for mark in marks if mark != PRIME)
    return row(base, *primes), row(*others) if others else None


def _symbol(symbol: Symbol) -> str:
    text = escape(symbol.text)
    match symbol.kind:
        case "variable":
            return f"<mi>{text}</mi>"
        case "name":
            return f'<mi mathvariant="normal">{text}</mi>' if len(symbol.text) == 1 else f"<mi>{text}</mi>"
        case "number":
            sign, digits = ('<mo form="prefix">−</mo>', text[1:]) if text.startswith("−") else ("", text)
            return f"<mrow>{sign}<mn>{digits}</mn></mrow>" if sign else f"<mn>{digits}</mn>"
        case "text":
            return f"<mtext>{text}</mtext>"
        case "bold":
            return f'<mn class="bold">{text}</mn>'
        case "times" | "space":
            return f'<mspace width="{_SPACES[symbol.kind]}"></mspace>'
        case "minus":
            return '<mo form="prefix">−</mo>'
        case "comma":
            return '<mo separator="true">,</mo>'
        case "mark":
            return (
                f'<mi mathvariant="normal">{text}</mi>' if text in "∂∞⊤∇" else f'<mo lspace="0" rspace="0">{text}</mo>'
            )
    return f'<mo form="infix">{text}</mo>'
