"""Syntax trees of expressions to nodes, remembering where each part stands."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from chainrule.equations.affine import as_index, position_or_value
from chainrule.equations.functions import CONSTANTS, FUNCTIONS
from chainrule.equations.grammar import (
    REDUCTION_NAMES,
    SIGNS,
    SUPERSCRIPTS,
    canonical_name,
    is_function,
    literal,
    span_of,
    token_span,
)
from chainrule.equations.node import REDUCTIONS, Access, Apply, Expression, Index, Number, Reduce, axis
from chainrule.equations.walk import subexpressions
from chainrule.errors import EquationError, Source

# What is known elsewhere by a name that the catalogue does not have, and how it is written here.
_OTHERWISE = {
    "softmax": "write exp(s[k] - logsumexp[k'](s[k']))",
    "mean": "write sum[i](x[i])/size(i)",
    "prod": "write exp(sum[i](log(x[i])))",
    "σ": "write sigmoid",
    "ln": "write log",
    "pow": "write x^y",
}


class Reader:
    """Turns the tree of one statement into nodes, remembering where each part stands."""

    def __init__(self, source: Source, tensors: Mapping[str, tuple[str, ...]], declared: bool | None) -> None:
        self.source = source
        self.tensors = tensors
        self.scalars = {name for name, axes in tensors.items() if not axes}
        self.declared = declared
        self.scope: set[str] | None = None if declared is None else set()
        self.spans: dict[tuple[object, ...], tuple[int, int]] = {}

    def fail(self, message: str, span: tuple[int, int]) -> EquationError:
        return EquationError(message, self.source, span)

    def expression(self, tree: Any, path: tuple[object, ...], integer: bool) -> Any:
        """The node of a tree; in an ``integer`` place sums over axes become one Index."""
        span = span_of(tree)
        node = getattr(self, tree.data)(tree, path, integer)
        if not isinstance(node, Index) and isinstance(node, (Number, Apply)):
            index = as_index(node, integer)
            if index is not None:
                for inner in [other for other in self.spans if other[: len(path)] == path]:
                    del self.spans[inner]
                node = index
        self.spans[path] = span
        return node

    def number(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        return Number(literal(tree.children[0], self.source))

    def group(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        return self.expression(tree.children[0], path, integer)  # type: ignore[no-any-return]

    def name(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        name = canonical_name(tree.children[0])
        if name in CONSTANTS:
            return Apply(name, ())
        bound = self.scope is not None and name in self.scope
        if not bound and is_function(name):
            raise self.fail(f"{name} is a function; it needs arguments", span_of(tree))
        if bound and name in self.scalars and not integer:
            raise self.fail(f"{name} is both an axis here and a tensor without axes; rename one", span_of(tree))
        if bound or (self.scope is None and name not in self.scalars):
            return axis(name)
        if name in self.scalars or (self.declared is False and not integer):
            return Access(name, ())
        if name in self.tensors:
            axes = self.tensors[name]
            has = f"{name}[{','.join(axes)}] has {len(axes)} ax{'is' if len(axes) == 1 else 'es'}"
            raise self.fail(f"{has}; write {name}[{','.join('…' for _ in axes)}]", span_of(tree))
        near = difflib.get_close_matches(name, self.scalars | (self.scope or set()), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        kind = "unknown axis" if integer else "unknown name"
        raise self.fail(f"{kind} {name}: it is neither on the left, nor summed over, nor a tensor{hint}", span_of(tree))

    def access(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        name = canonical_name(tree.children[0])
        if name in REDUCTION_NAMES:
            raise self.fail(f"{name}[…] needs a body in parentheses: {name}[axis](expression)", span_of(tree))
        if name in FUNCTIONS:
            raise self.fail(f"{name} is a function; write {name}(…)", span_of(tree))
        indices = [child for child in tree.children[1:] if child is not None]
        return Access(name, tuple(self.expression(i, (*path, n), True) for n, i in enumerate(indices)))

    def reduce(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        operation = REDUCTION_NAMES.get(canonical_name(tree.children[0]))
        if operation is None:
            near = difflib.get_close_matches(str(tree.children[0]), REDUCTIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else f" (one of {', '.join(REDUCTIONS)})"
            name = canonical_name(tree.children[0])
            hint = f"; {_OTHERWISE[name]}" if name in _OTHERWISE else hint
            raise self.fail(f"unknown reduction {name}{hint}", token_span(tree.children[0]))
        for item in tree.children[1:-1]:
            if item is None or item.data != "name":
                culprit = tree if item is None else item
                raise self.fail(f"{operation}[…] takes the names of the axes to go over", span_of(culprit))
        axes = tuple(canonical_name(item.children[0]) for item in tree.children[1:-1])
        if len(set(axes)) < len(axes):
            raise self.fail(f"{operation} names an axis twice", span_of(tree))
        if operation in ("argmax", "argmin") and len(axes) > 1:
            raise self.fail(f"{operation} takes one axis", span_of(tree))
        outer = self.scope
        if outer is not None:
            self.scope = outer | set(axes)
        body = self.expression(tree.children[-1], (*path, 0), False)
        self.scope = outer
        return Reduce(operation, axes, body)

    def call(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        name = canonical_name(tree.children[0])
        arguments = [child for child in tree.children[1:] if child is not None]
        if name == "size":
            return self.size_of(tree, arguments)
        function = FUNCTIONS.get(name)
        if function is None or not name.isidentifier():
            named = [other for other in FUNCTIONS if other.isidentifier()] + ["size"]
            near = difflib.get_close_matches(name, named, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            if name in REDUCTION_NAMES:
                hint = f"; it reduces over axes: {name}[axis](…)"
            elif name in _OTHERWISE:
                hint = f"; {_OTHERWISE[name]}"
            raise self.fail(f"unknown function {name}{hint}", token_span(tree.children[0]))
        if len(arguments) != function.arity:
            raise self.fail(
                f"{name} takes {function.arity} argument{'s' if function.arity != 1 else ''}, not {len(arguments)}",
                span_of(tree),
            )
        return Apply(name, tuple(self.expression(a, (*path, n), False) for n, a in enumerate(arguments)))

    def size_of(self, tree: Any, arguments: list[Any]) -> Expression:
        if len(arguments) != 1 or arguments[0].data != "name":
            raise self.fail("size takes the name of one axis", span_of(tree))
        return Number(canonical_name(arguments[0].children[0]))

    def bracket(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        return self.expression(tree.children[0], path, integer)  # type: ignore[no-any-return]

    def comparison(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        first, sign, second, next_sign, third = tree.children
        sign = SIGNS.get(str(sign), str(sign))
        arguments = [first, second]
        if third is not None:
            next_sign = SIGNS.get(str(next_sign), str(next_sign))
            if (sign, next_sign) != ("<=", "<"):
                raise self.fail(
                    f"a chained comparison is written [low <= value < high]; write "
                    f"{self._unchained(first, sign, second, next_sign, third)}",
                    span_of(tree),
                )
            sign, arguments = "<=<", [first, second, third]
        sides = [self.expression(argument, (*path, n), False) for n, argument in enumerate(arguments)]
        return Apply(sign, tuple(position_or_value(side) for side in sides))

    def _unchained(self, first: Any, sign: str, second: Any, next_sign: str, third: Any) -> str:
        """The chained comparison that is meant if the value is a position, else the product of two brackets."""
        low, value, high = (self.source.text[slice(*span_of(part))] for part in (first, second, third))
        if sign in "<=" and next_sign in "<=" and isinstance(self.expression(second, (), True), Index):
            low = _next(low) if sign == "<" else low
            high = _next(high) if next_sign == "<=" else high
            return f"[{low} <= {value} < {high}]"
        return f"[{low} {sign} {value}]*[{value} {next_sign} {high}]"

    def negative(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        inner = tree.children[1]
        if inner.data == "number":
            return Number(-literal(inner.children[0], self.source))
        return Apply("neg", (self.expression(inner, (*path, 0), integer),))

    def sum(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        terms = [self.expression(tree.children[0], (*path, 0), integer)]
        for position, (sign, child) in enumerate(zip(tree.children[1::2], tree.children[2::2], strict=True), 1):
            if sign != "+" or child.data == "negative":
                # "x + -y" is "x - y".
                inner = child if sign != "+" else child.children[1]
                terms.append(Apply("neg", (self.expression(inner, (*path, position, 0), integer),)))
                self.spans[*path, position] = span_of(child)
            else:
                terms.append(self.expression(child, (*path, position), integer))
        return Apply("+", tuple(terms))

    def product(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        """``a*b/c*d`` is ((a*b)/c)*d; runs of factors are one product."""
        first, *others = tree.children
        groups: list[tuple[str, list[Any]]] = []
        for sign, child in zip(others[::2], others[1::2], strict=True):
            sign = SIGNS.get(str(sign), str(sign))
            if sign == "*" and groups and groups[-1][0] == "*":
                groups[-1][1].append(child)
            else:
                groups.append((sign, [child]))
        node: Any = self.expression(first, (*path, *([0] * len(groups))), integer)
        for level, (sign, factors) in enumerate(groups, 1):
            here = (*path, *([0] * (len(groups) - level)))
            if sign in ("//", "%"):
                self.divisor(factors[0])
            node = Apply(
                sign, (node, *(self.expression(child, (*here, n), integer) for n, child in enumerate(factors, 1)))
            )
            self.spans[here] = (span_of(first)[0], span_of(factors[-1])[1])
        return node  # type: ignore[no-any-return]

    def divisor(self, tree: Any) -> None:
        """``t % s`` where s is no position here: its size is meant."""
        if tree.data == "name" and self.scope is not None:
            name = canonical_name(tree.children[0])
            if name not in self.scope and name not in self.tensors and name not in CONSTANTS:
                raise self.fail(f"axis {name} has no value here; its size is written size({name})", span_of(tree))

    def power(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        base, _, exponent = tree.children
        return Apply("^", (self.expression(base, (*path, 0), False), self.expression(exponent, (*path, 1), False)))

    def raised(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        """``x²``."""
        base, exponent = tree.children
        self.spans[*path, 1] = token_span(exponent)
        return Apply("^", (self.expression(base, (*path, 0), False), Number(int(exponent.translate(SUPERSCRIPTS)))))

    def size(self, tree: Any) -> Expression:
        """A whole number or a relation between sizes, on the right of ``axis p = …``."""
        self.scope = set()
        sized = [id(part) for call in tree.find_data("call") for part in call.children]
        for part in tree.find_data("name"):
            if id(part) not in sized:
                name = canonical_name(part.children[0])
                raise self.fail(f"the size of axis {name} is written size({name})", span_of(part))
        node = self.expression(tree, (), True)
        for part in subexpressions(node):
            if isinstance(part, (Access, Reduce)) or (isinstance(part, Number) and isinstance(part.value, float)):
                raise self.fail(
                    "the size of an axis is a whole number or a relation between sizes, such as "
                    "(size(h) - size(u))//2 + 1",
                    span_of(tree),
                )
        return Number(node.constant) if isinstance(node, Index) and not node.terms else node


def _next(text: str) -> str:
    return str(int(text) + 1) if text.isdecimal() else f"{text} + 1"
