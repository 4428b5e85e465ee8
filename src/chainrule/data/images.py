"""Images as rows: in folders, in files that hold many, in arrays.

A pixel is a whole number from 0 to 255.  Small sets lie in memory as bytes; of large ones the files are decoded when
their rows are needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import image_files
from chainrule.data.image_files import Size, shown
from chainrule.data.packed import Packed, is_packed, read_packed
from chainrule.definition import check_count
from chainrule.errors import ChainruleError

Array = NDArray[Any]

PIXELS_IN_MEMORY = 512 * 2**20  # bytes; the files of a larger set stay files


@dataclass(frozen=True)
class Pixels:
    """Images in memory, or mapped into it: those at the places ``at`` [b] (None: all) of the bytes ``whole`` [n,h,w] or
    [n,h,w,c], which are never copied.

    ``labels`` [b] where they came with some; ``resize``: they came from files that were scaled to this size.
    """

    whole: Array
    labels: Array | None = None
    resize: bool = False
    at: Array | None = None

    def __len__(self) -> int:
        return len(self.whole if self.at is None else self.at)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of one image."""
        return self.whole.shape[1:]

    @property
    def values(self) -> Array:
        """The pixels of these images, [b,h,w] or [b,h,w,c]."""
        return self.whole if self.at is None else self.whole[self.at]

    def take(self, rows: Array) -> Pixels:
        labels = None if self.labels is None else self.labels[rows]
        return Pixels(self.whole, labels, self.resize, rows if self.at is None else self.at[rows])

    def parts(self) -> list[Array]:
        """The SHA-256 of each image, [b, 32]: no more memory than that for finding those that are the same."""
        places = range(len(self.whole)) if self.at is None else self.at
        return [_digests(self.whole[place].tobytes() for place in places)]


@dataclass(frozen=True)
class Files:
    """Images in files, decoded to ``shape`` when they are needed; ``resize``: scaled to it, whatever size they have."""

    paths: tuple[Path, ...]
    shape: tuple[int, ...]
    resize: bool
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: Array) -> Files:
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, paths=tuple(self.paths[row] for row in rows), labels=labels)

    def parts(self) -> list[Array]:
        """The SHA-256 of each file, [b, 32]: copies of a file are the same image."""
        return [_digests(path.read_bytes() for path in self.paths)]

    def decoded(self) -> Pixels:
        """Their pixels.  Raises ChainruleError naming a file that is damaged or of another size."""
        values = image_files.decode(self.paths, len(self.shape) == 2, (self.shape[0], self.shape[1]), self.resize)
        return Pixels(values.reshape(-1, *self.shape), self.labels, self.resize)


Images = Pixels | Files


def _digests(contents: Iterable[bytes]) -> Array:
    digests = [hashlib.sha256(content).digest() for content in contents]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1)


def read_images(source: str | Path | Sequence[Any], size: int | tuple[int, int] | None = None) -> Images:
    """Images to train on, for ``fit``: of a folder, an idx or npz file, or a list of files.

    A folder has a folder for each class, whose names are the labels: ``model.fit(read_images("images/", size=32))``.
    All files must have one size; with ``size`` (height and width, or one number for both) each is scaled until it just
    covers it, and what stands over is cut off on both sides alike.  They are read as grey where all are, else in
    colour; transparency is passed over.  ``.labels`` [b] are those found, ``.paths`` the files of a large set.

    Raises ChainruleError naming the first file that is no image, or whose size differs, and a class without images.
    """
    return read_image_set(source, size)[0]


def read_image_set(
    source: str | Path | Sequence[Any], size: int | tuple[int, int] | None = None
) -> tuple[Images, Images | None]:
    """``read_images``, and the images to test on where there are some of their own: folders ``train`` and ``test``, idx
    files that begin with ``t10k`` or ``test``, or arrays ``x_test`` in an npz file.
    """
    wanted = None if size is None else _size(size)
    if not isinstance(source, str | Path):
        return _looked_at([Path(path) for path in source], None, wanted), None
    path = Path(source)
    if not path.exists():
        raise ChainruleError(f"{path}: no such file or folder")
    if is_packed(path):
        if wanted is not None:
            raise ChainruleError(f"{path}: its images have one size; a size is for image files")
        training, test = read_packed(path)
        return of_packed(training), None if test is None else of_packed(test)
    if not path.is_dir():
        return _looked_at([path], None, wanted), None
    inside = {folder.name.lower(): folder for folder in image_files.visible(path) if folder.is_dir()}
    if inside.keys() == {"train", "test"}:
        return _of_folder(inside["train"], wanted), _of_folder(inside["test"], wanted)
    return _of_folder(path, wanted), None


def is_image_source(X: Any) -> bool:
    """Whether ``X`` is a folder or file of images, a list of image files, or an array of bytes [b,h,w] or [b,h,w,c]."""
    if isinstance(X, np.ndarray):
        return X.dtype == np.uint8 and X.ndim in (3, 4)
    if isinstance(X, str | Path):
        path = Path(X)
        if not path.exists():
            return False
        return (
            is_packed(path)
            or (path.is_dir() and (image_files.holds_images(path) or _divided(path)))
            or image_files.is_image(path)
        )
    if isinstance(X, list | tuple) and X and all(isinstance(path, str | Path) for path in X):
        return all(image_files.is_image(Path(path)) for path in X)
    return False


def _divided(folder: Path) -> bool:
    """Whether it is a folder with a folder ``train`` of images."""
    return any(path.name.lower() == "train" and image_files.holds_images(path) for path in folder.iterdir())


def _of_folder(folder: Path, size: Size | None) -> Images:
    if any(path.is_dir() for path in image_files.visible(folder)):
        return _looked_at(*image_files.class_folders(folder), size)
    return _looked_at(image_files.all_files(folder), None, size)


def of_packed(packed: Packed) -> Pixels:
    """Images that lay in one file, as rows."""
    return Pixels(packed.images, packed.labels)


def _looked_at(paths: Sequence[Path], labels: Array | None, size: Size | None) -> Images:
    """Files whose headers say that they are images, of one size or to be scaled to one."""
    if not paths:
        raise ChainruleError("there are no images in an empty list")
    found = image_files.headers(paths)
    if size is None:
        for path, header in zip(paths, found, strict=True):
            if header.size != found[0].size:
                raise ChainruleError(
                    f"{path} has {shown(header.size)} pixels, and {paths[0]} {shown(found[0].size)}; a network reads "
                    "images of one size: give a size (size=…, --size) to have them scaled to it"
                )
    shape = size or found[0].size
    files = Files(
        tuple(paths), shape if all(header.grey for header in found) else (*shape, 3), size is not None, labels
    )
    return files.decoded() if len(files) * prod(files.shape) <= PIXELS_IN_MEMORY else files


def _size(size: Any) -> Size:
    if isinstance(size, tuple | list):
        if len(size) != 2:
            raise ChainruleError(f"size is a number of pixels or (height, width), not {size!r}")
        return check_count("read_images", "height", size[0]), check_count("read_images", "width", size[1])
    return check_count("read_images", "size", size), size
