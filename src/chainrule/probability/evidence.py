"""The marginal likelihood of data under a Laplace approximation, and the prior and noise at which it is greatest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from chainrule.calculus.reverse import derive
from chainrule.equations.parse import parse
from chainrule.training.programs import program

Array = NDArray[Any]

# Minus the logarithm of the probability of the data, integrated over the parameters: MacKay, A Practical Bayesian
# Framework for Backpropagation Networks (1992), eq. 2.7 with eqs. 2.9 and 4.3; λ are the eigenvalues of the curvature.
EQUATIONS = """
    data λ[p], squares, misfit, normals
    parameter ρ, ν
    δ = exp(ρ)
    τ = exp(-ν)
    fit = τ*misfit + normals*(log(2*π) + ν)/2
    prior = (δ*squares - size(p)*ρ)/2
    volume = sum[p](log(τ*λ[p] + δ))/2
    C = fit + prior + volume
"""
# Of ρ, the logarithm of the prior's precision, and ν, that of the variance of the noise.
BOUNDS = {"ρ": (-12.0, 18.0), "ν": (-16.0, 6.0)}
STARTS = {"ρ": range(-6, 15, 2), "ν": range(-8, 3, 2)}


@dataclass(frozen=True)
class Evidence:
    """The precision of the prior, the variance of the noise (1 where the likelihood has none to be found) and the
    logarithm of the marginal likelihood with them.
    """

    precision: float
    noise: float
    log_marginal_likelihood: float


def greatest_evidence(
    eigenvalues: Array, squares: float, misfit: float, normals: float, precision: float | None, noise: float | None
) -> Evidence:
    """The precision δ and the variance of the noise, those of them that are None, for which the data are most probable.

    ``eigenvalues`` [p]: those of the curvature of ``misfit``, the sum of the losses of all rows; ``squares``: the sum
    of the squares of the parameters; ``normals``: of how many normal distributions ``misfit`` is the loss without its
    variance, 0 where it is a likelihood as it is.
    """
    free = [name for name, value in (("ρ", precision), ("ν", noise)) if value is None]
    log = derive(parse(EQUATIONS, "evidence"), "C", ["ρ", "ν"])
    names = ("C", *(log.gradients[name] for name in free))
    evaluate = program(log.system, names, "float64", "numpy")
    values: dict[str, Any] = {"λ": eigenvalues, "squares": squares, "misfit": misfit, "normals": normals}
    fixed = {name: np.log(value) for name, value in (("ρ", precision), ("ν", noise)) if value is not None}

    def at(point: Array) -> tuple[float, Array]:
        found = evaluate.run(values, {**fixed, **dict(zip(free, point, strict=True))})
        return float(found["C"]), np.array([float(found[name]) for name in names[1:]])

    if not free:
        return Evidence(float(precision or 0), float(noise or 0), -at(np.empty(0))[0])
    starts = product(*(STARTS[name] for name in free))
    start = min((np.array(point, float) for point in starts), key=lambda point: at(point)[0])
    bounds = [BOUNDS[name] for name in free]
    best = minimize(at, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-8})
    chosen = {**fixed, **dict(zip(free, best.x, strict=True))}
    return Evidence(float(np.exp(chosen["ρ"])), float(np.exp(chosen["ν"])), -float(best.fun))
