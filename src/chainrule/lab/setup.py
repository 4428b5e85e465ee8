"""The set-up of a run as the lab's page edits it and as its address holds it: texts, checked as they are typed."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import prod
from typing import Any

from chainrule.data.sets import in_words_of
from chainrule.equations.node import Equation
from chainrule.equations.parse import parse
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import Input
from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier, Regressor
from chainrule.estimators.rows import Rows
from chainrule.estimators.settings import is_ready, read_call
from chainrule.lab.sets import LabSet
from chainrule.layers import Equations, Layer, Network
from chainrule.losses import Loss
from chainrule.optimizers import Optimizer
from chainrule.regularizers import Regularizer
from chainrule.training.step import TrainingStep

MOST_TEXT = 20_000  # characters of one field
MOST_EPOCHS, MOST_ROWS_A_STEP = 10_000, 100_000
MOST_PARAMETERS = 20_000_000
MOST_NUMBERS = 250_000_000  # of all tensors of a step: a walk keeps every one of them, 8 bytes each

Estimator = Classifier | Regressor

log = logging.getLogger("chainrule.lab")


@dataclass(frozen=True)
class Setup:
    """Everything that decides a run, as texts and whole numbers.

    ``data``: the name of a set; ``target``: the column to predict, where the set is a table.  ``network``: layers
    separated by commas, or a ready network.  ``equations``: a layer in the language, which comes before them.  An empty
    ``loss`` or ``optimizer`` is the default of the estimators, an empty ``regularizer`` none.
    """

    data: str = "digits"
    target: str = ""
    network: str = "Dense(30), Sigmoid(), Dense(10)"
    equations: str = ""
    loss: str = ""
    optimizer: str = "Adam(0.001)"
    regularizer: str = ""
    batch_size: int = 32
    epochs: int = 20
    seed: int = 0

    @staticmethod
    def from_query(query: Mapping[str, str]) -> Setup:
        """The set-up that an address holds; what it does not name is as in ``Setup()``, and what it names wrongly too:
        an address may be typed by hand.
        """
        given: dict[str, Any] = {}
        for field in fields(Setup):
            text = query.get(field.name)
            if text is None or len(text) > MOST_TEXT:
                continue
            if field.type == "str":
                given[field.name] = text
            elif text.isascii() and text.isdigit() and len(text) <= 9:
                given[field.name] = int(text)
        return Setup(**given)

    def query(self) -> dict[str, str]:
        """The parameters of an address that ``from_query`` reads back; what is as in ``Setup()`` is left out."""
        usual = Setup()
        return {
            field.name: str(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != getattr(usual, field.name)
        }

    def with_(self, **changes: Any) -> Setup:
        """The set-up with other values of some fields."""
        return replace(self, **changes)

    def checked(self, data: LabSet | None) -> dict[str, str]:
        """What is wrong, by field, in one sentence each; nothing where the run can be made.

        ``data``: the set, None where there is none yet: then only what each field says by itself is checked.
        """
        problems = {}
        for field, read in _READERS.items():
            try:
                read(self)
            except ChainruleError as error:
                problems[field] = str(error).removeprefix(f"{field}: ")
        if problems or data is None:
            return problems
        try:
            self.specified(data)
        except ChainruleError as error:
            said = str(error)
            field = "batch_size" if said.startswith("batch_size: ") else self._blamed(data)
            problems[field] = said.removeprefix(f"{field}: ").removeprefix("network: ")
        except Exception as error:  # what was typed must not end the page on which it can be mended
            log.exception("a set-up that cannot be made: %.300r", self)
            problems["network"] = f"this cannot be made ({type(error).__name__}: {error})"
        return problems

    def estimator(self, classes: bool) -> Estimator:
        """The estimator, not fitted.  Raises ChainruleError for what cannot be read."""
        kind = Classifier if classes else Regressor
        given = {field: read(self) for field, read in _READERS.items()}
        given["network"] = _joined(given.pop("equations"), given["network"])
        return kind(random_state=given.pop("seed"), **given)

    def specified(self, data: LabSet) -> Estimator:
        """The estimator that has read the set and whose equations are made, ready to be looked at; not trained.

        Raises ChainruleError where layers, loss and data do not fit together.
        """
        return _specified(self, data)

    def step(self, data: LabSet) -> TrainingStep:
        """The equations of the run: ``step.cost_system`` and ``step.cost`` are what its derivation starts from."""
        return self.specified(data).specification_.step

    def _blamed(self, data: LabSet) -> str:
        """The field that is to be changed: the first without which the rest fits the data."""
        for field in ("regularizer", "loss"):
            try:
                if getattr(self, field):
                    self.with_(**{field: ""}).specified(data)
                    return field
            except ChainruleError:
                pass
        try:
            if self.equations:
                self.with_(equations="").specified(data)
                return "equations"
        except ChainruleError:
            pass
        return "network"


# What is being typed and what is being made; each holds a set in memory.
@lru_cache(maxsize=2)
def _specified(setup: Setup, data: LabSet) -> Estimator:
    model = setup.estimator(data.classes)
    training, validation = data.training, data.validation
    with in_words_of(training):
        rows, _ = model._specified(training.X, training.y, None, (validation.X, validation.y))
        refuse_large(model, rows)
    return model


def refuse_large(model: Estimator, rows: Rows) -> None:
    """Raise ChainruleError for a step of more numbers than the lab should hold, before it holds them."""
    step = model.specification_.step
    parameters = _numbers(step.parameters, solve_sizes(step.system, {}, partial=True))
    if parameters > MOST_PARAMETERS:
        raise ChainruleError(
            f"network: {parameters:,} parameters are too many for the lab; {MOST_PARAMETERS:,} at most"
        )
    batch_size = model._rows_a_step(len(rows))
    given = _shape_given(model, rows)
    count, alone = (_numbers_of_step(step, size, given) for size in (batch_size, 1))
    if alone > MOST_NUMBERS:
        raise ChainruleError(
            f"network: a step on one row alone has {alone:,} numbers in all its tensors; {MOST_NUMBERS:,} at most"
        )
    if count > MOST_NUMBERS:
        raise ChainruleError(
            f"batch_size: a step on {batch_size:,} rows has {count:,} numbers in all its tensors; "
            f"{MOST_NUMBERS:,} at most"
        )


def _shape_given(model: Any, rows: Rows) -> dict[str, tuple[int, ...]]:
    """What the equations do not say of sizes: the shape of the rows where they differ in length, by the longest."""
    if model.input_.length is None:
        return {}
    found = model._sequences(rows.X)
    source = model.specification_.step.sources["x"]
    return {source: (len(found), int(found.lengths.max()), *found.values.shape[1:])}


def _numbers_of_step(step: TrainingStep, batch_size: int, given: Mapping[str, tuple[int, ...]]) -> int:
    """The sizes of all tensors of a step on so many rows, added up."""
    sizes = solve_sizes(step.system, {"rows": (batch_size,), **given}, partial=True)
    return _numbers((*step.system.equations, *step.parameters, *step.states), sizes)


def _numbers(tensors: Iterable[Input | Equation], sizes: Mapping[str, int]) -> int:
    """How many numbers these tensors hold."""
    return sum(prod(sizes.get(axis, 1) for axis in tensor.axes) for tensor in tensors)


def read_network(setup: Setup) -> Any:
    """The layers of a set-up, or the name of a ready network; None where there are none.

    Raises ChainruleError; a text among the layers is equations, never a file.
    """
    text = _text(setup.network, "network")
    if not text.strip():
        return None
    _refuse_files(text)
    if is_ready(text):
        return text
    made = read_call(f"Network({text})", "network")
    if not isinstance(made, Network):
        raise ChainruleError("network: layers separated by commas are wanted, such as Dense(30), Sigmoid(), Dense(10)")
    return made


def read_equations(setup: Setup) -> Layer | None:
    """The layer that the user typed in the language; None where there is none."""
    text = _text(setup.equations, "equations")
    if not text.strip():
        return None
    parse(text, "equations")  # its errors show the line and where in it
    return Equations(text)


def _joined(first: Layer | None, rest: Any) -> Any:
    """The network that the typed layer and those after it are."""
    if first is None:
        if rest is None:
            raise ChainruleError("network: write at least one layer, such as Dense(10)")
        return rest
    if isinstance(rest, str):
        raise ChainruleError(f"network: {rest.strip()} is a whole network; with equations before it, write its layers")
    return Network(first, *(() if rest is None else rest.layers))


def _refuse_files(text: str) -> None:
    """Raise ChainruleError for a text that names a file: nothing that is typed into a page makes it read one."""
    try:
        tree = ast.parse(f"Network({text})", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ChainruleError(f"network: no layers separated by commas ({getattr(error, 'msg', 'too deep')})") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".eq"):
            raise ChainruleError(f"network: {node.value} is a file; paste its equations instead")


def _text(text: str, field: str) -> str:
    if len(text) > MOST_TEXT:
        raise ChainruleError(f"{field}: {len(text):,} characters are too many; {MOST_TEXT:,} at most")
    return text


def _read_part(field: str, kind: type[Any]) -> Any:
    """A reader of the field as a definition of this family, or None where it is empty."""

    def read(setup: Setup) -> Any:
        text = _text(getattr(setup, field), field)
        if not text.strip():
            return None
        made = read_call(text, field)
        if not isinstance(made, kind):
            names = ", ".join(kind.catalogue)
            raise ChainruleError(f"{field}: {text.strip()} is none of {names}")
        return made

    return read


def _read_count(field: str, most: int, least: int = 1) -> Any:
    def read(setup: Setup) -> int:
        value = getattr(setup, field)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ChainruleError(f"{field}: a whole number from {least} to {most:,} is wanted, not {value}")
        return value

    return read


_READERS: dict[str, Any] = {
    "equations": read_equations,
    "network": read_network,
    "loss": _read_part("loss", Loss),
    "optimizer": _read_part("optimizer", Optimizer),
    "regularizer": _read_part("regularizer", Regularizer),
    "batch_size": _read_count("batch_size", MOST_ROWS_A_STEP),
    "epochs": _read_count("epochs", MOST_EPOCHS),
    "seed": _read_count("seed", 2**31 - 1, least=0),
}
