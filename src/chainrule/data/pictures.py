"""How a network reads images, x[b,h,w] (grey) or x[b,h,w,c]: each channel at mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import image_files
from chainrule.data.grid import axis_sizes
from chainrule.data.image_files import shown
from chainrule.data.images import Files, Images, Pixels, of_packed
from chainrule.data.packed import is_packed, read_packed
from chainrule.data.reader import FixedShape
from chainrule.errors import ChainruleError

Array = NDArray[Any]

WHITE = 255
BLOCK = 2**20  # bytes of pixels that are measured at a time; counting takes eight times as much
MOST_MEASURED = 10_000  # images for mean and deviation, where they have to be decoded for it


@dataclass(frozen=True)
class Pictures(FixedShape):
    """Images of ``shape`` (h, w), or (h, w, c), each channel brought to mean 0 and deviation 1.

    ``mean`` and ``deviation`` are those of the training images, black being 0 and white 1, for each channel (grey: for
    one); ``resize``: files of another size are scaled.
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    resize: bool = False

    @property
    def sizes(self) -> Mapping[str, int]:
        """The axes of one image and their sizes: h, w and, of images with channels, c."""
        return axis_sizes(self.shape)

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """The numbers that the network reads, x[b,h,w] or x[b,h,w,c].  Raises ChainruleError for another shape."""
        return {"x": self.scaled(self.measured(data, dtype))}

    def measured(self, data: Any, dtype: Any = np.float32) -> Array:
        """The images as numbers from 0, black, to 1, white."""
        if isinstance(data, Files):
            data = replace(data, shape=self.shape, resize=self.resize).decoded()
        if not isinstance(data, Pixels):
            raise ChainruleError("the model was trained on images; give a folder, files or arrays of images")
        if data.shape != self.shape:
            raise ChainruleError(f"X has images of shape {data.shape}; the model was trained on {self.shape}")
        measured: Array = np.multiply(data.values, dtype(1 / WHITE), dtype=dtype)
        return measured

    def scaled(self, images: Array) -> Array:
        """Numbers from 0 to 1 as the network reads them; the array given is written over."""
        channels = len(self.mean)
        along = self.shape[1] if len(self.shape) == 3 else 1
        # Of arrays with three numbers in a row NumPy is slow; a line of the image has all its channels in turn.
        lines = images.reshape(len(images), self.shape[0], -1)
        if channels == 1:
            lines -= images.dtype.type(self.mean[0])
            lines /= images.dtype.type(self.deviation[0])
        else:
            lines -= np.tile(self.mean, along).astype(images.dtype)
            lines /= np.tile(self.deviation, along).astype(images.dtype)
        return images

    def rows(self, X: Any) -> Images:
        """What was given to a model that was trained on images, as rows."""
        if isinstance(X, Pixels | Files):
            return X
        if isinstance(X, str | Path):
            path = Path(X)
            if not path.exists():
                raise ChainruleError(f"{path}: no such file or folder")
            if is_packed(path):
                return of_packed(read_packed(path)[0])
            files = image_files.all_files(path) if path.is_dir() else [path]
            return Files(tuple(files), self.shape, self.resize, image_files.folders_as_labels(files, path))
        if isinstance(X, list | tuple) and X and all(isinstance(path, str | Path) for path in X):
            return Files(tuple(map(Path, X)), self.shape, self.resize)
        return Pixels(_bytes(np.asarray(X)))

    def lines(self) -> list[tuple[str, str]]:
        """What is done to the images."""
        kind = {2: "grey"}.get(len(self.shape), f"{self.shape[-1]} channels")
        means, deviations = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.deviation))
        scaled = "; files of another size are scaled, and cut at the centre" if self.resize else ""
        return [("X", f"images of {shown(self.shape)} pixels, {kind}; mean {means}, deviation {deviations}{scaled}")]

    def to_json(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "mean": list(self.mean),
            "deviation": list(self.deviation),
            "resize": self.resize,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Pictures:
        mean, deviation = (tuple(map(float, data[name])) for name in ("mean", "deviation"))
        return Pictures(tuple(map(int, data["shape"])), mean, deviation, bool(data["resize"]))


def fit_pictures(images: Images, weights: Array) -> Pictures:
    """Mean and deviation of each channel; an image of weight w counts as w images.

    Of files that do not fit into memory 10,000 are measured, at equal distances.
    """
    count = len(images)
    every = 1 if isinstance(images, Pixels) else max(1, count // MOST_MEASURED)
    channels = images.shape[2] if len(images.shape) == 3 else 1
    total, sums, squares = 0.0, np.zeros(channels), np.zeros(channels)
    for rows in _blocks(np.arange(0, count, every), prod(images.shape)):
        block = images.take(rows)
        values = (block.decoded() if isinstance(block, Files) else block).values.reshape(len(rows), -1, channels)
        levels = np.arange(WHITE + 1)
        for channel in range(channels):
            of_level = _histogram(values[:, :, channel], weights[rows])
            sums[channel] += of_level @ levels
            squares[channel] += of_level @ levels**2
        total += weights[rows].sum() * values.shape[1]
    mean = sums / total
    deviation = np.sqrt(np.maximum(squares / total - mean**2, 0))
    deviation[deviation == 0] = WHITE
    return Pictures(images.shape, tuple((mean / WHITE).tolist()), tuple((deviation / WHITE).tolist()), images.resize)


def _histogram(values: Array, weights: Array) -> Array:
    """How often each level from 0 to 255 occurs in images [b, p]."""
    if not np.ptp(weights):
        return np.asarray(np.bincount(values.ravel(), minlength=WHITE + 1) * weights[0])
    return np.bincount(values.ravel(), np.repeat(weights, values.shape[1]), minlength=WHITE + 1)


def _blocks(rows: Array, bytes_a_row: int) -> Iterator[Array]:
    at_once = max(1, BLOCK // bytes_a_row)
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]


def _bytes(array: Array) -> Array:
    """Pixels given as an array, as bytes.  Raises ChainruleError for what are no whole numbers from 0 to 255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiub" or array.ndim not in (3, 4):
        raise ChainruleError(
            f"the model was trained on images, [b,h,w] or [b,h,w,c]; X is an array {array.shape} of {array.dtype}"
        )
    if not np.isfinite(array).all():
        raise ChainruleError("X holds pixels that are missing or infinite")
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if low < 0 or high > WHITE:
        raise ChainruleError(f"X has pixels from {low:g} to {high:g}; those of images go from 0 to {WHITE}")
    if high <= 1 and (array % 1).any():
        raise ChainruleError(
            f"X has pixels from {low:g} to {high:g}; the model reads 0 to {WHITE}: multiply by {WHITE}"
        )
    return np.round(array).astype(np.uint8)
