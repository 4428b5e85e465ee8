"""Laplace approximations: a normal posterior of a trained network's parameters, from the curvature of its loss.

The loss of all rows is minus the logarithm of their probability.  Around the parameters θ that training found it is
taken to be quadratic, with the Gauss–Newton matrix G, and the prior of the parameters to be normal with precision δ:
their posterior is then N(θ, (G + δ)⁻¹).  Predictions are those of the network linearised there, s + J (θ′ - θ), whose
outputs are normal with covariance J (G + δ)⁻¹ Jᵀ (MacKay, A Practical Bayesian Framework for Backpropagation Networks,
1992; Immer, Korzepa, Bauer, Improving Predictions of Bayesian Neural Nets via Local Linearization, 2021).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from chainrule.calculus.curvature import given, last_layer
from chainrule.data.ragged import in_blocks
from chainrule.definition import check_number
from chainrule.equations.compose import ELLIPSIS, match_axes
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System, size_names
from chainrule.errors import ChainruleError
from chainrule.estimators.model import longest_row, plain_loss
from chainrule.estimators.rows import Rows, distinct
from chainrule.estimators.summary import table
from chainrule.losses import Loss
from chainrule.probability.gauss_newton import (
    STRUCTURES,
    Linearized,
    Totals,
    loss_curvature,
    root,
)
from chainrule.probability.held_out import is_frozen, unfrozen
from chainrule.probability.posterior import Block, Posterior, blocks_from_arrays, blocks_to_arrays
from chainrule.probability.requirements import (
    Requirements,
    check_memory,
    estimated_seconds,
    memory,
    rows_per_block,
)
from chainrule.probability.wrapper import Wrapper
from chainrule.training.programs import program

Array = NDArray[Any]

LONG = 60  # seconds from which the time is said before it is spent


class LaplaceApproximation(Wrapper):
    """Common to both; ``kind`` is the estimator that it goes around."""

    kind: type[Any]

    estimator: Any
    estimator_: Any
    posterior_: Posterior
    log_marginal_likelihood_: float
    structure: str
    prior_precision: float | None
    memory_limit: int | None
    verbose: bool

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network, unless it is frozen, and find the posterior of its parameters from the same rows.

        Rows, targets and weights as for the estimator within.  What it will need of memory and time is said first,
        where ``verbose`` is set or it is more than a minute.
        Raises ChainruleError where that is more memory than there is, naming a structure that needs less; where the
        rows of the network are not separate; and where its loss is no likelihood that is known here.
        """
        self._check_settings()
        estimator = self.kind() if self.estimator is None else self.estimator
        fitted = unfrozen(estimator) if is_frozen(estimator) else clone(estimator)
        self._check_estimator(fitted)
        if not is_frozen(estimator):
            fitted.fit(X, y, sample_weight)
        check_is_fitted(fitted, "parameters_")
        self.estimator_ = fitted
        self._take_over(fitted)
        self._check_likelihood()
        rows = self._weighed(X, y, sample_weight)
        check_memory(self._network, self.structure, len(rows), self.memory_limit)
        network = self._network(self.structure)
        self._say(self._requirements(network, rows))
        totals, misfit = self._totals(network, rows)
        self._settle(network, STRUCTURES[self.structure].blocks(network, totals), misfit, rows)
        return self

    def requirements(self, X: Any, y: Any = None) -> Requirements:
        """The memory and the time that the posterior of the frozen estimator from these rows will need; ``print`` it.

        Raises ChainruleError where the estimator is not fitted and frozen: the equations are not known before.
        """
        self._check_settings()
        if not is_frozen(self.estimator):
            raise ChainruleError(
                f"{type(self).__name__}.requirements is for a fitted estimator: write "
                f"{type(self).__name__}(FrozenEstimator(model))"
            )
        self.estimator_ = unfrozen(self.estimator)
        self._check_estimator(self.estimator_)
        self._check_likelihood()
        return self._requirements(self._network(self.structure), self._weighed(X, y, None))

    def summary(self) -> str:
        """What the posterior is made of: a line for each block."""
        check_is_fitted(self, "posterior_")
        shown = [
            (", ".join(block.names), block.kind, f"{len(block.eigenvalues):,}") for block in self.posterior_.blocks
        ]
        facts = [f"prior precision {self.prior_precision_:.4g}", *self._facts()]
        facts.append(f"log marginal likelihood {self.log_marginal_likelihood_:.6g}")
        return "\n".join([*table(("parameters", "curvature", "numbers"), shown, numbers=1), "", ", ".join(facts)])

    @property
    def prior_precision_(self) -> float:
        """The precision δ of the normal prior of every parameter."""
        return self.posterior_.precision

    # --- what the two differ in ---------------------------------------------------------------------------------------

    def _check_likelihood(self) -> None:
        """Raise ChainruleError where the loss is no likelihood whose curvature is known to be right."""
        raise NotImplementedError

    def _targets(self, rows: Rows) -> dict[str, Array]:
        """What the loss reads of rows beside the output."""
        raise NotImplementedError

    def _loss(self, output: Array, targets: Mapping[str, Array]) -> tuple[Array, Array]:
        """Minus the logarithm of the probability of each row [b], and its curvature in the output [b, k, k]."""
        network, loss = self._network(self.structure), self._plain()
        count = averaged_over(loss, network)
        each, curvature = loss_curvature(network.step, output, targets, network.backend)
        return count * each, count * curvature

    def _settle(self, network: Linearized, blocks: tuple[Block, ...], misfit: float, rows: Rows) -> None:
        """Choose what is to be chosen by the marginal likelihood; ``misfit``: the sum of the losses of all rows."""
        raise NotImplementedError

    def _facts(self) -> list[str]:
        return []

    # --- the curvature ------------------------------------------------------------------------------------------------

    def _check_settings(self) -> None:
        owner = type(self).__name__
        if self.structure not in STRUCTURES:
            raise ChainruleError(f"{owner}: structure is one of {', '.join(STRUCTURES)}, not {self.structure!r}")
        if self.prior_precision is not None:
            check_number(owner, "prior_precision", self.prior_precision, above=0)
        if self.memory_limit is not None:
            check_number(owner, "memory_limit", self.memory_limit, above=0)

    def _check_estimator(self, estimator: Any) -> None:
        if not isinstance(estimator, self.kind):
            raise ChainruleError(
                f"{type(self).__name__}: estimator is a {self.kind.__name__} of chainrule, whose equations can be "
                f"differentiated, not {type(estimator).__name__}"
            )
        if estimator.ensemble is not None:
            raise ChainruleError(
                f"{type(self).__name__} is for one network, and ensemble={estimator.ensemble!r}; an ensemble says "
                "itself how sure it is"
            )

    def _plain(self) -> Loss:
        loss = plain_loss(self.estimator_.specification_.loss)
        assert loss is not None
        return loss

    def _network(self, structure: str) -> Linearized:
        """The network around its parameters, those of them that the structure is about."""
        model = self.estimator_
        step = model.specification_.step
        names = tuple(t.name for t in step.prediction_system.subset([step.output.name]).parameters)
        if structure == "last_layer":
            names = last_layer(step.prediction_system, step.output.name)
        values = {name: np.asarray(value, np.float64) for name, value in model.parameters_.items()}
        return Linearized(step, values, names, model.backend)

    def _weighed(self, X: Any, y: Any, sample_weight: Any) -> Rows:
        """The rows, those that are the same as one, with their weights."""
        model = self.estimator_
        rows = distinct(model._rows(X, y, sample_weight, reset=False, text_at=model._text_at()))
        return Rows(rows.X, rows.y, model._weigh(rows))

    def _requirements(self, network: Linearized, rows: Rows) -> Requirements:
        def some(count: int) -> object:
            return self._totals(network, rows.take(np.arange(count)))

        return Requirements(
            self.structure,
            network.numbers,
            len(rows),
            network.outputs,
            memory(network, self.structure, len(rows)),
            estimated_seconds(network, self.structure, len(rows), some),
        )

    def _say(self, needed: Requirements) -> None:
        self.requirements_ = needed
        if self.verbose:
            print(needed)
        elif needed.seconds is not None and needed.seconds > LONG:
            warnings.warn(str(needed), UserWarning, stacklevel=3)

    def _totals(self, network: Linearized, rows: Rows) -> tuple[Totals, float]:
        """What the blocks of G are made of, and the sum of the losses of all rows."""
        targets, misfits = self._targets(rows), []

        def blocks() -> Iterator[tuple[Mapping[str, Array], Array]]:
            for some, read in self._pieces(rows.X, rows_per_block(network, self.structure)):
                output = network.output(read)
                each, curvature = self._loss(output, {name: value[some] for name, value in targets.items()})
                weights = rows.weights[some]
                misfits.append(float(weights @ each))
                yield read, root(weights[:, None, None] * curvature, network.output_shape)

        found = STRUCTURES[self.structure].totals(network, blocks())
        return found, sum(misfits)

    def _pieces(self, X: Any, at_once: int) -> Iterator[tuple[Array, dict[str, Array]]]:
        """Numbers of rows, each once, and what the network reads of them."""
        model = self.estimator_
        if model.input_.length is not None:
            sequences = model._sequences(X, np.float64)
            most = longest_row(model.specification_.network)
            for rows, size in in_blocks(sequences.lengths, at_once, most):
                yield rows, sequences.arrays(rows, size)
            return
        for start in range(0, len(X), at_once):
            rows = np.arange(start, min(start + at_once, len(X)))
            yield rows, model.input_.encode(X.take(rows), np.float64)

    def _squares(self, network: Linearized) -> float:
        return sum(float(np.sum(network.values[name] ** 2)) for name in network.names)

    def _outputs(self, X: Any) -> tuple[Array, Array]:
        """The mean [b, …] and the covariance [b, k, k] of the outputs of the linearised network."""
        check_is_fitted(self, "posterior_")
        model = self.estimator_
        network = self._network(self.structure)
        data = model._read_input(X, model._text_at(), reset=False)
        at_once = rows_per_block(network, "full")
        order, means, covariances = [], [], []
        for rows, read in self._pieces(data, at_once):
            order.append(rows)
            means.append(network.output(read))
            covariances.append(self.posterior_.output_covariance(network.jacobian(read)))
        back = np.argsort(np.concatenate(order))
        return np.concatenate(means)[back], np.concatenate(covariances)[back]

    # --- on disk ------------------------------------------------------------------------------------------------------

    def _arrays(self) -> dict[str, Array]:
        chosen = [self.posterior_.count, self.posterior_.precision, self.log_marginal_likelihood_]
        return {"chosen": np.array(chosen), **blocks_to_arrays(self.posterior_.blocks)}

    def _take_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Put back what ``_arrays`` gave."""
        count, precision, evidence = arrays["chosen"].tolist()
        blocks = blocks_from_arrays({name: array for name, array in arrays.items() if name != "chosen"})
        self.posterior_, self.log_marginal_likelihood_ = Posterior(blocks, count, precision), evidence


def averaged_over(loss: Loss, network: Linearized) -> int:
    """Over how many targets of a row the loss is a mean; the probability of a row is that of all of them."""
    if ELLIPSIS not in size_names(loss.system.by_name["L"].expression):
        return 1
    sizes = solve_sizes(network.step.prediction_system, {}, partial=True)
    standing = match_axes("s", loss.system.tensor_axes["s"], network.step.output.axes)
    return prod(sizes[axis] for axis in standing[ELLIPSIS])


def from_output(
    system: System, output: str, wanted: tuple[str, ...], values: Array, backend: str | None
) -> dict[str, Array]:
    """Tensors of a system made of a network's output [b, …] alone."""
    alone = given(system, output).subset(wanted)
    return program(alone, wanted, "float64", backend).run({output: values}, {})
