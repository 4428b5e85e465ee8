"""Losses for embeddings, where contract tests do not reach: equal members, wrong members, invariances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor
from chainrule.losses import Contrastive, Loss, NTXent, Triplet


def written(loss: Loss, members: int | None = None) -> System:
    axes = ("b", "q", "k")
    under = Composition([Input("s", axes, "data")], {"b": None, "q": members, "k": None})
    loss.mean(under, Tensor("s", axes), loss.compose(under, Tensor("s", axes)))
    return under.system()


def gradient(loss: Loss, values: dict[str, Any]) -> tuple[Any, Any]:
    found = evaluate(derive(written(loss), "C", ["s"]).system, values)
    return found["L"], found["∂s"]


def test_equal_members_of_a_pair_have_a_gradient() -> None:
    s = np.repeat(normal(2, 1, 3), 2, axis=1)
    each, slope = gradient(Contrastive(1.5), {"s": s, "y": np.array([0.0, 1.0])})
    np.testing.assert_allclose(each, [0, 1.5**2 / 2])
    assert not slope.any()


def test_pairs_apart_by_the_margin_cost_nothing() -> None:
    s = np.array([[[0.0, 0.0], [3.0, 4.0]]])
    assert gradient(Contrastive(5.0), {"s": s, "y": np.array([1.0])})[0] == 0
    assert gradient(Contrastive(6.0), {"s": s, "y": np.array([1.0])})[0] == pytest.approx(0.5)


def test_triplets_that_are_right_by_the_margin_have_no_gradient() -> None:
    s = np.array([[[0.0], [1.0], [2.0]], [[0.0], [2.0], [1.0]]])
    each, slope = gradient(Triplet(0.5), {"s": s})
    np.testing.assert_allclose(each, [0, 3.5])
    assert not slope[0].any() and slope[1].all()


def test_views_are_compared_by_direction_only() -> None:
    s = normal(4, 2, 3)
    lengths = np.abs(normal(4, 2, 1, seed=1)) + 0.1
    np.testing.assert_allclose(gradient(NTXent(), {"s": s})[0], gradient(NTXent(), {"s": s * lengths})[0])


def test_an_embedding_of_zeros_has_a_gradient() -> None:
    assert np.isfinite(gradient(NTXent(), {"s": np.zeros((3, 2, 4))})[1]).all()


@pytest.mark.parametrize(("loss", "members"), [(Contrastive(), 3), (Triplet(), 2), (NTXent(), 4)], ids=repr)
def test_rows_of_other_members_are_refused(loss: Loss, members: int) -> None:
    with pytest.raises(
        ChainruleError, match=rf"{type(loss).__name__}: a row has .* but axis q of .* has size {members}"
    ):
        written(loss, members)


def test_rows_without_members_are_refused() -> None:
    under = Composition([Input("s", ("b", "k"), "data")], {"b": None, "k": None})
    with pytest.raises(ChainruleError, match=r"Triplet: the output of a row is wanted as s\[b,p,k\]"):
        Triplet().compose(under, Tensor("s", ("b", "k")))
