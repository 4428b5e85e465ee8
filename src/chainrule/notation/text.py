"""Boxes as one line of text for a terminal: Σᵢ xᵢ W⁽¹⁾ᵢⱼ, with Unicode's own subscripts and superscripts where it has
all the letters, and ``_{…}`` and ``^(…)`` where it has not."""

from __future__ import annotations

from typing import Any

from chainrule.equations.system import System
from chainrule.notation.compose import compose
from chainrule.notation.document import Link, Words
from chainrule.notation.layout import (
    ATOM,
    POWER,
    PRIME,
    PRODUCT,
    TRANSPOSED,
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
    tightness,
)
from chainrule.notation.names import Names

_BELOW = dict(zip("0123456789aehijklmnoprstuvxβγρφχ+−=()", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ₊₋₌₍₎", strict=True))
_BELOW |= {"′": "′"}
_ABOVE = dict(zip("0123456789n+−=()i", "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁺⁻⁼⁽⁾ⁱ", strict=True)) | {"⊤": "ᵀ", "′": "′"}


def text(node: Any, names: Names | System | None = None) -> str:
    """An expression or equation as a line of Unicode text.  ``names``: how names are written, or their system."""
    if not isinstance(names, Names):
        names = Names(names or System(()))
    return box_text(compose(node, names))


def box_text(box: Box) -> str:
    """A box as a line of Unicode text."""
    match box:
        case Symbol():
            return _symbol(box)
        case Row(parts):
            return _row(parts)
        case Script(base, below, above):
            return _script(base, below, above)
        case Fraction(above, below):
            if _differential(above) and _differential(below):
                return f"{box_text(above)}/{box_text(below)}"
            return f"{_closed(above, PRODUCT)}/{_closed(below, POWER)}"
        case Root(body):
            return "√" + _closed(body, ATOM)
        case Fence(left, body, right):
            return f"{left}{box_text(body)}{right}"
        case Big(operator, below):
            name = "Σ" if operator.text == "∑" else operator.text
            return name if below is None else name + _below(below)
        case Cases(rows):
            return "{ " + "; ".join(f"{box_text(value)} {box_text(condition)}" for value, condition in rows) + " }"
        case Brace(body, note):
            return f"{box_text(body)} ({box_text(note)})"


def plain_words(words: Words) -> str:
    """Words as a line of Unicode text; links are the words that open them."""
    return "".join(
        part if isinstance(part, str) else plain_words(part.words) if isinstance(part, Link) else box_text(part)
        for part in words
    )


def _symbol(symbol: Symbol) -> str:
    match symbol.kind:
        case "sum" | "relation" | "product" if symbol.text != "·":
            return f" {symbol.text} "
        case "times" | "space":
            return " "
        case "comma":
            return ", "
    return symbol.text


def _row(parts: tuple[Box, ...]) -> str:
    line = ""
    for position, part in enumerate(parts):
        before = parts[position - 1] if position else None
        if isinstance(part, Symbol) and part.kind == "times" and isinstance(before, Fraction):
            following = parts[position + 1]
            line += " " if isinstance(following, Big) else " · "
            continue
        if isinstance(part, Fraction) and isinstance(before, Symbol) and before.kind == "times":
            written = f"({box_text(part)})" if not _differential(part.above) else box_text(part)
        else:
            written = box_text(part)
        if isinstance(before, Big) or (isinstance(part, Big) and isinstance(before, Symbol) and before.kind == "name"):
            line += " "
        line += written
    return line


def _differential(box: Box) -> bool:
    """∂C or ∂z, which needs no parentheses in a fraction."""
    return isinstance(box, Row) and len(box.parts) == 2 and box.parts[0] == Symbol("∂", "mark")


def _closed(box: Box, place: int) -> str:
    """Text in parentheses where a line could not be read without them."""
    loose = tightness(box) < place or isinstance(box, Fraction)
    return f"({box_text(box)})" if loose else box_text(box)


def _script(base: Box, below: Box | None, above: Box | None) -> str:
    line = box_text(base)
    if isinstance(base, (Row, Fraction, Script)):
        line = f"({line})"
    # A number above (a layer) stands before the axes, so that they do not part it from its letter; a power after them.
    raised = _above(above) if above is not None else ""
    lowered = _below(below) if below is not None else ""
    return line + (raised + lowered if above is not None and _is_layer(above) else lowered + raised)


def _is_layer(above: Box) -> bool:
    first = above.parts[0] if isinstance(above, Row) else above
    return isinstance(first, Fence) or (isinstance(first, Symbol) and (first.kind == "text" or first.text == "′"))


def _below(box: Box) -> str:
    written = box_text(box).replace(" ", "")
    if all(letter in _BELOW for letter in written):
        return "".join(_BELOW[letter] for letter in written)
    return f"_{written}" if written.isalnum() else f"_{{{written}}}"


def _above(box: Box) -> str:
    if isinstance(box, Row) and (box.parts[-1] == TRANSPOSED or box.parts[0] == PRIME):
        return "".join(map(_above, box.parts))  # a layer and marks
    written = box_text(box).replace(" ", "")
    if all(letter in _ABOVE for letter in written):
        return "".join(_ABOVE[letter] for letter in written)
    return f"^{written}" if written.removeprefix("∘").isalnum() else f"^({written})"
