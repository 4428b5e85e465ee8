"""Gaussian posteriors of parameters, block by block, in the directions in which each block is diagonal.

A block of the curvature G = Q diag(λ) Qᵀ of some parameters is kept as its eigenvalues λ and what turns a vector into
the directions Q.  With a likelihood counted τ times and a prior of precision δ, the posterior's precision in these
directions is τ λ + δ; so both can be changed without anything being decomposed anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.training.threads import threads_for

Array = NDArray[Any]

# The side of a matrix from which a second thread is worth its meetings: where the cores are shared with other work, two
# threads took 1.2 s for a side of 516, and one 0.1 s.
WORTH_SHARING = 1500


@dataclass(frozen=True)
class Block:
    """The curvature of the parameters ``names``; ``eigenvalues`` [m], one for each of their numbers."""

    kind: ClassVar[str]
    names: tuple[str, ...]
    eigenvalues: Array

    def turned(self, gradients: Mapping[str, Array]) -> Array:
        """Gradients [b, k, axes of the parameter] in the directions of the eigenvalues: [b, k, m]."""
        raise NotImplementedError

    def matrix(self) -> Array:
        """G of these parameters [m, m], each parameter's numbers in the order of its axes."""
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        """What the block is made of beside its names."""
        return {"eigenvalues": self.eigenvalues}


@dataclass(frozen=True)
class Diagonal(Block):
    """Curvature of each number alone."""

    kind = "diagonal"

    def turned(self, gradients: Mapping[str, Array]) -> Array:
        return _flat(gradients, self.names)

    def matrix(self) -> Array:
        return np.diag(self.eigenvalues)


@dataclass(frozen=True)
class Whole(Block):
    """Curvature of all numbers with all others; ``vectors`` [m, m], a column for each eigenvalue."""

    kind = "whole"
    vectors: Array

    @classmethod
    def of(cls, names: tuple[str, ...], curvature: Array) -> Self:
        return cls(names, *_decomposed(curvature))

    def turned(self, gradients: Mapping[str, Array]) -> Array:
        flat = _flat(gradients, self.names)
        # One product of all rows: NumPy would make one for each.
        return np.asarray(flat.reshape(-1, flat.shape[2]) @ self.vectors).reshape(flat.shape)

    def matrix(self) -> Array:
        return np.asarray((self.vectors * self.eigenvalues) @ self.vectors.T)

    def arrays(self) -> dict[str, Array]:
        return {**super().arrays(), "vectors": self.vectors}


@dataclass(frozen=True)
class Kronecker(Block):
    """A ⊗ B of one parameter; ``left`` [p, p] and ``right`` [q, q] have their eigenvectors as columns.

    ``order``: the parameter's axes, those of A before those of B; ``shape``: its sizes.
    """

    kind = "kronecker"
    left: Array
    right: Array
    order: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, name: str, a: Array, b: Array, order: tuple[int, ...], shape: tuple[int, ...]) -> Self:
        (of_a, left), (of_b, right) = _decomposed(a), _decomposed(b)
        return cls((name,), np.outer(of_a, of_b).ravel(), left, right, order, shape)

    def turned(self, gradients: Mapping[str, Array]) -> Array:
        given = gradients[self.names[0]]
        rows = given.shape[:2]
        parts = np.transpose(given, (0, 1, *(2 + axis for axis in self.order)))
        parts = parts.reshape(*rows, len(self.left), len(self.right))
        return np.asarray(self.left.T @ parts @ self.right).reshape(*rows, -1)

    def matrix(self) -> Array:
        vectors = np.kron(self.left, self.right)
        turned = (vectors * self.eigenvalues) @ vectors.T
        place = np.transpose(np.arange(prod(self.shape)).reshape(self.shape), self.order).ravel()
        made = np.empty_like(turned)
        made[np.ix_(place, place)] = turned
        return made

    def arrays(self) -> dict[str, Array]:
        return {
            **super().arrays(),
            "left": self.left,
            "right": self.right,
            "order": np.array(self.order),
            "shape": np.array(self.shape),
        }


@dataclass(frozen=True)
class Posterior:
    """The posterior of parameters around their values, normal, its blocks independent of each other.

    ``count``: how often the likelihood counts, τ; ``precision``: that of the prior, δ.
    """

    blocks: tuple[Block, ...]
    count: float
    precision: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for block in self.blocks for name in block.names)

    @cached_property
    def eigenvalues(self) -> Array:
        """Those of G, of all blocks."""
        return np.concatenate([block.eigenvalues for block in self.blocks])

    def output_covariance(self, gradients: Mapping[str, Array]) -> Array:
        """J Σ Jᵀ [b, k, k] for the Jacobian of each row's outputs, by parameter [b, k, axes of the parameter]."""
        total: Any = 0.0
        for block in self.blocks:
            turned = block.turned(gradients)
            scaled = turned / (self.count * block.eigenvalues + self.precision)
            total = total + scaled @ np.swapaxes(turned, 1, 2)
        return np.asarray(total)

    def covariance(self, block: int = 0) -> Array:
        """The covariance [m, m] of the parameters of one block."""
        found = self.blocks[block]
        return np.linalg.inv(self.count * found.matrix() + self.precision * np.eye(len(found.eigenvalues)))


KINDS: dict[str, type[Block]] = {kind.kind: kind for kind in (Diagonal, Whole, Kronecker)}


def blocks_to_arrays(blocks: tuple[Block, ...]) -> dict[str, Array]:
    """Blocks as arrays by names that say what they are: ``0:kronecker:dense1.W:left``."""
    return {
        f"{number}:{block.kind}:{','.join(block.names)}:{part}": np.ascontiguousarray(array)
        for number, block in enumerate(blocks)
        for part, array in block.arrays().items()
    }


def blocks_from_arrays(arrays: Mapping[str, Array]) -> tuple[Block, ...]:
    """What ``blocks_to_arrays`` wrote."""
    found: dict[tuple[int, str, str], dict[str, Any]] = {}
    for name, array in arrays.items():
        number, kind, names, part = name.split(":")
        value = tuple(array.tolist()) if part in ("order", "shape") else array
        found.setdefault((int(number), kind, names), {})[part] = value
    in_order = sorted(found.items(), key=lambda item: item[0])
    return tuple(KINDS[kind](names=tuple(names.split(",")), **parts) for (_, kind, names), parts in in_order)


def _flat(gradients: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    """The gradients of several parameters one behind the other, [b, k, m]."""
    return np.concatenate([gradients[name].reshape(*gradients[name].shape[:2], -1) for name in names], axis=2)


def _decomposed(curvature: Array) -> tuple[Array, Array]:
    """Eigenvalues, none of them negative (those that are, are so by rounding), and eigenvectors as columns."""
    with threads_for(0) if len(curvature) < WORTH_SHARING else nullcontext():
        values, vectors = np.linalg.eigh(curvature)
    return np.maximum(values, 0.0), vectors
