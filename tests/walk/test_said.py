"""What a walk says of its numbers in words: classes, values in their own unit, symbols."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.walk import Said

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((60, 3))
NAMES = np.array(["ash", "birch", "cedar"])[np.arange(60) % 3]


def classifier(*layers: cr.Layer, **settings: object) -> cr.Classifier:
    return cr.Classifier(cr.Network(*layers), epochs=2, random_state=0, backend="numpy", **settings)


def test_the_predicted_class_beside_the_true_one() -> None:
    model = classifier(cr.Dense(3)).fit(X, NAMES)
    probabilities, predicted = model.predict_proba(X), model.predict(X)
    right, wrong = int(np.argmax(predicted == NAMES)), int(np.argmax(predicted != NAMES))
    (sentence,) = model.walk(X[[right]], NAMES[[right]]).said.predicted
    assert sentence == (
        f"The prediction is {predicted[right]} (probability {probabilities[right].max():.3g}); "
        f"the row is {NAMES[right]}."
    )
    walk = model.walk(X[[wrong]], NAMES[[wrong]])
    own = probabilities[wrong, list(model.classes_).index(NAMES[wrong])]
    assert walk.said.predicted[0].endswith(f"; the row is {NAMES[wrong]} (probability {own:.3g}).")
    assert walk.said.predicted[0] in walk.text(200) and walk.said.predicted[0] in walk.html()
    assert model.walk(X[[wrong]]).said.predicted[0].endswith(").")  # nothing says what the row is
    assert [one[:6] for one in model.walk(X, NAMES).said.predicted] == ["Row 0:", "Row 1:", "Row 2:", "Row 3:"]


def test_of_two_classes_of_margins_and_of_several_labels() -> None:
    model = classifier(cr.Dense(1), loss=cr.Hinge()).fit(X, X[:, 0] > 0)
    assert re.fullmatch(
        r"The prediction is (True|False) \(score .*\); the row is (True|False).*\.",
        model.walk(X[:1], X[:1, 0] > 0).said.predicted[0],
    )
    labels = (X > 0).astype(int)
    said = classifier(cr.Dense(3)).fit(X, labels).walk(X[:1], labels[:1]).said.predicted[0]
    has = ", ".join(str(k) for k in np.flatnonzero(labels[0]))
    assert said.endswith(f"the row has the labels {has}." if has else "the row has no label.")


def test_values_in_their_own_unit() -> None:
    y = 1000 + 50 * X[:, 0]
    model = cr.Regressor(cr.Network(cr.Dense(1)), epochs=2, random_state=0, backend="numpy").fit(X, y)
    walk = model.walk(X[:1], y[:1])
    (given,) = walk.said.given
    assert f"less {y.mean():,.6g}, its mean, divided by {y.std():,.6g}, its deviation" in given and given in walk.text(
        200
    )
    (said,) = walk.said.predicted
    assert f"The prediction is {model.predict(X[:1])[0]:,.6g} in the unit of the target (" in said
    assert said.endswith(f"the row has {y[0]:,.6g}.")
    assert model.walk(X[:1]).said.given == walk.said.given  # the prediction alone is scaled, too


def test_symbols_as_text() -> None:
    text = "the cat sat on the mat. " * 20
    running = cr.LanguageModel("gpt(layers=1, units=4, heads=1)", length=8, epochs=1, steps_per_epoch=1, random_state=0)
    said = running.fit(text).walk(text, window=1).said
    assert said.given == ("x reads “sat on t”.",)
    assert re.fullmatch(
        r"The prediction is (“.”|an unknown symbol) behind the last symbol read \(probability .*\); "
        r"the text has “h”.*\.",
        said.predicted[0],
    )
    short = cr.LanguageModel("gpt(layers=1, units=4, heads=1)", length=8, epochs=1, random_state=0)
    said = short.fit(["anna", "otto", "hanna"] * 4).walk(["anna"]).said
    assert said.given == ("x reads “anna”.",) and "the text has the end of the text" in said.predicted[0]


def test_random_numbers_are_of_the_step_alone() -> None:
    said = classifier(cr.Dense(4), cr.Dropout(0.5), cr.Dense(3)).fit(X, NAMES).walk(X[:1], NAMES[:1]).said
    assert said.predicted[-1] == "A prediction draws no random numbers; a training step does."


@pytest.mark.parametrize("said", [Said(), Said(("Given.",), ("Predicted.",))])
def test_where_it_stands(said: Said) -> None:
    text = replace(classifier(cr.Dense(3)).fit(X, NAMES).walk(X[:1], NAMES[:1]), said=said).text()
    assert ("Predicted." in text.partition("What is given")[0]) == bool(said.predicted)
    assert ("Given." in text.partition("What is given")[2]) == bool(said.given)
