"""A classifier of sequences of symbols by the last state of an LSTM."""

from __future__ import annotations

from chainrule.definition import check_count
from chainrule.layers import LSTM, Dense, Dropout, Embedding, Layer, Network


def lstm_classifier(
    vocabulary: int, classes: int, units: int = 128, layers: int = 1, embedding: int = 100, dropout: float = 0.0
) -> Network:
    """From symbols ``x[b,t]`` to logits ``z[b,k]``: an embedding, LSTMs one above the other, a dense layer.

    ``vocabulary``: the number of symbols; ``embedding``: the numbers that stand for each; ``units``: the size of the
    states; ``dropout``: the share of states left out, in training, before each layer above.
    Source: Graves, Supervised Sequence Labelling with Recurrent Neural Networks (2012), §4; Dai, Le, Semi-supervised
    Sequence Learning (2015), §2.
    """
    check_count("lstm_classifier", "vocabulary", vocabulary)
    check_count("lstm_classifier", "classes", classes)
    count = check_count("lstm_classifier", "layers", layers)
    dropped: tuple[Layer, ...] = (Dropout(dropout),) if dropout else ()
    below = [layer for _ in range(count - 1) for layer in (LSTM(units, states="all"), *dropped)]
    return Network(Embedding(vocabulary, embedding), *below, LSTM(units), *dropped, Dense(classes))
