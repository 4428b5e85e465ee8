"""Predicting: the network compiled with its parameters in place, kept beside the model for the next call.

Nothing is written into the model, so predicting does not change it and a pickle of it holds no machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from operator import is_
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from chainrule.data.ragged import Ragged, in_blocks
from chainrule.data.table import SCALING, Table
from chainrule.equations.compose import instantiate
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.estimators.model import longest_row
from chainrule.estimators.summary import rows_at_once
from chainrule.layers.composition import Tensor
from chainrule.training.programs import backend_name, program
from chainrule.training.threads import allowed_threads

Array = NDArray[Any]
Bound = Callable[[Mapping[str, Any]], Mapping[str, Any]]

PLAIN = frozenset(np.dtype(kind) for kind in "fdbhilqBHILQ")  # floats of 4 and 8 bytes, whole numbers of any size
NUMBERS, CHECKED = "table.n", "table.sum"


class Predictor:
    """What is predicted of each row, [b, …], by one state of a model: in float64, so that a row's does not depend on
    those beside it.

    ``system`` computes the tensor ``predicted``, or several.
    """

    def __init__(self, model: Any, system: System, predicted: tuple[Tensor, ...]) -> None:
        self.wanted = model.backend
        self.backend = backend = backend_name(model.backend)
        self.threads = partial(allowed_threads, backend) if backend == "numpy" else nullcontext
        self.specification = model.specification_
        self.input = model.input_
        self.arrays = dict(model.parameters_)
        for array in self.arrays.values():
            array.flags.writeable = False  # who wants another value puts another array, which is noticed
        self.predicted = predicted
        self.names = tuple(tensor.name for tensor in predicted)
        self.at_once = rows_at_once(system)
        self.bound = program(system, self.names, "float64", backend).bind(self.arrays)
        self.columns: tuple[int, ...] | None = None
        if isinstance(self.input, Table) and not self.input.text_at and not hasattr(model, "feature_names_in_"):
            self._read_numbers(self.input, system)

    def _read_numbers(self, table: Table, system: System) -> None:
        """The program from a table's numbers to the prediction, and to a sum that is NaN where one is missing.

        What a table's network reads is numbers, then a 1 where one is missing.  With σ = ∞ a number becomes 0, so those
        that say where one is missing may stand at any column.
        """
        more = len(table.features) - len(table.number_at)
        self.columns = (*table.number_at, *[table.number_at[0]] * more)
        self.as_they_are = self.columns == tuple(range(len(table.columns)))
        self.width = len(table.columns)
        at = system.input_by_name["x"].axes[1:]
        names = {name: f"table.{name}" for name in ("n", "μ", "σ", "z")}
        scaling = instantiate(parse(SCALING + "s = sum[b,i](x[b,i])", "scaling"), names | {"s": CHECKED}, {"i": at})
        whole = System(
            (*scaling.equations, *system.equations),
            (*scaling.inputs, *(tensor for tensor in system.inputs if tensor.name != "x")),
            system.sizes,
        )
        extra = {"μ": np.zeros(more), "σ": np.full(more, np.inf)}
        given = {names[name]: np.concatenate([value, extra[name]]) for name, value in table.scaling.items()}
        self.direct = program(whole, (*self.names, CHECKED), "float64", self.backend).bind(self.arrays | given)

    def is_of(self, model: Any) -> bool:
        """Whether the model is still as it was."""
        now = model.parameters_
        return (
            self.specification is model.specification_
            and self.input is model.input_
            and self.wanted == model.backend
            and len(now) == len(self.arrays)
            and all(map(is_, now.values(), self.arrays.values()))
        )

    def of_plain(self, X: Any) -> Array | None:
        """The prediction for an array of finite numbers [b, k], if there is nothing about it to check or to convert:
        of a width that was trained on, on an array too, with columns of numbers.  Else None.
        """
        if self.columns is None or type(X) is not np.ndarray or X.dtype not in PLAIN:
            return None
        if X.ndim != 2 or X.shape[1] != self.width or not len(X):
            return None
        if not self.as_they_are:
            X = X[:, self.columns]
        return self._in_blocks({NUMBERS: X}, self.direct)

    def of_encoded(self, values: Mapping[str, Array]) -> Array:
        """The prediction for what the network reads."""
        return np.asarray(self._in_blocks(values, self.bound))

    def of_sequences(self, sequences: Ragged) -> Array:
        """The prediction for rows of different length, those of similar length together."""
        order, made = [], []
        for rows, size in in_blocks(sequences.lengths, self.at_once, longest_row(self.specification.network)):
            order.append(rows)
            made.append(self.of_encoded(sequences.arrays(rows, size)))
        return np.concatenate(made)[np.argsort(np.concatenate(order))]

    def _in_blocks(self, values: Mapping[str, Array], bound: Bound) -> Array | None:
        """The prediction for rows of data; None where one of them has no number."""
        made = []
        (count,) = {len(value) for value in values.values()}
        with self.threads():
            for start in range(0, count, self.at_once):
                rows = min(self.at_once, count - start)
                found = bound({name: _block(value, start, rows) for name, value in values.items()})
                if CHECKED in found and found[CHECKED] != found[CHECKED]:
                    return None
                made.append(self._of_rows(found)[:rows])
        return made[0] if len(made) == 1 else np.concatenate(made)

    def _of_rows(self, found: Mapping[str, Any]) -> Array:
        """What was computed, the axis of the rows first."""
        return np.asarray(found[self.names[0]])


class DistributionPredictor(Predictor):
    """The parameters of the distribution of each row, side by side along a last axis: [b, …, p], [b, e, …, p]."""

    def _of_rows(self, found: Mapping[str, Any]) -> Array:
        several = any(tensor.axes[0] != "b" for tensor in self.predicted)
        parts = [
            np.moveaxis(found[tensor.name], tensor.axes.index("b"), 0)
            if tensor.axes[0] != "b" or not several
            else np.expand_dims(found[tensor.name], 1)  # the same for all members
            for tensor in self.predicted
        ]
        return np.stack(np.broadcast_arrays(*parts), axis=-1)


def _block(value: Array, start: int, rows: int) -> Array:
    """Some rows, and zeros behind them up to a number of rows for which there is code."""
    more = _rounded(rows) - rows
    block = value[start : start + rows]
    return block if not more else np.concatenate([block, np.zeros((more, *value.shape[1:]), value.dtype)])


def _rounded(rows: int) -> int:
    """The next of 1, 2, 3, 4, 6, 8, 12, 16, …: code is written for a few numbers of rows, not for each that occurs."""
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if power >= 4 and rows <= power * 3 // 4 else power


_predictors: WeakKeyDictionary[Any, Predictor] = WeakKeyDictionary()
_distributions: WeakKeyDictionary[Any, DistributionPredictor] = WeakKeyDictionary()


def predictor(model: Any) -> Predictor:
    """The predictor of a fitted model as it is now; what the environment says is read when it is made."""
    found = _predictors.get(model)
    if found is None or not found.is_of(model):
        step = model.specification_.trained
        found = _predictors[model] = Predictor(model, step.prediction_system, (step.prediction,))
    return found


def distribution_predictor(model: Any) -> DistributionPredictor:
    """The same, of the parameters of the distribution that the model's loss assumes."""
    found = _distributions.get(model)
    if found is None or not found.is_of(model):
        step = model.specification_.trained
        found = DistributionPredictor(model, step.distribution_system, tuple(step.distribution.values()))
        _distributions[model] = found
    return found
