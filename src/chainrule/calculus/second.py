"""Second derivatives: the calculus applied to its own results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from chainrule.calculus.algebra import summed
from chainrule.calculus.reverse import adjoint_names, depends_on, derive
from chainrule.equations.node import Apply, Equation, Expression, Number, access
from chainrule.equations.system import Input, System, reachable
from chainrule.equations.walk import rename_tensors
from chainrule.errors import ChainruleError


def hessian_vector_product(
    system: System, cost: str, wrt: Iterable[str] | None = None
) -> tuple[System, dict[str, str]]:
    """The system extended by H·v for directions v, and the name of (H·v) for each tensor.

    The direction of ``W`` is a new data input ``v.W`` with W's axes.  The product is the gradient of the slope of the
    cost along v,  Σ ∂C/∂W · v  (Pearlmutter 1994, "Fast exact multiplication by the Hessian").
    """
    first = derive(system, cost, wrt)
    return _along(first.system, first.gradients, tuple(first.gradients))


def jacobian_vector_product(system: System, output: str, wrt: Iterable[str]) -> tuple[System, str]:
    """The system extended by J·v, the change of ``output`` along directions ``v.W``, and its name.

    Derived by reversing twice: with u for ∂C/∂output, Jᵀu is linear in u, and the gradient of its slope along v with
    respect to u is J·v.
    """
    extended, _, dual, product = _products(system, output, tuple(wrt))
    # J·v does not depend on u: what is left does not read it.
    needed = reachable(extended, [*system.by_name, product]) | set(system.input_by_name)
    assert dual not in needed
    equations = tuple(equation for equation in extended.equations if equation.name in needed)
    inputs = tuple(tensor for tensor in extended.inputs if tensor.name in needed)
    return System(equations, inputs, extended.sizes, extended.sources), product


def gauss_newton_product(
    system: System, cost: str, output: str, wrt: Iterable[str] | None = None
) -> tuple[System, dict[str, str]]:
    """The system extended by G·v with G = Jᵀ H J, H the Hessian of the cost in ``output`` and J the Jacobian of
    ``output``, and the name of (G·v) for each tensor (Schraudolph 2002).

    G is the Hessian where ``output`` is linear in the parameters, and positive semidefinite where the cost is convex
    in ``output``.
    """
    names = tuple(derive(system, cost, wrt).gradients)
    through, held = _read_through(system, output)
    forward, transposed, dual, moved = _products(through, output, names)
    axes = system.tensor_axes[output]
    first = derive(forward, cost, [held])
    slope = Equation(_unused(first.system, "curvature"), (), _pairing(axes, first.gradients[held], moved))
    whole, products = _slopes(first.system.extended([slope]), slope.name, [held])
    # J·v does not depend on u, so u may now be what J·v leads to: H·J·v.
    inputs = tuple(tensor for tensor in whole.inputs if tensor.name != dual)
    pulled = Equation(dual, axes, access(products[held], axes))
    return System((*whole.equations, pulled), inputs, whole.sizes, whole.sources), transposed


def _products(system: System, output: str, names: tuple[str, ...]) -> tuple[System, dict[str, str], str, str]:
    """The system with Jᵀu and J·v, the names of Jᵀu for each tensor, and the names of u and of J·v."""
    axes = system.tensor_axes.get(output)
    if axes is None:
        raise ChainruleError(f"the system has no {output}")
    dual = Input(_unused(system, "u"), axes, "data")
    pairing = Equation(_unused(system, "pairing"), (), _pairing(axes, output, dual.name))
    first = derive(system.extended([pairing], [dual]), pairing.name, names)
    extended, products = _along(first.system, first.gradients, (dual.name,))
    return extended, first.gradients, dual.name, products[dual.name]


def _read_through(system: System, output: str) -> tuple[System, str]:
    """The system in which everything reads ``output`` through a second name, which can be held or varied alone."""
    axes = system.tensor_axes.get(output)
    if axes is None or output not in system.by_name:
        raise ChainruleError(f"the system defines no {output}")
    held = _unused(system, "output")
    equations = [e if e.name == output else rename_tensors(e, {output: held}) for e in system.equations]
    equations.append(Equation(held, axes, access(output, axes)))
    return System(tuple(equations), system.inputs, system.sizes, system.sources), held


def _along(system: System, gradients: dict[str, str], wrt: Sequence[str]) -> tuple[System, dict[str, str]]:
    """Extend by the slope Σ gradient·v along new inputs ``v.name`` and by its derivatives."""
    directions = [Input(_unused(system, f"v.{name}"), system.tensor_axes[name], "data") for name in gradients]
    terms = [_pairing(d.axes, gradient, d.name) for gradient, d in zip(gradients.values(), directions, strict=True)]
    total = terms[0] if len(terms) == 1 else Apply("+", tuple(terms))
    slope = Equation(_unused(system, "slope"), (), total)
    return _slopes(system.extended([slope], directions), slope.name, wrt)


def _slopes(system: System, slope: str, wrt: Sequence[str]) -> tuple[System, dict[str, str]]:
    """Extend by the derivatives of ``slope``: 0 with respect to what it does not depend on."""
    reached = depends_on(system, slope)
    moving = [name for name in wrt if name in reached]
    products = adjoint_names(system, set(wrt))
    extended = system
    if moving:
        log = derive(system, slope, moving)
        extended, products = log.system, {**products, **log.gradients}
    still = [Equation(products[name], system.tensor_axes[name], Number(0)) for name in wrt if name not in reached]
    return extended.extended(still), {name: products[name] for name in wrt}


def _pairing(axes: Sequence[str], left: str, right: str) -> Expression:
    """Σ left·right over all their axes."""
    paired: Expression = summed(axes, access(left, axes) * access(right, axes))
    return paired


def _unused(system: System, name: str) -> str:
    """The name, or the name with a number that makes it new to the system."""
    taken = system.tensor_axes
    return name if name not in taken else next(f"{name}{n}" for n in count(2) if f"{name}{n}" not in taken)
