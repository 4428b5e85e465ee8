"""How the members of an ensemble come about, where they are not networks of their own.

Members that share weights are one larger network.  In it, a shared weight stands between factors for each feature that
are a member's own: member e has the weight ``W[i,j]*r[e,i]*s[e,j]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.definition import Definition, check_count
from chainrule.errors import ChainruleError
from chainrule.initializers import Constant, Initializer, RandomSigns
from chainrule.layers.layer import Layer
from chainrule.layers.network import layers_within
from chainrule.layers.shared import adapted, is_adaptable, is_shared, rewritten

_SIGNS = RandomSigns()
_ONES = Constant(1.0)


@dataclass(frozen=True, repr=False)
class Ensemble(Definition):
    """Where several networks come from: ``Classifier(ensemble=TabM())``."""


@dataclass(frozen=True, repr=False)
class SharedWeights(Ensemble):
    """Members that have the weights of dense layers and convolutions in common, and everything else of their own.

    As in any ensemble, each sees the rows in an order of its own, but all in one order where rows are made or padded
    when they are needed: texts, sequences, augmented images.
    """

    members: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "members", check_count(type(self).__name__, "members", self.members))

    def network(self, network: Layer) -> Layer:
        """One member's network.  Raises ChainruleError where it has no weights that can be shared."""
        raise NotImplementedError

    def _adaptable(self, network: Layer, least: int) -> int:
        """How many layers of the network have weights that can be shared.  Raises ChainruleError below ``least``."""
        found = sum(map(is_adaptable, layers_within(network)))
        if is_shared(network):
            raise ChainruleError(
                f"{self!r} decides what members share, and {network!r} has Shared layers of its own; with them, "
                f"ensemble={self.members} is enough"
            )
        if found < least:
            beside = " before the last" if least > 1 else ""
            raise ChainruleError(
                f"{self!r} shares the weights of dense layers and convolutions{beside}; {network!r} has none"
            )
        return found


@dataclass(frozen=True, repr=False)
class BatchEnsemble(SharedWeights):
    """Members that differ from shared weights by matrices of rank one, in every layer; their factors begin as 1 or -1.

    ``members``: how many.  One more costs its factors and biases in memory, and in time as much as a network alone.
    """

    source = "Wen, Tran, Ba, BatchEnsemble (2020), §3.1"

    def network(self, network: Layer) -> Layer:
        self._adaptable(network, 1)
        return rewritten(network, lambda layer: adapted(layer, _SIGNS, _SIGNS))


@dataclass(frozen=True, repr=False)
class TabM(SharedWeights):
    """Members with shared weights and a last layer of their own; the very first factors begin as 1 or -1, the others
    as 1, so that members begin as one network that sees the features with different signs.

    ``members``: how many.
    """

    source = "Gorishniy, Kotelnikov, Babenko, TabM (2025), §3.3"

    members: int = 32

    def network(self, network: Layer) -> Layer:
        last = self._adaptable(network, 2) - 1
        places = iter(range(last + 1))
        return rewritten(network, lambda layer: self._layer(layer, places, last))

    def _layer(self, layer: Layer, places: Iterator[int], last: int) -> Layer:
        if not is_adaptable(layer):
            return layer
        place = next(places)
        first: Initializer = _SIGNS if place == 0 else _ONES
        return layer if place == last else adapted(layer, first, _ONES)
