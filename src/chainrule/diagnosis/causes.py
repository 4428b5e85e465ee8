"""Which finding explains which: one fault shows itself in many places, and only it has to be mended.

A finding is a consequence where another one, of a kind that leads to it, was found too.  What the first values of the
parameters show already was not brought about by training, so it is never explained by the learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.diagnosis.finding import Finding, Since

TRAINING = (
    "no-signal",
    "not-learning",
    "memorised-noise",
    "still-falling",
    "diverging",
    "overfitting",
)
UNITS = ("dead-units", "saturated-units", "constant-units", "equal-units")
SIZES = ("vanishing-gradients", "exploding-gradients")

# kind → the kinds it may bring about, the deepest cause first
LEADS_TO: Mapping[str, tuple[str, ...]] = {
    "not-finite": (*TRAINING, *UNITS, *SIZES, "backends-disagree", "wrong-gradient", "zero-weights", "rate-too-high"),
    "wrong-gradient": (*TRAINING, "rate-too-high", "rate-too-low", "backends-disagree"),
    "zero-weights": (*TRAINING, *UNITS, *SIZES, "rate-too-low", "rate-too-high"),
    "equal-units": (*TRAINING, "constant-units", "saturated-units", *SIZES, "rate-too-low", "rate-too-high"),
    "unscaled-inputs": (*TRAINING, *UNITS, *SIZES, "rate-too-high", "rate-too-low"),
    "identifier-column": ("leaking-column", "memorised-noise", "overfitting"),
    "leaking-column": (),
    "dead-units": (*TRAINING, "constant-units", *SIZES, "rate-too-low"),
    "saturated-units": (*TRAINING, "constant-units", *SIZES, "rate-too-low", "rate-too-high"),
    "exploding-gradients": ("diverging", "rate-too-high", "rate-too-low", "not-learning", "still-falling"),
    "vanishing-gradients": ("constant-units", "not-learning", "still-falling", "rate-too-low"),
    "rate-too-high": (*TRAINING, *UNITS, *SIZES),
    "constant-units": ("not-learning", "still-falling"),
    "rate-too-low": TRAINING,
    "diverging": ("not-learning", "overfitting"),
    "no-signal": ("not-learning", "memorised-noise", "overfitting", "still-falling", "rate-too-low"),
    "memorised-noise": ("overfitting",),
    "missing-class": ("rare-class",),
}


def separated(found: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[tuple[Finding, str], ...]]:
    """The causes among the findings, and what they explain with the kind that explains it in the end."""
    since: dict[str, Since] = {}
    for finding in found:
        since[finding.kind] = "start" if "start" in (finding.since, since.get(finding.kind)) else finding.since
    because: dict[str, str] = {}
    for kind, effects in LEADS_TO.items():
        for effect in effects:
            both = kind in since and effect in since and effect not in because
            if both and _origin(kind, because) != effect and _may_explain(kind, since[kind], effect, since[effect]):
                because[effect] = kind
    causes = tuple(finding for finding in found if finding.kind not in because)
    return causes, tuple((finding, _origin(finding.kind, because)) for finding in found if finding.kind in because)


def _origin(kind: str, because: Mapping[str, str]) -> str:
    """The cause of the cause, as far back as there is one."""
    while kind in because:
        kind = because[kind]
    return kind


def _may_explain(kind: str, since: Since, effect: str, effect_since: Since) -> bool:
    """Training does not bring about what was there before it, nor does what it brought about explain its rate."""
    if kind == "rate-too-high" or since == "training":
        return effect_since != "start" and (since != "training" or effect != "rate-too-high")
    return True
