"""Running means made anew, for parameters that no training step has seen.

Batch normalization predicts with the running means of what went through it in training.  Means of parameters, and
parameters that were drawn, are other networks; so training rows go through them once more, forward only, and the
means over minibatches take the place of the running ones.
Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization (2018), §3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.layers.layer import Layer
from chainrule.layers.normalization import BatchNorm
from chainrule.layers.shared import rewritten
from chainrule.training.prefetch import chunks
from chainrule.training.programs import program
from chainrule.training.source import Source
from chainrule.training.step import TrainingStep

Array = NDArray[Any]


def of_minibatches(network: Layer) -> Layer:
    """The network whose running means are, after each step, those of its minibatch."""
    return rewritten(network, lambda layer: replace(layer, momentum=1.0) if isinstance(layer, BatchNorm) else layer)


def made_anew(
    step: TrainingStep,
    parameters: Mapping[str, Array],
    source: Source,
    batch_size: int,
    seed: int,
    backend: str | None = None,
) -> dict[str, Array]:
    """The running means of a network with these parameters: the means over the minibatches of one epoch.

    ``step``: that of the network ``of_minibatches``.
    """
    forward = step.log.forward
    following = {name: forward.updates[name] for name in step.learnt if name in forward.updates}
    if not following:
        return {}
    passing = program(forward.subset(following.values()), tuple(following.values()), "float32", backend)
    constants = {name: np.array(value, dtype=np.float32) for name, value in step.constants.items()}
    totals, rows, done = dict.fromkeys(following, 0.0), 0, 0
    with chunks(source, batch_size, seed, [0]) as coming:
        for chunk in coming:
            found = passing.run(
                {**chunk.arrays, **constants}, dict(parameters), {"rows": chunk.places}, seed=seed, first_step=done
            )
            size = chunk.places.shape[-1]
            for name, after in following.items():
                totals[name] = totals[name] + size * np.asarray(found[after], np.float64).sum(axis=0)
            rows, done = rows + chunk.places.size, done + len(chunk.places)
    return {name: (total / rows).astype(np.float32) for name, total in totals.items()}  # type: ignore[attr-defined]
