"""Small models of every kind, trained for a moment, and rows to walk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule.walk import Walk

Made = tuple[Any, Any, Any]  # a fitted model, rows, what is learnt of them


def dense() -> Made:
    X, y = load_digits(return_X_y=True)
    X, y = X[:120, 1:31], y[:120]
    network = cr.Network(cr.Dense(12), cr.Sigmoid(), cr.Dropout(0.2), cr.Dense(10))
    return cr.Classifier(network, epochs=2, random_state=0, regularizer=cr.L2(1e-3)).fit(X, y), X[:1], y[:1]


def convolutional() -> Made:
    images, y = load_digits().images[:80], load_digits().target[:80]
    network = cr.Network(
        cr.Conv2D(3, 3, stride=2, padding="same"), cr.BatchNorm(), cr.ReLU(), cr.MaxPool2D(2), cr.Dense(10)
    )
    return cr.Classifier(network, epochs=1, random_state=0).fit(images, y), images[:2], y[:2]


def lstm() -> Made:
    generator = np.random.default_rng(0)
    X = [generator.normal(size=(length, 2)) for length in generator.integers(3, 7, 40)]
    y = np.array(["up" if row[:, 0].sum() > 0 else "down" for row in X])
    network = cr.Network(cr.Bidirectional(cr.LSTM(3)), cr.Dense(2))
    return cr.Classifier(network, epochs=1, random_state=0).fit(X, y), X[:2], y[:2]


def attention() -> Made:
    texts = ["good fine well", "bad poor ill", "fine good", "poor bad"] * 5
    y = np.array(["yes", "no", "yes", "no"] * 5)
    block = cr.TransformerBlock(cr.MultiHeadAttention(2), 8)
    network = cr.Network(cr.Embedding(10, 4), block, cr.GlobalAvgPool(), cr.Dense(2))
    model = cr.Classifier(network, epochs=1, random_state=0, reading=cr.Words(fewest=1))
    return model.fit(texts, y), texts[:1], y[:1]


def regression() -> Made:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 3))
    network = cr.Network(cr.Dense(4), cr.Tanh(), cr.Dense(1))
    model = cr.Regressor(network, optimizer=cr.SGD(0.1), clipping=cr.ClipGlobalNorm(0.5), epochs=1, random_state=0)
    return model.fit(X, X.sum(axis=1)), X[:3], X[:3].sum(axis=1)


MODELS: dict[str, Callable[[], Made]] = {
    made.__name__: made for made in (dense, convolutional, lstm, attention, regression)
}


@cache
def made(name: str) -> Made:
    return MODELS[name]()


@cache
def walked(name: str) -> Walk:
    model, X, y = made(name)
    walk: Walk = model.walk(X, y)
    return walk
