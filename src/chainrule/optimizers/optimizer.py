"""What an optimizer is: equations from a parameter ``θ[...]``, its gradient ``g[...]`` and states to ``θ'[...]``.

``η`` is the learning rate, an input that may change from step to step.  What does not depend on θ and g (the number of
the step, the decay rates) is written once for all parameters, under the optimizer's name; everything else once for
each parameter, under the parameter's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.definition import Definition, check_instance, check_number
from chainrule.equations.system import Input, System
from chainrule.equations.walk import tensors
from chainrule.layers.composition import Composition, Tensor
from chainrule.optimizers.schedules import ConstantRate, Schedule


def of_each_parameter(definition: System) -> set[str]:
    """The tensors that depend on the parameter or its gradient: ``m`` does if ``m'`` does."""
    found = {"θ", "g"}
    while True:
        more = {e.name for e in definition.equations if found & set(tensors(e))}
        more |= {name for name, following in definition.updates.items() if following in found}
        if more <= found:
            return found & definition.tensor_axes.keys()
        found |= more


def place_for_each(
    under: Composition,
    definition: Definition,
    scope: str,
    pairs: Sequence[tuple[Tensor, Tensor]],
    shared: dict[str, Tensor],
) -> list[dict[str, Tensor]]:
    """Write a definition for every (parameter, gradient), with what they share written once."""
    system = definition.system
    own = of_each_parameter(system)
    common = System(
        tuple(equation for equation in system.equations if equation.name not in own),
        tuple(tensor for tensor in system.inputs if tensor.name not in own),
    )
    shared = dict(shared)
    shared.update(under.place(common, scope, shared, scalars=definition.scalars))
    each = System(
        tuple(equation for equation in system.equations if equation.name in own),
        tuple(tensor for tensor in system.inputs if tensor.name in own),
    )
    return [
        under.place(each, parameter.name, {"θ": parameter, "g": gradient, **shared}) for parameter, gradient in pairs
    ]


@dataclass(frozen=True, repr=False)
class Optimizer(Definition):
    """An update rule; ``learning_rate`` is a number or a schedule."""

    learning_rate: float | Schedule = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        if isinstance(self.learning_rate, int | float | np.number):
            check_number(owner, "learning_rate", self.learning_rate, low=0)
        else:
            check_instance(owner, "learning_rate", self.learning_rate, Schedule)

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule."""
        rate = self.learning_rate
        return rate if isinstance(rate, Schedule) else ConstantRate(float(rate))

    def rates(self, steps: int) -> NDArray[np.float64]:
        """The learning rate of each of this many steps."""
        return self.schedule.rates(steps)

    def compose(self, under: Composition, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Write the next value of every parameter, given (parameter, gradient) pairs."""
        under.inputs.append(Input("η", (), "data"))
        place_for_each(under, self, type(self).__name__.lower(), pairs, {"η": Tensor("η", ())})
