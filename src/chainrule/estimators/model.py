"""A network with its loss and optimizer, before any data: what is assembled into systems, and kept with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainrule.equations.sizes import solve_sizes
from chainrule.layers import (
    Branch,
    Composition,
    Custom,
    Layer,
    LearnedPositions,
    Network,
    Residual,
    Sum,
    Tensor,
    as_layer,
)
from chainrule.layers.composition import Reading
from chainrule.losses import ClassWeighted, Loss, SampleWeighted
from chainrule.optimizers import Clipping, Optimizer
from chainrule.regularizers import Regularizer
from chainrule.training.step import TrainingStep, assemble


@dataclass(frozen=True)
class Specification:
    """Everything that decides the equations of a model."""

    network: Layer
    loss: Loss
    optimizer: Optimizer
    reading: Reading
    regularizers: tuple[Regularizer, ...] = ()
    clipping: Clipping | None = None

    @property
    def step(self) -> TrainingStep:
        """The systems of the model; assembled once for each specification."""
        return _assembled(self)

    def calls(self) -> dict[str, Any]:
        """Each part as the call that makes it."""
        return {
            "network": repr(self.network),
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer),
            "regularizers": [repr(regularizer) for regularizer in self.regularizers],
            "clipping": None if self.clipping is None else repr(self.clipping),
            "sizes": [list(size) for size in self.reading.sizes],
            "role": self.reading.role,
            "length": self.reading.length,
        }


@lru_cache(maxsize=128)
def _assembled(specification: Specification) -> TrainingStep:
    return assemble(
        specification.network,
        specification.loss,
        specification.optimizer,
        specification.reading,
        regularizers=specification.regularizers,
        clipping=specification.clipping,
    )


def output_shape(step: TrainingStep) -> tuple[int, ...]:
    """The sizes of the axes of the network's output after the row."""
    return _sizes_of(step, step.output.axes[1:])


def longest_row(network: Layer) -> int | None:
    """How many positions a row may have at most; None where nothing says so."""
    match network:
        case LearnedPositions(length=length):
            return length
        case Network(layers=layers) | Residual(layers=layers) | Sum(layers=layers) | Branch(layers=layers):
            found = [most for most in map(longest_row, layers) if most is not None]
            return min(found) if found else None
    return None


def target_shape(step: TrainingStep) -> tuple[int, ...]:
    """The sizes of the axes of the target after the row."""
    target = next(tensor for tensor in step.inputs if tensor.name in ("y", "t"))
    return _sizes_of(step, target.axes[1:])


def _sizes_of(step: TrainingStep, axes: tuple[str, ...]) -> tuple[int, ...]:
    sizes: Mapping[str, int] = solve_sizes(step.prediction_system, {}, partial=True)
    return tuple(sizes[axis] for axis in axes)


def plain_loss(loss: Loss | None) -> Loss | None:
    """The loss of a row, without what weighs rows."""
    while isinstance(loss, SampleWeighted | ClassWeighted):
        loss = loss.loss
    return loss


def resolved(network: Layer, reading: Reading) -> Network:
    """The network with what functions among its layers return in their place, so that it can be written down."""
    under, x = reading.compose()
    made, _ = _resolved(as_layer(network, "network"), under, x)
    return made if isinstance(made, Network) else Network(made)


def _resolved(layer: Layer, under: Composition, x: Tensor) -> tuple[Layer, Tensor]:
    """The layer without functions, and its output for the input ``x``."""
    match layer:
        case Custom():
            return _resolved(as_layer(layer.function(x.axes), "Custom"), under, x)
        case Network(layers=layers) | Residual(layers=layers):
            inner, tensor = [], x
            for part in layers:
                made, tensor = _resolved(part, under, tensor)
                inner.append(made)
            return type(layer)(*inner), tensor if isinstance(layer, Network) else x
        case Sum(layers=layers) | Branch(layers=layers):
            layer = type(layer)(*(_resolved(part, under, x)[0] for part in layers))
    return layer, layer.compose(under, x)
