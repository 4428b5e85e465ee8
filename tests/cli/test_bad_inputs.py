"""Every bad input of benchmarks/bad_inputs.py: one message, exit code 2, nothing left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.bad_inputs import CASES, Case, run_case, train_model

from chainrule.cli import main


def in_this_process(arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(sys, "argv", ["chainrule", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0), capsys.readouterr().err.strip()
    return 0, capsys.readouterr().err.strip()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    outcome = run_case(case, tmp_path, model, lambda words, folder: in_this_process(words, folder, monkeypatch, capsys))
    assert outcome.good, outcome
