"""Every layer: its gradients against finite differences, its shape, its initial values."""

from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, items, normal, with_cost

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.layers import Layer, Network, initialization

pytestmark = pytest.mark.parametrize("layer", items(Layer), ids=lambda layer: type(layer).__name__)


def test_gradients(layer: Layer) -> None:
    made = Network(layer).composed({"i": 4})
    start = evaluate(initialization(made.system, made.initializers), {}, seed=3)
    values = {"x": normal(3, 4, seed=1)} | {t.name: start[t.name] for t in made.system.parameters}
    system = with_cost(made.system, made.output.name)
    shape = evaluate(made.system, values)[made.output.name].shape
    values["weigh"] = normal(*shape, seed=2)
    check_gradients(system, values, "C", ["x", *(tensor.name for tensor in made.system.parameters)])


def test_predicting_has_the_same_parameters(layer: Layer) -> None:
    training, predicting = (Network(each).composed({"i": 4}) for each in (layer, layer.predicting))
    assert training.system.parameters == predicting.system.parameters
    assert training.output == predicting.output


def test_several_feature_axes(layer: Layer) -> None:
    if type(layer).__name__ == "Residual" or type(layer).__name__ == "Equations":
        pytest.skip("this example reads one feature axis")
    made = Network(layer).composed({"c": 2, "h": 3})
    start = evaluate(initialization(made.system, made.initializers), {}, seed=3)
    values = {"x": normal(5, 2, 3)} | {t.name: start[t.name] for t in made.system.parameters}
    assert np.isfinite(evaluate(made.system, values)[made.output.name]).all()


def test_no_overflow(layer: Layer) -> None:
    made = Network(layer).composed({"i": 4})
    start = evaluate(initialization(made.system, made.initializers), {}, seed=3)
    system = with_cost(made.system, made.output.name)
    values = {"x": np.full((3, 4), 900.0) * [[-1], [1], [0]]} | {t.name: start[t.name] for t in made.system.parameters}
    output = evaluate(made.system, values)[made.output.name]
    assert not np.isnan(output).any()
    log = derive(system, "C", ["x"])
    assert not np.isnan(evaluate(log.system, {**values, "weigh": np.ones(output.shape)})[log.gradients["x"]]).any()
