"""Regressors that predict distributions, in the targets' own unit; ensembles of members and of thinned networks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import chainrule
from chainrule import Classifier, Regressor
from chainrule.errors import ChainruleError
from chainrule.layers import BatchNorm, Dense, Dropout, Layer, MultiHeadAttention, Network, ReLU, Residual, Tanh
from chainrule.losses import (
    CrossEntropy,
    FixedStudentT,
    Gaussian,
    Laplace,
    Loss,
    MixtureDensity,
    NegativeBinomial,
    Ordinal,
    Poisson,
    Quantiles,
    SampleWeighted,
    SquaredError,
    StudentT,
)
from chainrule.optimizers import Adam
from chainrule.probability.distribution import Mixture, Normal

LIKELIHOODS: list[Loss] = [
    Gaussian(),
    Laplace(),
    StudentT(),
    FixedStudentT(5.0),
    MixtureDensity(2),
    Poisson(),
    NegativeBinomial(),
]


def rows(count: int = 200) -> tuple[Any, Any]:
    """Counts with a mean of some hundreds, so that units matter."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(count, 2))
    return X, generator.poisson(200 * np.exp(0.5 * X[:, 0]) * generator.gamma(10, 0.1, size=count)).astype(float)


@cache
def fitted(loss: Loss, **settings: Any) -> Regressor:
    X, y = rows()
    units = loss.units(1)
    network = Network(Dense(6), Tanh(), Dense(units))
    return Regressor(network, loss, Adam(0.01), epochs=10, random_state=0, validation_fraction=0.0, **settings).fit(
        X, y
    )


@pytest.mark.parametrize("loss", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("members", [None, 2])
def test_the_distribution_of_each_row(loss: Loss, members: int | None) -> None:
    X, y = rows()
    model = fitted(loss, ensemble=members)
    made = model.predict_distribution(X)
    assert made.shape == y.shape
    values, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(made.mean, values, rtol=1e-9)
    np.testing.assert_array_equal(made.std, std)
    low, high = model.predict_interval(X, 0.9)
    assert np.mean((low <= y) & (y <= high)) > 0.6 or isinstance(loss, Poisson)  # which knows no overdispersion
    np.testing.assert_array_equal(model.predict_quantiles(X, [0.05, 0.95]), np.stack([low, high], axis=1))
    assert model.sample(X, 3, random_state=1).shape == (3, len(y))
    np.testing.assert_allclose(model.predict_distribution(X[3:5]).mean, made.mean[3:5], rtol=1e-12)


@pytest.mark.parametrize("loss", LIKELIHOODS, ids=repr)
def test_the_density_is_that_of_the_loss_in_the_targets_own_unit(loss: Loss) -> None:
    """Minus the mean log-density is the loss, and the logarithm of the deviation by which targets were divided."""
    X, y = rows()
    model = fitted(loss)
    measured = Regressor(**model.get_params(deep=False) | {"optimizer": Adam(1e-9), "epochs": 1}).fit(X, y)
    found = -measured.predict_distribution(X).log_prob(y).mean()
    expected = measured.history_.last["loss"] + np.log(measured.target_.deviation[0])
    assert found == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_the_target_do_not_matter(factor: float) -> None:
    X, y = rows()
    model = fitted(Gaussian())
    other = Regressor(**model.get_params(deep=False)).fit(X, factor * y + 3)
    one, two = model.predict_distribution(X), other.predict_distribution(X)
    np.testing.assert_allclose(two.std, factor * one.std, rtol=1e-3)
    np.testing.assert_allclose(two.log_prob(factor * y + 3), one.log_prob(y) - np.log(factor), rtol=1e-3, atol=1e-3)


def test_several_targets() -> None:
    X, y = rows()
    both = np.stack([y, -3 * y], axis=1)
    for loss in (Gaussian(), MixtureDensity(2)):
        model = Regressor(Network(Dense(loss.units(2))), loss, epochs=2, ensemble=2, random_state=0).fit(X, both)
        made = model.predict_distribution(X)
        assert made.shape == (200, 2) and model.predict_quantiles(X, [0.1, 0.5, 0.9]).shape == (200, 2, 3)
        np.testing.assert_allclose(made.mean, model.predict(X), rtol=1e-9)
    counts = Regressor(Network(Dense(2)), Poisson(), epochs=2, random_state=0).fit(X, np.stack([y, 100 * y], axis=1))
    assert counts.specification_.loss.mean_counts == pytest.approx((y.mean(), 100 * y.mean()), rel=1e-3)
    assert counts.predict(X).mean(axis=0) == pytest.approx([y.mean(), 100 * y.mean()], rel=0.5)


def test_an_ensemble_is_the_mixture_of_its_members() -> None:
    X, y = rows()
    model = fitted(Gaussian(), ensemble=2)
    made = model.predict_distribution(X)
    assert isinstance(made, Mixture)
    one, two = (model.member(number).predict_distribution(X) for number in range(2))
    np.testing.assert_allclose(np.exp(made.log_prob(y)), (np.exp(one.log_prob(y)) + np.exp(two.log_prob(y))) / 2)
    np.testing.assert_allclose(made.epistemic_variance, (one.mean - two.mean) ** 2 / 4, rtol=1e-6)
    np.testing.assert_allclose(made.aleatoric_variance, (one.variance + two.variance) / 2)


def test_the_deviation_is_that_of_the_residuals() -> None:
    """Where the variance is one number for all rows, the likelihood is highest at the mean square of the residuals."""
    X, y = rows()
    # Only the mean sees x; the logarithm of the variance is a bias.
    layer = "axis h = 2, o = 1\nparameter w[i], β[h]\ndata x[b,i]\na[b,o,h] = sum[i](x[b,i]*w[i])*[h = 0] + β[h]"
    model = Regressor(layer, Gaussian(), Adam(0.03), epochs=300, batch_size=200, random_state=0).fit(X, y)
    made = model.predict_distribution(X)
    assert np.ptp(made.std) == 0
    assert made.std[0] == pytest.approx(np.sqrt(np.mean((y - made.mean) ** 2)), rel=1e-3)


def test_quantiles() -> None:
    X, _ = rows()
    for members in (None, 2):
        model = fitted(Quantiles((0.1, 0.5, 0.9)), ensemble=members)
        found = model.predict_quantiles(X, [0.1, 0.3, 0.5, 0.9])
        assert found.shape == (200, 4) and (np.diff(found, axis=1) > 0).all()
        np.testing.assert_allclose(found[:, 2], model.predict(X), rtol=1e-9)
        np.testing.assert_allclose(np.stack(model.predict_interval(X, 0.8), axis=1), found[:, [0, 3]], rtol=1e-12)
        with pytest.raises(ChainruleError, match=r"level 0\.9 ends at the quantiles 0\.05 and 0\.95, .* from 0\.1 to"):
            model.predict_interval(X, 0.9)
        with pytest.raises(ChainruleError, match="predicts quantiles and no density: ask for predict_quantiles"):
            model.predict_distribution(X)


def test_losses_without_a_distribution() -> None:
    model = fitted(SquaredError())
    for ask in (model.predict_distribution, model.predict_interval, lambda X: model.predict(X, return_std=True)):
        with pytest.raises(
            ChainruleError, match=r"SquaredError\(\) predicts a value and not how far from it .*Gaussian"
        ):
            ask(rows()[0])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda model, X: model.predict_quantiles(X, 0.5), r"levels are one or more numbers .*, not 0\.5"),
        (lambda model, X: model.predict_quantiles(X, []), r"levels are one or more numbers .*, not \[\]"),
        (lambda model, X: model.predict_quantiles(X, [0.5, 2]), "a level is a number between 0 and 1, .* not 2"),
        (lambda model, X: model.predict_interval(X, 95), "a level is a number between 0 and 1, .* not 95"),
        (lambda model, X: model.sample(X, 0), "sample: n must be a whole number of at least 1, not 0"),
    ],
)
def test_what_cannot_be_asked(ask: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        ask(fitted(Gaussian()), rows()[0])


def test_weighted_losses_have_the_distribution_of_the_loss_within() -> None:
    X, y = rows()
    weights = np.where(X[:, 0] > 0, 2.0, 1.0)
    model = Regressor(Network(Dense(1)), Poisson(), epochs=3, random_state=0).fit(X, y, weights)
    assert isinstance(model.specification_.loss, SampleWeighted)
    assert model.specification_.loss.loss.mean_counts == pytest.approx((np.average(y, weights=weights),), rel=1e-3)
    np.testing.assert_allclose(model.predict_distribution(X).mean, model.predict(X))


def test_a_mean_count_of_the_user_stays() -> None:
    X, y = rows()
    model = Regressor(Network(Dense(1)), Poisson(50.0), epochs=1, random_state=0).fit(X, y)
    assert model.specification_.loss == Poisson(50.0)


def test_large_counts_start_right() -> None:
    X, y = rows()
    for loss in (Poisson(), NegativeBinomial()):
        network = Network(Dense(6), Tanh(), Dense(loss.units(1)))
        model = Regressor(network, loss, Adam(0.01), epochs=15, random_state=0).fit(X, np.round(1000 * y))
        assert model.predict(X).mean() == pytest.approx(1000 * y.mean(), rel=0.1)


def test_saved_and_loaded(tmp_path: Path) -> None:
    X, _ = rows()
    for loss in (NegativeBinomial(), MixtureDensity(2)):
        model = fitted(loss, ensemble=2)
        again = chainrule.load(model.save(tmp_path / type(loss).__name__))
        np.testing.assert_array_equal(again.predict_distribution(X).std, model.predict_distribution(X).std)


# classes in order


def test_classes_in_order() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(300, 2))
    t = np.digitize(3 * X[:, 0] + stats.logistic.rvs(size=300, random_state=1), [-2, 0, 2])
    model = Classifier(Network(Dense(3)), Ordinal(), Adam(0.05), epochs=40, random_state=0).fit(X, t)
    found = model.predict_proba(X)
    assert found.shape == (300, 4) and found.sum(axis=1) == pytest.approx(1)
    assert np.abs(model.predict(X) - t).mean() < 0.6
    two = Classifier(Network(Dense(1)), Ordinal(), Adam(0.05), epochs=20, random_state=0).fit(X, t > 1)
    assert two.predict_proba(X).shape == (300, 2) and two.score(X, t > 1) > 0.8
    with pytest.raises(ChainruleError, match=r"ends in 4 values a row; Ordinal\(\) with 4 classes needs 3 values"):
        Classifier(Network(Dense(4)), Ordinal()).fit(X, t)


# dropout


def dropout_model(backend: str = "numpy", **settings: Any) -> Regressor:
    X, y = rows()
    network = Network(Dense(20), BatchNorm(), ReLU(), Dropout(0.2), Dense((1, 2)))
    model = Regressor(network, Gaussian(), Adam(0.01), epochs=5, random_state=0, backend=backend, **settings)
    return model.fit(X, y)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_thinned_networks_are_an_ensemble(backend: str) -> None:
    X, _ = rows()
    model = dropout_model(backend)
    several = model.dropout_ensemble(8)
    made = several.predict_distribution(X)
    assert isinstance(made, Mixture) and len(made.components) == 8
    assert all(isinstance(one, Normal) for one in made.components)
    np.testing.assert_allclose(several.predict(X), made.mean, rtol=1e-9)
    assert (made.epistemic_variance > 0).all()
    np.testing.assert_allclose(several.predict_distribution(X[7:9]).std, made.std[7:9], rtol=1e-9)


def test_a_thinned_network_leaves_out_the_same_units_for_every_row() -> None:
    model = dropout_model()
    step = model.dropout_ensemble(3).specification_.trained
    drawn = step.distribution_system.named("random")
    assert [tensor.axes for tensor in drawn] == [("e", "j")]
    assert {t.name for t in step.prediction_system.parameters} == {t.name for t in model.specification_.step.parameters}
    assert step.system == model.specification_.step.system


def test_many_thinned_networks_are_the_expected_one() -> None:
    """Behind the last dropout the output is linear, so the mean over masks is the network without dropout."""
    X, _ = rows()
    model = dropout_model()
    several = model.dropout_ensemble(2000)
    error = several.predict(X[:5]) - model.predict(X[:5])
    std = np.sqrt(several.predict_distribution(X[:5]).epistemic_variance / 2000)
    assert (np.abs(error) < 4.5 * std).all()


def test_thinned_networks_saved_and_trained_on(tmp_path: Path) -> None:
    X, y = rows()
    several = dropout_model().dropout_ensemble(4)
    again = chainrule.load(several.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(X), several.predict(X))
    before = several.predict(X)
    several.partial_fit(X, y)
    assert several.specification_.thinned == 4 and (several.predict(X) != before).any()


@pytest.mark.parametrize(
    "network",
    [
        Network(Residual(Dropout(0.5)), Dense(2)),
        Network("a[b,t,i] = x[b,i]*[t >= 0]\naxis t = 3", MultiHeadAttention(1, dropout=0.5), Dense(2)),
    ],
    ids=repr,
)
def test_dropout_anywhere_in_a_classifier(network: Layer) -> None:
    X, y = rows(60)
    model = Classifier(network, CrossEntropy(), epochs=2, random_state=0).fit(X, y > 200)
    several = model.dropout_ensemble(3)
    assert several.predict_proba(X).sum(axis=1) == pytest.approx(1)
    assert np.abs(several.predict_proba(X) - model.predict_proba(X)).max() > 1e-4


def test_what_cannot_be_thinned() -> None:
    with pytest.raises(ChainruleError, match=r"the network has no dropout, .* put Dropout\(0\.1\) into it"):
        fitted(Gaussian()).dropout_ensemble()
    with pytest.raises(ChainruleError, match=r"an ensemble already; .* member\(0\)\.dropout_ensemble"):
        fitted(Gaussian(), ensemble=2).dropout_ensemble()
    with pytest.raises(ChainruleError, match="networks is a whole number of at least 1, not 0"):
        dropout_model().dropout_ensemble(0)


# what is said


def test_the_derivation_says_what_is_assumed() -> None:
    for loss in (Gaussian(), SquaredError()):
        said = " ".join(fitted(loss).derivation().text().split())
        assert f"The targets are taken to follow {loss.assumption}. Up to constants, C then holds minus" in said
    assert "taken to follow" not in fitted(Quantiles((0.1, 0.5, 0.9))).derivation().text()


def test_a_walk_forms_the_distribution() -> None:
    X, _ = rows()
    model = fitted(Gaussian())
    walk = model.walk(X[:2])
    std = walk["prediction.σ"].value[:, 0] * model.target_.deviation[0]
    np.testing.assert_allclose(std, model.predict_distribution(X[:2]).std, rtol=1e-9)
    assert {quantity.phase for quantity in walk.quantities} == {"given", "forward", "prediction"}
