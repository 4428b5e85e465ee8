"""What a loss is: equations from the network's output ``s`` and the targets to ``L[b]``, and the mean of L over rows.

Targets are ``y`` (real) or ``t`` (the number of a class).  ``prediction`` says what the output means: the probability,
the rate, the mean.  A loss that is minus the logarithm of a probability also says of which distribution, and what its
parameters are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from chainrule.definition import Definition, check_instance, check_number, definition_system
from chainrule.equations.compose import match_axes
from chainrule.equations.node import Apply, Equation, Expression, Number, Reduce, access, axis
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor, place_definition

Task = Literal["regression", "binary", "classes"]


@dataclass(frozen=True, repr=False)
class Loss(Definition):
    """A loss ``L[b]`` for each row and its mean ``C``.

    ``task`` is what the targets are: real numbers, 0 or 1, or the numbers of classes.  ``prediction`` is a text of
    equations in ``s`` whose last equation is the prediction; without one, the output itself is.

    ``assumption`` says under which distribution of the targets the loss is, up to constants, minus the logarithm of
    their probability; ``parameters`` are those of its parameters that the equations of ``prediction`` have.  A loss
    for numbers whose equations have all of them also gives ``distribution``, the name of the distribution in
    ``chainrule.probability``.
    """

    task: ClassVar[Task] = "regression"
    prediction: ClassVar[str] = ""
    assumption: ClassVar[str] = ""
    distribution: ClassVar[str] = ""
    parameters: ClassVar[tuple[str, ...]] = ()

    @property
    def vectors(self) -> dict[str, tuple[float, ...]]:
        """The vectors of the equations that the constructor fixed: symbol → values."""
        return {}

    def compose(self, under: Composition, output: Tensor) -> Tensor:
        """Write the loss of each row and return it."""
        public = {name: name for name in self.system.tensor_axes if name in ("y", "t", "L")}
        reads = {**self.reads(under, output), **self._written_vectors(under, self.system, output)}
        return place_definition(under, self, "loss", reads, names=public)["L"]

    def reads(self, under: Composition, output: Tensor) -> Mapping[str, Tensor]:
        """The tensors of the network that the equations read, by their names there."""
        return {"s": output}

    def predict(self, under: Composition, output: Tensor) -> Tensor:
        """Write the prediction and return it."""
        return self.interpret(under, output)[0]

    def interpret(self, under: Composition, output: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Write what the output means: the prediction, and the parameters of the distribution by their symbols."""
        if not self.prediction:
            return output, {}
        definition = definition_system(self.prediction, type(self).__name__)
        scalars = {name: value for name, value in self.scalars.items() if name in definition.input_by_name}
        reads = {"s": output, **self._written_vectors(under, definition, output)}
        made = under.place(definition, "prediction", reads, scalars=scalars)
        return made[definition.equations[-1].name], {name: made[name] for name in self.parameters}

    def _written_vectors(self, under: Composition, definition: System, output: Tensor) -> dict[str, Tensor]:
        """The vectors that the definition reads, each as an equation that is written once."""
        if not self.vectors:
            return {}
        standing = match_axes("s", definition.tensor_axes["s"], output.axes, type(self).__name__)
        found = {}
        for symbol, values in self.vectors.items():
            if symbol not in definition.input_by_name:
                continue
            axes = tuple(name for part in definition.tensor_axes[symbol] for name in standing[part])
            found[symbol] = Tensor(f"loss.{symbol}", axes)
            written = Equation(found[symbol].name, axes, self._vector(under, axes, values))
            if written not in under.equations:
                under.equations.append(written)
        return found

    def _vector(self, under: Composition, axes: tuple[str, ...], values: tuple[float, ...]) -> Expression:
        """Σ_j values[j]·[k = j] along the only axis k; one value is that of all positions."""
        if len(values) == 1:
            return Number(values[0])
        if len(axes) != 1 or under.size(axes[0]) not in (None, len(values)):
            raise ChainruleError(f"{self!r} is for {len(values)} targets a row, not for [{','.join(axes)}]")
        chosen = [Apply("=", (axis(axes[0]), Number(place))) for place in range(len(values))]
        return Apply("+", tuple(Apply("*", (Number(v), at)) for v, at in zip(values, chosen, strict=True)))

    def weights(self, under: Composition, output: Tensor) -> tuple[Tensor, ...]:
        """Write what each row counts and return it; nothing if all rows count the same."""
        return ()

    def mean(self, under: Composition, output: Tensor, rows: Tensor, name: str = "C") -> Tensor:
        """Write the (weighted) mean over rows: C = Σ_b L[b]/size(b), or Σ_b ω[b] L[b]/Σ_b ω[b]."""
        weights = [access(weight.name, ("b",)) for weight in self.weights(under, output)]
        total: Expression = sum_over_rows((*weights, access(rows.name, ("b",))))
        count: Expression = sum_over_rows(tuple(weights)) if weights else Number("b")
        under.equations.append(Equation(name, (), Apply("/", (total, count))))
        return Tensor(name, ())

    def units(self, targets: int) -> int | tuple[int, ...]:
        """The units of a last dense layer for this many targets (or classes)."""
        return targets


def sum_over_rows(factors: tuple[Expression, ...]) -> Expression:
    """Σ_b of the product of the factors."""
    return Reduce("sum", ("b",), factors[0] if len(factors) == 1 else Apply("*", factors))


@dataclass(frozen=True, repr=False)
class _Weighted(Loss):
    """A loss whose rows count differently; the loss of a row is that of ``loss``."""

    loss: Loss

    def __post_init__(self) -> None:
        check_instance(type(self).__name__, "loss", self.loss, Loss)

    @property
    def system(self) -> System:
        return self.loss.system

    @property
    def scalars(self) -> dict[str, float]:
        return self.loss.scalars

    def compose(self, under: Composition, output: Tensor) -> Tensor:
        return self.loss.compose(under, output)

    def interpret(self, under: Composition, output: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.loss.interpret(under, output)

    def units(self, targets: int) -> int | tuple[int, ...]:
        return self.loss.units(targets)


@dataclass(frozen=True, repr=False)
class SampleWeighted(_Weighted):
    """Rows count ω[b], given with the data: C = Σ_b ω[b] L[b]/Σ_b ω[b]."""

    source = "the weighted mean"

    def weights(self, under: Composition, output: Tensor) -> tuple[Tensor, ...]:
        under.inputs.append(Input("ω", ("b",), "data"))
        return (*self.loss.weights(under, output), Tensor("ω", ("b",)))


@dataclass(frozen=True, repr=False)
class ClassWeighted(_Weighted):
    """Rows count as their class does: C = Σ_b v[t[b]] L[b]/Σ_b v[t[b]]; ``class_weights`` are v, one for each class."""

    source = "King and Zeng, Logistic Regression in Rare Events Data (2001), weighting"

    class_weights: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "class_weights", tuple(self.class_weights))
        for weight in self.class_weights:
            check_number("ClassWeighted", "every class weight", weight, low=0)
        target = self.system.input_by_name.get("t")
        if target is None:
            raise ChainruleError(
                f"ClassWeighted: {self.loss!r} has no classes to weigh; weigh rows with SampleWeighted"
            )

    def weights(self, under: Composition, output: Tensor) -> tuple[Tensor, ...]:
        target = next(tensor for tensor in under.inputs if tensor.name == "t")
        if target.axes != ("b",):
            raise ChainruleError(f"ClassWeighted: one class for each row is wanted, but t[{','.join(target.axes)}]")
        classes = under.sizes.get(output.axes[-1])
        if isinstance(classes, Number) and classes.value != len(self.class_weights):
            raise ChainruleError(
                f"ClassWeighted: {len(self.class_weights)} class weights for {classes.value} classes; give one for each"
            )
        under.constants["class_weights"] = self.class_weights
        definition = definition_system("data v[k]\ninteger t[b]\nν[b] = v[t[b]]", "ClassWeighted")
        made = under.place(
            definition,
            "loss",
            {"t": Tensor("t", ("b",))},
            names={"v": "class_weights", "ν": "class_weight"},
            axes={"k": output.axes[-1:]},
        )
        return (*self.loss.weights(under, output), made["ν"])
