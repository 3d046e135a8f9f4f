"""Adaptation: a classifier from any backbone, trained on labels of which some were found wrong."""
