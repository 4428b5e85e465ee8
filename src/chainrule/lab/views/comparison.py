"""Two runs side by side: what their set-ups differ in, and their curves over the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.notation.curves import Curve, curves
from chainrule.notation.markup import text


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> str:
    """The settings of two runs; those that differ say so."""
    rows = []
    for name in dict.fromkeys((*first, *second)):
        one, other = first.get(name, ""), second.get(name, "")
        kind, mark = ("", "") if one == other else (' class="differs"', " ≠")
        cells = f"<td><code>{text(one) or '–'}</code></td><td><code>{text(other) or '–'}</code></td>"
        rows.append(f"<tr{kind}><th scope=row>{text(name.replace('_', ' '))}{mark}</th>{cells}</tr>")
    return (
        '<table class="plain"><caption>What was set</caption><thead><tr><th scope=col>setting</th>'
        f"<th scope=col>this run</th><th scope=col>the other</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def versus(title: str, lines: Sequence[Sequence[Curve]], *, logarithmic: bool = False) -> str:
    """The curves of both runs in one figure, the other's dashed."""
    named = [
        Curve(f"{curve.name}, {owner}", curve.x, curve.y, curve.colour + 2 * position, bool(position))
        for position, (owner, group) in enumerate(zip(("this run", "the other"), lines, strict=True))
        for curve in group
    ]
    return curves(title, named, logarithmic=logarithmic)
