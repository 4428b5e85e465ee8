"""Generating sequences: a network over positions turned into one step, the next symbol drawn, steps done in one run.

``horizon.py`` says how far along the positions each tensor looks; ``stepping.py`` turns a system over the positions t
into a system for one of them, whose states are what later positions read; ``sampling.py`` draws the next symbol, as
equations too; ``sequences.py`` runs the steps and ``beams.py`` searches.
"""
