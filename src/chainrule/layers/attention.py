"""Attention: each position reads others, weighed by how well its query fits their keys.

Queries come from positions t, keys and values from positions s; a row that attends to itself reads them at t'.  The
equations are written once, for one head, for several, an axis h, and for several, m, that share the keys of one h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chainrule.definition import check_count, check_instance, check_number, definition_system, refuse_class
from chainrule.equations.compose import Axes
from chainrule.errors import ChainruleError
from chainrule.initializers import GlorotUniform, Initializer, Zeros
from chainrule.layers.activation import Softmax
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import Layer
from chainrule.layers.positions import RotaryPositions

# {heads} are the axes of the heads of queries, {keys} those of the heads of keys and values.
_QUERIES = """
data x[b,t,i]
parameter Wq[i,{heads}d]
q[b,t,{heads}d] = sum[i](x[b,t,i]*Wq[i,{heads}d])
"""
_KEYS_AND_VALUES = """
data x[b,s,i]
parameter Wk[i,{keys}d], Wv[i,{keys}d]
k[b,s,{keys}d] = sum[i](x[b,s,i]*Wk[i,{keys}d])
v[b,s,{keys}d] = sum[i](x[b,s,i]*Wv[i,{keys}d])
"""
_SCORES = """
data q[b,t,{heads}d], k[b,s,{keys}d]
e[b,{heads}t,s] = sum[d](q[b,t,{heads}d]*k[b,s,{keys}d])/sqrt(size(d))
"""
_MIXTURE = """
data A[b,{heads}t,s], v[b,s,{keys}d]
a[b,t,{heads}d] = sum[s](A[b,{heads}t,s]*v[b,s,{keys}d])
"""
_OUTPUT = """
data a[b,t,{heads}d]
parameter Wo[{heads}d,j], β[j]
z[b,t,j] = sum[{heads}d](a[b,t,{heads}d]*Wo[{heads}d,j]) + β[j]
"""

# Scores of what is not seen are -1e30 in place of -∞: their exponentials are 0, and a row of no positions has numbers.
_EARLIER = """
data e[b,...,t,s]
r[b,...,t,s] = where([s <= t], e[b,...,t,s], -1e30)
"""
_INSIDE = """
data e[b,...,t,s]
integer n[b]
r[b,...,t,s] = where([s < n[b]], e[b,...,t,s], -1e30)
"""

_GLOROT = GlorotUniform()
_ZEROS = Zeros()
_SOFTMAX = Softmax()


@dataclass(frozen=True, repr=False)
class Attention(Layer):
    """Scaled dot-product attention of a row to itself, with one head: from ``x[b,t,i]`` to ``a[b,t,d]``.

    ``units`` is the size of d.  A position sees all of its row or, if ``causal``, itself and those before it.
    """

    source = "Vaswani et al., Attention Is All You Need (2017), eq. 1"

    units: int
    causal: bool = False
    weights: Initializer = _GLOROT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("Attention", "units", self.units)
        check_causal("Attention", self.causal)
        check_instance("Attention", "weights", self.weights, Initializer)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        writing = Writing(under, under.scope(self.family), {"d": (under.fresh_axis("d", self.units),)})
        q, k, v = writing.projections(x, x, self.weights)
        return writing.mixture(writing.weights(q, k, self.causal), v)


@dataclass(frozen=True, repr=False)
class MultiHeadAttention(Layer):
    """Attention of a row to itself with several heads: from ``x[b,t,i]`` to ``z[b,t,j]``, where j is as long as i.

    Each head has size(i)/``heads`` features.  ``key_heads`` heads of keys and values, as many as ``heads`` unless
    said, are shared by equally many of ``heads`` each (grouped queries).  A position sees all of its row or, if
    ``causal``, itself and those before it.  ``positions`` turn queries and keys; ``dropout`` is the probability with
    which a weight is 0 in training.

    Raises ChainruleError where the heads do not divide the features.
    """

    family = "attention"
    source = (
        "Vaswani et al., Attention Is All You Need (2017), §3.2.2; grouped queries: Ainslie et al., GQA (2023), §2.2"
    )

    heads: int
    key_heads: int | None = None
    causal: bool = False
    positions: RotaryPositions | None = None
    dropout: float = 0.0
    weights: Initializer = _GLOROT

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = "MultiHeadAttention"
        check_count(owner, "heads", self.heads)
        if self.key_heads is not None and self.heads % check_count(owner, "key_heads", self.key_heads):
            raise ChainruleError(f"{owner}: key_heads must divide heads; {self.key_heads} does not divide {self.heads}")
        check_causal(owner, self.causal)
        if self.positions is not None and not isinstance(self.positions, RotaryPositions):
            refuse_class(owner, "positions", self.positions, RotaryPositions)
            raise ChainruleError(f"{owner}: positions must be RotaryPositions(…) or None, not {self.positions!r}")
        check_number(owner, "dropout", self.dropout, low=0, below=1)
        check_instance(owner, "weights", self.weights, Initializer)

    @property
    def predicting(self) -> Layer:
        return replace(self, dropout=0.0)

    @property
    def sampling(self) -> Layer:
        return self

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        writing = several_heads(under, self, x, self.heads, self.key_heads or self.heads)
        q, k, v = writing.projections(x, x, self.weights)
        if self.positions is not None:
            q, k = self.positions.compose(under, q), self.positions.compose(under, k)
        weights = writing.dropped(writing.weights(q, k, self.causal), self.dropout)
        return writing.output(writing.mixture(weights, v), self.weights)


@dataclass(frozen=True, repr=False)
class CrossAttention(Layer):
    """Attention with several heads to what an encoder wrote: from ``x[b,t,i]`` to ``z[b,t,j]``, j as long as i.

    It stands in the decoder of an ``EncoderDecoder``, whose encoder's output ``c[b,s,o]`` has the keys and values.
    ``dropout`` is the probability with which a weight is 0 in training.

    Raises ChainruleError where there is no encoder, and where the heads do not divide the features.
    """

    family = "attention"
    source = "Vaswani et al., Attention Is All You Need (2017), §3.2.3"

    heads: int
    dropout: float = 0.0
    weights: Initializer = _GLOROT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("CrossAttention", "heads", self.heads)
        check_number("CrossAttention", "dropout", self.dropout, low=0, below=1)
        check_instance("CrossAttention", "weights", self.weights, Initializer)

    @property
    def predicting(self) -> Layer:
        return replace(self, dropout=0.0)

    @property
    def sampling(self) -> Layer:
        return self

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        if under.context is None:
            raise ChainruleError(
                "CrossAttention reads what an encoder wrote; put it into the decoder of an EncoderDecoder"
            )
        writing = several_heads(under, self, x, self.heads, self.heads)
        q, k, v = writing.projections(x, under.context, self.weights)
        weights = writing.dropped(writing.weights(q, k, causal=False), self.dropout)
        return writing.output(writing.mixture(weights, v), self.weights)


@dataclass(frozen=True)
class Writing:
    """One attention layer being written: where, and the axes of its heads by their letters in the texts."""

    under: Composition
    scope: str
    axes: Mapping[str, Axes]

    def place(self, text: str, reads: Mapping[str, Tensor], **initializers: Initializer) -> dict[str, Tensor]:
        """Write one of the texts above."""
        keys = "".join(f"{letter}," for letter in "h" if letter in self.axes)
        heads = "".join(f"{letter}," for letter in "hm" if letter in self.axes)
        definition = definition_system(text.format(heads=heads, keys=keys), "attention")
        return self.under.place(definition, self.scope, reads, axes=self.axes, initializers=initializers)

    def projections(self, x: Tensor, context: Tensor, weights: Initializer) -> tuple[Tensor, Tensor, Tensor]:
        """The queries of x, and the keys and values of what it attends to."""
        queries = self.place(_QUERIES, {"x": x}, Wq=weights)
        made = self.place(_KEYS_AND_VALUES, {"x": context}, Wk=weights, Wv=weights)
        return queries["q"], made["k"], made["v"]

    def weights(self, q: Tensor, k: Tensor, causal: bool) -> Tensor:
        """The weight of each position s for each t: the softmax of the scores of those that are seen.

        Causal weights need no lengths: what is behind the end of a row is seen only from there.
        """
        scores = self.place(_SCORES, {"q": q, "k": other_positions(k, q.axes[1])})["e"]
        length = self.under.lengths.get(k.axes[1])
        if causal:
            scores = self.place(_EARLIER, {"e": scores})["r"]
        elif length is not None:
            scores = self.place(_INSIDE, {"e": scores, "n": length})["r"]
        made = self.under.place(_SOFTMAX.system, self.scope, {"x": scores}, names={"a": f"{self.scope}.A"})
        return made["a"]

    def dropped(self, weights: Tensor, rate: float) -> Tensor:
        """The weights after dropout."""
        return Dropout(rate).compose(self.under, weights) if rate else weights

    def mixture(self, weights: Tensor, v: Tensor) -> Tensor:
        """The values, weighed."""
        return self.place(_MIXTURE, {"A": weights, "v": other_positions(v, weights.axes[-2])})["a"]

    def output(self, mixture: Tensor, weights: Initializer) -> Tensor:
        """The heads, each projected, and summed."""
        return self.place(_OUTPUT, {"a": mixture}, Wo=weights, β=_ZEROS)["z"]


def several_heads(under: Composition, layer: Layer, x: Tensor, heads: int, key_heads: int) -> Writing:
    """Where a layer of so many heads is written.  Raises ChainruleError unless they divide the features of x."""
    owner, features = type(layer).__name__, under.size(x.axes[-1])
    if features is None:
        raise ChainruleError(f"{owner}: the size of axis {x.axes[-1]} of {x} must be known before the data are")
    if features % heads:
        raise ChainruleError(f"{owner}: {heads} heads do not divide the {features} features of {x}")
    scope = under.scope(layer.family)
    axes = {"h": (under.fresh_axis("h", key_heads),)}
    if key_heads < heads:
        axes["m"] = (under.fresh_axis("m", heads // key_heads),)
    axes |= {"d": (under.fresh_axis("d", features // heads),), "j": (under.fresh_axis("j", features),)}
    return Writing(under, scope, axes)


def other_positions(keys: Tensor, t: str) -> Tensor:
    """Keys or values, read at positions of their own where they come from the row itself: k[b,t',d]."""
    return Tensor(keys.name, tuple(f"{axis}'" if axis == t else axis for axis in keys.axes))


def check_causal(owner: str, causal: object) -> None:
    """Raise ChainruleError unless ``causal`` is true or false."""
    if not isinstance(causal, bool):
        raise ChainruleError(f"{owner}: causal must be True or False, not {causal!r}")
