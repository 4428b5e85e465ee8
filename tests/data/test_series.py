from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data.reading import reader_from_json, special
from chainrule.data.series import Channels, Series, are_series, as_series, read_ts, windows
from chainrule.errors import ChainruleError

DATA = Path(os.environ.get("CHAINRULE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "ucr"


def test_what_is_a_series() -> None:
    long, short = np.zeros((5, 2)), np.zeros((3, 2))
    assert are_series([long, short]) and are_series([long, long]) and are_series([np.zeros(3), np.zeros(4)])
    assert are_series("GunPoint_TRAIN.ts")
    assert not are_series([np.zeros(3), np.zeros(3)])  # a table
    assert not are_series([np.zeros((3, 3), np.uint8)])  # an image
    assert not are_series(np.zeros((2, 3, 4))) and not are_series([[1, 2], [1, 2]]) and not are_series([])
    assert isinstance(special(np.zeros((2, 3, 4)), None, Channels()), Series)


def test_channels_are_scaled_over_all_times() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal([3, -1], [2, 0.1], (t, 2)) for t in (4, 9, 6)]
    reader = Channels().fit(as_series(rows), np.ones(3))
    encoded = reader.encode(as_series(rows), np.float64)
    assert encoded["x"].shape == (3, 9, 2) and encoded["length"].tolist() == [4, 9, 6]
    inside = np.concatenate([row[:length] for row, length in zip(encoded["x"], encoded["length"], strict=True)])
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(inside.std(axis=0), 1)
    assert not encoded["x"][0, 4:].any()
    assert dict(reader.sizes) == {"t": None, "c": 2} and reader.length == "t"


def test_a_weight_of_two_is_the_row_twice() -> None:
    rows = [np.array([1.0, 2, 4]), np.array([7.0, 5])]
    weighted = Channels().fit(as_series(rows), np.array([1.0, 2]))
    repeated = Channels().fit(as_series([*rows, rows[1]]), np.ones(3))
    np.testing.assert_allclose([weighted.mean, weighted.deviation], [repeated.mean, repeated.deviation])


def test_rows_of_one_length_have_it_as_their_size() -> None:
    rows = as_series(np.arange(12.0).reshape(2, 3, 2))
    reader = Channels().fit(rows, np.ones(2))
    assert dict(reader.sizes) == {"t": 3, "c": 2} and reader.length is None and set(reader.encode(rows)) == {"x"}
    with pytest.raises(ChainruleError, match="row 2 has 4 times; the model was trained on 3"):
        reader.encode(as_series([np.zeros((3, 2)), np.zeros((4, 2))]))
    with pytest.raises(ChainruleError, match="X has 1 channels a row; the model was trained on 2"):
        reader.encode(as_series([np.zeros(3)]))
    read = reader_from_json("ChannelReader", json.loads(json.dumps(reader.to_json())))
    np.testing.assert_array_equal(read.encode(rows)["x"], reader.encode(rows)["x"])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.zeros(2), np.array(["a"])], "row 2 is no series"),
        ([np.zeros(2), [[1, 2], [3]]], "row 2 is no series"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], "row 2 has 3 channels; row 1 has 2"),
        ([np.zeros(2), np.zeros(0)], "row 2 is empty"),
        ([np.zeros(2), np.array([1, np.nan])], "row 2, time 2: the number is missing or infinite"),
        ([], "there are no series"),
        (3, "X is int; series are a list"),
    ],
)
def test_what_is_no_series(X: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        as_series(X)


def test_windows_and_what_follows_them() -> None:
    X, y = windows(np.arange(6.0), 3)
    assert [row[:, 0].tolist() for row in X] == [[0, 1, 2], [1, 2, 3], [2, 3, 4]] and y.tolist() == [3, 4, 5]
    X, y = windows(np.arange(10.0).reshape(5, 2), 2, horizon=2)
    assert len(X) == 2 and y.tolist() == [[4, 5, 6, 7], [6, 7, 8, 9]] and are_series(X)
    with pytest.raises(ChainruleError, match="the series has 3 times; 3 and 1 more are needed"):
        windows(np.arange(3.0), 3)


TS = """# two series
@problemName tiny
@timestamps false
@classLabel true up down
@data
1,2,3:4,5,6:up

1,2:0,-1:down
"""


def test_ts_files(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ts"
    path.write_text(TS)
    found = read_ts(path)
    assert [row.tolist() for row in found.rows] == [[[1, 4], [2, 5], [3, 6]], [[1, 0], [2, -1]]]
    assert found.labels is not None and found.labels.tolist() == ["up", "down"]
    path.write_text(
        TS.replace("@classLabel true up down", "@targetLabel true").replace("up", "1").replace("down", "2.5")
    )
    labels = read_ts(path).labels
    assert labels is not None and labels.tolist() == [1, 2.5]
    path.write_text("@classLabel false\n@data\n1,2\n3,4\n")
    assert read_ts(path).labels is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TS.replace("4,5,6", "4,?,6"), "tiny.ts:6: a value is missing"),
        (TS.replace("4,5,6", "4,five,6"), "tiny.ts:6: 'five' is not a number"),
        (TS.replace("4,5,6", "4,5"), "tiny.ts:6: the channels have 3, 2 times"),
        (TS.replace("1,2:0,-1", "1,2"), "tiny.ts:8: 1 channels; the first series has 2"),
        (TS.replace("timestamps false", "timestamps true"), "time stamps cannot be read"),
        (TS.split("@data")[0] + "@data\n", "no series"),
        (TS.replace(":down", ":left"), r"tiny.ts:8: the label 'left' is not listed by @classLabel \(up, down\)"),
        ("1,2,3\n", "tiny.ts:1: data before the line @data"),
    ],
)
def test_bad_ts_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tiny.ts"
    path.write_text(text)
    with pytest.raises(ChainruleError, match=message):
        read_ts(path)
    with pytest.raises(ChainruleError, match="no such file"):
        read_ts(tmp_path / "none.ts")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "shape"),
    [("GunPoint_TRAIN", 50, (150, 1)), ("BasicMotions_TEST", 40, (100, 6)), ("JapaneseVowels_eq_TEST", 370, (25, 12))],
)
def test_published_files(name: str, rows: int, shape: tuple[int, int]) -> None:
    if not DATA.is_dir():
        pytest.skip(f"no {DATA}; set CHAINRULE_DATA to the folder that holds ucr")
    found = read_ts(DATA / f"{name}.ts")
    assert len(found) == rows and {row.shape for row in found.rows} == {shape}
