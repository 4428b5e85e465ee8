"""Likelihoods of counts: L[b] is minus the logarithm of the probability of y[b,...] = 0, 1, 2, …, a mean over targets.

The network's output is the logarithm of how many times the mean count is expected; ``mean_counts`` are the means of the
targets (one, or one for each), from which the last layer then starts however large counts are.  ``Regressor`` finds
them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainrule.definition import check_number, plain
from chainrule.losses.gamma import AXES, log_rising_factorial
from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class CountLoss(Loss):
    """A loss of counts.  Raises ChainruleError for a mean count that is not above 0."""

    mean_counts: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        given = plain(self.mean_counts)
        object.__setattr__(self, "mean_counts", given if isinstance(given, tuple) else (given,))
        if not self.mean_counts:
            check_number(type(self).__name__, "mean_counts", None, above=0)
        for mean in self.mean_counts:
            check_number(type(self).__name__, "every mean count", mean, above=0)
        super().__post_init__()

    @property
    def vectors(self) -> dict[str, tuple[float, ...]]:
        # Where the network starts needs no more digits, and they would be read.
        return {"m": tuple(round(math.log(mean), 6) for mean in self.mean_counts)}


@dataclass(frozen=True, repr=False)
class Poisson(CountLoss):
    """A Poisson distribution for each target: the logarithm of its rate is s[b,...] and that of the mean count, m.

    L[b] is minus the logarithm of ``scipy.stats.poisson(μ)``'s mass, averaged over targets.
    """

    source = "Nelder and Wedderburn, Generalized Linear Models (1972)"
    assumption = "a Poisson distribution whose rate depends on the input"
    distribution = "Poisson"
    parameters = ("μ",)
    prediction = "data s[b,...], m[...]\nμ[b,...] = exp(s[b,...] + m[...])"
    equations = f"""
    {AXES}
    data s[b,...], y[b,...], m[...]
    {log_rising_factorial("factorial", "1", "y[b,...]")}
    η[b,...] = s[b,...] + m[...]
    L[b] = sum[...](exp(η[b,...]) - y[b,...]*η[b,...] + factorial[b,...])/size(...)
    """


@dataclass(frozen=True, repr=False)
class NegativeBinomial(CountLoss):
    """A negative binomial distribution for each target: counts whose variance μ + αμ² is above their mean.

    The logarithm of the mean is s[b,...,0] and that of the mean count, m; the logarithm of the dispersion α is
    s[b,...,1].  L[b] is minus the logarithm of ``scipy.stats.nbinom(1/α, 1/(1 + αμ))``'s mass, averaged over targets.
    """

    source = "Lawless, Negative Binomial and Mixed Poisson Regression (1987), eq. 2.1"
    assumption = "a negative binomial distribution whose mean and dispersion depend on the input"
    distribution = "NegativeBinomial"
    parameters = ("μ", "α")
    prediction = """
    data s[b,...,h], m[...]
    α[b,...] = exp(s[b,...,1])
    μ[b,...] = exp(s[b,...,0] + m[...])
    """
    # r = 1/α, and η is the logarithm of μ/r, the odds of one count more.
    equations = f"""
    {AXES}, h = 2
    data s[b,...,h], y[b,...], m[...]
    r[b,...] = exp(-s[b,...,1])
    η[b,...] = s[b,...,0] + s[b,...,1] + m[...]
    {log_rising_factorial("ways", "r[b,...]", "y[b,...]")}
    {log_rising_factorial("factorial", "1", "y[b,...]")}
    odds[b,...] = r[b,...]*softplus(η[b,...]) + y[b,...]*softplus(-η[b,...])
    L[b] = sum[...](odds[b,...] + factorial[b,...] - ways[b,...])/size(...)
    """

    def units(self, targets: int) -> tuple[int, ...]:
        return (targets, 2)
