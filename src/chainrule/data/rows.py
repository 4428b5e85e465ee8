"""Rows of training data: their weights, which of them are the same, and which are kept aside for validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.frame import number_or_none
from chainrule.data.target import Labels
from chainrule.definition import check_number
from chainrule.errors import ChainruleError

Array = NDArray[Any]


def read_weights(sample_weight: Any, rows: int) -> Array:
    """The weight of each row [b]; all 1 if none are given.

    Raises ChainruleError for weights of another shape, that are no finite numbers, negative, or all zero.
    """
    if sample_weight is None:
        return np.ones(rows)
    weights = np.asarray(sample_weight)
    if weights.ndim == 0 and number_or_none(weights.item()) is not None:
        return np.full(rows, float(weights))
    if weights.shape != (rows,):
        raise ChainruleError(f"sample_weight has shape {weights.shape}; X has {rows} rows, so it must be ({rows},)")
    try:
        weights = weights.astype(np.float64)
    except (TypeError, ValueError):
        raise ChainruleError("sample_weight holds something that is not a number") from None
    wrong = np.nonzero(~np.isfinite(weights) | (weights < 0))[0]
    if len(wrong):
        raise ChainruleError(f"sample_weight, row {wrong[0] + 1}: {weights[wrong[0]]} is no weight (finite, 0 or more)")
    if not weights.any():
        raise ChainruleError("sample_weight: all weights are zero")
    return weights


def class_weights(class_weight: Any, labels: Labels, y: Array, weights: Array) -> Array:
    """The weight of each row [b] times that of its class: a mapping, ``"balanced"``, or None.

    ``y`` are class numbers; for several classes a row (multilabel) only None is allowed.
    """
    if class_weight is None:
        return weights
    if labels.several:
        raise ChainruleError("class_weight is for one class a row; use sample_weight for several")
    if isinstance(class_weight, str) and class_weight == "balanced":
        # As in scikit-learn, but among the classes that occur: a part of the rows need not have them all.
        of_class = np.bincount(y, weights, minlength=labels.size)
        occurs = of_class > 0
        of_class[occurs] = weights.sum() / (occurs.sum() * of_class[occurs])
    elif isinstance(class_weight, Mapping):
        known = labels.classes.tolist()
        for label in class_weight:
            if label not in known:
                raise ChainruleError(f"class_weight: {label!r} is not one of the classes {', '.join(map(str, known))}")
        for label, weight in class_weight.items():
            check_number("class_weight", f"the weight of class {label!r}", weight, low=0)
        of_class = np.array([float(class_weight.get(label, 1.0)) for label in known])
    else:
        raise ChainruleError(f"class_weight is None, 'balanced' or a mapping of class to weight, not {class_weight!r}")
    weighed = np.asarray(weights * of_class[y])
    if not weighed.any():
        raise ChainruleError("class_weight: every row here is of a class of weight 0")
    return weighed


def merge(parts: list[Array], weights: Array) -> tuple[Array, Array]:
    """Rows that are the same in all parts are one row, whose weight is the sum of theirs; rows of weight 0 are none.

    Returns the numbers of the rows kept and their weights.  The rows come in an order that depends on what they hold
    only.  So a weight of 2 is exactly a row given twice, the order in which rows are given does not matter, and a row
    cannot stand on both sides of a validation split.  Each part is [b, …] of numbers or whole numbers.
    """
    rows = len(weights)
    columns = [np.ascontiguousarray(part).reshape(rows, -1) for part in parts if part.size]
    # Adding 0 makes -0 and 0 the same bytes.
    held = np.hstack([np.ascontiguousarray(column + 0).view(np.uint8).reshape(rows, -1) for column in columns])
    keys = held.view(np.dtype((np.void, held.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    total = np.bincount(inverse, weights, minlength=len(first))
    kept = total > 0
    return first[kept], total[kept]


def split(rows: int, fraction: float, strata: Array | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Numbers of training rows and of validation rows.

    ``strata`` [b] (class numbers): each class is split by itself, in the same proportion, and keeps at least one row
    for training.
    """
    groups = [np.arange(rows)] if strata is None else [np.nonzero(strata == k)[0] for k in np.unique(strata)]
    kept, aside = [], []
    carry = 0.0
    for group in groups:
        shuffled = rng.permutation(group)
        # What rounding takes from one class is given to the next, so that the whole comes out right.
        wanted = fraction * len(group) + carry
        count = min(round(wanted), len(group) - 1)
        carry = wanted - count
        aside.append(shuffled[:count])
        kept.append(shuffled[count:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(aside))
