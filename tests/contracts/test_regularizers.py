"""Every regularizer: its value, its gradient, and the parameters it falls on."""

from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, items, normal

from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.layers import Composition, Tensor
from chainrule.regularizers import L1, L2, ElasticNet, PerExample, Regularizer

THETA = normal(3, 2)
VALUES = {"θ": THETA, "x": normal(7)}
PENALTY = "penalty.θ"


def written(regularizer: Regularizer) -> System:
    """The penalty on one matrix, beside data whose axis is the training set's."""
    under = Composition([Input("x", ("r",), "data"), Input("θ", ("i", "j"), "parameter")], {})
    regularizer.compose(under, "penalty", [Tensor("θ", ("i", "j"))], "r")
    return under.system()


@pytest.mark.parametrize("regularizer", items(Regularizer), ids=repr)
def test_gradient(regularizer: Regularizer) -> None:
    check_gradients(written(regularizer), VALUES, PENALTY, ["θ"])


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L2(0.1), 0.05 * (THETA**2).sum()),
        (L1(0.1), 0.1 * np.abs(THETA).sum()),
        (ElasticNet(0.1, 0.25), 0.1 * (0.25 * np.abs(THETA).sum() + 0.375 * (THETA**2).sum())),
        (PerExample(L2(5.0)), 5 / (2 * 7) * (THETA**2).sum()),
        (PerExample(L1(5.0)), 5 / 7 * np.abs(THETA).sum()),
    ],
    ids=repr,
)
def test_value(regularizer: Regularizer, expected: float) -> None:
    assert evaluate(written(regularizer), VALUES)[PENALTY] == pytest.approx(expected)


def test_weights_and_no_biases_by_default() -> None:
    for regularizer in items(Regularizer):
        assert regularizer.applies_to("dense1.W") and regularizer.applies_to("lstm2.U")
        assert not regularizer.applies_to("dense1.β") and not regularizer.applies_to("prelu1.α")


def test_patterns() -> None:
    chosen = L2(0.1, parameters=("dense1.*", "*.β"))
    assert chosen.applies_to("dense1.W") and chosen.applies_to("dense2.β") and not chosen.applies_to("dense2.W")
    assert PerExample(chosen).applies_to("dense2.β")
    assert eval(repr(PerExample(chosen))) == PerExample(chosen)
    with pytest.raises(ChainruleError, match="pattern"):
        L2(0.1, parameters=())
