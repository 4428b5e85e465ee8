"""Distributions: one form for all, exact moments of mixtures, quantiles that invert the distribution function."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.probability.distribution import (
    Distribution,
    KnownQuantiles,
    Laplace,
    Mixture,
    NegativeBinomial,
    Normal,
    Poisson,
    StudentT,
    ends,
    equal_mixture,
    normal_mixture,
)

CENTRES, SCALES = np.array([-3.0, 0.5, 20.0]), np.array([0.1, 2.0, 30.0])


def several() -> dict[str, Distribution]:
    """One of each kind, at three places."""
    far = Normal(CENTRES + 5 * SCALES, SCALES / 3)
    return {
        "normal": Normal(CENTRES, SCALES),
        "laplace": Laplace(CENTRES, SCALES),
        "student": StudentT(CENTRES, SCALES, 4.5),
        "poisson": Poisson([0.3, 4.0, 2e4]),
        "negative binomial": NegativeBinomial([0.3, 4.0, 2e4], [2.0, 0.01, 0.3]),
        "mixture": Mixture((Normal(CENTRES, SCALES), far), [0.3, 0.7]),
        "mixture of counts": equal_mixture([Poisson([0.3, 4.0, 90.0]), NegativeBinomial([3.0, 4.0, 900.0], 0.5)]),
        "mixture of mixtures": equal_mixture([Mixture((far, Laplace(CENTRES, SCALES)), [0.5, 0.5]), far]),
    }


each = pytest.mark.parametrize("made", several().values(), ids=several().keys())


@each
def test_one_form(made: Distribution) -> None:
    assert made.shape == made.mean.shape == made.std.shape == made.quantile(0.3).shape == (3,)
    low, high = made.interval(0.8)
    np.testing.assert_array_equal([low, high], [made.quantile(0.1), made.quantile(0.9)])
    assert (low <= made.median).all() and (made.median <= high).all() and (low < high).any()
    assert made.log_prob(np.zeros((7, 3))).shape == made.cdf(np.zeros((7, 3))).shape == (7, 3)
    assert made.sample(2, 0).shape == (2, 3)


@each
@pytest.mark.parametrize("q", [1e-6, 0.05, 0.5, 0.75, 0.9999])
def test_quantiles_invert_the_distribution_function(made: Distribution, q: float) -> None:
    found = made.quantile(q)
    if made.discrete:
        assert (made.cdf(found) >= q).all() and (made.cdf(found - 1) < q).all()
    else:
        np.testing.assert_allclose(made.cdf(found), q, rtol=1e-9)


@each
def test_the_density_is_the_slope_of_the_distribution_function(made: Distribution) -> None:
    if made.discrete:
        y = np.floor(made.mean) + np.arange(4)[:, None]
        np.testing.assert_allclose(np.exp(made.log_prob(y)), made.cdf(y) - made.cdf(y - 1), atol=1e-10)
    else:
        y, step = made.quantile(0.7), 1e-5 * made.std
        np.testing.assert_allclose(
            np.exp(made.log_prob(y)), (made.cdf(y + step) - made.cdf(y - step)) / (2 * step), rtol=1e-6
        )


@each
def test_samples_are_of_the_distribution(made: Distribution) -> None:
    drawn = made.sample(4000, random_state=0)
    np.testing.assert_array_equal(drawn, made.sample(4000, random_state=0))
    assert np.abs((drawn.mean(axis=0) - made.mean) / (made.std / np.sqrt(4000))).max() < 4
    for q in (0.1, 0.5, 0.9):
        at = made.quantile(q)
        assert np.abs((drawn <= at).mean(axis=0) - made.cdf(at)).max() < 4 * np.sqrt(q * (1 - q) / 4000)


def test_moments_of_a_mixture_are_those_of_its_density() -> None:
    made = several()["mixture of mixtures"]
    one = equal_mixture([Mixture((Normal(1.0, 0.5), Laplace(-1.0, 2.0)), [0.2, 0.8]), Normal(4.0, 1.0)])
    y = np.linspace(-60, 60, 240_001)
    moments = [np.trapezoid(y**p * np.exp(one.log_prob(y)), y) for p in range(3)]
    assert moments == pytest.approx([1, float(one.mean), float(one.variance + one.mean**2)], rel=1e-6)
    assert isinstance(made, Mixture)
    np.testing.assert_allclose(made.variance, made.aleatoric_variance + made.epistemic_variance)


def test_members_that_agree_have_no_epistemic_variance() -> None:
    made = equal_mixture([Normal(CENTRES, SCALES)] * 3)
    np.testing.assert_allclose(made.epistemic_variance, 0, atol=1e-20)
    np.testing.assert_allclose(made.std, SCALES)
    np.testing.assert_allclose(made.quantile(0.2), stats.norm.ppf(0.2, CENTRES, SCALES), rtol=1e-9)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("made", [Normal, Laplace])
def test_quantiles_where_components_are_equal(made: Any, members: int) -> None:
    """Rounding puts both ends of the bracket on one side of the quantile."""
    one = made(np.random.default_rng(0).normal(size=2000), 1.0)
    for q in (0.05, 0.1, 0.5, 0.9, 1 - 1e-12):
        np.testing.assert_allclose(equal_mixture([one] * members).quantile(q), one.quantile(q), rtol=1e-12, atol=1e-14)


def test_quantiles_where_some_components_are_equal() -> None:
    one, other = Normal(np.zeros(2), 1.0), Normal(np.array([0.0, 5.0]), 1.0)
    found = equal_mixture([one, other]).quantile(0.5)
    np.testing.assert_allclose(found, [0, 2.5], atol=1e-12)


@pytest.mark.parametrize(
    ("network", "loss", "ensemble"),
    [(cr.Dense((1, 1, 3)), cr.MixtureDensity(1), None), (cr.Dense((1, 2)), cr.Gaussian(), 1)],
    ids=["a mixture of one", "an ensemble of one"],
)
def test_a_regressor_whose_mixture_has_one_component(network: Any, loss: Any, ensemble: int | None) -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    model = cr.Regressor(cr.Network(network), loss, epochs=1, ensemble=ensemble, random_state=0).fit(X, X[:, 0])
    found = model.predict_quantiles(X, [0.05, 0.5, 0.9])
    assert np.isfinite(found).all() and (np.diff(found, axis=1) > 0).all()


@each
def test_some_of_the_places(made: Distribution) -> None:
    some = made.take(np.array([2, 0]))
    np.testing.assert_array_equal(some.mean, made.mean[[2, 0]])
    np.testing.assert_allclose(some.quantile(0.3), made.quantile(0.3)[[2, 0]], rtol=1e-12)


@each
def test_values_stand_at_the_places(made: Distribution) -> None:
    for of in (made.cdf, made.log_prob):
        np.testing.assert_array_equal(of(3.0), of(np.full(3, 3.0)))
        for shape in ((3, 1), (4,), (1,), (3, 2)):
            with pytest.raises(ChainruleError, match=re.escape(f"y has shape {shape} and the distributions (3,)")):
                of(np.zeros(shape))


@each
def test_the_unit_is_changed_exactly(made: Distribution) -> None:
    if made.discrete:
        with pytest.raises(ChainruleError, match="is of counts, which have no other unit"):
            made.affine(np.array(2.0), np.array(0.0))
        return
    other = made.affine(np.array(1000.0), np.array(-7.0))
    np.testing.assert_allclose(other.mean, made.mean * 1000 - 7, rtol=1e-12)
    np.testing.assert_allclose(other.std, made.std * 1000, rtol=1e-12)
    y = made.mean + made.std
    np.testing.assert_allclose(other.log_prob(y * 1000 - 7), made.log_prob(y) - np.log(1000), rtol=1e-9)


def test_weights_may_differ_from_place_to_place() -> None:
    made = normal_mixture(np.array([[1.0, 0.0], [0.25, 0.75]]), np.array([[0.0, 9], [0, 4]]), np.ones((2, 2)))
    np.testing.assert_allclose(made.mean, [0, 3])
    np.testing.assert_allclose(made.quantile(0.5)[0], 0, atol=1e-9)
    assert made.sample(500, 1)[:, 0].max() < 6


def test_known_quantiles() -> None:
    known = KnownQuantiles((0.1, 0.5, 0.9), np.array([[0.0, 1, 5]])).affine(np.array(10.0), np.array(1.0))
    assert known.quantile(0.7) == pytest.approx(31)
    assert np.array(known.interval(0.8)).ravel() == pytest.approx([1, 51])
    with pytest.raises(ChainruleError, match=r"level 0.95 lies beyond the quantiles that were learnt, 0.1 to 0.9"):
        known.quantile(0.95)
    with pytest.raises(ChainruleError, match=r"level 0.9 ends at the quantiles 0.05 and 0.95, .* go from 0.1 to 0.9"):
        known.interval(0.9)


def test_the_ends_of_narrow_and_of_wide_intervals() -> None:
    """As they are written; the widest that a number can name has finite ends."""
    assert ends(0.9) == ends(np.float32(0.9)) == (0.05, 0.95)
    for level in (1e-300, 1 - 1e-12, float(np.nextafter(1, 0))):
        low, high = Normal(0.0, 1.0).interval(level)
        assert np.isfinite([low, high]).all() and low <= high
    assert Normal(0.0, 1.0).interval(1 - 1e-12)[0] == pytest.approx(stats.norm.ppf(5e-13))


@pytest.mark.parametrize("dispersion", [0, 1e-300, 1e-17, 1e-15, 1e-12])
def test_counts_without_dispersion_are_those_of_poisson(dispersion: float) -> None:
    rate = np.array([1e-3, 1.5, 40.0, 1e6])
    found, expected = NegativeBinomial(rate, dispersion), Poisson(rate)
    y = np.array([0.0, 3.0, 31.0, 1e6 + 1500])
    for at in (y, np.zeros(4)):
        np.testing.assert_allclose(found.log_prob(at), expected.log_prob(at), rtol=1e-5, atol=3e-5)
        np.testing.assert_allclose(found.cdf(at), expected.cdf(at), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.mean, rate, rtol=1e-7)
    np.testing.assert_allclose(found.variance, rate, rtol=2e-6)
    np.testing.assert_allclose(found.quantile(0.3), expected.quantile(0.3), atol=1)
    assert np.abs(found.sample(500, 0).mean(axis=0) - rate).max() < 4 * np.sqrt(1e6 / 500)


def test_no_counts_at_all() -> None:
    none = NegativeBinomial(0.0, [0.0, 0.5])
    np.testing.assert_allclose(none.log_prob(0), 0, atol=1e-12)
    np.testing.assert_allclose(none.mean, 0, atol=1e-12)


@pytest.mark.parametrize("level", [0, 1, -0.1, 90, True, "0.9", None])
def test_levels_are_between_0_and_1(level: Any) -> None:
    for made in (Normal(0.0, 1.0), equal_mixture([Normal(0.0, 1.0)]), KnownQuantiles((0.1, 0.9), np.zeros((1, 2)))):
        with pytest.raises(ChainruleError, match=r"a level is a number between 0 and 1, such as 0\.9, not"):
            made.interval(level)
        with pytest.raises(ChainruleError, match="a level is a number between 0 and 1"):
            made.quantile(level)


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [1.5, -0.5]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ChainruleError, match="a weight of at least 0 for each component, with the sum 1"):
        Mixture((Normal(0.0, 1.0), Normal(1.0, 1.0)), np.array(weights))


def test_components_of_other_shapes() -> None:
    with pytest.raises(ChainruleError, match="all of one shape"):
        equal_mixture([Normal(0.0, 1.0), Normal([1.0, 2.0], 1.0)])
