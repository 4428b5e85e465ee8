"""How the training went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.report.figure import ACCENT, DASHES, LINE, SECOND, SOFT, draw, legend, plain
from chainrule.report.page import Section, figure, paragraph, side_by_side, written
from chainrule.training.history import FIRST, LAST
from chainrule.training.snapshots import OneRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGE_RATIO = 50  # between the largest and the smallest value, from which on an axis is logarithmic


def section(model: Any) -> Section | None:
    """Losses, metrics, learning rate and size of the gradient; None where there was no whole epoch."""
    history = model.history_
    if not len(history):
        return None
    metrics = [name for name in history.names if name not in FIRST + LAST]
    last = model.history_.last
    seconds = sum(history["seconds"]) if "seconds" in history else 0.0
    steps = f"{int(last['steps']):,} steps"
    said = f"{len(history)} epochs, {steps}, {written(seconds, 3)} seconds."
    if model.specification_.members is not None and not isinstance(model.ensemble, OneRun):
        said += " Losses and sizes of gradients are means over the networks of the ensemble."
    if "validation_loss" in history and model.best_epoch_:
        said += f" The parameters kept are those of epoch {model.best_epoch_}, marked by a line."
    losses = [name for name in ("loss", "validation_loss") if name in history]
    shown = [(losses, "Loss")]
    shown += [(metrics, _in_words(metrics[0]).capitalize() if len(metrics) == 1 else "Metrics")] if metrics else []
    for name, title in (("learning_rate", "Learning rate"), ("gradient_norm", "Size of the gradient")):
        shown += [([name], title)] if name in history else []
    three = len(shown) == 3
    parts = [_curves(model, names, title, 3.2 if three else 4.6) for names, title in shown]
    return Section("training", "Learning curves", paragraph(said) + side_by_side(*parts, kind="three" if three else ""))


def _curves(model: Any, names: list[str], title: str, width: float) -> str:
    history, best = model.history_, model.best_epoch_
    epochs = np.array(history["epoch"])
    columns = {name: np.array(history[name], dtype=float) for name in names}
    drawing = draw(
        width,
        2.6,
        _painter(epochs, columns, title, best if "validation_loss" in history else None),
        title,
        _described(columns),
    )
    return figure(drawing, _described(columns))


def _painter(epochs: Any, columns: dict[str, Any], title: str, best: int | None) -> Callable[[Figure], None]:
    def paint(figure: Figure) -> None:
        axes: Any = figure.subplots()
        for k, (name, values) in enumerate(columns.items()):
            marker = "o" if len(epochs) < 12 else ""
            colour = (ACCENT, SECOND, SOFT)[k % 3]
            axes.plot(
                epochs,
                values,
                color=colour,
                linestyle=DASHES[k % 4],
                marker=marker,
                markersize=3.5,
                label=_in_words(name),
            )
        everything = np.concatenate(list(columns.values()))
        finite = everything[np.isfinite(everything)]
        if "learning_rate" not in columns and len(finite) and finite.max() > LARGE_RATIO * finite.min() > 0:
            axes.set_yscale("log")
        else:
            plain(axes, across=False)
        if best and len(epochs) > 1:
            axes.axvline(best, color=SOFT, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(axis="x", visible=False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(length=0, which="both")
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_color(LINE)
        if len(columns) > 1:
            legend(axes)

    return paint


def _in_words(name: str) -> str:
    return {"loss": "training", "validation_loss": "validation"}.get(name, name.replace("_", " "))


def _described(columns: dict[str, Any]) -> str:
    parts = []
    for name, values in columns.items():
        first, last = written(values[0]), written(values[-1])
        parts.append(f"{_in_words(name)}: from {first} to {last}" if len(values) > 1 else f"{_in_words(name)}: {last}")
    return "; ".join(parts).capitalize() + "."
