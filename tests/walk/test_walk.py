"""A walk is the training step: its values, its order, its words, and a page in which every link leads somewhere."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

import chainrule as cr
from chainrule.equations.evaluate import evaluate
from chainrule.layers.composition import Reading
from chainrule.notation import paper
from chainrule.notation.numbers import worked
from chainrule.notation.text import box_text
from chainrule.training.loop import first_state
from chainrule.training.programs import program
from chainrule.training.step import assemble
from chainrule.walk import Walk, exact_value, magnitude, walk
from chainrule.walk.panels import MOST_BYTES, chosen
from walk.models import MODELS, made, walked


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_equations(name: str) -> None:
    found = walked(name)
    given = {tensor.name: found.values[tensor.name] for tensor in found.system.inputs}
    for tensor, value in evaluate(found.system, given).items():
        np.testing.assert_allclose(found.values[tensor], value, rtol=1e-9, atol=1e-10, err_msg=tensor)


@pytest.mark.parametrize("name", MODELS)
def test_printed_arithmetic_gives_the_value(name: str) -> None:
    found, generator = walked(name), np.random.default_rng(0)
    quantities = [quantity for quantity in found.quantities if quantity.equation is not None]
    for _ in range(60):
        quantity = quantities[generator.integers(len(quantities))]
        element = found.element(quantity.name, [int(generator.integers(size)) for size in quantity.shape])
        text = element.exact()
        assert abs(exact_value(text) - element.value) <= 1e-9 * max(magnitude(text), abs(element.value)), element.name


def test_the_update_is_that_of_a_real_step() -> None:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(20, 5)), generator.integers(3, size=20)
    network = cr.Network(cr.Dense(6), cr.BatchNorm(), cr.ReLU(), cr.Dense(3))
    model = cr.Classifier(network, optimizer=cr.SGD(0.1), epochs=1, batch_size=20, validation_fraction=0)
    model.set_params(random_state=0, regularizer=cr.L2(0.1)).fit(X, y)
    step, seed = model.specification_.step, model.training_.seed
    rows = {"x": model.input_.encode(model._read_input(X, (), reset=False), np.float64)["x"], "t": y}
    first = first_state(step, seed)
    found = walk(step, {**rows, **first}, rate=float(model.specification_.optimizer.rates(1)[0]), seed=seed)
    for parameter, after in model.parameters_.items():
        np.testing.assert_allclose(found.values[f"{parameter}'"], after, rtol=2e-4, atol=2e-6, err_msg=parameter)

    state = {name: np.asarray(value, np.float64) for name, value in first.items()}
    data = {step.sources[name]: value for name, value in rows.items()}
    steps = {"rows": np.arange(20)[None], "η": model.specification_.optimizer.rates(1)}
    program(step.system, (step.cost,), "float64").run(data, state, steps, seed=seed)
    for parameter in model.parameters_:
        np.testing.assert_allclose(state[parameter], found.values[f"{parameter}'"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_phases_follow_each_other(name: str) -> None:
    found = walked(name)
    known: set[str] = set()
    for quantity in found.quantities:
        if quantity.equation is not None and quantity.name not in found.recurrent:
            reads = set(worked_reads(found, quantity.name))
            assert reads <= known, quantity.name
        known.add(quantity.name)
    phases = {quantity.phase for quantity in found.quantities}
    assert phases == {"given", "forward", "loss", "backward", "update"}
    assert all(f"{tensor.name}'" in found.by_name for tensor in found.system.parameters)


def worked_reads(found: Walk, tensor: str) -> list[str]:
    position = tuple(0 for _ in found.values[tensor].shape)
    return [read for read, _ in worked(found.system, found.values, tensor, position).reads]


def test_without_y_forward_alone() -> None:
    model, X, _ = made("dense")
    found = model.walk(X)
    assert {quantity.phase for quantity in found.quantities} == {"given", "forward"}
    np.testing.assert_allclose(found.values[found.output], model.predict_proba(X), rtol=1e-5)
    assert found.text().startswith("A prediction for one row")
    element = found.element(found.output, (0, 1))
    assert element.derivative is None and element.updated is None and "Came from" in element.text()


def test_of_a_running_text_and_of_short_ones() -> None:
    running = cr.LanguageModel("gpt(layers=1, units=4, heads=1)", length=6, epochs=1, steps_per_epoch=1, random_state=0)
    text = "abba cab acab " * 20
    found = running.fit(text).walk(text, window=1)
    assert found.values["x"].tolist() == [running.input_.numbers([text])[0][6:12].tolist()]
    assert found.values["t"].tolist() == [running.input_.numbers([text])[0][7:13].tolist()]
    assert found.values["C"] == pytest.approx(running.loss(text[6:13]), rel=1e-4)
    with pytest.raises(cr.ChainruleError, match="there is no window 99"):
        running.walk(text, window=99)
    with pytest.raises(cr.ChainruleError, match="trained on a running text"):
        running.walk([text])
    # A row of attention weights is a part of the arithmetic.
    weights = found.element("attention1.a", (0, 3, 0, 1)).operands[0]
    assert weights.axes == ("t'",) and weights.values[:4].sum() == pytest.approx(1)

    short = cr.LanguageModel(cr.Network(cr.Embedding(5, 3), cr.GRU(4, states="all"), cr.PositionwiseDense(5)),
                             epochs=1, random_state=0)  # fmt: skip
    found = short.fit(["abba", "cab", "ab", "bac"] * 4).walk(["cab"])
    assert found.values["x"].shape == (1, 4) and found.values["length"].tolist() == [4]


def test_names_say_which_layer_or_scope() -> None:
    names = walked("dense").names
    for name, written in {
        "dense1.W": "W⁽¹⁾", "dense2.W": "W⁽²⁾", "dense2.W'": "W′⁽²⁾", "penalty1.dense2.W": "W^(penalty1.dense2)",
        "adamw.β1": "β^adamw₁", "dense1.W.m'": "m′^(dense1.W)", "loss.ε": "ε^loss", "∂dense1.z": "δ⁽¹⁾",
    }.items():  # fmt: skip
        assert box_text(names.tensor(name)) == written


def test_errors_name_what_is_wrong() -> None:
    found = walked("dense")
    for asked, message in {
        "dense1.q": "no quantity dense1.q; there are dense1.",
        "dense1.z[12]": r"there is no dense1.z\[0,12\]: dense1.z has b 0…0, j 0…11",
        "dense1.z[one]": "positions are whole numbers",
        "dense1.z[1": "is no element",
        "dense1.z": "dense1.z has b 0…0, j 0…11",
    }.items():
        with pytest.raises(cr.ChainruleError, match=message):
            found.at(asked)
    assert found.at("dense1.z[4]").position == (0, 4)
    assert found.at("partial dense1.z[4]").name == "∂dense1.z[0,4]"


@pytest.mark.parametrize("name", MODELS)
def test_page_is_whole(name: str) -> None:
    made_page = walked(name).html()
    assert len(made_page.encode()) <= MOST_BYTES
    assert "<script" not in made_page and not re.search(r"(?:src|href)=\"(?!#|data:image/png)", made_page)
    names = re.findall(r' id="([^"]*)"', made_page)
    assert not [name for name, count in Counter(names).items() if count > 1]
    links = set(re.findall(r'href="#([^"]*)"', made_page))
    panels = re.findall(r'<section class="panel" id="([^"]*)"', made_page)
    assert links <= set(names) and len(panels) > 50
    assert set(panels) <= links  # each can be opened from somewhere
    assert all('alt="' in image for image in re.findall(r"<img [^>]*>", made_page))


def test_panels_are_those_that_matter() -> None:
    found = walked("dense")
    opened = chosen(found, 200)
    assert sum(map(len, opened.values())) <= 200
    assert opened["dense2.z"] == tuple((0, k) for k in range(10))
    assert opened["∂dense1.z"] == opened["dense1.z"]
    gradient = np.abs(found.values["∂dense1.W"])
    assert gradient[opened["dense1.W"][0]] > np.median(gradient)
    assert sum(map(len, chosen(found, 5).values())) == 5


def test_of_an_element() -> None:
    found = walked("lstm")
    name = next(q.name for q in found.quantities if q.name in found.recurrent and q.name.endswith(".c"))
    element = found.element(name, (0, 2, 1))
    assert box_text(found.names.axis(str(element.recurs))) == "t" and "step t = 2" in element.text()
    assert "Feeds" in element.html() and element._repr_html_().startswith("<div")
    assert {place.position[1] for place in element.reads if place.tensor == name} <= {1, 3}


def test_in_a_notebook_it_has_a_frame_of_its_own() -> None:
    frame = walked("regression")._repr_html_()
    assert frame.endswith("</iframe>") and "&lt;base href=" in frame and "color-scheme: dark" in frame


def test_text_and_paper(golden) -> None:
    network = cr.Network(cr.Dense(3), cr.Sigmoid(), cr.Dense(2))
    step = assemble(network, cr.CrossEntropyCost(), cr.SGD(0.5), Reading.of({"i": 2}), regularizers=(cr.L2(0.1),))
    shapes = {tensor.name: [{"i": 2, "j": 3, "k": 2}[axis] for axis in tensor.axes] for tensor in step.parameters}
    values = {name: np.sin(1 + np.arange(np.prod(shape))).reshape(shape) for name, shape in shapes.items()}
    found = walk(step, {**values, "x": [[1.0, -2.0]], "y": [[1.0, 0.0]]}, rate=0.5)
    golden.check("walk/dense.txt", found.text(100) + found.at("dense1.z[1]").text(100))
    golden.check("walk/dense.tex", paper.fragment(found.document))


def test_a_large_logit_is_worked_out() -> None:
    system = cr.parse("data s[k]\nL = logsumexp[k](s[k])")
    for values in ([1000.0, 998.0, 3.0], [-1000.0, -1001.0, -1003.0]):
        done = worked(system, evaluate(system, {"s": values}), "L")
        assert done.printed()[2] == pytest.approx(done.value, rel=1e-3) and np.isfinite(done.printed()[2])
