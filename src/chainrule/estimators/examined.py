"""A fitted model as the subject of a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.frame import Frame
from chainrule.data.target import Labels
from chainrule.diagnosis import Given, Subject
from chainrule.estimators.prediction import predictor
from chainrule.estimators.rows import Rows, distinct
from chainrule.estimators.sources import fits_in_memory

Array = NDArray[Any]

MOST_ROWS = 20_000  # of the data that are examined


def subject_of(model: Any, X: Any, y: Any, validation: tuple[Any, Any] | None, random: Mapping[str, Array]) -> Subject:
    """The model with its data; without data, with the ``random`` rows."""
    step, rows, given = model.specification_.step, random, None
    if X is not None and not hasattr(model, "predict"):
        arrays = model.training_arrays(X)  # of a text: its windows, or lines
        rows = {name: arrays[source] for name, source in step.sources.items()}
    elif X is not None:
        read = model._rows(X, y, None, reset=False, text_at=model._text_at())
        aside = _aside(model, read, validation)
        if len(read) > MOST_ROWS:
            read = read.take(np.sort(np.random.default_rng(0).permutation(len(read))[:MOST_ROWS]))
        rows = model._read(read)
        given = _given(model, read, rows, aside)
    run = model.training_
    return Subject(
        step,
        {name: np.asarray(value, np.float64) for name, value in model.parameters_.items()},
        {name: np.asarray(rows[name]) for name in step.sources},
        X is not None,
        given,
        model.history_,
        run.rows,
        run.batch_size,
        run.epochs,
        run.seed,
        model.best_epoch_,
    )


def _aside(model: Any, rows: Rows, validation: tuple[Any, Any] | None) -> tuple[Rows, Rows] | None:
    """Training rows and those that the model is measured on: those given, or those that were set aside of ``rows``."""
    if validation is not None:
        return rows, model._rows(*validation, None, reset=False, text_at=model._text_at())
    if not model.training_.set_aside:
        return None
    kept, aside = model._divide(distinct(rows), True)
    return (kept, aside) if aside is not None and len(kept) == model.training_.rows else None


def _given(model: Any, rows: Rows, read: Mapping[str, Array], aside: tuple[Rows, Rows] | None) -> Given:
    """What is known of the rows beside what the network reads."""
    frame = rows.X if isinstance(rows.X, Frame) else None
    target = model.target_
    fixed = model.input_.length is None and model.input_.role == "data"
    made = predictor(model)
    x = {"x": read["x"]}
    predicted = made.of_encoded(x) if fixed else made.of_sequences(model._sequences(rows.X, np.float64))
    classes = None
    if isinstance(target, Labels):
        classes = tuple(map(str, target.classes.tolist()))
        if not target.several:
            predicted = _shares(model._two_columns(predicted))
    others = None
    if aside is not None and fixed and fits_in_memory(model.input_, len(rows)):
        learnt, measured = (model.input_.encode(part.X)["x"] for part in aside)
        others = learnt, measured
    return Given(
        {} if frame is None else _columns(frame),
        hasattr(model, "feature_names_in_"),
        read["x"] if fixed else None,
        target.encode(rows.y),
        classes,
        predicted,
        others,
    )


def _shares(scores: Array) -> Array:
    """Scores of classes as probabilities, also those of losses that are no likelihood."""
    positive = np.maximum(scores, 0)
    total = positive.sum(axis=1, keepdims=True)
    return np.where(total > 0, positive / np.where(total > 0, total, 1), 1 / scores.shape[1])


def _columns(frame: Frame) -> dict[str, Array]:
    """The columns of a table by name, as they were given."""
    found = {}
    for position, name in enumerate(frame.names):
        numbers = frame.number(position)
        found[name] = frame.texts[position] if numbers is None else numbers
    return found
