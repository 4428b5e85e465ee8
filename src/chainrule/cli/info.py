"""``chainrule info``: what a file of equations or a model is."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

import chainrule
from chainrule.backends import default_backend
from chainrule.cli.model import is_model, load_model
from chainrule.cli.output import console, examples, print_json
from chainrule.equations.kinds import kinds
from chainrule.equations.order import order
from chainrule.equations.parse import parse_file
from chainrule.equations.system import System

PACKAGES = ("numpy", "scikit-learn", "narwhals", "pyarrow", "safetensors", "lark", "llvmlite")


@examples("chainrule info", "chainrule info examples/two_layer.eq", "chainrule info runs/digits --json")
def info(
    file: Annotated[
        Path | None,
        typer.Argument(help="A file of equations, or the folder of a trained model.", metavar="[FILE|MODEL]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a file of equations or a trained model holds; alone, which versions are at work."""
    if file is None:
        print_record(
            {
                "chainrule": chainrule.__version__,
                "python": sys.version.split()[0],
                "machine": platform.machine(),
                **{name: version(name) for name in PACKAGES},
                "backend": _backend(),
            },
            json,
        )
    elif is_model(file):
        model = load_model(file)
        if json:
            print_record(_describe_model(model), json)
        else:
            console().print(model.summary(), markup=False)
    else:
        print_record(_describe_system(parse_file(file)), json)


def _backend() -> str:
    name = default_backend()
    if name != "native":
        return name
    from chainrule.backends.native.target import host
    from chainrule.backends.native.threads import limit

    return f"{name}, for {host().name}; threads: {limit()}"


def _describe_model(model: Any) -> dict[str, Any]:
    from chainrule.estimators.summary import networks

    step = model.specification_.step
    several = networks(model)
    return {
        "estimator": type(model).__name__,
        **({"ensemble": several} if several else {}),
        "network": repr(model.specification_.network),
        "loss": repr(model.specification_.loss),
        "optimizer": repr(model.specification_.optimizer),
        "features": getattr(model, "n_features_in_", None) or dict(model.input_.sizes),
        "parameters": {name: list(value.shape) for name, value in model.parameters_.items()},
        "epochs": model.n_iter_,
        "computed_by": model.training_.computed_by,
        "equations": str(step.prediction_system).splitlines(),
    }


def _describe_system(system: System) -> dict[str, Any]:
    recurrences = [
        f"{', '.join(equation.name for equation in block.equations)} along {block.axis}, "
        + ("forwards" if block.direction > 0 else "backwards")
        for block in order(system)
        if block.axis is not None
    ]
    found: dict[str, Any] = {"axes": ", ".join(system.axes)}
    for role in ("data", "integer", "parameter", "state", "random"):
        tensors = [str(tensor).removeprefix(role + " ") for tensor in system.inputs if tensor.role == role]
        if tensors:
            found[role] = ", ".join(tensors)
    found["equations"] = len(system.equations)
    integers = [e.name for e in system.equations if kinds(system)[e.name] == "integer"]
    if integers:
        found["integer equations"] = ", ".join(integers)
    if recurrences:
        found["recurrences"] = "; ".join(recurrences)
    return found


def print_record(record: Mapping[str, Any], json: bool = False) -> None:
    """A record as lines of names and values, or as JSON."""
    if json:
        print_json(record)
        return
    width = max(map(len, record))
    for name, value in record.items():
        console().print(f"[dim]{name:<{width}}[/dim]  ", end="")
        console().print(str(value), markup=False)
