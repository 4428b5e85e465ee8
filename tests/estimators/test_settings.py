"""Settings as text and back, and that reading evaluates nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier
from chainrule.estimators.saving import load
from chainrule.estimators.settings import read_call, settings_from_json, settings_to_json
from chainrule.initializers import Normal
from chainrule.layers import Dense, Layer, Network, ReLU, Residual
from chainrule.losses import ClassWeighted, CrossEntropy
from chainrule.optimizers import Adam, AdamW, ConstantRate, OneCycle, WarmUp
from chainrule.regularizers import L2
from chainrule.training.callbacks import EarlyStopping


@pytest.mark.parametrize(
    "value",
    [
        Network(Dense(30), ReLU(), Residual(Dense(30), "a[b,i] = x[b,i]^2"), Dense((4, 2))),
        AdamW(OneCycle(0.1), weight_decay=1.0),
        EarlyStopping("accuracy", patience=3),
    ],
)
def test_definitions(value: Any) -> None:
    assert read_call(repr(value)) == value
    assert settings_from_json(settings_to_json({"it": value})) == {"it": value}


def test_plain_settings() -> None:
    settings = {"epochs": 3, "loss": None, "verbose": True, "class_weight": {1: 2.0}, "random_state": 0}
    assert settings_from_json(settings_to_json(settings)) == settings
    assert settings_to_json({"callbacks": print})["left_out"] == ["callbacks"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dence(3)", "network: unknown name Dence; did you mean Dense"),
        ("Dense(3", "cannot be read"),
        ("__import__('os').system('true')", "neither a literal nor a name"),
        ("Dense(units=open('x'))", "unknown name open"),
        ("Dense(width=3)", "width"),
        ("[x for x in ()]", "neither a literal nor a name"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        read_call(text, "network")


def test_numpy_numbers_are_read_back(tmp_path: Path) -> None:
    network = Network(Dense(np.int64(4), weights=Normal(np.float32(0.5))), ReLU(), Dense([np.int32(2)]))
    optimizer = Adam(WarmUp(ConstantRate(np.float64(0.01)), np.int64(2)))
    assert "np." not in repr(network) + repr(optimizer) + repr(ClassWeighted(CrossEntropy(), (np.float64(1.5), 2.0)))
    X = np.arange(12.0).reshape(6, 2)
    model = Classifier(network, optimizer=optimizer, regularizer=L2(np.float64(0.1)), epochs=1, random_state=0)
    model.fit(X, [0, 1] * 3)
    again = load(model.save(tmp_path))
    assert again.optimizer == optimizer and again.regularizer == L2(0.1)


def test_what_cannot_be_read_back_is_not_written(tmp_path: Path) -> None:
    @dataclass(frozen=True, repr=False)
    class Onward(Layer):
        equations = "data x[...]\na[...] = x[...] + 1"

    model = Classifier(Network(Onward(), Dense(2)), epochs=1, random_state=0).fit(np.eye(4), [0, 1] * 2)
    with pytest.raises(ChainruleError, match="cannot be saved: network: unknown name Onward"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_settings_of_numpy_are_kept() -> None:
    settings = {
        "class_weight": {np.int64(1): np.float32(2)},
        "early_stopping": EarlyStopping(patience=np.int64(3)),
        "regularizer": [L2(0.1)],
    }
    kept = {"class_weight": {1: 2.0}, "early_stopping": EarlyStopping(patience=3), "regularizer": (L2(0.1),)}
    assert settings_from_json(settings_to_json(settings)) == kept


def test_settings_left_out_are_said(tmp_path: Path) -> None:
    model = Classifier(epochs=1, random_state=0, callbacks=lambda run: None).fit(np.eye(4), [0, 1] * 2)
    with pytest.warns(UserWarning, match="without the settings that have no text: callbacks"):
        model.save(tmp_path)


def test_arguments_of_settings() -> None:
    """As scikit-learn's searches set them; the definitions themselves stay as they are."""
    adam = Adam(OneCycle(0.01))
    model = Classifier(Dense(3), optimizer=adam, early_stopping=EarlyStopping(patience=3))
    params = model.get_params()
    assert params["optimizer__learning_rate__peak"] == 0.01 and params["early_stopping__patience"] == 3
    assert not any(name.startswith("network__") for name in params)
    model.set_params(optimizer__learning_rate__peak=0.1, early_stopping__patience=5, epochs=2)
    assert model.optimizer == Adam(OneCycle(0.1)) and adam == Adam(OneCycle(0.01))
    assert model.early_stopping == EarlyStopping(patience=5) and model.epochs == 2
    model.set_params(optimizer__learning_rate=0.5, optimizer=AdamW())
    assert model.optimizer == AdamW(0.5)


def test_a_search_over_learning_rates() -> None:
    X = np.random.default_rng(0).normal(size=(90, 3))
    model = make_pipeline(StandardScaler(), Classifier(Dense(2), optimizer=Adam(), epochs=5, random_state=0))
    search = GridSearchCV(model, {"classifier__optimizer__learning_rate": [1e-6, 0.1]}, cv=2).fit(X, X[:, 0] > 0)
    assert search.best_estimator_[-1].optimizer == Adam(0.1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer__rate": 1}, r"no optimizer__rate: optimizer is Adam\(.*\); there are optimizer__learning_rate"),
        ({"loss__delta": 1}, "no loss__delta: loss is None; give one that has arguments"),
        ({"network__units": 1}, "no network__units"),
        ({"optimizer__learning_rate": -1}, "at least|above"),
        ({"epoch": 1}, "Invalid parameter 'epoch'"),
    ],
)
def test_no_such_setting(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Classifier(Dense(3), optimizer=Adam()).set_params(**params)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": CrossEntropy}, r"Classifier: loss=CrossEntropy is a class; write loss=CrossEntropy\(\)"),
        ({"optimizer": Adam}, r"Classifier: optimizer=Adam is a class; write optimizer=Adam\(\)"),
        ({"optimizer": "adam"}, "Classifier: optimizer must be one of the optimizers"),
        ({"regularizer": (L2(), L2)}, r"regularizer=L2 is a class"),
        ({"network": [Dense(3), ReLU()]}, r"several layers are one Network\(Dense\(3\), ReLU\(\)\)"),
    ],
)
def test_slips(settings: dict[str, Any], message: str) -> None:
    X = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(ChainruleError, match=message):
        Classifier(**settings).fit(X, X[:, 0] > 0)
