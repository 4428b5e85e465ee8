"""The page of the lab: the set-up on the left, the mathematics in the middle, on the right curves and what is chosen.

A ``Page`` is one tab of a browser.  It holds no state that matters: runs live on the server under the id in the
address, so that a tab may be closed, opened twice or loaded anew at any time.
"""

from __future__ import annotations

import time
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from chainrule.errors import ChainruleError
from chainrule.lab import exports
from chainrule.lab.form import Form, problem
from chainrule.lab.panes import PANES, Looked, pane, side_curves
from chainrule.lab.place import Markup, derivation
from chainrule.lab.registry import Runs
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import LabSet, Sets
from chainrule.lab.setup import Setup
from chainrule.lab.snapshot import Snapshot
from chainrule.lab.views import element, step
from chainrule.lab.views.heat import element_at
from chainrule.notation import markup
from chainrule.walk import Element, Walk
from chainrule.walk.element import place_name

SECONDS_BETWEEN = 0.25  # two drawings of what changes
# Drawing takes at most this share of the time, however much there is to draw: training has the rest.
SHARE_OF_TIME = 0.04
SECONDS_AT_MOST = 10.0  # until it is drawn anew
OVER = ("finished", "failed")  # states of a run that does no more steps
# The panes that show a step, as far as it is done.
WALKED = ("step", "weights", "activations", "gradients")


class Page:
    """One open tab."""

    def __init__(self, sets: Sets, runs: Runs, query: Mapping[str, str]) -> None:
        self.sets, self.runs = sets, runs
        self.asked = query
        self.setup = Setup.from_query(query)
        self.run: LabRun | None = runs.get(query.get("run", ""))
        self.other: LabRun | None = runs.get(query.get("other", ""))
        if self.run is not None:
            self.setup = self.run.setup
        self.data: LabSet | None = None
        self.pane = query.get("view", "step") if query.get("view") in PANES else "step"
        self.walk: Walk | None = None
        self.walked_at = -1  # the number of the step that is shown
        self.stage = 0  # how many of forward, backward and update are done
        self.row: int | None = 0
        self.place = query.get("at", "")
        self.derivation = ""
        self.valid = True
        self.visible = True
        self.drawn: object = None
        self.next_drawing = 0.0
        self.spent = 0.0  # seconds, on the last drawing
        self.drawing = False
        self.scroll = ""

    # --- what there is to see -----------------------------------------------------------------------------------------

    def build(self) -> None:
        ui.html('<a class="skip" href="#lab-centre">to the mathematics</a>', sanitize=False)
        with ui.element("header").classes("lab-bar"):
            ui.html("chainrule <small>lab</small>", sanitize=False, tag="h1")
            self._build_bar()
        with ui.element("div").classes("lab-frame"):
            with ui.element("section").classes("lab-setup").props('aria-label="set-up"'):
                self.form = Form(self.setup, self.sets, self._edited)
            middle = ui.element("section").classes("lab-centre")
            with middle.props('id="lab-centre" aria-label="mathematics" tabindex="-1"'):
                self._build_centre()
            with ui.element("aside").classes("lab-side").props('aria-label="curves and the chosen element"'):
                self.curves = Markup("lab-curves")
                self._build_hand()
                self.element = Markup("lab-element", aria_live="polite")
        ui.on("lab-choose", self._choose)
        ui.on("lab-dropped", self._dropped)
        ui.on("lab-visible", self._seen)
        ui.timer(SECONDS_BETWEEN, self._tick)
        ui.timer(0, self._open, once=True)

    def _build_bar(self) -> None:
        # Where there is little room, the set-up is folded away, and this shows it.
        folded = ui.element("button").classes("lab-fold").props('type="button" aria-expanded="false" data-fold')
        with folded:
            ui.html("Set-up", sanitize=False, tag="span")
        self.train = self._button("Train", self._train_or_pause, "primary")
        with ui.element("div").classes("lab-stages").props('role="group" aria-label="step one minibatch"'):
            self.stages = [
                self._button(title, partial(self._advance, number))
                for number, (_, _, title) in enumerate(step.STAGES, start=1)
            ]
        self.anew = self._button("New run", self._start_anew)
        with self._button("Export", _nothing).props('aria-haspopup="menu"'), ui.menu().props('role="menu"'):
            for title, made in EXPORTS.items():
                ui.menu_item(title, partial(self._export, made)).props('role="menuitem"')
            ui.menu_item("A link to this set-up", self._copy_link).props('role="menuitem"')
        self.status = Markup("status", role="status")
        for button in (self.train, *self.stages, self.anew):
            button.set_enabled(False)

    def _button(self, title: str, action: Callable[[], Awaitable[None]], kind: str = "") -> ui.button:
        made = ui.button(title, on_click=partial(self._guarded, action), color=None)
        return made.classes(f"lab-button {kind}").props("flat no-caps")

    def _build_centre(self) -> None:
        self.tabs_of = ui.tabs(on_change=self._choose_pane).classes("lab-tabs")
        with self.tabs_of.props('dense align="left" no-caps inline-label'):
            self.tabs = {name: ui.tab(name, label=title) for name, title in PANES.items()}
        self.tabs_of.value = self.tabs[self.pane]
        self.trouble = Markup("lab-problem", role="alert")
        with ui.element("div").classes("lab-tool") as self.tool:
            self.rows = ui.select({0: "row 0"}, value=0, label="example", on_change=self._choose_row)
            self.rows.props("outlined dense options-dense").classes("lab-row")
            self.others = ui.select({}, label="compare with", on_change=self._choose_other)
            self.others.props("outlined dense options-dense").classes("lab-row")
            self.hint = Markup("hint")
        self.centre = Markup("lab-body", '<p class="lab-loading">reading the data and deriving the equations …</p>')

    def _build_hand(self) -> None:
        """Where the value of a parameter is changed by hand."""
        with ui.element("div").classes("lab-hand") as self.hand:
            self.by_hand = ui.number("change it to", format="%.6g", step=0.1).props("outlined dense")
            self._button("Set", self._set_value)
        self.effect = Markup("lab-effect", role="status")
        self.hand.set_visibility(False)

    # --- a run --------------------------------------------------------------------------------------------------------

    async def _guarded(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do what a user asked for; where it cannot be done, say why."""
        self.trouble.show("")
        try:
            await action()
        except ChainruleError as error:
            self.trouble.show(problem(str(error)))
        self.drawn, self.next_drawing = None, 0.0
        await self._tick()
        if self.scroll:
            ui.run_javascript(self.scroll)
            self.scroll = ""

    async def _open(self) -> None:
        """After the first paint: the set, its run, its derivation."""
        wanted = self.asked.get("run")
        if wanted and self.run is None:
            self.hint.show(markup.note("The run of this link has ended; here is its set-up, ready to be trained anew."))
        await self._guarded(partial(self._checked, self.setup))

    async def _edited(self, setup: Setup) -> None:
        self.setup = setup
        await self._guarded(partial(self._checked, setup))

    async def _checked(self, setup: Setup) -> None:
        """Check a set-up as it is typed; derive it; make its run, unless another has begun to train."""
        try:
            data = await to_thread(self.sets.get, setup.data, setup.target)
        except ChainruleError as error:
            self.valid = False
            self.form.show_problems({"data": str(error)})
            if self.walk is None:
                self.centre.show(markup.note("There is no data to begin with yet."))
            return
        self.form.show_set(data)
        problems = await to_thread(setup.checked, data)
        if setup != self.form.setup:
            return  # a later key has been pressed
        self.data, self.valid = data, not problems
        self.form.show_problems(problems)
        if problems:
            if self.walk is None:
                self.centre.show(markup.note("The set-up has a mistake; what it is stands beside it."))
            return
        self.derivation = await to_thread(derivation, setup, data)
        if self.run is not None and self.run.setup == setup:
            await self._rest()
        elif self.run is None or self.run.state == "ready":
            await self._make()

    async def _start_anew(self) -> None:
        """A run of what stands in the form at this moment."""
        before, self.setup = self.run, self.form.setup
        await self._checked(self.setup)
        if self.run is before:
            await self._make()

    async def _make(self) -> None:
        """A run of the present set-up; one that never trained makes room for it."""
        if self.data is None or not self.valid:
            raise ChainruleError("the set-up has a mistake, which stands beside the field")
        begun, self.run = self.run, await to_thread(self.runs.make, self.setup, self.data)
        if begun is not None and begun.state == "ready":
            await to_thread(self.runs.end, begun.id)
        elif begun is not None:
            self.other = begun
        await self._rest(stage=0)

    async def _rest(self, stage: int = 1) -> None:
        """Show the step that comes next of a run that does not train."""
        assert self.run is not None
        await self._walk(self.run)
        self.stage = {"ready": 0, "paused": stage}.get(self.run.state, len(step.STAGES))
        self._address()

    async def _walk(self, run: LabRun) -> None:
        """The step that comes next; of a run whose steps are done, one on the first row of its set."""
        self.walked_at = run.snapshot().step
        try:
            self.walk = await to_thread(run.walk)
        except ChainruleError:
            if run.state not in OVER:
                raise
            self.walk = await to_thread(run.walk_row, 0)
            self.walked_at = run.snapshot().step

    async def _train_or_pause(self) -> None:
        run = await self._present()
        if run.state == "running":
            await to_thread(run.pause)
            await self._rest()
        else:
            await to_thread(run.start)

    async def _advance(self, stage: int) -> None:
        """Forward, backward or update of the coming minibatch, with all that stands before it."""
        run = await self._present()
        if run.state == "running":
            await to_thread(run.pause)
        if self.walk is None or self.stage in (0, len(step.STAGES)) or run.snapshot().step != self.walked_at:
            await self._walk(run)
            self.stage = 0
        if stage == len(step.STAGES):
            await to_thread(run.step)
        self.stage = max(self.stage, stage)
        self.tabs_of.set_value(self.tabs["step"])
        self._address()
        phase = step.STAGES[stage - 1][0]
        self.scroll = (
            f"document.getElementById('phase-{phase}')?.scrollIntoView({{block: 'start', behavior: 'smooth'}})"
        )

    async def _present(self) -> LabRun:
        """The run; one that has ended meanwhile, in another tab or unused for long, is made anew."""
        if self.run is not None and self.runs.get(self.run.id) is None:
            await self._start_anew()
        if self.run is None:
            raise ChainruleError("there is no run yet; the set-up must be without mistakes first")
        return self.run

    # --- drawing ------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Draw what has changed, where it is seen, and not more often than training can spare."""
        if self.drawing or not self.visible or self.run is None:
            return
        if time.monotonic() < self.next_drawing and self.run.state == "running":
            self._draw_bar(self.run, self.run.snapshot())  # what costs next to nothing is always as it is now
            return
        self.drawing = True
        start = time.perf_counter()
        try:
            await self._draw(self.run)
        except ChainruleError as error:
            self.trouble.show(problem(str(error)))
        finally:
            self.drawing = False
        # The cheaper of the last two: a drawing that waited for the walk of a network to be compiled says nothing.
        spent = time.perf_counter() - start
        cost, self.spent = min(spent, self.spent), spent
        self.next_drawing = time.monotonic() + min(cost / SHARE_OF_TIME - cost, SECONDS_AT_MOST)

    async def _draw(self, run: LabRun) -> None:
        seen = await to_thread(run.snapshot)
        self._draw_bar(run, seen)
        shown = (seen.step, seen.state, self.pane, self.row, self.place, self.stage, self.other, self.derivation, run)
        if shown == self.drawn:
            return
        self._draw_tools(run)
        self.curves.show(side_curves(seen))
        if self.pane not in WALKED:  # what needs no step does not wait for one
            await self._draw_centre(run, seen)
        moving = seen.state == "running" or (seen.state in OVER and seen.step != self.walked_at)
        if moving and (self.pane in WALKED or self.place):
            await self._walk(run)
            self.stage = len(step.STAGES)
        if self.pane in WALKED:
            await self._draw_centre(run, seen)
        self._draw_element(self._opened())
        self.drawn = shown

    async def _draw_centre(self, run: LabRun, seen: Snapshot) -> None:
        chosen = self._opened()
        looked = Looked(self.pane, run, seen, self.walk, self.stage, self.row, chosen, self.other, self.derivation)
        self.centre.show(await to_thread(pane, looked), pane=looked.pane)

    def _draw_bar(self, run: LabRun, seen: Snapshot) -> None:
        running, over = seen.state == "running", seen.state in OVER
        self.train.set_text("Pause" if running else "Go on" if seen.state == "paused" else "Train")
        self.train.set_enabled(not over)
        coming = self.stage % len(step.STAGES)
        for number, button in enumerate(self.stages):
            button.set_enabled(not over)
            here = number == coming and not running and not over
            button.classes(add="next" if here else None, remove=None if here else "next")
        self.anew.set_visibility(run.setup != self.setup or over)
        self.anew.set_enabled(self.valid)
        state = "compiling" if running and seen.step == 0 else seen.state
        parts = [f"<b>{state}</b>", f"step {markup.count(seen.step)} of {markup.count(seen.total)}"]
        parts.append(f"epoch {seen.epoch} of {seen.epochs}")
        if running and seen.step:
            parts.append(f"{markup.count(round(seen.rate))} steps/s")
        self.status.show(" · ".join(parts))
        if seen.error:
            self.trouble.show(problem(seen.error))

    def _draw_tools(self, run: LabRun) -> None:
        with_rows = self.pane in ("step", "activations") and self.walk is not None
        self.rows.set_visibility(with_rows)
        if with_rows and self.walk is not None:
            rows = step.rows_of(self.walk)
            if len(self.rows.options) != rows + 1:
                options = {-1: f"all {rows}", **{at: f"row {at}" for at in range(rows)}}
                self.rows.set_options(options, value=-1 if self.row is None else min(self.row, rows - 1))
        self.tabs["regions"].set_visibility(run.data.in_plane)
        others = {one.id: _titled(one) for one in self.runs.all() if one is not run}
        self.others.set_visibility(self.pane == "compare" and bool(others))
        if self.others.options != others:
            self.others.set_options(others, value=self.other.id if self.other and self.other.id in others else None)

    def _opened(self) -> Element | None:
        """The element that is chosen, as it is in the step shown."""
        if self.walk is None or not self.place:
            return None
        try:
            return self.walk.at(self.place)
        except ChainruleError:
            self.place = ""  # another network: it has no such element
            return None

    def _draw_element(self, chosen: Element | None) -> None:
        if chosen is None or self.walk is None:
            self.element.show(element.empty())
            self.hand.set_visibility(False)
            return
        self.element.show(element.panel(self.walk, chosen))
        changeable = chosen.quantity.role == "parameter"
        self.by_hand.props["label"] = f"change {chosen.name} to"
        self.hand.set_visibility(changeable)
        if not changeable:
            self.effect.show("")

    # --- what a user does ---------------------------------------------------------------------------------------------

    async def _choose(self, event: Any) -> None:
        await self._guarded(partial(self._chosen, event.args))

    async def _chosen(self, asked: Mapping[str, Any]) -> None:
        """An element by its name, or by its cell in a picture."""
        if self.walk is None:
            return
        if "at" in asked:
            self.place = str(asked["at"])
            self.walk.at(self.place)
        else:
            quantity = self.walk[str(asked["tensor"])]
            row = None if quantity.axes[:1] != ("b",) else self.row
            cell = (int(asked["row"]), int(asked["column"]))
            found = element_at(quantity.axes, quantity.value, row, cell, max(1, int(asked["block"])))
            if found is None:
                return
            self.place = place_name(quantity.name, found)
        self.effect.show("")
        self.by_hand.set_value(None)
        self._address()

    async def _choose_pane(self, event: Any) -> None:
        self.pane = event.value
        self._address()
        await self._guarded(_nothing)

    async def _choose_row(self, event: Any) -> None:
        self.row = None if event.value == -1 else event.value
        await self._guarded(_nothing)

    async def _choose_other(self, event: Any) -> None:
        self.other = self.runs.get(event.value or "")
        self._address()
        await self._guarded(_nothing)

    async def _set_value(self) -> None:
        run, chosen = await self._present(), self._opened()
        if chosen is None or self.by_hand.value is None:
            raise ChainruleError("write the number that the weight is to be")
        effect = await to_thread(run.set_value, chosen.quantity.name, chosen.position, float(self.by_hand.value))
        self.effect.show(element.effect(effect))
        if run.state in ("ready", "paused"):
            await self._walk(run)
            self.stage = 1

    async def _dropped(self, event: Any) -> None:
        answer = event.args
        if "key" in answer:
            self.form.choose_set(str(answer["key"]))
        else:
            self.form.show_problems({"data": str(answer.get("error", ""))})

    async def _seen(self, event: Any) -> None:
        self.visible = bool(event.args)

    async def _export(self, made: Callable[[LabRun], exports.File]) -> None:
        async def export() -> None:
            file = await to_thread(made, await self._present())
            ui.download.content(file.content, file.name)

        await self._guarded(export)

    def _copy_link(self) -> None:
        origin = str(ui.context.client.request.base_url).rstrip("/")
        ui.clipboard.write(exports.link(self.setup, origin))
        ui.notify("The link is in the clipboard.", type="info")

    def _address(self) -> None:
        """Put the state into the address."""
        held = {**self.setup.query(), "view": self.pane, "at": self.place}
        held |= {"run": self.run.id if self.run else "", "other": self.other.id if self.other else ""}
        kept = {name: value for name, value in held.items() if value and (name, value) != ("view", "step")}
        ui.navigate.history.replace(f"/?{urlencode(kept)}")


async def _nothing() -> None:
    """Only draw."""


def _titled(run: LabRun) -> str:
    return f"{run.data.title}: {run.setup.network or 'equations'}, {run.setup.optimizer} ({run.state})"


EXPORTS: dict[str, Callable[[LabRun], exports.File]] = {
    "The equations": exports.equations,
    "The NumPy source": exports.source,
    "The model": exports.model,
    "The report": exports.report,
}
