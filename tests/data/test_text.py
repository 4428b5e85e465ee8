from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from chainrule.data.reading import reader_from_json, special
from chainrule.data.text import BytePairs, Characters, Texts, Words, are_texts, as_texts, is_prose
from chainrule.data.vocabulary import characters, words
from chainrule.errors import ChainruleError

TEXTS = ["It's good, good!", "not good", "bad, bad", "", "it's not 3.5"]


def fitted(rule: Any, texts: list[str] = TEXTS, weights: Any = None) -> Any:
    return rule.fit(as_texts(texts), np.ones(len(texts)) if weights is None else np.array(weights))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 3.5 km!", ["it's", "3.5", "km", "!"]),
        ("1,000 K-19.", ["1,000", "k", "-", "19", "."]),
        ("Füße über_alles", ["füße", "über", "_", "alles"]),
        ("e\u0301te\u0301", ["été"]),
        (" \n\t", []),
        ("日本 ok", ["日本", "ok"]),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_characters_of_a_text() -> None:
    assert characters("Ae\u0301 ") == ["A", "é", " "]


def test_symbols_are_numbered_by_how_often_they_occur() -> None:
    reader = fitted(Words())
    assert reader.vocabulary == ("good", ",", "bad", "it's", "not")
    encoded = reader.encode(as_texts(TEXTS))
    assert encoded["length"].tolist() == [5, 2, 3, 1, 3]  # the empty text is one unknown symbol
    assert encoded["x"].tolist() == [[5, 2, 3, 2, 1], [6, 2, 0, 0, 0], [4, 3, 4, 0, 0], [1] + [0] * 4, [5, 6, 1, 0, 0]]
    assert reader.encode(as_texts(["good grief"]))["x"].tolist() == [[2, 1]]
    assert reader.symbols == 7 and reader.sizes == {"t": None} and reader.role == "integer" and reader.length == "t"


def test_a_weight_of_two_is_the_text_twice() -> None:
    assert fitted(Words(), ["a b", "b c"], [1, 2]).vocabulary == fitted(Words(), ["a b", "b c", "b c"]).vocabulary


def test_most_and_fewest() -> None:
    assert fitted(Words(most=1)).vocabulary == ("good",)
    assert fitted(Words(fewest=3)).vocabulary == ("good",)
    assert len(fitted(Words(fewest=1)).vocabulary) == 7
    with pytest.raises(ChainruleError, match="no word occurs 4 times"):
        fitted(Words(fewest=4))


def test_long_texts_are_cut_and_counted() -> None:
    with pytest.warns(
        UserWarning, match=r"3 of 5 texts have more than 2 words and are cut there \(Words\(longest=2\)\)"
    ):
        reader = fitted(Words(longest=2))
    assert reader.encode(as_texts(TEXTS))["length"].max() == 2


def test_byte_pairs_know_every_text() -> None:
    pytest.importorskip("tokenizers")
    texts = ["low lower lowest", "new newer newest", "low new"] * 3
    reader = fitted(BytePairs(most=300), texts)
    again = fitted(BytePairs(most=300), texts)
    assert reader == again
    row = reader.encode(Texts(np.array(["lowest ☃"], dtype=object)))["x"]
    assert (row > 1).all() and row.shape[1] < 8 < reader.symbols <= 300
    assert reader._tokenizer.decode(row[0].tolist()) == "lowest ☃"


@pytest.mark.parametrize("rule", [Words(fewest=1), Characters(longest=20), BytePairs(most=300)], ids=repr)
def test_read_back_from_json(rule: Any) -> None:
    if isinstance(rule, BytePairs):
        pytest.importorskip("tokenizers")
    reader = fitted(rule)
    read = reader_from_json(type(reader).__name__, json.loads(json.dumps(reader.to_json())))
    assert read == reader
    for name, value in reader.encode(as_texts(TEXTS)).items():
        np.testing.assert_array_equal(read.encode(as_texts(TEXTS))[name], value)


PROSE = [f"this is sentence number {k} of many" for k in range(30)]


def test_what_is_text() -> None:
    assert are_texts(["a", "b"]) and are_texts(np.array(["a", "b"])) and are_texts(pd.Series(["a", "b"]))
    assert are_texts(pd.DataFrame({"review": PROSE})) and are_texts(pl.DataFrame({"review": PROSE}))
    assert not are_texts(pd.DataFrame({"colour": ["red", "green"] * 15}))
    assert not are_texts(pd.DataFrame({"review": PROSE, "stars": 5}))
    assert not are_texts([1.0, 2.0]) and not are_texts(np.zeros((2, 3))) and not are_texts([["a", "b"]])
    assert is_prose(PROSE) and not is_prose(["a b c d e f"] * 30) and not is_prose(list(map(str, range(30))))


def test_every_form_gives_the_same_texts() -> None:
    for X in (PROSE, tuple(PROSE), np.array(PROSE), pd.Series(PROSE), pl.Series(PROSE), pd.DataFrame({"r": PROSE})):
        found = special(X, None)
        assert isinstance(found, Texts) and found.texts.tolist() == PROSE


def test_gaps_of_a_table_are_empty_texts() -> None:
    assert as_texts(pd.DataFrame({"r": ["a b", None]})).texts.tolist() == ["a b", ""]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (["a", 3, "b"], "X, row 2: 3 is no text"),
        (["a", None], "X, row 2: None is no text"),
        ("a text", "X is one text"),
        ([], "there are no texts"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns; texts are one"),
    ],
)
def test_what_is_no_text(X: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        as_texts(X)


def test_equal_texts_have_equal_numbers() -> None:
    (codes,) = as_texts(["b", "a", "b"]).parts()
    assert codes.tolist() == [1, 0, 1]
