"""What a word is: what stands between spaces, or a single character of a script that is written without them."""

import re

SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # Japanese, Chinese
)
"""A character that is a word, as Chinese ones are in BERT's own code (``BasicTokenizer``): where words end is not
written in such a script, and whoever tells them apart guesses."""


def count(text: str) -> int:
    """How many words a text has."""
    return len(SPACELESS.sub(" x ", text).split())
