"""Figures as SVG whose colours are those of the page, so that light, dark and paper show the same drawing.

matplotlib draws with five placeholder colours; in the text that it writes they are replaced by CSS variables.  Text
stays text, numbers have two decimals, and every name in the drawing is its own, so that many stand in one page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.report.page import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Placeholders, none of which matplotlib would draw with by itself.
INK, SOFT, LINE, ACCENT, SECOND = "#010203", "#010204", "#010205", "#010206", "#010207"
VARIABLES = {INK: "--ink", SOFT: "--soft", LINE: "--line", ACCENT: "--accent", SECOND: "--second"}
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

LOOK: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "chainrule",
    "path.simplify_threshold": 0.3,
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
}
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"font-family: [^;\"]*;? ?|font: (?:[a-z]+ )*([\d.]+px) [^;\"]*")
_COLOUR = re.compile("|".join(VARIABLES))
_NAMED = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
_SEEN = count()


def draw(width: float, height: float, paint: Callable[[Figure], None], title: str, description: str) -> str:
    """What ``paint`` draws on a figure of so many inches, as an ``svg`` element with a title and a description for
    those who cannot see it.
    """
    # Half a second to import; only a report that has figures waits for it.
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        paint(figure)
        buffer = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    return _inlined(buffer.getvalue(), title, description)


def _inlined(text: str, title: str, description: str) -> str:
    start = text.index("<svg")
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None
    inside = text[text.index(">", start) + 1 :]
    inside = re.sub(r"<style.*?</style>", "", inside, flags=re.DOTALL)
    inside = re.sub(r"<!--.*?-->", "", inside, flags=re.DOTALL)
    inside = _FONT.sub(lambda found: f"font-size: {found[1]}" if found[1] else "", inside)
    inside = _COLOUR.sub(lambda found: f"var({VARIABLES[found[0]]})", inside)
    inside = re.sub(r"<[^>]*>", lambda tag: _NUMBER.sub(_shorter, tag[0]), inside)  # not what is read
    inside = re.sub(r' id="(?!m[0-9a-f]{10}"|p[0-9a-f]{10}")[^"]*"', "", inside)
    own = f"f{next(_SEEN)}-"
    inside = _NAMED.sub(lambda found: f"{found[1]}{own}{found[2]}", inside).replace("xlink:href", "href")
    inside = re.sub(r"\s*\n\s*", " ", inside)
    width, height = (float(part) for part in box[1].split()[2:])
    return (
        f'<svg class="plot" role="img" viewBox="{box[1]}" style="aspect-ratio: {width:g} / {height:g}; '
        f'max-width: {width * 96 / 72:.0f}px" aria-labelledby="{own}t {own}d">'
        f'<title id="{own}t">{escape(title)}</title><desc id="{own}d">{escape(description)}</desc>{inside}'
    )


def _shorter(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def plain(axes: Axes, *, across: bool = True) -> None:
    """Axes of a report: few ticks, numbers as they are written elsewhere in it; ``across``: lines for both axes."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.tick_params(length=0)
    for one, most in ((axes.xaxis, 5), (axes.yaxis, 6)):
        one.set_major_locator(MaxNLocator(most))
        one.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axes.grid(axis="x", visible=across)
    axes.spines["left"].set_visible(across)


def histogram(
    axes: Axes, counts: Any, edges: Any, colour: str = ACCENT, *, base: float = 0.0, alpha: float = 0.85
) -> None:
    """Bars from ``base`` up, one for each interval."""
    widths = np.diff(edges)
    axes.bar(edges[:-1], counts, widths, bottom=base, align="edge", color=colour, alpha=alpha, linewidth=0)


def legend(axes: Axes, **more: Any) -> None:
    """The names of what is drawn, without a frame."""
    axes.legend(frameon=False, fontsize=10, labelcolor=SOFT, handlelength=2.4, **more)
