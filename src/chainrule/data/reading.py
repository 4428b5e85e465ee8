"""The kinds of data that estimators take: how each is recognised, and what learns to read it.

data frame, array [row, column]     Frame → Table       numbers, true/false, text, gaps
array [row, …] of numbers           Cells → Grid
folder, files or bytes of images    Pixels, Files → Pictures
list of texts, a column of prose    Texts → Symbols     words; characters or pieces where a rule says so
list of arrays [t, c], .ts file     Series → ChannelReader
folder or files of sound            Recordings → SoundReader

Texts, series and sound are read by rules (``data/rule.py``), which the setting ``reading=`` of an estimator may choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.audio import LogMel, SoundReader
from chainrule.data.frame import Frame
from chainrule.data.grid import Cells, Grid, fit_grid
from chainrule.data.images import Files, Pixels, is_image_source, read_images
from chainrule.data.pictures import Pictures, fit_pictures
from chainrule.data.reader import Data, Reader
from chainrule.data.recordings import Recordings, are_recordings
from chainrule.data.rule import ReadingRule
from chainrule.data.series import ChannelReader, Channels, Series, are_series
from chainrule.data.table import Table, fit_table
from chainrule.data.text import Pieces, Symbols, Texts, Words, are_texts
from chainrule.errors import ChainruleError

Array = NDArray[Any]

READERS: Mapping[str, Any] = {
    kind.__name__: kind for kind in (Table, Grid, Pictures, Symbols, Pieces, ChannelReader, SoundReader)
}

# What reads rows of a kind where nothing was said.
RULES: Mapping[type[Any], ReadingRule] = {Recordings: LogMel(), Series: Channels(), Texts: Words()}


def fit_reader(data: Data, weights: Array, rule: ReadingRule | None = None) -> Reader:
    """Learn from training rows how such rows are read; a row of weight w counts as w rows."""
    rule = RULES.get(type(data)) if rule is None else rule
    if rule is not None:
        return rule.fit(data, weights)
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


def special(X: Any, reader: Reader | None, rule: ReadingRule | None = None) -> Data | None:
    """Data that are neither a table nor an array of numbers; ``reader``: that of a fitted model, ``rule``: that which
    the user chose.  None if X is neither of the kinds above.
    """
    if rule is None and isinstance(reader, SoundReader):
        rule = reader.rule
    elif rule is None and reader is not None:
        rule = {ChannelReader: RULES[Series], Symbols: RULES[Texts], Pieces: RULES[Texts]}.get(type(reader))
    if rule is not None:
        return rule.rows(X)
    if isinstance(X, Texts | Series | Recordings):
        return X
    if isinstance(reader, Pictures):
        return reader.rows(X)
    if isinstance(X, Pixels | Files):
        return X
    if reader is None and is_image_source(X):
        return Pixels(X) if isinstance(X, np.ndarray) else read_images(X)
    for kind, are_such in ((Recordings, are_recordings), (Series, are_series), (Texts, are_texts)):
        if reader is None and are_such(X):
            return RULES[kind].rows(X)
    if isinstance(X, str | Path):
        raise ChainruleError(f"{X}: {'nothing in it can be read as rows' if Path(X).exists() else 'no such file'}")
    return None
