"""Schedules: the learning rate ``η[t]`` as an equation in the step ``t``; ``size(t)`` is the number of steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.definition import Definition, check_count, check_instance, symbol
from chainrule.equations.compose import instantiate
from chainrule.equations.evaluate import evaluate
from chainrule.equations.node import Equation, Number
from chainrule.equations.parse import parse
from chainrule.equations.system import System


@dataclass(frozen=True, repr=False)
class Schedule(Definition):
    """A learning rate for every step."""

    @property
    def written(self) -> System:
        """The equations with the numbers of this schedule in place of its scalars."""
        constants = tuple(Equation(name, (), Number(value)) for name, value in self.scalars.items())
        return System((*constants, *self.system.equations), (), self.system.sizes)

    def rates(self, steps: int) -> NDArray[np.float64]:
        """The learning rate of each of this many steps."""
        steps = check_count(type(self).__name__, "the number of steps", steps)
        made = self.written
        sizes = (("t", Number(steps)), *(size for size in made.sizes if size[0] != "t"))
        return np.asarray(evaluate(System(made.equations, (), sizes), {})["η"], dtype=np.float64)

    @property
    def peak(self) -> float:
        """The highest rate."""
        return float(self.rates(1000).max())


@dataclass(frozen=True, repr=False)
class ConstantRate(Schedule):
    """The same rate in every step."""

    source = "by definition"
    equations = "axis t\ndata η0\nη[t] = η0"

    rate: float = symbol("η0", 0.01, low=0)


@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """Multiplied by ``factor`` after every ``every`` steps."""

    source = "He et al., Deep Residual Learning for Image Recognition (2016), §4.2"
    equations = "axis t\ndata η0, γ, s\nη[t] = η0*γ^floor(t/s)"

    rate: float = symbol("η0", 0.1, low=0)
    factor: float = symbol("γ", 0.1, above=0)
    every: float = symbol("s", 1000, low=1)


@dataclass(frozen=True, repr=False)
class ExponentialDecay(Schedule):
    """Multiplied by ``factor`` over every ``every`` steps, evenly."""

    source = "Senior et al., An empirical study of learning rates (2013), exponential scheduling"
    equations = "axis t\ndata η0, γ, s\nη[t] = η0*γ^(t/s)"

    rate: float = symbol("η0", 0.01, low=0)
    factor: float = symbol("γ", 0.96, above=0)
    every: float = symbol("s", 1000, low=1)


@dataclass(frozen=True, repr=False)
class CosineDecay(Schedule):
    """From ``rate`` to ``final`` along half a cosine."""

    source = "Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017), eq. 5"
    equations = "axis t\ndata η0, η1\nη[t] = η1 + (η0 - η1)*(1 + cos(π*t/size(t)))/2"

    rate: float = symbol("η0", 0.01, low=0)
    final: float = symbol("η1", 0.0, low=0)


@dataclass(frozen=True, repr=False)
class CosineCycles(Schedule):
    """From ``rate`` to ``final`` along half a cosine, so many times over, with a sudden return between them."""

    source = "Loshchilov and Hutter, SGDR (2017), eq. 5; Huang et al., Snapshot Ensembles (2017), eq. 2"
    equations = """
    axis t
    data η0, η1, m
    u[t] = m*t/size(t)
    η[t] = η1 + (η0 - η1)*(1 + cos(π*(u[t] - floor(u[t]))))/2
    """

    rate: float = symbol("η0", 0.01, low=0)
    cycles: int = symbol("m", 5, low=1)
    final: float = symbol("η1", 0.0, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cycles", check_count("CosineCycles", "cycles", self.cycles))


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """Up from peak/``start`` to ``peak`` over the part ``rise`` of the steps, then down to peak/``start``/``end``."""

    source = "Smith and Topin, Super-Convergence (2018), §3, with cosines as in fastai"
    equations = """
    axis t
    data ηmax, ρ, d, f
    η0 = ηmax/d
    η1 = η0/f
    r = ρ*size(t) - 1
    up[t] = (1 - cos(π*t/r))/2
    down[t] = (1 - cos(π*(t - r)/(size(t) - 1 - r)))/2
    η[t] = where(t <= r, η0 + (ηmax - η0)*up[t], ηmax + (η1 - ηmax)*down[t])
    """

    peak: float = symbol("ηmax", 0.01, low=0)
    rise: float = symbol("ρ", 0.3, above=0, below=1)
    start: float = symbol("d", 25.0, low=1)
    end: float = symbol("f", 1e4, low=1)


@dataclass(frozen=True, repr=False)
class WarmUp(Schedule):
    """Even steps up to the first rate of ``then`` over ``steps`` steps, after which ``then`` begins."""

    source = "Goyal et al., Accurate, Large Minibatch SGD (2017), §2.2"

    then: Schedule
    steps: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance("WarmUp", "then", self.then, Schedule)
        object.__setattr__(self, "steps", check_count("WarmUp", "steps", self.steps))

    @property
    def peak(self) -> float:
        return self.then.peak

    @property
    def system(self) -> System:
        # The steps of what follows are counted on an axis of their own, u = t - w.
        return parse(
            f"axis t, u = max(1, size(t) - {self.steps})\ndata ζ[u]\n"
            f"η[t] = where(t < {self.steps}, ζ[0]*(t + 1)/{self.steps}, ζ[t - {self.steps}])"
        )

    @property
    def written(self) -> System:
        then = _placed(self.then.written, "ζ", "u")
        relations = tuple(size for size in then.sizes if size[0] != "u")
        return System((*then.equations, *self.system.equations), (), (*self.system.sizes, *relations))


@dataclass(frozen=True, repr=False)
class Held(Schedule):
    """The rates of ``first`` over the part ``until`` of the steps; then its rate there, to the end."""

    source = "Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization (2018), §3.2"
    equations = """
    axis t
    data ρ, ζ[t]
    h = floor(ρ*size(t))
    held = sum[t](ζ[t]*[t = h])
    η[t] = where(t <= h, ζ[t], held)
    """

    first: Schedule
    until: float = symbol("ρ", 0.75, low=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance("Held", "first", self.first, Schedule)

    @property
    def written(self) -> System:
        first = _placed(self.first.written, "ζ", "t")
        constant = Equation("ρ", (), Number(self.until))
        return System((*first.equations, constant, *self.system.equations), (), first.sizes)


def _placed(schedule: System, name: str, along: str) -> System:
    """The equations of a schedule within those of another, which read ``name[along]`` for its rates."""
    names = {tensor: f"{name}.{tensor}" for tensor in schedule.tensor_axes} | {"η": name}
    axes = {axis: (f"{along}.{axis}",) for axis in schedule.axes} | {"t": (along,)}
    return instantiate(schedule, names, axes)
