"""The dense layer: every output is a weighted sum of all features of the input, or of those of its own position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_count, check_instance
from chainrule.errors import ChainruleError
from chainrule.initializers import GlorotUniform, Initializer, Zeros
from chainrule.layers.layer import Layer

_GLOROT = GlorotUniform()
_ZEROS = Zeros()


@dataclass(frozen=True, repr=False)
class Linear(Layer):
    """A weighted sum without bias, from ``x[b,...]`` to ``z[b,j]``; ``units`` is the size of j.

    All axes of the input but b are summed over: nothing needs to be flattened first.  Several units make several
    axes: ``Linear((4, 2))`` gives ``z[b,j,k]``.
    """

    source = "Rosenblatt, The Perceptron (1958); Nielsen (2015), eq. 25"
    equations = """
    data x[b,...]
    parameter W[...,j]
    z[b,j] = sum[...](x[b,...]*W[...,j])
    """

    units: int | tuple[int, ...]
    weights: Initializer = _GLOROT

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        if isinstance(self.units, tuple | list):
            if not self.units:
                raise ChainruleError(f"{owner}: units must name at least one size")
            units: int | tuple[int, ...] = tuple(check_count(owner, "units", size) for size in self.units)
        else:
            units = check_count(owner, "units", self.units)
        object.__setattr__(self, "units", units)
        check_instance(owner, "weights", self.weights, Initializer)

    @property
    def new_sizes(self) -> Mapping[str, tuple[int, ...]]:
        return {"j": (self.units,) if isinstance(self.units, int) else self.units}

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"W": self.weights}


@dataclass(frozen=True, repr=False)
class Dense(Linear):
    """A weighted sum of all features and a bias, from ``x[b,...]`` to ``z[b,j]``; ``units`` is the size of j.

    All axes of the input but b are summed over: nothing needs to be flattened first.  Several units make several
    axes: ``Dense((4, 2))`` gives ``z[b,j,k]``.
    """

    source = "Rosenblatt, The Perceptron (1958); Nielsen (2015), eq. 25"
    equations = """
    data x[b,...]
    parameter W[...,j], β[j]
    z[b,j] = sum[...](x[b,...]*W[...,j]) + β[j]
    """

    biases: Initializer = _ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance(type(self).__name__, "biases", self.biases, Initializer)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"W": self.weights, "β": self.biases}


@dataclass(frozen=True, repr=False)
class PositionwiseDense(Layer):
    """The same dense layer at every position: from ``x[...,i]`` to ``z[...,j]``; ``units`` is the size of j.

    Only the last axis of the input is summed over; ``...`` are the rows b and their positions.
    """

    family = "dense"
    source = "Vaswani et al., Attention Is All You Need (2017), §3.3; Lin, Chen, Yan, Network In Network (2014), §3.1"
    equations = """
    data x[...,i]
    parameter W[i,j], β[j]
    z[...,j] = sum[i](x[...,i]*W[i,j]) + β[j]
    """

    units: int
    weights: Initializer = _GLOROT
    biases: Initializer = _ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("PositionwiseDense", "units", self.units)
        check_instance("PositionwiseDense", "weights", self.weights, Initializer)
        check_instance("PositionwiseDense", "biases", self.biases, Initializer)

    @property
    def new_sizes(self) -> Mapping[str, tuple[int, ...]]:
        return {"j": (self.units,)}

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"W": self.weights, "β": self.biases}
