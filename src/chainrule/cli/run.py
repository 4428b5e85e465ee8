"""A training run of the command line: read, train, test, leave a folder, report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.cli.network import read_network
from chainrule.cli.output import check_writable, console, errors, print_json, write_text
from chainrule.cli.remembered import Asked, remember, write
from chainrule.cli.report import NAME as REPORT
from chainrule.cli.report import origin_of
from chainrule.cli.scores import Judgement, judge
from chainrule.data.sets import Set, in_words_of
from chainrule.estimators import Classifier, Regressor
from chainrule.estimators.settings import read_call
from chainrule.estimators.summary import sourced
from chainrule.report import report as make_report
from chainrule.training.callbacks import EarlyStopping


@dataclass(frozen=True)
class Request:
    """What ``chainrule train`` was asked to do; ``calls`` are the options that are texts of the vocabulary."""

    data: str
    target: str | None
    drop: tuple[str, ...]
    labels: str | None
    size: str | None
    task: str | None
    calls: Mapping[str, str | None]
    epochs: int | None
    batch_size: int | None
    early_stopping: bool
    test: Path | None
    test_fraction: float
    backend: str | None
    threads: int | None
    seed: int
    out: Path | None
    report: bool
    json: bool


def run(request: Request) -> None:
    """Carry out a request.  Nothing is written before the data have been read and the model has been trained."""
    asked = Asked(
        request.data,
        request.target,
        request.drop,
        request.labels,
        request.size,
        request.task,
        None if request.test is None else str(request.test),
        request.test_fraction,
        request.seed,
    )
    training, kept = asked.sets()
    folder = Path("runs") / training.name if request.out is None else request.out
    settings: dict[str, Any] = {
        name: None if text is None else _read_option(name, text) for name, text in request.calls.items()
    }
    settings |= {"epochs": request.epochs, "batch_size": request.batch_size}
    settings |= {"backend": request.backend, "n_jobs": request.threads}
    settings["early_stopping"] = EarlyStopping() if request.early_stopping else None
    estimator: Any = Classifier if training.classes else Regressor
    model = estimator(**settings, random_state=request.seed, verbose=not request.json)
    check_writable(folder)
    seconds = _fit(model, training, request.json)
    with in_words_of(kept):
        judged = judge(model, kept)
    remembered = remember(asked, training, kept)
    _leave(model, folder)
    write(remembered, folder)
    if request.report:
        with in_words_of(kept):
            make_report(model, kept.X, kept.y, origin_of(remembered, training)).save(folder / REPORT)
    if request.json:
        print_json(
            {
                "folder": str(folder),
                "rows": {"training": len(training), "test": len(kept)},
                "epochs": model.n_iter_,
                "seconds": round(seconds, 3),
                "computed_by": model.training_.computed_by,
                "test": judged.record(),
            }
        )
    else:
        left = [line for line in _contents(model) if request.report or line[0] != REPORT]
        _report(judged, len(kept), folder, left, f"{seconds:.1f} s ({model.training_.computed_by})")


def _read_option(name: str, text: str) -> Any:
    """What an option's text makes."""
    if name == "ensemble" and text.isdecimal():
        return int(text)
    return read_network(text) if name == "network" else read_call(text, f"--{name}")


def _fit(model: Any, training: Set, quiet: bool) -> float:
    """Train, with warnings as lines; the seconds it took."""
    if not quiet:
        what = f"{len(np.unique(training.y.astype(str)))} classes" if training.classes else "a number"
        console().print(f"[bold]{training.name}[/bold]: {len(training):,} rows to train on, predicting {what}")
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, in_words_of(training):
        warnings.simplefilter("always", UserWarning)
        model.fit(training.X, training.y)
    for warning in caught:
        errors().print("[yellow]warning:[/yellow] ", end="")
        errors().print(str(warning.message), markup=False)
    return time.perf_counter() - start


def _leave(model: Any, folder: Path) -> None:
    """Write the run folder, everything in it made before the first file is."""
    derivation, source = model.derivation().html(), model.source()
    model.save(folder)
    model.history_.to_csv(folder / "history.csv")
    write_text(folder / "derivation.html", derivation)
    write_text(folder / "training.py", source)


def _report(
    judged: Judgement,
    rows: int,
    folder: Path,
    left: Iterable[tuple[str, str]],
    took: str,
) -> None:
    console().print(f"\ntrained in {took}; test on {rows:,} rows kept aside:")
    judged.print()
    console().print(f"\n[bold]{folder}[/bold]")
    for name, what in left:
        console().print(f"  {name:<18} [dim]{what}[/dim]")


def _contents(model: Any) -> tuple[tuple[str, str], ...]:
    """The files of a run folder, and what is in each."""
    return (
        ("model.safetensors", "the parameters"),
        ("model.json", "the equations, how the data are read, the settings"),
        (REPORT, "data, curves, mistakes, examples, explanations, derivation: to read and to print"),
        ("run.json", "which data it was, how they were divided, the versions"),
        ("history.csv", "losses and rates, epoch by epoch"),
        ("derivation.html", "how every gradient was derived"),
        ("training.py", f"trains {sourced(model) or 'the same network'} with NumPy alone"),
    )
