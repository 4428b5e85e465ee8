"""What the inputs of a network have in common, whatever they are: tables, grids of numbers, images, texts, sounds.

``Data`` are rows as they were given, read and checked.  A ``Reader`` says how they become the numbers of a network; it
is learnt from the training rows and saved with the model.  ``data/reading.py`` lists the kinds that there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.system import Role

Array = NDArray[Any]


@runtime_checkable
class Data(Protocol):
    """Rows."""

    def __len__(self) -> int: ...

    def take(self, rows: Array) -> Self:
        """These rows, in this order."""
        ...

    def parts(self) -> list[Array]:
        """Arrays of numbers [b, …] in which equal rows, and only they, have equal numbers."""
        ...


class Reader(Protocol):
    """From rows to the numbers of a network: ``x[b, …]`` and, where rows differ in length, ``length[b]``."""

    @property
    def sizes(self) -> Mapping[str, int | None]:
        """The axes of one row and their sizes; None where rows differ."""
        ...

    @property
    def role(self) -> Role:
        """``data``, or ``integer`` where x are whole numbers (symbols of a vocabulary)."""
        ...

    @property
    def length(self) -> str | None:
        """The axis along which rows differ in length."""
        ...

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """The arrays that the network reads.  Raises ChainruleError for rows that are not like those learnt from."""
        ...

    def lines(self) -> list[tuple[str, str]]:
        """What is done to the rows, in words."""
        ...

    def to_json(self) -> dict[str, Any]: ...


class FixedShape:
    """What readers have in common that give each row as numbers of one shape."""

    @property
    def role(self) -> Role:
        return "data"

    @property
    def length(self) -> None:
        return None


@runtime_checkable
class PictureReader(Reader, Protocol):
    """A reader of images, or of what may be images: ``encode`` is ``scaled`` after ``measured``."""

    def measured(self, data: Any, dtype: Any = np.float32) -> Array:
        """The images [b, …] as numbers, before they are scaled; the array is its caller's to change."""
        ...

    def scaled(self, images: Array) -> Array:
        """Such numbers as the network reads them; the array given may be written over."""
        ...
