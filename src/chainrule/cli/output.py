"""What commands share: where they write, how they fail, what their arguments mean."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from chainrule.errors import ChainruleError


class Backend(StrEnum):
    """What computes, as an option."""

    native = "native"
    numpy = "numpy"


Command = TypeVar("Command", bound=Callable[..., None])


def examples(*lines: str) -> Callable[[Command], Command]:
    """Examples for the end of a command's help, one a line."""

    def mark(command: Command) -> Command:
        command.__dict__["examples"] = "[bold]Examples[/bold]\n\n" + "\n\n".join(
            f"[green]{line.replace('[', chr(92) + '[')}[/green]" for line in lines
        )
        return command

    return mark


def console() -> Console:
    """Standard output, with colour where it is a terminal."""
    return Console(highlight=False, soft_wrap=True)


def errors() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def report_error(message: str) -> None:
    """One clear message on standard error; what it quotes stays as it was written."""
    errors().print("[bold red]error:[/bold red] ", end="")
    errors().print(message, markup=False)


def print_json(record: Mapping[str, Any]) -> None:
    """A record for a script: one JSON object on standard output."""
    print(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def readable_file(path: Path) -> Path:
    """The path, if there is a file to read; ChainruleError otherwise."""
    if not path.exists():
        raise ChainruleError(f"{path}: no such file")
    if path.is_dir():
        raise ChainruleError(f"{path}: is a folder, not a file")
    return path


def check_writable(folder: Path) -> None:
    """Raise ChainruleError unless the folder, or the nearest one above it that exists, can be written to."""
    for place in (folder, *folder.resolve().parents):
        if place.exists():
            if not place.is_dir():
                raise ChainruleError(f"{place}: is a file; a folder is needed")
            if not os.access(place, os.W_OK):
                raise ChainruleError(f"{place}: cannot be written to")
            return


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, in a folder that is made if need be."""
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ChainruleError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from None
