"""Models with nothing wrong: default settings on the bundled sets, and one of each architecture."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from benchmarks.broken import Broken
from chainrule.diagnosis import Diagnosis
from chainrule.estimators import Classifier, Regressor
from chainrule.layers import LSTM, Conv2D, Dense, Dropout, Layer, MaxPool2D, Network, ReLU, Sigmoid

Array = NDArray[Any]

CONVNET = Network(Conv2D(8, 3), ReLU(), MaxPool2D(2), Dense(10))
RECURRENT = Network(LSTM(16), Dense(2))
SMALL = Network(Dense(30), Sigmoid(), Dense(10))
DROPPED = Network(Dense(64), ReLU(), Dropout(0.3), Dense(10))


def digits(side: int | None = None) -> tuple[Array, Array]:
    X, y = load_digits(return_X_y=True)
    return (X if side is None else X.reshape(-1, side, side)), y


def series(rows: int = 200, length: int = 20) -> tuple[list[Array], Array]:
    """Slow and fast sines with noise."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, rows)
    phases, t = generator.uniform(0, 6, rows), np.arange(length)
    noise = 0.1 * generator.standard_normal((rows, length))
    return [(np.sin(t * (0.3 + 0.4 * k) + p) + e)[:, None] for k, p, e in zip(y, phases, noise, strict=True)], y


def texts(rows: int = 300) -> tuple[list[str], Array]:
    """Sentences with two words that praise or blame among others."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, rows)
    words = (["bad", "awful", "poor", "dull", "weak", "sad"], ["good", "great", "fine", "lovely", "superb", "nice"])
    rest = ["the", "film", "a", "plot", "was", "is", "and", "actor", "scene", "story", "with", "of", "it", "this"]
    made = []
    for k in y:
        sentence = [*generator.choice(rest, generator.integers(4, 10)), *generator.choice(words[k], 2)]
        made.append(" ".join(generator.permutation(sentence)))
    return made, y


def healthy(
    estimator: Any, network: Layer | None, data: Callable[[], tuple[Any, Any]], seed: int = 0, **settings: Any
) -> Diagnosis:
    """The diagnosis of a model trained with settings that suit it."""
    X, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = estimator(network, random_state=seed, **settings).fit(X, y)
    found: Diagnosis = model.check(X, y)
    return found


def case(name: str, estimator: Any, network: Layer | None, data: Any, **settings: Any) -> Broken:
    return Broken(name, frozenset(), partial(healthy, estimator, network, data, **settings))


HEALTHY = (
    case("digits", Classifier, None, digits),
    case("iris", Classifier, None, partial(load_iris, return_X_y=True)),
    case("wine", Classifier, None, partial(load_wine, return_X_y=True)),
    case("breast_cancer", Classifier, None, partial(load_breast_cancer, return_X_y=True)),
    case("diabetes", Regressor, None, partial(load_diabetes, return_X_y=True)),
    case("digits as images", Classifier, None, partial(digits, 8), epochs=5),
    case("a convolutional network", Classifier, CONVNET, partial(digits, 8)),
    case("an LSTM", Classifier, RECURRENT, series, epochs=60),
    case("a classifier of texts", Classifier, None, texts, epochs=10),
    case("30 sigmoids", Classifier, SMALL, digits),
    case("rectifiers with dropout", Classifier, DROPPED, digits),
)
