"""Which elements of a walk are opened in a page: those that the cost depends on most, and so many that it stays small.

Of what has a derivative, these are the elements of the largest |value · derivative|, the first-order share that an
element has in the cost; the elements of the derivative are those of what it derives, so that a panel's δ has one, too.
Of a parameter the largest gradients count, and the next value has the same elements as the parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.node import Equation, Reduce, base_axis
from chainrule.equations.walk import free_axes, subexpressions, tensors

if TYPE_CHECKING:
    from chainrule.walk.walk import Quantity, Walk

Position = tuple[int, ...]

MOST_PANELS, NOTEBOOK_PANELS = 360, 90
MOST_BYTES = 2_800_000  # of a page
MOST_OF_ONE = 32
MOST_TERMS = 20_000  # of a sum that is worked out in a page


def chosen(walk: Walk, most: int) -> dict[str, tuple[Position, ...]]:
    """The elements that are opened, at most ``most``, by quantity."""
    share = MOST_OF_ONE
    while True:
        found = {quantity.name: tuple(_of(quantity, walk, share)) for quantity in walk.quantities}
        if share == 1 or sum(map(len, found.values())) <= most:
            return _first(found, most)
        share = share * 3 // 4


def is_constant(quantity: Quantity) -> bool:
    """A number of the definitions, the same in every step."""
    equation = quantity.equation
    if equation is None:
        return quantity.role == "data" and not quantity.axes
    return not equation.axes and not tensors(equation) and not free_axes(equation.expression)


def _first(found: dict[str, tuple[Position, ...]], most: int) -> dict[str, tuple[Position, ...]]:
    """The first ``most`` of them, where even one of each quantity is too many."""
    kept: dict[str, tuple[Position, ...]] = {}
    for name, positions in found.items():
        kept[name] = positions[: max(0, most)]
        most -= len(kept[name])
    return kept


def _of(quantity: Quantity, walk: Walk, share: int) -> Iterator[Position]:
    if is_constant(quantity) or quantity.role == "state":
        return
    if quantity.equation is not None and terms(quantity.equation, walk) > MOST_TERMS:
        return
    if quantity.phase == "update" and quantity.name.rstrip("'") not in walk.log.gradients:
        return
    numbers = np.abs(_importance(quantity, walk)).reshape(-1)
    if quantity.phase == "given" or _source(quantity, walk) in walk.log.gradients:
        share = share // 3 + 1  # what flows is opened more than what stays
    count = min(share, numbers.size)
    best = np.argpartition(-numbers, count - 1)[:count] if count < numbers.size else np.arange(numbers.size)
    for flat in np.sort(best):
        yield tuple(int(at) for at in np.unravel_index(int(flat), quantity.shape))


def _importance(quantity: Quantity, walk: Walk) -> NDArray[Any]:
    """How much each element matters, the same for a tensor, its derivative and its next value."""
    of = _source(quantity, walk)
    value, derivative = walk.values[of], walk.log.adjoints.get(of)
    if derivative is None:
        found = value
    elif of in walk.log.gradients:
        found = walk.values[derivative]
    else:
        # Where the value is 0 (a unit that is off) its derivative still decides between equals.
        found = (np.abs(value) + 1e-9) * walk.values[derivative]
    numbers: NDArray[Any] = np.nan_to_num(np.asarray(found, dtype=float))
    return numbers


def _source(quantity: Quantity, walk: Walk) -> str:
    """The tensor that a derivative derives, and the parameter that a next value is of."""
    of = walk.names.adjoints.get(quantity.name, quantity.name)
    return of.rstrip("'") if quantity.phase == "update" else of


def terms(equation: Equation, walk: Walk) -> int:
    """How many terms the sums of one element have, those within each other multiplied."""
    return prod(
        walk.sizes[axis if axis in walk.sizes else base_axis(axis)]
        for node in subexpressions(equation)
        if isinstance(node, Reduce)
        for axis in node.axes
    )


def panel_name(tensor: str, position: Position) -> str:
    """The name of an element's panel."""
    return "-".join((tensor, *map(str, position))) if position else f"{tensor}-"
