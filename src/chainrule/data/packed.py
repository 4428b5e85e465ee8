"""Many images in one file: idx files, as MNIST comes in, and npz files.

The format of idx: LeCun, Cortes, Burges, "The MNIST database" (1998): two zero bytes, the type (8: bytes), the number
of axes, the size of each as a whole number of four bytes, the highest first, then the numbers.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError

Array = NDArray[Any]

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
TEST_NAMES = ("t10k", "test")
# What the arrays of an npz file are called: those to train on, and, where there are any, those to test on.
TRAINING_KEYS = (
    ("X", "y"), ("x", "y"), ("x_train", "y_train"), ("X_train", "y_train"), ("images", "labels"),
    ("train_images", "train_labels"),
)  # fmt: skip
TEST_KEYS = (("x_test", "y_test"), ("X_test", "y_test"), ("test_images", "test_labels"))


@dataclass(frozen=True)
class Packed:
    """Images [b,h,w] or [b,h,w,c] and their labels [b], None where there are none."""

    images: Array
    labels: Array | None


def is_packed(path: Path) -> bool:
    """Whether the path is an idx or npz file, or a folder of idx files."""
    if path.is_dir():
        return any(_is_idx(file) for file in path.iterdir())
    return path.suffix.lower() == ".npz" or _is_idx(path)


def read_packed(path: Path) -> tuple[Packed, Packed | None]:
    """The images to train on and those to test on (None: there are none).

    Raises ChainruleError for a file that is damaged, that has no images, and where images and labels differ in number.
    """
    if path.suffix.lower() == ".npz":
        return _read_npz(path)
    files = sorted(file for file in path.iterdir() if _is_idx(file)) if path.is_dir() else [path]
    test = [file for file in files if file.name.startswith(TEST_NAMES)] if len(files) > 1 else []
    training = [file for file in files if file not in test]
    if len(training) > 1 or len(test) > 1:
        several = training if len(training) > 1 else test
        raise ChainruleError(f"{path} has several files of images: {several[0].name}, {several[1].name}; name one")
    if not training:
        raise ChainruleError(f"{path} has images to test on only ({test[0].name})")
    return _with_labels(training[0]), _with_labels(test[0]) if test else None


def read_idx(path: Path) -> Array:
    """The bytes of an idx file as an array.  Raises ChainruleError where it is none, or not whole."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ChainruleError(f"{path} is damaged: it cannot be decompressed") from None
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or len(raw) < 4 + 4 * raw[3]:
        raise ChainruleError(f"{path} is no idx file, or damaged")
    if raw[2] != 8:
        raise ChainruleError(f"{path} holds numbers of another type than bytes (type {raw[2]:#x})")
    shape = tuple(int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(raw[3]))
    start = 4 + 4 * len(shape)
    if len(raw) - start != prod(shape):
        raise ChainruleError(f"{path} is damaged: {len(raw) - start} bytes where its header says {prod(shape)}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _is_idx(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(IMAGES)


def _with_labels(path: Path) -> Packed:
    beside = path.with_name(path.name.replace(IMAGES, LABELS))
    others = (beside, beside.with_name(beside.name.removesuffix(".gz")), beside.with_name(beside.name + ".gz"))
    found = next((file for file in others if file.exists()), None)
    return _checked(path, read_idx(path), None if found is None else read_idx(found))


def _read_npz(path: Path) -> tuple[Packed, Packed | None]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            training = next((pair for pair in TRAINING_KEYS if pair[0] in arrays), None)
            if training is None:
                known = ", ".join(pair[0] for pair in TRAINING_KEYS)
                raise ChainruleError(f"{path} has no array {known}; it has {', '.join(arrays.files) or 'none'}")
            test = next((pair for pair in TEST_KEYS if pair[0] in arrays), None)
            made = tuple(
                None if pair is None else _checked(path, arrays[pair[0]], arrays.get(pair[1]))
                for pair in (training, test)
            )
    except FileNotFoundError:
        raise ChainruleError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        if isinstance(error, ChainruleError):
            raise
        raise ChainruleError(f"{path} is no npz file, or damaged ({str(error).splitlines()[0]})") from None
    assert made[0] is not None
    return made[0], made[1]


def _checked(path: Path, images: Array, labels: Array | None) -> Packed:
    if images.ndim not in (3, 4) or images.dtype != np.uint8:
        raise ChainruleError(
            f"{path}: its images are {images.shape} of {images.dtype}; they should be [b,h,w] or [b,h,w,c] of bytes"
        )
    if not len(images):
        raise ChainruleError(f"{path} holds no images")
    if labels is not None and labels.shape not in ((len(images),), (len(images), 1)):
        raise ChainruleError(f"{path}: {len(images)} images, but labels of shape {labels.shape}")
    return Packed(images, None if labels is None else labels.reshape(-1))
