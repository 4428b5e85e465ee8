"""What one tab looks at: a run, the step of it that is shown and how far it is done, the element that is chosen.

Nothing here draws.  Every method that computes may be called in any thread; what it finds is put in place at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.lab.panes import PANES, Looked
from chainrule.lab.registry import Runs
from chainrule.lab.runs import LabRun
from chainrule.lab.snapshot import Effect, Snapshot
from chainrule.lab.views.heat import element_at
from chainrule.lab.views.step import STAGES
from chainrule.walk import Element, Walk
from chainrule.walk.element import place_name

OVER = ("finished", "failed")  # states of a run that does no more steps
# The panes that show a step, as far as it is done.
WALKED = ("step", "weights", "activations", "gradients")


@dataclass(frozen=True, eq=False)
class ShownStep:
    """A step that is shown: of ``run`` as it was at ``version``; ``done`` of forward, backward and update are done."""

    run: LabRun
    version: int
    walk: Walk
    done: int


class Looking:
    """Begins with what an address asks for; ``query`` gives the address of what it has become."""

    def __init__(self, runs: Runs, query: Mapping[str, str]) -> None:
        self.runs = runs
        self.run: LabRun | None = runs.get(query.get("run", ""))
        self.other: LabRun | None = runs.get(query.get("other", ""))
        self.pane = query.get("view", "step") if query.get("view") in PANES else "step"
        self.row: int | None = 0  # of the minibatch; None: all of them
        self.place = query.get("at", "")  # the element that is chosen
        self.derivation = ""
        self.step: ShownStep | None = None

    def query(self) -> dict[str, str]:
        """The parameters of an address that say what is looked at."""
        held = {"view": "" if self.pane == "step" else self.pane, "at": self.place}
        held |= {"run": self.run.id if self.run else "", "other": self.other.id if self.other else ""}
        return {name: value for name, value in held.items() if value}

    def open(self, run: LabRun) -> None:
        """Look at another run; one that was trained becomes the one to compare with."""
        if self.run is not None and self.run.version > 0 and self.runs.get(self.run.id) is not None:
            self.other = self.run
        self.run, self.step = run, None

    # --- the step that is shown ---------------------------------------------------------------------------------------

    @property
    def walk(self) -> Walk | None:
        return self.step.walk if self.step is not None and self.step.run is self.run else None

    @property
    def done(self) -> int:
        """How many of forward, backward and update are done."""
        return self.step.done if self.step is not None and self.step.run is self.run else 0

    def fresh(self, seen: Snapshot) -> bool:
        """Whether the step shown is one of the run as it is: no step was done and no value put since, in any tab."""
        return self.step is not None and self.step.run is self.run and self.step.version == seen.version

    def needs_step(self, seen: Snapshot) -> bool:
        """Whether a step is to be computed for what is looked at."""
        return (self.pane in WALKED or bool(self.place)) and not self.fresh(seen)

    def walk_again(self, run: LabRun, done: int | None = None) -> None:
        """Show the step that comes next; of a run whose steps are done, one on the first row of its set.

        ``done``: how much of it; None for nothing of the first step, the forward pass where the run was paused, and
        everything while it trains and when it is over.
        """
        version = run.snapshot().version  # before the walk: should the run change meanwhile, the walk counts as old
        try:
            walk = run.walk()
        except ChainruleError:
            if run.state not in OVER:
                raise
            version = run.snapshot().version
            walk = run.walk_row(0)
        usual = {"ready": 0, "paused": 1}.get(run.state, len(STAGES))
        self.step = ShownStep(run, version, walk, usual if done is None else done)

    def advance(self, run: LabRun, stage: int) -> None:
        """Do forward, backward or update of the coming minibatch, with all that stands before it.

        The update is the one that is shown: where the run has changed since, in another tab, its step is shown anew.
        """
        if run.state == "running":
            run.pause()
        if not self.fresh(run.snapshot()) or self.done in (0, len(STAGES)):
            self.walk_again(run, done=0)
        assert self.step is not None
        version = run.step().version if stage == len(STAGES) else self.step.version
        self.step = ShownStep(run, version, self.step.walk, max(self.step.done, stage))

    def set_value(self, run: LabRun, value: float) -> Effect:
        """Put a number in the place of the weight that is chosen."""
        chosen = self.opened()
        if chosen is None:
            raise ChainruleError("choose a weight first")
        effect = run.set_value(chosen.quantity.name, chosen.position, value)
        if run.state != "running":
            self.walk_again(run, done=len(STAGES) if run.state in OVER else 1)
        return effect

    # --- the element that is chosen -----------------------------------------------------------------------------------

    def choose(self, asked: Mapping[str, Any]) -> None:
        """Choose an element by its name (``at``), or by its cell in a picture."""
        if self.walk is None:
            return
        if "at" in asked:
            self.walk.at(str(asked["at"]))  # raises where there is none
            self.place = str(asked["at"])
            return
        quantity = self.walk[str(asked["tensor"])]
        row = None if quantity.axes[:1] != ("b",) else self.row
        cell = (int(asked["row"]), int(asked["column"]))
        found = element_at(quantity.axes, quantity.value, row, cell, max(1, int(asked["block"])))
        if found is not None:
            self.place = place_name(quantity.name, found)

    def opened(self) -> Element | None:
        """The element that is chosen, as it is in the step shown."""
        if self.walk is None or not self.place:
            return None
        try:
            return self.walk.at(self.place)
        except ChainruleError:
            self.place = ""  # another network: it has no such element
            return None

    # --- what is drawn of it ------------------------------------------------------------------------------------------

    @property
    def moves(self) -> bool:
        """Whether what is looked at changes by itself."""
        return any(run.state == "running" for run in (self.run, self._beside()) if run is not None)

    def seen(self, run: LabRun) -> tuple[Snapshot, Snapshot | None]:
        """The run as it is, and the one that stands beside it."""
        beside = self._beside()
        return run.snapshot(), beside.snapshot() if beside is not None else None

    def key(self, seen: Snapshot, beside: Snapshot | None) -> object:
        """As long as it is the same, everything is drawn."""
        versions = tuple((one.version, one.state) for one in (seen, beside) if one is not None)
        return self.run, versions, self.pane, self.row, self.place, self.other, self.derivation

    def looked(self, run: LabRun, seen: Snapshot, beside: Snapshot | None, chosen: Element | None) -> Looked:
        """Everything that a pane needs to be drawn."""
        return Looked(self.pane, run, seen, self.walk, self.done, self.row, chosen, self.other, beside, self.derivation)

    def _beside(self) -> LabRun | None:
        return self.other if self.pane == "compare" else None
