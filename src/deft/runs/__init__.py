"""What a run left behind and what people decided about it; nothing here needs torch."""
