"""Tables in files."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest

from chainrule.data.files import read_table, split_target
from chainrule.data.frame import as_frame
from chainrule.errors import ChainruleError

TEXT = "area,town,price\n50.5,Ulm,100\n?,NA,200\n70, Bonn,300\n"


def test_csv_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TEXT)
    table = read_table(tmp_path / "t.csv")
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet") == table
    X, y = split_target(table, "price")
    frame = as_frame(X)
    assert frame.names == ("area", "town") and list(frame.texts[1]) == ["Ulm", None, "Bonn"]
    assert y.to_pylist() == [100, 200, 300]
    with pytest.raises(ChainruleError, match="no column 'prize'; did you mean 'price'"):
        split_target(table, "prize")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "no such file"),
        ("empty.csv", "", "empty"),
        ("header.csv", "a,b\n", "no rows"),
        ("ragged.csv", "a,b\n1,2\n1,2,3\n", "cannot be read as a table"),
        ("notes.docx", "x", "a table is a .csv"),
        ("broken.parquet", "PAR1", "broken.parquet"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ChainruleError, match=message) as caught:
        read_table(tmp_path / name)
    assert len(str(caught.value).splitlines()) == 1


def test_columns_that_are_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("code,x\n007,1\n012,2\n")
    assert read_table(tmp_path / "t.csv")["code"].to_pylist() == [7, 12]
    assert read_table(tmp_path / "t.csv", ("code", "another"))["code"].to_pylist() == ["007", "012"]


@pytest.mark.parametrize("text", ["a;b\n1;2\n3;4\n", "a|b\n1|2\n3|4\n", "a,b\n1,2\n3,4\n", "\ufeffa, b \n1,2\n3,4\n"])
def test_separators_and_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    table = read_table(tmp_path / "t.csv")
    assert table.column_names == ["a", "b"] and table.column("b").to_pylist() == [2, 4]


@pytest.mark.parametrize("content", [b"n\xe9e,b\n1,2\n", b"a,b\ncaf\xe9,2\n"])
def test_other_encodings_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ChainruleError, match="UTF-8"):
        read_table(tmp_path / "t.csv")
