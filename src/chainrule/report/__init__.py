"""A report of a model: one page on its data, training, mistakes, explanations, equations and settings.

Each section is a function from a model, or from ``Judged`` (rows with what the model says of them), to a ``Section``.
"""

from chainrule.report.attribution import Attribution, attribute
from chainrule.report.report import Origin, Report, report

__all__ = ["Attribution", "Origin", "Report", "attribute", "report"]
