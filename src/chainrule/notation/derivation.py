"""A derivation to look at: in a terminal, a browser, a notebook or a paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

from rich.console import RenderableType

from chainrule.calculus import reverse
from chainrule.calculus.derivation import Log
from chainrule.equations.system import System
from chainrule.notation import page, paper, terminal
from chainrule.notation.document import Document
from chainrule.notation.names import Names
from chainrule.notation.story import names_of, story


@dataclass(frozen=True)
class Derivation(Log):
    """The derivation of the derivatives of a cost: its log (``steps``, ``equations``, ``gradients``, ``system``) and
    ways to show it.

    ``assumption``: the distribution of the targets under which the cost is minus the logarithm of their likelihood.
    """

    assumption: str = ""

    @cached_property
    def names(self) -> Names:
        """How names are written in this derivation."""
        return names_of(self)

    @cached_property
    def document(self) -> Document:
        """What the derivation says, in no format yet."""
        return story(self, self.assumption)

    def latex(self) -> str:
        """A complete LaTeX file."""
        return paper.paper(self.document)

    def latex_fragment(self) -> str:
        """LaTeX for use within another file; its first line names the packages it needs."""
        return paper.fragment(self.document)

    def html(self) -> str:
        """A complete page without scripts that needs nothing else."""
        return page.page(self.document)

    def text(self, width: int = 120) -> str:
        """Text without colours, in lines of at most ``width`` characters."""
        return terminal.plain(self.document, width)

    def rich(self) -> RenderableType:
        """Coloured text, for the console of ``rich``."""
        return terminal.Shown(self.document)

    def _repr_html_(self) -> str:
        return page.fragment(self.document)

    def __str__(self) -> str:
        return "\n".join(str(equation) for equation in self.equations)


def derive(system: System, cost: str, wrt: Iterable[str] | None = None, assumption: str = "") -> Derivation:
    """Derive the derivatives of ``cost`` with respect to the tensors ``wrt`` (all parameters by default).

    Returns a Derivation: its ``system`` holds the given equations and those derived, ``gradients`` says which tensor
    holds which derivative; ``text()``, ``latex()`` and ``html()`` show every step.
    ``assumption``: the distribution of the targets, in words, under which the cost is minus the logarithm of their
    likelihood.
    Raises ChainruleError if ``cost`` is no scalar of the system, or does not depend on a tensor of ``wrt``.
    """
    log = reverse.derive(system, cost, wrt)
    found = {field.name: getattr(log, field.name) for field in fields(log)}
    return Derivation(**found, assumption=assumption)
