"""Models that are broken in one known way: the finding names that one; healthy models have none."""

from __future__ import annotations

import pytest
from benchmarks.broken import BROKEN, Broken
from benchmarks.healthy import HEALTHY

# Those that take longest are left to ``python -m benchmarks.check``.
QUICK = ("iris", "wine", "diabetes", "a convolutional network", "30 sigmoids", "rectifiers with dropout")


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_model_is_named(broken: Broken) -> None:
    diagnosis = broken.diagnosis()
    assert set(diagnosis.kinds) <= broken.kinds and diagnosis.findings, diagnosis.text()
    for finding in diagnosis.findings:
        assert finding.where and finding.evidence.endswith(".") and finding.advice.endswith(".")
        assert finding.numbers


@pytest.mark.parametrize("healthy", [one for one in HEALTHY if one.name in QUICK], ids=lambda healthy: healthy.name)
def test_a_healthy_model_has_no_finding(healthy: Broken) -> None:
    diagnosis = healthy.diagnosis()
    assert not diagnosis.findings and not diagnosis.consequences and diagnosis.passed, diagnosis.text()
