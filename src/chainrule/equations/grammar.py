"""The grammar of the text form, and text to syntax trees: names, statements, what could not be read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from chainrule.equations.node import REDUCTIONS
from chainrule.errors import EquationError, Source

GRAMMAR = r"""
?statement: "axis" axis_item ("," axis_item)*              -> axes
          | ROLE input_item ("," input_item)*              -> inputs
          | target "=" sum                                 -> equation
axis_item: NAME ["=" sum]
input_item: target ["=" signed_number] ["~" NAME]
target: NAME ["[" [axis_name ("," axis_name)*] "]"]
axis_name: NAME | ELLIPSIS

?sum: signed ((PLUS | MINUS) signed)*
?signed: product | MINUS product                           -> negative
?product: power (MULTIPLY power)*
?power: atom | atom POWER exponent
?exponent: atom | MINUS atom                               -> negative
?atom: NUMBER                                              -> number
     | NAME                                                -> name
     | ELLIPSIS                                            -> name
     | NAME "[" [argument ("," argument)*] "]"             -> access
     | NAME "[" [argument ("," argument)*] "]" "(" argument ")" -> reduce
     | NAME "(" [argument ("," argument)*] ")"             -> call
     | "[" comparison "]"                                  -> bracket
     | "(" sum ")"                                         -> group
?argument: sum | comparison
comparison: sum COMPARE sum [COMPARE sum]
signed_number: [MINUS] NUMBER

ROLE.2: /(data|integer|parameter|state|random)(?=\s)/
PLUS: "+"
MINUS: "-" | "−"
MULTIPLY: "*" | "//" | "/" | "%" | "·" | "⋅" | "×"
POWER.2: "^" | "**"
COMPARE: "<=" | ">=" | "==" | "!=" | "≤" | "≥" | "≠" | "<" | ">" | "="
ELLIPSIS: "..." | "…"
NUMBER: /(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?/
NAME: /((∂|partial\s+)[²³]?)*([^\W\d]|[∑∞])[\w₀-₉]*(\.\w+)*['′]*/
%ignore /\s+/
"""

_GREEK = (
    "alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ "
    "sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ "
    "Psi Ψ Omega Ω infinity ∞ inf ∞"
)
GREEK = dict(zip(_GREEK.split()[::2], _GREEK.split()[1::2], strict=True))
_GREEK_WORD = re.compile(rf"(?<![^\W\d_²³])({'|'.join(GREEK)})(?![^\W\d_])")
# Characters that look alike or mean the same in a name: micro sign, variant Greek letters, prime, subscript digits.
_SAME = str.maketrans("µϵϕϑϱ∑′₀₁₂₃₄₅₆₇₈₉", "μεφθρΣ'0123456789")
SIGNS = {"≤": "<=", "≥": ">=", "≠": "!=", "==": "=", "−": "-", "·": "*", "⋅": "*", "×": "*"}
REDUCTION_NAMES = {**{name: name for name in REDUCTIONS}, "Σ": "sum"}


def canonical_name(name: str) -> str:
    """A name with Greek letters as letters and ``partial`` as ``∂``: ``partial beta1`` and ``∂β₁`` are ``∂β1``."""
    if name == "…":
        return "..."
    name = re.sub(r"partial\s+", "∂", name).translate(_SAME)
    return _GREEK_WORD.sub(lambda word: GREEK[word[1]], name)


@lru_cache(maxsize=2)
def _grammar(start: str) -> Lark:
    return Lark(GRAMMAR, parser="lalr", start=start, propagate_positions=True, maybe_placeholders=True)


def syntax_tree(source: Source, start: str) -> Tree[Token]:
    """The tree of a statement (``start="statement"``) or of an expression (``"sum"``)."""
    try:
        return _grammar(start).parse(source.text)
    except UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        raise EquationError(f"unexpected character {source.text[at]!r}", source, (at, at + 1)) from None
    except UnexpectedToken as error:
        raise _unexpected(error, source, start) from None


def _unexpected(error: UnexpectedToken, source: Source, start: str) -> EquationError:
    token, expected = error.token, set(error.expected)
    ended = token.type == "$END"
    at = len(source.text.rstrip()) if ended else token.start_pos or 0
    open_at = _open_brackets(source.text[:at])
    never = _open_brackets(source.text)
    if never and (ended or token.type in ("COMPARE", "EQUAL", "NAME", "ROLE")):
        return EquationError(f"{source.text[never[0]]!r} is never closed", source, (never[0], never[0] + 1))
    if ended and start == "statement" and "EQUAL" in expected:
        return EquationError("an equation needs '=' and a right-hand side", source, (at, at + 1))
    found = "the line ends" if ended else f"unexpected {str(token)!r}"
    hint = _hint(token, expected, source.text[open_at[-1]] if open_at else "", source.text[:at])
    return EquationError(found + (f"; {hint}" if hint else ""), source, (at, at + (1 if ended else len(token))))


def _hint(token: Token, expected: set[str], opening: str, before: str) -> str:
    """What to write instead; ``opening`` is the innermost bracket that is open, ``before`` the text so far."""
    left = "=" not in before
    if token.type == "ROLE":
        return f"{token} begins a declaration; it cannot be a name"
    if "NAME" in expected and "NUMBER" in expected:
        return "expected an expression"
    if "NUMBER" in expected:
        return "expected a number"
    if left:
        if opening == "[":
            return "on the left of '=' stand the names of axes"
        if token.type == "LPAR":
            return "axes stand in square brackets"
        return "expected '='" if "EQUAL" in expected else "expected a name"
    if token.type == "COMPARE":
        return "a comparison stands in square brackets: [a < b]"
    if token.type == "POWER":
        return "which power comes first? Write (a^b)^c or a^(b^c)"
    if str(token) in "²³":
        return f"a power is written ^{'23'['²³'.index(token)]}"
    bodyless = re.search(rf"({'|'.join(REDUCTION_NAMES)})\s*\[[^\]]*\]\s*$", before)
    if bodyless:
        return f"the body of {bodyless[1]} stands in parentheses"
    if token.type in ("NAME", "NUMBER", "LPAR") and "MULTIPLY" in expected:
        return "a product is written with *"
    if token.type == "RSQB" and "COMPARE" in expected:
        return "square brackets around an expression make a comparison: [a < b]"
    closing = {"(": "')'", "[": "']'"}.get(opening)
    return f"expected {closing}" if closing else ""


def _open_brackets(text: str) -> list[int]:
    """Where the brackets stand that are open at the end of the text, outermost first."""
    open_at: list[int] = []
    for at, mark in enumerate(text):
        if mark in "([":
            open_at.append(at)
        elif mark in ")]" and open_at:
            open_at.pop()
    return open_at


def statements(text: str, file: str) -> Iterator[Source]:
    """Statements with their line numbers: comments blanked, lines joined while a bracket is open."""
    waiting: list[str] = []
    first = depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("#", 1)[0].rstrip()
        if not waiting:
            first = number
        if not waiting and not code.strip():
            continue
        waiting.append(code)
        depth += sum(code.count(mark) for mark in "([") - sum(code.count(mark) for mark in ")]")
        if depth <= 0:
            yield Source("\n".join(waiting), file, first)
            waiting, depth = [], 0
    if waiting:
        yield Source("\n".join(waiting), file, first)


def target_of(tree: Any) -> tuple[str, tuple[str, ...], tuple[int, int]]:
    name, *axes = tree.children
    return (canonical_name(name), tuple(canonical_name(a.children[0]) for a in axes if a is not None), span_of(tree))


def literal(token: Any, source: Source) -> int | float:
    """The value of a number; whole ones that no machine integer holds are real."""
    if re.fullmatch(r"\d+", token) and int(token) < 2**63:
        return int(token)
    if math.isinf(float(token)):
        raise EquationError(f"{token} is too large for a number; infinity is written ∞", source, token_span(token))
    return float(token)


def span_of(tree: Any) -> tuple[int, int]:
    return (tree.meta.start_pos, tree.meta.end_pos)


def token_span(token: Any) -> tuple[int, int]:
    return (token.start_pos, token.end_pos)
