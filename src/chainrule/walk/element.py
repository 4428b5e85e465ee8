"""One element of a walk: its arithmetic with the numbers put in, what it came from, what it feeds, its derivative."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from rich.console import RenderableType

from chainrule.equations.evaluate import values_at
from chainrule.equations.node import Apply, Expression, Index, Reduce, factors_of
from chainrule.equations.walk import free_axes, substitute, tensors
from chainrule.errors import ChainruleError
from chainrule.notation import page, terminal
from chainrule.notation.document import Document
from chainrule.notation.names import Names
from chainrule.notation.numbers import SHOWN_TERMS, Worked, worked
from chainrule.walk.exact import exact
from chainrule.walk.opened import opened
from chainrule.walk.reads import read_count, readers

if TYPE_CHECKING:
    from chainrule.walk.walk import Quantity, Walk

Array = NDArray[Any]

SHOWN_READERS = 12


@dataclass(frozen=True)
class Place:
    """An element of a tensor and its value."""

    tensor: str
    position: tuple[int, ...]
    value: float

    def __str__(self) -> str:
        return place_name(self.tensor, self.position)


@dataclass(frozen=True)
class Operand:
    """A factor of the sum that an element is, over the axes summed: the window, the inputs of a neuron, a row of
    attention weights.

    ``symbols``: the factor at this element's position; ``values`` has the axes ``axes``.
    """

    symbols: Expression
    axes: tuple[str, ...]
    values: Array


@dataclass(frozen=True)
class Feed:
    """The elements of one tensor that read an element: the first of them, and how many there are."""

    tensor: str
    count: int
    places: tuple[Place, ...]


@dataclass(frozen=True, eq=False)
class Element:
    """One element of a quantity, opened.

    ``worked``: its equation with the numbers put in; None for what is given.  ``reads``: the elements that stand in
    that arithmetic; ``read_count``: how many it reads, with those of the terms left out.  ``feeds``: the elements that
    read it, by tensor.  ``derivative``: δ, how fast the cost changes with it.  ``updated``: what the step makes of it,
    for a parameter or a state.  ``operands``: the factors of its sum.  ``names``: how names are written.  ``recurs``:
    the axis of time steps, where it is computed step by step.
    """

    quantity: Quantity
    position: tuple[int, ...]
    value: float
    worked: Worked | None
    reads: tuple[Place, ...]
    read_count: int
    feeds: tuple[Feed, ...]
    derivative: Place | None
    updated: Place | None
    operands: tuple[Operand, ...]
    names: Names
    recurs: str | None = None

    @property
    def name(self) -> str:
        return place_name(self.quantity.name, self.position)

    @property
    def axes(self) -> dict[str, int]:
        """Axis → where on it the element is: {"b": 0, "t": 3, "k": 5}."""
        return dict(zip(self.quantity.axes, self.position, strict=True))

    @property
    def document(self) -> Document:
        """What there is to say of it, in no format yet."""
        return opened(self)

    def exact(self) -> str:
        """The arithmetic as text of the language with every digit, terms left out as one number; what is given is its
        value.  ``exact_value`` computes it."""
        return repr(self.value) if self.worked is None else exact(self.worked)

    def text(self, width: int = 100) -> str:
        """Text without colours, in lines of at most ``width`` characters."""
        return terminal.plain(self.document, width)

    def rich(self) -> RenderableType:
        """Coloured text, for the console of ``rich``."""
        return terminal.Shown(self.document)

    def html(self) -> str:
        """A complete page without scripts that needs nothing else."""
        return page.page(self.document)

    def _repr_html_(self) -> str:
        return page.fragment(self.document)


def place_name(tensor: str, position: Sequence[int]) -> str:
    """An element as it is asked for: ``dense1.z[0,4]``."""
    return f"{tensor}[{','.join(map(str, position))}]" if position else tensor


def open_element(walk: Walk, quantity: Quantity, position: Sequence[int], terms: int = SHOWN_TERMS) -> Element:
    """Open one element.  Raises ChainruleError where there is none at the position."""
    position, shape = tuple(int(at) for at in position), quantity.value.shape
    if len(position) != len(shape) or not all(0 <= at < size for at, size in zip(position, shape, strict=True)):
        axes = ", ".join(f"{axis} 0…{size - 1}" for axis, size in zip(quantity.axes, shape, strict=True))
        asked = place_name(quantity.name, position)
        raise ChainruleError(f"there is no {asked}: {quantity.name} has " + (axes or "no axes, only one value"))
    done = None
    if quantity.equation is not None:
        done = worked(walk.system, walk.values, quantity.name, position, terms)
    adjoint = walk.log.adjoints.get(quantity.name)
    updated = walk.system.updates.get(quantity.name)
    return Element(
        quantity,
        position,
        float(quantity.value[position]),
        done,
        () if done is None else tuple(_place(walk, tensor, at) for tensor, at in done.reads),
        0 if quantity.equation is None else read_count(quantity.equation, position, walk.values, walk.sizes),
        _feeds(walk, quantity, position),
        None if adjoint is None else _place(walk, adjoint, position),
        None if updated is None else _place(walk, updated, position),
        _operands(walk, quantity, position),
        walk.names,
        walk.recurrent.get(quantity.name),
    )


def _place(walk: Walk, tensor: str, position: tuple[int, ...]) -> Place:
    return Place(tensor, position, float(walk.values[tensor][position]))


def _feeds(walk: Walk, quantity: Quantity, position: tuple[int, ...]) -> tuple[Feed, ...]:
    found = []
    for equation in walk.readers_of.get(quantity.name, ()):
        at = readers(equation, quantity.name, position, walk.values, walk.sizes)
        if at is not None:
            first = [_place(walk, at.tensor, place) for place in itertools.islice(at.positions(), SHOWN_READERS)]
            found.append(Feed(at.tensor, at.count, tuple(first)))
    return tuple(found)


def _operands(walk: Walk, quantity: Quantity, position: tuple[int, ...]) -> tuple[Operand, ...]:
    """The factors of the first sum of the element's equation, each over the axes summed that it depends on."""
    if quantity.equation is None:
        return ()
    total = _first_sum(quantity.equation.expression)
    if total is None:
        return ()
    at = dict(zip(quantity.axes, position, strict=True))
    outside = {axis: value for axis, value in at.items() if axis not in total.axes}
    factors = factors_of(total.body)
    made = []
    for factor in factors:
        axes = tuple(axis for axis in total.axes if axis in free_axes(factor))
        if axes and tensors(factor):
            symbols = substitute(factor, {axis: Index((), value) for axis, value in outside.items()})
            made.append(Operand(symbols, axes, values_at(factor, axes, outside, walk.values, walk.sizes)))
    return tuple(made)


def _first_sum(node: Any) -> Reduce | None:
    """The sum that is the expression, or the first of its terms or factors that is one."""
    if isinstance(node, Reduce):
        return node if node.operation == "sum" else None
    if isinstance(node, Apply) and node.function in ("+", "*", "/", "neg"):
        return next((found for argument in node.arguments if (found := _first_sum(argument)) is not None), None)
    return None
