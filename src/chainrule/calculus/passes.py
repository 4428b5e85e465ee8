"""Simplification: named rewrites in one ordered list, each with its reason; what one did is logged.

named quantity        sigmoid(z[b,j]) → a[b,j]          where a[b,j] = sigmoid(z[b,j])
arithmetic            1·x → x    2·x/(2·n) → x/n    x·x → x²    2·x + x → 3·x    [[t ≥ 1] ≠ 0] → [t ≥ 1]
log and exp           log(exp(x)) → x    log(exp(x)/y) → x - log(y)    1/(1 + exp(-x)) → sigmoid(x)
common factor         a·x + a·y → a·(x + y)    a²·x + a·y → a·(a·x + y)
sum of sums           Σ_b Σ_j x → Σ_{b,j} x
delta elimination     Σ_k f(k)[k = e] → f(e)
factor out            Σ_i a·x[i] → a·Σ_i x[i]
constant sum          Σ_i a → n·a
deviations            Σ_i (x[i] - μ) → 0            where μ = Σ_i x[i]/n
plain names           Σ_{k'} x[k'] → Σ_k x[k]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.calculus.algebra import common_factor, split, tidy, times
from chainrule.calculus.deltas import eliminate, has_delta
from chainrule.calculus.derivation import Step
from chainrule.calculus.recognise import Context, recognise
from chainrule.equations.affine import as_value
from chainrule.equations.node import Access, Apply, Equation, Number, Reduce, base_axis, factors_of
from chainrule.equations.walk import free_axes, fresh_axis, rebuild, rename


@dataclass(frozen=True)
class Rewrite:
    """A named rewrite of whole expressions, and why it holds."""

    name: str
    reason: str
    apply: Callable[[Any, tuple[str, ...], Context], Any]


def simplify(tensor: str, equation: Equation, context: Context) -> tuple[Equation, tuple[Step, ...]]:
    """Apply the rewrites, in order, again and again until nothing changes; return the equation and the steps."""
    steps: list[Step] = []
    changed = True
    while changed:
        changed = False
        for rewrite in REWRITES:
            after = Equation(equation.name, equation.axes, rewrite.apply(equation.expression, equation.axes, context))
            if after is not equation:
                steps.append(Step(tensor, rewrite.name, equation, after, rewrite.reason))
                equation, changed = after, True
    return equation, tuple(steps)


def _everywhere(rule: Callable[[Any, Context], Any]) -> Callable[[Any, tuple[str, ...], Context], Any]:
    """A rule for one node, applied to every node from the inside out."""

    def apply(node: Any, left: tuple[str, ...], context: Context) -> Any:
        return rule(rebuild(node, lambda child: apply(child, left, context)), context)

    return apply


def _stable(node: Any, context: Context) -> Any:
    match node:
        case Apply("log", (Apply("exp", (inner,)),)):
            return inner
        case Apply("log", (Apply("/", (Apply("exp", (inner,)), below)),)):
            return Apply("+", (inner, Apply("neg", (Apply("log", (below,)),))))
        case Apply("log", (Reduce("sum", axes, Apply("exp", (inner,))),)):
            return Reduce("logsumexp", axes, inner)
        case Apply("log", (Apply("+", (Number(1), inner) | (inner, Number(1))),)):
            return Apply("log1p", (inner,))
        case Apply("/", (Apply("exp", (inner,)), Reduce("sum", axes, Apply("exp", (body,))))):
            return Apply("exp", (Apply("+", (inner, Apply("neg", (Reduce("logsumexp", axes, body),)))),))
        case Apply("/", (Number(1), Apply("+", (Number(1), Apply("exp", (inner,)))))):
            return Apply("sigmoid", (tidy(Apply("neg", (inner,))),))
    return node


def _merge_sums(node: Any, context: Context) -> Any:
    """Σ_b Σ_j, also where factors that do not depend on j stand between."""
    if not (isinstance(node, Reduce) and node.operation == "sum"):
        return node
    factors = factors_of(node.body)
    inner = [factor for factor in factors if isinstance(factor, Reduce) and factor.operation == "sum"]
    if len(inner) != 1:
        return node
    others = [factor for factor in factors if factor is not inner[0]]
    if others and not has_delta(node.axes, factors_of(inner[0].body)):
        return node
    taken = set(node.axes) | {name for factor in factors for name in free_axes(factor)}
    names = {}
    for name in inner[0].axes:
        names[name] = fresh_axis(name, taken)
        taken.add(names[name])
    body = times([*others, *factors_of(rename(inner[0].body, names))])
    return Reduce("sum", (*node.axes, *names.values()), body)


def _eliminate(node: Any, context: Context) -> Any:
    if not (isinstance(node, Reduce) and node.operation == "sum"):
        return node
    factors = factors_of(node.body)
    if not has_delta(node.axes, factors):
        return node
    axes, left = eliminate(node.axes, factors, context.classes)
    product = times(left)
    return Reduce("sum", axes, product) if axes else product


def _factor_out(node: Any, context: Context) -> Any:
    if not (isinstance(node, Reduce) and node.operation == "sum"):
        return node
    outside, inside = split(node.body, node.axes)
    if outside is Number(1) or inside is Number(1):
        return node
    return times((outside, Reduce("sum", node.axes, inside)))


def _constant_sum(node: Any, context: Context) -> Any:
    if not (isinstance(node, Reduce) and node.operation == "sum"):
        return node
    used = free_axes(node.body)
    idle = [name for name in node.axes if name not in used]
    if not idle:
        return node
    body = (
        Reduce("sum", tuple(name for name in node.axes if name in used), node.body)
        if len(idle) < len(node.axes)
        else node.body
    )
    return times([*(Number(base_axis(name)) for name in idle), *factors_of(body)])


def _deviations(node: Any, context: Context) -> Any:
    """The sum of what is left where the mean, which has a name, is subtracted."""
    match node:
        case Reduce("sum", axes, Apply("+", (Access() as whole, Apply("neg", (Access() as mean,))))):
            pass
        case Reduce("sum", axes, Apply("+", (Access() as mean, Apply("neg", (Access() as whole,))))):
            pass
        case _:
            return node
    count = times([Number(base_axis(name)) for name in axes])
    same = recognise(Apply("/", (Reduce("sum", axes, whole), count)), context) is mean
    return Number(0) if same else node


def plain_names(node: Any, left: tuple[str, ...]) -> Any:
    """The fewest primes that keep each bound axis apart from the axes around it."""

    def visit(node: Any, scope: frozenset[str]) -> Any:
        if not isinstance(node, Reduce):
            return rebuild(node, lambda child: visit(child, scope))
        taken = set(scope) | (set(free_axes(node.body)) - set(node.axes))
        names: dict[str, str] = {}
        for name in node.axes:
            names[name] = fresh_axis(base_axis(name), taken)
            taken.add(names[name])
        axes = tuple(names.values())
        return Reduce(node.operation, axes, visit(rename(node.body, names), scope | set(axes)))

    return visit(node, frozenset(left))


ELIMINATION = "a sum over an axis that a bracket fixes keeps only the one value it fixes"

REWRITES: tuple[Rewrite, ...] = (
    Rewrite(
        "named quantity",
        "this expression has a name already, and its value has been computed",
        lambda node, left, context: recognise(node, context),
    ),
    Rewrite(
        "arithmetic",
        "ones and zeros drop out, numbers and signs are collected, equal factors cancel",
        lambda node, left, context: as_value(tidy(node)),
    ),
    Rewrite(
        "common factor",
        "what all terms are multiplied by stands in front of their sum",
        _everywhere(lambda node, context: common_factor(node)),
    ),
    Rewrite("log and exp", "the same value without overflow: log undoes exp", _everywhere(_stable)),
    Rewrite("sum of sums", "sums may be taken together, in any order", _everywhere(_merge_sums)),
    Rewrite(
        "delta elimination",
        ELIMINATION,
        _everywhere(_eliminate),
    ),
    Rewrite(
        "factor out", "what does not depend on the summed axes stands in front of the sum", _everywhere(_factor_out)
    ),
    Rewrite("constant sum", "adding the same term n times is multiplying it by n", _everywhere(_constant_sum)),
    Rewrite("deviations", "what lies above a mean and what lies below it add up to 0", _everywhere(_deviations)),
    Rewrite("plain names", "a summed axis may be called anything", lambda node, left, _: plain_names(node, left)),
)
