r"""A document as LaTeX: a file that ``pdflatex`` compiles, or its inside for use in another document."""

from __future__ import annotations

from typing import Any

from chainrule.equations.grammar import GREEK
from chainrule.notation.breaking import lines_of
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
from chainrule.notation.latex import box_latex, escape, words_latex
from chainrule.notation.layout import Box
from chainrule.notation.sheets import alike, described, sheets, shown

# Parts of the line's width, and how many letters of a formula fill the line.
FULL, STEP, HALF, THIRD = 0.8, 0.52, 0.43, 0.36
LETTERS = 96
TABLE_ROWS, TABLE_COLUMNS = 16, 10

# What the inside needs; the comment is written into the fragment too.
PACKAGES = ("amsmath", "amssymb", "array", "longtable", "adjustbox", "xcolor")
COLOURS = r"""\definecolor{soft}{HTML}{646B76}
\definecolor{accent}{HTML}{8A3B12}
\definecolor{matrix}{HTML}{1F5F8B}"""

_PREAMBLE = rf"""\documentclass[10pt,a4paper]{{article}}
\usepackage[T1]{{fontenc}}
\usepackage[utf8]{{inputenc}}
\usepackage{{lmodern}}
\usepackage[margin=22mm]{{geometry}}
\usepackage{{{",".join(PACKAGES)}}}
{COLOURS}
\setlength{{\parindent}}{{0pt}}
\setlength{{\parskip}}{{4pt plus 1pt}}
\setlength{{\LTpre}}{{3pt}}
\setlength{{\LTpost}}{{5pt}}
\setcounter{{secnumdepth}}{{0}}
"""


def paper(document: Document) -> str:
    """The document as a complete LaTeX file."""
    title = rf"{{\LARGE\bfseries\boldmath\raggedright {_words(document.title)}\par}}"
    return f"{_PREAMBLE}\\begin{{document}}\n{title}\n{_inside(document)}\n\\end{{document}}\n"


def fragment(document: Document) -> str:
    """The document without preamble; a comment names the packages it needs."""
    colours = COLOURS.replace("\\definecolor", "\\providecolor")
    return f"% needs \\usepackage{{{','.join(PACKAGES)}}}\n{colours}\n{_inside(document)}\n"


def _inside(document: Document) -> str:
    return "\n\n".join(map(_block, document.blocks))


def _block(block: Block) -> str:
    match block:
        case Heading(words, level):
            return rf"\{'section' if level == 2 else 'subsection'}{{{_words(words)}}}"
        case Paragraph(words):
            return _words(words)
        case Formulas(lines):
            return _table(_FORMULAS, [_formula(line) for line in lines])
        case Steps(lines):
            return _table(_STEPS, [_step(line) for line in lines])
        case Fold(summary, blocks, _):
            width = r"\dimexpr\linewidth-2\fboxsep-2\fboxrule"
            heading = rf"\fcolorbox{{soft!40}}{{soft!7}}{{\parbox{{{width}}}{{{_summary(summary)}}}}}"
            return "\n\n".join((r"\medskip" + heading, *map(_block, blocks)))
        case Folded(title, blocks):
            return "\n\n".join((rf"\medskip\textbf{{{_words(title)}}}", *map(_block, blocks)))
        case Panel(_, title, _, blocks):
            return "\n\n".join((rf"\subsection{{{_words(title)}}}", *map(_block, blocks)))
        case Values():
            return _values(block)
        case Legend(rows):
            return _table(_LEGEND, [f"{_words(sign)} & {_words(meaning)}" for sign, meaning in rows])
        case Listing(title, text):
            return rf"\subsection{{{escape(title)}}}" + "\n" + _listing(text)


_FORMULAS = r"@{}>{$\displaystyle}r<{$}@{}l@{\hspace{1.5em}}l@{\extracolsep{\fill}}r@{}"
_STEPS = (
    r"@{}>{$\displaystyle}r<{$}@{}l@{\extracolsep{\fill}}"
    r">{\raggedright\arraybackslash\small\color{soft}}p{0.33\linewidth}@{}"
)
_LEGEND = r"@{}l@{\hspace{1.5em}}>{\raggedright\arraybackslash\color{soft}}p{0.72\linewidth}@{}"


def _table(columns: str, rows: list[str]) -> str:
    lines = " \\\\[4pt]\n".join(rows)
    return (
        r"\setlength{\LTleft}{0pt}\setlength{\LTright}{0pt}"
        f"\n\\begin{{longtable}}{{{columns}}}\n{lines}\n\\end{{longtable}}"
    )


def _formula(line: Line) -> str:
    width = HALF if line.matrix is not None else FULL
    matrix = "" if line.matrix is None else rf"\color{{matrix}}{_fit(*line.matrix, THIRD)}"
    tag = rf"\textcolor{{accent}}{{\textbf{{{line.tag}}}}}" if line.tag else ""
    index = _fit(None, line.right, width)
    if matrix:
        index = rf"\makebox[0.45\linewidth][l]{{{index}}}"
    return f"{_left(line)} & {index} & {matrix} & {tag}"


def _step(line: Line) -> str:
    why = "given" if line.rule == "given" else rf"\textcolor{{accent}}{{{escape(line.rule)}}}: {_words(line.note)}"
    return f"{_left(line)} & {_fit(None, line.right, STEP)} & {why}"


def _summary(line: Line) -> str:
    index = _fit(line.left, line.right, STEP if line.matrix is not None else FULL)
    if line.matrix is None:
        return index
    return rf"{index}\hfill\textcolor{{matrix}}{{{_fit(*line.matrix, HALF)}}}"


def _left(line: Line) -> str:
    return "" if line.left is None else box_latex(line.left)


def _fit(left: Box | None, right: Box, width: float) -> str:
    """An equation in as many lines as it needs, and made smaller where a line is still too wide."""
    lines = list(lines_of(right, width * LETTERS))
    start = "" if left is None else box_latex(left)
    body = f"{start} {{}}= {box_latex(lines[0])}"
    if len(lines) > 1:
        more = "".join(rf" \\ &\quad {{}}{box_latex(line)}" for line in lines[1:])
        body = rf"\begin{{aligned}}[t] &{body}{more} \end{{aligned}}"
    return rf"\adjustbox{{max width={width}\linewidth,margin=0pt 3pt}}{{$\displaystyle {body.strip()}$}}"


def _words(words: Words) -> str:
    return "".join(map(_word, words))


def _word(part: str | Box | Link) -> str:
    match part:
        case str():
            return words_latex(part)
        case Link(words, _):
            return _words(words)
    return f"${box_latex(part)}$"


def _values(block: Values) -> str:
    """Few numbers as a table, of more what they come to."""
    title = _words(block.title)
    if not block.axes:
        return rf"{title} $= {_number(block.numbers[()])}$"
    sizes = ", ".join(f"${box_latex(axis)}$ {size}" for axis, size in zip(block.axes, block.numbers.shape, strict=True))
    said = rf"{{\small\color{{soft}}{title} ({sizes}): {words_latex(described(block.numbers))}\par}}"
    laid = sheets(block.axes, block.numbers)
    if alike(block.numbers) or len(laid.sheets) != 1 or laid.rows > TABLE_ROWS or laid.columns > TABLE_COLUMNS:
        return said
    rows = [" & ".join(f"${_number(value)}$" for value in row) for row in laid.sheets[0].numbers]
    table = " \\\\\n".join(rows)
    return f"{said}\n{{\\small\\begin{{tabular}}{{@{{}}{'r' * laid.columns}@{{}}}}\n{table}\n\\end{{tabular}}\\par}}"


def _number(value: Any) -> str:
    mantissa, _, exponent = shown(value).replace("−", "-").partition("e")
    return rf"{mantissa}\cdot 10^{{{exponent}}}" if exponent else mantissa


def _listing(text: str) -> str:
    """Lines of code; letters that ``pdflatex`` has no typewriter sign for are set in mathematics."""
    lines = []
    for line in text.splitlines():
        written = "".join(_code(letter) for letter in line)
        lines.append(rf"\texttt{{{written}}}")
    return r"{\small\raggedright" + "\n" + " \\\\\n".join(lines) + "\\par}"


_CODE = {letter: rf"$\{name}$" for name, letter in GREEK.items() if name not in ("inf", "infinity")}
_CODE |= {
    "∂": r"$\partial$", "²": r"\textsuperscript{2}", "³": r"\textsuperscript{3}", "∞": r"$\infty$", "^": r"\^{}",
    "~": r"\~{}", " ": r"\ ", "'": r"\textquotesingle{}", "-": "{-}",
}  # fmt: skip


def _code(letter: str) -> str:
    return _CODE.get(letter) or escape(letter)
