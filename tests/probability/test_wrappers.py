"""Estimators that wrap another one: scikit-learn's own checks; seeds; weights; all kinds of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import BayesianRidge, LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.probability.calibration import IsotonicCalibration, TemperatureScaling, VectorScaling
from chainrule.probability.conformal import ConformalClassifier, ConformalRegressor
from chainrule.probability.cross_conformal import CrossConformalClassifier, CrossConformalRegressor
from chainrule.probability.spread import SpreadScaling

UNWEIGHED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "which rows are held out, or in which fold they are, depends on "
    "how many there are, and those that are held out count the same"
    for kind in ("dense", "sparse")
}
DEVIATIONS = {"check_dtype_object": "BayesianRidge itself has no standard deviation for rows of objects"}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        TemperatureScaling(GaussianNB()),
        VectorScaling(GaussianNB()),
        IsotonicCalibration(GaussianNB()),
        ConformalClassifier(GaussianNB()),
        CrossConformalClassifier(GaussianNB(), folds=2),
        SpreadScaling(BayesianRidge()),
        ConformalRegressor(LinearRegression()),
        CrossConformalRegressor(LinearRegression(), folds=2),
    ],
    expected_failed_checks=lambda estimator: UNWEIGHED | (DEVIATIONS if isinstance(estimator, SpreadScaling) else {}),
)
def test_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("made", [TemperatureScaling, ConformalClassifier, CrossConformalClassifier])
def test_a_seed_makes_an_estimator_without_one_repeatable(made: Any) -> None:
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(3)
    first, second = (made(forest, random_state=3).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert forest.random_state is None
    other = made(RandomForestClassifier(3, random_state=7), random_state=3).fit(X, y)
    inner = other.estimators_ if hasattr(other, "estimators_") else [other.estimator_]
    assert all(model.random_state == 7 for model in inner)


@pytest.mark.parametrize(
    "made", [TemperatureScaling, IsotonicCalibration, ConformalClassifier, CrossConformalClassifier]
)
def test_weights_of_rows_go_into_training(made: Any) -> None:
    """Two clouds that are the same: the weights alone say which class is the more probable."""
    X, y = np.random.default_rng(0).normal(size=(80, 2)), np.arange(80) % 2
    weighed = made(GaussianNB(), random_state=0).fit(X, y, sample_weight=np.where(y == 1, 9.0, 1.0))
    inner = weighed.estimators_ if hasattr(weighed, "estimators_") else [weighed.estimator_]
    for model in inner:
        np.testing.assert_allclose(model.class_prior_, [0.1, 0.9], atol=0.02)
    with pytest.raises(ChainruleError, match=r"KNeighborsClassifier\.fit takes none"):
        made(KNeighborsClassifier()).fit(X, y, sample_weight=np.ones(80))
    with pytest.raises(ChainruleError, match=f"{made.__name__}: estimator is a classifier such as .*, not None"):
        made(None).fit(X, y)
    with pytest.raises(ChainruleError, match=r"estimator=GaussianNB is a class; write GaussianNB\(\)"):
        made(GaussianNB).fit(X, y)


def test_frames_of_every_kind() -> None:
    numbers, y = load_iris(return_X_y=True)
    columns = {f"c{place}": column.tolist() for place, column in enumerate(numbers.T)}
    for frame in (pl.DataFrame(columns), pd.DataFrame(columns), pa.table(columns)):
        model = ConformalClassifier(cr.Classifier(epochs=2), random_state=0).fit(frame, y)
        assert model.feature_names_in_.tolist() == list(columns)
        assert model.predict_set(frame, 0.9).shape == (150, 3)


def test_images_with_labels_of_their_own(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for kind in ("dark", "light"):
        (tmp_path / kind).mkdir()
        for number in range(8):
            pixels = generator.integers(100, size=(6, 6)) + (150 if kind == "light" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / kind / f"{number}.png")
    images = cr.read_images(tmp_path)
    model = TemperatureScaling(cr.Classifier(cr.Network(cr.Flatten(), cr.Dense(2)), epochs=3), random_state=0)
    assert model.fit(images).predict_proba(images).shape == (16, 2)
    assert model.classes_.tolist() == ["dark", "light"]
    with pytest.raises(ChainruleError, match="read_images reads those of a folder"):
        model.fit(tmp_path)
