"""scikit-learn's own checks of the estimators that wrap another one, none of them expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.probability.calibration import IsotonicCalibration, TemperatureScaling, VectorScaling


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        TemperatureScaling(LogisticRegression()),
        VectorScaling(LogisticRegression()),
        IsotonicCalibration(LogisticRegression()),
    ]
)
def test_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
