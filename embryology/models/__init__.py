"""A checkpoint in memory: the encoder, alignment of words and pieces, forward passes, and what is trained on top."""
