"""Images as rows: what is read, how it is scaled, and what is said of files that cannot be used."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chainrule.data import images as images_module
from chainrule.data.images import Files, Pixels, is_image_source, read_image_set, read_images
from chainrule.data.pictures import Pictures, fit_pictures
from chainrule.errors import ChainruleError

Array = NDArray[Any]


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def save(path: Path, pixels: Array, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three grey images, 6 high and 8 wide."""
    for place, name in enumerate(("cat", "dog")):
        for k in range(3):
            save(tmp_path / name / f"{k}.png", noise(6, 8, seed=3 * place + k))
    return tmp_path


def test_a_folder_for_each_class(folder: Path) -> None:
    (folder / "cat" / ".hidden").write_text("x")
    (folder / "readme.txt").write_text("x")
    found = read_images(folder)
    assert isinstance(found, Pixels) and found.labels is not None
    assert found.labels.tolist() == ["cat"] * 3 + ["dog"] * 3
    np.testing.assert_array_equal(found.values, [noise(6, 8, seed=k) for k in range(6)])
    chosen = found.take(np.array([4, 0]))
    assert chosen.labels is not None and chosen.labels.tolist() == ["dog", "cat"]


def test_a_large_set_stays_in_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = read_images(folder)
    monkeypatch.setattr(images_module, "PIXELS_IN_MEMORY", 100)
    files = read_images(folder)
    assert isinstance(files, Files) and isinstance(held, Pixels)
    rows = np.array([5, 1])
    np.testing.assert_array_equal(files.take(rows).decoded().values, held.values[rows])
    weights = np.array([1.0, 2, 1, 1, 1, 1])
    assert fit_pictures(files, weights) == fit_pictures(held, weights)
    shutil.copy(folder / "cat" / "0.png", folder / "dog" / "copy.png")
    (digests,) = read_images(folder).parts()
    assert len(np.unique(digests, axis=0)) == 6 and len(digests) == 7


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "gif", "pgm", "webp"])
def test_formats_without_loss(ending: str, tmp_path: Path) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    path = save(tmp_path / f"a.{ending}", noise(5, 7), **options)
    found = read_images([path, path])
    assert found.shape[:2] == (5, 7) and is_image_source([path])
    assert isinstance(found, Pixels)
    grey = found.values if found.values.ndim == 3 else found.values[..., 0]
    np.testing.assert_array_equal(grey[0], noise(5, 7))


def test_grey_only_where_all_are(folder: Path) -> None:
    colour = save(folder / "dog" / "colour.png", noise(6, 8, 3))
    found = read_images(folder)
    assert found.shape == (6, 8, 3) and isinstance(found, Pixels)
    np.testing.assert_array_equal(found.values[0], noise(6, 8, seed=0)[..., None].repeat(3, axis=2))
    np.testing.assert_array_equal(found.values[-1], np.asarray(Image.open(colour)))


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    deep = (np.arange(12).reshape(3, 4) * 5000).astype(np.uint16)
    found = read_images([save(tmp_path / "a.png", deep)])
    assert isinstance(found, Pixels)
    np.testing.assert_array_equal(found.values[0], deep // 256)


def test_photographs_are_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned by 90 degrees
    image = Image.fromarray(noise(6, 8, 3))
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_images([tmp_path / "a.jpg"]).shape == (8, 6, 3)


def test_scaled_to_cover_and_cut_at_the_centre(tmp_path: Path) -> None:
    """Of a wide image, of which the middle is white, a square keeps the middle."""
    pixels = np.zeros((10, 30), np.uint8)
    pixels[:, 8:22] = 255
    wide, tall = save(tmp_path / "wide.png", pixels), save(tmp_path / "tall.png", pixels.T.copy())
    found = read_images([wide, tall], size=5)
    assert isinstance(found, Pixels) and found.resize and found.shape == (5, 5)
    assert (found.values == 255).all()
    assert read_images([wide], size=(5, 15)).shape == (5, 15)
    with pytest.raises(ChainruleError, match="size must be a whole number of at least 1, not 0"):
        read_images([wide], size=0)
    with pytest.raises(ChainruleError, match=r"\(height, width\)"):
        read_images([wide], size=(1, 2, 3))  # type: ignore[arg-type]


def broken(folder: Path) -> None:
    path = folder / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:60])


def no_image(folder: Path) -> None:
    (folder / "dog" / "notes.txt").write_text("no image")


def another_size(folder: Path) -> None:
    save(folder / "dog" / "1.png", noise(5, 9))


def an_empty_class(folder: Path) -> None:
    (folder / "cow").mkdir()


def beside_the_classes(folder: Path) -> None:
    save(folder / "stray.png", noise(6, 8))


def floats(folder: Path) -> None:
    save(folder / "dog" / "1.tiff", np.ones((6, 8), np.float32))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken, r"dog/1\.png is (damaged|no image that can be read)"),
        (no_image, r"dog/notes\.txt is no image that can be read"),
        (another_size, r"dog/1\.png has 9×5 pixels, and .*cat/0\.png 8×6"),
        (an_empty_class, r"cow holds no images"),
        (beside_the_classes, r"stray\.png is in no folder of a class"),
        (floats, r"dog/1\.tiff has pixels of 32 bits"),
    ],
)
def test_what_cannot_be_used_is_named(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder)
    with pytest.raises(ChainruleError, match=message) as caught:
        read_images(folder)
    assert "\n" not in str(caught.value)


def test_cut_off_in_the_middle(folder: Path) -> None:
    path = folder / "dog" / "2.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 30])
    with pytest.raises(ChainruleError, match=r"dog/2\.png is damaged"):
        read_images(folder)


def test_no_such_place(tmp_path: Path) -> None:
    with pytest.raises(ChainruleError, match="no such file or folder"):
        read_images(tmp_path / "nothing")
    with pytest.raises(ChainruleError, match="holds no images"):
        read_images(tmp_path)
    with pytest.raises(ChainruleError, match="empty list"):
        read_images([])


# idx and npz


def idx(path: Path, array: Array) -> Path:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_idx_with_labels_and_test_images(tmp_path: Path) -> None:
    idx(tmp_path / "train-images-idx3-ubyte.gz", noise(5, 4, 3))
    idx(tmp_path / "train-labels-idx1-ubyte", np.arange(5, dtype=np.uint8))
    alone = idx(tmp_path / "t10k-images-idx3-ubyte", noise(2, 4, 3, seed=1))
    training, test = read_image_set(tmp_path)
    assert isinstance(training, Pixels) and isinstance(test, Pixels) and training.labels is not None
    np.testing.assert_array_equal(training.values, noise(5, 4, 3))
    assert training.labels.tolist() == [0, 1, 2, 3, 4] and test.labels is None
    assert len(read_images(alone)) == 2
    with pytest.raises(ChainruleError, match="a size is for image files"):
        read_images(tmp_path, size=8)


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x_train=noise(4, 3, 3, 3), y_train=np.arange(4)[:, None], x_test=noise(1, 3, 3, 3), y_test=[0])
    training, test = read_image_set(path)
    assert training.shape == (3, 3, 3) and test is not None and len(test) == 1
    assert training.labels is not None and training.labels.tolist() == [0, 1, 2, 3]


def test_files_of_many_images_that_are_damaged(tmp_path: Path) -> None:
    short = idx(tmp_path / "train-images-idx3-ubyte", noise(5, 4, 3))
    short.write_bytes(short.read_bytes()[:-1])
    with pytest.raises(ChainruleError, match="59 bytes where its header says 60"):
        read_images(short)
    packed = tmp_path / "a-images-idx3-ubyte.gz"
    packed.write_bytes(b"no gzip")
    with pytest.raises(ChainruleError, match="cannot be decompressed"):
        read_images(packed)
    other = tmp_path / "a.npz"
    np.savez(other, pictures=noise(2, 3, 3))
    with pytest.raises(ChainruleError, match=r"no array .*it has pictures"):
        read_images(other)
    np.savez(other, X=np.zeros((2, 3, 3)), y=[0, 1])
    with pytest.raises(ChainruleError, match="of bytes"):
        read_images(other)
    np.savez(other, X=noise(2, 3, 3), y=[0, 1, 2])
    with pytest.raises(ChainruleError, match=r"2 images, but labels of shape \(3,\)"):
        read_images(other)
    other.write_bytes(b"PK nothing")
    with pytest.raises(ChainruleError, match="no npz file, or damaged"):
        read_images(other)


# the reader


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (7, 5, 1)])
def test_each_channel_at_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    given = Pixels(noise(20, *shape) // 2 + noise(*shape[2:], seed=1) // 2)
    weights = np.random.default_rng(0).integers(1, 4, 20).astype(float)
    reader = fit_pictures(given, weights)
    x = reader.encode(given, np.float64)["x"]
    assert x.shape == (20, *shape) and dict(reader.sizes) == dict(zip("hwc", shape, strict=False))
    along = (0, 1, 2)
    repeated = x.repeat(weights.astype(int), axis=0)
    np.testing.assert_allclose(repeated.mean(axis=along), 0, atol=1e-12)
    np.testing.assert_allclose(repeated.std(axis=along), 1, rtol=1e-12)
    assert Pictures.from_json(reader.to_json()) == reader
    np.testing.assert_allclose(reader.encode(given)["x"], x, atol=1e-5)


def test_black_images_only() -> None:
    x = fit_pictures(Pixels(np.zeros((3, 4, 4), np.uint8)), np.ones(3)).encode(Pixels(np.zeros((1, 4, 4), np.uint8)))
    assert (x["x"] == 0).all()


def test_arrays_for_a_model_of_images() -> None:
    reader = fit_pictures(Pixels(noise(4, 3, 3)), np.ones(4))
    given = noise(2, 3, 3)
    for array in (given.astype(np.float64), given.astype(int), given.tolist()):
        np.testing.assert_array_equal(reader.encode(reader.rows(array))["x"], reader.encode(Pixels(given))["x"])
    for array, message in (
        (given / 255, "multiply by 255"),
        (given - 1.0 * 300, "those of images go from 0 to 255"),
        (np.full((1, 3, 3), np.nan), "missing or infinite"),
        (np.zeros(3), "X is an array"),
    ):
        with pytest.raises(ChainruleError, match=message):
            reader.rows(array)
    with pytest.raises(ChainruleError, match="trained on"):
        reader.encode(Pixels(noise(2, 4, 3)))


def test_files_for_a_model_of_images(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    fixed = fit_pictures(read_images(folder), np.ones(6))
    scaled = fit_pictures(read_images(folder, size=6), np.ones(6))
    other = save(tmp_path_factory.mktemp("new") / "large.png", noise(12, 12, 3))
    assert scaled.encode(scaled.rows([other]))["x"].shape == (1, 6, 6)
    with pytest.raises(ChainruleError, match=r"large\.png has 12×12 pixels, and the network reads 8×6"):
        fixed.encode(fixed.rows(other))
    assert len(fixed.rows(folder)) == 6


def test_what_is_taken_for_images(folder: Path) -> None:
    assert is_image_source(str(folder)) and is_image_source(folder / "cat") and is_image_source(noise(2, 3, 3))
    assert not is_image_source(["a sentence.", "another"]) and not is_image_source(np.zeros((2, 3, 3)))
    assert not is_image_source(folder / "nothing") and not is_image_source(noise(2, 3))
