"""The calculus: one rule, delta elimination, named rewrites, and the log of what they did."""
