"""Ensembles from one run: snapshots, the mean of weights, and networks drawn from the distribution around it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.training.callbacks import Run
from chainrule.training.members import Ensemble
from chainrule.training.source import epoch_batches

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:96], Y[:96]
PLAIN = cr.Network(cr.Dense(5), cr.Tanh(), cr.Dense((1, 2)))
EPOCHS = 8
HELD = cr.Held(cr.CosineDecay(0.05), 0.5)
KINDS = [cr.Snapshots(2), cr.SWA(start=0.5), cr.SWAG(3, start=0.5)]


def fitted(ensemble: Ensemble | None, rate: Any = None, network: Any = PLAIN, **settings: Any) -> cr.Regressor:
    given: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 32, "random_state": 0, "backend": "numpy"}
    rate = cr.CosineDecay(0.05) if rate is None else rate
    return cr.Regressor(network, cr.Gaussian(), cr.Adam(rate), ensemble=ensemble, **given | settings).fit(X, Y)


def states_of(rate: Any, network: Any = PLAIN) -> list[dict[str, Any]]:
    """The parameters of a plain run after each epoch."""
    kept: list[dict[str, Any]] = []

    def keep(run: Run) -> None:
        kept.append({name: run.state[name].copy() for name in run.parameters})

    fitted(None, rate, network, callbacks=keep)
    return kept


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_estimator(kind: Ensemble, backend: str, tmp_path: Path) -> None:
    model = fitted(kind, backend=backend)
    assert model.score(X, Y) > 0.2
    mean, deviation = model.predict(X, return_std=True)
    assert np.isfinite(deviation).all()
    loaded = cr.load(model.save(tmp_path))
    assert loaded.ensemble == kind and np.array_equal(loaded.predict(X), mean)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), mean)
    assert np.array_equal(clone(model).fit(X, Y).predict(X), mean)
    members = model.specification_.members
    if members is None:
        with pytest.raises(ChainruleError, match="one network, no ensemble"):
            model.member(0)
    else:
        ones = [model.member(e).predict(X) for e in range(members)]
        np.testing.assert_allclose(mean, np.mean(ones, axis=0))
        assert not np.allclose(ones[0], ones[1], rtol=1e-3)
        assert model.predict_distribution(X).epistemic_variance.min() > 0
    assert ("networks" in model.summary()) == (members is not None)
    for each in (model, loaded):
        assert not np.array_equal(each.partial_fit(X, Y).predict(X), mean)


def test_snapshots_are_the_states_at_the_ends_of_cycles() -> None:
    model = fitted(cr.Snapshots(4))
    states = states_of(cr.CosineCycles(0.05, 4))
    for name, value in model.parameters_.items():
        assert np.array_equal(value, np.stack([states[epoch][name] for epoch in (1, 3, 5, 7)]))
    assert repr(model.specification_.optimizer) == "Adam(learning_rate=CosineCycles(rate=0.05, cycles=4))"


def test_epochs_of_snapshots() -> None:
    assert cr.Snapshots(4).epochs(None, 10) == 12 and cr.Snapshots(4).epochs(8, 10) == 8
    with pytest.raises(ChainruleError, match="epochs=10 cannot be divided into them; 8 or 12 can"):
        fitted(cr.Snapshots(4), epochs=10)
    with pytest.raises(ChainruleError, match=r"Snapshots\(\) has 5 cycles .* epochs=3 cannot .*; 5 can"):
        fitted(cr.Snapshots(), epochs=3)


def test_swa_is_the_mean_of_the_states() -> None:
    model = fitted(cr.SWA(start=0.5))
    states = states_of(HELD)[3:]  # the rate is held from the end of the fourth epoch of eight on
    for name, value in model.parameters_.items():
        np.testing.assert_allclose(value, np.mean([state[name] for state in states], axis=0), rtol=1e-5, atol=1e-7)
    rates = model.history_["learning_rate"]
    assert rates[2] > rates[3] > rates[4] and len(set(rates[4:])) == 1


def test_running_means_are_those_of_the_mean_weights() -> None:
    network = cr.Network(cr.Dense(5), cr.BatchNorm(), cr.ReLU(), cr.Dense((1, 2)))
    model = fitted(cr.SWA(start=0.5), network=network)
    rows = model.training_arrays(X, Y)["X"]
    z = rows @ model.parameters_["dense1.W"] + model.parameters_["dense1.β"]
    np.testing.assert_allclose(model.parameters_["batchnorm1.M"], z.mean(axis=0), atol=1e-5)
    assert not np.allclose(model.parameters_["batchnorm1.M"], states_of(HELD, network)[-1]["batchnorm1.M"], atol=1e-3)
    # Three minibatches of 32 rows in the order of the first epoch, and the mean of their unbiased variances.
    order = epoch_batches(len(X), 32, model.training_.seed, 0)[0]
    variances = np.mean([z[rows].var(axis=0, ddof=1) for rows in order], axis=0)
    np.testing.assert_allclose(model.parameters_["batchnorm1.V"], variances, rtol=1e-4)
    several = fitted(cr.SWAG(2, start=0.5), network=network)
    for e in range(2):
        z = several.member(e).walk(X)["dense1.z"].value
        np.testing.assert_allclose(several.parameters_["batchnorm1.M"][e], z.mean(axis=0), atol=1e-5)


def test_swag_has_the_mean_and_the_covariance_of_the_states() -> None:
    members, rank = 4000, 2
    network = cr.Network(cr.Dense(1), cr.Tanh(), cr.Dense((1, 2)))
    states = [
        np.concatenate([value.ravel() for value in state.values()]).astype(np.float64)
        for state in states_of(HELD, network)[3:]
    ]
    means = [np.mean(states[: n + 1], axis=0) for n in range(len(states))]
    deviations = np.stack([state - mean for state, mean in zip(states, means, strict=True)])[-rank:]
    covariance = (np.diag(np.var(states, axis=0)) + deviations.T @ deviations / (rank - 1)) / 2
    model = fitted(cr.SWAG(members, rank=rank, start=0.5), network=network)
    drawn = np.concatenate([value.reshape(members, -1) for value in model.parameters_.values()], axis=1)
    scale = np.sqrt(np.diag(covariance))
    assert (np.abs(drawn.mean(axis=0) - means[-1]) < 5 * scale / np.sqrt(members)).all()
    np.testing.assert_allclose(np.cov(drawn.T) / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=0.12)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_a_run_that_is_taken_up_again_keeps_the_same(kind: Ensemble, tmp_path: Path) -> None:
    whole = fitted(kind)
    path = tmp_path / "run.safetensors"

    def stop(run: Run) -> None:
        if run.epoch == 6:
            run.stop("enough for today")

    early = fitted(kind, callbacks=(cr.Checkpoint(path), stop))
    assert len(early.history_) == 6
    late = fitted(kind, callbacks=cr.Checkpoint(path))
    assert all(np.array_equal(late.parameters_[name], value) for name, value in whole.parameters_.items())


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (cr.Snapshots(2), cr.Snapshots(2), "after every 4 of 8 epochs; .* after every 2 of 4 epochs: give"),
        (cr.SWA(start=0.5), cr.SWA(start=0.5), "the mean of the weights from epoch 4 of 8 on; .* 2 of 4 on"),
        (cr.SWAG(3, rank=2, start=0.5), cr.SWAG(3, rank=2), "the distribution of the weights from epoch 4 of 8 on"),
        (cr.SWA(start=0.5), cr.SWA(), "from epoch 4 of 8 on; this one keeps .* from epoch 6 of 8 on"),
    ],
)
def test_a_run_of_other_epochs_is_not_taken_up(first: Ensemble, then: Ensemble, message: str, tmp_path: Path) -> None:
    checkpoint = cr.Checkpoint(tmp_path / "run.safetensors")

    def stop(run: Run) -> None:
        if run.epoch == 3:
            run.stop("enough for today")

    fitted(first, callbacks=(checkpoint, stop))
    epochs = EPOCHS // 2 if first == then else EPOCHS
    with pytest.raises(ChainruleError, match=message):
        fitted(then, epochs=epochs, callbacks=checkpoint)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_nothing_is_shared_in_one_run(kind: Ensemble, tmp_path: Path) -> None:
    shared = cr.Network(cr.Residual(cr.Shared(cr.Dense(10), cr.Tanh())), cr.Shared(cr.Dense((1, 2))))
    alone = cr.Network(cr.Residual(cr.Network(cr.Dense(10), cr.Tanh())), cr.Network(cr.Dense((1, 2))))
    model = fitted(kind, network=shared)
    predicted = model.predict(X)
    assert np.array_equal(predicted, fitted(kind, network=alone).predict(X))
    assert np.array_equal(cr.load(model.save(tmp_path)).predict(X), predicted)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_the_source_is_of_the_run(kind: Ensemble) -> None:
    title = fitted(kind).source().splitlines()[0]
    assert title.startswith(f'"""Trains the network of the run that {kind!r} is made from, Network(Dense(5), ')


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_a_run_that_ends_too_early_leaves_one_network(kind: Ensemble) -> None:
    model = fitted(kind, callbacks=lambda run: run.stop("at once"))
    assert model.specification_.members is None and np.isfinite(model.predict(X)).all()
    assert np.array_equal(model.parameters_["dense1.W"], model._state["dense1.W"])


def test_validation_rows_are_measured_and_choose_nothing() -> None:
    model = fitted(cr.Snapshots(2), validation_fraction=0.25)
    assert len(model.history_["validation_loss"]) == EPOCHS and model.best_epoch_ == EPOCHS


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ensemble": cr.SWA(), "epochs": 2}, r"SWA\(\) needs the weights of 2 epochs .* of epochs=2 .* those of 1"),
        ({"ensemble": cr.SWAG(), "epochs": 7}, r"SWAG\(\) needs the weights of 3 epochs .* have those of 2"),
        ({"ensemble": cr.SWA(), "early_stopping": True}, "which early_stopping=True would end"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        fitted(**settings)


def test_bad_arguments() -> None:
    with pytest.raises(ChainruleError, match="Snapshots: members must be a whole number of at least 1"):
        cr.Snapshots(0)
    with pytest.raises(ChainruleError, match="SWA: start must be a number at least 0 and below 1, not 1"):
        cr.SWA(start=1)
    with pytest.raises(ChainruleError, match="SWAG: rank must be a number at least 2, not 1"):
        cr.SWAG(rank=1)


def test_partial_fit_alone_trains_one_network() -> None:
    model = cr.Regressor(PLAIN, cr.Gaussian(), ensemble=cr.Snapshots(), backend="numpy", random_state=0)
    model.partial_fit(X, Y).partial_fit(X, Y)
    assert model.specification_.members is None and len(model.history_) == 2
