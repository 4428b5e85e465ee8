"""Chromium for tests of pages: a browser, pages that note what goes wrong in them, an accessibility audit.

Tests that ask for ``chromium`` or ``open_page`` are skipped where no Chromium is installed.  ``CHAINRULE_CHROMIUM``
says which one to use; otherwise the first of ``chromium``, ``chromium-browser`` and ``google-chrome`` on the path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"desktop": (1280, 800), "tablet": (768, 1024), "phone": (390, 844)}


@dataclass
class Opened:
    """A page of the browser, and what was wrong in it so far."""

    page: Any
    problems: list[str] = field(default_factory=list)  # console errors, exceptions, requests that failed
    requests: list[str] = field(default_factory=list)


def chromium_path() -> str | None:
    """The browser to use, if there is one."""
    found = os.environ.get("CHAINRULE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return found if found and os.path.exists(found) else None


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser.  For one module at a time: while it runs, the thread has a running event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium, or CHAINRULE_CHROMIUM with the path of one")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """``open_page("desktop", dark=True, offline=True)``: a fresh page in a context of its own, not yet anywhere."""
    contexts = []

    def make(size: str = "desktop", *, dark: bool = False, offline: bool = False, **more: Any) -> Opened:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            offline=offline,
            **more,
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        page = opened.page
        page.on("console", lambda said: said.type == "error" and opened.problems.append(said.text))
        page.on("pageerror", lambda error: opened.problems.append(str(error)))
        page.on("requestfailed", lambda request: opened.problems.append(f"{request.url}: {request.failure}"))
        page.on("request", lambda request: opened.requests.append(request.url))
        return opened

    yield make
    for context in contexts:
        context.close()


def accessibility_violations(page: Any) -> list[str]:
    """What axe-core finds wrong with the page as it is now: the rule, what it says and the first elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} ({'; '.join(node['html'][:120] for node in one['nodes'][:3])})" for one in found
    ]
