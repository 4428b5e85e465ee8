"""An ensemble of networks as one training step: everything that is learnt has one more axis, of the members.

Each member starts from its own first values and, where rows lie in memory, sees them in its own order; apart from that
they are the same network, and no equation joins them but the two at the end, the mean prediction and the mean loss;
unless they have parameters in common (``sharing.py``).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.lift import lift
from chainrule.equations.node import Equation
from chainrule.equations.system import System
from chainrule.layers.composition import Tensor
from chainrule.training.loop import first_state
from chainrule.training.sharing import SCOPE, mean_over, trained_together
from chainrule.training.source import InMemory, Source
from chainrule.training.step import TrainingStep

Array = NDArray[Any]

AXES = ("e", "member")  # of the members: the first that the network does not have


def ensemble_axis(step: TrainingStep) -> str:
    """The axis of the members of an ensemble of this network."""
    return next(name for name in AXES if name not in step.system.axes)


def ensemble(step: TrainingStep, members: int) -> TrainingStep:
    """The training step of so many networks like that of ``step``.

    Parameters but those that are shared, states and ``rows`` have the axis of the members in front.  The prediction is
    the mean over members (of probabilities, of means); ``measured`` is the mean of their losses.  The parameters of
    ``distribution`` are those of each member, [e, b, …].
    """
    along = ensemble_axis(step)
    own = {t.name for t in step.system.inputs if t.role in ("parameter", "state", "random")} - step.shared
    trained = (
        trained_together(step, along, members)
        if step.shared
        else replace(step, system=_lifted(step.system, along, members, {*own, "rows"}))
    )
    return averaged(trained, _lifted(step.evaluation, along, members, own), along)


def _lifted(system: System, along: str, members: int, inputs: Container[str]) -> System:
    return lift(system, along, members, [tensor.name for tensor in system.inputs if tensor.name in inputs])


def averaged(step: TrainingStep, lifted: System, along: str) -> TrainingStep:
    """The step whose prediction and loss are means over the axis ``along`` of its ``lifted`` evaluation."""

    def mean(name: str, axes: tuple[str, ...]) -> Equation:
        return Equation(f"{SCOPE}.{name.rpartition('.')[2]}", axes, mean_over(along, name, axes))

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


def of_each(trained: TrainingStep, along: str) -> frozenset[str]:
    """The inputs of an ensemble's step that each member along the axis has of its own."""
    return frozenset(tensor.name for tensor in trained.system.inputs if tensor.axes[:1] == (along,))


def first_states(
    step: TrainingStep, trained: TrainingStep, members: int, seed: int, backend: str | None = None
) -> dict[str, Array]:
    """The first values of each member, [e, …]: those of a network alone, a ``step``, whose seed is the next one.

    What is shared in the ``trained`` ensemble starts as in the first of them.
    """
    states = [first_state(step, seed + member, backend=backend) for member in range(members)]
    own = of_each(trained, ensemble_axis(step))
    return {
        name: np.stack([state[name] for state in states]) if name in own else value for name, value in states[0].items()
    }


def member_of(parameters: Mapping[str, Array], member: int, own: Container[str]) -> dict[str, Array]:
    """The parameters of one member, of which some are its ``own`` and the others shared."""
    return {name: np.array(value[member] if name in own else value) for name, value in parameters.items()}


@dataclass(frozen=True)
class Shuffled:
    """Rows for each member of an ensemble, in an order of its own where they lie in memory: minibatches [s, e, b].

    Where rows are made or padded when they are needed (texts, sequences, augmented images, sets too large for memory),
    all members see them in the same order: each is made once.
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
