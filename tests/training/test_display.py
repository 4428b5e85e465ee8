"""The display shows the run and keeps to its share of the time."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from chainrule.training.callbacks import Run
from chainrule.training.display import SHARE, Budget, Display


def test_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    budget, spent = Budget(soonest=0.0), 0.0
    while now < 100:
        if budget.due():
            now += 0.05
            spent += 0.05
            budget.spent(0.05)
        now += 0.001
    assert spent <= SHARE * now + 0.05


@pytest.mark.parametrize("terminal", [True, False])
def test_lines(terminal: bool) -> None:
    out = io.StringIO()
    display = Display(Console(file=out, force_terminal=terminal, width=200))
    run = Run({}, (), epochs=3, steps_per_epoch=10)
    display.on_start(run)
    run.history.append({"epoch": 1, "loss": 0.25, "validation_accuracy": 0.9})
    run.epoch, run.step = 1, 10
    display.draw(run)
    run.stop("enough")
    display.on_end(run)
    text = out.getvalue()
    assert "epoch 1/3" in text and "loss 0.25" in text and "validation accuracy 0.9" in text and "(enough)" in text
