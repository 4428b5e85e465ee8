"""Published results on images: MNIST, Fashion-MNIST, and the faces of the Olivetti Research Laboratory (ORL).

Networks and recipes were chosen on training images and on other splits of the faces than those measured here
(docs/results.md says how); then all training images are used.
"""

from __future__ import annotations

import statistics
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from benchmarks.datasets import data_folder
from benchmarks.results.result import Result

FACE = (56, 46)  # height and width: half of the photographs'
SPLITS = 5


def mnist_lenet5(seed: int, backend: str | None) -> Result:
    """LeNet-5 on MNIST, images as they are."""
    model = cr.Classifier(
        "lenet5", optimizer=cr.AdamW(cr.OneCycle(3e-3)), epochs=8, batch_size=64, **settings(seed, backend)
    )
    return digits_or_garments(
        model,
        folder="mnist",
        name="mnist-lenet5",
        network="LeNet-5 on MNIST",
        published="99.05 %; 99.2 % with distorted images",
        source="LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998), §III.B",
        target=99.0,
    )


def mnist_convnet(seed: int, backend: str | None) -> Result:
    """Two convolutions and a dense layer with dropout on MNIST, the images moved at random in each epoch."""
    network = cr.Network(*convolution(20, 5), *convolution(40, 5), *classified(500, 0.5))
    model = cr.Classifier(
        network,
        optimizer=cr.AdamW(cr.OneCycle(3e-3)),
        epochs=20,
        batch_size=64,
        augmentation=cr.Shift(1) + cr.Rotate(10),
        **settings(seed, backend),
    )
    return digits_or_garments(
        model,
        folder="mnist",
        name="mnist-convnet",
        network="20 and 40 filters of 5×5, dense 500 with dropout, on MNIST",
        published="99.60 %, with two dense layers of 1,000 and 40 epochs of 250,000 images",
        source="Nielsen, Neural Networks and Deep Learning (2015), ch. 6",
        target=99.4,
    )


def fashion(seed: int, backend: str | None) -> Result:
    """Three convolutions and a dense layer with dropout on Fashion-MNIST, flipped and shifted at random."""
    layers = (*convolution(24, 3, "same"), *convolution(48, 3, "same"), *convolution(96, 3, "same"))
    model = cr.Classifier(
        cr.Network(*layers, *classified(128, 0.4)),
        optimizer=cr.AdamW(cr.OneCycle(3e-3)),
        epochs=15,
        batch_size=64,
        augmentation=cr.Flip() + cr.Shift(1),
        **settings(seed, backend),
    )
    return digits_or_garments(
        model,
        folder="fashion_mnist",
        name="fashion",
        network="24, 48 and 96 filters of 3×3, dense 128, on Fashion-MNIST",
        published="92.5 % (two convolutions, below 100,000 parameters); people 83.5 %",
        source="Xiao, Rasul, Vollgraf, Fashion-MNIST (2017), the table of benchmarks in its repository",
        target=92.5,
    )


def faces(seed: int, backend: str | None) -> Result:
    """Forty people, five photographs of each to learn from and five to recognise; the mean of five random splits."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data_folder("faces") / "orl_faces.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        images = cr.read_images(Path(folder) / "att_faces", size=FACE)
    errors, minutes, seconds = [], 0.0, 0.0
    for split in range(seed, seed + SPLITS):
        model = face_model(split, backend)
        learnt, recognised = halves(images.labels, split)
        start = time.perf_counter()
        model.fit(images.take(learnt))
        minutes += (time.perf_counter() - start) / 60
        seconds += sum(model.history_["seconds"])
        errors.append(100 * (1 - model.score(images.take(recognised))))
    return Result(
        name="faces",
        network="16, 32 and 64 filters, dense 128, on the ORL faces, 5 photographs a person to learn from",
        measure="% error",
        ours=statistics.mean(errors),
        published="3.8 % error; eigenfaces 10.5 %",
        source="Lawrence, Giles, Tsoi, Back, Face Recognition: A Convolutional Neural-Network Approach (1997)",
        target=4.0,
        higher=False,
        seed=seed,
        epochs=model.n_iter_,
        minutes=minutes,
        rows_a_second=SPLITS * model.n_iter_ * len(learnt) / seconds,
        backend=model.training_.computed_by,
        each=tuple(errors),
    )


def face_model(seed: int, backend: str | None) -> cr.Classifier:
    """The network and its recipe; the first convolution takes every second place, so that an epoch costs little."""
    first = (cr.Conv2D(16, 5, stride=2, padding=2, weights=cr.HeNormal(), biases=None), cr.BatchNorm(), cr.ReLU())
    layers = (*first, cr.MaxPool2D(2), *convolution(32, 3, "same"), *convolution(64, 3, "same")[:-1])
    return cr.Classifier(
        cr.Network(*layers, *classified(128, 0.5, classes=40)),
        cr.SmoothedCrossEntropy(0.1),
        cr.AdamW(cr.OneCycle(2e-3), weight_decay=0.05),
        epochs=100,
        batch_size=20,
        augmentation=cr.Shift(3) + cr.Rotate(8) + cr.Zoom(0.12) + cr.Flip(),
        **settings(seed, backend),
    )


def convolution(filters: int, window: int, padding: int | str = 0) -> tuple[cr.Layer, ...]:
    """A convolution, normalized, with a rectifier and pooling of 2×2."""
    made = cr.Conv2D(filters, window, padding=padding, weights=cr.HeNormal(), biases=None)
    return made, cr.BatchNorm(), cr.ReLU(), cr.MaxPool2D(2)


def classified(units: int, dropout: float, classes: int = 10) -> tuple[cr.Layer, ...]:
    """A dense layer with dropout, and the logits."""
    return cr.Dense(units), cr.ReLU(), cr.Dropout(dropout), cr.Dense(classes)


def settings(seed: int, backend: str | None) -> dict[str, Any]:
    """What all have in common: every image is trained on, and the last epoch counts."""
    return {"validation_fraction": 0.0, "random_state": seed, "backend": backend}


def halves(labels: NDArray[Any], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to recognise: of every person, half of the photographs each, drawn at random."""
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(np.flatnonzero(labels == person)) for person in np.unique(labels)]
    middle = len(drawn[0]) // 2
    return np.concatenate([rows[:middle] for rows in drawn]), np.concatenate([rows[middle:] for rows in drawn])


def digits_or_garments(model: cr.Classifier, folder: str, **described: Any) -> Result:
    """Train on the 60,000 images of MNIST or of Fashion-MNIST and measure the accuracy on its 10,000 test images."""
    train, test = (cr.read_images(data_folder(folder) / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k"))
    start = time.perf_counter()
    model.fit(train)
    minutes = (time.perf_counter() - start) / 60
    return Result(
        measure="% of the test images",
        ours=100 * model.score(test),
        higher=True,
        seed=model.random_state,
        epochs=model.n_iter_,
        minutes=minutes,
        rows_a_second=model.n_iter_ * len(train) / sum(model.history_["seconds"]),
        backend=model.training_.computed_by,
        **described,
    )
