"""Classes that have an order: small, medium, large."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class Ordinal(Loss):
    """Minus the log-probability of the class t[b], from cumulative logits: c[b,j] is the logit of t[b] ≤ j.

    The output has one value less than there are classes, in their order.  s[b,0] is the first of these logits and
    softplus s[b,j] what each is above the one before, so that the thresholds keep their order.  With a last layer
    whose weights for j ≥ 1 are 0 the odds are proportional.
    """

    task = "classes"
    source = "McCullagh, Regression Models for Ordinal Data (1980), §2.1"
    assumption = "a categorical distribution over classes in order, given by its cumulative logits"
    parameters = ("p",)
    prediction = """
    axis k = size(j) + 1
    data s[b,j]
    c[b,j] = s[b,0] + sum[j'](softplus(s[b,j'])*[1 <= j']*[j' <= j])
    below[b,k] = where([k < size(j)], sigmoid(c[b,k]), 1)
    above[b,k] = where([k >= 1], sigmoid(-c[b,k-1]), 1)
    p[b,k] = below[b,k]*above[b,k]*where([k >= 1]*[k < size(j)], sigmoid(s[b,k]), 1)
    """
    # σ(c) - σ(c′) = σ(c) σ(-c′) (1 - exp(c′ - c)), and with c - c′ = softplus(s) the last factor is σ(s).
    equations = """
    data s[b,j]
    integer t[b]
    c[b,j] = s[b,0] + sum[j'](softplus(s[b,j'])*[1 <= j']*[j' <= j])
    below[b] = softplus(-c[b,t[b]])*[t[b] < size(j)]
    above[b] = softplus(c[b,t[b]-1])*[t[b] >= 1]
    between[b] = softplus(-s[b,t[b]])*[t[b] >= 1]*[t[b] < size(j)]
    L[b] = below[b] + above[b] + between[b]
    """

    def units(self, targets: int) -> int:
        return max(targets - 1, 1)
