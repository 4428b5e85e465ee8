"""Losses for classes, all from logits: the network ends in a dense layer, and the loss knows the stable form.

``t[b,...]`` is the number of a class, counted from 0 along the last axis of the output; ``y`` is 0 or 1 for each output
or, for soft labels, the probability of each class.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import symbol
from chainrule.losses.loss import Loss

_SOFTMAX = "data s[b,...,k]\np[b,...,k] = exp(s[b,...,k] - logsumexp[k'](s[b,...,k']))"
_SIGMOID = "data s[b,...]\np[b,...] = sigmoid(s[b,...])"


@dataclass(frozen=True, repr=False)
class CrossEntropy(Loss):
    """Categorical cross-entropy of integer labels: minus the log-probability of the class t[b]."""

    task = "classes"
    source = "Bridle, Probabilistic interpretation of feedforward classification network outputs (1990)"
    assumption = "a categorical distribution over the classes"
    parameters = ("p",)
    prediction = _SOFTMAX
    equations = """
    data s[b,...,k]
    integer t[b,...]
    L[b] = sum[...](logsumexp[k](s[b,...,k]) - s[b,...,t[b,...]])/size(...)
    """


@dataclass(frozen=True, repr=False)
class SmoothedCrossEntropy(Loss):
    """Cross-entropy of integer labels, of which a part ``smoothing`` is spread over all classes alike.

    The network learns q = (1 - ε)p + ε/K; the prediction is p, in which nothing becomes 0: a probability of less than
    what smoothing added counts as a twentieth of that.
    """

    task = "classes"
    source = "Szegedy et al., Rethinking the Inception Architecture (2016), §7"
    parameters = ("p",)
    prediction = """
    data s[b,...,k], ε
    q[b,...,k] = exp(s[b,...,k] - logsumexp[k'](s[b,...,k']))
    r[b,...,k] = max(q[b,...,k] - ε/size(k), ε/(20*size(k)))
    p[b,...,k] = r[b,...,k]/sum[k'](r[b,...,k'])
    """
    equations = """
    data s[b,...,k], ε
    integer t[b,...]
    L[b] = sum[...](logsumexp[k](s[b,...,k]) - (1 - ε)*s[b,...,t[b,...]] - ε*sum[k](s[b,...,k])/size(k))/size(...)
    """

    smoothing: float = symbol("ε", 0.1, low=0, high=1)


@dataclass(frozen=True, repr=False)
class SoftCrossEntropy(Loss):
    """Categorical cross-entropy of soft labels: ``y[b,...,k]`` is the probability of each class."""

    source = "Bridle, Probabilistic interpretation of feedforward classification network outputs (1990)"
    assumption = "a categorical distribution over the classes"
    parameters = ("p",)
    prediction = _SOFTMAX
    equations = """
    data s[b,...,k], y[b,...,k]
    L[b] = sum[...](sum[k](y[b,...,k]*(logsumexp[k'](s[b,...,k']) - s[b,...,k])))/size(...)
    """


@dataclass(frozen=True, repr=False)
class BinaryCrossEntropy(Loss):
    """Binary cross-entropy for each output; ``y[b,...]`` is 0 or 1, or a probability between."""

    task = "binary"
    source = "Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.90, with a = σ(s), averaged over outputs"
    assumption = "a Bernoulli distribution of each output"
    parameters = ("p",)
    prediction = _SIGMOID
    equations = """
    data s[b,...], y[b,...]
    L[b] = sum[...](softplus(s[b,...]) - y[b,...]*s[b,...])/size(...)
    """


@dataclass(frozen=True, repr=False)
class CrossEntropyCost(Loss):
    """Nielsen's cross-entropy cost: the binary cross-entropy of every output, summed and not averaged over outputs."""

    task = "binary"
    source = "Nielsen, Neural Networks and Deep Learning (2015), eq. 63, with a = σ(s)"
    assumption = "a Bernoulli distribution of each output"
    parameters = ("p",)
    prediction = _SIGMOID
    equations = """
    data s[b,...], y[b,...]
    L[b] = sum[...](softplus(s[b,...]) - y[b,...]*s[b,...])
    """


@dataclass(frozen=True, repr=False)
class Hinge(Loss):
    """The hinge loss for each output; ``y[b,...]`` is 0 or 1, and the output should be beyond -1 or 1."""

    task = "binary"
    source = "Cortes and Vapnik, Support-Vector Networks (1995), §3"
    equations = """
    data s[b,...], y[b,...]
    L[b] = sum[...](relu(1 - (2*y[b,...] - 1)*s[b,...]))/size(...)
    """


@dataclass(frozen=True, repr=False)
class MulticlassHinge(Loss):
    """The hinge loss for classes: every other class should be 1 below the class t[b]."""

    task = "classes"
    source = "Weston and Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1998)"
    equations = """
    data s[b,k]
    integer t[b]
    L[b] = sum[k](relu(1 + s[b,k] - s[b,t[b]])*[k != t[b]])/size(k)
    """
