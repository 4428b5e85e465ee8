"""Rows kept from a model's training, so that it can be judged, or corrected, by rows that it does not know."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state, indexable

from chainrule.data.images import Files, Pixels
from chainrule.data.recordings import Recordings
from chainrule.data.series import Series
from chainrule.errors import ChainruleError

Array = NDArray[Any]


WITH_LABELS = Files | Pixels | Recordings | Series  # rows that may have come with their labels


def given_rows(X: Any, y: Any) -> tuple[Any, Any]:
    """Rows that can be taken apart, and their targets; None for ``y``: the labels that came with the rows.

    Raises ChainruleError where there are no rows or no targets, ValueError where their numbers differ.
    """
    if isinstance(X, str | Path):
        raise ChainruleError(
            f"rows that can be divided are wanted, not {str(X)!r}; read_images reads those of a folder"
        )
    if isinstance(X, WITH_LABELS):
        y = X.labels if y is None else y
    else:
        (X,) = indexable(X)
    if y is None:
        raise ChainruleError("this estimator requires y to be passed, but the target y is None")
    check_consistent_length(range(len(X)) if isinstance(X, WITH_LABELS) else X, y)
    return X, y


def take(X: Any, rows: Array) -> Any:
    """Some rows of a table, an array, a list, or of images, recordings or series."""
    return X.take(rows) if isinstance(X, WITH_LABELS) else _safe_indexing(X, rows)


def hold_out(rows: int, fraction: float, strata: Array | None, random_state: Any) -> tuple[Array, Array]:
    """Numbers of the rows to train on and of those held out.

    ``strata`` [b]: the class of each row; every class is divided in the same proportion, and one of two rows or more
    is on both sides.
    Raises ChainruleError for a fraction that is not between 0 and 1, and where nothing would be left on one side.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.number) or not 0 < fraction < 1:
        raise ChainruleError(f"calibration_fraction is a number above 0 and below 1, not {fraction!r}")
    if rows < 2:
        raise ChainruleError(f"{rows} sample(s) cannot be divided into rows to train on and rows to calibrate with")
    generator = check_random_state(random_state)
    groups = [np.arange(rows)] if strata is None else [np.flatnonzero(strata == label) for label in np.unique(strata)]
    kept, aside = [], []
    for group in groups:
        count = min(max(1, round(fraction * len(group))), len(group) - 1)
        shuffled = generator.permutation(group)
        aside.append(shuffled[:count])
        kept.append(shuffled[count:])
    if not any(map(len, aside)):
        raise ChainruleError(
            f"each of the {rows} rows is the only one of its class or group; at least one needs two, one to train with "
            "and one to calibrate with"
        )
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(aside))


def untrained(estimator: Any, random_state: Any) -> Any:
    """A copy of the estimator that is not fitted; what of it is random and has no seed is given one, if there is one
    to take it from.
    """
    made = clone(estimator)
    if random_state is not None:
        generator = check_random_state(random_state)
        settings = sorted(made.get_params(deep=True).items(), key=lambda setting: setting[0])
        unset = [name for name, value in settings if name.split("__")[-1] == "random_state" and value is None]
        made.set_params(**{name: int(generator.randint(2**31 - 1)) for name in unset})
    return made


def check_weighable(owner: str, estimator: Any) -> None:
    """Raise ChainruleError where there is no training that weights of rows could go into."""
    if is_frozen(estimator):
        raise ChainruleError(f"{owner}: sample_weight is for training, and the estimator is frozen")
    taken = signature(estimator.fit).parameters
    if "sample_weight" not in taken and not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
        raise ChainruleError(f"{owner}: sample_weight is given, and {type(estimator).__name__}.fit takes none")


def trained(estimator: Any, random_state: Any, X: Any, y: Array, rows: Array, weights: Array | None) -> Any:
    """A copy of the estimator, fitted on some of the rows, with the weights [b] of all if there are any."""
    given = {} if weights is None else {"sample_weight": weights[rows]}
    return untrained(estimator, random_state).fit(take(X, rows), y[rows], **given)


def is_frozen(estimator: Any) -> bool:
    """Whether the estimator is fitted already and is not to be fitted again."""
    return isinstance(estimator, FrozenEstimator)


def unfrozen(estimator: Any) -> Any:
    """The estimator itself."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
