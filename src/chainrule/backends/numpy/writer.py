"""What the rules of lowering share while the statements of one step are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.backends.facts import Facts
from chainrule.backends.numpy.extent import Extents
from chainrule.backends.numpy.names import Names
from chainrule.backends.numpy.value import ATOM, Value
from chainrule.equations.node import Expression, base_axis
from chainrule.equations.system import System

Axes = tuple[str, ...]
Rule = Callable[["Writer", Any, Axes], Value]


@dataclass(frozen=True)
class Stored:
    """Where a tensor is: the array ``value``, and along a recurrence's axis, at which place its first element is."""

    value: Value
    offsets: Mapping[str, int] = field(default_factory=dict)


class Writer:
    """Statements under way.

    ``loop`` maps the axis of the recurrence being written to its loop variable.  Temporaries are found again by
    their text, so that nothing is computed twice.  Arrays that depend on sizes only are made in ``prepared``.
    """

    def __init__(
        self, system: System, extents: Extents, facts: Facts, names: Names, dtype: str, rules: Mapping[type, Rule]
    ) -> None:
        self.system = system
        self.given = frozenset(tensor.name for tensor in system.inputs)
        self.extents = extents
        self.facts = facts
        self.names = names
        self.dtype = dtype
        self.rules = rules
        self.tensors: dict[str, Stored] = {}
        self.loop: dict[str, str] = {}
        self.prepared: list[str] = []
        self.lines: list[str] = []
        self.depth = 1
        self.target = ""  # the tensor whose equation is being written
        self.found: dict[str, Value] = {}
        self.found_before: dict[str, Value] = {}  # those made before the first step

    def value(self, node: Expression, wanted: Axes = ()) -> Value:
        """The expression as a piece of Python; ``wanted`` is an order of axes to prefer."""
        return self.rules[type(node)](self, node, wanted)

    def shape(self, axes: Axes) -> str:
        """The sizes of axes as a tuple."""
        sizes = [self.extents.text(name) for name in axes]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def put(self, text: str) -> None:
        """One statement."""
        self.lines.append("    " * self.depth + text)

    def named(self, value: Value, name: str) -> Value:
        """The value under a name of its own, unless it has one already."""
        if value.text.isidentifier() or value.number is not None:
            return value
        if value.constant and not value.weak:
            return self.constant(value, name)
        if value.text not in self.found:
            given = self.names.fresh(name)
            self.put(f"{given} = {bare(value.text)}")
            self.found[value.text] = replace(value, text=given, binding=ATOM)
        return replace(self.found[value.text], axes=value.axes)

    def constant(self, value: Value, name: str) -> Value:
        """A value that depends on sizes only, made before the first step."""
        if value.text.isidentifier():
            return value
        key = f"{value.text} along {', '.join(base_axis(axis) for axis in value.axes)}"
        if key not in self.found:
            given = self.names.fresh(name)
            self.prepared.append(f"    {given} = {bare(value.text)}")
            self.found[key] = self.found_before[key] = replace(value, text=given, binding=ATOM)
        return replace(self.found[key], axes=value.axes)

    def forget(self, name: str) -> None:
        """The variable is about to change: what was computed from it may not be used again."""
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        self.found = {text: value for text, value in self.found.items() if not word.search(text)}

    @contextmanager
    def before_all_steps(self) -> Iterator[None]:
        """Statements written inside go where they run once, before the first step."""
        lines, self.lines = self.lines, self.prepared
        found, self.found = self.found, self.found_before
        yield
        self.lines, self.found = lines, {**found, **self.found_before}

    @contextmanager
    def inner_block(self) -> Iterator[None]:
        """Statements written inside are indented, and their temporaries forgotten at the end."""
        found = dict(self.found)
        self.depth += 1
        yield
        self.depth -= 1
        prepared = {text: value for text, value in self.found.items() if value.constant}
        self.found = {**found, **prepared}


def bare(text: str) -> str:
    """The text without parentheses around the whole of it."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1] if text.startswith("(") and "," not in text else text
