"""How the names of tensors, layers and axes are written in mathematics.

W1[i,j]       W with (1) above, i j below       trailing digits of a tensor with axes number its layer
dense1.W      W with the number of its layer above; with dense1 where another parameter would be written alike
dense1.z      the same, where no other tensor at all would be written alike
β1            β with 1 below                    trailing digits of a tensor without axes
x_new         x with "new" below
θ'            θ′, its next value
∂z            ∂C/∂z, the derivative of the cost; or δ, where z is what a layer sums up before its activation
size(b)       n with b below
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from chainrule.equations.system import System
from chainrule.notation.layout import PRIME, Box, Fence, Fraction, Row, Script, Symbol, listed, row, word

_NAME = re.compile(r"(?P<letters>.*?)(?P<digits>[0-9₀-₉]*)(_(?P<suffix>.+))?")
_SUBSCRIPT_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
PARTIAL = Symbol("∂", "mark")


@dataclass(frozen=True)
class Label:
    """The parts of a written name: the sign, what stands below it before the axes, and the layer above it."""

    letters: str
    below: tuple[str, ...] = ()
    layer: str = ""  # a number, or words
    primes: int = 0


@dataclass(frozen=True)
class Names:
    """How every name of a system is written.

    ``cost``: the quantity whose derivatives the ``adjoints`` (name of a derivative → tensor) are.  ``deltas``: the
    tensors whose derivative is written δ.  ``shown``: names that stand for a box of their own.  ``activations``: what
    is numbered as another tensor is: the activation of a layer as what the layer sums up.  ``numbered``: the part of
    the system whose scopes are layers with a number, where it is not all of it; other scopes are written out.
    """

    system: System
    cost: str | None = None
    adjoints: Mapping[str, str] = field(default_factory=dict)
    deltas: frozenset[str] = frozenset()
    shown: Mapping[str, Box] = field(default_factory=dict)
    activations: Mapping[str, str] = field(default_factory=dict)
    numbered: System | None = None

    @cached_property
    def labels(self) -> Mapping[str, Label]:
        """The label of every tensor, no two alike."""
        axes = self.system.tensor_axes
        numbers = _layer_numbers(self.numbered or self.system)
        labels = {name: _label(name, bool(axes[name]), numbers) for name in axes if not self._adjoint_of(name)}
        for name, other in self.activations.items():
            if "." in name and labels[other].layer.isdigit():
                labels[name] = replace(labels[name], layer=labels[other].layer)
        twice = {label for label, count in Counter(labels.values()).items() if count > 1}
        learnt = Counter(labels[tensor.name] for tensor in self.system.parameters)
        kept = {tensor.name for tensor in self.system.parameters if learnt[labels[tensor.name]] == 1}
        for name, label in labels.items():
            of = self.activations.get(name, name)
            if "." in name and name not in kept and (label in twice or labels[of].layer != label.layer):
                labels[name] = _scoped_label(name)
        return labels

    @cached_property
    def shown_deltas(self) -> frozenset[str]:
        """The tensors whose derivative can be written δ without being taken for something else."""
        if any(label.letters == "δ" for label in self.labels.values()):
            return frozenset()
        layers = Counter(self.labels[name].layer for name in self.deltas if name in self.labels)
        return frozenset(name for name in self.deltas if name in self.labels and layers[self.labels[name].layer] == 1)

    def _adjoint_of(self, name: str) -> str | None:
        """The tensor of which ``name`` is the derivative."""
        if name in self.adjoints:
            return self.adjoints[name]
        rest = name.removeprefix("∂")
        return rest if rest != name and rest in self.system.tensor_axes else None

    def tensor(self, name: str, indices: Iterable[Box] = (), above: Box | None = None) -> Box:
        """A tensor read at the indices, or, without them, the tensor as a whole; ``above`` marks a transpose."""
        if name in self.shown:
            return self.shown[name]
        indices = tuple(indices)
        of = self._adjoint_of(name)
        if of is None:
            return written(self.labels.get(name) or _label(name, bool(indices)), indices, above)
        if name in self.adjoints and of in self.shown_deltas:
            return written(Label("δ", layer=self.labels[of].layer), indices, above)
        box = (
            self.partial(of, indices) if name in self.adjoints and self.cost else row(PARTIAL, self.tensor(of, indices))
        )
        return box if above is None else Script(Fence("(", box, ")"), None, above)

    def partial(self, of: str, indices: Iterable[Box] = ()) -> Box:
        """∂C/∂z, written out even where it is also called δ."""
        assert self.cost is not None
        below = self.tensor(of, indices)
        if self._adjoint_of(of):
            below = Fence("(", row(PARTIAL, self.tensor(self._adjoint_of(of) or of, indices)), ")")
        return Fraction(row(PARTIAL, self.tensor(self.cost)), row(PARTIAL, below))

    def axis(self, name: str) -> Box:
        return axis_box(name)

    def size(self, axis: str) -> Box:
        return Script(Symbol("n"), axis_box(axis))


def _layer_numbers(system: System) -> dict[str, str]:
    """Scope → the number of its layer: one with parameters begins a layer, and those that follow it belong to that."""
    learnt = {tensor.name.rpartition(".")[0] for tensor in system.parameters} - {""}
    numbers: dict[str, str] = {}
    count = 0
    for scope in dict.fromkeys(equation.name.rpartition(".")[0] for equation in system.equations):
        if not scope:
            continue
        count += scope in learnt
        numbers[scope] = str(count) if count else scope
    return numbers if count else {}


def _label(name: str, has_axes: bool, numbers: Mapping[str, str] = MappingProxyType({})) -> Label:
    scope, base, primes = _split(name)
    parts = _NAME.fullmatch(base)
    assert parts is not None
    letters, digits, suffix = parts["letters"] or base, parts["digits"].translate(_SUBSCRIPT_DIGITS), parts["suffix"]
    below = (suffix,) if suffix else ()
    if not scope:
        numbered = has_axes and digits.isdigit() and not parts["digits"][0] > "9" if digits else False
        if numbered:
            return Label(letters, below, digits, primes)
        return Label(letters, (digits, *below) if digits else below, "", primes)
    below = (digits, *below) if digits else below
    number = None if numbers or "." in scope else re.search(r"\d+$", scope)
    layer = numbers.get(scope) or (number[0] if number else scope)
    return Label(letters, below, layer, primes)


def _scoped_label(name: str) -> Label:
    """The label with the whole scope as the layer's name."""
    scope, _, _ = _split(name)
    label = _label(name, True)
    return Label(label.letters, label.below, scope, label.primes)


def _split(name: str) -> tuple[str, str, int]:
    """The scope, the name within it and the number of primes."""
    bare = name.rstrip("'")
    scope, _, base = bare.rpartition(".")
    return scope, base, len(name) - len(bare)


def written(label: Label, indices: tuple[Box, ...] = (), mark: Box | None = None) -> Box:
    """A label with indices below and, above, its primes, its layer and a mark."""
    extra = [Symbol(part, "number") if part.isdigit() else word(part) for part in label.below]
    below: list[Box] = [*extra]
    if indices:
        below.append(listed(indices) if extra or not all(map(_one_letter, indices)) else row(*indices))
    above: list[Box] = [PRIME] * label.primes
    if label.layer:
        above.append(layer_box(label.layer))
    if mark is not None:
        above.append(mark)
    base = sign(label.letters)
    if not below and not above:
        return base
    return Script(base, listed(below) if below else None, row(*above) if above else None)


def layer_box(layer: str) -> Box:
    return Fence("(", Symbol(layer, "number"), ")") if layer.isdigit() else word(layer)


def sign(letters: str) -> Symbol:
    """One letter is a variable, more are a word."""
    return Symbol(letters, "variable" if len(letters) == 1 else "name")


def axis_box(name: str) -> Box:
    """``k'`` is k′, ``i1`` is i with 1 below."""
    bare = name.rstrip("'")
    parts = re.fullmatch(r"(.*?)(\d*)", bare)
    assert parts is not None
    below = Symbol(parts[2], "number") if parts[2] and parts[1] else None
    above = row(*[PRIME] * (len(name) - len(bare))) if bare != name else None
    base = sign(parts[1] or bare)
    return base if below is None and above is None else Script(base, below, above)


def _one_letter(index: Box) -> bool:
    """Whether an index needs no comma to be told from the next."""
    if isinstance(index, Script):
        return _one_letter(index.base) and index.below is None and index.above is not None and _primes(index.above)
    return isinstance(index, Symbol) and index.kind == "variable"


def _primes(box: Box) -> bool:
    return all(part == PRIME for part in (box.parts if isinstance(box, Row) else (box,)))
