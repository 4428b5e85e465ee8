"""Rows with what a model says of them: what the sections of a report are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.target import Labels
from chainrule.errors import ChainruleError

Array = NDArray[Any]

LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows and predictions of a fitted model.

    ``given``: X and y as they came; ``X``: the rows, read; ``y``: labels [b], [b, k] of 0 and 1, or values [b], [b, o];
    ``predicted``: the same of the model; ``scores``: of each class [b, k], probabilities where ``probable``; None for
    values.  ``target``: what is predicted.  ``image``: the height and width of the images that the rows of a table are,
    if they are such.
    """

    model: Any
    given: tuple[Any, Any]
    X: Any
    y: Array
    predicted: Array
    scores: Array | None
    target: str = "target"
    image: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def classes(self) -> bool:
        """Whether classes are predicted, not values."""
        return self.scores is not None

    @property
    def several(self) -> bool:
        """Whether a row may have any number of labels."""
        return isinstance(self.model.target_, Labels) and self.model.target_.several

    @property
    def probable(self) -> bool:
        """Whether the scores are probabilities."""
        return hasattr(self.model, "predict_proba")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The classes as text."""
        return tuple(str(name) for name in self.model.classes_) if self.classes else ()

    @cached_property
    def numbers(self) -> Array:
        """The number of each row's class [b], or 0 and 1 for each label [b, k]."""
        return np.asarray(self.model.target_.encode(self.y))

    @cached_property
    def right(self) -> Array:
        """Which rows are predicted right [b]; of several labels a row, all must be."""
        same = self.y == self.predicted
        return np.asarray(same if same.ndim == 1 else same.all(axis=1))

    @cached_property
    def residuals(self) -> Array:
        """True value minus prediction [b, o]."""
        return np.asarray(self.y - self.predicted, dtype=float).reshape(len(self.y), -1)

    @cached_property
    def badness(self) -> Array:
        """How bad each prediction is [b]: −log of the true class's probability (or how far its score is below the best
        other one); the mean |residual| in deviations of the target.
        """
        if self.scores is None:
            return np.asarray((np.abs(self.residuals) / self.model.target_.deviation).mean(axis=1))
        if self.several:
            true = np.where(self.numbers > 0.5, self.scores, 1 - self.scores)
            return np.asarray(-np.log(np.maximum(true, LEAST_PROBABILITY)).mean(axis=1))
        rows = np.arange(len(self))
        true = self.scores[rows, self.numbers]
        if self.probable:
            return np.asarray(-np.log(np.maximum(true, LEAST_PROBABILITY)))
        others = self.scores.copy()
        others[rows, self.numbers] = -np.inf
        return np.asarray(others.max(axis=1) - true)

    @cached_property
    def order(self) -> Array:
        """The rows from the worst prediction to the best."""
        return np.argsort(-self.badness, kind="stable")

    def encoded(self, rows: Array) -> dict[str, Array]:
        """What the network reads of some rows, in float64."""
        return dict(self.model.input_.encode(self.X.take(np.asarray(rows)), np.float64))


def judge(model: Any, X: Any, y: Any, target: str = "target", image: tuple[int, int] | None = None) -> Judged:
    """Read rows as the model does, and predict them.  Raises ChainruleError naming what cannot be used."""
    rows = model._rows(X, y, None, reset=False, text_at=model._text_at())
    predicted = model.predict(X)
    if not hasattr(model, "classes_"):
        given = rows.y.astype(float)
        if given.shape != predicted.shape:
            raise ChainruleError(f"y has the shape {given.shape}; the model predicts {predicted.shape}")
        return Judged(model, (X, y), rows.X, given, predicted, None, target, image)
    labels = rows.y
    if labels.dtype.kind != predicted.dtype.kind:
        labels = labels.astype(predicted.dtype)
    scores = model.predict_proba(X) if hasattr(model, "predict_proba") else model._scores(X)
    judged = Judged(model, (X, y), rows.X, labels, predicted, np.asarray(scores, dtype=float), target, image)
    model.target_.encode(labels)  # an unknown label is refused here, in words
    _check_image(judged)
    return judged


def _check_image(judged: Judged) -> None:
    image = judged.image
    if image is None:
        return
    numbers = getattr(judged.X, "numbers", None)
    if numbers is None or numbers.shape[1] != image[0] * image[1]:
        width = "no table of numbers" if numbers is None else f"{numbers.shape[1]} columns of numbers"
        raise ChainruleError(f"image={image} needs rows of {image[0] * image[1]} numbers; there is {width}")
