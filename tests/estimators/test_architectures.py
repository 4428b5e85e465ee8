"""Convolutions, recurrences and attention: trained on any number of threads, taken up again, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.backends.forced import Way, forced

import chainrule
from chainrule.estimators import Classifier
from chainrule.layers import (
    LSTM,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    GlobalAvgPool,
    MaxPool2D,
    MultiHeadAttention,
    Network,
    ReLU,
    TransformerBlock,
)
from chainrule.optimizers import Adam
from chainrule.training.callbacks import Run
from chainrule.training.checkpoint import Checkpoint

ROWS, EPOCHS = 48, 3
NETWORKS = {
    "convolution": (
        Network(Conv2D(6, 3, padding="same"), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(8, 3, stride=2), Dense(3)),
        (9, 8, 2),
    ),
    "recurrence": (Network(LSTM(9, states="all"), Dropout(0.2), LSTM(7), Dense(3)), (6, 5)),
    "attention": (Network(TransformerBlock(MultiHeadAttention(2), 16, dropout=0.1), GlobalAvgPool(), Dense(3)), (6, 8)),
}


def rows(shape: tuple[int, ...]) -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(ROWS, *shape)), generator.integers(3, size=ROWS)


def classifier(network: Network, **settings: Any) -> Classifier:
    return Classifier(network, optimizer=Adam(0.01), epochs=EPOCHS, batch_size=16, random_state=0, **settings)


def stop_after_one(run: Run) -> None:
    if run.epoch == 1:
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_weights_on_any_number_of_threads(name: str) -> None:
    network, shape = NETWORKS[name]
    found = []
    for threads in (1, 2, 3):
        with forced(Way(threads=threads, block_bytes=4096)):
            chainrule.training.programs._compiled.cache_clear()
            found.append(classifier(network, backend="native").fit(*rows(shape)).parameters_)
    chainrule.training.programs._compiled.cache_clear()
    for other in found[1:]:
        for parameter, value in found[0].items():
            assert value.tobytes() == other[parameter].tobytes(), parameter


@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("name", NETWORKS)
def test_taken_up_again_saved_and_loaded(name: str, backend: str, tmp_path: Path) -> None:
    network, shape = NETWORKS[name]
    X, y = rows(shape)
    whole = classifier(network, backend=backend).fit(X, y)
    checkpoint = Checkpoint(tmp_path / "run.safetensors")
    with pytest.warns(UserWarning, match="interrupted"):
        classifier(network, backend=backend, callbacks=[checkpoint, stop_after_one]).fit(X, y)
    again = classifier(network, backend=backend, callbacks=checkpoint).fit(X, y)
    expected = whole.predict_proba(X)
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    whole.save(tmp_path / "model")
    np.testing.assert_array_equal(chainrule.load(tmp_path / "model").predict_proba(X), expected)
    np.testing.assert_array_equal(np.vstack([whole.predict_proba(X[:7]), whole.predict_proba(X[7:])]), expected)
