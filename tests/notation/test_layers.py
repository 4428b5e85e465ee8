"""What is shown of every layer of the catalogue is true: its forms, and those of its derivatives, have its values."""

from __future__ import annotations

import pytest
from tests.contracts.catalogue import items, normal, reading, with_cost
from tests.contracts.test_layers import composed, given

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import System
from chainrule.layers import Conv1D, Conv2D, Layer
from chainrule.layers.composition import Reading
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_forms import Correlation, subforms
from notation.test_matrix import compared

WINDOWS = {
    "stride": (Conv2D(3, 3, stride=(2, 1), padding="same"), {"h": 6, "w": 5, "c": 2}),
    "dilation": (Conv2D(3, 2, dilation=2, padding=1), {"h": 6, "w": 5, "c": 2}),
    "both": (Conv1D(3, 3, stride=2, dilation=3, padding=2), {"t": 9, "c": 2}),
    "groups": (Conv1D(4, 3, groups=2, padding="same"), {"t": 6, "c": 4}),
}


def derived(layer: Layer, read: Reading) -> System:
    """The layer with its derivatives, each form of which is compared with the evaluator."""
    made = composed(layer, read)
    values = given(made, read)
    values["weigh"] = normal(*evaluate(made.system, values)[made.output.name].shape, seed=2)
    system = with_cost(made.system, made.output.name)
    wrt = [*(["x"] if read.role == "data" else []), *(tensor.name for tensor in made.system.parameters)]
    found = derive(system, "C", wrt).system
    compared(found, values)
    return found


@pytest.mark.parametrize("layer", items(Layer), ids=lambda layer: type(layer).__name__)
def test_forms_of_every_layer(layer: Layer) -> None:
    derived(layer, reading(layer))


@pytest.mark.parametrize("name", WINDOWS)
def test_forms_of_windows(name: str) -> None:
    layer, sizes = WINDOWS[name]
    found = derived(layer, Reading.of(sizes))
    forms = {equation.name: matrix_form(equation, found) for equation in found.equations}
    slid = {n for n, form in forms.items() if form and any(isinstance(f, Correlation) for f in subforms(form.right))}
    convolved = {"conv1d1.y", "∂conv1d1.s"} if name == "groups" else {"conv2d1.z", "conv1d1.z", "∂x"} & set(forms)
    weights = {f"∂{tensor.name}" for tensor in found.parameters if tensor.name.endswith(".W")}
    assert weights and convolved | weights <= slid
