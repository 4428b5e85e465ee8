"""What the lab shows of a run: where it stands, its curves, what a change by hand did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = Literal["ready", "running", "paused", "finished", "failed"]

MOST_POINTS = 1000  # of a curve; a longer one is thinned by averaging neighbours


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run as it was at one moment.

    ``curves``: means over groups of steps, ``loss``, ``learning_rate``, ``gradient_norm`` and, for each layer, its part
    of that norm (``gradient_norm dense1``); the last step of each group is in ``steps``.  ``history``: a row for each
    epoch.  ``parameters``: copies, by name.  ``seconds``: spent on steps.  ``version``: rises with
    every step and every value put by hand.
    """

    state: State
    error: str
    version: int
    step: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    seconds: float
    stopped: str | None
    steps: Array
    curves: Mapping[str, Array]
    history: tuple[Mapping[str, float], ...]
    parameters: Mapping[str, Array]
    computed_by: str

    @property
    def total(self) -> int:
        """The steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.step / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, eq=False)
class Effect:
    """What a value that was changed by hand does: the loss on validation rows (2,000 at most), without dropout and
    penalties, and the network's prediction [b, …] for them, before and after.
    """

    parameter: str
    position: tuple[int, ...]
    before: float
    after: float
    loss_before: float
    loss_after: float
    prediction_before: Array
    prediction_after: Array


class Curves:
    """Means over groups of steps, at most ``MOST_POINTS`` of them, whatever the number of steps."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.counts: list[int] = []
        self.values: dict[str, list[float]] = {}

    def add(self, step: int, count: int, values: Mapping[str, float]) -> None:
        self.steps.append(step)
        self.counts.append(count)
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)
        if len(self.steps) > MOST_POINTS:
            self._thin()

    def _thin(self) -> None:
        """Two neighbours become one."""
        even = len(self.steps) // 2 * 2
        counts = np.array(self.counts[:even]).reshape(-1, 2)
        self.steps = self.steps[1:even:2] + self.steps[even:]
        for name, values in self.values.items():
            pairs = np.average(np.array(values[:even]).reshape(-1, 2), axis=1, weights=counts)
            self.values[name] = [*pairs.tolist(), *values[even:]]
        self.counts = [*counts.sum(axis=1).tolist(), *self.counts[even:]]
