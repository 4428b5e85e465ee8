"""Texts as rows: which symbols of a vocabulary they consist of, x[b,t], and how many, length[b]."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from chainrule.data.frame import is_data_frame, is_missing
from chainrule.data.ragged import Ragged
from chainrule.data.rule import ReadingRule
from chainrule.data.vocabulary import FIRST, SPLIT, UNKNOWN, learn_vocabulary, numbers_of
from chainrule.definition import check_count
from chainrule.equations.system import Role
from chainrule.errors import ChainruleError

Array = NDArray[Any]

# A column of text is prose, not categories, if so many of its texts are different and they have, on average, so many
# words.
PROSE_WORDS = 4
PROSE_DIFFERENT = 0.5


@dataclass(frozen=True)
class Texts:
    """Rows that are texts, an array [b] of str."""

    texts: Array

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Array) -> Texts:
        return Texts(self.texts[rows])

    def parts(self) -> list[Array]:
        """One number for each different text, in the order in which they sort."""
        place = {text: k for k, text in enumerate(sorted(set(self.texts)))}
        return [np.array([place[text] for text in self.texts], dtype=np.int64)]


def are_texts(X: Any) -> bool:
    """Whether X is one text a row: a list, array or series of str, or a data frame with one column of prose."""
    if is_data_frame(X):
        frame = nw.from_native(X, eager_only=True)
        return len(frame.columns) == 1 and is_prose(frame[frame.columns[0]].to_list())
    if nw.dependencies.is_into_series(X) or isinstance(X, np.ndarray):
        X = X.to_numpy() if hasattr(X, "to_numpy") else X
        return X.ndim == 1 and any(isinstance(value, str) for value in X.tolist())
    return isinstance(X, list | tuple) and any(isinstance(value, str) for value in X)


def is_prose(values: Sequence[Any]) -> bool:
    """Whether a column holds texts of several words, most of which occur once."""
    texts = [value for value in values if isinstance(value, str) and not is_missing(value)]
    if not texts or len(texts) < sum(value is not None for value in values):
        return False
    spaces = sum(len(text.split()) for text in texts)
    return len(set(texts)) >= PROSE_DIFFERENT * len(texts) and spaces >= PROSE_WORDS * len(texts)


def as_texts(X: Any) -> Texts:
    """The texts of a list, array, series or data frame with one column; a gap in a table is an empty text.

    Raises ChainruleError naming the first row that is no text.
    """
    if isinstance(X, Texts):
        return X
    gaps = is_data_frame(X)
    if gaps:
        frame = nw.from_native(X, eager_only=True)
        if len(frame.columns) != 1:
            raise ChainruleError(f"the table has {len(frame.columns)} columns; texts are one column")
        X = frame[frame.columns[0]].to_list()
    elif hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, str):
        raise ChainruleError("X is one text; give a list of texts, a row each")
    if getattr(X, "ndim", 1) == 2 and X.shape[1] == 1:
        X = X[:, 0]
    values = list(X)
    for row, value in enumerate(values, 1):
        if not isinstance(value, str) and not (gaps and is_missing(value)):
            raise ChainruleError(f"X, row {row}: {value!r} is no text")
    if not values:
        raise ChainruleError("there are no texts; at least 1 is needed")
    texts: Array = np.empty(len(values), dtype=object)
    texts[:] = [value if isinstance(value, str) else "" for value in values]
    return Texts(texts)


@dataclass(frozen=True)
class SymbolReader:
    """Texts as numbers of symbols; ``longest``: texts with more symbols than that are cut there.

    A text without any symbol is read as one unknown symbol: a row has at least one position.
    """

    unit: str
    longest: int

    @property
    def sizes(self) -> Mapping[str, int | None]:
        return {"t": None}

    @property
    def role(self) -> Role:
        return "integer"

    @property
    def length(self) -> str:
        return "t"

    @property
    @abstractmethod
    def symbols(self) -> int:
        """How many numbers there are for symbols, padding and the unknown one included: the size of an embedding."""

    @abstractmethod
    def numbers(self, texts: Sequence[str]) -> list[Array]:
        """The numbers of each text's symbols."""

    @abstractmethod
    def text(self, numbers: Sequence[int]) -> str:
        """The text of these symbols; padding and the unknown symbol have none."""

    @abstractmethod
    def unknown(self, text: str) -> list[str]:
        """The symbols of the text that have no number, in order."""

    def whole(self, data: Any) -> list[Array]:
        """The numbers of each text's symbols, none cut.  Raises ChainruleError for rows that are no texts."""
        if not isinstance(data, Texts):
            raise ChainruleError("the model was trained on texts, one a row")
        unknown = np.array([UNKNOWN])
        return [row if len(row) else unknown for row in self.numbers(data.texts.tolist())]

    def ragged(self, data: Any, dtype: Any = np.float32) -> Ragged:
        """The numbers of the symbols of each text, without padding."""
        return Ragged.of([row[: self.longest] for row in self.whole(data)])

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """What the network reads: x[b,t], 0 behind the end of a text, and length[b]."""
        return self.ragged(data).arrays()

    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...

    def lines(self) -> list[tuple[str, str]]:
        """How texts are read."""
        return [("text", f"{self.symbols - FIRST:,} {self.unit}s, others as unknown; cut after {self.longest:,}")]


@dataclass(frozen=True)
class Symbols(SymbolReader):
    """Texts as characters or words; ``vocabulary``: those that have a number, from 2 on."""

    vocabulary: tuple[str, ...]

    @property
    def symbols(self) -> int:
        return FIRST + len(self.vocabulary)

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {symbol: FIRST + k for k, symbol in enumerate(self.vocabulary)}

    def numbers(self, texts: Sequence[str]) -> list[Array]:
        return [numbers_of(SPLIT[self.unit](text), self._place) for text in texts]

    def text(self, numbers: Sequence[int]) -> str:
        known = [self.vocabulary[number - FIRST] for number in numbers if number >= FIRST]
        return ("" if self.unit == "character" else " ").join(known)

    def unknown(self, text: str) -> list[str]:
        return [symbol for symbol in SPLIT[self.unit](text) if symbol not in self._place]

    def to_json(self) -> dict[str, Any]:
        return {"unit": self.unit, "longest": self.longest, "vocabulary": list(self.vocabulary)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Symbols:
        return Symbols(str(data["unit"]), int(data["longest"]), tuple(data["vocabulary"]))


@dataclass(frozen=True)
class Pieces(SymbolReader):
    """Texts as pieces found by byte-pair encoding; ``tokenizer`` is the text in which ``tokenizers`` describes them."""

    tokenizer: str

    @cached_property
    def _tokenizer(self) -> Any:
        return _tokenizers().Tokenizer.from_str(self.tokenizer)

    @property
    def symbols(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def numbers(self, texts: Sequence[str]) -> list[Array]:
        return [np.array(text.ids, dtype=np.int64) for text in self._tokenizer.encode_batch(texts)]

    def text(self, numbers: Sequence[int]) -> str:
        return str(self._tokenizer.decode([number for number in numbers if number >= FIRST]))

    def unknown(self, text: str) -> list[str]:
        return []  # every byte is a piece

    def to_json(self) -> dict[str, Any]:
        return {"unit": self.unit, "longest": self.longest, "tokenizer": self.tokenizer}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Pieces:
        return Pieces(str(data["unit"]), int(data["longest"]), str(data["tokenizer"]))


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise ChainruleError("byte-pair encoding needs the package tokenizers: pip install 'chainrule[text]'") from None
    return tokenizers


@dataclass(frozen=True, repr=False)
class _TextRule(ReadingRule):
    """Texts by symbols: the ``most`` frequent of those that occur ``fewest`` times; ``longest`` of them a row."""

    unit: ClassVar[str]

    most: int
    fewest: int
    longest: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("most", "fewest", "longest"):
            check_count(type(self).__name__, name, getattr(self, name))

    def rows(self, X: Any) -> Texts:
        return as_texts(X)

    def fit(self, data: Any, weights: Array) -> SymbolReader:
        reader = self._learn(data, weights)
        cut = sum(len(row) > self.longest for row in reader.whole(data))
        if cut:
            warnings.warn(
                f"{cut:,} of {len(data):,} texts have more than {self.longest:,} {self.unit}s and are cut there "
                f"({type(self).__name__}(longest={self.longest}))",
                UserWarning,
                stacklevel=5,  # whoever calls fit
            )
        return reader

    @abstractmethod
    def _learn(self, data: Texts, weights: Array) -> SymbolReader: ...


@dataclass(frozen=True, repr=False)
class _VocabularyRule(_TextRule):
    """Texts by symbols into which each splits by itself; the frequent ones of the training rows have a number."""

    def _learn(self, data: Texts, weights: Array) -> Symbols:
        vocabulary = learn_vocabulary(self.unit, data.texts, weights, self.most, self.fewest)
        return Symbols(self.unit, self.longest, vocabulary)


@dataclass(frozen=True, repr=False)
class Words(_VocabularyRule):
    """Texts by words: lower-case runs of letters, numbers, and every punctuation mark as a word of its own.

    The ``most`` frequent words that occur at least ``fewest`` times in the training rows have a number; a text is
    read up to its word ``longest``.
    """

    source = "Kim, Convolutional Neural Networks for Sentence Classification (2014), §3"
    unit = "word"

    most: int = 20_000
    fewest: int = 2
    longest: int = 400


@dataclass(frozen=True, repr=False)
class Characters(_VocabularyRule):
    """Texts by characters, as they are: the ``most`` frequent that occur at least ``fewest`` times in the training rows
    have a number; a text is read up to its character ``longest``.
    """

    source = "Zhang, Zhao, LeCun, Character-level Convolutional Networks for Text Classification (2015), §2.2"
    unit = "character"

    most: int = 1000
    fewest: int = 2
    longest: int = 1000


@dataclass(frozen=True, repr=False)
class BytePairs(_TextRule):
    """Texts by pieces: bytes, and pairs of pieces that are frequent together, ``most`` pieces in all; a pair must occur
    at least ``fewest`` times.  Nothing is unknown.  A text is read up to its piece ``longest``.

    Needs the package ``tokenizers``.  Each different text counts once, whatever its weight.
    """

    source = "Sennrich, Haddow, Birch, Neural Machine Translation of Rare Words with Subword Units (2016), §3.2"
    unit = "piece"

    most: int = 8000
    fewest: int = 2
    longest: int = 400

    def _learn(self, data: Texts, weights: Array) -> Pieces:
        library = _tokenizers()
        tokenizer = library.Tokenizer(library.models.BPE(unk_token="[unknown]"))
        tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=self.most,
            min_frequency=self.fewest,
            special_tokens=["[padding]", "[unknown]"],
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(data.texts.tolist(), trainer)
        return Pieces(self.unit, self.longest, tokenizer.to_str())
