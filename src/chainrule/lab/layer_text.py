"""Small changes to the texts of a set-up: a line for each layer, dropout between layers, the rate of an optimizer.

The texts stay what is edited; these functions only find their parts.  Nothing here evaluates anything: a text that
cannot be read is given back as it is, and what is wrong with it is said where it is checked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

# Layers that have weights and so are worth dropping inputs of, but for convolutions, whose inputs are alike.
_DROPPED_BEFORE = ("Dense", "Linear")


def layers_in(network: str) -> tuple[str, ...]:
    """The layers of a network's text, each as it is written; the whole text where it cannot be taken apart."""
    source = f"Network({network})"
    try:
        call = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError):
        call = None
    if not isinstance(call, ast.Call):
        return tuple(filter(None, (network.strip(),)))
    return tuple(ast.get_source_segment(source, part) or "" for part in (*call.args, *(k.value for k in call.keywords)))


def as_lines(network: str) -> str:
    """A network with a line for each layer."""
    return "\n".join(layers_in(network))


def from_lines(lines: str) -> str:
    """The network that lines make: a comma after each line that ends outside parentheses."""
    parts: list[str] = []
    depth = 0
    for line in filter(None, (line.strip() for line in lines.splitlines())):
        if depth > 0 and parts:
            parts[-1] += " " + line
        else:
            parts.append(line)
        depth += sum(line.count(mark) for mark in "([{") - sum(line.count(mark) for mark in ")]}")
    return ", ".join(part.rstrip(", ") for part in parts)


def with_dropout(network: str, share: float) -> str:
    """The network with this dropout before each dense layer but the first, in place of the dropout it has."""
    layers = [layer for layer in layers_in(network) if not layer.startswith("Dropout(")]
    made: list[str] = []
    for layer in layers:
        if share and made and name_of(layer) in _DROPPED_BEFORE:
            made.append(f"Dropout({share:g})")
        made.append(layer)
    return ", ".join(made)


def dropout_of(network: str) -> float:
    """The dropout of a network, of the first layer of it; 0 where there is none."""
    for layer in layers_in(network):
        found = re.fullmatch(r"Dropout\((?:\w+=)?([\d.eE-]+)\)", layer)
        if found:
            return float(found[1])
    return 0.0


def with_outputs(network: str, units: int) -> str:
    """The network with this many units in its last layer, where that is a dense one."""
    *others, last = layers_in(network) or ("",)
    return ", ".join((*others, f"Dense({units})")) if re.fullmatch(r"Dense\(\d+\)", last) else network


def name_of(call: str) -> str:
    """``Adam`` of ``Adam(0.001)``."""
    return call.partition("(")[0].strip()


def first_number(call: str, keyword: str) -> float | None:
    """The number of a call that is its first argument or has this keyword: 0.001 of ``Adam(0.001)``."""
    found = _argument(call, keyword)
    return float(found.value) if isinstance(found, ast.Constant) and isinstance(found.value, int | float) else None


def with_number(call: str, keyword: str, value: float, *, positional: bool = True) -> str:
    """The call with this number as its first argument, or, unless ``positional``, as its keyword."""
    found = _argument(call, keyword, positional)
    number = f"{value:g}"
    if found is not None and found.end_col_offset is not None:
        return call[: found.col_offset] + number + call[found.end_col_offset :]
    name, inside = name_of(call), _inside(call)
    argument = number if positional else f"{keyword}={number}"
    parts: Sequence[str] = (argument, inside) if positional else (inside, argument)
    return f"{name}({', '.join(filter(None, parts))})"


def _inside(call: str) -> str:
    return call.partition("(")[2].rpartition(")")[0].strip()


def _argument(call: str, keyword: str, positional: bool = True) -> ast.expr | None:
    """The first argument or the one with the keyword; its offsets are characters only where the text is ASCII."""
    try:
        parsed = ast.parse(call, mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(parsed, ast.Call) or not call.isascii():
        return None
    named = next((one.value for one in parsed.keywords if one.arg == keyword), None)
    return parsed.args[0] if named is None and positional and parsed.args else named
