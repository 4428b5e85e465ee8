"""Reliability of the probabilities of classes; for values, deciles of the predictions and the mean truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.probability.evaluation import Covered, evaluate_classes, evaluate_values, probability_scores
from chainrule.probability.reliability import BINS, Reliability, reliability
from chainrule.probability.score import Score
from chainrule.report.figure import ACCENT, LINE, SECOND, SOFT, draw, histogram, plain
from chainrule.report.judged import Judged
from chainrule.report.page import Section, figure, paragraph, percent, side_by_side, table, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

DECILES = 10
NO_TENDENCY = 0.005  # a difference too small to speak of


def section(judged: Judged) -> Section | None:
    """Reliability of probabilities, or deciles of predicted values; None for scores that are no probabilities."""
    if judged.scores is None:
        return _values(judged)
    if not judged.probable:
        return None
    found, said = _reliability(judged)
    drawing = draw(4.8, 4.4, lambda made: _diagram(made, found), "Reliability diagram", said)
    rows = [
        (f"{percent(low, 0)} to {percent(high, 0)}", int(n), percent(c) if n else "–", percent(a) if n else "–")
        for low, high, n, c, a in zip(
            found.edges[:-1], found.edges[1:], found.counts, found.confidence, found.accuracy, strict=True
        )
        if n
    ]
    listed = table("The bins.", ("confidence", "rows", "mean", "right"), rows, numbers=(1, 2, 3))
    caption = (
        "Share of right predictions in each bin of confidence; on the dashed line both are equal. Below: rows in a bin."
    )
    shown = side_by_side(figure(drawing, caption), listed)
    if not judged.several:
        shown += _scores(probability_scores(judged.numbers, judged.scores))
    return Section("calibration", "Calibration", paragraph(said) + shown)


def of_wrapper(judged: Judged, wrapper: Any) -> Section | None:
    """What an estimator around the model makes of how sure it is, beside the model; None where that is nothing."""
    X, name, body = judged.given[0], type(wrapper).__name__, ""
    if judged.several:
        return None
    if judged.classes and judged.probable and hasattr(wrapper, "predict_proba"):
        both = (judged, replace(judged, scores=np.asarray(wrapper.predict_proba(X)), predicted=wrapper.predict(X)))
        drawn = []
        for one, title in zip(both, (f"{type(judged.model).__name__} alone", name), strict=True):
            found, said = _reliability(one)
            drawing = draw(4.4, 4.2, partial(_diagram, found=found), f"Reliability diagram: {title}", said)
            drawn.append(figure(drawing, f"{title}. {said}"))
        body += side_by_side(*drawn)
    evaluate = evaluate_classes if judged.classes else evaluate_values
    evaluated = evaluate(wrapper, X, judged.numbers if judged.classes else judged.y)
    body += _covered(evaluated.covered, "mean size" if judged.classes else "mean width") if evaluated.covered else ""
    body += _scores(evaluated.scores) if evaluated.scores else ""
    said = f"The same rows, with what {name} makes of the model's predictions."
    return Section("wrapper", name, paragraph(said) + body) if body else None


def _reliability(judged: Judged) -> tuple[Reliability, str]:
    """How sure predictions of classes are and how often right, in bins and in words."""
    assert judged.scores is not None
    if judged.several:
        confidence, right = judged.scores.ravel(), judged.numbers.ravel() > 0.5
        of = "the probability of each label, of each row"
    else:
        confidence, right = judged.scores.max(axis=1), judged.right
        of = "the probability of the class predicted"
    found = reliability(confidence, right)
    mean, share = float(confidence.mean()), float(right.mean())
    return found, (
        f"Expected calibration error {percent(found.error, 2)} ({BINS} bins, {of}). On average the model says "
        f"{percent(mean)} and is right in {percent(share)}: {_tendency(mean - share)}."
    )


def _scores(scores: Sequence[Score]) -> str:
    """Scores of probabilities, or of distributions, each with its interval."""
    caption = "Scores of how sure it says it is: the lower, the better."
    rows = [(one.name, written(one.value), f"{written(one.low)} … {written(one.high)}") for one in scores]
    return table(caption, ("score", "value", "95 %"), rows, numbers=(1, 2))


def _covered(covered: Sequence[Covered], size: str = "mean width") -> str:
    """How often the intervals, or sets of classes, that are predicted hold the truth, at each level."""
    rows = [
        (
            percent(one.level, 0),
            percent(one.coverage.value),
            f"{percent(one.coverage.low)} … {percent(one.coverage.high)}",
            written(one.size),
        )
        for one in covered
    ]
    what = "intervals" if size == "mean width" else "sets of classes"
    heads = ("level", f"holds the true {'value' if what == 'intervals' else 'class'}", "95 %", size)
    return table(f"The {what} that are predicted.", heads, rows, numbers=range(1, 4))


def _tendency(more: float) -> str:
    if abs(more) <= NO_TENDENCY:
        return "neither too sure nor not sure enough"
    return "it is too sure" if more > 0 else "it is not sure enough"


def _diagram(made: Figure, found: Reliability) -> None:
    upper, lower = made.subplots(2, 1, height_ratios=(3.4, 1), sharex=True)
    present = found.counts > 0
    histogram(upper, np.where(present, found.accuracy, 0), found.edges, ACCENT, alpha=0.3)
    upper.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    upper.plot(
        found.confidence[present], found.accuracy[present], color=ACCENT, marker="o", markersize=5.5, linestyle=""
    )
    upper.set(ylim=(0, 1.02), xlim=(0, 1), ylabel="share right")
    histogram(lower, found.counts, found.edges, SECOND, alpha=0.7)
    lower.set(xlabel="confidence", ylabel="rows", yticks=[found.counts.max()])
    for axes in (upper, lower):
        axes.tick_params(length=0)
        axes.grid(axis="x", visible=False)
        axes.spines["left"].set_color(LINE)


def _values(judged: Judged) -> Section:
    true, predicted = (values.reshape(len(judged), -1)[:, 0] for values in (judged.y, judged.predicted))
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(DECILES, len(predicted)))
    rows, means = [], []
    for k, part in enumerate(parts, 1):
        said, is_ = float(predicted[part].mean()), float(true[part].mean())
        spread = float((true[part] - predicted[part]).std() / np.sqrt(len(part)))
        means.append((said, is_, spread))
        rows.append(
            (str(k), len(part), written(said), written(is_), written(is_ - said), f"± {written(1.96 * spread, 2)}")
        )
    name = judged.target if judged.y.ndim == 1 else f"{judged.target} 1"
    off = sum(abs(is_ - said) > 1.96 * spread for said, is_, spread in means)
    said_of = (
        f"In {len(parts) - off} of {len(parts)} deciles of the prediction, the mean of the true values is what is "
    )
    said_of += "predicted, within the 95 % interval of that mean."
    drawing = draw(4.8, 3.8, lambda made: _deciles(made, means, name), f"Deciles of predicted {name}", said_of)
    heads = ("decile", "rows", "predicted", "true", "difference", "95 %")
    listed = table("Means in each tenth of the rows, by prediction.", heads, rows, numbers=range(1, 6))
    shown = side_by_side(
        figure(drawing, "Mean true value in each decile of the prediction, with 95 % intervals."), listed
    )
    found = evaluate_values(judged.model, judged.given[0], judged.y)
    shown += _covered(found.covered) if found.covered else ""
    shown += _scores(found.scores) if found.scores else ""
    return Section("calibration", "Calibration", paragraph(said_of) + shown)


def _deciles(made: Figure, means: list[tuple[float, float, float]], name: str) -> None:
    axes: Any = made.subplots()
    said, is_, spread = np.array(means).T
    ends = [min(said.min(), is_.min()), max(said.max(), is_.max())]
    axes.plot(ends, ends, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(said, is_, 1.96 * spread, color=ACCENT, linestyle="", marker="o", markersize=4.5, elinewidth=1.2)
    axes.set_xlabel(f"mean predicted {name}")
    axes.set_ylabel(f"mean true {name}")
    plain(axes)
