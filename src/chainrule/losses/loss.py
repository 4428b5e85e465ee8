"""What a loss is: equations from the network's output ``s`` and the targets to ``L[b]``, and the mean of L over rows.

Targets are ``y`` (real) or ``t`` (the number of a class).  ``prediction`` says what the output means: the probability,
the rate, the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from chainrule.definition import Definition, check_instance, check_number, definition_system
from chainrule.equations.node import Apply, Equation, Expression, Number, Reduce, access
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor, place_definition

Task = Literal["regression", "binary", "classes"]


@dataclass(frozen=True, repr=False)
class Loss(Definition):
    """A loss ``L[b]`` for each row and its mean ``C``.

    ``task`` is what the targets are: real numbers, 0 or 1, or the numbers of classes.  ``prediction`` is a text of
    equations in ``s`` whose last equation is the prediction; without one, the output itself is.
    """

    task: ClassVar[Task] = "regression"
    prediction: ClassVar[str] = ""

    def compose(self, under: Composition, output: Tensor) -> Tensor:
        """Write the loss of each row and return it."""
        public = {name: name for name in self.system.tensor_axes if name in ("y", "t", "L")}
        made = place_definition(under, self, "loss", self.reads(under, output), names=public)
        return made["L"]

    def reads(self, under: Composition, output: Tensor) -> Mapping[str, Tensor]:
        """The tensors of the network that the equations read, by their names there."""
        return {"s": output}

    def predict(self, under: Composition, output: Tensor) -> Tensor:
        """Write the prediction and return it."""
        if not self.prediction:
            return output
        definition = definition_system(self.prediction, type(self).__name__)
        scalars = {name: value for name, value in self.scalars.items() if name in definition.input_by_name}
        made = under.place(definition, "prediction", {"s": output}, scalars=scalars)
        return made[definition.equations[-1].name]

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

    def predict(self, under: Composition, output: Tensor) -> Tensor:
        return self.loss.predict(under, output)

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
