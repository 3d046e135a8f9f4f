"""Detectors: each says of every image whether its label is wrong."""
