"""Image files: what they say of themselves, their pixels, and folders of them, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from PIL import Image

Array = NDArray[Any]
Size = tuple[int, int]  # height, width

# What says that a file, or a folder of them, is meant as images.  In a folder of a class, others are tried too.
ENDINGS = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2",
    ".pgm", ".ppm", ".pbm", ".pnm", ".tga", ".ico", ".pcx", ".sgi",
})  # fmt: skip
GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"})
ORIENTATION = 0x0112  # the EXIF tag; from 5 on, height and width change places
THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Header:
    """What an image is, known without decoding it."""

    size: Size
    grey: bool


def headers(paths: Sequence[Path]) -> list[Header]:
    """The header of each file.  Raises ChainruleError naming the first file that is no image."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_header, paths))


def decode(paths: Sequence[Path], grey: bool, size: Size, resize: bool) -> Array:
    """The pixels [b,h,w] (grey) or [b,h,w,c], whole numbers from 0 to 255; c are red, green and blue.

    ``resize``: an image of another size is scaled until it just covers ``size``, so that of a square the shorter side
    fits, and what stands over is cut off on both sides alike.  Without it, raises ChainruleError naming the first file
    of another size; and in any case the first that cannot be decoded.
    """
    read = _resized if resize else _of_size
    pixels = np.empty((len(paths), *size) if grey else (len(paths), *size, 3), dtype=np.uint8)
    with ThreadPoolExecutor(THREADS) as pool:
        for row, image in enumerate(pool.map(lambda path: read(path, grey, size), paths)):
            pixels[row] = image
    return pixels


def _header(path: Path) -> Header:
    with _Opened(path) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION, 1) >= 5:
            width, height = height, width
        return Header((height, width), image.mode in GREY_MODES)


def _of_size(path: Path, grey: bool, size: Size) -> Array:
    from PIL import ImageOps

    with _Opened(path) as image:
        array = np.asarray(_converted(ImageOps.exif_transpose(image), grey, path))
    if array.shape[:2] != size:
        raise ChainruleError(
            f"{path} has {shown(array.shape)} pixels, and the network reads {shown(size)}; "
            "train with a size (size=…, --size) to have images of any size scaled to it"
        )
    return array


def _resized(path: Path, grey: bool, size: Size) -> Array:
    from PIL import Image, ImageOps

    height, width = size
    with _Opened(path) as image:
        # Photographs are decoded at a half, a quarter or an eighth of their size where that is still large enough.
        image.draft(None, (max(size), max(size)))
        upright = _converted(ImageOps.exif_transpose(image), grey, path)
        return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR))


def _converted(image: Image.Image, grey: bool, path: Path) -> Image.Image:
    from PIL import Image

    if image.mode in ("I", "F"):
        raise ChainruleError(f"{path} has pixels of 32 bits; images have 8 or 16")
    if image.mode.startswith("I;16"):
        # Pillow itself would cut off what is above 255.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("L" if grey else "RGB")


class _Opened:
    """A file as an image of Pillow; what goes wrong with it inside the context is a ChainruleError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Image.Image:
        from PIL import Image, UnidentifiedImageError

        try:
            self.image = Image.open(self.path)
        except UnidentifiedImageError:
            raise ChainruleError(f"{self.path} is no image that can be read") from None
        except OSError as error:
            raise ChainruleError(f"{self.path}: {(error.strerror or str(error)).lower()}") from None
        except Exception as error:
            raise self._unreadable(error) from None
        return self.image

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.image.close()
        # Readers of damaged files raise whatever comes of the damage: OSError, SyntaxError, struct.error and others.
        if isinstance(error, Exception) and not isinstance(error, ChainruleError | MemoryError):
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> ChainruleError:
        return ChainruleError(f"{self.path} is damaged: {str(error).splitlines()[0] if str(error) else error!r}")


def shown(size: Sequence[int]) -> str:
    """A size in words, as images are spoken of: width × height."""
    return f"{size[1]}×{size[0]}"


def visible(folder: Path) -> list[Path]:
    """What a folder holds, in the order of names, but for hidden files.  Raises ChainruleError where it is none."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ChainruleError(f"{folder}: {(error.strerror or str(error)).lower()}") from None


def is_image(path: Path) -> bool:
    """Whether the name says that a file is an image."""
    return path.suffix.lower() in ENDINGS


def holds_images(folder: Path) -> bool:
    """Whether there are images in a folder, or in the folders in it."""
    inside = visible(folder)
    if any(is_image(path) for path in inside):
        return True
    return any(is_image(file) for path in inside if path.is_dir() for file in visible(path))


def class_folders(folder: Path) -> tuple[list[Path], Array]:
    """The files in the folders of a folder, and the name of the folder that each is in [b].

    Raises ChainruleError for a class without files, and for images beside the folders, whose class is not known.
    """
    inside = visible(folder)
    classes = [path for path in inside if path.is_dir()]
    stray = next((path for path in inside if path.is_file() and is_image(path)), None)
    if not classes:
        raise ChainruleError(f"{folder} has no folders in it; images to learn from lie in a folder for each class")
    if stray is not None:
        raise ChainruleError(f"{stray} is in no folder of a class; images to learn from lie in a folder for each class")
    refuse_empty_folders(folder)
    files, labels = [], []
    for path in classes:
        own = [file for file in visible(path) if file.is_file()]
        files += own
        labels += [path.name] * len(own)
    return files, np.array(labels, dtype=object)


def refuse_empty_folders(folder: Path) -> None:
    """Raise ChainruleError for a class without files: a folder in the folder that has nothing but folders in it."""
    for path in visible(folder):
        if path.is_dir() and not any(file.is_file() for file in visible(path)):
            raise ChainruleError(f"{path} holds no images; each folder of {folder} is a class")


def folders_as_labels(files: Sequence[Path], folder: Path) -> Array | None:
    """The name of the folder that each file is in [b]; None where one is in no folder of ``folder``."""
    if any(file.parent.parent != folder for file in files):
        return None
    return np.array([file.parent.name for file in files], dtype=object)


def all_files(folder: Path) -> list[Path]:
    """The images in a folder and in the folders in it, in the order of their names.  Raises ChainruleError for none."""
    found: list[Path] = []
    for path in visible(folder):
        if path.is_dir():
            found += [file for file in visible(path) if file.is_file()]
        elif is_image(path):
            found.append(path)
    if not found:
        raise ChainruleError(f"{folder} holds no images")
    return found
