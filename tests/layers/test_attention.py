"""Attention and transformer blocks: against torch, masked, causal, with shared keys; rows of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal
from tests.layers.recurrent_attention import Found, Values, close, found

from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.layers import (
    Attention,
    CrossAttention,
    DecoderBlock,
    Dense,
    Dropout,
    Embedding,
    EncoderDecoder,
    FeedForward,
    LayerNorm,
    MultiHeadAttention,
    Network,
    PositionwiseDense,
    PostNormTransformerBlock,
    RotaryPositions,
    TransformerBlock,
)
from chainrule.layers.composition import Reading
from chainrule.losses import MaskedCrossEntropy
from chainrule.optimizers import SGD
from chainrule.training.step import assemble

ROWS, TIMES, FEATURES, HIDDEN, SYMBOLS = 3, 4, 6, 5, 7
LENGTHS = np.array([2, 4, 1])
READ = Reading.of({"t": None, "i": FEATURES})
RAGGED = Reading.of({"t": None, "i": FEATURES}, length="t")
X = normal(ROWS, TIMES, FEATURES, seed=7)
BEHIND = np.arange(TIMES) >= LENGTHS[:, None]


def inside_only(ragged: bool) -> Values:
    """What is given, and the weight of the output in the cost: none behind the ends of rows."""
    weigh = normal(ROWS, TIMES, FEATURES, seed=9)
    return {"x": X, "length": LENGTHS, "weigh": weigh * ~BEHIND[..., None]} if ragged else {"x": X, "weigh": weigh}


def as_torch(values: Values, attention: str = "attention1") -> Values:
    """The parameters of an attention layer (or their gradients) as torch has them."""
    own = {name.removeprefix(f"{attention}."): value for name, value in values.items() if name.startswith(attention)}
    features = own["β"].shape[0]
    projections = [np.moveaxis(own[name], 0, -1).reshape(-1, own[name].shape[0]) for name in ("Wq", "Wk", "Wv")]
    output = own["Wo"].reshape(-1, features).T
    return {"in_proj_weight": np.concatenate(projections), "out_proj.weight": output, "out_proj.bias": own["β"]}


def parts(values: Values, names: dict[str, str]) -> Values:
    """Dense layers and normalizations as torch has them; ``names``: our scope → torch's."""
    found: Values = {}
    for ours, theirs in names.items():
        if "norm" in ours:
            found[f"{theirs}.weight"] = values[f"{ours}.γ"]
        else:
            found[f"{theirs}.weight"] = values[f"{ours}.W"].T
        found[f"{theirs}.bias"] = values[f"{ours}.β"]
    return found


def load(torch: Any, module: Any, values: Values) -> dict[str, Any]:
    """Give a module its parameters, 0 where there is no value, and return them."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.tensor(values[name])) if name in values else parameter.zero_()
    return parameters


def compare(torch: Any, ours: Found, x: Any, output: Any, parameters: dict[str, Any], gradients: Values) -> None:
    """The output where it counts, and the gradients of everything."""
    weigh = torch.tensor(ours.values["weigh"])
    counts = ours.values["weigh"] != 0
    close(ours.output[counts], output.detach().numpy()[counts], "output")
    (output * weigh).sum().backward()
    if x is not None:
        close(ours.gradients["x"], x.grad, "x")
    for name, value in gradients.items():
        close(value, parameters[name].grad, name)


def causal_mask(torch: Any) -> Any:
    return torch.triu(torch.ones(TIMES, TIMES, dtype=torch.bool), diagonal=1)


@pytest.mark.peers
@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_torch_multi_head_attention(heads: int, causal: bool, ragged: bool) -> None:
    torch = pytest.importorskip("torch")
    ours = found(MultiHeadAttention(heads, causal=causal), RAGGED if ragged else READ, inside_only(ragged))
    module = torch.nn.MultiheadAttention(FEATURES, heads, batch_first=True, dtype=torch.float64)
    parameters = load(torch, module, as_torch(ours.values))
    x = torch.tensor(X, requires_grad=True)
    masks = {
        "attn_mask": causal_mask(torch) if causal else None,
        "key_padding_mask": torch.tensor(BEHIND) if ragged else None,
    }
    output, _ = module(x, x, x, need_weights=False, **masks)
    compare(torch, ours, x, output, parameters, as_torch(ours.gradients))


@pytest.mark.peers
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize(("heads", "key_heads"), [(6, 2), (3, 1)])
def test_torch_grouped_heads(heads: int, key_heads: int, causal: bool) -> None:
    torch = pytest.importorskip("torch")
    layer = MultiHeadAttention(heads, key_heads=key_heads, causal=causal)
    ours = found(layer, READ, inside_only(False))
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in ours.values.items()}
    wq, wk, wv, wo = (leaves[f"attention1.{name}"] for name in ("Wq", "Wk", "Wv", "Wo"))
    q = torch.einsum("bti,ihmd->bhmtd", leaves["x"], wq).flatten(1, 2)
    k, v = (torch.einsum("bti,ihd->bhtd", leaves["x"], w).repeat_interleave(heads // key_heads, 1) for w in (wk, wv))
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    output = torch.einsum("bhtd,hdj->btj", mixed, wo.flatten(0, 1)) + leaves["attention1.β"]
    compare(torch, ours, leaves["x"], output, leaves, {n: g for n, g in ours.gradients.items() if n != "x"})


@pytest.mark.peers
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_torch_one_head(causal: bool) -> None:
    torch = pytest.importorskip("torch")
    ours = found(Attention(5, causal=causal), READ, {"x": X})
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in ours.values.items()}
    q, k, v = (leaves["x"] @ leaves[f"attention1.{name}"] for name in ("Wq", "Wk", "Wv"))
    output = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    compare(torch, ours, leaves["x"], output, leaves, {n: g for n, g in ours.gradients.items() if n != "x"})


BLOCK = {"dense1": "linear1", "dense2": "linear2", "layernorm1": "norm1", "layernorm2": "norm2"}


def block_as_torch(values: Values) -> Values:
    attention = {f"self_attn.{name}": value for name, value in as_torch(values).items()}
    return attention | parts(values, BLOCK)


@pytest.mark.peers
@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize("kind", [TransformerBlock, PostNormTransformerBlock])
def test_torch_transformer_block(kind: Any, ragged: bool) -> None:
    torch = pytest.importorskip("torch")
    ours = found(kind(MultiHeadAttention(2), HIDDEN), RAGGED if ragged else READ, inside_only(ragged))
    module = torch.nn.TransformerEncoderLayer(
        FEATURES, 2, HIDDEN, 0.0, "gelu", batch_first=True, norm_first=kind is TransformerBlock, dtype=torch.float64
    )
    parameters = load(torch, module, block_as_torch(ours.values))
    x = torch.tensor(X, requires_grad=True)
    output = module(x, src_key_padding_mask=torch.tensor(BEHIND) if ragged else None)
    compare(torch, ours, x, output, parameters, block_as_torch(ours.gradients))


DECODER = {
    "dense1": "linear1",
    "dense2": "linear2",
    "layernorm1": "norm1",
    "layernorm2": "norm2",
    "layernorm3": "norm3",
}


def decoder_as_torch(values: Values) -> Values:
    first = {f"self_attn.{name}": value for name, value in as_torch(values, "attention1").items()}
    second = {f"multihead_attn.{name}": value for name, value in as_torch(values, "attention2").items()}
    return first | second | parts(values, DECODER)


@pytest.mark.peers
def test_torch_encoder_and_decoder() -> None:
    torch = pytest.importorskip("torch")
    block = DecoderBlock(MultiHeadAttention(2, causal=True), CrossAttention(3), HIDDEN)
    layer = EncoderDecoder(Embedding(SYMBOLS, FEATURES), Network(Embedding(SYMBOLS, FEATURES), block))
    generator = np.random.default_rng(0)
    source, target = (generator.integers(SYMBOLS, size=(ROWS, TIMES)) for _ in range(2))
    ours = found(layer, Reading.of({"t": None}, "integer", "t"), {"x": source, "t": target, "length": LENGTHS})
    module = torch.nn.TransformerDecoderLayer(
        FEATURES, 2, HIDDEN, 0.0, "gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    module.multihead_attn = torch.nn.MultiheadAttention(FEATURES, 3, batch_first=True, dtype=torch.float64)
    parameters = load(torch, module, decoder_as_torch(ours.values))
    tables = [torch.tensor(ours.values[f"embedding{n}.E"], requires_grad=True) for n in (1, 2)]
    previous = np.concatenate([np.zeros((ROWS, 1), int), target[:, :-1]], axis=1)
    output = module(
        tables[1][torch.tensor(previous)],
        tables[0][torch.tensor(source)],
        tgt_mask=causal_mask(torch),
        memory_key_padding_mask=torch.tensor(BEHIND),
    )
    compare(torch, ours, None, output, parameters, decoder_as_torch(ours.gradients))
    for n in (1, 2):
        close(ours.gradients[f"embedding{n}.E"], tables[n - 1].grad)


@pytest.mark.parametrize(
    "layer",
    [
        Attention(FEATURES),
        MultiHeadAttention(3, causal=True),
        Network(TransformerBlock(MultiHeadAttention(3, key_heads=1, positions=RotaryPositions()), HIDDEN), LayerNorm()),
    ],
    ids=["attention", "causal", "block"],
)
def test_a_padded_row_is_the_row_alone(layer: Any) -> None:
    together = found(layer, RAGGED, inside_only(True))
    names = [name for name in together.gradients if name != "x"]
    total = dict.fromkeys(names, np.zeros(()))
    for row, length in enumerate(LENGTHS):
        inside = (slice(row, row + 1), slice(length))
        alone = found(layer, READ, {"x": X[inside], "weigh": together.values["weigh"][inside]}, together.values)
        close(together.output[inside], alone.output)
        close(together.gradients["x"][row, :length], alone.gradients["x"][0])
        assert not together.gradients["x"][row, length:].any()
        total = {name: total[name] + alone.gradients[name] for name in names}
    for name in names:
        close(together.gradients[name], total[name], name)


def test_a_row_without_positions_has_numbers() -> None:
    ours = found(MultiHeadAttention(2), RAGGED, {"x": X, "length": np.array([0, 4, 2])})
    assert np.isfinite(ours.output).all() and all(np.isfinite(value).all() for value in ours.gradients.values())


def test_causal_attention_sees_nothing_later() -> None:
    layer = TransformerBlock(MultiHeadAttention(2, causal=True), HIDDEN)
    first = found(layer, READ, {"x": X})
    later = X.copy()
    later[:, 2:] += 1
    second = found(layer, READ, {"x": later}, first.values)
    np.testing.assert_array_equal(first.output[:, :2], second.output[:, :2])
    assert (first.output[:, 2:] != second.output[:, 2:]).any()


def test_rotary_scores_depend_on_distances() -> None:
    layer = MultiHeadAttention(3, positions=RotaryPositions())
    system = Network(layer).composed({"t": None, "i": FEATURES}).system
    values = found(layer, READ, {"x": X}).values
    given = {tensor.name: values[tensor.name] for tensor in system.parameters}
    later = np.concatenate([np.zeros((ROWS, 2, FEATURES)), X], axis=1)
    scores, shifted = (evaluate(system, {"x": x, **given})["attention1.e"] for x in (X, later))
    close(shifted[:, :, 2:, 2:], scores)


def test_dropout_of_weights_and_of_what_is_added() -> None:
    block = TransformerBlock(MultiHeadAttention(2, dropout=0.5), HIDDEN, dropout=0.25, activation=Dropout(0.1))
    made = Network(block).composed({"t": 3, "i": 4})
    random = {tensor.name: len(tensor.axes) for tensor in made.system.named("random")}
    assert random == {"dropout1.r": 4, "dropout2.r": 3, "dropout3.r": 3, "dropout4.r": 3}
    assert not Network(block.predicting).composed({"t": 3, "i": 4}).system.named("random")


def test_a_decoder_learns_from_the_targets_before() -> None:
    decoder = Network(Embedding(4, 3), CrossAttention(1), PositionwiseDense(4))
    layer = EncoderDecoder(Embedding(5, 3), decoder)
    step = assemble(layer, MaskedCrossEntropy(), SGD(0.1), Reading.of({"t": None}, "integer", "t"))
    assert {tensor.name for tensor in step.inputs} == {"x", "length", "t"}
    assert str(step.cost_system.by_name["decoder1.y"]) == "decoder1.y[b,t1] = t[b,t1 - 1]"


def test_refusals() -> None:
    read = {"t": 3, "i": 4}
    for make, words in [
        (lambda: Attention(0), "Attention: units must be a whole number of at least 1, not 0"),
        (lambda: Attention(2, causal=1), "Attention: causal must be True or False, not 1"),  # type: ignore[arg-type]
        (lambda: MultiHeadAttention(4, key_heads=3), "key_heads must divide heads; 3 does not divide 4"),
        (lambda: MultiHeadAttention(4, dropout=1), "MultiHeadAttention: dropout must be a number"),
        (lambda: MultiHeadAttention(4, positions=True), "positions must be RotaryPositions"),  # type: ignore[arg-type]
        (lambda: MultiHeadAttention(4, positions=RotaryPositions), r"write positions=RotaryPositions\(\)"),  # type: ignore[arg-type]
        (lambda: Network(MultiHeadAttention(3)).composed(read), r"3 heads do not divide the 4 features of x\[b,t,i\]"),
        (lambda: Network(MultiHeadAttention(3)).composed({"t": 3, "i": None}), "size of axis i .* must be known"),
        (lambda: Network(MultiHeadAttention(2)).composed({"i": 4}), r"attention1: x\[b,t,i\] is wanted"),
        (lambda: Network(MultiHeadAttention(4, positions=RotaryPositions())).composed(read), "pairs along d"),
        (lambda: Network(CrossAttention(2)).composed(read), "CrossAttention reads what an encoder wrote"),
        (lambda: Network(EncoderDecoder(Dense(3), Dense(2))).composed(read), "all its positions, not dense1.z"),
        (lambda: FeedForward(0), "FeedForward: hidden must be a whole number"),
        (lambda: Network(FeedForward(2)).composed({"t": 3, "i": None}), "FeedForward: the size of axis i"),
        (lambda: TransformerBlock(8, 4), "TransformerBlock: attention must be one of the layers"),  # type: ignore[arg-type]
        (lambda: TransformerBlock(Attention(2), 4, dropout=2), "TransformerBlock: dropout must be a number"),
    ]:
        with pytest.raises(ChainruleError, match=words):
            make()
