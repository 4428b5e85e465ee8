"""The decoder-only transformer that predicts the next symbol."""

from __future__ import annotations

from chainrule.definition import check_count
from chainrule.initializers import Normal
from chainrule.layers import (
    Dropout,
    Embedding,
    Layer,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    Network,
    PositionwiseDense,
    TransformerBlock,
    Unembedding,
)

# GPT-2 starts its weights as normal numbers of this deviation.
_SMALL = Normal(0.02)


def gpt(
    vocabulary: int,
    length: int,
    layers: int = 4,
    heads: int = 4,
    units: int = 128,
    dropout: float = 0.0,
    tied: bool = True,
) -> Network:
    """From symbols ``x[b,t]`` to logits ``z[b,t,v]`` of the symbol after each.

    Learnt positions, of which there are ``length``; transformer blocks that see no later position, normalized before
    each part; and one normalization more.  ``units``: the size of the embedding, divided among ``heads``; four times
    as many are hidden in each block.  ``tied``: the logits are products with the rows of the embedding; else they have
    weights and biases of their own.
    Source: Radford et al., Language Models are Unsupervised Multitask Learners (GPT-2, 2019), §2.3; tied: Press, Wolf,
    Using the Output Embedding to Improve Language Models (2017).
    """
    count = check_count("gpt", "layers", layers)
    block = TransformerBlock(MultiHeadAttention(heads, causal=True, dropout=dropout), 4 * units, dropout=dropout)
    dropped: tuple[Layer, ...] = (Dropout(dropout),) if dropout else ()
    return Network(
        *(Embedding(vocabulary, units, _SMALL), LearnedPositions(length), *dropped),
        *[block] * count,
        *(LayerNorm(), Unembedding() if tied else PositionwiseDense(vocabulary)),
    )
