"""Every layer: its gradients against finite differences, its shape, its initial values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import READINGS, check_gradients, example_input, items, normal, reading, with_cost

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.layers import Composed, Layer, initialization
from chainrule.layers.composition import Reading

pytestmark = pytest.mark.parametrize("layer", items(Layer), ids=lambda layer: type(layer).__name__)


def composed(layer: Layer, read: Reading) -> Composed:
    under, x = read.compose()
    return under.composed(layer.compose(under, x))


def start(made: Composed) -> dict[str, Any]:
    """Parameters as they begin, and states at their declared values."""
    values = evaluate(initialization(made.system, made.initializers), {}, seed=3)
    return {tensor.name: values[tensor.name] for tensor in made.system.parameters}


def given(made: Composed, read: Reading) -> dict[str, Any]:
    """What the layer reads, the targets too if it does, and its parameters."""
    targets = {"t": np.array([[1, 2, 0, 1], [0, 1, 1, 2], [2, 2, 1, 0]])} if "t" in made.system.input_by_name else {}
    return example_input(read, 3, seed=1) | targets | start(made)


def test_gradients(layer: Layer) -> None:
    read = reading(layer)
    made = composed(layer, read)
    values = given(made, read)
    system = with_cost(made.system, made.output.name)
    shape = evaluate(made.system, values)[made.output.name].shape
    values["weigh"] = normal(*shape, seed=2)
    numbers = ["x"] if read.role == "data" else []
    check_gradients(system, values, "C", [*numbers, *(tensor.name for tensor in made.system.parameters)])


def test_predicting_has_the_same_parameters(layer: Layer) -> None:
    training, predicting = (composed(each, reading(layer)) for each in (layer, layer.predicting))
    assert training.system.parameters == predicting.system.parameters
    assert training.output == predicting.output


def test_several_feature_axes(layer: Layer) -> None:
    if type(layer).__name__ in ("Residual", "Equations", *READINGS):
        pytest.skip("this example reads its own axes")
    made = composed(layer, Reading.of({"c": 2, "h": 3}))
    values = {"x": normal(5, 2, 3)} | start(made)
    assert np.isfinite(evaluate(made.system, values)[made.output.name]).all()


def test_no_overflow(layer: Layer) -> None:
    read = reading(layer)
    made = composed(layer, read)
    system = with_cost(made.system, made.output.name)
    values = given(made, read)
    if read.role == "integer":
        pytest.skip("reads symbols")
    values["x"] = np.full(values["x"].shape, 900.0) * np.array([1, -1, 0]).reshape(-1, *[1] * (values["x"].ndim - 1))
    output = evaluate(made.system, values)[made.output.name]
    assert not np.isnan(output).any()
    log = derive(system, "C", ["x"])
    assert not np.isnan(evaluate(log.system, {**values, "weigh": np.ones(output.shape)})[log.gradients["x"]]).any()
