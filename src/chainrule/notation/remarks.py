"""What is said in words beside equations: which way a recurrence runs, what a gather and its derivative do, who won.

Everything is read off the equations: their order of computation, the positions they read, the brackets they contain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chainrule.calculus.derivation import Log
from chainrule.equations.node import Access, Apply, Equation, Expression, Reduce, plain_axis
from chainrule.equations.order import Block, order
from chainrule.equations.walk import subexpressions
from chainrule.notation.compose import compose
from chainrule.notation.document import Words
from chainrule.notation.layout import Box
from chainrule.notation.names import Names


def listing(boxes: Iterable[Box]) -> Words:
    """a, b and c."""
    found = list(boxes)
    words: list[str | Box] = []
    for position, box in enumerate(found):
        if position:
            words.append(" and " if position == len(found) - 1 else ", ")
        words.append(box)
    return tuple(words)


def system_remarks(log: Log, names: Names) -> Iterator[Words]:
    """Of the system: its recurrences, its gathers, and what is carried from step to step beside the cost."""
    for block in order(log.forward):
        if block.axis is not None:
            yield _recurrence(block, names)
    for equation in log.forward.equations:
        match equation.expression:
            case Access(tensor, indices):
                for position in filter(_looked_up, indices):
                    yield (names.tensor(equation.name), " is a gather: ", compose(position, names),
                           " says which part of ", names.tensor(tensor), " is read.")  # fmt: skip
    states = {tensor.name for tensor in log.forward.named("state")}
    updated = [name for name, after in log.forward.updates.items() if name in states and after not in log.adjoints]
    if updated:
        many = len(updated) > 1
        yield (*listing(names.tensor(log.forward.updates[state]) for state in updated),
               f" {'are' if many else 'is'} carried to the next step; ", names.tensor(log.cost),
               f" does not read {'them' if many else 'it'}, so no derivative goes through {'them' if many else 'it'}.",
               )  # fmt: skip


def derivation_remarks(log: Log, names: Names) -> Iterator[Words]:
    """Of all derivatives: those that form recurrences."""
    derived = {equation.name for equation in log.equations}
    for block in order(log.system):
        if block.axis is not None and block.equations[0].name in derived:
            yield ("Backpropagation through time: ", *_recurrence(block, names))


def remarks(equation: Equation, names: Names) -> Iterator[Words]:
    """Of one derivative: brackets that scatter, brackets that say who won."""
    for node in subexpressions(equation.expression):
        if not (isinstance(node, Apply) and node.function == "="):
            continue
        left, right = node.arguments
        if isinstance(right, Reduce) and right.operation in ("argmax", "argmin"):
            reached = "largest" if right.operation == "argmax" else "smallest"
            yield (f"Only the {reached} element of a window gets the derivative; among equal ones, the first.",)
            return
        if plain_axis(left) in equation.axes and _looked_up(right) and _under_sum(equation.expression, node):
            yield ("A scatter-add: each term of the sum is added to the element at ", compose(left, names), " = ",
                   compose(right, names), ", and what is met several times adds up.")  # fmt: skip
            return


def _recurrence(block: Block, names: Names) -> Words:
    first, last, which = ("first", "last", "an earlier") if block.direction > 0 else ("last", "first", "a later")
    tensors = listing(names.tensor(equation.name) for equation in block.equations)
    alone = len(block.equations) == 1
    return (*tensors, f" {'is' if alone else 'are'} computed from the {first} ", names.axis(block.axis or ""),
            f" to the {last}: each {'reads itself' if alone else 'step reads them'} at {which} one, and what lies "
            f"{'before the first' if block.direction > 0 else 'behind the last'} is 0.")  # fmt: skip


def _looked_up(position: Expression) -> bool:
    """Whether a position is read from a tensor; that of a maximum is not."""
    parts = list(subexpressions(position))
    return any(isinstance(part, Access) for part in parts) and not any(isinstance(part, Reduce) for part in parts)


def _under_sum(expression: Expression, bracket: Apply) -> bool:
    return any(
        isinstance(node, Reduce) and node.operation == "sum" and any(part is bracket for part in subexpressions(node))
        for node in subexpressions(expression)
    )
