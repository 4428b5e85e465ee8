"""The table of results: what is called result, and what images are measured on."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from benchmarks.results import RESULTS, result
from benchmarks.results.images import halves
from benchmarks.results.result import Result


def made(ours: float, *, target: float, higher: bool) -> Result:
    return Result(
        name="digits",
        network="a network",
        measure="% of the test images",
        ours=ours,
        published="99 %",
        source="a paper",
        target=target,
        higher=higher,
        seed=0,
        epochs=2,
        minutes=0.5,
        rows_a_second=1234.5,
        backend="numpy",
    )


@pytest.mark.parametrize("name", RESULTS)
def test_every_name_is_a_function_of_seed_and_backend(name: str) -> None:
    assert list(inspect.signature(result(name)).parameters) == ["seed", "backend"]


@pytest.mark.parametrize(
    ("ours", "target", "higher", "reached"),
    [(99.0, 99.0, True, True), (98.99, 99.0, True, False), (4.0, 4.0, False, True), (4.1, 4.0, False, False)],
)
def test_reached_at_the_target_on_the_better_side(ours: float, target: float, higher: bool, reached: bool) -> None:
    found = made(ours, target=target, higher=higher)
    assert found.reached is reached
    assert json.loads(found.json())["reached"] is reached
    assert ("not reached" in str(found)) is not reached


def test_halves_share_nothing_and_hold_every_person() -> None:
    labels = np.repeat(np.array(["a", "b", "c"]), 10)
    learnt, recognised = halves(labels, seed=3)
    assert sorted([*learnt, *recognised]) == list(range(30))
    for rows in (learnt, recognised):
        assert {str(person): int((labels[rows] == person).sum()) for person in "abc"} == {"a": 5, "b": 5, "c": 5}
    assert not np.array_equal(learnt, halves(labels, seed=4)[0])
