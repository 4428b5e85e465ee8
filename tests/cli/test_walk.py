"""``chainrule walk`` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from tests.cli.conftest import Command

import chainrule as cr
from chainrule.walk import exact_value


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network trained on flowers.csv, which lies beside it."""
    folder = tmp_path_factory.mktemp("walk")
    bunch = load_iris()
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    with (folder / "flowers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "kind"])
        for row, kind in zip(bunch.data[::5], bunch.target_names[bunch.target[::5]], strict=True):
            writer.writerow([*row, kind])
    import pyarrow.csv

    table = pyarrow.csv.read_csv(folder / "flowers.csv")
    network = cr.Network(cr.Dense(4), cr.Tanh(), cr.Dense(3))
    classifier = cr.Classifier(network, epochs=2, random_state=0)
    classifier.fit(table.select(names), table.column("kind").to_numpy()).save(folder / "model")
    return folder / "model"


def data(model: Path) -> str:
    return str(model.parent / "flowers.csv")


def test_whole_walk(run: Command, model: Path) -> None:
    code, out, err = run("walk", str(model), data(model), "--row", "3")
    assert (code, err) == (0, "")
    for part in ("A training step on one row", "Forward", "dense1.z", "Backward", "The update", "dense2.W'"):
        assert part in out


def test_a_neuron_and_its_exact_arithmetic(run: Command, model: Path) -> None:
    code, out, _ = run("walk", str(model), data(model), "--row", "3", "--neuron", "dense1.z[2]")
    assert code == 0 and "z⁽¹⁾_{0,2} = " in out and "Came from" in out and "Feeds" in out
    _, out, _ = run("walk", str(model), data(model), "--row", "3", "--neuron", "dense1.z[2]", "--exact")
    name, _, arithmetic = out.strip().partition(" = ")
    _, out, _ = run("walk", str(model), data(model), "--row", "3", "--neuron", "dense1.z[2]", "--json")
    record = json.loads(out)
    assert name == record["name"] == "dense1.z[0,2]" and record["arithmetic"] == arithmetic
    assert exact_value(arithmetic) == pytest.approx(record["value"], rel=1e-12)
    assert record["derivative"]["name"] == "∂dense1.z[0,2]"
    assert {feed["tensor"] for feed in record["feeds"]} == {"tanh1.a"}


def test_a_quantity_and_a_record(run: Command, model: Path) -> None:
    code, out, _ = run("walk", str(model), data(model), "--quantity", "partial dense1.W")
    assert code == 0 and "∂C/∂W⁽¹⁾ᵢⱼ = Σ_b δ⁽¹⁾_bj x_bi" in out
    _, out, _ = run("walk", str(model), data(model), "--row", "7", "--json")
    record = json.loads(out)
    found = {quantity["name"]: quantity for quantity in record["quantities"]}
    loaded = cr.load(model)
    row = load_iris().data[::5][6:7]
    walked = loaded.walk(row_like(loaded, row), ["setosa"])
    np.testing.assert_allclose(found["dense2.z"]["values"], walked.values["dense2.z"])
    assert found["dense1.z"]["equation"] == str(walked["dense1.z"].equation)


def row_like(loaded: object, row: np.ndarray) -> object:
    import pyarrow as pa

    return pa.table(dict(zip(loaded.feature_names_in_, row.T, strict=True)))  # type: ignore[attr-defined]


def test_a_page(run: Command, model: Path) -> None:
    code, out, _ = run("walk", str(model), data(model), "--out", "walk.html")
    assert code == 0 and "wrote walk.html" in out
    assert "<html" in Path("walk.html").read_text() and 'class="panel"' in Path("walk.html").read_text()


def test_without_a_target_forward_alone(run: Command, model: Path) -> None:
    lines = Path(data(model)).read_text().splitlines()
    Path("new.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    code, out, err = run("walk", str(model), "new.csv")
    assert code == 0 and "forward only" in err
    assert "A prediction for one row" in out and "Backward" not in out


def test_texts(run: Command, tmp_path: Path) -> None:
    text = "abba cab acab " * 20
    running = cr.LanguageModel("gpt(layers=1, units=4, heads=1)", length=6, epochs=1, steps_per_epoch=1, random_state=0)
    running.fit(text).save(tmp_path / "model")
    Path("text.txt").write_text(text)
    code, out, _ = run("walk", "model", "text.txt", "--row", "2", "--neuron", "embedding1.e[3,1]")
    assert code == 0 and "Came from" in out
    code, _, err = run("walk", "model", "text.txt", "--row", "900")
    assert code == 2 and "there is no window 899" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--row", "31"), "--row 31: {data} has 30 rows"),
        (("--neuron", "dense1.q[1]"), "no quantity dense1.q; there are dense1."),
        (("--neuron", "dense1.z[4]"), "there is no dense1.z[0,4]: dense1.z has b 0…0, j 0…3"),
        (("--quantity", "z"), "no quantity z"),
        (("--target", "sort"), "no column 'sort'"),
        (("--exact",), "--exact prints the arithmetic of one element"),
        (("--neuron", "C", "--quantity", "C"), "give one of them"),
    ],
)
def test_mistakes(run: Command, model: Path, words: tuple[str, ...], message: str) -> None:
    code, out, err = run("walk", str(model), data(model), *words)
    assert (code, out) == (2, "")
    assert message.format(data=data(model)) in " ".join(err.split())


def test_what_the_model_cannot_read(run: Command, model: Path) -> None:
    Path("other.csv").write_text("a,b\n1,2\n")
    for given, message in (("other.csv", "no column 'sepal length'"), ("no.csv", "no.csv: no such file"),
                           ("digits", "digits: X has 64 features")):  # fmt: skip
        code, _, err = run("walk", str(model), given)
        assert code == 2 and message in " ".join(err.split()), err
