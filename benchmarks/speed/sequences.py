"""Workloads that read sequences of symbols and predict the next symbol at every position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from benchmarks.speed.workloads import Array, Workload

HEADS = 4


@dataclass(frozen=True)
class Sequences(Workload):
    """``sizes``: symbols, the numbers of each symbol's embedding, units; ``length``: positions of a row.

    ``family``: a recurrent layer and a dense one at every position, or a decoder-only transformer of ``blocks`` blocks
    (pre-norm, learnt positions, GELU of four times as many units) whose embedding has as many numbers as it has units.
    ``task``: ``train``, or ``generate``: one symbol after the other, each the most probable one, of one row, the keys
    and values of those before it being kept.
    """

    family: Literal["lstm", "gru", "gpt"] = "lstm"
    length: int = 64
    blocks: int = 4
    activation: Literal["gelu"] = "gelu"  # type: ignore[assignment]
    rows: int = 2_048

    @property
    def symbols(self) -> int:
        return self.sizes[0]

    @property
    def embedding(self) -> int:
        return self.sizes[1]

    @property
    def units(self) -> int:
        return self.sizes[2]

    @property
    def gates(self) -> int:
        return 4 if self.family == "lstm" else 3

    @property
    def operations(self) -> float:
        """Two for each multiply-add of the matrix products, forward and backward (see ``Workload.operations``).

        Half of the scores of attention are masked; they are counted, as the peers compute them.
        """
        v, d, k = self.sizes
        if self.family == "gpt":
            attention = 2 * k * self.length
            token = self.blocks * (12 * k * k + attention) + k * v
        else:
            token = (d + k) * self.gates * k + k * v
        if self.task == "generate":
            return 2.0 * token
        return 3 * 2.0 * token * self.length * self.batch

    @property
    def chunk(self) -> int:
        return self.length if self.task == "generate" else max(1, min(self.batches, int(1e11 / self.operations)))

    @cached_property
    def data(self) -> tuple[Array, Array]:
        """Symbols [r, t] and those that come next: a walk in which three of four symbols follow from the one before."""
        generator = np.random.default_rng(0)
        text = generator.integers(0, self.symbols, (self.rows, self.length + 1))
        follows = generator.random((self.rows, self.length)) < 0.75
        for t in range(self.length):
            text[:, t + 1] = np.where(follows[:, t], (3 * text[:, t] + 1) % self.symbols, text[:, t + 1])
        return np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])

    @cached_property
    def weights(self) -> dict[str, Array]:  # type: ignore[override]
        """First weights by name; what stands for a layer of a block ends with the block's number."""
        generator = np.random.default_rng(1)
        v, d, k = self.sizes

        def normal(*shape: int) -> Array:
            return generator.normal(0, 0.05, shape).astype(self.dtype)

        if self.family != "gpt":
            return {
                "E": normal(v, d),
                "W": normal(d, self.gates, k),
                "U": normal(k, self.gates, k),
                "D": normal(k, v),
                "δ": np.zeros(v, self.dtype),
            }
        found = {"E": normal(v, k), "P": normal(self.length, k), "D": normal(k, v), "δ": np.zeros(v, self.dtype)}
        heads = (HEADS, k // HEADS)
        for n in range(self.blocks):
            found |= {f"W{letter}{n}": normal(k, *heads) for letter in "qkv"}
            found |= {f"Wo{n}": normal(*heads, k), f"W1{n}": normal(k, 4 * k), f"W2{n}": normal(4 * k, k)}
        return found

    @staticmethod
    def read(fields: Mapping[str, Any]) -> Sequences:
        return Sequences(**{**fields, "sizes": tuple(fields["sizes"])})


SEQUENCES = (
    Sequences("LSTM 256, 64 positions, batch 32, Adam", (65, 64, 256), 32, family="lstm", quick=True),
    Sequences("GRU 256, 64 positions, batch 32, Adam", (65, 64, 256), 32, family="gru"),
    Sequences("GPT 4 × 128, 64 positions, batch 16, Adam", (65, 128, 128), 16, family="gpt", quick=True),
    Sequences("GPT 4 × 128, one symbol after the other", (65, 128, 128), 1, family="gpt", task="generate"),
)
