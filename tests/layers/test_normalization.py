"""Batch normalization: running statistics, what predicting reads, and models that train, stop, load and go on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal

from chainrule.backends import BACKENDS
from chainrule.equations.evaluate import evaluate
from chainrule.estimators import Classifier
from chainrule.estimators.saving import load
from chainrule.layers import BatchNorm, Conv2D, Dense, GlobalAvgPool, LayerNorm, MaxPool2D, Network, ReLU
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy
from chainrule.optimizers import SGD
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.step import assemble


def run_steps(steps: int) -> tuple[dict[str, Any], list[np.ndarray[Any, Any]]]:
    """States after some minibatches of images with two channels, and the minibatches."""
    made = Network(BatchNorm(momentum=0.3)).composed({"h": 3, "w": 2, "c": 2})
    state = {"batchnorm1.M": np.zeros(2), "batchnorm1.V": np.ones(2)}
    batches = [5 + 3 * normal(4 + n, 3, 2, 2, seed=n) for n in range(steps)]
    for batch in batches:
        found = evaluate(made.system, {"x": batch, "batchnorm1.γ": np.ones(2), "batchnorm1.β": np.zeros(2), **state})
        state = {name: found[name + "'"] for name in state}
    return state, batches


def test_running_statistics() -> None:
    state, batches = run_steps(4)
    mean, variance = np.zeros(2), np.ones(2)
    for batch in batches:
        mean = 0.7 * mean + 0.3 * batch.mean(axis=(0, 1, 2))
        variance = 0.7 * variance + 0.3 * batch.reshape(-1, 2).var(axis=0, ddof=1)
    np.testing.assert_allclose(state["batchnorm1.M"], mean)
    np.testing.assert_allclose(state["batchnorm1.V"], variance)


@pytest.mark.peers
def test_running_statistics_of_torch() -> None:
    torch = pytest.importorskip("torch")
    state, batches = run_steps(5)
    layer = torch.nn.BatchNorm2d(2, momentum=0.3).double()
    for batch in batches:
        layer(torch.tensor(batch).movedim(-1, 1))
    np.testing.assert_allclose(state["batchnorm1.M"], layer.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(state["batchnorm1.V"], layer.running_var.numpy(), rtol=1e-12)
    layer.eval()
    predicting = Network(BatchNorm(momentum=0.3)).predicting
    assert isinstance(predicting, Network)
    made = predicting.composed({"h": 3, "w": 2, "c": 2})
    found = evaluate(made.system, {"x": batches[0], "batchnorm1.γ": np.ones(2), "batchnorm1.β": np.zeros(2), **state})
    expected = layer(torch.tensor(batches[0]).movedim(-1, 1)).movedim(1, -1).detach().numpy()
    np.testing.assert_allclose(found["batchnorm1.a"], expected, rtol=1e-12)


def test_one_row_alone() -> None:
    """Its variance is 0, and nothing is divided by the number of rows less one."""
    made = Network(BatchNorm()).composed({"i": 2})
    values = {"x": np.array([[3.0, -1.0]]), "batchnorm1.γ": np.ones(2), "batchnorm1.β": np.ones(2)}
    found = evaluate(made.system, values)
    np.testing.assert_array_equal(found["batchnorm1.a"], [[1, 1]])
    np.testing.assert_allclose(found["batchnorm1.V'"], [0.9, 0.9])


def test_large_means_lose_no_digits() -> None:
    for layer in (BatchNorm(), LayerNorm()):
        made = Network(layer).composed({"i": 6})
        found = evaluate(made.system, {"x": 1e9 + normal(4, 6), **dict.fromkeys(ones(made, 6), np.ones(6))})
        assert abs(found[made.output.name].std() - 1) < 1e-3


def ones(made: Any, size: int) -> list[str]:
    return [tensor.name for tensor in made.system.parameters]


def test_rows_of_different_lengths_count_by_their_positions() -> None:
    under, x = Reading.of({"t": None, "c": 2}, length="t").compose()
    made = under.composed(BatchNorm(scale=None, shift=None).compose(under, x))
    data, lengths = normal(3, 6, 2), [6, 3, 1]
    found = evaluate(made.system, {"x": data, "length": lengths})
    own = np.concatenate([data[row, :length] for row, length in enumerate(lengths)])
    np.testing.assert_allclose(found["batchnorm1.μ"], own.mean(axis=0))
    np.testing.assert_allclose(found["batchnorm1.v"], own.var(axis=0))
    np.testing.assert_allclose(found["batchnorm1.V'"], 0.9 + 0.1 * own.var(axis=0, ddof=1))


def test_what_a_model_keeps() -> None:
    step = assemble(Network(Dense(3), BatchNorm(), Dense(2)), CrossEntropy(), SGD(0.1), {"i": 4})
    assert {"batchnorm1.M", "batchnorm1.V"} <= set(step.learnt)
    assert {tensor.name for tensor in step.prediction_system.named("state")} == {"batchnorm1.M", "batchnorm1.V"}


def stripes(rows: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Small images whose stripes lie or stand."""
    y = np.arange(rows) % 2
    X = 0.3 * normal(rows, 8, 8, seed=seed)
    X[y == 0, ::2] += 1
    X[y == 1, :, ::2] += 1
    return X, y


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_trains_stops_loads_and_goes_on(backend: str, tmp_path: Path) -> None:
    X, y = stripes(96, seed=1)
    network = Network(Conv2D(4, 3, biases=None), BatchNorm(), ReLU(), MaxPool2D(2), GlobalAvgPool(), Dense(2))
    model = Classifier(
        network,
        epochs=12,
        batch_size=16,
        early_stopping=EarlyStopping(patience=2),
        validation_fraction=0.25,
        optimizer=SGD(0.3),
        random_state=0,
        backend=backend,
    )
    model.fit(X, y)
    X_new, y_new = stripes(40, seed=2)
    assert model.score(X_new, y_new) >= 0.95
    assert not np.allclose(model.parameters_["batchnorm1.M"], 0)
    # Each row for itself: the statistics are those of training.
    together, alone = model.predict_proba(X_new), [model.predict_proba(X_new[n : n + 1])[0] for n in range(3)]
    np.testing.assert_allclose(together[:3], alone, atol=1e-12)
    again = load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(X_new), together)
    before = again.parameters_["batchnorm1.M"].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again.partial_fit(X_new + 1, y_new)
    assert not np.allclose(again.parameters_["batchnorm1.M"], before)
    assert again.score(X_new + 1, y_new) >= 0.9
    assert model.check_gradients()


def test_both_backends_learn_the_same() -> None:
    X, y = stripes(64, seed=3)
    network = Network(Conv2D(3, 3, stride=2), BatchNorm(), ReLU(), Dense(2))
    models = [
        Classifier(network, epochs=2, batch_size=16, random_state=0, backend=backend, optimizer=SGD(0.1)).fit(X, y)
        for backend in BACKENDS
    ]
    for name, value in models[0].parameters_.items():
        np.testing.assert_allclose(models[1].parameters_[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
