"""Autoencoders: networks that give their input back through few numbers."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.definition import check_count, check_instance
from chainrule.errors import ChainruleError
from chainrule.layers import Conv2D, ConvTranspose2D, Dense, Layer, Network, ReLU
from chainrule.networks.mlp import check_sizes

_RELU = ReLU()


def autoencoder(sizes: Sequence[int], activation: Layer = _RELU) -> Network:
    """Dense layers to a code and back: ``autoencoder((784, 128, 32))``, from ``x[b,i]`` to ``z[b,k]`` of its size.

    ``sizes``: of the input, of the hidden layers, and of the code, the middle layer, which has no activation.  The
    target is the input.
    Source: Hinton, Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks (2006).
    """
    check_sizes("autoencoder", sizes)
    check_instance("autoencoder", "activation", activation, Layer)
    if len(sizes) < 2:
        raise ChainruleError(f"autoencoder: sizes are at least those of the input and of the code, not {sizes!r}")
    given, *hidden, code = sizes
    encoder = [layer for units in hidden for layer in (Dense(units), activation)]
    decoder = [layer for units in reversed(hidden) for layer in (Dense(units), activation)]
    return Network(*encoder, Dense(code), *decoder, Dense(given))


def convolutional_autoencoder(image_channels: int, channels: Sequence[int] = (16, 32)) -> Network:
    """Convolutions of 3×3 that halve an image again and again, and transposed ones that double it.

    From ``x[b,h,w,c]`` to ``z[b,p,q,o]``, of the same size where h and w can be halved ``len(channels)`` times.
    ``image_channels``: the size of c; ``channels``: the filters of each convolution, the last those of the code.  The
    target is the input.
    Source: Masci et al., Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction (2011).
    """
    check_count("convolutional_autoencoder", "image_channels", image_channels)
    check_sizes("convolutional_autoencoder", channels, "channels")
    encoder = [layer for filters in channels for layer in (Conv2D(filters, 3, stride=2, padding=1), _RELU)]
    decoder = [layer for filters in reversed(channels[:-1]) for layer in (_doubling(filters), _RELU)]
    return Network(*encoder, *decoder, _doubling(image_channels))


def _doubling(filters: int) -> Layer:
    return ConvTranspose2D(filters, 3, stride=2, padding=1, output_padding=1)
