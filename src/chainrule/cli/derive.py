"""``chainrule derive``: the derivatives of a cost, derived and shown step by step."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chainrule.calculus.reverse import depends_on
from chainrule.cli.model import is_model, load_model
from chainrule.cli.output import console, examples, write_text
from chainrule.equations.grammar import canonical_name
from chainrule.equations.parse import parse_file
from chainrule.equations.system import System
from chainrule.errors import ChainruleError
from chainrule.notation.derivation import Derivation
from chainrule.notation.derivation import derive as derive_system


class Format(StrEnum):
    text = "text"
    latex = "latex"
    html = "html"
    equations = "equations"


@examples(
    "chainrule derive examples/two_layer.eq --of C --wrt W1 --wrt b1",
    "chainrule derive network.eq --format html --out derivation.html",
    "chainrule derive runs/digits --format latex > derivation.tex",
)
def derive(
    file: Annotated[
        Path, typer.Argument(help="A file of equations, or the folder of a trained model.", metavar="FILE")
    ],
    of: Annotated[
        str | None, typer.Option(help="The cost: a quantity without axes. Default: the last quantity without axes.")
    ] = None,
    wrt: Annotated[
        list[str] | None,
        typer.Option(help="A tensor to differentiate with respect to; may be repeated. Default: all parameters."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Derive backpropagation for a system of equations, showing every step and why it holds."""
    derivation = derivation_of(file, of, wrt)
    if format is Format.text and out is None:
        console().print(derivation.rich())
        return
    match format:
        case Format.text:
            text = derivation.text()
        case Format.latex:
            text = derivation.latex()
        case Format.html:
            text = derivation.html()
        case Format.equations:
            text = f"{derivation.system}\n"
    if out is None:
        print(text, end="" if text.endswith("\n") else "\n")
    else:
        write_text(out, text)
        console().print(f"wrote {out}", markup=False)


def derivation_of(file: Path, of: str | None, wrt: list[str] | None) -> Derivation:
    """The derivation for a file of equations, or for the network of a saved model."""
    names = [canonical_name(name) for name in wrt] if wrt else None
    if is_model(file):
        step = load_model(file).specification_.step
        return derive_system(step.cost_system, canonical_name(of) if of else step.cost, names)
    system = parse_file(file)
    cost = canonical_name(of) if of else default_cost(system)
    return derive_system(system, cost, names or (default_wrt(system, cost) if cost in system.by_name else None))


def default_cost(system: System) -> str:
    """The last quantity without axes."""
    scalars = [equation.name for equation in system.equations if not equation.axes]
    if not scalars:
        last = system.equations[-1]
        raise ChainruleError(
            f"no quantity without axes to derive; name the cost with --of (the last equation, {last.name}, has axes "
            f"{', '.join(last.axes)})"
        )
    return scalars[-1]


def default_wrt(system: System, cost: str) -> list[str]:
    """The parameters that the cost depends on; where none are declared, the data that it depends on."""
    reached = depends_on(system, cost)
    parameters = [tensor.name for tensor in system.parameters if tensor.name in reached]
    return parameters or [tensor.name for tensor in system.inputs if tensor.role == "data" and tensor.name in reached]
