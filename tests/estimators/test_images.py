"""Estimators on images: folders, files, arrays; augmentation; sets that do not fit into memory; saved and loaded."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone

from chainrule.data import images as images_module
from chainrule.data.augment import Colour, Cutout, Flip, Mixup, Noise, Rotate, Shift, augmented
from chainrule.data.draws import Draws
from chainrule.data.images import Files, Pixels, read_images
from chainrule.data.reader import PictureReader
from chainrule.data.reading import READERS
from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor, sources
from chainrule.estimators.saving import load
from chainrule.layers import Dense, Network, ReLU
from chainrule.losses import CrossEntropy, SoftCrossEntropy
from chainrule.training import source

Array = NDArray[Any]
SETTINGS: dict[str, Any] = {"epochs": 4, "batch_size": 8, "random_state": 0}


def bars(rows: int = 60, channels: tuple[int, ...] = (), seed: int = 0) -> tuple[Array, Array]:
    """Images 6 high and 7 wide with a bright line, from left to right or from top to bottom."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    pixels = generator.integers(0, 60, (rows, 6, 7, *channels))
    for k, label in enumerate(labels):
        at = generator.integers(1, 5)
        pixels[(k, slice(None), at) if label else (k, at)] += 190
    return pixels.astype(np.uint8), labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels, labels = bars()
    for k, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = tmp_path / "images" / ("vertical" if label else "horizontal") / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "images"


def classifier(**more: Any) -> Classifier:
    return Classifier(Network(Dense(16), ReLU(), Dense(2)), **{**SETTINGS, **more})


def assert_same(one: Any, other: Any) -> None:
    for name, value in one.parameters_.items():
        np.testing.assert_array_equal(value, other.parameters_[name])


def test_fit_and_predict_a_folder(folder: Path, tmp_path: Path) -> None:
    model = classifier(epochs=40).fit(str(folder))
    pixels, labels = bars(40, seed=1)
    expected = np.where(labels, "vertical", "horizontal")
    assert (model.predict(pixels) == expected).mean() > 0.9
    np.testing.assert_allclose(model.predict_proba(pixels), model.predict_proba(pixels.astype(float)))
    files = sorted(folder.glob("*/*.png"))
    np.testing.assert_array_equal(model.predict(folder), model.predict(files))
    np.testing.assert_array_equal(model.predict(folder), model.predict(read_images(folder)))
    assert model.score(folder) == model.score(folder, read_images(folder).labels) > 0.9
    again = load(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(again.predict_proba(folder), model.predict_proba(folder))
    assert again.input_ == model.input_ and "6 pixels, grey" in model.summary()
    assert again.partial_fit(folder).n_iter_ == 41


def test_the_default_network_learns_images() -> None:
    pixels, labels = bars(80)
    model = Classifier(epochs=12, random_state=0, augmentation=Shift(1)).fit(pixels, labels)
    fresh, expected = bars(40, seed=1)
    assert model.score(fresh, expected) > 0.9
    assert "Conv2D" in repr(model.specification_.network)


def test_validation_is_split_by_class_and_may_be_a_folder(folder: Path) -> None:
    model = classifier(validation_fraction=0.2).fit(folder)
    assert "validation_accuracy" in model.history_ and model.training_.rows == 48
    pixels, labels = bars(10, seed=1)
    named = np.where(labels, "vertical", "horizontal")
    other = classifier().fit(folder, validation=(pixels, named))
    assert "validation_accuracy" in other.history_ and other.training_.rows == 60


def test_files_and_pixels_train_alike(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set whose files are decoded when they are needed, and whose numbers do not fit into memory, in small chunks."""
    settings = {"validation_fraction": 0.2, "augmentation": Shift(1) + Noise(0.05)}
    held, plain = classifier(**settings).fit(folder), classifier(validation_fraction=0.2).fit(read_images(folder))
    monkeypatch.setattr(images_module, "PIXELS_IN_MEMORY", 0)
    monkeypatch.setattr(sources, "NUMBERS_IN_MEMORY", 0)
    monkeypatch.setattr(sources, "NUMBERS_AT_ONCE", 500)
    monkeypatch.setattr(source, "CHUNK_BYTES", 3000)
    found = read_images(folder)
    assert isinstance(found, Files)
    # Rows that are merged come in the order of what they hold, and a file's is not that of its pixels.
    found, given = found.take(np.arange(60)), read_images(folder)
    loaded = classifier(**settings).fit(found)
    again = classifier(**settings).fit(given)
    assert_same(loaded, again)
    assert held.history_["loss"] != plain.history_["loss"]
    np.testing.assert_array_equal(loaded.predict_proba(folder), loaded.predict_proba(found))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("chainrule-rows")]


def test_not_in_memory_is_the_same_as_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = bars(50, (3,))
    whole = classifier(validation_fraction=0.2).fit(pixels, labels)
    monkeypatch.setattr(sources, "NUMBERS_IN_MEMORY", 0)
    monkeypatch.setattr(sources, "NUMBERS_AT_ONCE", 2000)
    monkeypatch.setattr(source, "CHUNK_BYTES", 5000)
    parts = classifier(validation_fraction=0.2).fit(pixels, labels)
    assert_same(parts, whole)
    assert parts.history_["validation_loss"] == whole.history_["validation_loss"]
    np.testing.assert_array_equal(parts.predict_proba(pixels), whole.predict_proba(pixels))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of 48 MB that the network reads, a few are there at a time; of images in a mapped file not even the bytes are."""
    np.save(tmp_path / "X.npy", np.random.default_rng(0).integers(0, 256, (1000, 64, 64, 3)).astype(np.uint8))
    pixels = np.load(tmp_path / "X.npy", mmap_mode="r")
    labels = np.arange(1000) % 2
    monkeypatch.setattr(sources, "NUMBERS_IN_MEMORY", 0)
    monkeypatch.setattr(sources, "NUMBERS_AT_ONCE", 2**18)
    monkeypatch.setattr(source, "CHUNK_BYTES", 2**20)
    model = Classifier(Network(Dense(2)), epochs=1, random_state=0, augmentation=Flip(), validation_fraction=0.1)
    model.fit(pixels[:40], labels[:40])  # equations and code are made once
    tracemalloc.start()
    try:
        model.fit(pixels, labels).predict(pixels)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 15e6


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_augmented_training_is_repeatable(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = bars(40, (3,))
    steps = (Shift(1), Rotate(10), Flip(), Colour(), Cutout(2))
    first = classifier(augmentation=steps, backend=backend).fit(pixels, labels)
    monkeypatch.setattr(source, "CHUNK_BYTES", 3000)
    assert_same(classifier(augmentation=steps, backend=backend).fit(pixels, labels), first)
    other = classifier(augmentation=steps, backend=backend, random_state=1).fit(pixels, labels)
    assert (other.parameters_["dense1.W"] != first.parameters_["dense1.W"]).any()


def test_arrays_of_numbers_are_augmented_too() -> None:
    pixels, labels = bars(40)
    model = classifier(augmentation=Shift(1)).fit(pixels / 255, labels)
    assert type(model.input_).__name__ == "Grid" and len(model.history_) == 4


def test_what_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a chunk are those of the reader, after the augmentation of each row."""
    pixels, labels = bars(40)
    model = classifier(augmentation=Rotate(30)).fit(pixels, labels)
    given = model._rows(pixels, labels, None, reset=False)
    made = model._source(given)
    rows = np.array([[7, 3], [39, 0]])
    arrays, places = made.chunk(rows, 5, 2)
    reader = model.input_
    wanted = reader.scaled(
        augmented(reader.measured(Pixels(pixels[rows.ravel()])), (Rotate(30),), Draws(5, 2, rows.ravel()))
    )
    np.testing.assert_array_equal(arrays["X"][places].reshape(-1, 6, 7), wanted)
    np.testing.assert_array_equal(arrays["T"][places], labels[rows])


def test_mixup_mixes_images_and_targets() -> None:
    pixels, labels = bars(40)
    model = classifier(augmentation=Mixup(0.5)).fit(pixels, labels)
    assert isinstance(model.specification_.loss, SoftCrossEntropy)
    given = model._rows(pixels, labels, None, reset=False)
    rows = np.arange(10)[None]
    arrays, places = model._source(given).chunk(rows, 5, 2)
    partners, shares = Mixup(0.5).partners(Draws(5, 2, rows[0], "Mixup"), 40)
    encoded, soft = model.input_.encode(given.X)["x"], np.eye(2)[labels]
    share = shares[:, None]
    np.testing.assert_allclose(arrays["Y"][places][0], share * soft[:10] + (1 - share) * soft[partners], atol=1e-6)
    share = share[..., None]
    wanted = share * encoded[:10] + (1 - share) * encoded[partners]
    np.testing.assert_allclose(arrays["X"][places][0], wanted, atol=1e-5)
    with pytest.raises(ChainruleError, match=r"Mixup makes targets soft.*CrossEntropy\(\).*SoftCrossEntropy"):
        classifier(augmentation=(Flip(), Mixup()), loss=CrossEntropy()).fit(pixels, labels)


def test_values_from_images() -> None:
    pixels, labels = bars(40)
    targets = np.stack([labels, 1.0 - labels], axis=1)
    model = Regressor(Network(Dense(2)), augmentation=Mixup() + Flip(), **SETTINGS).fit(pixels, targets)
    assert model.predict(pixels).shape == (40, 2)


def test_settings_are_kept(tmp_path: Path) -> None:
    pixels, labels = bars(20)
    model = classifier(augmentation=Shift(2) + Rotate(10.0)).fit(pixels, labels)
    again = load(model.save(tmp_path))
    assert again.augmentation == (Shift(2), Rotate(10.0))
    assert clone(again).augmentation == again.augmentation
    one = classifier(augmentation=Shift(2)).set_params(augmentation__pixels=1)
    assert one.augmentation == Shift(1) and one.get_params()["augmentation__pixels"] == 1


def test_images_of_another_size_where_a_size_was_given(folder: Path, tmp_path: Path) -> None:
    model = classifier().fit(read_images(folder, size=5))
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(tmp_path / "large.png")
    assert model.predict([tmp_path / "large.png"]).shape == (1,)
    again = load(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(again.predict_proba(folder), model.predict_proba(folder))


def test_what_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    pixels, labels = bars(20)
    with pytest.raises(ChainruleError, match="augmentation is for images"):
        classifier(augmentation=Flip()).fit(np.eye(6), np.arange(6) % 2)
    with pytest.raises(ChainruleError, match=r"give y, or rows in a folder for each class"):
        classifier().fit(folder / "vertical")
    with pytest.raises(ChainruleError, match="one class only"):
        classifier().fit(pixels, np.zeros(20))
    with pytest.raises(ChainruleError, match="no such file"):
        classifier().fit(tmp_path / "nothing")
    with pytest.raises(ChainruleError, match="is not a number"):
        Regressor(Network(Dense(1)), **SETTINGS).fit(folder)
    model = classifier().fit(pixels, labels)
    with pytest.raises(ChainruleError, match="images of shape"):
        model.predict(pixels[:, :5])
    (folder / "vertical" / "01.png").write_bytes(b"nothing")
    with pytest.raises(ChainruleError, match=r"01\.png is no image"):
        model.predict(folder)


def test_gaps_are_refused_in_the_row_that_was_given() -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 6, 7)), np.arange(20) % 2
    gap = X.copy()
    gap[3, 2, 1] = np.nan
    model = classifier(epochs=1, backend="numpy").fit(X, y)
    for use in (lambda: classifier().fit(gap, y), lambda: model.predict(gap), lambda: model.score(gap, y)):
        with pytest.raises(ChainruleError, match="X, row 4 holds a number that is missing or infinite"):
            use()


def test_a_class_without_images_is_refused_at_any_time(folder: Path) -> None:
    model = classifier(epochs=1, backend="numpy").fit(folder)
    (folder / "diagonal").mkdir()
    for use in (model.partial_fit, classifier().partial_fit, classifier().fit):
        with pytest.raises(ChainruleError, match="diagonal holds no images; each folder of"):
            use(folder)
    assert len(model.predict(folder)) == 60


def test_damage_found_in_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large set only headers are read at first; what is damaged behind them is named when its turn comes."""
    monkeypatch.setattr(images_module, "PIXELS_IN_MEMORY", 0)
    monkeypatch.setattr(sources, "NUMBERS_IN_MEMORY", 0)
    path = folder / "vertical" / "01.png"
    content = path.read_bytes()
    files = read_images(folder)
    model = classifier().fit(files)
    path.write_bytes(content[:-30])
    with pytest.raises(ChainruleError, match=r"vertical/01\.png is damaged"):
        model.partial_fit(files)


def test_readers_of_images_are_known() -> None:
    reader = classifier(epochs=1).fit(*bars(10)).input_
    assert isinstance(reader, PictureReader) and type(reader).__name__ in READERS
