"""A walk ends with how the prediction is formed: the numbers there are those that the model predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.probability.uncertainty import class_uncertainty
from chainrule.walk.exact import exact_value

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(40, 3))
VALUES = 1000 + 40 * X[:, 0]
COUNTS = np.abs(3 * X[:, 0]).round()
NAMES = np.array(["ash", "birch", "cedar"])[np.arange(40) % 3]

HEADS: dict[str, tuple[cr.Loss, Any]] = {
    "normal": (cr.Gaussian(), (1, 2)),
    "Laplace": (cr.Laplace(), (1, 2)),
    "Student's t": (cr.StudentT(), (1, 3)),
    "fixed Student's t": (cr.FixedStudentT(5.0), (1, 2)),
    "mixture": (cr.MixtureDensity(2), (1, 2, 3)),
    "Poisson": (cr.Poisson(), 1),
    "negative binomial": (cr.NegativeBinomial(), (1, 2)),
}


def network(units: Any, *between: cr.Layer) -> cr.Network:
    return cr.Network(cr.Dense(4), cr.Tanh(), *between, cr.Dense(units))


def regressor(made: cr.Network, loss: cr.Loss | None = None, y: Any = VALUES, **settings: Any) -> cr.Regressor:
    model = cr.Regressor(made, loss, cr.Adam(0.05), epochs=2, random_state=0, backend="numpy", **settings)
    return model.fit(X, y)


def classifier(made: cr.Network, y: Any = NAMES, **settings: Any) -> cr.Classifier:
    return cr.Classifier(made, epochs=2, random_state=0, backend="numpy", **settings).fit(X, y)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("members", [None, 3])
def test_mean_and_variance_are_those_of_the_distribution(head: str, members: int | None) -> None:
    loss, units = HEADS[head]
    y = COUNTS if isinstance(loss, cr.Poisson | cr.NegativeBinomial) else VALUES
    model = regressor(network(units), loss, y, ensemble=members)
    expected = model.predict_distribution(X[:2])
    scope = "target" if members is None else "mixture"
    for walk in (model.walk(X[:2], y[:2]), model.walk(X[:2])):
        np.testing.assert_allclose(walk[f"{scope}.mean"].value[:, 0], expected.mean, rtol=1e-9)
        np.testing.assert_allclose(walk[f"{scope}.variance"].value[:, 0], expected.variance, rtol=1e-9)
        assert walk[f"{scope}.deviation"].phase == "prediction"
        if members is not None:
            np.testing.assert_allclose(walk["mixture.noise"].value[:, 0], expected.aleatoric_variance, rtol=1e-9)
            np.testing.assert_allclose(walk["mixture.disagreement"].value[:, 0], expected.epistemic_variance, rtol=1e-9)


def test_several_targets_and_networks_that_dropout_makes() -> None:
    model = regressor(network((2, 2), cr.Dropout(0.3)), cr.Gaussian(), np.stack([VALUES, X[:, 1]], axis=1))
    several = model.dropout_ensemble(4)
    walk = several.walk(X[:1], np.stack([VALUES, X[:, 1]], axis=1)[:1])
    assert walk["network.μ"].shape == (4, 1, 2)
    np.testing.assert_allclose(walk["mixture.mean"].value, several.predict(X[:1]))
    np.testing.assert_allclose(walk["mixture.deviation"].value, several.predict_distribution(X[:1]).std)
    # A training step leaves units out and a prediction does not, so its parameters are not those of the step.
    alone = model.walk(X[:1], np.stack([VALUES, X[:, 1]], axis=1)[:1])
    np.testing.assert_allclose(alone["target.deviation"].value, model.predict_distribution(X[:1]).std)
    assert alone["network.σ"].role == "data"


def test_quantiles() -> None:
    loss = cr.Quantiles((0.1, 0.5, 0.9))
    one, several = (regressor(network((1, 3)), loss, ensemble=members) for members in (None, 2))
    expected = [model.predict_quantiles(X[:1], loss.levels)[0] for model in (one, several)]
    np.testing.assert_allclose(one.walk(X[:1])["target.quantile"].value[0, 0], expected[0])
    walk = several.walk(X[:1])
    np.testing.assert_allclose(walk["mixture.quantile"].value[0, 0], expected[1])
    assert walk.said.formed[0].startswith("What is predicted are the quantiles of the levels 0.1, 0.5, 0.9")


def test_entropies_of_classes_of_two_of_them_and_of_labels() -> None:
    model = classifier(network(3), ensemble=3)
    walk = model.walk(X[:2], NAMES[:2])
    parts = class_uncertainty(np.stack([model.member(k).predict_proba(X[:2]) for k in range(3)]))
    np.testing.assert_allclose(walk["mixture.probability"].value, model.predict_proba(X[:2]))
    np.testing.assert_allclose(walk["mixture.entropy"].value, parts.total)
    np.testing.assert_allclose(walk["mixture.noise"].value, parts.aleatoric)
    np.testing.assert_allclose(walk["mixture.disagreement"].value, parts.epistemic, atol=1e-12)

    two = classifier(network(1), X[:, 0] > 0, loss=cr.BinaryCrossEntropy(), ensemble=2)
    parts = class_uncertainty(np.stack([two.member(k).predict_proba(X[:2]) for k in range(2)]))
    np.testing.assert_allclose(two.walk(X[:2])["mixture.entropy"].value[:, 0], parts.total)
    labels = classifier(network(3), (X > 0).astype(int), ensemble=2).walk(X[:1])
    assert labels["mixture.entropy"].shape == (1, 3)


def test_an_entropy_is_a_number_where_a_probability_is_0() -> None:
    model = classifier(network(1), X[:, 0] > 0, loss=cr.BinaryCrossEntropy(), ensemble=2)
    model.parameters_ = {**model.parameters_, "dense2.β": np.full((2, 1), 800.0)}
    assert model.walk(X[:1])["mixture.entropy"].value == 0


def test_scores_and_values_without_a_distribution() -> None:
    margins = classifier(network(3), loss=cr.MulticlassHinge(), ensemble=2)
    np.testing.assert_allclose(margins.walk(X[:1])["mixture.score"].value, margins._scores(X[:1]))
    model = regressor(network(1), ensemble=3)
    walk = model.walk(X[:1], VALUES[:1])
    each = [model.member(k).predict(X[:1])[0] for k in range(3)]
    np.testing.assert_allclose(walk["target.mean"].value[:, 0, 0], each)
    np.testing.assert_allclose(walk["mixture.deviation"].value[0, 0], np.std(each))
    assert "how noisy the target is, they do not say" in walk.said.formed[0]
    assert "prediction" not in {quantity.phase for quantity in regressor(network(1)).walk(X[:1]).quantities}


def test_it_says_which_network_it_is_and_shows_and_opens_the_rest() -> None:
    model = regressor(network((1, 2)), cr.Gaussian(), ensemble=3)
    walk = model.walk(X[:1], VALUES[:1])
    np.testing.assert_array_equal(walk["dense1.z"].value, model.member(0).walk(X[:1], VALUES[:1])["dense1.z"].value)
    text = walk.text()
    assert text.startswith("A training step on one row, of the first of 3 networks")
    assert "model.member(k).walk(…) walks through network k" in text
    assert text.index("The update") < text.index("How the prediction is formed") < text.index("mixture.noise")
    assert f"The prediction of 3 networks together is {model.predict(X[:1])[0]:,.6g}" in walk.said.predicted[1]
    (_, numbers) = walk.said.formed
    assert numbers.startswith("Of this row: mean ") and " = noise " in numbers
    element = walk.at("mixture.disagreement[0]")
    assert exact_value(element.exact()) == pytest.approx(element.value, rel=1e-12)
    assert {place.tensor for place in element.reads} == {"target.mean", "mixture.mean"}
    page = walk.html()
    assert 'id="mixture.variance-0-0"' in page and "How the prediction is formed" in walk._repr_html_()


def test_of_a_dropout_ensemble_it_is_the_network_itself() -> None:
    model = classifier(network(3, cr.Dropout(0.3)))
    walk = model.dropout_ensemble(5).walk(X[:1], NAMES[:1])
    assert walk.said.network == "the network of which dropout makes 5"
    assert walk.said.predicted[0].startswith("The prediction of the network of which dropout makes 5 is ")
    np.testing.assert_allclose(walk["mixture.probability"].value, model.dropout_ensemble(5).predict_proba(X[:1]))
