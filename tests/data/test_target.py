"""Targets: classes as numbers, values scaled, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from chainrule.data.target import Labels, Values, fit_labels, fit_values, read_labels, read_values, target_from_json
from chainrule.errors import ChainruleError


@pytest.mark.parametrize(
    "y", [["b", "a", "b"], pd.Series(["b", "a", "b"]), pl.Series(["b", "a", "b"]), pd.Categorical(["b", "a", "b"])]
)
def test_text_labels(y: Any) -> None:
    labels = fit_labels(read_labels(y))
    assert list(labels.classes) == ["a", "b"]
    assert list(labels.encode(read_labels(y))) == [1, 0, 1]


@pytest.mark.parametrize("y", [[True, False], [3, 1], [1.0, 2.0], ["x", "y"], [[0, 1], [1, 1]]])
def test_labels_as_json(y: Any) -> None:
    labels = fit_labels(read_labels(y))
    again = target_from_json(json.loads(json.dumps(labels.to_json())))
    assert isinstance(again, Labels) and again.several == labels.several
    np.testing.assert_array_equal(again.classes, labels.classes)
    assert again.classes.dtype == labels.classes.dtype


def test_values() -> None:
    y = np.array([[1.0, 10.0], [3.0, 10.0]])
    values = fit_values(read_values(y))
    np.testing.assert_array_equal(values.encode(y), [[-1, 0], [1, 0]])
    np.testing.assert_array_equal(values.decode(values.encode(y)), y)
    again = target_from_json(json.loads(json.dumps(values.to_json())))
    assert isinstance(again, Values)
    np.testing.assert_array_equal(again.decode(values.encode(y)), y)


@pytest.mark.parametrize(
    ("read", "y", "message"),
    [
        (read_labels, ["a", None], "y, row 2 is missing"),
        (read_labels, [1.0, np.nan], "y, row 2 is missing"),
        (read_labels, [0.1, 0.2, 0.35], "continuous"),
        (read_labels, [[0, 1], [2, 3]], "one classifier for each column"),
        (read_labels, None, "requires y to be passed"),
        (read_values, [1, np.nan], "y, row 2 is missing"),
        (read_values, [1, np.inf], "y, row 2 is infinite"),
        (read_values, ["1", "much"], "y, row 2: 'much' is not a number"),
        (read_values, [[1, 2], [3, None]], "y, row 2 is missing"),
        (read_values, np.zeros((2, 2, 2)), "3 axes"),
    ],
)
def test_refused(read: Any, y: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        read(y)


def test_one_class() -> None:
    with pytest.raises(ChainruleError, match=r"y has one class only \('a'\)"):
        fit_labels(read_labels(["a", "a"]))


def test_a_class_that_was_not_there() -> None:
    labels = fit_labels(read_labels(["a", "b"]))
    with pytest.raises(ChainruleError, match="y, row 1: 'c' is not one of the classes a, b"):
        labels.encode(read_labels(["c", "a"]))
