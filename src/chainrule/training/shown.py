"""A history as markup: curves of losses and metrics, and the last epochs in a table."""

from __future__ import annotations

import math
from collections.abc import Iterable

from chainrule.notation.curves import STYLE as CURVES
from chainrule.notation.curves import Curve, curves
from chainrule.notation.markup import count, number, plural, scrolling, text
from chainrule.notation.page import framed
from chainrule.training.history import FIRST, LAST, History

LAST_EPOCHS = 10  # in the table
LARGE_RATIO = 50  # between the largest and the smallest loss, from which on its axis is logarithmic
WHOLE = ("epoch", "steps")

STYLE = (
    CURVES
    + """
.chainrule .shown { padding: .8rem 1.1rem 1.1rem; max-width: 68rem; box-sizing: border-box; }
.chainrule .shown > p { margin: 0 0 .8rem; }
.chainrule .shown h2 { border: 0; padding: 0; margin: 0 0 .6rem; font-size: 1.1rem; }
.chainrule .shown h3 { margin: 1.2rem 0 .3rem; }
.chainrule table.rows { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; margin: 0; }
.chainrule table.rows :is(th, td) { padding: .2rem 1.3rem .2rem 0; text-align: left; border: 0;
  border-bottom: 1px solid var(--line); background: none; color: inherit; white-space: nowrap; }
.chainrule table.rows th { color: var(--soft); font-weight: 400; }
.chainrule table.rows .n { text-align: right; }
.chainrule table.rows tr { background: none; }
"""
)


def history_html(history: History) -> str:
    """Curves and the last epochs."""
    if not len(history):
        return framed('<div class="shown"><p>No epoch has ended yet.</p></div>', STYLE)
    seconds = sum(history["seconds"]) if "seconds" in history else math.nan
    said = plural(len(history), "epoch")
    if "steps" in history.last:
        said += f", {count(int(history.last['steps']))} steps"
    if math.isfinite(seconds):
        said += f", {number(seconds, 3)} s"
    return framed(f'<div class="shown"><p>{said}</p>{figures(history)}{_epochs(history)}</div>', STYLE)


def figures(history: History) -> str:
    """A picture of the losses, and one of each metric."""
    pictures = []
    losses = [_curve(history, name) for name in ("loss", "validation_loss") if name in history]
    if losses:
        found = [value for line in losses for value in line.y if math.isfinite(value)]
        logarithmic = bool(found) and max(found) > LARGE_RATIO * min(found) > 0
        pictures.append(curves("Loss", losses, logarithmic=logarithmic, along="epoch"))
    for name in (name for name in history if name not in FIRST + LAST):
        title = name.removeprefix("validation_").replace("_", " ").capitalize()
        pictures.append(curves(title, [_curve(history, name)], along="epoch"))
    return f'<div class="figures">{"".join(pictures)}</div>'


def _curve(history: History, name: str) -> Curve:
    validation = name.startswith("validation_")
    epochs = [row.get("epoch", at) for at, row in enumerate(history.rows(), 1)]
    return Curve("validation" if validation else "training", epochs, history[name], int(validation), validation)


def _epochs(history: History) -> str:
    rows = history.rows()[-LAST_EPOCHS:]
    title = "Epochs" if len(rows) == len(history) else f"The last {len(rows)} epochs"
    cells = [[_cell(name, row.get(name, math.nan)) for name in history] for row in rows]
    headings = [name.replace("_", " ") for name in history]
    return f"<h3>{title}</h3>{rows_html(headings, cells, numbers=len(headings), name=title)}"


def _cell(name: str, value: float) -> str:
    if math.isnan(value):
        return "–"
    return count(int(value)) if name in WHOLE else number(value)


def rows_html(headings: Iterable[str], rows: Iterable[Iterable[str]], *, numbers: int = 0, name: str) -> str:
    """A table of texts, the last ``numbers`` columns to the right; ``name`` says what it is to those who cannot see."""
    headings = list(headings)
    kinds = ["" if at < len(headings) - numbers else ' class="n"' for at in range(len(headings))]
    head = "".join(f'<th scope="col"{kind}>{text(cell)}</th>' for cell, kind in zip(headings, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{text(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return scrolling(f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>', name)
