"""A network with its loss and optimizer, before any data: what is assembled into systems, and kept with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainrule.data.reader import Reader
from chainrule.data.text import SymbolReader
from chainrule.definition import check_instance
from chainrule.equations.sizes import solve_sizes
from chainrule.errors import ChainruleError
from chainrule.layers import (
    Branch,
    Composition,
    Custom,
    Embedding,
    Layer,
    LearnedPositions,
    Network,
    Residual,
    Sum,
    Tensor,
    as_layer,
)
from chainrule.layers.composition import Reading
from chainrule.layers.network import layers_within
from chainrule.losses import ClassWeighted, Loss, SampleWeighted
from chainrule.optimizers import Clipping, Optimizer
from chainrule.regularizers import Regularizer
from chainrule.training.ensemble import ensemble, ensemble_axis
from chainrule.training.step import TrainingStep, assemble
from chainrule.training.thinned import thinned


@dataclass(frozen=True)
class Specification:
    """Everything that decides the equations of a model."""

    network: Layer
    loss: Loss
    optimizer: Optimizer
    reading: Reading
    regularizers: tuple[Regularizer, ...] = ()
    clipping: Clipping | None = None
    members: int | None = None
    thinned: int | None = None  # how many of the networks that dropout makes of this one predict

    @property
    def step(self) -> TrainingStep:
        """The systems of the model, of one member where it is an ensemble; assembled once for each specification."""
        return _assembled(self)

    @property
    def trained(self) -> TrainingStep:
        """The systems that are trained and predict: those of all members at once, where it is an ensemble."""
        if self.thinned is not None:
            return _thinned(self)
        return self.step if self.members is None else _ensemble(self)

    @property
    def along(self) -> str | None:
        """The axis of the members of an ensemble, or of thinned networks; None for one network."""
        return ensemble_axis(self.step) if self.members or self.thinned else None

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
            "members": self.members,
            "thinned": self.thinned,
        }


def check_learning(owner: str, optimizer: object, regularizer: Any, clipping: object) -> tuple[Regularizer, ...]:
    """The regularizers, given as one, several or None, once everything that changes parameters is known to be in order.

    Raises ChainruleError naming the estimator and the setting, and listing the catalogue.
    """
    given = () if regularizer is None else regularizer
    regularizers = tuple(given) if isinstance(given, list | tuple) else (given,)
    check_instance(owner, "optimizer", optimizer, Optimizer)
    for one in regularizers:
        check_instance(owner, "regularizer", one, Regularizer)
    if clipping is not None:
        check_instance(owner, "clipping", clipping, Clipping)
    return regularizers


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


@lru_cache(maxsize=32)
def _ensemble(specification: Specification) -> TrainingStep:
    assert specification.members is not None
    return ensemble(_assembled(specification), specification.members)


@lru_cache(maxsize=32)
def _thinned(specification: Specification) -> TrainingStep:
    assert specification.thinned is not None
    return thinned(
        _assembled(specification),
        specification.network,
        specification.loss,
        specification.reading,
        specification.thinned,
    )


def output_shape(step: TrainingStep) -> tuple[int, ...]:
    """The sizes of the axes of the network's output after the row.

    Raises ChainruleError where one of them differs from row to row.
    """
    sizes = solve_sizes(step.prediction_system, {}, partial=True)
    along = next((axis for axis in step.output.axes[1:] if axis not in sizes), None)
    if along is not None:
        raise ChainruleError(
            f"the network ends in {step.output}, and rows differ in length along axis {along}; one answer a row is "
            f"wanted: end it with layers that leave no {along}, such as GlobalMaxPool() and Dense"
        )
    return _sizes_of(step, step.output.axes[1:])


def longest_row(network: Layer) -> int | None:
    """How many positions a row may have at most; None where nothing says so."""
    return min((layer.length for layer in layers_within(network) if isinstance(layer, LearnedPositions)), default=None)


def smallest_embedding(network: Layer) -> Embedding | None:
    """The embedding of the fewest symbols; None where there is none."""
    embeddings = (layer for layer in layers_within(network) if isinstance(layer, Embedding))
    return min(embeddings, key=lambda embedding: embedding.vocabulary, default=None)


def check_vocabulary(network: Layer, reader: Reader) -> None:
    """Raise ChainruleError where an embedding has fewer symbols than the texts that the network will read."""
    embedding = smallest_embedding(network)
    if not isinstance(reader, SymbolReader) or embedding is None or embedding.vocabulary >= reader.symbols:
        return
    raise ChainruleError(
        f"{embedding!r} has {embedding.vocabulary:,} symbols, but the texts have {reader.symbols:,} (with padding and "
        f"the unknown one): write Embedding({reader.symbols}, {embedding.units}), or read fewer, as with "
        "reading=Words(most=…)"
    )


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
    made = as_layer(network, "network")
    if any(isinstance(part, Custom) for part in layers_within(made)):
        made, _ = _resolved(made, *reading.compose())
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
