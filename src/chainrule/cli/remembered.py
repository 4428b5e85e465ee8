"""What a run folder remembers of its data: where they were and how they were divided, never a row of them."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chainrule.cli.output import readable_file, write_text
from chainrule.cli.sets import read_like, read_set, read_size, read_test_images, read_test_sequences, split_test
from chainrule.data.files import PARQUET, SEPARATORS, read_table
from chainrule.data.images import Images
from chainrule.data.recordings import Recordings
from chainrule.data.series import Series
from chainrule.data.sets import BUNDLED, Set
from chainrule.errors import ChainruleError

NAME = "run.json"
PACKAGES = ("chainrule", "numpy", "llvmlite", "scikit-learn", "pyarrow")
# Tables of scikit-learn whose rows are images: height and width.
IMAGES = {"digits": (8, 8)}


@dataclass(frozen=True)
class Asked:
    """The data that ``chainrule train`` was asked to train and to test on."""

    data: str
    target: str | None
    drop: tuple[str, ...]
    labels: str | None
    size: str | None
    task: str | None
    test: str | None
    test_fraction: float
    seed: int

    def sets(self) -> tuple[Set, Set]:
        """The rows to train on and those to test on.  Raises ChainruleError for what cannot be used."""
        size = read_size(self.size)
        everything = read_set(self.data, self.target, self.task, self.drop, size, self.labels)
        if self.test is None:
            if everything.test is not None:
                return everything, everything.test
            return split_test(everything, self.test_fraction, self.seed)
        test = Path(self.test)
        if isinstance(everything.X, Images):
            return everything, read_test_images(test, everything, size)
        if isinstance(everything.X, Series | Recordings):
            return everything, read_test_sequences(test, everything, self.labels)
        if not hasattr(everything.X, "column_names"):
            raise ChainruleError(f"{self.data} is a bundled set; --test is for tables in files")
        return everything, read_like(readable_file(test), everything)


@dataclass(frozen=True)
class Remembered:
    """``asked``: the data; ``places``: the absolute paths of files among them; ``rows``: how many of each there were.

    ``target``: what is predicted, by its name; ``command``: what the user typed; ``versions``: of Python and packages.
    """

    asked: Asked
    target: str
    rows: Mapping[str, int]
    places: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def sets(self) -> tuple[Set, Set]:
        """The same rows again.  Raises ChainruleError where they are not found, or are not so many any more."""
        asked = self.asked
        for name, place in self.places.items():
            given = getattr(asked, name)
            found = next((path for path in (given, place) if Path(path).exists()), None)
            if found is None:
                raise ChainruleError(
                    f"{given}: the data of the run are not there any more (looked for {place}); give the rows as DATA"
                )
            asked = replace(asked, data=found) if name == "data" else replace(asked, test=found)
        training, kept = asked.sets()
        if (len(training), len(kept)) != (self.rows["training"], self.rows["test"]):
            raise ChainruleError(
                f"{asked.data} has changed: {len(training) + len(kept):,} rows now, {sum(self.rows.values()):,} when "
                "the model was trained; give the rows as DATA"
            )
        return training, kept


def remember(asked: Asked, training: Set, kept: Set) -> Remembered:
    """What to write down of a run."""
    names = {"data": asked.data, "test": asked.test}
    places = {name: str(Path(path).resolve()) for name, path in names.items() if path and _is_file(path)}
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    rows = {"training": len(training), "test": len(kept)}
    return Remembered(asked, training.target, rows, places, _command(), versions)


def _is_file(data: str) -> bool:
    return data not in BUNDLED or Path(data).exists()


def _command() -> str:
    """The words of the command line, as a shell would read them again."""
    return shlex.join(["chainrule", *sys.argv[1:]])


def write(remembered: Remembered, folder: Path) -> None:
    """Write run.json into the folder."""
    write_text(folder / NAME, json.dumps(asdict(remembered), ensure_ascii=False, indent=1) + "\n")


def recall(folder: Path) -> Remembered:
    """What the folder remembers.  Raises ChainruleError where it remembers nothing, or it cannot be read."""
    path = folder / NAME
    if not path.exists():
        raise ChainruleError(f"{folder}: nothing says which data it was trained on; give the rows as DATA")
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        asked = data.pop("asked")
        return Remembered(Asked(**{**asked, "drop": tuple(asked["drop"])}), **data)
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise ChainruleError(f"{path}: damaged ({type(error).__name__}); give the rows as DATA") from None


def remembers(folder: Path) -> bool:
    """Whether the folder says which data its model was trained on."""
    return (folder / NAME).exists()


def target_in(folder: Path, data: str) -> str | None:
    """The column that was to be predicted, if the run remembers one and ``data`` is a table that has it."""
    path = Path(data)
    if not remembers(folder) or path.suffix.lower() not in (*SEPARATORS, *PARQUET) or not path.is_file():
        return None
    name = recall(folder).asked.target
    return name if name is not None and name in read_table(path).column_names else None


def labels_of(folder: Path) -> str | None:
    """Where the run was told that the labels of recordings are."""
    return recall(folder).asked.labels if remembers(folder) else None
