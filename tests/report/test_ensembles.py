"""Reports of ensembles: what is explained is what they predict together, and all numbers say whose they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.probability.evaluation import probability_scores
from chainrule.report import attribute, report
from chainrule.report.attributions import explain
from chainrule.report.calibration import of_wrapper
from chainrule.report.judged import judge
from chainrule.report.page import written

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 3))
VALUES = 1000 + 40 * X[:, 0]
NAMES = np.array(["ash", "birch", "cedar"])[np.arange(60) % 3]
TEXTS = ["a good film with heart", "a bad boring film", "good and warm", "long and boring and bad"] * 6
SETTINGS: dict[str, Any] = {"epochs": 2, "random_state": 0, "backend": "numpy"}

Given = tuple[Any, Any, Any]


def network(*units: Any) -> cr.Network:
    return cr.Network(cr.Dense(5), cr.ReLU(), cr.Dropout(0.2), cr.Dense(*units))


def of_classes() -> Given:
    return cr.Classifier(network(3), ensemble=3, **SETTINGS).fit(X, NAMES), X, NAMES


def of_labels() -> Given:
    labels = (X > 0).astype(int)
    return cr.Classifier(network(3), ensemble=2, **SETTINGS).fit(X, labels), X, labels


def of_several_values() -> Given:
    several = np.stack([VALUES, X[:, 1]], axis=1)
    return cr.Regressor(network(2), ensemble=2, **SETTINGS).fit(X, several), X, several


def of_distributions() -> Given:
    return cr.Regressor(network((1, 2)), cr.Gaussian(), ensemble=2, **SETTINGS).fit(X, VALUES), X, VALUES


def of_shared_weights() -> Given:
    model = cr.Regressor(network((1, 2)), cr.Gaussian(), ensemble=cr.TabM(3), **SETTINGS)
    return model.fit(X, VALUES), X, VALUES


def of_dropout() -> Given:
    model = cr.Regressor(network((1, 2)), cr.Gaussian(), **SETTINGS).fit(X, VALUES)
    return model.dropout_ensemble(4), X, VALUES


def of_texts() -> Given:
    made = cr.Network(cr.Embedding(30, 4), cr.GlobalMaxPool(), cr.Dense(2))
    model = cr.Classifier(made, ensemble=2, reading=cr.Words(fewest=1), **SETTINGS)
    return model.fit(TEXTS, [1, 0, 1, 0] * 6), TEXTS, [1, 0, 1, 0] * 6


ENSEMBLES = [of_classes, of_labels, of_several_values, of_distributions, of_shared_weights, of_dropout, of_texts]


@pytest.mark.parametrize("made", ENSEMBLES)
def test_contributions_add_up_to_what_the_ensemble_predicts(made: Callable[[], Given]) -> None:
    model, rows, y = made()
    told = explain(judge(model, rows, y), 1)
    classes = isinstance(model, cr.Classifier)
    expected = model.predict_proba(rows)[1].max() if classes else model.predict(rows)[1].ravel()[0]
    assert told.value == pytest.approx(expected, rel=1e-9)
    assert abs(told.residual) < 1e-7 * max(1.0, abs(told.value))
    assert np.abs(told.parts).max() > 0


def test_contributions_are_the_mean_of_the_networks() -> None:
    model, rows, _ = of_texts()
    read = model.input_.encode(model._read_input(rows[:1], (), reset=False), np.float64)
    each = np.mean([attribute(model.member(k), read, 1).parts for k in range(2)], axis=0)
    np.testing.assert_allclose(attribute(model, read, 1).parts, each, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (of_classes, ("an ensemble of 3 networks", "the first of 3 networks", "of all 3 networks")),
        (of_dropout, ("an ensemble of 4 networks that dropout makes of one", "which all thinned networks share")),
    ],
)
def test_a_report_says_whose_numbers_it_shows(made: Callable[[], Given], said: tuple[str, ...]) -> None:
    model, rows, y = made()
    of_all = model.report(rows, y)
    assert {"attributions", "weights", "walk"} <= {one.name for one in of_all.sections}
    page = of_all.html()
    assert all(part in page for part in said)


def test_parameters_say_which_of_them_are_shared() -> None:
    page = of_shared_weights()[0].report().html()
    assert "an ensemble of 3 networks that share weights" in page and "of those that are not shared" in page


def test_of_an_estimator_around_a_model_the_report_shows_both() -> None:
    wrapper = cr.TemperatureScaling(cr.Classifier(network(3), **SETTINGS), random_state=0).fit(X, NAMES)
    made = report(wrapper, X, NAMES)
    assert made.title == "Classifier in TemperatureScaling"
    (section,) = [one for one in made.sections if one.name == "wrapper"]
    assert "Classifier alone. Expected" in section.html and "TemperatureScaling. Expected" in section.html
    own = probability_scores(judge(wrapper.estimator_, X, NAMES).numbers, wrapper.predict_proba(X))
    assert written(own[0].value) in section.html

    intervals = cr.ConformalRegressor(cr.Regressor(network((1, 2)), cr.Gaussian(), **SETTINGS), random_state=0)
    section = of_wrapper(judge(intervals.fit(X, VALUES).estimator_, X, VALUES), intervals)
    assert section is not None and "intervals that are predicted" in section.html
    sets = cr.ConformalClassifier(cr.Classifier(network(3), **SETTINGS), random_state=0).fit(X, NAMES)
    section = of_wrapper(judge(sets.estimator_, X, NAMES), sets)
    assert section is not None and "sets of classes that are predicted" in section.html
