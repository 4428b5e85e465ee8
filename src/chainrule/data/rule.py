"""How rows are to be read, before any have been seen: the setting ``reading=`` of estimators.

A rule such as ``Words(10_000)`` is fitted to training rows and gives the ``Reader`` that is saved with the model.
Without one, ``data/reading.py`` chooses by what the rows are.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chainrule.data.reader import Data, Reader
from chainrule.definition import Definition

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class ReadingRule(Definition):
    """How rows of one kind become the numbers of a network."""

    @abstractmethod
    def rows(self, X: Any) -> Data:
        """What was given, as rows of the kind that the rule is for.  Raises ChainruleError where it is not of it."""

    @abstractmethod
    def fit(self, data: Any, weights: Array) -> Reader:
        """Learn from training rows; a row of weight w counts as w rows."""
