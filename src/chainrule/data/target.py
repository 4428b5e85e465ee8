"""What is to be predicted, as a network learns it: classes as whole numbers, values at mean 0 and deviation 1."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from chainrule.data.frame import is_missing, number_or_none
from chainrule.errors import ChainruleError

Array = NDArray[Any]


@dataclass(frozen=True)
class Labels:
    """The classes in order.  ``several``: each row has any number of them (multilabel), so the target is [b, k] of 0
    and 1; else it is the number of the row's class, [b].
    """

    classes: Array
    several: bool = False

    @property
    def size(self) -> int:
        """The number of classes, axis k."""
        return len(self.classes)

    def encode(self, y: Array) -> Array:
        """Labels as the network learns them: [b] of class numbers, or [b, k] of 0 and 1.

        Raises ChainruleError for a label that is not among the classes, naming its row.
        """
        if self.several:
            return y.astype(np.float32)
        place = {label: k for k, label in enumerate(self.classes.tolist())}
        numbers = np.array([place.get(label, -1) for label in y.tolist()], dtype=np.int64)
        if (numbers < 0).any():
            row = int(np.argmin(numbers))
            raise ChainruleError(f"y, row {row + 1}: {y[row]!r} is not one of the classes {_listed(self.classes)}")
        return numbers

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "labels",
            "classes": self.classes.tolist(),
            "dtype": "str" if self.classes.dtype.kind in "OUT" else self.classes.dtype.str,
            "several": self.several,
        }


@dataclass(frozen=True)
class Values:
    """Mean and deviation of each value to be predicted, [o].  ``single``: the target was given as one column [b]."""

    mean: Array
    deviation: Array
    single: bool = True

    @property
    def size(self) -> int:
        """The number of values a row, axis o."""
        return len(self.mean)

    def encode(self, y: Array) -> Array:
        """Values at mean 0 and deviation 1, [b, o]."""
        return ((y.reshape(len(y), -1) - self.mean) / self.deviation).astype(np.float32)

    def decode(self, z: Array) -> Array:
        """Predictions in the target's own unit: [b], or [b, o] where the target had several columns."""
        y = z.astype(np.float64) * self.deviation + self.mean
        return y[:, 0] if self.single else y

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "values",
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "single": self.single,
        }


Target = Labels | Values


def target_from_json(data: Mapping[str, Any]) -> Target:
    """What ``to_json`` wrote."""
    if data["kind"] == "labels":
        kind = object if data["dtype"] == "str" else np.dtype(data["dtype"])
        return Labels(np.array(data["classes"], dtype=kind), bool(data["several"]))
    if data["kind"] == "values":
        return Values(
            np.array(data["mean"], dtype=float), np.array(data["deviation"], dtype=float), bool(data["single"])
        )
    raise ValueError(f"unknown kind of target {data['kind']!r}")


def read_labels(y: Any) -> Array:
    """Labels as an array [b] or, for several a row, [b, k] of 0 and 1.

    Raises ChainruleError for missing labels and for targets that are no classes, in scikit-learn's words.
    """
    array = _array(y)
    if array.dtype.kind in "UT" and array.ndim == 1 and isinstance(y, list | tuple):
        array = np.array(y, dtype=object)  # NumPy has made texts of all of them
    if array.dtype.kind in "Mm":
        raise ChainruleError("y holds dates; give classes as text or whole numbers")
    if array.dtype.kind == "O" and array.ndim == 1:
        for row, label in enumerate(array, 1):
            if label is None or (not isinstance(label, str) and is_missing(label)):
                raise ChainruleError(f"y, row {row} is missing; leave out the rows without a label")
        kinds = {_kind(label): label for label in reversed(array)}
        if len(kinds) > 1:
            first, second = list(kinds.values())[:2]
            raise ChainruleError(f"y has labels of more than one type ({first!r} and {second!r}); make them one")
        if "date" in kinds:
            raise ChainruleError("y holds dates; give classes as text or whole numbers")
        array = np.asarray(array.tolist())
        array = array.astype(object) if array.dtype.kind in "UT" else array
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        problem = "is missing" if np.isnan(array[row]).any() else "is infinite"
        raise ChainruleError(f"y, row {row + 1} {problem}; leave out the rows without a label")
    elif array.dtype.kind in "UT":
        array = array.astype(object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn asks whether many classes are meant; a table may have them
        try:
            check_classification_targets(array)
            kind = type_of_target(array)
        except ValueError as error:
            raise ChainruleError(str(error)) from None
    if kind == "multiclass-multioutput":
        raise ChainruleError("y has several columns of more than two classes; fit one classifier for each column")
    return array


def fit_labels(y: Array) -> Labels:
    """The classes that occur.  Raises ChainruleError if there is one only."""
    if y.ndim == 2:
        return Labels(np.arange(y.shape[1]), several=True)
    classes = np.unique(y)
    if len(classes) < 2:
        raise ChainruleError(f"y has one class only ({classes[:1].tolist()[0]!r}); a classifier needs at least two")
    return Labels(classes)


def read_values(y: Any) -> Array:
    """Numbers to be predicted, [b] or [b, o], in float64.

    Raises ChainruleError naming the row of a value that is missing, infinite or text.
    """
    array = _array(y)
    if array.dtype.kind not in "fiub":
        if array.dtype.kind in "Mmc":
            raise ChainruleError("y holds dates or complex numbers; a regressor needs real numbers")
        flat = [None if is_missing(value) else value for value in array.ravel().tolist()]
        width = array.size // max(len(array), 1)
        for place, value in enumerate(flat):
            if value is not None and number_or_none(value) is None:
                raise ChainruleError(
                    f"y, row {place // width + 1}: {value!r} is not a number (for classes: Classifier)"
                )
        array = np.array([np.nan if value is None else float(value) for value in flat]).reshape(array.shape)
    array = array.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        problem = "is missing" if np.isnan(array[tuple(wrong[0])]) else "is infinite"
        raise ChainruleError(f"y, row {wrong[0][0] + 1} {problem}; leave out the rows without a target")
    if array.ndim > 2:
        raise ChainruleError(f"y has {array.ndim} axes; a target is one column or a table of them")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def fit_values(y: Array, weights: Array | None = None) -> Values:
    """Mean and deviation of each column; a row of weight w counts as w rows."""
    table = y.reshape(len(y), -1)
    mean = np.average(table, axis=0, weights=weights)
    deviation = np.sqrt(np.average((table - mean) ** 2, axis=0, weights=weights))
    # A constant target has no deviation to divide by (what is left of one is rounding).
    deviation[deviation <= 1e-12 * np.abs(mean)] = 1.0
    deviation[deviation == 0] = 1.0
    return Values(mean, deviation, y.ndim == 1)


def _array(y: Any) -> Array:
    if y is None:
        raise ChainruleError("this estimator requires y to be passed, but the target y is None")
    if hasattr(y, "toarray"):
        y = y.toarray()
    return np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)


def _kind(label: object) -> str:
    """What labels are compared as: numbers of every type are one kind."""
    if isinstance(label, bool | np.bool_):
        return "true or false"
    if isinstance(label, date | timedelta | np.datetime64 | np.timedelta64):
        return "date"
    return "number" if isinstance(label, numbers.Real) else "text" if isinstance(label, str) else type(label).__name__


def _listed(classes: Array) -> str:
    shown = ", ".join(map(str, classes[:6].tolist()))
    return shown + (", …" if len(classes) > 6 else "")
