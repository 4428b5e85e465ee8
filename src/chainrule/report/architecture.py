"""The network as a diagram: its layers, what they give, what they learn and cost, and which reads which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.equations.walk import tensors
from chainrule.estimators.summary import Part, networks, parameter_count, parts, scope_of
from chainrule.report.page import Section, figure, fold, paragraph, table

WIDTH, HEIGHT, GAP, BETWEEN = 340, 50, 22, 26  # of a box, and what is free below and beside it
NARROW, TALL = 250, 66  # a box where several stand side by side; what it learns and what it costs need a line each
LANE = 16  # between lines that pass by layers


@dataclass(frozen=True)
class Box:
    """A layer in the diagram: which row of it, which place in the row, of how many."""

    part: Part
    level: int
    place: int
    of: int


def section(model: Any) -> Section:
    """The layers of a fitted model, as a diagram and as a table."""
    system = model.specification_.step.prediction_system
    made = parts(system)
    reads = edges(system)
    total = sum(part.parameters for part in made)
    work = sum(part.multiply_adds for part in made)
    said = (
        f"{len(made)} layers with {total:,} parameters; a prediction takes {work:,} multiplications and additions a "
        "row. Layers that learn are outlined; a line past others is a residual connection or a branch."
    )
    sizes = solve_sizes(system, {}, partial=True)
    drawing = diagram(system, made, reads, sizes)
    rows = [
        (part.name, part.output, " × ".join(map(str, part.shape)) or "1", part.parameters, part.multiply_adds)
        for part in made
    ]
    rows.append(("total", "", "", total, work))
    heads = ("layer", "gives", "values a row", "parameters", "multiply-adds a row")
    listed = table("The layers in the order in which they are computed.", heads, rows, numbers=(2, 3, 4))
    several = networks(model)
    if several:
        said += f" It is one of {several}, with {parameter_count(model):,} parameters in all; they predict together."
    if model.input_.length is not None:
        said += " Where rows differ in length, costs are those of one position."
    body = paragraph(said) + figure(drawing, f"From x, what the network reads, to {made[-1].output}.")
    return Section("architecture", "Architecture", body + fold("The same as a table", listed))


def edges(system: System) -> dict[str, set[str]]:
    """For each layer, the layers that it reads; "x" is what is given."""
    made = {equation.name for equation in system.equations}
    given = {tensor.name for tensor in system.inputs if tensor.role in ("data", "integer")}
    found: dict[str, set[str]] = {}
    for equation in system.equations:
        scope = scope_of(equation.name)
        reads = found.setdefault(scope, set())
        for name in tensors(equation):
            if name in made and scope_of(name) != scope:
                reads.add(scope_of(name))
            elif name in given and name == "x":
                reads.add("x")
    return found


def diagram(system: System, made: tuple[Part, ...], reads: Mapping[str, set[str]], sizes: Mapping[str, int]) -> str:
    """The layers from top to bottom, those that can be computed beside each other side by side."""
    boxes = _placed(made, reads)
    widest = max(box.of for box in boxes.values())
    width, high = (WIDTH, HEIGHT) if widest == 1 else (NARROW, TALL)
    centre = widest * (width + BETWEEN) / 2
    levels = 1 + max(box.level for box in boxes.values())
    step = high + GAP

    def left(box: Box) -> float:
        return centre - (box.of * (width + BETWEEN) - BETWEEN) / 2 + box.place * (width + BETWEEN)

    def top(level: int) -> float:
        return 40 + level * step

    drawn, lanes = [], []
    axes = " · ".join(_sized(axis, sizes) for axis in system.input_by_name["x"].axes if axis != "b")
    drawn.append(f'<text x="{centre:.0f}" y="14" text-anchor="middle"><tspan class="name">x</tspan> {axes}</text>')
    for name, sources in reads.items():
        box = boxes[name]
        x = left(box) + width / 2
        for source in sorted(sources):
            if source != "x" and source not in boxes:
                continue
            from_level = -1 if source == "x" else boxes[source].level
            start = (centre, 20.0)
            if source != "x":
                start = (left(boxes[source]) + width / 2, top(from_level) + high)
            if box.level - from_level == 1:
                drawn.append(_arrow(*start, x, top(box.level)))
            else:
                lanes.append((from_level, box.level, start, (left(box) + width, top(box.level) + high / 2)))
    right = centre + widest * (width + BETWEEN) / 2 - BETWEEN / 2
    taken: list[list[tuple[int, int]]] = []
    for begin, end, start, finish in sorted(lanes, key=lambda lane: lane[1] - lane[0]):
        lane = next((k for k, used in enumerate(taken) if all(end <= a or begin >= b for a, b in used)), len(taken))
        taken += [[]] if lane == len(taken) else []
        taken[lane].append((begin, end))
        drawn.append(_past(start, finish, right + 14 + lane * LANE))
    for box in boxes.values():
        drawn.append(_box(box.part, left(box), top(box.level), width, high, sizes, system))
    full = right + 20 + len(taken) * LANE
    height = top(levels) - GAP + 6
    label = "Diagram of the network: " + ", ".join(part.name for part in made)
    return (
        f'<svg class="diagram" role="img" aria-label="{escape(label)}" viewBox="0 0 {full:.0f} {height:.0f}" '
        f'width="{full:.0f}" height="{height:.0f}">{"".join(drawn)}</svg>'
    )


def _placed(made: tuple[Part, ...], reads: Mapping[str, set[str]]) -> dict[str, Box]:
    level: dict[str, int] = {}
    for part in made:
        level[part.name] = 1 + max((level.get(source, -1) for source in reads[part.name]), default=-1)
    # What reads nothing (a table of positions, a constant) stands just before what reads it.
    for name, sources in reads.items():
        if not sources:
            readers = [level[other] for other, its in reads.items() if name in its]
            level[name] = max(0, min(readers, default=1) - 1)
    rows: dict[int, list[Part]] = {}
    for part in made:
        rows.setdefault(level[part.name], []).append(part)
    return {part.name: Box(part, at, place, len(row)) for at, row in rows.items() for place, part in enumerate(row)}


def _box(part: Part, x: float, y: float, width: float, high: float, sizes: Mapping[str, int], system: System) -> str:
    axes = system.tensor_axes[part.output.partition("[")[0]]
    shape = " · ".join(_sized(axis, sizes) for axis in axes if axis != "b") or "1 value"
    kind = "box learns" if part.parameters else "box"
    learns = f"{part.parameters:,} parameters" if part.parameters else ""
    costs = f"{part.multiply_adds:,} multiply-adds" if part.multiply_adds else ""
    below = [(learns, costs)] if high == HEIGHT else [(learns, ""), (costs, "")]
    lines = [(escape(part.name), escape(shape)), *(pair for pair in below if any(pair))]
    first = y + high / 2 + 4.5 - 9 * (len(lines) - 1)
    drawn = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width}" height="{high}" rx="7"/>'
    for line, (left, right) in enumerate(lines):
        at = first + 18 * line
        name, soft = ("", ' class="soft"') if line else (' class="name"', "")
        drawn += f'<text{name or soft} x="{x + 14:.1f}" y="{at:.1f}">{left}</text>' if left else ""
        drawn += f'<text{soft} x="{x + width - 14:.1f}" y="{at:.1f}" text-anchor="end">{right}</text>' if right else ""
    return drawn


def _sized(axis: str, sizes: Mapping[str, int]) -> str:
    """An axis with its size, where all rows have the same."""
    return f"{axis} {sizes[axis]:,}" if axis in sizes else axis


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = f"V{(y1 + y2) / 2:.1f}H{x2:.1f}" if abs(x1 - x2) > 0.5 else ""
    return f'<path class="edge" d="M{x1:.1f} {y1:.1f}{bend}V{y2 - 5:.1f}"/>{_head(x2, y2, 0, 1)}'


def _past(start: tuple[float, float], finish: tuple[float, float], lane: float) -> str:
    """A line out to the right, down, and back in from the side."""
    (x1, y1), (x2, y2) = start, finish
    y1 += 7
    path = f"M{x1:.1f} {y1 - 7:.1f}V{y1:.1f}H{lane:.1f}V{y2:.1f}H{x2 + 5:.1f}"
    return f'<path class="edge past" d="{path}"/>{_head(x2, y2, -1, 0)}'


def _head(x: float, y: float, dx: int, dy: int) -> str:
    if dy:
        return f'<path class="head" d="M{x:.1f} {y:.1f}l-4 -7h8z"/>'
    return f'<path class="head" d="M{x:.1f} {y:.1f}l7 -4v8z"/>'
