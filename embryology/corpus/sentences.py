"""Sentences of an article, by Wikimedia's rule-based splitter.

``sentencex`` rather leaves two sentences together than cut one in two, which is what sentence-order
pairs need: a cut inside a sentence would be a pair that no reader could order.
"""

import sentencex


def split(text: str, language: str = "en") -> list[str]:
    """The sentences of ``text`` in order, stripped, none empty. A line break always ends a sentence."""
    return [
        sentence.strip()
        for line in text.splitlines()
        for sentence in sentencex.segment(language, line)
        if sentence.strip()
    ]
