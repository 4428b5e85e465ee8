r"""Text to systems.

    # comments run to the end of the line; a line goes on while a bracket is open
    axis b, i = 784, p = (size(h) - size(u))//2 + 1     sizes of axes: known, related, or solved from data
    data x[b,i]                                          inputs, each with its role
    integer t[b]
    parameter W[i,j], β[j]
    state m[j] = 0
    random r[b,j] ~ uniform
    z[b,j] = sum[i](x[b,i]*W[i,j]) + β[j]                 equations

A text that declares no inputs needs none: what it reads and does not define is gathered, as ``integer`` where it is
used as an index and as ``data`` elsewhere.  Greek letters may be spelled out (``beta1`` is ``β1``), ``partial W`` is
``∂W``, and ``≤ ≥ ≠ · Σ **`` are understood.  The text is never evaluated as Python.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from chainrule.equations.check import check
from chainrule.equations.functions import CONSTANTS, FUNCTIONS
from chainrule.equations.node import (
    REDUCTIONS,
    Access,
    Apply,
    Equation,
    Expression,
    Index,
    Number,
    Reduce,
    axis,
    base_axis,
    plain_axis,
)
from chainrule.equations.system import DISTRIBUTIONS, Input, System
from chainrule.equations.walk import affine_atom, combine, subexpressions
from chainrule.errors import ChainruleError, EquationError, Source

GRAMMAR = r"""
?statement: "axis" axis_item ("," axis_item)*              -> axes
          | ROLE input_item ("," input_item)*              -> inputs
          | target "=" sum                                 -> equation
axis_item: NAME ["=" sum]
input_item: target ["=" signed_number] ["~" NAME]
target: NAME ["[" [axis_name ("," axis_name)*] "]"]
axis_name: NAME | ELLIPSIS

?sum: signed ((PLUS | MINUS) signed)*
?signed: product | MINUS product                           -> negative
?product: power (MULTIPLY power)*
?power: atom | atom POWER exponent
?exponent: atom | MINUS atom                               -> negative
?atom: NUMBER                                              -> number
     | NAME                                                -> name
     | ELLIPSIS                                            -> name
     | NAME "[" [argument ("," argument)*] "]"             -> access
     | NAME "[" [argument ("," argument)*] "]" "(" argument ")" -> reduce
     | NAME "(" [argument ("," argument)*] ")"             -> call
     | "[" comparison "]"                                  -> bracket
     | "(" sum ")"                                         -> group
?argument: sum | comparison
comparison: sum COMPARE sum [COMPARE sum]
signed_number: [MINUS] NUMBER

ROLE.2: /(data|integer|parameter|state|random)(?=\s)/
PLUS: "+"
MINUS: "-"
MULTIPLY: "*" | "//" | "/" | "%" | "·" | "×"
POWER: "^" | "**"
COMPARE: "<=" | ">=" | "==" | "!=" | "≤" | "≥" | "≠" | "<" | ">" | "="
ELLIPSIS: "..."
NUMBER: /(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?/
NAME: /((∂|partial\s+)[²³]?)*([^\W\d]|[∑∞])[\w₀-₉]*(\.\w+)*'*/
%ignore /\s+/
"""

_GREEK = (
    "alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ "
    "sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ "
    "Psi Ψ Omega Ω infinity ∞ inf ∞"
).split()
GREEK = dict(zip(_GREEK[::2], _GREEK[1::2], strict=True))
_GREEK_WORD = re.compile(rf"(?<![^\W\d_])({'|'.join(GREEK)})(?![^\W\d_])")
_SIGNS = {"≤": "<=", "≥": ">=", "≠": "!=", "==": "="}
_REDUCTION_NAMES = {**{name: name for name in REDUCTIONS}, "Σ": "sum", "∑": "sum"}


def canonical_name(name: str) -> str:
    """A name with Greek letters as letters and ``partial`` as ``∂``: ``partial beta1`` → ``∂β1``."""
    name = re.sub(r"partial\s+", "∂", name)
    return _GREEK_WORD.sub(lambda word: GREEK[word[1]], name)


def parse(text: str, file: str = "<equations>", *, shapes: Mapping[str, tuple[int, ...]] | None = None) -> System:
    """Read a system from its text and check it.

    Raises EquationError, which quotes the line and points at the culprit, when the text cannot be read or has no
    meaning.  With ``shapes`` (tensor name → sizes) the sizes of axes are solved and checked as well.
    """
    system = _System(text, file).read()
    check(system, shapes)
    return system


def parse_file(path: str | Path) -> System:
    """Read a system from a file of equations (UTF-8)."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ChainruleError(f"{path}: not a text file (byte {error.start} is not UTF-8)") from None
    return parse(text, str(path))


def parse_expression(text: str, scalars: tuple[str, ...] = ()) -> Expression:
    """Read one expression; bare names in ``scalars`` are tensors without axes, other bare names are axes."""
    source = Source(text, "<expression>", 1)
    tree = _tree(source, "sum")
    return _Reader(source, set(scalars), None).expression(tree, (), integer=False)


@lru_cache(maxsize=2)
def _grammar(start: str) -> Lark:
    return Lark(GRAMMAR, parser="lalr", start=start, propagate_positions=True, maybe_placeholders=True)


_EXPECTED = {
    "NAME": "a name", "NUMBER": "a number", "RPAR": "')'", "RSQB": "']'", "EQUAL": "'='", "COMMA": "','",
    "$END": "the end of the line", "COMPARE": "a comparison",
}


def _tree(source: Source, start: str) -> Tree[Token]:
    try:
        return _grammar(start).parse(source.text)
    except UnexpectedCharacters as error:
        at = error.pos_in_stream
        raise EquationError(f"unexpected character {source.text[at]!r}", source, (at, at + 1)) from None
    except UnexpectedToken as error:
        at = len(source.text.rstrip()) if error.token.type == "$END" else error.token.start_pos or 0
        found = "the line ends" if error.token.type == "$END" else f"unexpected {str(error.token)!r}"
        wanted = [_EXPECTED[name] for name in ("RPAR", "RSQB", "EQUAL", "NAME") if name in error.expected]
        if error.token.type == "$END" and "EQUAL" in error.expected and start == "statement":
            raise EquationError("an equation needs '=' and a right-hand side", source, (at, at + 1)) from None
        hint = f"; expected {' or '.join(wanted[:2])}" if wanted else ""
        raise EquationError(found + hint, source, (at, at + max(1, len(str(error.token))))) from None
    except UnexpectedInput as error:
        at = error.pos_in_stream or 0
        raise EquationError("cannot be read", source, (at, at + 1)) from None


def _statements(text: str, file: str) -> Iterator[Source]:
    """Statements with their line numbers: comments blanked, lines joined while a bracket is open."""
    waiting: list[str] = []
    first = depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("#", 1)[0].rstrip()
        if not waiting:
            first = number
        if not waiting and not code.strip():
            continue
        waiting.append(code)
        depth += sum(code.count(mark) for mark in "([") - sum(code.count(mark) for mark in ")]")
        if depth <= 0:
            yield Source("\n".join(waiting), file, first)
            waiting, depth = [], 0
    if waiting:
        yield Source("\n".join(waiting), file, first)


class _System:
    """Reads statements in two passes: first what is declared and defined, then the expressions."""

    def __init__(self, text: str, file: str) -> None:
        self.trees = [(source, _tree(source, "statement")) for source in _statements(text, file)]
        self.file = file
        self.inputs: list[Input] = []
        self.sources: dict[str, Source] = {}
        self.sizes: list[tuple[str, Expression | None]] = []
        self.equations: list[Equation] = []

    def read(self) -> System:
        if not self.trees:
            raise EquationError(f"{self.file}: no equations")
        scalars = set()
        for source, tree in self.trees:
            if tree.data == "inputs":
                self.declare(source, tree)
            elif tree.data == "equation" and not _target(tree.children[0])[1]:
                scalars.add(_target(tree.children[0])[0])
        scalars |= {tensor.name for tensor in self.inputs if not tensor.axes}
        for source, tree in self.trees:
            reader = _Reader(source, scalars, bool(self.inputs))
            if tree.data == "axes":
                self.size_axes(reader, tree)
            elif tree.data == "equation":
                self.define(reader, tree)
        if not self.equations:
            raise EquationError(f"{self.file}: no equations, only declarations")
        if not self.inputs:
            self.inputs = gather_inputs(self.equations, self.sources)
        return System(tuple(self.equations), tuple(self.inputs), tuple(self.sizes), self.sources)

    def claim(self, name: str, source: Source, span: tuple[int, int]) -> None:
        if name in self.sources:
            earlier = self.sources[name]
            line, _ = earlier.place(earlier.spans["left",][0])
            raise EquationError(f"{name} is already given in line {line}", source, span)
        if name in FUNCTIONS or name in _REDUCTION_NAMES:
            raise EquationError(f"{name} is the name of a function", source, span)

    def declare(self, source: Source, tree: Tree[Any]) -> None:
        role = str(tree.children[0])
        for item in tree.children[1:]:
            target, value, distribution = item.children
            name, axes, span = _target(target)
            self.claim(name, source, span)
            _distinct(name, axes, source, span)
            if value is not None and role != "state":
                raise EquationError(f"only a state has a value to start from; {name} is {role}", source, span)
            if (distribution is not None) != (role == "random"):
                raise EquationError(
                    f"random {name} needs a distribution: random {name} ~ uniform"
                    if role == "random" else f"only a random tensor has a distribution; {name} is {role}",
                    source, span)
            if distribution is not None and str(distribution) not in DISTRIBUTIONS:
                raise EquationError(f"unknown distribution {distribution}; one of {', '.join(DISTRIBUTIONS)}",
                                    source, _token_span(distribution))
            start: float | int | None = None
            if role == "state":
                start = 0
                if value is not None:
                    start = _literal(value.children[1]) * (-1 if value.children[0] else 1)
            self.sources[name] = Source(source.text, source.file, source.line, {("left",): span})
            self.inputs.append(Input(name, axes, role, start, str(distribution) if distribution else None))  # type: ignore[arg-type]

    def size_axes(self, reader: _Reader, tree: Tree[Any]) -> None:
        for item in tree.children:
            token, size = item.children
            name = canonical_name(token)
            if base_axis(name) != name:
                raise EquationError(f"{name} is a copy of {base_axis(name)}; declare {base_axis(name)}",
                                    reader.source, _token_span(token))
            if any(name == other for other, _ in self.sizes):
                raise EquationError(f"axis {name} is declared twice", reader.source, _token_span(token))
            relation = None if size is None else reader.size(size)
            self.sources[f"axis {name}"] = Source(
                reader.source.text, reader.source.file, reader.source.line, {("left",): _token_span(token)})
            self.sizes.append((name, relation))

    def define(self, reader: _Reader, tree: Tree[Any]) -> None:
        name, axes, span = _target(tree.children[0])
        self.claim(name, reader.source, span)
        _distinct(name, axes, reader.source, span)
        reader.scope = set(axes)
        expression = reader.expression(tree.children[1], (), integer=False)
        reader.spans["left",] = span
        self.sources[name] = Source(reader.source.text, reader.source.file, reader.source.line, reader.spans)
        self.equations.append(Equation(name, axes, expression))


class _Reader:
    """Turns the tree of one statement into nodes, remembering where each part stands."""

    def __init__(self, source: Source, scalars: set[str], declared: bool | None) -> None:
        self.source = source
        self.scalars = scalars
        self.declared = declared
        self.scope: set[str] | None = None if declared is None else set()
        self.spans: dict[tuple[object, ...], tuple[int, int]] = {}

    def fail(self, message: str, span: tuple[int, int]) -> EquationError:
        return EquationError(message, self.source, span)

    def expression(self, tree: Any, path: tuple[object, ...], integer: bool) -> Any:
        """The node of a tree; in an ``integer`` place sums over axes become one Index."""
        span = _span(tree)
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
        return Number(_literal(tree.children[0]))

    def group(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        return self.expression(tree.children[0], path, integer)  # type: ignore[no-any-return]

    def name(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        name = canonical_name(tree.children[0])
        if name in CONSTANTS:
            return Apply(name, ())
        bound = self.scope is not None and name in self.scope
        if bound and name in self.scalars and not integer:
            raise self.fail(f"{name} is both an axis here and a tensor without axes; rename one", _span(tree))
        if bound or (self.scope is None and name not in self.scalars):
            return axis(name)
        if name in self.scalars or self.declared is False and not integer:
            return Access(name, ())
        if name in FUNCTIONS or name in _REDUCTION_NAMES:
            raise self.fail(f"{name} is a function; it needs arguments", _span(tree))
        near = difflib.get_close_matches(name, self.scalars | (self.scope or set()), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        kind = "unknown axis" if integer else "unknown name"
        raise self.fail(f"{kind} {name}: it is neither on the left, nor summed over, nor a tensor{hint}", _span(tree))

    def access(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        name = canonical_name(tree.children[0])
        if name in _REDUCTION_NAMES:
            raise self.fail(f"{name}[…] needs a body in parentheses: {name}[axis](expression)", _span(tree))
        if name in FUNCTIONS:
            raise self.fail(f"{name} is a function; write {name}(…)", _span(tree))
        indices = [child for child in tree.children[1:] if child is not None]
        return Access(name, tuple(self.expression(i, (*path, n), True) for n, i in enumerate(indices)))

    def reduce(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        operation = _REDUCTION_NAMES.get(canonical_name(tree.children[0]))
        if operation is None:
            near = difflib.get_close_matches(str(tree.children[0]), REDUCTIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else f" (one of {', '.join(REDUCTIONS)})"
            raise self.fail(f"unknown reduction {tree.children[0]}{hint}", _token_span(tree.children[0]))
        for item in tree.children[1:-1]:
            if item is None or item.data != "name":
                raise self.fail(f"{operation}[…] takes the names of the axes to go over", _span(tree if item is None else item))
        axes = tuple(canonical_name(item.children[0]) for item in tree.children[1:-1])
        if len(set(axes)) < len(axes):
            raise self.fail(f"{operation} names an axis twice", _span(tree))
        if operation in ("argmax", "argmin") and len(axes) > 1:
            raise self.fail(f"{operation} takes one axis", _span(tree))
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
            if name in _REDUCTION_NAMES:
                hint = f"; it reduces over axes: {name}[axis](…)"
            raise self.fail(f"unknown function {name}{hint}", _token_span(tree.children[0]))
        if len(arguments) != function.arity:
            raise self.fail(f"{name} takes {function.arity} argument{'s' if function.arity != 1 else ''}, "
                            f"not {len(arguments)}", _span(tree))
        return Apply(name, tuple(self.expression(a, (*path, n), False) for n, a in enumerate(arguments)))

    def size_of(self, tree: Any, arguments: list[Any]) -> Expression:
        if len(arguments) != 1 or arguments[0].data != "name":
            raise self.fail("size takes the name of one axis", _span(tree))
        return Number(canonical_name(arguments[0].children[0]))

    def bracket(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        return self.expression(tree.children[0], path, integer)  # type: ignore[no-any-return]

    def comparison(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        first, sign, second, next_sign, third = tree.children
        sign = _SIGNS.get(str(sign), str(sign))
        arguments = [first, second]
        if third is not None:
            next_sign = _SIGNS.get(str(next_sign), str(next_sign))
            if (sign, next_sign) != ("<=", "<"):
                raise self.fail("a chained comparison is written [low <= value < high]", _span(tree))
            sign, arguments = "<=<", [first, second, third]
        return Apply(sign, tuple(self.expression(a, (*path, n), False) for n, a in enumerate(arguments)))

    def negative(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        inner = tree.children[1]
        if inner.data == "number":
            return Number(-_literal(inner.children[0]))
        return Apply("neg", (self.expression(inner, (*path, 0), integer),))

    def sum(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        terms = [self.expression(tree.children[0], (*path, 0), integer)]
        for position, (sign, child) in enumerate(zip(tree.children[1::2], tree.children[2::2], strict=True), 1):
            if sign == "-":
                terms.append(Apply("neg", (self.expression(child, (*path, position, 0), integer),)))
                self.spans[*path, position] = _span(child)
            else:
                terms.append(self.expression(child, (*path, position), integer))
        return Apply("+", tuple(terms))

    def product(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        """``a*b/c*d`` is ((a*b)/c)*d; runs of factors are one product."""
        made: tuple[str, list[Any]] | None = None
        nodes: list[Any] = [tree.children[0]]
        groups: list[tuple[str, list[Any]]] = []
        for sign, child in zip(tree.children[1::2], tree.children[2::2], strict=True):
            sign = "*" if str(sign) in ("·", "×") else str(sign)
            if made is not None and made[0] == "*" == sign:
                made[1].append(child)
            else:
                made = (sign, [child])
                groups.append(made)
        depths = len(groups)
        first_path = (*path, *([0] * depths))
        node: Any = self.expression(nodes[0], first_path, integer)
        for level, (sign, rest) in enumerate(groups):
            here = (*path, *([0] * (depths - 1 - level)))
            others = [self.expression(child, (*here, n), integer) for n, child in enumerate(rest, 1)]
            node = Apply(sign, (node, *others))
            self.spans[here] = (_span(nodes[0])[0], _span(rest[-1])[1])
        return node  # type: ignore[no-any-return]

    def power(self, tree: Any, path: tuple[object, ...], integer: bool) -> Expression:
        base, _, exponent = tree.children
        return Apply("^", (self.expression(base, (*path, 0), False), self.expression(exponent, (*path, 1), False)))

    def size(self, tree: Any) -> Expression:
        """A whole number or a relation between sizes, on the right of ``axis p = …``."""
        self.scope = set()
        node = self.expression(tree, (), True)
        for part in subexpressions(node):
            if isinstance(part, (Access, Reduce)) or isinstance(part, Number) and isinstance(part.value, float):
                raise self.fail("the size of an axis is a whole number or a relation between sizes, such as "
                                "(size(h) - size(u))//2 + 1", _span(tree))
        return Number(node.constant) if isinstance(node, Index) and not node.terms else node  # type: ignore[no-any-return]


def as_index(node: Any, integer: bool) -> Index | None:
    """The node as an affine Index if it is one: always in an integer place, elsewhere only if it has an axis."""
    index = _affine(node)
    if index is None:
        return None
    mentions_axis = any(not isinstance(atom, Number) for _, atom in index.terms)
    return index if integer or mentions_axis else None


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
            if part is None or divisor is None or divisor.terms and not _is_size(divisor):
                return None
            return Index(((1, Apply(function, (part, _divisor(divisor)))),), 0)
    return None


def _is_size(index: Index) -> bool:
    return index.constant == 0 and len(index.terms) == 1 and index.terms[0][0] == 1 and isinstance(index.terms[0][1], Number)


def _divisor(index: Index) -> Number:
    if index.terms:
        atom = index.terms[0][1]
        assert isinstance(atom, Number)
        return atom
    return Number(index.constant)


def gather_inputs(equations: list[Equation], sources: Mapping[str, Source]) -> list[Input]:
    """The inputs of a text that declares none: what is read and not defined."""
    defined = {equation.name for equation in equations}
    found: dict[str, tuple[str, ...] | None] = {}
    integers: set[str] = set()
    reads: dict[str, tuple[Equation, Access]] = {}
    for equation in equations:
        for node in subexpressions(equation.expression):
            if not isinstance(node, Access):
                continue
            for index in node.indices:
                integers |= {part.tensor for part in subexpressions(index) if isinstance(part, Access)} - defined
            if node.tensor in defined:
                continue
            axes = tuple(plain_axis(index) for index in node.indices)
            usable = None not in axes and len(set(axes)) == len(axes)
            found[node.tensor] = found.get(node.tensor) or (axes if usable else None)  # type: ignore[assignment]
            if usable and not axes:
                found[node.tensor] = ()
            reads.setdefault(node.tensor, (equation, node))
    inputs = []
    for name, axes_found in found.items():
        if axes_found is None:
            source = sources.get(reads[name][0].name)
            raise EquationError(f"{name} is read only at computed positions; declare its axes: "
                                f"data {name}[…]", source, _find(reads[name][0], reads[name][1], source))
        inputs.append(Input(name, axes_found, "integer" if name in integers else "data"))
    return inputs


def _find(equation: Equation, wanted: Access, source: Source | None) -> tuple[int, int] | None:
    from chainrule.equations.check import path_of

    return None if source is None else source.spans.get(path_of(equation.expression, wanted) or ("left",))


def _target(tree: Any) -> tuple[str, tuple[str, ...], tuple[int, int]]:
    name, *axes = tree.children
    return (canonical_name(name), tuple(canonical_name(a.children[0]) for a in axes if a is not None), _span(tree))


def _distinct(name: str, axes: tuple[str, ...], source: Source, span: tuple[int, int]) -> None:
    for axis_name in axes:
        if axes.count(axis_name) > 1:
            raise EquationError(f"axis {axis_name} stands twice on {name}; write {axis_name}' for a second copy of it",
                                source, span)


def _literal(token: Any) -> int | float:
    return int(token) if re.fullmatch(r"\d+", token) else float(token)


def _span(tree: Any) -> tuple[int, int]:
    return (tree.meta.start_pos, tree.meta.end_pos)


def _token_span(token: Any) -> tuple[int, int]:
    return (token.start_pos, token.end_pos)
