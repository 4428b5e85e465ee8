"""``chainrule source``: a model as a NumPy program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.model import load_model
from chainrule.cli.output import check_writable, console, examples, write_text


@examples(
    "chainrule source runs/digits > training.py",
    "chainrule source runs/digits --out training.py --data digits   # and data.npz, which it reads",
    "chainrule source runs/houses --out training.py --data houses.csv --target price",
)
def source(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model.", metavar="MODEL")],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
    labels: Annotated[str | None, typer.Option(help="Where the labels of recordings are, as train was told.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Write data.npz too: the training rows of this set or file, as the program reads them."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column of the data that is predicted.")] = None,
    test_fraction: Annotated[
        float, typer.Option(help="The share of the data that train set aside; 0 where it had a table of test rows.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="The seed that train had.")] = 0,
) -> None:
    """Write the Python file that trains the same network on its own, with nothing but NumPy."""
    fitted = load_model(model)
    folder = Path() if out is None else out.parent
    if data is not None:
        # What reads tables takes seconds to import; without data there is nothing to wait for.
        import numpy as np

        from chainrule.cli.sets import read_set, split_test, with_columns
        from chainrule.data.pictures import Pictures
        from chainrule.data.sets import in_words_of

        scaled = isinstance(fitted.input_, Pictures) and fitted.input_.resize
        rows = read_set(
            data,
            target,
            "classification" if hasattr(fitted, "classes_") else "regression",
            size=fitted.input_.shape[:2] if scaled else None,
            labels=labels,
        )
        names = getattr(fitted, "feature_names_in_", None)
        if names is not None and hasattr(rows.X, "column_names"):
            rows = replace(rows, X=with_columns(rows.X, list(names), data))
        if test_fraction:
            rows, _ = split_test(rows, test_fraction, seed)
        with in_words_of(rows):
            arrays = fitted.training_arrays(rows.X, rows.y)
        check_writable(folder)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "data.npz", **arrays)
        console().print(f"wrote {folder / 'data.npz'}", markup=False)
    if out is not None:
        write_text(out, fitted.source())
        console().print(f"wrote {out}", markup=False)
    elif data is None:
        print(fitted.source(), end="")
