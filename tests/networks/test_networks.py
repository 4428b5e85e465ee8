"""Ready networks: parameters counted as published, text that reads back, shapes, and that each learns."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest

from chainrule.backends import BACKENDS, compile
from chainrule.equations.sizes import solve_sizes
from chainrule.errors import ChainruleError
from chainrule.estimators.settings import read_call
from chainrule.layers import Network, Tanh
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy, Loss, MaskedCrossEntropy, SquaredError
from chainrule.networks import (
    NETWORKS,
    autoencoder,
    convnet,
    convolutional_autoencoder,
    gpt,
    lenet5,
    lstm_classifier,
    mlp,
    resnet,
    seq2seq,
    transformer,
    unet,
)
from chainrule.optimizers import Adam
from chainrule.training.step import TrainingStep, assemble

IMAGE = Reading.of({"h": 8, "w": 8, "c": 2})
SYMBOLS = Reading.of({"t": None}, "integer", "t")

# name → a small network, what it reads, and the sizes of a row of its output (None: those of the targets).
EXAMPLES: dict[str, tuple[Network, Reading, tuple[int | None, ...]]] = {
    "mlp": (mlp((5, 4, 3), Tanh(), 0.2), Reading.of({"i": 4}), (3,)),
    "lenet5": (lenet5(3), Reading.of({"h": 12, "w": 12}), (3,)),
    "convnet": (convnet(3, (2, 3), 5, 0.25), IMAGE, (3,)),
    "resnet": (resnet(3, 18, (2, 3, 4, 5), small_images=True), IMAGE, (3,)),
    "lstm_classifier": (lstm_classifier(7, 3, units=4, layers=2, embedding=3, dropout=0.1), SYMBOLS, (3,)),
    "gpt": (gpt(7, 6, layers=2, heads=2, units=4), Reading.of({"t": 6}, "integer"), (6, 7)),
    "seq2seq": (seq2seq(7, 3, units=4), SYMBOLS, (None, 3)),
    "transformer": (transformer(7, 3, layers=1, heads=2, units=4), SYMBOLS, (None, 3)),
    "autoencoder": (autoencoder((6, 4, 2)), Reading.of({"i": 6}), (6,)),
    "convolutional_autoencoder": (convolutional_autoencoder(2, (3, 4)), IMAGE, (8, 8, 2)),
    "unet": (unet(3, (2, 3, 4)), IMAGE, (8, 8, 3)),
}


def sizes_of(network: Network, reading: Reading) -> tuple[int, tuple[int | None, ...]]:
    """How many parameters there are, and the sizes of a row of the output."""
    under, x = reading.compose()
    made = under.composed(network.compose(under, x))
    sizes = solve_sizes(made.system, {}, partial=True)
    count = sum(prod(sizes[axis] for axis in tensor.axes) for tensor in made.system.parameters)
    return count, tuple(sizes.get(axis) for axis in made.output.axes[1:])


def test_every_network_has_an_example() -> None:
    assert EXAMPLES.keys() == NETWORKS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_output_has_its_shape(name: str) -> None:
    network, reading, shape = EXAMPLES[name]
    assert sizes_of(network, reading)[1] == shape


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_network_prints_as_layers_that_read_back(name: str) -> None:
    network = EXAMPLES[name][0]
    assert repr(network).startswith("Network(") and read_call(repr(network)) == network
    assert NETWORKS[name].__doc__ and "Source:" in NETWORKS[name].__doc__


COUNTS: list[tuple[Network, dict[str, int | None], int]] = [
    (mlp((30, 10)), {"i": 784}, 23_860),  # Nielsen's first network
    (lenet5(10), {"h": 28, "w": 28}, 61_706),
    (resnet(1000), {"h": 224, "w": 224, "c": 3}, 11_689_512),  # torchvision's resnet18
    (resnet(1000, 34), {"h": 224, "w": 224, "c": 3}, 21_797_672),  # torchvision's resnet34
    (resnet(10, small_images=True), {"h": 32, "w": 32, "c": 3}, 11_173_962),
    (unet(2), {"h": 64, "w": 64, "c": 1}, 31_030_658),
    (autoencoder((784, 128, 32)), {"i": 784}, 209_968),
]


@pytest.mark.parametrize(("network", "sizes", "count"), COUNTS, ids=lambda value: str(value)[:12])
def test_parameters_are_as_many_as_published(network: Network, sizes: dict[str, int | None], count: int) -> None:
    assert sizes_of(network, Reading.of(sizes))[0] == count


def test_lstm_classifier_has_the_parameters_of_its_formula() -> None:
    embedded, units = 5, 6
    lstm = 4 * units * (embedded + units + 1)
    above = 4 * units * (units + units + 1)
    network = lstm_classifier(11, 3, units=units, layers=2, embedding=embedded)
    assert sizes_of(network, SYMBOLS)[0] == 11 * embedded + lstm + above + (units + 1) * 3


@pytest.mark.parametrize("tied", [True, False])
def test_gpt_has_the_parameters_of_its_formula(tied: bool) -> None:
    """Of GPT-2's 12 units² + 13 units in each block, 3 units less: queries, keys and values have no biases here."""
    v, t, n, d = 11, 7, 3, 8
    head = 0 if tied else v * d + v
    expected = v * d + t * d + n * (12 * d**2 + 10 * d) + 2 * d + head
    network = gpt(v, t, layers=n, heads=2, units=d, tied=tied)
    assert sizes_of(network, Reading.of({"t": 7}, "integer"))[0] == expected


def test_images_of_odd_sizes_keep_them() -> None:
    assert sizes_of(unet(2, (2, 3)), Reading.of({"h": 5, "w": 7, "c": 1}))[1] == (5, 7, 2)


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: mlp(()), r"mlp: sizes are whole numbers, one for each layer, not \(\)"),
    (lambda: mlp((30, 0)), "mlp: every one of sizes must be a whole number of at least 1, not 0"),
    (lambda: mlp((30, 10), "relu"), "mlp: activation must be one of the layers"),
    (lambda: lenet5(0), "lenet5: classes must be a whole number of at least 1, not 0"),
    (lambda: convnet(10, 32), "convnet: channels are whole numbers"),
    (lambda: resnet(10, 50), "resnet: depth must be one of 18, 34, not 50"),
    (lambda: resnet(10, widths=(8, 16)), "resnet: there are four stages, each with its width; 2 widths are given"),
    (lambda: autoencoder((8,)), "autoencoder: sizes are at least those of the input and of the code"),
    (lambda: gpt(5, 4, layers=0), "gpt: layers must be a whole number of at least 1, not 0"),
    (lambda: seq2seq(5, 4, units=3), "seq2seq: units must be even"),
    (lambda: lstm_classifier(0, 2), "lstm_classifier: vocabulary must be a whole number"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=lambda value: value[:30] if isinstance(value, str) else "")
def test_wrong_sizes_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        call()


def training(name: str, loss: Loss) -> tuple[TrainingStep, dict[str, Any]]:
    """A training step of an example, and eight rows of noise to learn by heart."""
    network, reading, shape = EXAMPLES[name]
    step = assemble(network, loss, Adam(0.02), reading)
    generator = np.random.default_rng(0)
    sizes = [6 if size is None else size for _, size in reading.sizes]
    symbols = generator.integers(7, size=(8, *sizes))
    data: dict[str, Any] = {"X": symbols if reading.role == "integer" else generator.normal(size=(8, *sizes))}
    data["LENGTH"] = np.array([6, 2, 4, 6, 3, 1, 5, 6])
    wanted = [5 if size is None else size for size in shape]
    data["T"] = generator.integers(3, size=(8, *wanted[:-1]))
    data["Y"] = generator.normal(size=(8, *wanted))
    return step, {source: data[source] for source in step.sources.values()}


def first(step: TrainingStep, dtype: str, backend: str) -> dict[str, Any]:
    """Parameters and states as they start."""
    names = [tensor.name for tensor in step.parameters]
    start: dict[str, Any] = compile(step.initialization, names, dtype, backend).run({}, {}, seed=1)
    return start


LOSSES: dict[str, Loss] = dict.fromkeys(EXAMPLES, CrossEntropy())
LOSSES |= dict.fromkeys(("autoencoder", "convolutional_autoencoder"), SquaredError())
LOSSES |= dict.fromkeys(("seq2seq", "transformer"), MaskedCrossEntropy())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_network_learns_a_few_rows_by_heart(name: str) -> None:
    step, data = training(name, LOSSES[name])
    state = first(step, "float32", "numpy")
    steps = {"rows": np.tile(np.arange(8), (60, 1)), "η": np.full(60, 0.02)}
    program = compile(step.system, [step.loss], "float32", BACKENDS[-1])
    losses = program.run(data, state, steps=steps, seed=1)[step.loss]
    assert np.isfinite(losses).all() and losses[-10:].mean() < 0.85 * losses[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gradient_is_the_slope_of_the_loss(name: str) -> None:
    """Along one random direction of all parameters together, against central differences."""
    step, data = training(name, LOSSES[name])
    state = first(step, "float64", "numpy")
    given = {"rows": np.arange(8), "η": 0.0}
    names = [tensor.name for tensor in step.parameters]
    generator = np.random.default_rng(1)
    direction = {each: generator.normal(size=state[each].shape) for each in names}
    program = compile(step.system, [step.cost, *step.gradients.values()], "float64", "numpy")

    def at(distance: float) -> dict[str, Any]:
        moved = {each: state[each] + distance * direction[each] for each in names}
        found: dict[str, Any] = program.run({**data, **given}, moved, seed=2)
        return found

    here = at(0.0)
    slope = sum(float((here[step.gradients[each]] * direction[each]).sum()) for each in names)
    near = (at(1e-6)[step.cost] - at(-1e-6)[step.cost]) / 2e-6
    assert slope == pytest.approx(float(near), rel=1e-4)
