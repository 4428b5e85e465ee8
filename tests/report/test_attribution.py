"""Contributions add up, and are those that a sum of gradients by hand gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule.report import attribute
from chainrule.report.attributions import explain
from chainrule.report.judged import judge

ROWS = 300


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.images[:ROWS], data.target[:ROWS]


NETWORKS = {
    "smooth": cr.Network(cr.Dense(16), cr.Tanh(), cr.Dense(10)),
    "kinked": cr.Network(cr.Dense(16), cr.ReLU(), cr.Dense(16), cr.ReLU(), cr.Dense(10)),
    "convolution": cr.Network(cr.Conv2D(4, 3), cr.ReLU(), cr.MaxPool2D(2), cr.Dense(10)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_contributions_add_up(name: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    model = cr.Classifier(NETWORKS[name], epochs=2, random_state=0, backend="numpy").fit(X, y)
    row = model.input_.encode(model._read_input(X[:1], (), reset=False), np.float64)
    found = attribute(model, row, 3)
    assert found.parts.shape == (8, 8)
    assert found.value == pytest.approx(model.predict_proba(X[:1])[0, 3], abs=1e-9)
    assert abs(found.residual) < 1e-7
    assert found.residual == pytest.approx(found.value - found.start - found.parts.sum(), abs=1e-15)


def test_of_a_linear_network_they_are_its_terms() -> None:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 3))
    model = cr.Regressor(cr.Network(cr.Dense(1)), epochs=3, random_state=0, backend="numpy")
    model.fit(X, X @ [1.0, -2.0, 0.5])
    row = model.input_.encode(model._read_input(X[:1], (), reset=False), np.float64)
    found = attribute(model, row, 0)
    np.testing.assert_allclose(found.parts, row["x"][0] * model.parameters_["dense1.W"][:, 0], atol=1e-9)
    assert found.start == pytest.approx(model.parameters_["dense1.β"][0], abs=1e-9)


def test_words_through_their_embedding() -> None:
    texts = ["a good film with heart", "a bad boring film", "good and warm", "long and boring and bad"] * 6
    model = cr.Classifier(
        cr.Network(cr.Embedding(30, 4), cr.LSTM(4), cr.Dense(2)),
        epochs=2,
        random_state=0,
        reading=cr.Words(fewest=1),
        backend="numpy",
    ).fit(texts, [1, 0, 1, 0] * 6)
    row = model.input_.encode(model._read_input(texts[:1], (), reset=False), np.float64)
    found = attribute(model, row, 1)
    assert found.parts.shape == (5, 4)  # words, places of the embedding
    assert abs(found.residual) < 1e-9
    assert found.value == pytest.approx(model.predict_proba(texts[:1])[0, 1], abs=1e-9)


# A last layer that scales what it is given, by one number for all: the parameter is no wider than that.
SCALES = {
    "of one value": "data x[b,k]\nparameter s[o]\naxis o = 1\ny[b,k] = x[b,k]*exp(sum[o](s[o]))",
    "without axes": "data x[b,k]\nparameter s\ny[b,k] = x[b,k]*exp(s)",
}


@pytest.mark.parametrize("name", SCALES)
def test_what_is_explained_is_the_predicted_class_whatever_the_last_parameter_is(name: str) -> None:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 3))
    y = np.where(X[:, 0] > 0, "up", "down")
    network = cr.Network(cr.Dense(2), cr.Equations(SCALES[name]))
    model = cr.Classifier(network, epochs=3, random_state=0, backend="numpy").fit(X, y)
    judged, probabilities = judge(model, X, y), model.predict_proba(X)
    for best in (0, 1):
        row = int(probabilities[:, best].argmax())
        told = explain(judged, row)
        assert told.output == f"probability of {model.classes_[best]}"
        assert told.value == pytest.approx(probabilities[row, best], abs=1e-6)
        assert abs(told.residual) < 1e-7


def test_of_one_output_the_second_class_is_explained() -> None:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 3))
    y = np.where(X[:, 0] > 0, "up", "down")
    model = cr.Classifier(cr.Network(cr.Dense(1)), cr.BinaryCrossEntropy(), epochs=3, random_state=0, backend="numpy")
    judged = judge(model.fit(X, y), X, y)
    told = explain(judged, 0)
    assert told.output == "probability of up"
    assert told.value == pytest.approx(model.predict_proba(X[:1])[0, 1], abs=1e-6)
