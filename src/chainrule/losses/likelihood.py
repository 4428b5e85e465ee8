"""Losses that are minus the logarithm of a probability (up to constants): the network predicts a whole distribution.

Distributions with two parameters read both from a last axis of size 2: ``Dense((targets, 2))``.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class Poisson(Loss):
    """Counts ``y[b,...]``; the output is the logarithm of their rate."""

    source = "Nelder and Wedderburn, Generalized Linear Models (1972)"
    prediction = "data s[b,...]\nμ[b,...] = exp(s[b,...])"
    equations = """
    data s[b,...], y[b,...]
    L[b] = sum[...](exp(s[b,...]) - y[b,...]*s[b,...])/size(...)
    """


@dataclass(frozen=True, repr=False)
class _TwoHeads(Loss):
    """A location and the logarithm of a scale for each target."""

    def units(self, targets: int) -> tuple[int, ...]:
        return (targets, 2)


@dataclass(frozen=True, repr=False)
class Gaussian(_TwoHeads):
    """A normal distribution for each target: mean s[b,...,0], logarithm of the variance s[b,...,1]."""

    source = "Nix and Weigend, Estimating the mean and variance of the target probability distribution (1994)"
    prediction = "data s[b,...,h]\nμ[b,...] = s[b,...,0]"
    equations = """
    data s[b,...,h], y[b,...]
    L[b] = sum[...](s[b,...,1] + (y[b,...] - s[b,...,0])^2*exp(-s[b,...,1]))/(2*size(...))
    """


@dataclass(frozen=True, repr=False)
class Laplace(_TwoHeads):
    """A Laplace distribution for each target: median s[b,...,0], logarithm of the scale s[b,...,1]."""

    source = "Kotz, Kozubowski, Podgórski, The Laplace Distribution and Generalizations (2001), §2.1"
    prediction = "data s[b,...,h]\nμ[b,...] = s[b,...,0]"
    equations = """
    data s[b,...,h], y[b,...]
    L[b] = sum[...](s[b,...,1] + abs(y[b,...] - s[b,...,0])*exp(-s[b,...,1]))/size(...)
    """
