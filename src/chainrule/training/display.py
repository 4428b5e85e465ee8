"""The live display of a run: how far, how fast, how well.  It never takes more than 2 % of the time."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from chainrule.training.callbacks import Callback, Run

SHARE = 0.02  # of the time of the run
SOONEST = 0.1  # seconds between two refreshes, however cheap they are
PLAIN_EVERY = 5.0  # seconds between two lines where there is no terminal to draw on


class Budget:
    """Says when something may be done again that must not take more than a share of the time."""

    def __init__(self, share: float = SHARE, soonest: float = SOONEST) -> None:
        self.share = share
        self.soonest = soonest
        self.next = 0.0

    def due(self) -> bool:
        return time.perf_counter() >= self.next

    def spent(self, seconds: float) -> None:
        """Wait until ``seconds`` are no more than the share."""
        self.next = time.perf_counter() + max(self.soonest, seconds / self.share)


class Display(Callback):
    """A bar with epoch, losses, metrics and speed on a terminal; elsewhere a line every few seconds."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = Console(stderr=True) if console is None else console
        self.progress: Progress | None = None
        self.task: TaskID | None = None
        self.budget = Budget()

    def on_start(self, run: Run) -> None:
        self.budget = Budget(soonest=SOONEST if self.console.is_terminal else PLAIN_EVERY)
        self.budget.spent(0)
        if self.console.is_terminal:
            columns = (TextColumn("{task.fields[epoch]}"), BarColumn(24), TextColumn("{task.fields[values]}"))
            # No thread of its own: it is drawn from the loop, within the budget.
            self.progress = Progress(*columns, console=self.console, auto_refresh=False, transient=True)
            self.task = self.progress.add_task("", total=run.steps, epoch="", values="")
            self.progress.start()

    def on_steps(self, run: Run) -> None:
        if self.budget.due():
            start = time.perf_counter()
            self.draw(run)
            self.budget.spent(time.perf_counter() - start)

    def on_end(self, run: Run) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
        reason = f" ({run.stopped})" if run.stopped else ""
        self.console.print(f"{epoch_of(run)}  {values_of(run)}{reason}", highlight=False, markup=False)

    def draw(self, run: Run) -> None:
        if self.progress is None or self.task is None:
            self.console.print(f"{epoch_of(run)}  {values_of(run)}", highlight=False, markup=False)
            return
        self.progress.update(self.task, completed=run.step, epoch=epoch_of(run), values=values_of(run))
        self.progress.refresh()


def epoch_of(run: Run) -> str:
    """The epoch that is being trained."""
    return f"epoch {min(run.epoch + (run.step > run.epoch * run.steps_per_epoch), run.epochs)}/{run.epochs}"


def values_of(run: Run) -> str:
    """Loss, validation and speed in one line."""
    left_out = ("epoch", "steps", "loss", "learning_rate", "gradient_norm", "seconds")
    shown = {"loss": run.history.last.get("loss", run.loss)}
    shown |= {name: value for name, value in run.history.last.items() if name not in left_out}
    seconds = time.perf_counter() - run.started
    speed = f"{run.step / seconds:,.0f} steps/s" if seconds > 0 else ""
    clock = f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    return "  ".join([*(f"{name.replace('_', ' ')} {value:.4g}" for name, value in shown.items()), speed, clock])
