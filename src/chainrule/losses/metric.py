"""Losses for embeddings: rows of what belongs together and what does not, and distances between them.

The output has an axis for the members of a row, ``s[b,p,k]``, and the embedding along the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chainrule.definition import symbol
from chainrule.equations.node import Number
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor
from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class _Metric(Loss):
    """A loss of ``s[b,p,k]`` with given members along p.  Raises ChainruleError where the output has others."""

    members: ClassVar[tuple[str, ...]] = ()

    def compose(self, under: Composition, output: Tensor) -> Tensor:
        name, count = type(self).__name__, len(self.members)
        if len(output.axes) != 3:
            raise ChainruleError(f"{name}: the output of a row is wanted as s[b,p,k], not {output}")
        size = under.sizes.get(output.axes[1])
        if isinstance(size, Number) and size.value != count:
            raise ChainruleError(
                f"{name}: a row has {count} members ({', '.join(self.members)}), but axis {output.axes[1]} of {output} "
                f"has size {size.value}"
            )
        return super().compose(under, output)


@dataclass(frozen=True, repr=False)
class Contrastive(_Metric):
    """Pairs at distance 0 if they are alike (``y[b]`` = 0), at least ``margin`` apart if not (``y[b]`` = 1)."""

    task = "binary"
    source = "Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping (2006), eq. 4"
    members = ("the one", "the other")
    # Equal embeddings have no direction in which to part: below 1e-12, the distance is constant.
    equations = """
    axis p = 2
    data s[b,p,k], y[b], μ
    d2[b] = sum[k]((s[b,0,k] - s[b,1,k])^2)
    d[b] = sqrt(max(d2[b], 1e-24))
    L[b] = ((1 - y[b])*d2[b] + y[b]*relu(μ - d[b])^2)/2
    """

    margin: float = symbol("μ", 1.0, above=0)


@dataclass(frozen=True, repr=False)
class Triplet(_Metric):
    """The positive nearer to the anchor than the negative is, by at least ``margin`` in squared distance."""

    source = "Schroff, Kalenichenko, Philbin, FaceNet (2015), §3.1"
    members = ("anchor", "positive", "negative")
    equations = """
    axis p = 3
    data s[b,p,k], μ
    d[b,p] = sum[k]((s[b,0,k] - s[b,p,k])^2)
    L[b] = relu(d[b,1] - d[b,2] + μ)
    """

    margin: float = symbol("μ", 0.2, above=0)


@dataclass(frozen=True, repr=False)
class NTXent(_Metric):
    """Two views of each example: each should be most like the other one of all the views in the minibatch.

    Likeness is the cosine between embeddings, divided by ``temperature``.
    """

    source = "Chen et al., A Simple Framework for Contrastive Learning of Visual Representations (2020), eq. 1"
    members = ("one view", "the other")
    equations = """
    axis p = 2
    data s[b,p,k], τ
    u[b,p,k] = s[b,p,k]*rsqrt(max(sum[k'](s[b,p,k']^2), 1e-24))
    g[b,p,b',p'] = where([b' = b]*[p' = p], -1e30, sum[k](u[b,p,k]*u[b',p',k])/τ)
    L[b] = sum[p](logsumexp[b',p'](g[b,p,b',p']) - g[b,p,b,1-p])/2
    """

    temperature: float = symbol("τ", 0.5, above=0)
