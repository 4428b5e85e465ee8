"""Small networks with values, whose curvature is computed in several ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.probability.gauss_newton import STRUCTURES, Linearized, loss_curvature, root
from chainrule.training.loop import first_state
from chainrule.training.step import assemble

Array = NDArray[Any]

DENSE = cr.Network(cr.Dense(3), cr.Tanh(), cr.Dense(2))
CONVOLUTION = cr.Network(cr.Conv2D(3, 3), cr.Tanh(), cr.AvgPool2D(2), cr.Dense(2))
LAYER_NORM = cr.Network(cr.Dense(4), cr.LayerNorm(), cr.Tanh(), cr.Dense(2))
ATTENTION = cr.Network(cr.MultiHeadAttention(2), cr.GlobalAvgPool(), cr.Dense(2))
LSTM = cr.Network(cr.LSTM(3), cr.Dense(2))
VECTOR = {"i": 4}
IMAGE = {"h": 6, "w": 6, "c": 2}
SERIES = {"t": 3, "d": 4}


@dataclass(frozen=True)
class Example:
    """A network around random values, and rows with their targets."""

    network: Linearized
    rows: dict[str, Array]
    targets: dict[str, Array]

    def blocks(self, structure: str) -> Any:
        """The blocks of G of all rows."""
        kind, along = STRUCTURES[structure], self.directions()
        return kind.blocks(self.network, kind.totals(self.network, [(self.rows, along)]))

    def directions(self) -> Array:
        output = self.network.output(self.rows)
        _, curvature = loss_curvature(self.network.step, output, self.targets, "numpy")
        return root(curvature, self.network.output_shape)


def example(layer: Layer, sizes: dict[str, int], loss: Loss | None = None, rows: int = 5) -> Example:
    """Parameters a little off their first values, so that none of them is 0."""
    generator = np.random.default_rng(0)
    step = assemble(layer, cr.CrossEntropy() if loss is None else loss, cr.Adam(), sizes)
    first = first_state(step, 0, backend="numpy")
    values = {
        name: np.abs(np.asarray(first[name], float) + 0.1 * generator.standard_normal(np.shape(first[name])))
        if name.endswith(".V")
        else np.asarray(first[name], float) + 0.1 * generator.standard_normal(np.shape(first[name]))
        for name in step.learnt
    }
    names = tuple(tensor.name for tensor in step.prediction_system.parameters)
    network = Linearized(step, values, names, "numpy")
    targets = {
        "t": generator.integers(0, network.output_shape[-1], rows),
        "y": generator.random((rows, network.output_shape[0])),
    }
    return Example(network, {"x": generator.standard_normal((rows, *sizes.values()))}, targets)
