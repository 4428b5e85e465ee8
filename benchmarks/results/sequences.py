"""Published results on sequences: spoken digits, sentiment of sentences, time series of the UCR archive.

All with the defaults for what is given (recordings, texts, ``.ts`` files): networks, readers and
optimizers are those of ``estimators/defaults.py``.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.datasets import data_folder
from benchmarks.results.result import Result
from chainrule.data.series import read_ts


def spoken(seed: int, backend: str | None) -> Result:
    """Digits spoken by six people; the recordings numbered 0 to 4 are the test, as the data set says."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data_folder("fsdd") / "recordings.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        everything = cr.recordings(next(Path(folder).rglob("*.wav")).parent, "{label}_{speaker}_{number}")
        is_test = np.array([int(Path(str(file)).stem.rpartition("_")[2]) < 5 for file in everything.sounds])
        assert everything.labels is not None
        parts = [
            (everything.take(rows), everything.labels[rows])
            for rows in (np.flatnonzero(~is_test), np.flatnonzero(is_test))
        ]
        return measured(
            cr.Classifier(epochs=15, random_state=seed, backend=backend),
            *parts,
            name="spoken",
            network="three convolutions over 40 mel bands, on spoken digits",
            published="about 97 % (convolutions over MFCC, an older version of the set)",
            source="Jackson et al., Free Spoken Digit Dataset (2018), projects listed there",
            target=97.0,
        )


def sst2(seed: int, backend: str | None) -> Result:
    """Whether a sentence about a film is kind, from words that start as random vectors."""
    train, development, test = (sentences(part) for part in ("train", "dev", "test"))
    return measured(
        cr.Classifier(random_state=seed, backend=backend),
        train,
        test,
        validation=development,
        name="sst2",
        network="Kim's convolutions over 3, 4 and 5 words, random embeddings, on SST-2",
        published="82.7 %",
        source="Kim, Convolutional Neural Networks for Sentence Classification (2014), table 2, CNN-rand",
        target=82.0,
    )


def sentences(part: str) -> tuple[list[str], list[str]]:
    """The sentences of a part and their labels."""
    lines = (data_folder("sst2") / f"stsa.binary.{part}").read_text().splitlines()
    pairs = [line.split(" ", 1) for line in lines]
    return [text for _, text in pairs], [label for label, _ in pairs]


def gunpoint(seed: int, backend: str | None) -> Result:
    """Whether a hand draws a gun or points a finger."""
    published = "99.1 % (ResNet), 92.7 % (multi-layer perceptron)"
    return series("GunPoint", "gunpoint", 97.0, published, seed, backend)


def basic_motions(seed: int, backend: str | None) -> Result:
    """Standing, walking, running or playing badminton, from a watch."""
    return series("BasicMotions", "basic-motions", 100.0, "100 % (ROCKET and others)", seed, backend)


def japanese_vowels(seed: int, backend: str | None) -> Result:
    """Which of nine people said two vowels."""
    return series("JapaneseVowels_eq", "japanese-vowels", 97.0, "94.1 % (the set's authors)", seed, backend)


SOURCES = {
    "gunpoint": "Wang, Yan, Oates, Time Series Classification from Scratch (2017), table 1",
    "basic-motions": "Ruiz et al., The great multivariate time series classification bake off (2021)",
    "japanese-vowels": "Kudo, Toyama, Shimbo, Multidimensional Curve Classification (1999)",
}


def series(file: str, name: str, target: float, published: str, seed: int, backend: str | None) -> Result:
    """A set of the UCR archive, in its two files."""
    train, test = (read_ts(data_folder("ucr") / f"{file}_{part}.ts") for part in ("TRAIN", "TEST"))
    return measured(
        cr.Classifier(random_state=seed, backend=backend),
        (train, train.labels),
        (test, test.labels),
        name=name,
        network=f"three convolutions over time, on {file.removesuffix('_eq')}",
        published=published,
        source=SOURCES[name],
        target=target,
    )


def measured(model: cr.Classifier, train: tuple[Any, Any], test: tuple[Any, Any], **described: Any) -> Result:
    """Train and measure the accuracy on the test rows."""
    validation = described.pop("validation", None)
    start = time.perf_counter()
    model.fit(*train, validation=validation)
    minutes = (time.perf_counter() - start) / 60
    return Result(
        measure="% of the test rows",
        ours=100 * float(np.mean(model.predict(test[0]) == np.asarray(test[1]))),
        higher=True,
        seed=int(model.random_state),
        epochs=model.n_iter_,
        minutes=minutes,
        rows_a_second=model.n_iter_ * model.training_.rows / sum(model.history_["seconds"]),
        backend=model.training_.computed_by,
        **described,
    )
