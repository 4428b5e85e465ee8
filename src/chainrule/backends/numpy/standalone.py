"""A Python file that trains a network with NumPy alone: the same numbers, step by step, as the compiled program."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.backends.facts import gathers
from chainrule.backends.inputs import sizes_of
from chainrule.backends.numpy import helpers
from chainrule.backends.numpy.layout import wrapped
from chainrule.backends.numpy.module import HELPERS, Module, write_module
from chainrule.backends.passes import prepared
from chainrule.equations import philox
from chainrule.equations.sizes import axis_classes
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError

Batches = Callable[[int, int, int, int], Iterable[NDArray[Any]]]

# What the functions of the file call their own variables.
RESERVED = (
    "init", "train", "learning_rates", "epochs", "epoch", "batch_size", "rates", "losses", "group", "first", "data",
    "value", "arrays", "parameters", "sys",
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    """All that a training run consists of.

    ``system``: the training step, with next values for parameters and states; it reads data (all rows, first axis),
    ``rows[b]`` (which of them, integer) and the learning rate ``η``.  ``shapes``: the shape of each data input.
    ``initial``: a system with an equation for each parameter, or arrays.  ``rate``: the learning rate, or a system
    with the equation ``η[t]`` for every step t.  ``batches(rows, batch_size, seed, epoch)``: the rows of an epoch as
    arrays [steps, b]; its own text is put into the file, so it may use nothing but NumPy as ``np``.
    ``constants``: data inputs whose values are part of the model.
    """

    system: System
    shapes: Mapping[str, tuple[int, ...]]
    initial: System | Mapping[str, ArrayLike]
    rate: float | System
    batches: Batches
    batch_size: int
    epochs: int
    seed: int = 0
    loss: str = "C"
    constants: Mapping[str, ArrayLike] = field(default_factory=dict)
    dtype: DTypeLike = "float32"


def standalone(training: Training, title: str = "Trains a network with NumPy alone.") -> str:
    """The text of the file: ``init``, ``step``, ``train``, and a command line that reads an ``.npz`` file.

    With the same data and seed it gives the losses of the compiled program, bit for bit where NumPy is the same.
    Raises ChainruleError where the shapes do not fit the system.
    """
    step = _module(training)
    parts = [_init(training), _rates(training)]
    functions = [part for part in parts if part is not None]
    needed = {name for module in (step, *functions) for name in module.helpers}
    pieces = [
        *(_source_of(getattr(helpers, name)) for name in HELPERS if name in needed and hasattr(helpers, name)),
        *([_random_source()] if "random_values" in needed else []),
        *(module.source for module in functions),
        _source_of(training.batches),
        step.source,
        _train(training, step),
        _main(training, step),
    ]
    text = f'"""{title}\n\n{USAGE}"""\n\n{_imports(needed)}\n\n\n' + "\n\n\n".join(pieces) + "\n"
    return re.sub(r"\n{4,}", "\n\n\n", text)


USAGE = """    python training.py data.npz parameters.npz

reads the arrays of data.npz, trains, and writes what was learnt to parameters.npz.
"""


def _module(training: Training) -> Module:
    system, dtype = training.system, np.dtype(training.dtype)
    shapes = dict(training.shapes)
    shapes.update((name, np.shape(value)) for name, value in training.constants.items())
    shapes["rows"] = (training.batch_size,)
    shapes["η"] = ()
    if not isinstance(training.initial, System):
        shapes.update((name, np.shape(value)) for name, value in training.initial.items())
    sizes = sizes_of(system, shapes)
    ready = prepared(system, (training.loss,))
    missing = [t for t in ready.inputs if t.role in ("data", "integer") and t.name not in shapes]
    if missing:
        raise ChainruleError(f"the shape of {missing[0]} is not given")
    taken = {training.batches.__name__, *RESERVED}
    stepped = frozenset({"rows", "η"})
    safe = dict.fromkeys(gathers(ready), True)
    return write_module(ready, (training.loss,), sizes, stepped, f"np.{dtype.name}", safe, system, reserved=taken)


def _init(training: Training) -> Module | None:
    """``init(seed)``: the first value of every parameter."""
    if not isinstance(training.initial, System):
        return None
    system = training.initial
    names = tuple(tensor.name for tensor in training.system.parameters)
    sizes = sizes_of(system, {})
    kind = f"np.{np.dtype(training.dtype).name}"
    made = write_module(prepared(system, names), names, sizes, frozenset(), kind, {}, system, "init")
    return _with_defaults(made, "init", "The first value of every parameter.")


def _rates(training: Training) -> Module | None:
    """``learning_rates(size_t)``: the learning rate of every step."""
    if not isinstance(training.rate, System):
        return None
    system = prepared(training.rate, ("η",))
    steps = -(-_rows(training) // training.batch_size) * training.epochs
    (axis,) = system.by_name["η"].axes
    classes = axis_classes(training.rate)
    sizes = sizes_of(system, {})
    try:
        made = write_module(system, ("η",), sizes, frozenset(), "np.float64", {}, training.rate, "learning_rates")
    except ChainruleError:  # the schedule depends on the number of steps
        sizes |= {axis: steps, classes.get(axis, axis): steps}
        made = write_module(system, ("η",), sizes, frozenset(), "np.float64", {}, training.rate, "learning_rates")
    return _with_defaults(made, "learning_rates", "The learning rate of every step.")


def _with_defaults(module: Module, name: str, doc: str) -> Module:
    """The same function with the arguments that the file calls it with."""
    wanted = {"init": "seed, number=0", "learning_rates": ", ".join(module.sizes) or "steps"}[name]
    text = re.sub(rf"def {name}\(.*?\):", f"def {name}({wanted}):", module.step, count=1, flags=re.S)
    text = re.sub(r'""".*?"""', f'"""{doc}"""', text, count=1, flags=re.S)
    text = text.replace("return (η,)", "return η")
    return Module("", text, (), module.step_arguments, (), module.sizes, module.variables, module.fixed, module.helpers)


def _rows(training: Training) -> int:
    return next(iter(training.shapes.values()))[0]


def _data(training: Training) -> list[Input]:
    """The inputs that ``train`` takes."""
    return [tensor for tensor in training.system.inputs if tensor.name in training.shapes]


def _train(training: Training, module: Module) -> str:
    """``train``: all epochs."""
    kind = f"np.{np.dtype(training.dtype).name}"
    shown, data = module.variables, [tensor for tensor in _data(training) if tensor.name in module.variables]
    first = shown[data[0].name]
    arguments = ", ".join(shown[tensor.name] for tensor in data)
    settings = f"epochs={training.epochs}, batch_size={training.batch_size}, seed={training.seed}"
    lines = [
        f"def train({arguments}, {settings}):",
        '    """The parameters after training, by name, and the loss of every step."""',
        *(f"    {shown[t.name]} = np.asarray({shown[t.name]}, {_kind(t, kind)})" for t in data),
    ]
    for name, value in training.constants.items():
        if name in shown:
            lines.append(f"    {shown[name]} = np.array({np.asarray(value).tolist()}, {kind})")
    lines += _starting(training, module, kind)
    steps = f"epochs * -(-len({first}) // batch_size)"
    if isinstance(training.rate, System):
        lines.append(f"    rates = learning_rates({steps})")
    else:
        lines.append(f"    rates = np.full({steps}, {float(training.rate)!r})")
    call = f"step({', '.join(module.step_arguments)})"
    lines += [
        "    losses = []",
        "    for epoch in range(epochs):",
        "        first = len(losses)",
        f"        for group in {training.batches.__name__}(len({first}), batch_size, seed, epoch):",
        *(f"            {name} = {_size(training, axis, shown)}" for name, axis in module.sizes.items()),
    ]
    if module.prepared:
        made = ", ".join(module.prepared) + "," * (len(module.prepared) == 1)
        lines.append(f"            {made} = prepare({', '.join(module.prepare_arguments)})".replace(", =", ", ="))
    lines.append(f"            for {shown.get('rows', 'rows')} in group:")
    if "number" in module.step_arguments:
        lines.append("                number = len(losses)")
    if shown.get("η") in module.step_arguments:
        lines.append(f"                {shown['η']} = {kind}(rates[len(losses)])")
    kept = ", ".join(f'"{t.name}": {shown[t.name]}' for t in training.system.parameters if t.name in shown)
    lines += [
        f"                ({shown[training.loss]},) = {call}",
        f"                losses.append(float({shown[training.loss]}))",
        '        print(f"epoch {epoch + 1}: loss {np.mean(losses[first:]):.6f}")',
        f"    return {{{kept}}}, losses",
    ]
    return "\n".join(part for line in lines for part in wrapped(line, 110))


def _starting(training: Training, module: Module, kind: str) -> list[str]:
    """Parameters and states before the first step."""
    shown = module.variables
    names = [shown[tensor.name] for tensor in training.system.parameters if tensor.name in shown]
    every = [shown.get(tensor.name, "_") for tensor in training.system.parameters]
    lines = []
    if isinstance(training.initial, System):
        made = ", ".join(every) + "," * (len(every) == 1)
        lines.append(f'    {made} = (np.array(value, {kind}, order="C") for value in init(seed))')
    else:
        lines.append('    with np.load("parameters.npz") as arrays:')
        for tensor in training.system.parameters:
            if tensor.name in shown:
                lines.append(f'        {shown[tensor.name]} = np.array(arrays["{tensor.name}"], {kind}, order="C")')
    sizes = sizes_of(training.system, {})
    assert names
    for tensor in training.system.named("state"):
        if tensor.name in shown:
            shape = tuple(sizes[axis] for axis in tensor.axes)
            lines.append(f"    {shown[tensor.name]} = np.full({shape}, {tensor.value}, {kind})")
    return lines


def _kind(tensor: Input, kind: str) -> str:
    return "np.int64" if tensor.role == "integer" else kind


def _size(training: Training, axis: str, shown: Mapping[str, str]) -> str:
    """How the file finds the size of an axis."""
    classes = axis_classes(training.system)

    def same(name: str) -> bool:
        return classes.get(name, name) == classes.get(axis, axis)

    for tensor in training.system.inputs:
        for place, name in enumerate(tensor.axes):
            if same(name) and tensor.name == "rows":
                return f"group.shape[{place + 1}]"
            if same(name) and tensor.name in training.shapes:
                return f"{shown[tensor.name]}.shape[{place}]"
    sizes = sizes_of(training.system, training.shapes)
    if axis not in sizes:
        raise ChainruleError(f"the size of axis {axis} is not known; declare it")
    return str(sizes[axis])


def _main(training: Training, module: Module) -> str:
    names = [t.name for t in _data(training) if t.name in module.variables]
    taken = ", ".join(f'data["{name}"]' for name in names)
    return f"""if __name__ == "__main__":
    with np.load(sys.argv[1] if len(sys.argv) > 1 else "data.npz") as data:
        parameters, losses = train({taken})
    np.savez(sys.argv[2] if len(sys.argv) > 2 else "parameters.npz", **parameters)"""


def _imports(needed: Iterable[str]) -> str:
    lines = ["from __future__ import annotations", "", "import sys"]
    if "random_values" in needed:
        lines += ["import zlib", "from math import prod"]
    return "\n".join([*lines, "", "import numpy as np"])


def _source_of(function: Callable[..., Any]) -> str:
    """The text of a function, without the remarks meant for checkers of types and style."""
    return _plain(inspect.getsource(function))


def _random_source() -> str:
    """The text of the random numbers: everything in ``equations/philox.py`` but its imports."""
    text = inspect.getsource(philox)
    tree = ast.parse(text)
    lines = text.splitlines()
    pieces = []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            continue
        pieces.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    constants = [piece for piece in pieces if not piece.startswith("def ")]
    functions = [piece for piece in pieces if piece.startswith("def ")]
    return _plain("\n\n\n".join(["\n".join(constants), *functions]))


def _plain(text: str) -> str:
    """Without type annotations of arrays, which would need imports, and without remarks for checkers."""
    text = re.sub(r"[ \t]*# (type: ignore|noqa|fmt)[^\n]*", "", text)
    tree = ast.parse(text)
    marks: list[tuple[int, int, int]] = []
    for node in ast.walk(tree):
        annotations: Sequence[Any] = ()
        if isinstance(node, ast.FunctionDef):
            every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            annotations = [argument for argument in every if argument.annotation is not None]
            if node.returns is not None:
                marks.append((node.returns.lineno, -1, node.returns.end_col_offset or 0))
        for argument in annotations:
            marks.append((argument.lineno, argument.col_offset + len(argument.arg.encode()), argument.end_col_offset))
    lines = [line.encode() for line in text.splitlines()]
    for number, start, end in sorted(marks, key=lambda mark: (mark[0], mark[2]), reverse=True):
        line = lines[number - 1]
        begin = line.rindex(b" -> ", 0, end) if start < 0 else start
        lines[number - 1] = line[:begin] + line[end:]
    return "\n".join(line.decode() for line in lines).rstrip()
