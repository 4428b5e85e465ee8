"""Losses for sequences: the output ``s[b,t,k]`` has logits for each position, and not all positions count.

``CrossEntropy`` is the one for sequences whose positions all count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.equations.node import Equation, Number
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor
from chainrule.losses.loss import Loss

_SOFTMAX = "data s[b,t,k]\np[b,t,k] = exp(s[b,t,k] - logsumexp[k'](s[b,t,k']))"


@dataclass(frozen=True, repr=False)
class _Sequence(Loss):
    """A loss of ``s[b,t,k]``.  Raises ChainruleError where the output has other axes."""

    def compose(self, under: Composition, output: Tensor) -> Tensor:
        if len(output.axes) != 3:
            raise ChainruleError(f"{type(self).__name__}: logits for each position are wanted, s[b,t,k], not {output}")
        return super().compose(under, output)


@dataclass(frozen=True, repr=False)
class _Lengths(_Sequence):
    """The first n[b] positions of a row count: as many as it is long, or all where rows do not differ in length."""

    def reads(self, under: Composition, output: Tensor) -> Mapping[str, Tensor]:
        along = output.axes[1]
        if along not in under.lengths:
            under.equations.append(Equation("loss.n", ("b",), Number(along)))
            under.lengths[along] = Tensor("loss.n", ("b",))
        return {"s": output, "n": under.lengths[along]}


@dataclass(frozen=True, repr=False)
class SequenceCrossEntropy(_Lengths):
    """Cross-entropy of the class t[b,t] of each position, averaged over all positions of all rows.

    A row counts as many times as it has positions, n[b]; what lies behind them does not count.
    """

    task = "classes"
    source = "Bridle, Probabilistic interpretation of feedforward classification network outputs (1990)"
    assumption = "a categorical distribution over the classes at each position"
    prediction = _SOFTMAX
    equations = """
    data s[b,t,k]
    integer t[b,t], n[b]
    ℓ[b,t] = logsumexp[k](s[b,t,k]) - s[b,t,t[b,t]]
    L[b] = sum[t](ℓ[b,t]*[t < n[b]])/n[b]
    """

    def weights(self, under: Composition, output: Tensor) -> tuple[Tensor, ...]:
        return (under.lengths[output.axes[1]],)


@dataclass(frozen=True, repr=False)
class MaskedCrossEntropy(_Sequence):
    """Cross-entropy of the class t[b,t] of each position that has one; a class below 0 says that it does not count.

    The mean over all positions of all rows that count: a row counts as many times as it has such positions, n[b].
    """

    task = "classes"
    source = "Devlin et al., BERT (2019), §3.1 (masked positions)"
    assumption = "a categorical distribution over the classes at each position that counts"
    prediction = _SOFTMAX
    equations = """
    data s[b,t,k]
    integer t[b,t]
    n[b] = sum[t]([t[b,t] >= 0])
    ℓ[b,t] = logsumexp[k](s[b,t,k]) - s[b,t,t[b,t]]
    L[b] = sum[t](ℓ[b,t]*[t[b,t] >= 0])/max(n[b], 1)
    """

    def weights(self, under: Composition, output: Tensor) -> tuple[Tensor, ...]:
        return (Tensor("loss.n", ("b",)),)


@dataclass(frozen=True, repr=False)
class CTC(_Lengths):
    """Connectionist temporal classification: minus the log-probability of the labels, however they lie in time.

    Class 0 is the blank.  ``t[b,l]`` are the labels of a row in order, each at least 1, and 0 behind the last.  The
    first n[b] ≥ 1 positions of the row may emit them; equal labels in a row need a blank between.  Labels that need
    more positions than there are have no probability: L[b] is then 1e30.
    """

    task = "classes"
    source = "Graves et al., Connectionist Temporal Classification (2006), eqs. 5-8, in logarithms"
    assumption = "a categorical distribution over labels and blank at each position, summed over all alignments"
    prediction = "data s[b,t,k]\ny[b,t,k] = s[b,t,k] - logsumexp[k'](s[b,t,k'])"
    # z is the blank, the first label, the blank, the second label, …, the blank; α is the logarithm of the probability
    # of its beginning up to position e at time t, and -1e30 stands for the logarithm of 0.
    equations = """
    axis e = 2*size(l) + 1
    data s[b,t,k]
    integer t[b,l], n[b]
    y[b,t,k] = s[b,t,k] - logsumexp[k'](s[b,t,k'])
    m[b] = sum[l]([t[b,l] >= 1])
    z[b,e] = where([e%2 = 1], t[b,e//2], 0)
    skip[b,e] = [e >= 2]*[z[b,e] != 0]*[z[b,e] != z[b,e-2]]
    u[b,t,e] = logaddexp(α[b,t-1,e], where([e >= 1], α[b,t-1,e-1], -1e30))
    v[b,t,e] = logaddexp(u[b,t,e], where([skip[b,e] = 1], α[b,t-1,e-2], -1e30))
    α[b,t,e] = y[b,t,z[b,e]] + where([t = 0], where([e <= 1], 0, -1e30), v[b,t,e])
    end[b] = n[b] - 1
    L[b] = -logsumexp[e](where([2*m[b] - 1 <= e]*[e <= 2*m[b]], α[b,end[b],e], -1e30))
    """
