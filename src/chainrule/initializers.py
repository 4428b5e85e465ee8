"""What parameters are before training: each initializer is an equation in a random tensor and the fans.

``fan_in`` is the number of products summed into one output of the layer, ``fan_out`` the number of outputs that one
input reaches; both are read from the equations of the layer (``layers/composition.py``).  In a definition ``...`` are
the axes counted by ``fan_in`` and ``j`` the others, or those behind the first of them where that is ``gate``.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import Definition, symbol


@dataclass(frozen=True, repr=False)
class Initializer(Definition):
    """Values for a parameter ``θ[...,j]``."""


@dataclass(frozen=True, repr=False)
class Zeros(Initializer):
    """Every value is 0: for biases."""

    source = "by definition"
    equations = "θ[...,j] = 0.0"


@dataclass(frozen=True, repr=False)
class Constant(Initializer):
    """Every value is ``value``."""

    source = "by definition"
    equations = "data κ\nθ[...,j] = κ"

    value: float = symbol("κ", 0.0)


@dataclass(frozen=True, repr=False)
class RandomSigns(Initializer):
    """1 or -1, each as likely."""

    source = "Wen, Tran, Ba, BatchEnsemble (2020), appendix B"
    equations = "random r[...,j] ~ uniform\nθ[...,j] = 2*[r[...,j] >= 0.5] - 1"


@dataclass(frozen=True, repr=False)
class ForgetGateOnes(Initializer):
    """1 for the forget gate, 0 for the gates i, g and o: the biases of an LSTM, whose cell then keeps what it has."""

    source = "Jozefowicz, Zaremba, Sutskever, An Empirical Exploration of Recurrent Network Architectures (2015), §2.2"
    equations = "θ[...,gate,j] = [gate = 1]"


@dataclass(frozen=True, repr=False)
class Normal(Initializer):
    """Normal with mean ``mean`` and standard deviation ``deviation``."""

    source = "Nielsen, Neural Networks and Deep Learning (2015), chapter 1: N(0, 1) for weights and biases"
    equations = """
    data μ, σ
    random r[...,j] ~ normal
    θ[...,j] = μ + σ*r[...,j]
    """

    deviation: float = symbol("σ", 1.0, low=0)
    mean: float = symbol("μ", 0.0)


@dataclass(frozen=True, repr=False)
class Uniform(Initializer):
    """Uniform on [low, high)."""

    source = "by definition"
    equations = """
    data l, h
    random r[...,j] ~ uniform
    θ[...,j] = l + (h - l)*r[...,j]
    """

    low: float = symbol("l", -0.05)
    high: float = symbol("h", 0.05)


@dataclass(frozen=True, repr=False)
class GlorotUniform(Initializer):
    """Uniform with variance 2/(fan_in + fan_out): keeps variance in both directions for tanh-like units."""

    source = "Glorot and Bengio, Understanding the difficulty of training deep feedforward networks (2010), eq. 16"
    equations = """
    data fan_in, fan_out
    random r[...,j] ~ uniform
    θ[...,j] = sqrt(6/(fan_in + fan_out))*(2*r[...,j] - 1)
    """


@dataclass(frozen=True, repr=False)
class GlorotNormal(Initializer):
    """Normal with variance 2/(fan_in + fan_out)."""

    source = "Glorot and Bengio, Understanding the difficulty of training deep feedforward networks (2010), eq. 12"
    equations = """
    data fan_in, fan_out
    random r[...,j] ~ normal
    θ[...,j] = sqrt(2/(fan_in + fan_out))*r[...,j]
    """


@dataclass(frozen=True, repr=False)
class HeUniform(Initializer):
    """Uniform with variance 2/fan_in: keeps variance through rectifiers."""

    source = "He et al., Delving Deep into Rectifiers (2015), eq. 10"
    equations = """
    data fan_in
    random r[...,j] ~ uniform
    θ[...,j] = sqrt(6/fan_in)*(2*r[...,j] - 1)
    """


@dataclass(frozen=True, repr=False)
class HeNormal(Initializer):
    """Normal with variance 2/fan_in: keeps variance through rectifiers."""

    source = "He et al., Delving Deep into Rectifiers (2015), eq. 10"
    equations = """
    data fan_in
    random r[...,j] ~ normal
    θ[...,j] = sqrt(2/fan_in)*r[...,j]
    """


@dataclass(frozen=True, repr=False)
class LeCunUniform(Initializer):
    """Uniform with variance 1/fan_in."""

    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), eq. 16"
    equations = """
    data fan_in
    random r[...,j] ~ uniform
    θ[...,j] = sqrt(3/fan_in)*(2*r[...,j] - 1)
    """


@dataclass(frozen=True, repr=False)
class LeCunNormal(Initializer):
    """Normal with variance 1/fan_in, as Nielsen's improved weights (chapter 3) and as SELU asks."""

    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), eq. 16"
    equations = """
    data fan_in
    random r[...,j] ~ normal
    θ[...,j] = r[...,j]/sqrt(fan_in)
    """


@dataclass(frozen=True, repr=False)
class Orthogonal(Initializer):
    """An orthogonal matrix, uniformly distributed: the polar factor of a normal one, times ``gain``.

    Columns are orthonormal if fan_in ≥ fan_out, rows otherwise.  The polar factor is the limit of the Newton–Schulz
    iteration Q ← Q(3I − QᵀQ)/2, which converges for singular values below √3; those of a normal matrix are near
    √fan_in + √fan_out or less (Davidson and Szarek 2001), and the smallest grow by 3/2 a step.
    """

    source = "Saxe, McClelland, Ganguli, Exact solutions (2014); Higham, Functions of Matrices (2008), eq. 8.20"
    equations = """
    axis s = 45
    data γ, fan_in, fan_out
    random r[...,j] ~ normal
    Q[s,...,j] = ([s = 0]*r[...,j]/(1 + sqrt(fan_in) + sqrt(fan_out))
                  + 1.5*Q[s-1,...,j] - 0.5*sum[j'](Q[s-1,...,j']*A[s-1,j',j]))
    A[s,j',j] = sum[...](Q[s,...,j']*Q[s,...,j])
    θ[...,j] = γ*Q[size(s) - 1,...,j]
    """

    gain: float = symbol("γ", 1.0)
