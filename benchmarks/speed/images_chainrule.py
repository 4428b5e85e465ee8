"""Images with chainrule: the networks as a user writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from chainrule.equations.sizes import solve_sizes
from chainrule.layers import Conv2D, Dense, MaxPool2D, Network, ReLU
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy
from chainrule.networks import lenet5, resnet
from chainrule.optimizers import Adam
from chainrule.training.step import TrainingStep, assemble


def assembled(workload: Images) -> TrainingStep:
    reading = Reading.of(dict(zip("hwc", workload.shape, strict=False)))
    return assemble(network(workload), CrossEntropy(), Adam(workload.rate), reading)


def network(workload: Images) -> Network:
    if workload.family == "lenet":
        return lenet5(workload.classes)
    if workload.family == "resnet":
        return resnet(workload.classes, widths=workload.widths, small_images=True)
    *filters, hidden = workload.widths
    convolutions = [layer for count in filters for layer in (Conv2D(count, 3), ReLU())]
    return Network(*convolutions, MaxPool2D(2), Dense(hidden), ReLU(), Dense(workload.classes))


def parameters(workload: Images, step: TrainingStep) -> dict[str, Any]:
    """The first weights, by the names of the step, in which they come in the order of the network."""
    sizes = solve_sizes(step.system, {}, partial=True)
    drawn = iter(workload.weights)
    found: dict[str, Any] = {}
    for tensor in step.parameters:
        shape = [sizes[axis] for axis in tensor.axes]
        letter = tensor.name.rpartition(".")[2]
        if letter == "W":
            found[tensor.name] = next(drawn).reshape(shape).copy()
        else:
            found[tensor.name] = np.full(shape, float(letter == "γ"), workload.dtype)
    return found
