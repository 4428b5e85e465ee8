"""Tables in files: CSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from chainrule.data.frame import MISSING_TEXTS
from chainrule.data.table import nearest
from chainrule.errors import ChainruleError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
PARQUET = (".parquet", ".pq")


def read_table(path: str | Path, text_columns: Collection[str] = ()) -> pa.Table:
    """The table in a CSV, TSV or Parquet file; the ending of its name says which.

    ``text_columns``: columns of a CSV or TSV file that are text also where they look like numbers ("007"); those of a
    trained model are ``model.input_.text_columns``.  Names that the file does not have are passed over.

    Raises ChainruleError with one line for a file that is missing, empty, no table, or of another kind.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SEPARATORS and suffix not in PARQUET:
        raise ChainruleError(f"{path}: a table is a .csv, .tsv or .parquet file")
    try:
        table = (
            _read_csv(path, SEPARATORS[suffix], text_columns)
            if suffix in SEPARATORS
            else pyarrow.parquet.read_table(path)
        )
    except FileNotFoundError:
        raise ChainruleError(f"{path}: no such file") from None
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or _line(error)).lower()}") from None
    except (pa.ArrowInvalid, pa.ArrowException) as error:
        raise ChainruleError(f"{path}: cannot be read as a table: {_line(error)}") from None
    if table.num_rows == 0:
        raise ChainruleError(f"{path}: the table has no rows")
    return table


def split_target(table: pa.Table, target: str) -> tuple[pa.Table, Any]:
    """The table without the column ``target``, and that column.

    Raises ChainruleError with the nearest name if there is no such column.
    """
    if target not in table.column_names:
        raise ChainruleError(f"no column {target!r}{nearest(target, table.column_names)}")
    if len(table.column_names) == 1:
        raise ChainruleError(f"the table has no column besides {target!r}")
    return table.drop_columns([target]), table.column(target)


def _read_csv(path: Path, separator: str, text_columns: Collection[str]) -> pa.Table:
    if path.stat().st_size == 0:
        raise ChainruleError(f"{path}: the file is empty")
    header, separator = _header(path, separator)
    missing = sorted({form for text in MISSING_TEXTS for form in (text, text.upper(), text.capitalize(), f" {text}")})
    missing += ["NaN", "N/A", "n/a"]
    parse = pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    convert = pyarrow.csv.ConvertOptions(
        null_values=missing,
        strings_can_be_null=True,
        column_types={name: pa.string() for name in header if name.strip() in text_columns},
    )
    try:
        table = pyarrow.csv.read_csv(path, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid:
        # With one thread the reader knows the number of the row that it cannot read.
        alone = pyarrow.csv.ReadOptions(use_threads=False)
        table = pyarrow.csv.read_csv(path, alone, parse, convert)
    table = table.rename_columns([name.strip() for name in table.column_names])
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_binary(column.type):
            raise ChainruleError(f"{path}: column {name!r} is not UTF-8; save the file as UTF-8")
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise ChainruleError(f"{path}: two columns are named {twice[0]!r}")
    return table


def _header(path: Path, separator: str) -> tuple[list[str], str]:
    """The names in the first line as they stand there, and what separates them."""
    with path.open("rb") as file:
        first = file.readline()
    try:
        line = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ChainruleError(f"{path}: the names of the columns are not UTF-8; save the file as UTF-8") from None
    parts = {mark: next(csv.reader([line], delimiter=mark)) for mark in (separator, ";", "|", "\t")}
    if len(parts[separator]) == 1:
        separator = max(parts, key=lambda mark: len(parts[mark]))
    return parts[separator], separator


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
