"""The paper's experiments: its data sets in their original layouts."""
