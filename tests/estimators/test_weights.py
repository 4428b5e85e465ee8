"""Weights of classes and units of counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor
from chainrule.losses import Poisson


@pytest.mark.parametrize("scale", [0.05, 1.0, 1000.0])
def test_counts_of_any_size(scale: float) -> None:
    x = np.linspace(-1, 1, 400)
    rate = np.exp(x) * scale
    below = np.floor(rate)  # the counts on either side of each rate, with the weights that make it their mean
    X, y, weights = np.tile(x, 2)[:, None], np.concatenate([below, below + 1]), np.concatenate([1 - rate % 1, rate % 1])
    predicted = Regressor(loss=Poisson(), random_state=0).fit(X, y, weights).predict(x[:, None])
    assert np.abs(predicted / rate - 1).mean() < 0.05


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "heavy"])
def test_class_weights_are_checked(weight: Any) -> None:
    with pytest.raises(ChainruleError, match="class_weight: the weight of class 1 must be a number at least 0"):
        Classifier(class_weight={1: weight}).fit(np.eye(4), [0, 1] * 2)


def test_class_weights_of_zero() -> None:
    with pytest.raises(ChainruleError, match="of a class of weight 0"):
        Classifier(class_weight={0: 0, 1: 0}).fit(np.eye(4), [0, 1] * 2)


def test_balanced_without_all_declared_classes() -> None:
    model = Classifier(class_weight="balanced", random_state=0).partial_fit(np.eye(4), [0, 1, 1, 1], classes=[0, 1, 2])
    assert model.predict_proba(np.eye(4)).shape == (4, 3)
