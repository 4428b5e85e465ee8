"""scikit-learn's own checks, at default settings, none of them expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators import Classifier, Regressor


@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([Classifier(), Regressor()])
def test_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
