"""What the model is made of, what trained it, and how to train it again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from chainrule.data.augment import as_augmentations
from chainrule.estimators.summary import networks, sourced
from chainrule.report.page import Section, heading, note, paragraph, terms

PACKAGES = ("chainrule", "numpy", "llvmlite", "scikit-learn", "pyarrow")


def section(model: Any, command: str, remembered: Mapping[str, str]) -> Section:
    """Settings, versions and seed.

    ``command``: that of the command line that trains the model again; ``remembered``: versions of the training, where
    they are known.
    """
    specification, run = model.specification_, model.training_
    lines = [
        ("estimator", type(model).__name__),
        ("network", repr(specification.network)),
        ("loss", repr(specification.loss)),
        ("optimizer", repr(specification.optimizer)),
    ]
    lines += [("penalty", repr(penalty)) for penalty in specification.regularizers]
    lines += [] if specification.clipping is None else [("clipping", repr(specification.clipping))]
    several = networks(model)
    lines += [("ensemble", several)] if several else []
    lines += [("augmentation", repr(step)) for step in as_augmentations(model.augmentation)]
    lines += [(f"input: {name}", said) for name, said in model.input_.lines()[:1] if len(model.input_.lines()) == 1]
    lines += [
        ("minibatches", f"of {run.batch_size:,} rows"),
        ("epochs", f"{len(model.history_)}" + ("" if run.epochs == len(model.history_) else f" of {run.epochs}")),
        ("seed", str(run.seed)),
    ]
    lines += [("computed by", run.computed_by)] if run.computed_by else []
    here = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    then = {**here, **remembered}
    versions = [
        (name, text if here.get(name, text) == text else f"{text} (this report: {here[name]})")
        for name, text in then.items()
    ]
    again = ""
    if command:
        again = heading("To train it again") + f'<pre tabindex="0" aria-label="command">{escape(command)}</pre>'
        again += note("The same seed, data and versions give the same numbers on the same kind of processor.")
    else:
        again = heading("To train it again") + paragraph(
            f"model.source() writes a Python file that trains {sourced(model) or 'the same network'} from the same "
            "first values with NumPy alone; model.save() keeps these settings."
        )
    body = terms(lines) + again + heading("Versions") + terms(versions)
    return Section("settings", "Settings and versions", body)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
