"""The commands as a user runs them: what they print, what they leave, their exit codes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.bad_inputs import HEADER, ROWS
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
TWO_LAYER = str(ROOT / "examples" / "two_layer.eq")


def test_train_leaves_a_run(run: Command, tmp_path: Path) -> None:
    code, out, _ = run("train", "iris", "--out", "run", "--seed", "3")
    assert code == 0 and "accuracy" in out and "95 % interval" in out and "setosa" in out
    names = {"model.json", "model.safetensors", "report.html", "run.json", "history.csv", "derivation.html"}
    names |= {"training.py"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert "∂" in (tmp_path / "run" / "derivation.html").read_text(encoding="utf-8")


def test_what_the_file_of_an_ensemble_trains(run: Command, tmp_path: Path) -> None:
    quick = ("--epochs", "4", "--no-report", "--out", "e", "--backend", "numpy")
    for asked, made in (("2", "the first of 2 networks"), ("SWA()", "the network of the run that SWA() is made from")):
        out = run("train", "iris", *quick, "--ensemble", asked)[1]
        assert f"trains {made} with NumPy alone" in " ".join(out.split())
        assert (tmp_path / "e" / "training.py").read_text(encoding="utf-8").startswith(f'"""Trains {made}, ')


def test_the_same_seed_gives_the_same_run(run: Command, tmp_path: Path) -> None:
    records = [
        json.loads(run("train", "wine", "--no-report", "--out", name, "--epochs", "3", "--json")[1])
        for name in ("a", "b")
    ]
    assert records[0]["test"] == records[1]["test"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]


def test_an_ensemble(run: Command) -> None:
    quick = ("--epochs", "2", "--no-report", "--out", "e", "--backend", "numpy")
    for asked, made in (("2", "2 networks"), ("TabM(3)", "3 networks"), ("Snapshots(2)", "2 networks")):
        network = ("--network", "Dense(4), ReLU(), Dense(3)")
        code, out, err = run("train", "iris", *quick, *network, "--ensemble", asked)
        assert code == 0 and "NLL" in out, err
        assert made in run("info", "e")[1]
    code, _, err = run("train", "iris", *quick, "--ensemble", "0")
    assert code == 2 and err == "error: ensemble is a whole number of at least 1, not 0\n"
    assert "--ensemble: unknown name Forest" in run("train", "iris", "--ensemble", "Forest()")[2]


def test_train_and_predict_a_table(run: Command, tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text(HEADER + ROWS)
    network = "Dense(8), Tanh(), Dense(1)"
    code, out, _ = run("train", "houses.csv", "--target", "price", "--network", network, "--out", "m", "--no-report")
    assert code == 0 and "R²" in out and "residual" in out
    code, out, _ = run("predict", "m", "houses.csv", "--out", "p.csv")
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert code == 0 and len(rows) == 40 and float(rows[0]["prediction"]) > 0
    assert run("predict", "m", "houses.csv")[1].splitlines()[0] == '"prediction"'
    assert len(json.loads(run("predict", "m", "houses.csv", "--json")[1])["prediction"]) == 40


def test_probabilities_of_classes(run: Command, tmp_path: Path) -> None:
    lines = [f"{i},{i % 5},{'cat' if i % 2 else 'dog'}\n" for i in range(60)]
    (tmp_path / "t.csv").write_text("a,b,kind\n" + "".join(lines))
    assert run("train", "t.csv", "--target", "kind", "--no-report", "--out", "m", "--epochs", "2")[0] == 0
    record = json.loads(run("predict", "m", "t.csv", "--probabilities", "--json")[1])
    assert set(record) == {"prediction", "probability cat", "probability dog"}
    assert record["probability cat"][0] + record["probability dog"][0] == pytest.approx(1)


def test_a_table_of_test_rows(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + ROWS)
    (tmp_path / "b.csv").write_text(HEADER + ROWS)
    code, out, _ = run(
        "train", "a.csv", "--target", "price", "--test", "b.csv", "--no-report", "--out", "m", "--epochs", "2", "--json"
    )
    assert code == 0 and json.loads(out)["rows"] == {"training": 40, "test": 40}


@pytest.mark.parametrize("format", ["text", "latex", "html", "equations"])
def test_derive(run: Command, tmp_path: Path, format: str) -> None:
    code, out, _ = run("derive", TWO_LAYER, "--of", "C", "--wrt", "W1", "--wrt", "b1", "--format", format)
    assert (
        code == 0
        and {"text": "BP4", "latex": r"\documentclass", "html": "<math", "equations": "∂W1[i,j]"}[format] in out
    )
    code, said, _ = run("derive", TWO_LAYER, "--wrt", "W1", "--wrt", "b1", "--format", format, "--out", "file")
    assert code == 0 and said == "wrote file\n"


def test_derive_and_check_a_model(run: Command, tmp_path: Path) -> None:
    train = ("train", "iris", "--epochs", "1", "--network", "Dense(4), Sigmoid(), Dense(3)", "--no-report")
    assert run(*train, "--out", "m")[0] == 0
    assert "∂dense1.W" in run("derive", "m", "--wrt", "dense1.W", "--format", "equations")[1]
    record = json.loads(run("check", "m", "--json")[1])  # on the rows that the run remembers
    assert not [one for one in record["examined"] if one["skipped"]]
    (tmp_path / "m" / "run.json").unlink()
    record = json.loads(run("check", "m", "--json")[1])
    assert record["passed"] and {one["name"] for one in record["examined"] if not one["skipped"]} >= {"gradients"}
    code, said, _ = run("check", "m", "iris")
    assert code == int("Warning" in said or "Error" in said) and "δ of 2 layers" in said
    assert "--target is for DATA" in run("check", "m", "--target", "kind")[2]
    assert "DATA is for a model" in run("check", TWO_LAYER, "iris")[2]
    assert "dense1" in run("info", "m")[1]
    assert json.loads(run("info", "m", "--json")[1])["estimator"] == "Classifier"


def test_a_file_of_equations_is_a_layer(run: Command, tmp_path: Path) -> None:
    (tmp_path / "layer.eq").write_text("axis j = 3\ndata x[b,i]\nparameter V[i,j]\nz[b,j] = sum[i](x[b,i]*V[i,j])\n")
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "square-1.eq").write_text("data x[b,i]\na[b,i] = x[b,i]^2\n")
    for network in ("layer.eq", "layer.eq, ReLU(), Dense(3)", "Residual(of/square-1.eq), 'layer.eq'"):
        code, _, err = run("train", "iris", "--no-report", "--out", "m", "--epochs", "1", "--network", network)
        assert code == 0, err
        assert "Equations('axis j = 3" in json.loads(run("info", "m", "--json")[1])["network"]
    code, _, err = run("train", "iris", "--network", "nowhere.eq, Dense(3)")
    assert code == 2 and "nowhere.eq: no such file" in err


def test_source_runs_alone(run: Command, tmp_path: Path) -> None:
    assert run("train", "iris", "--no-report", "--out", "m", "--epochs", "2")[0] == 0
    assert run("source", "m")[1].startswith('"""Trains')
    assert run("source", "m", "--out", "training.py", "--data", "iris")[0] == 0
    done = subprocess.run([sys.executable, "-I", "training.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "epoch 2" in done.stdout, done.stderr


def test_check_fails_with_1_where_a_gradient_is_wrong(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["chainrule.cli.check"], "TOLERANCE", 1e-30)
    assert run("check", TWO_LAYER)[0] == 1


def test_info_and_help(run: Command) -> None:
    assert "numpy" in run("info")[1]
    assert "W1[i,j]" in run("info", TWO_LAYER)[1]
    assert run("--version")[1].strip()
    for command in ("train", "predict", "derive", "check", "source", "info"):
        code, out, _ = run(command, "--help")
        assert code == 0 and "Examples" in out and "chainrule " + command in out


def test_test_rows_need_not_stand_in_order(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 3},{'x1'[i % 2]}\n" for i in range(40)))
    (tmp_path / "b.csv").write_text("id,y,b,a\n" + "".join(f"{i},{1},{i % 3},{i}\n" for i in range(8)))
    command = ("train", "a.csv", "--target", "y", "--epochs", "2", "--no-report", "--out", "m", "--json")
    assert json.loads(run(*command, "--test", "b.csv")[1])["rows"] == {"training": 40, "test": 8}
    (tmp_path / "c.csv").write_text("a,b,y\n1,2,other\n")
    code, _, message = run(*command[:-2], "n", "--test", "c.csv")
    assert code == 2 and "row 1: 'other' is no class" in message and not (tmp_path / "n").exists()


def test_columns_to_leave_out(run: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "day,a,y\n" + "".join(f"2024-01-{1 + i % 28:02d},{i},{2.5 * i}\n" for i in range(40))
    )
    assert run("train", "t.csv", "--target", "y", "--epochs", "1")[0] == 2
    assert run("train", "t.csv", "--target", "y", "--epochs", "1", "--drop", "day", "--no-report", "--out", "m")[0] == 0
    assert run("predict", "m", "t.csv")[0] == 0


def test_categories_that_look_like_numbers(run: Command, tmp_path: Path) -> None:
    codes = ("007", "012", "A1")
    rows = "".join(f"{codes[i % 3]},{i % 7},{'yes' if i % 3 == 0 else 'no'}\n" for i in range(90))
    (tmp_path / "t.csv").write_text("code,n,y\n" + rows)
    assert run("train", "t.csv", "--target", "y", "--no-report", "--out", "m")[0] == 0
    (tmp_path / "one.csv").write_text("code,n\n007,3\n012,3\n")
    assert json.loads(run("predict", "m", "one.csv", "--json")[1])["prediction"] == ["yes", "no"]


def test_source_with_the_rows_of_the_run(run: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(HEADER + ROWS)
    assert run("train", "t.csv", "--target", "price", "--epochs", "2", "--no-report", "--out", "m")[0] == 0
    assert run("source", "m", "--out", "s/training.py", "--data", "t.csv", "--target", "price")[0] == 0
    done = subprocess.run(
        [sys.executable, "-I", "training.py"], cwd=tmp_path / "s", capture_output=True, text=True, check=True
    )
    with (tmp_path / "m" / "history.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    alone = [float(line.rpartition(" ")[2]) for line in done.stdout.splitlines()]
    assert alone == pytest.approx(losses, rel=1e-5)


# compiled code


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model in a folder."""
    from sklearn.datasets import load_iris

    from chainrule.estimators import Classifier
    from chainrule.layers import Dense, Network, Sigmoid

    model = Classifier(Network(Dense(4), Sigmoid(), Dense(3)), epochs=1).fit(*load_iris(return_X_y=True))
    return str(model.save(tmp_path_factory.mktemp("iris") / "m"))


def test_train_says_what_computed(run: Command) -> None:
    words = ("train", "iris", "--epochs", "1", "--threads", "1")
    assert "compiled for " in run(*words, "--backend", "native", "--out", "a")[1]
    assert "(NumPy, 1 thread)" in run(*words, "--backend", "numpy", "--out", "b")[1]
    assert json.loads(run(*words, "--backend", "numpy", "--json")[1])["computed_by"] == "NumPy, 1 thread"
    assert json.loads(run("info", "b", "--json")[1])["computed_by"] == "NumPy, 1 thread"
    assert "1 steps, NumPy" not in run("info", "a")[1] and "compiled for " in run("info", "a")[1]


def test_compile_a_model(run: Command, iris: str) -> None:
    code, out, _ = run("compile", iris, "--backend", "native")
    assert code == 0 and "KiB of machine code" in out and "each step" in out
    record = json.loads(run("compile", iris, "--rows", "8", "--explain", "--json", "--backend", "native")[1])
    assert record["bytes_of_machine_code"] > 1000 and record["seconds_a_step"] > 0
    assert all(word in record["passes"] for word in ("classify", "parallelise", "memory", "emit", "dense1.W"))
    assert "define" in run("compile", iris, "--source", "--backend", "native")[1]
    assert "def step(" in run("compile", iris, "--source", "--backend", "numpy")[1]


def test_compile_equations(run: Command) -> None:
    words = ("compile", TWO_LAYER, "--rows", "16", "--size", "i=32", "--size", "j=24", "--backend", "native")
    code, out, _ = run(*words, "--explain")
    assert code == 0 and "product 16×24×32" in out
    assert run("compile", TWO_LAYER, "--backend", "numpy")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--explain", "--backend", "numpy"), "--explain is for the native backend"),
        (("--size", "q=3"), "--size q=3: say AXIS=NUMBER, with one of the axes m, i, k, j"),
        (("--size", "i=0"), "--size i=0: say AXIS=NUMBER"),
        (("--rows", "0"), "greater than or equal to 1"),
        (("--backend", "tpu"), "'tpu' is not one of"),
    ],
)
def test_compile_refuses(run: Command, words: tuple[str, ...], message: str) -> None:
    code, _, err = run("compile", TWO_LAYER, *words)
    assert code == 2 and message in " ".join(err.replace("│", " ").split())
