"""An example as what it is: an image, a text, a row of a table, lines of a series, a spectrogram."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.audio import SoundReader
from chainrule.data.frame import Frame
from chainrule.data.grid import Cells
from chainrule.data.images import Files, Pixels
from chainrule.data.recordings import Recordings
from chainrule.data.series import Series
from chainrule.data.text import Texts
from chainrule.report import small
from chainrule.report.judged import Judged
from chainrule.report.page import shortened, written

Array = NDArray[Any]

LONGEST_TEXT = 420  # characters shown of an example
MOST_COLUMNS = 8  # of a row


def kind_of(judged: Judged) -> str:
    """``image``, ``text``, ``row``, ``series`` or ``sound``; ``numbers`` for what has no picture."""
    if image_of(judged, 0) is not None:
        return "image"
    for kind, data in (("text", Texts), ("row", Frame), ("series", Series), ("sound", Recordings)):
        if isinstance(judged.X, data):
            return kind
    return "numbers"


def show(judged: Judged, row: int, label: str) -> str:
    """One row as HTML; ``label`` says what it is to those who cannot see it."""
    pixels = image_of(judged, row)
    if pixels is not None:
        smooth = "smooth" if max(pixels.shape[:2]) > 64 else ""
        return small.picture(pixels, label, size=112, kind=smooth)
    match judged.X:
        case Texts(texts):
            return f"<blockquote>{escape(shortened(texts[row], LONGEST_TEXT))}</blockquote>"
        case Frame():
            return row_of(judged, row)
        case Series(rows):
            return small.line(np.asarray(rows[row]), label, width=270, height=84)
        case Recordings():
            reader: SoundReader = judged.model.input_
            frames = reader.ragged(judged.X.take(np.array([row]))).values
            return small.picture(small.as_bytes(frames.T[::-1]), label, size=230, kind="smooth")
    values = judged.encoded(np.array([row]))["x"][0]
    return f'<p class="soft">{escape(" × ".join(map(str, values.shape)))} numbers</p>'


def image_of(judged: Judged, row: int) -> Array | None:
    """The pixels of a row [h,w] or [h,w,3] as bytes, if it is an image."""
    match judged.X:
        case Pixels():
            return np.asarray(judged.X.take(np.array([row])).values[0])
        case Files():
            return np.asarray(judged.X.take(np.array([row])).decoded().values[0])
        case Cells(values) if values.ndim == 3 or (values.ndim == 4 and values.shape[3] in (1, 3)):
            cells = values[row, ..., 0] if values.ndim == 4 and values.shape[3] == 1 else values[row]
            return small.as_bytes(cells, float(values.min()), float(values.max()))
        case Frame(numbers=numbers) if judged.image is not None:
            return small.as_bytes(numbers[row].reshape(judged.image), 0.0, float(np.nanmax(numbers)))
    return None


def row_of(judged: Judged, row: int) -> str:
    """The values of a row, those farthest from the mean first."""
    frame: Frame = judged.X
    pairs = sorted(values_of(frame, row), key=lambda pair: -unusual(judged, pair[0], frame, row))
    shown = "".join(
        f"<div><dt>{escape(frame.names[at])}</dt><dd>{escape(value)}</dd></div>" for at, value in pairs[:MOST_COLUMNS]
    )
    more = len(pairs) - MOST_COLUMNS
    rest = f'<p class="soft">and {more} more column{"s" if more > 1 else ""}</p>' if more > 0 else ""
    return f'<dl class="terms">{shown}</dl>{rest}'


def values_of(frame: Frame, row: int) -> list[tuple[int, str]]:
    """Each column's position and its value as text."""
    found = []
    for at in range(len(frame.names)):
        numbers = frame.number(at)
        if numbers is None:
            text = frame.texts[at][row]
            found.append((at, "missing" if text is None else shortened(text, 60)))
        else:
            found.append((at, "missing" if np.isnan(numbers[row]) else written(numbers[row])))
    return found


def unusual(judged: Judged, at: int, frame: Frame, row: int) -> float:
    """How many deviations a number is from the mean of the training rows; 0 for text."""
    column = judged.model.input_.columns[at]
    numbers = frame.number(at)
    if numbers is None or not hasattr(column, "deviation") or np.isnan(numbers[row]):
        return 0.0
    return float(abs(numbers[row] - column.mean) / column.deviation)
