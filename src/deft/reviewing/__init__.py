"""The local web page on which people decide about labels."""
