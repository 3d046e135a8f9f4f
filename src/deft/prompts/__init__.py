"""Prompts: sentences around class names, and learned ones."""
