"""One self-contained HTML page about a detection: page data, a template, a writer."""

LIMIT = 400
"""Suspects that a page shows unless another number is asked for."""
