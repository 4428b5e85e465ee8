"""A result beside the published figure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Result:
    """What was measured on test rows that nothing was chosen on, and what is asked of it.

    ``measure``: what the figures are, with their unit; ``target``: at least that where ``higher`` is better, else at
    most; ``each``: the figures of which ``ours`` is the mean, where there are several; ``minutes``: of training, and
    ``rows_a_second`` in it; ``samples``: lines to show below.
    """

    name: str
    network: str
    measure: str
    ours: float
    published: str
    source: str
    target: float
    higher: bool
    seed: int
    epochs: int
    minutes: float
    rows_a_second: float
    backend: str
    each: tuple[float, ...] = ()
    samples: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        return self.ours >= self.target if self.higher else self.ours <= self.target

    def json(self) -> str:
        """All of it, on one line."""
        return json.dumps(asdict(self) | {"reached": self.reached}, ensure_ascii=False)

    def __str__(self) -> str:
        bound = "at least" if self.higher else "at most"
        verdict = "reached" if self.reached else "not reached"
        each = f"  (mean of {', '.join(f'{value:.4g}' for value in self.each)})" if self.each else ""
        lines = (
            f"{self.name}: {self.network}",
            f"  ours       {self.ours:.4g} {self.measure}{each}",
            f"  published  {self.published}  ({self.source})",
            f"  target     {bound} {self.target:g}: {verdict}",
            f"  seed {self.seed}, {self.epochs} epochs, {self.minutes:.1f} minutes, "
            f"{self.rows_a_second:,.0f} rows/s, backend {self.backend}",
            *(f"    {line}" for line in self.samples),
        )
        return "\n".join(lines)
