"""Predicting: the network compiled with its parameters in place, kept beside the model for the next call.

Nothing is written into the model, so predicting does not change it and a pickle of it holds no machine code.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from chainrule.data.table import Table
from chainrule.training.programs import backend_name, program
from chainrule.training.threads import allowed_threads

Array = NDArray[Any]

ROWS_AT_ONCE = 8192
PLAIN = tuple(np.dtype(kind) for kind in "fdbhilqBHILQ")  # floats of 4 and 8 bytes, whole numbers of any size


class Predictor:
    """The prediction [b, …] of one state of a model, in float64, so that a row's does not depend on those beside it."""

    def __init__(self, model: Any, backend: str) -> None:
        step = model.specification_.step
        self.backend = backend
        self.threads = partial(allowed_threads, backend) if backend == "numpy" else nullcontext
        self.specification = model.specification_
        self.input = model.input_
        self.arrays = dict(model.parameters_)
        for array in self.arrays.values():
            array.flags.writeable = False  # who wants another value puts another array, which is noticed
        self.name = step.prediction.name
        self.bound = program(step.prediction_system, (self.name,), "float64", backend).bind(self.arrays)
        self.shape = self.input.shape
        table = self.input if isinstance(self.input, Table) else None
        numbers_only = table is not None and not table.text_at and not hasattr(model, "feature_names_in_")
        self.table = table if numbers_only else None

    def is_of(self, model: Any, backend: str) -> bool:
        """Whether the model is still as it was."""
        now = model.parameters_
        return (
            self.specification is model.specification_
            and self.input is model.input_
            and self.backend == backend
            and len(now) == len(self.arrays)
            and all(now.get(name) is array for name, array in self.arrays.items())
        )

    def of_plain(self, X: Any) -> Array | None:
        """The prediction for an array of finite numbers [b, k], if there is nothing about it to check or to convert:
        of a width that was trained on, on an array too, with columns of numbers.  Else None.
        """
        table = self.table
        if table is None or type(X) is not np.ndarray or X.dtype not in PLAIN:
            return None
        if X.ndim != 2 or X.shape[1] != len(table.columns) or not len(X):
            return None
        if len(table.number_at) == len(table.columns):
            return self._in_blocks(len(X), lambda rows, x: table.scale(X[rows], x))
        at = list(table.number_at)
        return self._in_blocks(len(X), lambda rows, x: table.scale(X[rows, at], x))

    def of_encoded(self, x: Array) -> Array:
        """The prediction for what the network reads."""

        def write(rows: slice, block: Array) -> bool:
            block[...] = x[rows]
            return True

        found = self._in_blocks(len(x), write)
        assert found is not None
        return found

    def _in_blocks(self, count: int, write: Callable[[slice, Array], bool]) -> Array | None:
        """``write`` puts what the network reads for some rows into an array of zeros; None where it says that it could
        not.
        """
        made = []
        with self.threads():
            for start in range(0, count, ROWS_AT_ONCE):
                rows = min(ROWS_AT_ONCE, count - start)
                x = np.zeros((_rounded(rows), *self.shape))
                if not write(slice(start, start + rows), x[:rows]):
                    return None
                made.append(self.bound({"x": x})[self.name][:rows])
        return made[0] if len(made) == 1 else np.concatenate(made)


def _rounded(rows: int) -> int:
    """The next of 1, 2, 3, 4, 6, 8, 12, 16, …: code is written for a few numbers of rows, not for each that occurs."""
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if power >= 4 and rows <= power * 3 // 4 else power


_predictors: WeakKeyDictionary[Any, Predictor] = WeakKeyDictionary()


def predictor(model: Any) -> Predictor:
    """The predictor of a fitted model as it is now."""
    backend = backend_name(model.backend)
    found = _predictors.get(model)
    if found is None or not found.is_of(model, backend):
        found = _predictors[model] = Predictor(model, backend)
    return found
