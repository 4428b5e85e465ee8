"""The command line: ``chainrule train | predict | evaluate | generate | derive | walk | check | report | compile |
source | info | lab``.

Exit codes: 0 done; 1 what was checked does not hold; 2 the input cannot be used; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import chainrule
from chainrule.cli.check import check
from chainrule.cli.compile import compile
from chainrule.cli.derive import derive
from chainrule.cli.evaluate import evaluate
from chainrule.cli.generate import generate
from chainrule.cli.info import info
from chainrule.cli.lab import lab
from chainrule.cli.output import report_error
from chainrule.cli.predict import predict
from chainrule.cli.report import report
from chainrule.cli.source import source
from chainrule.cli.train import train
from chainrule.cli.walk import walk
from chainrule.errors import ChainruleError

app = typer.Typer(
    name="chainrule",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(chainrule.__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Neural networks as equations: trained, derived and explained."""


for command in (train, predict, evaluate, generate, derive, walk, check, report, compile, source, info, lab):
    app.command(epilog=command.__dict__.get("examples"))(command)


def main() -> None:
    """Run the command line; whatever the user got wrong is one line on standard error."""
    try:
        app()
    except ChainruleError as error:
        report_error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        report_error("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
