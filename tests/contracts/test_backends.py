"""Every item in a training step, three steps on every backend, equal to the reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import example_input, items, outputs, reading, targets

from chainrule.backends import BACKENDS, compile
from chainrule.definition import Definition
from chainrule.equations.evaluate import evaluate
from chainrule.initializers import Initializer, Orthogonal
from chainrule.layers import Dense, EncoderDecoder, Layer, Network, PositionwiseDense, Tanh, initialization
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy, Loss
from chainrule.optimizers import SGD, Clipping, Optimizer
from chainrule.regularizers import Regularizer
from chainrule.training.step import TrainingStep, assemble

ROWS = 9
FAMILIES = (Layer, Loss, Optimizer, Clipping, Regularizer, Initializer)


def loss_of(item: Definition) -> Loss:
    return item if isinstance(item, Loss) else CrossEntropy()


def step_with(item: Definition) -> TrainingStep:
    """A small network in training in which the item has its part."""
    loss = loss_of(item)
    first = item if isinstance(item, Layer) else Tanh()
    if isinstance(item, Initializer):
        first = Dense(5, weights=item)
    end = PositionwiseDense(3) if isinstance(first, EncoderDecoder) else Dense(outputs(loss))
    return assemble(
        Network(first, end),
        loss,
        item if isinstance(item, Optimizer) else SGD(0.1),
        reading(first),
        regularizers=[item] if isinstance(item, Regularizer) else [],
        clipping=item if isinstance(item, Clipping) else None,
    )


def data_for(step: TrainingStep, item: Definition) -> dict[str, Any]:
    read = reading(item) if isinstance(item, Layer) else Reading.of({"i": 4})
    given = targets(loss_of(item), ROWS) | example_input(read, ROWS, seed=0)
    if isinstance(item, EncoderDecoder):
        given["t"] = np.arange(4 * ROWS).reshape(ROWS, 4) ** 2 % 3
    values = {step.sources[name]: value for name, value in given.items() if name in step.sources}
    return values | {name: np.array(value) for name, value in step.constants.items()}


TOLERANCE = {"float64": 1e-9, "float32": 2e-4}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "item", [item for family in FAMILIES for item in items(family)], ids=lambda item: type(item).__name__
)
def test_training(item: Definition, dtype: str, backend: str) -> None:
    step = step_with(item)
    data = data_for(step, item)
    tolerance = TOLERANCE[dtype]
    names = [tensor.name for tensor in step.parameters]
    first = compile(step.initialization, names, dtype, backend).run({}, {}, seed=1)
    start = evaluate(step.initialization, {}, seed=1)
    for name in names:
        np.testing.assert_allclose(first[name], start[name], atol=tolerance)
    state: dict[str, Any] = {name: np.array(start[name], dtype=dtype) for name in names}
    expected: dict[str, Any] = {name: value.astype(np.float64) for name, value in state.items()}
    rows, costs = np.array([[3, 1, 8, 0, 7], [2, 2, 5, 6, 4], [8, 0, 1, 2, 3]]), []
    for n, chosen in enumerate(rows):
        found = evaluate(step.system, {**data, **expected, "rows": chosen, "η": 0.1}, seed=5, step=n)
        expected |= {name: found[following] for name, following in step.system.updates.items()}
        costs.append([found[step.cost], found[step.gradient_norm]])
    for tensor in step.states:
        state[tensor.name] = np.full(found[tensor.name].shape, tensor.value, dtype=dtype)
    program = compile(step.system, [step.cost, step.gradient_norm], dtype, backend)
    run = program.run(data, state, steps={"rows": rows, "η": np.full(3, 0.1)}, seed=5)
    np.testing.assert_allclose(np.stack([run[step.cost], run[step.gradient_norm]], axis=1), costs, rtol=tolerance)
    for name, value in expected.items():
        np.testing.assert_allclose(state[name], value, rtol=10 * tolerance, atol=tolerance / 10, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(784, 30), (30, 784), (512, 512)])
def test_orthogonal_at_size(fan_in: int, fan_out: int, backend: str) -> None:
    made = Network(Dense(fan_out, weights=Orthogonal())).composed({"i": fan_in})
    program = compile(initialization(made.system, made.initializers), ["dense1.W"], "float32", backend)
    values = program.run({}, {}, seed=2)["dense1.W"].astype(np.float64)
    small = values.T @ values if fan_out <= fan_in else values @ values.T
    assert np.abs(small - np.eye(len(small))).max() < 1e-6
