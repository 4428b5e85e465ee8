"""One element opened: its equation with the numbers put in, what it came from, what it feeds, its derivative."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from chainrule.lab.snapshot import Effect
from chainrule.lab.views.heat import still
from chainrule.notation.compose import compose, literal
from chainrule.notation.markup import formula, note, number, plural, symbol, text
from chainrule.walk import Element, Place, Walk
from chainrule.walk.element import place_name

WIDTH = 34
MOST_LINKS = 14
_ROLES = {
    "data": "a number of the data",
    "integer": "given with the data",
    "parameter": "a parameter: learnt",
    "state": "carried from step to step by the optimizer",
    "random": "drawn at random in each step",
}


def panel(walk: Walk, element: Element) -> str:
    """Everything about an element; places in it are buttons that open others."""
    quantity = element.quantity
    name = walk.names.tensor(quantity.name, [literal(at) for at in element.position])
    value = number(element.value, 6)
    parts = [
        f'<header><h2 aria-label="{text(element.name)}">{symbol(name)}</h2>'
        f'<output class="value">{value}</output></header>',
        f'<p class="what"><code>{text(element.name)}</code> {_where(element)}</p>',
        _moves(element),
    ]
    if element.worked is None:
        parts.append(f"<p>{text(_ROLES.get(quantity.role or '', 'given'))}</p>")
    else:
        left, *others = element.worked.boxes(walk.names)
        lines = [formula(left, others[0], WIDTH)]
        lines += [formula(None, other, WIDTH) for other in others[1:]]
        parts.append(
            f'<div class="arithmetic" tabindex="0" role="group" aria-label="arithmetic">{"".join(lines)}</div>'
        )
    if element.derivative is not None:
        parts.append(_labelled("its derivative, δ", places([element.derivative])))
    if element.updated is not None:
        change = element.updated.value - element.value
        parts.append(_labelled(f"after the update ({_signed(change)})", places([element.updated])))
    if element.operands:
        parts.append(_operands(walk, element))
    if element.reads:
        parts.append(_labelled("came from", places(element.reads)))
    for feed in element.feeds:
        parts.append(
            _labelled(f"feeds {plural(feed.count, 'element')} of {feed.tensor}", places(feed.places, feed.count))
        )
    if not element.feeds:
        parts.append(note("Nothing in this step reads it."))
    return "".join(parts)


def empty() -> str:
    """What stands there before anything was chosen."""
    return note("Choose a neuron, a weight or a cell of a feature map: its arithmetic opens here.")


def _where(element: Element) -> str:
    return " ".join(f"<span><i>{text(axis)}</i> = {at}</span>" for axis, at in element.axes.items())


def _moves(element: Element) -> str:
    """Buttons to the elements beside this one, along each axis."""
    parts = []
    for axis, (name, at) in enumerate(element.axes.items()):
        size = element.quantity.shape[axis]
        for step, sign, word in ((-1, "‹", "before"), (1, "›", "after")):
            position = [*element.position]
            position[axis] = at + step
            off = "" if 0 <= at + step < size else " disabled"
            place = place_name(element.quantity.name, position)
            parts.append(
                f'<button class="move" data-at="{text(place)}"{off} aria-label="the one {word} along {text(name)}">'
                f"{sign if step < 0 else ''}<i>{text(name)}</i>{sign if step > 0 else ''}</button>"
            )
    return f'<nav class="moves" aria-label="neighbours">{"".join(parts)}</nav>' if parts else ""


def places(found: Iterable[Place], count: int | None = None) -> str:
    """Elements as buttons with their values; the largest of many first."""
    every = list(found)
    shown = sorted(every, key=lambda place: -abs(place.value))[:MOST_LINKS] if len(every) > MOST_LINKS else every
    parts = [
        f'<button class="place" data-at="{text(place)}">{text(place)} <b>{number(place.value)}</b></button>'
        for place in shown
    ]
    left = (count or len(every)) - len(shown)
    more = f'<span class="more-of">and {plural(left, "other")}</span>' if left > 0 else ""
    return f'<div class="places">{"".join(parts)}{more}</div>'


def _operands(walk: Walk, element: Element) -> str:
    """The factors of the sum side by side: a window and its kernel, the inputs of a neuron and its weights."""
    parts = []
    for operand in element.operands:
        label = symbol(compose(operand.symbols, walk.names))
        drawn = still("factor", operand.axes, np.asarray(operand.values))
        parts.append(f"<figure><figcaption>{label}</figcaption>{drawn}</figure>")
    return _labelled("the factors of its sum", f'<div class="operands">{"".join(parts)}</div>')


def _labelled(label: str, inner: str) -> str:
    return f'<div class="part"><h3>{text(label)}</h3>{inner}</div>'


def _signed(value: float) -> str:
    return ("+" if value >= 0 else "") + number(value)


def effect(made: Effect) -> str:
    """What a value that was changed by hand does."""
    changed = int((made.prediction_before.argmax(-1) != made.prediction_after.argmax(-1)).sum())
    many = made.prediction_after.ndim > 1 and made.prediction_after.shape[-1] > 1
    moved = f"; {plural(changed, 'row')} of {len(made.prediction_after)} predicted otherwise" if many else ""
    return (
        f"<p><code>{text(place_name(made.parameter, made.position))}</code> from {number(made.before)} to "
        f"<b>{number(made.after)}</b>: the loss on validation rows goes from {number(made.loss_before, 5)} to "
        f"<b>{number(made.loss_after, 5)}</b>{moved}.</p>"
    )
