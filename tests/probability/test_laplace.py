"""Laplace approximations as estimators: exact where they can be, refused where they cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import multivariate_normal
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.estimators import defaults

STRUCTURES = ("last_layer", "diagonal", "kronecker", "full")


@pytest.fixture(scope="module")
def line() -> tuple[NDArray[Any], NDArray[Any], Any]:
    """Rows, targets and a linear network."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 3))
    y = X @ [1.0, 2.0, -1.0] + 0.3 * generator.standard_normal(60) + 5
    return X, y, cr.Regressor(cr.Network(cr.Dense(1)), epochs=1, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def moons() -> tuple[NDArray[Any], NDArray[Any], Any]:
    X, y = make_moons(120, noise=0.2, random_state=0)
    network = cr.Network(cr.Dense(8), cr.Tanh(), cr.Dense(2))
    model = cr.Classifier(network, cr.CrossEntropy(), epochs=30, random_state=0)
    return X, y, model.fit(X, y)


def features(model: Any, X: NDArray[Any]) -> NDArray[Any]:
    """What a linear network multiplies with its weights, and a 1 for its bias."""
    read = model.input_.encode(model._read_input(X, (), reset=False), np.float64)["x"]
    return np.hstack([read, np.ones((len(read), 1))])


@pytest.mark.parametrize("structure", ["full", "last_layer"])
def test_bayesian_linear_regression(line: Any, structure: str) -> None:
    X, y, model = line
    precision, noise = 0.7, 0.09
    F, target = features(model, X), model.target_
    z = (y - target.mean[0]) / target.deviation[0]
    covariance = np.linalg.inv(F.T @ F / noise + precision * np.eye(4))
    mean = covariance @ F.T @ z / noise
    model.parameters_ = {"dense1.W": mean[:3, None], "dense1.β": mean[3:]}

    frozen = FrozenEstimator(model)
    made = cr.LaplaceRegressor(frozen, structure, prior_precision=precision, noise_variance=noise).fit(X, y)
    np.testing.assert_allclose(made.posterior_.covariance(), covariance, rtol=1e-8)
    new = np.random.default_rng(1).standard_normal((5, 3))
    N = features(model, new)
    found, std = made.predict(new, return_std=True)
    np.testing.assert_allclose(found, N @ mean * target.deviation[0] + target.mean[0], rtol=1e-8)
    variance = np.einsum("bi,ij,bj->b", N, covariance, N) + noise
    np.testing.assert_allclose(std, np.sqrt(variance) * target.deviation[0], rtol=1e-8)
    # The probability of the targets, in their own unit, with the weights integrated out.
    exact = multivariate_normal(np.zeros(60), noise * np.eye(60) + F @ F.T / precision).logpdf(z)
    exact -= 60 * np.log(target.deviation[0])
    assert made.log_marginal_likelihood_ == pytest.approx(exact, rel=1e-8)


def test_prior_and_noise_of_the_greatest_marginal_likelihood(line: Any) -> None:
    X, y, model = line
    frozen = FrozenEstimator(model)
    best = cr.LaplaceRegressor(frozen, "full").fit(X, y)
    for factor in (0.8, 1.25):
        for given in (
            {"prior_precision": best.prior_precision_ * factor, "noise_variance": best.noise_variance_},
            {"prior_precision": best.prior_precision_, "noise_variance": best.noise_variance_ * factor},
        ):
            other = cr.LaplaceRegressor(frozen, "full", **given).fit(X, y)
            assert other.log_marginal_likelihood_ < best.log_marginal_likelihood_
    # The rest of the variance is explained, so the noise is near what was put in.
    assert np.sqrt(best.noise_variance_) * model.target_.deviation[0] == pytest.approx(0.3, rel=0.25)


def test_a_row_of_weight_two_is_the_row_twice(line: Any) -> None:
    X, y, model = line
    frozen = FrozenEstimator(model)
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    once = cr.LaplaceRegressor(frozen, "full").fit(X, y, weights)
    twice = cr.LaplaceRegressor(frozen, "full").fit(np.vstack([X, X[:20]]), np.hstack([y, y[:20]]))
    assert once.log_marginal_likelihood_ == pytest.approx(twice.log_marginal_likelihood_, rel=1e-9)
    np.testing.assert_allclose(once.posterior_.covariance(), twice.posterior_.covariance(), rtol=1e-6)


def test_a_network_that_gives_the_noise_itself() -> None:
    generator = np.random.default_rng(0)
    X = generator.uniform(-1, 1, (80, 1))
    y = 3 * X[:, 0] + generator.standard_normal(80) * np.exp(X[:, 0])
    network = cr.Network(cr.Dense(8), cr.Tanh(), cr.Dense((1, 2)))
    model = cr.Regressor(network, cr.Gaussian(), epochs=60, random_state=0).fit(X, y)
    made = cr.LaplaceRegressor(FrozenEstimator(model), "full").fit(X, y)
    far = np.array([[20.0]])
    near, away = (made.predict_distribution(x).variance - model.predict_distribution(x).variance for x in (X, far))
    assert (near > 0).all()
    assert away[0] > 2 * near.max()
    assert made.noise_variance_ is None
    with pytest.raises(ChainruleError, match="noise_variance is for SquaredError"):
        cr.LaplaceRegressor(FrozenEstimator(model), noise_variance=1.0).fit(X, y)


def test_several_targets(line: Any) -> None:
    X, y, _ = line
    both = np.stack([y, 10 * y], axis=1)
    model = cr.Regressor(cr.Network(cr.Dense(2)), epochs=1, random_state=0)
    made = cr.LaplaceRegressor(model).fit(X, both)
    mean, std = made.predict(X, return_std=True)
    assert mean.shape == std.shape == both.shape
    np.testing.assert_allclose(std[:, 1], 10 * std[:, 0], rtol=1e-6)
    low, high = made.predict_interval(X, 0.5)
    np.testing.assert_allclose((low + high) / 2, mean, rtol=1e-6)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_probabilities_are_those_of_samples(moons: Any, structure: str) -> None:
    X, y, model = moons
    made = cr.LaplaceClassifier(FrozenEstimator(model), structure).fit(X, y)
    far = np.array([[3.0, -8.0], [0.0, 0.5], [-9.0, 2.0]])
    probit = made.predict_proba(far)
    sampled = made.sample_proba(far, 4000, random_state=0)
    assert sampled.shape == (4000, 3, 2)
    np.testing.assert_allclose(sampled.sum(axis=2), 1, rtol=1e-9)
    np.testing.assert_allclose(probit, sampled.mean(axis=0), atol=0.03)
    assert (np.abs(probit - 0.5) < np.abs(model.predict_proba(far) - 0.5)).all()
    assert made.score(X, y) == pytest.approx(model.score(X, y), abs=0.02)


def test_one_output_for_two_classes(moons: Any) -> None:
    X, y, _ = moons
    network = cr.Network(cr.Dense(1))
    model = cr.Classifier(network, cr.BinaryCrossEntropy(), epochs=5, random_state=0).fit(X, y)
    made = cr.LaplaceClassifier(FrozenEstimator(model), "full", prior_precision=1.0).fit(X, y)
    F = features(model, X)
    weights = np.concatenate([model.parameters_["dense1.W"].ravel(), model.parameters_["dense1.β"]]).astype(float)
    p = expit(F @ weights)
    covariance = np.linalg.inv((F * (p * (1 - p))[:, None]).T @ F + np.eye(3))
    np.testing.assert_allclose(made.posterior_.covariance(), covariance, rtol=1e-6)
    variance = np.einsum("bi,ij,bj->b", F, covariance, F)
    np.testing.assert_allclose(
        made.predict_proba(X)[:, 1], expit(F @ weights / np.sqrt(1 + np.pi * variance / 8)), rtol=1e-6
    )


def test_one_output_for_each_of_three_classes() -> None:
    """They are normalised as the classifier's own are, which a posterior of nearly no width leaves as they were."""
    X, y = make_blobs(90, centers=3, random_state=0)
    network = cr.Classifier(cr.Network(cr.Dense(3)), cr.BinaryCrossEntropy(), epochs=5, random_state=0).fit(X, y)
    model = cr.LaplaceClassifier(FrozenEstimator(network), prior_precision=1e8).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), network.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_allclose(model.sample_proba(X, 2).sum(axis=2), 1)


def test_what_is_needed_is_said_and_refused(moons: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y, model = moons
    made = cr.LaplaceClassifier(FrozenEstimator(model), "full", verbose=True)
    needed = made.requirements(X, y)
    assert str(needed).startswith("full curvature of 42 parameters from 120 rows of 2 outputs: ")
    made.fit(X, y)
    assert capsys.readouterr().out == f"{needed}\n"
    with pytest.raises(ChainruleError) as error:
        wide = cr.Classifier(cr.Network(cr.Dense(300), cr.Tanh(), cr.Dense(2)), epochs=1).fit(X, y)
        cr.LaplaceClassifier(FrozenEstimator(wide), "full", memory_limit=4 * 10**7).fit(X, y)
    assert "1,502 parameters needs" in str(error.value)
    assert 'structure="kronecker" needs' in str(error.value)
    with pytest.raises(ChainruleError, match="no structure needs little enough"):
        cr.LaplaceClassifier(FrozenEstimator(wide), "diagonal", memory_limit=1000).fit(X, y)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_saved_and_loaded(moons: Any, structure: str, tmp_path: Path) -> None:
    X, y, model = moons
    made = cr.LaplaceClassifier(FrozenEstimator(model), structure).fit(X, y)
    made.save(tmp_path / "model")
    again = cr.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), made.predict_proba(X))
    assert again.summary() == made.summary()
    assert again.structure == structure


def test_bad_input(moons: Any, line: Any) -> None:
    X, y, model = moons
    with pytest.raises(ChainruleError, match="structure is one of last_layer, diagonal, kronecker, full, not 'block'"):
        cr.LaplaceClassifier(FrozenEstimator(model), "block").fit(X, y)
    with pytest.raises(ChainruleError, match="prior_precision must be a number above 0"):
        cr.LaplaceClassifier(FrozenEstimator(model), prior_precision=0.0).fit(X, y)
    with pytest.raises(ChainruleError, match="estimator is a Regressor of chainrule"):
        cr.LaplaceRegressor(FrozenEstimator(model)).fit(X, y)
    with pytest.raises(ChainruleError, match="for one network, and ensemble=2"):
        cr.LaplaceClassifier(cr.Classifier(ensemble=2)).fit(X, y)
    with pytest.raises(ChainruleError, match=r"AbsoluteError.* assumes another: use SquaredError"):
        cr.LaplaceRegressor(cr.Regressor(cr.Network(cr.Dense(1)), cr.AbsoluteError(), epochs=1)).fit(*line[:2])
    with pytest.raises(ChainruleError, match=r"MulticlassHinge.* is none: use CrossEntropy"):
        hinge = cr.Classifier(cr.Network(cr.Dense(2)), cr.MulticlassHinge(), epochs=1)
        cr.LaplaceClassifier(hinge).fit(X, y)
    with pytest.raises(ChainruleError, match="samples is a whole number"):
        cr.LaplaceClassifier(FrozenEstimator(model)).fit(X, y).sample_proba(X, 0)
    with pytest.raises(ChainruleError, match=r"write LaplaceClassifier\(FrozenEstimator\(model\)\)"):
        cr.LaplaceClassifier(cr.Classifier()).requirements(X, y)
    with pytest.raises(NotFittedError):
        cr.LaplaceClassifier(cr.Classifier()).predict(X)


@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks(
    [
        cr.LaplaceClassifier(cr.Classifier(epochs=15, backend="numpy", random_state=0)),
        cr.LaplaceRegressor(cr.Regressor(optimizer=cr.Adam(0.01), epochs=15, backend="numpy", random_state=0)),
    ]
)
def test_scikit_learn(estimator: Any, check: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "UNITS", 16)  # a small network, as there are some two hundred fits
    check(estimator)
