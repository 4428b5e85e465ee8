"""What a prediction is formed of, at the end of a walk through some rows: what each network predicts of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.target import Labels
from chainrule.equations.node import Equation
from chainrule.equations.walk import tensors
from chainrule.estimators.model import plain_loss
from chainrule.estimators.prediction import DistributionPredictor
from chainrule.estimators.words import number
from chainrule.layers.composition import Tensor
from chainrule.losses import CountLoss, Loss, SoftCrossEntropy
from chainrule.training.step import TrainingStep
from chainrule.walk import Forming, Walk, formed

Array = NDArray[Any]


def with_prediction(model: Any, walk: Walk, rows: Mapping[str, Array]) -> Walk:
    """The walk on ``rows``, as the network reads them, with how the prediction of them is formed at its end.

    As it was, where there is one network, and no distribution of numbers.
    """
    loss, along = plain_loss(model.specification_.loss), model.specification_.along
    step: TrainingStep = model.specification_.trained
    if not hasattr(model, "predict") or loss is None:
        return walk
    classes = isinstance(model.target_, Labels)
    distributed = bool(loss.distribution) and not classes
    if along is None and not distributed:
        return walk
    predicted = dict(step.distribution) if distributed else {_symbol(loss, classes): _each(step)}
    names = dict(predicted)
    equations = _following(walk, step) if along is None else None
    given: dict[str, Array] = {}
    if equations is None:
        names = {symbol: _of_networks(symbol, tensor, along) for symbol, tensor in predicted.items()}
        given = _values(model, predicted, names, rows)
    target, mixture = _forms(loss, classes)
    made = formed(
        walk,
        Forming(
            names,
            given,
            equations or (),
            target,
            mixture if along else "",
            along,
            (model.target_.mean, model.target_.deviation) if target and not isinstance(loss, CountLoss) else None,
        ),
    )
    return replace(made, said=replace(made.said, formed=(*made.said.formed, *_result(made))))


def _result(walk: Walk) -> Iterator[str]:
    """What comes of it, in numbers, where there is one row, and one target."""
    values = {name: walk.values[name] for name in walk.formed if walk.values[name].size == 1}
    scope = "mixture" if any(name.startswith("mixture.") for name in walk.formed) else "target"
    found = {name.rpartition(".")[2]: number(values[name].item()) for name in values if name.startswith(f"{scope}.")}
    parts = "{0} = noise {noise} + disagreement {disagreement}"
    if "deviation" in found:
        said = f"Of this row: mean {found['mean']}, "
        if "noise" in found:
            said += f"standard deviation {found['deviation']}; variance {parts.format(found['variance'], **found)}."
        elif scope == "target":
            said += f"standard deviation {found['deviation']}."
        else:
            said += f"from which those of the networks deviate by {found['deviation']}."
        yield said
    elif "entropy" in found:
        yield f"Of this row: entropy {parts.format(found['entropy'], **found)}."


def _symbol(loss: Loss, classes: bool) -> str:
    """What one network predicts where that is no distribution: probabilities, scores or scaled values."""
    return "z" if not classes else ("p" if _is_probable(loss) else "s")


def _is_probable(loss: Loss) -> bool:
    return bool(loss.prediction) and (loss.task != "regression" or isinstance(loss, SoftCrossEntropy))


def _forms(loss: Loss, classes: bool) -> tuple[str, str]:
    """What is predicted of the target, and how several networks predict it together; see ``Forming``."""
    if classes:
        return "", ("labels" if loss.task == "binary" else "classes") if _is_probable(loss) else "scores"
    if not loss.distribution:
        return "value", "value"
    return loss.distribution, "Quantiles" if loss.distribution == "Quantiles" else "distribution"


def _each(step: TrainingStep) -> Tensor:
    """The prediction of each network, of which that of the ensemble is the mean."""
    (name,) = dict.fromkeys(tensors(step.evaluation.by_name[step.prediction.name]))
    return Tensor(name, step.evaluation.tensor_axes[name])


def _following(walk: Walk, step: TrainingStep) -> tuple[Equation, ...] | None:
    """The equations from what the walk has to the parameters of the distribution.

    None where a prediction is computed otherwise than a training step: with dropout, or normalization by minibatches.
    """
    wanted, has = {tensor.name for tensor in step.distribution.values()}, walk.system.tensor_axes
    output = {step.output.name}
    if not wanted <= has.keys() and (
        step.evaluation.subset(output).equations != step.cost_system.subset(output).equations
    ):
        return None
    return tuple(one for one in step.evaluation.subset(wanted).equations if one.name not in has)


def _of_networks(symbol: str, tensor: Tensor, along: str | None) -> Tensor:
    own = tuple(axis for axis in tensor.axes if axis != along)
    return Tensor(f"network.{symbol}", own if along is None else (along, *own))


def _values(
    model: Any, predicted: Mapping[str, Tensor], names: Mapping[str, Tensor], rows: Mapping[str, Array]
) -> dict[str, Array]:
    """What the networks predict of the rows, by its names in the walk."""
    system = model.specification_.trained.evaluation.subset({tensor.name for tensor in predicted.values()})
    read = {tensor.name for tensor in system.inputs if tensor.role in ("data", "integer")}
    made = DistributionPredictor(model, system, tuple(predicted.values()))
    found = made.of_encoded({name: value for name, value in rows.items() if name in read})
    if model.specification_.along is not None:
        found = np.moveaxis(found, 1, 0)
    return {names[symbol].name: found[..., place] for place, symbol in enumerate(predicted)}
