"""The kinds of data that estimators take: how each is recognised, and what learns to read it.

data frame, array [row, column]     Frame → Table       numbers, true/false, text, gaps
array [row, …] of numbers           Cells → Grid
folder, files or bytes of images    Pixels, Files → Pictures
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.frame import Frame
from chainrule.data.grid import Cells, Grid, fit_grid
from chainrule.data.images import Files, Pixels, is_image_source, read_images
from chainrule.data.pictures import Pictures, fit_pictures
from chainrule.data.reader import Data, Reader
from chainrule.data.table import Table, fit_table
from chainrule.errors import ChainruleError

Array = NDArray[Any]

READERS: Mapping[str, Any] = {"Table": Table, "Grid": Grid, "Pictures": Pictures}


def fit_reader(data: Data, weights: Array) -> Reader:
    """Learn from training rows how such rows are read; a row of weight w counts as w rows."""
    if isinstance(data, Frame):
        return fit_table(data, weights)
    if isinstance(data, Pixels | Files):
        return fit_pictures(data, weights)
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
    if isinstance(reader, Pictures):
        return reader.rows(X)
    if isinstance(X, Pixels | Files):
        return X
    if reader is None and is_image_source(X):
        return Pixels(X) if isinstance(X, np.ndarray) else read_images(X)
    if isinstance(X, str | Path):
        raise ChainruleError(f"{X}: {'nothing in it can be read as rows' if Path(X).exists() else 'no such file'}")
    return None
