"""``chainrule train``: from a table to a trained, tested and explained network in one command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.output import Backend, examples
from chainrule.errors import ChainruleError


class Task(StrEnum):
    classification = "classification"
    regression = "regression"
    text = "text"
    lines = "lines"


@examples(
    "chainrule train digits",
    "chainrule train houses.csv --target price --drop id --out runs/houses",
    "chainrule train digits --network 'Dense(30), Sigmoid(), Dense(10)' --optimizer 'SGD(0.5)' --epochs 30",
    "chainrule train images/ --size 32 --augmentation 'Shift(2), Flip()'",
    "chainrule train reviews.tsv --target label",
    "chainrule train recordings/ --labels '{label}_*' --reading 'MFCC(13)'",
    "chainrule train input.txt --network 'gpt(layers=2, units=64)' --length 64",
    "chainrule train names.txt --task lines",
    "chainrule train GunPoint_TRAIN.ts --test GunPoint_TEST.ts",
    "chainrule train table.parquet --target label --test-fraction 0.3 --seed 1 --json",
)
def train(
    data: Annotated[
        str,
        typer.Argument(
            help="A bundled set (digits, iris, wine, breast_cancer, diabetes), a CSV, TSV or Parquet file, a folder "
            "with a folder of images or recordings for each class, an idx or npz file, a .ts file of time series, or a "
            ".txt file to learn the next symbol from.",
            metavar="DATA",
        ),
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="A column to leave out; may be repeated.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Where the names of recordings say their labels, '{label}_*', or a table of both."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Scale image files to this size: a number of pixels, or HEIGHTxWIDTH.")
    ] = None,
    task: Annotated[
        Task | None,
        typer.Option(
            help="What the target is; of a .txt file: the next symbol of one running text, or of each line by itself. "
            "Default: as its values suggest; text."
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="The layers, as in 'Dense(64), ReLU(), Dense(10)', or a ready network: lenet5. A file of equations is "
            "a layer: 'layer.eq, Dense(10)'."
        ),
    ] = None,
    loss: Annotated[str | None, typer.Option(help="The loss, such as CrossEntropy or 'Huber(1.0)'.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="The optimizer, such as Adam or 'SGD(0.1)'.")] = None,
    regularizer: Annotated[str | None, typer.Option(help="A penalty on the weights, such as 'L2(0.001)'.")] = None,
    ensemble: Annotated[
        str | None, typer.Option(help="How many networks predict together, such as 5; or 'TabM(16)', 'Snapshots(5)'.")
    ] = None,
    reading: Annotated[
        str | None, typer.Option(help="How texts, recordings or series are read: 'Characters()', 'MFCC()'.")
    ] = None,
    augmentation: Annotated[
        str | None, typer.Option(help="Random changes of images in training: 'Shift(2), Flip()'.")
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Positions of the windows of a running text.")] = 64,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training rows.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows in a minibatch.")] = None,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Stop when validation rows get no better.")
    ] = False,
    test: Annotated[
        Path | None, typer.Option(help="A table or folder of test rows, instead of rows set aside.")
    ] = None,
    test_fraction: Annotated[float, typer.Option(help="The share of rows set aside for the test.")] = 0.2,
    backend: Annotated[
        Backend | None, typer.Option(help="What computes. Default: native, compiled for this processor.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that may compute. Default: all.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The folder for the run. Default: runs/NAME.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave out report.html.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and no progress.")] = False,
) -> None:
    """Train a network on a table or a folder, test it on rows kept aside, and leave a folder that explains it.

    The folder holds the model (model.safetensors, model.json), report.html, a page to read and to print, history.csv,
    derivation.html, how every gradient was derived, run.json, which says what the data were, and training.py, which
    trains the same network, or the first of several, with NumPy alone.
    """
    # What training needs takes seconds to import; the other commands do not wait for it.
    if task in (Task.text, Task.lines) or Path(data).suffix.lower() == ".txt":
        from chainrule.cli import language

        of_rows: dict[str, object] = {
            "--target": target,
            "--drop": drop,
            "--labels": labels,
            "--size": size,
            "--loss": loss,
            "--ensemble": ensemble,
        }
        of_rows |= {"--augmentation": augmentation, "--test": test}
        given = next((name for name, value in of_rows.items() if value is not None), None)
        if given is not None or task in (Task.classification, Task.regression):
            raise ChainruleError(
                f"{data}: {given or f'--task {task}'} is for rows with a target, as in a .csv file, not for a text"
            )
        language.run(
            language.Request(
                Path(data),
                task is Task.lines,
                network,
                {"optimizer": optimizer, "regularizer": regularizer, "reading": reading},
                length,
                epochs,
                batch_size,
                early_stopping,
                None if backend is None else backend.value,
                threads,
                seed,
                out,
                not no_report,
                json,
            )
        )
        return
    from chainrule.cli.run import Request, run

    run(
        Request(
            data,
            target,
            tuple(drop or ()),
            labels,
            size,
            None if task is None else task.value,
            {
                "network": network,
                "loss": loss,
                "optimizer": optimizer,
                "regularizer": regularizer,
                "ensemble": ensemble,
                "reading": reading,
                "augmentation": f"({augmentation},)" if augmentation else None,
            },
            epochs,
            batch_size,
            early_stopping,
            test,
            test_fraction,
            None if backend is None else backend.value,
            threads,
            seed,
            out,
            not no_report,
            json,
        )
    )
