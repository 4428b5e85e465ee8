"""The runs of one server: how many there may be at once, and when one that nobody looks at ends."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from chainrule.errors import ChainruleError
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import LabSet
from chainrule.lab.setup import Setup

MOST_RUNS = 8
IDLE_SECONDS = 3600.0


@dataclass
class Runs:
    """The runs of one server, by id: at most ``most`` at once; unused ones end after some time."""

    most: int = MOST_RUNS
    idle: float = IDLE_SECONDS
    _runs: dict[str, LabRun] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, setup: Setup, data: LabSet) -> LabRun:
        """A new run, ready to start.  Where there are as many as there may be, one that is not training ends for it;
        raises ChainruleError where all are training.
        """
        self.end_idle()
        with self._lock:
            resting = [run for run in self._runs.values() if run.state != "running"]
            if len(self._runs) >= self.most:
                if not resting:
                    raise ChainruleError(f"{self.most} runs are training; pause one of them first")
                # First one that never trained: a tab that was opened makes such a run, and nothing is lost with it.
                least = min(resting, key=lambda run: (run.state != "ready", run.used))
                self._runs.pop(least.id).close()
            made = LabRun(setup, data)
            self._runs[made.id] = made
            return made

    def get(self, id: str) -> LabRun | None:
        """A run by its id; None where it has ended or never was."""
        return self._runs.get(id)

    def all(self) -> tuple[LabRun, ...]:
        """The runs, in the order in which they were made."""
        return tuple(self._runs.values())

    def end(self, id: str) -> None:
        """End a run, if it is there."""
        with self._lock:
            run = self._runs.pop(id, None)
        if run is not None:
            run.close()

    def end_idle(self) -> None:
        """End the runs that nobody has looked at for ``idle`` seconds and that are not training."""
        for run in self.all():
            if run.state != "running" and time.monotonic() - run.used > self.idle:
                self.end(run.id)

    def close(self) -> None:
        """End all of them."""
        for run in self.all():
            self.end(run.id)
