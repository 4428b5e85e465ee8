"""Measurements beside the peers and the published figures, one command each."""
