"""Models on disk: a folder with ``model.safetensors`` (the parameters) and ``model.json`` (everything else).

``model.json`` holds the equations as text, how data are read, settings and history: enough to read, and to predict,
without knowing this version's classes.  Nothing in either file is executed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import chainrule
from chainrule.data.reading import reader_from_json
from chainrule.data.target import Labels, target_from_json
from chainrule.equations.sizes import solve_sizes
from chainrule.errors import ChainruleError
from chainrule.estimators.model import Specification
from chainrule.estimators.settings import read_call, settings_from_json, settings_to_json
from chainrule.layers.composition import Reading
from chainrule.training.history import History

Array = NDArray[Any]

FORMAT = "chainrule model"
VERSION = 1
JSON, TENSORS = "model.json", "model.safetensors"
# Estimators around others, which are in folders of their own below: where each one is defined.
WRAPPERS = {
    "TemperatureScaling": "chainrule.probability.calibration",
    "VectorScaling": "chainrule.probability.calibration",
    "IsotonicCalibration": "chainrule.probability.calibration",
    "SpreadScaling": "chainrule.probability.spread",
    "ConformalClassifier": "chainrule.probability.conformal",
    "ConformalRegressor": "chainrule.probability.conformal",
    "CrossConformalClassifier": "chainrule.probability.cross_conformal",
    "CrossConformalRegressor": "chainrule.probability.cross_conformal",
    "LaplaceClassifier": "chainrule.probability.laplace_classes",
    "LaplaceRegressor": "chainrule.probability.laplace_values",
}


def save(model: Any, path: str | Path) -> Path:
    """Write a fitted estimator; both files or, where that fails, neither.  Returns the folder."""
    tensors = save_tensors({name: np.array(value, order="C") for name, value in model.parameters_.items()})
    return write(Path(path), tensors, _describe(model, tensors))


def write(folder: Path, tensors: bytes, description: Mapping[str, Any]) -> Path:
    """Write both files of a model or, where that fails, neither."""
    text = json.dumps(description, ensure_ascii=False, indent=1, allow_nan=True)
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((TENSORS, tensors), (JSON, text.encode())):
            made.append(folder / f"{name}.part")
            made[-1].write_bytes(content)
        for part in made:
            os.replace(part, part.with_suffix(""))
    except OSError as error:
        for part in made:
            part.unlink(missing_ok=True)
        raise ChainruleError(f"{folder}: cannot write the model: {(error.strerror or str(error)).lower()}") from None
    return folder


def _describe(model: Any, tensors: bytes) -> dict[str, Any]:
    step, trained = model.specification_.step, model.specification_.trained
    calls = model.specification_.calls()
    _check_calls(calls)
    names = getattr(model, "feature_names_in_", None)
    settings = settings_to_json(model.get_params(deep=False))
    if "network" in settings.get("left_out", ()):
        # Functions among its layers have no text; what they returned has.
        settings["network"] = {"call": repr(model.specification_.network)}
        settings["left_out"].remove("network")
    warn_of_left_out(settings, stacklevel=5)
    return {
        "format": FORMAT,
        "version": VERSION,
        "chainrule": chainrule.__version__,
        "estimator": type(model).__name__,
        "settings": settings,
        "features": {"count": getattr(model, "n_features_in_", None), "names": None if names is None else list(names)},
        "input": {"kind": type(model.input_).__name__, **model.input_.to_json()},
        "target": model.target_.to_json(),
        "model": calls,
        "prediction": {"name": trained.prediction.name, "equations": str(trained.prediction_system).splitlines()},
        "training": {"cost": step.cost, "equations": str(step.cost_system).splitlines()},
        "history": model.history_.to_json(),
        "run": asdict(model.training_),
        "best_epoch": model.best_epoch_,
        "parameters": {"file": TENSORS, "sha256": hashlib.sha256(tensors).hexdigest()},
    }


def warn_of_left_out(settings: Mapping[str, Any], stacklevel: int) -> None:
    """Say which settings have no text, and so are not saved."""
    if settings.get("left_out"):
        warnings.warn(
            f"saved without the settings that have no text: {', '.join(settings['left_out'])}; "
            "the loaded model has their default values",
            UserWarning,
            stacklevel=stacklevel,
        )


def _check_calls(calls: Mapping[str, Any]) -> None:
    """Raise ChainruleError, before anything is written, where a part of the model cannot be read back from its text."""
    try:
        read = _specification(calls)
    except ChainruleError as error:
        raise ChainruleError(f"the model cannot be saved: {error}") from None
    for name, call in calls.items():
        if read.calls()[name] != call:
            raise ChainruleError(f"the model cannot be saved: {name} is read back as another one from {call!r}")


def load(path: str | Path) -> Any:
    """The estimator that ``save`` wrote into the folder ``path``, ready to predict, explain and train on.

    Raises ChainruleError with one line for a folder without a model, and for a file that is damaged, of a newer
    version, or not ours.
    """
    folder = Path(path)
    folder = folder.parent if folder.name in (JSON, TENSORS) else folder
    description = _read_json(folder / JSON)
    tensors = _read(folder / TENSORS)
    try:
        parameters = _parameters(folder / TENSORS, tensors, description)
        if description["estimator"] in WRAPPERS:
            wrapper = getattr(import_module(WRAPPERS[description["estimator"]]), description["estimator"])
            return wrapper.rebuilt(description, parameters, [load(_inside(folder, p)) for p in description["parts"]])
        return _rebuild(description, parameters)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ChainruleError):
            raise ChainruleError(f"{folder / JSON}: {error}") from None
        raise ChainruleError(f"{folder / JSON}: damaged ({type(error).__name__}: {error})") from None


def _inside(folder: Path, part: str) -> Path:
    """The folder of a model within a wrapper, which is right below the wrapper's own."""
    if part in ("", ".", "..") or Path(part).name != part:
        raise ChainruleError(f"{part!r} is no folder of a model within")
    return folder / part


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ChainruleError(f"{path}: no such file; a model is a folder with {JSON} and {TENSORS}") from None
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_read(path).decode())
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ChainruleError(f"{path}: not a model of chainrule, or damaged (no JSON)") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ChainruleError(f"{path}: not a model of chainrule")
    if data.get("version") != VERSION:
        raise ChainruleError(
            f"{path}: version {data.get('version')} of the format; this chainrule reads version {VERSION}"
        )
    return data


def _parameters(path: Path, content: bytes, description: Mapping[str, Any]) -> dict[str, Array]:
    if hashlib.sha256(content).hexdigest() != description["parameters"]["sha256"]:
        raise ChainruleError(f"{path.name} is damaged, or belongs to another model")
    try:
        return dict(load_tensors(content))
    except SafetensorError as error:
        raise ChainruleError(f"{path.name} is damaged ({error})") from None


def _rebuild(description: Mapping[str, Any], parameters: dict[str, Array]) -> Any:
    from chainrule.estimators.base import TrainingRun
    from chainrule.estimators.classifier import Classifier
    from chainrule.estimators.language_model import LanguageModel
    from chainrule.estimators.regressor import Regressor

    kinds = {"Classifier": Classifier, "LanguageModel": LanguageModel, "Regressor": Regressor}
    if description["estimator"] not in kinds:
        raise ChainruleError(f"unknown estimator {description['estimator']!r}")
    model: Any = kinds[description["estimator"]](**settings_from_json(description["settings"]))
    features, given = description["features"], description["input"]
    if features["count"] is not None:
        model.n_features_in_ = int(features["count"])
    if features["names"] is not None:
        model.feature_names_in_ = np.array(features["names"], dtype=object)
    model.input_ = reader_from_json(given["kind"], given)
    model.target_ = target_from_json(description["target"])
    if isinstance(model.target_, Labels):
        model.classes_ = model.target_.classes
    model.specification_ = _specification(description["model"])
    model.history_ = History.from_json(description["history"])
    model.training_ = TrainingRun(**description["run"])
    model.n_iter_, model.best_epoch_ = len(model.history_), int(description["best_epoch"])
    model.parameters_ = _in_order(model.specification_, parameters)
    return model


def _specification(calls: Mapping[str, Any]) -> Specification:
    clipping = calls["clipping"]
    return Specification(
        read_call(calls["network"], "network"),
        read_call(calls["loss"], "loss"),
        read_call(calls["optimizer"], "optimizer"),
        _reading(calls),
        tuple(read_call(call, "regularizer") for call in calls["regularizers"]),
        None if clipping is None else read_call(clipping, "clipping"),
        None if calls.get("members") is None else int(calls["members"]),
        None if calls.get("thinned") is None else int(calls["thinned"]),
    )


def _reading(calls: Mapping[str, Any]) -> Reading:
    sizes = tuple((str(name), None if size is None else int(size)) for name, size in calls["sizes"])
    return Reading(sizes, calls.get("role", "data"), calls.get("length"))


def _in_order(specification: Specification, parameters: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters that the equations name, with the shapes that they say."""
    system = specification.trained.prediction_system
    sizes = solve_sizes(system, {}, partial=True)
    found = {}
    for tensor in (*system.parameters, *system.named("state")):
        wanted = tuple(sizes[axis] for axis in tensor.axes)
        if tensor.name not in parameters or parameters[tensor.name].shape != wanted:
            raise ChainruleError(f"{TENSORS} has no {tensor.name} of shape {wanted}")
        found[tensor.name] = parameters[tensor.name]
    return found
