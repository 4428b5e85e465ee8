"""``chainrule evaluate``, and the same scores at the end of a training run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import log_loss
from tests.cli.conftest import Command

import chainrule as cr


def test_scores_of_classes_are_those_of_the_training_run(run: Command, tmp_path: Path) -> None:
    record = json.loads(run("train", "iris", "--epochs", "3", "--no-report", "--out", "m", "--json")[1])["test"]
    found = json.loads(run("evaluate", "m", "--json")[1])
    assert found.pop("rows") == 30
    assert found == record and set(found) == {"accuracy", "NLL", "Brier score", "ECE"}
    assert found["ECE"]["low"] <= found["ECE"]["value"] <= found["ECE"]["high"]
    model, (X, y) = cr.load("m"), load_iris(return_X_y=True)
    all_rows = json.loads(run("evaluate", "m", "iris", "--json")[1])
    assert all_rows["rows"] == 150
    assert all_rows["NLL"]["value"] == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-5)
    code, out, _ = run("evaluate", "m")
    assert code == 0 and "on 30 rows kept aside" in out and "Brier score" in out


def test_a_likelihood_of_numbers_has_scores_and_intervals(run: Command) -> None:
    arguments = ("train", "diabetes", "--loss", "Gaussian()", "--epochs", "3", "--no-report", "--out", "m")
    code, out, _ = run(*arguments)
    assert code == 0 and "CRPS" in out and "holds the truth" in out and "mean width" in out
    found = json.loads(run("evaluate", "m", "--json")[1])
    assert [one["level"] for one in found["covered"]] == [0.5, 0.8, 0.9, 0.95]
    assert found["covered"][0]["size"] < found["covered"][3]["size"]
    assert {"R²", "RMSE", "MAE", "NLL", "CRPS"} < set(found)


def test_other_losses_of_numbers_have_scores_of_values_alone(run: Command) -> None:
    run("train", "diabetes", "--epochs", "2", "--no-report", "--out", "m")
    assert set(json.loads(run("evaluate", "m", "--json")[1])) == {"rows", "R²", "RMSE", "MAE"}


def test_a_conformal_model_in_a_folder(run: Command) -> None:
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    model = cr.ConformalClassifier(cr.Classifier(epochs=3, random_state=0), random_state=0).fit(X, names)
    model.save("m")
    code, out, _ = run("evaluate", "m", "iris")
    assert code == 0 and "mean classes" in out and "95%" in out
    code, _, error = run("walk", "m", "iris")
    assert code == 2 and "m: is a ConformalClassifier around a network; the network is in m/estimator" in error
    assert run("walk", "m/estimator", "iris")[0] == 0


def test_bad_input(run: Command, tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    cr.Regressor(epochs=1).fit(X, y).save("m")
    assert "give the rows as DATA" in run("evaluate", "m")[2]
    assert "no such model" in run("evaluate", "nowhere")[2]
    Path("t.csv").write_text("a,b\n1,2\n")
    code, _, error = run("evaluate", "m", "t.csv")
    assert code == 2 and "--target" in error
