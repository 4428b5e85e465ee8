"""From one sequence of symbols to another: an encoder, and a decoder that attends to what it wrote."""

from __future__ import annotations

from chainrule.definition import check_count
from chainrule.errors import ChainruleError
from chainrule.layers import (
    LSTM,
    Bidirectional,
    Branch,
    CrossAttention,
    DecoderBlock,
    Embedding,
    EncoderDecoder,
    Identity,
    LayerNorm,
    MultiHeadAttention,
    Network,
    PositionwiseDense,
    SinusoidalPositions,
    Tanh,
    TransformerBlock,
)


def seq2seq(vocabulary: int, classes: int, units: int = 128, heads: int = 1) -> Network:
    """LSTMs with attention, from symbols ``x[b,s]`` to logits ``z[b,t,k]`` of the targets ``t[b,t]``.

    The encoder is an LSTM in both directions, with ``units``/2 each; the decoder an LSTM whose states attend to the
    encoder's with ``heads`` heads, and a dense layer and tanh of the two together.  ``vocabulary``: the symbols of x;
    ``classes``: those of the targets.  The decoder reads the target before each; train it with ``MaskedCrossEntropy``.
    Source: Bahdanau, Cho, Bengio, Neural Machine Translation by Jointly Learning to Align and Translate (2015), §3.2
    (the encoder); Luong, Pham, Manning, Effective Approaches to Attention-based Neural Machine Translation (2015),
    eq. 5 (the decoder).
    """
    if check_count("seq2seq", "units", units) % 2:
        raise ChainruleError(f"seq2seq: units must be even, a half for each direction of the encoder, not {units}")
    encoder = Network(Embedding(vocabulary, units), Bidirectional(LSTM(units // 2, states="all")))
    decoder = Network(
        *(Embedding(classes, units), LSTM(units, states="all")),
        *(Branch(CrossAttention(heads), Identity()), PositionwiseDense(units), Tanh()),
        PositionwiseDense(classes),
    )
    return Network(EncoderDecoder(encoder, decoder))


def transformer(
    vocabulary: int, classes: int, layers: int = 2, heads: int = 4, units: int = 128, dropout: float = 0.1
) -> Network:
    """A transformer with encoder and decoder, from symbols ``x[b,s]`` to logits ``z[b,t,k]`` of the targets ``t[b,t]``.

    ``layers`` blocks each, normalized before each part, with ``units`` divided among ``heads`` and four times as many
    hidden.  ``vocabulary``: the symbols of x; ``classes``: those of the targets.  The decoder reads the target before
    each; train it with ``MaskedCrossEntropy``.
    Source: Vaswani et al., Attention Is All You Need (2017), §3; normalized as in Xiong et al. (2020).
    """
    count = check_count("transformer", "layers", layers)
    own = MultiHeadAttention(heads, dropout=dropout)
    encoding = TransformerBlock(own, 4 * units, dropout=dropout)
    earlier = MultiHeadAttention(heads, causal=True, dropout=dropout)
    decoding = DecoderBlock(earlier, CrossAttention(heads, dropout), 4 * units, dropout=dropout)
    encoder = Network(Embedding(vocabulary, units), SinusoidalPositions(), *[encoding] * count, LayerNorm())
    decoder = Network(
        *(Embedding(classes, units), SinusoidalPositions(), *[decoding] * count),
        *(LayerNorm(), PositionwiseDense(classes)),
    )
    return Network(EncoderDecoder(encoder, decoder))
