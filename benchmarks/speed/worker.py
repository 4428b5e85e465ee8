"""One library on one workload, in a process of its own: ``python -m benchmarks.speed.worker JOB``.

The job is JSON: peer, workload, settings.  Replies are lines of JSON on the standard output: what the import took and
the memory after it, then what building and compiling took.  After that, each line of the standard input is a command:
``run N`` runs N chunks and replies with the seconds, ``result`` replies with the mean loss over the last chunk (the
accuracy of a fit), ``end`` with the peak of the memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TextIO

from benchmarks.speed.images import Images
from benchmarks.speed.sequences import Sequences
from benchmarks.speed.workloads import Workload


class Session(Protocol):
    """A workload, built and compiled."""

    def run(self, chunks: int) -> None:
        """Run this many chunks, to their end."""

    def result(self) -> float:
        """The mean loss over the steps of the last chunk, the accuracy of the last fit, or NaN."""


def peak_memory() -> float:
    """The most memory that this process has held, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: its figure is never below that of the process that started this one.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def serve(job: dict[str, Any], replies: TextIO) -> None:
    def reply(**values: Any) -> None:
        print(json.dumps(values), file=replies, flush=True)

    settings = job["settings"]
    if settings.get("pin"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    start = time.perf_counter()
    module = import_module(job["module"])
    reply(seconds=time.perf_counter() - start, memory=peak_memory())
    fields = job["workload"]
    kind = Sequences if "length" in fields else Images if "family" in fields else Workload
    workload = kind.read(fields)
    # The arrays are there before the clock starts.
    _ = (workload.weights, workload.orders, workload.data) if workload.task != "fit" else ()
    start = time.perf_counter()
    session: Session = module.build(workload, settings)
    reply(seconds=time.perf_counter() - start, memory=peak_memory())
    for line in sys.stdin:
        match line.split():
            case ["run", chunks]:
                start = time.perf_counter()
                session.run(int(chunks))
                reply(seconds=time.perf_counter() - start)
            case ["result"]:
                reply(result=session.result())
            case ["end"]:
                reply(memory=peak_memory())
                return


def main() -> None:
    # What libraries print goes to the standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        serve(json.loads(sys.argv[1]), replies)
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        print(json.dumps({"error": f"{type(error).__name__}: {lines[0]}"}), file=replies, flush=True)
        raise


if __name__ == "__main__":
    main()
