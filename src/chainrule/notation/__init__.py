"""Equations as mathematics: LaTeX, MathML and terminal text; index form, matrix form, and with numbers put in."""
