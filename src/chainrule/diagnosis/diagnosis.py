"""A diagnosis: what was examined and what was found, as objects, text, page and document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.console import RenderableType

from chainrule.diagnosis.finding import Examined, Finding, Severity
from chainrule.notation import page, terminal
from chainrule.notation.document import Block, Document, Heading, Legend, Paragraph

WORDS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "note"}
ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Diagnosis:
    """What was found wrong with a model.

    ``findings``: causes, the gravest first.  ``consequences``: what else was found, each with the kind of the cause
    that explains it.  ``examined``: every examination, with what it looked at, or why it was skipped.
    """

    findings: tuple[Finding, ...]
    consequences: tuple[tuple[Finding, str], ...]
    examined: tuple[Examined, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing graver than a note was found."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the findings, each once."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    @property
    def verdict(self) -> str:
        """What the diagnosis comes to, in one line."""
        done = sum(not one.skipped for one in self.examined)
        left = len(self.examined) - done
        after = f" ({left} skipped)" if left else ""
        if not self.findings:
            return f"Nothing wrong found in {done} examinations{after}."
        count = f"{len(self.findings)} finding{'s' if len(self.findings) > 1 else ''}"
        return f"{count} in {done} examinations{after}."

    @cached_property
    def document(self) -> Document:
        """The diagnosis in no format yet."""
        return Document(("Diagnosis",), self.blocks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of the document, for use within another."""
        made: list[Block] = [Paragraph((self.verdict,))]
        for finding in self.findings:
            made.append(Heading((f"{WORDS[finding.severity].capitalize()}: {finding.kind} · {finding.where}",), 3))
            made.append(Paragraph((_sentence(finding.evidence),)))
            made.append(Paragraph((f"→ {finding.advice}",)))
        if self.consequences:
            made.append(Heading(("What follows from it",)))
            made += [Paragraph((_consequence(finding, cause),)) for finding, cause in self.consequences]
        made.append(Heading(("What was examined",)))
        made.append(Legend(tuple(_row(one) for one in self.examined)))
        return tuple(made)

    def text(self, width: int = 120) -> str:
        """Text without colours, in lines of at most ``width`` characters."""
        return terminal.plain(self.document, width)

    def rich(self) -> RenderableType:
        """Coloured text, for the console of ``rich``."""
        return terminal.Shown(self.document)

    def html(self) -> str:
        """A complete page without scripts that needs nothing else."""
        return page.page(self.document)

    def to_json(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {
            "passed": self.passed,
            "findings": [finding.to_json() for finding in self.findings],
            "consequences": [{**finding.to_json(), "cause": cause} for finding, cause in self.consequences],
            "examined": [{"name": one.name, "said": one.said, "skipped": one.skipped} for one in self.examined],
        }

    def _repr_html_(self) -> str:
        return page.fragment(self.document)

    def __str__(self) -> str:
        return self.text()


def _sentence(text: str) -> str:
    """Text with a capital at its start, unless it begins with a name."""
    word = text.split(maxsplit=1)[0]
    return text[0].upper() + text[1:] if word.isascii() and word.isalpha() else text


def _consequence(finding: Finding, cause: str) -> str:
    return f"{finding.kind} · {finding.where}, explained by {cause}: {finding.evidence}"


def _row(one: Examined) -> tuple[tuple[str], tuple[str]]:
    mark = "–" if one.skipped else "✗" if one.findings else "✓"
    return (f"{mark} {one.name}",), (f"{'skipped: ' if one.skipped else ''}{one.said}",)
