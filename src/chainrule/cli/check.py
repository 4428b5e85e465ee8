"""``chainrule check``: derived gradients against finite differences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.calculus.differences import GradientCheck, check_gradients, sample_values
from chainrule.cli.derive import default_cost, default_wrt
from chainrule.cli.model import is_model, load_model
from chainrule.cli.output import console, examples, print_json
from chainrule.equations.grammar import canonical_name
from chainrule.equations.parse import parse_file
from chainrule.errors import ChainruleError

TOLERANCE = 1e-6


@examples(
    "chainrule check examples/two_layer.eq",
    "chainrule check network.eq --of C --wrt W",
    "chainrule check runs/digits --json",
)
def check(
    file: Annotated[
        Path, typer.Argument(help="A file of equations, or the folder of a trained model.", metavar="FILE|MODEL")
    ],
    of: Annotated[str | None, typer.Option(help="The cost. Default: the last quantity without axes.")] = None,
    wrt: Annotated[list[str] | None, typer.Option(help="Only this tensor; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the values tried.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check equations, and the gradients derived from them against finite differences in float64.

    Exit code 1 if a relative error is above 1e-6.
    """
    names = [canonical_name(name) for name in wrt] if wrt else None
    if is_model(file):
        found = load_model(file).check_gradients()
        known = {one.tensor for one in found}
        _refuse([name for name in names or () if name not in known], "no parameter of the model")
        found = tuple(one for one in found if names is None or one.tensor in names)
    else:
        system = parse_file(file)
        cost = canonical_name(of) if of else default_cost(system)
        _refuse(
            [n for n in names or () if n in system.by_name], "defined by an equation; only what is given can be varied"
        )
        found = check_gradients(
            system, cost, sample_values(system, seed), names or default_wrt(system, cost), seed=seed
        )
    good = [one.checked > 0 and one.error <= TOLERANCE for one in found]
    worst = max(one.error for one in found)
    if json:
        print_json({"passed": all(good), "worst": worst, "gradients": [_record(one) for one in found]})
    else:
        for one, passed in zip(found, good, strict=True):
            mark = "[green]✓[/green]" if passed else "[red]✗[/red]"
            console().print(mark, end=" ")
            console().print(str(one), markup=False)
    if not all(good):
        raise typer.Exit(1)


def _refuse(names: list[str], why: str) -> None:
    if names:
        raise ChainruleError(f"{names[0]} is {why}")


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
