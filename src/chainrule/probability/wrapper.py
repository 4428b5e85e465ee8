"""An estimator around another one, which it fits, or takes as it is, and corrects by rows that were held out.

A wrapper on disk is a folder with its own ``model.json`` and ``model.safetensors``, and a folder for each model in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as save_tensors
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import chainrule
from chainrule.data.rows import read_weights
from chainrule.errors import ChainruleError
from chainrule.estimators.saving import FORMAT, TENSORS, VERSION, warn_of_left_out, write
from chainrule.estimators.settings import settings_from_json, settings_to_json
from chainrule.probability.held_out import check_weighable, trained, unfrozen

Array = NDArray[Any]


class Wrapper(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Common to calibrated and to conformal estimators, and to posteriors.

    What it learns, by attribute: ``learnt``, arrays; ``named``, lists of numbers or texts.
    """

    learnt: ClassVar[tuple[str, ...]] = ()
    named: ClassVar[tuple[str, ...]] = ()

    estimator: Any
    estimator_: Any
    random_state: Any  # of those that divide rows

    @property
    def input_(self) -> Any:
        """How the model within reads its rows."""
        return self.estimator_.input_

    def _parts(self) -> dict[str, Any]:
        """The fitted models in it, by the names of their folders."""
        return {"estimator": self.estimator_}

    def _take_parts(self, parts: Sequence[Any]) -> None:
        """Put back the models that ``_parts`` gave."""
        (self.estimator_,) = parts
        self._take_over(self.estimator_)

    def _take_over(self, fitted: Any) -> None:
        """What a fitted model knows of its columns and its classes."""
        for name in ("n_features_in_", "feature_names_in_", "classes_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def _check_estimator(self, classifies: bool) -> None:
        """Raise ChainruleError unless the estimator is one, and for classes or for numbers as the wrapper is."""
        owner, estimator = type(self).__name__, unfrozen(self.estimator)
        if isinstance(estimator, type):
            raise ChainruleError(f"{owner}: estimator={estimator.__name__} is a class; write {estimator.__name__}()")
        kind = "classifier" if classifies else "regressor"
        if not hasattr(estimator, "predict"):
            raise ChainruleError(f"{owner}: estimator is a {kind} such as {kind.capitalize()}(), not {estimator!r}")
        if not classifies and hasattr(estimator, "__sklearn_tags__") and is_classifier(estimator):
            raise ChainruleError(
                f"{owner} is for numbers, and {type(estimator).__name__} predicts classes; give a regressor"
            )

    def _weights(self, sample_weight: Any, rows: int) -> Array | None:
        """The weights [b] to train with, if any are given, checked."""
        if sample_weight is None:
            return None
        check_weighable(type(self).__name__, self.estimator)
        return read_weights(sample_weight, rows)

    def _train(self, X: Any, y: Array, rows: Array, weights: Array | None) -> None:
        """Fit the estimator on some of the rows."""
        self.estimator_ = trained(self.estimator, self.random_state, X, y, rows, weights)
        self._take_over(self.estimator_)

    def _take_fitted(self) -> None:
        """The estimator as it is.  Raises NotFittedError where it is not fitted."""
        self.estimator_ = unfrozen(self.estimator)
        check_is_fitted(self.estimator_)
        self._take_over(self.estimator_)

    def _arrays(self) -> dict[str, Array]:
        """What it has learnt, as arrays."""
        return {name: getattr(self, name) for name in self.learnt}

    def _take_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Put back what ``_arrays`` gave."""
        for name in self.learnt:
            setattr(self, name, arrays[name])

    def save(self, path: str | Path) -> Path:
        """Write the wrapper and the models in it into the folder ``path``; ``chainrule.load`` reads it.

        Raises ChainruleError where a model in it is none of chainrule's, where groups are neither numbers nor texts,
        and where the folder cannot be written.
        """
        check_is_fitted(self)
        folder, parts = Path(path), self._parts()
        for part in parts.values():
            if not hasattr(part, "save"):
                raise ChainruleError(
                    f"{type(part).__name__} cannot be saved as equations and arrays; {type(self).__name__}.save is for "
                    "models of chainrule"
                )
        for name in self.named:
            for value in getattr(self, name):
                if not isinstance(value, int | float | str):
                    raise ChainruleError(
                        f"{type(self).__name__}.save: {name} has {value!r}, which is neither a number nor a text"
                    )
        tensors = save_tensors({name: np.array(value, order="C") for name, value in self._arrays().items()})
        given = {name: value for name, value in self.get_params(deep=False).items() if name != "estimator"}
        settings = settings_to_json({name: _written(value) for name, value in given.items()})
        warn_of_left_out(settings, stacklevel=3)
        description = {
            "format": FORMAT,
            "version": VERSION,
            "chainrule": chainrule.__version__,
            "estimator": type(self).__name__,
            "settings": settings,
            "named": {name: getattr(self, name) for name in self.named},
            "parts": list(parts),
            "parameters": {"file": TENSORS, "sha256": hashlib.sha256(tensors).hexdigest()},
        }
        for name, part in parts.items():
            part.save(folder / name)
        return write(folder, tensors, description)

    @classmethod
    def rebuilt(cls, description: Mapping[str, Any], arrays: Mapping[str, Array], parts: Sequence[Any]) -> Self:
        """What ``save`` wrote."""
        made = cls(parts[0], **settings_from_json(description["settings"]))
        made._take_arrays(arrays)
        for name in cls.named:
            setattr(made, name, description["named"][name])
        made._take_parts(parts)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        return tags


class OfTheSameTargets:
    """A wrapper whose targets are of the kinds that the estimator within takes: one or several numbers a row."""

    estimator: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.target_tags = get_tags(self.estimator).target_tags
        return tags


def _written(setting: Any) -> Any:
    """An array as its numbers, those of few digits with these digits: 0.9 and not the 0.89999998 of a float32."""
    if not isinstance(setting, tuple | list | np.ndarray):
        return setting
    return tuple(float(str(one)) if isinstance(one, np.floating) else one for one in setting)
