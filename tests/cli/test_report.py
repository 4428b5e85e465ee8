"""``chainrule report``, and what ``chainrule train`` leaves for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def table(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{'yes' if a > 0 else 'no'}" for a, b in generator.standard_normal((60, 2))]
    (tmp_path / "rows.csv").write_text("a,b,answer\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "rows.csv"


TRAIN = ("train", "rows.csv", "--target", "answer", "--network", "Dense(2)", "--epochs", "2", "--out", "run", "--json")


def test_training_leaves_a_report_and_what_it_needs(run, table: Path) -> None:
    assert run(*TRAIN)[0] == 0
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "<!DOCTYPE html>" in page and 'id="check"' in page
    remembered = json.loads(Path("run/run.json").read_text(encoding="utf-8"))
    assert remembered["asked"]["target"] == "answer" and remembered["rows"] == {"training": 48, "test": 12}
    assert "numpy" in remembered["versions"] and remembered["command"].startswith(
        "chainrule train rows.csv --target answer"
    )
    assert "yes" not in json.dumps(remembered)  # no rows of the data


def test_again_from_what_is_remembered(run, table: Path) -> None:
    assert run(*TRAIN, "--no-report")[0] == 0
    assert not Path("run/report.html").exists()
    code, out, _ = run("report", "run", "--json")
    assert code == 0 and "check" in json.loads(out)["sections"]
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "12, kept aside for the test" in page and "chainrule train rows.csv" in page


def test_check_and_walk_remember_them_too(run, table: Path) -> None:
    assert run(*TRAIN, "--no-report")[0] == 0
    code, out, said = run("check", "run", "--json")
    skipped = {one["name"] for one in json.loads(out)["examined"] if one["skipped"]}
    assert "validation rows" not in skipped and code in (0, 1) and said == ""
    # Two columns that the model does not read: the run knows which of them it was.
    lines = table.read_text(encoding="utf-8").splitlines()
    Path("more.csv").write_text(
        "\n".join([f"extra,{lines[0]}", *(f"1,{line}" for line in lines[1:])]), encoding="utf-8"
    )
    assert "targets" in run("check", "run", "more.csv")[1]
    code, out, said = run("walk", "run", "more.csv", "--row", "2")
    assert code == 0 and said == "" and "Backward" in out and "; the row is " in out
    table.unlink()
    code, out, said = run("check", "run")
    assert "checked without rows: rows.csv: the data of the run are not there any more" in said and "skipped" in out


def test_of_other_rows(run, table: Path) -> None:
    assert run(*TRAIN, "--no-report")[0] == 0
    lines = table.read_text(encoding="utf-8").splitlines()
    Path("new.csv").write_text("\n".join(["extra,a,answer,b"] + [f"1,{a},{c},{b}" for a, b, c in
                                         (line.split(",") for line in lines[1:21])]), encoding="utf-8")  # fmt: skip
    code, out, _ = run("report", "run", "new.csv", "--out", "page.html")
    assert code == 0 and "wrote page.html" in out
    assert "20, of new.csv" in Path("page.html").read_text(encoding="utf-8")


def test_rows_that_are_gone_or_changed(run, table: Path) -> None:
    assert run(*TRAIN, "--no-report")[0] == 0
    text = table.read_text(encoding="utf-8")
    table.write_text(text + "0,0,no\n", encoding="utf-8")
    code, _, said = run("report", "run")
    assert code == 2 and "rows.csv has changed: 61 rows now, 60 when the model was trained" in said
    table.unlink()
    code, _, said = run("report", "run")
    assert code == 2 and "rows.csv: the data of the run are not there any more" in said
    Path("run/run.json").unlink()
    code, _, said = run("report", "run")
    assert code == 2 and "nothing says which data it was trained on" in said
    Path("run/run.json").write_text("{", encoding="utf-8")
    code, _, said = run("report", "run")
    assert code == 2 and "damaged" in said


def test_language_models_have_one_without_rows(run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    network = "gpt(layers=1, heads=2, units=8)"
    code, _, said = run("train", "text.txt", "--length", "8", "--network", network, "--epochs", "1", "--out", "run")
    assert code == 0, said
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert 'id="derivation"' in page and 'id="data"' not in page


def test_a_path_below_a_file_is_refused_in_words(run, table: Path) -> None:
    assert run(*TRAIN, "--no-report")[0] == 0
    for words in (("walk", "run", "rows.csv"), ("report", "run")):
        code, _, said = run(*words, "--out", "rows.csv/page.html")
        assert code == 2 and "rows.csv/page.html: cannot be written" in said and "Traceback" not in said
