"""Clipping: equations between the gradients and the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.definition import Definition, symbol
from chainrule.layers.composition import Composition, Tensor
from chainrule.optimizers.optimizer import place_for_each


@dataclass(frozen=True, repr=False)
class Clipping(Definition):
    """From a gradient ``g[...]`` to the ``c[...]`` used in its place; ``N`` is the norm of all gradients."""

    def compose(
        self, under: Composition, pairs: Sequence[tuple[Tensor, Tensor]], norm: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Write the clipped gradients and return (parameter, clipped gradient) pairs."""
        made = place_for_each(under, self, "clip", pairs, {"N": norm})
        return [(parameter, tensors["c"]) for (parameter, _), tensors in zip(pairs, made, strict=True)]


@dataclass(frozen=True, repr=False)
class ClipValue(Clipping):
    """Every element between -``limit`` and ``limit``."""

    source = "Graves, Generating Sequences With Recurrent Neural Networks (2013), §2.1"
    equations = "data g[...], κ\nc[...] = max(-κ, min(κ, g[...]))"

    limit: float = symbol("κ", 1.0, above=0)


# The small number in the norms below is torch's; it keeps a gradient of zeros at zero.


@dataclass(frozen=True, repr=False)
class ClipNorm(Clipping):
    """The gradient of every parameter scaled to a norm of at most ``limit``."""

    source = "Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks (2013), algorithm 1"
    equations = """
    data g[...], κ
    norm = sqrt(sum[...](g[...]^2))
    c[...] = g[...]*min(1, κ/(norm + 1e-6))
    """

    limit: float = symbol("κ", 1.0, above=0)


@dataclass(frozen=True, repr=False)
class ClipGlobalNorm(Clipping):
    """All gradients scaled by one number, so that their norm together is at most ``limit``."""

    source = "Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks (2013), algorithm 1"
    equations = "data g[...], N, κ\nscale = min(1, κ/(N + 1e-6))\nc[...] = g[...]*scale"

    limit: float = symbol("κ", 1.0, above=0)
