"""One training step as one system: gather, forward, cost, gradients, clipping, updates.

``assemble`` writes it, together with the smaller systems that share its parameters: the network alone for predicting,
the network and its loss for evaluating, and the parameters' first values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.calculus.derivation import Log
from chainrule.calculus.reverse import derive
from chainrule.definition import check_instance, definition_system
from chainrule.equations.check import check
from chainrule.equations.node import Access, Apply, Equation, access, axis
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.initializers import Initializer
from chainrule.layers.composition import Composition, Reading, Tensor, initialization
from chainrule.layers.layer import Layer
from chainrule.layers.network import as_layer
from chainrule.losses.loss import Loss
from chainrule.optimizers.clipping import Clipping
from chainrule.optimizers.optimizer import Optimizer
from chainrule.regularizers import Regularizer

# The axis of the training set, along which a minibatch is gathered.
ROWS = "r"


@dataclass(frozen=True)
class TrainingStep:
    """The systems of a model in training.

    ``system``: one step on the minibatch ``rows[b]`` of the training set; reads ``sources`` (X[r, …], the targets, the
    weights), ``rows`` and the learning rate ``η``; updates parameters and states.  Its outputs worth keeping are
    ``cost`` (with penalties), ``loss`` (without) and ``gradient_norm``.
    ``cost_system``: forward and cost without the gather, the system to explain.
    ``evaluation``: from x and the targets to ``measured``, the loss, and ``prediction``, without dropout and penalties.
    ``prediction_system``: from x alone to ``prediction`` and ``output``.
    ``distribution``: the parameters of the distribution that the loss assumes, by their symbols, tensors of
    ``evaluation``; those that the network does not give are not there.
    ``initialization``: from sizes and the seed to every parameter's first value.
    ``sources``: input of the network or the loss → the whole training set's tensor: x → X.
    ``shared``: the parameters that the members of an ensemble of this network have in common.
    """

    system: System
    log: Log
    cost_system: System
    evaluation: System
    prediction_system: System
    initialization: System
    inputs: tuple[Input, ...]
    sources: Mapping[str, str]
    initializers: Mapping[str, Initializer]
    constants: Mapping[str, tuple[float, ...]]
    output: Tensor
    prediction: Tensor
    distribution: Mapping[str, Tensor]
    gradients: Mapping[str, str]
    optimizer: Optimizer
    cost: str = "C"
    loss: str = "C"
    gradient_norm: str = "gradient_norm"
    measured: str = "C"
    shared: frozenset[str] = frozenset()

    @property
    def distribution_system(self) -> System:
        """From x alone to the parameters of the distribution."""
        return self.evaluation.subset({tensor.name for tensor in self.distribution.values()})

    @property
    def parameters(self) -> tuple[Input, ...]:
        return self.system.parameters

    @property
    def states(self) -> tuple[Input, ...]:
        return self.system.named("state")

    @property
    def learnt(self) -> tuple[str, ...]:
        """What a model keeps: the parameters, and the states that prediction reads (running means)."""
        return tuple(t.name for t in (*self.parameters, *self.prediction_system.named("state")))


def assemble(
    network: Layer,
    loss: Loss,
    optimizer: Optimizer,
    reading: Reading | Mapping[str, int | None],
    *,
    regularizers: Sequence[Regularizer] = (),
    clipping: Clipping | None = None,
) -> TrainingStep:
    """The training step of a network on what it reads; ``{"i": 784}`` is short for ``x[b,i]`` of 784 numbers.

    Raises ChainruleError where layers, loss and sizes do not fit together.
    """
    network = as_layer(network, "assemble")
    reading = reading if isinstance(reading, Reading) else Reading.of(reading)
    if ROWS in dict(reading.sizes):
        raise ChainruleError(f"axis {ROWS} counts the rows of the training set; name the axis of the input otherwise")
    check_instance("assemble", "loss", loss, Loss)
    check_instance("assemble", "optimizer", optimizer, Optimizer)
    for regularizer in regularizers:
        check_instance("assemble", "every regularizer", regularizer, Regularizer)
    if clipping is not None:
        check_instance("assemble", "clipping", clipping, Clipping)

    shown, _ = _cost(network, loss, reading, regularizers, "b")
    gathered, output = _cost(network, loss, reading, regularizers, ROWS)
    inputs = tuple(tensor for tensor in gathered.inputs if tensor.role in ("data", "integer") and "b" in tensor.axes)
    forward = gather(gathered.written, inputs)
    check(forward)
    if not forward.parameters:
        raise ChainruleError(f"{network!r} has no parameters to train")
    log = derive(forward, "C", [tensor.name for tensor in forward.parameters])
    step = Composition((), {})
    pairs = [
        (Tensor(tensor.name, tensor.axes), Tensor(log.gradients[tensor.name], tensor.axes))
        for tensor in forward.parameters
    ]
    norm = _gradient_norm(step, pairs)
    if clipping is not None:
        pairs = clipping.compose(step, pairs, norm)
    optimizer.compose(step, pairs)
    evaluation, prediction, distribution = evaluated(network.predicting, loss, reading)
    return TrainingStep(
        system=log.system.extended(step.equations, step.inputs),
        log=log,
        cost_system=shown.system(),
        evaluation=evaluation,
        prediction_system=evaluation.subset({output.name, prediction.name}),
        initialization=initialization(shown.system(), gathered.initializers),
        inputs=inputs,
        sources={tensor.name: _source(tensor.name) for tensor in inputs},
        initializers=dict(gathered.initializers),
        constants=dict(gathered.constants),
        output=output,
        prediction=prediction,
        distribution=distribution,
        gradients=log.gradients,
        optimizer=optimizer,
        loss="C0" if "C0" in forward.by_name else "C",
        shared=frozenset(gathered.shared & forward.input_by_name.keys()),
    )


def _network(network: Layer, reading: Reading) -> tuple[Composition, Tensor]:
    under, x = reading.compose()
    under.taken.add(ROWS)
    return under, network.compose(under, x)


def _cost(
    network: Layer,
    loss: Loss,
    reading: Reading,
    regularizers: Sequence[Regularizer],
    rows: str,
) -> tuple[Composition, Tensor]:
    """The network, its loss and the cost with penalties."""
    under, output = _network(network, reading)
    each = loss.compose(under, output)
    learnt = [tensor for tensor in under.inputs if tensor.role == "parameter"]
    penalties = []
    for regularizer in regularizers:
        scope = under.scope("penalty")
        chosen = [tensor for tensor in learnt if regularizer.applies_to(tensor.name)]
        if not chosen:
            names = ", ".join(tensor.name for tensor in learnt)
            raise ChainruleError(f"{regularizer!r} matches no parameter; there are {names}")
        penalties += regularizer.compose(under, scope, [Tensor(t.name, t.axes) for t in chosen], rows)
    if penalties:
        mean = loss.mean(under, output, each, "C0")
        total = Apply("+", tuple(access(term.name, ()) for term in (mean, *penalties)))
        under.equations.append(Equation("C", (), total))
    else:
        loss.mean(under, output, each)
    return under, output


def evaluated(network: Layer, loss: Loss, reading: Reading) -> tuple[System, Tensor, dict[str, Tensor]]:
    """From x and the targets to the loss; the prediction, and the parameters of the distribution."""
    under, output = _network(network, reading)
    prediction, distribution = loss.interpret(under, output)
    loss.mean(under, output, loss.compose(under, output))
    return under.system(), prediction, distribution


def gather(system: System, inputs: Sequence[Input]) -> System:
    """The system with the minibatch ``rows[b]`` of a whole set in place of each input: ``x[b,i] = X[rows[b],i]``."""
    row = access("rows", ("b",))
    reads = tuple(
        Equation(
            tensor.name,
            tensor.axes,
            Access(_source(tensor.name), tuple(row if name == "b" else axis(name) for name in tensor.axes)),
        )
        for tensor in inputs
    )
    whole = tuple(
        Input(_source(t.name), tuple(ROWS if name == "b" else name for name in t.axes), t.role) for t in inputs
    )
    kept = tuple(tensor for tensor in system.inputs if tensor not in inputs)
    return System(
        (*reads, *system.equations),
        (*whole, Input("rows", ("b",), "integer"), *kept),
        (*(size for size in system.sizes if size[0] != ROWS), (ROWS, None)),
    )


def _source(name: str) -> str:
    """The training set's tensor: ``x`` → ``X``, ``ω`` → ``Ω``."""
    return name.upper()


def _gradient_norm(under: Composition, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """The root of the sum of the squares of all gradients."""
    definition = definition_system("data g[...]\ng2 = sum[...](g[...]^2)", "gradient norm")
    made = [under.place(definition, parameter.name, {"g": gradient})["g2"] for parameter, gradient in pairs]
    squares = [access(square.name, ()) for square in made]
    total = Apply("+", tuple(squares)) if len(squares) > 1 else squares[0]
    under.equations.append(Equation("gradient_norm", (), Apply("sqrt", (total,))))
    return Tensor("gradient_norm", ())
