"""Models as arguments of commands: the folder that a run leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError


def is_model(path: Path) -> bool:
    """Whether the argument means a saved model rather than a file of equations."""
    return path.is_dir() or path.name in ("model.json", "model.safetensors")


def load_model(path: Path) -> Any:
    """The network saved in the folder, as an estimator.  Raises ChainruleError for one that is wrapped in another."""
    found = load_predictor(path)
    if not hasattr(found, "specification_"):
        inner = next(iter(sorted(path.glob("*/model.json"))), None)
        hint = "" if inner is None else f"; the network is in {inner.parent}"
        raise ChainruleError(f"{path}: is a {type(found).__name__} around a network{hint}")
    return found


def load_predictor(path: Path) -> Any:
    """The estimator saved in the folder, be it a network or one that is wrapped around one."""
    if not path.exists():
        raise ChainruleError(f"{path}: no such model")
    # The estimators take seconds to import; only a command that has a model to load waits for them.
    from chainrule.estimators.saving import load

    return load(path)
