"""The contract that every backend keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


class Program(Protocol):
    """A compiled system."""

    def run(
        self,
        values: Mapping[str, ArrayLike],
        state: dict[str, Any],
        steps: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
        first_step: int = 0,
    ) -> dict[str, Array]:
        """Run one step, or one for each entry of ``steps``.

        ``values``: data and integer inputs that are the same in every step.  ``state``: parameters and states by
        name; after the last step those with a next value are replaced in this dictionary by new arrays, the arrays
        given stay as they are.  A state that is missing starts at its declared value.  ``steps``: inputs that change
        from step to step, with one more axis in front, whose length is the number of steps.  Random inputs are drawn
        from (seed, first_step + n, name).  The result holds each output, with the step axis in front if ``steps``
        was given.

        Raises ChainruleError where an input is missing or sizes conflict.
        """
        ...

    def bind(self, state: Mapping[str, ArrayLike]) -> Callable[[Mapping[str, ArrayLike]], dict[str, Array]]:
        """A function of the data alone: one step with these parameters, which stay as they are.

        Quicker than ``run`` for many small calls: the parameters are taken over once.
        """
        ...

    @property
    def source(self) -> str:
        """The code, as text."""
        ...
