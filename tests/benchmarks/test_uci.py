"""How the benchmark of the UCI sets divides rows and judges settings."""

from __future__ import annotations

import numpy as np
from benchmarks.uci import DECAYS, FAMILIES, JUDGES, MOST_DIVISIONS, MOST_STEPS, SHARE, batch_size, divisions, judged

from chainrule.probability.distribution import Normal


def test_rows_that_judge_are_not_trained_on() -> None:
    train = np.arange(1000, 1277)
    made = divisions(train, 3)
    assert len(made) == MOST_DIVISIONS and len({tuple(judges) for _, judges in made}) == MOST_DIVISIONS
    for rows, judges in made:
        assert len(judges) == int(SHARE * len(train))
        assert sorted([*rows, *judges]) == train.tolist()
    assert len(divisions(np.arange(10 * JUDGES), 0)) == 1


def test_many_rows_have_fewer_epochs() -> None:
    family = FAMILIES["ensemble"]
    assert {settings.decay for settings in family.candidates(400)} == set(DECAYS)
    for rows in (277, 3_999, 8_611):
        steps = max(settings.epochs for settings in family.candidates(rows)) * rows / batch_size(rows)
        assert steps <= MOST_STEPS


def test_a_spread_that_is_too_small_is_judged_with_and_without_its_factor() -> None:
    truth = np.random.default_rng(0).normal(size=4000)
    plain, scaled, factor = judged([(Normal(np.zeros(2000), np.full(2000, 0.5)), part) for part in np.split(truth, 2)])
    assert abs(factor - 2) < 0.05
    assert abs(scaled - 0.5 * np.log(2 * np.pi * np.e)) < 0.03 < plain - scaled
