"""How weights and activations are distributed, layer by layer."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.estimators.summary import networks, parts, rows_at_once
from chainrule.report import small
from chainrule.report.judged import Judged
from chainrule.report.page import Cell, Section, heading, note, percent, table, written
from chainrule.training.programs import program

Array = NDArray[Any]

MOST_ROWS = 200
MOST_TENSORS = 60


def weights(model: Any) -> Section:
    """Each parameter's values."""
    return Section("weights", "Weights", _weights(model))


def weights_and_activations(judged: Judged) -> Section:
    """Each parameter's values, and what each layer gives for some rows."""
    body = heading("Weights") + _weights(judged.model) + heading("Activations") + _activations(judged)
    return Section("weights", "Weights and activations", body)


def _weights(model: Any) -> str:
    names = [tensor.name for tensor in model.specification_.step.prediction_system.parameters]
    rows = [_row(name, np.asarray(model.parameters_[name])) for name in names[:MOST_TENSORS]]
    heads = ("parameter", "distribution", "shape", "mean", "deviation", "lowest", "highest")
    listed = table(f"The parameters after training{_of_networks(model)}.", heads, rows, numbers=range(3, 7))
    left = len(names) - MOST_TENSORS
    return listed + (note(f"{left} more parameters are not shown.") if left > 0 else "")


def _of_networks(model: Any) -> str:
    """Whose numbers they are, where there is more than one network."""
    specification = model.specification_
    if specification.thinned is not None:
        return ", which all thinned networks share"
    if specification.members is None:
        return ""
    shared = " of those that are not shared" if specification.step.shared else ""
    return f", of all {specification.members} networks, which are the first axis{shared}"


def _row(name: str, values: Array) -> tuple[Cell | str, ...]:
    counts, _ = small.counted(values)
    shape = " × ".join(map(str, values.shape)) or "1"
    numbers = (values.mean(), values.std(), values.min(), values.max())
    return (name, Cell(small.bars(counts, f"distribution of {name}")), shape, *map(written, numbers))


def _activations(judged: Judged) -> str:
    model = judged.model
    system, along = model.specification_.trained.prediction_system, model.specification_.along
    outputs = tuple(part.output.partition("[")[0] for part in parts(system))[:MOST_TENSORS]
    count = min(len(judged), MOST_ROWS, rows_at_once(system))
    some = np.linspace(0, len(judged) - 1, count).astype(int)
    outputs = tuple(name for name in outputs if "b" in system.tensor_axes[name])
    found = program(system, outputs, "float64", model.backend).run(judged.encoded(some), dict(model.parameters_))
    rows = []
    for name in outputs:
        values = np.asarray(found[name])
        units = _by_unit(values, system.tensor_axes[name], along)
        silent = int((units == 0).all(axis=0).sum())
        zero = percent(float((values == 0).mean())) if (values == 0).any() else "–"
        still = f"{silent} of {units.shape[1]}" if silent else "–"
        rows.append(
            (
                *_row(name, values)[:2],
                *map(written, (values.mean(), values.std(), values.min(), values.max())),
                zero,
                still,
            )
        )
    padded = "" if model.input_.length is None else ", what lies behind the end of a row included"
    heads = ("output", "distribution", "mean", "deviation", "lowest", "highest", "zeros", "units always 0")
    whose = f", in all of {networks(model)}" if along else ""
    return table(f"What each layer gives for {count} rows{whose}{padded}.", heads, rows, numbers=range(2, 8))


def _by_unit(values: Array, axes: tuple[str, ...], along: str | None) -> Array:
    """The values of each unit in a column, the units of each network apart."""
    of = [place for place, axis in enumerate(axes) if axis == along or (place == len(axes) - 1 and axis != "b")]
    units = prod(values.shape[place] for place in of)
    return np.moveaxis(values, of, range(-len(of), 0)).reshape(-1, units)
