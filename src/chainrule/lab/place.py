"""What the browser has of the page: its head, places for markup that changes, the derivation as a part of it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from importlib import resources

from nicegui import ui

from chainrule.lab.sets import LabSet
from chainrule.lab.setup import Setup
from chainrule.notation import page as notation_page
from chainrule.notation.derivation import derive


def head() -> str:
    """What every page has in its head: its style and its script."""
    files = resources.files("chainrule.lab")
    style, script = (files.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return f"<style>{style}</style><style>{notation_page.STYLE}</style><script>{script}</script>"


BOOT = '<div id="lab-boot" role="status"><b>chainrule</b>the lab is opening …</div>'


class Markup:
    """A place for markup.  What is another than before is sent, and of that the browser changes only what differs: what
    is unfolded, focused or scrolled stays so, and mathematics that stays is not laid out anew.
    """

    def __init__(self, classes: str, content: str = "", **properties: str) -> None:
        self.place = ui.html(content, sanitize=False).classes(classes)
        self.shown: tuple[str, dict[str, str]] = (content, {})
        for name, value in properties.items():
            self.place.props(f'{name.replace("_", "-")}="{value}"')

    def show(self, content: str, **data: str) -> None:
        """``data``: what is said of the content, as ``data-…`` of the place."""
        if (content, data) != self.shown:
            self.shown = (content, data)
            told = ", ".join(json.dumps(one) for one in (self.place.html_id, content, data))
            self.place.client.run_javascript(f"labShow({told})")


def button(title: str, action: Callable[[], Awaitable[None]] | None = None, kind: str = "") -> ui.button:
    """A button of the page; ``kind``: a class more."""
    return ui.button(title, on_click=action, color=None).classes(f"lab-button {kind}").props("flat no-caps")


def derivation(setup: Setup, data: LabSet) -> str:
    """The derivation of a set-up as markup, within a page that has a main part of its own."""
    made = setup.step(data)
    found = notation_page.fragment(derive(made.cost_system, made.cost).document)
    found = found.replace("<main>", '<div class="main">').replace("</main>", "</div>")
    found = found.replace(
        '<div class="scroll">', '<div class="scroll" tabindex="0" role="group" aria-label="formulas">'
    )
    return re.sub(r"(<summary[^>]*>)(?=<span class=.index)", r'\1<span class="unseen">the steps of</span>', found)
