"""Images on the command line: train on a folder, an idx or an npz file, predict a folder, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Command

QUICK = ("--network", "Dense(4), ReLU(), Dense(2)", "--epochs", "3", "--out", "m", "--no-report")


def pictures(folder: Path, classes: tuple[str, ...] = ("dark", "light"), each: int = 12, size: int = 6) -> None:
    generator = np.random.default_rng(0)
    for place, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for k in range(each):
            pixels = generator.integers(0, 100, (size, size)) + 150 * place
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{k}.png")


def test_train_and_predict_a_folder(run: Command, tmp_path: Path) -> None:
    pictures(tmp_path / "images")
    code, out, err = run("train", "images", *QUICK, "--augmentation", "Shift(1), Flip()", "--seed", "1")
    assert code == 0 and "accuracy" in out and "light" in out, err
    assert "files" not in json.loads((tmp_path / "m" / "model.json").read_text())["input"]
    record = json.loads(run("predict", "m", "images/dark", "--json")[1])
    assert len(record["prediction"]) == 12 and record["file"][0] == "images/dark/0.png"
    code, out, _ = run("predict", "m", "images/dark/3.png", "--probabilities")
    assert code == 0 and out.splitlines()[0] == '"file","prediction","probability dark","probability light"'
    code, out, err = run("info", "m")
    assert code == 0 and "augmented  Shift(pixels=1)" in out and run("info", "m", "--json")[0] == 0, err
    assert run("source", "m", "--out", "t/training.py", "--data", "images")[0] == 0
    assert np.load(tmp_path / "t" / "data.npz")["X"].shape[1:] == (6, 6)


def test_sizes_and_test_images(run: Command, tmp_path: Path) -> None:
    pictures(tmp_path / "all" / "train", size=9)
    pictures(tmp_path / "all" / "test", each=2, size=7)
    code, out, err = run("train", "all", "--size", "5", *QUICK, "--json")
    assert code == 0, err
    assert json.loads(out)["rows"] == {"training": 24, "test": 4}
    assert run("train", "all/train", "--test", "all/test", "--size", "5x4", *QUICK)[0] == 0
    assert json.loads((tmp_path / "m" / "model.json").read_text())["input"]["shape"] == [5, 4]
    assert len(json.loads(run("predict", "m", "all/test", "--json")[1])["prediction"]) == 4
    assert run("source", "m", "--out", "t/training.py", "--data", "all/train")[0] == 0


def test_npz(run: Command, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)
    np.savez(tmp_path / "set.npz", X=pixels, y=np.arange(40) % 2)
    assert run("train", "set.npz", *QUICK)[0] == 0
    assert len(json.loads(run("predict", "m", "set.npz", "--json")[1])["prediction"]) == 40


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "images", "--target", "x"), "--target, --drop and --task are for tables"),
        (("train", "images", "--size", "big"), "--size big: say a number of pixels, or HEIGHTxWIDTH"),
        (("train", "iris", "--size", "8"), "iris holds no image files"),
        (("train", "images", "--augmentation", "Shfit(2)"), "--augmentation: unknown name Shfit; did you mean Shift?"),
        (("train", "iris", "--augmentation", "Shift(2)"), "augmentation is for images"),
        (("train", "images", "--augmentation", "Dense(2)"), "Dense(2) is none of the augmentations"),
        (("train", "one"), "one: all images are of one class, 'dark'"),
        (("train", "flat"), "nothing says what the images show"),
        (("train", "images", "--test", "nothing"), "nothing: no such file or folder"),
        (("train", "images", "--test", "other"), "other: 'blue' is no class of the training rows"),
        (("train", "mixed"), "images of one size"),
    ],
)
def test_one_clear_line(run: Command, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    pictures(tmp_path / "images")
    pictures(tmp_path / "one", ("dark",), 3)
    pictures(tmp_path / "other", ("dark", "blue"), 2)
    pictures(tmp_path / "mixed", ("dark",), 3)
    pictures(tmp_path / "mixed", ("light",), 3, size=7)
    (tmp_path / "flat").mkdir()
    (tmp_path / "images" / "dark" / "0.png").rename(tmp_path / "flat" / "0.png")
    code, _, err = run(*words)
    assert code == 2 and message in err and err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
