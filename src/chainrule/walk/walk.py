"""A walk through one training step: what is given, forward, loss, backward, update, every quantity with its numbers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import RenderableType

from chainrule.calculus.derivation import Log
from chainrule.equations.grammar import canonical_name
from chainrule.equations.node import Equation, Number
from chainrule.equations.order import order
from chainrule.equations.philox import random_values
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System, reachable
from chainrule.equations.walk import tensors
from chainrule.errors import ChainruleError
from chainrule.notation import page, terminal
from chainrule.notation.document import Document
from chainrule.notation.names import Names
from chainrule.notation.numbers import SHOWN_TERMS
from chainrule.notation.sections import scope_of
from chainrule.notation.story import names_of
from chainrule.training.programs import program
from chainrule.training.step import ROWS, TrainingStep
from chainrule.walk.element import Element, open_element
from chainrule.walk.panels import MOST_BYTES, MOST_PANELS, NOTEBOOK_PANELS
from chainrule.walk.story import story

Array = NDArray[Any]
Phase = Literal["given", "forward", "loss", "backward", "update", "prediction"]
PHASES: tuple[Phase, ...] = ("given", "forward", "loss", "backward", "update", "prediction")

_PLACE = re.compile(r"\s*([^\[\]]+?)\s*(?:\[([^\[\]]*)\])?\s*")


@dataclass(frozen=True, eq=False)
class Quantity:
    """A tensor of the step: its equation (None for what is given) and its value, float64, with the axes ``axes``.

    ``layer``: the scope of its name, "" where it has none; a derivative belongs to the layer of what it derives.
    ``role``: of what is given.
    """

    name: str
    phase: Phase
    layer: str
    axes: tuple[str, ...]
    equation: Equation | None
    value: Array
    role: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape


@dataclass(frozen=True)
class Said:
    """What the numbers of a walk stand for, in sentences: ``given`` of what is given, ``predicted`` of predictions,
    ``formed`` of how the distribution that is predicted comes about.  ``network``: which of several it is that is
    walked through.
    """

    given: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    formed: tuple[str, ...] = ()
    network: str = ""


@dataclass(frozen=True, eq=False)
class Walk:
    """Every quantity of one training step on given rows.

    ``system``: the equations of the step; ``log``: the derivation of its gradients; ``values``: every tensor, float64.
    ``output``: the network's output, or the prediction where nothing is to be learnt.  ``walk["dense1.z"]`` is a
    quantity, ``walk.at("dense1.z[4]")`` an element opened.  ``text()`` and ``html()`` tell all of it.  ``said``: what
    the model that it is of says of its numbers.  ``formed``: the names of what belongs to how the prediction is formed.
    """

    system: System
    log: Log
    values: Mapping[str, Array]
    output: str
    said: Said = Said()
    formed: frozenset[str] = frozenset()

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """All quantities in the order in which they are computed, what is given first."""
        return tuple(self._quantities())

    def _quantities(self) -> Iterator[Quantity]:
        of = {adjoint: name for name, adjoint in self.log.adjoints.items()}
        network, cost = (reachable(self.log.forward, {name}) for name in (self.output, self.log.cost))
        forward, backward = self.log.forward.by_name, {equation.name for equation in self.log.equations}
        for tensor in self.system.inputs:
            name = tensor.name
            given: Phase = "prediction" if name in self.formed else "given"
            yield Quantity(name, given, scope_of(name), tensor.axes, None, self.values[name], tensor.role)
        for equation in self.system.equations:
            name = equation.name
            phase: Phase = "update" if self.log.gradients else "forward"  # a prediction alone has no update
            if name in forward and name in cost:
                phase = "forward" if name in network else "loss"
            elif name in backward:
                phase = "backward"
            elif name in self.formed:
                phase = "prediction"
            yield Quantity(name, phase, scope_of(of.get(name, name)), equation.axes, equation, self.values[name])

    @cached_property
    def by_name(self) -> Mapping[str, Quantity]:
        return {quantity.name: quantity for quantity in self.quantities}

    @cached_property
    def names(self) -> Names:
        """How names are written."""
        network = self.log.forward.subset({self.output})
        return replace(names_of(self.log), system=self.system, numbered=network)

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The size of every axis."""
        return solve_sizes(self.system, {name: value.shape for name, value in self.values.items()})

    @cached_property
    def recurrent(self) -> Mapping[str, str]:
        """What is computed step by step → the axis of the steps."""
        blocks = [block for block in order(self.system) if block.axis is not None]
        return {equation.name: str(block.axis) for block in blocks for equation in block.equations}

    @cached_property
    def readers_of(self) -> Mapping[str, tuple[Equation, ...]]:
        """The equations that read each tensor."""
        found: dict[str, list[Equation]] = {}
        for equation in self.system.equations:
            for name in tensors(equation):
                found.setdefault(name, []).append(equation)
        return {name: tuple(equations) for name, equations in found.items()}

    def __getitem__(self, name: str) -> Quantity:
        """A quantity by its name in the text form, ``dense1.z`` or ``partial dense1.z``.  Raises ChainruleError."""
        found = self.by_name.get(canonical_name(name.strip()))
        if found is None:
            near = difflib.get_close_matches(canonical_name(name), self.by_name, n=3, cutoff=0.4)
            known = f"; there are {', '.join(near)}" if near else ""
            raise ChainruleError(f"this walk has no quantity {name}{known}")
        return found

    def element(self, name: str, position: Sequence[int] = (), terms: int = SHOWN_TERMS) -> Element:
        """An element, opened; sums show the ``terms`` largest terms.  Raises ChainruleError where there is none."""
        return open_element(self, self[name], position, terms)

    def at(self, text: str, terms: int = SHOWN_TERMS) -> Element:
        """An element by its text: ``dense1.z[0,4]``, or ``dense1.z[4]`` where there is one row."""
        parts = _PLACE.fullmatch(text)
        if parts is None:
            raise ChainruleError(f"{text} is no element; write one as dense1.z[4]")
        quantity = self[parts[1]]
        try:
            position = [int(part) for part in (parts[2] or "").split(",") if part.strip()]
        except ValueError:
            raise ChainruleError(f"{text}: positions are whole numbers, as in {quantity.name}[0,4]") from None
        if len(position) == len(quantity.axes) - 1 and quantity.axes[0] == "b" and quantity.shape[0] == 1:
            position = [0, *position]
        return self.element(quantity.name, position, terms)

    @cached_property
    def document(self) -> Document:
        """What the walk says, in no format yet."""
        return story(self)

    def text(self, width: int = 120) -> str:
        """Text without colours, in lines of at most ``width`` characters."""
        return terminal.plain(self.document, width)

    def rich(self) -> RenderableType:
        """Coloured text, for the console of ``rich``."""
        return terminal.Shown(self.document)

    def html(self) -> str:
        """A complete page without scripts that needs nothing else; cells of elements that matter open their arithmetic.

        Of each quantity, those are opened on which the cost depends most, and so many that the page has at most 2.8 MB.
        """
        panels = MOST_PANELS
        made = page.page(story(self, panels))
        while len(made.encode()) > MOST_BYTES and panels:
            panels = panels * 2 // 3
            made = page.page(story(self, panels))
        return made

    def _repr_html_(self) -> str:
        # A frame of its own, so that what a link opens moves no notebook; the base keeps links inside it.
        made = page.page(story(self, NOTEBOOK_PANELS)).replace("<head>", '<head><base href="about:srcdoc">', 1)
        frame = "width: 100%; height: 40rem; border: 1px solid #8884; border-radius: .4rem"
        attributes = f'title="A walk" style="{frame}" srcdoc="{escape(made)}"'
        return f'<style>{page.FRAME}</style><iframe class="chainrule-frame" {attributes}></iframe>'


def walk(
    step: TrainingStep,
    values: Mapping[str, ArrayLike],
    *,
    rate: float,
    rows: int | None = None,
    seed: int = 0,
    number: int = 0,
    backend: str | None = None,
) -> Walk:
    """Walk through one training step.

    ``values``: the rows [b, …] as the network and the loss read them (``step.inputs``), the parameters, and the states
    of the optimizer, which otherwise are as at its start.  ``rate``: the learning rate.  ``rows``: how many rows the
    training set has, which penalties may depend on; those given by default.  Random inputs are those of the step
    ``number`` of a run from ``seed``.
    """
    system = on_rows(step, len(np.asarray(values[step.inputs[0].name])) if rows is None else rows)
    data, state = divided(system, {**values, **step.constants, "η": rate})
    names = tuple(equation.name for equation in system.equations)
    made = program(system, names, "float64", backend).run(data, dict(state), seed=seed, first_step=number)
    found = {**data, **state, **made}
    sizes = solve_sizes(system, {name: np.shape(value) for name, value in found.items()})
    for tensor in system.inputs:
        shape = tuple(sizes[axis] for axis in tensor.axes)
        if tensor.name not in found and tensor.role == "state":
            found[tensor.name] = np.full(shape, tensor.value, dtype=np.float64)
        elif tensor.name not in found:
            assert tensor.distribution is not None
            found[tensor.name] = random_values(tensor.distribution, seed, number, tensor.name, shape)
    return Walk(system, step.log, {name: np.asarray(value) for name, value in found.items()}, step.output.name)


def walk_forward(step: TrainingStep, values: Mapping[str, ArrayLike], *, backend: str | None = None) -> Walk:
    """Walk through a prediction: forward alone, as the network predicts, without dropout and loss; and the parameters
    of the distribution that the loss assumes.

    ``values``: the rows as the network reads them, the parameters, and the states that prediction reads.
    """
    prediction = step.prediction.name
    parameters = {tensor.name for tensor in step.distribution.values()}
    system = step.evaluation.subset({step.output.name, prediction, *parameters})
    data, state = divided(system, values)
    names = tuple(equation.name for equation in system.equations)
    made = program(system, names, "float64", backend).run(data, dict(state))
    found = {name: np.asarray(value) for name, value in {**data, **state, **made}.items()}
    nothing_derived = Log(system, prediction, {}, (), {}, ())
    return Walk(system, nothing_derived, found, prediction)


def divided(
    system: System, values: Mapping[str, ArrayLike], dtype: str = "float64"
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The values that a system reads, as a program takes them: data, and parameters and states in the ``dtype``."""
    read = {name: np.asarray(value) for name, value in values.items() if name in system.input_by_name}
    held = {tensor.name for tensor in system.inputs if tensor.role in ("parameter", "state")}
    data = {name: value for name, value in read.items() if name not in held}
    return data, {name: value.astype(dtype) for name, value in read.items() if name in held}


def on_rows(step: TrainingStep, rows: int) -> System:
    """The system of a step that reads its minibatch directly, from a training set of so many rows."""
    inputs = {tensor.name for tensor in step.inputs}
    gathered = {*step.sources.values(), "rows"}
    return System(
        tuple(equation for equation in step.system.equations if equation.name not in inputs),
        (*step.inputs, *(tensor for tensor in step.system.inputs if tensor.name not in gathered)),
        tuple((axis, Number(rows) if axis == ROWS else size) for axis, size in step.system.sizes),
    )
