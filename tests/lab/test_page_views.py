"""What the lab draws, from arrays alone: cells and the elements they show, scales, text made harmless."""

from __future__ import annotations

import base64
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.lab.layer_text import (
    as_lines,
    dropout_of,
    first_number,
    from_lines,
    layers_in,
    with_dropout,
    with_number,
    with_outputs,
)
from chainrule.lab.views import comparison, distributions, element, heat, regions, step
from chainrule.notation import curves, markup
from chainrule.walk import Walk

SHAPES = {
    ("b", "j"): (4, 5),
    ("j",): (7,),
    (): (),
    ("b", "h", "w"): (2, 3, 4),
    ("b", "h1", "w1", "c"): (2, 3, 3, 4),
    ("h", "w", "c", "j"): (3, 3, 2, 5),
    ("u", "v", "c"): (3, 3, 4),
    ("b", "t", "k"): (2, 6, 3),
    ("b", "h", "q", "k"): (2, 3, 4, 4),
}


def pixels(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


@pytest.mark.parametrize("axes", SHAPES, ids=lambda axes: ",".join(axes) or "scalar")
@pytest.mark.parametrize("row", [0, 1, None])
def test_a_cell_shows_the_element_that_it_is_said_to_show(axes: tuple[str, ...], row: int | None) -> None:
    shape = SHAPES[axes]
    value = np.arange(int(np.prod(shape)), dtype=float).reshape(shape)
    laid = heat.tiling(axes, shape, row)
    surface = laid.surface(value)
    found = set()
    for cell in itertools.product(*map(range, surface.shape)):
        position = laid.position(*cell)
        if np.isnan(surface[cell]):
            assert position is None
            continue
        assert position is not None
        assert value[position] == surface[cell]
        assert laid.cell(position) == cell
        found.add(position)
    only = row if row is not None else 0
    whole = row is None and len(axes) <= 2
    wanted = [at for at in np.ndindex(*shape) if whole or "b" not in axes or at[axes.index("b")] == only]
    assert found == set(wanted)


def test_an_image_is_a_tile_and_its_channels_are_tiles_side_by_side() -> None:
    laid = heat.tiling(("b", "h1", "w1", "c"), (2, 6, 5, 4))
    assert (laid.rows, laid.columns, laid.count) == (6, 5, 4)
    assert heat.tiling(("b", "t", "k"), (2, 6, 3)).rows == 6


def test_hue_is_the_sign_and_opacity_the_size() -> None:
    drawn = pixels(heat.picture(np.array([[-2.0, 0.0, 0.5, np.nan]]), 2.0))[0]
    assert tuple(drawn[0]) == (*heat.NEGATIVE, 255)
    assert drawn[1, 3] == 0
    assert tuple(drawn[2]) == (*heat.POSITIVE, 128)
    assert tuple(drawn[3]) == heat.BETWEEN


def test_of_a_large_matrix_each_cell_stands_for_the_largest_of_a_block() -> None:
    value = np.zeros((500, 300))
    value[499, 299], value[10, 7] = -3.0, 2.0
    shown, block = heat.blocks(value)
    assert block == 3
    assert max(shown.shape) <= heat.MOST_CELLS
    assert shown[166, 99] == -3
    assert heat.element_at(("i", "j"), value, None, (166, 99), block) == (499, 299)
    assert heat.element_at(("i", "j"), value, None, (3, 2), block) == (10, 7)
    assert heat.element_at(("i", "j"), value, None, (900, 0), block) is None


def test_values_that_are_not_finite_are_drawn_and_counted() -> None:
    value = np.array([1.0, np.inf, np.nan, 0.0])
    assert "largest 1" in heat.heat("a", ("j",), value)
    assert "2 numbers not finite" in distributions.histogram("a", value)
    assert "no finite numbers" in distributions.histogram("a", np.array([np.nan]))


def test_the_numbers_below_a_row_are_short() -> None:
    drawn = heat.heat("β", ("j",), np.array([np.float32(0.001) * 0.99999, -0.0005]))
    assert re.findall(r"<span>([^<]*)</span>", drawn) == ["1", "−0.5"]
    assert "in units of 0.001" in drawn


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.123456, "0.1235"),
        (-2.0, "−2"),
        (1e-7, "1·10⁻⁷"),
        (float("nan"), "NaN"),
        (-float("inf"), "−∞"),
        (1234567.0, "1.235·10⁶"),
    ],
)
def test_numbers_are_written_as_in_mathematics(value: float, written: str) -> None:
    assert markup.number(value) == written


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 7.9), (1e-5, 2e-5), (0.0, 12345.0)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = curves.ticks(low, high)
    assert 2 <= len(found) <= 6
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)


def test_curves_leave_out_what_cannot_be_drawn_and_thin_what_is_long() -> None:
    assert "nothing measured yet" in curves.curves("Loss", [curves.Curve("training", [], [])])
    line = curves.Curve("training", range(5000), [np.nan, *np.linspace(9, 1, 4999)])
    drawn = curves.curves("Loss", [line])
    assert drawn.count(",") < 2 * curves.MOST_POINTS
    assert "nan" not in drawn
    falling = curves.curves("Gradient", [curves.Curve("a", [0, 1, 2], [1e-6, 0.0, 1e3])], logarithmic=True)
    assert "10" in falling


def test_regions_mix_colours_by_what_is_predicted() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    where = regions.grid(*regions.ranges(points), cells=4)
    assert where[0, 0] < where[1, 0]
    assert where[0, 1] > where[-1, 1]
    shares = np.stack([where[:, 0] < 0.5, where[:, 0] >= 0.5], axis=1).astype(float)
    drawn = regions.regions(shares, points, np.array([0, 1]), ["<b>", "B"], ("x₁", "x₂"))
    surface = pixels(re.search(r'href="([^"]+)"', drawn)[1])  # type: ignore[index]
    assert tuple(surface[0, 0, :3]) == regions.PALETTE[0]
    assert tuple(surface[0, 3, :3]) == regions.PALETTE[1]
    assert "<b>" not in drawn


def test_what_a_user_named_is_made_harmless() -> None:
    evil = "<img src=x onerror=alert(1)>\"'"
    drawn = [
        heat.heat(evil, ("j",), np.ones(3)),
        distributions.histogram(evil, np.ones(3)),
        distributions.gradient_sizes({evil: 1.0}, {}),
        curves.curves(evil, [curves.Curve(evil, [0, 1], [1, 2])]),
        comparison.differences({evil: evil}, {}),
        markup.note(evil),
    ]
    assert not any("<img src=x" in one or evil in one for one in drawn)


def small_walk() -> Walk:
    X, y = np.random.default_rng(0).normal(size=(12, 3)), np.tile([0, 1], 6)
    model = cr.Classifier(cr.Network(cr.Dense(2), cr.Tanh(), cr.Dense(2)), epochs=1, random_state=0, backend="numpy")
    return model.fit(X, y).walk(X[:4], y[:4])


def test_a_step_shows_the_values_of_the_stages_that_are_done_and_no_others() -> None:
    walk = small_walk()
    parts = [step.step(walk, step.Shown(done)) for done in range(4)]
    for done, part in enumerate(parts):
        sections = re.split(r'(?=<section class="phase)', part)[2:]
        assert len(sections) == len(step.STAGES)
        for number, section in enumerate(sections):
            assert ('class="heat"' in section) == (number < done)
            assert section.startswith('<section class="phase latest"') == (number == done - 1)
    for quantity in walk.quantities:
        if quantity.role != "state" and quantity.axes:
            assert f'data-tensor="{markup.text(quantity.name)}"' in parts[3]


def test_an_element_shows_its_arithmetic_and_where_it_leads() -> None:
    walk = small_walk()
    drawn = element.panel(walk, walk.at("dense1.z[1,0]"))
    assert markup.number(float(walk["dense1.z"].value[1, 0]), 6) in drawn
    for place in ("x[1,2]", "dense1.W[2,0]", "tanh1.a[1,0]", "∂dense1.z[1,0]"):
        assert f'data-at="{place}"' in drawn
    weight = element.panel(walk, walk.at("dense1.W[2,0]"))
    assert "feeds 4 elements of dense1.z" in weight
    assert 'data-at="∂dense1.W[2,0]"' in weight
    assert "dense1.W&#x27;[2,0]" in weight


@pytest.mark.parametrize(
    "network",
    ["Dense(30), Sigmoid(), Dense(10)", "Residual(Dense(4), ReLU()), Dense(2)", "lenet5", "", "Dense(3,"],
)
def test_layers_become_lines_and_come_back(network: str) -> None:
    assert from_lines(as_lines(network)) == network.rstrip(",")


def test_lines_may_end_with_commas_and_go_on_inside_parentheses() -> None:
    assert (
        from_lines("Dense(3),\n\nResidual(Dense(3),\n  ReLU())\nDense(2)")
        == "Dense(3), Residual(Dense(3), ReLU()), Dense(2)"
    )


def test_dropout_is_put_before_dense_layers_and_taken_out() -> None:
    network = "Dense(30), Sigmoid(), Dense(10)"
    dropped = with_dropout(network, 0.25)
    assert layers_in(dropped) == ("Dense(30)", "Sigmoid()", "Dropout(0.25)", "Dense(10)")
    assert dropout_of(dropped) == 0.25
    assert with_dropout(dropped, 0) == network
    assert with_dropout("Dense(3, ", 0.5) == "Dense(3,"


def test_the_last_layer_gets_as_many_units_as_there_are_classes() -> None:
    assert with_outputs("Dense(30), Sigmoid(), Dense(10)", 3) == "Dense(30), Sigmoid(), Dense(3)"
    assert with_outputs("Dense(30), Softmax()", 3) == "Dense(30), Softmax()"
    assert with_outputs("", 3) == ""


@pytest.mark.parametrize(
    ("call", "changed"),
    [
        ("Adam", "Adam(0.5)"),
        ("Adam()", "Adam(0.5)"),
        ("Adam(0.001, beta1=0.8)", "Adam(0.5, beta1=0.8)"),
        ("Adam(learning_rate=0.1)", "Adam(learning_rate=0.5)"),
        ("Adam(beta1=0.8)", "Adam(0.5, beta1=0.8)"),
    ],
)
def test_the_rate_of_an_optimizer_is_changed_where_it_stands(call: str, changed: str) -> None:
    assert with_number(call, "learning_rate", 0.5) == changed
    assert first_number(changed, "learning_rate") == 0.5


def test_the_strength_of_a_penalty_is_a_keyword() -> None:
    assert with_number("L2()", "strength", 0.001, positional=False) == "L2(strength=0.001)"
    assert with_number("L2('*.W', strength=0.1)", "strength", 0.001, positional=False) == "L2('*.W', strength=0.001)"
