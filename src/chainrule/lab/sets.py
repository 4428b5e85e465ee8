"""The sets that the lab trains on: bundled ones, points in the plane, and files that were dropped onto the page.

What was dropped lies in one temporary folder of the server and goes with it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chainrule.data.files import PARQUET, SEPARATORS, read_table
from chainrule.data.image_files import ENDINGS, headers
from chainrule.data.sets import BUNDLED, Set, bundled_set, image_set, set_aside, table_set
from chainrule.errors import ChainruleError
from chainrule.lab.dropped import MOST_FILES, Dropped, kinds, mb, place_images, plain_path, unpack
from chainrule.lab.planes import PLANES

Array = NDArray[Any]
Key = TypeVar("Key")
Value = TypeVar("Value")

MOST_BYTES = 64 * 2**20  # of files dropped at once, as they come
MOST_UNPACKED = 256 * 2**20  # of what an archive holds, and of everything that was dropped and is kept
MOST_ROWS = 200_000
MOST_COLUMNS = 2_000
TRIED_COLUMNS = 10  # for a target, where none was chosen
MOST_PIXELS = 4096 * 4096  # of one image
LARGEST_SIDE = 64  # to which images are scaled
TABLES = frozenset({*SEPARATORS, *PARQUET})
ARCHIVE = ".zip"
FOLDER = "chainrule-lab-"  # what the name of a server's temporary folder begins with; its process follows
MOST_READ = 4  # sets that are kept in memory for the next run of them
VALIDATION = 0.2  # of the rows, set aside


@dataclass(frozen=True, eq=False)
class LabSet:
    """Rows to train on, under the name ``key`` by which a set-up asks for them.

    ``columns``: those among which the target can be chosen, where the rows are a table from a file.
    """

    key: str
    title: str
    everything: Set
    columns: tuple[str, ...] = ()

    @cached_property
    def divided(self) -> tuple[Set, Set]:
        if self.everything.test is not None:
            return self.everything, self.everything.test
        return set_aside(self.everything, VALIDATION, 0)

    @property
    def training(self) -> Set:
        """The rows to train on; which they are does not depend on the set-up, so that runs can be compared."""
        return self.divided[0]

    @property
    def validation(self) -> Set:
        """The rows to measure on after each epoch."""
        return self.divided[1]

    @property
    def classes(self) -> bool:
        return self.everything.classes

    @property
    def in_plane(self) -> bool:
        """Whether a row is two numbers, so that what a network says everywhere can be drawn."""
        X = self.everything.X
        return isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 2


class Recent(Generic[Key, Value]):
    """The values asked for last, ``most`` of them; others are made again when they are asked for."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()  # which takes long: others need not wait for it
        with self._lock:
            self._values[key] = made
            self._values.move_to_end(key)
            while len(self._values) > self.most:
                self._values.popitem(last=False)
        return made

    def forget(self, key: Key) -> None:
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


class Sets:
    """The sets of one server.  ``close`` removes what was dropped."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        self._dropped: dict[str, tuple[str, Path]] = {}  # key → title, file or folder
        self._tables: Recent[str, pa.Table] = Recent(MOST_READ)  # once, whichever column is to be predicted
        self._read: Recent[tuple[str, str], LabSet] = Recent(MOST_READ)

    def titles(self) -> dict[str, str]:
        """Key → title of every set there is."""
        bundled = {name: name.replace("_", " ") for name in (*BUNDLED, *PLANES)}
        return bundled | {key: title for key, (title, _) in self._dropped.items()}

    def get(self, key: str, target: str = "") -> LabSet:
        """A set by its key; ``target``: the column of a table to predict, by default the last that can be.

        Raises ChainruleError where there is none of that key, or where it cannot be read.
        """
        target = target if key in self._dropped else ""
        return self._read.get((key, target), lambda: self._made(key, target))

    def _made(self, key: str, target: str) -> LabSet:
        if key in PLANES:
            return LabSet(key, key, PLANES[key]())
        if key in BUNDLED:
            found = bundled_set(key)
            return LabSet(key, self.titles()[key], _as_images(found) if key == "digits" else found)
        if key not in self._dropped:
            raise ChainruleError(f"there is no set {key!r} here; choose one, or drop the file again")
        title, path = self._dropped[key]
        with self._in_words(path, title):
            if not path.suffix:
                return _images(key, title, path)
            table = self._tables.get(key, lambda: _checked_table(title, path))
            found = table_set(title, table, target) if target else _with_some_target(title, table)
            return LabSet(key, title, found, tuple(table.column_names))

    def add(self, files: Sequence[Dropped]) -> str:
        """Take in what was dropped together, a table, an archive or images, and give its key.

        Raises ChainruleError, with nothing kept, for too much, for what is of no kind that can be read, and for what
        cannot be read.
        """
        kept = self._refuse_too_much(files)
        names = [plain_path(file.name) for file in files]
        endings = {name.suffix.lower() for name in names}
        key = f"dropped-{uuid4().hex[:12]}"
        place = self.folder / key
        try:
            if len(files) == 1 and endings <= TABLES:
                title, place = names[0].name, place.with_suffix(endings.pop())
                shutil.copyfile(files[0].path, place)
            elif len(files) == 1 and endings == {ARCHIVE}:
                title = names[0].stem
                unpack(files[0].path, place, MOST_UNPACKED - kept)
            elif endings <= ENDINGS:
                title = place_images(names, files, place)
            else:
                raise ChainruleError(kinds(names))
            self._dropped[key] = (title, place)
            self.get(key).divided  # noqa: B018 (too few rows are said now, and not when training starts)
        except Exception:
            self._dropped.pop(key, None)
            self._tables.forget(key)
            self._read.forget((key, ""))
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)
            raise
        return key

    def close(self) -> None:
        """Remove what was dropped."""
        self._dropped.clear()
        self._tables.clear()
        self._read.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _refuse_too_much(self, files: Sequence[Dropped]) -> int:
        """The bytes that are kept already.  Raises ChainruleError where these files are too many, or too large."""
        if not files:
            raise ChainruleError("nothing was dropped")
        if len(files) > MOST_FILES:
            raise ChainruleError(f"{len(files):,} files are too many; {MOST_FILES:,} at most")
        size = sum(file.path.stat().st_size for file in files)
        if size > MOST_BYTES:
            raise ChainruleError(f"{mb(size)} MB are too much; {mb(MOST_BYTES)} MB at most")
        places = [inside for place in self.folder.glob("dropped-*") for inside in (place, *place.rglob("*"))]
        kept = sum(place.stat().st_size for place in places if place.is_file())
        if kept + size > MOST_UNPACKED:
            raise ChainruleError(
                f"the lab keeps {mb(MOST_UNPACKED)} MB of files and has {mb(kept)} MB; start it anew to drop more"
            )
        return kept

    def _in_words(self, path: Path, title: str) -> _InWords:
        return _InWords({str(path): title, str(self.folder): "", path.name: title})


def remove_left_behind() -> None:
    """Remove the folders of servers that were killed before they could do it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*"):
        process = folder.name.removeprefix(FOLDER).partition("-")[0]
        if process.isdigit() and not _is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    """Whether there is a process of this number; also where that cannot be asked, as on Windows without ending it."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True  # another user's, or no number of a process
    return True


class _InWords:
    """Errors inside this context speak of a file as its user named it."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ChainruleError):
            text = str(error)
            for ours, theirs in self.names.items():
                text = text.replace(f"{ours}/", f"{theirs}/" if theirs else "").replace(ours, theirs)
            raise ChainruleError(text) from None


def _checked_table(title: str, path: Path) -> pa.Table:
    """The table in a file.  Raises ChainruleError where it is too large."""
    table = read_table(path)
    if table.num_rows > MOST_ROWS or table.num_columns > MOST_COLUMNS:
        raise ChainruleError(
            f"{title} has {table.num_rows:,} rows and {table.num_columns:,} columns; "
            f"{MOST_ROWS:,} and {MOST_COLUMNS:,} at most"
        )
    return table


def _with_some_target(title: str, table: pa.Table) -> Set:
    """The table with its last column to predict or, where that cannot be predicted, the last before it that can.

    Raises ChainruleError, with what is wrong with the last one, where no column near it can.
    """
    refused: ChainruleError | None = None
    for column in table.column_names[: -TRIED_COLUMNS - 1 : -1]:
        try:
            return table_set(title, table, column)
        except ChainruleError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _images(key: str, title: str, folder: Path) -> LabSet:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = headers(paths)
    large = next((number for number, one in enumerate(found) if one.size[0] * one.size[1] > MOST_PIXELS), None)
    if large is not None:
        height, width = found[large].size
        raise ChainruleError(
            f"an image of {width}×{height} pixels is too large; {MOST_PIXELS / 1e6:.0f} million at most"
        )
    sizes = {one.size for one in found}
    side = min(LARGEST_SIDE, *(min(size) for size in sizes))
    alike = len(sizes) == 1 and max(*sizes.copy().pop()) <= LARGEST_SIDE
    made = image_set(folder, size=None if alike else (side, side))
    return LabSet(key, title, replace(made, name=title))


def _as_images(digits: Set) -> Set:
    """The digits as what they are, 8×8 images, so that convolutions have something to slide over."""
    return replace(digits, X=digits.X.reshape(-1, 8, 8))
