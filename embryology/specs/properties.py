"""What is true of an item and a training text, whatever the checkpoint: counted once, and kept beside measurements."""

FREQUENCY, OVERLAP, EXPOSURE, NGRAMS = "frequency", "overlap", "exposure", "ngrams"
VERSIONS = {FREQUENCY: 1, OVERLAP: 1, EXPOSURE: 1, NGRAMS: 1}
"""By kind of properties its version, raised whenever the same input would give other numbers."""
