"""What the middle of the page shows of a run: the step, the derivation, tensors, gradients, regions, another run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from chainrule.lab.runs import LabRun
from chainrule.lab.snapshot import Snapshot
from chainrule.lab.views import comparison, distributions, regions, step, tensors
from chainrule.notation import markup
from chainrule.notation.curves import Curve, curves
from chainrule.walk import Element, Walk

PANES = {
    "step": "Step",
    "derivation": "Derivation",
    "weights": "Weights",
    "activations": "Activations",
    "gradients": "Gradients",
    "regions": "Regions",
    "compare": "Compare",
}
# Columns of a history that are no scores.
_NO_SCORES = ("epoch", "steps", "loss", "validation_loss", "learning_rate", "gradient_norm", "seconds")


@dataclass(frozen=True)
class Looked:
    """A run as it is drawn: what is known of it, the step shown and how much of it is done, what is chosen, the run
    beside it.
    """

    pane: str
    run: LabRun
    seen: Snapshot
    walk: Walk | None
    stage: int
    row: int | None
    chosen: Element | None
    other: LabRun | None
    beside: Snapshot | None
    derivation: str


def pane(looked: Looked) -> str:
    """The markup of the pane that is looked at."""
    return _DRAWN[looked.pane](looked)


def _step(looked: Looked) -> str:
    if looked.walk is None:
        return markup.note("The step that comes next is being computed …")
    return step.step(looked.walk, step.Shown(looked.stage, looked.row, looked.chosen))


def _derivation(looked: Looked) -> str:
    return f'<div class="lab-derivation">{looked.derivation}</div>'


def _weights(looked: Looked) -> str:
    if looked.walk is None:
        return markup.note("There are no weights yet.")
    found = tensors.parameters(looked.walk)
    return tensors.pictures(found, None, looked.chosen) + tensors.distributions(found)


def _activations(looked: Looked) -> str:
    if looked.walk is None:
        return markup.note("No step is left whose activations could be shown.")
    found = tensors.activations(looked.walk)
    return tensors.pictures(found, looked.row, looked.chosen) + tensors.distributions(found)


def _gradients(looked: Looked) -> str:
    if looked.walk is None:
        return markup.note("No step is left whose gradients could be shown.")
    adjoints = looked.walk.log.gradients
    norms = {name: float(np.linalg.norm(looked.walk.values[adjoint])) for name, adjoint in adjoints.items()}
    sizes = {name: float(np.linalg.norm(looked.walk.values[name])) for name in adjoints}
    found = [looked.walk[adjoint] for adjoint in adjoints.values()]
    layers = [name for name in looked.seen.curves if name.startswith("gradient_norm ")]
    lines = [
        Curve(name.removeprefix("gradient_norm "), looked.seen.steps, looked.seen.curves[name], at % 6, at >= 6)
        for at, name in enumerate(layers)
    ]
    history = curves("Size of the gradient, by layer", lines, logarithmic=True)
    return (
        distributions.gradient_sizes(norms, sizes)
        + f'<div class="tiles">{history}</div>'
        + tensors.pictures(found, None, looked.chosen)
    )


def _regions(looked: Looked) -> str:
    return f'<div class="one">{plane(looked.run)}</div>' + markup.note(
        "Colour is what the network predicts there; the paler, the less sure. Points are the rows."
    )


def plane(run: LabRun) -> str:
    """The decision regions of a run whose rows are two numbers."""
    if not run.data.in_plane:
        return markup.note("Regions can be drawn where a row is two numbers: choose moons, circles or spirals.")
    whole = run.data.everything
    points = np.asarray(whole.X, dtype=float)
    model = run.model()
    shares = model.predict_proba(regions.grid(*regions.ranges(points)))
    names = [str(name) for name in model.classes_]
    classes = np.searchsorted(model.classes_, whole.y)
    return regions.regions(shares, points, classes, names, ("x₁", "x₂"))


def _compare(looked: Looked) -> str:
    if looked.other is None or looked.beside is None:
        return markup.note(
            "Choose another run to compare with. There is one as soon as the set-up was changed after some training "
            "and a new run was started."
        )
    mine, theirs = looked.run, looked.other
    seen = (looked.seen, looked.beside)
    losses = [[_line("loss", one), *_validation(one, "validation_loss")] for one in seen]
    parts = [comparison.versus("Loss", losses)]
    scores = [name for name in _scores(seen[0]) if name in _scores(seen[1])]
    parts += [comparison.versus(_title(name), [_validation(one, name) for one in seen]) for name in scores[:1]]
    figures = f'<div class="versus">{"".join(parts)}</div>'
    if mine.data.in_plane and theirs.data.in_plane:
        figures += f'<div class="versus">{plane(mine)}{plane(theirs)}</div>'
    return figures + comparison.differences(_settings(mine), _settings(theirs))


def _settings(run: LabRun) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(run.setup).items()} | {"data": run.data.title}


def side_curves(seen: Snapshot) -> str:
    """Loss and one score, beside everything else."""
    parts = [curves("Loss", [_line("loss", seen), *_validation(seen, "validation_loss")])]
    parts += [curves(_title(name), _validation(seen, name), along="step") for name in _scores(seen)[:1]]
    return "".join(parts)


def _line(name: str, seen: Snapshot) -> Curve:
    return Curve("training", seen.steps, seen.curves.get(name, np.empty(0)))


def _validation(seen: Snapshot, name: str) -> list[Curve]:
    """A column of the history over the steps."""
    rows = [row for row in seen.history if name in row]
    if not rows:
        return []
    return [Curve("validation", [row["steps"] for row in rows], [row[name] for row in rows], 1)]


def _scores(seen: Snapshot) -> list[str]:
    return [name for name in (seen.history[-1] if seen.history else ()) if name not in _NO_SCORES]


def _title(name: str) -> str:
    return name.removeprefix("validation_").replace("_", " ").capitalize() + " on validation rows"


_DRAWN = {
    "step": _step,
    "derivation": _derivation,
    "weights": _weights,
    "activations": _activations,
    "gradients": _gradients,
    "regions": _regions,
    "compare": _compare,
}
