"""What members of an ensemble have in common, and what tells them apart where they do.

``Shared`` holds layers whose parameters are the same for all members of an ensemble.  An adapter is a learnt factor for
each feature: before and behind a shared weight it makes of it a weight of the member's own, ``W[i,j]*r[i]*s[j]``,
that differs from the shared one by a matrix of rank one.  ``adapted`` puts adapters around the weights of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chainrule.definition import check_instance
from chainrule.initializers import Constant, Initializer, Zeros
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.convolution import Conv1D, Conv2D, Conv3D
from chainrule.layers.dense import Dense, Linear, PositionwiseDense
from chainrule.layers.layer import Layer
from chainrule.layers.network import Branch, Composite, Network, Sum, layers_within

_ONES = Constant(1.0)
_ZEROS = Zeros()


class Shared(Network):
    """Layers one after another whose parameters the members of an ensemble have in common.

    In one network they are like any others.  Running means, which no gradient changes, stay each member's own.
    """

    source = "Wen, Tran, Ba, BatchEnsemble (2020), §3: the slow weights"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        before = len(under.inputs)
        output = super().compose(under, x)
        under.shared |= {tensor.name for tensor in under.inputs[before:] if tensor.role == "parameter"}
        return output


@dataclass(frozen=True, repr=False)
class Scale(Layer):
    """A learnt factor for each feature of ``x[b,...]``, which starts as ``scale`` says."""

    source = "Wen, Tran, Ba, BatchEnsemble (2020), eq. 5: r"
    equations = "data x[b,...]\nparameter r[...]\na[b,...] = x[b,...]*r[...]"

    scale: Initializer = _ONES

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance(type(self).__name__, "scale", self.scale, Initializer)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"r": self.scale}


@dataclass(frozen=True, repr=False)
class ScaleShift(Layer):
    """A learnt factor and a learnt term for each feature of ``x[b,...]``."""

    source = "Wen, Tran, Ba, BatchEnsemble (2020), eq. 5: s and the bias"
    equations = "data x[b,...]\nparameter s[...], β[...]\na[b,...] = x[b,...]*s[...] + β[...]"

    scale: Initializer = _ONES
    shift: Initializer = _ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("scale", "shift"):
            check_instance(type(self).__name__, name, getattr(self, name), Initializer)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"s": self.scale, "β": self.shift}


@dataclass(frozen=True, repr=False)
class ChannelScale(Scale):
    """A learnt factor for each channel of ``x[b,...,c]``, the same at all positions; without channels, one factor.

    ``places``: how many axes of positions stand between b and the channels.
    """

    family = "scale"
    source = "Wen, Tran, Ba, BatchEnsemble (2020), §3.1: convolutions"
    equations = "data x[...,c]\nparameter r[c]\na[...,c] = x[...,c]*r[c]"

    places: int = 1

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        if len(x.axes) > self.places + 1:
            return super().compose(under, x)
        return _OneScale(self.scale).compose(under, x)


@dataclass(frozen=True, repr=False)
class _OneScale(Scale):
    """A learnt factor of the whole input."""

    family = "scale"
    equations = "data x[...]\nparameter r\na[...] = x[...]*r"


@dataclass(frozen=True, repr=False)
class ChannelScaleShift(ScaleShift):
    """A learnt factor and a learnt term for each channel of ``x[...,c]``, the same at all positions."""

    family = "scaleshift"
    source = "Wen, Tran, Ba, BatchEnsemble (2020), §3.1: convolutions"
    equations = "data x[...,c]\nparameter s[c], β[c]\na[...,c] = x[...,c]*s[c] + β[c]"


def adapted(layer: Layer, before: Initializer, behind: Initializer) -> Layer:
    """The layer with its weights shared, an adapter before them and one behind, which holds the biases.

    A layer that is not adaptable is given back as it is.
    """
    match layer:
        case Linear(units=units, weights=weights):
            biases = layer.biases if isinstance(layer, Dense) else _ZEROS
            return Network(Scale(before), Shared(Linear(units, weights)), ScaleShift(behind, biases))
        case PositionwiseDense(biases=biases):
            shared = Shared(replace(layer, biases=_ZEROS))
            return Network(ChannelScale(before), shared, ChannelScaleShift(behind, biases))
        case Conv1D() | Conv2D() | Conv3D():
            shared = Shared(replace(layer, biases=None))
            biases = _ZEROS if layer.biases is None else layer.biases
            return Network(ChannelScale(before, layer.rank), shared, ChannelScaleShift(behind, biases))
    return layer


def is_adaptable(layer: Layer) -> bool:
    """Whether the layer has weights that ``adapted`` shares."""
    return isinstance(layer, Linear | PositionwiseDense | Conv1D | Conv2D | Conv3D)


def is_shared(layer: Layer) -> bool:
    """Whether the layer, or one within it, is shared."""
    return any(isinstance(part, Shared) for part in layers_within(layer))


def unshared(layer: Layer) -> Layer:
    """The layer with nothing shared: what it is in one network alone."""
    if not isinstance(layer, Composite):
        return layer
    kind = Network if isinstance(layer, Shared) else type(layer)
    return kind(*map(unshared, layer.layers))


def rewritten(layer: Layer, change: Callable[[Layer], Layer]) -> Layer:
    """The layer with every layer within it, which is not made of others, as ``change`` has it; in their order."""
    if isinstance(layer, Sum | Branch):
        return type(layer)(*(rewritten(part, change) for part in layer.layers))
    if isinstance(layer, Composite):
        return type(layer)(*(step for part in layer.layers for step in _steps(part, rewritten(part, change))))
    return change(layer)


def _steps(before: Layer, made: Layer) -> tuple[Layer, ...]:
    """What stands in a sequence for a layer that was made into another, or into several."""
    return made.layers if type(made) is Network and not isinstance(before, Network) else (made,)
