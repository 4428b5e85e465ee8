"""Calibrated classifiers: known corrections found again, scikit-learn's own, held-out rows, bad input, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from tests.contracts.catalogue import check_gradients

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.probability.calibration import IsotonicCalibration, TemperatureScaling, VectorScaling, written
from chainrule.probability.held_out import hold_out
from chainrule.probability.reliability import reliability

WRAPPERS = [TemperatureScaling, VectorScaling, IsotonicCalibration]
each = pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: wrapper.__name__)


class Softmax(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Says softmax(X): the rows are logits."""

    def __init__(self, dtype: Any = np.float64) -> None:
        self.dtype = dtype

    def fit(self, X: Any, y: Any) -> Softmax:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        powers = np.exp(X - np.max(X, axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(self.dtype)

    def predict(self, X: Any) -> Any:
        return self.classes_[np.argmax(X, axis=1)]


def drawn(rows: int, classes: int, change: Any, seed: int = 0) -> tuple[Any, Any]:
    """Logits, and classes drawn with the probabilities of changed logits."""
    generator = np.random.default_rng(seed)
    s = generator.normal(0, 2, (rows, classes))
    noise = generator.gumbel(size=s.shape)
    return s, np.argmax(change(s) + noise, axis=1)


@pytest.mark.parametrize("wrapper", [TemperatureScaling, VectorScaling], ids=lambda wrapper: wrapper.__name__)
def test_gradients_are_those_of_finite_differences(wrapper: Any) -> None:
    system, _ = written(wrapper.equations)
    s, t = drawn(6, 3, lambda s: s)
    first = {name: value + 0.3 for name, value in wrapper(None)._first(3).items()}
    check_gradients(system, {"s": s, "t": t, **first}, "C", list(first))


def test_a_known_temperature_is_found() -> None:
    s, t = drawn(20_000, 4, lambda s: s / 2.5)
    assert TemperatureScaling(Softmax()).fit(s, t).temperature_ == pytest.approx(2.5, rel=0.1)
    found = TemperatureScaling(Softmax().fit(s, t)).calibrate(s, t)
    assert found.temperature_ == pytest.approx(2.5, rel=0.03)
    before, after = (error(model.predict_proba(s), t) for model in (Softmax(), found))
    assert after < 0.01 < 0.1 < before


def error(probabilities: Any, t: Any) -> float:
    return reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == t).error


def test_known_factors_and_biases_are_found() -> None:
    factors, biases = np.array([0.4, 0.8, 1.5]), np.array([1.0, 0.0, -1.0])
    s, t = drawn(20_000, 3, lambda s: factors * (s - logsumexp(s, axis=1, keepdims=True)) + biases)
    found = VectorScaling(Softmax().fit(s, t)).calibrate(s, t)
    np.testing.assert_allclose(found.factors_, factors, atol=0.05)
    np.testing.assert_allclose(found.biases_ - found.biases_[1], biases, atol=0.1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("wrapper", "method"), [(TemperatureScaling, "temperature"), (IsotonicCalibration, "isotonic")]
)
def test_scikit_learn_finds_the_same(wrapper: Any, method: str, classes: int) -> None:
    X, y = make_classification(600, 8, n_informative=6, n_classes=classes, random_state=0)
    model = GaussianNB().fit(X[:300], y[:300])
    ours = wrapper(model).calibrate(X[300:], y[300:])
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method=method, ensemble=False).fit(X[300:], y[300:])
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-3)


def test_a_temperature_changes_no_class() -> None:
    s, t = drawn(300, 3, lambda s: s / 3)
    assert (TemperatureScaling(Softmax()).fit(s, t).predict(s) == Softmax().fit(s, t).predict(s)).all()


@each
def test_a_frozen_estimator_is_calibrated_with_all_rows(wrapper: Any) -> None:
    s, t = drawn(400, 3, lambda s: s / 3)
    model = Softmax().fit(s, t)
    frozen = wrapper(FrozenEstimator(model)).fit(s, t)
    assert frozen.estimator_ is model
    np.testing.assert_array_equal(frozen.predict_proba(s), wrapper(model).calibrate(s, t).predict_proba(s))


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sure_and_separable_rows_give_numbers(wrapper: Any, dtype: Any) -> None:
    s = np.array([[300.0, 0.0], [0.0, 300.0]] * 5)
    found = wrapper(Softmax(dtype).fit(s, [0, 1] * 5)).calibrate(s, [0, 1] * 5).predict_proba(s)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_what_is_held_out_is_not_trained_on_and_of_every_class() -> None:
    labels = np.repeat(["a", "b", "c", "d"], [50, 10, 2, 1])
    kept, aside = hold_out(len(labels), 0.2, labels, 0)
    assert sorted([*kept, *aside]) == list(range(len(labels)))
    assert np.unique(labels[aside], return_counts=True)[1].tolist() == [10, 2, 1]
    assert set(labels[kept]) == {"a", "b", "c", "d"}


@each
def test_tables_and_texts_of_classes(wrapper: Any) -> None:
    import pandas as pd

    X, y = load_iris(return_X_y=True, as_frame=True)
    names = pd.Series(["setosa", "versicolor", "virginica"])[y].to_numpy()
    model = wrapper(LogisticRegression(max_iter=500), random_state=0).fit(X, names)
    assert model.score(X, names) > 0.9
    assert model.feature_names_in_.tolist() == X.columns.tolist()


def refused(call: Any, match: str) -> None:
    with pytest.raises(ChainruleError, match=match):
        call()


def test_bad_input() -> None:
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    refused(lambda: TemperatureScaling(LinearSVC()).fit(X, y), "LinearSVC has none")
    refused(lambda: TemperatureScaling(cr.Classifier(loss=cr.Hinge())).fit(X, y), "Classifier has none")
    refused(lambda: VectorScaling(model).calibrate(X[:100], y[:100]), "no row of class 2 is among the 100 rows")
    refused(lambda: IsotonicCalibration(model).calibrate(X[:50], y[:50]), "no row of class 1")
    refused(lambda: TemperatureScaling(model).calibrate(X[:2], ["a", "b"]), "y, row 1: 'a' is no class")
    refused(lambda: TemperatureScaling(model, calibration_fraction=1.0).fit(X, y), "above 0 and below 1, not 1.0")
    refused(lambda: TemperatureScaling(model).fit(X, np.stack([y, y], axis=1)), "one class a row is wanted")
    refused(lambda: TemperatureScaling(model).fit("images/"), "'images/'; read_images")
    refused(lambda: TemperatureScaling(model).fit(X, y).save("x"), "LogisticRegression cannot be saved")


@each
def test_models_on_disk(wrapper: Any, tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    model = wrapper(cr.Classifier(epochs=5, random_state=0), random_state=0).fit(X, y)
    read = cr.load(model.save(tmp_path / "model"))
    assert type(read) is wrapper
    np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))
    assert read.get_params(deep=False)["random_state"] == 0
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "estimator",
        "model.json",
        "model.safetensors",
    ]
    again = read.fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_folder_outside_is_no_part_of_a_model(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    folder = TemperatureScaling(cr.Classifier(epochs=1, random_state=0)).fit(X, y).save(tmp_path / "model")
    text = (folder / "model.json").read_text().replace('"estimator"\n ]', '"../model"\n ]')
    (folder / "model.json").write_text(text)
    refused(lambda: cr.load(folder), "no folder of a model within")


def test_derivation_is_of_the_equations() -> None:
    assert "∂ν = sum[b,k](∂z[b,k]*s[b,k])" in TemperatureScaling(None).derivation().text()
