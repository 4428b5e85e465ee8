"""What an estimator uses where it was told nothing.

Chosen by cross-validation on the sets of benchmarks/tables.py, with other splits than the ones it prints:

- Dropout did not score better than weight decay, and drawing its random numbers takes longer than the rest of a step.
- Smoothed labels score better on small sets (wine 0.976 → 0.989, digits 0.980 → 0.984), because easy rows keep a say
  in where the boundaries are.  ``Classifier.predict_proba`` takes the smoothing back.
- Networks for texts learn their training rows by heart within a few epochs; with as much decay as small sets have and
  minibatches of 64, validation sentences of SST-2 score better (0.789 → 0.806).
- Numbers scaled by median and quartiles, or to normal quantiles, did not score better than by mean and deviation.
"""

from __future__ import annotations

import math

from chainrule.data.reader import Reader
from chainrule.data.text import SymbolReader
from chainrule.initializers import HeNormal, Normal, Uniform
from chainrule.layers import (
    BatchNorm,
    Branch,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool2D,
    Network,
    ReLU,
    SiLU,
)
from chainrule.losses import BinaryCrossEntropy, Loss, SmoothedCrossEntropy, SoftCrossEntropy, SquaredError
from chainrule.optimizers import AdamW, CosineDecay, Optimizer

UNITS = 128
SMOOTHING = 0.05
SMALL_SET = 4000  # rows; from here on batches are larger and the best epoch is chosen on validation rows
STEPS = 1000  # for small sets
EPOCHS = 30  # for others
EPOCHS_OF_TEXTS = 10
EPOCHS_OF_IMAGES = 10  # a pass takes minutes where that over a table takes a second, and ten show what there is to see


def default_network(units: int | tuple[int, ...], reader: Reader) -> Network:
    """What suits what the network reads; its last layer has these units."""
    if isinstance(reader, SymbolReader):
        return text_network(units, reader.symbols)
    if next(iter(reader.sizes)) == "t":
        return series_network(units)
    if "h" in reader.sizes:
        return image_network(units, min(size for axis, size in reader.sizes.items() if axis != "c" and size))
    return dense_network(units)


def dense_network(units: int | tuple[int, ...]) -> Network:
    """Two hidden layers; the last starts near 0, so that training starts from the mean of the targets."""
    hidden = (Dense(UNITS, HeNormal()), SiLU())
    return Network(*hidden, *hidden, Dense(units, Normal(deviation=0.01)))


def image_network(units: int | tuple[int, ...], side: int) -> Network:
    """Convolutions of 3×3, their number doubled wherever the image is halved, until its shorter ``side`` is below 8
    (Simonyan and Zisserman, Very Deep Convolutional Networks, 2015, §2.1; normalised after Ioffe and Szegedy, 2015).
    """
    hidden: list[Layer] = []
    filters = 16
    while True:
        hidden += [Conv2D(filters, 3, padding="same", weights=HeNormal()), BatchNorm(), ReLU()]
        if side < 8:
            return Network(*hidden, Dense(units, Normal(deviation=0.01)))
        hidden.append(MaxPool2D(2))
        side, filters = side // 2, min(2 * filters, UNITS)


def text_network(units: int | tuple[int, ...], symbols: int) -> Network:
    """The greatest answers of filters that see 3, 4 and 5 symbols (Kim, Convolutional Neural Networks for Sentence
    Classification, 2014).
    """
    seen = [Network(Conv1D(100, width, padding="same"), ReLU(), GlobalMaxPool()) for width in (3, 4, 5)]
    embedding = Embedding(symbols, UNITS, Uniform(-0.25, 0.25))
    return Network(embedding, Dropout(0.2), Branch(*seen), Dropout(0.5), Dense(units, Normal(deviation=0.01)))


def series_network(units: int | tuple[int, ...]) -> Network:
    """Three convolutions and the mean over time (Wang, Yan, Oates, Time Series Classification from Scratch, 2017)."""
    hidden: list[Layer] = []
    for filters, width in ((64, 8), (128, 5), (64, 3)):
        hidden += [Conv1D(filters, width, padding="same", weights=HeNormal()), BatchNorm(), ReLU()]
    return Network(*hidden, GlobalAvgPool(), Dense(units))


def default_optimizer(rows: int, reader: Reader) -> Optimizer:
    """AdamW, its rate falling along a cosine; small sets, and texts, need more decay of the weights."""
    if rows < SMALL_SET or isinstance(reader, SymbolReader):
        return AdamW(CosineDecay(1e-3), weight_decay=1.0)
    return AdamW(CosineDecay(3e-3), weight_decay=0.1)


def default_batch_size(rows: int, reader: Reader) -> int:
    if rows < SMALL_SET:
        return 32
    return 64 if isinstance(reader, SymbolReader) else 256


def default_epochs(rows: int, batch_size: int, reader: Reader) -> int:
    """Small sets get a number of steps, so that tiny ones have time to learn; others a number of epochs."""
    if rows >= SMALL_SET:
        if isinstance(reader, SymbolReader):
            return EPOCHS_OF_TEXTS
        return EPOCHS_OF_IMAGES if "h" in reader.sizes else EPOCHS
    return math.ceil(STEPS / math.ceil(rows / batch_size))


def default_validation_fraction(rows: int) -> float:
    return 0.0 if rows < SMALL_SET else 0.1


def class_loss(several: bool) -> Loss:
    return BinaryCrossEntropy() if several else SmoothedCrossEntropy(SMOOTHING)


def mixed_class_loss() -> Loss:
    """Where rows are mixed, each belongs to two classes; that is smoothing enough."""
    return SoftCrossEntropy()


def value_loss() -> Loss:
    return SquaredError()
