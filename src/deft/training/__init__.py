"""How anything learns: inputs, batches, the one loop, precision, checkpoints and processes."""
