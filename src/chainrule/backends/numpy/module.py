"""The code of one step: a module with ``step`` and, where something stays the same from step to step, ``prepare``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from chainrule.backends.facts import Facts, Place, ranges_of_safe
from chainrule.backends.numpy.expressions import RULES
from chainrule.backends.numpy.extent import Extents
from chainrule.backends.numpy.layout import wrapped
from chainrule.backends.numpy.names import Names, python_name
from chainrule.backends.numpy.recurrences import write_recurrence
from chainrule.backends.numpy.updates import Plan, plan, write_update
from chainrule.backends.numpy.value import Value, arranged, expanded, integer, real
from chainrule.backends.numpy.writer import Stored, Writer, bare
from chainrule.equations.kinds import kinds
from chainrule.equations.node import Equation
from chainrule.equations.system import System
from chainrule.equations.walk import tensors
from chainrule.equations.write import write

HELPERS = ("windows", "add_windows", "gather", "logsumexp", "erf", "random_values")
WIDTH = 110
_VIEW = re.compile(r"^(\w+(\[[\d:, ]*\]|\.m?T|\.transpose\([\d, ]*\))*$|windows\(|np\.broadcast_to\()")


@dataclass(frozen=True)
class Module:
    """Generated code.

    The functions ``prepare`` and ``step``, and the names of their arguments: variables (``variables``: tensor → its
    name in the code), sizes (``sizes``: name → axis), what ``prepare`` returned (``prepared``), and, where random
    numbers are drawn, ``seed`` and ``number`` (of the step).  ``step`` returns the outputs.
    ``fixed`` are the axes for whose sizes alone the code is right.
    """

    prepare: str
    step: str
    prepare_arguments: tuple[str, ...]
    step_arguments: tuple[str, ...]
    prepared: tuple[str, ...]
    sizes: Mapping[str, str]
    variables: Mapping[str, str]
    fixed: frozenset[str]
    helpers: tuple[str, ...]

    @property
    def source(self) -> str:
        return "\n\n\n".join(part for part in (self.prepare, self.step) if part)


def write_module(
    system: System,
    outputs: Sequence[str],
    sizes: Mapping[str, int],
    stepped: frozenset[str],
    dtype: str,
    safe: Mapping[Place, bool],
    original: System,
    single: str = "",
    reserved: Collection[str] = (),
) -> Module:
    """The code for a system that has been through the passes.

    ``stepped``: the inputs that change from step to step.  ``safe``: which reads at computed positions are inside.
    ``original``: the system before the passes.  ``single``: the name of the one function to write, without a
    ``prepare``.  ``reserved``: names that may not be used for variables.
    """
    extents = Extents(original, sizes)
    if single:
        extents.fixed.update(extents.axis_class(name) for name in sizes)
    facts = Facts(system, extents.number, extents.same, ranges_of_safe(system, safe, extents.number), safe)
    names = Names({*HELPERS, "seed", "number", *reserved})
    w = Writer(system, extents, facts, names, dtype, RULES)
    order = plan(system, outputs)
    lasting = set() if single else _lasting(system, order, stepped)
    for tensor in system.inputs:
        kind = "integer" if tensor.role == "integer" else "real"
        w.tensors[tensor.name] = Stored(Value(names.fresh(tensor.name), tensor.axes, kind))
    for tensor in system.named("random"):
        variable = w.tensors[tensor.name].value.text
        w.put(f"# {tensor}")
        draw = f'random_values("{tensor.distribution}", seed, number, "{tensor.name}", {w.shape(tensor.axes)})'
        w.put(f"{variable} = {draw}.astype({dtype})")
    for block in order.blocks:
        if block.axis is None and block.equations[0].name in lasting:
            with w.before_all_steps():
                _write_equation(w, block.equations[0], order)
        elif block.axis is None:
            _write_equation(w, block.equations[0], order)
        else:
            write_recurrence(w, block)
    for name in order.late:
        old = w.tensors[name].value
        w.put(f"{old.text}[...] = {w.tensors[system.updates[name]].value.text}")
    results = [_result(w, name) for name in outputs]
    return _module(w, results, single)


def _lasting(system: System, order: Plan, stepped: frozenset[str]) -> set[str]:
    """Equations whose values are the same in every step: they read nothing that changes."""
    changing = {tensor.name for tensor in system.inputs if tensor.role in ("parameter", "state", "random")} | stepped
    lasting: set[str] = set()
    for block in order.blocks:
        if block.axis is None and not (set(tensors(block.equations[0])) & changing):
            lasting.add(block.equations[0].name)
        else:
            changing |= {equation.name for equation in block.equations}
    return lasting


def _write_equation(w: Writer, equation: Equation, order: Plan) -> None:
    """``# equation`` and the statements that compute it."""
    w.put(f"# {write(equation)}")
    if equation.name in order.in_place:
        write_update(w, equation, order.in_place[equation.name])
        return
    w.target = equation.name
    made_before = set(w.names.taken)
    value = w.value(equation.expression, equation.axes)
    whole = kinds(w.system)[equation.name] == "integer"
    value = integer(value) if whole else real(value, w.dtype)
    value = arranged(value, tuple(name for name in equation.axes if name in value.axes))
    absent = [name for name in equation.axes if name not in value.axes]
    if absent and equation.name in order.whole:
        text = f"np.broadcast_to({expanded(value, equation.axes)}, {w.shape(equation.axes)})"
        value = Value(text, equation.axes, value.kind)
    if _VIEW.match(value.text) and any(name in w.system.updates for name in tensors(equation)):
        value = Value(f"{value.atom}.copy()", value.axes, value.kind)  # what it looks at is going to change
    name = value.text
    if name in made_before or not name.startswith(python_name(equation.name)) or not name.isidentifier():
        name = w.names.fresh(equation.name)
        w.put(f"{name} = {bare(value.text)}")
    w.tensors[equation.name] = Stored(Value(name, value.axes, value.kind, weak=value.weak, number=None, constant=False))


def _result(w: Writer, name: str) -> str:
    """The text of an output with all of its axes."""
    stored = w.tensors[name].value
    axes = w.system.tensor_axes[name]
    if stored.axes == axes:
        return stored.text
    if not stored.axes and stored.weak:
        return f"np.full({w.shape(axes)}, {stored.text}, {'int' if stored.kind == 'integer' else w.dtype})"
    return f"np.broadcast_to({expanded(stored, axes)}, {w.shape(axes)})"


def _module(w: Writer, results: Sequence[str], single: str) -> Module:
    inputs = [tensor for tensor in w.system.inputs if tensor.role != "random" and tensor.name in w.given]
    arguments = [w.tensors[tensor.name].value.text for tensor in inputs]
    sizes = {shown: axis for axis, shown in w.extents.used.items()}
    before, body, result = "\n".join(w.prepared), "\n".join(w.lines), ", ".join(results)
    if single:
        before, body = "", "\n".join([*w.prepared, *w.lines])
    used = _identifiers(f"{body}\n{result}")
    made = dict.fromkeys(line.split(" = ")[0].strip() for line in before.splitlines() if re.match(r"    \w+ = ", line))
    prepared = tuple(name for name in made if name in used)
    prepare_arguments = tuple(name for name in (*arguments, *sizes) if name in _identifiers(before))
    step_arguments = tuple(name for name in (*arguments, *sizes, "seed", "number", *prepared) if name in used)
    prepare = step = ""
    if prepared:
        doc = "What stays the same from step to step."
        prepare = _function("prepare", prepare_arguments, doc, before, _tuple(prepared))
    doc = "One step: next values take the place of the old ones." if w.system.updates else "From inputs to outputs."
    step = _function(single or "step", step_arguments, doc, body, _tuple(results))
    names = _identifiers(f"{before}\n{body}")
    variables = {name: stored.value.text for name, stored in w.tensors.items()}
    helpers = tuple(name for name in HELPERS if name in names)
    fixed = frozenset(w.extents.fixed)
    return Module(prepare, step, prepare_arguments, step_arguments, prepared, sizes, variables, fixed, helpers)


def _identifiers(code: str) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", re.sub(r"(?m)^\s*#.*$", "", code)))


def _function(name: str, arguments: Sequence[str], doc: str, body: str, result: str) -> str:
    head = f"def {name}({', '.join(arguments)}):"
    if len(head) > WIDTH:
        head = f"def {name}(\n" + _filled(arguments) + "\n):"
    lines = [head, f'    """{doc}"""']
    for line in body.splitlines():
        lines += wrapped(line, WIDTH)
    if result:
        lines += wrapped(f"    return {result}", WIDTH)
    return "\n".join(lines)


def _tuple(parts: Sequence[str]) -> str:
    return f"({parts[0]},)" if len(parts) == 1 else ", ".join(parts)


def _filled(parts: Sequence[str]) -> str:
    lines = ["   "]
    for part in parts:
        if len(lines[-1]) + len(part) > WIDTH - 4:
            lines.append("   ")
        lines[-1] += f" {part},"
    return "\n".join(lines)
