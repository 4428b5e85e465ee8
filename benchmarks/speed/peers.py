"""Who is measured, and with which settings: each is tried with those that may suit it, and the fastest are kept."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks.speed.workloads import Workload

Settings = dict[str, Any]

# Operations of a step below which ``--quick`` gives it one thread without trying two.
SMALL = 2e8


@dataclass(frozen=True)
class Peer:
    """A library, in one of the forms in which it may be used."""

    name: str
    module: str
    form: str = ""
    package: str = "chainrule"

    @property
    def ours(self) -> bool:
        return self.package == "chainrule"

    @property
    def missing(self) -> str | None:
        """Why it cannot be measured here."""
        return None if find_spec(self.package) else f"{self.package} is not installed"

    def covers(self, workload: Workload) -> bool:
        """Whether it can do the same thing."""
        if workload.task == "fit":
            return self in (CHAINRULE, SKLEARN)
        if self is ESTIMATOR:
            return workload.task == "predict" and workload.batch == 1
        if self is SKLEARN:
            return workload.activation in ("relu", "sigmoid", "tanh") and not workload.dropout
        return True

    def candidates(self, workload: Workload, threads: int, backend: str, quick: bool) -> list[Settings]:
        """The settings to try; ``threads`` is how many there may be."""
        counts = sorted({1, threads})
        if quick:
            counts = counts[:1] if workload.operations < SMALL else counts[-1:]
        if self.ours:
            return [{"form": self.form, "backend": backend, "threads": threads}]  # it decides for itself
        if self is JAX:
            # Its thread pool is as large as the cores it may run on; unrolling pays where steps are short.
            return [{"threads": n, "pin": n == 1, "unroll": 4 if n == 1 and not quick else 1} for n in counts]
        return [{"form": self.form, "threads": n} for n in counts]


CHAINRULE = Peer("chainrule", "benchmarks.speed.with_chainrule", "program")
ESTIMATOR = Peer("predict_proba", "benchmarks.speed.with_chainrule", "estimator")
TORCH = Peer("PyTorch", "benchmarks.speed.with_torch", "eager", "torch")
COMPILED = Peer("torch.compile", "benchmarks.speed.with_torch", "compile", "torch")
JAX = Peer("JAX", "benchmarks.speed.with_jax", package="jax")
SKLEARN = Peer("scikit-learn", "benchmarks.speed.with_sklearn", package="sklearn")

PEERS = (CHAINRULE, ESTIMATOR, TORCH, COMPILED, JAX, SKLEARN)
