"""Measurements: each module is a command that prints what the documentation quotes."""
