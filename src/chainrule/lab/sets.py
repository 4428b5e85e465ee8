"""The sets that the lab trains on: bundled ones, points in the plane, and files that were dropped onto the page.

What was dropped lies in one temporary folder of the server and goes with it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from chainrule.cli.sets import BUNDLED, Set, read_set, split_test
from chainrule.data.files import PARQUET, SEPARATORS, read_table
from chainrule.data.image_files import ENDINGS, headers
from chainrule.errors import ChainruleError

Array = NDArray[Any]

MOST_BYTES = 64 * 2**20  # of files dropped at once, as they come
MOST_UNPACKED = 256 * 2**20  # of what an archive holds, and of everything that was dropped and is kept
MOST_FILES = 5_000
MOST_ROWS = 200_000
MOST_COLUMNS = 2_000
TRIED_COLUMNS = 10  # for a target, where none was chosen
MOST_PIXELS = 4096 * 4096  # of one image
LONGEST_NAME = 60  # characters of the name of a file
LARGEST_SIDE = 64  # to which images are scaled
TABLES = frozenset({*SEPARATORS, *PARQUET})
ARCHIVE = ".zip"
FOLDER = "chainrule-lab-"  # what the name of a server's temporary folder begins with; its process follows
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
        return split_test(self.everything, VALIDATION, 0)

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


@dataclass(frozen=True)
class Dropped:
    """A file as it was dropped: the name that the browser gave it, with its folder where it had one, and its bytes."""

    name: str
    path: Path


class Sets:
    """The sets of one server.  ``close`` removes what was dropped."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        self._dropped: dict[str, tuple[str, Path]] = {}  # key → title, file or folder
        self._read: dict[tuple[str, str], LabSet] = {}

    def titles(self) -> dict[str, str]:
        """Key → title of every set there is."""
        bundled = {name: name.replace("_", " ") for name in (*BUNDLED, *PLANES)}
        return bundled | {key: title for key, (title, _) in self._dropped.items()}

    def get(self, key: str, target: str = "") -> LabSet:
        """A set by its key; ``target``: the column of a table to predict, by default the last that can be.

        Raises ChainruleError where there is none of that key, or where it cannot be read.
        """
        target = target if key in self._dropped else ""
        if (key, target) not in self._read:
            self._read[key, target] = self._made(key, target)
        return self._read[key, target]

    def _made(self, key: str, target: str) -> LabSet:
        if key in PLANES:
            return LabSet(key, key, PLANES[key]())
        if key in BUNDLED:
            found = read_set(key, None, None)
            return LabSet(key, self.titles()[key], _as_images(found) if key == "digits" else found)
        if key not in self._dropped:
            raise ChainruleError(f"there is no set {key!r} here; choose one, or drop the file again")
        title, path = self._dropped[key]
        with self._in_words(path, title):
            return _table(key, title, path, target) if path.suffix else _images(key, title, path)

    def add(self, files: Sequence[Dropped]) -> str:
        """Take in what was dropped together, a table, an archive or images, and give its key.

        Raises ChainruleError, with nothing kept, for too much, for what is of no kind that can be read, and for what
        cannot be read.
        """
        kept = self._refuse_too_much(files)
        names = [_plain_path(file.name) for file in files]
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
                title = _place_images(names, files, place)
            else:
                raise ChainruleError(_kinds(names))
            self._dropped[key] = (title, place)
            self.get(key).divided  # noqa: B018 (too few rows are said now, and not when training starts)
        except Exception:
            self._dropped.pop(key, None)
            self._read.pop((key, ""), None)
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)
            raise
        return key

    def close(self) -> None:
        """Remove what was dropped."""
        self._dropped.clear()
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
            raise ChainruleError(f"{_mb(size)} MB are too much; {_mb(MOST_BYTES)} MB at most")
        places = [inside for place in self.folder.glob("dropped-*") for inside in (place, *place.rglob("*"))]
        kept = sum(place.stat().st_size for place in places if place.is_file())
        if kept + size > MOST_UNPACKED:
            raise ChainruleError(
                f"the lab keeps {_mb(MOST_UNPACKED)} MB of files and has {_mb(kept)} MB; start it anew to drop more"
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


def unpack(archive: Path, folder: Path, most: int) -> None:
    """Unpack the images of a .zip file, ``most`` bytes of them, each into the folder of its class.

    Raises ChainruleError for what is no archive, for more than there may be (counted while unpacking, whatever the
    archive says of itself), and for a path that leads elsewhere.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [
                member for member in opened.infolist() if not member.is_dir() and not _is_hidden(member.filename)
            ]
            if len(members) > MOST_FILES:
                raise ChainruleError(f"the archive holds {len(members):,} files; {MOST_FILES:,} at most")
            names = [_member_path(member) for member in members]
            wrong = next((name for name in names if name.suffix.lower() not in ENDINGS), None)
            if not names or wrong is not None:
                raise ChainruleError(_kinds([] if wrong is None else [wrong]))
            left = most
            for member, place in zip(members, _places(names, folder), strict=True):
                with opened.open(member) as source, place.open("wb") as target:
                    while block := source.read(min(2**20, left + 1)):
                        left -= len(block)
                        if left < 0:
                            raise ChainruleError(f"the archive unpacks to more than {_mb(most)} MB")
                        target.write(block)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ChainruleError(
            f"the archive cannot be read ({str(error).splitlines()[0] if str(error) else 'damaged'})"
        ) from None


def _member_path(member: zipfile.ZipInfo) -> PurePosixPath:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ChainruleError(f"{member.filename!r} is a link; an archive holds images in a folder for each class")
    return _plain_path(member.filename)


def _is_hidden(name: str) -> bool:
    """Whether it is what systems put beside files: ``__MACOSX/``, ``.DS_Store``."""
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)


def _plain_path(name: str) -> PurePosixPath:
    """The name of a file as a path below the folder it is put into.  Raises ChainruleError where it leads elsewhere."""
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in name
    if outside or not name.isprintable() or not path.parts or max(map(len, path.parts)) > 200:
        raise ChainruleError(f"{name!r} is no name for a file here")
    return path


def _place_images(names: Sequence[PurePosixPath], files: Sequence[Dropped], folder: Path) -> str:
    """Put images into the folders of their classes; the name of the folder that they came in."""
    for file, place in zip(files, _places(names, folder), strict=True):
        shutil.copyfile(file.path, place)
    first = names[0].parts
    return first[-3] if len(first) > 2 else "images"


def _places(names: Sequence[PurePosixPath], folder: Path) -> list[Path]:
    """Where images are put: a folder for each class, which is the last folder of their own path."""
    alone = next((name for name in names if len(name.parts) < 2), None)
    if alone is not None:
        raise ChainruleError(
            f"{alone} lies in no folder; images lie in a folder for each class, whose name is the class"
        )
    places: list[Path] = []
    taken: set[Path] = set()
    for number, name in enumerate(names):
        inside = folder / name.parts[-2]
        inside.mkdir(parents=True, exist_ok=True)
        # Under its own name, so that an error can name it, but for what would be written twice or is too long.
        place = inside / name.name
        plain = len(name.name) <= LONGEST_NAME and place not in taken
        places.append(place if plain else inside / f"{number}{name.suffix.lower()}")
        taken.add(places[-1])
    return places


def _table(key: str, title: str, path: Path, target: str) -> LabSet:
    table = read_table(path)
    if table.num_rows > MOST_ROWS or table.num_columns > MOST_COLUMNS:
        raise ChainruleError(
            f"{title} has {table.num_rows:,} rows and {table.num_columns:,} columns; "
            f"{MOST_ROWS:,} and {MOST_COLUMNS:,} at most"
        )
    columns = tuple(table.column_names)
    made = read_set(str(path), target, None) if target else _with_some_target(path, columns)
    return LabSet(key, title, replace(made, name=Path(title).stem), columns)


def _with_some_target(path: Path, columns: Sequence[str]) -> Set:
    """The table with its last column to predict or, where that cannot be predicted, the last before it that can.

    Raises ChainruleError, with what is wrong with the last one, where no column near it can.
    """
    refused: ChainruleError | None = None
    for column in columns[: -TRIED_COLUMNS - 1 : -1]:
        try:
            return read_set(str(path), column, None)
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
    made = read_set(str(folder), None, None, size=None if alike else (side, side))
    return LabSet(key, title, replace(made, name=title))


def _as_images(digits: Set) -> Set:
    """The digits as what they are, 8×8 images, so that convolutions have something to slide over."""
    return replace(digits, X=digits.X.reshape(-1, 8, 8))


def _kinds(names: Sequence[PurePosixPath]) -> str:
    what = f"{names[0].name} is" if len(names) == 1 else "these are"
    if not names:
        what = "the archive holds"
    return (
        f"{what} nothing that the lab reads: drop a table (.csv, .tsv, .parquet), a folder of images or a .zip of one"
    )


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f}"


def _plane(name: str, X: Array, y: Array) -> Set:
    return Set(name, X.astype(np.float64), np.array(["A", "B", "C"], dtype=object)[y], True, "class")


def _moons() -> Set:
    from sklearn.datasets import make_moons

    return _plane("moons", *make_moons(500, noise=0.2, random_state=0))


def _circles() -> Set:
    from sklearn.datasets import make_circles

    return _plane("circles", *make_circles(500, noise=0.1, factor=0.5, random_state=0))


def _spirals() -> Set:
    """Two arms that wind one and a half times around each other."""
    generator = np.random.default_rng(0)
    y = np.arange(500) % 2
    turn = np.sqrt(generator.random(500)) * 3 * np.pi
    angle = turn + np.pi * y
    X = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1) / (3 * np.pi)
    return _plane("spirals", X + 0.02 * generator.standard_normal(X.shape), y)


PLANES: dict[str, Callable[[], Set]] = {"moons": _moons, "circles": _circles, "spirals": _spirals}
