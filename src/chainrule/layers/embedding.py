"""The embedding: each symbol has a row of numbers that is learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_count, check_instance
from chainrule.initializers import Initializer, Normal
from chainrule.layers.layer import Layer

_NORMAL = Normal()


@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """From symbols ``x[...]``, whole numbers from 0 to ``vocabulary`` - 1, to ``e[...,d]``; ``units`` is the size of d.

    A symbol outside the vocabulary lies outside E, so its numbers are 0 and it learns nothing; whoever reads the data
    refuses such symbols or gives them a number of their own.
    """

    source = "Bengio, Ducharme, Vincent, Jauvin, A Neural Probabilistic Language Model (2003), §2"
    equations = """
    integer x[...]
    parameter E[v,d]
    e[...,d] = E[x[...],d]
    """

    vocabulary: int
    units: int
    weights: Initializer = _NORMAL

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("Embedding", "vocabulary", self.vocabulary)
        check_count("Embedding", "units", self.units)
        check_instance("Embedding", "weights", self.weights, Initializer)

    @property
    def new_sizes(self) -> Mapping[str, tuple[int, ...]]:
        return {"v": (self.vocabulary,), "d": (self.units,)}

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {"E": self.weights}
