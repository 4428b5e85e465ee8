"""The data: how many rows, their shape, what is missing, the balance of the classes, each column's distribution."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.frame import Frame
from chainrule.data.ragged import SequenceReader
from chainrule.data.series import Series
from chainrule.data.table import Column
from chainrule.data.text import SymbolReader
from chainrule.report import small
from chainrule.report.judged import Judged
from chainrule.report.page import Cell, Section, fold, heading, note, paragraph, percent, table, terms, written

Array = NDArray[Any]

MOST_COLUMNS = 80
MOST_CLASSES = 40
MOST_MEASURED = 2000  # rows whose numbers are counted where each row holds many
COLUMNS_OPEN = 24


def section(judged: Judged, of: str) -> Section:
    """What the rows are; ``of`` says which rows they are."""
    model = judged.model
    lines = [
        ("rows of this report", f"{len(judged):,}" + (f", {of}" if of else "")),
        ("rows trained on", f"{model.training_.rows:,}"),
        ("a row", _row_in_words(judged)),
        ("missing values", _missing(judged)),
    ]
    body = terms(lines) + _balance(judged) + _distribution(judged)
    return Section("data", "Data", body)


def _row_in_words(judged: Judged) -> str:
    reader = judged.model.input_
    if isinstance(judged.X, Frame):
        numbers, texts = len(judged.X.number_at), len(judged.X.texts)
        made = [_count(numbers, "column of numbers", "columns of numbers")] if numbers else []
        made += [_count(texts, "column of text", "columns of text")] if texts else []
        features = reader.sizes["i"]
        image = f"an image of {judged.image[0]} × {judged.image[1]} pixels: " if judged.image else ""
        return f"{image}{' and '.join(made)}; the network reads {features:,} numbers"
    fixed = [f"{axis} = {size:,}" for axis, size in reader.sizes.items() if size is not None]
    differs = [f"{axis}, which differs from row to row" for axis, size in reader.sizes.items() if size is None]
    return f"{reader.lines()[0][1]} (axes: {', '.join(fixed + differs)})"


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _missing(judged: Judged) -> str:
    if not isinstance(judged.X, Frame):
        return "none"
    gaps = [_gaps(judged.X, at) for at in range(len(judged.X.names))]
    total, cells = sum(gaps), len(judged) * max(1, len(gaps))
    if not total:
        return "none"
    columns = _count(sum(map(bool, gaps)), "column", "columns")
    return f"{total:,} of {cells:,} cells ({percent(total / cells, 2)}), in {columns}"


def _gaps(frame: Frame, at: int) -> int:
    numbers = frame.number(at)
    if numbers is None:
        return sum(text is None for text in frame.texts[at])
    return int(np.isnan(numbers).sum()) if numbers.dtype.kind == "f" else 0


# --- what is predicted ------------------------------------------------------------------------------------------------


def _balance(judged: Judged) -> str:
    if not judged.classes:
        columns = judged.y.reshape(len(judged), -1)
        rows = [_number_row(_target_name(judged, k, columns.shape[1]), columns[:, k]) for k in range(columns.shape[1])]
        return heading("What is predicted") + table("The target.", _HEADS, rows, numbers=range(2, 7))
    numbers = judged.numbers
    counts = numbers.sum(axis=0) if judged.several else np.bincount(numbers, minlength=len(judged.names))
    most = max(float(counts.max()), 1.0)
    rows_of = [
        (name, int(count), percent(count / len(judged)), Cell(small.share(float(count) / most)))
        for name, count in zip(judged.names, counts, strict=True)
    ]
    if len(rows_of) > MOST_CLASSES:
        rows_of = sorted(rows_of, key=lambda row: -row[1])[:MOST_CLASSES]
    largest = float(counts.max()) / len(judged)
    what = "labels" if judged.several else "classes"
    said = f"{len(judged.names)} {what}; always saying {judged.names[int(counts.argmax())]} would be right for "
    caption = f"{said}{percent(largest)} of the rows."
    return heading("What is predicted") + table(
        caption, ("label" if judged.several else "class", "rows", "share", ""), rows_of, numbers=(1, 2)
    )


def _target_name(judged: Judged, k: int, count: int) -> str:
    return judged.target if count == 1 else f"{judged.target} {k + 1}"


# --- what is read -----------------------------------------------------------------------------------------------------

_HEADS = ("", "distribution", "missing", "lowest", "median", "mean", "highest")


def _number_row(name: str, values: Array) -> tuple[Cell | str, ...]:
    found = values[np.isfinite(values)]
    gaps = len(values) - len(found)
    counts, _ = small.counted(found)
    label = f"distribution of {name}"
    if not len(found):
        return (name, "", str(gaps), "–", "–", "–", "–")
    low, middle, mean, high = found.min(), np.median(found), found.mean(), found.max()
    return (
        name,
        Cell(small.bars(counts, label)),
        f"{gaps:,}" if gaps else "0",
        *map(written, (low, middle, mean, high)),
    )


def _distribution(judged: Judged) -> str:
    if isinstance(judged.X, Frame) and judged.image is None:
        return _columns(judged, judged.X)
    reader: Any = judged.model.input_
    if isinstance(reader, SymbolReader):
        return _lengths(judged, reader.unit) + _symbols(judged, reader)
    made = ""
    if getattr(reader, "length", None) is not None:
        made = _lengths(judged, "position")
    some = np.linspace(0, len(judged) - 1, min(len(judged), MOST_MEASURED)).astype(int)
    if isinstance(judged.X, Series):
        values = np.concatenate([np.asarray(judged.X.take(some).rows[k]).reshape(-1) for k in range(len(some))])
    elif isinstance(judged.X, Frame):
        values = judged.X.take(some).numbers.ravel()
    elif getattr(reader, "length", None) is not None:
        values = reader.ragged(judged.X.take(some[:200])).values.ravel()
    else:
        values = reader.measured(judged.X.take(some), np.float64).ravel()
    rows = [_number_row("all numbers", values)]
    return made + heading("What is read") + table("The numbers of the rows.", _HEADS, rows, numbers=range(2, 7))


def _columns(judged: Judged, frame: Frame) -> str:
    columns: tuple[Column, ...] = judged.model.input_.columns
    numbers, texts = [], []
    for at, column in enumerate(columns[:MOST_COLUMNS]):
        values = frame.number(at)
        if values is None:
            texts.append(_text_row(frame, at, str(column)))
        else:
            numbers.append((*_number_row(frame.names[at], values.astype(float)), Cell(escape(str(column)), "soft")))
    made = heading("What is read")
    if numbers:
        caption = "Columns of numbers. Mean and deviation in the last column are those of the rows trained on."
        shown = table(caption, ("column", *_HEADS[1:], "read as"), numbers, numbers=range(2, 7))
        made += shown if len(numbers) <= COLUMNS_OPEN else fold(f"{len(numbers)} columns of numbers", shown)
    if texts:
        heads = ("column", "distribution", "missing", "different", "most frequent", "read as")
        made += table("Columns of text.", heads, texts, numbers=(2, 3))
    if len(columns) > MOST_COLUMNS:
        made += note(f"{len(columns) - MOST_COLUMNS:,} more columns are not shown.")
    return made


def _text_row(frame: Frame, at: int, read: str) -> tuple[Cell | str, ...]:
    texts = [text for text in frame.texts[at] if text is not None]
    counts = Counter(texts).most_common()
    first = ", ".join(f"{text} ({count:,})" for text, count in counts[:3])
    drawn = small.bars([count for _, count in counts[: small.BINS]] or [0], f"frequencies of {frame.names[at]}")
    gaps = len(frame.texts[at]) - len(texts)
    return (frame.names[at], Cell(drawn), f"{gaps:,}", f"{len(counts):,}", first or "–", Cell(escape(read), "soft"))


def _lengths(judged: Judged, unit: str) -> str:
    reader: SequenceReader = judged.model.input_
    some = np.linspace(0, len(judged) - 1, min(len(judged), MOST_MEASURED)).astype(int)
    lengths = reader.ragged(judged.X.take(some)).lengths.astype(float)
    rows = [_number_row(f"{unit}s a row", lengths)]
    return heading("Lengths") + table("How long the rows are.", _HEADS, rows, numbers=range(2, 7))


def _symbols(judged: Judged, reader: SymbolReader) -> str:
    texts = judged.X.texts.tolist()
    unknown = Counter(symbol for text in texts for symbol in set(reader.unknown(text)))
    having = sum(bool(reader.unknown(text)) for text in texts)
    said = (
        f"The vocabulary has {reader.symbols - 2:,} {reader.unit}s. {having:,} of {len(texts):,} texts hold some that "
    )
    said += "it does not have and that are read as unknown"
    frequent = ", ".join(symbol for symbol, _ in unknown.most_common(8))
    return paragraph(f"{said}{f', such as {frequent}' if frequent else ''}.")
