"""A piece of generated Python: its text, and what is known of the value that the text has.

An array has one dimension for each of its ``axes`` and none for the axes on which it does not depend; what makes
two arrays fit (transposes, ``[:, None]``) is written only where they meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

# How tightly Python's operators bind.
COMPARE, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)


@dataclass(frozen=True)
class Value:
    """``kind``: real (of the program's dtype), integer or truth.

    ``weak``: a Python number, which takes the dtype of the array that it meets.  ``number``: its value if that is
    known.  ``constant``: an array that depends on sizes only, so that it need not be made again in every step.
    """

    text: str
    axes: tuple[str, ...] = ()
    kind: str = "real"
    binding: int = ATOM
    weak: bool = False
    constant: bool = False
    number: int | float | None = None

    def bound(self, place: int) -> str:
        """The text, in parentheses if it binds less tightly than its place asks."""
        return self.text if self.binding >= place else f"({self.text})"

    @property
    def atom(self) -> str:
        return self.bound(ATOM)


def literal(number: int | float) -> Value:
    """A Python number."""
    kind = "real" if isinstance(number, float) else "integer"
    text = repr(number)
    if text in ("inf", "-inf", "nan"):
        text = text.replace("inf", "np.inf").replace("nan", "np.nan")
    return Value(text, (), kind, UNARY if text.startswith("-") else ATOM, weak=True, constant=True, number=number)


def real(value: Value, dtype: str) -> Value:
    """The value as one of the program's dtype; Python numbers stay what they are."""
    if value.kind == "real" or value.weak:
        return value
    if value.text.startswith("np.arange(") and value.binding == ATOM and value.text.count("(") == 1:
        return replace(value, text=f"{value.text[:-1]}, dtype={dtype})", kind="real")
    return replace(value, text=f"{value.atom}.astype({dtype})", kind="real", binding=ATOM)


def integer(value: Value) -> Value:
    """Truth values as 0 and 1."""
    if value.kind != "truth":
        return value
    if value.weak:
        return replace(value, text=f"int({value.text})", kind="integer", binding=ATOM)
    return replace(value, text=f"{value.atom}.astype(int)", kind="integer", binding=ATOM)


def arranged(value: Value, axes: tuple[str, ...]) -> Value:
    """The value with its dimensions in the order of ``axes`` (the same axes)."""
    if value.axes == axes:
        return value
    places = [value.axes.index(name) for name in axes]
    if len(places) == 2:
        text = f"{value.atom}.T"
    elif places == [*range(len(places) - 2), len(places) - 1, len(places) - 2]:
        text = f"{value.atom}.mT"
    else:
        text = f"{value.atom}.transpose({', '.join(map(str, places))})"
    return replace(value, text=text, axes=axes, binding=ATOM)


def expanded(value: Value, axes: tuple[str, ...]) -> str:
    """The text, such that its dimensions line up with ``axes`` by NumPy's broadcasting."""
    value = arranged(value, tuple(name for name in axes if name in value.axes))
    if not value.axes:
        return value.text
    missing = [name not in value.axes for name in axes]
    first = missing.index(False)
    places = ["None" if gap else ":" for gap in missing[first:]]
    if "None" not in places:
        return value.text
    while places[-1] == ":":
        places.pop()
    return f"{value.atom}[{', '.join(places)}]"


def joint_axes(values: Sequence[Value], wanted: Iterable[str]) -> tuple[str, ...]:
    """The axes of several arrays together: as the widest has them if it has all, else in the order wanted."""
    every = dict.fromkeys(name for value in values for name in value.axes)
    widest = max(values, key=lambda value: len(value.axes), default=None)
    if widest is not None and len(widest.axes) == len(every):
        return widest.axes
    order = [name for name in dict.fromkeys(wanted) if name in every]
    return (*order, *(name for name in every if name not in order))


def aligned(value: Value, axes: tuple[str, ...], place: int) -> str:
    """The text as an operand among arrays whose dimensions are ``axes``."""
    text = expanded(value, axes)
    return value.bound(place) if text == value.text else text


def dropped(value: Value, axes: Iterable[str], method: str) -> Value:
    """A reducing method of NumPy arrays over some of the value's axes."""
    over = set(axes)
    places = [place for place, name in enumerate(value.axes) if name in over]
    kept = tuple(name for name in value.axes if name not in over)
    if not kept:
        inside = ""
    elif len(places) == 1:
        inside = f"axis={places[0]}"
    else:
        inside = f"axis=({', '.join(map(str, places))})"
    return replace(value, text=f"{value.atom}.{method}({inside})", axes=kept, binding=ATOM)
