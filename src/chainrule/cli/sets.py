"""The data a command trains on: a bundled set by name, a table in a file with its target column, or images."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split

from chainrule.data.files import read_table, split_target
from chainrule.data.frame import as_frame
from chainrule.data.image_files import Size
from chainrule.data.images import Images, is_image_source, read_image_set, read_images
from chainrule.data.recordings import Recordings, are_recordings, as_recordings, recordings
from chainrule.data.series import Series, are_series, read_ts
from chainrule.data.table import nearest
from chainrule.data.target import read_labels, read_values
from chainrule.errors import ChainruleError

BUNDLED: dict[str, Callable[..., Any]] = {
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}
# A column of whole numbers with at most this many values is taken for classes.
MOST_CLASSES = 20


@dataclass(frozen=True)
class Set:
    """``X`` (a table, an array or images) and ``y``, one row each; ``classes``: y names classes; ``target``: y's own
    name; ``test``: rows to test on that came with them.
    """

    name: str
    X: Any
    y: Any
    classes: bool
    target: str = "y"
    test: Set | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[np.int64]) -> Set:
        X = self.X[rows] if isinstance(self.X, np.ndarray) else self.X.take(rows)
        return Set(self.name, X, self.y[rows], self.classes, self.target)


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
        return _image_set(Path(name), size)
    if size is not None:
        raise ChainruleError(f"{name} holds no image files; --size is for those")
    if name in BUNDLED:
        if target is not None:
            raise ChainruleError(f"{name} is a bundled set with a target of its own; leave --target out")
        bunch = BUNDLED[name](as_frame=False)
        classes = "target_names" in bunch
        y = np.asarray(bunch.target_names)[bunch.target] if classes and bunch.target_names is not None else bunch.target
        return Set(name, bunch.data, y, classes if task is None else task == "classification")
    path = Path(name)
    if not path.suffix and not path.exists():
        near = difflib.get_close_matches(name, BUNDLED, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; bundled sets: {', '.join(BUNDLED)}"
        raise ChainruleError(f"{name}: no such file or bundled set{hint}")
    table = read_table(path)
    if target is None:
        raise ChainruleError(f"{name}: say which column to predict with --target ({', '.join(table.column_names)})")
    X, column = split_target(table, target)
    for name_to_drop in drop:
        X = split_target(X, name_to_drop)[0]
    values: NDArray[Any] = column.to_numpy()
    classes = _names_classes(values) if task is None else task == "classification"
    if task is None and classes and len(values) >= 20 and 2 * len(set(values.tolist())) > len(values):
        raise ChainruleError(
            f"column {target!r} holds {len(set(values.tolist()))} different texts in {len(values)} rows, such as "
            f"{values[0]!r}; if they are numbers, write them as numbers; if they are classes, say --task classification"
        )
    return _checked(Set(path.stem, X, values, classes, target))


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
    return _checked_classes(found, training, path) if training.classes else found


def _image_set(path: Path, size: Size | None) -> Set:
    training, test = read_image_set(path, size)
    name = path.resolve().name if path.is_dir() else path.name.partition(".")[0]
    made = _with_labels(name, training, path)
    if len(set(made.y.tolist())) < 2:
        raise ChainruleError(f"{path}: all images are of one class, {made.y[0]!r}; a classifier needs at least two")
    return replace(made, test=None if test is None else _checked_classes(_with_labels(name, test, path), made, path))


def _with_labels(name: str, images: Images, path: Path) -> Set:
    if images.labels is None:
        raise ChainruleError(f"{path}: nothing says what the images show; they lie in a folder for each class")
    return Set(name, images, images.labels, True, "class")


def read_test_images(path: Path, training: Set, size: Size | None) -> Set:
    """Images to test on.  Raises ChainruleError for a class that the training images do not have."""
    if not is_image_source(path):
        raise ChainruleError(f"{path}: {'holds no images' if path.exists() else 'no such file or folder'}")
    return _checked_classes(_with_labels(path.name, read_images(path, size), path), training, path)


def _checked_classes(test: Set, training: Set, path: Path) -> Set:
    known = set(training.y.tolist())
    for label in test.y.tolist():
        if label not in known:
            raise ChainruleError(f"{path}: {label!r} is no class of the training rows")
    return test


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
    found = _checked(Set(path.stem, X, column.to_numpy(), training.classes, training.target))
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


def _checked(data: Set) -> Set:
    """Read whole, before rows are set aside, so that messages count the rows of the file."""
    as_frame(data.X)
    with in_words_of(data):
        read_labels(data.y) if data.classes else read_values(data.y)
    return data


@contextmanager
def in_words_of(data: Set) -> Iterator[None]:
    """Errors that speak of ``y`` name the target's column instead."""
    try:
        yield
    except ChainruleError as error:
        raise ChainruleError(re.sub(r"^y\b", f"column {data.target!r}", str(error))) from None


def _names_classes(y: NDArray[Any]) -> bool:
    if y.dtype.kind in "OUSTb":
        return True
    return y.dtype.kind in "iu" and len(np.unique(y)) <= MOST_CLASSES


def split_test(data: Set, share: float, seed: int) -> tuple[Set, Set]:
    """Rows to train on and rows kept aside for the test, classes in proportion where each has enough rows."""
    if not 0 < share < 1:
        raise ChainruleError(f"--test-fraction must be between 0 and 1, not {share:g}")
    if len(data) < 10:
        raise ChainruleError(f"{data.name}: {len(data)} rows are too few to keep some for a test (10 at least)")
    stratify = None
    if data.classes:
        _, counts = np.unique(data.y.astype(str), return_counts=True)
        if counts.min() >= 2 and len(counts) <= share * len(data):
            stratify = data.y.astype(str)
    rows, kept = train_test_split(np.arange(len(data)), test_size=share, random_state=seed, stratify=stratify)
    return data.take(np.sort(rows)), data.take(np.sort(kept))
