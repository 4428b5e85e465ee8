"""The set-up on the lab's page, in a real browser: typed, dropped, broken, kept in the address and mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser import Opened
from lab.visits import LONG, SLOW, choose_pane, press, status, wait_address, wait_status

pytest.importorskip("nicegui", reason="needs NiceGUI: pip install 'chainrule[lab]'")


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


UNREADABLE = [
    ("broken.csv", b"a,b\n1,2\n3,4,5\n", "broken.csv"),
    ("empty.csv", b"", "empty.csv"),
    ("notes.docx", b"PK\x03\x04", "nothing that the lab reads"),
    ("bad.zip", b"no archive", "archive cannot be read"),
]


def test_what_cannot_be_read_is_refused_in_words(visit: Callable[..., Opened]) -> None:
    opened = visit("data=moons&network=Dense(2)")
    for name, content, words in UNREADABLE:
        _give(opened, "lab-file", {"name": name, "mimeType": "application/octet-stream", "buffer": content})
        opened.page.locator(".lab-setup .lab-problem", has_text=words).wait_for(timeout=SLOW)
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


BROKEN = "data x[b,h,w]\nz[b] = sum[h,w](x[b,h,w]"


def test_what_was_typed_is_there_after_a_reload_with_its_mistake(visit: Callable[..., Opened]) -> None:
    opened = visit("data=moons&network=Dense(2)")
    page, field = opened.page, opened.page.locator(".field-equations textarea")
    wait_address(opened, "run=")
    run = page.evaluate("new URLSearchParams(location.search).get('run')")
    field.fill(BROKEN)
    wait_address(opened, "equations=")
    page.reload()
    page.wait_for_selector(".field-equations + .lab-problem:not(:empty), .lab-problem pre", timeout=SLOW)
    assert page.locator(".field-equations textarea").input_value() == BROKEN
    page.wait_for_selector("#phase-forward", timeout=SLOW)  # the run is still there, and still shown
    assert page.evaluate("new URLSearchParams(location.search).get('run')") == run
    press(opened, "Train")
    page.wait_for_selector(".lab-centre .lab-problem:has-text('mistake')", timeout=SLOW)
    assert "ready" in status(opened)  # not the network before, without a word
    assert opened.problems == []


def test_what_was_typed_while_a_run_trains_is_there_after_a_reload(visit: Callable[..., Opened]) -> None:
    opened = visit(f"data=moons&network=Dense(2)&{LONG}")
    page = opened.page
    press(opened, "Train")
    wait_status(opened, r"running · step [1-9]")
    page.locator(".field-network textarea").fill("Dense(5)\nTanh()\nDense(2)")
    wait_address(opened, "Tanh")
    page.reload()
    wait_status(opened, "running")
    assert "Tanh" in page.locator(".field-network textarea").input_value()
    page.get_by_role("button", name="New run").wait_for(timeout=SLOW)
    press(opened, "Pause")
    wait_status(opened, "paused")


def test_a_network_of_equations_alone_stays_in_the_address(visit: Callable[..., Opened]) -> None:
    opened = visit("data=moons&network=Dense(2)")
    page = opened.page
    equations = "data x[b,i]\nparameter W[i,k]\naxis k = 2\nz[b,k] = sum[i](x[b,i]*W[i,k])"
    page.locator(".field-equations textarea").fill(equations)
    page.locator(".field-network textarea").fill("")
    wait_address(opened, "network=&")
    page.wait_for_function("location.search.includes('run=')", timeout=SLOW)
    page.reload()
    page.wait_for_selector('#phase-given .heat[data-tensor="equations1.W"]', timeout=SLOW)
    assert page.locator(".field-network textarea").input_value() == ""
    assert page.locator(".lab-setup .lab-problem:not(:empty)").count() == 0
    assert opened.problems == []
