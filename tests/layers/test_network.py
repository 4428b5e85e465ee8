"""Networks: composition, names, axes, branches, the user's own equations, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.contracts.catalogue import normal

from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from chainrule.initializers import Constant, GlorotUniform, Normal, Zeros
from chainrule.layers import (
    Branch,
    Conv1D,
    Dense,
    Dropout,
    Equations,
    GlobalMaxPool,
    Identity,
    Layer,
    LayerNorm,
    MaxPool1D,
    MultiHeadAttention,
    Network,
    PositionwiseDense,
    ReLU,
    Residual,
    Sigmoid,
    Softmax,
    Sum,
    Tanh,
)
from chainrule.layers.composition import Reading


def test_the_equations_of_a_dense_network() -> None:
    made = Network(Dense(30), Sigmoid(), Dense(10), Softmax()).composed({"i": 784})
    assert str(made.system) == "\n".join(
        [
            "axis b",
            "axis i = 784",
            "axis j = 30",
            "axis k = 10",
            "data x[b,i]",
            "parameter dense1.W[i,j]",
            "parameter dense1.β[j]",
            "parameter dense2.W[j,k]",
            "parameter dense2.β[k]",
            "dense1.z[b,j] = sum[i](x[b,i]*dense1.W[i,j]) + dense1.β[j]",
            "sigmoid1.a[b,j] = sigmoid(dense1.z[b,j])",
            "dense2.z[b,k] = sum[j](sigmoid1.a[b,j]*dense2.W[j,k]) + dense2.β[k]",
            "softmax1.a[b,k] = exp(dense2.z[b,k] - logsumexp[k'](dense2.z[b,k']))",
        ]
    )
    assert parse(str(made.system)) == made.system
    assert made.output.name == "softmax1.a" and made.output.axes == ("b", "k")
    assert made.initializers == {
        "dense1.W": GlorotUniform(),
        "dense1.β": Zeros(),
        "dense2.W": GlorotUniform(),
        "dense2.β": Zeros(),
    }


def test_dense_sums_over_every_feature_axis_and_makes_several() -> None:
    made = Network(Dense((4, 2))).composed({"c": 3, "h": 5, "w": 6})
    assert str(made.system.equations[0]).startswith("dense1.z[b,j,k] = sum[c,h,w](x[b,c,h,w]*dense1.W[c,h,w,j,k])")


def test_deep_networks_keep_finding_axes() -> None:
    made = Network(*(Dense(3) for _ in range(40))).composed({"i": 3})
    assert len({tensor.axes for tensor in made.system.parameters if tensor.name.endswith("β")}) == 40
    x = normal(2, 3)
    values = {"x": x} | {t.name: np.eye(3) if t.name.endswith("W") else np.zeros(3) for t in made.system.parameters}
    np.testing.assert_allclose(evaluate(made.system, values)[made.output.name], x)


def test_branches_stand_side_by_side() -> None:
    network = Network(Branch(Identity(), "a[b,i] = 2*x[b,i]", Dense(2, weights=Constant(0.0), biases=Constant(7.0))))
    made = network.composed({"i": 3})
    x = normal(4, 3)
    values = {"x": x, "dense1.W": np.zeros((3, 2)), "dense1.β": np.full(2, 7.0)}
    found = evaluate(made.system, values)[made.output.name]
    np.testing.assert_allclose(found, np.concatenate([x, 2 * x, np.full((4, 2), 7.0)], axis=1))


def test_sums_and_residuals() -> None:
    x = normal(4, 3)
    square = "a[b,i] = x[b,i]^2"
    for network in (Network(Sum(Identity(), square)), Network(Residual(square))):
        made = network.composed({"i": 3})
        np.testing.assert_allclose(evaluate(made.system, {"x": x})[made.output.name], x + x**2)


def test_a_text_or_a_function_is_a_layer() -> None:
    def cube(axes: tuple[str, ...]) -> str:
        return f"a[{','.join(axes)}] = x[{','.join(axes)}]^3"

    made = Network(cube, "axis j = 5\ndata x[b,i]\nparameter V[i,j]\nh[b,j] = sum[i](x[b,i]*V[i,j])\na[b,j] = h[b,j]^2")
    composed = made.composed({"i": 2})
    assert [tensor.name for tensor in composed.system.parameters] == ["equations2.V"]
    assert composed.initializers["equations2.V"] == GlorotUniform()
    chosen = Equations("data x[b,i]\nparameter g[i]\na[b,i] = g[i]*x[b,i]", {"g": Normal()})
    assert Network(chosen).composed({"i": 2}).initializers == {"equations1.g": Normal()}
    assert eval(repr(chosen)) == chosen


def test_dropout_trains_and_predicts_differently() -> None:
    network = Network(Dropout(0.25), Residual(Dropout(0.5)))
    x = np.ones((200, 50))
    made = network.composed({"i": 50})
    dropped = evaluate(made.system, {"x": x}, seed=1)["dropout1.a"]
    assert set(np.round(np.unique(dropped), 9)) == {0, round(1 / 0.75, 9)}
    assert dropped.mean() == pytest.approx(1, abs=0.03)
    assert not np.array_equal(dropped, evaluate(made.system, {"x": x}, seed=1, step=1)["dropout1.a"])
    predicting = network.predicting
    assert isinstance(predicting, Network)
    made = predicting.composed({"i": 50})
    assert not made.system.named("random")
    np.testing.assert_array_equal(evaluate(made.system, {"x": x})[made.output.name], 2 * x)


def test_refusals_are_in_the_users_words() -> None:
    for make, words in [
        (lambda: Dense(0), "Dense: units must be a whole number of at least 1, not 0"),
        (lambda: Dense(2.5), "Dense: units must be a whole number of at least 1, not 2.5"),
        (lambda: Dense(()), "Dense: units must name at least one size"),
        (lambda: Dense(3, weights=0.1), "Dense: weights must be one of the initializers"),
        (lambda: Dropout(1), "Dropout: rate must be a number at least 0 and below 1, not 1"),
        (lambda: Network(ReLU), r"Network: ReLU is a class; write ReLU\(\)"),
        (lambda: Network(3), "Network: 3 is no layer"),
        (lambda: Equations("a[b] = z[b]"), "a layer reads x"),
        (lambda: Equations("a[b] = x[b]", {"q": Zeros()}), "starts names q, which is no parameter"),
        (lambda: Network(Residual(Dense(3), Dense((1, 3)))).composed({"i": 4}), "have different axes"),
        (
            lambda: Network(Residual(Dense(3))).composed({"i": 4}),
            r"^residual1: x\[b,i\] \(i = 4\) and dense1.z\[b,j\] \(j = 3\) differ in size; .*Sum\(",
        ),
        (lambda: Network("a[b,i,j] = x[b,i,j]").composed({"i": 4}), "equations1: x"),
        (lambda: Network(Branch(Dense(3), Dense((1, 3)))).composed({"i": 4}), "branches with different axes"),
    ]:
        with pytest.raises(ChainruleError, match=words):
            make()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "layer",
    [
        Residual(Conv1D(3, 3)),
        Residual(Conv1D(3, 3, stride=2, padding=1)),
        Residual(Conv1D(5, 3, padding="same")),
        Residual(MaxPool1D(2)),
        Sum(Conv1D(3, 3), Conv1D(3, 5)),
        Branch(Conv1D(3, 3), Conv1D(4, 5)),
    ],
)
@pytest.mark.parametrize("times", [8, None])
def test_sizes_that_do_not_agree(layer: Layer, times: int | None) -> None:
    """Also where only the data say how long rows are."""
    with pytest.raises(ChainruleError, match=rf"^{layer.family}1: .* differ in size"):
        Network(layer).composed({"t": times, "c": 3})


def test_sizes_that_agree() -> None:
    conv, down = Conv1D(3, 3, padding="same"), Conv1D(4, 3, stride=2, padding=1)
    for layer in (Residual(conv), Sum(down, Conv1D(4, 1, stride=2)), Branch(down, MaxPool1D(2)), Branch(conv, conv)):
        for times in (8, None):
            Network(layer).composed({"t": times, "c": 3})
    Network(Residual(Dense(3))).composed({"i": None})  # i is 3 where the data do not say otherwise


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Dense(2),), r"^dense1: rows differ in length along axis t, so dense1.W\[t,c,j\] has no size there"),
        ((Conv1D(3, 2), Dense(2)), r"^dense1: .* axis t1.* leaves no t1: GlobalMaxPool\(\), GlobalAvgPool\(\), or"),
        ((LayerNorm(axes=2),), "^layernorm1: .* along axis t,"),
    ],
)
def test_what_is_learnt_has_no_axis_along_which_rows_differ(layers: tuple[Layer, ...], words: str) -> None:
    rows = Reading.of({"t": None, "c": 3}, length="t")
    under, x = rows.compose()
    with pytest.raises(ChainruleError, match=words):
        Network(*layers).compose(under, x)
    Network(PositionwiseDense(2), GlobalMaxPool(), Dense(2)).compose(
        *Reading.of({"t": None, "c": 3}, "data", "t").compose()
    )


def test_the_scope_is_named_once() -> None:
    with pytest.raises(ChainruleError, match=r"^attention1: x\[b,t,i\] is wanted, but x\[b,i\] is given$"):
        Network(MultiHeadAttention(2)).composed({"i": 4})


def test_tanh_layers_are_equal_values() -> None:
    assert Network(Dense(3), Tanh()) == Network(Dense(3), Tanh()) != Network(Dense(4), Tanh())
    assert len({Network(Dense(3)), Network(Dense(3))}) == 1
    assert repr(Network(Dense(3), Tanh())) == "Network(Dense(3), Tanh())"


def test_equations_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "square.eq"
    file.write_text("axis j = 3\nparameter V[i,j]\ndata x[b,i]\na[b,j] = sum[i](x[b,i]*V[i,j])^2")
    for given in (file, str(file)):
        network = Network(given, Dense(2))
        assert network == Network(Equations(file.read_text()), Dense(2))
        assert eval(repr(network)) == network  # so that a model of it can be saved
    file.write_text("data x[b,i]\na[b,j] = sum[i](x[b,i]*)")
    with pytest.raises(ChainruleError, match=r"square\.eq:2:"):
        Network(file)
    with pytest.raises(ChainruleError, match=r"nowhere\.eq: no such file"):
        Network("nowhere.eq")
