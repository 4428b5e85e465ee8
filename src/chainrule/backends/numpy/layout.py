"""Long statements of generated code over several lines, as a formatter would break them."""

from __future__ import annotations

import re
import textwrap


def wrapped(line: str, width: int) -> list[str]:
    """The statement or comment in lines of at most ``width`` characters, as far as there is a place to break it."""
    if len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    text = line.lstrip()
    if text.startswith("#"):
        return textwrap.wrap(line, width, subsequent_indent=f"{indent}#     ", break_long_words=False)
    start = re.match(r"(return |[\w, ()]+(\[[^=]*\])? [-+*]?= )?", text)
    head = start[0] if start else ""
    return _broken(indent, head, text[len(head) :], "", width)


def _broken(indent: str, head: str, text: str, tail: str, width: int) -> list[str]:
    """``head text tail``, the text broken at its outermost sums, else arguments, else products."""
    if len(indent) + len(head) + len(text) + len(tail) <= width:
        return [f"{indent}{head}{text}{tail}"]
    inner = indent + "    "
    terms = _split(text, (" + ", " - "))
    if len(terms) == 1 and not _call(text):
        terms = _split(text, (" * ", " @ ", " / "))
    if len(terms) > 1:
        lines = [f"{indent}{head}("]
        for operator, term in terms:
            lines += _broken(inner, operator.lstrip(), term, "", width)
        return [*lines, f"{indent}){tail}"]
    opening = _call(text)
    if opening:
        lines = [f"{indent}{head}{text[:opening]}"]
        for _, argument in _split(text[opening:-1], (", ",)):
            lines += _broken(inner, "", argument, ",", width)
        return [*lines, f"{indent}{text[-1]}{tail}"]
    return [f"{indent}{head}{text}{tail}"]


def _split(text: str, operators: tuple[str, ...]) -> list[tuple[str, str]]:
    """The parts of the text between operators outside of brackets, each with the operator before it."""
    parts = [("", "")]
    depth = place = 0
    while place < len(text):
        found = next((o for o in operators if depth == 0 and text.startswith(o, place)), None)
        if found and not (found == ", " and not parts[-1][1]):
            parts.append((found, ""))
            place += len(found)
            continue
        depth += (text[place] in "([") - (text[place] in ")]")
        parts[-1] = (parts[-1][0], parts[-1][1] + text[place])
        place += 1
    return parts


def _call(text: str) -> int:
    """Past the parenthesis that opens the arguments, if the whole text is the call of a named function; else 0."""
    if not text.endswith(")"):
        return 0
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] in ")]") - (text[place] in "([")
        if depth == 0:
            return place + 1 if re.fullmatch(r"[\w.]+", text[:place]) else 0
    return 0
