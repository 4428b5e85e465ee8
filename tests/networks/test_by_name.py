"""Ready networks by name: in estimators, which know classes and vocabulary, in saved models, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from chainrule.cli import app
from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor, load
from chainrule.estimators.settings import is_ready, read_call
from chainrule.layers import Dense, Network, ReLU, Softmax
from chainrule.networks import convnet, lstm_classifier, mlp

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:60] / 16, DIGITS.target[:60]


def fitted(network: str | Network, **settings: object) -> Classifier:
    return Classifier(network, epochs=1, batch_size=20, random_state=0, **settings).fit(IMAGES, LABELS)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("convnet(channels=(2, 3), hidden=4)", convnet(10, (2, 3), 4)),
        ("convnet(10, (2,), hidden=4, dropout=0.0)", convnet(10, (2,), 4, 0.0)),
        ("mlp((5, 10), Softplus())", None),
    ],
)
def test_the_number_of_classes_is_filled_in(text: str, network: Network | None) -> None:
    assert fitted(text).specification_.network == (network or read_call(text))


def test_a_name_alone() -> None:
    model = Classifier("convnet", epochs=1, random_state=0).fit(IMAGES[:20], LABELS[:20])
    assert model.specification_.network == convnet(10)


def test_outputs_of_a_regressor_are_filled_in() -> None:
    model = Regressor("convnet(channels=(2,), hidden=3)", epochs=1, random_state=0)
    model.fit(IMAGES, np.stack([LABELS, -LABELS], axis=1))
    assert model.specification_.network == convnet(2, (2,), 3)


def test_the_vocabulary_is_filled_in() -> None:
    texts = ["good film", "bad film", "good", "bad", "good good film", "bad bad film"] * 3
    model = Classifier("lstm_classifier(units=4, embedding=3)", epochs=1, random_state=0)
    model.fit(texts, ["+", "-"] * 9)
    assert model.specification_.network == lstm_classifier(model.input_.symbols, 2, units=4, embedding=3)


def test_a_saved_model_has_the_name_and_the_layers(tmp_path: Path) -> None:
    model = fitted("convnet(channels=(2,), hidden=3)")
    model.save(tmp_path)
    found = load(tmp_path)
    assert found.network == model.network
    assert found.specification_.network == convnet(10, (2,), 3)
    np.testing.assert_array_equal(found.predict_proba(IMAGES), model.predict_proba(IMAGES))


def test_a_ready_network_among_other_layers() -> None:
    assert read_call("Network(mlp((5, 3)), Softmax())") == Network(mlp((5, 3)), Softmax())


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        ("lenet5", True),
        (" lenet5(10)", True),
        ("lenet5(10), Softmax()", False),
        ("Dense(3)", False),
        ("a[b,i] = x[b,i]", False),
        ("lenet", False),
    ],
)
def test_what_is_one_ready_network(text: str, ready: bool) -> None:
    assert is_ready(text) == ready


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mlp", "network: mlp: .*missing 1 required positional argument: 'sizes'"),
        ("convnet(kanals=3)", "network: convnet.*: got an unexpected keyword argument 'kanals'"),
        ("resnet(depth=19)", "resnet: depth must be one of 18, 34, not 19"),
        ("gpt(3, __import__('os'))", "network: unknown name __import__"),
    ],
)
def test_wrong_calls_are_answered(text: str, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        fitted(text)


def test_on_the_command_line(tmp_path: Path) -> None:
    call = ["train", "digits", "--epochs", "1", "--json", "--out", str(tmp_path / "run"), "--network"]
    result = CliRunner().invoke(app, [*call, "mlp((8, 10))"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["epochs"] == 1
    assert load(tmp_path / "run").specification_.network == Network(Dense(8), ReLU(), Dense(10))
    result = CliRunner().invoke(app, [*call, "lenet"])
    assert str(result.exception) == "--network: unknown name lenet; did you mean lenet5?"
