"""What the numbers of a walk stand for: classes by their names, values in their own unit, symbols as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.target import Labels, Values
from chainrule.data.text import SymbolReader
from chainrule.data.vocabulary import FIRST, PADDING, UNKNOWN
from chainrule.estimators.model import plain_loss
from chainrule.estimators.prediction import predictor
from chainrule.estimators.summary import looked_into, networks
from chainrule.losses import Quantiles
from chainrule.walk import Said

Array = NDArray[Any]

MOST_ROWS = 4
MOST_SYMBOLS = 120  # letters of a text
MOST_VALUES = 4  # of a row


def in_words(model: Any, network: Any, rows: Mapping[str, Array]) -> Said:
    """What ``rows`` are, as the network reads them, and what is predicted of them: by the ``network`` that is walked
    through, and by the ``model``, where it is several networks.
    """
    step = network.specification_.step
    which = looked_into(model)
    told = _predicted(network, rows, f" of {which}" if which else "")
    if which:
        told += _predicted(model, rows, f" of {networks(model)} together")
    if model.specification_.members is not None:
        told.append("model.member(k).walk(…) walks through network k, counted from 0.")
    if any(tensor.role == "random" for tensor in step.cost_system.inputs):
        told.append("A prediction draws no random numbers; a training step does.")
    return Said(tuple(_given(model, rows)), tuple(told), tuple(_formed(model)), which)


def _predicted(model: Any, rows: Mapping[str, Array], whose: str) -> list[str]:
    """What a model predicts of rows, the first of them."""
    step = model.specification_.step
    learnt = rows.get("t", rows.get("y"))
    inputs = {tensor.name for tensor in step.prediction_system.inputs if tensor.role in ("data", "integer")}
    predicted = predictor(model).of_encoded({name: value for name, value in rows.items() if name in inputs})
    tell: Callable[[Any, Array, Array | None, Array], str] = _value
    if not hasattr(model, "predict"):
        tell = _next_symbol
    elif isinstance(model.target_, Labels):
        tell, predicted = _class, model._two_columns(predicted)
    many = len(predicted) > 1
    return [
        f"{f'Row {row}: the' if many else 'The'} prediction{whose} is "
        + tell(model, predicted[row], None if learnt is None else learnt[row], rows["x"][row])
        for row in range(min(len(predicted), MOST_ROWS))
    ]


def _formed(model: Any) -> Iterator[str]:
    """How the prediction comes about: of a distribution's parameters, of what several networks predict."""
    loss, several = plain_loss(model.specification_.loss), networks(model)
    if not hasattr(model, "predict") or loss is None:
        return
    classes = isinstance(model.target_, Labels)
    if isinstance(loss, Quantiles) and not classes:
        levels = ", ".join(f"{level:g}" for level in loss.levels)
        yield f"What is predicted are the quantiles of the levels {levels}, in the unit of the target." + (
            f" They are the means of those of {several}." if several else ""
        )
    elif loss.distribution and not classes:
        yield f"What is predicted is {loss.assumption}, in the unit of the target." + (
            f" The distributions of {several}, each as likely as the others, make a mixture. Its variance is the "
            "noise, the mean of their variances, and the disagreement, the variance of their means."
            if several
            else ""
        )
    elif several and classes and hasattr(model, "predict_proba"):
        yield (
            f"Probabilities are the means of those of {several}. Their entropy, in nats, says how unsure they are: the "
            "noise, the mean of the entropies of the networks, and the disagreement, what it is above that. A "
            "bracket is 1 where what it says is true and 0 elsewhere; so 0 · log 0 counts as 0."
        )
    elif several:
        yield f"The prediction is the mean of those of {several}." + (
            "" if classes else " The deviation says how much they disagree; how noisy the target is, they do not say."
        )


def _given(model: Any, rows: Mapping[str, Array]) -> Iterator[str]:
    target = model.target_
    if isinstance(model.input_, SymbolReader):
        for row, numbers in enumerate(rows["x"][:MOST_ROWS]):
            which = f", row {row}," if len(rows["x"]) > 1 else ""
            yield f"x{which} reads {_quoted(model.input_, numbers)}."
    if isinstance(target, Values) and (target.mean.any() or (target.deviation != 1).any()):
        yield (
            "Targets and predictions are scaled: they are the target "
            + (f"less {_listed(target.mean)}, its mean, " if target.mean.any() else "")
            + f"divided by {_listed(target.deviation)}, its {'deviation' if target.mean.any() else 'mean'}."
        )


def _class(model: Any, scores: Array, learnt: Array | None, x: Array) -> str:
    """The class of the highest score, or all labels that are likelier than not, and what the row is."""
    names, several = model.target_.classes, model.target_.several
    kind = "probability" if hasattr(model, "predict_proba") else "score"
    if several:
        middle = 0.5 if kind == "probability" else 0.0
        said = _labels(names, scores > middle) + f" ({kind} {', '.join(f'{score:.2f}' for score in scores)})"
        return f"{said}." if learnt is None else f"{said}; the row has {_labels(names, learnt > 0.5)}."
    best = int(scores.argmax())
    said = f"{names[best]} ({kind} {number(scores[best])})"
    if learnt is None:
        return f"{said}."
    true = int(learnt.argmax() if learnt.size > 1 else round(float(learnt.reshape(()))))
    own = "" if true == best else f" ({kind} {number(scores[true])})"
    return f"{said}; the row is {names[true]}{own}."


def _labels(names: Array, has: Array) -> str:
    return (
        "the labels " + ", ".join(str(name) for name, one in zip(names, has, strict=True) if one)
        if has.any()
        else ("no label")
    )


def _value(model: Any, scaled: Array, learnt: Array | None, x: Array) -> str:
    """The value in the target's own unit, and that of the row."""
    target = model.target_

    def own(values: Array) -> str:
        table = values.reshape(target.size, -1).astype(np.float64)  # some losses predict several numbers a value
        return _listed((table * target.deviation[:, None] + target.mean[:, None]).reshape(-1))

    said = f"{own(scaled)} in the unit of the target"
    if target.mean.any() or (target.deviation != 1).any():
        said += f" ({_listed(scaled.reshape(-1))} scaled)"
    return f"{said}." if learnt is None else f"{said}; the row has {own(learnt)}."


def _next_symbol(model: Any, shares: Array, learnt: Array | None, x: Array) -> str:
    """The likeliest symbol behind the text that is read, and the one that stands there."""
    reader, last = model.input_, int(np.flatnonzero(x)[-1]) if x.any() else 0
    best = int(shares[last].argmax())
    said = f"{_symbol(reader, best)} behind the last symbol read (probability {number(shares[last, best])})"
    if learnt is None:
        return f"{said}."
    true = int(learnt[last])
    own = "" if true == best else f" (probability {number(shares[last, true])})"
    return f"{said}; the text has {_symbol(reader, true)}{own}."


def _symbol(reader: SymbolReader, number: int) -> str:
    """One symbol; what ends a short text, and what stands for all others, have no text."""
    return {PADDING: "the end of the text", UNKNOWN: "an unknown symbol"}.get(number) or _quoted(reader, [number])


def _quoted(reader: SymbolReader, numbers: Any) -> str:
    """Symbols as text between quotation marks, a long one cut."""
    known = [int(number) for number in numbers if number >= FIRST]
    text = reader.text(known).replace("\n", "⏎")
    if not text:
        return "no known symbol"
    return f"“{text if len(text) <= MOST_SYMBOLS else text[: MOST_SYMBOLS - 1] + '…'}”"


def _listed(values: Array) -> str:
    shown = ", ".join(map(number, values[:MOST_VALUES]))
    return shown + (", …" if len(values) > MOST_VALUES else "")


def number(value: float) -> str:
    """A value as it stands in a sentence."""
    return f"{float(value):,.6g}".replace("-", "−") if abs(value) >= 1 else f"{float(value):.3g}".replace("-", "−")
