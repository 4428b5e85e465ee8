"""The page of the lab: the set-up on the left, the mathematics in the middle, on the right curves and what is chosen.

A ``Page`` is one tab of a browser: its fields, buttons and pictures.  What it looks at is its ``Looking``; runs live on
the server under the id in the address, so that a tab may be closed, opened twice or loaded anew at any time.
"""

from __future__ import annotations

import time
from asyncio import Lock, to_thread
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from chainrule.errors import ChainruleError
from chainrule.lab import exports
from chainrule.lab.bar import Bar, Made
from chainrule.lab.form import Form, problem
from chainrule.lab.looking import WALKED, Looking
from chainrule.lab.panes import PANES, pane, side_curves
from chainrule.lab.place import Markup, button, derivation
from chainrule.lab.registry import NEVER_TRAINED, Runs
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import LabSet, Sets
from chainrule.lab.setup import Setup
from chainrule.lab.snapshot import Snapshot
from chainrule.lab.views import element, step
from chainrule.notation import markup
from chainrule.walk import Element

SECONDS_BETWEEN = 0.25  # two drawings of what changes
# Drawing takes at most this share of the time, however much there is to draw: training has the rest.
SHARE_OF_TIME = 0.03
SECONDS_AT_MOST = 10.0  # until it is drawn anew
MISTAKEN = "the set-up has a mistake, which stands beside its field; there is no run of it until that is mended"


class Page:
    """One open tab."""

    def __init__(self, sets: Sets, runs: Runs, query: Mapping[str, str]) -> None:
        self.sets, self.runs = sets, runs
        self.asked = query
        self.looking = Looking(runs, query)
        self.data: LabSet | None = None
        self.valid = True  # whether a run can be made of what stands in the form
        self.visible = True
        self.busy = Lock()  # what a user does and what is drawn follow one another
        self.drawn: object = None
        self.next_drawing = 0.0
        self.spent = 0.0  # seconds, on the last drawing
        self.scroll = ""

    # --- what there is to see -----------------------------------------------------------------------------------------

    def build(self) -> None:
        ui.html('<a class="skip" href="#lab-centre">to the mathematics</a>', sanitize=False)
        with ui.element("header").classes("lab-bar"):
            ui.html("chainrule <small>lab</small>", sanitize=False, tag="h1")
            self.bar = Bar(
                train=self._train_or_pause,
                advance=lambda stage: self._guarded(partial(self._advance, stage)),
                anew=partial(self._guarded, self._start_anew),
                export=lambda made: self._guarded(partial(self._export, made)),
                link=self._copy_link,
            )
        with ui.element("div").classes("lab-frame"):
            with ui.element("section").classes("lab-setup").props('aria-label="set-up"'):
                self.form = Form(Setup.from_query(self.asked), self.sets, self._edited)
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

    def _build_centre(self) -> None:
        self.tabs_of = ui.tabs(on_change=self._choose_pane).classes("lab-tabs")
        with self.tabs_of.props('dense align="left" no-caps inline-label'):
            self.tabs = {name: ui.tab(name, label=title) for name, title in PANES.items()}
        self.tabs_of.value = self.tabs[self.looking.pane]
        self.trouble = Markup("lab-problem", role="alert")
        with ui.element("div").classes("lab-tool") as self.tool:
            self.rows = ui.select({0: "row 0"}, value=0, label="example", on_change=self._choose_row)
            self.rows.props("outlined dense options-dense").classes("lab-row")
            self.others = ui.select({}, label="compare with", on_change=self._choose_other)
            self.others.props("outlined dense options-dense").classes("lab-row lab-other")
            self.ending = button("End that run", partial(self._guarded, self._end_other))
            self.hint = Markup("hint")
        self.centre = Markup("lab-body", '<p class="lab-loading">reading the data and deriving the equations …</p>')

    def _build_hand(self) -> None:
        """Where the value of a parameter is changed by hand."""
        with ui.element("div").classes("lab-hand") as self.hand:
            self.by_hand = ui.number("change it to", format="%.6g", step=0.1).props("outlined dense")
            button("Set", partial(self._guarded, self._set_value))
        self.effect = Markup("lab-effect", role="status")
        self.hand.set_visibility(False)

    # --- a run --------------------------------------------------------------------------------------------------------

    async def _guarded(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do what a user asked for; where it cannot be done, say why."""
        async with self.busy:
            self.trouble.show("")
            self.hint.show("")
            try:
                await action()
            except ChainruleError as error:
                self.trouble.show(problem(str(error)))
        await self._redraw()
        if self.scroll:
            ui.run_javascript(self.scroll)
            self.scroll = ""

    async def _redraw(self) -> None:
        """Draw at once, if nothing is being done; otherwise at the next occasion."""
        self.drawn, self.next_drawing = None, 0.0
        await self._tick()

    async def _open(self) -> None:
        """After the first paint: the run that the address names, and the set-up that it holds."""
        await self._guarded(self._opening)

    async def _opening(self) -> None:
        run, wanted = self.looking.run, self.asked.get("run", "")
        if run is not None and run.setup != self.form.setup:
            self.looking.derivation = await to_thread(derivation, run.setup, run.data)
        await self._check()
        if wanted and run is None:
            why = self.runs.why_ended(wanted)
            self.hint.show(
                markup.note(f"The run of this link has ended: {why}. Here is its set-up, ready to be trained anew.")
            )

    async def _edited(self) -> None:
        self._address()  # valid or not, what was typed is there after a reload
        await self._guarded(self._check)

    async def _check(self) -> None:
        """Check what stands in the form and derive it; make its run, unless another has begun to train."""
        setup, problems = None, {}
        while setup != self.form.setup:  # once more where something was typed meanwhile
            setup = self.form.setup
            problems = await self._read(setup)
        self.valid = not problems
        self.form.show_problems(problems)
        run = self.looking.run
        if setup is None or self.data is None or problems:
            if run is None:
                self.centre.show(markup.note("There is no run yet: what is wrong with the set-up stands beside it."))
            return
        self.looking.derivation = await to_thread(derivation, setup, self.data)
        if run is None or (run.state == "ready" and run.setup != setup):
            await self._make()
        self._address()

    async def _read(self, setup: Setup) -> dict[str, str]:
        """Read the set; what is wrong with the set-up, by field."""
        try:
            self.data = await to_thread(self.sets.get, setup.data, setup.target)
        except ChainruleError as error:
            return {"data": str(error)}
        self.form.show_set(self.data)
        return await to_thread(setup.checked, self.data)

    async def _start_anew(self) -> None:
        """A run of what stands in the form at this moment."""
        before = self.looking.run
        await self._check()
        if self.looking.run is before:
            await self._make()

    async def _make(self) -> None:
        """A run of what stands in the form; one to which nothing was done makes room for it."""
        if self.data is None or not self.valid:
            raise ChainruleError(MISTAKEN)
        before = self.looking.run
        try:
            run = await to_thread(self.runs.make, self.form.setup, self.data)
        except ChainruleError:
            if before is None:
                self.centre.show(markup.note("There is no run yet."))
                self.bar.anew.set_enabled(True)
            raise
        self.looking.open(run)
        self._forget_hand()
        if before is not None and before.state == "ready" and before.version == 0:
            await to_thread(self.runs.end, before.id, NEVER_TRAINED)
        self._address()

    async def _train_or_pause(self) -> None:
        run = self.looking.run
        if run is None or run.state != "running":
            await self._guarded(self._train)
        else:
            await to_thread(run.pause)  # at once, whatever is being drawn
            await self._redraw()

    async def _train(self) -> None:
        await to_thread((await self._to_train()).start)

    async def _advance(self, stage: int) -> None:
        """Forward, backward or update of the coming minibatch, with all that stands before it."""
        run = await (self._to_train() if stage == len(step.STAGES) else self._present())
        await to_thread(self.looking.advance, run, stage)
        self.tabs_of.set_value(self.tabs["step"])
        phase = step.STAGES[stage - 1][0]
        self.scroll = (
            f"document.getElementById('phase-{phase}')?.scrollIntoView({{block: 'start', behavior: 'smooth'}})"
        )

    async def _present(self) -> LabRun:
        """The run; one that has ended meanwhile is made anew, and that is said."""
        run = self.looking.run
        if run is not None and self.runs.get(run.id) is None:
            await self._start_anew()
            why = self.runs.why_ended(run.id)
            self.hint.show(markup.note(f"The run had ended: {why}. This is a new one, from its first step on."))
        if self.looking.run is None:
            raise ChainruleError("there is no run yet; the set-up must be without mistakes first")
        return self.looking.run

    async def _to_train(self) -> LabRun:
        """The run, which before its first step is one of what stands in the form at this moment."""
        run = await self._present()
        if run.state == "ready" and run.setup != self.form.setup:
            await self._check()
            if not self.valid:
                raise ChainruleError(MISTAKEN)
        return await self._present()

    # --- drawing ------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Draw what has changed, where it is seen, and not more often than training can spare."""
        run = self.looking.run
        self.runs.use(run, self.looking.other)  # a hidden tab keeps them, too
        if not self.visible:
            return
        if run is None:
            self._draw_tools(None)
            return
        if self.busy.locked() or (self.looking.moves and time.monotonic() < self.next_drawing):
            self._draw_bar(run, run.snapshot())  # what costs next to nothing is always as it is now
            return
        async with self.busy:
            start = time.perf_counter()
            try:
                await self._draw(run)
            except ChainruleError as error:
                self.trouble.show(problem(str(error)))
        # The cheaper of the last two: a drawing that waited for the walk of a network to be compiled says nothing.
        spent = time.perf_counter() - start
        cost, self.spent = min(spent, self.spent), spent
        self.next_drawing = time.monotonic() + min(cost / SHARE_OF_TIME - cost, SECONDS_AT_MOST)

    async def _draw(self, run: LabRun) -> None:
        looking = self.looking
        seen, beside = await to_thread(looking.seen, run)
        self._draw_bar(run, seen)
        key = looking.key(seen, beside)
        if key == self.drawn:
            return
        self.curves.show(side_curves(seen))
        if looking.pane not in WALKED:  # what needs no step does not wait for one
            await self._draw_centre(run, seen, beside, None)
        if looking.needs_step(seen):
            await to_thread(looking.walk_again, run)
            self._draw_bar(run, seen)
        self._draw_tools(run)
        chosen, panel = await to_thread(self._opened)
        if looking.pane in WALKED:
            await self._draw_centre(run, seen, beside, chosen)
        self._draw_element(chosen, panel)
        self.drawn = key

    async def _draw_centre(self, run: LabRun, seen: Snapshot, beside: Snapshot | None, chosen: Element | None) -> None:
        looked = self.looking.looked(run, seen, beside, chosen)
        self.centre.show(await to_thread(pane, looked), pane=looked.pane)

    def _draw_bar(self, run: LabRun, seen: Snapshot) -> None:
        ended, edited = self.runs.get(run.id) is not run, run.setup != self.form.setup
        self.bar.draw(seen, self.looking.done, ended=ended, edited=edited, valid=self.valid)
        if seen.error:
            self.trouble.show(problem(seen.error))

    def _draw_tools(self, run: LabRun | None) -> None:
        looking = self.looking
        with_rows = looking.pane in ("step", "activations") and looking.walk is not None
        self.rows.set_visibility(with_rows)
        if with_rows and looking.walk is not None:
            rows = step.rows_of(looking.walk)
            if len(self.rows.options) != rows + 1:
                options = {-1: f"all {rows}", **{at: f"row {at}" for at in range(rows)}}
                self.rows.set_options(options, value=-1 if looking.row is None else min(looking.row, rows - 1))
        self.tabs["regions"].set_visibility(run is not None and run.data.in_plane)
        others = {one.id: _titled(one) for one in self.runs.all() if one is not run}
        self.others.set_visibility(looking.pane == "compare" and bool(others))
        self.ending.set_visibility(looking.pane == "compare" and looking.other is not None)
        if self.others.options != others:
            chosen = looking.other.id if looking.other is not None and looking.other.id in others else None
            self.others.set_options(others, value=chosen)

    def _opened(self) -> tuple[Element | None, str]:
        """The element that is chosen, as it is in the step shown, and what is told of it."""
        chosen, walk = self.looking.opened(), self.looking.walk
        return chosen, element.empty() if chosen is None or walk is None else element.panel(walk, chosen)

    def _draw_element(self, chosen: Element | None, panel: str) -> None:
        self.element.show(panel)
        changeable = chosen is not None and chosen.quantity.role == "parameter"
        if changeable and chosen is not None:
            self.by_hand.props["label"] = f"change {chosen.name} to"
        self.hand.set_visibility(changeable)
        if not changeable:
            self.effect.show("")

    # --- what a user does ---------------------------------------------------------------------------------------------

    async def _choose(self, event: Any) -> None:
        await self._guarded(partial(self._chosen, event.args))

    async def _chosen(self, asked: Mapping[str, Any]) -> None:
        await to_thread(self.looking.choose, asked)
        self._forget_hand()
        self._address()

    def _forget_hand(self) -> None:
        """What was put by hand is told of one weight of one run."""
        self.effect.show("")
        self.by_hand.set_value(None)

    async def _choose_pane(self, event: Any) -> None:
        self.looking.pane = event.value
        self.trouble.show("")
        self._address()
        await self._redraw()

    async def _choose_row(self, event: Any) -> None:
        self.looking.row = None if event.value == -1 else event.value
        await self._redraw()

    async def _choose_other(self, event: Any) -> None:
        self.looking.other = self.runs.get(event.value or "")
        self._address()
        await self._redraw()

    async def _end_other(self) -> None:
        if self.looking.other is not None:
            await to_thread(self.runs.end, self.looking.other.id)
            self.looking.other = None
        if self.looking.run is None:  # there was no place for one
            await self._check()
        self._address()

    async def _set_value(self) -> None:
        run = await self._present()
        if self.by_hand.value is None:
            raise ChainruleError("write the number that the weight is to be")
        made = await to_thread(self.looking.set_value, run, float(self.by_hand.value))
        self.effect.show(element.effect(made))

    async def _dropped(self, event: Any) -> None:
        answer = event.args
        if "key" in answer:
            self.form.choose_set(str(answer["key"]))
        else:
            self.form.show_problems({"data": str(answer.get("error", ""))})

    async def _seen(self, event: Any) -> None:
        self.visible = bool(event.args)

    async def _export(self, made: Made) -> None:
        file = await to_thread(made, await self._present())
        ui.download.content(file.content, file.name)

    async def _copy_link(self) -> None:
        origin = str(ui.context.client.request.base_url).rstrip("/")
        ui.clipboard.write(exports.link(self.form.setup, origin))
        ui.notify("The link is in the clipboard.", type="info")

    def _address(self) -> None:
        """Put the state into the address."""
        query = self.form.setup.query() | self.looking.query()
        ui.navigate.history.replace(f"/?{urlencode(query)}" if query else "/")


def _titled(run: LabRun) -> str:
    return f"{run.data.title}: {run.setup.network or 'equations'}, {run.setup.optimizer} ({run.state})"
