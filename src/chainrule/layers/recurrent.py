"""Recurrent layers: the state at a position follows from the state before it and the input there.

The input projection u is an equation of its own, so that it is computed for all positions at once; the gates are an
axis, so that all of them are one product.  The state is 0 before the start of a row and, where rows differ in length,
behind its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from chainrule.definition import check_count, check_instance, definition_system, symbol
from chainrule.equations.node import Access, Apply, Equation, Expression, access, axis, plain_axis
from chainrule.equations.system import System
from chainrule.equations.walk import combine, rebuild, subexpressions
from chainrule.errors import ChainruleError
from chainrule.initializers import ForgetGateOnes, GlorotUniform, Initializer, Orthogonal, Zeros
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.dropout import DropoutPrediction
from chainrule.layers.layer import Layer
from chainrule.layers.network import Branch

_GLOROT = GlorotUniform()
_ORTHOGONAL = Orthogonal()
_ZEROS = Zeros()
_FORGET_GATE = ForgetGateOnes()

States = Literal["last", "all"]


@dataclass(frozen=True, repr=False)
class Recurrent(Layer):
    """A layer along t, the first axis behind b of ``x[b,t,...]``: ``units`` is the size of its state h[b,t,k].

    ``states``: the output is the state after the last position of each row, ``a[b,k]``, or all of them, ``h[b,t,k]``.
    ``weights`` are W, by which the input is multiplied; ``recurrent_weights`` are U, by which the state before is.
    """

    units: int
    states: States = "last"
    weights: Initializer = _GLOROT
    recurrent_weights: Initializer = _ORTHOGONAL

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_count(owner, "units", self.units)
        if self.states not in get_args(States):
            raise ChainruleError(f"{owner}: states must be 'last' or 'all', not {self.states!r}")
        check_instance(owner, "weights", self.weights, Initializer)
        check_instance(owner, "recurrent_weights", self.recurrent_weights, Initializer)

    @property
    def new_sizes(self) -> Mapping[str, tuple[int, ...]]:
        return {"k": (self.units,), "l": (self.units,)}

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        biases = {tensor.name: _ZEROS for tensor in self.system.parameters}
        return biases | {"W": self.weights, "U": self.recurrent_weights}

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        last = "length[b] - 1" if along(self, x) in under.lengths else "size(t) - 1"
        return compose_states(under, self, self.system, x, last)


@dataclass(frozen=True, repr=False)
class RNN(Recurrent):
    """The recurrent network of Elman: one dense layer of the input and the state before it, and tanh.

    From ``x[b,t,...]`` to the last state ``a[b,k]``, or to all states ``h[b,t,k]`` with ``states="all"``.
    """

    source = (
        "Elman, Finding Structure in Time (1990); Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 10.8-10.9"
    )
    equations = """
    data x[b,t,...]
    parameter W[...,k], U[l,k], β[k]
    u[b,t,k] = sum[...](x[b,t,...]*W[...,k]) + β[k]
    z[b,t,k] = u[b,t,k] + sum[l](h[b,t-1,l]*U[l,k])
    h[b,t,k] = tanh(z[b,t,k])
    """


@dataclass(frozen=True, repr=False)
class LSTM(Recurrent):
    """Long short-term memory: a cell c that a forget gate f keeps, an input gate i fills and an output gate o shows.

    From ``x[b,t,...]`` to the last state ``a[b,k]``, or to all states ``h[b,t,k]`` with ``states="all"``.  The forget
    gate's bias starts at 1 (Jozefowicz, Zaremba, Sutskever 2015), so that the cell keeps what it has.
    """

    source = "Hochreiter and Schmidhuber (1997); Gers, Schmidhuber, Cummins, Learning to Forget (2000)"
    equations = """
    axis gate = 4
    data x[b,t,...]
    parameter W[...,gate,k], U[l,gate,k], β[gate,k]
    u[b,t,gate,k] = sum[...](x[b,t,...]*W[...,gate,k]) + β[gate,k]
    z[b,t,gate,k] = u[b,t,gate,k] + sum[l](h[b,t-1,l]*U[l,gate,k])
    i[b,t,k] = sigmoid(z[b,t,0,k])
    f[b,t,k] = sigmoid(z[b,t,1,k])
    g[b,t,k] = tanh(z[b,t,2,k])
    o[b,t,k] = sigmoid(z[b,t,3,k])
    c[b,t,k] = f[b,t,k]*c[b,t-1,k] + i[b,t,k]*g[b,t,k]
    h[b,t,k] = o[b,t,k]*tanh(c[b,t,k])
    """

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {**super().initializers, "β": _FORGET_GATE}


@dataclass(frozen=True, repr=False)
class GRU(Recurrent):
    """The gated recurrent unit: an update gate z between the state before and a new one, n.

    From ``x[b,t,...]`` to the last state ``a[b,k]``, or to all states ``h[b,t,k]`` with ``states="all"``.  The reset
    gate r multiplies the product of the state and U, so that all three gates are one product; γ is the bias inside.
    """

    source = "Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014), §2.3, first version"
    equations = """
    axis gate = 3
    data x[b,t,...]
    parameter W[...,gate,k], U[l,gate,k], β[gate,k], γ[k]
    u[b,t,gate,k] = sum[...](x[b,t,...]*W[...,gate,k]) + β[gate,k]
    v[b,t,gate,k] = sum[l](h[b,t-1,l]*U[l,gate,k])
    r[b,t,k] = sigmoid(u[b,t,0,k] + v[b,t,0,k])
    z[b,t,k] = sigmoid(u[b,t,1,k] + v[b,t,1,k])
    n[b,t,k] = tanh(u[b,t,2,k] + r[b,t,k]*(v[b,t,2,k] + γ[k]))
    h[b,t,k] = (1 - z[b,t,k])*n[b,t,k] + z[b,t,k]*h[b,t-1,k]
    """


@dataclass(frozen=True, repr=False)
class Backward(Layer):
    """A recurrent layer that goes from the end of each row to its start: h[b,t,k] follows from h[b,t+1,l].

    Its last state is that at position 0.
    """

    source = "Schuster and Paliwal, Bidirectional Recurrent Neural Networks (1997), §II.B"

    layer: Recurrent

    def __post_init__(self) -> None:
        super().__post_init__()
        check_recurrent("Backward", self.layer)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        return compose_states(under, self.layer, backwards(self.layer.system), x, "0")


@dataclass(frozen=True, repr=False)
class Bidirectional(Layer):
    """A recurrent layer in both directions, each with its own parameters, one behind the other along the last axis.

    From ``x[b,t,...]`` to the two last states, ``a[b,k]``, or to all states ``a[b,t,k]``, where k is twice as long as
    ``layer.units``.
    """

    source = "Schuster and Paliwal, Bidirectional Recurrent Neural Networks (1997), §II.B"

    layer: Recurrent

    def __post_init__(self) -> None:
        super().__post_init__()
        check_recurrent("Bidirectional", self.layer)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        return Branch(self.layer, Backward(self.layer)).compose(under, x)


@dataclass(frozen=True, repr=False)
class RecurrentDropout(Layer):
    """Dropout with the same mask at all positions t of ``x[b,t,...]``.

    In training, each feature of a row is 0 with probability ``rate`` and divided by 1 - ``rate`` otherwise.
    """

    family: ClassVar[str] = "dropout"
    source = "Gal and Ghahramani, A Theoretically Grounded Application of Dropout in RNNs (2016), §4.2"
    equations = """
    data x[b,t,...], ρ
    random r[b,...] ~ uniform
    a[b,t,...] = x[b,t,...]*[r[b,...] >= ρ]/(1 - ρ)
    """

    rate: float = symbol("ρ", 0.5, low=0, below=1)

    @property
    def predicting(self) -> Layer:
        return DropoutPrediction()

    @property
    def sampling(self) -> Layer:
        return self


def along(layer: Recurrent, x: Tensor) -> str:
    """The axis along which x is a sequence.  Raises ChainruleError where it has none."""
    if len(x.axes) < 2:
        raise ChainruleError(f"{layer!r} reads x[b,t,…], one position t after another; it is given {x}")
    return x.axes[1]


def compose_states(under: Composition, layer: Recurrent, system: System, x: Tensor, last: str) -> Tensor:
    """Write the layer's states, ``system``, and return what its output is; ``last`` is the position of the last one."""
    scope = under.scope(layer.family)
    length = under.lengths.get(along(layer, x))
    lengths = {} if length is None else {"length": length}
    made = under.place(
        system if length is None else within_rows(system),
        scope,
        {"x": x, **lengths},
        sizes=layer.new_sizes,
        initializers=layer.initializers,
    )
    if layer.states == "all":
        return made["h"]
    reads = "" if length is None else "integer length[b]\n"
    definition = definition_system(f"data h[b,t,k]\n{reads}a[b,k] = h[b,{last},k]", type(layer).__name__)
    return under.place(definition, scope, {"h": made["h"], **lengths})["a"]


def backwards(system: System) -> System:
    """The recurrence from the end to the start: what is read at t - 1 is read at t + 1 instead."""
    before, behind = combine([(1, "t")], -1), combine([(1, "t")], 1)

    def turned(node: Any) -> Any:
        return behind if node is before else rebuild(node, turned)

    return replaced(system, {e.name: turned(e.expression) for e in system.equations})


def within_rows(system: System) -> System:
    """The recurrence whose states are 0 behind the end of a row, which has length[b] positions.

    The states are what is read at another position than t.
    """
    carried = {
        node.tensor
        for equation in system.equations
        for node in subexpressions(equation.expression)
        if isinstance(node, Access) and node.tensor in system.by_name and plain_axis(node.indices[1]) is None
    }
    inside = Apply("<", (axis("t"), access("length", ("b",))))
    return replaced(system, {name: inside * system.by_name[name].expression for name in carried})


def replaced(system: System, expressions: Mapping[str, Expression]) -> System:
    """The system with other right-hand sides of the equations named."""
    equations = tuple(Equation(e.name, e.axes, expressions.get(e.name, e.expression)) for e in system.equations)
    return System(equations, system.inputs, system.sizes)


def check_recurrent(owner: str, layer: object) -> None:
    """Raise ChainruleError unless ``layer`` is a recurrent one."""
    if not isinstance(layer, Recurrent):
        known = ", ".join(name for name, made in Layer.catalogue.items() if issubclass(made, Recurrent))
        raise ChainruleError(f"{owner}: layer must be a recurrent layer ({known}), not {layer!r}")
