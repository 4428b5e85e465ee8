"""The language as data.

A network is a system of equations in index notation.  The grammar of what may stand on a right-hand side:

    expression ::= Number                       0.5      size(b)
                 | Index                        t-1      2*p + u - 1      s//2
                 | Access                       x[b, 2*p+u]      E[token[b,t], d]
                 | Apply                        tanh(z[b,j])     x*y      [k <= q]
                 | Reduce                       sum[i](x[b,i]*W[i,j])
    equation   ::= name[axes] = expression      true for all values of the axes on its left

Nodes are frozen and interned: two nodes that are written alike are the same object, so ``is`` is equality and any
node is a dictionary key.  Constructors never simplify; what the author wrote is what is shown.

An axis is a name.  Primes mark copies: ``k'`` runs over the same range as ``k``.  The axis ``...`` stands for
"whatever axes the tensor has" in the definitions of layers, losses and optimizers; it is replaced before use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

_interned: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()


class _Interning(type):
    """Make ``Class(*fields)`` return the one object with these fields."""

    def __call__(cls, *fields: Any) -> Any:
        key = (cls, fields, tuple(map(type, fields)))
        node = _interned.get(key)
        if node is None:
            node = super().__call__(*fields)
            node = _interned.setdefault(key, node)
        return node


class Node(metaclass=_Interning):
    """Common to the six kinds of node: identity is equality, arithmetic builds expressions.

    ``str`` gives the text form; ``write.py``, which knows it, puts ``__str__`` here.
    """

    __slots__ = ()

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field) for field in self.__dataclass_fields__)  # type: ignore[attr-defined]

    def __add__(self, other: Expression | float) -> Apply:
        return Apply("+", (*terms_of(self), *terms_of(_node(other))))

    def __radd__(self, other: float) -> Apply:
        return Apply("+", (*terms_of(_node(other)), *terms_of(self)))

    def __sub__(self, other: Expression | float) -> Apply:
        return Apply("+", (*terms_of(self), -_node(other)))

    def __rsub__(self, other: float) -> Apply:
        return Apply("+", (*terms_of(_node(other)), -self))

    def __mul__(self, other: Expression | float) -> Apply:
        return Apply("*", (*factors_of(self), *factors_of(_node(other))))

    def __rmul__(self, other: float) -> Apply:
        return Apply("*", (*factors_of(_node(other)), *factors_of(self)))

    def __truediv__(self, other: Expression | float) -> Apply:
        return Apply("/", (_node(self), _node(other)))

    def __rtruediv__(self, other: float) -> Apply:
        return Apply("/", (_node(other), _node(self)))

    def __pow__(self, other: Expression | float) -> Apply:
        return Apply("^", (_node(self), _node(other)))

    def __neg__(self) -> Apply:
        return Apply("neg", (_node(self),))


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Number(Node):
    """A literal, or, when the value is an axis name, the size of that axis (known when compiled)."""

    value: int | float | str

    @property
    def is_size(self) -> bool:
        return isinstance(self.value, str)


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Index(Node):
    """An integer position: ``Σ coefficient·atom + constant``.

    An atom is an axis name, the size of an axis (a ``Number``), or an ``Apply`` of ``//`` or ``%`` to an ``Index``
    and a ``Number``.  Terms stand in the order in which they were written; ``calculus`` compares in sorted order.
    """

    terms: tuple[tuple[int, Atom], ...]
    constant: int


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Access(Node):
    """A tensor read at integer expressions, one for each of its axes; 0 outside its range."""

    tensor: str
    indices: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Apply(Node):
    """A scalar function of the catalogue (``functions.py``) applied to expressions."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Reduce(Node):
    """``sum``, ``max``, ``min``, ``logsumexp``, ``argmax`` or ``argmin`` of a body over axes."""

    operation: str
    axes: tuple[str, ...]
    body: Expression


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Equation(Node):
    """``name[axes] = expression``."""

    name: str
    axes: tuple[str, ...]
    expression: Expression

    def _repr_html_(self) -> str:
        from chainrule.notation import page, system

        return page.untitled(system.equation_document(self))


Expression = Number | Index | Access | Apply | Reduce
Atom = str | Number | Apply

POSITIONS = ("argmax", "argmin")  # reductions whose value is a position
REDUCTIONS = ("sum", "max", "min", "logsumexp", *POSITIONS)


def _node(value: Expression | float | Node) -> Any:
    return value if isinstance(value, Node) else Number(value)


def terms_of(node: Any) -> tuple[Any, ...]:
    """The terms of a sum; any other expression is its own only term."""
    return node.arguments if isinstance(node, Apply) and node.function == "+" else (node,)


def factors_of(node: Any) -> tuple[Any, ...]:
    """The factors of a product; any other expression is its own only factor."""
    return node.arguments if isinstance(node, Apply) and node.function == "*" else (node,)


def axis(name: str) -> Index:
    """The axis ``name`` used as its own value."""
    return Index(((1, name),), 0)


def access(tensor: str, axes: Iterable[str]) -> Access:
    """The tensor read at plain axes: ``x[b,i]``."""
    return Access(tensor, tuple(axis(name) for name in axes))


def plain_axis(expression: Expression) -> str | None:
    """The name of the axis if the expression is just that axis, else None."""
    if isinstance(expression, Index) and expression.constant == 0 and len(expression.terms) == 1:
        coefficient, atom = expression.terms[0]
        if coefficient == 1 and isinstance(atom, str):
            return atom
    return None


def base_axis(name: str) -> str:
    """The axis of which ``name`` is a copy: ``k''`` → ``k``."""
    return name.rstrip("'")
