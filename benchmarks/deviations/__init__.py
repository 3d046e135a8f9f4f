"""How much each difference from the authors' code matters, measured both ways on a small task."""
