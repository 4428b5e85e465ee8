"""Next values of parameters and states, in place where nothing needs the old ones any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.backends.numpy.arithmetic import add, multiply
from chainrule.backends.numpy.value import expanded, real
from chainrule.backends.numpy.writer import Stored, Writer
from chainrule.equations.node import Access, Apply, Equation, Expression, access, factors_of, plain_axis, terms_of
from chainrule.equations.order import Block, order
from chainrule.equations.system import System
from chainrule.equations.walk import subexpressions, tensors


@dataclass(frozen=True)
class Plan:
    """Blocks in the order in which they are computed.

    ``in_place``: the equations ``θ'`` that overwrite θ where they stand.  ``late``: the θ that are overwritten after
    everything else.  ``whole``: tensors that must have all of their axes as dimensions.
    """

    blocks: tuple[Block, ...]
    in_place: Mapping[str, str]
    late: tuple[str, ...]
    whole: frozenset[str]


def plan(system: System, outputs: Sequence[str]) -> Plan:
    """Put each next value after everything that reads the value of before, where that is possible."""
    blocks = list(order(system))
    in_place: dict[str, str] = {}
    late: list[str] = []
    for name, successor in system.updates.items():
        at = next(
            n for n, block in enumerate(blocks) if block.equations[0].name == successor or successor in _names(block)
        )
        readers = [n for n, block in enumerate(blocks) if n != at and name in _reads(block)]
        last = max(readers, default=-1)
        passed = blocks[at + 1 : last + 1]
        movable = blocks[at].axis is None and not any(successor in _reads(block) for block in passed)
        # Nor may it go past what overwrites a tensor that it reads.
        overwritten = {in_place[e.name] for block in passed for e in block.equations if e.name in in_place}
        movable = movable and not overwritten & _reads(blocks[at])
        if not movable or name in outputs:
            late.append(name)
            continue
        if last > at:
            blocks.insert(last, blocks.pop(at))
        in_place[successor] = name
    return Plan(tuple(blocks), in_place, tuple(late), _read_by_position(system) | set(outputs))


def _names(block: Block) -> set[str]:
    return {equation.name for equation in block.equations}


def _reads(block: Block) -> set[str]:
    return {name for equation in block.equations for name in tensors(equation)}


def _read_by_position(system: System) -> frozenset[str]:
    """Tensors of which some read is not at plain axes: outside they are 0, so that their sizes matter."""
    found = set()
    for equation in system.equations:
        for node in subexpressions(equation.expression):
            if isinstance(node, Access) and any(plain_axis(index) is None for index in node.indices):
                found.add(node.tensor)
    return frozenset(found)


def write_update(w: Writer, equation: Equation, name: str) -> None:
    """``θ -= …``, ``θ *= …`` then ``θ += …``, or ``θ[...] = …``."""
    variable = w.tensors[name].value
    own = access(name, equation.axes)
    scale, rest = _split(equation.expression, own)
    if scale is not None and all(name not in tensors(part) for part in (*scale, *(part for _, part in rest))):
        values = [w.value(part, equation.axes) for part in scale]
        terms = [(sign, w.value(part, equation.axes)) for sign, part in rest]
        if values:
            w.put(f"{variable.text} *= {expanded(multiply(w, values, equation.axes), equation.axes)}")
        if terms:
            sign = -1 if all(sign < 0 for sign, _ in terms) else 1
            total = add(w, [(sign * term, real(value, w.dtype)) for term, value in terms], equation.axes, False)
            w.put(f"{variable.text} {'-' if sign < 0 else '+'}= {expanded(total, equation.axes)}")
    else:
        value = real(w.value(equation.expression, equation.axes), w.dtype)
        w.put(f"{variable.text}[...] = {expanded(value, equation.axes)}")
    w.forget(variable.text)
    w.tensors[equation.name] = Stored(variable)


def _split(node: Expression, own: Access) -> tuple[list[Expression] | None, list[tuple[int, Expression]]]:
    """θ' = scale·θ + rest: the factors of the scale (None if it is not of this form), and the terms of the rest."""
    terms = terms_of(node)
    scale: list[Expression] | None = None
    rest: list[tuple[int, Expression]] = []
    for term in terms:
        factors = list(factors_of(term))
        if scale is None and factors.count(own) == 1 and not _has_brackets(factors):
            factors.remove(own)
            scale = factors
        elif isinstance(term, Apply) and term.function == "neg":
            rest.append((-1, term.arguments[0]))
        else:
            rest.append((1, term))
    return scale, rest


def _has_brackets(factors: Sequence[Expression]) -> bool:
    return any(isinstance(factor, Apply) and factor.function in ("=", "<", "<=<") for factor in factors)
