"""The U-Net: an image made smaller and larger again, each size joined with itself on the way back."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.definition import check_count
from chainrule.initializers import HeNormal
from chainrule.layers import Branch, Conv2D, ConvTranspose2D, Identity, Layer, MaxPool2D, Network, ReLU
from chainrule.networks.mlp import check_sizes


def unet(classes: int, channels: Sequence[int] = (64, 128, 256, 512, 1024)) -> Network:
    """From images ``x[b,h,w,c]`` (or ``x[b,h,w]``) to logits ``z[b,p,q,k]`` of every pixel.

    ``channels``: the filters at each size of the image, from the largest to the smallest.  Convolutions are padded, so
    that the output has the size of the input, which can best be halved ``len(channels) - 1`` times.
    Source: Ronneberger, Fischer, Brox, U-Net (2015), §2.
    """
    check_count("unet", "classes", classes)
    check_sizes("unet", channels, "channels")
    return Network(*_level(tuple(channels)), Conv2D(classes, 1))


def _level(channels: tuple[int, ...]) -> tuple[Layer, ...]:
    """The layers at one size of the image and, inside, at all smaller ones."""
    here, *smaller = channels
    if not smaller:
        return _convolutions(here)
    below = (MaxPool2D(2), *_level(tuple(smaller)), ConvTranspose2D(here, 2, stride=2))
    return (*_convolutions(here), Branch(Identity(), Network(*below)), *_convolutions(here))


def _convolutions(filters: int) -> tuple[Layer, ...]:
    made = Conv2D(filters, 3, padding=1, weights=HeNormal())
    return (made, ReLU(), made, ReLU())
