"""Workloads that read images and predict their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal

import numpy as np

from benchmarks.speed.workloads import Array, Workload


@dataclass(frozen=True)
class Product:
    """A convolution with weights [u, v, c, o], at so many positions of each image.

    A dense layer is one whose window is all that it reads, at one position.
    """

    weights: tuple[int, int, int, int]
    positions: int = 1

    @property
    def multiply_adds(self) -> int:
        return prod(self.weights) * self.positions


@dataclass(frozen=True)
class Block:
    """A basic block of a residual network, from ``before`` channels to ``width``."""

    before: int
    width: int
    stride: int

    @property
    def projected(self) -> bool:
        """Whether what it adds to is a projection of its input."""
        return self.stride > 1 or self.before != self.width


def blocks(widths: Sequence[int]) -> list[Block]:
    """ResNet-18: two basic blocks for each width."""
    found, before = [], widths[0]
    for stage, width in enumerate(widths):
        found += [Block(before, width, 2 if stage else 1), Block(width, width, 1)]
        before = width
    return found


@dataclass(frozen=True)
class Images(Workload):
    """``sizes``: the side of the square images, their channels, the widths of the network, the classes.

    ``family``: LeNet-5 as it is used today, with the widths of the paper; convolutions of 3×3 without padding, each
    with a rectifier, then pooling of 2×2 and a dense layer, whose units are the last of the widths; or ResNet-18 as
    for small images, with a width for each stage.
    """

    family: Literal["lenet", "convnet", "resnet"] = "convnet"
    activation: Literal["relu"] = "relu"  # type: ignore[assignment]

    @property
    def side(self) -> int:
        return self.sizes[0]

    @property
    def channels(self) -> int:
        return self.sizes[1]

    @property
    def widths(self) -> tuple[int, ...]:
        return self.sizes[2:-1]

    @property
    def classes(self) -> int:
        return self.sizes[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """[h, w] of an image, or [h, w, c] where it has several channels."""
        return (self.side, self.side, self.channels)[: 2 if self.channels == 1 else 3]

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """Every product, in the order of the network; in a block, the projection stands behind both convolutions."""
        return {"lenet": self._lenet, "convnet": self._convnet, "resnet": self._resnet}[self.family]()

    def _lenet(self) -> tuple[Product, ...]:
        after = self.side // 2  # behind the first pooling; the convolution before it is padded
        last = (after - 4) // 2
        one, two, *hidden = self.widths
        return (
            Product((5, 5, self.channels, one), self.side**2),
            Product((5, 5, one, two), (after - 4) ** 2),
            *_dense((last, last, two), (*hidden, self.classes)),
        )

    def _convnet(self) -> tuple[Product, ...]:
        found, side, before = [], self.side, self.channels
        for width in self.widths[:-1]:
            side -= 2
            found.append(Product((3, 3, before, width), side**2))
            before = width
        return (*found, *_dense((side // 2, side // 2, before), (self.widths[-1], self.classes)))

    def _resnet(self) -> tuple[Product, ...]:
        side = self.side
        found = [Product((3, 3, self.channels, self.widths[0]), side**2)]
        for block in blocks(self.widths):
            side = -(-side // block.stride)
            found += [Product((3, 3, before, block.width), side**2) for before in (block.before, block.width)]
            found += [Product((1, 1, block.before, block.width), side**2)] if block.projected else []
        return (*found, *_dense((1, 1, self.widths[-1]), (self.classes,)))

    @property
    def operations(self) -> float:
        """Two for each multiply-add of the products, forward and backward (see ``Workload.operations``).

        Those with the zeros of a padding are counted.
        """
        forward = sum(product.multiply_adds for product in self.products)
        return 2.0 * self.batch * (3 * forward - self.products[0].multiply_adds)

    @cached_property
    def data(self) -> tuple[Array, Array]:
        """Images [r, h, w] or [r, h, w, c] in 0 … 1 and their classes [r], made by a linear teacher."""
        generator = np.random.default_rng(0)
        X = generator.random((self.rows, *self.shape), dtype=np.float32)
        teacher = generator.normal(size=(prod(self.shape), self.classes)).astype(np.float32)
        return X.astype(self.dtype), ((X - 0.5).reshape(self.rows, -1) @ teacher).argmax(axis=1)

    @cached_property
    def weights(self) -> list[Array]:  # type: ignore[override]
        """First weights [u, v, c, o] of every product (He's normal ones); biases start at 0, scales at 1."""
        generator = np.random.default_rng(1)
        return [
            generator.normal(0, np.sqrt(2 / prod(product.weights[:3])), product.weights).astype(self.dtype)
            for product in self.products
        ]

    @staticmethod
    def read(fields: Mapping[str, Any]) -> Images:
        return Images(**{**fields, "sizes": tuple(fields["sizes"])})


def _dense(read: tuple[int, int, int], units: Sequence[int]) -> list[Product]:
    """Dense layers, the first of which reads [h, w, c]."""
    found = []
    for count in units:
        found.append(Product((*read, count)))
        read = (1, 1, count)
    return found


LENET = "LeNet-5 on 28×28, batch 32, Adam"
CONVNET = "conv 32-64, dense 128 on 28×28, batch 64, Adam"
RESNET = "ResNet-18 on 32×32×3, batch 32, Adam"

IMAGES = (
    Images(LENET, (28, 1, 6, 16, 120, 84, 10), 32, family="lenet", quick=True),
    Images(CONVNET, (28, 1, 32, 64, 128, 10), 64, quick=True),
    Images(RESNET, (32, 3, 64, 128, 256, 512, 10), 32, family="resnet", rows=2_048),
)
