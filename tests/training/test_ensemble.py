"""Ensembles: each member is the network alone, what is predicted is the mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.training.callbacks import Run
from chainrule.training.ensemble import Shuffled, ensemble, first_states, member_of
from chainrule.training.loop import Trainer, first_state, train, train_to_end
from chainrule.training.source import InMemory
from chainrule.training.step import assemble

MEMBERS = 3


def test_a_member_is_the_network_whose_seed_is_the_next() -> None:
    X, y = load_iris(return_X_y=True)
    data = {"X": X.astype(np.float32), "T": y}
    network = cr.Network(cr.Dense(6), cr.Tanh(), cr.Dense(3))
    step = assemble(network, cr.CrossEntropy(), cr.Adam(0.01), {"i": 4}, regularizers=(cr.L2(0.01),))
    many = ensemble(step, MEMBERS)
    rates = np.full(4 * 10, 0.01)
    run = Run(first_states(step, many, MEMBERS, 7), many.learnt, 4, 10, 7)
    train_to_end(Trainer(many, Shuffled(InMemory(data), MEMBERS), run, batch_size=16, rates=rates))
    losses = []
    for member in range(MEMBERS):
        alone = Run(first_state(step, 7 + member), step.learnt, 4, 10, 7 + member)
        train(step, data, alone, batch_size=16, rates=rates)
        assert all(np.array_equal(value, run.state[name][member]) for name, value in alone.state.items())
        losses.append(alone.history["loss"])
    np.testing.assert_allclose(run.history["loss"], np.mean(losses, axis=0), rtol=1e-6)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_classifier(backend: str, tmp_path) -> None:
    X, y = load_iris(return_X_y=True)
    X, y = X[:, :3], np.array(["setosa", "versicolor", "virginica"])[y]
    network = cr.Network(cr.Dense(8), cr.ReLU(), cr.Dropout(0.1), cr.Dense(3))
    model = cr.Classifier(
        network,
        optimizer=cr.Adam(0.03),
        epochs=20,
        ensemble=MEMBERS,
        validation_fraction=0.2,
        random_state=0,
        backend=backend,
    ).fit(X, y)
    assert model.parameters_["dense1.W"].shape == (MEMBERS, 3, 8)
    members = [model.member(k) for k in range(MEMBERS)]
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities, np.mean([one.predict_proba(X) for one in members], axis=0), atol=1e-12)
    assert not np.allclose(members[0].predict_proba(X), members[1].predict_proba(X), atol=1e-3)
    assert model.score(X, y) > 0.8 and "validation_loss" in model.history_
    assert "3 networks" in model.summary()
    loaded = cr.load(model.save(tmp_path))
    assert np.array_equal(loaded.predict_proba(X), probabilities)
    assert np.array_equal(loaded.member(1).predict_proba(X), members[1].predict_proba(X))
    again = clone(model).fit(X, y)
    assert all(np.array_equal(again.parameters_[name], value) for name, value in model.parameters_.items())
    model.partial_fit(X, y)
    assert not np.array_equal(model.predict_proba(X), probabilities)


def test_what_is_looked_into_is_the_first_member() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = cr.Regressor(cr.Network(cr.Dense(4), cr.Tanh(), cr.Dense(1)), epochs=3, ensemble=2, random_state=0)
    model.fit(X, y)
    first = model.member(0).walk(X[:2], y[:2])
    walk = model.walk(X[:2], y[:2])
    assert all(np.array_equal(walk.values[name], value) for name, value in first.values.items())
    assert max(check.error for check in model.check_gradients(X, y)) < 1e-6
    assert "dense1.W" in model.source() and model.derivation().text() == model.member(1).derivation().text()
    np.testing.assert_allclose(model.predict(X), (model.member(0).predict(X) + model.member(1).predict(X)) / 2)


def test_the_source_is_of_one_network(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    network = cr.Network(cr.Dense(4), cr.Tanh(), cr.Dense(1))
    model = cr.Regressor(network, optimizer=cr.Adam(0.02), epochs=2, ensemble=2, random_state=0).fit(X, y)
    assert model.source().startswith('"""Trains the first of 2 networks, Network(Dense(4), ')
    np.savez(tmp_path / "data.npz", **model.training_arrays(X, y))
    for number in range(2):
        member = model.member(number)
        assert member.source().startswith('"""Trains Network(Dense(4), ')
        (tmp_path / "training.py").write_text(member.source(), encoding="utf-8")
        command = [sys.executable, "-I", "training.py", "data.npz", "parameters.npz"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        learnt = np.load(tmp_path / "parameters.npz")
        for name, value in member.parameters_.items():
            np.testing.assert_allclose(learnt[name], value, rtol=1e-4, atol=1e-5)


def test_threads_are_those_of_the_members() -> None:
    X, y = load_iris(return_X_y=True)
    said = []
    for jobs in (1, 2, 4):
        model = cr.Classifier(cr.Network(cr.Dense(3)), epochs=1, ensemble=3, n_jobs=jobs, backend="native").fit(X, y)
        said.append(model.training_.computed_by.split(", ")[1])
    assert said == ["1 thread", "2 threads", "3 threads"]


def test_rows_of_different_length_are_seen_in_one_order() -> None:
    generator = np.random.default_rng(0)
    rows = [generator.normal(size=(int(n), 2)) + k % 2 for k, n in enumerate(generator.integers(3, 9, 40))]
    y = np.arange(40) % 2
    network = cr.Network(cr.GRU(4), cr.Dense(2))
    model = cr.Classifier(network, optimizer=cr.Adam(0.03), epochs=15, batch_size=8, ensemble=2, random_state=0)
    model.fit(rows, y)
    assert model.score(rows, y) > 0.7


def test_bad_input() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ChainruleError, match="ensemble is a whole number of at least 1, not 2\\.5"):
        cr.Classifier(ensemble=2.5).fit(X, y)
    model = cr.Classifier(epochs=1).fit(X, y)
    with pytest.raises(ChainruleError, match="one network, no ensemble"):
        model.member(0)
    with pytest.raises(ChainruleError, match="no member 2; the ensemble has 0 to 1"):
        cr.Classifier(epochs=1, ensemble=2).fit(X, y).member(2)


def test_member_of() -> None:
    found = member_of({"W": np.arange(6).reshape(3, 2), "V": np.arange(2)}, 1, {"W"})
    assert np.array_equal(found["W"], [2, 3]) and np.array_equal(found["V"], [0, 1])
