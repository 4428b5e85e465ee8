"""Loss and metrics on validation rows, after each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.ragged import in_blocks
from chainrule.estimators.model import longest_row
from chainrule.estimators.rows import Rows
from chainrule.estimators.sources import fits_in_memory
from chainrule.estimators.summary import rows_at_once
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.programs import program

Array = NDArray[Any]


class Measure:
    """Loss and metrics on validation rows."""

    def __init__(self, estimator: Any, rows: Rows, stopping: EarlyStopping | None) -> None:
        self.estimator, self.rows = estimator, rows
        self.step = estimator.specification_.trained
        self.beside = estimator._beside(rows)
        self.sequences = None if estimator.input_.length is None else estimator._sequences(rows.X)
        ready = self.sequences is None and fits_in_memory(estimator.input_, len(rows))
        self.whole = estimator.input_.encode(rows.X) if ready else None
        self.constants = {name: np.array(value, dtype=np.float32) for name, value in self.step.constants.items()}
        self.at_once = rows_at_once(self.step.evaluation)
        self.program = program(
            self.step.evaluation, (self.step.measured, self.step.prediction.name), backend=estimator.backend
        )
        watched = "loss" if stopping is None else stopping.metric.removeprefix("validation_")
        self.watched = () if watched == "loss" else (watched,)

    def __call__(self, state: Mapping[str, Array]) -> dict[str, float]:
        parameters = {name: state[name] for name in self.estimator._names()}
        total, order, parts = 0.0, [], []
        for rows, given in self._blocks():
            given |= {name: value[rows] for name, value in self.beside.items()}
            values = {name: given[name] for name in self.step.sources}
            result = self.program.run({**values, **self.constants}, dict(parameters))
            total += float(result[self.step.measured]) * len(rows)
            order.append(rows)
            parts.append(np.asarray(result[self.step.prediction.name]))
        prediction = np.concatenate(parts)[np.argsort(np.concatenate(order))]
        scores = self.estimator._metrics(self.watched, self.rows.y, prediction.astype(np.float64))
        return {"validation_loss": total / len(self.rows), **{f"validation_{k}": v for k, v in scores.items()}}

    def _blocks(self) -> Iterator[tuple[Array, dict[str, Array]]]:
        """Rows, each once, and what the network reads of them."""
        if self.sequences is not None:
            most = longest_row(self.estimator.specification_.network)
            for rows, size in in_blocks(self.sequences.lengths, self.at_once, most):
                yield rows, self.sequences.arrays(rows, size)
            return
        for start in range(0, len(self.rows), self.at_once):
            rows = np.arange(start, min(start + self.at_once, len(self.rows)))
            if self.whole is not None:
                yield rows, {name: value[rows] for name, value in self.whole.items()}
            else:
                yield rows, self.estimator.input_.encode(self.rows.X.take(rows))
