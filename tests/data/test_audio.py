from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data.audio import MFCC, LogMel, resampled
from chainrule.data.mel import cosines, filterbank, hertz, log_mel, mel
from chainrule.data.reading import reader_from_json, special
from chainrule.data.recordings import Recordings, are_recordings, as_recordings, label_in_name, recordings, waves
from chainrule.errors import ChainruleError


def tone(frequency: float, seconds: float = 0.3, rate: int = 8000) -> Any:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def write(path: Path, wave: Any, rate: int = 8000) -> Path:
    soundfile = pytest.importorskip("soundfile")
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate)
    return path


# --- what is heard ----------------------------------------------------------------------------------------------------


def test_mel_scale() -> None:
    # The HTK Book (3.4), eq. 5.13, and its inverse.
    np.testing.assert_allclose(mel([0, 700, 1000, 4000, 8000]), [0, 781.17, 999.99, 2146.06, 2840.02], atol=0.01)
    np.testing.assert_allclose(hertz(mel([20, 440, 7999.0])), [20, 440, 7999])


def test_bands_are_triangles_equally_far_apart_in_mel() -> None:
    weights = filterbank(10, 4096, 16000, 0.0, 8000.0)
    frequencies = np.arange(2049) * 16000 / 4096
    tops = mel(frequencies[weights.argmax(axis=0)])
    np.testing.assert_allclose(np.diff(tops), mel(8000) / 11, rtol=0.02)
    # Between the first top and the last one, two neighbours share every frequency.
    inside = (frequencies > frequencies[weights[:, 0].argmax()]) & (frequencies < frequencies[weights[:, -1].argmax()])
    np.testing.assert_allclose(weights[inside].sum(axis=1), 1, atol=1e-12)
    with pytest.raises(ChainruleError, match="200 bands are too many for frames of 256 points at 8,000 Hz: band 1 "):
        filterbank(200, 256, 8000, 0.0, 4000.0)


def test_log_mel_is_the_energy_of_each_frame() -> None:
    rate, frame = 8000, 0.032  # 256 samples: nothing is filled up
    wave = np.random.default_rng(0).normal(size=1000)
    found = log_mel(wave, rate, frame, 0.01, 20, 0.0, 4000.0)
    assert found.shape == (1 + (1000 - 256) // 80, 20)
    n = np.arange(256)
    windowed = wave[80 : 80 + 256] * np.sin(np.pi * n / 256) ** 2
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(129), n) / 256) @ windowed
    energy = np.abs(fourier) ** 2 / 256 @ filterbank(20, 256, rate, 0.0, 4000.0)
    np.testing.assert_allclose(found[1], np.log(energy))


def test_a_tone_is_heard_in_its_band() -> None:
    tops = hertz(np.linspace(0, mel(4000), 42))[1:-1]
    for frequency in (300.0, 1000.0, 2500.0):
        band = log_mel(tone(frequency), 8000, 0.025, 0.01, 40, 0.0, 4000.0).mean(axis=0).argmax()
        assert band == np.abs(mel(tops) - mel(frequency)).argmin()


def test_cosine_transform() -> None:
    dct = pytest.importorskip("scipy.fft").dct
    x = np.random.default_rng(0).normal(size=(3, 40))
    np.testing.assert_allclose(x @ cosines(40, 13), dct(x, norm="ortho")[:, :13], atol=1e-12)


def test_resampling_keeps_a_tone() -> None:
    there = resampled(tone(440, 1.0, 44100), 44100, 8000)
    assert len(there) == 8000
    np.testing.assert_allclose(there[500:-500], tone(440, 1.0, 8000)[500:-500], atol=2e-3)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_folders_of_classes(tmp_path: Path) -> None:
    for name, frequency in (("high", 2000), ("low", 200)):
        for k in range(2):
            write(tmp_path / name / f"{k}.wav", tone(frequency + 10 * k))
    write(tmp_path / ".hidden" / "0.wav", tone(1))
    (tmp_path / "high" / "notes.txt").write_text("passed over")
    assert are_recordings(tmp_path)
    found = special(str(tmp_path), None)
    assert isinstance(found, Recordings) and found.labels is not None
    assert found.labels.tolist() == ["high", "high", "low", "low"]
    (tmp_path / "middle").mkdir()
    with pytest.raises(ChainruleError, match="middle: the folder of a class, but no recording in it"):
        as_recordings(tmp_path)


def test_labels_in_names_and_in_a_table(tmp_path: Path) -> None:
    for name in ("3_theo_0", "3_ann_1", "10_theo_0"):
        write(tmp_path / f"{name}.wav", tone(300))
    found = recordings(tmp_path, "{label}_{speaker}_{n}")
    assert found.labels is not None and sorted(found.labels.tolist()) == ["10", "3", "3"]
    assert sorted(recordings(tmp_path, "*_{label}_*").labels.tolist()) == ["ann", "theo", "theo"]  # type: ignore[union-attr]
    with pytest.raises(ChainruleError, match=r"10_theo_0.wav: the name is not of the form '\{label\}-\*'"):
        recordings(tmp_path, "{label}-*")
    with pytest.raises(ChainruleError, match=r"must say once where \{label\} stands"):
        label_in_name("*_*")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n3_theo_0.wav,007\n10_theo_0.wav,8\n")
    found = recordings(tmp_path, table)
    assert found.labels is not None and found.labels.tolist() == ["007", "8"] and len(found) == 2
    table.write_text("file,label\n3_teo_0.wav,1\n")
    with pytest.raises(ChainruleError, match=r"3_teo_0.wav: no such recording in .*did you mean '3_theo_0.wav'"):
        recordings(tmp_path, table)
    table.write_text("name,label\n3_theo_0.wav,1\n")
    with pytest.raises(ChainruleError, match="no column 'file'"):
        recordings(tmp_path, table)


def test_channels_are_mixed_to_one(tmp_path: Path) -> None:
    left, right = tone(300), tone(900)
    path = write(tmp_path / "both.flac", np.stack([left, right], axis=1))
    wave, rate = as_recordings([path]).wave(0)
    assert rate == 8000
    np.testing.assert_allclose(wave, (left + right) / 2, atol=1e-4)


# --- readers ----------------------------------------------------------------------------------------------------------

ROWS = waves([tone(300), tone(900, 0.2), tone(2000, 0.5)], 8000)


@pytest.mark.parametrize("rule", [LogMel(bands=20), MFCC(coefficients=5)], ids=repr)
def test_readers_scale_each_channel(rule: Any) -> None:
    reader = rule.fit(ROWS, np.ones(3))
    encoded = reader.encode(ROWS, np.float64)
    assert encoded["length"].tolist() == [28, 18, 48] and encoded["x"].shape == (3, 48, rule.channels)
    inside = np.concatenate([x[:n] for x, n in zip(encoded["x"], encoded["length"], strict=True)])
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(inside.std(axis=0), 1, atol=1e-6)
    read = reader_from_json("SoundReader", json.loads(json.dumps(reader.to_json())))
    assert read.rule == rule
    np.testing.assert_array_equal(read.encode(ROWS)["x"], reader.encode(ROWS)["x"])


def test_one_rate(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.wav", tone(300)), write(tmp_path / "b.wav", tone(300, rate=16000), 16000)]
    rows = as_recordings(files)
    with pytest.raises(ChainruleError, match=r"b.wav has 16,000 samples a second, the others 8,000; .*rate=8000"):
        LogMel().fit(rows, np.ones(2))
    encoded = LogMel(bands=20, rate=8000).fit(rows, np.ones(2)).encode(rows)
    assert encoded["length"].tolist() == [28, 28]
    loud = encoded["x"][0].std(axis=0) > 0
    np.testing.assert_allclose(encoded["x"][0][5:-5, loud].mean(), encoded["x"][1][5:-5, loud].mean(), atol=1.5)


def test_long_recordings_are_cut_and_counted() -> None:
    with pytest.warns(UserWarning, match=r"2 of 3 recordings are longer than 0.25 s and are cut there"):
        reader = LogMel(bands=20, seconds=0.25).fit(ROWS, np.ones(3))
    assert reader.encode(ROWS)["length"].max() == 1 + (2000 - 200) // 80


def test_bad_recordings(tmp_path: Path) -> None:
    fit = LogMel(bands=20).fit
    with pytest.raises(ChainruleError, match=r"X, row 2: 0.01 s are too short; one frame has 0.025 s"):
        fit(waves([tone(300), tone(300, 0.01)], 8000), np.ones(2))
    with pytest.raises(ChainruleError, match="the recordings are silent"):
        fit(waves([np.zeros(900)], 8000), np.ones(1))
    with pytest.raises(ChainruleError, match="row 2 is empty"):
        waves([tone(300), []], 8000)
    with pytest.raises(ChainruleError, match="row 1 holds samples that are no numbers"):
        waves([[0.0, np.nan]], 8000)
    with pytest.raises(ChainruleError, match=r"empty.wav: the recording is empty"):
        fit(as_recordings([write(tmp_path / "empty.wav", [])]), np.ones(1))
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFFno wave")
    with pytest.raises(ChainruleError, match=r"noise.wav: cannot be read as a sound"):
        fit(as_recordings([noise]), np.ones(1))
    with pytest.raises(ChainruleError, match=r"none.wav: no such file"):
        fit(as_recordings([tmp_path / "none.wav"]), np.ones(1))
    with pytest.raises(ChainruleError, match="MFCC: 50 coefficients of 40 bands"):
        MFCC(coefficients=50)


def test_silence_is_heard_too() -> None:
    reader = LogMel(bands=20).fit(ROWS, np.ones(3))
    assert np.isfinite(reader.encode(waves([np.zeros(900)], 8000))["x"]).all()
