"""Descent along the gradient, with and without memory of earlier gradients."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import symbol
from chainrule.optimizers.optimizer import Optimizer


@dataclass(frozen=True, repr=False)
class GradientDescent(Optimizer):
    """A step of η against the gradient."""

    source = "Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées (1847)"
    equations = """
    data η, g[...]
    parameter θ[...]
    θ'[...] = θ[...] - η*g[...]
    """


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Gradient descent whose gradient is that of a minibatch, with optional weight decay."""

    source = "Robbins and Monro, A Stochastic Approximation Method (1951); Nielsen (2015), eq. 93"
    equations = """
    data η, λ, g[...]
    parameter θ[...]
    θ'[...] = θ[...] - η*(g[...] + λ*θ[...])
    """

    weight_decay: float = symbol("λ", 0.0, low=0)


@dataclass(frozen=True, repr=False)
class Momentum(Optimizer):
    """The heavy ball: steps along a decaying sum of gradients."""

    source = "Polyak, Some methods of speeding up the convergence of iteration methods (1964), eq. 9"
    equations = """
    data η, μ, g[...]
    parameter θ[...]
    state v[...] = 0
    v'[...] = μ*v[...] + g[...]
    θ'[...] = θ[...] - η*v'[...]
    """

    momentum: float = symbol("μ", 0.9, low=0, below=1)


@dataclass(frozen=True, repr=False)
class Nesterov(Optimizer):
    """Momentum with the gradient as it will be after the momentum's step."""

    source = "Nesterov (1983); Sutskever et al., On the importance of initialization and momentum (2013), eq. 3-4"
    equations = """
    data η, μ, g[...]
    parameter θ[...]
    state v[...] = 0
    v'[...] = μ*v[...] + g[...]
    θ'[...] = θ[...] - η*(g[...] + μ*v'[...])
    """

    momentum: float = symbol("μ", 0.9, low=0, below=1)
