"""Second derivatives: the calculus applied to its own results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.calculus.reverse import adjoint_names, depends_on, derive
from chainrule.equations.node import Apply, Equation, Expression, Number, Reduce, access
from chainrule.equations.system import Input, System
from chainrule.equations.walk import rename_tensors
from chainrule.errors import ChainruleError

# Names of the quantities that second derivatives add: ∂C/∂output in Jᵀu, and the output as the cost reads it.
DUAL = "u"
HELD = "output"


def hessian_vector_product(
    system: System, cost: str, wrt: Iterable[str] | None = None
) -> tuple[System, dict[str, str]]:
    """The system extended by H·v for directions v, and the name of (H·v) for each tensor.

    The direction of ``W`` is a new data input ``v.W`` with W's axes.  The product is the gradient of the slope of the
    cost along v,  Σ ∂C/∂W · v  (Pearlmutter 1994, "Fast exact multiplication by the Hessian").
    """
    first = derive(system, cost, wrt)
    return _along(first.system, first.gradients, "slope", tuple(first.gradients))


def jacobian_vector_product(system: System, output: str, wrt: Iterable[str]) -> tuple[System, str]:
    """The system extended by J·v, the change of ``output`` along directions ``v.W``, and its name.

    Derived by reversing twice: with u for ∂C/∂output, Jᵀu is linear in u, and the gradient of its slope along v with
    respect to u is J·v.
    """
    extended, _, product = _products(system, output, tuple(wrt))
    return extended, product


def gauss_newton_product(
    system: System, cost: str, output: str, wrt: Iterable[str] | None = None
) -> tuple[System, dict[str, str]]:
    """The system extended by G·v with G = Jᵀ H J, H the Hessian of the cost in ``output`` and J the Jacobian of
    ``output``, and the name of (G·v) for each tensor (Schraudolph 2002).

    G is the Hessian where ``output`` is linear in the parameters, and positive semidefinite where the cost is convex
    in ``output``.
    """
    names = tuple(wrt) if wrt is not None else tuple(tensor.name for tensor in system.parameters)
    forward, transposed, moved = _products(_read_through(system, output), output, names)
    axes = system.tensor_axes[output]
    first = derive(forward, cost, [HELD])
    slope = Equation("curvature", (), _sum(axes, access(first.gradients[HELD], axes) * access(moved, axes)))
    second = derive(first.system.extended([slope]), "curvature", [HELD])
    # J·v does not depend on u, so u may now be what J·v leads to: H·J·v.
    whole = second.system
    inputs = tuple(tensor for tensor in whole.inputs if tensor.name != DUAL)
    pulled = Equation(DUAL, axes, access(second.gradients[HELD], axes))
    return System((*whole.equations, pulled), inputs, whole.sizes, whole.sources), transposed


def _products(system: System, output: str, names: tuple[str, ...]) -> tuple[System, dict[str, str], str]:
    """The system with Jᵀu and J·v, the names of Jᵀu for each tensor, and the name of J·v."""
    axes = system.tensor_axes.get(output)
    if axes is None:
        raise ChainruleError(f"the system has no {output}")
    pairing = Equation("pairing", (), _sum(axes, access(output, axes) * access(DUAL, axes)))
    first = derive(system.extended([pairing], [Input(DUAL, axes, "data")]), "pairing", names)
    extended, products = _along(first.system, first.gradients, "motion", (DUAL,))
    return extended, first.gradients, products[DUAL]


def _read_through(system: System, output: str) -> System:
    """The system in which everything reads ``output`` through a second name, which can be held or varied alone."""
    axes = system.tensor_axes.get(output)
    if axes is None or output not in system.by_name:
        raise ChainruleError(f"the system defines no {output}")
    equations: list[Equation] = []
    for equation in system.equations:
        equations.append(rename_tensors(equation, {output: HELD}) if equation.name != output else equation)
    equations.append(Equation(HELD, axes, access(output, axes)))
    return System(tuple(equations), system.inputs, system.sizes, system.sources)


def _along(system: System, gradients: dict[str, str], slope: str, wrt: Sequence[str]) -> tuple[System, dict[str, str]]:
    """Extend by the slope Σ gradient·v along new inputs ``v.name`` and by its derivatives."""
    directions = [Input(f"v.{name}", system.tensor_axes[name], "data") for name in gradients]
    terms = [
        _sum(d.axes, access(gradient, d.axes) * access(d.name, d.axes))
        for gradient, d in zip(gradients.values(), directions, strict=True)
    ]
    total = terms[0] if len(terms) == 1 else Apply("+", tuple(terms))
    extended = system.extended([Equation(slope, (), total)], directions)
    reached = depends_on(extended, slope)
    moving = [name for name in wrt if name in reached]
    products = adjoint_names(extended, set(wrt))
    if moving:
        second = derive(extended, slope, moving)
        extended, products = second.system, {**products, **second.gradients}
    still = [Equation(products[name], system.tensor_axes[name], Number(0)) for name in wrt if name not in reached]
    return extended.extended(still), {name: products[name] for name in wrt}


def _sum(axes: Sequence[str], body: Expression) -> Expression:
    return Reduce("sum", tuple(axes), body) if axes else body
