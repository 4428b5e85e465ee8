"""Whole pages: a convolutional network, an LSTM that classifies, transformer blocks; sections, remarks and size."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers import (
    LSTM,
    BatchNorm,
    Conv2D,
    Embedding,
    GlobalAvgPool,
    MaxPool2D,
    MultiHeadAttention,
    TransformerBlock,
)
from chainrule.layers.composition import Reading
from chainrule.notation.compose import compose
from chainrule.notation.names import Names
from chainrule.notation.sections import alike, sections
from chainrule.notation.text import box_text, text
from chainrule.training.step import assemble
from notation.test_catalogue import check_latex

NETWORKS = {
    "convolution": (
        cr.Network(
            Conv2D(4, 3, padding="same"),
            cr.ReLU(),
            MaxPool2D(2),
            Conv2D(6, 3, stride=2),
            cr.ReLU(),
            cr.Dense(10),
        ),
        Reading.of({"h": 12, "w": 12, "c": 3}),
    ),
    "lstm": (cr.Network(Embedding(20, 8), LSTM(6), cr.Dense(2)), Reading.of({"t": 9}, "integer")),
    "transformer": (
        cr.Network(Embedding(20, 8), *[TransformerBlock(MultiHeadAttention(2, causal=True), 16)] * 2,
                   GlobalAvgPool(), cr.Dense(3)),
        Reading.of({"t": 7}, "integer"),
    ),
    "batchnorm": (cr.Network(cr.Linear(4), BatchNorm(), cr.Tanh(), cr.Dense(3)), Reading.of({"i": 5})),
}  # fmt: skip


@cache
def derivation(name: str) -> cr.Derivation:
    network, reading = NETWORKS[name]
    step = assemble(network, cr.CrossEntropy(), cr.SGD(0.1), reading)
    return cr.derive(step.cost_system, step.cost)


@pytest.mark.parametrize("name", NETWORKS)
def test_golden_page(name: str, golden) -> None:
    golden.check(f"notation/page_{name}.txt", derivation(name).text(140))


@pytest.mark.parametrize("name", NETWORKS)
def test_pages_are_bounded(name: str) -> None:
    found = derivation(name)
    assert len(found.html()) < 1_000_000
    assert max(map(len, found.text(140).splitlines())) <= 140
    check_latex(found.latex())


def test_layers_that_are_alike_are_told_once() -> None:
    shown = derivation("transformer").text(140)
    assert "Step by step as for attention2, with the tensors of attention1:" in shown
    assert "Step by step as for layernorm4, with the tensors of layernorm" in shown
    scopes = [scope for scope, _ in sections(list(derivation("convolution").adjoints))]
    assert not alike(derivation("convolution"), scopes)  # a window of stride 2 is not one of stride 1
    assert sections(["a.x", "b.y", "a.z"]) == [("", ["a.x", "b.y", "a.z"])]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("convolution", "Only the largest element of a window gets the derivative; among equal ones, the first."),
        ("convolution", "[(h₁ − 2h₂, w₁ − 2w₂) = argmax_{u₁,v₁} a⁽¹⁾_{b,2h₂+u₁,2w₂+v₁,c₁}]"),
        ("lstm", "are computed from the first t to the last: each step reads them at an earlier one"),
        ("lstm", "Backpropagation through time: ∂C/∂h⁽²⁾, ∂C/∂c⁽²⁾"),
        ("lstm", "are computed from the last t to the first: each step reads them at a later one"),
        ("lstm", "e⁽¹⁾ is a gather: x_bt says which part of E⁽¹⁾ is read."),
        ("lstm", "A scatter-add: each term of the sum is added to the element at v = x_bt"),
        ("batchnorm", "are carried to the next step; C does not read them, so no derivative goes through them."),
    ],
)
def test_said_in_words(name: str, said: str) -> None:
    shown = " ".join(derivation(name).text(1000).split())
    assert said in shown


def test_the_joint_position_of_a_maximum() -> None:
    """Brackets one axis after another, as the calculus writes them, are the bracket that is shown."""
    split = "[p = argmax[u](max[v](x[u,v]))]*[q = argmax[v](x[p,v])]"
    system = cr.parse(f"data x[u,v], s[p,q]\naxis p = size(u), q = size(v)\ny[p,q] = s[p,q]*{split}")
    shown = box_text(compose(system.equations[0].expression, Names(system)))
    assert shown == "s_pq [(p, q) = argmax_{u,v} xᵤᵥ]"
    x = np.array([[1.0, 3.0, 2.0], [3.0, 0.0, 3.0]])
    y = cr.evaluate(system, {"x": x, "s": np.ones((2, 3))})["y"]
    assert np.argwhere(y).tolist() == [list(np.unravel_index(x.argmax(), x.shape))]
    other = cr.parse(str(system).replace("x[p,v]", "x[q,v]"))
    assert text(other.equations[0].expression).count("argmax") == 2  # another row: not the joint position


def test_layers_are_numbered_where_parameters_begin_one() -> None:
    names = derivation("convolution").names
    numbers = {name: label.layer for name, label in names.labels.items() if "." in name}
    assert numbers["conv2d1.W"] == numbers["relu1.a"] == numbers["maxpool2d1.m"] == "1"
    assert numbers["conv2d2.W"] == "2" and numbers["dense1.W"] == "3"
