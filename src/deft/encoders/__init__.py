"""Vision-language models behind one interface, `DualEncoder`."""
