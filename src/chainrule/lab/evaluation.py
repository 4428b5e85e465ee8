"""What the network of a run makes of rows with parameters that are given, whatever its training does meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.sets import Set, in_words_of
from chainrule.estimators.summary import rows_at_once
from chainrule.lab.sets import LabSet
from chainrule.lab.setup import Estimator
from chainrule.training.programs import program

Array = NDArray[Any]

MOST_ROWS_MEASURED = 2000


class Evaluation:
    """``estimator``: one whose equations are made and that has learnt how the rows of ``data`` are read."""

    def __init__(self, estimator: Estimator, data: LabSet) -> None:
        self.model: Any = estimator
        self.step = estimator.specification_.step
        self.data = data
        self.constants = {name: np.array(value, np.float32) for name, value in self.step.constants.items()}

    def encoded(self, rows: Set) -> dict[str, Array]:
        """Rows with their targets as the step reads them, [b, …]."""
        model = self.model
        with in_words_of(self.data.everything):
            given = model._rows(rows.X, rows.y, None, reset=False, text_at=model._text_at())
        values = {**model.input_.encode(given.X), **model._beside(given)}
        return {name: values[name] for name in self.step.sources}

    def measured(self, parameters: Mapping[str, Array]) -> tuple[float, Array]:
        """The loss and the prediction [b, …] for the validation rows (2,000 at most), without dropout and penalties."""
        name = self.step.prediction.name
        measuring = program(self.step.evaluation, ("C", name))
        rows = self._validation
        count = len(rows["x"])
        at_once = rows_at_once(self.step.evaluation)
        total, predictions = 0.0, []
        for start in range(0, count, at_once):
            block = {source: values[start : start + at_once] for source, values in rows.items()}
            made = measuring.run({**block, **self.constants}, dict(parameters))
            total += float(made["C"]) * len(block["x"])
            predictions.append(np.asarray(made[name]))
        return total / count, np.concatenate(predictions)

    def activations(self, parameters: Mapping[str, Array], X: Any) -> dict[str, Array]:
        """Every quantity of the network [b, …], as when it predicts, for rows ``X``."""
        system = self.step.prediction_system
        names = tuple(equation.name for equation in system.equations)
        read = self.model._read_input(X, self.model._text_at(), reset=False)
        made = program(system, names).run({**self.model.input_.encode(read), **self.constants}, dict(parameters))
        return {name: np.asarray(value) for name, value in made.items()}

    @cached_property
    def _validation(self) -> dict[str, Array]:
        rows = self.data.validation
        return self.encoded(rows.take(np.arange(min(len(rows), MOST_ROWS_MEASURED))))
