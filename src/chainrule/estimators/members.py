"""Estimators of several networks: where their members come from, and each as a model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from chainrule.definition import Definition, refuse_class
from chainrule.errors import ChainruleError
from chainrule.estimators.counts import count
from chainrule.estimators.model import Specification
from chainrule.layers.shared import unshared
from chainrule.training import averaging, snapshots  # noqa: F401 (their names can be read back from texts)
from chainrule.training.ensemble import ensemble_axis, first_states, member_of, of_each
from chainrule.training.history import History
from chainrule.training.loop import Trainer, first_state
from chainrule.training.members import Ensemble, SharedWeights
from chainrule.training.programs import backend_name
from chainrule.training.snapshots import Keeper, OneRun
from chainrule.training.statistics import made_anew, of_minibatches

Array = NDArray[Any]


def members_of(ensemble: Any) -> int | None:
    """How many networks are trained at once; None for one.  Raises ChainruleError for what is no ensemble."""
    refuse_class("ensemble", "ensemble", ensemble, Ensemble)
    match ensemble:
        case None | OneRun():
            return None
        case SharedWeights():
            return ensemble.members
    if isinstance(ensemble, str | Definition):
        raise ChainruleError(
            f"ensemble is a number of networks, or one of {', '.join(f'{n}()' for n in Ensemble.catalogue)}, "
            f"not {ensemble!r}"
        )
    return count("ensemble", ensemble, 1)


class Members:
    """What ``Classifier`` and ``Regressor`` do to be several networks."""

    ensemble: Any
    epochs: int | None
    early_stopping: Any
    backend: str | None
    specification_: Specification
    parameters_: dict[str, Array]
    history_: History
    training_: Any
    _state: dict[str, Array]
    _seed_: int

    def _with_members(self, specification: Specification) -> Specification:
        """The specification, of one network, of what is trained: with the members and learning rates of the ensemble.

        Raises ChainruleError where the network has none, or where they would have everything in common.
        """
        ensemble = self.ensemble
        made = replace(specification, members=members_of(ensemble))
        if isinstance(ensemble, SharedWeights):
            made = replace(made, network=ensemble.network(made.network))
        if isinstance(ensemble, OneRun):
            rates = ensemble.schedule(made.optimizer.schedule)
            # What the run passes by are whole networks, each with parameters of its own.
            made = replace(made, network=unshared(made.network), optimizer=replace(made.optimizer, learning_rate=rates))
        if made.members is not None and made.step.shared.issuperset(made.step.learnt):
            raise ChainruleError(
                f"every layer of {made.network!r} is Shared, so the members would be one network: leave a layer out of "
                "Shared"
            )
        return made

    def _epochs(self, usual: int) -> int:
        """The epochs of a run, ``usual`` where none are given."""
        epochs = count("epochs", self.epochs, usual)
        if not isinstance(self.ensemble, OneRun):
            return epochs
        return self.ensemble.epochs(None if self.epochs is None else epochs, epochs)

    def _first_state(self, seed: int) -> dict[str, Array]:
        """Parameters and optimizer states before the first step; of all members, where it is an ensemble."""
        specification, backend = self.specification_, backend_name(self.backend)
        if specification.members is None:
            return first_state(specification.step, seed, backend=backend)
        return first_states(specification.step, specification.trained, specification.members, seed, backend)

    def _keepers(self) -> tuple[Keeper, ...]:
        """What keeps networks from one run.  Raises ChainruleError where something else decides which is kept."""
        if not isinstance(self.ensemble, OneRun):
            return ()
        if self.early_stopping:
            raise ChainruleError(
                f"{self.ensemble!r} takes networks from a whole run, which early_stopping={self.early_stopping!r} "
                "would end; leave it out"
            )
        return (self.ensemble.keeper(self.specification_.step, self.backend),)

    def _take_members(self, trainer: Trainer) -> None:
        """What the run has kept, as the networks that predict."""
        for keeper in trainer.callbacks:
            if isinstance(keeper, Keeper):
                found = keeper.found(trainer.run)
                parameters = {name: np.array(value) for name, value in found.parameters.items()}
                if found.moved:
                    parameters |= self._statistics(trainer, parameters, found.members)
                self.parameters_ = parameters
                self.specification_ = replace(self.specification_, members=found.members)
                if found.moved or found.members is not None:
                    del self._state  # what the optimizer knows is of another network

    def _statistics(self, trainer: Trainer, parameters: Mapping[str, Array], members: int | None) -> dict[str, Array]:
        """Running means for these parameters, those of each member where there are several."""
        specification: Specification = self.specification_
        step = replace(specification, network=of_minibatches(specification.network)).step

        def of(one: Mapping[str, Array]) -> dict[str, Array]:
            return made_anew(step, one, trainer.source, trainer.batch_size, trainer.run.seed, self.backend)

        if members is None:
            return of(parameters)
        every = [of(member_of(parameters, member, parameters.keys())) for member in range(members)]
        return {name: np.stack([one[name] for one in every]) for name in every[0]}

    def member(self, number: int) -> Self:
        """One network of an ensemble, counted from 0, as a model of its own.

        Raises ChainruleError where this is no ensemble, or has no such member.
        """
        check_is_fitted(self, "parameters_")
        members, thinned = self.specification_.members, self.specification_.thinned
        if thinned is not None:
            raise ChainruleError(
                f"this is one network {thinned} times over, each time with other units left out: they share all "
                "parameters, and there is no member to take out; the network itself is what made this ensemble"
            )
        if members is None:
            raise ChainruleError("this model is one network, no ensemble of several (ensemble=None)")
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < members:
            raise ChainruleError(f"there is no member {number!r}; the ensemble has 0 to {members - 1}")
        own = of_each(self.specification_.trained, ensemble_axis(self.specification_.step))
        one = _apart(self)
        one.ensemble = None
        one.specification_ = replace(self.specification_, members=None)
        one.parameters_ = member_of(self.parameters_, int(number), own)
        if not isinstance(self.ensemble, OneRun):
            one.training_ = replace(self.training_, seed=self.training_.seed + int(number))
        if hasattr(self, "_state"):
            one._state, one._seed_ = member_of(self._state, int(number), own), self._seed_ + int(number)
        return one  # type: ignore[no-any-return]

    def dropout_ensemble(self, networks: int = 50) -> Self:
        """The networks that dropout makes of this one, as an ensemble: each leaves out units of its own, for all rows.

        It predicts as any ensemble does (Monte Carlo dropout); parameters are shared.
        Raises ChainruleError where the network has no dropout, or is an ensemble already.
        """
        check_is_fitted(self, "parameters_")
        if self.specification_.members is not None:
            raise ChainruleError("this is an ensemble already; ask one of its networks: member(0).dropout_ensemble()")
        specification = replace(self.specification_, thinned=count("networks", networks, 1))
        _ = specification.trained  # a network without dropout is refused now
        several = _apart(self)
        several.specification_ = specification
        return several  # type: ignore[no-any-return]


def _apart(model: Any) -> Any:
    """A copy of the model that can be trained without a trace in it."""
    made = copy(model)
    made.history_ = History(model.history_.rows())
    return made
