"""Examinations by themselves: kinks, activations as curves, causes, histories, and what a diagnosis shows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_iris

from chainrule.diagnosis import Diagnosis, Examined, Finding, Subject
from chainrule.diagnosis.causes import LEADS_TO, separated
from chainrule.diagnosis.curves import curves
from chainrule.diagnosis.gradients import compare
from chainrule.diagnosis.history import course
from chainrule.diagnosis.leaks import _of_classes, _of_values
from chainrule.diagnosis.symmetry import copies
from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, LanguageModel
from chainrule.estimators.examined import subject_of
from chainrule.layers import GELU, Dense, Equations, Layer, LeakyReLU, Network, ReLU, Sigmoid, SiLU, Softsign, Tanh
from chainrule.training.history import History

Array = NDArray[Any]
X, Y = load_iris(return_X_y=True)


def model_of(*hidden: Layer, epochs: int = 1) -> Classifier:
    return Classifier(Network(Dense(6), *hidden, Dense(3)), epochs=epochs, random_state=0).fit(X, Y)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return subject_of(model_of(Tanh(), epochs=20), X, Y, None, {})


@pytest.mark.parametrize(
    ("cost", "at", "derived", "known", "wrong"),
    [
        (np.exp, 1.0, np.e, True, False),
        (np.exp, 1.0, 1.001 * np.e, True, True),
        (abs, 0.0, 1.0, False, False),  # at the kink: any slope between -1 and 1
        (abs, 0.0, 1.1, False, True),
        (abs, 1e-4, 1.0, True, False),  # beside it: long steps reach over it
        (abs, 1e-4, 0.5, True, True),
        (lambda x: np.sin(50 * x), 0.1, 50 * np.cos(5), True, False),
    ],
)
def test_a_derivative_and_its_differences(cost: Any, at: float, derived: float, known: bool, wrong: bool) -> None:
    one = compare(lambda values: float(cost(values["θ"][0])), {"θ": np.array([at])}, "θ", (0,), derived)
    assert bool(one.known) is known or wrong
    assert bool(one.wrong(0.0) and not one.kink) is wrong


@pytest.mark.parametrize(
    ("layer", "ends"),
    [
        (ReLU(), 1),
        (SiLU(), 1),
        (GELU(), 1),
        (Sigmoid(), 2),
        (Tanh(), 2),
        (Softsign(), 2),
        (LeakyReLU(), 0),
        (Equations("a[b,i] = max(0, x[b,i])^2/2"), 1),
    ],
)
def test_activations_are_known_by_their_slope(layer: Layer, ends: int) -> None:
    subject = subject_of(model_of(layer), X, Y, None, {})
    found = list(curves(subject.step.cost_system, subject.step.output.name, subject.now))
    assert [curve.flat_ends for curve in found] == ([ends] if ends else [])
    assert all(curve.slopes.shape == (150, 6) and curve.slopes.min() >= 0 for curve in found)


def test_copies_are_counted() -> None:
    columns = np.random.default_rng(0).standard_normal((20, 5))
    assert copies(columns) == 0
    assert copies(columns[:, [0, 1, 1, 2, 0, 1]]) == 5
    assert copies(np.zeros((20, 5))) == 0


def test_what_a_column_alone_says() -> None:
    labels = np.repeat([0, 1, 2], 20)
    assert _of_classes(labels) == 1.0
    assert abs(_of_classes(np.random.default_rng(0).permutation(labels))) < 0.3
    line = np.linspace(0, 1, 50)[:, None]
    assert _of_values(line) > 0.99 and _of_values(np.random.default_rng(0).permutation(line)) < 0.2


def test_a_cause_explains_what_follows() -> None:
    def found(kind: str, since: Any = "") -> Finding:
        return Finding(kind, "dense1", "warning", "It is.", "Mend it.", {"x": 1.0}, since)

    causes, consequences = separated([found("dead-units", "training"), found("rate-too-high"), found("not-learning")])
    assert [cause.kind for cause in causes] == ["rate-too-high"]
    assert {(finding.kind, cause) for finding, cause in consequences} == {
        ("dead-units", "rate-too-high"),
        ("not-learning", "rate-too-high"),
    }
    # What was there before training is not what training did.
    causes, _ = separated([found("dead-units", "start"), found("rate-too-high")])
    assert [cause.kind for cause in causes] == ["dead-units", "rate-too-high"]


def test_causes_name_kinds_that_there_are() -> None:
    known = {*LEADS_TO, "not-learning", "still-falling", "overfitting", "rare-class", "backends-disagree"}
    assert {kind for kinds in LEADS_TO.values() for kind in kinds} <= known


def history(losses: list[float], aside: list[float] | None = None) -> History:
    rows = [{"epoch": k, "loss": loss, "learning_rate": 0.1} for k, loss in enumerate(losses, 1)]
    for row, loss in zip(rows, aside or [], strict=False):
        row["validation_loss"] = loss
    return History(rows)


@pytest.mark.parametrize(
    ("losses", "aside", "kinds"),
    [
        ([1.0, 0.5, 0.4, 0.39, 0.385, 0.384], None, []),
        ([1.0, 0.5, 0.8, 1.2, 1.5], None, ["diverging"]),
        ([1.0, 0.5, float("nan")], None, ["not-finite"]),
        ([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], None, ["still-falling"]),
        ([1.0, 0.5, 0.3, 0.2, 0.1, 0.05], [1.0, 0.6, 0.7, 0.9, 1.1, 1.2], ["overfitting"]),
        ([1.0, 0.5, 0.3, 0.29, 0.28, 0.28], [1.0, 0.6, 0.61, 0.6, 0.62, 0.6], []),
    ],
)
def test_histories(subject: Subject, losses: list[float], aside: list[float] | None, kinds: list[str]) -> None:
    seen = replace(subject, history=history(losses, aside), best_epoch=len(losses))
    assert [finding.kind for finding in course(seen).findings] == kinds


def test_the_best_epoch_does_not_overfit(subject: Subject) -> None:
    rising = history([1.0, 0.5, 0.3, 0.2], [1.0, 0.6, 0.7, 0.9])
    assert not course(replace(subject, history=rising, best_epoch=2)).findings


def test_without_data_what_needs_some_is_skipped() -> None:
    model = model_of(Tanh())
    diagnosis = model.check()
    skipped = {one.name for one in diagnosis.examined if one.skipped}
    assert {"units", "learning rate", "inputs", "targets"} <= skipped
    assert not {"gradients", "backends", "symmetry", "training"} & skipped
    assert diagnosis.passed
    with pytest.raises(ChainruleError, match="not one of the classes"):
        model.check(X, np.full(150, 7))


def test_parameters_that_are_not_finite() -> None:
    model = model_of(Tanh())
    model.parameters_ = {**model.parameters_, "dense1.W": np.full_like(model.parameters_["dense1.W"], np.nan)}
    with np.errstate(all="ignore"):
        diagnosis = model.check(X, Y)
    assert diagnosis.kinds == ("not-finite",) and not diagnosis.passed


def test_an_untrained_model() -> None:
    diagnosis = Classifier(epochs=1, optimizer=None, random_state=0).fit(X, Y)
    subject = subject_of(diagnosis, X, Y, None, {})
    assert subject.trained
    assert not replace(subject, parameters=subject.first).trained


def test_a_language_model() -> None:
    text = "the cat sat on the mat and the dog sat on the log. " * 20
    model = LanguageModel("gpt(layers=1, units=8, heads=2)", length=8, epochs=1, steps_per_epoch=2, random_state=0)
    diagnosis = model.fit(text).check(text)
    assert {one.name for one in diagnosis.examined if not one.skipped} >= {"gradients", "units", "learning rate"}
    assert "wrong-gradient" not in diagnosis.kinds and "backends-disagree" not in diagnosis.kinds


def test_how_it_is_shown() -> None:
    finding = Finding("dead-units", "relu1", "warning", "5 of 6 units are dead.", "Use SiLU().", {"dead": 5})
    after = Finding("not-learning", "network", "error", "It explains 0 %.", "Mend it.", {"explained": 0})
    examined = (Examined("units", "1 layer", (finding,)), Examined("leaks", "needs data", skipped=True))
    diagnosis = Diagnosis((finding,), ((after, "dead-units"),), examined)
    assert not diagnosis.passed and Diagnosis((), (), ()).passed
    text = diagnosis.text()
    assert "1 finding in 1 examinations (1 skipped)" in text and "Warning: dead-units · relu1" in text
    assert "→ Use SiLU()." in text and "skipped: needs data" in text and "explained by dead-units" in text
    assert "5 of 6 units are dead." in diagnosis._repr_html_() and diagnosis.html().startswith("<!DOCTYPE html>")
    assert json.loads(json.dumps(diagnosis.to_json()))["findings"][0]["numbers"] == {"dead": 5.0}
