"""Sets of points in the plane, of which what a network says everywhere can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.sets import Set

Array = NDArray[Any]


def _plane(name: str, X: Array, y: Array) -> Set:
    return Set(name, X.astype(np.float64), np.array(["A", "B", "C"], dtype=object)[y], True, "class")


def _moons() -> Set:
    from sklearn.datasets import make_moons

    return _plane("moons", *make_moons(500, noise=0.2, random_state=0))


def _circles() -> Set:
    from sklearn.datasets import make_circles

    return _plane("circles", *make_circles(500, noise=0.1, factor=0.5, random_state=0))


def _spirals() -> Set:
    """Two arms that wind one and a half times around each other."""
    generator = np.random.default_rng(0)
    y = np.arange(500) % 2
    turn = np.sqrt(generator.random(500)) * 3 * np.pi
    angle = turn + np.pi * y
    X = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1) / (3 * np.pi)
    return _plane("spirals", X + 0.02 * generator.standard_normal(X.shape), y)


PLANES: dict[str, Callable[[], Set]] = {"moons": _moons, "circles": _circles, "spirals": _spirals}
