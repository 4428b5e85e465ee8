"""What an examination of the model finds."""

from __future__ import annotations

from html import escape
from typing import Any

from chainrule.diagnosis import Diagnosis
from chainrule.estimators.summary import looked_into
from chainrule.report.judged import Judged
from chainrule.report.page import Section, fold, paragraph, terms


def section(judged: Judged, training: tuple[Any, Any] | None) -> Section:
    """What is found on the rows trained on, if they are given, measured against these; else on these."""
    if training is None:
        return _told(judged.model, judged.model.check(*judged.given))
    return _told(judged.model, judged.model.check(*training, validation=judged.given))


def of_model(model: Any) -> Section:
    """What is found without rows."""
    return _told(model, model.check())


def _told(model: Any, found: Diagnosis) -> Section:
    """The findings, the gravest first, with what to do."""
    which = looked_into(model)
    body = (paragraph(f"What is examined is {which}.") if which else "") + paragraph(found.verdict)
    for one in found.findings:
        title = f"{one.severity.capitalize()}: {one.kind.replace('-', ' ')}, {one.where}"
        body += f'<div class="finding"><h3>{escape(title)}</h3>{paragraph(one.evidence)}{paragraph(one.advice)}</div>'
    if found.consequences:
        follows = [
            (f"{one.kind.replace('-', ' ')}, {one.where}", f"{one.evidence} It follows from {cause}.")
            for one, cause in found.consequences
        ]
        body += fold("What follows from it", terms(follows))
    looked = [(one.name, f"skipped: {one.said}" if one.skipped else one.said) for one in found.examined]
    return Section("check", "Check", body + fold(f"The {len(looked)} examinations", terms(looked)))
