"""Language models as estimators: what is learnt, saved, generated and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.windows import ShortTexts, Windows

TEXT = "the cat sat on the mat. " * 60
WORDS = ["anna", "hannah", "otto", "bob", "ada", "eve", "elle", "ava", "noon", "level"] * 6
QUICK: dict[str, Any] = {
    "epochs": 2,
    "steps_per_epoch": 100,
    "length": 16,
    "batch_size": 8,
    "random_state": 0,
    "backend": "numpy",
}
SMALL = "gpt(layers=1, heads=2, units=16)"


@pytest.fixture(scope="module")
def running() -> Any:
    return cr.LanguageModel(SMALL, cr.Adam(0.01), **QUICK).fit(TEXT)


@pytest.fixture(scope="module")
def short() -> Any:
    return cr.LanguageModel(SMALL, cr.Adam(0.01), epochs=20, batch_size=8, random_state=0, backend="numpy").fit(WORDS)


def test_a_running_text_is_learnt(running: Any) -> None:
    assert running.history_["validation_loss"][-1] < 0.1 < running.history_["loss"][0]
    assert (
        running.generate("the cat sat on", 40, temperature=0)
        == "the cat sat on the mat. the cat sat on the mat. the ca"
    )
    assert running.score(TEXT) == -running.loss(TEXT)


def test_the_loss_is_the_mean_over_all_targets(running: Any) -> None:
    """Beside the probabilities that the network gives, window by window."""
    text, step = TEXT[:100], running.specification_.step
    numbers = running.input_.numbers([text])[0]
    x, t = numbers[:96].reshape(6, 16), numbers[1:97].reshape(6, 16)
    values = {"x": x, **running.parameters_}
    p = cr.evaluate(step.prediction_system, values)[step.prediction.name]
    expected = -np.log(np.take_along_axis(p, t[:, :, None], axis=2)).mean()
    assert running.loss(text) == pytest.approx(expected, rel=1e-5)


def test_short_texts_end(short: Any) -> None:
    made = short.generate([""] * 12, 30, temperature=0.7, seed=1)
    assert len(set(made)) > 2
    assert sum(text in WORDS for text in made) >= 6
    assert short.generate("ha", 30, beams=4).startswith("ha")
    assert short.generate("ha", 30, beams=4) in {"hannah", *WORDS}
    assert short.loss(WORDS) < 1.2


def test_saved_and_loaded(running: Any, short: Any, tmp_path: Path) -> None:
    for model, texts in ((running, TEXT), (short, WORDS)):
        model.save(tmp_path / "m")
        loaded = cr.load(tmp_path / "m")
        assert loaded.generate("a", 30, seed=4) == model.generate("a", 30, seed=4)
        assert loaded.loss(texts) == model.loss(texts)
        assert loaded.get_params() == model.get_params()
    assert "cat" not in (tmp_path / "m" / "model.json").read_text()


def test_fitting_again_is_the_same(running: Any) -> None:
    again = cr.LanguageModel(SMALL, cr.Adam(0.01), **QUICK).fit(TEXT)
    assert all(np.array_equal(again.parameters_[name], value) for name, value in running.parameters_.items())


def test_gradients_and_source(running: Any, short: Any) -> None:
    for model, texts in ((running, TEXT), (short, WORDS)):
        assert max(one.error for one in model.check_gradients(elements=1)) < 1e-6
        compile(model.source(), "training.py", "exec")
        arrays = model.training_arrays(texts)
        assert arrays["X"].shape == arrays["T"].shape
        assert "1 epochs" not in model.summary()


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_recurrent_networks_and_words(backend: str) -> None:
    layers = cr.Network(cr.Embedding(8, 6), cr.GRU(12, states="all"), cr.PositionwiseDense(8))
    model = cr.LanguageModel(layers, cr.Adam(0.02), reading=cr.Words(), **QUICK | {"length": 6, "backend": backend})
    model.fit(TEXT)
    assert model.generate("The cat", 12, temperature=0) == "The cat sat on the mat . the cat sat on the mat ."
    assert model.generate("the cat", 12, temperature=0, stop="mat") == "the cat sat on the "
    assert model.default_prompt == "the"


def test_windows_are_read_at_random_places() -> None:
    source = Windows(np.arange(40), 5, 200)
    (rows,) = source.batches(4, seed=1, epoch=2)
    assert rows.shape == (200, 4)
    assert rows.min() == 0 and rows.max() == 34  # the last window, and its last target
    blocks = list(source.blocks(3))
    assert np.concatenate([arrays["x"].ravel() for arrays, _ in blocks]).tolist() == list(range(35))
    assert np.concatenate([arrays["t"].ravel() for arrays, _ in blocks]).tolist() == list(range(1, 36))
    assert sum(count for _, count in blocks) == 35


def test_short_texts_begin_and_end_with_0() -> None:
    whole = ShortTexts.of([np.array([3, 4]), np.array([5])]).whole()
    assert whole["x"].tolist() == [[0, 3, 4], [0, 5, 0]]
    assert whole["t"].tolist() == [[3, 4, 0], [5, 0, 0]]
    assert whole["length"].tolist() == [3, 2]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (cr.Network(cr.Embedding(13, 4), cr.LSTM(4, states="all")), "gives 4 values at a position; 13 are needed"),
        (cr.Network(cr.Embedding(13, 4), cr.LSTM(4)), "has no positions t"),
        (
            cr.Network(cr.Embedding(13, 4), cr.MultiHeadAttention(2), cr.PositionwiseDense(13)),
            "depends on later positions",
        ),
        ("gpt(length=8)", "the network has 8 positions; 16 are needed"),
    ],
)
def test_networks_that_do_not_fit(network: Any, message: str) -> None:
    with pytest.raises(cr.ChainruleError, match=message):
        cr.LanguageModel(network, **QUICK).fit(TEXT)


def test_what_cannot_be_generated(running: Any, short: Any) -> None:
    for arguments, message in (
        ({"prompt": "the dog"}, "knows no character 'd'"),
        ({"prompt": ""}, "from at least one character"),
        ({"prompt": 3}, "a text is wanted, not 3"),
        ({"prompt": "a", "beams": 2, "top_k": 3}, "beams draw nothing"),
        ({"prompt": "a", "length": 0}, "length must be a whole number of at least 1"),
    ):
        with pytest.raises(cr.ChainruleError, match=message):
            running.generate(**arguments)
    with pytest.raises(cr.ChainruleError, match="trained on short texts"):
        short.loss(TEXT)
    with pytest.raises(cr.ChainruleError, match="too short for windows of 16"):
        cr.LanguageModel(SMALL, **QUICK).fit("abc")
