"""Time series: rows [t, c] of numbers, c channels measured at t times, brought to mean 0 and deviation 1 by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.ragged import Ragged
from chainrule.data.rule import ReadingRule
from chainrule.definition import check_count
from chainrule.equations.system import Role
from chainrule.errors import ChainruleError

Array = NDArray[Any]


@dataclass(frozen=True)
class Series:
    """Rows [t, c] of numbers, all with the same channels; ``labels`` [b] where the rows came with their targets."""

    rows: tuple[Array, ...]
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Array) -> Series:
        return Series(tuple(self.rows[row] for row in rows), None if self.labels is None else self.labels[rows])

    def parts(self) -> list[Array]:
        """One number for each different row, in the order of their bytes."""
        held = [row.astype(np.float64).tobytes() for row in self.rows]
        place = {value: k for k, value in enumerate(sorted(set(held)))}
        return [np.array([place[value] for value in held], dtype=np.int64)]


def are_series(X: Any) -> bool:
    """Whether X is a list of arrays [t, c] of numbers, or of arrays [t] of different length, or a ``.ts`` file."""
    if isinstance(X, str | Path):
        return Path(X).suffix.lower() == ".ts"
    if not isinstance(X, list | tuple) or not X or not all(isinstance(row, np.ndarray) for row in X):
        return False
    # Bytes are the pixels of an image.
    if X[0].ndim == 2:
        return bool(X[0].dtype != np.uint8)
    return bool(X[0].ndim == 1 and len({row.shape for row in X}) > 1)


def as_series(X: Any) -> Series:
    """The rows of a ``.ts`` file, of a list of arrays [t, c] or [t], or of an array [b, t, c] or [b, t].

    Raises ChainruleError naming the first row that is empty, holds something else than finite numbers, or has other
    channels than the first.
    """
    if isinstance(X, Series):
        return X
    if isinstance(X, str | Path):
        return read_ts(X)
    if not isinstance(X, list | tuple | np.ndarray):
        raise ChainruleError(f"X is {type(X).__name__}; series are a list of arrays [t, c], or an array [b, t, c]")
    rows = tuple(_row(number, row) for number, row in enumerate(X, 1))
    if not rows:
        raise ChainruleError("there are no series; at least 1 is needed")
    for number, row in enumerate(rows, 1):
        if row.shape[1] != rows[0].shape[1]:
            raise ChainruleError(
                f"X, row {number} has {row.shape[1]} channels; row 1 has {rows[0].shape[1]} (a row is [t, c])"
            )
    return Series(rows)


def _row(number: int, given: Any) -> Array:
    try:
        row = np.asarray(given)
    except ValueError:
        row = np.asarray(None)
    if row.dtype.kind not in "fiub" or row.ndim not in (1, 2):
        raise ChainruleError(f"X, row {number} is no series: it must be an array [t] or [t, c] of numbers")
    if not row.size:
        raise ChainruleError(f"X, row {number} is empty")
    wrong = np.argwhere(~np.isfinite(row))
    if len(wrong):
        raise ChainruleError(f"X, row {number}, time {wrong[0][0] + 1}: the number is missing or infinite")
    return row[:, None] if row.ndim == 1 else row


@dataclass(frozen=True)
class Channels(ReadingRule):
    """Time series [t, c]: each channel brought to mean 0 and deviation 1, over all times of the training rows.

    ``Classifier(reading=Channels())`` reads an array [b, t, c] as series; without it, such an array is a grid.
    """

    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), §4.3"

    def rows(self, X: Any) -> Series:
        return as_series(X)

    def fit(self, data: Any, weights: Array) -> ChannelReader:
        """Means and deviations; rows of one length have it as their size, others are read with their lengths."""
        weight = np.repeat(weights, [len(row) for row in data.rows])
        values = np.concatenate(data.rows).astype(np.float64)
        mean = np.average(values, axis=0, weights=weight)
        deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
        deviation[deviation <= 1e-12 * np.abs(mean)] = 1.0  # what rounding leaves of a constant channel
        deviation[deviation == 0] = 1.0
        lengths = {len(row) for row in data.rows}
        return ChannelReader(mean, deviation, lengths.pop() if len(lengths) == 1 else None)


@dataclass(frozen=True, eq=False)
class ChannelReader:
    """Series scaled by each channel's mean and deviation [c]; ``times``: the length of all rows, None if it differs."""

    mean: Array
    deviation: Array
    times: int | None

    @property
    def sizes(self) -> Mapping[str, int | None]:
        return {"t": self.times, "c": len(self.mean)}

    @property
    def role(self) -> Role:
        return "data"

    @property
    def length(self) -> str | None:
        return "t" if self.times is None else None

    def ragged(self, data: Any, dtype: Any = np.float32) -> Ragged:
        """The scaled rows without padding.  Raises ChainruleError for rows that have other channels or times."""
        if not isinstance(data, Series):
            raise ChainruleError("the model was trained on time series; give a list of arrays [t, c]")
        if data.rows[0].shape[1] != len(self.mean):
            raise ChainruleError(
                f"X has {data.rows[0].shape[1]} channels a row; the model was trained on {len(self.mean)}"
            )
        for number, row in enumerate(data.rows, 1):
            if self.times is not None and len(row) != self.times:
                raise ChainruleError(f"X, row {number} has {len(row)} times; the model was trained on {self.times}")
        return Ragged.of([((row - self.mean) / self.deviation).astype(dtype) for row in data.rows])

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """What the network reads: x[b,t,c] and, where rows differ in length, length[b]."""
        arrays = self.ragged(data, dtype).arrays()
        return arrays if self.times is None else {"x": arrays["x"]}

    def lines(self) -> list[tuple[str, str]]:
        """What is done to each channel."""
        times = "of different length" if self.times is None else f"of {self.times} times"
        return [
            (f"channel {k}", f"series {times}, mean {mean:.4g}, deviation {deviation:.4g}")
            for k, (mean, deviation) in enumerate(zip(self.mean, self.deviation, strict=True), 1)
        ]

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist(), "times": self.times}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ChannelReader:
        times = None if data["times"] is None else int(data["times"])
        return ChannelReader(np.array(data["mean"], dtype=float), np.array(data["deviation"], dtype=float), times)


def windows(series: Any, length: int, horizon: int = 1) -> tuple[list[Array], Array]:
    """All stretches of one long series [t] or [t, c], and what followed each of them: X and y for a ``Regressor``.

    X: n arrays [length, c], views of the series, in the order of time (split them in time, not at random).  y [n, …]:
    the ``horizon`` next values of each channel, those of the next time first.  n = t - length - horizon + 1.
    Raises ChainruleError where the series is shorter than one window and its horizon.
    """
    length, horizon = check_count("windows", "length", length), check_count("windows", "horizon", horizon)
    whole = _row(1, series)
    count = len(whole) - length - horizon + 1
    if count < 1:
        raise ChainruleError(f"windows: the series has {len(whole)} times; {length} and {horizon} more are needed")
    following = [whole[start + length : start + length + horizon].ravel() for start in range(count)]
    y = np.array(following, dtype=np.float64)
    return [whole[start : start + length] for start in range(count)], y[:, 0] if y.shape[1] == 1 else y


def read_ts(path: str | Path) -> Series:
    """The series of a ``.ts`` file (sktime, aeon), with their labels where it has any.

    A line is a row: channels separated by ``:``, times by ``,``, and the label last.  Raises ChainruleError with the
    line of what cannot be read.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise ChainruleError(f"{path}: no text in UTF-8; a .ts file is text") from None
    header: dict[str, list[str]] = {}
    rows: list[Array] = []
    labels = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("@") and "data" not in header:
            key, *values = line[1:].lower().split()
            header[key] = values
        elif "data" not in header:
            raise ChainruleError(f"{path}:{number}: data before the line @data")
        else:
            if header.get("timestamps", ["false"])[0] == "true":
                raise ChainruleError(f"{path}: series with time stamps cannot be read; give values at equal distances")
            *channels, label = line.split(":") if _is_labelled(header) else [*line.split(":"), ""]
            rows.append(_ts_row(f"{path}:{number}", channels, rows))
            labels.append(_listed(f"{path}:{number}", label.strip(), header))
    if not rows:
        raise ChainruleError(f"{path}: no series; a .ts file has them behind a line @data")
    if not _is_labelled(header):
        return Series(tuple(rows))
    return Series(tuple(rows), _labels(path, labels, header))


def _is_labelled(header: Mapping[str, Sequence[str]]) -> bool:
    return any(header.get(key, ["false"])[0] == "true" for key in ("classlabel", "targetlabel"))


def _listed(where: str, label: str, header: Mapping[str, Sequence[str]]) -> str:
    """The label, which is one of the classes where the header lists them (in lower case, as it is read)."""
    _, *classes = header.get("classlabel", ["false"])
    if classes and label.lower() not in classes:
        raise ChainruleError(f"{where}: the label {label!r} is not listed by @classLabel ({', '.join(classes)})")
    return label


def _ts_row(where: str, channels: Sequence[str], before: Sequence[Array]) -> Array:
    try:
        row = [[float(value) for value in channel.split(",")] for channel in channels]
    except ValueError:
        wrong = next(v for channel in channels for v in channel.split(",") if not _is_number(v))
        problem = "a value is missing" if wrong.strip() in ("?", "") else f"{wrong.strip()!r} is not a number"
        raise ChainruleError(f"{where}: {problem}") from None
    if len({len(channel) for channel in row}) != 1:
        raise ChainruleError(f"{where}: the channels have {', '.join(str(len(c)) for c in row)} times; they must agree")
    if before and len(row) != before[0].shape[1]:
        raise ChainruleError(f"{where}: {len(row)} channels; the first series has {before[0].shape[1]}")
    made = np.array(row, dtype=np.float64).T
    if not np.isfinite(made).all():
        raise ChainruleError(f"{where}: a value is missing or infinite")
    return made


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _labels(path: Path, labels: Sequence[str], header: Mapping[str, Sequence[str]]) -> Array:
    """Classes as text, targets as numbers [b]."""
    if header.get("targetlabel", ["false"])[0] != "true":
        return np.array(labels, dtype=object)
    wrong = [label for label in labels if not _is_number(label)]
    if wrong:
        raise ChainruleError(f"{path}: the target {wrong[0]!r} is not a number")
    return np.array(labels, dtype=np.float64)
