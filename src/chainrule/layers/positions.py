"""Where in its row a position is: positional encodings, added to what stands there or turning it.

Positions are counted from 0 along the axis t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_count, check_instance, symbol
from chainrule.equations.node import Number
from chainrule.equations.walk import combine
from chainrule.errors import ChainruleError
from chainrule.initializers import Initializer, Normal
from chainrule.layers.composition import Composition, Tensor, place_definition
from chainrule.layers.layer import Layer

_SMALL = Normal(0.02)


@dataclass(frozen=True, repr=False)
class LearnedPositions(Layer):
    """Adds to ``x[b,t,d]`` numbers that are learnt for each position: ``length`` of them, and t may be shorter.

    Raises ChainruleError where t is longer: at once if its size is known, else when the data come.
    """

    family = "positions"
    source = "Gehring et al., Convolutional Sequence to Sequence Learning (2017), §3.1; Devlin et al., BERT (2019), §3"
    equations = """
    data x[b,t,d]
    parameter P[s,d]
    a[b,t,d] = x[b,t,d] + P[t,d]
    """

    length: int
    weights: Initializer = _SMALL

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("LearnedPositions", "length", self.length)
        check_instance("LearnedPositions", "weights", self.weights, Initializer)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"P": self.weights}

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        if len(x.axes) != 3:
            raise ChainruleError(f"LearnedPositions: x[b,t,d] is wanted, but {x} is given")
        positions = self._relate(under, x.axes[1])
        made = place_definition(
            under, self, under.scope(self.family), {"x": x}, initializers=self.initializers, axes={"s": (positions,)}
        )
        return made["a"]

    def _relate(self, under: Composition, along: str) -> str:
        """The axis of the positions, of which ``along`` has the first.

        A plain read says that two axes have one size unless a relation says otherwise: size(s) = size(t) + what is
        left where the size of t is known, else size(t) = size(s) - size(free) + 1, which no size of the axis ``free``
        solves where t is longer than s.
        """
        size = under.size(along)
        if size is not None and size > self.length:
            raise ChainruleError(f"LearnedPositions: {self.length} positions, but axis {along} has {size}")
        if size is not None:
            positions = under.fresh_axis("s")
            left = self.length - size
            under.sizes[positions] = combine([(1, Number(along))], left) if left else Number(along)
        elif under.sizes.get(along) is None:
            positions = under.fresh_axis("s", self.length)
            free = under.fresh_axis("free")
            under.sizes[free] = None
            under.sizes[along] = combine([(1, Number(positions)), (-1, Number(free))], 1)
        else:
            raise ChainruleError(
                f"LearnedPositions: the size of axis {along} is {under.sizes[along]}, which is known only with the "
                "data; give the input a fixed length, or use SinusoidalPositions"
            )
        return positions


@dataclass(frozen=True, repr=False)
class SinusoidalPositions(Layer):
    """Adds to ``x[b,t,d]`` sines (even d) and cosines (odd d) of the position, from fast to slow."""

    family = "positions"
    source = "Vaswani et al., Attention Is All You Need (2017), §3.5"
    equations = """
    data x[b,t,d], θ
    φ[t,d] = t*exp(-log(θ)*2*(d//2)/size(d))
    p[t,d] = where([d%2 = 0], sin(φ[t,d]), cos(φ[t,d]))
    a[b,t,d] = x[b,t,d] + p[t,d]
    """

    base: float = symbol("θ", 10000.0, above=0)


@dataclass(frozen=True, repr=False)
class RotaryPositions(Layer):
    """Turns each pair of neighbours along d of ``x[b,t,...,d]`` by an angle that grows with the position.

    The product of two rows turned so depends on the distance of their positions only.  It is applied to the queries
    and keys of attention.  Raises ChainruleError where the size of d is odd.
    """

    family = "rotary"
    source = "Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding (2021), eq. 34"
    equations = """
    data x[b,t,...,d], θ
    φ[t,d] = t*exp(-log(θ)*2*(d//2)/size(d))
    c[t,d] = cos(φ[t,d])
    s[t,d] = sin(φ[t,d])
    a[b,t,...,d] = x[b,t,...,d]*c[t,d] + where([d%2 = 0], -x[b,t,...,d+1], x[b,t,...,d-1])*s[t,d]
    """

    base: float = symbol("θ", 10000.0, above=0)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        size = under.size(x.axes[-1])
        if size is not None and size % 2:
            raise ChainruleError(f"RotaryPositions: pairs along {x.axes[-1]} are turned, but {x} has {size} there")
        return super().compose(under, x)
