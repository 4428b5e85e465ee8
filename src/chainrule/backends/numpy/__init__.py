"""The NumPy backend: writes the code that a person would write, one comment per equation.

passes        the system made ready: only what is needed, repeated parts named
module        the statements, equation by equation: ``step`` and ``prepare``
  expressions   the rule for each kind of node
    arithmetic    scalar functions, shapes, dtypes
    reads         slices, windows, positions
    sums          contraction (``@``), scatter
  recurrences   loops
  updates       next values, in place
program       runs the code, for many steps
standalone    a file that trains without chainrule
"""

from chainrule.backends.numpy.program import NumpyProgram, compile
from chainrule.backends.numpy.standalone import standalone

__all__ = ["NumpyProgram", "compile", "standalone"]
