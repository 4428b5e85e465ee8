"""Ensembles from one training run: networks that it passes by, kept on the way.

What is kept is in the state of the run, beside parameters and the optimizer's, so that a checkpoint has it too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.definition import check_count
from chainrule.errors import ChainruleError
from chainrule.optimizers import CosineCycles, Schedule
from chainrule.training.callbacks import Callback, Run
from chainrule.training.members import Ensemble
from chainrule.training.step import TrainingStep

Array = NDArray[Any]


@dataclass(frozen=True)
class Found:
    """The networks that a run has left: their parameters, [e, …] for so many ``members``, or those of one (None).

    ``moved``: whether their parameters are none that the run had, so that running means do not belong to them.
    """

    parameters: Mapping[str, Array]
    members: int | None
    moved: bool


class Keeper(Callback):
    """What watches a run and keeps networks, or what they are made of."""

    def on_start(self, run: Run) -> None:
        run.plan = self.plan(run.epochs)

    def plan(self, epochs: int) -> str:
        """What is kept of a run of so many epochs, and when, in words: runs that differ in it keep other networks."""
        raise NotImplementedError

    def found(self, run: Run) -> Found:
        """What was kept; where a run has ended too early for it, the network as it is now."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class OneRun(Ensemble):
    """Networks from one run of ``fit``; ``partial_fit`` has no end, and trains the networks that there are."""

    def schedule(self, given: Schedule) -> Schedule:
        """The learning rates of the run, from those that it would have had."""
        raise NotImplementedError

    def epochs(self, given: int | None, usual: int) -> int:
        """The epochs of the run, ``usual`` where none are given.

        Raises ChainruleError where so many are too few.
        """
        raise NotImplementedError

    def keeper(self, step: TrainingStep, backend: str | None) -> Keeper:
        """What is to watch a run of this step."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Snapshots(OneRun):
    """The networks at the ends of the cycles of a cyclic learning rate, each near a minimum of its own.

    ``members``: how many cycles, of the same number of epochs each.  The rate falls along a cosine in every one, from
    the highest of the optimizer's schedule to 0.
    """

    source = "Huang et al., Snapshot Ensembles: Train 1, Get M for Free (2017), §3"

    members: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "members", check_count(type(self).__name__, "members", self.members))

    def schedule(self, given: Schedule) -> Schedule:
        return CosineCycles(given.peak, self.members)

    def epochs(self, given: int | None, usual: int) -> int:
        nearest = self.members * max(1, math.ceil((usual if given is None else given) / self.members))
        if given is not None and given != nearest:
            below = nearest - self.members
            others = f"{below} or {nearest}" if below else str(nearest)
            raise ChainruleError(
                f"{self!r} has {self.members} cycles of as many epochs each, and epochs={given} cannot be divided into "
                f"them; {others} can"
            )
        return nearest

    def keeper(self, step: TrainingStep, backend: str | None) -> Keeper:
        return _Kept(self.members)


@dataclass(frozen=True)
class _Kept(Keeper):
    members: int

    def plan(self, epochs: int) -> str:
        return f"the networks after every {epochs // self.members} of {epochs} epochs"

    def on_start(self, run: Run) -> None:
        super().on_start(run)
        for name in run.parameters:
            value = run.state[name]
            run.state[_snapshots(name)] = np.zeros((self.members, *value.shape), value.dtype)

    def on_epoch(self, run: Run) -> None:
        cycle, left = divmod(run.epoch, run.epochs // self.members)
        if not left:
            for name in run.parameters:
                run.state[_snapshots(name)][cycle - 1] = run.state[name]

    def found(self, run: Run) -> Found:
        count = run.epoch // (run.epochs // self.members)
        if not count:
            return Found({name: run.state[name] for name in run.parameters}, None, moved=False)
        return Found({name: run.state[_snapshots(name)][:count] for name in run.parameters}, count, moved=False)


def _snapshots(name: str) -> str:
    return f"snapshots.{name}"
