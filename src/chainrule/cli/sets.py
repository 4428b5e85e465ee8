"""The data a command trains on: a bundled set by name, a table in a file with its target column, or images."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from chainrule.data.files import read_table, split_target
from chainrule.data.image_files import Size
from chainrule.data.images import is_image_source, read_images
from chainrule.data.recordings import Recordings, are_recordings, as_recordings, recordings
from chainrule.data.series import Series, are_series, read_ts
from chainrule.data.sets import (
    BUNDLED,
    ManyTextsError,
    Set,
    bundled_set,
    checked,
    image_set,
    in_words_of,
    labelled_images,
    of_known_classes,
    set_aside,
    table_set,
)
from chainrule.data.table import nearest
from chainrule.data.target import read_labels, read_values
from chainrule.errors import ChainruleError


def read_set(
    name: str,
    target: str | None,
    task: str | None,
    drop: Sequence[str] = (),
    size: Size | None = None,
    labels: str | None = None,
) -> Set:
    """A bundled set, images or recordings whose folders or names say their classes, time series with theirs, or the
    table in the file of this name with the column ``target`` to predict.

    ``task`` (``classification`` or ``regression``) says what the target is; None: text, true/false and few whole
    numbers are classes.  ``drop`` are columns to leave out; ``size`` is that to which image files are scaled;
    ``labels`` says where the labels of recordings are.
    """
    if name not in BUNDLED and (labels is not None or are_recordings(name) or are_series(name)):
        if target is not None or drop or size is not None:
            raise ChainruleError(f"{name}: --target and --drop are for tables, --size is for images")
        return _sequence_set(Path(name), task, labels)
    if name not in BUNDLED and is_image_source(name):
        if target is not None or drop or task == "regression":
            raise ChainruleError(
                f"{name}: what images show is said by their folders; --target, --drop and --task are for tables"
            )
        return image_set(Path(name), size)
    if size is not None:
        raise ChainruleError(f"{name} holds no image files; --size is for those")
    classes = None if task is None else task == "classification"
    if name in BUNDLED:
        if target is not None:
            raise ChainruleError(f"{name} is a bundled set with a target of its own; leave --target out")
        return bundled_set(name, classes)
    path = Path(name)
    if not path.suffix and not path.exists():
        near = difflib.get_close_matches(name, BUNDLED, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; bundled sets: {', '.join(BUNDLED)}"
        raise ChainruleError(f"{name}: no such file or bundled set{hint}")
    table = read_table(path)
    if target is None:
        raise ChainruleError(f"{name}: say which column to predict with --target ({', '.join(table.column_names)})")
    try:
        return table_set(path.stem, table, target, classes, drop)
    except ManyTextsError as error:
        raise ChainruleError(f"{error}; if they are classes, say --task classification") from None


def _sequence_set(path: Path, task: str | None, labels: str | None) -> Set:
    """Recordings or time series, with their labels."""
    data: Recordings | Series
    if are_series(path):
        if labels is not None:
            raise ChainruleError(f"{path}: series have their labels in the file; --labels is for recordings")
        data, hint = read_ts(path), "the file has none"
    else:
        data = as_recordings(path) if labels is None else recordings(path, labels)
        hint = "put them into a folder for each class, or say --labels '{label}_*'"
    if data.labels is None:
        raise ChainruleError(f"{path}: nothing says what the labels are: {hint}")
    y = data.labels
    classes = y.dtype.kind == "O" if task is None else task == "classification"
    made = Set(path.resolve().name if path.is_dir() else path.stem, data, y, classes, "label")
    with in_words_of(made):
        read_labels(y) if classes else read_values(y)
    return made


def read_test_sequences(path: Path, training: Set, labels: str | None) -> Set:
    """Recordings or series to test on.  Raises ChainruleError for a class that the training rows do not have."""
    if not path.exists():
        raise ChainruleError(f"{path}: no such file or folder")
    found = _sequence_set(path, "classification" if training.classes else "regression", labels)
    if type(found.X) is not type(training.X):
        raise ChainruleError(f"{path}: the rows to test on are not of the kind of those to train on")
    return of_known_classes(found, training, path) if training.classes else found


def read_test_images(path: Path, training: Set, size: Size | None) -> Set:
    """Images to test on.  Raises ChainruleError for a class that the training images do not have."""
    if not is_image_source(path):
        raise ChainruleError(f"{path}: {'holds no images' if path.exists() else 'no such file or folder'}")
    return of_known_classes(labelled_images(path.name, read_images(path, size), path), training, path)


def read_size(text: str | None) -> Size | None:
    """``32`` or ``48x64`` (height, width) as a size of images."""
    if text is None:
        return None
    numbers = text.lower().replace("×", "x").split("x")
    if len(numbers) > 2 or not all(number.strip().isdigit() and int(number) for number in numbers):
        raise ChainruleError(f"--size {text}: say a number of pixels, or HEIGHTxWIDTH")
    return int(numbers[0]), int(numbers[-1])


def read_like(path: Path, training: Set) -> Set:
    """The table in a file with the columns of a training set, in their order; other columns are left out.

    Raises ChainruleError for a column that is missing and for a class that the training rows do not have.
    """
    names = [*training.X.column_names, training.target]
    text = [name for name in names[:-1] if pa.types.is_string(training.X.schema.field(name).type)]
    labels = [training.target] if training.y.dtype.kind in "OUT" and training.classes else []
    table = read_table(path, text_columns=[*text, *labels])
    X, column = split_target(with_columns(table, names, path), training.target)
    found = checked(Set(path.stem, X, column.to_numpy(), training.classes, training.target))
    if training.classes:
        known = set(training.y.tolist())
        for row, label in enumerate(found.y.tolist(), 1):
            if label not in known:
                raise ChainruleError(
                    f"{path}: column {training.target!r}, row {row}: {label!r} is no class of the training rows"
                )
    return found


def with_columns(table: Any, names: Sequence[str], file: object) -> Any:
    """The table with just these columns, in this order; ChainruleError for one that is missing."""
    for name in names:
        if name not in table.column_names:
            raise ChainruleError(f"{file}: no column {name!r}{nearest(name, table.column_names)}")
    return table.select(list(names))


def split_test(data: Set, share: float, seed: int) -> tuple[Set, Set]:
    """Rows to train on and the share of them that ``--test-fraction`` keeps aside for the test."""
    if not 0 < share < 1:
        raise ChainruleError(f"--test-fraction must be between 0 and 1, not {share:g}")
    return set_aside(data, share, seed)
