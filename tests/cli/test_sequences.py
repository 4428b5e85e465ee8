"""Texts, recordings and time series on the command line: train, test, predict, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

QUICK = ("--epochs", "2", "--backend", "numpy", "--out", "m", "--no-report")
SMALL = ("--network", "Conv1D(4, 3, padding='same'), ReLU(), GlobalAvgPool(), Dense(2)", *QUICK)


def test_a_table_of_prose(run: Command, tmp_path: Path) -> None:
    lines = [f"{k}\tsentence number {k} is {('good', 'bad')[k % 2]} indeed\t{('up', 'down')[k % 2]}" for k in range(40)]
    (tmp_path / "reviews.tsv").write_text("\n".join(["id\treview\tlabel", *lines]) + "\n")
    network = "Embedding(9, 4), GlobalAvgPool(), Dense(2)"
    train = ("train", "reviews.tsv", "--target", "label", "--drop", "id", "--network", network, *QUICK)
    code, out, err = run(*train, "--json")
    assert code == 0 and json.loads(out)["rows"] == {"training": 32, "test": 8}, err
    assert json.loads((tmp_path / "m" / "model.json").read_text())["input"]["kind"] == "Symbols"
    # The column is text also where all that stands in it are numbers.
    (tmp_path / "new.csv").write_text("review\n12\n7\n")
    assert len(json.loads(run("predict", "m", "new.csv", "--json")[1])["prediction"]) == 2
    assert run(*train, "--reading", "Characters(most=5)")[0] == 0
    assert json.loads((tmp_path / "m" / "model.json").read_text())["input"]["unit"] == "character"
    assert run("check", "m")[0] == 0 and "5 characters" in run("info", "m")[1]


def test_recordings(run: Command, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "sounds").mkdir()
    for k in range(24):
        time = np.arange(600 + 40 * k) / 8000
        soundfile.write(
            tmp_path / "sounds" / f"{k % 2}_{k}.wav", np.sin(2 * np.pi * (300 + 900 * (k % 2)) * time), 8000
        )
    labels = ("--labels", "{label}_*")
    code, out, err = run("train", "sounds", *labels, "--reading", "MFCC(coefficients=5, bands=20)", *SMALL)
    assert code == 0 and "accuracy" in out, err
    record = json.loads(run("predict", "m", "sounds", "--json")[1])
    assert record["file"][0] == "sounds/0_0.wav" and set(record["prediction"]) <= {"0", "1"}
    assert len(run("predict", "m", "sounds/0_0.wav")[1].splitlines()) == 2
    assert run("source", "m", *labels, "--out", "t/training.py", "--data", "sounds")[0] == 0
    arrays = np.load(tmp_path / "t" / "data.npz")
    assert arrays["X"].shape[2] == 5 and arrays["LENGTH"].max() == arrays["X"].shape[1]
    code, _, err = run("train", "sounds", *SMALL)
    assert code != 0 and "nothing says what the labels are: put them into a folder for each class" in err
    code, _, err = run("train", "sounds", "--labels", "{label}-*", *SMALL)
    assert code != 0 and "the name is not of the form" in err


def test_series(run: Command, tmp_path: Path) -> None:
    for name in ("TRAIN", "TEST"):
        rows = [f"{k},{k + 1},{k * (-1) ** k}:{('a', 'b')[k % 2]}" for k in range(12)]
        (tmp_path / f"tiny_{name}.ts").write_text("\n".join(["@classLabel true a b", "@data", *rows]))
    code, out, err = run("train", "tiny_TRAIN.ts", "--test", "tiny_TEST.ts", *SMALL, "--json")
    assert code == 0 and json.loads(out)["rows"] == {"training": 12, "test": 12}, err
    assert len(json.loads(run("predict", "m", "tiny_TEST.ts", "--json")[1])["prediction"]) == 12
    (tmp_path / "other.ts").write_text("@classLabel true a c\n@data\n1,2,3:c\n")
    code, _, err = run("train", "tiny_TRAIN.ts", "--test", "other.ts", *SMALL)
    assert code != 0 and "other.ts: 'c' is no class of the training rows" in err
