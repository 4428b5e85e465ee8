"""The course of training: losses that diverge, that fall no more on other rows, or that still fall at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import Examined, Finding, skipped
from chainrule.diagnosis.subject import Subject

Array = NDArray[Any]

# A loss that ends so far above its lowest, as a share of the first epoch's, was not merely noisy.
DIVERGED = 0.25
FEWEST_EPOCHS = 5
# Validation loss above its lowest by so much, in the parameters that were kept (Prechelt, Early Stopping - But When?,
# 1998, stops at 5 % generalisation loss; a tenth is beyond the noise of small validation sets).
OVERFITTED = 0.10
# Over the last fifth of the epochs, as a share of the first epoch's loss.
FALLING = 0.05


def course(subject: Subject) -> Examined:
    """The history of training."""
    name = "training"
    spoilt = [n for n, value in subject.parameters.items() if not np.isfinite(value).all()]
    if spoilt:
        return Examined(name, "the parameters", (_not_finite(spoilt[0], subject.parameters[spoilt[0]]),))
    history = subject.history
    if "loss" not in history or len(history) == 0:
        return skipped(name, "needs the history of a training run")
    losses = np.array(history["loss"], float)
    aside = np.array(history["validation_loss"], float) if "validation_loss" in history else None
    said = f"{len(losses)} epochs, loss {losses[0]:.3g} → {losses[-1]:.3g}"
    if aside is not None:
        said += f", validation loss {aside[0]:.3g} → {aside[-1]:.3g} (lowest {np.nanmin(aside):.3g})"
    findings = [_diverging(losses), _overfitting(losses, aside, subject.best_epoch), _falling(subject, losses, aside)]
    return Examined(name, said, tuple(finding for finding in findings if finding is not None))


def _not_finite(name: str, value: Array) -> Finding:
    wrong = int((~np.isfinite(value)).sum())
    return Finding(
        "not-finite",
        name,
        "error",
        f"{wrong:,} of the {value.size:,} numbers of {name} are infinite or not numbers.",
        "Train again with a smaller learning rate, or clip the gradients (clipping=ClipGlobalNorm(1.0)).",
        {"wrong": wrong, "size": value.size},
    )


def _diverging(losses: Array) -> Finding | None:
    if not np.isfinite(losses).all():
        epoch = int(np.argmin(np.isfinite(losses))) + 1
        return Finding(
            "not-finite", f"epoch {epoch}", "error", f"the loss of epoch {epoch} is not finite.",
            "Lower the learning rate, or clip the gradients (clipping=ClipGlobalNorm(1.0)).", {"epoch": epoch},
        )  # fmt: skip
    if len(losses) < 3:
        return None
    lowest, last = int(np.argmin(losses)), float(losses[-1])
    above = last - losses[lowest]
    if above <= DIVERGED * abs(losses[0]) or lowest == len(losses) - 1:
        return None
    return Finding(
        "diverging",
        f"from epoch {lowest + 1} on",
        "warning",
        f"the loss was {losses[lowest]:.3g} in epoch {lowest + 1} and is {last:.3g} after {len(losses)}.",
        "Lower the learning rate, or let it fall (CosineDecay()).",
        {"lowest": float(losses[lowest]), "last": last, "epoch": lowest + 1},
    )


def _overfitting(losses: Array, aside: Array | None, kept: int) -> Finding | None:
    """Only where the parameters that were kept are not those of the best epoch."""
    if aside is None or not np.isfinite(aside).all() or not 1 <= kept <= len(aside):
        return None
    best = int(np.argmin(aside))
    lowest, now = float(aside[best]), float(aside[kept - 1])
    if kept - 1 <= best or now <= lowest + OVERFITTED * abs(lowest) or losses[kept - 1] >= losses[best]:
        return None
    return Finding(
        "overfitting",
        f"from epoch {best + 1} on",
        "warning",
        f"the validation loss rose from {lowest:.3g} in epoch {best + 1} to {now:.3g} in epoch {kept}, while the "
        f"training loss fell from {losses[best]:.3g} to {losses[kept - 1]:.3g}.",
        f"Keep the best epoch (early_stopping=True), train for {best + 1} epochs, or add Dropout() or L2().",
        {"lowest": lowest, "kept": now, "epoch": best + 1, "ratio": now / lowest if lowest else np.inf},
    )


def _falling(subject: Subject, losses: Array, aside: Array | None) -> Finding | None:
    watched = losses if aside is None else aside
    if len(watched) < FEWEST_EPOCHS or not np.isfinite(watched).all():
        return None
    rates = subject.history["learning_rate"]
    if rates[-1] < 0.1 * max(rates):
        return None  # a rate that has come down to nearly nothing ends the run by itself
    back = max(1, len(watched) // 5)
    fell = float(watched[-1 - back] - watched[-1])
    if fell <= FALLING * abs(float(watched[0])):
        return None
    what = "loss" if aside is None else "validation loss"
    return Finding(
        "still-falling",
        f"epoch {len(watched)}",
        "note",
        f"the {what} fell from {watched[-1 - back]:.3g} to {watched[-1]:.3g} in the last {back} of "
        f"{len(watched)} epochs.",
        f"Train for more epochs: epochs={2 * len(watched)}.",
        {"fell": fell, "share": fell / abs(float(watched[0])), "epochs": len(watched)},
    )
