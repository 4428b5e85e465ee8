"""Estimators that wrap another one: scikit-learn's own checks, none expected to fail; seeds; all kinds of rows."""

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
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.probability.calibration import IsotonicCalibration, TemperatureScaling, VectorScaling
from chainrule.probability.conformal import ConformalClassifier, ConformalRegressor
from chainrule.probability.cross_conformal import CrossConformalClassifier, CrossConformalRegressor
from chainrule.probability.spread import SpreadScaling


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        TemperatureScaling(GaussianNB()),
        VectorScaling(GaussianNB()),
        IsotonicCalibration(GaussianNB()),
        ConformalClassifier(GaussianNB()),
        CrossConformalClassifier(GaussianNB(), folds=2),
        SpreadScaling(GaussianProcessRegressor()),
        ConformalRegressor(LinearRegression()),
        CrossConformalRegressor(LinearRegression(), folds=2),
    ]
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
