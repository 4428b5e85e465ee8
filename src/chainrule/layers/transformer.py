"""Transformers: attention and a dense network at every position, each added to what it reads; encoders and decoders.

The parts are layers like all others; here is only how they stand together.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import check_count, check_instance, check_number
from chainrule.errors import ChainruleError
from chainrule.layers.activation import GELU
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.dense import PositionwiseDense
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import Layer
from chainrule.layers.network import Network, Residual
from chainrule.layers.normalization import LayerNorm

_GELU = GELU()
_LAYER_NORM = LayerNorm()


@dataclass(frozen=True, repr=False)
class FeedForward(Layer):
    """Two dense layers at every position with an activation between: from ``x[...,i]`` to ``z[...,j]``, j as long as i.

    ``hidden`` is the number of units between.  Raises ChainruleError where the size of i is known only with the data.
    """

    source = "Vaswani et al., Attention Is All You Need (2017), eq. 2"

    hidden: int
    activation: Layer = _GELU

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("FeedForward", "hidden", self.hidden)
        check_instance("FeedForward", "activation", self.activation, Layer)

    @property
    def predicting(self) -> Layer:
        return FeedForward(self.hidden, self.activation.predicting)

    @property
    def sampling(self) -> Layer:
        return FeedForward(self.hidden, self.activation.sampling)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        features = under.size(x.axes[-1])
        if features is None:
            raise ChainruleError(f"FeedForward: the size of axis {x.axes[-1]} of {x} must be known before the data are")
        return Network(PositionwiseDense(self.hidden), self.activation, PositionwiseDense(features)).compose(under, x)


@dataclass(frozen=True, repr=False, kw_only=True)
class _Block(Layer):
    """Sublayers one after another, each added to its input."""

    dropout: float = 0.0
    activation: Layer = _GELU
    normalization: Layer = _LAYER_NORM

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_number(owner, "dropout", self.dropout, low=0, below=1)
        check_instance(owner, "activation", self.activation, Layer)
        check_instance(owner, "normalization", self.normalization, Layer)

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        """What is added to its input, in this order."""
        raise NotImplementedError

    @property
    def network(self) -> Network:
        """The block as a network: what each sublayer makes of its input, normalized, is added to the input."""
        return Network(*(Residual(self.normalization, *self.dropped(layer)) for layer in self.sublayers))

    @property
    def predicting(self) -> Layer:
        return self.network.predicting

    @property
    def sampling(self) -> Layer:
        return self.network.sampling

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        return self.network.compose(under, x)

    def dropped(self, layer: Layer) -> tuple[Layer, ...]:
        """A sublayer, and dropout behind it where there is some."""
        return (layer, Dropout(self.dropout)) if self.dropout else (layer,)


@dataclass(frozen=True, repr=False)
class TransformerBlock(_Block):
    """Attention and a feed-forward network, each of its normalized input and added to it.

    From ``x[b,t,i]`` to the same axes.  ``attention``: the layer that lets positions read each other,
    ``MultiHeadAttention(8)``.  ``hidden``: the units of the feed-forward network between its two dense layers;
    ``activation``: what stands there.  ``dropout``: the probability with which an element that is added is 0 in
    training.  Behind the last of such blocks stands one more normalization.
    """

    source = "Xiong et al., On Layer Normalization in the Transformer Architecture (2020), table 1, Pre-LN"

    attention: Layer
    hidden: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance(type(self).__name__, "attention", self.attention, Layer)
        check_count(type(self).__name__, "hidden", self.hidden)

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return self.attention, FeedForward(self.hidden, self.activation)


class PostNormTransformerBlock(TransformerBlock):
    """Attention and a feed-forward network, each added to its input, and the sum normalized.

    From ``x[b,t,i]`` to the same axes.  The arguments are those of ``TransformerBlock``.
    """

    source = "Vaswani et al., Attention Is All You Need (2017), §3.1"

    @property
    def network(self) -> Network:
        """The block as a network: what each sublayer makes of its input is added to it, and the sum is normalized."""
        steps = ((Residual(*self.dropped(layer)), self.normalization) for layer in self.sublayers)
        return Network(*(layer for step in steps for layer in step))


@dataclass(frozen=True, repr=False)
class DecoderBlock(_Block):
    """A transformer block that also attends to what an encoder wrote: from ``x[b,t,i]`` to the same axes.

    ``attention`` is that of a row to itself, ``MultiHeadAttention(8, causal=True)``, ``cross_attention`` that to the
    encoder's output, ``CrossAttention(8)``; the other arguments are those of ``TransformerBlock``.
    """

    source = "Vaswani et al., Attention Is All You Need (2017), §3.1; normalized as in Xiong et al. (2020), Pre-LN"

    attention: Layer
    cross_attention: Layer
    hidden: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance("DecoderBlock", "attention", self.attention, Layer)
        check_instance("DecoderBlock", "cross_attention", self.cross_attention, Layer)
        check_count("DecoderBlock", "hidden", self.hidden)

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return self.attention, self.cross_attention, FeedForward(self.hidden, self.activation)


@dataclass(frozen=True, repr=False)
class EncoderDecoder(Layer):
    """From one sequence to another: ``encoder`` reads x, ``decoder`` the targets so far, and attends to the encoder.

    The encoder goes from ``x[b,...]`` to ``c[b,s,i]``, which every ``CrossAttention`` of the decoder reads.  The
    decoder goes from the symbols ``y[b,t]`` to the logits of ``t[b,t]``, where y[b,t] is the target before, t[b,t-1],
    and 0, the symbol that starts a row, for the first.
    """

    family = "decoder"
    source = "Sutskever, Vinyals, Le, Sequence to Sequence Learning (2014); Vaswani et al. (2017), §3.1"
    equations = """
    integer t[b,t]
    y[b,t] = t[b,t-1]
    """

    encoder: Layer
    decoder: Layer

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance("EncoderDecoder", "encoder", self.encoder, Layer)
        check_instance("EncoderDecoder", "decoder", self.decoder, Layer)

    @property
    def predicting(self) -> Layer:
        return EncoderDecoder(self.encoder.predicting, self.decoder.predicting)

    @property
    def sampling(self) -> Layer:
        return EncoderDecoder(self.encoder.sampling, self.decoder.sampling)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        context = self.encoder.compose(under, x)
        if len(context.axes) != 3:
            raise ChainruleError(f"EncoderDecoder: the encoder must give c[b,s,i], all its positions, not {context}")
        scope = under.scope(self.family)
        previous = under.place(self.system, scope, {}, names={"t": "t"}, axes={"b": ("b",)})["y"]
        outside, under.context = under.context, context
        decoded = self.decoder.compose(under, previous)
        under.context = outside
        return decoded
