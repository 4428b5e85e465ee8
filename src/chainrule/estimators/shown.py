"""A fitted model as markup: how columns are read, the layers, how it was trained, its learning curves."""

from __future__ import annotations

from typing import Any

from chainrule.estimators.summary import LAYER_HEADINGS, layer_rows, networks, training_facts
from chainrule.notation.markup import plural, text
from chainrule.notation.page import framed
from chainrule.training.shown import STYLE, figures, rows_html

MOST_COLUMNS = 8  # that are shown unfolded

FACTS = """
.chainrule dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.3rem; margin: 0 0 1.1rem;
  font-size: .87rem; }
.chainrule dl.facts dt { color: var(--soft); } .chainrule dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.chainrule .totalled tr:last-child td { border-bottom: 0; font-weight: 600; }
.chainrule .shown > details { margin: 1.2rem 0 0; } .chainrule .shown > details > summary { font-size: .95rem; }
"""


def model_html(model: Any) -> str:
    """What ``summary()`` says, and the curves of the training."""
    layers = layer_rows(model.specification_.step.prediction_system)
    table = rows_html(LAYER_HEADINGS, layers, numbers=2, name="The layers")
    facts = "".join(f"<dt>{text(name)}</dt><dd>{text(said)}</dd>" for name, said in training_facts(model))
    several = networks(model)
    ensemble = f", an ensemble of {text(several)}" if several else ""
    drawn = figures(model.history_) if len(model.history_) > 1 else ""
    return framed(
        f'<div class="shown"><h2>{type(model).__name__}, {text(model._described())}{ensemble}</h2>{_columns(model)}'
        f'<h3>Layers{" of one of the networks" if several else ""}, for one row</h3><div class="totalled">{table}</div>'
        f'<h3>Training</h3><dl class="facts">{facts}</dl>{drawn}</div>',
        STYLE + FACTS,
    )


def _columns(model: Any) -> str:
    """How each column is read, folded where there are many."""
    lines = model.input_.lines()
    table = rows_html(("column", "read as"), lines, name="The columns")
    if len(lines) <= MOST_COLUMNS:
        return f"<h3>Columns</h3>{table}"
    return f"<details><summary>{plural(len(lines), 'column')}</summary><div>{table}</div></details>"
