"""scikit-learn's own checks, none of them expected to fail.

At default settings they pass too (``check_estimator(Classifier())``), in 1,000 steps for each of some two hundred fits;
here, where they run at every change, 25 epochs have to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators import Classifier, Regressor


@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([Classifier(epochs=25), Regressor(epochs=25)])
def test_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
