"""A document as one HTML page: no scripts, nothing to fetch, light and dark, fit for print."""

from __future__ import annotations

from html import escape

from chainrule.notation.breaking import lines_of
from chainrule.notation.cells import STYLE as CELLS
from chainrule.notation.cells import values_html
from chainrule.notation.document import (
    Block,
    Document,
    Fold,
    Folded,
    Formulas,
    Heading,
    Legend,
    Line,
    Link,
    Listing,
    Panel,
    Paragraph,
    Steps,
    Values,
    Words,
)
from chainrule.notation.layout import EQUALS, Box, row
from chainrule.notation.markup import scrolling
from chainrule.notation.mathml import box_mathml, math_element
from chainrule.notation.text import box_text, plain_words

# Widths, in letters, of a formula that has its line to itself, beside its matrix form, beside words.
FULL, HALF, STEP = 88, 44, 52
PANEL = 40  # in a panel

LIGHT = """--ink: #1c1f24; --soft: #646b76; --line: #e3e5ea; --paper: #fff; --panel: #f7f8fa; --accent: #8a3b12;
  --matrix: #1f5f8b;"""
DARK = """--ink: #e4e6ea; --soft: #99a1ad; --line: #30353d; --paper: #15181c; --panel: #1c2025; --accent: #f0a070;
  --matrix: #7fbfea;"""
# A notebook has a theme of its own, whatever the system's is: JupyterLab says it in an attribute, VS Code in a class.
COLOURS = f"""
.chainrule {{ {LIGHT} }}
@media (prefers-color-scheme: dark) {{ .chainrule {{ {DARK} }} }}
@media screen {{ :is([data-jp-theme-light="true"], .vscode-light) .chainrule {{ {LIGHT} }}
  :is([data-jp-theme-light="false"], .vscode-dark) .chainrule {{ {DARK} }} }}
"""

# The theme of a page within a frame is that of the frame.
FRAME = """
:is([data-jp-theme-light="true"], .vscode-light) .chainrule-frame { color-scheme: light }
:is([data-jp-theme-light="false"], .vscode-dark) .chainrule-frame { color-scheme: dark }
"""

STYLE = (
    COLOURS
    + """
.chainrule { color: var(--ink); background: var(--paper);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
.chainrule math { font-family: "Latin Modern Math", "STIX Two Math", "STIX Math", "Cambria Math", "Libertinus Math",
  "Noto Sans Math", math; font-size: 1.08em; }
.chainrule main { max-width: 68rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
div.chainrule main { margin: 0; padding: .8rem 1.1rem 1.1rem; }
.chainrule h1 { font-size: 1.7rem; line-height: 1.35; font-weight: 650; margin: 0 0 1.2rem; letter-spacing: -0.01em; }
.chainrule h2 { font-size: 1.25rem; font-weight: 650; margin: 3rem 0 1rem; padding-top: 1.2rem;
  border-top: 1px solid var(--line); }
.chainrule h3 { font-size: 1.02rem; font-weight: 650; margin: 1.8rem 0 .6rem; }
.chainrule p { max-width: 46rem; margin: .8rem 0; }
.chainrule .forms { display: flex; gap: .3rem 1.2rem; flex-wrap: wrap; color: var(--soft); font-size: .9rem; }
.chainrule .forms label { cursor: pointer; }
.chainrule .scroll { overflow-x: auto; margin: .6rem 0; }
.chainrule table.formulas { border-collapse: collapse; width: 100%; }
.chainrule table.formulas td { padding: .32rem 0; vertical-align: baseline; white-space: nowrap; }
.chainrule td.left { text-align: right; width: 1%; }
.chainrule td.right { padding-right: 2.5rem !important; }
.chainrule td.matrix { color: var(--matrix); width: 44%; }
.chainrule td.tag, .chainrule td.why { color: var(--soft); }
.chainrule td.tag { text-align: right; font-weight: 650; font-size: .9rem; width: 3.2rem; }
.chainrule td.tag span { border: 1px solid currentColor; border-radius: .3rem; padding: .05rem .4rem;
  color: var(--accent); }
.chainrule table.steps td.why { white-space: normal; font-size: .87rem; line-height: 1.45; min-width: 15rem;
  width: 38%; }
.chainrule td.why b { color: var(--accent); font-weight: 600; display: block; }
.chainrule tr.given td { color: var(--soft); }
.chainrule details { border: 1px solid var(--line); border-radius: .55rem; margin: .55rem 0; background: var(--paper); }
.chainrule details > summary { cursor: pointer; padding: .5rem .9rem .5rem 2.3rem; position: relative;
  display: flex; gap: .2rem 2.5rem; flex-wrap: wrap;
  align-items: center; list-style: none; border-radius: .5rem; }
.chainrule details > summary::-webkit-details-marker { display: none; }
.chainrule details > summary::before { content: "›"; color: var(--soft); font-size: 1.2rem; position: absolute;
  left: .9rem; transition: transform .15s; }
.chainrule details[open] > summary::before { transform: rotate(90deg); }
.chainrule details > summary:hover { background: var(--panel); }
.chainrule details[open] > summary { border-bottom: 1px solid var(--line); border-radius: .5rem .5rem 0 0;
  background: var(--panel); }
.chainrule details > div { padding: .5rem 1.1rem .8rem; }
.chainrule summary .matrix { color: var(--matrix); margin-left: auto; }
.chainrule .broken { display: inline-flex; flex-direction: column; align-items: flex-start; gap: .25rem; }
.chainrule .more { padding-left: 1.8em; }
.chainrule .legend { display: grid; grid-template-columns: max-content 1fr; gap: .45rem 1.6rem; margin: 1rem 0; }
.chainrule .legend > dt { margin: 0; } .chainrule .legend > dd { margin: 0; color: var(--soft); max-width: 46rem; }
.chainrule pre { background: var(--panel); border-radius: .45rem; padding: .9rem 1.1rem; overflow-x: auto; margin: 0;
  font: .86rem/1.55 ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace; }
.chainrule mtd.case { text-align: left; padding: .1em .8em .1em 0; }
.chainrule mn.bold { font-weight: bold; }
.chainrule:has(.forms [value=index]:checked) :is(td.matrix, summary .matrix),
.chainrule:has(.forms [value=matrix]:checked) tr.both td.right,
.chainrule:has(.forms [value=matrix]:checked) summary.both .index { display: none; }
.chainrule:has(.forms [value=matrix]:checked) tr.both td.left { visibility: hidden; width: 0; font-size: 0; }
.chainrule:has(.forms [value=matrix]:checked) summary .matrix { margin-left: 0; }
@media (max-width: 50rem) { .chainrule main { padding: 1.5rem 1rem; } .chainrule summary .matrix { margin-left: 0; }
  .chainrule .legend { display: block; } .chainrule .legend > dt { margin-top: .7rem; }
  .chainrule .legend > dd { padding-left: 1.4rem; }
  .chainrule table.steps :is(tbody, tr) { display: block; }
  .chainrule table.steps td { display: inline-block; vertical-align: middle; }
  .chainrule table.steps td.left { width: 3.6rem; }
  .chainrule table.steps td.right { max-width: calc(100% - 3.8rem); overflow-x: auto; padding-right: 0 !important; }
  .chainrule table.steps td.why { display: block; width: auto; min-width: 0; padding: 0 0 .6rem 3.6rem; } }
@media print { .chainrule { --paper: #fff; --ink: #000; --soft: #444; --panel: #fff; --line: #ccc; --accent: #8a3b12;
  --matrix: #1f5f8b; font-size: 10.5pt; }
  .chainrule main { padding: 0; max-width: none; } .chainrule .forms { display: none; }
  .chainrule tr, .chainrule summary { break-inside: avoid; } .chainrule h2, .chainrule h3 { break-after: avoid; }
  .chainrule details::details-content { content-visibility: visible; block-size: auto; } }
"""
)

# What is opened stands at the side of a wide page, and at the foot of a narrow one; the rest stays where it is.
PANELS = """
.chainrule .panel { display: none; position: fixed; z-index: 2; overflow: auto; background: var(--paper);
  box-sizing: border-box; inset: 0 0 0 auto; width: 30rem; border-left: 1px solid var(--line); padding: 0 1.3rem 2rem; }
.chainrule .panel:target { display: block; }
.chainrule .panel > header { display: flex; gap: 1rem; align-items: center; justify-content: space-between;
  position: sticky; top: 0; background: var(--paper); padding: .9rem 0 .6rem; border-bottom: 1px solid var(--line); }
.chainrule .panel h2 { margin: 0; padding: 0; border: 0; font-size: 1.1rem; }
.chainrule .panel .close { color: var(--soft); text-decoration: none; font-size: 1.5rem; line-height: 1;
  min-width: 1.8rem; text-align: center; }
.chainrule .panel p { font-size: .93rem; } .chainrule .panel h3 { margin: 1.1rem 0 .2rem; }
.chainrule a.opens, .chainrule .panel p a { color: var(--accent); text-underline-offset: .2em; }
.chainrule .chain { overflow-y: hidden; padding-bottom: .4rem; } .chainrule .chain > div { margin: .25rem 0; }
@media (min-width: 76rem) { .chainrule:has(.panel:target) main { margin-right: 31rem; margin-left: auto; } }
@media (max-width: 50rem) { .chainrule .panel { inset: auto 0 0 0; width: auto; max-height: 62vh; border-left: 0;
  border-top: 2px solid var(--accent); padding: 0 1rem 1.5rem; } }
@media print { .chainrule .panel:target { position: static; width: auto; border: 1px solid var(--line);
  margin-top: 2rem; } .chainrule .panel .close { display: none; } .chainrule main { margin: 0 !important; } }
"""


def page(document: Document) -> str:
    """The document as a complete page."""
    title = plain_words(document.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>body {{ margin: 0 }}{_style(document)}</style>\n</head>\n"
        f'<body class="chainrule">\n{_main(document)}</body>\n</html>\n'
    )


def fragment(document: Document) -> str:
    """The document for use within another page: its style reaches only itself."""
    return f'<div class="chainrule"><style>{_style(document)}</style>\n{_main(document)}</div>'


def embedded(document: Document) -> str:
    """The blocks alone, without title, choice of forms and panels, for a section of a page that has its own frame."""
    blocks = "\n".join(_block(block) for block in document.blocks if not isinstance(block, Panel))
    return f'<div class="chainrule"><style>{_style(document)}</style>\n{blocks}\n</div>'


def untitled(document: Document) -> str:
    """The blocks alone, for use within another page that has no frame for them."""
    blocks = "\n".join(_block(block) for block in document.blocks)
    return f'<div class="chainrule"><style>{_style(document)}</style>\n<main>{blocks}</main></div>'


def framed(markup: str, style: str = "") -> str:
    """Markup that is no document, for use within another page, with the colours and the letters of one."""
    return f'<div class="chainrule"><style>{STYLE}{style}</style>\n{markup}\n</div>'


def _style(document: Document) -> str:
    """The style, with that of numbers and panels where there are some."""
    return STYLE + CELLS + PANELS if any(_has_numbers(block) for block in document.blocks) else STYLE


def _has_numbers(block: Block) -> bool:
    if isinstance(block, Fold | Folded):
        return any(map(_has_numbers, block.blocks))
    return isinstance(block, Values | Panel)


def _main(document: Document) -> str:
    choices = (("both", "index and matrix form"), ("index", "index form"), ("matrix", "matrix form"))
    forms = "".join(
        f'<label><input type="radio" name="form" value="{value}"{_checked(value)}> {label}</label>'
        for value, label in choices
    )
    blocks = "\n".join(_block(block) for block in document.blocks if not isinstance(block, Panel))
    panels = "\n".join(_block(block) for block in document.blocks if isinstance(block, Panel))
    choice = f'<form class="forms">{forms}</form>\n' if any(map(_has_forms, document.blocks)) else ""
    return f"<main>\n<h1>{_words(document.title)}</h1>\n{choice}{blocks}\n</main>\n{panels}"


def _has_forms(block: Block) -> bool:
    """Whether some formula has a matrix form, so that there is something to choose."""
    match block:
        case Formulas(lines):
            return any(line.matrix is not None for line in lines)
        case Fold(summary, blocks, _):
            return summary.matrix is not None or any(map(_has_forms, blocks))
        case Folded(_, blocks):
            return any(map(_has_forms, blocks))
    return False


def _checked(value: str) -> str:
    return " checked" if value == "both" else ""


def _block(block: Block) -> str:
    match block:
        case Heading(words, level):
            return f"<h{level}>{_words(words)}</h{level}>"
        case Paragraph(words):
            return f"<p>{_words(words)}</p>"
        case Formulas(lines):
            return _table("formulas", [_formula(line) for line in lines])
        case Steps(lines):
            return _table("formulas steps", [_step(line) for line in lines])
        case Fold(summary, blocks, unfolded):
            return _fold(summary, "".join(map(_block, blocks)), unfolded)
        case Folded(title, blocks):
            inside = "".join(map(_block, blocks))
            return f"<details><summary><span>{_words(title)}</span></summary><div>{inside}</div></details>"
        case Values():
            return values_html(block, _words)
        case Panel():
            return _panel(block)
        case Legend(rows):
            items = "".join(f"<dt>{_words(sign)}</dt><dd>{_words(meaning)}</dd>" for sign, meaning in rows)
            return f'<dl class="legend">{items}</dl>'
        case Listing(title, text):
            listing = f'<pre role="group" tabindex="0" aria-label="{escape(title)}">{escape(text)}</pre>'
            return f"<details><summary><span>{escape(title)}</span></summary><div>{listing}</div></details>"


def _table(kind: str, rows: list[str]) -> str:
    name = "steps" if "steps" in kind else "formulas"
    return scrolling(f'<table class="{kind}">{"".join(rows)}</table>', name)


def _formula(line: Line) -> str:
    matrix = "" if line.matrix is None else _math(*line.matrix, HALF)
    tag = f"<span>{line.tag}</span>" if line.tag else ""
    kind = ' class="both"' if matrix else ""
    sides = _sides(line, HALF if matrix else FULL)
    return f'<tr{kind}>{sides}<td class="matrix">{matrix}</td><td class="tag">{tag}</td></tr>'


def _step(line: Line) -> str:
    if line.rule == "given":
        return f'<tr class="given">{_sides(line, STEP)}<td class="why">given</td></tr>'
    why = f"<b>{escape(line.rule)}</b>{_words(line.note)}"
    return f'<tr>{_sides(line, STEP)}<td class="why">{why}</td></tr>'


def _sides(line: Line, width: float) -> str:
    left = "" if line.left is None else _math_line(line.left)
    return f'<td class="left">{left}</td><td class="right">{_math(None, line.right, width)}</td>'


def _fold(summary: Line, inside: str, unfolded: bool) -> str:
    width = FULL if summary.matrix is None else HALF
    index = f'<span class="index">{_math(summary.left, summary.right, width)}</span>'
    matrix = "" if summary.matrix is None else f'<span class="matrix">{_math(*summary.matrix, width)}</span>'
    kind = ' class="both"' if matrix else ""
    # What a screen reader says of it: to some of them a formula alone is no name.
    name = summary.right if summary.left is None else row(summary.left, EQUALS, summary.right)
    line = f'<summary{kind} aria-label="{escape(box_text(name))}">{index}{matrix}</summary>'
    return f"<details{' open' if unfolded else ''}>{line}<div>{inside}</div></details>"


def _panel(panel: Panel) -> str:
    name, back = escape(panel.name), escape(panel.back)
    blocks = "\n".join(_chain(block) if isinstance(block, Formulas) else _block(block) for block in panel.blocks)
    close = f'<a class="close" href="#{back}" aria-label="close">×</a>'
    return (
        f'<section class="panel" id="{name}" aria-label="{escape(plain_words(panel.title))}">'
        f"<header><h2>{_words(panel.title)}</h2>{close}</header>{blocks}</section>"
    )


def _chain(block: Formulas) -> str:
    """Formulas one below the other, in the little room of a panel."""
    lines = "".join(f"<div>{_math(line.left, line.right, PANEL)}</div>" for line in block.lines)
    return scrolling(lines, "arithmetic", "scroll chain")


def _math(left: Box | None, right: Box, width: float) -> str:
    """An equation in displayed style, in as many lines as it needs."""
    first, *others = lines_of(right, width)
    start = row(EQUALS, first) if left is None else row(left, EQUALS, first)
    if not others:
        return _math_line(start)
    lines = "".join(f'<span class="more">{_math_line(other)}</span>' for other in others)
    return f'<span class="broken">{_math_line(start)}{lines}</span>'


def _math_line(box: Box) -> str:
    return f'<math displaystyle="true">{box_mathml(box)}</math>'


def _words(words: Words) -> str:
    return "".join(map(_word, words))


def _word(part: str | Box | Link) -> str:
    match part:
        case str():
            return escape(part)
        case Link(words, panel):
            return f'<a class="opens" href="#{escape(panel)}">{_words(words)}</a>'
    return math_element(part, display=False)
