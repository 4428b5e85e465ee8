"""Settings as text and back, and that reading evaluates nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    class Shift(Layer):
        equations = "data x[...]\na[...] = x[...] + 1"

    model = Classifier(Network(Shift(), Dense(2)), epochs=1, random_state=0).fit(np.eye(4), [0, 1] * 2)
    with pytest.raises(ChainruleError, match="cannot be saved: network: unknown name Shift"):
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
