"""Every definition prints itself: text, LaTeX and MathML of each of its equations."""

from __future__ import annotations

import pytest
from tests.contracts.catalogue import FAMILIES, items

import chainrule
from chainrule.definition import Definition
from chainrule.notation.latex import latex
from chainrule.notation.mathml import mathml
from chainrule.notation.text import text

ALL = [item for family in FAMILIES for item in items(family)]
WRITTEN = [item for item in ALL if item.equations or "system" in vars(type(item))]


@pytest.mark.parametrize("item", WRITTEN, ids=lambda item: type(item).__name__)
def test_prints(item: Definition) -> None:
    for equation in item.system.equations:
        assert all(form(equation, item.system) for form in (text, latex, mathml))


@pytest.mark.parametrize(
    "item", [item for family in FAMILIES for item in items(family)], ids=lambda i: type(i).__name__
)
def test_is_public(item: Definition) -> None:
    assert getattr(chainrule, type(item).__name__) is type(item)
