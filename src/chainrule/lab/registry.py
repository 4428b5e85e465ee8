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


NEVER_TRAINED = "it had never been trained and made room for another run"
UNUSED = "no tab had it open for long"
BY_HAND = "it was ended by hand"


@dataclass
class Runs:
    """The runs of one server, by id: at most ``most`` at once.  One that is not training and that no tab has had open
    for ``idle`` seconds ends.
    """

    most: int = MOST_RUNS
    idle: float = IDLE_SECONDS
    _runs: dict[str, LabRun] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)  # id → why the run ended
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, setup: Setup, data: LabSet) -> LabRun:
        """A new run, ready to start.  Where there are as many as there may be, one to which nothing has been done ends
        for it; raises ChainruleError where there is none: what was trained is never dropped to make room.
        """
        self.end_idle()
        with self._lock:
            if len(self._runs) >= self.most:
                untouched = [run for run in self._runs.values() if run.state == "ready" and run.version == 0]
                if not untouched:
                    raise ChainruleError(
                        f"the lab keeps {self.most} runs, and something was done in each of them; "
                        "end one first, in Compare"
                    )
                least = min(untouched, key=lambda run: run.used)
                self._reasons[least.id] = NEVER_TRAINED
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

    def use(self, *runs: LabRun | None) -> None:
        """Note that a tab has these runs open, seen or hidden."""
        for run in runs:
            if run is not None:
                run.used = time.monotonic()

    def end(self, id: str, reason: str = BY_HAND) -> None:
        """End a run, if it is there."""
        with self._lock:
            run = self._runs.pop(id, None)
            if run is not None:
                self._reasons[id] = reason
        if run is not None:
            run.close()

    def why_ended(self, id: str) -> str:
        """Why there is no run of this id any more, as a clause: "no tab had it open for long"."""
        return self._reasons.get(id, "the server was started anew")

    def end_idle(self) -> None:
        """End the runs that no tab has had open for ``idle`` seconds and that are not training."""
        for run in self.all():
            if run.state != "running" and time.monotonic() - run.used > self.idle:
                self.end(run.id, UNUSED)

    def close(self) -> None:
        """End all of them."""
        for run in self.all():
            self.end(run.id)
