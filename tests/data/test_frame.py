"""Tables of every kind become the same columns, and what cannot be read is named."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chainrule.data.frame import as_frame
from chainrule.errors import ChainruleError

COLUMNS: dict[str, list[Any]] = {
    "age": [31.5, None, 40.0],
    "rooms": [1, 2, 3],
    "sold": [True, False, True],
    "town": ["Ulm", None, "Bonn"],
}


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_libraries_agree(library: Any) -> None:
    frame = as_frame(library(COLUMNS))
    assert frame.names == tuple(COLUMNS)
    assert frame.number_at == (0, 1, 2)
    np.testing.assert_array_equal(frame.numbers, [[31.5, 1, 1], [np.nan, 2, 0], [40, 3, 1]])
    assert list(frame.texts[3]) == ["Ulm", None, "Bonn"]
    assert frame.booleans == {2}


def test_pandas_nullable_and_categorical() -> None:
    table = pd.DataFrame({0: pd.array([1, None], dtype="Int64"), 1: pd.Categorical(["x", "y"])})
    frame = as_frame(table)
    np.testing.assert_array_equal(frame.numbers, [[1], [np.nan]])
    assert list(frame.texts[1]) == ["x", "y"]


def test_text_that_is_numbers() -> None:
    frame = as_frame(np.array([["1.5", "a"], ["?", "b"], ["3", "NA"]]))
    np.testing.assert_array_equal(frame.numbers[:, 0], [1.5, np.nan, 3])
    assert list(frame.texts[1]) == ["a", "b", None]


def test_numeric_arrays_are_not_copied() -> None:
    X = np.ones((3, 2), dtype=np.float32)
    assert as_frame(X).numbers is X


def test_take_and_parts() -> None:
    frame = as_frame(pl.DataFrame(COLUMNS)).take(np.array([2, 0, 2]))
    assert list(frame.texts[3]) == ["Bonn", "Ulm", "Bonn"]
    numbers, towns = frame.parts()
    assert len(numbers) == 3
    assert towns[0] == towns[2] != towns[1]


NUMBERS_WITH_A_SLIP = [str(i) for i in range(20)] + ["twelve"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"n": NUMBERS_WITH_A_SLIP}), "column 'n', row 21: 'twelve' is not a number"),
        (pd.DataFrame({"day": pd.date_range("2024-01-01", periods=2)}), "column 'day' holds dates"),
        (pl.DataFrame({"day": [datetime.date(2024, 1, 1)]}), "column 'day' holds dates"),
        (np.array(["2024-01-01"], dtype="M8[D]")[:, None], "X holds dates"),
        (pl.DataFrame({"l": [[1], [2]]}), "column 'l' holds List"),
        (np.array([[1.0, 2.0], [np.inf, 0.0]]), "column 'x0', row 2: the number is infinite"),
        (np.array([[{"a": 1}], [2]], dtype=object), "column 'x0', row 1: {'a': 1} is neither a number nor text"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'?a'?"),
    ],
)
def test_bad_tables(table: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message.replace("{", r"\{").replace("}", r"\}")):
        as_frame(table)
