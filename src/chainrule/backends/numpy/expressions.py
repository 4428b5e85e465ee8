"""The rule of lowering for each kind of node."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.backends.numpy.arithmetic import add, function, multiply, select
from chainrule.backends.numpy.reads import lower_read
from chainrule.backends.numpy.sums import lower_product, lower_sum
from chainrule.backends.numpy.value import ATOM, Value, dropped, integer, literal, real
from chainrule.backends.numpy.writer import Axes, Rule, Writer
from chainrule.equations.kinds import kind_of, kinds
from chainrule.equations.node import Access, Apply, Index, Number, Reduce, base_axis


def lower_number(w: Writer, node: Number, wanted: Axes) -> Value:
    return w.extents.value(node.value) if isinstance(node.value, str) else literal(node.value)


def lower_index(w: Writer, node: Index, wanted: Axes) -> Value:
    """An axis as its own value: ``np.arange``, made once, or the loop variable."""
    terms = [(1, literal(node.constant))] if node.constant or not node.terms else []
    for coefficient, atom in node.terms:
        if not isinstance(atom, str):
            part = w.value(atom, wanted)
        elif atom in w.loop:
            part = Value(w.loop[atom], (), "integer", weak=True)
        else:
            part = Value(f"np.arange({w.extents.text(atom)})", (atom,), "integer", constant=True)
            part = Value(w.constant(part, base_axis(atom)).text, (atom,), "integer", constant=True)
        if abs(coefficient) != 1:
            part = multiply(w, [literal(abs(coefficient)), part], wanted)
        terms.append((1 if coefficient > 0 else -1, part))
    return add(w, terms, wanted, True)


def lower_apply(w: Writer, node: Apply, wanted: Axes) -> Value:
    """A scalar function."""
    match node:
        case Apply("+", arguments):
            terms = [(1, argument) for argument in arguments]
            signed = [
                (-sign, part.arguments[0]) if isinstance(part, Apply) and part.function == "neg" else (sign, part)
                for sign, part in terms
            ]
            whole = kind_of(node, kinds(w.system)) == "integer"
            return add(w, [(sign, w.value(part, wanted)) for sign, part in signed], wanted, whole)
        case Apply("neg", (argument,)) if not isinstance(argument, Apply) or argument.function not in ("*", "/", "neg"):
            whole = kind_of(node, kinds(w.system)) == "integer"
            return add(w, [(-1, w.value(argument, wanted))], wanted, whole)
        case Apply("*" | "/" | "neg", _):
            return lower_product(w, node, wanted)
        case Apply("where", (condition, yes, no)):
            return select(w, w.value(condition, wanted), w.value(yes, wanted), w.value(no, wanted), wanted)
    return function(w, node.function, [w.value(argument, wanted) for argument in node.arguments], wanted)


def lower_reduce(w: Writer, node: Reduce, wanted: Axes) -> Value:
    """A reduction; along axes on which the body does not depend it is known beforehand."""
    if node.operation == "sum":
        return lower_sum(w, node.axes, node.body, wanted)
    value = w.value(node.body, (*wanted, *node.axes))
    over = [name for name in node.axes if name in value.axes]
    if node.operation in ("argmax", "argmin"):
        if not over:
            return literal(0)
        found = dropped(value, over, node.operation)
        return Value(found.text, found.axes, "integer", constant=found.constant)
    if node.operation in ("max", "min"):
        return dropped(integer(value), over, node.operation) if over else value
    value = real(value, w.dtype)
    if over:
        places = [value.axes.index(name) for name in over]
        axis = str(places[0]) if len(places) == 1 else f"({', '.join(map(str, places))})"
        kept = tuple(name for name in value.axes if name not in over)
        value = Value(f"logsumexp({value.text}, {axis})", kept, binding=ATOM, constant=value.constant)
    missing = [w.extents.value(name) for name in node.axes if name not in over]
    if not missing:
        return value
    count = function(w, "log", [multiply(w, missing, ())], ())
    return add(w, [(1, value), (1, count)], wanted, False)


RULES: Mapping[type, Rule] = {
    Number: lower_number,
    Index: lower_index,
    Access: lower_read,
    Apply: lower_apply,
    Reduce: lower_reduce,
}
