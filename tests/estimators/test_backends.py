"""What computes changes no result: the backend within rounding, the number of threads of compiled code not at all."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor, load
from chainrule.layers import Dense, Dropout, Network, Tanh
from chainrule.optimizers import SGD, Adam
from chainrule.training import programs, threads

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(203, 6))
CLASSES = X[:, :3].argmax(axis=1)
VALUES = X[:, 0] - 2 * X[:, 1] + 5


def classifier(**settings: Any) -> Classifier:
    network = Network(Dense(12), Tanh(), Dropout(0.2), Dense(3))
    return Classifier(network, **{"optimizer": Adam(0.01), "epochs": 4, "random_state": 0, **settings})


def regressor(**settings: Any) -> Regressor:
    network = Network(Dense(12), Tanh(), Dense(1))
    return Regressor(network, **{"optimizer": SGD(0.05), "epochs": 4, "random_state": 0, **settings})


@pytest.mark.parametrize("batch_size", [7, 32, 203])
@pytest.mark.parametrize(("make", "y"), [(classifier, CLASSES), (regressor, VALUES)])
def test_backends_agree(make: Any, y: Any, batch_size: int) -> None:
    numpy, native = (
        make(backend=name, batch_size=batch_size, validation_fraction=0.2).fit(X, y) for name in ("numpy", "native")
    )
    for name, value in numpy.parameters_.items():
        np.testing.assert_allclose(native.parameters_[name], value, rtol=1e-3, atol=1e-4)
    for column in ("loss", "validation_loss"):
        np.testing.assert_allclose(native.history_[column], numpy.history_[column], rtol=1e-3)
    # The same parameters, in float64: nothing but rounding is between them.
    other = native.set_params(backend="numpy").predict(X)
    np.testing.assert_allclose(native.set_params(backend="native").predict(X), other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("backend", "tolerance"), [("native", 0.0), ("numpy", 1e-4)])
def test_any_number_of_threads(backend: str, tolerance: float) -> None:
    """Layers and minibatches large enough that threads share them.  NumPy's products may round otherwise."""
    rows = np.random.default_rng(1).normal(size=(1100, 60))
    network = Network(Dense(256), Tanh(), Dropout(0.1), Dense(256), Tanh(), Dense(4))
    labels = rows[:, :4].argmax(axis=1)
    settings: dict[str, Any] = {"batch_size": 512, "epochs": 1, "random_state": 0, "backend": backend}
    models = [Classifier(network, n_jobs=jobs, **settings).fit(rows, labels) for jobs in (1, 2, 3)]
    assert [model.training_.computed_by.split(", ")[1] for model in models] == ["1 thread", "2 threads", "3 threads"]
    for model in models[1:]:
        for name, value in models[0].parameters_.items():
            np.testing.assert_allclose(model.parameters_[name], value, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(model.predict_proba(rows), models[0].predict_proba(rows), rtol=tolerance)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "tpu"}, "unknown backend tpu; one of numpy, native"),
        ({"backend": 3}, "unknown backend 3"),
        ({"n_jobs": 0}, "n_jobs is a number of threads, -1 for all of them, or None, not 0"),
        ({"n_jobs": 1.5}, "n_jobs is a number of threads.*not 1.5"),
        ({"n_jobs": True}, "n_jobs is a number of threads.*not True"),
        ({"n_jobs": "all"}, "n_jobs is a number of threads.*not 'all'"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    model = clone(classifier(**settings))  # stored as given
    with pytest.raises(ChainruleError, match=message):
        model.fit(X, CLASSES)
    fitted = classifier().fit(X, CLASSES).set_params(**settings)
    with pytest.raises(ChainruleError, match=message):
        fitted.predict(X)
    with pytest.raises(ChainruleError, match=message):
        fitted.partial_fit(X, CLASSES)


def test_threads_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "2")
    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    assert "2 threads" in classifier(backend="numpy").fit(X, CLASSES).training_.computed_by
    assert "1 thread" in classifier(backend="numpy", n_jobs=1).fit(X, CLASSES).training_.computed_by


def test_numpy_is_not_asked_where_compiled_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_controller", lambda: pytest.fail("threadpoolctl was asked"))
    classifier(backend="native", n_jobs=2).fit(X, CLASSES).predict(X)


def test_saved(tmp_path: Path) -> None:
    model = classifier(backend="numpy", n_jobs=2).fit(X, CLASSES)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert (again.backend, again.n_jobs) == ("numpy", 2)
    assert again.training_.computed_by == model.training_.computed_by == "NumPy, 1 thread"
    assert "4 epochs" in again.summary() and "NumPy, 1 thread" in again.summary()


def test_a_search_in_processes() -> None:
    search = GridSearchCV(classifier(), {"epochs": [1, 3]}, cv=2, n_jobs=2).fit(X, CLASSES)
    assert search.best_params_["epochs"] == 3


# predicting


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.int8, np.uint16])
@pytest.mark.parametrize("rows", [1, 2, 5, 203])
def test_plain_arrays_are_predicted_as_others(kind: Any, rows: int) -> None:
    """They go a short way; a list goes the long one, with every check."""
    table = (10 * X).astype(kind)
    table[:, 3] = 1  # left out
    with pytest.warns(UserWarning, match="left out"):
        models = (classifier().fit(table, CLASSES), regressor().fit(table, VALUES))
    for model in models:
        np.testing.assert_allclose(
            model.predict(table[:rows]), model.predict(table[:rows].tolist()), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (X[:, :5], "X has 5 features, but Classifier is expecting 6"),
        (X[:0], "0 sample"),
        (X[0], "Expected 2D array"),
        (np.where(X > 2, np.inf, X), "column 'x.', row .*: the number is infinite"),
        (X.astype(complex), "Complex data"),
        (np.full((1, 6), "a"), "'a' is not a number"),
    ],
)
def test_bad_arrays(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, CLASSES).predict(wrong)


def test_gaps_beside_plain_rows() -> None:
    gaps = np.where(GENERATOR.random(X.shape) < 0.1, np.nan, X)
    model = classifier().fit(gaps, CLASSES)
    one_by_one = np.concatenate([model.predict_proba(row[None]) for row in gaps[:30]])
    np.testing.assert_allclose(model.predict_proba(gaps)[:30], one_by_one, rtol=1e-10)


def test_another_array_in_the_place_of_a_parameter() -> None:
    model = classifier().fit(X, CLASSES)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="read-only"):
        model.parameters_["dense2.W"][...] = 0
    kept = model.parameters_["dense2.W"]
    model.parameters_["dense2.W"] = np.zeros_like(kept)
    assert (model.predict_proba(X[:9]) == model.predict_proba(X[9:18])).all()
    model.parameters_["dense2.W"] = kept
    np.testing.assert_array_equal(model.predict_proba(X), before)
    model.partial_fit(X, CLASSES)
    assert (model.predict_proba(X) != before).any()


def test_nothing_compiled_is_pickled() -> None:
    model = classifier().fit(X, CLASSES)
    expected = model.predict_proba(X)
    kept = pickle.dumps(model)
    assert b"predictor" not in kept
    np.testing.assert_array_equal(pickle.loads(kept).predict_proba(X), expected)


def test_programs_of_each_backend_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    step = classifier().fit(X, CLASSES).specification_.step
    made = [programs.program(step.evaluation, ("C",), backend=name) for name in ("numpy", "native", "numpy")]
    assert made[0] is made[2] and made[0] is not made[1]
    monkeypatch.setenv("CHAINRULE_BACKEND", "numpy")
    assert programs.program(step.evaluation, ("C",)) is made[0]
