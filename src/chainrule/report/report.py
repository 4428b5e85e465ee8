"""A report: the sections of a model and of rows it predicts, as one page that needs nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.estimators.summary import networks, parameter_count
from chainrule.probability.score import Score
from chainrule.report import (
    architecture,
    attributions,
    calibration,
    confusion,
    curves,
    data,
    distributions,
    examples,
    findings,
    residuals,
    settings,
    told,
)
from chainrule.report.judged import Judged, judge
from chainrule.report.page import Section, percent, written
from chainrule.report.scores import accuracy, regression_scores
from chainrule.report.style import STYLE


@dataclass(frozen=True)
class Origin:
    """Where a model and the rows of a report come from.

    ``title``: the name of the data; ``rows``: which rows they are, in words; ``target``: what is predicted;
    ``command``: what trains the model again; ``versions``: those that trained it; ``image``: height and width,
    where the rows of a table are images; ``training``: the rows that it was trained on, and their targets.
    """

    title: str = ""
    rows: str = ""
    target: str = "target"
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    image: tuple[int, int] | None = None
    training: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Report:
    """``sections`` in order, under ``title`` and a ``summary`` of one sentence; ``scores`` stand above them."""

    title: str
    summary: str
    scores: tuple[Score, ...]
    sections: tuple[Section, ...]

    def html(self) -> str:
        """A complete page: no scripts, nothing to fetch, light and dark, fit for print."""
        links = "".join(f'<li><a href="#{one.name}">{escape(one.title)}</a></li>' for one in self.sections)
        made = time.strftime("%Y-%m-%d %H:%M")
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            '<a class="skip" href="#content">To the content</a>\n<div class="frame">\n'
            f"<header><h1>{escape(self.title)}</h1><p>{escape(self.summary)}</p>{self._scores()}</header>\n"
            f'<nav aria-labelledby="contents"><h2 id="contents">Contents</h2><ol>{links}</ol></nav>\n'
            f'<main id="content">\n{"".join(one.html for one in self.sections)}\n</main>\n'
            f"<footer>Made by chainrule on {made}. The page holds everything it shows.</footer>\n"
            "</div>\n</body>\n</html>\n"
        )

    def _scores(self) -> str:
        if not self.scores:
            return ""
        items = "".join(
            f'<div><dt>{escape(one.name)}</dt><dd><span class="value">{_value(one, one.value)}</span><br>'
            f'<span class="range">95 %: {_value(one, one.low)} to {_value(one, one.high)}</span></dd></div>'
            for one in self.scores
        )
        return f'<dl class="scores">{items}</dl>'

    def save(self, path: str | Path) -> Path:
        """Write the page into a file, all of it or nothing; into ``report.html`` where the path is a folder.

        Raises ChainruleError where it cannot be written.
        """
        path = Path(path)
        path = path / "report.html" if path.is_dir() else path
        unfinished = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(self.html(), encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            raise ChainruleError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from None
        return path

    def _repr_html_(self) -> str:
        # A frame of its own: the style of the page reaches nothing of the notebook, and its links stay inside.
        page = self.html().replace("<head>", '<head><base href="about:srcdoc">', 1)
        frame = "width: 100%; height: 44rem; border: 1px solid #8884; border-radius: .4rem"
        return f'<iframe title="{escape(self.title)}" style="{frame}" srcdoc="{escape(page)}"></iframe>'


def report(model: Any, X: Any = None, y: Any = None, origin: Origin | None = None) -> Report:
    """The report of a fitted model; without rows, of what needs none.

    Of an estimator around a model, it is the report of that model, with a section on what is made of its predictions.
    Raises ChainruleError for unusable rows.
    """
    origin = Origin() if origin is None else origin
    network = model if hasattr(model, "specification_") else model.estimator_
    if X is None:
        return _made(model, network, origin, (), _of_model(network, origin))
    judged = judge(network, X, y, origin.target, origin.image)
    around = None if model is network else calibration.of_wrapper(judged, model)
    return _made(model, network, origin, _scores(judged), _of_rows(judged, origin, around))


def _made(
    model: Any, network: Any, origin: Origin, scores: tuple[Score, ...], parts: Iterable[Section | None]
) -> Report:
    kind = type(network).__name__ if model is network else f"{type(network).__name__} in {type(model).__name__}"
    title = f"{origin.title}: {kind}" if origin.title else kind
    return Report(title, _summary(network), scores, tuple(part for part in parts if part is not None))


def _of_model(model: Any, origin: Origin) -> list[Section | None]:
    return [
        architecture.section(model),
        curves.section(model),
        distributions.weights(model),
        findings.of_model(model),
        told.derivation(model),
        settings.section(model, origin.command, origin.versions),
    ]


def _of_rows(judged: Judged, origin: Origin, around: Section | None) -> list[Section | None]:
    model = judged.model
    return [
        data.section(judged, origin.rows),
        architecture.section(model),
        curves.section(model),
        confusion.section(judged) if judged.classes else residuals.section(judged),
        examples.section(judged),
        calibration.section(judged),
        around,
        attributions.section(judged),
        distributions.weights_and_activations(judged),
        findings.section(judged, origin.training),
        told.derivation(model),
        told.walk(judged),
        settings.section(model, origin.command, origin.versions),
    ]


def _summary(model: Any) -> str:
    count, several = parameter_count(model), networks(model)
    epochs = f"{len(model.history_)} epochs" if len(model.history_) != 1 else "1 epoch"
    of = f"an ensemble of {several}, " if several else ""
    return f"{model._described()}, {of}{count:,} parameters, trained for {epochs} on {model.training_.rows:,} rows."


def _scores(judged: Judged) -> tuple[Score, ...]:
    if judged.classes:
        return (accuracy(judged.y, judged.predicted),)
    return tuple(regression_scores(judged.y, judged.predicted))


def _value(score: Score, value: float) -> str:
    return percent(value, 1) if score.name == "accuracy" else written(value, 4)
