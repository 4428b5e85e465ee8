"""Data as people have it: tables with categories and gaps, arrays, files; and as a network needs it."""
