"""What may watch a run and stop it.

A callback sees the run after each group of steps, after each epoch and at the end; a plain function is called after
each epoch.  ``run.stop(reason)`` ends training after the epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from numpy.typing import NDArray

from chainrule.definition import plain
from chainrule.errors import ChainruleError
from chainrule.training.history import History

Array = NDArray[Any]


@dataclass
class Run:
    """Where training stands.  ``state`` holds parameters and optimizer states by name, as they are now, and what
    callbacks keep for the end of the run.
    """

    state: dict[str, Array]
    parameters: tuple[str, ...]
    epochs: int
    steps_per_epoch: int
    seed: int = 0
    history: History = field(default_factory=History)
    epoch: int = 0  # epochs that are complete
    step: int = 0  # steps that are complete
    loss: float = math.nan  # of the latest steps
    started: float = field(default_factory=time.perf_counter)
    stopped: str | None = None
    best_epoch: int | None = None  # the epoch whose weights were kept, where not the last
    computed_by: str = ""  # "compiled for avx2, 1 thread", once steps have been done
    plan: str = ""  # what is kept on the way, and when: "the mean of the weights from epoch 30 of 40 on"
    notes: dict[object, dict[str, Any]] = field(default_factory=dict)  # what callbacks remember of this run

    def stop(self, reason: str) -> None:
        """End training; what was learnt so far is kept."""
        self.stopped = self.stopped or reason

    @property
    def steps(self) -> int:
        """The steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class Callback:
    """Something that watches a run; each method may be left as it is."""

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_steps(self, run: Run) -> None:
        """After each group of steps (a few times a second)."""

    def on_epoch(self, run: Run) -> None:
        """After each epoch, when its row is in ``run.history``."""

    def on_end(self, run: Run) -> None:
        """After the last step, also when training was stopped or interrupted."""


class _Function(Callback):
    def __init__(self, function: Callable[[Run], object]) -> None:
        self.function = function

    def on_epoch(self, run: Run) -> None:
        self.function(run)


def as_callbacks(given: Any) -> tuple[Callback, ...]:
    """A callback, a function, or several of them, as callbacks."""
    if given is None:
        return ()
    if isinstance(given, Callback) or not isinstance(given, Iterable):
        given = (given,)
    made = []
    for callback in given:
        if isinstance(callback, type) and issubclass(callback, Callback):
            raise ChainruleError(f"callbacks: {callback.__name__} is a class; write {callback.__name__}()")
        if not isinstance(callback, Callback) and not callable(callback):
            raise ChainruleError(f"callbacks: {callback!r} is neither a callback nor a function")
        made.append(callback if isinstance(callback, Callback) else _Function(callback))
    return tuple(made)


@dataclass(frozen=True)
class EarlyStopping(Callback):
    """Stop when ``metric`` has not improved for ``patience`` epochs, and go back to the weights of the best epoch.

    ``metric``: a column of the history: ``validation_loss``, ``loss`` (lower is better) or the name of a scorer of
    scikit-learn, measured on the validation rows (higher is better).  ``min_improvement``: less than this is none.
    """

    metric: str = "validation_loss"
    patience: int = 10
    min_improvement: float = 0.0

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, plain(getattr(self, one.name)))
        if not isinstance(self.patience, int) or self.patience < 1:
            raise ChainruleError(f"EarlyStopping: patience is a number of epochs, 1 or more, not {self.patience!r}")

    def on_epoch(self, run: Run) -> None:
        # Remembered in the run and not here, so that one instance can serve several fits at once.
        best = run.notes.setdefault(self, {"value": math.inf, "epoch": 0})
        column = next((name for name in (self.metric, f"validation_{self.metric}") if name in run.history), None)
        if column is None:
            needs = (
                "" if "validation_loss" in run.history else "; what is measured on validation rows needs some of them"
            )
            raise ChainruleError(
                f"EarlyStopping: no {self.metric!r} to watch; this run has {', '.join(run.history.names)}{needs}"
            )
        if column not in run.history.last:
            return  # an epoch more, on rows given without validation rows
        if math.isnan(run.history.last[column]):
            raise ChainruleError(
                f"EarlyStopping: {column} is not a number (NaN) after epoch {run.epoch}; watch another"
            )
        value = run.history.last[column] * (1 if column in ("loss", "validation_loss") else -1)
        if value < best["value"] - self.min_improvement:
            best.update(value=value, epoch=run.epoch)
            best["weights"] = {name: run.state[name].copy() for name in run.parameters}
        elif run.epoch - best["epoch"] >= self.patience:
            run.stop(f"{self.metric} has not improved for {self.patience} epochs")

    def on_end(self, run: Run) -> None:
        best = run.notes.get(self, {})
        for name, value in best.get("weights", {}).items():
            run.state[name][...] = value
            run.best_epoch = best["epoch"]
