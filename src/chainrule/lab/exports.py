"""What a run of the lab gives to keep: files made of what it is at the moment, and the address that restores it."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from chainrule.data.sets import in_words_of
from chainrule.lab.runs import LabRun
from chainrule.lab.setup import Setup


@dataclass(frozen=True)
class File:
    """A file by its name and content."""

    name: str
    content: bytes


def equations(run: LabRun) -> File:
    """The equations of the network and its cost, with the derived ones of backpropagation, as text in the language."""
    derived = run.step_equations.log.system
    return File(f"{_stem(run)}.eq", f"{derived}\n".encode())


def source(run: LabRun) -> File:
    """A Python file that trains the same network with NumPy alone."""
    return File("training.py", run.model().source().encode())


def model(run: LabRun) -> File:
    """The folder that ``chainrule.load`` reads, as a .zip, with the history beside it."""
    fitted = run.model()
    with tempfile.TemporaryDirectory(prefix="chainrule-model-") as place:
        folder = fitted.save(Path(place) / _stem(run))
        fitted.history_.to_csv(folder / "history.csv")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"{folder.name}/{path.name}")
    return File(f"{_stem(run)}.zip", packed.getvalue())


def report(run: LabRun) -> File:
    """The report on the model and the rows it was measured on, one HTML file."""
    from chainrule.report import Origin, report  # takes a second to import, and no other file needs it

    rows, kept = run.data.training, run.data.validation
    target = "target" if kept.target == "y" else kept.target
    origin = Origin(run.data.title, "set aside for validation", target, training=(rows.X, rows.y))
    with in_words_of(kept):
        return File("report.html", report(run.model(), kept.X, kept.y, origin).html().encode())


def link(setup: Setup, origin: str = "") -> str:
    """The address that restores the set-up: ``origin`` is the server's, as in ``http://127.0.0.1:8080``."""
    query = setup.query()
    return f"{origin}/?{urlencode(query)}" if query else f"{origin}/"


def _stem(run: LabRun) -> str:
    """A name for files: that of the set, without what file systems do not like."""
    return "".join(letter if letter.isalnum() else "-" for letter in Path(run.data.title).stem).strip("-") or "model"
