"""Residual networks of basic blocks."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.definition import check_count
from chainrule.errors import ChainruleError
from chainrule.initializers import HeNormal
from chainrule.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    GlobalAvgPool,
    Layer,
    MaxPool2D,
    Network,
    ReLU,
    Residual,
    Sum,
)
from chainrule.networks.mlp import check_sizes

# Depth → the number of basic blocks in each stage (He et al. 2016, table 1).
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def resnet(
    classes: int, depth: int = 18, widths: Sequence[int] = (64, 128, 256, 512), small_images: bool = False
) -> Network:
    """ResNet-18 or -34, from images ``x[b,h,w,c]`` to logits ``z[b,k]``.

    ``widths``: the channels of each of the four stages.  ``small_images``: for images of about 32×32, the first
    convolution has a window of 3×3 and keeps their size, and nothing is pooled after it.  ResNet-18 for 1,000 classes
    has 11,689,512 parameters.
    Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition (2016), table 1; shortcuts B.
    """
    if depth not in BLOCKS:
        raise ChainruleError(f"resnet: depth must be one of {', '.join(map(str, BLOCKS))}, not {depth!r}")
    check_count("resnet", "classes", classes)
    check_sizes("resnet", widths, "widths")
    if len(widths) != 4:
        raise ChainruleError(f"resnet: there are four stages, each with its width; {len(widths)} widths are given")
    first = _convolution(widths[0], 3) if small_images else _convolution(widths[0], 7, stride=2)
    pooled = () if small_images else (MaxPool2D(3, stride=2, padding=1),)
    layers: list[Layer] = [*first, ReLU(), *pooled]
    before = widths[0]
    for stage, (count, width) in enumerate(zip(BLOCKS[depth], widths, strict=True)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            layers += [basic_block(width, stride, widened=stride > 1 or width != before), ReLU()]
            before = width
    return Network(*layers, GlobalAvgPool(), Dense(classes))


def basic_block(width: int, stride: int, widened: bool) -> Layer:
    """Two convolutions of 3×3, added to their input or, where that has another shape, to a projection of it."""
    inner = (*_convolution(width, 3, stride), ReLU(), *_convolution(width, 3))
    return Sum(Network(*inner), Network(*_convolution(width, 1, stride))) if widened else Residual(*inner)


def _convolution(width: int, kernel: int, stride: int = 1) -> tuple[Layer, Layer]:
    """A convolution and the normalization that follows it, which makes biases of its own superfluous."""
    made = Conv2D(width, kernel, stride, padding=kernel // 2, weights=HeNormal(), biases=None)
    return made, BatchNorm()
