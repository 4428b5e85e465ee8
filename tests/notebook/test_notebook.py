"""A notebook that is really executed: what a kernel is told to show, and how often."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

KEPT = "CHAINRULE_NOTEBOOK"  # where to keep the executed notebook, to be looked at
CELLS = {
    "train": """
import chainrule as cr
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
X, y = X[:300, 1:], y[:300]
network = cr.Network(cr.Dense(12), cr.Sigmoid(), cr.Dense(10))
model = cr.Classifier(network, epochs=400, batch_size=16, validation_fraction=0.2, random_state=0, verbose=True)
_ = model.fit(X, y)
""",
    "unfitted": "cr.Classifier()",
    "fitted": "model",
    "history": "model.history_",
    "derivation": "model.derivation()",
    "walk": "walk = model.walk(X[:1], y[:1])\nwalk",
    "element": "walk.at('dense1.z[4]')",
    "system": "cr.parse('z[b,j] = sum[i](x[b,i]*W[i,j]) + beta[j]')",
    "equation": "walk['dense2.z'].equation",
    "text": "lines = cr.LanguageModel(network='gpt(layers=1, units=8)', epochs=2, verbose=True)\n"
    "_ = lines.fit(['abab', 'baba'] * 8)\nlines",
}
Executed = tuple[dict[str, list[Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """The outputs of each cell as they are in the end, and every message by which they came about."""
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat, nbclient and ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="needs nbformat, nbclient and ipykernel")
    pytest.importorskip("ipykernel", reason="needs nbformat, nbclient and ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS.values()])
    messages: list[dict[str, Any]] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, message: Any, cell: Any, at: int) -> Any:
            messages.append({"type": message["msg_type"], "cell": list(CELLS)[at], **message["content"]})
            return super().process_message(message, cell, at)

    folder = str(tmp_path_factory.mktemp("notebook"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", folder)
        Client(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    if KEPT in os.environ:
        nbformat.write(notebook, os.environ[KEPT])
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}, messages


def html(outputs: list[Any]) -> str:
    shown = [one["data"] for one in outputs if one["output_type"] in ("display_data", "execute_result")]
    assert len(shown) == 1, outputs
    assert shown[0]["text/plain"]
    return str(shown[0]["text/html"])


def test_progress_is_one_output_brought_up_to_date(executed: Executed) -> None:
    outputs, messages = executed
    kinds = Counter(message["type"] for message in messages if message["cell"] == "train")
    assert kinds["display_data"] == 1 and 1 <= kinds["update_display_data"] <= 60, kinds
    found = html([one for one in outputs["train"] if one["output_type"] != "stream"])
    assert "epoch 400/400" in found and 'aria-valuenow="100"' in found and "<polyline" in found
    assert "validation loss" in found and "steps/s" in found
    assert all("epoch " not in one["text"] for one in outputs["train"] if one["output_type"] == "stream")


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("history", ["<polyline", "aria-label=\"Loss: training now", "The last 10 epochs", "validation accuracy"]),
        ("fitted", ["sk-container", "Classifier, 10 classes", "dense1.z[b,j]", "AdamW", "<polyline", "63 columns"]),
        ("derivation", ["<math", "∂", "The derivatives of"]),
        ("walk", ["<iframe", "A training step on one row"]),
        ("element", ["<math", "Came from"]),
        ("system", ["<math", "table class=\"formulas\"", "<dt>data</dt>"]),
        ("equation", ["<math", "table class=\"formulas\""]),
    ],
)  # fmt: skip
def test_what_is_shown(cell: str, parts: list[str], executed: Executed) -> None:
    found = html(executed[0][cell])
    assert [part for part in parts if part not in found] == []
    assert "<script" not in found or cell == "fitted"  # scikit-learn's diagram has one


def test_an_unfitted_model_is_shown_as_scikit_learn_shows_it(executed: Executed) -> None:
    found = html(executed[0]["unfitted"])
    assert "sk-container" in found and "chainrule" not in found.split("</style>")[-1].replace("chainrule.", "")


def test_language_models(executed: Executed) -> None:
    progress, fitted = (one for one in executed[0]["text"] if one["output_type"] != "stream")
    assert "epoch 2/2" in progress["data"]["text/html"]
    assert "LanguageModel, " in fitted["data"]["text/html"]
