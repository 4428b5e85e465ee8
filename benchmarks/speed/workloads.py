"""What is measured.  Each workload is one definition, from which the program of every library is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# A chunk is the steps between two looks at the clock: enough that a call of a compiled loop costs nothing beside it.
STEPS_A_CHUNK = 512
OPERATIONS_A_CHUNK = 2e10


@dataclass(frozen=True)
class Workload:
    """A network of dense layers with what it is trained on, or, without an optimizer, what it predicts.

    ``task``: ``train`` counts steps, ``predict`` calls of one batch, ``fit`` whole fits of an estimator at its
    defaults on the digits of scikit-learn.  The loss is computed from logits.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    activation: Literal["relu", "sigmoid", "tanh", "gelu", "tanh_gelu"] = "relu"
    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    optimizer: Literal["adam", "sgd"] = "adam"
    dtype: Literal["float32", "float64"] = "float32"
    dropout: float = 0.0
    rows: int = 20_480
    task: Literal["train", "predict", "fit", "generate"] = "train"
    quick: bool = False  # whether ``--quick`` measures it too

    @staticmethod
    def read(fields: Mapping[str, Any]) -> Workload:
        return Workload(**{**fields, "sizes": tuple(fields["sizes"])})

    def fields(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return 1e-3 if self.optimizer == "adam" else 0.1

    @property
    def full_batch(self) -> bool:
        return self.batch == self.rows

    @property
    def unit(self) -> str:
        return {"train": "step", "predict": "call", "fit": "fit", "generate": "symbol"}[self.task]

    @property
    def operations(self) -> float:
        """Floating-point operations of a step: two for each multiply-add of the matrix products.

        Forward, one product a layer; backward, one for the weights' gradient and, but in the first layer, one for
        that of the layer below.  Everything else (activations, loss, optimizer) is not counted.
        """
        products = [before * after for before, after in zip(self.sizes, self.sizes[1:], strict=False)]
        backward = 2 * sum(products) - products[0] if self.task == "train" else 0
        return 2.0 * self.batch * (sum(products) + backward) if self.task != "fit" else 0.0

    @property
    def chunk(self) -> int:
        """How many steps (calls, fits) make a chunk."""
        if self.task == "fit":
            return 1
        most = STEPS_A_CHUNK if self.full_batch or self.task == "predict" else min(STEPS_A_CHUNK, self.batches)
        return max(1, min(most, int(OPERATIONS_A_CHUNK / self.operations)))

    @property
    def batches(self) -> int:
        """Full minibatches in the rows."""
        return self.rows // self.batch

    # --- arrays, the same for every library ---------------------------------------------------------------------------

    @cached_property
    def data(self) -> tuple[Array, Array]:
        """Rows [r, i] in 0 … 1 and their targets: classes [r], or numbers [r, j]; made by a linear teacher."""
        generator = np.random.default_rng(0)
        X = generator.random((self.rows, self.sizes[0]), dtype=np.float32).astype(self.dtype)
        teacher = generator.normal(size=(self.sizes[0], self.sizes[-1])).astype(self.dtype)
        scores = (X - 0.5) @ teacher
        if self.loss == "cross_entropy":
            return X, scores.argmax(axis=1)
        return X, scores

    @cached_property
    def weights(self) -> list[tuple[Array, Array]]:
        """First weights [i, j] and biases [j] of each layer (Glorot and Bengio's uniform ones)."""
        generator = np.random.default_rng(1)
        layers = []
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            bound = np.sqrt(6 / (before + after))
            layers.append(
                (generator.uniform(-bound, bound, (before, after)).astype(self.dtype), np.zeros(after, self.dtype))
            )
        return layers

    @cached_property
    def orders(self) -> Array:
        """The rows of an epoch in random order, [chunk, step, b]."""
        generator = np.random.default_rng(2)
        if self.full_batch:
            return np.stack([generator.permutation(self.rows) for _ in range(self.chunk)])[None]
        chunks = self.batches // self.chunk
        order = generator.permutation(self.rows)[: chunks * self.chunk * self.batch]
        return order.reshape(chunks, self.chunk, self.batch)


SWEEP = (1, 16, 64, 256, 1024, 4096)

WORKLOADS = (
    Workload("784-30-10 sigmoid, batch 10, Adam", (784, 30, 10), 10, "sigmoid", quick=True),
    Workload("784-30-10 sigmoid, batch 10, SGD", (784, 30, 10), 10, "sigmoid", optimizer="sgd"),
    Workload("784-100-10 sigmoid, batch 10, SGD", (784, 100, 10), 10, "sigmoid", optimizer="sgd"),
    Workload("784-512-512-10 ReLU, batch 128, Adam", (784, 512, 512, 10), 128, quick=True),
    Workload("784-1024-1024-10 ReLU, batch 512, Adam", (784, 1024, 1024, 10), 512, quick=True),
    Workload("4-32-16-4 tanh, 10,000 rows at once, Adam", (4, 32, 16, 4), 10_000, "tanh", rows=10_000, quick=True),
    *(Workload(f"784-128-10 ReLU, batch {batch}, Adam", (784, 128, 10), batch) for batch in SWEEP),
    Workload("784-256-256-10 GELU, batch 64, Adam", (784, 256, 256, 10), 64, "gelu"),
    Workload("784-256-256-10 GELU by tanh, batch 64, Adam", (784, 256, 256, 10), 64, "tanh_gelu"),
    Workload(
        "13-64-64-1 ReLU regression, batch 32, Adam, float64",
        (13, 64, 64, 1),
        32,
        loss="squared_error",
        dtype="float64",
    ),
    Workload("784-512-10 ReLU, dropout 0.5, batch 128, Adam", (784, 512, 10), 128, dropout=0.5),
    Workload("20-64-64-3 ReLU, softmax, one row", (20, 64, 64, 3), 1, rows=512, task="predict", quick=True),
    Workload("784-512-512-10 ReLU, softmax, 10,000 rows", (784, 512, 512, 10), 10_000, rows=10_000, task="predict"),
    Workload("digits, estimator at its defaults", (64, 10), 1, task="fit"),
)

# What is timed from the start of a process to the first finished step: one full minibatch in the rows, so one step.
START = Workload("784-30-10 sigmoid, batch 10, Adam", (784, 30, 10), 10, "sigmoid", rows=19)
