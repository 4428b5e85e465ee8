"""``chainrule source``: a model as a NumPy program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.model import load_model
from chainrule.cli.output import console, examples, write_text


@examples("chainrule source runs/digits > training.py", "chainrule source runs/digits --out training.py")
def source(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model.")],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Write the Python file that trains the same network on its own, with nothing but NumPy."""
    text = load_model(model).source()
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        console().print(f"wrote {out}", markup=False)
