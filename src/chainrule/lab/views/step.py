"""One training step as mathematics: forward, loss, backward and update, each quantity with its equation and its values.

What a phase has not computed yet stands there as an equation without values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.equations.node import Number
from chainrule.lab.views.heat import heat
from chainrule.notation.breaking import breadth
from chainrule.notation.compose import compose, with_axes
from chainrule.notation.layout import EQUALS, row
from chainrule.notation.markup import formula, note, number, sized, symbol, text
from chainrule.walk import Element, Quantity, Walk
from chainrule.walk.walk import Phase

# A step of the user goes through these, the loss with the forward pass.
STAGES: tuple[tuple[str, tuple[Phase, ...], str], ...] = (
    ("forward", ("forward", "loss"), "Forward"),
    ("backward", ("backward",), "Backward"),
    ("update", ("update",), "Update"),
)
# Widths, in letters, of an equation beside its values and of one that has its line to itself.
HALF_WIDTH, FULL_WIDTH = 22, 54


@dataclass(frozen=True)
class Shown:
    """How a step is shown: stages done, the latest of them, the row of the minibatch (None: all), what is marked."""

    done: int
    row: int | None = 0
    chosen: Element | None = None


def step(walk: Walk, shown: Shown) -> str:
    """The whole step; the stage done last is the one that is highlighted."""
    parts = [_given(walk, shown)]
    for number_, (name, phases, title) in enumerate(STAGES):
        quantities = [quantity for quantity in walk.quantities if quantity.phase in phases]
        known, latest = number_ < shown.done, number_ == shown.done - 1
        parts.append(_section(name, title, quantities, walk, shown, known=known, latest=latest))
    return "".join(parts)


def _given(walk: Walk, shown: Shown) -> str:
    """Rows, targets and parameters, small; states of the optimizer are told with the update that reads them."""
    given = [q for q in walk.quantities if q.phase == "given" and q.role != "state"]
    tiles = "".join(
        f'<div class="tile"><header>{equation(quantity, walk)[0]}<span class="shape">'
        f"{sized(quantity.axes, quantity.shape)}</span></header>{_values(quantity, shown)}</div>"
        for quantity in given
        if not _is_constant(quantity)
    )
    said = "".join(map(note, (*walk.said.given, *walk.said.predicted)))
    return (
        '<section class="phase known" id="phase-given" aria-label="Given"><header><h2>Given</h2>'
        f"<span>the minibatch and the parameters</span></header>{_constants(given, walk)}"
        f'<div class="given">{tiles}</div>{said}</section>'
    )


def _section(
    name: str, title: str, quantities: Sequence[Quantity], walk: Walk, shown: Shown, *, known: bool, latest: bool
) -> str:
    state = "latest" if latest else "known" if known else "coming"
    words = {"latest": "computed just now", "known": "", "coming": "not computed yet"}[state]
    parts = [f'<section class="phase {state}" id="phase-{name}" aria-label="{title}">']
    parts.append(f"<header><h2>{title}</h2><span>{words}</span></header>")
    if known:
        parts.append(_constants(quantities, walk))
    folded: list[Quantity] = []
    for quantity in quantities:
        if _is_constant(quantity):
            continue
        if _is_bookkeeping(quantity, walk):
            folded.append(quantity)
            continue
        parts.append(quantity_row(quantity, walk, shown if known else None))
    if folded:
        inner = "".join(quantity_row(quantity, walk, shown if known else None) for quantity in folded)
        parts.append(f"<details><summary>moments and norms of the optimizer</summary>{inner}</details>")
    parts.append("</section>")
    return "".join(parts)


def _is_constant(quantity: Quantity) -> bool:
    return not quantity.axes and (
        (quantity.equation is not None and isinstance(quantity.equation.expression, Number))
        or (quantity.equation is None and quantity.role == "data")
    )


def _is_bookkeeping(quantity: Quantity, walk: Walk) -> bool:
    """What the update computes on the way to the next value of a parameter."""
    parameters = {tensor.name for tensor in walk.system.parameters}
    return quantity.phase == "update" and quantity.name.rstrip("'") not in parameters


def _constants(quantities: Sequence[Quantity], walk: Walk) -> str:
    """Numbers that do not change, in one line."""
    found = [quantity for quantity in quantities if _is_constant(quantity)]
    if not found:
        return ""
    parts = "".join(
        f"<span>{symbol(row(walk.names.tensor(quantity.name), EQUALS))} {number(float(quantity.value))}</span>"
        for quantity in found
    )
    return f'<p class="constants">{parts}</p>'


def quantity_row(quantity: Quantity, walk: Walk, shown: Shown | None) -> str:
    """A quantity: its equation, its shape and, unless ``shown`` is None, its values."""
    values = "" if shown is None else f'<div class="values">{_values(quantity, shown)}</div>'
    shape = f'<span class="shape">{sized(quantity.axes, quantity.shape)}</span>' if quantity.axes else ""
    written, wide = equation(quantity, walk)
    return (
        f'<div class="quantity{" wide" if wide else ""}" data-name="{text(quantity.name)}"><div class="equation" '
        f'tabindex="-1">{written}</div><small><code>{text(quantity.name)}</code>{shape}</small>{values}</div>'
    )


def equation(quantity: Quantity, walk: Walk) -> tuple[str, bool]:
    """The equation of a quantity, or the quantity where it is given, and whether it needs a line to itself."""
    if quantity.equation is None:
        return symbol(walk.names.tensor(quantity.name, [walk.names.axis(axis) for axis in quantity.axes])), False
    left, right = with_axes(quantity.equation, walk.names), compose(quantity.equation.expression, walk.names)
    wide = breadth(right) > HALF_WIDTH
    return formula(left, right, FULL_WIDTH if wide else HALF_WIDTH), wide


def _values(quantity: Quantity, shown: Shown) -> str:
    if not quantity.axes:
        value = number(float(quantity.value), 5)
        return f'<button class="place scalar" data-at="{text(quantity.name)}">{value}</button>'
    element = shown.chosen
    chosen = element.position if element is not None and element.quantity.name == quantity.name else None
    return heat(quantity.name, quantity.axes, quantity.value, shown.row, chosen)


def rows_of(walk: Walk) -> int:
    """How many rows the minibatch has."""
    return next((q.shape[0] for q in walk.quantities if q.axes and q.axes[0] == "b"), 1)


def listed(walk: Walk, stages: int) -> Iterator[Quantity]:
    """What is known after so many stages."""
    phases = {phase for _, named, _ in STAGES[:stages] for phase in named} | {"given"}
    return (quantity for quantity in walk.quantities if quantity.phase in phases)
