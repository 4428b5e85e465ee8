"""Several quantiles at once, which cannot cross: the first, and what each is above the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from chainrule.definition import check_number, plain
from chainrule.errors import ChainruleError
from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class Quantiles(Loss):
    """The pinball losses of quantiles of several ``levels``, averaged over targets and levels.

    s[b,...,0] is the lowest quantile, and softplus s[b,...,q] what the q-th is above the one before.  The prediction is
    the median, on a line between the quantiles beside it (or the one nearest to it).
    """

    source = "Koenker and Bassett, Regression Quantiles (1978), eq. 3.1"
    distribution = "Quantiles"
    parameters = ("Q",)
    prediction = """
    data s[b,...,q], v[q]
    Q[b,...,q] = s[b,...,0] + sum[q'](softplus(s[b,...,q'])*[1 <= q']*[q' <= q])
    median[b,...] = sum[q](v[q]*Q[b,...,q])
    """
    equations = """
    data s[b,...,q], y[b,...], τ[q]
    Q[b,...,q] = s[b,...,0] + sum[q'](softplus(s[b,...,q'])*[1 <= q']*[q' <= q])
    e[b,...,q] = y[b,...] - Q[b,...,q]
    L[b] = sum[...,q](max(τ[q]*e[b,...,q], (τ[q] - 1)*e[b,...,q]))/(size(...)*size(q))
    """

    # The ends of intervals of the levels 0.5, 0.8, 0.9 and 0.95, and the median.
    levels: tuple[float, ...] = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.levels, Iterable) or isinstance(self.levels, str) or not tuple(self.levels):
            raise ChainruleError(f"Quantiles: levels are several numbers above 0 and below 1, not {self.levels!r}")
        levels = tuple(plain(level) for level in self.levels)
        for level in levels:
            check_number("Quantiles", "every level", level, above=0, below=1)
        if any(low >= high for low, high in pairwise(levels)):
            raise ChainruleError(f"Quantiles: levels must rise, not {levels}")
        object.__setattr__(self, "levels", levels)

    @property
    def vectors(self) -> dict[str, tuple[float, ...]]:
        count = len(self.levels)
        median = [float(np.interp(0.5, self.levels, np.eye(count)[q])) for q in range(count)]
        return {"τ": self.levels, "v": tuple(median)}

    def units(self, targets: int) -> tuple[int, ...]:
        return (targets, len(self.levels))
