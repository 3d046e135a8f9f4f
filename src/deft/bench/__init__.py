"""The paper's experiments: its data sets in their original layouts, what is run on them, and the tables made of it."""
