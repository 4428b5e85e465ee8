"""The set-up as fields of the page: what is typed is checked as it is typed, and nothing is lost by a mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from nicegui import ui

from chainrule.lab.layer_text import (
    as_lines,
    dropout_of,
    first_number,
    from_lines,
    layers_in,
    name_of,
    with_dropout,
    with_number,
    with_outputs,
)
from chainrule.lab.sets import LabSet, Sets
from chainrule.lab.setup import Setup
from chainrule.losses import Loss
from chainrule.notation.markup import count, plural, text
from chainrule.optimizers import Optimizer

SECONDS_UNTIL_CHECKED = 0.3  # after the last key
OFFERED = (
    "Dense(32)",
    "ReLU()",
    "Sigmoid()",
    "Tanh()",
    "GELU()",
    "Dropout(0.2)",
    "BatchNorm()",
    "LayerNorm()",
    "Conv2D(8, 3)",
    "MaxPool2D(2)",
    "AvgPool2D(2)",
    "GlobalAvgPool()",
    "Residual(Dense(32), ReLU())",
)
# Losses of single rows with classes or numbers; the others are for sequences, pairs and masks.
_LOSSES = (
    "CrossEntropy",
    "SmoothedCrossEntropy",
    "Focal",
    "MulticlassHinge",
    "Ordinal",
    "CrossEntropyCost",
    "QuadraticCost",
    "SquaredError",
    "AbsoluteError",
    "Huber",
    "Quantile",
    "Gaussian",
    "Laplace",
    "StudentT",
    "Poisson",
    "NegativeBinomial",
)
_PENALTIES = ("L2", "L1", "ElasticNet")
# A layer in the language, on what a set has on its axes.
_EXAMPLE = """\
data x[b,{0}]
parameter W[{0},j], β[j]
axis j = 12
z[b,j] = sum[{0}](x[b,{0}]*W[{0},j]) + β[j]
a[b,j] = tanh(z[b,j])"""


class Form:
    """``setup`` is what stands in the fields at this moment; ``changed`` is called a moment after the last key."""

    def __init__(self, setup: Setup, sets: Sets, changed: Callable[[], Awaitable[None]]) -> None:
        self.setup = setup
        self.sets = sets
        self.changed = changed
        self.problems: dict[str, ui.html] = {}
        self.version = 0
        self.other_data = False  # whether the last layer may not fit what is to be predicted any more
        self._build()

    def _build(self) -> None:
        with ui.element("div").classes("lab-group"):
            self._title("Data")
            self.data = self._select("data", "set", self.sets.titles(), self.setup.data)
            self.about = ui.html("", sanitize=False).classes("note")
            self.target = self._select("target", "column to predict", [], self.setup.target or None)
            self.target.set_visibility(False)
            ui.html(DROP, sanitize=False)
            self._problem("data")
        with ui.element("div").classes("lab-group"):
            self._title("Network")
            self.network = self._text("network", "layers, one a line", as_lines(self.setup.network))
            self.add = ui.select(list(OFFERED), label="add a layer", on_change=self._add)
            self.add.props("outlined dense options-dense")
            self._problem("network")
            self.equations = self._text("equations", "or equations, before the layers", self.setup.equations)
            self.equations.props["placeholder"] = _EXAMPLE.format("i")
            self.equations.props("stack-label")
            self._problem("equations")
        with ui.element("div").classes("lab-group"):
            self._title("Learning")
            losses = {
                "": "usual for the data",
                **{f"{name}()": name for name in _LOSSES if name in Loss.catalogue},
            }
            self.loss = self._select("loss", "loss", _offering(losses, self.setup.loss), self.setup.loss)
            self._problem("loss")
            with ui.element("div").classes("lab-pair"):
                self.optimizer = ui.select(
                    list(Optimizer.catalogue), label="optimizer", value=name_of(self.setup.optimizer) or "Adam"
                )
                self.rate = ui.number(
                    "rate", value=first_number(self.setup.optimizer, "learning_rate"), min=0, step=0.001
                )
                for chooser in (self.optimizer, self.rate):
                    chooser.props("outlined dense options-dense").on_value_change(self._optimizer_changed)
            self._problem("optimizer")
            with ui.element("div").classes("lab-pair"):
                chosen = name_of(self.setup.regularizer)
                options = _offering({"": "none", **{name: name for name in _PENALTIES}}, chosen)
                self.penalty = ui.select(options, label="regularisation", value=chosen)
                self.strength = ui.number(
                    "strength", value=_strength(self.setup.regularizer), min=0, step=0.0001, format="%g"
                )
                for chooser in (self.penalty, self.strength):
                    chooser.props("outlined dense options-dense").on_value_change(self._regularizer_changed)
            self._problem("regularizer")
            with ui.element("div").classes("lab-pair"):
                self.dropout = ui.number("dropout", value=dropout_of(self.setup.network), min=0, max=0.9, step=0.05)
                self.dropout.props("outlined dense").on_value_change(self._dropout_changed)
                self._number("batch_size", "minibatch", 1)
            with ui.element("div").classes("lab-pair"):
                self._number("epochs", "epochs", 1)
                self._number("seed", "seed", 0)
            for field in ("batch_size", "epochs", "seed"):
                self._problem(field)

    # --- the fields -----------------------------------------------------------------------------------------------

    def _title(self, words: str) -> None:
        ui.html(text(words), sanitize=False, tag="h2")

    def _problem(self, field: str) -> None:
        self.problems[field] = ui.html("", sanitize=False).classes("lab-problem").props('role="status"')

    def _select(self, field: str, label: str, options: Any, value: Any) -> ui.select:
        offered = options if value is None or value in options else {**dict(options), value: value}
        made = ui.select(
            offered, label=label, value=value, on_change=lambda event: self._edit(field, event.value or "")
        )
        return made.props("outlined dense options-dense").mark(field)

    def _text(self, field: str, label: str, value: str) -> ui.textarea:
        made = ui.textarea(label=label, value=value, on_change=lambda event: self._typed(field, event.value or ""))
        made.props('outlined dense autogrow spellcheck="false" autocapitalize="off"')
        return made.classes(f"field-{field}").mark(field)

    def _number(self, field: str, label: str, least: int) -> None:
        def edit(event: Any) -> None:
            whole = event.value is not None and float(event.value).is_integer()
            self._edit(field, int(event.value) if whole else event.value)

        ui.number(label, value=getattr(self.setup, field), min=least, step=1, on_change=edit).props("outlined dense")

    # --- edits ----------------------------------------------------------------------------------------------------

    def _edit(self, field: str, value: Any) -> None:
        if getattr(self.setup, field) == value:
            return
        self.setup = replace(self.setup, **{field: value})
        if field == "data":
            self.setup = replace(self.setup, target="")
        self.other_data = self.other_data or field in ("data", "target")
        self._soon()

    def _typed(self, field: str, value: str) -> None:
        self._edit(field, from_lines(value) if field == "network" else value)
        if field == "network":
            self.dropout.set_value(dropout_of(self.setup.network))

    def _add(self, event: Any) -> None:
        if event.value:
            layers = [*layers_in(self.setup.network), event.value]
            self._rewrite(", ".join(layers))
            self.add.set_value(None)

    def _dropout_changed(self, event: Any) -> None:
        share = float(event.value or 0)
        if share != dropout_of(self.setup.network):
            self._rewrite(with_dropout(self.setup.network, share))

    def _rewrite(self, network: str) -> None:
        self.network.set_value(as_lines(network))

    def _optimizer_changed(self, _: Any) -> None:
        name, rate = self.optimizer.value, self.rate.value
        call = self.setup.optimizer if name_of(self.setup.optimizer) == name else f"{name}()"
        self._edit("optimizer", with_number(call, "learning_rate", float(rate)) if rate is not None else call)

    def _regularizer_changed(self, _: Any) -> None:
        name, strength = self.penalty.value or "", self.strength.value
        call = self.setup.regularizer if name_of(self.setup.regularizer) == name else f"{name}()"
        if name and strength is not None:
            call = with_number(call, "strength", float(strength), positional=False)
        self._edit("regularizer", call if name else "")

    def _soon(self) -> None:
        """Tell of the change a moment after the last one."""
        self.version += 1
        version = self.version

        async def wait() -> None:
            await asyncio.sleep(SECONDS_UNTIL_CHECKED)
            if version == self.version:
                await self.changed()

        ui.timer(0, wait, once=True)

    # --- what the page says to it ---------------------------------------------------------------------------------

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Say beside each field what is wrong with it."""
        for field, place in self.problems.items():
            place.set_content(problem(problems.get(field, "")))

    def show_set(self, data: LabSet) -> None:
        """Say what the set is; offer its columns to predict; give the last layer of the network as many units as there
        are classes where another set was chosen.
        """
        whole = data.everything
        shape = getattr(whole.X, "shape", ())
        of = "×".join(map(str, shape[1:])) if len(shape) > 1 else ""
        columns = f"{of} numbers each" if of else plural(len(data.columns) - 1, "column") if data.columns else ""
        what = plural(len(set(map(str, whole.y))), "class") if data.classes else "a number"
        what = what.replace("classs", "classes")
        words = ", ".join(filter(None, (f"{count(len(whole))} rows", columns, f"to predict: {what}")))
        self.about.set_content(text(words))
        axes = {3: "h,w", 4: "h,w,c"}.get(len(shape), "i")
        self.equations.props["placeholder"] = _EXAMPLE.format(axes)
        self.target.set_visibility(bool(data.columns))
        if data.columns:
            self.target.set_options(list(data.columns), value=self.setup.target or whole.target)

        if self.other_data:
            self.other_data = False
            units = len(set(map(str, whole.y))) if data.classes else 1
            self._rewrite(with_outputs(self.setup.network, units))

    def choose_set(self, key: str) -> None:
        """Offer what was dropped, and choose it."""
        self.data.set_options(self.sets.titles(), value=key)


def problem(words: str) -> str:
    """What is wrong, and, where it is with a line of equations, the line with carets below it."""
    first, _, quoted = words.partition("\n")
    return text(first) + (f"<pre>{text(quoted)}</pre>" if quoted else "")


def _offering(options: dict[str, str], value: str) -> dict[str, str]:
    """The options, with one more where what is set is none of them."""
    return options if value in options else {**options, value: value}


def _strength(regularizer: str) -> float:
    found = first_number(regularizer, "strength") if "strength" in regularizer else None
    return 0.0001 if found is None else found


DROP = (
    '<div class="lab-drop" id="lab-drop"><p>Drop a CSV, a folder of images or a .zip of one</p>'
    '<button type="button" data-pick="file">choose a file</button> '
    '<button type="button" data-pick="folder">choose a folder</button>'
    '<input type="file" id="lab-file" hidden tabindex="-1" aria-label="a file" accept=".csv,.tsv,.parquet,.zip">'
    '<input type="file" id="lab-folder" hidden tabindex="-1" aria-label="a folder of images" webkitdirectory multiple>'
    '<output id="lab-progress"></output></div>'
)
