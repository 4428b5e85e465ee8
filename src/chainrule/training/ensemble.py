"""An ensemble of networks as one training step: everything that is learnt has one more axis, of the members.

Each member starts from its own first values and sees the rows in its own order; apart from that they are the same
network, and no equation joins them but the two at the end: the mean prediction and the mean loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.lift import lift
from chainrule.equations.node import Apply, Equation, Number, Reduce, access
from chainrule.equations.system import System
from chainrule.layers.composition import Tensor
from chainrule.training.loop import first_state
from chainrule.training.source import InMemory, Source
from chainrule.training.step import TrainingStep

Array = NDArray[Any]

AXES = ("e", "member")  # of the members: the first that the network does not have
SCOPE = "ensemble"


def ensemble_axis(step: TrainingStep) -> str:
    """The axis of the members of an ensemble of this network."""
    return next(name for name in AXES if name not in step.system.axes)


def ensemble(step: TrainingStep, members: int) -> TrainingStep:
    """The training step of so many networks like that of ``step``.

    Parameters, states and ``rows`` have the axis of the members in front.  The prediction is the mean over members
    (of probabilities, of means); ``measured`` is the mean of their losses.  The parameters of ``distribution`` are
    those of each member, [e, b, …].
    """
    along = ensemble_axis(step)
    learnt = {tensor.name for tensor in step.system.inputs if tensor.role in ("parameter", "state", "random")}

    def lifted(system: System, *also: str) -> System:
        return lift(system, along, members, [t.name for t in system.inputs if t.name in learnt or t.name in also])

    return averaged(replace(step, system=lifted(step.system, "rows")), lifted(step.evaluation), along)


def averaged(step: TrainingStep, lifted: System, along: str) -> TrainingStep:
    """The step whose prediction and loss are means over the axis ``along`` of its ``lifted`` evaluation."""

    def mean(name: str, axes: tuple[str, ...]) -> Equation:
        total = Reduce("sum", (along,), access(name, (along, *axes)))
        return Equation(f"{SCOPE}.{name.rpartition('.')[2]}", axes, Apply("/", (total, Number(along))))

    prediction = mean(step.prediction.name, step.prediction.axes)
    loss = mean(step.measured, ())
    evaluation = lifted.extended([prediction, loss])
    return replace(
        step,
        evaluation=evaluation,
        prediction_system=evaluation.subset({step.output.name, prediction.name}),
        prediction=Tensor(prediction.name, prediction.axes),
        distribution={
            symbol: Tensor(tensor.name, evaluation.tensor_axes[tensor.name])
            for symbol, tensor in step.distribution.items()
        },
        measured=loss.name,
    )


def first_states(step: TrainingStep, members: int, seed: int, backend: str | None = None) -> dict[str, Array]:
    """The first values of each member, [e, …]: those of a network alone whose seed is the next one."""
    states = [first_state(step, seed + member, backend=backend) for member in range(members)]
    return {name: np.stack([state[name] for state in states]) for name in states[0]}


def member_of(parameters: Mapping[str, Array], member: int) -> dict[str, Array]:
    """The parameters of one member."""
    return {name: np.array(value[member]) for name, value in parameters.items()}


@dataclass(frozen=True)
class Shuffled:
    """Rows for each member of an ensemble in an order of its own: minibatches [s, e, b].

    Where rows are made or padded when they are needed, all members see them in the same order: each is made once.
    """

    source: Source
    members: int

    @property
    def rows(self) -> int:
        return self.source.rows

    @property
    def rows_at_once(self) -> int | None:
        return self.source.rows_at_once

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        if isinstance(self.source, InMemory):
            orders = [self.source.batches(batch_size, seed + member, epoch) for member in range(self.members)]
            return [np.stack(groups, axis=1) for groups in zip(*orders, strict=True)]
        return self.source.batches(batch_size, seed, epoch)

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        if rows.ndim == 3:
            return self.source.chunk(rows, seed, epoch)
        arrays, places = self.source.chunk(rows, seed, epoch)
        return arrays, np.repeat(places[:, None], self.members, axis=1)
