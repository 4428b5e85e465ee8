"""The mean of the weights that one run passes by, and the normal distribution around it.

At a rate that is held, a run wanders around a minimum.  The mean of where it was lies in the middle (SWA), and its
mean, variances and latest deviations make a distribution to draw networks from (SWAG).  Both are equations that the
backends run after each epoch.  Running means of minibatches belong to no such network; ``statistics.py`` makes them
anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.definition import check_count, check_number, definition_system
from chainrule.equations.compose import fresh, instantiate
from chainrule.equations.node import Number
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.optimizers import Held, Schedule
from chainrule.training.callbacks import Run
from chainrule.training.ensemble import ensemble_axis
from chainrule.training.programs import program
from chainrule.training.snapshots import Found, Keeper, OneRun
from chainrule.training.step import TrainingStep

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class _Averaged(OneRun):
    """Weights averaged at the ends of epochs, from a part of the run on."""

    start: float = field(default=0.75, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(type(self).__name__, "start", self.start, low=0, below=1)

    def schedule(self, given: Schedule) -> Schedule:
        return Held(given, self.start)

    def epochs(self, given: int | None, usual: int) -> int:
        epochs = usual if given is None else given
        count = epochs + 1 - self.begins(epochs)
        if count < self.fewest:
            raise ChainruleError(
                f"{self!r} needs the weights of {self.fewest} epochs or more, and of epochs={epochs} it would have "
                f"those of {count}; give more epochs, or a smaller start"
            )
        return epochs

    @property
    def fewest(self) -> int:
        """The fewest networks of which there is a mean, or a distribution."""
        return 2

    def begins(self, epochs: int) -> int:
        """The epoch at whose end averaging begins, from 1."""
        return max(1, math.ceil(self.start * epochs))

    def networks(self, run: Run) -> int:
        """How many networks of the run have been averaged so far."""
        return max(0, run.epoch + 1 - self.begins(run.epochs))


@dataclass(frozen=True, repr=False)
class SWA(_Averaged):
    """One network, whose weights are the means of those at the ends of the last epochs (stochastic weight averaging).

    ``start``: the part of the run after which the learning rate is held where it is, and averaging begins.
    """

    source = "Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization (2018), algorithm 1"
    equations = """
    data θ[...], n
    state mean[...] = 0
    mean'[...] = mean[...] + (θ[...] - mean[...])/n
    """

    def keeper(self, step: TrainingStep, backend: str | None) -> Keeper:
        return _Mean(self, step, backend)


@dataclass(frozen=True, repr=False)
class SWAG(_Averaged):
    """Networks drawn from the normal distribution around the mean of SWA: half of its covariance is diagonal, half has
    the rank of the latest deviations from the mean that are kept.

    ``members``: how many are drawn; ``rank``: the most deviations kept; ``start``: as for ``SWA``.
    """

    source = "Maddox et al., A Simple Baseline for Bayesian Uncertainty in Deep Learning (2019), algorithm 1"
    equations = """
    data θ[...], n
    integer c
    state mean[...] = 0, v[...] = 0, D[d,...] = 0
    mean'[...] = mean[...] + (θ[...] - mean[...])/n
    v'[...] = v[...] + ((θ[...] - mean[...])*(θ[...] - mean'[...]) - v[...])/n
    D'[d,...] = where([d = c], θ[...] - mean'[...], D[d,...])
    """

    members: int = 30
    rank: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "members", check_count("SWAG", "members", self.members))
        object.__setattr__(self, "rank", check_count("SWAG", "rank", self.rank))
        check_number("SWAG", "rank", self.rank, low=2)

    @property
    def fewest(self) -> int:
        return 3  # the first is its own mean, and one deviation has no spread

    def keeper(self, step: TrainingStep, backend: str | None) -> Keeper:
        return _Distribution(self, step, backend)


DRAWN = """
data mean[...], v[...], D[d,...]
random z[e,...] ~ normal, u[e,d] ~ normal
θ[e,...] = mean[...] + sqrt(max(0, v[...])/2)*z[e,...] + rsqrt(2*(size(d) - 1))*sum[d](D[d,...]*u[e,d])
"""
COMMON = ("n", "c", "u")  # what the equations of all parameters have in common


class _Mean(Keeper):
    """Runs the equations of SWA, or those of SWAG, at the end of each epoch that counts."""

    columns = 0
    kept = "the mean"

    def __init__(self, definition: SWA | SWAG, step: TrainingStep, backend: str | None) -> None:
        self.definition, self.step, self.backend = definition, step, backend
        self.axes = {tensor.name: tensor.axes for tensor in step.parameters}
        self.along = ensemble_axis(step)
        taken = {self.along, *(axis for axes in self.axes.values() for axis in axes)}
        self.deviation = fresh("d", taken)

    def plan(self, epochs: int) -> str:
        return f"{self.kept} of the weights from epoch {self.definition.begins(epochs)} of {epochs} on"

    def on_start(self, run: Run) -> None:
        super().on_start(run)
        for symbol_of, name in self._states():
            shape = run.state[name].shape
            whole = (self.columns, *shape) if symbol_of == "D" else shape
            run.state[f"{symbol_of}.{name}"] = np.zeros(whole, run.state[name].dtype)

    def on_epoch(self, run: Run) -> None:
        count = self.definition.networks(run)
        if count < 1:
            return
        kept = [f"{symbol_of}.{name}" for symbol_of, name in self._states()]
        system = self._of_all(self.definition.system)
        state = {name: run.state[name] for name in kept}
        values = {name: run.state[name] for name in self.axes} | {"n": float(count)} | self._column(count)
        made = program(system, tuple(f"{name}'" for name in kept), "float32", self.backend).run(values, state)
        run.state.update((name, np.array(made[f"{name}'"])) for name in kept)

    def found(self, run: Run) -> Found:
        learnt = {name: run.state[name] for name in run.parameters}
        if self.definition.networks(run) < 1:
            return Found(learnt, None, moved=False)
        return Found(learnt | {name: run.state[f"mean.{name}"] for name in self.axes}, None, moved=True)

    def _states(self) -> list[tuple[str, str]]:
        """The states of the equations, each of every parameter."""
        return [(tensor.name, name) for tensor in self.definition.system.named("state") for name in self.axes]

    def _column(self, count: int) -> dict[str, Any]:
        """Where the deviation goes."""
        return {}

    def _of_all(self, definition: System) -> System:
        """The equations for every parameter."""
        made = [self._of(definition, name) for name in self.axes]
        inputs: dict[str, Input] = {tensor.name: tensor for system in made for tensor in system.inputs}
        return System(tuple(e for system in made for e in system.equations), tuple(inputs.values()))

    def _of(self, definition: System, name: str) -> System:
        names = {symbol_of: _of_parameter(symbol_of, name) for symbol_of in definition.tensor_axes}
        axes = {"...": self.axes[name], "d": (self.deviation,), "e": (self.along,)}
        return instantiate(definition, names, axes)


class _Distribution(_Mean):
    """What SWAG keeps, and the networks that are drawn from it."""

    definition: SWAG
    kept = "the distribution"

    def on_start(self, run: Run) -> None:
        self.columns = min(self.definition.rank, run.epochs - self.definition.begins(run.epochs))
        super().on_start(run)

    def found(self, run: Run) -> Found:
        count = self.definition.networks(run)
        if count < self.definition.fewest:
            return super().found(run)
        members, filled = self.definition.members, min(self.columns, count - 1)
        system = self._of_all(definition_system(DRAWN, "SWAG"))
        system = System(system.equations, system.inputs, ((self.along, Number(members)),))
        values = {f"{kept}.{name}": run.state[f"{kept}.{name}"] for kept in ("mean", "v") for name in self.axes}
        values |= {f"D.{name}": run.state[f"D.{name}"][:filled] for name in self.axes}
        drawn = program(system, tuple(self.axes), "float32", self.backend).run(values, {}, seed=run.seed)
        others = {n: np.repeat(run.state[n][None], members, axis=0) for n in run.parameters if n not in drawn}
        found: dict[str, Array] = {name: np.asarray(value) for name, value in drawn.items()} | others
        return Found({name: found[name] for name in run.parameters}, members, moved=True)

    def _column(self, count: int) -> dict[str, Any]:
        # The first network is its own mean, and has no deviation from it.
        return {"c": (count - 2) % self.columns if count > 1 else -1}


def _of_parameter(symbol_of: str, name: str) -> str:
    """The name of a tensor of the equations, in those of one parameter."""
    if symbol_of in COMMON:
        return symbol_of
    if symbol_of == "θ":
        return name
    return f"{symbol_of.rstrip(chr(39))}.{name}" + "'" * symbol_of.count("'")
