"""Optimizers with a step length of its own for every element of every parameter."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import symbol
from chainrule.optimizers.optimizer import Optimizer
from chainrule.optimizers.schedules import Schedule


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients."""

    source = "Duchi, Hazan, Singer, Adaptive Subgradient Methods (2011), §1.1"
    equations = """
    data η, ε, g[...]
    parameter θ[...]
    state G[...] = 0
    G'[...] = G[...] + g[...]^2
    θ'[...] = θ[...] - η*g[...]/(sqrt(G'[...]) + ε)
    """

    learning_rate: float | Schedule = 0.01
    epsilon: float = symbol("ε", 1e-10, low=0)


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """Steps divided by the root of a decaying mean of squared gradients."""

    source = "Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5 (2012)"
    equations = """
    data η, ρ, ε, g[...]
    parameter θ[...]
    state v[...] = 0
    v'[...] = ρ*v[...] + (1 - ρ)*g[...]^2
    θ'[...] = θ[...] - η*g[...]/(sqrt(v'[...]) + ε)
    """

    learning_rate: float | Schedule = 0.01
    decay: float = symbol("ρ", 0.99, low=0, below=1)
    epsilon: float = symbol("ε", 1e-8, low=0)


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Decaying means of the gradient and of its square, both corrected for having started at 0."""

    source = "Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1"
    equations = """
    data η, β1, β2, ε, g[...]
    parameter θ[...]
    state m[...] = 0, v[...] = 0, t = 0
    t' = t + 1
    m'[...] = β1*m[...] + (1 - β1)*g[...]
    v'[...] = β2*v[...] + (1 - β2)*g[...]^2
    θ'[...] = θ[...] - η*(m'[...]/(1 - β1^t'))/(sqrt(v'[...]/(1 - β2^t')) + ε)
    """

    learning_rate: float | Schedule = 0.001
    beta1: float = symbol("β1", 0.9, low=0, below=1)
    beta2: float = symbol("β2", 0.999, low=0, below=1)
    epsilon: float = symbol("ε", 1e-8, low=0)


@dataclass(frozen=True, repr=False)
class AdamW(Optimizer):
    """Adam with weight decay that its step lengths do not scale."""

    source = "Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019), algorithm 2"
    equations = """
    data η, β1, β2, ε, λ, g[...]
    parameter θ[...]
    state m[...] = 0, v[...] = 0, t = 0
    t' = t + 1
    m'[...] = β1*m[...] + (1 - β1)*g[...]
    v'[...] = β2*v[...] + (1 - β2)*g[...]^2
    θ'[...] = θ[...] - η*λ*θ[...] - η*(m'[...]/(1 - β1^t'))/(sqrt(v'[...]/(1 - β2^t')) + ε)
    """

    learning_rate: float | Schedule = 0.001
    beta1: float = symbol("β1", 0.9, low=0, below=1)
    beta2: float = symbol("β2", 0.999, low=0, below=1)
    epsilon: float = symbol("ε", 1e-8, low=0)
    weight_decay: float = symbol("λ", 0.01, low=0)


@dataclass(frozen=True, repr=False)
class AMSGrad(Optimizer):
    """Adam whose step lengths never grow again: divided by the largest mean square so far."""

    source = "Reddi, Kale, Kumar, On the Convergence of Adam and Beyond (2018), algorithm 2, with Adam's corrections"
    equations = """
    data η, β1, β2, ε, g[...]
    parameter θ[...]
    state m[...] = 0, v[...] = 0, u[...] = 0, t = 0
    t' = t + 1
    m'[...] = β1*m[...] + (1 - β1)*g[...]
    v'[...] = β2*v[...] + (1 - β2)*g[...]^2
    u'[...] = max(u[...], v'[...])
    θ'[...] = θ[...] - η*(m'[...]/(1 - β1^t'))/(sqrt(u'[...]/(1 - β2^t')) + ε)
    """

    learning_rate: float | Schedule = 0.001
    beta1: float = symbol("β1", 0.9, low=0, below=1)
    beta2: float = symbol("β2", 0.999, low=0, below=1)
    epsilon: float = symbol("ε", 1e-8, low=0)


@dataclass(frozen=True, repr=False)
class NAdam(Optimizer):
    """Adam with Nesterov's momentum, whose decay ``μ`` grows from step to step."""

    source = "Dozat, Incorporating Nesterov Momentum into Adam (2016), algorithm 2 and its appendix's schedule"
    equations = """
    data η, β1, β2, ε, ψ, g[...]
    parameter θ[...]
    state m[...] = 0, v[...] = 0, t = 0, M = 1
    t' = t + 1
    μ = β1*(1 - 0.96^(t'*ψ)/2)
    μnext = β1*(1 - 0.96^((t' + 1)*ψ)/2)
    M' = M*μ
    m'[...] = β1*m[...] + (1 - β1)*g[...]
    v'[...] = β2*v[...] + (1 - β2)*g[...]^2
    n[...] = μnext*m'[...]/(1 - M'*μnext) + (1 - μ)*g[...]/(1 - M')
    θ'[...] = θ[...] - η*n[...]/(sqrt(v'[...]/(1 - β2^t')) + ε)
    """

    learning_rate: float | Schedule = 0.002
    beta1: float = symbol("β1", 0.9, low=0, below=1)
    beta2: float = symbol("β2", 0.999, low=0, below=1)
    epsilon: float = symbol("ε", 1e-8, low=0)
    momentum_decay: float = symbol("ψ", 0.004, low=0)


@dataclass(frozen=True, repr=False)
class Lion(Optimizer):
    """Steps of equal length in every element, in the direction of the sign of a mean of gradients."""

    source = "Chen et al., Symbolic Discovery of Optimization Algorithms (2023), algorithm 2"
    equations = """
    data η, β1, β2, λ, g[...]
    parameter θ[...]
    state m[...] = 0
    c[...] = β1*m[...] + (1 - β1)*g[...]
    m'[...] = β2*m[...] + (1 - β2)*g[...]
    θ'[...] = θ[...] - η*(sign(c[...]) + λ*θ[...])
    """

    learning_rate: float | Schedule = 0.0001
    beta1: float = symbol("β1", 0.9, low=0, below=1)
    beta2: float = symbol("β2", 0.99, low=0, below=1)
    weight_decay: float = symbol("λ", 0.0, low=0)
