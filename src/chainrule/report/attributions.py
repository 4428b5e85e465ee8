"""What each input contributes to a prediction: columns as bars, images as maps, texts as marked words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.frame import Frame
from chainrule.data.images import Files, Pixels
from chainrule.data.table import Table
from chainrule.data.text import SymbolReader, Symbols, Texts
from chainrule.data.vocabulary import SPLIT
from chainrule.report import small
from chainrule.report.attribution import Attribution, attribute, can_explain, width
from chainrule.report.examples import words_of
from chainrule.report.judged import Judged
from chainrule.report.page import Cell, Section, figure, heading, note, paragraph, side_by_side, table, written
from chainrule.report.shown import image_of, kind_of

Array = NDArray[Any]

MOST_COLUMNS = 12
MOST_WORDS = 160
ROWS_ON_AVERAGE = 24
STRONG = 0.12  # of the strongest contribution: words below are not marked


@dataclass(frozen=True, eq=False)
class Told:
    """An explained row: the contributions in the unit of what is predicted, and its name."""

    row: int
    output: str
    start: float
    value: float
    parts: Array
    points: int

    @property
    def residual(self) -> float:
        return float(self.value - self.start - self.parts.sum())


def section(judged: Judged) -> Section | None:
    """A wrong, a middling and a right prediction explained; None where the input or output has no such form."""
    if not can_explain(judged.model.specification_.step):
        return None
    order = judged.order
    rows = dict.fromkeys([int(order[0]), int(order[len(order) // 2]), int(order[-1])])
    told = [explain(judged, row) for row in rows]
    kind = kind_of(judged)
    said = (
        f"Contributions add up to the prediction, beginning with {_start_in_words(judged, kind)}: integrated "
        "gradients, the derived gradient along the straight path from there to the row, in float64 "
        "(Sundararajan, Taly and Yan, 2017). What they leave of the prediction is the residual."
    )
    body = paragraph(said) + _sums(told)
    if isinstance(judged.model.input_, Table) and judged.image is None:
        body += _on_average(judged)
    if isinstance(judged.X, Texts):
        body += note(
            "A solid line under a word: it raises the prediction; a dashed one: it lowers it; by how much, below."
        )
    for one, title in zip(told, ("Predicted worst", "In the middle", "Predicted best"), strict=False):
        body += heading(f"{title}: row {one.row + 1:,}") + _shown(judged, one, kind)
    return Section("attributions", "What the predictions rest on", body)


def explain(judged: Judged, row: int) -> Told:
    """The contributions to what is predicted of a row: the probability of its predicted class, or its value."""
    unit, output = _explained(judged, row)
    at = np.array([row])
    found = attribute(judged.model, judged.encoded(at), unit, _start(judged, at))
    parts = _by_input(judged, found)
    if judged.classes:
        return Told(row, output, found.start, found.value, parts, found.points)
    target = judged.model.target_
    scale, shift = float(target.deviation[unit]), float(target.mean[unit])
    return Told(row, output, found.start * scale + shift, found.value * scale + shift, parts * scale, found.points)


def _explained(judged: Judged, row: int) -> tuple[int, str]:
    if judged.scores is None:
        return 0, judged.target
    what = "probability of " if judged.probable else "score of "
    if len(judged.names) == 2 and width(judged.model) == 1 and not judged.several:
        return 0, what + judged.names[1]
    best = int(judged.scores[row].argmax())
    return best, what + judged.names[best]


def _by_input(judged: Judged, found: Attribution) -> Array:
    """Contributions by what was given: columns [k], pixels [h, w], words [t]; those of one input added up."""
    parts, reader = found.parts, judged.model.input_
    if isinstance(reader, SymbolReader):
        return np.asarray(parts.sum(axis=-1))
    if isinstance(reader, Table):
        total = dict.fromkeys((column.name for column in reader.columns), 0.0)
        owner = {feature: column.name for column in reader.columns for feature in column.features}
        for feature, part in zip(reader.features, parts, strict=True):
            total[owner[feature]] += float(part)
        columns = np.array(list(total.values()))
        return columns if judged.image is None else columns.reshape(judged.image)
    return np.asarray(parts.sum(axis=-1)) if parts.ndim == 3 else parts


def _start(judged: Judged, row: Array) -> Array | None:
    """Where the path begins: the black image; for anything else 0, the mean of what was trained on."""
    reader: Any = judged.model.input_
    if judged.image is not None:
        frame: Frame = judged.X.take(row)
        return np.asarray(reader.encode(replace(frame, numbers=np.zeros_like(frame.numbers)), np.float64)["x"][0])
    if isinstance(judged.X, Pixels | Files):
        return np.asarray(reader.scaled(np.zeros((1, *reader.shape)))[0])
    return None


def _start_in_words(judged: Judged, kind: str) -> str:
    if judged.image is not None or isinstance(judged.X, Pixels | Files):
        return "that for a black image"
    if isinstance(judged.X, Texts):
        return "that for as many words of no meaning (embeddings of 0)"
    if kind == "row":
        return "that for an average row (every number at its mean, no category)"
    return "that for a row whose numbers are all at their mean"


def _sums(told: list[Told]) -> str:
    rows = [
        (
            f"{one.row + 1:,}",
            one.output,
            written(one.start, 6),
            written(float(one.parts.sum()), 6),
            written(one.value, 6),
            written(one.residual, 2),
            f"{one.points:,}",
        )
        for one in told
    ]
    heads = ("row", "predicted", "at the start", "+ contributions", "= prediction", "residual", "gradients taken")
    return table("The sums.", heads, rows, numbers=range(2, 7))


def _shown(judged: Judged, one: Told, kind: str) -> str:
    truth, said = words_of(judged, one.row)
    what = note(f"True: {truth}; {said}. Contributions to the {one.output}.")
    if kind == "image":
        return what + _maps(judged, one)
    if isinstance(judged.X, Texts):
        return what + _words(judged, one)
    if kind == "row":
        return what + _bars([column.name for column in judged.model.input_.columns], one)
    if one.parts.ndim == 2:
        return what + _map_of(one)
    label = f"contributions along row {one.row + 1}"
    return what + small.line(one.parts, label, width=520, height=90)


def _bars(names: list[str], one: Told) -> str:
    order = np.argsort(-np.abs(one.parts), kind="stable")
    most = float(np.abs(one.parts).max())
    shown = [(names[k], float(one.parts[k])) for k in order[:MOST_COLUMNS] if one.parts[k]]
    others = float(one.parts.sum() - sum(value for _, value in shown))
    left = len(names) - len(shown)
    rows: list[tuple[str, str, Cell | str]] = [("at the start", written(one.start), "")]
    rows += [(name, _signed(value), Cell(small.bar(value, most))) for name, value in shown]
    rows += [(f"{left} others", _signed(others), Cell(small.bar(others, most)))] if left else []
    rows.append((one.output, written(one.value), ""))
    return table("From the start to the prediction.", ("", "adds", ""), rows, numbers=(1,))


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + written(value)


def _maps(judged: Judged, one: Told) -> str:
    pixels = image_of(judged, one.row)
    assert pixels is not None
    most = float(np.abs(one.parts).max())
    gain, loss = float(np.maximum(one.parts, 0).sum()), float(np.minimum(one.parts, 0).sum())
    drawn = [
        figure(small.picture(pixels, f"row {one.row + 1}", size=150), "The image"),
        figure(
            small.picture(small.shades(one.parts, small.RED, most), "pixels that raise it", size=150, kind="shade"),
            f"raises it: {_signed(gain)}",
        ),
        figure(
            small.picture(small.shades(-one.parts, small.BLUE, most), "pixels that lower it", size=150, kind="shade"),
            f"lowers it: {_signed(loss)}",
        ),
    ]
    return f'<div class="maps">{"".join(drawn)}</div>'


def _map_of(one: Told) -> str:
    """Contributions over time and channel, [t, c]."""
    most = float(np.abs(one.parts).max())
    up = small.picture(
        small.shades(one.parts.T[::-1], small.RED, most), "what raises it, over time", size=320, kind="shade"
    )
    down = small.picture(
        small.shades(-one.parts.T[::-1], small.BLUE, most), "what lowers it, over time", size=320, kind="shade"
    )
    gain, loss = float(np.maximum(one.parts, 0).sum()), float(np.minimum(one.parts, 0).sum())
    return side_by_side(figure(up, f"raises it: {_signed(gain)}"), figure(down, f"lowers it: {_signed(loss)}"))


def _words(judged: Judged, one: Told) -> str:
    symbols = _symbols(judged, one)
    most = float(np.abs(one.parts).max()) or 1.0
    made = []
    for symbol, value in list(zip(symbols, one.parts, strict=False))[:MOST_WORDS]:
        share = abs(float(value)) / most
        if share < STRONG:
            made.append(escape(symbol))
            continue
        colour = "--accent" if value > 0 else "--second"
        style = f"background: color-mix(in srgb, var({colour}) {24 * share:.0f}%, transparent)"
        side = "for" if value > 0 else "against"
        made.append(
            f'<span class="{side}" style="{style}">{escape(symbol)}<sub>{_signed(round(float(value), 3))}</sub></span>'
        )
    return f'<p class="words">{" ".join(made)}</p>'


def _symbols(judged: Judged, one: Told) -> list[str]:
    """The symbols of a text as they are read."""
    reader: Any = judged.model.input_
    text = str(judged.X.texts[one.row])
    if isinstance(reader, Symbols):
        found = SPLIT[reader.unit](text)[: len(one.parts)]
        return found or ["(unknown)"]
    return [reader.text([int(number)]) or "(unknown)" for number in reader.numbers([text])[0][: len(one.parts)]]


def _on_average(judged: Judged) -> str:
    rows = np.linspace(0, len(judged) - 1, min(len(judged), ROWS_ON_AVERAGE)).astype(int)
    sizes = np.mean([np.abs(explain(judged, int(row)).parts) for row in rows], axis=0)
    names = [column.name for column in judged.model.input_.columns]
    order = np.argsort(-sizes, kind="stable")[:MOST_COLUMNS]
    most = float(sizes.max()) or 1.0
    listed = [
        (names[k], written(float(sizes[k])), Cell(small.share(float(sizes[k]) / most))) for k in order if sizes[k]
    ]
    what = "the probability of the predicted class" if judged.classes else judged.target
    caption = f"The mean size of each column's contribution to {what}, over {len(rows)} rows."
    return heading("Which columns matter") + table(caption, ("column", "mean size", ""), listed, numbers=(1,))
