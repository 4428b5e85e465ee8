"""Running text for language models: minibatches are windows at random places of one long row of symbols.

A window is not copied anywhere: the training step reads X[rows[b] + t], and its targets are the symbols behind,
X[rows[b] + t + 1].  Short texts are rows of their own, which begin with the symbol 0; behind the end of a row is 0 as
well, so that the last target of each is the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.buckets import Buckets
from chainrule.data.ragged import Ragged, in_blocks
from chainrule.data.vocabulary import PADDING
from chainrule.equations.check import check
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, access, axis
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.training.step import ROWS, TrainingStep

Array = NDArray[Any]


@dataclass(frozen=True)
class Windows:
    """A ``Source`` of windows of ``length`` symbols of a text, ``steps`` minibatches an epoch.

    Raises ChainruleError where the text is shorter than a window and the symbol behind it.
    """

    symbols: Array
    length: int
    steps: int

    def __post_init__(self) -> None:
        if len(self.symbols) <= self.length:
            raise ChainruleError(
                f"a text of {len(self.symbols):,} symbols is too short for windows of {self.length:,} and the symbol "
                f"behind; give a longer one, or a smaller length"
            )

    @property
    def rows(self) -> int:
        """How many windows stand side by side in the text."""
        return (len(self.symbols) - 1) // self.length

    @property
    def rows_at_once(self) -> None:
        return None

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """Where the windows of an epoch begin [s, b], drawn at random."""
        places = len(self.symbols) - self.length
        return [np.random.default_rng((seed, epoch)).integers(0, places, (self.steps, batch_size))]

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        return {"X": self.symbols}, rows

    def blocks(self, at_once: int) -> Iterator[tuple[dict[str, Array], int]]:
        """All windows side by side, so many at a time: x[b,t] and t[b,t], and how many targets these are.

        What is left behind the last whole window is left out.
        """
        whole = self.rows * self.length
        x, t = (self.symbols[shift : shift + whole].reshape(-1, self.length) for shift in (0, 1))
        for start in range(0, self.rows, at_once):
            some = slice(start, start + at_once)
            yield {"x": x[some], "t": t[some]}, t[some].size

    def whole(self) -> dict[str, Array]:
        """All windows side by side, and their targets."""
        ((arrays, _),) = self.blocks(self.rows)
        return arrays


@dataclass(frozen=True)
class ShortTexts(Buckets):
    """A ``Source`` of short texts, each a row that begins with the symbol 0 and whose last target is 0, the end."""

    @staticmethod
    def of(texts: Sequence[Array]) -> ShortTexts:
        start = np.array([PADDING])
        return ShortTexts(Ragged.of([np.concatenate([start, text]) for text in texts]), {})

    def blocks(self, at_once: int) -> Iterator[tuple[dict[str, Array], int]]:
        """All rows, those of similar length together: x[b,t], length[b] and t[b,t], and how many targets these are."""
        lengths = self.sequences.lengths
        for rows, size in in_blocks(lengths, at_once, int(lengths.max())):
            yield _with_targets(self.sequences.arrays(rows, size)), int(lengths[rows].sum())

    def whole(self) -> dict[str, Array]:
        """All rows, padded to the longest, and their targets."""
        return _with_targets(self.sequences.arrays())


def _with_targets(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Rows x[b,t], and t[b,t], the symbol behind each."""
    x = arrays["x"]
    return {**arrays, "t": np.concatenate([x[:, 1:], np.zeros_like(x[:, :1])], axis=1)}


def window_step(step: TrainingStep) -> TrainingStep:
    """The training step on windows of one long row of symbols, X[r]."""
    place = (access("rows", ("b",)), axis("t"))
    return _reading(step, (Apply("+", place),), (Apply("+", (place[0], _next("t"))),), (ROWS,))


def row_step(step: TrainingStep) -> TrainingStep:
    """The training step on rows of symbols, X[r,t], whose targets are the symbols behind each."""
    row = access("rows", ("b",))
    return _reading(step, (row, axis("t")), (row, _next("t")), (ROWS, "t"))


def _next(name: str) -> Index:
    return Index(((1, name),), 1)


def _reading(
    step: TrainingStep, here: tuple[Expression, ...], behind: tuple[Expression, ...], axes: tuple[str, ...]
) -> TrainingStep:
    """The step whose inputs x[b,t] and targets t[b,t] are read from X at these places."""
    source, targets = step.sources["x"], step.sources["t"]
    reads = {"x": Access(source, here), "t": Access(source, behind)}
    system = step.system
    made = System(
        tuple(Equation(e.name, e.axes, reads.get(e.name, e.expression)) for e in system.equations),
        tuple(
            Input(source, axes, "integer") if tensor.name == source else tensor
            for tensor in system.inputs
            if tensor.name != targets
        ),
        system.sizes,
    )
    check(made)
    return replace(step, system=made, sources={name: s for name, s in step.sources.items() if name != "t"})
