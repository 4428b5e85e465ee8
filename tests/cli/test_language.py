"""Language models on the command line: train on a text or on lines, generate, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command

TEXT = "the cat sat on the mat. " * 60
WORDS = ["anna", "hannah", "otto", "bob", "ada", "eve", "elle", "ava", "noon", "level"] * 6
SMALL = "gpt(layers=1, heads=2, units=16)"


def test_train_and_generate(run: Command, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text(TEXT)
    (tmp_path / "names.txt").write_text("\n".join(WORDS))
    quick = ("--network", SMALL, "--epochs", "2", "--length", "16", "--backend", "numpy")
    code, out, err = run("train", "input.txt", *quick)
    assert code == 0 and "nats a character" in out and "chainrule generate runs/input" in out, err
    code, out, _ = run("generate", "runs/input", "--prompt", "the ", "--length", "20", "--seed", "1")
    assert code == 0 and out.startswith("the ") and len(out) == 25
    assert run("generate", "runs/input", "--prompt", "the ", "--length", "20", "--seed", "1")[1] == out
    code, out, err = run("train", "names.txt", "--task", "lines", *quick, "--out", "n", "--json")
    assert code == 0 and len(json.loads(out)["samples"]) == 10, err
    code, out, _ = run("generate", "n", "--samples", "3", "--top-k", "3", "--json")
    assert code == 0 and len(json.loads(out)["texts"]) == 3
    assert "LanguageModel, " in run("info", "n")[1]
    assert (tmp_path / "n" / "derivation.html").exists()


def test_what_is_refused(run: Command, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("too short")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    assert run("train", "input.txt", "--target", "y") == (
        2,
        "",
        "error: input.txt: --target is for rows with a target, as in a .csv file, not for a text\n",
    )
    assert "too short for windows" in run("train", "input.txt")[2]
    assert "no text in UTF-8" in run("train", "bytes.txt")[2]
    assert "nothing.txt: no such file" in run("train", "nothing.txt")[2]
    assert "has 1 lines" in run("train", "input.txt", "--task", "lines")[2]
    run("train", "iris", "--epochs", "1", "--backend", "numpy", "--out", "iris")
    assert "iris: is a Classifier, no language model" in run("generate", "iris")[2]
