"""Training that can be taken up again: everything a run needs to go on, in one file, every few epochs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from chainrule.errors import ChainruleError
from chainrule.training.callbacks import Callback, Run
from chainrule.training.history import History

FORMAT = "chainrule checkpoint 1"


@dataclass(frozen=True)
class Checkpoint(Callback):
    """Write parameters and optimizer states to ``path`` after every ``every`` epochs, and go on from there.

    A run that finds the file takes up where it ended: with the same data, settings and seed the result is that of a run
    that was never interrupted.  The file holds no data.  Raises ChainruleError where it belongs to another run.
    """

    path: str | Path
    every: int = 1

    def on_start(self, run: Run) -> None:
        path = Path(self.path)
        if not path.exists():
            return
        try:
            with safe_open(path, framework="numpy") as file:
                about = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        except (OSError, SafetensorError) as error:
            raise ChainruleError(f"{path}: no checkpoint, or damaged ({str(error).splitlines()[0]})") from None
        if about.get("format") != FORMAT:
            raise ChainruleError(f"{path}: not a checkpoint of chainrule")
        here = {name: np.shape(value) for name, value in run.state.items()}
        if {name: value.shape for name, value in state.items()} != here or about["seed"] != str(run.seed):
            raise ChainruleError(f"{path}: a checkpoint of another run (other parameters, or another seed); remove it")
        if about.get("plan", "") != run.plan:
            raise ChainruleError(
                f"{path}: a checkpoint of a run that keeps {about.get('plan') or 'something else'}; this one keeps "
                f"{run.plan}: give it the same epochs and ensemble, or remove the file"
            )
        run.state.update(state)
        run.epoch, run.step = int(about["epoch"]), int(about["step"])
        for row in History.from_json(json.loads(about["history"])).rows():
            run.history.append(row)

    def on_epoch(self, run: Run) -> None:
        if run.epoch % self.every == 0:
            self.write(run)

    def write(self, run: Run) -> None:
        """Write the file, all of it or nothing."""
        path = Path(self.path)
        about = {
            "format": FORMAT,
            "seed": str(run.seed),
            "epoch": str(run.epoch),
            "step": str(run.step),
            "plan": run.plan,
            "history": json.dumps(run.history.to_json()),
        }
        unfinished = path.with_name(path.name + ".part")
        try:
            unfinished.write_bytes(save({k: np.array(v, order="C") for k, v in run.state.items()}, about))
            os.replace(unfinished, path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None
