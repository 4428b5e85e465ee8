"""The page of the lab in a real browser: from opening to exporting, stepped, dropped onto, killed, broken and audited.

The server is a process of its own, as a user starts it.  What it trains is trained here once more, so that every value
on the page has one to be compared with.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from browser import Opened, accessibility_violations
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import Sets
from chainrule.lab.setup import Setup
from chainrule.lab.views import step
from chainrule.notation import markup
from chainrule.walk import Walk

pytest.importorskip("nicegui", reason="needs NiceGUI: pip install 'chainrule[lab]'")


SLOW = 30_000  # milliseconds until something is there that takes a moment
LONG = "epochs=10000"  # training that lasts longer than a test
Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def lab(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link of a server."""
    log = tmp_path_factory.mktemp("lab") / "log"
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-c", "from chainrule.lab.server import serve; serve(port=0, open_browser=False)"],
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
        assert "Traceback" not in log.read_text()
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def visit(lab: str, open_page: Open) -> Callable[..., Opened]:
    """Open the lab with this query; the step of its run is shown when it is there."""

    def go(query: str = "", size: str = "desktop", **more: Any) -> Opened:
        opened = open_page(size, **more)
        opened.page.goto(f"{lab}&{query}")
        opened.page.wait_for_selector("[data-pane], .lab-setup .lab-problem:not(:empty)", timeout=SLOW)
        return opened

    return go


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained here is computed as the server does it, without waiting for a compiler."""
    monkeypatch.setenv("CHAINRULE_BACKEND", "numpy")


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


def test_the_first_paint_is_there_within_a_second(visit: Callable[..., Opened]) -> None:
    paints = []
    for _ in range(3):
        page = visit().page
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


DROP = """([name, text]) => {
    const dropped = new DataTransfer();
    dropped.items.add(new File([text], name, { type: "text/csv" }));
    for (const kind of ["dragover", "drop"])
        document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""


def test_a_table_is_dropped_and_its_column_chosen(visit: Callable[..., Opened]) -> None:
    opened = visit()
    rows = [f"{k % 7},{k % 5},{'town' if k % 2 else 'land'},{k % 7 + 2 * (k % 5) + 0.5}" for k in range(80)]
    page = opened.page
    page.evaluate(DROP, ["houses <b>.csv", "\n".join(["rooms,baths,place,price", *rows])])
    page.wait_for_function("document.querySelector('.lab-setup').innerText.includes('a number')", timeout=SLOW)
    page.wait_for_function("location.search.includes('Dense%281%29')", timeout=SLOW)  # one number is predicted
    page.locator(".field-network textarea").fill("Dense(4)\nTanh()\nDense(1)")
    page.wait_for_function("location.search.includes('Tanh')", timeout=SLOW)
    press(opened, "Train")
    wait_status(opened, "finished")
    page.get_by_label("column to predict").click()
    page.get_by_role("option", name="place").click()
    page.wait_for_function("document.querySelector('.lab-setup').innerText.includes('2 classes')", timeout=SLOW)
    page.get_by_role("button", name="New run").click()
    page.wait_for_function("location.search.includes('Dense%282%29')", timeout=SLOW)
    assert opened.problems == []


def _give(opened: Opened, name: str, files: Any) -> None:
    opened.page.locator(f"#{name}").set_input_files(files)


def test_a_folder_of_images_is_dropped_and_learnt(visit: Callable[..., Opened], tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for k in range(12):
            grey = np.clip(generator.normal(level, 20, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(grey).save(tmp_path / "pictures" / label / f"{k}.png")
    opened = visit("network=Conv2D(3, 3), ReLU(), Dense(2)&epochs=5")
    _give(opened, "lab-folder", tmp_path / "pictures")
    opened.page.wait_for_function("document.querySelector('.lab-setup').innerText.includes('24 rows')", timeout=SLOW)
    wait_status(opened, "ready")
    opened.page.wait_for_selector('.heat[data-tensor="conv2d1.W"]', timeout=SLOW)
    press(opened, "Train")
    wait_status(opened, "finished")
    choose_pane(opened, "Activations")
    opened.page.locator('.heat[data-tensor="conv2d1.z"]').click(position={"x": 4, "y": 4})
    opened.page.wait_for_selector(".lab-element .operands .heat", timeout=SLOW)
    assert opened.problems == []


def test_equations_are_derived_as_they_are_typed(visit: Callable[..., Opened]) -> None:
    opened = visit("network=Dense(10)&view=derivation")
    page, field = opened.page, opened.page.locator(".field-equations textarea")
    good = "z[b,j] = sum[h,w](x[b,h,w]*W[h,w,j])\na[b,j] = z[b,j]^2/(1 + z[b,j]^2)"
    field.fill("data x[b,h,w]\nparameter W[h,w,j]\naxis j = 6\n" + good)
    page.wait_for_function("document.querySelector('.lab-derivation').innerText.includes('equations1')", timeout=SLOW)
    page.wait_for_function("location.search.includes('equations=')", timeout=SLOW)
    field.fill("data x[b,h,w]\nparameter W[h,w,j]\naxis j = 6\n" + good.replace("1 + z", "1 + q"))
    problem = page.locator(".lab-setup .lab-problem:not(:empty)")
    problem.wait_for(timeout=SLOW)
    assert "q" in problem.inner_text()
    assert "^" in problem.inner_text()
    assert "equations1" in page.inner_text(".lab-derivation")  # nothing is lost
    field.fill("data x[b,h,w]\nparameter W[h,w,j]\naxis j = 6\n" + good)
    page.wait_for_function(
        "document.querySelectorAll('.lab-setup .lab-problem:not(:empty)').length === 0", timeout=SLOW
    )
    press(opened, "Update")
    wait_status(opened, "step 1 of")
    assert opened.problems == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("broken.csv", b"a,b\n1,2\n3,4,5\n", "broken.csv"),
        ("empty.csv", b"", "empty.csv"),
        ("notes.docx", b"PK\x03\x04", "nothing that the lab reads"),
        ("bad.zip", b"no archive", "archive cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    visit: Callable[..., Opened], name: str, content: bytes, words: str
) -> None:
    opened = visit("network=Dense(10)")
    _give(opened, "lab-file", {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    problem = opened.page.locator(".lab-setup .lab-problem:not(:empty)")
    problem.wait_for(timeout=SLOW)
    assert words in problem.inner_text()
    press(opened, "Update")  # nothing else is the worse for it
    wait_status(opened, "step 1 of")


def test_a_file_of_200_megabytes_is_refused(visit: Callable[..., Opened], tmp_path: Path) -> None:
    opened = visit("network=Dense(10)")
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(200 * 2**20)
    _give(opened, "lab-file", large)
    problem = opened.page.locator(".lab-setup .lab-problem:not(:empty)")
    problem.wait_for(timeout=SLOW)
    assert "MB" in problem.inner_text()
    press(opened, "Update")
    wait_status(opened, "step 1 of")


def test_mistakes_in_the_set_up_stand_beside_their_fields(visit: Callable[..., Opened]) -> None:
    opened = visit("network=Dense(10), Rulu()&optimizer=Adam(-1)")
    words = opened.page.locator(".lab-setup .lab-problem:not(:empty)").all_inner_texts()
    assert any("Rulu" in one and "ReLU" in one for one in words)
    assert any("learning_rate" in one for one in words)
    opened.page.locator(".field-network textarea").fill("Dense(10)")
    opened.page.get_by_label("rate", exact=True).fill("0.01")
    opened.page.wait_for_selector("#phase-forward", timeout=SLOW)
    assert opened.problems == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_accessible_and_asks_nothing_of_other_machines(
    visit: Callable[..., Opened], lab: str, dark: bool
) -> None:
    opened = visit("data=moons&network=Dense(4), Tanh(), Dense(2)&epochs=2&at=dense1.W[0,1]", dark=dark)
    press(opened, "Update")
    wait_status(opened, "step 1 of")
    opened.page.wait_for_selector(".lab-element .arithmetic, .lab-element .places", timeout=SLOW)
    for pane in ("Step", "Derivation", "Weights", "Activations", "Gradients", "Regions", "Compare"):
        choose_pane(opened, pane)
        opened.page.wait_for_function(
            "pane => document.querySelector('.lab-body').dataset.pane === pane", arg=pane.lower(), timeout=SLOW
        )
        assert accessibility_violations(opened.page) == [], pane
    origin = re.match(r"http://[^/]+", lab)
    assert origin is not None
    assert all(one.startswith((origin[0], "data:", "blob:")) for one in opened.requests), opened.requests
    assert opened.problems == []
