"""Recordings: sound files in folders, their labels, and the waves in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.files import read_table
from chainrule.data.table import nearest
from chainrule.errors import ChainruleError

Array = NDArray[Any]

ENDINGS = frozenset({".wav", ".flac", ".ogg", ".aiff", ".aif"})


@dataclass(frozen=True)
class Recordings:
    """Rows that are sounds: files, or waves [n] at ``rate`` samples a second; ``labels`` [b] where they have any."""

    sounds: tuple[Path | Array, ...]
    labels: Array | None = None
    rate: int | None = None

    def __len__(self) -> int:
        return len(self.sounds)

    def take(self, rows: Array) -> Recordings:
        labels = None if self.labels is None else self.labels[rows]
        return Recordings(tuple(self.sounds[row] for row in rows), labels, self.rate)

    def parts(self) -> list[Array]:
        """A number for each file, or for each different wave."""
        held = [str(s).encode() if isinstance(s, Path) else np.asarray(s, float).tobytes() for s in self.sounds]
        place = {value: k for k, value in enumerate(sorted(set(held)))}
        return [np.array([place[value] for value in held], dtype=np.int64)]

    def name(self, row: int) -> str:
        """The row in messages."""
        sound = self.sounds[row]
        return str(sound) if isinstance(sound, Path) else f"X, row {row + 1}"

    def wave(self, row: int) -> tuple[Array, int]:
        """The samples [n] of a row, channels mixed to one, from -1 to 1, and the samples a second.

        Raises ChainruleError naming what cannot be read or is empty.
        """
        sound = self.sounds[row]
        if isinstance(sound, Path):
            return _read(sound)
        assert self.rate is not None
        return sound, self.rate


def _read(path: Path) -> tuple[Array, int]:
    library = _soundfile()
    if not path.is_file():
        raise ChainruleError(f"{path}: no such file")
    try:
        samples, rate = library.read(str(path), dtype="float64", always_2d=True)
    except (library.SoundFileError, OSError, RuntimeError) as error:
        raise ChainruleError(f"{path}: cannot be read as a sound ({str(error).rstrip('.').split(': ')[-1]})") from None
    if not len(samples):
        raise ChainruleError(f"{path}: the recording is empty")
    if not np.isfinite(samples).all():
        raise ChainruleError(f"{path}: the recording holds samples that are no numbers")
    return samples.mean(axis=1), int(rate)


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError):
        raise ChainruleError("recordings need the package soundfile: pip install 'chainrule[audio]'") from None
    return soundfile


def are_recordings(X: Any) -> bool:
    """Whether X is a folder with sound files, a sound file, or a list of them."""
    if isinstance(X, str | Path):
        return (Path(X).is_dir() and bool(sound_files(Path(X)))) or _is_sound(X)
    return isinstance(X, list | tuple) and bool(X) and all(map(_is_sound, X))


def _is_sound(name: Any) -> bool:
    return isinstance(name, str | Path) and Path(name).suffix.lower() in ENDINGS


def sound_files(folder: Path) -> list[Path]:
    """The sound files in a folder and its folders, hidden ones left out, in the order of their names."""
    found = [path for path in folder.rglob("*") if _is_sound(path) and path.is_file()]
    return sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))


def as_recordings(X: Any) -> Recordings:
    """The recordings of a folder, or of a list of files.

    Files in folders of a folder have these folders' names as labels.  Raises ChainruleError where there is no sound.
    """
    if isinstance(X, Recordings):
        return X
    if isinstance(X, str | Path) and Path(X).is_dir():
        folder = Path(X)
        files = _some(folder)
        inside = [path.relative_to(folder).parts for path in files]
        classes = [parts[0] if len(parts) > 1 else None for parts in inside]
        if None in classes:
            return Recordings(tuple(files))
        for empty in sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."):
            if empty not in classes:
                raise ChainruleError(f"{folder / empty}: the folder of a class, but no recording in it")
        return Recordings(tuple(files), np.array(classes, dtype=object))
    names = [X] if isinstance(X, str | Path) else X
    if not isinstance(names, list | tuple) or not all(isinstance(name, str | Path) for name in names):
        raise ChainruleError(
            "X is neither a folder of recordings nor a list of sound files; for waves in memory: waves"
        )
    if not names:
        raise ChainruleError("there are no recordings; at least 1 is needed")
    return Recordings(tuple(Path(name) for name in names))


def recordings(folder: str | Path, labels: str | Path) -> Recordings:
    """The sound files of a folder with their labels, for ``fit``.

    ``labels``: how files are named, ``"{label}_{speaker}_*"`` (without the ending; ``*`` is anything), or a table with
    the columns ``file`` and ``label`` (CSV, TSV or Parquet; files relative to the folder; others are left out).
    Raises ChainruleError naming the first file without a label, or the first line without a file.
    """
    folder = Path(folder)
    files = _some(folder)
    if Path(labels).suffix.lower() in (".csv", ".tsv", ".parquet", ".pq"):
        label_of = _labels_in(Path(labels))
        there = {str(path.relative_to(folder)): path for path in files}
        for file in label_of:
            if file not in there:
                raise ChainruleError(f"{labels}: {file}: no such recording in {folder}{nearest(file, list(there))}")
        return Recordings(tuple(there[file] for file in label_of), np.array(list(label_of.values()), dtype=object))
    label = label_in_name(str(labels))
    return Recordings(tuple(files), np.array([label(path) for path in files], dtype=object))


def waves(rows: Sequence[Array], rate: int) -> Recordings:
    """Sounds in memory as rows: arrays [n] from -1 to 1 at ``rate`` samples a second.

    Raises ChainruleError naming the first row that is empty or holds something else than finite numbers.
    """
    made: list[Path | Array] = []
    for number, row in enumerate(rows, 1):
        wave = np.asarray(row)
        if wave.ndim != 1 or wave.dtype.kind not in "fiu":
            raise ChainruleError(f"waves: row {number} is no array [n] of numbers")
        if not len(wave):
            raise ChainruleError(f"waves: row {number} is empty")
        if not np.isfinite(wave).all():
            raise ChainruleError(f"waves: row {number} holds samples that are no numbers")
        made.append(wave.astype(np.float64))
    if not made:
        raise ChainruleError("there are no recordings; at least 1 is needed")
    return Recordings(tuple(made), rate=int(rate))


def label_in_name(pattern: str) -> Callable[[Path], str]:
    """The function that finds ``{label}`` in the name of a file; ``{…}`` and ``*`` are as short as the rest allows."""
    if pattern.count("{label}") != 1:
        raise ChainruleError(f"the labels {pattern!r} must say once where {{label}} stands, as in '{{label}}_*'")
    parts = re.split(r"(\{\w+\}|\*)", pattern)
    written = "".join(
        "(?P<label>.+?)"
        if part == "{label}"
        else ".+?"
        if part[:1] == "{"
        else ".*?"
        if part == "*"
        else re.escape(part)
        for part in parts
    )

    def label(path: Path) -> str:
        found = re.fullmatch(written, path.stem)
        if found is None:
            raise ChainruleError(f"{path}: the name is not of the form {pattern!r}")
        return found["label"]

    return label


def _labels_in(path: Path) -> Mapping[str, str]:
    table = read_table(path, text_columns=("file", "label"))
    for name in ("file", "label"):
        if name not in table.column_names:
            raise ChainruleError(f"{path}: no column {name!r}{nearest(name, table.column_names)}")
    files, labels = table.column("file").to_pylist(), table.column("label").to_pylist()
    for row, (file, label) in enumerate(zip(files, labels, strict=True), 1):
        if file is None or label is None:
            raise ChainruleError(f"{path}: row {row} has no {'file' if file is None else 'label'}")
    return dict(zip(map(str, files), map(str, labels), strict=True))


def _some(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ChainruleError(f"{folder}: no such folder")
    files = sound_files(folder)
    if not files:
        raise ChainruleError(f"{folder}: no recordings in it ({', '.join(sorted(ENDINGS))})")
    return files
