"""Text in: articles, their sentences, a tokenizer, and a memory-mapped store of piece ids."""
