"""Both estimators on data of every kind."""

from __future__ import annotations

import io
import pickle
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine, make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor
from chainrule.layers import Dense, Dropout, Network, ReLU, Sigmoid
from chainrule.losses import (
    BinaryCrossEntropy,
    Gaussian,
    Hinge,
    Huber,
    MulticlassHinge,
    Poisson,
    QuadraticCost,
    SmoothedCrossEntropy,
)
from chainrule.optimizers import SGD, Adam, ClipGlobalNorm
from chainrule.regularizers import L2
from chainrule.training.callbacks import EarlyStopping, Run

SMALL = Network(Dense(16), ReLU(), Dense(3))
SETTINGS: dict[str, Any] = {"optimizer": Adam(0.01), "epochs": 15, "random_state": 0}


def classifier(network: Any = SMALL, **settings: Any) -> Classifier:
    return Classifier(network, **{**SETTINGS, **settings})


def regressor(**settings: Any) -> Regressor:
    return Regressor(**{"network": Network(Dense(16), ReLU(), Dense(1)), **SETTINGS, **settings})


@pytest.fixture(scope="module")
def iris() -> tuple[Any, Any]:
    return load_iris(return_X_y=True)


def houses(rows: int = 400) -> tuple[pd.DataFrame, pd.Series]:
    """Prices that depend on a category and on whether a number is missing."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area": generator.normal(100, 30, rows),
            "town": generator.choice(["Bonn", "Köln", "Ulm"], rows),
            "year": generator.integers(1900, 2020, rows).astype(float),
            "new": generator.random(rows) < 0.5,
        }
    )
    table.loc[generator.random(rows) < 0.2, "year"] = np.nan
    price = 2000 * table["area"] + table["town"].map({"Bonn": 0, "Köln": 60_000, "Ulm": -60_000})
    return table, price + 80_000 * table["year"].isna()


# data


def test_default_settings() -> None:
    X, y = load_wine(return_X_y=True)
    kept, aside, labels, expected = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    assert Classifier(random_state=0).fit(kept, labels).score(aside, expected) >= 0.96


def test_tables_with_categories_and_gaps() -> None:
    X, y = houses()
    model = Regressor(random_state=0, epochs=40).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.95
    other = Regressor(random_state=0, epochs=40).fit(pl.from_pandas(X[:300]), pl.Series(y[:300].to_numpy()))
    np.testing.assert_array_equal(model.predict(X[300:]), other.predict(pl.from_pandas(X[300:])))
    assert list(model.feature_names_in_) == ["area", "town", "year", "new"]


def test_text_classes(iris: Any) -> None:
    X, y = iris
    names = load_iris().target_names[y]
    model = classifier().fit(X, names)
    assert list(model.classes_) == ["setosa", "versicolor", "virginica"]
    assert model.score(X, names) > 0.9
    assert model.predict_proba(X[:5]).sum(axis=1) == pytest.approx(1)


def test_several_targets() -> None:
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -3 * y + 1000])
    model = regressor(network=None, epochs=20).fit(X, both)
    predicted = model.predict(X)
    assert predicted.shape == both.shape and model.score(X, both) > 0.4
    np.testing.assert_allclose(predicted[:, 1], 1000 - 3 * predicted[:, 0], atol=150)


def test_several_labels() -> None:
    X, y = make_multilabel_classification(300, random_state=0)
    model = classifier(None).fit(X[:200], y[:200])
    predicted = model.predict(X[200:])
    assert predicted.shape == (100, 5) and set(np.unique(predicted)) == {0, 1}
    assert f1_score(y[200:], predicted, average="micro") > 0.6
    assert model.predict_proba(X[200:]).shape == (100, 5)


def test_images() -> None:
    """Arrays with more axes than two keep them: a dense layer sums over all."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(120, 5, 6)), np.arange(120) % 3
    X[np.arange(120), y] += 2
    model = classifier().fit(X, y)
    assert model.specification_.reading.sizes == (("h", 5), ("w", 6)) and model.score(X, y) > 0.9
    assert model.parameters_["dense1.W"].shape == (5, 6, 16)


# repeatability


def test_the_same_seed_is_the_same_model(iris: Any) -> None:
    X, y = iris
    first, second = classifier().fit(X, y), clone(classifier()).fit(X[::-1], y[::-1])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert (classifier(random_state=1).fit(X, y).predict_proba(X) != first.predict_proba(X)).any()


def test_a_weight_of_two_is_the_row_twice() -> None:
    X, y = houses(120)
    twice = regressor(epochs=3).fit(pd.concat([X, X[:40]]), pd.concat([y, y[:40]]))
    weighted = regressor(epochs=3).fit(X, y, sample_weight=np.where(np.arange(120) < 40, 2, 1))
    np.testing.assert_array_equal(twice.predict(X), weighted.predict(X))


def test_pickle_and_joblib(iris: Any) -> None:
    X, y = iris
    model = classifier(Network(Dense(8), ReLU(), Dropout(0.1), Dense(3))).fit(X, y)
    file = io.BytesIO()
    joblib.dump(model, file)
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(io.BytesIO(file.getvalue()))):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert again.history_ == model.history_


def test_a_rows_prediction_is_its_own(iris: Any) -> None:
    X, y = iris
    model = classifier().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X)[7:9], model.predict_proba(X[7:9]), rtol=1e-12)


# scikit-learn's machinery


def test_pipeline_and_grid_search(iris: Any) -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier(epochs=5)),
        {"classifier__network": [SMALL, Network(Dense(4), ReLU(), Dense(3))], "classifier__batch_size": [16]},
        cv=2,
    )
    assert search.fit(*iris).best_score_ > 0.5


def test_sample_weight_of_zero_is_no_row(iris: Any) -> None:
    X, y = iris
    wrong = np.where(np.arange(150) % 5 == 0, 2 - y, y)
    weights = (np.arange(150) % 5 != 0).astype(float)
    left_out = classifier().fit(X[weights > 0], y[weights > 0])
    np.testing.assert_array_equal(left_out.predict(X), classifier().fit(X, wrong, sample_weight=weights).predict(X))


def test_class_weight() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(300, 2)) + 1.2 * (np.arange(300) < 30)[:, None]
    y = (np.arange(300) < 30).astype(int)
    plain, balanced = (
        classifier(None, epochs=5).fit(X, y),
        classifier(None, epochs=5, class_weight="balanced").fit(X, y),
    )
    assert balanced.predict(X).sum() > plain.predict(X).sum()
    heavy = classifier(None, epochs=5, class_weight={1: 1000.0}).fit(X, y)
    assert heavy.predict(X).mean() > 0.9


def test_partial_fit(iris: Any) -> None:
    X, y = iris
    model = classifier()
    model.partial_fit(X[:140:2], y[:140:2], classes=[0, 1, 2])
    first = model.history_["loss"][0]
    for _ in range(20):
        model.partial_fit(X, y)
    assert len(model.history_) == 21 and model.history_["loss"][-1] < first
    assert model.score(X, y) > 0.9
    weighted = regressor(epochs=2).fit(X[:, :3], X[:, 3])
    before = weighted.predict(X[:, :3])
    weighted.partial_fit(X[:, :3], X[:, 3], sample_weight=np.arange(150))
    assert (weighted.predict(X[:, :3]) != before).any() and len(weighted.history_) == 3


# training


def test_validation_and_early_stopping(iris: Any) -> None:
    X, y = iris
    model = classifier(epochs=200, early_stopping=EarlyStopping("f1_macro", patience=5)).fit(X, y)
    assert model.n_iter_ < 200 and model.best_epoch_ <= model.n_iter_ - 5
    assert {"validation_loss", "validation_accuracy", "validation_f1_macro"} <= set(model.history_)


def test_given_validation_rows(iris: Any) -> None:
    X, y = iris
    model = classifier().fit(X[::2], y[::2], validation=(X[1::2], y[1::2]))
    best = model.best_epoch_ - 1
    assert model.history_["validation_accuracy"][best] == pytest.approx(model.score(X[1::2], y[1::2]), abs=0.03)
    assert model.history_["validation_loss"][best] == min(model.history_["validation_loss"])


def test_interrupted(iris: Any) -> None:
    def press(run: Run) -> None:
        if run.epoch == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted in epoch 4 of 15"):
        model = classifier(callbacks=press).fit(*iris)
    assert model.n_iter_ == 3 and model.predict(iris[0]).shape == (150,)


def test_overflow_is_named(iris: Any) -> None:
    with pytest.raises(ChainruleError, match=r"first equation to overflow is .*; it read .* learning rate than 1e"):
        classifier(optimizer=SGD(1e12), epochs=100).fit(*iris)


def test_verbose(iris: Any, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(verbose=True, epochs=2).fit(*iris)
    assert "epoch 2/2" in capsys.readouterr().err


# losses and other settings


@pytest.mark.parametrize(
    ("network", "loss"),
    [
        (Network(Dense(8), Sigmoid(), Dense(3), Sigmoid()), QuadraticCost()),
        (SMALL, MulticlassHinge()),
        (SMALL, BinaryCrossEntropy()),
    ],
)
def test_losses_for_three_classes(iris: Any, network: Network, loss: Any) -> None:
    model = classifier(network, loss=loss, epochs=60, regularizer=L2(1e-4), clipping=ClipGlobalNorm(5)).fit(*iris)
    assert model.score(*iris) > 0.9
    if not isinstance(loss, MulticlassHinge):
        assert model.predict_proba(iris[0]).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), Hinge()])
@pytest.mark.parametrize("units", [1, 2])
def test_losses_for_two_classes(iris: Any, loss: Any, units: int) -> None:
    X, y = iris[0], iris[1] == 1
    model = classifier(Network(Dense(16), ReLU(), Dense(units)), loss=loss, epochs=60).fit(X, y)
    assert model.score(X, y) > 0.9 and model.predict(X).dtype == bool
    assert hasattr(model, "predict_proba") == isinstance(loss, BinaryCrossEntropy)


@pytest.mark.parametrize("loss", [Huber(), Gaussian()])
def test_losses_for_values(loss: Any) -> None:
    X, y = houses()
    model = regressor(network=None, loss=loss, optimizer=Adam(), epochs=40).fit(X, y)
    assert model.predict(X).shape == (400,) and model.score(X, y) > 0.9


def test_smoothing_is_taken_back() -> None:
    """Where labels are noise, the probabilities are the frequencies."""
    y = (np.arange(400) % 10 == 0).astype(int)
    X = np.arange(400)[:, None] % 2
    model = classifier(Network(Dense(2)), loss=SmoothedCrossEntropy(0.2), epochs=1000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:2])[:, 1], [0.2, 0.005], atol=0.02)


def test_counts() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(300, 3))
    y = generator.poisson(np.exp(1 + X[:, 0]))
    model = regressor(loss=Poisson(), epochs=40).fit(X, y)
    assert (model.predict(X) > 0).all() and model.score(X, y) > 0.5
    with pytest.raises(ChainruleError, match=r"y, row 1: -\d+ is no count"):
        regressor(loss=Poisson()).fit(X, y - 100)
    with pytest.raises(ChainruleError, match=r"y, row 3: 0\.13 is no count"):
        regressor(loss=Poisson()).fit(X, np.where(np.arange(300) == 2, 0.13, y))
    with pytest.raises(ChainruleError, match=r"y, row 2: 0\.5 is no count"):
        regressor(loss=Poisson(), epochs=1).fit(X, y, validation=(X[:2], [1, 0.5]))
    with pytest.raises(ChainruleError, match=r"y, row 1: -\d+ is no count"):
        model.partial_fit(X, y - 100)


# what is refused


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"network": Network(Dense(4))},
            r"ends in 4 values a row; Smoothed.* with 3 classes needs 3 values: end it with Dense\(3\)",
        ),
        ({"network": 5}, "network: 5 is no layer"),
        ({"loss": Gaussian()}, "is for numbers, not for classes"),
        ({"loss": "log"}, "loss is a loss such as SmoothedCrossEntropy"),
        ({"optimizer": 0.1}, "optimizer must be one of"),
        ({"epochs": 0}, "epochs is a whole number of at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size is a whole number"),
        ({"validation_fraction": 1.0}, "validation_fraction is a number from 0 to below 1"),
        ({"validation_fraction": 1e-4}, "validation_fraction=0.0001 of .* rows is none"),
        ({"early_stopping": 3}, "early_stopping is None, True, False or EarlyStopping"),
        ({"class_weight": {7: 1.0}}, "class_weight: 7 is not one of the classes 0, 1, 2"),
        ({"callbacks": 3}, "callbacks: 3 is neither"),
    ],
)
def test_bad_settings(iris: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        classifier(**settings).fit(*iris)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="area"), "now missing:\n- area"),
        (lambda X: X.rename(columns={"area": "aria"}), "unseen at fit time:\n- aria"),
        (lambda X: X.assign(area="wide"), "column 'area', row 1: 'wide' is not a number"),
        (lambda X: X.assign(area=np.inf), "column 'area', row 1: the number is infinite"),
        (lambda X: X.to_numpy()[:, :2], "X has 2 features, but Regressor is expecting 4 features"),
    ],
)
def test_bad_rows_to_predict(change: Any, message: str) -> None:
    X, y = houses(60)
    model = regressor(epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.predict(change(X))


def test_wrong_kind_of_target(iris: Any) -> None:
    with pytest.raises(ChainruleError, match="is for classes, not for numbers"):
        regressor(loss=BinaryCrossEntropy()).fit(*iris)
    with pytest.raises(ChainruleError, match="row 1: 'cat' is not a number"):
        regressor().fit([[1], [2]], ["cat", "dog"])


@pytest.mark.parametrize("levels", [["007", "012", "A1"], ["true", "false", "maybe"]])
def test_a_prediction_does_not_depend_on_the_rows_beside_it(levels: list[str]) -> None:
    X = pd.DataFrame({"code": levels * 20, "x": np.arange(60.0) % 7})
    y = np.array([0.0, 5.0, 10.0] * 20)
    model = Regressor(**SETTINGS).fit(X, y, validation=(X.iloc[:2], y[:2]))
    np.testing.assert_allclose(model.predict(X.iloc[:2]), model.predict(X)[:2], rtol=1e-9)
    array = X.to_numpy(dtype=object)
    model = Regressor(**SETTINGS).fit(array, y)
    np.testing.assert_allclose(model.predict(array[:2]), model.predict(array)[:2], rtol=1e-9)
