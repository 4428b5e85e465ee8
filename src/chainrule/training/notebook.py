"""The live display of a run in a notebook: one output, brought up to date where it stands."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from chainrule.notation.markup import text
from chainrule.notation.page import framed
from chainrule.training.callbacks import Callback, Run
from chainrule.training.display import Budget, Display, epoch_of, values_of
from chainrule.training.shown import STYLE, figures

SOONEST = 0.5  # seconds between two pictures, which travel to a browser and are laid out there

BAR = """
.chainrule .run { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; font-size: .9rem;
  font-variant-numeric: tabular-nums; margin: 0 0 .7rem; }
.chainrule .run b { min-width: 7rem; }
.chainrule .run .bar { flex: 0 0 14rem; height: .5rem; border-radius: .25rem; background: var(--line);
  overflow: hidden; }
.chainrule .run .bar > div { height: 100%; background: var(--accent); }
.chainrule .run span { color: var(--soft); }
"""


def live_display() -> Callback:
    """The display for where this process runs: in a notebook, on a terminal or without one."""
    return NotebookDisplay() if in_notebook() else Display()


def in_notebook() -> bool:
    """Whether this process runs the cells of a notebook; what is not imported yet stays so."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


@dataclass(frozen=True)
class _Picture:
    """A run as it stands, as IPython shows it."""

    line: str
    html: str

    def __repr__(self) -> str:
        return self.line

    def _repr_html_(self) -> str:
        return self.html


class NotebookDisplay(Callback):
    """A bar with epoch, losses, metrics and speed, and the curves so far; they stay when the run has ended."""

    def __init__(self) -> None:
        self.budget = Budget(soonest=SOONEST)
        self.handle: Any = None

    def on_start(self, run: Run) -> None:
        import IPython.display

        display: Any = IPython.display.display
        self.budget = Budget(soonest=SOONEST)
        self.handle = display(_picture(run), display_id=True)

    def on_steps(self, run: Run) -> None:
        if self.budget.due():
            start = time.perf_counter()
            self.handle.update(_picture(run))
            self.budget.spent(time.perf_counter() - start)

    def on_end(self, run: Run) -> None:
        self.handle.update(_picture(run))


def _picture(run: Run) -> _Picture:
    reason = f" ({run.stopped})" if run.stopped else ""
    epoch, values = epoch_of(run), f"{values_of(run)}{reason}" if run.step else ""
    done = 100 * min(1.0, run.step / max(1, run.steps))
    bar = (
        f'<div class="bar" role="progressbar" aria-label="steps done" aria-valuenow="{done:.0f}">'
        f'<div style="width: {done:.1f}%"></div></div>'
    )
    line = f'<div class="run"><b>{text(epoch)}</b>{bar}<span>{text(values)}</span></div>'
    drawn = figures(run.history) if len(run.history) > 1 else ""
    return _Picture(f"{epoch}  {values}", framed(f'<div class="shown">{line}{drawn}</div>', STYLE + BAR))
