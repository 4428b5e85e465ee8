"""The language: nodes, systems, text, meaning."""
