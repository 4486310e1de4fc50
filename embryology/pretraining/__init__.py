"""Token store in, checkpoints out."""
