"""How the distribution that is predicted is formed, at the end of a walk: equations in the unit of the target.

The parameters that a network predicts give the mean and the variance of its distribution.  That of several networks,
each as likely as the others, is their mixture: its variance is the mean of their variances, the noise that they see,
and the variance of their means, what they disagree in (the law of total variance).  The entropy of a mean of
probabilities has the same two parts (Depeweg et al., Decomposition of Uncertainty in Bayesian Deep Learning, 2018,
eqs. 4 and 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from chainrule.equations.compose import instantiate, match_axes
from chainrule.equations.evaluate import evaluate
from chainrule.equations.lift import lift
from chainrule.equations.node import Equation
from chainrule.equations.parse import parse
from chainrule.equations.system import Input, System
from chainrule.equations.walk import tensors
from chainrule.layers.composition import Tensor
from chainrule.walk.walk import Walk

Array = NDArray[Any]

# Of a target with the mean m and the deviation d, from the parameters of a distribution of the scaled one.
_SCALED = """
data {parameters}, m[...], d[...]
mean[b,...] = m[...] + d[...]*{mean}
variance[b,...] = d[...]^2*{variance}
"""
_MIXED = """
data w[b,...,k], μ[b,...,k], σ[b,...,k], m[...], d[...]
centre[b,...] = sum[k](w[b,...,k]*μ[b,...,k])
mean[b,...] = m[...] + d[...]*centre[b,...]
variance[b,...] = d[...]^2*sum[k](w[b,...,k]*(σ[b,...,k]^2 + (μ[b,...,k] - centre[b,...])^2))
"""

# What is predicted of a target, by the family of ``Loss.distribution``; counts have their own unit already.
TARGETS: Mapping[str, str] = {
    "Normal": _SCALED.format(parameters="μ[b,...], σ[b,...]", mean="μ[b,...]", variance="σ[b,...]^2"),
    "Laplace": _SCALED.format(parameters="μ[b,...], β[b,...]", mean="μ[b,...]", variance="2*β[b,...]^2"),
    "StudentT": _SCALED.format(
        parameters="ν[b,...], μ[b,...], σ[b,...]", mean="μ[b,...]", variance="σ[b,...]^2*ν[b,...]/(ν[b,...] - 2)"
    ),
    "NormalMixture": _MIXED,
    "Poisson": "data μ[b,...]\nmean[b,...] = μ[b,...]\nvariance[b,...] = μ[b,...]",
    "NegativeBinomial": "data μ[b,...], α[b,...]\nmean[b,...] = μ[b,...]\n"
    "variance[b,...] = μ[b,...] + α[b,...]*μ[b,...]^2",
    "Quantiles": "data Q[b,...,q], m[...], d[...]\nquantile[b,...,q] = m[...] + d[...]*Q[b,...,q]",
    "value": "data z[b,...], m[...], d[...]\nmean[b,...] = m[...] + d[...]*z[b,...]",
}

# What several networks predict together, by what each of them gives.
_MEAN = "mean[b,...] = sum[e](target.mean[e,b,...])/size(e)"
_DISAGREEMENT = "disagreement[b,...] = sum[e]((target.mean[e,b,...] - mean[b,...])^2)/size(e)"
_DEVIATION = "deviation[b,...] = sqrt({variance}[b,...])"
# [p = 0] makes of 0·log 0 the 0 that it is in the limit.
_ENTROPY = "sum[k](-{p}*log({p} + [{p} = 0]))"
_ENTROPY_OF_TWO = "-{p}*log({p} + [{p} = 0]) - (1 - {p})*log(1 - {p} + [{p} = 1])"


def _classes(axes: str, entropy: str) -> str:
    """Probabilities p[e,b,k] and the entropy of their means, with its two parts, which have the ``axes``."""
    return "\n".join(
        (
            "data p[e,b,k]",
            "probability[b,k] = sum[e](p[e,b,k])/size(e)",
            f"entropy[{axes}] = {entropy.format(p='probability[b,k]')}",
            f"noise[{axes}] = sum[e]({entropy.format(p='p[e,b,k]')})/size(e)",
            f"disagreement[{axes}] = entropy[{axes}] - noise[{axes}]",
        )
    )


MIXTURES: Mapping[str, str] = {
    "distribution": "\n".join(
        (
            "data target.mean[e,b,...], target.variance[e,b,...]",
            _MEAN,
            "noise[b,...] = sum[e](target.variance[e,b,...])/size(e)",
            _DISAGREEMENT,
            "variance[b,...] = noise[b,...] + disagreement[b,...]",
            _DEVIATION.format(variance="variance"),
        )
    ),
    "value": "\n".join(("data target.mean[e,b,...]", _MEAN, _DISAGREEMENT, _DEVIATION.format(variance="disagreement"))),
    "Quantiles": "data target.quantile[e,b,...,q]\nquantile[b,...,q] = sum[e](target.quantile[e,b,...,q])/size(e)",
    "classes": _classes("b", _ENTROPY),
    "labels": _classes("b,k", _ENTROPY_OF_TWO),
    "scores": "data s[e,b,k]\nscore[b,k] = sum[e](s[e,b,k])/size(e)",
}
_OF_ONE = "data target.variance[b,...]\n" + _DEVIATION.format(variance="target.variance")


@dataclass(frozen=True, eq=False)
class Forming:
    """What the prediction is formed of, as the networks predict it for the rows of a walk.

    ``parameters``: of the distribution, by their symbols, or p, s, z, the one thing that is predicted; [b, …], of
    several networks with their axis ``along`` in front.  ``given``: the values of those that the walk does not have.
    ``equations``: those by which the others follow from what it has.  ``target``: of ``TARGETS``, with the mean and
    the deviation of the target in training as ``unit``, each [o]; ``mixture``: of ``MIXTURES``.  Either may be "".
    """

    parameters: Mapping[str, Tensor]
    given: Mapping[str, Array]
    equations: tuple[Equation, ...]
    target: str
    mixture: str
    along: str | None = None
    unit: tuple[Array, Array] | None = None


def formed(walk: Walk, forming: Forming) -> Walk:
    """The walk that ends with what is predicted, and how it comes about."""
    given = {**forming.given}
    inputs = [Input(tensor.name, tensor.axes, "data") for tensor in forming.parameters.values() if tensor.name in given]
    equations = list(forming.equations)
    if forming.target:
        made = _target(forming)
        if forming.unit is not None:
            axes = next(tensor.axes for tensor in made.inputs if tensor.name == "training.m")
            inputs += [Input(name, axes, "data") for name in ("training.m", "training.d")]
            given |= dict(zip(("training.m", "training.d"), forming.unit, strict=True))
        equations += made.equations
    equations += _together(forming, tuple(equations))
    known = {name: Input(name, axes, "data") for name, axes in walk.system.tensor_axes.items()}
    read = dict.fromkeys(name for equation in equations for name in tensors(equation))
    values = {**walk.values, **given}
    alone = System(tuple(equations), (*inputs, *(known[name] for name in read if name in known)))
    found = evaluate(alone, {tensor.name: values[tensor.name] for tensor in alone.inputs})
    names = {equation.name for equation in equations} | given.keys()
    return replace(
        walk,
        system=walk.system.extended(equations, inputs),
        values={**walk.values, **{name: found[name] for name in names}},
        formed=frozenset(names),
    )


def _target(forming: Forming) -> System:
    """What one network's parameters make of the target; of several networks, for each."""
    definition, along = parse(TARGETS[forming.target], "the target"), forming.along
    symbol, tensor = next(iter(forming.parameters.items()))
    own = tuple(name for name in tensor.axes if name != along)
    names = {name: f"training.{name}" for name in ("m", "d")}
    names |= {equation.name: f"target.{equation.name}" for equation in definition.equations}
    names |= {symbol: tensor.name for symbol, tensor in forming.parameters.items()}
    made = instantiate(definition, names, match_axes(symbol, definition.tensor_axes[symbol], own))
    if along is None:
        return made
    return lift(made, along, None, [tensor.name for tensor in forming.parameters.values()])


def _together(forming: Forming, before: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """What several networks predict together; of one, the deviation, where there is a variance."""
    axes_of = {equation.name: equation.axes for equation in before}
    axes_of |= {symbol: tensor.axes for symbol, tensor in forming.parameters.items()}
    if not forming.mixture and "target.variance" not in axes_of:
        return ()
    definition = parse(MIXTURES[forming.mixture] if forming.mixture else _OF_ONE, "the prediction")
    scope = "mixture" if forming.mixture else "target"
    read = definition.inputs[0]
    names = {equation.name: f"{scope}.{equation.name}" for equation in definition.equations}
    names |= {symbol: tensor.name for symbol, tensor in forming.parameters.items()}
    return instantiate(definition, names, match_axes(read.name, read.axes, axes_of[read.name])).equations
