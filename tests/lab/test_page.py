"""The page of the lab in a real browser: from opening to exporting, stepped, opened, killed, compared and audited.

The server is a process of its own, as a user starts it.  What it trains is trained here once more, so that every value
on the page has one to be compared with.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from browser import Opened, accessibility_violations
from chainrule.lab.panes import PANES
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import Sets
from chainrule.lab.setup import Setup
from chainrule.lab.views import step
from chainrule.notation import markup
from chainrule.walk import Walk
from lab.visits import LONG, SLOW, choose_pane, opened_value, press, step_of, wait_status

pytest.importorskip("nicegui", reason="needs NiceGUI: pip install 'chainrule[lab]'")

Open = Callable[..., Opened]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained here is computed as the server does it, without waiting for a compiler."""
    monkeypatch.setenv("CHAINRULE_BACKEND", "numpy")


def shown(opened: Opened, phase: str) -> dict[str, str]:
    """Quantity → its picture or its number, as the page shows them in a phase."""
    found: dict[str, str] = opened.page.eval_on_selector_all(
        f"#phase-{phase} .quantity",
        """rows => Object.fromEntries(rows.map(row => [row.dataset.name,
            row.querySelector('.heat img')?.src ?? row.querySelector('.scalar')?.textContent ?? '']))""",
    )
    return found


def drawn(walk: Walk, phase: str) -> dict[str, str]:
    """The same for a walk, drawn here."""
    part = re.split(r'(?=<section class="phase)', step.step(walk, step.Shown(len(step.STAGES))))
    section = next(one for one in part if f'id="phase-{phase}"' in one)
    rows = re.split(r'(?=<div class="quantity)', section)[1:]
    made = {}
    for row in rows:
        name = re.search(r'data-name="([^"]*)"', row)
        value = re.search(r'<img alt="" src="([^"]*)"|scalar"[^>]*>([^<]*)<', row)
        assert name is not None and value is not None
        made[name[1].replace("&#x27;", "'")] = value[1] or value[2]
    return made


def number(text: str) -> float:
    """A number as the page writes it."""
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, exponent = text.replace(markup.MINUS, "-").partition("·10")
    return float(mantissa) * 10.0 ** int(exponent.translate(raised) or 0)


def test_the_first_paint_is_there_within_a_second(open_page: Open, lab: str) -> None:
    paints = []
    for _ in range(3):
        page = open_page().page
        page.goto(lab)
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0", timeout=SLOW)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert min(paints) < 1000, paints


def test_stepping_shows_the_values_of_the_walk_and_applies_them(visit: Callable[..., Opened]) -> None:
    """Forward, backward and update of two minibatches: every picture and number of the page is that of the same run."""
    opened = visit("network=Dense(12), Tanh(), Dense(10)")
    here = LabRun(Setup(network="Dense(12), Tanh(), Dense(10)"), Sets().get("digits"))
    try:
        for minibatch in range(2):
            walk = here.walk()
            for stage, title in (("forward", "Forward"), ("backward", "Backward"), ("update", "Update")):
                press(opened, title)
                opened.page.wait_for_selector(f"#phase-{stage}.latest", timeout=SLOW)
                assert shown(opened, stage) == drawn(walk, stage)
            here.step()
            wait_status(opened, f"step {minibatch + 1} of")
            learnt = here.snapshot().parameters
            for name, value in learnt.items():
                np.testing.assert_allclose(walk.values[f"{name}'"], value, rtol=1e-4, atol=1e-6)
        model = here.model()
        assert model.walk(here.data.training.X[:4], here.data.training.y[:4])["C"].value > 0
    finally:
        here.close()
    assert opened.problems == []


def test_an_element_opens_and_leads_to_others(visit: Callable[..., Opened]) -> None:
    opened = visit("at=dense1.z[0,4]")
    page = opened.page
    walk = _walk_of(Setup())
    for place in ("dense1.z[0,4]", "sigmoid1.a[0,4]", "dense2.z[0,0]", "∂dense2.z[0,0]"):
        if place != "dense1.z[0,4]":
            page.locator(f'.lab-element [data-at="{place}"]').first.click()
        page.wait_for_function(
            "place => document.querySelector('.lab-element .what code')?.textContent === place", arg=place, timeout=SLOW
        )
        assert number(page.inner_text(".lab-element .value")) == pytest.approx(walk.at(place).value, rel=1e-5)
    assert "at=%E2%88%82dense2.z" in page.url
    page.go_back()  # the address is replaced, not added to: back leaves the lab
    assert opened.problems == []


def _walk_of(setup: Setup) -> Walk:
    run = LabRun(setup, Sets().get(setup.data))
    try:
        return run.walk()
    finally:
        run.close()


def test_a_picture_is_worked_with_the_keyboard_and_with_touch(visit: Callable[..., Opened]) -> None:
    opened = visit(size="tablet", has_touch=True)
    page = opened.page
    heat = page.locator('#phase-given .heat[data-tensor="dense2.W"]')
    heat.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".lab-element .what code:text-is('dense2.W[1,1]')", timeout=SLOW)
    page.get_by_role("button", name="the one after along k").tap()
    page.wait_for_selector(".lab-element .what code:text-is('dense2.W[1,2]')", timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not page.locator(".lab-setup").is_visible()
    page.get_by_role("button", name="Set-up").tap()
    assert page.locator(".lab-setup").is_visible()


def test_a_weight_changed_by_hand_shows_its_effect(visit: Callable[..., Opened]) -> None:
    opened = visit("at=dense2.β[3]")
    page = opened.page
    page.get_by_label("change dense2.β[3] to").fill("5")
    press(opened, "Set")
    page.wait_for_selector(".lab-effect p", timeout=SLOW)
    words = page.inner_text(".lab-effect")
    assert re.search(r"dense2\.β\[3\] from 0 to 5: the loss on validation rows goes from \S+ to \S+; \d+ rows", words)
    page.wait_for_function("document.querySelector('.lab-element .value').textContent === '5'")


def test_the_update_is_the_one_that_is_shown_whatever_another_tab_did(
    visit: Callable[..., Opened], open_page: Open, lab: str
) -> None:
    one = visit("data=moons&network=Dense(4), Tanh(), Dense(2)&at=dense1.W[0,0]")
    other = open_page()
    other.page.goto(f"{lab}&{one.page.url.partition('?')[2]}")
    press(one, "Forward")
    one.page.wait_for_selector("#phase-forward.latest", timeout=SLOW)
    other.page.get_by_label("change dense1.W[0,0] to").fill("7")
    press(other, "Set")
    for opened in (other, one):
        opened.page.wait_for_function("document.querySelector('.lab-element .value').textContent === '7'", timeout=SLOW)
    press(one, "Update")
    one.page.wait_for_selector("#phase-update.latest", timeout=SLOW)
    told = one.page.locator(".lab-element .places button", has_text="dense1.W'[0,0]").first.inner_text()
    wait_status(other, "step 1 of")
    other.page.wait_for_function("document.querySelector('.lab-element .value').textContent !== '7'", timeout=SLOW)
    assert number(told.split()[-1]) == pytest.approx(number(opened_value(other)), rel=1e-3)
    assert abs(number(opened_value(other)) - 7) < 0.1


def test_a_value_changed_on_a_finished_run_is_shown(visit: Callable[..., Opened]) -> None:
    opened = visit("data=moons&network=Dense(2)&epochs=1&at=dense1.β[1]")
    page = opened.page
    press(opened, "Train")
    wait_status(opened, "finished")
    page.get_by_label("change dense1.β[1] to").fill("2.5")
    press(opened, "Set")
    page.wait_for_function("document.querySelector('.lab-element .value').textContent === '2.5'", timeout=SLOW)
    assert "to 2.5" in page.inner_text(".lab-effect")
    assert opened.problems == []


def test_training_goes_on_without_a_browser_and_two_tabs_see_it(
    visit: Callable[..., Opened], open_page: Open, lab: str
) -> None:
    first = visit(LONG)
    press(first, "Train")
    wait_status(first, r"running · step [1-9]")
    address = first.page.url
    before = step_of(first)
    first.page.context.close()  # the browser is killed
    again, other = (open_page() for _ in range(2))
    query = address.partition("?")[2]
    for opened in (again, other):
        opened.page.goto(f"{lab}&{query}")
        wait_status(opened, "running")
    assert step_of(again) > before
    press(again, "Pause")
    for opened in (again, other):
        wait_status(opened, "paused")
    assert step_of(again) == step_of(other)
    again.page.reload()
    wait_status(again, "paused")
    assert step_of(again) == step_of(other)


def test_panes_watch_training_and_runs_are_compared(visit: Callable[..., Opened]) -> None:
    opened = visit("data=moons&network=Dense(8), Tanh(), Dense(2)&epochs=30")
    page = opened.page
    press(opened, "Train")
    wait_status(opened, "finished")
    for pane, part in (
        ("Weights", ".spread svg"),
        ("Activations", ".tile .heat"),
        ("Gradients", "table.gradients"),
        ("Regions", ".regions image"),
        ("Derivation", ".lab-derivation math"),
    ):
        choose_pane(opened, pane)
        page.wait_for_selector(part, timeout=SLOW)
    page.locator(".field-network textarea").fill("Dense(3)\nReLU()\nDense(2)")
    page.get_by_role("button", name="New run").click()
    wait_status(opened, "ready")
    press(opened, "Train")
    wait_status(opened, "finished")
    choose_pane(opened, "Compare")
    page.wait_for_selector("tr.differs", timeout=SLOW)
    assert page.inner_text("tr.differs").count("Dense") == 4
    assert page.locator(".versus .regions").count() == 2
    assert page.locator(".versus .curves").count() == 2
    assert opened.problems == []


def test_everything_can_be_taken_away(visit: Callable[..., Opened], tmp_path: Path) -> None:
    opened = visit("data=iris&network=Dense(6), ReLU(), Dense(3)&epochs=5")
    press(opened, "Train")
    wait_status(opened, "finished")

    def export(title: str) -> Path:
        press(opened, "Export")
        with opened.page.expect_download(timeout=SLOW) as coming:
            opened.page.get_by_role("menuitem", name=title).click()
        path = tmp_path / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    assert "∂dense1.W" in {equation.name for equation in cr.parse(export("The equations").read_text()).equations}
    compile(export("The NumPy source").read_text(), "training.py", "exec")
    with zipfile.ZipFile(export("The model")) as packed:
        packed.extractall(tmp_path)
    model = cr.load(tmp_path / "iris")
    assert model.predict(Sets().get("iris").validation.X).shape == (30,)
    assert "<!DOCTYPE html>" in export("The report").read_text()[:100]
    assert opened.problems == []


@pytest.mark.parametrize(("dark", "panes"), [(False, PANES), (True, ("step", "gradients"))], ids=["light", "dark"])
def test_the_page_is_accessible_and_asks_nothing_of_other_machines(
    visit: Callable[..., Opened], lab: str, dark: bool, panes: Iterable[str]
) -> None:
    opened = visit("data=moons&network=Dense(4), Tanh(), Dense(2)&epochs=2&at=dense1.W[0,1]", dark=dark)
    press(opened, "Update")
    wait_status(opened, "step 1 of")
    opened.page.wait_for_selector(".lab-element .arithmetic, .lab-element .places", timeout=SLOW)
    for pane in panes:
        choose_pane(opened, PANES[pane])
        opened.page.wait_for_function(
            "pane => document.querySelector('.lab-body').dataset.pane === pane", arg=pane, timeout=SLOW
        )
        assert accessibility_violations(opened.page) == [], pane
    origin = re.match(r"http://[^/]+", lab)
    assert origin is not None
    assert all(one.startswith((origin[0], "data:", "blob:")) for one in opened.requests), opened.requests
    assert opened.problems == []
