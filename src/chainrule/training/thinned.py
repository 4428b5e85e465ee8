"""The networks that dropout makes of one: Monte Carlo dropout as an ensemble.

Dropout trains many thinned networks that share their parameters.  Here a number of them predict side by side: the
random numbers of dropout have one more axis, of the networks, and in place of it none of the rows, so that each network
leaves out the same for every row.  What it predicts of a row then depends on no other row, and is the same each time.
Gal and Ghahramani, Dropout as a Bayesian Approximation (2016), eqs. 6 and 7.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chainrule.equations.lift import lift
from chainrule.equations.node import Access
from chainrule.equations.system import System
from chainrule.equations.walk import rebuild
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Reading
from chainrule.layers.layer import Layer
from chainrule.losses.loss import Loss
from chainrule.training.ensemble import averaged, ensemble_axis
from chainrule.training.step import TrainingStep, evaluated


def thinned(step: TrainingStep, network: Layer, loss: Loss, reading: Reading, samples: int) -> TrainingStep:
    """The step of the network, in which so many thinned ones predict; training stays as it is.

    Raises ChainruleError where the network has no dropout.
    """
    system, prediction, distribution = evaluated(network.sampling, loss, reading)
    drawn = [tensor.name for tensor in system.named("random")]
    if not drawn:
        raise ChainruleError("the network has no dropout, so there is nothing to leave out: put Dropout(0.1) into it")
    along = ensemble_axis(step)
    lifted = lift(_same_for_all_rows(system), along, samples, drawn)
    return averaged(replace(step, prediction=prediction, distribution=distribution), lifted, along)


def _same_for_all_rows(system: System) -> System:
    """The system whose random inputs have no axis of rows."""
    drawn = {tensor.name: tensor.axes for tensor in system.named("random")}

    def change(node: Any) -> Any:
        if isinstance(node, Access) and node.tensor in drawn:
            kept = zip(node.indices, drawn[node.tensor], strict=True)
            return Access(node.tensor, tuple(change(index) for index, name in kept if name != "b"))
        return rebuild(node, change)

    inputs = tuple(
        replace(tensor, axes=tuple(name for name in tensor.axes if name != "b")) if tensor.name in drawn else tensor
        for tensor in system.inputs
    )
    return System(tuple(map(change, system.equations)), inputs, system.sizes, system.sources)
