"""``chainrule evaluate``: what the predictions of a saved model are worth on rows it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.model import load_predictor
from chainrule.cli.output import console, examples, print_json
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.data.sets import Set


@examples(
    "chainrule evaluate runs/digits",
    "chainrule evaluate runs/houses new_houses.csv --target price",
    "chainrule evaluate runs/animals new_images/ --json",
)
def evaluate(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model.", metavar="MODEL")],
    data: Annotated[
        str | None,
        typer.Argument(
            help="Rows with their targets: a table, images, recordings or series as those it was trained on. Default: "
            "the rows that chainrule train kept aside for the test.",
            metavar="DATA",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The column that was to be predicted. Default: that of the training.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how good predictions are, and whether they know how sure they may be, each score with its interval.

    Of classes: accuracy, negative log-likelihood (NLL), Brier score, expected calibration error (ECE). Of numbers: R²,
    RMSE, MAE and, where the loss is a likelihood, NLL, CRPS, and how often intervals hold the truth.
    """
    from chainrule.cli.scores import judge
    from chainrule.data.sets import in_words_of

    fitted = load_predictor(model)
    if not hasattr(fitted, "predict"):
        raise ChainruleError(f"{model}: is a language model, which has no rows with targets to be judged by")
    rows = _rows(fitted, model if model.is_dir() else model.parent, data, target)
    with in_words_of(rows):
        found = judge(fitted, rows)
    if json:
        print_json({"rows": len(rows), **found.record()})
        return
    console().print(f"[bold]{model}[/bold] on {len(rows):,} rows {f'of {data}' if data else 'kept aside'}:")
    found.print()


def _rows(fitted: Any, folder: Path, data: str | None, target: str | None) -> Set:
    """The rows to judge by; those that the run kept aside where none are given."""
    from chainrule.cli.remembered import recall, target_in
    from chainrule.cli.sets import read_set
    from chainrule.cli.walk import rows_and_target
    from chainrule.data.sets import BUNDLED, Set

    if data is None:
        return recall(folder).sets()[1]
    classes = hasattr(fitted, "classes_")
    if data in BUNDLED and not Path(data).exists():
        return read_set(data, target, "classification" if classes else "regression")
    X, y, column = rows_and_target(fitted, Path(data), target or target_in(folder, data))
    y = getattr(X, "labels", None) if y is None else y
    if y is None:
        raise ChainruleError(f"{data}: nothing says what was to be predicted; say which column with --target")
    return Set(Path(data).stem, X, y, classes, column)
