"""The derivation of the gradients and the walk of one example, as the documents that they are, within a report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.estimators.rows import Rows
from chainrule.estimators.summary import looked_into
from chainrule.notation.document import Block, Document, Fold, Folded, Heading
from chainrule.notation.page import embedded
from chainrule.report.judged import Judged
from chainrule.report.page import Section, fold, note, paragraph

MOST_BYTES = 700_000  # of a walk
LOWEST_HEADING = 6


def derivation(model: Any) -> Section:
    """How the gradient of every parameter was derived."""
    derived = model.derivation()
    said = (
        f"The gradients of the {len(derived.gradients)} parameters were derived from the equations of the network and "
        f"its loss by one rule, the chain rule in index notation, in {len(derived.equations)} equations. They are "
        "what was computed in training."
    )
    if model.specification_.members is not None:
        said += " They are those of one network; each of the ensemble has them, with its own numbers."
    told = fold("Show the derivation", f'<div class="told">{_embedded(derived.document)}</div>')
    return Section("derivation", "Derivation", paragraph(said) + told)


def walk(judged: Judged) -> Section | None:
    """Every quantity of a training step on one row; None where that is more than a page should hold."""
    row = int(judged.order[len(judged.order) // 2])
    at = np.array([row])
    made = judged.model._walk(judged.model._read(Rows(judged.X.take(at), judged.y[at], np.ones(1))))
    inside = _embedded(made.document)
    if len(inside.encode()) > MOST_BYTES:
        return None
    which = looked_into(judged.model)
    said = (
        f"One training step{f' of {which}' if which else ''} on row {row + 1:,} alone, a row predicted neither well "
        "nor badly: what is given, forward, the loss, the gradients backward and the update, every quantity with its "
        "equation and its numbers."
    )
    told = fold(f"Show the {len(made.quantities)} quantities", f'<div class="told">{inside}</div>')
    again = note("chainrule walk opens every number of it into its arithmetic.")
    return Section("walk", "One example, number by number", paragraph(said) + told + again)


def _embedded(document: Document) -> str:
    """The document with headings below those of the report; what scrolls in it is reached by the keyboard."""
    reached = '<div tabindex="0" role="group" aria-label="formulas" class="scroll'
    return embedded(lowered(document)).replace('<div class="scroll', reached)


def lowered(document: Document) -> Document:
    """The document with headings that fit below one of level 2."""
    return replace(document, blocks=tuple(map(_lowered, document.blocks)))


def _lowered(block: Block) -> Block:
    match block:
        case Heading(level=level):
            return replace(block, level=min(level + 1, LOWEST_HEADING))
        case Fold(blocks=blocks) | Folded(blocks=blocks):
            return replace(block, blocks=tuple(map(_lowered, blocks)))
    return block
