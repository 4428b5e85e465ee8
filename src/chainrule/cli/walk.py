"""``chainrule walk``: one row through a saved model and back, every number with the equation that it comes from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.model import load_model
from chainrule.cli.output import console, errors, examples, print_json, readable_file, write_text
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from chainrule.walk import Element, Place, Quantity, Walk

FEW = 1000  # numbers of a quantity that are all in the record of a whole walk


@examples(
    "chainrule walk runs/digits digits --row 3",
    "chainrule walk runs/digits digits --row 3 --neuron 'dense1.z[4]'",
    "chainrule walk runs/houses houses.csv --target price --quantity 'partial dense1.W'",
    "chainrule walk runs/digits digits --neuron 'dense1.z[4]' --exact",
    "chainrule walk runs/digits digits --row 3 --out walk.html",
)
def walk(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model.", metavar="MODEL")],
    data: Annotated[
        str,
        typer.Argument(
            help="A bundled set, a table, images, recordings, series or texts, as those it was trained on.",
            metavar="DATA",
        ),
    ],
    row: Annotated[int, typer.Option(min=1, help="Which row, counted from 1; of a running text, which window.")] = 1,
    target: Annotated[
        str | None,
        typer.Option(
            help="The column that was to be predicted. Default: that of the training, or the only one that the model "
            "does not read."
        ),
    ] = None,
    neuron: Annotated[
        str | None, typer.Option(help="Open one element, such as 'dense1.z[4]'; positions count from 0.")
    ] = None,
    quantity: Annotated[str | None, typer.Option(help="Only one quantity, such as dense1.z.")] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Print the arithmetic of --neuron with every digit, as text to compute.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write an HTML page, in which numbers can be opened.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk through one training step on one row: forward, loss, backward, update, with every number.

    Where the data do not say what is to be learnt, forward alone.
    """
    if exact and neuron is None:
        raise ChainruleError("--exact prints the arithmetic of one element; say which one with --neuron")
    if neuron is not None and quantity is not None:
        raise ChainruleError("--neuron opens one element and --quantity shows one quantity; give one of them")
    made = _walk(load_model(model), data, row, target, model if model.is_dir() else model.parent)
    if neuron is not None:
        element = made.at(neuron)
        if exact:
            print_json(_element(element)) if json else print(f"{element.name} = {element.exact()}")
        else:
            _give(element.rich(), _element(element), element.html, out, json)
    elif quantity is not None:
        _give_quantity(made, made[quantity], out, json)
    else:
        _give(made.rich(), _record(made), made.html, out, json)


def _give_quantity(made: Walk, quantity: Quantity, out: Path | None, json: bool) -> None:
    from chainrule.notation import page, terminal
    from chainrule.walk.story import told

    document = told(made, quantity)
    record = {**_quantity(quantity), "values": _plain(quantity.value.tolist())}
    _give(terminal.Shown(document), record, lambda: page.page(document), out, json)


def _give(shown: RenderableType, record: dict[str, Any], html: Any, out: Path | None, json: bool) -> None:
    """As a page, as a record, or in the terminal, in a pager where it is one."""
    if out is not None:
        write_text(out, html())
        if not json:
            console().print(f"wrote {out}", markup=False)
    if json:
        print_json(record)
    elif out is None:
        writer = console()
        if writer.is_terminal:
            os.environ.setdefault("LESS", "-FRX")  # colours, and no pager for what fits
            with writer.pager(styles=True):
                writer.print(shown)
        else:
            writer.print(shown)


def _walk(fitted: Any, data: str, row: int, target: str | None, folder: Path) -> Walk:
    """The walk of one row of the data."""
    from chainrule.cli.remembered import target_in
    from chainrule.cli.sets import read_set
    from chainrule.data.sets import BUNDLED, Set, in_words_of

    if not hasattr(fitted, "predict"):
        return _walk_language(fitted, Path(data), row)
    if data in BUNDLED and not Path(data).exists():
        found = read_set(data, target, None)
        return _one(fitted, found.X, found.y, row, data)
    X, y, column = rows_and_target(fitted, Path(data), target or target_in(folder, data))
    if y is None and getattr(X, "labels", None) is None:
        errors().print(f"[yellow]no target in {data}:[/yellow] forward only")
    with in_words_of(Set(data, X, y, False, column)):
        return _one(fitted, X, y, row, data)


def _one(fitted: Any, X: Any, y: Any, row: int, data: str) -> Walk:
    import numpy as np

    if row > len(X):
        raise ChainruleError(f"--row {row}: {data} has {len(X):,} rows")
    at = np.array([row - 1])
    try:
        made: Walk = fitted.walk(X[at] if isinstance(X, np.ndarray) else X.take(at), None if y is None else y[at])
    except ChainruleError:
        raise
    except ValueError as error:  # of scikit-learn's contract: another number of columns
        raise ChainruleError(f"{data}: {error}") from None
    return made


def _walk_language(fitted: Any, path: Path, row: int) -> Walk:
    from chainrule.estimators.language_model import as_language

    text = as_language(readable_file(path))
    assert isinstance(text, str)
    made: Walk
    if fitted.learns_short_texts:
        lines = [line for line in text.splitlines() if line.strip()]
        if row > len(lines):
            raise ChainruleError(f"--row {row}: {path} has {len(lines):,} lines")
        made = fitted.walk([lines[row - 1]])
    else:
        made = fitted.walk(text, window=row - 1)
    return made


def rows_and_target(fitted: Any, data: Path, target: str | None) -> tuple[Any, Any, str]:
    """What the model reads, what was to be predicted (None where it is not there or comes with the rows), its name."""
    from chainrule.cli.predict import rows_for
    from chainrule.data.files import PARQUET, SEPARATORS, read_table, split_target

    if data.suffix.lower() not in (*SEPARATORS, *PARQUET):
        if target is not None:
            raise ChainruleError(f"{data}: --target is the column of a table")
        return rows_for(fitted, data)[0], None, "label"
    names = getattr(fitted, "feature_names_in_", None)
    columns = read_table(readable_file(data)).column_names
    others = [] if names is None else [name for name in columns if name not in set(names)]
    if target is None and len(others) == 1:
        target = others[0]
    if target is None:
        return rows_for(fitted, data)[0], None, "y"
    classes = getattr(fitted, "classes_", None)
    text = [target] if classes is not None and classes.dtype.kind in "OU" else []
    X, y = split_target(read_table(data, text_columns=text), target)
    return X if names is None else rows_for(fitted, data)[0], y.to_numpy(zero_copy_only=False), target


def _record(made: Walk) -> dict[str, Any]:
    """A walk for a script: every quantity, with its numbers where they are few."""
    quantities = []
    for quantity in made.quantities:
        values = {"values": _plain(quantity.value.tolist())} if quantity.value.size <= FEW else {}
        quantities.append({**_quantity(quantity), **values})
    return {"cost": made.log.cost if made.log.adjoints else None, "output": made.output, "quantities": quantities}


def _quantity(quantity: Quantity) -> dict[str, Any]:
    numbers = quantity.value
    return {
        "name": quantity.name,
        "phase": quantity.phase,
        "layer": quantity.layer,
        "role": quantity.role,
        "axes": list(quantity.axes),
        "shape": list(quantity.shape),
        "equation": None if quantity.equation is None else str(quantity.equation),
        "smallest": _plain(numbers.min().item()),
        "largest": _plain(numbers.max().item()),
    }


def _element(element: Element) -> dict[str, Any]:
    """An element for a script."""
    return {
        "name": element.name,
        "value": _plain(element.value),
        "arithmetic": element.exact(),
        "derivative": None if element.derivative is None else _place(element.derivative),
        "updated": None if element.updated is None else _place(element.updated),
        "reads": [_place(place) for place in element.reads],
        "read_count": element.read_count,
        "feeds": [
            {"tensor": feed.tensor, "count": feed.count, "first": [_place(place) for place in feed.places]}
            for feed in element.feeds
        ],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"name": str(place), "value": _plain(place.value)}


def _plain(value: Any) -> Any:
    """A number, or numbers, with what JSON has no number for as text."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if abs(value) < float("inf") else str(value)
