"""All examinations, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.diagnosis.agreement import agreement
from chainrule.diagnosis.causes import separated
from chainrule.diagnosis.columns import columns, scale
from chainrule.diagnosis.diagnosis import ORDER, Diagnosis
from chainrule.diagnosis.finding import Examined
from chainrule.diagnosis.flow import flow
from chainrule.diagnosis.gradients import gradients
from chainrule.diagnosis.history import course
from chainrule.diagnosis.labels import classes, signal
from chainrule.diagnosis.leaks import leaks, shared_rows
from chainrule.diagnosis.rate import learning_rate
from chainrule.diagnosis.subject import Subject
from chainrule.diagnosis.symmetry import symmetry
from chainrule.diagnosis.units import units

# The equations, then the network, then its training, then the data.
EXAMINATIONS: tuple[Callable[[Subject], Examined], ...] = (
    gradients,
    agreement,
    symmetry,
    units,
    flow,
    learning_rate,
    course,
    scale,
    columns,
    leaks,
    shared_rows,
    classes,
    signal,
)


def diagnose(subject: Subject) -> Diagnosis:
    """Make every examination of a model and tell causes from what follows from them."""
    examined = tuple(examination(subject) for examination in EXAMINATIONS)
    found = sorted(
        (finding for one in examined for finding in one.findings), key=lambda finding: ORDER.index(finding.severity)
    )
    findings, consequences = separated(found)
    return Diagnosis(findings, consequences, examined)
