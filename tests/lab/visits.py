"""What tests of the lab's page press and read on it."""

from __future__ import annotations

import re

from browser import Opened

SLOW = 30_000  # milliseconds until something is there that takes a moment
LONG = "epochs=10000"  # training that lasts longer than a test


def press(opened: Opened, name: str) -> None:
    opened.page.get_by_role("button", name=name, exact=True).click()


def choose_pane(opened: Opened, name: str) -> None:
    opened.page.get_by_role("tab", name=name).click()


def status(opened: Opened) -> str:
    return str(opened.page.inner_text(".status"))


def wait_status(opened: Opened, pattern: str) -> None:
    opened.page.wait_for_function(
        "pattern => new RegExp(pattern).test(document.querySelector('.status')?.innerText ?? '')",
        arg=pattern,
        timeout=SLOW,
    )


def step_of(opened: Opened) -> int:
    found = re.search(r"step ([\d\s]+) of", status(opened))
    assert found is not None
    return int(re.sub(r"\s", "", found[1]))


def wait_address(opened: Opened, words: str) -> None:
    opened.page.wait_for_function("words => location.search.includes(words)", arg=words, timeout=SLOW)


def opened_value(opened: Opened) -> str:
    """The value of the element that is open."""
    return str(opened.page.inner_text(".lab-element .value"))
