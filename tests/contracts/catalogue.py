"""One example of every item of every catalogue, for the contract tests to run over."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.reverse import derive
from chainrule.definition import Definition
from chainrule.equations.evaluate import evaluate
from chainrule.equations.node import Apply, Equation, Reduce, access
from chainrule.equations.system import Input, System
from chainrule.initializers import HeNormal, Initializer
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Attention,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    Backward,
    Bidirectional,
    Branch,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    CrossAttention,
    Custom,
    DecoderBlock,
    Dense,
    DepthwiseConv2D,
    Embedding,
    EncoderDecoder,
    Equations,
    FeedForward,
    GroupNorm,
    Layer,
    LayerNorm,
    LearnedPositions,
    Linear,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MultiHeadAttention,
    Network,
    PositionwiseDense,
    PostNormTransformerBlock,
    ReLU,
    Reshape,
    Residual,
    RotaryPositions,
    SeparableConv2D,
    Shared,
    Siamese,
    Sum,
    Tanh,
    TransformerBlock,
    Unembedding,
)
from chainrule.layers.composition import Reading
from chainrule.losses import ClassWeighted, CrossEntropy, Loss, SampleWeighted, SquaredError
from chainrule.optimizers import Clipping, CosineDecay, Held, Optimizer, Schedule, WarmUp
from chainrule.regularizers import L2, PerExample, Regularizer
from chainrule.training import averaging, snapshots  # noqa: F401 (they are in the catalogue of ensembles)
from chainrule.training.members import Ensemble

FAMILIES: tuple[type[Definition], ...] = (
    Layer,
    Loss,
    Optimizer,
    Schedule,
    Clipping,
    Initializer,
    Regularizer,
    Ensemble,
)


def squared(axes: tuple[str, ...]) -> str:
    """A function that makes a layer."""
    return f"a[{','.join(axes)}] = x[{','.join(axes)}]^2"


# Items that cannot be made without arguments.
EXAMPLES: dict[str, Definition] = {
    "Linear": Linear(3),
    "Dense": Dense(3, weights=HeNormal()),
    "Equations": Equations("axis j = 3\nparameter V[i,j]\ndata x[b,i]\na[b,j] = sum[i](x[b,i]*V[i,j])^2"),
    "Custom": Custom(squared),
    "Network": Network(Dense(5), Tanh(), Dense(2)),
    "Residual": Residual(Dense(4), Tanh()),
    "Sum": Sum(Dense(3), Network(Dense(3), Tanh())),
    "Siamese": Siamese(Dense(3), Tanh(), Dense(2)),
    "Shared": Shared(Dense(3), Tanh()),
    "Branch": Branch(Dense(3), Network(Dense(2), Tanh()), Dense(4)),
    "Conv1D": Conv1D(2, 3, stride=2, padding=((2, 1),)),
    "Conv2D": Conv2D(4, (2, 3), stride=(1, 2), padding="same", groups=2),
    "Conv3D": Conv3D(2, 2, dilation=(1, 2, 1)),
    "ConvTranspose1D": ConvTranspose1D(2, 3, stride=2, padding=1, output_padding=1),
    "ConvTranspose2D": ConvTranspose2D(2, (3, 2), stride=2, padding="same", biases=None),
    "ConvTranspose3D": ConvTranspose3D(2, 2),
    "DepthwiseConv2D": DepthwiseConv2D(3, multiplier=2, padding=1),
    "SeparableConv2D": SeparableConv2D(3, 2, stride=2),
    "MaxPool1D": MaxPool1D(2),
    "MaxPool2D": MaxPool2D(3, stride=2, padding=1),
    "MaxPool3D": MaxPool3D((1, 2, 2)),
    "AvgPool1D": AvgPool1D(2, padding="same"),
    "AvgPool2D": AvgPool2D((2, 3), stride=1, padding=(0, 1)),
    "AvgPool3D": AvgPool3D(2, stride=1),
    "AdaptiveMaxPool": AdaptiveMaxPool(3),
    "AdaptiveAvgPool": AdaptiveAvgPool((2, 3)),
    "GroupNorm": GroupNorm(2),
    "LayerNorm": LayerNorm(axes=2),
    "Reshape": Reshape((3, 8)),
    "PositionwiseDense": PositionwiseDense(3),
    "Embedding": Embedding(3, 4),
    "LearnedPositions": LearnedPositions(7),
    "RNN": RNN(2, weights=HeNormal()),
    "LSTM": LSTM(2),
    "GRU": GRU(2, states="all"),
    "Backward": Backward(RNN(2, states="all")),
    "Bidirectional": Bidirectional(RNN(2)),
    "Attention": Attention(2),
    "MultiHeadAttention": MultiHeadAttention(2, key_heads=1, positions=RotaryPositions(100.0), dropout=0.25),
    "FeedForward": FeedForward(3),
    "TransformerBlock": TransformerBlock(MultiHeadAttention(2, causal=True), 3, dropout=0.25),
    "PostNormTransformerBlock": PostNormTransformerBlock(MultiHeadAttention(2), 3, activation=ReLU()),
    # Attention to an encoder stands in a decoder only.
    "CrossAttention": EncoderDecoder(Embedding(3, 3), Network(Embedding(3, 2), CrossAttention(1))),
    "DecoderBlock": EncoderDecoder(
        Network(Embedding(3, 2), RNN(2, states="all")),
        Network(Embedding(3, 2), DecoderBlock(Attention(2, causal=True), CrossAttention(2), 3)),
    ),
    "EncoderDecoder": EncoderDecoder(Embedding(3, 2), Network(Embedding(4, 2), CrossAttention(2, dropout=0.5))),
    "Unembedding": EncoderDecoder(Embedding(3, 2), Network(Embedding(4, 2), CrossAttention(1), Unembedding(2))),
    "SampleWeighted": SampleWeighted(SquaredError()),
    "ClassWeighted": ClassWeighted(CrossEntropy(), (0.5, 1.0, 2.0)),
    "WarmUp": WarmUp(CosineDecay(0.1, 0.01), 8),
    "Held": Held(CosineDecay(0.1, 0.01), 0.5),
    "PerExample": PerExample(L2(5.0)),
}


# What layers read in the tests that cannot read x[b,i] of four numbers.
_SEQUENCE = Reading.of({"t": 5, "c": 3})
_ROWS = Reading.of({"t": 4, "i": 2}, length="t")
_FOUR_FEATURES = Reading.of({"t": 3, "i": 4}, length="t")
_SYMBOLS = Reading.of({"t": 4}, "integer", length="t")
_IMAGE = Reading.of({"h": 4, "w": 3, "c": 2})
_VOLUME = Reading.of({"d": 2, "h": 3, "w": 3})
READINGS: dict[str, Reading] = {
    "Siamese": Reading.of({"p": 2, "i": 3}),
    **dict.fromkeys(("Conv1D", "ConvTranspose1D", "MaxPool1D", "AvgPool1D", "AdaptiveMaxPool"), _SEQUENCE),
    **dict.fromkeys(("Conv2D", "ConvTranspose2D", "DepthwiseConv2D", "SeparableConv2D", "Reshape"), _IMAGE),
    **dict.fromkeys(("MaxPool2D", "AvgPool2D", "AdaptiveAvgPool", "GlobalMaxPool", "GlobalAvgPool"), _IMAGE),
    **dict.fromkeys(("BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "SpatialDropout"), _IMAGE),
    **dict.fromkeys(("UpSample2D", "BilinearUpSample2D", "Flatten"), _IMAGE),
    **dict.fromkeys(("RNN", "LSTM", "GRU", "Backward", "Bidirectional", "RecurrentDropout"), _ROWS),
    **dict.fromkeys(("PositionwiseDense", "LearnedPositions", "SinusoidalPositions", "RotaryPositions"), _ROWS),
    **dict.fromkeys(("Attention", "FeedForward", "TransformerBlock", "PostNormTransformerBlock"), _ROWS),
    **dict.fromkeys(("MultiHeadAttention",), _FOUR_FEATURES),
    **dict.fromkeys(("Embedding", "EncoderDecoder"), _SYMBOLS),
    **dict.fromkeys(("Conv3D", "ConvTranspose3D", "MaxPool3D", "AvgPool3D"), _VOLUME),
}


def reading(layer: Layer) -> Reading:
    return READINGS.get(type(layer).__name__, Reading.of({"i": 4}))


# What the output of a row looks like to losses that do not read s[b,k] of three classes.
OUTPUTS: dict[str, tuple[int, ...]] = {
    "CTC": (6, 3),
    "SequenceCrossEntropy": (4, 3),
    "MaskedCrossEntropy": (4, 3),
    "Contrastive": (2, 3),
    "Triplet": (3, 4),
    "NTXent": (2, 3),
    "MulticlassDice": (4, 3),
}


def outputs(loss: Loss) -> tuple[int, ...]:
    """The sizes of the axes of a row of ``s``."""
    units = loss.units(3)
    return OUTPUTS.get(type(loss).__name__, units if isinstance(units, tuple) else (units,))


# Targets of losses that do not want the class of each row, or the probability of each output, for so many rows.
TARGETS: dict[str, Callable[[int], dict[str, NDArray[Any]]]] = {
    "CTC": lambda rows: {"t": np.resize([[1, 1, 2], [2, 0, 0], [2, 1, 0], [0, 0, 0], [1, 2, 1]], (rows, 3))},
    "SequenceCrossEntropy": lambda rows: {"t": np.arange(4 * rows).reshape(rows, 4) ** 2 % 3},
    "MaskedCrossEntropy": lambda rows: {"t": np.arange(5, 4 * rows + 5).reshape(rows, 4) ** 3 % 4 - 1},
    "Contrastive": lambda rows: {"y": np.arange(rows) % 2.0},
    "BinaryFocal": lambda rows: {"y": np.arange(3 * rows).reshape(rows, 3) ** 2 % 5 % 2.0},
    "Dice": lambda rows: {"y": np.arange(3 * rows).reshape(rows, 3) ** 2 % 5 % 2.0},
    "MulticlassDice": lambda rows: {"t": np.arange(4 * rows).reshape(rows, 4) ** 2 % 3},
}


def targets(loss: Loss, rows: int) -> dict[str, NDArray[Any]]:
    """Targets of so many rows, and the weights of rows."""
    usual = {
        "t": np.arange(rows) % 3,
        "y": np.random.default_rng(3).dirichlet(np.ones(3), size=rows),
        "ω": np.linspace(0, 3, rows),
    }
    return usual | TARGETS.get(type(loss).__name__, lambda _: {})(rows)


def example_input(read: Reading, rows: int, seed: int) -> dict[str, NDArray[Any]]:
    """x (symbols 0, 1, 2 where it is of whole numbers; axes without a size get 5 positions) and the lengths of rows."""
    shape = (rows, *(5 if size is None else size for _, size in read.sizes))
    generator = np.random.default_rng(seed)
    values = {"x": generator.integers(3, size=shape) if read.role == "integer" else normal(*shape, seed=seed)}
    if read.length is not None:
        values["length"] = generator.integers(1, 1 + (dict(read.sizes)[read.length] or 5), size=rows)
    return values


def items(family: type[Definition]) -> list[Any]:
    """An example of each item of the family that the package itself defines."""
    classes = [made for made in family.catalogue.values() if made.__module__.startswith("chainrule.")]
    return [EXAMPLES[made.__name__] if made.__name__ in EXAMPLES else made() for made in classes]


def names(family: type[Definition]) -> list[str]:
    return [type(item).__name__ for item in items(family)]


def exported() -> dict[str, Any]:
    """Every public name of the vocabulary."""
    found: dict[str, Any] = {"squared": squared}
    for module in (
        "layers",
        "losses",
        "optimizers",
        "initializers",
        "regularizers",
        "data.reading",
        "data.audio",
        "data.text",
        "training.members",
        "training.snapshots",
        "training.averaging",
    ):
        loaded = importlib.import_module(f"chainrule.{module}")
        found.update((name, value) for name, value in vars(loaded).items() if inspect.isclass(value))
    return found


def with_cost(system: System, output: str) -> System:
    """The system with a scalar ``C`` that weighs every element of a tensor differently."""
    axes = system.tensor_axes[output]
    weighed = Reduce("sum", axes, Apply("*", (access("weigh", axes), access(output, axes))))
    return system.extended([Equation("C", (), weighed)], [Input("weigh", axes, "data")])


def finite_differences(
    system: System, values: dict[str, Any], cost: str, name: str, step: float = 1e-6
) -> NDArray[np.float64]:
    """Central differences of the cost with respect to every element of one input."""
    found = np.zeros_like(np.asarray(values[name], dtype=np.float64))
    for place in np.ndindex(found.shape):
        high, low = (np.array(values[name], dtype=np.float64) for _ in range(2))
        high[place] += step
        low[place] -= step
        difference = evaluate(system, {**values, name: high})[cost] - evaluate(system, {**values, name: low})[cost]
        found[place] = difference / (2 * step)
    return found


def check_gradients(system: System, values: dict[str, Any], cost: str, wrt: list[str], tolerance: float = 1e-6) -> None:
    """Derived gradients equal finite differences, in float64."""
    log = derive(system, cost, wrt)
    derived = evaluate(log.system, values)
    for name in wrt:
        expected = finite_differences(system, values, cost, name)
        error = np.abs(derived[log.gradients[name]] - expected).max()
        assert error <= tolerance * max(1.0, np.abs(expected).max()), f"∂{name}: {error:.2e}"


def normal(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)
