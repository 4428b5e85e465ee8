"""Drawing the next symbol: equations from logits ``s[b,v]`` to the symbol ``y[b]``, and back as the next input.

A draw is the greatest of the logits after independent noise -log(-log(r)) (Gumbel), so that it needs random numbers and
no loop; top-k and top-p leave logits out before it by counting those that are greater.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import check_count, check_number, definition_system
from chainrule.equations.check import check
from chainrule.equations.system import System
from chainrule.generation.stepping import Stepping
from chainrule.layers.composition import Composition, Tensor

# Logits of symbols that are never drawn, such as the one for what is unknown; ν is 1 for those that may be.
ALLOWED = "data s[b,v], ν[v]\na[b,v] = where([ν[v] > 0], s[b,v], -1e30)"
TEMPERATURE = "data s[b,v], τ\na[b,v] = s[b,v]/τ"
# Fan, Lewis, Dauphin, Hierarchical Neural Story Generation (2018), §5.4; of equal logits the first come first.
TOP_K = """
data s[b,v], κ
rank[b,v] = sum[v']([s[b,v'] > s[b,v]] + [s[b,v'] = s[b,v]]*[v' < v])
a[b,v] = where([rank[b,v] < κ], s[b,v], -1e30)
"""
# Holtzman et al., The Curious Case of Neural Text Degeneration (2020), §3.1: the fewest symbols whose probabilities add
# up to ρ, which are those before which there is less than ρ.
TOP_P = """
data s[b,v], ρ
p[b,v] = exp(s[b,v] - logsumexp[v'](s[b,v']))
above[b,v] = sum[v'](p[b,v']*[s[b,v'] > s[b,v]])
a[b,v] = where([above[b,v] < ρ], s[b,v], -1e30)
"""
# Gumbel, Statistical Theory of Extreme Values (1954), §1; Maddison, Tarlow, Minka, A* Sampling (2014), §2.
DRAW = "data s[b,v]\nrandom r[b,v] ~ uniform\ny[b] = argmax[v](s[b,v] - log(-log(r[b,v])))"
GREATEST = "data s[b,v]\ny[b] = argmax[v](s[b,v])"

# What is given at a position is g[b], or -1 where the symbol drawn before is read.  A state is a real number, so a sum
# of brackets makes a position of it.
FEEDBACK = """
integer g[b], y[b]
state last[b] = 0
axis v
drawn[b] = argmax[v]([v = last[b]])
x[b] = where([g[b] >= 0], g[b], drawn[b])
last'[b] = 1.0*y[b]
"""

GIVEN, SYMBOL, LAST, MAY_COME = "given", "symbol", "last", "allowed"


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is chosen from its logits.

    ``temperature``: what logits are divided by; at 0 the most probable symbol is taken.  ``top_k``: only so many of the
    most probable symbols, ``top_p``: only the fewest whose probabilities add up to that; None for all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        check_number("generate", "temperature", self.temperature, low=0)
        if self.top_k is not None:
            check_count("generate", "top_k", self.top_k)
        if self.top_p is not None:
            check_number("generate", "top_p", self.top_p, above=0, high=1)

    @property
    def values(self) -> dict[str, float]:
        """The scalars of the equations by name."""
        given = {"τ": self.temperature, "κ": self.top_k, "ρ": self.top_p} if self.temperature else {}
        return {f"sampling.{name}": float(value) for name, value in given.items() if value is not None}


def generating(step: Stepping, sampling: Sampling) -> System:
    """The step with the next symbol drawn and read in the step after it.

    In place of ``x[b]`` it reads ``given[b]`` (-1: the symbol drawn last) and ``allowed[v]``, 1 for each symbol that
    may be drawn; ``symbol[b]`` is what it draws.
    """
    system = step.system
    under = Composition((), {})
    under.taken |= set(system.axes)
    logits = Tensor(step.output, system.tensor_axes[step.output])
    seen = logits
    for text in _filters(sampling):
        seen = _placed(under, text, seen)
    _placed(under, DRAW if sampling.temperature else GREATEST, seen, SYMBOL)
    back = Composition((), {})
    back.place(
        definition_system(FEEDBACK, "feedback"),
        "sampling",
        {"y": Tensor(SYMBOL, logits.axes[:1])},
        names={"g": GIVEN, "x": "x", "last": LAST},
        axes={"v": logits.axes[1:]},
    )
    given = tuple(tensor for tensor in system.inputs if tensor.name != "x")
    made = System(
        (*back.equations, *system.equations, *under.equations), (*given, *back.inputs, *under.inputs), system.sizes
    )
    check(made)
    return made


def _filters(sampling: Sampling) -> tuple[str, ...]:
    """What is done to logits before a symbol is drawn."""
    if not sampling.temperature:
        return (ALLOWED,)
    few = () if sampling.top_k is None else (TOP_K,)
    likely = () if sampling.top_p is None else (TOP_P,)
    return (ALLOWED, TEMPERATURE, *few, *likely)


def _placed(under: Composition, text: str, logits: Tensor, name: str | None = None) -> Tensor:
    """One of the texts above, written behind those before it; its last tensor, which may be given a ``name``."""
    definition = definition_system(text, "sampling")
    last = definition.equations[-1].name
    # Named without a number: random inputs go by their names, and the draws should not depend on what stands before.
    names = {
        tensor.name: f"sampling.{tensor.name}" for tensor in definition.inputs if tensor.name in ("τ", "κ", "ρ", "r")
    }
    names |= {"ν": MAY_COME} | ({} if name is None else {last: name})
    return under.place(definition, under.scope("sampling"), {"s": logits}, names=names)[last]
