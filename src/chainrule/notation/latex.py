"""Boxes as LaTeX."""

from __future__ import annotations

import re
from typing import Any

from chainrule.equations.grammar import GREEK
from chainrule.equations.system import System
from chainrule.notation.compose import compose
from chainrule.notation.layout import (
    TIMES,
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
    tall,
)
from chainrule.notation.names import Names

_LETTERS = {letter: f"\\{word}" for word, letter in GREEK.items() if word not in ("inf", "infinity")}
_SIGNS = {
    "−": "-", "·": r"\cdot", "⊙": r"\odot", "mod": r"\bmod", "∑": r"\sum", "∂": r"\partial", "′": r"\prime",
    "⊤": r"\top", "…": r"\cdots", "∞": r"\infty", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≡": r"\equiv",
    "≈": r"\approx", "∇": r"\nabla", "‖": r"\|", "→": r"\to", "∘": r"\circ", "⊘": r"\oslash",
    "⋆": r"\star", "∗": r"\ast",
}  # fmt: skip
_WITHIN_WORDS = {**_LETTERS, "∂": r"\partial", "−": "-", "′": r"^\prime", "²": "^2", "³": "^3"}
_FENCES = {"⌊": r"\lfloor", "⌋": r"\rfloor", "‖": r"\|", "|": "|"}
_OPERATORS = {"log", "sin", "cos", "tanh", "max", "min", "exp"}
_SPECIAL = re.compile(r"([&%$#_{}])")


def latex(node: Any, names: Names | System | None = None) -> str:
    """An expression or equation as LaTeX, for use in math mode.  ``names``: how names are written, or their system."""
    if not isinstance(names, Names):
        names = Names(names or System(()))
    return box_latex(compose(node, names))


def box_latex(box: Box) -> str:
    """A box as LaTeX, for use in math mode."""
    match box:
        case Symbol():
            return _symbol(box)
        case Row(parts):
            return _row(parts)
        case Script(base, below, above):
            text = box_latex(base)
            if isinstance(base, (Row, Fraction, Script)):
                text = f"{{{text}}}"
            if below is not None:
                text += f"_{{{box_latex(below)}}}"
            if above is not None:
                marks = box_latex(above)
                text += "'" * (len(marks) // 6) if set(marks.split("\\")) == {"", "prime"} else f"^{{{marks}}}"
            return text
        case Fraction(above, below):
            return rf"\frac{{{box_latex(above)}}}{{{box_latex(below)}}}"
        case Root(body):
            return rf"\sqrt{{{box_latex(body)}}}"
        case Fence(left, body, right):
            left, right = _FENCES.get(left, left), _FENCES.get(right, right)
            if tall(body):
                return _join([rf"\left{left}", box_latex(body), rf"\right{right}"])
            return _join([left, box_latex(body), right])
        case Big(operator, below):
            if below is None:
                return box_latex(operator)
            name = {"∑": r"\sum", "max": r"\max", "min": r"\min"}.get(operator.text)
            name = name or rf"\operatorname*{{{operator.text}}}"
            return f"{name}_{{{box_latex(below)}}}"
        case Cases(rows):
            lines = [f"{box_latex(value)} & {box_latex(condition)}" for value, condition in rows]
            return r"\begin{cases} " + r" \\ ".join(lines) + r" \end{cases}"
        case Brace(body, note):
            return rf"\underbrace{{{box_latex(body)}}}_{{{box_latex(note)}}}"


def escape(text: str) -> str:
    """Words as LaTeX text."""
    text = text.replace("\\", r"\textbackslash ")
    return _SPECIAL.sub(r"\\\1", text)


def words_latex(text: str) -> str:
    """Words in which names of tensors may stand: letters that ``pdflatex`` has in mathematics only are set there."""
    return "".join(f"${_WITHIN_WORDS[letter]}$" if letter in _WITHIN_WORDS else escape(letter) for letter in text)


def _symbol(symbol: Symbol) -> str:
    text = symbol.text
    match symbol.kind:
        case "times":
            return r"\,"
        case "space":
            return r"\;"
        case "text":
            return rf"\text{{{words_latex(text)}}}"
        case "bold":
            return rf"\mathbf{{{text}}}"
        case "name":
            return f"\\{text}" if text in _OPERATORS else rf"\operatorname{{{_letters(escape(text))}}}"
        case "number":
            return text.replace("−", "-").replace("∞", r"\infty")
    return _SIGNS.get(text) or _LETTERS.get(text) or escape(text)


def _letters(text: str) -> str:
    return "".join(_LETTERS[letter] + " " if letter in _LETTERS else letter for letter in text)


def _row(parts: tuple[Box, ...]) -> str:
    """Side by side, with spaces around signs in the source and none before a big operator."""
    pieces: list[str] = []
    for position, part in enumerate(parts):
        if isinstance(part, Symbol) and part.kind in ("sum", "relation", "product"):
            pieces.append(f" {_symbol(part)} ")
        elif not (part == TIMES and isinstance(parts[position + 1], Big)):
            pieces.append(box_latex(part))
    return _join(pieces)


def _join(pieces: list[str]) -> str:
    """Side by side; a space only where a command would swallow the letter that follows."""
    text = ""
    for piece in pieces:
        if re.search(r"\\[a-zA-Z]+$", text) and re.match(r"[a-zA-Z0-9]", piece):
            text += " "
        text += piece
    return text.strip()
