"""Augmentations: what they do to an image, and that what is drawn for a row depends on nothing but the row."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from chainrule.data import resample
from chainrule.data.augment import (
    Affine,
    Augmentation,
    Colour,
    Crop,
    Cutout,
    Flip,
    Mixup,
    Noise,
    Rotate,
    Shift,
    Zoom,
    as_augmentations,
    augmented,
)
from chainrule.data.draws import Draws
from chainrule.data.resample import resampled
from chainrule.errors import ChainruleError
from chainrule.estimators.settings import read_call

Array = NDArray[Any]
EVERY: tuple[Augmentation, ...] = (
    Flip(),
    Shift(2),
    Rotate(20),
    Zoom(0.2),
    Crop(2),
    Colour(),
    Noise(0.1),
    Cutout(3),
    Mixup(),
)


def pictures(rows: int = 12, channels: tuple[int, ...] = (), seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((rows, 8, 9, *channels)).astype(np.float32)


def draws(rows: Any, seed: int = 0, epoch: int = 0, name: str = "") -> Draws:
    return Draws(seed, epoch, np.asarray(rows), name)


def test_every_augmentation_is_tried() -> None:
    assert {type(step).__name__ for step in EVERY} == set(Augmentation.catalogue)


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("step", EVERY, ids=repr)
def test_a_function_of_seed_epoch_and_row(step: Augmentation, channels: tuple[int, ...]) -> None:
    """Not of the rows beside it, nor of their order."""
    images, rows = pictures(channels=channels), np.arange(100, 112)
    whole = augmented(images, (step,), draws(rows))
    assert whole.shape == images.shape and whole.dtype == np.float32
    some = np.array([7, 2, 9])
    np.testing.assert_array_equal(augmented(images[some], (step,), draws(rows[some])), whole[some])
    if not isinstance(step, Mixup):
        assert (whole != images).any()
        for other in (draws(rows, seed=1), draws(rows, epoch=1)):
            assert (augmented(images, (step,), other) != whole).any()
    assert (pictures(channels=channels) == images).all()


@pytest.mark.parametrize("step", EVERY, ids=repr)
def test_text_reads_back(step: Augmentation) -> None:
    assert read_call(repr(step)) == step and hash(step) == hash(read_call(repr(step)))


def test_several() -> None:
    both = Shift(2) + Flip()
    assert both == (Shift(2), Flip()) == as_augmentations(both) and both + Noise(0.1) == (*both, Noise(0.1))
    assert Cutout(2) + both == (Cutout(2), *both)
    assert as_augmentations(None) == ()
    for wrong, message in (
        (Flip, r"Flip is a class; write Flip\(…\)"),
        ((Flip(), "Shift"), "'Shift' is none of the augmentations"),
        ((Mixup(), Mixup(0.1)), "Mixup occurs twice"),
    ):
        with pytest.raises(ChainruleError, match=message):
            as_augmentations(wrong)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Flip(2),
        lambda: Shift(-1),
        lambda: Shift(1.5),  # type: ignore[arg-type]
        lambda: Rotate(200),
        lambda: Zoom(-0.1),
        lambda: Crop(True),
        lambda: Colour(2),
        lambda: Noise(-1),
        lambda: Cutout("3"),  # type: ignore[arg-type]
        lambda: Mixup(0),
    ],
)
def test_bad_arguments(make: Any) -> None:
    with pytest.raises(ChainruleError):
        make()


# what they do


def test_flip() -> None:
    images = pictures(200)
    changed = augmented(images, (Flip(),), draws(np.arange(200)))
    flipped = (changed == images[:, :, ::-1]).all(axis=(1, 2))
    assert ((changed == images).all(axis=(1, 2)) | flipped).all() and 70 < flipped.sum() < 130


def test_shift_moves_whole_pixels_and_fills_with_0() -> None:
    images = pictures(50)
    changed = augmented(images, (Shift(2),), draws(np.arange(50)))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    windows = {(h, w): padded[:, h : h + 8, w : w + 9] for h in range(5) for w in range(5)}
    found = [next(place for place, window in windows.items() if (window[k] == changed[k]).all()) for k in range(50)]
    assert len(set(found)) > 15


def test_crop_mirrors_its_border() -> None:
    images = pictures(50)
    changed = augmented(images, (Crop(3),), draws(np.arange(50)))
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3)), mode="reflect")
    for k in range(50):
        assert any((padded[k, h : h + 8, w : w + 9] == changed[k]).all() for h in range(7) for w in range(7))


@pytest.mark.parametrize("channels", [1, 3])
def test_against_scipy(channels: int) -> None:
    """Interpolation of any affine map, well inside of the image's border and beyond it."""
    generator = np.random.default_rng(1)
    images = pictures(6, (channels,))
    maps = generator.normal(size=(6, 2, 3))
    found = resampled(images, maps)
    centre = np.array([3.5, 4.0])
    for row in range(6):
        matrix, offset = maps[row, :, :2], maps[row, :, 2]
        for channel in range(channels):
            padded = np.pad(images[row, :, :, channel].astype(np.float64), 1)
            start = centre + offset + 1 - matrix @ centre
            wanted = affine_transform(padded, matrix, start, (8, 9), order=1, mode="constant")
            np.testing.assert_allclose(found[row, :, :, channel], wanted, atol=1e-5)


def test_neighbours_are_one_map() -> None:
    """A turn and back is no change but for rounding; applied one after the other it blurs."""

    class Back(Affine):
        def maps(self, draws: Draws) -> Array:
            turned = Rotate(20).maps(Draws(draws.seed, draws.epoch, draws.rows, "0 Rotate"))
            turned[:, [0, 1], [1, 0]] *= -1
            return turned

    images = pictures()
    np.testing.assert_allclose(augmented(images, (Rotate(20), Back()), draws(np.arange(12))), images, atol=1e-4)


def test_order_of_maps() -> None:
    """A shift to the left, then a flip, is a shift to the right in the end."""

    class Left(Affine):
        def maps(self, draws: Draws) -> Array:
            made = Shift(0).maps(draws)
            made[:, 1, 2] = 1  # comes from one pixel to the right
            return made

    image = np.zeros((1, 3, 5), np.float32)
    image[0, 1, 1] = 1
    found = augmented(image, (Left(), Flip(1.0)), draws([0]))
    assert found[0, 1].tolist() == [0, 0, 0, 0, 1]
    found = augmented(image, (Flip(1.0), Left()), draws([0]))
    assert found[0, 1].tolist() == [0, 0, 1, 0, 0]


def test_colour() -> None:
    images = np.full((40, 4, 4, 3), 0.5, np.float32)
    changed = augmented(images, (Colour(0.2, 0, 0),), draws(np.arange(40)))
    levels = changed.reshape(40, -1)
    assert np.ptp(levels, axis=1).max() < 1e-6 and 0.4 <= levels.min() < 0.45 and 0.55 < levels.max() <= 0.6
    mixed = pictures(5, (3,))
    grey = augmented(mixed, (Colour(0, 0, 1.0),), draws(np.arange(5)))
    weights = np.array([0.299, 0.587, 0.114])
    inside = ((grey > 0) & (grey < 1)).all(axis=3)
    np.testing.assert_allclose((grey @ weights)[inside], (mixed @ weights)[inside], atol=1e-5)
    assert grey.min() >= 0 and grey.max() <= 1


def test_noise_and_cutout() -> None:
    changed = augmented(np.zeros((400, 8, 9), np.float32), (Noise(0.3),), draws(np.arange(400)))
    assert abs(changed.mean()) < 0.01 and abs(changed.std() - 0.3) < 0.01
    cut = augmented(np.ones((100, 8, 9, 3), np.float32), (Cutout(4),), draws(np.arange(100)))
    missing = (cut[..., 0] == 0).sum(axis=(1, 2))
    assert (cut == cut[..., :1]).all() and missing.max() == 16 and missing.min() >= 4


@pytest.mark.parametrize("alpha", [0.001, 0.2, 1.0])
def test_mixup_draws_from_the_beta_distribution(alpha: float) -> None:
    partners, shares = Mixup(alpha).partners(draws(np.arange(20_000)), 50)
    assert partners.min() == 0 and partners.max() == 49
    assert abs(shares.mean() - 0.5) < 0.02 and abs(shares.var() - 1 / (4 * (2 * alpha + 1))) < 0.005


def test_two_uses_of_one_augmentation_differ() -> None:
    """Each has draws of its own: two shifts of up to 1 pixel reach 2."""
    images = np.zeros((300, 7, 7), np.float32)
    images[:, 3, 3] = 1
    changed = augmented(images, (Shift(1), Shift(1)), draws(np.arange(300)))
    assert {tuple(np.argwhere(image)[0] - 3) for image in changed} >= {(2, 2), (-2, 0), (0, 0)}


def test_fast_enough() -> None:
    """At least 50,000 images a second on a core that is free; a tenth of that where it is shared with other tests."""
    images = np.random.default_rng(0).random((2000, 28, 28)).astype(np.float32)
    augmented(images[:100], (Shift(2), Rotate(10)), draws(np.arange(100)))
    start = time.perf_counter()
    augmented(images, (Shift(2), Rotate(10)), draws(np.arange(2000)))
    assert 2000 / (time.perf_counter() - start) > 5_000


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(40)
    whole = augmented(images, (Rotate(30),), draws(np.arange(40)))
    monkeypatch.setattr(resample, "AT_ONCE", 200)
    np.testing.assert_array_equal(augmented(images, (Rotate(30),), draws(np.arange(40))), whole)
