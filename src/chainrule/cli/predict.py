"""``chainrule predict``: a saved model on a table, or on images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.model import load_predictor
from chainrule.cli.output import console, examples, print_json, readable_file
from chainrule.errors import ChainruleError


@examples(
    "chainrule predict runs/houses new_houses.csv",
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
    columns["prediction"] = fitted.predict(table)
    if probabilities:
        if not hasattr(fitted, "predict_proba"):
            raise ChainruleError(f"{model}: predicts numbers; --probabilities is for classes")
        for name, column in zip(fitted.classes_, np.asarray(fitted.predict_proba(table)).T, strict=True):
            columns[f"probability {name}"] = column
    if json:
        print_json({name: np.asarray(column).tolist() for name, column in columns.items()})
        return
    result = pa.table({name: pa.array(np.asarray(column).tolist()) for name, column in columns.items()})
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
