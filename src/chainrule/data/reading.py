"""The kinds of data that estimators take: how each is recognised, and what learns to read it.

data frame, array [row, column]     Frame → Table       numbers, true/false, text, gaps
array [row, …] of numbers           Cells → Grid
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from chainrule.data.frame import Frame
from chainrule.data.grid import Cells, Grid, fit_grid
from chainrule.data.reader import Data, Reader
from chainrule.data.table import Table, fit_table

Array = NDArray[Any]

READERS: Mapping[str, Any] = {"Table": Table, "Grid": Grid}


def fit_reader(data: Data, weights: Array) -> Reader:
    """Learn from training rows how such rows are read; a row of weight w counts as w rows."""
    if isinstance(data, Frame):
        return fit_table(data, weights)
    assert isinstance(data, Cells)
    return fit_grid(data, weights)


def reader_from_json(kind: str, fields: Mapping[str, Any]) -> Reader:
    """The reader that ``to_json`` described."""
    reader: Reader = READERS[kind].from_json(fields)
    return reader


def special(X: Any, reader: Reader | None) -> Data | None:
    """Data that are neither a data frame nor an array; ``reader``: that of a fitted model.  None if X is neither of
    the kinds above.
    """
    return None
