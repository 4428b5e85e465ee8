"""Who is measured, and with which settings: each is tried with those that may suit it, and the fastest are kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks.speed.images import Images
from benchmarks.speed.sequences import Sequences
from benchmarks.speed.workloads import Workload

Settings = dict[str, Any]

# Operations of a step below which one thread is best, and above which all are; between them both are tried.
ONE_IS_BEST, ALL_ARE_BEST = 1e7, 2e9
IN_DOUBT = 2e8  # where ``--quick`` divides them without trying


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
            known = workload.activation in ("relu", "sigmoid", "tanh") and not workload.dropout
            return known and not isinstance(workload, Images)
        return True

    def measured(self, chosen: Collection[str], quick: bool) -> bool:
        """Whether to measure it, when these are asked for by their names in small letters (none: all)."""
        if not chosen:
            return not (quick and self is COMPILED)  # which takes longer to compile than all others together
        return self.ours or self.name.lower() in chosen

    def candidates(self, workload: Workload, threads: int, backend: str, quick: bool) -> list[Settings]:
        """The settings to try; ``threads`` is how many there may be."""
        counts = sorted({1, threads})
        if workload.operations < (IN_DOUBT if quick else ONE_IS_BEST):
            counts = counts[:1]
        elif workload.operations >= (IN_DOUBT if quick else ALL_ARE_BEST):
            counts = counts[-1:]
        if self.ours:
            return [{"form": self.form, "backend": backend, "threads": threads}]  # it decides for itself
        if self is JAX and isinstance(workload, Sequences):
            # Unrolled are the positions of a recurrent layer.
            unrolled = (1, 4) if workload.family != "gpt" else (1,)
            return [{"threads": n, "pin": n == 1, "unroll": count} for n in counts for count in unrolled]
        if self is JAX and isinstance(workload, Images):
            return [{"threads": n, "pin": n == 1} for n in counts]
        if self is JAX:
            # Its thread pool is as large as the cores it may run on; unrolling pays where steps are short.
            return [{"threads": n, "pin": n == 1, "unroll": 4 if n == 1 and not quick else 1} for n in counts]
        if self in (TORCH, COMPILED) and isinstance(workload, Images):
            return [{"form": self.form, "threads": n, "channels_last": last} for n in counts for last in (False, True)]
        return [{"form": self.form, "threads": n} for n in counts]


CHAINRULE = Peer("chainrule", "benchmarks.speed.with_chainrule", "program")
ESTIMATOR = Peer("predict_proba", "benchmarks.speed.with_chainrule", "estimator")
TORCH = Peer("PyTorch", "benchmarks.speed.with_torch", "eager", "torch")
COMPILED = Peer("torch.compile", "benchmarks.speed.with_torch", "compile", "torch")
JAX = Peer("JAX", "benchmarks.speed.with_jax", package="jax")
SKLEARN = Peer("scikit-learn", "benchmarks.speed.with_sklearn", package="sklearn")

PEERS = (CHAINRULE, ESTIMATOR, TORCH, COMPILED, JAX, SKLEARN)
