"""Published results on real data, reached again: one command each.

    python -m benchmarks.results mnist-lenet5

A result is a function of the seed and the backend (None: the default) that reads its data, trains with the public
estimators as a user would, and returns a ``Result``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from benchmarks.results.result import Result

# Name → module and function in this package.
RESULTS = {
    "mnist-lenet5": ("images", "mnist_lenet5"),
    "mnist-convnet": ("images", "mnist_convnet"),
    "fashion": ("images", "fashion"),
    "faces": ("images", "faces"),
    "shakespeare": ("text", "shakespeare"),
    "names": ("text", "names"),
    "spoken": ("sequences", "spoken"),
    "sst2": ("sequences", "sst2"),
    "gunpoint": ("sequences", "gunpoint"),
    "basic-motions": ("sequences", "basic_motions"),
    "japanese-vowels": ("sequences", "japanese_vowels"),
}


def result(name: str) -> Callable[[int, str | None], Result]:
    """The function ``(seed, backend) -> Result`` of this name."""
    module, function = RESULTS[name]
    return getattr(import_module(f"benchmarks.results.{module}"), function)  # type: ignore[no-any-return]
