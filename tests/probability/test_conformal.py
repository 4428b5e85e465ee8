"""Conformal sets and intervals: coverage over many draws, exact ranks, ties, tiny sets, strata, folds, bad input."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.probability.calibration import VectorScaling
from chainrule.probability.conformal import ConformalClassifier, ConformalRegressor
from chainrule.probability.cross_conformal import CrossConformalClassifier, CrossConformalRegressor
from chainrule.probability.held_out import hold_out
from chainrule.probability.intervals import in_set, inside
from chainrule.probability.nonconformity import adaptive_scores, conformal_quantile, conformal_rank

DRAWS = 400


class Says(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probabilities of four classes that have nothing to do with the truth, but differ from row to row."""

    def fit(self, X: Any, y: Any) -> Says:
        self.classes_ = np.arange(4)
        return self

    def predict_proba(self, X: Any) -> Any:
        powers = np.exp(np.sin(np.outer(X[:, 0], [3, 5, 7, 11])))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Any:
        return self.predict_proba(X).argmax(axis=1)


class Line(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Says a line, a spread and intervals that are all wrong."""

    def fit(self, X: Any, y: Any) -> Line:
        self.fitted_ = True
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        mean = 2 * X[:, 0]
        return (mean, 0.1 + X[:, 0] ** 2) if return_std else mean

    def predict_interval(self, X: Any, level: float) -> Any:
        return 2 * X[:, 0] - level, 2 * X[:, 0] + level


class Slope(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A line through the origin, by least squares."""

    def fit(self, X: Any, y: Any) -> Slope:
        self.slope_ = X[:, 0] @ y / (X[:, 0] @ X[:, 0])
        return self

    def predict(self, X: Any) -> Any:
        return self.slope_ * X[:, 0]


def exactly(covered: int, draws: int, probability: float, sides: str = "two-sided") -> None:
    """What was covered in independent draws is no surprise where each is covered with this probability."""
    assert stats.binomtest(covered, draws, probability, alternative=sides).pvalue > 1e-3


def numbers(rows: int, generator: Any) -> tuple[Any, Any]:
    X = generator.normal(size=(rows, 1))
    return X, 2 * X[:, 0] + generator.standard_t(3, rows) * (1 + np.abs(X[:, 0]))


@pytest.mark.parametrize("rows", [9, 30])
@pytest.mark.parametrize("nonconformity", ["absolute", "normalized", "quantile"])
def test_coverage_of_intervals_is_exact(nonconformity: str, rows: int) -> None:
    """A new row in each draw, after calibration with so many rows: covered with ⌈(n + 1)·level⌉/(n + 1)."""
    generator, covered = np.random.default_rng(1), 0
    for _ in range(DRAWS):
        X, y = numbers(rows + 1, generator)
        model = ConformalRegressor(Line().fit(X, y), nonconformity, levels=(0.8,)).calibrate(X[1:], y[1:])
        covered += bool(inside(y[:1], *model.predict_interval(X[:1], 0.8))[0])
    exactly(covered, DRAWS, ceil((rows + 1) * Fraction("0.8")) / (rows + 1))


@pytest.mark.parametrize("nonconformity", ["adaptive", "threshold"])
def test_coverage_of_sets_is_exact(nonconformity: str) -> None:
    generator, covered = np.random.default_rng(2), 0
    for draw in range(DRAWS):
        X, t = generator.normal(size=(20, 1)), generator.choice(4, 20, p=[0.6, 0.2, 0.1, 0.1])
        model = ConformalClassifier(Says().fit(X, t), nonconformity, random_state=draw).calibrate(X[1:], t[1:])
        covered += bool(in_set(t[:1], model.predict_set(X[:1], 0.7))[0])
    exactly(covered, DRAWS, 14 / 20)


def test_coverage_within_each_class_and_each_group() -> None:
    generator = np.random.default_rng(3)
    X, t = generator.normal(size=(60_000, 1)), generator.choice(4, 60_000, p=[0.6, 0.2, 0.1, 0.1])
    new, of = slice(30_000, None), t[30_000:]
    whole = ConformalClassifier(Says().fit(X, t), random_state=0).calibrate(X[:30_000], t[:30_000])
    by_class = ConformalClassifier(Says().fit(X, t), conditional="class", random_state=0)
    by_class.calibrate(X[:30_000], t[:30_000])
    for k in range(4):
        assert in_set(of, by_class.predict_set(X[new], 0.8))[of == k].mean() == pytest.approx(0.8, abs=0.03)
    assert in_set(of, whole.predict_set(X[new], 0.8)).mean() == pytest.approx(0.8, abs=0.015)

    X, y = numbers(20_000, generator)
    groups = np.where(np.abs(X[:, 0]) > 1, "far", "near")
    by_group = ConformalRegressor(Line().fit(X, y), conditional="group")
    by_group.calibrate(X[:10_000], y[:10_000], groups[:10_000])
    covered = inside(y[10_000:], *by_group.predict_interval(X[10_000:], 0.9, groups[10_000:]))
    for group in ("far", "near"):
        assert covered[groups[10_000:] == group].mean() == pytest.approx(0.9, abs=0.02)


def test_equal_scores_cover_at_least_what_is_asked() -> None:
    """Whole numbers, nearly all of which are equal."""
    generator, covered = np.random.default_rng(4), 0
    for _ in range(DRAWS):
        X, y = np.zeros((15, 1)), generator.poisson(0.3, 15).astype(float)
        model = ConformalRegressor(Line().fit(X, y)).calibrate(X[1:], y[1:])
        covered += bool(inside(y[:1], *model.predict_interval(X[:1], 0.6))[0])
    exactly(covered, DRAWS, 0.6, "less")


@pytest.mark.parametrize("folds", [3, None])
def test_cross_conformal_intervals_cover(folds: int | None) -> None:
    generator, covered = np.random.default_rng(5), 0
    for draw in range(60):
        X, y = numbers(25, generator)
        model = CrossConformalRegressor(Slope(), folds=folds, random_state=draw).fit(X[1:], y[1:])
        covered += bool(inside(y[:1], *model.predict_interval(X[:1], 0.8))[0])
    exactly(covered, 60, 0.8, "less")


def test_cross_conformal_sets_cover() -> None:
    generator, covered = np.random.default_rng(6), 0
    for draw in range(200):
        X, t = generator.normal(size=(20, 1)), generator.choice(4, 20, p=[0.6, 0.2, 0.1, 0.1])
        model = CrossConformalClassifier(Says(), folds=4, random_state=draw).fit(X[1:], t[1:])
        covered += bool(in_set(t[:1], model.predict_set(X[:1], 0.7))[0])
    exactly(covered, 200, 14 / 20)  # the model does not depend on the rows, so it is as with held-out ones


def test_jackknife_plus_by_its_definition() -> None:
    generator = np.random.default_rng(7)
    X, y = numbers(12, generator)
    model = CrossConformalRegressor(LinearRegression(), folds=None).fit(X, y)
    at, low, high = np.array([[0.3]]), [], []
    for row in range(12):
        others = np.arange(12) != row
        line = LinearRegression().fit(X[others], y[others])
        miss = abs(y[row] - line.predict(X[row : row + 1])[0])
        low.append(line.predict(at)[0] - miss)
        high.append(line.predict(at)[0] + miss)
    found = model.predict_interval(at, 0.8)
    # n = 12, α = 0.2: the ⌊13·0.2⌋ = 2nd smallest and the ⌈13·0.8⌉ = 11th smallest
    assert (found[0][0], found[1][0]) == pytest.approx((sorted(low)[1], sorted(high)[10]))


def test_new_rows_one_by_one_or_together(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = CrossConformalRegressor(LinearRegression(), folds=4, random_state=0).fit(X[:100], y[:100])
    whole = model.predict_interval(X[100:120], 0.9)
    monkeypatch.setattr("chainrule.probability.cross_conformal.AT_ONCE", 300)
    np.testing.assert_allclose(model.predict_interval(X[100:120], 0.9), whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("rows", "level", "rank"), [(9, 0.9, 9), (19, 0.95, 19), (99, 0.07, 7), (99, 0.57, 57), (10, 0.5, 6), (1, 0.5, 1)]
)
def test_ranks_are_those_of_the_decimal_number(rows: int, level: float, rank: int) -> None:
    assert conformal_rank(rows, level) == rank
    assert conformal_quantile(np.arange(rows, 0, -1.0), level) == rank


def test_adaptive_scores_by_hand() -> None:
    p = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])
    expected = [[0.8 + 0.05, 0.125, 0.5 + 0.075], [0.2, 0.4 + 0.2, 0.8 + 0.1]]
    np.testing.assert_allclose(adaptive_scores(p, np.array([0.25, 0.5])), expected)


def test_several_targets_a_row() -> None:
    generator = np.random.default_rng(8)
    X = generator.normal(size=(4000, 2))
    y = np.stack([X[:, 0] + generator.normal(size=4000), 10 * X[:, 1] + 5 * generator.normal(size=4000)], axis=1)
    split = ConformalRegressor(LinearRegression(), random_state=0)
    for model in (split, CrossConformalRegressor(LinearRegression(), folds=2, random_state=0)):
        lower, upper = model.fit(X[:1000], y[:1000]).predict_interval(X[1000:], 0.9)
        np.testing.assert_allclose(inside(y[1000:], lower, upper).mean(axis=0), 0.9, atol=0.04)


def test_frozen_estimators_and_those_that_say_their_spread() -> None:
    X, y = load_diabetes(return_X_y=True)
    ridge = BayesianRidge().fit(X[:200], y[:200])
    model = ConformalRegressor(FrozenEstimator(ridge), "normalized").fit(X[200:], y[200:])
    assert model.estimator_ is ridge and model.scores_.shape == (1, 242)
    assert model.score(X, y) == ridge.score(X, y)


def test_a_class_that_only_one_fold_knows() -> None:
    X, y = load_iris(return_X_y=True)
    X, y = X[:101], y[:101]
    model = CrossConformalClassifier(GaussianNB(), folds=5, random_state=0).fit(X, y)
    assert model.predict_set(X, 0.9).shape == (101, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def refused(call: Any, match: str) -> None:
    with pytest.raises(ChainruleError, match=match):
        call()


def test_bad_input() -> None:
    X, y = load_diabetes(return_X_y=True)
    line = LinearRegression().fit(X, y)
    tiny = ConformalRegressor(line).calibrate(X[:7], y[:7])
    assert len(tiny.predict_interval(X, 0.8)[0]) == len(X)
    refused(lambda: tiny.predict_interval(X, 0.95), "level 0.95 needs at least 19 rows to calibrate with; there are 7")
    for level in (0, 1, 1.5, "0.9", True, float("nan")):
        refused(lambda level=level: tiny.predict_interval(X, level), "level is a number between 0 and 1, such as")
    refused(lambda: ConformalRegressor(line, "normalized").calibrate(X, y), "return_std=True.*LinearRegression has not")
    refused(lambda: ConformalRegressor(line, "quantile").calibrate(X, y), "predict_interval.*LinearRegression has not")
    refused(lambda: ConformalRegressor(line, "other").fit(X, y), "'absolute', 'normalized', 'quantile', not 'other'")
    refused(lambda: ConformalRegressor(line, levels=(0.5, 2)).fit(X, y), "level is a number")
    refused(lambda: ConformalRegressor(line, conditional="class").fit(X, y), "conditional is one of None, 'group'")
    refused(lambda: ConformalRegressor(line, conditional="group").fit(X, y), "needs groups")
    refused(lambda: ConformalRegressor(line).fit(X, y, np.zeros(len(y))), "groups are for conditional='group'")
    by_group = ConformalRegressor(line, conditional="group").calibrate(X[:8], y[:8], ["a"] * 3 + ["b"] * 5)
    refused(lambda: by_group.predict_interval(X[:1], 0.5, ["c"]), "groups, row 1: 'c' is no group")
    refused(lambda: by_group.predict_interval(X[:1], 0.8, ["a"]), "needs at least 4 rows .* of group a; there are 3")
    wrong = ConformalRegressor(Line().fit(X, y), "quantile").calibrate(X, y)
    refused(lambda: wrong.predict_interval(X, 0.7), "level 0.7 was not calibrated; levels=.0.5, 0.8, 0.9, 0.95. were")
    refused(lambda: CrossConformalRegressor(FrozenEstimator(line)).fit(X, y), "trains the estimator on each part")
    refused(lambda: CrossConformalRegressor(line, folds=1).fit(X, y), "at least 2")
    refused(
        lambda: CrossConformalRegressor(line, folds=2).fit(X[:6], y[:6]).predict_interval(X, 0.9), "at least 9 rows"
    )


class Untrainable(Line):
    """A model that may not be trained: what is wrong with the rest of the input is said before."""

    def fit(self, X: Any, y: Any) -> Line:
        raise AssertionError("trained")


def test_groups_are_checked_before_anything_is_trained() -> None:
    X, y = np.zeros((20, 1)), np.zeros(20)
    model = ConformalRegressor(Untrainable(), conditional="group")
    refused(lambda: model.fit(X, y), "needs groups, one for each row")
    refused(lambda: model.fit(X, y, [1, 2]), r"groups has shape \(2,\); X has 20 rows, so it must be \(20,\)")
    for missing in (None, float("nan"), np.datetime64("NaT")):
        refused(lambda missing=missing: model.fit(X, y, ["a"] * 19 + [missing]), "groups, row 20 is missing")
    refused(lambda: model.fit(X, y, np.where(np.arange(20) == 4, np.nan, 1)), "groups, row 5 is missing")
    refused(lambda: model.fit(X, y, ["a"] * 19 + ["b"]), "groups: 'b' has one row; two are needed")
    refused(lambda: ConformalRegressor(Untrainable()).fit(X, y, ["a"] * 20), "groups are for conditional='group'")


@pytest.mark.parametrize("made", [ConformalRegressor, CrossConformalRegressor])
def test_what_is_not_said_is_refused_before_anything_is_trained(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_diabetes(return_X_y=True)
    for kind in (LinearRegression, cr.Regressor):
        monkeypatch.setattr(kind, "fit", lambda *given, **named: pytest.fail("trained"))
    for inner, nonconformity, message in (
        (LinearRegression(), "normalized", "return_std=True.*LinearRegression has not"),
        (LinearRegression(), "quantile", "predict_interval.*LinearRegression has not"),
        (cr.Regressor(), "normalized", r"SquaredError\(\) predicts a value"),
        (cr.Regressor(), "quantile", r"SquaredError\(\) predicts a value"),
        (cr.Regressor(loss=cr.Quantiles()), "normalized", "predicts quantiles and no density"),
        (cr.Regressor(loss=cr.Quantiles((0.05, 0.95))), "quantile", "level 0.95 ends at the quantiles 0.025 and 0.975"),
    ):
        refused(lambda inner=inner, how=nonconformity: made(inner, how).fit(X, y), message)
    few = made(Untrainable(), "quantile", levels=(0.5, 0.99))
    refused(
        lambda: few.fit(X[:90, :1], y[:90]),
        "level 0.99 needs at least 99 rows .*; leave it out of levels=",
    )


def test_levels_need_rows_of_every_group() -> None:
    X, y = np.zeros((200, 1)), np.zeros(200)
    model = ConformalRegressor(Untrainable(), "quantile", levels=(0.8,), conditional="group")
    refused(
        lambda: model.fit(X, y, ["a"] * 190 + ["b"] * 10), "level 0.8 needs at least 4 rows .* of group b; there are"
    )


def test_quantiles_and_their_conformal_intervals_fit_each_other() -> None:
    X, y = load_diabetes(return_X_y=True)
    inner = cr.Regressor(loss=cr.Quantiles(), epochs=1, random_state=0)
    model = ConformalRegressor(inner, "quantile", random_state=0).fit(X, y)
    for level in model.levels:
        assert len(model.predict_interval(X, level)[0]) == len(X)


def test_a_class_of_one_row_is_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_iris(return_X_y=True)
    monkeypatch.setattr(GaussianNB, "fit", lambda *given, **named: pytest.fail("trained"))
    for made in (ConformalClassifier(GaussianNB(), conditional="class"), VectorScaling(GaussianNB())):
        refused(
            lambda made=made: made.fit(X[:101], y[:101]), "no row of class 2 is among the 20 rows to calibrate with"
        )


def test_what_cannot_be_held_out() -> None:
    refused(lambda: hold_out(6, 0.2, np.arange(6), 0), "each of the 6 rows is the only one of its class or group")
    kept, aside = hold_out(6, 0.2, np.array([0, 1, 2, 3, 4, 4]), 0)
    assert len(kept) == 5 and aside[0] in (4, 5)


def test_every_group_is_held_out_in_proportion() -> None:
    X, y = load_iris(return_X_y=True)
    groups = np.array(["rare"] * 10 + ["often"] * 138 + [7, 7], dtype=object)
    of_numbers = ConformalRegressor(LinearRegression(), conditional="group", random_state=0).fit(X, y, groups)
    assert [int((of_numbers.strata_ == of_numbers.groups_.index(group)).sum()) for group in ("rare", "often", 7)] == [
        2,
        28,
        1,
    ]
    # A group may have one row of each class, and none is left out then.
    groups[[0, 60, 120]] = "mixed"
    of_classes = ConformalClassifier(GaussianNB(), conditional="group", random_state=0).fit(X, y, groups)
    assert (of_classes.strata_ == of_classes.groups_.index("mixed")).sum() == 1
    assert of_classes.predict_set(X[:2], 0.5, ["mixed", 7]).shape == (2, 3)


class Weighed(Slope):
    """A line that says with which weights it was fitted."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.weights_ = sample_weight
        return super().fit(X, y)


def test_weights_go_into_training() -> None:
    generator = np.random.default_rng(9)
    X, weights = generator.normal(size=(50, 1)), np.arange(50.0)
    y = X[:, 0]
    whole = ConformalRegressor(Weighed(), random_state=0).fit(X, y, sample_weight=weights)
    kept, _ = hold_out(50, 0.2, None, 0)
    np.testing.assert_array_equal(whole.estimator_.weights_, weights[kept])
    crossed = CrossConformalRegressor(Weighed(), folds=5, random_state=0).fit(X, y, sample_weight=weights)
    for fold, model in enumerate(crossed.estimators_):
        np.testing.assert_array_equal(model.weights_, weights[crossed.folds_ != fold])
    refused(lambda: ConformalRegressor(Slope()).fit(X, y, sample_weight=weights), "Slope.fit takes none")
    refused(lambda: CrossConformalRegressor(Slope()).fit(X, y, weights), "Slope.fit takes none")
    frozen = ConformalRegressor(FrozenEstimator(Slope().fit(X, y)))
    refused(lambda: frozen.fit(X, y, sample_weight=weights), "sample_weight is for training, and the estimator is froz")
    refused(lambda: whole.fit(X, y, sample_weight=weights[:7]), r"sample_weight has shape \(7,\)")


@pytest.mark.parametrize("made", [ConformalRegressor, CrossConformalRegressor])
def test_estimators_that_are_none(made: Any) -> None:
    X, y = load_diabetes(return_X_y=True)
    refused(lambda: made(None).fit(X, y), f"{made.__name__}: estimator is a regressor such as Regressor.., not None")
    refused(lambda: made(cr.Regressor).fit(X, y), r"estimator=Regressor is a class; write Regressor\(\)")
    refused(lambda: made(cr.Classifier()).fit(X, y), "is for numbers, and Classifier predicts classes")
    refused(lambda: made(LinearRegression(), ["absolute"]).fit(X, y), r"nonconformity is one of .*, not \['absolute'\]")


def test_levels_as_arrays_and_in_fewer_digits(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    inner = cr.Regressor(loss=cr.Quantiles((0.05, 0.5, 0.95)), epochs=2, random_state=0)
    model = ConformalRegressor(inner, "quantile", levels=np.array([0.5, 0.9], np.float32), random_state=0).fit(X, y)
    expected = model.predict_interval(X, 0.9)
    np.testing.assert_array_equal(model.predict_interval(X, np.float32(0.9)), expected)
    np.testing.assert_array_equal(cr.load(model.save(tmp_path / "model")).predict_interval(X, 0.9), expected)
    assert conformal_rank(9, np.float32(0.9)) == 9
    for levels in (np.array([]), np.array(0.9), 0.9, "0.9", (), ["0.9"]):
        refused(lambda levels=levels: ConformalRegressor(inner, levels=levels).fit(X, y), "level")


def test_bad_input_of_classes() -> None:
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    refused(lambda: ConformalClassifier(LinearSVC()).fit(X, y), "predict_proba; LinearSVC has none")
    by_class = ConformalClassifier(model, conditional="class")
    refused(lambda: by_class.calibrate(X[:99], y[:99]), "no row of class 2 is among the 99 rows")
    by_class.calibrate(X[40:110], y[40:110])
    refused(lambda: by_class.predict_set(X, 0.95), "needs at least 19 rows .* of class 0; there are 10")


@pytest.mark.parametrize(
    "made",
    [
        ConformalClassifier(cr.Classifier(epochs=3, random_state=0), conditional="group", random_state=1),
        CrossConformalClassifier(cr.Classifier(epochs=3, random_state=0), "threshold", folds=2, random_state=1),
    ],
    ids=repr,
)
def test_classifiers_on_disk(made: Any, tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    groups = {"groups": np.where(X[:, 0] > 5.5, "long", "short")} if hasattr(made, "conditional") else {}
    model = made.fit(X, y, **groups)
    read = cr.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(read.predict_set(X, 0.8, **groups), model.predict_set(X, 0.8, **groups))
    np.testing.assert_array_equal(read.predict(X), model.predict(X))
    assert type(read.classes_) is type(model.classes_)


def test_groups_that_have_no_text_are_not_written(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    days = np.array(["2026-01-01", "2026-01-02"], dtype="M8[D]")[np.arange(150) % 2]
    inner = cr.Regressor(epochs=1, random_state=0)
    model = ConformalRegressor(inner, conditional="group", random_state=0).fit(X, y, days)
    assert len(model.predict_interval(X[:2], 0.5, days[:2])[0]) == 2
    refused(lambda: model.save(tmp_path / "model"), "groups_ has datetime.* neither a number nor a text")


@pytest.mark.parametrize(
    "made",
    [
        ConformalRegressor(cr.Regressor(loss=cr.Gaussian(), epochs=3, random_state=0), "normalized", random_state=1),
        ConformalRegressor(cr.Regressor(loss=cr.Gaussian(), epochs=3, random_state=0), "quantile", random_state=1),
        CrossConformalRegressor(cr.Regressor(epochs=3, random_state=0), folds=2, random_state=1),
    ],
    ids=lambda made: f"{type(made).__name__}-{made.nonconformity}",
)
def test_regressors_on_disk(made: Any, tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = made.fit(X[:300], y[:300])
    read = cr.load(model.save(tmp_path / "model"))
    for level in (0.5, 0.9):
        np.testing.assert_array_equal(read.predict_interval(X, level), model.predict_interval(X, level))
    assert inside(y[300:], *read.predict_interval(X[300:], 0.9)).mean() > 0.8
