"""Augmentation: training images changed at random, anew in each epoch.

Images are numbers [b,h,w,c], as a rule from 0 (black) to 1 (white).  What is drawn for a row is a function of the
seed, the epoch and the row, so how rows are grouped changes nothing.  Several augmentations, ``Shift(2) + Flip()`` or
a tuple, are applied in order; neighbours that only move pixels are one map, and pixels are interpolated once.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.data.draws import Draws
from chainrule.data.resample import mirrored, resampled
from chainrule.definition import check_number, plain
from chainrule.errors import ChainruleError

Array = NDArray[Any]

# Red, green and blue in what the eye takes for brightness: Recommendation ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Augmentation:
    """A random change of images.  Raises ChainruleError for arguments outside of what it allows."""

    catalogue: ClassVar[dict[str, type[Augmentation]]] = {}
    source: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "source" in vars(cls):
            cls.catalogue[cls.__name__] = cls

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))

    def __add__(self, other: Any) -> tuple[Augmentation, ...]:
        return (self, *as_augmentations(other))

    def __radd__(self, other: Any) -> tuple[Augmentation, ...]:
        return (*as_augmentations(other), self)

    def apply(self, images: Array, draws: Draws) -> Array:
        """The images [b,h,w,c] changed; the array given is not."""
        raise NotImplementedError


class Affine(Augmentation):
    """An augmentation that moves pixels by an affine map; what comes from outside the image is 0."""

    @abstractmethod
    def maps(self, draws: Draws) -> Array:
        """From the place of a pixel to the place that it comes from, measured from the centre: [b, 2, 3], so that
        (h, w) comes from M·(h, w, 1).
        """

    def apply(self, images: Array, draws: Draws) -> Array:
        return resampled(images, self.maps(draws))


@dataclass(frozen=True)
class Flip(Affine):
    """Left and right exchanged, with this probability."""

    source = "Krizhevsky, Sutskever, Hinton, ImageNet Classification (2012), §4.1"

    probability: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Flip", "probability", self.probability, low=0, high=1)

    def maps(self, draws: Draws) -> Array:
        made = _identity(len(draws.rows))
        made[:, 1, 1] = np.where(draws.uniform(1)[:, 0] < self.probability, -1, 1)
        return made


@dataclass(frozen=True)
class Shift(Affine):
    """Moved by whole pixels, at most so many, in both directions: a crop of the image with a border of zeros."""

    source = "Nielsen, Neural Networks and Deep Learning (2015), ch. 3; He et al. (2016), §4.2"

    pixels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pixels("Shift", self.pixels)

    def maps(self, draws: Draws) -> Array:
        made = _identity(len(draws.rows))
        made[:, :, 2] = draws.whole(-self.pixels, self.pixels, 2)
        return made


@dataclass(frozen=True)
class Rotate(Affine):
    """Turned about the centre by at most so many degrees, to either side."""

    source = "Simard, Steinkraus, Platt, Best Practices for Convolutional Neural Networks (2003), §2"

    degrees: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Rotate", "degrees", self.degrees, low=0, high=180)

    def maps(self, draws: Draws) -> Array:
        angle = np.radians(draws.between(-self.degrees, self.degrees)[:, 0])
        made = _identity(len(angle))
        made[:, 0, 0] = made[:, 1, 1] = np.cos(angle)
        made[:, 0, 1] = np.sin(angle)
        made[:, 1, 0] = -made[:, 0, 1]
        return made


@dataclass(frozen=True)
class Zoom(Affine):
    """Enlarged by a factor of at most 1 + ``amount``, or made smaller by as much."""

    source = "Cireşan et al., Deep, Big, Simple Neural Nets (2010), §2"

    amount: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Zoom", "amount", self.amount, low=0)

    def maps(self, draws: Draws) -> Array:
        furthest = np.log1p(self.amount)
        made = _identity(len(draws.rows))
        made[:, 0, 0] = made[:, 1, 1] = np.exp(draws.between(-furthest, furthest)[:, 0])
        return made


@dataclass(frozen=True)
class Crop(Augmentation):
    """A part as large as the image, cut out of the image with a border of so many pixels in which it is mirrored."""

    source = "He et al., Deep Residual Learning (2016), §4.2, with the border mirrored"

    border: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pixels("Crop", self.border)

    def apply(self, images: Array, draws: Draws) -> Array:
        return mirrored(images, draws.whole(-self.border, self.border, 2))


@dataclass(frozen=True)
class Colour(Augmentation):
    """Brightness, contrast and saturation multiplied by factors between 1 - amount and 1 + amount.

    Contrast is the distance from the image's mean, saturation that from the grey of the same brightness; what leaves
    0 to 1 is cut off.  Saturation is of images with three channels only.
    """

    source = "Howard, Some Improvements on Deep Convolutional Neural Network Based Image Classification (2013), §2"

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields(self):
            check_number("Colour", field.name, getattr(self, field.name), low=0, high=1)

    def apply(self, images: Array, draws: Draws) -> Array:
        amounts = np.array([self.brightness, self.contrast, self.saturation])
        factors = (1 + amounts * draws.between(-1, 1, 3)).astype(images.dtype)
        bright, contrast, saturation = factors.T[:, :, None, None, None]
        changed: Array = images * bright
        mean = changed.mean(axis=(1, 2, 3), keepdims=True)
        changed -= mean
        changed *= contrast
        changed += mean
        if images.shape[3] == 3:
            grey = changed @ np.array(LUMA, dtype=images.dtype)[:, None]
            changed = grey + saturation * (changed - grey)
        np.clip(changed, 0, 1, out=changed)
        return changed


@dataclass(frozen=True)
class Noise(Augmentation):
    """Normal noise of this deviation added to each number; black to white is 1."""

    source = "Bishop, Training with Noise is Equivalent to Tikhonov Regularization (1995)"

    deviation: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Noise", "deviation", self.deviation, low=0)

    def apply(self, images: Array, draws: Draws) -> Array:
        drawn = draws.normal(images[0].size).reshape(images.shape)
        drawn *= self.deviation
        return images + drawn


@dataclass(frozen=True)
class Cutout(Augmentation):
    """A square of so many pixels set to 0, its centre anywhere in the image."""

    source = "DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout (2017), §3"

    pixels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pixels("Cutout", self.pixels)

    def apply(self, images: Array, draws: Draws) -> Array:
        kept = []
        for size, drawn in zip(images.shape[1:3], draws.uniform(2).T, strict=True):
            first = np.floor(drawn * size)[:, None] - self.pixels // 2
            place = np.arange(size)
            kept.append((place < first) | (place >= first + self.pixels))
        outside: Array = (kept[0][:, :, None] | kept[1][:, None, :])[..., None]
        return images * outside


@dataclass(frozen=True)
class Mixup(Augmentation):
    """Each row mixed with another row of the training set, targets included: λ of the one, 1 - λ of the other.

    λ follows the beta distribution of ``alpha`` and ``alpha``.  Targets become soft, so the loss must read ``y``.
    """

    source = "Zhang, Cissé, Dauphin, Lopez-Paz, mixup: Beyond Empirical Risk Minimization (2018), eq. 1"

    alpha: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Mixup", "alpha", self.alpha, above=0, high=1)

    def partners(self, draws: Draws, rows: int) -> tuple[Array, Array]:
        """The row of the training set that each is mixed with, and λ, [b]."""
        return draws.whole(0, rows - 1)[:, 0], self._shares(replace(draws, name=f"{draws.name} share"))

    def _shares(self, draws: Draws) -> Array:
        """λ by rejection (Jöhnk 1964): u^(1/α)/(u^(1/α) + v^(1/α)) where that sum is at most 1."""
        shares = np.full(len(draws.rows), np.nan)
        turn = 0
        while (open_ := np.isnan(shares)).any():
            again = replace(draws, rows=draws.rows[open_], name=f"{draws.name} {turn}")
            # In logarithms, as u^(1/α) itself may be too small for a number.
            u, v = np.log1p(-again.uniform(2).T) / self.alpha
            total = np.logaddexp(u, v)
            shares[open_] = np.where(total <= 0, np.exp(u - total), np.nan)
            turn += 1
        return shares


def as_augmentations(given: Any) -> tuple[Augmentation, ...]:
    """The setting ``augmentation=`` as a tuple; None is none.  Raises ChainruleError for what is no augmentation."""
    steps = () if given is None else tuple(given) if isinstance(given, tuple | list) else (given,)
    for step in steps:
        if isinstance(step, type) and issubclass(step, Augmentation):
            raise ChainruleError(f"augmentation: {step.__name__} is a class; write {step.__name__}(…)")
        if not isinstance(step, Augmentation):
            known = ", ".join(Augmentation.catalogue)
            raise ChainruleError(f"augmentation: {step!r} is none of the augmentations ({known})")
    if sum(isinstance(step, Mixup) for step in steps) > 1:
        raise ChainruleError("augmentation: Mixup occurs twice")
    return steps


def mixup_of(steps: tuple[Augmentation, ...]) -> Mixup | None:
    """The Mixup among augmentations, whose place does not matter: rows are mixed once they have been changed."""
    return next((step for step in steps if isinstance(step, Mixup)), None)


def augmented(images: Array, steps: tuple[Augmentation, ...], draws: Draws) -> Array:
    """The images [b,h,w] or [b,h,w,c] after all augmentations but Mixup, in order; of the same shape."""
    changed = images if images.ndim == 4 else images[..., None]
    named = [(step, replace(draws, name=f"{place} {type(step).__name__}")) for place, step in enumerate(steps)]
    for moves, group in groupby(named, key=lambda pair: isinstance(pair[0], Affine)):
        if moves:
            made = _identity(len(images))
            for step, own in group:
                assert isinstance(step, Affine)
                made = _after(made, step.maps(own))
            changed = resampled(changed, made)
        else:
            for step, own in group:
                changed = changed if isinstance(step, Mixup) else step.apply(changed, own)
    return changed.reshape(images.shape)


def _after(first: Array, then: Array) -> Array:
    """The map of two, one applied to the image after the other: places go back through the last one first."""
    made = first[:, :, :2] @ then
    made[:, :, 2] += first[:, :, 2]
    return made


def _identity(rows: int) -> Array:
    return np.repeat(np.eye(2, 3)[None], rows, axis=0)


def _check_pixels(owner: str, pixels: object) -> None:
    if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels < 0:
        raise ChainruleError(f"{owner}: a number of pixels is a whole number of at least 0, not {pixels!r}")
