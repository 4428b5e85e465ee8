"""What happened in training, epoch by epoch, as columns."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError

# Columns that every history has, in the order in which they are written; metrics stand between.
FIRST = ("epoch", "steps", "loss", "validation_loss")
LAST = ("learning_rate", "gradient_norm", "seconds")


class History:
    """One row for each epoch, read by column: ``history["loss"]``.

    Columns: ``epoch`` (from 1), ``steps`` (so far), ``loss`` (mean over the epoch's steps, as they went),
    ``validation_loss`` and metrics (at the end of the epoch), ``learning_rate`` (of the last step), ``gradient_norm``
    (mean), ``seconds`` (spent on the epoch).
    """

    def __init__(self, rows: list[dict[str, float]] | None = None) -> None:
        self._rows: list[dict[str, float]] = []
        self._found: dict[str, None] = {}  # every name so far, so that asking for one does not read all rows
        for row in rows or ():
            self.append(row)

    def append(self, row: Mapping[str, float]) -> None:
        self._rows.append(dict(row))
        self._found |= dict.fromkeys(row)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __getitem__(self, name: str) -> list[float]:
        """A column; NaN in epochs that have no such value.  Raises ChainruleError for a name that is none."""
        if name not in self.names:
            raise ChainruleError(f"no {name!r} in the history; it has {', '.join(self.names)}")
        return [row.get(name, float("nan")) for row in self._rows]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that have values."""
        metrics = [name for name in self._found if name not in FIRST + LAST]
        return tuple(name for name in (*FIRST, *metrics, *LAST) if name in self._found)

    def rows(self) -> list[dict[str, float]]:
        """Copies of the rows, one for each epoch."""
        return [dict(row) for row in self._rows]

    @property
    def last(self) -> Mapping[str, float]:
        """The last epoch; nothing before the first has ended."""
        return self._rows[-1] if self._rows else {}

    def columns(self) -> dict[str, list[float]]:
        """All columns by name, as data frames take them."""
        return {name: self[name] for name in self.names}

    def to_csv(self, path: str | Path) -> None:
        """Write the columns to a file, all of it or nothing."""
        path = Path(path)
        unfinished = path.with_name(path.name + ".part")
        try:
            with unfinished.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(self.names)
                writer.writerows([row.get(name, "") for name in self.names] for row in self._rows)
            os.replace(unfinished, path)
        except OSError as error:
            raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None

    def __repr__(self) -> str:
        if not self._rows:
            return "History (no epochs)"
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.last.items() if name != "epoch")
        return f"History ({len(self)} epochs; last: {values})"

    def _repr_html_(self) -> str:
        from chainrule.training.shown import history_html

        return history_html(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        return {"rows": self._rows}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> History:
        return History([dict(row) for row in data["rows"]])
