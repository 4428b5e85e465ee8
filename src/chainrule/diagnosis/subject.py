"""A model as it is examined: its equations, its parameters now and at first, rows of data and what it makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.node import Equation
from chainrule.training.history import History
from chainrule.training.loop import first_state
from chainrule.training.step import TrainingStep
from chainrule.walk import Walk, walk

Array = NDArray[Any]

EXAMINED_ROWS = 256  # a unit that is dead for so many rows is dead for 99 % of all, with a confidence of 92 %
NUMBERS_AT_ONCE = 2**21  # in the rows examined; of large images fewer rows are looked at
FEWEST_ROWS = 16
ROUNDING = 1e-6  # of float32, over a whole tensor


@dataclass(frozen=True, eq=False)
class Given:
    """The data of an examination, all rows of it.

    ``columns``: columns of a table as they were given, numbers or texts; {} where rows are none.  ``named``: whether
    the columns have names of their own.  ``inputs``: x[b, …] as the network reads it, None where rows are symbols or
    differ in length.  ``targets``: the number of each row's class [b], or values [b, o], or 0 and 1 of labels [b, k].
    ``classes``: their names.  ``predicted``: probabilities [b, k] or values [b, o].  ``aside``: the inputs of the
    training rows and of those that the model is measured on.
    """

    columns: Mapping[str, Array]
    named: bool
    inputs: Array | None
    targets: Array
    classes: tuple[str, ...] | None
    predicted: Array
    aside: tuple[Array, Array] | None = None

    @property
    def single_class(self) -> bool:
        """Whether each row has one of several classes."""
        return self.classes is not None and self.targets.ndim == 1


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model under examination.

    ``rows``: everything that ``step`` reads of its rows [b, …], float64 or whole numbers; ``of_data``: whether they are
    data, and not drawn at random.  ``given``: what else is known of them; None where they are no rows with targets.
    ``parameters``: everything learnt, as it is now.  ``trained_rows``, ``batch_size``, ``epochs``, ``seed``: of the
    training run.  ``best_epoch``: the one whose parameters were kept.
    """

    step: TrainingStep
    parameters: Mapping[str, Array]
    rows: Mapping[str, Array]
    of_data: bool
    given: Given | None
    history: History
    trained_rows: int
    batch_size: int
    epochs: int
    seed: int
    best_epoch: int

    @cached_property
    def first(self) -> Mapping[str, Array]:
        """Parameters and states as they were before the first step."""
        made = first_state(self.step, self.seed, backend="numpy")
        return {name: made[name].astype(np.float64) for name in self.parameters}

    @property
    def trained(self) -> bool:
        """Whether the parameters are others than the first ones."""
        return any(
            np.linalg.norm(self.parameters[name] - first) > ROUNDING * np.linalg.norm(first)
            for name, first in self.first.items()
        )

    @cached_property
    def some(self) -> Mapping[str, Array]:
        """As many rows, from the first on, as are examined."""
        return self.take(np.arange(min(self.count, self.at_once)))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.rows.values())))

    @property
    def at_once(self) -> int:
        """How many rows are examined."""
        a_row = max(1, max(value[0].size for value in self.rows.values()))
        return int(np.clip(NUMBERS_AT_ONCE // (a_row * 16), FEWEST_ROWS, EXAMINED_ROWS))

    def take(self, rows: Array) -> dict[str, Array]:
        """These rows."""
        return {name: value[rows] for name, value in self.rows.items()}

    @cached_property
    def now(self) -> Walk:
        """Every quantity of a step on the rows examined, with the parameters as they are."""
        return self.walk(self.some, self.parameters)

    @cached_property
    def at_first(self) -> Walk:
        """The same with the parameters as they were before the first step."""
        return self.walk(self.some, self.first)

    @property
    def peak_rate(self) -> float:
        """The highest learning rate of the schedule."""
        return self.step.optimizer.schedule.peak

    def walk(
        self, rows: Mapping[str, Array], state: Mapping[str, Array], rate: float | None = None, number: int = 0
    ) -> Walk:
        """Every quantity of a training step on these rows, in float64."""
        return walk(
            self.step,
            {**rows, **state},
            rate=self.peak_rate if rate is None else rate,
            rows=self.trained_rows,
            seed=self.seed,
            number=number,
            backend="numpy",
        )

    @cached_property
    def layers(self) -> tuple[Equation, ...]:
        """The output of each layer of the network, one [b, …] for each scope, in order."""
        forward = self.step.cost_system.subset({self.step.output.name})
        last = {}
        for equation in forward.equations:
            scope = equation.name.rpartition(".")[0]
            if scope and "b" in equation.axes:
                last[scope] = equation
        return tuple(last.values())

    def layer_names(self) -> set[str]:
        """The scopes that have parameters."""
        return {tensor.name.rpartition(".")[0] for tensor in self.step.parameters}


def scope(name: str) -> str:
    """The layer that a tensor belongs to; the tensor itself where it has none."""
    return name.rpartition(".")[0] or name
