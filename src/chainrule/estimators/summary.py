"""What a model is, in a table: how the data are read, the layers, their sizes and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from chainrule.data.augment import as_augmentations
from chainrule.equations.node import Apply, Equation, Reduce
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.equations.walk import children, free_axes, tensors
from chainrule.training.history import FIRST
from chainrule.training.snapshots import OneRun

MOST_ROWS, MOST_NUMBERS = 8192, 2**25  # that are computed at a time where all rows are
LAYER_HEADINGS = ("layer", "output", "values", "parameters", "multiply-adds")


@dataclass(frozen=True)
class Part:
    """One layer (a scope of the equations): what it gives for a row and what it costs.

    ``multiply_adds``: multiplications whose results are added up, for one row, counted from the sums in its equations.
    """

    name: str
    output: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def parts(system: System) -> tuple[Part, ...]:
    """The layers of a system that reads ``x[b, …]``, for a minibatch of one row."""
    sizes = sizes_for_one_row(system)
    scopes: dict[str, list[Equation]] = {}
    for equation in system.equations:
        scopes.setdefault(scope_of(equation.name), []).append(equation)
    made = []
    for scope, equations in scopes.items():
        last = equations[-1]
        own = [tensor for tensor in system.parameters if scope_of(tensor.name) == scope]
        made.append(
            Part(
                scope,
                f"{last.name}[{','.join(last.axes)}]" if last.axes else last.name,
                tuple(sizes[axis] for axis in last.axes if axis != "b"),
                sum(prod(sizes[axis] for axis in tensor.axes) for tensor in own),
                sum(multiply_adds(equation, sizes) for equation in equations),
            )
        )
    return tuple(made)


def sizes_for_one_row(system: System) -> dict[str, int]:
    """The size of every axis when there is one row."""
    sizes = solve_sizes(system, {}, partial=True)
    rows = {axis: 1 for axis in system.axes if axis not in sizes}
    return {**sizes, **rows}


def rows_at_once(system: System) -> int:
    """How many rows a system should be computed for at a time, so that what is computed of them fits into memory."""
    sizes = sizes_for_one_row(system)
    numbers = sum(prod(sizes[axis] for axis in equation.axes) for equation in system.equations)
    most = max(1, min(MOST_ROWS, MOST_NUMBERS // max(numbers, 1)))
    return 1 << (most.bit_length() - 1)


def multiply_adds(equation: Equation, sizes: Mapping[str, int]) -> int:
    """Multiplications in the equation whose results are added up, for all values of its axes."""
    return _count(equation.expression, sizes)


def _count(node: Any, sizes: Mapping[str, int]) -> int:
    total = sum(_count(child, sizes) for child in children(node))
    if isinstance(node, Reduce) and node.operation == "sum" and _is_product(node.body):
        over = dict.fromkeys((*free_axes(node), *node.axes))
        total += prod(sizes[axis] for axis in over)
    return total


def _is_product(node: Any) -> bool:
    """Whether two tensors are multiplied: ``x*W``, ``W^2``."""
    if not isinstance(node, Apply):
        return False
    if node.function == "*":
        return sum(bool(tensors(argument)) for argument in node.arguments) >= 2
    return node.function == "^" and bool(tensors(node.arguments[0]))


def scope_of(name: str) -> str:
    """The layer that a tensor belongs to: ``dense1.W`` → ``dense1``."""
    return name.rsplit(".", 1)[0] if "." in name else name


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: int = 0) -> list[str]:
    """Lines of text in columns, the last ``numbers`` of them to the right."""
    cells = [headings, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = []
    for row in cells:
        texts = [
            cell.rjust(width) if column >= len(row) - numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(texts).rstrip())
    lines.insert(1, "  ".join("─" * width for width in widths))
    return lines


def training_facts(model: Any) -> list[tuple[str, str]]:
    """What a fitted model was trained with, and what came of it: pairs of a name and what there is to say."""
    specification, last = model.specification_, dict(model.history_.last)
    facts = [("loss", repr(specification.loss)), ("optimizer", repr(specification.optimizer))]
    facts += [("penalty", repr(penalty)) for penalty in specification.regularizers]
    several = networks(model)
    facts += [("ensemble", f"{several}, {parameter_count(model):,} parameters in all")] if several else []
    facts += [("augmented", repr(step)) for step in as_augmentations(model.augmentation)]
    computed = f", {model.training_.computed_by}" if model.training_.computed_by else ""
    facts.append(("trained", f"{len(model.history_)} epochs, {int(last.get('steps', 0)):,} steps{computed}"))
    shown = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in last.items() if name not in FIRST[:2]]
    return [*facts, ("last epoch", ", ".join(shown))]


def networks(model: Any) -> str:
    """The networks that predict, in words; nothing where it is one."""
    specification = model.specification_
    if specification.thinned is not None:
        return f"{_networks(specification.thinned)} that dropout makes of one"
    if specification.members is None:
        return ""
    return _networks(specification.members) + (" that share weights" if specification.step.shared else "")


def looked_into(model: Any) -> str:
    """Which network it is that is looked into, in words; nothing where there is one only."""
    specification = model.specification_
    if specification.thinned is not None:
        return f"the network of which dropout makes {specification.thinned}"
    return "" if specification.members is None else f"the first of {_networks(specification.members)}"


def sourced(model: Any) -> str:
    """Which network it is that ``source()`` trains, in words; nothing where it is the one that predicts."""
    ensemble = getattr(model, "ensemble", None)
    if isinstance(ensemble, OneRun):
        return f"the network of the run that {ensemble!r} is made from"
    return looked_into(model)


def _networks(count: int) -> str:
    return f"{count} network{'s' if count > 1 else ''}"


def parameter_count(model: Any) -> int:
    """How many numbers were learnt, those of all networks."""
    return sum(int(model.parameters_[tensor.name].size) for tensor in model.specification_.step.parameters)


def layer_rows(system: System) -> list[tuple[str, ...]]:
    """The rows of the table of layers, the last with the totals."""
    found = parts(system)
    rows: list[tuple[str, ...]] = [
        (
            part.name,
            part.output,
            "×".join(map(str, part.shape)) or "1",
            f"{part.parameters:,}",
            f"{part.multiply_adds:,}",
        )
        for part in found
    ]
    rows.append(("total", "", "", f"{sum(p.parameters for p in found):,}", f"{sum(p.multiply_adds for p in found):,}"))
    return rows


def layer_lines(system: System) -> list[str]:
    """The table of layers, with totals."""
    return table(LAYER_HEADINGS, layer_rows(system), numbers=2)
