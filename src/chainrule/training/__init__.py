"""Training: the step as one system, the loop that runs it, and what watches the loop."""
