"""The log of a derivation: what was done, in order, to what, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from chainrule.equations.node import Equation
from chainrule.equations.system import System


@dataclass(frozen=True)
class Step:
    """One application of one rule.

    ``tensor`` is the quantity whose derivative is being found, ``before`` and ``after`` are the equation of its
    derivative around the application, ``reason`` says in a student's words why the rule holds.  ``read`` is the
    equation of the forward system that the step differentiates, where it does (``before`` is then None).
    """

    tensor: str
    rule: str
    before: Equation | None
    after: Equation
    reason: str
    read: Equation | None = None


@dataclass(frozen=True)
class Log:
    """The derivation of the derivatives of ``cost`` with respect to ``wrt``.

    ``forward`` is the system derived, ``equations`` are the derivatives in an order in which they can be computed,
    ``gradients`` maps each name in ``wrt`` to the name of its derivative.
    """

    forward: System
    cost: str
    gradients: dict[str, str]
    equations: tuple[Equation, ...]
    adjoints: dict[str, str]  # every tensor with a derivative → the name of the derivative
    steps: tuple[Step, ...]

    @cached_property
    def system(self) -> System:
        """The forward system with the derivatives after it."""
        return self.forward.extended(self.equations)

    def steps_of(self, tensor: str) -> tuple[Step, ...]:
        """The steps that led to the derivative with respect to one tensor."""
        return tuple(step for step in self.steps if step.tensor == tensor)
