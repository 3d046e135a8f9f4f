"""Image classifiers: a backbone and a head, in one shape for every method."""
