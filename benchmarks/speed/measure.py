"""Measuring: each peer in its own process, all of them in turn, so that what disturbs one disturbs all."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.speed.peers import CHAINRULE, COMPILED, JAX, SKLEARN, TORCH, Peer, Settings
from benchmarks.speed.process import ROOT, Failed, Process
from benchmarks.speed.workloads import START, Workload

# GFLOP/s: dtype → library → size of the square matrices → the best seen
Peaks = dict[str, dict[str, dict[str, float]]]


QUIET = 0.3  # seconds before each turn: the threads of the one before spin for a while after its last step


@dataclass(frozen=True)
class Options:
    """How to measure.  ``seconds``: about how long each takes in each round."""

    rounds: int
    seconds: float
    threads: int
    backend: str
    quick: bool = False


@dataclass
class Measurement:
    """One peer on one workload."""

    peer: str
    settings: Settings = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)  # a step (call, fit), one for each round
    imported: float = math.nan
    built: float = math.nan  # seconds from the definition to being ready: building, deriving, compiling
    memory_imported: float = math.nan  # MB
    memory: float = math.nan  # MB, the peak
    result: float = math.nan  # the mean loss over the first chunk, a probability, an accuracy
    problem: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else math.nan

    def fields(self) -> dict[str, Any]:
        return {**asdict(self), "median": self.median}


@dataclass
class Row:
    """All peers on one workload."""

    workload: Workload
    measured: dict[str, Measurement]

    def ratio(self, peer: str, ours: str = CHAINRULE.name) -> float:
        """How many times as long as ours the peer takes; NaN if one of them was not measured."""
        nothing = Measurement("")
        return self.measured.get(peer, nothing).median / self.measured.get(ours, nothing).median

    @property
    def disagreeing(self) -> list[str]:
        """The peers whose first losses (or probabilities) are not those of the others: not the same mathematics."""
        if self.workload.task == "fit":
            return []
        results = {m.peer: m.result for m in self.measured.values() if not math.isnan(m.result)}
        if not results:
            return []
        middle = statistics.median(results.values())
        tolerance = 0.2 if self.workload.dropout else 0.02 if self.workload.task == "train" else 1e-3
        return [peer for peer, result in results.items() if abs(result - middle) > tolerance * abs(middle)]

    def fields(self) -> dict[str, Any]:
        return {
            "workload": self.workload.fields(),
            "unit": self.workload.unit,
            "operations": self.workload.operations,
            "measured": {peer: found.fields() for peer, found in self.measured.items()},
            "disagreeing": self.disagreeing,
        }


@dataclass
class Running:
    """A worker that is ready, and how many of its chunks make a round."""

    process: Process
    measurement: Measurement
    chunks: int = 1

    def round(self, workload: Workload) -> float:
        """The seconds of a step."""
        return self.process.run(self.chunks) / (self.chunks * workload.chunk)


def measure(workload: Workload, peers: Sequence[Peer], options: Options) -> Row:
    """Every peer that can do the workload, round by round."""
    measured: dict[str, Measurement] = {}
    running: list[Running] = []
    with ExitStack() as stack:
        for peer in peers:
            if not peer.covers(workload):
                continue
            measured[peer.name] = found = Measurement(peer.name, problem=peer.missing)
            if found.problem:
                continue
            candidates = peer.candidates(workload, options.threads, options.backend, options.quick)
            eager = measured.get(TORCH.name)
            if peer is COMPILED and eager is not None and eager.settings:
                # The number of threads is written into the code; what was best before is kept.
                candidates = [{**eager.settings, "form": peer.form}]
            try:
                best = _fastest([_ready(stack, peer, workload, settings, options) for settings in candidates], workload)
            except Failed as failed:
                found.problem = str(failed)
                continue
            measured[peer.name] = best.measurement
            running.append(best)
        for _ in range(options.rounds):
            for one in running:
                time.sleep(QUIET)
                one.measurement.seconds.append(one.round(workload))
        for one in running:
            one.measurement.memory = one.process.ask("end")["memory"]
    return Row(workload, measured)


def _ready(stack: ExitStack, peer: Peer, workload: Workload, settings: Settings, options: Options) -> Running:
    """A worker that has compiled and run its first chunks."""
    process = stack.enter_context(Process(peer, workload, settings))
    imported, built = process.reply(), process.reply()
    process.run(1)
    found = Measurement(
        peer.name,
        settings,
        imported=imported["seconds"],
        built=built["seconds"],
        memory_imported=imported["memory"],
        result=process.ask("result")["result"],
    )
    chunks = math.ceil(options.seconds / max(process.run(1), 1e-6))
    return Running(process, found, chunks)


def _fastest(candidates: Sequence[Running], workload: Workload) -> Running:
    """The fastest of them, tried three times in turn; the others are ended."""
    if len(candidates) == 1:
        return candidates[0]
    seconds: list[list[float]] = [[] for _ in candidates]
    for _ in range(3):
        for one, taken in zip(candidates, seconds, strict=True):
            taken.append(one.round(workload))
    best = min(zip(candidates, seconds, strict=True), key=lambda pair: statistics.median(pair[1]))[0]
    for one in candidates:
        if one is not best:
            one.process.close()
    return best


# --- from the start of a process to the first finished step ----------------------------------------------------------


def measure_starts(peers: Sequence[Peer], options: Options) -> Row:
    """Seconds from starting a process to its first finished step; ours with an empty cache and with a filled one."""
    settings: Settings = {"form": "program", "backend": options.backend, "threads": options.threads}
    wanted: list[tuple[str, Peer, Settings]] = [
        ("cold", CHAINRULE, settings),
        ("warm", CHAINRULE, settings),
        (TORCH.name, TORCH, {"form": "eager", "threads": 1}),
        (JAX.name, JAX, {"threads": options.threads, "unroll": 1}),
        (SKLEARN.name, SKLEARN, {"threads": 1}),
        (COMPILED.name, COMPILED, {"form": "compile", "threads": 1}),
    ]
    measured: dict[str, Measurement] = {}
    parts: dict[str, list[tuple[float, float]]] = {}
    rounds = min(3, options.rounds) if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as warm:
        for number in range(rounds + 1):
            for name, peer, how in wanted:
                if peer not in peers or (peer is COMPILED and number > 2):
                    continue  # twice is enough for what takes as long as all others together
                found = measured.setdefault(name, Measurement(name, how, problem=peer.missing))
                if found.problem:
                    continue
                try:
                    taken, imported, built = _start(peer, how, Path(warm) if name == "warm" else None, found)
                except Failed as failed:
                    found.problem = str(failed)
                    continue
                if number:  # the first is to have the files of all in memory, and the warm cache filled
                    found.seconds.append(taken)
                    parts.setdefault(name, []).append((imported, built))
    for name, taken_by in parts.items():
        medians = [statistics.median(seconds) for seconds in zip(*taken_by, strict=True)]
        measured[name].imported, measured[name].built = medians
    return Row(START, measured)


def _start(peer: Peer, settings: Settings, caches: Path | None, found: Measurement) -> tuple[float, float, float]:
    """Seconds to the first finished step, and those of them for importing and for building."""
    begun = time.perf_counter()
    with Process(peer, START, settings, caches) as process:
        imported, built = process.reply(), process.reply()
        process.run(1)
        taken = time.perf_counter() - begun
        found.memory_imported, found.memory = imported["memory"], process.ask("end")["memory"]
    return taken, imported["seconds"], built["seconds"]


# --- the machine ------------------------------------------------------------------------------------------------------


def measure_peaks(peaks: Peaks, libraries: Sequence[str], threads: int) -> None:
    """Put in the rates of square matrix products where they are the best so far, the libraries in turn."""
    for dtype in ("float32", "float64"):
        for library in libraries:
            command = [sys.executable, "-m", "benchmarks.speed.peak", library, dtype, str(threads)]
            answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            if answer.returncode == 0:
                found = peaks.setdefault(dtype, {}).setdefault(library, {})
                for size, value in json.loads(answer.stdout).items():
                    found[size] = max(value, found.get(size, 0.0))


def peak_of(peaks: Peaks, dtype: str) -> float:
    """The most that any library reaches at any size."""
    return max((value for sizes in peaks.get(dtype, {}).values() for value in sizes.values()), default=math.nan)
