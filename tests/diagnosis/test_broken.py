"""Models that are broken in one known way: the finding names that one; healthy models have none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from benchmarks.broken import BROKEN, Broken
from benchmarks.healthy import HEALTHY

# The quickest of those that break the equations, the start, the units, the gradients' flow, the rate or the data, and
# healthy models of several architectures.  ``python -m benchmarks.check`` goes through all of them.
QUICK = (
    "wrong gradient",
    "equal weights",
    "biases of -10 before rectifiers",
    "rate × 100, gradient descent",
    "pixels from 0 to 255",
    "shuffled targets",
    "a column that numbers the rows",
    "weights so large that sigmoids saturate",
    "ten layers of sigmoids",
    "large recurrent weights",
    "validation rows that are training rows",
)
SOUND = ("iris", "a convolutional network", "30 sigmoids", "rectifiers with dropout")


def named(names: tuple[str, ...], among: Sequence[Broken]) -> list[Broken]:
    by_name = {one.name: one for one in among}
    return [by_name[name] for name in names]


@pytest.mark.parametrize("broken", named(QUICK, BROKEN), ids=lambda broken: broken.name)
def test_a_broken_model_is_named(broken: Broken) -> None:
    diagnosis = broken.diagnosis()
    assert set(diagnosis.kinds) <= broken.kinds and diagnosis.findings, diagnosis.text()
    for finding in diagnosis.findings:
        assert finding.where and finding.evidence.endswith(".") and finding.advice.endswith(".")
        assert finding.numbers


@pytest.mark.parametrize("healthy", named(SOUND, HEALTHY), ids=lambda healthy: healthy.name)
def test_a_healthy_model_has_no_finding(healthy: Broken) -> None:
    diagnosis = healthy.diagnosis()
    assert not diagnosis.findings and not diagnosis.consequences and diagnosis.passed, diagnosis.text()
