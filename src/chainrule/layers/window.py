"""Windows that slide along axes: what convolution and pooling have in common.

Position p of the output sees the positions ``stride·p + dilation·u - before`` of the input, for all u of the window;
``before`` and ``after`` are how far the windows reach beyond the two ends of the axis, where everything is 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chainrule.definition import check_count, definition_system
from chainrule.equations.node import Apply, Equation, access, axis
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor

# One number for all axes, or one entry for each axis, which may be a pair (before, after).
Padding = str | int | tuple[int | tuple[int, int], ...]
Counts = int | tuple[int, ...]

# The names of the axes in definitions: of the input, of the output, of the window.
PLACES = {1: ("h",), 2: ("h", "w"), 3: ("d", "h", "w")}
SLID = {1: ("p",), 2: ("p", "q"), 3: ("p", "q", "r")}
WINDOW = {1: ("u",), 2: ("u", "v"), 3: ("u", "v", "s")}


@dataclass(frozen=True)
class Slide:
    """How a window of ``size`` positions slides along one axis.

    ``padding``: how far it reaches beyond the two ends, or None: as far as it must for ⌈length/stride⌉ outputs, the
    greater part behind the end where it is odd.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, int] | None = (0, 0)

    @property
    def reach(self) -> int:
        """From the first to the last position of a window."""
        return self.dilation * (self.size - 1) + 1

    @property
    def stays_inside(self) -> bool:
        return self.padding == (0, 0)

    def along(self, length: int | None) -> Slide:
        """The same slide along an axis of this length (None: not known), with its padding in numbers if they can be."""
        if self.padding is not None:
            return self
        if self.stride == 1:
            beyond = self.reach - 1
        elif length is not None:
            beyond = max(0, self.reach - 1 - (length - 1) % self.stride)
        else:
            return self
        return replace(self, padding=(beyond // 2, beyond - beyond // 2))

    def place(self, p: str, u: str, h: str) -> str:
        """The position along h that output p sees at u: ``2*p + u - 1``."""
        terms = f"{_times(self.stride, p)} + {_times(self.dilation, u)}"
        if self.padding is not None:
            return terms + (f" - {self.padding[0]}" if self.padding[0] else "")
        return f"{terms} - max(0, {self.reach - 1} - (size({h}) - 1)%{self.stride})//2"

    def count(self, length: str) -> str:
        """How many outputs there are along an axis of this length: ``(size(h) + 2 - 3)//2 + 1``."""
        if self.padding is None:
            return length if self.stride == 1 else f"({length} + {self.stride - 1})//{self.stride}"
        more = sum(self.padding) - self.reach
        if self.stride == 1:
            return length + _signed(more + 1)
        return f"({length}{_signed(more)})//{self.stride} + 1"


def _times(factor: int, name: str) -> str:
    return name if factor == 1 else f"{factor}*{name}"


def _signed(number: int) -> str:
    return "" if number == 0 else f" + {number}" if number > 0 else f" - {-number}"


def slides(
    owner: str, rank: int, window: object, stride: object, padding: object, dilation: object = 1, *, named: str
) -> tuple[Slide, ...]:
    """One slide for each axis.  Raises ChainruleError where an argument is none; ``named``: what it calls a window."""
    return tuple(
        Slide(*numbers)
        for numbers in zip(
            counts(owner, named, window, rank),
            counts(owner, "stride", stride, rank),
            counts(owner, "dilation", dilation, rank),
            paddings(owner, padding, rank),
            strict=True,
        )
    )


def counts(owner: str, name: str, value: object, rank: int) -> tuple[int, ...]:
    """A number of at least 1 for each axis, from one for all of them or a tuple."""
    if not isinstance(value, tuple):
        return (check_count(owner, name, value),) * rank
    if len(value) != rank:
        raise ChainruleError(f"{owner}: {name} is one number or {rank}, one for each axis, not {value!r}")
    return tuple(check_count(owner, name, one) for one in value)


def paddings(owner: str, value: object, rank: int) -> tuple[tuple[int, int] | None, ...]:
    """How far windows reach beyond the two ends of each axis; None for "same"."""
    if value == "same":
        return (None,) * rank
    entries = (0,) * rank if value == "valid" else value if isinstance(value, tuple) else (value,) * rank
    pairs = tuple(entry if isinstance(entry, tuple) else (entry, entry) for entry in entries)
    numbers = [number for pair in pairs for number in pair]
    if (
        len(pairs) != rank
        or any(len(pair) != 2 for pair in pairs)
        or any(isinstance(number, bool) or not isinstance(number, int) or number < 0 for number in numbers)
    ):
        raise ChainruleError(
            f"{owner}: padding is 'valid', 'same', a whole number of at least 0, or a tuple with one for each of its "
            f"{rank} axes (or a pair: before, after), not {value!r}"
        )
    return tuple((pair[0], pair[1]) for pair in pairs)


# in a composition


def next_axis(under: Composition, name: str) -> str:
    """A new axis named after one that it takes the place of: h → h1 → h2."""
    return under.fresh_axis(re.sub(r"\d+$", "", name) or name)


def slides_along(
    under: Composition, scope: str, given: Sequence[Slide], axes: Sequence[str]
) -> Iterator[tuple[Slide, str]]:
    """The slides with their padding in numbers, each with its axis.  Raises ChainruleError where windows do not fit."""
    for slide, name in zip(given, axes, strict=True):
        length = under.size(name)
        if slide.padding is None and slide.stride > 1 and name in under.lengths:
            raise ChainruleError(
                f"{scope}: rows differ in length along {name}, and with padding='same' and stride {slide.stride} a "
                f"row's numbers would depend on the longest row beside it; give the padding as a number"
            )
        made = slide.along(length)
        if length is not None and made.padding is not None and length + sum(made.padding) < made.reach:
            padded = f" and {sum(made.padding)} of padding" if sum(made.padding) else ""
            raise ChainruleError(
                f"{scope}: a window that reaches over {made.reach} positions is larger than axis {name}, "
                f"which has {length}{padded}"
            )
        yield made, name


def inside(under: Composition, scope: str, x: Tensor) -> Tensor:
    """x with 0 behind the end of each row: ``x[b,t,c]*[t < n[b]]``; x itself where no axis of it has lengths."""
    brackets = beyond_none(under, x.axes)
    if not brackets:
        return x
    made = Tensor(f"{scope}.x", x.axes)
    under.equations.append(Equation(made.name, made.axes, Apply("*", (access(x.name, x.axes), *brackets))))
    return made


def beyond_none(under: Composition, axes: Sequence[str]) -> tuple[Apply, ...]:
    """The brackets ``[t < n[b]]`` of the axes along which rows differ in length."""
    return tuple(
        Apply("<", (axis(name), access(under.lengths[name].name, under.lengths[name].axes)))
        for name in axes
        if name in under.lengths
    )


def slide_lengths(under: Composition, scope: str, slide: Slide, old: str, new: str) -> None:
    """Say how many positions of the new axis each row has, if its number along the old one is known."""
    lengths = under.lengths.get(old)
    if lengths is None:
        return
    count = slide.count("n[b]")
    if count != "n[b]":
        definition = definition_system(f"integer n[b]\nm[b] = max(0, {count})", scope)
        lengths = under.place(definition, scope, {"n": lengths}, names={"m": f"{scope}.length_{old}"})["m"]
    under.lengths[new] = lengths
