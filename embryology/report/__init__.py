"""Measurements -> executed notebooks -> the book; and the summary on a terminal."""
