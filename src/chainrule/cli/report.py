"""``chainrule report``: a page on a saved model, its data, its mistakes and how it comes to what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.model import load_model, load_predictor
from chainrule.cli.output import console, examples, print_json
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.report import Origin, Report

NAME = "report.html"


@examples(
    "chainrule report runs/digits",
    "chainrule report runs/houses new_houses.csv --target price",
    "chainrule report runs/faces photographs/ --out faces.html",
    "chainrule report runs/pixels pixels.csv --image 16x16",
)
def report(
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
    image: Annotated[
        str | None, typer.Option(help="The rows of the table are images of this size, HEIGHTxWIDTH.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file. Default: MODEL/report.html.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write one HTML page that needs nothing else: data, network, learning curves, mistakes, best and worst examples,
    calibration, weights, what predictions rest on, what ``chainrule check`` finds, the derivation, one example number
    by number, settings.
    """
    fitted = load_predictor(model)
    if not hasattr(getattr(fitted, "estimator_", fitted), "specification_"):
        fitted = load_model(model)  # which says what it is
    folder = model if model.is_dir() else model.parent
    made = _made(fitted, folder, data, target, image)
    path = made.save(folder / NAME if out is None else out)
    size = path.stat().st_size
    if json:
        print_json({"file": str(path), "bytes": size, "sections": [one.name for one in made.sections]})
    else:
        console().print(f"wrote {path} ({size / 1e6:.1f} MB)", markup=False)


def _made(fitted: Any, folder: Path, data: str | None, target: str | None, image: str | None) -> Report:
    from chainrule.cli.remembered import recall, target_in
    from chainrule.cli.sets import read_set, read_size
    from chainrule.cli.walk import rows_and_target
    from chainrule.data.sets import BUNDLED, Set, in_words_of
    from chainrule.report import Origin
    from chainrule.report import report as make

    size = read_size(image) if image else None
    if not hasattr(fitted, "predict"):
        return make(fitted, origin=Origin(folder.name))
    if data is None:
        remembered = recall(folder)
        training, kept = remembered.sets()
        of = origin_of(remembered, training)
        with in_words_of(kept):
            return make(fitted, kept.X, kept.y, of if size is None else replace(of, image=size))
    if data in BUNDLED and not Path(data).exists():
        found = read_set(data, target, None)
        X, y, column = found.X, found.y, found.target
    else:
        X, y, column = rows_and_target(fitted, Path(data), target or target_in(folder, data))
        if y is None and getattr(X, "labels", None) is None:
            raise ChainruleError(f"{data}: nothing says what was to be predicted; say which column with --target")
    with in_words_of(Set(data, X, y, False, column)):
        return make(fitted, X, y, Origin(folder.name, f"of {data}", column, image=size))


def origin_of(remembered: Any, training: Any) -> Origin:
    """Where the rows that a run kept aside come from."""
    from chainrule.cli.remembered import IMAGES
    from chainrule.report import Origin

    return Origin(
        training.name,
        "kept aside for the test",
        remembered.target if remembered.target != "y" else "target",
        remembered.command,
        remembered.versions,
        IMAGES.get(remembered.asked.data),
        (training.X, training.y),
    )
