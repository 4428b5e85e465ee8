"""Speed beside PyTorch, JAX and scikit-learn: ``python -m benchmarks.speed`` (``make bench``).

``workloads.py`` defines what is measured, ``with_*.py`` write it for each library, ``worker.py`` runs one of them in
a process of its own, ``measure.py`` takes them in turn, ``report.py`` writes the tables.
"""
