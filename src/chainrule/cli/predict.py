"""``chainrule predict``: a saved model on a table, or on images."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.model import load_predictor
from chainrule.cli.output import console, examples, print_json, readable_file
from chainrule.errors import ChainruleError


@examples(
    "chainrule predict runs/houses new_houses.csv",
    "chainrule predict runs/houses new_houses.csv --level 0.5 --level 0.9 --std",
    "chainrule predict runs/animals new_images/",
    "chainrule predict runs/GunPoint_TRAIN GunPoint_TEST.ts",
    "chainrule predict runs/label table.parquet --probabilities --out predictions.csv",
)
def predict(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model.", metavar="MODEL")],
    data: Annotated[
        Path,
        typer.Argument(
            help="A CSV, TSV or Parquet file with the columns it was trained on, or images, recordings or "
            "series as those it was trained on.",
            metavar="DATA",
        ),
    ],
    probabilities: Annotated[bool, typer.Option("--probabilities", help="The probability of every class too.")] = False,
    level: Annotated[
        list[float] | None,
        typer.Option(
            help="The interval that holds the number with this probability, such as 0.9, or the set that holds the "
            "class; may be repeated. For models of a distribution, and conformal ones."
        ),
    ] = None,
    std: Annotated[
        bool, typer.Option("--std", help="The standard deviation of the number too, of models of a distribution.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this CSV or Parquet file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict the target of every row of a table, of every series, or of every image or recording of a folder."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from chainrule.data.files import PARQUET

    fitted = load_predictor(model)
    if not hasattr(fitted, "predict"):
        raise ChainruleError(f"{model}: is a language model, which generates: chainrule generate {model}")
    table, columns = rows_for(fitted, data)
    try:
        columns["prediction"] = fitted.predict(table)
    except ChainruleError:
        raise
    except ValueError as error:  # of scikit-learn's contract: another number of columns
        raise ChainruleError(f"{data}: {error}") from None
    if std:
        columns["deviation"] = _deviation(model, fitted, table)
    for probability in level or ():
        columns |= _of_level(model, fitted, table, probability)
    if probabilities:
        if not hasattr(fitted, "predict_proba"):
            raise ChainruleError(f"{model}: predicts numbers; --probabilities is for classes")
        for name, column in zip(fitted.classes_, np.asarray(fitted.predict_proba(table)).T, strict=True):
            columns[f"probability {name}"] = column
    if json:
        print_json({name: np.asarray(column).tolist() for name, column in columns.items()})
        return
    flat = _flat(columns, getattr(fitted, "classes_", None))
    result = pa.table({name: pa.array(column.tolist()) for name, column in flat.items()})
    if out is None:
        buffer = pa.BufferOutputStream()
        pyarrow.csv.write_csv(result, buffer)
        print(buffer.getvalue().to_pybytes().decode(), end="")
        return
    try:
        if out.suffix.lower() in PARQUET:
            pyarrow.parquet.write_table(result, out)
        else:
            pyarrow.csv.write_csv(result, out)
    except OSError as error:
        raise ChainruleError(f"{out}: cannot be written ({(error.strerror or str(error)).lower()})") from None
    console().print(f"wrote {len(result):,} predictions to {out}", markup=False)


def _deviation(model: Path, fitted: Any, table: Any) -> Any:
    """The standard deviation of each row.  Raises ChainruleError where the model predicts none."""
    if "return_std" not in signature(fitted.predict).parameters:
        raise ChainruleError(
            f"{model}: a {type(fitted).__name__} predicts no standard deviation; --std is for a Regressor with a "
            "distribution, such as --loss 'Gaussian()' trains"
        )
    try:
        return fitted.predict(table, return_std=True)[1]
    except ChainruleError as error:
        raise ChainruleError(f"{model}: --std: {error}") from None


def _of_level(model: Path, fitted: Any, table: Any, level: float) -> dict[str, Any]:
    """The ends of the intervals, or the sets of classes as text.  Raises ChainruleError where the model has neither."""
    import numpy as np

    try:
        if hasattr(fitted, "predict_set"):
            sets = np.asarray(fitted.predict_set(table, level))
            return {f"set {level:g}": [", ".join(map(str, fitted.classes_[one])) for one in sets]}
        if hasattr(fitted, "predict_interval"):
            low, high = fitted.predict_interval(table, level)
            return {f"low {level:g}": low, f"high {level:g}": high}
    except ChainruleError as error:
        raise ChainruleError(f"{model}: --level {level:g}: {error}") from None
    raise ChainruleError(
        f"{model}: a {type(fitted).__name__} predicts neither intervals nor sets of classes; --level is for a "
        "Regressor with a distribution and for conformal models"
    )


def _flat(columns: Mapping[str, Any], classes: Any) -> dict[str, Any]:
    """One column for each target, or for each label, where a row has several."""
    import numpy as np

    found = {}
    for name, column in columns.items():
        values = np.asarray(column)
        if values.ndim == 1:
            found[name] = values
            continue
        several = range(1, values.shape[1] + 1) if classes is None else classes
        found |= {f"{name} {one}": part for one, part in zip(several, values.T, strict=True)}
    return found


def rows_for(fitted: Any, data: Path) -> tuple[Any, dict[str, Any]]:
    """What the model reads, and columns that say which row is which."""
    from chainrule.cli.sets import with_columns
    from chainrule.data.audio import SoundReader
    from chainrule.data.files import read_table
    from chainrule.data.images import Files
    from chainrule.data.pictures import Pictures
    from chainrule.data.recordings import as_recordings
    from chainrule.data.series import ChannelReader, read_ts
    from chainrule.data.text import SymbolReader

    if isinstance(fitted.input_, Pictures):
        images = fitted.input_.rows(data)
        return images, {"file": [str(path) for path in images.paths]} if isinstance(images, Files) else {}
    if isinstance(fitted.input_, SoundReader):
        sounds = as_recordings(data)
        return sounds, {"file": [str(path) for path in sounds.sounds]}
    if isinstance(fitted.input_, ChannelReader):
        return read_ts(readable_file(data)), {}
    names = getattr(fitted, "feature_names_in_", None)
    text = names if isinstance(fitted.input_, SymbolReader) else getattr(fitted.input_, "text_columns", ())
    table = read_table(readable_file(data), text_columns=() if text is None else tuple(text))
    # Other columns, the target for one, may stand in the file; the model takes its own.
    return table if names is None else with_columns(table, names, data), {}
