"""Scalar functions of arrays, written so that shapes fit and the dtype stays what it is.

NumPy keeps float32 when an array meets a Python number, but not when it meets an array of integers or of truth
values that has met a Python number first; the casts are written where that would happen.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from chainrule.backends.numpy.value import (
    ATOM,
    COMPARE,
    PRODUCT,
    SUM,
    UNARY,
    Value,
    aligned,
    integer,
    joint_axes,
    literal,
    real,
)
from chainrule.backends.numpy.writer import Axes, Writer
from chainrule.equations.evaluate import numpy_function
from chainrule.equations.functions import COMPARISONS, FUNCTIONS


def settled(w: Writer, values: Sequence[Value]) -> list[Value]:
    """Arrays that are the same in every step get a name when they meet one that is not."""
    if all(value.constant for value in values):
        return list(values)
    return [w.constant(value, _constant_name(value)) if value.constant and value.axes else value for value in values]


def _constant_name(value: Value) -> str:
    return (
        "mask"
        if value.kind == "truth" or ">" in value.text or "<" in value.text
        else f"constant_{'_'.join(value.axes)}"
    )


def strong(w: Writer, value: Value) -> Value:
    """A Python number as a scalar of the program's dtype."""
    if not value.weak:
        return value
    return replace(value, text=f"{w.dtype}({value.text})", weak=False, kind="real", binding=ATOM, number=None)


def add(w: Writer, terms: Sequence[tuple[int, Value]], wanted: Axes, whole: bool) -> Value:
    """Σ ±term; ``whole`` if all terms are integers."""
    number = sum((sign * value.number for sign, value in terms if value.number is not None), 0)
    values = [
        (sign, integer(value) if whole else real(value, w.dtype)) for sign, value in terms if value.number is None
    ]
    if not values and isinstance(number, float) and len(terms) > 1:
        text = "".join(f"{' - ' if sign < 0 else ' + '}{value.bound(PRODUCT)}" for sign, value in terms)
        text = text.removeprefix(" + ") if terms[0][0] > 0 else "-" + text.removeprefix(" - ")
        return replace(literal(number), text=text, binding=SUM)
    if not values:
        return literal(number)
    if number:
        values.append((-1, literal(-number)) if number < 0 else (1, literal(number)))
    if values[0][0] < 0 and any(sign > 0 for sign, _ in values):
        first = next(place for place, (sign, _) in enumerate(values) if sign > 0)
        values.insert(0, values.pop(first))
    operands = settled(w, [value for _, value in values])
    axes = joint_axes(operands, wanted)
    pieces: list[str] = []
    for (sign, _), value in zip(values, operands, strict=True):
        text = aligned(value, axes, SUM if sign > 0 and not pieces else PRODUCT)
        pieces.append(f"{' - ' if sign < 0 else ' + '}{text}" if pieces else f"{'-' if sign < 0 else ''}{text}")
    binding = SUM if len(values) > 1 else UNARY if values[0][0] < 0 else operands[0].binding
    if len(values) == 1 and values[0][0] > 0:
        return operands[0]
    if len(values) == 1:
        pieces = [f"-{operands[0].bound(UNARY)}"]
    return _made("".join(pieces), axes, "integer" if whole else "real", binding, operands)


def multiply(w: Writer, factors: Sequence[Value], wanted: Axes) -> Value:
    """Π factors.  Truth values come last: what they multiply must have the program's dtype by then."""
    number: int | float = math.prod(value.number for value in factors if value.number is not None)
    values = [value for value in factors if value.number is None]
    if not values:
        return literal(number)
    kinds = {value.kind for value in values} | ({"real"} if isinstance(number, float) else set())
    numbers = [value for value in factors if value.number is not None and value.number != 1]
    if abs(number) != 1:
        values.insert(0, numbers[0] if len(numbers) == 1 and number > 0 else literal(abs(number)))
    if "real" in kinds:
        values = [real(value, w.dtype) if value.kind == "integer" else value for value in values]
        truths = [value for value in values if value.kind == "truth" and not value.weak]
        others = [value for value in values if value.kind != "truth" or value.weak]
        if truths and all(value.weak for value in others):
            truths[0] = real(truths[0], w.dtype)
        values = [*others, *truths]
        kind = "real"
    elif "integer" in kinds or abs(number) != 1:
        kind = "integer"
        if abs(number) != 1:
            values[1:] = [integer(value) for value in values[1:]]
    else:
        kind = "truth"
    operands = settled(w, values)
    axes = joint_axes(operands, wanted)
    text = aligned(operands[0], axes, PRODUCT)
    for value in operands[1:]:
        text += f" * {aligned(value, axes, UNARY)}"
    binding = PRODUCT if len(operands) > 1 else operands[0].binding
    product = replace(operands[0]) if len(operands) == 1 else _made(text, axes, kind, binding, operands)
    if number >= 0:
        return product
    product = integer(product)
    return replace(product, text=f"-{product.bound(UNARY)}", binding=UNARY)


def divide(w: Writer, above: Value, below: Value, wanted: Axes, below_is_nonzero: bool) -> Value:
    """A quotient of reals."""
    if above.number is not None and below.number is not None:
        return folded("/", [above, below])
    above, below = real(above, w.dtype), real(below, w.dtype)
    if below.number == 1:
        return above
    if below.weak and not below_is_nonzero:
        below = strong(w, below)
    operands = settled(w, [above, below])
    axes = joint_axes(operands, wanted)
    text = f"{aligned(operands[0], axes, PRODUCT)} / {aligned(operands[1], axes, UNARY)}"
    return _made(text, axes, "real", PRODUCT, operands)


def select(w: Writer, condition: Value, yes: Value, no: Value, wanted: Axes) -> Value:
    """yes where the condition holds, no elsewhere."""
    whole = yes.kind != "real" and no.kind != "real"
    if all(value.weak for value in (condition, yes, no)):
        text = f"({yes.text} if {condition.text} else {no.text})"
        return _made(text, (), "integer" if whole else "real", ATOM, [condition, yes, no])
    if not whole:
        yes, no = real(yes, w.dtype), real(no, w.dtype)
        if yes.weak and no.weak:
            yes, no = strong(w, yes), strong(w, no)
    else:
        yes, no = integer(yes), integer(no)
    return _call(w, "np.where({0}, {1}, {2})", [condition, yes, no], wanted, "integer" if whole else "real")


def masked(w: Writer, condition: Value, value: Value, wanted: Axes) -> Value:
    """The value where the condition holds, 0 elsewhere, whatever the value is there."""
    return select(w, condition, value, literal(0), wanted)


def function(w: Writer, name: str, arguments: Sequence[Value], wanted: Axes) -> Value:
    """A function of the catalogue, in the catalogue's own NumPy form."""
    row = FUNCTIONS[name]
    if all(value.number is not None for value in arguments):
        return folded(name, arguments)
    if name in COMPARISONS:
        return _call(w, row.numpy, arguments, wanted, "truth")
    whole = row.integer and all(value.kind != "real" for value in arguments)
    arguments = [integer(value) if whole else real(value, w.dtype) for value in arguments]
    if name == "^" and arguments[0].weak and arguments[0].number is None:
        arguments[0] = strong(w, arguments[0])
    if all(value.weak for value in arguments) and name not in ("//", "%", "^"):
        made = _call(w, row.numpy, arguments, wanted, "integer" if whole else "real")
        kind = "int" if whole else "float"
        return replace(made, text=f"{kind}({made.text})", binding=ATOM, weak=True)
    return _call(w, row.numpy, arguments, wanted, "integer" if whole else "real")


def folded(name: str, arguments: Sequence[Value]) -> Value:
    """A function of known numbers."""
    if name == "π":
        return Value("np.pi", weak=True, constant=True, number=math.pi)
    with np.errstate(all="ignore"):
        result = np.asarray(numpy_function(name)(*(np.asarray(value.number) for value in arguments))).item()
    whole = name in COMPARISONS or (FUNCTIONS[name].integer and all(value.kind != "real" for value in arguments))
    return literal(int(result) if whole else float(result))


@cache
def _template(text: str) -> tuple[int, tuple[int, ...]]:
    """How tightly a template binds, and how tightly each of its arguments must."""
    count = len(set(re.findall(r"\{(\d)\}", text)))
    tree = ast.parse(text.format(*(f"x{n}" for n in range(count))), mode="eval").body
    binding = ATOM
    if isinstance(tree, ast.BinOp) and not text.startswith("("):
        binding = SUM if isinstance(tree.op, ast.Add | ast.Sub) else PRODUCT
        binding = UNARY if isinstance(tree.op, ast.Pow) else binding
    elif isinstance(tree, ast.UnaryOp):
        binding = UNARY
    places = []
    for n in range(count):
        free = re.search(rf"(?<=[(,])\s*\{{{n}\}}(?=[,)])", text) is not None
        compared = re.search(rf"\(\{{{n}\}} [=!<>]|[=!<>]=? \{{{n}\}}\)", text) is not None
        places.append(COMPARE if free else SUM if compared else ATOM)
    return binding, tuple(places)


def _call(w: Writer, template: str, arguments: Sequence[Value], wanted: Axes, kind: str) -> Value:
    binding, places = _template(template)
    operands = settled(w, arguments)
    for n, value in enumerate(operands):
        if template.count(f"{{{n}}}") > 1:
            operands[n] = w.named(value, "argument")
    axes = joint_axes(operands, wanted)
    texts = [aligned(value, axes, place) for value, place in zip(operands, places, strict=True)]
    return _made(template.format(*texts), axes, kind, binding, operands)


def _made(text: str, axes: Axes, kind: str, binding: int, operands: Sequence[Value]) -> Value:
    weak = all(value.weak for value in operands)
    return Value(text, axes, kind, binding, weak, all(value.constant for value in operands))
