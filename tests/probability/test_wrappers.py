"""scikit-learn's own checks of the estimators that wrap another one, none of them expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.probability.calibration import IsotonicCalibration, TemperatureScaling, VectorScaling
from chainrule.probability.conformal import ConformalClassifier, ConformalRegressor
from chainrule.probability.cross_conformal import CrossConformalClassifier, CrossConformalRegressor


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        TemperatureScaling(LogisticRegression()),
        VectorScaling(LogisticRegression()),
        IsotonicCalibration(LogisticRegression()),
        ConformalClassifier(LogisticRegression()),
        CrossConformalClassifier(LogisticRegression(), folds=2),
        ConformalRegressor(LinearRegression()),
        CrossConformalRegressor(LinearRegression(), folds=2),
    ]
)
def test_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
