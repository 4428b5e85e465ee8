"""What is done to each column, what it becomes, and what is said about it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from chainrule.data.frame import as_frame
from chainrule.data.grid import Cells, Grid, as_cells, axis_sizes, fit_grid
from chainrule.data.table import Category, LeftOut, Number, Table, fit_table, nearest
from chainrule.errors import ChainruleError


def houses(rows: int = 200) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area": generator.normal(80, 20, rows),
            "town": generator.choice(["Bonn", "Köln", "Ulm"], rows),
            "age": generator.integers(0, 90, rows).astype(float),
            "new": generator.random(rows) < 0.5,
            "zero": np.zeros(rows),
        }
    )
    table.loc[3, "age"] = np.nan
    table.loc[[4, 5], "town"] = [None, "Aue"]
    return table


@pytest.fixture(scope="module")
def table() -> Table:
    with pytest.warns(UserWarning, match="left out: 'zero' \\(constant, 0\\)"):
        return fit_table(as_frame(houses()))


def test_columns(table: Table) -> None:
    area, town, age, new, zero = table.columns
    assert isinstance(area, Number) and not area.gaps
    assert isinstance(town, Category) and town.levels == ("Bonn", "Köln", "Ulm") and town.rare and town.gaps
    assert isinstance(age, Number) and age.gaps
    assert isinstance(new, Number) and new.boolean
    assert isinstance(zero, LeftOut)
    assert table.features == (
        *("area", "age", "new", "age missing"),
        *("town = Bonn", "town = Köln", "town = Ulm", "town rare", "town missing"),
    )


def test_encoding(table: Table) -> None:
    design = table.design(as_frame(houses()), np.float64)
    area = houses()["area"].to_numpy()
    z = (area - area.mean()) / area.std()
    np.testing.assert_allclose(design[:, 0], z / np.sqrt(1 + (z / 3) ** 2))
    assert design[3, 1] == 0 and design[3, 3] == 1 and design[:, 3].sum() == 1
    assert list(design[4, 4:]) == [0, 0, 0, 0, 1]
    assert list(design[5, 4:]) == [0, 0, 0, 1, 0]
    assert (design[:, 4:].sum(axis=1) == 1).all()


def test_new_rows(table: Table) -> None:
    """Unknown categories count as rare, gaps where there were none as the mean, numbers far out are held back."""
    rows = pd.DataFrame(
        {"area": [np.nan, 1e30], "town": ["Rom", "Bonn"], "age": [1, 2], "new": [True, False], "zero": 0}
    )
    design = table.design(as_frame(rows), np.float64)
    assert design[0, 0] == 0 and design[1, 0] == pytest.approx(3)
    assert list(design[0, 4:]) == [0, 0, 0, 1, 0]


def test_text_where_numbers_were(table: Table) -> None:
    rows = houses()[:3].astype({"area": object})
    rows.loc[1, "area"] = "large"
    with pytest.raises(ChainruleError, match="column 'area', row 2: 'large' is not a number"):
        table.design(as_frame(rows))


def test_json(table: Table) -> None:
    assert Table.from_json(json.loads(json.dumps(table.to_json()))) == table


def test_a_weight_of_two_is_the_row_twice() -> None:
    rows = houses().drop(columns="zero")
    twice = fit_table(as_frame(pd.concat([rows, rows.iloc[:50]])))
    weighted = fit_table(as_frame(rows), np.where(np.arange(len(rows)) < 50, 2, 1))
    frame = as_frame(rows)
    np.testing.assert_allclose(twice.design(frame), weighted.design(frame), atol=1e-6)


def test_large_means_do_not_cancel() -> None:
    column = fit_table(as_frame(1e9 + np.random.default_rng(0).normal(size=(10_000, 1)))).columns[0]
    assert isinstance(column, Number)
    assert column.deviation == pytest.approx(1, rel=0.05)


def test_names_of_rows_are_left_out() -> None:
    rows = houses().drop(columns="zero").assign(name=[f"house {i}" for i in range(200)])
    with pytest.warns(UserWarning, match="'name' \\(200 different texts in 200 rows, hardly one of them twice\\)"):
        assert len(fit_table(as_frame(rows)).features) == 9


def test_nothing_left() -> None:
    with pytest.raises(ChainruleError, match="no column is of use: 'a' constant, 1"):
        fit_table(as_frame(pd.DataFrame({"a": [1, 1]})))


def test_nearest() -> None:
    assert nearest("Price", ["price", "rooms"]) == "; did you mean 'price'?"
    assert nearest("xyz", ["price", "rooms"]) == "; the columns are price, rooms"


def test_grid() -> None:
    X = np.random.default_rng(0).normal(5, 3, (20, 2, 4, 4))
    grid = fit_grid(Cells(X), np.ones(20))
    encoded = grid.encode(Cells(X))["x"]
    assert encoded.shape == X.shape and encoded.dtype == np.float32
    assert abs(encoded.mean()) < 1e-6 and encoded.std() == pytest.approx(1, abs=1e-5)
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    assert list(axis_sizes((30, 32, 3)).items()) == [("h", 30), ("w", 32), ("c", 3)]
    with pytest.raises(ChainruleError, match="rows of shape"):
        grid.encode(Cells(X[:, :1]))


@pytest.mark.parametrize("number", [np.nan, -np.inf])
@pytest.mark.parametrize("row", [0, 3, 19])
def test_gaps_in_grids(number: float, row: int) -> None:
    X = np.random.default_rng(0).normal(5, 3, (20, 4, 4))
    X[row, 2, 1] = number
    with pytest.raises(ChainruleError, match=rf"X, row {row + 1} holds a number that is missing or infinite"):
        as_cells(X)


@pytest.mark.parametrize(
    ("levels", "few"), [(["007", "012", "A1"], ["007", "012"]), (["true", "false", "maybe"], ["false", "true"])]
)
def test_a_category_stays_text_whatever_is_beside_it(levels: list[str], few: list[str]) -> None:
    table = fit_table(as_frame(pd.DataFrame({"code": levels * 5, "x": np.arange(15.0)})))
    assert table.text_columns == ("code",) and table.text_at == {0}
    encode = {level: table.design(as_frame(pd.DataFrame({"code": [level], "x": [0.0]}), {0})) for level in levels}
    beside = table.design(as_frame(pd.DataFrame({"code": few, "x": [0.0, 0.0]}), table.text_at))
    np.testing.assert_array_equal(beside, np.concatenate([encode[level] for level in few]))
    assert (beside[:, 1:].sum(axis=1) == 1).all()


def test_booleans_and_numbers_where_text_was() -> None:
    table = fit_table(as_frame(pd.DataFrame({"a": ["true", "false", "maybe"] * 5, "b": ["1", "2", "few"] * 5})))
    expected = table.design(as_frame(pd.DataFrame({"a": ["true", "false"], "b": ["2", "1"]}), table.text_at))
    for given in (
        pd.DataFrame({"a": [True, False], "b": [2, 1]}),
        pd.DataFrame({"a": ["True", "FALSE"], "b": [2.0, 1.0]}),
        np.array([[True, 2], [False, 1]], dtype=object),
    ):
        np.testing.assert_array_equal(table.design(as_frame(given, table.text_at)), expected)
    numbers = as_frame(np.array([[7.0, 2.0], [0.5, np.nan]]), table.text_at)
    assert list(numbers.texts[1]) == ["2", None] and list(numbers.texts[0]) == ["7", "0.5"]


def test_categories_of_whole_numbers_are_categories() -> None:
    frame = as_frame(pd.DataFrame({"k": pd.Categorical([3, 1, 2, 1]), "n": [1.0, 2.0, 3.0, 5.0]}))
    assert set(frame.texts) == {0} and list(frame.texts[0]) == ["3", "1", "2", "1"]
