"""The curvature, from equations alone, against finite differences and against itself in other forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.probability.networks_of_curvature import (
    ATTENTION,
    CONVOLUTION,
    DENSE,
    IMAGE,
    LAYER_NORM,
    LSTM,
    SERIES,
    VECTOR,
    Example,
    example,
)

import chainrule as cr
from chainrule.calculus.curvature import kronecker, last_layer, row_gradients
from chainrule.errors import ChainruleError
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.probability.gauss_newton import Linearized, loss_curvature, root
from chainrule.training.step import assemble

STEP = 1e-5
BATCH_NORM = cr.Network(cr.Conv2D(2, 3), cr.BatchNorm(), cr.Tanh(), cr.Dense(2))
NETWORKS = pytest.mark.parametrize(
    ("layer", "sizes"),
    [
        (DENSE, VECTOR),
        (CONVOLUTION, IMAGE),
        (BATCH_NORM, IMAGE),
        (LAYER_NORM, VECTOR),
        (ATTENTION, SERIES),
        (LSTM, SERIES),
    ],
    ids=["dense", "convolution", "batch norm", "layer norm", "attention", "lstm"],
)


def difference(made: Example, name: str, at: int) -> np.ndarray:
    """How the output of each row changes with one number of a parameter, [b, k]."""
    found = []
    for step in (-STEP, STEP):
        moved = made.network.values[name].copy()
        moved.flat[at] += step
        network = replace(made.network, values={**made.network.values, name: moved})
        found.append(network.output(made.rows).reshape(len(made.rows["x"]), -1))
    return (found[1] - found[0]) / (2 * STEP)


@NETWORKS
def test_the_jacobian_of_each_row(layer: Layer, sizes: dict[str, int]) -> None:
    made = example(layer, sizes)
    jacobian = made.network.jacobian(made.rows)
    for name in made.network.names:
        flat = jacobian[name].reshape(*jacobian[name].shape[:2], -1)
        for at in {0, flat.shape[2] // 2, flat.shape[2] - 1}:
            np.testing.assert_allclose(flat[:, :, at], difference(made, name, at), rtol=1e-6, atol=1e-8)


@NETWORKS
def test_the_diagonal_is_that_of_the_whole(layer: Layer, sizes: dict[str, int]) -> None:
    made = example(layer, sizes)
    (whole,) = made.blocks("full")
    diagonal = np.concatenate([block.eigenvalues for block in made.blocks("diagonal")])
    np.testing.assert_allclose(diagonal, np.diag(whole.matrix()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "loss",
    [cr.CrossEntropy(), cr.SmoothedCrossEntropy(0.1), cr.BinaryCrossEntropy(), cr.SquaredError()],
    ids=lambda loss: type(loss).__name__,
)
def test_the_curvature_of_a_loss(loss: Loss) -> None:
    made = example(DENSE, VECTOR, loss)
    step, output = made.network.step, made.network.output(made.rows)

    def slopes(moved: np.ndarray) -> np.ndarray:
        found = []
        for k in range(2):
            ends = [loss_curvature(step, moved + s * 1e-4 * np.eye(2)[k], made.targets, "numpy")[0] for s in (-1, 1)]
            found.append((ends[1] - ends[0]) / 2e-4)
        return np.stack(found, axis=1)

    _, curvature = loss_curvature(step, output, made.targets, "numpy")
    for k in range(2):
        numeric = (slopes(output + 1e-4 * np.eye(2)[k]) - slopes(output - 1e-4 * np.eye(2)[k])) / 2e-4
        np.testing.assert_allclose(curvature[:, k], numeric, atol=1e-6)
    columns = root(curvature, (2,))
    np.testing.assert_allclose(np.einsum("obk,obl->bkl", columns, columns), curvature, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 4])
def test_kronecker_factors_of_a_linear_network_are_exact_on_one_row(rows: int) -> None:
    made = example(cr.Network(cr.Dense(3)), VECTOR, rows=rows)
    (whole,) = made.blocks("full")
    weights, biases = made.blocks("kronecker")
    count = len(weights.eigenvalues)
    np.testing.assert_allclose(biases.matrix(), whole.matrix()[count:, count:], atol=1e-12)
    exact = np.allclose(weights.matrix(), whole.matrix()[:count, :count], rtol=1e-9, atol=1e-12)
    assert exact == (rows == 1)


def test_kronecker_factors_of_a_linear_convolution_are_exact_where_it_has_one_position() -> None:
    made = example(cr.Network(cr.Conv2D(3, 6), cr.Flatten()), IMAGE, rows=1)
    (whole,), (weights, _) = made.blocks("full"), made.blocks("kronecker")
    count = len(weights.eigenvalues)
    np.testing.assert_allclose(weights.matrix(), whole.matrix()[:count, :count], atol=1e-12)


def test_the_form_of_a_gradient_gives_its_factors() -> None:
    step = assemble(ATTENTION, cr.CrossEntropy(), cr.Adam(), SERIES)
    names = tuple(tensor.name for tensor in step.prediction_system.parameters)
    rows = row_gradients(step.prediction_system, step.output.name, names)
    assert str(rows.equation("attention1.Wq")) == (
        "∂attention1.Wq[direction,b,d,h,d1] = sum[t](∂attention1.q[direction,b,t,h,d1]*x[b,t,d])"
    )
    equations, forms = kronecker(rows, 100)
    form = forms["attention1.Wq"]
    assert form is not None and not isinstance(form, str)
    assert (form.left, form.right) == ((0,), (1, 2))
    written = [str(equation) for equation in equations if equation.name == form.moments[0]]
    assert written == ["moment.attention1.Wq.left[d,d'] = sum[b,t](x[b,t,d]*x[b,t,d'])"]
    assert forms["attention1.β"] == "moment.attention1.β"


def test_a_gradient_of_another_form_has_a_diagonal() -> None:
    squared = "axis j = 2\ndata x[b,i]\nparameter W[i,j]\na[b,j] = sum[i](x[b,i]*W[i,j]^2)"
    made = example(cr.Network(squared), VECTOR)
    assert [block.kind for block in made.blocks("kronecker")] == ["whole"]
    rows = made.network.gradients
    assert kronecker(rows, 7)[1] == {made.network.names[0]: None}


def test_the_last_layer() -> None:
    step = assemble(cr.Network(cr.Dense(3), cr.Tanh(), cr.Dense(2), cr.Tanh()), cr.CrossEntropy(), cr.Adam(), VECTOR)
    assert last_layer(step.prediction_system, step.output.name) == ("dense2.W", "dense2.β")
    made = example(DENSE, VECTOR)
    last = replace(made.network, names=("dense2.W", "dense2.β"))
    (whole,) = made.blocks("full")
    (part,) = Example(last, made.rows, made.targets).blocks("last_layer")
    np.testing.assert_allclose(part.matrix(), whole.matrix()[-8:, -8:], atol=1e-12)


def test_rows_that_are_not_separate_are_refused() -> None:
    step = assemble(cr.Network(cr.Dense(3), cr.BatchNorm(), cr.Dense(2)), cr.CrossEntropy(), cr.Adam(), VECTOR)
    with pytest.raises(
        ChainruleError, match=r"batchnorm1\.μ\[j\] = sum\[b\]\(dense1\.z\[b,j\]\)/batchnorm1\.n joins them"
    ):
        row_gradients(step.cost_system, "dense2.z", ("dense1.W",))


def test_a_loss_that_is_not_convex_has_no_root() -> None:
    with pytest.raises(ChainruleError, match="not convex in the network's output"):
        root(np.array([[[1.0, 0.0], [0.0, -1.0]]]), (2,))


def test_native_code_gives_the_same() -> None:
    made = example(CONVOLUTION, IMAGE)
    native = Example(Linearized(made.network.step, made.network.values, made.network.names, "native"), made.rows, {})
    along = made.directions()
    for name, gradient in native.network.pulled(made.rows, along).items():
        np.testing.assert_allclose(gradient, made.network.pulled(made.rows, along)[name], atol=1e-12)
