"""Files that are whole or absent, hashes, and lines of compressed text."""
