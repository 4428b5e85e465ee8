"""The tables, for a terminal and as Markdown, and the JSON beside them."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.speed.measure import Measurement, Options, Peaks, Row, peak_of
from benchmarks.speed.peers import CHAINRULE, PEERS
from benchmarks.speed.targets import reached


@dataclass
class Results:
    """Everything that one run measured."""

    options: Options
    peaks: Peaks = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    start: Row | None = None
    load: float = field(default_factory=lambda: os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan)
    seconds: float = 0.0

    def fields(self) -> dict[str, Any]:
        """What the JSON holds."""
        fields = {
            "machine": machine(),
            "versions": versions(),
            "options": asdict(self.options),
            "load_before": self.load,
            "peaks": self.peaks,
            "workloads": [row.fields() for row in self.rows],
            "start": None if self.start is None else self.start.fields(),
            "targets": reached(self.rows, self.start),
            "seconds": self.seconds,
        }
        return {key: _finite(value) for key, value in fields.items()}

    def of(self, task: str) -> list[Row]:
        return [row for row in self.rows if row.workload.task == task]

    def sheets(self) -> Iterator[Sheet]:
        """The tables that have rows, in the order in which they are read."""
        for sheet in (
            self.machine_sheet(),
            self.speed_sheet("Training", "train"),
            self.speed_sheet("Predicting", "predict"),
            self.speed_sheet("Generating", "generate"),
            self.fit_sheet(),
            self.cost_sheet("Seconds to build and compile, in a process that has imported the library", "built"),
            self.cost_sheet("Peak memory in MB: all, and what the bare import does not take", "memory"),
            self.start_sheet(),
            self.target_sheet(),
        ):
            if sheet.rows:
                yield sheet

    def machine_sheet(self) -> Sheet:
        lines = [[name, value] for name, value in {**machine(), **versions()}.items()]
        lines.append(["backend", f"{self.options.backend}, at most {self.options.threads} threads"])
        lines.append(["processes computing before the run", f"{self.load:.1f}"])
        for dtype, libraries in self.peaks.items():
            for library, sizes in libraries.items():
                size, best = max(sizes.items(), key=lambda pair: pair[1])
                lines.append([f"peak {dtype}, {library}", f"{best:.1f} GFLOP/s at {size}²"])
        return Sheet("Machine", ["", ""], lines)

    def speed_sheet(self, title: str, task: str) -> Sheet:
        """Ours with its rate, then each peer's time and how many times ours it is."""
        rows = self.of(task)
        peers = _names(rows)
        lines = []
        for row in rows:
            ours = row.measured.get(CHAINRULE.name, Measurement(""))
            rate = row.workload.operations / ours.median / 1e9
            share = rate / peak_of(self.peaks, row.workload.dtype)
            lines.append(
                [
                    row.workload.name + (f" (≠ {', '.join(row.disagreeing)})" if row.disagreeing else ""),
                    _time(ours.median),
                    "" if math.isnan(rate) else f"{rate:.1f}",
                    "" if math.isnan(share) else f"{share:.0%}",
                    *(_compared(row, peer) for peer in peers),
                ]
            )
        unit = {"train": "a step", "predict": "a call", "generate": "a symbol"}.get(task, "")
        headers = [f"median time {unit}", CHAINRULE.name, "GFLOP/s", "of peak", *peers]
        return Sheet(title, headers, lines, _problems(rows))

    def fit_sheet(self) -> Sheet:
        lines = [
            [row.workload.name, name, _time(found.median), _time(found.built), f"{100 * found.result:.1f} %"]
            for row in self.of("fit")
            for name, found in row.measured.items()
            if found.seconds
        ]
        headers = ["whole fit", "", "median time", "first in its process", "test accuracy"]
        return Sheet("Fitting an estimator", headers, lines)

    def cost_sheet(self, title: str, what: str) -> Sheet:
        rows = [row for row in self.rows if row.workload.task != "fit"]
        peers = [CHAINRULE.name, *_names(rows)]

        def shown(found: Measurement | None) -> str:
            if found is None or not found.seconds:
                return "–"
            if what == "built":
                return f"{found.built:.2f}"
            return f"{found.memory:.0f}, {found.memory - found.memory_imported:.0f}"

        lines = [[row.workload.name, *(shown(row.measured.get(peer)) for peer in peers)] for row in rows]
        return Sheet(title, ["", *peers], lines)

    def start_sheet(self) -> Sheet:
        if self.start is None:
            return Sheet("", [], [])
        lines = []
        for name, found in self.start.measured.items():
            label = (
                f"{CHAINRULE.name}, cache {'empty' if name == 'cold' else 'filled'}" if name in OURS_AT_START else name
            )
            cells = [f"{found.median:.2f}", f"{found.imported:.2f}", f"{found.built:.2f}", f"{found.memory:.0f}"]
            lines.append([label, *(cells if found.seconds else ["–"] * 4)])
        headers = [self.start.workload.name, "seconds", "of which import", "build, compile", "peak memory, MB"]
        return Sheet("From the start of a process to the first finished step", headers, lines, _problems([self.start]))

    def target_sheet(self) -> Sheet:
        lines = [
            [
                target["workload"] or "process start to first step",
                target["ours"],
                target["against"],
                f"{target['ratio']:g} ×",
                f"{target['measured']:.2f} ×",
                "yes" if target["met"] else "no",
            ]
            for target in reached(self.rows, self.start)
        ]
        return Sheet("Targets", ["", "ours", "as fast as", "target", "measured", "met"], lines)


OURS_AT_START = ("cold", "warm")


@dataclass
class Sheet:
    """One table."""

    title: str
    headers: list[str]
    rows: list[list[str]]
    note: str = ""

    def print(self, console: Console) -> None:
        table = Table(
            title=self.title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", caption=self.note or None
        )
        for number, header in enumerate(self.headers):
            table.add_column(header, justify="left" if number == 0 else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> str:
        lines = [f"## {self.title}", ""]
        lines.append(f"| {' | '.join(self.headers)} |")
        lines.append("|---|" + "---:|" * (len(self.headers) - 1))
        lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in self.rows]
        return "\n".join([*lines, *(["", self.note] if self.note else []), ""])


def machine() -> dict[str, str]:
    """The processor and the system."""
    name = platform.processor() or platform.machine()
    processor = Path("/proc/cpuinfo")
    if processor.exists():
        models = [line.partition(":")[2].strip() for line in processor.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return {"processor": f"{name}, {cores()} cores", "system": f"{platform.system()} {platform.machine()}"}


def cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in ("chainrule", "numpy", "torch", "jax", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _names(rows: Sequence[Row]) -> list[str]:
    """The peers in these rows, ours left out."""
    return [p.name for p in PEERS if p.name != CHAINRULE.name and any(p.name in row.measured for row in rows)]


def _problems(rows: Sequence[Row]) -> str:
    """Why something was not measured."""
    return "; ".join(sorted({f"{name}: {m.problem}" for row in rows for name, m in row.measured.items() if m.problem}))


def _compared(row: Row, peer: str) -> str:
    """The peer's time, and how many times ours it is."""
    found = row.measured.get(peer)
    if found is None or not found.seconds:
        return "–"
    ratio = row.ratio(peer)
    return _time(found.median) + ("" if math.isnan(ratio) else f"  {ratio:.2f} ×")


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return "–"
    for least, factor, unit in ((1.0, 1.0, "s"), (1e-3, 1e3, "ms")):
        if seconds >= least:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _finite(value: Any) -> Any:
    """The value with None in place of NaN, which JSON does not have."""
    match value:
        case dict():
            return {key: _finite(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_finite(entry) for entry in value]
        case float() if not math.isfinite(value):
            return None
    return value
