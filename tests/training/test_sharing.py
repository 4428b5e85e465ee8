"""Ensembles whose members share weights: BatchEnsemble, TabM, and layers that are shared by name."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris

import chainrule as cr
from chainrule.backends.threads import at_most
from chainrule.calculus.differences import check_gradients
from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.layers import Layer
from chainrule.training.ensemble import ensemble, first_states, member_of, of_each
from chainrule.training.members import SharedWeights
from chainrule.training.step import TrainingStep, assemble

MEMBERS = 3
PLAIN = cr.Network(cr.Dense(4), cr.Tanh(), cr.Dense(2))
KINDS = [cr.BatchEnsemble(MEMBERS), cr.TabM(MEMBERS)]


def steps(network: Layer, optimizer: Any) -> tuple[TrainingStep, TrainingStep]:
    """The step of one member, and that of all."""
    clipping = cr.ClipValue(10.0)
    one = assemble(network, cr.CrossEntropy(), optimizer, {"i": 3}, regularizers=(cr.L2(0.1),), clipping=clipping)
    return one, ensemble(one, MEMBERS)


def values_of(step: TrainingStep, many: TrainingStep) -> dict[str, Any]:
    """Parameters and states a little off their first values, seven rows of data, and the rows that each member sees."""
    generator = np.random.default_rng(0)
    states = {name: np.asarray(value, float) for name, value in first_states(step, many, MEMBERS, 1).items()}
    for tensor in many.parameters:
        states[tensor.name] = states[tensor.name] + 0.1 * generator.normal(size=states[tensor.name].shape)
    rows = np.stack([generator.permutation(7)[:5] for _ in range(MEMBERS)])
    return {"X": generator.normal(size=(7, 3)), "T": np.arange(7) % 2, "rows": rows, "η": 0.1, **states}


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_gradients_are_those_of_the_mean_cost(kind: SharedWeights) -> None:
    step, many = steps(kind.network(PLAIN), cr.SGD(0.1))
    checks = check_gradients(many.log.forward, many.cost, values_of(step, many), elements=6)
    assert {check.tensor for check in checks} == {tensor.name for tensor in many.parameters}
    assert max(check.error for check in checks) < 1e-6


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_a_parameter_follows_the_mean_gradient_of_the_networks_it_serves(kind: SharedWeights) -> None:
    step, many = steps(kind.network(PLAIN), cr.SGD(0.1))
    values = values_of(step, many)
    together = evaluate(many.system, values)
    own = of_each(many, "e")
    alone = [evaluate(step.system, member_of(values, member, own | {"rows"})) for member in range(MEMBERS)]
    shared = [tensor.name for tensor in many.parameters if tensor.name not in own]
    assert shared and all(name.endswith(".W") for name in shared)
    for tensor in step.parameters:
        moved = np.stack([found[f"{tensor.name}'"] for found in alone])
        expected = moved.mean(axis=0) if tensor.name in shared else moved
        np.testing.assert_allclose(together[f"{tensor.name}'"], expected, atol=1e-12, err_msg=tensor.name)
    np.testing.assert_allclose(together["C"], [found["C"] for found in alone])
    squares = {n: together[f"{n}.g2"] for n in step.gradients}
    np.testing.assert_allclose(together["gradient_norm"] ** 2, sum(np.mean(value) for value in squares.values()))


def test_states_of_the_optimizer_are_those_of_its_parameters() -> None:
    step, many = steps(cr.BatchEnsemble(MEMBERS).network(PLAIN), cr.Adam(0.1))
    axes = many.system.tensor_axes
    assert axes["linear1.W.m"] == ("i", "j") and axes["scale1.r.m"] == ("e", "i") and axes["adam.t"] == ()
    states = first_states(step, many, MEMBERS, 1)
    assert {name: np.ndim(value) for name, value in states.items()} == {name: len(axes[name]) for name in states}


def test_first_values_of_tabm() -> None:
    step, many = steps(cr.TabM(MEMBERS).network(PLAIN), cr.SGD())
    states = first_states(step, many, MEMBERS, 1)
    assert set(np.unique(states["scale1.r"])) == {-1, 1} and (states["scaleshift1.s"] == 1).all()
    assert states["linear1.W"].shape == (3, 4) and states["dense1.W"].shape == (MEMBERS, 4, 2)
    assert not np.array_equal(states["dense1.W"][0], states["dense1.W"][1])
    both = first_states(*steps(cr.BatchEnsemble(MEMBERS).network(PLAIN), cr.SGD()), MEMBERS, 1)
    assert set(np.unique(both["scaleshift2.s"])) == {-1, 1} and both["linear2.W"].shape == (4, 2)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_a_member_is_the_network_that_its_weights_make(backend: str, tmp_path: Any) -> None:
    X, y = load_iris(return_X_y=True)
    network = cr.Network(cr.Dense(8), cr.ReLU(), cr.Dense(3))
    model = cr.Classifier(
        network,
        cr.CrossEntropy(),
        cr.Adam(0.02),
        epochs=15,
        ensemble=cr.TabM(MEMBERS),
        random_state=0,
        backend=backend,
    ).fit(X, y)
    θ = {name: np.asarray(value, float) for name, value in model.parameters_.items()}
    x = model.input_.encode(model._read_input(X, (), reset=False), np.float64)["x"]
    scores = []
    for e in range(MEMBERS):
        hidden = (x * θ["scale1.r"][e]) @ θ["linear1.W"] * θ["scaleshift1.s"][e] + θ["scaleshift1.β"][e]
        z = np.maximum(hidden, 0) @ θ["dense1.W"][e] + θ["dense1.β"][e]
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        scores.append(model.member(e).predict_proba(X))
        np.testing.assert_allclose(scores[e], p, atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(X), np.mean(scores, axis=0), atol=1e-12)
    assert model.score(X, y) > 0.9 and "3 networks" in model.summary()
    loaded = cr.load(model.save(tmp_path))
    assert loaded.ensemble == cr.TabM(MEMBERS)
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(loaded.member(1).predict_proba(X), scores[1])
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))
    again = clone(model).fit(X, y)
    assert all(np.array_equal(again.parameters_[name], value) for name, value in model.parameters_.items())
    before = model.parameters_["linear1.W"].copy()
    assert not np.array_equal(model.partial_fit(X, y).parameters_["linear1.W"], before)


def test_same_bits_with_any_number_of_threads() -> None:
    X, y = load_diabetes(return_X_y=True)
    made = []
    for threads in (1, 2):
        with at_most(threads):
            model = cr.Regressor(epochs=2, ensemble=cr.TabM(4), random_state=0, backend="native").fit(X, y)
            made.append(model.parameters_)
    assert all(np.array_equal(made[0][name], made[1][name]) for name in made[0])


@pytest.mark.parametrize("channels", [1, 2])
def test_convolutions(channels: int) -> None:
    X, y = load_digits(return_X_y=True)
    X = X[:120].reshape(-1, 8, 8)
    X = X if channels == 1 else np.stack([X, -X], axis=-1)
    network = cr.Network(
        cr.Conv2D(4, 3), cr.BatchNorm(), cr.Tanh(), cr.Residual(cr.Conv2D(4, 1)), cr.AvgPool2D(2), cr.Dense(10)
    )
    model = cr.Classifier(network, epochs=1, ensemble=cr.BatchEnsemble(2), random_state=0, backend="numpy")
    model.fit(X, y[:120])
    shapes = {name: value.shape for name, value in model.parameters_.items()}
    assert shapes["conv2d1.W"] == ((3, 3, 4) if channels == 1 else (3, 3, 2, 4))
    assert shapes["scale1.r"] == ((2,) if channels == 1 else (2, 2)) and shapes["scaleshift1.β"] == (2, 4)
    assert shapes["batchnorm1.M"] == (2, 4) and shapes["conv2d2.W"] == (1, 1, 4, 4)
    members = [model.member(e).predict_proba(X) for e in range(2)]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(members, axis=0), atol=1e-12)


def test_layers_that_are_shared_by_name() -> None:
    X, y = load_diabetes(return_X_y=True)
    network = cr.Network(cr.Shared(cr.Dense(6), cr.Tanh()), cr.Dense((1, 2)))
    model = cr.Regressor(network, cr.Gaussian(), epochs=3, ensemble=2, random_state=0).fit(X, y)
    assert model.parameters_["dense1.W"].shape == (10, 6) and model.parameters_["dense2.W"].shape == (2, 6, 1, 2)
    assert model.predict_distribution(X).epistemic_variance.min() > 0
    alone = cr.Regressor(network, cr.Gaussian(), epochs=3, random_state=0).fit(X, y)
    plain = cr.Regressor(cr.Network(*network.layers[0].layers, network.layers[1]), cr.Gaussian(), epochs=3)
    assert np.array_equal(alone.predict(X), plain.set_params(random_state=0).fit(X, y).predict(X))


@pytest.mark.parametrize("hidden", [cr.Tanh(), cr.Dropout(0.2)])
def test_members_that_would_be_one_network(hidden: Layer) -> None:
    X, y = load_diabetes(return_X_y=True)
    network = cr.Network(cr.Shared(cr.Dense(6), hidden, cr.Dense(1)))
    with pytest.raises(ChainruleError, match="the members would be one network: leave a layer out of Shared"):
        cr.Regressor(network, epochs=1, ensemble=2).fit(X, y)


def test_arguments_of_the_ensemble_are_settings() -> None:
    model = cr.Classifier(ensemble=cr.TabM())
    assert model.get_params()["ensemble__members"] == 32
    assert model.set_params(ensemble__members=8).ensemble == cr.TabM(8)


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (cr.TabM, r"ensemble=TabM is a class; write ensemble=TabM\(\)"),
        ("TabM", r"ensemble is a number of networks, or one of BatchEnsemble\(\), .*, not 'TabM'"),
        (cr.Adam(), "ensemble is a number of networks, or one of"),
        (0, "ensemble is a whole number of at least 1, not 0"),
    ],
)
def test_what_is_no_ensemble(ensemble: Any, message: str) -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ChainruleError, match=message):
        cr.Classifier(ensemble=ensemble).fit(X, y)


def test_bad_input() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ChainruleError, match="TabM: members must be a whole number of at least 1, not 0"):
        cr.TabM(0)
    with pytest.raises(ChainruleError, match=r"dense layers and convolutions before the last; .* has none"):
        cr.Classifier(cr.Network(cr.Dense(3)), ensemble=cr.TabM()).fit(X, y)
    with pytest.raises(ChainruleError, match="has Shared layers of its own; with them, ensemble=4 is enough"):
        cr.Classifier(cr.Network(cr.Shared(cr.Dense(3)), cr.Dense(3)), ensemble=cr.BatchEnsemble()).fit(X, y)
