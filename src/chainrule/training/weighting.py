"""Rows that count differently."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.equations.node import Apply, Equation, Number, access
from chainrule.layers.composition import Composition, Tensor
from chainrule.losses.loss import SampleWeighted, sum_over_rows


@dataclass(frozen=True, repr=False)
class RowWeighted(SampleWeighted):
    """Rows count ω[b], whose mean over the training set is 1: C = Σ_b ω[b] L[b]/size(b).

    Divided by the number of rows and not by their weights: a minibatch of light rows must not count like one of heavy
    rows, and so the mean over minibatches is that over the training set.  Where the loss itself counts rows
    differently, by their positions, the division is by what it counts.
    """

    def mean(self, under: Composition, output: Tensor, rows: Tensor, name: str = "C") -> Tensor:
        *counts, given = (access(weight.name, ("b",)) for weight in self.weights(under, output))
        total = sum_over_rows((*counts, given, access(rows.name, ("b",))))
        count = sum_over_rows(tuple(counts)) if counts else Number("b")
        under.equations.append(Equation(name, (), Apply("/", (total, count))))
        return Tensor(name, ())
