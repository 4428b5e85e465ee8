"""Scores against their definitions, scikit-learn's own, and numerical integration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from chainrule.errors import ChainruleError
from chainrule.probability import intervals, reliability, scores, uncertainty
from chainrule.probability.conformal import ConformalClassifier
from chainrule.probability.distribution import (
    Laplace,
    Mixture,
    NegativeBinomial,
    Normal,
    Poisson,
    StudentT,
    equal_mixture,
)
from chainrule.probability.evaluation import evaluate_classes, evaluate_values
from chainrule.probability.score import mean_score, resampled, share_score

GENERATOR = np.random.default_rng(0)
POINTS = np.array([-3.0, 0.0, 1.0, 2.5])


class Given:
    """A distribution of scipy for every row."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def log_prob(self, y: Any) -> Any:
        return self.of.logpdf(y)

    def cdf(self, y: Any) -> Any:
        return self.of.cdf(y)


def integrated(of: Any, y: float) -> float:
    """∫ (F(x) − [x ≥ y])² dx."""
    below = integrate.quad(lambda x: of.cdf(x) ** 2, -np.inf, y)[0]
    return below + integrate.quad(lambda x: of.sf(x) ** 2, y, np.inf)[0]


def probabilities(rows: int, classes: int) -> tuple[Any, Any]:
    return GENERATOR.integers(classes, size=rows), GENERATOR.dirichlet(np.ones(classes), size=rows)


@pytest.mark.parametrize("classes", [2, 4])
def test_contributions_of_rows_have_the_means_that_scikit_learn_has(classes: int) -> None:
    t, p = probabilities(50, classes)
    assert scores.log_scores(t, p).mean() == pytest.approx(log_loss(t, p, labels=range(classes)))
    one = p[:, 1] if classes == 2 else p
    assert scores.brier_scores(t, p).mean() == pytest.approx(brier_score_loss(t, one, labels=range(classes)))


def test_a_class_of_probability_zero_costs_much_and_not_everything() -> None:
    sure = np.array([[1.0, 0.0]])
    assert scores.log_scores(np.array([1]), sure).mean() == pytest.approx(log_loss([1], sure, labels=[0, 1]))


def test_crps_of_normal_distributions() -> None:
    expected = [integrated(stats.norm(1, 2), y) for y in POINTS]
    np.testing.assert_allclose(scores.crps_of_normal(POINTS, np.ones(4), np.full(4, 2.0)), expected, rtol=1e-8)


def test_crps_of_mixtures_of_normal_distributions() -> None:
    weights, means, deviations = np.array([0.2, 0.5, 0.3]), np.array([-1.0, 0.5, 4.0]), np.array([0.3, 1.0, 2.0])

    class Mixed:
        def cdf(self, x: float) -> Any:
            return weights @ stats.norm.cdf(x, means, deviations)

        def sf(self, x: float) -> Any:
            return weights @ stats.norm.sf(x, means, deviations)

    columns = [np.repeat(values[:, None], 4, axis=1) for values in (means, deviations)]
    found = scores.crps_of_normal_mixture(POINTS, weights, *columns)
    np.testing.assert_allclose(found, [integrated(Mixed(), y) for y in POINTS], rtol=1e-6)
    by_row = scores.crps_of_normal_mixture(POINTS, np.repeat(weights[:, None], 4, axis=1), *columns)
    np.testing.assert_allclose(by_row, found, rtol=1e-12)


def everywhere(made: Any, *parameters: float) -> Any:
    """A distribution at as many places as there are points."""
    return made(*(np.full(len(POINTS), value) for value in parameters))


@pytest.mark.parametrize(
    ("made", "of"),
    [
        (everywhere(Normal, 1, 2), stats.norm(1, 2)),
        (everywhere(Laplace, 1, 2), stats.laplace(1, 2)),
        (everywhere(StudentT, 1, 2, 2), stats.t(2, 1, 2)),
        (everywhere(StudentT, 1, 2, 6.5), stats.t(6.5, 1, 2)),
    ],
    ids=["normal", "laplace", "student 2", "student 6.5"],
)
def test_crps_of_an_integral_is_as_exact_as_it_says(made: Any, of: Any) -> None:
    for points in (POINTS, 1 + 2 * np.array([-10, -6, 6, 10])):
        found = scores.crps_of_integral(points, equal_mixture([made]))
        np.testing.assert_allclose(found, [integrated(of, y) for y in points], rtol=0, atol=2e-4)


@pytest.mark.parametrize("members", [3, 8])
def test_crps_of_mixtures_of_any_kind_by_brute_force(members: int) -> None:
    generator = np.random.default_rng(members)
    parts = [
        StudentT(generator.normal(0, 3, 4), generator.uniform(0.1, 2, 4), generator.uniform(2.5, 9, 4))
        for _ in range(members)
    ]
    mixed = equal_mixture(parts)
    x = 4000 * np.linspace(-1, 1, 60_001)[:, None] ** 3 + POINTS  # close together around y, where F − [x ≥ y] jumps
    beyond = mixed.cdf(x) - (x >= POINTS)
    np.testing.assert_allclose(scores.crps(POINTS, mixed), np.trapezoid(beyond**2, x, axis=0), rtol=2e-4)
    # A mixture of mixtures is one; several targets a row are places like others.
    nested = Mixture((equal_mixture(parts[:2]), equal_mixture(parts[2:])), np.array([2, members - 2]) / members)
    np.testing.assert_allclose(scores.crps(POINTS, nested), scores.crps(POINTS, mixed), rtol=1e-9)
    square = equal_mixture([StudentT(*(np.reshape(v, (2, 2)) for v in vars(one).values())) for one in parts])
    np.testing.assert_array_equal(scores.crps(POINTS.reshape(2, 2), square).ravel(), scores.crps(POINTS, mixed))


def test_crps_of_a_column() -> None:
    with pytest.raises(ChainruleError, match=r"y has shape \(4, 1\) and the distributions \(4,\)"):
        scores.crps(POINTS[:, None], everywhere(Normal, 1, 2))


def summed(of: Any, y: float) -> float:
    """Σ_k (F(k) − [k ≥ y])²."""
    k = np.arange(max(of.ppf(1 - 1e-14), y) + 1)
    return float(((of.cdf(k) - (k >= y)) ** 2).sum())


def test_crps_of_counts_is_their_sum() -> None:
    y, rates = np.array([0.0, 3, 40, 2000]), np.array([2.0, 2, 0.01, 900])
    found = scores.crps(y, Poisson(rates))
    assert found[0] == pytest.approx(1.22849447855, abs=1e-10)
    np.testing.assert_allclose(found, [summed(stats.poisson(r), v) for r, v in zip(rates, y, strict=True)], rtol=1e-9)
    one, other = stats.poisson(2), stats.nbinom(2, 1 / (1 + 9 * 0.5))
    both = equal_mixture([Poisson(np.full(4, 2.0)), NegativeBinomial(np.full(4, 9.0), 0.5)])
    k = np.arange(3000)
    function = (one.cdf(k) + other.cdf(k)) / 2
    np.testing.assert_allclose(scores.crps(y, both), [((function - (k >= v)) ** 2).sum() for v in y], rtol=1e-9)


@pytest.mark.parametrize(("rate", "dispersion"), [(60.0, 0.4), (3000.0, 0.01), (3000.0, 2.0)])
def test_crps_of_many_counts_is_as_exact_as_it_says(rate: float, dispersion: float) -> None:
    made = NegativeBinomial(np.full(4, rate), dispersion)
    y = np.floor(rate + made.std * [-0.5, 0, 2, 6])
    of = stats.nbinom(1 / dispersion, 1 / (1 + rate * dispersion))
    np.testing.assert_allclose(scores.crps(y, made), [summed(of, v) for v in y], rtol=0, atol=2e-4 * float(made.std[0]))


def test_crps_of_samples_has_no_bias() -> None:
    samples = GENERATOR.normal(size=(3, 40_000))
    found = scores.crps_of_samples(np.full(40_000, 0.7), samples)
    assert found.mean() == pytest.approx(integrated(stats.norm(), 0.7), abs=5 * found.std() / 200)
    pairs = np.abs(samples[:, None, 0] - samples[None, :, 0]).sum() / (3 * 2)
    assert found[0] == pytest.approx(np.abs(samples[:, 0] - 0.7).mean() - pairs / 2)
    with pytest.raises(ChainruleError, match="at least two"):
        scores.crps_of_samples(np.zeros(4), samples[:1, :4])


def test_negative_log_likelihood_and_transform_ask_the_distribution() -> None:
    of = stats.norm(1, 2)
    np.testing.assert_allclose(scores.negative_log_likelihood(POINTS, Given(of)), -of.logpdf(POINTS))
    np.testing.assert_allclose(intervals.probability_integral_transform(POINTS, Given(of)), of.cdf(POINTS))


def test_transform_of_counts_is_uniform() -> None:
    of = stats.poisson(2.5)
    counts = of.rvs(4000, random_state=1)
    found = intervals.randomized_probability_integral_transform(counts, Given(of))
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert stats.kstest(intervals.probability_integral_transform(counts, Given(of)), "uniform").pvalue < 1e-6


def test_reliability_is_the_curve_of_scikit_learn() -> None:
    t, p = probabilities(400, 2)
    right, confidence = p.argmax(axis=1) == t, p.max(axis=1)
    found = reliability.reliability(confidence, right, 10)
    share, mean = calibration_curve(right, confidence, n_bins=10)
    present = found.counts > 0
    np.testing.assert_allclose(found.accuracy[present], share)
    np.testing.assert_allclose(found.confidence[present], mean)


def test_calibration_error_of_two_classes_by_class() -> None:
    t = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.3, 0.7]])
    # class 0: |2/3 − 0.9|·3/4 + |0 − 0.3|/4; class 1 the same
    assert reliability.classwise_calibration_error(t, p) == pytest.approx(0.175 + 0.075)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_band_of_the_calibration_error_holds_the_true_one(shift: float) -> None:
    """Two classes, of which the first is predicted with 50 to 100 % and is there less often by ``shift``."""
    generator, held = np.random.default_rng(3), 0
    for draw in range(8):
        confidence = generator.uniform(0.55, 0.95, 300)
        t = (generator.random(300) > confidence - shift).astype(int)
        found = reliability.calibration_error(t, np.stack([confidence, 1 - confidence], axis=1), bins=8, seed=draw)
        held += found.low <= shift <= found.high
    assert held >= 6  # 6 or more with 99.4 %


def test_band_is_the_same_for_the_same_seed() -> None:
    t, p = probabilities(100, 3)
    assert reliability.calibration_error(t, p, seed=4) == reliability.calibration_error(t, p, seed=4)


def test_coverage_with_its_binomial_interval_by_group() -> None:
    covered = intervals.inside(np.array([1.0, 2, 3, 9]), np.zeros(4), np.array([1.0, 5, 5, 5]))
    assert covered.tolist() == [True, True, True, False]
    exact = stats.binomtest(3, 4).proportion_ci(0.95, method="exact")
    found = intervals.coverage(covered)
    assert (found.value, found.low, found.high) == (0.75, exact.low, exact.high)
    by_group = intervals.coverage_by_group(covered, ["a", "b", "a", "b"])
    assert {group: score.value for group, score in by_group.items()} == {"a": 1.0, "b": 0.5}


def test_sets_and_sizes() -> None:
    sets = np.array([[True, False, True], [False, True, False]])
    assert intervals.in_set(np.array([2, 0]), sets).tolist() == [True, False]
    assert intervals.mean_set_size(sets) == 1.5
    assert intervals.sharpness(np.array([0.0, 1.0]), np.array([1.0, 4.0])) == 2.0


def test_risk_and_coverage() -> None:
    found = uncertainty.risk_coverage(np.array([0.3, 0.1, 0.2, 0.4]), np.array([1, 0, 0, 1]))
    np.testing.assert_allclose(found.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.risk, [0, 0, 1 / 3, 0.5])
    assert found.area == pytest.approx((1 / 3 + 0.5) / 4)


def test_risk_does_not_depend_on_the_order_of_equals() -> None:
    one = uncertainty.risk_coverage(np.zeros(4), np.array([1, 1, 0, 0]))
    np.testing.assert_allclose(one.risk, 0.5)


def test_foreign_rows_are_told_by_their_uncertainty() -> None:
    assert uncertainty.out_of_distribution_auroc(np.array([0.1, 0.2]), np.array([0.3, 0.4])) == 1
    assert uncertainty.out_of_distribution_auroc(np.array([0.1, 0.3]), np.array([0.1, 0.3])) == 0.5


def test_members_that_agree_are_uncertain_of_the_row_and_those_that_differ_of_the_model() -> None:
    agree = uncertainty.class_uncertainty(np.full((4, 1, 2), 0.5))
    differ = uncertainty.class_uncertainty(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    assert (agree.aleatoric[0], agree.epistemic[0]) == pytest.approx((np.log(2), 0))
    assert (differ.aleatoric[0], differ.epistemic[0]) == pytest.approx((0, np.log(2)))


def test_law_of_total_variance() -> None:
    means, variances = GENERATOR.normal(size=(5, 3)), GENERATOR.gamma(2, size=(5, 3))
    found = uncertainty.value_uncertainty(means, variances)
    drawn = np.concatenate(
        [GENERATOR.normal(m, np.sqrt(v), (200_000, 3)) for m, v in zip(means, variances, strict=True)]
    )
    np.testing.assert_allclose(found.total, drawn.var(axis=0), rtol=0.01)
    np.testing.assert_allclose(found.epistemic, means.var(axis=0))


def test_intervals_of_means_and_shares() -> None:
    rows = GENERATOR.normal(3, 1, 400)
    found = mean_score("NLL", rows)
    half = 1.96 * rows.std() / 20
    assert (found.low, found.high) == pytest.approx((rows.mean() - half, rows.mean() + half), abs=0.02)
    assert share_score("coverage", np.ones(10, bool)).high == 1
    assert len(resampled(np.mean, rows)) == 5 * len(resampled(np.mean, np.zeros(5000)))
    assert "coverage 100.00%" in str(share_score("coverage", np.ones(10, bool)))


def test_crps_takes_the_closed_form_where_there_is_one() -> None:
    normal = Normal(np.ones(4), np.full(4, 2.0))
    np.testing.assert_array_equal(scores.crps(POINTS, normal), scores.crps_of_normal(POINTS, normal.mean, normal.std))
    mixed = Mixture((normal, Normal(np.zeros(4), np.ones(4))), np.array([0.3, 0.7]))
    np.testing.assert_allclose(scores.crps(POINTS, mixed), scores.crps_of_integral(POINTS, mixed), rtol=1e-6)
    nested = equal_mixture([mixed, normal])
    np.testing.assert_allclose(scores.crps(POINTS, nested), scores.crps_of_integral(POINTS, nested), rtol=1e-6)


def test_evaluation_of_a_distribution_that_is_the_true_one() -> None:
    generator = np.random.default_rng(5)

    class Knowing:
        def predict_distribution(self, X: Any) -> Normal:
            return Normal(X, np.ones(X.shape))

    for shape in ((4000,), (2000, 2)):
        X = generator.normal(size=shape)
        found = evaluate_values(Knowing(), X, X + generator.normal(size=shape))
        nll, crps = found.scores
        assert nll.low < 0.5 * np.log(2 * np.pi * np.e) < nll.high
        assert crps.low < 1 / np.sqrt(np.pi) < crps.high
        assert [one.level for one in found.covered] == [0.5, 0.8, 0.9, 0.95]
        for one in found.covered:
            assert one.coverage.value == pytest.approx(one.level, abs=0.03)
            assert one.size == pytest.approx(2 * stats.norm.ppf((1 + one.level) / 2))


def test_evaluation_of_sets() -> None:
    X, y = load_iris(return_X_y=True)
    model = ConformalClassifier(LogisticRegression(max_iter=500), "threshold", random_state=0).fit(X, y)
    found = evaluate_classes(model, X, y)
    assert [score.name for score in found.scores] == ["NLL", "Brier score", "ECE"]
    # With 30 rows to calibrate with there is a set at every level.
    assert [one.level for one in found.covered] == [0.5, 0.8, 0.9, 0.95]
    few = ConformalClassifier(LogisticRegression(max_iter=500), random_state=0).fit(X[::5], y[::5])
    assert [one.level for one in evaluate_classes(few, X, y).covered] == [0.5, 0.8]
