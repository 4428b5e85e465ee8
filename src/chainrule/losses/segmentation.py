"""Losses for detection and segmentation, where most positions are background: focal losses and Dice.

``y[b,...]`` is 1 for foreground and 0 for background; ``t[b,...]`` is the class of each position, counted from 0 along
the last axis of the output.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import symbol
from chainrule.losses.loss import Loss

_SOFTMAX = "data s[b,...,k]\np[b,...,k] = exp(s[b,...,k] - logsumexp[k'](s[b,...,k']))"
_SIGMOID = "data s[b,...]\np[b,...] = sigmoid(s[b,...])"


@dataclass(frozen=True, repr=False)
class BinaryFocal(Loss):
    """Binary cross-entropy of each output times (1 - p)^γ, with p the probability given to what is true.

    What is easy counts little; foreground counts α, background 1 - α.
    """

    task = "binary"
    source = "Lin et al., Focal Loss for Dense Object Detection (2017), eq. 5"
    prediction = _SIGMOID
    # q is the logit of p, so that (1 - p)^γ = exp(-γ softplus(q)) and -log p = softplus(-q).
    equations = """
    data s[b,...], y[b,...], α, γ
    q[b,...] = (2*y[b,...] - 1)*s[b,...]
    w[b,...] = α*y[b,...] + (1 - α)*(1 - y[b,...])
    L[b] = sum[...](w[b,...]*exp(-γ*softplus(q[b,...]))*softplus(-q[b,...]))/size(...)
    """

    gamma: float = symbol("γ", 2.0, low=0)
    alpha: float = symbol("α", 0.25, low=0, high=1)


@dataclass(frozen=True, repr=False)
class Focal(Loss):
    """Cross-entropy of integer labels times (1 - p)^γ, with p the probability of the class t[b].

    What is easy counts little.  To weigh classes, use ``ClassWeighted``.
    """

    task = "classes"
    source = "Lin et al., Focal Loss for Dense Object Detection (2017), eq. 4, with softmax"
    prediction = _SOFTMAX
    # The logarithm of 1 - p is that of the probability of all other classes.
    equations = """
    data s[b,...,k], γ
    integer t[b,...]
    o[b,...] = logsumexp[k](s[b,...,k])
    r[b,...] = logsumexp[k](where([k = t[b,...]], -1e30, s[b,...,k]))
    L[b] = sum[...](exp(γ*(r[b,...] - o[b,...]))*(o[b,...] - s[b,...,t[b,...]]))/size(...)
    """

    gamma: float = symbol("γ", 2.0, low=0)


@dataclass(frozen=True, repr=False)
class Dice(Loss):
    """1 minus the Dice coefficient of each row's foreground, with probabilities in place of a set.

    ``smoothing`` is added above and below, so that nothing found where there is nothing is a coefficient of 1.
    """

    task = "binary"
    source = "Milletari, Navab, Ahmadi, V-Net (2016), §3, with smoothing"
    prediction = _SIGMOID
    equations = """
    data s[b,...], y[b,...], ε
    p[b,...] = sigmoid(s[b,...])
    both[b] = sum[...](p[b,...]*y[b,...])
    L[b] = 1 - (2*both[b] + ε)/(sum[...](p[b,...]^2) + sum[...](y[b,...]^2) + ε)
    """

    smoothing: float = symbol("ε", 1.0, low=0)


@dataclass(frozen=True, repr=False)
class MulticlassDice(Loss):
    """1 minus the mean over classes of their Dice coefficients, with probabilities in place of sets."""

    task = "classes"
    source = "Milletari, Navab, Ahmadi, V-Net (2016), §3, for each class, with smoothing"
    prediction = _SOFTMAX
    equations = """
    data s[b,...,k], ε
    integer t[b,...]
    p[b,...,k] = exp(s[b,...,k] - logsumexp[k'](s[b,...,k']))
    both[b,k] = sum[...](p[b,...,k]*[k = t[b,...]])
    D[b,k] = (2*both[b,k] + ε)/(sum[...](p[b,...,k]^2) + sum[...]([k = t[b,...]]) + ε)
    L[b] = 1 - sum[k](D[b,k])/size(k)
    """

    smoothing: float = symbol("ε", 1.0, low=0)
