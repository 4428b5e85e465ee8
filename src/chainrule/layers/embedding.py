"""The embedding: each symbol has a row of numbers that is learnt; and back, from such numbers to symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_count, check_instance
from chainrule.errors import ChainruleError
from chainrule.initializers import Initializer, Normal
from chainrule.layers.composition import Composition, Tensor, place_definition
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


@dataclass(frozen=True, repr=False)
class Unembedding(Layer):
    """Logits of each symbol, from ``x[...,d]`` to ``s[...,v]``: products with the rows of an embedding before it.

    ``embedding`` says which, counted from 1 as they stand in the network.  It has no parameters of its own.
    Raises ChainruleError where there is no such embedding, or one of another size.
    """

    source = "Press and Wolf, Using the Output Embedding to Improve Language Models (2017), §3"
    equations = """
    data x[...,d]
    parameter E[v,d]
    s[...,v] = sum[d](x[...,d]*E[v,d])
    """

    embedding: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("Unembedding", "embedding", self.embedding)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope, name = under.scope(self.family), f"embedding{self.embedding}.E"
        rows = next((tensor for tensor in under.inputs if tensor.name == name), None)
        if rows is None:
            raise ChainruleError(f"{scope}: there is no {name}; put an Embedding before it")
        sizes = under.size(rows.axes[1]), under.size(x.axes[-1])
        if None not in sizes and sizes[0] != sizes[1]:
            raise ChainruleError(f"{scope}: {name} has {sizes[0]} numbers for each symbol, but {x} has {sizes[1]}")
        read = Tensor(name, (rows.axes[0], x.axes[-1]))
        return place_definition(under, self, scope, {"x": x, "E": read})["s"]
