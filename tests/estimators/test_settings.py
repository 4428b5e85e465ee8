"""Settings as text and back, and that reading evaluates nothing."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule.errors import ChainruleError
from chainrule.estimators.settings import read_call, settings_from_json, settings_to_json
from chainrule.layers import Dense, Network, ReLU, Residual
from chainrule.optimizers import AdamW, OneCycle
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
