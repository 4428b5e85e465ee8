"""What chainrule is to reach: how many times as fast as whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.speed.images import CONVNET, LENET, RESNET
from benchmarks.speed.measure import Row
from benchmarks.speed.peers import CHAINRULE, ESTIMATOR, JAX, TORCH

BEST = "best peer"


@dataclass(frozen=True)
class Target:
    """``workload`` None is the start of a process; ``against`` a peer, or the best of all."""

    workload: str | None
    against: str
    ratio: float
    ours: str = CHAINRULE.name

    def measured(self, rows: Mapping[str, Row], start: Row | None) -> float:
        """The ratio reached; NaN where something was not measured."""
        row = start if self.workload is None else rows.get(self.workload)
        if row is None:
            return math.nan
        if self.against != BEST:
            return row.ratio(self.against, self.ours)
        peers = [name for name in row.measured if name not in (CHAINRULE.name, ESTIMATOR.name)]
        ratios = [ratio for ratio in (row.ratio(name, self.ours) for name in peers) if not math.isnan(ratio)]
        return min(ratios, default=math.nan)


SMALL = "784-30-10 sigmoid, batch 10, Adam"
FULL = "4-32-16-4 tanh, 10,000 rows at once, Adam"
MIDDLE = "784-512-512-10 ReLU, batch 128, Adam"
LARGE = "784-1024-1024-10 ReLU, batch 512, Adam"
ONE = "20-64-64-3 ReLU, softmax, one row"

TARGETS = (
    Target(SMALL, TORCH.name, 12),
    Target(SMALL, JAX.name, 2),
    Target(FULL, TORCH.name, 4),
    Target(FULL, JAX.name, 3),
    Target(MIDDLE, TORCH.name, 1.6),
    Target(MIDDLE, JAX.name, 1.1),
    Target(LARGE, TORCH.name, 1.25),
    Target(LARGE, BEST, 1),
    Target(ONE, TORCH.name, 15),
    Target(ONE, TORCH.name, 3, ESTIMATOR.name),
    Target(LENET, BEST, 3),
    Target(CONVNET, BEST, 1.8),
    Target(RESNET, BEST, 1.1),
    Target("LSTM 256, 64 positions, batch 32, Adam", BEST, 1.4),
    Target("GRU 256, 64 positions, batch 32, Adam", BEST, 1.4),
    Target("GPT 4 × 128, 64 positions, batch 16, Adam", BEST, 1.6),
    Target("GPT 4 × 128, one symbol after the other", BEST, 5),
    Target(None, TORCH.name, 1, "cold"),
    Target(None, TORCH.name, 2, "warm"),
)


def reached(rows: Sequence[Row], start: Row | None) -> list[dict[str, Any]]:
    """Every target that was measured, with what was reached."""
    named = {row.workload.name: row for row in rows}
    found = []
    for target in TARGETS:
        measured = target.measured(named, start)
        if not math.isnan(measured):
            found.append({**asdict(target), "measured": measured, "met": measured >= target.ratio})
    return found
