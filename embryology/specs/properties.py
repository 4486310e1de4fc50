"""What is true of an item and a training text, whatever the checkpoint: counted once, and kept beside measurements."""

FREQUENCY, OVERLAP = "frequency", "overlap"
VERSIONS = {FREQUENCY: 1, OVERLAP: 1}
"""By kind of properties its version, raised whenever the same input would give other numbers."""
