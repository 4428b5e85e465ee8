"""The history as columns, as a file, and back."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from chainrule.errors import ChainruleError
from chainrule.training.history import History


@pytest.fixture
def history() -> History:
    made = History()
    made.append({"epoch": 1, "steps": 10, "loss": 0.5, "learning_rate": 0.1, "seconds": 0.2})
    made.append(
        {"epoch": 2, "steps": 20, "loss": 0.4, "validation_accuracy": 0.9, "learning_rate": 0.1, "seconds": 0.1}
    )
    return made


def test_columns(history: History) -> None:
    assert history.names == ("epoch", "steps", "loss", "validation_accuracy", "learning_rate", "seconds")
    assert history["loss"] == [0.5, 0.4]
    assert math.isnan(history["validation_accuracy"][0])
    assert history.last["loss"] == 0.4 and "loss" in history and "f1" not in history
    with pytest.raises(ChainruleError, match="no 'f1' in the history; it has epoch"):
        history["f1"]


def test_csv(history: History, tmp_path: Path) -> None:
    history.to_csv(tmp_path / "history.csv")
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert rows[1]["validation_accuracy"] == "0.9" and rows[0]["validation_accuracy"] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]
    with pytest.raises(ChainruleError, match="no such file or directory"):
        history.to_csv(tmp_path / "nowhere" / "history.csv")


def test_json(history: History) -> None:
    assert History.from_json(json.loads(json.dumps(history.to_json()))) == history
    assert "2 epochs" in repr(history) and repr(History()) == "History (no epochs)"
