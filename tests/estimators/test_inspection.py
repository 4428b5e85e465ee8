"""What a fitted model says of itself, its file and its source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor, load
from chainrule.estimators.summary import multiply_adds, parts
from chainrule.layers import Custom, Dense, Dropout, Equations, Network, PReLU, ReLU, Tanh
from chainrule.losses import Huber
from chainrule.optimizers import Adam, CosineDecay
from chainrule.regularizers import L2

X, Y = load_iris(return_X_y=True)
NETWORK = Network(Dense(8), ReLU(), Dropout(0.2), Dense(3))


@pytest.fixture(scope="module")
def model() -> Classifier:
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(kind=np.where(Y == 0, "x", None))
    made = Classifier(NETWORK, optimizer=Adam(CosineDecay(0.01)), epochs=3, random_state=0, regularizer=L2(1e-3))
    made.table = table
    return made.fit(table, Y)


def test_summary(model: Classifier) -> None:
    text = model.summary()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "kind 1 category (x); missing: its own" in lines
    assert "dense1 dense1.z[b,j] 8 56 48" in lines
    assert "total 83 72" in lines
    assert "Adam(learning_rate=CosineDecay())" in text and "L2" in text and "3 epochs" in text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("axis b = 1, i = 5, j = 3\ndata x[b,i]\nparameter W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])", 15),
        ("axis c = 2, h = 8, u = 3, o = 4, p = 6\ndata x[c,h]\nparameter W[o,c,u]\n"
         "z[o,p] = sum[c,u](x[c,p+u]*W[o,c,u])", 4 * 6 * 2 * 3),
        ("axis i = 7\ndata x[i]\nz = sum[i](x[i]^2)", 7),
        ("axis i = 7\ndata x[i]\nz = sum[i](x[i])", 0),
        ("axis i = 7\ndata x[i], y[i]\nz[i] = x[i]*y[i]", 0),
    ],
)  # fmt: skip
def test_multiply_adds(text: str, count: int) -> None:
    system = parse(text)
    sizes = {axis: int(str(size)) for axis, size in system.sizes}
    assert multiply_adds(system.equations[0], sizes) == count
    assert sum(part.multiply_adds for part in parts(system)) == count


def test_derivation_and_gradients(model: Classifier) -> None:
    assert "∂dense1.W" in model.derivation().text()
    for checks in (model.check_gradients(), model.check_gradients(model.table, Y)):
        assert {check.tensor for check in checks} == set(model.parameters_)
        assert max(check.error for check in checks) < 1e-5


@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_source_trains_the_same(kind: Any, tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True) if kind is Classifier else load_diabetes(return_X_y=True)
    units = 3 if kind is Classifier else 1
    network = Network(Dense(5), Tanh(), Dense(units))
    model = kind(network, None if units == 3 else Huber(), Adam(CosineDecay(0.01)), epochs=2, random_state=0).fit(X, y)
    (tmp_path / "training.py").write_text(model.source(), encoding="utf-8")
    np.savez(tmp_path / "data.npz", **model.training_arrays(X, y))
    command = [sys.executable, "-I", "training.py", "data.npz", "parameters.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    learnt = np.load(tmp_path / "parameters.npz")
    for name, value in model.parameters_.items():
        np.testing.assert_allclose(learnt[name], value, rtol=1e-5, atol=1e-6)


# saving and loading


def test_round_trip(model: Classifier, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]
    again = load(folder)
    np.testing.assert_array_equal(again.predict_proba(model.table), model.predict_proba(model.table))
    assert again.summary() == model.summary() and again.source() == model.source()
    assert again.history_ == model.history_ and again.get_params() == model.get_params()
    assert again.check_gradients()[0].error < 1e-5
    again.partial_fit(model.table, Y)
    assert len(again.history_) == 4


def test_the_file_has_equations_and_no_data(model: Classifier, tmp_path: Path) -> None:
    model.save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    equations = parse("\n".join(description["prediction"]["equations"]))
    assert equations == model.specification_.step.prediction_system
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 10_000


@pytest.mark.parametrize("loss", [None, Huber()])
def test_regressors(loss: Any, tmp_path: Path) -> None:
    table, y = load_diabetes(return_X_y=True, as_frame=True)
    model = Regressor(Network(Dense(4), ReLU(), Dense(1)), loss, epochs=1, random_state=0).fit(table, y)
    again = load(model.save(tmp_path) / "model.json")
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    assert list(again.feature_names_in_) == list(table.columns)


def test_equations_as_layers(tmp_path: Path) -> None:
    network = Network(Dense(4), PReLU(), Equations("a[b,i] = x[b,i]^2"), "a[b,i] = tanh(x[b,i])", Dense(3))
    model = Classifier(network, epochs=1, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(load(model.save(tmp_path)).predict_proba(X), model.predict_proba(X))


def test_a_function_as_a_layer(tmp_path: Path) -> None:
    """A function cannot be written down, what it returns can."""
    network = Network(Dense(4), Custom(lambda axes: f"a[{','.join(axes)}] = tanh(x[{','.join(axes)}])"), Dense(3))
    model = Classifier(network, epochs=1, random_state=0).fit(X, Y)
    again = load(model.save(tmp_path))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.source() == model.source()
    assert again.network == Network(Dense(4), Equations("a[b,j] = tanh(x[b,j])"), Dense(3))


def _damage(path: Path, change: Any) -> None:
    path.write_bytes(change(path.read_bytes()))


def _with(key: str, value: Any) -> Any:
    return lambda content: json.dumps({**json.loads(content), key: value}).encode()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("model.json", lambda content: content[:100], "damaged"),
        ("model.json", lambda content: b'{"weights": 1}', "not a model of chainrule"),
        ("model.json", lambda content: b"\x93NUMPY\xff", "not a model of chainrule, or damaged"),
        ("model.json", _with("version", 99), "version 99 of the format; this chainrule reads version 1"),
        ("model.json", _with("input", {}), "damaged"),
        ("model.json", _with("estimator", "Forest"), "unknown estimator 'Forest'"),
        ("model.json", _with("model", {"network": "__import__('os')"}), "unknown name __import__|clipping"),
        ("model.safetensors", lambda content: content[:-8], "model.safetensors is damaged"),
        ("model.safetensors", lambda content: b"x" * 100, "model.safetensors is damaged"),
    ],
)
def test_bad_files(model: Classifier, tmp_path: Path, name: str, change: Any, message: str) -> None:
    model.save(tmp_path)
    _damage(tmp_path / name, change)
    with pytest.raises(ChainruleError, match=message) as caught:
        load(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_no_model(model: Classifier, tmp_path: Path) -> None:
    with pytest.raises(ChainruleError, match=r"model.json: no such file; a model is a folder with"):
        load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ChainruleError, match="cannot write the model"):
        model.save(tmp_path / "file")
