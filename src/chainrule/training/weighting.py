"""Rows that count differently."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.equations.node import Apply, Equation, Number, Reduce, access
from chainrule.layers.composition import Composition, Tensor
from chainrule.losses.loss import SampleWeighted


@dataclass(frozen=True, repr=False)
class RowWeighted(SampleWeighted):
    """Rows count ω[b], whose mean over the training set is 1: C = Σ_b ω[b] L[b]/size(b).

    Divided by the number of rows and not by their weights: a minibatch of light rows must not count like one of heavy
    rows, and so the mean over minibatches is that over the training set.
    """

    def mean(self, under: Composition, output: Tensor, rows: Tensor, name: str = "C") -> Tensor:
        factors = [access(weight.name, ("b",)) for weight in self.weights(under, output)]
        total = Reduce("sum", ("b",), Apply("*", (*factors, access(rows.name, ("b",)))))
        under.equations.append(Equation(name, (), Apply("/", (total, Number("b")))))
        return Tensor(name, ())
