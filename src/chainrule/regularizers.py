"""Penalties on parameters, added to the cost: each is an equation ``R`` in one parameter ``θ[...]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from chainrule.definition import Definition, check_instance, symbol
from chainrule.equations.node import Apply, Equation, Number
from chainrule.equations.system import System
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor

# The weights of every layer are named W, and U where they are recurrent; biases are β.
WEIGHTS = "*.[WU]"


@dataclass(frozen=True, repr=False)
class Regularizer(Definition):
    """A penalty on every parameter whose name matches ``parameters``.

    ``parameters`` is a pattern such as ``"dense1.*"`` or several; by default all weights and no biases.
    """

    parameters: str | tuple[str, ...] = field(default=WEIGHTS, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.patterns or not all(isinstance(pattern, str) for pattern in self.patterns):
            raise ChainruleError(
                f"{type(self).__name__}: parameters must be a pattern such as 'dense1.*' or several, "
                f"not {self.parameters!r}"
            )

    @property
    def patterns(self) -> tuple[str, ...]:
        return (self.parameters,) if isinstance(self.parameters, str) else tuple(self.parameters)

    def applies_to(self, parameter: str) -> bool:
        return any(fnmatchcase(parameter, pattern) for pattern in self.patterns)

    def compose(self, under: Composition, scope: str, parameters: Sequence[Tensor], rows: str) -> list[Tensor]:
        """Write the penalty on each of these parameters; ``rows`` is the axis that the training set lies along."""
        shared = {name: Tensor(f"{scope}.{name}", ()) for name in self.scalars}
        under.equations += [Equation(shared[name].name, (), Number(value)) for name, value in self.scalars.items()]
        return [
            under.place(
                self.system,
                scope,
                {"θ": parameter, **shared},
                names={"R": f"{scope}.{parameter.name}"},
                axes={"n": (rows,)},
            )["R"]
            for parameter in parameters
        ]


@dataclass(frozen=True, repr=False)
class L2(Regularizer):
    """λ/2 Σ θ²: weight decay."""

    source = "Krogh and Hertz, A Simple Weight Decay Can Improve Generalization (1992)"
    equations = "data θ[...], λ\nR = λ/2*sum[...](θ[...]^2)"

    strength: float = symbol("λ", 1e-4, low=0)


@dataclass(frozen=True, repr=False)
class L1(Regularizer):
    """λ Σ |θ|: prefers parameters that are 0."""

    source = "Tibshirani, Regression Shrinkage and Selection via the Lasso (1996), eq. 1"
    equations = "data θ[...], λ\nR = λ*sum[...](abs(θ[...]))"

    strength: float = symbol("λ", 1e-4, low=0)


@dataclass(frozen=True, repr=False)
class ElasticNet(Regularizer):
    """A part ``ratio`` of L1 and the rest of L2."""

    source = "Zou and Hastie, Regularization and Variable Selection via the Elastic Net (2005), eq. 3"
    equations = "data θ[...], λ, ρ\nR = λ*sum[...](ρ*abs(θ[...]) + (1 - ρ)/2*θ[...]^2)"

    strength: float = symbol("λ", 1e-4, low=0)
    ratio: float = symbol("ρ", 0.5, low=0, high=1)


@dataclass(frozen=True, repr=False)
class PerExample(Regularizer):
    """A penalty whose strength is divided by the number n of training examples, as in λ/(2n) Σ w².

    ``PerExample(L2(5.0))`` is Nielsen's regularization with λ = 5.
    """

    source = "Nielsen, Neural Networks and Deep Learning (2015), eq. 85 and 95"

    penalty: Regularizer

    def __post_init__(self) -> None:
        super().__post_init__()
        check_instance("PerExample", "penalty", self.penalty, Regularizer)
        object.__setattr__(self, "parameters", self.penalty.parameters)

    def __repr__(self) -> str:
        return f"PerExample({self.penalty!r})"

    @property
    def system(self) -> System:
        made = self.penalty.system
        whole = Equation("R", (), Apply("/", (made.by_name["R"].expression, Number("n"))))
        return System((*(e for e in made.equations if e.name != "R"), whole), made.inputs, (*made.sizes, ("n", None)))

    @property
    def scalars(self) -> dict[str, float]:
        return self.penalty.scalars
