"""The four equations of backpropagation, found again in a derivation by the shape of its equations, not by names.

    BP1   δᴸ = ∇ₐC ⊙ σ′(zᴸ)                  the error of the output layer
    BP2   δˡ = (δˡ⁺¹ (Wˡ⁺¹)ᵀ) ⊙ σ′(zˡ)       the error of a layer from that of the next
    BP3   ∂C/∂βˡ = Σ δˡ                       a bias
    BP4   ∂C/∂Wˡ = (aˡ⁻¹)ᵀ δˡ                 a weight

after Michael Nielsen, Neural Networks and Deep Learning (2015), chapter 2, with an example in each row and summed over
the examples.  A layer is an equation that sums a parameter times something, plus perhaps another parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from chainrule.calculus.algebra import tidy
from chainrule.calculus.derivation import Log
from chainrule.calculus.insertion import inserted
from chainrule.equations.node import Access, Apply, Equation, Expression, Reduce, factors_of, plain_axis, terms_of
from chainrule.equations.walk import is_apply, subexpressions, tensors

A_LINE = 60  # nodes


@dataclass(frozen=True)
class Layer:
    """``sums = Σ input·weight + bias``, and, where there is one, the activation ``output = f(sums)``."""

    sums: Equation
    weight: Access
    input: Access
    bias: Access | None
    activation: Equation | None

    @property
    def dense(self) -> bool:
        """Whether all that the layer reads is read at plain axes: no windows, no gathers."""
        reads = [self.weight, self.input, *([self.bias] if self.bias else [])]
        return all(plain_axis(index) is not None for read in reads for index in read.indices)

    @property
    def function(self) -> str | None:
        """The activation's name, if it is one function of the catalogue."""
        if self.activation is not None:
            match self.activation.expression:
                case Apply(function, (Access(),)):
                    return function
        return None


@dataclass(frozen=True)
class Error:
    """The error δ of a layer: the derivative of the cost with respect to its sums.

    ``equation`` is the one derived, ``activation_slope`` its factor σ′(z), ``arriving`` the derivative with respect to
    the output, and ``whole`` the equation with that put in.
    """

    layer: Layer
    equation: Equation
    first: bool  # of the output layer: it reads no other layer's error
    activation_slope: Expression | None = None
    arriving: Equation | None = None
    whole: Equation | None = None


@dataclass(frozen=True)
class Backpropagation:
    """The equations of a derivation by what they are; each with its layer, from the last layer to the first."""

    errors: tuple[Error, ...]
    biases: tuple[tuple[Layer, Equation], ...]
    weights: tuple[tuple[Layer, Equation], ...]


def layers(log: Log) -> tuple[Layer, ...]:
    """The layers of the system that a derivation goes through, in the order of the system."""
    learnt = {tensor.name for tensor in log.forward.parameters} | set(log.gradients)
    learnt -= set(log.forward.by_name)
    found = []
    for equation in log.forward.equations:
        layer = _layer(log, equation, learnt) if equation.name in log.adjoints else None
        if layer is not None:
            found.append(layer)
    return tuple(found)


def _layer(log: Log, equation: Equation, learnt: set[str]) -> Layer | None:
    terms = terms_of(equation.expression)
    sums = [term for term in terms if isinstance(term, Reduce)]
    others = [term for term in terms if not isinstance(term, Reduce)]
    if len(sums) != 1 or len(others) > 1 or sums[0].operation != "sum":
        return None
    match sums[0].body:
        case Apply("*", (Access() as left, Access() as right)):
            pair = (left, right)
        case _:
            return None
    weights = [read for read in pair if read.tensor in learnt]
    bias = others[0] if others else None
    if not weights or not (bias is None or (isinstance(bias, Access) and bias.tensor in learnt)):
        return None
    # Where the derivative with respect to the layer's input is asked for as well, the declared parameter is the weight.
    weight = max(reversed(weights), key=lambda read: log.forward.input_by_name[read.tensor].role == "parameter")
    read = pair[0] if pair[1] is weight else pair[1]
    return Layer(equation, weight, read, bias, _activation(log, equation))


def _activation(log: Log, sums: Equation) -> Equation | None:
    """The equation, of the same axes, that reads the sums and no other quantity with a derivative."""
    readers = [equation for equation in log.forward.equations if sums.name in tensors(equation)]
    if len(readers) != 1 or readers[0].axes != sums.axes or readers[0].name not in log.adjoints:
        return None
    if any(isinstance(node, Reduce) for node in subexpressions(readers[0].expression)):
        return None
    others = set(tensors(readers[0])) - {sums.name}
    return None if others & set(log.adjoints) else readers[0]


def backpropagation(log: Log) -> Backpropagation | None:
    """The equations of backpropagation; None where layers are connected in ways that these do not describe."""
    found = [layer for layer in layers(log) if layer.dense]
    derived = {equation.name: equation for equation in log.equations}
    deltas = {log.adjoints[layer.sums.name]: layer for layer in found}
    errors: list[Error] = []
    biases: list[tuple[Layer, Equation]] = []
    weights: list[tuple[Layer, Equation]] = []
    for layer in reversed(found):
        delta = log.adjoints[layer.sums.name]
        error = _error(log, layer, derived, deltas.keys() - {delta})
        if not error.first and not _from_next_layer(error, deltas):
            return None
        errors.append(error)
        if layer.bias is not None and layer.bias.tensor in log.adjoints:
            equation = derived[log.adjoints[layer.bias.tensor]]
            if any(_is_bias(term, delta) for term in terms_of(equation.expression)):
                biases.append((layer, equation))
        if layer.weight.tensor in log.adjoints:
            equation = derived[log.adjoints[layer.weight.tensor]]
            if any(_is_weight(term, delta, layer.input.tensor) for term in terms_of(equation.expression)):
                weights.append((layer, equation))
    return Backpropagation(tuple(errors), tuple(biases), tuple(weights)) if errors and weights else None


def _from_next_layer(error: Error, deltas: Mapping[str, Layer]) -> bool:
    """Whether the error arrives as Σ δ W of layers that read this one's output."""
    equation = error.arriving or error.equation
    for term in terms_of(equation.expression):
        body: Any = term.body if isinstance(term, Reduce) else None
        read = {part.tensor for part in body.arguments if isinstance(part, Access)} if is_apply(body, "*") else set()
        if any(read == {delta, layer.weight.tensor} for delta, layer in deltas.items()):
            return True
    return False


def _error(log: Log, layer: Layer, derived: dict[str, Equation], deltas: Set[str]) -> Error:
    equation = derived[log.adjoints[layer.sums.name]]
    output = layer.activation.name if layer.activation is not None else None
    arriving = derived.get(log.adjoints.get(output or "", ""))
    product: Any = equation.expression
    factors = factors_of(product)
    slope = None
    if arriving is not None:
        others = tuple(factor for factor in factors if not _reads(factor, arriving.name))
        if len(others) == len(factors) - 1 and not any(set(tensors(f)) & set(log.adjoints.values()) for f in others):
            slope = others[0] if len(others) == 1 else Apply("*", others) if others else None
    whole = inserted(equation, arriving) if arriving is not None else equation
    upstream = _upstream(whole, derived, deltas)
    first = not upstream & deltas
    if first:
        whole = _in_full(whole, [derived[name] for name in derived if name in upstream])
    return Error(layer, equation, first, slope, arriving, whole)


def _in_full(equation: Equation, definitions: list[Equation]) -> Equation:
    """The equation without derivatives on its right, where that is no longer than a line."""
    whole = equation
    for definition in reversed(definitions):
        whole = inserted(whole, definition)
    whole = Equation(whole.name, whole.axes, tidy(whole.expression))
    return whole if sum(1 for _ in subexpressions(whole)) <= A_LINE else equation


def _upstream(equation: Equation, derived: dict[str, Equation], stops: Set[str]) -> set[str]:
    """The derivatives that an equation reads, through others, up to those in ``stops``."""
    found: set[str] = set()
    waiting = list(tensors(equation))
    while waiting:
        name = waiting.pop()
        if name in found or name not in derived:
            continue
        found.add(name)
        if name not in stops:
            waiting.extend(tensors(derived[name]))
    return found


def _reads(node: Any, tensor: str) -> bool:
    return tensor in tensors(node)


def _is_bias(term: Any, delta: str) -> bool:
    """Σ δ, or, without a batch, δ."""
    body = term.body if isinstance(term, Reduce) and term.operation == "sum" else term
    return isinstance(body, Access) and body.tensor == delta


def _is_weight(term: Any, delta: str, source: str) -> bool:
    """Σ a δ, or, without a batch, a δ."""
    body: Any = term.body if isinstance(term, Reduce) and term.operation == "sum" else term
    return is_apply(body, "*") and sorted(f.tensor for f in body.arguments if isinstance(f, Access)) == sorted(
        (delta, source)
    )
