"""Errors in the user's words: every one names the culprit, and where there is a line of text, shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class ChainruleError(ValueError):
    """Something the user wrote or gave cannot be used; the message says what and where."""


@dataclass(frozen=True)
class Source:
    """Where an equation or a declaration was written: its text and the place of each of its parts.

    ``spans`` maps the path to a part (child numbers from the right-hand side down; ``("left",)`` for the left-hand
    side) to its first and past-the-last character in ``text``.
    """

    text: str
    file: str
    line: int
    spans: Mapping[tuple[object, ...], tuple[int, int]] = field(default_factory=dict)

    def place(self, start: int) -> tuple[int, int]:
        """Line number in the file and column, both from 1, of a character of ``text``."""
        before = self.text[:start]
        return self.line + before.count("\n"), start - (before.rfind("\n") + 1) + 1

    def quote(self, start: int, stop: int) -> str:
        """The line that holds the character ``start``, with carets under the part up to ``stop``."""
        first = self.text.rfind("\n", 0, start) + 1
        last = self.text.find("\n", start)
        line = self.text[first:] if last < 0 else self.text[first:last]
        width = max(1, min(stop, first + len(line)) - start)
        before = "".join("\t" if mark == "\t" else " " for mark in line[: start - first])
        return f"    {line}\n    {before}{'^' * width}"


class EquationError(ChainruleError):
    """An equation that cannot be read or has no meaning, quoted with a caret under the culprit."""

    def __init__(self, message: str, source: Source | None = None, span: tuple[int, int] | None = None) -> None:
        self.reason = message
        self.source = source
        if source is None or span is None:
            super().__init__(message)
            return
        self.line, self.column = source.place(span[0])
        super().__init__(f"{source.file}:{self.line}:{self.column}: {message}\n{source.quote(*span)}")
