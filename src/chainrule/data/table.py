"""From a table to the numbers a network reads, [b, i]: what is done to each column, learnt from the training rows.

number      as ``SCALING`` says: near the mean nothing but mean and deviation changes, and no value however far out
            gets beyond ±3 ("smooth clipping", Holzmüller, Grinsztajn, Steinwart, "Better by default", 2024);
            a missing value is put at the mean (0), with a second column that is 1 there
true/false  as a number
text        one column for each category (1 there, 0 elsewhere), one for "missing" and one for the rare ones, which
            also takes categories first seen later
constant    left out, with a warning
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import compile
from chainrule.backends.program import Program
from chainrule.data.frame import Frame, as_text, not_a_number, number_or_none
from chainrule.data.reader import FixedShape
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError

Array = NDArray[Any]

SCALING = """
data n[b,i], μ[i], σ[i]
z[b,i] = (n[b,i] - μ[i])/σ[i]
x[b,i] = z[b,i]/sqrt(1 + (z[b,i]/3)^2)
"""
FEWEST_OF_A_CATEGORY = 5  # categories seen less often are "rare", in tables of 100 rows or more
MOST_CATEGORIES = 255
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Number:
    """A column of numbers; ``gaps``: some were missing, so a column says where."""

    name: str
    mean: float
    deviation: float
    gaps: bool
    boolean: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} missing") if self.gaps else (self.name,)

    def __str__(self) -> str:
        kind = "true/false" if self.boolean else "number"
        gaps = "; missing: at the mean, and marked" if self.gaps else ""
        return f"{kind}, mean {self.mean:.4g}, deviation {self.deviation:.4g}{gaps}"


@dataclass(frozen=True)
class Category:
    """A column of text: ``levels`` in order, and whether rare and missing ones have columns of their own."""

    name: str
    levels: tuple[str, ...]
    rare: bool
    gaps: bool

    @property
    def features(self) -> tuple[str, ...]:
        extra = (["rare"] if self.rare else []) + (["missing"] if self.gaps else [])
        return tuple(f"{self.name} = {level}" for level in self.levels) + tuple(f"{self.name} {e}" for e in extra)

    def __str__(self) -> str:
        shown = ", ".join(self.levels[:4]) + (", …" if len(self.levels) > 4 else "")
        extra = ("; rare ones together" if self.rare else "") + ("; missing: its own" if self.gaps else "")
        kinds = "1 category" if len(self.levels) == 1 else f"{len(self.levels)} categories"
        return f"{kinds} ({shown}){extra}"


@dataclass(frozen=True)
class LeftOut:
    """A column that the network does not read, and why."""

    name: str
    reason: str

    @property
    def features(self) -> tuple[str, ...]:
        return ()

    def __str__(self) -> str:
        return f"left out: {self.reason}"


Column = Number | Category | LeftOut


@dataclass(frozen=True)
class Table(FixedShape):
    """What is done to each column of a table, in the order of the columns."""

    columns: tuple[Column, ...]

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that the network reads, axis i."""
        numbers = [c for c in self.columns if isinstance(c, Number)]
        return (
            *(c.name for c in numbers),
            *(f"{c.name} missing" for c in numbers if c.gaps),
            *(feature for c in self.columns if isinstance(c, Category) for feature in c.features),
        )

    @cached_property
    def text_at(self) -> frozenset[int]:
        """The positions of the columns that are read as text, for ``as_frame``."""
        return frozenset(position for position, c in enumerate(self.columns) if isinstance(c, Category))

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The names of the columns that are read as text, for ``read_table``."""
        return tuple(c.name for c in self.columns if isinstance(c, Category))

    @property
    def sizes(self) -> Mapping[str, int]:
        """The axis of one row: i, the features."""
        return {"i": len(self.features)}

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """The numbers that the network reads, x[b,i], from a ``Frame``.

        Raises ChainruleError for a text where the training rows had a number, naming column and row.
        """
        if not isinstance(data, Frame):
            raise ChainruleError("the model was trained on a table, a row of numbers or texts at a time")
        return {"x": self.design(data, dtype)}

    def design(self, frame: Frame, dtype: Any = np.float32) -> Array:
        """The numbers that the network reads [b, i]."""
        design = np.zeros((len(frame), len(self.features)), dtype=dtype)
        at = self._encode_numbers(frame, design)
        for position, column in enumerate(self.columns):
            if isinstance(column, Category):
                places = _places(column, _texts_of(frame, position))
                rows = np.nonzero(places >= 0)[0]
                design[rows, at + places[rows]] = 1
                at += len(column.features)
        return design

    def _encode_numbers(self, frame: Frame, design: Array) -> int:
        at = self.number_at
        matrix = frame.numbers if at == frame.number_at else _matrix(frame, at)
        for start in range(0, len(frame), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            self._scale(matrix[block], design[block])
        return len(at) + len(self._gaps)

    @cached_property
    def number_at(self) -> tuple[int, ...]:
        """The positions of the columns that are read as numbers."""
        return tuple(position for position, c in enumerate(self.columns) if isinstance(c, Number))

    @cached_property
    def scaling(self) -> Mapping[str, Array]:
        """Means μ[i] and deviations σ[i] of the columns at ``number_at``."""
        columns = [c for c in self.columns if isinstance(c, Number)]
        return {"μ": np.array([c.mean for c in columns]), "σ": np.array([c.deviation for c in columns])}

    @cached_property
    def _gaps(self) -> list[int]:
        """Which of the columns at ``number_at`` have gaps."""
        return [k for k, at in enumerate(self.number_at) if self.columns[at].gaps]  # type: ignore[union-attr]

    def _scale(self, numbers: Array, design: Array) -> None:
        """Write the numbers [b, k] of the columns at ``number_at``, and where they are missing, into ``design`` [b, i],
        which is 0 so far.
        """
        count, gaps = len(self.number_at), self._gaps
        scaled = _scaling_program().run({"n": numbers, **self.scaling}, {})["x"]
        if np.isnan(scaled.sum()):
            missing = np.isnan(scaled)
            scaled[missing] = 0
            design[:, count : count + len(gaps)] = missing[:, gaps]
        design[:, :count] = scaled

    def lines(self) -> list[tuple[str, str]]:
        """Each column and what is done to it."""
        return [(column.name, str(column)) for column in self.columns]

    def to_json(self) -> dict[str, Any]:
        return {"columns": [{"kind": type(column).__name__, **asdict(column)} for column in self.columns]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Table:
        columns: list[Column] = []
        for entry in data["columns"]:
            fields = {key: value for key, value in entry.items() if key != "kind"}
            match entry["kind"]:
                case "Number":
                    columns.append(Number(**fields))
                case "Category":
                    columns.append(Category(**{**fields, "levels": tuple(fields["levels"])}))
                case "LeftOut":
                    columns.append(LeftOut(**fields))
                case kind:
                    raise ValueError(f"unknown kind of column {kind!r}")
        return Table(tuple(columns))


@cache
def _scaling_program() -> Program:
    return compile(parse(SCALING, "scaling"), ("x",), "float64", "numpy")


def fit_table(frame: Frame, weights: Array | None = None) -> Table:
    """Learn what to do to each column from training rows; a row of weight w counts as w rows.

    Warns about columns that are left out.  Raises ChainruleError if nothing is left.
    """
    weights = np.ones(len(frame)) if weights is None else np.asarray(weights, dtype=np.float64)
    columns: list[Column | None] = [None] * len(frame.names)
    for position, column in zip(frame.number_at, _fit_numbers(frame, weights), strict=True):
        columns[position] = column
    for position, texts in frame.texts.items():
        columns[position] = _fit_category(frame.names[position], texts, weights)
    table = Table(tuple(column for column in columns if column is not None))
    left_out = [column for column in table.columns if isinstance(column, LeftOut)]
    if len(left_out) == len(table.columns):
        raise ChainruleError(f"no column is of use: {left_out[0].name!r} {left_out[0].reason}")
    if left_out:
        shown = ", ".join(f"{column.name!r} ({column.reason})" for column in left_out[:5])
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        warnings.warn(f"left out: {shown}{more}", UserWarning, stacklevel=5)  # whoever calls fit
    return table


def _fit_numbers(frame: Frame, weights: Array) -> list[Column]:
    """Weighted mean and deviation of each column of numbers, over the rows where it has one."""
    count = len(frame.number_at)
    first = _first_values(frame.numbers)
    total, sums, squares, gaps = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count, dtype=bool)
    for start in range(0, len(frame), ROWS_AT_ONCE):
        # Measured from the first value, so that nothing cancels where the mean is large and a constant is exactly 0.
        x = frame.numbers[start : start + ROWS_AT_ONCE] - first
        w = weights[start : start + ROWS_AT_ONCE]
        if np.isnan(x.sum()):
            missing = np.isnan(x)
            gaps |= missing.any(axis=0)
            total += w @ ~missing
            x[missing] = 0
        else:
            total += w.sum()
        sums += w @ x
        squares += w @ (x * x)
    total = np.maximum(total, np.finfo(float).tiny)
    mean = sums / total
    deviation = np.sqrt(np.maximum(squares / total - mean**2, 0))
    columns: list[Column] = []
    for k, position in enumerate(frame.number_at):
        name = frame.names[position]
        if np.isnan(first[k]):
            columns.append(LeftOut(name, "no values"))
        elif squares[k] == 0 and not gaps[k]:
            columns.append(LeftOut(name, f"constant, {as_text(float(first[k]))}"))
        else:
            spread = float(deviation[k]) or 1.0
            columns.append(Number(name, float(first[k] + mean[k]), spread, bool(gaps[k]), position in frame.booleans))
    return columns


def _first_values(numbers: Array) -> Array:
    """The first value of each column that is not missing; NaN where there is none."""
    first: Array = numbers[0].astype(np.float64)
    for k in np.nonzero(np.isnan(first))[0]:
        present = np.nonzero(~np.isnan(numbers[:, k]))[0]
        if len(present):
            first[k] = numbers[present[0], k]
    return first


def _fit_category(name: str, texts: Array, weights: Array) -> Column:
    counts: dict[str, float] = {}
    missing = 0.0
    for text, weight in zip(texts, weights, strict=True):
        if text is None:
            missing += weight
        else:
            counts[text] = counts.get(text, 0.0) + weight
    if not counts:
        return LeftOut(name, "no values")
    least = FEWEST_OF_A_CATEGORY if weights.sum() >= 100 else 1
    frequent = sorted(counts, key=lambda level: (-counts[level], level))[:MOST_CATEGORIES]
    levels = tuple(sorted(level for level in frequent if counts[level] >= least))
    if not levels:
        return LeftOut(name, f"{len(counts)} different texts in {len(texts)} rows, hardly one of them twice")
    if len(counts) == 1 and not missing:
        return LeftOut(name, f"constant, {levels[0]!r}")
    return Category(name, levels, len(levels) < len(counts), bool(missing > 0))


def _places(column: Category, texts: Array) -> Array:
    """Where in the columns of a category each row has its 1; -1: nowhere."""
    count = len(column.levels)
    place = {level: k for k, level in enumerate(column.levels)}
    for level, k in list(place.items()):
        if level.lower() in ("true", "false"):
            # Files write true, Python and pandas True, spreadsheets TRUE.
            for spelling in (level.lower(), level.capitalize(), level.upper()):
                place.setdefault(spelling, k)
    rare = count if column.rare else -1
    gap = count + column.rare if column.gaps else -1
    return np.array([gap if text is None else place.get(text, rare) for text in texts], dtype=np.int64)


def _texts_of(frame: Frame, position: int) -> Array:
    """A column as text, also where it came as numbers this time."""
    if position in frame.texts:
        found: Array = frame.texts[position]
        return found
    numbers = frame.number(position)
    assert numbers is not None
    texts: Array = np.empty(len(numbers), dtype=object)
    texts[:] = [None if value != value else as_text(value) for value in numbers.tolist()]
    return texts


def _matrix(frame: Frame, at: Sequence[int]) -> Array:
    """The columns of numbers at these positions [b, k]."""
    matrix = np.full((len(frame), len(at)), np.nan)
    for k, position in enumerate(at):
        numbers = frame.number(position)
        if numbers is None:
            matrix[:, k] = [
                np.nan if text is None else _number(frame.names[position], row, text)
                for row, text in enumerate(frame.texts[position], 1)
            ]
        else:
            matrix[:, k] = numbers
    return matrix


def _number(name: str, row: int, text: str) -> float:
    number = number_or_none(text)
    if number is None:
        raise not_a_number(name, row, text)
    return number


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint for a name that is not there: ``; did you mean 'price'?``, or the names there are."""
    close = difflib.get_close_matches(name, names, 1)
    if not close:
        lowered = {other.lower(): other for other in names}
        close = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, 1)]
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; the columns are {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
