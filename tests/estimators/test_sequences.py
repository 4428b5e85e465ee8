"""Rows of different length through the estimators: texts, series and sound, from fitting to the model on disk."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import chainrule as cr
from chainrule.data.text import SymbolReader

GOOD, BAD = ["good", "fine", "great"], ["bad", "poor", "dull"]
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice([GOOD, BAD][k % 2] + ["a", "the", "film"], RNG.integers(3, 12))) for k in range(80)]
LABELS = ["up" if set(text.split()) & set(GOOD) else "down" for text in TEXTS]
SERIES = [np.cumsum(RNG.normal((-1) ** k * 0.5, 1, (RNG.integers(4, 12), 2)), axis=0) for k in range(60)]
TREND = ["rise" if k % 2 == 0 else "fall" for k in range(60)]


def text_network(symbols: int = 20) -> cr.Network:
    return cr.Network(
        cr.Embedding(symbols, 8), cr.Conv1D(8, 3, padding="same"), cr.ReLU(), cr.GlobalMaxPool(), cr.Dense(2)
    )


def series_network() -> cr.Network:
    return cr.Network(cr.GRU(4), cr.Dense(2))


def fitted(X: Any, y: Any, network: cr.Network, **settings: Any) -> cr.Classifier:
    settings = {"epochs": 12, "batch_size": 16, "optimizer": cr.Adam(0.02), "random_state": 0, **settings}
    return cr.Classifier(network, **settings).fit(X, y)


@pytest.fixture(scope="module")
def texts() -> cr.Classifier:
    return fitted(TEXTS, LABELS, text_network())


@pytest.fixture(scope="module")
def series() -> cr.Classifier:
    return fitted(SERIES, TREND, series_network())


def test_they_are_learnt(texts: cr.Classifier, series: cr.Classifier) -> None:
    assert texts.score(TEXTS, LABELS) > 0.95
    assert series.score(SERIES, TREND) > 0.8
    assert texts.predict(["good good film", "poor the poor"]).tolist() == ["up", "down"]


@pytest.mark.parametrize(("kind", "X"), [("texts", TEXTS), ("series", SERIES)])
def test_a_row_alone_is_predicted_as_among_others(kind: str, X: Any, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba([row]) for row in X[:7]])
    np.testing.assert_allclose(alone, together[:7], rtol=1e-9)


@pytest.mark.parametrize(("kind", "X"), [("texts", TEXTS), ("series", SERIES)])
def test_saved_and_loaded(kind: str, X: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model = request.getfixturevalue(kind)
    loaded = cr.load(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert (
        loaded.training_.longest == model.training_.longest == max(len(x.split() if kind == "texts" else x) for x in X)
    )
    assert loaded.summary() == model.summary()


def test_gradients(texts: cr.Classifier, series: cr.Classifier) -> None:
    for found in (
        *texts.check_gradients(elements=4),
        *texts.check_gradients(TEXTS, LABELS, elements=4),
        *series.check_gradients(elements=2),
    ):
        assert found.checked and found.error < 1e-6, str(found)


def test_the_same_seed_gives_the_same_run_on_both_backends() -> None:
    native, again = (fitted(TEXTS, LABELS, text_network(), epochs=3) for _ in range(2))
    numpy = fitted(TEXTS, LABELS, text_network(), epochs=3, backend="numpy")
    for name, value in native.parameters_.items():
        np.testing.assert_array_equal(value, again.parameters_[name])
        np.testing.assert_allclose(value, numpy.parameters_[name], atol=2e-4)


def test_validation_rows_and_weights() -> None:
    settings = {"epochs": 2, "class_weight": "balanced", "backend": "numpy"}
    model = fitted(TEXTS, LABELS, text_network(), validation_fraction=0.25, **settings)
    assert {"validation_loss", "validation_accuracy"} <= set(model.history_.last)
    # Measuring on all rows block by block is measuring on all of them.
    whole = fitted(TEXTS, LABELS, text_network(), **settings).fit(TEXTS, LABELS, validation=(TEXTS, LABELS))
    assert whole.history_.last["validation_accuracy"] == whole.score(TEXTS, LABELS)


def test_more_epochs_go_on() -> None:
    model = cr.Classifier(series_network(), random_state=0, batch_size=16)
    for _ in range(2):
        model.partial_fit(SERIES, TREND)
    assert len(model.history_) == 2 and model.predict(SERIES[:3]).shape == (3,)


def test_a_table_of_prose_is_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"review": [f"{text} {k}" for k, text in enumerate(TEXTS)]})
    model = fitted(frame, LABELS, text_network(100), epochs=1, backend="numpy")
    assert isinstance(model.input_, SymbolReader) and model.feature_names_in_.tolist() == ["review"]
    loaded = cr.load(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"review": "text"}))


def test_reading_is_a_setting(tmp_path: Path) -> None:
    model = cr.Classifier(text_network(30), reading=cr.Characters(longest=20), epochs=1, backend="numpy")
    assert clone(model).get_params()["reading"] == cr.Characters(longest=20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(TEXTS, LABELS)
    assert any("texts have more than 20 characters and are cut there" in str(warning.message) for warning in caught)
    assert cr.load(model.save(tmp_path / "m")).reading == model.reading
    with pytest.raises(
        cr.ChainruleError, match=r"reading is a rule such as Words\(\) or LogMel\(\), or None, not 'words'"
    ):
        cr.Classifier(reading="words").fit(TEXTS, LABELS)


def test_an_array_is_read_as_series_where_that_is_said() -> None:
    X = np.stack([row[:4] for row in SERIES])
    network = cr.Network(cr.Conv1D(4, 3), cr.ReLU(), cr.GlobalAvgPool(), cr.Dense(2))
    model = fitted(X, TREND, network, reading=cr.Channels(), epochs=2)
    assert dict(model.input_.sizes) == {"t": 4, "c": 2} and model.predict(X[:5]).shape == (5,)
    assert model.training_.longest is None


def test_forecasting() -> None:
    wave = np.sin(np.arange(300) * 0.3)
    X, y = cr.windows(wave, 12, horizon=2)
    network = cr.Network(cr.Dense(16), cr.Tanh(), cr.Dense(2))
    model = cr.Regressor(network, epochs=30, optimizer=cr.Adam(0.01), random_state=0).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.99


def test_recordings_by_default() -> None:
    time = np.arange(1600) / 8000
    waves = cr.waves([np.sin(2 * np.pi * (400 + 800 * (k % 2)) * time[: 800 + 40 * k]) for k in range(16)], 8000)
    model = cr.Classifier(epochs=1, random_state=0, backend="numpy").fit(waves, [k % 2 for k in range(16)])
    assert dict(model.input_.sizes) == {"t": None, "c": 40} and model.predict(waves).shape == (16,)


def test_source_trains_alone(series: cr.Classifier, tmp_path: Path) -> None:
    (tmp_path / "training.py").write_text(series.source())
    np.savez(tmp_path / "data.npz", **series.training_arrays(SERIES, TREND))
    command = [sys.executable, "training.py", "data.npz", "parameters.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    losses = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(losses) == 12 and losses[-1] < 0.7 * losses[0]


def test_rows_longer_than_the_network_has_positions() -> None:
    network = cr.Network(cr.Embedding(20, 8), cr.LearnedPositions(5), cr.GlobalAvgPool(), cr.Dense(2))
    with pytest.raises(cr.ChainruleError, match=r"X, row \d+ has \d+ positions; the network has 5 LearnedPositions"):
        fitted(TEXTS, LABELS, network)
    with pytest.warns(UserWarning, match="are cut there"):
        model = fitted(TEXTS, LABELS, network, reading=cr.Words(longest=5), epochs=1, backend="numpy")
    assert model.predict(TEXTS).shape == (80,)
    assert all(found.error < 1e-6 for found in model.check_gradients(elements=2))


def test_an_embedding_of_too_few_symbols() -> None:
    with pytest.raises(
        cr.ChainruleError, match=r"Embedding\(4, 8\) has 4 symbols, but the texts have 11 .*Words\(most="
    ):
        fitted(TEXTS, LABELS, text_network(4))
    model = fitted(TEXTS, LABELS, text_network(4), reading=cr.Words(most=2), epochs=1, backend="numpy")
    assert model.predict(TEXTS[:2]).shape == (2,)


def test_one_answer_a_row_is_wanted() -> None:
    with pytest.raises(cr.ChainruleError, match=r"ends in dense1.z\[b,t,j\], and rows differ in length along axis t;"):
        fitted(SERIES, TREND, cr.Network(cr.PositionwiseDense(2)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (["good", 3], "X, row 2: 3 is no text"),
        (SERIES, "is no text"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns; texts are one"),
    ],
)
def test_other_rows_than_those_trained_on(texts: cr.Classifier, X: Any, message: str) -> None:
    with pytest.raises(cr.ChainruleError, match=message):
        texts.predict(X)


def test_series_with_other_channels(series: cr.Classifier) -> None:
    with pytest.raises(cr.ChainruleError, match="X has 3 channels a row; the model was trained on 2"):
        series.predict([np.zeros((4, 3))])
