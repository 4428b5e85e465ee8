"""The same weights, bit for bit, whatever the number of threads and whichever the process.

``python -m benchmarks.determinism`` does the same for 1,000 steps and prints it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.determinism import NETWORKS, THREADS, weights

ROOT = Path(__file__).resolve().parents[3]
STEPS = {"divided": 40, "large": 4}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_weights(name: str) -> None:
    found = {weights(name, threads, STEPS[name]) for threads in THREADS}
    command = [sys.executable, "-m", "benchmarks.determinism", "--steps", str(STEPS[name]), "--one", name, "2"]
    found.add(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip())
    assert len(found) == 1


def test_other_steps_give_other_weights() -> None:
    """What is compared depends on what happened."""
    assert weights("divided", 2, 3) != weights("divided", 2, 4)
