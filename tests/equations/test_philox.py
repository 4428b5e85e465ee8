"""Philox against the known answers of Random123 1.14 (kat_vectors, philox4x32 10), and what is made of it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.equations.philox import philox, random_values

KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_known_answers(counter: str, key: str, answer: str) -> None:
    first, second = words(key)
    found = philox(np.array([words(counter)], dtype=np.uint64).T, (first, second))
    assert found[:, 0].tolist() == words(answer)


def test_counters_side_by_side() -> None:
    counters = np.arange(40, dtype=np.uint64).reshape(4, 10)
    together = philox(counters, (1, 2))
    for n in range(10):
        assert (philox(counters[:, n : n + 1], (1, 2))[:, 0] == together[:, n]).all()


def test_an_element_does_not_depend_on_the_shape() -> None:
    long = random_values("uniform", 3, 5, "r", (1000,))
    assert (random_values("uniform", 3, 5, "r", (7, 3)).ravel() == long[:21]).all()
    assert random_values("uniform", 3, 5, "r", ()) == long[0]
    assert random_values("uniform", 3, 5, "r", (0, 4)).shape == (0, 4)


@pytest.mark.parametrize("other", [(4, 5, "r"), (3, 6, "r"), (3, 5, "s"), (3, 5 + 2**32, "r")])
def test_seed_step_and_name_all_count(other: tuple[int, int, str]) -> None:
    here = random_values("uniform", 3, 5, "r", (100,))
    assert (here == random_values("uniform", 3, 5, "r", (100,))).all()
    assert not (here == random_values("uniform", *other, (100,))).any()


def test_uniform() -> None:
    x = random_values("uniform", 0, 0, "r", (200_000,))
    assert x.min() >= 0 and x.max() < 1
    assert (x * 2**24 == np.floor(x * 2**24)).all()
    assert abs(x.mean() - 1 / 2) < 0.003 and abs(x.var() - 1 / 12) < 0.001
    counts, _ = np.histogram(x, bins=20, range=(0, 1))
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 45  # χ² with 19 degrees of freedom, p > 0.001


def test_normal() -> None:
    x = random_values("normal", 0, 0, "r", (200_000,))
    assert np.isfinite(x).all()
    assert abs(x.mean()) < 0.01 and abs(x.var() - 1) < 0.02
    assert abs((x**3).mean()) < 0.03 and abs((x**4).mean() - 3) < 0.1
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.01
