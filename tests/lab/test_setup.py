"""The set-up in an address, and what is wrong with it, by field, in the user's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from chainrule.lab.dropped import Dropped
from chainrule.lab.sets import LabSet, Sets
from chainrule.lab.setup import MOST_TEXT, Setup


@pytest.fixture(scope="module")
def sets():
    made = Sets()
    yield made
    made.close()


@pytest.fixture(scope="module")
def digits(sets: Sets) -> LabSet:
    return sets.get("digits")


EQUATIONS = "data x[b,h,w]\naxis j = 12\nparameter W[h,w,j]\na[b,j] = tanh(sum[h,w](x[b,h,w]*W[h,w,j]))"


@pytest.mark.parametrize(
    "setup",
    [
        Setup(),
        Setup(data="iris", network='Conv2D(3, 3, padding="same"), Dense(3)', loss="CrossEntropy()", seed=7),
        Setup(equations=EQUATIONS, network="Dense(10)", regularizer="L2(0.001)", batch_size=1, epochs=3),
        Setup(network="β & ?=#%+ \n 'quoted'"),
    ],
)
def test_an_address_restores_the_setup(setup: Setup) -> None:
    address = urlencode(setup.query())
    assert Setup.from_query(dict(parse_qsl(address, keep_blank_values=True))) == setup


def test_the_usual_setup_has_an_empty_address() -> None:
    assert Setup().query() == {}


@pytest.mark.parametrize("text", ["-1", "1e9", "ten", "", "9" * 5000, "٣", "1.5"])
def test_an_address_typed_wrongly_is_as_if_it_said_nothing(text: str) -> None:
    assert Setup.from_query({"epochs": text, "unknown": "x"}) == Setup()


def test_a_text_without_end_is_left_out() -> None:
    assert Setup.from_query({"network": "Dense(3), " * 10_000}) == Setup()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"network": "Dense(30), Sigmod()"}, "network", "did you mean Sigmoid?"),
        ({"network": "Dense(30"}, "network", "no layers separated by commas"),
        ({"network": "Dense(7)"}, "network", "end it with Dense(10)"),
        ({"network": ""}, "network", "at least one layer"),
        ({"network": "Dense(30)), (Dense(10)"}, "network", "layers separated by commas"),
        ({"network": "(" * 5000}, "network", "no layers"),
        ({"network": "-" * 5000 + "1"}, "network", "no layers"),
        ({"network": "Conv2D(4, 99), Dense(10)"}, "network", "conv2d1"),
        ({"network": "Dense(400000), Dense(10)"}, "network", "30,000,010 parameters are too many"),
        ({"network": "Custom(3), Dense(10)"}, "network", "a function from the axes"),
        ({"network": "Sum(), Dense(10)"}, "network", "at least one layer"),
        ({"network": "Branch(), Dense(10)"}, "network", "at least one layer"),
        ({"network": "x" * (MOST_TEXT + 1)}, "network", "too many"),
        ({"equations": "a[b,j = x"}, "equations", "never closed"),
        ({"equations": "a[b] = 1"}, "equations", "reads x"),
        ({"equations": "a[b,j] = x[b,j] + q[j]"}, "equations", "q"),
        ({"equations": EQUATIONS, "network": "lenet5"}, "network", "whole network"),
        ({"loss": "Adam()"}, "loss", "CrossEntropy"),
        ({"optimizer": "Adam(-1)"}, "optimizer", "at least 0"),
        ({"optimizer": "Dense(3)"}, "optimizer", "none of"),
        ({"regularizer": "L2(parameters='q.*')"}, "regularizer", "matches no parameter"),
        ({"epochs": 0}, "epochs", "from 1"),
        ({"batch_size": 10**8}, "batch_size", "from 1"),
        # All 1,437 rows a step, and no more, however many are asked for.
        (
            {"network": "UpSample2D(40), Conv2D(16, 3), GlobalAvgPool(), Dense(10)", "batch_size": 99_999},
            "batch_size",
            "on 1,437 rows",
        ),
        ({"network": "UpSample2D(400), Conv2D(64, 3), GlobalAvgPool(), Dense(10)"}, "network", "on one row alone"),
        ({"seed": -1}, "seed", "from 0"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(digits: LabSet, change, field: str, words: str) -> None:
    problems = replace(Setup(), **change).checked(digits)
    assert list(problems) == [field]
    assert words in problems[field]
    assert len(problems[field]) < 1500


def test_the_length_of_texts_counts(sets: Sets, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("opinion,bad\n" + "".join(f"{'word ' * 300}{n},{n % 2 == 0}\n" for n in range(30)))
    data = sets.get(sets.add([Dropped("opinions.csv", file)]))
    setup = Setup(data=data.key, network="Embedding(60, 40000), GlobalMaxPool(), Dense(2)")
    assert "a step on one row alone" not in str(setup.checked(data))
    assert "batch_size" in setup.checked(data)


def test_what_is_right_has_no_problems(digits: LabSet) -> None:
    assert Setup().checked(digits) == {}
    assert Setup(equations=EQUATIONS, network="Dense(10)").checked(digits) == {}
    assert Setup(network="lenet5", loss="CrossEntropy()").checked(None) == {}


def test_typed_equations_are_the_first_layer(digits: LabSet) -> None:
    step = Setup(equations=EQUATIONS, network="ReLU(), Dense(10)").step(digits)
    names = [equation.name for equation in step.prediction_system.equations]
    assert "tanh(" in str(step.prediction_system)
    assert names[-1].startswith("prediction")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "Dense([i for i in range(3)][0])",
        "Dense(30).__class__",
        "open('/etc/passwd')",
        "Dense(1 if True else 2)",
        "f'{1}'",
    ],
)
def test_nothing_is_evaluated(text: str) -> None:
    assert "network" in Setup(network=text).checked(None)


def test_no_file_is_read(tmp_path: Path, digits: LabSet) -> None:
    file = tmp_path / "layer.eq"
    file.write_text("a[b,h,w] = x[b,h,w]^2")
    for text in (f"'{file}', Dense(10)", f"{file}, Dense(10)", f"Residual('{file}'), Dense(10)", "layer.eq"):
        assert "network" in Setup(network=text).checked(digits)
