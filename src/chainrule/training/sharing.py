"""The training step of an ensemble whose members have parameters in common.

The cost is the mean of the members' costs, and the gradients are derived from it: that of a shared parameter sums over
the members, because they all read it.  A parameter of a member's own is in one term of the mean only, so its gradient
is 1/size(e) of what it would be in a network alone; multiplied by size(e) it is that again.  So each parameter follows
the mean gradient of the networks that it serves, and a learning rate means what it means for one network.
Wen, Tran, Ba, BatchEnsemble (2020); Gorishniy, Kotelnikov, Babenko, TabM (2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chainrule.calculus.reverse import derive
from chainrule.equations.compose import instantiate
from chainrule.equations.lift import lift, spread
from chainrule.equations.node import Access, Apply, Equation, Expression, Number, Reduce, access
from chainrule.equations.system import Input, System
from chainrule.equations.walk import rebuild, tensors
from chainrule.training.step import TrainingStep

SCOPE = "ensemble"


def mean_over(along: str, name: str, axes: tuple[str, ...] = ()) -> Expression:
    """The mean of ``name[along, axes]`` over the members."""
    return Apply("/", (Reduce("sum", (along,), access(name, (along, *axes))), Number(along)))


def trained_together(step: TrainingStep, along: str, members: int) -> TrainingStep:
    """The step in which so many networks like that of ``step`` learn what they share together.

    Everything but ``step.shared``, and what the optimizer keeps of it, has the axis ``along`` of the members in front.
    """
    forward = step.log.forward
    of_members = [t.name for t in forward.inputs if t.role in ("parameter", "state", "random")]
    own = {*of_members, "rows"} - step.shared
    cost = Equation(f"{SCOPE}.C", (), mean_over(along, step.cost))
    log = derive(lift(forward, along, members, own).extended([cost]), cost.name, list(step.gradients))
    followed = {
        name: gradient if name in step.shared else f"{SCOPE}.{gradient}" for name, gradient in log.gradients.items()
    }
    scaled = [
        Equation(followed[name], axes, Apply("*", (Number(along), access(log.gradients[name], axes))))
        for name, axes in log.system.tensor_axes.items()
        if name in own and name in followed
    ]
    updates = _updates(step, followed)
    differing = own | {gradient for name, gradient in followed.items() if name in own}
    lifted = lift(updates, along, members, _carried(updates, differing))
    norm = Equation(step.gradient_norm, (), _norm(step, along))
    given = {*log.system.tensor_axes, *(equation.name for equation in scaled), step.gradient_norm}
    system = log.system.extended(
        (*scaled, norm, *lifted.equations), (tensor for tensor in lifted.inputs if tensor.name not in given)
    )
    return replace(step, system=system, log=log, gradients=log.gradients, cost=cost.name)


def _updates(step: TrainingStep, followed: Mapping[str, str]) -> System:
    """What follows the gradients in the step of one network: clipping and the optimizer, which read the tensors of
    ``followed``, by the names of the parameters, for the gradients.  The norm of all gradients is given.
    """
    known = step.log.system.tensor_axes
    equations = tuple(e for e in step.system.equations if e.name not in known and e.name != step.gradient_norm)
    made, inputs = {equation.name for equation in equations}, {tensor.name: tensor for tensor in step.system.inputs}
    read = dict.fromkeys(name for equation in equations for name in tensors(equation) if name not in made)
    given = tuple(inputs.get(name) or Input(name, step.system.tensor_axes[name], "data") for name in read)
    return instantiate(
        System(equations, given), {step.gradients[name]: gradient for name, gradient in followed.items()}, {}
    )


def _carried(updates: System, own: set[str]) -> set[str]:
    """The inputs of the updates that differ from member to member: ``own``, and states that follow from them."""
    states = {state: following for state, following in updates.updates.items() if state not in own}
    while True:
        reached = set(own)
        spread(updates, reached)
        more = {state for state, following in states.items() if following in reached} - own
        if not more:
            return own & updates.input_by_name.keys()
        own = own | more


def _norm(step: TrainingStep, along: str) -> Expression:
    """The root of the sum of the squares of all gradients that one member follows, the members' own in the mean."""
    shared = {step.gradients[name] for name in step.shared}
    common = {e.name for e in step.system.equations if shared & set(tensors(e))}

    def change(node: Any) -> Any:
        if isinstance(node, Access) and node.tensor not in common:
            return mean_over(along, node.tensor)
        return rebuild(node, change)

    norm: Expression = change(step.system.by_name[step.gradient_norm].expression)
    return norm
