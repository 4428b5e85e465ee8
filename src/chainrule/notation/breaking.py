"""Long formulas broken into lines: before the signs of a sum where possible, else between factors."""

from __future__ import annotations

from chainrule.notation.layout import TIMES, Big, Box, Brace, Cases, Fence, Fraction, Root, Row, Script, Symbol, row

SCRIPT_SCALE = 0.7


def lines_of(box: Box, width: float) -> tuple[Box, ...]:
    """The box in lines of at most about ``width`` letters; what cannot be broken is left as it is."""
    if not isinstance(box, Row) or breadth(box) <= width:
        return (box,)
    lines: list[Box] = []
    whole = False  # whether the last line holds whole terms, so that another may follow on it
    for term in _pieces(box, ("sum",)):
        if whole and breadth(lines[-1]) + breadth(term) <= width:
            lines[-1] = row(lines[-1], term)
            continue
        broken = _packed(_pieces(term, ("times", "product")), width)
        lines.extend(broken)
        whole = len(broken) == 1
    return tuple(lines)


def _pieces(box: Box, kinds: tuple[str, ...]) -> list[Box]:
    """The box cut before every symbol of these kinds."""
    pieces: list[list[Box]] = [[]]
    for part in box.parts if isinstance(box, Row) else (box,):
        if isinstance(part, Symbol) and part.kind in kinds and pieces[-1]:
            pieces.append([])
        pieces[-1].append(part)
    return [row(*piece) for piece in pieces]


def _packed(pieces: list[Box], width: float) -> list[Box]:
    lines = [pieces[0]]
    for piece in pieces[1:]:
        if breadth(lines[-1]) + breadth(piece) <= width:
            lines[-1] = row(lines[-1], piece)
        else:
            parts = piece.parts if isinstance(piece, Row) else (piece,)
            lines.append(row(*parts[1:]) if parts[0] == TIMES and len(parts) > 1 else piece)
    return lines


def breadth(box: Box) -> float:
    """About how many letters wide a box is when it is set in type."""
    match box:
        case Symbol(text, kind):
            return len(text) + {"sum": 1.2, "relation": 1.5, "product": 1, "times": 0.3, "comma": 0.3}.get(kind, 0)
        case Row(parts):
            return sum(map(breadth, parts))
        case Script(base, below, above):
            scripts = [breadth(part) for part in (below, above) if part is not None]
            return breadth(base) + SCRIPT_SCALE * max(scripts, default=0)
        case Fraction(above, below):
            return max(breadth(above), breadth(below)) + 0.3
        case Root(body):
            return breadth(body) + 1.2
        case Fence(_, body, _):
            return breadth(body) + 1.2
        case Big(operator, below):
            return max(1.8 * len(operator.text), SCRIPT_SCALE * breadth(below) if below is not None else 0)
        case Cases(rows):
            return max(breadth(value) + breadth(condition) for value, condition in rows) + 4
        case Brace(body, note):
            return max(breadth(body), SCRIPT_SCALE * breadth(note))
