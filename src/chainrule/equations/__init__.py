"""The language: nodes, systems, text, meaning."""

import chainrule.equations.write  # noqa: F401  (gives nodes their text form)
