"""What the compiler knows of a system: sizes of axes, kinds of tensors, which reads are inside.

The size of an axis that only data have (a batch) is *open*: code loads it from its arguments, so that the same code
serves any number of rows.  Choices (how work is divided, what is packed) are made for the sizes at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from chainrule.backends.facts import Facts, Place, ranges_of_safe
from chainrule.backends.native.target import Target
from chainrule.equations.kinds import kinds
from chainrule.equations.node import Access, plain_axis
from chainrule.equations.sizes import axis_class, axis_classes, fixed_axes, known_size
from chainrule.equations.system import System

MERGED = "·"  # neighbouring axes that are computed as one: ``i·j``


@dataclass(frozen=True)
class Tensor:
    """An array: its axes in order of memory, the last one contiguous, and the LLVM type of an element."""

    name: str
    axes: tuple[str, ...]
    element: str


def new_axes(system: System, stated: System) -> set[str]:
    """The axes that rewriting has made."""
    return {name for name, _ in system.sizes} - {name for name, _ in stated.sizes}


@dataclass
class Space:
    """``element``: ``float`` or ``double``, the type of reals.  ``tensors`` grows with what the compiler adds."""

    system: System
    sizes: Mapping[str, int]
    element: str
    target: Target
    safe: Mapping[Place, bool]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    stated: System | None = None  # the system before it was rewritten, which says what axes have one size

    def __post_init__(self) -> None:
        stated = self.stated or self.system
        self.classes = dict(axis_classes(stated))
        self.fixed = {self.axis_class(name) for name in fixed_axes(stated)}
        self.fixed |= new_axes(self.system, stated)
        kind_of = kinds(self.system)
        for name, axes in self.system.tensor_axes.items():
            self.tensors[name] = Tensor(name, axes, "i64" if kind_of[name] == "integer" else self.element)
        ranges = ranges_of_safe(self.system, self.safe, self.size)
        self.facts = Facts(self.system, self.size, self.same, ranges, self.safe)

    @property
    def lanes(self) -> int:
        return self.target.lanes(self.element)

    def axis_class(self, name: str) -> str:
        """The representative of the axes that have the size of this one."""
        return name if name in self.own else axis_class(name, self.classes)

    def same(self, left: str, right: str) -> bool:
        return self.axis_class(left) == self.axis_class(right)

    def size(self, name: str) -> int:
        """The number of positions along an axis, in this run."""
        return self.own[name] if name in self.own else known_size(name, self.sizes, self.classes)

    def is_open(self, name: str) -> bool:
        """Whether code must ask for the size."""
        return name not in self.own and self.axis_class(name) not in self.fixed

    def inside(self, read: Access, place: int) -> bool:
        """Whether an index of a read is never outside; the compiler's own tensors are read at their own axes."""
        plain, axes = plain_axis(read.indices[place]), self.tensors[read.tensor].axes
        if read.tensor not in self.system.tensor_axes or (plain is not None and MERGED in plain):
            return True
        if len(axes) == len(self.system.tensor_axes[read.tensor]):
            return self.facts.inside(read, place)
        # a view with merged axes: its places are others than those of the system's tensor
        if plain is not None and self.same(plain, axes[place]):
            return True
        found = self.facts.range(read.indices[place])
        return found is not None and found[0] >= 0 and found[1] < self.size(axes[place])

    def elements(self, name: str) -> int:
        """The number of elements of a tensor."""
        return prod(self.size(axis) for axis in self.tensors[name].axes)

    def define(self, name: str, axes: tuple[str, ...], element: str | None = None) -> Tensor:
        """A tensor of the compiler's own."""
        self.tensors[name] = Tensor(name, axes, element or self.element)
        return self.tensors[name]
