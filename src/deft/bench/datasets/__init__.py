"""Data sets of the paper's tables: one small file each, read from a folder as their authors published them."""
