"""``chainrule compile``: a system as machine code: what was made of it, and why so."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.info import print_record
from chainrule.cli.model import is_model, load_model
from chainrule.cli.output import Backend, examples, print_json
from chainrule.equations.parse import parse_file
from chainrule.equations.system import System
from chainrule.errors import ChainruleError

SECONDS = 0.2  # for which steps are timed


@dataclass(frozen=True)
class Trial:
    """A system and something to run it on."""

    system: System
    outputs: tuple[str, ...]
    values: Mapping[str, Any]
    state: dict[str, Any]
    steps: Mapping[str, Any]
    multiply_adds: int = 0
    of: str = ""  # several networks, in words


@examples(
    "chainrule compile runs/digits",
    "chainrule compile runs/digits --rows 256 --explain",
    "chainrule compile examples/two_layer.eq --rows 32 --size i=784 --size j=100 --explain",
    "chainrule compile runs/digits --source > step.ll",
)
def compile(
    file: Annotated[
        Path, typer.Argument(help="The folder of a trained model, or a file of equations.", metavar="MODEL|FILE")
    ],
    explain: Annotated[bool, typer.Option("--explain", help="Say what each pass of the compiler did.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Print the code: LLVM's text, or NumPy's.")] = False,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows of a minibatch. Default: as in training; few for equations.")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help="The size of an axis of equations; may be repeated.")] = None,
    backend: Annotated[Backend | None, typer.Option(help="What compiles. Default: as for train.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compile the training step of a model, or a system of equations, for this machine, and run it.

    Equations are run on random numbers; axes without a size get a small one.
    """
    from chainrule.training.programs import backend_name

    chosen = backend_name(backend)
    if is_model(file):
        if size:
            raise ChainruleError("--size is for a file of equations; a model has sizes")
        trial = _of_model(load_model(file), rows, chosen)
    else:
        trial = _of_equations(parse_file(file), rows, size or [])
    if explain and chosen != "native":
        raise ChainruleError("--explain is for the native backend; --source prints the code of NumPy")
    program, record = _compiled(trial, chosen)
    if source:
        print(program.source)
    elif json:
        print_json({**record, **({"passes": program.explain()} if explain else {})})
    else:
        print_record(_in_words(record))
        if explain:
            print(f"\n{program.explain()}")


def _of_model(model: Any, rows: int | None, backend: str) -> Trial:
    """A training step of a model on random rows; of an ensemble, that of all its networks."""
    import numpy as np

    from chainrule.estimators.inspect import random_rows
    from chainrule.estimators.summary import looked_into, networks
    from chainrule.training.ensemble import first_states
    from chainrule.training.loop import first_state

    specification = model.specification_
    step, members = specification.trained, specification.members
    rows = model.training_.batch_size if rows is None else rows
    made = random_rows(model, rows)
    state = (
        first_state(step, 0, backend=backend)
        if members is None
        else first_states(specification.step, step, members, 0, backend)
    )
    minibatch = np.arange(rows)[None] if members is None else np.tile(np.arange(rows), (1, members, 1))
    return Trial(
        step.system,
        tuple(dict.fromkeys((step.cost, step.loss, step.gradient_norm))),
        {**{source: made[name] for name, source in step.sources.items()}, **step.constants},
        state,
        {"rows": minibatch, "η": np.array([step.optimizer.schedule.peak])},
        rows * sum(state[tensor.name].size for tensor in step.parameters),
        networks(model) if members is not None else looked_into(model),
    )


def _of_equations(system: System, rows: int | None, sizes: list[str]) -> Trial:
    """The equations on random numbers; what no equation reads is their result."""
    from chainrule.calculus.differences import sample_values
    from chainrule.equations.node import Number
    from chainrule.equations.walk import tensors

    given: dict[str, int] = {}
    for text in sizes:
        axis, _, number = text.partition("=")
        if axis.strip() not in system.axes or not number.strip().isdigit() or int(number) < 1:
            raise ChainruleError(f"--size {text}: say AXIS=NUMBER, with one of the axes {', '.join(system.axes)}")
        given[axis.strip()] = int(number)
    if rows is not None:
        learnt = {axis for tensor in system.parameters for axis in tensor.axes}
        of_data = (axis for tensor in system.inputs if tensor.role in ("data", "integer") for axis in tensor.axes[:1])
        given = {**{axis: rows for axis in of_data if axis not in learnt}, **given}
    sized = System(
        system.equations, system.inputs, (*system.sizes, *((axis, Number(count)) for axis, count in given.items()))
    )
    values = sample_values(sized)
    read = {name for equation in system.equations for name in tensors(equation)}
    outputs = tuple(equation.name for equation in system.equations if equation.name not in read | set(system.updates))
    state = {tensor.name: values.pop(tensor.name) for tensor in system.parameters}
    return Trial(system, outputs, values, state, {})


def _compiled(trial: Trial, backend: str) -> tuple[Any, dict[str, Any]]:
    """The program, and what making and running it took."""
    from chainrule.backends import compile
    from chainrule.training.threads import computed_by, threads_for

    with threads_for(trial.multiply_adds, backend):
        start = time.perf_counter()
        program: Any = compile(trial.system, trial.outputs, "float32", backend)
        _run(program, trial, 1)
        ready = time.perf_counter() - start
        start = time.perf_counter()
        _run(program, trial, 1)
        count = max(1, min(1000, int(SECONDS / (time.perf_counter() - start))))
        start = time.perf_counter()
        _run(program, trial, count)
        each = (time.perf_counter() - start) / count
    record: dict[str, Any] = {
        "equations": len(trial.system.equations),
        **({"of": trial.of} if trial.of else {}),
        "computed_by": computed_by(backend, program, trial.multiply_adds),
        "seconds_until_ready": ready,
        "seconds_a_step": each,
        "lines_of_code": len(program.source.splitlines()),
    }
    if backend == "native":
        from chainrule.backends.native.jit import emit_object
        from chainrule.backends.native.target import host

        start = time.perf_counter()
        record["bytes_of_machine_code"] = len(emit_object(program.source, host()))
        record["seconds_in_llvm"] = time.perf_counter() - start
    return program, record


def _in_words(record: Mapping[str, Any]) -> dict[str, Any]:
    code = f"{record['lines_of_code']:,} lines"
    if "seconds_in_llvm" in record:
        code += f" of LLVM's text, {record['bytes_of_machine_code'] / 1024:.1f} KiB of machine code"
    ready = f"after {1e3 * record['seconds_until_ready']:.0f} ms"
    if "seconds_in_llvm" in record:
        ready += f" (LLVM: {1e3 * record['seconds_in_llvm']:.0f} ms, unless the code is kept on disk already)"
    of = f" of {record['of']}" if "of" in record else ""
    return {
        "step": f"{record['equations']} equations{of}, {record['computed_by']}",
        "code": code,
        "ready": ready,
        "each step": f"{1e6 * record['seconds_a_step']:,.1f} µs",
    }


def _run(program: Any, trial: Trial, count: int) -> None:
    if not trial.steps:
        for _ in range(count):
            program.run(trial.values, dict(trial.state))
        return
    steps = {name: value.repeat(count, axis=0) for name, value in trial.steps.items()}
    program.run(trial.values, dict(trial.state), steps)
