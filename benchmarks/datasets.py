"""The real data sets: looked for in ``$CHAINRULE_DATA``, else in ``../shared/data`` beside the project."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def data_folder(name: str) -> Path:
    """The folder of a data set; FileNotFoundError, saying where it was looked for, if it is not there."""
    root = Path(os.environ.get("CHAINRULE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (root / name).is_dir():
        raise FileNotFoundError(f"no {name} in {root}; set CHAINRULE_DATA to the folder that holds it")
    return root / name


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array in the idx format of MNIST: a magic number that ends in the number of axes, their sizes, the bytes."""
    raw = gzip.decompress(path.read_bytes())
    axes = raw[3]
    shape = np.frombuffer(raw, ">u4", axes, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def mnist() -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Training images [60000, 784] in 0 … 1 and labels, then test images [10000, 784] and labels."""
    folder = data_folder("mnist")
    parts: list[NDArray[np.float32] | NDArray[np.int64]] = []
    for name in ("train", "t10k"):
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
        parts.append(images.reshape(len(images), -1).astype(np.float32) / 255)
        parts.append(read_idx(folder / f"{name}-labels-idx1-ubyte.gz").astype(np.int64))
    return tuple(parts)  # type: ignore[return-value]
