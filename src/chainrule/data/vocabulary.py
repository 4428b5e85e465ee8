"""Texts as symbols: characters, words, or pieces that byte-pair encoding has found.

Symbol 0 is what stands behind the end of a row, 1 is any symbol that is not in the vocabulary; those of the vocabulary
follow, the most frequent first.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from chainrule.data.reader import Array
from chainrule.errors import ChainruleError

PADDING, UNKNOWN = 0, 1
FIRST = 2  # the number of the first symbol of the vocabulary

# A number with its points and commas; a run of letters, with apostrophes inside; any other visible character.
WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\s]")


def characters(text: str) -> list[str]:
    """The characters as they are, composed ones as one (Unicode's NFC)."""
    return list(unicodedata.normalize("NFC", text))


def words(text: str) -> list[str]:
    """Lower-case words: ``"It's 3.5 km!"`` gives ``it's``, ``3.5``, ``km`` and ``!``."""
    return WORD.findall(unicodedata.normalize("NFC", text).lower())


SPLIT: Mapping[str, Callable[[str], list[str]]] = {"character": characters, "word": words}


def learn_vocabulary(
    unit: str, texts: Iterable[str], weights: Iterable[float], most: int, fewest: int
) -> tuple[str, ...]:
    """The ``most`` frequent symbols among those that occur at least ``fewest`` times; where two are as frequent, the
    one that sorts first.  Raises ChainruleError if there is none.
    """
    counts: Counter[str] = Counter()
    for text, weight in zip(texts, weights, strict=True):
        for symbol in SPLIT[unit](text):
            counts[symbol] += weight  # type: ignore[assignment]  # weights need not be whole
    known = sorted((symbol for symbol in counts if counts[symbol] >= fewest), key=lambda s: (-counts[s], s))[:most]
    if not known:
        raise ChainruleError(f"no {unit} occurs {fewest} times in the texts; give more texts, or fewest=1")
    return tuple(known)


def numbers_of(symbols: Iterable[str], place: Mapping[str, int]) -> Array:
    """The number of each symbol [t]; ``place``: that of each symbol of the vocabulary."""
    return np.array([place.get(symbol, UNKNOWN) for symbol in symbols], dtype=np.int64)
