"""A walk as a document: phase by phase and layer by layer, every quantity with its equation, its shape and its numbers.

A page has a panel for each element that is opened (``panels.py``), to which the cells of the numbers lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from chainrule.notation.compose import literal
from chainrule.notation.document import Block, Document, Folded, Formulas, Heading, Panel, Paragraph, Values, Words
from chainrule.notation.layout import EQUALS, Box, row
from chainrule.notation.remarks import listing
from chainrule.notation.story import equation_line
from chainrule.notation.text import box_text
from chainrule.walk.opened import blocks, title
from chainrule.walk.panels import Position, chosen, is_constant, panel_name

if TYPE_CHECKING:
    from chainrule.walk.walk import Quantity, Walk

Opened = Mapping[str, tuple[Position, ...]]

_PHASES = {
    "given": "What is given",
    "forward": "Forward",
    "loss": "The loss",
    "backward": "Backward",
    "update": "The update",
    "prediction": "How the prediction is formed",
}
FEW = 3  # quantities that need no folding


def story(walk: Walk, panels: int = 0) -> Document:
    """The walk as a document in which at most so many elements have panels."""
    found = chosen(walk, panels) if panels else {}
    return Document(_title(walk), (*_introduction(walk, bool(panels)), *_phases(walk, found), *_panels(walk, found)))


def told(walk: Walk, quantity: Quantity) -> Document:
    """One quantity of a walk as a document."""
    return Document((quantity.name, f", {quantity.phase}"), tuple(_told(quantity, walk, {})))


def _title(walk: Walk) -> Words:
    rows = walk.sizes.get("b", 1)
    many = "one row" if rows == 1 else f"{rows:,} rows"
    of = f", of {walk.said.network}" if walk.said.network else ""
    return ((f"A training step on {many}" if walk.log.adjoints else f"A prediction for {many}") + of,)


def _introduction(walk: Walk, linked: bool) -> Iterator[Block]:
    names, parameters = walk.names, walk.system.parameters
    count = sum(walk.values[tensor.name].size for tensor in parameters)
    said: Words = (f"{len(walk.quantities)} quantities, {count:,} parameters. ",)
    if walk.log.adjoints:
        cost = row(names.tensor(walk.log.cost), EQUALS, _number(walk.values[walk.log.cost].item()))
        said = (*said, "The cost is ", cost, ". ")
    if linked:
        said = (*said, "A number that is underlined, or a cell with a frame, opens its arithmetic: the numbers put in, "
                       "what they came from and what they feed.")  # fmt: skip
    yield Paragraph(said)
    for sentence in walk.said.predicted:
        yield Paragraph((sentence,))


def _phases(walk: Walk, found: Opened) -> Iterator[Block]:
    for phase, heading in _PHASES.items():
        quantities = [quantity for quantity in walk.quantities if quantity.phase == phase]
        if not quantities:
            continue
        yield Heading((heading,))
        if phase == "given" and walk.said.given:
            yield Paragraph((" ".join(walk.said.given),))
        if phase == "prediction":
            yield from (Paragraph((sentence,)) for sentence in walk.said.formed)
        constants = [quantity for quantity in quantities if is_constant(quantity)]
        if constants:
            yield Paragraph(("Constants: ", *listing(_constant(quantity, walk) for quantity in constants), "."))
        rest = [quantity for quantity in quantities if quantity not in constants]
        tell = {"given": _given, "update": _update}.get(phase, _by_layer)
        yield from tell(rest, walk, found)


def _constant(quantity: Quantity, walk: Walk) -> Box:
    return row(walk.names.tensor(quantity.name), EQUALS, _number(quantity.value.item()))


def _number(value: float) -> Box:
    return literal(int(value) if float(value).is_integer() and abs(value) < 1e6 else float(f"{value:.5g}"))


def _given(quantities: list[Quantity], walk: Walk, found: Opened) -> Iterator[Block]:
    learnt = [quantity for quantity in quantities if quantity.role == "parameter"]
    states = [quantity for quantity in quantities if quantity.role == "state"]
    for quantity in quantities:
        if quantity.role not in ("parameter", "state"):
            yield from _told(quantity, walk, found)
    if learnt:
        told = tuple(block for quantity in learnt for block in _told(quantity, walk, found))
        yield Folded((f"The parameters: {_names(learnt)}",), told)
    begun = [quantity for quantity in states if quantity.value.any()]
    if len(begun) < len(states):
        unbegun = [quantity for quantity in states if quantity not in begun]
        yield Paragraph((f"Carried from step to step, and still 0: {_names(unbegun)}.",))
    if begun:
        told = tuple(block for quantity in begun for block in _told(quantity, walk, {}))
        yield Folded((f"Carried from step to step: {_names(begun)}",), told)


def _names(quantities: list[Quantity]) -> str:
    names = [quantity.name for quantity in quantities]
    return ", ".join(names) if len(names) <= 2 * FEW else f"{', '.join(names[:FEW])} … {names[-1]}"


def _by_layer(quantities: Iterable[Quantity], walk: Walk, found: Opened) -> Iterator[Block]:
    layer = None
    for quantity in quantities:
        if quantity.layer != layer:
            layer = quantity.layer
            if layer:
                yield Heading((layer,), 3)
        yield from _told(quantity, walk, found)


def _update(quantities: list[Quantity], walk: Walk, found: Opened) -> Iterator[Block]:
    """What concerns all parameters, then each parameter with its next value; what the optimizer carries is folded."""
    learnt = {tensor.name for tensor in walk.system.parameters}
    of: dict[str, list[Quantity]] = {}
    for quantity in quantities:
        owner = next((name for name in _owners(quantity.name) if name in learnt), "")
        of.setdefault(owner if quantity.axes or quantity.name.rstrip("'") == owner else "", []).append(quantity)
    together = of.pop("", [])
    told = tuple(_by_layer((q for q in together if q.layer not in learnt), walk, found))
    sizes = [quantity for quantity in together if quantity.layer in learnt]
    if sizes:
        parts = tuple(block for quantity in sizes for block in _told(quantity, walk, found))
        yield Folded(("The size of each gradient",), parts)
    yield from told
    for owner, members in of.items():
        yield Heading((owner,), 3)
        carried = [quantity for quantity in members if quantity.name.rstrip("'") != owner]
        if carried:
            parts = tuple(block for quantity in carried for block in _told(quantity, walk, found))
            yield Folded((f"What leads to it: {_names(carried)}",), parts)
        for quantity in members:
            if quantity not in carried:
                yield from _told(quantity, walk, found)


def _owners(name: str) -> Iterator[str]:
    """The name without primes, and the scopes that it lies in, the innermost first."""
    name = name.rstrip("'")
    while name:
        yield name
        name = name.rpartition(".")[0]


def _told(quantity: Quantity, walk: Walk, found: Opened) -> Iterator[Block]:
    """The equation and the numbers."""
    names = walk.names
    if quantity.equation is not None:
        yield Formulas((equation_line(quantity.equation, names),))
    panels = {position: panel_name(quantity.name, position) for position in found.get(quantity.name, ())}
    yield Values(
        f"values-{quantity.name}",
        _named(quantity, walk),
        tuple(names.axis(axis) for axis in quantity.axes),
        quantity.value,
        panels,
    )


def _named(quantity: Quantity, walk: Walk) -> Words:
    """The name by which it is asked for and, where no equation says it, how it is written."""
    box = walk.names.tensor(quantity.name)
    if quantity.equation is not None or box_text(box) == quantity.name:
        return (quantity.name,)
    return (box, f" {quantity.name}")


def _panels(walk: Walk, found: Opened) -> Iterator[Block]:
    opens = partial(_opens, {name: frozenset(positions) for name, positions in found.items()})
    for name, positions in found.items():
        for position in positions:
            element = walk.element(name, position)
            yield Panel(panel_name(name, position), title(element), f"values-{name}", tuple(blocks(element, opens)))


def _opens(found: Mapping[str, frozenset[Position]], tensor: str, position: Position) -> str | None:
    return panel_name(tensor, position) if position in found.get(tensor, ()) else None
