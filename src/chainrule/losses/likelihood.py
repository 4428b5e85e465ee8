"""Losses that are minus the logarithm of a density: the network predicts a whole distribution of each target.

L[b] is exactly that logarithm, constants included, averaged over the targets of the row.  Distributions with several
parameters read them from a last axis: ``Dense((targets, 2))``.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import check_count, symbol
from chainrule.losses.gamma import AXES, log_rising_factorial
from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class _Heads(Loss):
    """Several parameters for each target, along the last axis."""

    def units(self, targets: int) -> tuple[int, ...]:
        return (targets, len(self.parameters))


@dataclass(frozen=True, repr=False)
class Gaussian(_Heads):
    """A normal distribution for each target: mean s[b,...,0], logarithm of the variance s[b,...,1].

    L[b] is minus the logarithm of ``scipy.stats.norm(μ, σ)``'s density, averaged over targets.
    """

    source = "Nix and Weigend, Estimating the mean and variance of the target probability distribution (1994), eq. 3"
    assumption = "a normal distribution whose mean and variance depend on the input"
    distribution = "Normal"
    parameters = ("μ", "σ")
    prediction = """
    data s[b,...,h]
    σ[b,...] = exp(s[b,...,1]/2)
    μ[b,...] = s[b,...,0]
    """
    equations = """
    axis h = 2
    data s[b,...,h], y[b,...]
    L[b] = sum[...](log(2*π) + s[b,...,1] + (y[b,...] - s[b,...,0])^2*exp(-s[b,...,1]))/(2*size(...))
    """


@dataclass(frozen=True, repr=False)
class Laplace(_Heads):
    """A Laplace distribution for each target: median s[b,...,0], logarithm of the scale s[b,...,1].

    L[b] is minus the logarithm of ``scipy.stats.laplace(μ, β)``'s density, averaged over targets.
    """

    source = "Kotz, Kozubowski, Podgórski, The Laplace Distribution and Generalizations (2001), §2.1"
    assumption = "a Laplace distribution whose median and scale depend on the input"
    distribution = "Laplace"
    parameters = ("μ", "β")
    prediction = """
    data s[b,...,h]
    β[b,...] = exp(s[b,...,1])
    μ[b,...] = s[b,...,0]
    """
    equations = """
    axis h = 2
    data s[b,...,h], y[b,...]
    L[b] = sum[...](log(2) + s[b,...,1] + abs(y[b,...] - s[b,...,0])*exp(-s[b,...,1]))/size(...)
    """


# Both forms of Student's t: ν[b,...] is the degrees of freedom, z the deviation in units of the scale.
_STUDENT = f"""z[b,...] = (y[b,...] - s[b,...,0])*exp(-s[b,...,1])
    {log_rising_factorial("ratio", "ν[b,...]/2", "0.5")}
    tail[b,...] = (ν[b,...] + 1)/2*log1p(z[b,...]^2/ν[b,...])
    L[b] = sum[...](tail[b,...] + s[b,...,1] + log(π*ν[b,...])/2 - ratio[b,...])/size(...)"""


@dataclass(frozen=True, repr=False)
class StudentT(_Heads):
    """Student's t for each target: location s[b,...,0], logarithm of the scale s[b,...,1], degrees of freedom from
    s[b,...,2], above 2, so that there is a variance.

    L[b] is minus the logarithm of ``scipy.stats.t(ν, μ, σ)``'s density, averaged over targets.
    """

    source = "Lange, Little, Taylor, Robust Statistical Modeling Using the t Distribution (1989), eq. 1"
    assumption = "Student's t, whose location, scale and degrees of freedom depend on the input"
    distribution = "StudentT"
    parameters = ("ν", "μ", "σ")
    prediction = """
    data s[b,...,h]
    ν[b,...] = 2 + softplus(s[b,...,2])
    σ[b,...] = exp(s[b,...,1])
    μ[b,...] = s[b,...,0]
    """
    equations = f"""
    {AXES}, h = 3
    data s[b,...,h], y[b,...]
    ν[b,...] = 2 + softplus(s[b,...,2])
    {_STUDENT}
    """


@dataclass(frozen=True, repr=False)
class FixedStudentT(StudentT):
    """Student's t of given ``degrees`` of freedom: location s[b,...,0], logarithm of the scale s[b,...,1].

    L[b] is minus the logarithm of ``scipy.stats.t(ν, μ, σ)``'s density, averaged over targets.
    """

    source = "Lange, Little, Taylor, Robust Statistical Modeling Using the t Distribution (1989), §1"
    assumption = "Student's t of given degrees of freedom, whose location and scale depend on the input"
    prediction = """
    data s[b,...,h], κ
    ν[b,...] = κ
    σ[b,...] = exp(s[b,...,1])
    μ[b,...] = s[b,...,0]
    """
    equations = f"""
    {AXES}, h = 2
    data s[b,...,h], y[b,...], κ
    ν[b,...] = κ
    {_STUDENT}
    """

    degrees: float = symbol("κ", 4.0, above=2)

    def units(self, targets: int) -> tuple[int, ...]:
        return (targets, 2)


@dataclass(frozen=True, repr=False)
class MixtureDensity(Loss):
    """A mixture of normal distributions for each target: s[b,...,k,h] has the logit of the weight (h = 0), the mean
    (1) and the logarithm of the standard deviation (2) of each of the ``components``.

    L[b] is minus the logarithm of Σₖ wₖ times ``scipy.stats.norm(μₖ, σₖ)``'s density, averaged over targets.
    """

    source = "Bishop, Mixture Density Networks (1994), eqs. 22-29"
    assumption = "a mixture of normal distributions, all of whose parameters depend on the input"
    distribution = "NormalMixture"
    parameters = ("w", "μ", "σ")
    prediction = """
    data s[b,...,k,h]
    w[b,...,k] = exp(s[b,...,k,0] - logsumexp[k'](s[b,...,k',0]))
    μ[b,...,k] = s[b,...,k,1]
    σ[b,...,k] = exp(s[b,...,k,2])
    m[b,...] = sum[k](w[b,...,k]*μ[b,...,k])
    """
    equations = """
    axis h = 3
    data s[b,...,k,h], y[b,...]
    z[b,...,k] = (y[b,...] - s[b,...,k,1])*exp(-s[b,...,k,2])
    ℓ[b,...,k] = s[b,...,k,0] - s[b,...,k,2] - z[b,...,k]^2/2
    L[b] = sum[...](logsumexp[k](s[b,...,k,0]) + log(2*π)/2 - logsumexp[k](ℓ[b,...,k]))/size(...)
    """

    components: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("MixtureDensity", "components", self.components)

    def units(self, targets: int) -> tuple[int, ...]:
        return (targets, self.components, 3)
