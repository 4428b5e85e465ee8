"""The grammar of the text form, and text to syntax trees: names, statements, what could not be read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import REDUCTIONS
from chainrule.equations.system import ROLES
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
?product: power (MULTIPLY factor)*
?factor: power | MINUS power                               -> negative
?power: atom | atom POWER exponent                         | atom SUPERSCRIPT -> raised
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
SUPERSCRIPT: /[⁺⁻]?[⁰¹²³⁴-⁹]+/
NAME: /((∂|partial\s+)[²³]*)*([^\W\d⁰¹²³⁴-⁹]|[∑∞])[^\W⁰¹²³⁴-⁹]*(\.[^\W⁰¹²³⁴-⁹]+)*['′]*/
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
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
REDUCTION_NAMES = {**{name: name for name in REDUCTIONS}, "Σ": "sum"}


def canonical_name(name: str) -> str:
    """A name with Greek letters as letters and ``partial`` as ``∂``: ``partial beta1`` and ``∂β₁`` are ``∂β1``."""
    if name == "…":
        return "..."
    name = re.sub(r"partial\s+", "∂", name).translate(_SAME)
    return _GREEK_WORD.sub(lambda word: GREEK[word[1]], name)


def is_function(name: str) -> bool:
    """Whether a name is taken: functions, constants, reductions and ``size`` name no tensors."""
    return name in FUNCTIONS or name in REDUCTION_NAMES or name == "size"


@cache
def _grammar() -> Lark:
    starts = ["statement", "sum"]
    return Lark(GRAMMAR, parser="lalr", start=starts, propagate_positions=True, maybe_placeholders=True)


def syntax_tree(source: Source, start: str) -> Tree[Token]:
    """The tree of a statement (``start="statement"``) or of an expression (``"sum"``)."""
    try:
        return _grammar().parse(source.text, start)
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
    word = source.text.strip()
    if ended and (word in ROLES or word == "axis"):
        what = "an axis" if word == "axis" else "a tensor"
        return EquationError(f"{word} needs the name of {what}", source, (at, at + 1))
    if ended and start == "statement" and "EQUAL" in expected:
        return EquationError("an equation needs '=' and a right-hand side", source, (at, at + 1))
    found = "the line ends" if ended else f"unexpected {str(token)!r}"
    hint = _hint(token, expected, source.text[open_at[-1]] if open_at else "", source.text[:at], source.text[at:])
    return EquationError(found + (f"; {hint}" if hint else ""), source, (at, at + (1 if ended else len(token))))


def _hint(token: Token, expected: set[str], opening: str, before: str, rest: str) -> str:
    """What to write instead; ``opening`` is the innermost bracket that is open, ``before`` the text up to the token."""
    if token.type == "ROLE":
        return f"{token} begins a declaration; it cannot be a name"
    if "NAME" in expected and "NUMBER" in expected:
        return "expected an expression"
    if "NUMBER" in expected:
        return "expected a number"
    if "=" not in before:
        return _hint_left(token, expected, opening, before)
    word = re.search(r"(?<!\w)(and|or|not|if)\s*$", before + str(token)) or re.search(r"\b(not|if)\s*$", before)
    if word:
        return _CONDITIONS[word[1]]
    if token.type == "COMPARE":
        return f"a comparison stands in brackets: [{_left_part(before)} {token} {_right_part(rest[len(token) :])}]"
    if token.type in ("POWER", "SUPERSCRIPT"):
        return _hint_powers(token, before, rest)
    if token.type == "RSQB" and "COMPARE" in expected:
        return "square brackets around an expression make a comparison: [a < b]"
    if token.type in ("NAME", "NUMBER", "LPAR", "LSQB") and "MULTIPLY" in expected:
        return _hint_product(token, before)
    closing = {"(": "')'", "[": "']'"}.get(opening)
    return f"expected {closing}" if closing else ""


def _hint_left(token: Token, expected: set[str], opening: str, before: str) -> str:
    if opening == "[":
        return "on the left of '=' stand the names of axes"
    declares = before.split(maxsplit=1)[:1] in [[word] for word in (*ROLES, "axis")]
    if declares and token.type == "NAME" and "COMMA" in expected:
        return "a comma is missing before it"
    if token.type == "LPAR":
        return "axes stand in square brackets"
    return "expected '='" if "EQUAL" in expected else "expected a name"


_CONDITIONS = {
    "and": "both conditions are the product of their brackets: [a < b]*[c < d]",
    "or": "either of two conditions is max([a < b], [c < d])",
    "not": "the opposite of a condition is 1 - [a < b]",
    "if": "a choice is written where([a < b], x, y)",
}
_OPERAND = r"[\w.'′∂]+(?:\[[^\[\]]*\]|\([^()]*\))?|\([^()]*\)"


def _hint_powers(token: Token, before: str, rest: str) -> str:
    """For ``x^y^2``: which of the two powers comes first must be said."""
    first = re.search(rf"({_OPERAND})\s*(?:\^|\*\*)\s*(-?(?:{_OPERAND}))\s*$", before)
    second = re.match(rf"\s*(-?(?:{_OPERAND}))", rest[len(token) :])
    if token.type == "POWER" and first and second:
        return (
            f"which power comes first? Write ({first[1]}^{first[2]})^{second[1]} or {first[1]}^({first[2]}^{second[1]})"
        )
    return "which power comes first? Write (a^b)^c or a^(b^c)"


def _hint_product(token: Token, before: str) -> str:
    bodyless = re.search(rf"\b(({'|'.join(REDUCTION_NAMES)})\s*\[[^\]]*\])\s*$", before)
    if bodyless:
        return f"{bodyless[1]} needs a body in parentheses: {bodyless[1]}(…)"
    named = re.search(rf"\b({'|'.join(REDUCTION_NAMES)})_(\w+)\s*$", before)
    if named:
        return f"a reduction is written {named[1]}[{named[2]}](…)"
    if re.search(r"[⁰¹²³⁴-⁹]\s*$", before) and token.type in ("LPAR", "LSQB"):
        return "a power stands last: x[b]^2, tanh(x)^2"
    if re.search(r"\d$", before) and re.fullmatch(r"(_\d+)+", token):
        return "the digits of a number stand together"
    return "expected an operator (+ - * / ^); a product is written with *"


def _left_part(before: str) -> str:
    """What stands before a comparison, back to the bracket, comma or equals sign where it begins."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        depth += (before[at] in ")]") - (before[at] in "([")
        if depth < 0 or (depth == 0 and before[at] in ",="):
            return before[at + 1 :].strip()
    return before.strip()


def _right_part(rest: str) -> str:
    """What stands after a comparison, up to where it ends."""
    depth = 0
    for at, mark in enumerate(rest):
        depth += (mark in "([") - (mark in ")]")
        if depth < 0 or (depth == 0 and (mark in ",<>=≤≥≠" or re.match(r"\s(and|or|if|else)\s", rest[at:]))):
            return rest[:at].strip()
    return rest.strip()


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
    if re.fullmatch(r"\d{1,19}", token) and int(token) < 2**63:
        return int(token)
    if math.isinf(float(token)):
        raise EquationError(f"{token} is too large for a number; infinity is written ∞", source, token_span(token))
    return float(token)


def span_of(tree: Any) -> tuple[int, int]:
    return (tree.meta.start_pos, tree.meta.end_pos)


def token_span(token: Any) -> tuple[int, int]:
    return (token.start_pos, token.end_pos)
