"""``chainrule lab``: a network in training in the browser, every number of it open."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from chainrule.cli.output import examples
from chainrule.errors import ChainruleError


@examples("chainrule lab", "chainrule lab --port 9000 --no-browser")
def lab(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port. Default: 8080, or the next free.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on. Any but this machine's own lets other machines in.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Train, step, open and change a network on a page of its own, at an address that only this machine reaches.

    The link that is printed holds a token; without it nothing is answered.  Ctrl-C ends the lab and its runs.
    """
    # The server and what it needs take a second to import; nothing else waits for it.
    if find_spec("nicegui") is None:
        raise ChainruleError("the lab needs NiceGUI: pip install 'chainrule[lab]'")
    from chainrule.lab.server import serve

    serve(host, port, open_browser=browser)
