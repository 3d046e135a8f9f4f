"""Images and their labels: every format read, every image decoded, tables and data sets written."""
