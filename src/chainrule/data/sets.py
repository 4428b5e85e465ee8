"""Sets to train on: rows with what is to be predicted, from the bundled ones, a table or images."""

from __future__ import annotations

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

from chainrule.data.files import split_target
from chainrule.data.frame import as_frame
from chainrule.data.image_files import Size
from chainrule.data.images import Images, read_image_set
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
FEWEST_ROWS = 10  # of which some can be kept aside


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


class ManyTextsError(ChainruleError):
    """Nearly every row of a target has a text of its own: it holds no classes, unless its user says so."""


def bundled_set(name: str, classes: bool | None = None) -> Set:
    """The bundled set of this name.  ``classes``: whether its target names classes; None: as it is known."""
    bunch = BUNDLED[name](as_frame=False)
    named = "target_names" in bunch
    y = np.asarray(bunch.target_names)[bunch.target] if named and bunch.target_names is not None else bunch.target
    return Set(name, bunch.data, y, named if classes is None else classes)


def table_set(name: str, table: pa.Table, target: str, classes: bool | None = None, drop: Sequence[str] = ()) -> Set:
    """A table without the columns ``drop``, of which the column ``target`` is to be predicted.

    ``classes``: whether that names classes; None: text, true/false and few whole numbers do.
    Raises ChainruleError for columns that it does not have and for values that cannot be used; ManyTextsError.
    """
    X, column = split_target(table, target)
    for name_to_drop in drop:
        X = split_target(X, name_to_drop)[0]
    values: NDArray[Any] = column.to_numpy()
    if classes is None:
        classes = _are_classes(values)
        different = len(set(values.tolist())) if classes else 0
        if len(values) >= 20 and 2 * different > len(values):
            raise ManyTextsError(
                f"column {target!r} holds {different} different texts in {len(values)} rows, such as "
                f"{values[0]!r}; if they are numbers, write them as numbers"
            )
    return checked(Set(name, X, values, classes, target))


def image_set(path: Path, size: Size | None) -> Set:
    """Images whose folders or archive say their classes, with the test images that came with them.

    ``size``: that to which they are scaled.  Raises ChainruleError where nothing says the classes, or where there is
    only one.
    """
    training, test = read_image_set(path, size)
    name = path.resolve().name if path.is_dir() else path.name.partition(".")[0]
    made = labelled_images(name, training, path)
    if len(set(made.y.tolist())) < 2:
        raise ChainruleError(f"{path}: all images are of one class, {made.y[0]!r}; a classifier needs at least two")
    return replace(made, test=None if test is None else of_known_classes(labelled_images(name, test, path), made, path))


def labelled_images(name: str, images: Images, path: Path) -> Set:
    """The images with their labels.  Raises ChainruleError where they have none."""
    if images.labels is None:
        raise ChainruleError(f"{path}: nothing says what the images show; they lie in a folder for each class")
    return Set(name, images, images.labels, True, "class")


def of_known_classes(test: Set, training: Set, path: Path) -> Set:
    """The rows to test on.  Raises ChainruleError for a class that the training rows do not have."""
    known = set(training.y.tolist())
    for label in test.y.tolist():
        if label not in known:
            raise ChainruleError(f"{path}: {label!r} is no class of the training rows")
    return test


def checked(data: Set) -> Set:
    """The rows, read whole, before rows are set aside, so that messages count the rows of the file."""
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


def _are_classes(y: NDArray[Any]) -> bool:
    if y.dtype.kind in "OUSTb":
        return True
    return y.dtype.kind in "iu" and len(np.unique(y)) <= MOST_CLASSES


def set_aside(data: Set, share: float, seed: int) -> tuple[Set, Set]:
    """Rows to train on and the ``share`` (0 to 1) of them kept aside, classes in proportion where each has enough rows.

    Raises ChainruleError where there are too few.
    """
    if len(data) < FEWEST_ROWS:
        rows = "1 row is" if len(data) == 1 else f"{len(data)} rows are"
        raise ChainruleError(f"{data.name}: {rows} too few to keep some aside ({FEWEST_ROWS} rows at least)")
    stratify = None
    if data.classes:
        _, counts = np.unique(data.y.astype(str), return_counts=True)
        if counts.min() >= 2 and len(counts) <= share * len(data):
            stratify = data.y.astype(str)
    rows, kept = train_test_split(np.arange(len(data)), test_size=share, random_state=seed, stratify=stratify)
    return data.take(np.sort(rows)), data.take(np.sort(kept))
