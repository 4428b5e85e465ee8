"""What a run gives to keep: each file does what it says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

import chainrule as cr
from chainrule.lab import exports
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import Sets
from chainrule.lab.setup import Setup


@pytest.fixture(scope="module")
def run():
    sets = Sets()
    made = LabRun(
        Setup(data="iris", network="Dense(4), Tanh(), Dense(3)", loss="CrossEntropy()", epochs=3), sets.get("iris")
    )
    for _ in range(5):
        made.step()
    yield made
    made.close()
    sets.close()


def test_the_equations_can_be_read_again(run: LabRun) -> None:
    file = exports.equations(run)
    assert file.name == "iris.eq"
    system = cr.parse(file.content.decode())
    assert {"C", "∂dense1.W"} <= set(system.by_name)


def test_the_source_trains_the_network(run: LabRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = exports.source(run)
    compile(file.content, file.name, "exec")
    assert b"import numpy" in file.content and b"import chainrule" not in file.content


def test_the_model_can_be_loaded(run: LabRun, tmp_path: Path) -> None:
    file = exports.model(run)
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        archive.extractall(tmp_path)
    model = cr.load(tmp_path / "iris")
    now = run.snapshot().parameters
    assert all(np.array_equal(model.parameters_[name], value) for name, value in now.items())
    assert np.array_equal(model.predict(run.data.validation.X), run.model().predict(run.data.validation.X))
    assert (tmp_path / "iris" / "history.csv").exists()


def test_the_link_restores_the_setup(run: LabRun) -> None:
    link = exports.link(run.setup, "http://127.0.0.1:8080")
    assert link.startswith("http://127.0.0.1:8080/?")
    assert Setup.from_query(dict(parse_qsl(urlsplit(link).query))) == run.setup
    assert exports.link(Setup(), "http://127.0.0.1:8080") == "http://127.0.0.1:8080/"


def test_the_report_is_one_page(run: LabRun) -> None:
    file = exports.report(run)
    assert file.name == "report.html" and b"<html" in file.content[:200]
    assert b"<script src" not in file.content
    text = file.content.decode()
    assert "<title>iris: Classifier</title>" in text
    assert "30, set aside for validation" in text
    assert "are among the 120 training rows" in text  # the check is of the rows trained on
