"""Deep networks: axis names do not run into the one that counts rows, and deriving stays quick."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainrule.training.step import assemble


def test_axes_of_many_layers_are_distinct() -> None:
    network = cr.Network(*(layer for _ in range(30) for layer in (cr.Dense(4), cr.Tanh())), cr.Dense(2))
    step = assemble(network, cr.CrossEntropy(), cr.Adam(), {"i": 3})
    axes = [step.system.tensor_axes[p.name][-1] for p in step.parameters]
    assert "r" not in axes and len(set(axes)) == 31


def test_the_axis_of_rows_is_taken() -> None:
    with pytest.raises(cr.ChainruleError, match="axis r counts the rows"):
        assemble(cr.Network(cr.Dense(2)), cr.CrossEntropy(), cr.Adam(), {"r": 3})
