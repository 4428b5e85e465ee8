"""Convolution, pooling and reshaping: equations, first values, rows of different lengths, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal

from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.initializers import Constant
from chainrule.layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Branch,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    MaxPool1D,
    MaxPool2D,
    Network,
    Reshape,
    SeparableConv2D,
    UpSample1D,
    UpSample2D,
    fans,
    initialization,
)
from chainrule.layers.composition import Reading


def test_equations_of_a_small_network() -> None:
    network = Network(Conv2D(8, 3, stride=2, padding=1), MaxPool2D(2), Dense(10))
    assert str(network.composed({"h": 28, "w": 28}).system) == "\n".join(
        [
            "axis b",
            "axis h = 28",
            "axis w = 28",
            "axis u = 3",
            "axis v = 3",
            "axis h1 = (size(h) - 1)//2 + 1",
            "axis w1 = (size(w) - 1)//2 + 1",
            "axis c = 8",
            "axis u1 = 2",
            "axis v1 = 2",
            "axis h2 = (size(h1) - 2)//2 + 1",
            "axis w2 = (size(w1) - 2)//2 + 1",
            "axis j = 10",
            "data x[b,h,w]",
            "parameter conv2d1.W[u,v,c]",
            "parameter conv2d1.β[c]",
            "parameter dense1.W[h2,w2,c,j]",
            "parameter dense1.β[j]",
            "conv2d1.z[b,h1,w1,c] = sum[u,v](x[b,2*h1 + u - 1,2*w1 + v - 1]*conv2d1.W[u,v,c]) + conv2d1.β[c]",
            "maxpool2d1.m[b,h2,w2,c] = max[u1,v1](conv2d1.z[b,2*h2 + u1,2*w2 + v1,c])",
            "dense1.z[b,j] = sum[h2,w2,c](maxpool2d1.m[b,h2,w2,c]*dense1.W[h2,w2,c,j]) + dense1.β[j]",
        ]
    )


@pytest.mark.parametrize(
    ("layer", "sizes", "fan_in", "fan_out"),
    [
        (Conv1D(5, 3), {"t": 9, "c": 2}, 6, 15),
        (Conv2D(5, (3, 2)), {"h": 9, "w": 9, "c": 4}, 24, 30),
        (Conv2D(5, 3), {"h": 9, "w": 9}, 9, 45),
        (Conv2D(6, 3, groups=2), {"h": 9, "w": 9, "c": 4}, 18, 27),
        (DepthwiseConv2D(3), {"h": 9, "w": 9, "c": 4}, 9, 9),
        (DepthwiseConv2D(3, multiplier=2), {"h": 9, "w": 9, "c": 4}, 9, 18),
        (ConvTranspose2D(5, 3), {"h": 9, "w": 9, "c": 4}, 36, 45),
        (ConvTranspose2D(5, 2, stride=2), {"h": 9, "w": 9, "c": 4}, 4, 20),
    ],
    ids=repr,
)
def test_fans(layer: Layer, sizes: dict[str, int], fan_in: int, fan_out: int) -> None:
    """How many products are summed into an output; how many outputs an input reaches."""
    made = Network(layer).composed(sizes)
    weights = next(tensor.name for tensor in made.system.parameters if tensor.name.endswith("W"))
    start = evaluate(initialization(made.system, made.initializers), {}, seed=0)
    length = dict(zip(made.system.tensor_axes[weights], start[weights].shape, strict=True))
    seen = fans(made.system, weights)
    assert np.prod([length[axis] for axis in seen.summed]) == fan_in
    assert np.prod([length[axis] for axis in seen.spread]) == fan_out
    assert np.abs(start[weights]).max() <= np.sqrt(6 / (fan_in + fan_out))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [4, 5, 6])
def test_same_padding(length: int, kernel: int, stride: int) -> None:
    """⌈length/stride⌉ outputs; the padding is what they need, the greater half behind the end."""
    x = normal(1, length)
    made = Network(Conv1D(1, kernel, stride, padding="same", weights=Constant(1.0))).composed({"t": length})
    W = normal(kernel, seed=1)
    found = evaluate(made.system, {"x": x, "conv1d1.W": W[:, None], "conv1d1.β": [0.0]})["conv1d1.z"][0, :, 0]
    count = -(-length // stride)
    more = max(0, (count - 1) * stride + kernel - length)
    padded = np.pad(x[0], (more // 2, more - more // 2))
    np.testing.assert_allclose(found, [padded[p * stride : p * stride + kernel] @ W for p in range(count)], atol=1e-12)


def test_an_axis_whose_size_is_not_known_yet() -> None:
    """The padding is an expression in its size then."""
    x = normal(2, 7, 3)
    for stride in (2, 4):
        layer = Conv1D(2, 3, stride=stride, padding="same")
        known, unknown = (Network(layer).composed({"t": size, "c": 3}) for size in (7, None))
        values = {"x": x, "conv1d1.W": normal(3, 3, 2), "conv1d1.β": normal(2)}
        found, expected = (evaluate(made.system, values)["conv1d1.z"] for made in (unknown, known))
        np.testing.assert_allclose(found, expected)


def test_same_transposed_is_stride_times_as_long() -> None:
    for kernel in (1, 2, 3, 4, 5):
        made = Network(ConvTranspose1D(2, kernel, stride=3, padding="same")).composed({"t": 4})
        values = {"x": normal(2, 4), "convtranspose1d1.W": normal(kernel, 2), "convtranspose1d1.β": normal(2)}
        assert evaluate(made.system, values)["convtranspose1d1.z"].shape == (2, 12, 2)


def test_padding_is_never_the_greatest() -> None:
    x = -1 - np.abs(normal(2, 5, 4))
    for layer in (MaxPool2D(3, padding=1), MaxPool2D(2, padding="same"), AdaptiveMaxPool((2, 2)), GlobalMaxPool()):
        made = Network(layer).composed({"h": 5, "w": 4, "c": 1})
        found = evaluate(made.system, {"x": x[..., None]})[made.output.name]
        assert (found < 0).all() and np.isfinite(found).all()


# rows of different lengths

SEQUENCES: list[Layer] = [
    Conv1D(2, 3),
    Conv1D(2, 3, padding="same"),
    Conv1D(2, 3, stride=2, padding=((2, 0),), dilation=2),
    ConvTranspose1D(2, 3, stride=2),
    MaxPool1D(2),
    MaxPool1D(3, stride=2, padding=1),
    AvgPool1D(3, stride=2, padding=1),
    AvgPool1D(2, stride=1, padding="same"),
    UpSample1D(2),
    GroupNorm(1),
    InstanceNorm(),
]
POOLS: list[Layer] = [GlobalMaxPool(), GlobalAvgPool(), AdaptiveAvgPool(2), AdaptiveMaxPool(3)]


@pytest.mark.parametrize("pool", POOLS, ids=repr)
@pytest.mark.parametrize("layer", SEQUENCES, ids=repr)
def test_what_is_behind_a_row_does_not_matter(layer: Layer, pool: Layer) -> None:
    """A row beside longer ones has the output that it has alone, whatever stands behind its end."""
    under, x = Reading.of({"t": None, "c": 2}, length="t").compose()
    ragged = under.composed(Network(layer, Conv1D(3, 2, padding=1), pool).compose(under, x))
    alone = Network(layer, Conv1D(3, 2, padding=1), pool).composed({"t": None, "c": 2})
    values = {
        tensor.name: normal(*value.shape, seed=3)
        for tensor in alone.system.parameters
        for value in [evaluate(initialization(alone.system, alone.initializers), {})[tensor.name]]
    }
    data = normal(3, 8, 2, seed=4)
    data[1, 5:], data[2, 4:] = 1e3, -1e3
    lengths = np.array([8, 5, 4])
    found = evaluate(ragged.system, {**values, "x": data, "length": lengths})[ragged.output.name]
    for row, length in enumerate(lengths):
        expected = evaluate(alone.system, {**values, "x": data[row : row + 1, :length]})[alone.output.name]
        np.testing.assert_allclose(found[row], expected[0], rtol=1e-9, atol=1e-9)


def test_rows_too_short_for_a_window_are_zero() -> None:
    under, x = Reading.of({"t": None, "c": 1}, length="t").compose()
    layers = Network(Conv1D(2, 3), MaxPool1D(2), Branch(GlobalMaxPool(), GlobalAvgPool()))
    made = under.composed(layers.compose(under, x))
    values = {"x": np.ones((2, 6, 1)), "length": [6, 2], "conv1d1.W": np.ones((3, 1, 2)), "conv1d1.β": np.ones(2)}
    np.testing.assert_array_equal(evaluate(made.system, values)[made.output.name], [[4] * 4, [0] * 4])


# what is refused


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv2D(0, 3), "Conv2D: filters must be a whole number of at least 1, not 0"),
        (lambda: Conv2D(4, (3, 3, 3)), r"Conv2D: kernel is one number or 2, one for each axis, not \(3, 3, 3\)"),
        (lambda: Conv2D(4, 3, stride=0), "Conv2D: stride must be a whole number of at least 1, not 0"),
        (lambda: Conv2D(4, 3, padding="full"), "Conv2D: padding is 'valid', 'same', a whole number"),
        (lambda: Conv2D(4, 3, padding=(1, -1)), r"Conv2D: padding is 'valid', 'same'.*not \(1, -1\)"),
        (lambda: Conv2D(4, 3, groups=3), "Conv2D: 4 filters cannot be divided into 3 groups"),
        (lambda: Conv1D(4, 3, weights=1), "Conv1D: weights must be one of the initializers"),
        (lambda: SeparableConv2D(4, "3"), "SeparableConv2D: kernel must be a whole number"),
        (lambda: ConvTranspose2D(4, 3, output_padding=1), "output_padding must be below the stride 1"),
        (lambda: MaxPool2D(2, padding=2), "MaxPool2D: padding must be below the window of 2"),
        (lambda: MaxPool2D(0), "MaxPool2D: window must be a whole number of at least 1, not 0"),
        (lambda: AdaptiveAvgPool((2, 0)), "AdaptiveAvgPool: size must be a whole number of at least 1, not 0"),
        (lambda: UpSample2D(1.5), "UpSample2D: factor must be a whole number of at least 1, not 1.5"),
        (lambda: Reshape(()), "Reshape: shape must name at least one size"),
        (lambda: GroupNorm(0), "GroupNorm: groups must be a whole number of at least 1, not 0"),
        (lambda: BatchNorm(scale=1), "BatchNorm: scale must be one of the initializers"),
        (lambda: BatchNorm(momentum=2), "BatchNorm: momentum must be a number at least 0 and at most 1, not 2"),
    ],
)
def test_arguments_are_checked(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        make()


@pytest.mark.parametrize(
    ("layers", "sizes", "words"),
    [
        (Conv2D(4, 3), {"i": 5}, r"conv2d1: Conv2D reads x\[b,h,w,c\] or, with one channel, x\[b,h,w\]; .* x\[b,i\]"),
        (Conv2D(4, 3), {"d": 3, "h": 3, "w": 3, "c": 2}, r"conv2d1: Conv2D reads .* it is given x\[b,d,h,w,c\]"),
        (Conv2D(4, 5), {"h": 8, "w": 3}, "a window that reaches over 5 positions is larger than axis w, which has 3"),
        (Conv2D(4, 3, dilation=3, padding=1), {"h": 9, "w": 4}, "over 7 .* axis w, which has 4 and 2 of padding"),
        (Network(Conv2D(4, 3), MaxPool2D(4)), {"h": 9, "w": 5}, "maxpool2d1: .* over 4 .* axis w1, which has 3"),
        (Conv2D(4, 3, groups=2), {"h": 9, "w": 9, "c": 3}, "conv2d1: 3 channels of .* cannot be divided into 2 groups"),
        (Conv2D(4, 3, groups=2), {"h": 9, "w": 9}, "conv2d1: 1 channels of .* cannot be divided into 2 groups"),
        (DepthwiseConv2D(3), {"h": 9, "w": 9}, r"DepthwiseConv2D reads x\[b,h,w,c\]; it is given x\[b,h,w\]"),
        (ConvTranspose2D(4, 2, padding=3), {"h": 2, "w": 9}, "padding 3 leaves no output along axis h"),
        (AvgPool2D(2), {"i": 9}, r"avgpool2d1: AvgPool2D reads x\[b,h,w,…\]; it is given x\[b,i\]"),
        (AdaptiveAvgPool((2, 2)), {"i": 9}, r"AdaptiveAvgPool\(\(2, 2\)\) reads x\[b,h,w,…\]; it is given x\[b,i\]"),
        (UpSample2D(2), {"i": 9}, r"UpSample2D reads x\[b,h,w,…\]; it is given x\[b,i\]"),
        (GroupNorm(2), {"h": 2, "c": 3}, "groupnorm1: 3 channels of .* cannot be divided into 2 groups"),
        (InstanceNorm(), {"i": 3}, r"InstanceNorm reads x\[b,…,c\] with at least one axis between"),
        (Reshape((2, 3)), {"h": 2, "w": 4}, r"reshape1: a row of x\[b,h,w\] has 8 numbers, which is not \(2, 3\)"),
        (Flatten(), {"t": None, "c": 2}, "flatten1: the size of axis t of .* is known only with the data"),
    ],
)
def test_inputs_are_checked(layers: Layer, sizes: dict[str, int | None], words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        Network(layers).composed(sizes)


def test_same_padding_with_a_stride_is_refused_for_rows_of_different_lengths() -> None:
    under, x = Reading.of({"t": None, "c": 2}, length="t").compose()
    with pytest.raises(ChainruleError, match="conv1d1: rows differ in length along t"):
        Conv1D(2, 3, stride=2, padding="same").compose(under, x)
