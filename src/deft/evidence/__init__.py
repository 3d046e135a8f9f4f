"""What images say for each class, and how likely each given label is then: arrays in, arrays out."""
