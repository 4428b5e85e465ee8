"""The page of the lab in a browser: a server for all tests of the page, visits to it, what they press and read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from browser import Opened
from lab.visits import SLOW

# As a user starts it, but for as many runs as all tests together make.
SERVER = """
from chainrule.lab import registry, server
server.Runs = lambda: registry.Runs(most=100)
server.serve(port=0, open_browser=False)
"""


@pytest.fixture(scope="package", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary folders go where pytest removes them, also those of servers that are killed."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link of a server, which is a process of its own."""
    log = tmp_path_factory.mktemp("lab") / "log"
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, "CHAINRULE_BACKEND": "numpy"},
        )
    try:
        link = None
        until = time.monotonic() + 60
        while link is None and time.monotonic() < until and server.poll() is None:
            link = re.search(r"http://\S+", log.read_text())
            time.sleep(0.05)
        assert link is not None, log.read_text()
        yield link[0]
        assert server.poll() is None, "the server ended: " + log.read_text()
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def visit(open_page: Callable[..., Opened], lab: str) -> Callable[..., Opened]:
    """Open the lab with this query; the step of its run is shown when it is there."""

    def go(query: str = "", size: str = "desktop", **more: Any) -> Opened:
        opened = open_page(size, **more)
        opened.page.goto(f"{lab}&{query}")
        opened.page.wait_for_selector("[data-pane], .lab-setup .lab-problem:not(:empty)", timeout=SLOW)
        return opened

    return go
