"""The spread of predicted distributions, corrected by rows that were held out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge, LinearRegression

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.probability.distribution import Mixture, Normal, Poisson
from chainrule.probability.held_out import hold_out
from chainrule.probability.spread import SpreadScaling, likeliest_spread, spread


def test_about_the_mean() -> None:
    """A mixture keeps its mean and its shape: every quantile lies the factor times as far from the mean."""
    means, deviations = np.array([[0.0, 2.0], [3.0, -1.0]]), np.array([[1.0, 0.5], [2.0, 4.0]])
    before = Mixture(tuple(map(Normal, means, deviations)), np.array([0.3, 0.7]))
    after = spread(before, 1.5)
    np.testing.assert_allclose(after.mean, before.mean)
    np.testing.assert_allclose(after.std, 1.5 * before.std)
    for level in (0.02, 0.5, 0.9):
        expected = before.mean + 1.5 * (before.quantile(level) - before.mean)
        np.testing.assert_allclose(after.quantile(level), expected, rtol=1e-7)
    y = np.array([1.0, 1.0])
    np.testing.assert_allclose(after.log_prob(y), before.log_prob(before.mean + (y - before.mean) / 1.5) - np.log(1.5))


def test_the_likeliest_of_normal_distributions() -> None:
    """Of normal distributions it is the root of the mean squared standard score, for each target by itself."""
    generator = np.random.default_rng(0)
    mean, deviation = generator.normal(size=(80, 2)), generator.uniform(0.5, 2, size=(80, 2))
    y = mean + deviation * generator.normal(size=(80, 2)) * [0.7, 3]
    expected = np.sqrt(np.mean(((y - mean) / deviation) ** 2, axis=0))
    np.testing.assert_allclose(likeliest_spread(Normal(mean, deviation), y), expected, rtol=1e-4)
    one = likeliest_spread(Normal(mean[:, 0], deviation[:, 0]), y[:, 0])
    assert one.shape == ()
    np.testing.assert_allclose(one, expected[0], rtol=1e-4)


def rows(count: int, seed: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(count, 3))
    return X, X @ [1.0, -2.0, 0.5] + generator.normal(size=count) * 3


def test_an_ensemble_that_is_too_sure(tmp_path: Path) -> None:
    X, y = rows(160, 0)
    network = cr.Network(cr.Dense(20), cr.ReLU(), cr.Dense((1, 2)))
    ensemble = cr.Regressor(network, cr.Gaussian(), epochs=200, batch_size=8, ensemble=2, validation_fraction=0)
    model = SpreadScaling(ensemble, calibration_fraction=0.6, random_state=0).fit(X, y)
    assert model.spread_ > 1
    new, truth = rows(500, 1)
    own, scaled = model.estimator_.predict_distribution(new), model.predict_distribution(new)
    assert scaled.log_prob(truth).mean() > own.log_prob(truth).mean()
    mean, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(mean, model.predict(new), rtol=1e-5)
    np.testing.assert_allclose(std, model.spread_ * own.std)
    low, high = model.predict_interval(new, 0.8)
    np.testing.assert_allclose(np.stack([low, high], axis=1), model.predict_quantiles(new, [0.1, 0.9]))
    assert model.sample(new, 3, random_state=0).shape == (3, 500)
    again = cr.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(new, return_std=True)[1], std)


def test_a_regressor_that_says_its_deviation() -> None:
    X, y = rows(200, 2)
    ridge = BayesianRidge().fit(X[:100], y[:100])
    model = SpreadScaling(ridge).calibrate(X[100:], y[100:])
    mean, std = ridge.predict(X[100:], return_std=True)
    expected = np.sqrt(np.mean(((y[100:] - mean) / std) ** 2))
    np.testing.assert_allclose(model.spread_, expected, rtol=1e-4)
    found = model.predict_distribution(X).log_prob(y)
    mean, std = ridge.predict(X, return_std=True)
    np.testing.assert_allclose(found, stats.norm(mean, std * model.spread_).logpdf(y))


def test_weights_go_into_training() -> None:
    X, y = rows(60, 4)
    weights = np.arange(60.0)
    kept, aside = hold_out(60, 0.2, None, 0)
    model = SpreadScaling(BayesianRidge(), random_state=0).fit(X, y, weights)
    ridge = BayesianRidge().fit(X[kept], y[kept], weights[kept])
    np.testing.assert_array_equal(model.predict(X), ridge.predict(X))
    np.testing.assert_array_equal(model.spread_, SpreadScaling(ridge).calibrate(X[aside], y[aside]).spread_)


def test_deviations_that_no_factor_mends() -> None:
    y = np.random.default_rng(0).normal(size=(50, 2))
    for small in (1e-6, 1e-300, 0.0):
        with pytest.raises(ChainruleError, match=r"too small to be scaled: .* more than 1000 times"):
            likeliest_spread(Normal(np.zeros(50), small), y[:, 0])
    with pytest.raises(ChainruleError, match="the deviations of target 2 are too small"):
        likeliest_spread(Normal(np.zeros((50, 2)), [1.0, 1e-6]), y)
    with pytest.warns(UserWarning, match=r"without an error, or nearly so: deviations are multiplied by 0\.001"):
        assert likeliest_spread(Normal(y[:, 0], 1.0), y[:, 0]) == pytest.approx(1e-3, rel=1e-3)


def test_what_cannot_be_scaled_is_not_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = rows(30, 3)
    for made in (RandomForestRegressor, cr.Regressor):
        monkeypatch.setattr(made, "fit", lambda *given, **named: pytest.fail("trained"))
    for inner, message in (
        (RandomForestRegressor(), "RandomForestRegressor has neither"),
        (cr.Regressor(), r"SquaredError\(\) predicts a value"),
        (cr.Regressor(loss=cr.SampleWeighted(cr.Quantiles())), "predicts quantiles and no density"),
        (cr.Regressor(loss=cr.Poisson()), r"Poisson\(.*\) predicts a distribution of counts, which have no other unit"),
    ):
        with pytest.raises(ChainruleError, match=message):
            SpreadScaling(inner).fit(X, y)


def test_bad_input() -> None:
    X, y = rows(30, 3)
    with pytest.raises(ChainruleError, match=r"predict_distribution, or with predict.*LinearRegression has neither"):
        SpreadScaling(LinearRegression()).fit(X, y)
    with pytest.raises(ChainruleError, match=r"SquaredError\(\) predicts a value"):
        SpreadScaling(cr.Regressor(epochs=1)).fit(X, y)
    with pytest.raises(ChainruleError, match="of counts, which have no other unit"):
        likeliest_spread(Poisson(np.ones(3)), np.ones(3))
    with pytest.raises(ChainruleError, match="SpreadScaling: estimator is a regressor such as"):
        SpreadScaling(None).fit(X, y)
    with pytest.raises(ChainruleError, match=r"GaussianProcessRegressor\.fit takes none"):
        SpreadScaling(GaussianProcessRegressor()).fit(X, y, np.ones(30))
    with pytest.raises(ChainruleError, match="calibration_fraction"):
        SpreadScaling(BayesianRidge(), calibration_fraction=2).fit(X, y)
