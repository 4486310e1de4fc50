"""Series on the Hub: described in a line, resolved to commits and hashes once, fetched a checkpoint at a time."""
