"""A page on which a reader asks every checkpoint: weights and tokenizer as scripts, the rest is JavaScript."""
