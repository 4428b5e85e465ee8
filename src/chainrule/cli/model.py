"""Models as arguments of commands: the folder that a run leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError


def is_model(path: Path) -> bool:
    """Whether the argument means a saved model rather than a file of equations."""
    return path.is_dir() or path.name in ("model.json", "model.safetensors")


def load_model(path: Path) -> Any:
    """The estimator saved in the folder."""
    if not path.exists():
        raise ChainruleError(f"{path}: no such model")
    # The estimators take seconds to import; only a command that has a model to load waits for them.
    from chainrule.estimators.saving import load

    return load(path)
