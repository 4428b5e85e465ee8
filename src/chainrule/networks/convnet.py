"""A small convolutional network: convolutions with pooling between them, and a dense layer."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.definition import check_count
from chainrule.layers import Conv2D, Dense, Dropout, MaxPool2D, Network, ReLU
from chainrule.networks.mlp import check_sizes


def convnet(classes: int, channels: Sequence[int] = (32, 64), hidden: int = 128, dropout: float = 0.5) -> Network:
    """Convolutions of 3×3, each with a rectifier and pooling of 2×2; then a dense layer and the logits.

    From ``x[b,h,w]`` or ``x[b,h,w,c]`` to ``z[b,k]``.  ``channels``: the filters of each convolution; ``hidden``: the
    units of the dense layer; ``dropout``: the share of them, and of what they read, left out in training.
    Source: LeCun et al. (1998), §II; rectifiers, pooling by the maximum and dropout as in Krizhevsky, Sutskever,
    Hinton, ImageNet Classification with Deep Convolutional Neural Networks (2012), §3-4.
    """
    check_count("convnet", "classes", classes)
    check_sizes("convnet", channels, "channels")
    convolutions = [
        layer for filters in channels for layer in (Conv2D(filters, 3, padding="same"), ReLU(), MaxPool2D(2))
    ]
    dropped = (Dropout(dropout),) if dropout else ()
    return Network(*convolutions, *dropped, Dense(hidden), ReLU(), *dropped, Dense(classes))
