"""What holds for every definition of the vocabulary, whatever it is."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from tests.contracts.catalogue import FAMILIES, exported, items

from chainrule.data.audio import MFCC, LogMel
from chainrule.data.series import Channels
from chainrule.data.text import BytePairs, Characters, Words
from chainrule.definition import Definition
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError

RULES = [BytePairs(), Channels(), Characters(), LogMel(), MFCC(), Words()]
ALL = [*(item for family in FAMILIES for item in items(family)), *RULES]
pytestmark = pytest.mark.parametrize("item", ALL, ids=lambda item: type(item).__name__)


def test_source_is_cited(item: Definition) -> None:
    assert type(item).source
    assert type(item).__doc__


def test_exported(item: Definition) -> None:
    assert exported()[type(item).__name__] is type(item)


def test_repr_evaluates_back(item: Definition) -> None:
    if type(item).__name__ != "Custom":
        assert eval(repr(item), exported()) == item


def test_plain_value(item: Definition) -> None:
    assert pickle.loads(pickle.dumps(item)) == item
    assert hash(pickle.loads(pickle.dumps(item))) == hash(item)
    assert copy.deepcopy(item) == item
    assert item != object()


def test_frozen(item: Definition) -> None:
    for field in dataclasses.fields(item):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(item, field.name, None)


def test_equations_round_trip(item: Definition) -> None:
    if type(item).equations or "system" in vars(type(item)):
        assert parse(str(item.system)) == item.system


def test_numbers_are_checked(item: Definition) -> None:
    for field in dataclasses.fields(item):
        if "symbol" not in field.metadata:
            continue
        bad: list[Any] = ["0.1", None, True, float("nan"), float("inf")]
        bounds = field.metadata["bounds"]
        bad += [bounds["low"] - 1] if bounds["low"] is not None else []
        bad += [bounds["high"] + 1] if bounds["high"] is not None else []
        bad += [bounds["above"]] if bounds["above"] is not None else []
        bad += [bounds["below"]] if bounds["below"] is not None else []
        for value in bad:
            with pytest.raises(ChainruleError, match=rf"{type(item).__name__}: {field.name} must be a number"):
                dataclasses.replace(item, **{field.name: value})
