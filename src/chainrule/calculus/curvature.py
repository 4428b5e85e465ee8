"""The curvature of a loss in the parameters, from the derivatives of each row.

The Gauss–Newton matrix of a loss Σ_b L[b] is

    G = Σ_b J[b]ᵀ Λ[b] J[b],    J[b] the Jacobian of row b's output, Λ[b] the second derivative of L[b] in that output

(Schraudolph, Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent, 2002).  Nothing here knows a
layer.  Where the rows are separate, a network whose parameters each row has for itself, ``W[b,i,j]``, gives every row
what the network gives it, and the derived gradients of that network are the rows of J.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

from chainrule.calculus.algebra import summed
from chainrule.calculus.reverse import derive
from chainrule.calculus.second import hessian_vector_product
from chainrule.equations.compose import product_of_sizes
from chainrule.equations.lift import keeps_apart, lift, lowered_along
from chainrule.equations.node import Access, Apply, Equation, Expression, Number, Reduce, access, factors_of
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import Input, System
from chainrule.equations.walk import free_axes, product, rebuild, rename, subexpressions, tensors
from chainrule.errors import ChainruleError

ROWS = "b"
DIRECTIONS = "direction"
ALONG = "v"


@dataclass(frozen=True)
class RowGradients:
    """Derivatives of each row's output with respect to parameters, along directions given with the data.

    ``system`` reads ``v[direction,b,…]``, with the axes of the output, and gives for each parameter the tensor
    ``gradients[name]``, [direction, b, axes of the parameter]: vᵀJ.
    """

    system: System
    output: str
    gradients: Mapping[str, str]

    def equation(self, parameter: str) -> Equation:
        """The derived equation of a parameter's gradient."""
        return self.system.by_name[self.gradients[parameter]]


@lru_cache(maxsize=64)
def row_gradients(system: System, output: str, wrt: tuple[str, ...]) -> RowGradients:
    """The derivatives of ``output[b, …]`` for each row b on its own.

    Raises ChainruleError, naming the equation, where the rows are not separate: an example's derivative then has no
    meaning (batch normalization in training).
    """
    own = _own_parameters(system.subset([output]), wrt)
    axes = own.tensor_axes[output]
    along = Input(ALONG, axes, "data")
    pairing = Equation("pairing", (), summed(axes, access(along.name, axes) * access(output, axes)))
    log = derive(own.extended([pairing], [along]), pairing.name, wrt)
    derived = System(
        tuple(e for e in log.system.equations if e is not pairing), log.system.inputs, own.sizes, own.sources
    )
    made = lift(_same_parameters(derived, wrt), DIRECTIONS, None, [along.name])
    return RowGradients(made, output, dict(log.gradients))


def _own_parameters(system: System, names: tuple[str, ...]) -> System:
    """The system in which each row has these parameters for itself: ``W[b,i,j]``."""
    one = lowered_along(system, ROWS)
    if one is None:
        raise ChainruleError(
            f"the rows along {ROWS} are not separate{_joining(system)}; the derivative of one row on its own has no "
            "meaning"
        )
    alone = [tensor.name for tensor in system.inputs if tensor.axes[:1] == (ROWS,)]
    return lift(one, ROWS, None, [*alone, *names])


def _joining(system: System) -> str:
    """Which equation joins rows, one that sums over them first of all."""
    joining = [e for e in system.equations if not keeps_apart(system, ROWS, e.expression)]
    sums = (e for e in joining for n in subexpressions(e) if isinstance(n, Reduce) and ROWS in n.axes)
    found = next(sums, joining[0] if joining else None)
    return "" if found is None else f": {found} joins them"


def _same_parameters(system: System, names: tuple[str, ...]) -> System:
    """The system in which all rows have the same parameters again; what was derived stays a derivative of each row."""

    def change(node: Any) -> Any:
        if isinstance(node, Access) and node.tensor in names:
            return Access(node.tensor, tuple(map(change, node.indices[1:])))
        return rebuild(node, change)

    inputs = tuple(replace(t, axes=t.axes[1:]) if t.name in names else t for t in system.inputs)
    return System(tuple(map(change, system.equations)), inputs, system.sizes, system.sources)


def given(system: System, tensor: str) -> System:
    """The system that is given ``tensor``, in place of computing it."""
    if tensor in system.input_by_name:
        return system
    equations = tuple(equation for equation in system.equations if equation.name != tensor)
    return System(
        equations, (*system.inputs, Input(tensor, system.tensor_axes[tensor], "data")), system.sizes, system.sources
    )


@lru_cache(maxsize=64)
def output_curvature(system: System, loss: str, output: str) -> tuple[System, str, str]:
    """Λ[b]: the second derivative of the loss ``loss[b]`` of each row with respect to its ``output[b, …]``.

    The loss is derived twice.  Returns a system that is given the output, the name of its input for directions
    [direction, b, …], and the name of Λ along them, with the same axes.
    """
    alone = given(system.subset([loss]), output).subset([loss])
    total = Equation("total", (), summed(alone.tensor_axes[loss], access(loss, alone.tensor_axes[loss])))
    twice, products = hessian_vector_product(alone.extended([total]), total.name, [output])
    along = f"v.{output}"
    return lift(twice, DIRECTIONS, None, [along]), along, products[output]


def last_layer(system: System, output: str) -> tuple[str, ...]:
    """The parameters that the last equation reads that reads any, on the way to the output."""
    needed = system.subset([output])
    learnt = {tensor.name for tensor in needed.parameters}
    for equation in reversed(needed.equations):
        found = [name for name in tensors(equation) if name in learnt]
        if found and output in _readers(needed, equation.name):
            return tuple(found)
    raise ChainruleError(f"{output} depends on no parameter")


def _readers(system: System, name: str) -> set[str]:
    """What depends on a tensor, itself included."""
    found = {name}
    for equation in system.equations:
        if not found.isdisjoint(tensors(equation)):
            found.add(equation.name)
    return found


def squares(rows: RowGradients) -> dict[str, Equation]:
    """The diagonal of G, for directions that are the columns of a root of Λ: Σ over rows and directions of (∂W)².

    Parameter → the equation of its diagonal, with its axes, to be put behind those of ``rows``.
    """
    equations = {}
    for name in rows.gradients:
        equation = rows.equation(name)
        # A square of a product is the product of squares, so that a sum over rows of it is one matrix product.
        factors = [Apply("^", (factor, Number(2))) for factor in factors_of(equation.expression)]
        if isinstance(equation.expression, Reduce) or len(factors) < 2:
            factors = [Apply("^", (access(equation.name, equation.axes), Number(2)))]
        over = equation.axes[:2]
        equations[name] = Equation(f"square.{name}", equation.axes[2:], summed(over, product(factors)))
    return equations


@dataclass(frozen=True)
class KroneckerFactors:
    """The second moments of the two parts of a gradient that is a sum of products (something of some of W's axes)
    times (something of the others).

    ``left`` and ``right``: the axes of the parameter in each part, by position; ``moments``: the names of A and B,
    [left axes, left axes] and [right axes, right axes]; ``count``: the name of the number of products added up.  The
    block of G is approximated by A ⊗ B / count.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    moments: tuple[str, str]
    count: str


def kronecker(rows: RowGradients, most: int) -> tuple[tuple[Equation, ...], dict[str, KroneckerFactors | str | None]]:
    """The blocks of G, for directions that are the columns of a root of Λ, from the form of each derived gradient.

    ``∂W[b,i,j] = sum[p](x[b,p,i]*∂z[b,p,j])`` has the two factors Σ x x′ and Σ ∂z ∂z′ over rows and positions p, as if
    all positions were rows of their own (Martens and Grosse, Optimizing Neural Networks with Kronecker-factored
    Approximate Curvature, 2015, eq. 1; Grosse and Martens, A Kronecker-factored Approximate Fisher Matrix for
    Convolution Layers, 2016, theorem 1).  Returns the equations, to be put behind those of ``rows``, and for each
    parameter its factors; the name of its whole block [W's axes, W's axes], where its gradient has another form and it
    has at most ``most`` numbers; or None.
    """
    equations: list[Equation] = []
    found: dict[str, KroneckerFactors | str | None] = {}
    sizes = solve_sizes(rows.system, {}, partial=True)
    for name in rows.gradients:
        equation = rows.equation(name)
        parts = _two_parts(equation)
        if parts is None and (prod(sizes[axis] for axis in equation.axes[2:]) <= most):
            whole = access(equation.name, equation.axes)
            equations.append(_moment(f"moment.{name}", equation.axes[2:], whole, equation.axes[:2]))
            found[name] = equations[-1].name
            continue
        found[name] = None
        if parts is not None:
            (left, a), (right, g), over = parts
            names = (f"moment.{name}.left", f"moment.{name}.right")
            positions = (equation.axes[1], *over)
            equations.append(_moment(names[0], left, a, positions))
            equations.append(_moment(names[1], right, g, (equation.axes[0], *positions)))
            count = Equation(f"moment.{name}.count", (), product_of_sizes(positions))
            equations.append(count)
            own = equation.axes[2:]
            at = tuple(map(own.index, left)), tuple(map(own.index, right))
            found[name] = KroneckerFactors(*at, names, count.name)
    return tuple(equations), found


Part = tuple[tuple[str, ...], Expression]


def _two_parts(equation: Equation) -> tuple[Part, Part, tuple[str, ...]] | None:
    """The gradient of each row as Σ over axes of (part with some of W's axes) · (part with the others and the
    direction); None where it is no such sum.
    """
    body: Expression = equation.expression
    over: tuple[str, ...] = ()
    if isinstance(body, Reduce) and body.operation == "sum":
        over, body = body.axes, body.body
    own = equation.axes[2:]
    groups: list[tuple[set[str], list[Expression]]] = []
    for factor in factors_of(body):
        axes = {axis for axis in free_axes(factor) if axis in own}
        factors = [factor]
        for group in [group for group in groups if group[0] & axes]:
            groups.remove(group)
            axes |= group[0]
            factors = [*group[1], *factors]
        groups.append((axes, factors))
    common = [factor for axes, factors in groups if not axes for factor in factors]
    sided = [(axes, factors) for axes, factors in groups if axes]
    moving = [DIRECTIONS in free_axes(product(factors)) for _, factors in sided]
    if len(sided) != 2 or moving.count(True) != 1 or set().union(*(axes for axes, _ in sided)) != set(own):
        return None
    (left, a), (right, g) = sided if moving[1] else reversed(sided)
    return (
        (tuple(axis for axis in own if axis in left), product(a)),
        (tuple(axis for axis in own if axis in right), product([*common, *g])),
        over,
    )


def _moment(name: str, axes: tuple[str, ...], value: Expression, over: tuple[str, ...]) -> Equation:
    """Σ value·value′ over axes, ′ being the value at other positions of its own axes."""
    copies = {axis: axis + "'" for axis in axes}
    return Equation(name, (*axes, *copies.values()), summed(over, product([value, rename(value, copies)])))
