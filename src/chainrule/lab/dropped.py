"""What is dropped onto the page: files under names that a browser gave them, put where they can be read."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chainrule.data.image_files import ENDINGS
from chainrule.errors import ChainruleError

MOST_FILES = 5_000
LONGEST_NAME = 60  # characters of the name of a file


@dataclass(frozen=True)
class Dropped:
    """A file as it was dropped: the name that the browser gave it, with its folder where it had one, and its bytes."""

    name: str
    path: Path


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
                raise ChainruleError(kinds([] if wrong is None else [wrong]))
            left = most
            for member, place in zip(members, _places(names, folder), strict=True):
                with opened.open(member) as source, place.open("wb") as target:
                    while block := source.read(min(2**20, left + 1)):
                        left -= len(block)
                        if left < 0:
                            raise ChainruleError(f"the archive unpacks to more than {mb(most)} MB")
                        target.write(block)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ChainruleError(
            f"the archive cannot be read ({str(error).splitlines()[0] if str(error) else 'damaged'})"
        ) from None


def _member_path(member: zipfile.ZipInfo) -> PurePosixPath:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ChainruleError(f"{member.filename!r} is a link; an archive holds images in a folder for each class")
    return plain_path(member.filename)


def _is_hidden(name: str) -> bool:
    """Whether it is what systems put beside files: ``__MACOSX/``, ``.DS_Store``."""
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)


def plain_path(name: str) -> PurePosixPath:
    """The name of a file as a path below the folder it is put into.  Raises ChainruleError where it leads elsewhere."""
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in name
    if outside or not name.isprintable() or not path.parts or max(map(len, path.parts)) > 200:
        raise ChainruleError(f"{name!r} is no name for a file here")
    return path


def place_images(names: Sequence[PurePosixPath], files: Sequence[Dropped], folder: Path) -> str:
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


def kinds(names: Sequence[PurePosixPath]) -> str:
    """What is said of files of no kind that can be read."""
    what = f"{names[0].name} is" if len(names) == 1 else "these are"
    if not names:
        what = "the archive holds"
    return (
        f"{what} nothing that the lab reads: drop a table (.csv, .tsv, .parquet), a folder of images or a .zip of one"
    )


def mb(size: int) -> str:
    """Bytes as megabytes."""
    return f"{size / 2**20:,.0f}"
