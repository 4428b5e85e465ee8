"""Tensors side by side: weights, filters, activations and feature maps as pictures, or as distributions."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.lab.views.distributions import histogram
from chainrule.lab.views.heat import heat, tiling
from chainrule.notation.markup import note, sized, text
from chainrule.walk import Element, Quantity, Walk

# Smaller than this on every axis but those of images, a tensor is a scalar or a constant and no picture.
LEAST_ELEMENTS = 2


def parameters(walk: Walk) -> list[Quantity]:
    return [quantity for quantity in walk.quantities if quantity.role == "parameter"]


def activations(walk: Walk) -> list[Quantity]:
    """What is given with the rows and what the network makes of it, in order."""
    return [
        quantity
        for quantity in walk.quantities
        if quantity.value.size >= LEAST_ELEMENTS
        and quantity.axes[:1] == ("b",)
        and (quantity.phase == "forward" or (quantity.phase == "given" and quantity.role == "data"))
    ]


def pictures(quantities: Sequence[Quantity], row: int | None, chosen: Element | None) -> str:
    """Each tensor as a picture whose cells open."""
    if not quantities:
        return note("There is none in this network.")
    parts = []
    for quantity in quantities:
        marked = chosen.position if chosen is not None and chosen.quantity.name == quantity.name else None
        drawn = heat(quantity.name, quantity.axes, quantity.value, row, marked)
        # Filters and feature maps, several side by side, have a line to themselves.
        wide = " wide" if tiling(quantity.axes, quantity.shape, row).count > 1 else ""
        parts.append(f'<div class="tile{wide}">{_heading(quantity)}{drawn}</div>')
    return f'<div class="tiles">{"".join(parts)}</div>'


def distributions(quantities: Sequence[Quantity]) -> str:
    """How the numbers of each tensor are spread."""
    return f'<div class="tiles">{"".join(histogram(quantity.name, quantity.value) for quantity in quantities)}</div>'


def _heading(quantity: Quantity) -> str:
    return f"<header><code>{text(quantity.name)}</code><span>{sized(quantity.axes, quantity.shape)}</span></header>"
