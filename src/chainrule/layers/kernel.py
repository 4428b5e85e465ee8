"""What convolutions have in common: the axes that they read and write, their weights and their biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.definition import check_instance
from chainrule.equations.system import System
from chainrule.errors import ChainruleError
from chainrule.initializers import GlorotUniform, Initializer, Zeros
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.layer import Layer
from chainrule.layers.window import PLACES, SLID, next_axis

GLOROT = GlorotUniform()
ZEROS = Zeros()


@dataclass(frozen=True, repr=False)
class Windowed(Layer):
    """A layer that reads ``rank`` axes between b and the channels, and writes as many."""

    rank: ClassVar[int]

    def check_axes(self, scope: str, x: Tensor) -> None:
        """Raise ChainruleError unless x has the axes that the layer reads, with channels or without."""
        places = ",".join(PLACES[self.rank])
        if len(x.axes) not in (self.rank + 1, self.rank + 2) or x.axes[0] != "b":
            raise ChainruleError(
                f"{scope}: {type(self).__name__} reads x[b,{places},c] or, with one channel, x[b,{places}]; "
                f"it is given {x}"
            )

    def place_along(
        self, under: Composition, scope: str, x: Tensor, definition: System, channels: str, slid: Sequence[str]
    ) -> Tensor:
        """Place the definition, its output along axes named after those of x."""
        axes = dict(zip(SLID[self.rank], ((name,) for name in slid), strict=True))
        if channels in definition.axes:
            axes[channels] = (next_axis(under, x.axes[-1]) if len(x.axes) == self.rank + 2 else under.fresh_axis("c"),)
        initializers = {name: start for name, start in self.initializers.items() if name in definition.input_by_name}
        made = under.place(definition, scope, {"x": x}, axes=axes, initializers=initializers)
        return made[definition.equations[-1].name]


# texts


def listed(*names: str) -> str:
    """The axes that there are, with commas between them; an empty name is none."""
    return ",".join(name for name in names if name)


def declared(biases: Initializer | None, axis: str) -> str:
    """What follows the declaration of W."""
    return "" if biases is None else f", β[{axis}]"


def added(biases: Initializer | None, axis: str) -> str:
    """What follows the sum."""
    return "" if biases is None else f" + β[{axis}]"


def check_initializers(owner: str, weights: object, biases: object) -> None:
    """Raise ChainruleError unless both are initializers; biases may be None."""
    check_instance(owner, "weights", weights, Initializer)
    if biases is not None:
        check_instance(owner, "biases", biases, Initializer)


def initializers_of(weights: Initializer, biases: Initializer | None) -> dict[str, Initializer]:
    """What W and, where there are biases, β start as."""
    return {"W": weights} if biases is None else {"W": weights, "β": biases}
