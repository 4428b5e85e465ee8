"""What an examination finds, and what it says when it finds nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
NO_DATA = "needs data: rows with their targets"
Since = Literal["start", "training", ""]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    ``kind``: its short stable name (``dead-units``).  ``where``: the layer, parameter or column.  ``severity``: an
    ``error`` makes results wrong, a ``warning`` makes them worse than need be, a ``note`` is worth knowing.
    ``evidence``: a sentence with the numbers, which ``numbers`` holds by name.  ``advice``: what to do.  ``since``:
    whether the first values of the parameters show it already (``start``) or training has brought it about.
    """

    kind: str
    where: str
    severity: Severity
    evidence: str
    advice: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    since: Since = ""

    def __str__(self) -> str:
        return f"{self.kind}, {self.where}: {self.evidence} {self.advice}"

    def to_json(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {
            "kind": self.kind,
            "where": self.where,
            "severity": self.severity,
            "evidence": self.evidence,
            "advice": self.advice,
            "numbers": {name: float(value) for name, value in self.numbers.items()},
            "since": self.since,
        }


@dataclass(frozen=True)
class Examined:
    """One examination: ``said`` is what it looked at, with its numbers, or why it was ``skipped``."""

    name: str
    said: str
    findings: tuple[Finding, ...] = ()
    skipped: bool = False


def skipped(name: str, why: str) -> Examined:
    """An examination that could not be made."""
    return Examined(name, why, skipped=True)
