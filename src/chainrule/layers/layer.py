"""What a layer is: equations from ``x`` to its last tensor, written under a scope of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chainrule.definition import Definition
from chainrule.initializers import Initializer
from chainrule.layers.composition import Composition, Tensor, place_definition


@dataclass(frozen=True, repr=False)
class Layer(Definition):
    """A layer reads ``x`` and its last equation is its output.

    ``family`` is the name of its scopes (``dense`` for dense1, dense2, …).
    """

    family: ClassVar[str] = ""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "family" not in vars(cls):
            cls.family = cls.__name__.lower()

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        """Write the layer applied to ``x`` and return its output."""
        made = place_definition(
            under,
            self,
            under.scope(self.family),
            {"x": x},
            sizes=self.new_sizes,
            initializers=self.initializers,
        )
        return made[self.system.equations[-1].name]

    @property
    def new_sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The sizes of the axes that the layer makes."""
        return {}

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        """What each of its parameters starts as."""
        return {}

    @property
    def predicting(self) -> Layer:
        """The layer that takes this one's place once training is over."""
        return self

    @property
    def sampling(self) -> Layer:
        """The layer that takes this one's place once training is over, where dropout still leaves out units."""
        return self.predicting
