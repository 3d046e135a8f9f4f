"""Ways to learn a classifier from noisy labels: one paper, one file."""
