"""One element in words and formulas: its arithmetic, its δ, what it came from, what it feeds, what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from chainrule.notation.compose import compose, literal
from chainrule.notation.document import Block, Document, Formulas, Heading, Line, Link, Paragraph, Values, Words
from chainrule.notation.layout import EQUALS, Box, Symbol, row
from chainrule.notation.names import Names
from chainrule.notation.sheets import shown

if TYPE_CHECKING:
    from chainrule.walk.element import Element, Place

SHOWN_PLACES = 8
DIGITS = 4

# The panel of an element of a tensor, where it has one.
Opens = Callable[[str, tuple[int, ...]], str | None]


def nothing(tensor: str, position: tuple[int, ...]) -> None:
    """No element has a panel."""


def opened(element: Element) -> Document:
    """The element as a document."""
    return Document(title(element), tuple(blocks(element, nothing)))


def written(names: Names, tensor: str, position: tuple[int, ...]) -> Box:
    """An element of a tensor as it is written: z with its positions below."""
    return names.tensor(tensor, [literal(at) for at in position])


def title(element: Element) -> Words:
    """Its name and its value; of a recurrence, the step."""
    box = written(element.names, element.quantity.name, element.position)
    step: Words = ()
    if element.recurs is not None:
        step = (", step ", row(element.names.axis(element.recurs), EQUALS, literal(element.axes[element.recurs])))
    return (row(box, EQUALS, _number(element.value)), *step)


def blocks(element: Element, opens: Opens) -> Iterator[Block]:
    """Everything there is to say of an element; ``opens`` says which others have panels."""
    names = element.names
    yield Paragraph((element.name, *_where(element)))
    if element.worked is not None:
        left, first, *others = element.worked.boxes(names)
        yield Formulas((Line(left, first), *(Line(None, box) for box in others)))
    for remark in _derivatives(element, opens):
        yield Paragraph(remark)
    summed = [operand for operand in element.operands if operand.values.size > 1]
    if summed:
        yield Heading(("What is multiplied and summed" if len(summed) > 1 else "What is summed",), 3)
        for operand in summed:
            axes = tuple(names.axis(axis) for axis in operand.axes)
            yield Values("", (compose(operand.symbols, names),), axes, operand.values)
    if element.reads:
        yield Heading(("Came from",), 3)
        yield Paragraph(_places(element.reads, element.read_count, names, opens))
    if element.feeds:
        yield Heading(("Feeds",), 3)
        for feed in element.feeds:
            many = f" in {feed.count:,} places: " if feed.count > 1 else ": "
            yield Paragraph((names.tensor(feed.tensor), many, *_places(feed.places, feed.count, names, opens)))


def _where(element: Element) -> Words:
    """The axes and where on them the element is."""
    parts: list[str | Box | Link] = [f", {element.quantity.role or element.quantity.phase}"]
    for position, (axis, at) in enumerate(element.axes.items()):
        parts += [", " if position else ": ", row(element.names.axis(axis), EQUALS, literal(at))]
    return tuple(parts)


def _derivatives(element: Element, opens: Opens) -> Iterator[Words]:
    """δ; or that the element is one, and of what; and what the update makes of it."""
    names, of = element.names, element.names.adjoints.get(element.quantity.name)
    cost: Box = Symbol("C") if names.cost is None else names.tensor(names.cost)
    if element.derivative is not None:
        yield ("How fast ", cost, " changes with it: ", _place(element.derivative, names, opens))
    if of is not None:
        yield ("It says how fast ", cost, " changes with ", _named(of, element.position, names, opens))
    if element.updated is not None:
        yield ("The update makes it ", _place(element.updated, names, opens))


def _places(places: Iterable[Place], count: int, names: Names, opens: Opens) -> Words:
    """Elements with their values, those with a panel first, and how many more there are."""
    found = sorted(places, key=lambda place: opens(place.tensor, place.position) is None)[:SHOWN_PLACES]
    parts: list[str | Box | Link] = []
    for position, place in enumerate(found):
        parts += [", " if position else "", _place(place, names, opens)]
    if count > len(found):
        parts.append(f" and {count - len(found):,} more")
    return tuple(part for part in parts if part != "")


def _place(place: Place, names: Names, opens: Opens) -> Box | Link:
    box = row(written(names, place.tensor, place.position), EQUALS, _number(place.value))
    panel = opens(place.tensor, place.position)
    return box if panel is None else Link((box,), panel)


def _named(tensor: str, position: tuple[int, ...], names: Names, opens: Opens) -> Box | Link:
    box, panel = written(names, tensor, position), opens(tensor, position)
    return box if panel is None else Link((box,), panel)


def _number(value: float) -> Box:
    return literal(float(shown(value, DIGITS).replace("−", "-")) if not float(value).is_integer() else int(value))
