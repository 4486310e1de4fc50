"""Watch a language model being born: pretrain it, probe every checkpoint, draw what it learns."""

__version__ = "0.1.0"
