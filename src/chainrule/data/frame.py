"""A table as columns of numbers and columns of text, whatever it came as.

Arrays and lists come as they are; data frames of any library (pandas, polars, pyarrow …) come through narwhals.
Rows are counted from 1 in messages, as in a spreadsheet without its header.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError

Array = NDArray[Any]

# What people write where a value is missing.
MISSING_TEXTS = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "."})

# A text column with this share of numbers is a column of numbers with a slip in it, not a category.
MOSTLY_NUMBERS = 0.9
FEWEST_NUMBERS = 10  # rows


@dataclass(frozen=True)
class Frame:
    """Columns in order.

    ``numbers`` [row, k] holds those at the positions ``number_at`` (NaN: missing); ``texts`` the others by position, as
    arrays of str (None: missing); ``booleans`` are the positions that were true or false.
    """

    names: tuple[str, ...]
    numbers: Array
    number_at: tuple[int, ...]
    texts: Mapping[int, Array]
    booleans: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.numbers)

    def number(self, position: int) -> Array | None:
        """The numbers of one column [row], or None if it holds text."""
        if position in self.texts:
            return None
        return self.numbers[:, self.number_at.index(position)]

    def take(self, rows: Array) -> Frame:
        """These rows, in this order."""
        texts = {position: column[rows] for position, column in self.texts.items()}
        return Frame(self.names, self.numbers[rows], self.number_at, texts, self.booleans)

    def parts(self) -> list[Array]:
        """The columns as arrays of numbers [b, …], in which equal rows have equal numbers."""
        codes = []
        for column in self.texts.values():
            place = {text: k for k, text in enumerate(sorted({text for text in column if text is not None}))}
            codes.append(np.array([-1 if text is None else place[text] for text in column], dtype=np.int64))
        return [self.numbers, *codes]


def is_data_frame(X: Any) -> bool:
    """Whether ``X`` is a data frame of a library that narwhals knows."""
    return bool(nw.dependencies.is_into_dataframe(X))


def as_frame(X: Any, text_at: Collection[int] = frozenset()) -> Frame:
    """The columns of a data frame or of an array [row, column].

    ``text_at``: positions that hold text whatever these rows look like, so that "007" stays "007" also where every
    text beside it is a number.

    Raises ChainruleError, with the column and the row, for columns that are neither numbers, booleans nor text (dates,
    lists), for a column of numbers in which some values are text, and for infinite numbers.
    """
    if is_data_frame(X):
        return _from_data_frame(X, text_at)
    array = np.asarray(X)
    if array.dtype.kind in "fiu" and not text_at:
        frame = Frame(tuple(f"x{i}" for i in range(array.shape[1])), array, tuple(range(array.shape[1])), {})
        refuse_infinite(frame)
        return frame
    if array.dtype.kind in "Mm":
        raise ChainruleError("X holds dates or times; give numbers made from them (year, month, days since …)")
    columns = [array[:, i].tolist() if array.dtype.kind not in "fiub" else array[:, i] for i in range(array.shape[1])]
    return _assemble([f"x{i}" for i in range(array.shape[1])], columns, len(array), text_at)


def _from_data_frame(X: Any, text_at: Collection[int]) -> Frame:
    try:
        frame = nw.from_native(X, eager_only=True)
    except (TypeError, nw.exceptions.NarwhalsError) as error:
        raise ChainruleError(f"this table cannot be read: {str(error).splitlines()[0]}") from None
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise ChainruleError(f"two columns are named {next(n for n in names if names.count(n) > 1)!r}")
    if _is_plain(X) and not text_at:
        frame = Frame(tuple(names), X.to_numpy(), tuple(range(len(names))), {})
        refuse_infinite(frame)
        return frame
    columns: list[Any] = []
    for name, series in zip(names, frame.iter_columns(), strict=True):
        kind = series.dtype
        if kind.is_temporal():
            raise ChainruleError(
                f"column {name!r} holds dates or times; give numbers made from them (year, month, days since …)"
            )
        if kind in (nw.Categorical, nw.Enum):
            # Said to be categories: they are, whatever their names look like.
            text_at = {*text_at, len(columns)}
        if kind == nw.Boolean and series.null_count() == 0:
            columns.append(series.to_numpy().astype(bool))
        elif kind.is_numeric():
            columns.append(_float_column(series))
        elif kind == nw.Boolean or kind in (nw.String, nw.Categorical, nw.Enum, nw.Object) or kind == nw.Unknown:
            columns.append(series.to_list())
        else:
            raise ChainruleError(f"column {name!r} holds {kind}; a table needs numbers, true/false or text")
    return _assemble(names, columns, len(frame), text_at)


def _is_plain(X: Any) -> bool:
    """Whether it is a data frame of pandas whose columns are NumPy's numbers: they come in one piece."""
    if not nw.dependencies.is_pandas_dataframe(X) or not X.shape[1]:
        return False
    return all(isinstance(kind, np.dtype) and kind.kind in "fiu" for kind in set(X.dtypes))


def _float_column(series: Any) -> Array:
    if series.dtype == nw.Decimal:
        series = series.cast(nw.Float64)
    array = np.asarray(series.to_numpy())
    if array.dtype.kind in "fiu":
        return array
    return np.array([math.nan if value is None else float(value) for value in series.to_list()])


def _assemble(names: Sequence[str], columns: Sequence[Any], rows: int, text_at: Collection[int]) -> Frame:
    number_at, numbers, texts, booleans = [], [], {}, set()
    for position, (name, column) in enumerate(zip(names, columns, strict=True)):
        values: Array | None = None
        if position in text_at:
            column = column.tolist() if isinstance(column, np.ndarray) else column
        elif isinstance(column, np.ndarray):
            values = column
            if column.dtype.kind == "b":
                booleans.add(position)
        else:
            if all(kind in (bool, np.bool_, type(None)) for kind in set(map(type, column))):
                booleans.add(position)
            values = _numbers(name, column)
        if values is None:
            texts[position] = _texts(name, column)
        else:
            number_at.append(position)
            numbers.append(values)
    kind = np.result_type(np.float32, *(values.dtype for values in numbers)) if numbers else np.dtype(np.float64)
    matrix = np.empty((rows, len(numbers)), dtype=kind)
    for k, values in enumerate(numbers):
        matrix[:, k] = values
    frame = Frame(tuple(names), matrix, tuple(number_at), texts, frozenset(booleans))
    refuse_infinite(frame)
    return frame


def is_missing(value: Any) -> bool:
    """None, NaN, the missing values of pandas, and the texts that people write for them."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING_TEXTS
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def number_or_none(value: Any) -> float | None:
    """The value as a number; None if it is not one."""
    if not isinstance(value, str | int | float | np.number | np.bool_):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _numbers(name: str, column: Sequence[Any]) -> Array | None:
    """The numbers of a column of mixed values, or None if it holds text."""
    if set(map(type, column)) <= {float, int}:
        return np.asarray(column, dtype=np.float64)
    different = _different(name, column)
    number = {value: math.nan if is_missing(value) else number_or_none(value) for value in different}
    if None not in number.values():
        array = np.array([number[value] for value in column], dtype=np.float64)
        return None if np.isnan(array).all() and any(isinstance(value, str) for value in different) else array
    found = [value for value in column if number[value] is not None and number[value] == number[value]]
    present = sum(not is_missing(value) for value in column) if len(found) >= FEWEST_NUMBERS else math.inf
    if len(found) >= MOSTLY_NUMBERS * present:
        row, value = next((row, value) for row, value in enumerate(column, 1) if number[value] is None)
        raise not_a_number(name, row, value)
    return None


def _different(name: str, column: Sequence[Any]) -> list[Any]:
    """The different values of a column: a category occurs many times, and each is looked at once."""
    try:
        return list(dict.fromkeys(column))
    except TypeError:
        row, value = next((row, value) for row, value in enumerate(column, 1) if type(value).__hash__ is None)
        raise ChainruleError(f"column {name!r}, row {row}: {value!r} is neither a number nor text") from None


def not_a_number(name: str, row: int, value: Any) -> ChainruleError:
    """The error for text where a number is needed."""
    text = str(value)
    text = text if len(text) <= 40 else text[:37] + "…"
    return ChainruleError(f"column {name!r}, row {row}: {text!r} is not a number; correct it or leave it empty")


def _texts(name: str, column: Sequence[Any]) -> Array:
    _different(name, column)
    # By type too: True, 1 and 1.0 are one key, but "True" and "1" as text.
    text = {
        pair: None if is_missing(pair[1]) else as_text(pair[1])
        for pair in dict.fromkeys(zip(map(type, column), column, strict=True))
    }
    texts = np.empty(len(column), dtype=object)
    texts[:] = [text[pair] for pair in zip(map(type, column), column, strict=True)]
    return texts


def as_text(value: Any) -> str:
    """A category as text; a whole number is written without a point, so that 3 and 3.0 are one category."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def refuse_infinite(frame: Frame) -> None:
    """Raise ChainruleError naming the first infinite number."""
    if frame.numbers.dtype.kind != "f" or not frame.numbers.size:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        # One sum over the whole tells whether there is anything to look for.
        if np.isfinite(frame.numbers.sum()):
            return
    rows, columns = np.nonzero(np.isinf(frame.numbers))
    if len(rows):
        name = frame.names[frame.number_at[columns[0]]]
        raise ChainruleError(f"column {name!r}, row {rows[0] + 1}: the number is infinite")
