"""A language model of the command line: read a text, train, leave a folder, show what it makes."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.network import read_network
from chainrule.cli.output import check_writable, console, errors, print_json, write_text
from chainrule.cli.report import NAME as REPORT
from chainrule.errors import ChainruleError
from chainrule.estimators.language_model import LanguageModel, read_text
from chainrule.estimators.settings import read_call
from chainrule.report import Origin
from chainrule.report import report as make_report

SHOWN = 200  # symbols of the sample
NAMES = 10  # short texts


@dataclass(frozen=True)
class Request:
    """What ``chainrule train`` was asked to do with a text; ``lines``: each line is a text of its own."""

    path: Path
    lines: bool
    network: str | None
    calls: dict[str, str | None]
    length: int
    epochs: int | None
    batch_size: int | None
    early_stopping: bool
    backend: str | None
    threads: int | None
    seed: int
    out: Path | None
    report: bool
    json: bool


def run(request: Request) -> None:
    """Carry out a request.  Nothing is written before the model has been trained."""
    text = read_text(request.path)
    settings: dict[str, Any] = {
        name: read_call(call, f"--{name}") for name, call in request.calls.items() if call is not None
    }
    if request.network is not None:
        settings["network"] = read_network(request.network)
    model = LanguageModel(
        length=request.length,
        epochs=request.epochs,
        batch_size=request.batch_size,
        early_stopping=request.early_stopping or None,
        backend=request.backend,
        n_jobs=request.threads,
        random_state=request.seed,
        verbose=not request.json,
        **settings,
    )
    folder = Path("runs") / request.path.stem if request.out is None else request.out
    check_writable(folder)
    learnt: str | list[str] = text
    if request.lines:
        learnt = [line.strip() for line in text.splitlines() if line.strip()]
        if len(learnt) < 2:
            raise ChainruleError(f"{request.path}: has {len(learnt)} lines; for one running text say --task text")
    if not request.json:
        what = f"{len(learnt):,} {'lines' if request.lines else 'characters'}"
        console().print(f"[bold]{request.path.name}[/bold]: {what} to learn the next symbol from")
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model.fit(learnt)
    for warning in caught:
        errors().print("[yellow]warning:[/yellow] ", end="")
        errors().print(str(warning.message), markup=False)
    seconds = time.perf_counter() - start
    derivation = model.derivation().html()
    model.save(folder)
    model.history_.to_csv(folder / "history.csv")
    write_text(folder / "derivation.html", derivation)
    if request.report:
        make_report(model, None, None, Origin(request.path.stem)).save(folder / REPORT)
    _report(model, request, folder, seconds)


def _report(model: LanguageModel, request: Request, folder: Path, seconds: float) -> None:
    loss = model.history_.last.get("validation_loss", math.nan)
    made = model.generate([model.default_prompt] * (NAMES if request.lines else 1), SHOWN, seed=request.seed)
    if request.json:
        print_json(
            {
                "folder": str(folder),
                "epochs": model.n_iter_,
                "seconds": round(seconds, 3),
                "computed_by": model.training_.computed_by,
                "validation_loss": None if math.isnan(loss) else loss,
                "samples": made,
            }
        )
        return
    console().print(f"\ntrained in {seconds:.1f} s ({model.training_.computed_by})")
    if not math.isnan(loss):
        console().print(
            f"  [bold]loss {loss:.4g} nats a {model.input_.unit}[/bold] on what was kept aside "
            f"(perplexity {math.exp(loss):.4g})"
        )
    console().print("\nwhat it makes:\n")
    for text in made:
        console().print(text, markup=False)
    console().print(f"\n[bold]{folder}[/bold]  [dim]chainrule generate {folder} makes more[/dim]", markup=True)
