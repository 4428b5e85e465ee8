"""Commands on models that say how sure they are, and on several networks at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Command

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore:X has feature names")

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 2))
VALUES = 100 + 20 * X[:, 0]
NAMES = np.array(["ash", "birch", "cedar"])[np.arange(60) % 3]


def network(units: Any) -> cr.Network:
    return cr.Network(cr.Dense(4), cr.ReLU(), cr.Dropout(0.2), cr.Dense(units))


def regressor(**settings: Any) -> cr.Regressor:
    return cr.Regressor(network((1, 2)), cr.Gaussian(), epochs=2, random_state=0, backend="numpy", **settings)


def classifier(**settings: Any) -> cr.Classifier:
    return cr.Classifier(network(3), epochs=2, random_state=0, backend="numpy", **settings)


@pytest.fixture
def rows(tmp_path: Path) -> np.ndarray:
    """The first rows, which stand in rows.csv too."""
    np.savetxt(tmp_path / "rows.csv", X[:4], delimiter=",", header="a,b", comments="", fmt="%.17g")
    return X[:4]


def test_intervals_and_deviations_as_columns(run: Command, rows: np.ndarray) -> None:
    model = regressor(ensemble=2).fit(X, VALUES)
    model.save("m")
    found = json.loads(run("predict", "m", "rows.csv", "--level", "0.5", "--level", "0.9", "--std", "--json")[1])
    assert list(found) == ["prediction", "deviation", "low 0.5", "high 0.5", "low 0.9", "high 0.9"]
    low, high = model.predict_interval(rows, 0.9)
    np.testing.assert_allclose(found["low 0.9"], low)
    np.testing.assert_allclose(found["high 0.9"], high)
    np.testing.assert_allclose(found["deviation"], model.predict(rows, return_std=True)[1])


def test_sets_of_classes_and_intervals_of_conformal_models(run: Command, rows: np.ndarray) -> None:
    sets = cr.ConformalClassifier(classifier(), random_state=0).fit(X, NAMES)
    sets.save("sets")
    found = json.loads(run("predict", "sets", "rows.csv", "--level", "0.8", "--json")[1])["set 0.8"]
    assert found == [", ".join(sets.classes_[one]) for one in sets.predict_set(rows, 0.8)]
    intervals = cr.ConformalRegressor(regressor(), random_state=0).fit(X, VALUES)
    intervals.save("intervals")
    lines = run("predict", "intervals", "rows.csv", "--level", "0.8")[1].splitlines()
    assert lines[0] == '"prediction","low 0.8","high 0.8"' and len(lines) == 5


def test_several_targets_are_columns_of_a_table(run: Command, rows: np.ndarray) -> None:
    made = cr.Regressor(network((2, 2)), cr.Gaussian(), epochs=1, random_state=0, backend="numpy")
    made.fit(X, np.stack([VALUES, X[:, 1]], axis=1)).save("m")
    header = run("predict", "m", "rows.csv", "--std")[1].splitlines()[0]
    assert header == '"prediction 1","prediction 2","deviation 1","deviation 2"'


def test_a_model_that_is_not_sure_of_anything_is_refused(run: Command, rows: np.ndarray, tmp_path: Path) -> None:
    classifier().fit(X, NAMES).save("classes")
    cr.Regressor(network(1), epochs=1, random_state=0, backend="numpy").fit(X, VALUES).save("points")
    regressor().fit(X, VALUES).save("m")
    for words, said in (
        (("classes", "--level", "0.9"), "a Classifier predicts neither intervals nor sets"),
        (("classes", "--std"), "a Classifier predicts no standard deviation"),
        (("points", "--level", "0.9"), "SquaredError() predicts a value and not how far"),
        (("points", "--std"), "SquaredError() predicts a value and not how far"),
        (("m", "--level", "1.5"), "a level is a number between 0 and 1"),
    ):
        code, _, error = run("predict", words[0], "rows.csv", *words[1:])
        assert code == 2 and error.startswith(f"error: {words[0]}: ") and said in error
    (tmp_path / "wide.csv").write_text("a,b,c\n1,2,3\n")
    code, _, error = run("predict", "m", "wide.csv")
    assert code == 2 and "wide.csv: X has 3 features" in error


def test_several_networks_say_so(run: Command) -> None:
    model = regressor(ensemble=3).fit(X, VALUES)
    model.save("m")
    regressor(ensemble=cr.TabM(3)).fit(X, VALUES).save("shared")
    dropout = regressor().fit(X, VALUES).dropout_ensemble(5)
    dropout.save("dropout")
    assert run("info", "m")[1].startswith("Regressor, 1 target, an ensemble of 3 networks\n")
    assert "3 networks that share weights, " in run("info", "shared")[1]
    assert json.loads(run("info", "dropout", "--json")[1])["ensemble"] == "5 networks that dropout makes of one"
    assert "an ensemble of 5 networks that dropout makes of one" in dropout._repr_mimebundle_()["text/html"]
    of = [json.loads(run("compile", name, "--backend", "numpy", "--json")[1])["of"] for name in ("m", "shared")]
    assert of == ["3 networks", "3 networks that share weights"]
    assert "equations of the network of which dropout makes 5" in run("compile", "dropout", "--backend", "numpy")[1]
    assert "ensemble" not in regressor().fit(X, VALUES).summary()
