"""Which integer expressions are positions in affine form: ``2*p + u - 1`` as one Index."""

from __future__ import annotations

from typing import Any

from chainrule.equations.node import Apply, Expression, Index, Number
from chainrule.equations.walk import combine, general_index


def as_index(node: Any, integer: bool) -> Index | None:
    """The node as an affine Index if it is one: always in an integer place, elsewhere only if it has an axis."""
    index = _affine(node)
    if index is None:
        return None
    mentions_axis = any(not isinstance(atom, Number) for _, atom in index.terms)
    return index if integer or mentions_axis else None


def as_position(node: Expression) -> Expression:
    """The node in the form that it has in an integer place: every affine part of it is one Index."""
    index = as_index(node, True)
    if index is not None:
        return index
    match node:
        case Apply("+", arguments):
            return Apply("+", tuple(_term(argument) for argument in arguments))
        case Apply("*" | "neg" | "//" | "%" as function, arguments):
            return Apply(function, tuple(as_position(argument) for argument in arguments))
    return node


def _term(node: Expression) -> Expression:
    """A term of a sum that is no Index as a whole; what is subtracted stays so."""
    if isinstance(node, Apply) and node.function == "neg":
        return Apply("neg", (as_position(node.arguments[0]),))
    return as_position(node)


def as_value(node: Expression) -> Expression:
    """The node in the form that it has where any number may stand: an Index without axes is arithmetic on sizes."""
    match node:
        case Index(terms, constant) if all(isinstance(atom, Number) for _, atom in terms):
            return general_index(terms, constant) if terms else Number(constant)
        case Apply("+" | "*" | "neg" | "//" | "%" as function, arguments):
            return Apply(function, tuple(as_value(argument) for argument in arguments))
    return node


def position_or_value(node: Expression) -> Expression:
    """One side of a comparison: ``size(t) - 1`` is a position like ``t - 1``, a whole number is a Number."""
    index = as_index(node, True) if isinstance(node, (Apply, Index)) else None
    if index is None:
        return as_value(node)
    if not index.terms:
        return Number(index.constant) if isinstance(node, Index) else node
    return _divisor(index) if _is_size(index) else index


def _affine(node: Any) -> Index | None:
    match node:
        case Index():
            return node
        case Number(int() | str()):
            return combine([(1, node)], 0)
        case Apply("+", arguments):
            parts = [_affine(argument) for argument in arguments]
            return None if None in parts else combine([(1, part) for part in parts], 0)
        case Apply("neg", (argument,)):
            part = _affine(argument)
            return None if part is None else combine([(-1, part)], 0)
        case Apply("*", arguments):
            product = Index((), 1)
            for argument in arguments:
                part = _affine(argument)
                if part is None or (part.terms and product.terms):
                    return None
                product = combine([(product.constant, part)] if not product.terms else [(part.constant, product)], 0)
            return product
        case Apply("//" | "%" as function, (left, right)):
            part, divisor = _affine(left), _affine(right)
            if part is None or divisor is None or (divisor.terms and not _is_size(divisor)):
                return None
            return Index(((1, Apply(function, (part, _divisor(divisor)))),), 0)
    return None


def _is_size(index: Index) -> bool:
    if index.constant or len(index.terms) != 1:
        return False
    coefficient, atom = index.terms[0]
    return coefficient == 1 and isinstance(atom, Number)


def _divisor(index: Index) -> Number:
    if index.terms:
        atom = index.terms[0][1]
        assert isinstance(atom, Number)
        return atom
    return Number(index.constant)
