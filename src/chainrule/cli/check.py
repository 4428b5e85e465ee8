"""``chainrule check``: what may be wrong with a model, or the derivatives of equations against finite differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.calculus.differences import GradientCheck, check_gradients, sample_values
from chainrule.cli.derive import default_cost, default_wrt
from chainrule.cli.model import is_model, load_model
from chainrule.cli.output import console, errors, examples, print_json
from chainrule.equations.grammar import canonical_name
from chainrule.equations.parse import parse_file
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.data.sets import Set
    from chainrule.diagnosis import Diagnosis

TOLERANCE = 1e-6


@examples(
    "chainrule check runs/digits",
    "chainrule check runs/houses houses.csv --target price --validation new_houses.csv",
    "chainrule check runs/digits digits --json",
    "chainrule check examples/two_layer.eq",
    "chainrule check network.eq --of C --wrt W",
)
def check(
    file: Annotated[
        Path, typer.Argument(help="The folder of a trained model, or a file of equations.", metavar="MODEL|FILE")
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            help="The rows that the model was trained on, as train was told. Default: those that the run remembers; "
            "where it remembers none, what needs no rows is checked.",
            metavar="DATA",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The column of the data that is predicted. Default: that of the training.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Where the labels of recordings are, as train was told.")] = None,
    validation: Annotated[Path | None, typer.Option(help="A table of rows that the model was not trained on.")] = None,
    of: Annotated[str | None, typer.Option(help="Of equations: the cost. Default: the last without axes.")] = None,
    wrt: Annotated[list[str] | None, typer.Option(help="Of equations: only this tensor; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Of equations: the seed of the values tried.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what may be wrong with a model: its gradients, its units, its learning rate, its training and its data.

    Each finding has its numbers and what to do. Of a file of equations, derived gradients are checked against finite
    differences. Exit code 1 if something graver than a note is found, or a relative error is above 1e-6.
    """
    if is_model(file):
        _refuse_options("a file of equations", {"--of": of, "--wrt": wrt})
        _check_model(file, data, target, labels, validation, json)
    else:
        given = {"DATA": data, "--target": target, "--labels": labels, "--validation": validation}
        _refuse_options("a model", given)
        _check_equations(file, of, wrt, seed, json)


def _refuse_options(what: str, options: Mapping[str, object]) -> None:
    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise ChainruleError(f"{given} is for {what}")


def _check_model(
    file: Path, data: str | None, target: str | None, labels: str | None, validation: Path | None, json: bool
) -> None:
    model = load_model(file)
    folder = file if file.is_dir() else file.parent
    if data is None:
        _refuse_options("DATA, which is missing", {"--target": target, "--labels": labels, "--validation": validation})
        diagnosis = _with_remembered_rows(model, folder)
    elif not hasattr(model, "predict"):
        from chainrule.estimators.language_model import read_text

        _refuse_options("rows", {"--target": target, "--labels": labels, "--validation": validation})
        text = read_text(Path(data))
        diagnosis = model.check(text if not model._is_short else text.splitlines())
    else:
        diagnosis = _with_rows(model, folder, data, target, labels, validation)
    if json:
        print_json(diagnosis.to_json())
    else:
        console().print(diagnosis.rich())
    if not diagnosis.passed:
        raise typer.Exit(1)


def _with_remembered_rows(model: Any, folder: Path) -> Diagnosis:
    """On the rows that the run remembers, or without rows: those of the training, and those kept aside for the test."""
    from chainrule.cli.remembered import recall, remembers
    from chainrule.data.sets import in_words_of

    found: Diagnosis
    try:
        sets = recall(folder).sets() if remembers(folder) else None
    except ChainruleError as error:
        errors().print("[yellow]checked without rows:[/yellow] ", end="")
        errors().print(str(error), markup=False)
        sets = None
    if sets is None:
        found = model.check()
        return found
    training, kept = sets
    with in_words_of(training):
        found = model.check(training.X, training.y, validation=(kept.X, kept.y))
    return found


def _with_rows(
    model: Any, folder: Path, data: str, target: str | None, labels: str | None, validation: Path | None
) -> Diagnosis:
    """On rows in a file or of a bundled set."""
    from chainrule.cli.output import readable_file
    from chainrule.cli.remembered import labels_of, target_in
    from chainrule.cli.sets import read_like, read_set
    from chainrule.data.pictures import Pictures
    from chainrule.data.sets import in_words_of

    scaled = isinstance(model.input_, Pictures) and model.input_.resize
    task = "classification" if hasattr(model, "classes_") else "regression"
    target, labels = target or target_in(folder, data), labels or labels_of(folder)
    size = model.input_.shape[:2] if scaled else None
    rows = _own_columns(model, read_set(data, target, task, size=size, labels=labels), data)
    aside = None
    if validation is not None:
        if not hasattr(rows.X, "column_names"):
            raise ChainruleError(f"{data}: --validation is for tables in files")
        others = read_like(readable_file(validation), rows)
        aside = (others.X, others.y)
    with in_words_of(rows):
        found: Diagnosis = model.check(rows.X, rows.y, validation=aside)
    return found


def _own_columns(model: Any, rows: Set, data: str) -> Set:
    """A table with just the columns that the model knows."""
    from chainrule.cli.sets import with_columns

    names = getattr(model, "feature_names_in_", None)
    if names is None or not hasattr(rows.X, "column_names"):
        return rows
    return replace(rows, X=with_columns(rows.X, list(names), data))


def _check_equations(file: Path, of: str | None, wrt: list[str] | None, seed: int, json: bool) -> None:
    names = [canonical_name(name) for name in wrt] if wrt else None
    system = parse_file(file)
    cost = canonical_name(of) if of else default_cost(system)
    defined = [name for name in names or () if name in system.by_name]
    if defined:
        raise ChainruleError(f"{defined[0]} is defined by an equation; only what is given can be varied")
    found = check_gradients(system, cost, sample_values(system, seed), names or default_wrt(system, cost), seed=seed)
    good = [one.checked > 0 and one.error <= TOLERANCE for one in found]
    if json:
        worst = max(one.error for one in found)
        print_json({"passed": all(good), "worst": worst, "gradients": [_record(one) for one in found]})
    else:
        for one, passed in zip(found, good, strict=True):
            console().print("[green]✓[/green]" if passed else "[red]✗[/red]", end=" ")
            console().print(str(one), markup=False)
    if not all(good):
        raise typer.Exit(1)


def _record(one: GradientCheck) -> dict[str, object]:
    return {
        "tensor": one.tensor,
        "position": list(one.position),
        "derived": one.derived,
        "finite_differences": one.numeric,
        "relative_error": one.error,
        "checked": one.checked,
        "kinks": one.kinks,
    }
