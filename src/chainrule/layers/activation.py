"""Activations: one scalar function applied to every element, and softmax, which couples the elements of one axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_instance, symbol
from chainrule.initializers import Constant, Initializer
from chainrule.layers.layer import Layer

# He et al. start the slopes of parametric rectifiers here.
_QUARTER = Constant(0.25)


@dataclass(frozen=True, repr=False)
class Identity(Layer):
    """The input itself."""

    source = "by definition"
    equations = "data x[...]\na[...] = x[...]"


@dataclass(frozen=True, repr=False)
class Sigmoid(Layer):
    """σ(x) = 1/(1 + e⁻ˣ)."""

    source = "Nielsen, Neural Networks and Deep Learning (2015), eq. 3"
    equations = "data x[...]\na[...] = sigmoid(x[...])"


@dataclass(frozen=True, repr=False)
class HardSigmoid(Layer):
    """A sigmoid of three straight pieces."""

    family = "hard_sigmoid"
    source = "Howard et al., Searching for MobileNetV3 (2019), §5.2"
    equations = "data x[...]\na[...] = max(0, min(1, x[...]/6 + 1/2))"


@dataclass(frozen=True, repr=False)
class Tanh(Layer):
    """The hyperbolic tangent."""

    source = "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), §4.4"
    equations = "data x[...]\na[...] = tanh(x[...])"


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """The rectifier."""

    source = "Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines (2010)"
    equations = "data x[...]\na[...] = relu(x[...])"


@dataclass(frozen=True, repr=False)
class LeakyReLU(Layer):
    """A rectifier that lets a fraction ``slope`` of negative values through."""

    family = "leaky_relu"
    source = "Maas, Hannun, Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013), §2"
    equations = "data x[...], α\na[...] = where(x[...] > 0, x[...], α*x[...])"

    slope: float = symbol("α", 0.01)


@dataclass(frozen=True, repr=False)
class PReLU(Layer):
    """A leaky rectifier whose slope is learnt, one for each feature."""

    source = "He et al., Delving Deep into Rectifiers (2015), eq. 1"
    equations = "data x[b,...]\nparameter α[...]\na[b,...] = where(x[b,...] > 0, x[b,...], α[...]*x[b,...])"

    slopes: Initializer = _QUARTER

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance("PReLU", "slopes", self.slopes, Initializer)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"α": self.slopes}


# The exponential of a positive number may overflow where it is not chosen; min(x, 0) keeps it finite, and its slope.


@dataclass(frozen=True, repr=False)
class ELU(Layer):
    """A rectifier that saturates at -``alpha``."""

    source = "Clevert, Unterthiner, Hochreiter, Fast and Accurate Deep Network Learning by ELUs (2016), eq. 15"
    equations = "data x[...], α\na[...] = where(x[...] > 0, x[...], α*expm1(min(x[...], 0)))"

    alpha: float = symbol("α", 1.0, low=0)


@dataclass(frozen=True, repr=False)
class SELU(Layer):
    """The ELU whose fixed point has mean 0 and variance 1 (initialise with ``LeCunNormal``)."""

    source = "Klambauer et al., Self-Normalizing Neural Networks (2017), eq. 2 and 14"
    equations = """
    data x[...]
    λ = 1.0507009873554805
    α = 1.6732632423543772
    a[...] = λ*where(x[...] > 0, x[...], α*expm1(min(x[...], 0)))
    """


@dataclass(frozen=True, repr=False)
class CELU(Layer):
    """An ELU whose derivative is continuous for every ``alpha``."""

    source = "Barron, Continuously Differentiable Exponential Linear Units (2017), eq. 2"
    equations = "data x[...], α\na[...] = where(x[...] > 0, x[...], α*expm1(min(x[...], 0)/α))"

    alpha: float = symbol("α", 1.0, above=0)


@dataclass(frozen=True, repr=False)
class GELU(Layer):
    """The input times the probability that a standard normal is below it."""

    source = "Hendrycks and Gimpel, Gaussian Error Linear Units (2016), §2"
    equations = "data x[...]\na[...] = x[...]*(1 + erf(x[...]/sqrt(2)))/2"


@dataclass(frozen=True, repr=False)
class TanhGELU(Layer):
    """The GELU with tanh in place of the error function."""

    family = "tanh_gelu"
    source = "Hendrycks and Gimpel, Gaussian Error Linear Units (2016), §2"
    equations = "data x[...]\na[...] = x[...]*(1 + tanh(sqrt(2/π)*(x[...] + 0.044715*x[...]^3)))/2"


@dataclass(frozen=True, repr=False)
class SiLU(Layer):
    """The input times its sigmoid, also called swish."""

    source = "Elfwing, Uchibe, Doya, Sigmoid-weighted linear units (2018), §2"
    equations = "data x[...]\na[...] = x[...]*sigmoid(x[...])"


@dataclass(frozen=True, repr=False)
class Mish(Layer):
    """The input times tanh of its softplus."""

    source = "Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2019), eq. 1"
    equations = "data x[...]\na[...] = x[...]*tanh(softplus(x[...]))"


@dataclass(frozen=True, repr=False)
class Softplus(Layer):
    """log(1 + eˣ)."""

    source = "Dugas et al., Incorporating Second-Order Functional Knowledge (2001), §3"
    equations = "data x[...]\na[...] = softplus(x[...])"


@dataclass(frozen=True, repr=False)
class Softsign(Layer):
    """A sigmoid with polynomial tails."""

    source = "Bergstra, Desjardins, Lamblin, Bengio, Quadratic Polynomials Learn Better Image Features (2009)"
    equations = "data x[...]\na[...] = x[...]/(1 + abs(x[...]))"


@dataclass(frozen=True, repr=False)
class Softmax(Layer):
    """Probabilities over the last axis."""

    source = "Bridle, Probabilistic interpretation of feedforward classification network outputs (1990)"
    equations = "data x[...,k]\na[...,k] = exp(x[...,k] - logsumexp[k'](x[...,k']))"


@dataclass(frozen=True, repr=False)
class LogSoftmax(Layer):
    """Logarithms of probabilities over the last axis."""

    family = "log_softmax"
    source = "Bridle, Probabilistic interpretation of feedforward classification network outputs (1990)"
    equations = "data x[...,k]\na[...,k] = x[...,k] - logsumexp[k'](x[...,k'])"
