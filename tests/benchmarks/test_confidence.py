"""The scores of the benchmark of confidence, on probabilities whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.confidence import Judged, Scores, better, scores, told_apart

from chainrule.probability.score import Score


def test_scores_of_known_probabilities() -> None:
    p = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    found = scores(p, np.array([0, 1]))
    assert found.accuracy == 0.5
    assert found.nll == pytest.approx(np.log(8) / 2)
    assert found.brier == pytest.approx(((0.25 + 2 / 16) + (0.25 + 9 / 16 + 1 / 16)) / 2)
    assert found.ece.value == pytest.approx(0)


def test_members_that_agree_on_digits_and_not_on_garments() -> None:
    sure, torn, other = np.eye(3)
    familiar = np.array([[sure, torn], [sure, torn]])
    foreign = np.array([[sure, torn], [torn, other]])
    found = told_apart(familiar, foreign)
    assert found.members == (0.5, 0.5)  # each by itself is as sure of both kinds
    assert found.entropy == found.epistemic == 1


def test_better_needs_accuracy_and_likelihood() -> None:
    def of(accuracy: float, nll: float) -> Scores:
        return Scores(accuracy, nll, 0.1, Score("ECE", 0.01, 0.0, 0.02))

    members = [Judged(of(*one), 1.0, of(*one)) for one in ((0.9, 0.3), (0.92, 0.28))]
    assert better(of(0.915, 0.25), members) == "reached (better accuracy than 1 of 2, NLL than 2)"
    assert better(of(0.905, 0.25), members).startswith("not reached")
    assert better(of(0.93, 0.295), members).startswith("not reached")
