"""The bar above everything: train and pause, step one minibatch, what can be taken away, where the run stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from chainrule.lab import exports
from chainrule.lab.looking import OVER
from chainrule.lab.place import Markup, button
from chainrule.lab.runs import LabRun
from chainrule.lab.snapshot import Snapshot
from chainrule.lab.views.step import STAGES
from chainrule.notation import markup

Action = Callable[[], Awaitable[None]]
Made = Callable[[LabRun], exports.File]


class Bar:
    """``advance`` is asked for a stage by its number from 1, ``export`` for a file by what makes it."""

    def __init__(
        self,
        *,
        train: Action,
        advance: Callable[[int], Awaitable[None]],
        anew: Action,
        export: Callable[[Made], Awaitable[None]],
        link: Action,
    ) -> None:
        # Where there is little room, the set-up is folded away, and this shows it.
        folded = ui.element("button").classes("lab-fold").props('type="button" aria-expanded="false" data-fold')
        with folded:
            ui.html("Set-up", sanitize=False, tag="span")
        self.train = button("Train", train, "primary")
        with ui.element("div").classes("lab-stages").props('role="group" aria-label="step one minibatch"'):
            self.stages = [
                button(title, partial(advance, number)) for number, (_, _, title) in enumerate(STAGES, start=1)
            ]
        self.anew = button("New run", anew)
        with button("Export").props('aria-haspopup="menu"'), ui.menu().props('role="menu"'):
            for title, made in EXPORTS.items():
                ui.menu_item(title, partial(export, made)).props('role="menuitem"')
            ui.menu_item("A link to this set-up", link).props('role="menuitem"')
        self.status = Markup("status", role="status")
        for one in (self.train, *self.stages, self.anew):
            one.set_enabled(False)

    def draw(self, seen: Snapshot, done: int, *, ended: bool, edited: bool, valid: bool) -> None:
        """Where the run stands, and what can be done next.

        ``done``: stages of the step shown that are done; ``ended``: the server holds the run no more; ``edited``: the
        form holds another set-up; ``valid``: a run can be made of that.
        """
        running, over = seen.state == "running", seen.state in OVER
        self.train.set_text("Pause" if running else "Go on" if seen.state == "paused" and not ended else "Train")
        self.train.set_enabled(not over)
        for number, stage in enumerate(self.stages):
            stage.set_enabled(not over)
            coming = number == done % len(STAGES) and not running and not over
            stage.classes(add="next" if coming else None, remove=None if coming else "next")
        self.anew.set_visibility(edited or over)
        self.anew.set_enabled(valid)
        state = "ended" if ended else "compiling" if running and seen.step == 0 else seen.state
        parts = [f"<b>{state}</b>", f"step {markup.count(seen.step)} of {markup.count(seen.total)}"]
        parts.append(f"epoch {seen.epoch} of {seen.epochs}")
        if running and seen.step:
            parts.append(f"{markup.count(round(seen.rate))} steps/s")
        self.status.show(" · ".join(parts))


EXPORTS: dict[str, Made] = {
    "The equations": exports.equations,
    "The NumPy source": exports.source,
    "The model": exports.model,
    "The report": exports.report,
}
