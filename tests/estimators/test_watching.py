"""What is watched, measured and read while training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor
from chainrule.optimizers import ConstantRate, OneCycle, WarmUp
from chainrule.training.callbacks import EarlyStopping

X, y = load_iris(return_X_y=True)


@pytest.mark.parametrize("metric", ["neg_log_loss", "validation_accuracy", "validation_f1_macro"])
def test_metrics_to_stop_by(metric: str) -> None:
    model = Classifier(epochs=3, random_state=0, early_stopping=EarlyStopping(metric)).fit(X, y)
    assert f"validation_{metric.removeprefix('validation_')}" in model.history_


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_metric_that_is_no_number() -> None:
    model = Regressor(epochs=2, random_state=0, early_stopping=EarlyStopping("r2"))
    with pytest.raises(ChainruleError, match=r"validation_r2 is not a number \(NaN\) after epoch 1"):
        model.fit(X, X[:, 0], validation=(X[:1], X[:1, 0]))


def test_validation_rows_that_are_given() -> None:
    model = Classifier(epochs=1, random_state=0, class_weight={0: 1, 1: 5, 2: 0}, validation_fraction=0.2)
    model.fit(X, y, validation=(X, y))
    light = model.history_.last["validation_loss"]
    assert len(model.training_arrays(X, y)["X"]) == model.training_.rows > 90
    model.fit(X, y, validation=(X[y < 2], y[y < 2]))
    # Class 2 weighs nothing; the mean is over rows, whose weights have mean 1.
    assert model.history_.last["validation_loss"] == pytest.approx(light, rel=1e-5)


def test_highest_rate() -> None:
    assert WarmUp(ConstantRate(0.5), 10**6).peak == 0.5 and OneCycle(0.25).peak == 0.25


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1, "1", 2, 2], dtype=object), "more than one type"),
        ([1, "1", 2, 2], "more than one type"),
        (np.array([True, 2, 2, True], dtype=object), "more than one type"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"] * 2), "y holds dates"),
        (np.array(list(pd.to_datetime(["2020-01-01", "2020-01-02"] * 2)), dtype=object), "y holds dates"),
    ],
)
def test_labels_refused(labels: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        Classifier().fit(np.eye(4), labels)
